"""A teacher for the shipped pipeline: a pretrained encoder (kgqa/memory/bert.py) that reads names, tags and trees.

On one encoder: tags, parts of speech, names (BIO) and starts of sentences by a linear layer each, and trees by deep
biaffine attention (Dozat and Manning, ICLR 2017) among the words of a sentence. A word is the mean of its pieces'
states, mixed over all layers; how it is written is added, since the encoder knows no capitals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kgqa.text.nlp_corpus import ENTITY_LABELS
from kgqa.text.relation_reader import shape_of
from kgqa.text.teacher_corpus import Group
from kgqa.text.treebank import EntitySpan
from kgqa.text.wordpieces import split

UNKNOWN = -100
NAME_TAGS = ("O", *(f"{part}-{label}" for label in ENTITY_LABELS for part in "BI"))
MOST_PIECES = 510
"""Of a group, beside [CLS] and [SEP]: what BERT's positions allow."""
_SHAPES = 9
_ARCS, _LABELS = 256, 128
"""Widths of the two biaffine layers."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What the numbers mean."""

    tags: tuple[str, ...]
    pos: tuple[str, ...]
    deps: tuple[str, ...]

    @classmethod
    def of(cls, groups: Sequence[Group]) -> "Labels":
        """Those of all parsed sentences."""
        parsed = [one.parsed for group in groups for one in group if one.parsed is not None]
        return cls(*(tuple(sorted({x for one in parsed for x in getattr(one, k)})) for k in ("tags", "pos", "deps")))


@dataclass(frozen=True, slots=True)
class Lesson:
    """A group of T words and L pieces as numbers; targets are UNKNOWN where nothing is known."""

    pieces: Tensor
    """[L], with [CLS] and [SEP]."""
    word_of: Tensor
    """[L]: the word that a piece belongs to, counted from 1; 0 for [CLS] and [SEP]."""
    shapes: Tensor
    sentence_of: Tensor
    """[T]: which sentence a word stands in, as given."""
    targets: Mapping[str, Tensor]
    """[T] each: tags, pos, names, starts, heads (positions in the group, a root's is its own), deps."""


def lesson(group: Group, places: Mapping[str, int], labels: Labels) -> Lesson | None:
    """The group as numbers; None where it has more pieces than the encoder has positions.

    `places`: of each word piece.
    """
    words = [word for sentence in group for word in sentence.words]
    split_words = [split(word, places) for word in words]
    if not words or sum(map(len, split_words)) > MOST_PIECES:
        return None
    pieces = [places["[CLS]"], *(piece for one in split_words for piece in one), places["[SEP]"]]
    word_of = [0, *(place for place, one in enumerate(split_words, 1) for _ in one), 0]
    targets: dict[str, list[int]] = {name: [] for name in ("tags", "pos", "names", "starts", "heads", "deps")}
    sentence_of: list[int] = []
    index = {name: {x: i for i, x in enumerate(getattr(labels, name))} for name in ("tags", "pos", "deps")}
    for number, sentence in enumerate(group):
        size, offset = len(sentence.words), len(sentence_of)
        sentence_of += [number] * size
        parsed = sentence.parsed
        for name, places_of in index.items():
            known = [places_of.get(x, UNKNOWN) for x in getattr(parsed, name)] if parsed else [UNKNOWN] * size
            targets[name] += known
        targets["heads"] += [head + offset for head in parsed.heads] if parsed else [UNKNOWN] * size
        targets["starts"] += [1, *[0] * (size - 1)] if parsed else [UNKNOWN] * size
        targets["names"] += _name_targets(size, sentence.entities)
    return Lesson(
        torch.tensor(pieces), torch.tensor(word_of), torch.tensor([shape_of(word) for word in words]),
        torch.tensor(sentence_of), {name: torch.tensor(values) for name, values in targets.items()},
    )  # fmt: skip


def _name_targets(size: int, entities: Sequence[EntitySpan] | None) -> list[int]:
    if entities is None:
        return [UNKNOWN] * size
    targets = [0] * size
    for entity in entities:
        inside = 1 + 2 * ENTITY_LABELS.index(entity.label) + 1 if entity.label else UNKNOWN
        targets[entity.start : entity.end] = [inside] * (entity.end - entity.start)
        if entity.label:
            targets[entity.start] = inside - 1
    return targets


@dataclass(frozen=True, slots=True)
class Batch:
    """B lessons, filled up: pieces and word_of [B, L], the others [B, T]. `mask` is True on words."""

    pieces: Tensor
    word_of: Tensor
    shapes: Tensor
    sentence_of: Tensor
    mask: Tensor
    targets: Mapping[str, Tensor]


