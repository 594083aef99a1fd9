"""Groups of replies to one question: the picture and the question run through the model once per group, not per reply.

Made for a LLaVA-class model with a long prefix (a picture, its queries, the attempts) and short replies: sampling
and log-probabilities of G replies then cost little more than those of one. Gradients reach the prefix as well.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache, LlavaForConditionalGeneration


@dataclass(frozen=True, slots=True)
class Prefix:
    """P questions, padded on the left: `ids` and `mask` [P, L], `pixels` [P, 3, S, S]."""

    ids: Tensor
    mask: Tensor
    pixels: Tensor

    @property
    def positions(self) -> Tensor:
        """[P, L], 0 at the first token that is no padding."""
        return (self.mask.cumsum(1) - 1).clamp(min=0)


def pad_left(rows: list[list[int]], pixels: Tensor, pad_id: int) -> Prefix:
    """Token rows of different lengths as one prefix."""
    length = max(map(len, rows))
    ids = torch.full((len(rows), length), pad_id)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    for k, row in enumerate(rows):
        ids[k, length - len(row) :] = torch.tensor(row)
        mask[k, length - len(row) :] = 1
    return Prefix(ids.to(pixels.device), mask.to(pixels.device), pixels)


def run_prefix(model: LlavaForConditionalGeneration, prefix: Prefix) -> tuple[Tensor, DynamicCache]:
    """Hidden states [P, L, W] and the key-value cache of the questions.

    The vision tower gets no gradient and keeps its statistics: what the judge sees is not what is trained.
    """
    core = model.model
    core.vision_tower.eval()
    with torch.no_grad():
        features = torch.cat(list(core.get_image_features(prefix.pixels).pooler_output))
    embedded = core.get_input_embeddings()(prefix.ids)
    pictured = (prefix.ids == model.config.image_token_id).unsqueeze(-1)
    embedded = embedded.masked_scatter(pictured, features.to(embedded.dtype))
    found = core.language_model(
        inputs_embeds=embedded,
        attention_mask=prefix.mask,
        position_ids=prefix.positions,
        past_key_values=DynamicCache(),
        use_cache=True,
    )
    return found.last_hidden_state, found.past_key_values


@torch.no_grad()
def write_replies(
    model: LlavaForConditionalGeneration,
    prefix: Prefix,
    group: int,
    end_id: int,
    most: int,
    temperature: float = 1.0,
) -> list[list[int]]:
    """`group` replies per question, P * group rows; each ends with `end_id` unless it grew to `most` tokens.

    Args:
        temperature: of sampling with torch's own generator; 0 takes the likeliest token.
    """
    hidden, cache = run_prefix(model, prefix)
    questions = len(prefix.ids)
    logits = model.lm_head(hidden[:, -1:]).float().expand(-1, group, -1)  # [P, G, vocabulary]
    place = prefix.positions[:, -1:].expand(-1, group)
    asked = prefix.mask.bool()[:, None, None].expand(-1, 1, group, -1)
    own = torch.eye(group, dtype=torch.bool, device=asked.device).expand(questions, 1, -1, -1)
    done = torch.zeros(questions, group, dtype=torch.bool, device=asked.device)
    written: list[Tensor] = []
    while len(written) < most:
        if temperature > 0:
            tokens = torch.multinomial((logits / temperature).softmax(-1).flatten(0, 1), 1).view(questions, group)
        else:
            tokens = logits.argmax(-1)
        written.append(tokens)
        done = done | (tokens == end_id)
        if bool(done.all()):
            break
        place = place + 1
        # the replies of a group lie in one row, side by side: each sees the question and its own tokens alone
        visible = torch.cat([asked, own.repeat(1, 1, 1, len(written))], -1)
        step = model.model.language_model(
            input_ids=tokens, attention_mask=visible, position_ids=place, past_key_values=cache, use_cache=True
        )
        logits = model.lm_head(step.last_hidden_state).float()
    rows = torch.stack(written, -1).flatten(0, 1).tolist()
    return [row[: row.index(end_id) + 1] if end_id in row else row for row in rows]


@dataclass(frozen=True, slots=True)
class ReplyScores:
    """Of N replies of C tokens: log-probabilities and entropies [N, C]; of the P questions: hidden states [P, L, W]."""

    log_probs: Tensor
    entropies: Tensor
    hidden: Tensor


def score_replies(
    model: LlavaForConditionalGeneration,
    prefix: Prefix,
    owner: Tensor,
    replies: Tensor,
    reply_mask: Tensor,
    temperature: float = 1.0,
) -> ReplyScores:
    """Log-probabilities of replies, differentiable.

    Args:
        owner: which question each reply answers, [N], 0 .. P - 1.
        replies, reply_mask: [N, C], padded on the right.
    """
    hidden, cache = run_prefix(model, prefix)
    cache.batch_select_indices(owner)
    last = prefix.positions[owner, -1:]
    places = last + 1 + torch.arange(replies.shape[1] - 1, device=replies.device)
    rest = model.model.language_model(
        input_ids=replies[:, :-1],
        attention_mask=torch.cat([prefix.mask[owner], reply_mask[:, :-1].long()], 1),
        position_ids=places,
        past_key_values=cache,
        use_cache=True,
    )
    before = torch.cat([hidden[owner, -1:], rest.last_hidden_state], 1)
    table = (model.lm_head(before).float() / temperature).log_softmax(-1)
    chosen = table.gather(-1, replies.unsqueeze(-1)).squeeze(-1)
    with torch.no_grad():
        entropies = -(table.exp() * table).sum(-1)
    return ReplyScores(chosen, entropies, hidden)
