"""The safety checker of a generator's family: on at a public host, never asked elsewhere, optional everywhere."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes_ui import FakeGenerator, FakeJudge
from gradio_client import Client
from gradio_client.exceptions import AppError

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.loop.drawing import Drawing
from emofeedback.loop.rounds import Rules
from emofeedback.loop.run import Finished, RunOrder, run_loop
from emofeedback.protocols import SafetyChecked
from emofeedback.records import Picture, PictureRequest
from emofeedback.ui import app as studio
from emofeedback.ui.limits import Hosting
from emofeedback.ui.parts import cards
from emofeedback.ui.safety import BLANK, guarded


class Checked(FakeGenerator):
    """Flags pictures with odd seeds."""

    safety: str | None = "odd-seeds"

    def unsafe(self, pictures: Sequence[Picture]) -> list[bool]:
        return [picture.request.seed % 2 == 1 for picture in pictures]


def request(seed: int) -> PictureRequest:
    return PictureRequest("a boat", Affect(0.5, 0.5), seed)


def test_flagged_pictures_are_blank_unread_and_not_chosen() -> None:
    generator, judge = guarded((Checked(), FakeJudge()))
    fine, flagged = generator.generate([request(0), request(1)])
    assert not fine.withheld and flagged.withheld
    assert flagged.image.getcolors() == [(flagged.image.width * flagged.image.height, BLANK)]
    first, second = judge.read([flagged, fine])
    assert first is None and second is not None
    *_, last = run_loop(generator, judge, RunOrder("a boat", Affect(0.7, 0.1), Drawing(3, 1), Rules(2)))
    assert isinstance(last, Finished)
    for done in last.run.rounds:
        assert not done.best().picture.withheld
        assert sorted(c.picture.withheld for c in done.candidates) == [False, True, True]
    assert "withheld by the safety checker" in cards.caption(
        next(c for c in last.run.rounds[0].candidates if c.picture.withheld)
    )


def test_when_all_are_flagged_one_sentence_says_so() -> None:
    generator, _ = guarded((Checked(), FakeJudge()))
    with pytest.raises(UserError, match="safety checker of this host withheld"):
        list(generator.generate([request(1), request(3)]))


def test_everything_else_is_the_generators_own() -> None:
    inner = Checked()
    generator, judge = guarded((inner, FakeJudge()))
    assert generator.name == "fake-generator" and generator.unknown_words("a zeppelin") == ("zeppelin",)
    generator.name = "tuned"
    assert inner.name == "tuned" and judge.name == "fake-judge"


def test_a_generator_without_a_checker_is_left_alone() -> None:
    plain = (FakeGenerator(), FakeJudge())
    assert guarded(plain) is plain and not isinstance(plain[0], SafetyChecked)
    without = Checked()
    without.safety = None
    assert guarded((without, plain[1]))[0] is without


@pytest.mark.parametrize("public", [True, False])
def test_only_a_public_host_asks_the_checker(public: bool, tmp_path: Path) -> None:
    page, address = studio.launch(
        lambda: (Checked(), FakeJudge()),
        studio.StudioOptions(example=tmp_path / "none", files=tmp_path, hosting=Hosting(public=public)),
        block=False,
    )
    try:
        client = Client(address, verbose=False, download_files=str(tmp_path))
        client.predict("a boat", 0.5, 0.5, seed=2, api_name="/generate")
        if public:
            with pytest.raises(AppError, match="withheld the picture"):
                client.predict("a boat", 0.5, 0.5, seed=3, api_name="/generate")
        else:
            client.predict("a boat", 0.5, 0.5, seed=3, api_name="/generate")
    finally:
        page.close()
