"""Plans become expressions over the graph: what was sought is found by the reasoner, hints become relations."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from kgqa.answer.cues import NO_HINTS
from kgqa.answer.evaluate import Evaluator
from kgqa.answer.names import tokenise
from kgqa.answer.operations import Hint, Part, Plan, sought
from kgqa.graph.algebra import And, Ask, Compare, Count, Expression, Key, Known, Path, Set
from kgqa.graph.queries import PathBranch
from kgqa.graph.subgraph import TripleTable
from kgqa.graph.values import kind_of
from kgqa.reason.frontier import Ints
from kgqa.reason.paths import Branch
from kgqa.reason.predict import NO_RELATION, NOT_KNOWN, Prediction
from kgqa.types import Question

Found = Mapping[Question, Prediction]
Embed = Callable[[list[str]], Tensor]
"""Texts to unit rows, [n, D]."""

_AGREED = 0.5
"""Power of the doubt about a path that some of those are on of whom some are asked for: by chance none would be."""
_SAME_STEM = 4
"""Letters at the beginning that make two words forms of one: found-ed, found-ing."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A plan that was grounded."""

    expression: Expression
    terms: tuple[str, ...]
    """What it gives: the members of a set, the surest first, or one literal."""
    scores: tuple[float, ...]
    """Of each, in (0, 1], against the surest."""
    confidence: float
    """Of the least sure prediction that it is made of, in [0, 1]."""


class Composer:
    """Grounds plans over one graph."""

    def __init__(self, evaluator: Evaluator, embed: Embed) -> None:
        self.evaluator, self._embed = evaluator, embed

    def compose(self, plans: Sequence[Plan], found: Found, *, sure: float) -> Composed | None:
        """The first plan whose predictions are all surer than `sure`, else the surest; None where none has answers."""
        best: Composed | None = None
        for plan in plans:
            one = self._composed(plan, found)
            if one is not None and one.confidence > sure:
                return one
            best = max((found for found in (best, one) if found), key=lambda c: c.confidence, default=None)
        return best

    def _composed(self, plan: Plan, found: Found) -> Composed | None:
        expression = self._ground(plan, found)
        if expression is None:
            return None
        predictions = [found[question] for question in sought(plan)]
        confidence = min((prediction.confidence for prediction in predictions), default=1.0)
        if isinstance(expression, Count) and self._are_numbers(expression.of):
            expression = expression.of  # how many: the graph has the number itself
        elif plan.measured:
            return None
        if isinstance(expression, Count | Ask | Compare):
            literal = self.evaluator.literal(expression)
            return Composed(expression, (literal,), (1.0,), confidence) if literal else None
        if isinstance(expression, And) and any(isinstance(part, Known) for part in expression.parts):
            confidence **= _AGREED
        ranked = self._ranked(self.evaluator.members(expression).tolist(), predictions)
        terms = tuple(self.evaluator.table.entities[index] for index, _ in ranked)
        return Composed(expression, terms, tuple(score for _, score in ranked), confidence) if terms else None

    def _ground(self, part: Part, found: Found) -> Expression | None:
        if isinstance(part, Known):
            return part if part.terms else None
        if isinstance(part, Question):
            branches = found[part].branches
            return path_of(self.evaluator.table, branches) if branches else None
        sets = [self._ground(inner, found) for inner in part.parts]
        if any(one is None for one in sets):
            return None
        if part.hint is None:
            return part.make(*sets)
        *split, key = self._keyed(sets, part.hint)  # type: ignore[arg-type]
        return part.make(*split, key) if key else None

    def _keyed(self, sets: Sequence[Set], hint: Hint) -> list[Set | Key | None]:
        """The sets, and what their members are compared by; a path that ends in the values is cut before them."""
        if self._are_values(sets[0], hint):
            if hint.of_values:
                return [*sets, Key((), hint.kind)]
            if isinstance(sets[0], Path) and len(hops := _last_hops(sets[0])) == 1:
                return [_cut(sets[0]), *sets[1:], Key((hops.pop(),), hint.kind)]
        members = np.unique(np.concatenate([self.evaluator.members(one) for one in sets]))
        return [*sets, self._key(members, hint)]

    def _key(self, members: Ints, hint: Hint) -> Key | None:
        """The relation whose values the hint is about: by its words, else the only one, else the most similar."""
        keys = self.evaluator.keys(members, hint.kind)
        if not keys:
            return None
        words = [token.norm for token in tokenise(hint.words) if token.norm not in NO_HINTS]
        texts = dict(zip(self.evaluator.table.relation_terms, self.evaluator.table.relation_texts, strict=True))
        met = [_num_met(words, texts[key.hops[0][0][0]]) for key, _ in keys]
        if max(met) > 0:
            keys = [one for one, number in zip(keys, met, strict=True) if number == max(met)]
        if len(keys) > 1 and words:
            vectors = self._embed([" ".join(words), *(texts[key.hops[0][0][0]] for key, _ in keys)])
            like = (vectors[1:] @ vectors[0]).tolist()
            keys = [one for _, one in sorted(zip(like, keys, strict=True), key=lambda pair: -pair[0])]
        elif len(keys) > 1:
            keys.sort(key=lambda one: -one[1])
        return keys[0][0]

    def _are_values(self, part: Set, hint: Hint) -> bool:
        terms = self.evaluator.table.entities
        members = self.evaluator.members(part).tolist()
        return bool(members) and all(kind_of(terms[index]) == hint.kind for index in members)

    def _are_numbers(self, part: Set) -> bool:
        return self._are_values(part, Hint("", "number"))

    def _ranked(self, members: Sequence[int], predictions: Sequence[Prediction]) -> list[tuple[int, float]]:
        """Members with their weight against the heaviest, that one first."""
        weight: dict[int, float] = {}
        for prediction in predictions:
            top = max(prediction.scores, default=1.0) or 1.0
            for index, score in zip(prediction.entity_index, prediction.scores, strict=True):
                weight[index] = max(weight.get(index, 0.0), score / top)
        best = max((weight.get(index, 0.0) for index in members), default=0.0)
        scored = [(index, weight.get(index, 0.0) / best if best else 1.0) for index in members]
        return sorted(scored, key=lambda item: -item[1])


