"""The API: named, typed endpoints for programs and agents; the page itself does not use them."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from emofeedback.affect import Affect
from emofeedback.continuum import Continuity
from emofeedback.errors import UserError
from emofeedback.loop import Continuation, Drawing, Finished, draw_pictures, run_loop
from emofeedback.records import Picture
from emofeedback.serialize import candidate_name, reading_json, run_json
from emofeedback.storage import png_bytes, write_whole
from emofeedback.ui.desk import MODELS, Models, Visits, friendly
from emofeedback.ui.read_tab import read_file, take_files
from emofeedback.ui.sweep_tab import MAX_GRID, draw_sheet


class Endpoints:
    """/generate, /preview, /estimate, /sweep, /feedback_run."""

    def __init__(self, models: Models, visits: Visits) -> None:
        self.models, self.visits = models, visits
        mood = (("prompt", ""), ("valence", 0.0), ("arousal", 0.0), ("strength", 1.0), ("seed", 0))
        self._add(self.generate, (*mood, ("steps", 0)), _picture())
        self._add(self.preview, mood, _picture())
        self._add(self.sweep, (("prompt", ""), ("grid", 3), ("strength", 1.0), ("seed", 0)), _picture())
        self._add(
            self.feedback_run,
            (*mood, ("rounds", 3), ("candidates", 4), ("continuation", "same_seed")),
            gr.Gallery(visible=False, format="png", label="pictures"),
        )
        upload = gr.Image(visible=False, type="filepath", label="image")
        take_files(upload)
        self._listen(self.estimate, [upload], [gr.JSON(visible=False, label="reading")])

    def _add(self, function: Callable[..., Any], fields: tuple[tuple[str, Any], ...], first: Any) -> None:
        inputs = [
            gr.Textbox(value, label=name, visible=False)
            if isinstance(value, str)
            else gr.Number(value, label=name, visible=False, precision=0 if isinstance(value, int) else None)
            for name, value in fields
        ]
        self._listen(function, inputs, [first, gr.JSON(visible=False, label="result")])

    def _listen(self, function: Callable[..., Any], inputs: list[Any], outputs: list[Any]) -> None:
        gr.Button(visible=False).click(
            function, inputs, outputs, api_name=function.__name__, concurrency_id=MODELS, concurrency_limit=1
        )

    @friendly
    def generate(
        self, prompt: str, valence: float, arousal: float, strength: float, seed: int, steps: int, request: gr.Request
    ) -> tuple[str, dict[str, Any]]:
        """Draw one picture of a prompt with a set emotion and read it.

        Args:
            prompt: What is in the picture; may be empty (pure mood).
            valence: From -1 (unpleasant) to 1 (pleasant).
            arousal: From -1 (calm) to 1 (excited).
            strength: Of the emotion, 0 to 2; 0 draws from the words alone.
            seed: Same seed, same picture.
            steps: Denoising steps; 0 = the generator's own number.

        Returns:
            The PNG with its settings embedded, and {"seed", "reading", "distance", "unknown_words", "seconds"}.
        """
        return self._one(prompt, Affect(valence, arousal), strength, seed, steps or None, request)

    @friendly
    def preview(
        self, prompt: str, valence: float, arousal: float, strength: float, seed: int, request: gr.Request
    ) -> tuple[str, dict[str, Any]]:
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
        return self._one(prompt, Affect(valence, arousal), strength, seed, generator.preview_steps, request)

    def _one(
        self, prompt: str, target: Affect, strength: float, seed: int, steps: int | None, request: gr.Request
    ) -> tuple[str, dict[str, Any]]:
        generator, judge = self.models.get()
        asked = Drawing(1, _seed(seed), strength, steps).requests(_words(prompt), target, generator.default_steps)
        visit = self.visits.of(request)
        with self.models.lock, visit.work() as cancel:
            picture: Picture = [m for m in draw_pictures(generator, asked, cancel) if isinstance(m, tuple)][0][0]
            read = judge.read([picture])[0]
        visit.runs += 1
        path = visit.files() / "picture.png"
        write_whole(path, png_bytes(picture, read))
        return str(path), {
            "seed": picture.request.seed,
            "reading": None if read is None else reading_json(read),
            "distance": None if read is None else round(read.affect.distance(target), 4),
            "unknown_words": list(generator.unknown_words(prompt)),
            "seconds": round(picture.seconds, 3),
        }

    @friendly
    def estimate(self, image: str | None) -> dict[str, Any] | None:
        """Read the emotion that a picture expresses.

        Args:
            image: A PNG, JPEG, WebP, BMP, GIF or TIFF file.

        Returns:
            {"valence", "arousal", "valence_sd", "arousal_sd", "mass", "seen"}; null when it could not be read.
        """
        read = read_file(self.models, image)
        return None if read is None else reading_json(read)

    @friendly
    def sweep(
        self, prompt: str, grid: int, strength: float, seed: int, request: gr.Request
    ) -> tuple[str, dict[str, Any]]:
        """Draw a sheet of the whole valence-arousal plane: same words, same seed.

        Args:
            prompt: What is in the picture; may be empty (pure mood).
            grid: Pictures along each axis, 2 to 9.
            strength: Of the emotion, 0 to 2.
            seed: Same seed, same sheet.

        Returns:
            The sheet as PNG, and its continuity figures for "valence" and "arousal".
        """
        if not 2 <= grid <= MAX_GRID:
            raise UserError(f"grid must be a whole number from 2 to {MAX_GRID}, not {grid}.")
        visit = self.visits.of(request)
        items = list(draw_sheet(self.models, visit, _words(prompt), grid, strength, _seed(seed)))
        path = str(items[-1])
        return path, {axis: _figures(figures) for axis, figures in visit.figures.items()}

    @friendly
    def feedback_run(
        self, prompt: str, valence: float, arousal: float, strength: float, seed: int, rounds: int, candidates: int,
        continuation: Continuation, request: gr.Request,
    ) -> tuple[list[str], dict[str, Any]]:  # fmt: skip
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

        Returns:
            All pictures in order, and the run as JSON: target, rounds, best.
        """
        if not 1 <= rounds <= 6 or not 1 <= candidates <= 8:
            raise UserError("rounds must lie between 1 and 6 and candidates between 1 and 8.")
        generator, judge = self.models.get()
        visit, target = self.visits.of(request), Affect(valence, arousal)
        visit.begin(target)
        with self.models.lock, visit.work() as cancel:
            events = run_loop(
                generator, judge, _words(prompt), target, rounds=rounds, candidates=candidates, seed=_seed(seed),
                strength=strength, continuation=continuation, cancel=cancel,
            )  # fmt: skip
            run = [event.run for event in events if isinstance(event, Finished)][0]
        files = []
        for done in run.rounds:
            for index, item in enumerate(done.candidates):
                path = visit.files() / candidate_name(done.number, index)
                write_whole(path, png_bytes(item.picture, item.reading))
                files.append(str(path))
        return files, run_json(run)


def _picture() -> gr.Image:
    return gr.Image(visible=False, format="png", label="image")


def _seed(value: int | None) -> int:
    return 0 if value is None else int(value)


def _words(prompt: str | None) -> str:
    return prompt or ""


def _figures(figures: Continuity) -> dict[str, float]:
    return {
        "mean_step": round(figures.mean_step, 3),
        "largest_step": round(figures.largest_step, 3),
        "ratio": round(figures.ratio, 3),
        "travel": round(figures.travel, 3),
    }
