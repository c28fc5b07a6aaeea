"""A filter by type: where a walk ends, what is of no type that the question asks for counts less.

    walk = sum_t stop_t p_t f_t,        f_t[v] = 1 - g_t (1 - max_{k of v} m_t[k])

The gate g_t and the match m_t of each type are learned; a type enters by its text alone, as relations do. Of an entity
without a type the match is a half. In a program, a gate above a half is one more branch: from the types that match back
to what is of them, so that SPARQL says it like any other.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kgqa.graph.ontology import RDF_TYPE
from kgqa.graph.subgraph import TripleTable, ranges
from kgqa.reason.frontier import Floats, Frontier, Ints, select
from kgqa.reason.instructions import Hop, Reading
from kgqa.reason.paths import Branch, Edge, RelationChoice
from kgqa.reason.tokens import PLACEHOLDER
from kgqa.types import Candidate, Topic

_MOST = 256
"""Types that are looked at, the commonest: their texts are read at each step of training."""
_UNKNOWN = 0.5
"""Match of an entity that the graph states no type of."""
_MATCHES = 0.5
"""Match from which a type is one that is asked for, and gate from which it is asked for at all."""


class Types(NamedTuple):
    """Which entities are of which of K types, by entity: m pairs."""

    first: Ints  # [E + 1] where each entity's pairs begin
    kind: Ints  # [m] in [0, K)
    terms: list[int]  # [K] the entity that is the type
    texts: list[str]  # [K]
    relation: int
    """rdf:type, among the graph's relations."""


def types_of(table: TripleTable) -> Types | None:
    """The types that a graph states by rdf:type; None where it states none."""
    if RDF_TYPE not in table.relation_terms:
        return None
    relation = table.relation_terms.index(RDF_TYPE)
    stated = table.relations == relation
    terms, kind, counts = np.unique(table.tails[stated], return_inverse=True, return_counts=True)
    common = np.sort(np.argsort(-counts, kind="stable")[:_MOST])
    place = np.full(len(terms), -1)
    place[common] = np.arange(len(common))
    entity, kind = table.heads[stated], place[kind]
    entity, kind = entity[kind >= 0], kind[kind >= 0]
    order = np.lexsort((kind, entity))
    first = np.searchsorted(entity[order], np.arange(len(table.entities) + 1))
    chosen = terms[common].tolist()
    return Types(first, kind[order], chosen, [table.entity_texts[term] for term in chosen], relation)


class Filters(NamedTuple):
    """What is asked for at each of T hops, of B walks and K types."""

    gate: Tensor  # [T, B] in [0, 1]
    match: Tensor  # [T, B, K] in [0, 1]


class TypeFilter(nn.Module):
    """Reads off the question of which type the answers are to be."""

    def __init__(self, token_width: int, width: int) -> None:
        super().__init__()
        self.key = nn.Sequential(nn.Linear(token_width, width), nn.LayerNorm(width))
        self.wanted = nn.Linear(width, width)
        self.look = nn.Linear(width, token_width)
        self.similarity = nn.Parameter(torch.tensor(5.0))  # weight of the untrained similarity, in logits at cosine 1
        self.bias = nn.Parameter(torch.tensor(-1.0))
        self.gate = nn.Linear(width, 1)
        nn.init.constant_(self.gate.bias, -2.0)  # all pass until it is learned that they should not

    def forward(self, hops: list[Hop], reading: Reading, types: Tensor) -> Filters:
        """`types: [K, D]` are the features of the types' texts."""
        instruction = torch.stack([hop.instruction for hop in hops])  # [T, B, W]
        keys = self.key(types)
        score = self.wanted(instruction) @ keys.T * keys.shape[-1] ** -0.5
        seen = torch.einsum("tbd,bld->tbl", self.look(instruction), reading.words) * types.shape[-1] ** -0.5
        attention = seen.masked_fill(~reading.mask, -torch.inf).softmax(-1)
        attended = torch.einsum("tbl,bld->tbd", attention, reading.words)
        score = score + self.similarity * (F.normalize(attended, dim=-1) @ F.normalize(types, dim=-1).T)
        return Filters(torch.sigmoid(self.gate(instruction)).squeeze(-1), torch.sigmoid(score + self.bias))


def passing(filters: Filters, types: Types, step: int) -> Tensor:
    """f_t of all entities, `[E, B]`."""
    match = filters.match[step].T
    counts = torch.from_numpy(np.diff(types.first)).to(match.device)
    entity = torch.arange(len(counts), device=match.device).repeat_interleave(counts)
    pairs = match[torch.from_numpy(types.kind).to(match.device)]
    unknown = match.new_full((len(counts), match.shape[1]), _UNKNOWN)
    best = unknown.scatter_reduce(0, entity[:, None].expand_as(pairs), pairs, "amax", include_self=False)
    return 1 - filters.gate[step] * (1 - best)


def passed(reached: Frontier, filters: Filters, types: Types, step: int) -> Frontier:
    """The same over what is reached alone: its weights times f_t."""
    item, place = ranges(types.first[reached.entity], types.first[reached.entity + 1])
    best = np.where(np.diff(types.first)[reached.entity] > 0, np.float32(0), np.float32(_UNKNOWN))
    np.maximum.at(best, item, filters.match[step].numpy()[reached.row[item], types.kind[place]])
    weight: Floats = reached.weight * (1 - filters.gate[step].numpy()[reached.row] * (1 - best))
    return reached._replace(weight=weight)


class Asked(NamedTuple):
    """Types of which one is asked for, as part of a program."""

    kinds: frozenset[int]
    branch: Branch


def asked(filters: Filters, types: Types, entities: list[str], *, step: int, walk: int, answer: int) -> Asked | None:
    """What a walk that ends at hop `step` asks for, if `answer`, its best one, is of such a type."""
    if filters.gate[step, walk] <= _MATCHES:
        return None
    match = filters.match[step, walk]
    kinds = frozenset(torch.nonzero(match >= _MATCHES).flatten().tolist())
    if not kinds & set(_kinds(types, answer)):
        return None
    meant = tuple(Candidate(types.texts[kind], entities[types.terms[kind]], 1.0) for kind in sorted(kinds))
    topic = Topic(PLACEHOLDER, (0, 0), meant, together=True)
    way = RelationChoice(types.relation, True, float(filters.gate[step, walk]))
    return Asked(kinds, Branch(topic, ((way,),), ((),)))


def of_asked_types(answers: Frontier, asked: list[list[Asked]], types: Types) -> Frontier:
    """The answers, by question, that are of a type of each of those that are asked for there."""
    kept = [
        all(one.kinds & set(_kinds(types, entity)) for one in asked[row]) if asked[row] else True
        for row, entity in zip(answers.row.tolist(), answers.entity.tolist(), strict=True)
    ]
    return select(answers, np.array(kept, dtype=bool))


def shown(types: Types, asked: Asked, entity: int) -> list[Edge]:
    """The fact by which an answer is of a type that is asked for."""
    kind = next(kind for kind in _kinds(types, entity) if kind in asked.kinds)
    return [(entity, types.relation, types.terms[kind], True)]


def _kinds(types: Types, entity: int) -> list[int]:
    kinds: list[int] = types.kind[types.first[entity] : types.first[entity + 1]].tolist()
    return kinds
