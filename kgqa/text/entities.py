"""The entities of one document: its names brought together, the fullest name of each, what else it is called.

"Curie" after "Marie Curie" is settled mention by mention in coreference.py; here are the names that mean one entity
wherever they stand: variants ("J. J. Thomson", "Joseph John Thomson"), stated aliases ("Marie Curie, born Maria
Skłodowska"), acronyms, and the document's own title.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from kgqa.text.lexicon import Lexicon
from kgqa.text.mentions import Spot

_STRIPPED_TITLES = frozenset({
    "mr", "mr.", "mrs", "mrs.", "ms", "ms.", "miss", "dr", "dr.", "sir", "professor", "prof.", "the",
})  # fmt: skip
_ALIAS_CUE = re.compile(
    r"^,? ?\(?(?:(?:was|is|who was|who is|often|usually|and) )*"
    r"(?:(?:also|better|formerly|originally|later|previously|popularly|commonly|simply|sometimes|then|today) )*"
    r"(?:known (?:simply )?as|called|born|baptised|née|nee|in full|shortened to|spelled|now"
    r"|whose (?:full|real|birth|maiden|original) name (?:was|is)|whose name is also spelled)"
    r" (?:simply )?(?:the )?[\"(]?$",
    re.IGNORECASE,
)
_BRACKET = re.compile(r"^ ?\((?:the |also |or |now |formerly )*$", re.IGNORECASE)


_HONORIFICS = frozenset({"lord", "lady", "madame"})
_SMALL_WORDS = frozenset({"of", "the", "for", "and", "in"})


@dataclass(slots=True, eq=False)
class Entity:
    """Something the document names: one entity, however it is called there."""

    name: str
    label: str
    names: dict[str, None] = field(default_factory=dict)
    """Every name it goes by, in the order they were met."""
    stated: set[str] = field(default_factory=set)
    """Names that the document states as other names; never the main one."""
    gender: str = ""
    is_title: bool = False
    sure: bool = True
    """Whether more than a guess stands behind the label."""

    def absorb(self, other: "Entity") -> None:
        """Takes over what is known of another entity that is the same."""
        self.names.update(other.names)
        self.stated |= other.stated
        self.gender = self.gender or other.gender
        self.is_title = self.is_title or other.is_title
        if self.label == "MISC" or (other.sure and not self.sure):
            self.label, self.sure = other.label, other.sure


def plain(name: str) -> list[str]:
    """The words of a name for comparison: no accents, no titles, initials apart, lower case."""
    folded = "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char))
    words = re.sub(r"(?<=\b[A-Z]\.)(?=\S)", " ", folded.replace("ł", "l").replace("Ł", "L")).lower().split()
    while len(words) > 1 and words[0] in _STRIPPED_TITLES:
        words = words[1:]
    return [word for part in words for word in part.split("-") if word] or [name.lower()]


def same_person(one: Sequence[str], other: Sequence[str], given_names: frozenset[str]) -> bool:
    """Whether two full names (plain words) can be one person's: one spells out or leaves out parts of the other."""
    short, full = sorted((one, other), key=len)
    if len(short) < 2 or not _agree(short[-1], full[-1]) or len(short[-1]) < 3:
        return False
    if not (_agree(short[0], full[0]) or (short[0] in full[1:-1] and short[0] in given_names)):
        return False  # "Joliot-Curie" is no full name
    place = 0
    for word in short[:-1]:
        while place < len(full) - 1 and not _agree(word, full[place]):
            place += 1
        if place >= len(full) - 1:
            return False
        place += 1
    return True


def _agree(one: str, other: str) -> bool:
    if one.endswith(".") or other.endswith("."):
        short, full = sorted((one.rstrip("."), other.rstrip(".")), key=len)
        return full.startswith(short)
    return one == other


