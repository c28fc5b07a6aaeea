"""What sources disagree on: a functional relation ("born in") with several values for one head. Reads, never writes.

Relations are functional because an ontology or the configuration names them, or, for reports alone, because nearly all
of their heads have one value. Which values a policy keeps follows from their supports and the dates of the documents,
and from nothing else (docs/decisions/0005-conflicts.md).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self, cast

from kgqa.errors import ConfigError
from kgqa.graph.terms import XSD, text_of
from kgqa.ledger import Ledger
from kgqa.schema import at
from kgqa.types import Provenance

KEEP = ("both", "newest", "most_supported")
"""Which values of a conflict stay asserted: all; what the newest document says; what the most documents say."""

_DATE_TYPES = tuple(f"^^<{XSD}{name}>" for name in ("gYear", "gYearMonth", "date", "dateTime"))
_LIVE = "+supports.born <= :generation AND +supports.died > :generation"


@dataclass(frozen=True)
class Policy:
    """What is held to be functional, and what becomes of its conflicts."""

    keep: str = "both"
    """One of KEEP."""
    functional: frozenset[str] = frozenset()
    """The relations (terms) whose conflicts are decided; those that are learned are only reported."""
    min_heads: int | None = None
    """Heads from which a relation can be learned to be functional; None: none is."""
    min_share: float = 1.0
    """Share of its heads, in (0, 1], that have one value in a relation which is learned to be functional."""

    def __post_init__(self) -> None:
        if self.keep not in KEEP:
            raise ConfigError(f"conflict.policy={self.keep}: no such policy; there are {', '.join(KEEP)}")
        if not 0 < self.min_share <= 1:
            raise ConfigError(f"conflict.learn_share={self.min_share}: a share in (0, 1] is wanted")

    def decides_like(self, other: "Policy") -> bool:
        """Whether both assert the same facts and report on the same named relations."""
        return (self.keep, self.functional) == (other.keep, other.functional)

    def to_json(self) -> dict[str, Any]:
        """For the manifest of a generation."""
        return asdict(self) | {"functional": sorted(self.functional)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        return cls(**{**stored, "functional": frozenset(stored["functional"])})


@dataclass(frozen=True, slots=True)
class Support:
    """One document's word for a value."""

    date: str | None
    """Of the document, as it has it."""
    source: Provenance


@dataclass(frozen=True, slots=True)
class Value:
    """One tail of a functional relation."""

    term: str
    supports: tuple[Support, ...]
    """Newest document first, undated ones last."""
    kept: bool = True
    """Whether it is asserted."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A head with several values of a functional relation; the value that the newest document has is the first."""

    head: str
    relation: str
    values: tuple[Value, ...]
    learned: bool
    """The relation was learned to be functional: nothing names it, and no policy decides."""


UNDATED = datetime.min.replace(tzinfo=UTC)
"""Before all dates."""


def moment(date: str | None) -> datetime:
    """The time that an ISO 8601 date stands for: a year or a month is its first day, no zone is UTC.

    UNDATED for no date, and for what is none.
    """
    text = (date or "").strip()
    if re.fullmatch(r"\d{4}(-\d\d)?", text):
        text = f"{text}-01-01"[:10]
    try:
        when = datetime.fromisoformat(text)
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return UNDATED


def losers(values: Sequence[Value], keep: str) -> set[str]:
    """The terms that a policy takes out of a conflict: a pure function of the supports and the dates.

    `newest` goes by the newest document of each value, then by the number of documents; `most_supported` the other way
    round. Values that are equal in both all stay, since nothing speaks against one of them. A year counts for each date
    in it (`finest`) and stays with it.
    """
    if keep == "both":
        return set()
    ranks = {}
    for value in finest(values):
        supports = [s for other in values if other == value or refines(value.term, other.term) for s in other.supports]
        newest, documents = max(moment(s.date) for s in supports), len({s.source.doc_id for s in supports})
        ranks[value.term] = (newest, documents) if keep == "newest" else (documents, newest)
    best = {term for term, rank in ranks.items() if rank == max(ranks.values())}
    return {v.term for v in values if v.term not in best and not any(refines(term, v.term) for term in best)}


def finest(values: Sequence[Value]) -> list[Value]:
    """The values without those that another says more exactly: "1867" does not contradict "1867-11-07"."""
    return [value for value in values if not any(refines(other.term, value.term) for other in values)]


def refines(fine: str, coarse: str) -> bool:
    """Whether a date or time lies in the day, month or year that another term is."""
    if not (fine.endswith(_DATE_TYPES) and coarse.endswith(_DATE_TYPES)):
        return False
    inner, outer = text_of(fine), text_of(coarse)
    return inner.startswith(outer) and inner[len(outer) : len(outer) + 1] in ("-", "T")


