"""Layers that our own sentence encoder and the reasoner share."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kgqa.memory.near_attention import Near
from kgqa.memory.ngrams import ngram_hashes


class SubwordBag(nn.EmbeddingBag):
    """Words as the mean (or sum) of their hashed character n-grams: trained, no vocabulary, no unknown word."""

    def __init__(self, num_buckets: int, width: int, *, mode: str = "mean", lengths: Sequence[int] = (3, 4, 5)) -> None:
        """lengths: of the n-grams, see `kgqa.memory.ngrams`."""
        super().__init__(num_buckets, width, mode=mode)
        self.lengths = tuple(lengths)

    def forward(self, words: Sequence[str]) -> Tensor:  # type: ignore[override]
        """n words -> `[n, width]`."""
        owners, hashes = ngram_hashes(words, self.lengths)
        order = np.argsort(owners, kind="stable")
        buckets = (hashes[order] % np.uint64(self.num_embeddings)).astype(np.int64)
        counts = np.bincount(owners, minlength=len(words))
        device = self.weight.device
        offsets = torch.from_numpy(counts.cumsum() - counts).to(device)
        vectors: Tensor = super().forward(torch.from_numpy(buckets).to(device), offsets)
        return vectors


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

    def forward(self, states: Tensor, mask: Tensor, near: Near | None = None) -> Tensor:
        """`[n, L, W] -> [n, L, W]`. mask: `[n, L]`, True on what may be attended to; or `[n, heads, L, L]`, added to
        the scores (1 in place of n or heads: the same for all). near: in its place, where not all see all.
        """
        n, length, width = states.shape
        projected = self.query_key_value(self.attention_norm(states))
        query, key, value = projected.view(n, length, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        if near is not None:
            attended = near.attend(query, key, value, dropout=dropout)
        else:  # softmax(Q K^T / sqrt(d_k)) V
            visible = mask if mask.dim() == 4 else mask[:, None, None, :]
            attended = F.scaled_dot_product_attention(query, key, value, attn_mask=visible, dropout_p=dropout)
        states = states + self.out(attended.transpose(1, 2).reshape(n, length, width))
        updated: Tensor = states + self.feed_forward(states)
        return updated
