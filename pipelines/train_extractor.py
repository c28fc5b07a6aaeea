"""Train what the extractor ships with: `python -m pipelines.train_extractor [parts=[relations]] [key=value ...]`."""

import logging
from pathlib import Path

import hydra
from omegaconf import DictConfig

from kgqa.errors import ConfigError
from kgqa.memory.devices import torch_device
from kgqa.memory.pretrained import load_minilm
from kgqa.text.finish_nlp import Finish
from kgqa.text.piece_training import distil
from kgqa.text.relation_pipeline import train_reader
from kgqa.text.teacher_corpus import groups as teacher_groups
from kgqa.text.train_name_types import Recipe as NamesRecipe
from kgqa.text.train_name_types import train_names
from kgqa.text.train_nlp import train_pipeline
from kgqa.text.train_relations import Recipe as RelationsRecipe
from kgqa.text.train_teacher import DOCS, TABLE, Recipe, prepare

LOG = logging.getLogger(__name__)
PARTS = ("teacher", "pipeline", "names", "relations")


@hydra.main(version_base="1.3", config_path="../conf", config_name="train_extractor")
def main(cfg: DictConfig) -> None:
    """Train with the given keys and log the counts."""
    if unknown := sorted(set(cfg.parts) - set(PARTS)):
        raise ConfigError(f"parts names {unknown}; what can be trained is {list(PARTS)}")
    if "teacher" in cfg.parts:
        LOG.info("documents prepared: %s", _teacher(cfg))
    if "pipeline" in cfg.parts:
        counts = train_pipeline(
            train_docs=Path(cfg.work_dir) / DOCS,
            table=Path(cfg.work_dir) / TABLE,
            data_root=Path(cfg.data_root),
            num_documents=cfg.relations.num_documents,
            work_dir=Path(cfg.work_dir),
            output_dir=Path(cfg.output_dir),
            seed=cfg.seed,
            epochs=cfg.epochs,
            last=Finish(**cfg.finish),
        )
        LOG.info("pipeline trained: %s", counts)
    if "names" in cfg.parts:
        recipe = NamesRecipe(seed=cfg.seed, **cfg.names)
        counts = train_names(Path(cfg.output_dir), train_docs=Path(cfg.work_dir) / DOCS, recipe=recipe)
        LOG.info("names trained: %s", counts)
    if "relations" in cfg.parts:
        LOG.info("relations trained: %s", _relations(cfg))


def _teacher(cfg: DictConfig) -> dict[str, int]:
    keys = cfg.teacher
    groups = list(
        teacher_groups(
            Path(cfg.data_root), folds=list(cfg.relations.folds), num_documents=cfg.relations.num_documents,
            seed=cfg.seed, name_repeats=cfg.name_repeats,
        )
    )  # fmt: skip
    return prepare(
        *load_minilm(),
        groups,
        Recipe(
            epochs=keys.epochs, seed=cfg.seed, batch_pieces=keys.batch_pieces, encoder_rate=keys.encoder_rate,
            head_rate=keys.head_rate, dropout=keys.dropout,
        ),
        Path(cfg.work_dir),
        device=torch_device(keys.device),
    )  # fmt: skip


def _relations(cfg: DictConfig) -> dict[str, int]:
    keys = cfg.relations
    return train_reader(
        distil(*load_minilm()),
        knowledgenet=Path(keys.knowledgenet),
        folds=list(keys.folds),
        redocred=Path(keys.redocred),
        num_documents=keys.num_documents,
        ner=Path(cfg.data_root) / "ner",
        pipeline=keys.pipeline,
        held_back=keys.held_back,
        recipe=RelationsRecipe(
            epochs=keys.epochs, seed=cfg.seed, hidden=keys.hidden, dropout=keys.dropout,
            learning_rate=keys.learning_rate, weight_decay=keys.weight_decay, batch_tokens=keys.batch_tokens,
            entity_pairs_weight=keys.entity_pairs_weight, names_share=keys.names_share,
            unread_weight=keys.unread_weight,
        ),
        work_dir=Path(cfg.work_dir),
        output_dir=Path(keys.output_dir),
    )  # fmt: skip


if __name__ == "__main__":
    main()
