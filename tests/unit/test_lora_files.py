"""LoRA files as trainers, sharing sites and accidents leave them: what is taken is all of it, the rest is refused."""

import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from opened_pipelines import CAT, draw, generator_of
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import save_file
from torch import Tensor

from emofeedback.errors import UserError
from emofeedback.files.checksums import write_checksums
from emofeedback.generators.lora import merged
from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator

RANK = 2
Spelling = Callable[[str, str], str]
"""The key of a module's matrix A or B."""


@pytest.fixture
def sd3(pipeline_root: Path) -> Iterator[PipelineGenerator]:
    yield from taken_off_after(generator_of("sd3", pipeline_root))


@pytest.fixture
def sdxl(pipeline_root: Path) -> Iterator[PipelineGenerator]:
    yield from taken_off_after(generator_of("sdxl", pipeline_root))


def taken_off_after(generator: PipelineGenerator) -> Iterator[PipelineGenerator]:
    """Other tests draw with the same."""
    yield generator
    generator.pipeline.unload_lora_weights()
    generator.texts.forget()
    generator._adapter, generator.name = None, generator.base_name


def matrices(generator: PipelineGenerator) -> dict[tuple[str, str], Tensor]:
    """A LoRA over some layers by (module, half); the one that is on goes."""
    generator.pipeline.unload_lora_weights()
    source, network = torch.Generator().manual_seed(0), getattr(generator.pipeline, generator.family.network)
    found = {}
    for name, module in network.named_modules():
        if name.endswith(("attn.to_v", "attn1.to_v", "to_out.0")) and isinstance(module, torch.nn.Linear):
            found[name, "A"] = torch.randn(RANK, module.in_features, generator=source)
            found[name, "B"] = torch.randn(module.out_features, RANK, generator=source)
    return found


