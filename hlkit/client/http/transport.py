"""One request, sent once. It ends in time, and its response is complete or an error.

Each attempt runs in its own thread, because only that limits its total time: a socket's timeout applies to each read,
and a server that sends ten bytes a second never exceeds it. The thread returns plain values (a status, headers and
body, or a failure), so no exception of ``requests`` carries the token away in its frames.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import io
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

MAX_BODY_BYTES = 64 * 2**20  # decompressed; a page of 500 rows has about 1 MB
_CHUNK_BYTES = 65_536
_GZIP_START = b"\x1f\x8b\x08"
_MAX_GZIP_MEMBERS = 1000  # of a response body; servers send one
_PROXY_HINT = (
    "check HTTPS_PROXY and ALL_PROXY, or the system's settings: http://proxy.example.com:8080, with characters such "
    "as / and # in a password written as %2F and %23"
)
_KEY_LOG_HINT = "check the environment variable that names it, such as SSLKEYLOGFILE, or unset it"
_CERTIFICATES_HINT = "check REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE: name a readable PEM file, or unset them"


@dataclass(frozen=True)
class RawResponse:
    """An HTTP response: its status, its headers with lowercase names, and its body, complete and decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def is_known_complete(self) -> bool:
        """Whether a truncated body would have been noticed: its length is announced, or its end is marked.

        An uncompressed body without a length ends when the connection closes, wherever that is.
        """
        is_chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        return is_chunked or any(self.headers.get(name) for name in ("content-length", "content-encoding"))


@dataclass(frozen=True)
class Failure:
    """What went wrong if there is no response.

    ``kind`` is one of:

    - ``timeout``: no complete response in time
    - ``refused``: no connection
    - ``tls``: the server's certificate is not trusted
    - ``broken``: the response is truncated or malformed
    - ``setting``: a setting of this computer is not usable, and nothing was sent; ``hint`` names it
    """

    kind: str
    message: str
    hint: str = ""


_TOO_LARGE = Failure("broken", "the response is too large for a page of rows")
_THREAD = threading.local()  # .attempt: the attempt that runs in this thread


class _TrackedConnection:
    """A mixin for urllib3's connections: the attempt that uses a connection learns of it, and can close it."""

    debuglevel = 0  # http.client would print the headers, with the token, if a program raised it globally
    sock: socket.socket | None

    def connect(self) -> None:
        _THREAD.attempt.connection = self
        super().connect()  # type: ignore[misc]

    def request(self, *args: Any, **options: Any) -> None:
        _THREAD.attempt.connection = self
        super().request(*args, **options)  # type: ignore[misc]
        _THREAD.attempt.sock = self.sock  # http.client drops it if the connection closes after the response


@functools.cache
def _tracked(connection: type) -> type:
    """The class of connections of a pool, tracked."""
    if issubclass(connection, _TrackedConnection):
        return connection
    return type(connection.__name__, (_TrackedConnection, connection), {})


class Adapter(HTTPAdapter):
    """Sends requests over connections that another thread can close in the middle of a response."""

    def __init__(self) -> None:
        super().__init__()
        fork.register(self, in_child=Adapter.__init__)  # the open connections belong to the parent: start with none

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = _tracked(pool.ConnectionCls)
        return pool


class _Attempt(threading.Thread):
    """Sends a request in its own thread. ``outcome`` is valid once the thread has ended."""

    def __init__(self, adapter: Adapter, request: requests.PreparedRequest, token: Token, seconds: float) -> None:
        super().__init__(name="hlkit-attempt", daemon=True)
        self._adapter, self._request, self._token, self._seconds = adapter, request, token, seconds
        self.connection: _TrackedConnection | None = None
        self.sock: socket.socket | None = None
        self.abandoned = False
        self.outcome: RawResponse | Failure = _timeout(seconds)

    def run(self) -> None:
        _THREAD.attempt = self
        request = self._request.copy()
        try:
            settings = _environment_settings(request.url or "", self._adapter)
            if isinstance(settings, Failure):
                self.outcome = settings
                return
            self._token.sign(request.headers)
            timeouts = (self._seconds, self._seconds)  # to connect, and for each read
            response = self._adapter.send(request, stream=True, timeout=timeouts, **settings)
            with contextlib.closing(response):
                self.outcome = self._read_response(response)
        except Exception as error:
            self.outcome = self._failure(error)
        finally:
            request.headers.pop("Authorization", None)

    def abandon(self) -> None:
        """Nobody waits for the outcome any more: close the connection, which ends the thread."""
        self.abandoned = True
        sock = self.connection.sock if self.sock is None and self.connection is not None else self.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _read_response(self, response: requests.Response) -> RawResponse | Failure:
        headers = {name.lower(): self._token.redact_text(text) for name, text in response.headers.items()}
        try:
            body = self._read_body(response.raw, headers.get("content-encoding", ""))
        except Exception as error:
            body = self._failure(error)
        if isinstance(body, Failure):
            if response.status_code != 429 and response.status_code < 500:
                return body
            body = b""  # the status is enough to act on
        return RawResponse(response.status_code, headers, self._token.redact(body))

    def _read_body(self, stream: Any, encoding: str) -> bytes | Failure:
        chunks, size = [], 0
        while chunk := stream.read(_CHUNK_BYTES, decode_content=False):
            size += len(chunk)
            if size > MAX_BODY_BYTES or self.abandoned:
                return _TOO_LARGE
            chunks.append(chunk)
        return _decompress(b"".join(chunks), encoding)

    def _failure(self, error: Exception) -> Failure:
        failure = _failure_from(error)
        return replace(failure, message=self._token.redact_text(failure.message))


