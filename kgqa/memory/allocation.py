"""Where the short-term memory writes next: DNC's allocation (Graves et al. 2016) and MANN's least recent use (Santoro
et al. 2016).

Shapes: B batch, N slots, R read heads, H write heads. Weights over slots lie in [0, 1].
"""

from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional as F


def retention(read_weights: Tensor, free_gates: Tensor) -> Tensor:
    """How much of each slot the free gates leave: `[B, R, N], [B, R] -> [B, N]`."""
    # psi = prod_r (1 - f^r w^{r}_{t-1})
    return product(1 - free_gates.unsqueeze(-1) * read_weights)


def updated_usage(usage: Tensor, write_weights: Tensor, retained: Tensor) -> Tensor:
    """Usage after the last write and this step's freeing: `[B, N], [B, H, N], [B, N] -> [B, N]`."""
    # u_t = (u_{t-1} + w^w_{t-1} - u_{t-1} o w^w_{t-1}) o psi_t; several heads one after the other
    return reduce(_used, write_weights.unbind(1), usage) * retained


def allocation_weights(usage: Tensor, write_gates: Tensor) -> Tensor:
    """Weights on free slots for each head, the least used first: `[B, N], [B, H] -> [B, H, N]`.

    write_gates say how far each head writes to a free slot: what it takes is used for the heads after it. No gradient
    flows through the order.
    """
    heads = [free_weights(usage)]
    for gate in write_gates.unbind(1)[:-1]:
        usage = _used(usage, gate.unsqueeze(-1) * heads[-1])
        heads.append(free_weights(usage))
    return torch.stack(heads, dim=1)


def _used(usage: Tensor, weights: Tensor) -> Tensor:
    return torch.addcmul(usage, 1 - usage, weights)  # u + w - u w


def free_weights(usage: Tensor) -> Tensor:
    """Weights on free slots, the least used first: `[B, N] -> [B, N]`."""
    # a[phi_j] = (1 - u[phi_j]) prod_{l<j} u[phi_l], phi = argsort(u) ascending
    order = usage.detach().argsort(dim=-1, stable=True)
    ascending = usage.gather(-1, order)
    before = F.pad(ascending[:, :-1], (1, 0), value=1.0).cumprod(dim=-1)
    return torch.zeros_like(usage).scatter(-1, order, (1 - ascending) * before)


def least_used(usage: Tensor, count: int) -> Tensor:
    """The `count` slots used least, one a row, least first: `[B, N] -> [B, count, N]` of zeros and ones; ties go to the
    lower slot.
    """
    # Of equal values argsort(stable) keeps the lower index first, where topk leaves the choice open.
    indices = usage.detach().argsort(dim=-1, stable=True)[:, :count]
    return torch.zeros_like(usage).unsqueeze(1).repeat(1, count, 1).scatter(-1, indices.unsqueeze(-1), 1.0)


def product(factors: Tensor) -> Tensor:
    """Over the heads: `[B, H, ...] -> [B, ...]`, by plain multiplications: their gradient at zeros is cheap."""
    return reduce(Tensor.mul, factors.unbind(1))
