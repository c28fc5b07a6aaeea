"""What the extractor reads from documents as one HTML page, for a person to judge before a knowledge base is made:
mentions and facts where they stand, what was rejected and why, and which names become one.
"""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from kgqa.answer.report.review import write_review
from kgqa.expand.mapping import Ontology
from kgqa.text.canonical import merges
from kgqa.text.extraction import Extraction, Rejected
from kgqa.text.reader import Skipped, read_documents

from .parts import extractor_of, ontology_of
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
    extractions = extractor_of(cfg).extract(documents)
    if opened := ontology_of(cfg):
        extractions = map(partial(_judged, opened(), restrict=cfg.extract.ontology_restrict), extractions)
    counts = write_review(
        extractions,
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


def _judged(ontology: Ontology, read: Extraction, *, restrict: bool) -> Extraction:
    """The document under the ontology: what a fact was read as stands beside its property, what is left out beside the
    reason."""
    labels = {mention.span: mention.label for mention in read.mentions}
    facts, rejected = [], list(read.rejected)
    for fact, found, reason in ontology.judged(read.facts, labels, restrict=restrict):
        source = fact.provenance
        if found is None:
            spans = source.span, source.head_span, source.tail_span
            rejected.append(Rejected(fact.relation_text, *spans, source.extractor, source.confidence, reason))
        elif found.relation_text == fact.relation_text:
            facts.append(found)
        else:
            said = f'{source.extractor}, from "{fact.relation_text}"'
            facts.append(replace(found, provenance=replace(found.provenance, extractor=said)))
    return replace(read, facts=tuple(facts), rejected=tuple(rejected))


if __name__ == "__main__":
    sys.exit(main())
