"""The one exception type that is meant for a user's eyes."""

from emofeedback.redaction import redacted

LONGEST = 1200
"""Characters of a message."""


class UserError(Exception):
    """Something the user can mend; the message is one sentence that says what to do, without keys and passwords."""

    def __init__(self, message: str = "") -> None:
        super().__init__(_short(redacted(message).encode("utf-8", "replace").decode()))


def _short(text: str) -> str:
    """The sentence, or its beginning and its end: what it quotes may be a megabyte."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 3 :]}"


class OutOfMemory(UserError):
    """What was asked for does not fit the memory."""


class Cancelled(Exception):
    """The caller asked to stop; raised from inside a denoising step or a training step."""
