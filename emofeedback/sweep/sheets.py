"""Sheets and strips: many pictures on one board, with their places on the plane written beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from emofeedback.records import Picture

GAP, LEFT, BELOW, STRIP_COLUMNS = 4, 44, 22, 8


@dataclass(frozen=True, slots=True)
class Board:
    """Where the pictures of a sheet or of a strip lie, in pixels.

    A sheet has one row of pictures per arousal, a strip (a path) runs on from row to row; `labels` tells whether each
    picture has a line of its own below it.
    """

    size: int  # side of one picture
    columns: int
    rows: int
    labels: bool

    @property
    def left(self) -> int:
        return 0 if self.labels else LEFT

    @property
    def pitch(self) -> int:
        """From one row to the next."""
        return self.size + (BELOW if self.labels else GAP)

    @property
    def extent(self) -> tuple[int, int]:
        """Width and height of the whole board."""
        return self.left + self.columns * (self.size + GAP), self.rows * self.pitch + (0 if self.labels else BELOW)

    def corner(self, index: int) -> tuple[int, int]:
        """Upper left corner of a picture; they are counted row by row."""
        row, column = divmod(index, self.columns)
        return self.left + column * (self.size + GAP), row * self.pitch

    def index_at(self, x: float, y: float) -> int | None:
        """The picture at a pixel of the board; None beside them."""
        column, row = int((x - self.left) // (self.size + GAP)), int(y // self.pitch)
        inside = 0 <= column < self.columns and 0 <= row < self.rows and x >= self.left
        return row * self.columns + column if inside else None


def board_of(rows: Sequence[Sequence[Picture]]) -> Board:
    """The layout of a sheet, or of a path where there is but one row."""
    size, count = rows[0][0].image.width, len(rows[0])
    if len(rows) > 1:
        return Board(size, count, len(rows), labels=False)
    lines = -(-count // STRIP_COLUMNS)
    return Board(size, -(-count // lines), lines, labels=True)


def sheet(rows: Sequence[Sequence[Picture]]) -> Image.Image:
    """One picture of all: a sheet with valence below and arousal at the left, or a strip with both below each."""
    board = board_of(rows)
    drawn = Image.new("RGB", board.extent, "white")
    pen = ImageDraw.Draw(drawn)
    for index, picture in enumerate(p for row in rows for p in row):
        x, y = board.corner(index)
        drawn.paste(picture.image, (x, y))
        affect = picture.request.affect
        if affect is None:
            continue
        middle = x + board.size // 2
        if board.labels:
            label = f"V {affect.valence:+.2f} A {affect.arousal:+.2f}"
            pen.text((middle, y + board.size + BELOW // 2), label, "black", anchor="mm")
            continue
        if index % board.columns == 0:
            pen.text((LEFT - 6, y + board.size // 2), f"A {affect.arousal:+.2f}", "black", anchor="rm")
        if index // board.columns == board.rows - 1:
            pen.text((middle, drawn.height - BELOW // 2), f"V {affect.valence:+.2f}", "black", anchor="mm")
    return drawn
