"""Batches in processes: the order stays, little is read ahead, errors come back, a death is an error and no hang."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from kgqa.engine.local import AHEAD, LocalEngine, num_cores
from kgqa.errors import ConfigError, EngineError, InputError
from tests.engine.workers import squares, unopenable

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_order(processes):
    assert list(LocalEngine(processes).map(squares, range(20))) == [number**2 for number in range(20)]


@pytest.mark.parametrize("processes", [1, 2])
def test_nothing_in_nothing_out(processes):
    assert list(LocalEngine(processes).map(squares, [])) == []


def test_one_process_is_this_one_and_what_it_opened_is_closed(tmp_path):
    found = list(LocalEngine(1).map(partial(squares, tmp_path), ["pid", "pid"]))
    assert {pid for pid, _, _ in found} == {os.getpid()}
    assert {path.name for path in tmp_path.iterdir()} == {f"opened-{os.getpid()}", f"closed-{os.getpid()}"}


def test_one_batch_needs_no_process():
    ((pid, _, _),) = LocalEngine(8).map(squares, ["pid"])
    assert pid == os.getpid()


def test_workers_are_others_share_the_cores_and_open_once(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found = list(LocalEngine(2).map(partial(squares, tmp_path), ["pid", 0] * 6))
    pids = {one[0] for one in found[::2]}
    assert os.getpid() not in pids
    assert {one[1] for one in found[::2]} == {str(max(1, num_cores() // 2))}
    assert 1 <= len(list(tmp_path.glob("opened-*"))) <= 2
    assert "OMP_NUM_THREADS" not in os.environ


def test_what_the_user_says_of_threads_stands(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert {one[1] for one in LocalEngine(2).map(squares, ["pid"] * 4)} == {"7"}


def test_little_is_read_ahead():
    read = []

    def batches():
        for number in range(100):
            read.append(number)
            yield number

    results = LocalEngine(2).map(squares, batches())
    assert next(results) == 0
    assert len(read) <= AHEAD * 2
    results.close()


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("batches", [["wrong", 1], [1, 2, 3, "wrong", 5]])
def test_an_error_is_raised_as_it_was(processes, batches):
    with pytest.raises(InputError, match="this one is wrong; mend it"):
        list(LocalEngine(processes).map(squares, batches))


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_while_opening_is_raised_as_it_was(processes):
    with pytest.raises(InputError, match="nothing to open"):
        list(LocalEngine(processes).map(unopenable, [1, 2, 3]))


def test_a_worker_that_dies_is_an_error_after_the_results_before():
    results = LocalEngine(2).map(squares, [1, 2, 3, 4, 5, 6, "die", 7, 8])
    got = []
    with pytest.raises(EngineError, match=r"one of 2 worker processes died.*engine\.processes"):
        got.extend(results)
    assert got == [number**2 for number in range(1, len(got) + 1)]


@pytest.mark.parametrize("processes", [0, -1])
def test_no_processes_at_all_are_refused(processes):
    with pytest.raises(ConfigError, match=rf"engine\.processes is {processes}"):
        LocalEngine(processes)


PARENT = """
import sys
from kgqa.engine.local import LocalEngine
from tests.engine.workers import squares
for found in LocalEngine(2).map(squares, ["pid", "pid"] * 10000):
    print(found[0], flush=True)
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_workers_do_not_outlive_who_started_them(tmp_path, sent):
    program = tmp_path / "parent.py"
    program.write_text(f"if __name__ == '__main__':\n    {PARENT.strip().replace(chr(10), chr(10) + '    ')}\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
        start_new_session=True, text=True,
    ) as parent:  # fmt: skip
        assert parent.stdout
        pids = {int(parent.stdout.readline()) for _ in range(6)}
        os.killpg(parent.pid, sent) if sent == signal.SIGINT else parent.kill()
        _, errors = parent.communicate(timeout=60)
    assert errors.count("KeyboardInterrupt") == (sent == signal.SIGINT), errors  # the parent's alone
    for _ in range(200):
        left = [pid for pid in pids if Path(f"/proc/{pid}").exists() or not Path("/proc").exists()]
        if not left:
            break
        time.sleep(0.05)
    assert not left
