"""KnowledgeNet from raw passages to facts, scored on the fold that trained nothing, and the calibration of its facts.

    python -m benchmarks.knowledgenet [--data FILE] [--fold 3] [--scorer FILE] [--properties] [--speed]

Text F1: a fact is found when both its mentions are overlapped; exact F1 asks for equal spans. Every mention is its own
fact there, so what is scored are the extractor's statements; with coreference each holds for the other mentions in its
passage that stand for the same entity. The row "facts" scores only what reaches the graph, where a pronoun that stands
for nobody named in the text states nothing.
"""

import argparse
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from kgqa.text import nlp
from kgqa.text.classified import by_property
from kgqa.text.extract import SOURCES, Extractor
from kgqa.text.extraction import Extraction
from kgqa.text.patterns import load_patterns
from kgqa.text.relation_corpus import KNOWLEDGENET, TURNED
from kgqa.types import Document, Span

DATA = Path(os.environ.get("KGQA_DATA", "../shared/data"))
BINS = 10
ROWS = (
    ("patterns, classifier, coreference", "", "coreferent"),
    ("without coreference", "", "stated"),
    ("without classifier", "pattern", "coreferent"),
    ("without patterns", "classifier", "coreferent"),
    ("without patterns and coreference", "classifier", "stated"),
    ("facts of the graph", "", "facts"),
)
"""What each row counts: what it was read by (all, where empty), and how far it is resolved."""
Prediction = dict[str, Any]


def main() -> None:
    options = _options()
    console = Console()
    rows = [row for row in _read(options.data) if not options.fold or row["fold"] == options.fold]
    documents = list(documents_of(rows))
    table = Table(title=f"{options.data.name}, fold {options.fold or 'any'}: {len(documents)} documents")
    for column in ("what", "precision", "recall", "F1", "exact F1"):
        table.add_column(column, justify="left" if column == "what" else "right")
    found = list(Extractor(pipeline=options.pipeline, sources=SOURCES[:2]).extract(documents))
    with tempfile.TemporaryDirectory() as folder:
        gold, given = Path(folder) / "gold.jsonl", Path(folder) / "predictions.jsonl"
        _write(gold, rows)
        for name, source, level in ROWS:
            _write(given, [one for extraction in found for one in predictions_of(extraction, source, level)])
            report = _score(options.scorer, gold, given)
            table.add_row(name, *(f"{report[key]:.3f}" for key in ("P", "R", "F1", "exact_F1")))
            if options.properties:
                console.print(name, report["table"], sep="\n", markup=False)
    console.print(table)
    stated = [one for extraction in found for one in predictions_of(extraction, "classifier", "stated")]
    error, count = calibration_error(stated, rows)
    console.print(f"classifier's confidence: ECE {error:.3f} over {count} statements that the file judges")
    if options.speed:
        console.print(_speed(documents, options.pipeline))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA / "knowledgenet" / "folds123.jsonl.gz")
    parser.add_argument("--fold", default="3", help='"": every row of the file')
    parser.add_argument("--scorer", type=Path, default=DATA.parent / "tools" / "score_knowledgenet.py")
    parser.add_argument("--pipeline", default=nlp.DEFAULT_PIPELINE)
    parser.add_argument("--properties", action="store_true", help="the scorer's whole table of every row")
    parser.add_argument("--speed", action="store_true")
    return parser.parse_args()


