"""Whom ambiguous pronouns mean: F1 of the shipped resolver on GAP, a snippet of Wikipedia and one pronoun a row.

    python -m benchmarks.gap [--data FILE.tsv.gz] [--titles] [--pipeline NAME]

The resolver reads the snippet alone and is told neither names nor pronoun; with --titles also the page's title, as the
set's "page context" allows. A name is said to be meant where a mention of the entity that the pronoun was resolved to
covers it or lies in it, or where the entity goes by that very name. Counts are over both names of a row, as GAP's own.
"""

import argparse
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kgqa.text import nlp
from kgqa.text.extract import Extractor
from kgqa.text.extraction import Extraction
from kgqa.text.gap import Row, nested, read_rows
from kgqa.types import Document

DEVELOPMENT = Path("../shared/data/coref/gap-development.tsv.gz")
MASCULINE = frozenset({"he", "him", "his"})


def said(row: Row, found: Extraction) -> tuple[bool, bool]:
    """Of each name, whether the pronoun was resolved to what it names."""
    term = next((mention.term for mention in found.mentions if mention.span == row.pronoun), "")
    spans = [mention.span for mention in found.mentions if mention.term == term and mention.span != row.pronoun]
    aliases = {name for name, alias_of in found.aliases if alias_of == term}
    first, second = (
        bool(term) and (row.text[slice(*name)] in aliases or any(nested(name, span) for span in spans))
        for name in row.names
    )
    return first, second


def main() -> None:
    options = _options()
    rows = list(read_rows(options.data))
    documents = (Document(row.row_id, row.text, row.title if options.titles else "") for row in rows)
    counts = {"masculine": Counter[str](), "feminine": Counter[str]()}
    for row, found in zip(rows, Extractor(pipeline=options.pipeline).extract(documents), strict=True):
        for meant, is_said in zip(row.meant, said(row, found), strict=True):
            outcome = ("missed" if meant else "neither") if not is_said else ("right" if meant else "wrong")
            is_masculine = row.text[slice(*row.pronoun)].lower() in MASCULINE
            counts["masculine" if is_masculine else "feminine"][outcome] += 1
    Console().print(_table(f"{options.data.name}, {len(rows)} pronouns", counts))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DEVELOPMENT)
    parser.add_argument("--titles", action="store_true", help="the page's title is known")
    parser.add_argument("--pipeline", default=nlp.DEFAULT_PIPELINE)
    return parser.parse_args()


def _table(title: str, counts: dict[str, Counter[str]]) -> Table:
    table = Table(title=title)
    for column in ("pronouns", "precision", "recall", "F1"):
        table.add_column(column)
    scores = {}
    for name, some in [("all", counts["masculine"] + counts["feminine"]), *counts.items()]:
        precision = some["right"] / max(1, some["right"] + some["wrong"])
        recall = some["right"] / max(1, some["right"] + some["missed"])
        scores[name] = 2 * precision * recall / max(1e-9, precision + recall)
        table.add_row(name, f"{precision:.3f}", f"{recall:.3f}", f"{scores[name]:.3f}")
    table.add_row("bias", "", "", f"{scores['feminine'] / max(1e-9, scores['masculine']):.3f}")
    return table


if __name__ == "__main__":
    main()
