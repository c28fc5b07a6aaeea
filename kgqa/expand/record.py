"""What documents state, into the ledger; and which raw terms stand for the same node."""

from collections.abc import Callable, Iterable, Iterator

from kgqa.expand.batches import Extracted
from kgqa.graph.formats import FactReader
from kgqa.graph.restore import ExportedDocument
from kgqa.graph.terms import canonical_term, relation_text
from kgqa.ids import ENTITY
from kgqa.ledger import FOREVER, DocumentRow, Ledger, SupportRow, at
from kgqa.types import Fact

Resolve = Callable[[Iterable[tuple[str, str]]], dict[str, str]]
"""kgqa.text.canonical.resolve: all (name, raw term) statements -> raw term -> canonical term, those that move."""


def move_none(names: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Every raw term stands for itself."""
    return {}


def record_prose(ledger: Ledger, extraction: Extracted, *, row: DocumentRow) -> None:
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


def record_facts(ledger: Ledger, reader: FactReader | ExportedDocument, *, row: DocumentRow) -> int:
    """Streams a file of facts in and makes them all that it states; returns how many there are.

    Memory holds the file's terms, and its old facts if it has any.
    """
    ledger.put_document(row)
    num_facts = ledger.replace("supports", row.doc_id, _distinct(map(_support(ledger), reader)))
    names = ((name.name, ledger.intern(name.term), int(name.preferred)) for name in reader.names)
    ledger.replace("names", row.doc_id, dict.fromkeys(names))
    return num_facts


def _support(ledger: Ledger) -> Callable[[Fact], SupportRow]:
    def row(fact: Fact) -> SupportRow:
        source = fact.provenance
        tail = canonical_term(fact.tail) if fact.tail.startswith('"') else fact.tail
        return (
            ledger.intern(fact.head), ledger.intern(fact.relation), ledger.intern(tail), source.sentence,
            *source.span, *source.head_span, *source.tail_span, source.extractor, source.confidence,
        )  # fmt: skip

    return row


def _distinct(rows: Iterable[SupportRow]) -> Iterator[SupportRow]:
    """Rows without repetition. A line's number tells its fact from all others, so only facts without one are kept."""
    seen: set[SupportRow] = set()
    for row in rows:
        if row[5] == 0:
            if row in seen:
                continue
            seen.add(row)
        yield row


def apply_redirects(ledger: Ledger, resolve: Resolve) -> None:
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


def _move(ledger: Ledger, wanted: dict[int, int]) -> None:
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
