"""What each hop looks for: instructions by cross-attention over the question, with a memory of the hops before.

At every hop the controller attends to the question's tokens, says which relations to follow, whether to stop, and
whether to leave out where it has been. Then it writes what it did into the short-term memory, and what it reads there
shapes the next hop: the memory is the only thing that is carried from hop to hop.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kgqa.memory import short_term
from kgqa.reason.encoder import TokenStates


class Hop(NamedTuple):
    """What is to be done in one hop, for B walks over a graph of R relations."""

    relations: Tensor  # [B, 2R] weights, rows sum to at most 1: forward relations, then the same walked backward
    stop: Tensor  # [B] probability that the answers are reached with this hop, given that they were not before
    exclude: Tensor  # [B, S] for each earlier step s (0 = the topic): how far its entities are taken out after this hop
    attention: Tensor  # [B, L] over the question's tokens


class RelationScorer(nn.Module):
    """Scores relations by their text, so that one never seen in training is scored like any other."""

    def __init__(self, token_width: int, width: int) -> None:
        super().__init__()
        self.key = nn.Sequential(nn.Linear(token_width, width), nn.LayerNorm(width))
        self.wanted = nn.Linear(width, width)
        self.direction = nn.Linear(width, width)
        self.direction_bias = nn.Linear(width, 1)
        self.similarity = nn.Parameter(torch.tensor(5.0))  # weight of the untrained similarity, in logits at cosine 1
        self.none = nn.Parameter(torch.zeros(()))

    def forward(self, instruction: Tensor, attended: Tensor, relations: Tensor) -> Tensor:
        """`[B, W], [B, D], [R, D] -> [B, 2R]`; the weight that is missing to 1 goes to "no such relation"."""
        keys = self.key(relations)
        scale = keys.shape[-1] ** -0.5
        score = self.wanted(instruction) @ keys.T * scale
        score = score + self.similarity * (F.normalize(attended, dim=-1) @ F.normalize(relations, dim=-1).T)
        sense = self.direction(instruction) @ keys.T * scale + self.direction_bias(instruction)
        logits = torch.cat([score + sense, score - sense, self.none.expand(len(score), 1)], dim=-1)
        weights: Tensor = logits.softmax(dim=-1)
        return weights[:, :-1]


class Instructions(nn.Module):
    """The controller: `forward` yields one `Hop` a step."""

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
    ) -> None:
        super().__init__()
        self.num_heads, self.max_hops = num_heads, max_hops
        self.num_slots, self.num_reads, self.width = num_slots, num_reads, width
        self.allocator, self.use_memory = allocator, use_memory
        self.step = nn.Embedding(max_hops, width)
        self.query = nn.Linear((3 + num_reads) * width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.instruction = nn.Sequential(
            nn.Linear((1 + num_reads) * width, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, width)
        )
        self.norm = nn.LayerNorm(width)
        self.score = RelationScorer(token_width, width)
        self.followed = nn.Linear(token_width, width)
        self.interface = short_term.InterfaceLayer(2 * width, width=width, num_reads=num_reads)
        self.stop = nn.Linear(width, 1)
        self.exclude = nn.Linear(width, max_hops)
        nn.init.constant_(self.exclude.bias, -2.0)  # leave nothing out until it has been learned

    def forward(self, question: Tensor, states: Tensor, tokens: TokenStates, relations: Tensor) -> list[Hop]:
        """`question: [B, 2W]`, `states: [B, L, W]`, `relations: [R, D]` (features of their texts)."""
        batch_size = states.shape[0]
        memory = short_term.initial_state(
            batch_size,
            num_slots=self.num_slots,
            width=self.width,
            num_reads=self.num_reads,
            device=states.device,
            dtype=states.dtype,
        )
        reads = states.new_zeros(batch_size, self.num_reads * self.width)
        hops = []
        for step in range(self.max_hops):
            now = self.step.weight[step].expand(batch_size, -1)
            context, attention = self._attend(torch.cat([question, now, reads], dim=-1), states, tokens.mask)
            instruction = self.norm(context + self.instruction(torch.cat([context, reads], dim=-1)))
            words = (attention * (tokens.topic_rank == 0)).unsqueeze(1)
            attended = (words @ tokens.states).squeeze(1)
            weights = self.score(instruction, attended, relations)
            hops.append(
                Hop(
                    relations=weights,
                    stop=torch.sigmoid(self.stop(instruction)).squeeze(-1),
                    exclude=torch.sigmoid(self.exclude(instruction))[:, : step + 1],
                    attention=attention,
                )
            )
            if self.use_memory and step + 1 < self.max_hops:
                r = len(relations)
                followed = self.followed((weights[:, :r] + weights[:, r:]) @ relations)
                interface = self.interface(torch.cat([instruction, followed], dim=-1))
                read, memory = short_term.step(memory, interface, allocator=self.allocator)
                reads = read.flatten(1)
        return hops

    def _attend(self, query: Tensor, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Multi-head cross-attention from one query a question: context `[B, W]` and mean weights `[B, L]`."""
        batch_size, length, width = states.shape
        heads = (batch_size, self.num_heads, -1)
        queries = self.query(query).view(*heads).unsqueeze(-2)
        keys, values = self.key_value(states).view(batch_size, length, 2, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        scores = (queries @ keys.transpose(-1, -2)).squeeze(-2) * (width // self.num_heads) ** -0.5
        attention = scores.masked_fill(~mask.unsqueeze(1), -torch.inf).softmax(dim=-1)
        context = (attention.unsqueeze(-2) @ values).reshape(batch_size, width)
        return context, attention.mean(dim=1)
