"""Search of a block on GPUs: its vectors are copied there once, rows spread over several where there are many.

The files are the same as for the CPU. IVF goes there as it is; the others have no GPU form and are searched exactly.
What a GPU cannot hold, or fails at later, is searched on the CPU from then on, and said once for that block.
"""

import logging
from functools import cache
from typing import Any

import faiss
import numpy as np

from kgqa.errors import ConfigError
from kgqa.memory.approximate import finder, kind_of
from kgqa.memory.index import BLOCK, Find, IndexOptions, Rows, Vectors, reranked

log = logging.getLogger(__name__)

_MAX_K = 2048
"""Neighbours that a GPU can find for a query."""
_SHARD_ROWS = 1 << 20
"""Rows that one GPU takes before another one is asked: 1.6 GB at width 384."""
_SCRATCH = 2 << 30
"""Bytes that FAISS wants on a GPU beside the vectors. Where they are missing it ends the process, without an error."""


def choose_gpus(device: str) -> tuple[int, ...]:
    """The numbers of the GPUs for `device` (auto and cuda: all there are; cuda:N; cpu); none: the CPU.

    One warning in a process where the GPU that is asked for is not there.
    """
    name, _, number = device.partition(":")
    if name not in ("auto", "cpu", "cuda") or (number and (name != "cuda" or not number.isdecimal())):
        raise ConfigError(f"memory.device is {device!r}; choose auto, cpu, cuda or cuda:N")
    num_gpus = faiss.get_num_gpus() if hasattr(faiss, "get_num_gpus") else 0
    if name == "cpu":
        return ()
    found = tuple(range(num_gpus)) if not number else (int(number),) if int(number) < num_gpus else ()
    if not found and name == "cuda":
        _warn_no_gpu(device, num_gpus)
    return found


@cache
def _warn_no_gpu(device: str, num_gpus: int) -> None:
    """Says it once, not for each of the memories that a process opens."""
    log.warning(
        "memory.device=%s but FAISS sees %d GPUs: the long-term memory is searched by the CPU", device, num_gpus
    )


def gpu_finder(vectors: Vectors, index: Any | None, options: IndexOptions, gpus: tuple[int, ...]) -> Find:
    """How this block is searched on these GPUs."""
    on_cpu = finder(vectors, index, options)
    copied: Any = None
    try:
        chosen = gpus[: 1 + len(vectors) // _SHARD_ROWS]
        _check_room(chosen, vectors.nbytes // len(chosen) // (2 if options.gpu_float16 else 1))
        copied = _copy(vectors, index, options, chosen)
    except (RuntimeError, MemoryError) as error:
        log.warning("GPU %s cannot hold %d vectors (%s); the CPU searches them", gpus, len(vectors), _first(error))
        return on_cpu

    def search(queries: Vectors, m: int) -> tuple[Vectors, Rows]:
        scores, rows = copied.search(queries, min(m, _MAX_K))
        return scores, rows

    on_gpu = reranked(search, vectors, options.refine) if options.gpu_float16 else search

    def find(queries: Vectors, m: int) -> tuple[Vectors, Rows]:
        nonlocal copied
        if copied is not None and m <= _MAX_K:
            try:
                return on_gpu(queries, m)
            except (RuntimeError, MemoryError) as error:
                log.warning(
                    "GPU %s failed at a search of %d vectors (%s); the CPU searches them from now on",
                    gpus, len(vectors), _first(error),
                )  # fmt: skip
                copied = None  # gives the GPU's memory back
        return on_cpu(queries, m)

    return find


def _check_room(gpus: tuple[int, ...], num_bytes: int) -> None:
    """MemoryError where one of the GPUs has less free, as far as torch can see it."""
    import torch  # where there is no GPU, searching does without it

    for gpu in gpus:
        if gpu < torch.cuda.device_count():
            free, _ = torch.cuda.mem_get_info(gpu)
            if free < num_bytes + _SCRATCH:
                raise MemoryError(f"{free >> 20:,} MiB free on GPU {gpu}, {num_bytes + _SCRATCH >> 20:,} wanted")


def _first(error: Exception) -> str:
    """The part of FAISS's message that says what happened; the rest is its source lines."""
    return " ".join(str(error).split())[:200]


@cache
def _resources(gpu: int) -> Any:
    """One for each GPU and process: each keeps a stack of over a gigabyte for intermediate results there."""
    return faiss.StandardGpuResources()


def _copy(vectors: Vectors, index: Any | None, options: IndexOptions, gpus: tuple[int, ...]) -> Any:
    """The block on these GPUs, each with its share of the rows."""
    if kind_of(index) == "ivf" and options.kind != "flat":
        return _copy_lists(index, options, gpus)
    shards = [
        _copy_rows(vectors, rows, options, gpu)
        for rows, gpu in zip(np.array_split(np.arange(0, len(vectors), BLOCK), len(gpus)), gpus, strict=True)
    ]
    if len(shards) == 1:
        return shards[0]
    together = faiss.IndexShards(
        vectors.shape[1], True, True
    )  # in threads; rows are numbered one shard after the other
    for shard in shards:
        together.add_shard(shard)
    return together


def _copy_rows(vectors: Vectors, starts: Rows, options: IndexOptions, gpu: int) -> Any:
    """The blocks that begin at these rows, for exact search."""
    config = faiss.GpuIndexFlatConfig()
    config.device, config.useFloat16 = gpu, options.gpu_float16
    flat = faiss.GpuIndexFlatIP(_resources(gpu), vectors.shape[1], config)
    for start in starts.tolist():
        flat.add(np.ascontiguousarray(vectors[start : start + BLOCK]))
    return flat


def _copy_lists(index: Any, options: IndexOptions, gpus: tuple[int, ...]) -> Any:
    """An IVF index; on several GPUs each has a part of the vectors of every list."""
    cloning = faiss.GpuMultipleClonerOptions()
    cloning.shard, cloning.useFloat16 = True, options.gpu_float16
    copied = faiss.index_cpu_to_gpu_multiple_py([_resources(gpu) for gpu in gpus], index, cloning, list(gpus))
    faiss.GpuParameterSpace().set_index_parameter(copied, "nprobe", min(options.probes, index.nlist))
    return copied
