"""Indexes of large segments: inverted lists (IVF), a neighbour graph (HNSW), product codes (PQ; Jegou et al. 2011).

Building one trains it on a sample of its vectors, or takes over what an older index has learned. Product codes are of
4 bits, scanned in registers (Andre et al. 2015), with inverted lists before them or without; what a scan finds is then
ranked by the exact vectors. The codes are a sixteenth of the vectors' bytes or less, and the vectors stay on the disk.
"""

from math import sqrt
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from kgqa.errors import StoreError
from kgqa.memory.index import BLOCK, RECALL_AT, Find, IndexOptions, Vectors, flat_search, recall, reranked


def build_index(vectors: Vectors, options: IndexOptions, like: Any | None = None) -> Any | None:
    """The index of a segment, or None where exact search serves; rows are numbered in the order of `vectors` [N, W].

    `like`: an older index, whose training is used again where it is of the same kind and shape, and the number of its
    lists is within a factor of two of what this size asks for.
    """
    kind = options.kind_for(len(vectors))
    if kind == "flat":
        return None
    index = _new_hnsw(vectors, options) if kind == "hnsw" else _trained(vectors, options, like)
    for start in range(0, len(vectors), BLOCK):
        index.add(np.ascontiguousarray(vectors[start : start + BLOCK]))
    return index


def kind_of(index: Any | None) -> str:
    """flat, ivf, hnsw or pq."""
    if index is None:
        return "flat"
    if isinstance(index, faiss.IndexHNSW):
        return "hnsw"
    return "pq" if isinstance(index, faiss.IndexPQFastScan | faiss.IndexIVFPQFastScan) else "ivf"


def _new_hnsw(vectors: Vectors, options: IndexOptions) -> Any:
    index = faiss.IndexHNSWFlat(vectors.shape[1], options.links, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = options.ef_construction
    return index


def _trained(vectors: Vectors, options: IndexOptions, like: Any | None) -> Any:
    """An empty index of kind ivf or pq, ready for vectors."""
    num_lists = max(1, min(int(options.list_factor * sqrt(len(vectors))), len(vectors)))
    index = _empty(vectors.shape[1], num_lists, options)
    if like is not None and _alike(index, like):
        return _taught(_empty(vectors.shape[1], like.nlist if _has_lists(like) else 0, options), like)
    num_sample = min(len(vectors), max(num_lists * options.train_rows, BLOCK if options.kind == "pq" else 0))
    sample = np.sort(np.random.default_rng(options.seed).choice(len(vectors), num_sample, replace=False))
    index.train(np.ascontiguousarray(vectors[sample]))
    return index


def _empty(width: int, num_lists: int, options: IndexOptions) -> Any:
    """Untrained; small stores may train on few rows, for which faiss would else warn each time."""
    metric, num_codes = faiss.METRIC_INNER_PRODUCT, _num_codes(width, options.code_dims)
    if options.kind == "ivf":
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, num_lists, metric)
    elif options.list_factor:
        index = faiss.IndexIVFPQFastScan(faiss.IndexFlatIP(width), width, num_lists, num_codes, 4, metric)
    else:
        index = faiss.IndexPQFastScan(width, num_codes, 4, metric)
    for clustering in (getattr(index, "cp", None), index.pq.cp if kind_of(index) == "pq" else None):
        if clustering is not None:
            clustering.seed, clustering.min_points_per_centroid = options.seed, 1
    return index


def _num_codes(width: int, code_dims: int) -> int:
    """The codes of a vector: as many as divide it evenly, each for `code_dims` numbers or a few more."""
    return next(number for number in range(max(1, width // code_dims), 0, -1) if width % number == 0)


def _has_lists(index: Any) -> bool:
    return isinstance(index, faiss.IndexIVF)


def _alike(index: Any, like: Any) -> bool:
    """Whether the training of one serves the other."""
    if kind_of(index) != kind_of(like) or index.d != like.d or _has_lists(index) != _has_lists(like):
        return False
    if kind_of(index) == "pq" and index.pq.M != like.pq.M:
        return False
    return not _has_lists(index) or index.nlist / 2 <= like.nlist <= index.nlist * 2


def _taught(index: Any, like: Any) -> Any:
    """What `like` has learned: the centroids of its lists, the centroids of its codes."""
    if _has_lists(like):
        index.quantizer.add(centroids_of(like))
    if kind_of(like) == "pq":
        faiss.copy_array_to_vector(faiss.vector_to_array(like.pq.centroids), index.pq.centroids)
    index.is_trained = True
    return index


def centroids_of(index: Any) -> Vectors:
    """The coarse centroids [C, W] of an index with inverted lists."""
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
    if kind_of(index) == "hnsw":
        return lambda queries, m: index.search(
            queries, m, params=faiss.SearchParametersHNSW(efSearch=max(options.ef_search, 2 * m))
        )
    parameters = faiss.SearchParametersIVF(nprobe=min(options.probes, index.nlist)) if _has_lists(index) else None

    def find(queries: Vectors, m: int) -> Any:
        return index.search(queries, m, params=parameters)

    return reranked(find, vectors, options.refine) if kind_of(index) == "pq" else find


def probe_recall(vectors: Vectors, index: Any, options: IndexOptions) -> float:
    """recall@10 of an index on its probe set, against exact search over the same `vectors` [N, W]."""
    num_probes, k = min(options.probe_rows, len(vectors)), min(RECALL_AT, len(vectors))
    rows = np.sort(np.random.default_rng(options.seed).choice(len(vectors), num_probes, replace=False))
    probes = np.ascontiguousarray(vectors[rows])
    exact, _ = flat_search(vectors, probes, k)
    found, _ = finder(vectors, index, options)(probes, k)
    return recall(found, exact)
