"""Full-size shapes on a GPU: every row is measured, or says that the memory does not suffice."""

import pytest
import torch

from emofeedback.evaluation.shapes.shape_benchmark import SCALES, Shapes, all_parts, measure_shapes
from emofeedback.evaluation.shapes.speed import NO_MEMORY
from emofeedback.generators.pipelines.memory import free_memory

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
LARGE = 30 * 2**30  # bytes that hold every shape at 512 pixels


@pytest.mark.parametrize(("scale", "size"), [("tiny", None), ("full", 512)])
def test_every_row_is_measured_and_the_memory_is_given_back(scale: str, size: int | None) -> None:
    shapes: Shapes = SCALES[scale]
    free_memory()
    before = torch.cuda.memory_allocated()
    rows = measure_shapes(shapes, "cuda", size=size, repeats=2, seed=0)
    assert [(row.name, row.unit) for row in rows] == [row for part in all_parts(shapes, size) for row in part.rows]
    for row in rows:
        assert row.value > 0 and row.n >= 1 or row.note == NO_MEMORY, row
    if scale == "tiny" or torch.cuda.get_device_properties(0).total_memory > LARGE:
        assert all(row.note is None for row in rows), [row.line() for row in rows if row.note]
    assert torch.cuda.memory_allocated() - before < 2**28
