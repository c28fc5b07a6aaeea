"""The long-term memory against a dictionary of vectors, through adds, removals, merges, crashes and reopenings."""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kgqa.errors import ConfigError, InputError, StoreError
from kgqa.memory.approximate import centroids_of
from kgqa.memory.index import IndexOptions
from kgqa.memory.long_term import (
    LongTermMemory,
    MemoryRefs,
    apply_delta,
    compact,
    remove_unreferenced,
)

WIDTH = 8
EMPTY = MemoryRefs(WIDTH, "toy")


def unit(num: int, seed: int = 0, width: int = WIDTH) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((num, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def items_of(ids) -> list[tuple[str, str]]:
    return [(f"urn:{i}", f"name\n«{i}» \ud800") for i in ids]


def add(directory: Path, refs: MemoryRefs, number: int, ids, vectors, remove=(), **options) -> MemoryRefs:
    return apply_delta(
        directory,
        refs,
        generation=f"gen-{number:06d}",
        add_ids=ids,
        add_vectors=vectors,
        add_items=items_of(ids),
        remove_ids=remove,
        **options,
    )


def check_search(memory: LongTermMemory, oracle: dict[int, np.ndarray], queries: np.ndarray, k: int) -> None:
    """Scores agree with brute force, ids are distinct and have the scores they claim; the rest is padding."""
    scores, ids = memory.search(queries, k)
    assert scores.shape == ids.shape == (len(queries), k)
    found = min(k, len(oracle))
    assert (ids[:, found:] == -1).all()
    assert np.isneginf(scores[:, found:]).all()
    if not oracle:
        return
    expected = -np.sort(-(queries @ np.array(list(oracle.values())).T), axis=1)[:, :k]
    np.testing.assert_allclose(scores[:, :found], expected, atol=1e-5)
    for row, query in enumerate(queries):
        assert len(set(ids[row, :found].tolist())) == found
        claimed = [query @ oracle[i] for i in ids[row, :found].tolist()]
        np.testing.assert_allclose(scores[row, :found], claimed, atol=1e-5)


class MemoryMachine(RuleBasedStateMachine):
    """Every committed state equals a dictionary; what is written and not committed never shows."""

    @initialize(kind=st.sampled_from(["flat", "ivf", "hnsw", "pq", "pq with lists"]))
    def begin(self, kind: str) -> None:
        self.directory = Path(tempfile.mkdtemp())
        # Every list is probed, every node reached and every code refined: the approximate kinds are exact here.
        lists = 0.0 if kind == "pq" else 1.0
        self.options = IndexOptions(
            kind.split()[0], min_rows=6, probes=1000, ef_search=500, list_factor=lists, refine=1000
        )
        self.refs, self.oracle, self.number = EMPTY, {}, 0

    def teardown(self) -> None:
        if hasattr(self, "directory"):
            shutil.rmtree(self.directory)

    def delta(self, data: st.DataObject) -> tuple[MemoryRefs, dict[int, np.ndarray]]:
        alive = sorted(self.oracle)
        removed = data.draw(st.lists(st.sampled_from(alive), unique=True, max_size=8)) if alive else []
        left = {i: v for i, v in self.oracle.items() if i not in removed}
        free = sorted(set(range(40)) - set(left))
        added = data.draw(st.lists(st.sampled_from(free), unique=True, max_size=12)) if free else []
        vectors = unit(len(added), seed=data.draw(st.integers(0, 1000)))
        refs = add(self.directory, self.refs, self.number + 1, added, vectors, removed, options=self.options)
        return refs, left | dict(zip(added, vectors, strict=True))

    @rule(data=st.data())
    def commit_delta(self, data: st.DataObject) -> None:
        self.refs, self.oracle = self.delta(data)
        self.number += 1

    @rule(data=st.data())
    def crash_before_commit(self, data: st.DataObject) -> None:
        self.delta(data)  # its refs are lost; the next delta has the same number

    @rule()
    def crash_in_the_middle(self) -> None:
        half = self.directory / f"seg-{self.number + 1:06d}"
        half.mkdir(exist_ok=True)
        (half / "vectors.npy").write_bytes(b"half")
        (self.directory / f"dead-{self.number + 1:06d}.npy").write_bytes(b"half")
        (self.directory / f".seg-{self.number + 2:06d}.tmp").mkdir(exist_ok=True)

    @rule()
    def compacted(self) -> None:
        self.number += 1
        self.refs = compact(self.directory, self.refs, generation=f"gen-{self.number:06d}", options=self.options)
        assert len(self.refs.segments) <= 1
        assert not self.refs.dead

    @rule()
    def crash_before_a_compaction_is_committed(self) -> None:
        compact(self.directory, self.refs, generation=f"gen-{self.number + 1:06d}", options=self.options)

    @rule()
    def cleaned(self) -> None:
        remove_unreferenced(self.directory, [self.refs])

    @invariant()
    def equals_the_oracle(self) -> None:
        if not hasattr(self, "refs"):
            return
        refs = MemoryRefs.from_json(json.loads(json.dumps(self.refs.to_json())))
        memory = LongTermMemory.open(self.directory, refs, options=self.options)
        ids = sorted(self.oracle)
        assert len(memory) == len(ids)
        assert memory.ids().tolist() == ids
        assert memory.items(ids[::-1]) == items_of(ids[::-1])
        np.testing.assert_allclose(
            memory.get(ids), np.array([self.oracle[i] for i in ids]).reshape(-1, WIDTH), atol=1e-6
        )
        assert memory.contains([0, 39]).tolist() == [0 in self.oracle, 39 in self.oracle]
        check_search(memory, self.oracle, unit(3, seed=len(ids)), k=5)
        memory.verify()


TestMemoryMachine = MemoryMachine.TestCase
TestMemoryMachine.settings = settings(
    max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw", "pq"])
def test_search_equals_brute_force_through_growth_and_removal(tmp_path, kind):
    options = IndexOptions(kind, min_rows=100, probes=10_000, ef_search=400, refine=1000)
    vectors = unit(600)
    refs = add(tmp_path, EMPTY, 1, range(400), vectors[:400], options=options)
    refs = add(tmp_path, refs, 2, range(400, 600), vectors[400:], remove=range(0, 200, 2), options=options)
    alive = {i: vectors[i] for i in [*range(1, 200, 2), *range(200, 600)]}
    memory = LongTermMemory.open(tmp_path, refs, options=options)
    scores, ids = memory.search(unit(50, seed=5), 10)
    expected = -np.sort(-(unit(50, seed=5) @ np.array(list(alive.values())).T), axis=1)[:, :10]
    assert np.isclose(scores, expected, atol=1e-5).mean() >= (0.98 if kind == "hnsw" else 1)
    assert set(ids.ravel().tolist()) <= set(alive)
    check_search(memory, alive, unit(2, seed=6), k=len(alive) + 3)


def test_dead_neighbours_hide_nothing(tmp_path):
    """All of a query's nearest 300 die: the living ones behind them are found exactly."""
    near = unit(1)[0]
    crowd = near + 0.01 * unit(300, seed=1)
    vectors = np.concatenate([crowd, unit(400, seed=2)])
    refs = add(tmp_path, EMPTY, 1, range(700), vectors)
    refs = add(tmp_path, refs, 2, [], unit(0), remove=range(300))
    check_search(LongTermMemory.open(tmp_path, refs), dict(enumerate(vectors[300:], 300)), near[None], k=7)


def test_an_index_finds_most_of_the_nearest(tmp_path):
    vectors = unit(4000, width=16)
    refs = MemoryRefs(16, "toy")
    for kind in ("ivf", "hnsw"):
        options = IndexOptions(kind, min_rows=100, list_factor=1.0, probes=24)
        refs = add(tmp_path / kind, MemoryRefs(16, "toy"), 1, range(4000), vectors, options=options)
        _, exact = LongTermMemory.open(tmp_path / kind, refs, options=IndexOptions("flat")).search(vectors[:200], 10)
        _, found = LongTermMemory.open(tmp_path / kind, refs, options=options).search(vectors[:200], 10)
        recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact.tolist(), found.tolist(), strict=True)])
        assert recall >= 0.9
        assert (tmp_path / kind / "seg-000001" / "index.faiss").exists()


