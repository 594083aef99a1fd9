"""What a picture of a mood leaves out, and what a plan keeps of it."""

import pytest

from emofeedback.affect import Affect
from emofeedback.scenes.edits import OPTIONS, SETTING, setting_table
from emofeedback.scenes.grammar import Scene
from emofeedback.scenes.moods import UNREADABLE, against, jarring, readable
from emofeedback.scenes.planning import planned

GLAD, SERENE, AFRAID, SORRY = Affect(0.65, 0.65), Affect(0.65, -0.65), Affect(-0.65, 0.65), Affect(-0.65, -0.65)


def test_in_the_middle_of_the_plane_nothing_speaks_against_anything() -> None:
    assert against(Affect(0.1, -0.2)) == frozenset()


@pytest.mark.parametrize(
    ("mood", "out", "kept"),
    [
        (GLAD, [("pose", "downcast"), ("weather", "rain"), ("elements", "graves"), ("time", "night")], "fireworks"),
        (SERENE, [("pose", "cheering"), ("pose", "plain"), ("elements", "fireworks"), ("palette", "muted")], "candles"),
        (AFRAID, [("pose", "plain"), ("pose", "asleep"), ("elements", "carnival"), ("weather", "clear")], "tornado"),
        (SORRY, [("pose", "asleep"), ("pose", "smiling"), ("weather", "thunderstorm"), ("palette", "warm")], "graves"),
    ],
)
def test_what_points_to_the_other_side_is_left_out(mood: Affect, out: list[tuple[str, str]], kept: str) -> None:
    found = against(mood)
    assert found.issuperset(out) and ("elements", kept) not in found


def test_the_cheerful_stays_out_of_gloom_even_where_it_would_lead_nearer() -> None:
    assert ("elements", "sleeping cat") in jarring(SORRY) and ("elements", "graves") in jarring(SERENE)
    assert jarring(Affect(0.1, -0.8)) == frozenset()
    for prompt in ("a lighthouse at night", "a train in a city", "a fire engine in a street", "a puppy on a beach"):
        for seed in range(12):
            scene = planned(prompt, SORRY, seed).scene
            assert scene is not None and not {("elements", e) for e in scene.elements} & jarring(SORRY)
    said = planned("a train and a rainbow", SORRY, 0).scene
    assert said is not None and "rainbow" in said.elements, "what is named is drawn"


def test_without_a_face_no_pose_speaks_against_a_mood_and_who_cannot_sleep_is_calm_otherwise() -> None:
    assert not any(aspect == "pose" for aspect, _ in against(AFRAID, living=False))
    awake = against(SERENE, unfit=frozenset({("pose", "asleep")}))
    assert ("pose", "plain") not in awake and ("pose", "plain") in against(SERENE)


def test_dark_on_dark_and_white_on_white_cannot_be_made_out() -> None:
    table = setting_table(Scene("meadow", "dog", None, "day", "clear", "summer", "natural", "even", ()))
    settings = [dict(zip(SETTING, row, strict=True)) for row in table.bases[~readable(table)].tolist()]
    named = [{a: OPTIONS[a][i] for a, i in setting.items()} for setting in settings]
    assert named and len(named) < len(table.bases) / 2
    assert all(any(all(s[a] in some for a, some in one.items()) for one in UNREADABLE) for s in named)


@pytest.mark.parametrize("prompt", ["a boy in a village", "a fox in the forest", "a cow"])
def test_faces_share_the_mood_of_a_plan(prompt: str) -> None:
    poses = {
        mood: {scene.pose for seed in range(12) if (scene := planned(prompt, mood, seed).scene)}
        for mood in (GLAD, SERENE, AFRAID, SORRY)
    }
    assert poses[GLAD] <= {"smiling", "cheering"}
    if "village" in prompt:  # nobody lies down there
        assert poses[SERENE] and poses[SERENE] <= {"plain", "smiling"}
    else:
        assert poses[SERENE] == {"asleep"}
    assert poses[AFRAID] <= {"alarmed", "downcast"} and poses[SORRY] == {"downcast"}


def test_a_plan_does_not_put_to_sleep_who_acts_and_keeps_what_was_said() -> None:
    for seed in range(8):
        rider, sleeper, storm = (
            planned(prompt, mood, seed).scene
            for prompt, mood in (
                ("a woman riding a horse", SERENE),
                ("a cat sleeping in a kitchen", AFRAID),
                ("a boy in a thunderstorm at night", GLAD),
            )
        )
        assert rider is not None and rider.pose not in ("asleep", "cheering")
        assert sleeper is not None and sleeper.pose == "asleep"
        dancer = planned("a dancer in a forest", SORRY, seed).scene
        assert dancer is not None and dancer.pose == "plain" and dancer.weather != "clear", "still a dancer"
        assert storm is not None and (storm.weather, storm.time) == ("thunderstorm", "night")
