"""Embedders side by side: names with typos, other names, and the facts that answer a question, all in one run.

    python -m benchmarks.embedders --data ../shared/data
    python -m benchmarks.embedders --data ../shared/data --linking

MetaQA: a name is written with one slip, or two, and looked for among all 43,234; 2,000 of the names occur in no lesson.
A 1-hop dev question looks for a fact between its topic and an answer among all 133,582, composed as their memory
composes them. Re-DocRED: an entity's other mentions in documents that no lesson is from look for its longest one among
the 5,931 of all documents. The slips that are tried are drawn by other code than those that are learned from.

With --linking: what the linker takes for another name, by the least cosine and by spelling, of unseen names with two
slips looked for among all, and of unseen names as they are, looked for where they are not.
"""

import argparse
import gzip
import json
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.linking import names as metaqa_names
from benchmarks.linking import with_typo
from kgqa.answer.nearest import NUM_LOOKED_AT, likeness
from kgqa.answer.questions import read_questions
from kgqa.config import compose_config
from kgqa.expand.vectors import embed_texts
from kgqa.memory.contrastive import ContrastiveOptions, fit
from kgqa.memory.embedder import Embedder, default_embedder_kind, load_embedder
from kgqa.memory.index import flat_search
from kgqa.memory.lessons import Lessons
from kgqa.memory.text_encoder import TextEncoder, TransformerEmbedder, save_encoder

NUM_HELD_OUT, NUM_TRIED, NUM_ASKED, NUM_LEARNED = 2000, 2000, 1000, 10_000
COLUMNS = (
    "embedder", "width", "texts/s", "1 slip", "1 slip, unseen", "2 slips, unseen", "question -> fact @1", "@10",
    "other name @1", "@10", "trained, s",
)  # fmt: skip


class Movies(NamedTuple):
    """MetaQA: its graph, and the names that no lesson holds."""

    names: list[str]
    relations: list[str]
    facts: np.ndarray
    held_out: np.ndarray
    folder: Path


class Mentions(NamedTuple):
    """Re-DocRED: names of entities, their facts, and (other name, entity) pairs to learn from and to try."""

    names: list[str]
    relations: list[str]
    facts: np.ndarray
    learned: list[tuple[str, int]]
    tried: list[tuple[str, int]]


def movies(folder: Path) -> Movies:
    found = metaqa_names(folder)
    place = {name: row for row, name in enumerate(found)}
    with gzip.open(folder / "kb.txt.gz", "rt", encoding="utf-8", newline="\n") as file:
        rows = [line.rstrip("\n").split("|") for line in file]
    relations = sorted({relation for _, relation, _ in rows})
    facts = np.array([[place[head], relations.index(relation), place[tail]] for head, relation, tail in rows])
    held_out = np.random.default_rng(0).choice(len(found), NUM_HELD_OUT, replace=False)
    return Movies(found, [relation.replace("_", " ") for relation in relations], facts, held_out, folder)


def mentions(folder: Path) -> Mentions:
    """Of the documents of a file, three tenths are kept back."""
    with gzip.open(folder / "dev_revised.json.gz", "rt", encoding="utf-8") as file:
        documents = json.load(file)
    with gzip.open(folder / "pid2name.json.gz", "rt", encoding="utf-8") as file:
        texts = json.load(file)
    place: dict[str, int] = {}
    relations: dict[str, int] = {}
    facts: list[tuple[int, int, int]] = []
    pairs: tuple[set[tuple[str, int]], set[tuple[str, int]]] = set(), set()
    for number, document in enumerate(documents):
        rows = []
        for entity in document["vertexSet"]:
            written = sorted({mention["name"] for mention in entity}, key=lambda name: (-len(name), name))
            rows.append(place.setdefault(written[0], len(place)))
            if entity[0]["type"] not in ("TIME", "NUM"):
                pairs[number % 10 < 3].update((name, rows[-1]) for name in written[1:])
        for label in document["labels"]:
            relation = texts.get(label["r"], [label["r"]])[0]
            facts.append((rows[label["h"]], relations.setdefault(relation, len(relations)), rows[label["t"]]))
    return Mentions(list(place), list(relations), np.array(facts), sorted(pairs[0]), sorted(pairs[1] - pairs[0]))


