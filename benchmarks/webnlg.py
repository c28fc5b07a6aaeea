"""WebNLG: text to triples through an ontology mapping, scored on the dev part, of which nothing was trained or chosen.

    python -m benchmarks.webnlg [--data FILE.tar.gz] [--part dev] [--every N] [--ontology FILE] [--least 0.7] [--errors]

The first good text of every entry is one document, and its facts are mapped to the properties of an ontology: that of
webnlg.ttl beside this file, written by hand with texts of the train part before the eyes. A triple is right when
subject, property and object all equal a given one's; case, accents, punctuation, articles and a bracketed end are
left aside, and numbers compared as numbers. Precision, recall and F1 are over all triples of all entries; the second
line of each row leaves the property aside.
"""

import argparse
import os
import re
import tarfile
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from rich.console import Console
from rich.table import Table

from kgqa.expand.batches import Extracted
from kgqa.expand.mapping import Ontology, OntologyExtractor
from kgqa.graph.ontology import read_properties
from kgqa.memory.embedder import load_embedder
from kgqa.text import nlp
from kgqa.text.extract import SOURCES, Extractor
from kgqa.text.extraction import Extraction
from kgqa.types import Document, Fact

DATA = Path(os.environ.get("KGQA_DATA", "../shared/data")) / "webnlg" / "webnlg_v3_en_train_dev.tar.gz"
NAMESPACE = "http://dbpedia.org/ontology/"
Given = tuple[str, str, str]
Found = tuple[int, str, str, str]
"""(entry, subject, property, object)"""


@dataclass(frozen=True)
class Entry:
    """A text and what it states."""

    text: str
    triples: tuple[Given, ...]


def entries(path: Path, part: str) -> Iterator[Entry]:
    """The entries of a part (`train`, `dev`) with their first good text, in the order of the archive's names."""
    with tarfile.open(path) as archive:
        names = sorted(name for name in archive.getnames() if name.startswith(f"{part}/") and name.endswith(".xml"))
        for name in names:
            file = archive.extractfile(name)
            assert file is not None
            for entry in ElementTree.parse(file).getroot().iter("entry"):
                texts = [lex.text or "" for lex in entry.iter("lex") if lex.get("comment") == "good"]
                rows = [row.text or "" for row in entry.iterfind("modifiedtripleset/mtriple")]
                if texts:
                    yield Entry(texts[0], tuple(tuple(row.split(" | ", 2)) for row in rows))  # type: ignore[misc]


ROWS = (("open",), ("patterns", "open"), ("patterns", "classifier"), SOURCES)


def main() -> None:
    options = _options()
    rows = list(entries(options.data, options.part))[:: options.every]
    gold = {(place, *plain(triple)) for place, entry in enumerate(rows) for triple in entry.triples}
    ontology = Ontology(read_properties(options.ontology), load_embedder(options.embedder), least=options.least)
    documents = [Document(str(place), entry.text) for place, entry in enumerate(rows)]
    read = list(Extractor(pipeline=options.pipeline, sources=SOURCES).extract(documents))
    console = Console()
    table = Table(title=f"{options.part}: {len(rows)} texts, {len(gold)} triples")
    for column in ("sources", "compared", "given", "right", "precision", "recall", "F1"):
        table.add_column(column, justify="left" if column in ("sources", "compared") else "right")
    for sources in ROWS:
        mapped = OntologyExtractor(_Again(read, sources), ontology, restrict=True)
        extractions = list(mapped.extract(documents))
        _add(table, ", ".join(sources), extractions, gold)
    console.print(table)
    if options.errors:
        for place, entry in enumerate(rows):
            _show(console, entry, {key[1:] for key in gold if key[0] == place}, extractions[place].facts)


class _Again:
    """What some sources read, of what all did."""

    identity = "read before"

    def __init__(self, read: Sequence[Extraction], sources: Sequence[str]) -> None:
        self._read, self._of = read, tuple(source.removesuffix("s") for source in sources)

    def extract(self, documents: Iterable[Document]) -> Iterator[Extraction]:
        for _, one in zip(documents, self._read, strict=True):
            facts = (fact for fact in one.facts if fact.provenance.extractor.startswith(self._of))
            yield replace(one, facts=tuple(facts))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--part", default="dev")
    parser.add_argument("--every", type=int, default=1, help="read only one in so many entries")
    parser.add_argument("--ontology", type=Path, default=Path(__file__).with_name("webnlg.ttl"))
    parser.add_argument("--least", type=float, default=0.7)
    parser.add_argument("--embedder", default="minilm")
    parser.add_argument("--pipeline", default=nlp.DEFAULT_PIPELINE)
    parser.add_argument("--errors", action="store_true", help="list what is found and what was to be found")
    return parser.parse_args()


def triple_of(fact: Fact) -> Given:
    """A fact as WebNLG would write it."""
    return plain((fact.head_text, unquote(fact.relation.removeprefix(NAMESPACE)), fact.tail_text))


def plain(triple: Given) -> Given:
    """What is compared: without case, underscores, quotes and a name's bracketed end; numbers by their value."""
    return _plain(triple[0]), triple[1].lower(), _plain(triple[2])


def _plain(text: str) -> str:
    text = re.sub(r"(?<=.)\s*\([^()]*\)$", "", text.replace("_", " ").strip(' "'))
    number = re.fullmatch(r"(-?\d[\d,]*(?:\.\d+)?)(?: [A-Za-z ]+)?", text)
    if number:
        return f"{float(number[1].replace(',', '')):.12g}"
    letters = "".join(char for char in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(char))
    return re.sub(r"^(?:the|a|an) ", "", re.sub(r"\W+", " ", letters).strip())


def _add(table: Table, name: str, extractions: Sequence[Extracted], gold: set[Found]) -> None:
    found = {(place, *triple_of(fact)) for place, one in enumerate(extractions) for fact in one.facts}
    for compared, places in (("triples", (0, 1, 2, 3)), ("their ends", (0, 1, 3))):
        given, wanted = ({tuple(key[place] for place in places) for key in keys} for keys in (found, gold))
        right = len(given & wanted)
        precision, recall = right / max(1, len(given)), right / max(1, len(wanted))
        f1 = 2 * precision * recall / max(1e-9, precision + recall)
        table.add_row(name, compared, str(len(given)), str(right), *(f"{one:.3f}" for one in (precision, recall, f1)))


def _show(console: Console, entry: Entry, gold: set[Given], facts: Iterable[Fact]) -> None:
    console.print(entry.text, markup=False, highlight=False, soft_wrap=True)
    given = {triple_of(fact): fact for fact in facts}
    for triple in sorted(gold - given.keys()):
        console.print("  missed", *triple, sep=" | ", markup=False, highlight=False, soft_wrap=True)
    for triple, fact in given.items():
        verdict = "  right" if triple in gold else "  wrong"
        console.print(
            verdict, *triple, fact.provenance.extractor, sep=" | ", markup=False, highlight=False, soft_wrap=True
        )


if __name__ == "__main__":
    main()
