"""GraIL's inductive splits: the missing end of a fact in a graph of which no entity was seen in learning.

    python -m benchmarks.grail [ARCHIVE] [--part test]

What the training graph teaches (rules, what entities at a relation's ends have) is asked about another graph with the
same relations. Each fact of the part is asked for from both ends, among 50 entities drawn at random that do not make a
known fact, as its authors do (Teru et al. 2020); seeds 0 to 4 draw them. Rows with one witness alone stand beside.
"""

import argparse
import os
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from kgqa.graph.subgraph import TripleTable, triple_table
from kgqa.reason.completion import Completion
from kgqa.reason.surroundings import Surroundings

ARCHIVE = Path(os.environ.get("KGQA_DATA", "../shared/data")) / "kgc" / "grail_v1.tar.gz"
NUM_NEGATIVE, NUM_SEEDS = 50, 5
Triple = tuple[int, int, int]


def main() -> None:
    """Two graphs, all witnesses together and each alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", nargs="?", type=Path, default=ARCHIVE)
    parser.add_argument("--part", default="test", choices=["valid", "test"])
    options = parser.parse_args()
    table = Table("graph", "facts asked", "witnesses", "hits@10", "MRR")
    with tarfile.open(options.archive) as archive:
        for name in ("WN18RR_v1", "fb237_v1"):
            trained = triple_table(facts(archive, f"{name}/train.txt"), {})
            asked = list(facts(archive, f"{name}_ind/{options.part}.txt"))
            graph, wanted = renumbered(list(facts(archive, f"{name}_ind/train.txt")), asked, trained)
            completion = Completion(Surroundings(trained), Surroundings(graph))
            for label, ranks in witnesses(completion, graph, wanted).items():
                hits = [np.mean(one <= 10) for one in ranks]
                reciprocal = np.mean([np.mean(1 / one) for one in ranks])
                spread = f"{100 * np.mean(hits):.1f} +- {100 * np.std(hits):.1f}"
                table.add_row(name, str(len(wanted)), label, spread, f"{reciprocal:.3f}")
    Console(width=120).print(table)


def facts(archive: tarfile.TarFile, name: str) -> Iterator[tuple[str, str, str]]:
    """The facts of one file."""
    (member,) = [member for member in archive.getmembers() if member.name.endswith(f"/{name}")]
    file = archive.extractfile(member)
    assert file is not None
    for line in file.read().decode("utf-8").splitlines():
        head, relation, tail = line.split()
        yield head, relation, tail


def renumbered(
    known: list[tuple[str, str, str]], asked: list[tuple[str, str, str]], trained: TripleTable
) -> tuple[TripleTable, list[Triple]]:
    """The known facts with the training graph's numbers of relations, and those asked for, some of whose ends may be
    entities without edges."""
    relation_of = {term: number for number, term in enumerate(trained.relation_terms)}
    whole = triple_table([*known, *asked], {})
    entity_of = {term: number for number, term in enumerate(whole.entities)}

    def numbered(triples: list[tuple[str, str, str]]) -> list[Triple]:
        return [(entity_of[h], relation_of[r], entity_of[t]) for h, r, t in triples]

    heads, relations, tails = np.array(numbered(known)).T
    graph = replace(
        whole, heads=heads, relations=relations, tails=tails,
        relation_terms=trained.relation_terms, relation_texts=trained.relation_texts,
    )  # fmt: skip
    return graph, numbered(asked)


def witnesses(completion: Completion, graph: TripleTable, wanted: list[Triple]) -> dict[str, list[np.ndarray]]:
    """For each set of witnesses the ranks of the right ends, seed by seed; a tie counts half."""
    known = {*zip(graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist(), strict=True), *wanted}
    num_relations = len(graph.relation_terms)
    ranks: dict[str, list[list[float]]] = {}
    for seed in range(NUM_SEEDS):
        draw = np.random.default_rng(seed)
        for head, relation, tail in wanted:
            for entity, directed, right in ((head, relation, tail), (tail, relation + num_relations, head)):
                others: list[int] = []
                while len(others) < NUM_NEGATIVE:
                    other = int(draw.integers(len(graph.entities)))
                    fact = (entity, relation, other) if directed < num_relations else (other, relation, entity)
                    if fact not in known:
                        others.append(other)
                for label, scores in alone_and_together(completion, entity, directed, np.array([right, *others])):
                    rank = 1 + (scores[1:] > scores[0]).sum() + (scores[1:] == scores[0]).sum() / 2
                    ranks.setdefault(label, [[] for _ in range(NUM_SEEDS)])[seed].append(float(rank))
    return {label: [np.array(one) for one in found] for label, found in ranks.items()}


def alone_and_together(
    completion: Completion, entity: int, relation: int, candidates: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    yield "rules", completion.by_rules(entity, relation, candidates)
    yield "types", completion.by_type(relation, candidates)
    yield "walk", completion.by_walk(entity, candidates)
    yield "all", completion.scores(entity, relation, candidates)


if __name__ == "__main__":
    main()
