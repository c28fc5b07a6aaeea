"""The reasoner: which entities answer a question, by following relations from its topics for a few hops.

    p_0 = the topic's candidates                                        [E, B]
    p_t = min(1, follow(p_{t-1}, relations_t)) * prod_s (1 - g_{t,s} p_s)     for s = 0 .. t-1
    walk = sum_t stop_t prod_{s<t} (1 - stop_s) p_t
    answer = product over the question's topics of (1 - a_k (1 - walk_k))

Nothing here is learned per entity or per relation: a graph that was never seen is answered the moment it is loaded.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from kgqa.memory.short_term import Allocator
from kgqa.reason.encoder import QuestionEncoder, TokenEncoder, pooled, summary
from kgqa.reason.follow import EdgeIndex, follow
from kgqa.reason.instructions import Hop, Instructions


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


class Reasoning(NamedTuple):
    """What the reasoner did, and what came out."""

    answers: Tensor  # [E, Q] in [0, 1]: how far the entity is an answer
    hops: list[Hop]
    reached: list[Tensor]  # per step, the topic first: [E, B] in [0, 1]
    stops: Tensor  # [T, B] probability that the walk ends at hop t; columns sum to 1
    constraint: Tensor  # [B] how far the walk must hold (1 for the only walk of a question)


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
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.token_encoder = token_encoder
        self.max_hops, self.use_exclusion = max_hops, use_exclusion
        self.question_encoder = QuestionEncoder(
            token_encoder.width, width=width, num_layers=num_layers, num_heads=num_heads, dropout=dropout
        )
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
        )
        self.constraint = nn.Linear(2 * width, 1)
        nn.init.constant_(self.constraint.bias, 2.0)  # every topic counts until one is learned not to

    def relation_features(self, texts: list[str]) -> Tensor:
        """What the scorer sees of each relation: `[R, D]`, unit rows."""
        return pooled(self.token_encoder(texts))

    def instruct(self, walks: Walks, relations: Tensor) -> tuple[list[Hop], Tensor, Tensor]:
        """The part that reads the question only: hops, stops `[T, B]`, constraint `[B]`. Equal rows are read once."""
        keys = list(zip(walks.texts, walks.topic_rank.tolist(), strict=True))
        distinct = {key: row for row, key in enumerate(dict.fromkeys(keys))}
        rows = torch.tensor([distinct[key] for key in keys], device=relations.device)
        tokens = self.token_encoder([text for text, _ in distinct])
        ranks = torch.tensor([rank for _, rank in distinct], device=relations.device)
        states = self.question_encoder(tokens, ranks)
        question = summary(states, tokens, ranks)
        hops = self.instructions(question, states, tokens, relations)
        constraint = torch.sigmoid(self.constraint(question)).squeeze(-1)
        stops = _stop_distribution(torch.stack([hop.stop for hop in hops]))
        return [Hop(*(part[rows] for part in hop)) for hop in hops], stops[:, rows], constraint[rows]

    def forward(self, walks: Walks, edges: EdgeIndex, relations: Tensor) -> Reasoning:
        """Answer a batch over the graph `edges`, whose relations have the features `relations: [R, D]`."""
        hops, stops, constraint = self.instruct(walks, relations)
        reached = [self._start(walks, edges)]
        walk = torch.zeros_like(reached[0])
        for hop, stop in zip(hops, stops, strict=True):
            arrived = saturate(follow(reached[-1], hop.relations.T.contiguous(), edges))
            if self.use_exclusion:
                for step, earlier in enumerate(reached):
                    arrived = arrived * (1 - hop.exclude[:, step] * earlier)
            reached.append(arrived)
            walk = walk + stop * arrived
        constraint = relative_constraint(constraint, walks.question, walks.num_questions)
        answers = combine(walk, constraint, walks.question, walks.num_questions)
        return Reasoning(answers, hops, reached, stops, constraint)

    def _start(self, walks: Walks, edges: EdgeIndex) -> Tensor:
        start = walks.start_weight.new_zeros(edges.num_entities, len(walks.texts))
        start[walks.start_entity, walks.start_walk] = walks.start_weight
        return start


def saturate(weights: Tensor) -> Tensor:
    """min(1, x) in value; above 1 the gradient is that of log x, so that many paths can still be told to be too many.

    The trick is TransferNet's (Shi et al. 2021, section 3.3).
    """
    return weights / weights.detach().clamp(min=1)


def _stop_distribution(stop: Tensor) -> Tensor:
    """Where walks end: `[T, B]` stop probabilities to a distribution over hops; the last hop takes what is left."""
    going_on = torch.cat([torch.ones_like(stop[:1]), (1 - stop[:-1]).cumprod(dim=0)])
    return going_on * torch.cat([stop[:-1], torch.ones_like(stop[:1])])


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
