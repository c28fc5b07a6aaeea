"""What a knowledge base teaches its own encoder, in batches of likely mistakes.

Names: a name with slips, or another name of an entity, belongs to the entity's text; the others of the batch are wrong,
and they are drawn in groups that look alike, since unlike ones teach nothing. Facts: a question, or two of a fact's
three parts, belongs to the fact as its memory composes it, unit(head + relation + tail); facts about the same entities
are what it could be mistaken for. What else would be right is not counted as wrong.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kgqa.memory.hashing import HashingEmbedder
from kgqa.memory.index import flat_search
from kgqa.memory.ngrams import plain_words
from kgqa.memory.noise import noisy

Rows = NDArray[np.int64]

_ALIKE = 8
"""Names of a batch that look alike and stand together."""
_WIDTH = 128
"""Of the hashed vectors that say which names look alike."""


@dataclass(frozen=True)
class Lessons:
    """Plain texts and rows; nothing here knows of terms."""

    entities: Sequence[str]
    """[E] what each entity is called, as its memory embeds it."""
    relations: Sequence[str]
    """[R]."""
    facts: Rows
    """[F, 3] head, relation and tail as rows of the above."""
    aliases: Sequence[tuple[str, int]] = ()
    """(another name, entity)."""
    questions: Sequence[tuple[str, tuple[int, ...]]] = ()
    """(text, the facts that answer it), at least one fact each."""


class NameBatch(NamedTuple):
    """Query i belongs to `names[i]`; `barred[i, j]`: candidate j says nothing about query i."""

    queries: list[str]
    names: list[str]
    barred: NDArray[np.bool_]


class FactBatch(NamedTuple):
    """Query i belongs to candidate i; `facts` [C, 3] with C >= the number of queries; `barred` as above."""

    queries: list[str]
    facts: Rows
    barred: NDArray[np.bool_]


@dataclass
class Batches:
    """Draws from lessons; the same seed gives the same batch, whatever was drawn before."""

    lessons: Lessons
    max_names: int
    """Entities whose names are learned, at most; of more, a random choice, those with aliases first."""
    seed: int
    _names_of: dict[int, list[str]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        lessons = self.lessons
        for name, entity in lessons.aliases:
            self._names_of.setdefault(entity, []).append(name)
        order = np.random.default_rng(self.seed).permutation(len(lessons.entities))
        has_alias = np.isin(order, np.fromiter(self._names_of, np.int64, len(self._names_of)))
        self.pool = np.sort(order[np.argsort(~has_alias, kind="stable")][: self.max_names])
        """Entities whose names are learned, ascending."""
        self._aliased = np.flatnonzero(np.isin(self.pool, order[has_alias]))
        self._look = HashingEmbedder(_WIDTH).embed([lessons.entities[entity] for entity in self.pool.tolist()])
        # Facts by the entities at their ends: those of entity e are _facts[_first[e] : _first[e + 1]].
        ends = lessons.facts[:, [0, 2]].T.ravel()
        self._facts = np.argsort(ends, kind="stable") % max(1, len(lessons.facts))
        self._first = np.searchsorted(np.sort(ends), np.arange(len(lessons.entities) + 1))

    def names(self, step: int, size: int) -> NameBatch:
        """About `size` names: groups that look alike, half of them around entities with aliases where there are any."""
        draw = random.Random(self._seed(step, 0))
        num_groups = max(1, size // _ALIKE)
        anchors = [draw.randrange(len(self.pool)) for _ in range(num_groups)]
        if len(self._aliased):
            anchors[::2] = [int(draw.choice(self._aliased)) for _ in anchors[::2]]
        _, alike = flat_search(self._look, self._look[anchors], min(_ALIKE, len(self.pool)))
        entities = self.pool[np.unique(alike)].tolist()
        names = [self.lessons.entities[entity] for entity in entities]
        queries = [noisy(self._written(entity, draw), draw) for entity in entities]
        # Names of the same words are one name for the encoder.
        _, key = np.unique([" ".join(sorted(plain_words(name))) for name in names], return_inverse=True)
        return NameBatch(queries, names, (key[:, None] == key) & ~np.eye(len(names), dtype=np.bool_))

    def _written(self, entity: int, draw: random.Random) -> str:
        others = self._names_of.get(entity, [])
        return draw.choice(others) if others and draw.random() < 0.5 else self.lessons.entities[entity]

    def facts(self, step: int, size: int) -> FactBatch:
        """`size` queries, half of them questions where there are any, and three candidates for each."""
        draw = random.Random(self._seed(step, 1))
        asked = [draw.choice(self.lessons.questions) for _ in range(size // 2 if self.lessons.questions else 0)]
        gold = [draw.choice(right) for _, right in asked]
        gold += [draw.randrange(len(self.lessons.facts)) for _ in range(size - len(asked))]
        facts = self.lessons.facts[gold]
        candidates = np.array([*gold, *(self._about(entity, draw) for entity in facts[:, [0, 2]].T.ravel().tolist())])
        found = self.lessons.facts[candidates]
        barred = np.zeros((size, len(candidates)), np.bool_)
        for row, (_, right) in enumerate(asked):
            barred[row] = np.isin(candidates, right)
        queries = [text for text, _ in asked]
        for row in range(len(asked), size):
            left_out = draw.randrange(3)
            kept = [part for part in range(3) if part != left_out]
            barred[row] = (found[:, kept] == facts[row, kept]).all(1)
            queries.append(self._cloze(facts[row].tolist(), kept, draw))
        barred[np.arange(size), np.arange(size)] = False
        return FactBatch(queries, found, barred)

    def _about(self, entity: int, draw: random.Random) -> int:
        """A fact with this entity at an end."""
        return int(self._facts[draw.randrange(int(self._first[entity]), int(self._first[entity + 1]))])

    def _cloze(self, fact: Sequence[int], kept: Sequence[int], draw: random.Random) -> str:
        """The kept parts of a fact in words, in either order; every other time with slips in the names."""
        texts = self.lessons.entities, self.lessons.relations, self.lessons.entities
        words = [texts[part][fact[part]] for part in kept]
        if draw.random() < 0.5:
            words = [word if part == 1 else noisy(word, draw) for word, part in zip(words, kept, strict=True)]
        draw.shuffle(words)
        return " ".join(words)

    def _seed(self, step: int, stream: int) -> int:
        return (self.seed * 1_000_003 + step) * 2 + stream
