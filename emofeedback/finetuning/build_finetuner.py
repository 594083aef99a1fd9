"""A fine-tuning job on the bundled generator or on a flow pipeline, put together."""

import logging
from dataclasses import replace
from pathlib import Path

import torch

from emofeedback.errors import UserError
from emofeedback.evaluation.content import content_judge
from emofeedback.evaluation.protocols.generator_and_judge import Reader
from emofeedback.evaluation.raters.grading import GradingRater
from emofeedback.finetuning.audit import Auditor
from emofeedback.finetuning.job_settings import RANK, FinetuneSettings, Tasks
from emofeedback.finetuning.objectives.table import objective
from emofeedback.finetuning.policy.lora_policy import LoraPolicy
from emofeedback.finetuning.policy.pipeline_policy import PipelinePolicy
from emofeedback.finetuning.policy.rollout import Sampling
from emofeedback.finetuning.policy.scene_policy import ScenePolicy
from emofeedback.finetuning.reward_judge import (
    DifferentiableJudge,
    JobModels,
    objective_for,
    ratings_only,
)
from emofeedback.finetuning.rewards import (
    AffectReward,
    CachedReader,
    ContentReward,
    DifferentiableReading,
    QualityReward,
    Reward,
    ShownReward,
)
from emofeedback.finetuning.trainer import STATE, Finetuner, Scoring
from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.machine.processes import Processes
from emofeedback.records import PictureRequest
from emofeedback.training.common.budget import prepare_host

logger = logging.getLogger(__name__)

CALIBRATION = 16
"""Pictures of the base that tell which quality is usual."""
ENCODED = 400
"""Prompts at most that are encoded before the text encoders leave the device."""


def build_finetuner(
    generator: SceneDiffusionGenerator | PipelineGenerator,
    judge: Reader,
    rater: Reader,
    job: FinetuneSettings,
    tasks: Tasks,
    out: Path,
) -> Finetuner:
    """A job in which the judge rewards and the rater audits; nothing is written yet.

    Args:
        generator: without an adapter; it belongs to the job from now on.
        judge: any; `direct` needs one that gradients pass through.
        rater: another model than the judge's.
        out: the job's folder.

    Raises:
        UserError: the adapter to start from does not fit, or has another rank than was asked for; the generator's
            family cannot be tuned; or the objective needs another judge.
    """
    objective_for(judge, job.objective)
    if isinstance(generator, PipelineGenerator):
        generator.flow()  # refuses other families before anything is read
    elif not isinstance(generator, SceneDiffusionGenerator):  # the command line builds any
        raise UserError(f"{generator.name} runs elsewhere and cannot be fine-tuned; choose a local generator.")
    prepare_host(torch.get_num_threads())
    job, student = _drawn(generator, job)
    models = JobModels((generator.pipeline.transformer, generator.pipeline.vae), judge, rater)
    keys = [models.keys()]  # before the policy puts its LoRA on the transformer
    if (out / STATE).exists():
        keys.append(models.earlier_keys())
    asked = content_judge(ratings_only(judge))
    if asked is not None and job.weights["content"]:
        asked.shows([], [])  # a model without words for yes and no is refused before anything is drawn
        logger.info("Content is rewarded by how likely %s says that a picture shows its prompt.", judge.name)
    policy = _policy(generator, job, student)
    if job.rank not in (None, policy.rank):
        raise UserError(f"The adapter to start from has rank {policy.rank}, not {job.rank}; leave out --rank.")
    realism = rater.realism if isinstance(rater, GradingRater) else None  # no other rater tells it
    auditor = Auditor(tasks.audit(job.audit_pictures), ratings_only(rater), job, realism)
    if isinstance(policy, ScenePolicy) and len(tasks.prompts) + len(tasks.held_out) <= ENCODED:
        prompts = (*tasks.prompts, *tasks.held_out)
        policy.encode_once([PictureRequest(prompt, None, 0, 0.0) for prompt in prompts])
    reader = CachedReader(ratings_only(judge))
    content = ContentReward(reader) if asked is None else ShownReward(asked)
    rewards: dict[str, Reward] = {"affect": AffectReward(reader), "content": content}
    if job.weights.get("quality"):
        drawn = tasks.draw(0, CALIBRATION)
        requests = [PictureRequest(task.prompt, task.affect, i) for i, task in enumerate(drawn)]
        rewards["quality"] = QualityReward.calibrated(policy, requests, Sampling(*job.rollout))
    else:
        rewards["quality"] = QualityReward(policy)
    if generator.device.type == "cpu" and objective(job.objective).needs == "differentiable":
        # the backward pass of group normalisation is slow where channels come last
        generator.pipeline.vae.to(memory_format=torch.contiguous_format)
    reading = None
    if isinstance(judge, DifferentiableJudge):
        reading = DifferentiableReading(judge, job.weights["affect"], job.weights["content"])
    processes = Processes.join(cpu=generator.device.type == "cpu")
    return Finetuner(policy, Scoring(rewards, auditor, reading, *keys), job, tasks, out, processes)


def _drawn(
    generator: SceneDiffusionGenerator | PipelineGenerator, job: FinetuneSettings
) -> tuple[FinetuneSettings, bool]:
    """The job with steps and guidance settled, and whether the bundled generator's few-step student draws.

    A pipeline draws as its preview does, a distilled one as its pictures; both in batches that the generator takes.
    """
    if isinstance(generator, SceneDiffusionGenerator):
        few = generator.few_step
        return job.drawn_by(few.steps if few is not None and few.default else None)
    if job.visual:
        raise UserError("Visual prompts are tuned on the bundled generator alone; leave out --visual.")
    distilled = generator.described.distilled
    steps = job.steps or (generator.default_steps if distilled else generator.preview_steps)
    guidance = generator.default_guidance if job.guidance is None else job.guidance
    small = min(job.micro_batch, generator.batch)
    return replace(job, steps=steps, guidance=1.0 if distilled else guidance, micro_batch=small), False


def _policy(generator: SceneDiffusionGenerator | PipelineGenerator, job: FinetuneSettings, student: bool) -> LoraPolicy:
    """The policy over a generator, with a fresh LoRA or with the one to start from."""
    rank = job.rank or RANK
    if isinstance(generator, SceneDiffusionGenerator):
        start = None if job.start is None else (Path(job.start), job.start_scale)
        return ScenePolicy(generator, rank, job.seed, job.micro_batch, job.checkpointing, start, student)
    if job.start is not None:
        raise UserError("A job on this generator starts from the model itself; leave out --adapter.")
    return PipelinePolicy(generator, rank, job.seed, job.micro_batch, job.checkpointing)
