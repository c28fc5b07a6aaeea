"""Conflicts are decided by supports and dates alone: any sequence of changes and policies ends like a fresh build."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies

import kgqa.conflicts
from kgqa.conflicts import KEEP, Conflict, Policy
from kgqa.errors import ConfigError, StoreError
from kgqa.expand.apply import index
from kgqa.expand.compact import compact
from kgqa.expand.repair import repair
from kgqa.expand.report import report_conflicts
from kgqa.expand.rollback import rollback
from kgqa.expand.verify import verify
from kgqa.ids import entity_iri, name_of, relation_iri
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.index import IndexOptions
from tests.expand.test_apply import asserted
from tests.expand.toy import build, dump, fast_folder
from tests.expand.toy import settings as toy_settings


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory where that can be: most of a small delta's time is waiting for the disk."""
    with fast_folder() as name:
        yield Path(name)


BORN = relation_iri("born")
NEWEST = Policy("newest", frozenset({BORN}))
MOST = Policy("most_supported", frozenset({BORN}))
BOTH = Policy("both", frozenset({BORN}))

QUICK = settings(
    max_examples=15, deadline=None, suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)  # fmt: skip
dates = strategies.sampled_from(["", "1999", "2001-05", "2001-05-02", "2001-05-02T10:00:00+02:00", "soon"])
facts = strategies.builds(
    "{} {} {}".format, strategies.sampled_from("AB"), strategies.sampled_from(["born", "born", "likes"]),
    strategies.sampled_from("ABCX"),
)  # fmt: skip
merges = strategies.builds("{} = {}".format, strategies.sampled_from("ABCX"), strategies.sampled_from("ABCX"))


def prose(date: str, lines: list[str]) -> str:
    front = f"---\ndate: {date}\n---\n" if date else ""
    return front + "A text\n\n" + "\n".join(lines)


def corpora(lines: strategies.SearchStrategy[str]) -> strategies.SearchStrategy[dict[str, str]]:
    texts = strategies.builds(prose, dates, strategies.lists(lines, max_size=3))
    given_facts = strategies.just("A\tborn\tD")
    optional = {"1.md": texts, "2.md": texts, "3.md": texts, "4.md": texts, "given.tsv": given_facts}
    return strategies.fixed_dictionaries({}, optional=optional)


functional = strategies.sampled_from([frozenset[str](), frozenset({BORN}), frozenset({BORN, relation_iri("likes")})])
policies = strategies.builds(Policy, strategies.sampled_from(KEEP), functional)


sequences = strategies.lists(strategies.tuples(corpora(facts | merges), policies), min_size=2, max_size=4)


@QUICK
@given(sequences)
def test_any_sequence_of_changes_and_policies_equals_a_fresh_build(states: list[tuple[dict[str, str], Policy]]) -> None:
    check_sequence(states)


@pytest.mark.slow
@settings(QUICK, max_examples=500)
@given(sequences)
def test_many_sequences(states: list[tuple[dict[str, str], Policy]]) -> None:
    check_sequence(states)


def check_sequence(states: list[tuple[dict[str, str], Policy]]) -> None:
    with fast_folder() as name:
        folder = Path(name)
        for corpus, policy in states:
            build(folder / "grown", folder / "corpus", corpus, policy=policy)
        if (folder / "grown" / "CURRENT").exists():
            assert verify(folder / "grown") == []
            compact(folder / "grown", options=IndexOptions(), keep=1)
        corpus, policy = states[-1]
        build(folder / "fresh", folder / "corpus", corpus, policy=policy)
        if (folder / "fresh" / "CURRENT").exists():
            assert dump(folder / "grown") == dump(folder / "fresh")


def stated(files: dict[str, str]) -> Iterator[tuple[str, str, str, str, str]]:
    """(document, date, head, relation, tail) of each fact of a corpus without merges."""
    for name, text in files.items():
        date = text.partition("date: ")[2].partition("\n")[0]
        for line in text.replace("\t", " ").splitlines():
            if len(words := line.split()) == 3:
                yield name, "" if date == "soon" else date, words[0], words[1], words[2]


