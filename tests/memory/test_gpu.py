"""GPUs that fail, hold little, or are several, played by CPU indexes of FAISS; real ones under the marker `gpu`."""

import faiss
import numpy as np
import pytest
import torch

from kgqa.errors import ConfigError
from kgqa.memory import gpu
from kgqa.memory.index import IndexOptions
from kgqa.memory.long_term import LongTermMemory, MemoryRefs, apply_delta

WIDTH = 8


def unit(num: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((num, WIDTH)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class PlayedGpu:
    """FAISS's GPU interface over CPU indexes: `capacity` rows a GPU, and searches that fail when they are told to."""

    def __init__(self, monkeypatch, *, num_gpus: int = 1, capacity: int = 10**9) -> None:
        self.capacity, self.failing = capacity, False
        self.rows: dict[int, int] = {}
        self.searched = 0
        gpu._resources.cache_clear()
        monkeypatch.setattr(faiss, "get_num_gpus", lambda: num_gpus)
        monkeypatch.setattr(faiss, "StandardGpuResources", object)
        monkeypatch.setattr(faiss, "GpuIndexFlatIP", self._flat)
        monkeypatch.setattr(faiss, "index_cpu_to_gpu_multiple_py", self._lists)

    def _flat(self, resources, width, config):
        played = self

        class Flat(faiss.IndexFlatIP):
            def add(self, vectors):
                played.hold(config.device, len(vectors), self.ntotal)
                super().add(vectors)

            def search(self, queries, k):
                played.search()
                return super().search(queries, k)

        return Flat(width)

    def _lists(self, resources, index, options, gpus):
        for number in gpus:
            self.hold(number, index.ntotal // len(gpus))
        copied = faiss.IndexIVFFlat(index.quantizer, index.d, index.nlist, faiss.METRIC_INNER_PRODUCT)
        copied.is_trained = True
        index.copy_subset_to(copied, 0, 0, index.ntotal)  # as FAISS's own copies to GPUs begin
        real = copied.search

        def search(queries, k):
            self.search()
            return real(queries, k)

        copied.search = search
        return copied

    def hold(self, number: int, num_rows: int, num_before: int = 0) -> None:
        """Takes room for rows; an index that gets none gives back what it took before."""
        self.rows[number] = self.rows.get(number, 0) + num_rows
        if self.rows[number] > self.capacity:
            self.rows[number] -= num_rows + num_before
            raise RuntimeError("Error in virtual void* allocMemory: cudaMalloc error out of memory [2]")

    def search(self) -> None:
        self.searched += 1
        if self.failing:
            raise RuntimeError("CUDA error 2 out of memory")


def store(folder, sizes, **options) -> tuple[MemoryRefs, IndexOptions]:
    """A memory with a segment of each size, large ones first."""
    chosen = IndexOptions(**({"min_rows": 100, "probes": 1000, "list_factor": 1.0} | options))
    refs, first = MemoryRefs(WIDTH, "toy"), 0
    for number, size in enumerate(sizes, start=1):
        ids = np.arange(first, first + size)
        refs = apply_delta(
            folder, refs, generation=f"gen-{number}", add_ids=ids, add_vectors=unit(size, number),
            add_items=[(str(i), "") for i in ids.tolist()], options=chosen,
        )  # fmt: skip
        first += size
    assert len(refs.segments) == len(sizes)
    return refs, chosen


def same_as_on_the_cpu(folder, refs, options, memory, k: int = 7) -> None:
    expected = LongTermMemory.open(folder, refs, device="cpu", options=options).search(unit(20, 99), k)
    found = memory.search(unit(20, 99), k)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw", "pq"])
@pytest.mark.parametrize("num_gpus", [1, 3])
def test_a_gpu_finds_what_the_cpu_finds(tmp_path, monkeypatch, kind, num_gpus):
    monkeypatch.setattr(gpu, "_SHARD_ROWS", 200)
    monkeypatch.setattr(gpu, "BLOCK", 50)
    played = PlayedGpu(monkeypatch, num_gpus=num_gpus)
    refs, options = store(tmp_path, [500, 120], kind=kind, refine=1000, ef_search=1000)
    memory = LongTermMemory.open(tmp_path, refs, device="auto", options=options)
    same_as_on_the_cpu(tmp_path, refs, options, memory)
    assert played.searched > 0
    assert sum(played.rows.values()) >= 618
    assert len(played.rows) == num_gpus
    assert max(played.rows.values()) - min(played.rows.values()) <= 170  # of the large block all have a share


def test_a_block_that_does_not_fit_is_searched_on_the_cpu_and_the_others_are_not(tmp_path, monkeypatch, caplog):
    played = PlayedGpu(monkeypatch, capacity=300)
    monkeypatch.setattr(gpu, "BLOCK", 100)  # three blocks of the large one fit, and then no more
    refs, options = store(tmp_path, [500, 120], kind="flat")
    memory = LongTermMemory.open(tmp_path, refs, device="cuda:0", options=options)
    for _ in range(2):
        same_as_on_the_cpu(tmp_path, refs, options, memory)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "cannot hold 500 vectors (Error in virtual void* allocMemory: cudaMalloc error out of memory" in caplog.text
    assert (played.rows, played.searched) == ({0: 120}, 2)


def test_a_gpu_without_room_for_what_faiss_wants_is_not_tried(tmp_path, monkeypatch, caplog):
    """FAISS would end the process."""
    played = PlayedGpu(monkeypatch)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda number: (gpu._SCRATCH, 80 << 30))
    refs, options = store(tmp_path, [500], kind="flat")
    memory = LongTermMemory.open(tmp_path, refs, device="cuda:0", options=options)
    same_as_on_the_cpu(tmp_path, refs, options, memory)
    assert "2,048 MiB free on GPU 0" in caplog.text
    assert (played.rows, played.searched) == ({}, 0)


@pytest.mark.parametrize("kind", ["flat", "ivf"])
@pytest.mark.parametrize("float16", [False, True])
def test_a_gpu_that_fails_in_the_middle_of_searches_is_left_for_the_cpu(tmp_path, monkeypatch, caplog, kind, float16):
    played = PlayedGpu(monkeypatch)
    refs, options = store(tmp_path, [300], kind=kind, gpu_float16=float16)
    memory = LongTermMemory.open(tmp_path, refs, device="cuda", options=options)
    same_as_on_the_cpu(tmp_path, refs, options, memory)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    played.failing = True
    searched = played.searched
    for _ in range(3):
        same_as_on_the_cpu(tmp_path, refs, options, memory)
    assert played.searched == searched + 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "failed at a search of 300 vectors (CUDA error 2 out of memory)" in caplog.text
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files


def test_more_neighbours_than_a_gpu_finds_come_from_the_cpu(tmp_path, monkeypatch):
    played = PlayedGpu(monkeypatch)
    monkeypatch.setattr(gpu, "_MAX_K", 50)
    refs, options = store(tmp_path, [300], kind="flat")
    memory = LongTermMemory.open(tmp_path, refs, options=options)
    same_as_on_the_cpu(tmp_path, refs, options, memory, k=51)
    assert played.searched == 0
    same_as_on_the_cpu(tmp_path, refs, options, memory, k=50)
    assert played.searched == 1


def test_half_precision_is_ranked_by_the_exact_vectors(tmp_path, monkeypatch):
    """A GPU that rounds: neighbours come in another order, and are put right."""
    played = PlayedGpu(monkeypatch)
    rounded = []

    def flat(resources, width, config):
        rounded.append(config.useFloat16)
        index = faiss.IndexScalarQuantizer(width, faiss.ScalarQuantizer.QT_4bit, faiss.METRIC_INNER_PRODUCT)
        index.train(unit(400))
        return index

    monkeypatch.setattr(faiss, "GpuIndexFlatIP", flat)
    refs, options = store(tmp_path, [400], kind="flat", gpu_float16=True, refine=20)
    memory = LongTermMemory.open(tmp_path, refs, device="auto", options=options)
    same_as_on_the_cpu(tmp_path, refs, options, memory, k=3)
    assert rounded == [True]
    assert played.rows == {}


def test_which_gpus_a_device_means(monkeypatch):
    PlayedGpu(monkeypatch, num_gpus=2)
    found = [gpu.choose_gpus(name) for name in ("auto", "cuda", "cuda:1", "cuda:2", "cpu")]
    assert found == [(0, 1), (0, 1), (1,), (), ()]
    PlayedGpu(monkeypatch, num_gpus=0)
    assert gpu.choose_gpus("auto") == ()
    with pytest.raises(ConfigError, match=r"memory\.device is 'gpu'"):
        gpu.choose_gpus("gpu")


@pytest.mark.gpu
@pytest.mark.parametrize("float16", [False, True])
@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw", "pq"])
def test_real_gpus_agree_with_the_cpu(tmp_path, monkeypatch, kind, float16):
    monkeypatch.setattr(gpu, "_SHARD_ROWS", 1000)  # on as many as there are
    refs, options = store(tmp_path, [3000, 700], kind=kind, probes=1000, gpu_float16=float16)
    refs = apply_delta(tmp_path, refs, generation="gen-9", remove_ids=range(500), options=options)
    on_cpu = LongTermMemory.open(tmp_path, refs, device="cpu", options=IndexOptions("flat"))
    on_gpu = LongTermMemory.open(tmp_path, refs, device="cuda", options=options)
    for k in (5, 3000):
        expected, found = on_cpu.search(unit(64, 3), k)[0], on_gpu.search(unit(64, 3), k)[0]
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.gpu
def test_a_real_gpu_that_has_no_room_left(tmp_path, caplog):
    refs, options = store(tmp_path, [200_000], kind="flat")
    gpu._resources.cache_clear()
    taken = _all_memory()
    memory = LongTermMemory.open(tmp_path, refs, device="cuda:0", options=options)
    same_as_on_the_cpu(tmp_path, refs, options, memory)
    del taken
    assert "the CPU searches them" in caplog.text


def _all_memory() -> list:
    """What there is, down to a megabyte; another process may take or give some meanwhile."""
    taken, size = [], 1 << 34
    while size >= 1 << 20:
        try:
            taken.append(torch.empty(size, dtype=torch.uint8, device="cuda:0"))
        except torch.cuda.OutOfMemoryError:
            size //= 2
    return taken
