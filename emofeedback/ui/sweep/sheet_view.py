"""The sheet of the Continuum tab as HTML: one button a picture, and what it looks like before there is one."""

from collections.abc import Mapping, Sequence

from emofeedback.affect import Affect, mood_name
from emofeedback.records import Picture, Reading
from emofeedback.sweep.plane import Continuity, grid_affects
from emofeedback.sweep.run_sweep import Sweep
from emofeedback.ui.parts import html
from emofeedback.ui.parts.circumplex import mood_colour

EMPTY_GRID = 5
THUMBNAILS = 1_600
"""Side of all thumbnails of a row together, in pixels; one has 96 to 320."""
EVEN, JUMPY = 2.0, 3.5
"""Largest step over the mean one: below the first a change is even, above the second it jumps."""


def empty_sheet() -> str:
    """The plane of moods in their colours, with one sentence."""
    tiles = "".join(
        f'<i style="background:{mood_colour(point)}"></i>' for row in grid_affects(EMPTY_GRID, 1.0) for point in row
    )
    return _framed(
        f'<div class="cells" style="--columns:{EMPTY_GRID}" aria-hidden="true">{tiles}</div>'
        "<p>The same words and the same seed at every mood.<br><b>Draw the sheet</b> fills "
        "this plane with pictures.</p>",
        "blank",
    )


def sheet_of(sweep: Sweep, chosen: int = 0) -> str:
    """A sheet, or a path as a film strip.

    Args:
        chosen: index of the picture that is shown beside it.
    """
    pictures, is_path = sweep.cells(), len(sweep.pictures) == 1
    columns = len(sweep.pictures[0])
    side = min(320, max(96, THUMBNAILS // columns))
    cells = "".join(
        _cell(index, picture, reading, side, index == chosen)
        for index, (picture, reading) in enumerate(zip(pictures, sweep.readings, strict=True))
    )
    if is_path:
        label = "The path, first to last"
        return f'<div class="sheet film" role="group" aria-label="{label}"><div class="cells">{cells}</div></div>'
    body = f'<div class="cells" style="--columns:{columns}">{cells}</div>'
    return _framed(body, "", "Pleasant to the right, excited upwards")


def _framed(body: str, kind: str, label: str = "") -> str:
    named = f' role="group" aria-label="{html.text(label)}"' if label else ""
    ends = "".join(
        f'<span class="end {side}" title="{term}">{word}</span>'
        for side, term, word in (
            ("up", "high arousal", "excited"),
            ("low", "low arousal", "calm"),
            ("left", "low valence", "unpleasant"),
            ("right", "high valence", "pleasant"),
        )
    )
    return f'<div class="sheet {kind}"{named}>{ends}{body}</div>'


def _cell(index: int, picture: Picture, reading: Reading | None, side: int, chosen: bool) -> str:
    name = cell_label(index, picture)
    read = "" if reading is None else f", reads as {mood_name(reading.affect)}"
    at = picture.request.affect
    hint = "" if at is None else f"valence {html.signed(at.valence)}, arousal {html.signed(at.arousal)}"
    return (
        f'<button type="button" data-index="{index}" aria-pressed="{str(chosen).lower()}" '
        f'tabindex="{0 if chosen else -1}" aria-label="{html.text(name + read)}" title="{html.text(hint)}">'
        f'<img src="{html.thumbnail(picture.image, side)}" alt=""></button>'
    )


def cell_label(index: int, picture: Picture) -> str:
    """A picture of the sheet by its number and mood."""
    at = picture.request.affect
    return f"{index + 1}" if at is None else f"{index + 1}: {mood_name(at)}"


def evenness(figures: Mapping[str, Continuity]) -> str:
    """How evenly the picture changes: a sentence for each axis, and the figures for experts."""
    said = " ".join(_sentence(axis, figure) for axis, figure in figures.items())
    rows = "".join(
        f"<tr><td>{html.text(axis)}</td><td>{f.mean_step:.1f}</td><td>{f.largest_step:.1f}</td>"
        f"<td>{f.ratio:.1f}</td><td>{f.travel:.1f}</td></tr>"
        for axis, f in figures.items()
    )
    return (
        f'<p class="quiet evenness">{said}</p><div class="expert"><table class="figures"><thead><tr><th>Along</th>'
        "<th>mean step</th><th>largest step</th><th>largest / mean</th><th>end to end</th></tr></thead><tbody>"
        f'{rows}</tbody></table><p class="quiet">Steps between neighbours in ΔE (CIELAB, averaged down to 32 × 32).</p>'
        "</div>"
    )


def _sentence(axis: str, figure: Continuity) -> str:
    along = {"valence": "From unpleasant to pleasant", "arousal": "From calm to excited"}.get(axis, "Along the path")
    if figure.travel < 1:
        return f"{along} it hardly changes."
    how = "evenly" if figure.ratio < EVEN else "fairly evenly" if figure.ratio < JUMPY else "in jumps"
    return f"{along} it changes {how}."


def path_label(points: Sequence[Affect]) -> str:
    """The plane of a path, spoken."""
    return f"Plane of moods with {len(points)} points of the path; they are also in the field below."
