"""KnowledgeNet and Re-DocRED files: what they state, in characters of running text; malformed ones are refused."""

import json
from pathlib import Path

import pytest

from kgqa.errors import InputError
from kgqa.text.relation_corpus import KNOWLEDGENET, held_out, knowledgenet, redocred, running_text

TEXT = "Ann Lee is a daughter of Bo."
ROW = {
    "fold": "1", "doc": "7", "passage": ["10", "38"], "prop": "CHILD_OF", "text": TEXT,
    "subj_off": ["10", "17"], "obj_off": ["35", "37"],
}  # fmt: skip
NOTHING = ROW | {"prop": "SPOUSE", "subj_off": ["-", "-"], "obj_off": ["-", "-"]}


def lines(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_passage_knows_what_it_was_read_for(tmp_path: Path) -> None:
    (passage,) = knowledgenet(lines(tmp_path / "k.jsonl", [ROW, NOTHING]))
    assert passage.read_for == {"P40", "P26"}
    ((head, name, tail),) = passage.statements
    assert (TEXT[slice(*head)], name, TEXT[slice(*tail)]) == ("Bo", "P40", "Ann Lee")  # the parent has the child
    assert passage.mentions == {head: "PERSON", tail: "PERSON"}
    assert (passage.doc_id, passage.start, passage.fold) == ("7", 10, "1")


@pytest.mark.parametrize("change", [{"prop": "HEIGHT"}, {"passage": ["x", "y"]}, {"subj_off": None}])
def test_a_row_of_another_kind_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"k\.jsonl:2"):
        knowledgenet(lines(tmp_path / "k.jsonl", [ROW, ROW | change]))


def test_entities_and_facts_of_a_document(tmp_path: Path) -> None:
    sentences = [["Ann", "Lee", "(", "Oslo", ")", "."], ["A", "Norwegian", "."]]
    entities = [
        [{"sent_id": 0, "pos": [0, 2], "type": "PER"}],
        [{"sent_id": 0, "pos": [3, 4], "type": "LOC"}, {"sent_id": 1, "pos": [1, 2], "type": "LOC"}],
    ]
    document = {"title": "Ann", "sents": sentences, "vertexSet": entities, "labels": [{"h": 0, "r": "P19", "t": 1}]}
    path = tmp_path / "r.json"
    path.write_text(json.dumps([document]), encoding="utf-8")
    (found,) = redocred(path)
    assert found.text == "Ann Lee (Oslo). A Norwegian."
    named = [(found.text[slice(*span)], kind, entity) for span, kind, entity in found.mentions]
    assert named == [("Ann Lee", "PERSON", 0), ("Oslo", "LOC", 1), ("Norwegian", "MISC", 1)]
    assert found.facts == {(0, "P19", 1)}
    path.write_text(json.dumps([document | {"sents": [[]]}]), encoding="utf-8")
    with pytest.raises(InputError, match=r"r\.json"):
        redocred(path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    for read in (knowledgenet, redocred):
        with pytest.raises(InputError, match="KGQA_DATA"):
            read(tmp_path / "nowhere.json")


def test_every_token_stands_where_it_is_said_to() -> None:
    sentences = [["He", "'s", "in", "U.S.", "(", "$", "5", ")"], [" ", "!"]]
    text, places = running_text(sentences)
    assert text == "He's in U.S. ($5) _!"
    tokens = [token.strip() or "_" for sentence in sentences for token in sentence]
    assert [text[slice(*span)] for row in places for span in row] == tokens


def test_the_held_out_are_the_same_in_every_run() -> None:
    chosen = [number for number in range(70) if held_out(str(number), one_in=7)]
    assert chosen == [number for number in range(70) if held_out(str(number), one_in=7)]
    assert 3 < len(chosen) < 25
    assert len(set(KNOWLEDGENET.values())) == len(KNOWLEDGENET) == 15
