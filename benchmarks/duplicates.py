"""Would near vectors bring together what names do not? Names of Re-DocRED's entities, judged by its documents.

    python -m benchmarks.duplicates --data ../shared/data/redocred

Two names are one thing where a document has both for one entity, two where it has them for two. Of pairs that are near
by their vectors and that the rules of `kgqa.text.canonical` leave apart, those are counted that some document judges.
"""

import argparse
import gzip
import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from kgqa.expand.vectors import embed_texts
from kgqa.ids import entity_iri
from kgqa.memory.embedder import default_embedder_kind, load_embedder
from kgqa.memory.index import flat_search
from kgqa.text.canonical import resolve

NEIGHBOURS = 6
Pairs = set[tuple[str, str]]


def judged(path: Path) -> tuple[list[str], Pairs, Pairs]:
    """All names (dates and numbers left out), pairs that are one thing somewhere, and pairs that are two."""
    names: dict[str, None] = {}
    one: Pairs = set()
    two: Pairs = set()
    with gzip.open(path, "rt", encoding="utf-8") as file:
        documents = json.load(file)
    for document in documents:
        entities = [
            sorted({mention["name"] for mention in entity})
            for entity in document["vertexSet"]
            if entity[0]["type"] not in ("TIME", "NUM")
        ]
        names.update(dict.fromkeys(name for group in entities for name in group))
        one.update(pair for group in entities for pair in combinations(group, 2))
        for group, other in combinations(entities, 2):
            two.update((min(a, b), max(a, b)) for a in group for b in other if a != b)
    return list(names), one, two


def near(names: list[str], scores: np.ndarray, rows: np.ndarray, least: float) -> Iterator[tuple[str, str]]:
    """Pairs of names whose vectors have at least this cosine."""
    for row, place in zip(*np.nonzero(scores >= least), strict=True):
        if (other := int(rows[row, place])) != row:
            yield min(names[row], names[other]), max(names[row], names[other])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/redocred"))
    options = parser.parse_args()
    names, one, two = judged(options.data / "dev_revised.json.gz")
    moved = resolve((name, entity_iri(name)) for name in names)
    node = {name: moved.get(entity_iri(name), entity_iri(name)) for name in names}
    by_rules = {pair for pair in one | two if node[pair[0]] == node[pair[1]]}
    table = Table(
        "pairs", "one thing", "two things", title=f"{len(names):,} names, {len(one):,} pairs that are one thing"
    )
    table.add_row("joined by the rules of names", f"{len(by_rules & one - two):,}", f"{len(by_rules & two - one):,}")
    for kind in ["hashing", *(["minilm"] if default_embedder_kind() == "minilm" else [])]:
        vectors = embed_texts(load_embedder(kind, device="cpu"), names)
        nearest = flat_search(vectors, vectors, NEIGHBOURS)
        for least in (0.7, 0.8, 0.9, 0.95):
            found = set(near(names, *nearest, least))
            apart = {pair for pair in found if node[pair[0]] != node[pair[1]]}
            row = f"{len(apart & one - two):,}", f"{len(apart & two - one):,}"
            table.add_row(f"besides, {kind} at {least}", *row)
    Console().print(table)


if __name__ == "__main__":
    main()
