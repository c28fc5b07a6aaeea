"""`kgqa index` as a user runs it, over a handful of documents: what it measures and what it lists."""

import json
from pathlib import Path

import pytest

from pipelines import index
from tests.expand.toy import build

FILES = {"one.md": "ADELHEID knows BENJAMIN\n", "two.md": "BENJAMINN likes CID\nBENJAMIN likes CID\n"}


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build(Path("kb"), Path("corpus"), FILES, index=False)


def newest() -> Path:
    return max(Path("runs/default").glob("index-*"))


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run_index(*more: str) -> list[dict]:
    """The near-duplicates of a run."""
    assert index.main(["kb=kb", "embedder=hashing", "inspect.similar_from=0.5", *more]) == 0
    return lines(newest() / "near_duplicates.jsonl")


def test_index_measures_each_kind_and_lists_new_entities_that_may_be_one(capsys):
    (pair,) = run_index()
    assert {pair["one"]["text"], pair["other"]["text"]} == {"BENJAMIN", "BENJAMINN"}
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("recall@10", "searches/s", "passage", "1.000"))
    rows = {row["kind"]: row for row in lines(newest() / "metrics.jsonl") if "kind" in row}
    assert {kind: row["num_vectors"] for kind, row in rows.items()} == {
        "entity": 4, "relation": 2, "fact": 3, "passage": 3,
    }  # fmt: skip
    assert all(row["recall"] == 1.0 and row["num_segments"] == 1 for row in rows.values())
    last = lines(newest() / "metrics.jsonl")[-1]
    assert last["num_near_duplicates"] == 1
    assert last["vectors_per_second"] > 0


def test_only_new_entities_are_held_against_the_others_and_all_where_none_is_new():
    run_index()
    build(Path("kb"), Path("corpus"), FILES | {"three.md": "ADELHEIDE knows BENJAMIN\n"}, index=False)
    (pair,) = run_index()
    assert {pair["one"]["text"], pair["other"]["text"]} == {"ADELHEID", "ADELHEIDE"}
    assert len(run_index()) == 2


def test_nothing_is_measured_or_listed_where_it_is_not_wanted():
    assert run_index("inspect.probes=0", "inspect.most_pairs=0") == []
    rows = [row for row in lines(newest() / "metrics.jsonl") if "kind" in row]
    assert all(row["recall"] is None for row in rows)