def naive(files: dict[str, str], keep: str) -> set[str]:
    """What is asserted, by the letter of the policy: all but what loses against another value of `born`."""
    order = ["", "1999", "2001-05", "2001-05-02", "2001-05-02T10:00:00+02:00"]
    rank = {}
    for _, _, head, relation, tail in stated(files):
        rows = [row for row in stated(files) if row[2:] == (head, relation, tail)]
        newest, documents = max(order.index(row[1]) for row in rows), len({row[0] for row in rows})
        rank[head, relation, tail] = (newest, documents) if keep == "newest" else (documents, newest)
    free = [fact for fact in rank if keep == "both" or fact[1] != "born"]
    best = [fact for fact in rank if all(rank[fact] >= rank[other] for other in rank if other[:2] == fact[:2])]
    return {" ".join(fact) for fact in [*free, *best]}


@QUICK
@given(corpora(facts), strategies.sampled_from(KEEP))
def test_what_is_asserted_is_what_the_policy_says(files: dict[str, str], keep: str) -> None:
    with fast_folder() as name:
        kb = Path(name) / "kb"
        build(kb, Path(name) / "corpus", files, policy=Policy(keep, frozenset({BORN})), index=False)
        expected = naive(files, keep)
        assert (asserted(kb) if (kb / "CURRENT").exists() else set()) == expected


def born(date: str, place: str) -> str:
    return prose(date, [f"Ada born {place}"])


OLD_AND_NEW = {"old.md": born("1999", "Graz"), "new.md": born("2020-01-01", "Vienna"), "also.md": born("", "Graz")}


def conflicts(kb: Path, *, touched: bool = False, generation: str | None = None) -> list[Conflict]:
    with KnowledgeBase.open(kb, generation=generation) as base:
        return list(base.conflicts(touched=touched))


def kept(conflict: Conflict) -> list[str]:
    return [name_of(value.term) for value in conflict.values if value.kept]


@pytest.mark.parametrize(
    ("policy", "stay"), [(BOTH, ["Vienna", "Graz"]), (NEWEST, ["Vienna"]), (MOST, ["Graz"])], ids=KEEP
)
def test_a_policy_keeps_and_the_rest_is_no_fact_no_node_and_no_vector(
    tmp_path: Path, policy: Policy, stay: list[str]
) -> None:
    kb = tmp_path / "kb"
    build(kb, tmp_path / "corpus", OLD_AND_NEW, policy=policy)
    (conflict,) = conflicts(kb)
    assert kept(conflict) == stay
    assert [name_of(value.term) for value in conflict.values] == ["Vienna", "Graz"], "the newest source comes first"
    assert [(s.source.doc_id, s.date) for s in conflict.values[1].supports] == [("old", "1999"), ("also", None)]
    assert asserted(kb) == {f"Ada born {place}" for place in stay}
    with KnowledgeBase.open(kb) as base:
        assert set(base.triples().entity_texts) == {"Ada", *stay}
        assert len(base.memory("entity", device="cpu")) == 1 + len(stay)
        assert len(base.memory("fact", device="cpu")) == len(stay)
        assert base.counts()["num_overruled"] == 2 - len(stay)
        stated_in_graphs = base.query(f"SELECT DISTINCT ?place {{ GRAPH ?document {{ ?ada <{BORN}> ?place }} }}")
        assert len(stated_in_graphs) == 2, "what loses stays in the graph of its document"
        (supports,) = base.provenance([(entity_iri("Ada"), BORN, entity_iri("Graz"))])
        assert {support.doc_id for support in supports} == {"old", "also"}


