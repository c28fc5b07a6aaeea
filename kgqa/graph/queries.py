"""Every SPARQL text of kgqa, by name, but for operations over sets (kgqa.graph.algebra) and values (kgqa.graph.values).
Terms come in through `kgqa.graph.terms.token` and through nothing else.

All queries name their graph: reasoning is over `urn:kgqa:asserted`, where each fact stands once.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count, groupby

from kgqa.graph.store import Quad
from kgqa.graph.terms import token
from kgqa.ids import ASSERTED

NAMES = "urn:kgqa:names"
"""The graph of what nodes and relations are called: rdfs:label the one name, skos:altLabel the others."""
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
ALT_LABEL = "http://www.w3.org/2004/02/skos/core#altLabel"

NUM_FACTS = f"SELECT (COUNT(*) AS ?number) WHERE {{ GRAPH <{ASSERTED}> {{ ?head ?relation ?tail }} }}"

Choice = tuple[str, bool]
"""(relation term, whether it is walked from tail to head)."""


@dataclass(frozen=True)
class PathBranch:
    """One condition on the answer: it is reached from one of `topics` by these hops."""

    topics: Sequence[str]
    """The entities that one mention may stand for."""
    hops: Sequence[Sequence[Choice]]
    """Per hop, the relations any of which may be walked."""
    excluded: Sequence[Sequence[int]] = field(default=())
    """Per hop, the earlier steps (0 = topic) whose whole set of entities is taken out after it; may be shorter."""


def path_query(branches: Sequence[PathBranch]) -> str:
    """SELECT DISTINCT ?answer: the terms that every branch reaches, exactly.

    Each hop is a DISTINCT subquery, since a bag of paths grows with the product of the hops' fan-outs. An exclusion
    takes away a set (MINUS), as the reasoner does: a path that runs through an excluded entity is not cut for that.
    """
    fresh = (f"v{number}" for number in count())
    groups = "\n".join(reached(branch, len(branch.hops), "answer", fresh) for branch in branches)
    return f"SELECT DISTINCT ?answer WHERE {{ GRAPH <{ASSERTED}> {{\n{groups}\n}} }}"


def reached(branch: PathBranch, step: int, variable: str, fresh: Iterator[str]) -> str:
    """A group that binds `variable` to each entity of the set after hop `step`, once."""
    if step == 0:
        return f"{{ VALUES ?{variable} {{ {' '.join(map(token, branch.topics))} }} }}"
    before = next(fresh)
    walked = " UNION ".join(_walk(choice, before, variable) for choice in branch.hops[step - 1])
    out = branch.excluded[step - 1] if step <= len(branch.excluded) else ()
    minus = " ".join(f"MINUS {{ {reached(branch, earlier, variable, fresh)} }}" for earlier in out)
    inner = reached(branch, step - 1, before, fresh)
    return f"{{ SELECT DISTINCT ?{variable} WHERE {{ {inner} {walked} {minus} }} }}"


def _walk(choice: Choice, before: str, after: str) -> str:
    relation, inverse = choice
    head, tail = (after, before) if inverse else (before, after)
    return f"{{ ?{head} {token(relation)} ?{tail} }}"


META = "urn:kgqa:meta"
"""The graph of what a server says of itself (kgqa.graph.mirror)."""
GRAPHS = f"""
    SELECT DISTINCT ?graph
    WHERE {{
        GRAPH ?graph {{ ?head ?relation ?tail }} FILTER(STRSTARTS(STR(?graph), 'urn:kgqa:') && ?graph != <{META}>)
    }}
"""
"""The graphs of a knowledge base that a server holds; it may have others, which are not ours."""


def scan_query(head: str | None, relation: str | None, tail: str | None, graph: str | None) -> str:
    """CONSTRUCT: the triples of a graph (None: the default graph) that match; None matches all."""
    pattern = _pattern(head, relation, tail)
    return f"CONSTRUCT {{ {pattern} }} WHERE {{ {_within(graph, pattern)} }}"


def count_query(head: str | None, relation: str | None, tail: str | None, graph: str | None) -> str:
    """SELECT ?count: how many triples of a graph (None: the default graph) match."""
    return f"SELECT (COUNT(*) AS ?count) WHERE {{ {_within(graph, _pattern(head, relation, tail))} }}"


def ask_query(head: str | None, relation: str | None, tail: str | None, graph: str) -> str:
    """ASK: whether any triple of a graph matches."""
    return f"ASK {{ {_within(graph, _pattern(head, relation, tail))} }}"


def data_update(verb: str, quads: Iterable[Quad]) -> str:
    """INSERT DATA or DELETE DATA, as `verb` says."""
    blocks = (
        f"GRAPH {_written(graph)} {{\n"
        + "".join(f"{_written(h)} {_written(r)} {_written(t)} .\n" for h, r, t, _ in rows)
        + "}"
        for graph, rows in groupby(quads, key=lambda quad: quad[3])
    )
    return f"{verb} DATA {{\n" + "\n".join(blocks) + "\n}"


def drop_update(graphs: Iterable[str]) -> str:
    """DROP of each graph; one that is not there is passed over."""
    return " ;\n".join(f"DROP SILENT GRAPH {token(graph)}" for graph in graphs)


def _within(graph: str | None, pattern: str) -> str:
    return pattern if graph is None else f"GRAPH {token(graph)} {{ {pattern} }}"


def _pattern(head: str | None, relation: str | None, tail: str | None) -> str:
    places = (head, "?head"), (relation, "?relation"), (tail, "?tail")
    return " ".join(variable if term is None else _written(term) for term, variable in places)


_BACKSLASH = re.compile(r"\\\\([uU])|\\.", re.DOTALL)


@lru_cache(maxsize=65536)
def _written(term: str) -> str:
    """`token`, for servers that undo \\uXXXX before they look for strings (SPARQL 1.1, 19.2): a backslash and a u that
    stand in a text must not look like that, so the u is written as an escape of its own."""
    text = token(term)
    if "\\\\u" not in text and "\\\\U" not in text:
        return text
    return _BACKSLASH.sub(lambda match: f"\\\\\\u{ord(match[1]):04X}" if match[1] else match[0], text)
