"""A server on loopback that answers from a script, on raw sockets, so that it can send broken responses.

A reply is bytes, sent as they are, or a function of the connection and the request. The last reply of a script
answers every further request. The connection closes after a reply, unless that says keep-alive.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hlkit.client.http.body import decode
from hlkit.client.http.cache import Cache
from hlkit.client.http.request import RequestSpec
from hlkit.client.http.session import Session
from hlkit.client.http.token import Token

TOKEN = "pit-00000000-0000-0000-0000-00000000000a"
OTHER_TOKEN = "pit-00000000-0000-0000-0000-00000000000b"
LOCATION = "loc0000000000000000a"


@dataclass
class Received:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Reply = bytes | Callable[[socket.socket, Received], None]


def answer(
    body: object = b"{}",
    status: int = 200,
    *,
    headers: dict[str, str] | None = None,
    length: int | bool = True,
    zipped: bool = False,
    version: str = "1.1",
) -> bytes:
    """The bytes of a response. *length* is its Content-Length, if that is to be wrong; ``False`` leaves it out."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"Connection": "close"} | (headers or {})  # else the client may reuse it just as it closes
    if zipped:
        body, lines["Content-Encoding"] = gzip.compress(body), "gzip"
    if length is not False:
        lines["Content-Length"] = str(len(body) if length is True else length)
    head = "".join(f"{name}: {text}\r\n" for name, text in lines.items())
    return f"HTTP/{version} {status} Whatever\r\n{head}\r\n".encode() + body


def limits(most: int = 100, left: int = 99, interval_ms: int = 10_000, **more: object) -> dict[str, str]:
    """The rate-limit headers of a response."""
    values = {"Max": most, "Remaining": left, "Interval-Milliseconds": interval_ms, **more}
    return {f"X-RateLimit-{name.replace('_', '-')}": str(value) for name, value in values.items()}


def hang_up(connection: socket.socket, request: Received) -> None:
    """No response: a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def silent(seconds: float) -> Reply:
    """Accepts the request and sends nothing."""
    return lambda connection, request: time.sleep(seconds)


def slowly(response: bytes, pause: float, start: int = 0) -> Reply:
    """Sends the first *start* bytes at once, the others one by one."""

    def write(connection: socket.socket, request: Received) -> None:
        connection.sendall(response[:start])
        for index in range(start, len(response)):
            time.sleep(pause)
            connection.sendall(response[index : index + 1])

    return write


class Scripted:
    """``with Scripted(answer({"users": []})) as server: server.url``; ``server.requests`` is what arrived.

    ``by`` is a function from each request to its reply, instead of a script.
    """

    def __init__(self, *script: Reply, by: Callable[[Received], Reply] | None = None) -> None:
        self._script, self._by = list(script), by
        self.requests: list[Received] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Scripted:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # ends the pending accept
        self._listener.close()

    def then(self, *script: Reply) -> None:
        """From now on, answer from this script."""
        with self._lock:
            self._script = list(script)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
            while request := self._read(lines, number):
                with self._lock:
                    self.requests.append(request)
                    reply = self._by(request) if self._by else self._next()
                if callable(reply):
                    reply(connection, request)
                    return
                connection.sendall(reply)
                if b"keep-alive" not in reply:
                    return

    def _next(self) -> Reply:
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    @staticmethod
    def _read(lines: Any, number: int) -> Received | None:
        method, _, rest = lines.readline().decode().partition(" ")
        if not method.strip():
            return None
        headers = {}
        while line := lines.readline().decode("latin-1").strip():
            name, _, text = line.partition(":")
            headers[name.strip().lower()] = text.strip()
        length = int(headers.get("content-length", 0))
        body = lines.read(length)
        if len(body) < length:  # the client gave up meanwhile
            return None
        return Received(method, rest.rpartition(" ")[0], headers, body, number, time.monotonic())


def session_to(server: Any, *, cache: Cache | None = None, token: Token | None = None, **options: Any) -> Session:
    """A session with *server*, with its cache in memory and a short deadline."""
    token = token or Token(TOKEN)
    options = {"deadline": 3.0, "read_only_post_paths": frozenset({"/contacts/search"}), **options}
    return Session(server.url, token, cache or Cache(None, token), **options)


def cached_keys(cache: Cache) -> list[str]:
    """The keys of the cached pages, in the order in which they arrived."""
    return [
        key for (key,) in cache._file.run(lambda db: db.execute("SELECT key FROM pages ORDER BY rowid").fetchall())
    ]


def overwrite_page(cache: Cache, key: str, value: bytes) -> None:
    """Store *value* as it is, signature included."""
    cache._file.write(lambda db: db.execute("INSERT OR REPLACE INTO pages (key, value) VALUES (?, ?)", (key, value)))


def spec(path: str = "/users/", method: str = "GET", **options: Any) -> RequestSpec:
    """A request whose response is any JSON object."""
    defaults = {"method": method, "path": path, "version": "2021-07-28", "parse": decode, "resource": "users"}
    return RequestSpec(**{**defaults, **options})
