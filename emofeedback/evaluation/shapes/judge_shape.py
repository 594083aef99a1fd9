"""A vision-language judge in the shape of Qwen2.5-VL-7B, with random weights made on the device.

Its tokenizer is trained on the spot; the processor, the picture tokens and the code that asks are the judge's own.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import PreTrainedModel, ProcessorMixin, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from emofeedback.errors import OutOfMemory
from emofeedback.evaluation.shapes.random_models import made_on
from emofeedback.evaluation.shapes.random_tokenizer import IMAGE, VIDEO, VISION_END, VISION_START, trained_tokenizer
from emofeedback.generators.pipelines.conditioning import is_out_of_memory
from emofeedback.judges.local.processing import load_processor
from emofeedback.judges.local.vision_language import VisionLanguageJudge

ROPE = {"rope_type": "default", "rope_theta": 1_000_000.0}


@dataclass(frozen=True, slots=True)
class JudgeShape:
    """A judge without weights: the configurations of its parts and of its picture processor.

    `size` is the side of the pictures it is measured on, in pixels.
    """

    name: str
    size: int
    text: Mapping[str, Any]
    vision: Mapping[str, Any]
    pictures: Mapping[str, Any]


QWEN = JudgeShape(
    "Qwen2.5-VL-7B",
    1024,
    {
        "vocab_size": 152064,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "max_position_embeddings": 128_000,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {**ROPE, "mrope_section": [16, 24, 24]},
    },
    {
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 112,
        "out_hidden_size": 3584,
        "fullatt_block_indexes": [7, 15, 23, 31],
        "tokens_per_second": 2,
    },
    {"size": {"shortest_edge": 3136, "longest_edge": 12_845_056}, "patch_size": 14},
)
TINY_QWEN = JudgeShape(
    "tiny Qwen2.5-VL",
    64,
    {
        "vocab_size": 1024,
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 2048,
        "rope_parameters": {**ROPE, "mrope_section": [2, 3, 3]},
    },
    {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_heads": 2,
        "patch_size": 8,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 32,
        "out_hidden_size": 32,
        "fullatt_block_indexes": [0],
    },
    {"size": {"shortest_edge": 32 * 32, "longest_edge": 64 * 64}, "patch_size": 8},
)


def shaped_config(shape: JudgeShape) -> tuple[Qwen2_5_VLConfig, ProcessorMixin]:
    """The model's configuration, and the processor as a repository of this shape would give it."""
    words = trained_tokenizer()
    names = {
        "image_token_id": IMAGE,
        "video_token_id": VIDEO,
        "vision_start_token_id": VISION_START,
        "vision_end_token_id": VISION_END,
    }
    ids = {name: words.convert_tokens_to_ids(token) for name, token in names.items()}
    ends = {"bos_token_id": None, "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    config = Qwen2_5_VLConfig(text_config={**shape.text, **ends}, vision_config=dict(shape.vision), **ids)
    pictures = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2_5_VLProcessor",
        "temporal_patch_size": 2,
        "merge_size": 2,
        **shape.pictures,
    }
    with TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        words.save_pretrained(folder)
        (Path(folder) / "preprocessor_config.json").write_text(json.dumps(pictures), encoding="utf-8")
        return config, load_processor(Path(folder))


def shaped_model(config: Qwen2_5_VLConfig, device: torch.device, dtype: torch.dtype, seed: int) -> PreTrainedModel:
    """Random weights on a device; they never end a reply, so that all replies are as long as was asked for."""
    with made_on(device, dtype, seed):
        model = Qwen2_5_VLForConditionalGeneration(config)
    with torch.no_grad():
        # of thousands of random logits the greatest lies above 0, which is what a row of zeros gives
        model.lm_head.weight[config.text_config.eos_token_id] = 0
    return model


def shaped_judge(shape: JudgeShape, device: str, seed: int = 0) -> VisionLanguageJudge:
    """The judge in bfloat16; what it answers means nothing.

    Raises:
        OutOfMemory: the weights do not fit the device.
    """
    config, processor = shaped_config(shape)
    try:
        model = shaped_model(config, torch.device(device), torch.bfloat16, seed)
        name = f"{shape.name} shape"
        return VisionLanguageJudge(model, processor, name, device=device, describe=False, constrain=False)
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory(f"{shape.name} does not fit the memory of {device}; choose a smaller judge.") from None
        raise
