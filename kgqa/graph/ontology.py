"""What a user's ontology says of relations; no more of OWL than is needed."""

from pathlib import Path

from kgqa.errors import InputError
from kgqa.graph.formats import read_facts
from kgqa.graph.terms import text_of

RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
OWL = "http://www.w3.org/2002/07/owl#"
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
