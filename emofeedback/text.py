"""Text and numbers that people and programs give, and how messages quote them."""

import math

from emofeedback.errors import UserError


def unbroken(text: str, what: str = "The prompt") -> str:
    """The text, which can be encoded: no character of it is half of a pair.

    Args:
        what: what the message calls it.

    Raises:
        UserError: it holds a lone surrogate, as broken JSON and cut-off emoji do.
    """
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise UserError(f"{what} holds half a character (a lone surrogate); delete it and type it again.")
    return text


def short(text: object, most: int = 120) -> str:
    """A text as messages quote it: at most so many characters, its end cut off."""
    said = str(text)
    return said if len(said) <= most else said[: most - 3] + "..."


def is_finite(value: object) -> bool:
    """Whether it is a number, and a finite one; whole numbers may be of any size, and truth values are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -math.inf < value < math.inf


def told(value: float) -> str:
    """A number as messages tell it; whole ones may be too large for a float."""
    if isinstance(value, int) and abs(value) < 10**20:
        return str(value)
    return f"{value:g}" if abs(value) <= 1e300 else "a huge number"


def prompt_lines(text: str | None) -> tuple[str, ...]:
    """One prompt a line; empty lines and comments go, each prompt counts once.

    A comment is # alone or before a blank: "# of autumn" is one, "#1 dad's mug" is a prompt.

    Raises:
        UserError: it holds a lone surrogate.
    """
    found = (" ".join(line.split()) for line in unbroken(text or "", "A prompt").splitlines())
    return tuple(dict.fromkeys(line for line in found if line and line != "#" and not line.startswith("# ")))
