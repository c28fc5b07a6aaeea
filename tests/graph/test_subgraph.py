"""The arrays say what the triples say, whatever their order."""

import numpy as np
from hypothesis import given, strategies

from kgqa.graph.subgraph import TripleTable, triple_table
from kgqa.graph.views import to_networkx

terms = strategies.sampled_from([f"urn:kgqa:entity:{name}" for name in "abcdé"])
relations = strategies.sampled_from(["urn:kgqa:relation:born_in", "urn:x:birthPlace"])
triples = strategies.lists(strategies.tuples(terms, relations, terms), unique=True, max_size=12)


def read_back(table: TripleTable) -> set[tuple[str, str, str]]:
    columns = zip(table.heads, table.relations, table.tails, strict=True)
    return {(table.entities[h], table.relation_terms[r], table.entities[t]) for h, r, t in columns}


@given(triples, strategies.randoms())
def test_the_table_holds_the_triples_and_ignores_their_order(facts: list[tuple[str, str, str]], random) -> None:  # type: ignore[no-untyped-def]
    table = triple_table(facts, {})
    assert read_back(table) == set(facts)
    assert table.heads.dtype == table.relations.dtype == table.tails.dtype == np.int64
    assert table.entities == sorted({term for head, _, tail in facts for term in (head, tail)})
    random.shuffle(facts)
    again = triple_table(facts, {})
    assert (table.entities, table.relation_terms) == (again.entities, again.relation_terms)
    assert read_back(again) == set(facts)


@given(triples)
def test_networkx_has_the_same_edges(facts: list[tuple[str, str, str]]) -> None:
    graph = to_networkx(triple_table(facts, {}))
    assert {(head, key, tail) for head, tail, key in graph.edges(keys=True)} == set(facts)


def test_labels_come_before_what_a_term_says() -> None:
    table = triple_table([("urn:kgqa:entity:a", "urn:x:birthPlace", '"1903"')], {"urn:kgqa:entity:a": "Anna"})
    assert sorted(table.entity_texts) == ["1903", "Anna"]
    assert table.relation_texts == ["birth place"]
