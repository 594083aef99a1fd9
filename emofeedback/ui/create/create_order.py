"""What the Create tab's controls say when a button is pressed, and what panels add to it."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Rules, Turn
from emofeedback.loop.run import RunOrder, rule_settings
from emofeedback.text import unbroken
from emofeedback.ui.create.create_layout import CreateControls
from emofeedback.ui.session import MAX_WORDS, Visit

SHORT_SEEDS = 2**31 - 1
"""The highest seed that the page draws by itself: people copy them by hand."""


@dataclass(frozen=True, slots=True)
class CreateOrder(RunOrder):
    """The controls' values when a button was pressed."""

    first: Turn | None = None  # what a new run's first round draws, in place of the prompt

    def settings(self) -> dict[str, object]:
        """What a run's record and its pictures tell of its rules, by the names of `Run.settings`."""
        return rule_settings(self.drawing, self.rules)


Contributor = Callable[[Visit, CreateOrder], CreateOrder]
"""A panel's part in a new run: it hands the order back changed, such as with a `first` turn or another `drawing`.

Called under no lock when Run all or Next round begins a run from nothing (never for a branch); it may raise UserError.
"""


def checked_words(prompt: str | None) -> str:
    """The prompt, empty where none was given.

    Raises:
        UserError: it is too long or no text.
    """
    if prompt is not None and len(prompt) > MAX_WORDS:
        raise UserError(f"The prompt has {len(prompt)} characters; shorten it to {MAX_WORDS} or fewer.")
    return unbroken(prompt or "")


def read_order(c: CreateControls, data: Mapping[Any, Any]) -> CreateOrder:
    """The controls as an order; every value is checked here or by the loop.

    Raises:
        UserError: a value is missing or out of range.
    """
    if data[c.seed] is None and not data[c.randomize]:
        raise UserError("Give a seed, or let each run take a new one.")
    seed = random.randint(0, SHORT_SEEDS) if data[c.randomize] else int(data[c.seed])
    return CreateOrder(
        prompt=checked_words(data[c.prompt]),
        target=Affect(data[c.valence], data[c.arousal]),
        drawing=Drawing(
            int(data[c.candidates]),
            seed,
            float(data[c.strength]),
            int(data[c.steps]) or None,
            start_strength=float(data[c.start_strength]),
        ),
        rules=Rules(int(data[c.rounds]), float(data[c.tolerance]), int(data[c.patience]) or None, data[c.continuation]),
    )
