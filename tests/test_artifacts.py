"""Nothing half written is ever seen, and what is damaged or newer is refused with a remedy."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from kgqa import artifacts
from kgqa.artifacts import (
    Generation,
    Manifest,
    commit_generation,
    current_generation,
    hash_folder,
    read_generation,
    sha256_file,
    write_atomic,
    write_generation,
    write_json,
)
from kgqa.errors import StoreError

FIRST = Generation(1, "extract", "2026-01-01T00:00:00+00:00", "gen-000001", {"a.sst": "00"})


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


def test_a_generation_counts_only_when_current_names_it(tmp_path: Path) -> None:
    write_generation(tmp_path, FIRST)
    assert current_generation(tmp_path) is None
    commit_generation(tmp_path, FIRST)
    assert current_generation(tmp_path) == "gen-000001"
    assert read_generation(tmp_path, "gen-000001") == FIRST


def test_a_newer_format_is_refused_with_a_remedy(tmp_path: Path) -> None:
    write_generation(tmp_path, replace(FIRST, format=artifacts.FORMAT + 1))
    with pytest.raises(StoreError, match=r"has format 2, .* reads up to 1; install the kgqa that wrote it"):
        read_generation(tmp_path, "gen-000001")


@pytest.mark.parametrize("damage", [b"", b'{"number": 2', b"[]", b'{"number": 2, "new": 1}', b"\xff\xfe"])
def test_a_damaged_generation_is_named_and_the_last_good_one_offered(tmp_path: Path, damage: bytes) -> None:
    write_generation(tmp_path, FIRST)
    path = tmp_path / "generations" / "gen-000002.json"
    path.write_bytes(damage)
    with pytest.raises(StoreError, match=r"gen-000002\.json.*generation=gen-000001"):
        read_generation(tmp_path, "gen-000002")


@pytest.mark.parametrize("content", ["", "gen-1", "../gen-000001", "gen-000001\ngen-000002"])
def test_a_damaged_current_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "CURRENT").write_text(content)
    with pytest.raises(StoreError, match="CURRENT"):
        current_generation(tmp_path)


def test_a_lost_current_is_not_taken_for_an_empty_knowledge_base(tmp_path: Path) -> None:
    write_generation(tmp_path, FIRST)
    write_generation(tmp_path, replace(FIRST, number=2))
    with pytest.raises(StoreError, match="missing, though gen-000002 exists"):
        current_generation(tmp_path)


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
