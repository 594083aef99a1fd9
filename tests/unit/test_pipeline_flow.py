"""Flow pipelines seen as noise, levels and velocities, against the pipelines' own loops."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from opened_pipelines import DOG, generator_of, pixels
from tiny_pipelines import SIZE

from emofeedback.errors import UserError
from emofeedback.flow.pixels import to_images
from emofeedback.flow.schedule import euler_step
from emofeedback.generators.pipelines.conditioning import call_arguments
from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator


def test_the_velocity_is_the_one_that_the_pipelines_own_loop_steps_along(flow: PipelineGenerator) -> None:
    request = replace(DOG, steps=3, guidance=3.0)
    view, condition = flow.flow(), flow.conditioning([request])
    noise = view.noise([request.seed])
    unfolded = noise if flow.family.key != "flux2-klein" else noise
    given = call_arguments(
        flow.family, condition.conditions, [condition.unconditional] if condition.unconditional else None
    )
    scale = 2.0 if flow.family.added_to_guidance else 3.0
    if flow.described.distilled:
        condition = replace(condition, guidance=1.0)
    theirs = flow.pipeline(
        **given, num_inference_steps=3, guidance_scale=scale, latents=unfolded.clone(), height=SIZE, width=SIZE
    ).images[0]
    levels = view.levels(3)
    latents = noise
    with torch.no_grad():
        for level, following in zip(levels[:-1].tolist(), levels[1:].tolist(), strict=True):
            latents = euler_step(latents, view.velocity(latents, level, condition), level, following)
        ours = to_images(view.decode(latents))[0]
    assert np.abs(pixels(ours) - pixels(theirs)).max() <= 1
    with torch.no_grad():
        clean = view.encode(torch.rand(1, 3, SIZE, SIZE) * 2 - 1)
    assert clean.shape == noise.shape


def test_noise_is_drawn_alike_in_every_batch(flow: PipelineGenerator) -> None:
    view = flow.flow()
    assert torch.equal(view.noise([5, 6])[1:], view.noise([6]))


def test_an_undistilled_unet_is_no_flow(pipeline_root: Path) -> None:
    with pytest.raises(UserError, match="velocities"):
        generator_of("sd", pipeline_root).flow()
