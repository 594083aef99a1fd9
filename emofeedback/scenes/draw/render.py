"""From a scene to a picture: planes from far to near, the subject large and near the centre."""

import io
import random

import resvg_py
from PIL import Image

from emofeedback.scenes.draw.canvas import Ink, brightness, ellipse, group
from emofeedback.scenes.draw.elements import ELEMENT_DRAWINGS
from emofeedback.scenes.draw.figures import FIGURE_DRAWINGS
from emofeedback.scenes.draw.places import PLACE_DRAWINGS
from emofeedback.scenes.draw.sky import fog_behind, light_in_front, scene_ink, sky, weather_in_front
from emofeedback.scenes.draw.structures import STRUCTURE_DRAWINGS
from emofeedback.scenes.grammar import FAR_ELEMENTS, FIGURES, GROUND_ELEMENTS, SKY_ELEMENTS, WATER_PLACES, Scene

# height of the 100-unit drawing box in picture units when the subject stands alone
_SIZES = {
    "person": 50,
    "couple": 50,
    "child": 50,
    "dog": 50,
    "cat": 50,
    "horse": 54,
    "bird": 46,
    "deer": 54,
    "wolf": 52,
    "butterfly": 46,
    "owl": 48,
    "car": 52,
    "bicycle": 52,
    "statue": 56,
    "tent": 54,
    "bench": 52,
    "house": 54,
    "lighthouse": 64,
    "windmill": 60,
    "church": 60,
    "castle": 58,
    "tree": 60,
    "train": 66,
    "boat": 54,
}


def to_svg(scene: Scene) -> str:
    """The scene as an SVG document with a 100 x 100 view box; a pure function of the scene."""
    rng = random.Random(scene.layout)
    ink = scene_ink(scene, rng)
    planes = [sky(scene, ink), _elements(scene, ink, SKY_ELEMENTS), PLACE_DRAWINGS[scene.place](ink, scene)]
    near = _subject_ink(ink)
    planes += [_elements(scene, near, FAR_ELEMENTS), fog_behind(scene, ink)]
    planes.append(_subjects(scene, near, rng))
    planes.append(_elements(scene, near, GROUND_ELEMENTS))
    planes += [weather_in_front(scene, ink), light_in_front(scene)]
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">{"".join(planes)}</svg>'


def render(scene: Scene, size: int = 128) -> Image.Image:
    """The scene as an RGB picture of size x size pixels; the same scene and size give the same pixels."""
    png = resvg_py.svg_to_bytes(svg_string=to_svg(scene), width=size, height=size, skip_system_fonts=True)
    return Image.open(io.BytesIO(bytes(png))).convert("RGB")


def _elements(scene: Scene, ink: Ink, kind: tuple[str, ...]) -> str:
    return "".join(ELEMENT_DRAWINGS[e](ink) for e in scene.elements if e in kind)


def _subject_ink(ink: Ink) -> Ink:
    """Subjects and elements keep more of their own colour than the ground, so that they can be read in the dark."""
    return Ink(
        ambient=ink.ambient,
        ambient_share=ink.ambient_share * 0.52,
        haze=ink.haze,
        gain=0.46 + 0.6 * ink.gain,
        saturation=0.25 + 0.75 * ink.saturation,
        tint=ink.tint,
        tint_share=ink.tint_share * 0.8,
        lit=ink.lit,
        season=ink.season,
        rng=ink.rng,
    )


def _subjects(scene: Scene, near: Ink, rng: random.Random) -> str:
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
