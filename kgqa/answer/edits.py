"""Questions with stretches of their text cut out or replaced; their topics move along."""

from collections.abc import Sequence
from dataclasses import replace

from kgqa.types import Question, Span, Topic


def edited(question: Question, *edits: tuple[Span, str]) -> Question:
    """The question with stretches of its text replaced; topics that a stretch reaches into are gone."""
    text, end = "", 0
    shift: list[tuple[int, int]] = []
    for (start, stop), new in sorted(edits):
        text += question.text[end:start] + new
        shift.append((stop, len(text) - stop))
        end = stop
    text += question.text[end:]
    topics = []
    for topic in question.topics:
        if all(topic.span[1] <= start or stop <= topic.span[0] for (start, stop), _ in edits):
            moved = next((by for stop, by in reversed(shift) if stop <= topic.span[0]), 0)
            topics.append(replace(topic, span=(topic.span[0] + moved, topic.span[1] + moved)))
    return replace(question, text=text, topics=tuple(topics))


def widened(text: str, cue: Span) -> Span:
    """A cue with the spaces and commas before it."""
    return len(text[: cue[0]].rstrip(" ,\t")), cue[1]


def cut_from(text: str, start: int) -> tuple[Span, str]:
    """The edit that ends a question before a place."""
    return widened(text, (start, len(text))), "?"


def overlaps(span: Span, topics: Sequence[Topic | Span]) -> bool:
    """Whether a stretch overlaps one of some topics or stretches."""
    spans = (topic.span if isinstance(topic, Topic) else topic for topic in topics)
    return any(span[0] < stop and start < span[1] for start, stop in spans)


def without_topics(question: Question, cue: Span) -> str:
    """What a question says besides a cue and its topics."""
    return edited(question, (cue, " "), *((topic.span, " ") for topic in question.topics)).text