def lessons_of(data: Movies, *, with_questions: bool) -> Lessons:
    """All but what names a held-out entity, in rows of its own."""
    kept = np.setdiff1d(np.arange(len(data.names)), data.held_out)
    row_of = np.full(len(data.names), -1)
    row_of[kept] = np.arange(len(kept))
    facts = data.facts.copy()
    facts[:, [0, 2]] = row_of[facts[:, [0, 2]]]
    facts = facts[(facts >= 0).all(1)]
    names = [data.names[row] for row in kept.tolist()]
    asked = answered(data.folder / "qa_train_1hop.txt.gz", names, facts, NUM_LEARNED) if with_questions else []
    return Lessons(names, data.relations, facts, questions=asked)


def answered(path: Path, names: Sequence[str], facts: np.ndarray, num: int) -> list[tuple[str, tuple[int, ...]]]:
    """(question, rows of the facts between its topic and its answers) of some of a file's questions."""
    place = {name: row for row, name in enumerate(names)}
    between: dict[tuple[int, int], list[int]] = {}
    for row, (head, _, tail) in enumerate(facts.tolist()):
        between.setdefault((head, tail), []).append(row)
        between.setdefault((tail, head), []).append(row)
    found = []
    for question in read_questions(path, format="metaqa"):
        topic = place.get(question.topics[0].text, -1)
        right = {row for answer in question.answers or () for row in between.get((topic, place.get(answer, -1)), ())}
        if right:
            found.append((question.text, tuple(sorted(right))))
    return random.Random(1).sample(found, min(num, len(found)))


def recall(vectors: np.ndarray, queries: np.ndarray, right: Sequence[set[int]], k: int) -> float:
    """The share of queries with one of the right rows among the k nearest, in percent."""
    _, rows = flat_search(vectors, queries, k)
    return 100 * float(np.mean([bool(set(row) & gold) for row, gold in zip(rows.tolist(), right, strict=True)]))


def typo_recall(embedder: Embedder, data: Movies, vectors: np.ndarray, tried: np.ndarray, num_slips: int) -> float:
    """recall@1 of names with slips; names that differ by case alone are one."""
    same: dict[str, set[int]] = {}
    for row, name in enumerate(data.names):
        same.setdefault(name.casefold(), set()).add(row)
    right = [same[data.names[row].casefold()] for row in tried.tolist()]
    return recall(vectors, embed_texts(embedder, with_slips(data, tried, num_slips)), right, 1)


def with_slips(data: Movies, tried: np.ndarray, num_slips: int) -> list[str]:
    rng = random.Random(0)
    written = [data.names[row] for row in tried.tolist()]
    for _ in range(num_slips):
        written = [with_typo(name, rng) for name in written]
    return written


def linked(name: str, embedder: Embedder, data: Movies) -> Iterator[list[str]]:
    """A row for each least cosine."""
    vectors = embed_texts(embedder, data.names)
    folded = np.array([text.casefold() for text in data.names])
    tried, others = data.held_out, np.flatnonzero(~np.isin(folded, folded[data.held_out]))
    written = with_slips(data, tried, 2)
    near = flat_search(vectors, embed_texts(embedder, written), NUM_LOOKED_AT)
    strange = flat_search(vectors[others], vectors[tried], NUM_LOOKED_AT)
    for least in (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 2.0):
        linked, best = most_alike(written, data.names, *near, least)
        is_right = folded[best] == folded[tried]
        there, _ = most_alike([data.names[row] for row in tried], [data.names[row] for row in others], *strange, least)
        shares = (linked & is_right).mean(), (linked & ~is_right).mean(), there.mean()
        yield [name, str(least) if least < 1 else "by spelling alone", *(f"{100 * share:.1f}" for share in shares)]


def most_alike(
    texts: Sequence[str], names: Sequence[str], cosines: np.ndarray, rows: np.ndarray, least: float
) -> tuple[np.ndarray, np.ndarray]:
    """For each text whether the linker believes a name, and the row of the one that it takes first."""
    alike = np.array([
        [likeness(text, names[row], cosine, least=least) for cosine, row in zip(*pair, strict=True)]
        for text, *pair in zip(texts, cosines.tolist(), rows.tolist(), strict=True)
    ])  # fmt: skip
    return alike.max(axis=1) > 0, rows[np.arange(len(rows)), alike.argmax(axis=1)]


