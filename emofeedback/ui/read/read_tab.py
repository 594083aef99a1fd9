"""The Read tab: any picture in, the judge's reading of it, where in it that lies, and a run that starts from it."""

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import gradio as gr

from emofeedback.affect import EMOTIONS, Affect, emotion, mood_name
from emofeedback.errors import UserError
from emofeedback.files.open_picture import open_picture
from emofeedback.files.picture_names import picture_names
from emofeedback.files.png_settings import read_settings
from emofeedback.files.storage import write_whole
from emofeedback.judges.occlusion import Region, regions, sentences
from emofeedback.loop.drawing import Drawing, Progress
from emofeedback.loop.rounds import TOLERANCE, Rules
from emofeedback.loop.run import Finished, RoundDone, RoundStarted, RunOrder, rule_settings, run_loop
from emofeedback.records import MAX_SEED, Attempt, Critique, Picture, PictureRequest, Reading, Round, Run
from emofeedback.ui.adapters import adapter_line
from emofeedback.ui.create.create_order import checked_words
from emofeedback.ui.create.restore import Restore
from emofeedback.ui.models_turn import models_turn
from emofeedback.ui.parts import cards, html, numbers
from emofeedback.ui.parts.at_once import say_at_once, say_not_begun
from emofeedback.ui.parts.circumplex import plane
from emofeedback.ui.session import HEAVY, Models, Visit, Visits, friendly, friendly_stream
from emofeedback.ui.time_left import TimeLeft
from emofeedback.ui.waiting_line import WaitingLine, place_words

SCOPE = (
    "The bundled judge knows illustrated scenes like those drawn here; on photographs, paintings and faces it guesses "
    "from light, colour and shapes. It reads what a picture expresses, not what somebody feels."
)
WAITING = "What the judge reads in your picture appears here."
LOOKING = "The judge is looking …"
START = "It starts from your picture; the more is redrawn, the more its mood can change."
BUTTONS = "() => [{{__type__: 'update', interactive: {draw}}}, {{__type__: 'update', interactive: {stop}}}]"
ROUNDS = 2
REDRAW = "redraw"
"""What Stop of this tab stops."""
Updates = dict[Any, Any]
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Redrawn:
    """The rounds that were drawn from an uploaded picture, and what their pictures tell of the run's rules."""

    settings: Mapping[str, object]
    rounds: list[Round] = field(default_factory=list)


