"""Names of saved pictures."""

from emofeedback.affect import Affect, mood_name
from emofeedback.files.picture_names import picture_name, picture_names, slug
from emofeedback.records import PictureRequest


def test_a_file_is_named_by_prompt_mood_and_seed() -> None:
    """They were called round-01-candidate-02.png, whatever was in them."""
    happy = PictureRequest("A Lighthouse, by the séa!", Affect(0.8, 0.2), 7)
    assert picture_name(happy) == "a-lighthouse-by-the-sea-happy-seed-7.png"
    assert picture_name(PictureRequest("", None, 0)) == "mood-seed-0.png"
    assert picture_names([happy, happy])[1] == "a-lighthouse-by-the-sea-happy-seed-7-2.png"


def test_a_name_is_safe_and_cut_between_words() -> None:
    assert slug("../../etc/passwd\0") == "etc-passwd"
    assert slug("灯台") == ""
    long = slug("a wide harbour with boats and gulls and a pier that goes on without an end")
    assert len(long) <= 48 and long.endswith("-a-pier")
    assert slug("x" * 300) == "x" * 48


def test_moods_are_called_as_on_the_pad() -> None:
    """History called "contentment" and "amusement" what Create calls serene and happy."""
    assert mood_name(Affect(0.7, -0.45)) == "serene" and mood_name(Affect(0.7, 0.4)) == "happy"
    assert mood_name(Affect(0.0, 0.1)) == "neutral"
