"""Rules: against brute force over small graphs, and what they conclude in graphs made to follow one."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgqa.graph.subgraph import TripleTable, triple_table
from kgqa.reason.completion import Completion
from kgqa.reason.composition import compose, composition_table
from kgqa.reason.constants import ConstantRule, witnesses
from kgqa.reason.rules import Rule, RuleBook, learn_rules
from kgqa.reason.suggestions import evidence, likeliest, said, suggest, tried
from kgqa.reason.surroundings import Surroundings

TRIPLES = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from("rst"), st.sampled_from("abcdef")),
    min_size=1,
    max_size=14,
    unique=True,
)


def directed(table: TripleTable) -> set[tuple[int, int, int]]:
    """Every fact in both directions."""
    width = len(table.relation_terms)
    facts = list(zip(table.heads.tolist(), table.relations.tolist(), table.tails.tolist(), strict=True))
    return {*facts, *((tail, relation + width, head) for head, relation, tail in facts)}


def paths(facts: set[tuple[int, int, int]], start: int, body: tuple[int, ...]) -> list[list[int]]:
    """All paths of a body that enter no entity twice, one by one."""
    found = [[start]]
    for relation in body:
        found = [
            [*path, tail]
            for path in found
            for head, by, tail in facts
            if head == path[-1] and by == relation and tail not in path
        ]
    return found


@given(TRIPLES, st.lists(st.integers(0, 5), min_size=1, max_size=3))
def test_ends_are_those_of_all_paths(triples: list[tuple[str, str, str]], body: list[int]) -> None:
    table = triple_table(triples, {})
    width = 2 * len(table.relation_terms)
    wanted = tuple(relation % width for relation in body)
    facts, starts = directed(table), np.arange(len(table.entities))
    expected = {(start, path[-1]) for start in starts.tolist() for path in paths(facts, start, wanted)}
    ends = Surroundings(table).ends(starts, wanted)
    assert list(zip(ends.row.tolist(), ends.entity.tolist(), strict=True)) == sorted(expected)


@given(TRIPLES)
def test_confidences_are_counted_over_all_ends_where_nothing_is_drawn(triples: list[tuple[str, str, str]]) -> None:
    table = triple_table(triples, {})
    facts, entities = directed(table), range(len(table.entities))
    for rule in learn_rules(Surroundings(table), least=0.0):
        ends = {(start, path[-1]) for start in entities for path in paths(facts, start, rule.body)}
        right = sum((start, rule.head, end) in facts for start, end in ends)
        assert rule.confidence == pytest.approx(right / (len(ends) + 5))


@given(TRIPLES)
def test_every_path_beside_two_facts_is_looked_at(triples: list[tuple[str, str, str]]) -> None:
    table = triple_table(triples, {})
    facts, width = directed(table), 2 * len(table.relation_terms)
    learned = {(rule.head, rule.body) for rule in learn_rules(Surroundings(table), max_length=2, least=0.0)}
    for head in range(width // 2):
        pairs = [(one, other) for one, by, other in facts if by == head and one != other]
        for body in [(one,) for one in range(width) if one != head] + list(product(range(width), repeat=2)):
            beside = sum(any(path[-1] == other for path in paths(facts, one, body)) for one, other in pairs)
            if beside >= 2:
                assert (head, body) in learned


def family() -> TripleTable:
    """Thirty families, in all of which a grandparent is a parent's parent; of the last this is not said."""
    facts = []
    for number in range(30):
        child, parent, elder = (f"{role}{number}" for role in ("child", "parent", "elder"))
        facts += [(child, "parent", parent), (parent, "parent", elder), (child, "lives in", f"town{number % 3}")]
        if number:
            facts.append((child, "grandparent", elder))
    return triple_table(facts, {})


def test_a_rule_is_learned_and_concludes_what_is_not_said() -> None:
    table = family()
    graph = Surroundings(table)
    parent, grandparent = (table.relation_terms.index(name) for name in ("parent", "grandparent"))
    rules = learn_rules(graph)
    assert Rule(grandparent, (parent, parent), pytest.approx(29 / 35)) in rules  # type: ignore[arg-type]
    child, elder = (table.entities.index(name) for name in ("child0", "elder0"))
    found = RuleBook(rules, graph).conclude(np.array([child]), grandparent)
    best = found.confidence.argmax()
    assert (found.row[best], found.entity[best]) == (0, elder)
    assert rules[found.rule[best]].body == (parent, parent)
    back = RuleBook(rules, graph).conclude(np.array([elder]), graph.inverse(grandparent))
    assert back.entity[back.confidence.argmax()] == child


