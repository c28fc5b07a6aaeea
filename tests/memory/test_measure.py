"""What is said of a memory is what brute force says of it."""

from pathlib import Path

import numpy as np
import pytest

from kgqa.memory.index import IndexOptions
from kgqa.memory.long_term import LongTermMemory, MemoryRefs, apply_delta
from kgqa.memory.measure import measure


def stored(folder: Path, num: int, options: IndexOptions, *, dead: int = 0) -> LongTermMemory:
    """`num` random directions, of which the first `dead` died later."""
    vectors = np.random.default_rng(0).standard_normal((num, 16)).astype(np.float32)
    refs, ids = MemoryRefs(16, "random"), np.arange(num)
    items = [(f"urn:{i}", "") for i in range(num)]
    if num:
        refs = apply_delta(
            folder, refs, generation="gen-1", add_ids=ids, add_vectors=vectors, add_items=items, options=options
        )
    if dead:
        refs = apply_delta(folder, refs, generation="gen-2", remove_ids=ids[:dead], options=options)
    return LongTermMemory.open(folder, refs, device="cpu", options=options)


def test_exact_search_misses_nothing(tmp_path):
    found = measure(stored(tmp_path, 300, IndexOptions(), dead=40), num_probes=20)
    assert (found.num_vectors, found.num_dead, found.num_segments) == (260, 40, 1)
    assert found.recall == 1.0
    assert found.searches_per_second > 0
    assert found.num_bytes == sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_recall_of_an_index_is_that_against_brute_force(tmp_path, kind):
    options = IndexOptions(kind, min_rows=1, probes=1, list_factor=1.0, ef_search=1, links=2, ef_construction=2)
    memory = stored(tmp_path, 400, options, dead=30)
    ids = memory.ids()
    vectors = memory.get(ids)
    chosen = np.random.default_rng(5).choice(ids, 25, replace=False)
    true = ids[np.argsort(-memory.get(chosen) @ vectors.T, axis=1)[:, :10]]
    _, got = memory.search(memory.get(chosen), 10)
    wanted = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(true.tolist(), got.tolist(), strict=True)])
    found = measure(memory, num_probes=25, seed=5)
    assert found.recall == pytest.approx(wanted)
    assert wanted < 1


def test_fewer_vectors_than_neighbours(tmp_path):
    options = IndexOptions("ivf", min_rows=1)
    assert measure(stored(tmp_path, 3, options), num_probes=64).recall == 1.0


def test_an_empty_memory_and_no_probes_give_no_recall(tmp_path):
    empty = measure(stored(tmp_path / "empty", 0, IndexOptions()), num_probes=5)
    assert (empty.num_vectors, empty.num_bytes, empty.recall, empty.searches_per_second) == (0, 0, None, None)
    assert measure(stored(tmp_path / "some", 5, IndexOptions()), num_probes=0).recall is None
