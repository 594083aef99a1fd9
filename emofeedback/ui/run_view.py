"""What the Create tab shows while a run goes on: events in, updates of components out."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from emofeedback.affect import NEUTRAL, Affect
from emofeedback.loop import Advised, Chosen, Drawn, Event, Finished, Progress, ReadDone, RoundDone, RoundStarted
from emofeedback.records import Candidate, Edit, Round
from emofeedback.serialize import candidate_name
from emofeedback.storage import png_bytes, write_whole
from emofeedback.ui import create_layout as layout
from emofeedback.ui import html
from emofeedback.ui.circumplex import plane
from emofeedback.ui.desk import Visit

Updates = dict[Any, Any]
"""Component -> its new value or `gr.update`; components not named stay as they are."""

STOPPED = {
    "tolerance": "the target is reached",
    "no_gain": "the last round came no closer",
    "rounds": "all rounds are done",
    "no_edits": "the judge would change no word",
    "unreadable": "the judge could not read the pictures",
    "cancelled": "stopped by you",
}


class RunView:
    """Turns the events of a run into what changes on the page."""

    def __init__(self, controls: layout.Controls, stage: layout.Stage, judge: layout.JudgeSide) -> None:
        self.controls, self.stage, self.judge = controls, stage, judge

    def idle(self, sentence: str, visit: Visit) -> Updates:
        """Nothing runs: what the status says, and which buttons can be pressed."""
        return {
            self.stage.status: html.progress(sentence, busy=False),
            self.controls.run: gr.update(interactive=True),
            self.controls.stop: gr.update(interactive=False),
            self.judge.next_round: gr.update(interactive=bool(visit.rounds)),
        }

    def busy(self, seed: int, loading: bool) -> Updates:
        """Something begins to run."""
        return {
            self.stage.status: html.progress("Loading the models …" if loading else "Starting …"),
            self.controls.run: gr.update(interactive=False),
            self.controls.stop: gr.update(interactive=True),
            self.controls.seed: seed,
            self.judge.next_round: gr.update(interactive=False),
        }

    def clear(self, target: Affect) -> Updates:
        """The page before the first round."""
        return {
            self.stage.strip: html.strip((), target),
            self.stage.gallery: [],
            self.judge.plane: plane(target),
            self.judge.words: html.notice("The judge waits for the first pictures."),
            self.judge.suggestion: "",
            self.judge.edits: gr.update(choices=[], value=[]),
            self.judge.next_prompt: "",
        }

    def show(self, event: Event, visit: Visit, rounds: int, edits: Sequence[Edit] | None = None) -> Iterator[Updates]:
        """What an event changes on the page."""
        s, j, number = self.stage, self.judge, len(visit.rounds) + 1
        target = visit.target or NEUTRAL
        match event:
            case RoundStarted():
                yield {s.status: html.progress(f"Round {event.number} of {rounds}: drawing", 0.0)}
            case Progress():
                label = f"Round {number} of {rounds}: drawing, step {event.step} of {event.steps}"
                yield {s.status: html.progress(label, event.step / max(1, event.steps))}
            case Drawn():
                files = [_write(c, self._sketch(visit, number, i)) for i, c in enumerate(event.candidates)]
                yield {
                    s.gallery: [(f, layout.caption(c)) for f, c in zip(files, event.candidates, strict=True)],
                    s.status: html.progress(f"Round {number} of {rounds}: the judge reads", 1.0),
                }
            case ReadDone():
                yield {s.status: html.progress(f"Round {number} of {rounds}: choosing", 1.0)}
            case Chosen():
                yield {
                    s.picture: str(self._sketch(visit, number, event.index)),
                    s.status: html.progress(f"Round {number} of {rounds}: the judge writes", 1.0),
                    j.words: html.judgement(event.candidate, None, target),
                    j.suggestion: "",
                }
            case Advised():
                pass  # shown with the whole round, a moment later
            case RoundDone():
                before = visit.rounds[-1].critique if visit.rounds else None
                led = tuple(edits) if edits is not None else (before.edits if before else ())
                visit.rounds.append(event.round)
                visit.edits.append(led)
                yield self._round(event.round, visit, target)
            case Finished():
                yield self._finish(event, visit)

    @staticmethod
    def _sketch(visit: Visit, number: int, index: int) -> Path:
        """A candidate's file before it is read. Shown pictures are always files: Gradio rewrites the file of an
        image object each time that it is shown, while the browser may be fetching it."""
        return visit.files() / f"drawn-{candidate_name(number, index)}"

    def _round(self, done: Round, visit: Visit, target: Affect) -> Updates:
        """A round that has just finished: itself, its place in the strip, and what the next one could be."""
        edits = done.critique.edits if done.critique else ()
        choices = [(html.edit_words(edit), i) for i, edit in enumerate(edits)]
        return self._present(done, visit, target) | {
            self.stage.strip: html.strip(visit.rounds, target),
            self.judge.edits: gr.update(choices=choices, value=list(range(len(edits)))),
            self.judge.next_prompt: done.next_prompt or done.prompt,
        }

    def _present(self, done: Round, visit: Visit, target: Affect) -> Updates:
        """One round on the stage and beside it: picture, candidates, reading on the plane, words, edits."""
        s, j = self.stage, self.judge
        files = [_write(item, visit.files() / candidate_name(done.number, i)) for i, item in enumerate(done.candidates)]
        chosen = next(path for path, item in zip(files, done.candidates, strict=True) if item.chosen)
        return {
            s.picture: chosen,
            s.gallery: [(path, layout.caption(item)) for path, item in zip(files, done.candidates, strict=True)],
            s.download: gr.update(value=chosen, interactive=True),
            j.plane: layout.plane_of(visit.rounds, done.candidates, target),
            j.words: html.judgement(done.best(), done.critique, target),
            j.suggestion: html.suggestion(done.prompt, done.critique, done.next_prompt),
        }

    def _finish(self, event: Finished, visit: Visit) -> Updates:
        """The end of a run: the best round takes the stage."""
        run = event.run
        best, seconds = run.best(), sum(r.cost.seconds for r in run.rounds)
        sentence = f"Done in {seconds:.1f} s: {STOPPED[run.stopped]}."
        for done in run.rounds[:-1]:
            if any(item is best for item in done.candidates):
                sentence += f" Shown: the best, of round {done.number}."
                return self._present(done, visit, run.target) | self.idle(sentence, visit)
        return self.idle(sentence, visit)


def _write(item: Candidate, path: Path) -> str:
    """Write a picture once; files that were shown never change."""
    if not path.exists():
        write_whole(path, png_bytes(item.picture, item.reading))
    return str(path)
