"""The differentiable short-term memory: pure functions over a state value, batch first.

Equations are those of Graves et al. 2016 ("Hybrid computing using a neural network with dynamic external memory", here
DNC) and, for the least-recently-used allocator, of Santoro et al. 2016 ("One-shot learning with memory-augmented neural
networks", here MANN). From Csordas & Schmidhuber 2019 comes the rule that a freed slot loses its content.

    state = initial_state(batch_size, num_slots=8, width=64, num_reads=1)
    reads, state = step(state, interface)              # reads: [B, R, W]

Shapes: B batch, N slots, W slot width, R read heads. Weights over slots lie in [0, 1] and sum to at most 1.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Allocator = Literal["dnc", "lru"]

_EPSILON = 1e-6
"""Inside the norms, so that a zero memory or key gives a defined value and gradient."""

_LRU_DECAY = 0.95
"""gamma of MANN's usage: how fast a slot's last access is forgotten."""


class MemoryState(NamedTuple):
    """What is carried from step to step; a value: `step` returns a new one."""

    slots: Tensor  # [B, N, W] contents
    usage: Tensor  # [B, N] DNC: in [0, 1]; LRU: decayed sum of past accesses
    link: Tensor  # [B, N, N] link[i, j]: how far slot i was written right after slot j
    precedence: Tensor  # [B, N] how far each slot was the last one written
    read_weights: Tensor  # [B, R, N]
    write_weights: Tensor  # [B, N]


class Interface(NamedTuple):
    """What a controller says to the memory in one step; all values already in their ranges."""

    read_keys: Tensor  # [B, R, W]
    read_strengths: Tensor  # [B, R] at least 1
    read_modes: Tensor  # [B, R, 3] backward, content, forward; sums to 1
    write_key: Tensor  # [B, W]
    write_strength: Tensor  # [B] at least 1
    write_vector: Tensor  # [B, W]
    erase: Tensor  # [B, W] in [0, 1]
    free_gates: Tensor  # [B, R] in [0, 1]: 1 frees what the head read last
    allocation_gate: Tensor  # [B] in [0, 1]: 1 writes to a free slot, 0 where the content matches
    write_gate: Tensor  # [B] in [0, 1]: 0 writes nothing


def initial_state(
    batch_size: int,
    *,
    num_slots: int,
    width: int,
    num_reads: int,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> MemoryState:
    """An empty memory."""

    def zeros(*shape: int) -> Tensor:
        return torch.zeros(batch_size, *shape, device=device, dtype=dtype)

    return MemoryState(
        slots=zeros(num_slots, width),
        usage=zeros(num_slots),
        link=zeros(num_slots, num_slots),
        precedence=zeros(num_slots),
        read_weights=zeros(num_reads, num_slots),
        write_weights=zeros(num_slots),
    )


def content_weights(slots: Tensor, keys: Tensor, strengths: Tensor) -> Tensor:
    """Where the content is like the key: `[B, N, W], [B, R, W], [B, R] -> [B, R, N]`, rows sum to 1."""
    # C(M, k, b)[i] = softmax_i(b * cos(M[i], k))                                                        DNC eq. 2
    slots = slots / (slots.square().sum(-1, keepdim=True) + _EPSILON).sqrt()
    keys = keys / (keys.square().sum(-1, keepdim=True) + _EPSILON).sqrt()
    return torch.softmax(strengths.unsqueeze(-1) * (keys @ slots.transpose(-1, -2)), dim=-1)


def retention(read_weights: Tensor, free_gates: Tensor) -> Tensor:
    """How much of each slot the free gates leave: `[B, R, N], [B, R] -> [B, N]`."""
    # psi = prod_r (1 - f^r w^{r}_{t-1})
    return (1 - free_gates.unsqueeze(-1) * read_weights).prod(dim=1)


def updated_usage(usage: Tensor, write_weights: Tensor, retained: Tensor) -> Tensor:
    """Usage after the last write and this step's freeing; all `[B, N]`."""
    # u_t = (u_{t-1} + w^w_{t-1} - u_{t-1} o w^w_{t-1}) o psi_t
    return (usage + write_weights - usage * write_weights) * retained


def allocation_weights(usage: Tensor) -> Tensor:
    """Weights on free slots, the least used first: `[B, N] -> [B, N]`. No gradient flows through the order."""
    # a[phi_j] = (1 - u[phi_j]) prod_{l<j} u[phi_l], phi = argsort(u) ascending
    order = usage.detach().argsort(dim=-1, stable=True)
    ascending = usage.gather(-1, order)
    before = torch.cat([torch.ones_like(ascending[:, :1]), ascending[:, :-1]], dim=-1).cumprod(dim=-1)
    return torch.zeros_like(usage).scatter(-1, order, (1 - ascending) * before)


def least_used(usage: Tensor, count: int) -> Tensor:
    """Exactly `count` ones a row, on the slots used least: `[B, N] -> [B, N]`; ties go to the lower slot."""
    # Of equal values argsort(stable) keeps the lower index first, where topk leaves the choice open.
    indices = usage.detach().argsort(dim=-1, stable=True)[:, :count]
    return torch.zeros_like(usage).scatter(-1, indices, 1.0)


def erase_add(slots: Tensor, write_weights: Tensor, erase: Tensor, add: Tensor) -> Tensor:
    """Contents after one write: `[B, N, W], [B, N], [B, W], [B, W] -> [B, N, W]`; unaddressed slots keep theirs."""
    # M_t = M_{t-1} o (1 - w^w e^T) + w^w v^T
    weights = write_weights.unsqueeze(-1)
    return slots * (1 - weights * erase.unsqueeze(1)) + weights * add.unsqueeze(1)


