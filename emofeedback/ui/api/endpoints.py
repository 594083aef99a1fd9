"""The API and the MCP tools: named, typed endpoints for programs and agents; the page itself does not use them.

Every one that draws is a generator: a client that cancels, or goes away, stops it within one denoising step, and one
that still waits in the queue leaves it. Before the last answer they yield {"status", "done"} with no pictures.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from emofeedback.affect import Affect, emotion
from emofeedback.errors import UserError
from emofeedback.files.large_pictures import LargePictures
from emofeedback.files.open_picture import open_picture
from emofeedback.files.run_json import candidate_name, reading_json, run_json
from emofeedback.files.storage import write_whole
from emofeedback.loop.drawing import Drawing, draw_pictures
from emofeedback.loop.rounds import Continuation, Rules
from emofeedback.loop.run import Finished, Progress, RoundStarted, RunOrder, run_loop
from emofeedback.picture_size import size_of
from emofeedback.protocols import left_out_of, negative_for
from emofeedback.rewriting.company import Company
from emofeedback.rewriting.director import opening_turn
from emofeedback.text import is_finite, short, told
from emofeedback.ui.api.endpoint_jobs import Jobs, check_drawn_by, visual_of, waiting
from emofeedback.ui.create.create_order import checked_words
from emofeedback.ui.history.saved_run import single
from emofeedback.ui.limits import OpenJob
from emofeedback.ui.models_turn import models_turn
from emofeedback.ui.read.read_tab import read_file, take_files
from emofeedback.ui.session import HEAVY, Models, Visit, Visits, friendly_stream

State = dict[str, Any]


class Endpoints:
    """/generate, /preview, /estimate, /sweep, /feedback_run, /redraw, /fine_tune."""

    def __init__(self, models: Models, visits: Visits, company: Company, open_job: OpenJob | None = None) -> None:
        self.models, self.visits, self.company = models, visits, company
        jobs = Jobs(models, visits, open_job)
        mood = {"prompt": "", "valence": 0.0, "arousal": 0.0, "strength": 1.0, "seed": 0}
        more = {"steps": 0, "emotion_name": "", "visual": 0.0, "rewrite": False}
        size = {"upscale": True}
        files = gr.File(visible=False, file_count="multiple", label="files")
        loop = {"rounds": 3, "candidates": 4}
        sheet = {
            "prompt": "",
            "grid": 3,
            "strength": 1.0,
            "seed": 0,
            "path": "",
            "blend": "",
            "frames": 9,
            "animation": "",
            "steps": 0,
            "visual": 0.0,
            **size,
        }
        tune = {
            "prompts": "",
            "valence": 0.0,
            "arousal": 0.0,
            "region": "corners",
            "minutes": 5.0,
            "updates": 0,
            "objective": "awm",
            "seed": 0,
        }
        shape = {"negative": "", "picture_size": ""}
        self._listen(self.generate, mood | more | size | shape, [_picture()])
        self._listen(self.preview, mood, [_picture()])
        self._listen(jobs.sweep, sheet, [_picture("sheet")], [files])
        self._listen(self.feedback_run, mood | loop | {"continuation": "same_seed"} | size | shape, [_pictures()])
        self._listen(self.redraw, {"image": None} | mood | loop | {"image_strength": 0.6} | size, [_pictures()])
        self._listen(jobs.fine_tune, tune, [gr.File(visible=False, label="adapter")])
        self._listen(self.estimate, {"image": None}, [])

    def _listen(
        self, function: Callable[..., Any], fields: dict[str, Any], before: list[Any], after: list[Any] | None = None
    ) -> None:
        """One endpoint: inputs by their default values (None = a picture), outputs around the JSON result.

        It listens to nothing on the page; its hidden components are there for their types. `gr.api` (gradio 6.31) would
        do without them, but it takes types from the signature alone, hands values over unprocessed and so changes what
        callers see: it cannot tell what a generator yields; a picture or a file becomes a bare FileData instead of the
        image, gallery and file types; a whole number sent as 3.0 stays a fraction; fields lose their labels.
        """
        outputs = [*before, gr.JSON(visible=False, label="result"), *(after or [])]
        gr.on(
            [],
            function,
            [_input(name, value) for name, value in fields.items()],
            outputs,
            api_name=function.__name__,
            **HEAVY,
        )

    @friendly_stream
    def generate(
        self,
        prompt: str,
        valence: float,
        arousal: float,
        strength: float,
        seed: int,
        steps: int,
        emotion_name: str,
        visual: float,
        rewrite: bool,
        upscale: bool,
        negative: str,
        picture_size: str,
        request: gr.Request,
    ) -> Iterator[tuple[str | None, State]]:
        """Draw one picture of a prompt with a set emotion and read it.

        Args:
            prompt: What is in the picture; may be empty (pure mood).
            valence: From -1 (unpleasant) to 1 (pleasant).
            arousal: From -1 (calm) to 1 (excited).
            strength: Of the emotion, 0 to 2; 0 draws from the words alone.
            seed: Same seed, same picture.
            steps: Denoising steps; 0 = the generator's own number.
            emotion_name: A named emotion such as "happy" or "afraid", in place of valence and arousal; may be empty.
            visual: Strength of pictures of the emotion, which guide the drawing beside its words; 0 = none do.
            rewrite: Whether a company of simulated viewers first adds to the prompt what carries the emotion to them.
            upscale: Whether the PNG is enlarged where the host has an upscaler; the reading is of the picture as drawn.
            negative: What the picture shall not show; may be empty.
            picture_size: WIDTHxHEIGHT in pixels or a ratio such as "3:2", where the generator can; empty = its own.

        Returns:
            The PNG with its settings embedded, and {"prompt", "seed", "reading", "distance", "unknown_words",
            "seconds"}, where "prompt" has the rewriting in it; "drawn_as", the words drawn, where the generator
            chose what the prompt leaves open; and "upscaled" {"name", "scale"} where it was.
        """
        target = emotion(emotion_name) if emotion_name else Affect(valence, arousal)
        drawing = Drawing(1, whole(seed), strength, steps or None, visual=visual_of(visual, emotion_name))
        drawing = self._shaped(drawing, negative, picture_size)
        yield from self._one(prompt, target, drawing, request, self.company if rewrite else None, True, upscale)

    def _shaped(self, drawing: Drawing, negative: str, picture_size: str) -> Drawing:
        """The drawing with a negative prompt and a size, as the generator at hand takes them."""
        generator, _ = self.models.get()
        size = size_of(picture_size, generator.sizes, generator.size, generator.name)
        return replace(drawing, negative=negative_for(generator, checked_words(negative)), size=size)

    @friendly_stream
    def preview(
        self, prompt: str, valence: float, arousal: float, strength: float, seed: int, request: gr.Request
    ) -> Iterator[tuple[str | None, State]]:
        """Draw one picture in few steps and read it.

        Args:
            prompt: What is in the picture; may be empty (pure mood).
            valence: From -1 (unpleasant) to 1 (pleasant).
            arousal: From -1 (calm) to 1 (excited).
            strength: Of the emotion, 0 to 2.
            seed: Same seed, same picture.

        Returns:
            As /generate.
        """
        generator, _ = self.models.get()
        drawing = Drawing(1, whole(seed), strength, generator.preview_steps)
        yield from self._one(prompt, Affect(valence, arousal), drawing, request)

    def _one(
        self,
        prompt: str,
        target: Affect,
        drawing: Drawing,
        request: gr.Request,
        company: Company | None = None,
        keep: bool = False,
        upscale: bool = False,
    ) -> Iterator[tuple[str | None, State]]:
        words = checked_words(prompt)
        generator, _ = self.models.get()
        self.visits.hosting.check_work(1, drawing.steps or generator.default_steps)
        check_drawn_by(generator, drawing.visual)
        visit = self.visits.of(request)
        if company is not None:  # it may think elsewhere, and needs no turn
            with visit.time_limit.work(visit.user):
                words = opening_turn(company, words, target, drawing.seed, 1, left_out_of(generator)).prompt
        with models_turn(self.models, visit, "picture") as turn:
            for place in turn.wait():
                yield None, waiting(place)
            generator, judge = self.models.get()
            asked = drawing.requests(drawing.draws(words), target, generator.default_steps)
            for message in turn.over(draw_pictures(generator, asked, turn.cancel)):
                if isinstance(message, Progress):
                    yield None, status("drawing", message.step / max(1, message.steps))
                    continue
                picture = message[0]
                sign = (None, status("reading", 1.0))
                [read] = yield from turn.ask(judge, partial(judge.read, [picture]), sign)
                if keep:
                    visit.save(single(picture, read, target))
                [shown] = (visit.large if upscale else LargePictures()).of([picture])
                path = fresh_folder(visit) / "picture.png"
                write_whole(path, visit.png(shown, read))
                yield (
                    str(path),
                    {
                        "prompt": words,
                        "seed": picture.request.seed,
                        "reading": None if read is None else reading_json(read),
                        "distance": None if read is None else round(read.affect.distance(target), 4),
                        "unknown_words": list(generator.unknown_words(words)),
                        "seconds": round(picture.seconds, 3),
                        **({} if shown.upscaled is None else {"upscaled": asdict(shown.upscaled)}),
                        **({} if picture.drawn_as is None else {"drawn_as": picture.drawn_as}),
                    },
                )

    @friendly_stream
    def estimate(self, image: str | None, request: gr.Request) -> Iterator[State | None]:
        """Read the emotion that a picture expresses.

        Args:
            image: A PNG, JPEG, WebP, BMP, GIF or TIFF file.

        Returns:
            {"valence", "arousal", "valence_sd", "arousal_sd", "mass", "seen"}; null when it could not be read.
        """
        read = yield from read_file(self.models, self.visits.of(request), image, lambda what: status(what, 0.0))
        yield None if read is None else reading_json(read)

    @friendly_stream
    def feedback_run(
        self,
        prompt: str,
        valence: float,
        arousal: float,
        strength: float,
        seed: int,
        rounds: int,
        candidates: int,
        continuation: Continuation,
        upscale: bool,
        negative: str,
        picture_size: str,
        request: gr.Request,
    ) -> Iterator[tuple[list[str] | None, State]]:
        """Run the whole loop: draw candidates, read, choose, edit the words, draw again.

        Args:
            prompt: What is in the picture; may be empty (pure mood).
            valence: From -1 (unpleasant) to 1 (pleasant).
            arousal: From -1 (calm) to 1 (excited).
            strength: Of the emotion, 0 to 2.
            seed: Of the first candidate.
            rounds: 1 to 6.
            candidates: Pictures per round, 1 to 8.
            continuation: "same_seed", or "image" to start each round from the last picture.
            upscale: Whether pictures are enlarged where the host has an upscaler; readings are of them as drawn.
            negative: As for /generate.
            picture_size: As for /generate.

        Returns:
            All pictures in order, and the run as JSON: target, rounds, best.
        """
        drawing = Drawing(_between("candidates", candidates, 8), whole(seed), strength)
        drawing = self._shaped(drawing, negative, picture_size)
        yield from self._loop(prompt, Affect(valence, arousal), rounds, drawing, continuation, upscale, request)

    @friendly_stream
    def redraw(
        self,
        image: str | None,
        prompt: str,
        valence: float,
        arousal: float,
        strength: float,
        seed: int,
        rounds: int,
        candidates: int,
        image_strength: float,
        upscale: bool,
        request: gr.Request,
    ) -> Iterator[tuple[list[str] | None, State]]:
        """Run the loop from a picture of yours: each candidate starts from it and moves toward the emotion.

        Args:
            image: A PNG, JPEG, WebP, BMP, GIF or TIFF file.
            prompt: What is in the picture.
            valence: From -1 (unpleasant) to 1 (pleasant).
            arousal: From -1 (calm) to 1 (excited).
            strength: Of the emotion, 0 to 2.
            seed: Of the first candidate.
            rounds: 1 to 6.
            candidates: Pictures per round, 1 to 8.
            image_strength: How much of the picture is redrawn, 0.01 to 1.
            upscale: As for /feedback_run.

        Returns:
            As /feedback_run.
        """
        if image is None:
            raise UserError("Give a picture to start from.")
        start = open_picture(Path(image), name="The picture")
        drawing = Drawing(
            _between("candidates", candidates, 8), whole(seed), strength, start=start, start_strength=image_strength
        )
        yield from self._loop(prompt, Affect(valence, arousal), rounds, drawing, "same_seed", upscale, request)

    def _loop(
        self,
        prompt: str,
        target: Affect,
        rounds: int,
        drawing: Drawing,
        continuation: Continuation,
        upscale: bool,
        request: gr.Request,
    ) -> Iterator[tuple[list[str] | None, State]]:
        words, rounds = checked_words(prompt), _between("rounds", rounds, 6)
        generator, _ = self.models.get()
        self.visits.hosting.check_work(rounds * drawing.candidates, drawing.steps or generator.default_steps)
        visit = self.visits.of(request)
        with models_turn(self.models, visit, "run") as turn:
            for place in turn.wait():
                yield None, waiting(place)
            generator, judge = self.models.get()
            number = 1
            order = RunOrder(words, target, drawing, Rules(rounds, continuation=continuation))
            for event in turn.over(run_loop(generator, judge, order, cancel=turn.cancel)):
                match event:
                    case RoundStarted():
                        number = event.number
                    case Progress():
                        part = event.step / max(1, event.steps)
                        yield None, status(f"round {number} of {rounds}", (number - 1 + part) / rounds)
                    case Finished(run):
                        visit.save(run)
                        folder, files = fresh_folder(visit), []
                        large = visit.large if upscale else LargePictures()
                        for done in run.rounds:
                            shown = zip(done.candidates, large.of_round(done.candidates), strict=True)
                            for index, (item, picture) in enumerate(shown):
                                path = folder / candidate_name(done.number, index)
                                write_whole(path, visit.png(picture, item.reading, run.settings))
                                files.append(str(path))
                        yield files, run_json(run, upscaling=large.upscaling)


def status(what: str, done: float) -> State:
    """What is going on, and the share that is done."""
    return {"status": what, "done": round(done, 3)}


def fresh_folder(visit: Visit) -> Path:
    """A folder for one call's files; to be asked for under the models' lock."""
    visit.runs += 1
    return visit.files()


def _between(name: str, value: int | float | None, most: int) -> int:
    if value is None or not is_finite(value) or not 1 <= value <= most:
        said = told(value) if is_finite(value) and value is not None else short(repr(value))
        raise UserError(f"{name} must lie between 1 and {most}, but is {said}.")
    return int(value)


def whole(value: int | float | None) -> int:
    """A whole number from a field that may be empty.

    Raises:
        UserError: it is none.
    """
    if value is not None and not is_finite(value):
        raise UserError(f"seed must be a whole number, not {short(repr(value))}.")
    return 0 if value is None else int(value)


def _input(name: str, value: Any) -> Any:
    if value is None:
        upload = gr.Image(visible=False, type="filepath", label=name)
        take_files(upload)
        return upload
    if isinstance(value, bool):
        return gr.Checkbox(value, label=name, visible=False)
    if isinstance(value, str):
        return gr.Textbox(value, label=name, visible=False)
    return gr.Number(value, label=name, visible=False, precision=0 if isinstance(value, int) else None)


def _picture(label: str = "image") -> gr.Image:
    return gr.Image(visible=False, format="png", label=label)


def _pictures() -> gr.Gallery:
    return gr.Gallery(visible=False, format="png", label="pictures")
