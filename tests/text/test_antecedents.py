"""Whom "he" and "she" mean by the shipped weights, and what is known of those who could be meant."""

from collections.abc import Callable

import pytest

from kgqa.text import antecedents
from kgqa.text.extraction import Extraction
from kgqa.text.lexicon import lexicon
from kgqa.text.mentions import find_spots
from kgqa.text.nlp import Parse, load_pipeline, parse


def meant(found: Extraction, text: str, pronoun: str) -> str:
    """The name of what the last occurrence of a pronoun was resolved to; empty where nothing."""
    start = text.rindex(pronoun)
    terms = [mention.term for mention in found.mentions if mention.span == (start, start + len(pronoun))]
    return terms[0].rpartition(":")[2].replace("%20", " ") if terms else ""


@pytest.mark.parametrize(
    ("rule", "text", "pronoun", "name"),
    [
        ("a subject before an object", "Hans Geiger met Niels Bohr. Later he died.", "he", "Hans Geiger"),
        ("no object is its own subject", "Niels Bohr came. Hans Geiger told him all.", "him", "Niels Bohr"),
        ("whose things a subject has", "Hans Geiger gave Niels Bohr his book.", "his", "Hans Geiger"),
        ("a name that comes later", "In his youth, Niels Bohr played football.", "his", "Niels Bohr"),
        ("gender", "Marie Curie met Niels Bohr. She left.", "She", "Marie Curie"),
    ],
)
def test_each_case(read: Callable[..., Extraction], rule: str, text: str, pronoun: str, name: str) -> None:
    assert meant(read(text), text, pronoun) == name, rule


def test_what_a_recogniser_took_for_a_place_can_still_be_meant(read: Callable[..., Extraction]) -> None:
    text = "Kallergis was a general. After the war he went home."
    assert meant(read(text), text, "he") == "Kallergis"


@pytest.mark.parametrize("name", ["France", "Cornell University", "the Royal Society", "Girls"])
def test_what_is_named_as_a_thing_is_nobody(read: Callable[..., Extraction], name: str) -> None:
    text = f"In {name} it rained. He stayed at home."
    assert meant(read(text), text, "He") == ""


def first_parse(text: str) -> Parse:
    return parse(load_pipeline(), [(0, text)])[0]


def test_a_conjunct_does_what_its_governor_does() -> None:
    found = first_parse("Niels Bohr and Max Planck met Otto Hahn.")
    roles = {word: antecedents.role(found, token) for token, word in enumerate(found.words)}
    assert roles["Niels"] == roles["Max"] == "subject"
    assert roles["Otto"] == "object"


def test_a_token_s_clause_is_the_nearest_predicate_over_it() -> None:
    found = first_parse("Niels Bohr said that Max Planck had written a book.")
    over = {word: found.words[antecedents.verb_over(found, token)] for token, word in enumerate(found.words)}
    assert over["Bohr"] == "said"
    assert over["Planck"] == over["book"] == "written"


def test_a_score_is_the_sum_of_known_weights() -> None:
    assert antecedents.score(("a", "b", "c"), {"a": 1.5, "c": -0.5, "d": 9.0}) == 1.0


def test_the_shipped_weights_know_what_is_described() -> None:
    text = "Niels Bohr met Max Planck. He left."
    found = first_parse(text)
    spots = find_spots(found, text, lexicon())
    pronoun = antecedents.Pronoun(found, spots[-1], 1, 2, frozenset(), {}, 0)
    assert spots[-1].kind == "pronoun"
    weights = antecedents.shipped_weights()
    name = spots[0]
    seen = antecedents.Seen(found, name, 0, 0, subject=True)
    entity = antecedents.Entity(name.text, "PERSON", {name.text: None}, gender="m")
    known = antecedents.describe(pronoun, entity, seen, 1)
    assert len(known) == len(set(known))
    assert sum(feature in weights for feature in known) > len(known) / 2