def test_merging_again_reuses_the_trained_lists(tmp_path):
    options = IndexOptions("ivf", min_rows=100)
    refs = add(tmp_path, EMPTY, 1, range(300), unit(300), options=options)
    first = centroids_of(LongTermMemory.open(tmp_path, refs).segments[0].index)
    refs = add(tmp_path, refs, 2, range(300, 600), unit(300, 1), options=options)
    second = centroids_of(LongTermMemory.open(tmp_path, refs).segments[0].index)
    assert len(refs.segments) == 1
    np.testing.assert_array_equal(first, second)


def test_the_same_content_gives_the_same_files(tmp_path):
    vectors = unit(20)
    one = add(tmp_path / "one", EMPTY, 2, range(20), vectors)
    refs = add(tmp_path / "two", EMPTY, 1, range(12, 20), vectors[12:])
    two = add(tmp_path / "two", refs, 2, range(11, -1, -1), vectors[11::-1])
    assert one == two


def test_a_small_delta_leaves_a_large_segment_alone(tmp_path):
    refs = add(tmp_path, EMPTY, 1, range(1000), unit(1000))
    more = add(tmp_path, refs, 2, range(1000, 1010), unit(10), remove=[3, 5])
    assert more.segments[0] == refs.segments[0]
    assert [ref.count for ref in more.segments] == [1000, 10]
    assert [ref.count for ref in more.dead] == [2]


