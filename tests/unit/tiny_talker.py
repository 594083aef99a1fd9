"""A vision-language model of Llava's class that a test makes in seconds and that answers the judge's questions.

Its text model is trained for a moment on those questions; what it sees changes nothing. It is saved as its repositories
lay it out, and as the two GGUF files that llama.cpp reads.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from emofeedback.affect import Affect
from emofeedback.judges.questions import advice_question, describe_question, rating_questions, shows_question
from emofeedback.records import Attempt, Picture, Reading

ADVICE = ('{"analysis": "The water is still.", "carries": ["still water"],', ' "edits": [{"add": "at sunset"}]}')
CONTENT = (
    '{"place": "lake", "subjects": ["boat"], "time": "noon",',
    ' "weather": "none", "light": "soft", "colours": ["blue"]}',
)
RATING, SHOWN = "6", "Yes"
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for c in m.content %}{% if c.type == 'image' %}<image>{% else %}{{ c.text }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|end|>", "<|im_start|>", "<|im_end|>", "<image>")
IMAGE, PATCH = 32, 16
STEPS = 60


def save_talking(folder: Path) -> Path:
    """Train the model, write it in transformers' form into `folder`; returns it."""
    lessons = _lessons()
    words = _tokenizer([question for question, _ in lessons])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = _model(words)
        _train(model, words, lessons)
    model.save_pretrained(folder)
    processor = LlavaProcessor(
        CLIPImageProcessorPil(size={"height": IMAGE, "width": IMAGE}, do_center_crop=False),
        words,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE,
        num_additional_image_tokens=1,
    )
    processor.save_pretrained(folder)
    return folder


def save_gguf(folder: Path) -> tuple[Path, Path]:
    """The model that `save_talking` wrote as llama.cpp's two files: the text model, and the eye (its "mmproj")."""
    model = LlavaForConditionalGeneration.from_pretrained(folder)
    weights = {name: value.detach().float().numpy() for name, value in model.state_dict().items()}
    words = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    text, eye = folder / "text.gguf", folder / "eye.gguf"
    _write_text(text, weights, words, model.config.text_config)
    _write_eye(eye, weights, model.config.vision_config)
    return text, eye


def _lessons() -> list[tuple[str, tuple[str, ...]]]:
    """Questions and the pieces of their answers."""
    lessons: list[tuple[str, tuple[str, ...]]] = [(q.text(), (RATING,)) for q in rating_questions(tuple("123456789"))]
    lessons.append((describe_question(), CONTENT))
    picture: Any = Picture(None, None, "", 0.0)  # type: ignore[arg-type]
    for prompt, read, target in (
        ("a boat on a lake", Affect(0.0, 0.0), Affect(0.7, 0.5)),
        ("a boat on a lake, at sunset", Affect(0.25, -0.25), Affect(-0.4, -0.6)),
    ):
        lessons.append((shows_question(prompt), (SHOWN,)))
        attempt = Attempt(prompt, picture, Reading(read, 0.1, 0.1, 1.0, (), ""))
        lessons += [(advice_question(before, target), ADVICE) for before in ([attempt], [attempt, attempt])]
    return lessons


def _tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE with GPT-2's splitting, which llama.cpp has too; the pieces of the answers are tokens."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=list(SPECIAL), initial_alphabet=alphabet)
    backend.train_from_iterator([*texts * 2, "Yes No yes no"], trainer)
    pieces = [AddedToken(piece, normalized=False, special=False) for piece in (*ADVICE, *CONTENT, SHOWN)]
    words = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<|end|>")
    words.add_tokens(pieces)
    words.image_token = "<image>"
    return words


def _model(words: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    token = words.convert_tokens_to_ids
    text = LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        tie_word_embeddings=False,
    )
    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=IMAGE,
        patch_size=PATCH,
        hidden_act="gelu",
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=token("<image>"),
        image_seq_length=(IMAGE // PATCH) ** 2,
    )
    model = LlavaForConditionalGeneration(config)
    model.generation_config.eos_token_id = words.eos_token_id
    model.generation_config.pad_token_id = words.pad_token_id
    return model


