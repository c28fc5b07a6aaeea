"""How much is read at a time: which passages are prose, what is parsed together, and what is resolved together."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from kgqa.types import Document, Passage

T = TypeVar("T")

WINDOW_CHARACTERS = 1_000_000
"""Names and pronouns are resolved within this much text at a time: some 400 pages, a gigabyte of parses at most."""

BATCH_CHARACTERS = 50_000
"""Documents are parsed together until they have so many: one call of the network for all takes half the time."""


def together(things: Iterable[T], size: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """The things in their order, in lists whose sizes add up to at most `most`; what is larger than that is alone."""
    batch: list[T] = []
    total = 0
    for thing in things:
        if batch and total + size(thing) > most:
            yield batch
            batch, total = [], 0
        batch.append(thing)
        total += size(thing)
    if batch:
        yield batch


def is_prose(passage: Passage, document: Document) -> bool:
    """Headings state nothing; in tables and code a recogniser only guesses, and its guesses would count elsewhere."""
    text, lines = passage.text, passage.text.splitlines()
    if text.startswith(("```", "~~~")) or (len(lines) > 1 and all(line.count("|") > 1 for line in lines)):
        return False
    return not (text.startswith("#") or ("\n" not in text and text.strip("# ") == document.title))
