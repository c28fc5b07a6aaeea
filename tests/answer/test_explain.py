"""A path as a sentence: grammatical for the relations of the sample and the data sets, never of the wrong one."""

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgqa.answer.explain import explain
from kgqa.types import Step

ROOT = Path(__file__).parents[2]


def said(*path):
    """`A >relation B` walks forwards, `A <relation B` is the fact B relation A."""
    steps = []
    for place in range(0, len(path) - 2, 2):
        here, relation, there = path[place : place + 3]
        inverse = relation[0] == "<"
        head, tail = (there, here) if inverse else (here, there)
        steps.append(Step(head, relation[1:], tail, inverse=inverse))
    return explain(steps, str)


PATHS = {
    ("Otto Hahn", ">educated at", "University of Marburg", ">located in", "Hesse"):
        "Otto Hahn was educated at the University of Marburg, which is located in Hesse.",
    ("Lise Meitner", ">student of", "Ludwig Boltzmann", ">born in", "Vienna", ">in the country", "Austria"):
        "Lise Meitner is a student of Ludwig Boltzmann, who was born in Vienna, which is in the country Austria.",
    ("Kismet", ">directed by", "William Dieterle", "<directed by", "Portrait of Jennie", ">release year", "1948"):
        "Kismet was directed by William Dieterle, and Portrait of Jennie was directed by William Dieterle, "
        "and the release year of Portrait of Jennie is 1948.",
    ("Ronald Colman", "<starred actors", "Kismet", ">has genre", "Musical"):
        "One of the starred actors of Kismet is Ronald Colman, and the genre of Kismet is Musical.",
    ("anne", ">spouse", "louis", ">nationality", "france"):
        "The spouse of anne is louis, whose nationality is france.",
    ("charles", ">children", "louis", ">children", "anne", ">cause of death", "plague"):
        "One of the children of charles is louis, one of whose children is anne, whose cause of death is plague.",
    ("Ada", ">died in the year", "1852."): "Ada died in the year 1852.",
    ("Vienna", "<born in", "Max", ">wrote", "Heat"): "Max was born in Vienna, and Max wrote Heat.",
}  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=PATHS.values())
def test_paths(path):
    assert said(*path) == PATHS[path]


RELATIONS = {
    "directed": "X directed Y.", "wrote": "X wrote Y.", "worked at": "X worked at Y.", "taught": "X taught Y.",
    "written by": "X was written by Y.", "named after": "X is named after Y.", "is part of": "X is part of Y.",
    "spouse of": "X is the spouse of Y.", "instance of": "X is an instance of Y.", "part of": "X is part of Y.",
    "capital": "The capital of X is Y.", "in language": "X is in the language Y.",
    "has tags": "One of the tags of X is Y.",
    "has imdb rating": "The imdb rating of X is Y.", "place of birth": "The place of birth of X is Y.",
    "starred in": "X starred in Y.", "speed": "The speed of X is Y.", "the author": "The author of X is Y.",
    "series": "The series of X is Y.", "published in the year": "X was published in the year Y.", "in": "X is in Y.",
    "has": "X has Y.",
}  # fmt: skip


@pytest.mark.parametrize("relation", RELATIONS)
def test_relations(relation):
    assert said("X", f">{relation}", "Y") == RELATIONS[relation]


def test_the_relations_of_the_sample_read_like_their_examples():
    with (ROOT / "data/sample/relations.tsv").open(encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file, delimiter="\t")]
    told = [said("X", f">{text}", "Y") for text in texts]
    assert not [sentence for sentence in told if not sentence.startswith("X ") or not sentence.endswith(" Y.")]


NAMES = st.text(st.sampled_from("ab \n.é<\x1b"), min_size=1, max_size=5)


@settings(deadline=None)
@given(
    st.lists(st.tuples(NAMES, st.sampled_from(["born in", "has tags", "", "\n", ".", "of"]), st.booleans()), max_size=4)
)
def test_any_path_is_one_line_that_names_every_node(path):
    steps = [Step(f"h{name}", relation, f"t{name}", inverse=inverse) for name, relation, inverse in path]
    sentence = explain(steps, str)
    assert "\n" not in sentence
    assert sentence.endswith(".") == bool(steps)
    assert all(" ".join(node.split()) in sentence for step in steps for node in (step.head[1:], step.tail))