def send_once(
    adapter: Adapter, request: requests.PreparedRequest, token: Token, seconds: float
) -> RawResponse | Failure:
    """Send *request* with the token, once, and wait at most *seconds* for the complete response."""
    attempt = _Attempt(adapter, request, token, seconds)
    attempt.start()
    attempt.join(seconds)
    if attempt.is_alive():
        attempt.abandon()
        return _timeout(seconds)
    return attempt.outcome


def _timeout(seconds: float) -> Failure:
    return Failure("timeout", f"no complete response within {seconds:.3g} s")


# ---- proxies and certificates


def _environment_settings(url: str, adapter: Adapter) -> dict[str, Any] | Failure:
    """The proxies and certificates that the environment sets, or why they are not usable.

    Plain http goes to this computer only, and uses no proxy, which could read the token.
    """
    if urlsplit(url).scheme == "http":
        return {"proxies": {}, "verify": True}
    with requests.Session() as session:
        settings = session.merge_environment_settings(url, get_environ_proxies(url), True, None, None)
    proxy = select_proxy(url, settings["proxies"])
    problem = _proxy_problem(proxy, adapter) or _certificates_problem(settings["verify"])
    return problem or {name: settings[name] for name in ("proxies", "verify", "cert")}


def _proxy_problem(proxy: str | None, adapter: Adapter) -> Failure | None:
    """Why the proxy is not usable, if so. The message never quotes its address, which may contain a password."""
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
    except Exception:  # urllib3's own classes, and UnicodeError for a host or password with unusual characters
        host = ""
    return None if host else Failure("setting", "the proxy set for https is not a valid address", hint=_PROXY_HINT)


def _certificates_problem(verify: bool | str | None) -> Failure | None:
    """Why the trusted certificates cannot be read, if so. A folder is left to OpenSSL."""
    if not isinstance(verify, str) or os.path.isdir(verify):
        return None
    try:
        with open(verify, "rb") as file:
            has_certificate = b"-----BEGIN" in file.read()
    except (OSError, ValueError) as error:
        return _unreadable_certificates(f"{verify}: {getattr(error, 'strerror', None) or 'no such file'}")
    return None if has_certificate else _unreadable_certificates(f"{verify}: it contains no certificate")


def _unreadable_certificates(reason: str) -> Failure:
    return Failure("setting", f"the trusted certificates cannot be read ({reason})", hint=_CERTIFICATES_HINT)


# ---- bodies and errors


def _decompress(body: bytes, encoding: str) -> bytes | Failure:
    """The decompressed body, or a failure if it is truncated, which ``requests`` does not notice."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not body:
        return body
    if encoding not in ("gzip", "x-gzip"):
        return Failure("broken", f"the response has a compression that was not requested ({encoding[:20]})")
    if body.count(_GZIP_START) > _MAX_GZIP_MEMBERS:
        return Failure("broken", "the compressed response has too many parts")
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            decompressed = file.read(MAX_BODY_BYTES + 1)
    except EOFError:
        return Failure("broken", "the compressed response is truncated")
    except (OSError, zlib.error):
        return Failure("broken", "the compressed response is damaged")
    return _TOO_LARGE if len(decompressed) > MAX_BODY_BYTES else decompressed


def _failure_from(error: Exception) -> Failure:
    """What went wrong. The message never quotes the request: its address may contain a person's email."""
    inner = _innermost(error)
    message = f"{type(inner).__name__}: {inner}" if isinstance(inner, OSError) else type(inner).__name__
    if isinstance(inner, (ssl.SSLCertVerificationError, CertificateError)):
        return Failure("tls", message)
    if isinstance(error, requests.exceptions.Timeout) or isinstance(inner, TimeoutError):
        return Failure("timeout", "no response in time")
    if isinstance(inner, ssl.SSLError) and inner.library in ("X509", "PEM"):
        return _unreadable_certificates(message)
    if isinstance(inner, OSError) and inner.filename is not None:
        return Failure("setting", f"a file for TLS cannot be opened ({message})", hint=_KEY_LOG_HINT)
    if isinstance(inner, OSError) and not isinstance(error, HTTPError):  # urllib3's HTTPError: while reading a body
        return Failure("refused", message)
    return Failure("broken", f"the response is truncated or malformed ({type(inner).__name__})")


def _innermost(error: BaseException) -> BaseException:
    """The original error, below those of ``requests`` and ``urllib3`` that wrap it."""
    for wrapped in (getattr(error, "reason", None), *error.args, error.__cause__, error.__context__):
        if isinstance(wrapped, BaseException) and wrapped is not error:
            return _innermost(wrapped)
    return error
