"""What the Create tab shows while a run goes on: events in, updates of components out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from emofeedback.files.large_pictures import LargePictures
from emofeedback.files.run_json import candidate_name
from emofeedback.loop.rounds import TOLERANCE, reached
from emofeedback.loop.run import Advised, Chosen, Drawn, Event, Finished, Progress, ReadDone, RoundDone, RoundStarted
from emofeedback.records import Round
from emofeedback.ui.create import create_layout as layout
from emofeedback.ui.create.create_state import CreateState, ShownRun
from emofeedback.ui.parts import cards, html
from emofeedback.ui.parts.pad import overlay
from emofeedback.ui.upscaling import picture_file

Updates = dict[Any, Any]
"""Component -> its new value or `gr.update`; components not named stay as they are."""

STOPPED = {
    "tolerance": "the target is reached",
    "no_gain": "the last round came no closer",
    "rounds": "all rounds are done",
    "no_edits": "the judge would change no word",
    "unreadable": "the judge could not read the pictures",
    "advice_unreadable": "the judge's advice could not be read",
    "cancelled": "stopped by you",
    "failed": "a model failed",
}


class RunView:
    """Turns the events of a run into what changes on the page."""

    def __init__(self, controls: layout.CreateControls, output: layout.CreateOutput, judge: layout.JudgeSide) -> None:
        self.controls, self.output, self.judge = controls, output, judge

    def outputs(self) -> list[Any]:
        """All components that any update here may name."""
        s, j = self.output, self.judge
        return [*layout.everything(s, j), self.controls.marks, self.controls.seed]

    def idle(self, sentence: str, state: CreateState) -> Updates:
        """Nothing runs: what the status says, which buttons can be pressed, and the last file to download."""
        return {
            self.output.status: html.progress(sentence, busy=False),
            self.output.download: layout.download_of(state.file, state.plain),
            self.judge.run: gr.update(interactive=True),
            self.judge.next_round: gr.update(interactive=True),
            self.judge.again: gr.update(interactive=True),
            self.judge.stop: gr.update(interactive=False),
        }

    def busy(self, loading: bool, waits: bool = False) -> Updates:
        """Something begins to run, or waits for others to be done; the file of what was made before is out of reach."""
        sentence = "Loading the models …" if loading else "Waiting for your turn …" if waits else "Starting …"
        return {
            self.output.status: html.progress(sentence),
            self.output.download: gr.update(value=None, interactive=False),
            self.judge.run: gr.update(interactive=False),
            self.judge.next_round: gr.update(interactive=False),
            self.judge.again: gr.update(interactive=False),
            self.judge.stop: gr.update(interactive=True),
        }

    def clear(self, state: CreateState) -> Updates:
        """The page before a run's first round."""
        return {
            self.output.strip: strip_of(state),
            self.controls.marks: overlay(""),
            self.judge.words: html.notice("The judge waits for the first pictures."),
            self.judge.note: layout.note("The judge's edits follow its reading."),
            self.judge.edits: "",
            self.judge.next_prompt: "",
            self.judge.difference: "",
        }

    def show(self, event: Event, state: CreateState, run: ShownRun, rounds: int) -> Iterator[Updates]:
        """What an event changes on the page."""
        s, j, number = self.output, self.judge, len(run.past.rounds) + 1
        where = f"Round {number} of {rounds}" if rounds > 1 else f"Round {number}"
        match event:
            case RoundStarted():
                yield {s.status: html.progress(f"{where}: drawing", 0.0)}
            case Progress():
                label = f"{where}: drawing, step {event.step} of {event.steps}"
                yield {s.status: html.progress(label, event.step / max(1, event.steps))}
            case Drawn():
                files = [
                    picture_file(c.picture, None, _sketch(run, number, i, state.plain), run.settings)
                    for i, c in enumerate(event.candidates)
                ]
                yield {
                    s.gallery: [(f, cards.caption(c)) for f, c in zip(files, event.candidates, strict=True)],
                    s.status: html.progress(f"{where}: the judge reads", 1.0),
                }
            case Chosen():
                sketch = _sketch(run, number, event.index, state.plain)
                yield {  # the judge does not wait for an upscaler that is not quick
                    s.picture: picture_file(
                        event.candidate.picture, None, sketch, run.settings, state.large, chosen=False
                    ),
                    s.status: html.progress(f"{where}: the judge writes", 1.0),
                    j.words: html.judgement(event.candidate, None, run.target),
                }
            case RoundDone():
                run.add(event.round, event.edits)
                state.shown, state.picked, state.branched = event.round.number, None, False
                yield self.present(state)
            case Finished():
                run.settled = event.run
                best = run.best_number()
                seconds = sum(r.cost.seconds for r in event.run.rounds)
                sentence = f"Done in {seconds:.1f} s: {STOPPED[event.run.stopped]}."
                if event.run.failure is not None:
                    sentence = f"Ended after round {len(event.run.rounds)}: {event.run.failure}"
                if best and best != state.shown:
                    state.shown = best
                    sentence += f" Shown: the best, of round {best}."
                    yield self.present(state)
                yield self.idle(sentence, state)
            case ReadDone() | Advised():
                pass  # shown with the choice and with the whole round, a moment later

    def present(self, state: CreateState) -> Updates:
        """The round on stage with all that belongs to it (see `page_values`)."""
        found = page_values(state)
        if not found:
            return self.clear(state)
        s, j, state.file = self.output, self.judge, found["picture"]
        left, right = found["left"], found["right"]
        return {
            s.picture: found["picture"],
            s.gallery: found["gallery"],
            s.download: layout.download_of(found["picture"], state.plain),
            s.strip: found["strip"],
            s.left: gr.update(choices=found["options"], value=left),
            s.right: gr.update(choices=found["options"], value=right),
            s.compare: found["compare"],
            self.controls.marks: found["marks"],
            j.words: found["words"],
            j.note: found["note"],
            j.edits: found["edits"],
            j.next_prompt: found["next_prompt"],
            j.difference: found["difference"],
        }


