"""Attention for long texts: each token sees those near it and a few that see all (Longformer, Beltagy et al. 2020).

    token i sees token j  <=>  |i - j| <= window, or i is global, or j is global

Done in blocks of `window` tokens: the queries of a block against the keys of it, of the one before and of the one
after: a text of L tokens with G global ones costs O(L (3 window + G)) in place of O(L^2), in time and in memory.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Near(NamedTuple):
    """Who sees whom in n texts of L tokens, in C blocks of `window` tokens, with at most G global tokens a text."""

    visible: Tensor  # [n, 1, C, window, 3 window + G] bool: what a block's queries see of three blocks and the global
    everywhere: Tensor  # [n, G] where the global tokens are; anywhere where a text has fewer
    is_there: Tensor  # [n, G] bool, True on global tokens
    mask: Tensor  # [n, L] bool, True on tokens
    window: int

    def attend(self, query: Tensor, key: Tensor, value: Tensor, *, dropout: float = 0.0) -> Tensor:
        """softmax(Q K^T / sqrt(d)) V over what is visible, `[n, heads, L, d]` each."""
        length, num_blocks = query.shape[2], self.visible.shape[2]
        places = self.everywhere[:, None, :, None].expand(-1, query.shape[1], -1, query.shape[3])

        def seen(part: Tensor) -> Tensor:
            of_global = part.gather(2, places)[:, :, None].expand(-1, -1, num_blocks, -1, -1)
            return torch.cat([_three(_blocks(part, self.window)), of_global], dim=3)

        attended = F.scaled_dot_product_attention(
            _blocks(query, self.window), seen(key), seen(value), attn_mask=self.visible, dropout_p=dropout
        )
        attended = attended.flatten(2, 3)[:, :, :length]
        if not places.shape[2]:
            return attended
        of_global = F.scaled_dot_product_attention(
            query.gather(2, places), key, value, attn_mask=self.mask[:, None, None, :], dropout_p=dropout
        )
        is_there = self.is_there[:, None, :, None]
        return attended.scatter(2, places, torch.where(is_there, of_global, attended.gather(2, places)))


def near(mask: Tensor, is_global: Tensor, window: int) -> Near | None:
    """Who sees whom, of `[n, L]` what is a token and what is a global one; None where all see all."""
    n, length = mask.shape
    if length <= window + 1:
        return None
    is_global = is_global & mask
    num_global = int(is_global.sum(1).max()) if n else 0
    everywhere = is_global.int().argsort(dim=1, descending=True, stable=True)[:, :num_global]
    is_there = is_global.gather(1, everywhere)
    # Global tokens are seen by way of `everywhere`, once.
    seen = _three(_blocks((mask & ~is_global)[:, None, :, None], window)).squeeze(-1)[:, :, :, None, :]
    step = torch.arange(3 * window, device=mask.device) - window - torch.arange(window, device=mask.device)[:, None]
    # A token sees itself even where it is none, or nothing would be left of it but 0 / 0.
    band = (seen & (step.abs() <= window)) | (step == 0)
    seen_everywhere = is_there[:, None, None, None, :].expand(*band.shape[:4], -1)
    return Near(torch.cat([band, seen_everywhere], dim=-1), everywhere, is_there, mask, window)


def _blocks(rows: Tensor, window: int) -> Tensor:
    """`[n, heads, L, d] -> [n, heads, C, window, d]`, filled up with zeros."""
    n, heads, length, width = rows.shape
    return F.pad(rows, (0, 0, 0, -length % window)).reshape(n, heads, -1, window, width)


def _three(blocks: Tensor) -> Tensor:
    """Each block between the one before and the one after, `[n, heads, C, 3 window, d]`; zeros beyond the ends."""
    around = F.pad(blocks, (0, 0, 0, 0, 1, 1))
    return torch.cat([around[:, :, :-2], blocks, around[:, :, 2:]], dim=3)
