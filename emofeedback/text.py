"""Text that people and programs give: every character of it is one."""

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