def measure(embedder: Embedder, data: Movies, asked: Sequence[tuple[str, tuple[int, ...]]]) -> list[str]:
    """MetaQA's cells of a row."""
    start = time.process_time()
    vectors = embed_texts(embedder, data.names)
    rate = len(data.names) / (time.process_time() - start)
    relations = embed_texts(embedder, data.relations)
    facts = vectors[data.facts[:, 0]] + relations[data.facts[:, 1]] + vectors[data.facts[:, 2]]
    facts /= np.linalg.norm(facts, axis=1, keepdims=True)
    questions = embed_texts(embedder, [text for text, _ in asked])
    seen = np.setdiff1d(np.arange(len(data.names)), data.held_out)
    seen = np.random.default_rng(2).choice(seen, NUM_TRIED, replace=False)
    figures = [
        typo_recall(embedder, data, vectors, seen, 1),
        *(typo_recall(embedder, data, vectors, data.held_out, num_slips) for num_slips in (1, 2)),
        *(recall(facts, questions, [set(right) for _, right in asked], k) for k in (1, 10)),
    ]
    return [str(embedder.width), f"{rate:,.0f}", *(f"{figure:.1f}" for figure in figures)]


def measure_mentions(embedder: Embedder, data: Mentions) -> list[str]:
    """Re-DocRED's cells of a row."""
    vectors = embed_texts(embedder, data.names)
    queries = embed_texts(embedder, [name for name, _ in data.tried])
    return [f"{recall(vectors, queries, [{entity} for _, entity in data.tried], k):.1f}" for k in (1, 10)]


def trained(lessons: Lessons, folder: Path, steps: int | None, device: str) -> tuple[Embedder, float]:
    """Our encoder with the defaults of conf/train_embedder.yaml, and the seconds of processor time it took."""
    cfg = compose_config(["kb=none", "out=none"], config_name="train_embedder")
    options = dict(cfg.training) | ({"steps": steps} if steps else {})
    start = time.process_time()
    fit(lessons, dict(cfg.sizes), ContrastiveOptions(**options), folder=folder, seed=0, device=device)
    return TransformerEmbedder(folder, device=device), time.process_time() - start


def untrained(folder: Path, device: str) -> Embedder:
    save_encoder(TextEncoder(), folder, sizes={}, about={})
    return TransformerEmbedder(folder, device=device)


def print_linking(data: Movies, steps: int | None, device: str) -> None:
    table = Table("embedder", "least cosine", "2 slips: right", "wrong", "not there: linked", title="names, in %")
    with tempfile.TemporaryDirectory() as folder:
        embedders = {"hashing, 256": load_embedder("hashing")}
        embedders["transformer, names and facts"], _ = trained(
            lessons_of(data, with_questions=False), Path(folder), steps, device
        )
        if default_embedder_kind() == "minilm":
            embedders["minilm"] = load_embedder("minilm", device=device)
        for name, embedder in embedders.items():
            for cells in linked(name, embedder, data):
                table.add_row(*cells)
            Console(stderr=True, width=170).print(table)
    Console(width=170).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--steps", type=int, help="of training; left out: as conf/train_embedder.yaml says")
    parser.add_argument("--linking", action="store_true", help="the second table")
    parser.add_argument("--device", default="cpu", help="cpu or cuda, for all but hashing")
    args = parser.parse_args()
    films = movies(args.data / "metaqa")
    if args.linking:
        print_linking(films, args.steps, args.device)
        return
    written = mentions(args.data / "redocred")
    asked = answered(films.folder / "qa_dev_1hop.txt.gz", films.names, films.facts, NUM_ASKED)
    table = Table(*COLUMNS, title="recall in %; texts/s and seconds of processor time")

    def row(name: str, embedder: Embedder, other: Embedder, seconds: str = "") -> None:
        table.add_row(name, *measure(embedder, films, asked), *measure_mentions(other, written), seconds)
        Console(stderr=True, width=170).print(table)

    with tempfile.TemporaryDirectory() as folder:
        for width in (256, 1024):
            hashing = load_embedder("hashing", width=width)
            row(f"hashing, {width}", hashing, hashing)
        plain = untrained(Path(folder) / "untrained", args.device)
        row("transformer, not trained", plain, plain)
        aliases = Lessons(written.names, written.relations, written.facts, written.learned)
        other, _ = trained(aliases, Path(folder) / "mentions", args.steps, args.device)
        for name, with_questions in (("names and facts", False), ("and questions", True)):
            lessons = lessons_of(films, with_questions=with_questions)
            embedder, seconds = trained(lessons, Path(folder) / name, args.steps, args.device)
            row(f"transformer, {name}", embedder, other, f"{seconds:.0f}")
        if default_embedder_kind() == "minilm":
            minilm = load_embedder("minilm", device=args.device)
            row("minilm", minilm, minilm)
    Console(width=170).print(table)


if __name__ == "__main__":
    main()
