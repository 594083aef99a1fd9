"""Contracts of the models that ship, and quick bounds on what they do; their numbers are measured by `evaluate`."""

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusion3Pipeline
from transformers import AutoModelForImageTextToText

from emofeedback.affect import Affect
from emofeedback.build import build_generator, build_judge
from emofeedback.errors import UserError
from emofeedback.files.checksums import CHECKSUMS, PICKLED
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.judges.scene.judge_language import answers_of
from emofeedback.judges.scene.scene_judge import SceneJudge
from emofeedback.protocols import Generator, Judge
from emofeedback.records import Attempt, Picture, PictureRequest
from emofeedback.scenes.draw.render import render
from emofeedback.scenes.grammar import Scene
from emofeedback.settings import Settings

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
GENERATOR, JUDGE = CHECKPOINTS / "scene-generator", CHECKPOINTS / "scene-judge"
# Both scenes show only what the shipped checkpoints know, which may be of an earlier, smaller grammar.
CALM = Scene("lake", "boat", None, "sunset", "clear", "summer", "warm", "even", ("lanterns",), 3)
STORM = Scene("road", "wolf", None, "night", "thunderstorm", "autumn", "natural", "dim", ("fire",), 3)


@pytest.fixture(scope="module")
def generator() -> Generator:
    return build_generator(Settings())


@pytest.fixture(scope="module")
def judge() -> Judge:
    return build_judge(Settings())


def shown(scene: Scene) -> Picture:
    return Picture(render(scene, 128), PictureRequest("", None, 0), "render", 0.0)


def draw(generator: Generator, *requests: PictureRequest) -> list[np.ndarray]:
    return [np.asarray(p.image, dtype=float) for p in generator.generate(requests)]


def test_shipped_files_are_small_safetensors_with_checksums() -> None:
    for folder in CHECKPOINTS.iterdir():
        assert (folder / CHECKSUMS).is_file() and (folder / "README.md").is_file()
        for file in folder.rglob("*"):
            assert file.suffix not in PICKLED
            assert not file.is_file() or file.stat().st_size < 10_000_000
            assert file.suffix != ".json" or "_name_or_path" not in file.read_text(encoding="utf-8")


