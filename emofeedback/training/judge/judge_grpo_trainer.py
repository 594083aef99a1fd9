"""trl's GRPOTrainer for the bundled judge: its groups share one prefix, and its readings are tied to where they began.

Everything else is trl's: the groups, the rewards' weights, the advantages, the loss, the reference model and its
divergence, saving and resuming. This module needs trl, an optional package; `judge_grpo` imports it when asked to.
"""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor
from trl import GRPOConfig, GRPOTrainer

from emofeedback.judges.scene.judge_language import JudgeTokens
from emofeedback.training.judge.shared_prefix import Prefix, pad_left, score_replies, write_replies

__all__ = ["GRPOConfig", "SceneJudgeTrainer"]


class SceneJudgeTrainer(GRPOTrainer):
    """GRPO on the advice of a scene judge.

    Args:
        tokens: the judge's sequences.
        beta: weight of the replies' divergence from the model as it is now. trl would load its reference with an
            attention that LeViT lacks, so its own beta stays 0 and the reference is a copy.
        anchor: weight of the readings' divergence from that same copy.
    """

    def __init__(self, *args: Any, tokens: JudgeTokens, beta: float, anchor: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        model = self.accelerator.unwrap_model(self.model)
        self.ref_model: Any = copy.deepcopy(model).requires_grad_(False).eval()
        self.beta, self.judge_tokens, self.anchor = beta, tokens, anchor
        self._hidden: dict[bool, Tensor] = {}  # of the questions; True: with gradient, False: the reference's

    def _generate_single_turn(
        self,
        prompt_ids: list,
        images: Any,
        multimodal_fields: dict,
        num_generations: int,
        has_tool_images: bool = False,
    ) -> tuple[list[list[int]], None]:
        rows = [list(map(int, row)) for row in prompt_ids[::num_generations]]
        pixels = torch.as_tensor(np.asarray(multimodal_fields["pixel_values"]))[::num_generations]
        pixels = pixels.to(self.accelerator.device)
        prefix = pad_left(rows, pixels, self.judge_tokens.pad_id)
        model = self.accelerator.unwrap_model(self.model_wrapped)
        with self.accelerator.autocast():
            replies = write_replies(
                model,
                prefix,
                num_generations,
                self.judge_tokens.end_id,
                int(self.max_completion_length or 0),
                self.temperature,
            )
        return replies, None

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        *_: Any,
        pixel_values: Tensor,
        **__: Any,
    ) -> tuple[Tensor, Tensor, None]:
        prompts, pixels = input_ids[:, :-logits_to_keep], pixel_values
        first, owner = _owners(prompts, pixels)
        prefix = Prefix(prompts[first], attention_mask[first, :-logits_to_keep].long(), pixels[first])
        replies, mask = input_ids[:, -logits_to_keep:], attention_mask[:, -logits_to_keep:]
        with self.accelerator.autocast():
            scores = score_replies(self.accelerator.unwrap_model(model), prefix, owner, replies, mask, self.temperature)
        if torch.is_grad_enabled() or model is self.ref_model:
            asked = torch.isin(prefix.ids, torch.tensor(self.judge_tokens.query_ids, device=prompts.device))
            self._hidden[torch.is_grad_enabled()] = scores.hidden[asked].unflatten(0, (len(first), -1))[owner]
        return scores.log_probs, scores.entropies, None

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        if self.anchor > 0:
            output["reference_hidden"] = self._hidden.pop(False)  # travels with the rows, which trl shuffles
        return output

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        loss = super()._compute_loss(model, inputs)
        if self.anchor > 0:
            divergence = self._reading_divergence(self._hidden.pop(True), inputs["reference_hidden"])
            self._metrics["train"]["reading_kl"].append(float(divergence.detach()))
            loss = loss + self.anchor * divergence
        return loss

    def _reading_divergence(self, now: Tensor, then: Tensor) -> Tensor:
        """Mean KL(reference || now) of the answers to the queries, in nats; hidden states [N, queries, W]."""
        model = self.accelerator.unwrap_model(self.model_wrapped)
        said = model.lm_head(now).float().log_softmax(-1)
        with torch.no_grad():
            meant = self.ref_model.lm_head(then).float().log_softmax(-1)
        return (meant.exp() * (meant - said)).sum(-1).mean()


def _owners(prompts: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """The first row of each distinct question, [P], and which of these each row asks, [N]: trl shuffles the rows."""
    marks = torch.cat([prompts.double(), pixels.double().flatten(1).sum(1, keepdim=True)], 1)
    _, owner = torch.unique(marks, dim=0, return_inverse=True)
    first = torch.stack([(owner == k).nonzero()[0, 0] for k in range(int(owner.max()) + 1)])
    return first, owner
