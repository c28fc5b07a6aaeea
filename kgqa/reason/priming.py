"""What the long-term memory holds near a question, for the first slots of the short-term one: facts, then passages.

Facts are looked for by the question's vector, by the index that the memory has; what a search costs is the memory's
matter (conf/memory), and the graph is not looked at. Passages are looked for by their words too, which is done above
this layer (`kgqa.answer.retrieval`): whoever opens a `Primer` hands in how. The same is done in training and in
answering, from the same example: names stand where it has placeholders, those of the likeliest candidates.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray

from kgqa.errors import ModelError
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.embedder import Embedder, load_embedder
from kgqa.memory.index import IndexOptions, Vectors
from kgqa.memory.long_term import LongTermMemory
from kgqa.reason.examples import Example
from kgqa.reason.instructions import Handed
from kgqa.reason.tokens import PLACEHOLDER

Near = Callable[[Sequence[str], Vectors, int], Sequence[Sequence[int]]]
"""Questions, their vectors [n, V] and k -> for each the ids of at most k items of a memory, the nearest first."""


class Kind(NamedTuple):
    """One kind of what is handed: `num` a question, of a memory, found by `near`."""

    name: str
    """fact or passage."""
    memory: LongTermMemory
    num: int
    near: Near


class Remembered(NamedTuple):
    """An item of the long-term memory that was handed."""

    kind: str
    """fact or passage."""
    id: int
    term: str
    """The triple of a fact; the IRI of a passage, which names its document and where it stands there."""
    text: str


class Primer:
    """Finds what a reasoner is handed with a question, and its vectors."""

    def __init__(self, embedder: Embedder, *kinds: Kind) -> None:
        """embedder: the one that made the vectors of the memories. kinds: in the order of the slots."""
        self.embedder, self.kinds = embedder, kinds

    @classmethod
    def open(
        cls,
        kb: KnowledgeBase,
        *,
        num_facts: int = 0,
        num_passages: int = 0,
        passages: Near | None = None,
        embedder: Embedder | None = None,
        trained_with: str | None = None,
        device: str = "auto",
        options: IndexOptions = IndexOptions(),  # noqa: B008 a frozen value
    ) -> Self | None:
        """Over a knowledge base, which has to stay open; None where nothing is to be handed.

        passages: how these are found, needed where any are handed. embedder: None loads the one that made the vectors.
        trained_with: identity of the embedder whose vectors a reasoner has learned to read; None: any. Raises
        ModelError where nothing was indexed, or by another one, or `passages` is missing.
        """
        if not (num_facts or num_passages):
            return None
        indexed = kb.embedder_name
        if indexed is None:
            raise ModelError(
                f"the reasoner reads {num_facts} facts and {num_passages} passages a question by their vectors, and "
                f"{kb.path} has none; run kgqa index kb={kb.path}, or train with reasoner.num_facts=0 "
                "reasoner.num_passages=0"
            )
        if trained_with not in (None, indexed):
            raise ModelError(
                f"the reasoner was trained on what embedder {trained_with!r} made, the vectors of {kb.path} are by "
                f"{indexed!r}; index with that embedder, or train again"
            )
        if num_passages and passages is None:
            raise ModelError(
                f"the reasoner reads {num_passages} passages a question; say how they are found, with passages="
                "Retriever(kb).passage_ids, or open it by Answerer.open"
            )
        kinds = []
        if num_facts:
            facts = kb.memory("fact", device=device, options=options)
            kinds.append(Kind("fact", facts, num_facts, by_vectors(facts)))
        if passages and num_passages:
            kinds.append(Kind("passage", kb.memory("passage", device="cpu"), num_passages, passages))
        return cls(embedder or load_embedder(indexed, device=device), *kinds)

    def near(self, examples: Sequence[Example], names: Sequence[str]) -> list[Example]:
        """The examples with the ids of what they are handed, nearest first. names: of the entities, by index."""
        if not examples:
            return []
        texts = [spelled(one, names) for one in examples]
        vectors = self.embedder.ask(texts)
        found = zip(*(kind.near(texts, vectors, kind.num) for kind in self.kinds), strict=True)
        return [replace(one, handed=tuple(map(tuple, ids))) for one, ids in zip(examples, found, strict=True)]

    def handed(self, examples: Sequence[Example]) -> Handed:
        """What the reasoner is handed of examples that `near` gave."""
        ids, vectors = zip(*(self._column(place, examples) for place in range(len(self.kinds))), strict=True)
        return Handed(torch.from_numpy(np.concatenate(ids, 1)), torch.from_numpy(np.concatenate(vectors, 1)))

    def _column(self, place: int, examples: Sequence[Example]) -> tuple[NDArray[np.int64], Vectors]:
        """Ids [n, num] and vectors [n, num, V] of one kind."""
        kind = self.kinds[place]
        ids = np.full((len(examples), kind.num), -1)
        for row, one in enumerate(examples):
            ids[row, : len(one.handed[place])] = one.handed[place]
        vectors = np.zeros((*ids.shape, self.embedder.width), np.float32)
        vectors[ids >= 0] = kind.memory.get(ids[ids >= 0])
        return ids, vectors

    def said(self, ids: NDArray[np.int64]) -> dict[int, Remembered]:
        """By their ids, the items of `Handed.ids` [n, K]."""
        ends = np.cumsum([kind.num for kind in self.kinds])
        found = {}
        for kind, part in zip(self.kinds, np.split(ids, ends[:-1], axis=1), strict=True):
            known = np.unique(part[part >= 0])
            for key, item in zip(known.tolist(), kind.memory.items(known), strict=True):
                found[key] = Remembered(kind.name, key, *item)
        return found


def by_vectors(memory: LongTermMemory) -> Near:
    """Finds the nearest of a memory by their vectors alone."""

    def near(texts: Sequence[str], vectors: Vectors, k: int) -> list[list[int]]:
        _, found = memory.search(vectors, k)
        return [row[row >= 0].tolist() for row in found]

    return near


def spelled(one: Example, names: Sequence[str]) -> str:
    """The question with names for its placeholders: of the likeliest candidates, of equal ones the first."""
    first, *rest = one.text.split(PLACEHOLDER)
    likeliest = (max(topic, key=lambda candidate: candidate[1])[0] for topic in one.topics)
    return first + "".join(names[entity] + after for entity, after in zip(likeliest, rest, strict=True))
