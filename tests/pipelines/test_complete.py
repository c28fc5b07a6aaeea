"""`kgqa complete` as a user runs it: suggested facts, why, and how they get in."""

import json
from pathlib import Path

import pytest

from kgqa.expand.apply import Settings, expand
from kgqa.expand.plan import Corpus
from kgqa.knowledge_base import KnowledgeBase
from pipelines import complete


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [
        f"film{n}|{by}|maker{n}"
        for n in range(40)
        for by in ("directed by", "written by")
        if (n, by) != (0, "directed by")
    ]
    Path("facts").mkdir()
    Path("facts/films.txt").write_text("\n".join([*lines, "film0|in|“a \\ quoted” language"]), encoding="utf-8")
    expand(Path("kb"), Corpus(Path("facts"), "facts"), Settings())


def test_a_suggested_fact_says_why_and_is_added_by_expand() -> None:
    assert complete.main(["kb=kb", "out=facts/suggested.nt", "name=test"]) == 0
    (file,) = Path("runs/test").glob("complete-*/suggested.jsonl")
    (record,) = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert (record["head"], record["relation"], record["tail"]) == ("film0", "directed by", "maker0")
    assert record["rule"] == "directed by(x, y) <- written by(x, y)"
    assert record["because"] == [{"head": "film0", "relation": "written by", "tail": "maker0"}]
    assert record["confidence"] >= record["rule_confidence"] > 0.8
    expand(Path("kb"), Corpus(Path("facts"), "facts"), Settings())
    with KnowledgeBase.open("kb") as kb:
        table = kb.triples()
        at, by = table.entity_texts.index, table.relation_texts.index("directed by")
        facts = set(zip(table.heads.tolist(), table.relations.tolist(), table.tails.tolist(), strict=True))
        assert (at("film0"), by, at("maker0")) in facts
    assert complete.main(["kb=kb", "out=again.nt", "name=test"]) == 0
    assert Path("again.nt").read_text() == ""


def test_what_has_the_right_type_and_is_near_comes_first() -> None:
    """Both of two are one rule away; only one of them has what makers have."""
    lines = [f"film{n}|directed by|maker{n}" for n in range(1, 40)] + [
        f"film{n}|written by|maker{n}" for n in range(1, 40)
    ]
    lines += [f"maker{n}|born in|town{n % 5}" for n in range(1, 41)]
    lines += ["filmA|written by|stranger", "filmB|written by|maker40"]
    Path("more.txt").write_text("\n".join(lines), encoding="utf-8")
    expand(Path("other"), Corpus(Path("more.txt"), "facts"), Settings())
    assert complete.main(["kb=other", "out=found.nt", "name=other"]) == 0
    (file,) = Path("runs/other").glob("complete-*/suggested.jsonl")
    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [(one["head"], one["tail"]) for one in records if one["relation"] == "directed by"] == [
        ("filmB", "maker40"), ("filmA", "stranger"),
    ]  # fmt: skip


def test_rules_about_one_entity_are_asked_where_they_are_wanted() -> None:
    lines = [f"film{n}|directed by|maker{n % 4}" for n in range(60)]
    lines += [f"film{n}|in|language{n % 4 if n % 4 < 1 else n}" for n in range(1, 60)]
    Path("spoken.txt").write_text("\n".join(lines), encoding="utf-8")
    expand(Path("spoken"), Corpus(Path("spoken.txt"), "facts"), Settings())
    for more, number in ((["complete.constants=false"], 0), (["complete.constants=true"], 1)):
        assert complete.main(["kb=spoken", "out=found.nt", "name=spoken", *more]) == 0
        assert Path("found.nt").read_text(encoding="utf-8").count("\n") == number
    file = max(Path("runs/spoken").glob("complete-*/suggested.jsonl"))
    (record,) = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert record["rule"] == "in(x, language0) <- directed by(x, maker0)"
    assert record["because"][0] == {"head": "film0", "relation": "directed by", "tail": "maker0"}


def test_confidences_that_are_none_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert complete.main(["kb=kb", "complete.least=0", "name=test"]) == 2
    assert "complete.least is 0" in capsys.readouterr().err
