"""The graph and the vectors made anew from the ledger, which is the record of what documents state."""

from pathlib import Path

from kgqa.errors import StoreError
from kgqa.expand.apply import Settings
from kgqa.expand.catch_up import catch_up
from kgqa.expand.compact import rebuild
from kgqa.expand.overrule import count_heads, overrule, overruled_by
from kgqa.expand.verify import as_built
from kgqa.expand.writer import Writer, writing
from kgqa.memory.long_term import LongTermMemory


def repair(kb: Path, settings: Settings) -> str:
    """Commits a generation whose graph and damaged vectors are computed from the ledger; returns its name.

    `settings.embedder` makes the vectors; without one those of damaged kinds are left out for `index` to make. Batches
    cannot be made from the ledger: what is damaged there stays. Raises StoreError where there is no knowledge base.
    """
    with writing(kb) as writer:
        if writer.base is None:
            raise StoreError(f"no knowledge base at {kb}; give one as kb=DIR")
        overrule(writer.ledger, writer.policy, anew=True)
        count_heads(writer.ledger, anew=True)
        writer.recorded = True
        _graph_anew(writer)
        whole = {kind: refs for kind, refs in writer.memory.items() if _is_whole(writer, kind)}
        writer.memory, writer.indexed = whole, False
        if settings.embedder is not None:
            writer.check_embedder(settings.embedder)
            catch_up(writer, settings.embedder, settings.options, config=settings.config, seed=settings.seed)
        return writer.commit("repair", config=settings.config, seed=settings.seed, keep=settings.keep)


def _graph_anew(writer: Writer) -> None:
    built = as_built(writer.ledger)
    rebuild(writer, built.quads)
    writer.counts |= {
        "num_facts": len(built.facts), "num_entities": len(built.nodes), "num_relations": len(built.relations),
        "num_passages": len(built.passages), "num_documents": sum(1 for _ in writer.ledger.documents()),
        "num_overruled": len(overruled_by(writer.ledger, writer.policy, touched=False)),
    }  # fmt: skip


def _is_whole(writer: Writer, kind: str) -> bool:
    try:
        LongTermMemory.open(writer.kb / "memory" / kind, writer.memory[kind], device="cpu").verify()
    except StoreError:
        return False
    return True
