"""What the network says about walks over a graph, and where that leads when it is followed with all its doubt."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from kgqa.reason.frontier import Adjacency, Floats, Frontier, Ints, choices, collect
from kgqa.reason.instructions import Hop
from kgqa.reason.paths import Walked
from kgqa.reason.reasoner import Reasoner, Walks, relative_constraint
from kgqa.reason.types import Filters, Types


class Instructed(NamedTuple):
    """What the network says about B walks of Q questions, as arrays."""

    soft: Walked
    stops: Floats  # [T, B]
    constraint: Floats  # [B], 1 for each question's strongest
    clear: Floats  # [B] weight of the relation that the wording asks for first
    question: Ints  # [B]
    first_walk: Ints  # [Q + 1]
    filters: Filters | None


class _Walker:
    """What the reasoner says, done over what is reached; a `reasoner.Walker`."""

    def __init__(self, adjacency: Adjacency, start: Frontier, num_walks: int, *, use_exclusion: bool) -> None:
        self.walked = Walked(adjacency, start)
        self.num_walks, self.use_exclusion = num_walks, use_exclusion

    def around(self) -> torch.Tensor:
        return torch.from_numpy(self.walked.adjacency.ways(self.walked.reached[-1], self.num_walks))

    def follow(self, hop: Hop) -> None:
        self.walked.follow(choices(hop.relations.numpy()), self.use_exclusion * hop.exclude.numpy())


@torch.inference_mode()
def instruct(
    reasoner: Reasoner, walks: Walks, relations: Tensor, adjacency: Adjacency, types: Types | None
) -> Instructed:
    """`relations: [R, D]`, features of the graph's relations; `types`: of its entities, where any are stated."""
    start = collect(
        walks.start_walk.numpy(), walks.start_entity.numpy(), walks.start_weight.numpy(), adjacency.num_entities
    )
    walker = _Walker(adjacency, start, len(walks.texts), use_exclusion=reasoner.use_exclusion)
    hops, stops, constraint, filters = reasoner.instruct(walks, relations, walker, types)
    constraint = relative_constraint(constraint, walks.question, walks.num_questions)
    question = walks.question.numpy()
    return Instructed(
        soft=walker.walked,
        stops=stops.numpy(),
        constraint=constraint.numpy(),
        clear=hops[0].clear.numpy(),
        question=question,
        first_walk=np.searchsorted(question, np.arange(walks.num_questions + 1)),
        filters=filters,
    )


def lacking(walked: Walked, walk: int) -> list[tuple[int, int]]:
    """What a walk's first hop follows in vain: entities where it starts, with directed relations that they have no
    fact of, the heaviest first."""
    followed, start = walked.relations[0], walked.reached[0]
    part = slice(followed.offsets[walk], followed.offsets[walk + 1])
    relation = followed.relation[part][np.argsort(-followed.weight[part], kind="stable")]
    entity = start.entity[start.row == walk]
    pairs = np.tile(entity, len(relation)), np.repeat(relation, len(entity))
    led, _ = walked.adjacency.neighbours(*pairs)
    one, by = (np.delete(column, np.unique(led)).tolist() for column in pairs)
    return list(zip(one, by, strict=True))
