"""Full-size shapes with random weights: drawing, reading, and one update of reward fine-tuning, part after part.

What a random model draws means nothing, so brightness is the reward in place of a judge's; no judge is timed. All
else of the update is a job's own: policy, rollout, decoding, learning pass. What does not fit the memory is told in
its rows, and the rest is measured all the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import ImageStat
from torch import Tensor

from emofeedback.evaluation.metrics import Interval
from emofeedback.evaluation.report import Measure
from emofeedback.evaluation.shapes.judge_shape import QWEN, TINY_QWEN, JudgeShape, shaped_judge
from emofeedback.evaluation.shapes.random_models import (
    KLEIN,
    SD35,
    TINY_KLEIN,
    TINY_SD35,
    PipelineShape,
    ShapedGenerator,
)
from emofeedback.evaluation.shapes.random_tokenizer import PROMPTS as WORDS
from emofeedback.evaluation.shapes.speed import (
    NO_MEMORY,
    TARGET,
    Part,
    draw,
    drawing_part,
    fitting,
    peak_gigabytes,
    read,
    reading_parts,
    reset_peak,
)
from emofeedback.finetuning.job_settings import FinetuneSettings, Targets, Tasks
from emofeedback.finetuning.policy.pipeline_policy import PipelinePolicy
from emofeedback.finetuning.update import PolicyUpdater
from emofeedback.generators.pipelines.memory import free_memory
from emofeedback.machine.processes import Processes
from emofeedback.records import Picture

NO_GPU = "not measured: needs a CUDA device"
NOTHING_LEARNED = "not measured: the random pictures gave nothing to learn from"
PROMPTS, GROUP = 2, 4
TASKS = Tasks(WORDS[:PROMPTS], WORDS[PROMPTS:], Targets("point", TARGET), 0)


@dataclass(frozen=True, slots=True)
class Shapes:
    """What is measured at one scale; `gpu`: it takes a CUDA device to say anything."""

    generators: tuple[PipelineShape, ...]
    judge: JudgeShape
    gpu: bool


SCALES: dict[str, Shapes] = {
    "full": Shapes((KLEIN, SD35), QWEN, True),
    "tiny": Shapes((TINY_KLEIN, TINY_SD35), TINY_QWEN, False),
}
"""Tiny runs the same code anywhere and measures nothing of use."""


class Brightness:
    """Implements `rewards.Reward`: the mean of a picture's pixels, in [0, 1]."""

    def score(self, pictures: Sequence[Picture], latents: Tensor) -> list[float | None]:
        return [ImageStat.Stat(picture.image.convert("L")).mean[0] / 255 for picture in pictures]


def update_part(shape: PipelineShape, size: int) -> Part:
    """What `update` measures."""
    settings = update_settings(shape, 1, 0)
    drawn, learned = PROMPTS * settings.group, PROMPTS * settings.extremes
    what = f"{shape.name} shape, {size} pixels"
    many = f"{drawn} pictures drawn in {settings.steps} steps, {learned} learned from"
    return Part(
        (
            (f"{what}: awm update, {many}", "s"),
            (f"{what}: awm update, drawing", "s"),
            (f"{what}: awm update, learning", "s"),
            (f"{what}: peak memory, awm update", "GB"),
        )
    )


def update_settings(shape: PipelineShape, micro_batch: int, seed: int) -> FinetuneSettings:
    """A small update, drawn as a job on this family draws, with checkpointing."""
    described = shape.described()
    sampling = described.sampling
    return FinetuneSettings(
        objective="awm",
        updates=1,
        prompts=PROMPTS,
        group=GROUP,
        passes=1,
        checkpointing=True,
        steps=sampling.steps if described.distilled else sampling.preview_steps,
        guidance=sampling.guidance,
        micro_batch=micro_batch,
        weights={"brightness": 1.0},
        seed=seed,
    )


def update(generator: ShapedGenerator, seed: int) -> list[Measure]:
    """One update; the generator wears the learning LoRA from now on."""
    part = update_part(generator.shape, generator.size)
    settings = update_settings(generator.shape, generator.batch, seed)

    def job() -> list[Interval | float | None]:
        reset_peak(generator.device)
        policy = PipelinePolicy(generator, seed=seed, chunk=settings.micro_batch, checkpointing=settings.checkpointing)
        updater = PolicyUpdater(policy, {"brightness": Brightness()}, settings, TASKS, None, Processes())
        entry = updater.update(0)
        if entry["loss"] is None:
            return []
        drawing, scoring, learning = (float(entry[f"seconds_{what}"]) for what in ("drawing", "scoring", "learning"))
        return [drawing + scoring + learning, drawing, learning, peak_gigabytes(generator.device)]

    values = fitting(job)
    if values is None:
        return part.missing(NO_MEMORY)
    return part.filled(values) if values else part.missing(NOTHING_LEARNED)


def measure_shapes(
    shapes: Shapes,
    device: str,
    *,
    size: int | None,
    repeats: int,
    seed: int,
    progress: Callable[[str], None] | None = None,
) -> list[Measure]:
    """All rows; without a value and with a note where they could not be measured.

    Args:
        size: side of the drawn pictures in pixels; None = each shape's own.
        repeats: of a picture and of a reading; of an update there is one.
    """
    if shapes.gpu and not device.startswith("cuda"):
        return [row for part in all_parts(shapes, size) for row in part.missing(NO_GPU)]
    tell = progress or (lambda text: None)
    measures: list[Measure] = []
    for shape in shapes.generators:
        tell(f"measuring the shape of {shape.name}")
        measures += _of_generator(shape, device, size, repeats, seed)
        free_memory()
    tell(f"measuring the shape of {shapes.judge.name}")
    measures += _of_judge(shapes.judge, device, repeats, seed)
    free_memory()
    return measures


def all_parts(shapes: Shapes, size: int | None) -> list[Part]:
    """What is measured, in order."""
    parts = []
    for shape in shapes.generators:
        parts += [drawing_part(shape, size or shape.size), update_part(shape, size or shape.size)]
    return [*parts, *reading_parts(shapes.judge)]


def _of_generator(shape: PipelineShape, device: str, size: int | None, repeats: int, seed: int) -> list[Measure]:
    generator = fitting(lambda: ShapedGenerator(shape, device, seed, size))
    if generator is None:
        side = size or shape.size
        return drawing_part(shape, side).missing(NO_MEMORY) + update_part(shape, side).missing(NO_MEMORY)
    return draw(generator, repeats, seed) + update(generator, seed)


def _of_judge(shape: JudgeShape, device: str, repeats: int, seed: int) -> list[Measure]:
    judge = fitting(lambda: shaped_judge(shape, device, seed))
    if judge is None:
        return [row for part in reading_parts(shape) for row in part.missing(NO_MEMORY)]
    return read(judge, shape, repeats, seed)
