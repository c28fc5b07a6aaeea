"""One write path: any sequence of expansions gives what a fresh build of the last corpus gives, at the delta's cost."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies

from kgqa.errors import InputError, LockedError, StoreError
from kgqa.expand.apply import expand, index
from kgqa.expand.compact import compact
from kgqa.expand.plan import Corpus
from kgqa.expand.rollback import rollback
from kgqa.expand.verify import verify
from kgqa.generations import generation_names
from kgqa.ids import ASSERTED, entity_iri, relation_iri
from kgqa.knowledge_base import KnowledgeBase
from kgqa.lock import writer_lock
from kgqa.memory.embedder import HashingEmbedder
from kgqa.memory.index import IndexOptions
from tests.expand.toy import ToyExtractor, build, dump, fast_folder, write_corpus
from tests.expand.toy import settings as toy_settings

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # shrinking takes minutes here; add it to study a failure
names = strategies.sampled_from("ABCDE")
heads = strategies.sampled_from([*"ABCDE", "A,C"])
facts = strategies.builds("{} {} {}".format, heads, strategies.sampled_from(["knows", "likes", "fancies", "="]), names)
proses = strategies.lists(facts, max_size=4).map(lambda lines: "A text\n\n" + "\n".join(lines))
tables = strategies.lists(strategies.builds("{}\tknows\t{}".format, names, names), max_size=3).map("\n".join)
labels = strategies.builds(
    "<urn:x> <urn:p> <urn:kgqa:entity:{}> .\n<urn:x> <http://www.w3.org/2000/01/rdf-schema#label> \"{}\" .".format,
    names, names,
)  # fmt: skip
files = strategies.fixed_dictionaries(
    {}, optional={"one.md": proses, "two.md": proses, "three.txt": proses, "given.tsv": tables, "labels.nt": labels}
)


CAREFUL = {"deadline": None, "suppress_health_check": list(HealthCheck), "phases": PHASES}
afterwards = strategies.sampled_from([None, None, "compact", "compact to one", "roll back"])
sequences = strategies.lists(strategies.tuples(files, strategies.booleans(), afterwards), min_size=2, max_size=5)
Sequence = list[tuple[dict[str, str], bool, str | None]]


@settings(max_examples=30, **CAREFUL)
@given(sequences)
def test_any_sequence_equals_a_fresh_build(states: Sequence) -> None:
    check_sequence(states)


@pytest.mark.slow
@settings(max_examples=500, **CAREFUL)
@given(sequences)
def test_many_sequences_equal_a_fresh_build(states: Sequence) -> None:
    check_sequence(states)


def follow_up(kb: Path, action: str | None) -> None:
    """What is done after an expansion; none of it may change the content, save rolling back, which gives an old one."""
    if action is None or not (kb / "CURRENT").exists():
        return
    names = generation_names(kb)
    if action == "roll back":
        if len(names) > 1:
            wanted = dump(kb, names[0])
            rollback(kb, names[0])
            assert dump(kb) == wanted
    else:
        before = dump(kb)
        compact(kb, options=IndexOptions(), keep=1 if action == "compact to one" else None)
        assert dump(kb) == before
        assert len(generation_names(kb)) == (1 if action == "compact to one" else len(names) + 1)
    assert verify(kb) == []


def check_sequence(states: Sequence) -> None:
    with fast_folder() as name:
        folder = Path(name)
        for corpus, indexed, action in states:
            build(folder / "grown", folder / "corpus", corpus, index=indexed)
            follow_up(folder / "grown", action)
        last = states[-1][0]
        build(folder / "grown", folder / "corpus", last)
        build(folder / "fresh", folder / "corpus", last)
        if (folder / "grown" / "CURRENT").exists():
            index(folder / "grown", toy_settings())
        if (folder / "fresh" / "CURRENT").exists():
            assert dump(folder / "grown") == dump(folder / "fresh")
        elif (folder / "grown" / "CURRENT").exists():
            left = dump(folder / "grown")
            assert not any(rows for part, rows in left.items() if part != "counts")
            assert not any(left["counts"].values())


TWO = {"a.md": "First\n\nA knows B\nB likes C\n", "b.md": "Second\n\nA knows B\nC knows D\n"}


class CountingEmbedder(HashingEmbedder):
    """Remembers each text that it was given."""

    def __init__(self) -> None:
        super().__init__(16)
        self.texts: list[str] = []

    def embed(self, texts):  # type: ignore[no-untyped-def]
        self.texts += texts
        return super().embed(texts)


def asserted(kb: Path) -> set[str]:
    """The facts of the graph, in the words of the toy language."""
    with KnowledgeBase.open(kb) as base:
        table = base.triples()
    texts = table.entity_texts
    columns = zip(table.heads, table.relations, table.tails, strict=True)
    return {f"{texts[h]} {table.relation_texts[r]} {texts[t]}" for h, r, t in columns}


def test_a_fact_lives_until_its_last_support_goes(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    build(kb, corpus, TWO)
    triple = (entity_iri("A"), relation_iri("knows"), entity_iri("B"))
    with KnowledgeBase.open(kb) as base:
        assert [support.doc_id for support in base.provenance([triple])[0]] == ["a", "b"]
        assert len(base.query(f"SELECT ?h {{ GRAPH <{ASSERTED}> {{ ?h ?r ?t }} }}")) == 3
    build(kb, corpus, {"b.md": TWO["b.md"]})
    assert asserted(kb) == {"A knows B", "C knows D"}
    build(kb, corpus, {"b.md": "Second\n\nC knows D\n"})
    assert asserted(kb) == {"C knows D"}


def test_only_what_is_new_is_read_and_embedded(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    extractor, embedder = ToyExtractor(), CountingEmbedder()
    build(kb, corpus, TWO, extractor=extractor, embedder=embedder)
    assert extractor.read == ["a", "b"]
    assert len(embedder.texts) == len(set(embedder.texts))
    extractor.read.clear()
    embedder.texts.clear()
    outcome = build(kb, corpus, TWO | {"c.md": "Third\n\nA knows E\n"}, extractor=extractor, embedder=embedder)
    assert extractor.read == ["c"]
    assert sorted(embedder.texts) == ["A knows E", "E", "Third"]
    assert (outcome.delta.added, outcome.delta.unchanged) == (("c",), 2)
    assert outcome.counts["num_facts_added"] == 1


def test_a_relation_is_called_what_the_extractor_calls_it(tmp_path: Path) -> None:
    build(tmp_path / "kb", tmp_path / "corpus", {"a.md": "One\n\nA fancies B\n", "b.tsv": "A\tborn_in\tC"})
    assert asserted(tmp_path / "kb") == {"A is fond of B", "A born in C"}


def test_nothing_new_makes_no_generation(tmp_path: Path) -> None:
    build(tmp_path / "kb", tmp_path / "corpus", TWO)
    outcome = build(tmp_path / "kb", tmp_path / "corpus", TWO)
    assert outcome.generation is None
    assert index(tmp_path / "kb", toy_settings()).generation is None


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", TWO)
    outcome = expand(tmp_path / "kb", corpus, toy_settings(), dry_run=True)
    assert outcome.delta.added == ("a", "b")
    assert not (tmp_path / "kb" / "CURRENT").exists()


def test_a_new_extractor_reads_all_again_but_given_facts(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    build(kb, corpus, TWO | {"given.tsv": "X\tknows\tY"})
    extractor = ToyExtractor(identity="toy-2")
    outcome = build(kb, corpus, TWO | {"given.tsv": "X\tknows\tY"}, extractor=extractor)
    assert outcome.delta.changed == ("a", "b")
    assert extractor.read == ["a", "b"]


def test_a_document_that_turns_from_prose_into_facts_keeps_none_of_its_prose(tmp_path: Path) -> None:
    """`x.tsv.md` and `x.tsv` are one document."""
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    prose, given = {"x.tsv.md": "Once\n\nA knows B\n"}, {"x.tsv": "A\tknows\tC"}
    build(kb, corpus, prose)
    outcome = build(kb, corpus, given)
    build(tmp_path / "fresh", corpus, given)
    assert outcome.delta.changed == ("x.tsv",)
    assert dump(kb) == dump(tmp_path / "fresh")
    build(kb, corpus, prose)
    build(tmp_path / "again", corpus, prose)
    assert dump(kb) == dump(tmp_path / "again")


def test_a_reader_keeps_its_generation(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    build(kb, corpus, TWO)
    first = dump(kb)
    with KnowledgeBase.open(kb) as reader:
        build(kb, corpus, {"c.md": "Third\n\nD knows E\n"})
        assert len(reader.triples().heads) == 3
        assert len(reader.memory("fact")) == 3
        assert reader.provenance([(entity_iri("B"), relation_iri("likes"), entity_iri("C"))])[0]
    assert dump(kb, "gen-000001") == first
    assert asserted(kb) == {"D knows E"}


def test_a_vanished_corpus_is_refused(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    build(kb, corpus, TWO)
    shutil.rmtree(corpus)
    with pytest.raises(InputError, match=r"does not exist.*2 documents.*allow_empty=true"):
        expand(kb, Corpus(corpus), toy_settings())
    expand(kb, Corpus(corpus), toy_settings(), allow_empty=True)
    assert asserted(kb) == set()


def test_a_document_that_cannot_be_read_is_left_as_it_was(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    build(kb, corpus, TWO)
    (corpus / "a.md").write_bytes(b"\xff\xfe\xff")
    outcome = expand(kb, Corpus(corpus), toy_settings())
    assert outcome.delta.empty
    assert "B likes C" in asserted(kb)


def test_two_embedders_are_never_mixed(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    build(kb, corpus, TWO)
    with pytest.raises(StoreError, match=r"hashing.*16.*hashing.*32.*index"):
        build(kb, corpus, {"a.md": "New\n\nA knows C\n"}, embedder=HashingEmbedder(32))
    index(kb, toy_settings(embedder=HashingEmbedder(32)))
    with KnowledgeBase.open(kb) as base:
        assert base.memory("entity").get(base.memory("entity").ids()).shape == (4, 32)


def test_a_second_writer_is_told_who_writes(tmp_path: Path) -> None:
    with writer_lock(tmp_path / "kb"), pytest.raises(LockedError, match=r"process \d+ on .* since 20"):
        build(tmp_path / "kb", tmp_path / "corpus", TWO)
    build(tmp_path / "kb", tmp_path / "corpus", TWO)


def test_a_batch_holds_the_stable_fields(tmp_path: Path) -> None:
    build(tmp_path / "kb", tmp_path / "corpus", TWO)
    lines = (tmp_path / "kb" / "extract" / "batch-000001" / "facts.jsonl").read_text().splitlines()
    record = json.loads(lines[0])
    assert list(record) == [
        "head", "relation", "tail", "head_text", "relation_text", "tail_text", "doc_id", "sentence", "start", "end",
        "head_span", "tail_span", "extractor", "confidence",
    ]  # fmt: skip
    assert (record["head"], record["sentence"], record["start"]) == (entity_iri("A"), "A knows B", 7)


def test_a_merge_moves_facts_and_its_end_moves_them_back(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    build(kb, corpus, TWO)
    before = dump(kb)
    build(kb, corpus, TWO | {"c.md": "Third\n\nD = A\n"})
    assert asserted(kb) == {"A knows B", "B likes C", "C knows A"}
    with KnowledgeBase.open(kb) as base:
        assert ("D", entity_iri("A")) in set(base.aliases())
    build(kb, corpus, TWO)
    assert dump(kb) == before


def test_two_supports_that_a_merge_brings_together_stay_two(tmp_path: Path) -> None:
    """They have one sentence and one triple then; when one of them goes, what the graph says of the other stays."""
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    both = {"a.md": "First\n\nA,C knows B\n"}
    build(kb, corpus, both)
    before = dump(kb)
    build(kb, corpus, both | {"c.md": "Third\n\nC = A\n"})
    build(kb, corpus, both)
    assert dump(kb) == before
