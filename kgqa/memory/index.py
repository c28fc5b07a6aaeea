"""Nearest-neighbour search over one block of unit vectors: exact, by inverted lists (IVF), or by a graph (HNSW).

This is the only module that touches faiss. Everything speaks of *rows*, the positions of vectors in their block;
scores are inner products, which for unit vectors are cosines. Dead rows are never taken out of an index (HNSW and GPU
indexes cannot do that): a search fetches a few rows more than asked for and drops the dead ones, and the rare query
that comes up short is answered exactly with a selector. Excluding by selector for the whole batch would keep faiss off
its matrix products and is six times slower (docs/decisions/0002-long-term-memory.md).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import sqrt
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from kgqa.errors import ConfigError, StoreError

# Batches of any size go through matrix products: the default of 20 leaves small ones on a loop that is 6 times slower.
faiss.cvar.distance_compute_blas_threshold = 1

log = logging.getLogger(__name__)

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]
Find = Callable[[Vectors, int], tuple[Vectors, Rows]]
"""queries [B, W], m -> scores [B, m] best first and rows [B, m], -1 where nothing was found."""

BLOCK = 16_384
"""Rows that are read, written and added at a time: 25 MB at width 384."""
_SPARE = 32
"""Rows fetched beyond k when some are dead. Dead rows come in clusters (one document's facts), hence more than one."""
_GPU_MAX_K = 2048


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """Which index a new segment gets, and how it is searched.

    Exact by default: batches are matrix products, which IVF beats only where it misses neighbours (docs/benchmarks.md).
    """

    kind: str = "flat"
    """flat (exact, no index file), ivf or hnsw."""
    min_rows: int = 200_000
    """Segments smaller than this are searched exactly: a matrix product beats an index there and needs no training."""
    list_factor: float = 4.0
    """IVF: number of lists = list_factor * sqrt(rows)."""
    train_rows: int = 48
    """IVF: training vectors for each list."""
    probes: int = 128
    """IVF: lists visited by a query."""
    links: int = 32
    """HNSW: neighbours of a node."""
    ef_construction: int = 200
    """HNSW: candidates kept while building."""
    ef_search: int = 64
    """HNSW: candidates kept while searching."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in ("flat", "ivf", "hnsw"):
            raise ConfigError(f"memory.kind is {self.kind!r}; choose flat, ivf or hnsw")
        for name in ("min_rows", "list_factor", "train_rows", "probes", "links", "ef_construction", "ef_search"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"memory.{name} is {getattr(self, name)}; it must be greater than 0")

    def kind_for(self, num_rows: int) -> str:
        """The kind of index a segment of `num_rows` gets."""
        return self.kind if num_rows >= self.min_rows else "flat"


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


def build_index(vectors: Vectors, options: IndexOptions, centroids: Vectors | None = None) -> Any | None:
    """The index of a segment, or None where exact search serves; rows are numbered in the order of `vectors` [N, W].

    `centroids` [C, W] of an older segment are used instead of training when their number is within a factor of two
    of what this size asks for.
    """
    kind = options.kind_for(len(vectors))
    if kind == "flat":
        return None
    index = _new_hnsw(vectors, options) if kind == "hnsw" else _new_ivf(vectors, options, centroids)
    for start in range(0, len(vectors), BLOCK):
        index.add(np.ascontiguousarray(vectors[start : start + BLOCK]))
    return index


def _new_hnsw(vectors: Vectors, options: IndexOptions) -> Any:
    index = faiss.IndexHNSWFlat(vectors.shape[1], options.links, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = options.ef_construction
    return index


def _new_ivf(vectors: Vectors, options: IndexOptions, centroids: Vectors | None) -> Any:
    width = vectors.shape[1]
    num_lists = max(1, min(int(options.list_factor * sqrt(len(vectors))), len(vectors)))
    quantizer = faiss.IndexFlatIP(width)
    if centroids is not None and num_lists / 2 <= len(centroids) <= num_lists * 2:
        num_lists = len(centroids)
        quantizer.add(centroids)
    index = faiss.IndexIVFFlat(quantizer, width, num_lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = options.seed
    if quantizer.ntotal == 0:
        num_sample = min(len(vectors), num_lists * options.train_rows)
        sample = np.sort(np.random.default_rng(options.seed).choice(len(vectors), num_sample, replace=False))
        index.cp.min_points_per_centroid = 1  # small stores may train on few rows; faiss would warn for each
        index.train(np.ascontiguousarray(vectors[sample]))
    index.is_trained = True
    return index


def centroids_of(index: Any | None) -> Vectors | None:
    """The coarse centroids [C, W] of an IVF index; None for the others."""
    if not isinstance(index, faiss.IndexIVF):
        return None
    quantizer = faiss.downcast_index(index.quantizer)
    found: Vectors = quantizer.reconstruct_n(0, quantizer.ntotal)
    return found


def save_index(index: Any, path: Path) -> None:
    faiss.write_index(index, str(path))


def load_index(path: Path, *, num_rows: int, width: int) -> Any:
    """The index at `path`, its inverted lists memory-mapped. Raises StoreError when it does not fit the segment."""
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    except RuntimeError as error:
        raise StoreError(f"{path} cannot be read as a FAISS index ({error}); run pipelines/index.py again") from error
    if (index.ntotal, index.d) != (num_rows, width):
        raise StoreError(
            f"{path} indexes {index.ntotal} vectors of width {index.d}, its segment holds {num_rows} of width {width}"
            "; run pipelines/index.py again"
        )
    return index


def finder(vectors: Vectors, index: Any | None, options: IndexOptions) -> Find:
    """How this block is searched on the CPU; `options.kind=flat` searches exactly although an index is there."""
    if index is None or options.kind == "flat":
        return lambda queries, m: flat_search(vectors, queries, m)
    if isinstance(index, faiss.IndexHNSW):
        return lambda queries, m: index.search(
            queries, m, params=faiss.SearchParametersHNSW(efSearch=max(options.ef_search, 2 * m))
        )
    parameters = faiss.SearchParametersIVF(nprobe=min(options.probes, index.nlist))
    return lambda queries, m: index.search(queries, m, params=parameters)


def choose_gpu(device: str) -> int | None:
    """The GPU's number for `device` (auto, cpu, cuda, cuda:N), None for the CPU; one warning if it is not there."""
    name, _, number = device.partition(":")
    if name not in ("auto", "cpu", "cuda") or (number and (name != "cuda" or not number.isdecimal())):
        raise ConfigError(f"memory.device is {device!r}; choose auto, cpu, cuda or cuda:N")
    num_gpus = faiss.get_num_gpus() if hasattr(faiss, "get_num_gpus") else 0
    wanted = int(number or 0)
    if name == "cpu" or (name == "auto" and num_gpus == 0):
        return None
    if wanted < num_gpus:
        return wanted
    _warn_no_gpu(device, num_gpus)
    return None


@cache
def _warn_no_gpu(device: str, num_gpus: int) -> None:
    """Says it once, not for each of the memories that a process opens."""
    log.warning(
        "memory.device=%s but FAISS sees %d GPUs: the long-term memory is searched by the CPU", device, num_gpus
    )


def gpu_finder(vectors: Vectors, index: Any | None, options: IndexOptions, gpu: int) -> Find:
    """How this block is searched on a GPU: copied there once (HNSW has no GPU form and is searched exactly there).

    When the GPU refuses, out of memory most often, now or later, this block goes on on the CPU with one warning.
    """
    on_cpu = finder(vectors, index, options)
    try:
        on_gpu = _copy_to_gpu(vectors, index if isinstance(index, faiss.IndexIVF) else None, options, gpu)
    except RuntimeError as error:
        log.warning("cuda:%d cannot hold %d vectors (%s); they are searched on the CPU", gpu, len(vectors), error)
        return on_cpu

    def find(queries: Vectors, m: int) -> tuple[Vectors, Rows]:
        nonlocal on_gpu
        if on_gpu is not None and m <= _GPU_MAX_K:
            try:
                scores, rows = on_gpu.search(queries, m)
                return scores, rows
            except RuntimeError as error:
                log.warning("cuda:%d failed at a search (%s); these vectors are searched on the CPU now", gpu, error)
                on_gpu = None
        return on_cpu(queries, m)

    return find


def _copy_to_gpu(vectors: Vectors, index: Any | None, options: IndexOptions, gpu: int) -> Any:
    resources = faiss.StandardGpuResources()
    if index is None or options.kind == "flat":
        config = faiss.GpuIndexFlatConfig()
        config.device = gpu
        flat = faiss.GpuIndexFlatIP(resources, vectors.shape[1], config)
        for start in range(0, len(vectors), BLOCK):
            flat.add(np.ascontiguousarray(vectors[start : start + BLOCK]))
        return flat
    copied = faiss.index_cpu_to_gpu(resources, gpu, index)
    copied.nprobe = min(options.probes, index.nlist)
    return copied
