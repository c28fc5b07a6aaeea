"""A map over batches on a Ray cluster: actors hold what they have opened, batches go to whichever is free.

The actors open files by the same paths as this process: on a cluster a knowledge base and a checkpoint lie on a file
system that all machines see. An actor that dies is started again elsewhere, and its batch done once more.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, TypeVar

from kgqa.engine.local import AHEAD, Make, Worker
from kgqa.errors import ConfigError, EngineError

T = TypeVar("T")
R = TypeVar("R")

_RESTARTS = 3
"""Of an actor, before its end is taken for its batch's fault."""


@dataclass(frozen=True)
class RayEngine:
    """`processes` actors with one CPU each, on the cluster at `address` (host:port, or "auto" for the one that runs on
    this machine); None starts a Ray of its own here and ends it afterwards."""

    processes: int = 2
    address: str | None = None

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise ConfigError(f"engine.processes is {self.processes}; it is a number of actors, at least 1")

    def map(self, make: Make[T, R], batches: Iterable[T]) -> Iterator[R]:
        """See `kgqa.engine.local.Engine`."""
        stream = iter(batches)
        first = list(islice(stream, 1))
        if not first:
            return
        with _cluster(self.address, self.processes) as ray:
            from ray.util import ActorPool

            remote = ray.remote(num_cpus=1, max_restarts=_RESTARTS, max_task_retries=_RESTARTS)(Worker)
            pool = ActorPool([remote.remote(make) for _ in range(self.processes)])
            num_waiting = 0
            try:
                for batch in chain(first, stream):
                    pool.submit(lambda actor, value: actor.apply.remote(value), batch)
                    num_waiting += 1
                    if num_waiting >= AHEAD * self.processes:
                        yield pool.get_next()
                        num_waiting -= 1
                while pool.has_next():
                    yield pool.get_next()
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except ray.exceptions.RayError as error:
                reason = str(error).strip().splitlines()[0]
                raise EngineError(
                    f"a Ray actor died and could not be started again ({reason}); look at the cluster's logs, give the "
                    "machines more memory or set engine.processes to fewer, then run again"
                ) from None


@contextmanager
def _cluster(address: str | None, num_actors: int) -> Iterator[Any]:
    """The module ray, connected; EngineError where it is not installed, not there, or too small."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    try:
        import ray
    except ImportError:
        raise EngineError('engine=ray needs Ray, which is not installed; pip install "kgqa[ray]"') from None
    found = ray.is_initialized()
    if not found:
        _connect(ray, address, num_actors)
    try:
        num_cpus = int(ray.cluster_resources().get("CPU", 0))
        if num_cpus < num_actors:
            raise EngineError(
                f"the Ray cluster has {num_cpus} CPUs, {num_actors} actors need one each; "
                f"set engine.processes={num_cpus} or add machines"
            )
        yield ray
    finally:
        if not found:
            ray.shutdown()


def _connect(ray: Any, address: str | None, num_cpus: int) -> None:
    own: dict[str, Any] = {}
    if address is None:
        # Its workers find what this process does, as those of engine=local do; a cluster's machines have it installed.
        found = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        own = {"include_dashboard": False, "num_cpus": num_cpus, "runtime_env": {"env_vars": found}}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **own)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise EngineError(
            f"no Ray cluster can be reached at {address or 'this machine'} ({reason}); "
            "give engine.address=HOST:PORT of its head, or start one with ray start --head"
        ) from None
