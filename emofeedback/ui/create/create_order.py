"""What the Create tab's controls say when a button is pressed, and what panels add to it."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Rules, Turn
from emofeedback.loop.run import RunOrder, rule_settings
from emofeedback.picture_size import size_of
from emofeedback.protocols import Generator
from emofeedback.records import MAX_SEED
from emofeedback.text import unbroken
from emofeedback.ui.create.create_layout import RANDOM, CreateControls
from emofeedback.ui.parts.numbers import number, whole
from emofeedback.ui.session import MAX_WORDS, Visit

SHORT_SEEDS = 2**31 - 1
"""The highest seed that the page draws by itself: people copy them by hand."""


@dataclass(frozen=True, slots=True)
class CreateOrder(RunOrder):
    """The controls' values when a button was pressed."""

    first: Turn | None = None  # what a new run's first round draws, in place of the prompt
    shape: str = ""  # the size as it is written, see `picture_size.size_of`

    def settings(self) -> dict[str, object]:
        """What a run's record and its pictures tell of its rules, by the names of `Run.settings`."""
        return rule_settings(self.drawing, self.rules)


Contributor = Callable[[Visit, CreateOrder], CreateOrder]
"""A panel's part in a new run: it hands the order back changed, such as with a `first` turn or another `drawing`.

Called under no lock when Run all or Next round begins a run from nothing (never for a branch); it may raise UserError.
"""


def as_drawn_by(generator: Generator, order: CreateOrder) -> CreateOrder:
    """The order as a generator takes it: what it does not offer, and the page hides, is left out.

    Raises:
        UserError: the size is none, or the generator does not draw it.
    """
    size = None
    if generator.sizes is not None:
        size = size_of(order.shape, generator.sizes, generator.size, generator.name)
    negative = order.drawing.negative if generator.takes_negative else ""
    return replace(order, drawing=replace(order.drawing, negative=negative, size=size))


def checked_words(prompt: str | None) -> str:
    """The prompt, empty where none was given.

    Raises:
        UserError: it is too long or no text.
    """
    if prompt is not None and len(prompt) > MAX_WORDS:
        raise UserError(f"The prompt has {len(prompt)} characters; shorten it to {MAX_WORDS} or fewer.")
    return unbroken(prompt or "")


def seed_of(value: Any) -> int:
    """The seed box's value as a seed; -1 and an empty box stand for a new one.

    Raises:
        UserError: it is out of range.
    """
    given = RANDOM if value is None or value == "" else whole(value, "Seed", RANDOM, MAX_SEED)
    return random.randint(0, SHORT_SEEDS) if given == RANDOM else given


def read_order(c: CreateControls, data: Mapping[Any, Any], seed: int | None = None) -> CreateOrder:
    """The controls as an order; every value is checked here or by the loop.

    Args:
        seed: in the place of a random one, so that a preview stays with its picture; None = a new one.

    Raises:
        UserError: a value is missing or out of range.
    """
    if seed is None or data[c.seed] not in (None, "", RANDOM):
        seed = seed_of(data[c.seed])
    target = Affect(number(data[c.valence], "Pleasant", -1, 1), number(data[c.arousal], "Energy", -1, 1))
    return CreateOrder(
        prompt=checked_words(data[c.prompt]),
        target=target,
        drawing=Drawing(
            whole(data[c.candidates], "Pictures", 1, 8),
            seed,
            number(data[c.strength], "Strength", 0, 2),
            whole(data[c.steps], "Steps", 0, 50) or None,
            start_strength=number(data[c.start_strength], "Share redrawn", 0.1, 1),
            negative=checked_words(data[c.negative_prompt]).strip(),
        ),
        shape=checked_words(data[c.size]).strip(),
        rules=Rules(
            whole(data[c.rounds], "Rounds", 1, 6),
            number(data[c.tolerance], "Tolerance", 0, 0.5),
            whole(data[c.patience], "Patience", 0, 6) or None,
            data[c.continuation],
        ),
    )
