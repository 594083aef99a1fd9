"""Who rewards and who audits: what a judge can be asked for, and what a resumed job knows both by."""

import hashlib
import json
import logging
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from emofeedback.errors import UserError
from emofeedback.evaluation.protocols.generator_and_judge import Reader
from emofeedback.evaluation.raters.grading import GradingRater
from emofeedback.finetuning.objectives.table import automatic, objective
from emofeedback.finetuning.order import AUTO
from emofeedback.judges.calibration import CalibratedJudge, identity_of
from emofeedback.judges.local.vision_language import VisionLanguageJudge
from emofeedback.judges.remote.remote_judge import RemoteJudge
from emofeedback.judges.scene.judge_language import JudgeTokens
from emofeedback.judges.scene.scene_judge import SceneJudge

logger = logging.getLogger(__name__)


@runtime_checkable
class DifferentiableJudge(Protocol):
    """A judge that gradients pass through: `direct` needs one, all other objectives take any `Judge`."""

    tokens: JudgeTokens

    def query_logits(self, pixels: Tensor) -> Tensor:
        """Next-token logits at the queries [B, queries, vocabulary] for pixels [B, 3, H, W] in [-1, 1]."""
        ...


def objective_for(judge: Reader, asked: str | None = None) -> str:
    """The objective that is asked for; where none is (None or AUTO), the one that suits the judge.

    Raises:
        UserError: it is not known, or needs a gradient and the judge has none.
    """
    if asked is None or asked == AUTO:
        return automatic(isinstance(judge, DifferentiableJudge))
    if not suits(judge, asked):
        raise UserError(f"{asked} follows a judge's gradient, and {judge.name} gives scores alone; choose awm.")
    return asked


def suits(judge: Reader, name: str) -> bool:
    """Whether a judge can give what an objective needs.

    Raises:
        UserError: the objective is not known.
    """
    return objective(name).needs != "differentiable" or isinstance(judge, DifferentiableJudge)


def ratings_only(reader: Reader) -> Reader:
    """The same reader, but it does not write down what it sees where nobody can use it: that takes most of its time."""
    match reader:
        case CalibratedJudge():
            return CalibratedJudge(ratings_only(reader.judge), reader.calibration)  # type: ignore[arg-type]
        case VisionLanguageJudge() | RemoteJudge():
            quiet = copy(reader)  # the one that was given may serve others meanwhile
            quiet.describe = False
            return quiet
        case _:
            return reader


@dataclass(frozen=True, slots=True)
class JobModels:
    """The models of a job, as a resumed one is told from others.

    Args:
        parts: of the generator.
    """

    parts: tuple[nn.Module, ...]
    judge: Reader
    rater: Reader

    def keys(self) -> dict[str, str]:
        """What a job is saved with."""
        return self._keys(weights_key)

    def earlier_keys(self) -> dict[str, str]:
        """What the same job was saved with by a version before; it still resumes."""
        return self._keys(_sums_key)

    def _keys(self, key: Callable[..., str]) -> dict[str, str]:
        return {
            "generator": key(*self.parts),
            "judge": reader_key(self.judge, key),
            "rater": reader_key(self.rater, key),
        }


def reader_key(reader: Reader, key: Callable[..., str]) -> str:
    """What tells this judge or rater from others when a job resumes.

    The bundled ones: their weights. A calibrated judge: also its maps. Others: a repository's commit, a fingerprint of
    a folder's files, or the name that a server knows, since it shows no weights.

    Args:
        key: hashes weights.
    """
    match reader:
        case GradingRater():
            return key(reader.rater.model)
        case SceneJudge():
            return f"{reader.name} {key(reader.model)}"
        case CalibratedJudge():
            maps = json.dumps(reader.calibration.as_json(), sort_keys=True)
            return f"{reader_key(reader.judge, key)} {hashlib.sha256(maps.encode()).hexdigest()[:16]}"
        case _:
            return identity_of(reader)


def weights_key(*modules: nn.Module) -> str:
    """A short hash that no other model shares, nor the same one trained further or with its weights in another order.

    Weights of 16 bits count as their values in float32, so that both forms of one model have one key.
    """
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            plain = value.detach().float() if value.is_floating_point() else value
            digest.update(repr((name, tuple(value.shape))).encode())
            digest.update(plain.cpu().contiguous().view(-1).numpy())
    return digest.hexdigest()[:16]


def _sums_key(*modules: nn.Module) -> str:
    """The `weights_key` of earlier versions, for jobs that were saved with it.

    It saw the sums of each tensor alone, so that a model with two rows exchanged had the same key.
    """
    digest = hashlib.sha256()
    for module in modules:
        for name, value in module.state_dict().items():
            total = value.double()
            digest.update(repr((name, tuple(value.shape), float(total.sum()), float(total.abs().sum()))).encode())
    return digest.hexdigest()[:16]
