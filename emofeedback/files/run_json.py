"""Records as JSON, written and read, with the field names that callers of the CLI and readers of run.json rely on.

One model a record says which fields there are. Fields of later versions are passed over and those that earlier ones
did not write have defaults. Pictures are files beside the JSON; numbers are rounded, so what is read back is the same
run to four digits.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from PIL import Image
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from emofeedback import __version__
from emofeedback.affect import Affect
from emofeedback.records import (
    Candidate,
    Cost,
    Critique,
    Edit,
    Picture,
    PictureRequest,
    Reading,
    Round,
    Run,
    Seen,
    StopReason,
    Upscaling,
    VisualPrompt,
)


def _absent(value: object) -> bool:
    return value is None


Digits4 = Annotated[float, AfterValidator(lambda value: round(value, 4))]
Digits3 = Annotated[float, AfterValidator(lambda value: round(value, 3))]
Coordinate = Annotated[float, Field(ge=-1, le=1)]
Count = Annotated[int, Field(ge=0)]
Side = Annotated[int, Field(ge=1, le=100_000)]


class JsonRecord(BaseModel):
    """A record of a run as JSON."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def as_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json")


class VisualJson(JsonRecord):
    """A visual prompt; of a person's own pictures only how many there were."""

    strength: float = 1.0
    emotion: str | None = None
    centres: list[tuple[int, float]] | None = None
    own_pictures: Count = 0
    negative: str | None = None
    guidance: float | None = None

    @classmethod
    def of(cls, visual: VisualPrompt) -> Self:
        return cls(
            strength=visual.strength,
            emotion=visual.emotion,
            centres=None if visual.centres is None else list(visual.centres),
            own_pictures=len(visual.pictures),
            negative=visual.negative,
            guidance=visual.guidance,
        )

    def visual(self) -> VisualPrompt:
        centres = None if self.centres is None else tuple(self.centres)
        return VisualPrompt(self.strength, self.emotion, centres, (), self.negative, self.guidance)


class RequestJson(JsonRecord):
    """What a picture was drawn from, but for the picture that it may have started from."""

    prompt: str
    valence: Coordinate | None
    arousal: Coordinate | None
    seed: int
    strength: float = 1.0
    steps: int | None = None
    guidance: float | None = None
    start_strength: float | None = None
    visual: VisualJson | None = Field(None, exclude_if=_absent)
    negative_prompt: str = Field("", exclude_if=lambda words: not words)
    width: Side | None = Field(None, exclude_if=_absent)
    height: Side | None = Field(None, exclude_if=_absent)

    @classmethod
    def of(cls, request: PictureRequest) -> Self:
        return cls(
            prompt=request.prompt,
            valence=None if request.affect is None else request.affect.valence,
            arousal=None if request.affect is None else request.affect.arousal,
            seed=request.seed,
            strength=request.strength,
            steps=request.steps,
            guidance=request.guidance,
            start_strength=None if request.start is None else request.start_strength,
            visual=None if request.visual is None else VisualJson.of(request.visual),
            negative_prompt=request.negative,
            width=None if request.size is None else request.size[0],
            height=None if request.size is None else request.size[1],
        )

    def request(self) -> PictureRequest:
        affect = None if self.valence is None or self.arousal is None else Affect(self.valence, self.arousal)
        visual = None if self.visual is None else self.visual.visual()
        return PictureRequest(
            self.prompt,
            affect,
            self.seed,
            self.strength,
            self.steps,
            self.guidance,
            visual=visual,
            negative=self.negative_prompt,
            size=None if self.width is None or self.height is None else (self.width, self.height),
        )


class SeenJson(JsonRecord):
    """Something that a judge names."""

    aspect: str
    word: str
    probability: Digits4


class ReadingJson(JsonRecord):
    """What a judge reads; `content_kept` is of the candidate that it was read in."""

    valence: Annotated[Digits4, Field(ge=-1, le=1)]
    arousal: Annotated[Digits4, Field(ge=-1, le=1)]
    valence_sd: Digits4
    arousal_sd: Digits4
    mass: Digits4
    seen: list[SeenJson] = []
    content_kept: bool | None = None
    method: str | None = Field(None, exclude_if=_absent)
    calibration: str | None = Field(None, exclude_if=_absent)

    @classmethod
    def of(cls, reading: Reading, content_kept: bool | None = None) -> Self:
        return cls(
            valence=reading.affect.valence,
            arousal=reading.affect.arousal,
            valence_sd=reading.valence_sd,
            arousal_sd=reading.arousal_sd,
            mass=reading.mass,
            seen=[SeenJson(aspect=s.aspect, word=s.word, probability=s.probability) for s in reading.seen],
            content_kept=content_kept,
            method=reading.method,
            calibration=reading.calibration,
        )

    def reading(self, judge: str) -> Reading:
        seen = tuple(Seen(s.aspect, s.word, s.probability) for s in self.seen)
        affect = Affect(self.valence, self.arousal)
        return Reading(affect, self.valence_sd, self.arousal_sd, self.mass, seen, judge, self.method, self.calibration)


