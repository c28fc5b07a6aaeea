"""What is known of a fact: who states it in which words, and when it came and went."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from kgqa.conflicts import Policy
from kgqa.generations import generation_name
from kgqa.ids import ASSERTED, document_iri, entity_iri, relation_iri
from kgqa.knowledge_base import KnowledgeBase
from tests.expand.toy import ToyExtractor, build, fast_folder

KNOWS = (entity_iri("A"), relation_iri("knows"), entity_iri("B"))
DATED = "---\ntitle: First\ndate: 1999-12-31\n---\n\nA knows B\n"


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fact in a document, in a file from the second generation on, in another file in the third only."""
    folder = tmp_path_factory.mktemp("kb")
    kb, corpus = folder / "kb", folder / "corpus"
    build(kb, corpus, {"a.md": DATED})
    build(kb, corpus, {"a.md": DATED, "k.tsv": "X\tknows\tY\nA\tknows\tB\n"})
    build(kb, corpus, {"a.md": DATED, "k.tsv": "X\tknows\tY\nA\tknows\tB\n", "b.md": "Second\n\nC = A\nC knows B\n"})
    build(kb, corpus, {"a.md": DATED, "k.tsv": "A\tknows\tB\n"}, extractor=ToyExtractor("toy-2"))
    return kb


def test_every_support_is_told_of_with_its_document(kb: Path) -> None:
    with KnowledgeBase.open(kb) as base:
        fact = base.fact(*KNOWS)
    assert fact is not None
    assert (fact.texts, fact.held, fact.first, fact.last) == (("A", "knows", "B"), True, "gen-000001", None)
    rows = [
        (s.provenance.doc_id, s.provenance.sentence, s.provenance.span, s.first, s.last, d.reader)
        for s, d in zip(fact.supports, fact.documents, strict=True)
    ]
    assert rows == [
        ("k.tsv", "", (0, 1), "gen-000004", None, "given-1"),
        ("a", "A knows B", (1, 10), "gen-000001", None, "toy-2"),
        ("k.tsv", "", (1, 2), "gen-000002", "gen-000003", "given-1"),
        ("b", "C knows B", (14, 23), "gen-000003", "gen-000003", "toy-1"),
    ]
    assert fact.supports[1].provenance.tail_span == (9, 10)
    assert fact.supports[3].stated == (entity_iri("C"), *KNOWS[1:])
    document = fact.documents[1]
    assert (document.title, document.date, Path(document.path).name) == ("First", "1999-12-31", "a.md")


def test_an_older_generation_knows_nothing_of_later_ones(kb: Path) -> None:
    with KnowledgeBase.open(kb, generation="gen-000002") as base:
        fact = base.fact(*KNOWS)
        assert fact is not None
        assert [(support.first, support.last) for support in fact.supports] == [
            ("gen-000002", None), ("gen-000001", None)
        ]  # fmt: skip
        assert [document.reader for document in fact.documents] == ["given-1", "toy-1"]
        assert base.fact(entity_iri("A"), relation_iri("knows"), entity_iri("Z")) is None


def test_a_fact_that_has_gone_says_when(kb: Path) -> None:
    with KnowledgeBase.open(kb) as base:
        fact = base.fact(entity_iri("X"), relation_iri("knows"), entity_iri("Y"))
    assert fact is not None
    assert (fact.held, fact.first, fact.last) == (False, "gen-000002", "gen-000003")


def test_a_literal_is_found_in_any_spelling(tmp_path: Path) -> None:
    year = '"{}"^^<http://www.w3.org/2001/XMLSchema#integer>'
    build(tmp_path / "kb", tmp_path / "corpus", {"k.nt": f"<urn:a> <urn:p> {year.format('0007')} .\n"})
    with KnowledgeBase.open(tmp_path / "kb") as base:
        fact = base.fact("urn:a", "urn:p", year.format("+7"))
    assert fact is not None
    assert fact.triple[2] == year.format("7")


def test_history_in_sparql_has_given_facts_and_what_has_ended(kb: Path) -> None:
    with KnowledgeBase.open(kb) as base:
        rows = base.history([KNOWS, KNOWS, ("urn:no", "urn:no", "urn:no")]).query(
            f"""PREFIX kgqa: <urn:kgqa:vocabulary:> PREFIX prov: <http://www.w3.org/ns/prov#>
            PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
            SELECT ?document ?end ?first ?last {{ GRAPH ?document {{
                ?support rdf:subject <{KNOWS[0]}> ; prov:wasDerivedFrom ?document ; kgqa:end ?end ;
                    kgqa:firstGeneration ?first . OPTIONAL {{ ?support kgqa:lastGeneration ?last }}
            }} }} ORDER BY ?document ?first"""
        )
    integer = '"{}"^^<http://www.w3.org/2001/XMLSchema#integer>'
    assert rows == [
        (document_iri("a"), integer.format(10), '"gen-000001"', ""),
        (document_iri("b"), integer.format(23), '"gen-000003"', '"gen-000003"'),
        (document_iri("k.tsv"), integer.format(2), '"gen-000002"', '"gen-000003"'),
        (document_iri("k.tsv"), integer.format(1), '"gen-000004"', ""),
    ]


def test_a_fact_that_a_policy_overrules_is_known_and_not_held(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    policy = Policy("most_supported", frozenset({KNOWS[1]}))
    one, two = {"a.tsv": "A\tknows\tB"}, {"b.tsv": "A\tknows\tC", "c.tsv": "A\tknows\tC"}
    for files in (one, one | two, {"a.tsv": "A\tknows\tB\nX\tknows\tY"}, one | two):
        build(kb, corpus, files, policy=policy)
    with KnowledgeBase.open(kb) as base:
        fact = base.fact(*KNOWS)
        rows = base.history([KNOWS]).query(f"SELECT ?h {{ GRAPH <{ASSERTED}> {{ ?h ?r ?t }} }}")
    assert fact is not None
    assert (fact.held, fact.first, fact.last) == (False, "gen-000001", "gen-000003")
    assert fact.periods == (("gen-000001", "gen-000001"), ("gen-000003", "gen-000003"))
    assert fact.supports[0].last is None
    assert not rows


stated = strategies.tuples(strategies.booleans(), strategies.booleans())


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.lists(stated, min_size=1, max_size=6))
def test_the_periods_are_the_generations_that_hold_the_fact(states: list[tuple[bool, bool]]) -> None:
    """Two documents state it or do not; a third makes every generation different."""
    with fast_folder() as name:
        kb, corpus = Path(name) / "kb", Path(name) / "corpus"
        for number, (one, two) in enumerate(states):
            files = {"one.tsv": "A\tknows\tB", "two.tsv": "A\tknows\tB\nB\tknows\tC"}
            kept = {file: text for (file, text), holds in zip(files.items(), (one, two), strict=True) if holds}
            build(kb, corpus, kept | {"other.tsv": f"X\tknows\t{number}"}, index=False)
        with KnowledgeBase.open(kb) as base:
            fact = base.fact(*KNOWS)
    holding = [number for number, state in enumerate(states, 1) if any(state)]
    told = (
        []
        if fact is None
        else [(int(first[4:]), len(states) if last is None else int(last[4:])) for first, last in fact.periods]
    )
    assert [number for first, last in told for number in range(first, last + 1)] == holding
    assert all(after[0] > before[1] + 1 for before, after in pairwise(told))
    if fact is not None:
        assert fact.held == any(states[-1])
        assert (fact.first, fact.last) == (
            generation_name(holding[0]),
            None if fact.held else generation_name(holding[-1]),
        )
