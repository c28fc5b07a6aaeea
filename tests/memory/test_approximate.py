"""Approximate indexes against exact search: what they find, what they take over, when they are trained anew."""

import numpy as np
import pytest

from kgqa.memory import segment as segments
from kgqa.memory.approximate import build_index, centroids_of, finder, kind_of, load_index, probe_recall, save_index
from kgqa.memory.index import IndexOptions, flat_search, reranked
from kgqa.memory.long_term import LongTermMemory, MemoryRefs, apply_delta, compact

WIDTH = 16


def around(centres: np.ndarray, num: int, seed: int) -> np.ndarray:
    """Unit vectors near some directions, as texts on some subjects are."""
    rng = np.random.default_rng(seed)
    vectors = centres[rng.integers(0, len(centres), num)] + 0.15 * rng.standard_normal((num, centres.shape[1]))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def directions(num: int, seed: int, width: int = WIDTH) -> np.ndarray:
    found = np.random.default_rng(seed).standard_normal((num, width))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def options(kind: str, **changes) -> IndexOptions:
    return IndexOptions(kind.split()[0], **({"min_rows": 50, "list_factor": 1.0 if kind != "pq" else 0.0} | changes))


def recall(find, vectors, queries, k=10) -> float:
    exact, _ = flat_search(vectors, queries, k)
    scores, rows = find(queries, k)
    np.testing.assert_allclose(scores, np.einsum("bw,bkw->bk", queries, vectors[rows]), atol=1e-5)
    assert (np.diff(scores, axis=1) <= 1e-6).all()
    return float(np.mean(scores >= exact[:, -1:] - 1e-6))


@pytest.mark.parametrize("kind", ["pq", "pq with lists"])
@pytest.mark.parametrize("width", [WIDTH, 15])
def test_product_codes_keep_recall_since_the_exact_vectors_decide(tmp_path, kind, width):
    vectors = around(directions(40, 0, width), 3000, 1)
    queries = around(directions(40, 0, width), 50, 2)
    chosen = options(kind, probes=1000)
    index = build_index(vectors, chosen)
    save_index(index, tmp_path / "index")
    stored = load_index(tmp_path / "index", num_rows=3000, width=width)
    assert kind_of(stored) == "pq"
    assert (tmp_path / "index").stat().st_size < vectors.nbytes / 3
    found = [
        recall(finder(vectors, stored, options(kind, probes=1000, refine=refine)), vectors, queries)
        for refine in (1, 10)
    ]
    assert found[0] < found[1] - 0.05
    assert found[1] > 0.98


def test_what_is_ranked_again_is_the_best_of_what_was_found():
    vectors, queries = around(directions(9, 0), 40, 1), around(directions(9, 0), 6, 2)
    rows = np.random.default_rng(3).permuted(np.tile(np.arange(40), (6, 1)), axis=1)[:, :12]
    rows[2, 5:] = -1

    def find(asked, m):
        assert m == 12
        return np.zeros((6, 12), np.float32), rows

    scores, best = reranked(find, vectors, 3)(queries, 4)
    for query, found, ranked, row in zip(queries, rows, best, scores, strict=True):
        known = found[found >= 0]
        expected = known[np.argsort(-(vectors[known] @ query))][:4]
        assert ranked.tolist() == expected.tolist()
        np.testing.assert_allclose(row, vectors[expected] @ query, atol=1e-6)
    few = reranked(lambda asked, m: (np.zeros((6, 40), np.float32), np.full((6, 40), -1)), vectors, 100)(queries, 4)
    assert np.isneginf(few[0]).all()


@pytest.mark.parametrize("kind", ["ivf", "pq", "pq with lists"])
def test_an_index_takes_over_what_an_older_one_of_its_shape_has_learned(kind):
    vectors, more = around(directions(20, 0), 400, 1), around(directions(20, 5), 500, 2)
    chosen = options(kind)
    old = build_index(vectors, chosen)
    again, anew = build_index(more, chosen, old), build_index(more, chosen)
    queries = around(directions(20, 5), 10, 3)
    if kind == "ivf":
        np.testing.assert_array_equal(centroids_of(again), centroids_of(old))
        assert not np.array_equal(centroids_of(anew), centroids_of(old)[: anew.nlist])
    else:
        assert (again.pq.M, again.ntotal) == (old.pq.M, 500)
        assert not np.array_equal(again.search(queries, 5)[0], anew.search(queries, 5)[0])
    same = build_index(vectors, chosen, old)
    np.testing.assert_array_equal(same.search(queries, 5)[1], old.search(queries, 5)[1])


@pytest.mark.parametrize("change", [{"kind": "ivf"}, {"code_dims": 4}, {"list_factor": 0.0}, {"list_factor": 3.0}])
def test_training_of_another_shape_is_not_taken_over(change):
    vectors = around(directions(20, 0), 400, 1)
    old = build_index(vectors, options("pq", list_factor=1.0))
    chosen = IndexOptions(**({"kind": "pq", "min_rows": 50, "list_factor": 1.0} | change))
    index, anew = build_index(vectors, chosen, old), build_index(vectors, chosen)
    assert kind_of(index) == chosen.kind
    queries = around(directions(20, 0), 10, 3)
    np.testing.assert_array_equal(index.search(queries, 5)[1], anew.search(queries, 5)[1])


