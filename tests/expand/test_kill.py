"""A writer that is really killed loses only its own delta: readers have the old generation or the new one, whole."""

import gzip
import random
import shutil
import signal
from pathlib import Path

import pytest

from kgqa.conflicts import Policy
from kgqa.expand import apply, record
from kgqa.expand.apply import expand
from kgqa.expand.plan import Corpus
from kgqa.expand.verify import verify
from kgqa.export import export
from kgqa.generations import generation_names
from kgqa.graph.formats import FactReader, read_facts
from kgqa.ids import relation_iri
from kgqa.knowledge_base import KnowledgeBase
from tests import processes
from tests.expand.killed import change, main
from tests.expand.toy import ToyExtractor, build, dump, fast_folder, settings, write_corpus

OLD = {
    "a.md": "First\n\nA knows B\nB likes C\nC knows E\n", "k.tsv": "X\tknows\tA\n",
    "b.md": "---\ndate: 1999\n---\nSecond\n\nA knows B\nC knows D\n",
}  # fmt: skip
NEW = {
    "a.md": "First\n\nA knows B\nA likes E\n", "d.md": "Fourth\n\nE knows F\n",
    "c.md": "---\ndate: 1999\n---\nThird\n\nD = A\nA knows F\n",
}  # fmt: skip
POLICY = Policy("newest", frozenset({relation_iri("knows")}))
"""C knows D, not E; then A knows F, not B."""


def run_killed(kb: Path, corpus: Path, last: int, action: str = "expand") -> tuple[int, str]:
    """(exit status, number of boundaries passed if it was not killed)."""
    done = processes.run(main, kb, corpus, last, action)
    assert done.status in (0, -signal.SIGKILL), done.errors
    return done.status, done.out


def check(number: int | None, folder: Path, place: str) -> None:
    """Kills an expansion at a boundary, looks at what is left, and lets the next run finish."""
    kb, corpus = folder / f"kb-{place}", folder / "corpus"
    shutil.copytree(folder / "before", kb)
    status, passed = run_killed(kb, corpus, -1 if number is None else number)
    assert status == -signal.SIGKILL, f"only {passed} boundaries"
    states = [dump(folder / "before"), dump(folder / "after")]
    assert dump(kb) in states
    extractor = ToyExtractor()
    expand(kb, Corpus(corpus), settings(extractor=extractor))
    assert dump(kb) == states[1]
    assert not list((kb / "extract").glob("*.partial"))
    names = {path.name for path in kb.rglob("*") if path.name.startswith(".")}
    assert not names, "temporary files are left"


@pytest.fixture(scope="module")
def folder():  # type: ignore[no-untyped-def]
    with fast_folder() as name:
        folder = Path(name)
        build(folder / "before", folder / "corpus", OLD, policy=POLICY)
        shutil.copytree(folder / "before", folder / "after")
        write_corpus(folder / "corpus", NEW)
        expand(folder / "after", Corpus(folder / "corpus"), settings())
        yield folder


def test_the_program_passes_many_boundaries_when_it_lives(folder: Path) -> None:
    shutil.copytree(folder / "before", folder / "kb-lives")
    status, passed = run_killed(folder / "kb-lives", folder / "corpus", 10**6)
    assert status == 0
    assert int(passed) > 60
    assert dump(folder / "kb-lives") == dump(folder / "after")


@pytest.mark.parametrize("number", random.Random(2).sample(range(60), 6))
def test_killed_at_a_boundary(folder: Path, number: int) -> None:
    check(number, folder, f"at-{number}")


@pytest.mark.parametrize("action", ["compact", "rollback"])
@pytest.mark.parametrize("number", [2, 9, 15])
def test_a_compaction_and_a_rollback_are_killed(folder: Path, action: str, number: int) -> None:
    """Both give a state that is known before: what is there, or the first generation."""
    kb = folder / f"kb-{action}-{number}"
    shutil.copytree(folder / "after", kb)
    wanted = [dump(folder / "after"), dump(folder / "before")] if action == "rollback" else [dump(folder / "after")]
    status, passed = run_killed(kb, folder / "corpus", number, action)
    assert status == -signal.SIGKILL, f"only {passed} boundaries"
    assert dump(kb) in wanted
    change(action, kb, folder / "corpus") if "gen-000001" in generation_names(kb) else None
    assert dump(kb) == wanted[-1]
    assert verify(kb) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", range(60))
def test_killed_at_every_boundary(folder: Path, number: int) -> None:
    check(number, folder, f"every-{number}")


def test_what_was_extracted_before_the_kill_is_not_extracted_again(tmp_path: Path) -> None:
    kb = tmp_path / "kb"
    corpus = write_corpus(tmp_path / "corpus", {f"{name}.md": f"{name}\n\n{name} knows Z\n" for name in "ABCD"})
    status, _ = run_killed(kb, corpus.path, 12)
    extractor = ToyExtractor()
    expand(kb, corpus, settings(extractor=extractor))
    assert status == -signal.SIGKILL
    assert 0 < len(extractor.read) < 4


