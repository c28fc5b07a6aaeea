"""A server that fails: what may pass is tried again; all else is an error that says what to do, never fewer rows."""

import hashlib
import re
import socket
import threading
from collections.abc import Iterator

import pytest

from kgqa.errors import ConfigError, InputError, StoreError
from kgqa.graph import sparql
from kgqa.graph.endpoint import Credentials
from kgqa.graph.sparql import SparqlStore
from kgqa.ids import ASSERTED, entity_iri, relation_iri
from tests.servers import GONE, Answer, Front, Oxigraph, Request, asking_for, basic, failing, open_store

QUADS = [(entity_iri(str(n)), relation_iri("r"), entity_iri("Z"), ASSERTED) for n in range(20)]
BUSY: Answer = (503, {}, b"busy")


@pytest.fixture
def filled(oxigraph: Oxigraph) -> Oxigraph:
    with oxigraph.store() as store:
        store.add(QUADS)
    return oxigraph


def read(store: SparqlStore) -> set[tuple[str, ...]]:
    return set(store.scan(graph=ASSERTED))


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/sparql"
    with open_store(url, retries=2) as store:
        for ask in (lambda: read(store), lambda: store.query("ASK {}"), lambda: store.add(QUADS)):
            with pytest.raises(StoreError, match=r"/sparql did not answer in 3 tries: .*refused.*server runs"):
                ask()


@pytest.mark.parametrize("answer", [BUSY, GONE, (500, {}, b""), (429, {"Retry-After": "86400"}, b"")], ids=str)
def test_what_passes_is_tried_again(front: Front, answer: Answer) -> None:
    with front.store(retries=3, batch_size=7) as store:
        front.trick = failing(3, answer)
        store.add(QUADS)
        front.trick = failing(3, answer)
        assert read(store) == set(QUADS)
        front.trick = failing(3, answer)
        assert store.query("ASK {}") == [("true",)]
    assert len(front.seen) == 3 + 3 + 3 + 2 + 3 + 1


def test_what_does_not_pass_is_told_with_the_servers_words(front: Front) -> None:
    front.trick = failing(10**6, BUSY)
    with front.store(retries=2) as store, pytest.raises(StoreError, match=r"/query answers 503 .*\(busy\)"):
        read(store)
    assert len(front.seen) == 3


def test_a_mistake_of_the_user_is_not_tried_again(front: Front) -> None:
    with front.store(retries=5) as store, pytest.raises(InputError, match=r"answers 400 .*cannot run this SPARQL"):
        store.query("SELECT nonsense")
    assert len(front.seen) == 1


def test_an_update_that_was_done_and_not_answered_is_done_again(filled: Oxigraph, front: Front) -> None:
    """The answer is lost, not the request: the second time changes nothing."""

    def lose_first(request: Request) -> Answer | None:
        if len(front.seen) > 1:
            return None
        request.forward(filled.url)
        return GONE

    front.trick = lose_first
    with front.store(retries=1) as store:
        store.remove(QUADS[:5])
        assert read(store) == set(QUADS[5:])


@pytest.fixture
def silent() -> Iterator[str]:
    """Accepts connections, says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/sparql"
        for connection in kept:
            connection.close()


def test_a_server_that_says_nothing(silent: str) -> None:
    with (
        open_store(silent, timeout=0.05, retries=1) as store,
        pytest.raises(StoreError, match=r"in 2 tries.*timed out"),
    ):
        store.query("ASK {}")


def test_a_stream_that_breaks_off_is_an_error(filled: Oxigraph, front: Front) -> None:
    front.trick = lambda request: (
        200,
        {"Content-Type": "application/n-triples", "Content-Length": "9999"},
        b"<urn:a> ",
    )
    with front.store() as store:
        with pytest.raises(StoreError, match="broke off in the middle"):
            read(store)
        with pytest.raises(StoreError, match="broke off in the middle"):
            store.query("CONSTRUCT WHERE { ?h ?r ?t }")


def test_fewer_triples_than_the_server_counts_are_an_error(filled: Oxigraph, front: Front) -> None:
    """Virtuoso's ResultSetMaxRows, and connections that a proxy closes in peace: the lines that come are whole."""
    front.tamper = lambda body: b"\n".join(body.split(b"\n")[:7]) + b"\n" if body.count(b"\n") > 7 else body
    with front.store() as store, pytest.raises(StoreError, match=r"gave 7 triples and counts 20: it caps"):
        read(store)


@pytest.mark.parametrize("cut", [1, 30, 80])
def test_rows_that_break_off_are_an_error(filled: Oxigraph, front: Front, cut: int) -> None:
    front.tamper = lambda body: body[:-cut]
    with front.store() as store, pytest.raises(StoreError, match="broke off its answer"):
        store.query(f"SELECT ?h WHERE {{ GRAPH <{ASSERTED}> {{ ?h ?r ?t }} }}")


