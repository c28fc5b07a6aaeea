"""The five stages, one after the other, over a handful of documents: what one leaves, the next takes."""

import json
import re
from pathlib import Path

import pytest

from kgqa import KnowledgeBase
from kgqa.answer.calibration import Calibration
from pipelines import answer, expand, extract, index, report, train

PEOPLE = {
    "Ada Berg": ("Vienna", "Otto Frank"),
    "Otto Frank": ("Munich", "Max Stern"),
    "Max Stern": ("Vienna", "Lise Wolf"),
    "Lise Wolf": ("Prague", "Ada Berg"),
}
SMALL = [
    "encoder=transformer",
    "encoder.num_buckets=256",
    "encoder.width=32",
    "reasoner.width=32",
    "reasoner.num_heads=2",
    "trainer.max_epochs=2",
]


def write_document(name: str, place: str, teacher: str) -> None:
    text = f"{name}\n\n{name} was born in {place}. {name} was a student of {teacher}.\n"
    Path("docs", f"{name.lower().replace(' ', '-')}.txt").write_text(text, encoding="utf-8")


def write_questions(path: str) -> None:
    rows = [{"question": f"Where was {name} born?", "answers": [place]} for name, (place, _) in PEOPLE.items()]
    rows += [{"question": f"Who taught {name}?", "answers": [teacher]} for name, (_, teacher) in PEOPLE.items()]
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def newest(stage: str) -> Path:
    return max(Path("runs/default").glob(f"{stage}-*"))


@pytest.fixture
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    for name, (place, teacher) in PEOPLE.items():
        write_document(name, place, teacher)
    write_questions("questions.jsonl")


@pytest.mark.usefixtures("_folder")
def test_documents_to_answers_and_one_document_more():
    assert extract.main(["corpus.path=docs", "kb=kb"]) == 0
    assert index.main(["kb=kb", "embedder=hashing"]) == 0
    learned = ["qa=files", "qa.train=questions.jsonl", "qa.dev=questions.jsonl", "reasoner.num_facts=2"]
    learned += ["reasoner.num_passages=2"]
    assert train.main(["kb=kb", *learned, *SMALL]) == 0
    best = newest("train") / "checkpoints" / "best"
    assert len(Calibration.load(best).dev) == 2 * len(PEOPLE)
    asked = [f"checkpoint={best}", "kb=kb"]
    assert answer.main([*asked, "questions=questions.jsonl", "out=out.jsonl"]) == 0
    records = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert len(records) == 2 * len(PEOPLE)
    assert all(record["topics"][0]["iri"] for record in records)
    assert all(bool(record["passages"]) == record["abstained"] for record in records)
    assert report.main([f"run={newest('answer')}", "out=page.html", "report.trace=true"]) == 0
    page = Path("page.html").read_text(encoding="utf-8")
    assert re.search(r"fact \d+ of the long-term memory", page)
    assert re.search(r"passage \d+ of the long-term memory: \S+#\d+-\d+", page)

    write_document("Eva Lang", "Graz", "Max Stern")
    assert expand.main(["corpus.path=docs", "kb=kb", "embedder=hashing"]) == 0
    metrics = json.loads((newest("expand") / "metrics.jsonl").read_text().splitlines()[-1])
    assert (metrics["num_added"], metrics["num_changed"], metrics["num_unchanged"]) == (1, 0, len(PEOPLE))
    Path("new.txt").write_text("Where was Eva Lang born?\n")
    assert answer.main([*asked, "questions=new.txt", "out=new.jsonl"]) == 0
    (record,) = [json.loads(line) for line in Path("new.jsonl").read_text().splitlines()]
    assert record["topics"][0]["text"] == "Eva Lang"
    assert record["topics"][0]["iri"]
    with KnowledgeBase.open("kb") as kb:
        texts = dict(zip(kb.triples().entities, kb.triples().entity_texts, strict=True)).values()
        assert {"Eva Lang", "Graz"} <= set(texts)
    for path in Path("runs/default").iterdir():
        assert json.loads((path / "manifest.json").read_text())["status"] == "done"
        assert {"config.yaml", "log.txt", "metrics.jsonl"} <= {file.name for file in path.iterdir()}


@pytest.mark.usefixtures("_folder")
def test_without_any_question_a_graph_asks_its_own():
    Path("facts.txt").write_text("".join(
        f"{name}|born in|{place}\n{name}|taught by|{teacher}\n" for name, (place, teacher) in PEOPLE.items()
    ))  # fmt: skip
    assert extract.main(["corpus=facts", "corpus.path=facts.txt", "kb=kb"]) == 0
    assert train.main(["kb=kb", "qa=self", "qa.made=80", "embedder=hashing", *SMALL]) == 0
    metrics = json.loads((newest("train") / "metrics.jsonl").read_text().splitlines()[-1])
    assert metrics["num_train"] + metrics["num_dev"] == 80
    best = newest("train") / "checkpoints" / "best"
    assert answer.main([f"checkpoint={best}", "kb=kb", "questions=questions.jsonl", "out=out.jsonl"]) == 0
    assert len(Path("out.jsonl").read_text().splitlines()) == 2 * len(PEOPLE)
