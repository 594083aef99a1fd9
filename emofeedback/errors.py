"""The one exception type that is meant for a user's eyes."""


class UserError(Exception):
    """Something the user can mend; the message is one sentence that says what to do."""


class OutOfMemory(UserError):
    """What was asked for does not fit the memory."""


class Cancelled(Exception):
    """The caller asked to stop; raised from inside a denoising step or a training step."""
