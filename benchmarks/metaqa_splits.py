"""MetaQA's hard splits: few questions, wordings, relations or films never trained on, half of the graph; and ablations.

    python -m benchmarks.metaqa_splits few|templates|parts|relations|entities|half [key=value of train ...] [--draws 3]

The plain split shares its templates between train and dev, and a dictionary from template to path answers it. Here a
model is trained for each row on what the row allows, and asked dev questions of the kind that it has not seen. Training
is from answers alone in every row; the names of path types, which the data set publishes beside its questions, serve to
draw the splits and are shown to no model. `kb/metaqa` is the graph (`python -m benchmarks.metaqa` makes it). What is
measured is kept in runs/metaqa_splits.jsonl: a row that is there is not run again.
"""

import argparse
import gzip
import json
import os
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.learning import set_scores, trained
from kgqa import KnowledgeBase
from kgqa.answer.linking import EntityLinker, open_linker
from kgqa.answer.questions import read_questions
from kgqa.answer.suggested import Guesser
from kgqa.graph.subgraph import TripleTable
from kgqa.reason.examples import Vocabulary
from kgqa.reason.predict import Predictor
from kgqa.reason.rules import RuleBook, learn_rules
from kgqa.reason.suggestions import suggest
from kgqa.reason.surroundings import Surroundings
from kgqa.types import Question

