"""A SPARQL 1.1 endpoint over HTTP: retried with back-off, timed out, streamed, and its failures said in our words.

Every request may be repeated: queries change nothing, and what is sent to be written (INSERT DATA, DELETE DATA, DROP,
quads to be added) comes to the same when it is sent twice. A redirect is refused, so that no password follows it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from kgqa.errors import ConfigError, InputError, KgqaError, StoreError

_PASSING = (429, 500, 502, 503, 504)
"""Statuses after which the same request may succeed. 500 is one of them: it is what some servers say of a timeout."""
_SHOWN = 300
"""Characters of a server's message that an error repeats."""


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Who asks; none of it is ever logged or shown."""

    user: str | None = None
    password: str = field(default="", repr=False)
    token: str | None = field(default=None, repr=False)
    """Sent as `Authorization: Bearer`; comes before the user."""
    digest: bool = False
    """HTTP Digest instead of Basic, for user and password."""

    def auth(self) -> AuthBase | None:
        """What requests wants of them."""
        if self.token:
            return _Bearer(self.token)
        if self.user is None:
            return None
        if self.digest:
            return HTTPDigestAuth(self.user, self.password)
        return HTTPBasicAuth(self.user.encode(), self.password.encode())  # text would go as Latin-1


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Endpoint:
    """One server; a context manager that closes its connections."""

    def __init__(
        self, url: str, update_url: str | None = None, store_url: str | None = None, *, credentials: Credentials,
        timeout: float, retries: int, backoff: float,
    ) -> None:  # fmt: skip
        """`store_url`: a Graph Store endpoint that takes N-Quads; `timeout`: seconds of silence before a try ends;
        `backoff`: seconds before the second retry (the first comes at once), doubled with each one more. ConfigError
        for what is no URL, or has a password in it.
        """
        self.url, self.update_url = _checked(url), _checked(update_url or url)
        self.store_url = _checked(store_url) if store_url else None
        self._timeout, self._retries = timeout, retries
        self._session = requests.Session()
        self._session.auth = credentials.auth()
        self._session.headers["User-Agent"] = "kgqa"
        retry = Retry(
            total=retries, backoff_factor=backoff / 2, status_forcelist=_PASSING, allowed_methods=None,
            raise_on_status=False, respect_retry_after_header=False,
        )  # fmt: skip
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections; a later request opens new ones."""
        self._session.close()

    @contextmanager
    def query(self, sparql: str, *, accept: str) -> Iterator[requests.Response]:
        """The answer to a query, whose `raw` is read as a stream inside the block.

        Raises InputError where the server cannot run the query, StoreError for everything else that goes wrong, in the
        middle of the stream too.
        """
        # A form is the one way of asking that every server documents.
        with self._post(self.url, {"query": sparql}, Accept=accept) as response:
            response.raw.decode_content = True
            try:
                yield response
            except HTTPError as error:  # urllib3's: what is read from `raw` fails in its words
                raise StoreError(f"{self.url} broke off in the middle of its answer: {error}; run again") from error

    def update(self, sparql: str) -> None:
        """Runs an update, which has to be one that may be run twice."""
        # Directly, not as a form: those are limited to a few megabytes by some servers, and grow by half.
        with self._post(self.update_url, sparql.encode(), **{"Content-Type": "application/sparql-update"}):
            pass

    def add(self, quads: bytes) -> None:
        """Adds N-Quads by the Graph Store endpoint, which has to be known."""
        assert self.store_url
        with self._post(self.store_url, quads, **{"Content-Type": "application/n-quads"}):
            pass

    @contextmanager
    def _post(self, url: str, data: bytes | dict[str, str], **headers: str) -> Iterator[requests.Response]:
        try:
            response = self._session.post(
                url, data=data, headers=headers, timeout=self._timeout, stream=True, allow_redirects=False
            )
        except requests.RequestException as error:
            raise self._unreachable(url, error) from error
        with response:
            if not 200 <= response.status_code < 300:
                raise _refusal(url, response)
            yield response

    def _unreachable(self, url: str, error: requests.RequestException) -> StoreError:
        cause = getattr(error.args[0] if error.args else error, "reason", error)
        tries = f" in {self._retries + 1} tries" if self._retries else ""
        return StoreError(f"{url} did not answer{tries}: {cause}; see that the server runs and the URL is right")


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{url!r} is no URL of a SPARQL endpoint; give http://HOST:PORT/PATH or https://...")
    if parts.username or parts.password:
        raise ConfigError(
            f"the URL for {parts.hostname} has a user or password in it, which would end up in the files of runs; "
            "set KGQA_SPARQL_USER and KGQA_SPARQL_PASSWORD in the environment (for corpus=sparql: KGQA_CORPUS_...)"
        )
    return url


def _refusal(url: str, response: requests.Response) -> KgqaError:
    """What a status other than success means for the user."""
    status = f"{url} answers {response.status_code} {response.reason or ''}".rstrip()
    try:
        said = response.raw.read(4 * _SHOWN, decode_content=True).decode("utf-8", "replace")
    except HTTPError:
        said = ""
    said = " ".join(said.split())[:_SHOWN]
    message = f"{status} ({said})" if said else status
    if response.status_code == 400:
        return InputError(f"{message}; it cannot run this SPARQL")
    if response.status_code in (401, 403):
        return StoreError(
            f"{message}; set KGQA_SPARQL_USER and KGQA_SPARQL_PASSWORD, or KGQA_SPARQL_TOKEN, of somebody who may do "
            "this (for corpus=sparql: KGQA_CORPUS_...)"
        )
    if 300 <= response.status_code < 400:
        return StoreError(
            f"{message}; it redirects to {response.headers.get('Location')}: give that URL if you trust it"
        )
    if response.status_code == 413:
        return StoreError(f"{message}; make graph.batch_size smaller")
    return StoreError(f"{message}; see that the URL is that of a SPARQL endpoint, and the server's own log")
