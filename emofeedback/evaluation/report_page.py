"""report.html: one file that needs nothing beside it: tables with intervals, scatter plots, curves, sheets."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from PIL import Image

from emofeedback.evaluation.report import Measure
from emofeedback.files.storage import write_whole

SHOWN = 192
"""Longest side of a picture in a report, in pixels."""
PLOT, PAD = 280, 34
COLOURS = 6
"""Of lines and dots: the variables --c0 .. --c5 of the style sheet."""
EXPRESSED = (
    "Valence and arousal are what a picture expresses to whoever or whatever rated it, from -1 to 1. They are not what "
    "a viewer feels, and a rater is not everybody."
)


@dataclass(frozen=True, slots=True)
class Section:
    """A card of the page; `body` is HTML."""

    title: str
    body: str
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture with a line below it."""

    image: Image.Image
    caption: str


@dataclass(frozen=True, slots=True)
class Line:
    """A curve: (x, y) in the order of x."""

    name: str
    points: Sequence[tuple[float, float]]


def write_report_page(path: Path, data: Mapping[str, Any], sections: Sequence[Section]) -> None:
    """Write the page of a report, whole or not at all.

    Args:
        data: the report as JSON (see `report`), for title, command, models and machine.
    """
    write_whole(path, report_page(data, sections).encode())


def report_page(data: Mapping[str, Any], sections: Sequence[Section]) -> str:
    """The whole page."""
    title = str(data["report"])
    models = " · ".join(f"{part}: {name}" for part, name in data["models"].items())
    cards = "".join(
        f"<section><h2>{escape(s.title)}</h2>{_lead(s.lead)}{s.body}</section>" for s in (*sections, _made(data))
    )
    style = resources.files("emofeedback.evaluation").joinpath("report_page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body><main>"
        f"<header><h1>Emo<i>Feedback</i> · {escape(title)}</h1><p>{escape(models)}</p></header>{cards}"
        f"<footer><p>{escape(EXPRESSED)}</p></footer></main></body></html>\n"
    )


def _made(data: Mapping[str, Any]) -> Section:
    machine = data["machine"]
    on = f"{machine['processor']}, {machine['cores']} cores, GPU: {machine['gpu'] or 'none'}, {machine['system']}"
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    rows = (
        ("Command", f"<code>{escape(str(data['command']))}</code>"),
        ("Seed", escape(str(data["seed"]))),
        ("Machine", escape(on)),
        ("Versions", escape(f"emofeedback {data['version']}, {packages}")),
    )
    table = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
    return Section("How this was made", f'<div class="wide"><table>{table}</table></div>')


def _lead(text: str) -> str:
    return f'<p class="lead">{escape(text)}</p>' if text else ""


def measures_section(title: str, measures: Sequence[Measure], lead: str = "") -> Section:
    """A table with a row a measure: value, interval as a bar, n, goal."""
    return Section(title, measures_table(measures), lead or "Intervals are 95 % bootstrap intervals.")


def measures_table(measures: Sequence[Measure]) -> str:
    head = "<tr><th>What</th><th class=n>Value</th><th></th><th>95 % interval</th><th class=n>n</th><th>Goal</th></tr>"
    return f'<div class="wide"><table>{head}{"".join(map(_row, measures))}</table></div>'


def _row(measure: Measure) -> str:
    goal, holds = measure.goal_text() or "", measure.holds()
    mark = "" if holds is None else f' <span class="{"holds" if holds else "missed"}">{_word(holds)}</span>'
    value = figure(measure.value) if math.isfinite(measure.value) else escape(measure.note or "not known")
    return (
        f"<tr><td>{escape(measure.name)}<small>{escape(measure.unit)}</small></td><td class=n>{value}</td>"
        f"<td>{_bar(measure)}</td><td>{interval_text(measure)}</td><td class=n>{measure.n}</td>"
        f"<td>{escape(goal)}{mark}</td></tr>"
    )


def _word(holds: bool) -> str:
    return "holds" if holds else "missed"


