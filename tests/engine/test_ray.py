"""The same on a real Ray, started by the tests on this machine."""

import pytest

from kgqa.engine.local import AHEAD
from kgqa.engine.ray import RayEngine
from kgqa.errors import ConfigError, EngineError, InputError
from tests.engine.workers import squares, unopenable

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ray():
    """One Ray for all tests: it takes seconds to start."""
    ray = pytest.importorskip("ray")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield ray
    ray.shutdown()


@pytest.mark.usefixtures("ray")
def test_results_come_in_order_and_little_is_read_ahead():
    read = []

    def batches():
        for number in range(20):
            read.append(number)
            yield number

    results = RayEngine(2).map(squares, batches())
    assert next(results) == 0
    assert len(read) <= AHEAD * 2
    assert list(results) == [number**2 for number in range(1, 20)]


@pytest.mark.usefixtures("ray")
@pytest.mark.parametrize(
    ("make", "message"), [(squares, "this one is wrong; mend it"), (unopenable, "nothing to open")]
)
def test_an_error_is_raised_as_it_was(make, message):
    with pytest.raises(InputError) as caught:
        list(RayEngine(2).map(make, [1, "wrong", 3]))
    assert message in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.usefixtures("ray")
def test_an_actor_that_dies_again_and_again_is_an_error():
    with pytest.raises(EngineError, match="a Ray actor died and could not be started again"):
        list(RayEngine(2).map(squares, [1, "die"]))


@pytest.mark.usefixtures("ray")
def test_a_cluster_that_is_too_small_is_refused_and_not_waited_for():
    with pytest.raises(EngineError, match=r"has 2 CPUs, 3 actors need one each; set engine\.processes=2"):
        list(RayEngine(3).map(squares, [1]))


def test_no_actors_at_all_are_refused():
    with pytest.raises(ConfigError, match=r"engine\.processes is 0"):
        RayEngine(0)
