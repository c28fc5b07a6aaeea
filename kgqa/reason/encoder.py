"""The Transformer layers that are trained with the reasoner, over the token states of a question."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kgqa.reason.tokens import TokenStates


class EncoderLayer(nn.Module):
    """A pre-norm Transformer encoder layer (Vaswani et al. 2017; normalisation first as in Xiong et al. 2020)."""

    def __init__(self, width: int, *, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """`[n, L, W], [n, L] -> [n, L, W]`."""
        n, length, width = states.shape
        projected = self.query_key_value(self.attention_norm(states))
        query, key, value = projected.view(n, length, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        # softmax(Q K^T / sqrt(d_k)) V
        attended = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask[:, None, None, :], dropout_p=self.dropout if self.training else 0.0
        )
        states = states + self.out(attended.transpose(1, 2).reshape(n, length, width))
        updated: Tensor = states + self.feed_forward(states)
        return updated


class QuestionEncoder(nn.Module):
    """Token features to contextual states, told which placeholder is the topic that is walked from.

    A token's place is told by its distance from that topic, not from the beginning: what stands next to the topic tends
    to be followed first, wherever the two stand.
    """

    FARTHEST = 16

    def __init__(self, token_width: int, *, width: int, num_layers: int, num_heads: int, dropout: float) -> None:
        super().__init__()
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
        for layer in self.layers:
            states = layer(states, tokens.mask)
        normed: Tensor = self.norm(states)
        return normed


def summary(states: Tensor, tokens: TokenStates, topic_rank: Tensor) -> Tensor:
    """The question as its walk sees it: mean over all tokens beside the state of the topic, `[n, 2W]`."""

    def mean(kept: Tensor) -> Tensor:
        weights = kept.unsqueeze(-1).to(states.dtype)
        return (states * weights).sum(1) / weights.sum(1).clamp(min=1)

    is_topic = tokens.mask & (tokens.topic_rank == topic_rank.unsqueeze(1))
    return torch.cat([mean(tokens.mask), mean(is_topic)], dim=-1)
