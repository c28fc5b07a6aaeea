"""Older generations stay whole while they are kept, what is pruned leaves nothing, and damage is found and mended."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from kgqa.errors import InputError, StoreError
from kgqa.expand.apply import Settings, expand
from kgqa.expand.compact import compact
from kgqa.expand.plan import Corpus
from kgqa.expand.repair import repair
from kgqa.expand.rollback import rollback
from kgqa.expand.verify import verify
from kgqa.generations import commit_generation, current_generation, generation_names, read_generation
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.index import IndexOptions
from tests.expand.toy import build, dump, settings, write_corpus

ONE = {"a.md": "First\n\nA knows B\nB likes C\n", "k.tsv": "X\tknows\tA\n"}
TWO = {"a.md": "First\n\nA knows B\n", "b.md": "Second\n\nC knows Zebulon\nD = A\n", "k.tsv": "X\tknows\tA\n"}
THREE = {"a.md": "First\n\nA knows E\n", "k.tsv": "X\tknows\tB\n"}


@pytest.fixture
def kb(tmp_path: Path) -> Path:
    """Three generations: ONE, TWO, THREE."""
    for files in (ONE, TWO, THREE):
        build(tmp_path / "kb", tmp_path / "corpus", files)
    return tmp_path / "kb"


def holds(folder: Path, text: str) -> list[str]:
    """The files below a folder in which the text stands."""
    return [path.name for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_only_the_newest_generations_are_kept(kb: Path) -> None:
    wanted = dump(kb, "gen-000003")
    expand(kb, write_corpus(kb.parent / "corpus", ONE), Settings(**vars(settings()) | {"keep": 2}))
    assert generation_names(kb) == ["gen-000003", "gen-000004"]
    assert dump(kb, "gen-000003") == wanted
    with pytest.raises(StoreError, match="no generation gen-000001"):
        KnowledgeBase.open(kb, generation="gen-000001")
    oldest = sqlite3.connect(kb / "ledger.sqlite").execute("SELECT min(died) FROM supports").fetchone()[0]
    assert oldest > 3
    assert {path.name for path in (kb / "graph" / "snapshots").iterdir()} == {"gen-000003", "gen-000004"}


def test_a_generation_that_is_open_is_not_pruned(kb: Path) -> None:
    with KnowledgeBase.open(kb, generation="gen-000002") as reader:
        before = dump(kb, "gen-000002")
        compact(kb, options=IndexOptions(), keep=1)
        assert generation_names(kb) == ["gen-000002", "gen-000004"]
        assert dump(kb, "gen-000002") == before
        assert len(reader.memory("entity").search(reader.memory("entity").get(reader.memory("entity").ids()), 1)[0])
    compact(kb, options=IndexOptions(), keep=1)
    assert len(generation_names(kb)) == 1


def test_what_was_removed_is_gone_from_the_disk_after_compaction(kb: Path) -> None:
    assert holds(kb, "Zebulon")
    done = compact(kb, options=IndexOptions(), keep=1)
    assert not holds(kb, "Zebulon")
    assert done.reclaimed > 0
    assert sum(done.after.values()) < sum(done.before.values())


def test_a_batch_keeps_its_living_documents_through_compaction(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    files = {f"{name}.md": f"{name}\n\n{name} knows Z\n" for name in "ABC"}
    build(kb, corpus, files)
    line = next(x for x in (kb / "extract" / "batch-000001" / "facts.jsonl").read_text().splitlines() if '"B"' in x)
    build(kb, corpus, {name: text for name, text in files.items() if name != "A.md"})
    compact(kb, options=IndexOptions(), keep=1)
    (batch,) = (kb / "extract").iterdir()
    assert batch.name == "batch-000003"
    assert line in (batch / "facts.jsonl").read_text().splitlines()
    assert not holds(batch, "A knows Z")
    assert verify(kb) == []


def test_rolling_back_and_forward(kb: Path) -> None:
    first, third = dump(kb, "gen-000001"), dump(kb)
    assert rollback(kb, "gen-000001") == "gen-000004"
    assert dump(kb) == first
    assert dump(kb, "gen-000003") == third
    assert verify(kb) == []
    build(kb, kb.parent / "corpus", THREE)
    assert dump(kb) == third
    rollback(kb, "gen-000004")
    assert dump(kb) == first


def test_rolling_back_to_what_is_not_older_is_refused(kb: Path) -> None:
    with pytest.raises(InputError, match="gen-000003 is the current generation"):
        rollback(kb, "gen-000003")
    with pytest.raises(StoreError, match="no generation gen-000009"):
        rollback(kb, "gen-000009")


@pytest.mark.parametrize(("damage", "good"), [("generations/gen-000003.json", "gen-000002"), ("CURRENT", "gen-000003")])
def test_rolling_back_mends_a_generation_that_cannot_be_read(kb: Path, damage: str, good: str) -> None:
    wanted = dump(kb, good)
    (kb / damage).write_bytes(b"{")
    (problem,) = verify(kb)
    assert f"to={good}" in problem.remedy
    rollback(kb, good)
    assert dump(kb) == wanted
    assert verify(kb) == []
    build(kb, kb.parent / "corpus", THREE)
    assert verify(kb) == []


def flip(path: Path) -> None:
    """Changes one byte in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.chmod(0o644)
    path.write_bytes(bytes(data))


