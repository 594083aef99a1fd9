"""Taking passwords, keys and tokens out of text that others see: errors, logs, names of models, files.

The one place where that is done. It knows secrets by where they stand (before the @ of an address, in its query, after
Bearer), by their form (hf_..., sk-...), and those of this process's environment by their value.
"""

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote, urlsplit

HIDDEN = "[hidden]"
MIN_SECRET = 6
"""Characters of a value that is searched for in any text; a shorter one would be found in ordinary words."""
# Each pattern passes a text once: a server may echo a megabyte.
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]{0,15}:)(//[^\s?#'\"<>]*)(\?[^\s#'\"<>]+)?", re.IGNORECASE)
_USER = re.compile(r"//[^/@]*@(?:[^/@]*@)*")
_NAMED = re.compile(r"((?:api[-_]?key|access[-_]?token|auth[-_]?token|password|passwd|secret)=)[^\s&#'\"<>]+", re.I)
_HEADER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{6,}")
_TOKEN = re.compile(r"\b(?:hf_[A-Za-z0-9]{16,}|sk-[\w-]{16,})")
_TOKEN_NAMES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACEHUB_API_TOKEN")


def redacted(text: str, secrets: Iterable[str] = (), environ: Mapping[str, str] | None = None) -> str:
    """The text without passwords, keys and tokens.

    Args:
        secrets: more of them, by their value.
        environ: whose keys, tokens and addresses are known too; None = the process's own.
    """
    known = {*secrets, *_secrets_in(os.environ if environ is None else environ)}
    for secret in sorted(known, key=len, reverse=True):  # one may be part of another
        if len(secret) >= MIN_SECRET:
            text = text.replace(secret, HIDDEN)
    text = _ADDRESS.sub(_without_secrets, text)
    text = _HEADER.sub(rf"\1 {HIDDEN}", _NAMED.sub(rf"\1{HIDDEN}", text))
    return _TOKEN.sub(HIDDEN, text)


def _without_secrets(address: re.Match[str]) -> str:
    return address[1] + _USER.sub("//", address[2]) + (f"?{HIDDEN}" if address[3] else "")


def secrets_of(address: str) -> tuple[str, ...]:
    """The password of an address and the values of its query, as written and decoded."""
    try:
        parts = urlsplit(address)
        found = [parts.password or "", *(piece.partition("=")[2] for piece in parts.query.split("&"))]
    except ValueError:
        return ()
    return tuple({secret for value in found for secret in (value, unquote(value)) if secret})


def _secrets_in(environ: Mapping[str, str]) -> Iterator[str]:
    for name, value in environ.items():
        if name in _TOKEN_NAMES or (name.startswith("EMOFEEDBACK_") and name.endswith("_KEY")):
            yield value
        elif name.startswith("EMOFEEDBACK_") and "://" in value:
            yield from secrets_of(value.removeprefix("hosted:"))


class RedactingFilter(logging.Filter):
    """For loggers of others that write addresses, such as those of httpx."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true; the record's message is redacted."""
        record.msg, record.args = redacted(record.getMessage()), ()
        return True


class RedactingFormatter(logging.Formatter):
    """Redacts whole lines, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """As of any formatter."""
        return redacted(super().format(record))


HTTP_LOGGERS = ("httpx", "httpx2", "httpcore", "httpcore2")
"""httpx tells each request's whole address; huggingface_hub brings a copy of it under another name."""
_FILTER = RedactingFilter()


def hide_in_logs() -> None:
    """Let the loggers of the HTTP clients hide secrets, whoever set up logging; may be called again."""
    for name in HTTP_LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)
