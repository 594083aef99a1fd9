"""A text-to-image model that runs elsewhere: hosted through Hugging Face, or behind an inference endpoint.

Prompts leave this machine. The key is sent and never logged; pictures come back whole or not at all.
"""

import contextvars
import io
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PIL import Image

from emofeedback.errors import UserError
from emofeedback.files.open_picture import MAX_PIXELS
from emofeedback.generators.pipelines.emotion_words import with_emotion_words
from emofeedback.generators.sampling_defaults import SamplingDefaults
from emofeedback.picture_size import Sizes
from emofeedback.protocols import OnStep
from emofeedback.records import Picture, PictureRequest
from emofeedback.servers.hosted_client import HostedClient
from emofeedback.servers.patience import Patience, Refused, ServerFailed, Unreadable, check_status, host_of
from emofeedback.servers.requests import MAX_PICTURE, Door, authorization, bare, send
from emofeedback.servers.stopping import stoppable
from emofeedback.servers.words import quoted, words_of

logger = logging.getLogger(__name__)

SEEDS = 2**31  # providers take seeds below it
WORKERS = 4  # pictures asked for at once
FORMATS = ("PNG", "JPEG", "WEBP")


class HostedGenerator:
    """Implements `protocols.Generator`. The emotion comes in through words that are added to the prompt.

    The same request gives the same picture only where the provider honours seeds.

    Args:
        model: OWNER/NAME, or the address of an endpoint that takes {"inputs", "parameters"} and answers with a picture.
        provider: of a hosted model; None = the account's first choice.
        key: sent as a bearer token; None = none to an address, the stored token to Hugging Face.
        size: side of the pictures in pixels; None = what the provider draws.
        sampling: steps that count as usual and as a preview; only other than usual ones are sent.
        outside: whether an address must lie on the public internet (`requests.Door`).

    Attributes:
        elsewhere: it works on another machine: whoever waits for it may let others work here.
    """

    elsewhere = True
    takes_negative = True
    sizes: Sizes | None = Sizes(8, 64, 4096)  # what a provider draws of them it says itself

    def __init__(
        self,
        model: str,
        provider: str | None = None,
        *,
        key: str | None = None,
        size: int | None = None,
        sampling: SamplingDefaults | None = None,
        patience: Patience | None = None,
        outside: bool = False,
    ) -> None:
        sampling = sampling or SamplingDefaults(28, 4, 4.0)
        self.model, self.provider, self._key = model, provider, key
        self._url = model if model.lower().startswith(("http://", "https://")) else None
        self.host = host_of(self._url) if self._url else f"Hugging Face ({provider or 'auto'})"
        self.shown = self.host if self._url else model  # an address may hold a password
        self.name = f"hosted:{self.shown}{f':{provider}' if provider else ''}"
        self._door = Door(outside, MAX_PICTURE)
        self.asked_size, self.size = size, size or 1024
        self.default_steps, self.preview_steps = sampling.steps, sampling.preview_steps
        self.patience = patience or Patience(deadline=300.0)

    def unknown_words(self, prompt: str) -> tuple[str, ...]:
        """None: the vocabulary is open."""
        return ()

    def drawn_prompt(self, request: PictureRequest) -> str:
        """The words that are sent: the prompt, with words that carry the emotion."""
        if request.affect is None:
            return request.prompt
        return with_emotion_words(request.prompt, request.affect, request.strength)

    def generate(self, requests: Sequence[PictureRequest], on_step: OnStep | None = None) -> Iterator[Picture]:
        """Yield one picture per request, in order; `on_step` counts pictures, and may cancel between them.

        `stopping.stoppable` cancels within them too.

        Raises:
            UserError: a request starts from a picture or has a visual prompt; the service refuses or does not answer.
            Cancelled: raised by `on_step`.
        """
        if any(request.start is not None for request in requests):
            raise UserError("A hosted generator draws from words alone; take the start picture away, or draw locally.")
        if any(request.visual is not None and request.visual.strength > 0 for request in requests):
            raise UserError("A hosted generator draws from words alone; leave visual prompts out, or draw locally.")
        if on_step is not None and requests:
            on_step(0, len(requests))
        pool, halted = ThreadPoolExecutor(WORKERS, thread_name_prefix="hosted-picture"), threading.Event()

        def draw(request: PictureRequest) -> Picture:
            with stoppable(halted.is_set):
                return self._draw(request)

        try:
            waiting = [pool.submit(contextvars.copy_context().run, draw, request) for request in requests]
            for done, future in enumerate(waiting, 1):
                picture = future.result()
                if on_step is not None:
                    on_step(done, len(requests))
                yield picture
        finally:
            halted.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def _draw(self, request: PictureRequest) -> Picture:
        begun = time.perf_counter()
        wishes: dict[str, Any] = {"seed": request.seed % SEEDS}
        if request.steps not in (None, self.default_steps):  # the model's own number is best left to the service
            wishes["num_inference_steps"] = request.steps
        if request.guidance is not None:
            wishes["guidance_scale"] = request.guidance
        if request.negative:
            wishes["negative_prompt"] = request.negative
        if request.size is not None:
            wishes |= {"width": request.size[0], "height": request.size[1]}
        elif self.asked_size is not None:
            wishes |= {"width": self.asked_size, "height": self.asked_size}

        def ask(seconds: float) -> Image.Image:
            prompt = self.drawn_prompt(request)
            if self._url is not None:  # not by the InferenceClient: it adds the stored token and follows redirects
                headers = {"Accept": "image/png", **authorization(self._url, self._key)}
                body = {"inputs": prompt, "parameters": wishes}
                return _picture(send("POST", bare(self._url), headers, seconds, body, self._door).content)
            with HostedClient(self.provider, self._key, seconds) as client:
                return client.text_to_image(prompt, model=self.model, **wishes).convert("RGB")  # half a one shows here

        try:
            image = self.patience.ask(ask, self.host, self._check)
        except ServerFailed as error:
            raise UserError(f"{self.host} sends no picture ({error}); try again, or draw locally.") from None
        except Refused as error:
            raise UserError(
                f"{self.host} refuses this request to {self.shown} ({error}); change the words, or leave steps, "
                "guidance, size and a negative prompt open."
            ) from None
        return Picture(image, request, self.name, time.perf_counter() - begun)

    def _check(self, status: int, words: str) -> None:
        check_status(self.host, self.shown, status, "EMOFEEDBACK_GENERATOR_KEY", words, chat=False)


def _picture(content: bytes) -> Image.Image:
    """A reply's picture.

    Raises:
        Unreadable: it is none, or only half of one.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height <= MAX_PIXELS:
                return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, ArithmeticError, LookupError, TypeError):  # as Pillow's decoders do
        raise Unreadable(f"no whole picture but {quoted(words_of(content))}") from None
    raise Unreadable(f"a picture of more than {MAX_PIXELS // 10**6} million pixels")