@pytest.mark.parametrize("kind", ["ivf", "hnsw", "pq"])
def test_recall_on_the_probe_set_is_what_a_naive_loop_counts(kind):
    vectors = around(directions(60, 0), 500, 1)
    chosen = options(kind, probes=1, refine=1, probe_rows=500, ef_search=1, links=2, ef_construction=4)
    index = build_index(vectors, chosen)
    found = finder(vectors, index, chosen)(vectors, 10)[1]
    hits = 0
    for row, mine in enumerate(found.tolist()):
        exact = set(np.argsort(-(vectors @ vectors[row]))[:10].tolist())
        hits += len(exact & set(mine))
    assert 0.1 < hits / 5000 < 0.999
    assert probe_recall(vectors, index, chosen) == pytest.approx(hits / 5000, abs=0.003)  # equal scores count


def memory_of(folder, refs, chosen, number, vectors, remove=()) -> MemoryRefs:
    first = 1000 * number
    ids = np.arange(first, first + len(vectors))
    return apply_delta(
        folder, refs, generation=f"gen-{number}", add_ids=ids, add_vectors=vectors,
        add_items=[(str(i), "") for i in ids.tolist()], remove_ids=remove, options=chosen,
    )  # fmt: skip


def moved_on(folder, chosen) -> MemoryRefs:
    """A memory whose vectors have all been replaced by others, while its lists are still those of the first ones."""
    refs = memory_of(folder, MemoryRefs(WIDTH, "toy"), chosen, 1, around(directions(2, 0), 300, 1))
    ids = LongTermMemory.open(folder, refs, device="cpu").ids()
    refs = memory_of(folder, refs, chosen, 2, around(directions(40, 9), 500, 2), remove=ids)
    return memory_of(folder, refs, chosen, 3, around(directions(40, 9), 20, 3))


def built(monkeypatch) -> list[bool]:
    """For each index that a segment gets from here on: whether old training was to be used again."""
    calls, real = [], segments.build_index

    def build(vectors, chosen, like=None):
        calls.append(like is not None)
        return real(vectors, chosen, like)

    monkeypatch.setattr(segments, "build_index", build)
    return calls


@pytest.mark.parametrize("min_recall", [0.0, 0.9])
def test_compaction_trains_anew_where_recall_has_fallen_below_the_bound(tmp_path, monkeypatch, min_recall):
    chosen = options("ivf", probes=4, min_recall=min_recall)
    refs = moved_on(tmp_path, chosen)
    calls = built(monkeypatch)
    compacted = compact(tmp_path, refs, generation="gen-4", options=chosen)
    (only,) = LongTermMemory.open(tmp_path, compacted, device="cpu", options=chosen).segments
    recall = probe_recall(only.vectors, only.index, chosen)
    assert calls == ([True] if min_recall == 0 else [True, False])
    assert (recall >= 0.9) == (min_recall > 0)


def test_a_bound_that_no_training_reaches_is_told_of(tmp_path, caplog):
    chosen = options("ivf", probes=1, min_recall=1.0)
    compact(tmp_path, moved_on(tmp_path, chosen), generation="gen-4", options=chosen)
    (record,) = (record for record in caplog.records if record.levelname == "WARNING")
    assert "although newly trained, below memory.min_recall=1.0; raise memory.probes" in record.getMessage()


def test_compaction_uses_lists_again_that_still_serve(tmp_path, monkeypatch):
    chosen = options("ivf", probes=8, min_recall=0.9)
    refs = memory_of(tmp_path, MemoryRefs(WIDTH, "toy"), chosen, 1, around(directions(10, 0), 300, 1))
    refs = memory_of(tmp_path, refs, chosen, 2, around(directions(10, 0), 60, 2))
    before = centroids_of(LongTermMemory.open(tmp_path, refs, device="cpu").segments[0].index)
    calls = built(monkeypatch)
    refs = compact(tmp_path, refs, generation="gen-3", options=chosen)
    after = centroids_of(LongTermMemory.open(tmp_path, refs, device="cpu").segments[0].index)
    assert calls == [True]
    np.testing.assert_array_equal(before, after)
    assert compact(tmp_path, refs, generation="gen-4", options=chosen) == refs


@pytest.mark.parametrize("kind", ["hnsw", "pq", "flat"])
def test_compaction_gives_a_memory_the_index_that_is_asked_for_now(tmp_path, kind):
    refs = memory_of(tmp_path, MemoryRefs(WIDTH, "toy"), options("ivf"), 1, around(directions(10, 0), 300, 1))
    chosen = options(kind)
    refs = compact(tmp_path, refs, generation="gen-2", options=chosen)
    memory = LongTermMemory.open(tmp_path, refs, device="cpu", options=chosen)
    assert [kind_of(segment.index) for segment in memory.segments] == [kind]
    assert len(memory) == 300
    memory.verify()


def test_a_single_segment_whose_lists_do_not_serve_is_rewritten(tmp_path, monkeypatch):
    chosen = options("ivf", probes=4, min_recall=0.9)
    refs = moved_on(tmp_path, chosen)
    refs = compact(tmp_path, refs, generation="gen-4", options=options("ivf", probes=4, min_recall=0.0))
    assert len(refs.segments) == 1
    calls = built(monkeypatch)
    assert compact(tmp_path, refs, generation="gen-5", options=chosen) != refs
    assert calls == [True, False]


def test_few_rows_are_searched_exactly_whatever_is_asked_for():
    for kind in ("pq", "pq with lists"):
        assert build_index(around(directions(5, 0), 15, 1), options(kind, min_rows=1)) is None
        assert kind_of(build_index(around(directions(5, 0), 16, 1), options(kind, min_rows=1))) == "pq"
