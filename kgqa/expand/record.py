"""What documents state, into the ledger; and which raw terms stand for the same node."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from typing import cast

from kgqa.bulk import Progress
from kgqa.expand.batches import Extracted
from kgqa.graph.formats import FactReader, Given, Name
from kgqa.graph.restore import ExportedDocument
from kgqa.graph.terms import canonical_term, is_literal, relation_text
from kgqa.ids import ENTITY
from kgqa.ledger import DocumentRow
from kgqa.ledger_writer import LedgerWriter, MentionRow, SupportRow
from kgqa.schema import FOREVER, at
from kgqa.types import Fact, Provenance

Resolve = Callable[[Iterable[tuple[str, str]]], dict[str, str]]
"""kgqa.text.canonical.resolve: all (name, raw term) statements -> raw term -> canonical term, those that move."""


BLOCK = 50_000
"""Facts whose terms are interned at once."""
PART = 500_000
"""Facts of a file after which what is read of it is kept, while a first generation is written: some seconds of work."""


def move_none(names: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Every raw term stands for itself."""
    return {}


def record_prose(ledger: LedgerWriter, extraction: Extracted, *, row: DocumentRow) -> None:
    """Makes the extraction all that its document states."""
    doc_id = row.doc_id
    ledger.put_document(row)
    ledger.replace("supports", doc_id, dict.fromkeys(map(_support(ledger), extraction.facts)))
    names = [(name, ledger.intern(canonical_term(term)), 0) for name, term in extraction.aliases]
    relations = {(fact.relation_text, fact.relation) for fact in extraction.facts}
    names += [(text, ledger.intern(term), 1) for text, term in sorted(relations) if text != relation_text(term)]
    ledger.replace("names", doc_id, dict.fromkeys(names))
    passages = ((*passage.span, passage.text) for passage in extraction.passages)
    ledger.replace("passages", doc_id, dict.fromkeys(passages))
    ledger.replace("mentions", doc_id, dict.fromkeys(_mentioned(ledger, extraction)))


def _mentioned(ledger: LedgerWriter, extraction: Extracted) -> Iterator[MentionRow]:
    """Which entities each passage mentions; values are left out, since a year that two passages share joins nothing."""
    starts = sorted(passage.span[0] for passage in extraction.passages)
    for mention in extraction.mentions:
        if starts and mention.term and not is_literal(mention.term):
            yield starts[bisect_right(starts, mention.span[0]) - 1], ledger.intern(mention.term)


def record_given(
    ledger: LedgerWriter, reader: FactReader, *, row: DocumentRow, content: str, reached: Progress
) -> Progress:
    """Streams a file of facts in and makes them all that it states; `reached`: how far `reader` is in it already, of
    which the ledger knows under `content`.

    Memory holds the file's terms, and its old facts if it has any.
    """
    if ledger.has_document(row.doc_id) and not reached.line:
        return _replace_given(ledger, reader, row)
    if not reached.line:
        ledger.put_document(row)
    kept, before = reached.facts, reached.skipped
    for block in _given(ledger, reader):
        num_facts = reached.facts + ledger.give(row.doc_id, block)
        reached = Progress(block[-1][3], num_facts, before + len(reader.skipped))
        if ledger.is_first and reached.line and num_facts - kept >= PART:
            _add_names(ledger, reader, row.doc_id)
            ledger.keep(row.doc_id, content, reached)
            kept = num_facts
    _add_names(ledger, reader, row.doc_id)
    return Progress(reached.line, reached.facts, before + len(reader.skipped), is_whole=True)


def _replace_given(ledger: LedgerWriter, reader: FactReader, row: DocumentRow) -> Progress:
    """A file that stated something else before."""
    ledger.put_document(row)
    support = partial(Provenance, row.doc_id)
    given = chain.from_iterable(_given(ledger, reader))
    rows = ((*ids, *_source(support(span=(max(line - 1, 0), line)))) for *ids, line in given)
    num_facts = ledger.replace("supports", row.doc_id, cast(Iterator[SupportRow], rows))
    for prose in ("passages", "mentions"):
        ledger.replace(prose, row.doc_id, ())
    _record_names(ledger, reader.names, row.doc_id)
    return Progress(0, num_facts, len(reader.skipped), is_whole=True)


def _add_names(ledger: LedgerWriter, reader: FactReader, doc_id: str) -> None:
    """What the reader has come across since the last time."""
    ledger.add_names(doc_id, [(name.name, ledger.intern(name.term), int(name.preferred)) for name in reader.names])
    reader.names.clear()


def record_exported(ledger: LedgerWriter, document: ExportedDocument, *, row: DocumentRow) -> None:
    """Makes what an export has of a document all that it states."""
    ledger.put_document(row)
    ledger.replace("supports", row.doc_id, map(_support(ledger), document))  # distinct: their nodes' names say all
    _record_names(ledger, document.names, row.doc_id)
    ledger.replace("passages", row.doc_id, dict.fromkeys(document.passages))
    mentions = ((start, ledger.intern(term)) for start, term in document.mentions)
    ledger.replace("mentions", row.doc_id, dict.fromkeys(mentions))


