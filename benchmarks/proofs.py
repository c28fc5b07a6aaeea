"""Every query that came with an answer is run, and has to give exactly the answer set.

python -m benchmarks.proofs kb/mine answers.jsonl
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from kgqa import KnowledgeBase


def main(kb: str, answers: str, generation: str | None = None) -> int:
    """Print how many hold, and each question whose does not; the exit code says whether all do."""
    start = time.perf_counter()
    console = Console()
    num_proofs = num_wrong = 0
    with KnowledgeBase.open(kb, generation=generation) as base:
        for record in _answered(Path(answers)):
            num_proofs += 1
            if {term for (term,) in base.query(record["sparql"])} != {found["iri"] for found in record["answers"]}:
                num_wrong += 1
                console.print(f"{record['id']}: {record['question']}", markup=False)
    seconds = time.perf_counter() - start
    console.print(f"{num_proofs - num_wrong} of {num_proofs} queries give exactly the answer set ({seconds:.1f} s)")
    return int(num_wrong > 0)


def _answered(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from (record for record in map(json.loads, file) if not record["abstained"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
