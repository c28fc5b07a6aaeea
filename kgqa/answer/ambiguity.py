"""Questions that may be about one entity or another: read each way, and given back where that makes a difference."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from kgqa.reason.paths import Branch
from kgqa.types import Candidate, Question, Topic

AMBIGUOUS = "ambiguous"
"""How the reason for abstaining begins: `ambiguous: did you mean X or Y`."""

_MOST_READINGS = 5
"""Entities that one topic is tried for."""


NEARLY_EQUAL = 0.8
"""Share of the likeliest entity's probability from which another one may as well be meant."""


class Reading(NamedTuple):
    """A question with one of its topics taken for one entity."""

    question: Question
    topic: Topic
    meant: Candidate


def readings(question: Question, branches: Sequence[Branch], *, share: float) -> Iterator[Reading]:
    """Each topic that an answer started from, taken for each entity of at least `share` of the likeliest's probability.

    Nothing where every topic has one such entity only.
    """
    for branch in (branch for branch in branches if not branch.topic.together):
        likely = _likely(branch.topic, share)
        for candidate in likely if len(likely) > 1 else []:
            certain = replace(branch.topic, candidates=(replace(candidate, score=1.0),))
            topics = [certain if _same(topic, branch.topic) else topic for topic in question.topics]
            yield Reading(replace(question, topics=tuple(topics)), branch.topic, candidate)


def did_you_mean(answers: Iterable[tuple[Reading, Sequence[int]]], text_of: Callable[[str], str]) -> str:
    """What to ask back, given what each reading of one question is answered with; "" where it makes no difference."""
    by_topic: dict[Topic, dict[Candidate, frozenset[int]]] = {}
    for reading, entities in answers:
        by_topic.setdefault(reading.topic, {})[reading.meant] = frozenset(entities)
    for said in by_topic.values():
        if len(set(said.values())) > 1:
            *others, last = _told_apart(list(said), text_of)
            return f"{AMBIGUOUS}: did you mean {', '.join(others)} or {last}"
    return ""


def _likely(topic: Topic, share: float) -> list[Candidate]:
    best = max((candidate.score for candidate in topic.candidates), default=0.0)
    return [candidate for candidate in topic.candidates if candidate.score >= share * best][:_MOST_READINGS]


def _same(one: Topic, other: Topic) -> bool:
    return (one.span, one.text) == (other.span, other.text)


def _told_apart(candidates: list[Candidate], text_of: Callable[[str], str]) -> list[str]:
    """What the entities are called, with their IRIs where two are called the same."""
    texts = [text_of(candidate.iri) for candidate in candidates]
    return [
        text if texts.count(text) == 1 else f"{text} <{candidate.iri}>"
        for text, candidate in zip(texts, candidates, strict=True)
    ]
