"""What the Fine-tune tab shows: charts as inline SVG, pictures before and after, sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from emofeedback.finetuning.job_store import RUNNING, JobRecord
from emofeedback.finetuning.order import REGIONS, Estimate, FinetuneOrder
from emofeedback.records import PictureRequest
from emofeedback.ui.parts.html import signed, text, thumbnail

Entry = dict[str, Any]
Points = list[tuple[float, float]]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 320.0, 168.0, 46.0, 12.0, 30.0, 24.0
PAIRS = 8  # shown at most


def charts(entries: Sequence[Entry]) -> str:
    """Reward, audit and drift by update, from the job's events so far."""

    def points(kind: str, name: str) -> Points:
        return [(e["update"], e[name]) for e in entries if e["kind"] == kind and e.get(name) is not None]

    audits = points("audit", "score")
    base = audits[0][1] if audits else None
    return (
        '<div class="charts">'
        + chart("Reward", points("update", "reward"), "the judge's score of each update, higher is better")
        + chart("Audit", audits, "the second rater on held-out prompts, higher is better", base)
        + chart("Drift", points("update", "drift"), "how far the generator moved from the base")
        + "</div>"
    )


def chart(title: str, points: Points, note: str, base: float | None = None) -> str:
    """One line over the updates.

    Args:
        points: (update, value), updates rising.
        base: drawn as a dashed level.
    """
    last = f"{points[-1][1]:.3g}".replace("-", "−") if points else "…"
    spoken = f"{title}: {note}; " + (f"now {last} after update {points[-1][0]:g}." if points else "nothing yet.")
    return (
        f'<figure><svg class="chart" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{text(spoken)}">'
        f'<text x="{LEFT:g}" y="18" class="title">{text(title)}</text>'
        f'<text x="{WIDTH - RIGHT:g}" y="18" class="now">{last}</text>{_drawing(points, base)}</svg>'
        f"<figcaption>{text(note)}</figcaption></figure>"
    )


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
        f'<text x="{LEFT - 5:g}" y="{place(first, v)[1] + 3:.1f}" class="low">{f"{v:.2g}".replace("-", "−")}</text>'
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
        aim = f"to {signed(at.valence)} {signed(at.arousal)}" if at else ""
        cards.append(
            f'<article class="pair"><div><img src="{thumbnail(old, 160)}" alt="before: {text(request.prompt[:120])}">'
            f'<img src="{thumbnail(new, 160)}" alt="after: {text(request.prompt[:120])}"></div>'
            f"<p>{words}</p><footer>{aim}</footer></article>"
        )
    return (
        '<h4 class="pairs-title">Held-out prompts: before, and beside it with the best adapter so far</h4>'
        f'<div class="pairs">{"".join(cards)}</div>'
    )


def estimate_words(estimate: Estimate, by_minutes: bool) -> str:
    """The dry run in words."""
    memory = "" if estimate.memory_mb is None else f" At its peak it took {_memory(estimate.memory_mb)} of memory."
    amount = f"{estimate.updates} updates ({estimate.pictures:,} pictures)"
    span = f"about {_minutes(estimate.minutes)}"
    total = f"{span} make {amount}" if by_minutes else f"{amount} take {span}"
    return (
        f"One update takes {_seconds(estimate.seconds_per_update)} and one audit "
        f"{_seconds(estimate.seconds_per_audit)}: {total}.{memory}"
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
            f" The best was update {result['best_update']}: held-out pictures lie {best['error']:.2f} from "
            f"their targets on average; before it was {base['error']:.2f}."
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


def record_words(record: JobRecord) -> str:
    """A past job in one or two sentences."""
    if record.result is not None:
        return ending_words(record.result, record.settings.get("start") is not None)
    if record.status == RUNNING:
        return "This job was interrupted; it can go on where it was."
    return "This job did not finish."


def record_label(record: JobRecord) -> str:
    """A past job in the list: when, where to, with what, what came of it."""
    point = record.tasks.get("point")
    region = REGIONS.get(record.tasks.get("region", "point"), "")
    aim = f"{signed(point['valence'])} {signed(point['arousal'])}" if point else region
    result = record.result or {}
    base, best = result.get("base"), result.get("best")
    gain = f": {base['error']:.2f} to {best['error']:.2f}" if base and best else ""
    if best and not result["best_update"]:
        gain = ": no gain"
    state = {"budget": "", "cancelled": ", stopped", "hacked": ", stopped by the guard", RUNNING: ", interrupted"}
    objective = record.settings.get("objective", "")
    return f"{record.made}, {objective}, {aim}{gain}{state.get(record.status, ', failed')}"


def place_words(ahead: int) -> str:
    """The place in the queue."""
    return "One job is before yours …" if ahead == 1 else f"{ahead} jobs are before yours …"


def event_words(entry: Entry) -> str:
    """One event as a status line."""
    if entry["kind"] == "audit":
        return f"Audit after update {entry['update']}: {entry['error']:.2f} from the targets on average"
    reward = "nothing could be read" if entry["reward"] is None else f"reward {signed(entry['reward'])}"
    return f"Update {entry['update']}: {reward}"


def left_words(order: FinetuneOrder, entries: Sequence[Entry]) -> str:
    """How long a job still takes by what was measured of it; empty before its first update."""
    updates = [entry for entry in entries if entry["kind"] == "update"]
    if not updates:
        return ""
    done, elapsed = updates[-1]["update"], entries[-1]["elapsed"]
    if order.updates is not None:
        left = elapsed / done * (order.updates - done)  # the audits on the way included
    else:
        left = 60 * (order.minutes or 0.0) - elapsed
    return f"; about {_minutes(left / 60)} left" if left > 0 else ""


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
