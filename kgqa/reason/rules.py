"""What a graph does not say but suggests: rules learned from it, and what they lead to from an entity.

A rule  r(x, y) <- b_1(x, z_1), ..., b_n(z_{n-1}, y)  says that a path of relations often stands beside a relation (who
wrote a film often directed it). Its confidence is the share of the path's ends at which the relation holds, counted on
a sample of the graph (Meilicke et al. 2019, AnyBURL, whose correction for few observations is kept). Rules name
relations only, so those of one graph hold in another; what they conclude is shown by the path that it follows from.
In the graph that they were learned from, rules with constants can be asked too (kgqa.reason.constants).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from kgqa.graph.subgraph import ranges
from kgqa.reason.constants import PESSIMISM, ConstantRule, witnesses
from kgqa.reason.frontier import Floats, Ints
from kgqa.reason.surroundings import Surroundings

_BRANCHES = 16
"""Edges followed from each end of a fact on the way to a path of three relations; of two, its square."""

_CANDIDATES = 100
"""Paths of a relation that are counted, those that stand beside most of its facts."""


class Rule(NamedTuple):
    """A path of directed relations that suggests a directed relation."""

    head: int
    body: tuple[int, ...]
    confidence: float


def learn_rules(
    graph: Surroundings, *, max_length: int = 3, least: float = 0.01, num_facts: int = 300, num_heads: int = 300
) -> list[Rule]:
    """Rules of up to three relations for every directed relation of a graph; the surest first.

    least: confidence in [0, 1] below which a rule is left out. Paths are looked for around `num_facts` facts of a
    relation, and each is tried at `num_heads` entities; where there are more, they are drawn.
    """
    found = []
    for relation in range(graph.num_relations):
        for body in _candidates(graph, relation, max_length, num_facts):
            back = tuple(graph.inverse(one) for one in reversed(body))
            for head, path in ((relation, body), (graph.inverse(relation), back)):
                confidence = _confidence(graph, head, path, num_heads)
                if confidence >= least:
                    found.append(Rule(head, path, confidence))
    return sorted(found, key=lambda rule: (-rule.confidence, len(rule.body), rule.head, rule.body))


def _candidates(graph: Surroundings, relation: int, max_length: int, num_facts: int) -> list[tuple[int, ...]]:
    """Paths that stand beside facts of a relation, those beside most facts first."""
    source, target = graph.facts(relation)
    if len(source) > num_facts:
        chosen = graph.draw.choice(len(source), num_facts, replace=False)
        source, target = source[chosen], target[chosen]
    beside: Counter[tuple[int, ...]] = Counter()
    for length, paths in ((1, _direct), (2, _by_one), (3, _by_two)):
        if length <= max_length:
            for fact_and_body in np.unique(paths(graph, relation, source, target), axis=0).tolist():
                beside[tuple(fact_and_body[1:])] += 1
    return [body for body, count in beside.most_common(_CANDIDATES) if count > 1]


def _direct(graph: Surroundings, relation: int, source: Ints, target: Ints) -> Ints:
    """[n, 2]: a fact's number, and another relation between its ends."""
    item, by = graph.between(source, target)
    other = by != relation
    return np.stack([item[other], by[other]], axis=1)


def _by_one(graph: Surroundings, relation: int, source: Ints, target: Ints) -> Ints:
    """[n, 3]: a fact's number, and two relations that join its ends by way of a third entity."""
    item, first, middle = graph.leaving(source, _BRANCHES**2)
    fresh = (middle != target[item]) & (middle != source[item])
    item, first, middle = item[fresh], first[fresh], middle[fresh]
    place, second = graph.between(middle, target[item])
    return np.stack([item[place], first[place], second], axis=1)


def _by_two(graph: Surroundings, relation: int, source: Ints, target: Ints) -> Ints:
    """[n, 4]: a fact's number, and three relations that join its ends by way of two other entities."""
    item, first, one = graph.leaving(source, _BRANCHES)
    other_item, last, other = graph.leaving(target, _BRANCHES)
    begin, end = np.searchsorted(other_item, item), np.searchsorted(other_item, item, side="right")
    left, right = ranges(begin, end)
    fact, one, other, first, last = item[left], one[left], other[right], first[left], last[right]
    fresh = (one != source[fact]) & (one != target[fact]) & (other != source[fact]) & (other != target[fact])
    fresh &= one != other
    fact, one, other, first, last = (column[fresh] for column in (fact, one, other, first, last))
    place, middle = graph.between(one, other)
    back = (last[place] + graph.num_relations) % (2 * graph.num_relations)
    return np.stack([fact[place], first[place], middle, back], axis=1)


