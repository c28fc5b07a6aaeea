"""What fills a role: from the token that grammar points at to the mention it stands for.

The token may belong to a name, introduce one ("the physicist MARIE CURIE"), stand beside one ("an instrument invented
by", after "the cloud chamber,"), be one of a list, or be a noun phrase of its own.
"""

from collections.abc import Sequence

from kgqa.text import clauses
from kgqa.text.lexicon import Lexicon
from kgqa.text.mentions import Spot, make_spot
from kgqa.text.nlp import Parse

TIER_CONFIDENCE = (1.0, 0.9, 0.8)
"""Trust in a role by the tier that filled it: by arcs, by nested arcs or word order, by reach."""

_JOINTS = frozenset(
    {",", "and", "or", "&", "as", "well", "both", "then", "later", "also", "the", "a", "an", "his", "her", "their"}
)
_GUESSABLE = frozenset({"PERSON", "PLACE"})
_PREMODIFIERS = frozenset({"ADJ", "NOUN", "PROPN", "VERB", "NUM"})
_NAMING = frozenset({"flat", "compound", "nmod:unmarked", "nmod:desc"})
_ARTICLES = frozenset({"a", "an"})
_DEFINITE = frozenset({"the", "this", "that", "these", "both"})
_INDEFINITE = frozenset({"a", "an", "his", "her", "their", "its", "some", "any", "no"})
_OF = frozenset({"of"})
_CONJUNCTIONS = frozenset({"and", "or", "&", "well"})


def is_of(label: str, sure: bool, name: str, types: frozenset[str], lex: Lexicon) -> bool:
    """Whether a name with this label can be of one of the types; a single guess of the recogniser rules little out."""
    return label == "MISC" or bool(types & lex.types(label, name)) or (not sure and bool(types & _GUESSABLE))


def may_be(spot: Spot, types: frozenset[str], lex: Lexicon) -> bool:
    """Whether a spot can be of one of the types, before it is known what it stands for."""
    if "ANY" in types:
        return True
    if spot.kind == "value":
        return bool(types & {"DATE", "YEAR"})
    if types <= {"DATE", "YEAR"}:
        return False
    if spot.label:
        return is_of(spot.label, spot.sure, spot.text, types, lex)
    if spot.gender in {"m", "f"}:
        return "PERSON" in types
    return spot.gender != "n" or types != {"PERSON"}


def _is_conjunct(parse: Parse, token: int) -> bool:
    return bool(parse.with_dep(token, "cc")) and not parse.with_dep(token, "nsubj", "nsubj:pass", "cop", "case")


