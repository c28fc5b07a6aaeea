"""The word features of the shipped pipeline, as a spaCy architecture: hashed forms of a word and its pieces' vectors.

Hashed embeddings know the words of the treebanks; word pieces (wordpieces.py) also know what others mean. The table of
pieces is fixed in training and travels inside the pipeline's files.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, safe_open, save_file
from spacy import registry
from spacy.ml.models import MultiHashEmbed
from spacy.tokens import Doc
from spacy.util import srsly
from thinc.api import Linear, Maxout, Model, chain, concatenate, with_array
from thinc.model import deserialize_attr, serialize_attr
from thinc.types import Floats2d

from kgqa.text.wordpieces import UNKNOWN, PieceVectors

Table = tuple[list[str], npt.NDArray[np.int8], npt.NDArray[np.float32]]
"""Pieces, [pieces, width], [width]: what PieceVectors takes."""


def write_table(path: Path, table: Table) -> None:
    """Write a table of word pieces as one safetensors file."""
    pieces, rows, scale = table
    save_file({"rows": rows, "scale": scale}, path, metadata={"pieces": json.dumps(pieces, ensure_ascii=False)})


def read_table(path: Path) -> Table:
    """What write_table wrote."""
    tensors = load_file(path)
    with safe_open(path, framework="numpy") as file:
        pieces: list[str] = json.loads(file.metadata()["pieces"])
    return pieces, tensors["rows"], tensors["scale"]


@registry.architectures("kgqa.PieceHashEmbed.v1")  # type: ignore[untyped-decorator]
def piece_hash_embed(
    width: int, attrs: list[str], rows: list[int], table: Path | str | None = None
) -> Model[list[Doc], list[Floats2d]]:
    """spaCy's MultiHashEmbed of `attrs` with `rows` each, and piece vectors, mixed to `width`.

    `table`: a file of write_table; None for a pipeline that is loaded, whose files hold it.
    """
    hashed = MultiHashEmbed(width, attrs, rows, include_static_vectors=False)
    vectors = PieceVectors(*read_table(Path(table))) if table else _NONE
    pieces: Model[Any, Any] = Model("kgqa_pieces", _forward, attrs={"vectors": vectors})
    meaning = chain(pieces, with_array(Linear(nO=width)))
    return chain(concatenate(hashed, meaning), with_array(Maxout(width, 2 * width, nP=3, dropout=0.0, normalize=True)))


_NONE = PieceVectors([UNKNOWN], np.zeros((1, 1), np.int8), np.zeros(1, np.float32))


def _forward(model: Model[Any, Any], docs: list[Doc], is_train: bool) -> tuple[list[Floats2d], Callable[[Any], Any]]:
    vectors: PieceVectors = model.attrs["vectors"]
    rows = [model.ops.asarray2f(vectors.rows([token.text for token in doc])) for doc in docs]
    return rows, lambda _: []


@serialize_attr.register(PieceVectors)  # type: ignore[untyped-decorator]
def _to_bytes(_: PieceVectors, value: PieceVectors, name: str, model: Model[Any, Any]) -> bytes:
    pieces, table, scale = value.table
    return bytes(srsly.msgpack_dumps({"pieces": pieces, "table": table, "scale": scale}))


@deserialize_attr.register(PieceVectors)  # type: ignore[untyped-decorator]
def _from_bytes(_: PieceVectors, value: bytes, name: str, model: Model[Any, Any]) -> PieceVectors:
    state = srsly.msgpack_loads(value)
    return PieceVectors(state["pieces"], state["table"], state["scale"])
