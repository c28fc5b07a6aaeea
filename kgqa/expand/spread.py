"""Documents read by the workers of an engine: the same extractions in the same order as by one extractor alone."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from kgqa.engine.local import Engine, Make
from kgqa.expand.batches import Extracted, TextExtractor
from kgqa.types import Document

BATCH_CHARACTERS = 50_000
"""Documents are handed out until they have so many: a second or two of work, against which sending them is little."""

Documents = list[Document]


class SpreadExtractor:
    """A `TextExtractor` whose documents an engine's workers read, each with what `make` opens."""

    def __init__(self, identity: str, make: Make[Documents, list[Extracted]], engine: Engine) -> None:
        """identity: of the extractor that `make` opens (`reading` makes such a `make`)."""
        self.identity = identity
        self._make, self._engine = make, engine

    def extract(self, documents: Iterable[Document]) -> Iterator[Extracted]:
        """The extractions of the documents, in their order."""
        for extractions in self._engine.map(self._make, _batches(documents)):
            yield from extractions


@contextmanager
def reading(open_extractor: Callable[[], TextExtractor]) -> Iterator[Callable[[Documents], list[Extracted]]]:
    """What a worker does with a batch of documents; as `partial(reading, open_extractor)` it can be sent to one."""
    extractor = open_extractor()
    yield lambda documents: list(extractor.extract(documents))


def _batches(documents: Iterable[Document]) -> Iterator[Documents]:
    batch: Documents = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document.text)
        if size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
