"""Drawings of all secondary elements, keyed by their names in the grammar, in picture coordinates (100 x 100)."""

from collections.abc import Callable

from emofeedback.scenes.draw.canvas import Ink
from emofeedback.scenes.draw.ground_elements import GROUND_DRAWINGS
from emofeedback.scenes.draw.sky_elements import FAR_DRAWINGS, SKY_DRAWINGS

ELEMENT_DRAWINGS: dict[str, Callable[[Ink], str]] = {**SKY_DRAWINGS, **FAR_DRAWINGS, **GROUND_DRAWINGS}
