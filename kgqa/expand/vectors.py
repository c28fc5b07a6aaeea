"""The long-term memory kept in step with the graph: one vector for each entity, relation, fact and passage.

A vector's id comes from its kind, term and text, so that what is called otherwise has another. A text is embedded once,
when it is new. The vector of a fact is composed of those of its parts, unit(head + relation + tail): it costs no call
of the encoder, which would be most of the time of an index, and a question that names the head and the relation lies
near it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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

BLOCK = 2048
"""Texts that go to the encoder at once."""


@dataclass(frozen=True)
class VectorDelta:
    """What changes in each kind: id -> item for what comes, ids for what goes. Facts come with their parts."""

    add: Mapping[str, Mapping[int, Item]]
    facts: Mapping[int, FactItem]
    remove: Mapping[str, set[int]]


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


def state_of(table: TripleTable, passages: Iterable[tuple[str, int, int, str]]) -> Side:
    """All that is to have a vector, from a whole graph."""
    nodes = list(zip(table.entities, table.entity_texts, strict=True))
    relations = list(zip(table.relation_terms, table.relation_texts, strict=True))
    columns = zip(table.heads.tolist(), table.relations.tolist(), table.tails.tolist(), strict=True)
    facts = [(nodes[head], relations[relation], nodes[tail]) for head, relation, tail in columns]
    return Side(nodes=dict(nodes), relations=dict(relations), fact_items=facts, passages=list(passages))


def fact_term(fact: FactItem) -> str:
    """What the memory of facts calls a fact: its triple as N-Triples writes it, without the dot."""
    return " ".join(fast_token(term) for term, _ in fact)


def _fact_ids(facts: Iterable[FactItem]) -> dict[int, FactItem]:
    return {vector_id("fact", fact_term(fact), *(text for _, text in fact)): fact for fact in facts}


def _items(side: Side, facts: Mapping[int, FactItem]) -> dict[str, dict[int, Item]]:
    passages = [(passage_iri(doc, start, stop), text) for doc, start, stop, text in side.passages]
    return {
        "entity": {_id("entity", item): item for item in side.nodes.items()},
        "relation": {_id("relation", item): item for item in side.relations.items()},
        "fact": {key: (fact_term(fact), " ".join(text for _, text in fact)) for key, fact in facts.items()},
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
    committed.

    Facts come last, since they are composed of what is stored before.
    """
    result: dict[str, MemoryRefs] = {}
    for kind in ("entity", "relation", "passage", "fact"):
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
