"""k-means and retrieval against brute force, groups, weights, and the bank on disk."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tiny_visual import tiny_bank

from emofeedback.affect import EMOTIONS, MIKELS, Affect
from emofeedback.errors import UserError
from emofeedback.generators.visual.bank import BANK, FEATURES, VisualBank
from emofeedback.training.visual_prompts.bank_sources import rated_folder
from emofeedback.training.visual_prompts.build_bank import BankPlan, Rated, build_bank, groups_of, k_means


def cost(points: np.ndarray, labels: np.ndarray) -> float:
    return sum(float(((points[labels == k] - points[labels == k].mean(0)) ** 2).sum()) for k in set(labels.tolist()))


def test_k_means_finds_what_brute_force_finds() -> None:
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.normal(c, 0.3, (3, 2)) for c in ((0, 0), (4, 0), (0, 5))])
    every = (np.array(labels) for labels in itertools.product(range(3), repeat=9) if len(set(labels)) == 3)
    best = min(cost(points, labels) for labels in every)
    centres, labels = k_means(points, 3, seed=0)
    assert cost(points, labels) == pytest.approx(best)
    for k in range(3):
        np.testing.assert_allclose(centres[k], points[labels == k].mean(0), rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 8), st.integers(0, 5))
def test_every_cluster_has_a_member_and_every_point_the_nearest_centre(count: int, wanted: int, seed: int) -> None:
    points = np.random.default_rng(seed).integers(0, 3, (count, 2)).astype(np.float32)  # many points coincide
    centres, labels = k_means(points, wanted, seed)
    assert set(labels.tolist()) == set(range(len(centres)))
    assert len(centres) == min(wanted, len(np.unique(points, axis=0)))
    away = ((points[:, None] - centres) ** 2).sum(-1)
    np.testing.assert_allclose(away[np.arange(count), labels], away.min(1), atol=1e-5)


def test_retrieval_is_brute_force_over_the_group() -> None:
    bank = tiny_bank(each=5)
    words = np.random.default_rng(7).standard_normal(bank.text.shape[1]).astype(np.float32)
    hits = bank.retrieve(words, "fear", 3)
    similarity = {
        i: float(bank.text[i] @ words / np.linalg.norm(words)) for i, c in enumerate(bank.centres) if c.group == "fear"
    }
    assert [hit.number for hit in hits] == sorted(similarity, key=lambda i: -similarity[i])[:3]
    assert [hit.similarity for hit in hits] == pytest.approx([similarity[hit.number] for hit in hits], abs=1e-6)
    assert sum(hit.weight for hit in hits) == pytest.approx(1.0)
    assert hits[0].weight >= hits[1].weight >= hits[2].weight > 0


def test_mixing_is_the_weighted_mean_and_refuses_nonsense() -> None:
    bank = tiny_bank()
    np.testing.assert_allclose(bank.mix([(2, 3.0), (4, 1.0)]), 0.75 * bank.visual[2] + 0.25 * bank.visual[4], rtol=1e-5)
    for wrong in ([], [(0, 0.0)], [(0, -1.0), (1, 2.0)], [(999, 1.0)], [(0, float("nan"))]):
        with pytest.raises(UserError):
            bank.mix(wrong)


def test_the_group_is_the_named_emotion_or_the_nearest() -> None:
    bank = tiny_bank()
    assert bank.group(Affect(0.6, 0.4), "sadness") == "sadness"
    assert bank.group(Affect(-0.7, -0.45)) == "sadness"
    with pytest.raises(UserError, match="amusement"):
        bank.group(None, "boredom")
    with pytest.raises(UserError):
        bank.group(None)


def rated(count: int = 200) -> Rated:
    rng = np.random.default_rng(0)
    affects = rng.uniform(-1, 1, (count, 2)).astype(np.float32)
    text = rng.standard_normal((count, 6)).astype(np.float32)
    return Rated([f"picture {i}" for i in range(count)], affects, text, rng.standard_normal((count, 4, 3)).astype("f4"))


def test_groups_hold_what_lies_near_them() -> None:
    affects = rated().affects
    groups = groups_of(affects)
    assert set(MIKELS) <= set(groups)
    point, rows = groups["fear"]
    assert point == EMOTIONS["fear"] and len(rows) >= 24
    point, rows = groups["0.4,-0.8"]
    assert (np.abs(affects[rows] - [point.valence, point.arousal]) <= 0.2 + 1e-6).all()


def test_a_built_bank_holds_its_members_means() -> None:
    source = rated()
    pictures = [Image.new("RGB", (20, 20), (i, 0, 0)) for i in range(200)]
    bank, members = build_bank(source, pictures, {"text": "t", "visual": "v"}, BankPlan(4, 2))
    looks = bank.standard(source.visual)
    for number in (0, 5, len(members) - 1):
        rows = members[number]
        np.testing.assert_allclose(bank.visual[number], looks[rows].mean(0), atol=1e-5)
        assert bank.centres[number].members == len(rows)
        assert bank.centres[number].caption in {source.captions[row] for row in rows}
        mean = bank.normal(source.text)[rows].mean(0)
        np.testing.assert_allclose(bank.text[number], mean / np.linalg.norm(mean), atol=1e-5)
    again, _ = build_bank(source, pictures, {"text": "t", "visual": "v"}, BankPlan(4, 2))
    np.testing.assert_array_equal(again.visual, bank.visual)


def test_a_bank_comes_back_from_disk(tmp_path: Path) -> None:
    bank = tiny_bank()
    bank.save(tmp_path)
    found = VisualBank.load(tmp_path)
    assert found.centres == bank.centres and found.groups == bank.groups and found.encoders == bank.encoders
    np.testing.assert_allclose(found.visual, bank.visual, atol=2e-3)  # half precision
    for ours, theirs in zip(bank.pictures, found.pictures, strict=True):
        assert np.abs(np.asarray(ours, int) - np.asarray(theirs, int)).mean() < 12
    (tmp_path / FEATURES).write_bytes(b"cut")
    with pytest.raises(UserError, match="damaged"):
        VisualBank.load(tmp_path)
    bank.save(tmp_path)
    about = json.loads((tmp_path / BANK).read_text())
    about["centres"].pop()
    (tmp_path / BANK).write_text(json.dumps(about))
    with pytest.raises(UserError):
        VisualBank.load(tmp_path)


class Lengths:
    """Encodes a text by its length and a picture by its mean colour."""

    name = "lengths"

    def __call__(self, given):  # type: ignore[no-untyped-def]
        if isinstance(given[0], str):
            return np.array([[len(text), text.count("a")] for text in given], np.float32)
        return np.array([[np.asarray(image, np.float32).mean((0, 1))] * 4 for image in given], np.float32)


def folder_of(tmp_path: Path, *lines: dict[str, object]) -> Path:
    for i in range(3):
        Image.new("RGB", (8, 8), (80 * i, 0, 0)).save(tmp_path / f"{i}.png")
    (tmp_path / "metadata.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return tmp_path


def test_a_folder_of_captioned_rated_pictures_becomes_a_bank(tmp_path: Path) -> None:
    lines = [{"file_name": f"{i}.png", "text": "a cat" * (i + 1), "valence": 1 + 4 * i, "arousal": 5} for i in range(3)]
    source, pictures = rated_folder(folder_of(tmp_path, *lines), Lengths(), Lengths(), (1.0, 9.0))
    np.testing.assert_allclose(source.affects, [[-1, 0], [0, 0], [1, 0]])
    bank, _ = build_bank(source, pictures, {"text": "lengths", "visual": "lengths"})
    assert {centre.caption for centre in bank.centres} == {line["text"] for line in lines}


@pytest.mark.parametrize(
    "line",
    [
        {"file_name": "0.png", "text": "a cat", "valence": 0.5},
        {"file_name": "0.png", "valence": 0.5, "arousal": 0},
        {"file_name": "0.png", "text": "a cat", "valence": 3, "arousal": 0},
        {"file_name": "missing.png", "text": "a cat", "valence": 0, "arousal": 0},
        {"file_name": "../../etc/passwd", "text": "a cat", "valence": 0, "arousal": 0},
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: dict[str, object]) -> None:
    with pytest.raises(UserError, match="Line 1"):
        rated_folder(folder_of(tmp_path, line), Lengths(), Lengths())
