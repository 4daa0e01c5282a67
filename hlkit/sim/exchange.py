"""A request in the log, and the response before it is sent."""

from __future__ import annotations

import socket
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

SMALLEST_GZIP = 256


@dataclass
class Logged:
    """A request as it arrived, and how it was answered."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    at: float
    number: int = 0
    status: int = 0
    fault: str | None = None  # the name of a fault that a test injected
    rows: int = 0


@dataclass
class Reply:
    """A response before it is sent.

    *play*, if set, sends it in its own way; it is called with the socket and the event that stops the server.
    """

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    play: Callable[[socket.socket, threading.Event], None] | None = None

    @classmethod
    def of_json(cls, status: int, text: str) -> Reply:
        """A JSON response."""
        return cls(status, text.encode("utf-8", "surrogatepass"), {"content-type": "application/json; charset=utf-8"})

    def compress(self) -> None:
        """Gzip the body."""
        squeeze = zlib.compressobj(1, zlib.DEFLATED, 31)
        self.body = squeeze.compress(self.body) + squeeze.flush()
        self.headers["content-encoding"] = "gzip"

    def head(self, *, length: bool = True) -> bytes:
        """The status line and the headers, with the body's length unless *length* is False."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{k}: {v}" for k, v in self.headers.items())]
        if length and self.status != 304:
            lines.append(f"content-length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def whole(self) -> bytes:
        """The whole response as bytes."""
        return self.head() + self.body
