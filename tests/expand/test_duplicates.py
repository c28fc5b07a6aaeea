"""Near-duplicate entities: brute force finds the same pairs, and the cost stays within what was said."""

import json
from pathlib import Path

import numpy as np
import pytest

from kgqa.expand.duplicates import near_duplicates, write_pairs
from kgqa.ids import vector_id
from kgqa.memory.embedder import HashingEmbedder
from kgqa.memory.long_term import LongTermMemory, MemoryRefs, apply_delta

NAMES = ["Marie Curie", "Marie Curié", "Niels Bohr", "Niels Boht", "Vienna", "Werner Heisenberg", "Werner Heisenburg"]
TERMS = [*(f"urn:{name}" for name in NAMES), '"1903"', '"1903-"']


@pytest.fixture
def memory(tmp_path: Path) -> LongTermMemory:
    texts = [term.removeprefix("urn:").strip('"') for term in TERMS]
    embedder = HashingEmbedder(256)
    ids = [vector_id("entity", *item) for item in zip(TERMS, texts, strict=True)]
    refs = apply_delta(
        tmp_path, MemoryRefs(256, embedder.name), generation="gen-1", add_ids=ids,
        add_vectors=embedder.embed(texts), add_items=list(zip(TERMS, texts, strict=True)),
    )  # fmt: skip
    return LongTermMemory.open(tmp_path, refs, device="cpu")


def listed(memory: LongTermMemory, ids: np.ndarray, **options) -> list[tuple[str, str]]:
    options = {"similar_from": 0.6, "most": 10, "comparisons": 1e6} | options
    return [(pair.one[1], pair.other[1]) for pair in near_duplicates(memory, ids, **options)]


def test_pairs_are_those_of_brute_force_nearest_first(memory):
    ids = memory.ids()
    cosines = memory.get(ids) @ memory.get(ids).T
    items = memory.items(ids)
    wanted = sorted(
        (-cosines[a, b], *sorted((items[a][1], items[b][1])))
        for a in range(len(ids)) for b in range(a) if cosines[a, b] >= 0.6 and "urn:" in items[a][0] + items[b][0]
    )  # fmt: skip
    assert listed(memory, ids) == [(one, other) for _, one, other in wanted]
    assert len(wanted) == 3
    assert listed(memory, ids, most=2) == [(one, other) for _, one, other in wanted[:2]]


def test_values_are_no_entities(memory):
    assert all("1903" not in pair[0] for pair in listed(memory, memory.ids(), similar_from=-1.0))


def test_only_pairs_with_a_new_entity(memory):
    bohr = np.array([vector_id("entity", "urn:Niels Bohr", "Niels Bohr")])
    assert listed(memory, bohr) == [("Niels Bohr", "Niels Boht")]
    assert listed(memory, np.empty(0, np.int64)) == []


def test_a_sample_is_looked_at_where_all_would_cost_too_much(memory):
    looked: list[int] = []
    search = memory.search
    memory.search = lambda vectors, k: looked.append(len(vectors)) or search(vectors, k)  # type: ignore[method-assign]
    listed(memory, memory.ids(), comparisons=2 * len(memory))
    assert sum(looked) <= 2


def test_an_empty_memory_has_no_pairs(tmp_path):
    empty = LongTermMemory.open(tmp_path, MemoryRefs(8, "none"), device="cpu")
    assert listed(empty, empty.ids()) == []


def test_the_list_is_lines_of_json(memory, tmp_path):
    write_pairs(
        tmp_path / "pairs.jsonl", near_duplicates(memory, memory.ids(), similar_from=0.6, most=1, comparisons=1e6)
    )
    (line,) = (tmp_path / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    record = json.loads(line)
    assert set(record) == {"one", "other", "cosine"}
    assert set(record["one"]) == {"text", "iri"}
    write_pairs(tmp_path / "none.jsonl", [])
    assert (tmp_path / "none.jsonl").read_bytes() == b""
