"""What a user's ontology says of relations; no more of OWL than is needed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kgqa.errors import InputError
from kgqa.graph.formats import read_facts
from kgqa.graph.terms import relation_text, text_of

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDF_TYPE = RDF + "type"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
OWL = "http://www.w3.org/2002/07/owl#"
_PROPERTIES = frozenset({
    RDF + "Property", OWL + "ObjectProperty", OWL + "DatatypeProperty", OWL + "FunctionalProperty",
    OWL + "SymmetricProperty", OWL + "TransitiveProperty",
})  # fmt: skip
_SCHEMA = ("http://schema.org/", "https://schema.org/")
_DOMAIN = frozenset({RDFS + "domain", *(base + "domainIncludes" for base in _SCHEMA)})
_RANGE = frozenset({RDFS + "range", *(base + "rangeIncludes" for base in _SCHEMA)})
_AT_MOST = (OWL + "maxCardinality", OWL + "cardinality")


def functional_relations(path: Path) -> frozenset[str]:
    """The relations that have at most one value: owl:FunctionalProperty, or a restriction with owl:maxCardinality (or
    owl:cardinality) 1.

    A restriction counts for its relation whatever the class it was stated for, since facts need no classes here. The
    file may be of any RDF format. Raises InputError where it cannot be read or parsed, or names no functional relation.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file; conflict.ontology must name an ontology in RDF, for example Turtle")
    found: set[str] = set()
    restricted: dict[str, str] = {}
    single: set[str] = set()
    for head, relation, tail, _ in read_facts(path, "ontology", strict=True):
        if relation == RDF_TYPE and tail == OWL + "FunctionalProperty":
            found.add(head)
        elif relation == OWL + "onProperty":
            restricted[head] = tail
        elif relation in _AT_MOST and text_of(tail) == "1":
            single.add(head)
    found |= {restricted[restriction] for restriction in single & restricted.keys()}
    if not found:
        raise InputError(f"{path} names no owl:FunctionalProperty and no owl:maxCardinality 1; see conflict.ontology")
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Property:
    """A relation of an ontology. An end of which nothing is said may be anything."""

    iri: str
    labels: tuple[str, ...]
    """What it is called; the one to show first. Made of its IRI where it has none."""
    domains: frozenset[str] = frozenset()
    """Classes of its heads, and all that these are subclasses of."""
    ranges: frozenset[str] = frozenset()
    """Of its tails; datatypes among them."""


def read_properties(path: Path) -> tuple[Property, ...]:
    """The properties of an ontology in any RDF format, by IRI: rdf:Property, owl:ObjectProperty and the like, and
    whatever has a domain or a range. Of several domains (or ranges) any one suffices, as with schema:domainIncludes.

    Raises InputError where the file cannot be read or parsed, or names no property.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file; extract.ontology must name an ontology in RDF, for example Turtle")
    reader = read_facts(path, "ontology", strict=True)
    found: set[str] = set()
    wider: dict[str, set[str]] = {}
    domains: dict[str, set[str]] = {}
    ranges: dict[str, set[str]] = {}
    for head, relation, tail, _ in reader:
        if relation == RDF_TYPE and tail in _PROPERTIES:
            found.add(head)
        elif relation == RDFS + "subClassOf":
            wider.setdefault(head, set()).add(tail)
        elif relation in _DOMAIN:
            domains.setdefault(head, set()).add(tail)
        elif relation in _RANGE:
            ranges.setdefault(head, set()).add(tail)
    found |= domains.keys() | ranges.keys()
    if not found:
        raise InputError(f"{path} names no property (owl:ObjectProperty, rdf:Property ...); see extract.ontology")
    labels: dict[str, list[str]] = {}
    for name in sorted(reader.names, key=lambda one: not one.preferred):
        labels.setdefault(name.term, []).append(name.name)
    return tuple(
        Property(
            iri, tuple(labels.get(iri, [relation_text(iri)])),
            _closed(domains.get(iri, ()), wider), _closed(ranges.get(iri, ()), wider),
        )
        for iri in sorted(found)
    )  # fmt: skip


def _closed(classes: Iterable[str], wider: dict[str, set[str]]) -> frozenset[str]:
    """The classes with all that they are subclasses of."""
    found = set(classes)
    rest = list(found)
    while rest:
        new = wider.get(rest.pop(), set()) - found
        found |= new
        rest += new
    return frozenset(found)
