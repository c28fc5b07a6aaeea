"""From the configuration to the parts that extract, index and expand are given."""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from kgqa.expand.apply import Outcome, Settings
from kgqa.expand.plan import Corpus
from kgqa.ids import digest
from kgqa.memory.embedder import Embedder, load_embedder
from kgqa.memory.index import IndexOptions


def corpus_of(cfg: DictConfig) -> Corpus:
    """The corpus that the command line names."""
    return Corpus(Path(cfg.corpus.path), cfg.corpus.kind)


def settings_of(cfg: DictConfig, *, extract: bool, index: bool) -> Settings:
    """What a delta is made with. spaCy is loaded only where there may be prose, the encoder only to index."""
    settings = Settings(
        embedder=embedder_of(cfg) if index else None,
        options=options_of(cfg),
        strict=cfg.strict,
        config=digest(*(OmegaConf.to_yaml(cfg[group], resolve=True) for group in ("extract", "embedder", "memory"))),
        seed=cfg.seed,
    )
    return _with_extractor(settings, cfg) if extract and cfg.corpus.kind == "text" else settings


def embedder_of(cfg: DictConfig) -> Embedder:
    """The embedder of the group `embedder`."""
    return load_embedder(**cast(Mapping[str, Any], OmegaConf.to_container(cfg.embedder, resolve=True)))


def options_of(cfg: DictConfig) -> IndexOptions:
    """How new segments are indexed, of the group `memory`."""
    names = {field.name for field in fields(IndexOptions)}
    return IndexOptions(**{name: value for name, value in cfg.memory.items() if name in names})


def metrics_of(outcome: Outcome) -> dict[str, Any]:
    """What the pipeline reports of its run."""
    delta = outcome.delta
    plan = {
        "num_added": len(delta.added),
        "num_changed": len(delta.changed),
        "num_removed": len(delta.removed),
        "num_unchanged": delta.unchanged,
    }
    return {"generation": outcome.generation or "unchanged", **plan, **outcome.counts}


def _with_extractor(settings: Settings, cfg: DictConfig) -> Settings:
    from kgqa.text.canonical import resolve
    from kgqa.text.extract import Extractor

    return replace(settings, extractor=Extractor(pipeline=cfg.extract.pipeline), resolve=resolve)
