"""The Continuum tab: one prompt, one seed, and a sheet, a path or a blend of moods; how evenly the picture changes."""

import base64
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr

from emofeedback.errors import Cancelled, UserError
from emofeedback.records import Picture, Reading, VisualPrompt
from emofeedback.sweep.animation import format_of
from emofeedback.sweep.plane import parse_path
from emofeedback.sweep.run_sweep import Sweep, SweepFiles, SweepOrder, plan, run_sweep, write_sweep
from emofeedback.ui.create.create_layout import START_PROMPT
from emofeedback.ui.create.create_order import checked_words
from emofeedback.ui.create.create_tab import CreateTab
from emofeedback.ui.create.references_panel import SWITCH_OFF, ReferencesPanel
from emofeedback.ui.parts import html
from emofeedback.ui.parts.at_once import say_at_once, say_not_begun
from emofeedback.ui.session import MODELS, Models, Visit, Visits, friendly, friendly_stream
from emofeedback.ui.sweep import sweep_layout as layout
from emofeedback.ui.sweep.sweep_layout import BLEND, MODES, PATH, SHEET

Updates = dict[Any, Any]
CLIP_INLINE = 3_000_000
"""Bytes of an animation that is shown on the page itself."""


@dataclass(frozen=True)
class ShownSweep:
    """A visitor's last sweep."""

    sweep: Sweep
    files: SweepFiles