def _confidence(graph: Surroundings, head: int, body: Sequence[int], num_heads: int) -> float:
    starts = np.unique(graph.facts(body[0])[0])
    if len(starts) > num_heads:
        starts = graph.draw.choice(starts, num_heads, replace=False)
    ends = graph.ends(starts, body)
    right = graph.holds(starts[ends.row], head, ends.entity).sum()
    return float(right / (len(ends.row) + PESSIMISM))


class Conclusions(NamedTuple):
    """What rules conclude for n questions (entity, relation): sorted by row, then entity."""

    row: Ints  # [m]
    entity: Ints  # [m]
    confidence: Floats  # [m] of all rules together
    rule: Ints  # [m] the surest rule's number; below 0: it is one with a constant, see `RuleBook.rule_of`
    surest: Floats  # [m] confidence of that rule


class RuleBook:
    """Learned rules, ready to conclude over a graph (their own, or another with the same relations)."""

    def __init__(self, rules: Iterable[Rule], graph: Surroundings, *, most: int = 50, constants: bool = False) -> None:
        """most: rules of a relation that are asked, the surest; constants: rules with constants are asked too."""
        self.graph, self.rules, self.constants = graph, list(rules), constants
        by_head: dict[int, list[int]] = defaultdict(list)
        for number, rule in enumerate(self.rules):
            if len(by_head[rule.head]) < most:
                by_head[rule.head].append(number)
        self.by_head: Mapping[int, list[int]] = by_head

    def conclude(self, entity: Ints, relation: int, *, as_if_lacking: bool = False) -> Conclusions:
        """Where a directed relation should lead from entities `[n]`. Rules that agree add up as independent witnesses
        would, 1 - prod (1 - c), each weighing half of the one before, since they mostly say the same again.

        as_if_lacking: what is said of `relation` from these entities is left out of account.
        """
        self.graph.draw_anew()  # the same is concluded, whatever was asked before
        said = [
            self._said(entity, number)
            for number in self.by_head.get(relation, ())
            if not (as_if_lacking and self.rules[number].body[0] == relation)
        ]
        if self.constants:
            row, end, confidence, edge = witnesses(self.graph, entity, relation)
            said.append(Conclusions(row, end, confidence, -1 - edge, confidence))
        said.append(Conclusions(*(np.empty(0, kind) for kind in (np.int64, np.int64, float, np.int64, float))))
        return _together(Conclusions(*map(np.concatenate, zip(*said, strict=True))), self.graph.num_entities)

    def _said(self, entity: Ints, number: int) -> Conclusions:
        ends = self.graph.ends(entity, self.rules[number].body)
        confidence = np.full(len(ends.row), self.rules[number].confidence)
        return Conclusions(ends.row, ends.entity, confidence, np.full(len(ends.row), number), confidence)

    def rule_of(self, found: Conclusions, place: int, relation: int) -> Rule | ConstantRule:
        """The surest rule behind one conclusion about a directed relation."""
        number = int(found.rule[place])
        if number >= 0:
            return self.rules[number]
        by, at = int(self.graph.relation[-1 - number]), int(self.graph.target[-1 - number])
        return ConstantRule(relation, by, at, int(found.entity[place]), float(found.surest[place]))


def _together(said: Conclusions, num_entities: int) -> Conclusions:
    """One conclusion for each pair of row and entity, of all rules that came to it."""
    said = _at(said, np.lexsort((-said.confidence, said.entity, said.row)))
    key = said.row * num_entities + said.entity
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])) if len(key) else np.empty(0, np.int64)
    rank = np.arange(len(key)) - np.repeat(first, np.diff(np.append(first, len(key))))
    doubt = np.log1p(-said.confidence.clip(max=0.999)) * 0.5**rank
    total = -np.expm1(np.add.reduceat(doubt, first)) if len(first) else doubt
    return _at(said, first)._replace(confidence=total.astype(np.float32))


def _at(said: Conclusions, place: Ints) -> Conclusions:
    row, entity, confidence, rule, surest = said
    return Conclusions(row[place], entity[place], confidence[place], rule[place], surest[place])