def test_a_segment_that_is_mostly_dead_is_rewritten(tmp_path):
    refs = add(tmp_path, EMPTY, 1, range(100), unit(100))
    refs = add(tmp_path, refs, 2, [], unit(0), remove=range(51))
    assert [ref.count for ref in refs.segments] == [49]
    assert refs.dead == ()
    refs = add(tmp_path, refs, 3, [], unit(0), remove=range(51, 100))
    assert refs.segments == refs.dead == ()


def test_files_of_dead_ids_stay_few(tmp_path):
    refs = add(tmp_path, EMPTY, 1, range(1000), unit(1000))
    for step in range(100):
        refs = add(tmp_path, refs, step + 2, [], unit(0), remove=range(3 * step, 3 * step + 3))
        assert len(refs.dead) <= 8
    assert LongTermMemory.open(tmp_path, refs).ids().tolist() == list(range(300, 1000))


def test_replacing_gives_the_new_vector_and_text(tmp_path):
    refs = add(tmp_path, EMPTY, 1, range(50), unit(50))
    refs = apply_delta(
        tmp_path,
        refs,
        generation="gen-000002",
        add_ids=[7],
        add_vectors=unit(1, 9),
        add_items=[("t", "new")],
        remove_ids=[7],
    )
    memory = LongTermMemory.open(tmp_path, refs)
    assert memory.items([7]) == [("t", "new")]
    np.testing.assert_allclose(memory.get([7]), unit(1, 9), atol=1e-6)
    assert len(memory) == 50


def test_readers_of_an_older_generation_are_not_disturbed(tmp_path):
    old = add(tmp_path, EMPTY, 1, range(50), unit(50))
    reader = LongTermMemory.open(tmp_path, old)
    new = add(tmp_path, old, 2, range(50, 150), unit(100, 1), remove=range(50))
    assert reader.ids().tolist() == list(range(50))
    assert LongTermMemory.open(tmp_path, old).ids().tolist() == list(range(50))
    assert remove_unreferenced(tmp_path, [old, new]) == 0
    assert remove_unreferenced(tmp_path, [new]) == 1
    check_search(reader, dict(enumerate(unit(50))), unit(2, 3), 3)  # its pages are still mapped


def test_vectors_are_stored_at_unit_length_whatever_their_type(tmp_path):
    vectors = unit(4).astype(np.float64) * np.array([[1e-25], [1], [7], [1e25]])
    memory = LongTermMemory.open(tmp_path, add(tmp_path, EMPTY, 1, range(4), vectors))
    np.testing.assert_allclose(memory.get(range(4)), unit(4), atol=1e-6)
    scores, _ = memory.search(vectors * 3, 1)
    np.testing.assert_allclose(scores, 1, atol=1e-6)


def test_an_empty_memory_answers_nothing(tmp_path):
    memory = LongTermMemory.open(tmp_path / "absent", EMPTY)
    scores, ids = memory.search(unit(3), 4)
    assert (ids == -1).all()
    assert np.isneginf(scores).all()
    assert (len(memory), memory.ids().tolist(), memory.items([])) == (0, [], [])
    assert memory.get([]).shape == (0, WIDTH)
    assert compact(tmp_path, EMPTY, generation="gen-000001") == EMPTY


