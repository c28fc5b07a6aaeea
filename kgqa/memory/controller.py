"""A recurrent controller with the short-term memory: the network of Graves et al. 2016, or of Santoro et al. 2016 with
the allocator `lru`. At each step it sees an input and what was read before, writes, reads, and gives an output.

What it says to the memory is made of its state and of the input itself. A recurrent state alone mixes what is shown
now with all that was shown before, and then a key is hardly like what it was written with: associative recall was not
learned. Dropout of the state (Franke et al. 2018, "Robust and scalable differentiable neural computer ...", drop what
goes past the memory) helps sequences that are longer than those of training.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kgqa.memory.interface import InterfaceLayer
from kgqa.memory.short_term import Allocator, initial_state, step


class MemoryNetwork(nn.Module):
    """An LSTM that may write to and read from a memory; without it (use_memory) an LSTM alone."""

    def __init__(
        self,
        input_width: int,
        output_width: int,
        *,
        controller_width: int,
        num_slots: int,
        width: int,
        num_reads: int = 1,
        num_writes: int = 1,
        allocator: Allocator = "dnc",
        use_memory: bool = True,
        dropout: float = 0.0,
    ) -> None:
        """dropout: of the LSTM's state on its way to the memory and to the output, while training."""
        super().__init__()
        self.allocator, self.use_memory, self.dropout = allocator, use_memory, dropout
        self.sizes: Mapping[str, Any] = {
            "num_slots": num_slots, "width": width, "num_reads": num_reads, "num_writes": num_writes,
        }  # fmt: skip
        read_width = num_reads * width if use_memory else 0
        self.cell = nn.LSTMCell(input_width + read_width, controller_width)
        self.output = nn.Linear(controller_width + read_width, output_width)
        if use_memory:
            self.interface = InterfaceLayer(
                controller_width + input_width,
                width=width, num_reads=num_reads, num_writes=num_writes, masks=True, sharp=True,
            )  # fmt: skip

    def forward(self, inputs: Tensor) -> Tensor:
        """`[B, T, D] -> [B, T, O]`; each sequence starts with an empty memory."""
        hidden = cell = inputs.new_zeros(len(inputs), self.cell.hidden_size)
        if not self.use_memory:
            states = []
            for now in inputs.unbind(1):
                hidden, cell = self.cell(now, (hidden, cell))
                states.append(self._partly(hidden))
            return self._said(states)
        memory = initial_state(len(inputs), device=inputs.device, dtype=inputs.dtype, **self.sizes)
        read = memory.slots.new_zeros(len(inputs), self.cell.input_size - inputs.shape[-1])
        states = []
        for now in inputs.unbind(1):
            hidden, cell = self.cell(torch.cat([now, read], dim=-1), (hidden, cell))
            seen = self._partly(hidden)
            reads, memory = step(memory, self.interface(torch.cat([seen, now], dim=-1)), allocator=self.allocator)
            read = reads.flatten(1)
            states.append(torch.cat([seen, read], dim=-1))
        return self._said(states)

    def _partly(self, hidden: Tensor) -> Tensor:
        return F.dropout(hidden, self.dropout, self.training)

    def _said(self, states: list[Tensor]) -> Tensor:
        said: Tensor = self.output(torch.stack(states, dim=1))
        return said
