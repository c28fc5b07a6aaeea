"""The call and the queries that docs/provenance.md shows do what it says."""

import re
from pathlib import Path

import pytest

from kgqa.ids import document_iri
from kgqa.knowledge_base import KnowledgeBase
from tests.expand.toy import build

PAGE = (Path(__file__).parents[1] / "docs" / "provenance.md").read_text(encoding="utf-8")
CODE = {kind: re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) for kind in ("python", "sparql")}
FACT = tuple(re.findall(r"urn:kgqa:(?:entity|relation):\w+", PAGE)[:3])
FILES = {
    "lise.md": "---\ntitle: Lise Meitner\ndate: 1966-01-22\n---\n\nMeitner studied_with Boltzmann\n",
    "more.tsv": "Planck\tstudied_with\tHelmholtz\nMeitner\tstudied_with\tBoltzmann\n",
}


@pytest.fixture(autouse=True)
def _kb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    build(Path("kb/mine"), Path("corpus"), {"lise.md": FILES["lise.md"]})
    build(Path("kb/mine"), Path("corpus"), FILES)


def test_the_call(capsys: pytest.CaptureFixture[str]) -> None:
    exec(CODE["python"][0])
    shown = capsys.readouterr().out
    assert "('Meitner', 'studied_with', 'Boltzmann') True gen-000001 None" in shown
    assert "lise Lise Meitner 1966-01-22" in shown
    assert "Meitner studied_with Boltzmann (1, 31) (1, 8) (22, 31) toy 0.5" in shown
    assert "gen-000002 None" in shown


def test_the_documents_sentences_and_readers() -> None:
    with KnowledgeBase.open("kb/mine") as kb:
        rows = kb.query(CODE["sparql"][0])
    ((document, date, sentence, start, end, extractor, confidence, version),) = rows
    assert (document, date, sentence) == (document_iri("lise"), '"1966-01-22"', '"Meitner studied_with Boltzmann"')
    assert (start.split('"')[1], end.split('"')[1], confidence.split('"')[1]) == ("1", "31", "0.5")
    assert (extractor, version) == ('"toy"', '"toy-1"')


def test_the_lines_and_generations() -> None:
    with KnowledgeBase.open("kb/mine") as kb:
        rows = kb.history([FACT]).query(CODE["sparql"][1])
    assert [(row[0], row[1].split('"')[1], *row[2:]) for row in rows] == [
        (document_iri("lise"), "31", '"gen-000001"', ""), (document_iri("more.tsv"), "2", '"gen-000002"', ""),
    ]  # fmt: skip
