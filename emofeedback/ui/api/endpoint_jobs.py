"""The API's long jobs: sweeps of many pictures, and fine-tuning."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import gradio as gr

from emofeedback.affect import MIKELS, Affect
from emofeedback.errors import UserError
from emofeedback.files.large_pictures import LargePictures
from emofeedback.finetuning.order import FinetuneOrder, Region
from emofeedback.protocols import Generator
from emofeedback.records import VisualPrompt
from emofeedback.sweep.animation import format_of
from emofeedback.sweep.run_sweep import Sweep, SweepOrder, plan, run_sweep, sweep_json, write_sweep
from emofeedback.text import prompt_lines
from emofeedback.ui.create.create_order import checked_words
from emofeedback.ui.limits import OpenJob
from emofeedback.ui.models_turn import models_turn
from emofeedback.ui.session import Models, Visit, Visits, friendly_stream
from emofeedback.ui.turns import Place
from emofeedback.ui.worker import Post, on_thread

MAX_GRID, MAX_FRAMES, MAX_PROMPTS = 9, 81, 100_000
State = dict[str, Any]
NO_VISUAL = "This generator has no visual prompts; leave visual at 0."


class Jobs:
    """/sweep and /fine_tune."""

    def __init__(self, models: Models, visits: Visits, open_job: OpenJob | None) -> None:
        self.models, self.visits, self.open_job = models, visits, open_job

    @friendly_stream
    def sweep(
        self,
        prompt: str,
        grid: int,
        strength: float,
        seed: int,
        path: str,
        blend: str,
        frames: int,
        animation: str,
        steps: int,
        visual: float,
        upscale: bool,
        request: gr.Request,
    ) -> Iterator[tuple[str | None, State, list[str] | None]]:
        """Draw one prompt over the valence-arousal plane with the same seed: a sheet, a path, or a blend of emotions.

        Args:
            prompt: What is in the picture; may be empty (pure mood).
            grid: Pictures along each axis of the sheet, 2 to 9.
            strength: Of the emotion, 0 to 2.
            seed: Same seed, same sheet.
            path: In place of the sheet: waypoints as "v,a v,a ...", such as "-0.8,0.6 0,0 0.8,-0.6".
            blend: In place of the sheet: "FIRST,SECOND" or "FIRST,SECOND,SHARE" of named emotions.
            frames: Pictures of a path or a blend, 2 to 81.
            animation: "webp", "gif" or "mp4" to get a moving picture as well; may be empty.
            steps: Denoising steps; 0 = the generator's own number.
            visual: Strength of pictures that guide each drawing beside its words, those of its own mood; 0 = none do.
            upscale: Whether single pictures are enlarged where the host has an upscaler; the sheet shows them as drawn.

        Returns:
            The sheet as PNG; {"points": [{"valence", "arousal", "read_valence", "read_arousal", "image"}],
            "continuity", ...}, where "image" names one of the files; and all files: sheet, table (CSV), JSON, each
            picture, animation.
        """
        if not path and not blend and not 2 <= (grid or 0) <= MAX_GRID:
            raise UserError(f"grid must be a whole number from 2 to {MAX_GRID}, not {grid}.")
        if not 2 <= (frames or 0) <= MAX_FRAMES:
            raise UserError(f"frames must be a whole number from 2 to {MAX_FRAMES}, not {frames}.")
        words = checked_words(prompt)
        form = format_of(animation) if animation else None
        rows = plan(grid, path, blend, frames)
        visit = self.visits.of(request)
        generator, _ = self.models.get()
        self.visits.hosting.check_work(sum(map(len, rows)), steps or generator.default_steps)
        guide = visual_of(visual)
        check_drawn_by(generator, guide)
        with models_turn(self.models, visit, "sweep") as turn:
            for place in turn.wait():
                yield None, waiting(place), None
            generator, judge = self.models.get()
            order = SweepOrder(words, rows, seed or 0, strength, steps or None, guide)
            for event in turn.over(run_sweep(generator, judge, order, cancel=turn.cancel)):
                if isinstance(event, Sweep):
                    visit.save(event)
                    visit.runs += 1
                    large = visit.large if upscale else LargePictures()
                    files = write_sweep(event, visit.files(), form, metadata=not visit.plain, large=large)
                    yield str(files.sheet), sweep_json(event, files, large=large), [str(file) for file in files.all()]
                else:
                    yield None, {"status": "drawing", "done": round(event.done / event.total, 3)}, None

    @friendly_stream
    def fine_tune(
        self,
        prompts: str,
        valence: float,
        arousal: float,
        region: Region,
        minutes: float,
        updates: int,
        objective: str,
        seed: int,
        request: gr.Request,
    ) -> Iterator[tuple[str | None, State]]:
        """Tune the generator on the judge's reward in a short job; the answer is a LoRA adapter.

        Args:
            prompts: One a line; empty = scenes of the bundled world.
            valence: Of the target, where region is "point".
            arousal: Of the target, where region is "point".
            region: "corners" or "plane" for many targets, or "point".
            minutes: The budget; 0 where updates are given.
            updates: The budget in updates; 0 where minutes are given.
            objective: "awm", "nft", "grpo", "dpo"; "direct" with the bundled judge; "auto" = what suits the judge.
            seed: Of the job.

        Returns:
            The adapter's folder as ZIP, and {"stopped", "updates", "pictures", "seconds", "best_update",
            "audit_before", "audit_after"}; while it runs, the job's last event.
        """
        if self.open_job is None:
            raise UserError("There is no fine-tuning on this host; run the studio on your own machine.")
        if region not in get_args(Region):
            raise UserError(f"Unknown region {str(region)[:30]!r}; known are {', '.join(get_args(Region))}.")
        if len(prompts or "") > MAX_PROMPTS:
            raise UserError(f"The prompts have {len(prompts)} characters; shorten them to {MAX_PROMPTS} or fewer.")
        order = FinetuneOrder(
            prompts=prompt_lines(prompts),
            region=region,
            point=Affect(valence, arousal) if region == "point" else None,
            objective=objective,
            minutes=minutes or None,
            updates=updates or None,
            seed=seed or 0,
        )
        visit = self.visits.of(request)
        stop = visit.begins("fine-tuning")
        try:
            yield from self._tuning(order, visit, stop)
        finally:
            visit.ends(stop)

    def _tuning(self, order: FinetuneOrder, visit: Visit, stop: threading.Event) -> Iterator[tuple[str | None, State]]:
        audits: list[float] = []
        answer: tuple[str, State] | None = None
        for post in on_thread(self.models, visit, stop, lambda post: self._tune(order, visit, stop, post)):
            match post:
                case {"kind": str() as kind, **rest}:
                    if kind == "audit":
                        audits.append(float(rest["score"]))  # type: ignore[arg-type]
                    yield None, {"status": kind} | {str(k): v for k, v in rest.items() if _plain(v)}
                case (Path() as archive, dict() as ending):
                    before, after = (audits[0], max(audits)) if audits else (None, None)
                    answer = str(archive), ending | {"audit_before": before, "audit_after": after}
                case None:
                    yield None, {"status": "working"}
        if answer is not None:
            yield answer  # last, since callers take the last one for the answer: signs of life may follow the archive

    def _tune(self, order: FinetuneOrder, visit: Visit, stop: threading.Event, post: Post) -> None:
        assert self.open_job is not None
        visit.runs += 1
        out = visit.files() / "finetune"
        job = self.open_job(order, self.models.get()[1], out)
        out.mkdir(parents=True, exist_ok=True)
        ending = job.run(lambda: stop.is_set() or visit.gone, post)
        result = ending.result
        told = {name: getattr(result, name) for name in ("stopped", "updates", "pictures", "seconds", "best_update")}
        post((Path(shutil.make_archive(str(out / "emofeedback-adapter"), "zip", out, ending.adapter.name)), told))


def waiting(place: Place) -> State:
    """The status of a call while others come first."""
    return {"status": "waiting", "done": 0.0, "ahead": place.ahead}


def visual_of(strength: float | None, emotion: str | None = None) -> VisualPrompt | None:
    """The visual prompt of a field that holds its strength; None where that is 0 or empty.

    Args:
        emotion: a named one; where it is none of Mikels' eight, the nearest pictures of the bank guide.
    """
    named = (emotion or "").strip().lower()
    return VisualPrompt(strength, named if named in MIKELS else None) if strength else None


def check_drawn_by(generator: Generator, visual: VisualPrompt | None) -> None:
    """Raise UserError where a visual prompt is asked of a generator that has none."""
    if visual is not None and getattr(generator, "visual", None) is None:
        raise UserError(NO_VISUAL)


def _plain(value: object) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))
