"""The graph as arrays: what reasoning computes on."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kgqa.derived import Columns
from kgqa.graph.queries import LABEL, NAMES
from kgqa.graph.store import Graph
from kgqa.graph.terms import relation_text, text_of
from kgqa.ids import ASSERTED


@dataclass(frozen=True)
class TripleTable:
    """The asserted graph as dense indices. The order of rows has no meaning; equal graphs give equal lists of terms."""

    heads: NDArray[np.int64]
    """[F] indices into `entities`."""
    relations: NDArray[np.int64]
    """[F] indices into `relation_terms`."""
    tails: NDArray[np.int64]
    """[F] indices into `entities`."""
    entities: list[str]
    """[E] terms, sorted."""
    entity_texts: list[str]
    """[E] what each is called."""
    relation_terms: list[str]
    """[R] terms, sorted."""
    relation_texts: list[str]
    """[R] what each is called, for example "directed by"."""


def triple_table(triples: Iterable[tuple[str, str, str]], labels: Mapping[str, str]) -> TripleTable:
    """Builds the table; `labels` says what a term is called where that does not follow from the term itself."""
    nodes: dict[str, int] = {}
    edges: dict[str, int] = {}
    flat: list[int] = []
    for head, relation, tail in triples:
        flat.append(nodes.setdefault(head, len(nodes)))
        flat.append(edges.setdefault(relation, len(edges)))
        flat.append(nodes.setdefault(tail, len(nodes)))
    columns = np.array(flat, dtype=np.int64).reshape(-1, 3)
    entities, node_ranks = _sorted(nodes)
    relations, edge_ranks = _sorted(edges)
    return TripleTable(
        heads=node_ranks[columns[:, 0]],
        relations=edge_ranks[columns[:, 1]],
        tails=node_ranks[columns[:, 2]],
        entities=entities,
        entity_texts=_texts(entities, labels, text_of),
        relation_terms=relations,
        relation_texts=_texts(relations, labels, relation_text),
    )


def table_of(graph: Graph) -> TripleTable:
    """The asserted graph, wherever it is kept, with what its names graph calls the terms."""
    labels = {term: text_of(label) for term, _, label, _ in graph.scan(relation=LABEL, graph=NAMES)}
    return triple_table(((head, relation, tail) for head, relation, tail, _ in graph.scan(graph=ASSERTED)), labels)


def columns_of(table: TripleTable) -> Columns:
    """The table as what is kept of it on the disk."""
    fields = vars(table)
    arrays = {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}
    return Columns(arrays, {name: value for name, value in fields.items() if name not in arrays})


def table_from(columns: Columns) -> TripleTable:
    """Undoes `columns_of`."""
    return TripleTable(**{**columns.arrays, **columns.texts})  # type: ignore[arg-type]


def _sorted(seen: Mapping[str, int]) -> tuple[list[str], NDArray[np.int64]]:
    """The terms in order, and for each index of first sight the rank of its term: [len(seen)]."""
    terms = sorted(seen)
    ranks = np.empty(len(terms), dtype=np.int64)
    ranks[[seen[term] for term in terms]] = np.arange(len(terms))
    return terms, ranks


def _texts(terms: Iterable[str], labels: Mapping[str, str], default: Callable[[str], str]) -> list[str]:
    return [labels.get(term) or default(term) for term in terms]


def ranges(first: NDArray[np.int64], last: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Many ranges one after the other: for each of their numbers the range it is of, and the number, `[sum]` each."""
    counts = last - first
    item = np.repeat(np.arange(len(counts)), counts)
    return item, np.arange(len(item)) - np.repeat(counts.cumsum() - last, counts)
