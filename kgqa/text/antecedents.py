"""Whom "he" or "she" means: what can be meant is weighed by how it was mentioned before, with learned weights.

What is known of an entity are some words ("sentence=1", "subject for owner"); its score is the sum of their weights.
The weights are the file models/antecedents.json, which `python -m pipelines.train_coreference` writes.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from kgqa.text.entities import Entity
from kgqa.text.mentions import Spot
from kgqa.text.nlp import Parse

WEIGHTS = Path(__file__).parent / "models" / "antecedents.json"

SUBJECTS = frozenset({"nsubj", "nsubj:pass", "nsubj:outer"})
_ROLES = {
    **dict.fromkeys(SUBJECTS, "subject"), "obj": "object", "iobj": "object", "nmod:poss": "owner", "appos": "apposed",
    "conj": "joined", "nmod": "modifier", "obl": "oblique", "obl:agent": "agent", "ROOT": "root", "flat": "name",
}  # fmt: skip
_CLAUSES = frozenset({"ROOT", "advcl", "ccomp", "acl", "acl:relcl", "advcl:relcl", "parataxis", "conj", "xcomp"})
_MOST_STEPS = 12
"""Up a parse tree."""

Features = tuple[str, ...]


@dataclass(slots=True)
class Seen:
    """The last mention of an entity, and what came before it."""

    parse: Parse
    spot: Spot
    sentence: int
    """Of the document."""
    place: int
    """Number of the mention in the document."""
    subject: bool
    """Whether it was a subject in its last sentence."""
    times: int = 1
    named: int = 0
    """Times it was mentioned by a name."""
    first: int = 0
    """Place of its first mention."""


def role(parse: Parse, token: int) -> str:
    """What a mention with this head does in its sentence; an apposition or a conjunct does what its governor does."""
    for _ in range(_MOST_STEPS):
        found = _ROLES.get(parse.deps[token], "other")
        if found not in {"apposed", "joined", "name"} or parse.heads[token] == token:
            return found
        token = parse.heads[token]
    return "other"


def verb_over(parse: Parse, token: int) -> int:
    """The predicate of the clause that a token stands in."""
    for _ in range(_MOST_STEPS):
        is_clause = parse.deps[token] in _CLAUSES and parse.pos[token] in {"VERB", "AUX", "ADJ", "NOUN"}
        if is_clause or parse.heads[token] == token:
            return token
        token = parse.heads[token]
    return token


@dataclass(frozen=True, slots=True)
class Pronoun:
    """A "he" or "she" whose antecedent is sought, and where the document is."""

    parse: Parse
    spot: Spot
    sentence: int
    place: int
    """Number of mentions before it."""
    named_after: frozenset[int]
    """id(entity) of all that are named later in the sentence."""
    totals: Mapping[int, int]
    """id(entity) -> times it is named in the document."""
    most: int
    """The largest of them."""


def describe(pronoun: Pronoun, entity: Entity, seen: Seen, rank: int) -> Features:
    """What is known of an entity that was mentioned before a pronoun; `rank`: how many others were mentioned since."""
    return tuple(_before(pronoun, entity, seen, rank))


def _before(pronoun: Pronoun, entity: Entity, seen: Seen, rank: int) -> Iterator[str]:
    parse, spot = pronoun.parse, pronoun.spot
    away = pronoun.sentence - seen.sentence
    near = "here" if away == 0 else "last" if away == 1 else "far"
    own, theirs = role(parse, spot.head), role(seen.parse, seen.spot.head)
    yield f"sentence={min(away, 4)}"
    yield f"rank={min(rank, 4)}"
    yield f"rank={min(rank, 2)} {near}"
    yield f"{theirs} {near}"
    yield f"{theirs} for {own}"
    yield f"{theirs} for {own} {near}"
    if seen.subject:
        yield f"was subject {near}"
        yield f"was subject for {own}"
    yield f"{seen.spot.kind} {near}"
    yield f"{seen.spot.kind} {theirs} {near}"
    yield f"since={min((pronoun.place - seen.place).bit_length(), 4)}"
    yield f"depth={min(_depth(seen.parse, seen.spot.head), 3)} {near}"
    yield f"arc {seen.parse.deps[seen.spot.head]}"
    if seen.spot.start == seen.parse.sentences[seen.spot.sentence][0]:
        yield f"begins {near}"
    if id(entity) in pronoun.named_after:
        yield "named after"
        yield f"named after for {own}"
    yield from _standing(pronoun, entity, seen)
    yield from _person(entity, spot)
    if away == 0 and seen.parse is parse:
        yield from _same_sentence(parse, spot, seen, own, theirs)
    else:
        clause = verb_over(parse, spot.head)
        yield f"from {parse.deps[clause]} {theirs} {near}"


def _depth(parse: Parse, token: int) -> int:
    """How many clauses a token stands in, besides the whole sentence."""
    return sum(parse.deps[above] in _CLAUSES - {"ROOT", "conj"} for above in (token, *_above(parse, token)))


def _standing(pronoun: Pronoun, entity: Entity, seen: Seen) -> Iterator[str]:
    total = pronoun.totals.get(id(entity), 0)
    yield f"times={min(seen.times, 5)}"
    yield f"named={min(seen.named, 3)}"
    yield f"total={min(total, 4)}"
    if total and total == pronoun.most:
        yield "most named"
    if seen.first == 0:
        yield "first of all"
        yield f"first of all times={min(seen.times, 3)}"
    if entity.is_title:
        yield "title"
        yield f"title times={min(seen.times, 3)}"
    yield f"words={min(len(seen.spot.text.split()), 3)}"


def _person(entity: Entity, spot: Spot) -> Iterator[str]:
    yield f"gender {'known' if entity.gender == spot.gender else 'unknown'}"
    yield f"{entity.label} {'sure' if entity.sure else 'unsure'}"


def _same_sentence(parse: Parse, spot: Spot, seen: Seen, own: str, theirs: str) -> Iterator[str]:
    gap = spot.start - seen.spot.end
    yield f"gap={min(max(gap, 0).bit_length(), 5)}"
    over, under = verb_over(parse, seen.spot.head), verb_over(parse, spot.head)
    where = (
        "same" if over == under else "above" if over in _above(parse, under)
        else "below" if under in _above(parse, over) else "beside"
    )  # fmt: skip
    yield f"clause {where} {theirs}"
    yield f"clause {where} {theirs} for {own}"
    yield f"clause {where} {parse.deps[under]} {theirs}"
    owned = parse.heads[spot.head]
    if owned == parse.heads[seen.spot.head]:
        yield f"siblings {own}"
    if own == "owner" and (_apposed(parse, owned, seen.spot.head) or _apposed(parse, seen.spot.head, owned)):
        yield "is what is owned"
    between = parse.words[seen.spot.end : spot.start]
    for mark in (",", ";", '"', "(", ")", "and", "who", "but", "when", "after", "that", "because"):
        if mark in between:
            yield f"between {mark}"


def _apposed(parse: Parse, token: int, other: int) -> bool:
    return parse.heads[token] == other and parse.deps[token] in {"appos", "flat", "compound", "nmod:desc"}


def _above(parse: Parse, token: int) -> set[int]:
    found: set[int] = set()
    while parse.heads[token] != token and token not in found:
        token = parse.heads[token]
        found.add(token)
    return found


def describe_later(parse: Parse, spot: Spot, entity: Entity, name: Spot) -> Features:
    """What is known of an entity that is named only after the pronoun, in its sentence: "in his youth, Bohr ..."."""
    own, theirs = role(parse, spot.head), role(parse, name.head)
    below = verb_over(parse, spot.head) in _above(parse, verb_over(parse, name.head))
    start = parse.sentences[spot.sentence][0]
    return (
        "later",
        f"later {theirs} for {own}",
        f"later {'under' if below else 'over'} {theirs}",
        f"later fronted={spot.start - start < 4} {own}",
        *(["later is what is owned"] if _below(parse, name.head, parse.heads[spot.head]) and own == "owner" else []),
        f"later gap={min((name.start - spot.end).bit_length(), 5)}",
        *(f"later {word}" for word in _person(entity, spot)),
    )


def _below(parse: Parse, token: int, other: int) -> bool:
    """Whether a token is part of the noun phrase of another."""
    return token == other or _apposed(parse, token, other)


@lru_cache(maxsize=1)
def shipped_weights() -> Mapping[str, float]:
    """The weights that the package ships."""
    loaded: dict[str, float] = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return loaded


def score(features: Features, weights: Mapping[str, float]) -> float:
    """The sum of the weights; what was never seen in training weighs nothing."""
    return sum(weights.get(feature, 0.0) for feature in features)
