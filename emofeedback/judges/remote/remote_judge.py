"""A vision-language model behind a chat server as a judge.

A rating is the expected value over the labels among the top log-probabilities of the answer's first token, where the
server gives them; else the median of several sampled ratings. Each reading says which. Both orders of the scale are
asked, and the picture alone is rated. Whether it shows a prompt is another question, asked only by `shows`: the
probability of yes, or the share of yes among sampled answers.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.judges.questions import (
    LABEL_SETS,
    RatingQuestion,
    advice_question,
    describe_question,
    rating_questions,
    shows_question,
)
from emofeedback.judges.ratings import MIN_MASS
from emofeedback.judges.readings import AxisRating, names_everything
from emofeedback.judges.remote.answers import Sampled, both_axes, top_rating, top_yes
from emofeedback.judges.replies import (
    Piece,
    content_schema,
    critique_among,
    critique_schema,
    parse_label,
    parse_yes,
    seen_among,
    seen_in,
)
from emofeedback.records import Attempt, Critique, Picture, Reading, Seen
from emofeedback.servers.chat import Answer, AnswerExtent, ChatServer, Refused, ServerFailed, picture_url
from emofeedback.servers.stopping import each_of, works_elsewhere
from emofeedback.servers.words import is_filtered, quoted

logger = logging.getLogger(__name__)

TOP_LOGPROBS = 20  # the most that OpenAI's interface and vLLM's default allow
LABEL_TOKENS = 4
MAX_CONTENT_TOKENS = 200
MAX_ADVICE_TOKENS = 600
DESCRIPTIONS = 3  # sampled where no log-probabilities tell how sure a word is


Job = TypeVar("Job")
Result = TypeVar("Result")


class RemoteJudge:
    """Implements `protocols.Judge` and `ShowsPrompt` with a chat server.

    Args:
        samples: answers per question where the server gives no log-probabilities.
        workers: requests at a time.
        describe: also name what the pictures show.

    Attributes:
        elsewhere: it works on another machine: whoever waits for it may let others work here.
    """

    elsewhere = True

    def __init__(
        self,
        server: ChatServer,
        *,
        samples: int = 5,
        workers: int = 8,
        describe: bool = True,
        min_mass: float = MIN_MASS,
    ) -> None:
        self.server = server
        self.name = f"{server.model} at {server.host}"
        self.identity = f"remote:{server.model}"
        self.samples, self.workers, self.describe, self.min_mass = samples, workers, describe, min_mass
        self.questions = rating_questions(LABEL_SETS[0])
        self._logprobs = True  # until the server shows that it gives none
        self._schema = True
        self._several = True
        self._odd = ""  # what the last reply said that could not be read

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        """One reading per picture from its pixels alone; None = could not be read.

        Raises:
            UserError: the server refuses us, or gave no answer for any picture.
        """
        return self.read_images([picture.image for picture in pictures])

    @works_elsewhere
    def read_images(self, images: Sequence[Image.Image]) -> list[Reading | None]:
        """`read` for bare images."""
        if not images:
            return []
        self._odd = ""
        urls = [picture_url(image) for image in images]

        def describe(url: str) -> tuple[Seen, ...]:
            try:
                return self._describe(url) or ()
            except (ServerFailed, Refused):
                return ()

        jobs = [(url, question) for url in urls for question in self.questions]
        parts = self._each(lambda job: self._rate(*job), jobs)
        rated = [both_axes(parts[i : i + 4], self.min_mass) for i in range(0, len(parts), 4)]
        known = [i for i, both in enumerate(rated) if both is not None]
        seen = (
            dict(zip(known, self._parallel(describe, [urls[i] for i in known]), strict=True)) if self.describe else {}
        )
        readings: list[Reading | None] = []
        for i, both in enumerate(rated):
            if both is None:
                readings.append(None)
                continue
            affect = Affect.clamped(both[0].mean, both[1].mean)
            mass = min(both[0].mass, both[1].mass)
            method = self._method(parts[4 * i : 4 * i + 4])
            readings.append(Reading(affect, both[0].sd, both[1].sd, mass, seen.get(i, ()), self.name, method=method))
        if self._odd and None in readings:
            missing = f"{readings.count(None)} of {len(readings)}"
            logger.warning("%s: %s pictures could not be read; it said: %s", self.name, missing, self._odd)
        return readings

    @works_elsewhere
    def shows(self, pictures: Sequence[Picture], prompts: Sequence[str]) -> list[float | None]:
        """P(yes) / (P(yes) + P(no)) for each picture and its prompt, or the share of yes; None = could not be read.

        VQAScore (Lin et al. 2024, arXiv 2404.01291), normalised over the two answers.

        Raises:
            UserError: the server refuses us, or gave no answer for any picture.
        """
        if not pictures:
            return []
        jobs = [(picture_url(p.image), shows_question(prompt)) for p, prompt in zip(pictures, prompts, strict=True)]
        answers = self._each(lambda job: self._yes(*job), jobs)
        return [None if a is None or a[1] == 0 or a[1] < self.min_mass else a[0] / a[1] for a in answers]

    def _yes(self, url: str, text: str) -> tuple[float, float]:
        """Probability or share of yes, and of yes and no together."""
        answer = self._first_token(url, text)
        if answer is not None:
            return top_yes(*answer)
        said = [parse_yes(reply.text) for reply in self._sample(url, text, self.samples, LABEL_TOKENS, 1.0)]
        return said.count(True) / len(said), (len(said) - said.count(None)) / len(said)

    def _each(self, work: Callable[[Job], Result], jobs: Sequence[Job]) -> list[Result | None]:
        """`work` on every job, the first alone: it may show that the server gives no log-probabilities. None = failed.

        Raises:
            UserError: all of them failed.
        """
        failures: list[ServerFailed] = []

        def tried(job: Job) -> Result | None:
            try:
                return work(job)
            except ServerFailed as failed:
                failures.append(failed)
                return None

        results = [tried(jobs[0])]
        if not (failures and failures[0].timed_out):  # who does not answer one question is not asked all others
            results += self._parallel(tried, jobs[1:])
        if len(failures) == len(results):
            raise UserError(
                f"The judge's server {self.server.host} gave no answer ({failures[0]}); {failures[0].advice}."
            )
        return results

    def _parallel(self, work: Callable[[Job], Result], jobs: Sequence[Job]) -> list[Result]:
        return each_of(work, jobs, self.workers)

    def _method(self, parts: Sequence[AxisRating | Sampled | None]) -> str:
        kinds = []
        if any(isinstance(part, AxisRating) for part in parts):
            kinds.append("expected value of top logprobs")
        if any(isinstance(part, Sampled) for part in parts):
            kinds.append(f"median of {self.samples} sampled ratings")
        return f"{' and '.join(kinds)}, both orders"

    def _rate(self, url: str, question: RatingQuestion) -> AxisRating | Sampled | None:
        text = question.text()
        answer = self._first_token(url, text)
        if answer is not None:
            rated = top_rating(*answer, question)
            if rated is None or not rated.mass >= self.min_mass:
                self._odd = quoted("".join(token for token, _ in answer[0]))
            return rated
        replies = self._sample(url, text, self.samples, LABEL_TOKENS, 1.0)
        indices = [parse_label(reply.text, question.labels) for reply in replies]
        if None in indices:
            odd = replies[indices.index(None)]
            self._odd = odd.note or quoted(odd.text)
        values = tuple(question.values()[k] for k in indices if k is not None)
        return Sampled(values, len(values) / len(replies))

    def _first_token(self, url: str, text: str) -> tuple[tuple[Piece, ...], tuple[tuple[Piece, ...], ...]] | None:
        """The answer's tokens and the alternatives of each; None where the server gives no log-probabilities."""
        if not self._logprobs:
            return None
        try:
            [answer, *_] = self.server.ask(
                url, text, max_tokens=LABEL_TOKENS, temperature=0.0, extent=AnswerExtent(top_logprobs=TOP_LOGPROBS)
            )
        except Refused as refused:
            if is_filtered(refused.words):
                raise _unanswered(refused) from None
            answer = Answer("", None, None)
        if answer.top is not None and answer.pieces is not None:
            return answer.pieces, answer.top
        if self._logprobs:
            logger.info("%s gives no log-probabilities; answers are sampled", self.name)
        self._logprobs = False
        return None

    def _sample(self, url: str, text: str, count: int, max_tokens: int, temperature: float) -> list[Answer]:
        """`count` sampled replies; a server that gives one choice per request is asked again."""
        asked: dict[str, Any] = {"max_tokens": max_tokens, "temperature": temperature}
        replies: list[Answer] = []
        try:
            if self._several:
                replies = self.server.ask(url, text, seed=0, extent=AnswerExtent(choices=count), **asked)[:count]
        except Refused as refused:  # some servers refuse several choices
            if is_filtered(refused.words):
                raise _unanswered(refused) from None
            self._several = False
        try:
            for seed in range(len(replies), count):
                replies.append(self.server.ask(url, text, seed=seed, **asked)[0])
        except Refused as refused:
            raise _unanswered(refused) from None
        return replies

    def _describe(self, url: str) -> tuple[Seen, ...] | None:
        """What the picture shows; None where no reply could be read, also not the one retry."""
        for temperature in (0.0, 0.7):
            if not self._logprobs:
                replies = self._sample(url, describe_question(), DESCRIPTIONS, MAX_CONTENT_TOKENS, 0.7)
                return seen_among([reply.text for reply in replies])
            answer = self._json(url, describe_question(), content_schema(), MAX_CONTENT_TOKENS, temperature, 1)
            seen = seen_in(answer.pieces) if answer.pieces is not None else None
            if seen is not None:
                return seen
        return None

    def _json(
        self, url: str, text: str, schema: dict[str, Any], max_tokens: int, temperature: float, top_logprobs: int
    ) -> Answer:
        """One answer held to a schema where the server takes one."""
        for held in (True, False) if self._schema else (False,):
            try:
                return self.server.ask(
                    url,
                    text,
                    max_tokens=max_tokens,
                    temperature=temperature,
                    seed=0,
                    schema=schema if held else None,
                    extent=AnswerExtent(top_logprobs=top_logprobs),
                )[0]
            except Refused as refused:
                if not held or is_filtered(refused.words):
                    raise
                self._schema = False
        raise AssertionError("unreachable")

    @works_elsewhere
    def advise(self, attempts: Sequence[Attempt], target: Affect) -> Critique | None:
        """Advice on the last attempt, the two before it in view; None = no reply came or could be read."""
        question = advice_question(attempts, target)
        url = picture_url(attempts[-1].picture.image)
        said = ""

        def replies() -> Iterator[str]:
            nonlocal said
            for temperature in (0.0, 0.7):
                answer = self._json(url, question, critique_schema(), MAX_ADVICE_TOKENS, temperature, 0)
                said = answer.note or quoted(answer.text)
                yield answer.text

        try:
            critique = critique_among(replies(), attempts[-1].prompt)
        except (ServerFailed, Refused) as failed:
            logger.warning("%s: no advice came (%s)", self.name, failed)
            return None
        if critique is None:
            logger.warning("%s: the judge's reply could not be read; it said: %s", self.name, said)
        return critique

    def content_kept(self, prompt: str, reading: Reading) -> bool | None:
        """True when a subject that was seen stands in the prompt; else None: other words prove nothing."""
        return names_everything(prompt, reading)


def _unanswered(refused: Refused) -> ServerFailed:
    return ServerFailed(f"it refuses the request, {refused}", "choose another model, or see what its log says")
