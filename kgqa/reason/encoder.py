"""The Transformer layers that are trained with the reasoner, over the token states of a question."""

import torch
from torch import Tensor, nn

from kgqa.errors import ConfigError
from kgqa.memory.layers import EncoderLayer
from kgqa.memory.near_attention import near
from kgqa.reason.tokens import TokenStates


class QuestionEncoder(nn.Module):
    """Token features to contextual states, told which placeholder is the topic that is walked from.

    A token's place is told by its distance from that topic, not from the beginning: what stands next to the topic tends
    to be followed first, wherever the two stand.
    """

    FARTHEST = 16

    def __init__(
        self,
        token_width: int,
        *,
        width: int,
        num_layers: int,
        num_heads: int,
        dropout: float,
        window: int | None = None,
    ) -> None:
        """window: tokens to each side that a token attends to, beside all topics, which attend to all; None: all."""
        super().__init__()
        if window is not None and window < 1:
            raise ConfigError(f"encoder.window is {window}; give null, or how many tokens to each side are seen")
        self.window = window
        self.project = nn.Linear(token_width, width)
        self.role = nn.Embedding(3, width)  # 0 a word, 1 this walk's topic, 2 another topic
        self.distance = nn.Embedding(2 * self.FARTHEST + 1, width)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(width, num_heads=num_heads, dropout=dropout) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: TokenStates, topic_rank: Tensor) -> Tensor:
        """`topic_rank: [n]`, which placeholder is meant, from 1; returns `[n, L, W]`."""
        is_topic = tokens.topic_rank == topic_rank.unsqueeze(1)
        role = (tokens.topic_rank > 0).long() * (2 - is_topic.long())
        place = torch.arange(role.shape[1], device=role.device)
        topic_place = is_topic.long().argmax(dim=1, keepdim=True)
        distance = (place - topic_place).clamp(-self.FARTHEST, self.FARTHEST) + self.FARTHEST
        states = self.project(tokens.states) + self.role(role) + self.distance(distance)
        states = self.dropout(states)
        seen = near(tokens.mask, tokens.topic_rank > 0, self.window) if self.window else None
        for layer in self.layers:
            states = layer(states, tokens.mask, seen)
        normed: Tensor = self.norm(states)
        return normed


def summary(states: Tensor, tokens: TokenStates, topic_rank: Tensor) -> Tensor:
    """The question as its walk sees it: mean over all tokens beside the state of the topic, `[n, 2W]`."""

    def mean(kept: Tensor) -> Tensor:
        weights = kept.unsqueeze(-1).to(states.dtype)
        return (states * weights).sum(1) / weights.sum(1).clamp(min=1)

    is_topic = tokens.mask & (tokens.topic_rank == topic_rank.unsqueeze(1))
    return torch.cat([mean(tokens.mask), mean(is_topic)], dim=-1)
