"""Families told apart by what repositories say of themselves; files, memory and words without loading a model."""

import json
from pathlib import Path

import pytest

from emofeedback.affect import EMOTIONS, Affect
from emofeedback.build import build_generator
from emofeedback.errors import UserError
from emofeedback.generators.pipelines.emotion_words import emotion_phrases, load_roles, with_emotion_words
from emofeedback.generators.pipelines.families import FAMILIES, describe, describe_configs
from emofeedback.generators.pipelines.memory import Parts, fitting, needed_gigabytes
from emofeedback.generators.pipelines.options import PipelineOptions
from emofeedback.generators.pipelines.repository_files import needed_files, one_variant
from emofeedback.settings import Settings

FLOW = {"_class_name": "FlowMatchEulerDiscreteScheduler"}
CASES = [  # class, what else its index says, scheduler, family, distilled, prediction
    ("Flux2KleinPipeline", {"is_distilled": True}, FLOW, "flux2-klein", True, "velocity"),
    ("Flux2KleinPipeline", {}, FLOW, "flux2-klein", False, "velocity"),
    ("StableDiffusion3Pipeline", {}, FLOW | {"shift": 3.0}, "sd3", False, "velocity"),
    ("ZImagePipeline", {}, FLOW | {"shift": 3.0}, "z-image", True, "velocity"),
    ("ZImagePipeline", {}, FLOW | {"shift": 6.0}, "z-image", False, "velocity"),
    ("StableDiffusionXLPipeline", {}, {"timestep_spacing": "leading"}, "sdxl", False, "epsilon"),
    ("StableDiffusionXLPipeline", {}, {"timestep_spacing": "trailing"}, "sdxl", True, "epsilon"),
    ("StableDiffusionXLPipeline", {}, {"_class_name": "LCMScheduler"}, "sdxl", True, "epsilon"),
    ("StableDiffusionPipeline", {}, {"prediction_type": "v_prediction"}, "sd", False, "v_prediction"),
    (
        "StableDiffusionPipeline",
        {},
        {"timestep_spacing": "trailing", "prediction_type": "v_prediction"},
        "sd",
        False,
        "v_prediction",
    ),
    (
        "StableDiffusionPipeline",
        {},
        {"timestep_spacing": "trailing", "rescale_betas_zero_snr": True},
        "sd",
        False,
        "epsilon",
    ),
]


@pytest.mark.parametrize(("name", "more", "scheduler", "family", "distilled", "prediction"), CASES)
def test_a_family_is_read_from_the_files(name, more, scheduler, family, distilled, prediction) -> None:  # type: ignore[no-untyped-def]
    described = describe_configs({"_class_name": name, **more}, scheduler)
    assert (described.family.key, described.distilled, described.prediction) == (family, distilled, prediction)
    assert described.sampling is (described.family.few_steps if distilled else described.family.usual)
    assert not distilled or described.sampling.guidance == 1.0


def test_the_name_of_a_folder_says_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "FLUX.2-klein-4B"
    folder.mkdir()
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    assert describe(folder).family is FAMILIES["sd"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"_class_name": "WanPipeline"}', "{}"])
def test_what_is_no_pipeline_is_refused_in_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "model_index.json").write_text(content)
    with pytest.raises(UserError, match=r"known are|missing or damaged"):
        describe(tmp_path)


def test_only_one_copy_of_the_weights_is_fetched() -> None:
    index = {
        "_class_name": "StableDiffusionXLPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "image_encoder": [None, None],
    }
    names = [
        "model_index.json",
        "sd_xl_base_1.0.safetensors",
        "README.md",
        "unet/config.json",
        "unet/model.onnx",
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.bin",
        "tokenizer/merges.txt",
        "tokenizer/vocab.json",
        "image_encoder/config.json",
    ]
    described = describe_configs(index, {})
    chosen = needed_files(names, described, True, "org/x")
    assert sorted(chosen) == [
        "model_index.json",
        "tokenizer/merges.txt",
        "tokenizer/vocab.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors",
    ]
    assert "unet/diffusion_pytorch_model.safetensors" in needed_files(names, described, False, "org/x")
    without = [name for name in names if not name.endswith("safetensors")]
    with pytest.raises(UserError, match="pickled weights only"):
        needed_files(without, described, True, "org/x")


