"""The long-term memory kept in step with the graph: one vector for each entity, relation, fact and passage.

A vector's id comes from its kind, term and text, so that what is called otherwise has another. A text is embedded once,
when it is new. The vector of a fact is composed of those of its parts, unit(head + relation + tail): it costs no call
of the encoder, which would be most of the time of an index, and a question that names the head and the relation lies
near it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kgqa.expand.changes import FactItem, Item, Side
from kgqa.graph.subgraph import TripleTable
from kgqa.graph.terms import fast_token
from kgqa.ids import passage_iri, vector_id
from kgqa.memory.embedder import Embedder
from kgqa.memory.index import IndexOptions
from kgqa.memory.long_term import LongTermMemory, MemoryRefs, apply_delta
from kgqa.progress import progress

Vectors = NDArray[np.float32]

Ids = NDArray[np.int64]
Passage = tuple[str, int, int, str]
"""(doc_id, start, stop, text)."""

KINDS = ("entity", "relation", "passage", "fact")
"""In the order in which they are made: facts are composed of what is stored before."""
BLOCK = 2048
"""Texts that go to the encoder at once."""
_NO_IDS: Ids = np.empty(0, np.int64)


@dataclass(frozen=True)
class VectorDelta:
    """What changes in each kind: id -> item for what comes, ids for what goes. Facts come with their parts."""

    add: dict[str, dict[int, Item]]
    facts: dict[int, FactItem]
    remove: dict[str, set[int]]


def _nothing() -> VectorDelta:
    return VectorDelta({kind: {} for kind in KINDS}, {}, {kind: set() for kind in KINDS})


def delta_of_changes(old: Side, new: Side) -> VectorDelta:
    """The vectors that follow a change of the graph; what is on both sides stays."""
    facts = _fact_ids(new.fact_items)
    before, after = _items(old, _fact_ids(old.fact_items)), _items(new, facts)
    return VectorDelta(
        add={kind: {key: item for key, item in after[kind].items() if key not in before[kind]} for kind in after},
        facts={key: fact for key, fact in facts.items() if key not in before["fact"]},
        remove={kind: before[kind].keys() - after[kind].keys() for kind in after},
    )


def delta_of_state(state: Side, held: Mapping[str, Iterable[int]]) -> VectorDelta:
    """What is missing from the vectors `held` (ids by kind), and what is in them and should not be."""
    facts = _fact_ids(state.fact_items)
    wanted = _items(state, facts)
    have = {kind: set(held.get(kind, ())) for kind in wanted}
    return VectorDelta(
        add={kind: {key: item for key, item in wanted[kind].items() if key not in have[kind]} for kind in wanted},
        facts={key: fact for key, fact in facts.items() if key not in have["fact"]},
        remove={kind: have[kind] - wanted[kind].keys() for kind in wanted},
    )


def missing(
    table: TripleTable, passages: Iterable[Passage], held: Mapping[str, Ids], *, size: int
) -> Iterator[VectorDelta]:
    """As `delta_of_state` for a whole graph, in parts of little more than `size` vectors, so that memory holds one part
    and not all: what comes in the order in which it can be made, what goes with the last part, which may be empty.

    held: the ids that there are, by kind, ascending. Beside a part there are the graph and 8 bytes a vector.
    """
    seen: dict[str, list[Ids]] = {kind: [_NO_IDS] for kind in KINDS}
    delta = _nothing()
    for kind, items, facts in _blocks(table, passages):
        ids = np.array(list(items), np.int64)
        seen[kind].append(ids)
        lacking = ids[~_among(ids, held.get(kind, _NO_IDS))].tolist()
        delta.add[kind].update((key, items[key]) for key in lacking)
        delta.facts.update((key, facts[key]) for key in lacking if kind == "fact")
        if sum(map(len, delta.add.values())) >= size:
            yield delta
            delta = _nothing()
    for kind, ids in held.items():
        delta.remove[kind].update(np.setdiff1d(ids, np.concatenate(seen[kind])).tolist())
    yield delta


def _blocks(
    table: TripleTable, passages: Iterable[Passage]
) -> Iterator[tuple[str, dict[int, Item], dict[int, FactItem]]]:
    """(kind, items, facts) of all that is to have a vector, a block of a kind at a time; facts come last."""
    nodes = zip(table.entities, table.entity_texts, strict=True)
    relations = zip(table.relation_terms, table.relation_texts, strict=True)
    stated = ((passage_iri(doc, start, stop), text) for doc, start, stop, text in passages)
    for kind, stream in (("entity", nodes), ("relation", relations), ("passage", stated)):
        while block := list(islice(stream, BLOCK)):
            yield kind, {_id(kind, item): item for item in block}, {}
    columns = np.stack([table.heads, table.relations, table.tails], axis=1)
    for start in range(0, len(columns), BLOCK):
        facts = _fact_ids(_fact(table, *row) for row in columns[start : start + BLOCK].tolist())
        yield "fact", {key: _fact_item(fact) for key, fact in facts.items()}, facts


def _fact(table: TripleTable, head: int, relation: int, tail: int) -> FactItem:
    terms, texts = table.entities, table.entity_texts
    said = table.relation_terms[relation], table.relation_texts[relation]
    return (terms[head], texts[head]), said, (terms[tail], texts[tail])


def _among(ids: Ids, stored: Ids) -> NDArray[np.bool_]:
    """Which of the ids are in an ascending array."""
    places = np.searchsorted(stored, ids)
    found = np.zeros(len(ids), np.bool_)
    inside = places < len(stored)
    found[inside] = stored[places[inside]] == ids[inside]
    return found


def fact_term(fact: FactItem) -> str:
    """What the memory of facts calls a fact: its triple as N-Triples writes it, without the dot."""
    return " ".join(fast_token(term) for term, _ in fact)


def _fact_item(fact: FactItem) -> Item:
    return fact_term(fact), " ".join(text for _, text in fact)


def _fact_ids(facts: Iterable[FactItem]) -> dict[int, FactItem]:
    return {vector_id("fact", fact_term(fact), *(text for _, text in fact)): fact for fact in facts}


def _items(side: Side, facts: Mapping[int, FactItem]) -> dict[str, dict[int, Item]]:
    passages = [(passage_iri(doc, start, stop), text) for doc, start, stop, text in side.passages]
    return {
        "entity": {_id("entity", item): item for item in side.nodes.items()},
        "relation": {_id("relation", item): item for item in side.relations.items()},
        "fact": {key: _fact_item(fact) for key, fact in facts.items()},
        "passage": {_id("passage", item): item for item in passages},
    }


def _id(kind: str, item: Item) -> int:
    return vector_id(kind, *item)


def apply_vectors(
    memory: Path,
    refs: Mapping[str, MemoryRefs],
    delta: VectorDelta,
    embedder: Embedder,
    *,
    generation: str,
    options: IndexOptions,
) -> dict[str, MemoryRefs]:
    """Writes the delta under memory/<kind>/ and returns the refs of every kind; nothing counts until they are
    committed."""
    result: dict[str, MemoryRefs] = {}
    for kind in KINDS:
        held = refs.get(kind) or MemoryRefs(embedder.width, embedder.name)
        items = delta.add[kind]
        if not items and not delta.remove[kind]:
            result[kind] = held
            continue
        vectors = (
            _compose(memory, result, list(delta.facts.values())) if kind == "fact"
            else embed_texts(embedder, [text for _, text in items.values()])
        )  # fmt: skip
        (memory / kind).mkdir(parents=True, exist_ok=True)
        result[kind] = apply_delta(
            memory / kind, held, generation=generation, add_ids=list(items), add_vectors=vectors,
            add_items=list(items.values()), remove_ids=sorted(delta.remove[kind]), options=options,
        )  # fmt: skip
    return result


def embed_texts(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """Unit vectors [n, width] of the texts, each different text embedded once, short ones together."""
    places: dict[str, int] = {}
    rows = np.array([places.setdefault(text, len(places)) for text in texts], dtype=np.int64)
    distinct = list(places)
    order = np.argsort([len(text) for text in distinct], kind="stable")
    vectors = np.empty((len(distinct), embedder.width), np.float32)
    with progress("embedding", len(distinct)) as advance:
        for start in range(0, len(distinct), BLOCK):
            block = order[start : start + BLOCK]
            vectors[block] = embedder.embed([distinct[index] for index in block])
            advance(len(block))
    return vectors[rows]


def _compose(memory: Path, refs: Mapping[str, MemoryRefs], facts: Sequence[FactItem]) -> Vectors:
    """unit(head + relation + tail) for each fact: [n, width]."""
    if not facts:
        return np.empty((0, refs["entity"].width), np.float32)
    total = np.zeros((len(facts), refs["entity"].width), np.float32)
    for part, kind in enumerate(("entity", "relation", "entity")):
        ids = np.array([_id(kind, fact[part]) for fact in facts], np.int64)
        distinct, rows = np.unique(ids, return_inverse=True)
        stored = LongTermMemory.open(memory / kind, refs[kind], device="cpu")
        vectors = stored.get(distinct)
        for start in range(0, len(facts), BLOCK):
            total[start : start + BLOCK] += vectors[rows[start : start + BLOCK]]
    norms = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(norms > 1e-6, total / np.maximum(norms, 1e-6), vectors[rows])
