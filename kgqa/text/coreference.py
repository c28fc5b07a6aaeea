"""Whom a mention means: names by name, parts of names, pronouns and descriptions by rules with a score.

A document is walked once, in order. What a mention can mean is ranked by gender and kind, nearness, whether it was
a subject, and whether the document is about it (for "he" and "she" with the learned weights of antecedents.py); the
relation that asks then takes the first of the right type.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kgqa.text import antecedents
from kgqa.text.antecedents import Features, Pronoun, Seen
from kgqa.text.entities import Entity, NameParts, collect
from kgqa.text.lexicon import Lexicon
from kgqa.text.mentions import Spot
from kgqa.text.names import form_label
from kgqa.text.nlp import Parse

TRUST = {"name": 1.0, "concept": 0.9, "value": 1.0, "relative": 0.95, "pronoun": 0.9, "description": 0.8}
"""Prior that a mention of this kind is resolved rightly."""

_SENTENCE_COST = 1.0
_SUBJECT_BONUS = 1.0
_TITLE_BONUS = 2.0
_PARALLEL_BONUS = 0.5
_FARTHEST = 6
"""Sentences after which only the title entity is still meant by a pronoun."""
_GROUP_REACH = 3
"""Sentences for which people once named together are "they"."""
_NOUN_IN_NAME_BONUS = 2.0
_ANTECEDENTS = 4


@dataclass(slots=True)
class Resolver:
    """What every spot of a document stands for. Built by `resolve_document`; spots are told apart by identity."""

    lex: Lexicon
    by_name: dict[str, Entity]
    title: Entity | None
    parts: NameParts
    weights: Mapping[str, float]
    """Of what describes an antecedent of "he" or "she"."""
    totals: Mapping[int, int] = field(default_factory=dict)
    """id(entity) -> times the document names it."""
    most: int = 0
    """The largest of them."""
    ranked: dict[int, list[list[Entity]]] = field(default_factory=dict)
    """id(spot) -> readings, best first; a reading is one entity, or several for a plural."""
    weighed: dict[int, list[tuple[Entity, Features]]] = field(default_factory=dict)
    """id(spot) -> all that a "he" or "she" was chosen from, and what was known of it."""
    seen: dict[int, Seen] = field(default_factory=dict)
    num_seen: int = 0
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
            subject = parse.deps[spot.head] in antecedents.SUBJECTS
            readings = self._read(parse, spot, spots, sentence, subject)
            self.ranked[id(spot)] = readings
            if readings and spot.kind != "relative":
                self._note(readings[0], parse, spot, sentence, subject)
            if readings and spot.kind == "name":
                self._note_group(parse, previous, spot)
                previous = spot

    def _note(self, entities: Sequence[Entity], parse: Parse, spot: Spot, sentence: int, subject: bool) -> None:
        for entity in entities:
            self.known[id(entity)] = entity
            seen, last = Seen(parse, spot, sentence, self.num_seen, subject), self.seen.get(id(entity))
            seen.first = last.first if last else self.num_seen
            seen.named = (last.named if last else 0) + (spot.kind == "name")
            if last is not None:
                seen.times += last.times
                seen.subject |= last.sentence == sentence and last.subject
            self.seen[id(entity)] = seen
        self.num_seen += 1

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
        people.sort(key=lambda entity: (self.seen[id(entity)].sentence, self.seen[id(entity)].spot.start), reverse=True)
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
        if spot.kind == "pronoun" and spot.gender in {"m", "f"}:
            return self._person(parse, spot, spots, sentence)
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

    def _person(self, parse: Parse, spot: Spot, spots: Sequence[Spot], sentence: int) -> list[list[Entity]]:
        """Whom "he" or "she" means."""
        people = [entity for entity in self._candidates(sentence) if _may_mean(spot, entity, self.lex)]
        people.sort(key=lambda entity: -self.seen[id(entity)].place if id(entity) in self.seen else 1)
        later = {id(entity): (entity, name) for name, entity in self._later(spot, spots)}
        pronoun = Pronoun(parse, spot, sentence, self.num_seen, frozenset(later), self.totals, self.most)
        options: list[tuple[Entity, Features]] = []
        for rank, entity in enumerate(people):
            seen = self.seen.get(id(entity))
            known = ("title", "title unseen") if seen is None else antecedents.describe(pronoun, entity, seen, rank)
            options.append((entity, known))
        for entity in people:
            later.pop(id(entity), None)
        options += [(entity, antecedents.describe_later(parse, spot, entity, name)) for entity, name in later.values()]
        self.weighed[id(spot)] = options
        return _ranking([(antecedents.score(known, self.weights), entity) for entity, known in options])

    def _later(self, spot: Spot, spots: Sequence[Spot]) -> Iterator[tuple[Spot, Entity]]:
        """Who is named after a pronoun in its sentence, the first name of each last."""
        for name in reversed(spots):
            if name.sentence == spot.sentence and name.start >= spot.end and name.kind == "name":
                entity = self.by_name.get(name.text)
                if entity is not None and _may_mean(spot, entity, self.lex):
                    yield name, entity

    def _pronoun(self, parse: Parse, spot: Spot, sentence: int, subject: bool) -> list[list[Entity]]:
        if spot.gender == "p":
            return self._several(sentence)
        scored = []
        for entity in self._candidates(sentence):
            score = self._score(entity, sentence, subject)
            if entity.label == "PERSON" or (spot.label == "LOC" and entity.label not in {"LOC", "ORG"}):
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
        return last.subject and last.spot.start < spot.start and parse.heads[last.spot.start] == verb

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
            if last is not None and (last.sentence, last.spot.start) > (sentence, spot.start):
                continue
            score = self._score(entity, sentence, subject=False)
            if any(noun.rstrip("s") in name.lower() for name in entity.names):
                score += _NOUN_IN_NAME_BONUS
            if noun == "country":
                score += 3.0 if entity.name in self.lex.countries else -3.0
            scored.append((score, entity))
        return _ranking(scored)


def _may_mean(spot: Spot, entity: Entity, lex: Lexicon) -> bool:
    """Whether "he" or "she" can mean it at all; a recogniser's word that a name is no person's is not enough."""
    if entity.name[:1].islower() or _is_noun(entity, lex):
        return False
    if entity.label in {"PERSON", "MISC"}:
        return entity.gender in {"", spot.gender}
    said = any(name in lex.countries or form_label(name.split(), lex) not in {"", "PERSON"} for name in entity.names)
    return not said and entity.gender in {"n", spot.gender}


def _is_noun(entity: Entity, lex: Lexicon) -> bool:
    """ "Girls" at the start of a sentence; King and Baron can be surnames."""
    word = entity.name.lower()
    return word.removesuffix("s") in lex.noun_label and (word.endswith("s") or entity.label != "PERSON")


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


def resolver_for(
    paragraphs: Sequence[tuple[Parse, Sequence[Spot]]],
    text: str,
    title: str,
    lex: Lexicon,
    weights: Mapping[str, float] | None = None,
) -> Resolver:
    """A resolver that knows the names of the document; `walk` it over the paragraphs in order."""
    spots = [spot for _, found in paragraphs for spot in found]
    by_name = collect(spots, text, title, lex)
    about = next((entity for entity in by_name.values() if entity.is_title), None)
    mentioned = about is not None and any(by_name.get(spot.text) is about for spot in spots if spot.kind == "name")
    _learn_gender(paragraphs, about)
    weights = antecedents.shipped_weights() if weights is None else weights
    totals = Counter(id(by_name[spot.text]) for spot in spots if spot.kind == "name" and spot.text in by_name)
    return Resolver(
        lex, by_name, about if mentioned else None, NameParts(by_name.values()), weights, totals,
        max(totals.values(), default=0),
    )  # fmt: skip
