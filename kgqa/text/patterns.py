"""The pattern file: relations with their patterns, read and checked; patterns.toml explains the notation."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kgqa.errors import ConfigError
from kgqa.ids import relation_iri
from kgqa.text.nlp import LABELS

PATTERNS = Path(__file__).parent / "patterns.toml"

TYPES = LABELS | {"INSTITUTION", "SOCIETY", "COUNTRY", "PLACE", "DATE", "YEAR", "ANY"}
_PROPERTY = re.compile(r"\^?P[1-9]\d*")
_GRAMMAR = {
    "verb": frozenset({"AGENT", "PATIENT", "OBJECT", "SUBJECT", "POSSESSOR"}),
    "noun": frozenset({"SELF", "OWNER"}),
    "between": frozenset({"LEFT", "RIGHT", "BEFORE", "FIRST"}),
}


@dataclass(frozen=True, slots=True)
class Role:
    """Where a pattern finds one end of its fact: a grammatical role, or the prepositions that introduce it."""

    grammar: str
    prepositions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way of saying a relation."""

    relation: str
    kind: str
    """verb | noun | between"""
    triggers: frozenset[str]
    """Word forms, lower case; for `between`: what stands between the two mentions."""
    head: Role
    tail: Role
    objects: frozenset[str]
    """For verbs: one of these words must follow ("received his DEGREE from")."""
    named: bool
    """Whether the tail must be a name or stand for one."""
    confidence: float
    """Prior probability that what it finds is stated by the text."""
    example: str
    facts: tuple[tuple[str, str], ...]
    """(head text, tail text) that the example yields."""
    after: tuple[str, ...] = ()
    """For `between`: one of these follows the right neighbour."""

    @property
    def name(self) -> str:
        """Names the pattern in provenance: `pattern:born_in/born`."""
        return f"pattern:{self.relation}/{min(self.triggers, key=lambda form: (len(form), form)).strip() or ','}"


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation with the types of its ends."""

    name: str
    text: str
    head: frozenset[str]
    tail: frozenset[str]
    symmetric: bool
    patterns: tuple[Pattern, ...]
    wikidata: tuple[str, ...] = ()
    """The Wikidata properties that mean the same; "^P40" means it the other way round."""

    @property
    def iri(self) -> str:
        """Of its node."""
        return relation_iri(self.name)


def load_patterns(path: Path = PATTERNS) -> tuple[Relation, ...]:
    """The relations of a pattern file. ConfigError names the file, the relation and what is wrong with it."""
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"extract.patterns={path} cannot be read: {error}; the shipped one is {PATTERNS}") from error
    relations = data.get("relation")
    if not isinstance(relations, list) or not relations:
        raise ConfigError(f"extract.patterns={path} holds no [[relation]]; see {PATTERNS} for the notation")
    return tuple(_relation(entry, path) for entry in relations)


def _relation(entry: dict[str, Any], path: Path) -> Relation:
    where = f"{path}: relation {entry.get('name', '?')!r}"
    known = {"name", "text", "head", "tail", "symmetric", "pattern", "wikidata"}
    if unknown := sorted(set(entry) - known):
        raise ConfigError(f"{where} has unknown keys {unknown}; known are {sorted(known)}")
    try:
        name, text, patterns = entry["name"], entry["text"], entry["pattern"]
        head, tail = (_types(entry[side], where) for side in ("head", "tail"))
    except KeyError as error:
        raise ConfigError(f"{where} lacks the key {error}") from None
    read = tuple(_pattern(pattern, name, where) for pattern in patterns)
    wikidata = tuple(str(entry.get("wikidata", "")).split())
    if wrong := [one for one in wikidata if not _PROPERTY.fullmatch(one)]:
        raise ConfigError(
            f"{where} has the Wikidata properties {wrong}; they look like P19, or ^P40 the other way round"
        )
    return Relation(name, text, head, tail, bool(entry.get("symmetric", False)), read, wikidata)


def _types(text: str, where: str) -> frozenset[str]:
    types = frozenset(text.split())
    if unknown := sorted(types - TYPES):
        raise ConfigError(f"{where} has unknown types {unknown}; known are {sorted(TYPES)}")
    return types


def _pattern(entry: dict[str, Any], relation: str, where: str) -> Pattern:
    kinds = [kind for kind in _GRAMMAR if kind in entry]
    known = {*_GRAMMAR, "head", "tail", "object", "named", "after", "confidence", "example", "fact"}
    unknown = sorted(set(entry) - known)
    if len(kinds) != 1 or unknown or not {"example", "fact", "confidence"} <= set(entry):
        raise ConfigError(
            f"{where}: pattern {entry} needs exactly one of {sorted(_GRAMMAR)}, and example, fact, confidence"
            + (f"; unknown keys {unknown}" if unknown else "")
        )
    kind = kinds[0]
    default = {"head": "LEFT", "tail": "RIGHT"} if kind == "between" else {}
    head, tail = (_role(entry.get(side, default.get(side, "")), kind, where) for side in ("head", "tail"))
    if not 0 < entry["confidence"] <= 1:
        raise ConfigError(f"{where}: confidence={entry['confidence']} is not in (0, 1]")
    return Pattern(
        relation, kind, _triggers(kind, entry[kind]), head, tail, frozenset(entry.get("object", "").split()),
        bool(entry.get("named", False)), float(entry["confidence"]), entry["example"],
        tuple(_facts(entry["fact"], where)), tuple(sorted(_triggers("between", entry.get("after", "")) - {""})),
    )  # fmt: skip


def _role(text: str, kind: str, where: str) -> Role:
    words = text.split()
    if not words:
        raise ConfigError(f"{where}: a {kind} pattern needs head and tail")
    if words[0].isupper():
        if len(words) > 1 or words[0] not in _GRAMMAR[kind]:
            raise ConfigError(f"{where}: role {text!r} of a {kind} pattern is none of {sorted(_GRAMMAR[kind])}")
        return Role(words[0], frozenset())
    return Role("", frozenset(words))


def _facts(text: str, where: str) -> Iterator[tuple[str, str]]:
    for pair in text.split(";"):
        head, bar, tail = pair.partition("|")
        if not bar:
            raise ConfigError(f"{where}: fact {pair!r} is not 'head text | tail text'")
        yield head.strip(), tail.strip()


def _triggers(kind: str, text: str) -> frozenset[str]:
    if kind == "between":
        return frozenset(" ".join(part.split()) for part in text.split("|"))
    return frozenset(form for word in text.split() for form in forms(word, verb=kind == "verb"))


def forms(word: str, *, verb: bool) -> Iterator[str]:
    """The inflected forms of `discover`, of `write/wrote/written` (irregular past), of `=born` (only this one)."""
    if word.startswith("="):
        yield from word[1:].split("/")
        return
    base, *past = word.split("/")
    yield base
    yield from past
    if not verb:
        yield base[:-1] + "ies" if base[-1] == "y" and base[-2] not in "aeiou" else base + "s"
        return
    stem = base[:-1] if base.endswith("e") and not base.endswith("ee") else base
    ends_y = base[-1] == "y" and base[-2] not in "aeiou"
    yield base[:-1] + "ies" if ends_y else base + ("es" if base.endswith(("s", "sh", "ch", "x")) else "s")
    yield base[:-2] + "ying" if base.endswith("ie") else stem + "ing"
    if not past:
        yield base[:-1] + "ied" if ends_y else stem + "ed"
