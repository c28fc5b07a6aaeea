"""Which operation a question asks for, and what is left to ask of the reasoner: plans that are still to be grounded.

    How many students of X were born before 1900?
        -> count(filter(sought "which students of X?", by what "were born" says of dates, < 1900))

The words that ask for an operation (kgqa.answer.cues) are cut out of the question, and what remains is a plain question
about paths. Where a question can be cut in several ways every one is a plan, the likelier first, and the reasoner's
confidence decides. The topics say where one part ends and the next begins, so that no parse is needed.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from kgqa.answer import cues
from kgqa.answer.bounds import date_tests, number_tests
from kgqa.answer.edits import cut_from, edited, overlaps, widened, without_topics
from kgqa.graph.algebra import And, ArgMax, ArgMin, Ask, Compare, Count, Expression, Filter, Known, Not, Or, Test
from kgqa.graph.values import Kind
from kgqa.types import Question, Span, Topic

_MOST_PLANS = 6
_LIKELY = 0.5
"""Share of the likeliest entity's probability from which another one that a name may stand for is taken too."""


@dataclass(frozen=True, slots=True)
class Hint:
    """Words that say by what members are compared; which relation that is, the graph decides."""

    words: str
    kind: Kind
    of_values: bool = False
    """The question asks for the values themselves: in which year was the oldest of them born?"""


@dataclass(frozen=True, slots=True)
class Plan:
    """An operation on what is still to be found."""

    make: Callable[..., Expression]
    """Takes the sets of `parts`, then the key where there is a hint."""
    parts: tuple["Part", ...]
    hint: Hint | None = None
    needed: bool = True
    """False: the words may mean something else, and the question as it stands is answered where this cannot be."""
    measured: bool = False
    """A number is asked for that a fact has; members are not to be counted for it."""


Part = Plan | Question | Known
"""Questions are asked of the reasoner."""


def plans_of(question: Question) -> list[Plan]:
    """The ways in which a question with linked topics asks for an operation, likelier ones first; none for most."""
    for rules in ((_count,), (_choice,), (_comparison, _yes_no)):
        if found := [plan for rule in rules for plan in rule(question)]:
            return found[:_MOST_PLANS]
    return [part for part in _sets(question) if isinstance(part, Plan)][:_MOST_PLANS] or list(_and(question))


def sought(part: Part) -> Iterator[Question]:
    """The questions that a plan asks of the reasoner."""
    if isinstance(part, Question):
        yield part
    elif isinstance(part, Plan):
        for inner in part.parts:
            yield from sought(inner)


def known(topic: Topic) -> Known:
    """The entities that a topic stands for."""
    least = 0.0 if topic.together else _LIKELY * max((candidate.score for candidate in topic.candidates), default=0.0)
    return Known(tuple(candidate.iri for candidate in topic.candidates if candidate.score >= least))


def _sets(question: Question) -> list[Part]:
    """The ways to find the set that a question asks for; as it stands where no cue is in it."""
    for rule in (_superlative, _filter, _without, _either, _among):
        if found := list(rule(question)):
            return found[:_MOST_PLANS]
    return [question]


def _count(question: Question) -> Iterator[Plan]:
    cue = cues.COUNT.match(question.text)
    if cue and question.topics:
        wh = f"{cue['prep'] or ''}which{cue['of'] or ''}"
        for part in _sets(edited(question, (cue.span(), wh.capitalize()))):
            yield Plan(Count, (part,), measured=bool(cues.UNIT.match(question.text, cue.end())))


def _comparison(question: Question) -> Iterator[Plan]:
    """Was X born before Y? Is X older than Y?"""
    ask, topics = cues.ASK.match(question.text), question.topics
    if not ask or len(topics) != 2 or topics[0].span[0] != ask.end():
        return
    between = question.text[topics[0].span[1] : topics[1].span[0]]
    cue = cues.THAN.search(between)
    if cue and not between[cue.end() :].lower().replace("the", "").strip():
        by = cues.CUES[cue["cue"].lower()] if cue["cue"] else cues.Cue(bool(cue["before"]), "date", "")
        hint = Hint(f"{between[: cue.start()]} {by.hint}", by.kind)
        sides = known(topics[0]), known(topics[1])
        yield Plan(partial(_compared, sign="<" if by.smallest else ">"), sides, hint)


