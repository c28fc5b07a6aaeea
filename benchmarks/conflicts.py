"""What looking for conflicts costs a build and a small delta, and which relations of two known graphs look functional.

    python -m benchmarks.conflicts

Given facts without vectors, so that nothing hides the cost. Half of the relations are named as functional, about one
head in fifty has a second value, and what more documents say is kept. "Of it" is the share of the time that goes into
deciding and counting.
"""

import argparse
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.expansion import fb15k_237, isolated, metaqa, repeat
from kgqa.conflicts import Policy, learned_relations
from kgqa.expand import apply
from kgqa.expand.plan import Corpus
from kgqa.ids import relation_iri
from kgqa.knowledge_base import KnowledgeBase

RELATIONS = 20
SIZES = (10_000, 100_000, 1_000_000)
NAMED = frozenset(relation_iri(f"r{number}") for number in range(RELATIONS // 2))
SETTINGS = apply.Settings(policy=Policy("most_supported", NAMED, 50, 0.98))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--folder", type=Path, default=Path("runs"), help="where the knowledge bases are made")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=arguments.folder) as folder:
        Console().print(costs(Path(folder), arguments.sizes))
        Console().print(learned(Path(folder), {"MetaQA": metaqa(), "FB15k-237": fb15k_237()}))


def costs(folder: Path, sizes: list[int]) -> Table:
    """Seconds of a build and of a delta of 100 facts on it."""
    table = Table("base, facts", "build, s", "of it", "delta of 100 facts, s", "of it", "overruled")
    for size in sizes:
        found = repeat(lambda size=size: isolated(measure, folder / str(size), size))
        table.add_row(
            f"{size:,}", f"{found['build']:.2f}", f"{found['build_share']:.1%}", f"{found['delta']:.3f}",
            f"{found['delta_share']:.1%}", f"{found['overruled']:.0f}",
        )  # fmt: skip
    return table


def measure(folder: Path, size: int) -> dict[str, float]:
    spent = [0.0]
    apply._decide = timed(apply._decide, spent)  # type: ignore[assignment]
    rng = random.Random(0)
    result: dict[str, float] = {}
    shutil.rmtree(folder, ignore_errors=True)
    for step, number in (("build", size), ("delta", 100)):
        write(folder / "corpus", step, made(rng, number, size))
        spent[0], start = 0.0, time.perf_counter()
        outcome = apply.expand(folder / "kb", Corpus(folder / "corpus", "facts"), SETTINGS)
        result[step] = time.perf_counter() - start
        result[f"{step}_share"] = spent[0] / result[step]
    return result | {"overruled": float(outcome.counts["num_overruled"])}


def made(rng: random.Random, number: int, size: int) -> list[str]:
    """Heads with one value of a relation each, but for about one in fifty."""
    heads, tails = size * 50 // RELATIONS, size // 4
    return [f"e{rng.randrange(heads)}\tr{rng.randrange(RELATIONS)}\te{rng.randrange(tails)}" for _ in range(number)]


def write(corpus: Path, name: str, lines: list[str]) -> None:
    """Two documents, of which one repeats every tenth fact of the other."""
    corpus.mkdir(parents=True, exist_ok=True)
    for suffix, part in (("", lines), ("-again", lines[::10])):
        (corpus / f"{name}{suffix}.tsv").write_text("\n".join(part), encoding="utf-8")


def timed(function: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*args, **options)
        finally:
            spent[0] += time.perf_counter() - start

    return call


def learned(folder: Path, graphs: dict[str, list[str]]) -> Table:
    """What a report tells of a graph when nothing is named."""
    table = Table("graph", "relations", "look functional", "conflicts", "for example")
    for name, lines in graphs.items():
        write(folder / name, "facts", lines)
        policy = Policy("both", frozenset(), 50, 0.98)
        apply.expand(folder / f"kb-{name}", Corpus(folder / name, "facts"), apply.Settings(policy=policy))
        with KnowledgeBase.open(folder / f"kb-{name}") as base:
            relations = learned_relations(base.ledger, policy)
            example = next(base.conflicts(), None)
            table.add_row(
                name, str(base.counts()["num_relations"]), str(len(relations)), str(sum(1 for _ in base.conflicts())),
                f"{base.text(example.head)} {base.text(example.relation, relation=True)}" if example else "",
            )  # fmt: skip
    return table


if __name__ == "__main__":
    main()
