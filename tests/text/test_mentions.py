"""What is found in a paragraph: names with whole borders and right kinds, dates as literals, pronouns."""

from collections.abc import Callable

import pytest

from kgqa.text.extraction import Extraction
from kgqa.text.mentions import XSD

Read = Callable[..., Extraction]


def named(read: Read, text: str, title: str = "") -> dict[str, str]:
    return {mention.text: mention.label for mention in read(text, title).mentions}


@pytest.mark.parametrize(
    ("text", "name", "label"),
    [
        ("He studied at the University of California, Berkeley in 1912.", "University of California, Berkeley", "ORG"),
        ("She worked at King's College London for years.", "King's College London", "ORG"),
        ("He joined the Kaiser Wilhelm Institute for Chemistry.", "Kaiser Wilhelm Institute for Chemistry", "ORG"),
        ("He left the Academy of Arts and Sciences.", "Academy of Arts and Sciences", "ORG"),
        ("He won the Nobel Prize in Physiology or Medicine.", "Nobel Prize in Physiology or Medicine", "AWARD"),
        ("He met J. J. Thomson in the street.", "J. J. Thomson", "PERSON"),
        ("He met Max von Laue in the street.", "Max von Laue", "PERSON"),
        ("He met Irène Joliot-Curie in the street.", "Irène Joliot-Curie", "PERSON"),
        ("She read the book X Rays and Crystal Structure.", "X Rays and Crystal Structure", "WORK"),
        ('He wrote "The Origin of Species" in a hurry.', "The Origin of Species", "WORK"),
        ("She wrote Letters from a Distant Shore in Oslo.", "Letters from a Distant Shore", "WORK"),
        ("She wrote Niels Bohr a letter.", "Niels Bohr", "PERSON"),
        ("He showed the Geiger counter to his guests.", "Geiger counter", "SCIENCE"),
        ("They measured radium again.", "radium", "SCIENCE"),
        ("They went to Poland.", "Poland", "LOC"),
        ("After the Second World War Marie Curie left.", "Second World War", "EVENT"),
    ],
)
def test_names_have_their_whole_form_and_kind(read: Read, text: str, name: str, label: str) -> None:
    assert named(read, text).get(name) == label


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("The English teacher came.", "English"),
        ("Recognition came slowly.", "Recognition"),
        ("In July he left.", "July"),
        ("The young Dutchman left.", "Dutchman"),
        ("Two people work in Physics.", "Physics"),
    ],
)
def test_capitals_alone_make_no_name(read: Read, text: str, absent: str) -> None:
    assert absent not in named(read, text)


@pytest.mark.parametrize(
    ("text", "shown", "literal"),
    [
        ("She was born on 7 November 1867.", "7 November 1867", f'"1867-11-07"^^<{XSD}date>'),
        ("She was born on November 7, 1867.", "November 7, 1867", f'"1867-11-07"^^<{XSD}date>'),
        ("She was born on the 7th of November 1867.", "7th of November 1867", f'"1867-11-07"^^<{XSD}date>'),
        ("She was born in November 1867.", "November 1867", f'"1867-11"^^<{XSD}gYearMonth>'),
        ("She was born in 1867.", "1867", f'"1867"^^<{XSD}gYear>'),
        ("She was born\non 7\nNovember 1867.", "7\nNovember 1867", f'"1867-11-07"^^<{XSD}date>'),
        ("She was born on 45 November 1867.", "45 November 1867", f'"1867-11"^^<{XSD}gYearMonth>'),
        ("Bohr (1885-1962) was a physicist.", "1885", f'"1885"^^<{XSD}gYear>'),
    ],
)
def test_dates_are_typed_as_exactly_as_they_are_known(read: Read, text: str, shown: str, literal: str) -> None:
    values = {mention.text: mention.term for mention in read(text).mentions if mention.label == "DATE"}
    assert values.get(shown) == literal


@pytest.mark.parametrize("text", ["In the 1890s he left.", "It weighs 1500 kg.", "It cost 1,500 marks.", "Room 137."])
def test_other_numbers_are_no_dates(read: Read, text: str) -> None:
    assert not [mention for mention in read(text).mentions if mention.label == "DATE"]


def test_a_name_has_one_label_in_a_document(read: Read) -> None:
    text = "Ludmila Strand was a physicist. Strand was born in Oslo.\n\nIn 1912 Strand met Bohr. He liked Strand."
    labels = {mention.label for mention in read(text, "Ludmila Strand").mentions if mention.text == "Strand"}
    assert labels == {"PERSON"}


@pytest.mark.parametrize(
    ("said", "label"),
    [(", a beautifully written book,", "WORK"), (", an old university,", "ORG"), (", a small town,", "LOC")],
)
def test_what_is_said_beside_a_name_tells_its_kind(read: Read, said: str, label: str) -> None:
    assert named(read, f"They remember Zorvex{said} with joy.")["Zorvex"] == label


def test_the_title_is_found_in_small_letters(read: Read) -> None:
    found = read("Otto Hahn discovered nuclear fission.", "Nuclear fission").mentions
    assert ("nuclear fission", "urn:kgqa:entity:Nuclear%20fission") in {
        (mention.text, mention.term) for mention in found
    }
