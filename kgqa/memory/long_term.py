"""The long-term memory: a durable store of vectors over immutable segments and dead ids.

A *value*, `MemoryRefs`, says which files make up the memory; a generation of the knowledge base holds it. A writer adds
files and returns new refs; nothing is visible until those refs are committed, and what a killed writer leaves behind is
overwritten by the next delta. So readers need no lock and never see half a change.

    seg-000012/        the vectors that generation 12 added, with those of the segments it absorbed
    dead-000012.npy    int64 [D, 2] of (segment number, id): vectors that died then, in segments that still stand

A death names the segment it happened in, so an id can die and be added again. Segments merge by size tiers (see
kgqa.memory.tiers), so that there are few of them and a vector is rewritten O(log N) times.
"""

import shutil
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kgqa.errors import InputError, StoreError
from kgqa.memory.checks import NewRows, as_ids, distinct_ids, some, unit_rows
from kgqa.memory.dead import NO_DEATHS, read_deaths, write_deaths
from kgqa.memory.files import REMEDY, check_hash
from kgqa.memory.gpu import choose_gpus
from kgqa.memory.index import Find, IndexOptions, Rows, Vectors
from kgqa.memory.refs import FileRef, MemoryRefs, generation_number
from kgqa.memory.segment import Item, Owners, Segment, Source, gather_items, gather_vectors, write_segment
from kgqa.memory.tiers import absorbed

__all__ = ["FileRef", "LongTermMemory", "MemoryRefs", "apply_delta", "compact", "remove_unreferenced"]

_NO_IDS: Rows = np.empty(0, np.int64)
_DEFAULT = IndexOptions()


class LongTermMemory:
    """A memory open for reading, at one generation. Many processes may hold it while a writer works on the next."""

    def __init__(self, directory: Path, refs: MemoryRefs, *, device: str, options: IndexOptions) -> None:
        self.directory = directory
        self.refs = refs
        self._options = options
        self._gpus = choose_gpus(device)
        self.segments = tuple(
            Segment(directory, ref, width=refs.width, embedder=refs.embedder) for ref in refs.segments
        )
        deaths = np.concatenate([NO_DEATHS, *(read_deaths(directory, ref) for ref in refs.dead)])
        self._alive = tuple(_alive_rows(segment, deaths) for segment in self.segments)

    @classmethod
    def open(
        cls, directory: Path, refs: MemoryRefs, *, device: str = "auto", options: IndexOptions = _DEFAULT
    ) -> "LongTermMemory":
        """Opens what `refs` names, with cheap checks (sizes, shapes, manifests); `verify` makes the full ones.

        device: auto, cpu, cuda (all GPUs) or cuda:N; the files are the same. options: how to search; each segment keeps
        the index it was written with. Raises StoreError for files that are missing, cut short or of another embedder.
        """
        return cls(directory, refs, device=device, options=options)

    def __len__(self) -> int:
        return sum(self.live_counts())

    @property
    def is_exact(self) -> bool:
        """Whether searches miss nothing: no segment is searched by an index."""
        return self._options.kind == "flat" or all(segment.index is None for segment in self.segments)

    def live_counts(self) -> list[int]:
        """How many vectors of each segment are alive."""
        return [
            segment.count if alive is None else int(np.count_nonzero(alive))
            for segment, alive in zip(self.segments, self._alive, strict=True)
        ]

    def living(self, place: int, deaths: Rows = NO_DEATHS) -> Rows:
        """The rows of `segments[place]` that are alive, ascending, and will be after `deaths` [D, 2]."""
        segment, alive = self.segments[place], self._alive[place]
        dying = _alive_rows(segment, deaths)
        masks = [mask for mask in (alive, dying) if mask is not None]
        return np.flatnonzero(np.logical_and.reduce(masks)) if masks else np.arange(segment.count)

    @cached_property
    def _finders(self) -> tuple[Find, ...]:
        """Ready at the first search: indexes are loaded and the GPU is filled only where somebody searches."""
        return tuple(segment.prepare(self._options, self._gpus) for segment in self.segments)

    def search(self, vectors: ArrayLike, k: int) -> tuple[Vectors, Rows]:
        """The k nearest of each query by cosine: vectors [B, W] -> scores [B, k] best first, ids [B, k].

        Padded with -inf and -1 when fewer than k are alive. Equal scores come in the order of their ids.
        Raises InputError for a wrong width, NaN, infinite or zero vectors, or k < 1.
        """
        queries = unit_rows(vectors, self.refs.width if self.segments else None, "query")
        if k < 1:
            raise InputError(f"k is {k}; ask for at least 1 neighbour")
        found = [
            segment.search(find, queries, k, alive)
            for segment, find, alive in zip(self.segments, self._finders, self._alive, strict=True)
        ]
        nothing = np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), -1, np.int64)
        scores, ids = (np.concatenate(parts, axis=1) for parts in zip(nothing, *found, strict=True))
        order = np.lexsort((ids, -scores), axis=1)[:, :k]
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(ids, order, axis=1)

    def locate(self, ids: Rows) -> tuple[Rows, Rows]:
        """The segment (its place in `segments`, -1 where the id is not alive) and the row of each id."""
        owners, rows = np.full(len(ids), -1), np.full(len(ids), -1)
        for number, (segment, alive) in enumerate(zip(self.segments, self._alive, strict=True)):
            here = segment.rows_of(ids)
            hit = (here >= 0) if alive is None else (here >= 0) & alive[here]
            owners[hit], rows[hit] = number, here[hit]
        return owners, rows

    def contains(self, ids: ArrayLike) -> NDArray[np.bool_]:
        """Which of the ids are alive: [n] -> bool [n]."""
        found: NDArray[np.bool_] = self.locate(as_ids(ids, "ids"))[0] >= 0
        return found

    def ids(self) -> Rows:
        """Every id alive, ascending."""
        parts = (segment.ids[self.living(place)] for place, segment in enumerate(self.segments))
        return np.sort(np.concatenate([_NO_IDS, *parts]))

    def get(self, ids: ArrayLike) -> Vectors:
        """The unit vectors [n, W] of ids [n], in their order. Raises InputError naming ids that are not alive."""
        return gather_vectors(self.segments, *self._require(ids), self.refs.width)

    def items(self, ids: ArrayLike) -> list[Item]:
        """(term, text) of each id, in their order. Raises InputError naming ids that are not alive."""
        return gather_items(self.segments, *self._require(ids))

    def _require(self, ids: ArrayLike) -> tuple[Owners, Rows]:
        wanted = as_ids(ids, "ids")
        owners, rows = self.locate(wanted)
        if (owners < 0).any():
            raise InputError(f"{some(wanted[owners < 0])} not in {self.directory}; ask `contains` first")
        return owners, rows

    def verify(self) -> None:
        """Reads every byte. Raises StoreError naming the first damaged file, or an id that is alive twice."""
        for segment in self.segments:
            segment.verify()
        for ref in self.refs.dead:
            check_hash(self.directory / ref.name, ref.sha256)
        ids = self.ids()
        twice = ids[1:][ids[1:] == ids[:-1]]
        if len(twice):
            raise StoreError(
                f"{self.directory} holds {len(twice)} ids twice, {some(twice)}; run pipelines/index.py again"
            )


