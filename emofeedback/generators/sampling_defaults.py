"""How a model draws, as its card recommends; light, so that lists of models can be shown without a framework."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SamplingDefaults:
    """Steps, steps of a preview, and guidance w in u + w (c - u), where 1 is none."""

    steps: int
    preview_steps: int
    guidance: float
