"""The History tab's fragments: captions, the head of a run, its rounds with readings, words and prompts."""

import datetime
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from emofeedback.affect import Affect, mood_name
from emofeedback.errors import UserError
from emofeedback.history.index import Entry
from emofeedback.history.store import Saved
from emofeedback.sweep.plane import Continuity
from emofeedback.ui.parts import html
from emofeedback.ui.sweep.sheet_view import evenness

EMPTY = "Nothing here yet. Make a picture in Create or a sheet in Continuum: it is kept here by itself."
NOTHING_FOUND = "No run fits. Take a filter back, or search for other words or another mood."
OPEN_ONE = "Press a run to see all its pictures and what the judge said, or to use its settings again."
NO_OWNER = "Runs are kept by a cookie, and this browser sent none. Allow cookies for this page and load it again."
KIND_NAMES = {"feedback": "Run", "picture": "Single picture", "sheet": "Sheet", "path": "Path"}
STOPPED = {
    "tolerance": "the target was reached",
    "no_gain": "a round came no closer",
    "rounds": "all rounds were done",
    "no_edits": "the judge would change no word",
    "unreadable": "the judge could not read the pictures",
    "advice_unreadable": "the advice could not be read",
    "cancelled": "it was stopped",
    "failed": "a model failed",
}


def caption(entry: Entry, chosen: bool, now: float | None = None) -> str:
    """Under a thumbnail: its words, then mood and time; plain text, which Gradio escapes.

    Args:
        now: seconds since 1970; None = the clock's.
    """
    marks = ("☑ " if chosen else "") + ("★ " if entry.pinned else "")
    words = entry.prompt.strip() or "mood alone"
    mood = entry.mood or KIND_NAMES.get(entry.kind, "")
    return f"{marks}{words[:60]}{'…' if len(words) > 60 else ''}\n{mood} · {when(entry.created, now)}"


def when(seconds: float, now: float | None = None) -> str:
    """A time as people say it, local to the server: "today 15:41", "27 Nov, 15:41", "27 Nov 2025"."""
    at, today = time.localtime(seconds), time.localtime(now)
    clock = time.strftime("%H:%M", at)
    days = datetime.date(*today[:3]).toordinal() - datetime.date(*at[:3]).toordinal()
    if days in (0, 1):
        return f"{'yesterday' if days else 'today'} {clock}"
    if at.tm_year == today.tm_year:
        return f"{time.strftime('%d %b', at).lstrip('0')}, {clock}"
    return time.strftime("%d %b %Y", at).lstrip("0")


def moment(text: str | None) -> float | None:
    """The beginning of a day, "2026-11-21", in seconds since 1970; local to the server.

    Raises:
        UserError: it is not a date.
    """
    if not text:
        return None
    try:
        return time.mktime(time.strptime(str(text).strip()[:10], "%Y-%m-%d"))
    except (ValueError, OverflowError):
        raise UserError(f"{str(text)[:20]!r} is not a date; write it as 2026-11-21.") from None


def place(total: int, offset: int, shown: int) -> str:
    """Which part of the runs is on the page."""
    return f'<p class="quiet">{offset + 1}–{offset + shown} of {total}</p>' if shown else ""


def chosen_words(count: int) -> str:
    """How many runs are selected."""
    if not count:
        return '<p class="quiet">Open a run and select it, or select all on this page, to export them.</p>'
    return f"<p>{count} {'run' if count == 1 else 'runs'} selected.</p>"


def title(saved: Saved) -> str:
    """The head of an open run."""
    entry, record = saved.entry, saved.record
    facts = [f"{KIND_NAMES.get(entry.kind, 'Run')}, {when(entry.created)}"]
    if entry.mood is not None and entry.valence_low is not None and entry.arousal_low is not None:
        hint = f"valence {html.signed(entry.valence_low)}, arousal {html.signed(entry.arousal_low)}"
        facts.append(f'asked for <b title="{hint}">{entry.mood}</b>')
    facts.append(f"{entry.pictures} {'picture' if entry.pictures == 1 else 'pictures'} by {html.text(entry.model)}")
    if entry.judge:
        facts.append(f"read by {html.text(entry.judge)}")
    if record.get("stopped"):
        facts.append(f"ended because {STOPPED.get(record['stopped'], 'it ended')}")
    words = html.text(entry.prompt) or "<em>mood alone</em>"
    pinned = ' <span class="pin" title="pinned">★</span>' if entry.pinned else ""
    return f"<h3>{words}{pinned}</h3><p class='quiet'>{'; '.join(facts)}.</p>"


