"""The chain of concepts (Emotion-Director, arXiv 2512.19479): emotion, what it is about, concepts, check, prompt.

The chain's structure stands here, in code: a back end fills one step at a time and sees what came before it, so no
text of a viewer, a prompt or a model can add, skip or swap a step.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, get_args

from emofeedback.affect import EMOTIONS, MIKELS, Affect
from emofeedback.errors import UserError
from emofeedback.loop.prompt_edits import apply_edits
from emofeedback.records import Chain, ChainStep, Edit, Rewrite, StepName
from emofeedback.rewriting.concepts import Content, concept_of
from emofeedback.rewriting.feeling import caption_affect
from emofeedback.rewriting.viewers import Viewer
from emofeedback.scenes.captions import parse

STEPS: tuple[StepName, ...] = get_args(StepName)
MAX_LINES, MAX_LINE, MAX_PROMPT = 24, 300, 2000
_POINT = re.compile(r"valence\s*([+-]?[\d.]+)\s*,\s*arousal\s*([+-]?[\d.]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RewriteRequest:
    """What a company is asked: a person's prompt, the emotion it shall carry, and a seed."""

    prompt: str
    target: Affect
    seed: int = 0

    def emotion(self) -> str:
        """Which of Mikels' eight emotions lies nearest to the target."""
        return min(MIKELS, key=lambda name: EMOTIONS[name].distance(self.target))


class ViewerMissing(Exception):
    """A back end got no usable answer for a viewer; the message is one sentence."""


class Thinker(Protocol):
    """A back end: fills one step of a viewer's chain."""

    name: str
    parallel: int  # viewers that may think at the same time

    def think(self, step: StepName, viewer: Viewer, request: RewriteRequest, before: Sequence[ChainStep]) -> ChainStep:
        """The step, from those before it; the same arguments give the same step.

        Raises:
            ViewerMissing: no usable answer came.
        """
        ...


def walk(thinker: Thinker, viewer: Viewer, request: RewriteRequest, steps: Sequence[ChainStep] = ()) -> Chain:
    """A viewer's chain, from the first step on, or on from steps that stand already."""
    done = list(steps)
    for name in STEPS[len(done) :]:
        step = thinker.think(name, viewer, request, tuple(done))
        if step.name != name or not step.lines:
            raise ViewerMissing(f"{viewer.name} is missing: the step {name!r} came to nothing.")
        done.append(step)
    return Chain(viewer.name, request.prompt, request.target, request.seed, tuple(done))


def rerun(thinker: Thinker, viewer: Viewer, chain: Chain, from_step: StepName, edited: Sequence[str]) -> Chain:
    """The chain with one step as a person wrote it, and all later steps made again from there.

    Raises:
        UserError: the lines are not what that step is written in; the message says how to write them.
        ViewerMissing: no usable answer came.
    """
    if from_step not in STEPS:
        raise UserError(f"There is no step {from_step!r}; known are {', '.join(STEPS)}.")
    at = STEPS.index(from_step)
    lines = checked_lines(from_step, edited)
    step = replace(chain.steps[at], lines=lines, notes=(), edited=True)
    return walk(thinker, viewer, RewriteRequest(chain.prompt, chain.target, chain.seed), (*chain.steps[:at], step))


def checked_lines(name: StepName, edited: Sequence[str]) -> tuple[str, ...]:
    """A step's lines as a person wrote them, blank ones gone.

    Raises:
        UserError: a line is missing, too long, or not written as this step's lines are.
    """
    lines = tuple(" ".join(line.split()) for line in edited if line.strip())
    longest = MAX_PROMPT if name == "prompt" else MAX_LINE
    if not lines and name != "check":
        raise UserError("Write something in this step, or run the company again.")
    if len(lines) > MAX_LINES or any(len(line) > longest for line in lines):
        raise UserError(f"A step has at most {MAX_LINES} lines of {longest} characters; shorten it.")
    match name:
        case "emotion":
            felt_point(lines)
        case "about":
            return (lines[0], *(concept_of(line).line() for line in lines[1:]))
        case "concepts" | "check":
            return tuple(concept_of(line).line() for line in lines) or ("",)
        case "prompt" if len(lines) != 1:
            raise UserError("The prompt is one line; put it together.")
    return lines


def felt_point(lines: Sequence[str]) -> Affect:
    """Where the emotion lies for the viewer, as the second line of the first step says.

    Raises:
        UserError: that line does not say it.
    """
    match = _POINT.search(lines[1]) if len(lines) > 1 else None
    try:
        return Affect(float(match[1]), float(match[2])) if match is not None else Affect(2.0, 2.0)
    except (ValueError, UserError):
        raise UserError(
            "Write the emotion's name, then a line such as: valence -0.60, arousal +0.70 (each from -1 to 1)."
        ) from None


def point_line(affect: Affect) -> str:
    """The second line of the first step."""
    return f"valence {affect.valence:+.2f}, arousal {affect.arousal:+.2f}"


def rewrite_of(chain: Chain) -> Rewrite:
    """What a finished chain comes to."""
    prompt = chain.step("prompt").lines[0]
    kept = tuple(line for line in chain.step("check").lines if line)
    return Rewrite(prompt, (chain.viewer,), kept, edits_to(chain.prompt, prompt, kept), distance(chain, prompt), chain)


def edits_to(prompt: str, rewritten: str, kept: Sequence[str]) -> tuple[Edit, ...]:
    """The edits that make the rewritten prompt: the concepts one by one where they are just added, else the whole."""
    if rewritten == prompt:
        return ()
    added = tuple(Edit("add", new=concept_of(line).words) for line in kept)
    if added and apply_edits(prompt, added) == rewritten:
        return added
    return (Edit("replace", old=prompt, new=rewritten),) if prompt else (Edit("add", new=rewritten),)


def distance(chain: Chain, prompt: str) -> float | None:
    """How far the affect model finds the rewritten prompt from the target; None where it does not know the content."""
    if not Content.of(chain.prompt).known() and chain.prompt.strip():
        return None
    return caption_affect(parse(prompt)).distance(chain.target)
