"""Training from answers alone: no hop count, no gold path, no relation label; what is minimised stands in `loss`."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, EMAWeightAveraging, ModelCheckpoint, RichProgressBar
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.tuner import Tuner
from torch import Tensor

from kgqa.errors import ConfigError, InputError, ModelError
from kgqa.graph.subgraph import TripleTable
from kgqa.reason import checkpoint
from kgqa.reason.checkpoint import ReasonerSettings
from kgqa.reason.data import QuestionData
from kgqa.reason.examples import Batch, Example, trainable
from kgqa.reason.follow import EdgeIndex, edge_index
from kgqa.reason.loss import answer_loss, set_counts
from kgqa.reason.priming import Primer
from kgqa.reason.reasoner import Reasoner, Reasoning
from kgqa.reason.rewording import Rewordings
from kgqa.reason.synthetic import Graph, PathQuestions
from kgqa.reason.threshold import dev_scores
from kgqa.reason.types import Types, types_of

LOG = logging.getLogger(__name__)


class ReasonerTraining(pl.LightningModule):
    """The reasoner with its loss, its optimiser and its dev scores, over one graph."""

    def __init__(
        self,
        reasoner: Reasoner,
        edges: EdgeIndex,
        relation_texts: list[str],
        *,
        types: Types | None = None,
        learning_rate: float,
        encoder_learning_rate: float,
        weight_decay: float,
        warmup_steps: int,
        unanswerable_weight: float,
        missing_below: float | None = None,
        seed: int,
    ) -> None:
        super().__init__()
        self.reasoner = reasoner
        self.relation_texts, self.types = relation_texts, types
        self.seed = seed
        self.learning_rate, self.encoder_learning_rate = learning_rate, encoder_learning_rate
        self.weight_decay, self.warmup_steps = weight_decay, warmup_steps
        self.unanswerable_weight, self.missing_below = unanswerable_weight, missing_below
        # Buffers move with the module but do not belong into its checkpoints: the graph is the knowledge base's.
        for name, part in edges._asdict().items():
            if isinstance(part, Tensor):
                self.register_buffer(f"edge_{name}", part, persistent=False)
            else:
                setattr(self, f"edge_{name}", part)

    @property
    def edges(self) -> EdgeIndex:
        """The graph on the module's device."""
        return EdgeIndex(**{name: getattr(self, f"edge_{name}") for name in EdgeIndex._fields})

    def forward(self, batch: Batch) -> Reasoning:
        relations = self.reasoner.relation_features(self.relation_texts)
        reasoning: Reasoning = self.reasoner(batch.walks, self.edges, relations, self.types)
        return reasoning

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # Dropout then depends on the seed and the step alone, as the order of the questions depends on the seed and the
        # epoch: a resumed run gives what an uninterrupted one gives.
        torch.manual_seed(self.seed * 1_000_003 + self.global_step)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = answer_loss(
            self(batch).answers,
            batch.gold_entity,
            batch.gold_question,
            unanswerable_weight=self.unanswerable_weight,
            missing_below=self.missing_below,
        )
        if not torch.isfinite(loss):
            raise ModelError(
                f"the loss of batch {batch_idx} in epoch {self.current_epoch} is {loss.item()}; "
                f"its first question is {batch.walks.texts[0]!r}; lower trainer.learning_rate and resume from last.ckpt"
            )
        self.log("train_loss", loss, prog_bar=True, batch_size=batch.walks.num_questions)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        hits, f1 = set_counts(self(batch).answers, batch)
        if len(f1):
            self.log("dev_hits1", hits.mean(), prog_bar=True, batch_size=len(hits))
            self.log("dev_f1", f1.mean(), prog_bar=True, batch_size=len(f1))

    def configure_optimizers(self) -> dict[str, Any]:
        # Layers that come pretrained are moved with care; everything else starts from nothing.
        groups: list[dict[str, Any]] = [
            {"params": [p for name, p in self.named_parameters() if ".tuned." not in name]},
            {
                "params": [p for name, p in self.named_parameters() if ".tuned." in name],
                "lr": self.encoder_learning_rate,
            },
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate, weight_decay=self.weight_decay)
        total = max(int(self.trainer.estimated_stepping_batches), 1)

        def rate(step: int) -> float:
            # Linear warm-up, then linear decay to a twentieth.
            return min(1.0, (step + 1) / self.warmup_steps) * max(0.05, 1 - step / total)

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to train; defaults and reasons stand in conf/trainer."""

    max_epochs: int
    epoch_questions: int | None
    batch_size: int
    learning_rate: float
    find_learning_rate: bool
    encoder_learning_rate: float
    weight_decay: float
    warmup_steps: int
    average_decay: float | None
    patience: int
    synthetic_questions: int
    synthetic_share: float
    unanswerable_weight: float
    missing_below: float | None
    abstain_share: float
    start_from: str | None
    half_size: bool
    lightning: dict[str, Any]
    """Arguments of Lightning's Trainer: accelerator, devices, strategy, precision, ..."""

    def __post_init__(self) -> None:
        if self.missing_below is not None and not self.missing_below > 0:
            raise ConfigError(
                f"trainer.missing_below={self.missing_below}: it is a share above 0, such as 0.1, or null"
            )