def _record_names(ledger: LedgerWriter, names: Iterable[Name], doc_id: str) -> None:
    rows = ((name.name, ledger.intern(name.term), int(name.preferred)) for name in names)
    ledger.replace("names", doc_id, dict.fromkeys(rows))


def _given(ledger: LedgerWriter, reader: FactReader) -> Iterator[list[tuple[int, int, int, int]]]:
    """Blocks of (head, relation, tail, line) by their dense ids, without repetition; none is empty.

    A line's number tells its fact from all others, so only facts without one are kept in mind.
    """
    seen: set[Given] = set()
    stream = iter(reader)
    while block := list(islice(stream, BLOCK)):
        heads, relations, tails, lines = zip(*block, strict=True)
        if 0 in lines:
            block = [given for given in dict.fromkeys(block) if given[3] or given not in seen]
            seen.update(block)
            if not block:
                continue
            heads, relations, tails, lines = zip(*block, strict=True)
        find = ledger.intern_all(chain(heads, relations, tails)).__getitem__
        yield list(zip(map(find, heads), map(find, relations), map(find, tails), lines, strict=True))


def _support(ledger: LedgerWriter) -> Callable[[Fact], SupportRow]:
    def row(fact: Fact) -> SupportRow:
        tail = canonical_term(fact.tail) if fact.tail.startswith('"') else fact.tail
        ids = ledger.intern(fact.head), ledger.intern(fact.relation), ledger.intern(tail)
        return (*ids, *_source(fact.provenance))

    return row


def _source(source: Provenance) -> tuple[str, int, int, int, int, int, int, str, float]:
    places = *source.span, *source.head_span, *source.tail_span
    return source.sentence, *places, source.extractor, source.confidence


def apply_redirects(ledger: LedgerWriter, resolve: Resolve) -> None:
    """Sets the nodes of all supports that this generation brings, or whose raw terms it moves.

    Which terms move follows from all alias statements together and from nothing else, so that the order in which
    documents came does not matter. An IRI that a user gave is an identity of its own and takes no part.
    """
    born_or_died = f"SELECT 1 FROM names WHERE {at('born')} OR {at('died')} LIMIT 1"
    if next(ledger.rows(born_or_died), None):
        statements = ((name, term) for name, term, _ in ledger.names() if term.startswith(ENTITY))
        wanted = {ledger.intern(raw): ledger.intern(canonical) for raw, canonical in resolve(statements).items()}
        _move(ledger, wanted)
    if next(ledger.rows(f"SELECT 1 FROM redirects WHERE died = {FOREVER} LIMIT 1"), None):
        mapped = "coalesce((SELECT canonical FROM redirects WHERE raw = {0} AND died = " + str(FOREVER) + "), {0})"
        nodes = f"node_head = {mapped.format('head')}, node_tail = {mapped.format('tail')}"
        ledger.rows(f"UPDATE supports SET {nodes} WHERE born = :generation")


def _move(ledger: LedgerWriter, wanted: dict[int, int]) -> None:
    """Turns the redirects into `wanted`; the supports of raw terms that move die and are born again."""
    current = dict(ledger.connection.execute("SELECT raw, canonical FROM redirects WHERE died = ?", (FOREVER,)))
    moved = {raw for raw in current.keys() | wanted.keys() if current.get(raw) != wanted.get(raw)}
    old = [(raw, current.get(raw, raw)) for raw in moved]
    new = [(raw, wanted[raw], ledger.generation, FOREVER) for raw in moved if raw in wanted]
    run = ledger.connection.executemany
    run(f"UPDATE redirects SET died = {ledger.generation} WHERE raw = ? AND canonical = ? AND died = {FOREVER}", old)
    run("INSERT INTO redirects VALUES (?, ?, ?, ?)", new)
    ledger.rows("DROP TABLE IF EXISTS temp.moving")
    ledger.rows("CREATE TEMP TABLE moving (id INTEGER PRIMARY KEY)")
    for end in ("head", "tail"):
        run(
            f"INSERT OR IGNORE INTO moving SELECT id FROM supports WHERE {end} = ? AND node_{end} = ? "
            f"AND died = {FOREVER} AND born < {ledger.generation}",
            old,
        )
    columns = (
        "doc, head, relation, tail, sentence, start, stop, head_start, head_stop, tail_start, tail_stop, "
        "extractor, confidence"
    )
    ledger.rows(
        f"INSERT INTO supports ({columns}, node_head, node_tail, born, died) "
        f"SELECT {columns}, head, tail, :generation, {FOREVER} FROM supports WHERE id IN (SELECT id FROM moving)"
    )
    ledger.rows("UPDATE supports SET died = :generation WHERE id IN (SELECT id FROM moving)")
