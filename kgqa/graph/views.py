"""The graph as networkx has it, for drawing, exporting and counting; and its GraphML, out and in."""

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any
from xml.etree.ElementTree import ParseError

import networkx as nx

from kgqa.graph.subgraph import TripleTable
from kgqa.types import Triple

_ENTITY = re.compile(rb"<!ENTITY\b")
# An abbreviation of a namespace, as ontology editors write it.
_PLAIN_ENTITY = re.compile(rb"<!ENTITY\s+[\w.-]+\s+(?:\"[^\"&%<]{0,200}\"|'[^'&%<]{0,200}')\s*>")
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_networkx(table: TripleTable) -> "nx.MultiDiGraph[str]":
    """Nodes are terms with their `text`; each fact is an edge with its relation's term as key, and its `text`."""
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    graph.add_nodes_from((term, {"text": text}) for term, text in zip(table.entities, table.entity_texts, strict=True))
    columns = zip(table.heads.tolist(), table.relations.tolist(), table.tails.tolist(), strict=True)
    for head, relation, tail in columns:
        term, text = table.relation_terms[relation], table.relation_texts[relation]
        graph.add_edge(table.entities[head], table.entities[tail], key=term, text=text)
    return graph


def write_graphml(
    table: TripleTable,
    file: IO[bytes],
    *,
    aliases: Mapping[str, Sequence[str]],
    supports: Mapping[Triple, tuple[int, int, float]],
) -> None:
    """The facts with their names and how well they are supported, for other programs; held in memory as a whole.

    Nodes get `aliases`, a JSON list, where they have other names; edges `relation`, `num_supports`, `num_documents` and
    `confidence` (of the surest support). What XML cannot hold in a name is written as U+FFFD; terms are exact.
    """
    graph = to_networkx(table)
    for term, node in graph.nodes(data=True):
        node["text"] = _xml(node["text"])
        if others := aliases.get(term):
            node["aliases"] = _xml(json.dumps(sorted(others), ensure_ascii=False))
    for number, (head, tail, relation, edge) in enumerate(graph.edges(keys=True, data=True)):
        num_supports, num_documents, confidence = supports[head, relation, tail]
        edge |= {
            "id": f"e{number}", "text": _xml(edge["text"]), "relation": relation, "num_supports": num_supports,
            "num_documents": num_documents, "confidence": confidence,
        }  # fmt: skip
    nx.write_graphml_xml(graph, file, edge_id_from_attribute="id")


def read_graphml(data: bytes) -> tuple[dict[str, dict[str, Any]], Iterator[tuple[str, str, dict[str, Any]]]]:
    """(node -> its attributes, (source, target, attributes) of each edge); ValueError for what is no such graph.

    Entities are expanded by the XML parser: whoever calls this has looked for dangerous ones.
    """
    try:
        graph = nx.read_graphml(io.BytesIO(data), node_type=str, force_multigraph=True)
    except (ParseError, nx.NetworkXException, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"no GraphML: {error}") from error
    if not graph.is_directed():
        raise ValueError("its edges have no direction, so that head and tail cannot be told apart")
    return dict(graph.nodes(data=True)), iter(graph.edges(data=True))


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def unsafe_xml(data: bytes) -> str:
    """Why a document type's entities could fill the memory, since the parser expands them all; "" if not."""
    if b"\0" in data:
        return "it is binary or not UTF-8; save it as UTF-8"
    declared, harmless = len(_ENTITY.findall(data)), len(_PLAIN_ENTITY.findall(data))
    return (
        ""
        if declared == harmless
        else "it declares XML entities within entities, or long or external ones; expand them"
    )
