"""Dead ids: which vectors of immutable segments are no more.

    dead-000012.npy    int64 [D, 2], rows (segment number, id)

A death names the segment it happened in, so an id can die, be added again, and both stay true. Small files merge into
the next by size tiers, as segments do, and deaths in segments that no longer stand are forgotten on the way.
"""

from collections.abc import Collection, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from kgqa.artifacts import write_atomic
from kgqa.errors import StoreError
from kgqa.memory.files import REMEDY, check_hash, check_size
from kgqa.memory.index import Rows
from kgqa.memory.refs import FileRef

NO_DEATHS: Rows = np.empty((0, 2), np.int64)


def read_deaths(directory: Path, ref: FileRef) -> Rows:
    """[D, 2] of (segment number, id). Raises StoreError when the file is missing, cut short or changed."""
    path = directory / ref.name
    check_size(path, _num_bytes(ref.count))
    check_hash(path, ref.sha256)
    deaths: Rows = np.load(path, allow_pickle=False)
    if deaths.shape != (ref.count, 2) or deaths.dtype != np.int64:
        raise StoreError(f"{path} is {deaths.dtype} {deaths.shape}, expected int64 {(ref.count, 2)}; {REMEDY}")
    return deaths


def _num_bytes(count: int) -> int:
    return 128 + 16 * count  # numpy pads this header to 128 bytes


def write_deaths(
    directory: Path, number: int, deaths: Rows, earlier: Sequence[FileRef], *, standing: Collection[int]
) -> tuple[FileRef, ...]:
    """The files of dead ids after `deaths` [D, 2] of generation `number`, oldest first.

    Earlier files at most as large as what is written go into the new one. `standing`: numbers of the segments that
    still stand; deaths in others are forgotten.
    """
    standing_numbers = np.fromiter(standing, np.int64)
    deaths = deaths[np.isin(deaths[:, 0], standing_numbers)]
    kept: list[FileRef] = []
    for ref in sorted(earlier, key=lambda ref: ref.count):
        found = read_deaths(directory, ref)
        found = found[np.isin(found[:, 0], standing_numbers)]
        if len(found) and len(deaths) < ref.count:
            kept.append(ref)
        else:
            deaths = np.concatenate([found, deaths])
    if len(deaths):
        kept.append(_write(directory, f"dead-{number:06d}.npy", deaths))
    return tuple(sorted(kept, key=lambda ref: ref.number))


def _write(directory: Path, name: str, deaths: Rows) -> FileRef:
    buffer = BytesIO()
    np.save(buffer, deaths[np.lexsort((deaths[:, 1], deaths[:, 0]))])
    return FileRef(name, write_atomic(directory / name, buffer.getvalue()), len(deaths))
