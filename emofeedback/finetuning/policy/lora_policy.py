"""What every LoRA policy shares: three sets of weights on one frozen base, log-probs, the last steps.

A generator is not a policy: it draws what a user asks for; a policy samples with a known density, keeps what
learning needs, and answers for three sets of weights. The policy of a kind of generator says what its transformer is
told, at which levels it draws and what shape its latents have; `rollout.draw_rollout` samples from it.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from peft import LoraConfig
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from emofeedback.finetuning.policy.loras import share_loras
from emofeedback.finetuning.policy.rollout import Conditions, Sampling, Step, Transition, Weights
from emofeedback.flow.schedule import euler_step
from emofeedback.flow.stochastic import flow_sde_transition, log_prob
from emofeedback.generators.pipelines.pipeline_generator import PipelineGenerator
from emofeedback.generators.scene.scene_generator import SceneDiffusionGenerator
from emofeedback.records import PictureRequest


class LoraPolicy(ABC):
    """A policy whose LoRA lies on the transformer of a generator.

    Attributes:
        generator: it draws with the learning LoRA.
        chunk: pictures of one forward pass of a rollout.
        student: draws in a few steps at its own noise levels, with guidance folded in.
        rank: of the LoRA; alpha equals it, so that a loader that knows no alpha scales the exported file right.
    """

    generator: SceneDiffusionGenerator | PipelineGenerator
    chunk: int
    student: bool
    rank: int

    @abstractmethod
    def conditions(self, requests: Sequence[PictureRequest]) -> Conditions:
        """Conditions [N] of requests."""

    @abstractmethod
    def levels(self, steps: int) -> list[float]:
        """Noise levels [steps + 1] from 1 down to 0."""

    @abstractmethod
    def decode(self, latents: Tensor, conditions: Conditions) -> Tensor:
        """Clean latents [B, C, h, w] that were drawn under conditions [B] -> pictures [B, 3, H, W] about [-1, 1].

        Gradients flow.
        """

    @abstractmethod
    def denoiser(self, noisy: Tensor, times: Tensor, conditions: Conditions) -> Tensor:
        """Velocity [B, C, h, w] of the frozen base, without guidance, at times [B]."""

    @abstractmethod
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one picture's latents."""

    @abstractmethod
    def predict(self, noisy: Tensor, times: Tensor, conditions: Conditions, guidance: float) -> Tensor:
        """Velocity [B, C, h, w] with the weights in use, at one time or at times [B]."""

    def _attach(
        self,
        transformers: Sequence[Any],
        layers: list[str],
        seed: int,
        begun: Mapping[str, Tensor] | None,
        checkpointing: bool,
    ) -> None:
        """Put the learning LoRA and the one that sampled on `layers` of the transformers, which share them.

        Args:
            transformers: the generator's own, and the one that is asked where that is another.
            begun: weights to begin with; None = zero.
        """
        config = LoraConfig(r=self.rank, lora_alpha=self.rank, init_lora_weights="gaussian", target_modules=layers)
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")  # two LoRAs on one base are meant
            torch.manual_seed(seed)
            for transformer in transformers:
                for name in ("old", "policy"):
                    transformer.add_adapter(config, adapter_name=name)
        self._loras = {name: _collect(transformers[0], name) for name in ("policy", "old")}
        for other in transformers[1:]:
            share_loras(transformers[0], other)
        for transformer in transformers:
            transformer.set_adapter("policy")
        if checkpointing:
            transformers[-1].enable_gradient_checkpointing()
        self._layers = [module for t in transformers for module in t.modules() if isinstance(module, BaseTunerLayer)]
        if begun is not None:
            self.load_state(begun)
        self.remember()

    def parameters(self) -> list[nn.Parameter]:
        """What learns."""
        return list(self._loras["policy"].values())

    def state(self, weights: Literal["policy", "old"] = "policy") -> dict[str, Tensor]:
        """A copy of one LoRA's weights."""
        return {key: p.detach().clone() for key, p in self._loras[weights].items()}

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor], weights: Literal["policy", "old"] = "policy") -> None:
        """Put weights that `state` gave back in place."""
        for key, parameter in self._loras[weights].items():
            parameter.copy_(state[key])

    def remember(self) -> None:
        """Make the present weights the "old" ones."""
        self.load_state(self.state(), "old")

    @contextmanager
    def using(self, weights: Weights) -> Iterator[None]:
        """Draw with other weights inside; gradients are off there, because peft freezes what it does not use."""
        if weights == "policy":
            yield
            return
        try:
            for layer in self._layers:
                if weights == "old":
                    layer.set_adapter(["old"])
                else:
                    layer.enable_adapters(False)
            with torch.no_grad():
                yield
        finally:
            for layer in self._layers:
                layer.enable_adapters(True)
                layer.set_adapter(["policy"])

    def noise(self, sources: Sequence[torch.Generator]) -> Tensor:
        """Noise [B, C, h, w] from one source each, drawn on the CPU."""
        shape = (1, *self.latent_shape())
        return torch.cat([torch.randn(shape, generator=g) for g in sources]).to(self.generator.device)

    def velocity(self, noisy: Tensor, times: Tensor, conditions: Conditions, weights: Weights = "policy") -> Tensor:
        """Velocity [B, C, h, w] without guidance at times [B]; a gradient flows for "policy" alone."""
        with self.using(weights):
            return self.predict(noisy, times, conditions, 1.0)

    def log_prob(
        self, step: Step, rows: Tensor, conditions: Conditions, sampling: Sampling, weights: Weights = "policy"
    ) -> Transition:
        """The stored samples of `rows` scored under some weights; `conditions` are those of all N pictures."""
        noisy = step.noisy[rows]
        with self.using(weights):
            velocity = self.predict(noisy, torch.tensor(step.sigma), conditions.rows(rows), sampling.guidance)
            mean, std = flow_sde_transition(noisy, velocity, step.sigma, step.sigma_next, sampling.eta)
            return Transition(log_prob(step.sample[rows], mean, std), mean, std)

    def last_steps(
        self,
        steps: Sequence[Step],
        rows: Tensor,
        conditions: Conditions,
        sampling: Sampling,
        weights: Weights = "policy",
    ) -> Tensor:
        """Clean latents [B, C, h, w] of the stored last steps, drawn again with the gradient of their velocities."""
        latents, told = steps[0].noisy[rows], conditions.rows(rows)
        with self.using(weights):
            for step in steps:
                velocity = self.predict(latents, torch.tensor(step.sigma), told, sampling.guidance)
                latents = euler_step(latents, velocity, step.sigma, step.sigma_next)
        return latents


def _collect(transformer: nn.Module, name: str) -> dict[str, nn.Parameter]:
    """The parameters of one LoRA, kept in float32, by their name without the LoRA's."""
    mark, found = f".{name}.", {}
    for key, parameter in transformer.named_parameters():
        if mark in key and ".lora_" in key:
            parameter.data = parameter.data.float()
            found[key.replace(mark, ".")] = parameter
    return found
