"""`kgqa retrieve` as a user runs it, over a handful of documents."""

import json
from pathlib import Path

import pytest

from kgqa.expand.apply import Settings, expand
from kgqa.expand.plan import Corpus
from pipelines import index, retrieve
from tests.expand.toy import build

FILES = {"one.md": "ADELHEID knows BENJAMIN\n", "two.md": "BENJAMINN likes CID\nBENJAMIN likes CID\n"}


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build(Path("kb"), Path("corpus"), FILES, index=False)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_nearest_passages_and_facts_of_each_question():
    assert index.main(["kb=kb", "embedder=hashing"]) == 0
    Path("q.txt").write_text("What does ADELHEID do?\n\nAnd CID?\n", encoding="utf-8")
    more = ["kb=kb", "questions=q.txt", "out=found.jsonl", "retrieve.passages=1", "retrieve.facts=2"]
    assert retrieve.main(more) == 0
    first, second = lines(Path("found.jsonl"))
    assert [found["text"] for found in first["passages"]] == ["ADELHEID knows BENJAMIN"]
    assert (first["facts"][0]["head_text"], first["facts"][0]["sentence"]) == ("ADELHEID", "ADELHEID knows BENJAMIN")
    assert [found["doc_id"] for found in second["passages"]] == ["two"]
    assert len(second["facts"]) == 2


def test_a_base_without_vectors_or_documents_gives_what_it_has():
    Path("facts.txt").write_text("ADELHEID|knows|BENJAMIN\n", encoding="utf-8")
    expand(Path("given"), Corpus(Path("facts.txt"), "facts"), Settings())
    Path("q.txt").write_text("Whom does ADELHEID know?\n", encoding="utf-8")
    assert retrieve.main(["kb=given", "questions=q.txt", "out=found.jsonl"]) == 0
    (record,) = lines(Path("found.jsonl"))
    assert record["passages"] == []
    assert [found["tail_text"] for found in record["facts"]] == ["BENJAMIN"]


@pytest.mark.parametrize(
    ("override", "message"),
    [("kb=nowhere", "no knowledge base at nowhere"), ("questions=nowhere.txt", "nowhere.txt does not exist")],
)
def test_what_cannot_be_used_is_one_message(capsys, override, message):
    Path("q.txt").write_text("Who?\n", encoding="utf-8")
    assert retrieve.main(["kb=kb", "questions=q.txt", override]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
