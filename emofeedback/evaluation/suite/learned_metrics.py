"""CLIPScore, CLIP-IQA and LPIPS of a suite's final pictures, by torchmetrics: an optional extra.

`pip install emofeedback[metrics]`. Their networks are fetched on first use where they are not on this machine; a
figure that cannot be taken says why and takes nothing else with it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import CLIPModel, CLIPProcessor

from emofeedback.errors import UserError
from emofeedback.evaluation.report import Measure
from emofeedback.evaluation.suite.sheet_figures import mean_measure
from emofeedback.evaluation.suite.store import SuiteFolder
from emofeedback.flow.pixels import from_images

logger = logging.getLogger(__name__)

SIDE = 224
"""Of the pictures, in pixels."""
CLIP = "openai/clip-vit-large-patch14"
UNITS = {"clip-score": "CLIPScore", "clip-iqa": "CLIP-IQA", "lpips": "LPIPS, largest over mean step"}
Pictures = Sequence[Sequence[Image.Image]]
"""[prompts][points]"""
Scores = Callable[[Pictures, Sequence[str], int], list[float]]
"""From pictures, prompts and the grid to a figure for each prompt."""


@torch.no_grad()
def learned_measures(names: Sequence[str], folder: SuiteFolder, device: str = "cpu") -> list[Measure]:
    """The named figures of every arm that was drawn.

    Raises:
        UserError: a name is unknown, or torchmetrics is not installed.
    """
    unknown = [name for name in names if name not in UNITS]
    if unknown:
        raise UserError(f"Unknown metric {unknown[0]!r}; known are {', '.join(UNITS)}.")
    rows, plan = [], folder.plan
    for name in names:
        unit = UNITS[name]
        try:
            score = OPENED[name](device)
        except ModuleNotFoundError as error:
            raise UserError(f"{unit} needs torchmetrics ({error}); pip install 'emofeedback[metrics]'.") from None
        except Exception as error:  # whatever fetching and loading a network can raise
            logger.debug("opening %s failed", name, exc_info=True)
            note = f"its network cannot be opened ({' '.join(str(error).split())[:160]})"
            rows += [Measure.missing(f"{arm}: {unit}", unit, note) for arm in folder.drawn()]
            continue
        for arm in folder.drawn():
            pictures = [[picture.image for picture in folder.pictures(arm, i)] for i in range(len(plan.prompts))]
            values = score(pictures, plan.prompts, plan.grid)
            rows.append(mean_measure(f"{arm}: {unit}", values, unit, plan.seed))
    return rows


def _unit(images: Sequence[Image.Image]) -> Tensor:
    """[N, 3, SIDE, SIDE] in [0, 1]."""
    return (from_images(images, SIDE) + 1) / 2


class TensorClip(nn.Module):
    """A CLIP model whose features are tensors, as torchmetrics expects them; transformers 5 wraps them in an output."""

    def __init__(self, model: CLIPModel) -> None:
        super().__init__()
        self.model, self.config = model, model.config

    def get_image_features(self, pixels: Tensor) -> Tensor:
        """[B, D]"""
        return self.model.get_image_features(pixels).pooler_output

    def get_text_features(self, ids: Tensor, mask: Tensor) -> Tensor:
        """[B, D]"""
        return self.model.get_text_features(ids, mask).pooler_output


def open_clip_score(device: str) -> Scores:
    """100 max(cos, 0) of picture and prompt, mean over a prompt's pictures (Hessel et al. 2021, arXiv 2104.08718)."""
    from torchmetrics.multimodal.clip_score import CLIPScore

    def opened() -> tuple[nn.Module, CLIPProcessor]:
        return TensorClip(CLIPModel.from_pretrained(CLIP).eval()), CLIPProcessor.from_pretrained(CLIP)

    return clip_score_with(CLIPScore(opened).to(device))


def clip_score_with(metric: Callable[..., Tensor]) -> Scores:
    """`open_clip_score` with a metric that is open already."""

    def score(pictures: Pictures, prompts: Sequence[str], grid: int) -> list[float]:
        found = []
        for images, prompt in zip(pictures, prompts, strict=True):
            pixels = [(p * 255).round().to(torch.uint8) for p in _unit(images)]
            found.append(float(metric(pixels, [prompt] * len(pixels))))
        return found

    return score


def open_clip_iqa(device: str) -> Scores:
    """Probability of "Good photo." against "Bad photo.", in [0, 1], by the authors' network, which comes with piq.

    Wang et al. 2023, arXiv 2207.12396.
    """
    from torchmetrics.multimodal import CLIPImageQualityAssessment

    metric = CLIPImageQualityAssessment(data_range=1.0).to(device)

    def score(pictures: Pictures, prompts: Sequence[str], grid: int) -> list[float]:
        return [float(metric(_unit(images).to(device)).mean()) for images in pictures]

    return score


def open_lpips(device: str) -> Scores:
    """Largest over mean LPIPS step along the lines of a sheet (Zhang et al. 2018, arXiv 1801.03924); 1 = even."""
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    metric = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True).to(device)

    def score(pictures: Pictures, prompts: Sequence[str], grid: int) -> list[float]:
        return [line_ratio(_unit(images).to(device), grid, lambda a, b: float(metric(a, b))) for images in pictures]

    return score


def line_ratio(pixels: Tensor, grid: int, step: Callable[[Tensor, Tensor], float]) -> float:
    """Largest over mean step, mean over the lines of a sheet that move; nan where none does."""
    sheet = pixels.unflatten(0, (grid, grid))
    ratios = []
    for line in (*sheet, *sheet.transpose(0, 1)):
        steps = [step(a[None], b[None]) for a, b in pairwise(line)]
        if max(steps) > 0:
            ratios.append(max(steps) / float(np.mean(steps)))
    return float(np.mean(ratios)) if ratios else float("nan")


OPENED: Mapping[str, Callable[[str], Scores]] = {
    "clip-score": open_clip_score,
    "clip-iqa": open_clip_iqa,
    "lpips": open_lpips,
}