BAD = {
    "NaN": (np.full((1, WIDTH), np.nan), "NaN or infinite"),
    "inf": (np.full((1, WIDTH), np.inf), "NaN or infinite"),
    "zero": (np.zeros((1, WIDTH)), "zero"),
    "wrong width": (np.ones((1, WIDTH + 1)), rf"shape \(1, {WIDTH + 1}\)"),
    "flat": (np.ones(WIDTH), "expected floats"),
    "integers": (np.ones((1, WIDTH), int), "expected floats"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_vectors_are_refused_before_anything_is_written(tmp_path, name):
    vectors, message = BAD[name]
    refs = add(tmp_path, EMPTY, 1, [1], unit(1))
    files = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=message):
        add(tmp_path, refs, 2, [2], vectors)
    assert sorted(tmp_path.rglob("*")) == files
    with pytest.raises(InputError, match=message):
        LongTermMemory.open(tmp_path, refs).search(vectors, 1)


@pytest.mark.parametrize(
    ("ids", "remove", "message"),
    [
        ([5, 5], [], "more than once"),
        ([-1, 5], [], "outside"),
        ([1, 5], [], "already in"),
        ([5, 6, 7], [], "must agree"),
        ([[5, 6]], [], "one row of integers"),
        ([5.0, 6.0], [], "one row of integers"),
        ([5, 6], [9], "cannot be removed"),
        ([5, 6], [1, 1], "more than once"),
    ],
)
def test_bad_ids_are_refused(tmp_path, ids, remove, message):
    refs = add(tmp_path, EMPTY, 1, [1, 2], unit(2))
    with pytest.raises(InputError, match=message):
        apply_delta(
            tmp_path,
            refs,
            generation="gen-000002",
            add_ids=ids,
            add_vectors=unit(2),
            add_items=items_of([5, 6]),
            remove_ids=remove,
        )


def test_unknown_ids_and_k_are_refused_by_name(tmp_path):
    memory = LongTermMemory.open(tmp_path, add(tmp_path, EMPTY, 1, [1, 2], unit(2)))
    with pytest.raises(InputError, match=r"1 ids \(77\)"):
        memory.get([1, 77])
    with pytest.raises(InputError, match=r"1 ids \(77\)"):
        memory.items([77])
    with pytest.raises(InputError, match="k is 0"):
        memory.search(unit(1), 0)


def test_a_generation_is_written_once(tmp_path):
    refs = add(tmp_path, EMPTY, 3, [1], unit(1))
    with pytest.raises(StoreError, match="seg-000003"):
        add(tmp_path, refs, 3, [2], unit(1))
    with pytest.raises(StoreError, match="gen-000012"):
        apply_delta(tmp_path, refs, generation="newest")


def test_damaged_dead_ids_and_refs_are_refused(tmp_path):
    refs = add(tmp_path, EMPTY, 1, range(9), unit(9))
    refs = add(tmp_path, refs, 2, [], unit(0), remove=[1])
    path = tmp_path / refs.dead[0].name
    good = path.read_bytes()
    for bad in (good[:-1], good[:-1] + b"\x01"):
        path.write_bytes(bad)
        with pytest.raises(StoreError, match=r"dead-000002.*run pipelines/index.py"):
            LongTermMemory.open(tmp_path, refs)
    with pytest.raises(StoreError, match="width"):
        MemoryRefs.from_json({"segments": [], "dead": []})
    with pytest.raises(StoreError, match="sha"):
        MemoryRefs.from_json({"width": 1, "embedder": "", "segments": [{"name": "seg-1"}], "dead": []})


def test_devices(tmp_path, caplog):
    refs = add(tmp_path, EMPTY, 1, range(9), unit(9))
    for _ in range(2):
        memory = LongTermMemory.open(tmp_path, refs, device="cuda:99")
        memory.search(unit(1), 1)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "cuda:99" in caplog.text
    for bad in ("gpu", "cpu:1", "cuda:x"):
        with pytest.raises(ConfigError, match="choose auto, cpu"):
            LongTermMemory.open(tmp_path, refs, device=bad)


@pytest.mark.parametrize(
    "bad",
    [{"kind": "lsh"}, {"min_rows": 0}, {"probes": -1}, {"min_recall": 1.1}, {"list_factor": 0.0, "kind": "ivf"}],
)
def test_bad_options_are_refused(bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        IndexOptions(**bad)
