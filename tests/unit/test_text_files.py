"""Prompts and their files as editors write them, and characters that are none."""

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest

from emofeedback.cli.console import plain_text
from emofeedback.cli.finetune_command import read_prompts
from emofeedback.errors import UserError
from emofeedback.records import PictureRequest
from emofeedback.text import prompt_lines
from emofeedback.ui.create.create_order import checked_words

TEXT = "# my prompts\n\n#1 dad's mug\na dog in a café\r  a cat  \r\n#\na dog in a café\na 犬"
PROMPTS = ("#1 dad's mug", "a dog in a café", "a cat", "a 犬")


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
    ],
)
def test_prompt_files_of_all_editors_say_the_same(tmp_path: Path, content: bytes) -> None:
    """A mark before "# my prompts" made it a prompt, UTF-16 was refused, and the tab drew comment lines."""
    (tmp_path / "prompts.txt").write_bytes(content)
    assert tuple(read_prompts(tmp_path / "prompts.txt")) == PROMPTS == prompt_lines(TEXT)


@pytest.mark.parametrize("content", [b"caf\xe9", b"\xff\xfea", b"\xff\xfe\x00\xd8a\0", b"\xef\xbb\xbf\xff"])
def test_a_prompt_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "prompts.txt").write_bytes(content)
    with pytest.raises(UserError, match="no text in UTF-8 or UTF-16"):
        read_prompts(tmp_path / "prompts.txt")


@pytest.mark.parametrize("take", [checked_words, prompt_lines, plain_text, lambda text: PictureRequest(text, None, 0)])
def test_half_a_character_is_one_short_sentence(take: Callable[[str], object]) -> None:
    """A lone surrogate in a prompt broke off where the text was encoded: in a tokenizer, a file or an answer."""
    with pytest.raises(UserError, match="half a character") as caught:
        take("a dog \ud83d")
    str(caught.value).encode()
