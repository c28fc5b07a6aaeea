"""Facts read from data/sample's documents against its gold facts, and the speed of reading beside the bare pipeline.

    python -m benchmarks.extraction [--split dev|heldout] [--relations] [--errors] [--pipeline NAME] [--speed]
        [--sources patterns classifier] [--given] [--names FILE]

With --given the extractor is told the names and kinds of data/sample/entities.tsv; with --names those of a file, such
as MetaQA's 43,234 (kb.txt, unpacked), whose cost --speed shows beside reading without them.

A fact is right when its document states the same triple, names taken for the entities they are aliases of; symmetric
relations count in either direction. Patterns were improved on the dev documents only; look at no error of heldout.
"""

import argparse
import csv
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kgqa.ids import name_of
from kgqa.text import nlp, reader
from kgqa.text.extract import SOURCES, Extractor
from kgqa.text.patterns import load_patterns

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
Key = tuple[str, str, str, str]


def main() -> None:
    options = _options()
    names_file = _given(SAMPLE / "entities.tsv") if options.given else options.names
    extractor = Extractor(pipeline=options.pipeline, sources=options.sources, names=names_file)
    documents = list(reader.read_documents(SAMPLE / "documents"))
    splits = _splits(SAMPLE / "facts.jsonl")
    names = _names(SAMPLE / "entities.tsv")
    symmetric = {relation.name for relation in load_patterns() if relation.symmetric}
    sentences: dict[Key, str] = {}
    predicted = set()
    for extraction in extractor.extract(documents):
        for fact in extraction.facts:
            key = _key(fact.provenance.doc_id, fact.head_text, name_of(fact.relation), fact.tail_text, names, symmetric)
            sentences.setdefault(key, f"{fact.provenance.extractor}: {fact.provenance.sentence}")
            predicted.add(key)
    gold = dict(_gold(SAMPLE / "facts.jsonl", names, symmetric))
    console = Console()
    for split in [options.split] if options.split else ["dev", "heldout"]:
        found = {key for key in predicted if splits.get(key[0]) == split}
        wanted = {key for key in gold if splits.get(key[0]) == split}
        console.print(_table(split, found, wanted, by_relation=options.relations))
        if options.errors:
            _show_errors(console, found, wanted, sentences, gold)
    if options.speed:
        extractors = {"whole extraction": Extractor(pipeline=options.pipeline, sources=options.sources)}
        if names_file:
            extractors["with given names"] = extractor
        console.print(_speed(extractors, documents, options.pipeline))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", choices=["dev", "heldout"])
    parser.add_argument("--relations", action="store_true", help="one row a relation")
    parser.add_argument("--errors", action="store_true", help="list what is missed and what is wrong")
    parser.add_argument("--pipeline", default=nlp.DEFAULT_PIPELINE)
    parser.add_argument("--sources", nargs="+", default=["patterns"], choices=SOURCES)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--given", action="store_true")
    parser.add_argument("--names", type=Path)
    return parser.parse_args()


def _splits(path: Path) -> dict[str, str]:
    with path.open(encoding="utf-8") as lines:
        return {fact["doc_id"]: fact["split"] for fact in map(json.loads, lines)}


def _names(path: Path) -> dict[str, str]:
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return {name.lower(): row["entity"] for row in rows for name in (*(row["aliases"] or "").split("|"), row["entity"])}


def _given(path: Path) -> Path:
    """The sample's entities as a file of given names."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    labels = {"person": "PERSON", "organisation": "ORG", "place": "LOC", "work": "WORK", "award": "AWARD"}
    written = [
        (name, labels.get(row["type"], ""), row["entity"])
        for row in rows
        for name in (row["entity"], *filter(None, (row["aliases"] or "").split("|")))
    ]
    file = Path(tempfile.mkdtemp()) / "names.tsv"
    file.write_text("".join("\t".join(line) + "\n" for line in written), encoding="utf-8")
    return file


def _key(doc_id: str, head: str, relation: str, tail: str, names: dict[str, str], symmetric: set[str]) -> Key:
    ends = [names.get(text.lower(), text) for text in (head, tail)]
    if relation in symmetric:
        ends.sort()
    return doc_id, ends[0], relation, ends[1]


def _gold(path: Path, names: dict[str, str], symmetric: set[str]) -> Iterator[tuple[Key, str]]:
    with path.open(encoding="utf-8") as lines:
        for fact in map(json.loads, lines):
            relation = name_of(fact["relation"])
            key = _key(fact["doc_id"], fact["head_text"], relation, fact["tail_text"], names, symmetric)
            yield key, fact["sentence"]


def _table(split: str, found: set[Key], wanted: set[Key], *, by_relation: bool) -> Table:
    table = Table(title=f"data/sample, {split} documents")
    for column in ("relation", "gold", "found", "right", "precision", "recall", "F1"):
        table.add_column(column, justify="left" if column == "relation" else "right")
    rows: list[tuple[str, set[Key], set[Key]]] = []
    if by_relation:
        for relation in sorted({key[2] for key in wanted | found}):
            rows.append((relation, *({key for key in keys if key[2] == relation} for keys in (found, wanted))))
    for name, some_found, some_wanted in [*rows, ("all", found, wanted)]:
        right = len(some_found & some_wanted)
        precision, recall = right / max(1, len(some_found)), right / max(1, len(some_wanted))
        f1 = 2 * precision * recall / max(1e-9, precision + recall)
        counts = (str(len(some_wanted)), str(len(some_found)), str(right))
        table.add_row(name, *counts, f"{precision:.3f}", f"{recall:.3f}", f"{f1:.3f}")
    return table


def _show_errors(
    console: Console, found: set[Key], wanted: set[Key], sentences: dict[Key, str], gold: dict[Key, str]
) -> None:
    for key in sorted(wanted - found, key=lambda key: key[2]):
        console.print("missed", *key, "|", gold[key], markup=False, highlight=False, soft_wrap=True)
    for key in sorted(found - wanted, key=lambda key: key[2]):
        console.print("wrong ", *key, "|", sentences[key], markup=False, highlight=False, soft_wrap=True)


def _speed(extractors: dict[str, Extractor], documents: Iterable[reader.Document], pipeline: str) -> Table:
    """Words per second of processor time, the best of three rounds each, one process, the same texts."""
    documents = [document for document in documents for _ in range(3)]
    bare = nlp.load_pipeline(pipeline)
    words = sum(len(bare.make_doc(document.text)) for document in documents)
    facts = Counter[str]()

    def run_bare() -> None:
        for _ in bare.pipe(document.text for document in documents):
            pass

    def run_all(name: str) -> None:
        facts[name] = sum(len(extraction.facts) for extraction in extractors[name].extract(documents))

    table = Table(title=f"speed over {words} words")
    for column in ("what", "words/s", "facts/s"):
        table.add_column(column)
    runs = {"bare pipeline": run_bare} | {name: partial(run_all, name) for name in extractors}
    for name, run in runs.items():
        seconds = min(_timed(run) for _ in range(3))
        table.add_row(name, f"{words / seconds:.0f}", f"{facts[name] / seconds:.0f}")
    return table


def _timed(run: object) -> float:
    start = time.process_time()
    run()  # type: ignore[operator]
    return time.process_time() - start


if __name__ == "__main__":
    main()
