"""A graph small enough to check by hand, shared by the tests of the reasoner."""

import numpy as np
import pytest

from kgqa.graph.subgraph import TripleTable

ENTITIES = ["anna", "berlin", "carl", "dora", "france", "germany", "paris", "prize"]
RELATIONS = ["born in", "capital of", "received", "teacher of"]
TRIPLES = [
    ("anna", "born in", "berlin"),
    ("carl", "born in", "paris"),
    ("dora", "born in", "berlin"),
    ("berlin", "capital of", "germany"),
    ("paris", "capital of", "france"),
    ("anna", "received", "prize"),
    ("carl", "received", "prize"),
    ("anna", "teacher of", "carl"),
    ("anna", "teacher of", "dora"),
    ("dora", "teacher of", "dora"),  # a self-loop
]


def table() -> TripleTable:
    """The toy graph as arrays."""
    heads, relations, tails = zip(*TRIPLES, strict=True)
    return TripleTable(
        np.array([ENTITIES.index(h) for h in heads]),
        np.array([RELATIONS.index(r) for r in relations]),
        np.array([ENTITIES.index(t) for t in tails]),
        [f"urn:kgqa:entity:{name}" for name in ENTITIES],
        ENTITIES,
        [f"urn:kgqa:relation:{name}" for name in RELATIONS],
        RELATIONS,
    )


@pytest.fixture(scope="session")
def toy() -> TripleTable:
    """The toy graph, once a session."""
    return table()
