"""What a user states: facts in a named graph and vectors of that user's own, which nobody else's questions see.

    kb/NAME/users/ID/facts.jsonl     each fact with the words that it was stated in, ID a digest of the user's name
    kb/NAME/users/ID/vectors.npy     a unit row for each, [N, D], to find what was stated about something

The shared graph is never touched. `View` is a knowledge base as its user sees it: the shared graph with these facts.
"""

import io
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kgqa.artifacts import write_atomic
from kgqa.errors import InputError, StoreError
from kgqa.graph.oxigraph import GraphStore
from kgqa.graph.queries import LABEL
from kgqa.graph.subgraph import TripleTable, triple_table
from kgqa.graph.terms import XSD, is_literal, literal, token
from kgqa.ids import ASSERTED, digest, entity_iri, relation_iri
from kgqa.knowledge_base import KnowledgeBase
from kgqa.types import Provenance, Triple

USER = "urn:kgqa:user:"
MOST_FACTS = 10_000
"""Of one user; a whole corpus is what `kgqa expand` is for."""
_MOST_TEXT = 500


@dataclass(frozen=True, slots=True)
class Stated:
    """One fact with what its terms are called and the words that it was stated in."""

    head: str
    relation: str
    tail: str
    head_text: str
    relation_text: str
    tail_text: str
    said: str

    @property
    def triple(self) -> Triple:
        return self.head, self.relation, self.tail


