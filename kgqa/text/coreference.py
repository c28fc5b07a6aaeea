"""Whom a mention means: names by name, parts of names, pronouns and descriptions by rules with a score.

A document is walked once, in order. What a mention can mean is ranked by gender and kind, nearness, whether it was
a subject, and whether the document is about it; the relation that asks then takes the first of the right type.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kgqa.text.entities import Entity, NameParts, collect
from kgqa.text.lexicon import Lexicon
from kgqa.text.mentions import Spot
from kgqa.text.nlp import Parse

TRUST = {"name": 1.0, "concept": 0.9, "value": 1.0, "relative": 0.95, "pronoun": 0.9, "description": 0.8}
"""Prior that a mention of this kind is resolved rightly."""

_SENTENCE_COST = 1.0
_SUBJECT_BONUS = 1.0
_TITLE_BONUS = 2.0
_PARALLEL_BONUS = 0.5
_UNKNOWN_GENDER_COST = 0.7
_FARTHEST = 6
"""Sentences after which only the title entity is still meant by a pronoun."""
_GROUP_REACH = 3
"""Sentences for which people once named together are "they"."""
_NOUN_IN_NAME_BONUS = 2.0
_ANTECEDENTS = 4


@dataclass(slots=True)
class _Seen:
    """The last mention of an entity."""

    sentence: int
    token: int
    subject: bool
    times: int = 1


@dataclass(slots=True)
class Resolver:
    """What every spot of a document stands for. Built by `resolve_document`; spots are told apart by identity."""

    lex: Lexicon
    by_name: dict[str, Entity]
    title: Entity | None
    parts: NameParts
    ranked: dict[int, list[list[Entity]]] = field(default_factory=dict)
    """id(spot) -> readings, best first; a reading is one entity, or several for a plural."""
    seen: dict[int, _Seen] = field(default_factory=dict)
    known: dict[int, Entity] = field(default_factory=dict)
    group: list[Entity] = field(default_factory=list)
    """The people last named together: what "they" means."""

    def readings(self, spot: Spot) -> list[list[Entity]]:
        """What the spot can mean, best first."""
        return self.ranked.get(id(spot), [])

    def walk(self, parse: Parse, spots: Sequence[Spot], first_sentence: int) -> None:
        """Resolves the spots of the next paragraph, whose first sentence is the document's `first_sentence`th."""
        previous: Spot | None = None
        for spot in spots:
            sentence = first_sentence + spot.sentence
            subject = parse.deps[spot.head] in {"nsubj", "nsubj:pass"}
            readings = self._read(parse, spot, spots, sentence, subject)
            self.ranked[id(spot)] = readings
            if readings and spot.kind != "relative":
                self._note(readings[0], sentence, spot.start, subject)
            if readings and spot.kind == "name":
                self._note_group(parse, previous, spot)
                previous = spot

    def _note(self, entities: Sequence[Entity], sentence: int, token: int, subject: bool) -> None:
        for entity in entities:
            self.known[id(entity)] = entity
            last = self.seen.get(id(entity))
            again = last is not None and last.sentence == sentence
            times = last.times + 1 if last else 1
            self.seen[id(entity)] = _Seen(
                sentence, token, subject or (again and last is not None and last.subject), times
            )

    def _note_group(self, parse: Parse, previous: Spot | None, spot: Spot) -> None:
        if previous is None or previous.sentence != spot.sentence or spot.start - previous.end > 6:
            return
        between = parse.lower[previous.end : spot.start]
        pair = [entity for one in (previous, spot) for entity in self.readings(one)[0]]
        if {"and", "with"}.intersection(between) and all(entity.label == "PERSON" for entity in pair):
            continued = pair[0] in self.group
            self.group = [*self.group, pair[1]] if continued and pair[1] not in self.group else pair

    def _several(self, sentence: int) -> list[list[Entity]]:
        """Whom "they" or "the two" means: those named together lately, else the two people mentioned last."""
        if self.group and all(sentence - self.seen[id(entity)].sentence <= _GROUP_REACH for entity in self.group):
            return [list(self.group)]
        people = [
            entity for entity in self._candidates(sentence) if entity.label == "PERSON" and id(entity) in self.seen
        ]
        people.sort(key=lambda entity: (self.seen[id(entity)].sentence, self.seen[id(entity)].token), reverse=True)
        near = [entity for entity in people if sentence - self.seen[id(entity)].sentence <= 1]
        return [near[:2]] if len(near) > 1 else [list(self.group)] if self.group else []

    def _read(
        self, parse: Parse, spot: Spot, spots: Sequence[Spot], sentence: int, subject: bool
    ) -> list[list[Entity]]:
        if spot.kind == "name":
            return [[self._named(spot, sentence)]]
        if spot.kind == "concept":
            return [[self._concept(spot)]]
        if spot.kind == "relative":
            return [reading for other in _antecedents(parse, spot, spots) for reading in self.readings(other)[:1]]
        if spot.kind == "description":
            return self._described(spot, sentence)
        if spot.kind == "pronoun":
            return self._pronoun(parse, spot, sentence, subject)
        return []

    def _named(self, spot: Spot, sentence: int) -> Entity:
        entity = self.by_name.get(spot.text)
        if entity is not None:
            return entity
        wholes = self.parts.wholes(spot.text, spot.label)
        if not wholes:
            return self.by_name.setdefault(spot.text, Entity(spot.text, spot.label, {spot.text: None}))
        gender = self.lex.gender.get(spot.text.lower().split()[0], "")
        wholes = [whole for whole in wholes if not gender or whole.gender in {"", gender}] or wholes
        best = max(wholes, key=lambda whole: (self._nearness(whole, sentence), whole.is_title, whole.name))
        best.names.setdefault(spot.text)
        return best

    def _nearness(self, entity: Entity, sentence: int) -> float:
        last = self.seen.get(id(entity))
        distance = _FARTHEST if last is None else min(_FARTHEST, sentence - last.sentence)
        return -_SENTENCE_COST * distance + (_TITLE_BONUS if entity.is_title else 0.0)

    def _concept(self, spot: Spot) -> Entity:
        name = spot.text[:1].upper() + spot.text[1:]
        if self.title in self.parts.wholes(spot.text, spot.label) and self.title is not None:
            return self.title  # "fission" in the document about nuclear fission
        if name not in self.by_name:
            self.by_name[name] = Entity(name, spot.label, {spot.text: None})
        return self.by_name[name]

    def _candidates(self, sentence: int) -> list[Entity]:
        near = [self.known[key] for key, last in self.seen.items() if sentence - last.sentence <= _FARTHEST]
        if self.title is not None and self.title not in near:
            near.append(self.title)
        return near

    def _score(self, entity: Entity, sentence: int, subject: bool) -> float:
        last = self.seen.get(id(entity))
        score = self._nearness(entity, sentence)
        if last is not None and last.subject:
            score += _SUBJECT_BONUS + (_PARALLEL_BONUS if subject else 0.0)
        return score + (0.05 * min(last.times, 6) if last else 0.0)

    def _pronoun(self, parse: Parse, spot: Spot, sentence: int, subject: bool) -> list[list[Entity]]:
        if spot.gender == "p":
            return self._several(sentence)
        scored = []
        for entity in self._candidates(sentence):
            score = self._score(entity, sentence, subject)
            if spot.gender in {"m", "f"}:
                if entity.label not in {"PERSON", "MISC"} or entity.gender not in {"", spot.gender}:
                    continue
                score -= 0.0 if entity.gender else _UNKNOWN_GENDER_COST
                score -= 4.0 if entity.label == "MISC" else 0.0
            elif entity.label == "PERSON" or (spot.label == "LOC" and entity.label not in {"LOC", "ORG"}):
                continue
            if self._same_clause(parse, spot, entity, sentence):
                score -= 2.0
            scored.append((score, entity))
        return _ranking(scored)

    def _same_clause(self, parse: Parse, spot: Spot, entity: Entity, sentence: int) -> bool:
        """ "Rutherford told HIM": an object is not its own verb's subject."""
        last = self.seen.get(id(entity))
        if last is None or last.sentence != sentence or parse.deps[spot.head] not in {"obj", "iobj", "obl"}:
            return False
        verb = parse.heads[spot.head]
        return last.subject and last.token < spot.start and parse.heads[last.token] == verb

    def _described(self, spot: Spot, sentence: int) -> list[list[Entity]]:
        noun = spot.text.lower()
        gender = self.lex.gender.get(noun, "")
        if gender == "p":
            return self._several(sentence) if spot.label == "PERSON" else []
        scored = []
        for entity in self._candidates(sentence):
            if entity.label != spot.label or (gender and entity.gender not in {"", gender}):
                continue
            last = self.seen.get(id(entity))
            if last is not None and (last.sentence, last.token) > (sentence, spot.start):
                continue
            score = self._score(entity, sentence, subject=False)
            if any(noun.rstrip("s") in name.lower() for name in entity.names):
                score += _NOUN_IN_NAME_BONUS
            if noun == "country":
                score += 3.0 if entity.name in self.lex.countries else -3.0
            scored.append((score, entity))
        return _ranking(scored)


