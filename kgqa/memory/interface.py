"""What a controller says to the short-term memory, and the layers that make it of the controller's output.

Masks and sharpness are those of Csordas & Schmidhuber 2019; None where a memory goes without.

Shapes: B batch, W slot width, R read heads, H write heads.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Shapes = list[tuple[int, ...]]


class ReadInterface(NamedTuple):
    """How to read; all values already in their ranges."""

    keys: Tensor  # [B, R, W]
    strengths: Tensor  # [B, R] at least 1
    modes: Tensor  # [B, R, H + 1 + H] backward along each write head's links, content, forward; sums to 1
    masks: Tensor | None = None  # [B, R, W] in [0, 1]: which parts of a slot the key is compared with
    sharpness: Tensor | None = None  # [B, R, 2, H] at least 1: powers of the backward and forward weights


class WriteInterface(NamedTuple):
    """What to write and where; all values already in their ranges."""

    keys: Tensor  # [B, H, W]
    strengths: Tensor  # [B, H] at least 1
    vectors: Tensor  # [B, H, W]
    erase: Tensor  # [B, H, W] in [0, 1]
    free_gates: Tensor  # [B, R] in [0, 1]: 1 frees what the read head read last
    allocation_gates: Tensor  # [B, H] in [0, 1]: 1 writes to a free slot, 0 where the content matches
    gates: Tensor  # [B, H] in [0, 1]: 0 writes nothing
    masks: Tensor | None = None  # [B, H, W] in [0, 1]


class Interface(NamedTuple):
    """What a controller says in one step."""

    read: ReadInterface
    write: WriteInterface


class ReadLayer(nn.Module):
    """Turns a controller's output `[..., D]` into how to read: one linear map, each part brought into its range."""

    def __init__(
        self,
        controller_width: int,
        *,
        width: int,
        num_reads: int,
        num_writes: int = 1,
        masks: bool = False,
        sharp: bool = False,
    ) -> None:
        super().__init__()
        self.shapes = _read_shapes(width, num_reads, num_writes)
        self.more = _more_shapes(width, num_reads, num_writes, masks, sharp)
        self.linear = nn.Linear(controller_width, _total(self.shapes) + _total(self.more))

    def forward(self, controller: Tensor) -> ReadInterface:
        parts = _split(self.linear(controller), [*self.shapes, *self.more])
        return _read_interface(parts[:3], parts[3:])


class InterfaceLayer(nn.Module):
    """The same for reading and writing."""

    def __init__(
        self,
        controller_width: int,
        *,
        width: int,
        num_reads: int,
        num_writes: int = 1,
        masks: bool = False,
        sharp: bool = False,
    ) -> None:
        super().__init__()
        h = num_writes
        self.shapes: Shapes = [*_read_shapes(width, num_reads, h), (h, width), (h,), (h, width), (h, width)]
        self.shapes += [(num_reads,), (h,), (h,)]
        self.more = _more_shapes(width, num_reads, num_writes, masks, sharp)
        self.write_mask: Shapes = [(h, width)] if masks else []
        sizes = _total(self.shapes) + _total(self.more) + _total(self.write_mask)
        self.linear = nn.Linear(controller_width, sizes)

    def forward(self, controller: Tensor) -> Interface:
        said = self.linear(controller)
        parts = _split(said, [*self.shapes, *self.more, *self.write_mask])
        keys, strengths, vectors = parts[3:6]
        # What lies between 0 and 1 stands side by side, so that one sigmoid does for all of it.
        gated = torch.sigmoid(said[..., _total(self.shapes[:6]) : _total(self.shapes)])
        erase, free, allocation, gates = _split(gated, self.shapes[6:])
        write = WriteInterface(
            keys=keys,
            strengths=1 + F.softplus(strengths),
            vectors=vectors,
            erase=erase,
            free_gates=free,
            allocation_gates=allocation,
            gates=gates,
            masks=torch.sigmoid(parts[-1]) if self.write_mask else None,
        )
        return Interface(_read_interface(parts[:3], parts[10 : 10 + len(self.more)]), write)


def _read_shapes(width: int, num_reads: int, num_writes: int) -> Shapes:
    return [(num_reads, width), (num_reads,), (num_reads, 2 * num_writes + 1)]


def _more_shapes(width: int, num_reads: int, num_writes: int, masks: bool, sharp: bool) -> Shapes:
    """Of the masks and powers of a read."""
    return [*([(num_reads, width)] if masks else []), *([(num_reads, 2, num_writes)] if sharp else [])]


def _read_interface(parts: Sequence[Tensor], more: Sequence[Tensor]) -> ReadInterface:
    keys, strengths, modes = parts
    # Masks have one dimension less than powers.
    masks = [part for part in more if part.dim() == keys.dim()]
    powers = [part for part in more if part.dim() > keys.dim()]
    return ReadInterface(
        keys=keys,
        strengths=1 + F.softplus(strengths),
        modes=torch.softmax(modes, dim=-1),
        masks=torch.sigmoid(masks[0]) if masks else None,
        sharpness=1 + F.softplus(powers[0]) if powers else None,
    )


def _total(shapes: Shapes) -> int:
    return sum(math.prod(shape) for shape in shapes)


def _split(values: Tensor, shapes: Shapes) -> list[Tensor]:
    parts = torch.split(values, [math.prod(shape) for shape in shapes], dim=-1)
    return [part.reshape(*part.shape[:-1], *shape) for part, shape in zip(parts, shapes, strict=True)]
