"""What a turn of a conversation leaves out, and the ways to fill it in: pronouns, sets, ellipsis, corrections, returns.

A turn is rewritten into questions that stand for themselves, in which the words that refer to something are topics with
the entities that may be meant. Every way has a weight, and the caller answers them all: what is meant is also what can
be answered.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from kgqa.answer import referring
from kgqa.answer.edits import edited
from kgqa.types import Candidate, Question, Span, Topic

_OF_OTHER_NUMBER = 0.3
_OF_ONE = 0.05
"""For "which of them", which asks for some of several."""
_CENTRE = 1.5
"""What the last turn referred to is what the conversation is about (Grosz, Joshi and Weinstein 1995)."""
_INSIDE = 3.0
"""Weight of what the same turn names, against at most 1 of what a turn before did."""
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Referent:
    """Entities that a conversation has spoken of, together."""

    name: str
    terms: tuple[str, ...]
    texts: tuple[str, ...]
    kind: str
    """What was asked for when they were the answer; empty for what a question named."""
    turn: int
    """Where they were spoken of last,"""
    since: int = 0
    """and how many things were spoken of before they first were."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to understand a turn."""

    question: Question
    weight: float
    """How likely before it is known whether it can be answered."""
    referents: tuple[str, ...] = ()
    """Names of what it refers to."""


Weighted = Sequence[tuple[Referent, float]]
"""What may be referred to, the likeliest first."""


def kind_asked(text: str) -> str:
    """What a question asks for: a person, a place, a time, a thing."""
    found = ((match.start(), kind) for kind, pattern in referring.ASKED if (match := pattern.search(text)))
    return min(found, default=(0, ""))[1]


def readings_of(
    question: Question, last: Question | None, held: Weighted, *, centre: Sequence[str] = ()
) -> list[Reading]:
    """The ways to understand a turn whose own topics are linked, given the last question as it was understood.

    `centre`: names of what that question referred to.
    """
    held = [(referent, weight * (_CENTRE if referent.name in centre else 1.0)) for referent, weight in held]
    question = _named(question, held)
    if (cue := referring.CORRECTION.match(question.text)) and last:
        corrected = list(replaced(edited(question, (cue.span(), "")), last))
        if corrected:
            return corrected
    introduced: list[tuple[Referent, float]] = []
    if cue := referring.INTRODUCTION.match(question.text):
        inside = [topic for topic in question.topics if topic.span[1] <= cue.end() and topic.candidates]
        introduced = [(_as_referent(topic), _INSIDE) for topic in inside]
        question = edited(question, (cue.span(), ""))
    bare = question if not (cue := referring.LEAD.match(question.text)) else edited(question, (cue.span(), ""))
    mention = _first_mention(bare)
    if mention is None:
        return [*_without_mention(question, bare, last, [*introduced, *held])] or [Reading(question, 1.0)]
    found = list(_filled(bare, mention, last, [*introduced, *held], with_inside=not introduced))
    found = [_second_filled(reading, held) for reading in found]
    if referring.ELSE.search(bare.text):
        found = [_without_known(reading, held) for reading in found]
    return found or [Reading(question, 1.0)]


def correction_of(text: str) -> bool:
    """Whether a turn takes back how the last one was understood: no, the other one."""
    return bool(referring.CORRECTION.match(text) and referring.OTHER.search(text))


def introduction_of(text: str) -> str:
    """What a turn says it goes back to; else the turn."""
    found = referring.INTRODUCTION.match(text)
    return found[1] if found else text


def together(referent: Referent, span: Span) -> Topic:
    """A topic that stands for all of a referent's entities."""
    pairs = zip(referent.terms, referent.texts, strict=True)
    return Topic(shown(referent.texts), span, tuple(Candidate(text, term, 1.0) for term, text in pairs), together=True)


def shown(texts: Sequence[str]) -> str:
    """Several names in a sentence."""
    if len(texts) > _SHOWN:
        return f"{', '.join(texts[: _SHOWN - 1])} and {len(texts) - _SHOWN + 1} others"
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def _as_referent(topic: Topic) -> Referent:
    best = topic.candidates if topic.together else topic.candidates[:1]
    return Referent("", tuple(c.iri for c in best), tuple(c.text for c in best), "", 0)


def _first_mention(question: Question) -> "re.Match[str] | None":
    """The first referring expression outside of the question's topics."""
    for found in referring.MENTION.finditer(question.text):
        if all(found.end() <= topic.span[0] or topic.span[1] <= found.start() for topic in question.topics):
            return found
    return None


