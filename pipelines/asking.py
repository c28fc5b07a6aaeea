"""An answerer of the configuration, here or in a worker, and what its answers depend on."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from kgqa.answer.answerer import Answerer
from kgqa.answer.batch import Answered, Batch, answer_lines
from kgqa.answer.linking import open_linker
from kgqa.artifacts import code_version, sha256_file
from kgqa.ids import digest
from kgqa.knowledge_base import KnowledgeBase
from kgqa.reason import checkpoint
from kgqa.runs import installed

from .parts import options_of, reader_of, retriever_of, server_of

_NO_MATTER = (
    "chat", "engine", "name", "out", "report", "run", "compare", "retrieve", "inspect", "task", "review", "complete",
    "leaderboard",
)  # fmt: skip
"""Keys on which no answer depends."""


def answerer_of(cfg: DictConfig, kb: KnowledgeBase) -> Answerer:
    """The reasoner of the checkpoint over a knowledge base."""
    embedder = reader_of(cfg, kb)
    return Answerer.open(
        kb,
        cfg.checkpoint,
        batch_size=cfg.answer.batch_size,
        max_paths=cfg.answer.max_paths,
        encoder=None if cfg.encoder.kind == "auto" else cfg.encoder.kind,
        embedder=embedder,
        device=cfg.memory.device,
        options=options_of(cfg),
        linker=open_linker(kb, embedder=embedder, device=cfg.memory.device, options=options_of(cfg)),
        retriever=retriever_of(cfg, kb, embedder),
        fallback_passages=cfg.answer.fallback_passages,
        target_precision=cfg.answer.target_precision,
        ambiguous_from=cfg.answer.ambiguous_from,
        operations=cfg.answer.operations,
        suggest_below=cfg.answer.suggest_below,
    )


@contextmanager
def answering(config: dict[str, Any], generation: str) -> Iterator[Callable[[Batch], Answered]]:
    """What a worker answers with, opened for itself; `config` as plain values, which can be sent to it."""
    cfg = OmegaConf.create(config)
    with KnowledgeBase.open(cfg.kb, generation=generation, server=server_of(cfg)) as kb:
        answerer = answerer_of(cfg, kb)
        gc.freeze()  # what was opened lives as long as the worker: a million names need not be looked through each time
        yield partial(answer_lines, answerer, sessions=cfg.answer.session)


def answers_depend_on(cfg: DictConfig, kb: KnowledgeBase) -> dict[str, str]:
    """Digests of all that answers depend on besides their questions."""
    config = OmegaConf.masked_copy(cfg, [key for key in cfg if key not in _NO_MATTER])
    return {
        "generation": sha256_file(kb.path / "generations" / f"{kb.generation}.json"),
        "checkpoint": checkpoint.identity(Path(cfg.checkpoint)),
        "config": digest(OmegaConf.to_yaml(config)),
        "code": code_version(),
        "packages": digest(*map(repr, sorted(installed().items()))),
    }
