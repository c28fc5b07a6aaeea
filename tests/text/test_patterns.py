"""The pattern file: every example yields its facts, and every mistake in a file is named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kgqa.errors import ConfigError
from kgqa.ids import name_of
from kgqa.text.extract import Extractor
from kgqa.text.patterns import PATTERNS, Pattern, forms, load_patterns
from kgqa.types import Document

RELATIONS = load_patterns()
ALL = [pytest.param(pattern, id=f"{pattern.name} {pattern.example[:40]}") for r in RELATIONS for pattern in r.patterns]


@pytest.mark.parametrize("pattern", ALL)
def test_every_example_yields_its_facts(pattern: Pattern, facts: Callable[..., set[tuple[str, str, str]]]) -> None:
    found = {(head, tail) for head, relation, tail in facts(pattern.example) if relation == pattern.relation}
    assert found == set(pattern.facts)


def test_relations_are_told_apart_by_name_and_text() -> None:
    assert (
        len({relation.name for relation in RELATIONS})
        == len({relation.text for relation in RELATIONS})
        == len(RELATIONS)
    )


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("discover", {"discover", "discovers", "discovered", "discovering"}),
        ("write/wrote/written", {"write", "writes", "writing", "wrote", "written"}),
        ("marry", {"marry", "marries", "married", "marrying"}),
        ("die/died/dying", {"die", "dies", "died", "dying"}),
        ("teach/taught", {"teach", "teaches", "taught", "teaching"}),
        ("oversee/oversaw", {"oversee", "oversees", "oversaw", "overseeing"}),
        ("=born", {"born"}),
    ],
)
def test_verbs_are_inflected(word: str, expected: set[str]) -> None:
    assert set(forms(word, verb=True)) == expected


def test_nouns_have_plurals() -> None:
    assert set(forms("discovery", verb=False)) == {"discovery", "discoveries"}
    assert set(forms("son", verb=False)) == {"son", "sons"}


GOOD = """
[[relation]]
name = "likes"
text = "likes"
head = "PERSON"
tail = "WORK"
[[relation.pattern]]
verb = "like"
head = "AGENT"
tail = "PATIENT"
confidence = 0.9
example = "Marie Curie liked the book Atoms."
fact = "Marie Curie | Atoms"
"""


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(GOOD)
    (relation,) = load_patterns(path)
    assert relation.patterns[0].facts == (("Marie Curie", "Atoms"),)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[relation]]", "[[relations]]", "holds no"),
        ('name = "likes"', "", "lacks the key 'name'"),
        ('tail = "WORK"', 'tail = "BOOK"', "unknown types ['BOOK']"),
        ('tail = "WORK"', 'tails = "WORK"', "unknown keys ['tails']"),
        ('tail = "PATIENT"', 'tail = "PATIENTS"', "'PATIENTS'"),
        ('tail = "PATIENT"', 'tail = "SELF"', "'SELF'"),
        ('verb = "like"', 'verb = "like"\nnoun = "x"', "exactly one of"),
        ('verb = "like"', 'verb = "like"\ncolour = "x"', "unknown keys ['colour']"),
        ("confidence = 0.9", "confidence = 9", "not in (0, 1]"),
        ('fact = "Marie Curie | Atoms"', 'fact = "Marie Curie"', "is not 'head text | tail text'"),
        ("verb =", "verb", "cannot be read"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "own.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as error:
        load_patterns(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_a_missing_file_points_to_the_shipped_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=PATTERNS.name):
        load_patterns(tmp_path / "none.toml")


BETWEEN = """
[[relation]]
name = "son"
text = "son"
head = "PERSON"
tail = "PERSON"
[[relation.pattern]]
between = "... his son | ... his son ,"
head = "FIRST"
tail = "RIGHT"
confidence = 0.9
example = "Robert met Marie and his son, William."
fact = "Robert | William"
[[relation.pattern]]
between = "... her son . his name is"
confidence = 0.9
example = "Marie paints with her son. His name is William."
fact = "Marie | William"
"""


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("Robert met Marie and his son, William.", {("Robert", "William")}),
        ("Marie met Robert and his son, William.", {("Robert", "William")}),  # not hers
        ("Marie paints with her son. His name is William.", {("Marie", "William")}),
        ("Marie paints a lot. Robert and William went home.", set()),
    ],
)
def test_what_stands_between_may_begin_anyhow_and_end_a_sentence(
    text: str, facts: set[tuple[str, str]], tmp_path: Path
) -> None:
    path = tmp_path / "kin.toml"
    path.write_text(BETWEEN)
    (extraction,) = Extractor(patterns=path).extract([Document("1", text)])
    assert {(fact.head_text, fact.tail_text) for fact in extraction.facts if name_of(fact.relation) == "son"} == facts
