"""The long-term memory on GPUs beside the CPU: agreement, time to copy, searches a second, in float32 and float16.

    python -m benchmarks.long_term_memory_gpu --sizes 100000 1000000

Runs whole by itself: makes its vectors (those of benchmarks.long_term_memory), builds each store, and searches the
same files by both. Without a GPU the CPU's rows are printed, and that there was none. Ends with 1 where a GPU
disagrees: IVF has to find as many of the nearest as its CPU form, the others, which a GPU searches exactly, the CPU's
exact scores.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.long_term_memory import BATCH, CHANGED, K, best_of, delta, options_of, recall, sample, timed
from kgqa.memory.gpu import choose_gpus
from kgqa.memory.index import KINDS, IndexOptions
from kgqa.memory.long_term import LongTermMemory, MemoryRefs

COLUMNS = (
    "vectors", "index", "device", "build s", "first search s", f"search {BATCH} ms", "queries/s", f"recall@{K}",
    "after removals", "largest difference of scores", "agrees",
)  # fmt: skip
EXACT = IndexOptions("flat")
SCORES_AGREE, RECALL_AGREES = 1e-4, 0.005
"""Largest difference of the scores at each rank, and of recall between a GPU's index and the CPU's."""


class Store(NamedTuple):
    """Files of one kind of index, before and after removals."""

    folder: Path
    refs: MemoryRefs
    changed: MemoryRefs
    options: IndexOptions
    build: float
    """Seconds."""


class Figures(NamedTuple):
    """What is measured of one store on one device."""

    first: float
    batch: float
    """Seconds of a batch of `BATCH` queries, the best of three."""
    recall: float
    recall_after: float
    difference: float


def build(folder: Path, num: int, options: IndexOptions) -> Store:
    """A store of `num` vectors, of which `CHANGED` are then removed."""
    vectors = sample(num, 0, max(1, num // 100), folder)
    seconds, refs = timed(lambda: delta(folder, MemoryRefs(vectors.shape[1], "b"), 1, np.arange(num), vectors, options))
    gone = np.random.default_rng(3).choice(num, min(CHANGED, num // 2), replace=False)
    changed = delta(folder, refs, 2, np.arange(0), vectors[:0], options, gone)
    return Store(folder, refs, changed, options, seconds)


def measure(store: Store, device: str, queries: np.ndarray, options: IndexOptions) -> Figures:
    """Searches on `device`, held against exact search on the CPU."""
    memory, changed = (
        LongTermMemory.open(store.folder, refs, device=device, options=options) for refs in (store.refs, store.changed)
    )
    exact, exact_changed = (
        LongTermMemory.open(store.folder, refs, device="cpu", options=EXACT) for refs in (store.refs, store.changed)
    )
    first, (scores, _) = timed(lambda: memory.search(queries, K))
    batch = best_of(lambda: memory.search(queries, K))
    difference = float(np.abs(scores - exact.search(queries, K)[0]).max())
    return Figures(first, batch, recall(memory, exact, queries), recall(changed, exact_changed, queries), difference)


def rows_of(num: int, options: IndexOptions, device: str) -> Iterator[tuple[list[str], bool]]:
    """The CPU's row, and the GPU's in float32 and float16; whether each agrees with the CPU."""
    with tempfile.TemporaryDirectory() as name:
        store = build(Path(name), num, options)
        queries = np.array(sample(BATCH, 1, max(1, num // 100), Path(name)))
        on_cpu = measure(store, "cpu", queries, options)
        yield row(num, options, "cpu", store, on_cpu), True
        for half in (False, True) if choose_gpus(device) else ():
            chosen = replace(options, gpu_float16=half)
            found = measure(store, device, queries, chosen)
            agrees = min(found.recall, found.recall_after) >= on_cpu.recall - RECALL_AGREES
            agrees &= options.kind == "ivf" or found.difference <= SCORES_AGREE
            where = f"{device}, {'float16' if half else 'float32'}"
            yield row(num, options, where, store, found, agrees="yes" if agrees else "NO"), agrees


def row(num: int, options: IndexOptions, device: str, store: Store, figures: Figures, *, agrees: str = "") -> list[str]:
    return [
        f"{num:,}", options.kind, device, f"{store.build:.1f}", f"{figures.first:.2f}", f"{1000 * figures.batch:.1f}",
        f"{BATCH / figures.batch:,.0f}", f"{figures.recall:.4f}", f"{figures.recall_after:.4f}",
        f"{figures.difference:.1e}", agrees,
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--kinds", nargs="+", default=["flat", "ivf", "pq"], choices=KINDS, help="hnsw: slow to build")
    parser.add_argument("--device", default="auto", help="auto and cuda: all GPUs; cuda:N")
    args = parser.parse_args()
    gpus = choose_gpus(args.device)
    title = f"GPUs {', '.join(map(str, gpus))}" if gpus else "FAISS sees no GPU: the CPU alone"
    table, agree = Table(*COLUMNS, title=title), True
    for size in args.sizes:
        for kind in args.kinds:
            for cells, agrees in rows_of(size, options_of(kind, min_rows=1), args.device):
                table.add_row(*cells)
                agree &= agrees
    Console(width=170).print(table)
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
