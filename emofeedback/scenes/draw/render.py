"""From a scene to a picture: planes from far to near, the subject large and near the centre.

Also to its flats, as illustrators call what they lay down before any light: each thing in its own plain colour.
"""

import io
import random
from dataclasses import replace

import resvg_py
from PIL import Image

from emofeedback.scenes.draw.canvas import Ink, glow
from emofeedback.scenes.draw.elements import ELEMENT_DRAWINGS
from emofeedback.scenes.draw.places import PLACE_DRAWINGS
from emofeedback.scenes.draw.rooms import far_away, land_outside, room_ink, through_window
from emofeedback.scenes.draw.sky import (
    flash_behind,
    fog_behind,
    light_in_front,
    lightning,
    lightning_flats,
    scene_ink,
    sky,
    weather_flats,
    weather_in_front,
)
from emofeedback.scenes.draw.subjects import subject_boxes, subjects
from emofeedback.scenes.grammar import FAR_ELEMENTS, GROUND_ELEMENTS, INDOOR_PLACES, LIVING, SKY_ELEMENTS, Scene

BEHIND = ("bare trees", "empty swing", "hammock")
"""Ground elements that stand behind the subjects: their branches and posts would cross them."""
BEFORE = tuple(element for element in GROUND_ELEMENTS if element not in BEHIND)


def to_svg(scene: Scene) -> str:
    """The scene as an SVG document with a 100 x 100 view box; a pure function of the scene."""
    rng = random.Random(scene.layout)
    ink = scene_ink(scene, rng)
    planes = (_indoors if scene.place in INDOOR_PLACES else _outdoors)(scene, ink, rng) + light_in_front(scene)
    return document(planes)


def document(planes: str) -> str:
    """SVG elements in picture coordinates (100 x 100) as a whole document."""
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">{planes}</svg>'


def flats_svg(scene: Scene) -> str:
    """What stands in the scene in its own colours on white paper: no sky, fog, hour, palette or light.

    Everything is where `to_svg` has it. Of the light, only what water mirrors and what falls through a window is left;
    of the weather, the outlines of bolt, rain, snow and gusts.
    """
    rng = random.Random(scene.layout)
    ink = Ink("#ffffff", 0.0, haze="#ffffff", season=scene.season, rng=rng)
    if scene.place in INDOOR_PLACES:
        view = _view(scene, ink, rng, sky=lightning_flats(scene), weather=weather_flats(scene, ink))
        planes = _room(scene, ink, ink, rng, view)
    else:
        planes = lightning_flats(scene) + _content(scene, ink, rng) + weather_flats(scene, ink)
    return document(f'<rect width="100" height="100" fill="#ffffff"/>{planes}')


def _outdoors(scene: Scene, ink: Ink, rng: random.Random) -> str:
    """The sky, what stands under it, and the weather before them all."""
    content = _content(scene, ink, rng, _subject_ink(ink), _between(scene, ink))
    return sky(scene, ink) + lightning(scene) + content + weather_in_front(scene, ink)


def _between(scene: Scene, ink: Ink) -> str:
    """Fog and light between the place and the subjects."""
    return fog_behind(scene, ink) + flash_behind(scene) + _light_behind(scene, ink)


def _content(scene: Scene, ink: Ink, rng: random.Random, near: Ink | None = None, fog: str = "") -> str:
    """Place, far elements, subjects and ground elements; `near` is the ink of all but the place."""
    near = near or ink
    planes = [_elements(scene, ink, SKY_ELEMENTS), PLACE_DRAWINGS[scene.place](ink, scene)]
    planes += [_elements(scene, near, FAR_ELEMENTS), fog, _elements(scene, near, BEHIND)]
    return "".join([*planes, subjects(scene, near, rng), _elements(scene, near, BEFORE)])


