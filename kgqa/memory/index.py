"""Nearest-neighbour search over one block of unit vectors: how it is asked for, exact search, and what is dead.

Everything speaks of *rows*, the positions of vectors in their block; scores are inner products, which for unit vectors
are cosines. Dead rows are never taken out of an index (HNSW and GPU indexes cannot do that): a search fetches a few
rows more than asked for and drops the dead ones; the rare query that comes up short is answered exactly, by a selector.
Excluding by selector for the whole batch would keep faiss off its matrix products and is six times slower
(docs/decisions/0002-long-term-memory.md). Indexes are in kgqa.memory.approximate, GPUs in kgqa.memory.gpu.
"""

from collections.abc import Callable
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from kgqa.errors import ConfigError

# Batches of any size go through matrix products: the default of 20 leaves small ones on a loop that is 6 times slower.
faiss.cvar.distance_compute_blas_threshold = 1

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]
Find = Callable[[Vectors, int], tuple[Vectors, Rows]]
"""queries [B, W], m -> scores [B, m] best first and rows [B, m], -1 where nothing was found."""

BLOCK = 16_384
"""Rows that are read, written and added at a time: 25 MB at width 384."""
_SPARE = 32
"""Rows fetched beyond k when some are dead. Dead rows come in clusters (one document's facts), hence more than one."""
KINDS = ("flat", "ivf", "hnsw", "pq")
_LEAST_FOR_CODES = 16
"""Rows that product quantisation cannot do without: one for each code of 4 bits."""


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """Which index a new segment gets, and how it is searched; reasons stand in conf/memory.

    Exact by default: batches are matrix products, which IVF beats only where it misses neighbours (docs/benchmarks.md).
    """

    kind: str = "flat"
    """flat (exact, no index file), ivf, hnsw or pq."""
    min_rows: int = 200_000
    """Segments smaller than this are searched exactly: a matrix product beats an index there and needs no training."""
    list_factor: float = 4.0
    """IVF, PQ: number of lists = list_factor * sqrt(rows); PQ: 0 for no lists, every code is read."""
    train_rows: int = 48
    """IVF, PQ: training vectors for each list."""
    probes: int = 128
    """IVF, PQ: lists visited by a query."""
    code_dims: int = 2
    """PQ: numbers of a vector that share a code of 4 bits."""
    refine: int = 10
    """PQ, and GPUs with float16: rows fetched for each that is asked for, then ranked by their exact vectors."""
    links: int = 32
    """HNSW: neighbours of a node."""
    ef_construction: int = 200
    """HNSW: candidates kept while building."""
    ef_search: int = 128
    """HNSW: candidates kept while searching."""
    min_recall: float = 0.95
    """IVF, PQ: recall@10 on the probe set below which compaction trains anew what it would else use again."""
    probe_rows: int = 256
    """Size of the probe set: stored vectors, drawn by the seed, that are searched for."""
    gpu_float16: bool = False
    """Whether GPUs hold half precision."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"memory.kind is {self.kind!r}; choose {', '.join(KINDS)}")
        if not 0 <= self.min_recall <= 1:
            raise ConfigError(f"memory.min_recall is {self.min_recall}; it is a share, from 0 to 1")
        if self.list_factor < 0 or (self.list_factor == 0 and self.kind == "ivf"):
            raise ConfigError(f"memory.list_factor is {self.list_factor}; it must be greater than 0 (pq: 0, no lists)")
        for name in _AT_LEAST_ONE:
            if getattr(self, name) <= 0:
                raise ConfigError(f"memory.{name} is {getattr(self, name)}; it must be greater than 0")

    def kind_for(self, num_rows: int) -> str:
        """The kind of index a segment of `num_rows` gets."""
        too_few = num_rows < self.min_rows or (self.kind == "pq" and num_rows < _LEAST_FOR_CODES)
        return "flat" if too_few else self.kind


_AT_LEAST_ONE = (
    "min_rows", "train_rows", "probes", "code_dims", "refine", "links", "ef_construction", "ef_search", "probe_rows",
)  # fmt: skip


RECALL_AT = 10
"""Neighbours that recall is measured at."""
_SAME = 1e-6
"""Scores that differ by no more are equal."""


def flat_search(
    vectors: Vectors, queries: Vectors, k: int, alive: NDArray[np.bool_] | None = None
) -> tuple[Vectors, Rows]:
    """The exact k best rows of `vectors` [N, W], memory-mapped ones are not copied; only rows that are `alive` [N]."""
    scores = np.empty((len(queries), k), np.float32)
    rows = np.empty((len(queries), k), np.int64)
    bits = None if alive is None else np.packbits(alive, bitorder="little")
    selector = None if bits is None else faiss.IDSelectorBitmap(bits)
    pointer = faiss.swig_ptr
    faiss.knn_inner_product(
        pointer(queries), pointer(vectors), vectors.shape[1], len(queries), len(vectors), k,
        pointer(scores), pointer(rows), selector,
    )  # fmt: skip
    return scores, rows


def recall(found: Vectors, exact: Vectors) -> float:
    """Share in [0, 1] of the scores `found` [B, k] that are as good as the k-th of exact search, [B, k] best first.

    By score, so that of several equally near vectors any will do.
    """
    return float(np.mean(found >= exact[:, -1:] - _SAME))


def alive_search(
    find: Find, vectors: Vectors, queries: Vectors, k: int, alive: NDArray[np.bool_] | None
) -> tuple[Vectors, Rows]:
    """The k best living rows by `find`, best first: scores [B, k] and rows [B, k], padded with -inf and -1.

    `alive` [N] is None when no row is dead. Exact whenever `find` is: if k living rows are among the m > k best, they
    are the k best living ones; queries for which that fails (or whose visited lists hold too few) are searched exactly.
    """
    num_rows = len(vectors)
    num_alive = num_rows if alive is None else int(alive.sum())
    num_dead = num_rows - num_alive
    wanted = min(k, num_alive)
    if wanted == 0:
        return np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), -1, np.int64)
    fetched = wanted if num_dead == 0 else min(num_rows, wanted + wanted * num_dead // num_alive + _SPARE)
    scores, rows = find(queries, fetched)
    if alive is not None:
        rows[~alive[rows]] = -1  # a pad of -1 reads the last row here, and is -1 whatever it says
    scores[rows < 0] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :wanted]
    scores, rows = np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)
    short = np.flatnonzero(rows[:, -1] < 0)
    if len(short):
        scores[short], rows[short] = flat_search(vectors, np.ascontiguousarray(queries[short]), wanted, alive)
    pad = ((0, 0), (0, k - wanted))
    return np.pad(scores, pad, constant_values=-np.inf), np.pad(rows, pad, constant_values=-1)


def reranked(find: Find, vectors: Vectors, refine: int) -> Find:
    """The best of `refine` times as many rows as asked for, ranked by their exact scores; `vectors` [N, W] may be
    memory-mapped: only what was fetched is read, and nothing is copied."""

    def exact(queries: Vectors, m: int) -> tuple[Vectors, Rows]:
        _, rows = find(queries, min(m * refine, len(vectors)))
        rows = np.ascontiguousarray(rows)
        scores = np.empty(rows.shape, np.float32)
        pointer = faiss.swig_ptr
        faiss.fvec_inner_products_by_idx(
            pointer(scores), pointer(queries), pointer(vectors), pointer(rows),
            vectors.shape[1], len(queries), rows.shape[1],
        )  # fmt: skip
        scores[rows < 0] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :m]
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)

    return exact