def _filled(
    question: Question, mention: "re.Match[str]", last: Question | None, held: Weighted, *, with_inside: bool
) -> Iterator[Reading]:
    """The question with its referring expression replaced by each thing that it may stand for."""
    role = str(mention.lastgroup)
    inside = [topic for topic in question.topics if topic.span[1] <= mention.start() and topic.candidates]
    if with_inside and role in ("person", "thing", "many"):
        held = [*((_as_referent(topic), 0.5) for topic in inside), *held]
    if role == "pair" or (role == "many" and referring.TOGETHER.search(question.text)):
        pairs = list(_as_pair(question, mention, held))
        yield from pairs
        held = [] if pairs else held
    candidates = _by_order(held, mention[0]) if role == "ordinal" else held
    is_bare = last is not None and not _telling(question.text[: mention.start()] + question.text[mention.end() :])
    for referent, weight in candidates:
        weight *= 1.0 if role in ("ordinal", "noun", "pair") else _fit(role, referent)
        if len(referent.terms) == 1 and re.search(r"\b(?:of|among)\s+$", question.text[: mention.start()]):
            weight *= _OF_ONE
        if is_bare and last is not None:
            span = (0, len(question.text))
            alone = Question("", shown(referent.texts), (together(referent, span),))
            yield from (replace(r, weight=r.weight * weight, referents=(referent.name,)) for r in replaced(alone, last))
        else:
            yield Reading(_put(question, mention, referent), weight, (referent.name,))


def _put(question: Question, mention: "re.Match[str]", referent: Referent) -> Question:
    """A question with a referent in the place of a mention."""
    before = "in " if mention.lastgroup == "place" else ""
    after = "'s" if referring.POSSESSIVE.match(question.text, mention.start()) else ""
    filled = edited(question, (mention.span(), before + shown(referent.texts) + after))
    start = mention.start() + len(before)
    span = start, start + len(shown(referent.texts))
    return replace(filled, topics=tuple(sorted([*filled.topics, together(referent, span)], key=lambda t: t.span)))


def _second_filled(reading: Reading, held: Weighted) -> Reading:
    """With a second referring expression replaced by what fits it best besides what the first one stands for."""
    mention = _first_mention(reading.question)
    if mention is None or mention.lastgroup not in ("person", "thing", "many") or not reading.referents:
        return reading
    role = str(mention.lastgroup)
    others = [(weight * _fit(role, r), r) for r, weight in held if r.name not in reading.referents]
    if not others:
        return reading
    best = max(others, key=lambda one: one[0])[1]
    return replace(reading, question=_put(reading.question, mention, best))


def _without_known(reading: Reading, held: Weighted) -> Reading:
    """Who else: nobody that was spoken of."""
    inside = {candidate.iri for topic in reading.question.topics for candidate in topic.candidates}
    known = {t: n for r, _ in held for t, n in zip(r.terms, r.texts, strict=True) if t not in inside}
    if not known:
        return reading
    cue = referring.ELSE.search(reading.question.text)
    rest = edited(reading.question, (cue.span(), "")) if cue else reading.question
    begin = len(rest.text.rstrip(" ?.!"))
    spoken = Referent("", tuple(known), tuple(known.values()), "", 0)
    start = begin + len(" except ")
    topic = together(spoken, (start, start + len(shown(spoken.texts))))
    text = f"{rest.text[:begin]} except {topic.text}?"
    return replace(reading, question=replace(rest, text=text, topics=(*rest.topics, topic)))


def _as_pair(question: Question, mention: "re.Match[str]", held: Weighted) -> Iterator[Reading]:
    """Two that must both hold: the two of one set, or the last two that were spoken of."""
    singles = [
        (referent, weight) for referent, weight in held if len(referent.terms) == 1 and referent.kind != referring.TIME
    ]
    pairs: list[tuple[Referent, Referent, float, tuple[str, ...]]] = [
        (one, other, weight * also, (one.name, other.name))
        for number, (one, weight) in enumerate(singles[:5])
        for other, also in singles[number + 1 : 5]
    ]
    for referent, weight in held:
        if len(referent.terms) == 2:
            parts = [
                replace(referent, terms=(t,), texts=(n,)) for t, n in zip(referent.terms, referent.texts, strict=True)
            ]
            pairs.append((parts[0], parts[1], weight, (referent.name,)))
    for first_named, second_named, weight, names in pairs:
        one, other = sorted((first_named, second_named), key=lambda referent: referent.since)
        texts = one.texts[0], other.texts[0]
        filled = edited(question, (mention.span(), f"both {texts[0]} and {texts[1]}"))
        first = mention.start() + len("both ")
        second = first + len(texts[0]) + len(" and ")
        topics = together(one, (first, first + len(texts[0]))), together(other, (second, second + len(texts[1])))
        whole = sorted([*filled.topics, *topics], key=lambda topic: topic.span)
        yield Reading(replace(filled, topics=tuple(whole)), 2 * weight, names)


def _by_order(held: Weighted, word: str) -> Weighted:
    """The former or the latter of the two that were named last."""
    named = sorted((r for r, _ in held if len(r.terms) == 1 and not r.kind), key=lambda referent: -referent.since)[:2]
    is_last = re.search(r"latter|second|last|other", word, re.I)
    return [(referent, 1.0) for referent in (named[:1] if is_last else named[1:])]