def test_rules_that_agree_make_it_surer_and_none_says_nothing() -> None:
    table = triple_table([("x", "r", "y"), ("x", "s", "y"), ("x", "s", "z")], {})
    graph = Surroundings(table)
    x, y, z = (table.entities.index(name) for name in "xyz")
    book = RuleBook([Rule(0, (1,), 0.5), Rule(0, (0,), 0.4)], graph)
    found = book.conclude(np.array([x, z]), 0)
    assert found.row.tolist() == [0, 0]
    assert found.entity.tolist() == sorted((y, z))
    assert dict(zip(found.entity.tolist(), found.confidence.tolist(), strict=True)) == {
        y: pytest.approx(1 - 0.5 * 0.6**0.5),
        z: pytest.approx(0.5),
    }
    assert len(book.conclude(np.array([x]), 1).row) == 0
    assert len(RuleBook([], graph).conclude(np.array([x]), 0).row) == 0


def test_what_is_learned_completes_a_graph_of_other_entities() -> None:
    table = family()
    others = triple_table(
        [("ann", "parent", "bob"), ("bob", "parent", "cy"), ("dan", "parent", "eve"), ("ann", "lives in", "oslo"),
         ("dan", "grandparent", "fay")],
        {},
    )  # fmt: skip
    assert others.relation_terms == table.relation_terms
    completion = Completion(Surroundings(table), Surroundings(others))
    candidates = np.arange(len(others.entities))
    grandparent = others.relation_terms.index("grandparent")
    scores = completion.scores(others.entities.index("ann"), grandparent, candidates)
    assert np.isfinite(scores).all()
    assert others.entities[scores.argmax()] == "cy"
    without_path = completion.scores(others.entities.index("oslo"), 2 * 3 - 2, candidates)  # who lives in it
    assert np.isfinite(without_path).all()
    assert others.entities[without_path.argmax()] in {"ann", "dan"}  # a child has parents


def test_relations_compose_over_more_steps_than_were_seen() -> None:
    names = ["father", "grandfather", "brother", "uncle"]
    father, grandfather, brother, uncle = range(4)
    rules = [Rule(grandfather, (father, father), 0.8), Rule(uncle, (father, brother), 0.6)]
    rules += [Rule(father, (brother, father), 0.7), Rule(brother, (brother, brother), 0.2)]
    shares = composition_table(rules, len(names))
    assert shares[father, father, grandfather] == pytest.approx(1)
    chain = [(0, brother, 1), (1, brother, 2), (2, father, 3), (3, brother, 4)]
    between = compose(chain, shares, 5)
    assert between[0, 4].argmax() == uncle
    assert between[0, 3].argmax() == father
    assert between[4, 3, brother + 4] == 1  # facts are there from both sides
    assert not between[0, 0].any()
    assert not compose([(0, father, 1)], shares, 3)[0, 2].any()  # nothing joins them
    assert not compose([(0, father, 1)], shares, 2, both_ways=False)[1, 0].any()


def test_seeds_draw_the_same_rules_again() -> None:
    table = family()
    few = {"num_facts": 4, "num_heads": 4}
    first, again = (learn_rules(Surroundings(table, seed=1), **few) for _ in range(2))  # type: ignore[arg-type]
    assert first == again


def test_a_graph_without_facts_has_no_rules() -> None:
    none = np.array([], dtype=np.int64)
    graph = Surroundings(TripleTable(none, none, none, ["a"], ["a"], ["r"], ["r"]))
    assert learn_rules(graph) == []
    assert Completion(graph).scores(0, 0, np.array([0])).tolist() == pytest.approx(
        [
            np.log(1e-4),
        ],
        abs=20,
    )


@given(TRIPLES, st.lists(st.integers(0, 5), min_size=1, max_size=4))
def test_evidence_is_a_path_of_facts_wherever_there_is_one(
    triples: list[tuple[str, str, str]], body: list[int]
) -> None:
    table = triple_table(triples, {})
    facts, graph = directed(table), Surroundings(table)
    wanted = tuple(relation % (2 * len(table.relation_terms)) for relation in body)
    for start in range(len(table.entities)):
        ends = {path[-1] for path in paths(facts, start, wanted)}
        for end in range(len(table.entities)):
            found = evidence(graph, start, wanted, end)
            assert bool(found) == (end in ends)
            assert {edge[:3] for edge in found} <= facts
            assert len(found) in (0, len(wanted))


