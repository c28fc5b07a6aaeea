"""Terms between three worlds: our strings, Oxigraph's values, and the text a person reads. Total functions, no state.

A term is an IRI as it stands or a literal in N-Triples form (kgqa.types). User input enters SPARQL and RDF here and
nowhere else.
"""

import re
from functools import lru_cache

import pyoxigraph as ox

from kgqa.errors import InputError
from kgqa.ids import ENTITY, RELATION, name_of

XSD = "http://www.w3.org/2001/XMLSchema#"
_LITERAL = re.compile(r'"((?:[^"\\\n\r]|\\.)*)"(?:@([A-Za-z]+(?:-[A-Za-z0-9]+)*)|\^\^<([^<>"\s]+)>)?', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_NAMED = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def is_literal(term: str) -> bool:
    return term.startswith('"')


def to_node(term: str) -> ox.NamedNode | ox.Literal:
    """The term as Oxigraph has it; InputError when it is neither an absolute IRI nor a literal in N-Triples form."""
    try:
        if not is_literal(term):
            return ox.NamedNode(term)
        match = _LITERAL.fullmatch(term)
        if match is None:
            raise ValueError("not a literal in N-Triples form")
        text, language, datatype = _unescape(match[1]), match[2], match[3]
        if language:
            return ox.Literal(text, language=language)
        return ox.Literal(text, datatype=ox.NamedNode(datatype)) if datatype else ox.Literal(text)
    except (ValueError, KeyError) as error:
        raise InputError(f"{term!r} is not a term: {error}; give an absolute IRI or an N-Triples literal") from error


def from_node(node: object) -> str:
    """Our string for a node of Oxigraph. Blank nodes do not occur: they are skolemised when they come in."""
    return node.value if isinstance(node, ox.NamedNode) else str(node)


def token(term: str) -> str:
    """The term as SPARQL and N-Quads write it, checked and escaped: the one place where text becomes syntax."""
    return str(to_node(term))


def fast_token(term: str) -> str:
    """`token` for terms that went through `canonical_term` before."""
    return term if is_literal(term) else f"<{term}>"


def from_token(token: str) -> str:
    """Undoes `fast_token`."""
    return token if is_literal(token) else token[1:-1]


@lru_cache(maxsize=65536)
def canonical_term(term: str) -> str:
    """The term as the store gives it back: `"01"^^xsd:integer` comes back as `"1"`, `@EN` as `@en`.

    Ledger, vectors and graph must agree on a term's spelling, and Oxigraph keeps numbers, booleans and dates as values.
    """
    node = to_node(term)
    if isinstance(node, ox.Literal) and node.datatype.value.startswith(XSD) and node.datatype.value != XSD + "string":
        store = ox.Store()
        store.add(ox.Quad(ox.NamedNode("urn:s"), ox.NamedNode("urn:p"), node))
        node = next(iter(store)).object
    return from_node(node)


def literal(text: str, datatype: str | None = None) -> str:
    """A literal term for `text`, for example `literal("1903", XSD + "gYear")`."""
    if datatype is None:
        return str(ox.Literal(text))  # canonical as it is; the cache is not to hold the texts of documents
    return canonical_term(str(ox.Literal(text, datatype=ox.NamedNode(datatype))))


def integer(number: int) -> str:
    """The literal of a whole number, in the store's spelling."""
    return f'"{number}"^^<{XSD}integer>'


def boolean(value: bool) -> str:
    """The literal of a yes or no."""
    return f'"{str(value).lower()}"^^<{XSD}boolean>'


def lexical_form(term: str) -> str:
    """The text of a literal, whatever its length; InputError for what is none."""
    node = to_node(term)
    if isinstance(node, ox.Literal):
        return node.value
    raise InputError(f"{term} is no literal")


@lru_cache(maxsize=65536)
def text_of(term: str) -> str:
    """What a node is called when no label says otherwise: a literal's lexical form, the readable part of an IRI."""
    if is_literal(term):
        match = _LITERAL.fullmatch(term)
        return _unescape(match[1]) if match else term
    return name_of(term) if term.startswith(ENTITY) else name_of(term).replace("_", " ")


def relation_text(term: str) -> str:
    """What a relation is called when no label says otherwise: `directed_by` and `directedBy` read "directed by"."""
    name = name_of(term).replace("_", " ")
    return name if term.startswith(RELATION) else _CAMEL.sub(" ", name).lower()


def _unescape(text: str) -> str:
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else _NAMED[match[3]]