def _ranking(scored: list[tuple[float, Entity]]) -> list[list[Entity]]:
    return [[entity] for _, entity in sorted(scored, key=lambda pair: (-pair[0], pair[1].name))]


def _antecedents(parse: Parse, spot: Spot, spots: Sequence[Spot]) -> list[Spot]:
    """What a relative pronoun can mean: the noun its clause modifies, then what stands before it, nearest first."""
    before = [other for other in spots if other.end <= spot.start and other.sentence == spot.sentence]
    before = [other for other in before if other.kind not in {"relative", "value"}]
    clause = parse.heads[spot.start]
    while parse.deps[clause] not in {"acl:relcl", "advcl:relcl", "acl"} and parse.heads[clause] != clause:
        clause = parse.heads[clause]
    noun = parse.heads[clause]
    by_arc = [other for other in before if other.start <= noun < other.end]
    if parse.lower[spot.start] in {"who", "whom"}:
        before = [other for other in before if other.label in {"PERSON", "MISC", ""}]
    nearest = list(reversed(before))[:_ANTECEDENTS]
    adjacent = [other for other in nearest[:1] if spot.start - other.end <= 1]
    ordered = [*adjacent, *by_arc, *nearest]
    return [other for place, other in enumerate(ordered) if other not in ordered[:place]]


def _learn_gender(paragraphs: Sequence[tuple[Parse, Sequence[Spot]]], title: Entity | None) -> None:
    """A document about a person of unknown gender says "he" or "she" of them more often than of others."""
    if title is None or title.gender or title.label not in {"PERSON", "MISC"}:
        return
    count = {"m": 0, "f": 0}
    for _, spots in paragraphs:
        for spot in spots:
            if spot.kind == "pronoun" and spot.gender in count:
                count[spot.gender] += 1
    if count["m"] != count["f"]:
        title.gender = "m" if count["m"] > count["f"] else "f"


def resolver_for(paragraphs: Sequence[tuple[Parse, Sequence[Spot]]], text: str, title: str, lex: Lexicon) -> Resolver:
    """A resolver that knows the names of the document; `walk` it over the paragraphs in order."""
    spots = [spot for _, found in paragraphs for spot in found]
    by_name = collect(spots, text, title, lex)
    about = next((entity for entity in by_name.values() if entity.is_title), None)
    mentioned = about is not None and any(by_name.get(spot.text) is about for spot in spots if spot.kind == "name")
    _learn_gender(paragraphs, about)
    return Resolver(lex, by_name, about if mentioned else None, NameParts(by_name.values()))
