"""The session level of the memory: what a conversation is about, in slots that can be asked for by content and recency.

It is the short-term memory (kgqa.memory.short_term) with hard gates: each thing is written into the slot that was used
least, wholly, and the names of what is written are kept beside the slots, so that a read says what it refers to. What
was written after what is in the links, so that recency is a walk backward along them from the precedence.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from kgqa.errors import InputError
from kgqa.memory.interface import Interface, ReadInterface, WriteInterface
from kgqa.memory.links import follow
from kgqa.memory.short_term import MemoryState, content_weights, initial_state, step

NUM_SLOTS = 24
"""About eight turns: a turn writes its topics and its answers."""

_SHARPNESS = 10.0
"""Strength of reading by content; cosines of sentence vectors lie close together."""
_DECAY = 0.6
"""How much less likely the thing before is meant."""
_LEAST = 1e-3
"""Usage that is below none at all, and next to nothing beside one write's."""
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class SessionMemory:
    """A value: `written` gives a new one."""

    state: MemoryState
    names: tuple[str, ...]
    """What each slot holds; empty where nothing."""

    @classmethod
    def empty(cls, width: int, *, num_slots: int = NUM_SLOTS) -> Self:
        """A memory for vectors of that width."""
        return cls(initial_state(1, num_slots=num_slots, width=width, num_reads=1), ("",) * num_slots)

    def written(self, name: str, vector: Tensor) -> Self:
        """With one more thing in it, `vector: [W]`; what holds the same name is written anew, as the latest."""
        if vector.shape != self.state.slots.shape[2:]:
            raise InputError(
                f"a vector of width {len(vector)} does not fit a session memory of width {self.state.slots.shape[2]}; "
                "the session was kept with another reasoner: start a new one"
            )
        slot = self._slot_for(name)
        _, state = step(self._without(slot), _hard_write(vector), allocator="lru")
        return replace(self, state=state, names=(*self.names[:slot], name, *self.names[slot + 1 :]))

    def _slot_for(self, name: str) -> int:
        """The slot that holds the name already, else an empty one, else the one that was used least."""
        for wanted in (name, ""):
            if wanted in self.names:
                return self.names.index(wanted)
        return int(self.state.usage[0].argmin())

    def read(self, key: Tensor, *, recency: float = 0.7) -> dict[str, float]:
        """How far each thing is meant by what `key: [W]` says: its share of reading by recency, the rest by content."""
        content = content_weights(self.state.slots, key.reshape(1, 1, -1), torch.full((1, 1), _SHARPNESS))[0, 0]
        filled = torch.tensor([bool(name) for name in self.names])
        content = content * filled
        mixed = recency * _shares(self._recency() * filled) + (1 - recency) * _shares(content)
        return {name: weight for name, weight in zip(self.names, mixed.tolist(), strict=True) if name}

    def _recency(self) -> Tensor:
        """Weights that fall from the slot written last to the first one, `[N]`."""
        # backward reads: w <- L^T w, from the precedence on
        assert self.state.link is not None  # `empty` makes it
        weights, here = torch.zeros_like(self.state.usage), self.state.precedence
        for age in range(len(self.names)):
            weights = weights + _DECAY**age * here[:, 0]
            here = follow(self.state.link, here)[0][:, :, 0]
        return weights[0]

    def _without(self, slot: int) -> MemoryState:
        """The state in which a slot is the next to be written, and what was written after it follows what was written
        before it, so that a walk along the links still comes to all that is older."""
        state = self.state
        assert isinstance(state.link, Tensor)  # there are few slots
        gone = torch.arange(len(self.names)) == slot
        link = state.link + state.link[..., gone] @ state.link[:, :, gone]
        precedence = state.precedence + state.precedence[..., gone] @ state.link[0, 0, gone]
        return state._replace(
            usage=state.usage.masked_fill(gone, -_LEAST),
            link=link.masked_fill(gone | gone.unsqueeze(-1), 0.0),
            precedence=precedence.masked_fill(gone, 0.0),
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        fields = {field: _rounded(value) for field, value in self.state._asdict().items()}
        return {"names": list(self.names), **fields}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Of `to_json`."""
        names = tuple(fields["names"])
        empty = initial_state(1, num_slots=len(names), width=len(fields["slots"][0][0]), num_reads=1)
        # Sessions that were kept before there were several write heads have no dimension for them.
        parts = {
            field: torch.tensor(fields[field], dtype=torch.float32).view_as(getattr(empty, field))
            for field in MemoryState._fields
        }
        return cls(MemoryState(**parts), names)


def _hard_write(vector: Tensor) -> Interface:
    """Write all of a vector into the slot that was used least, and read what is like it."""
    key, one = vector.reshape(1, 1, -1), torch.ones(1, 1)
    return Interface(
        ReadInterface(
            keys=key,
            strengths=torch.full((1, 1), _SHARPNESS),
            modes=torch.tensor([[[0.0, 1.0, 0.0]]]),
        ),
        WriteInterface(
            keys=key,
            strengths=one,
            vectors=key,
            erase=torch.ones_like(key),
            free_gates=torch.zeros(1, 1),
            allocation_gates=one,
            gates=one,
        ),
    )


def _shares(weights: Tensor) -> Tensor:
    return weights / weights.sum().clamp(min=1e-6)


def _rounded(value: Tensor) -> Any:
    def short(part: Any) -> Any:
        return [short(one) for one in part] if isinstance(part, list) else round(part, _DIGITS)

    return short(value.tolist())


def mean_vector(vectors: Sequence[Tensor]) -> Tensor:
    """The unit vector of several, `[W]`: a slot says at once what a thing is, how it was reached and where."""
    return torch.nn.functional.normalize(torch.stack(list(vectors)).sum(0), dim=0)
