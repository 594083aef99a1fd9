"""Numbers and texts beyond measure end in one short sentence."""

import pytest

from emofeedback.affect import Affect
from emofeedback.errors import MAX_MESSAGE, UserError
from emofeedback.loop.drawing import Drawing, check_number


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_number_of_hundreds_of_digits_is_one_short_sentence(digits: int) -> None:
    """math.isfinite(10**400) raises OverflowError, and repr(10**5000) ValueError."""
    for make in (
        lambda: Affect(10**digits, 0.0),
        lambda: Drawing(seed=10**digits),
        lambda: check_number("strength", -(10**digits), 0.0, 5.0),
    ):
        with pytest.raises(UserError, match="a huge number"):
            make()
    with pytest.raises(UserError, match="from 0 to 5, not nan"):
        check_number("strength", float("nan"), 0.0, 5.0)


def test_a_message_is_a_short_sentence_that_can_be_written() -> None:
    said = str(UserError(f"There is no judge {'la ' * 400_000}; known are bundled \ud83d."))
    assert said.startswith("There is no judge la la") and said.endswith("known are bundled ?.")
    assert len(said) <= MAX_MESSAGE and said.encode()
