"""Which slot was written after which: the temporal links of the DNC (Graves et al. 2016), dense or sparse.

    L_t[i,j] = (1 - w_i - w_j) L_{t-1}[i,j] + w_i p_{t-1}[j], L[i,i] = 0          link
    p_t = (1 - sum_i w_i) p_{t-1} + w                                             precedence, after the link

Sparse links keep the K heaviest entries of each row (the idea of Rae et al. 2016, "Scaling memory-augmented neural
networks with sparse reads and writes"): N K numbers in place of N N. They are exact while no slot follows more than K.

Shapes: B batch, N slots, K links a slot, R read heads, H write heads; each write head has links of its own.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class SparseLink(NamedTuple):
    """Row i of `weight` says how far slot i was written right after the slots that row i of `source` names."""

    weight: Tensor  # [B, H, N, K]; 0 where a row has fewer
    source: Tensor  # [B, H, N, K] int64 in [0, N), none twice where the weight is above 0


Link = Tensor | SparseLink
"""Dense: `[B, H, N, N]`, `link[..., i, j]`: how far slot i was written right after slot j."""


def updated_precedence(precedence: Tensor, write_weights: Tensor) -> Tensor:
    """Which slot was written last, `[B, H, N]`; computed after the link."""
    return (1 - write_weights.sum(-1, keepdim=True)) * precedence + write_weights


def updated_link(link: Link, precedence: Tensor, write_weights: Tensor) -> Link:
    """Temporal links after one write. Takes the precedence, `[B, H, N]`, from BEFORE that write."""
    if isinstance(link, SparseLink):
        return _updated_sparse(link, precedence, write_weights)
    into, out_of = write_weights.unsqueeze(-1), write_weights.unsqueeze(-2)
    off_diagonal = 1 - torch.eye(link.shape[-1], device=link.device, dtype=link.dtype)
    return torch.addcmul(into * precedence.unsqueeze(-2), link, 1 - into - out_of) * off_diagonal


def follow(link: Link, weights: Tensor) -> tuple[Tensor, Tensor]:
    """From read weights `[B, R, N]` to what was written before and after: backward and forward, each `[B, R, H, N]`."""
    if isinstance(link, SparseLink):
        return _follow_sparse(link, weights)
    # forward L w, backward L^T w; rows of `weights` are w, so the transposes swap
    last = weights.unsqueeze(1)
    return (last @ link).transpose(1, 2), (last @ link.transpose(-1, -2)).transpose(1, 2)


def _updated_sparse(link: SparseLink, precedence: Tensor, write_weights: Tensor) -> SparseLink:
    """The rule of the dense link on the entries there are and on those from the K slots of most precedence."""
    num_slots, kept = link.weight.shape[-2:]
    into = write_weights.unsqueeze(-1)
    old = (1 - into - _at(write_weights, link.source)) * link.weight
    latest, slots = precedence.topk(kept, dim=-1)
    sources = slots.unsqueeze(-2).expand_as(link.source)
    own = sources == torch.arange(num_slots, device=sources.device).unsqueeze(-1)
    new = (into * latest.unsqueeze(-2)).masked_fill(own, 0.0)
    # A slot that a row names already, with some weight, gets what is new added there.
    same = (link.source.unsqueeze(-1) == sources.unsqueeze(-2)) & (link.weight.unsqueeze(-1) > 0)
    old = old + (same * new.unsqueeze(-2)).sum(-1)
    new = new.masked_fill(same.any(-2), 0.0)
    weight, place = torch.cat([old, new], dim=-1).topk(kept, dim=-1)
    return SparseLink(weight, torch.cat([link.source, sources], dim=-1).gather(-1, place))


def _follow_sparse(link: SparseLink, weights: Tensor) -> tuple[Tensor, Tensor]:
    shape = weights.shape[0], weights.shape[1], *link.weight.shape[1:]
    last = weights.unsqueeze(2).expand(*shape[:4])
    source = link.source.unsqueeze(1).expand(shape)
    weight = link.weight.unsqueeze(1)
    forward = (weight * _at(last, source)).sum(-1)
    back = (weight * last.unsqueeze(-1)).flatten(-2)
    return torch.zeros_like(last).scatter_add(-1, source.flatten(-2), back), forward


def _at(values: Tensor, index: Tensor) -> Tensor:
    """`values[..., index]`: `[..., N], [..., N, K] -> [..., N, K]`."""
    return values.gather(-1, index.flatten(-2)).view(index.shape)
