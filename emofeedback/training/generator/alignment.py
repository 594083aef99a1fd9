"""Representation alignment: the transformer's tokens learn to say what a vision tower sees in the clean picture.

Yu et al. 2025 (REPA, arXiv 2410.06940): the cosine between a projection of an early block's tokens on the noisy
latents and the features of a frozen encoder at the same places, as a second loss, makes a diffusion transformer learn
what is depicted sooner. The encoder here is the bundled judge's tower, whose patches match the transformer's tokens.
It sees renders only; no sample of the generator is shown to it or labelled by it.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration

from emofeedback.errors import UserError

BLOCK = 2  # of six: the block whose tokens are aligned
SPAN = 0.6  # share of the budget; then the features' limits would hold the generator back (Wang et al. 2025, HASTE)


class Alignment:
    """The frozen tower of a judge, the projector that is trained beside the generator, and their loss.

    Args:
        judge: a judge's checkpoint folder.
        tokens, width: of the transformer: tokens of a picture, width of its blocks.

    Raises:
        UserError: the tower's patches are not the transformer's tokens.
    """

    def __init__(self, judge: Path, tokens: int, width: int) -> None:
        model = LlavaForConditionalGeneration.from_pretrained(judge, use_safetensors=True, local_files_only=True)
        self.tower = model.model.vision_tower.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        features = int(model.config.vision_config.hidden_sizes[-1])  # type: ignore[union-attr]
        if model.config.image_seq_length != tokens:
            raise UserError(
                f"The judge in {judge} sees {model.config.image_seq_length} patches, the generator draws {tokens} "
                "tokens: align with a judge of the same picture size, or without one."
            )
        self.projector = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, features))
        self._tokens: Tensor | None = None

    def watch(self, transformer: nn.Module) -> None:
        """Align this transformer from now on; a copy of it would be watched too, so copy before."""
        block = transformer.get_submodule(f"transformer_blocks.{BLOCK}")
        block.register_forward_hook(self._keep)

    def _keep(self, block: nn.Module, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, Tensor]) -> None:
        self._tokens = outputs[1]  # text tokens, picture tokens

    def loss(self, pictures: Tensor) -> Tensor:
        """1 - cosine, averaged, for the batch that the transformer has just seen.

        Args:
            pictures: the clean pictures [B, 3, S, S] in [-1, 1].
        """
        assert self._tokens is not None, "the transformer has not been called"
        with torch.no_grad():
            seen = self.tower(pictures).last_hidden_state.float().flatten(2)
            seen = seen - seen.mean(dim=1, keepdim=True)  # what differs from place to place, not the whole's mood
        said, self._tokens = self.projector(self._tokens), None
        return 1.0 - nn.functional.cosine_similarity(said.float(), seen, dim=-1).mean()
