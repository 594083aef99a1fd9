"""Which visual prompts a generator gets: the shipped ones, a folder's, or a public IP-Adapter with a folder's bank."""

import logging
from pathlib import Path
from typing import Any

from emofeedback.errors import UserError
from emofeedback.generators.pipelines.ip_adapter import IpAdapterPrompts
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.generators.visual.bank import VisualBank
from emofeedback.generators.visual.encoders import TransformersTexts
from emofeedback.home import expanded

logger = logging.getLogger(__name__)
NONE, PUBLIC_ADAPTER = "none", "public"


def take_visual(generator: Any, wanted: str | None, shipped: Path | None) -> None:
    """Give a generator visual prompts.

    Args:
        wanted: "none"; a folder of visual prompts for the scene generator; for a full-size one "public" (the public
            IP-Adapter of its family, pictures of a person's own) or a folder's bank for it, as PATH or
            PATH#TEXT_ENCODER; None = `shipped`, where there is one.
        shipped: visual prompts that belong to this generator.

    Raises:
        UserError: what is wanted is missing, damaged, or not for this generator.
    """
    if wanted == NONE:
        return
    if isinstance(generator, SceneDiffusionGenerator):
        if wanted is not None:
            generator.load_visual(expanded(wanted))
        elif shipped is not None and shipped.is_dir():
            try:
                generator.load_visual(shipped)
            except UserError as error:  # the generator draws without them as before
                logger.warning("Visual prompts are off: %s", error)
        return
    if wanted is None:
        return
    family = getattr(generator, "family", None)
    if family is None or family.ip_adapter is None:
        raise UserError(f"There is no public IP-Adapter for {generator.name}; leave EMOFEEDBACK_VISUAL_PROMPTS out.")
    bank, words = None, None
    if wanted != PUBLIC_ADAPTER:
        path, _, encoder = wanted.partition("#")
        bank = VisualBank.load(expanded(path))
        words = TransformersTexts(encoder or bank.encoders["text"], str(generator.device))
    generator.use_visual(IpAdapterPrompts(family.ip_adapter, bank, words))
