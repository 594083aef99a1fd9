"""The seams: what a generator, a judge, a rewriter and an upscaler must offer. Each has two implementations or more."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.picture_size import Sizes
from emofeedback.records import Attempt, Critique, Picture, PictureRequest, Reading, Rewrites

OnStep = Callable[[int, int], None]
"""Called after each denoising step with (steps done, steps in all); raise `Cancelled` from it to stop."""


LeftOut = Callable[[str], str]
"""Called with a prompt; answers with its end that a generator leaves out, empty where it takes all of it."""


class Generator(Protocol):
    """Draws pictures. Requests of one call may differ in prompt, affect and seed, and are batched.

    One that can draw in fewer steps than a preview while a mood is dragged says in how many: `moving_steps`.
    """

    name: str
    size: int  # side of a picture in pixels, where none is asked for
    default_steps: int
    preview_steps: int

    @property
    def takes_negative(self) -> bool:
        """Whether a request's negative prompt counts; a generator without one refuses it."""

    @property
    def sizes(self) -> Sizes | None:
        """Sizes that requests may ask for; None = squares of `size` only."""

    def generate(self, requests: Sequence[PictureRequest], on_step: OnStep | None = None) -> Iterator[Picture]:
        """Yield one picture per request, in order. The same request gives the same picture on one machine."""
        ...

    def unknown_words(self, prompt: str) -> tuple[str, ...]:
        """Words of the prompt that the model has never seen, in order; () for an open-vocabulary model."""
        ...


def left_out_of(generator: Generator) -> LeftOut | None:
    """How a generator cuts long prompts, by its optional method `left_out`; None = it takes them whole."""
    return getattr(generator, "left_out", None)


def negative_for(generator: Generator, words: str) -> str:
    """A negative prompt as a request to this generator takes it.

    Raises:
        UserError: the generator takes none.
    """
    if words.strip() and not generator.takes_negative:
        raise UserError(f"{generator.name} draws without guidance and takes no negative prompt; leave it out.")
    return words.strip()


@runtime_checkable
class SafetyChecked(Protocol):
    """A generator whose model family comes with a safety checker; optional, and asked on public hosts only."""

    safety: str | None  # the checker's name; None = this model came without one

    def unsafe(self, pictures: Sequence[Picture]) -> list[bool]:
        """For each picture, whether the checker flags it."""
        ...


class Judge(Protocol):
    """Reads emotion in pictures and advises on prompts."""

    name: str

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        """One reading per picture from its pixels alone; None = could not be read."""
        ...

    def advise(self, attempts: Sequence[Attempt], target: Affect) -> Critique | None:
        """Advice on the last attempt with the earlier ones in view; None = the reply could not be read."""
        ...

    def content_kept(self, prompt: str, reading: Reading) -> bool | None:
        """Whether the content that the prompt names is seen; None = this judge cannot tell."""
        ...


@runtime_checkable
class ShowsPrompt(Protocol):
    """A judge of open vocabulary that can be asked whether a picture shows a prompt; optional.

    Such a judge may call a thing by another name, so that its `content_kept` never says no. Asking costs a call of its
    own, which `read` does not make.
    """

    def shows(self, pictures: Sequence[Picture], prompts: Sequence[str]) -> list[float | None]:
        """For each picture the probability in [0, 1] that it shows its prompt; None = no yes or no could be read."""
        ...


class Rewriter(Protocol):
    """Says a prompt in other words that shall carry an emotion; what the prompt names is kept."""

    name: str

    def rewrite(self, prompt: str, target: Affect, *, seed: int = 0) -> Rewrites:
        """Rewrites, the best first. The same arguments give the same rewrites.

        Raises:
            UserError: there is none.
        """
        ...


class Upscaler(Protocol):
    """Enlarges finished pictures for people; judges and raters read the picture as it was drawn.

    A generator may carry one as its `upscaler`, for whoever shows its pictures.
    """

    name: str
    scale: int  # times that the side of a picture grows
    quick: bool  # about a tenth of a second a picture on a CPU: candidates are enlarged too, not only the chosen one

    def upscale(self, images: Sequence[Image.Image], scenes: Sequence[str | None] | None = None) -> list[Image.Image]:
        """Each at `scale` times its sides, in order; they may differ in size. The same in gives the same out.

        Args:
            scenes: the `Picture.scene` of each, for upscalers that look at it; None = of none is it known.
        """
        ...
