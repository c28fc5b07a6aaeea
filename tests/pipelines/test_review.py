"""`kgqa review` as a user runs it, over a folder of documents."""

import json
from pathlib import Path

import pytest

from pipelines.review import main


@pytest.fixture
def documents(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("documents")
    folder.mkdir()
    (folder / "a.txt").write_text("Niels Bohr was born in Copenhagen. He never won the Copley Medal.", "utf-8")
    (folder / "b.txt").write_text("Der Physiker wurde in der Stadt geboren, die er nicht verlassen hat.", "utf-8")
    return folder


def test_the_page_lies_in_the_run_s_folder_and_says_what_was_skipped(documents):
    assert main([f"corpus.path={documents}"]) == 3  # done, with something skipped
    (page,) = Path("runs/default").glob("review-*/review.html")
    text = page.read_text("utf-8")
    assert "Niels Bohr" in text
    assert "pattern:born_in/born" in text
    assert '<span class="reason">negation</span>' in text
    metrics = json.loads((page.parent / "manifest.json").read_text())["metrics"]
    assert {name: metrics[name] for name in ("num_documents", "num_facts", "num_rejected", "num_skipped")} == {
        "num_documents": 1, "num_facts": 1, "num_rejected": 1, "num_skipped": 1,
    }  # fmt: skip


def test_a_threshold_and_other_languages_are_options_and_the_page_goes_where_it_is_wanted(documents):
    options = ["out=new/page.html", "extract.min_confidence=0.99", "extract.english_only=false"]
    assert main([f"corpus.path={documents}", *options]) == 0
    text = Path("new/page.html").read_text("utf-8")
    assert "below the threshold" in text
    assert "Der Physiker" in text


ONTOLOGY = """@prefix : <http://example.org/> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
:birthPlace rdfs:label "birth place" ; skos:altLabel "born in" ; rdfs:domain :Person ; rdfs:range {range} .
"""


@pytest.mark.parametrize(
    ("given", "shown"),
    [(":Place", "birth place"), (":Film", '<span class="reason">no property that is near joins these</span>')],
)
def test_an_ontology_shows_what_it_makes_of_what_was_read(documents, given, shown):
    Path("own.ttl").write_text(ONTOLOGY.replace("{range}", given))
    options = ["extract.ontology=own.ttl", "embedder=hashing", "extract.english_only=false", "out=page.html"]
    assert main([f"corpus.path={documents}", *options]) == 0
    text = Path("page.html").read_text("utf-8")
    assert shown in text
    assert ("from &#34;born in&#34;" in text) == (given == ":Place")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [([], "corpus.path: no value"), (["corpus.path=nowhere"], "nowhere does not exist")],
)
@pytest.mark.usefixtures("documents")
def test_what_cannot_be_used_is_one_message(capsys, arguments, message):
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
