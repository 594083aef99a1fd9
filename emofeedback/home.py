"""The user's home folder, which may be unknown: HOME is unset and nobody has this user's number."""

from pathlib import Path

from emofeedback.errors import UserError


def home_folder(instead: str) -> Path:
    """The home folder.

    Args:
        instead: what to do where there is none, the end of the message.

    Raises:
        UserError: it is unknown.
    """
    try:
        return Path.home()
    except (RuntimeError, KeyError):  # pathlib's; the password database's
        raise UserError(f"Your home folder is unknown (HOME is not set); {instead}.") from None


def expanded(path: str | Path) -> Path:
    """The path with the home folder in the place of a leading ~ (or of ~NAME, where there is such a user).

    Raises:
        UserError: it begins with ~, and the home folder is unknown.
    """
    given = Path(path)
    if given.parts[:1] == ("~",):
        return home_folder(f"write {given} in full").joinpath(*given.parts[1:])
    try:
        return given.expanduser()
    except (RuntimeError, KeyError):  # a file that is called so
        return given
