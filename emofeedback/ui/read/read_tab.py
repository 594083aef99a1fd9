"""The Read tab: any picture in, the judge's reading of it, where in it that lies, and a run that starts from it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr

from emofeedback.affect import EMOTIONS, Affect, emotion
from emofeedback.errors import UserError
from emofeedback.files.open_picture import open_picture
from emofeedback.files.run_json import candidate_name
from emofeedback.files.storage import write_whole
from emofeedback.judges.occlusion import Region, regions, sentences
from emofeedback.loop.drawing import Drawing, Progress
from emofeedback.loop.rounds import Rules
from emofeedback.loop.run import Finished, RoundDone, RoundStarted, RunOrder, rule_settings, run_loop
from emofeedback.records import MAX_SEED, Attempt, Critique, Picture, PictureRequest, Reading, Round
from emofeedback.ui.create.create_order import checked_words
from emofeedback.ui.parts import cards, html
from emofeedback.ui.parts.at_once import say_at_once, say_not_begun
from emofeedback.ui.parts.circumplex import plane
from emofeedback.ui.session import MODELS, Models, Visit, Visits, friendly, friendly_stream

SCOPE = (
    "The bundled judge was trained on illustrated scenes like those drawn here. It reads those well; on photographs, "
    "paintings and faces it guesses from light, colour and shapes. A reading is the emotion a picture expresses on the "
    "scene scale, not what somebody feels."
)
WAITING = "The reading appears here."
START = "Read a picture first; then draw it again at another mood."
Updates = dict[Any, Any]


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
        with gr.Row(elem_classes="page-columns"):
            with gr.Column(elem_classes="middle"):
                self.upload = gr.Image(
                    label="Picture to read",
                    type="filepath",
                    sources=["upload", "clipboard"],
                    height=480,
                    alt_text="The picture to read",
                    elem_id="read-upload",
                    elem_classes=["picture", "first"],
                    buttons=["fullscreen"],
                    placeholder="Drop any picture here, or paste one.",
                )
                gr.HTML(html.notice(SCOPE), elem_id="read-scope")
                self._starter()
            with gr.Column(elem_classes=["side", "board"]):
                self.plane = gr.HTML(plane(None, key="read"), elem_id="read-plane")
                self.words = gr.HTML(html.notice(WAITING), elem_id="read-words", elem_classes="judge")
                self.carries = gr.HTML(elem_id="read-carries", elem_classes="judge")
        take_files(self.upload)
        self._connect()

    def _starter(self) -> None:
        """The controls of a run that starts from the picture."""
        with gr.Accordion("Draw it again at another mood", open=False, elem_id="read-start"):
            self.prompt = gr.Textbox(
                "",
                label="What is in it",
                max_length=2000,
                elem_id="read-prompt",
                placeholder="as the judge names it, or your own words",
            )
            with gr.Row():
                self.mood = gr.Dropdown(list(EMOTIONS), value="serene", label="Toward", elem_id="read-mood")
                self.much = gr.Slider(0.1, 1, 0.6, step=0.05, label="How much is redrawn")
                self.seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED)
            with gr.Row(elem_classes="actions"):
                self.draw = gr.Button("Draw 2 rounds of 4", variant="primary", elem_id="read-draw", scale=3)
                self.stop = gr.Button("Stop", elem_id="read-stop", scale=2, min_width=70)
            self.status = gr.HTML(html.progress(START, busy=False), elem_id="read-status")
            self.gallery = gr.Gallery(
                label="Redrawn", columns=4, height="auto", format="png", elem_id="read-gallery", interactive=False
            )

    def _connect(self) -> None:
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        heavy: dict[str, Any] = {"api_visibility": "private", "concurrency_id": MODELS, "concurrency_limit": 1}
        read = gr.on(
            [self.upload.upload, self.upload.input],
            self.run,
            [self.upload],
            [self.plane, self.words, self.carries, self.prompt],
            show_progress="minimal",
            show_progress_on=[self.words],
            trigger_mode="always_last",
            **heavy,
        )
        say_at_once([self.draw.click], self.status)
        redraw = self.draw.click(
            self.redraw,
            [self.upload, self.prompt, self.mood, self.much, self.seed],
            [self.status, self.gallery],
            show_progress="minimal",
            show_progress_on=[self.status],
            **heavy,
        )
        say_not_begun(redraw, self.status)
        self.stop.click(self.halt, None, [self.status], cancels=[read, redraw], **quick)
        self.upload.clear(
            lambda: (plane(None, key="read"), html.notice(WAITING), ""),
            None,
            [self.plane, self.words, self.carries],
            cancels=[read],
            **quick,
        )

    def halt(self, request: gr.Request) -> str:
        """Stop the redrawing within one denoising step."""
        self.visits.of(request).cancel.set()
        return html.progress("Stopped.", busy=False)

    @friendly_stream
    def run(self, file: str | None, request: gr.Request) -> Iterator[Updates]:
        """The reading of an uploaded picture as drawing and as words, then what carries it and where."""
        if file is None:
            return
        image = open_picture(Path(file), name="The picture")
        visit = self.visits.of(request)
        _, judge = self.models.get()
        with self.models.lock, visit.work():
            picture = _uploaded(image)
            read = judge.read([picture])[0]
            yield {
                self.plane: plane(None, chosen=read, key="read"),
                self.words: html.reading(read) + (html.seen(read.seen) if read else ""),
                self.carries: "",
            }
            if read is None:
                return
            named = seen_words(read)
            # asked how to get to the opposite mood, the judge names what makes this one
            opposite = Affect(-read.affect.valence, -read.affect.arousal)
            critique = judge.advise([Attempt(named, picture, read)], opposite)
            yield {self.carries: carriers(critique) + where(regions(judge, image, read)), self.prompt: named}

    @friendly_stream
    def redraw(
        self, file: str | None, prompt: str, mood: str, much: float, seed: int, request: gr.Request
    ) -> Iterator[Updates]:
        """A run of two rounds that starts from the uploaded picture."""
        if file is None:
            raise UserError("Drop a picture first; the run starts from it.")
        start, target = open_picture(Path(file), name="The picture"), emotion(str(mood))
        words = checked_words(prompt)
        yield {self.status: html.progress("Starting …")}
        visit, number = self.visits.of(request), 1
        generator, judge = self.models.get()
        with self.models.lock, visit.work() as cancel:
            visit.runs += 1
            drawing, rules = Drawing(4, int(seed or 0), start=start, start_strength=float(much)), Rules(rounds=2)
            order = RunOrder(words, target, drawing, rules)
            self._redrawn[visit] = redrawn = Redrawn(rule_settings(drawing, rules))
            for event in run_loop(generator, judge, order, cancel=cancel):
                match event:
                    case RoundStarted():
                        number = event.number
                    case Progress():
                        part = event.step / max(1, event.steps)
                        yield {self.status: html.progress(f"Round {number} of 2: drawing", part)}
                    case RoundDone(done):
                        redrawn.rounds.append(done)
                        yield {self.gallery: self._pictures(visit, visit.files())}
                    case Finished(run):
                        visit.save(run)
                        best = run.best()
                        far = None if best is None else best.distance
                        away = "" if far is None else f" The best lies {far:.2f} from {mood}."
                        yield {self.status: html.progress(f"Done.{away}", busy=False)}

    def _pictures(self, visit: Visit, folder: Path) -> list[tuple[str, str]]:
        """The redrawn pictures as files with captions."""
        shown = []
        redrawn = self._redrawn[visit]
        for done in redrawn.rounds:
            pictures = visit.large.of_round(done.candidates)
            for index, (item, picture) in enumerate(zip(done.candidates, pictures, strict=True)):
                path = folder / candidate_name(done.number, index)
                write_whole(path, visit.png(picture, item.reading, redrawn.settings))
                shown.append((str(path), cards.caption(item)))
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


def carriers(critique: Critique | None) -> str:
    """What carries the emotion, as the judge names it; empty when it names nothing."""
    items = "".join(f"<li>{html.text(word)}</li>" for word in critique.carries) if critique else ""
    return f'<h4>What carries the emotion</h4><ul class="carries">{items}</ul>' if items else ""


def where(parts: list[Region]) -> str:
    """Where in the picture the emotion lies, in words."""
    told = sentences(parts)
    items = "".join(f"<li>{html.text(item)}</li>" for item in told)
    body = f'<ul class="carries">{items}</ul>' if items else '<p class="quiet">No part stands out.</p>'
    return f'<h4>Where it lies</h4>{body}<p class="quiet">What each part adds to the reading: blurred, it is gone.</p>'


def take_files(image: gr.Image) -> None:
    """Hand uploads over unopened: `open_picture` opens them, with limits, and says what is wrong with a bad one."""
    image.preprocess = lambda payload: None if payload is None else payload.path  # type: ignore[method-assign]


def read_file(models: Models, visit: Visit, file: str | None) -> Reading | None:
    """The judge's reading of a picture file.

    Raises:
        UserError: no file, or not a picture.
    """
    if file is None:
        raise UserError("Give a picture to read.")
    image = open_picture(Path(file), name="The picture")
    _, judge = models.get()
    with models.lock, visit.work():
        return judge.read([_uploaded(image)])[0]


def _uploaded(image: Any) -> Picture:
    return Picture(image, PictureRequest("", None, 0), "upload", 0.0)