def _indoors(scene: Scene, ink: Ink, rng: random.Random) -> str:
    """The world and its weather through the window, then the room with what stands in it."""
    outside, inside = _subject_ink(ink), room_ink(ink, scene)
    above = sky(scene, ink) + lightning(scene)
    view = _view(scene, ink, rng, outside, above, fog_behind(scene, ink), weather_in_front(scene, ink))
    return _room(scene, inside, _subject_ink(inside), rng, view)


def _view(
    scene: Scene, ink: Ink, rng: random.Random, near: Ink | None = None, sky: str = "", fog: str = "", weather: str = ""
) -> str:
    """What is seen through the window; `near` is the ink of all but the land."""
    near = near or ink
    view = far_away(sky + _elements(scene, ink, SKY_ELEMENTS) + land_outside(ink, scene))
    # far elements stand at the picture's right edge, where the curtain would hide much of them
    view += far_away(_elements(scene, near, FAR_ELEMENTS), left=5.0, down=2.6) + far_away(fog)
    return view + subjects(scene, near, rng, part="window") + far_away(weather)


def _room(scene: Scene, ink: Ink, near: Ink, rng: random.Random, view: str) -> str:
    """A room before what its window shows, with what stands in it in the ink `near`."""
    room = PLACE_DRAWINGS[scene.place](ink, scene) + subjects(scene, near, rng, part="room")
    return through_window(view) + room + _elements(scene, near, BEFORE)


def render(scene: Scene, size: int = 128) -> Image.Image:
    """The scene as an RGB picture of size x size pixels; the same scene and size give the same pixels."""
    return rasterised(to_svg(scene), size)


def render_flats(scene: Scene, size: int = 128) -> Image.Image:
    """The flats of the scene (`flats_svg`) as an RGB picture of size x size pixels."""
    return rasterised(flats_svg(scene), size)


def rasterised(svg: str, size: int) -> Image.Image:
    """An SVG document as an RGB picture of size x size pixels."""
    png = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True)
    return Image.open(io.BytesIO(bytes(png))).convert("RGB")


def _elements(scene: Scene, ink: Ink, kind: tuple[str, ...]) -> str:
    """The elements of one kind; whoever is among them sees how the subject feels."""
    mood = replace(ink, pose=scene.pose if {scene.subject, scene.companion} & set(LIVING) else "plain")
    shown = [e for e in scene.elements if e in kind]
    if mood.pose == "downcast" and "balloons" in scene.elements:
        # limp balloons have sunk to the ground
        shown = [e for e in shown if e != "balloons"] + ["balloons"] * (kind is BEFORE)
    return "".join(ELEMENT_DRAWINGS[e](mood) for e in shown)


def _light_behind(scene: Scene, ink: Ink) -> str:
    """A soft light behind the subjects where the scene is dark, so that they stand out of it."""
    boxes = [box for _, box in subject_boxes(scene)]
    if not boxes or not (ink.lit or scene.weather == "thunderstorm"):
        return ""
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    rx, ry = 0.75 * (right - left) + 8, 0.7 * (bottom - top) + 8
    x, y = (left + right) / 2, (top + 2 * bottom) / 3
    colour = "#dfe6c8" if scene.weather == "thunderstorm" else ink.grade("#c9d2f2")
    place = f"translate({x:.2f} {y:.2f}) scale({rx / 50:.3f} {ry / 50:.3f})"
    return f'<g transform="{place}">{glow(0, 0, 50, colour, 0.36)}</g>'


def _subject_ink(ink: Ink) -> Ink:
    """Subjects and elements keep more of their own colour than the ground, so that they can be read in the dark."""
    return replace(
        ink,
        ambient_share=ink.ambient_share * 0.24,
        gain=max(1.0, 0.46 + 0.6 * ink.gain),
        saturation=max(0.78, 0.4 + 0.6 * ink.saturation) if ink.saturation > 0.5 else 0.4 + 0.6 * ink.saturation,
        tint_share=ink.tint_share * 0.28,
    )
