"""The differentiable short-term memory: pure functions over a state value, batch first.

Equations are those of Graves et al. 2016 ("Hybrid computing using a neural network with dynamic external memory", here
DNC) and, for the least-recently-used allocator, of Santoro et al. 2016 ("One-shot learning with memory-augmented neural
networks", here MANN). From Csordas & Schmidhuber 2019 ("Improving differentiable neural computers ...") come the rule
that a freed slot loses its content, masks of keys, and sharpened links.

    state = initial_state(batch_size, num_slots=8, width=64, num_reads=1)
    reads, state = step(state, interface)              # reads: [B, R, W]

`step` writes, then reads; `write` and `read` are its halves, for controllers that read first or read several times.

Shapes: B batch, N slots, W slot width, R read heads, H write heads. Weights over slots lie in [0, 1] and sum to at
most 1.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from kgqa.memory.allocation import allocation_weights, least_used, product, retention, updated_usage
from kgqa.memory.interface import Interface, ReadInterface, WriteInterface
from kgqa.memory.links import Link, SparseLink, follow, updated_link, updated_precedence

Allocator = Literal["dnc", "lru"]

_EPSILON = 1e-6
"""Inside the norms, so that a zero memory or key gives a defined value and gradient."""

_LRU_DECAY = 0.95
"""gamma of MANN's usage: how fast a slot's last access is forgotten."""

_DENSE_SLOTS, _SPARSE_LINKS = 128, 8
"""Up to so many slots links are dense; above, each slot keeps so many."""


class MemoryState(NamedTuple):
    """What is carried from step to step; a value: `step` returns a new one."""

    slots: Tensor  # [B, N, W] contents
    usage: Tensor  # [B, N] DNC: in [0, 1]; LRU: decayed sum of past accesses
    link: Link | None  # [B, H, N, N] link[..., i, j]: how far slot i was written right after slot j; None: no links
    precedence: Tensor  # [B, H, N] how far each slot was the last one written
    read_weights: Tensor  # [B, R, N]
    write_weights: Tensor  # [B, H, N]


def initial_state(
    batch_size: int,
    *,
    num_slots: int,
    width: int,
    num_reads: int,
    num_writes: int = 1,
    num_links: int | None = None,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> MemoryState:
    """An empty memory.

    num_links: that each slot keeps, 0 for a memory without links; None keeps all up to 128 slots, above them 8.
    """

    def zeros(*shape: int) -> Tensor:
        return torch.zeros(batch_size, *shape, device=device, dtype=dtype)

    if num_links is None:
        num_links = num_slots if num_slots <= _DENSE_SLOTS else _SPARSE_LINKS
    link: Link | None = None
    if num_links >= num_slots:
        link = zeros(num_writes, num_slots, num_slots)
    elif num_links:
        weight = zeros(num_writes, num_slots, num_links)
        link = SparseLink(weight, torch.zeros_like(weight, dtype=torch.long))
    return MemoryState(
        slots=zeros(num_slots, width),
        usage=zeros(num_slots),
        link=link,
        precedence=zeros(num_writes, num_slots),
        read_weights=zeros(num_reads, num_slots),
        write_weights=zeros(num_writes, num_slots),
    )


def filled_state(vectors: Tensor, present: Tensor, *, num_reads: int, links: bool = True) -> MemoryState:
    """The memory after vectors `[B, N, W]` were written wholly, one after the other, into slots of their own: what as
    many steps with open gates give, at once. Nothing was read yet.

    present `[B, N]` says which were written; they come first. Links are sparse, one a slot, which is exact here.
    """
    filled = present.to(vectors.dtype)
    linked = (filled[:, :, None] * (torch.arange(vectors.shape[1], device=vectors.device) > 0)[:, None]).unsqueeze(1)
    before = (torch.arange(vectors.shape[1], device=vectors.device) - 1).clamp(min=0).view(1, 1, -1, 1)
    latest = F.one_hot(present.sum(1) - 1, vectors.shape[1]).to(vectors.dtype).unsqueeze(1)
    return MemoryState(
        slots=vectors * filled.unsqueeze(-1),
        usage=filled,
        link=SparseLink(linked, before.expand(linked.shape)) if links else None,
        precedence=latest,
        read_weights=vectors.new_zeros(len(vectors), num_reads, vectors.shape[1]),
        write_weights=latest,
    )


def primed(state: MemoryState, vectors: Tensor, present: Tensor) -> MemoryState:
    """An empty memory with vectors `[B, K, W]` in its first K <= N slots, those that are `present` `[B, K]` (bool).

    Their slots are in use, so that free ones are written first. They were there before time began: no link leads to
    them or from them.
    """
    filled, num_others = present.to(vectors.dtype), state.slots.shape[1] - vectors.shape[1]
    return state._replace(
        slots=F.pad(vectors * filled.unsqueeze(-1), (0, 0, 0, num_others)),
        usage=F.pad(filled, (0, num_others)),
    )


def content_weights(
    slots: Tensor, keys: Tensor, strengths: Tensor, masks: Tensor | None = None, present: Tensor | None = None
) -> Tensor:
    """Where the content is like the key: `[B, N, W], [B, R, W], [B, R] -> [B, R, N]`, rows sum to 1.

    masks `[B, R, W]` leave parts of the slots and the key out of the comparison; present `[B, N]` (bool, some slot of
    each row) leaves slots out.
    """
    # C(M, k, b)[i] = softmax_i(b * cos(M[i] o m, k o m))            DNC eq. 2; the mask m from Csordas & Schmidhuber
    if masks is None:
        lengths = _length(slots).unsqueeze(1)
    else:
        lengths = (masks.square() @ slots.square().transpose(-1, -2) + _EPSILON).sqrt()
        keys = keys * masks
    scale = strengths / _length(keys)
    keys = keys if masks is None else keys * masks
    scores = scale.unsqueeze(-1) * (keys @ slots.transpose(-1, -2)) / lengths
    if present is not None:
        scores = scores.masked_fill(~present.unsqueeze(1), -torch.inf)
    return torch.softmax(scores, dim=-1)


def _length(rows: Tensor) -> Tensor:
    return (rows.square().sum(-1) + _EPSILON).sqrt()


def erase_add(slots: Tensor, write_weights: Tensor, erase: Tensor, add: Tensor) -> Tensor:
    """Contents after one write: `[B, N, W], [B, H, N], [B, H, W], [B, H, W] -> [B, N, W]`; the rest stays."""
    # M_t = M_{t-1} o prod_h (1 - w^w e^T) + sum_h w^w v^T
    kept = product(1 - write_weights.unsqueeze(-1) * erase.unsqueeze(-2))
    return torch.baddbmm(slots * kept, write_weights.transpose(1, 2), add)


def read_addresses(state: MemoryState, interface: ReadInterface, present: Tensor | None = None) -> Tensor:
    """Read weights `[B, R, N]`: a mix of following links backward, content, and following links forward."""
    content = content_weights(state.slots, interface.keys, interface.strengths, interface.masks, present)
    if state.link is None:
        return content
    backward, forward = follow(state.link, state.read_weights)
    if interface.sharpness is not None:
        powers = interface.sharpness.unsqueeze(-1)
        backward, forward = sharpened(backward, powers[:, :, 0]), sharpened(forward, powers[:, :, 1])
    ways = torch.cat([backward, content.unsqueeze(2), forward], dim=2)
    return (interface.modes.unsqueeze(2) @ ways).squeeze(2)


def sharpened(weights: Tensor, powers: Tensor) -> Tensor:
    """Weights `[..., N]` raised to powers of at least 1 and brought back to the sum that they had."""
    # S(d, s)[i] = d[i]^s / sum_j d[j]^s. Csordas & Schmidhuber's sums to 1; ours keeps nothing where there was nothing.
    raised = (weights + _EPSILON) ** powers
    return raised / raised.sum(-1, keepdim=True) * weights.sum(-1, keepdim=True)


def _dnc_write(state: MemoryState, interface: WriteInterface) -> tuple[Tensor, Tensor, Tensor]:
    """Contents without what was freed, usage, and write weights under DNC's allocation."""
    retained = retention(state.read_weights, interface.free_gates)
    usage = updated_usage(state.usage, state.write_weights, retained)
    slots = state.slots * retained.unsqueeze(-1)
    content = content_weights(slots, interface.keys, interface.strengths, interface.masks)
    allocated = allocation_weights(usage, interface.gates * interface.allocation_gates)
    # w^w = g^w (g^a a + (1 - g^a) C(M_{t-1}, k^w, b^w))
    gates = interface.allocation_gates.unsqueeze(-1)
    return slots, usage, interface.gates.unsqueeze(-1) * (gates * allocated + (1 - gates) * content)


