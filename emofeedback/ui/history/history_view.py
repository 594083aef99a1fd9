"""The History tab's fragments: captions, the head of a run, its rounds with readings, words and prompts."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emofeedback.affect import Affect, nearest_emotion
from emofeedback.errors import UserError
from emofeedback.history.index import Entry
from emofeedback.history.store import Saved
from emofeedback.ui.parts import html

EMPTY = "Nothing here yet. Make a picture in Create or a sheet in Continuum: it is kept here by itself."
NOTHING_FOUND = "No run fits. Take a filter back, or search for other words."
OPEN_ONE = "Choose a run to see its rounds, to bring its settings back, to pin or to delete it."
NO_OWNER = "Runs are kept by a cookie, and this browser sent none. Allow cookies for this page and load it again."
KIND_NAMES = {"feedback": "Feedback run", "picture": "Picture", "sheet": "Sheet", "path": "Path"}
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


def css() -> str:
    """Rules of this tab."""
    return Path(__file__).with_name("history.css").read_text(encoding="utf-8")


def caption(entry: Entry, chosen: bool) -> str:
    """Under a thumbnail; plain text, which Gradio escapes."""
    marks = ("☑ " if chosen else "") + ("★ " if entry.pinned else "")
    words = entry.prompt.strip() or "mood alone"
    return f"{marks}{words[:60]}{'…' if len(words) > 60 else ''} · {day(entry.created)}"


def day(seconds: float) -> str:
    """A date as people write it, local to the server."""
    return time.strftime("%d %b %Y", time.localtime(seconds)).lstrip("0")


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
    clock = time.strftime("%H:%M", time.localtime(entry.created))
    facts = [f"{KIND_NAMES.get(entry.kind, 'Run')}, {day(entry.created)}, {clock}"]
    if entry.valence_low is not None and entry.valence_low == entry.valence_high and entry.arousal_low is not None:
        at = Affect(entry.valence_low, entry.arousal_low)
        facts.append(f"target {html.signed(at.valence)} / {html.signed(at.arousal)}, near <i>{nearest_emotion(at)}</i>")
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
    mark = "✓ " if item.get("chosen") else ""
    if "cell" in item["image"]:
        at = f"V {request['valence']:+.2f} A {request['arousal']:+.2f}" if request["valence"] is not None else ""
        return f"{mark}{at}"
    reads = f"reads {read['valence']:+.2f} / {read['arousal']:+.2f}" if read else "unread"
    return f"{mark}round {item['round']} · seed {request['seed']} · {reads}"


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
    name = nearest_emotion(Affect.clamped(read["valence"], read["arousal"]))
    away = "" if chosen["distance"] is None else f", {chosen['distance']:.2f} from the target"
    seen = ", ".join(html.text(item["word"]) for item in read["seen"][:8])
    return (
        f"<p>reads as <b>{html.text(name)}</b>: valence {html.signed(read['valence'])} ± {read['valence_sd']:.2f}, "
        f"arousal {html.signed(read['arousal'])} ± {read['arousal_sd']:.2f}{away}.</p>"
        + (f"<p class='quiet'>It saw {seen}.</p>" if seen else "")
    )


def _edit(edit: Mapping[str, str]) -> str:
    old = f"<del>{html.text(edit['old'])}</del>" if edit["old"] else ""
    new = f"<ins>{html.text(edit['new'])}</ins>" if edit["new"] else ""
    return f"<li>{old}{'<span>→</span>' if old and new else ''}{new}</li>"


def _figures(figures: Mapping[str, Mapping[str, float]]) -> str:
    rows = "".join(
        f"<tr><td>{html.text(axis)}</td><td>{f['mean_step']:.1f}</td><td>{f['largest_step']:.1f}</td>"
        f"<td>{f['travel']:.1f}</td></tr>"
        for axis, f in figures.items()
    )
    if not rows:
        return ""
    return (
        "<h4>How evenly it changes</h4><table class='figures'><thead><tr><th>Along</th><th>mean step</th>"
        f"<th>largest step</th><th>end to end</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def delete_question(entry: Entry) -> str:
    """Asked before a run goes."""
    count = f"{entry.pictures} pictures" if entry.pictures != 1 else "its picture"
    pinned = " It is pinned." if entry.pinned else ""
    return f"<p>Delete this run with {count} for good?{pinned} This cannot be taken back.</p>"
