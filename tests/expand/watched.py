"""What a process does that watches a folder for a toy knowledge base and says what it commits, one line each."""

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from kgqa.expand.apply import Outcome
from kgqa.expand.plan import Corpus
from kgqa.expand.watch import until_stopped, watch
from kgqa.types import Document
from tests.expand.toy import ToyExtraction, ToyExtractor, settings


class SlowExtractor(ToyExtractor):
    """Takes an hour for the document new/slow."""

    def extract(self, documents: Iterable[Document]) -> Iterator[ToyExtraction]:
        for document in documents:
            if document.doc_id == "new/slow":
                say(document.doc_id)
                time.sleep(3600)
            yield from super().extract([document])


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def committed(outcome: Outcome) -> None:
    say(f"{outcome.generation} {len(outcome.delta.added)} {len(outcome.delta.changed)} {len(outcome.delta.removed)}")


def main(kb: Path, corpus: Path) -> None:
    with until_stopped():
        say("ready")
        watch(
            kb, Corpus(corpus), settings(extractor=SlowExtractor()),
            seconds=0.05, committed=committed,
        )  # fmt: skip
    say("stopped")
