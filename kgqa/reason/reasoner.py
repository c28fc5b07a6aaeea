"""The reasoner: which entities answer a question, by following relations from its topics for a few hops.

    p_0 = the topic's candidates                                        [E, B]
    p_t = min(1, follow(p_{t-1}, relations_t)) * prod_s (1 - g_{t,s} p_s)     for s = 0 .. t-1
    walk = sum_t stop_t prod_{s<t} (1 - stop_s) p_t
    answer = product over the question's topics of (1 - a_k (1 - walk_k))

Nothing here is learned per entity or per relation: a graph that was never seen is answered the moment it is loaded.
"""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from kgqa.errors import ConfigError
from kgqa.memory.short_term import Allocator
from kgqa.reason.encoder import QuestionEncoder, summary
from kgqa.reason.follow import EdgeIndex, follow, ways
from kgqa.reason.instructions import Handed, Hop, Instructions, Reading
from kgqa.reason.tokens import TokenEncoder, pooled
from kgqa.reason.types import Filters, TypeFilter, Types, passing


class Walks(NamedTuple):
    """A batch: Q questions, each with one walk or more; a walk starts at one topic. B walks in all."""

    texts: list[str]
    """[B] the question with its topics as placeholders."""
    topic_rank: Tensor  # [B] which placeholder this walk starts from, from 1; 0 when the topic is not in the text
    start_entity: Tensor  # [S] candidates of all topics: the entity,
    start_walk: Tensor  # [S] the walk it belongs to,
    start_weight: Tensor  # [S] and its probability
    question: Tensor  # [B] the question a walk belongs to, ascending
    num_questions: int
    handed: Handed | None = None
    """With the Q questions, to a reasoner that reads any."""


class Reasoning(NamedTuple):
    """What the reasoner did, and what came out."""

    answers: Tensor  # [E, Q] in [0, 1]: how far the entity is an answer
    hops: list[Hop]
    reached: list[Tensor]  # per step, the topic first: [E, B] in [0, 1]
    stops: Tensor  # [T, B] probability that the walk ends at hop t; columns sum to 1
    constraint: Tensor  # [B] how far the walk must hold (1 for the only walk of a question)


class Told(NamedTuple):
    """What a walker was told, hop by hop, and what is made of where it came."""

    hops: list[Hop]
    stops: Tensor  # [T, B]
    constraint: Tensor  # [B]
    filters: Filters | None
    """None where nothing is known of types, or the reasoner does not ask."""


class Reasoner(nn.Module):
    """Question encoder, instructions and hops; the sizes are conf/reasoner's."""

    def __init__(
        self,
        token_encoder: TokenEncoder,
        *,
        width: int = 128,
        num_layers: int = 1,
        num_heads: int = 4,
        max_hops: int = 3,
        num_slots: int = 8,
        num_reads: int = 1,
        allocator: Allocator = "dnc",
        use_memory: bool = True,
        use_exclusion: bool = True,
        use_types: bool = False,
        dropout: float = 0.1,
        num_facts: int = 0,
        num_passages: int = 0,
        fact_width: int = 0,
        window: int | None = None,
    ) -> None:
        """num_facts, num_passages: slots that hold facts and passages of the long-term memory before the first hop,
        vectors of `fact_width`. window: tokens to each side that a token of a question attends to; None: all. Raises
        ConfigError where what the hops write would find no slot beside them."""
        super().__init__()
        num_handed = num_facts + num_passages
        if num_handed and (not use_memory or num_handed + max_hops - 1 > num_slots):
            raise ConfigError(
                f"reasoner.num_facts is {num_facts}, reasoner.num_passages {num_passages}: with {max_hops} hops that "
                f"needs use_memory=true and num_slots={num_handed + max_hops - 1} or more, here are "
                f"use_memory={use_memory} and {num_slots}"
            )
        self.token_encoder = token_encoder
        self.max_hops, self.use_exclusion = max_hops, use_exclusion
        self.question_encoder = QuestionEncoder(
            token_encoder.width, width=width, num_layers=num_layers, num_heads=num_heads, dropout=dropout,
            window=window,
        )  # fmt: skip
        self.instructions = Instructions(
            token_encoder.width,
            width=width,
            num_heads=num_heads,
            max_hops=max_hops,
            num_slots=num_slots,
            num_reads=num_reads,
            allocator=allocator,
            use_memory=use_memory,
            dropout=dropout,
            num_facts=num_facts,
            num_passages=num_passages,
            fact_width=fact_width,
        )
        self.type_filter = TypeFilter(token_encoder.width, width) if use_types else None
        self.constraint = nn.Linear(2 * width, 1)
        nn.init.constant_(self.constraint.bias, 2.0)  # every topic counts until one is learned not to

    def relation_features(self, texts: list[str]) -> Tensor:
        """What the scorer sees of each relation: `[R, D]`, unit rows."""
        return pooled(self.token_encoder(texts))

    def instruct(self, walks: Walks, relations: Tensor, walker: "Walker", types: Types | None = None) -> Told:
        """Tell `walker` where to go, hop by hop.

        `relations: [R, D]` are the features of the graph's relations. Equal wordings are encoded once.
        """
        keys = list(zip(walks.texts, walks.topic_rank.tolist(), strict=True))
        distinct = {key: row for row, key in enumerate(dict.fromkeys(keys))}
        rows = torch.tensor([distinct[key] for key in keys], device=relations.device)
        tokens = self.token_encoder([text for text, _ in distinct])
        ranks = torch.tensor([rank for _, rank in distinct], device=relations.device)
        states = self.question_encoder(tokens, ranks)
        question = summary(states, tokens, ranks)
        reading = Reading(*(part[rows] for part in self.instructions.read(question, states, tokens)))
        handed = None if walks.handed is None else Handed(*(part[walks.question] for part in walks.handed))
        carried = self.instructions.begin(reading.question, handed)
        hops, stops, around = [], [], walker.around()
        for step in range(self.max_hops):
            hop, carried = self.instructions(step, reading, carried, relations, around)
            walker.follow(hop)
            hops.append(hop)
            if step + 1 < self.max_hops:
                around = walker.around()
                stops.append(self.instructions.stop(reading, hop, relations, around))
        constraint = torch.sigmoid(self.constraint(reading.question)).squeeze(-1)
        filters = None
        if self.type_filter is not None and types is not None:
            filters = self.type_filter(hops, reading, self.relation_features(types.texts))
        return Told(hops, _stop_distribution(stops, like=constraint), constraint, filters)

    def forward(self, walks: Walks, edges: EdgeIndex, relations: Tensor, types: Types | None = None) -> Reasoning:
        """Answer a batch over the graph `edges`, whose relations have the features `relations: [R, D]`."""
        walker = DenseWalker(walks, edges, use_exclusion=self.use_exclusion)
        hops, stops, constraint, filters = self.instruct(walks, relations, walker, types)
        walk = torch.zeros_like(walker.reached[0])
        for step, (stop, arrived) in enumerate(zip(stops, walker.reached[1:], strict=True)):
            ended = stop * arrived
            walk = walk + (ended if filters is None or types is None else ended * passing(filters, types, step))
        constraint = relative_constraint(constraint, walks.question, walks.num_questions)
        answers = combine(walk, constraint, walks.question, walks.num_questions)
        return Reasoning(answers, hops, walker.reached, stops, constraint)