DATA = Path(os.environ.get("KGQA_DATA", "../shared/data")) / "metaqa"
KB = Path("kb") / "metaqa"
RESULTS = Path("runs") / "metaqa_splits.jsonl"
HOPS = (1, 2, 3)
RELATION_OF = {
    "director": "directed by", "writer": "written by", "actor": "starred actors", "year": "release year",
    "language": "in language", "tags": "has tags", "tag": "has tags", "genre": "has genre",
    "imdbrating": "has imdb rating", "imdbvotes": "has imdb votes",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and what the data set says of it."""

    question: Question
    hops: int
    kind: str
    """Such as movie_to_director_to_movie."""

    @property
    def template(self) -> str:
        """Its words without the topic."""
        return re.sub(r"\s+", " ", " ".join(self.question.text.split(self.question.topics[0].text)))

    @property
    def relations(self) -> set[str]:
        """The texts of the relations that its path takes."""
        return {RELATION_OF[end] for end in self.kind.split("_to_") if end != "movie"}


@dataclass(frozen=True, slots=True)
class Bench:
    """The graph and the questions of all rows; their topics are linked where they are used."""

    table: TripleTable
    linker: EntityLinker
    train: list[Asked]
    dev: list[Asked]


def open_bench(limit: int) -> Bench:
    """All training questions, and `limit` dev questions of each number of hops."""
    with KnowledgeBase.open(KB) as kb:
        linker, table = open_linker(kb), kb.triples()
    draw, parts = random.Random(0), []
    for part in ("train", "dev"):
        asked: list[Asked] = []
        for hops in HOPS:
            questions = list(read_questions(DATA / f"qa_{part}_{hops}hop.txt.gz", format="metaqa"))
            with gzip.open(DATA / f"qtype_{part}_{hops}hop.txt.gz", "rt", encoding="utf-8") as lines:
                kinds = [line.strip() for line in lines]
            count = len(questions) if part == "train" else min(limit, len(questions))
            chosen = range(count) if part == "train" else sorted(draw.sample(range(len(questions)), count))
            asked += [Asked(questions[number], hops, kinds[number]) for number in chosen]
        parts.append(asked)
    return Bench(table, linker, *parts)


Row = tuple[str, Callable[[], dict[str, list[float]]]]
"""A name that says all, and what measures it."""


def few(bench: Bench, draws: int, overrides: Sequence[str]) -> Iterator[Row]:
    """k questions of each of the 49 path types, drawn anew each time."""
    for seed in range(draws):
        for k in (1, 4, 16):
            asked = [one for kind in _by(bench.train, "kind") for one in random.Random(seed).sample(kind, k)]
            yield f"few k={k} seed={seed}", partial(_measured, bench, asked, bench.dev, seed, overrides)


def templates(bench: Bench, draws: int, overrides: Sequence[str]) -> Iterator[Row]:
    """A third of each path type's wordings is never trained on, and is what is asked."""
    for seed in range(draws):
        asked, unseen = _wordings_held_out(bench, seed)
        yield f"templates seed={seed}", partial(_measured, bench, asked, unseen, seed, overrides)


def _wordings_held_out(bench: Bench, seed: int) -> tuple[list[Asked], list[Asked]]:
    draw, held = random.Random(seed), set()
    for kind in _by([*bench.train, *bench.dev], "kind"):
        wordings = sorted({one.template for one in kind})
        held.update(draw.sample(wordings, max(1, len(wordings) // 3)))
    asked = [one for one in bench.train if one.template not in held]
    return asked, [one for one in bench.dev if one.template in held]


def parts(bench: Bench, draws: int, overrides: Sequence[str]) -> Iterator[Row]:
    """Wordings held out as in `templates`, and one part of the reasoner left out at a time."""
    nameless = replace(bench.table, relation_texts=[f"r{number}" for number in range(len(bench.table.relation_texts))])
    for seed in range(draws):
        asked, unseen = _wordings_held_out(bench, seed)
        for label, part, keys in (
            ("whole", bench, []),
            ("without memory", bench, ["reasoner.use_memory=false"]),
            ("without exclusion", bench, ["reasoner.use_exclusion=false"]),
            ("without the relations' texts", replace(bench, table=nameless), []),
        ):
            chosen = [*keys, *overrides]
            yield f"parts {label} seed={seed}", partial(_measured, part, asked, unseen, seed, chosen)


def relations(bench: Bench, draws: int, overrides: Sequence[str]) -> Iterator[Row]:
    """Every question that takes a relation is left out of training, and is what is asked; one row a relation."""
    for relation in sorted(set(RELATION_OF.values())):
        asked = [one for one in bench.train if relation not in one.relations]
        unseen = [one for one in bench.dev if relation in one.relations]
        if unseen:
            yield f"relations {relation}", partial(_measured, bench, asked, unseen, 0, overrides)


def entities(bench: Bench, draws: int, overrides: Sequence[str]) -> Iterator[Row]:
    """A fifth of the films is not in the graph while training: a training question has the answers that its path leads
    to in the graph of that time, and is left out where there are none. Then come the films, and what is asked are
    questions whose answers they change, and as many of each path type whose answers they leave alone.
    """
    for seed in range(draws):
        films = np.unique(bench.table.heads)
        new = set(np.random.default_rng(seed).choice(films, len(films) // 5, replace=False).tolist())
        before = replace(bench, table=_without(bench.table, new))
        then, now = Paths(before.table), Paths(bench.table)
        asked = [replace(one, question=replace(one.question, answers=answers))
                 for one in _some(bench.train, seed) if (answers := then.answers(one))]  # fmt: skip
        sides: tuple[list[Asked], list[Asked]] = ([], [])
        for one in bench.dev:
            sides[then.answers(one) == now.answers(one)].append(one)
        groups = _alike(*sides, seed)
        for label, questions in zip(("changed by new films", "not changed"), groups, strict=True):
            yield f"entities seed={seed} {label}", partial(_later, before, bench, asked, questions, seed, overrides)


class Paths:
    """Where the path of a question's type leads in a graph."""

    def __init__(self, table: TripleTable) -> None:
        self.names = Vocabulary(table)
        self.next: dict[tuple[str, int], set[int]] = defaultdict(set)
        texts = [table.relation_texts[relation] for relation in table.relations.tolist()]
        for head, relation, tail in zip(table.heads.tolist(), texts, table.tails.tolist(), strict=True):
            self.next[relation, head].add(tail)
            self.next["inverse " + relation, tail].add(head)

    def answers(self, one: Asked) -> tuple[str, ...]:
        """Those of the gold answers that the path leads to; it does not come back to its topic."""
        topics = set(self.names.entities(one.question.topics[0].text))
        here = topics
        for start, end in pairwise(one.kind.split("_to_")):
            step = RELATION_OF[end] if start == "movie" else "inverse " + RELATION_OF[start]
            here = set().union(*(self.next.get((step, node), ()) for node in here)) - topics
        return tuple(name for name in one.question.answers or () if not here.isdisjoint(self.names.entities(name)))


def _alike(some: Sequence[Asked], others: Sequence[Asked], seed: int) -> tuple[list[Asked], list[Asked]]:
    """As many of each path type from both, as there are in the one that has fewer."""
    draw = random.Random(seed)
    chosen: tuple[list[Asked], list[Asked]] = ([], [])
    for kind in sorted({one.kind for one in some}):
        groups = [[one for one in asked if one.kind == kind] for asked in (some, others)]
        for drawn, group in zip(chosen, groups, strict=True):
            drawn += draw.sample(group, min(map(len, groups)))
    return chosen


def half(bench: Bench, draws: int, overrides: Sequence[str]) -> Iterator[Row]:
    """Half of the graph's triples, in training as in answering; the gold answers are the whole graph's. Then what rules
    learned from that half suggest: where nothing stated answers, and mixed in before training."""
    for seed in range(draws):
        part = replace(bench, table=half_of(bench.table, seed))
        for guesses in (False, True):
            name = f"half{' suggested' if guesses else ''} seed={seed}"
            yield name, partial(_of_half, part, seed, overrides, guesses=guesses)
        yield f"half completed seed={seed}", partial(_completed, part, bench.train, bench.dev, seed, overrides)


def _of_half(part: Bench, seed: int, overrides: Sequence[str], *, guesses: bool) -> dict[str, list[float]]:
    predictor = _trained_once(part, seed, tuple(overrides), lambda: _some(part.train, seed))
    return scores(part, predictor, part.dev, Guesser(predictor, part.table, seed=seed) if guesses else None)


_LEAST = 0.1
"""Confidence of suggested facts: a doubtful answer is better than none where the best one counts."""


def _completed(
    bench: Bench, asked: Sequence[Asked], unseen: Sequence[Asked], seed: int, overrides: Sequence[str]
) -> dict[str, list[float]]:
    graph = Surroundings(bench.table, seed=seed)
    found = list(suggest(RuleBook(learn_rules(graph), graph, most=20), least=_LEAST))
    table = replace(
        bench.table,
        heads=np.append(bench.table.heads, [one.head for one in found]),
        relations=np.append(bench.table.relations, [one.relation for one in found]),
        tails=np.append(bench.table.tails, [one.tail for one in found]),
    )
    print(f"{len(found):,} facts suggested", flush=True)
    return _measured(replace(bench, table=table), asked, unseen, seed, overrides)


ROWS = {"few": few, "templates": templates, "parts": parts, "relations": relations, "entities": entities, "half": half}


def _by(asked: Sequence[Asked], field: str) -> list[list[Asked]]:
    groups: dict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        groups[getattr(one, field)].append(one)
    return [groups[name] for name in sorted(groups)]


def _without(table: TripleTable, films: set[int]) -> TripleTable:
    """The graph without the facts of some films."""
    return _only(table, np.flatnonzero(~np.isin(table.heads, sorted(films))))


def half_of(table: TripleTable, seed: int) -> TripleTable:
    """Half of a graph's triples."""
    count = len(table.heads)
    return _only(table, np.sort(np.random.default_rng(seed).choice(count, count // 2, replace=False)))


def _only(table: TripleTable, kept: NDArray[np.int64]) -> TripleTable:
    """Some facts of a graph, by their places; entities keep their numbers."""
    return replace(table, heads=table.heads[kept], relations=table.relations[kept], tails=table.tails[kept])


_MOST_TRAINED = 20_000
"""Training questions of a row, drawn at random where there are more: an epoch takes some thousand."""


def _measured(
    bench: Bench, asked: Sequence[Asked], unseen: Sequence[Asked], seed: int, overrides: Sequence[str]
) -> dict[str, list[float]]:
    return scores(bench, _trained(bench, _some(asked, seed), seed, overrides), unseen)


def _trained(bench: Bench, asked: Sequence[Asked], seed: int, overrides: Sequence[str]) -> Predictor:
    return trained(bench.table, bench.linker, [one.question for one in asked], seed=seed, overrides=overrides)


def scores(
    bench: Bench, predictor: Predictor, asked: Sequence[Asked], guesser: Guesser | None = None
) -> dict[str, list[float]]:
    """hits@1, set F1 and exact sets in percent, by hops."""
    by_hops = {hops: [one.question for one in asked if one.hops == hops] for hops in HOPS}
    return {str(hops): set_scores(predictor, bench.linker, some, guesser) for hops, some in by_hops.items() if some}


def _later(
    before: Bench, after: Bench, asked: Sequence[Asked], questions: Sequence[Asked], seed: int, overrides: Sequence[str]
) -> dict[str, list[float]]:
    """With how many were asked behind the scores."""
    predictor = _trained_once(before, seed, tuple(overrides), lambda: list(asked))
    found = scores(after, predictor.over(after.table), questions)
    return {hops: [*cells, sum(str(one.hops) == hops for one in questions)] for hops, cells in found.items()}


_KEPT: dict[int, Predictor] = {}


def _trained_once(bench: Bench, seed: int, overrides: Sequence[str], asked: Callable[[], list[Asked]]) -> Predictor:
    """Rows that ask the same reasoner share it."""
    if seed not in _KEPT:
        _KEPT.clear()
        _KEPT[seed] = _trained(bench, asked(), seed, overrides)
    return _KEPT[seed]


def _some(asked: Sequence[Asked], seed: int) -> list[Asked]:
    return random.Random(seed).sample(list(asked), min(len(asked), _MOST_TRAINED))


def main() -> None:
    """Measure the rows of one split that are not measured yet, then print all that are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("split", choices=sorted(ROWS))
    parser.add_argument("overrides", nargs="*", help="key=value of train")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--limit", type=int, default=2000, help="dev questions of each number of hops")
    options = parser.parse_args()
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    measured = _measured_before()
    for name, measure in ROWS[options.split](open_bench(options.limit), options.draws, options.overrides):
        name = " ".join([name, *options.overrides])
        if name not in measured:
            started = time.monotonic()
            measured[name] = measure()
            line = json.dumps({"row": name, "seconds": round(time.monotonic() - started), "scores": measured[name]})
            with RESULTS.open("a", encoding="utf-8") as file:
                print(line, file=file)
            print(line, flush=True)
    table = Table("row", *(f"{hops}-hop {name}" for hops in HOPS for name in ("hits@1", "F1", "exact")))
    kinds: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    counted: dict[str, list[list[list[float]]]] = defaultdict(list)
    for name, found in measured.items():
        if name.startswith(options.split):
            cells = np.array([found.get(str(hops), [np.nan] * 3)[:3] for hops in HOPS]).ravel()
            kinds[_kind(name)].append(cells)
            counted[_kind(name)].append([row for row in found.values() if len(row) > 3])
            table.add_row(name, *(f"{value:.1f}" for value in cells))
    for kind, rows in kinds.items():
        cells = zip(np.nanmean(rows, axis=0), np.nanstd(rows, axis=0), strict=True)
        sure = " ".join(map(_interval, zip(*counted[kind], strict=True)))
        table.add_row(f"mean of {len(rows)}: {kind} {sure}", *(f"{mean:.1f} ± {spread:.1f}" for mean, spread in cells))
    Console(width=180).print(table)


def _interval(draws: Iterable[Sequence[float]]) -> str:
    """hits@1 of all questions of several draws together, and the half of its 95 % interval (Agresti & Coull 1998)."""
    scores = np.array(list(draws))
    count = scores[:, 3].sum()
    share = (scores[:, 0] @ scores[:, 3] / 100 + 2) / (count + 4)
    half = 196 * np.sqrt(share * (1 - share) / (count + 4))
    return f"{scores[:, 0] @ scores[:, 3] / count:.1f} ± {half:.1f} of {count:,.0f}"


def _kind(name: str) -> str:
    """A row's name without what is averaged over: its seed, or the relation that is held out."""
    without = re.sub(r" seed=\d+", "", name)
    return re.sub(r"^relations .*?(?= \S+=|$)", "relations", without)


def _measured_before() -> dict[str, dict[str, list[float]]]:
    if not RESULTS.exists():
        return {}
    lines = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    return {line["row"]: line["scores"] for line in lines}


if __name__ == "__main__":
    main()
