"""The shipped pipeline, loaded once for all tests of reading."""

from collections.abc import Callable

import pytest

from kgqa.text.extract import Extractor
from kgqa.text.extraction import Extraction
from kgqa.types import Document

Triples = set[tuple[str, str, str]]


@pytest.fixture(scope="session")
def extractor() -> Extractor:
    return Extractor()


@pytest.fixture(scope="session")
def read(extractor: Extractor) -> Callable[..., Extraction]:
    """Extracts one text, with a title where coreference needs one."""

    def extract(text: str, title: str = "") -> Extraction:
        return next(iter(extractor.extract([Document("doc", text, title)])))

    return extract


@pytest.fixture(scope="session")
def facts(read: Callable[..., Extraction]) -> Callable[..., Triples]:
    """(head text, relation name, tail text) of what a text states."""

    def extract(text: str, title: str = "") -> Triples:
        found = read(text, title).facts
        return {(fact.head_text, fact.relation.rpartition(":")[2], fact.tail_text) for fact in found}

    return extract