def collect(spots: Sequence[Spot], text: str, title: str, lex: Lexicon) -> dict[str, Entity]:
    """The entities that the names among `spots` (all of the document, in order) stand for, by name.

    Names that stand for whichever entity was mentioned last ("Curie") are not among the keys.
    """
    named = [spot for spot in spots if spot.kind == "name"]
    by_name: dict[str, Entity] = {}
    if title:
        by_name[title] = Entity(title, _title_label(title, named), {title: None}, is_title=True)
    for spot in named:
        if spot.text not in by_name:
            by_name[spot.text] = Entity(spot.text, spot.label, {spot.text: None}, sure=spot.sure)
    _join_stated(named, text, by_name)
    _join_variants(by_name, lex)
    parts = NameParts(by_name.values())
    result = {name: entity for name, entity in by_name.items() if not parts.wholes(name, entity.label)}
    for entity in {id(entity): entity for entity in result.values()}.values():
        entity.name = _main_name(entity, title, lex)
        entity.gender = entity.gender or _gender(entity, lex)
    return result


def _title_label(title: str, named: Sequence[Spot]) -> str:
    wanted = plain(title)
    return next((spot.label for spot in named if plain(spot.text) == wanted), "MISC")


def _join_stated(named: Sequence[Spot], text: str, by_name: dict[str, Entity]) -> None:
    """Aliases that the text states: the second name is another name of the first."""
    for first, second in pairwise(named):
        gap = text[first.span[1] : second.span[0]] if second.span[0] - first.span[1] < 60 else "."
        gap = gap.replace("\n", " ")
        bracket = _BRACKET.match(gap) and text[second.span[1] : second.span[1] + 1] == ")" and first.label != "LOC"
        if not (bracket or _ALIAS_CUE.match(gap)) or by_name[first.text] is by_name[second.text]:
            continue
        compatible = first.label == second.label or "MISC" in (first.label, second.label)
        if compatible and not by_name[second.text].is_title:
            by_name[first.text].stated.add(second.text)
            _merge(by_name, first.text, second.text)
        elif compatible:
            by_name[second.text].stated.add(first.text)
            _merge(by_name, second.text, first.text)


def _merge(by_name: dict[str, Entity], kept: str, gone: str) -> None:
    target, source = by_name[kept], by_name[gone]
    if target is source:
        return
    target.absorb(source)
    for name in source.names:
        by_name[name] = target


def _join_variants(by_name: dict[str, Entity], lex: Lexicon) -> None:
    """Brings together names that can be one entity's; only names that share a key are compared."""
    words = {name: plain(name) for name in by_name}
    blocks: dict[str, list[str]] = {}
    for name in list(by_name):
        for key in _keys(words[name], name, lex):
            for other in blocks.setdefault(key, []):
                if by_name[name] is by_name[other] or not _compatible(by_name[name], by_name[other]):
                    continue
                label = by_name[other].label if by_name[other].label != "MISC" else by_name[name].label
                if _same(words[other], words[name], label, lex) or lex.countries.get(name) == lex.countries.get(
                    other, 0
                ):
                    _merge(by_name, other, name)
            blocks[key].append(name)


def _keys(words: list[str], name: str, lex: Lexicon) -> set[str]:
    initials = "".join(word[0] for word in words if word not in _SMALL_WORDS)
    keys = {words[-1], "".join(inverted(words)), lex.countries.get(name, words[-1])}
    return keys | {initials} if len(words) > 2 else keys


def _compatible(one: Entity, other: Entity) -> bool:
    return one.label == other.label or "MISC" in (one.label, other.label)


def _same(one: list[str], other: list[str], label: str, lex: Lexicon) -> bool:
    if one == other:
        return True
    if label == "PERSON":
        return same_person(one, other, lex.given_names)
    if label in {"ORG", "AWARD"}:
        short, full = sorted((one, other), key=len)
        return _abbreviates(short, full) or _leaves_out(short, full) or inverted(short) == inverted(full)
    return False