def _lru_write(state: MemoryState, interface: WriteInterface) -> tuple[Tensor, Tensor, Tensor]:
    """The same under MANN's least-recently-used access; the least used slots are emptied before they are written."""
    num_reads, num_writes = state.read_weights.shape[1], state.write_weights.shape[1]
    free = least_used(state.usage, max(num_reads, num_writes))
    # w^w = sigma(a) w^r_{t-1} + (1 - sigma(a)) w^lu_{t-1}, our allocation gate being 1 - sigma(a). The n least used
    # slots are dealt out among the heads, and each takes its share, so that the weights still sum to at most 1.
    dealt = torch.stack([free[:, head::num_writes].mean(dim=1) for head in range(num_writes)], dim=1)
    gates = interface.allocation_gates.unsqueeze(-1)
    weights = (1 - gates) * state.read_weights.mean(dim=1, keepdim=True) + gates * dealt
    weights = interface.gates.unsqueeze(-1) * weights
    emptied = interface.gates.unsqueeze(-1) * gates * dealt.ceil()
    return state.slots * product(1 - emptied).unsqueeze(-1), _LRU_DECAY * state.usage, weights


def write(state: MemoryState, interface: WriteInterface, *, allocator: Allocator = "dnc") -> MemoryState:
    """One write: the state with what was freed gone, what was said stored, and the links led on."""
    place = _dnc_write if allocator == "dnc" else _lru_write
    slots, usage, weights = place(state, interface)
    if allocator == "lru":
        # w^u_t = gamma w^u_{t-1} + w^r_t + w^w_t; the reads are added when they are made
        usage = usage + weights.sum(dim=1)
    return state._replace(
        slots=erase_add(slots, weights, interface.erase, interface.vectors),
        usage=usage,
        link=None if state.link is None else updated_link(state.link, state.precedence, weights),
        precedence=updated_precedence(state.precedence, weights),
        write_weights=weights,
    )


def read(
    state: MemoryState, interface: ReadInterface, *, allocator: Allocator = "dnc", present: Tensor | None = None
) -> tuple[Tensor, MemoryState]:
    """One read: `[B, R, W]`, and the state that remembers from where. present `[B, N]`: slots that may be read by
    content, all of them where None.
    """
    weights = read_addresses(state, interface, present)
    usage = state.usage + weights.sum(dim=1) if allocator == "lru" else state.usage
    return weights @ state.slots, state._replace(usage=usage, read_weights=weights)


def step(state: MemoryState, interface: Interface, *, allocator: Allocator = "dnc") -> tuple[Tensor, MemoryState]:
    """One write, then one read: returns what was read, `[B, R, W]`, and the new state."""
    return read(write(state, interface.write, allocator=allocator), interface.read, allocator=allocator)
