"""A language model as the back end: one question per step, its reply held to the step's JSON and checked again here.

Words of people (the prompt, the viewer's texts, earlier answers) are quoted as data. What comes back is only ever
read as the one field that the step asks for; a reply that is anything else is refused, and asked for once more.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from emofeedback.errors import UserError
from emofeedback.records import ChainStep, StepName
from emofeedback.rewriting.chain import RewriteRequest, ViewerMissing, point_line
from emofeedback.rewriting.concepts import Content, check, concept_of, content_kept
from emofeedback.rewriting.viewers import KINDS, Kind, Viewer
from emofeedback.servers.json_reply import json_object, loose_schema
from emofeedback.servers.question_files import fill, plain, point_text

logger = logging.getLogger(__name__)

PACKAGE = "emofeedback.rewriting"
TRIES = 2
MAX_TOKENS = 400
MAX_REWRITE = 600  # characters
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=280)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=80)]
_STRICT = ConfigDict(extra="forbid", strict=True)
Reply = TypeVar("Reply", bound=BaseModel)


class NoAnswer(Exception):
    """The model could not be asked; the message says why in a few words."""


class LanguageModel(Protocol):
    """A language model that answers one question."""

    name: str
    parallel: int  # questions that may be asked at the same time

    def answer(self, system: str, question: str, schema: dict[str, Any], seed: int) -> str:
        """The answer's text, sampled from a seed: the same arguments give the same answer on one machine.

        Raises:
            NoAnswer: no answer came.
        """
        ...


class _Feels(BaseModel):
    model_config = _STRICT
    feels: Sentence


class _About(BaseModel):
    model_config = _STRICT
    about: Sentence


class _Concept(BaseModel):
    model_config = _STRICT
    kind: Kind
    words: Words


class _Concepts(BaseModel):
    model_config = _STRICT
    concepts: list[_Concept] = Field(min_length=1, max_length=10)


class _Drop(BaseModel):
    model_config = _STRICT
    number: int
    why: Words


class _Check(BaseModel):
    model_config = _STRICT
    drop: list[_Drop] = Field(max_length=10)


class _Prompt(BaseModel):
    model_config = _STRICT
    prompt: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=MAX_REWRITE)]


class LanguageThinker:
    """Implements `chain.Thinker` with a language model."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.name, self.parallel = model.name, model.parallel

    def think(self, step: StepName, viewer: Viewer, request: RewriteRequest, before: Sequence[ChainStep]) -> ChainStep:
        """One step; the model is asked, and once more where its reply was not what was asked.

        Raises:
            ViewerMissing: neither reply could be read, or none came.
        """
        match step:
            case "emotion":
                return self._emotion(viewer, request)
            case "about":
                return self._about(viewer, request, before[0])
            case "concepts":
                return self._concepts(viewer, request, before)
            case "check":
                return self._check(viewer, request, before[2])
            case _:
                return self._prompt(viewer, request, before[3])

    def _emotion(self, viewer: Viewer, request: RewriteRequest) -> ChainStep:
        question = fill(
            PACKAGE,
            "emotion",
            viewer=said(viewer.who),
            temperament=said(viewer.temperament.words),
            emotion=request.emotion(),
            target=point_text(request.target),
        )
        lines = (request.emotion(), point_line(request.target))
        return self._ask(
            viewer, request.seed, question, _Feels, lambda r: ChainStep("emotion", (*lines, line(r.feels)))
        )

    def _about(self, viewer: Viewer, request: RewriteRequest, felt: ChainStep) -> ChainStep:
        near = [memory for memory in viewer.memories if memory.emotion == felt.lines[0].lower()]
        texts = "\n".join(f"- {said(m.about)}" for m in near or viewer.memories) or "- nothing"
        question = fill(
            PACKAGE,
            "about",
            viewer=said(viewer.who),
            memories=texts,
            emotion=said(felt.lines[0]),
            feels=said(felt.lines[-1]),
        )
        return self._ask(viewer, request.seed, question, _About, lambda r: ChainStep("about", (line(r.about),)))

    def _concepts(self, viewer: Viewer, request: RewriteRequest, before: Sequence[ChainStep]) -> ChainStep:
        question = fill(
            PACKAGE,
            "concepts",
            viewer=said(viewer.who),
            likes=said(", ".join(viewer.taste.likes) or "anything"),
            dislikes=said(", ".join(viewer.taste.dislikes) or "nothing"),
            emotion=said(before[0].lines[0]),
            target=point_text(request.target),
            about=said(" ".join(before[1].lines)),
            prompt=said(request.prompt) or "anything: pure mood",
            kinds=", ".join(KINDS),
        )

        def written(reply: _Concepts) -> ChainStep:
            lines = [concept_of(f"{item.kind}: {line(item.words)}").line() for item in reply.concepts]
            return ChainStep("concepts", tuple(dict.fromkeys(lines)))

        return self._ask(viewer, request.seed, question, _Concepts, written)

    def _check(self, viewer: Viewer, request: RewriteRequest, concepts: ChainStep) -> ChainStep:
        content = Content.of(request.prompt)
        question = fill(
            PACKAGE, "check", prompt=said(request.prompt) or "anything: pure mood", concepts=numbered(concepts.lines)
        )

        def written(reply: _Check) -> ChainStep:
            dropped = {item.number - 1: line(item.why) for item in reply.drop}
            if not set(dropped) < set(range(len(concepts.lines))):
                raise ValueError("it drops what is not there, or everything")
            left = [concept_of(text) for i, text in enumerate(concepts.lines) if i not in dropped]
            kept, reasons = check(content, left)
            said_by_model = [f"dropped {concepts.lines[i]!r}: {why}" for i, why in dropped.items()]
            return ChainStep("check", tuple(c.line() for c in kept) or ("",), (*said_by_model, *reasons))

        return self._ask(viewer, request.seed, question, _Check, written)

    def _prompt(self, viewer: Viewer, request: RewriteRequest, checked: ChainStep) -> ChainStep:
        words = [concept_of(text).words for text in checked.lines if text]
        if not words:
            return ChainStep("prompt", (request.prompt or "a scene",), ("nothing was left to draw into it",))
        question = fill(
            PACKAGE, "prompt", prompt=said(request.prompt) or "anything: pure mood", concepts=numbered(words)
        )

        def written(reply: _Prompt) -> ChainStep:
            prompt = line(reply.prompt)
            if any(mark in prompt for mark in "{}<>`") or not content_kept(request.prompt, prompt):
                raise ValueError("it is no prompt, or it lost what the prompt named")
            if not any(shares_words(prompt, phrase) for phrase in words):
                raise ValueError("it holds none of the concepts")
            return ChainStep("prompt", (prompt,))

        return self._ask(viewer, request.seed, question, _Prompt, written)

    def _ask(
        self, viewer: Viewer, seed: int, question: str, form: type[Reply], written: Callable[[Reply], ChainStep]
    ) -> ChainStep:
        system = fill(PACKAGE, "system")
        schema = loose_schema(form.model_json_schema())
        for attempt in range(TRIES):
            try:
                text = self.model.answer(system, question, schema, TRIES * seed + attempt)
                found = json_object(text)
                if found is None:
                    raise ValueError("there is no JSON object in it")
                return written(form.model_validate(found))
            except NoAnswer as failed:
                raise ViewerMissing(f"{viewer.name} is missing: {self.name} gave no answer ({failed}).") from None
            except (ValidationError, ValueError, UserError) as error:
                logger.info("%s: a reply for %s was refused: %s", self.name, viewer.name, str(error)[:200])
        raise ViewerMissing(f"{viewer.name} is missing: {self.name} did not answer what was asked, twice.")


def said(text: str) -> str:
    """A person's or a model's words as quoted material: one line, without marks that could end the quotes."""
    return plain(text).replace("'''", "'").replace("`", "'")


def line(text: str) -> str:
    """A reply's words on one line."""
    return " ".join(text.split())


def numbered(lines: Sequence[str]) -> str:
    return "\n".join(f"{i}. {said(text)}" for i, text in enumerate(lines, 1))


def shares_words(prompt: str, phrase: str) -> bool:
    """Whether a word of four letters or more of a phrase stands in the prompt (any word of a shorter phrase)."""
    words = phrase.lower().split()
    telling = [word for word in words if len(word) > 3] or words
    return any(word in prompt.lower() for word in telling)
