"""One request, sent once: it ends in time, and its answer is whole or no answer.

It runs in a thread of its own, since nothing else bounds it: a socket's timeout is per read, and a server
that trickles ten bytes a second never meets it. The thread hands over plain values (a status, headers, the
body, or what went wrong in words), so that no exception of ``requests`` leaves with the token in its frames.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import ssl
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema
from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url
from urllib3.util.ssl_match_hostname import CertificateError

from hlkit.client.http import fork
from hlkit.client.http.token import Token

MOST_BYTES = 64 * 2**20  # of a body, unpacked: a page of 500 rows has about one MB
_CHUNK = 65_536
_MOST_MEMBERS = 1000  # of a gzip body; a server sends one, and each may be empty
_PROXY = (
    "look at HTTPS_PROXY and ALL_PROXY, or the system's settings: http://proxy.example.com:8080, where signs such as "
    "/ and # in a password are written %2F and %23"
)
_KEY_LOG = "look at the environment variable that names it, such as SSLKEYLOGFILE, or unset it"
_CERTIFICATES = "look at REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE: name a PEM file that can be read, or unset them"


@dataclass(frozen=True)
class Answer:
    """What came: a status, headers in lower case, a body that is whole and unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def is_surely_whole(self) -> bool:
        """Whether a cut would have been noticed: not where the body ends with the connection, and plain."""
        chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        return chunked or any(self.headers.get(name) for name in ("content-length", "content-encoding"))


@dataclass(frozen=True)
class Failure:
    """What came instead.

    ``kind`` is ``late``, ``refused`` (no connection), ``untrusted`` (TLS), ``broken``, or ``setting`` where one
    of this computer cannot be used and nothing was sent; then ``hint`` says which.
    """

    kind: str
    words: str
    hint: str = ""


_TOO_LARGE = Failure("broken", "the answer is larger than any page")


class Adapter(HTTPAdapter):
    """Sends requests over connections that can be hung up on from outside, in the midst of an answer."""

    def __init__(self) -> None:
        super().__init__()
        fork.begins_anew(self)

    def after_fork(self) -> None:
        """The connections are the parent's: open our own."""
        self.__init__()  # type: ignore[misc]

    def init_poolmanager(self, *args: Any, **given: Any) -> None:
        super().init_poolmanager(*args, **given)
        self.poolmanager.pool_classes_by_scheme = _told_of(self.poolmanager.pool_classes_by_scheme)

    def proxy_manager_for(self, *args: Any, **given: Any) -> Any:
        manager: Any = super().proxy_manager_for(*args, **given)
        manager.pool_classes_by_scheme = _told_of(manager.pool_classes_by_scheme)  # a SOCKS proxy has its own
        return manager


class _Line:
    """A connection that tells the attempt whose request it carries."""

    debuglevel = 0  # http.client prints headers where a program asks for that, and the token is one
    sock: socket.socket | None

    def connect(self) -> None:
        _HERE.attempt.line = self
        super().connect()  # type: ignore[misc]

    def request(self, *args: Any, **given: Any) -> None:
        _HERE.attempt.line = self
        super().request(*args, **given)  # type: ignore[misc]
        _HERE.attempt.sock = self.sock  # http.client forgets it where the connection closes after the answer


def _told_of(pools: Mapping[str, type]) -> dict[str, type]:
    """The classes of pools by scheme, with connections that tell their attempt."""
    return {scheme: _pool(pool) for scheme, pool in pools.items()}


@functools.cache
def _pool(pool: Any) -> type:
    connection = pool.ConnectionCls
    if issubclass(connection, _Line):
        return pool  # type: ignore[no-any-return]
    return type(pool.__name__, (pool,), {"ConnectionCls": type(connection.__name__, (_Line, connection), {})})


_HERE = threading.local()  # .attempt: the attempt that this thread makes


class _Attempt(threading.Thread):
    def __init__(self, adapter: Adapter, request: requests.PreparedRequest, token: Token, seconds: float) -> None:
        super().__init__(name="hlkit-attempt", daemon=True)
        self._adapter, self._request, self._token, self._seconds = adapter, request, token, seconds
        self.line: _Line | None = None
        self.sock: socket.socket | None = None
        self.abandoned = False
        self.outcome: Answer | Failure = _late(seconds)

    def run(self) -> None:
        _HERE.attempt = self
        request = self._request.copy()
        try:
            surroundings = _surroundings(request.url or "", self._adapter)
            if isinstance(surroundings, Failure):
                self.outcome = surroundings
                return
            self._token.sign(request.headers)
            response = self._adapter.send(
                request, stream=True, timeout=(self._seconds, self._seconds), **surroundings
            )
            with contextlib.closing(response):
                self.outcome = self._answer(response)
        except Exception as error:
            self.outcome = self._failure(error)
        finally:
            request.headers.pop("Authorization", None)

    def abandon(self) -> None:
        """Nobody waits any more: hang up, which ends the thread whatever it waits for."""
        self.abandoned = True
        sock = self.line.sock if self.sock is None and self.line is not None else self.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _answer(self, response: requests.Response) -> Answer | Failure:
        headers = {name.lower(): self._token.redact_text(text) for name, text in response.headers.items()}
        body: bytes | Failure
        try:
            body = self._body(response.raw)
        except Exception as error:
            body = self._failure(error)
        if isinstance(body, bytes):
            body = _unpacked(body, headers.get("content-encoding", ""))
        if isinstance(body, bytes):
            return Answer(response.status_code, headers, self._token.redact(body))
        if response.status_code == 429 or response.status_code >= 500:
            return Answer(response.status_code, headers, b"")  # the status says enough
        return body

    def _body(self, raw: Any) -> bytes | Failure:
        chunks, size = [], 0
        while chunk := raw.read(_CHUNK, decode_content=False):
            size += len(chunk)
            if size > MOST_BYTES or self.abandoned:
                return _TOO_LARGE
            chunks.append(chunk)
        return b"".join(chunks)

    def _failure(self, error: Exception) -> Failure:
        failure = _told(error)
        return replace(failure, words=self._token.redact_text(failure.words))


