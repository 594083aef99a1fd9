"""The second rater with its real class at tiny random size."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageClassification

from emofeedback.affect import Affect
from emofeedback.errors import UserError
from emofeedback.evaluation.raters.grading import GradingRater
from emofeedback.evaluation.raters.scene_rater import ANY_OF, LABELS, ONE_OF, SPANS, SceneRater, readings_of
from emofeedback.records import Reading, Seen
from emofeedback.scenes.affect_model import scene_affect
from emofeedback.scenes.grammar import Scene
from emofeedback.training.common.scene_data import SceneCache, ScenePool, render_cache, scene_at
from emofeedback.training.common.training_loop import TrainingRun
from emofeedback.training.rater.rater_recipe import (
    RaterData,
    RaterRecipe,
    break_pictures,
    build_rater,
    rater_loss,
    train_rater,
    truth,
)

TINY = {"widths": (8, 16), "depth": 1}
SIZE = 32


def flat(scene: Scene, size: int) -> Image.Image:
    """A stand-in for the renderer: one colour per place."""
    shade = 20 * len(scene.place)
    return Image.new("RGB", (size, size), (shade, 255 - shade, 128))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> SceneCache:
    return render_cache(tmp_path_factory.mktemp("data") / "cache", 12, SIZE, 5, "train", workers=1, draw=flat)


def perfect_logits(targets: torch.Tensor) -> torch.Tensor:
    """Logits of a rater that is sure and right."""
    logits = 40 * (targets - 0.5)
    logits[:, :2] = targets[:, :2]
    return logits


def test_labels_cover_every_concept_once() -> None:
    assert len(set(LABELS)) == len(LABELS)
    assert len(LABELS) == 3 + sum(len(words) for words in {**ONE_OF, **ANY_OF}.values())
    for aspect, words in {**ONE_OF, **ANY_OF}.items():
        assert LABELS[SPANS[aspect]] == tuple(f"{aspect}: {word}" for word in words)


def test_perfect_logits_read_as_the_scene_and_cost_nothing() -> None:
    scenes = [scene_at(0, "train", i) for i in range(40)]
    targets = truth(scenes)
    for reading, scene in zip(readings_of(perfect_logits(targets)), scenes, strict=True):
        affect = scene_affect(scene)
        assert (reading.valence, reading.arousal) == pytest.approx((affect.valence, affect.arousal), abs=1e-6)
        assert {aspect: word for aspect, (word, _) in reading.content.items()} == {a: getattr(scene, a) for a in ONE_OF}
        assert {word for word, _ in reading.subjects} == set(scene.content()[1:])
        assert {word for word, _ in reading.elements} == set(scene.elements)
        assert reading.realism > 0.99
        assert reading.shows(scene.place, scene.content()[1:])
        assert not reading.shows("nowhere", ())
    assert rater_loss(perfect_logits(targets), targets).item() < 1e-4


def test_content_is_graded_only_where_the_rater_knows_all_of_it() -> None:
    rater = GradingRater(SceneRater(build_rater(SIZE, **TINY), SIZE))
    seen = (Seen("place", "lake", 1.0), Seen("subject", "dog", 1.0))
    reading = Reading(Affect(0, 0), 0.0, 0.0, 1.0, seen, rater.name)
    assert rater.content_kept("a dog by a lake", reading) is True
    assert rater.content_kept("a dog by a lake, with a violin", reading) is None
    assert rater.content_kept("a cat by a lake, with a violin", reading) is False


def test_broken_pictures_teach_realism_only() -> None:
    targets = truth([scene_at(0, "train", i) for i in range(4)])
    targets[2:, -1] = 0.0
    logits = torch.zeros_like(targets, requires_grad=True)
    rater_loss(logits, targets).backward()
    assert logits.grad is not None
    assert logits.grad[:2, :-1].abs().sum() > 0
    assert logits.grad[2:, :-1].abs().sum() == 0
    assert (logits.grad[2:, -1] > 0).all()


def boxed(cache: SceneCache) -> SceneCache:
    """The same scenes, each with a box around the middle."""
    with_boxes = SceneCache(cache.folder)
    with_boxes.boxes = [[("subject", (20.0, 20.0, 80.0, 80.0))] for _ in cache.scenes]
    return with_boxes


def test_melted_subjects_teach_that_none_is_shown(cache: SceneCache) -> None:
    batch = RaterData(ScenePool.of(boxed(cache)), cache.pictures[:0], cache.pictures[:0], 0).batch(1, 4, 16)
    assert 0 < int(batch.melted.sum()) < 16 and not batch.melted[:4].any()
    assert not batch.targets[batch.melted][:, SPANS["subject"]].any() and not batch.targets[4:, -1].any()
    assert not RaterData(ScenePool.of(cache), cache.pictures[:0], cache.pictures[:0], 0).batch(1, 4, 16).melted.any()
    logits = torch.zeros_like(batch.targets, requires_grad=True)
    rater_loss(logits, batch.targets, batch.melted).backward()
    assert logits.grad is not None
    assert (logits.grad[batch.melted][:, SPANS["subject"]] > 0).all()
    assert logits.grad[batch.melted][:, SPANS["place"]].abs().sum() == 0
    broken = ~batch.melted
    broken[:4] = False
    assert logits.grad[broken][:, :-1].abs().sum() == 0


def test_every_way_of_breaking_changes_the_picture() -> None:
    pixels = torch.rand(32, 3, SIZE, SIZE) * 2 - 1
    broken = break_pictures(pixels, torch.Generator().manual_seed(0))
    assert broken.shape == pixels.shape
    assert ((broken - pixels).abs().mean((1, 2, 3)) > 0.05).all()


def test_training_writes_a_checkpoint_that_reads_as_trained(cache: SceneCache, tmp_path: Path) -> None:
    run, recipe = TrainingRun(steps=3, threads=1), RaterRecipe(intact=6, broken=3)
    model = train_rater(cache, tmp_path, run, recipe, held_out=cache, architecture=TINY)
    assert type(AutoModelForImageClassification.from_pretrained(tmp_path)) is type(model)
    rater = SceneRater.from_pretrained(tmp_path)
    images = [Image.fromarray(picture) for picture in cache.pictures[:3]]
    for stored, trained in zip(rater.read(images), SceneRater(model, SIZE).read(images), strict=True):
        assert stored.valence == pytest.approx(trained.valence, abs=0.1)  # bfloat16 storage
    assert "| steps |" in (tmp_path / "README.md").read_text()


def test_training_goes_on_from_a_rater(cache: SceneCache, tmp_path: Path) -> None:
    recipe = RaterRecipe(intact=6, broken=3)
    first = train_rater(
        cache, tmp_path / "a", TrainingRun(steps=3, threads=1), recipe, held_out=cache, architecture=TINY
    )
    still = TrainingRun(steps=0, threads=1)
    begun = train_rater(cache, tmp_path / "b", still, recipe, held_out=cache, start_from=tmp_path / "a")
    for ours, theirs in zip(begun.parameters(), first.parameters(), strict=True):
        assert torch.allclose(ours, theirs.bfloat16().float())


def test_a_model_with_other_labels_is_refused(tmp_path: Path) -> None:
    model = build_rater(SIZE, **TINY)
    model.config.id2label = {**model.config.id2label, 0: "cat"}
    with pytest.raises(ValueError, match="labels"):
        SceneRater(model, SIZE)
    model.save_pretrained(tmp_path)
    with pytest.raises(UserError, match="scene rater"):
        SceneRater.from_pretrained(tmp_path)
