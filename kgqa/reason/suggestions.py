"""Facts that a graph lacks and its rules suggest, each with the rule and with the facts that it follows from."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from kgqa.reason.frontier import Ints
from kgqa.reason.rules import Rule, RuleBook
from kgqa.reason.surroundings import Surroundings

_AT_ONCE = 256
"""Entities asked about together."""


class Suggestion(NamedTuple):
    """A fact that is not in the graph; indices are those of its table."""

    head: int
    relation: int
    tail: int
    confidence: float
    rule: Rule
    because: list[tuple[int, int, int]]
    """Facts of the graph, as (head, relation, tail), along the rule's path from head to tail."""


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
                head, tail, rule = (
                    int(entities[found.row[place]]),
                    int(found.entity[place]),
                    book.rules[found.rule[place]],
                )
                because = evidence(graph, head, rule.body, tail)
                yield Suggestion(head, relation, tail, float(found.confidence[place]), rule, because)


def _lacking(book: RuleBook, relation: int) -> Iterator[Ints]:
    """The entities that a rule can start from and that have no fact of the relation, some at a time."""
    graph = book.graph
    begins = {book.rules[number].body[0] for number in book.by_head.get(relation, ())}
    able = np.unique(graph.source[np.isin(graph.relation, sorted(begins))])
    lacking = np.setdiff1d(able, graph.facts(relation)[0], assume_unique=False)
    for start in range(0, len(lacking), _AT_ONCE):
        yield lacking[start : start + _AT_ONCE]


def evidence(graph: Surroundings, start: int, body: Sequence[int], end: int) -> list[tuple[int, int, int]]:
    """The facts of one path of a body that enters no entity twice; [] where there is none."""
    nodes = _path(graph, [start], body, end)
    return [
        (one, relation, other) if relation < graph.num_relations else (other, relation - graph.num_relations, one)
        for (one, other), relation in zip(pairwise(nodes), body, strict=False)
    ]


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
