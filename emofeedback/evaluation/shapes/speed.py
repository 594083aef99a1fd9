"""Speed and memory of drawing and reading in the shapes of published models; rows that cannot be measured say why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from PIL import Image

from emofeedback.affect import Affect
from emofeedback.errors import OutOfMemory
from emofeedback.evaluation.metrics import Interval, bootstrap
from emofeedback.evaluation.report import Measure
from emofeedback.evaluation.shapes.judge_shape import JudgeShape
from emofeedback.evaluation.shapes.random_models import PipelineShape, ShapedGenerator
from emofeedback.evaluation.shapes.random_tokenizer import PROMPTS
from emofeedback.evaluation.speed_benchmark import timed
from emofeedback.flow.pixels import to_images
from emofeedback.generators.pipelines.conditioning import is_out_of_memory
from emofeedback.generators.pipelines.memory import free_memory
from emofeedback.judges.local.vision_language import VisionLanguageJudge
from emofeedback.judges.questions import rating_questions
from emofeedback.records import PictureRequest

TARGET = Affect(0.7, -0.5)
PICTURES = 4
"""That a judge reads at once."""
ONE_RATING, BOTH_RATINGS = 8, 24
"""Tokens of a reply such as {"rating": 7}, and of one such as {"valence": 0.4, "arousal": -0.2}."""
BOTH = (
    "Rate the valence and the arousal of the emotion that this picture carries, each from -1 to 1. "
    "Answer as JSON with the keys valence and arousal."
)
NO_MEMORY = "out of memory"
NO_CUDA_PEAK = "not measured: only CUDA tells the peak memory of a device"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that are measured together: their names and units."""

    rows: tuple[tuple[str, str], ...]

    def missing(self, why: str) -> list[Measure]:
        """The rows without a value."""
        return [Measure.missing(name, unit, why) for name, unit in self.rows]

    def filled(self, values: Sequence[Interval | float | None]) -> list[Measure]:
        """The rows with their values, in order; a plain number was taken once, None is a peak that nobody tells."""
        return [_row(name, unit, value) for (name, unit), value in zip(self.rows, values, strict=True)]


def _row(name: str, unit: str, value: Interval | float | None) -> Measure:
    if value is None:
        return Measure.missing(name, unit, NO_CUDA_PEAK)
    return Measure.of(name, value, unit) if isinstance(value, Interval) else Measure(name, value, unit, 1)


def drawing_part(shape: PipelineShape, size: int) -> Part:
    """What `draw` measures."""
    sampling = shape.described().sampling
    guided = "" if sampling.guidance == 1.0 else f", guidance {sampling.guidance:g}"
    what = f"{shape.name} shape, {size} pixels"
    return Part(
        (
            (f"{what}: time of new words", "s"),
            (f"{what}: time of a picture, {sampling.steps} steps{guided}", "s"),
            (f"{what}: peak memory, drawing", "GB"),
        )
    )


def reading_parts(shape: JudgeShape) -> tuple[Part, Part, Part]:
    """What `read` measures: by expected value, written out as the same four ratings, written out in one reply."""
    what = f"{shape.name} shape, {shape.size} pixels"
    ways = (
        "expected value",
        f"four ratings written out ({ONE_RATING} tokens each)",
        f"both axes written out in one reply ({BOTH_RATINGS} tokens)",
    )
    return tuple(  # type: ignore[return-value]
        Part(((f"{what}: pictures read by {way}", "1/s"), (f"{what}: peak memory, {way}", "GB"))) for way in ways
    )


def fitting(job: Callable[[], T]) -> T | None:
    """What a job gives; None where the memory does not suffice, and what it held is then free again."""
    try:
        return job()
    except Exception as error:
        if not isinstance(error, OutOfMemory) and not is_out_of_memory(error):
            raise
    free_memory()  # only here is the error gone, and with it what its frames hold
    return None


def measured(part: Part, job: Callable[[], Sequence[Interval | float | None]]) -> list[Measure]:
    """The rows of a part, filled by a job; without values where the memory does not suffice."""
    values = fitting(job)
    return part.missing(NO_MEMORY) if values is None else part.filled(values)


def draw(generator: ShapedGenerator, repeats: int, seed: int) -> list[Measure]:
    """Time of a prompt's encoding and of a picture of known words, and the peak memory meanwhile."""
    request = PictureRequest(PROMPTS[0], TARGET, seed)

    def encode() -> float:
        generator.texts.forget()
        return float(generator.condition(request).embeds.sum())

    def job() -> list[Interval | float | None]:
        reset_peak(generator.device)
        words = bootstrap(timed(encode, repeats), seed=seed)
        pictures = bootstrap(timed(lambda: list(generator.generate([request])), repeats), seed=seed)
        return [words, pictures, peak_gigabytes(generator.device)]

    return measured(drawing_part(generator.shape, generator.size), job)


def read(judge: VisionLanguageJudge, shape: JudgeShape, repeats: int, seed: int) -> list[Measure]:
    """Pictures per second by expected value and by writing, each after one run that does not count."""
    images = random_pictures(PICTURES, shape.size, seed)
    questions = [question.text() for question in rating_questions(judge.answers.labels)]
    ways: list[Callable[[], object]] = [
        lambda: judge.rate_images(images),
        lambda: write(judge, images, questions, ONE_RATING),
        lambda: write(judge, images, [BOTH], BOTH_RATINGS),
    ]
    measures = []
    for part, way in zip(reading_parts(shape), ways, strict=True):

        def job(way: Callable[[], object] = way) -> list[Interval | float | None]:
            reset_peak(judge.model.device)
            rates = [len(images) / seconds for seconds in timed(way, repeats)]
            return [bootstrap(rates, seed=seed), peak_gigabytes(judge.model.device)]

        measures += measured(part, job)
    return measures


def write(judge: VisionLanguageJudge, images: Sequence[Image.Image], questions: Sequence[str], tokens: int) -> int:
    """Every question about every picture answered in so many tokens, in the judge's batches; how many were written."""
    jobs = [(image, question) for image in images for question in questions]
    written = 0
    for start in range(0, len(jobs), judge.batch):
        some = jobs[start : start + judge.batch]
        replies = judge.writer.write([image for image, _ in some], [asked for _, asked in some], {}, tokens)
        written += sum(map(len, replies))
    return written


def random_pictures(count: int, size: int, seed: int) -> list[Image.Image]:
    """Noise."""
    return to_images(2 * torch.rand((count, 3, size, size), generator=torch.Generator().manual_seed(seed)) - 1)


def reset_peak(device: torch.device) -> None:
    """Count the peak memory from here."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_gigabytes(device: torch.device) -> float | None:
    """Most that tensors held on the device, weights included, in GiB; None where it does not tell."""
    return torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None
