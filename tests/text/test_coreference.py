"""One case for each rule by which a mention is resolved, and the entities that names are brought together to."""

from collections.abc import Callable

import pytest

Facts = Callable[..., set[tuple[str, str, str]]]


@pytest.mark.parametrize(
    ("rule", "title", "text", "fact"),
    [
        (
            "gender",
            "Marie Curie",
            "Marie Curie met Pierre Curie. She was born in Warsaw.",
            ("Marie Curie", "born_in", "Warsaw"),
        ),
        (
            "gender",
            "Marie Curie",
            "Marie Curie met Pierre Curie. He was born in Paris.",
            ("Pierre Curie", "born_in", "Paris"),
        ),
        (
            "a subject before others",
            "",
            "Hans Geiger met Niels Bohr. He died in Berlin.",
            ("Hans Geiger", "died_in", "Berlin"),
        ),
        (
            "the title without a mention near",
            "Niels Bohr",
            "Niels Bohr was tall.\n\nHe died in Copenhagen.",
            ("Niels Bohr", "died_in", "Copenhagen"),
        ),
        (
            "a thing is no person",
            "Royal Society",
            "The Royal Society elected Niels Bohr. It was founded in 1660.",
            ("Royal Society", "founded_in", "1660"),
        ),
        (
            "selection by the relation",
            "Radium",
            "Radium is in the Radium Institute. It was discovered by Marie Curie.",
            ("Marie Curie", "discovered", "Radium"),
        ),
        (
            "a possessive",
            "Marie Curie",
            "Marie Curie was kind. Her husband Pierre Curie was too.",
            ("Pierre Curie", "spouse_of", "Marie Curie"),
        ),
        (
            "a surname",
            "Niels Bohr",
            "Niels Bohr was tall. Bohr died in Copenhagen.",
            ("Niels Bohr", "died_in", "Copenhagen"),
        ),
        ("a given name", "", "Marie Curie met Niels Bohr. Marie died in Paris.", ("Marie Curie", "died_in", "Paris")),
        (
            "a title before a surname",
            "",
            "Marie Curie met Pierre Curie. Madame Curie died in Passy.",
            ("Marie Curie", "died_in", "Passy"),
        ),
        (
            "a description of a person",
            "Lise Meitner",
            "Lise Meitner was quiet. The physicist died in Cambridge.",
            ("Lise Meitner", "died_in", "Cambridge"),
        ),
        (
            "a description by its noun",
            "Marie Curie",
            "Marie Curie left Cornell University for the Radium Institute. The institute is located in Paris.",
            ("Radium Institute", "located_in", "Paris"),
        ),
        (
            "a description of an award",
            "Copley Medal",
            "The Copley Medal is old. Niels Bohr won the medal in 1938.",
            ("Niels Bohr", "received", "Copley Medal"),
        ),
        (
            "several people",
            "",
            "Marie Curie worked with Pierre Curie. They discovered polonium.",
            ("Pierre Curie", "discovered", "Polonium"),
        ),
        ("who", "", "She met Otto Hahn, who was born in Frankfurt.", ("Otto Hahn", "born_in", "Frankfurt")),
        (
            "which",
            "",
            "He left Cornell University, which is located in Ithaca.",
            ("Cornell University", "located_in", "Ithaca"),
        ),
        ("where", "", "Niels Bohr went to Oslo, where he died.", ("Niels Bohr", "died_in", "Oslo")),
        (
            "not itself",
            "Max Planck",
            "Max Planck was kind. Max von Laue was his student.",
            ("Max von Laue", "student_of", "Max Planck"),
        ),
        (
            "a stated alias",
            "Marie Curie",
            "Marie Curie, born Maria Skłodowska, was kind. Skłodowska died in Passy.",
            ("Marie Curie", "died_in", "Passy"),
        ),
        (
            "initials",
            "J. J. Thomson",
            "J. J. Thomson was kind. Joseph John Thomson died in Cambridge.",
            ("J. J. Thomson", "died_in", "Cambridge"),
        ),
        (
            "an acronym",
            "",
            "He left University College London. UCL was founded in 1826.",
            ("University College London", "founded_in", "1826"),
        ),
        (
            "a country's other name",
            "",
            "He died in Ithaca, a town in the USA.",
            ("Ithaca", "in_country", "United States"),
        ),
        (
            "the short name of the title's thing",
            "Nuclear fission",
            "Fission was discovered by Otto Hahn.",
            ("Otto Hahn", "discovered", "Nuclear fission"),
        ),
    ],
)
def test_each_rule(facts: Facts, rule: str, title: str, text: str, fact: tuple[str, str, str]) -> None:
    assert fact in facts(text, title), rule


def test_two_people_of_one_surname_stay_two(facts: Facts) -> None:
    text = "Irène Joliot-Curie married Frédéric Joliot-Curie. Frédéric Joliot-Curie was born in Paris."
    assert facts(text, "Irène Joliot-Curie") == {
        ("Irène Joliot-Curie", "spouse_of", "Frédéric Joliot-Curie"),
        ("Frédéric Joliot-Curie", "born_in", "Paris"),
    }


def test_the_document_about_it_names_the_entity(facts: Facts) -> None:
    text = "Antoine Henri Becquerel was born in Paris."
    assert ("Henri Becquerel", "born_in", "Paris") in facts(text, "Henri Becquerel")
    assert ("Antoine Henri Becquerel", "born_in", "Paris") in facts(text)


def test_a_pronoun_that_nobody_fits_states_nothing(facts: Facts) -> None:
    assert facts("He was born in Paris.") == set()