def _alive_rows(segment: Segment, deaths: Rows) -> NDArray[np.bool_] | None:
    """bool [N] of the rows of this segment that live; None when all do."""
    dead = segment.rows_of(deaths[deaths[:, 0] == segment.ref.number, 1])
    if len(dead) == 0:
        return None
    if (dead < 0).any():
        raise StoreError(f"{segment.path} does not hold {int((dead < 0).sum())} ids that died in it; {REMEDY}")
    alive = np.ones(segment.count, np.bool_)
    alive[dead] = False
    return alive


def apply_delta(
    directory: Path,
    refs: MemoryRefs,
    *,
    generation: str,
    add_ids: ArrayLike = _NO_IDS,
    add_vectors: ArrayLike | None = None,
    add_items: Sequence[Item] = (),
    remove_ids: ArrayLike = _NO_IDS,
    options: IndexOptions = _DEFAULT,
) -> MemoryRefs:
    """Removes, then adds (so an id in both is replaced), and returns the refs of the result; nothing else changes.

    generation: `gen-000012`, later than every one in `refs`. add_ids int64 [n] >= 0, distinct, not alive once
    remove_ids are gone; add_vectors [n, W], scaled to unit length; add_items (term, text) [n]. The cost follows what is
    added and removed, not what is stored, save that segments merge by size tiers. Files are on the disk when this
    returns. Raises InputError for input that breaks these rules, before anything is written.
    """
    memory = LongTermMemory.open(directory, refs, device="cpu", options=options)
    new = NewRows(add_ids, add_vectors, add_items, refs.width)
    deaths = _deaths(memory, distinct_ids(remove_ids, "remove_ids"))
    _refuse_living(memory, new.ids, deaths)
    stored = [segment.count for segment in memory.segments]
    alive = [
        count - int(np.count_nonzero(deaths[:, 0] == ref.number))
        for count, ref in zip(memory.live_counts(), refs.segments, strict=True)
    ]
    return _write(memory, generation, new, deaths, absorbed(stored, alive, len(new.ids)), options, min_recall=0.0)


