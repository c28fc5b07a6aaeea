"""The answer pipeline as a user runs it, over a real knowledge base and a reasoner with random weights.

What such a reasoner answers is nonsense, but every rule about answers holds for it all the same: above all, that the
query that comes with an answer set gives exactly that set.
"""

import json
import re
from pathlib import Path

import pytest

from kgqa import Answerer, KnowledgeBase
from kgqa.answer.calibration import FILE, Calibration
from pipelines.answer import main
from tests.pipelines.conftest import PEOPLE

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(base, tmp_path, monkeypatch):
    """Run the pipeline on lines of questions: (exit code, answers)."""
    monkeypatch.chdir(tmp_path)

    def run(lines: bytes | str, *more: str):
        Path("q.txt").write_bytes(lines if isinstance(lines, bytes) else lines.encode())
        code = main([f"kb={base / 'kb'}", f"checkpoint={base / 'random'}", "questions=q.txt", "out=a.jsonl", *more])
        found = Path("a.jsonl").read_text(encoding="utf-8").splitlines() if Path("a.jsonl").exists() else []
        return code, [json.loads(line) for line in found]

    return run


TEMPLATES = ("Who taught {}?", "Where was the teacher of {} born?", "Which country is {} from, and who else?")


def test_every_query_gives_exactly_its_answer_set(base, run):
    lines = "\n".join(template.format(name) for template in TEMPLATES for name in (*PEOPLE, "Rome", "Italy"))
    code, answers = run(lines)
    assert code == 0
    answered = [record for record in answers if not record["abstained"]]
    assert len(answered) > len(answers) / 2
    with KnowledgeBase.open(base / "kb") as kb:
        for record in answered:
            assert {term for (term,) in kb.query(record["sparql"])} == {found["iri"] for found in record["answers"]}
            assert record["paths"]
            assert all(step["doc_id"] == "facts.txt" for path in record["paths"] for step in path)


def test_a_question_about_nobody_we_know_is_abstained_from_with_the_reason(run):
    _, (record,) = run("Who taught Balthasar Nordqvist?\n")
    assert (record["abstained"], record["reason"], record["answers"]) == (True, "no such entity", [])


def test_hostile_questions_are_answered_or_abstained_from_one_line_each(run):
    lines = ['" } DROP ALL #', "<script>alert(1)</script>", "\x1b[31mred", "?" * 5000, "Bohr " * 60, "é\u202e\u0301"]
    code, answers = run("\n".join(lines))
    assert code == 0
    assert [record["question"] for record in answers] == [line.strip() for line in lines]


def test_gold_gives_scores_in_metrics_and_a_table(run, capsys):
    rows = [{"question": "Who taught Pauli?", "answers": ["Born"], "kind": "1-hop"}, {"question": "?", "answers": []}]
    code, _ = run("\n".join(map(json.dumps, rows)))
    assert code == 0
    shown = capsys.readouterr().out
    assert "hits@1" in shown
    assert "1-hop" in shown
    (metrics,) = Path("runs").glob("*/answer-*/metrics.jsonl")
    found = [json.loads(line) for line in metrics.read_text().splitlines()]
    assert [row.get("kind") for row in found] == ["1-hop", "all", None]
    assert found[-1]["abstained"] == 1.0


def test_what_answers_are_worth_stands_in_the_run_s_folder(run):
    rows = [{"question": f"Who taught {name}?", "answers": ["Born"]} for name in PEOPLE]
    code, answers = run("\n".join(map(json.dumps, rows)))
    assert code == 0
    (folder,) = Path("runs").glob("*/answer-*")
    scores = [json.loads(line) for line in (folder / "scores.jsonl").read_text().splitlines()]
    assert [row["id"] for row in scores] == [record["id"] for record in answers]
    last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
    assert 0 <= last["ece"] <= 1
    assert last["error@100%"] == pytest.approx(1 - sum(any(row["right"][:1]) for row in scores) / len(scores))


def test_a_precision_that_the_dev_questions_never_reached_is_refused(base, run, capsys):
    assert run("Who taught Pauli?\n", "answer.target_precision=0.9")[0] == 2
    assert "precision of 0.9" in capsys.readouterr().err
    Calibration(dev=((0.999, True), (0.998, False))).save(base / "random")
    try:
        code, (record,) = run("Who taught Pauli?\n", "answer.target_precision=1.0")
        assert (code, record["abstained"]) == (0, True)  # the random reasoner is less sure
    finally:
        (base / "random" / FILE).unlink()


def test_bad_lines_are_counted_or_refused(run, capsys):
    lines = b"Who taught Pauli?\nWho taught Schr\xf6dinger?\nWho taught Wu?\n"
    code, answers = run(lines)
    assert (code, len(answers)) == (3, 2)
    assert "q.txt:2: not UTF-8" in capsys.readouterr().err
    Path("a.jsonl").unlink()
    code, answers = run(lines, "strict=true")
    assert (code, answers) == (2, [])
    assert "q.txt:2: not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("kb=nowhere", "no knowledge base at nowhere"),
        ("encoder=minilm", "was trained with encoder 'transformer', not 'minilm'; use encoder=transformer"),
        ("checkpoint=nowhere", "nowhere"),
        ("questions=nowhere.txt", "nowhere.txt does not exist"),
        ("questions=empty.txt", "holds no question; it is empty"),
        ("out=.", "cannot write ."),
        ("sparql=yes", "sparql: no such key"),
    ],
)
def test_what_cannot_be_used_is_one_message_and_no_file(run, capsys, override, message):
    Path("empty.txt").touch()
    code, answers = run("Who taught Pauli?\n", override)
    assert (code, answers) == (2, [])
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown


def test_the_library_gives_what_the_pipeline_gives(base, run):
    _, (record,) = run("Who taught Pauli?\n")
    with KnowledgeBase.open(base / "kb") as kb:
        answer = Answerer.open(kb, base / "random").ask("Who taught Pauli?")
        assert [found.iri for found in answer.answers] == [found["iri"] for found in record["answers"]]
        assert answer.sparql == record["sparql"]


@pytest.mark.parametrize("name", ["Pauli", "Nobody Known"])
def test_the_example_in_the_readme_runs(base, name, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    code = code.replace("kb/mine", str(base / "kb")).replace("Lise Meitner", name)
    exec(re.sub(r'"runs/[^"]*"', repr(str(base / "random")), code), {})
    assert capsys.readouterr().out.strip()
