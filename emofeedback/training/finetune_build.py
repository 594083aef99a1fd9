"""A fine-tuning job of the bundled models, put together."""

from pathlib import Path

from emofeedback.evaluation.grading import GradingRater
from emofeedback.generators.diffusion import SceneDiffusionGenerator
from emofeedback.judges.lvlm import SceneJudge
from emofeedback.records import PictureRequest
from emofeedback.training.audit import Auditor
from emofeedback.training.finetune import Finetuner
from emofeedback.training.finetune_settings import FinetuneSettings, Tasks
from emofeedback.training.policy import ScenePolicy
from emofeedback.training.rewards import (
    AffectReward,
    CachedReader,
    ContentReward,
    DifferentiableAffect,
    QualityReward,
    Reward,
)

CALIBRATION = 16
"""Pictures of the base that tell which quality is usual."""


def build_finetuner(
    generator: SceneDiffusionGenerator,
    judge: SceneJudge,
    rater: GradingRater,
    job: FinetuneSettings,
    tasks: Tasks,
    out: Path,
) -> Finetuner:
    """A job in which the judge rewards and the rater audits; nothing is written yet.

    Args:
        generator: without an adapter; it belongs to the job from now on.
        out: the job's folder.
    """
    policy = ScenePolicy(generator, job.rank, job.seed, chunk=job.micro_batch)
    reader = CachedReader(judge)
    rewards: dict[str, Reward] = {"affect": AffectReward(reader), "content": ContentReward(reader)}
    if job.weights.get("quality"):
        requests = [
            PictureRequest(task.prompt, task.affect, i, steps=job.steps, guidance=job.guidance)
            for i, task in enumerate(tasks.draw(0, CALIBRATION))
        ]
        rewards["quality"] = QualityReward.calibrated(policy, requests)
    else:
        rewards["quality"] = QualityReward(policy)
    auditor = Auditor(
        tasks.audit(job.audit_pictures), rater, job, lambda images: [r.realism for r in rater.rater.read(images)]
    )
    return Finetuner(policy, rewards, job, tasks, auditor, out, DifferentiableAffect(judge))
