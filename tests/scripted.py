"""A server on loopback that answers by a script, on raw sockets, so that it can lie.

An answer is bytes, written as they are, or a function of the connection and of what was asked. The last one
of a script answers every further request. After an answer the connection closes, unless it says keep-alive.
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
from hlkit.client.http.session import RequestSpec, Session
from hlkit.client.http.token import Token

TOKEN = "pit-00000000-0000-0000-0000-00000000000a"
OTHER_TOKEN = "pit-00000000-0000-0000-0000-00000000000b"
LOCATION = "loc0000000000000000a"


@dataclass
class Asked:
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


Answer = bytes | Callable[[socket.socket, Asked], None]


def answer(
    body: object = b"{}",
    status: int = 200,
    *,
    headers: dict[str, str] | None = None,
    length: int | bool = True,
    zipped: bool = False,
    version: str = "1.1",
) -> bytes:
    """The bytes of an answer; *length* is its Content-Length where that is to differ, or ``False`` for none."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Connection": "close"} | (headers or {})  # said, or the client may use it just as it closes
    if zipped:
        body, given["Content-Encoding"] = gzip.compress(body), "gzip"
    if length is not False:
        given["Content-Length"] = str(len(body) if length is True else length)
    head = "".join(f"{name}: {text}\r\n" for name, text in given.items())
    return f"HTTP/{version} {status} Whatever\r\n{head}\r\n".encode() + body


def limits(most: int = 100, left: int = 99, interval_ms: int = 10_000, **more: object) -> dict[str, str]:
    """The rate-limit headers of an answer."""
    told = {"Max": most, "Remaining": left, "Interval-Milliseconds": interval_ms, **more}
    return {f"X-RateLimit-{name.replace('_', '-')}": str(value) for name, value in told.items()}


def hang_up(connection: socket.socket, asked: Asked) -> None:
    """No answer: a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def silent(seconds: float) -> Answer:
    """Takes the request and says nothing."""
    return lambda connection, asked: time.sleep(seconds)


def slowly(whole: bytes, pause: float, start: int = 0) -> Answer:
    """All bytes up to *start* at once, the others one by one."""

    def write(connection: socket.socket, asked: Asked) -> None:
        connection.sendall(whole[:start])
        for place in range(start, len(whole)):
            time.sleep(pause)
            connection.sendall(whole[place : place + 1])

    return write


class Scripted:
    """``with Scripted(answer({"users": []})) as server: server.url``; ``server.asked`` is what came."""

    def __init__(self, *script: Answer, by: Callable[[Asked], Answer] | None = None) -> None:
        self._script, self._by = list(script), by
        self.asked: list[Asked] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Scripted:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # ends the accept that waits
        self._listener.close()

    def then(self, *script: Answer) -> None:
        """From now on, answer by this script."""
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
            while asked := self._read(lines, number):
                with self._lock:
                    self.asked.append(asked)
                    reply = self._by(asked) if self._by else self._next()
                if callable(reply):
                    reply(connection, asked)
                    return
                connection.sendall(reply)
                if b"keep-alive" not in reply:
                    return

    def _next(self) -> Answer:
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    @staticmethod
    def _read(lines: Any, number: int) -> Asked | None:
        method, _, rest = lines.readline().decode().partition(" ")
        if not method.strip():
            return None
        headers = {}
        while line := lines.readline().decode("latin-1").strip():
            name, _, text = line.partition(":")
            headers[name.strip().lower()] = text.strip()
        length = int(headers.get("content-length", 0))
        body = lines.read(length)
        if len(body) < length:  # who asked has given up meanwhile
            return None
        return Asked(method, rest.rpartition(" ")[0], headers, body, number, time.monotonic())


def session_to(server: Any, *, cache: Cache | None = None, token: Token | None = None, **given: Any) -> Session:
    """A session with *server*, in memory; its deadline is short."""
    token = token or Token(TOKEN)
    given = {"deadline": 3.0, "searches": frozenset({"/contacts/search"}), **given}
    return Session(server.url, token, cache or Cache(None, token), **given)


def call(path: str = "/users/", method: str = "GET", **given: Any) -> RequestSpec:
    """A question whose answer is any JSON object."""
    return RequestSpec(
        **{"method": method, "path": path, "version": "2021-07-28", "parse": decode, "resource": "users", **given}
    )