def picture_caption(item: Mapping[str, Any]) -> str:
    """Under a picture of an open run."""
    read, request = item["reading"], item["request"]
    if "cell" in item["image"]:
        return "" if request["valence"] is None else mood_name(Affect(request["valence"], request["arousal"]))
    mark = "✓ " if item.get("chosen") else ""
    reads = f"reads as {mood_name(Affect(read['valence'], read['arousal']))}" if read else "unread"
    return f"{mark}{reads}\nround {item['round']} · seed {request['seed']}"


def rounds(record: Mapping[str, Any]) -> str:
    """The rounds of a run one below the other, or the figures of a sheet."""
    if "cells" in record:
        return _figures(record.get("continuity", {}))
    return "".join(_rounds(record["rounds"]))


def _rounds(items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    before = None
    for item in items:
        change = html.diff(before if before is not None else item["prompt"], item["prompt"])
        chosen = next((c for c in item["candidates"] if c["chosen"]), None)
        yield f"<section class='round'><h4>Round {int(item['number'])}</h4>{change}{_reading(chosen)}"
        critique = item.get("critique")
        if critique:
            carries = "".join(f"<li>{html.text(word)}</li>" for word in critique["carries"])
            edits = "".join(_edit(edit) for edit in critique["edits"])
            yield f"<blockquote>{html.text(critique['analysis'])}</blockquote>"
            yield f"<ul class='carries'>{carries}</ul>" if carries else ""
            yield f"<ul class='edits'>{edits}</ul>" if edits else ""
        yield "</section>"
        before = item["prompt"]


def _reading(chosen: Mapping[str, Any] | None) -> str:
    read = chosen["reading"] if chosen else None
    if chosen is None or read is None:
        return "<p class='quiet'>The judge could not read the picture.</p>"
    name = mood_name(Affect.clamped(read["valence"], read["arousal"]))
    away = "" if chosen["distance"] is None else f", {chosen['distance']:.2f} from the target"
    seen = ", ".join(html.text(item["word"]) for item in read["seen"][:8])
    numbers = (
        f"valence {html.signed(read['valence'])} ± {read['valence_sd']:.2f}, "
        f"arousal {html.signed(read['arousal'])} ± {read['arousal_sd']:.2f}{away}"
    )
    return (
        f'<p title="{numbers}">The judge reads it as <b>{html.text(name)}</b>'
        f'<span class="expert">: {numbers}</span>.</p>' + (f"<p class='quiet'>It saw {seen}.</p>" if seen else "")
    )


def _edit(edit: Mapping[str, str]) -> str:
    old = f"<del>{html.text(edit['old'])}</del>" if edit["old"] else ""
    new = f"<ins>{html.text(edit['new'])}</ins>" if edit["new"] else ""
    return f"<li>{old}{'<span>→</span>' if old and new else ''}{new}</li>"


def _figures(figures: Mapping[str, Mapping[str, float]]) -> str:
    names = [field.name for field in fields(Continuity)]
    known = {axis: Continuity(**{name: f[name] for name in names}) for axis, f in figures.items()}  # type: ignore[arg-type]
    return f"<h4>How evenly it changes</h4>{evenness(known)}" if known else ""


def delete_question(entry: Entry) -> str:
    """Asked before a run goes."""
    count = f"{entry.pictures} pictures" if entry.pictures != 1 else "its picture"
    pinned = " It is pinned." if entry.pinned else ""
    return f"<p>Delete this run with {count} for good?{pinned} This cannot be taken back.</p>"
