"""Train the English pipeline that the package ships: `python -m pipelines.train_extractor [key=value ...]`."""

import logging
from pathlib import Path

import hydra
from omegaconf import DictConfig

from kgqa.text.train_nlp import train_pipeline

LOG = logging.getLogger(__name__)


@hydra.main(version_base="1.3", config_path="../conf", config_name="train_extractor")
def main(cfg: DictConfig) -> None:
    """Train with the given keys and log the counts."""
    counts = train_pipeline(
        data_root=Path(cfg.data_root),
        work_dir=Path(cfg.work_dir),
        output_dir=Path(cfg.output_dir),
        seed=cfg.seed,
        epochs=cfg.epochs,
        name_repeats=cfg.name_repeats,
    )
    LOG.info("extractor trained: %s", counts)


if __name__ == "__main__":
    main()