def _fit(role: str, referent: Referent) -> float:
    several = len(referent.terms) > 1
    right_number = several if role == "many" else not several if role in ("person", "thing") else True
    return referring.FITS[role].get(referent.kind, 0.5) * (1.0 if right_number else _OF_OTHER_NUMBER)


def _without_mention(question: Question, bare: Question, last: Question | None, held: Weighted) -> Iterator[Reading]:
    """A turn in which nothing refers: it stands for itself, or says only what is new."""
    known = [topic for topic in question.topics if topic.candidates]
    if len(known) < len(question.topics):
        return  # about somebody who is not in the graph, and about nobody else
    if last and is_fragment(question):
        yield from replaced(question, last)
        return
    if known:
        yield Reading(question, 1.0)
        if last and (of := _asked_among(last)) and (cue := referring.SUBJECT.match(question.text)):
            begins = 1.5 if referring.LEAD.match(question.text) or len(question.text.split()) < 7 else 0.2
            text = f"{cue['wh'].capitalize() if cue['wh'].lower() in ('who', 'which') else 'Who'} of {of.text}"
            among = edited(question, (cue.span(), text))
            start = len(text) - len(of.text)
            topics = [replace(of, span=(start, len(text))), *among.topics]
            yield Reading(replace(among, topics=tuple(topics)), begins)
        return
    if last and referring.WH_ONLY.match(bare.text) and (cue := referring.WH.match(last.text)):
        yield Reading(
            replace(edited(last, (cue.span(), f"{bare.text.rstrip(' ?.!')} ")), question_id=question.question_id), 1.0
        )
    end = len(bare.text.rstrip(" ?.!")) + len(" of ")
    for referent, weight in held:
        text = shown(referent.texts)
        topic = together(referent, (end, end + len(text)))
        asked = replace(question, text=f"{bare.text[: end - 4]} of {text}?", topics=(topic,))
        yield Reading(asked, weight, (referent.name,))


def _asked_among(last: Question) -> Topic | None:
    """The set of which the last question asked for some."""
    from kgqa.answer.cues import AMONG

    cue = AMONG.match(last.text)
    first = last.topics[0] if last.topics else None
    return first if cue and first and first.together and first.span[0] == cue.end() else None


def is_fragment(question: Question) -> bool:
    """Whether a turn only names something: what about Ann?"""
    known = [topic for topic in question.topics if topic.candidates]
    return bool(known) and not _telling(edited(question, *((topic.span, " ") for topic in question.topics)).text)


def replaced(fragment: Question, last: Question) -> Iterator[Reading]:
    """The last question with one of its topics replaced by the one of a fragment."""
    new = next((topic for topic in fragment.topics if topic.candidates), None)
    if new is None:
        return
    for place, old in enumerate(last.topics):
        if {candidate.iri for candidate in old.candidates} == {candidate.iri for candidate in new.candidates}:
            continue
        text = new.text
        filled = edited(last, (old.span, text))
        span = old.span[0], old.span[0] + len(text)
        topics = sorted([*filled.topics, replace(new, span=span)], key=lambda topic: topic.span)
        # what is a set by itself is seldom taken back by one name; of several names the last one is
        weight = (0.3 if old.together and not new.together else 1.0) * (1.0 if place + 1 == len(last.topics) else 0.6)
        yield Reading(replace(filled, question_id=fragment.question_id, topics=tuple(topics)), weight)


def _telling(text: str) -> bool:
    """Whether anything is said besides filler words."""
    return bool(re.search(r"\w", referring.FILLER.sub("", text)))


def _named(question: Question, held: Weighted) -> Question:
    """With topics for parts of names that were spoken of: "Fermi" for Enrico Fermi, "the society" for the Royal one."""
    topics = [topic for topic in question.topics if topic.candidates]
    for found in re.finditer(r"\b(?:(?P<the>the)\s+)?(?P<word>\w{3,})(?!\w)", question.text):
        span = found.span("word")
        if not _meets(span, topics):
            is_name, is_called = found["word"][0].isupper(), found["the"] is not None
            for referent, _ in held:
                if len(referent.terms) == 1 and _is_part(found["word"], referent.texts[0], is_name, is_called):
                    topics.append(replace(together(referent, span), text=found["word"]))
                    break
    topics += [topic for topic in question.topics if not _meets(topic.span, topics)]
    return replace(question, topics=tuple(sorted(topics, key=lambda topic: topic.span)))


def _is_part(word: str, name: str, is_name: bool, is_called: bool) -> bool:
    """Whether a word is part of a name of several: any one with a capital, after "the" the last one without."""
    words = name.lower().split()
    return len(words) > 1 and ((is_name and word.lower() in words) or (is_called and word.lower() == words[-1]))


def _meets(span: Span, topics: Sequence[Topic]) -> bool:
    return any(topic.span[0] < span[1] and span[0] < topic.span[1] for topic in topics)
