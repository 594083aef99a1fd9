"""The recipe of the bundled autoencoder: 8 times smaller, 16 channels, trained on renders.

Muon for the kernels beside AdamW: AdamW alone stalled at three times the loss.

Loss: L1 at full, half and quarter resolution, half an L1 on image gradients (edges of flat-coloured shapes), and a
tiny KL; then, with the encoder frozen, an adversarial finish of the decoder. Perceptual features of a pretrained
network are left out: none may be assumed, and those of the project's own readers would leak into what they judge.
Runs for a number of minutes, not steps; killed runs resume from the last saved state.
"""

import copy
import json
import math
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from emofeedback.errors import Cancelled
from emofeedback.files.training_state import load_state, save_state
from emofeedback.flow.pixels import from_bytes, sheet, to_images
from emofeedback.training.common.budget import Budget, RunLog, StopSignal, prepare_host
from emofeedback.training.common.optim import Muon, Optimisers, WeightAverage, split_kernels
from emofeedback.training.common.scene_data import SceneCache, batch_indices
from emofeedback.training.generator.critic import PatchCritic, critic_loss, pulled_gradient

KL_WEIGHT = 1e-4  # on the mean over latent elements, which is 1e-7 or less on their sum
CRITIC_LR = 1e-3
LATENT_NOISE = 0.05  # in units of the latents' spread
SAVE_SECONDS = 180.0
SHEET_SECONDS = 180.0


def build_autoencoder(
    sample_size: int = 128, widths: tuple[int, ...] = (32, 32, 64, 96), latent_channels: int = 16, groups: int = 8
) -> AutoencoderKL:
    """A small AutoencoderKL; each level but the last halves the side, so four levels give f = 8."""
    return AutoencoderKL(
        sample_size=sample_size,
        block_out_channels=widths,
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        layers_per_block=1,
        latent_channels=latent_channels,
        norm_num_groups=groups,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
        force_upcast=False,
        scaling_factor=1.0,
        shift_factor=0.0,
    )


def reconstruction_loss(made: Tensor, pictures: Tensor) -> Tensor:
    """L1 over three scales plus half an L1 of horizontal and vertical differences; both [B, 3, H, W]."""
    difference = made - pictures
    loss = difference.abs().mean()
    across = difference[..., :, 1:] - difference[..., :, :-1]
    down = difference[..., 1:, :] - difference[..., :-1, :]
    loss = loss + 0.5 * (across.abs().mean() + down.abs().mean())
    for factor in (2, 4):
        loss = loss + 0.5 * functional.avg_pool2d(difference, factor).abs().mean()
    return loss


