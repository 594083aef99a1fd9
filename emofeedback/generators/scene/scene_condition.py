"""What the bundled generator's transformer is told about a batch."""

from typing import NamedTuple

from torch import Tensor


class SceneCondition(NamedTuple):
    """Rows for B pictures, k of them each.

    Attributes:
        prompt, pooled: embeddings [kB, L, D] and [kB, P], the conditional ones last, after (k = 3) those with the
            opposite emotion, after (k > 1) those of the negative prompt, mostly empty.
        guidance: None (k = 1), towards the words [1, B] (k = 2), or towards the words and the emotion [2, B] (k = 3).
        sketch: residuals [B, R, N, W] on the picture tokens, for all rows but those of the negative prompt, so that
            guidance follows the lines too; None = no sketches.
    """

    prompt: Tensor
    pooled: Tensor
    guidance: Tensor | None = None
    sketch: Tensor | None = None
