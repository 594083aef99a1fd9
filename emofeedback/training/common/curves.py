"""A learning curve as SVG from the log of a run: for model cards and the results page."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

WIDTH, HEIGHT, MARGIN = 640, 300, 48
COLOURS = ("#2f6fb5", "#c4503c", "#3d8b57", "#7b5ea7")


def read_log(path: Path) -> list[dict[str, float]]:
    """The rows of a run's log.jsonl; a line that a kill cut short is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def curve_svg(rows: Sequence[Mapping[str, float]], values: Sequence[str], x: str = "step") -> str:
    """Logged values over `x` on a logarithmic axis.

    Args:
        rows: of a log; rows without a value, or with one that is not positive, are left out of its line.
        values: keys of at most four positive quantities.

    Raises:
        ValueError: no row holds any of the values.
    """
    lines = {
        name: [(float(row[x]), math.log10(float(row[name]))) for row in rows if float(row.get(name, math.nan)) > 0]
        for name in values
    }
    points = [point for line in lines.values() for point in line]
    if not points:
        raise ValueError(f"the log holds none of {', '.join(values)}")
    right = max(p[0] for p in points)
    low, high = min(p[1] for p in points), max(p[1] for p in points)
    low, high = low - 0.02, high + 0.02

    def place(point: tuple[float, float]) -> tuple[float, float]:
        across = MARGIN + point[0] / right * (WIDTH - 2 * MARGIN)
        return across, HEIGHT - MARGIN - (point[1] - low) / (high - low) * (HEIGHT - 2 * MARGIN)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    ]
    for k in range(5):
        level = low + k / 4 * (high - low)
        y = place((0, level))[1]
        out.append(f'<path d="M {MARGIN} {y:.1f} H {WIDTH - MARGIN}" stroke="#dddddd"/>')
        out.append(f'<text x="{MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">{10**level:.3g}</text>')
    for k in range(5):
        across = place((k / 4 * right, low))[0]
        out.append(f'<text x="{across:.0f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{k / 4 * right:.0f}</text>')
    out.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">{x}</text>')
    for k, (colour, (name, line)) in enumerate(zip(COLOURS, lines.items(), strict=False)):
        path = " ".join(f"{'L' if i else 'M'} {a:.1f} {b:.1f}" for i, (a, b) in enumerate(map(place, line)))
        out.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        out.append(
            f'<text x="{WIDTH - MARGIN}" y="{MARGIN - 24 + 15 * k}" text-anchor="end" fill="{colour}">{name}</text>'
        )
    return "".join(out) + "</svg>\n"


def write_curve(log: Path, values: Sequence[str], out: Path) -> None:
    """Write the curve of a log to an SVG file, whole or not at all; nothing where the log holds no such value."""
    try:
        svg = curve_svg(read_log(log), values)
    except (OSError, ValueError):
        return
    temporary = out.with_name(f".{out.name}.new")
    temporary.write_text(svg, encoding="utf-8")
    os.replace(temporary, out)