def run_sql(kb: Path, sql: str) -> None:
    with sqlite3.connect(kb / "ledger.sqlite") as connection:
        connection.execute(sql)
    connection.close()


def change_graph(kb: Path) -> None:
    """The committed snapshot again, one fact less, with its right hashes: only the ledger knows better."""
    from dataclasses import replace

    from kgqa.artifacts import hash_folder
    from kgqa.generations import write_generation
    from kgqa.graph.oxigraph import GraphStore
    from kgqa.ids import ASSERTED

    state = read_generation(kb, "gen-000003")
    snapshot = kb / "graph" / "snapshots" / "gen-000003"
    shutil.copytree(snapshot, kb / "copy")
    with GraphStore.open(kb / "copy", read_only=False) as store:
        store.remove([next(store.scan(graph=ASSERTED))])
        store.snapshot(snapshot)
    shutil.rmtree(kb / "copy")
    write_generation(kb, replace(state, snapshot_files=hash_folder(snapshot, known={}, known_folder=None)))
    commit_generation(kb, state)


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "vectors": (lambda kb: flip(next((kb / "memory" / "entity").glob("seg-*")) / "vectors.npy"), "vectors.npy"),
    "segment": (lambda kb: shutil.rmtree(next((kb / "memory" / "fact").glob("seg-*"))), "memory/fact"),
    "snapshot": (lambda kb: flip(next((kb / "graph" / "snapshots" / "gen-000003").glob("*.sst"))), ".sst: differs"),
    "snapshot file": (
        lambda kb: next((kb / "graph" / "snapshots" / "gen-000003").glob("*.sst")).unlink(),
        "is missing",
    ),
    "graph": (change_graph, "lacks 1 quads"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named_and_mended_from_the_ledger(kb: Path, kind: str) -> None:
    damage, named = DAMAGE[kind]
    wanted = dump(kb)
    damage(kb)
    problems = verify(kb)
    assert problems
    assert named in " ".join(map(str, problems))
    assert all(problem.remedy for problem in problems)
    repair(kb, settings())
    assert verify(kb) == []
    assert dump(kb) == wanted


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("DELETE FROM supports WHERE id = (SELECT max(id) FROM supports)", "holds"),
        ("UPDATE names SET name = 'Mallory'", "lacks"),
        ("DELETE FROM passages", "num_passages"),
    ],
)
def test_a_ledger_that_disagrees_with_the_graph_is_seen(kb: Path, sql: str, named: str) -> None:
    rollback(kb, "gen-000002")
    run_sql(kb, sql)
    assert named in " ".join(map(str, verify(kb)))


def test_a_damaged_batch_is_named(kb: Path) -> None:
    flip(kb / "extract" / "batch-000003" / "facts.jsonl")
    (problem,) = verify(kb)
    assert "batch-000003/facts.jsonl: differs" in str(problem)
    assert "restore" in problem.remedy


def test_a_missing_ledger_is_an_error_with_a_remedy(kb: Path) -> None:
    (kb / "ledger.sqlite").unlink()
    (problem,) = verify(kb)
    assert "ledger.sqlite is missing" in problem.what


def test_a_clock_that_goes_backwards_changes_nothing(kb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    import kgqa.expand.writer as writer

    class Yesterday(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime(2001, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(writer, "datetime", Yesterday)
    build(kb, kb.parent / "corpus", ONE)
    assert current_generation(kb) == "gen-000004"
    assert verify(kb) == []


def test_a_document_id_with_path_separators_stays_inside(tmp_path: Path) -> None:
    corpus = tmp_path / "feed.jsonl"
    corpus.write_text('{"id": "../../etc/passwd", "title": "T", "text": "A knows B"}\n')
    expand(tmp_path / "kb", Corpus(corpus), settings())
    assert {path.name for path in tmp_path.iterdir()} == {"kb", "feed.jsonl"}
    assert verify(tmp_path / "kb") == []
    with KnowledgeBase.open(tmp_path / "kb") as base:
        assert [row.doc_id for row in base.ledger.documents()] == ["../../etc/passwd"]
