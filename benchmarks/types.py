"""The filter by type: data/sample's gold facts with the types of their entities, with the filter and without.

python -m benchmarks.types [key=value of train ...]
"""

import csv
import sys
from collections.abc import Sequence

from rich.console import Console

from benchmarks.sample import SAMPLE, WORK, chain, gold_facts
from kgqa.graph.ontology import RDF_TYPE
from kgqa.ids import entity_iri


def main(arguments: Sequence[str]) -> None:
    """Train and answer twice; each leaves its runs under runs/types-*/."""
    WORK.mkdir(parents=True, exist_ok=True)
    facts = gold_facts(WORK / "typed.nt")
    with (SAMPLE / "entities.tsv").open(encoding="utf-8", newline="") as file:
        rows = [(entity_iri(row["entity"]), entity_iri(row["type"])) for row in csv.DictReader(file, delimiter="\t")]
    with facts.open("a", encoding="utf-8") as file:
        file.writelines(f"<{entity}> <{RDF_TYPE}> <{kind}> .\n" for entity, kind in rows)
    for use in ("false", "true"):
        Console().rule(f"reasoner.use_types={use}")
        corpus = ["corpus=facts", f"corpus.path={facts}"]
        chain(f"types-{use}", WORK / "typed", corpus, [f"reasoner.use_types={use}", *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
