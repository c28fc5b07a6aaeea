"""Entities of different documents: brought together for a stated or visible reason, never by accident."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.ids import entity_iri, name_of
from kgqa.text.canonical import resolve


def statements(**documents: str) -> list[tuple[str, str]]:
    """`Marie_Curie="Maria Skłodowska|Curie"`: the names by which a document calls its entity, its own included."""
    pairs = []
    for key, aliases in documents.items():
        name = key.replace("_", " ")
        pairs += [(alias, entity_iri(name)) for alias in [name, *aliases.split("|")] if alias]
    return pairs


def moved(pairs: list[tuple[str, str]]) -> dict[str, str]:
    return {name_of(raw): name_of(canonical) for raw, canonical in resolve(pairs).items()}


def test_a_name_that_a_document_states_leads_to_its_entity() -> None:
    pairs = [*statements(Marie_Curie="Maria Skłodowska|Curie"), ("Maria Skłodowska", entity_iri("Maria Skłodowska"))]
    assert moved(pairs) == {"Maria Skłodowska": "Marie Curie"}


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("J. J. Thomson", "Joseph John Thomson"),
        ("J.J. Thomson", "J. J. Thomson"),
        ("Henri Becquerel", "Antoine Henri Becquerel"),
        ("Irene Joliot-Curie", "Irène Joliot-Curie"),
        ("Maria Goeppert-Mayer", "Maria Goeppert Mayer"),
        ("University of Leipzig", "Leipzig University"),
        ("Physics Nobel Prize", "Nobel Prize in Physics"),
        ("Planck Medal", "Max Planck Medal"),
        ("the Royal Society", "The Royal Society"),
        ("Łódź", "Lodz"),
    ],
)
def test_spellings_of_one_name_are_one_node(raw: str, canonical: str) -> None:
    pairs = [(name, entity_iri(name)) for name in (raw, canonical)] + [("x", entity_iri(canonical))]
    expected = {} if raw.startswith("the") else {raw: canonical}  # a capital tells a name from words
    assert moved(pairs) == expected


@pytest.mark.parametrize(
    "names",
    [
        ["Peter Fonda", "peter fonda"],
        ["Lawrence Bragg", "William Henry Bragg"],
        ["William Bragg", "William Henry Bragg", "William Lawrence Bragg"],
        ["Nobel Prize in Physics", "Nobel Prize in Chemistry"],
        ["Nobel Peace Prize", "Nobel Prize"],
        ["University of Paris", "Paris"],
        ["Pierre Curie", "Marie Curie"],
        ["G. P. Thomson", "J. J. Thomson"],
        ["Fermi Medal", "Enrico Fermi Medal", "Laura Fermi Medal"],
    ],
)
def test_two_things_stay_two(names: list[str]) -> None:
    assert moved([(name, entity_iri(name)) for name in names]) == {}


def test_a_name_of_two_entities_moves_to_neither() -> None:
    pairs = statements(Marie_Curie="Curie", Pierre_Curie="Curie", Curie="")
    assert moved(pairs) == {}


def test_literals_and_given_iris_never_move() -> None:
    year = '"1903"^^<http://www.w3.org/2001/XMLSchema#gYear>'
    assert resolve([("1903", year), ("A", "http://x/a"), ("A", "http://x/b")]) == {}


NAMES = st.sampled_from(
    ["Marie Curie", "Maria Curie", "M. Curie", "Curie", "Pierre Curie", "University of Oslo", "Oslo University", "Oslo",
     "Copley Medal", "Medal", "Irène Curie", "Irene Curie"]
)  # fmt: skip


@given(st.lists(st.tuples(NAMES, NAMES.map(entity_iri)), max_size=14), st.randoms())
@settings(max_examples=150)
def test_resolving_is_pure_idempotent_and_independent_of_order(pairs: list[tuple[str, str]], random: object) -> None:
    moves = resolve(pairs)
    shuffled = pairs + pairs[:3]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert resolve(shuffled) == moves
    terms = {term for _, term in pairs}
    assert set(moves) | set(moves.values()) <= terms
    assert not set(moves) & set(moves.values()), "a canonical term stays where it is"
