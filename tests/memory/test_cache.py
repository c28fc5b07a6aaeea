"""Vectors on disk: a text is embedded once, in whatever order, process and knowledge base it comes again."""

import sqlite3
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.errors import StoreError
from kgqa.expand.vectors import embed_texts
from kgqa.memory import cache
from kgqa.memory.cache import CachedEmbedder
from kgqa.memory.embedder import load_embedder
from kgqa.memory.hashing import HashingEmbedder
from tests.processes import running

HASHING = HashingEmbedder(16)


class Counted:
    """The hashing embedder, which remembers what it was asked for."""

    def __init__(self, folder: Path, name: str = HASHING.name, precision: str = "float32") -> None:
        self.name, self.width, self.same_from = name, HASHING.width, HASHING.same_from
        self.asked: list[str] = []
        self.cached = CachedEmbedder(self, folder, precision=precision)

    def embed(self, texts):
        self.asked += texts
        return HASHING.embed(texts)

    def ask(self, questions):
        return -HASHING.embed(questions)


@given(st.lists(st.lists(st.text(st.characters(), max_size=3), max_size=12), max_size=5), st.integers(1, 5))
@settings(deadline=None, max_examples=40)
def test_each_text_is_embedded_once_and_comes_back_as_it_was(tmp_path_factory, calls, block):
    folder = tmp_path_factory.mktemp("cache")
    asked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "_BLOCK", block)
        for texts in calls:
            counted = Counted(folder)  # as a new process would have it
            vectors = counted.cached.embed(texts)
            assert vectors.dtype == np.float32
            np.testing.assert_array_equal(vectors, HASHING.embed(texts).reshape(-1, 16))
            asked += counted.asked
    assert sorted(asked) == sorted({text for texts in calls for text in texts})


def test_a_second_index_of_the_same_texts_calls_no_encoder(tmp_path):
    texts = [f"name {i}" for i in range(5000)]
    first, second = Counted(tmp_path), Counted(tmp_path)
    np.testing.assert_array_equal(embed_texts(first.cached, texts), embed_texts(second.cached, texts[::-1])[::-1])
    assert (len(first.asked), second.asked) == (5000, [])
    assert embed_texts(second.cached, [*texts, "new"]).shape == (5001, 16)
    assert second.asked == ["new"]


def test_encoders_and_precisions_share_a_folder_and_no_vector(tmp_path):
    for identity in ({}, {"name": "hf-a/b c-0123-16"}, {"precision": "bfloat16"}):
        counted = Counted(tmp_path, **identity)
        counted.cached.embed(["text"])
        assert counted.asked == ["text"]
        assert counted.cached.name == identity.get("name", HASHING.name)
    assert len(list(tmp_path.glob("*.sqlite"))) == 3


def write(folder: Path, first: int, last: int) -> None:
    cached = CachedEmbedder(HashingEmbedder(16), folder, precision="float32")
    print("ready", flush=True)
    for start in range(first, last, 50):
        cached.embed([f"text {i}" for i in range(start, start + 50)])


def test_processes_write_at_once(tmp_path):
    with ExitStack() as stack:
        writers = [stack.enter_context(running(write, tmp_path, first, first + 1000))[0] for first in (0, 500, 0)]
        for process in writers:
            process.join()
        assert [process.exitcode for process in writers] == [0, 0, 0]
    counted = Counted(tmp_path)
    texts = [f"text {i}" for i in range(1500)]
    np.testing.assert_array_equal(counted.cached.embed(texts), HASHING.embed(texts))
    assert counted.asked == []


def test_a_killed_writer_leaves_what_it_committed(tmp_path):
    with running(write, tmp_path, 0, 10**9) as (process, said):
        assert said.readline() == "ready\n"
        while not list(tmp_path.glob("*.sqlite")) or not _num_rows(tmp_path):
            assert process.is_alive()
            time.sleep(0.01)
        process.kill()
    counted = Counted(tmp_path)
    num_kept = _num_rows(tmp_path)
    assert num_kept % 50 == 0
    texts = [f"text {i}" for i in range(num_kept + 7)]
    np.testing.assert_array_equal(counted.cached.embed(texts), HASHING.embed(texts))
    assert counted.asked == texts[num_kept:]


def _num_rows(folder: Path) -> int:
    try:
        with sqlite3.connect(next(folder.glob("*.sqlite"))) as database:
            return database.execute("SELECT count(*) FROM vectors").fetchone()[0]
    except sqlite3.OperationalError:  # the table is not there yet
        return 0


def test_a_damaged_file_and_a_folder_that_is_none_are_refused_with_the_remedy(tmp_path):
    counted = Counted(tmp_path)
    counted.cached.embed(["a"])
    with sqlite3.connect(counted.cached.path) as database:
        database.execute("UPDATE vectors SET vector = x'00000000'")
    with pytest.raises(StoreError, match="not 16 wide"):
        counted.cached.embed(["a"])
    for path in tmp_path.glob("*.sqlite*"):
        path.write_bytes(b"something else" * 1000)
    with pytest.raises(StoreError, match=r"hashing-v1-16-float32\.sqlite cannot be used .*delete the file"):
        counted.cached.embed(["a"])
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"set embedder\.cache to another folder or to null"):
        Counted(tmp_path / "file").cached.embed(["a"])


def test_a_question_is_not_taken_for_a_text(tmp_path):
    cached = Counted(tmp_path).cached
    np.testing.assert_array_equal(cached.embed(["a"]), -cached.ask(["a"]))
    assert cached.same_from == HASHING.same_from


def test_hashing_does_without(tmp_path):
    assert isinstance(load_embedder("hashing", cache=tmp_path), HashingEmbedder)
