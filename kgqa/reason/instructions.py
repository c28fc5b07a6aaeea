"""What each hop looks for: instructions by cross-attention over the question, with a memory of the hops before.

At every hop the controller attends to the question's tokens, knowing what it did before and which relations lead on
from where it stands, and says which relations to follow, whether to leave out where it has been, and, where it has
arrived, whether to stop. It writes what it did into the short-term memory; what it reads there shapes the next hop.
Where facts or passages of the long-term memory were written there before the first hop, that has read them too.

A question alone does not say how far to walk: who died in Vienna is one hop away, who died in Austria two. The
relations around the place tell a city from a country, in a graph that was never seen as in one that was.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kgqa.memory import short_term
from kgqa.memory.interface import InterfaceLayer, ReadLayer
from kgqa.reason.tokens import TokenStates


class Hop(NamedTuple):
    """What is to be done in one hop, for B walks over a graph of R relations."""

    relations: Tensor  # [B, 2R] weights, rows sum to at most 1: forward relations, then the same walked backward
    exclude: Tensor  # [B, S] for each earlier step s (0 = the topic): how far its entities are taken out after this hop
    attention: Tensor  # [B, L] over the question's tokens
    instruction: Tensor  # [B, W]
    clear: Tensor  # [B] weight of the relation that the wording alone asks for most, wherever it leads; no gradient


class Reading(NamedTuple):
    """B questions as the controller sees them."""

    question: Tensor  # [B, 2W] summary
    keys: Tensor  # [B, heads, L, W / heads]
    values: Tensor  # [B, heads, L, W / heads]
    words: Tensor  # [B, L, D] token states as the token encoder gave them, placeholders zero
    mask: Tensor  # [B, L] bool, True on tokens


class Handed(NamedTuple):
    """What the long-term memory has nearest to each of n questions: facts, then passages, each the nearest first."""

    ids: Tensor  # [n, K] int64, K = num_facts + num_passages; -1 where there are fewer
    vectors: Tensor  # [n, K, V] as they are stored, zero where there are fewer


class Carried(NamedTuple):
    """What one hop hands to the next: nothing but the short-term memory, and what was read from it."""

    memory: short_term.MemoryState
    reads: Tensor  # [B, reads * W]


class RelationScorer(nn.Module):
    """Scores relations by their text, so that one never seen in training is scored like any other."""

    def __init__(self, token_width: int, width: int) -> None:
        super().__init__()
        self.key = nn.Sequential(nn.Linear(token_width, width), nn.LayerNorm(width))
        self.wanted = nn.Linear(width, width)
        self.direction = nn.Linear(width, width)
        self.direction_bias = nn.Linear(width, 1)
        self.similarity = nn.Parameter(torch.tensor(5.0))  # weight of the untrained similarity, in logits at cosine 1
        self.around = nn.Parameter(torch.tensor(2.0))  # weight of there being such a relation where the walk stands
        self.none = nn.Parameter(torch.zeros(()))

    def forward(
        self, instruction: Tensor, attended: Tensor, relations: Tensor, around: Tensor
    ) -> tuple[Tensor, Tensor]:
        """`[B, W], [B, D], [R, D], [B, 2R] -> [B, 2R]` weights; what is missing to 1 goes to "no such relation". And
        `[B]`: how clearly the wording asks for one relation, in whichever direction, were nothing known of the place.
        """
        keys = self.key(relations)
        scale = keys.shape[-1] ** -0.5
        score = self.wanted(instruction) @ keys.T * scale
        score = score + self.similarity * (F.normalize(attended, dim=-1) @ F.normalize(relations, dim=-1).T)
        sense = self.direction(instruction) @ keys.T * scale + self.direction_bias(instruction)
        directed = torch.cat([score + sense, score - sense], dim=-1)
        none = self.none.expand(len(score), 1)
        weights: Tensor = torch.cat([directed + self.around * around, none], dim=-1).softmax(dim=-1)
        worded = torch.cat([directed, none], dim=-1).detach().softmax(dim=-1)
        r = len(relations)
        return weights[:, :-1], (worded[:, :r] + worded[:, r : 2 * r]).amax(dim=-1)


class Instructions(nn.Module):
    """The controller: `read` the questions and `begin`, then `forward` and `stop` hop by hop."""

    def __init__(
        self,
        token_width: int,
        *,
        width: int,
        num_heads: int,
        max_hops: int,
        num_slots: int,
        num_reads: int,
        allocator: short_term.Allocator,
        use_memory: bool,
        dropout: float,
        num_facts: int = 0,
        num_passages: int = 0,
        fact_width: int = 0,
    ) -> None:
        super().__init__()
        self.num_facts, self.num_passages = num_facts, num_passages
        self.num_heads, self.max_hops = num_heads, max_hops
        self.num_slots, self.num_reads, self.width = num_slots, num_reads, width
        self.allocator, self.use_memory = allocator, use_memory
        self.step = nn.Embedding(max_hops, width)
        self.here = nn.Sequential(nn.Linear(2 * token_width, width), nn.LayerNorm(width))
        self.query = nn.Linear((4 + num_reads) * width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.instruction = nn.Sequential(
            nn.Linear((2 + num_reads) * width, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width)
        )
        self.norm = nn.LayerNorm(width)
        self.score = RelationScorer(token_width, width)
        self.followed = nn.Linear(token_width, width)
        self.interface = InterfaceLayer(2 * width, width=width, num_reads=num_reads)
        self.arrived = nn.Sequential(nn.Linear(4 * width, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, 1))
        self.exclude = nn.Linear(width, max_hops)
        nn.init.constant_(self.exclude.bias, -2.0)  # leave nothing out until it has been learned
        if num_facts:
            self.remembered = nn.Linear(fact_width, width)
        if num_passages:
            self.quoted = nn.Linear(fact_width, width)
        if num_facts or num_passages:
            self.recall = ReadLayer(2 * width, width=width, num_reads=num_reads)

    def read(self, question: Tensor, states: Tensor, tokens: TokenStates) -> Reading:
        """From the summary `[B, 2W]` and the states `[B, L, W]` of the questions' tokens."""
        batch_size, length, _ = states.shape
        projected = self.key_value(states).view(batch_size, length, 2, self.num_heads, -1)
        keys, values = projected.permute(2, 0, 3, 1, 4)
        words = tokens.states * (tokens.topic_rank == 0).unsqueeze(-1)
        return Reading(question, keys, values, words, tokens.mask)

    def begin(self, question: Tensor, handed: Handed | None = None) -> Carried:
        """The memory before the first hop, for the summaries `[B, 2W]` of questions: empty, or with what they are
        handed in its first slots, and what the questions read of it."""
        memory = short_term.initial_state(
            len(question), num_slots=self.num_slots, width=self.width, num_reads=self.num_reads,
            device=question.device, dtype=question.dtype,
        )  # fmt: skip
        if handed is None:
            return Carried(memory, question.new_zeros(len(question), self.num_reads * self.width))
        memory = short_term.primed(memory, self._first_contents(handed.vectors), handed.ids >= 0)
        # Where nothing was handed, all slots are empty, and it does not matter which are read.
        there = memory.usage > 0
        there = there | ~there.any(-1, keepdim=True)
        # Without links: nothing was written after anything, so there is only content to go by.
        read, after = short_term.read(
            memory._replace(link=None), self.recall(question), allocator=self.allocator, present=there
        )
        return Carried(after._replace(link=memory.link), read.flatten(1))

    def _first_contents(self, vectors: Tensor) -> Tensor:
        """`[B, K, V] -> [B, K, W]`: facts and passages each by a layer of their own, since they are not told alike."""
        contents = [self.remembered(vectors[:, : self.num_facts])] if self.num_facts else []
        contents += [self.quoted(vectors[:, self.num_facts :])] if self.num_passages else []
        return torch.cat(contents, dim=1)

    def forward(
        self, step: int, reading: Reading, carried: Carried, relations: Tensor, around: Tensor
    ) -> tuple[Hop, Carried]:
        """Hop number `step` (from 0). `relations: [R, D]` are features of the relations' texts, `around: [B, 2R]` says
        at which share of the walk's weight each relation leads on.
        """
        r = len(relations)
        now = self.step.weight[step].expand(len(around), -1)
        here = self._surroundings(relations, around)
        context, attention = self._attend(torch.cat([reading.question, now, carried.reads, here], dim=-1), reading)
        instruction = self.norm(context + self.instruction(torch.cat([context, carried.reads, here], dim=-1)))
        attended = (attention.unsqueeze(1) @ reading.words).squeeze(1)
        weights, clear = self.score(instruction, attended, relations, around)
        hop = Hop(
            relations=weights,
            exclude=torch.sigmoid(self.exclude(instruction))[:, : step + 1],
            attention=attention,
            instruction=instruction,
            clear=clear,
        )
        if self.use_memory and step + 1 < self.max_hops:
            followed = self.followed((weights[:, :r] + weights[:, r:]) @ relations)
            interface = self.interface(torch.cat([instruction, followed], dim=-1))
            read, memory = short_term.step(carried.memory, interface, allocator=self.allocator)
            carried = Carried(memory, read.flatten(1))
        return hop, carried

    def stop(self, reading: Reading, hop: Hop, relations: Tensor, around: Tensor) -> Tensor:
        """Probability `[B]` that the answers are what `hop` has arrived at, where `around` leads on: a town is asked
        for, and this is one.
        """
        here = self._surroundings(relations, around)
        stop: Tensor = torch.sigmoid(self.arrived(torch.cat([reading.question, hop.instruction, here], dim=-1)))
        return stop.squeeze(-1)

    def _surroundings(self, relations: Tensor, around: Tensor) -> Tensor:
        r = len(relations)
        here: Tensor = self.here(torch.cat([_mean(around[:, :r], relations), _mean(around[:, r:], relations)], dim=-1))
        return here

    def _attend(self, query: Tensor, reading: Reading) -> tuple[Tensor, Tensor]:
        """Multi-head cross-attention from one query a question: context `[B, W]` and mean weights `[B, L]`."""
        queries = self.query(query).view(len(query), self.num_heads, -1).unsqueeze(-2)
        scores = (queries @ reading.keys.transpose(-1, -2)).squeeze(-2) * (self.width // self.num_heads) ** -0.5
        attention = scores.masked_fill(~reading.mask.unsqueeze(1), -torch.inf).softmax(dim=-1)
        context = (attention.unsqueeze(-2) @ reading.values).reshape(len(query), self.width)
        return context, attention.mean(dim=1)


def _mean(weights: Tensor, rows: Tensor) -> Tensor:
    """`[B, R], [R, D] -> [B, D]`; zero where there is no weight."""
    return weights @ rows / weights.sum(-1, keepdim=True).clamp(min=1e-6)