def compact(directory: Path, refs: MemoryRefs, *, generation: str, options: IndexOptions = _DEFAULT) -> MemoryRefs:
    """Rewrites everything alive as one segment, with the index that `options` ask for: the one step that costs O(N).

    What the largest old index has learned is used again, unless recall on the probe set is below options.min_recall
    with it. Returns `refs` as they are when there is nothing to gain.
    """
    memory = LongTermMemory.open(directory, refs, device="cpu", options=options)
    if len(refs.segments) <= 1 and not refs.dead and all(segment.serves(options) for segment in memory.segments):
        return refs
    everything = set(range(len(memory.segments)))
    nothing = NewRows(_NO_IDS, None, (), refs.width)
    return _write(memory, generation, nothing, NO_DEATHS, everything, options, min_recall=options.min_recall)


def remove_unreferenced(directory: Path, keep: Iterable[MemoryRefs]) -> int:
    """Deletes segments and dead-id files that none of `keep` names, leftovers of killed writers too; returns how many.

    For the one writer, with the refs of every generation that readers may still open.
    """
    named = {ref.name for refs in keep for ref in (*refs.segments, *refs.dead)}
    found = [path for pattern in ("seg-*", "dead-*.npy", ".*.tmp") for path in directory.glob(pattern)]
    unreferenced = [path for path in found if path.name not in named]
    for path in unreferenced:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return len(unreferenced)


def _deaths(memory: LongTermMemory, ids: Rows) -> Rows:
    """[D, 2] of (segment number, id) for ids that are to die."""
    owners, _ = memory.locate(ids)
    if (owners < 0).any():
        raise InputError(f"remove_ids: {some(ids[owners < 0])} not in {memory.directory}, so they cannot be removed")
    numbers = np.array([ref.number for ref in memory.refs.segments], np.int64)
    return np.stack([numbers[owners], ids], axis=1)


def _refuse_living(memory: LongTermMemory, ids: Rows, deaths: Rows) -> None:
    living = ids[memory.contains(ids) & ~np.isin(ids, deaths[:, 1])]
    if len(living):
        raise InputError(
            f"add_ids: {some(living)} already in {memory.directory}; name them in remove_ids too to replace them"
        )


def _write(
    memory: LongTermMemory,
    generation: str,
    new: NewRows,
    deaths: Rows,
    taken: set[int],
    options: IndexOptions,
    *,
    min_recall: float,
) -> MemoryRefs:
    """One new segment of the new rows and the taken segments' living ones, and the dead ids of the others."""
    refs, number = memory.refs, generation_number(generation)
    late = [ref.name for ref in (*refs.segments, *refs.dead) if ref.number >= number]
    if late:
        raise StoreError(
            f"{memory.directory} already holds {late[0]}, so {generation} cannot be written; use a later one"
        )
    merged = [memory.segments[i] for i in sorted(taken)]
    sources: list[Source] = [new, *merged]
    row_parts = [np.arange(len(new.ids)), *(memory.living(i, deaths) for i in sorted(taken))]
    id_parts = [new.ids, *(segment.ids[rows] for segment, rows in zip(merged, row_parts[1:], strict=True))]
    kept = tuple(ref for i, ref in enumerate(refs.segments) if i not in taken)
    segments = kept
    if sum(map(len, row_parts)):
        written = write_segment(
            memory.directory,
            f"seg-{number:06d}",
            ids=np.concatenate(id_parts),
            rows=np.concatenate(row_parts),
            owners=np.repeat(np.arange(len(sources)), [len(rows) for rows in row_parts]),
            sources=sources,
            width=refs.width,
            embedder=refs.embedder,
            options=options,
            like=_largest_index(merged),
            min_recall=min_recall,
        )
        segments = (*kept, written)
    dead = write_deaths(memory.directory, number, deaths, refs.dead, standing=[ref.number for ref in kept])
    return MemoryRefs(refs.width, refs.embedder, segments, dead)


def _largest_index(segments: Sequence[Segment]) -> Any | None:
    """The index of the largest absorbed segment that has one; what it has learned can be used again."""
    indexed = [segment for segment in segments if segment.index is not None]
    return max(indexed, key=lambda segment: segment.count).index if indexed else None