def learned_relations(ledger: Ledger, policy: Policy) -> set[int]:
    """The relations that the counts of their heads show to be functional."""
    if policy.min_heads is None:
        return set()
    rows = ledger.rows(
        "SELECT relation FROM cardinalities WHERE heads >= :heads AND single >= :share * heads "
        "AND +born <= :generation AND +died > :generation",
        heads=policy.min_heads, share=policy.min_share,
    )  # fmt: skip
    return {cast(int, relation) for (relation,) in rows}


def read_conflicts(
    ledger: Ledger, named: Iterable[int], learned: Iterable[int], *, touched: bool
) -> Iterator[Conflict]:
    """The conflicts of these relations by relation and head; with `touched` those where this generation changed a
    support, or the date of a document."""
    by_name = set(named)
    mark_slots(ledger, by_name | set(learned), touched=touched)
    for head, relation in contested(ledger):
        conflict = _conflict(ledger, head, relation, learned=relation not in by_name)
        if len(finest(conflict.values)) > 1:
            yield conflict


def mark_slots(ledger: Ledger, relations: Iterable[int] | None, *, touched: bool) -> None:
    """Fills the temporary table `slots` (head, relation): all pairs of these relations (None: of any), or those that
    the generation touched. That costs what changed, and what the documents say that changed.

    The plus signs keep SQLite from walking all facts of a relation instead of the new ones.
    """
    among = "TRUE" if relations is None else f"+relation IN ({', '.join(map(str, relations))})"
    pairs = f"SELECT {'' if touched else 'DISTINCT'} node_head, relation FROM supports WHERE {among} AND "
    redated = f"doc IN (SELECT doc FROM documents WHERE {at('died')})"
    conditions = [at("born"), at("died"), f"{redated} AND {_LIVE}"] if touched else [_LIVE]
    ledger.rows("DROP TABLE IF EXISTS temp.slots")
    ledger.rows("CREATE TEMP TABLE slots (head INTEGER, relation INTEGER)")
    ledger.rows("INSERT INTO slots " + " UNION ".join(pairs + condition for condition in conditions))


def contested(ledger: Ledger) -> list[tuple[int, int]]:
    """The marked slots that have more than one tail, by the terms of relation and head."""
    rows = ledger.rows(
        "SELECT several.head, several.relation FROM (SELECT slots.head, slots.relation "
        "FROM slots CROSS JOIN supports ON node_head = slots.head AND supports.relation = slots.relation "
        f"WHERE {_LIVE} GROUP BY slots.head, slots.relation HAVING min(node_tail) < max(node_tail)) AS several "
        "JOIN terms AS relations ON relations.id = several.relation JOIN terms AS heads ON heads.id = several.head "
        "ORDER BY relations.term, heads.term"
    )
    return cast(list[tuple[int, int]], list(rows))


_SUPPORTS = f"""
    SELECT terms.term, date, doc_id, sentence, start, stop, head_start, head_stop, tail_start, tail_stop, extractor,
        confidence, EXISTS (SELECT 1 FROM overruled WHERE overruled.head = node_head
            AND overruled.relation = supports.relation AND overruled.tail = node_tail
            AND overruled.born <= :generation AND overruled.died > :generation)
    FROM supports JOIN terms ON terms.id = node_tail JOIN docs ON docs.id = supports.doc
        JOIN documents ON documents.doc = supports.doc
            AND +documents.born <= :generation AND +documents.died > :generation
    WHERE node_head = :head AND supports.relation = :relation AND {_LIVE}
    ORDER BY confidence DESC, doc_id, start, head_start, tail_start
"""


def _conflict(ledger: Ledger, head: int, relation: int, *, learned: bool) -> Conflict:
    supports: dict[str, list[Support]] = {}
    overruled: dict[str, bool] = {}
    for row in cast(Iterator[tuple[Any, ...]], ledger.rows(_SUPPORTS, head=head, relation=relation)):
        term, date, doc_id, sentence, *offsets, extractor, confidence, is_overruled = row
        spans = (offsets[0], offsets[1]), (offsets[2], offsets[3]), (offsets[4], offsets[5])
        source = Provenance(doc_id, sentence, *spans, extractor, confidence)
        supports.setdefault(term, []).append(Support(date, source))
        overruled[term] = bool(is_overruled)
    values = [Value(term, _newest_first(found), not overruled[term]) for term, found in sorted(supports.items())]
    values.sort(key=lambda value: moment(value.supports[0].date), reverse=True)
    return Conflict(ledger.term(head), ledger.term(relation), tuple(values), learned)


def _newest_first(supports: list[Support]) -> tuple[Support, ...]:
    return tuple(sorted(supports, key=lambda support: moment(support.date), reverse=True))