def _compared(left: Known, right: Known, key: object, *, sign: str) -> Expression:
    return Compare(left, right, key, sign)  # type: ignore[arg-type]


def _choice(question: Question) -> Iterator[Plan]:
    """Who was born first, X or Y?"""
    topics, text = question.topics, question.text
    if len(topics) != 2 or not cues.TWO.match(text[topics[0].span[1] : topics[1].span[0]].strip() + " "):
        return
    rest = text[: topics[0].span[0]] + " " + text[topics[1].span[1] :]
    cue = cues.COMPARATIVE.search(rest)
    if cue:
        by = cues.CUES[cue["cue"].lower()]
        both = Known(known(topics[0]).terms + known(topics[1]).terms)
        yield Plan(_best(by), (both,), Hint(f"{rest[: cue.start()]} {rest[cue.end() :]} {by.hint}", by.kind))


def _yes_no(question: Question) -> Iterator[Plan]:
    """Did X win Y? Either of them is asked for, and the other one looked for in the answer."""
    ask, topics = cues.ASK.match(question.text), question.topics
    if not ask or not topics or topics[0].span[0] != ask.end() or cues.ASKS_WHICH.search(question.text[ask.end() :]):
        return
    subject, last = topics[0], topics[-1]
    if len(topics) == 1:
        for part in _filter(question):
            if isinstance(part, Plan):
                yield Plan(Ask, (replace(part, parts=(known(subject),)),))
        return
    of_subject = edited(question, ((ask.start(), subject.span[1]), "Who"))
    end = question.text.rfind("?") if question.text.rfind("?") > last.span[1] else len(question.text)
    start = _before(question.text, last.span[0])
    begin = (ask.start(), ask.end("auxiliary")), f"What {ask['auxiliary'].lower()}"
    of_last = edited(question, begin, ((start, end), ""))
    for asked, member in ((of_subject, subject), (of_last, last)):
        for part in _sets(asked):
            yield Plan(Ask, (Plan(_all, (part, known(member))),))


def _before(text: str, end: int) -> int:
    """Where the article before a place begins."""
    start = text[:end].rstrip()
    return len(start) - 4 if start.lower().endswith(" the") else end


def _superlative(question: Question) -> Iterator[Part]:
    cue = cues.SUPERLATIVE.search(question.text)
    if cue and not overlaps(cue.span(), question.topics):
        word = (cue["cue"] or cue["end"]).lower()
        by = cues.CUES.get(word, cues.CUES["latest"])
        for rest, words in _cut(question, widened(question.text, cue.span())):
            hint = Hint(f"{words} {by.hint}", by.kind, _asks_when(question))
            for part in _sets(rest):
                yield Plan(_best(by), (part,), hint, needed=False)


def _filter(question: Question) -> Iterator[Part]:
    found: tuple[Span, Kind, tuple[Test, ...]] | None = None
    if cue := cues.DATES.search(question.text):
        found = cue.span(), "date", date_tests(cue.groupdict())
    elif cue := cues.NUMBERS.search(question.text):
        found = cue.span(), "number", number_tests(cue.groupdict())
    if found and not any(overlaps(found[0], [topic]) and topic.text.count(" ") for topic in question.topics):
        span, kind, tests = found
        for rest, words in _cut(question, widened(question.text, span)):
            for part in _sets(rest):
                hint = Hint(words, kind, _asks_when(question))
                yield Plan(partial(Filter, tests=tests), (part,), hint, needed=not _says_since(question, span))


def _says_since(question: Question, cue: Span) -> bool:
    """What exists since 1900 may also be what was founded in 1900."""
    return "since" in question.text[slice(*cue)].lower()


