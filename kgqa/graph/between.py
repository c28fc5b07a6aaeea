"""SPARQL for two entities: which relations join them, and whether a path does."""

from collections.abc import Sequence

from kgqa.graph.terms import token
from kgqa.ids import ASSERTED
from kgqa.types import Triple


def between_query(one: str, other: str) -> str:
    """SELECT ?answer: the relations that the graph states of two entities, in either direction."""
    head, tail = token(one), token(other)
    return (
        f"SELECT DISTINCT ?answer WHERE {{ GRAPH <{ASSERTED}> {{\n"
        f"{{ {head} ?answer {tail} }} UNION {{ {tail} ?answer {head} }}\n}} }}"
    )


def facts_query(facts: Sequence[Triple]) -> str:
    """ASK: whether the graph states all of some facts."""
    lines = "\n".join(" ".join([*map(token, fact), "."]) for fact in facts)
    return f"ASK {{ GRAPH <{ASSERTED}> {{\n{lines}\n}} }}"
