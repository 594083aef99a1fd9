"""Text and numbers that people and programs give: every character is one, and every number can be said."""

from emofeedback.errors import UserError

HUGE = 10**300
"""Beyond any number that is meant; floats end a little above it."""


def finite(value: float) -> bool:
    """Whether a number is one that can be reckoned with; a whole number of any size can be asked."""
    return abs(value) <= HUGE


def shown(value: object) -> str:
    """What was given, in short: Python does not write out whole numbers of thousands of digits."""
    if isinstance(value, int) and abs(value) > HUGE:
        return "one of hundreds of digits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:58]} …"


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