class ReadTab:
    """Builds the tab and answers its events."""

    def __init__(self, models: Models, visits: Visits) -> None:
        self.models, self.visits = models, visits
        self._redrawn: WeakKeyDictionary[Visit, Redrawn] = WeakKeyDictionary()
        self.found = gr.State(None)  # the settings inside the picture, as Restore takes them
        with gr.Row(elem_classes=["page-columns", "reading"]):
            with gr.Column(elem_classes="middle"):
                self.upload = gr.Image(
                    label="Picture to read",
                    show_label=False,
                    type="filepath",
                    sources=["upload", "clipboard"],
                    height=480,
                    alt_text="The picture to read",
                    elem_id="read-upload",
                    elem_classes=["picture", "first"],
                    buttons=["fullscreen"],
                    placeholder="Drop any picture here, or paste one.\nA PNG of this studio also shows its settings.",
                )
                gr.HTML(f'<p class="quiet">{html.text(SCOPE)}</p>', elem_id="read-scope")
                self._inside()
                self._starter()
            with gr.Column(elem_classes=["side", "board"]):
                self.words = gr.HTML(html.notice(WAITING), elem_id="read-words", elem_classes="judge")
                self.plane = gr.HTML(plane(None, key="read"), elem_id="read-plane")
                self.carries = gr.HTML(elem_id="read-carries", elem_classes="judge")
                with gr.Row(visible=False, elem_classes="actions", elem_id="read-send") as self.send:
                    self.to_create = gr.Button("Draw one like it in Create", elem_id="read-to-create", size="md")
                    self.to_continuum = gr.Button("See it at every mood", elem_id="read-to-continuum", size="md")
                self.read_as = gr.State(None)  # words and mood of the reading, as Restore takes them
        take_files(self.upload)
        self._connect()

    def _inside(self) -> None:
        """What a PNG says of its making; hidden until there is one."""
        with gr.Column(visible=False, elem_classes=["board", "restore"], elem_id="read-settings") as self.inside:
            self.table = gr.HTML()
            with gr.Row(elem_classes="actions"):
                self.use = gr.Button("Use these settings in Create", elem_id="read-use", min_width=160)

    def _starter(self) -> None:
        """The controls of a run that starts from the picture; hidden until one was read."""
        with gr.Accordion(
            "Draw it again at another mood", open=False, visible=False, elem_id="read-start"
        ) as self.starter:
            self.prompt = gr.Textbox(
                "",
                label="What is in it",
                max_length=2000,
                elem_id="read-prompt",
                placeholder="as the judge names it, or your own words",
            )
            with gr.Row():
                self.mood = gr.Dropdown(list(EMOTIONS), value="serene", label="Toward", elem_id="read-mood")
                self.much = gr.Slider(0.1, 1, 0.6, step=0.05, label="How much is redrawn", buttons=[])
                self.seed = gr.Number(
                    0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED, elem_id="read-seed", min_width=90
                )
            with gr.Row(elem_classes="actions"):
                self.draw = gr.Button("Draw 2 rounds of 4", variant="primary", elem_id="read-draw", scale=3)
                self.stop = gr.Button("Stop", elem_id="read-stop", interactive=False, scale=2, min_width=70)
            self.adapter = adapter_line("read-adapter")
            self.status = gr.HTML(html.progress(START, busy=False), elem_id="read-status")
            self.gallery = gr.Gallery(
                label="Redrawn",
                show_label=False,
                columns=4,
                height="auto",
                format="png",
                elem_id="read-gallery",
                interactive=False,
                object_fit="cover",
                buttons=["download", "fullscreen"],
                visible=False,
            )

    def _connect(self) -> None:
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        heavy: dict[str, Any] = {
            "api_visibility": "private",
            **HEAVY,
            "show_progress": "hidden",
        }
        line = WaitingLine()
        came = [self.upload.upload, self.upload.input]
        gr.on(came, None, None, [self.words], js=f"() => {json.dumps(html.progress(LOOKING))}", **quick)
        gr.on(came, self.look_inside, [self.upload], [self.inside, self.table, self.found], **quick)
        line.show(came, self.words)
        read = gr.on(came, self.run, [self.upload], self.outputs(), trigger_mode="always_last", **heavy)
        self._not_read(read)
        buttons, idle = [self.draw, self.stop], BUTTONS.format(draw="true", stop="false")
        say_at_once([self.draw.click], self.status)
        self.draw.click(None, None, buttons, js=BUTTONS.format(draw="false", stop="true"), **quick)
        line.show([self.draw.click], self.status)
        redraw = self.draw.click(
            self.redraw,
            [self.upload, self.prompt, self.mood, self.much, self.seed],
            [self.status, self.gallery],
            **heavy,
        )
        say_not_begun(redraw, self.status)
        for over in (redraw.success, redraw.failure):
            over(None, None, buttons, js=idle, **quick)
        stopped = self.stop.click(self.halt, None, [self.status], cancels=[redraw], **quick)
        stopped.then(self.halt, None, [self.status], **quick).then(None, None, buttons, js=idle, **quick)
        gone = (plane(None, key="read"), html.notice(WAITING), "", *[gr.update(visible=False)] * 3, None, None)
        self.upload.clear(
            lambda: gone,
            None,
            [
                self.plane,
                self.words,
                self.carries,
                self.send,
                self.starter,
                self.inside,
                self.found,
                self.read_as,
            ],
            cancels=[read],
            **quick,
        )

    def outputs(self) -> list[Any]:
        """All components that a reading changes."""
        return [self.plane, self.words, self.carries, self.prompt, self.send, self.starter, self.read_as]

    def _not_read(self, read: Any) -> None:
        """Where a picture could not be read: take back that the judge looks."""
        said = f"(now) => (now || '').includes('progress busy') ? {json.dumps(html.notice(WAITING))} : now"
        read.failure(
            None, [self.words], [self.words], js=said, queue=False, show_progress="hidden", api_visibility="private"
        )

    def send_on(self, restore: Restore, take_words: Callable[[Any, list[Any]], None]) -> None:
        """Connect what leads to other tabs, once they are built.

        Args:
            restore: puts settings into Create.
            take_words: `SweepTab.take_words` with the page's tabs.
        """
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        restore.at_once(self.use.click(lambda found: found, [self.found], [restore.offer], **quick))
        restore.at_once(
            self.to_create.click(
                lambda read, words: read and {**read, "prompt": words or ""},
                [self.read_as, self.prompt],
                [restore.offer],
                **quick,
            )
        )
        take_words(self.to_continuum.click, [self.prompt])

    def take_picture(self, pressed: Any, give: Callable[..., Any], inputs: list[Any], tabs: gr.Tabs) -> None:
        """Let a button of another tab bring a picture here, where it is read at once.

        Args:
            pressed: the button's listener, as `button.click`.
            give: answers with the picture's file; gets `inputs`.
        """
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        brought = pressed(give, inputs, [self.upload], **{**quick, "queue": True})
        brought.success(lambda: gr.Tabs(selected="read"), None, [tabs], **quick)
        brought.success(None, None, [self.words], js=f"() => {json.dumps(html.progress(LOOKING))}", **quick)
        brought.success(self.look_inside, [self.upload], [self.inside, self.table, self.found], **quick)
        read = brought.success(
            self.run,
            [self.upload],
            self.outputs(),
            show_progress="hidden",
            api_visibility="private",
            **HEAVY,
        )
        self._not_read(read)

    def look_inside(self, file: str | None) -> tuple[Any, str, Any]:
        """What a PNG says of its making; nothing where it says nothing."""
        try:
            found = None if file is None else read_settings(Path(file), name="The picture").known()
        except UserError:
            found = None
        if not found:
            return gr.update(visible=False), "", None
        told = settings_table(found)
        return gr.update(visible=True), told, {name: value for name, value in found.items() if name != "others"}

    def halt(self, request: gr.Request) -> str:
        """Stop the redrawing within one denoising step."""
        self.visits.of(request).stop(REDRAW)
        return html.progress("Stopped.", busy=False)

    @friendly_stream
    def run(self, file: str | None, request: gr.Request) -> Iterator[Updates]:
        """The reading of an uploaded picture as drawing and as words, then what carries it and where."""
        if file is None:
            yield {self.words: html.notice(WAITING)}
            return
        image = open_picture(Path(file), name="The picture")
        visit, alive = self.visits.of(request), {self.words: gr.skip()}
        with models_turn(self.models, visit, "read") as turn:
            for place in turn.wait():
                yield {self.words: html.progress(place_words(place))}
            yield {self.words: html.progress(LOOKING)}
            _, judge = self.models.get()
            picture = _uploaded(image)
            [read] = yield from turn.ask(judge, partial(judge.read, [picture]), alive)
            yield {
                self.plane: plane(None, chosen=read, key="read"),
                self.words: html.reading(read) + (html.seen(read.seen) if read else ""),
                self.carries: "",
            }
            if read is None:
                yield {self.send: gr.update(visible=False), self.starter: gr.update(visible=False)}
                return
            named = seen_words(read)
            at = {"valence": round(read.affect.valence, 2), "arousal": round(read.affect.arousal, 2)}
            yield {
                self.prompt: named,
                self.send: gr.update(visible=True),
                self.starter: gr.update(visible=True),
                self.read_as: at,
            }
            # asked how to get to the opposite mood, the judge names what makes this one
            opposite = Affect(-read.affect.valence, -read.affect.arousal)
            advice = partial(judge.advise, [Attempt(named, picture, read)], opposite)
            critique = yield from turn.ask(judge, advice, alive)
            parts = yield from turn.ask(judge, partial(regions, judge, image, read), alive)
            yield {self.carries: carriers(critique) + where(parts)}

    @friendly_stream
    def redraw(
        self, file: str | None, prompt: str, mood: str, much: float, seed: int, request: gr.Request
    ) -> Iterator[Updates]:
        """A run of two rounds that starts from the uploaded picture."""
        if file is None:
            raise UserError("Drop a picture first; the run starts from it.")
        start, target = open_picture(Path(file), name="The picture"), emotion(str(mood))
        words = checked_words(prompt)
        share = numbers.number(much, "How much is redrawn", 0.1, 1)
        chosen = numbers.whole(seed, "The seed", 0, MAX_SEED)
        yield {self.status: html.progress("Starting …")}
        visit, number = self.visits.of(request), 1
        with models_turn(self.models, visit, REDRAW) as turn:
            for place in turn.wait():
                yield {self.status: html.progress(place_words(place))}
            generator, judge = self.models.get()
            visit.runs += 1
            left = TimeLeft()
            drawing, rules = Drawing(4, chosen, start=start, start_strength=share), Rules(rounds=ROUNDS)
            order = RunOrder(words, target, drawing, rules)
            self._redrawn[visit] = redrawn = Redrawn(rule_settings(drawing, rules))
            for event in turn.over(run_loop(generator, judge, order, cancel=turn.cancel)):
                match event:
                    case RoundStarted():
                        number = event.number
                    case Progress():
                        part = (number - 1 + event.step / max(1, event.steps)) / ROUNDS
                        told = f"Drawing round {number} of {ROUNDS}{left.words(part)}"
                        yield {self.status: html.progress(told, part)}
                    case RoundDone(done):
                        redrawn.rounds.append(done)
                        yield {self.gallery: gr.update(value=self._pictures(visit, visit.files()), visible=True)}
                    case Finished(run):
                        visit.save(run)
                        yield {self.status: html.progress(f"Done. {nearest(run, str(mood))}".strip(), busy=False)}

    def _pictures(self, visit: Visit, folder: Path) -> list[tuple[str, str]]:
        """The redrawn pictures as files with captions."""
        shown = []
        redrawn = self._redrawn[visit]
        items = [item for done in redrawn.rounds for item in done.candidates]
        pictures = [picture for done in redrawn.rounds for picture in visit.large.of_round(done.candidates)]
        names = picture_names(item.picture.request for item in items)
        for item, picture, name in zip(items, pictures, names, strict=True):
            write_whole(folder / name, visit.png(picture, item.reading, redrawn.settings))
            shown.append((str(folder / name), cards.caption(item)))
        return shown

    @friendly
    def again(self, request: gr.Request) -> Any:
        """The redrawn pictures' files written anew, as the visitor wants them now (the switch in History)."""
        visit = self.visits.of(request)
        if visit not in self._redrawn:
            return gr.skip()
        return self._pictures(visit, visit.fresh())


