"""The one exception type that is meant for a user's eyes."""

from emofeedback.redaction import redacted

MAX_MESSAGE = 1000
"""Characters of a message; what somebody sent may be quoted in it."""


class UserError(Exception):
    """Something the user can mend; the message is one sentence that says what to do, without keys and passwords.

    A longer one than MAX_MESSAGE loses its middle: what to do stands at its end.
    """

    def __init__(self, message: str = "") -> None:
        said = redacted(message)
        if len(said) > MAX_MESSAGE:
            half = MAX_MESSAGE // 2 - 2
            said = f"{said[:half]}...{said[-half:]}"
        super().__init__(said)


class OutOfMemory(UserError):
    """What was asked for does not fit the memory."""


class Cancelled(Exception):
    """The caller asked to stop; raised from inside a denoising step or a training step."""