def saved(folder: Path, tensors: dict[str, Tensor], **header: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    own = {key: value.clone() for key, value in tensors.items()}
    save_file(own, folder / "pytorch_lora_weights.safetensors", metadata=header or None)
    return folder


def spelled(generator: PipelineGenerator, how: Spelling) -> dict[str, Tensor]:
    return {how(module, half): value for (module, half), value in matrices(generator).items()}


def plain(module: str, half: str) -> str:
    return f"transformer.{module}.lora_{half}.weight"


def kohya(module: str, half: str) -> str:
    return f"lora_transformer_{module.replace('.', '_')}.lora_{'down' if half == 'A' else 'up'}.weight"


SPELLINGS: dict[str, Spelling] = {
    "peft's adapter name": lambda module, half: f"transformer.{module}.lora_{half}.default_0.weight",
    "peft": lambda module, half: f"base_model.model.{module}.lora_{half}.weight",
    "peft, named": lambda module, half: f"base_model.model.{module}.lora_{half}.default.weight",
    "peft in diffusers": lambda module, half: f"transformer.base_model.model.{module}.lora_{half}.weight",
    "kohya": kohya,
    "kohya of the unet": lambda module, half: kohya(module, half).replace("lora_transformer_", "lora_unet_"),
    "other studios": lambda module, half: f"diffusion_model.{module}.lora_{half}.weight",
    "diffusers of old": lambda m, half: f"transformer.{m}.lora.{'down' if half == 'A' else 'up'}.weight",
    "without a part": lambda module, half: f"{module}.lora_{half}.weight",
}


@pytest.mark.parametrize("how", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_draws_the_same_picture(sd3: PipelineGenerator, tmp_path: Path, how: Spelling) -> None:
    """`lora_A.default_0.weight` was taken without a word and changed nothing, or drew what lay in memory."""
    [base] = draw(sd3, CAT)
    sd3.load_adapter(saved(tmp_path / "plain", spelled(sd3, plain)))
    [wanted] = draw(sd3, CAT)
    sd3.load_adapter(saved(tmp_path / "other", spelled(sd3, how)))
    assert np.array_equal(draw(sd3, CAT)[0], wanted) and not np.array_equal(wanted, base)
    merged(sd3.pipeline, saved(tmp_path / "alone", spelled(sd3, how)), "student")  # the other way in


def scales(generator: PipelineGenerator) -> list[float]:
    """How much of the second matrix of the file each layer adds."""
    found = {}
    for name, layer in generator.pipeline.transformer.named_modules():
        if isinstance(layer, BaseTunerLayer):
            [adapter] = layer.active_adapters
            found[name] = layer.scaling[adapter] * layer.lora_B[adapter].weight.detach().clone()
    given = matrices(generator)
    assert len(found) == len(given) / 2
    shares = [weight / given[name, "B"] for name, weight in found.items()]
    assert all(torch.allclose(share, share.mean(), atol=1e-4) for share in shares)
    return [round(float(share.mean()), 3) for share in shares]


def test_alpha_counts_wherever_it_stands(sd3: PipelineGenerator, tmp_path: Path) -> None:
    keys = spelled(sd3, kohya)
    alphas = {key.replace(".lora_down.weight", ".alpha"): torch.tensor(1.0) for key in keys if "down" in key}
    sd3.load_adapter(saved(tmp_path / "kohya", keys | alphas))
    assert set(scales(sd3)) == {0.5}
    folder = saved(tmp_path / "peft", spelled(sd3, SPELLINGS["peft"]))
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": RANK, "lora_alpha": 4}))
    sd3.load_adapter(folder)
    assert set(scales(sd3)) == {2.0}
    header = {"transformer.r": RANK, "transformer.lora_alpha": 6}
    sd3.load_adapter(saved(tmp_path / "own", spelled(sd3, plain), lora_adapter_metadata=json.dumps(header)))
    assert set(scales(sd3)) == {3.0}


def test_what_is_odd_is_refused_by_its_name(sd3: PipelineGenerator, tmp_path: Path) -> None:
    good = spelled(sd3, plain)
    module = next(iter(good)).removesuffix(".lora_A.weight")
    a, b = f"{module}.lora_A.weight", f"{module}.lora_B.weight"

    def refused(name: str, tensors: dict[str, Tensor], match: str) -> None:
        with pytest.raises(UserError, match=match):
            sd3.load_adapter(saved(tmp_path / name, tensors))
        assert not any(isinstance(m, BaseTunerLayer) for m in sd3.pipeline.transformer.modules())
        assert sd3.loaded_adapter is None

    refused("no B", {key: v for key, v in good.items() if ".lora_A." in key}, "is not whole.*has no lora_B")
    refused("one B less", {key: v for key, v in good.items() if key != b}, rf"is not whole: '{module}' has no lora_B")
    refused("one A less", {key: v for key, v in good.items() if key != a}, rf"'{module}' has no lora_A")
    refused("NaN", good | {a: torch.full_like(good[a], torch.nan)}, rf"not finite, in '{a}'")
    refused("infinite", good | {b: torch.full_like(good[b], torch.inf)}, rf"not finite, in '{b}'")
    refused(
        "one more", good | {"transformer.nowhere.lora_A.weight": good[a]}, r"'transformer\.nowhere\.lora_A\.weight'"
    )
    refused("whole weights", good | {f"{module}.diff": good[a]}, r"made for another model: .*\.diff' fits no layer")
    refused("DoRA", good | {f"{module}.dora_scale": good[a]}, "dora_scale")
    refused("twice", good | {a.replace("lora_A", "lora_A.other"): good[a]}, "lora_A")
    refused("another rank", good | {b: torch.ones(good[b].shape[0], 3)}, "has the shape")
    refused("another width", good | {a: torch.ones(RANK, 5)}, "has the shape")
    refused("no LoRA", {"conv_in.weight": torch.ones(3)}, "'conv_in.weight'")
    refused("empty", {}, "holds no layer")


def test_files_that_are_no_weights(sd3: PipelineGenerator, tmp_path: Path) -> None:
    def refused(name: str, content: bytes, match: str) -> None:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=match):
            sd3.load_adapter(tmp_path / name)

    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 1360456\n"
    refused("pointer.safetensors", pointer, "pointer of Git LFS")
    refused("old.pt", b"PK\x03\x04", "pickled")
    refused("OLD.PT", b"PK\x03\x04", "pickled")
    refused("renamed.safetensors", pickle.dumps({"lora": [1.0]}, protocol=2), "pickled")
    refused("zipped.safetensors", b"PK\x03\x04" + bytes(60), "pickled")
    refused("page.safetensors", b"<!doctype html><title>Sign in</title>" * 9, "damaged")
    refused("nothing.safetensors", b"", "damaged")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(UserError, match="no adapter"):
        sd3.load_adapter(tmp_path / "folder.safetensors")


def test_a_changed_adapter_is_seen_by_its_checksum(sd3: PipelineGenerator, tmp_path: Path) -> None:
    folder = saved(tmp_path / "tuned", spelled(sd3, plain))
    write_checksums(folder)
    sd3.load_adapter(folder)
    file = folder / "pytorch_lora_weights.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match="does not match its checksum"):
        sd3.load_adapter(folder)


def test_kohyas_names_of_sdxl_are_converted_by_diffusers(sdxl: PipelineGenerator, tmp_path: Path) -> None:
    keys = {key: v for key, v in spelled(sdxl, lambda m, half: f"unet.{m}.lora_{half}.weight").items()}
    [base] = draw(sdxl, CAT)
    sdxl.load_adapter(saved(tmp_path / "plain", keys))
    [wanted] = draw(sdxl, CAT)

    def processor(module: str, half: str) -> str:
        name = module.replace("attn1.", "attn1.processor.").replace("to_out.0", "to_out")
        return f"unet.{name}_lora.{'down' if half == 'A' else 'up'}.weight"

    for how in (SPELLINGS["kohya of the unet"], processor):
        sdxl.load_adapter(saved(tmp_path / "other", spelled(sdxl, how)))
        assert np.array_equal(draw(sdxl, CAT)[0], wanted) and not np.array_equal(wanted, base)


def test_text_encoders_take_their_part(sdxl: PipelineGenerator, tmp_path: Path) -> None:
    module = next(n for n, m in sdxl.pipeline.text_encoder.named_modules() if n.endswith("q_proj"))
    width = sdxl.pipeline.text_encoder.config.hidden_size
    source = torch.Generator().manual_seed(0)
    both = {"down": torch.randn(RANK, width, generator=source), "up": 9 * torch.randn(width, RANK, generator=source)}
    name = module.replace(".", "_")
    kohyas = {f"lora_te1_{name}.lora_{half}.weight": value for half, value in both.items()}
    halves = {"down": "A", "up": "B"}
    peft = {f"text_encoder.{module}.lora_{halves[half]}.weight": value for half, value in both.items()}
    drawn = [draw(sdxl, CAT)[0]]
    for i, tensors in enumerate((kohyas, peft)):
        sdxl.load_adapter(saved(tmp_path / str(i), tensors))
        drawn += draw(sdxl, CAT)
    assert not np.array_equal(drawn[0], drawn[1]) and np.array_equal(drawn[1], drawn[2])
