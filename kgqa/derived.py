"""What follows from a graph and takes longer to make than to read: arrays and texts, in a folder beside its snapshot.

The first reader that asks makes it, never a writer, so that a delta costs what it changes. What is there counts when it
is whole, of the same graph and of the same code; else it is made anew. Where nothing can be written, each reader makes
it for itself. To delete it costs time and nothing else.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kgqa.artifacts import Manifest, read_json, sha256_file, sync
from kgqa.errors import StoreError

MANIFEST = "manifest.json"


class Columns(NamedTuple):
    """Arrays and lists of texts, by name."""

    arrays: Mapping[str, NDArray[Any]]
    texts: Mapping[str, list[str]]


def derived(folder: Path, graph: str, make: Callable[[], Columns]) -> Columns:
    """What `make` gives for the graph whose state is `graph`; read from `folder` where it lies there, else left there.

    Arrays are read-only and mapped into memory, which processes share.
    """
    manifest = Manifest("derived", inputs={"graph": graph})
    with suppress(StoreError, OSError, ValueError):
        if manifest.is_fresh(folder / MANIFEST):
            return _read(folder)
    made = make()
    with suppress(StoreError, OSError):  # a disk that is full, or not ours to write
        _write(folder, manifest, made)
    return made


def _read(folder: Path) -> Columns:
    names = list(read_json(folder / MANIFEST)["outputs"])
    arrays = {name[:-4]: np.asarray(np.load(folder / name, mmap_mode="r")) for name in names if name.endswith(".npy")}
    texts = {
        name[:-5]: json.loads((folder / name).read_text(encoding="utf-8")) for name in names if name.endswith(".json")
    }
    return Columns(arrays, texts)


def _write(folder: Path, manifest: Manifest, made: Columns) -> None:
    """All of it or nothing; another process that writes the same meanwhile does no harm."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        part.mkdir()
        for name, array in made.arrays.items():
            np.save(part / f"{name}.npy", array, allow_pickle=False)
        for name, texts in made.texts.items():
            (part / f"{name}.json").write_text(json.dumps(texts), encoding="utf-8")
        files = list(part.iterdir())
        for path in files:
            sync(path)
        Manifest(manifest.stage, manifest.inputs, outputs={path.name: sha256_file(path) for path in files}).write(
            part / MANIFEST
        )
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)
