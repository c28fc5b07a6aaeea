"""What the ledger remembers of facts: who states them, in which words, and from which generation to which.

First and last generations tell how a knowledge base grew, not what it says: they are here and in no graph, so that any
sequence of expansions gives the same graph as a fresh build.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kgqa.generations import generation_name
from kgqa.ledger import DocumentRow, Ledger
from kgqa.schema import FOREVER, at
from kgqa.types import Provenance, Triple


@dataclass(frozen=True, slots=True)
class Support:
    """One document's word for a fact."""

    triple: Triple
    """As the graph has it."""
    stated: Triple
    """In the document's own terms, before redirects."""
    provenance: Provenance
    born: int
    """The number of the generation that brought it."""
    died: int
    """That of the first generation without it; FOREVER while it counts."""

    @property
    def first(self) -> str:
        """The first generation that has it, `gen-000001`."""
        return generation_name(self.born)

    @property
    def last(self) -> str | None:
        """The last generation that has it; None while it counts."""
        return _last(self.died)


@dataclass(frozen=True, slots=True)
class KnownFact:
    """A fact with all that is known of where it comes from."""

    triple: Triple
    texts: Triple
    """What head, relation and tail are called."""
    supports: tuple[Support, ...]
    """Those that count, the surest first; then those that have ended, the latest first."""
    documents: tuple[DocumentRow, ...]
    """The document of each support as it was when that last counted: its title, date and path, and its `reader`, the
    identity of the extractor that read it, which is another one for each version."""
    overruled: tuple[tuple[int, int], ...]
    """When a policy for conflicts took it out of the graph: the first generation of each time, and the next after."""

    @property
    def periods(self) -> tuple[tuple[str, str | None], ...]:
        """The first and the last generation of each time that the graph held it; last is None while it does."""
        stated: list[tuple[int, int]] = []
        for born, died in sorted((support.born, support.died) for support in self.supports):
            if stated and born <= stated[-1][1]:
                stated[-1] = stated[-1][0], max(died, stated[-1][1])
            else:
                stated.append((born, died))
        for born, died in self.overruled:
            before = [(start, min(stop, born)) for start, stop in stated]
            after = [(max(start, died), stop) for start, stop in stated]
            stated = sorted((start, stop) for start, stop in before + after if start < stop)
        return tuple((generation_name(born), _last(died)) for born, died in stated)

    @property
    def held(self) -> bool:
        """Whether the graph holds it."""
        return bool(self.periods) and self.last is None

    @property
    def first(self) -> str | None:
        """The first generation whose graph held it; None where none did."""
        return self.periods[0][0] if self.periods else None

    @property
    def last(self) -> str | None:
        """The last generation whose graph held it; None while one does, and where none did."""
        return self.periods[-1][1] if self.periods else None


def _last(died: int) -> str | None:
    return None if died == FOREVER else generation_name(died - 1)


_SELECT = f"""
    SELECT heads.term, relations.term, tails.term, stated_heads.term, relations.term, stated_tails.term,
        doc_id, sentence, start, stop, head_start, head_stop, tail_start, tail_stop, extractor, confidence,
        born, iif(died > :generation, {FOREVER}, died)
    FROM supports JOIN docs ON docs.id = doc
    JOIN terms AS heads ON heads.id = node_head JOIN terms AS relations ON relations.id = relation
    JOIN terms AS tails ON tails.id = node_tail
    JOIN terms AS stated_heads ON stated_heads.id = head JOIN terms AS stated_tails ON stated_tails.id = tail
"""


def supports_of_fact(ledger: Ledger, triple: Triple) -> list[Support]:
    """Every support that the triple has had up to the ledger's generation; empty for one that was never stated."""
    condition = """node_head = :head AND relation = :relation AND node_tail = :tail AND +born <= :generation
        ORDER BY +died > :generation DESC, iif(died > :generation, 0, died) DESC, confidence DESC, doc_id, start,
        head_start, tail_start"""
    ids = [ledger.term_id(term) for term in triple]
    return list(_supports(ledger, condition, **dict(zip(("head", "relation", "tail"), ids, strict=True))))


def supports_of_document(ledger: Ledger, doc_id: str) -> Iterator[Support]:
    """What the document states now."""
    return _supports(ledger, "doc = :doc AND +born <= :generation AND +died > :generation", doc=_key(ledger, doc_id))


