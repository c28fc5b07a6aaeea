"""A conversation: what was asked and said, what it is about, and how the next question is to be understood.

    dialogue = Dialogue(answerer)
    answer, session = dialogue.ask(dialogue.start(), "Who discovered polonium?")
    answer, session = dialogue.ask(session, "Where were they born?")

A session is a value that goes through JSON. What a turn speaks of, its topics and its answers, is written into the
session's memory (kgqa.memory.session) as the mean of what it is called, by what relation it was reached and what was
asked; what the next turn refers to is read there, by content and recency, and decided by what can be answered.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from kgqa.answer.answerer import Answerer
from kgqa.answer.cues import asked_among
from kgqa.answer.references import Reading, correction_of, introduction_of, is_fragment, readings_of, replaced
from kgqa.answer.referents import (
    THING,
    TIME,
    Referent,
    Weighted,
    as_referent,
    as_topic,
    gender_asked,
    gender_said,
    kind_asked,
    of_names,
)
from kgqa.errors import InputError
from kgqa.graph.terms import is_literal
from kgqa.ids import digest
from kgqa.memory.session import SessionMemory, mean_vector
from kgqa.types import Answer, Candidate, Question, Topic

FORMAT = 1
_MOST_READINGS = 12
_MOST_TERMS = 200
"""Of one referent; what goes beyond is not spoken of as a whole."""
_IN_VECTOR = 5


@dataclass(frozen=True, slots=True)
class Turn:
    """What was asked and how it was understood."""

    question: str
    understood: Question
    answers: tuple[str, ...]
    referents: tuple[str, ...]
    """Names of what it referred to."""


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation so far."""

    memory: SessionMemory
    session_id: str = ""
    referents: Mapping[str, Referent] = field(default_factory=dict)
    """What is in the memory, by the names of its slots."""
    turns: tuple[Turn, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "format": FORMAT,
            "session": self.session_id,
            "memory": self.memory.to_json(),
            "referents": [asdict(referent) for referent in self.referents.values()],
            "turns": [_turn_record(turn) for turn in self.turns],
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Of `to_json`; InputError where it is none."""
        try:
            if fields["format"] > FORMAT:
                raise InputError(f"a session of format {fields['format']}, newer than {FORMAT}; update kgqa")
            referents = [
                Referent(**{**one, "terms": tuple(one["terms"]), "texts": tuple(one["texts"])})
                for one in fields["referents"]
            ]
            turns = tuple(
                Turn(t["question"], _question(t["understood"]), tuple(t["answers"]), tuple(t["referents"]))
                for t in fields["turns"]
            )
            memory = SessionMemory.from_json(fields["memory"])
            return cls(memory, str(fields["session"]), {referent.name: referent for referent in referents}, turns)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"no session: {error!r}; give what Session.to_json wrote, or start a new one") from error


class Dialogue:
    """Answers the turns of conversations, any number of them."""

    def __init__(self, answerer: Answerer, *, use_memory: bool = True) -> None:
        """use_memory: False knows the last turn alone, and of that nothing by content (an ablation)."""
        self.answerer, self.use_memory = answerer, use_memory

    def start(self, session_id: str = "") -> Session:
        """A conversation in which nothing was said."""
        return Session(SessionMemory.empty(self.answerer.embed([""]).shape[1]), session_id)

    def ask(self, session: Session, question: str | Question) -> tuple[Answer, Session]:
        """The answer to the next turn, and the conversation with it."""
        if isinstance(question, str):
            question = Question(str(len(session.turns) + 1), question)
        readings = self._readings(session, question)
        answers = list(self.answerer.answer([reading.question for reading in readings]))
        best = max(range(len(readings)), key=lambda n: _worth(readings[n], answers[n]))
        answer = replace(answers[best], seconds=sum(one.seconds for one in answers))
        understood = readings[best].question.text
        said = replace(answer, question=question, understood=understood if understood != question.text else "")
        return said, self._continued(session, question, readings[best], answer)

    def _readings(self, session: Session, question: Question) -> list[Reading]:
        turns, refused = session.turns, set[str]()
        if turns and correction_of(question.text):
            refused = set(turns[-1].referents) | {_name(turns[-1].answers)}
            question = replace(question, text=turns[-1].question, topics=())
            turns = turns[:-1]
        linked = self.answerer.link([question])[0]
        held = [
            (referent, weight) for referent, weight in self._held(session, question) if referent.name not in refused
        ]
        last = turns[-1] if turns else None
        found = readings_of(linked, last.understood if last else None, held, centre=last.referents if last else ())
        found = [*found, *self._chained(linked, turns)]
        return sorted(found, key=lambda reading: -reading.weight)[:_MOST_READINGS]

    def _chained(self, question: Question, turns: Sequence[Turn]) -> Iterator[Reading]:
        """What about another one: where the last question was about what an earlier one found, the earlier one is asked
        of the other, and the last one of what that finds."""
        if not turns or not is_fragment(question):
            return
        last = turns[-1].understood
        for topic in last.topics:
            source = _found_by(topic, turns[:-1])
            asked = max(replaced(question, source.understood), key=lambda r: r.weight, default=None) if source else None
            if asked is None:
                continue
            (answer,) = self.answerer.answer([asked.question])
            if found := [one for one in answer.answers if one.iri in self.answerer.known_terms]:
                terms, names = zip(*((one.iri, one.text) for one in found), strict=True)
                alone = as_topic(Referent("", terms, names, "", 0), (0, 0))
                for reading in replaced(replace(question, topics=(alone,)), last):
                    if topic.candidates not in [kept.candidates for kept in reading.question.topics]:
                        yield replace(reading, weight=1.0)

    def _held(self, session: Session, question: Question) -> Weighted:
        """What the conversation has spoken of, likeliest first; weights are at most 1."""
        if not session.referents:
            return []
        if not self.use_memory:
            last = len(session.turns)
            return [(referent, 1.0) for referent in session.referents.values() if referent.turn == last]
        said = introduction_of(question.text)
        recency = 0.7 if said == question.text else 0.2
        weights = session.memory.read(self.answerer.embed([said])[0], recency=recency)
        top = max(weights.values(), default=1.0) or 1.0
        found = [(session.referents[name], weight / top) for name, weight in weights.items()]
        return sorted(found, key=lambda pair: -pair[1])

    def _continued(self, session: Session, asked: Question, reading: Reading, answer: Answer) -> Session:
        """The conversation with one more turn: what it spoke of is in the memory, its answers last."""
        number = len(session.turns) + 1
        terms = tuple(found.iri for found in answer.answers)
        understood = Question("", reading.question.text, answer.topics or reading.question.topics)
        turn = Turn(asked.text, understood, terms, reading.referents)
        spoken = [_named(topic, number) for topic in understood.topics if topic.candidates]
        spoken = [_with_gender(one, reading, asked.text) for one in spoken]
        of_graph = [found for found in answer.answers if found.iri in self.answerer.known_terms]
        if of_graph:
            spoken.append(_answered(_name(terms), of_graph, understood.text, number))
        relation = self.answerer.text_of(answer.paths[0][-1].relation) if answer.paths and answer.paths[0] else ""
        memory, referents = session.memory, dict(session.referents)
        for referent in spoken:
            if len(referent.terms) <= _MOST_TERMS:
                texts = [", ".join(referent.texts[:_IN_VECTOR]), *filter(None, [relation]), asked.text[:500]]
                memory = memory.written(referent.name, mean_vector(list(self.answerer.embed(texts))))
                latest = max((known.since for known in referents.values()), default=0)
                referents[referent.name] = _merged(referent, referents.get(referent.name), latest + 1)
        kept = {name: referent for name, referent in referents.items() if name in memory.names}
        return replace(session, memory=memory, referents=kept, turns=(*session.turns, turn))


def _found_by(topic: Topic, turns: Sequence[Turn]) -> Turn | None:
    """The turn whose answers a topic stands for."""
    name = _name(tuple(candidate.iri for candidate in topic.candidates))
    return next((turn for turn in reversed(turns) if topic.together and _name(turn.answers) == name), None)


_OF_OTHER_KIND = 0.3
"""Worth of an answer that is no date to a question that asks when, and is none of those of whom some are asked for."""


def _worth(reading: Reading, answer: Answer) -> float:
    """How likely a way to understand a turn is, once it is known how well it can be answered."""
    best = max((found.score for found in answer.found), default=0.0)
    said = reading.weight * best * (0.1 if answer.abstained else 1.0)
    return said if _is_of_kind(reading.question, answer) else said * _OF_OTHER_KIND


def _is_of_kind(question: Question, answer: Answer) -> bool:
    """Whether answers may be what is asked for: dates after when, members after "which of them"."""
    terms = {found.iri for found in answer.found}
    if kind_asked(question.text) == TIME and not answer.operation:
        return all(map(is_literal, terms))
    of = asked_among(question)
    return of is None or terms <= {candidate.iri for candidate in of.candidates}


def _named(topic: Topic, turn: int) -> Referent:
    """What a question speaks of."""
    referent = as_referent(topic, turn=turn)
    kind = TIME if all(map(is_literal, referent.terms)) else referent.kind
    return replace(referent, name=_name(referent.terms), kind=kind)


def _with_gender(referent: Referent, reading: Reading, asked: str) -> Referent:
    """A pronoun tells the gender of the one that it stands for."""
    is_meant = referent.name in reading.referents and len(referent.terms) == 1
    return replace(referent, gender=gender_said(asked) or referent.gender) if is_meant else referent


def _answered(name: str, answers: Sequence[Candidate], question: str, turn: int) -> Referent:
    """What a question was answered with."""
    terms, texts = zip(*((found.iri, found.text) for found in answers), strict=True)
    sense, asked = of_names(texts), kind_asked(question)
    gender = (gender_asked(question) or sense.gender) if len(texts) == 1 else ""
    kind = TIME if all(map(is_literal, terms)) else asked if asked not in ("", THING) else sense.kind or asked
    return Referent(name, terms, texts, kind, turn, gender=gender, found=True)


def _merged(referent: Referent, old: Referent | None, latest: int) -> Referent:
    """What is spoken of again, with what is known of it already."""
    if old is None:
        return replace(referent, since=latest)
    return replace(
        referent, since=old.since, kind=old.kind or referent.kind, gender=referent.gender or old.gender,
        found=referent.found or old.found,
    )  # fmt: skip


def _name(terms: tuple[str, ...]) -> str:
    return digest(*sorted(terms))[:16]


def _turn_record(turn: Turn) -> dict[str, Any]:
    topics = [
        {
            "text": topic.text,
            "span": list(topic.span),
            "together": topic.together,
            "candidates": [[c.text, c.iri, c.score] for c in topic.candidates],
        }
        for topic in turn.understood.topics
    ]
    understood = {"text": turn.understood.text, "topics": topics}
    return {
        "question": turn.question,
        "understood": understood,
        "answers": list(turn.answers),
        "referents": list(turn.referents),
    }


def _question(record: Mapping[str, Any]) -> Question:
    topics = tuple(
        Topic(t["text"], (t["span"][0], t["span"][1]), tuple(Candidate(*c) for c in t["candidates"]), t["together"])
        for t in record["topics"]
    )
    return Question("", record["text"], topics)