@pytest.mark.parametrize("number", [0, 4, 13, 30])
def test_a_killed_import_of_an_export_is_as_harmless(folder: Path, number: int) -> None:
    exported, kb = folder / "after.nq", folder / f"import-{number}"
    with KnowledgeBase.open(folder / "after") as base:
        export(base, exported)
    shutil.copytree(folder / "before", kb)
    shutil.copytree(folder / "before", folder / f"whole-{number}")
    expand(folder / f"whole-{number}", Corpus(exported), settings())
    states = [dump(folder / "before"), dump(folder / f"whole-{number}")]
    status, passed = run_killed(kb, exported, number)
    assert status == -signal.SIGKILL, f"only {passed} boundaries"
    assert dump(kb) in states
    expand(kb, Corpus(exported), settings())
    assert dump(kb) == states[1]
    assert not [path for path in kb.rglob("*") if path.name.startswith(".")], "temporary files are left"


FACTS = {
    "a.nt": "".join(f"<urn:e{n}> <urn:p{n % 3}> <urn:e{n * 7 % 11}> .\n" for n in range(25))
    + '<urn:e1> <http://www.w3.org/2000/01/rdf-schema#label> "one"@en .\nnonsense\n'
    + "".join(f'<urn:e{n}> <http://www.w3.org/2004/02/skos/core#altLabel> "name {n % 2}" .\n' * 2 for n in range(9))
    + "".join(f"<urn:e{n}> <urn:q> <urn:new{n}> .\n" for n in range(20)),
    "b.tsv": "".join(f"e{n}\tknows\te{n + 1}\n" for n in range(10)),
}


@pytest.fixture(scope="module")
def imported():  # type: ignore[no-untyped-def]
    with fast_folder() as name:
        folder = Path(name)
        build(folder / "whole", folder / "corpus", FACTS)
        yield folder


def left_by_a_kill(folder: Path, number: int, place: str) -> Path:
    """A first generation that died while its files were read."""
    kb = folder / place
    status, passed = run_killed(kb, folder / "corpus", number)
    assert status == -signal.SIGKILL, f"only {passed} boundaries"
    return kb


@pytest.mark.parametrize(
    ("number", "lines"),
    [
        (13, {"a.nt": 12, "b.tsv": 0}),
        (53, {"b.tsv": 6}),
        (65, {}),
        pytest.param(3, {"a.nt": 0, "b.tsv": 0}, marks=pytest.mark.slow),
        pytest.param(37, {"a.nt": 56, "b.tsv": 0}, marks=pytest.mark.slow),
        pytest.param(45, {"b.tsv": 0}, marks=pytest.mark.slow),
    ],
)
def test_a_killed_import_goes_on_from_where_it_was(
    imported: Path, number: int, lines: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`lines`: what of each file is passed over then; files that were read to their end are not looked at."""
    kb = left_by_a_kill(imported, number, f"import-{number}")
    begun: dict[str, int] = {}

    def read(path: Path, doc_id: str, *, strict: bool, after: int) -> FactReader:
        begun[doc_id] = after
        return read_facts(path, doc_id, strict=strict, after=after)

    monkeypatch.setattr(apply, "read_facts", read)
    outcome = expand(kb, Corpus(imported / "corpus"), settings())
    assert begun == lines
    assert dump(kb) == dump(imported / "whole")
    assert verify(kb) == []
    assert (outcome.delta.added, outcome.counts["num_skipped"]) == (("a.nt", "b.tsv"), 1)


def test_what_changed_or_went_since_the_kill_is_not_gone_on_with(imported: Path, tmp_path: Path) -> None:
    kb = left_by_a_kill(imported, 53, "changed")
    changed = {"a.nt": FACTS["a.nt"].replace("urn:q", "urn:r"), "c.tsv": FACTS["b.tsv"]}
    build(tmp_path / "whole", tmp_path / "corpus", changed)
    expand(kb, Corpus(tmp_path / "corpus"), settings())
    assert dump(kb) == dump(tmp_path / "whole")


def test_a_file_that_breaks_off_after_parts_of_it_were_kept_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The terms that it shares with files before and after it keep their ids."""
    monkeypatch.setattr(record, "BLOCK", 3)
    monkeypatch.setattr(record, "PART", 6)
    corpus = write_corpus(tmp_path / "corpus", FACTS)
    whole = gzip.compress("".join(f"<urn:e{n}> <urn:p0> <urn:f{n}> .\n" for n in range(100_000)).encode())
    (corpus.path / "aa.nt.gz").write_bytes(whole[: len(whole) // 2])
    (corpus.path / "ab.nt").write_text(FACTS["a.nt"].replace("urn:p", "urn:s"))
    outcome = expand(tmp_path / "kb", corpus, settings())
    (corpus.path / "aa.nt.gz").unlink()
    expand(tmp_path / "good", corpus, settings())
    assert dump(tmp_path / "kb") == dump(tmp_path / "good")
    assert outcome.counts["num_skipped"] == 3
