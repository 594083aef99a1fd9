"""The Continuum tab: one prompt, one seed, and a sheet, a path or a blend of moods; how evenly the picture changes."""

import base64
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr

from emofeedback.errors import Cancelled, UserError
from emofeedback.records import MAX_SEED, Picture, Reading, VisualPrompt
from emofeedback.sweep.animation import Format, format_of
from emofeedback.sweep.plane import parse_path
from emofeedback.sweep.run_sweep import Sweep, SweepFiles, SweepOrder, plan, run_sweep, write_sweep
from emofeedback.ui.create.create_layout import START_PROMPT
from emofeedback.ui.create.create_order import checked_words
from emofeedback.ui.create.create_tab import CreateTab
from emofeedback.ui.create.references_panel import SWITCH_OFF, ReferencesPanel
from emofeedback.ui.models_turn import models_turn
from emofeedback.ui.parts import html, numbers
from emofeedback.ui.parts.at_once import say_at_once, say_not_begun
from emofeedback.ui.session import HEAVY, Models, Visit, Visits, friendly, friendly_stream
from emofeedback.ui.sweep import sweep_layout as layout
from emofeedback.ui.sweep.sheet_view import evenness, sheet_of
from emofeedback.ui.sweep.sweep_layout import BLEND, MODES, PATH, SHEET
from emofeedback.ui.time_left import TimeLeft
from emofeedback.ui.waiting_line import WaitingLine, place_words

Updates = dict[Any, Any]
CLIP_INLINE = 3_000_000
"""Bytes of an animation that is shown on the page itself."""
KEPT = ("prompt", "mode", "grid", "path", "first", "second", "share", "frames", "strength", "seed", "animation")
WORK = "sweep"
"""What Stop of this tab stops."""
BUTTONS = "() => [{{__type__: 'update', interactive: {draw}}}, {{__type__: 'update', interactive: {stop}}}]"


@dataclass(frozen=True)
class ShownSweep:
    """A visitor's last sweep."""

    sweep: Sweep
    files: SweepFiles


