"""What the trained relation reader read, as candidates beside those of the patterns.

A property that a relation of patterns.toml stands for becomes that relation, with its types; any other is a relation of
its own under Wikidata's IRI.
"""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from kgqa.text.assertion import denied
from kgqa.text.mentions import Spot, make_spot
from kgqa.text.nlp import LABELS, Parse, ReadRelation
from kgqa.text.patterns import TYPES, Relation
from kgqa.text.relations import Candidate
from kgqa.types import Span

PROPERTIES = Path(__file__).parent / "properties.toml"
WIKIDATA = "http://www.wikidata.org/prop/direct/"
_ANY = TYPES - {"YEAR"}


@dataclass(frozen=True, slots=True)
class WikidataRelation(Relation):
    """A property that no pattern stands for."""

    @property
    def iri(self) -> str:
        """Wikidata's own."""
        return WIKIDATA + self.name


@dataclass(frozen=True, slots=True)
class Classified(Candidate):
    """A candidate with the very mentions that were read; the spots are what can be resolved of them."""

    spans: tuple[Span, Span] = field(default=((0, 0), (0, 0)))


def by_property(relations: Sequence[Relation]) -> dict[str, tuple[Relation, bool]]:
    """Property -> the relation that it is here, and whether its ends change places."""
    properties = _properties()
    found: dict[str, tuple[Relation, bool]] = {}
    for name, text in properties["text"].items():
        head, _, tail = properties["types"].get(name, "ANY > ANY").partition(" > ")
        found[name] = WikidataRelation(name, text, _types(head), _types(tail), False, ()), False
    for relation in relations:
        for name in relation.wikidata:
            found[name.removeprefix("^")] = (relation, name.startswith("^"))
    return found


@lru_cache(maxsize=1)
def _properties() -> dict[str, dict[str, str]]:
    with PROPERTIES.open("rb") as file:
        return tomllib.load(file)


def _types(names: str) -> frozenset[str]:
    return _ANY if names == "ANY" else frozenset(names.split())


def unseen_names(parse: Parse, text: str, spots: Sequence[Spot]) -> list[Spot]:
    """`spots` with the names among the read mentions that meet none of them."""
    taken = {token for spot in spots for token in range(spot.start, spot.end)}
    added: dict[tuple[int, int], Spot] = {}
    for relation in parse.relations:
        for start, end, label in (relation.head, relation.tail):
            is_blank = not "".join(parse.words[start:end]).strip()
            if label in LABELS and not is_blank and taken.isdisjoint(range(start, end)):
                added.setdefault((start, end), make_spot(parse, text, start, end, "name", label))
    return sorted([*spots, *added.values()], key=lambda spot: spot.start)


def candidates(
    parse: Parse, text: str, spots: Sequence[Spot], relations: dict[str, tuple[Relation, bool]]
) -> Iterator[Classified]:
    """The candidates of one paragraph of the document `text`, in the order in which they were read."""
    at = {token: spot for spot in spots for token in range(spot.start, spot.end)}
    for read in parse.relations:
        if _denied(parse, read) or read.property_id not in relations:
            continue
        relation, turned = relations[read.property_id]
        ends = (read.tail, read.head) if turned else (read.head, read.tail)
        head, tail = (_spot(parse, text, end, at) for end in ends)
        if head is not tail:
            spans = parse.span(*ends[0][:2]), parse.span(*ends[1][:2])
            yield Classified(relation, f"classifier:{read.property_id}", head, tail, read.probability, spans=spans)


def _denied(parse: Parse, read: ReadRelation) -> bool:
    """Whether what governs one of the ends is not asserted."""
    heads = (parse.head_of(start, end) for start, end, _ in (read.head, read.tail))
    return any(denied(parse, parse.heads[token]) for token in heads)


def _spot(parse: Parse, text: str, mention: tuple[int, int, str], at: dict[int, Spot]) -> Spot:
    """The spot that a mention shares most tokens with; else one of its own, which stands for nothing."""
    start, end, label = mention
    shared = [at[token] for token in range(start, end) if token in at]
    return max(shared, key=lambda spot: min(end, spot.end) - max(start, spot.start), default=None) or make_spot(
        parse, text, start, end, "pronoun", label if label in LABELS else ""
    )
