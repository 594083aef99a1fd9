"""Real vision-language classes at tiny random size, saved to disk as their repositories lay them out."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForImageTextToText,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)

FAMILIES = ("smolvlm", "qwen2_5_vl", "qwen3_vl")
ROPE = {"rope_type": "default", "rope_theta": 10_000.0}

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for c in m.content %}{% if c.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ c.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SMOL = (  # the template of SmolVLM2: an answer is separated by a blank that the generation prompt does not hold
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
CORPUS = [
    "How pleasant is the emotion that this picture carries? Answer with one of 1 2 3 4 5 6 7 8 9.",
    '{"analysis": "The night is calm.", "carries": ["night"], "edits": [{"replace": "at night", "with": "at dawn"}]}',
    "a dog on a beach in the rain, a boat by a lake at night, very unpleasant, very calm, very excited",
    *["Yes\nNo\nyes\nno\n", " Yes No yes no"] * 8,
]


def tokenizer(family: str, alphabet: str = "") -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer trained here; with an `alphabet`, one that knows only those characters."""
    smol = family == "smolvlm"
    if smol:
        special = ["<|im_start|>", "<|im_end|>", "<end_of_utterance>", "<image>", "<fake_token_around_image>"]
        special += ["<global-img>", *(f"<row_{r}_col_{c}>" for r in range(1, 4) for c in range(1, 4))]
    else:
        special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
        special += ["<|image_pad|>", "<|video_pad|>"]
    backend = Tokenizer(models.BPE())
    split = [pre_tokenizers.Digits(individual_digits=True)]
    backend.pre_tokenizer = pre_tokenizers.Sequence([*split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    backend.decoder = decoders.ByteLevel()
    if alphabet:
        backend.pre_tokenizer = pre_tokenizers.Whitespace()
    letters = list(alphabet) or pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=["<unk>", *special], initial_alphabet=letters)
    backend.train_from_iterator([alphabet] if alphabet else CORPUS, trainer)
    if alphabet:
        backend.model.unk_token = "<unk>"
    end = "<end_of_utterance>" if smol else "<|im_end|>"
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token=end,
        pad_token="<|im_end|>" if smol else "<|endoftext|>",
        unk_token="<unk>",
        chat_template=SMOL if smol else CHATML,
    )


def model(family: str, words: PreTrainedTokenizerFast) -> PreTrainedModel:
    """The family's class with random weights."""
    torch.manual_seed(0)
    token = words.convert_tokens_to_ids
    text = {
        "vocab_size": len(words),
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 2048,
        "bos_token_id": None,
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
    }
    if family == "smolvlm":
        vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        config = SmolVLMConfig(
            image_token_id=token("<image>"),
            scale_factor=2,
            text_config={"model_type": "llama", **text},
            vision_config={**vision, "image_size": 32, "patch_size": 8},
            pad_token_id=words.pad_token_id,
        )
        return SmolVLMForConditionalGeneration(config).eval()
    ids = {
        "image_token_id": token("<|image_pad|>"),
        "video_token_id": token("<|video_pad|>"),
        "vision_start_token_id": token("<|vision_start|>"),
        "vision_end_token_id": token("<|vision_end|>"),
    }
    vision = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "patch_size": 8}
    vision |= {"spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 32}
    if family == "qwen2_5_vl":
        rope = {**ROPE, "mrope_section": [2, 3, 3]}
        vision |= {"window_size": 32, "fullatt_block_indexes": [0]}
        config = Qwen2_5_VLConfig(text_config={**text, "rope_parameters": rope}, vision_config=vision, **ids)
        return Qwen2_5_VLForConditionalGeneration(config).eval()
    rope = {**ROPE, "mrope_section": [2, 3, 3], "mrope_interleaved": True}
    vision |= {"deepstack_visual_indexes": [0], "num_position_embeddings": 64}
    config = Qwen3VLConfig(text_config={**text, "head_dim": 16, "rope_parameters": rope}, vision_config=vision, **ids)
    return Qwen3VLForConditionalGeneration(config).eval()


def save(family: str, folder: Path) -> Path:
    """Write model, tokenizer and picture processing as the family's repositories do; returns the folder."""
    words = tokenizer(family)
    model(family, words).save_pretrained(folder)
    words.save_pretrained(folder)
    if family == "smolvlm":
        processor = {"processor_class": "SmolVLMProcessor", "image_seq_len": 4}
        (folder / "processor_config.json").write_text(json.dumps(processor))
        pictures = {
            "image_processor_type": "SmolVLMImageProcessor",
            "processor_class": "SmolVLMProcessor",
            "size": {"longest_edge": 64},
            "max_image_size": {"longest_edge": 32},
            "do_image_splitting": True,
            "image_mean": [0.5] * 3,
            "image_std": [0.5] * 3,
        }
    else:
        kind = "Qwen2_5_VLProcessor" if family == "qwen2_5_vl" else "Qwen3VLProcessor"
        pictures = {
            "image_processor_type": "Qwen2VLImageProcessor",
            "processor_class": kind,
            "size": {"shortest_edge": 32 * 32, "longest_edge": 64 * 64},
            "patch_size": 8,
            "temporal_patch_size": 2,
            "merge_size": 2,
        }
    (folder / "preprocessor_config.json").write_text(json.dumps(pictures))
    return folder


def save_answering(folder: Path, seed: int = 0) -> Path:
    """A SmolVLM whose answer begins for certain with a digit or with yes or no; which one follows from the picture.

    Its template has a blank before the answer, which is a token of its own before a digit and a part of the word else.
    """
    save("smolvlm", folder)
    judge = AutoModelForImageTextToText.from_pretrained(folder)
    words = PreTrainedTokenizerFast.from_pretrained(folder)
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in judge.named_parameters():
            if value.ndim >= 2:
                value.normal_(std=0.5, generator=noise)
            if name.endswith(("o_proj.weight", "down_proj.weight")) and "vision" not in name and "visual" not in name:
                value[:2] = 0.0  # the first two dimensions stay what the word at the answer's place begins with
        embedding, head = judge.get_input_embeddings().weight, judge.lm_head.weight
        embedding[:, :2] = torch.tensor([10.0, -10.0])
        embedding[words.convert_tokens_to_ids("\u0120"), 1] = 10.0
        head[:, 0] = -30.0
        yes_no = ["\u0120Yes", "\u0120No", "\u0120yes", "\u0120no"]
        for tokens, after_blank in ((list("123456789"), 30.0), (yes_no, -30.0)):
            ids = words.convert_tokens_to_ids(tokens)
            head[ids, :2] = torch.tensor([30.0, after_blank])
            head[ids, 2:] = 0.5 * torch.randn((len(ids), head.shape[1] - 2), generator=noise)
    judge.save_pretrained(folder)
    return folder
