"""Re-DocRED end to end from raw text, all predicted: mentions, entities, relations; on documents that trained nothing.

    python -m benchmarks.redocred [--data FILE] [--from 400] [--train FILE]

A predicted fact joins two entities with a Wikidata property. An end is the gold entity whose mention it overlaps most;
where it overlaps none the fact is wrong. F1 is over distinct facts of documents; ignore-train F1 (Yao and others, 2019)
leaves out of what is right and of what is given each fact whose names and property also stand in a training document.
"""

import argparse
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kgqa.text import nlp
from kgqa.text.extract import SOURCES, Extractor
from kgqa.text.extraction import Extraction, Statement
from kgqa.text.patterns import load_patterns
from kgqa.text.relation_corpus import AnnotatedDocument, redocred
from kgqa.types import Document, Span

DATA = Path(os.environ.get("KGQA_DATA", "../shared/data")) / "redocred" / "dev_revised.json.gz"
End = int | str
Found = set[tuple[int, End, str, End]]
"""(document, head, property, tail); an end that is no gold entity is its text."""


def main() -> None:
    options = _options()
    documents = redocred(options.data)
    train = redocred(options.train) if options.train else documents[: options.first]
    scored = documents[options.first :]
    known = {names for document in train for names in _named_facts(document)}
    texts = [Document(str(number), document.text, document.title) for number, document in enumerate(scored)]
    gold: Found = {(number, *fact) for number, document in enumerate(scored) for fact in document.facts}
    table = Table(
        title=f"{options.data.name} from document {options.first}: {len(scored)} documents, {len(gold)} facts"
    )
    for column in ("what", "given", "right", "precision", "recall", "F1", "ignore-train F1"):
        table.add_column(column, justify="left" if column == "what" else "right")
    extractor = Extractor(pipeline=options.pipeline, sources=SOURCES[:2])
    extractions = list(zip(extractor.extract(texts), scored, strict=True))
    rows = (("patterns, classifier", ""), ("without classifier", "pattern"), ("without patterns", "classifier"))
    for name, source in rows:
        found = {
            (number, *fact)
            for number, (extraction, document) in enumerate(extractions)
            for fact in facts_of(extraction, source, document)
        }
        seen = {fact for fact in found & gold if _names(scored[fact[0]], *fact[1:]) & known}
        table.add_row(name, str(len(found)), str(len(found & gold)), *scores(found, gold, seen))
        if options.properties:
            _show(Console(), found, gold)
    Console().print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--from", dest="first", type=int, default=400, help="the first document that is scored")
    parser.add_argument("--train", type=Path, help="documents that train; left out: those of --data before --from")
    parser.add_argument("--pipeline", default=nlp.DEFAULT_PIPELINE)
    parser.add_argument("--properties", action="store_true", help="counts of every property")
    return parser.parse_args()


def facts_of(extraction: Extraction, source: str, document: AnnotatedDocument) -> Iterator[tuple[End, str, End]]:
    """What an extraction states, as read by `source`, between gold entities where its mentions meet them."""
    text = extraction.document.text
    for statement in (one for one in extraction.statements if one.extractor.startswith(source)):
        for property_id, turned in _properties(statement):
            ends = [_entity(document, text, span) for span in (statement.head_span, statement.tail_span)]
            head, tail = reversed(ends) if turned else ends
            if head != tail:
                yield head, property_id, tail


def _properties(statement: Statement) -> list[tuple[str, bool]]:
    """A statement's Wikidata property, and whether its ends change places: the reader's own, or a pattern's first."""
    turned = {name[1:] for names in _RELATIONS.values() for name in names if name.startswith("^")}
    if statement.extractor.startswith("classifier:"):
        name = statement.extractor.removeprefix("classifier:")
        return [(name, name in turned)]
    return [(name.removeprefix("^"), name.startswith("^")) for name in _RELATIONS.get(statement.relation, ())[:1]]


_RELATIONS = {relation.iri: relation.wikidata for relation in load_patterns()}


def _entity(document: AnnotatedDocument, text: str, span: Span) -> End:
    shared = Counter[int]()
    for (start, end), _, entity in document.mentions:
        shared[entity] = max(shared[entity], min(end, span[1]) - max(start, span[0]))
    entity, size = shared.most_common(1)[0] if shared else (0, 0)
    return entity if size > 0 else text[slice(*span)]


def _names(document: AnnotatedDocument, head: End, name: str, tail: End) -> set[tuple[str, str, str]]:
    def called(entity: End) -> set[str]:
        return {document.text[slice(*span)] for span, _, number in document.mentions if number == entity}

    return {(one, name, other) for one in called(head) for other in called(tail)}


def _named_facts(document: AnnotatedDocument) -> Iterator[tuple[str, str, str]]:
    for fact in document.facts:
        yield from _names(document, *fact)


def scores(found: Found, gold: Found, seen: Found) -> list[str]:
    """Precision, recall, F1 and ignore-train F1, as shown."""
    right = len(found & gold)
    recall = right / max(1, len(gold))
    precision, unseen = right / max(1, len(found)), (right - len(seen)) / max(1, len(found) - len(seen))
    values = [precision, recall, *(2 * p * recall / max(1e-9, p + recall) for p in (precision, unseen))]
    return [f"{value:.3f}" for value in values]


def _show(console: Console, found: Found, gold: Found) -> None:
    counts: dict[str, Sequence[int]] = {
        name: [len({fact for fact in facts if fact[2] == name}) for facts in (gold, found, found & gold)]
        for name in sorted({fact[2] for fact in gold | found}, key=lambda name: int(name[1:]))
    }
    for name, (wanted, given, right) in counts.items():
        console.print(f"{name:7} gold {wanted:4} given {given:4} right {right:4}", highlight=False)


if __name__ == "__main__":
    main()
