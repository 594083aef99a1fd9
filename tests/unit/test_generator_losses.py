"""The second losses of the generator's recipes: the autoencoder's critic, the alignment with a judge's vision."""

from pathlib import Path

import pytest
import torch
from torch import nn

from emofeedback.errors import UserError
from emofeedback.judges.scene.judge_language import build_tokenizer
from emofeedback.training.generator.alignment import BLOCK, Alignment
from emofeedback.training.generator.critic import PatchCritic, critic_loss, pulled_gradient
from emofeedback.training.judge.judge_recipe import build_judge


def test_hinge_loss_of_scores_beyond_the_margin_is_zero() -> None:
    assert critic_loss(torch.full((2, 1), 1.5), torch.full((2, 1), -2.0)) == 0.0
    assert critic_loss(torch.zeros(2, 1), torch.zeros(2, 1)) == 2.0


def test_the_critic_pulls_with_a_set_share_of_the_reconstruction() -> None:
    torch.manual_seed(0)
    made = torch.rand(2, 3, 16, 16, requires_grad=True)
    loss = (made - 0.3).abs().mean()
    (fidelity,) = torch.autograd.grad(loss, made, retain_graph=True)
    gradient = pulled_gradient(loss, made, PatchCritic(4), pull=0.25)
    pull = (gradient - fidelity).flatten(1).norm(dim=1)
    torch.testing.assert_close(pull, 0.25 * fidelity.flatten(1).norm(dim=1), rtol=1e-4, atol=1e-8)
    assert all(p.grad is None for p in PatchCritic(4).parameters())


def test_a_critic_learns_to_tell_two_kinds_apart() -> None:
    torch.manual_seed(0)
    critic = PatchCritic(8)
    adam = torch.optim.AdamW(critic.parameters(), lr=3e-3)
    stripes = torch.arange(16).remainder(2).float().mul(2).sub(1).expand(4, 3, 16, 16)
    for _ in range(40):
        adam.zero_grad()
        critic_loss(critic(stripes), critic(torch.zeros(4, 3, 16, 16))).backward()
        adam.step()
    assert critic(stripes).mean() > critic(torch.zeros(4, 3, 16, 16)).mean() + 0.5


class Block(nn.Module):
    def forward(self, words: torch.Tensor, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return words, picture


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judge")
    model = build_judge(
        build_tokenizer(["a cat"]), 32, vision_width=64, vision_layers=1, width=64, layers=1, feed_forward=64
    )
    model.save_pretrained(folder)
    return folder


def watched() -> nn.Module:
    transformer = nn.Module()
    transformer.transformer_blocks = nn.ModuleList(Block() for _ in range(BLOCK + 1))
    return transformer


def test_alignment_is_zero_for_tokens_that_say_what_the_tower_sees(judge: Path) -> None:
    transformer = watched()
    alignment = Alignment(judge, tokens=4, width=64)
    alignment.watch(transformer)
    alignment.projector = nn.Sequential(nn.Identity())
    pictures = torch.rand(2, 3, 32, 32) * 2 - 1
    seen = alignment.tower(pictures).last_hidden_state.flatten(2)
    transformer.get_submodule(f"transformer_blocks.{BLOCK}")(torch.zeros(1), seen - seen.mean(1, keepdim=True))
    assert float(alignment.loss(pictures)) == pytest.approx(0.0, abs=1e-5)
    assert not any(p.requires_grad for p in alignment.tower.parameters())


def test_a_judge_with_other_patches_is_refused(judge: Path) -> None:
    with pytest.raises(UserError, match="4 patches"):
        Alignment(judge, tokens=64, width=64)
