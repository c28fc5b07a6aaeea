"""One question as the page shows it: what was said, and the facts that lead there, each named once and by a number."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kgqa.answer.questions import span_of
from kgqa.answer.report.picture import Picture, draw, walked
from kgqa.answer.report.run import Record, Scored
from kgqa.types import Candidate, Question, Topic

if TYPE_CHECKING:  # a page without traces needs no model
    from kgqa.reason.trace import Trace

_MOST_FACTS, _MOST_ANSWERS = 10, 10
"""Of one question; what is beyond is counted."""

Triple = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """One answer, with the numbers of the facts that lead to it."""

    text: str
    probability: float
    right: bool | None
    """None where gold is not known."""
    facts: list[int]


@dataclass(frozen=True, slots=True)
class Shown:
    """A question, its answers and its evidence."""

    scored: Scored
    record: Record
    said: list[Said]
    facts: dict[int, Record]
    """Steps of paths by the number that they are cited by, from 1."""
    num_more: int
    """Facts beyond those."""
    picture: Picture | None
    traces: "list[Trace]"
    """Of each topic's walk; empty where nothing was traced."""

    @property
    def status(self) -> str:
        """right, wrong, abstained (rightly, or gold not known), missed (abstained wrongly), answered (not known)."""
        known, right = self.scored.right is not None, self.scored.right
        if self.scored.abstained:
            return "missed" if known and not right else "abstained"
        return ("right" if right else "wrong") if known else "answered"


def shown(scored: Scored, record: Record, traces: "list[Trace]") -> Shown:
    """A question with its first answers, and as many of their paths as make up `_MOST_FACTS` facts."""
    numbers: dict[Triple, int] = {}
    paths = []
    for path in record["paths"]:
        more = dict.fromkeys(_triple(step) for step in path if _triple(step) not in numbers)
        if path and len(numbers) + len(more) <= _MOST_FACTS:
            numbers |= {triple: number for number, triple in enumerate(more, start=len(numbers) + 1)}
            paths.append(path)
    leads: dict[str, set[int]] = {}
    for path in paths:
        # an operation goes on beyond its answers, to the values that they are compared by
        for step in path if record.get("operation") else path[-1:]:
            leads.setdefault(walked(step)[1], set()).update(numbers[_triple(step)] for step in path)
    right = dict(enumerate(scored.answers_right))
    said = [
        Said(found["text"], found["score"], right.get(rank), sorted(leads.get(found["iri"], ())))
        for rank, found in enumerate(record["answers"][:_MOST_ANSWERS])
    ]
    facts = {numbers[_triple(step)]: step for path in paths for step in path}
    num_all = len({_triple(step) for path in record["paths"] for step in path})
    picture = draw(paths, numbers) if paths else None
    return Shown(scored, record, said, facts, num_all - len(facts), picture, traces)


def asked(record: Record) -> Question:
    """The question again, about the entities that its topics were taken for."""
    topics = (
        Topic(
            topic["text"],
            span_of(record["question"], topic["text"]),
            (Candidate(topic["text"], topic["iri"], 1.0),) if topic["iri"] else (),
        )
        for topic in record["topics"]
    )
    return Question(record["id"], record["question"], tuple(topics))


def _triple(step: Record) -> Triple:
    return step["head"], step["relation"], step["tail"]
