"""Does the short-term memory learn to remember? Copy, repeat copy and associative recall, trained on 2 to 6 items and
asked for more.

    python -m benchmarks.memory_tasks

Items are drawn from 16 symbols. copy: items, then all of them in order; repeat copy: all of them twice or three times,
as is said; recall: pairs of two symbols, then the second of each pair when the first is shown, in another order. The
score is the share of symbols that are named right; mean and spread of the seeds. An LSTM alone, without a memory and of
four times the width, stands beside.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F

from kgqa.memory.controller import MemoryNetwork

SYMBOLS = 16
_FLAGS = 3
INPUT = 2 * SYMBOLS + _FLAGS
LENGTHS = (6, 9, 12)
Sequences = tuple[Tensor, Tensor]
"""Inputs `[B, T, INPUT]` and targets `[B, T]`, -100 where nothing is asked."""


def one_hot(symbols: Tensor, *, second: bool = False) -> Tensor:
    return F.pad(F.one_hot(symbols, SYMBOLS), (SYMBOLS, _FLAGS) if second else (0, SYMBOLS + _FLAGS)).float()


def flag(batch: int, which: int) -> Tensor:
    """A step that says what is wanted now."""
    shown = torch.zeros(batch, 1, INPUT)
    shown[:, :, 2 * SYMBOLS + which] = 1
    return shown


def copy(batch: int, length: int, times: int = 1) -> Sequences:
    items = torch.randint(SYMBOLS, (batch, length))
    blank = torch.zeros(batch, times * length - 1, INPUT)
    inputs = torch.cat([one_hot(items), flag(batch, times - 1), blank], dim=1)
    return inputs, torch.cat([torch.full_like(items, -100), items.repeat(1, times)], dim=1)


def repeat_copy(batch: int, length: int) -> Sequences:
    return copy(batch, length, int(torch.randint(2, 4, ())))


def recall(batch: int, length: int) -> Sequences:
    keys = torch.rand(batch, SYMBOLS).argsort(dim=1)[:, :length]
    values = torch.randint(SYMBOLS, (batch, length))
    order = torch.rand(batch, length).argsort(dim=1)
    inputs = torch.cat([one_hot(keys) + one_hot(values, second=True), one_hot(keys.gather(1, order))], dim=1)
    return inputs, torch.cat([torch.full_like(values, -100), values.gather(1, order)], dim=1)


TASKS: dict[str, Callable[[int, int], Sequences]] = {"copy": copy, "repeat copy": repeat_copy, "recall": recall}
MODELS: dict[str, dict[str, Any]] = {
    "DNC allocation": {"allocator": "dnc"}, "LRU allocation": {"allocator": "lru"}, "LSTM alone": {"use_memory": False},
}  # fmt: skip


def train(
    task: Callable[[int, int], Sequences], model: dict[str, Any], seed: int, args: argparse.Namespace
) -> MemoryNetwork:
    torch.manual_seed(seed)
    network = MemoryNetwork(
        INPUT, SYMBOLS, controller_width=args.controller if model.get("use_memory", True) else 4 * args.controller,
        num_slots=args.slots, width=args.width, dropout=args.dropout, **model,
    )  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), lr=args.learning_rate, fused=True)
    for step in range(args.steps):
        optimizer.param_groups[0]["lr"] = args.learning_rate * max(0.05, 1 - step / args.steps)
        inputs, targets = task(args.batch, int(torch.randint(2, 7, ())))
        loss = F.cross_entropy(network(inputs).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        if args.verbose and (step + 1) % 100 == 0:
            print(step + 1, f"{loss.item():.3f}", f"{time.process_time():.0f} s", flush=True)
    return network.eval()


@torch.inference_mode()
def accuracy(network: MemoryNetwork, task: Callable[[int, int], Sequences], length: int) -> float:
    """In percent, of 512 sequences."""
    torch.manual_seed(1_000 + length)
    inputs, targets = task(512, length)
    asked = targets >= 0
    return 100 * (network(inputs).argmax(-1) == targets)[asked].float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="*", choices=TASKS, default=list(TASKS))
    parser.add_argument("--models", nargs="*", choices=MODELS, default=list(MODELS))
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--controller", type=int, default=32, help="width of the LSTM")
    parser.add_argument("--dropout", type=float, default=0.3, help="of the LSTM's state")
    parser.add_argument("--slots", type=int, default=32)
    parser.add_argument("--width", type=int, default=20, help="of a slot")
    parser.add_argument("--learning-rate", type=float, default=5e-3)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--verbose", action="store_true", help="the loss as it goes")
    args = parser.parse_args()
    table = Table("task", "model", *(f"{n} items" for n in LENGTHS), "CPU s a seed", title="symbols named right, %")
    for name in args.tasks:
        for model in args.models:
            start, scores = time.process_time(), []
            for seed in args.seeds:
                network = train(TASKS[name], MODELS[model], seed, args)
                scores.append([accuracy(network, TASKS[name], length) for length in LENGTHS])
                print(name, model, seed, *(f"{score:.1f}" for score in scores[-1]), flush=True)
            seconds = (time.process_time() - start) / len(args.seeds)
            spread = zip(np.mean(scores, axis=0), np.std(scores, axis=0), strict=True)
            table.add_row(name, model, *(f"{mean:.1f} ± {std:.1f}" for mean, std in spread), f"{seconds:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
