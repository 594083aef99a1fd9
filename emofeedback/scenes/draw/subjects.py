"""The content of a scene on its ground: the subject large and near the centre, its companion beside it."""

import random

from emofeedback.scenes.draw.canvas import Ink, brightness, ellipse, group
from emofeedback.scenes.draw.figures import FIGURE_DRAWINGS
from emofeedback.scenes.draw.structures import STRUCTURE_DRAWINGS
from emofeedback.scenes.grammar import FIGURES, WATER_PLACES, Scene

# height of the 100-unit drawing box in picture units when the subject stands alone
_SIZES = {
    "person": 50, "couple": 50, "child": 50, "dog": 50, "cat": 50, "horse": 54, "bird": 46, "deer": 54, "wolf": 52,
    "butterfly": 46, "owl": 48, "car": 52, "bicycle": 52, "statue": 56, "tent": 54, "bench": 52,
    "house": 54, "lighthouse": 64, "windmill": 60, "church": 60, "castle": 58, "tree": 60, "train": 66, "boat": 54,
}  # fmt: skip


def subjects(scene: Scene, near: Ink, rng: random.Random) -> str:
    """Subject and companion as SVG in picture coordinates."""
    if scene.subject is None:
        return ""
    x, scale = 50 + rng.uniform(-5, 5), rng.uniform(0.95, 1.06)
    if scene.companion is None:
        return _standing(scene.subject, scene.place, near, x, scale)
    front = _standing(scene.subject, scene.place, near, 34 + rng.uniform(-2, 2), 0.84 * scale)
    if scene.companion in FIGURES:
        return front + _standing(scene.companion, scene.place, near, 67 + rng.uniform(-2, 2), 0.72 * scale)
    return _standing(scene.companion, scene.place, near, 67 + rng.uniform(-2, 2), 0.88 * scale, back=4.0) + front


def _standing(name: str, place: str, ink: Ink, x: float, scale: float, back: float = 0.0) -> str:
    """One subject on its ground, with a contact shadow, or afloat with its reflection."""
    size = _SIZES[name] * scale / 100
    if name == "boat" and place in WATER_PLACES:
        drawing = STRUCTURE_DRAWINGS[name](ink)
        mirrored = (
            f'<g transform="translate({x:.2f} 73) scale({size:.4f} {-size * 0.34:.4f})" opacity=".35">{drawing}</g>'
        )
        return mirrored + group(drawing, x, 73.5, size)
    figure = name in FIGURES
    y = (87.0 if figure else 82.0) - back
    drawing = (FIGURE_DRAWINGS if figure else STRUCTURE_DRAWINGS)[name](ink)
    width = {"butterfly": 22, "lighthouse": 22, "person": 20, "train": 50, "car": 48}.get(name, 38) * size
    shadow = ellipse(x + 1.5, y + 0.3, width * 1.15, 2.4, brightness(ink.haze, 0.16), 0.34)
    return shadow + group(drawing, x, y, size)
