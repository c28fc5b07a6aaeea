"""Whether answers hang on their evidence: take a fact of it away, and another one, and ask again.

    python -m benchmarks.causal KB CHECKPOINT QUESTIONS [LIMIT]

For each question that is answered: one fact of the best answer's path is removed from the graph, and that answer should
be gone; one fact that is in no path of the answers is removed, at an entity that the path goes through where there is
one (the harder choice), and the answers should stay as they are. An answer that another path leads to as well may stay
when a fact is removed; those are counted apart.
"""

import random
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from kgqa import KnowledgeBase
from kgqa.answer.linking import open_linker
from kgqa.answer.questions import read_questions
from kgqa.graph.subgraph import TripleTable
from kgqa.reason.predict import Prediction, Predictor
from kgqa.types import Question

MOST_PATHS = 100


def main(kb: str, checkpoint: str, questions: str, limit: str = "300") -> None:
    """Ask, remove, ask again, count."""
    draw = random.Random(0)
    counts: Counter[str] = Counter()
    with KnowledgeBase.open(kb) as base:
        predictor = Predictor.load(Path(checkpoint), base, max_paths=MOST_PATHS)
        asked = open_linker(base).link(list(read_questions(Path(questions))))
    asked = draw.sample(asked, min(len(asked), int(limit)))
    for question, found in zip(asked, predictor.predict(asked), strict=True):
        if found.paths and len(found.entity_index) <= MOST_PATHS:
            counts["answered"] += 1
            remove(predictor, base.triples(), question, found, draw, counts)
    table = Table("removed", "questions", "the answer is gone", "it stays, by another path", "answers as they were")
    for removed in ("evidence", "other"):
        shown = [counts[f"{removed} {what}"] for what in ("asked", "gone", "other path", "same")]
        rates = [f"{100 * part / max(shown[0], 1):.1f} %" for part in shown[1:]]
        table.add_row(removed, str(shown[0]), *rates)
    Console().print(table)


def remove(
    predictor: Predictor, table: TripleTable, question: Question, found: Prediction, draw: random.Random,
    counts: Counter[str],
) -> None:  # fmt: skip
    """Both removals of one question."""
    evidence = [edge[:3] for edge in found.paths[0]]
    everywhere = {edge[:3] for path in found.paths for edge in path}
    for label, fact in (("evidence", draw.choice(evidence)), ("other", beside(table, evidence, everywhere, draw))):
        if fact is None:
            continue
        (after,) = predictor.over(without(table, fact)).predict([question])
        counts[f"{label} asked"] += 1
        counts[f"{label} same"] += set(after.entity_index) == set(found.entity_index)
        stays = found.entity_index[0] in after.entity_index
        counts[f"{label} other path" if stays else f"{label} gone"] += 1


def beside(
    table: TripleTable, evidence: list[tuple[int, int, int]], everywhere: set[tuple[int, int, int]], draw: random.Random
) -> tuple[int, int, int] | None:
    """A fact at an entity of the path that is in none of the paths, else any other fact."""
    ends = [end for head, _, tail in evidence for end in (head, tail)]
    for places in (
        np.flatnonzero(np.isin(table.heads, ends) | np.isin(table.tails, ends)),
        np.arange(len(table.heads)),
    ):
        facts = [(int(table.heads[p]), int(table.relations[p]), int(table.tails[p])) for p in places]
        if others := [fact for fact in facts if fact not in everywhere]:
            return draw.choice(others)
    return None


def without(table: TripleTable, fact: tuple[int, int, int]) -> TripleTable:
    """The graph without one fact."""
    head, relation, tail = fact
    kept = (table.heads != head) | (table.relations != relation) | (table.tails != tail)
    return replace(table, heads=table.heads[kept], relations=table.relations[kept], tails=table.tails[kept])


if __name__ == "__main__":
    main(*sys.argv[1:])