def _cut(question: Question, cue: Span) -> Iterator[tuple[Question, str]]:
    """The question without a cue, and the words that say by what to compare.

    First without what stands between the last topic and the cue ("students of X [were born] before 1900"), then
    without the cue alone.
    """
    outside = replace(question, topics=tuple(topic for topic in question.topics if not overlaps(topic.span, [cue])))
    before = [topic.span[1] for topic in outside.topics if topic.span[1] <= cue[0]]
    if before and (words := question.text[max(before) : cue[0]].strip(" ,")):
        yield edited(outside, ((max(before), cue[1]), "")), words
    yield edited(outside, (cue, " ")), without_topics(outside, cue)


def _without(question: Question) -> Iterator[Part]:
    text, topics = question.text, question.topics
    if cue := cues.EXCEPT.search(text):
        out = [topic for topic in topics if topic.span[0] >= cue.end()]
        if out and len(out) < len(topics):
            terms = tuple(term for topic in out for term in known(topic).terms)
            for part in _sets(edited(question, cut_from(text, cue.start()))):
                yield Plan(Not, (part, Known(terms)))
    elif cue := cues.NOT.search(text):
        left = edited(question, cut_from(text, cue.start()))
        right = edited(question, ((0, cue.end()), f"{_wh(text)} {cue['auxiliary'] or ''}"))
        for part in _sets(left) if left.topics and right.topics else []:
            yield Plan(Not, (part, right))


def _either(question: Question) -> Iterator[Part]:
    """Born in X or Y, born in X or educated at Y: each asked for itself."""
    for sides in _joined(question, cues.OR):
        yield Plan(_any, sides)


def _among(question: Question) -> Iterator[Part]:
    """Which of these won Y? Of those that are known already some are asked for."""
    if topic := cues.asked_among(question):
        of, end = known(topic), topic.span[1]
        rest = edited(question, ((0, end), _wh(question.text)))
        if rest.topics:
            for part in _sets(rest):
                yield Plan(_all, (of, part))
        elif not cues.TELLING.search(question.text[end:]):
            yield of


def _and(question: Question) -> Iterator[Plan]:
    """Two clauses; the reasoner follows both at once, and is asked for each where it is in doubt about that."""
    for sides in _joined(question, cues.AND):
        if all(side.topics for side in sides):
            yield Plan(_all, sides, needed=False)


def _joined(question: Question, word: re.Pattern[str]) -> Iterator[tuple[Question, Question]]:
    """A question with two topics that a word joins, as two questions."""
    if len(question.topics) != 2:
        return
    text, (one, other) = question.text, (topic.span for topic in question.topics)
    cue = word.search(text, one[1], other[0])
    if not cue or (cues.ASK.match(text) and not cues.ASKS_WHICH.search(text)):
        return
    between = text[cue.end() : other[0]]
    if not text[one[1] : cue.start()].strip(" ,") and _is_thin(between):
        yield edited(question, ((one[1], other[1]), "")), edited(question, ((one[0], other[0]), ""))
    elif not _is_thin(between):
        yield edited(question, cut_from(text, cue.start())), edited(question, ((0, cue.end()), f"{_wh(text)} "))


def _is_thin(text: str) -> bool:
    found = cues.ARTICLES_AND_PREPOSITIONS.fullmatch(text.strip() + " ")
    return not text.strip() or found is not None


def _all(*parts: object) -> Expression:
    return And(parts)  # type: ignore[arg-type]


def _any(*parts: object) -> Expression:
    return Or(parts)  # type: ignore[arg-type]


def _best(by: cues.Cue) -> type[ArgMin] | type[ArgMax]:
    return ArgMin if by.smallest else ArgMax


def _wh(text: str) -> str:
    return "Who" if text.lower().lstrip().startswith("who") else "Which"


def _asks_when(question: Question) -> bool:
    return cues.WHEN.match(question.text) is not None