def _read(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def _write(path: Path, rows: Iterable[object]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def documents_of(rows: Iterable[dict[str, Any]]) -> Iterator[Document]:
    """One document for each of the file's, its passages where they stand there, and blanks for the rest."""
    passages: dict[str, dict[int, str]] = {}
    for row in rows:
        passages.setdefault(str(row["doc"]), {})[int(row["passage"][0])] = row["text"]
    for doc_id, found in passages.items():
        text = ""
        for start, passage in sorted(found.items()):
            missing = start - len(text)
            text += ("\n\n" + " " * missing)[:missing] if missing > 1 else " " * missing
            text += passage
        yield Document(doc_id, text)


def predictions_of(extraction: Extraction, source: str, level: str) -> Iterator[Prediction]:
    """The scorer's rows for what an extraction holds of KnowledgeNet's properties, each once, the surest first."""
    names = _names()
    ends = _statements(extraction, source, level)
    best: dict[tuple[str, Span, Span], float] = {}
    for relation, head, tail, confidence in ends:
        for name, turned in names.get(relation, ()):
            key = (name, tail, head) if turned else (name, head, tail)
            best[key] = max(best.get(key, 0.0), confidence)
    text = extraction.document.text
    for (name, head, tail), confidence in sorted(best.items(), key=lambda item: -item[1]):
        yield {
            "doc_id": extraction.document.doc_id, "relation": name, "confidence": confidence,
            "head_text": text[slice(*head)], "head_span": head, "tail_text": text[slice(*tail)], "tail_span": tail,
        }  # fmt: skip


@lru_cache(maxsize=1)
def _names() -> dict[str, list[tuple[str, bool]]]:
    """Relation IRI -> KnowledgeNet's properties of that meaning, and whether their subject is its tail."""
    found: dict[str, list[tuple[str, bool]]] = {}
    relations = by_property(load_patterns())
    for name, property_id in KNOWLEDGENET.items():
        relation, turned = relations[property_id]
        found.setdefault(relation.iri, []).append((name, turned != (name in TURNED)))
    return found


def _statements(extraction: Extraction, source: str, level: str) -> Iterator[tuple[str, Span, Span, float]]:
    if level == "facts":
        for fact in extraction.facts:
            yield fact.relation, fact.provenance.head_span, fact.provenance.tail_span, fact.provenance.confidence
        return
    others = _coreferent(extraction) if level == "coreferent" else {}
    for one in (one for one in extraction.statements if one.extractor.startswith(source)):
        for head in others.get(one.head_span, [one.head_span]):
            for tail in others.get(one.tail_span, [one.tail_span]):
                if not (head[0] < tail[1] and tail[0] < head[1]):
                    yield one.relation, head, tail, one.confidence


def _coreferent(extraction: Extraction) -> dict[Span, list[Span]]:
    """For each span of a statement, itself and the mentions of its passage that stand for the same entity."""
    passage_of = [passage.span for passage in extraction.passages]
    found: dict[Span, list[Span]] = {}
    for span in {span for one in extraction.statements for span in (one.head_span, one.tail_span)}:
        met = [m for m in extraction.mentions if m.span[0] < span[1] and span[0] < m.span[1]]
        home = next((place for place in passage_of if place[0] <= span[0] < place[1]), span)
        terms = {mention.term for mention in met if not mention.term.startswith('"')}
        same = [
            m.span for m in extraction.mentions
            if m.term in terms and m not in met and home[0] <= m.span[0] < home[1]
        ]  # fmt: skip
        found[span] = [span, *same]
    return found


def _score(scorer: Path, gold: Path, predictions: Path) -> dict[str, Any]:
    run = subprocess.run([sys.executable, scorer, gold, predictions], capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(run.stderr or run.stdout)
    *table, last = run.stdout.strip().splitlines()
    return {key: float(value) for key, value in re.findall(r"(\w+)=([\d.]+)", last)} | {"table": "\n".join(table)}


def calibration_error(predictions: Sequence[Prediction], rows: Sequence[dict[str, Any]]) -> tuple[float, int]:
    """Expected calibration error over equal bins of confidence, of the statements that the rows judge; and how many."""
    facts, read = set(), set()
    for row in rows:
        span = tuple(map(int, row["passage"]))
        read.add((str(row["doc"]), row["prop"], span))
        if row["subj_off"][0] != "-":
            facts.add((str(row["doc"]), row["prop"], *(tuple(map(int, row[key])) for key in ("subj_off", "obj_off"))))
    by_document: dict[tuple[str, str], list[Any]] = {}
    for doc, name, *spans in facts:
        by_document.setdefault((doc, name), []).append(spans)
    passages: dict[tuple[str, str], list[Any]] = {}
    for doc, name, span in read:
        passages.setdefault((doc, name), []).append(span)
    sure, right = [], []
    for one in predictions:
        key, ends = (one["doc_id"], one["relation"]), (one["head_span"], one["tail_span"])
        if any(all(p[0] <= end[0] < p[1] for end in ends) for p in passages.get(key, ())):
            gold = by_document.get(key, ())
            hit = any(all(g[0] < e[1] and e[0] < g[1] for g, e in zip(pair, ends, strict=True)) for pair in gold)
            sure.append(one["confidence"])
            right.append(hit)
    if not sure:
        return 0.0, 0
    bins = np.minimum((np.array(sure) * BINS).astype(int), BINS - 1)
    gaps = [abs(np.sum(np.array(sure)[bins == b]) - np.sum(np.array(right)[bins == b])) for b in range(BINS)]
    return float(sum(gaps)) / len(sure), len(sure)


def _speed(documents: Sequence[Document], pipeline: str) -> Table:
    """Words a second of the process's own time, the better of two rounds each: so neighbours count less."""
    bare = nlp.load_pipeline(pipeline)
    words = sum(len(bare.make_doc(document.text)) for document in documents)
    table = Table(title=f"speed over {words} words, one process, CPU time")
    for column in ("what", "words/s", "statements/s"):
        table.add_column(column, justify="left" if column == "what" else "right")
    extractors = {
        "patterns and classifier": Extractor(pipeline=pipeline, sources=SOURCES[:2]),
        "patterns": Extractor(pipeline=pipeline, sources=["patterns"]),
    }
    best: dict[str, tuple[float, int]] = {}
    for _ in range(2):
        start = time.process_time()
        for _ in bare.pipe(document.text for document in documents):
            pass
        _note(best, "bare pipeline", time.process_time() - start, 0)
        for name, extractor in extractors.items():
            start = time.process_time()
            count = sum(len(extraction.statements) for extraction in extractor.extract(documents))
            _note(best, name, time.process_time() - start, count)
    for name, (seconds, count) in best.items():
        table.add_row(name, f"{words / seconds:.0f}", f"{count / seconds:.0f}")
    return table


def _note(best: dict[str, tuple[float, int]], name: str, seconds: float, count: int) -> None:
    best[name] = min(best.get(name, (seconds, count)), (seconds, count))


if __name__ == "__main__":
    main()
