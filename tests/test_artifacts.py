"""Nothing half written is ever seen; what an output was made from decides whether it is fresh."""

import os
from pathlib import Path

import pytest

from kgqa import artifacts
from kgqa.artifacts import Manifest, hash_folder, sha256_file, write_atomic, write_json
from kgqa.errors import StoreError


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifacts.os, "fsync", full)
    with pytest.raises(StoreError, match=r"cannot write .*file: No space left on device"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_the_returned_hash_is_that_of_the_file(tmp_path: Path) -> None:
    assert write_json(tmp_path / "x.json", {"é": 1}) == sha256_file(tmp_path / "x.json")


def test_freshness_is_by_content(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"result")
    made = Manifest("train", {"kb": "1"}, "c", 0, outputs={"out": sha256_file(tmp_path / "out")})
    path = tmp_path / "manifest.json"
    assert not made.is_fresh(path)
    made.write(path)
    os.utime(tmp_path / "out", (0, 0))
    assert Manifest("train", {"kb": "1"}, "c", 0).is_fresh(path)
    for other in ({"kb": "2"}, {}):
        assert not Manifest("train", other, "c", 0).is_fresh(path)
    assert not Manifest("train", {"kb": "1"}, "d", 0).is_fresh(path)
    assert not Manifest("train", {"kb": "1"}, "c", 1).is_fresh(path)
    (tmp_path / "out").write_bytes(b"resulT")
    assert not made.is_fresh(path)


def test_a_shared_file_is_not_hashed_again(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
    (old / "a").write_bytes(b"a")
    (old / "b").write_bytes(b"b")
    os.link(old / "a", new / "a")
    (new / "b").write_bytes(b"another")
    known = {"a": "known", "b": "known"}
    assert hash_folder(new, known=known, known_folder=old) == {"a": "known", "b": sha256_file(new / "b")}
