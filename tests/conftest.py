"""What all tests share: properties without a deadline, and one SPARQL server a test process."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

import kgqa.memory  # noqa: F401  where there is a GPU it brings torch in, before a test brings faiss
from tests.servers import Front, Oxigraph

settings.register_profile("a busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("a busy machine")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in a shell's background job: programs that tests start would
    signal.signal(signal.SIGINT, signal.default_int_handler)  # inherit it, and wait for a Ctrl-C that never comes


@pytest.fixture(scope="session")
def _one_oxigraph() -> Iterator[Oxigraph]:
    with TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as name:
        server = Oxigraph(Path(name)).start()
        yield server
        server.kill()


@pytest.fixture
def oxigraph(_one_oxigraph: Oxigraph) -> Oxigraph:
    """A real server that holds nothing."""
    _one_oxigraph.clear()
    return _one_oxigraph


@pytest.fixture
def front(oxigraph: Oxigraph) -> Iterator[Front]:
    """The server behind a front that can be told to fail."""
    with Front(oxigraph.url) as front:
        yield front
