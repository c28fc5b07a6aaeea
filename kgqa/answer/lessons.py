"""What a knowledge base and its users' questions teach its own sentence encoder."""

import logging
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from kgqa.answer.linking import EntityLinker
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.lessons import Lessons
from kgqa.reason.examples import Vocabulary
from kgqa.types import Question

log = logging.getLogger(__name__)


def lessons_of(kb: KnowledgeBase, questions: Iterable[Question] = ()) -> Lessons:
    """Names, aliases and facts of the graph, and each question with the facts between its topics and its answers.

    Topics are given or found by their names. A question that no single fact answers teaches nothing here; how many
    those are is logged.
    """
    table = kb.triples()
    vocabulary = Vocabulary(table)
    aliases = [
        (name, vocabulary.by_term[term])
        for name, term in kb.aliases()
        if name != table.entity_texts[vocabulary.by_term[term]]
    ]
    facts = np.stack([table.heads, table.relations, table.tails], axis=1)
    linker = EntityLinker.from_aliases(kb.aliases(), relation_texts=table.relation_texts)
    asked = linker.link(list(questions))
    between = _FactsBetween(facts, len(table.entities))
    answered = [(question.text, tuple(_facts_of(question, vocabulary, between))) for question in asked]
    usable = [(text, found) for text, found in answered if found]
    if len(usable) < len(asked):
        log.info("%d of %d questions are answered by single facts and learned from", len(usable), len(asked))
    return Lessons(table.entity_texts, table.relation_texts, facts, aliases, usable)


class _FactsBetween:
    """Looks up facts by the two entities at their ends."""

    def __init__(self, facts: NDArray[np.int64], num_entities: int) -> None:
        ends = facts[:, 0] * num_entities + facts[:, 2]
        self._order = np.argsort(ends, kind="stable")
        self._ends, self._num_entities = ends[self._order], num_entities

    def __call__(self, head: int, tail: int) -> list[int]:
        key = head * self._num_entities + tail
        first, last = np.searchsorted(self._ends, [key, key + 1])
        found: list[int] = self._order[first:last].tolist()
        return found


def _facts_of(question: Question, vocabulary: Vocabulary, between: _FactsBetween) -> Iterator[int]:
    """The facts between a topic and an answer, in either direction."""
    answers = {entity for name in question.answers or () for entity in vocabulary.entities(name)}
    candidates = (candidate.iri for topic in question.topics for candidate in topic.candidates)
    for topic in {vocabulary.by_term[iri] for iri in candidates if iri in vocabulary.by_term}:
        for answer in sorted(answers):
            yield from between(topic, answer)
            if answer != topic:
                yield from between(answer, topic)
