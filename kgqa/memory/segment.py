"""A segment: an immutable directory of vectors with their ids and the text they stand for.

    seg-000003/vectors.npy    float32 [N, W], unit rows, memory-mapped
               ids.npy        int64 [N], ascending: the same content gives the same bytes in whatever order it came
               items.jsonl    one {"term", "text"} a row
               index.faiss    where an index pays (see kgqa.memory.index); derived from vectors.npy
               manifest.json  width, embedder, count, and bytes and sha256 of each file above

It is written under a temporary name, flushed to disk and renamed, so that a reader finds a whole segment or none.
"""

import hashlib
import json
import logging
import mmap
import os
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kgqa.artifacts import sha256_file, sync
from kgqa.errors import StoreError
from kgqa.memory.approximate import build_index, finder, kind_of, load_index, probe_recall, save_index
from kgqa.memory.files import REMEDY, check_hash, check_size
from kgqa.memory.gpu import gpu_finder
from kgqa.memory.index import BLOCK, Find, IndexOptions, Rows, Vectors, alive_search
from kgqa.memory.refs import FileRef

log = logging.getLogger(__name__)

FORMAT = 1
Item = tuple[str, str]
"""(term, text): what a vector stands for."""
Owners = NDArray[np.int64]
"""Which of several sources a row is in."""


class Source(Protocol):
    """Something rows are copied from: new vectors in memory, or an older segment that is merged."""

    def unit_vectors(self, rows: Rows) -> Vectors: ...

    def items(self, rows: Rows) -> list[Item]: ...


