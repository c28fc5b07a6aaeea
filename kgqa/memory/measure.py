"""What a long-term memory holds and how well it is searched, measured on the memory itself."""

import time
from dataclasses import dataclass

import numpy as np

from kgqa.memory.index import RECALL_AT, IndexOptions, Rows, recall
from kgqa.memory.long_term import LongTermMemory


@dataclass(frozen=True, slots=True)
class Measured:
    """A memory in figures."""

    num_vectors: int
    num_dead: int
    """Vectors that died and still lie in a segment."""
    num_segments: int
    num_bytes: int
    """Of all its files."""
    recall: float | None
    """Share of the true 10 nearest that a search finds, in [0, 1]; None when nothing was searched for."""
    searches_per_second: float | None
    """In one batch, with the index in memory."""


def measure(memory: LongTermMemory, *, num_probes: int, seed: int = 0) -> Measured:
    """Searches for `num_probes` stored vectors, drawn by `seed`, as the memory does and by brute force.

    Costs two products of the probes with all vectors; one where the memory's own search is exact, and its recall 1.
    """
    ids = memory.ids()
    stored = sum(segment.count for segment in memory.segments)
    recall = rate = None
    if num_probes > 0 and len(ids):
        recall, rate = _searched(memory, ids, num_probes, seed)
    return Measured(len(ids), stored - len(ids), len(memory.segments), num_bytes(memory), recall, rate)


def num_bytes(memory: LongTermMemory) -> int:
    """Of the files that make up the memory."""
    refs = memory.refs
    paths = [memory.directory / ref.name for ref in (*refs.segments, *refs.dead)]
    return sum(file.stat().st_size for path in paths for file in (path.iterdir() if path.is_dir() else [path]))


def _searched(memory: LongTermMemory, ids: Rows, num_probes: int, seed: int) -> tuple[float, float]:
    chosen = np.random.default_rng(seed).choice(ids, min(num_probes, len(ids)), replace=False)
    queries, k = memory.get(chosen), min(RECALL_AT, len(ids))
    memory.search(queries[:1], k)  # loads
    start = time.perf_counter()
    found, _ = memory.search(queries, k)
    seconds = time.perf_counter() - start
    if memory.is_exact:
        return 1.0, len(chosen) / seconds
    exact = LongTermMemory.open(memory.directory, memory.refs, device="cpu", options=IndexOptions("flat"))
    return recall(found, exact.search(queries, k)[0]), len(chosen) / seconds