def test_what_lost_comes_back_when_the_winner_goes(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    without = {name: text for name, text in OLD_AND_NEW.items() if name != "new.md"}
    build(kb, corpus, without, policy=NEWEST)
    before = dump(kb)
    build(kb, corpus, OLD_AND_NEW, policy=NEWEST)
    assert asserted(kb) == {"Ada born Vienna"}
    build(kb, corpus, without, policy=NEWEST)
    assert dump(kb) == before


def test_a_date_alone_decides_anew(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    build(kb, corpus, OLD_AND_NEW, policy=NEWEST)
    build(kb, corpus, OLD_AND_NEW | {"old.md": born("2021", "Graz")}, policy=NEWEST)
    assert asserted(kb) == {"Ada born Graz"}
    assert len(conflicts(kb, touched=True)) == 1


def test_what_nothing_tells_apart_stays(tmp_path: Path) -> None:
    build(tmp_path / "kb", tmp_path / "corpus", {"a.md": born("", "Graz"), "b.md": born("", "Vienna")}, policy=NEWEST)
    assert asserted(tmp_path / "kb") == {"Ada born Graz", "Ada born Vienna"}
    assert len(conflicts(tmp_path / "kb")) == 1


def test_a_merge_of_the_values_ends_the_conflict(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    build(kb, corpus, OLD_AND_NEW, policy=NEWEST)
    build(kb, corpus, OLD_AND_NEW | {"names.md": prose("", ["Graz = Vienna"])}, policy=NEWEST)
    assert conflicts(kb) == []
    assert asserted(kb) == {"Ada born Graz"}


def test_a_new_policy_decides_all_conflicts_with_no_new_document(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    build(kb, corpus, OLD_AND_NEW)
    assert asserted(kb) == {"Ada born Graz", "Ada born Vienna"}
    outcome = build(kb, corpus, OLD_AND_NEW, policy=NEWEST)
    assert (outcome.generation, outcome.redecided, outcome.delta.empty) == ("gen-000002", True, True)
    assert asserted(kb) == {"Ada born Vienna"}
    assert build(kb, corpus, OLD_AND_NEW, policy=NEWEST).generation is None
    assert build(kb, corpus, OLD_AND_NEW).generation is None, "no policy: as it was"
    with KnowledgeBase.open(kb) as base:
        assert base.policy == NEWEST
    index(kb, toy_settings())
    build(kb, corpus, OLD_AND_NEW, policy=BOTH)
    assert asserted(kb) == {"Ada born Graz", "Ada born Vienna"}
    with KnowledgeBase.open(kb, generation="gen-000002") as base:
        assert kept(next(base.conflicts())) == ["Vienna"], "an older generation is as it was"


def test_only_what_a_delta_touched_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    others = {f"{n}.md": prose("", [f"P{n} born X", f"P{n} born Y"]) for n in range(8)}
    build(kb, corpus, others, policy=NEWEST)
    looked: list[int] = []
    real = kgqa.conflicts._conflict

    def counted(*args: Any, **options: Any) -> Conflict:
        looked.append(1)
        return real(*args, **options)

    monkeypatch.setattr(kgqa.conflicts, "_conflict", counted)
    build(kb, corpus, others | OLD_AND_NEW, policy=NEWEST)
    assert len(looked) == 1
    assert len(conflicts(kb, touched=True)) == 1
    assert len(conflicts(kb)) == 9


def test_a_day_does_not_contradict_its_year(tmp_path: Path) -> None:
    year, day, other = (
        f'<urn:ada> <{BORN}> "{value}"^^<http://www.w3.org/2001/XMLSchema#{kind}> .'
        for value, kind in (("1867", "gYear"), ("1867-11-07", "date"), ("1868", "gYear"))
    )
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    build(kb, corpus, {"a.nt": year, "b.nt": day}, policy=MOST)
    assert conflicts(kb) == []
    assert len(asserted(kb)) == 2
    build(kb, corpus, {"a.nt": year, "b.nt": day, "c.nt": other}, policy=MOST)
    assert asserted(kb) == {"ada born 1867", "ada born 1867-11-07"}, "the year speaks for the day"


def test_a_relation_whose_heads_nearly_all_have_one_value_is_reported_and_not_decided(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    files = {"many.md": prose("", [f"P{n} born X" for n in range(50)] + ["P1 likes A", "P1 likes B"])}
    learning = Policy("newest", frozenset({relation_iri("likes")}), min_heads=50, min_share=0.98)
    build(kb, corpus, files | {"one.md": prose("2000", ["P1 born Y"])}, policy=learning)
    found = conflicts(kb)
    assert [(name_of(c.relation), c.learned, len(kept(c))) for c in found] == [("born", True, 2), ("likes", False, 2)]
    build(kb, corpus, files | {"one.md": prose("2000", ["P1 born Y", "P2 born Y"])})
    assert [c.learned for c in conflicts(kb)] == [False], "2 of 50 heads are more than 2 %"
    with KnowledgeBase.open(kb) as base:
        assert [name_of(c.head) for c in base.conflicts([BORN])] == ["P1", "P2"], "asked for by name"


def test_the_report_has_every_value_with_its_sources(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = OLD_AND_NEW | {"odd.md": born("soon", "Linz")}
    build(tmp_path / "kb", tmp_path / "corpus", files, policy=NEWEST)
    out = tmp_path / "conflicts.jsonl"
    with caplog.at_level("INFO"):
        assert report_conflicts(tmp_path / "kb", "gen-000001", out, touched=True) == {"num_conflicts": 1}
    (record,) = map(json.loads, out.read_text().splitlines())
    assert (record["head_text"], record["relation_text"], record["policy"]) == ("Ada", "born", "newest")
    assert [(value["text"], value["kept"]) for value in record["values"]] == [
        ("Vienna", True), ("Graz", False), ("Linz", False),
    ]  # fmt: skip
    assert record["values"][0]["supports"] == [{
        "date": "2020-01-01", "doc_id": "new", "sentence": "Ada born Vienna",
        "head_span": [8, 11], "tail_span": [17, 23],
        "extractor": "toy", "confidence": 0.5, "start": 8, "end": 23,
    }]  # fmt: skip
    assert "Ada born: Vienna (new, 2020-01-01) or Graz (old, 1999; not kept)" in caplog.text
    assert "1 dates are not ISO 8601 and count as none, for example 'soon'" in caplog.text


def test_a_relation_that_no_fact_has_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    misspelt = Policy("newest", frozenset({relation_iri("bron"), "http://example.org/unused"}))
    build(tmp_path / "kb", tmp_path / "corpus", OLD_AND_NEW, policy=misspelt)
    assert "no fact has the relation bron" in caplog.text
    assert "unused" not in caplog.text


@pytest.mark.parametrize(("wrong", "message"), [({"keep": "oldest"}, "most_supported"), ({"min_share": 2.0}, "share")])
def test_a_wrong_policy_is_refused(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Policy(**wrong)  # type: ignore[arg-type]


def test_a_knowledge_base_of_format_1_opens_and_learns_with_its_next_change(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    build(kb, corpus, OLD_AND_NEW)
    make_old(kb)
    with KnowledgeBase.open(kb) as base, pytest.raises(StoreError, match=r"before conflicts were looked for.*expand"):
        base.conflicts()
    assert "older format; kgqa index" in str(verify(kb)[0])
    assert index(kb, toy_settings()).generation is None
    assert verify(kb) == []
    build(kb, corpus, OLD_AND_NEW | {"more.md": prose("", ["B likes C"])})
    build(tmp_path / "fresh", corpus, OLD_AND_NEW | {"more.md": prose("", ["B likes C"])})
    assert dump(kb) == dump(tmp_path / "fresh")


def make_old(kb: Path) -> None:
    """What the version before left: no tables of conflicts, no policy in the generation."""
    connection = sqlite3.connect(kb / "ledger.sqlite")
    connection.executescript("DROP TABLE overruled; DROP TABLE cardinalities;")
    connection.close()
    path = kb / "generations" / "gen-000001.json"
    old = json.loads(path.read_text())
    del old["conflict"], old["counts"]["num_overruled"], old["sha256"]
    path.write_text(json.dumps(old | {"format": 1}))


@pytest.mark.parametrize("damage", ["DELETE FROM overruled", "UPDATE cardinalities SET heads = heads + 1"])
def test_verify_sees_what_the_policy_does_not_say_and_repair_mends_it(tmp_path: Path, damage: str) -> None:
    kb = tmp_path / "kb"
    build(kb, tmp_path / "corpus", OLD_AND_NEW, policy=NEWEST)
    assert verify(kb) == []
    whole = dump(kb)
    connection = sqlite3.connect(kb / "ledger.sqlite")
    connection.executescript(damage)
    connection.close()
    assert any("ledger.sqlite" in problem.where for problem in verify(kb))
    repair(kb, toy_settings())
    assert verify(kb) == []
    assert dump(kb) == whole


def test_rolling_back_goes_back_to_the_policy_too(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    build(kb, corpus, OLD_AND_NEW, policy=NEWEST)
    before = dump(kb)
    build(kb, corpus, OLD_AND_NEW, policy=MOST)
    rollback(kb, "gen-000001")
    assert dump(kb) == before
    with KnowledgeBase.open(kb) as base:
        assert base.policy == NEWEST
    assert verify(kb) == []
