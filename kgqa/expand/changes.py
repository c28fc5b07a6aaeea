"""From the ledger's new rows to what changes in the graph: quads, facts, nodes and their names. Reads, never writes.

Only rows that this generation brought or ended are looked at, and what they touch; the cost follows the delta.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import cast

from kgqa.graph.oxigraph import GraphStore, Quad
from kgqa.graph.provenance import document_quads, support_iri, support_quads
from kgqa.graph.queries import ALT_LABEL, LABEL, NAMES
from kgqa.graph.terms import is_literal, literal, relation_text, text_of
from kgqa.history import changed_readings
from kgqa.ids import ASSERTED, ENTITY, document_iri
from kgqa.ledger import Ledger
from kgqa.schema import at
from kgqa.types import Triple

Item = tuple[str, str]
"""(term, text)."""
FactItem = tuple[Item, Item, Item]
"""The head, relation and tail of a fact, each with what it is called."""


@dataclass
class Side:
    """What goes, or what comes."""

    facts: list[Triple] = field(default_factory=list)
    """Facts that the asserted graph loses or gains."""
    quads: list[Quad] = field(default_factory=list)
    nodes: dict[str, str] = field(default_factory=dict)
    """Entities and literals that go or come, or get another name: term -> text."""
    relations: dict[str, str] = field(default_factory=dict)
    fact_items: list[FactItem] = field(default_factory=list)
    """`facts`, and those that stay but read otherwise because a name in them changed."""
    passages: list[tuple[str, int, int, str]] = field(default_factory=list)
    """(doc_id, start, stop, text)."""


@dataclass
class Changes:
    """What one generation takes out of the graph, and what it puts in."""

    old: Side = field(default_factory=Side)
    new: Side = field(default_factory=Side)

    def growth(self) -> dict[str, int]:
        """How many more there are of each of num_facts, num_entities, num_relations and num_passages."""
        old, new = self.old, self.new
        return {
            "num_facts": len(new.facts) - len(old.facts),
            "num_entities": len(new.nodes) - len(old.nodes),
            "num_relations": len(new.relations) - len(old.relations),
            "num_passages": len(new.passages) - len(old.passages),
        }


def graph_changes(ledger: Ledger, store: GraphStore, *, texts: bool = True) -> Changes:
    """Everything that the ledger's open generation changes; `store` is the graph as the one before left it.

    Without `texts` there are no `fact_items`.
    """
    changes = Changes()
    _mark_touched(ledger)
    _facts(ledger, changes)
    changes.old.quads += provenance(ledger, "died")
    changes.new.quads += provenance(ledger, "born")
    _names(ledger, store, changes)
    if texts:
        _fact_items(store, changes)
    for side, column in ((changes.old, "died"), (changes.new, "born")):
        rows = ledger.rows(
            f"SELECT doc_id, start, stop, text FROM passages JOIN docs ON docs.id = doc WHERE {at(column)}"
        )
        side.passages = cast(list[tuple[str, int, int, str]], list(rows))
    return changes


def _mark_touched(ledger: Ledger) -> None:
    """Temporary tables: the triples whose supports or standing changed, and the terms whose life or names may have
    (`renamed`: what is stated of their names did)."""
    ledger.rows("DROP TABLE IF EXISTS temp.touched")
    ledger.rows("DROP TABLE IF EXISTS temp.affected")
    ledger.rows("CREATE TEMP TABLE touched (head INTEGER, relation INTEGER, tail INTEGER)")
    ledger.rows("CREATE TEMP TABLE affected (id INTEGER PRIMARY KEY, renamed INTEGER NOT NULL)")
    tables = "SELECT node_head, relation, node_tail FROM supports", "SELECT head, relation, tail FROM overruled"
    parts = [f"{table} WHERE {at(when)}" for table in tables for when in ("born", "died")]
    ledger.rows(f"INSERT INTO touched {' UNION '.join(parts)}")
    sources = [
        *(f"SELECT term FROM names WHERE {at(when)}" for when in ("born", "died")),
        *(f"SELECT raw FROM redirects WHERE {at(when)}" for when in ("born", "died")),
        *(f"SELECT canonical FROM redirects WHERE {at(when)}" for when in ("born", "died")),
        # a name that comes or goes with a redirected term is a name of the node it stands for
        "SELECT canonical FROM redirects JOIN names ON names.term = raw "
        f"WHERE ({at('names.born')} OR {at('names.died')}) AND +redirects.died >= :generation",
    ]
    for source in sources:
        ledger.rows(f"INSERT OR IGNORE INTO affected SELECT *, TRUE FROM ({source})")
    for column in ("head", "relation", "tail"):
        ledger.rows(f"INSERT OR IGNORE INTO affected SELECT {column}, FALSE FROM touched")


_HELD = """
    SELECT node_head, supports.relation, node_tail, doc, sum(born < :generation) > 0, sum(died > :generation) > 0
    FROM touched CROSS JOIN supports ON node_head = touched.head AND supports.relation = touched.relation
        AND node_tail = touched.tail
    WHERE +died >= :generation
    GROUP BY node_head, supports.relation, node_tail, doc ORDER BY node_head, supports.relation, node_tail
