"""Reads a response's body: its JSON, and a resource's rows in it. Anything else is an error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from hlkit.client.errors import UnexpectedResponse, WrongLocation
from hlkit.client.memory import without_garbage_collection
from hlkit.client.schema import Resource
from hlkit.client.seen_rows import ROW_IDS, Page, get_path

MAX_OBJECTS = 500_000  # objects and lists in one response; a page of 500 rows has a tenth of that
MAX_VALUES = 3_000_000
MAX_ROWS = 200_000  # in the response of a resource without pages; elsewhere ten times the page size
MAX_DEPTH = 200  # levels; a row has about ten, and Python's own tools fail at 1,000
MAX_LENIENT_BYTES = 16 * 2**20  # lenient parsing needs several copies of the body
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_LONE_SURROGATE = re.compile(f"{_HIGH}(?!{_LOW})|(?<!{_HIGH}){_LOW}")
_TO_SQUARE_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def read_page(body: bytes, resource: Resource, location_id: str) -> Page:
    """The rows of a response, and the JSON around them.

    Raises ``UnexpectedResponse`` if there are no rows or far too many, and ``WrongLocation`` if a row belongs to
    another location.
    """
    payload = decode(body)
    entries = _entries(payload, resource)
    page_size = resource.paging.most
    if len(entries) > (MAX_ROWS if page_size is None else 10 * page_size):
        raise _too_much(f"the response has {len(entries):,} {resource.name}, more than any page")
    rows = [entry for entry in entries if isinstance(entry, dict)]
    for row in rows:
        if not _belongs_to(row, location_id):
            raise WrongLocation(
                f"the server sent {resource.name} of another location; they were discarded",
                hint="try again; if this continues, tell HighLevel's support",
                resource=resource.name,
            )
    if resource.explode:
        entries = [inner for row in rows for inner in _inner_entries(row, resource, resource.explode)]
        rows = [entry for entry in entries if isinstance(entry, dict)]
    trailing = next((index for index, entry in enumerate(reversed(entries)) if isinstance(entry, dict)), 0)
    return Page(rows, payload, len(entries) - len(rows), trailing)


def _inner_entries(row: dict[str, Any], resource: Resource, name: str) -> Iterator[Any]:
    """The entries of a list inside a row. Each object gets that row as its ``parent``."""
    entries = row.get(name) or []
    if not isinstance(entries, list):
        raise UnexpectedResponse(
            f"the server sent {resource.name} in an unknown format",
            hint="compare loc.get() of the same path, and tell hlkit's authors",
            resource=resource.name,
        )
    for entry in entries:
        yield {**entry, "parent": row} if isinstance(entry, dict) else entry


def _belongs_to(row: dict[str, Any], location_id: str) -> bool:
    """Whether a row names this location, or none."""
    alt_id = row.get("altId") if row.get("altType") == "location" else None
    named = (row.get("locationId"), row.get("location_id"), alt_id)
    return all(name in (location_id, None, "") for name in named)


def decode(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. A list is returned as ``{"$": list}``.

    Raises ``UnexpectedResponse`` for a web page, an error or an empty body, and for JSON that no page of rows is:
    millions of objects, which would fill the memory, or hundreds of levels, which Python's own tools cannot handle.
    """
    if _is_huge(body) and _is_huge(_STRINGS.sub(b"", body)):
        raise _too_much("the response has more data than any page of rows")
    if _is_deep(body) and _is_deep(_STRINGS.sub(b"", body)):
        raise _too_much(f"the response is nested deeper than {MAX_DEPTH} levels")
    try:
        with without_garbage_collection():
            payload = msgspec.json.decode(body)
    except (ValueError, RecursionError, msgspec.MsgspecError):  # RecursionError: brackets that are never closed
        payload = _decode_leniently(body)
    if isinstance(payload, list):
        payload = {"$": payload}
    if not isinstance(payload, dict):
        first = body.lstrip()[:1]
        what = (
            "an empty body" if not first else "a web page" if first == b"<" else "something other than a JSON object"
        )
        raise UnexpectedResponse(f"HighLevel responded with {what}", hint="try again in a minute")
    has_message = "message" in payload or "error" in payload
    status = payload.get("statusCode", payload.get("status") if has_message else None)
    if isinstance(status, int) and not isinstance(status, bool) and status >= 400:
        message = f"HighLevel sent an error ({status}) in a response with a status of success"
        raise UnexpectedResponse(message, hint="try again in a minute")
    return payload


def _too_much(message: str) -> UnexpectedResponse:
    return UnexpectedResponse(
        message, hint="leave that part out with a filter, since= or until=, and tell HighLevel's support"
    )


def _is_huge(body: bytes) -> bool:
    """Whether there are more objects or values than in any page, counting the characters that separate them."""
    return body.count(b"{") + body.count(b"[") > MAX_OBJECTS or body.count(b",") > MAX_VALUES


def _is_deep(body: bytes) -> bool:
    """Whether brackets are nested deeper than ``MAX_DEPTH``: removes the innermost pairs, level by level."""
    brackets = body.translate(_TO_SQUARE_BRACKETS, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        outer = brackets.replace(b"[]", b"")
        if len(outer) == len(brackets):
            return False
        brackets = outer
    return b"[]" in brackets


def _decode_leniently(body: bytes) -> Any:
    """JSON as some servers write it: with a byte order mark, NaN, a lone surrogate, or bytes that are not UTF-8."""
    if len(body) > MAX_LENIENT_BYTES:
        return None
    try:
        return json.loads(_LONE_SURROGATE.sub(r"\\ufffd", body.decode("utf-8-sig", "replace")))
    except (ValueError, RecursionError):
        return None


def _entries(payload: dict[str, Any], resource: Resource) -> list[Any]:
    """The list that holds the rows. It is empty or has at least one object, and may have entries of other types.

    Raises ``UnexpectedResponse`` if there is no such list.
    """
    entries = get_path(payload, resource.rows)
    if resource.single:
        is_bare_row = entries is None and any(name in payload for name in ROW_IDS)
        row = payload if is_bare_row else entries
        entries = [row] if isinstance(row, dict) else None
    if isinstance(entries, list) and (not entries or any(isinstance(entry, dict) for entry in entries)):
        return entries
    if resource.rows in payload:
        message = f"the response has {resource.rows}, but no rows in it"
    else:
        names = ", ".join(sorted(re.sub(r"[^\w$-]", "?", name)[:30] for name in payload)[:8]) or "nothing"
        message = f"the response has no {resource.rows} (it has: {names})"
    raise UnexpectedResponse(message, hint="try again in a minute", resource=resource.name)
