"""What the bundled generator's transformer is told about a batch."""

from typing import NamedTuple

from torch import Tensor


class SceneCondition(NamedTuple):
    """Rows for B pictures, k of them each.

    Attributes:
        prompt, pooled: embeddings [kB, L, D] and [kB, P], the conditional ones last, after (k = 3) those with the
            opposite emotion, after (k > 1) those of the negative prompt, mostly empty.
        guidance: None (k = 1), towards the words [1, B] (k = 2), or towards the words and the emotion [2, B] (k = 3).
        sketches: of the pictures, [B, 4, S, S] in [0, 1], blank where there is none; None = no sketches.
        residuals: what they add to the picture tokens, [B, R, N, W], 0 where there is no sketch; for all rows but those
            of the negative prompt, so that guidance leads towards the sketch too.
    """

    prompt: Tensor
    pooled: Tensor
    guidance: Tensor | None = None
    sketches: Tensor | None = None
    residuals: Tensor | None = None
