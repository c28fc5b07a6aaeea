"""What an Answerer asks of its parts: a reasoner, a knowledge base or a user's view of one, an entity linker."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from torch import Tensor

from kgqa.graph.subgraph import TripleTable
from kgqa.reason.predict import Prediction
from kgqa.types import Provenance, Question


class Predicts(Protocol):
    """What is asked of a reasoner."""

    def predict(self, questions: Sequence[Question]) -> list[Prediction]: ...

    def embed(self, texts: list[str]) -> Tensor: ...

    def over(self, table: TripleTable) -> "Predicts": ...

    def lacking(self, questions: Sequence[Question]) -> list[list[tuple[int, int]]]: ...

    def supposing(self, facts: Sequence[tuple[int, int, int]]) -> "Predicts": ...


class Base(Protocol):
    """What is asked of a knowledge base, or of a user's view of one."""

    def triples(self) -> TripleTable: ...

    def aliases(self) -> Iterator[tuple[str, str]]: ...

    def provenance(self, triples: Sequence[tuple[str, str, str]]) -> list[list[Provenance]]: ...

    def query(self, sparql: str) -> list[tuple[str, ...]]: ...


class Links(Protocol):
    """What is asked of an entity linker."""

    def link(self, questions: Sequence[Question]) -> list[Question]: ...

    def over(self, aliases: Iterable[tuple[str, str]], table: TripleTable) -> "Links": ...
