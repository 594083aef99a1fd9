"""What a prompt's content can carry, as a region that lies on the pad."""

from functools import lru_cache

from emofeedback.scenes import reach
from emofeedback.ui.parts.circumplex import place

SAID = "What these words can carry; beyond it, the mood can only be hinted at"


@lru_cache(256)
def region(prompt: str) -> str:
    """The region as SVG (see `scenes.reach`); empty where the prompt names nothing that the scene world knows."""
    outline = reach.reach_of(prompt)
    if not outline:
        return ""
    points = " ".join("{:.1f},{:.1f}".format(*place(at)) for at in outline)
    return f'<g class="reach"><title>{SAID}</title><polygon points="{points}"/></g>'
