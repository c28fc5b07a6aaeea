"""Candidate facts of a paragraph: the patterns of patterns.toml matched over its parse and its mentions.

A candidate joins two spots; whom a pronoun or "the physicist" stands for is settled later, for the whole document.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from kgqa.text import clauses
from kgqa.text.assertion import doubt, excluded
from kgqa.text.fillers import Fillers, may_be
from kgqa.text.lexicon import Lexicon
from kgqa.text.mentions import Spot
from kgqa.text.nlp import Parse
from kgqa.text.patterns import Pattern, Relation, Role


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fact before its ends are resolved."""

    relation: Relation
    source: str
    """What found it: `pattern:born_in/born`, `classifier:P19`."""
    head: Spot
    tail: Spot
    confidence: float
    doubt: str = ""
    """Why the sentence does not assert it (see assertion.doubt); empty where it does."""


_ANYTHING = 20
"""Words between two neighbours where a pattern leaves open how they begin."""


class Matcher:
    """The patterns of all relations by trigger word; `candidates` is a pure function of the paragraph."""

    def __init__(self, relations: Sequence[Relation], lex: Lexicon) -> None:
        self._lex = lex
        self._by_word: dict[str, list[tuple[Relation, Pattern]]] = {}
        self._between: dict[str, list[tuple[Relation, Pattern]]] = {}
        for relation in relations:
            for pattern in relation.patterns:
                index = self._between if pattern.kind == "between" else self._by_word
                for trigger in pattern.triggers:
                    index.setdefault(trigger, []).append((relation, pattern))

        words = [len(trigger.split()) for trigger in self._between]
        self._reach = _ANYTHING if any(map(_begins_anyhow, self._between)) else max(words, default=0)

    def candidates(self, parse: Parse, text: str, spots: Sequence[Spot]) -> Iterator[Candidate]:
        """The candidates of one paragraph of the document `text`, in the order of their triggers."""
        fillers = Fillers(parse, text, spots, self._lex)
        for token, word in enumerate(parse.lower):
            patterns = self._by_word.get(word)
            if patterns and fillers.at.get(token) is None:
                reason = doubt(parse, token)
                for relation, pattern in patterns:
                    if _fits(parse, token, pattern):
                        yield from _instances(parse, token, relation, pattern, fillers, reason)
        yield from self._neighbours(parse, spots)

    def _neighbours(self, parse: Parse, spots: Sequence[Spot]) -> Iterator[Candidate]:
        named = [spot for spot in spots if spot.kind in {"name", "value"}]
        for place, (left, right) in enumerate(pairwise(named)):
            if right.start - left.end > self._reach:
                continue
            ends = {"LEFT": left, "RIGHT": right, "BEFORE": named[place - 1] if place else right}
            for between in _between(parse.lower[left.end : right.start]):
                owners = (one for one in named[: place + 1] if one.sentence == right.sentence)
                ends["FIRST"] = next((one for one in owners if self._may_own(one, between)), right)
                for relation, pattern in self._between.get(between, ()):
                    head, tail = ends[pattern.head.grammar], ends[pattern.tail.grammar]
                    if head is tail or (head.sentence != tail.sentence and " . " not in between):
                        continue
                    if not (self._may_own(head, between) and _followed(parse, right, pattern)):
                        continue
                    if self._typed(head, tail, relation):
                        yield Candidate(relation, pattern.name, head, tail, pattern.confidence, doubt(parse, left.head))

    def _may_own(self, spot: Spot, between: str) -> bool:
        """Whether "... his son" can be said of somebody, as far as his or her name tells."""
        owner = {"... his": "m", "... her": "f"}.get(between[:7], "")
        gender = self._lex.gender.get(spot.text.split()[0].lower(), "") if owner else ""
        return gender in {"", "n", "p", owner}

    def _typed(self, head: Spot, tail: Spot, relation: Relation) -> bool:
        return may_be(head, relation.head, self._lex) and may_be(tail, relation.tail, self._lex)


def _begins_anyhow(between: str) -> bool:
    return between.startswith("...")


def _between(words: Sequence[str]) -> Iterator[str]:
    """What stands between two neighbours, as a pattern may say it: whole, from any word on, or anything."""
    yield " ".join(words)
    for start in range(1, len(words)):
        yield "... " + " ".join(words[start:])
    yield "..."


def _followed(parse: Parse, right: Spot, pattern: Pattern) -> bool:
    """Whether what follows the right neighbour is what the pattern asks for."""
    following = parse.lower[right.end : right.end + _ANYTHING]
    return not pattern.after or any(following[: len(one.split())] == one.split() for one in pattern.after)


def _fits(parse: Parse, token: int, pattern: Pattern) -> bool:
    if pattern.kind == "noun":
        return parse.pos[token] in {"NOUN", "PROPN", "ADJ"} or parse.tags[token].startswith("NN")
    if parse.pos[token] not in {"VERB", "AUX"} and not parse.tags[token].startswith("VB"):
        return False
    if not pattern.objects:
        return True
    reach = parse.lower[token + 1 : token + 8]
    return any(parse.lower[child] in pattern.objects for child in parse.children[token]) or bool(
        pattern.objects.intersection(reach)
    )


def _instances(
    parse: Parse, token: int, relation: Relation, pattern: Pattern, fillers: Fillers, reason: str
) -> Iterator[Candidate]:
    owned = "OWNER" in (pattern.head.grammar, pattern.tail.grammar)
    heads, trust_head = fillers.fill(_tiers(parse, token, pattern.head, owned), relation.head)
    tails, trust_tail = fillers.fill(_tiers(parse, token, pattern.tail, owned), relation.tail)
    confidence = pattern.confidence * trust_head * trust_tail
    for head in heads:
        for tail in tails:
            both_of_many = head is tail and head.gender == "p" and relation.symmetric  # "the two collaborated"
            if (head is not tail or both_of_many) and not (pattern.named and tail.kind == "concept"):
                left_out = any(excluded(parse, end.start) for end in (head, tail))
                yield Candidate(relation, pattern.name, head, tail, confidence, reason or "negation" * left_out)


def _tiers(parse: Parse, token: int, role: Role, owned: bool) -> clauses.Tiers:
    if not role.grammar:
        return clauses.prepositional(parse, token, role.prepositions)
    if role.grammar == "SELF" and owned:  # "their son" names nobody; "the author of X" may have been named before
        return clauses.denoted(parse, token)
    return {
        "AGENT": clauses.agents, "PATIENT": clauses.patients, "SUBJECT": clauses.subjects, "OBJECT": clauses.objects,
        "SELF": clauses.denoted_or_itself, "OWNER": clauses.owners, "POSSESSOR": clauses.possessors,
    }[role.grammar](parse, token)  # fmt: skip
