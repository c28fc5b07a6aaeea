"""A generation counts when `CURRENT` names it; what is damaged, changed or newer is refused with a remedy."""

from dataclasses import replace
from pathlib import Path

import pytest

from kgqa import generations
from kgqa.errors import StoreError
from kgqa.generations import Generation, commit_generation, current_generation, read_generation, write_generation

FIRST = Generation(1, "extract", "2026-01-01T00:00:00+00:00", "gen-000001", {"a.sst": "00"})


def test_a_generation_counts_only_when_current_names_it(tmp_path: Path) -> None:
    write_generation(tmp_path, FIRST)
    assert current_generation(tmp_path) is None
    commit_generation(tmp_path, FIRST)
    assert current_generation(tmp_path) == "gen-000001"
    assert read_generation(tmp_path, "gen-000001") == FIRST


def test_a_newer_format_is_refused_with_a_remedy(tmp_path: Path) -> None:
    write_generation(tmp_path, replace(FIRST, format=generations.FORMAT + 1))
    with pytest.raises(StoreError, match=r"has format 3, .* reads up to 2; install the kgqa that wrote it"):
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


def test_a_changed_generation_is_refused_and_one_from_before_digests_is_read(tmp_path: Path) -> None:
    write_generation(tmp_path, FIRST)
    path = tmp_path / "generations" / "gen-000001.json"
    whole = path.read_text()
    path.write_text(whole.replace('"extract"', '"expand"'))
    with pytest.raises(StoreError, match=r"gen-000001\.json was changed after it was written"):
        read_generation(tmp_path, "gen-000001")
    path.write_text("".join(line for line in whole.splitlines(keepends=True) if '"sha256"' not in line))
    assert read_generation(tmp_path, "gen-000001") == FIRST
