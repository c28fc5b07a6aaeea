"""A segment on disk: whole or absent, checked when opened, and refused with the file's name when it is damaged."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from kgqa.errors import StoreError
from kgqa.memory import segment
from kgqa.memory.index import IndexOptions
from kgqa.memory.long_term import LongTermMemory, MemoryRefs, apply_delta
from kgqa.memory.segment import Segment
from tests import processes

WIDTH, COUNT = 6, 40
IVF = IndexOptions("ivf", min_rows=10)


@pytest.fixture
def store(tmp_path):
    vectors = np.random.default_rng(0).standard_normal((COUNT, WIDTH)).astype(np.float32)
    refs = apply_delta(
        tmp_path,
        MemoryRefs(WIDTH, "toy"),
        generation="gen-000004",
        add_ids=range(COUNT - 1, -1, -1),
        add_vectors=vectors,
        add_items=[(f"t{i}", f"{i}") for i in range(COUNT - 1, -1, -1)],
        options=IVF,
    )
    return tmp_path, refs


def open_segment(store, *, width=WIDTH, embedder="toy") -> Segment:
    directory, refs = store
    return Segment(directory, refs.segments[0], width=width, embedder=embedder)


def test_a_segment_is_five_described_files_sorted_by_id(store):
    segment = open_segment(store)
    names = {"vectors.npy", "ids.npy", "items.jsonl", "index.faiss", "manifest.json"}
    assert {path.name for path in segment.path.iterdir()} == names
    manifest = json.loads((segment.path / "manifest.json").read_text())
    assert (manifest["width"], manifest["embedder"], manifest["count"]) == (WIDTH, "toy", COUNT)
    assert set(manifest["files"]) == names - {"manifest.json"}
    assert segment.ids.tolist() == list(range(COUNT))
    assert segment.items(np.array([3, 0])) == [("t3", "3"), ("t0", "0")]
    assert segment.rows_of(np.array([0, 39, 40, 10**18])).tolist() == [0, 39, -1, -1]
    segment.verify()


def test_nobody_can_write_to_an_open_segment(store):
    with pytest.raises(ValueError, match="read-only"):
        open_segment(store).vectors[0] = 0


@pytest.mark.parametrize("name", ["vectors.npy", "ids.npy", "items.jsonl", "index.faiss"])
def test_a_file_cut_short_or_missing_is_refused_at_opening(store, name):
    path = open_segment(store).path / name
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    with pytest.raises(StoreError, match=rf"seg-000004/{name} has {len(whole) - 3} bytes.*run pipelines/index.py"):
        open_segment(store)
    path.unlink()
    with pytest.raises(StoreError, match=rf"seg-000004/{name} is missing"):
        open_segment(store)


@pytest.mark.parametrize("name", ["vectors.npy", "ids.npy", "items.jsonl", "index.faiss"])
def test_one_flipped_bit_is_found_by_verify(store, name):
    segment = open_segment(store)
    data = bytearray((segment.path / name).read_bytes())
    data[-2] ^= 1
    (segment.path / name).write_bytes(data)
    with pytest.raises(StoreError, match=rf"seg-000004/{name} is damaged"):
        segment.verify()


def test_another_manifest_is_refused(store):
    path = open_segment(store).path / "manifest.json"
    path.write_text(path.read_text().replace('"toy"', '"toys"'))
    with pytest.raises(StoreError, match=r"manifest\.json differs"):
        open_segment(store)
    path.unlink()
    with pytest.raises(StoreError, match="seg-000004 is named by the knowledge base but cannot be read"):
        open_segment(store)


def test_another_embedder_or_width_is_refused_with_the_remedy(store):
    with pytest.raises(StoreError, match="width 6 by embedder 'toy', asked for is width 768 by 'hf'; set embedder"):
        open_segment(store, width=768, embedder="hf")


def test_an_index_that_is_none_is_refused(store):
    segment = open_segment(store)
    path = segment.path / "index.faiss"
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(StoreError, match="cannot be read as a FAISS index"):
        _ = segment.index


def write_and_die(folder: Path, where: str) -> None:
    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(segment.os if where == "rename" else segment, where, die)
    apply_delta(
        folder, MemoryRefs(3, "toy"), generation="gen-000001",
        add_ids=[1], add_vectors=np.ones((1, 3)), add_items=[("a", "b")],
    )  # fmt: skip


@pytest.mark.parametrize("where", ["gather_items", "_write_index", "_write_manifest", "rename"])
def test_a_process_killed_while_writing_leaves_no_segment_behind(tmp_path, where):
    assert processes.run(write_and_die, tmp_path, where).status == -signal.SIGKILL
    assert list(tmp_path.glob("seg-*")) == []
    rows = {"add_ids": [2], "add_vectors": np.ones((1, 3)), "add_items": [("c", "d")]}
    refs = apply_delta(tmp_path, MemoryRefs(3, "toy"), generation="gen-000001", **rows)
    assert LongTermMemory.open(Path(tmp_path), refs).items([2]) == [("c", "d")]
    assert [path.name for path in tmp_path.iterdir()] == ["seg-000001"]