class SweepTab:
    """Builds the tab and answers its events."""

    def __init__(self, models: Models, visits: Visits, prompt: str = START_PROMPT) -> None:
        self.models, self.visits = models, visits
        self._shown: WeakKeyDictionary[Visit, ShownSweep] = WeakKeyDictionary()
        with gr.Row(elem_classes="page-columns"):
            self.controls = layout.controls(prompt)
            self.output = layout.output()
        self._connect()

    def _connect(self) -> None:
        c, s = self.controls, self.output
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        knobs: set[Any] = {
            c.prompt,
            c.mode,
            c.grid,
            c.path,
            c.first,
            c.second,
            c.share,
            c.frames,
            c.strength,
            c.visual,
            c.visual_strength,
            c.seed,
            c.animation,
        }
        say_at_once([c.draw.click], s.status)
        drawn = c.draw.click(
            self.run,
            knobs,
            self.outputs(),
            show_progress="minimal",
            show_progress_on=[s.status],
            api_visibility="private",
            concurrency_id=MODELS,
            concurrency_limit=1,
        )
        say_not_begun(drawn, s.status)
        stopped = c.stop.click(self.halt, None, [s.status], cancels=[drawn], **quick)
        # what was on its way when the job was cancelled may have come last: it is said once more
        stopped.then(self.halt, None, [s.status], **quick)
        c.mode.change(self.switch, [c.mode], [*c.shape.values(), c.frames, c.draw], **quick)
        c.visual.change(lambda on: gr.update(visible=on), [c.visual], [c.visual_strength], **quick)
        c.drawn.click(self.add_point, [c.path], [c.path, c.drawn], **quick)
        c.undo.click(lambda path: _path(" ".join(path.split()[:-1])), [c.path], [c.path, c.drawn], **quick)
        c.clear.click(lambda: _path(""), None, [c.path, c.drawn], **quick)
        c.path.blur(lambda path: _path(path)[1], [c.path], [c.drawn], **{**quick, "queue": True})  # a refusal is shown
        s.sheet.select(self.pick_at, None, [s.cell], **quick)
        s.cell.change(self.pick, [s.cell], [s.picture, s.words, s.open], **quick)

    def open_into(self, create: CreateTab, references: ReferencesPanel, tabs: gr.Tabs) -> None:
        """Let "Open in Create" put the picture's settings into the Create tab and go there."""
        c = create.controls
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

        @friendly
        def settings(index: int | None, request: gr.Request) -> Updates:
            """The words and numbers that draw a picture of the sheet again."""
            found = self.cell(index, request)
            if found is None or (at := found[0].request.affect) is None:
                raise UserError("Choose a picture of the sheet first.")
            asked = found[0].request
            return {
                c.prompt: asked.prompt,
                c.valence: at.valence,
                c.arousal: at.arousal,
                c.strength: asked.strength,
                c.seed: asked.seed,
                tabs: gr.Tabs(selected="create"),
                **references.settings_of(asked.visual),
            }

        self.settings = settings
        there = [c.prompt, c.valence, c.arousal, c.strength, c.seed, tabs, *references.knobs]
        opened = self.output.open.click(settings, [self.output.cell], there, **quick)
        opened.success(create.follow, [c.valence, c.arousal], [c.pad], **quick)
        opened.success(references.found, references.asked, [references.cards], **quick)

    def halt(self, request: gr.Request) -> str:
        """Stop the sweep within one denoising step."""
        self.visits.of(request).cancel.set()
        return html.progress("Stopped.", busy=False)

    def switch(self, mode: str) -> list[Any]:
        """Show the fields of a mode."""
        groups = [gr.update(visible=name == mode) for name in self.controls.shape]
        return [*groups, gr.update(visible=mode != SHEET), f"Draw the {mode.lower()}"]

    def add_point(self, path: str, event: gr.EventData) -> tuple[str, str]:
        """A press on the plane: one waypoint more."""
        try:
            point = ",".join(f"{round(float(x), 2) + 0.0:.2f}" for x in (event.valence, event.arousal))  # no -0.00
        except (AttributeError, TypeError, ValueError):
            return _path(path)
        return _path(f"{path} {point}".strip())

    @friendly_stream
    def run(self, data: dict[Any, Any], request: gr.Request) -> Iterator[Updates]:
        """Draw with progress, then show the sheet with its figures."""
        c, s, visit = self.controls, self.output, self.visits.of(request)
        mode = data[c.mode]
        if mode not in MODES:
            raise UserError(f"Unknown mode; known are {', '.join(MODES)}.")
        if mode == PATH and not (data[c.path] or "").strip():
            raise UserError("Press two or more points on the plane, or type them, to draw a path.")
        path = data[c.path] if mode == PATH else None
        blend = f"{data[c.first]},{data[c.second]},{data[c.share]}" if mode == BLEND else None
        grid, frames = int(data[c.grid] or 0), int(data[c.frames] or 0)
        if mode == SHEET and not 2 <= grid <= layout.MAX_GRID:
            raise UserError(f"The grid must be a whole number from 2 to {layout.MAX_GRID}.")
        words = checked_words(data[c.prompt])
        rows = plan(grid, path, blend, min(frames, layout.MAX_FRAMES))
        visual = VisualPrompt(float(data[c.visual_strength])) if data[c.visual] else None
        form = format_of(data[c.animation]) if data[c.animation] else None
        yield {s.status: html.progress("Starting …" if self.models.peek() else "Loading the models …")}
        generator, judge = self.models.get()
        if visual is not None and getattr(generator, "visual", None) is None:
            raise UserError(SWITCH_OFF)
        try:
            with self.models.lock, visit.work() as cancel:
                order = SweepOrder(words, rows, int(data[c.seed] or 0), float(data[c.strength]), visual=visual)
                for event in run_sweep(generator, judge, order, cancel=cancel):
                    if isinstance(event, Sweep):
                        visit.save(event)
                        visit.runs += 1
                        shown = ShownSweep(event, write_sweep(event, visit.files(), form, metadata=not visit.plain))
                        self._shown[visit] = shown
                        yield self._present(shown)
                    else:
                        part = event.done / event.total
                        yield {s.status: html.progress(f"Drawing {event.total} pictures: {part:.0%}", part)}
        except Cancelled:
            yield {s.status: html.progress("Stopped.", busy=False)}

    def _present(self, shown: ShownSweep) -> Updates:
        s, files = self.output, shown.files
        names = [_cell_label(i, picture) for i, picture in enumerate(shown.sweep.cells())]
        folder = files.sheet.parent
        archive = shutil.make_archive(str(folder.with_name(f"{folder.name}-sweep")), "zip", folder)
        clip = files.animation
        return {
            s.sheet: str(files.sheet),
            s.status: html.progress("Done. Press a picture to look closer.", busy=False),
            s.figures: layout.figure_table(shown.sweep.figures),
            s.moving: "" if clip is None else _inline(clip),
            s.cell: gr.update(choices=[(name, i) for i, name in enumerate(names)], value=0),
            s.picture: str(files.cells[0]),
            s.words: html.reading(shown.sweep.readings[0], shown.sweep.cells()[0].request.affect),
            s.open: gr.update(interactive=True),
            s.files: gr.update(value=archive, interactive=True),
            s.clip: gr.update(value=None if clip is None else str(clip), interactive=clip is not None),
        }

    def outputs(self) -> list[Any]:
        """All components that a sweep changes."""
        s = self.output
        return [s.sheet, s.status, s.figures, s.moving, s.cell, s.picture, s.words, s.open, s.files, s.clip]

    @friendly
    def again(self, request: gr.Request) -> Updates:
        """The last sweep's files written anew, as the visitor wants them now (the switch in History)."""
        visit, shown = self.visits.of(request), self.shown(request)
        if shown is None:
            return {self.output.status: gr.skip()}
        clip = shown.files.animation
        form = format_of(clip.suffix.removeprefix(".")) if clip else None
        files = write_sweep(shown.sweep, visit.fresh(), form, metadata=not visit.plain)
        self._shown[visit] = ShownSweep(shown.sweep, files)
        return self._present(self._shown[visit])

    def shown(self, request: gr.Request) -> ShownSweep | None:
        """The visitor's last sweep."""
        return self._shown.get(self.visits.of(request))

    def cell(self, index: int | None, request: gr.Request) -> tuple[Picture, Reading | None, Path] | None:
        """One picture of the visitor's last sweep, its reading and its file."""
        shown = self.shown(request)
        if shown is None or index is None or not 0 <= int(index) < len(shown.files.cells):
            return None
        number = int(index)
        return shown.sweep.cells()[number], shown.sweep.readings[number], shown.files.cells[number]

    def pick_at(self, event: gr.SelectData, request: gr.Request) -> Any:
        """The picture under a press on the sheet."""
        shown = self.shown(request)
        if shown is None:
            return gr.skip()
        index = shown.sweep.board().index_at(*event.index)
        return gr.skip() if index is None or index >= len(shown.files.cells) else index

    @friendly
    def pick(self, index: int | None, request: gr.Request) -> tuple[Any, Any, Any]:
        """Show one picture with its target and its reading."""
        found = self.cell(index, request)
        if found is None:
            return None, html.notice(layout.PICK), gr.update(interactive=False)
        picture, reading, file = found
        return str(file), html.reading(reading, picture.request.affect), gr.update(interactive=True)


def _path(text: str) -> tuple[str, str]:
    """The path and its drawing; points that cannot be read yet are not drawn."""
    points = []
    for item in (text or "").replace(";", " ").split()[:100]:
        try:
            points.append(parse_path(f"{item} {item}")[0])
        except UserError:
            continue
    return text, layout.path_plane(points)


def _cell_label(index: int, picture: Picture) -> str:
    at = picture.request.affect
    where = "" if at is None else f"valence {html.signed(at.valence)}, arousal {html.signed(at.arousal)}"
    return f"{index + 1}: {where}"


def _inline(clip: Path) -> str:
    """The animation on the page; a film that is too large is only offered as a file."""
    if clip.stat().st_size > CLIP_INLINE:
        return html.notice("The animation is ready; download it below.")
    data = base64.b64encode(clip.read_bytes()).decode("ascii")
    if clip.suffix == ".mp4":
        return f'<video src="data:video/mp4;base64,{data}" autoplay loop muted playsinline style="width:100%"></video>'
    kind = clip.suffix.removeprefix(".")
    return f'<img src="data:image/{kind};base64,{data}" alt="The sweep as an animation" style="width:100%">'