class EditJson(JsonRecord):
    """One change of a prompt."""

    action: Literal["replace", "add", "remove"]
    old: str = ""
    new: str = ""
    keeps: bool = Field(False, exclude_if=lambda keeps: not keeps)


class CritiqueJson(JsonRecord):
    """A judge's advice."""

    analysis: str
    carries: list[str] = []
    edits: list[EditJson]

    @classmethod
    def of(cls, critique: Critique) -> Self:
        edits = [EditJson(action=e.action, old=e.old, new=e.new, keeps=e.keeps) for e in critique.edits]
        return cls(analysis=critique.analysis, carries=list(critique.carries), edits=edits)

    def critique(self) -> Critique:
        edits = tuple(Edit(e.action, e.old, e.new, e.keeps) for e in self.edits)
        return Critique(self.analysis, tuple(self.carries), edits)


class UpscalingJson(JsonRecord):
    """What enlarged a picture's file after it was drawn."""

    name: str
    scale: int

    @classmethod
    def of(cls, done: Upscaling | None) -> Self | None:
        return None if done is None else cls(name=done.name, scale=done.scale)


class CandidateJson(JsonRecord):
    """A picture of a round. Only a run in history says what each was drawn from, and by what."""

    image: str
    seed: int
    reading: ReadingJson | None = None
    distance: Digits4 | None = None
    chosen: bool = False
    request: RequestJson | None = Field(None, exclude_if=_absent)
    model: str | None = Field(None, exclude_if=_absent)
    upscaled: UpscalingJson | None = Field(None, exclude_if=_absent)
    drawn_as: str | None = Field(None, exclude_if=_absent)
    scene: str | None = Field(None, exclude_if=_absent)


class CostJson(JsonRecord):
    """Seconds and model calls of a round."""

    seconds: Digits3 = 0.0
    draw_seconds: Digits3 = 0.0
    read_seconds: Digits3 = 0.0
    advise_seconds: Digits3 = 0.0
    pictures: Count = 0
    readings: Count = 0
    critiques: Count = 0

    @classmethod
    def of(cls, cost: Cost) -> Self:
        return cls(**{item.name: getattr(cost, item.name) for item in fields(cost)})

    def cost(self) -> Cost:
        return Cost(**self.model_dump())


class RoundJson(JsonRecord):
    """One round."""

    number: int = 1
    prompt: str
    candidates: list[CandidateJson]
    critique: CritiqueJson | None = None
    next_prompt: str | None = None
    advised_on: int | None = None
    judge_choice: int | None = Field(None, exclude_if=_absent)
    seconds: Digits3 = 0.0
    cost: CostJson | None = None


class TargetJson(JsonRecord):
    """A point of the plane."""

    valence: Coordinate
    arousal: Coordinate


class RunJson(JsonRecord):
    """A whole run."""

    prompt: str
    target: TargetJson
    rounds: list[RoundJson]
    best: dict[str, Any] | None = None
    stopped: StopReason = "rounds"
    failure: str | None = Field(None, exclude_if=_absent)
    generator: str
    judge: str
    settings: dict[str, Any] = {}
    version: str = __version__


def request_json(request: PictureRequest) -> dict[str, Any]:
    return RequestJson.of(request).as_json()


def visual_json(visual: VisualPrompt) -> dict[str, Any]:
    """A visual prompt; of a person's own pictures only how many there were."""
    return VisualJson.of(visual).as_json()


def reading_json(reading: Reading, content_kept: bool | None = None) -> dict[str, Any]:
    return ReadingJson.of(reading, content_kept).as_json()


def candidate_name(round_number: int, index: int) -> str:
    """The file name of a candidate's picture, unique in its run."""
    return f"round-{round_number:02d}-candidate-{index + 1:02d}.png"


