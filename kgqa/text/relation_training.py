"""The relation reader's network in torch, its loss, and its training; what it leaves is what relation_net.py reads.

Mentions and relations are learned together. A pair's loss counts only the properties that its passage was read for.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kgqa.text import mention_tags, relation_net
from kgqa.text.mention_tags import PRONOUN, Mentioned
from kgqa.text.relation_net import Floats, Ints, Tokens

UNKNOWN = -100
"""The tag of a token of which it is not known what it is."""
_TYPES = PRONOUN + 1


@dataclass(slots=True)
class Example:
    """A passage of T tokens with what is known of it."""

    tokens: Tokens
    words: list[str]
    tags: Ints
    """[T], places in mention_tags.TAGS, or UNKNOWN."""
    mentions: list[Mentioned]
    """Given ones."""
    stated: dict[tuple[int, int], set[int]]
    """(head, tail) among `mentions` -> properties."""
    read_for: tuple[int, ...] = ()
    """The properties of which it is known where they do not hold."""
    open_ended: bool = False
    """Whether it may hold mentions beside the given ones; then those that are tagged are counter-examples."""
    doubtful: frozenset[tuple[int, int, int]] = frozenset()
    """(head, tail, property) of which it is not known whether it holds."""
    entities: Sequence[int] = ()
    """Whom each of `mentions` names, where facts join entities and not mentions."""
    facts: frozenset[tuple[int, int, int]] = frozenset()
    """(head, tail, property) of entities."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs of one passage. `pairs`: [P, 2]; `targets`: [P, properties], 0 or 1; `known`: the weight of each."""

    mentions: list[Mentioned]
    pairs: Ints
    targets: Floats
    known: Floats


