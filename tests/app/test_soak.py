"""A short soak of fakes: twenty users at once, no error, no mix-up, memory flat; and that a mix-up would be seen."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from fakes_ui import FakeGenerator, FakeJudge
from patience import PATIENCE

from emofeedback.deploy.soak import Tally, memory_of, soak
from emofeedback.errors import UserError
from emofeedback.protocols import OnStep
from emofeedback.records import Picture, PictureRequest
from emofeedback.ui import app as studio


def test_twenty_users_at_once(tmp_path: Path) -> None:
    page, url = studio.launch(
        lambda: (FakeGenerator(), FakeJudge()),
        studio.StudioOptions(example=tmp_path / "none", files=tmp_path),
        block=False,
    )
    try:
        tally = soak(url, 20, PATIENCE, calls=3, memory=lambda: memory_of(os.getpid()))
    finally:
        page.close()
    report = tally.report(20)
    assert report["errors"] == 0, report["first_errors"]
    assert report["mix_ups"] == 0, report["first_mix_ups"]
    assert report["calls"] + report["cancelled"] == 60 and report["cancelled"] > 0
    assert report["foreign_reads"] == 0


class Muddled(FakeGenerator):
    """Draws what the caller before asked for."""

    last: PictureRequest | None = None

    def generate(self, requests: Sequence[PictureRequest], on_step: OnStep | None = None) -> Iterator[Picture]:
        mine, self.last = self.last or requests[0], requests[0]
        yield from super().generate([mine], on_step)


def test_a_mix_up_is_seen(tmp_path: Path) -> None:
    page, url = studio.launch(
        lambda: (Muddled(), FakeJudge()), studio.StudioOptions(example=tmp_path / "none", files=tmp_path), block=False
    )
    try:
        tally = soak(url, 2, PATIENCE, calls=3)
    finally:
        page.close()
    assert tally.mix_ups and not tally.good()


def watched(held: Callable[[float], float], seconds: int = 180) -> Tally:
    return Tally(seconds=[1.0], memory=[(float(at), held(at)) for at in range(seconds)])


def test_memory_is_compared_with_that_after_the_first_minute() -> None:
    """It was compared between the second third and the last, which hides three quarters of a steady growth."""
    flat = watched(lambda at: (50 if at < 55 else 100) + at % 2)
    assert flat.growth() == pytest.approx(0.0, abs=0.02) and flat.good()
    grows = watched(lambda at: 100 + 0.12 * at)
    assert grows.growth() == pytest.approx(0.12, abs=0.02) and not grows.good()
    short = watched(lambda at: 100 + at, 100)
    assert short.growth() is None and short.good()
    assert Tally(seconds=[1.0]).good() and not Tally().good()
    assert not Tally(seconds=[1.0], left_behind=1).good() and not Tally(seconds=[1.0], foreign=["x"]).good()


def test_an_address_where_nothing_answers() -> None:
    with pytest.raises(UserError, match="No studio answers"):
        soak("http://127.0.0.1:9/", 1, 1.0)