"""
"""For each touched triple and document: whether the document held it before, and whether it holds it now."""
_OVERRULED = (
    "SELECT head, relation, tail FROM touched CROSS JOIN overruled USING (head, relation, tail) WHERE {standing}"
)
_WAS, _IS = "+born < :generation AND +died >= :generation", "+died > :generation"
"""Whether a row lived before the open generation, and whether it lives in it."""


def _facts(ledger: Ledger, changes: Changes) -> None:
    lost, loses = (set(ledger.rows(_OVERRULED.format(standing=standing))) for standing in (_WAS, _IS))
    terms = dict(cast(Iterator[tuple[int, str]], ledger.rows("SELECT id, term FROM affected JOIN terms USING (id)")))
    graphs: dict[int, str] = {}
    rows = cast(Iterator[tuple[int, int, int, int, int, int]], ledger.rows(_HELD))
    for ids, group in groupby(rows, key=lambda row: row[:3]):
        key = terms[ids[0]], terms[ids[1]], terms[ids[2]]  # each string once, however many facts name it
        before = after = False
        for *_, doc, was, stays in group:
            before, after = before or bool(was), after or bool(stays)
            if was != stays:
                side = changes.new if stays else changes.old
                graph = graphs.get(doc) or graphs.setdefault(doc, document_iri(ledger.doc_id(doc)))
                side.quads.append((*key, graph))
        before, after = before and ids not in lost, after and ids not in loses
        if before != after:
            side = changes.new if after else changes.old
            side.facts.append(key)
            side.quads.append((*key, ASSERTED))


def provenance(ledger: Ledger, when: str) -> Iterator[Quad]:
    """What documents' graphs say beside the facts, of what came (`when`: born) or went (died).

    A given fact has no node there: its graph names the document, and the ledger has its line; nodes would be most of
    the store.
    """
    documents = f"SELECT doc_id, title, date, hash, reader FROM documents JOIN docs ON docs.id = doc WHERE {at(when)}"
    for row in ledger.rows(documents):
        yield from document_quads(*cast(tuple[str, str, str | None, str, str], row))
    for support in changed_readings(ledger, when):
        said = support.triple, support.stated, support.provenance
        yield from support_quads(support_iri(*said), *said)


def _lives(column: str) -> str:
    """Whether a support that is not overruled has the affected term in `column`, before and after this generation.

    The plus signs keep SQLite from walking all that was born before instead of the term's few rows.
    """
    overruled = (
        "SELECT 1 FROM overruled WHERE overruled.head = node_head AND overruled.relation = supports.relation "
        "AND overruled.tail = node_tail"
    )
    row = f"SELECT 1 FROM supports WHERE {column} = affected.id"
    return ", ".join(f"EXISTS ({row} AND {then} AND NOT EXISTS ({overruled} AND {then}))" for then in (_WAS, _IS))


_TERMS = f"""
    SELECT affected.id, term, renamed, {_lives("node_head")}, {_lives("node_tail")}, {_lives("relation")}
    FROM affected JOIN terms USING (id)