class SweepTab:
    """Builds the tab and answers its events."""

    def __init__(self, models: Models, visits: Visits, prompt: str = START_PROMPT, tab: gr.Tab | None = None) -> None:
        self.models, self.visits, self.tab = models, visits, tab
        self._shown: WeakKeyDictionary[Visit, ShownSweep] = WeakKeyDictionary()
        self._set: WeakKeyDictionary[Visit, dict[str, Any]] = WeakKeyDictionary()  # the fields of the last sweep
        self.given = gr.State(prompt)  # the words that nobody has changed here yet
        self.seen = gr.State(False)  # whether this page has opened the tab before
        with gr.Row(elem_classes=["page-columns", "continuum"]):
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
        pressed, buttons = [c.draw.click, c.prompt.submit], [c.draw, c.stop]
        idle = BUTTONS.format(draw="true", stop="false")
        say_at_once(pressed, s.status)
        gr.on(pressed, None, None, buttons, js=BUTTONS.format(draw="false", stop="true"), **quick)
        WaitingLine().show(pressed, s.status)
        drawn = gr.on(
            pressed,
            self.run,
            knobs,
            self.outputs(),
            show_progress="hidden",
            api_visibility="private",
            **HEAVY,
        )
        say_not_begun(drawn, s.status)
        for over in (drawn.success, drawn.failure):
            over(None, None, buttons, js=idle, **quick)
        stopped = c.stop.click(self.halt, None, [s.status], cancels=[drawn], **quick)
        # what was on its way when the job was cancelled may have come last: it is said once more
        stopped.then(self.halt, None, [s.status], **quick).then(None, None, buttons, js=idle, **quick)
        modes = [*c.shape.values(), c.frames, c.draw]
        c.mode.change(self.switch, [c.mode], modes, **quick)
        c.visual.change(lambda on: gr.update(visible=on), [c.visual], [c.visual_strength], **quick)
        c.drawn.click(self.add_point, [c.path], [c.path, c.drawn], **quick)
        c.undo.click(lambda path: _path(" ".join(path.split()[:-1])), [c.path], [c.path, c.drawn], **quick)
        c.clear.click(lambda: _path(""), None, [c.path, c.drawn], **quick)
        c.path.blur(lambda path: _path(path)[1], [c.path], [c.drawn], **{**quick, "queue": True})  # a refusal is shown
        s.sheet.pick(self.pick, None, [s.cell, s.picture, s.words], **{**quick, "queue": True})

    def _fields(self) -> list[Any]:
        """What comes back after a reload, and what follows the kind of sweep."""
        c = self.controls
        return [*(getattr(c, name) for name in KEPT), c.drawn, *c.shape.values(), c.draw]

    @friendly
    def opened(self, seen: bool, theirs: str, here: str, given: str, request: gr.Request) -> Updates:
        """The tab was opened: where the page was loaded again since, the visitor's last sweep and its fields are back;
        where nobody has written other words here, those of Create are taken up."""
        c, visit = self.controls, self.visits.of(request)
        known, shown = self._set.get(visit), self._shown.get(visit)
        if not seen and known is not None:
            *groups, frames, draw = self.switch(known["mode"])
            back: Updates = {self.seen: True} | {getattr(c, name): value for name, value in known.items()}
            back |= dict(zip(c.shape.values(), groups, strict=True)) | {c.draw: draw}
            back |= {c.frames: gr.update(value=known["frames"], visible=frames["visible"])}
            back |= {c.drawn: _path(known["path"] or "")[1]}
            return back | ({} if shown is None else self._present(shown))
        return {self.seen: True} | ({c.prompt: theirs, self.given: theirs} if here == given else {})

    def open_into(self, create: CreateTab, references: ReferencesPanel, tabs: gr.Tabs) -> None:
        """Let "Open in Create" put the picture's settings into the Create tab and go there; and take up the words that
        stand in Create when this tab is opened, as long as nobody has written others here."""
        c, own = create.controls, self.controls
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        if self.tab is not None:
            asked = [self.seen, c.prompt, own.prompt, self.given]
            self.tab.select(self.opened, asked, [*self._fields(), self.seen, self.given, *self.outputs()], **quick)

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

    def take_words(self, pressed: Any, inputs: list[Any], tabs: gr.Tabs) -> None:
        """Let a button of another tab bring words and a seed here.

        Args:
            pressed: the button's listener, as `button.click`.
            inputs: the components that hold the words and, where there is one, the seed.
        """
        c = self.controls
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        there = [c.prompt, c.seed][: len(inputs)]

        def brought(words: str, seed: float | None = None) -> tuple[Any, ...]:
            fixed = int(seed) if seed is not None and seed >= 0 else gr.skip()
            return (words, fixed)[: len(inputs)] + (gr.Tabs(selected="continuum"),)

        pressed(brought, inputs, [*there, tabs], **quick)

    def take_drawing(self, pressed: Any, find: Callable[[gr.Request], Picture], tabs: gr.Tabs) -> None:
        """Let a button of another tab bring what a picture was drawn from: its words, its seed, its strength.

        Args:
            pressed: the button's listener, as `button.click`.
            find: the visitor's picture; raises UserError where there is none.
        """
        c = self.controls
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

        @friendly
        def brought(request: gr.Request) -> tuple[Any, ...]:
            asked = find(request).request
            return asked.prompt, asked.seed, min(2.0, asked.strength), gr.Tabs(selected="continuum")

        pressed(brought, None, [c.prompt, c.seed, c.strength, tabs], **quick)

    def halt(self, request: gr.Request) -> str:
        """Stop the sweep within one denoising step."""
        self.visits.of(request).stop(WORK)
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
        self._set[visit] = {name: data[getattr(c, name)] for name in KEPT}
        if mode == PATH and not (data[c.path] or "").strip():
            raise UserError("Press two or more points on the plane, or type them, to draw a path.")
        path = data[c.path] if mode == PATH else None
        blend = f"{data[c.first]},{data[c.second]},{data[c.share]}" if mode == BLEND else None
        grid = numbers.whole(data[c.grid], "Grid", 2, layout.MAX_GRID)
        frames = numbers.whole(data[c.frames], "How many pictures", 2, layout.MAX_FRAMES)
        seed = numbers.whole(data[c.seed], "The seed", 0, MAX_SEED)
        strength = numbers.number(data[c.strength], "How strongly the mood shows", 0, 2)
        words = checked_words(data[c.prompt])
        rows = plan(grid, path, blend, frames)
        visual = VisualPrompt(float(data[c.visual_strength])) if data[c.visual] else None
        form = format_of(data[c.animation]) if data[c.animation] else None
        yield {s.status: html.progress("Starting …" if self.models.peek() else "Loading the models …")}
        try:
            with models_turn(self.models, visit, WORK) as turn:
                for place in turn.wait():
                    yield {s.status: html.progress(place_words(place))}
                generator, judge = self.models.get()
                if visual is not None and getattr(generator, "visual", None) is None:
                    raise UserError(SWITCH_OFF)
                left = TimeLeft()
                order = SweepOrder(words, rows, seed, strength, visual=visual)
                for event in turn.over(run_sweep(generator, judge, order, cancel=turn.cancel)):
                    if isinstance(event, Sweep):
                        visit.save(event)
                        visit.runs += 1
                        shown = ShownSweep(event, self._written(event, visit, visit.files(), form))
                        self._shown[visit] = shown
                        yield self._present(shown)
                    else:
                        part = event.done / event.total
                        told = f"Drawing {event.total} pictures{left.words(part)}"
                        yield {s.status: html.progress(told, part)}
        except Cancelled:
            yield {s.status: html.progress("Stopped.", busy=False)}

    @staticmethod
    def _written(sweep: Sweep, visit: Visit, folder: Path, form: Format | None) -> SweepFiles:
        """A sweep's files as the visitor wants them."""
        return write_sweep(sweep, folder, form, metadata=not visit.plain, large=visit.large, telling=True)

    def _present(self, shown: ShownSweep) -> Updates:
        s, files = self.output, shown.files
        folder = files.sheet.parent
        archive = shutil.make_archive(str(folder.with_name(f"{folder.name}-{files.sheet.stem}")), "zip", folder)
        clip = files.animation
        return {
            s.sheet: sheet_of(shown.sweep),
            s.status: html.progress("Done. Press a picture to look closer, or go with the arrow keys.", busy=False),
            s.figures: evenness(shown.sweep.figures),
            s.moving: "" if clip is None else _inline(clip),
            s.cell: 0,
            s.picture: str(files.cells[0]),
            s.words: html.reading(shown.sweep.readings[0], shown.sweep.cells()[0].request.affect),
            s.files: gr.update(value=archive),
            s.whole: gr.update(value=str(files.sheet)),
            s.clip: gr.update(value=None if clip is None else str(clip), visible=clip is not None),
            s.empty: gr.update(visible=False),
            s.made: gr.update(visible=True),
        }

    def outputs(self) -> list[Any]:
        """All components that a sweep changes."""
        s = self.output
        return [
            s.sheet,
            s.status,
            s.figures,
            s.moving,
            s.cell,
            s.picture,
            s.words,
            s.files,
            s.whole,
            s.clip,
            s.empty,
            s.made,
        ]

    @friendly
    def again(self, request: gr.Request) -> Updates:
        """The last sweep's files written anew, as the visitor wants them now (the switch in History)."""
        visit, shown = self.visits.of(request), self.shown(request)
        if shown is None:
            return {self.output.status: gr.skip()}
        clip = shown.files.animation
        form = format_of(clip.suffix.removeprefix(".")) if clip else None
        files = self._written(shown.sweep, visit, visit.fresh(), form)
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

    @friendly
    def file_of(self, index: int | None, request: gr.Request) -> str:
        """The file of the picture that is shown, for another tab to take."""
        found = self.cell(index, request)
        if found is None:
            raise UserError("Choose a picture of the sheet first.")
        return str(found[2])

    @friendly
    def pick(self, event: gr.EventData, request: gr.Request) -> tuple[Any, Any, Any]:
        """Show the picture that was pressed, with its target and its reading."""
        try:
            index = int(event.index)
        except (AttributeError, TypeError, ValueError):
            index = -1
        found = self.cell(index, request)
        if found is None:
            raise UserError("This sheet is not there any more; draw it again.")
        picture, reading, file = found
        return index, str(file), html.reading(reading, picture.request.affect)


def _path(text: str) -> tuple[str, str]:
    """The path and its drawing; points that cannot be read yet are not drawn."""
    points = []
    for item in (text or "").replace(";", " ").split()[:100]:
        try:
            points.append(parse_path(f"{item} {item}")[0])
        except UserError:
            continue
    return text, layout.path_plane(points)


def _inline(clip: Path) -> str:
    """The animation on the page; a film that is too large is only offered as a file."""
    if clip.stat().st_size > CLIP_INLINE:
        return html.notice("The animation is ready; download it below.")
    data = base64.b64encode(clip.read_bytes()).decode("ascii")
    if clip.suffix == ".mp4":
        return f'<video src="data:video/mp4;base64,{data}" autoplay loop muted playsinline style="width:100%"></video>'
    kind = clip.suffix.removeprefix(".")
    return f'<img src="data:image/{kind};base64,{data}" alt="The sweep as an animation" style="width:100%">'
