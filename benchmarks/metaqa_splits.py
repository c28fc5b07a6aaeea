"""MetaQA's hard splits: few questions, wordings, relations or films never trained on, half of the graph.

    python -m benchmarks.metaqa_splits few|templates|relations|entities|half [key=value of train ...] [--draws 3]

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
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from kgqa import KnowledgeBase
from kgqa.answer.linking import EntityLinker, open_linker
from kgqa.answer.questions import read_questions
from kgqa.config import compose_config
from kgqa.graph.subgraph import TripleTable
from kgqa.reason.checkpoint import EncoderSettings, ReasonerSettings, load
from kgqa.reason.examples import Example, Vocabulary, example
from kgqa.reason.predict import Predictor
from kgqa.reason.training import TrainingOptions, fit
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
            chosen = range(len(questions)) if part == "train" else sorted(draw.sample(range(len(questions)), limit))
            asked += [Asked(questions[number], hops, kinds[number]) for number in chosen]
        parts.append(asked)
    return Bench(table, linker, *parts)


def trained(bench: Bench, asked: Sequence[Asked], seed: int, overrides: Sequence[str]) -> Predictor:
    """A reasoner trained on nothing but these questions and what the graph can make of itself and of them."""
    cfg = compose_config(["encoder=minilm", *overrides])
    encoder = EncoderSettings(cfg.encoder.kind, cfg.encoder.model, cfg.encoder.width, cfg.encoder.num_buckets,
                              cfg.encoder.tuned_layers)  # fmt: skip
    options = OmegaConf.to_container(cfg.trainer, resolve=True)
    del options["resume"], options["dev_questions"]
    vocabulary = Vocabulary(bench.table)
    linked = bench.linker.link([one.question for one in asked])
    examples = [example(question, vocabulary) for question in linked]
    random.Random(seed).shuffle(examples)
    num_dev = min(500, len(examples) // 20)
    dev = examples[:num_dev] or examples
    with TemporaryDirectory() as folder:
        fit(
            ReasonerSettings(encoder, OmegaConf.to_container(cfg.reasoner, resolve=True)), bench.table, examples[num_dev:], dev,
            TrainingOptions(**options), folder=Path(folder), seed=seed,
        )  # fmt: skip
        return Predictor(*load(Path(folder) / "checkpoints" / "best"), bench.table, max_paths=0)


def scores(bench: Bench, predictor: Predictor, asked: Sequence[Asked]) -> dict[int, tuple[float, float, float]]:
    """hits@1, set F1 and exact sets in percent, by hops; what is found counts however doubtful it is."""
    rows: dict[int, list[tuple[float, float, float]]] = defaultdict(list)
    linked = bench.linker.link([one.question for one in asked])
    for one, found in zip(asked, predictor.predict(linked), strict=True):
        gold = {index for name in one.question.answers or () for index in predictor.vocabulary.entities(name)}
        answers = set(found.entity_index)
        f1 = 2 * len(gold & answers) / max(len(gold) + len(answers), 1)
        rows[one.hops].append((bool(found.entity_index[:1]) and found.entity_index[0] in gold, f1, answers == gold))
    return {hops: tuple(100 * np.mean(each, axis=0)) for hops, each in sorted(rows.items())}


