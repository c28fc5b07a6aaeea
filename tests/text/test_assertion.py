"""Phrasings that take a statement's assertion away, each with its reason, and some that only look so."""

from collections.abc import Callable

import pytest

from kgqa.text.extraction import Extraction

DOUBTED = {
    "negation": [
        "Niels Bohr was not born in Oslo.",
        "Niels Bohr wasn't born in Oslo.",
        "Niels Bohr was never born in Oslo.",
        "Niels Bohr did not die in Oslo.",
        "Niels Bohr never won the Copley Medal.",
        "Niels Bohr never actually won the Copley Medal.",
        "Niels Bohr nearly died in Oslo.",
        "Niels Bohr almost won the Copley Medal.",
        "Niels Bohr hardly studied at Cornell University.",
        "It is not true that Niels Bohr died in Oslo.",
        "It is false that Niels Bohr died in Oslo.",
        "It is a myth that Niels Bohr died in Oslo.",
        "Niels Bohr denied that Max Planck died in Oslo.",
        "Historians doubt that Niels Bohr died in Oslo.",
        "Nobody discovered radium.",
        "No physicist discovered radium.",
        "Neither Niels Bohr nor Max Planck discovered radium.",
        "Niels Bohr cannot have died in Oslo.",
    ],
    "hearsay": [
        "Niels Bohr reportedly died in Oslo.",
        "Niels Bohr allegedly died in Oslo.",
        "Niels Bohr supposedly died in Oslo.",
        "Niels Bohr apparently died in Oslo.",
        "Niels Bohr probably died in Oslo.",
        "Niels Bohr was possibly born in Oslo.",
        "Perhaps Niels Bohr died in Oslo.",
        "Niels Bohr was rumoured to have died in Oslo.",
        "Niels Bohr was rumored to have died in Oslo.",
        "Niels Bohr is said to have died in Oslo.",
        "Niels Bohr is believed to have died in Oslo.",
        "Niels Bohr was thought to have died in Oslo.",
        "Niels Bohr is alleged to have died in Oslo.",
        "It is rumoured that Niels Bohr died in Oslo.",
        "It was claimed that Niels Bohr died in Oslo.",
        "It is believed that Niels Bohr died in Oslo.",
        "Some say that Niels Bohr died in Oslo.",
        "People claimed that Niels Bohr died in Oslo.",
        "According to legend, Niels Bohr died in Oslo.",
        "Legend has it that Niels Bohr died in Oslo.",
        "It is possible that Niels Bohr died in Oslo.",
        "It seems that Niels Bohr died in Oslo.",
        "The story that Niels Bohr died in Oslo is old.",
        "The theory that Niels Bohr discovered radium is old.",
        "It is unclear whether Niels Bohr died in Oslo.",
    ],
    "wish": [
        "Niels Bohr hoped to win the Copley Medal.",
        "Niels Bohr wanted to win the Copley Medal.",
        "Niels Bohr planned to study at Cornell University.",
        "Niels Bohr tried to win the Copley Medal.",
        "Niels Bohr failed to win the Copley Medal.",
        "Niels Bohr refused to study at Cornell University.",
        "Niels Bohr was expected to win the Copley Medal.",
        "Niels Bohr was unable to win the Copley Medal.",
        "Niels Bohr could have won the Copley Medal.",
        "Niels Bohr might have died in Oslo.",
        "Niels Bohr would have won the Copley Medal.",
        "Niels Bohr should have won the Copley Medal.",
    ],
    "condition": [
        "If Niels Bohr had died in Oslo, we would know.",
        "Unless Niels Bohr died in Oslo, he is there.",
        "Had Niels Bohr died in Oslo, we would know.",
    ],
    "question": [
        "Was Niels Bohr born in Oslo?",
        "Did Niels Bohr die in Oslo?",
        "When did Niels Bohr die in Oslo?",
        "And did Niels Bohr die in Oslo?",
        "In which year did Niels Bohr die in Oslo?",
        "Why did Niels Bohr win the Copley Medal?",
    ],
}

ASSERTED = [
    "Niels Bohr was born in Oslo.",
    "Niels Bohr not only won the Copley Medal but kept it.",
    "Niels Bohr, who was not rich, died in Oslo.",
    "Niels Bohr died in Oslo when nobody was there.",
    "Niels Bohr said that he was happy and died in Oslo.",
    "Although he did not want to go, Niels Bohr died in Oslo.",
    "Niels Bohr published What Is Life?",
    "Niels Bohr died in Oslo without a word.",
    "Niels Bohr won the Copley Medal, as he had hoped.",
    "Niels Bohr died in Oslo beside a man who claimed to be poor.",
    "Niels Bohr, no stranger to war, died in Oslo.",
    "It is known that Niels Bohr died in Oslo.",
    "Niels Bohr proved that he could sing before he died in Oslo.",
]


@pytest.mark.parametrize(
    ("reason", "text"), [(reason, text) for reason, texts in DOUBTED.items() for text in texts], ids=str
)
def test_what_is_not_asserted_is_rejected_with_its_reason(
    read: Callable[..., Extraction], reason: str, text: str
) -> None:
    found = read(text)
    assert found.facts == ()
    reasons = {one.reason for one in found.rejected}
    assert not reasons or reason in reasons or (reason, reasons) == ("hearsay", {"condition"})


@pytest.mark.parametrize("text", ASSERTED)
def test_what_only_looks_so_is_a_fact(read: Callable[..., Extraction], text: str) -> None:
    found = read(text)
    assert len(found.facts) == 1
    assert found.rejected == ()


@pytest.mark.parametrize(
    ("text", "stated", "left_out"),
    [
        ("Niels Bohr died in Oslo, not in Bergen.", "Oslo", "Bergen"),
        ("Niels Bohr died in Oslo and not in Bergen.", "Oslo", "Bergen"),
        ("Niels Bohr died in Oslo instead of Bergen.", "Oslo", "Bergen"),
        ("Niels Bohr died in Oslo rather than in Bergen.", "Oslo", "Bergen"),
    ],
)
def test_what_is_named_only_to_be_left_out_is_no_fact(
    read: Callable[..., Extraction], text: str, stated: str, left_out: str
) -> None:
    found = read(text)
    assert {fact.tail_text for fact in found.facts} == {stated}
    assert {one.reason for one in found.rejected if text[slice(*one.tail_span)] == left_out} <= {"negation"}


def test_a_rejected_candidate_says_where_it_stands(read: Callable[..., Extraction]) -> None:
    text = "It rained. Niels Bohr never won the Copley Medal."
    (one,) = read(text).rejected
    assert text[slice(*one.sentence)] == "Niels Bohr never won the Copley Medal."
    assert [text[slice(*span)] for span in (one.head_span, one.tail_span)] == ["Niels Bohr", "Copley Medal"]
    assert (one.reason, 0 < one.confidence <= 1) == ("negation", True)


def test_the_same_candidate_is_no_mention_of_anything_new(read: Callable[..., Extraction]) -> None:
    assert {mention.text for mention in read("Niels Bohr never won the Copley Medal.").mentions} == {
        "Niels Bohr",
        "Copley Medal",
    }
