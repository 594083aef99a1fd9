"""Sizes of pictures: which ones a generator draws, and how people write one."""

import re
from dataclasses import dataclass

from emofeedback.errors import UserError

RATIOS = ("1:1", "3:2", "2:3", "16:9", "9:16")
_SIZE = re.compile(r"\s*(\d{1,5})\s*[x×*]\s*(\d{1,5})\s*", re.IGNORECASE)
_RATIO = re.compile(r"\s*(\d{1,2})\s*:\s*(\d{1,2})\s*")


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes that a generator draws: sides in pixels from `low` to `high`, multiples of `multiple`."""

    multiple: int
    low: int
    high: int

    def check(self, width: int, height: int) -> None:
        """Raise UserError unless a picture of these sides can be drawn."""
        if not all(self.low <= side <= self.high and side % self.multiple == 0 for side in (width, height)):
            raise UserError(
                f"A picture of {width}x{height} pixels cannot be drawn: each side must be a multiple of "
                f"{self.multiple} from {self.low} to {self.high}."
            )

    def of_ratio(self, across: float, up: float, side: int) -> tuple[int, int]:
        """Width and height of a ratio with about the area of a square of `side`, as near as the multiples allow."""
        whole = (across / up) ** 0.5

        def fitted(length: float) -> int:
            steps = round(length / self.multiple) * self.multiple
            return min(
                max(steps, -(-self.low // self.multiple) * self.multiple), self.high // self.multiple * self.multiple
            )

        return fitted(side * whole), fitted(side / whole)


def is_size(text: str) -> bool:
    """Whether a text is a size or a ratio as people write them: "1216x832", "3:2"."""
    return _SIZE.fullmatch(text) is not None or _RATIO.fullmatch(text) is not None


def size_of(text: str | None, sizes: Sizes | None, side: int, name: str) -> tuple[int, int] | None:
    """Width and height that a text asks for; None = the generator's own, for an empty one.

    Args:
        text: "1216x832" or a ratio such as "3:2".
        sizes: what the generator draws; None = squares of its own `side` only.
        name: the generator's, for messages.

    Raises:
        UserError: it is neither, or the generator does not draw it.
    """
    if text is None or not text.strip():
        return None
    exact, ratio = _SIZE.fullmatch(text), _RATIO.fullmatch(text)
    if exact is None and (ratio is None or 0 in (int(ratio[1]), int(ratio[2]))):
        raise UserError(
            f"A size is written as WIDTHxHEIGHT, such as 1216x832, or as a ratio, such as 3:2; not {text!r}."
        )
    asked = None if exact is None else (int(exact[1]), int(exact[2]))
    if sizes is None:
        if asked == (side, side) or (ratio is not None and ratio[1] == ratio[2]):
            return None
        raise UserError(f"{name} draws pictures of {side}x{side} pixels only; leave the size out.")
    if asked is None:
        assert ratio is not None
        asked = sizes.of_ratio(int(ratio[1]), int(ratio[2]), side)
    sizes.check(*asked)
    return asked
