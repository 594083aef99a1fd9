"""Who owns a history: the name of a login, or a random id that the browser keeps in a cookie.

The id is made by the browser, holds 128 random bits, and is only ever compared: whoever has it is its owner, like a
session. The server keeps a digest of it, so that its files give nobody access. Nothing becomes a path.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

COOKIE = "emofeedback_visitor"
_ID = re.compile(r"[0-9a-f]{32}")


def head() -> str:
    """For the page's head: gives the browser its id before the first request."""
    return f"<script>{Path(__file__).with_name('history_owner.js').read_text(encoding='utf-8')}</script>"


def owner_of(request: Any) -> str | None:
    """The owner behind a request; None for a program without a login or a cookie, whose runs are not kept."""
    if request is None:
        return None
    name = getattr(request, "username", None)
    if name:
        return f"login:{name}"
    cookies = getattr(request, "cookies", None)
    given = dict(cookies).get(COOKIE) if cookies else None
    if not isinstance(given, str) or not _ID.fullmatch(given):
        return None
    return "visitor:" + hashlib.sha256(given.encode("ascii")).hexdigest()[:32]
