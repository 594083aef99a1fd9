"""What a visitor has on the Create tab: their runs, which of them is at hand, and how it is steered."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emofeedback.affect import Affect
from emofeedback.files.large_pictures import LargePictures
from emofeedback.loop.prompt_edits import Choice, apply_edits, chosen_edits, untouched
from emofeedback.loop.rounds import Past, Turn, seeds_of, trials_of
from emofeedback.records import Critique, Edit, Round, Run
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
    settled: Run | None = None  # as the loop ended it
    shipped: bool = False  # its folder is the project's: nothing is written there

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


class CreateState:
    """A visitor's runs, the one at hand, and the shown round."""

    def __init__(self) -> None:
        self.runs: list[ShownRun] = []
        self.at = 0
        self.shown = 0  # number of the shown round
        self.picked: int | None = None  # the round that a person went back to
        self.branched = False  # the run at hand is a branch that has not gone on yet
        self.playing = False  # a run or a round is at work
        self.waiting = False  # one was asked for, and its turn has not come
        self.file: str | None = None  # what Download hands out
        self.previewing = False
        self.asked = 0  # previews asked for so far; only the last is drawn
        self.plain = False  # files are written without the settings inside
        self.large = LargePictures()  # in which size they are
        self._begun = 0

    @property
    def busy(self) -> bool:
        """Whether a run or a round is at work or waits for its turn."""
        return self.playing or self.waiting

    @property
    def run(self) -> ShownRun | None:
        """The run at hand."""
        return self.runs[self.at] if self.runs else None

    def begin(self, prompt: str, target: Affect, folder: Path, title: str = "") -> ShownRun:
        """Begin a new run and show it."""
        if not title:
            self._begun += 1
            title = f"Run {self._begun}"
        run = ShownRun(title, prompt, target, folder)
        self.runs = [*self.runs, run][-MAX_RUNS:]
        self.at, self.shown, self.picked, self.branched = len(self.runs) - 1, 0, None, False
        return run

    def branch(self, number: int, folder: Path) -> ShownRun | None:
        """A new run that holds the rounds up to a number; the run it comes from stays as it is. None: no such round."""
        source = self.run
        if source is None or source.round(number) is None:
            return None
        self._begun += 1
        title = f"Run {self._begun} · from round {number} of {source.title.split(' · ')[0].lower()}"
        run = self.begin(source.prompt, source.target, folder, title)
        run.past, run.settings = source.past.up_to(number), source.settings
        count = len(run.past.rounds)
        run.thumbnails, run.choices = (
            source.thumbnails[:count],
            {k: v for k, v in source.choices.items() if k <= number},
        )
        self.shown, self.branched = number, True
        return run

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

    def accepted(self) -> tuple[Edit, ...]:
        """The edits on the page as the person left them."""
        advice = self.advisory()
        return chosen_edits(advice.critique.edits, self.choices()) if advice and advice.critique else ()

    def next_prompt(self) -> str:
        """The prompt that the accepted edits make."""
        base = self.base()
        return apply_edits(base.prompt, self.accepted()) if base else ""

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
        whole = share_out and bool(accepted) and prompt == apply_edits(base.prompt, accepted)
        trials = trials_of(base.prompt, accepted) if whole else {prompt: accepted}
        return Turn(prompt, trials, base, seeds_of(base))
