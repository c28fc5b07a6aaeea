"""What a turn of a conversation leaves out, and the ways to fill it in: pronouns, sets, ellipsis, corrections, returns.

A turn is rewritten into questions that stand for themselves, in which the words that refer to something are topics with
the entities that may be meant. Every way has a weight, and the caller answers them all: what is meant is also what can
be answered.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from kgqa.answer import referring
from kgqa.answer.cues import asked_among
from kgqa.answer.edits import edited
from kgqa.answer.referents import TIME, Referent, Weighted, as_referent, as_topic, fit, of_noun, shown
from kgqa.types import Question, Span, Topic

_OF_ONE = 0.01
"""For "which of them", which asks for some of several."""
_CENTRE = 2.0
"""What the last turn referred to is what the conversation is about (Grosz, Joshi and Weinstein 1995): pronouns go on
with it, while "that" and "which of them" point at what is new.
"""
_INSIDE = 3.0
"""Weight of what the same turn names, against at most 1 of what a turn before did."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to understand a turn."""

    question: Question
    weight: float
    """How likely before it is known whether it can be answered."""
    referents: tuple[str, ...] = ()
    """Names of what it refers to."""


def readings_of(
    question: Question, last: Question | None, held: Weighted, *, centre: Sequence[str] = ()
) -> list[Reading]:
    """The ways to understand a turn whose own topics are linked, given the last question as it was understood.

    `centre`: names of what that question referred to.
    """
    question = _named(question, held)
    if (cue := referring.CORRECTION.match(question.text)) and last:
        corrected = list(replaced(edited(question, (cue.span(), "")), last))
        if corrected:
            return corrected
    introduced: list[tuple[Referent, float]] = []
    if cue := referring.INTRODUCTION.match(question.text):
        inside = [topic for topic in question.topics if topic.span[1] <= cue.end() and topic.candidates]
        introduced = [(as_referent(topic), _INSIDE) for topic in inside]
        question = edited(question, (cue.span(), ""))
    bare = question if not (cue := referring.LEAD.match(question.text)) else edited(question, (cue.span(), ""))
    mention = _first_mention(bare)
    if mention is None or not (
        referring.POINTING.match(mention[0]) or referring.AMONG.search(bare.text[: mention.start()])
    ):
        held = [(referent, weight * (_CENTRE if referent.name in centre else 1.0)) for referent, weight in held]
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
        held = [*((as_referent(topic), 0.5) for topic in inside), *held]
    if role == "pair" or (role == "many" and referring.TOGETHER.search(question.text)):
        pairs = list(_as_pair(*_place_of_both(question, mention, last), held))
        yield from pairs
        held = [] if pairs else held
    candidates = _by_order(held, mention[0]) if role == "ordinal" else held
    is_bare = last is not None and not _telling(question.text[: mention.start()] + question.text[mention.end() :])
    among = referring.AMONG.search(question.text[: mention.start()])
    for referent, weight in candidates:
        weight *= fit(mention, referent) * (_OF_ONE if among and len(referent.terms) == 1 else 1.0)
        if is_bare and last is not None:
            span = (0, len(question.text))
            alone = Question("", shown(referent.texts), (as_topic(referent, span),))
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
    return replace(filled, topics=tuple(sorted([*filled.topics, as_topic(referent, span)], key=lambda t: t.span)))


def _second_filled(reading: Reading, held: Weighted) -> Reading:
    """With a second referring expression replaced by what fits it best besides what the first one stands for."""
    mention = _first_mention(reading.question)
    if mention is None or mention.lastgroup not in ("person", "thing", "many") or not reading.referents:
        return reading
    others = [(weight * fit(mention, r), r) for r, weight in held if r.name not in reading.referents]
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
    topic = as_topic(spoken, (start, start + len(shown(spoken.texts))))
    text = f"{rest.text[:begin]} except {topic.text}?"
    return replace(reading, question=replace(rest, text=text, topics=(*rest.topics, topic)))


def _place_of_both(question: Question, mention: "re.Match[str]", last: Question | None) -> tuple[Question, Span]:
    """Where two are put: for the mention; or, where a turn says only that they share it, into the last question."""
    rest = question.text[: mention.start()] + question.text[mention.end() :]
    if last and last.topics and not _telling(referring.SHARING.sub("", rest)):
        return replace(last, question_id=question.question_id), last.topics[-1].span
    return question, mention.span()


def _as_pair(question: Question, place: Span, held: Weighted) -> Iterator[Reading]:
    """Two that must both hold, in a place of a question: the two of one set, or the last two that were spoken of."""
    singles = [(referent, weight) for referent, weight in held if len(referent.terms) == 1 and referent.kind != TIME]
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
        filled = edited(question, (place, f"both {texts[0]} and {texts[1]}"))
        first = place[0] + len("both ")
        second = first + len(texts[0]) + len(" and ")
        topics = as_topic(one, (first, first + len(texts[0]))), as_topic(other, (second, second + len(texts[1])))
        whole = sorted([*filled.topics, *topics], key=lambda topic: topic.span)
        yield Reading(replace(filled, topics=tuple(whole)), 2 * weight, names)


def _by_order(held: Weighted, word: str) -> Weighted:
    """The former or the latter of the two that were named last."""
    named = sorted((r for r, _ in held if len(r.terms) == 1 and not r.found), key=lambda referent: -referent.since)[:2]
    is_last = re.search(r"latter|second|last|other", word, re.I)
    return [(referent, 1.0) for referent in (named[:1] if is_last else named[1:])]


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
    for cue in referring.DEFINITE.finditer(bare.text):
        says_more = _telling(referring.ASKING.sub("", bare.text[: cue.start()] + bare.text[cue.end() :]))
        if says_more and of_noun(cue["noun"]).kind:
            yield from (Reading(_put(bare, cue, r), weight * fit(cue, r), (r.name,)) for r, weight in held)
    end = len(bare.text.rstrip(" ?.!")) + len(" of ")
    for referent, weight in held:
        text = shown(referent.texts)
        topic = as_topic(referent, (end, end + len(text)))
        asked = replace(question, text=f"{bare.text[: end - 4]} of {text}?", topics=(topic,))
        yield Reading(asked, weight, (referent.name,))


def _asked_among(last: Question) -> Topic | None:
    """The set of which the last question asked for some."""
    topic = asked_among(last)
    return topic if topic and topic.together else None


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
                    topics.append(replace(as_topic(referent, span), text=found["word"]))
                    break
    topics += [topic for topic in question.topics if not _meets(topic.span, topics)]
    return replace(question, topics=tuple(sorted(topics, key=lambda topic: topic.span)))


def _is_part(word: str, name: str, is_name: bool, is_called: bool) -> bool:
    """Whether a word is part of a name of several: any one with a capital, after "the" the last one without."""
    words = name.lower().split()
    return len(words) > 1 and ((is_name and word.lower() in words) or (is_called and word.lower() == words[-1]))


def _meets(span: Span, topics: Sequence[Topic]) -> bool:
    return any(topic.span[0] < span[1] and span[0] < topic.span[1] for topic in topics)
