"""Facts that a graph lacks and its rules suggest, each with the rule and with the facts that it follows from."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kgqa.graph.subgraph import TripleTable
from kgqa.reason.constants import ConstantRule, examples
from kgqa.reason.frontier import Floats, Frontier, Ints, heaviest
from kgqa.reason.paths import Edge
from kgqa.reason.rules import Conclusions, Rule, RuleBook
from kgqa.reason.surroundings import Surroundings

_AT_ONCE = 256
"""Entities asked about together."""

_FEW = 3
"""Facts of a relation that an entity has at most which is taken for one without any: what has many lacks not all."""

_EXAMPLES = 3
"""Others that are shown for a rule with a constant."""


class Suggestion(NamedTuple):
    """A fact that is not in the graph; indices are those of its table."""

    head: int
    relation: int
    tail: int
    confidence: float
    rule: Rule | ConstantRule
    """The surest; its head is `relation`, in the direction that was asked for."""
    because: list[list[Edge]]
    """Paths of facts of the graph: the rule's, from one end to the other; of a rule with a constant the fact that it
    begins with, then by way of some others of which both of its sides hold."""

    @property
    def fact(self) -> tuple[int, int, int]:
        """(head, relation, tail)."""
        return self[:3]

    @property
    def end(self) -> int:
        """What was asked for: the tail, or the head where the rule speaks of the inverse."""
        return self.tail if self.rule.head == self.relation else self.head


def suggest(book: RuleBook, *, least: float = 0.5, most: int = 1) -> Iterator[Suggestion]:
    """For every entity without a fact of a relation the `most` likeliest ones whose confidence is at least `least`.

    An entity that has such a fact already is not asked about: whether there are more of them no rule can tell.
    """
    graph = book.graph
    for relation in range(graph.num_relations):
        for entities in _lacking(book, relation):
            found = book.conclude(entities, relation)
            order = np.lexsort((-found.confidence, found.row))
            row = found.row[order]
            first = np.searchsorted(row, row)
            kept = order[(np.arange(len(row)) - first < most) & (found.confidence[order] >= least)]
            for place in kept.tolist():
                yield _suggestion(book, found, place, int(entities[found.row[place]]), relation)


def likeliest(book: RuleBook, entity: int, relation: int) -> Suggestion | None:
    """Where a directed relation of which an entity has no fact most likely leads; None where rules say nothing."""
    found = book.conclude(np.array([entity]), relation)
    if not len(found.row):
        return None
    return _suggestion(book, found, int(found.confidence.argmax()), entity, relation)


def _suggestion(book: RuleBook, found: Conclusions, place: int, start: int, relation: int) -> Suggestion:
    rule, end = book.rule_of(found, place, relation), int(found.entity[place])
    head, undirected, tail, _ = _edge(book.graph, start, relation, end)
    because = _because(book.graph, start, rule, end)
    return Suggestion(head, undirected, tail, float(found.confidence[place]), rule, because)


def tried(book: RuleBook, relation: int, *, num_entities: int = 300) -> tuple[Floats, NDArray[np.bool_]]:
    """What the likeliest conclusions about a directed relation are worth: facts of the graph are taken for missing,
    those of `num_entities` entities at even distances. Confidence and whether it is right, `[n]` each."""
    graph = book.graph
    entities, counts = np.unique(graph.facts(relation)[0], return_counts=True)
    entities = entities[counts <= _FEW]
    entities = entities[:: -(-len(entities) // num_entities) or 1]
    found = book.conclude(entities, relation, as_if_lacking=True)
    best, sure = heaviest(Frontier(found.row, found.entity, found.confidence), len(entities))
    known = best >= 0
    return sure[known], graph.holds(entities[known], relation, best[known])


def _lacking(book: RuleBook, relation: int) -> Iterator[Ints]:
    """The entities that a rule can start from and that have no fact of the relation, some at a time."""
    graph = book.graph
    begins = {book.rules[number].body[0] for number in book.by_head.get(relation, ())}
    if book.constants:  # what the heads of its facts have, others may share with them
        begins |= set(graph.relation[np.isin(graph.source, graph.facts(relation)[0])].tolist())
    able = np.unique(graph.source[np.isin(graph.relation, sorted(begins))])
    lacking = np.setdiff1d(able, graph.facts(relation)[0], assume_unique=False)
    for start in range(0, len(lacking), _AT_ONCE):
        yield lacking[start : start + _AT_ONCE]


def _because(graph: Surroundings, start: int, rule: Rule | ConstantRule, end: int) -> list[list[Edge]]:
    if isinstance(rule, Rule):
        return [evidence(graph, start, rule.body, end)]
    back = graph.inverse(rule.relation)
    others = examples(graph, start, rule)[:_EXAMPLES]
    by_way = [[_edge(graph, rule.at, back, one), _edge(graph, one, rule.head, rule.end)] for one in others]
    return [[_edge(graph, start, rule.relation, rule.at)], *by_way]


def evidence(graph: Surroundings, start: int, body: Sequence[int], end: int) -> list[Edge]:
    """The facts of one path of a body that enters no entity twice; [] where there is none."""
    nodes = _path(graph, [start], body, end)
    return [_edge(graph, one, relation, other) for (one, other), relation in zip(pairwise(nodes), body, strict=False)]


def _path(graph: Surroundings, visited: list[int], body: Sequence[int], end: int) -> list[int]:
    """Depth first, going only where the end is one relation away when one is left."""
    here, rest = np.array([visited[-1]]), body[1:]
    _, reached = graph.neighbours(here, np.array([body[0]]))
    if not rest:
        return [*visited, end] if end in reached and end not in visited else []
    if len(rest) == 1:
        _, before = graph.neighbours(np.array([end]), np.array([graph.inverse(rest[0])]))
        reached = np.intersect1d(reached, before)
    for entity in reached.tolist():
        if entity != end and entity not in visited and (found := _path(graph, [*visited, entity], rest, end)):
            return found
    return []


def _edge(graph: Surroundings, one: int, relation: int, other: int) -> Edge:
    """What leads from one entity to another by a directed relation."""
    num = graph.num_relations
    return (one, relation, other, False) if relation < num else (other, relation - num, one, True)


def said(table: TripleTable, rule: Rule | ConstantRule) -> str:
    """A rule as one reads it: `directed by(x, y) <- written by(x, y)`; entities on the way are z, z'. One with a
    constant: `in language(x, French) <- directed by(x, Jean Renoir)`."""
    if isinstance(rule, ConstantRule):
        end, at = table.entity_texts[rule.end], table.entity_texts[rule.at]
        return f"{_step(table, rule.head, 'x', end)} <- {_step(table, rule.relation, 'x', at)}"
    places = ["x", *("z" + "'" * number for number in range(len(rule.body) - 1)), "y"]
    steps = [_step(table, relation, *ends) for relation, ends in zip(rule.body, pairwise(places), strict=True)]
    return f"{_step(table, rule.head, 'x', 'y')} <- {', '.join(steps)}"


def _step(table: TripleTable, relation: int, one: str, other: str) -> str:
    num = len(table.relation_terms)
    text = table.relation_texts[relation % num]
    return f"{text}({one}, {other})" if relation < num else f"{text}({other}, {one})"