def train_autoencoder(
    cache: SceneCache,
    out: Path,
    minutes: float,
    resume: bool = False,
    threads: int = 2,
    seed: int = 0,
    batch: int = 16,
    lr: float = 2e-3,
    muon_lr: float = 2e-2,
    model: AutoencoderKL | None = None,
    encoder_share: float = 0.6,
    critic_share: float = 0.25,
) -> AutoencoderKL:
    """Train, then write the averaged weights with their latent scale and shift to `out` in diffusers format.

    Args:
        minutes: budget, earlier sittings included.
        model: another architecture than `build_autoencoder`'s, or one to go on with.
        encoder_share: of the budget in which the encoder learns too; after it only the decoder does, on latents
            with a little noise such as a generator leaves in them.
        critic_share: of the budget, at its end, in which a critic sharpens the decoder; not before `encoder_share`.

    Raises:
        Cancelled: SIGTERM or SIGINT came; the state is saved and `resume` goes on from it.
        UserError: `resume` without a saved state.
    """
    prepare_host(threads)
    torch.manual_seed(seed)
    vae = model or build_autoencoder(cache.size)
    vae = vae.train()
    average = copy.deepcopy(vae)
    ema = WeightAverage(vae, average, decay=0.998)
    kernels, rest = split_kernels(vae, ends=("conv_in", "conv_out"))
    adam = torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
    optimisers = Optimisers([Muon(kernels, lr=muon_lr, weight_decay=0.0), adam])
    critic = PatchCritic().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    critic_adam = torch.optim.AdamW(critic.parameters(), lr=CRITIC_LR, betas=(0.5, 0.9), weight_decay=0.0)
    critic_from = max(encoder_share, 1.0 - critic_share)
    state_path, log = out / "training" / "state.safetensors", RunLog(out / "training")
    step, spent = 0, 0.0
    if resume:
        state = load_state(state_path)
        critic.load_state_dict(state["critic"])
        critic_adam.load_state_dict(state["critic optimiser"])
        vae.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimisers.load_state_dict(state["optimisers"])
        step, spent = state["step"], state["elapsed"]
    budget, saved, drawn, smooth = Budget(minutes, spent), spent, spent, math.nan

    def save() -> None:
        save_state(
            state_path,
            {
                "model": vae.state_dict(),
                "average": average.state_dict(),
                "optimisers": optimisers.state_dict(),
                "critic": critic.state_dict(),
                "critic optimiser": critic_adam.state_dict(),
                "step": step,
                "elapsed": budget.elapsed(),
                "seed": seed,
            },
        )

    with StopSignal() as stop:
        while budget.progress() < 1.0:
            noise = torch.Generator().manual_seed(seed * 1_000_003 + step)
            pictures = from_bytes(cache.pictures[np.sort(batch_indices(seed, step, batch, len(cache)))])
            with torch.autocast("cpu", dtype=torch.bfloat16):
                if budget.progress() < encoder_share:
                    posterior = vae.encode(pictures).latent_dist
                    latents = posterior.sample(noise)
                else:
                    with torch.no_grad():
                        posterior = vae.encode(pictures).latent_dist
                    spread = LATENT_NOISE * posterior.mean.std()
                    latents = posterior.mean + spread * torch.randn(posterior.mean.shape, generator=noise)
                made = vae.decode(latents).sample
            kl = 0.5 * (posterior.mean.float().pow(2) + posterior.var.float() - 1.0 - posterior.logvar.float()).mean()
            loss = reconstruction_loss(made.float(), pictures) + KL_WEIGHT * kl
            if budget.progress() < critic_from:
                loss.backward()
            else:
                made.backward(pulled_gradient(loss, made, critic).to(made.dtype))
                _teach(critic, critic_adam, pictures, made.detach().float())
            torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
            cosine = 0.5 * (1.0 + math.cos(math.pi * budget.progress()))
            optimisers.step(min(1.0, (step + 1) / 50) * (0.02 + 0.98 * cosine))
            ema.update(step)
            value = float(loss.detach())
            smooth = value if math.isnan(smooth) else 0.97 * smooth + 0.03 * value
            step += 1
            elapsed = budget.elapsed()
            if step % 20 == 0:
                rate = step * batch / elapsed
                log.write(
                    step=step, loss=smooth, kl=float(kl.detach()), samples_per_second=rate, elapsed=round(elapsed, 1)
                )
            if elapsed - drawn > SHEET_SECONDS:
                _draw(average, cache, out / "training" / f"reconstructions-{step:06d}.png")
                drawn = elapsed
            if stop.stopped or elapsed - saved > SAVE_SECONDS:
                save()
                saved = elapsed
            if stop.stopped:
                raise Cancelled("Training of the autoencoder was stopped; its state is saved.")
    save()
    _draw(average, cache, out / "training" / "reconstructions-final.png")
    _export(average, cache, out, {"steps": step, "batch": batch, "loss": smooth, "minutes": budget.elapsed() / 60})
    return average


def _teach(critic: PatchCritic, optimiser: torch.optim.Optimizer, pictures: Tensor, made: Tensor) -> None:
    """One step of the critic on renders and their reconstructions, both [B, 3, H, W]."""
    optimiser.zero_grad(set_to_none=True)
    critic_loss(critic(pictures), critic(made)).backward()
    optimiser.step()


@torch.inference_mode()
def _draw(vae: AutoencoderKL, cache: SceneCache, path: Path) -> None:
    """Rows of four pictures over their reconstructions."""
    pictures = from_bytes(cache.pictures[: min(16, len(cache))])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = vae.decode(vae.encode(pictures).latent_dist.mean).sample
    rows = [x for i in range(0, len(pictures), 8) for x in (pictures[i : i + 8], made.float()[i : i + 8])]
    sheet([image for row in rows for image in to_images(row)], columns=min(8, len(pictures))).save(path)


@torch.inference_mode()
def _export(vae: AutoencoderKL, cache: SceneCache, out: Path, facts: dict[str, float]) -> None:
    """Set scale and shift from the latents of up to 1,024 pictures, measure the error, write the model."""
    latents, error, count = [], 0.0, 0
    for first in range(0, min(1024, len(cache)), 64):
        pictures = from_bytes(cache.pictures[first : first + 64])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mean = vae.encode(pictures).latent_dist.mean
            made = vae.decode(mean).sample
        latents.append(mean.float())
        error += float((made.float() - pictures).pow(2).mean()) * len(pictures)
        count += len(pictures)
    every = torch.cat(latents)
    vae.register_to_config(scaling_factor=1.0 / float(every.std()), shift_factor=float(every.mean()))
    vae.save_pretrained(out, safe_serialization=True)
    facts = {**facts, "psnr_db": 10 * math.log10(4.0 / max(error / count, 1e-9))}
    (out / "training" / "facts.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
