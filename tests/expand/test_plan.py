"""The plan is a comparison of contents; nothing is lost because a file cannot be read or a disk is away."""

from pathlib import Path

import pytest
from hypothesis import given, strategies

from kgqa.errors import InputError
from kgqa.expand.plan import GIVEN, Corpus, content_hash, make_plan
from kgqa.ledger import DocumentRow
from kgqa.types import Document
from tests.expand.toy import fast_folder, write_corpus

states = strategies.dictionaries(strategies.sampled_from("abcd"), strategies.sampled_from(["one.", "two."]))


def row(name: str, text: str, source: str, path: str = "") -> DocumentRow:
    digest = content_hash(Document(name, text, name))
    return DocumentRow(name, source, digest, name, None, path, "toy", "")


@given(old=states, new=states)
def test_the_plan_is_the_difference(old: dict[str, str], new: dict[str, str]) -> None:
    with fast_folder() as folder:
        corpus = write_corpus(Path(folder), {f"{name}.md": text for name, text in new.items()})
        known = [row(name, text, corpus.source) for name, text in old.items()]
        plan = make_plan(corpus, known, reader="toy", allow_empty=True)
    assert set(plan.added) == new.keys() - old.keys()
    assert set(plan.removed) == old.keys() - new.keys()
    assert set(plan.changed) == {name for name in new.keys() & old.keys() if new[name] != old[name]}
    assert plan.unchanged == sum(old.get(name) == text for name, text in new.items())
    assert plan.hashes.keys() == set(plan.added) | set(plan.changed)


def test_documents_of_another_source_are_not_missed(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, {"a.md": "one."})
    assert make_plan(corpus, [row("b", "two.", "/elsewhere")], reader="toy").removed == ()


def test_what_is_named_goes_and_an_unknown_name_is_refused(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, {"a.md": "one."})
    known = [row("a", "one.", corpus.source), row("b", "two.", "/elsewhere")]
    assert make_plan(corpus, known, reader="toy", remove=["a", "b"]).removed == ("a", "b")
    with pytest.raises(InputError, match="no such document"):
        make_plan(corpus, known, reader="toy", remove=["c"])


def test_prose_and_facts_in_one_folder(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, {"a.txt": "Prose | with | bars", "k.tsv": "A\tr\tB", "k.nt": ""})
    assert make_plan(corpus, [], reader="toy").added == ("a", "k.nt", "k.tsv")
    assert [doc_id for doc_id, _ in corpus.fact_files()] == ["k.nt", "k.tsv"]
    facts = Corpus(tmp_path, "facts")
    assert make_plan(facts, [], reader="").added == ("a.txt", "k.nt", "k.tsv")


def test_an_unchanged_file_of_facts_is_not_read_again(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, {"k.tsv": "A\tr\tB"})
    hashes = make_plan(corpus, [], reader="toy").hashes
    known = [DocumentRow("k.tsv", corpus.source, hashes["k.tsv"], "", None, "", GIVEN, "")]
    assert make_plan(corpus, known, reader="another").empty


def test_an_unreadable_document_is_told_of_once_or_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus = write_corpus(tmp_path, {"a.txt": "one.", "z.txt": "\0"})
    assert make_plan(corpus, [], reader="toy").added == ("a",)
    list(corpus.documents(tell=False))
    assert caplog.text.count("skipped 1: ") == 1
    with pytest.raises(InputError, match=r"z\.txt: binary.*strict=false"):
        make_plan(corpus, [], reader="toy", strict=True)


@pytest.mark.parametrize("kind", ["text", "facts"])
def test_a_corpus_with_nothing_is_refused(tmp_path: Path, kind: str) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "missing"):
        with pytest.raises(InputError, match=r"corpus\.path"):
            make_plan(Corpus(path, kind), [], reader="toy")


def test_a_feed_that_cannot_be_read_loses_none_of_its_lines(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, {"a.md": "one.", "feed.jsonl": ""})
    known = [row("x", "two.", corpus.source, f"{corpus.path}/feed.jsonl:1"), row("y", "two.", corpus.source, "y.md")]
    unsettled = Corpus(
        tmp_path, settled=frozenset({f"{tmp_path}/a.md"}), unsettled=frozenset({f"{tmp_path}/feed.jsonl"})
    )
    plan = make_plan(unsettled, known, reader="toy")
    assert (plan.added, plan.removed) == (("a",), ("y",))


def test_an_unread_file_is_known_by_its_id_where_the_ledger_has_another_path(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, {"a.md": "one.", "b.md": "\0", "k.tsv": "A\tr\tB"})
    known = [row("b", "two.", corpus.source, "there/b.md"), row("k.tsv", "", corpus.source, "there/k.tsv")]
    settled = Corpus(tmp_path, settled=frozenset({f"{tmp_path}/a.md", f"{tmp_path}/b.md"}),
                     unsettled=frozenset({f"{tmp_path}/k.tsv"}))  # fmt: skip
    assert make_plan(settled, known, reader="toy").removed == ()