class Block(nn.Module):
    """A convolution of width three with a residual."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.mix = nn.LayerNorm(width), nn.Linear(3 * width, width)
        self.dropout, self._dilation = nn.Dropout(dropout), dilation

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """[B, T, width]; `mask`: [B, T, 1]."""
        reach, length = self._dilation, x.shape[1]
        y = self.norm(x) * mask
        padded = F.pad(y, (0, 0, reach, reach))
        mixed = self.mix(torch.cat([padded[:, :length], y, padded[:, 2 * reach :]], dim=-1))
        return torch.as_tensor(x + self.dropout(F.relu(mixed)) * mask)


class TrainedNet(nn.Module):
    """relation_net.RelationNet with gradients, over batches; its state dict's names are the same."""

    def __init__(
        self, width: int, num_classes: tuple[int, int, int], num_properties: int, *, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        sizes = (16, 32, 32)
        self.classes = nn.ModuleList(nn.Embedding(num, size) for num, size in zip(num_classes, sizes, strict=True))
        self.input, self.input_norm = nn.Linear(width + sum(sizes), hidden), nn.LayerNorm(hidden)
        self.blocks = nn.ModuleList(Block(hidden, reach, dropout / 2) for reach in relation_net.DILATIONS)
        self.output_norm, self.tags = nn.LayerNorm(hidden), nn.Linear(hidden, len(mention_tags.TAGS))
        self.head, self.tail = nn.Linear(3 * hidden, hidden), nn.Linear(3 * hidden, hidden)
        self.between = nn.Linear(hidden, hidden)
        self.types = nn.Embedding(_TYPES * _TYPES, hidden)
        self.distance = nn.Embedding(2 * relation_net.DISTANCES, hidden)
        self.sentences = nn.Embedding(relation_net.MOST_SENTENCES + 1, hidden)
        self.query, self.key, self.value = (nn.Linear(hidden, hidden) for _ in range(3))
        self.pair_norm, self.pair = nn.LayerNorm(hidden), nn.Linear(hidden, hidden)
        self.properties = nn.Linear(hidden, num_properties)
        nn.init.constant_(self.properties.bias, -3.0)  # most pairs are not related
        self.dropout = nn.Dropout(dropout)

    def encode(self, vectors: Tensor, classes: Tensor, mask: Tensor) -> Tensor:
        """[B, T, width], [B, T, 3], [B, T, 1] -> [B, T, hidden]."""
        embedded = [table(classes[..., place]) for place, table in enumerate(self.classes)]
        x = self.input(self.dropout(torch.cat([vectors, *embedded], dim=-1)))
        x = self.dropout(F.relu(self.input_norm(x))) * mask
        for block in self.blocks:
            x = block(x, mask)
        return torch.as_tensor(self.dropout(self.output_norm(x)))

    def pair_scores(self, hidden: Tensor, mask: Tensor, passages: Sequence[tuple[Tokens, Pairs]]) -> Tensor:
        """[sum of P, properties] of the pairs of all passages, in order; see relation_net.RelationNet.pair_scores."""
        mentions, pairs = _joined(passages)
        length = hidden.shape[1]
        row, start, end = mentions[:, 0], mentions[:, 1], mentions[:, 2]
        flat, sums = hidden.flatten(0, 1), F.pad(hidden.cumsum(1), (0, 0, 1, 0)).flatten(0, 1)
        at, at_sum = row * length, row * (length + 1)
        means = (sums[at_sum + end] - sums[at_sum + start]) / (end - start)[:, None]
        ends = torch.cat([flat[at + start], flat[at + end - 1], means], dim=1)
        one, other = pairs[:, 0], pairs[:, 1]
        begin, stop = map(
            torch.as_tensor,
            relation_net.gap((start[one].numpy(), end[one].numpy()), (start[other].numpy(), end[other].numpy())),
        )
        between = (sums[at_sum[one] + stop] - sums[at_sum[one] + begin]) / (stop - begin).clamp(min=1)[:, None]
        bucket = relation_net.distance_bucket((stop - begin).numpy(), (start[one] < start[other]).numpy())
        apart = (mentions[one, 4] - mentions[other, 4]).abs().clamp(max=relation_net.MOST_SENTENCES)
        z = self.head(ends)[one] + self.tail(ends)[other] + self.between(between)
        z = z + self.types(mentions[one, 3] * _TYPES + mentions[other, 3])
        z = z + self.distance(torch.as_tensor(bucket)) + self.sentences(apart)
        z = z + self._attended(z, row[one], hidden, mask)
        z = self.dropout(F.relu(self.pair_norm(z)))
        return torch.as_tensor(self.properties(z + F.relu(self.pair(z))))

    def _attended(self, pairs: Tensor, row: Tensor, hidden: Tensor, mask: Tensor) -> Tensor:
        """[P, hidden]: what each pair attends to in its passage; rows of pairs are padded to one length."""
        (batch, length, width), heads = hidden.shape, relation_net.HEADS
        counts = torch.bincount(row, minlength=batch)
        place = torch.arange(len(row)) - (counts.cumsum(0) - counts)[row]
        most = int(counts.max())
        queries = pairs.new_zeros(batch, most, width)
        queries[row, place] = self.query(F.relu(pairs))
        q, k, v = (
            part.view(batch, -1, heads, width // heads).transpose(1, 2)
            for part in (queries, self.key(hidden), self.value(hidden))
        )
        scores = q @ k.transpose(2, 3) / math.sqrt(width // heads)
        scores = scores.masked_fill(mask.view(batch, 1, 1, length) == 0, -1e9)
        read = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, most, width)
        return read[row, place]


def _joined(passages: Sequence[tuple[Tokens, Pairs]]) -> tuple[Tensor, Tensor]:
    """All mentions [M, 5] (passage, start, end, type, sentence) and pairs [P, 2] as one table each."""
    mentions, pairs, offset = [], [], 0
    for row, (tokens, of) in enumerate(passages):
        mentions += [(row, start, end, kind, int(tokens.sentences[start])) for start, end, kind in of.mentions]
        pairs.append(of.pairs + offset)
        offset += len(of.mentions)
    return torch.tensor(mentions), torch.as_tensor(np.concatenate(pairs))


def padded(examples: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Vectors [B, T, width], classes [B, T, 3], mask [B, T, 1] and tags [B, T] of a batch."""
    length = max(len(example.words) for example in examples)
    vectors = np.zeros((len(examples), length, examples[0].tokens.vectors.shape[1]), np.float32)
    classes = np.zeros((len(examples), length, 3), np.int64)
    mask = np.zeros((len(examples), length, 1), np.float32)
    tags = np.full((len(examples), length), UNKNOWN)
    for row, example in enumerate(examples):
        size = len(example.words)
        vectors[row, :size], classes[row, :size] = example.tokens.vectors, example.tokens.classes
        mask[row, :size], tags[row, :size] = 1, example.tags
    return torch.as_tensor(vectors), torch.as_tensor(classes), torch.as_tensor(mask), torch.as_tensor(tags)


def batches(examples: Sequence[Example], num_tokens: int, rng: random.Random) -> Iterator[list[Example]]:
    """Examples of like length together, at most `num_tokens` with the padding (or one)."""
    batch: list[Example] = []
    for example in sorted(examples, key=lambda one: len(one.words) + 6 * rng.random()):
        if batch and (len(batch) + 1) * len(example.words) > num_tokens:
            yield batch
            batch = []
        batch.append(example)
    if batch:
        yield batch
