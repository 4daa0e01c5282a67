"""An endpoint: its path, the scope it requires, its request and its answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hlkit.sim.clock import Array
from hlkit.sim.data import Data
from hlkit.sim.refusal import Refusal, unprocessable
from hlkit.sim.table import ENCODER

LIST_MOST = 100  # no list by offset or page accepts more


@dataclass
class Request:
    """A request, as the endpoints get it."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any = None


@dataclass
class Answer:
    """A successful answer: its status, its JSON without the rows, and the rows, as objects or as JSON text."""

    envelope: dict[str, Any]
    rows_key: str | None = None
    rows: list[Any] = field(default_factory=list)
    status: int = 200
    resource: str | None = None
    numbers: Array = field(default_factory=lambda: np.empty(0, np.int64))

    def text(self, **more: Any) -> str:
        """The JSON, with *more* in the envelope."""
        envelope = ENCODER.encode(self.envelope | more)
        if self.rows_key is None:
            return envelope
        rows = ",".join(row if isinstance(row, str) else ENCODER.encode(row) for row in self.rows)
        rest = f",{envelope[1:]}" if len(envelope) > 2 else "}"
        return f'{{"{self.rows_key}":[{rows}]{rest}'


@dataclass(frozen=True)
class Route:
    """An endpoint: method, path, scope, where the request has the location's id, and the function that answers."""

    method: str
    path: str
    scope: str
    location_in: str  # body, query, path, alt (altId and altType), or none
    handler: Callable[[Data, Request], Answer]
    until_v3: bool = False

    def fits(self, method: str, path: str, flags: int = 0) -> re.Match[str] | None:
        """The match of a request's path, or None; *flags* may ignore case."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path)
        return re.fullmatch(pattern, path, flags) if method == self.method else None


def whole(value: object, name: str, least: int = 0) -> int:
    """A whole number, which may be text."""
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise unprocessable(f"{name} must be a number conforming to the specified constraints")
    if value < least:
        raise unprocessable(f"{name} must not be less than {least}")
    return int(value)


def page_size(value: object, name: str = "limit", most: int = LIST_MOST) -> int:
    """A number of rows; above the endpoint's maximum it is an error."""
    size = whole(value, name, least=1)
    if size > most:
        raise Refusal(400, f"{name} must not be greater than {most}", "Bad Request")
    return size
