"""Batch answering: rate and memory of a large run, one question warm and cold, and kills in the middle of it.

    python -m benchmarks.batch KB CHECKPOINT [QUESTIONS ...] [--number 100000] [--processes 2] [--kills 50]

Questions are taken from the files in turn (default: MetaQA's three train files under KGQA_DATA). Memory is the sum over
the run's processes of what is their own and of their share of what they have in common (PSS), four times a second.
"""

import argparse
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from kgqa import Answerer, KnowledgeBase
from kgqa.answer.lines import read_lines
from kgqa.artifacts import read_json, sha256_file

DATA = Path(os.environ.get("KGQA_DATA", "../shared/data")) / "metaqa"


@dataclass
class Watch:
    """The memory of a session of processes while it runs, in MB."""

    session: int
    seen: list[float] = field(default_factory=list)

    def follow(self, running: threading.Event) -> None:
        """Look four times a second until told to stop."""
        while running.is_set():
            self.seen.append(sum(map(_pss, _members(self.session))))
            time.sleep(0.25)

    def late(self, begin: float, end: float) -> float:
        """The median between two shares of the time."""
        part = self.seen[int(begin * len(self.seen)) : max(1, int(end * len(self.seen)))]
        return statistics.median(part) if part else 0.0


def _members(session: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError, IndexError):
            if entry.name.isdecimal() and int((entry / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                yield int(entry.name)


def _pss(pid: int) -> float:
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return 0.0


def write_questions(files: Sequence[Path], number: int, out: Path) -> Path:
    """The first lines of the files, one of each in turn."""
    streams = [(raw for _, raw in read_lines(path)) for path in files]
    mixed = (raw for lines in zip(*streams, strict=False) for raw in lines)
    out.write_bytes(b"".join(islice(mixed, number)))
    return out


class Seconds(NamedTuple):
    """Of the clock, and of processors in this process and in those that it has waited for."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> "Seconds":
        """Since some moment."""
        used = (resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return cls(time.perf_counter(), sum(one.ru_utime + one.ru_stime for one in used))

    def __sub__(self, earlier: "Seconds") -> "Seconds":
        return Seconds(self.wall - earlier.wall, self.cpu - earlier.cpu)

    @classmethod
    def median(cls, several: Sequence["Seconds"]) -> "Seconds":
        """Of each for itself."""
        return cls(*map(statistics.median, zip(*several, strict=True)))


class Runs:
    """`kgqa answer` in processes of its own."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.folder = folder
        self._keys = [f"kb={arguments.kb}", f"checkpoint={arguments.checkpoint}", f"qa.format={arguments.format}"]
        self._last = 0

    def start(self, questions: Path, out: Path, *more: str) -> tuple[subprocess.Popen[bytes], Path]:
        """The process, as the leader of a session, and the folder of its run."""
        self._last += 1
        run = self.folder / f"run-{self._last}"
        command = [sys.executable, "-m", "pipelines.answer", *self._keys, f"questions={questions}", f"out={out}", *more]
        command.append(f"hydra.run.dir={run}")
        return subprocess.Popen(
            command, start_new_session=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        ), run

    def finish(self, questions: Path, out: Path, *more: str) -> tuple[Seconds, Watch, dict[str, float]]:
        """What a run took, its memory and its metrics."""
        start = Seconds.now()
        process, run = self.start(questions, out, *more)
        watch, running = Watch(process.pid), threading.Event()
        running.set()
        follower = threading.Thread(target=watch.follow, args=(running,))
        follower.start()
        code = process.wait()
        running.clear()
        follower.join()
        if code:
            sys.exit(f"a run ended with {code}; see {run}/log.txt")
        return Seconds.now() - start, watch, read_json(run / "manifest.json")["metrics"]


def large_run(runs: Runs, questions: Path, processes: Sequence[int]) -> None:
    """Rate and memory by the number of processes; the bytes have to agree."""
    rates, sizes = ("questions/s, all", "after the start"), ("peak MB", "MB at 1/4-1/2", "at the end")
    table = Table("processes", "questions", "seconds", "CPU s", *rates, *sizes, "p50 ms", "p95", "p99")
    digests = set()
    for number in processes:
        out = runs.folder / f"answers-{number}.jsonl"
        seconds, watch, found = runs.finish(questions, out, f"engine.processes={number}")
        digests.add(sha256_file(out))
        latencies = (f"{found[f'ms_per_question_p{percent}']:.1f}" for percent in (50, 95, 99))
        table.add_row(
            f"{number}", f"{found['num_questions']:,}", f"{seconds.wall:.0f}", f"{seconds.cpu:.0f}",
            f"{found['num_questions'] / seconds.wall:,.0f}",
            f"{found['questions_per_second']:,.0f}", f"{max(watch.seen):,.0f}", f"{watch.late(0.25, 0.5):,.0f}",
            f"{watch.late(0.9, 1):,.0f}", *latencies,
        )  # fmt: skip
    Console(width=150).print(table, f"the same bytes: {len(digests) == 1}")


def one_question(runs: Runs, arguments: argparse.Namespace, questions: Path) -> None:
    """Warm: in a process that has answered before. Cold: the whole command."""
    texts = [
        raw.decode().split("\t")[0].replace("[", "").replace("]", "") for _, raw in islice(read_lines(questions), 300)
    ]
    start = Seconds.now()
    with KnowledgeBase.open(arguments.kb) as kb:
        answerer = Answerer.open(kb, arguments.checkpoint)
        load = Seconds.now() - start
        seconds = []
        for text in texts:
            start = Seconds.now()
            answerer.ask(text)
            seconds.append(Seconds.now() - start)
    warm, late = Seconds.median(seconds[20:]), sorted(one.wall for one in seconds[20:])
    cold = [
        runs.finish(write_questions([questions], 1, runs.folder / "one"), runs.folder / "one.jsonl")[0]
        for _ in range(5)
    ]
    command, p95 = Seconds.median(cold), late[int(0.95 * len(late))]
    table = Table("", "by the clock", "of CPU")
    table.add_row("load of knowledge base and model, s", f"{load.wall:.1f}", f"{load.cpu:.1f}")
    table.add_row("warm question: median, ms", f"{1000 * warm.wall:.1f}", f"{1000 * warm.cpu:.1f}")
    table.add_row("p95, ms", f"{1000 * p95:.1f}", "")
    table.add_row("cold command: median of 5, s", f"{command.wall:.1f}", f"{command.cpu:.1f}")
    Console(width=150).print(table)


def kills(runs: Runs, questions: Path, *, number: int, processes: int) -> None:
    """Runs that are killed at random moments and started again until they are done."""
    more = f"engine.processes={processes}"
    whole, out = runs.folder / "whole.jsonl", runs.folder / "killed.jsonl"
    seconds, _, _ = runs.finish(questions, whole, more)
    rng = random.Random(0)
    num_kills = num_files = num_same = num_late = 0
    while num_kills < number:
        while True:
            process, _ = runs.start(questions, out, more)
            if num_kills < number:
                num_late += _wait_to_kill(process, out, seconds.wall, rng)
            else:
                process.wait()
            if process.poll() is not None:
                break
            process.send_signal(signal.SIGKILL)
            process.wait()
            num_kills += 1
        num_files += 1
        num_same += out.read_bytes() == whole.read_bytes()
        out.unlink()
    Console(width=150).print(
        f"{num_kills} kills -9, {num_late} of them after more answers were kept, {processes} processes: "
        f"{num_same} of {num_files} files byte for byte as without a kill"
    )


def _wait_to_kill(process: subprocess.Popen[bytes], out: Path, whole: float, rng: random.Random) -> bool:
    """Half of the times for any moment of a run, else for one soon after it has kept more answers than there were, so
    that not all kills fall into the start. Whether it had kept more and is still there to be killed."""
    kept = out.with_name(f".{out.name}.partial") / "batches.jsonl"

    def size() -> int:
        return kept.stat().st_size if kept.exists() else 0

    before, wait = size(), rng.uniform(0, whole)
    if rng.random() < 0.5:
        while process.poll() is None and size() <= before:
            time.sleep(0.01)
        wait = rng.uniform(0, 0.1 * whole)
    with suppress(subprocess.TimeoutExpired):
        process.wait(wait)
    return process.poll() is None and size() > before


def main() -> None:
    """What the tables of docs/benchmarks.md show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kb", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument(
        "questions", type=Path, nargs="*", default=[DATA / f"qa_train_{n}hop.txt.gz" for n in (1, 2, 3)]
    )
    parser.add_argument("--format", default="auto", help="of the questions")
    parser.add_argument("--number", type=int, default=100_000, help="questions of the large run; 0: none")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--kills", type=int, default=50, help="0: none")
    parser.add_argument("--killed", type=int, default=10_000, help="questions of the runs that are killed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        runs = Runs(arguments, Path(name))
        some = write_questions(arguments.questions, arguments.killed, Path(name) / "some.txt")
        if arguments.number:
            one_question(runs, arguments, some)
            many = write_questions(arguments.questions, arguments.number, Path(name) / "many.txt")
            large_run(runs, many, sorted({1, arguments.processes}))
        if arguments.kills:
            kills(runs, some, number=arguments.kills, processes=arguments.processes)


if __name__ == "__main__":
    main()
