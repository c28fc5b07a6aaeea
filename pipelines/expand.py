"""What is new, changed or gone in a corpus, into the graph and the vectors of a knowledge base, in one generation.

dry_run=true only says what would change. watch=true goes on: it looks at the folder every watch_seconds and commits
what changed and stands still, with the models loaded once, until Ctrl-C or SIGTERM ends it (exit code 0). A folder that
is gone, a lock or a full disk is logged and tried again; nothing is ever emptied by it.

Where documents give several values to a relation that has one, the run's conflicts.jsonl has them with their sources;
conflict.policy says which are asserted.
"""

import logging
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from kgqa.errors import ConfigError
from kgqa.expand.apply import Outcome, expand
from kgqa.expand.watch import until_stopped, watch
from kgqa.runs import append_metrics

from .parts import corpus_of, reported, settings_of
from .stage import stage

log = logging.getLogger(__name__)


@stage(
    "expand",
    needs={"corpus.path": "a folder of documents, or a file", "kb": "the folder of the knowledge base"},
    example="kgqa expand corpus.path=documents kb=kb/mine\nkgqa expand corpus.path=inbox kb=kb/mine watch=true",
)
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """One delta, vectors included; with dry_run only its plan, with watch one after the other."""
    if cfg.watch:
        return _watch(cfg, run_folder)
    settings = settings_of(cfg, extract=True, index=not cfg.dry_run)
    outcome = expand(
        Path(cfg.kb),
        corpus_of(cfg),
        settings,
        allow_empty=cfg.corpus.allow_empty,
        remove=cfg.corpus.remove,
        dry_run=cfg.dry_run,
    )
    return reported(cfg, outcome, run_folder)


def _watch(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """Each generation is a line of metrics.jsonl; what all of them did together is the run's result."""
    if wrong := [key for key, is_set in _once(cfg).items() if is_set]:
        raise ConfigError(f"watch=true goes without {', '.join(wrong)}; run expand once with that, and then watch")
    if cfg.watch_seconds <= 0:
        raise ConfigError(f"watch_seconds={cfg.watch_seconds}: more than 0 is wanted")
    totals: Counter[str] = Counter()

    def committed(outcome: Outcome) -> None:
        metrics = reported(cfg, outcome, run_folder)
        append_metrics(run_folder, metrics)
        log.info("expand: %s", ", ".join(f"{key} {value}" for key, value in metrics.items()))
        totals.update({"num_generations": 1}, num_added=metrics["num_added"], num_changed=metrics["num_changed"])
        totals.update(num_removed=metrics["num_removed"])

    with until_stopped():
        settings = settings_of(cfg, extract=True, index=True)
        watch(Path(cfg.kb), corpus_of(cfg), settings, seconds=cfg.watch_seconds, committed=committed)
    return dict(totals)


def _once(cfg: DictConfig) -> dict[str, Any]:
    """Keys that say something of one run, not of a folder that is watched."""
    keys = {"dry_run": cfg.dry_run, "corpus.remove": cfg.corpus.remove, "corpus.allow_empty": cfg.corpus.allow_empty}
    return keys | {"corpus=sparql": cfg.corpus.kind == "sparql"}


if __name__ == "__main__":
    sys.exit(main())
