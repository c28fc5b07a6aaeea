"""What comes from outside, looked at before it is written or searched for."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kgqa.errors import InputError
from kgqa.memory.index import BLOCK, Rows, Vectors
from kgqa.memory.segment import Item


def some(ids: Rows) -> str:
    """`3 ids (5, 8, 13)`: how many, and the first few."""
    shown = ", ".join(str(value) for value in ids[:3].tolist())
    return f"{len(ids)} ids ({shown}{', ...' if len(ids) > 3 else ''})"


def as_ids(ids: ArrayLike, what: str) -> Rows:
    """int64 [n], non-negative and distinct; InputError otherwise. -1 is what a search pads with."""
    found = np.asarray(ids)
    if found.size == 0:
        return np.empty(0, np.int64)
    if found.ndim != 1 or not np.issubdtype(found.dtype, np.integer):
        raise InputError(f"{what} is {found.dtype} of shape {found.shape}; it must be one row of integers")
    as_int64 = found.astype(np.int64)
    if (as_int64 < 0).any():
        raise InputError(
            f"{what} holds {some(as_int64[as_int64 < 0])} outside [0, 2**63); kgqa.ids.vector_id gives good ones"
        )
    return as_int64


def distinct_ids(ids: ArrayLike, what: str) -> Rows:
    """`as_ids`, and each of them once."""
    found = as_ids(ids, what)
    values, counts = np.unique(found, return_counts=True)
    if len(values) < len(found):
        raise InputError(f"{what} holds {some(values[counts > 1])} more than once; each id stands for one vector")
    return found


def norms(vectors: NDArray[np.floating], what: str, first_row: int = 0) -> NDArray[np.float64]:
    """The length of each vector [n, W] -> [n]; InputError naming the first that is NaN, infinite or zero."""
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64, casting="unsafe")
    bad = np.flatnonzero(~(np.isfinite(squares) & (squares > 0)))
    if len(bad):
        kind = "zero" if squares[bad[0]] == 0 else "NaN or infinite"
        raise InputError(
            f"{what} {first_row + int(bad[0])} is {kind} (and {len(bad) - 1} more here); only vectors with a direction "
            "can be stored or searched for"
        )
    lengths: NDArray[np.float64] = np.sqrt(squares)
    return lengths


def as_vectors(vectors: ArrayLike, width: int | None, what: str) -> NDArray[np.floating]:
    """[n, W] of floats as they are, memory-mapped ones too; InputError for another shape. `width` None: any width."""
    found = np.asanyarray(vectors)
    if (
        found.ndim != 2
        or (width is not None and found.shape[1] != width)
        or not np.issubdtype(found.dtype, np.floating)
    ):
        raise InputError(
            f"{what} vectors are {found.dtype} of shape {found.shape}, expected floats [n, {width or 'width'}]; "
            "embed with the embedder that the knowledge base was indexed with"
        )
    return found


def unit_rows(vectors: ArrayLike, width: int | None, what: str) -> Vectors:
    """float32 [n, W], each row scaled to length 1. Raises InputError for wrong shapes, NaN, infinite or zero rows."""
    found = as_vectors(vectors, width, what)
    return np.ascontiguousarray(found / norms(found, what)[:, None], dtype=np.float32)


class NewRows:
    """Vectors that are to be added, checked in blocks and scaled when they are taken: never copied as a whole."""

    def __init__(self, ids: ArrayLike, vectors: ArrayLike | None, items: Sequence[Item], width: int) -> None:
        """Raises InputError when ids repeat, counts differ, the width is wrong, or a vector has no direction."""
        self.ids = distinct_ids(ids, "add_ids")
        self._vectors = as_vectors(
            np.empty((0, width), np.float32) if vectors is None else vectors, width, "add_vectors"
        )
        self._items = items
        counts = len(self.ids), len(self._vectors), len(items)
        if len(set(counts)) > 1:
            raise InputError(f"add_ids, add_vectors and add_items have {counts} rows; they must agree")
        self._norms = np.concatenate([np.empty(0), *self._checked_norms()])

    def _checked_norms(self) -> list[NDArray[np.float64]]:
        starts = range(0, len(self._vectors), BLOCK)
        return [norms(self._vectors[start : start + BLOCK], "add_vectors row", start) for start in starts]

    def unit_vectors(self, rows: Rows) -> Vectors:
        """float32 [n, W] of rows [n], scaled to length 1."""
        return np.asarray(self._vectors[rows] / self._norms[rows, None], dtype=np.float32)

    def items(self, rows: Rows) -> list[Item]:
        """(term, text) of rows [n]."""
        return [self._items[row] for row in rows.tolist()]
