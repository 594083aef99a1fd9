"""Whoever wraps a model hands on all that it offers: each wrapper against what it wraps."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from fakes import ColourJudge, PaintGenerator

from emofeedback.deploy.zero_gpu import ZeroGpuGenerator, ZeroGpuJudge
from emofeedback.generators.hosted import HostedGenerator
from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.judges.calibration import AxisMap, CalibratedJudge, Calibration
from emofeedback.judges.local.vision_language import VisionLanguageJudge
from emofeedback.judges.remote.remote_judge import RemoteJudge
from emofeedback.judges.scene.scene_judge import SceneJudge
from emofeedback.protocols import Generator, Judge, SafetyChecked, ShowsPrompt
from emofeedback.records import Picture
from emofeedback.ui.safety import GuardedGenerator, GuardedJudge

MAP = AxisMap("affine", (-1.0, 1.0), (-1.0, 1.0))


class Offering(PaintGenerator):
    """Offers all that any generator does."""

    safety: str | None = "never"
    visual = object()

    def unsafe(self, pictures: Sequence[Picture]) -> list[bool]:
        return [False for _ in pictures]

    def load_adapter(self, path: str, scale: float = 1.0) -> None:
        self.name = f"paint+{path}"

    def left_out(self, prompt: str) -> str:
        return prompt[40:]


class Showing(ColourJudge):
    """Can be asked whether a picture shows its prompt."""

    def shows(self, pictures: Sequence[Picture], prompts: Sequence[str]) -> list[float | None]:
        return [float(prompt == picture.request.prompt) for picture, prompt in zip(pictures, prompts, strict=True)]


def members(protocol: type) -> set[str]:
    return {name for name in (*vars(protocol), *protocol.__annotations__) if not name.startswith("_")}


def offered(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


GENERATOR_WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "ZeroGPU": lambda generator: ZeroGpuGenerator(generator, lambda function: function),
    "safety": lambda generator: GuardedGenerator(generator, generator),
}
JUDGE_WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "ZeroGPU": lambda judge: ZeroGpuJudge(judge, lambda function: function),
    "safety": GuardedJudge,
    "calibration": lambda judge: CalibratedJudge(judge, Calibration("c", "colour", "affine", MAP, MAP, {})),
}


@pytest.mark.parametrize("wrap", GENERATOR_WRAPPERS.values(), ids=GENERATOR_WRAPPERS.keys())
@pytest.mark.parametrize(
    "kind", [Offering, PaintGenerator, SceneDiffusionGenerator, PipelineGenerator, HostedGenerator]
)
def test_a_wrapped_generator_offers_what_it_did(wrap: Callable[[Any], Any], kind: type) -> None:
    """On ZeroGPU adapters and visual prompts were gone: the wrapper knew no more than the Protocol."""
    bare = kind() if kind in (Offering, PaintGenerator) else kind.__new__(kind)  # a real one needs weights
    wrapped = wrap(bare)
    for name in (offered(kind) | members(Generator)) - members(SafetyChecked):
        assert not hasattr(bare, name) or hasattr(wrapped, name), name
    for name in ("load_adapter", "visual", "left_out", "texts"):
        assert hasattr(wrapped, name) == hasattr(bare, name), name
    if kind is Offering:
        wrapped.load_adapter("tuned")
        assert wrapped.name == bare.name == "paint+tuned" and isinstance(wrapped, SafetyChecked)
        wrapped.name = "paint"
        assert bare.name == "paint" and wrapped.left_out("x" * 41) == "x" and wrapped.unsafe([]) == []


@pytest.mark.parametrize("wrap", JUDGE_WRAPPERS.values(), ids=JUDGE_WRAPPERS.keys())
@pytest.mark.parametrize("kind", [Showing, ColourJudge, SceneJudge, VisionLanguageJudge, RemoteJudge])
def test_a_wrapped_judge_can_be_asked_what_it_could(wrap: Callable[[Any], Any], kind: type) -> None:
    """From Python 3.12 on no guarded judge could be asked for content: isinstance looks statically there."""
    bare = kind() if kind in (Showing, ColourJudge) else kind.__new__(kind)
    bare.name = "colour"
    wrapped = wrap(bare)
    for protocol in (Judge, ShowsPrompt):
        for name in members(protocol):
            theirs, ours = (inspect.getattr_static(judge, name, None) for judge in (bare, wrapped))
            # `name` may be an attribute that is asked for; what isinstance asks about may not
            assert (theirs is None) == (ours is None) or (name == "name" and wrapped.name == "colour"), name
    assert isinstance(wrapped, ShowsPrompt) == isinstance(bare, ShowsPrompt) == hasattr(kind, "shows")
