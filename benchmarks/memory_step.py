"""What a step of the short-term memory costs: operations that are started, and CPU time, forward and with gradients.

    python -m benchmarks.memory_step                # --compile adds rows by torch.compile, which takes minutes to build

At small sizes a step costs what starting its operations costs; views are not counted.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch.utils._python_dispatch import TorchDispatchMode

from kgqa.memory.interface import InterfaceLayer
from kgqa.memory.links import Link, SparseLink, follow, updated_link
from kgqa.memory.short_term import initial_state, step

STEPS = 8
SIZES = ((32, 16, 20, 1), (64, 32, 64, 4), (16, 300, 64, 4))
VARIANTS: dict[str, dict[str, Any]] = {
    "DNC": {}, "DNC, no links": {"num_links": 0}, "DNC, 8 links a slot": {"num_links": 8}, "LRU": {"allocator": "lru"},
}  # fmt: skip
_VIEWS = (
    "view",
    "squeeze",
    "expand",
    "transpose",
    "split",
    "select",
    "strided",
    "permute",
    "slice",
    "unbind",
    "detach",
)


class Count(TorchDispatchMode):
    """Counts operations that compute."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.number += not any(view in function.__name__ for view in _VIEWS)
        return function(*args, **(kwargs or {}))


def measure(sizes: tuple[int, int, int, int], variant: dict[str, Any], compiled: bool) -> list[str]:
    """Operations a step, forward and backward; milliseconds a step, forward and both."""
    batch, slots, width, reads = sizes
    allocator = variant.get("allocator", "dnc")
    layer = InterfaceLayer(64, width=width, num_reads=reads)
    inputs = torch.randn(STEPS, batch, 64)
    one: Callable[..., Any] = torch.compile(step) if compiled else step

    def run() -> torch.Tensor:
        state = initial_state(
            batch, num_slots=slots, width=width, num_reads=reads, num_links=variant.get("num_links")
        )  # fmt: skip
        for now in inputs:
            read, state = one(state, layer(now), allocator=allocator)
        return read.square().mean()

    run().backward()
    counts = ["", ""]
    if not compiled:
        with Count() as forward:
            loss = run()
        with Count() as backward:
            loss.backward()
        counts = [f"{forward.number / STEPS:.0f}", f"{backward.number / STEPS:.0f}"]
    start = time.process_time()
    for _ in range(5):
        run().backward()
    both = (time.process_time() - start) / 5 / STEPS
    with torch.no_grad():
        start = time.process_time()
        for _ in range(5):
            run()
    return [*counts, f"{1000 * (time.process_time() - start) / 5 / STEPS:.2f}", f"{1000 * both:.2f}"]


def links(num_slots: int, kept: int | None) -> str:
    """Milliseconds to lead links on after a write and to follow them from four heads, with gradients; a batch of 8."""
    precedence, write = torch.rand(2, 8, 1, num_slots).softmax(-1).requires_grad_()
    read = torch.rand(8, 4, num_slots).softmax(-1)
    link: Link = torch.rand(8, 1, num_slots, num_slots) / num_slots
    if kept:
        link = SparseLink(*torch.rand(8, 1, num_slots, num_slots).topk(kept))
    times = []
    for _ in range(5):
        start = time.process_time()
        backward, forward = follow(updated_link(link, precedence, write), read)
        (backward.sum() + forward.square().sum()).backward()
        times.append(time.process_time() - start)
    return f"{1000 * min(times):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    table = Table("slots", "all links", "4 a slot", "8", "16", title="links alone, ms")
    for num_slots in (256, 512, 1024):
        table.add_row(str(num_slots), *(links(num_slots, kept) for kept in (None, 4, 8, 16)))
    Console().print(table)
    table = Table("B, N, W, R", "memory", "operations", "of gradients", "ms", "ms with gradients")
    for sizes in SIZES:
        for name, variant in VARIANTS.items():
            table.add_row(str(sizes), name, *measure(sizes, variant, compiled=False))
            if args.compile:
                table.add_row(str(sizes), f"{name}, compiled", *measure(sizes, variant, compiled=True))
    Console().print(table)


if __name__ == "__main__":
    main()