def figure(value: float) -> str:
    """A number for a table: three digits that count."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) >= 1 else f"{value:.3f}"
    return text.replace("-0.000", "0.000")


def interval_text(measure: Measure) -> str:
    """ "0.12 .. 0.34"; empty without an interval."""
    if measure.interval is None or not all(map(math.isfinite, measure.interval)):
        return ""
    return f"{figure(measure.interval[0])} .. {figure(measure.interval[1])}"


def _bar(measure: Measure) -> str:
    """The interval on a line that begins at 0 and ends beyond what is shown."""
    if measure.interval is None or not all(map(math.isfinite, (*measure.interval, measure.value))):
        return ""
    low, high = measure.interval
    ends = [low, high, 0.0, *(end for end in measure.goal or () if end is not None)]
    left, right = min(ends), max(ends)
    span = (right - left) or 1.0

    def at(value: float) -> float:
        return 6 + 138 * (value - left) / span

    goals = "".join(
        f'<path d="M{at(end):.1f} 1V15" stroke="var(--good)" stroke-dasharray="2 2"/>'
        for end in measure.goal or ()
        if end is not None
    )
    return (
        f'<svg class="bar" viewBox="0 0 150 16" aria-hidden="true"><path d="M{at(0.0):.1f} 2V14" stroke="var(--line)"/>'
        f'{goals}<path d="M{at(low):.1f} 8H{at(high):.1f}" stroke="var(--c1)" stroke-width="3" stroke-linecap="round"/>'
        f'<circle cx="{at(measure.value):.1f}" cy="8" r="3.6" fill="var(--coral)"/></svg>'
    )


def columns_table(
    titles: Sequence[str], names: Sequence[str], rows: Sequence[Sequence[Measure | None]], best: Sequence[str] = ()
) -> str:
    """One column a title, one row a figure; the best column of a row is marked.

    Args:
        names: of the rows.
        best: "low", "high" or "" for each row: which end is the best; () = none is marked.
    """
    head = "<th></th>" + "".join(f"<th class=n>{escape(title)}</th>" for title in titles)
    body = []
    for index, (name, row) in enumerate(zip(names, rows, strict=True)):
        end = best[index] if index < len(best) else ""
        values = [m.value for m in row if m is not None and math.isfinite(m.value)]
        top = None if not end or len(set(values)) < 2 else min(values) if end == "low" else max(values)
        cells = "".join(f"<td class=n>{_cell(measure, top)}</td>" for measure in row)
        body.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(body)}</table></div>'


def _cell(measure: Measure | None, top: float | None) -> str:
    if measure is None or not math.isfinite(measure.value):
        return "–"
    value = figure(measure.value)
    value = f'<span class="best">{value}</span>' if top is not None and measure.value == top else value
    return f"{value}<small>{interval_text(measure)}</small>"


def scatter(
    x: Sequence[float], y: Sequence[float], caption: str, across: str = "target", up: str = "read", colour: int = 0
) -> str:
    """Dots on [-1, 1]^2 with the diagonal; pairs that are not numbers are left out."""

    def at(value: float) -> float:
        return PAD + (value + 1) / 2 * (PLOT - 2 * PAD)

    known = [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(a) and math.isfinite(b)]
    fill = f"var(--c{colour % COLOURS})"
    radius = 3.2 if len(known) < 300 else 1.8
    dots = "".join(
        f'<circle cx="{at(a):.1f}" cy="{PLOT - at(b):.1f}" r="{radius}" fill="{fill}" opacity=".5"/>' for a, b in known
    )
    return f"<figure>{_frame(dots, across, up)}<figcaption>{escape(caption)} (n = {len(known)})</figcaption></figure>"


def _frame(inside: str, across: str, up: str) -> str:
    low, high, middle = PAD, PLOT - PAD, PLOT / 2
    lines = f"M{low} {middle}H{high}M{middle} {low}V{high}M{low} {low}H{high}V{high}H{low}Z"
    return (
        f'<svg viewBox="0 0 {PLOT} {PLOT}" role="img" aria-label="{escape(up)} against {escape(across)}">'
        f'<path d="{lines}" fill="none" stroke="var(--grid)"/>'
        f'<path d="M{low} {high}L{high} {low}" stroke="var(--soft)" stroke-dasharray="3 4"/>{inside}'
        f'<text x="{middle}" y="{PLOT - 6}" text-anchor="middle">{escape(across)}</text>'
        f'<text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">{escape(up)}</text>'
        f'<text x="{low}" y="{high + 14}">-1</text><text x="{high}" y="{high + 14}" text-anchor="end">1</text></svg>'
    )


def curves(lines: Sequence[Line], across: str, up: str, caption: str = "") -> str:
    """Curves over one pair of axes, each with its name."""
    points = [point for line in lines for point in line.points if all(map(math.isfinite, point))]
    if not points:
        return ""
    left, right = min(p[0] for p in points), max(p[0] for p in points)
    low, high = min(p[1] for p in points), max(p[1] for p in points)
    width, height, pad = 640, 300, 48

    def at(point: tuple[float, float]) -> str:
        x = pad + (point[0] - left) / ((right - left) or 1) * (width - 2 * pad)
        y = height - pad - (point[1] - low) / ((high - low) or 1) * (height - 2 * pad)
        return f"{x:.1f} {y:.1f}"

    drawn = []
    for k, line in enumerate(lines):
        known = [at(point) for point in line.points if all(map(math.isfinite, point))]
        colour = f"var(--c{k % COLOURS})"
        drawn.append(f'<path d="M{"L".join(known)}" fill="none" stroke="{colour}" stroke-width="2"/>' if known else "")
        drawn.append(f'<text x="{pad + 8}" y="{pad + 14 * k}" style="fill:{colour}">{escape(line.name)}</text>')
    axes = (
        f'<path d="M{pad} {pad}V{height - pad}H{width - pad}" fill="none" stroke="var(--grid)"/>'
        f'<text x="{pad}" y="{height - pad + 16}">{figure(left)}</text>'
        f'<text x="{width - pad}" y="{height - pad + 16}" text-anchor="end">{figure(right)}</text>'
        f'<text x="{pad - 6}" y="{height - pad}" text-anchor="end">{figure(low)}</text>'
        f'<text x="{pad - 6}" y="{pad + 6}" text-anchor="end">{figure(high)}</text>'
        f'<text x="{width / 2}" y="{height - 8}" text-anchor="middle">{escape(across)}</text>'
        f'<text x="14" y="{height / 2}" text-anchor="middle" transform="rotate(-90 14 {height / 2})">'
        f"{escape(up)}</text>"
    )
    return (
        f'<figure><svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(up)} over {escape(across)}">'
        f"{axes}{''.join(drawn)}</svg><figcaption>{escape(caption)}</figcaption></figure>"
    )


def plots(figures: Sequence[str]) -> str:
    """Figures side by side."""
    return f'<div class="plots">{"".join(figures)}</div>'


def gallery(pictures: Sequence[Shown]) -> str:
    """Pictures with their captions."""
    items = (
        f'<figure><img src="{data_url(p.image)}" alt="{escape(p.caption, True)}">'
        f"<figcaption>{escape(p.caption)}</figcaption></figure>"
        for p in pictures
    )
    return f'<div class="gallery">{"".join(items)}</div>'


def sheet(title: str, images: Sequence[Image.Image], columns: int) -> str:
    """A V-A sheet: valence to the right, arousal upwards."""
    cells = "".join(f'<img src="{data_url(image, 96)}" alt="">' for image in images)
    return (
        f'<figure style="margin:0"><div class="sheet" style="grid-template-columns:repeat({columns},auto)">'
        f"{cells}</div>"
        f"<figcaption>{escape(title)}</figcaption></figure>"
    )


def data_url(image: Image.Image, side: int = SHOWN) -> str:
    """A picture inside the page, at most `side` pixels a side."""
    small = image.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=86)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
