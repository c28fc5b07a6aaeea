"""What lies around a question's topics: a walk over facts and over what passages mention.

The graph holds every entity that a passage mentions or a fact is about, and every passage that mentions one. Facts link
entities to each other, mentions link them to passages: so a passage that shares no word with the question is found by
what another one says of its topic. The ranking is that of HippoRAG (Gutierrez et al. 2024): personalised PageRank from
the topics, each of which counts the less the more passages mention it, with their damping (alpha).
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from typing import cast

import numpy as np

from kgqa.answer.linking import EntityLinker
from kgqa.answer.passages import KEY, lives
from kgqa.graph.pagerank import Ranks, links, push, trail
from kgqa.graph.terms import is_literal
from kgqa.knowledge_base import KnowledgeBase
from kgqa.types import Question

_NODE = f"""
    LEFT JOIN redirects ON raw = {{0}}.term AND {lives("redirects")}
    JOIN terms ON terms.id = coalesce(canonical, {{0}}.term)
"""
_PASSAGES = f"SELECT {KEY} FROM passages JOIN docs ON docs.id = doc WHERE {lives('passages')} ORDER BY doc_id, start"
_MENTIONS = f"""
    SELECT terms.term, {KEY.replace("passages", "mentions")} FROM mentions {_NODE.format("mentions")}
    WHERE {lives("mentions")}
"""
_NAMES = f"SELECT name, terms.term FROM names {_NODE.format('names')} WHERE {lives('names')}"


class Surroundings:
    """The entities, facts and passages of a knowledge base, which has to stay open.

    Making it takes one look at all of them; what a question costs follows what lies around its topics.
    """

    def __init__(self, kb: KnowledgeBase) -> None:
        self._kb, self._table = kb, kb.triples()
        self._entity = {term: node for node, term in enumerate(self._table.entities)}
        self._keys = [cast(int, key) for (key,) in kb.ledger.rows(_PASSAGES)]
        place = {key: number for number, key in enumerate(self._keys)}
        rows = cast(Iterable[tuple[str, int]], kb.ledger.rows(_MENTIONS) if kb.ledger.has("mentions") else ())
        pairs = [(self._entity.setdefault(term, len(self._entity)), place[key]) for term, key in rows]
        # Two terms of a passage may be one node by now.
        entity, passage = np.unique(np.array(pairs, dtype=np.int64).reshape(-1, 2), axis=0).T
        self._num_passages = np.bincount(entity, minlength=len(self._entity))
        # A year that two entities share does not bring one near the other: each fact has a value of its own.
        tails, is_value = self._table.tails.copy(), np.array(list(map(is_literal, self._table.entities)), dtype=bool)
        valued = np.flatnonzero(is_value[tails])
        tails[valued] = len(self._entity) + np.arange(len(valued))
        self._first_passage = len(self._entity) + len(valued)
        self._graph = links(
            np.concatenate([self._table.heads, entity]),
            np.concatenate([tails, self._first_passage + passage]),
            self._first_passage + len(self._keys),
        )

    @cached_property
    def _linker(self) -> EntityLinker:
        """For all names that documents state, of entities without facts too."""
        stated = cast(Iterable[tuple[str, str]], self._kb.ledger.rows(_NAMES))
        names = {(name, term) for name, term in chain(self._kb.aliases(), stated) if term in self._entity}
        return EntityLinker.from_aliases(names, relation_texts=self._table.relation_texts)

    def walk(self, questions: Sequence[Question], *, alpha: float = 0.5) -> list[Ranks]:
        """For each question where a walk from its topics stops, at each node with probability `alpha`; nowhere when
        none of them is known."""
        return [self._from_topics(question, alpha) for question in self._linker.link(questions)]

    def _from_topics(self, question: Question, alpha: float) -> Ranks:
        candidates = [c for topic in question.topics for c in topic.candidates if c.score > 0 and c.iri in self._entity]
        node = np.array([self._entity[candidate.iri] for candidate in candidates], dtype=np.int64)
        score = np.array([candidate.score for candidate in candidates])
        return push(self._graph, node, score / np.maximum(self._num_passages[node], 1), alpha=alpha)

    def passages(self, ranks: Ranks, k: int) -> list[int]:
        """The keys of the `k` passages where most of a walk stops, best first."""
        first = np.searchsorted(ranks.node, self._first_passage)  # passages come after all else
        best = np.argsort(-ranks.rank[first:], kind="stable")[:k]
        return [self._keys[node - self._first_passage] for node in ranks.node[first:][best].tolist()]

    def facts(self, ranks: Ranks, k: int) -> list[tuple[str, str, str]]:
        """The `k` facts that a walk goes over most often, best first."""
        table, (number, often) = self._table, trail(self._graph, ranks)
        last = np.searchsorted(number, len(table.heads))  # mentions come after all facts
        rows = number[:last][np.argsort(-often[:last], kind="stable")[:k]]
        columns = table.heads[rows].tolist(), table.relations[rows].tolist(), table.tails[rows].tolist()
        return [
            (table.entities[h], table.relation_terms[r], table.entities[t]) for h, r, t in zip(*columns, strict=True)
        ]
