"""Questions as tensors: topics become placeholders and entity indices, gold answers become entity indices."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from kgqa.graph.subgraph import TripleTable
from kgqa.reason.encoder import PLACEHOLDER
from kgqa.reason.reasoner import Walks
from kgqa.types import Question


@dataclass(frozen=True, slots=True)
class Example:
    """A question ready for the reasoner."""

    text: str
    """With every known topic as a placeholder."""
    topics: tuple[tuple[tuple[int, float], ...], ...]
    """For each placeholder, in order: the entities it may stand for, with their probabilities."""
    answers: tuple[int, ...] | None
    """Gold entities; () when the graph cannot answer, None when not known."""


class Batch(NamedTuple):
    """Q questions with their gold answers in coordinate form."""

    walks: Walks
    gold_entity: Tensor  # [G] int64
    gold_question: Tensor  # [G] int64, ascending


class Vocabulary:
    """Where the terms and the texts of a graph stand in its table."""

    def __init__(self, table: TripleTable) -> None:
        self.by_term: Mapping[str, int] = {term: index for index, term in enumerate(table.entities)}
        by_text: dict[str, list[int]] = defaultdict(list)
        for index, text in enumerate(table.entity_texts):
            by_text[text].append(index)
        self.by_text: Mapping[str, list[int]] = by_text

    def entities(self, name: str) -> list[int]:
        """The entities that a gold answer names: by its term, else all that go by this text."""
        index = self.by_term.get(name)
        return [index] if index is not None else self.by_text.get(name, [])


def example(question: Question, vocabulary: Vocabulary) -> Example:
    """A question whose topics are linked; topics without a candidate in the graph stay words of the text."""
    topics = []
    text, end = "", 0
    for topic in sorted(question.topics, key=lambda topic: topic.span):
        found = [(vocabulary.by_term[c.iri], c.score) for c in topic.candidates if c.iri in vocabulary.by_term]
        if not found or topic.span[0] < end:
            continue
        topics.append(tuple(found))
        text += question.text[end : topic.span[0]] + PLACEHOLDER
        end = topic.span[1]
    answers = None
    if question.answers is not None:
        answers = tuple(sorted({index for name in question.answers for index in vocabulary.entities(name)}))
    return Example(text + question.text[end:], tuple(topics), answers)


def trainable(examples: Iterable[Example]) -> tuple[list[Example], int]:
    """The examples that something can be learned from, and how many cannot: no topic known, or no answer given."""
    kept, num_left_out = [], 0
    for one in examples:
        if one.topics and one.answers is not None:
            kept.append(one)
        else:
            num_left_out += 1
    return kept, num_left_out


def collate(examples: Sequence[Example]) -> Batch:
    """Examples with at least one topic each to a batch; a walk for each topic."""
    walks = [(q, rank, topic) for q, one in enumerate(examples) for rank, topic in enumerate(one.topics, start=1)]
    starts = [(entity, walk, weight) for walk, (_, _, topic) in enumerate(walks) for entity, weight in topic]
    entity, walk, weight = zip(*starts, strict=True)
    return Batch(
        Walks(
            texts=[examples[q].text for q, _, _ in walks],
            topic_rank=torch.tensor([rank for _, rank, _ in walks]),
            start_entity=torch.tensor(entity),
            start_walk=torch.tensor(walk),
            start_weight=torch.tensor(weight, dtype=torch.float32),
            question=torch.tensor([q for q, _, _ in walks]),
            num_questions=len(examples),
        ),
        gold_entity=torch.tensor([a for one in examples for a in one.answers or ()], dtype=torch.int64),
        gold_question=torch.tensor([q for q, one in enumerate(examples) for _ in one.answers or ()], dtype=torch.int64),
    )


class EpochSampler:
    """The order of an epoch's examples: drawn anew each epoch from the seed and the epoch alone.

    A resumed run therefore sees what an uninterrupted one would have seen. Real examples come first in the data set,
    `num_synthetic` made ones after them; the made ones take their share of an epoch, at most `synthetic_share`. Both
    are gone through in random order, again from the start when an epoch wants more than there are.
    """

    def __init__(self, num_real: int, num_synthetic: int, *, length: int, synthetic_share: float, seed: int) -> None:
        self.num_real, self.num_synthetic = num_real, num_synthetic
        share = num_synthetic / (num_real + num_synthetic)
        self.from_synthetic = round(length * (min(share, synthetic_share) if num_real else 1.0))
        self.from_real = length - self.from_synthetic
        self.seed, self.epoch = seed, 0

    def __len__(self) -> int:
        return (self.from_real + self.from_synthetic) // _world()[1]

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        real = self._cycled(self.num_real, self.from_real, stream=1)
        made = self._cycled(self.num_synthetic, self.from_synthetic, stream=2) + self.num_real
        chosen = torch.cat([real, made])
        order = chosen[torch.randperm(len(chosen), generator=self._generator(0))].tolist()
        # Of several processes each takes every n-th, so that together they see the batches that one alone would see.
        rank, world_size = _world()
        yield from order[rank : len(self) * world_size : world_size]

    def _cycled(self, available: int, wanted: int, *, stream: int) -> Tensor:
        generator, parts = self._generator(stream), [torch.empty(0, dtype=torch.int64)]
        while wanted > 0:
            parts.append(torch.randperm(available, generator=generator)[:wanted])
            wanted -= len(parts[-1])
        return torch.cat(parts)

    def _generator(self, stream: int) -> torch.Generator:
        return torch.Generator().manual_seed((self.seed * 1_000_003 + self.epoch) * 3 + stream)


def _world() -> tuple[int, int]:
    """This process's rank and the number of processes that train together."""
    if not torch.distributed.is_initialized():
        return 0, 1
    return torch.distributed.get_rank(), torch.distributed.get_world_size()


class QuestionData(pl.LightningDataModule):
    """Training and development questions over one graph.

    `epoch_questions` is the length of an epoch (null: every real question once), so that evaluation and checkpoints
    come at a steady pace whatever the data's size.
    """

    def __init__(
        self,
        train: Sequence[Example],
        synthetic: Sequence[Example],
        dev: Sequence[Example],
        *,
        batch_size: int,
        seed: int,
        synthetic_share: float = 0.0,
        epoch_questions: int | None = None,
    ) -> None:
        super().__init__()
        self.train = [*train, *synthetic]
        self.dev = list(dev)
        self.batch_size = batch_size
        length = epoch_questions or len(train) or len(synthetic)
        self.sampler = EpochSampler(
            len(train), len(synthetic), length=length, synthetic_share=synthetic_share, seed=seed
        )

    def train_dataloader(self) -> DataLoader[Example]:
        return DataLoader(self.train, self.batch_size, sampler=self.sampler, collate_fn=collate)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[Example]:
        return DataLoader(self.dev, self.batch_size, collate_fn=collate)  # type: ignore[arg-type]