def test_a_web_page_is_no_result(front: Front) -> None:
    front.trick = failing(10**6, (200, {"Content-Type": "text/html; charset=utf-8"}, b"<h1>Welcome</h1>"))
    with front.store() as store, pytest.raises(StoreError, match=r"answers with text/html.*query endpoint"):
        store.query("ASK {}")


def test_nothing_follows_a_redirect(front: Front) -> None:
    front.trick = failing(10**6, (301, {"Location": "http://127.0.0.1:1/elsewhere"}, b""))
    with (
        front.store(user="a", password="b") as store,
        pytest.raises(StoreError, match=r"redirects to http://127\.0\.0\.1:1/"),
    ):
        store.query("ASK {}")


def test_who_asks(front: Front) -> None:
    front.trick = asking_for([basic("änn", "gëheim"), "Bearer t0ken"])
    for good in ({"user": "änn", "password": "gëheim"}, {"token": "t0ken"}, {"token": "t0ken", "user": "x"}):
        with front.store(**good) as store:
            store.add(QUADS)
            assert read(store) == set(QUADS)
    for bad in ({}, {"user": "änn", "password": "secret"}, {"token": "secret"}):
        with front.store(**bad, retries=3) as store:
            for ask in (lambda store=store: read(store), lambda store=store: store.add(QUADS)):
                before = len(front.seen)
                with pytest.raises(StoreError, match=r"answers 401 .*who are you.*KGQA_SPARQL_USER") as caught:
                    ask()
                assert "secret" not in str(caught.value)
                assert len(front.seen) == before + 1


def digest_response(path: str, said: dict[str, str], password: str) -> str:
    """RFC 7616, 3.4.1, for qop=auth and MD5."""
    md5 = lambda *parts: hashlib.md5(":".join(parts).encode()).hexdigest()  # noqa: E731
    secret, what = md5(said["username"], said["realm"], password), md5("POST", path)
    return md5(secret, said["nonce"], said["nc"], said["cnonce"], "auth", what)


def test_digest(front: Front) -> None:
    challenge = {"WWW-Authenticate": 'Digest realm="sparql", nonce="n1", qop="auth", algorithm=MD5'}

    def guard(request: Request) -> Answer | None:
        said = dict(re.findall(r'(\w+)="?([^",]+)', request.authorization))
        right = said.get("username") == "dba" and said["response"] == digest_response(request.path, said, "p@ss")
        return None if right else (401, challenge, b"")

    front.trick = guard
    with front.store(user="dba", password="p@ss", digest=True) as store:
        store.add(QUADS)
        assert read(store) == set(QUADS)
    for wrong in ({"password": "p@ss"}, {"password": "other", "digest": True}):
        with front.store(user="dba", **wrong) as store, pytest.raises(StoreError, match="401"):
            store.add(QUADS)


def test_passwords_are_not_shown() -> None:
    shown = repr(Credentials(user="ann", password="secret", token="secret"))
    assert "ann" in shown
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("url", "why"),
    [("localhost:3030/kb", "is no URL"), ("ftp://host/", "is no URL"), ("http://", "is no URL"), ("", "is no URL"),
     ("http://ann:secret@host/kb", "in the environment")],
)  # fmt: skip
def test_urls_that_are_none(url: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


def test_read_only_writes_nothing(front: Front) -> None:
    with front.store(read_only=True) as store:
        for write in (store.add, store.remove):
            with pytest.raises(StoreError, match=r"read-only.*graph\.read_only=false"):
                write(QUADS)
        with pytest.raises(StoreError, match="read-only"):
            store.drop([ASSERTED])
        assert not store.has(graph=ASSERTED)
    assert not front.updates()


def test_an_update_that_is_too_large(front: Front) -> None:
    front.trick = failing(10**6, (413, {}, b""))
    with front.store() as store, pytest.raises(StoreError, match=r"413.*graph\.batch_size smaller"):
        store.add(QUADS)


def test_batches_have_the_size_that_was_asked_for(front: Front) -> None:
    with front.store(batch_size=8) as store:
        store.add(QUADS)
        store.remove(QUADS)
    assert [update.count(" .\n") for update in front.updates()] == [8, 8, 4, 8, 8, 4]


def test_a_whole_graph_goes_in_pieces(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparql, "_PIECE", 8)
    with front.store(bulk=True) as store:
        front.trick = failing(0, GONE)
        assert store.upload(iter(QUADS)) == store.upload(QUADS) == 20
        assert [request.path for request in front.seen] == 6 * ["/store?no_transaction"]
        assert read(store) == set(QUADS)
    with front.store(bulk=True, read_only=True) as store, pytest.raises(StoreError, match="read-only"):
        store.upload(QUADS)