class Fillers:
    """The spots of a paragraph by token; makes new ones for noun phrases that fill a place without being names."""

    def __init__(self, parse: Parse, text: str, spots: Sequence[Spot], lex: Lexicon) -> None:
        self._parse, self._text, self._lex = parse, text, lex
        self._spots = spots
        self.at: dict[int, Spot | None] = {}
        for spot in spots:
            for token in range(spot.start, spot.end):
                self.at[token] = spot
        self._made: dict[tuple[int, str], Spot | None] = {}

    def fill(self, tiers: clauses.Tiers, types: frozenset[str]) -> tuple[list[Spot], float]:
        """The spots of the first tier that holds some of the right type, coordination followed; and its trust."""
        for tier, trust in zip(tiers, TIER_CONFIDENCE, strict=False):
            found: list[Spot] = []
            for token in self._with_conjuncts(tier):
                spot = self._spot_for(token, types)
                if spot is not None and may_be(spot, types, self._lex):
                    found.extend(other for other in self.coordinated(spot, types) if other not in found)
            if found:
                return found, trust
        return [], 0.0

    def _with_conjuncts(self, tokens: list[int]) -> list[int]:
        """The tokens and the nouns that arcs coordinate with them."""
        parse = self._parse
        result = list(tokens)
        for token in result:
            for child in parse.with_dep(token, "conj"):
                if parse.pos[child] in {"NOUN", "PROPN"} and _is_conjunct(parse, child):
                    result.append(child)
        return result

    def _spot_for(self, token: int, types: frozenset[str], depth: int = 0) -> Spot | None:
        """What a token stands for: the name it belongs to, the name it introduces, or a noun phrase of its own."""
        spot = self.at.get(token)
        if spot is not None:
            return (self._modified(spot, types) if spot.kind == "relative" else None) or spot
        if self._parse.pos[token] not in {"NOUN", "PROPN", "ADJ", "NUM", "PRON"}:
            return None
        if depth < 2 and self._parse.lower[token] in self._lex.partitive:
            for tier in clauses.prepositional(self._parse, token, _OF):
                for part in tier[:1]:
                    if (spot := self._spot_for(part, types, depth + 1)) is not None:
                        return spot
        named = self._introduced_name(token)
        if named is not None and may_be(named, types, self._lex):
            return named
        other = self._apposed(token, types, depth) if depth < 2 else None
        if other is not None:
            return other
        key = (token, "SCIENCE" if "SCIENCE" in types else "")
        if key not in self._made:
            self._made[key] = self._noun_phrase(token, types)
        return self._made[key]

    def _introduced_name(self, token: int) -> Spot | None:
        """ "the physicist MARIE CURIE", "his teacher, PAUL LANGEVIN"."""
        parse = self._parse
        for child in parse.children[token]:
            if child > token and (parse.deps[child] in _NAMING or clauses.is_apposed(parse, child)):
                spot = self.at.get(child)
                if spot is not None and spot.kind == "name":
                    return spot
        after = token + 1
        if after < len(parse.words) and parse.words[after] == ",":
            label = self._lex.noun_label.get(parse.lower[token])
            spot = self.at.get(after + 1)
            fits = spot is not None and spot.kind == "name" and label is not None and spot.label == label
            return spot if fits else None
        spot = self.at.get(after)
        return spot if spot is not None and spot.kind == "name" and spot.start == after else None

    def _apposed(self, token: int, types: frozenset[str], depth: int) -> Spot | None:
        """ "X, an INSTRUMENT invented by", "a DETECTOR, the first version of X", "X, whose BUILDING stands in"."""
        parse = self._parse
        if parse.lower[token] in self._lex.premises:
            owners = (child for tier in clauses.owners(parse, token) for child in tier)
            return next((spot for child in owners if (spot := self.at.get(child))), None)
        start = token
        while start > 0 and parse.pos[start - 1] in {"ADJ", "NOUN", "VERB", "ADV", "NUM"}:
            start -= 1
        determiner = parse.lower[start - 1] if start else ""
        closed = token + 1 < len(parse.words) and parse.words[token + 1] == ","
        if (
            start > 2
            and parse.words[start - 2] == ","
            and (determiner in _ARTICLES or (determiner == "the" and closed))
        ):
            return self._spot_for(start - 3, types, depth + 1)
        if determiner in _ARTICLES:
            following = clauses.nominal_after(parse, token + 1) if closed else []
            for other in (*parse.with_dep(token, "appos"), *following):
                is_same = parse.lower[other] in self._lex.partitive or parse.deps[other] == "appos"
                if is_same and (spot := self._spot_for(other, types, depth + 1)) is not None:
                    return spot
        return None

    def _modified(self, spot: Spot, types: frozenset[str]) -> Spot | None:
        """The noun phrase that a relative pronoun's clause modifies, where that is no name: "the UNIVERSITY, which"."""
        parse, clause = self._parse, self._parse.heads[spot.start]
        noun = parse.heads[clause]
        label = self._lex.noun_label.get(parse.lower[noun], "")
        if parse.deps[clause] != "acl:relcl" or self.at.get(noun) is not None:
            return None
        return self._spot_for(noun, types) if types & self._lex.types(label, parse.lower[noun]) else None

    def _noun_phrase(self, token: int, types: frozenset[str]) -> Spot | None:
        """A description ("the PHYSICIST"), to be resolved like a pronoun, or a concept ("the EXCLUSION PRINCIPLE")."""
        start = self._start_of_phrase(token)
        if self._describes(token, start, types):
            label = self._lex.noun_label[self._parse.lower[token]]
            spot = make_spot(self._parse, self._text, token, token + 1, "description", label)
            spot.gender = self._lex.gender.get(self._parse.lower[token], "")
            return spot
        left = self.at.get(start - 1)
        if left is not None and left.kind == "name" and may_be(left, types, self._lex):
            return left
        if "SCIENCE" in types and self._is_concept(token, start):
            return make_spot(self._parse, self._text, start, token + 1, "concept", "SCIENCE")
        return None

    def _start_of_phrase(self, token: int) -> int:
        parse, start = self._parse, token
        while start > 0 and parse.pos[start - 1] in _PREMODIFIERS and self.at.get(start - 1) is None:
            if parse.heads[start - 1] != token and parse.pos[start - 1] == "VERB":
                break
            start -= 1
        return start

    def _describes(self, token: int, start: int, types: frozenset[str]) -> bool:
        parse, word = self._parse, self._parse.lower[token]
        label = self._lex.noun_label.get(word)
        if not label or (start < token and label == "SCIENCE" and "SCIENCE" in types):
            return False  # "the exclusion principle" is a name
        definite = start > 0 and parse.lower[start - 1] in _DEFINITE
        if not definite and (label != "PERSON" or parse.tags[token] == "NNS"):
            return False
        return bool(types & self._lex.types(label, word)) or word not in self._lex.generic

    def _is_concept(self, token: int, start: int) -> bool:
        parse = self._parse
        vague = parse.lower[token] in self._lex.generic and self._lex.vague.issuperset(parse.lower[start:token])
        owned = start > 0 and parse.lower[start - 1] in _INDEFINITE
        return not vague and not owned and parse.pos[token] != "NUM"

    def coordinated(self, spot: Spot, types: frozenset[str]) -> list[Spot]:
        """`spot` and what is coordinated with it: "polonium and radium", "at McGill and later at Manchester"."""
        if spot.kind in {"pronoun", "relative"}:
            return [spot, *self._joined(spot, types)]
        chain = [spot, *self._joined(spot, types)]
        for earlier in reversed([other for other in self._spots if other.end <= chain[0].start]):
            if chain[0].start - earlier.end > 8 or chain[0] not in self._joined(earlier, types, chain[0]):
                break
            chain.insert(0, earlier)
        return chain

    def _joined(self, spot: Spot, types: frozenset[str], known: Spot | None = None) -> list[Spot]:
        """The spots after this one that commas and a conjunction join to it; none where no conjunction comes."""
        parse = self._parse
        before = clauses.introduced(parse, spot.start)
        result: list[Spot] = []
        confirmed = 0
        place, last = spot.end, len(parse.words)
        while True:
            start = place
            while place < last and self._joins(place, before, start):
                place += 1
            follower = self.at.get(place) if place < last else None
            gap = set(parse.lower[start:place])
            if follower is None or place == start or not self._matches(spot, follower, types, gap):
                break
            if follower is not known and self._is_other_subject(spot, follower):
                break
            result.append(follower)
            if gap & _CONJUNCTIONS:
                confirmed = len(result)
                break
            place = follower.end
        return result[:confirmed]

    def _joins(self, token: int, preposition: str, start: int) -> bool:
        parse = self._parse
        word = parse.lower[token]
        spot = self.at.get(token)
        if spot is not None:  # "the Copley Medal IN 1899 and the Nobel Prize"
            return spot.kind == "value" and parse.lower[spot.start - 1] in {"in", "year"}
        dated = next(
            (after for place in range(token + 1, token + 4) if (after := self.at.get(place)) is not None), None
        )
        if word in {"in", "for", "the", "year"} and dated is not None and dated.kind == "value":
            return True
        if token == start:
            return word in {",", "and", "or", "&", "as"}
        is_title = self._lex.noun_label.get(word) == "PERSON"
        return word in _JOINTS or word == preposition or is_title

    def _matches(self, spot: Spot, follower: Spot, types: frozenset[str], gap: set[str]) -> bool:
        if (
            follower.sentence != spot.sentence
            or follower.kind not in {"name", "value"}
            or not gap & (_CONJUNCTIONS | {","})
        ):
            return False
        return may_be(follower, types, self._lex) and (follower.kind == "value") == (spot.kind == "value")

    def _is_other_subject(self, spot: Spot, follower: Spot) -> bool:
        """ "... by Ramsay, and TRAVERS left": the parse may say that what follows begins another clause."""
        parse = self._parse
        return not (
            parse.deps[follower.head] not in {"nsubj", "nsubj:pass"}
            or parse.heads[follower.head] == parse.heads[spot.head]
        )
