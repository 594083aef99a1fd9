"""Makes the helpers beside this file importable from every folder of tests; no test tells anybody of itself."""

import gc
import os
import sys
from collections.abc import Iterator

import pytest
from patience import patient_requests

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is: for so little, more threads wait for each other
patient_requests()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A training run or a studio that asks for more threads does not leave them to the tests after it."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


def pytest_collection_finish() -> None:
    """A million objects of libraries are there for good: no collection of garbage has to look through them again."""
    gc.collect()
    gc.freeze()