def run_json(
    run: Run,
    folder: Path | None = None,
    *,
    requests: bool = False,
    upscaling: Callable[[Picture, bool], Upscaling | None] | None = None,
) -> dict[str, Any]:
    """A run as DESIGN's JSON.

    Args:
        folder: of the pictures; None = `image` fields are bare file names.
        requests: each candidate also says what it was drawn from, and by what.
        upscaling: what was done to the file of a picture that is chosen or not (`LargePictures.upscaling`).
    """

    def candidate_of(number: int, index: int, candidate: Candidate) -> CandidateJson:
        name, picture, reading = candidate_name(number, index), candidate.picture, candidate.reading
        return CandidateJson(
            image=name if folder is None else str(folder / name),
            seed=picture.request.seed,
            reading=None if reading is None else ReadingJson.of(reading, candidate.content_kept),
            distance=candidate.distance,
            chosen=candidate.chosen,
            request=RequestJson.of(picture.request) if requests else None,
            model=picture.model if requests else None,
            upscaled=UpscalingJson.of(
                picture.upscaled or (None if upscaling is None else upscaling(picture, candidate.chosen))
            ),
            drawn_as=picture.drawn_as,
            scene=picture.scene,
        )

    rounds, best_json, best = [], None, run.best()
    for done in run.rounds:
        candidates = [candidate_of(done.number, i, c) for i, c in enumerate(done.candidates)]
        for candidate, as_record in zip(done.candidates, candidates, strict=True):
            if candidate is best:
                shown = as_record.model_copy(update={"request": None, "model": None}).as_json()
                best_json = {"round": done.number, "prompt": done.prompt, **shown}
        rounds.append(
            RoundJson(
                number=done.number,
                prompt=done.prompt,
                candidates=candidates,
                critique=None if done.critique is None else CritiqueJson.of(done.critique),
                next_prompt=done.next_prompt,
                advised_on=done.advised_on,
                judge_choice=done.judge_choice,
                seconds=done.cost.seconds,
                cost=CostJson.of(done.cost),
            )
        )
    return RunJson(
        prompt=run.prompt,
        target=TargetJson(valence=run.target.valence, arousal=run.target.arousal),
        rounds=rounds,
        best=best_json,
        stopped=run.stopped,
        failure=run.failure,
        generator=run.generator,
        judge=run.judge,
        settings=run.settings,
    ).as_json()


def _negative_and_size(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a run's settings say of its requests' negative prompt and size."""
    width, height = settings.get("width"), settings.get("height")
    size = (width, height) if isinstance(width, int) and isinstance(height, int) else None
    return {"negative": str(settings.get("negative_prompt") or ""), "size": size}


def run_from_json(data: Mapping[str, Any], open_image: Callable[[str], Image.Image]) -> Run:
    """The run that `run_json` wrote, whatever version it was.

    Where candidates do not say what they were drawn from, the run's settings do.

    Args:
        open_image: gives the picture that an `image` field names.

    Raises:
        ValueError: the data are not those of a run.
        OSError: a picture cannot be opened.
    """
    given = RunJson.model_validate(data)
    target = Affect(given.target.valence, given.target.arousal)
    drawn: dict[str, Any] = {
        name: given.settings[name] for name in ("strength", "steps", "guidance") if name in given.settings
    }
    drawn |= _negative_and_size(given.settings)

    def candidate_from(prompt: str, item: CandidateJson) -> Candidate:
        request = PictureRequest(prompt, target, item.seed, **drawn) if item.request is None else item.request.request()
        done = None if item.upscaled is None else Upscaling(item.upscaled.name, item.upscaled.scale)
        picture = Picture(
            open_image(item.image),
            request,
            item.model or given.generator,
            0.0,
            upscaled=done,
            drawn_as=item.drawn_as,
            scene=item.scene,
        )
        reading = None if item.reading is None else item.reading.reading(given.judge)
        kept = None if item.reading is None else item.reading.content_kept
        return Candidate(picture, reading, item.distance, kept, item.chosen)

    rounds = tuple(
        Round(
            number=item.number,
            prompt=item.prompt,
            candidates=tuple(candidate_from(item.prompt, candidate) for candidate in item.candidates),
            critique=None if item.critique is None else item.critique.critique(),
            next_prompt=item.next_prompt,
            cost=Cost(item.seconds) if item.cost is None else item.cost.cost(),
            advised_on=item.advised_on,
            judge_choice=item.judge_choice,
        )
        for item in given.rounds
    )
    return Run(given.prompt, target, rounds, given.stopped, given.generator, given.judge, given.settings, given.failure)