class Walker(Protocol):
    """Takes a batch of walks over a graph: with dense weights in training, over what is reached in answering."""

    def around(self) -> Tensor:
        """The share of each walk's weight at which each directed relation leads on, `[B, 2R]`, without gradient."""
        ...

    def follow(self, hop: Hop) -> None:
        """Go one hop."""
        ...


class DenseWalker:
    """Weights of all entities, `[E, B]` a step, the topics first; gradients pass through every hop."""

    def __init__(self, walks: Walks, edges: EdgeIndex, *, use_exclusion: bool) -> None:
        start = walks.start_weight.new_zeros(edges.num_entities, len(walks.texts))
        start[walks.start_entity, walks.start_walk] = walks.start_weight
        self.reached = [start]
        self.edges, self.use_exclusion = edges, use_exclusion

    def around(self) -> Tensor:
        """See `Walker`."""
        return ways(self.reached[-1], self.edges)

    def follow(self, hop: Hop) -> None:
        """See `Walker`."""
        arrived = saturate(follow(self.reached[-1], hop.relations.T.contiguous(), self.edges))
        if self.use_exclusion:
            for step, earlier in enumerate(self.reached):
                arrived = arrived * (1 - hop.exclude[:, step] * earlier)
        self.reached.append(arrived)


def saturate(weights: Tensor) -> Tensor:
    """min(1, x) in value; above 1 the gradient is that of log x, so that many paths can still be told to be too many.

    The trick is TransferNet's (Shi et al. 2021, section 3.3).
    """
    return weights / weights.detach().clamp(min=1)


def _stop_distribution(stops: list[Tensor], *, like: Tensor) -> Tensor:
    """Where walks end, `[T, B]`: from the stop probabilities `[B]` of all hops but the last, which takes the rest."""
    going_on = [torch.ones_like(like)]
    for stop in stops:
        going_on.append(going_on[-1] * (1 - stop))
    return torch.stack([on * stop for on, stop in zip(going_on, [*stops, torch.ones_like(like)], strict=True)])


def relative_constraint(constraint: Tensor, question: Tensor, num_questions: int) -> Tensor:
    """How far each walk must hold, `[B]`, against the strongest of its question, which counts fully.

    So a question never loses all its constraints, and a topic that is alone always counts.
    """
    strongest = constraint.new_zeros(num_questions).scatter_reduce(0, question, constraint, "amax", include_self=False)
    return constraint / strongest[question].clamp(min=1e-6)


def combine(walk: Tensor, constraint: Tensor, question: Tensor, num_questions: int) -> Tensor:
    """What all topics of a question agree on: prod_k (1 - a_k (1 - walk_k)), `[E, B], [B], [B] -> [E, Q]`."""
    if len(question) == num_questions:
        return walk
    kept = 1 - constraint * (1 - walk)
    counts = torch.bincount(question, minlength=num_questions).tolist()
    ends = torch.tensor(counts).cumsum(0).tolist()
    return torch.stack([kept[:, end - count : end].prod(dim=1) for end, count in zip(ends, counts, strict=True)], dim=1)


def confidence(best: Tensor, stops: Tensor, question: Tensor) -> Tensor:
    """How sure a question's best answer is, `[Q]` in [0, 1]: its weight a hop, the mean over its longest walk.

    The weight itself is a product over hops, so that it is low for a long walk of steps that are each certain. Against
    the mean of a hop one threshold serves all. `best: [Q]` weights, `stops: [T, B]`, `question: [B]`.
    """
    depth = (stops * torch.arange(1, len(stops) + 1, device=stops.device).unsqueeze(1)).sum(0)
    longest = depth.new_ones(len(best)).scatter_reduce(0, question, depth, "amax")
    return best ** (1 / longest)