def _train(
    model: LlavaForConditionalGeneration, words: PreTrainedTokenizerFast, lessons: list[tuple[str, tuple[str, ...]]]
) -> None:
    """Cross-entropy of the answers' tokens, all lessons at once."""
    rows, spans = [], []
    for question, answer in lessons:
        asked = f"<|im_start|>user\n{'<image>' * (IMAGE // PATCH) ** 2}{question}<|im_end|>\n<|im_start|>assistant\n"
        ids = words(asked, add_special_tokens=False)["input_ids"]
        said = [*words.convert_tokens_to_ids(list(answer)), words.eos_token_id]
        rows.append(ids + said)
        spans.append((len(ids), len(ids) + len(said)))
    width = max(map(len, rows))
    batch = torch.tensor([row + [words.pad_token_id] * (width - len(row)) for row in rows])
    labels = torch.full_like(batch, -100)
    for i, (begin, end) in enumerate(spans):
        labels[i, begin:end] = batch[i, begin:end]
    pixels = torch.randn((len(rows), 3, IMAGE, IMAGE), generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.AdamW(model.model.language_model.parameters(), lr=1e-2, weight_decay=0.0)
    optimizer.add_param_group({"params": model.lm_head.parameters()})
    for _ in range(STEPS):
        loss = model(
            input_ids=batch, pixel_values=pixels, attention_mask=(batch != words.pad_token_id), labels=labels
        ).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if loss > 0.2:
        raise AssertionError(f"the tiny model did not learn its answers ({float(loss):.2f})")
    model.eval()


def _write_text(path: Path, weights: dict[str, np.ndarray], words: dict[str, Any], config: LlamaConfig) -> None:
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    head = config.hidden_size // config.num_attention_heads
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(head)
    writer.add_vocab_size(config.vocab_size)
    vocabulary = {**words["model"]["vocab"], **{entry["content"]: entry["id"] for entry in words["added_tokens"]}}
    kinds = dict.fromkeys(range(config.vocab_size), gguf.TokenType.NORMAL)
    for entry in words["added_tokens"]:
        kinds[entry["id"]] = gguf.TokenType.CONTROL if entry["content"] in SPECIAL else gguf.TokenType.USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(sorted(vocabulary, key=vocabulary.__getitem__))
    writer.add_token_types([kinds[i] for i in range(config.vocab_size)])
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in words["model"]["merges"]])
    writer.add_eos_token_id(config.eos_token_id)
    writer.add_pad_token_id(config.pad_token_id)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    own = "model.language_model."
    writer.add_tensor("token_embd.weight", weights[f"{own}embed_tokens.weight"])
    writer.add_tensor("output_norm.weight", weights[f"{own}norm.weight"])
    writer.add_tensor("output.weight", weights["lm_head.weight"])
    for i in range(config.num_hidden_layers):
        layer = f"{own}layers.{i}."
        for name, given in {
            "attn_norm": "input_layernorm",
            "ffn_norm": "post_attention_layernorm",
            "attn_v": "self_attn.v_proj",
            "attn_output": "self_attn.o_proj",
            "ffn_gate": "mlp.gate_proj",
            "ffn_up": "mlp.up_proj",
            "ffn_down": "mlp.down_proj",
        }.items():
            writer.add_tensor(f"blk.{i}.{name}.weight", weights[f"{layer}{given}.weight"])
        for name, given in (("attn_q", "q_proj"), ("attn_k", "k_proj")):  # llama.cpp pairs neighbours in its rotation
            value = weights[f"{layer}self_attn.{given}.weight"]
            pairs = value.reshape(config.num_attention_heads, 2, head // 2, value.shape[1]).swapaxes(1, 2)
            writer.add_tensor(f"blk.{i}.{name}.weight", np.ascontiguousarray(pairs.reshape(value.shape)))
    _close(writer)


def _write_eye(path: Path, weights: dict[str, np.ndarray], config: CLIPVisionConfig) -> None:
    import gguf

    writer = gguf.GGUFWriter(path, "clip")
    writer.add_string("general.type", "mmproj")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_bool("clip.use_gelu", True)
    for name, value in {
        "image_size": config.image_size,
        "patch_size": config.patch_size,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "projection_dim": 64,
        "attention.head_count": config.num_attention_heads,
        "block_count": config.num_hidden_layers,
    }.items():
        writer.add_uint32(f"clip.vision.{name}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", config.layer_norm_eps)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    own = next(name for name in weights if name.endswith("embeddings.class_embedding")).removesuffix(
        "embeddings.class_embedding"
    )
    writer.add_tensor("v.class_embd", weights[f"{own}embeddings.class_embedding"])
    writer.add_tensor("v.patch_embd.weight", weights[f"{own}embeddings.patch_embedding.weight"])
    writer.add_tensor("v.position_embd.weight", weights[f"{own}embeddings.position_embedding.weight"])
    for kind in ("weight", "bias"):
        writer.add_tensor(f"v.pre_ln.{kind}", weights[f"{own}pre_layrnorm.{kind}"])
        writer.add_tensor(f"mm.0.{kind}", weights[f"model.multi_modal_projector.linear_1.{kind}"])
        writer.add_tensor(f"mm.2.{kind}", weights[f"model.multi_modal_projector.linear_2.{kind}"])
        for i in range(config.num_hidden_layers):
            for name, given in {
                "attn_q": "self_attn.q_proj",
                "attn_k": "self_attn.k_proj",
                "attn_v": "self_attn.v_proj",
                "attn_out": "self_attn.out_proj",
                "ln1": "layer_norm1",
                "ln2": "layer_norm2",
                "ffn_up": "mlp.fc1",
                "ffn_down": "mlp.fc2",
            }.items():
                writer.add_tensor(f"v.blk.{i}.{name}.{kind}", weights[f"{own}encoder.layers.{i}.{given}.{kind}"])
    _close(writer)


def _close(writer: Any) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
