"""extract, index and expand as a user runs them."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from kgqa.knowledge_base import KnowledgeBase
from pipelines import expand, extract, index

FACTS = "Kismet|directed_by|William Dieterle\nKismet|release_year|1944\n"
SAMPLE = Path(__file__).parents[2] / "data/sample"
EMBEDDER = ("embedder=hashing", "embedder.width=16")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kb.txt").write_text(FACTS)
    return tmp_path


def facts_of(path: str) -> int:
    with KnowledgeBase.open(path) as base:
        return len(base.triples().heads)


def test_extract_index_expand(folder: Path) -> None:
    corpus = ("corpus=facts", "corpus.path=kb.txt", "kb=kb")
    assert extract.main(corpus) == 0
    assert index.main(("kb=kb", *EMBEDDER)) == 0
    with KnowledgeBase.open("kb") as base:
        assert len(base.memory("fact")) == 2
    (folder / "kb.txt").write_text(FACTS + "Kismet|has_genre|Musical\n")
    assert expand.main((*corpus, *EMBEDDER, "dry_run=true")) == 0
    assert facts_of("kb") == 2
    assert expand.main((*corpus, *EMBEDDER)) == 0
    with KnowledgeBase.open("kb") as base:
        assert (facts_of("kb"), len(base.memory("fact")), base.generation) == (3, 3, "gen-000003")
    manifests = [json.loads(path.read_text()) for path in sorted(folder.glob("runs/default/expand-*/manifest.json"))]
    assert [manifest["metrics"]["num_changed"] for manifest in manifests] == [1, 1]


@pytest.mark.parametrize(
    ("content", "more", "message"),
    [
        (b"", (), "holds no facts"),
        (b"\x00\x01\x02|\x03\n", (), "binary data"),
        (b"A|r|B\nA|r\n", ("strict=true",), "line 2"),
        (None, (), "does not exist"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_made(
    folder: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, more: tuple[str, ...], message: str
) -> None:
    path = folder / "bad.txt"
    if content is not None:
        path.write_bytes(content)
    assert extract.main(("corpus=facts", "corpus.path=bad.txt", "kb=kb", *more)) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "kb" / "CURRENT").exists()


def test_an_unreadable_document_is_a_counted_skip_said_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "docs").mkdir()
    (folder / "docs" / "a.txt").write_text("Lise Meitner was born in Vienna.")
    (folder / "docs" / "latin.txt").write_bytes(b"caf\xe9")
    assert extract.main(("corpus.path=docs", "kb=kb")) == 3
    shown = capsys.readouterr().err
    assert shown.count("latin.txt: not UTF-8 (byte 3 is 0xe9)") == 1
    assert "num_skipped 1" in shown
    assert extract.main(("corpus.path=docs", "kb=other", "strict=true")) == 2
    assert not (folder / "other" / "CURRENT").exists()


def test_an_interrupt_leaves_the_last_committed_state(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = ("corpus=facts", "corpus.path=kb.txt", "kb=kb")
    assert extract.main(corpus) == 0
    (folder / "kb.txt").write_text("A|r|B\n")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("kgqa.expand.writer.write_generation", interrupted)
        assert extract.main(corpus) == 130
    assert facts_of("kb") == 2
    assert extract.main(corpus) == 0
    assert facts_of("kb") == 1


def test_index_wants_a_knowledge_base(capsys: pytest.CaptureFixture[str]) -> None:
    assert index.main(("kb=nowhere", *EMBEDDER)) == 2
    assert "no knowledge base at nowhere" in capsys.readouterr().err


def dated(place: str, date: str) -> str:
    return f"---\ntitle: Lise Meitner\ndate: {date}\n---\nLise Meitner was born in {place}.\n"


def places() -> set[str]:
    with KnowledgeBase.open("kb") as base:
        return {text for text in base.triples().entity_texts if text != "Lise Meitner"}


def test_conflicts_are_reported_and_decided_as_the_keys_say(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "docs").mkdir()
    (folder / "docs" / "old.md").write_text(dated("Vienna", "1950"))
    (folder / "docs" / "new.md").write_text(dated("Graz", "2020-06-01"))
    (folder / "own.ttl").write_text(
        "<urn:kgqa:relation:born_in> a <http://www.w3.org/2002/07/owl#FunctionalProperty> ."
    )
    corpus = ("corpus.path=docs", "kb=kb", *EMBEDDER)
    assert expand.main((*corpus, "conflict.functional=[born_in]")) == 0
    assert places() == {"Vienna", "Graz"}
    assert "conflict: Lise Meitner born in: Graz (new, 2020-06-01) or Vienna (old, 1950)" in capsys.readouterr().err
    assert expand.main((*corpus, "conflict.policy=newest", "conflict.ontology=own.ttl")) == 0
    assert places() == {"Graz"}
    assert "conflicts are decided anew: policy newest" in capsys.readouterr().err
    (folder / "docs" / "more.md").write_text(dated("Vienna", "2021"))
    assert expand.main(corpus) == 0
    assert places() == {"Vienna"}, "what is not set stays as it was"
    runs = sorted(folder.glob("runs/default/expand-*"))
    found = [[json.loads(line) for line in (run / "conflicts.jsonl").read_text().splitlines()] for run in runs]
    assert [[record["policy"] for record in records] for records in found] == [["both"], ["newest"], ["newest"]]
    metrics = [json.loads((run / "manifest.json").read_text())["metrics"] for run in runs]
    assert [(row["num_conflicts"], row["num_overruled"]) for row in metrics] == [(1, 0), (1, 1), (1, 1)]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            ("conflict.policy=oldest", "conflict.functional=[r]"),
            "no such policy; there are both, newest, most_supported",
        ),
        (("conflict.policy=newest",), "has nothing to decide; name relations"),
        (("conflict.ontology=no.ttl",), "no.ttl is not a file; conflict.ontology"),
        (("conflict.learn_share=1.5",), "a share in (0, 1] is wanted"),
    ],
)
def test_wrong_keys_of_conflicts_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], keys: tuple[str, ...], message: str
) -> None:
    assert extract.main(("corpus=facts", "corpus.path=kb.txt", "kb=kb", *keys)) == 2
    assert message in capsys.readouterr().err
    assert not (folder / "kb" / "CURRENT").exists()


@pytest.mark.slow
@pytest.mark.parametrize("engine", [("engine.processes=2",), ("engine=ray",)])
def test_several_processes_extract_the_same(folder: Path, engine: tuple[str, ...]) -> None:
    if "engine=ray" in engine:
        pytest.importorskip("ray")
    corpus = f"corpus.path={SAMPLE / 'documents'}"
    assert extract.main((corpus, "kb=one")) == 0
    assert extract.main((corpus, "kb=many", *engine)) == 0
    one, many = (sorted((folder / kb / "extract").rglob("*.jsonl")) for kb in ("one", "many"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in many]
    assert one


def stop_after(runs: Path, lines: int, *, more: Path) -> None:
    """Puts `more` into the watched folder after the first line of metrics, and sends SIGTERM once there are `lines`."""

    def wait() -> None:
        for _ in range(1200):
            time.sleep(0.05)
            found = [len(path.read_text().splitlines()) for path in runs.glob("expand-*/metrics.jsonl")]
            if found and max(found) >= lines:
                os.kill(os.getpid(), signal.SIGTERM)
                return
            if found and max(found) == 1 and more.exists():
                more.rename(more.parent / "facts" / more.name)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=wait, daemon=True).start()


def test_a_watch_commits_as_files_come_and_ends_by_sigterm(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "facts").mkdir()
    (folder / "kb.txt").rename(folder / "facts" / "kb.txt")
    (folder / "more.tsv").write_text("Kismet\thas_genre\tMusical\n")
    stop_after(folder / "runs" / "default", 2, more=folder / "more.tsv")
    keys = ("corpus=facts", "corpus.path=facts", "kb=kb", "watch=true", "watch_seconds=0.05", *EMBEDDER)
    assert expand.main(keys) == 0
    assert "stopped; what was committed stays" in capsys.readouterr().err
    (run,) = folder.glob("runs/default/expand-*")
    manifest = json.loads((run / "manifest.json").read_text())
    assert (manifest["status"], manifest["metrics"]) == (
        "done", {"num_generations": 2, "num_added": 2, "num_changed": 0, "num_removed": 0},
    )  # fmt: skip
    with KnowledgeBase.open("kb") as base:
        assert (facts_of("kb"), len(base.memory("fact")), base.generation) == (3, 3, "gen-000002")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            ("dry_run=true", "corpus.allow_empty=true"),
            "watch=true goes without dry_run, corpus.allow_empty; run expand",
        ),
        (("watch_seconds=0",), "watch_seconds=0: more than 0 is wanted"),
        (("corpus=sparql", "corpus.url=http://127.0.0.1:1/"), "watch=true goes without corpus=sparql; run expand"),
    ],
)
def test_what_makes_no_sense_with_a_watch_is_refused(
    capsys: pytest.CaptureFixture[str], keys: tuple[str, ...], message: str
) -> None:
    assert expand.main(("corpus.path=kb.txt", "kb=kb", "watch=true", *keys)) == 2
    assert message in capsys.readouterr().err
