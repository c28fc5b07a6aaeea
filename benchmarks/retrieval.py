"""Passage recall of each search and of their fusion, on multi-hop questions over passages that kgqa reads itself.

    python -m benchmarks.retrieval --data ../shared/data/multihop_text

Each passage is a document: its title, then its text. Extraction, vectors (MiniLM) and retrieval are those of `kgqa
extract`, `index` and `retrieve`; nothing is trained. Recall@k is the share of a question's supporting passages among
the first k, averaged over the questions.
"""

import argparse
import gzip
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kgqa.answer.passages import fetch
from kgqa.answer.retrieval import Retriever, fuse
from kgqa.expand.apply import Settings, expand
from kgqa.expand.plan import Corpus
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory.embedder import load_embedder
from kgqa.text.canonical import resolve
from kgqa.text.extract import Extractor
from kgqa.types import Question

CUTS = (2, 5)
FUSIONS = {
    "BM25": ("words",), "MiniLM": ("vectors",), "walk": ("walk",), "walk, alpha 0.15": ("long walk",),
    "BM25 + MiniLM": ("words", "vectors"), "all three": ("words", "vectors", "walk"),
    "all three, alpha 0.15": ("words", "vectors", "long walk"),
}  # fmt: skip
Gold = list[tuple[str, set[str]]]
"""Questions with the titles and texts of their supporting passages, as ids of documents."""


def load(path: Path) -> list | dict:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return json.load(file)


def musique(data: Path) -> tuple[list[tuple[str, str]], Gold]:
    """(title, text) of each passage, and the questions."""
    passages = [(one["title"], one["text"]) for one in load(data / "musique_train_corpus.json.gz")]
    number = {passage: str(place) for place, passage in enumerate(passages)}
    questions = [
        (row["question"], {number[p["title"], p["paragraph_text"]] for p in row["paragraphs"] if p["is_supporting"]})
        for row in load(data / "musique_train.json.gz")
    ]
    return passages, questions


def hotpotqa(data: Path) -> tuple[list[tuple[str, str]], Gold]:
    """(title, text) of each passage, and the questions."""
    corpus = load(data / "hotpotqa_train_corpus.json.gz")
    number = {title: str(place) for place, title in enumerate(corpus)}
    questions = [
        (row["question"], {number[title] for title, _ in row["supporting_facts"]})
        for row in load(data / "hotpotqa_train.json.gz")
    ]
    return [(title, "".join(sentences).strip()) for title, sentences in corpus.items()], questions


def build(folder: Path, passages: list[tuple[str, str]]) -> Path:
    """The knowledge base of these passages; one that is there already is taken."""
    folder.mkdir(parents=True, exist_ok=True)
    documents = folder / "documents.jsonl"
    with documents.open("w", encoding="utf-8") as file:
        for place, (title, text) in enumerate(passages):
            file.write(json.dumps({"id": str(place), "title": title, "text": f"{title}\n{text}"}) + "\n")
    settings = Settings(extractor=Extractor(), resolve=resolve, embedder=load_embedder("minilm", device="cpu"))
    expand(folder / "kb", Corpus(documents), settings)
    return folder / "kb"


def rows(kb: Path, gold: Gold) -> Iterator[tuple[str, list[float]]]:
    """For each search and fusion its recall at the cuts, in percent."""
    with KnowledgeBase.open(kb) as base:
        retriever = Retriever(base, embedder=load_embedder(base.embedder_name, device="cpu"))
        questions = [Question(str(place), text) for place, (text, _) in enumerate(gold)]
        retriever.searches(questions[:1])  # loads
        start = time.process_time()
        found = retriever.searches(questions)
        print(f"{1000 * (time.process_time() - start) / len(gold):.0f} ms a question for all searches, one core")
        long = retriever.surroundings.walk(questions, alpha=0.15)
        found["long walk"] = [retriever.surroundings.passages(ranks, 100) for ranks in long]
        for name, searches in FUSIONS.items():
            ranked = [fuse(lists) for lists in zip(*(found[search] for search in searches), strict=True)]
            ids = [[p.doc_id for p in fetch(base.ledger, [key for key, _ in pairs[: max(CUTS)]])] for pairs in ranked]
            yield name, [100 * recall(ids, gold, cut) for cut in CUTS]


def recall(found: list[list[str]], gold: Gold, cut: int) -> float:
    shares = [len(wanted.intersection(ids[:cut])) / len(wanted) for ids, (_, wanted) in zip(found, gold, strict=True)]
    return sum(shares) / len(shares)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/multihop_text"))
    parser.add_argument("--work", type=Path, help="folder for the knowledge bases; one that holds them saves minutes")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for name, read in (("MuSiQue-train-100", musique), ("HotpotQA-train-100", hotpotqa)):
            passages, gold = read(args.data)
            table = Table("search", *(f"recall@{cut}" for cut in CUTS), title=f"{name}: {len(passages):,} passages")
            for search, recalls in rows(build((args.work or Path(temporary)) / name, passages), gold):
                table.add_row(search, *(f"{value:.1f}" for value in recalls))
            Console().print(table)


if __name__ == "__main__":
    main()
