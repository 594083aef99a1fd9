"""What commands share: their outcome, the progress line, and errors of usage."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from emofeedback.errors import UserError
from emofeedback.text import unbroken


class UsageError(UserError):
    """The command line itself is wrong: exit code 2."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command hands back: `data` for --json, `text` for people; `done` False exits with 1."""

    data: dict[str, Any]
    text: str
    done: bool = True


class Console:
    """A progress line that redraws itself on a terminal, and stays silent elsewhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._shown = False

    def progress(self, text: str) -> None:
        """Replace the progress line."""
        if self._live:
            self._stream.write(f"\r\x1b[K{text}")
            self._stream.flush()
            self._shown = True

    def bar(self, label: str, done: int, total: int) -> None:
        """Replace the progress line with a bar."""
        filled = round(20 * done / max(total, 1))
        self.progress(f"{label} [{'#' * filled}{'.' * (20 - filled)}] {done}/{total}")

    def note(self, text: str) -> None:
        """A line that stays."""
        self.clear()
        self._stream.write(text + "\n")
        self._stream.flush()

    def clear(self) -> None:
        """Take the progress line away."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = False


@contextmanager
def usage() -> Iterator[None]:
    """Errors raised inside are the command line's fault."""
    try:
        yield
    except UserError as error:
        raise UsageError(str(error)) from None


def plain_text(text: str) -> str:
    """Text from the command line with undecodable bytes replaced, so that it can be written as UTF-8.

    Raises:
        UserError: it holds half a character, which is no byte (arguments of Windows).
    """
    halves = "".join(letter for letter in text if not "\udc80" <= letter <= "\udcff")
    unbroken(halves, "The command line")
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def signed(value: float) -> str:
    return f"{value:+.2f}"


def names_in(text: str | None) -> tuple[str, ...]:
    """The names of a list "a, b"; () where there is none."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())
