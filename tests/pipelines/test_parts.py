"""What the configuration becomes: the extractor's options, and the embedder that a knowledge base already has."""

from pathlib import Path

import pytest
import torch

from kgqa.config import compose_config
from kgqa.errors import ConfigError
from kgqa.knowledge_base import KnowledgeBase
from kgqa.memory import segment
from kgqa.types import Question, Topic
from pipelines import answer, expand, extract, index, parts

FACTS = ("corpus=facts", "corpus.path=facts.txt", "kb=kb")


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("facts.txt").write_text("Bohr|taught|Pauli\n")


@pytest.fixture(scope="module")
def bert(tmp_path_factory) -> str:
    """A BERT with random weights, as a user has one on disk."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "bert"
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
    (folder / "vocab.txt").write_text("\n".join(words))
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    transformers.BertModel(config).save_pretrained(folder)
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return str(folder)


def embedder_name() -> str | None:
    with KnowledgeBase.open("kb") as kb:
        return kb.embedder_name


PATTERNS = """
[[relation]]
name = "likes"
text = "likes"
head = "PERSON"
tail = "PERSON"
[[relation.pattern]]
verb = "praise"
head = "AGENT"
tail = "PATIENT"
confidence = 0.5
example = "Marie Curie praised Pierre Curie."
fact = "Marie Curie | Pierre Curie"
"""


def test_patterns_and_min_confidence_reach_the_extractor():
    Path("docs").mkdir()
    Path("docs/a.txt").write_text("Marie Curie\n\nMarie Curie praised Pierre Curie.\n")
    Path("own.toml").write_text(PATTERNS)

    def found(*more: str) -> set[str]:
        assert extract.main(["corpus.path=docs", "kb=kb", *more]) == 0
        with KnowledgeBase.open("kb") as kb:
            return set(kb.triples().relation_texts)

    assert "likes" not in found()
    assert found("extract.patterns=own.toml") == {"likes"}
    assert found("extract.patterns=own.toml", "extract.min_confidence=0.9") == set()
    assert extract.main(["corpus.path=docs", "kb=kb", "extract.patterns=nowhere.toml"]) == 2


def test_an_ontology_takes_over_what_was_read():
    Path("documents").mkdir()
    Path("documents/a.txt").write_text("Berlin is the capital of Germany.")
    Path("own.ttl").write_text(
        "@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> . <http://own/capital> a rdf:Property ."
    )
    given = ["corpus.path=documents", "kb=kb", "embedder=hashing", "extract.sources=[open]"]
    plain, mapped = (
        parts.settings_of(compose_config([*given, *more]), extract=True, index=False).extractor
        for more in ([], ["extract.ontology=own.ttl", "extract.ontology_restrict=true"])
    )
    assert plain.identity != mapped.identity
    assert extract.main([*given, "extract.ontology=own.ttl"]) == 0
    with KnowledgeBase.open("kb") as kb:
        assert kb.fact("urn:kgqa:entity:Germany", "http://own/capital", "urn:kgqa:entity:Berlin") is not None


def test_auto_goes_on_with_the_embedder_of_the_knowledge_base(capsys):
    assert extract.main(FACTS) == 0
    assert index.main(["kb=kb", "embedder=hashing", "embedder.width=32"]) == 0
    Path("facts.txt").write_text("Bohr|taught|Pauli\nBohr|taught|Gamow\n")
    assert expand.main(FACTS) == 0
    assert index.main(["kb=kb"]) == 0
    assert embedder_name() == "hashing-v1-32"
    Path("facts.txt").write_text("Bohr|taught|Pauli\n")
    capsys.readouterr()
    assert expand.main([*FACTS, "embedder=hashing", "embedder.width=64"]) == 2
    assert "was indexed with embedder 'hashing-v1-32', this run has 'hashing-v1-64'" in capsys.readouterr().err
    assert index.main(["kb=kb", "embedder=hashing", "embedder.width=64"]) == 0
    assert embedder_name() == "hashing-v1-64"


def test_a_knowledge_base_that_a_model_of_ones_own_indexed_is_read_with_that_model(bert):
    assert extract.main(FACTS) == 0
    own = ["embedder=hf", f"embedder.model={bert}", "embedder.device=cpu"]
    assert index.main(["kb=kb", *own]) == 0
    with KnowledgeBase.open("kb") as kb:
        linker = parts.linker_of(compose_config(own), kb)
        assert linker.nearest.embedder.name == kb.embedder_name
        with pytest.raises(ConfigError, match=r"set embedder=hf embedder\.model="):
            parts.linker_of(compose_config([]), kb)


def test_answering_searches_the_vectors_as_the_group_memory_says(monkeypatch):
    assert extract.main(FACTS) == 0
    assert index.main(["kb=kb", "embedder=hashing", "memory=ivf", "memory.min_rows=1"]) == 0
    searched, real = [], segment.finder
    monkeypatch.setattr(segment, "finder", lambda v, i, o: (searched.append((o.kind, o.probes)), real(v, i, o))[1])
    with KnowledgeBase.open("kb") as kb:
        linker = parts.linker_of(compose_config(["memory=ivf", "memory.probes=7", "memory.device=cpu"]), kb)
        linker.link([Question("1", "Who taught [Xyzzy]?", (Topic("Xyzzy", (12, 17)),))])
    assert searched == [("ivf", 7)]


def test_answering_with_another_embedder_is_refused_with_the_remedy(capsys):
    assert extract.main(FACTS) == 0
    assert index.main(["kb=kb", "embedder=hashing", "embedder.width=32"]) == 0
    Path("q.txt").write_text("Who taught Pauli?\n")
    assert answer.main(["kb=kb", "checkpoint=none", "questions=q.txt", "embedder=hashing"]) == 2
    shown = capsys.readouterr().err
    assert "indexed with embedder 'hashing-v1-32', given is 'hashing-v1-256'; choose that embedder" in shown


@pytest.mark.parametrize(("indexed", "state"), [(True, "older than its graph"), (False, "not made yet")])
def test_vectors_that_do_not_follow_the_graph_are_told_of(capsys, indexed, state):
    Path("q.txt").write_text("Who taught Pauli?\n")
    asked = ["kb=kb", "checkpoint=none", "questions=q.txt"]
    assert extract.main(FACTS) == 0
    if indexed:
        assert index.main(["kb=kb", "embedder=hashing"]) == 0
        assert answer.main(asked) == 2
        assert "warning" not in capsys.readouterr().err
    Path("facts.txt").write_text("Bohr|taught|Gamow\n")
    assert extract.main(FACTS) == 0
    assert answer.main(asked) == 2
    shown = capsys.readouterr().err
    assert f"warning: the vectors of kb are {state}" in shown
    assert "run kgqa index kb=kb" in shown


def test_merged_entities_stay_one_when_facts_with_names_come():
    """What is one node follows from all names together, whatever kind of corpus brought the last of them."""
    Path("docs").mkdir()
    Path("docs/a.txt").write_text("J. J. Thomson\n\nJ. J. Thomson was born in Manchester.\n")
    Path("docs/b.txt").write_text("Joseph John Thomson\n\nJoseph John Thomson was born in Manchester.\n")
    label = '<http://www.w3.org/2000/01/rdf-schema#label> "Manchester"'
    Path("more.nt").write_text(f"<urn:kgqa:entity:Manchester> {label} .\n<urn:a> <urn:p> <urn:b> .\n")

    def people() -> list[str]:
        with KnowledgeBase.open("kb") as kb:
            return [text for text in kb.triples().entity_texts if "Thomson" in text]

    assert extract.main(["corpus.path=docs", "kb=kb"]) == 0
    merged = people()
    assert extract.main(["corpus=facts", "corpus.path=more.nt", "kb=kb"]) == 0
    assert people() == merged
    assert len(merged) == 1