def changed_readings(ledger: Ledger, when: str) -> Iterator[Support]:
    """The supports with a sentence that the ledger's generation brought (`when`: born) or ended (died)."""
    return _supports(ledger, f"{at(f'supports.{when}')} AND sentence <> ''")


def overruled_periods(ledger: Ledger, triple: Triple) -> Iterator[tuple[int, int]]:
    """When a policy took the triple out: (first generation, the next after the last) of each time, in order."""
    ids = [ledger.term_id(term) for term in triple]
    rows: Iterator[Any] = ledger.rows(
        f"SELECT born, iif(died > :generation, {FOREVER}, died) FROM overruled "
        "WHERE head = :head AND relation = :relation AND tail = :tail AND born <= :generation ORDER BY born",
        **dict(zip(("head", "relation", "tail"), ids, strict=True)),
    )
    return rows


def names_of_document(ledger: Ledger, doc_id: str) -> Iterator[tuple[str, str, bool]]:
    """(name, term in the document's own words, whether preferred) as the document states them now."""
    sql = """SELECT name, terms.term, preferred FROM names JOIN terms ON terms.id = names.term
        WHERE doc = :doc AND +born <= :generation AND +died > :generation"""
    rows: Iterator[Any] = ledger.rows(sql, doc=_key(ledger, doc_id))
    return ((name, term, bool(preferred)) for name, term, preferred in rows)


def passages_of_document(ledger: Ledger, doc_id: str) -> Iterator[tuple[int, int, str]]:
    """(start, stop, text) of the document's passages now."""
    sql = "SELECT start, stop, text FROM passages WHERE doc = :doc AND +born <= :generation AND +died > :generation"
    rows: Iterator[Any] = ledger.rows(sql, doc=_key(ledger, doc_id))
    return rows


def mentions_of_document(ledger: Ledger, doc_id: str) -> dict[int, list[str]]:
    """Where a passage of the document begins -> the entities that it mentions, in the document's own terms."""
    sql = """SELECT start, terms.term FROM mentions JOIN terms ON terms.id = mentions.term
        WHERE doc = :doc AND +born <= :generation AND +died > :generation"""
    rows: Iterator[Any] = ledger.rows(sql, doc=_key(ledger, doc_id)) if ledger.has("mentions") else iter(())
    found: dict[int, list[str]] = {}
    for start, term in rows:
        found.setdefault(start, []).append(term)
    return found


def document_then(ledger: Ledger, support: Support) -> DocumentRow:
    """The document of a support, as it was in the last generation that has the support."""
    sql = """SELECT source, hash, title, date, path, reader, batch FROM documents
        WHERE doc = :doc AND +born <= :at AND +died > :at"""
    doc_id, at = support.provenance.doc_id, min(support.died - 1, ledger.generation)
    row: Any = next(ledger.rows(sql, doc=_key(ledger, doc_id), at=at))
    return DocumentRow(doc_id, *row)


def support_counts(ledger: Ledger) -> dict[Triple, tuple[int, int, float]]:
    """For every fact of the graph: its supports, the documents that they are in, the confidence of the surest."""
    sql = """SELECT heads.term, relations.term, tails.term, count(*), count(DISTINCT doc), max(confidence)
        FROM supports JOIN terms AS heads ON heads.id = node_head JOIN terms AS relations ON relations.id = relation
        JOIN terms AS tails ON tails.id = node_tail
        WHERE born <= :generation AND died > :generation GROUP BY node_head, relation, node_tail"""
    rows: Iterator[Any] = ledger.rows(sql)
    return {row[:3]: row[3:] for row in rows}


def _supports(ledger: Ledger, condition: str, **values: object) -> Iterator[Support]:
    rows: Iterator[Any] = ledger.rows(f"{_SELECT} WHERE {condition}", **values)
    for row in rows:
        source = Provenance(row[6], row[7], row[8:10], row[10:12], row[12:14], row[14], row[15])
        yield Support(row[:3], row[3:6], source, row[16], row[17])


def _key(ledger: Ledger, doc_id: str) -> int:
    """The dense id of a document, -1 for one that was never seen."""
    row: Any = next(ledger.rows("SELECT id FROM docs WHERE doc_id = :doc_id", doc_id=doc_id), (-1,))
    return int(row[0])
