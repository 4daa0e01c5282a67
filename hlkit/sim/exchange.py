"""A request in the log, and the reply that goes over the wire."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hlkit.sim.server import Connection

SMALLEST_GZIP = 256


@dataclass
class Logged:
    """A request as it arrived, and what became of it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    at: float
    number: int = 0
    status: int = 0
    fault: str | None = None
    rows: int = 0


@dataclass
class Reply:
    """An answer before it is written; *play*, if set, writes it in its own way."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    play: Callable[[Connection, Reply], None] | None = None

    @classmethod
    def of_json(cls, status: int, text: str) -> Reply:
        """A JSON answer."""
        return cls(status, text.encode("utf-8", "surrogatepass"), {"content-type": "application/json; charset=utf-8"})

    @classmethod
    def of_html(cls, status: int, page: str) -> Reply:
        """A page of the proxy in front."""
        return cls(status, page.encode(), {"content-type": "text/html; charset=UTF-8"})

    def compress(self) -> None:
        """Gzip the body."""
        squeeze = zlib.compressobj(1, zlib.DEFLATED, 31)
        self.body = squeeze.compress(self.body) + squeeze.flush()
        self.headers["content-encoding"] = "gzip"

    def head(self, *, length: bool = True) -> bytes:
        """The status line and the headers, with the body's length unless told otherwise."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{k}: {v}" for k, v in self.headers.items())]
        if length and self.status != 304:
            lines.append(f"content-length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def whole(self) -> bytes:
        """All bytes of an honest answer."""
        return self.head() + self.body