def seen_words(read: Reading) -> str:
    """A prompt from what the judge names: subject and place."""
    named = {item.aspect: item.word for item in read.seen}
    subject, place = named.get("subject", ""), named.get("place", "")
    if subject and place and subject != place:
        return f"{subject}, {place}"
    return subject or place


def nearest(run: Run, mood: str) -> str:
    """How near the best of a run comes, in words."""
    best = run.best()
    if best is None or best.reading is None:
        return ""
    reads = mood_name(best.reading.affect)
    if best.distance is not None and best.distance <= TOLERANCE:
        return f"The nearest is on target: it reads as {reads}."
    same = reads == mood_name(run.target)
    found = f"reads as {reads}, but not as much as asked" if same else f"reads as {reads}; you asked for {mood}"
    return f"The nearest {found}. Redraw more of it to come closer."


LABELS = {
    "prompt": "Words",
    "negative_prompt": "Without",
    "mood": "Mood",
    "strength": "How strongly",
    "seed": "Seed",
    "size": "Size",
    "steps": "Steps",
    "guidance": "Guidance",
    "candidates": "Pictures a round",
    "rounds": "Rounds",
    "model": "Drawn by",
}


def settings_table(found: Mapping[str, Any]) -> str:
    """The settings of a PNG as rows that a person understands; what other programs wrote besides is below."""
    told = dict(found)
    if found.get("valence") is not None:
        at = Affect.clamped(found["valence"], found["arousal"])
        told["mood"] = f"{mood_name(at)} (pleasant {html.signed(at.valence)}, energy {html.signed(at.arousal)})"
    rows = "".join(
        f'<tr><th scope="row">{label}</th><td>{_value(told[name])}</td></tr>'
        for name, label in LABELS.items()
        if told.get(name) is not None and (told[name] != "" or name == "prompt")
    )
    others = "; ".join(f"{html.text(name)} {html.text(value)}" for name, value in found.get("others", ()))
    rest = f'<p class="quiet">It also says: {others[:600]}.</p>' if others else ""
    return f"<h4>This picture carries its settings</h4><table class='changes'><tbody>{rows}</tbody></table>{rest}"


