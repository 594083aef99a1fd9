"""What a visitor has on the Create tab: their runs, what is on stage, what is at work, and how the run is steered.

`CreateState` alone says what is shown; `run_view.page_values` draws every part of the page from it.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from emofeedback.affect import Affect
from emofeedback.files.large_pictures import LargePictures
from emofeedback.loop.prompt_edits import Choice, apply_edits, chosen_edits, untouched
from emofeedback.loop.rounds import Past, Turn, seeds_of, trials_of
from emofeedback.loop.run import Chosen, Drawn, Event, Finished, Progress, ReadDone, RoundDone, RoundStarted
from emofeedback.loop.waiting import Waiting
from emofeedback.protocols import LeftOut
from emofeedback.records import Candidate, Critique, Edit, Picture, Reading, Round, Run
from emofeedback.ui.create.play import Play
from emofeedback.ui.parts.cards import RoundThumbnails

MAX_RUNS = 8
"""Runs that a visitor can go back to; the oldest leaves first."""


@dataclass(eq=False)
class ShownRun:
    """A run as it grows, and the folder of its pictures."""

    title: str
    prompt: str
    target: Affect
    folder: Path
    settings: dict[str, object] = field(default_factory=dict)  # its rules, see `CreateOrder.settings`
    past: Past = Past()
    thumbnails: list[RoundThumbnails] = field(default_factory=list)
    choices: dict[int, tuple[Choice, ...]] = field(default_factory=dict)  # by round number
    words: dict[int, str] = field(default_factory=dict)  # next prompts written by hand, by round number
    settled: Run | None = None  # as the loop ended it
    judged: dict[int, Round] = field(default_factory=dict)  # rounds in which a person chose, as the judge left them
    starred: bool = False
    left_out: LeftOut | None = None  # how the generator cuts long prompts, see `apply_edits`

    def add(self, done: Round, edits: Sequence[Edit]) -> None:
        """One round more."""
        self.past = self.past.then(done, edits)
        self.thumbnails.append(RoundThumbnails.of(done))

    def round(self, number: int) -> Round | None:
        """The round with a number."""
        return next((done for done in self.past.rounds if done.number == number), None)

    def best_number(self) -> int:
        """The number of the best round; 0 without rounds."""
        best = self.past.best()
        return best.number if best else 0

    def put(self, done: Round) -> None:
        """A round in the place of the one with its number; the edits that led to it are those of its words."""
        at = next(i for i, known in enumerate(self.past.rounds) if known.number == done.number)
        edits = self.past.edits[at]
        if done.prompt != self.past.rounds[at].prompt:
            edits = self._edits_to(done.prompt, at)
        rounds = (*self.past.rounds[:at], done, *self.past.rounds[at + 1 :])
        self.past = Past(rounds, (*self.past.edits[:at], edits, *self.past.edits[at + 1 :]))
        self.thumbnails[at] = RoundThumbnails.of(done)
        self.settled = None

    def _edits_to(self, prompt: str, at: int) -> tuple[Edit, ...]:
        """The edits of the advice before a round that make these words of it; none where no advice did."""
        before = self.past.rounds[at - 1] if at else None
        base = None if before is None else self.round(before.advised_on or before.number)
        if before is None or base is None or before.critique is None:
            return ()
        edits = (
            chosen_edits(before.critique.edits, self.choices[before.number])
            if before.number in self.choices
            else (before.critique.edits)
        )
        return trials_of(base.prompt, edits, self.left_out).get(prompt, ())

    def use(self, number: int, index: int) -> Round | None:
        """A person chose a candidate of a round: it becomes the round's picture. None: it is that already.

        Advice on another picture goes; the judge's own choice stays on record, and choosing it again brings the round
        back as the judge left it.

        Raises:
            ValueError: there is no such round or candidate.
        """
        done = self.round(number)
        if done is None or not 0 <= index < len(done.candidates):
            raise ValueError("there is no such picture")
        if done.candidates[index].chosen:
            return None
        original = self.judged.setdefault(number, done)
        own = next(i for i, item in enumerate(original.candidates) if item.chosen)
        self.choices.pop(number, None)
        self.words.pop(number, None)
        if index == own:
            self.put(original)
            return original
        candidates = tuple(replace(item, chosen=i == index) for i, item in enumerate(done.candidates))
        words = candidates[index].picture.request.prompt
        chosen = replace(
            done,
            prompt=words,
            candidates=candidates,
            critique=None,
            next_prompt=None,
            advised_on=None,
            judge_choice=own,
            cost=replace(done.cost, critiques=0),
        )
        self.put(chosen)
        return chosen


@dataclass(frozen=True, eq=False)
class SinglePicture:
    """A picture on stage that belongs to no run: a preview, one from another tab, a dropped file.

    Attributes:
        title: what it is, such as "Preview".
        told: a sentence on what to do with it.
        settled: False while a drag goes on: it is shown, and neither read nor written to a file yet.
    """

    title: str
    picture: Picture
    reading: Reading | None
    target: Affect | None
    folder: Path
    told: str = ""
    settings: dict[str, object] = field(default_factory=dict)
    settled: bool = True


@dataclass
class Work:
    """A round that is being made, as far as it is there."""

    run: ShownRun
    rounds: int  # it ends with the round of this number
    number: int = 1
    step: int = 0
    steps: int = 0
    candidates: tuple[Candidate, ...] = ()
    chosen: int | None = None
    begun: float = 0.0
    lasted: float = 0.0  # seconds of the last whole round
    drew: float = 0.0  # of them for drawing
    here: Callable[[], bool] = lambda: True  # whether the models are this visitor's just now

    @property
    def left(self) -> float | None:
        """Seconds until the last round is done, by the rounds and steps so far; None = not known yet."""
        if not self.step or not self.steps:
            return None
        now = time.monotonic() - self.begun
        drawing = now / self.step * self.steps if self.step < self.steps else max(now, self.drew)
        whole = self.lasted or 1.3 * drawing
        return max(0.0, whole - now) + whole * max(0, self.rounds - self.number)


Stage = Literal["empty", "work", "single", "round"]


@dataclass(frozen=True)
class _Place:
    """What was on stage before a run began, to go back to where it comes to nothing."""

    run: ShownRun | None
    shown: int
    picked: int | None
    branched: bool
    single: SinglePicture | None


class CreateState:
    """A visitor's runs, the one at hand, and what is on stage."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # the work's thread changes it while the page is drawn from it
        self.runs: list[ShownRun] = []
        self.at = 0
        self.shown = 0  # number of the shown round
        self.picked: int | None = None  # the round that a person went back to
        self.branched = False  # the run at hand is a branch that has not gone on yet
        self.single: SinglePicture | None = None  # on stage in place of a round
        self.work: Work | None = None  # what is being made
        self.play: Play | None = None  # who makes it, or made the last one
        self.waiting = False  # a run was asked for, and its turn has not come
        self.status = ""  # the sentence under the picture while nothing is at work
        self.advising = False  # the judge looks at a picture that a person chose
        self.asked = 0  # previews asked for so far; only the last is drawn
        self.seed: int | None = None  # that the last picture was drawn with
        self.plain = False  # files are written without the settings inside
        self.large = LargePictures()  # in which size they are
        self.left_out: LeftOut | None = None  # how the generator at hand cuts long prompts
        self._begun = 0
        self._before: _Place | None = None

    @property
    def busy(self) -> bool:
        """Whether a run or a round is at work or waits for its turn."""
        return self.work is not None or self.waiting or self.advising

    @property
    def idle(self) -> bool:
        """Whether the models may be another visitor's just now."""
        return self.work is None or not self.work.here()

    @property
    def play_ended(self) -> bool:
        """Whether nobody is at work on a thread."""
        return self.play is None or self.play.done

    @property
    def run(self) -> ShownRun | None:
        """The run at hand."""
        return self.runs[self.at] if self.runs else None

    @property
    def round(self) -> Round | None:
        """The shown round of the run at hand, whatever is on stage."""
        return self.run.round(self.shown) if self.run else None

    @property
    def stage(self) -> Stage:
        """What is shown."""
        if self.work is not None and self.work.candidates:
            return "work"
        if self.single is not None:
            return "single"
        return "round" if self.round is not None else "empty"

    # ------------------------------------------------------------ what is on stage

    def title(self) -> str:
        """A new run's title."""
        self._begun += 1
        return f"Run {self._begun}"

    def begin(self, prompt: str, target: Affect, folder: Path, title: str = "") -> ShownRun:
        """Begin a new run and make it the one at hand."""
        run = ShownRun(title or self.title(), prompt, target, folder)
        self.enter(run)
        return run

    def enter(self, run: ShownRun) -> None:
        """Put a run on stage; of too many the oldest leaves."""
        run.left_out = self.left_out
        if run not in self.runs:
            kept = [known for known in self.runs if known.starred or known is run]
            loose = [known for known in self.runs if known not in kept]
            spare = max(0, len(self.runs) + 1 - MAX_RUNS)
            gone = (loose + kept)[:spare]
            self.runs = [*(known for known in self.runs if known not in gone), run]
        self.at, self.shown, self.picked = self.runs.index(run), run.best_number(), None
        self.branched, self.single = False, None

    def show_round(self, number: int) -> bool:
        """Put a round of the run at hand on stage; False: there is none such."""
        if self.run is None or self.run.round(number) is None:
            return False
        self.shown = self.picked = number
        self.single = None
        return True

    def show_run(self, index: int) -> bool:
        """Put the best round of a run on stage; False: there is none such."""
        if not 0 <= index < len(self.runs):
            return False
        self.at, self.picked, self.branched, self.single = index, None, False, None
        self.shown = self.runs[index].best_number()
        return True

    def show_single(self, single: SinglePicture) -> None:
        """Put a picture of its own on stage; the runs stay where they are."""
        self.single, self.branched = single, False
        self.seed = single.picture.request.seed

    def clear(self) -> None:
        """Nothing is on stage; the runs stay where they are."""
        self.single, self.shown, self.picked, self.branched = None, 0, None, False

    def branch(self, number: int, folder: Path) -> ShownRun | None:
        """A new run that holds the rounds up to a number; the run it comes from stays as it is. None: no such round."""
        source = self.run
        if source is None or source.round(number) is None:
            return None
        title = f"{self.title()} · from round {number} of {source.title.split(' · ')[0].lower()}"
        run = self.begin(source.prompt, source.target, folder, title)
        run.past, run.settings = source.past.up_to(number), source.settings
        count = len(run.past.rounds)
        run.thumbnails = source.thumbnails[:count]
        run.choices = {k: v for k, v in source.choices.items() if k <= number}
        run.judged = {k: v for k, v in source.judged.items() if k <= number}
        self.shown, self.branched = number, True
        return run

    # ------------------------------------------------------------ what is at work

    @contextmanager
    def working(self, work: Work) -> Iterator[None]:
        """While a run is made; a run that came to no round leaves everything as it was before."""
        with self.lock:
            self._before = _Place(self.run, self.shown, self.picked, self.branched, self.single)
            self.work = work
        try:
            yield
        finally:
            with self.lock:
                self.work = None
                if not work.run.past.rounds:
                    self._go_back(work.run)

    def _go_back(self, run: ShownRun) -> None:
        before = self._before
        self.runs = [known for known in self.runs if known is not run]
        self.at, self.shown, self.picked, self.single = 0, 0, None, None
        if before is not None:
            self.single = before.single
            if before.run in self.runs:
                self.at = self.runs.index(before.run)
                self.shown, self.picked, self.branched = before.shown, before.picked, before.branched

    def take(self, event: Event) -> None:
        """An event of the work: what is shown follows."""
        work = self.work
        if work is None:
            return
        with self.lock:
            match event:
                case RoundStarted():
                    now = time.monotonic()
                    work.lasted = now - work.begun if work.begun else 0.0
                    work.number, work.begun, work.step, work.candidates = event.number, now, 0, ()
                    work.chosen = None
                case Waiting():
                    pass
                case Progress():
                    work.step, work.steps = event.step, event.steps
                case Drawn():
                    work.drew = time.monotonic() - work.begun
                    work.candidates = event.candidates
                case ReadDone():
                    work.candidates = event.candidates
                case Chosen():
                    work.chosen = event.index
                    work.candidates = tuple(
                        replace(item, chosen=i == event.index) for i, item in enumerate(work.candidates)
                    )
                case RoundDone():
                    work.run.add(event.round, event.edits)
                    self.enter(work.run)
                    self.shown, work.candidates = event.round.number, ()
                    self.seed = event.round.best().picture.request.seed
                case Finished():
                    work.run.settled = event.run
                    self.shown = work.run.best_number() or self.shown
                case _:
                    pass

    # ------------------------------------------------------------ how it is steered

    def advisory(self) -> Round | None:
        """The round whose advice is on the page: the one picked, or the last."""
        run = self.run
        if run is None or not run.past.rounds:
            return None
        return (run.round(self.picked) if self.picked else None) or run.past.rounds[-1]

    def base(self) -> Round | None:
        """The round whose picture the advice on the page is about."""
        advice, run = self.advisory(), self.run
        if advice is None or run is None:
            return None
        return (run.round(advice.advised_on) if advice.advised_on else None) or advice

    def choices(self) -> tuple[Choice, ...]:
        """What the person made of the edits on the page."""
        advice, run = self.advisory(), self.run
        if advice is None or run is None or advice.critique is None:
            return ()
        return run.choices.get(advice.number) or untouched(advice.critique.edits)

    def choose(self, choices: Sequence[Choice]) -> None:
        """Keep what the person made of the edits on the page.

        Raises:
            ValueError: the choices do not belong to these edits.
        """
        advice, run = self.advisory(), self.run
        critique: Critique | None = advice.critique if advice else None
        if advice is None or run is None or critique is None or len(choices) != len(critique.edits):
            raise ValueError("these choices belong to no edits on the page")
        run.choices[advice.number] = tuple(choices)
        run.words.pop(advice.number, None)

    def rewrite(self, words: str) -> None:
        """Keep the next prompt as the person wrote it; what the edits make of it anyway is not kept."""
        advice, run = self.advisory(), self.run
        if advice is not None and run is not None:
            run.words.pop(advice.number, None)
            if words != self.next_prompt():
                run.words[advice.number] = words

    def words(self) -> str:
        """The next prompt on the page: as it was written, or as the accepted edits make it."""
        advice, run = self.advisory(), self.run
        written = run.words.get(advice.number) if advice is not None and run is not None else None
        return self.next_prompt() if written is None else written

    def accepted(self) -> tuple[Edit, ...]:
        """The edits on the page as the person left them."""
        advice = self.advisory()
        return chosen_edits(advice.critique.edits, self.choices()) if advice and advice.critique else ()

    def next_prompt(self) -> str:
        """The prompt that the accepted edits make."""
        base = self.base()
        return apply_edits(base.prompt, self.accepted(), self.left_out) if base else ""

    def turn(self, prompt: str, past: Past, share_out: bool) -> Turn:
        """The next round as the person left it.

        Args:
            prompt: the next prompt, maybe rewritten by hand.
            past: the rounds it follows.
            share_out: let the candidates try the edits one by one too, where the prompt is just theirs.
        """
        base, accepted = self.base(), self.accepted()
        if base is None:
            return Turn(prompt)
        whole = share_out and bool(accepted) and prompt == apply_edits(base.prompt, accepted, self.left_out)
        trials = trials_of(base.prompt, accepted, self.left_out) if whole else {prompt: accepted}
        return Turn(prompt, trials, base, seeds_of(base))
