"""What the extractor reads from documents as one HTML page, for a person to judge before a knowledge base is made:
mentions and facts where they stand, what was rejected and why, and which names become one.
"""

import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from kgqa.answer.report.review import write_review
from kgqa.text.canonical import merges
from kgqa.text.reader import Skipped, read_documents

from .parts import extractor_of
from .stage import stage


@stage(
    "review",
    needs={"corpus.path": "a folder of documents, or one document"},
    example="kgqa review corpus.path=documents\nkgqa review corpus.path=documents extract.min_confidence=0.6",
)
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """Read, draw, write."""
    skipped: list[Skipped] = []
    out = Path(cfg.out) if cfg.out else run_folder / "review.html"
    documents = read_documents(Path(cfg.corpus.path), skipped=skipped, english=cfg.extract.english_only)
    counts = write_review(
        extractor_of(cfg).extract(documents),
        out,
        merges=merges,
        listed=cfg.review.merges,
        most_bytes=cfg.review.max_bytes,
    )
    return {
        "out": str(out),
        "num_documents": counts.documents,
        "num_facts": counts.facts.total(),
        "num_rejected": counts.rejected.total(),
        "num_skipped": len(skipped),
    }


if __name__ == "__main__":
    sys.exit(main())
