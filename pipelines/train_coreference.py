"""Train what pronouns are resolved with: `python -m pipelines.train_coreference [key=value ...]`."""

import json
import logging
from pathlib import Path

import hydra
from omegaconf import DictConfig

from kgqa.artifacts import write_atomic
from kgqa.text.train_coreference import train

LOG = logging.getLogger(__name__)


@hydra.main(version_base="1.3", config_path="../conf", config_name="train_coreference")
def main(cfg: DictConfig) -> None:
    """Train with the given keys, write the weights and log the counts."""
    weights, counts = train(Path(cfg.gap), Path(cfg.gum), pipeline=cfg.pipeline, l2=cfg.l2, rounds=cfg.rounds)
    out = Path(cfg.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, (json.dumps(weights, indent=0) + "\n").encode())
    LOG.info("coreference trained: %s -> %s", counts, out)


if __name__ == "__main__":
    main()
