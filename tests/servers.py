"""Servers for the tests: a real Oxigraph on a free port of 127.0.0.1, and a front before it that fails as told."""

import base64
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote_plus

import pytest
import requests

from kgqa.graph.endpoint import Credentials, Endpoint
from kgqa.graph.sparql import SparqlStore

_PROGRAM = Path(sys.executable).with_name("oxigraph")


def open_store(
    *urls: str, read_only: bool = False, batch_size: int = 100, timeout: float = 20.0, retries: int = 0,
    **credentials: Any,
) -> SparqlStore:  # fmt: skip
    """A store on a server (query, update, Graph Store endpoint). Unless a test asks for it, nothing is tried again."""
    known = Credentials(**credentials)
    endpoint = Endpoint(*urls, credentials=known, timeout=timeout, retries=retries, backoff=0.0)
    return SparqlStore(endpoint, read_only=read_only, batch_size=batch_size)


class Oxigraph:
    """`oxigraph serve` over a folder; it can be killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        if not _PROGRAM.is_file():
            pytest.skip("the program oxigraph is not installed; it is in the extra dev")
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        command = [_PROGRAM, "serve", "--location", self._folder, "--bind", f"127.0.0.1:{self.port}"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                requests.post(f"{self.url}/query", {"query": "ASK {}"}, timeout=5).raise_for_status()
                return self
            except requests.ConnectionError:
                assert self._process.poll() is None, "oxigraph serve ended at once"
                time.sleep(0.02)
        raise AssertionError("oxigraph serve does not answer")

    @property
    def process_id(self) -> int:
        assert self._process, "the server is not running"
        return self._process.pid

    def kill(self) -> None:
        """By SIGKILL, as a power failure would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def store(self, *, bulk: bool = False, **options: Any) -> SparqlStore:
        urls = [f"{self.url}/query", f"{self.url}/update", *([f"{self.url}/store?no_transaction"] if bulk else ())]
        return open_store(*urls, **options)

    def clear(self) -> None:
        requests.post(
            f"{self.url}/update", "DROP ALL", headers={"Content-Type": "application/sparql-update"}, timeout=30
        ).raise_for_status()

    def dump(self) -> set[str]:
        """Every quad of every graph but the mark, as N-Quads."""
        answer = requests.get(f"{self.url}/store", headers={"Accept": "application/n-quads"}, timeout=30)
        return {line for line in answer.content.decode().split("\n") if line and "<urn:kgqa:meta>" not in line}


Answer = tuple[int, dict[str, str], bytes]
"""(status, headers, body) of an answer that the front makes up; status 0 hangs up without a word."""
GONE: Answer = (0, {}, b"")
Trick = Callable[["Request"], Answer | None]
"""What the front says instead of the server; None: the request goes on to the server."""


class Request:
    """One request as it arrived, and its connection."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self.path = handler.path
        self.authorization = handler.headers.get("Authorization", "")
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        self.sparql = body.decode() if self.is_update else unquote_plus(body.decode()).removeprefix("query=")
        self._body, self._handler = body, handler

    @property
    def is_update(self) -> bool:
        return not self.path.startswith("/query")

    def forward(self, url: str) -> requests.Response:
        kept = {
            name: self._handler.headers[name] for name in ("Content-Type", "Accept") if name in self._handler.headers
        }
        return requests.post(url + self.path, self._body, headers=kept, timeout=30)

    def hang_up(self) -> None:
        """Ends the connection in the middle of whatever was said."""
        self._handler.wfile.flush()
        self._handler.connection.shutdown(socket.SHUT_RDWR)


class Front:
    """A small HTTP server before another, on a free port; a context manager."""

    def __init__(self, url: str) -> None:
        self.trick: Trick = lambda request: None
        self.seen: list[Request] = []
        self.tamper: Callable[[bytes], bytes] = lambda body: body
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = Request(self)
                front.seen.append(request)
                answer = front.trick(request)
                if answer is None:
                    found = request.forward(url)
                    kept = {name: found.headers[name] for name in ("Content-Type",) if name in found.headers}
                    answer = found.status_code, kept, found.content
                status, headers, body = answer
                if status == 0:
                    request.hang_up()
                    return
                body = front.tamper(body)
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                if int(headers.get("Content-Length", 0)) > len(body):
                    request.hang_up()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def store(self, *, bulk: bool = False, **options: Any) -> SparqlStore:
        urls = [f"{self.url}/query", f"{self.url}/update", *([f"{self.url}/store?no_transaction"] if bulk else ())]
        return open_store(*urls, **options)

    def updates(self) -> list[str]:
        return [request.sparql for request in self.seen if request.is_update]


def failing(times: int, answer: Answer) -> Trick:
    """The same answer so many times, then the server's own."""
    left = iter(range(times))
    return lambda request: answer if next(left, None) is not None else None


def down_from(number: int) -> Trick:
    """The server is there for so many requests, then never again."""
    count = iter(range(10**9))
    return lambda request: None if next(count) < number else GONE


def asking_for(authorizations: Iterable[str]) -> Trick:
    """401 for everybody else."""
    allowed = set(authorizations)
    return lambda request: (
        None if request.authorization in allowed else (401, {"WWW-Authenticate": 'Basic realm="kg"'}, b"who are you?")
    )


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
