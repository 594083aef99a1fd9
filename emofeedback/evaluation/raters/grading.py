"""The second rater behind the same reading interface as a judge, so that one protocol grades with either.

Where the pictures are not of the scene world, a vision-language model can be the rater: another one than the judge.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import nn

from emofeedback.evaluation.raters.scene_rater import RaterReading, SceneRater
from emofeedback.judges.calibration import Named, bare, identity_of
from emofeedback.records import Picture, Reading, Seen
from emofeedback.scenes.outcomes import content_shown


class GradingRater:
    """Implements `Reader`. The rater gives no spread and always answers: spreads are 0 and mass is 1."""

    name = "scene-rater"

    def __init__(self, rater: SceneRater) -> None:
        self.rater = rater

    def read(self, pictures: Sequence[Picture]) -> list[Reading | None]:
        """One reading per picture from its pixels alone."""
        return [self._reading(graded) for graded in self.rater.read([picture.image for picture in pictures])]

    def realism(self, images: Sequence[Image.Image]) -> list[float]:
        """For each image the probability in [0, 1] that it is an intact scene."""
        return [graded.realism for graded in self.rater.read(images)]

    def _reading(self, graded: RaterReading) -> Reading:
        seen = [Seen(aspect, word, probability) for aspect, (word, probability) in graded.content.items()]
        seen += [Seen("subject", word, probability) for word, probability in graded.subjects]
        seen += [Seen("element", word, probability) for word, probability in graded.elements]
        return Reading(graded.affect(), 0.0, 0.0, 1.0, tuple(seen), self.name)

    def content_kept(self, prompt: str, reading: Reading) -> bool | None:
        """Whether the place and all subjects that the prompt names are seen; None when that cannot be told.

        It cannot where the prompt names none, or what this rater has no word for (see `content_shown`).
        """
        places = {seen.word for seen in reading.seen if seen.aspect == "place"}
        subjects = {seen.word for seen in reading.seen if seen.aspect == "subject"}
        known = self.rater.space
        return content_shown(prompt, places, subjects, known.one_of["place"], known.any_of["subject"])


def is_scene_rater(folder: Path) -> bool:
    """Whether a folder claims to hold a rater of the scene world, or nothing that can be told."""
    try:
        return json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type") == "resnet"
    except (OSError, ValueError, AttributeError):
        return True


def same_model(judge: Named, rater: Named) -> bool:
    """Whether two readers are one model: equal weights where both are here, else one name."""
    first, second = (getattr(bare(reader), "model", None) for reader in (judge, rater))
    if isinstance(first, nn.Module) and isinstance(second, nn.Module):
        return _same_weights(first, second)
    return not isinstance(rater, GradingRater) and same_name(judge, identity_of(bare(rater)))


def same_name(judge: Named, identity: str) -> bool:
    """Whether a judge has the model that an identity (see `identity_of`) names, whatever its revision and place."""
    return bool(identity) and _model_name(identity_of(bare(judge))) == _model_name(identity)


def _model_name(identity: str) -> str:
    """remote:MODEL and OWNER/NAME@COMMIT -> the model's name; FOLDER:FINGERPRINT -> the fingerprint."""
    if identity.startswith("remote:"):
        return identity.removeprefix("remote:").casefold()
    repo, at, _ = identity.partition("@")
    return repo.casefold() if at else identity.rpartition(":")[2]


def _same_weights(first: nn.Module, second: nn.Module) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(
        value.shape == theirs[name].shape and torch.equal(value, theirs[name].to(value)) for name, value in ours.items()
    )
