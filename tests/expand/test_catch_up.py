"""Vectors that were left behind are made in parts: the same ones, at whatever part a run is killed."""

import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgqa.expand import catch_up, vectors
from kgqa.expand.apply import index
from kgqa.expand.changes import Side
from kgqa.expand.vectors import KINDS, delta_of_state, missing
from kgqa.expand.verify import verify
from kgqa.generations import generation_names, read_generation
from kgqa.graph.subgraph import triple_table
from kgqa.ids import entity_iri, relation_iri
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.embedder import HashingEmbedder
from tests.expand.test_kill import run_killed
from tests.expand.toy import build, dump, fast_folder, settings

FILES = {"a.md": "A knows B\nB likes C\nC knows E\n", "b.md": "E knows F\nF likes A\n", "k.tsv": "X\tknows\tA\n"}
FACTS = [(entity_iri(h), relation_iri(r), entity_iri(t)) for h, r, t in ("AkB", "AlC", "BkC", "CkD", "DlA")]
PASSAGES = [("one", 0, 4, "some"), ("one", 5, 9, "more"), ("two", 0, 4, "some")]


def whole() -> Side:
    table = triple_table(FACTS, {})
    nodes = dict(zip(table.entities, table.entity_texts, strict=True))
    relations = dict(zip(table.relation_terms, table.relation_texts, strict=True))
    facts = [((h, nodes[h]), (r, relations[r]), (t, nodes[t])) for h, r, t in FACTS]
    return Side(nodes=nodes, relations=relations, fact_items=facts, passages=PASSAGES)


@given(st.integers(1, 30), st.data())
def test_parts_come_to_what_is_missing_in_all(size: int, data: st.DataObject) -> None:
    every = delta_of_state(whole(), {}).add
    held = {
        kind: np.unique(np.array(data.draw(st.lists(st.sampled_from([*every[kind], 5, 7]))), np.int64))
        for kind in data.draw(st.lists(st.sampled_from(KINDS), unique=True))
    }
    expected = delta_of_state(whole(), {kind: ids.tolist() for kind, ids in held.items()})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "BLOCK", 2)
        parts = list(missing(triple_table(FACTS, {}), PASSAGES, held, size=size))
    for kind in KINDS:
        come = [key for part in parts for key in part.add[kind]]
        assert len(come) == len(set(come))
        assert {key: item for part in parts for key, item in part.add[kind].items()} == expected.add[kind]
        assert parts[-1].remove[kind] == expected.remove[kind]
    assert {key: fact for part in parts for key, fact in part.facts.items()} == expected.facts
    assert all(size <= sum(map(len, part.add.values())) < size + 2 for part in parts[:-1])
    assert not any(ids for part in parts[:-1] for ids in part.remove.values())


class Counting:
    """An embedder that remembers what it was asked to embed."""

    def __init__(self) -> None:
        self.inner, self.texts = HashingEmbedder(16), list[str]()
        self.name, self.width = self.inner.name, self.inner.width

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += texts
        return self.inner.embed(list(texts))


@pytest.fixture
def folder() -> Iterator[Path]:
    """One knowledge base that was indexed at once, and one that was left behind."""
    with fast_folder() as name:
        build(Path(name, "behind"), Path(name, "corpus"), FILES, index=False)
        shutil.copytree(Path(name, "behind"), Path(name, "whole"))
        index(Path(name, "whole"), settings())
        yield Path(name)


def stored(kb: Path, kind: str) -> list[tuple[str, str]]:
    with KnowledgeBase.open(kb) as base:
        memory = base.memory(kind, device="cpu")
        return memory.items(memory.ids())


@pytest.fixture
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catch_up, "PART", 4)
    monkeypatch.setattr(vectors, "BLOCK", 2)


@pytest.mark.usefixtures("_small_parts")
def test_many_parts_leave_one_generation(folder: Path) -> None:
    kb, counts = folder / "behind", index(folder / "whole", settings()).counts
    outcome = index(kb, settings())
    assert outcome.counts["num_vectors_added"] == sum(len(stored(kb, kind)) for kind in KINDS)
    assert counts["num_vectors_added"] == 0
    assert dump(kb) == dump(folder / "whole")
    assert [read_generation(kb, name).stage for name in generation_names(kb)] == ["expand", "index"]
    assert int(generation_names(kb)[-1][4:]) > 4
    assert verify(kb) == []


@pytest.mark.usefixtures("_small_parts")
def test_an_expansion_catches_up_in_parts_too(folder: Path) -> None:
    more = FILES | {"c.md": "F knows G\n"}
    build(folder / "behind", folder / "corpus", more)
    build(folder / "whole", folder / "corpus", more)
    assert dump(folder / "behind") == dump(folder / "whole")
    build(folder / "first", folder / "corpus", more)
    assert dump(folder / "first") == dump(folder / "whole")
    assert {read_generation(folder / "first", name).stage for name in generation_names(folder / "first")} == {"expand"}


@pytest.mark.parametrize(
    "boundary", [21, pytest.param(9, marks=pytest.mark.slow), pytest.param(33, marks=pytest.mark.slow)]
)
def test_a_killed_run_is_gone_on_with(folder: Path, boundary: int) -> None:
    """What was committed is not embedded again, and readers have it meanwhile."""
    kb, embedded = folder / "behind", KINDS[:3]
    status, passed = run_killed(kb, folder / "corpus", boundary, "index")
    assert status == -signal.SIGKILL, f"only {passed} boundaries"
    with KnowledgeBase.open(kb) as base:
        assert not base.indexed
    made = {item for kind in embedded for item in stored(kb, kind)}
    assert boundary < 20 or made
    embedder = Counting()
    index(kb, settings(embedder=embedder))
    left = {item for kind in embedded for item in stored(folder / "whole", kind)} - made
    assert set(embedder.texts) == {text for _, text in left}
    assert dump(kb) == dump(folder / "whole")
    assert verify(kb) == []
