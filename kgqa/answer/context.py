"""Which of several entities of one name a question means: the one around which there is what the question speaks of.

    fit(entity) = max of cos(w, v) over words w of the question and words v of what is around the entity

Around an entity are what its relations are called, in either direction, and its types. Words are compared as character
n-grams (`HashingEmbedder`), so that "acted" fits `starred actors`: nothing is learned, and no vectors of the knowledge
base are needed. "Which films did lily tomlin star in" is about the actress, and not about the tag of that name.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from math import exp

import numpy as np
from numpy.typing import NDArray

from kgqa.answer.names import tokenise
from kgqa.graph.subgraph import TripleTable
from kgqa.memory.hashing import HashingEmbedder
from kgqa.types import Question, Topic

_TYPES = ("type", "instance of")
"""What a relation to a type is called."""
_SHARPNESS = 10.0
"""Of two entities one with a fit greater by 0.1 is e times as likely; chosen on MetaQA's train questions."""
_LONG_WORD = 4
"""Letters from which a word of a relation says more than how the relation is put."""


class Context:
    """What is around the entities of a graph. The arrays are made when two entities first compete."""

    def __init__(self, table: TripleTable) -> None:
        self._table = table
        embed = HashingEmbedder().embed
        self._vector = lru_cache(1 << 15)(lambda word: embed([word])[0])

    def ranked(self, question: Question, topic: Topic) -> Topic:
        """The topic with its candidates by how likely they are before and how they fit the other words; best first."""
        words = self._vectors(_words_beside(question.text, question.topics))
        if len(topic.candidates) < 2 or not len(words):
            return topic
        fits = [float((words @ self._around(candidate.iri).T).max(initial=0.0)) for candidate in topic.candidates]
        weights = [
            candidate.score * exp(_SHARPNESS * (fit - max(fits)))
            for candidate, fit in zip(topic.candidates, fits, strict=True)
        ]
        scored = [
            replace(candidate, score=weight / sum(weights))
            for candidate, weight in zip(topic.candidates, weights, strict=True)
        ]
        return replace(topic, candidates=tuple(sorted(scored, key=lambda one: (-one.score, one.iri))))

    def _vectors(self, words: Sequence[str]) -> NDArray[np.float32]:
        """[n, W] of words."""
        found: NDArray[np.float32] = np.array([self._vector(word) for word in words], np.float32)
        return found

    def _around(self, term: str) -> NDArray[np.float32]:
        """[n, W] of the words around an entity; none of one that is not in the graph."""
        table = self._table
        place = bisect_left(table.entities, term)
        if place == len(table.entities) or table.entities[place] != term:
            return np.empty((0, HashingEmbedder().width), np.float32)
        relations, types = (_of(pairs, place) for pairs in (self._relations, self._types))
        texts = [table.relation_texts[number] for number in relations]
        texts += [table.entity_texts[number] for number in types]
        return self._vectors(sorted({word for text in texts for word in _telling(text)}))

    @cached_property
    def _relations(self) -> NDArray[np.int64]:
        """[2, n]: entities in order, and a relation of each, each pair once."""
        table = self._table
        num, entities = max(len(table.relation_terms), 1), np.concatenate([table.heads, table.tails])
        keys = np.unique(entities * num + np.concatenate([table.relations, table.relations]))
        return np.stack(np.divmod(keys, num))

    @cached_property
    def _types(self) -> NDArray[np.int64]:
        """[2, n]: entities in order, and a type of each."""
        table = self._table
        says = np.flatnonzero([text in _TYPES for text in table.relation_texts])
        rows = np.isin(table.relations, says)
        return np.ascontiguousarray(np.unique(np.stack([table.heads[rows], table.tails[rows]]), axis=1))


def _of(pairs: NDArray[np.int64], entity: int) -> list[int]:
    """What ordered pairs say of an entity."""
    first, last = np.searchsorted(pairs[0], [entity, entity + 1])
    found: list[int] = pairs[1, first:last].tolist()
    return found


def _words_beside(text: str, topics: Sequence[Topic]) -> list[str]:
    """The words of a question that are in none of its topics."""
    spans = [topic.span for topic in topics]
    words = [
        token.norm
        for token in tokenise(text)
        if len(token.norm) > 2 and not any(begin < token.end and token.start < end for begin, end in spans)
    ]
    return list(dict.fromkeys(words))


@lru_cache(1 << 12)  # of relations and types, which are few
def _telling(text: str) -> list[str]:
    words = [token.norm for token in tokenise(text)]
    return [word for word in words if len(word) >= _LONG_WORD] or words
