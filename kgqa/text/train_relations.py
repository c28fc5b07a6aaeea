"""Train the relation reader: seeded, and resumed at the last finished epoch."""

import json
import logging
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from kgqa.ids import digest
from kgqa.text import checkpoint, mention_tags
from kgqa.text.mention_tags import Mentioned
from kgqa.text.relation_reader import joining, joins, pairs_of
from kgqa.text.relation_training import UNKNOWN, Example, Pairs, TrainedNet, batches, padded

LOG = logging.getLogger(__name__)
_WARM_UP = 200
"""Steps until the full learning rate."""
_LAST_RATE = 0.02
"""Share of the learning rate at the end."""
_MOST_NORM = 2.0
_STATE = "relations-state.safetensors"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train. Rates a step, sizes in numbers."""

    epochs: int
    seed: int
    hidden: int
    dropout: float
    learning_rate: float
    weight_decay: float
    batch_tokens: int
    entity_pairs_weight: float
    """Of a Re-DocRED document's mean pair beside the sum over a KnowledgeNet passage."""
    names_share: float
    """Of the sets of names that an epoch reads."""
    unread_weight: float
    """Of "does not hold" for a property that a passage was not read for; 0 leaves it open."""


@dataclass(frozen=True, slots=True)
class Corpora:
    """What is learned from, and what chooses thresholds."""

    passages: Sequence[Example]
    documents: Sequence[Example]
    names: Sequence[Example]
    held_back: Sequence[Example]
    """Passages and documents."""

    @property
    def parts(self) -> tuple[Sequence[Example], ...]:
        """All four, in order."""
        return self.passages, self.documents, self.names, self.held_back


@dataclass(frozen=True, slots=True)
class Labels:
    """What the numbers of an example mean."""

    properties: Sequence[str]
    ends: list[list[tuple[int, int]]]
    tags: Sequence[str]
    arcs: Sequence[str]
    pieces: Sequence[str]
    table: npt.NDArray[np.int8]
    scale: npt.NDArray[np.float32]


def fit(corpora: Corpora, labels: Labels, recipe: Recipe, work_dir: Path) -> TrainedNet:
    """The network after `recipe.epochs`; every epoch is kept in `work_dir`, and a run that was ended goes on there."""
    torch.manual_seed(recipe.seed)
    classes = (9, len(labels.tags) + 1, len(labels.arcs) + 1)
    width = corpora.passages[0].tokens.vectors.shape[1]
    net = TrainedNet(width, classes, len(labels.properties), hidden=recipe.hidden, dropout=recipe.dropout)
    optimizer = torch.optim.AdamW(net.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    identity = digest(repr(recipe), repr(labels.properties), str([len(part) for part in corpora.parts]))[:16]
    done = checkpoint.resume(work_dir / _STATE, identity, net, optimizer)
    allowed = joins(labels.ends)
    for epoch in range(done, recipe.epochs):
        rng = random.Random(f"{recipe.seed}-{epoch}")
        torch.manual_seed(recipe.seed * 1000 + epoch)
        net.train()
        plan = _plan(corpora, recipe, rng)
        total = 0.0
        for step, batch in enumerate(plan):
            _set_rate(optimizer, recipe, epoch * len(plan) + step, recipe.epochs * len(plan))
            loss = _loss(net, batch, allowed, recipe, first=epoch == 0)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(net.parameters(), _MOST_NORM)
            optimizer.step()
            total += float(loss.detach())
        checkpoint.keep(work_dir / _STATE, identity, net, optimizer, epoch + 1)
        LOG.info("relations: epoch %d of %d, loss %.3f a batch", epoch + 1, recipe.epochs, total / len(plan))
    return net


def _plan(corpora: Corpora, recipe: Recipe, rng: random.Random) -> list[list[Example]]:
    names = [example for example in corpora.names if rng.random() < recipe.names_share]
    plan = [
        *batches(corpora.passages, recipe.batch_tokens, rng),
        *batches(corpora.documents, recipe.batch_tokens, rng),
        *batches(names, 2 * recipe.batch_tokens, rng),
    ]
    rng.shuffle(plan)
    return plan


def _set_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int, steps: int) -> None:
    rate = recipe.learning_rate * min(1.0, (step + 1) / _WARM_UP) * max(_LAST_RATE, 1 - step / steps)
    for group in optimizer.param_groups:
        group["lr"] = rate


