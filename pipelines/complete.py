"""Facts that a knowledge base lacks and its own regularities suggest: rules are learned from its graph, and what
follows from them is written as N-Triples, to be read through and added by expand. Nothing is changed here;
suggested.jsonl in the run's folder has each fact's confidence, its rule, and the facts that it follows from, the
likeliest first by rules, types and nearness together.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from kgqa.artifacts import write_lines
from kgqa.errors import ConfigError
from kgqa.graph.subgraph import TripleTable
from kgqa.graph.terms import fast_token
from kgqa.knowledge_base import KnowledgeBase
from kgqa.reason.completion import Completion
from kgqa.reason.rules import RuleBook
from kgqa.reason.suggestions import Suggestion, said, suggest
from kgqa.reason.surroundings import Surroundings

from .parts import server_of
from .stage import stage


@stage(
    "complete",
    needs={"kb": "the folder of the knowledge base"},
    example="kgqa complete kb=kb/mine out=suggested.nt",
)
def main(cfg: DictConfig, run_folder: Path) -> dict[str, Any]:
    """Learn, conclude, write; the same seed suggests the same."""
    if not 0 < cfg.complete.least <= 1:
        raise ConfigError(f"complete.least is {cfg.complete.least}; it is a confidence, above 0 and at most 1")
    out = Path(cfg.out) if cfg.out else run_folder / "suggested.nt"
    with KnowledgeBase.open(cfg.kb, generation=cfg.generation, server=server_of(cfg)) as kb:
        table = kb.triples()
        graph = Surroundings(table, seed=cfg.seed)
        completion = Completion(graph, max_length=cfg.complete.longest)
        book = RuleBook(completion.rules.rules, graph, constants=cfg.complete.constants)
        found = list(suggest(book, least=cfg.complete.least, most=cfg.complete.most))
        found.sort(key=lambda one: -completion.scores(one.head, one.relation, np.array([one.tail]))[0])
    write_lines(run_folder / "suggested.jsonl", (json.dumps(_record(table, one), ensure_ascii=False) for one in found))
    num = write_lines(out, _triples(table, found))
    return {
        "generation": kb.generation,
        "out": str(out),
        "num_rules": len(book.rules),
        "num_suggested": num,
    }


def _triples(table: TripleTable, found: list[Suggestion]) -> Iterator[str]:
    for one in found:
        terms = table.entities[one.head], table.relation_terms[one.relation], table.entities[one.tail]
        yield " ".join([*map(fast_token, terms), "."])


def _record(table: TripleTable, one: Suggestion) -> dict[str, Any]:
    return {
        **_texts(table, one.head, one.relation, one.tail),
        "confidence": round(one.confidence, 4),
        "rule": said(table, one.rule),
        "rule_confidence": round(one.rule.confidence, 4),
        "because": [_texts(table, *edge[:3]) for path in one.because for edge in path],
    }


def _texts(table: TripleTable, head: int, relation: int, tail: int) -> dict[str, str]:
    return {
        "head": table.entity_texts[head],
        "relation": table.relation_texts[relation],
        "tail": table.entity_texts[tail],
    }


if __name__ == "__main__":
    sys.exit(main())