def _leaves_out(short: list[str], full: list[str]) -> bool:
    """ "Los Alamos Laboratory" for the Los Alamos National Laboratory."""
    if len(short) < 3 or len(full) != len(short) + 1 or short[:2] != full[:2] or "of" in full:
        return False
    return any(full[:place] + full[place + 1 :] == short for place in range(2, len(full) - 1))


def _abbreviates(short: list[str], full: list[str]) -> bool:
    """ "UCL" for University College London, "KWI for Chemistry" for Kaiser Wilhelm Institute for Chemistry."""
    rest = len(short) - 1
    spelled = [word for word in full[: len(full) - rest] if word not in _SMALL_WORDS]
    return (
        full[len(full) - rest :] == short[1:] and len(spelled) > 1 and short[0] == "".join(word[0] for word in spelled)
    )


def inverted(words: Sequence[str]) -> tuple[str, ...]:
    """One form for "University of Leipzig" and "Leipzig University", "Prize in Physics" and "Physics Prize"."""
    if len(words) > 2 and words[0] in {"university", "college"} and words[1] == "of":
        return (*words[2:], words[0])
    if "in" in words[2:-1] and words[words.index("in") - 1] in {"prize", "medal", "award"}:
        place = words.index("in")
        return (*words[place + 1 :], *words[:place])
    return tuple(words)


class NameParts:
    """Finds the longer names that a short one may be a part of."""

    def __init__(self, entities: Iterable[Entity]) -> None:
        self._by_word: dict[str, list[tuple[list[str], Entity]]] = {}
        for entity in {id(entity): entity for entity in entities}.values():
            for name in entity.names:
                longer = plain(name)
                for word in {longer[0], longer[-1]}:
                    self._by_word.setdefault(word, []).append((longer, entity))

    def wholes(self, name: str, label: str) -> list[Entity]:
        """The entities one of whose longer names ends or begins with `name`: "Curie" for Marie and Pierre Curie."""
        words = plain(name)
        size = len(words) - (words[0] in _HONORIFICS)
        found: dict[int, Entity] = {}
        for longer, entity in [*self._by_word.get(words[-1], ()), *self._by_word.get(words[0], ())]:
            fits = entity.label == label or "MISC" in (entity.label, label)
            kind = label if entity.label == "MISC" else entity.label
            if fits and len(longer) > size and longer != words and _part_of(words, longer, kind, label):
                found[id(entity)] = entity
        return list(found.values())


def _part_of(words: list[str], longer: list[str], entity_label: str, label: str) -> bool:
    if entity_label == "PERSON":
        titled = len(words) == 2 and words[0] in _HONORIFICS and longer[-1] == words[-1]
        return titled or longer[-len(words) :] == words or (len(words) == 1 and longer[0] == words[0])
    if entity_label == "SCIENCE":
        return longer[-len(words) :] == words
    if entity_label in {"ORG", "AWARD"} and label == entity_label:
        return longer[: len(words)] == words or (len(words) > 1 and longer[-len(words) :] == words)
    return False


def _main_name(entity: Entity, title: str, lex: Lexicon) -> str:
    if entity.is_title:
        return title
    for name in entity.names:
        if name in lex.countries:
            return lex.countries[name]
    candidates = [name for name in entity.names if name not in entity.stated] or list(entity.names)
    best = max(candidates, key=lambda name: (len(plain(name)), len(name)))
    if entity.label in {"SCIENCE", "MISC"} or best[:1].islower():
        return best[:1].upper() + best[1:]
    words = best.split()
    while len(words) > 2 and words[0].lower() in _STRIPPED_TITLES - {"the"}:
        words = words[1:]
    return " ".join(words)


def _gender(entity: Entity, lex: Lexicon) -> str:
    """m or f where a name says so; a thing that is named like a person may be one."""
    for name in entity.names:
        for word in name.lower().split():
            if word in lex.gender and (word in lex.given_names or word in lex.name_words["PERSON"]):
                return lex.gender[word]
            if word.split("-")[0] in lex.given_names:
                return lex.gender[word.split("-")[0]]
    return "" if entity.label in {"PERSON", "MISC"} else "n"
