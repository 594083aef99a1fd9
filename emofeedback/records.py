"""What travels between the parts: frozen records of requests, pictures, readings, advice and runs."""

import math
from dataclasses import dataclass, field
from typing import Literal

from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.text import unbroken

MAX_CANDIDATES = 64
MAX_SEED = 2**53
"""Seeds stay exact in JSON and in a browser."""
MAX_PROMPT = 20_000
"""Characters; longer ones could not be read back from a picture."""


@dataclass(frozen=True, slots=True)
class VisualPrompt:
    """Pictures that guide a drawing beside its words (see `visual_bank`).

    Attributes:
        strength: of what the pictures say, >= 0; 0 draws from the words alone.
        emotion: the group of the bank to search; None = the one nearest to the request's valence and arousal.
        centres: (number in the bank, weight) in place of those that the words retrieve; None = those; () = none.
        pictures: (picture, weight) of a person's own.
        negative: an emotion whose centres guidance leads away from; None = away from the words without any picture.
        guidance: how far it leads, >= 0; 0 = not at all; None = the generator's own.
    """

    strength: float = 1.0
    emotion: str | None = None
    centres: tuple[tuple[int, float], ...] | None = None
    pictures: tuple[tuple[Image.Image, float], ...] = ()
    negative: str | None = None
    guidance: float | None = None


@dataclass(frozen=True, slots=True)
class PictureRequest:
    """One picture to draw. `None` means the generator's own default."""

    prompt: str
    affect: Affect | None
    seed: int
    strength: float = 1.0  # of the emotion adapter, >= 0; 0 draws from the words alone
    steps: int | None = None
    guidance: float | None = None
    start: Image.Image | None = None  # image-to-image: the picture to start from
    start_strength: float = 0.6  # (0, 1]: share of the noise schedule run again on `start`
    visual: VisualPrompt | None = None
    negative: str = ""  # what the picture shall not show; needs guidance (see `Generator.takes_negative`)
    size: tuple[int, int] | None = None  # width and height in pixels (see `Generator.sizes`)
    plan_seed: int | None = None  # of what a planning generator chooses beside the words; None = that of the picture

    def __post_init__(self) -> None:
        """Raise UserError where the prompt or the negative one is no text, or too long."""
        for name, words in (("prompt", self.prompt), ("negative prompt", self.negative)):
            if len(unbroken(words)) > MAX_PROMPT:
                raise UserError(f"The {name} has {len(words)} characters; shorten it to {MAX_PROMPT} or fewer.")


@dataclass(frozen=True, slots=True)
class Upscaling:
    """What enlarged a picture after it was drawn, and how many times its side grew."""

    name: str
    scale: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn picture and what drew it."""

    image: Image.Image
    request: PictureRequest
    model: str
    seconds: float
    withheld: bool = False  # by a safety checker: the image is blank
    upscaled: Upscaling | None = None  # None = the image is as it was drawn
    drawn_as: str | None = None  # the words drawn, where the generator chose what the prompt leaves open
    scene: str | None = None  # JSON of the planned scene that it was drawn after, for upscalers that look at it


@dataclass(frozen=True, slots=True)
class Seen:
    """Something a judge names in a picture: the aspect ("subject", "time", ...), the word, its probability."""

    aspect: str
    word: str
    probability: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What a judge reads in a picture, from its pixels alone.

    valence_sd and arousal_sd are the spread of the judge's rating distribution on the [-1, 1] scale;
    mass in [0, 1] is the probability it put on rating words at all (a validity check).
    method says how the numbers were read and calibration which one was applied, where there is something to say.
    """

    affect: Affect
    valence_sd: float
    arousal_sd: float
    mass: float
    seen: tuple[Seen, ...]
    judge: str
    method: str | None = None
    calibration: str | None = None

    def words(self) -> tuple[str, ...]:
        return tuple(item.word for item in self.seen)


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a prompt.

    replace: `old` (a phrase of the prompt) gives way to `new`; add: `new` is appended; remove: `old` goes. `keeps`
    marks an addition that names what the picture shows already, so that it stays.
    """

    action: Literal["replace", "add", "remove"]
    old: str = ""
    new: str = ""
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class Critique:
    """A judge's advice on a chosen picture: an analysis in words, what carries the emotion, prompt edits."""

    analysis: str
    carries: tuple[str, ...]
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture of a round with its reading. None = could not be read, never a neutral default."""

    picture: Picture
    reading: Reading | None
    distance: float | None  # Euclidean, reading to target
    content_kept: bool | None  # the prompt's named content is still seen; None = not known
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a judge is shown of a round when it advises: the prompt, the chosen picture, its reading."""

    prompt: str
    picture: Picture
    reading: Reading | None
    edits: tuple[Edit, ...] = ()  # the edits that led to this attempt's prompt
    original: str | None = None  # the user's own words, which advice must leave; None = not known


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds and model calls of one round."""

    seconds: float = 0.0
    draw_seconds: float = 0.0
    read_seconds: float = 0.0
    advise_seconds: float = 0.0
    pictures: int = 0
    readings: int = 0
    critiques: int = 0


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of draw, read, choose, advise.

    `critique` is None when no advice was asked (the target is reached, or the run was stopped) or when it could not be
    read (`cost.critiques` tells). It is about this round's chosen picture or, when an earlier round is still the best,
    about that one's: `advised_on` is the round's number, and `next_prompt` follows from that round's prompt.
    `judge_choice` is the index of the candidate that the judge chose, where a person chose another one; None otherwise.
    """

    number: int  # from 1
    prompt: str
    candidates: tuple[Candidate, ...]
    critique: Critique | None
    next_prompt: str | None
    cost: Cost
    advised_on: int | None = None
    judge_choice: int | None = None

    def best(self) -> Candidate:
        """The chosen candidate."""
        return next(c for c in self.candidates if c.chosen)


