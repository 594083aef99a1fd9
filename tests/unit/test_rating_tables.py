"""Rating tables as spreadsheets, other systems and published sets write them."""

import logging
from pathlib import Path

import pytest
from PIL import Image

from emofeedback.errors import UserError
from emofeedback.evaluation.protocols.human_ratings import RatingSet, load_ratings

RATED = [(f"scene {i:02d}", 1.5 + i % 6, 8.5 - i % 7) for i in range(24)]
PLAIN = "image,valence,arousal\n" + "".join(f"{name}.png,{v},{a}\n" for name, v, a in RATED)
GERMAN = PLAIN.replace(",", ";").replace(".png", "<>").replace(".", ",").replace("<>", ".png")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name, _, _ in RATED:
        Image.new("RGB", (8, 8)).save(folder / f"{name}.png")
    return folder


def load(images: Path, content: str | bytes, columns: list[str] | None = None) -> RatingSet:
    table = images.parent / "table.csv"
    table.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_ratings(table, images, (1, 9), columns)


def first_line(names: str, text: str = PLAIN) -> str:
    return text.replace("image,valence,arousal", names)


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n").encode("utf-8-sig"),
        PLAIN.replace("\n", "\r"),
        GERMAN,
        "sep=;\n" + GERMAN,
        PLAIN.replace(",", "\t").encode("utf-16"),
        PLAIN.replace(",", " , "),
        PLAIN.replace("scene", "C:\\photos\\scene"),
        PLAIN.replace("scene", "./scene"),
        first_line("Theme,Valence_mean,Arousal_mean").replace(".png", ""),
        first_line("IAPS,valmn,aromn").replace(".png", ""),
        first_line("stim_file,valence,arousal").replace(",", "\t"),
        first_line("image,valence,arousal,Gr\xf6\xdfe").encode("cp1252"),
        PLAIN + PLAIN.partition("\n")[2],
        PLAIN + "scene 99.png,NA,3\nscene 98.png,n/a,\n\n",
        'note,image,valence,arousal\n"a\nb; c","scene 00.png","1,5",8.5\n'
        + "".join(f",{row}\n" for row in PLAIN.splitlines()[2:]),
    ],
)
def test_tables_of_all_kinds_say_the_same(images: Path, content: str | bytes) -> None:
    """Each of these was refused, or its ratings were read wrongly, although a person sees what is meant."""
    rows = load(images, content).rows
    assert [row.path.name for row in rows] == [f"{name}.png" for name, _, _ in RATED]
    wanted = [((v - 5) / 4, (a - 5) / 4) for _, v, a in RATED]
    assert [(row.affect.valence, row.affect.arousal) for row in rows] == [pytest.approx(pair) for pair in wanted]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (PLAIN + "scene 00.png,2,2\n", r"rated twice in table.csv \(lines 2 and 26\)"),
        (PLAIN.replace("1.5", "9.5", 1), "Line 2 of table.csv holds '9.5', which is not on the scale 1 to 9"),
        (PLAIN.replace("1.5", "1,5", 1), "Line 2 of table.csv has more fields than the first"),
        (first_line("image,valence;1-9,arousal"), "give --columns"),
        (PLAIN.replace("scene 00", "scene 77"), "scene 77.png .line 2 of table.csv. is missing"),
        ("", "is empty"),
        ("image,valence,arousal\n", "rates 0 pictures"),
        (b"\xff\xfea", "no text in UTF-8 or UTF-16"),
        ('image,valence,arousal\n"' + "x" * 200_000, "cannot be read as a table"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_line(images: Path, content: str | bytes, says: str) -> None:
    with pytest.raises(UserError, match=says):
        load(images, content)


def test_columns_may_hold_another_delimiter(images: Path) -> None:
    odd = ["image", "valence;1-9", "arousal"]
    assert len(load(images, first_line(",".join(odd)), odd).rows) == len(RATED)


def test_a_name_that_two_files_have_is_not_guessed(images: Path) -> None:
    Image.new("RGB", (8, 8)).save(images / "scene 03.jpg")
    with pytest.raises(UserError, match="may be scene 03.png or scene 03.jpg"):
        load(images, PLAIN.replace(".png", ""))


def test_a_scale_that_the_ratings_do_not_reach_is_said(images: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Ratings from 1 to 7 given as 1 to 9 were calibrated to pictures that nobody finds pleasant, without a word."""
    with caplog.at_level(logging.WARNING):
        load(images, PLAIN)
        assert not caplog.messages
        load(
            images,
            "image,valence,arousal\n" + "".join(f"{name}.png,{1 + i % 7},4\n" for i, (name, _, _) in enumerate(RATED)),
        )
    assert caplog.messages == ["No rating is above 7.00 of the scale 1 to 9; check --scale."]


def test_rows_without_a_rating_are_told_and_an_empty_table_is_called_so(
    images: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        rows = load(images, PLAIN + "other.png,NA,3\n").rows
    assert len(rows) == len(RATED) and "1 of 25 rows of table.csv hold no rating" in caplog.text
    with pytest.raises(UserError, match="table.csv is empty"):
        load(images, "\n")
