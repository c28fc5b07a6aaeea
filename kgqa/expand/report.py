"""The conflicts that a run found, for people: a line of JSON each, and the first few in the log."""

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kgqa.conflicts import UNDATED, Conflict, Value, moment
from kgqa.knowledge_base import KnowledgeBase

log = logging.getLogger(__name__)

SHOWN = 5
"""Conflicts that the log tells of; the file has all."""


def report_conflicts(kb: Path, generation: str, out: Path, *, touched: bool) -> dict[str, int]:
    """Appends the conflicts of a generation to `out` (data/README.md has the fields); returns num_conflicts.

    With `touched` only those that the generation's own changes concern. No conflict, no file.
    """
    num_conflicts, unreadable = 0, set[str]()
    with KnowledgeBase.open(kb, generation=generation) as base:
        for conflict in base.conflicts(touched=touched):
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(conflict_record(base, conflict), ensure_ascii=False) + "\n")
            if num_conflicts < SHOWN:
                log.info("conflict: %s", _in_words(base, conflict))
            num_conflicts += 1
            dates = (support.date for value in conflict.values for support in value.supports if support.date)
            unreadable |= {date for date in dates if moment(date) == UNDATED}
    if num_conflicts:
        log.info("%d conflicts, of which %d are shown; all are in %s", num_conflicts, min(num_conflicts, SHOWN), out)
    if unreadable:
        log.warning("%d dates are not ISO 8601 and count as none, for example %r", len(unreadable), min(unreadable))
    return {"num_conflicts": num_conflicts}


def conflict_record(base: KnowledgeBase, conflict: Conflict) -> dict[str, Any]:
    """The conflict as JSON has it, with what its terms are called."""
    return {
        "generation": base.generation,
        "head": conflict.head,
        "relation": conflict.relation,
        "head_text": base.text(conflict.head),
        "relation_text": base.text(conflict.relation, relation=True),
        "functional": "learned" if conflict.learned else "named",
        "policy": "both" if conflict.learned else base.policy.keep,
        "values": [_value_record(base, value) for value in conflict.values],
    }


def _value_record(base: KnowledgeBase, value: Value) -> dict[str, Any]:
    supports = []
    for support in value.supports:
        source = asdict(support.source)
        start, end = source.pop("span")
        supports.append({"date": support.date, **source, "start": start, "end": end})
    return {"term": value.term, "text": base.text(value.term), "kept": value.kept, "supports": supports}


def _in_words(base: KnowledgeBase, conflict: Conflict) -> str:
    """`Ada born in: Vienna (b, 2020) or Graz (a, 1999; not kept)`."""
    values = " or ".join(
        f"{base.text(value.term)} ({value.supports[0].source.doc_id}, {value.supports[0].date or 'undated'}"
        f"{'' if value.kept else '; not kept'})"
        for value in conflict.values
    )
    return f"{base.text(conflict.head)} {base.text(conflict.relation, relation=True)}: {values}"
