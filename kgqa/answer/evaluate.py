"""Operations over sets, computed on the graph's arrays: the members of an expression, and the facts that show it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from kgqa.errors import InputError
from kgqa.graph.algebra import (
    And,
    ArgMax,
    ArgMin,
    Ask,
    Compare,
    Count,
    Expression,
    Filter,
    Key,
    Known,
    Not,
    Or,
    Path,
    Set,
    Test,
)
from kgqa.graph.queries import Choice, PathBranch
from kgqa.graph.subgraph import TripleTable
from kgqa.graph.terms import boolean, integer
from kgqa.graph.values import Kind, value_of
from kgqa.reason.frontier import Adjacency, Frontier, Ints
from kgqa.reason.paths import Edge

_SIGNS = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}


@dataclass(frozen=True, slots=True)
class Values:
    """n values of entities: an entity may have several, or none."""

    owner: Ints  # [n] entity, ascending
    value: NDArray[np.float64]  # [n]
    end: Ints  # [n] the entity that is the value


class Evaluator:
    """The graph of a table, for expressions. Sets are ascending arrays of entities."""

    def __init__(self, table: TripleTable) -> None:
        self.table = table
        self.index = {term: number for number, term in enumerate(table.entities)}
        self._relation = {term: number for number, term in enumerate(table.relation_terms)}

    @cached_property
    def _adjacency(self) -> Adjacency:
        return Adjacency(self.table)

    def literal(self, expression: Count | Ask | Compare) -> str | None:
        """The one literal that a count, a yes or no or a comparison gives; None for one that lacks a value."""
        match expression:
            case Count(of):
                return integer(len(self.members(of)))
            case Ask(of):
                return boolean(len(self.members(of)) > 0)
            case Compare(left, right, key, sign):
                sides = [self.values(self.members(side), key).value for side in (left, right)]
                if not all(map(len, sides)):
                    return None
                return boolean(bool(_SIGNS[sign](sides[0].min(), sides[1].min())))

    def members(self, part: Set) -> Ints:
        """The members of a set. Terms that the graph does not have are in none."""
        match part:
            case Path(branches):
                return reduce(_both, (self.steps(branch)[-1] for branch in branches))
            case Known(terms):
                return self._known(terms)
            case And(parts):
                return reduce(_both, map(self.members, parts))
            case Or(parts):
                return np.unique(np.concatenate([self.members(one) for one in parts]))
            case Not(of, without):
                return np.setdiff1d(self.members(of), self.members(without), assume_unique=True)
            case Filter(of, key, tests):
                found = self.values(self.members(of), key)
                return np.unique(found.owner[_passed(found, tests)])
            case ArgMin(of, key) | ArgMax(of, key):
                return np.unique(self._extreme(part, self.members(of), key).owner)

    def _extreme(self, part: Set, members: Ints, key: Key) -> Values:
        found = self.values(members, key)
        if not len(found.value):
            return found
        best = found.value.min() if isinstance(part, ArgMin) else found.value.max()
        return _selected(found, found.value == best)

    def steps(self, branch: PathBranch) -> list[Ints]:
        """The sets after each hop of a branch, its topics first."""
        reached = [self._known(branch.topics)]
        for number, hop in enumerate(branch.hops):
            _, arrived = self._hop(reached[-1], hop)
            out = branch.excluded[number] if number < len(branch.excluded) else ()
            reached.append(reduce(np.setdiff1d, (reached[step] for step in out), np.unique(arrived)))
        return reached

    def values(self, members: Ints, key: Key) -> Values:
        """What the members are worth by `key`."""
        owner, end = members, members
        for hop in key.hops:
            place, after = self._hop(end, hop)
            owner, end = owner[place], after
        worth = [value_of(self.table.entities[entity], key.kind) for entity in end.tolist()]
        known = np.array([value is not None for value in worth], dtype=bool)
        value = np.array([value for value in worth if value is not None], dtype=np.float64)
        order = np.argsort(owner[known], kind="stable")
        return Values(owner[known][order], value[order], end[known][order])

    def keys(self, members: Ints, kind: Kind) -> list[tuple[Key, int]]:
        """The relations that lead from some members to values of a kind, each with how many members have one."""
        start = Frontier(np.zeros_like(members), members, np.ones(len(members), dtype=np.float32))
        directed = np.flatnonzero(self._adjacency.ways(start, 1)[0])
        inverse, relation = np.divmod(directed, max(self._adjacency.num_relations, 1))
        ways = zip(relation.tolist(), inverse.tolist(), strict=True)
        keys = [Key((((self.table.relation_terms[index], bool(back)),),), kind) for index, back in ways]
        counted = [(key, len(np.unique(self.values(members, key).owner))) for key in keys]
        return [(key, number) for key, number in counted if number]

    def evidence(self, expression: Expression, answers: Sequence[int]) -> Iterator[list[Edge]]:
        """For each of some members of a set the facts that make it one, best known first; those of a count, a yes or a
        comparison for the members of what it is about.
        """
        match expression:
            case Count(of) | Ask(of):
                yield from self.evidence(of, self.members(of)[: max(len(answers), 1)].tolist())
            case Compare(left, right, key, _):
                for side in (left, right):
                    yield from self._shown(side, self.members(side).tolist()[:1], key)
            case Path(branches):
                for answer in answers:
                    yield from (self._trace(branch, answer) for branch in branches)
            case And(parts) | Or(parts):
                for answer in answers:
                    having = (part for part in parts if answer in self.members(part))
                    for part in having:
                        yield from self.evidence(part, [answer])
            case Not(of, _):
                yield from self.evidence(of, answers)
            case Filter(of, key, tests):
                yield from self._shown(of, answers, key, tests)
            case ArgMin(of, key) | ArgMax(of, key):
                best = self._extreme(expression, np.array(answers, dtype=np.int64), key).value[:1].tolist()
                yield from self._shown(of, answers, key, [(sign, bound) for bound in best for sign in ("<=", ">=")])

    def _shown(self, of: Set, answers: Sequence[int], key: Key, tests: Sequence[Test] = ()) -> Iterator[list[Edge]]:
        """The evidence of members, with the fact that gives the value by which each is one."""
        for answer in answers:
            paths = [path for path in self.evidence(of, [answer]) if path] or [[]]
            found = self.values(np.array([answer]), key)
            ends = found.end[_passed(found, tests)].tolist()
            valued = self._trace(PathBranch([self.table.entities[answer]], key.hops), ends[0]) if ends else []
            yield from paths[:-1]
            yield [*paths[-1], *valued]

    def _trace(self, branch: PathBranch, answer: int) -> list[Edge]:
        """A walk of a branch into one of its members, first fact first."""
        steps, edges = self.steps(branch), []
        for number in reversed(range(len(branch.hops))):
            edge, answer = self._back(steps[number], branch.hops[number], answer)
            edges.append(edge)
        return edges[::-1]

    def _back(self, before: Ints, hop: Sequence[Choice], entity: int) -> tuple[Edge, int]:
        """A fact that leads from a set into a member of the next one, and where it starts."""
        for relation, inverse in hop:
            _, sources = self._hop(np.array([entity]), [(relation, not inverse)])
            if len(found := _both(np.unique(sources), before)):
                source = int(found[0])
                head, tail = (entity, source) if inverse else (source, entity)
                return (head, self._relation[relation], tail, inverse), source
        raise InputError(f"no fact leads to {self.table.entities[entity]}; the expression is of another graph")

    def _hop(self, entities: Ints, hop: Sequence[Choice]) -> tuple[Ints, Ints]:
        """Where a hop leads: for each fact the number of the entity it starts from, and the entity it leads to."""
        adjacency, here = self._adjacency, np.arange(len(entities))
        known = [
            (self._relation[relation] + inverse * adjacency.num_relations)
            for relation, inverse in hop
            if relation in self._relation
        ]
        found = [adjacency.neighbours(entities, np.full(len(entities), directed)) for directed in known]
        places, ends = zip(*found, strict=True) if found else ((here[:0],), (here[:0],))
        return np.concatenate(places), np.concatenate(ends)

    def _known(self, terms: Sequence[str]) -> Ints:
        return np.unique(np.array([self.index[term] for term in terms if term in self.index], dtype=np.int64))


def _both(one: Ints, other: Ints) -> Ints:
    return np.intersect1d(one, other, assume_unique=True)


def _passed(found: Values, tests: Sequence[Test]) -> NDArray[np.bool_]:
    """Which values pass all tests."""
    passed = np.ones(len(found.value), dtype=bool)
    for sign, bound in tests:
        passed &= _SIGNS[sign](found.value, bound)
    return passed


def _selected(found: Values, kept: NDArray[np.bool_]) -> Values:
    return Values(found.owner[kept], found.value[kept], found.end[kept])
