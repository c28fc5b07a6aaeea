"""Kills the writer for good (SIGKILL) many times, at step boundaries and at random moments, and counts what is lost.

    python -m benchmarks.crashes [--kills 200]

After each kill a reader must see the old state or the new one, whole; then the next run must give the new one, with no
fact lost or doubled and nothing left over. The toy corpus of the tests is small so that kills fall on every step.
"""

import argparse
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kgqa.expand.verify import verify
from kgqa.generations import generation_names
from tests.expand.killed import change
from tests.expand.test_kill import NEW, OLD
from tests.expand.toy import build, dump, fast_folder, write_corpus

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    kills, rng, found = parser.parse_args().kills, random.Random(0), Counter[str]()
    table = Table(
        "killed in", "kills", "a reader saw the old state", "the new one", "lost or doubled facts", "leavings"
    )
    with fast_folder() as name:
        folder = Path(name)
        build(folder / "old", folder / "corpus", OLD)
        write_corpus(folder / "corpus", NEW)
        for action in ("expand", "compact", "rollback"):
            shutil.rmtree(folder / "before", ignore_errors=True)
            shutil.copytree(folder / "old", folder / "before")
            if action != "expand":
                change("expand", folder / "before", folder / "corpus")
            number = kills // 2 if action == "expand" else kills // 4
            found = trials(folder, action, number, rng)
            table.add_row(action, *(str(found[key]) for key in ("kills", "old", "new", "wrong", "leavings")))
    Console().print(table)


def trials(folder: Path, action: str, kills: int, rng: random.Random) -> Counter[str]:
    """Half of the kills at boundaries, half at random moments of the run."""
    shutil.rmtree(folder / "after", ignore_errors=True)
    shutil.copytree(folder / "before", folder / "after")
    passed, seconds = run(folder / "after", folder / "corpus", 10**6, action)
    states = dump(folder / "before"), dump(folder / "after")
    found = Counter[str]()
    while found["kills"] < kills:
        kb = folder / "kb"
        shutil.rmtree(kb, ignore_errors=True)
        shutil.copytree(folder / "before", kb)
        if found["kills"] % 2:
            survived, _ = run(kb, folder / "corpus", rng.randrange(passed), action)
        else:
            survived, _ = run(kb, folder / "corpus", 10**6, action, after=rng.uniform(0.3, 1.0) * seconds)
        if survived < 0:
            found += check(kb, folder, action, states)
    return found


def run(kb: Path, corpus: Path, last: int, action: str, after: float | None = None) -> tuple[int, float]:
    """(boundaries passed, or -1 where it was killed; seconds)."""
    command = [sys.executable, "-m", "tests.expand.killed", str(kb), str(corpus), str(last), action]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        out, _ = process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        process.kill()
        out, _ = process.communicate()
    if process.returncode not in (0, -signal.SIGKILL):
        raise SystemExit(f"{command} failed")
    return int(out) if process.returncode == 0 else -1, time.perf_counter() - start


def check(kb: Path, folder: Path, action: str, states: tuple[object, object]) -> Counter[str]:
    """What one kill left, and whether the next run gave the new state."""
    seen = dump(kb)
    found = Counter({"kills": 1, "old": int(seen == states[0]), "new": int(seen == states[1] != states[0])})
    wrong = seen not in states
    if action != "rollback" or "gen-000001" in generation_names(kb):
        change(action, kb, folder / "corpus")
    found["wrong"] = int(wrong or dump(kb) != states[1] or bool(verify(kb)))
    found["leavings"] = int(any(p.name.startswith(".") or p.name.endswith(".partial") for p in kb.rglob("*")))
    return found


if __name__ == "__main__":
    main()