"""
_NAMES = """
    SELECT affected.id, name, preferred FROM affected JOIN names ON names.term = affected.id WHERE +died > :generation
    UNION SELECT affected.id, name, preferred FROM affected JOIN redirects ON canonical = affected.id
    JOIN names ON names.term = raw WHERE +redirects.died > :generation AND +names.died > :generation
"""


def _names(ledger: Ledger, store: GraphStore, changes: Changes) -> None:
    """The names graph of every affected term, and which terms come, go, or are called something else."""
    stated: dict[int, list[tuple[bool, str]]] = {}
    for key, name, preferred in cast(Iterable[tuple[int, str, int]], ledger.rows(_NAMES)):
        stated.setdefault(key, []).append((bool(preferred), name))
    rows = cast(Iterable[tuple[int, str, int, int, int, int, int, int, int]], ledger.rows(_TERMS))
    for key, term, renamed, head_was, head_is, tail_was, tail_is, relation_was, relation_is in rows:
        was_node, is_node = bool(head_was or tail_was), bool(head_is or tail_is)
        if not renamed and (was_node, relation_was) == (is_node, relation_is):
            continue
        before = list(store.scan(term, graph=NAMES)) if was_node or relation_was else []
        after = name_quads(term, stated.get(key, ()), is_node=is_node) if is_node or relation_is else []
        changes.old.quads += set(before) - set(after)
        changes.new.quads += set(after) - set(before)
        old, new = _label(term, before), _label(term, after)
        if is_node != was_node or (is_node and old != new):
            changes.old.nodes |= {term: old} if was_node else {}
            changes.new.nodes |= {term: new} if is_node else {}
        if relation_is != relation_was or (relation_is and old != new):
            changes.old.relations |= {term: old} if relation_was else {}
            changes.new.relations |= {term: new} if relation_is else {}


def name_quads(term: str, stated: Sequence[tuple[bool, str]], *, is_node: bool) -> list[Quad]:
    """rdfs:label for the one name (a stated preference, or what the term itself says), skos:altLabel for the rest.

    An entity whose IRI was made from its name is called by that name, whatever documents prefer.
    """
    if is_literal(term):
        return []
    text = text_of(term) if is_node else relation_text(term)
    if not term.startswith(ENTITY):
        text = min((name for preferred, name in stated if preferred), default=text)
    others = {name for _, name in stated} - {text}
    return [(term, LABEL, literal(text), NAMES), *((term, ALT_LABEL, literal(name), NAMES) for name in sorted(others))]


def _label(term: str, names: Iterable[Quad]) -> str:
    return next((text_of(name) for _, relation, name, _ in names if relation == LABEL), text_of(term))


def _fact_items(store: GraphStore, changes: Changes) -> None:
    """The facts that go and come with their texts; those around a term that is renamed do both."""
    gone, reread = set(changes.old.facts), set[Triple]()
    for term in changes.old.nodes.keys() & changes.new.nodes.keys():
        for pattern in ((term, None, None), (None, None, term)):
            reread |= {quad[:3] for quad in store.scan(*pattern, graph=ASSERTED)} - gone
    for term in changes.old.relations.keys() & changes.new.relations.keys():
        reread |= {quad[:3] for quad in store.scan(None, term, None, graph=ASSERTED)} - gone
    kept: dict[str, str] = {}

    def stored(term: str) -> str:
        if term not in kept:
            # What name_quads says without the ledger need not be looked up.
            is_said = term.startswith(ENTITY) or is_literal(term)
            kept[term] = text_of(term) if is_said else _label(term, store.scan(term, LABEL, graph=NAMES))
        return kept[term]

    for side in (changes.old, changes.new):
        for head, relation, tail in (*side.facts, *sorted(reread)):
            side.fact_items.append((
                (head, side.nodes.get(head) or stored(head)),
                (relation, side.relations.get(relation) or stored(relation)),
                (tail, side.nodes.get(tail) or stored(tail)),
            ))  # fmt: skip
