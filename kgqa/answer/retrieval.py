"""The passages and facts of a knowledge base that lie nearest to a question, whether or not it can be answered.

Searches that fail on different questions, by words (BM25), by vectors, and by a walk from the topics, are fused by
reciprocal rank (Cormack, Clarke and Buettcher 2009), which needs no scores that can be compared:

    score(x) = sum over the lists that hold x of 1 / (60 + rank of x in it, from 1)
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import cache, cached_property, partial
from itertools import islice, starmap
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from kgqa.answer.passages import by_words, fetch, living
from kgqa.answer.surroundings import Surroundings
from kgqa.errors import StoreError
from kgqa.graph.pagerank import Ranks
from kgqa.graph.terms import from_token
from kgqa.ids import ASSERTED, passage_iri, vector_id
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.embedder import Embedder
from kgqa.memory.index import IndexOptions, Vectors
from kgqa.memory.segment import Item
from kgqa.types import Question, RankedFact, RankedPassage, Step

K = TypeVar("K", bound=Hashable)
Triple = tuple[str, str, str]

_RANK_OFFSET = 60
"""Of reciprocal rank fusion, as published: how little the first place counts more than the tenth."""
_DEPTH = 100
"""Places of each list that are fused."""


def fuse(lists: Iterable[Sequence[K]]) -> list[tuple[K, float]]:
    """One ranking of several: each item with its score, best first; of equal ones the first seen comes first."""
    scores: dict[K, float] = defaultdict(float)
    for ranking in lists:
        for place, item in enumerate(ranking, start=1):
            scores[item] += 1 / (_RANK_OFFSET + place)
    return sorted(scores.items(), key=lambda pair: -pair[1])


class Retrieves(Protocol):
    """What an Answerer asks for where there is no answer."""

    def passages(self, questions: Sequence[Question], k: int) -> list[tuple[RankedPassage, ...]]: ...


class Retriever:
    """Finds what a knowledge base, which has to stay open, says around a question."""

    def __init__(
        self,
        kb: KnowledgeBase,
        *,
        embedder: Embedder | None = None,
        device: str = "auto",
        options: IndexOptions = IndexOptions(),  # noqa: B008 a frozen value
    ) -> None:
        """`embedder`: the one that made the vectors, searched on `device` as `options` say; None does without vectors.
        Raises StoreError for another one."""
        if embedder is not None and kb.embedder_name not in (None, embedder.name):
            raise StoreError(
                f"{kb.path} was indexed with embedder {kb.embedder_name!r}, given is {embedder.name!r}; "
                "choose that embedder, or run pipelines/index.py"
            )
        self.kb = kb
        self.embedder = embedder if kb.embedder_name else None
        self.memory = cache(partial(kb.memory, device=device, options=options))

    @cached_property
    def surroundings(self) -> Surroundings:
        """Made when it is first needed."""
        return Surroundings(self.kb)

    def passages(self, questions: Sequence[Question], k: int) -> list[tuple[RankedPassage, ...]]:
        """For each question at most `k` passages, best first; none where the knowledge base has none."""
        return self._passages(_Asked(self, questions), k)

    def passage_ids(self, texts: Sequence[str], vectors: Vectors, k: int) -> list[list[int]]:
        """For each text, of its vector in `vectors` [n, W], the ids in the long-term memory of at most `k` passages by
        words and by vectors, best first; without what has no vector yet. A `kgqa.reason.priming.Near`."""
        memory, ledger = self.memory("passage"), self.kb.ledger
        if not len(memory):
            return [[] for _ in texts]
        _, found = memory.search(vectors, _DEPTH)
        lists = (
            (by_words(ledger, text, _DEPTH), living(ledger, memory.items(row[row >= 0])))
            for text, row in zip(texts, found, strict=True)
        )
        passages = [fetch(ledger, [key for key, _ in fuse(both)[:k]]) for both in lists]
        ids = [[vector_id("passage", passage_iri(p.doc_id, *p.span), p.text) for p in some] for some in passages]
        return [[key for key in row if memory.contains([key]).all()] for row in ids]

    def facts(self, questions: Sequence[Question], k: int) -> list[tuple[RankedFact, ...]]:
        """For each question at most `k` facts by their vectors and by the walk, best first, each with its support."""
        return self._facts(_Asked(self, questions), k)

    def searches(self, questions: Sequence[Question]) -> dict[str, list[list[int]]]:
        """What is fused: by the name of each search, for each question the keys of passages, best first."""
        return self._searches(_Asked(self, questions))

    def retrieve(
        self, questions: Iterable[Question], *, num_passages: int, num_facts: int, batch_size: int = 256
    ) -> Iterator[tuple[Question, tuple[RankedPassage, ...], tuple[RankedFact, ...]]]:
        """Each question with its passages and facts, in order; reads `batch_size` questions ahead."""
        stream = iter(questions)
        while batch := list(islice(stream, batch_size)):
            asked = _Asked(self, batch)
            yield from zip(batch, self._passages(asked, num_passages), self._facts(asked, num_facts), strict=True)

    def text_of(self, term: str) -> str:
        """What a node or a relation of this graph is called."""
        return self._text_of.get(term, term)

    @cached_property
    def _text_of(self) -> dict[str, str]:
        table = self.kb.triples()
        texts = dict(zip(table.entities, table.entity_texts, strict=True))
        return texts | dict(zip(table.relation_terms, table.relation_texts, strict=True))

    def _passages(self, asked: "_Asked", k: int) -> list[tuple[RankedPassage, ...]]:
        if not asked.questions or k < 1 or not self.kb.counts()["num_passages"]:
            return [()] * len(asked.questions)
        return [self._shown(fuse(lists)[:k]) for lists in zip(*self._searches(asked).values(), strict=True)]

    def _facts(self, asked: "_Asked", k: int) -> list[tuple[RankedFact, ...]]:
        if not asked.questions or k < 1 or not self.kb.counts()["num_facts"]:
            return [()] * len(asked.questions)
        near = [list(self._asserted(items)) for items in asked.nearest("fact")]
        walked = [self.surroundings.facts(ranks, _DEPTH) for ranks in asked.walks]
        return [tuple(starmap(self._fact, fuse(lists)[:k])) for lists in zip(near, walked, strict=True)]

    def _searches(self, asked: "_Asked") -> dict[str, list[list[int]]]:
        ledger = self.kb.ledger
        return {
            "words": [by_words(ledger, question.text, _DEPTH) for question in asked.questions],
            "vectors": [living(ledger, items) for items in asked.nearest("passage")],
            "walk": [self.surroundings.passages(ranks, _DEPTH) for ranks in asked.walks],
        }

    def _asserted(self, items: Iterable[Item]) -> Iterator[Triple]:
        """The facts among those of a memory that may be older than the graph."""
        for term, _ in items:
            head, relation, tail = map(from_token, term.split(" ", 2))
            if self.kb.graph.has(head, relation, tail, graph=ASSERTED):
                yield head, relation, tail

    def _fact(self, triple: Triple, score: float) -> RankedFact:
        supports = self.kb.provenance([triple])[0]
        return RankedFact(Step(*triple, supports[0] if supports else None), score)

    def _shown(self, pairs: Sequence[tuple[int, float]]) -> tuple[RankedPassage, ...]:
        found = fetch(self.kb.ledger, [key for key, _ in pairs])
        return tuple(RankedPassage(passage, score) for passage, (_, score) in zip(found, pairs, strict=True))


class _Asked:
    """Questions with what passages and facts are both looked for by; made when it is first needed, and once."""

    def __init__(self, retriever: Retriever, questions: Sequence[Question]) -> None:
        self.questions = questions
        self._retriever = retriever

    @cached_property
    def walks(self) -> list[Ranks]:
        return self._retriever.surroundings.walk(self.questions)

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        assert self._retriever.embedder is not None
        return self._retriever.embedder.ask([question.text for question in self.questions])

    def nearest(self, kind: str) -> list[list[Item]]:
        """The items of the nearest vectors of a kind; none where nothing was indexed."""
        memory = self._retriever.memory(kind)
        if self._retriever.embedder is None or not len(memory):
            return [[] for _ in self.questions]
        _, ids = memory.search(self._vectors, _DEPTH)
        says_something = [any(map(str.isalnum, question.text)) for question in self.questions]
        return [memory.items(row[row >= 0]) if says else [] for row, says in zip(ids, says_something, strict=True)]