def batch_of(lessons: Sequence[Lesson], device: torch.device) -> Batch:
    """The lessons as one batch."""

    def filled(rows: Sequence[Tensor], value: int) -> Tensor:
        return nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=value).to(device)

    shapes = filled([one.shapes for one in lessons], -1)
    return Batch(
        filled([one.pieces for one in lessons], 0), filled([one.word_of for one in lessons], -1), shapes.clamp(min=0),
        filled([one.sentence_of for one in lessons], -1), shapes >= 0,
        {name: filled([one.targets[name] for one in lessons], UNKNOWN) for name in lessons[0].targets},
    )  # fmt: skip


class Teacher(nn.Module):
    """The encoder with a head for each layer of annotation."""

    encoder: Any

    def __init__(self, encoder: nn.Module, labels: Labels, *, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        width: int = self.encoder.config.hidden_size
        self.shapes = nn.Embedding(_SHAPES, width)
        nn.init.normal_(self.shapes.weight, std=0.02)
        self.written = nn.Embedding(_SHAPES, width)
        self.mix = nn.Parameter(torch.zeros(self.encoder.config.num_hidden_layers + 1))
        self.dropout = nn.Dropout(dropout)
        sizes = {"tags": len(labels.tags), "pos": len(labels.pos), "names": len(NAME_TAGS), "starts": 2}
        self.heads = nn.ModuleDict({name: _mlp(width, width, dropout, size) for name, size in sizes.items()})
        self.arc_dependent, self.arc_head = _mlp(width, _ARCS, dropout), _mlp(width, _ARCS, dropout)
        self.arc = nn.Parameter(torch.zeros(_ARCS + 1, _ARCS))
        self.label_dependent, self.label_head = _mlp(width, _LABELS, dropout), _mlp(width, _LABELS, dropout)
        self.label = nn.Parameter(torch.zeros(len(labels.deps), _LABELS + 1, _LABELS + 1))
        nn.init.xavier_uniform_(self.arc)

    def encode(self, batch: Batch) -> Tensor:
        """[B, T, width] of the words."""
        embeddings = self.encoder.embeddings(batch.pieces)
        word_of = batch.word_of.clamp(min=0)
        by_piece = F.pad(batch.shapes, (1, 0)).gather(1, word_of)
        states = embeddings + self.shapes(by_piece) * (word_of > 0)[..., None]
        mask = (batch.word_of >= 0)[:, None, None, :]
        weights = self.mix.softmax(0)
        mixed = states * weights[0]
        for layer, weight in zip(self.encoder.encoder.layer, weights[1:], strict=True):
            states = layer(states, mask)
            mixed = mixed + states * weight
        words = mixed.new_zeros(len(mixed), batch.shapes.shape[1] + 1, mixed.shape[2])
        words = words.scatter_add(1, word_of[..., None].expand_as(mixed), mixed)
        counts = F.one_hot(word_of, words.shape[1]).sum(1).clamp(min=1)
        words = (words / counts[..., None])[:, 1:] + self.written(batch.shapes)
        return torch.as_tensor(self.dropout(words))

    def tag_scores(self, words: Tensor) -> dict[str, Tensor]:
        """[B, T, labels] each: tags, pos, names, starts."""
        return {name: head(words).float() for name, head in self.heads.items()}

    def arc_scores(self, words: Tensor, sentence_of: Tensor) -> Tensor:
        """[B, T, T]: how well the second word governs the first; a root governs itself. Sentences do not mix."""
        scores: Tensor = _with_one(self.arc_dependent(words)) @ self.arc @ self.arc_head(words).transpose(1, 2)
        return scores.float().masked_fill(sentence_of[:, :, None] != sentence_of[:, None, :], -1e4)

    def label_scores(self, words: Tensor, heads: Tensor) -> Tensor:
        """[B, T, deps] of the arcs to the given heads [B, T]."""
        governors = self.label_head(words).gather(1, heads[..., None].expand(-1, -1, _LABELS))
        dependents = _with_one(self.label_dependent(words))
        scores = torch.einsum("bti,rij,btj->btr", dependents, self.label, _with_one(governors))
        return torch.as_tensor(scores.float())

    def loss(self, batch: Batch) -> Tensor:
        """The sum of all cross entropies, each a mean over what is known."""
        words = self.encode(batch)
        scores = self.tag_scores(words) | {
            "heads": self.arc_scores(words, batch.sentence_of),
            "deps": self.label_scores(words, batch.targets["heads"].clamp(min=0)),
        }
        losses = [
            F.cross_entropy(score.flatten(0, 1), batch.targets[name].flatten(), ignore_index=UNKNOWN, reduction="sum")
            / (batch.targets[name] != UNKNOWN).sum().clamp(min=1)
            for name, score in scores.items()
        ]
        return torch.stack(losses).sum()


def _mlp(width: int, hidden: int, dropout: float, size: int | None = None) -> nn.Module:
    layers = [nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, *([nn.Linear(hidden, size)] if size else []))


def _with_one(rows: Tensor) -> Tensor:
    return F.pad(rows, (0, 1), value=1.0)