def _loss(
    net: TrainedNet, batch: list[Example], allowed: npt.NDArray[np.bool_], recipe: Recipe, *, first: bool
) -> Tensor:
    """Cross entropy of tags, and binary cross entropy of what is known of the pairs."""
    vectors, classes, mask, tags = padded(batch)
    hidden = net.encode(vectors, classes, mask)
    scores = net.tags(hidden)
    loss = F.cross_entropy(scores.flatten(0, 1), tags.flatten(), ignore_index=UNKNOWN)
    if not any(example.read_for for example in batch):
        return loss
    tagged = scores.detach().numpy()
    rows, chosen = [], []
    for row, example in enumerate(batch):
        found = [] if first else mention_tags.read(tagged[row, : len(example.words)], example.words)
        pairs = pairs_to_learn(example, found, allowed, recipe.unread_weight)
        if pairs is not None:
            rows.append(row)
            chosen.append(pairs)
    if not rows:
        return loss
    scores = net.pair_scores(
        hidden[rows], mask[rows], [(batch[row].tokens, pairs) for row, pairs in zip(rows, chosen, strict=True)]
    )
    targets, known = (
        torch.as_tensor(np.concatenate(part)) for part in zip(*((p.targets, p.known) for p in chosen), strict=True)
    )
    losses = F.binary_cross_entropy_with_logits(scores, targets, weight=known, reduction="sum")
    size = len(rows) if batch[0].open_ended else len(targets) / recipe.entity_pairs_weight
    return loss + losses / size


def pairs_to_learn(
    example: Example, tagged: list[Mentioned], allowed: npt.NDArray[np.bool_], unread_weight: float
) -> Pairs | None:
    """The pairs of an example with what is known of them; None where there are none. `allowed`: see `joins`.

    Of an open-ended example the tagged mentions that meet no given one take part: they are related to nothing. What it
    was not read for most likely does not hold either, and counts as such with `unread_weight`; fully where the pair is
    related otherwise, since hardly any pair of mentions is related twice (59 of KnowledgeNet's 5,419).
    """
    if not example.open_ended:
        mentions, chosen = example.mentions, list(example.stated)
        stated = example.stated
    else:
        taken = {token for start, end, _ in example.mentions for token in range(start, end)}
        others = [one for one in tagged if taken.isdisjoint(range(one[0], one[1]))]
        mentions = sorted({*example.mentions, *others})
        stated = {
            (mentions.index(example.mentions[one]), mentions.index(example.mentions[other])): properties
            for (one, other), properties in example.stated.items()
        }
        asked = joining(allowed, None if unread_weight else example.read_for)
        chosen = sorted({*pairs_of(mentions, asked), *stated})
    if not chosen:
        return None
    targets = np.zeros((len(chosen), allowed.shape[2]), np.float32)
    known = np.full(targets.shape, unread_weight, np.float32)
    known[:, list(example.read_for)] = 1
    for row, pair in enumerate(chosen):
        if properties := stated.get(pair):
            targets[row, list(properties)] = 1
            known[row, :] = 1
    place = {pair: row for row, pair in enumerate(chosen)}
    for one, other, column in example.doubtful:
        if (one, other) in place and not targets[place[one, other], column]:
            known[place[one, other], column] = 0
    return Pairs(mentions, np.array(chosen, np.int64), targets, known)


def write(folder: Path, net: TrainedNet, labels: Labels, thresholds: Sequence[float], temperature: float) -> None:
    """What relation_reader.RelationReader opens: weights in half precision, pieces, labels."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    weights = {name: value.half().contiguous() for name, value in net.state_dict().items()}
    weights |= {"pieces.table": torch.as_tensor(labels.table), "pieces.scale": torch.as_tensor(labels.scale)}
    save_file(weights, partial / "weights.safetensors")
    (partial / "weights.safetensors").chmod(0o644)  # safetensors lets nobody else read it
    (partial / "pieces.txt").write_text("\n".join(labels.pieces), "utf-8")
    entries = [
        {"id": name, "threshold": round(float(threshold), 4), "ends": ends}
        for name, threshold, ends in zip(labels.properties, thresholds, labels.ends, strict=True)
    ]
    described = {"temperature": round(temperature, 4), "tags": labels.tags, "arcs": labels.arcs, "properties": entries}
    (partial / "labels.json").write_text(json.dumps(described, indent=1) + "\n", "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