def test_what_is_lacking_is_suggested_once_and_nothing_that_is_there() -> None:
    table = family()
    graph = Surroundings(table)
    (found,) = suggest(RuleBook(learn_rules(graph), graph), least=0.7)
    assert [table.entities[end] for end in (found.head, found.tail)] == ["child0", "elder0"]
    assert [table.entities[edge[2]] for (path,) in [found.because] for edge in path] == ["parent0", "elder0"]


@given(TRIPLES, st.integers(0, 5))
def test_rules_with_constants_are_counted_over_all_others_that_have_the_same(
    triples: list[tuple[str, str, str]], relation: int
) -> None:
    table = triple_table(triples, {})
    facts, entities = directed(table), range(len(table.entities))
    head = relation % (2 * len(table.relation_terms))
    expected = {}
    for x, by, at in facts:
        others = {one for one, b, z in facts if (b, z) == (by, at) and one != x}
        for end in entities if by != head else ():
            if end != x and (right := sum((one, head, end) in facts for one in others)):
                expected[x, by, at, end] = right / (len(others) + 5)
    graph = Surroundings(table)
    found = witnesses(graph, np.arange(len(table.entities)), head)
    counted = {
        (row, int(graph.relation[edge]), int(graph.target[edge]), end): confidence
        for row, end, confidence, edge in zip(*(column.tolist() for column in found), strict=True)
    }
    assert counted == pytest.approx(expected)
    assert len(counted) == len(found.row)


def test_what_is_too_much_to_look_at_is_thinned_out_the_same_way_each_time() -> None:
    table = triple_table([(f"film{n}", by, to) for n in range(50) for by, to in (("by", "ann"), ("in", "fr"))], {})
    graph, film, language = Surroundings(table), np.array([table.entities.index("film7")]), 1
    first, again = (witnesses(graph, film, language, most=10) for _ in range(2))
    assert first.confidence == pytest.approx(again.confidence)
    assert first.confidence.tolist() in ([pytest.approx(10 / 15)], [pytest.approx(9 / 14)])


def films() -> TripleTable:
    """Ten directors, of whom each films in a language of his own; of one film it is not said."""
    made = [(f"film{n}", "directed by", f"maker{n % 10}") for n in range(80)]
    spoken = [(f"film{n}", "in language", f"language{n % 10}") for n in range(1, 80)]
    return triple_table([*made, *spoken, ("film0", "has genre", "war")], {})


def test_a_suggestion_by_a_constant_names_it_and_others_of_which_both_hold() -> None:
    table = films()
    graph, at, language = Surroundings(table), table.entities.index, table.relation_terms.index("in language")
    book = RuleBook(learn_rules(graph, max_length=1), graph, constants=True)
    found = likeliest(book, at("film0"), language)
    assert found is not None
    assert found.fact == (at("film0"), language, at("language0"))
    assert isinstance(found.rule, ConstantRule)
    assert said(table, found.rule) == "in language(x, language0) <- directed by(x, maker0)"
    assert found.confidence == pytest.approx(7 / 12)
    (begins,), *others = found.because
    assert begins[:3] == (at("film0"), table.relation_terms.index("directed by"), at("maker0"))
    assert len(others) == 3
    assert {edge[:3] for path in found.because for edge in path} <= directed(table)
    assert list(suggest(book, least=0.5)) == [found]
    assert list(suggest(RuleBook(book.rules, graph), least=0.5)) == []
    inverse = likeliest(book, at("war"), table.relation_terms.index("in language"))
    assert inverse is None  # nothing has that genre but the film that lacks a language


def test_what_conclusions_are_worth_is_told_by_facts_taken_for_missing() -> None:
    table = films()
    graph = Surroundings(table)
    book = RuleBook(learn_rules(graph), graph, constants=True)
    confidence, right = tried(book, table.relation_terms.index("in language"))
    assert len(right) == 79
    assert right.all()
    assert (confidence > 0.5).all()
    few, _ = tried(book, table.relation_terms.index("in language"), num_entities=20)
    assert 10 < len(few) <= 20