def test_the_pair_loads_in_plain_diffusers_and_transformers() -> None:
    pipeline = StableDiffusion3Pipeline.from_pretrained(
        GENERATOR, text_encoder_3=None, tokenizer_3=None, torch_dtype=torch.float32, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline("a boat on a lake", num_inference_steps=2, height=128, width=128, max_sequence_length=1).images[0]
    assert image.size == (128, 128)
    assert AutoModelForImageTextToText.from_pretrained(JUDGE, local_files_only=True).config.model_type == "llava"


def test_a_seed_gives_the_same_picture_alone_and_in_a_batch(generator: Generator) -> None:
    request = PictureRequest("a dog in a park", Affect(0.5, 0.5), seed=4, steps=3)
    other = PictureRequest("a church in a village", Affect(-0.5, -0.5), seed=5, steps=3)
    alone, again, (_, batched) = (
        draw(generator, request)[0],
        draw(generator, request)[0],
        draw(generator, other, request),
    )
    assert np.array_equal(alone, again)
    assert np.abs(alone - batched).mean() < 2


def test_valence_and_arousal_alone_move_the_picture(generator: Generator, judge: Judge) -> None:
    points = [Affect(-0.8, 0.0), Affect(0.8, 0.0)]
    requests = [PictureRequest("a house in a meadow", p, seed=s, steps=8) for p in points for s in range(6)]
    readings = judge.read(list(generator.generate(requests)))
    valence = [r.affect.valence for r in readings if r is not None]
    assert len(valence) == 12
    assert np.mean(valence[6:]) - np.mean(valence[:6]) > 0.3


def test_strength_zero_draws_from_the_words_alone(generator: Generator) -> None:
    requests = [PictureRequest("a cat in a garden", a, seed=1, strength=0.0, steps=2) for a in (None, Affect(-1, 1))]
    first, second = draw(generator, *requests)
    assert np.array_equal(first, second)


def test_words_move_the_picture(generator: Generator) -> None:
    prompts = ("a castle in the desert, by day", "a castle in the desert, at night", "a boat on a lake, at night")
    made = draw(generator, *(PictureRequest(p, None, seed=2, steps=8) for p in prompts))
    for a, b in pairwise(made):
        assert np.abs(a - b).mean() > 10


def test_long_foreign_and_empty_prompts_are_drawn(generator: Generator) -> None:
    for prompt in ("", "a lighthouse " * 800, "灯台と海 🌊", "<script>alert(1)</script>"):
        assert draw(generator, PictureRequest(prompt, Affect(0, 0), seed=0, steps=1))[0].shape == (128, 128, 3)


def test_unknown_words_are_named(generator: Generator) -> None:
    assert generator.unknown_words("a dragon by the sea") == ("dragon",)
    assert generator.unknown_words("A Cat by the House, at night") == ()


def test_the_pictures_of_these_tests_show_what_the_shipped_judge_knows() -> None:
    known = SceneJudge.from_pretrained(JUDGE).tokens.aspects
    for scene in (CALM, STORM):
        answers = answers_of(scene)
        assert all(answers[aspect] in words for aspect, words in known.items())


def test_the_judge_reads_moods_the_right_way_round(judge: Judge) -> None:
    calm, storm = judge.read([shown(CALM), shown(STORM)])
    assert calm is not None and storm is not None
    assert calm.affect.valence > storm.affect.valence + 0.3
    assert storm.affect.arousal > calm.affect.arousal + 0.2
    assert min(calm.mass, storm.mass) > 0.9 and min(calm.valence_sd, storm.arousal_sd) > 0


def test_swapping_the_picture_changes_the_judges_words(judge: Judge) -> None:
    advice = []
    for scene in (CALM, STORM):
        picture = shown(scene)
        advice.append(judge.advise([Attempt("a boat on a lake", picture, judge.read([picture])[0])], Affect(0.8, 0.7)))
    assert advice[0] is not None and advice[1] is not None
    assert advice[0].analysis != advice[1].analysis


def test_a_tampered_checkpoint_is_refused(tmp_path: Path) -> None:
    for source, load in ((GENERATOR, SceneDiffusionGenerator), (JUDGE, SceneJudge)):
        copy = tmp_path / source.name
        shutil.copytree(source, copy)
        weights = next(copy.rglob("*.safetensors"))
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(bytes(content))
        with pytest.raises(UserError):
            load.from_pretrained(copy)


def test_what_is_asked_beside_a_drawing_leaves_its_tokenizers_alone(generator) -> None:
    """One encoder's tokens were padded and the other's were not, where somebody typed at that moment."""
    tokenizers = generator.pipeline.tokenizer, generator.pipeline.tokenizer_2
    for tokenizer in tokenizers:
        tokenizer("a cat", padding="max_length", truncation=True, max_length=9)
    generator.left_out("a cat")
    generator.unknown_words("a cat")
    generator.texts.many(["a cat", "a dog in a park"])
    for backend in (tokenizer.backend_tokenizer for tokenizer in tokenizers):
        assert backend.padding["length"] == backend.truncation["max_length"] == 9


def test_what_is_left_out_of_a_long_prompt_is_whole_words(generator) -> None:
    """It once began within a word: "ats , a cottage" of boats."""
    prompt = "an old man on a bench in a park at dusk in autumn, with a dog, a fire and birds, golden light, a bridge"
    more = "boats, a fence, a rainbow, lanterns, flowers, a cottage, hot air balloons, wilted flowers, a flock of crows"
    said = generator.texts.said(f"{prompt}, {more}, a dancing crowd, falling leaves, a rocket launch")
    rest = generator.left_out(f"{prompt}, {more}, a dancing crowd, falling leaves, a rocket launch")
    assert rest and said.endswith(rest) and not said.removesuffix(rest)[-1:].isalnum()
    assert generator.left_out(prompt) == ""