def attempt(adapter: Adapter, request: requests.PreparedRequest, token: Token, seconds: float) -> Answer | Failure:
    """Send *request* with the token, once, and wait *seconds* at most for the whole answer."""
    flight = _Attempt(adapter, request, token, seconds)
    flight.start()
    flight.join(seconds)
    if flight.is_alive():
        flight.abandon()
        return _late(seconds)
    return flight.outcome


def _late(seconds: float) -> Failure:
    return Failure("late", f"no whole answer within {seconds:.3g} s")


def _surroundings(url: str, adapter: Adapter) -> dict[str, Any] | Failure:
    """Proxies and certificates as the environment says; to this machine none, since http bares the token."""
    if urlsplit(url).scheme == "http":
        return {"proxies": {}, "verify": True}
    with requests.Session() as session:
        found = session.merge_environment_settings(url, get_environ_proxies(url), True, None, None)
    problem = _proxy_problem(select_proxy(url, found["proxies"]), adapter) or _certificates_problem(found["verify"])
    return problem or {"proxies": found["proxies"], "verify": found["verify"], "cert": found["cert"]}


def _proxy_problem(proxy: str | None, adapter: Adapter) -> Failure | None:
    """Why that proxy cannot be asked, if so. Quotes nothing of it: a password may stand in it."""
    if not proxy:
        return None
    try:
        proxy = prepend_scheme_if_needed(proxy, "http")  # type: ignore[no-untyped-call]
        host = parse_url(proxy).host or ""
        host.encode("idna")
        adapter.proxy_manager_for(proxy)
    except InvalidSchema:
        return Failure(
            "setting",
            "the proxy is a SOCKS proxy, and the package PySocks is not installed",
            hint='pip install "requests[socks]", or set another proxy (HTTPS_PROXY, ALL_PROXY)',
        )
    except Exception:  # of urllib3's classes, or what a name or a password of odd letters raises
        host = ""
    return None if host else Failure("setting", "the proxy that is set for https is no address", hint=_PROXY)


def _certificates_problem(verify: bool | str | None) -> Failure | None:
    """Why the certificates to trust cannot be read, if so; a folder of them is OpenSSL's to read."""
    if not isinstance(verify, str) or os.path.isdir(verify):
        return None
    try:
        with open(verify, "rb") as file:
            holds_some = b"-----BEGIN" in file.read()
    except (OSError, ValueError) as error:
        return _unreadable(f"{verify}: {getattr(error, 'strerror', None) or 'no such file'}")
    return None if holds_some else _unreadable(f"{verify}: no certificate is in it")


def _unreadable(reason: str) -> Failure:
    return Failure("setting", f"the certificates to trust cannot be read ({reason})", hint=_CERTIFICATES)


def _unpacked(body: bytes, encoding: str) -> bytes | Failure:
    """The body without its compression, or a failure where the stream is cut: ``requests`` does not notice."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not body:
        return body
    if encoding not in ("gzip", "x-gzip"):
        return Failure("broken", f"the answer is packed in a way that was not asked for ({encoding[:20]})")
    parts, size, position = [], 0, 0
    for _ in range(_MOST_MEMBERS):
        stream = zlib.decompressobj(wbits=31)
        while not stream.eof:
            chunk = body[position : position + _CHUNK]
            if not chunk:
                return Failure("broken", "the compressed answer was cut short")
            try:
                part = stream.decompress(chunk, MOST_BYTES - size + 1)
            except zlib.error:
                return Failure("broken", "the compressed answer is damaged")
            position += len(chunk) - len(stream.unused_data)
            size += len(part)
            if size > MOST_BYTES:
                return _TOO_LARGE
            parts.append(part)
        if position == len(body):
            return b"".join(parts)
    return Failure("broken", "the compressed answer is in too many parts")


def _told(error: Exception) -> Failure:
    """What went wrong, in words that quote no request: its address may hold a person's email."""
    inner = _innermost(error)
    words = f"{type(inner).__name__}: {inner}" if isinstance(inner, OSError) else type(inner).__name__
    if isinstance(inner, (ssl.SSLCertVerificationError, CertificateError)):
        return Failure("untrusted", words)
    if isinstance(error, requests.exceptions.Timeout) or isinstance(inner, TimeoutError):
        return Failure("late", "no answer in time")
    if isinstance(inner, ssl.SSLError) and inner.library in ("X509", "PEM"):
        return _unreadable(words)
    if isinstance(inner, OSError) and inner.filename is not None:
        return Failure("setting", f"a file that TLS is to use cannot be opened ({words})", hint=_KEY_LOG)
    if isinstance(inner, OSError) and not isinstance(error, HTTPError):  # HTTPError: urllib3's, for a body
        return Failure("refused", words)
    return Failure("broken", f"the answer was cut short, or is none ({type(inner).__name__})")


def _innermost(error: BaseException) -> BaseException:
    for deeper in (getattr(error, "reason", None), *error.args, error.__cause__, error.__context__):
        if isinstance(deeper, BaseException) and deeper is not error:
            return _innermost(deeper)
    return error
