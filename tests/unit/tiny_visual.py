"""A tiny bank and a tiny generator that can draw from it, for the tests of visual prompts."""

import numpy as np
import torch
from PIL import Image
from tiny_finetune import tiny_generator

from emofeedback.affect import EMOTIONS, MIKELS, Affect
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.generators.visual.bank import Centre, VisualBank
from emofeedback.generators.visual.encoders import LatentEncoder
from emofeedback.generators.visual.visual_adapter import VisualAdapter, VisualShape
from emofeedback.generators.visual.visual_prompts import VisualPrompts

TOKENS, DIM, WORDS = 4, 8, 64


def tiny_bank(each: int = 3, seed: int = 0) -> VisualBank:
    """`each` random centres for each of the eight emotions."""
    rng = np.random.default_rng(seed)
    centres = tuple(Centre(name, EMOTIONS[name], 5, f"{name} {i}") for name in MIKELS for i in range(each))
    text = rng.standard_normal((len(centres), WORDS)).astype(np.float32)
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    look = rng.standard_normal((len(centres), TOKENS, DIM)).astype(np.float32)
    colours = rng.integers(0, 255, (len(centres), 3))
    pictures = tuple(Image.new("RGB", (16, 16), tuple(int(c) for c in colour)) for colour in colours)
    groups: dict[str, Affect] = {name: EMOTIONS[name] for name in MIKELS}
    zero, one = np.zeros(DIM, np.float32), np.ones(DIM, np.float32)
    return VisualBank(centres, groups, text, np.zeros(WORDS, np.float32), look, zero, one, pictures, {"text": "t"})


def tiny_visual(seed: int = 3) -> VisualPrompts:
    """Random weights far from zero, so that what is shown has an effect."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        adapter = VisualAdapter(VisualShape(TOKENS, DIM, layers=2, heads=2, head_dim=16, tokens=2, hidden=16))
        for name, parameter in adapter.named_parameters():
            if parameter.ndim == 2:
                torch.nn.init.normal_(parameter, std=0.3)
            del name
        encoder = LatentEncoder(4, DIM, widths=(8, 16, 16))
    return VisualPrompts(tiny_bank(), adapter.requires_grad_(False).eval(), encoder.eval(), 1.0, 1.0)


def visual_generator() -> SceneDiffusionGenerator:
    generator = tiny_generator()
    generator.use_visual(tiny_visual())
    return generator
