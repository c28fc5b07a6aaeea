"""A SPARQL server from the command line: it follows extract and expand, train and answer read from it, mirror mends."""

import json
from pathlib import Path

import pytest
import requests

from kgqa.knowledge_base import KnowledgeBase
from pipelines import answer, expand, extract, index, mirror, train
from tests.pipelines.test_chain import SMALL, newest
from tests.servers import Front, Oxigraph, asking_for, basic

FACTS = {"Ada": ("Vienna", "Otto"), "Otto": ("Munich", "Max"), "Max": ("Vienna", "Lise"), "Lise": ("Prague", "Ada")}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("USER", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"KGQA_SPARQL_{name}", raising=False)
        monkeypatch.delenv(f"KGQA_CORPUS_{name}", raising=False)
    write_facts(FACTS)


def write_facts(facts: dict[str, tuple[str, str]]) -> None:
    lines = [f"{name}|born_in|{place}\n{name}|taught_by|{teacher}\n" for name, (place, teacher) in facts.items()]
    Path("facts.txt").write_text("".join(lines))


def graph(url: str, *more: str) -> list[str]:
    return ["graph=sparql", f"graph.url={url}/query", f"graph.update_url={url}/update", "graph.retries=0", *more]


def metrics(stage: str) -> dict[str, object]:
    return json.loads((newest(stage) / "metrics.jsonl").read_text().splitlines()[-1])  # type: ignore[no-any-return]


CORPUS = ["corpus=facts", "corpus.path=facts.txt", "kb=kb"]
WRITE = "graph.read_only=false"
LITTLE = ["trainer.max_epochs=1", "trainer.epoch_questions=32", "trainer.synthetic_questions=32"]


def test_the_chain_on_a_server_gives_the_answers_of_the_chain_without(oxigraph: Oxigraph) -> None:
    served = graph(oxigraph.url)
    assert extract.main([*CORPUS, *served, WRITE]) == 0
    assert index.main(["kb=kb", "embedder=hashing"]) == 0
    rows = [{"question": f"Where was {name} born?", "answers": [place]} for name, (place, _) in FACTS.items()]
    Path("questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = ["kb=kb", "qa=files", "qa.train=questions.jsonl", "qa.dev=questions.jsonl", *SMALL[:-1], *LITTLE]
    assert train.main([*asked, *served]) == 0
    best = newest("train") / "checkpoints" / "best"
    for out, more in (("server.jsonl", served), ("disk.jsonl", [])):
        answered = ["kb=kb", f"checkpoint={best}", "questions=questions.jsonl", f"out={out}", *more]
        assert answer.main(answered) == 0
    assert Path("server.jsonl").read_text() == Path("disk.jsonl").read_text()
    records = [json.loads(line) for line in Path("server.jsonl").read_text().splitlines()]
    with oxigraph.store(read_only=True) as server, KnowledgeBase.open("kb", server=server) as kb:
        for record in records:
            found = {row[0] for row in kb.query(record["sparql"])} if record["sparql"] else set()
            assert found == {one["iri"] for one in record["answers"]}

    write_facts(FACTS | {"Eva": ("Graz", "Max")})
    assert expand.main([*CORPUS, "embedder=hashing", *served, WRITE]) == 0
    assert metrics("expand")["num_mirror_added"] > 0


def test_a_server_is_not_written_unless_told(oxigraph: Oxigraph, capsys: pytest.CaptureFixture[str]) -> None:
    assert extract.main([*CORPUS, *graph(oxigraph.url)]) == 2
    assert "may not be written; set graph.read_only=false" in capsys.readouterr().err
    assert not Path("kb/CURRENT").exists()
    assert oxigraph.dump() == set()


def test_mirror_catches_up(oxigraph: Oxigraph, capsys: pytest.CaptureFixture[str]) -> None:
    assert extract.main(CORPUS) == 0
    assert mirror.main(["kb=kb"]) == 2
    assert "graph.url: no value" in capsys.readouterr().err
    assert mirror.main(["kb=kb", *graph(oxigraph.url, WRITE)]) == 0
    assert metrics("mirror")["num_mirror_added"] == len(before := oxigraph.dump()) > 0
    oxigraph.kill()
    try:
        write_facts(FACTS | {"Eva": ("Graz", "Max")})
        assert expand.main([*CORPUS, "embedder=hashing", *graph(oxigraph.url, WRITE)]) == 2
        assert "did not answer" in capsys.readouterr().err
        assert expand.main([*CORPUS, "embedder=hashing"]) == 0
    finally:
        oxigraph.start()
    assert mirror.main(["kb=kb", *graph(oxigraph.url, WRITE)]) == 0
    assert metrics("mirror")["num_mirror_added"] == len(oxigraph.dump() - before) > 0


def test_passwords_come_from_the_environment_and_go_nowhere(
    front: Front, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    front.trick = asking_for([basic("ann", "s3cret")])
    monkeypatch.setenv("KGQA_SPARQL_USER", "ann")
    monkeypatch.setenv("KGQA_SPARQL_PASSWORD", "wr0ng")
    assert extract.main([*CORPUS, *graph(front.url, WRITE)]) == 2
    monkeypatch.setenv("KGQA_SPARQL_PASSWORD", "s3cret")
    assert extract.main([*CORPUS, *graph(front.url, WRITE)]) == 0
    assert "401" in capsys.readouterr().err
    texts = [path.read_text() for path in Path("runs").rglob("*") if path.is_file()]
    assert not any("s3cret" in text or "wr0ng" in text for text in texts)


def test_a_graph_that_others_keep_is_a_corpus(oxigraph: Oxigraph, monkeypatch: pytest.MonkeyPatch) -> None:
    def put(turtle: str) -> None:
        url, kind = f"{oxigraph.url}/store?default", {"Content-Type": "text/turtle"}
        requests.put(url, turtle.encode(), headers=kind, timeout=30).raise_for_status()

    fetched = ["corpus=sparql", f"corpus.url={oxigraph.url}/query", "corpus.path=fetched/world.nt", "kb=kb"]
    monkeypatch.setenv("KGQA_SPARQL_TOKEN", "of another server")
    put("<urn:x:a> <urn:x:bornIn> <urn:x:b> . <urn:x:b> <urn:x:partOf> <urn:x:c> .")
    assert extract.main(fetched) == 0
    assert metrics("extract")["num_facts_added"] == 2
    assert extract.main(fetched) == 0
    assert metrics("extract")["num_unchanged"] == 1
    put("<urn:x:b> <urn:x:partOf> <urn:x:c> .")
    assert expand.main([*fetched, "embedder=hashing"]) == 0
    assert (metrics("expand")["num_facts_added"], metrics("expand")["num_facts_removed"]) == (0, 1)


def test_each_server_gets_its_own_credentials(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KGQA_SPARQL_TOKEN", "graph")
    monkeypatch.setenv("KGQA_CORPUS_TOKEN", "corpus")
    with front.store() as store:
        store.add([("urn:a", "urn:b", "urn:c", "urn:g")])
    fetched = ["corpus=sparql", f"corpus.url={front.url}/query", "corpus.graph=urn:g", "corpus.path=g.nt", "kb=kb"]
    front.seen.clear()
    assert extract.main([*fetched, *graph(front.url, WRITE)]) == 0
    assert {r.authorization for r in front.seen if "urn:g>" in r.sparql and not r.is_update} == {"Bearer corpus"}
    assert {r.authorization for r in front.seen if r.is_update} == {"Bearer graph"}
