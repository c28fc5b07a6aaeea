"""The graph as networkx has it, for drawing, exporting and counting."""

import networkx as nx

from kgqa.graph.subgraph import TripleTable


def to_networkx(table: TripleTable) -> "nx.MultiDiGraph[str]":
    """Nodes are terms with their `text`; each fact is an edge with its relation's term as key, and its `text`."""
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    graph.add_nodes_from((term, {"text": text}) for term, text in zip(table.entities, table.entity_texts, strict=True))
    columns = zip(table.heads.tolist(), table.relations.tolist(), table.tails.tolist(), strict=True)
    for head, relation, tail in columns:
        term, text = table.relation_terms[relation], table.relation_texts[relation]
        graph.add_edge(table.entities[head], table.entities[tail], key=term, text=text)
    return graph
