"""Documents read in several processes give the same knowledge base, and each is read once."""

from functools import partial
from pathlib import Path

import pytest

from kgqa.engine.local import LocalEngine
from kgqa.engine.ray import RayEngine
from kgqa.expand import spread
from kgqa.expand.apply import expand
from kgqa.expand.spread import SpreadExtractor, reading
from kgqa.types import Document
from tests.expand.toy import ToyExtractor, build, dump, settings, write_corpus

FILES = {
    f"{name}.md": f"{name}\n\n{name} knows {other}\n{other} likes {name}\n"
    for name, other in zip("ABCDEFG", "BCDEFGA", strict=True)
}


def spread_by(engine) -> SpreadExtractor:
    return SpreadExtractor("toy-1", partial(reading, ToyExtractor), engine)


@pytest.mark.parametrize("processes", [1, 2])
def test_extractions_come_in_order_whatever_their_size(monkeypatch, processes):
    monkeypatch.setattr(spread, "BATCH_CHARACTERS", 50)
    documents = [Document(f"{n}", f"A{n} knows B\n" * (1 + 7 * (n % 3))) for n in range(12)]
    found = list(spread_by(LocalEngine(processes)).extract(documents))
    assert found == list(ToyExtractor().extract(documents))


def test_the_knowledge_base_is_the_same_byte_for_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "BATCH_CHARACTERS", 40)
    build(tmp_path / "one", tmp_path / "corpus", FILES)
    corpus = write_corpus(tmp_path / "corpus", FILES)
    expand(tmp_path / "two", corpus, settings(extractor=spread_by(LocalEngine(2))))
    assert dump(tmp_path / "one") == dump(tmp_path / "two")
    for name in ("facts.jsonl", "mentions.jsonl", "passages.jsonl", "documents.jsonl"):
        one, two = (tmp_path / kb / "extract" / "batch-000001" / name for kb in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


@pytest.mark.slow
def test_a_ray_cluster_reads_the_same(monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setattr(spread, "BATCH_CHARACTERS", 50)
    documents = [Document(f"{n}", f"A{n} knows B\n" * 5) for n in range(6)]
    found = list(spread_by(RayEngine(2)).extract(documents))
    assert found == list(ToyExtractor().extract(documents))
