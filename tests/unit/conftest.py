"""Pipelines of real classes at tiny size, shared by the tests of generators."""

from pathlib import Path

import pytest
from opened_pipelines import FLOW, generator_of
from tiny_pipelines import FAMILIES

from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator


@pytest.fixture(scope="session")
def pipeline_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pipelines")


@pytest.fixture(params=FAMILIES)
def pipeline(request: pytest.FixtureRequest, pipeline_root: Path) -> PipelineGenerator:
    return generator_of(request.param, pipeline_root)


@pytest.fixture(params=FLOW)
def flow(request: pytest.FixtureRequest, pipeline_root: Path) -> PipelineGenerator:
    return generator_of(request.param, pipeline_root)