def page_values(state: CreateState) -> dict[str, Any]:
    """What the page shows of the shown round, by name of the component; empty without a round.

    Picture, candidates, its place in the strip, its reading, the comparison of the first round with the best (with
    the last where the first is the best), and the advice at hand with its edits as the person left them.
    """
    run, advice = state.run, state.advisory()
    done = run.round(state.shown) if run else None
    if run is None or done is None or advice is None:
        return {}
    rounds, files = run.past.rounds, round_files(state, run, done)
    own = done.critique if done.advised_on in (None, done.number) else None
    edits = advice.critique.edits if advice.critique else ()
    first, best = rounds[0].number, run.best_number()
    right = best if best != first else rounds[-1].number
    words = state.next_prompt()
    return {
        "picture": next(path for path, item in zip(files, done.candidates, strict=True) if item.chosen),
        "gallery": [(path, cards.caption(item)) for path, item in zip(files, done.candidates, strict=True)],
        "strip": strip_of(state),
        "marks": layout.marks_of(rounds, done),
        "words": html.judgement(done.best(), own, run.target),
        "note": layout.note(cards.advice_note(advice, reached(advice.best(), TOLERANCE))),
        "edits": cards.edit_rows(edits, state.choices(), f"{id(run)}-{advice.number}") if edits else "",
        "next_prompt": words,
        "difference": difference(state, words),
        "options": [(f"Round {r.number}", r.number) for r in rounds],
        "left": first,
        "right": right,
        "compare": compared(state, run, first, right),
    }


def difference(state: CreateState, words: str) -> str:
    """The next prompt against the one that the advice is about; empty where they are the same."""
    base = state.base()
    return html.diff(base.prompt, words) if base and words.strip() and words != base.prompt else ""


def strip_of(state: CreateState) -> str:
    """The strip of the run at hand."""
    run, titles = state.run, [item.title for item in state.runs]
    return cards.strip(run.past.rounds, run.thumbnails, state.shown, titles, state.at) if run else cards.EMPTY


def compared(state: CreateState, run: ShownRun, left: int, right: int) -> tuple[str, str] | None:
    """The chosen pictures of two rounds; None where a round does not exist."""
    rounds = run.round(left), run.round(right)
    if rounds[0] is None or rounds[1] is None:
        return None
    first, second = (
        next(p for p, c in zip(round_files(state, run, r), r.candidates, strict=True) if c.chosen)
        for r in rounds
        if r is not None
    )
    return first, second


def round_files(state: CreateState, run: ShownRun, done: Round) -> list[str]:
    """The files of a round's candidates, written where they are not there yet.

    Those without the settings inside have names of their own, because what was shown never changes.
    """
    large = LargePictures() if run.shipped else state.large
    paths = [_named(run, candidate_name(done.number, i), state.plain) for i in range(len(done.candidates))]
    return [
        picture_file(c.picture, c.reading, path, run.settings, large, chosen=c.chosen, idle=not state.playing)
        for c, path in zip(done.candidates, paths, strict=True)
    ]


def _sketch(run: ShownRun, number: int, index: int, plain: bool) -> Path:
    """A candidate's file before it is read. Shown pictures are always files: Gradio rewrites the file of an
    image object each time that it is shown, while the browser may be fetching it."""
    return _named(run, f"drawn-{candidate_name(number, index)}", plain)


def _named(run: ShownRun, name: str, plain: bool) -> Path:
    return run.folder / (f"plain-{name}" if plain else name)
