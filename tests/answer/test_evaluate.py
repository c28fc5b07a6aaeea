"""Operations over sets: the arrays, the SPARQL and a naive reading of the definitions give the same terms."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.answer.evaluate import Evaluator
from kgqa.graph.algebra import (
    And,
    ArgMax,
    ArgMin,
    Ask,
    Compare,
    Count,
    Filter,
    Key,
    Known,
    Not,
    Or,
    Path,
    formula,
    query,
)
from kgqa.graph.oxigraph import GraphStore
from kgqa.graph.queries import PathBranch
from kgqa.graph.subgraph import triple_table
from kgqa.graph.terms import XSD, canonical_term, literal
from kgqa.ids import ASSERTED, entity_iri, relation_iri

PEOPLE = [entity_iri(name) for name in ('A "b"', "B'}", "C\\", "D")]
VALUES = [
    *(literal(year, XSD + "gYear") for year in ("1903", "1904", "-0044")),
    *(literal(day, XSD + "date") for day in ("1903-05-07", "1903-11-30")),
    literal("1904-02", XSD + "gYearMonth"),
    literal("1904-02-01T10:00:00Z", XSD + "dateTime"),
    *(literal(number, XSD + "integer") for number in ("7", "-3")),
    *(literal(number, XSD + kind) for number in ("0.1", "7") for kind in ("decimal", "double", "float")),
    literal("many", XSD + "integer"),
    literal("NaN", XSD + "double"),
    literal("1903"),
    entity_iri("1903"),
    entity_iri("19031"),
]
LIKES, WORTH = relation_iri("likes"), relation_iri("worth")
BOUNDS = [19030000.0, 19039999.0, 19030507.0, 0.1, 7.0, -439685.0]
SIGNS = {"<": float.__lt__, "<=": float.__le__, ">": float.__gt__, ">=": float.__ge__}

people, nodes = st.sampled_from(PEOPLE), st.sampled_from(PEOPLE + VALUES)
liking = st.sets(st.tuples(people, st.just(LIKES), people), min_size=2, max_size=10)
worths = st.sets(st.tuples(people, st.just(WORTH), st.sampled_from(VALUES)), min_size=3, max_size=10)
graphs = st.builds(set.union, liking, worths)
choices = st.tuples(st.tuples(st.sampled_from([LIKES, LIKES, WORTH]), st.booleans()))
BY_WORTH = (((WORTH, False),),)
keys = st.builds(
    Key,
    st.sampled_from([BY_WORTH, BY_WORTH, (), (((LIKES, False), (LIKES, True)), ((WORTH, False),))]),
    st.sampled_from(["date", "number"]),
)


@st.composite
def paths(draw):
    hops = tuple(draw(st.lists(choices, max_size=2)))
    excluded = tuple(tuple(draw(st.sets(st.integers(0, step), max_size=1))) for step in range(len(hops)))
    return PathBranch(tuple(draw(st.lists(nodes, min_size=1, max_size=2))), hops, excluded)


def wider(inner):
    parts = st.lists(inner, min_size=1, max_size=2).map(tuple)
    tests = st.lists(st.tuples(st.sampled_from(list(SIGNS)), st.sampled_from(BOUNDS)), min_size=1, max_size=2)
    return st.one_of(
        st.builds(And, parts), st.builds(Or, parts), st.builds(Not, inner, inner),
        st.builds(Filter, inner, keys, tests.map(tuple)),
        st.builds(ArgMin, inner, keys), st.builds(ArgMax, inner, keys),
    )  # fmt: skip


leaves = st.lists(paths(), min_size=1, max_size=2).map(lambda found: Path(tuple(found)))
leaves |= st.lists(nodes, max_size=4).map(lambda found: Known(tuple(found)))
leaves |= st.just(Known(tuple(PEOPLE)))
sets = st.recursive(leaves, wider, max_leaves=4)
expressions = st.one_of(
    sets, wider(leaves), wider(st.just(Known(tuple(PEOPLE)))), st.builds(Count, sets), st.builds(Ask, sets),
    st.builds(Compare, leaves, leaves, keys, st.sampled_from("<>")),
)  # fmt: skip


def worth(term, kind):
    """The definition, read anew: a number as itself, a date as its digits."""
    text = term.removeprefix('"').partition('"')[0]
    datatype = term.rpartition("#")[2].rstrip(">")
    if kind == "number":
        known = datatype in ("integer", "decimal", "double", "float") and text not in ("many", "NaN")
        return (
            {"0.1": 0.10000000149011612}.get(text, float(text))
            if known and datatype == "float"
            else (float(text) if known else None)
        )
    if term == entity_iri("1903"):
        return 19030000.0
    if datatype not in ("gYear", "gYearMonth", "date", "dateTime"):
        return None
    year, month, day = (re.fullmatch(r"(-?\d+)-?(\d\d)?-?(\d\d)?.*", text)).groups(default="0")
    return float(year) * 10000 + float(month) * 100 + float(day)


class Naive:
    """Every definition as a loop over triples."""

    def __init__(self, triples):
        self.triples = triples
        self.known = {term for head, _, tail in triples for term in (head, tail)}

    def hop(self, here, hop):
        ends = {t for h, r, t in self.triples if (r, False) in hop and h in here}
        return ends | {h for h, r, t in self.triples if (r, True) in hop and t in here}

    def path(self, branch):
        steps = [set(branch.topics)]
        for hop, out in zip(branch.hops, branch.excluded, strict=True):
            steps.append(self.hop(steps[-1], hop) - {node for step in out for node in steps[step]})
        return steps[-1]

    def values(self, term, key):
        ends = {term}
        for hop in key.hops:
            ends = self.hop(ends, hop)
        return [value for end in ends if (value := worth(end, key.kind)) is not None]

    def set(self, part):
        match part:
            case Path(branches):
                return set.intersection(*map(self.path, branches))
            case Known(terms):
                return set(terms)
            case And(parts):
                return set.intersection(*map(self.set, parts))
            case Or(parts):
                return set.union(*map(self.set, parts))
            case Not(of, without):
                return self.set(of) - self.set(without)
            case Filter(of, key, tests):
                return {
                    term
                    for term in self.set(of)
                    if any(all(SIGNS[s](v, b) for s, b in tests) for v in self.values(term, key))
                }
            case ArgMin(of, key) | ArgMax(of, key):
                owned = [(value, term) for term in self.set(of) for value in self.values(term, key)]
                best = (min if isinstance(part, ArgMin) else max)((value for value, _ in owned), default=None)
                return {term for value, term in owned if value == best}

    def literal(self, expression):
        match expression:
            case Count(of):
                return [literal(str(len(self.set(of))), XSD + "integer")]
            case Ask(of):
                return [literal(str(bool(self.set(of))).lower(), XSD + "boolean")]
            case Compare(left, right, key, sign):
                sides = [[v for term in self.set(side) for v in self.values(term, key)] for side in (left, right)]
                if not all(sides):
                    return []
                return [literal(str(SIGNS[sign](min(sides[0]), min(sides[1]))).lower(), XSD + "boolean")]


@settings(max_examples=400)
@given(graphs, expressions)
def test_arrays_and_sparql_give_what_the_definitions_say(triples, expression):
    triples = {tuple(map(canonical_term, triple)) for triple in triples}
    # terms outside of the graph: a table of a graph does not know them, and paths start from what is linked in it
    triples |= {(node, relation_iri("is"), node) for node in PEOPLE} | {
        (PEOPLE[0], relation_iri("has"), v) for v in VALUES
    }
    naive, evaluator = Naive(triples), Evaluator(triple_table(triples, {}))
    with GraphStore.in_memory() as store:
        store.add((*triple, ASSERTED) for triple in triples)
        store.add((PEOPLE[0], LIKES, PEOPLE[3], "urn:kgqa:doc:a") for _ in range(1))
        rows = [row[0] for row in store.query(query(expression))]
    assert len(rows) == len(set(rows))
    if isinstance(expression, Count | Ask | Compare):
        expected = naive.literal(expression)
        assert rows == expected
        assert [evaluator.literal(expression)] == (expected or [None])
    else:
        expected = naive.set(expression)
        assert set(rows) == expected
        members = evaluator.members(expression)
        assert {evaluator.table.entities[index] for index in members} == expected
        for answer in members.tolist():
            for edge in (edge for path in evaluator.evidence(expression, [answer]) for edge in path):
                head, relation, tail, _ = edge
                table = evaluator.table
                assert (table.entities[head], table.relation_terms[relation], table.entities[tail]) in triples
    assert isinstance(formula(expression, str), str)