def test_sharded_variants_are_told_apart() -> None:
    plain = [f"model-0000{k}-of-00002.safetensors" for k in (1, 2)]
    half = [f"model.fp16-0000{k}-of-00002.safetensors" for k in (1, 2)]
    assert one_variant(plain + half, True) == half and one_variant(plain + half, False) == plain
    assert one_variant(plain, True) == plain


def test_cheaper_settings_need_less_and_go_in_order() -> None:
    parts = Parts(3.9, 4.0)
    options, needs = PipelineOptions(), []
    while options is not None:
        needs.append(needed_gigabytes(parts, options))
        options = options.next_cheaper("cuda")  # type: ignore[assignment]
    assert needs == sorted(needs, reverse=True) and needs[0] > 2 * needs[-1]
    assert fitting(parts, 80.0) == PipelineOptions()
    assert fitting(parts, 12.0) == PipelineOptions(offload="model")
    assert fitting(parts, 0.5) is None and fitting(parts, 12.0, gpu=False) is None


def test_settings_name_what_they_know() -> None:
    for wrong in ({"OFFLOAD": "disk"}, {"QUANTISATION": "2bit"}, {"DTYPE": "int8"}, {"SIZE": "500"}, {"SIZE": "8"}):
        with pytest.raises(UserError, match="must"):
            Settings.from_environment({f"EMOFEEDBACK_{key}": value for key, value in wrong.items()})
    given = Settings.from_environment({"EMOFEEDBACK_OFFLOAD": "model", "EMOFEEDBACK_CHEAPER": "1"})
    assert PipelineOptions.of(given) == PipelineOptions(offload="model", cheaper=True)


def test_unknown_generators_are_one_sentence() -> None:
    with pytest.raises(UserError, match="hosted:OWNER/NAME"):
        build_generator(Settings(generator="no such thing"))
    with pytest.raises(UserError, match="hosted:OWNER/NAME"):
        build_generator(Settings(generator="hosted:nobody"))
    with pytest.raises(UserError, match="--adapter"):
        build_generator(Settings(generator="hosted:http://127.0.0.1:9", adapter="somewhere"))


# words


def test_words_come_from_the_norms_and_never_name_the_emotion() -> None:
    phrases = [phrase for role in load_roles() for phrase in role.phrases]
    assert {role.name for role in load_roles()} == {"light", "weather", "colour", "setting", "gesture"}
    assert all(-1 <= value <= 1 for phrase in phrases for value in (phrase.valence, phrase.arousal))
    text = " ".join(phrase.text for phrase in phrases)
    assert not any(f" {name} " in f" {text} " for name in EMOTIONS)


@pytest.mark.parametrize("axis", ["valence", "arousal"])
def test_words_follow_the_target(axis: str) -> None:
    levels = [-0.8, 0.0, 0.8]
    means = []
    for level in levels:
        target = Affect(level, 0.0) if axis == "valence" else Affect(0.0, level)
        chosen = emotion_phrases("a woman by a lake", target)
        means.append(sum(getattr(phrase, axis) for phrase in chosen) / len(chosen))
    assert means[0] + 0.3 < means[1] < means[2] - 0.3


def test_strength_says_how_much() -> None:
    afraid = EMOTIONS["afraid"]
    counts = [
        len(emotion_phrases("a woman by a lake", afraid, strength)) for strength in (0, 1 / 3, 2 / 3, 1, 5 / 3, 9)
    ]
    assert counts[:4] == [0, 1, 2, 3] and counts[4] == 5 == counts[5]
    assert with_emotion_words("a cat.", afraid, 0.0) == "a cat."
    weak, strong = (emotion_phrases("a woman", afraid, strength)[0] for strength in (1 / 3, 1))
    assert weak.arousal < strong.arousal


def test_what_the_prompt_settles_stays() -> None:
    roles = {phrase.role for phrase in emotion_phrases("a dog in the rain at night", EMOTIONS["happy"], 3.0)}
    assert roles == {"colour", "setting", "gesture"}
    assert "gesture" not in {p.role for p in emotion_phrases("an empty chair", EMOTIONS["happy"], 3.0)}
    skies = {phrase.sky for phrase in emotion_phrases("a boat", Affect(0.0, 0.9), 3.0)} - {None}
    assert len(skies) <= 1
    assert with_emotion_words("", EMOTIONS["serene"]).count(",") >= 2
