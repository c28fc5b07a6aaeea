"""Questions as tensors: topics become placeholders and entity indices, gold answers become entity indices."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from kgqa.graph.subgraph import TripleTable
from kgqa.reason.instructions import Handed
from kgqa.reason.reasoner import Walks
from kgqa.reason.tokens import PLACEHOLDER
from kgqa.types import Question, Topic


@dataclass(frozen=True, slots=True)
class Example:
    """A question ready for the reasoner."""

    text: str
    """With every known topic as a placeholder."""
    topics: tuple[tuple[tuple[int, float], ...], ...]
    """For each placeholder, in order: the entities it may stand for, with their probabilities."""
    answers: tuple[int, ...] | None
    """Gold entities; () when the graph cannot answer, None when not known."""
    handed: tuple[tuple[int, ...], ...] = ()
    """Ids of what the long-term memory has nearest, one tuple a kind, for a reasoner that is handed any; see
    kgqa.reason.priming."""


class Batch(NamedTuple):
    """Q questions with their gold answers in coordinate form."""

    walks: Walks
    gold_entity: Tensor  # [G] int64
    gold_question: Tensor  # [G] int64, ascending


class Vocabulary:
    """Where the terms and the texts of a graph stand in its table."""

    def __init__(self, table: TripleTable) -> None:
        self.by_term: Mapping[str, int] = {term: index for index, term in enumerate(table.entities)}
        by_text: dict[str, list[int]] = defaultdict(list)
        for index, text in enumerate(table.entity_texts):
            by_text[text].append(index)
        self.by_text: Mapping[str, list[int]] = by_text

    def entities(self, name: str) -> list[int]:
        """The entities that a gold answer names: by its term, else all that go by this text."""
        index = self.by_term.get(name)
        return [index] if index is not None else self.by_text.get(name, [])


def example(question: Question, vocabulary: Vocabulary) -> Example:
    """A question whose topics are linked; topics without a candidate in the graph stay words of the text."""
    topics = []
    text, end = "", 0
    for topic in known_topics(question, vocabulary):
        found = ((vocabulary.by_term.get(candidate.iri), candidate.score) for candidate in topic.candidates)
        topics.append(tuple((entity, score) for entity, score in found if entity is not None))
        text += question.text[end : topic.span[0]] + PLACEHOLDER
        end = topic.span[1]
    answers = None
    if question.answers is not None:
        answers = tuple(sorted({index for name in question.answers for index in vocabulary.entities(name)}))
    return Example(text + question.text[end:], tuple(topics), answers)


def known_topics(question: Question, vocabulary: Vocabulary) -> list[Topic]:
    """The topics with a candidate in the graph, in the order of the text; of two that overlap the first."""
    kept: list[Topic] = []
    for topic in sorted(question.topics, key=lambda topic: topic.span):
        free = not kept or topic.span[0] >= kept[-1].span[1]
        if free and any(candidate.iri in vocabulary.by_term for candidate in topic.candidates):
            kept.append(topic)
    return kept


def trainable(examples: Iterable[Example]) -> tuple[list[Example], int]:
    """The examples that something can be learned from, and how many cannot: no topic known, or no answer given."""
    kept, num_left_out = [], 0
    for one in examples:
        if one.topics and one.answers is not None:
            kept.append(one)
        else:
            num_left_out += 1
    return kept, num_left_out


def collate(examples: Sequence[Example], handed: Handed | None = None) -> Batch:
    """Examples with at least one topic each to a batch; a walk for each topic. handed: with the examples, one a row."""
    walks = [(q, rank, topic) for q, one in enumerate(examples) for rank, topic in enumerate(one.topics, start=1)]
    starts = [(entity, walk, weight) for walk, (_, _, topic) in enumerate(walks) for entity, weight in topic]
    entity, walk, weight = zip(*starts, strict=True)
    return Batch(
        Walks(
            texts=[examples[q].text for q, _, _ in walks],
            topic_rank=torch.tensor([rank for _, rank, _ in walks]),
            start_entity=torch.tensor(entity),
            start_walk=torch.tensor(walk),
            start_weight=torch.tensor(weight, dtype=torch.float32),
            question=torch.tensor([q for q, _, _ in walks]),
            num_questions=len(examples),
            handed=handed,
        ),
        gold_entity=torch.tensor([a for one in examples for a in one.answers or ()], dtype=torch.int64),
        gold_question=torch.tensor([q for q, one in enumerate(examples) for _ in one.answers or ()], dtype=torch.int64),
    )