def path_of(table: TripleTable, branches: Sequence[Branch]) -> Path:
    """A program in terms."""
    return Path(tuple(_branch(table, branch) for branch in branches))


def _branch(table: TripleTable, branch: Branch) -> PathBranch:
    hops = tuple(tuple((table.relation_terms[way.index], way.inverse) for way in hop) for hop in branch.relations)
    return PathBranch(tuple(candidate.iri for candidate in branch.topic.candidates), hops, branch.excluded)


def _last_hops(path: Path) -> set[tuple[tuple[str, bool], ...]]:
    return {tuple(branch.hops[-1]) for branch in path.branches if branch.hops}


def _cut(path: Path) -> Path:
    """The path without its last hop."""
    return Path(
        tuple(PathBranch(b.topics, tuple(b.hops[:-1]), tuple(b.excluded[: len(b.hops) - 1])) for b in path.branches)
    )


def _num_met(words: Sequence[str], relation: str) -> int:
    """How many words of a relation's text occur among some words, in whatever form."""
    said = (token.norm for token in tokenise(relation) if token.norm not in NO_HINTS)
    return sum(any(_alike(word, norm) for word in words) for norm in said)


def _alike(one: str, other: str) -> bool:
    shared = min(len(one), len(other))
    return one == other or (shared >= 3 and one[: min(shared, _SAME_STEM)] == other[: min(shared, _SAME_STEM)])


def why_not(plans: Sequence[Plan], found: Found) -> str:
    """Why no plan has an answer: what the reasoner says of the first one."""
    reasons: Iterator[str] = (found[question].reason for question in sought(plans[0]) if not found[question].branches)
    return next(reasons, NO_RELATION if plans[0].measured else NOT_KNOWN)