class StatedFacts:
    """The facts of one user of a knowledge base; kept on disk where the user has a name."""

    def __init__(self, folder: Path | None, user: str, facts: Sequence[Stated], vectors: NDArray[np.float32]) -> None:
        """Use `open`."""
        self.user, self.facts = user, list(facts)
        self.vectors = vectors
        self._folder = folder

    @classmethod
    def open(cls, kb: Path, user: str | None) -> "StatedFacts":
        """The facts of `user`; without a name none, and none are kept. StoreError where they cannot be read."""
        if not user:
            return cls(None, "", [], np.empty((0, 0), np.float32))
        folder = kb / "users" / digest(user)[:16]
        path = folder / "facts.jsonl"
        if not path.exists():
            return cls(folder, user, [], np.empty((0, 0), np.float32))
        try:
            facts = [Stated(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
            vectors = np.load(folder / "vectors.npy", allow_pickle=False)
        except (OSError, ValueError, TypeError) as error:
            raise StoreError(f"{folder} cannot be read: {error}; restore it from a copy, or remove it") from error
        return cls(folder, user, facts, vectors[: len(facts)])

    def __len__(self) -> int:
        return len(self.facts)

    @property
    def graph(self) -> str:
        """The IRI of the user's named graph."""
        return USER + digest(self.user)[:16]

    def add(self, facts: Iterable[Stated], vectors: NDArray[np.float32]) -> int:
        """State some facts, `vectors: [n, D]`; how many are new."""
        known = {fact.triple for fact in self.facts}
        given = list(facts)
        new = [number for number, fact in enumerate(given) if fact.triple not in known]
        if len(self.facts) + len(new) > MOST_FACTS:
            raise InputError(f"a user states at most {MOST_FACTS:,} facts; give more as documents: kgqa expand")
        if self.facts and self.vectors.shape[1] != vectors.shape[1]:
            raise InputError(
                f"the facts stated before have vectors of width {self.vectors.shape[1]}, these of {vectors.shape[1]}: "
                "another reasoner made them; export them, forget them and state them anew"
            )
        self.facts += [given[number] for number in new]
        self.vectors = np.concatenate([self.vectors, vectors[new]]) if self.vectors.size else vectors[new]
        self._keep()
        return len(new)

    def nearest(self, vector: NDArray[np.float32], k: int = 10) -> list[Stated]:
        """The facts most like a unit vector `[D]`, best first."""
        if not self.facts:
            return []
        return [self.facts[row] for row in np.argsort(-(self.vectors @ vector), kind="stable")[:k]]

    def erase(self) -> int:
        """Forget everything, on the disk too; how many facts that were."""
        number = len(self.facts)
        self.facts, self.vectors = [], np.empty((0, 0), np.float32)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        return number

    def export(self) -> str:
        """The facts and what their terms are called as N-Quads, in the user's named graph."""
        return "".join(f"{' '.join(map(token, quad))} .\n" for quad in self.quads())

    def quads(self) -> Iterator[tuple[str, str, str, str]]:
        """Facts, then labels."""
        yield from ((*fact.triple, self.graph) for fact in self.facts)
        named = {
            (term, LABEL, literal(text), self.graph)
            for fact in self.facts
            for term, text in zip(fact.triple, (fact.head_text, fact.relation_text, fact.tail_text), strict=True)
            if not is_literal(term)
        }
        yield from sorted(named)

    def _keep(self) -> None:
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.save(buffer, self.vectors)
        # vectors first: rows beyond the facts are left out when they are read
        write_atomic(self._folder / "vectors.npy", buffer.getvalue())
        lines = (json.dumps(asdict(fact), ensure_ascii=False) + "\n" for fact in self.facts)
        write_atomic(self._folder / "facts.jsonl", "".join(lines).encode())


class View:
    """A knowledge base with the facts that one user stated; what an Answerer asks of a knowledge base."""

    def __init__(self, kb: KnowledgeBase, stated: StatedFacts) -> None:
        self.kb, self.stated = kb, stated

    def triples(self) -> TripleTable:
        """The shared graph and the user's facts as arrays, made once."""
        return self._table

    @cached_property
    def _table(self) -> TripleTable:
        table = self.kb.triples()
        labels = dict(zip(table.entities, table.entity_texts, strict=True))
        labels |= zip(table.relation_terms, table.relation_texts, strict=True)
        for fact in self.stated.facts:
            for term, text in zip(fact.triple, (fact.head_text, fact.relation_text, fact.tail_text), strict=True):
                labels.setdefault(term, text)
        return triple_table(dict.fromkeys([*self._shared(), *(fact.triple for fact in self.stated.facts)]), labels)

    def _shared(self) -> Iterator[Triple]:
        table = self.kb.triples()
        rows = zip(table.heads.tolist(), table.relations.tolist(), table.tails.tolist(), strict=True)
        yield from ((table.entities[h], table.relation_terms[r], table.entities[t]) for h, r, t in rows)

    def aliases(self) -> Iterator[tuple[str, str]]:
        """Names of the shared graph, and what the user called things."""
        yield from self.kb.aliases()
        for fact in self.stated.facts:
            yield from ((fact.head_text, fact.head), (fact.tail_text, fact.tail))

    def provenance(self, triples: Sequence[Triple]) -> list[list[Provenance]]:
        """The supports of each fact, the user's own words first."""
        said = {fact.triple: fact.said for fact in self.stated.facts}
        found = self.kb.provenance(triples)
        return [
            [Provenance(self.stated.graph, said[triple], extractor="stated"), *supports] if triple in said else supports
            for triple, supports in zip(triples, found, strict=True)
        ]

    def query(self, sparql: str) -> list[tuple[str, ...]]:
        """Rows of a query over what the user sees: `urn:kgqa:asserted` holds the user's facts too."""
        return self._store.query(sparql)

    @cached_property
    def _store(self) -> GraphStore:
        store = GraphStore.in_memory()
        store.add((*triple, ASSERTED) for triple in [*self._shared(), *(fact.triple for fact in self.stated.facts)])
        store.add(self.stated.quads())
        return store


def given_fact(line: str) -> Stated | None:
    """A line `head | relation | tail` as a fact; a tail of four digits is a year. None where it is no such line."""
    parts = [" ".join(part.split())[:_MOST_TEXT] for part in line.split("|")]
    if len(parts) != 3 or not all(parts):
        return None
    head, relation, tail = parts
    value: Any = literal(tail, XSD + "gYear") if tail.isdigit() and len(tail) == 4 else entity_iri(tail)
    return Stated(entity_iri(head), relation_iri(relation.replace(" ", "_")), value, head, relation, tail, line.strip())
