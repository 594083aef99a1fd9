"""What the Fine-tune tab shows: charts as inline SVG, pictures before and after, sentences."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from emofeedback.affect import Affect, mood_name
from emofeedback.finetuning.job_store import RUNNING, JobRecord
from emofeedback.finetuning.order import REGIONS, Estimate
from emofeedback.records import PictureRequest
from emofeedback.ui.finetune.pace import Pace
from emofeedback.ui.finetune.queue import QueuePlace
from emofeedback.ui.parts.html import signed, text, thumbnail

Entry = dict[str, Any]
Points = list[tuple[float, float]]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 340.0, 168.0, 58.0, 14.0, 30.0, 24.0
PAIRS = 8  # shown at most


EMPTY = (
    '<ol class="how-it-learns"><li><b>It draws</b> your words at the moods that you aim at, several times each.</li>'
    "<li><b>The judge reads</b> every picture; what comes close to its mood is reinforced.</li>"
    "<li><b>A second opinion</b>, which takes no part in the learning, checks words that were never practised.</li>"
    "<li><b>What it learned</b> is a small file, an adapter, that you can use in all tabs, take off, or download.</li>"
    "</ol>"
)
"""Shown before the first job."""


def charts(entries: Sequence[Entry]) -> str:
    """How a job goes, from its events so far; before the first, what will happen."""
    if not entries:
        return EMPTY

    def points(kind: str, name: str) -> Points:
        return [(e["update"], e[name]) for e in entries if e["kind"] == kind and e.get(name) is not None]

    audits = points("audit", "score")
    base = audits[0][1] if audits else None
    score, check = "the judge on what is practised; higher is better", "on words never practised; higher is better"
    return (
        '<div class="charts">'
        + chart("The judge's score", points("update", "reward"), score, hint="the reward of each update")
        + chart("Second opinion", audits, check, base, hint="the audit by the second rater; dashed: before learning")
        + chart(
            "How far it moved",
            points("update", "drift"),
            "drift from the generator as it came",
            extra="expert",
            hint="mean change of the predicted velocity",
        )
        + "</div>"
    )


def chart(title: str, points: Points, note: str, base: float | None = None, *, hint: str = "", extra: str = "") -> str:
    """One line over the updates.

    Args:
        points: (update, value), updates rising.
        base: drawn as a dashed level.
        hint: the field's own words, shown under the pointer.
        extra: a class of the figure.
    """
    last = number_words(points[-1][1]) if points else "…"
    spoken = f"{title}: {note}; " + (f"now {last} after update {points[-1][0]:g}." if points else "nothing yet.")
    return (
        f'<figure title="{text(hint)}" class="{extra}"><svg class="chart" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" '
        f'role="img" aria-label="{text(spoken)}"><text x="{LEFT:g}" y="18" class="title">{text(title)}</text>'
        f'<text x="{WIDTH - RIGHT:g}" y="18" class="now">{last}</text>{_drawing(points, base)}</svg>'
        f"<figcaption>{text(note)}</figcaption></figure>"
    )


def number_words(value: float) -> str:
    """A value beside a chart in at most seven characters, so that it has room there."""
    size = abs(value)
    if value == 0:
        return "0"
    shown = f"{value:.1e}" if size < 0.001 or size >= 100_000 else f"{value:.3g}" if size < 1000 else f"{value:.0f}"
    return shown.replace("e-0", "e-").replace("e+0", "e").replace("-", "−")


def _drawing(points: Points, base: float | None) -> str:
    """Frame, levels and line."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    frame = f'<path d="M{LEFT:g} {TOP:g}V{bottom:g}H{right:g}" class="axis"/>'
    if not points:
        return frame
    values = [y for _, y in points]
    low, high = min(values), max(values)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    first, end = points[0][0], max(points[-1][0], points[0][0] + 1)

    def place(x: float, y: float) -> tuple[float, float]:
        across, up = (x - first) / (end - first), (y - low) / (high - low)
        return LEFT + across * (right - LEFT), bottom - 4 - up * (bottom - TOP - 8)

    placed = [place(x, y) for x, y in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    level = ""
    if base is not None:
        y = place(first, base)[1]
        level = f'<path d="M{LEFT:g} {y:.1f}H{right:g}" class="base"/>'
    marks = "".join(
        f'<text x="{LEFT - 5:g}" y="{place(first, v)[1] + 3:.1f}" class="low">{number_words(v)}</text>'
        for v in (low, high)
    )
    x, y = placed[-1]
    return (
        f'{frame}{level}{marks}<polyline points="{line}" class="line"/><circle cx="{x:.1f}" cy="{y:.1f}" r="3.2"/>'
        f'<text x="{LEFT:g}" y="{HEIGHT - 8:g}" class="from">{first:g}</text>'
        f'<text x="{right:g}" y="{HEIGHT - 8:g}" class="now">update {points[-1][0]:g}</text>'
    )


def pairs(requests: Sequence[PictureRequest], before: Sequence[Image.Image], after: Sequence[Image.Image]) -> str:
    """Held-out pictures of the base, and beside each that of the best adapter so far."""
    if not before:
        return ""
    cards = []
    for request, old, new in list(zip(requests, before, after, strict=False))[:PAIRS]:
        words = text(request.prompt[:120]) or "<em>mood alone</em>"
        at = request.affect
        aim = f"should be {mood_name(at)}" if at else ""
        hint = f"valence {signed(at.valence)}, arousal {signed(at.arousal)}" if at else ""
        cards.append(
            f'<article class="pair"><div><img src="{thumbnail(old, 256)}" alt="before: {text(request.prompt[:120])}">'
            f'<img src="{thumbnail(new, 256)}" alt="after: {text(request.prompt[:120])}"></div>'
            f'<p>{words}</p><footer title="{hint}">{aim}</footer></article>'
        )
    same = '<p class="quiet">No picture has changed yet.</p>' if alike(before, after) else ""
    return (
        '<h4 class="pairs-title">Before, and beside it with what it learned so far: words it never practised</h4>'
        f'{same}<div class="pairs">{"".join(cards)}</div>'
    )


def alike(before: Sequence[Image.Image], after: Sequence[Image.Image]) -> bool:
    """Whether both hold the very same pictures."""
    return len(before) == len(after) and all(
        a.size == b.size and a.convert("RGB").tobytes() == b.convert("RGB").tobytes()
        for a, b in zip(before, after, strict=True)
    )


def estimate_words(estimate: Estimate, by_minutes: bool) -> str:
    """The dry run in words."""
    memory = "" if estimate.memory_mb is None else f" At its peak it took {_memory(estimate.memory_mb)} of memory."
    amount = f"{estimate.updates} updates ({estimate.pictures:,} pictures)"
    span = f"about {_minutes(estimate.minutes)}"
    total = f"{span} make {amount}" if by_minutes else f"{amount} take {span}"
    return (
        f"Measured here: one update takes {_seconds(estimate.seconds_per_update)} and one check "
        f"{_seconds(estimate.seconds_per_audit)}, so {total}, longer while others draw too.{memory}"
    )


def ending_words(result: Mapping[str, Any], started: bool = False) -> str:
    """How a job ended (a FinetuneResult as JSON), in one or two sentences.

    Args:
        started: it began with an adapter.
    """
    why = {
        "budget": "Done",
        "cancelled": "Stopped by you",
        "hacked": "Stopped by the guard, because the reward rose while the second rater saw no gain",
    }[result["stopped"]]
    updates, base, best = result["updates"], result["base"], result["best"]
    count = "1 update" if updates == 1 else f"{updates} updates"
    said = f"{why}: {count} and {result['pictures']:,} pictures in {_seconds(result['seconds'])}."
    if base is not None and best is not None and result["best_update"] > 0:
        said += (
            f" The best was update {result['best_update']}: words it never practised now come "
            f"{_closer(base['error'], best['error'])} their mood ({best['error']:.2f} from it on average, before "
            f"{base['error']:.2f})."
        )
    doubt = no_gain(result, started)
    return f"{said} {doubt}" if doubt else said


def no_gain(result: Mapping[str, Any] | None, started: bool = False) -> str:
    """What speaks against the adapter of a job that ended so; empty where its audit shows a gain.

    Args:
        started: it began with an adapter.
    """
    if result is None:
        return ""
    same = "is the one it began with" if started else "changes nothing"
    base, best, update = result["base"], result["best"], result["best_update"]
    if result["updates"] == 0:
        return f"Nothing was learned yet: this adapter {same}."
    if best is None:
        return f"This adapter is that of update {update}; no audit has graded it."
    if update == 0:
        return f"No audited update beat the start, so this adapter {same}; give it more minutes."
    if base is not None and best["error"] >= base["error"]:
        return "The second rater sees them no nearer to their targets: the gain is in content or realism alone."
    return ""


def learned_nothing(result: Mapping[str, Any] | None) -> bool:
    """Whether a job's adapter is the one it began with, or none at all."""
    return result is not None and (
        result["updates"] == 0 or (result["best"] is not None and result["best_update"] == 0)
    )


def _closer(before: float, after: float) -> str:
    """As "24 % closer to"."""
    share = 0.0 if before <= 0 else 1 - after / before
    if abs(share) < 0.005:
        return "no closer to"
    return f"{abs(share):.0%} ".replace("%", " %") + ("closer to" if share > 0 else "further from")


def record_words(record: JobRecord) -> str:
    """A past job in one or two sentences."""
    if record.result is not None:
        return ending_words(record.result, record.settings.get("start") is not None)
    if record.status == RUNNING:
        return "This job was interrupted; it can go on learning from where it was."
    return "This job did not finish."


def record_aim(record: JobRecord) -> str:
    """Which moods a past job aimed at, and when it was ordered: "the four corners, 27 Nov 15:41"."""
    point = record.tasks.get("point")
    aim = REGIONS.get(record.tasks.get("region", "point"), "")
    if point:
        aim = mood_name(Affect.clamped(point["valence"], point["arousal"]))
    try:
        when = time.strftime("%d %b %H:%M", time.strptime(record.made, "%Y-%m-%d %H:%M")).lstrip("0")
    except ValueError:
        when = record.made
    return f"{aim}, {when}" if aim else when


def record_label(record: JobRecord) -> str:
    """A past job in the list: where to, when, what came of it."""
    result = record.result or {}
    base, best = result.get("base"), result.get("best")
    gain = f": {_closer(base['error'], best['error'])} the mood" if base and best else ""
    if learned_nothing(record.result):
        gain = ": changes nothing"
    state = {"budget": "", "cancelled": ", stopped", "hacked": ", stopped by the guard", RUNNING: ", interrupted"}
    return f"{record_aim(record)}{gain}{state.get(record.status, ', failed')}"


def place_words(place: QueuePlace) -> str:
    """The place in the queue, and how long it lasts where that is known."""
    said = "One job is before yours" if place.ahead == 1 else f"{place.ahead} jobs are before yours"
    return f"{said}, about {_minutes(place.seconds / 60)} left …" if place.seconds is not None else f"{said} …"


def event_words(entry: Entry, pace: Pace, base: Mapping[str, Any] | None) -> str:
    """One event as a status line, with the time that is left as far as it was measured.

    Args:
        base: the check before the first update.
    """
    if entry["kind"] == "audit":
        if base is None or entry["update"] == 0:
            said = "The pictures as they were are checked; now it learns"
        else:
            said = f"Checked after update {entry['update']}: {_closer(base['error'], entry['error'])} the mood"
    else:
        of = f" of {pace.updates}" if pace.updates else ""
        unread = ", but no picture could be read" if entry["reward"] is None else ""
        said = f"Update {entry['update']}{of}{unread}"
    return said + left_words(pace)


def left_words(pace: Pace) -> str:
    """How long a job still takes, and what that rests on."""
    left = pace.left()
    if left is None:
        return "; the first update tells how long it takes"
    count = "one update" if pace.measured == 1 else f"{pace.measured} updates"
    return f"; about {_minutes(left / 60)} left, measured from {count}" if left >= 1 else ""


def _minutes(minutes: float) -> str:
    if minutes < 1.5:
        return _seconds(60 * minutes)
    return f"{minutes:.0f} minutes"


def _seconds(seconds: float) -> str:
    if seconds >= 90:
        return f"{seconds / 60:.1f} minutes"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _memory(megabytes: float) -> str:
    return f"{megabytes / 1024:.1f} GB" if megabytes >= 1024 else f"{megabytes:.0f} MB"