def _value(value: Any) -> str:
    words = f"{value:g}" if isinstance(value, float) else str(value)
    return html.text(words[:300] + ("…" if len(words) > 300 else "")) or "<em>none: mood alone</em>"


def carriers(critique: Critique | None) -> str:
    """What carries the emotion, as the judge names it; empty when it names nothing."""
    items = "".join(f"<li>{html.text(word)}</li>" for word in critique.carries) if critique else ""
    return f'<h4>What carries the emotion</h4><ul class="carries">{items}</ul>' if items else ""


def where(parts: list[Region]) -> str:
    """Where in the picture the emotion lies, in words."""
    told = sentences(parts)
    items = "".join(f"<li>{html.text(item)}</li>" for item in told)
    hint = "What each part adds to the reading: where it is blurred, this is gone."
    body = f'<ul class="carries">{items}</ul>' if items else '<p class="quiet">No part stands out.</p>'
    return f'<h4 title="{hint}">Where it lies</h4>{body}'


def take_files(image: gr.Image) -> None:
    """Hand uploads over unopened: `open_picture` opens them, with limits, and says what is wrong with a bad one."""
    image.preprocess = lambda payload: None if payload is None else payload.path  # type: ignore[method-assign]


def read_file(
    models: Models, visit: Visit, file: str | None, sign: Callable[[str], S]
) -> Generator[S, None, Reading | None]:
    """The judge's reading of a picture file is returned; yields signs of life until then.

    Args:
        sign: made of what is going on, "waiting" or "reading".

    Raises:
        UserError: no file, or not a picture.
    """
    if file is None:
        raise UserError("Give a picture to read.")
    image = open_picture(Path(file), name="The picture")
    with models_turn(models, visit, "read") as turn:
        for _ in turn.wait():
            yield sign("waiting")
        _, judge = models.get()
        [read] = yield from turn.ask(judge, partial(judge.read, [_uploaded(image)]), sign("reading"))
        return read


def _uploaded(image: Any) -> Picture:
    return Picture(image, PictureRequest("", None, 0), "upload", 0.0)
