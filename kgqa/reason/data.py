"""What training sees in which order, on one process or several."""

from collections.abc import Iterator, Sequence

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from kgqa.reason.examples import Batch, Example, collate
from kgqa.reason.priming import Primer


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
    come at a steady pace whatever the data's size. `primer` gives what is handed with examples that it has seen to.
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
        primer: Primer | None = None,
    ) -> None:
        super().__init__()
        self.primer = primer
        self.train = [*train, *synthetic]
        self.dev = list(dev)
        self.batch_size = batch_size
        length = epoch_questions or len(train) or len(synthetic)
        self.sampler = EpochSampler(
            len(train), len(synthetic), length=length, synthetic_share=synthetic_share, seed=seed
        )

    def train_dataloader(self) -> DataLoader[Example]:
        return DataLoader(self.train, self.batch_size, sampler=self.sampler, collate_fn=self._collate)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader[Example]:
        return DataLoader(self.dev, self.batch_size, collate_fn=self._collate)  # type: ignore[arg-type]

    def _collate(self, examples: Sequence[Example]) -> Batch:
        return collate(examples, self.primer.handed(examples) if self.primer else None)
