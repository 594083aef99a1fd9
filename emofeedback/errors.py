"""The one exception type that is meant for a user's eyes."""

from emofeedback.redaction import redacted


class UserError(Exception):
    """Something the user can mend; the message is one sentence that says what to do, without keys and passwords."""

    def __init__(self, message: str = "") -> None:
        super().__init__(redacted(message))


class OutOfMemory(UserError):
    """What was asked for does not fit the memory."""


class Cancelled(Exception):
    """The caller asked to stop; raised from inside a denoising step or a training step."""
