"""Training from answers alone: no hop count, no gold path, no relation label.

For a question with gold set Y and answer weights p the loss is

    - mean_{y in Y} log( p_y / sum_v p_v ) - log |Y|       the set: all of Y alike, and nothing else
    - mean_{y in Y} log p_y                                the certainty: the program behind it is surely the right one

and for a question that the graph cannot answer, - log(1 - max_v p_v).

Both logarithms pass gradients to relation weights in proportion to how much of the answer they explain, however small
the weights are: what makes three unsupervised hops learnable from a random start.
"""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from kgqa.errors import ModelError
from kgqa.reason.data import Batch
from kgqa.reason.follow import EdgeIndex
from kgqa.reason.reasoner import Reasoner, Reasoning

_FLOOR = 1e-10
"""Of weights inside logarithms: an answer that no walk reaches gives a bounded loss and no gradient."""


def answer_loss(answers: Tensor, gold_entity: Tensor, gold_question: Tensor) -> Tensor:
    """Mean loss over the questions of a batch: `answers: [E, Q]`, gold answers in coordinate form `[G], [G]`."""
    num_questions = answers.shape[1]
    counts = torch.bincount(gold_question, minlength=num_questions)
    total = answers.sum(0).clamp(min=_FLOOR).log()
    certainty = answers[gold_entity, gold_question].clamp(min=_FLOOR).log()
    each = (total[gold_question] - 2 * certainty) / counts[gold_question]
    loss = answers.new_zeros(num_questions).index_add(0, gold_question, each)
    loss = loss - counts.clamp(min=1).to(loss.dtype).log()
    nothing = -(1 - answers.max(0).values).clamp(min=_FLOOR).log()
    return torch.where(counts > 0, loss, nothing).mean()


def set_counts(answers: Tensor, batch: Batch, *, threshold: float = 0.5) -> tuple[Tensor, Tensor]:
    """For each question with answers: was the best one right, and F1 of those above `threshold` times the best."""
    answerable = torch.bincount(batch.gold_question, minlength=answers.shape[1]) > 0
    best = answers.max(0)
    predicted = answers > (threshold * best.values).clamp(min=_FLOOR)
    gold = torch.zeros_like(predicted)
    gold[batch.gold_entity, batch.gold_question] = True
    hits = gold.gather(0, best.indices.unsqueeze(0))[0] & (best.values > 0)
    f1 = 2 * (predicted & gold).sum(0) / (predicted.sum(0) + gold.sum(0)).clamp(min=1)
    return hits[answerable].float(), f1[answerable]


class ReasonerTraining(pl.LightningModule):
    """The reasoner with its loss, its optimiser and its dev scores, over one graph."""

    def __init__(
        self,
        reasoner: Reasoner,
        edges: EdgeIndex,
        relation_texts: list[str],
        *,
        learning_rate: float,
        weight_decay: float,
        warmup_steps: int,
    ) -> None:
        super().__init__()
        self.reasoner = reasoner
        self.relation_texts = relation_texts
        self.learning_rate, self.weight_decay, self.warmup_steps = learning_rate, weight_decay, warmup_steps
        # Buffers move with the module but do not belong into its checkpoints: the graph is the knowledge base's.
        for name in ("source", "relation", "target"):
            self.register_buffer(name, getattr(edges, name), persistent=False)
        self.num_entities, self.num_relations = edges.num_entities, edges.num_relations

    @property
    def edges(self) -> EdgeIndex:
        """The graph on the module's device."""
        return EdgeIndex(self.source, self.relation, self.target, self.num_entities, self.num_relations)

    def forward(self, batch: Batch) -> Reasoning:
        relations = self.reasoner.relation_features(self.relation_texts)
        reasoning: Reasoning = self.reasoner(batch.walks, self.edges, relations)
        return reasoning

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = answer_loss(self(batch).answers, batch.gold_entity, batch.gold_question)
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
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)
        total = max(int(self.trainer.estimated_stepping_batches), 1)

        def rate(step: int) -> float:
            # Linear warm-up, then linear decay to a twentieth.
            return min(1.0, (step + 1) / self.warmup_steps) * max(0.05, 1 - step / total)

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
