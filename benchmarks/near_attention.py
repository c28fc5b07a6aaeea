"""What a Transformer layer of the reasoner costs on long questions, where each token sees all, or those near it.

    python -m benchmarks.near_attention [--window 64] [--width 128]

One text with one topic, forwards and backwards. Of a few runs the fastest counts, the two kinds in turns.
"""

import argparse
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

from kgqa.memory.layers import EncoderLayer
from kgqa.memory.near_attention import near

LENGTHS = (512, 2048, 5000)


def main(window: int, width: int) -> None:
    """Time both and print."""
    torch.manual_seed(0)
    layer = EncoderLayer(width, num_heads=4, dropout=0.0)
    table = Table("tokens", "all, ms", f"{window} to each side, ms", "times faster")
    for length in LENGTHS:
        states = torch.randn(1, length, width, requires_grad=True)
        mask = torch.ones(1, length, dtype=torch.bool)
        topic = torch.arange(length)[None] == length // 2

        def dense(states: torch.Tensor = states, mask: torch.Tensor = mask) -> None:
            layer(states, mask).sum().backward()

        def sparse(states: torch.Tensor = states, mask: torch.Tensor = mask, topic: torch.Tensor = topic) -> None:
            layer(states, mask, near(mask, topic, window)).sum().backward()

        every, some = fastest(dense, sparse)
        table.add_row(str(length), f"{every * 1e3:.1f}", f"{some * 1e3:.1f}", f"{every / some:.1f}")
    Console().print(table)


def fastest(*calls: Callable[[], None], rounds: int = 7) -> list[float]:
    """Seconds of the fastest of some rounds, of each call."""
    seconds = [float("inf")] * len(calls)
    for _ in range(rounds):
        for number, call in enumerate(calls):
            start = time.perf_counter()
            call()
            seconds[number] = min(seconds[number], time.perf_counter() - start)
    return seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--width", type=int, default=128)
    main(**vars(parser.parse_args()))
