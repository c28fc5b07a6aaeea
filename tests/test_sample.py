"""data/sample is what data/README.md says: its facts stand in its documents, and every gold answer follows from them.

The walk over the facts is written here once more, from the notation alone, and shares nothing with the scripts that
made the files.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kgqa.ids import name_of

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
SPLITS = ("train", "dev", "test")


def lines(name: str) -> list[dict[str, Any]]:
    with (SAMPLE / name).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


DOCUMENTS = {path.stem: path.read_text(encoding="utf-8") for path in SAMPLE.glob("documents/*.txt")}
FACTS = lines("facts.jsonl")
TRIPLES = {(fact["head_text"], name_of(fact["relation"]), fact["tail_text"]) for fact in FACTS}
QUESTIONS = {split: lines(f"questions/{split}.jsonl") for split in SPLITS}
ALL = [question for split in SPLITS for question in QUESTIONS[split]]
DIALOGUES = lines("dialogues.jsonl")
OPERATIONS = {split: lines(f"questions/operations_{split}.jsonl") for split in ("dev", "test")}


def walk(branch: str) -> tuple[str, set[str]]:
    """`Polonium <discovered >born_in` walks against and along relations, `~r` both ways: (topic, where it ends)."""
    topic, steps = re.fullmatch(r"(.+?)((?: [<>~]\w+)+)", branch).groups()
    found = {topic}
    for step in steps.split():
        way, relation = step[0], step[1:]
        along = {t for h, r, t in TRIPLES if r == relation and h in found and way in ">~"}
        found = along | {h for h, r, t in TRIPLES if r == relation and t in found and way in "<~"}
    return topic, found


def follow(path: str) -> set[str]:
    """Branches joined by ` & ` must all hold; ` -topic` takes the topics out."""
    walked = [walk(branch) for branch in path.removesuffix(" -topic").split(" & ")]
    answers = set.intersection(*(found for _, found in walked))
    return answers - {topic for topic, _ in walked} if path.endswith(" -topic") else answers


def asked() -> Iterator[tuple[str, str, list[str]]]:
    """(where, path, gold answers) of every question and turn."""
    for question in ALL:
        yield question["id"], question["path"], question["answers"]
    for dialogue in DIALOGUES:
        for number, turn in enumerate(dialogue["turns"], 1):
            yield f"{dialogue['id']} turn {number}", turn["path"], turn["answers"]


def test_every_gold_answer_follows_from_the_gold_facts():
    wrong = [where for where, path, answers in asked() if path and follow(path) != set(answers)]
    assert not wrong
    assert not [where for where, path, answers in asked() if not path and answers]


def of(part) -> set[str]:
    """The set of an operation, as build_operations.py describes it."""
    if isinstance(part, str):
        return follow(part)
    name, *rest = part
    if name == "names":
        return set(rest)
    if name in ("and", "or", "not"):
        one, other = map(of, rest)
        return {"and": one & other, "or": one | other, "not": one - other}[name]
    years = [(int(t), h) for h, r, t in TRIPLES if r == rest[1] and h in of(rest[0])]
    if name == "where":
        passed = {"<": int.__lt__, "<=": int.__le__, ">": int.__gt__, ">=": int.__ge__}[rest[2]]
        return {one for year, one in years if passed(year, rest[3])}
    assert name in ("min", "max")
    return {one for year, one in years if year == {"min": min, "max": max}[name](years)[0]}


def test_every_gold_answer_of_an_operation_follows_from_the_gold_facts():
    for question in OPERATIONS["dev"] + OPERATIONS["test"]:
        name, *rest = question["operation"]
        if name == "count":
            expected = {str(len(of(rest[0])))}
        elif name == "any":
            expected = {"yes" if of(rest[0]) else "no"}
        elif name == "less":
            left, right = ({int(t) for h, r, t in TRIPLES if (h, r) == (one, rest[2])} for one in rest[:2])
            expected = {"yes" if min(left) < min(right) else "no"}
        else:
            expected = of(question["operation"])
        assert set(question["answers"]) == expected, question["question"]
    assert min(Counter(question["kind"] for question in OPERATIONS["dev"]).values()) >= 5


def test_facts_stand_in_their_sentences():
    for fact in FACTS:
        text = DOCUMENTS[fact["doc_id"]]
        assert text[fact["start"] : fact["end"]] == fact["sentence"]
        for start, end in (fact["head_span"], fact["tail_span"]):
            assert 0 <= start < end <= len(text)
        assert fact["start"] <= fact["tail_span"][0] < fact["tail_span"][1] <= fact["end"]


def test_the_world_and_the_facts_say_the_same():
    rows = [line.split("\t") for line in (SAMPLE / "world.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    assert {tuple(row[:3]) for row in rows} == TRIPLES
    stated = {(*row[:3], doc_id) for row in rows for doc_id in row[3].split("|")}
    names = ("head_text", "tail_text", "doc_id")
    assert stated == {(f[names[0]], name_of(f["relation"]), f[names[1]], f[names[2]]) for f in FACTS}


def test_it_is_as_large_as_promised():
    assert len(DOCUMENTS) >= 80
    assert sum(len(text.split()) for text in DOCUMENTS.values()) >= 12_000
    assert len(ALL) >= 360
    kinds = Counter(question["kind"] for question in ALL)
    assert kinds["unanswerable"] >= 40
    assert min(kinds[kind] for kind in ("1-hop", "2-hop", "3-hop", "intersection")) >= 20
    assert sum(len(question["answers"]) > 1 for question in ALL) >= 50
    assert len(DIALOGUES) >= 40
    assert {len(dialogue["turns"]) for dialogue in DIALOGUES} <= {3, 4, 5, 6}
    supports = Counter((fact["head_text"], fact["relation"], fact["tail_text"]) for fact in FACTS)
    assert sum(number > 1 for number in supports.values()) >= 20


def wording(text: str, topics: list[str]) -> str:
    """The question without its topics, case and punctuation."""
    for topic in sorted(topics, key=len, reverse=True):
        text = text.replace(topic, " topic ")
    return " ".join(re.findall(r"\w+", text.casefold()))


@pytest.mark.parametrize("other", ["train", "dev"])
def test_the_wording_of_test_questions_does_not_occur_elsewhere(other):
    def wordings(split: str) -> set[str]:
        return {wording(q["question"], [topic["text"] for topic in q["topics"]]) for q in QUESTIONS[split]}

    assert wordings("test").isdisjoint(wordings(other))


def test_ids_and_questions_occur_once():
    for key in ("id", "question"):
        assert max(Counter(question[key] for question in ALL).values()) == 1


def test_the_new_document_is_not_among_the_old():
    new = [path.stem for path in SAMPLE.glob("new/documents/*.txt")]
    assert new
    assert not DOCUMENTS.keys() & set(new)
    assert {"question", "answers"} <= set(lines("new/questions.jsonl")[0])
