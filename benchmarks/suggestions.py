"""What `kgqa complete` suggests over half of MetaQA's graph, and how much of that the other half has.

    python -m benchmarks.suggestions [--draws 3] [--least 0.5]

Without rules with constants and with them; then how far the probabilities of the likeliest end hold, of entities of
which half of the graph has no fact of a relation and the whole graph has one.
"""

import argparse
from collections.abc import Iterator, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.metaqa_splits import KB, half_of
from kgqa import KnowledgeBase
from kgqa.answer.selective import calibration_error, reliability
from kgqa.answer.suggested import Chances
from kgqa.reason.rules import RuleBook, learn_rules
from kgqa.reason.suggestions import likeliest, suggest
from kgqa.reason.surroundings import Surroundings

_ASKED = 200
"""Entities of each directed relation whose likeliest end is looked at."""


def precision(book: RuleBook, whole: Surroundings, least: float) -> tuple[int, float]:
    """How many facts are suggested, and which share of them the whole graph has."""
    found = np.array([one.fact for one in suggest(book, least=least)], dtype=np.int64).reshape(-1, 3)
    right = [whole.holds(head[None], int(relation), tail[None])[0] for head, relation, tail in found]
    return len(found), float(np.mean(right)) if right else float("nan")


def judged(book: RuleBook, whole: Surroundings) -> Iterator[tuple[float, bool]]:
    """The probability of likeliest ends, and whether the whole graph has them."""
    chances = Chances(book)
    for relation in range(2 * book.graph.num_relations):
        lacking = np.setdiff1d(whole.facts(relation)[0], book.graph.facts(relation)[0])
        for entity in lacking[:: max(1, len(lacking) // _ASKED)].tolist():
            if one := likeliest(book, entity, relation):
                yield chances.of(one), bool(whole.holds(np.array([entity]), relation, np.array([one.end]))[0])


def main(arguments: Sequence[str] | None = None) -> None:
    """Two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--least", type=float, default=0.5)
    options = parser.parse_args(arguments)
    with KnowledgeBase.open(KB) as kb:
        table = kb.triples()
    whole, both = Surroundings(table), Table("seed", "constants", "suggested", "right")
    calibrated = Table("seed", "asked", "mean probability", "right", "ECE")
    for seed in range(options.draws):
        graph = Surroundings(half_of(table, seed), seed=seed)
        rules = learn_rules(graph)
        for constants in (False, True):
            number, right = precision(RuleBook(rules, graph, constants=constants), whole, options.least)
            both.add_row(str(seed), "yes" if constants else "no", f"{number:,}", f"{right:.3f}")
        calibrated.add_row(str(seed), *_calibration(judged(RuleBook(rules, graph, constants=True), whole)))
    Console().print(both, calibrated)


def _calibration(found: Iterator[tuple[float, bool]]) -> list[str]:
    probability, right = (np.array(column) for column in zip(*found, strict=True))
    ece = calibration_error(reliability(probability, right))
    return [f"{len(right):,}", f"{probability.mean():.3f}", f"{right.mean():.3f}", f"{ece:.3f}"]


if __name__ == "__main__":
    main()