class Segment:
    """One segment, open for reading. Many processes may read it at once; nothing ever writes to it."""

    def __init__(self, directory: Path, ref: FileRef, *, width: int, embedder: str) -> None:
        """Opens and makes the cheap checks: hash of the manifest, sizes, shapes, width and embedder.

        Raises StoreError when the segment is missing, cut short, or made by another embedder.
        """
        self.path = directory / ref.name
        self.ref = ref
        self.count = ref.count
        self.width = width
        self._manifest = _read_manifest(self.path, ref)
        self._check_identity(width, embedder)
        for name, expected in self._manifest["files"].items():
            check_size(self.path / name, expected["bytes"])
        self.vectors: Vectors = self._load("vectors.npy", np.dtype(np.float32), (self.count, width))
        """[N, W], memory-mapped, read-only."""
        self.ids: Rows = self._load("ids.npy", np.dtype(np.int64), (self.count,))
        """[N], ascending."""

    def _check_identity(self, width: int, embedder: str) -> None:
        found = self._manifest["width"], self._manifest["embedder"], self._manifest["count"]
        if found[:2] != (width, embedder):
            raise StoreError(
                f"{self.path} has width {found[0]} by embedder {found[1]!r}, asked for is width {width} by {embedder!r}"
                f"; set embedder to {found[1]!r} or run pipelines/index.py with the one you want"
            )
        if found[2] != self.count:
            raise StoreError(f"{self.path} holds {found[2]} vectors where {self.count} were committed; {REMEDY}")

    def _load(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        path = self.path / name
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise StoreError(f"{path} cannot be read as an array ({error}); {REMEDY}") from error
        if array.dtype != dtype or array.shape != shape:
            raise StoreError(f"{path} is {array.dtype} {array.shape}, expected {dtype} {shape}; {REMEDY}")
        return np.asarray(array)

    @cached_property
    def index(self) -> Any | None:
        """The FAISS index of this segment, loaded at first use; None when it has none."""
        if "index.faiss" not in self._manifest["files"]:
            return None
        return load_index(self.path / "index.faiss", num_rows=self.count, width=self.width)

    def prepare(self, options: IndexOptions, gpus: tuple[int, ...]) -> Find:
        """How to search this segment with these options, on the GPUs of these numbers, or on the CPU."""
        if not gpus:
            return finder(self.vectors, self.index, options)
        return gpu_finder(self.vectors, self.index, options, gpus)

    def serves(self, options: IndexOptions) -> bool:
        """Whether its index is the one that `options` ask for and finds what it should on the probe set."""
        kind = kind_of(self.index)
        recall = probe_recall(self.vectors, self.index, options) if kind in ("ivf", "pq") else 1.0
        return kind == options.kind_for(self.count) and recall >= options.min_recall

    def search(self, find: Find, queries: Vectors, k: int, alive: NDArray[np.bool_] | None) -> tuple[Vectors, Rows]:
        """Scores and ids [B, k] of the best living rows, padded with -inf and -1; `find` comes from `prepare`."""
        scores, rows = alive_search(find, self.vectors, queries, k, alive)
        return scores, np.where(rows >= 0, self.ids[rows], -1)

    def rows_of(self, ids: Rows) -> Rows:
        """The row of each id, -1 where this segment does not hold it."""
        rows = np.searchsorted(self.ids, ids)
        rows[rows == self.count] = 0
        return np.where(self.ids[rows] == ids, rows, -1)

    @cached_property
    def _lines(self) -> tuple[mmap.mmap, NDArray[np.int64]]:
        """items.jsonl memory-mapped, and where each line starts."""
        path = self.path / "items.jsonl"
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
        if len(ends) != self.count:
            raise StoreError(f"{path} has {len(ends)} lines for {self.count} vectors; {REMEDY}")
        return data, np.concatenate([[0], ends])

    def items(self, rows: Rows) -> list[Item]:
        """(term, text) of each row."""
        data, starts = self._lines
        lines = (data[start:end] for start, end in zip(starts[rows], starts[rows + 1], strict=True))
        found = (json.loads(line.decode("utf-8", "surrogatepass")) for line in lines)
        return [(item["term"], item["text"]) for item in found]

    def unit_vectors(self, rows: Rows) -> Vectors:
        """[n, W] of rows [n], copied."""
        return self.vectors[rows]

    def verify(self) -> None:
        """Reads every byte. Raises StoreError naming the first file whose hash differs from the manifest's."""
        for name, expected in self._manifest["files"].items():
            check_hash(self.path / name, expected["sha256"])


def write_segment(
    directory: Path,
    name: str,
    *,
    ids: Rows,
    rows: Rows,
    owners: Owners,
    sources: Sequence[Source],
    width: int,
    embedder: str,
    options: IndexOptions,
    like: Any | None = None,
    min_recall: float = 0.0,
) -> FileRef:
    """Writes one segment of N >= 1 vectors: `ids[i]` is row `rows[i]` of `sources[owners[i]]`; a leftover is replaced.

    like: an older index, whose training is used again unless recall on the probe set is below `min_recall` with it.
    Holds one block of rows in memory besides what the index takes.
    """
    final, temporary = directory / name, directory / f".{name}.tmp"
    directory.mkdir(parents=True, exist_ok=True)
    for leftover in (temporary, final):
        shutil.rmtree(leftover, ignore_errors=True)
    temporary.mkdir()
    order = np.argsort(ids)
    np.save(temporary / "ids.npy", ids[order])
    with (temporary / "vectors.npy").open("wb") as vectors, (temporary / "items.jsonl").open("wb") as items:
        header = {"descr": np.dtype(np.float32).str, "fortran_order": False, "shape": (len(ids), width)}
        np.lib.format.write_array_header_1_0(vectors, header)
        for start in range(0, len(order), BLOCK):
            block = order[start : start + BLOCK]
            vectors.write(gather_vectors(sources, owners[block], rows[block], width).data)
            lines = map(_item_line, gather_items(sources, owners[block], rows[block]))
            items.write("".join(lines).encode("utf-8", "surrogatepass"))
    _write_index(temporary, options, like, min_recall)
    ref = _write_manifest(temporary, name, width, embedder, len(ids))
    os.rename(temporary, final)
    sync(directory)
    return ref


def _item_line(item: Item) -> str:
    return json.dumps({"term": item[0], "text": item[1]}, ensure_ascii=False) + "\n"


def gather_vectors(sources: Sequence[Source], owners: Owners, rows: Rows, width: int) -> Vectors:
    """[n, W]: the vector of row `rows[i]` of `sources[owners[i]]`, for each i."""
    vectors = np.empty((len(rows), width), np.float32)
    for number, source in enumerate(sources):
        where = np.flatnonzero(owners == number)
        if len(where):
            vectors[where] = source.unit_vectors(rows[where])
    return vectors


def gather_items(sources: Sequence[Source], owners: Owners, rows: Rows) -> list[Item]:
    """The item of row `rows[i]` of `sources[owners[i]]`, for each i."""
    items: list[Item] = [("", "")] * len(rows)
    for number, source in enumerate(sources):
        where = np.flatnonzero(owners == number)
        if len(where):
            for place, item in zip(where.tolist(), source.items(rows[where]), strict=True):
                items[place] = item
    return items


def _write_index(path: Path, options: IndexOptions, like: Any | None, min_recall: float) -> None:
    vectors = np.asarray(np.load(path / "vectors.npy", mmap_mode="r"))
    index = build_index(vectors, options, like)
    if index is not None and like is not None and min_recall > 0:
        recall = probe_recall(vectors, index, options)
        if recall < min_recall:
            index = build_index(vectors, options)
            anew = probe_recall(vectors, index, options)
            log.info("recall %.3f with the old training, %.3f with a new one: %s", recall, anew, path.parent)
            if anew < min_recall:
                log.warning(
                    "%s: recall@10 %.3f on the probe set although newly trained, below memory.min_recall=%s; raise "
                    "memory.probes (ivf) or memory.refine (pq), or lower the bound",
                    path.parent, anew, min_recall,
                )  # fmt: skip
    if index is not None:
        save_index(index, path / "index.faiss")


def _write_manifest(path: Path, name: str, width: int, embedder: str, count: int) -> FileRef:
    files = {file.name: {"bytes": file.stat().st_size, "sha256": sha256_file(file)} for file in sorted(path.iterdir())}
    manifest = {"format": FORMAT, "width": width, "embedder": embedder, "count": count, "files": files}
    data = json.dumps(manifest, indent=1).encode()
    (path / "manifest.json").write_bytes(data)
    for file in path.iterdir():
        with file.open("rb") as written:
            os.fsync(written.fileno())
    sync(path)
    return FileRef(name, hashlib.sha256(data).hexdigest(), count)


def _read_manifest(path: Path, ref: FileRef) -> dict[str, Any]:
    try:
        data = (path / "manifest.json").read_bytes()
    except OSError as error:
        raise StoreError(f"{path} is named by the knowledge base but cannot be read ({error}); {REMEDY}") from error
    if hashlib.sha256(data).hexdigest() != ref.sha256:
        raise StoreError(f"{path}/manifest.json differs from the one that was committed ({ref.sha256[:12]}); {REMEDY}")
    manifest: dict[str, Any] = json.loads(data)
    if manifest["format"] != FORMAT:
        raise StoreError(f"{path} has format {manifest['format']}, this version reads {FORMAT}; upgrade kgqa")
    return manifest
