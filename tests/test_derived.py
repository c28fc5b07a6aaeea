"""What readers keep beside a graph: the same when it is read, made anew when not to be trusted, never in the way."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kgqa import derived as module
from kgqa import knowledge_base
from kgqa.derived import MANIFEST, Columns, derived
from kgqa.expand.apply import expand
from kgqa.knowledge_base import KnowledgeBase
from tests.expand.toy import build, settings, write_corpus

MADE = Columns(
    {"a": np.arange(5), "empty": np.empty((0, 3), dtype=np.float32)},
    {"names": ["é\n\u2028", "", "\0", "\\u0041", "a" * 5000], "none": []},
)


class Maker:
    """Counts how often it is asked."""

    def __init__(self, made: Columns = MADE) -> None:
        self.made, self.num = made, 0

    def __call__(self) -> Columns:
        self.num += 1
        return self.made


def same(one: Columns, other: Columns) -> bool:
    arrays = one.arrays.keys() == other.arrays.keys() and all(
        np.array_equal(one.arrays[name], other.arrays[name]) and one.arrays[name].dtype == other.arrays[name].dtype
        for name in one.arrays
    )
    return arrays and one.texts == other.texts


def test_it_is_made_once_and_read_as_it_was(tmp_path: Path) -> None:
    make = Maker()
    for _ in range(3):
        found = derived(tmp_path / "x" / "y", "graph 1", make)
        assert same(found, MADE)
    assert make.num == 1
    assert not found.arrays["a"].flags.writeable


def test_another_graph_or_another_code_makes_it_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, other = Maker(), Maker(Columns({}, {"names": ["new"]}))
    derived(tmp_path / "x", "graph 1", make)
    assert same(derived(tmp_path / "x", "graph 2", other), other.made)
    assert same(derived(tmp_path / "x", "graph 2", make), other.made)
    manifest = json.loads((tmp_path / "x" / MANIFEST).read_text())
    (tmp_path / "x" / MANIFEST).write_text(json.dumps(manifest | {"code": "older"}))
    assert same(derived(tmp_path / "x", "graph 2", make), MADE)
    assert (make.num, other.num) == (2, 1)


@pytest.mark.parametrize("name", [MANIFEST, "a.npy", "names.json"])
@pytest.mark.parametrize("damage", ["gone", "cut", "changed"])
def test_what_is_damaged_is_made_anew(tmp_path: Path, name: str, damage: str) -> None:
    make, path = Maker(), tmp_path / "x" / name
    derived(tmp_path / "x", "graph", make)
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else whole[:-3] + b"?" + whole[-2:])
    assert same(derived(tmp_path / "x", "graph", make), MADE)
    assert same(derived(tmp_path / "x", "graph", make), MADE)
    assert make.num == 2


def test_where_nothing_can_be_written_each_reader_makes_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    make = Maker()
    for _ in range(2):
        assert same(derived(tmp_path / "file" / "x", "graph", make), MADE)
    assert make.num == 2


def test_a_disk_that_fills_up_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "sync", full)
    assert same(derived(tmp_path / "x", "graph", Maker()), MADE)
    assert list(tmp_path.iterdir()) == []


def test_a_second_reader_does_not_scan_the_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = '<urn:m> <urn:p> "1903" ; <http://www.w3.org/2000/01/rdf-schema#label> "Marie" .'
    build(tmp_path / "kb", tmp_path / "corpus", {"a.md": "A knows B\nZ = A\n", "m.ttl": labels})
    with KnowledgeBase.open(tmp_path / "kb") as first:
        table, aliases = first.triples(), list(first.aliases())
    monkeypatch.setattr(knowledge_base, "table_of", None)
    with KnowledgeBase.open(tmp_path / "kb") as second:
        again = second.triples()
        assert list(second.aliases()) == aliases
    assert vars(again).keys() == vars(table).keys()
    assert all(np.array_equal(vars(again)[name], value) for name, value in vars(table).items())


def test_what_was_derived_follows_the_graph_and_goes_with_its_generation(tmp_path: Path) -> None:
    kb, corpus = tmp_path / "kb", tmp_path / "corpus"
    for number in range(3):
        corpus_of = write_corpus(corpus, {f"{number}.md": f"A knows B{number}\n"})
        expand(kb, corpus_of, replace(settings(), keep=1), allow_empty=True)
        with KnowledgeBase.open(kb) as base:
            assert base.triples().entity_texts == ["A", f"B{number}"]
            kept = [path.name for path in (kb / "graph" / "derived").iterdir()]
            assert kept == [base.state.snapshot]


HEAVY = ("transformers", "networkx", "rdflib", "scipy", "pytorch_lightning", "spacy", "requests", "pandas", "ray")


@pytest.mark.parametrize(
    ("stage", "heavy"), [("answer", HEAVY), ("expand", HEAVY if Path("/dev/nvidiactl").exists() else (*HEAVY, "torch"))]
)
def test_a_stage_loads_no_library_that_it_does_without(stage: str, heavy: tuple[str, ...]) -> None:
    command = f"import sys, pipelines.{stage}; print([name for name in {heavy} if name in sys.modules])"
    root = Path(__file__).parents[1]
    ran = subprocess.run([sys.executable, "-c", command], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