def rank(candidate: Candidate) -> tuple[bool, bool, float]:
    """What decides the best candidate. Sorts the best first: readable, content kept, distance to the target."""
    unread = candidate.distance is None
    return unread, candidate.content_kept is False, math.inf if candidate.distance is None else candidate.distance


StopReason = Literal[
    "tolerance", "no_gain", "rounds", "no_edits", "unreadable", "advice_unreadable", "cancelled", "failed"
]
"""Why a run ended. "no_edits" occurs only in runs that earlier versions kept."""


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run of the loop."""

    prompt: str
    target: Affect
    rounds: tuple[Round, ...]
    stopped: StopReason
    generator: str
    judge: str
    settings: dict[str, object] = field(default_factory=dict)
    failure: str | None = None  # what went wrong after the last of `rounds`, where that ended the run

    def best(self) -> Candidate | None:
        """The best of the chosen candidates (see `rank`), the earliest of equals; None without rounds."""
        chosen = [r.best() for r in self.rounds if r.candidates]
        return min(chosen, key=rank) if chosen else None


StepName = Literal["emotion", "about", "concepts", "check", "prompt"]


@dataclass(frozen=True, slots=True)
class ChainStep:
    """One step of a viewer's chain of concepts: what it came to, a line each, and why."""

    name: StepName
    lines: tuple[str, ...]
    notes: tuple[str, ...] = ()
    edited: bool = False  # by a person


@dataclass(frozen=True, slots=True)
class Chain:
    """How one viewer came from a prompt and a target to other words; `seed` makes it again."""

    viewer: str
    prompt: str
    target: Affect
    seed: int
    steps: tuple[ChainStep, ...]

    def step(self, name: StepName) -> ChainStep:
        """The step of a name.

        Raises:
            KeyError: the chain did not come so far.
        """
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Other words for a prompt that shall carry the target, by one viewer or merged from several.

    `edits` make the rewrite from the prompt; `distance` is that of the scene world's affect model to the target, None
    where it does not know what the prompt shows.
    """

    prompt: str
    viewers: tuple[str, ...]
    concepts: tuple[str, ...]  # "weather: in fog", as far as they were kept
    edits: tuple[Edit, ...]
    distance: float | None = None
    chain: Chain | None = None


@dataclass(frozen=True, slots=True)
class Rewrites:
    """What a rewriter hands back, the best first; `missing` has a sentence for each viewer who gave none."""

    rewrites: tuple[Rewrite, ...]
    missing: tuple[str, ...] = ()
