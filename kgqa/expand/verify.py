"""Whether a knowledge base is what it says: every byte against its hash, the graph and the vectors against the ledger.

The ledger is the record. What the graph and the vectors must hold is computed from it by the code of the write path
itself, as if every living row were new: what a fresh build would give. All is read, so the cost is that of the whole.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kgqa.artifacts import read_json, sha256_file
from kgqa.errors import KgqaError, StoreError
from kgqa.expand.changes import Side, graph_changes
from kgqa.expand.overrule import head_counts, overruled_by
from kgqa.expand.vectors import delta_of_state
from kgqa.generations import Generation, hold_generation
from kgqa.graph.oxigraph import GraphStore, Quad
from kgqa.knowledge_base import KINDS, KnowledgeBase
from kgqa.ledger import Ledger
from kgqa.memory.long_term import LongTermMemory, MemoryRefs
from kgqa.schema import FOREVER, VERSIONED

RESTORE = "restore it from a copy"
REPAIR = "kgqa verify repair=true makes it anew from the ledger"


@dataclass(frozen=True)
class Problem:
    """Something that is not as it was committed, and how to mend it."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


def verify(kb: Path, *, generation: str | None = None) -> list[Problem]:
    """All that is wrong with a generation (None: the current one); an empty list when it is whole."""
    try:
        found = hold_generation(kb, generation)
        if found is None:
            raise StoreError(f"no knowledge base at {kb}; give one as kb=DIR")
        state, held = found
        with held:
            problems = list(_files(kb, state))
            if problems:  # what is damaged cannot be opened
                return problems
            with KnowledgeBase.open(kb, generation=state.name) as base:
                return list(_ledger(base)) or [*_conflicts(base), *_against_ledger(base)]
    except KgqaError as error:
        return [Problem(str(kb), *_split(error))]


def as_built(ledger: Ledger) -> Side:
    """All that a fresh build of the ledger's generation puts into the graph and the vectors."""
    for table in VERSIONED:
        info = list(ledger.rows(f"PRAGMA main.table_info({table})"))
        if not info:
            raise StoreError("the ledger is of an older format; kgqa index kb=DIR brings it up to date")
        columns = ", ".join(str(name) for _, name, *_ in info if name not in ("born", "died"))
        ledger.rows(f"DROP VIEW IF EXISTS temp.{table}")
        ledger.rows(
            f"CREATE TEMP VIEW {table} AS SELECT {columns}, {ledger.generation} AS born, {FOREVER} AS died "
            f"FROM main.{table} WHERE born <= {ledger.generation} AND died > {ledger.generation}"
        )
    try:
        with GraphStore.in_memory() as nothing:
            return graph_changes(ledger, nothing).new
    finally:
        for table in VERSIONED:
            ledger.rows(f"DROP VIEW temp.{table}")


def _files(kb: Path, state: Generation) -> Iterator[Problem]:
    """Everything that the generation names, against the hashes it holds."""
    yield from _hashes(kb / "graph" / "snapshots" / state.snapshot, state.snapshot_files, REPAIR)
    for name, sha256 in state.batches.items():
        batch = kb / "extract" / name
        damaged = list(_hashes(batch, {"manifest.json": sha256}, RESTORE))
        yield from damaged or _hashes(batch, read_json(batch / "manifest.json")["outputs"], RESTORE)
    for kind, refs in state.memory.items():
        try:
            LongTermMemory.open(kb / "memory" / kind, MemoryRefs.from_json(refs), device="cpu").verify()
        except StoreError as error:
            yield Problem(f"{kb}/memory/{kind}", str(error), REPAIR)


def _hashes(folder: Path, expected: Mapping[str, str], remedy: str) -> Iterator[Problem]:
    for name, sha256 in expected.items():
        path = folder / name
        if not path.is_file():
            yield Problem(str(path), "is missing", remedy)
        elif sha256_file(path) != sha256:
            yield Problem(str(path), f"differs from what was committed (sha256 {sha256[:12]}...)", remedy)


def _ledger(base: KnowledgeBase) -> Iterator[Problem]:
    found = next(base.ledger.rows("PRAGMA integrity_check(1)"))[0]
    if found != "ok":
        yield Problem(str(base.path / "ledger.sqlite"), f"is damaged ({found})", f"{RESTORE} or build again")
    for row in base.ledger.documents():
        if row.batch and row.batch not in base.state.batches:
            what = f"says that {row.doc_id!r} was read into {row.batch}, which {base.generation} does not name"
            yield Problem(str(base.path / "ledger.sqlite"), what, f"{RESTORE} or build again")


def _conflicts(base: KnowledgeBase) -> Iterator[Problem]:
    """What the policy for conflicts overrules, and what relations are learned from, against the supports."""
    if base.state.conflict is None:
        return
    ledger, where = base.ledger, str(base.path / "ledger.sqlite")
    if _living(ledger, "overruled", "head, relation, tail") != overruled_by(ledger, base.policy, touched=False):
        yield Problem(where, f"overrules other facts than the policy {base.policy.keep} does", REPAIR)
    if _living(ledger, "cardinalities", "relation, heads, single") != head_counts(ledger):
        yield Problem(where, "counts other heads of relations than its facts have", REPAIR)


def _living(ledger: Ledger, table: str, columns: str) -> set[tuple[object, ...]]:
    return set(ledger.rows(f"SELECT {columns} FROM {table} WHERE born <= :generation AND died > :generation"))


def _against_ledger(base: KnowledgeBase) -> Iterator[Problem]:
    """The graph, the totals and the vectors, against what the ledger's rows say."""
    built = as_built(base.ledger)
    wanted, held = set(built.quads), set(base.graph.quads())
    graph = str(base.path / "graph" / "snapshots" / base.state.snapshot)
    yield from _difference(graph, "quads", wanted - held, held - wanted)
    totals = {
        "num_documents": sum(1 for _ in base.ledger.documents()), "num_facts": len(built.facts),
        "num_entities": len(built.nodes), "num_relations": len(built.relations), "num_passages": len(built.passages),
        "num_overruled": len(_living(base.ledger, "overruled", "head, relation, tail")),
    }  # fmt: skip
    wrong = {name: total for name, total in totals.items() if base.counts().get(name, 0) != total}
    if wrong:
        what = ", ".join(f"{name} {base.counts().get(name)} where the ledger has {n}" for name, n in wrong.items())
        yield Problem(f"{base.path}/generations/{base.generation}.json", f"counts {what}", REPAIR)
    if base.indexed:
        delta = delta_of_state(built, {kind: base.memory(kind, device="cpu").ids().tolist() for kind in KINDS})
        for kind in KINDS:
            missing = {f"{term} ({text})" for term, text in delta.add[kind].values()}
            surplus = set(map(str, delta.remove[kind]))
            yield from _difference(f"{base.path}/memory/{kind}", "vectors", missing, surplus)


def _difference(
    where: str, what: str, missing: Iterable[Quad | str], surplus: Iterable[Quad | str]
) -> Iterator[Problem]:
    for kind, items in (("lacks", sorted(missing)), ("holds", sorted(surplus))):
        if items:
            end = "" if kind == "lacks" else " too many"
            yield Problem(where, f"{kind} {len(items)} {what}{end}, for example {items[0]}", REPAIR)


def _split(error: KgqaError) -> tuple[str, str]:
    """What an error says, and the remedy that it ends with."""
    what, _, remedy = str(error).rpartition("; ")
    return (what, remedy) if what else (remedy, RESTORE)
