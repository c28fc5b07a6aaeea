"""export as a user runs it, and the way back."""

import json
from pathlib import Path

import pytest

from kgqa.knowledge_base import KnowledgeBase
from pipelines import expand, export, extract, index
from tests.expand.toy import dump

FACTS = "Kismet|directed_by|William Dieterle\nKismet|release_year|1944\n"
EMBEDDER = ("embedder=hashing", "embedder.width=16")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_prose_travels_with_its_sentences_and_merged_names(folder: Path) -> None:
    (folder / "docs").mkdir()
    (folder / "docs" / "a.txt").write_text("J. J. Thomson\n\nJ. J. Thomson was born in Manchester.\n")
    (folder / "docs" / "b.txt").write_text("Joseph John Thomson\n\nJoseph John Thomson was born in Manchester.\n")
    (folder / "docs" / "k.tsv").write_text("J. J. Thomson\tawarded\tNobel Prize\n")
    assert expand.main(("corpus.path=docs", "kb=kb", *EMBEDDER)) == 0
    for suffix in ("nq.gz", "jsonld"):
        assert export.main(("kb=kb", f"out=out.{suffix}")) == 0
        assert extract.main(("corpus=export", f"corpus.path=out.{suffix}", f"kb=copy-{suffix}")) == 0
        assert index.main((f"kb=copy-{suffix}", *EMBEDDER)) == 0
        assert dump(folder / f"copy-{suffix}") == dump(folder / "kb")
    assert expand.main(("corpus.path=docs", "kb=copy-jsonld", *EMBEDDER)) == 0
    with KnowledgeBase.open("copy-jsonld") as kb:
        assert kb.generation == "gen-000002"  # nothing was new
        assert "Joseph John Thomson" not in kb.triples().entity_texts


def test_a_copy_decides_conflicts_as_the_original_unless_told_otherwise(folder: Path) -> None:
    (folder / "docs").mkdir()
    for year, place in ((1990, "Graz"), (2000, "Wien")):
        (folder / "docs" / f"{year}.jsonl").write_text(
            json.dumps({"id": str(year), "date": str(year), "title": "x", "text": f"Eva Lang was born in {place}."})
        )
    policy = ("conflict.policy=newest", "conflict.functional=[born_in]")
    assert extract.main(("corpus.path=docs", "kb=kb", *policy)) == 0
    assert export.main(("kb=kb", "out=out.nq")) == 0
    assert extract.main(("corpus=export", "corpus.path=out.nq", "kb=copy")) == 0
    assert dump(folder / "copy") == dump(folder / "kb")
    assert extract.main(("corpus=export", "corpus.path=out.nq", "kb=both", "conflict.policy=both")) == 0
    with KnowledgeBase.open("copy") as copy, KnowledgeBase.open("both") as both:
        assert len(both.triples().heads) == len(copy.triples().heads) + 1


def test_an_older_generation_and_what_corpus_facts_makes_of_a_file(folder: Path) -> None:
    (folder / "kb.txt").write_text(FACTS)
    assert extract.main(("corpus=facts", "corpus.path=kb.txt", "kb=kb")) == 0
    (folder / "kb.txt").write_text(FACTS + "Kismet|has_genre|Musical\n")
    assert extract.main(("corpus=facts", "corpus.path=kb.txt", "kb=kb")) == 0
    for suffix in ("nq", "ttl", "graphml"):
        assert export.main(("kb=kb", f"out=out/then.{suffix}", "generation=gen-000001")) == 0
        assert extract.main(("corpus=facts", f"corpus.path=out/then.{suffix}", f"kb=copy-{suffix}", "strict=true")) == 0
        with KnowledgeBase.open(f"copy-{suffix}") as kb:
            assert (kb.counts()["num_facts"], kb.counts()["num_documents"]) == (2, 1)
            (document,) = kb.ledger.documents()
            assert document.doc_id == ("kb.txt" if suffix == "nq" else f"then.{suffix}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("kb=kb",), "out: no value; it is the file to write"),
        (("kb=nowhere", "out=out.nq"), "no knowledge base at nowhere"),
        (("kb=kb", "out=out.nq", "generation=gen-000009"), "no generation gen-000009"),
        (("kb=kb", "out=out.csv"), "cannot export to out.csv; give out=FILE that ends in .nq"),
    ],
)
def test_what_cannot_be_exported_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    (folder / "kb.txt").write_text(FACTS)
    assert extract.main(("corpus=facts", "corpus.path=kb.txt", "kb=kb")) == 0
    assert export.main(arguments) == 2
    assert message in capsys.readouterr().err
