"""LoRAs of a policy: the student that becomes its base, weights shared by two transformers, one to start from."""

from pathlib import Path

from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from emofeedback.errors import UserError
from emofeedback.generators.lora import load_lora, merged
from emofeedback.generators.scene.few_step import FEW_STEP
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator


def student_transformer(generator: SceneDiffusionGenerator) -> nn.Module:
    """The student's transformer: a copy of the generator's with the student's LoRA in its weights.

    Raises:
        UserError: the generator has no student, or its file is damaged.
    """
    if generator.few_step is None:
        raise UserError("This generator has no few-step student to tune; give the steps and guidance of a rollout.")
    return merged(generator.pipeline, generator.few_step.folder, FEW_STEP)


def share_loras(owner: nn.Module, other: nn.Module) -> None:
    """Make the LoRAs of two transformers of one shape the same parameters."""
    layers = {key: module for key, module in owner.named_modules() if isinstance(module, BaseTunerLayer)}
    for key, module in other.named_modules():
        if isinstance(module, BaseTunerLayer):
            for name in module.lora_A:
                module.lora_A[name].weight = layers[key].lora_A[name].weight
                module.lora_B[name].weight = layers[key].lora_B[name].weight


def lora_weights(generator: SceneDiffusionGenerator, path: Path, scale: float) -> dict[str, Tensor]:
    """The matrices of a LoRA file by the name of their layer, at alpha = rank; the generator is left without it."""
    load_lora(generator.pipeline, path, scale)
    found = {}
    for name, layer in generator.pipeline.transformer.named_modules():
        if isinstance(layer, BaseTunerLayer):
            for adapter in layer.active_adapters:
                first, second = layer.lora_A[adapter].weight, layer.lora_B[adapter].weight
                found[f"{name}.lora_A.weight"] = first.detach().float().clone()
                found[f"{name}.lora_B.weight"] = layer.scaling[adapter] * second.detach().float().clone()
    generator.pipeline.unload_lora_weights()
    return found


def common_rank(weights: dict[str, Tensor]) -> int:
    """The one rank of a LoRA's layers."""
    ranks = {len(value) for key, value in weights.items() if ".lora_A." in key}
    if len(ranks) != 1:
        raise UserError("The adapter to start from has layers of several ranks; start from another one, or without.")
    return ranks.pop()
