"""Bulk loading by two loaders at once: all lines once, and an error of either ends it."""

from collections.abc import Iterator

import pytest

from kgqa.graph.oxigraph import GraphStore


def lines(number: int) -> Iterator[str]:
    return (f"<urn:e{n}> <urn:p> <urn:e{n % 7}> <urn:g> .\n" for n in range(number))


@pytest.mark.parametrize("number", [0, 1, 1999, 2001, 25_000])
def test_every_line_is_loaded_once(number: int) -> None:
    with GraphStore.in_memory() as store:
        assert store.load(lines(number)) == number
        assert {quad[0] for quad in store.quads()} == {f"urn:e{n}" for n in range(number)}


def test_what_one_loader_cannot_read_ends_the_load_and_not_only_its_share() -> None:
    made = 0

    def endless() -> Iterator[str]:
        nonlocal made
        while True:
            made += 1
            yield "nonsense\n" if made == 3000 else f"<urn:e{made}> <urn:p> <urn:o> <urn:g> .\n"

    with GraphStore.in_memory() as store, pytest.raises(SyntaxError):
        store.load(endless())


def test_an_error_of_what_makes_the_lines_is_raised() -> None:
    def broken() -> Iterator[str]:
        yield from lines(5000)
        raise OSError("the disk is gone")

    with GraphStore.in_memory() as store, pytest.raises(OSError, match="the disk is gone"):
        store.load(broken())