def updated_link(link: Tensor, precedence: Tensor, write_weights: Tensor) -> Tensor:
    """Temporal links after one write: `[B, N, N]`. Takes the precedence from BEFORE that write."""
    # L_t[i,j] = (1 - w_i - w_j) L_{t-1}[i,j] + w_i p_{t-1}[j], L[i,i] = 0
    into, out_of = write_weights.unsqueeze(-1), write_weights.unsqueeze(-2)
    link = (1 - into - out_of) * link + into * precedence.unsqueeze(-2)
    diagonal = torch.eye(link.shape[-1], dtype=torch.bool, device=link.device)
    return link.masked_fill(diagonal, 0.0)


def updated_precedence(precedence: Tensor, write_weights: Tensor) -> Tensor:
    """Which slot was written last, `[B, N]`; computed after the link."""
    # p_t = (1 - sum_i w_i) p_{t-1} + w
    return (1 - write_weights.sum(-1, keepdim=True)) * precedence + write_weights


def read_addresses(slots: Tensor, link: Tensor, last_reads: Tensor, interface: Interface) -> Tensor:
    """Read weights `[B, R, N]`: a mix of following links backward, content, and following links forward."""
    # forward L w, backward L^T w; rows of `last_reads` are w, so the transposes swap
    backward = last_reads @ link
    forward = last_reads @ link.transpose(-1, -2)
    content = content_weights(slots, interface.read_keys, interface.read_strengths)
    modes = interface.read_modes.unsqueeze(-1)
    return modes[:, :, 0] * backward + modes[:, :, 1] * content + modes[:, :, 2] * forward


def _dnc_write(state: MemoryState, interface: Interface) -> tuple[Tensor, Tensor, Tensor]:
    """Contents without what was freed, usage, and write weights under DNC's allocation."""
    retained = retention(state.read_weights, interface.free_gates)
    usage = updated_usage(state.usage, state.write_weights, retained)
    slots = state.slots * retained.unsqueeze(-1)
    content = content_weights(slots, interface.write_key.unsqueeze(1), interface.write_strength.unsqueeze(1))[:, 0]
    # w^w = g^w (g^a a + (1 - g^a) C(M_{t-1}, k^w, b^w))
    gate = interface.allocation_gate.unsqueeze(-1)
    weights = interface.write_gate.unsqueeze(-1) * (gate * allocation_weights(usage) + (1 - gate) * content)
    return slots, usage, weights


def _lru_write(state: MemoryState, interface: Interface) -> tuple[Tensor, Tensor, Tensor]:
    """The same under MANN's least-recently-used access; the least used slots are emptied before they are written."""
    num_reads = state.read_weights.shape[1]
    free = least_used(state.usage, num_reads)
    # w^w = sigma(a) w^r_{t-1} + (1 - sigma(a)) w^lu_{t-1}; each of the n least used slots takes 1/n of the write,
    # so that the weights still sum to at most 1. Our allocation gate is 1 - sigma(a).
    gate = interface.allocation_gate.unsqueeze(-1)
    weights = (1 - gate) * state.read_weights.mean(dim=1) + gate * free / num_reads
    weights = interface.write_gate.unsqueeze(-1) * weights
    emptied = interface.write_gate.unsqueeze(-1) * gate * free
    return state.slots * (1 - emptied).unsqueeze(-1), state.usage, weights


def step(state: MemoryState, interface: Interface, *, allocator: Allocator = "dnc") -> tuple[Tensor, MemoryState]:
    """One write, then one read: returns what was read, `[B, R, W]`, and the new state."""
    write = _dnc_write if allocator == "dnc" else _lru_write
    slots, usage, write_weights = write(state, interface)
    slots = erase_add(slots, write_weights, interface.erase, interface.write_vector)
    link = updated_link(state.link, state.precedence, write_weights)
    precedence = updated_precedence(state.precedence, write_weights)
    read_weights = read_addresses(slots, link, state.read_weights, interface)
    if allocator == "lru":
        # w^u_t = gamma w^u_{t-1} + w^r_t + w^w_t
        usage = _LRU_DECAY * usage + read_weights.sum(dim=1) + write_weights
    return read_weights @ slots, MemoryState(slots, usage, link, precedence, read_weights, write_weights)


class InterfaceLayer(nn.Module):
    """Turns a controller's output `[B, D]` into an `Interface`: one linear map, each part brought into its range."""

    def __init__(self, controller_width: int, *, width: int, num_reads: int) -> None:
        super().__init__()
        self.num_reads = num_reads
        self.sizes = [num_reads * width, num_reads, num_reads * 3, width, 1, width, width, num_reads, 1, 1]
        self.linear = nn.Linear(controller_width, sum(self.sizes))

    def forward(self, controller: Tensor) -> Interface:
        batch_size = controller.shape[0]
        keys, strengths, modes, key, strength, vector, erase, free, allocation, gate = self.linear(controller).split(
            self.sizes, dim=-1
        )
        return Interface(
            read_keys=keys.view(batch_size, self.num_reads, -1),
            read_strengths=1 + F.softplus(strengths),
            read_modes=torch.softmax(modes.view(batch_size, self.num_reads, 3), dim=-1),
            write_key=key,
            write_strength=1 + F.softplus(strength.squeeze(-1)),
            write_vector=vector,
            erase=torch.sigmoid(erase),
            free_gates=torch.sigmoid(free),
            allocation_gate=torch.sigmoid(allocation.squeeze(-1)),
            write_gate=torch.sigmoid(gate.squeeze(-1)),
        )
