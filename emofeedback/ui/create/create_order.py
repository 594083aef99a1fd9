"""What the Create tab's controls say when a button is pressed, and what panels add to it."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Turn
from emofeedback.loop.run import Continuation
from emofeedback.ui.create.create_layout import Controls
from emofeedback.ui.session import MAX_SEED, MAX_WORDS, Visit


@dataclass(frozen=True)
class Order:
    """The controls' values when a button was pressed."""

    prompt: str
    target: Affect
    rounds: int
    strength: float
    drawing: Drawing
    continuation: Continuation
    tolerance: float
    patience: int
    first: Turn | None = None  # what a new run's first round draws, in place of the prompt


Contributor = Callable[[Visit, Order], Order]
"""A panel's part in a new run: it hands the order back changed, such as with a `first` turn or another `drawing`.

Called under no lock when Run all or Next round begins a run from nothing (never for a branch); it may raise UserError.
"""


def checked_words(prompt: str | None) -> str:
    """The prompt, empty where none was given.

    Raises:
        UserError: it is too long.
    """
    if prompt is not None and len(prompt) > MAX_WORDS:
        raise UserError(f"The prompt has {len(prompt)} characters; shorten it to {MAX_WORDS} or fewer.")
    return prompt or ""


def read_order(c: Controls, data: Mapping[Any, Any]) -> Order:
    """The controls as an order; every value is checked here or by the loop.

    Raises:
        UserError: a value is missing or out of range.
    """
    if data[c.seed] is None and not data[c.randomize]:
        raise UserError("Give a seed, or let each run take a new one.")
    seed = random.randint(0, MAX_SEED) if data[c.randomize] else int(data[c.seed])
    strength = float(data[c.strength])
    return Order(
        prompt=checked_words(data[c.prompt]),
        target=Affect(data[c.valence], data[c.arousal]),
        rounds=int(data[c.rounds]),
        strength=strength,
        drawing=Drawing(
            int(data[c.candidates]),
            seed,
            strength,
            int(data[c.steps]) or None,
            start_strength=float(data[c.start_strength]),
        ),
        continuation=data[c.continuation],
        tolerance=float(data[c.tolerance]),
        patience=int(data[c.patience]),
    )
