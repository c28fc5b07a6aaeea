"""When two names are one entity's, decided on the names alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.text.entities import Entity, NameParts, inverted, plain, same_person
from kgqa.text.lexicon import lexicon

GIVEN = lexicon().given_names


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Maria Skłodowska", "maria sklodowska"),
        ("Sir William Ramsay", "william ramsay"),
        ("J.J. Thomson", "j. j. thomson"),
        ("Irène Joliot-Curie", "irene joliot curie"),
        ("the Royal Society", "royal society"),
        ("Professor", "professor"),
    ],
)
def test_names_are_compared_without_accents_titles_and_hyphens(name: str, words: str) -> None:
    assert plain(name) == words.split()


@given(st.text(alphabet="Aé-. J'\u0301", min_size=1, max_size=12).filter(str.strip))
@settings(max_examples=200)
def test_every_name_has_words_to_compare(name: str) -> None:
    assert plain(name)
    assert all(plain(name))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("J. J. Thomson", "Joseph John Thomson", True),
        ("Henri Becquerel", "Antoine Henri Becquerel", True),
        ("James Watson", "James D. Watson", True),
        ("G. P. Thomson", "J. J. Thomson", False),
        ("Joliot Curie", "Irène Joliot Curie", False),
        ("William Bragg", "Lawrence Bragg", False),
        ("Curie", "Marie Curie", False),
        ("Marie Curie", "Marie Meyer", False),
    ],
)
def test_full_names_of_one_person(one: str, other: str, same: bool) -> None:
    assert same_person(plain(one), plain(other), GIVEN) is same
    assert same_person(plain(other), plain(one), GIVEN) is same


def test_institutions_and_prizes_have_one_word_order() -> None:
    assert inverted(["university", "of", "oslo"]) == inverted(["oslo", "university"])
    assert inverted(["nobel", "prize", "in", "physics"]) == inverted(["physics", "nobel", "prize"])


def entity(name: str, label: str) -> Entity:
    return Entity(name, label, {name: None})


def test_a_part_means_every_longer_name_of_its_kind() -> None:
    marie, pierre = entity("Marie Curie", "PERSON"), entity("Pierre Curie", "PERSON")
    institute, medal = entity("Curie Institute", "ORG"), entity("Max Planck Medal", "AWARD")
    parts = NameParts([marie, pierre, institute, medal])
    assert parts.wholes("Curie", "PERSON") == [marie, pierre]
    assert parts.wholes("Marie", "PERSON") == [marie]
    assert parts.wholes("Madame Curie", "PERSON") == [marie, pierre]
    assert parts.wholes("Curie", "ORG") == [institute]
    assert parts.wholes("Planck Medal", "AWARD") == [medal]
    assert parts.wholes("Medal", "AWARD") == []
    assert parts.wholes("Marie Curie", "PERSON") == []
