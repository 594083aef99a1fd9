"""Sizes as people write them, and what generators make of them."""

import pytest

from emofeedback.errors import UserError
from emofeedback.picture_size import Sizes, size_of

SIZES = Sizes(16, 256, 2048)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", None),
        (None, None),
        ("1216x832", (1216, 832)),
        (" 832 X 1216 ", (832, 1216)),
        ("512×512", (512, 512)),
        ("1:1", (1024, 1024)),
        ("4:1", (2048, 512)),  # the same area as 1024 x 1024
        ("1:4", (512, 2048)),
        ("3:2", (1248, 832)),
        ("16:9", (1360, 768)),
    ],
)
def test_a_size_or_a_ratio_of_the_same_area(text: str | None, size: tuple[int, int] | None) -> None:
    assert size_of(text, SIZES, 1024, "it") == size


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1000x1000", "multiple of 16 from 256 to 2048"),
        ("4096x1024", "multiple of 16 from 256 to 2048"),
        ("large", "WIDTHxHEIGHT"),
        ("0:1", "WIDTHxHEIGHT"),
        ("-16x16", "WIDTHxHEIGHT"),
        ("99999999x16", "WIDTHxHEIGHT"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        size_of(text, SIZES, 1024, "it")


def test_a_generator_of_one_size_takes_that_one_only() -> None:
    assert size_of("128x128", None, 128, "it") is size_of("1:1", None, 128, "it") is None
    with pytest.raises(UserError, match="it draws pictures of 128x128 pixels only"):
        size_of("3:2", None, 128, "it")