def fit(
    settings: ReasonerSettings,
    table: TripleTable,
    train: Sequence[Example],
    dev: Sequence[Example],
    options: TrainingOptions,
    *,
    folder: Path,
    seed: int,
    resume: Path | None = None,
    about: dict[str, Any] | None = None,
    primer: Primer | None = None,
) -> dict[str, float]:
    """Train a reasoner on questions over `table`; the best one by dev set F1 is left in `folder`/checkpoints/best.

    `resume` is the last.ckpt of an interrupted run, which goes on as if nothing had happened. `primer`: finds what
    the reasoner is handed, if anything. Returns what was learned from and the dev scores at the calibrated
    threshold. Errors: InputError without a usable question; ModelError when the loss stops being a number.
    """
    pl.seed_everything(seed, verbose=False)
    train, num_left_out = trainable(train)
    num_unknown = sum(one.answers == () and not one.topics for one in dev)
    dev, _ = trainable(dev)
    synthetic = _made_questions(table, train, options, max_hops=settings.sizes["max_hops"], seed=seed)
    if not (train or synthetic) or not dev:
        raise InputError(
            f"nothing to learn from: {len(train)} training and {len(dev)} dev questions have a topic in the graph and "
            "answers; check that qa's files belong to this knowledge base"
        )
    if primer:
        train, synthetic, dev = (primer.near(some, table.entity_texts) for some in (train, synthetic, dev))
    reasoner = settings.build()
    if options.start_from:
        checkpoint.start_from(reasoner, settings, Path(options.start_from))
    edges = edge_index(table)
    module = ReasonerTraining(
        reasoner, edges, table.relation_texts, types=types_of(table), learning_rate=options.learning_rate,
        encoder_learning_rate=options.encoder_learning_rate, weight_decay=options.weight_decay,
        warmup_steps=options.warmup_steps, unanswerable_weight=options.unanswerable_weight,
        missing_below=options.missing_below, seed=seed,
    )  # fmt: skip
    data = QuestionData(
        train, synthetic, dev, batch_size=options.batch_size, seed=seed,
        synthetic_share=options.synthetic_share, epoch_questions=options.epoch_questions, primer=primer,
    )  # fmt: skip
    trainer = _run(module, data, options, folder, resume)
    scores = dev_scores(module.eval(), data.val_dataloader(), share=options.abstain_share, num_unknown=num_unknown)
    scores["learning_rate"] = trainer.optimizers[0].param_groups[0]["initial_lr"]  # of the first run, when resumed
    counts = {"num_train": len(train), "num_synthetic": len(synthetic), "num_dev": len(dev), "left_out": num_left_out}
    settings = checkpoint.with_threshold(settings, scores["abstain_below"])
    if trainer.is_global_zero:
        about = {**(about or {}), **counts, **scores}
        checkpoint.save(reasoner, settings, folder / "checkpoints" / "best", about=about, half=options.half_size)
    return {**counts, **scores}


def _run(
    module: ReasonerTraining, data: QuestionData, options: TrainingOptions, folder: Path, resume: Path | None
) -> pl.Trainer:
    """Train; the module has the weights of the best evaluation then."""
    if options.find_learning_rate and resume is None:
        module.learning_rate = _found_learning_rate(module, data, options, folder)
    trainer, best = _trainer(options, folder)
    try:
        trainer.fit(module, data, ckpt_path=resume, weights_only=True)
    except SystemExit:  # how Lightning ends on Ctrl-C, after it has put everything away
        raise KeyboardInterrupt from None
    module.load_state_dict(torch.load(best.best_model_path, weights_only=True)["state_dict"])
    return trainer


def _found_learning_rate(module: ReasonerTraining, data: QuestionData, options: TrainingOptions, folder: Path) -> float:
    """Where the loss falls most steeply as the rate rises from step to step (Smith 2017); the weights stay as they are.
    A loss that never falls leaves the rate that was given."""
    trainer = pl.Trainer(
        max_epochs=options.max_epochs, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=folder, gradient_clip_val=1.0, num_sanity_val_steps=0,
        **options.lightning,
    )  # fmt: skip
    found = Tuner(trainer).lr_find(module, datamodule=data, min_lr=1e-5, max_lr=0.1, update_attr=False)
    suggested = found.suggestion() if found else None
    LOG.info("learning rate: %s", "none found" if suggested is None else f"{suggested:.2g} found")
    return suggested or options.learning_rate


def _trainer(options: TrainingOptions, folder: Path) -> tuple[pl.Trainer, ModelCheckpoint]:
    """Lightning's trainer, and what will know where the best checkpoint is."""
    kept = {"dirpath": folder / "checkpoints", "enable_version_counter": False}
    best = ModelCheckpoint(filename="best", monitor="dev_f1", mode="max", **kept)
    # Of every epoch, also of one that is no better: what an interrupted run goes on from.
    last = ModelCheckpoint(filename="last", **kept)
    callbacks = [best, last, EarlyStopping("dev_f1", mode="max", patience=options.patience)]
    if options.average_decay:
        # What is evaluated and kept is the weights' running mean (Polyak and Juditsky 1992), steadier than any of them.
        callbacks.append(
            EMAWeightAveraging(
                use_buffers=False, decay=options.average_decay, update_starting_at_step=options.warmup_steps
            )
        )
    if sys.stderr.isatty():
        callbacks.append(RichProgressBar())
    trainer = pl.Trainer(
        max_epochs=options.max_epochs,
        callbacks=callbacks,
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
        logger=CSVLogger(folder, name="", version=""),
        default_root_dir=folder,
        gradient_clip_val=1.0,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # EpochSampler deals the questions out itself
        **options.lightning,
    )
    return trainer, best


def _made_questions(
    table: TripleTable, train: Sequence[Example], options: TrainingOptions, *, max_hops: int, seed: int
) -> list[Example]:
    """Half from the graph's own paths and texts, half in the words of the training questions."""
    graph, half = Graph(table), options.synthetic_questions // 2
    reworded = Rewordings(graph, train, max_hops=max_hops, seed=seed).draw(half)
    return [*PathQuestions(graph, max_hops=max_hops, seed=seed).draw(options.synthetic_questions - half), *reworded]
