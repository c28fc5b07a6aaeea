"""Facts of the long-term memory for the first slots of the short-term one: those that lie nearest to a question.

They are looked for by the question's vector, by the index that the memory has; what a search costs is the memory's
matter (conf/memory), and the graph is not looked at. The same is done in training and in answering, from the same
example: names stand where it has placeholders, those of the likeliest candidates.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import numpy as np
import torch

from kgqa.errors import ModelError
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.embedder import Embedder, load_embedder
from kgqa.memory.index import IndexOptions
from kgqa.memory.long_term import LongTermMemory
from kgqa.memory.segment import Item
from kgqa.reason.examples import Example
from kgqa.reason.instructions import Facts
from kgqa.reason.tokens import PLACEHOLDER


class Primer:
    """Finds `num_facts` facts a question, and their vectors."""

    def __init__(self, memory: LongTermMemory, embedder: Embedder, num_facts: int) -> None:
        """embedder: the one that made the vectors of the memory."""
        self.memory, self.embedder, self.num_facts = memory, embedder, num_facts

    @classmethod
    def open(
        cls,
        kb: KnowledgeBase,
        num_facts: int,
        *,
        embedder: Embedder | None = None,
        trained_with: str | None = None,
        device: str = "auto",
        options: IndexOptions = IndexOptions(),  # noqa: B008 a frozen value
    ) -> Self:
        """Over the facts of a knowledge base, which has to stay open; `embedder` None loads the one that made them.

        trained_with: identity of the embedder whose vectors a reasoner has learned to read; None: any. Raises
        ModelError where nothing was indexed, or by another one.
        """
        indexed = kb.embedder_name
        if indexed is None:
            raise ModelError(
                f"the reasoner reads {num_facts} facts a question by their vectors, and {kb.path} has none; "
                f"run kgqa index kb={kb.path}, or train with reasoner.num_facts=0"
            )
        if trained_with not in (None, indexed):
            raise ModelError(
                f"the reasoner was trained on facts by embedder {trained_with!r}, those of {kb.path} are by "
                f"{indexed!r}; index with that embedder, or train again"
            )
        memory = kb.memory("fact", device=device, options=options)
        return cls(memory, embedder or load_embedder(indexed, device=device), num_facts)

    def near(self, examples: Sequence[Example], names: Sequence[str]) -> list[Example]:
        """The examples with the ids of their facts, nearest first. names: of the entities, by index."""
        if not examples:
            return []
        vectors = self.embedder.ask([spelled(one, names) for one in examples])
        _, found = self.memory.search(vectors, self.num_facts)
        return [replace(one, facts=tuple(row[row >= 0].tolist())) for one, row in zip(examples, found, strict=True)]

    def facts(self, examples: Sequence[Example]) -> Facts:
        """What the reasoner is handed of examples that `near` gave."""
        ids = np.full((len(examples), self.num_facts), -1)
        for row, one in enumerate(examples):
            ids[row, : len(one.facts)] = one.facts
        vectors = np.zeros((*ids.shape, self.embedder.width), np.float32)
        vectors[ids >= 0] = self.memory.get(ids[ids >= 0])
        return Facts(torch.from_numpy(ids), torch.from_numpy(vectors))

    def said(self, ids: Sequence[int]) -> list[Item]:
        """(term, text) of facts."""
        return self.memory.items(np.array(ids, np.int64))


def spelled(one: Example, names: Sequence[str]) -> str:
    """The question with names for its placeholders: of the likeliest candidates, of equal ones the first."""
    first, *rest = one.text.split(PLACEHOLDER)
    likeliest = (max(topic, key=lambda candidate: candidate[1])[0] for topic in one.topics)
    return first + "".join(names[entity] + after for entity, after in zip(likeliest, rest, strict=True))
