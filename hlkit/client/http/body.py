"""What a body holds: JSON, and in it a resource's rows. Whatever is no answer is an error here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from hlkit.client.errors import UnexpectedResponse, WrongLocation
from hlkit.client.memory import without_garbage_collection
from hlkit.client.pagination import Page, get_path
from hlkit.client.schema import Resource

MOST_OBJECTS = 500_000  # in one answer, and so many values: a page of 500 rows has a tenth of it
MOST_VALUES = 3_000_000
MOST_ROWS = 200_000  # in one answer that is all there is; of a page, ten times what was asked for
DEEPEST = 200  # levels: a row has about ten, and Python's own tools end at 1,000
MOST_LENIENT = 16 * 2**20  # bytes: reading leniently takes several copies
_TEXTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF_A_PAIR = re.compile(f"{_HIGH}(?!{_LOW})|(?<!{_HIGH}){_LOW}")


def read_page(body: bytes, resource: Resource, location_id: str) -> Page:
    """The rows and the envelope of an answer.

    Raises ``UnexpectedResponse`` where it holds none or far too many, ``WrongLocation`` where a row names another
    location.
    """
    told = decode(body)
    found = _rows(told, resource)
    most = resource.paging.most
    if len(found) > (MOST_ROWS if most is None else 10 * most):
        raise _no_page(f"the answer has {len(found):,} {resource.name}, more than any page")
    rows = [row for row in found if isinstance(row, dict)]
    for row in rows:
        if not _is_of(row, location_id):
            raise WrongLocation(
                f"the server sent {resource.name} of another location; they were not kept",
                hint="try again; if it stays so, tell HighLevel's support",
                resource=resource.name,
            )
    if resource.explode:
        found = [inner for outer in rows for inner in _inner_rows(outer, resource, resource.explode)]
        rows = [row for row in found if isinstance(row, dict)]
    last = next((place for place, row in enumerate(reversed(found)) if isinstance(row, dict)), 0)
    return Page(rows, told, len(found) - len(rows), last)


def _inner_rows(outer: dict[str, Any], resource: Resource, name: str) -> Iterator[Any]:
    """What stands inside a row: rows, each with that row as its parent, and what is no object as it is."""
    inside = outer.get(name) or []
    if not isinstance(inside, list):
        raise UnexpectedResponse(
            f"the server tells {resource.name} in a form that is not known",
            hint="look at loc.get() of the path, and tell hlkit's authors",
            resource=resource.name,
        )
    for inner in inside:
        yield {**inner, "parent": outer} if isinstance(inner, dict) else inner


def _is_of(row: dict[str, Any], location_id: str) -> bool:
    """Whether a row names this location, or none."""
    named = [
        row.get("locationId"),
        row.get("location_id"),
        row.get("altId") if row.get("altType") == "location" else None,
    ]
    return all(name in (location_id, None, "") for name in named)


def decode(body: bytes) -> dict[str, Any]:
    """The JSON object in a body.

    Raises ``UnexpectedResponse`` for a web page, an error or nothing at all, and for what no page is: objects
    by the million, which would fill the memory, or hundreds of levels, which nothing that is done with rows
    can follow.
    """
    if _is_vast(body) and _is_vast(_TEXTS.sub(b"", body)):
        raise _no_page("the answer holds more than any page of rows")
    try:
        with without_garbage_collection():
            told = msgspec.json.decode(body)
    except RecursionError:
        raise _no_page(_TOO_DEEP) from None
    except (ValueError, msgspec.MsgspecError):
        told = _leniently(body)
    if _may_be_deep(body) and not _is_shallow(told):
        raise _no_page(_TOO_DEEP)
    if isinstance(told, list):
        told = {"$": told}
    if not isinstance(told, dict):
        start = body.lstrip()[:1]
        what = "nothing" if not start else "a web page" if start == b"<" else "no JSON object"
        raise UnexpectedResponse(f"HighLevel answered with {what}", hint="try again in a minute")
    status = told.get("statusCode", told.get("status") if "message" in told or "error" in told else None)
    if isinstance(status, int) and not isinstance(status, bool) and status >= 400:
        raise UnexpectedResponse(f"HighLevel sent an error ({status}) inside a success", hint="try again in a minute")
    return told


_TOO_DEEP = f"the answer is nested deeper than {DEEPEST} levels"


def _no_page(message: str) -> UnexpectedResponse:
    return UnexpectedResponse(
        message, hint="read a part without it, by a filter, since= or until=, and tell HighLevel's support"
    )


def _is_vast(body: bytes) -> bool:
    """Whether it holds more objects or values than any page, by the signs that stand between them."""
    return body.count(b"{") + body.count(b"[") > MOST_OBJECTS or body.count(b",") > MOST_VALUES


def _may_be_deep(body: bytes) -> bool:
    """A quick look at the brackets alone, those in texts too: level by level, the innermost pairs go."""
    brackets = body.translate(_AS_SQUARE, _NO_BRACKETS)
    for _ in range(DEEPEST):
        outer = brackets.replace(b"[]", b"")
        if len(outer) == len(brackets):
            return False
        brackets = outer
    return True


_AS_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _is_shallow(value: Any) -> bool:
    """Whether lists and objects stand in each other no deeper than ``DEEPEST`` levels."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return True
    return False


def _leniently(body: bytes) -> Any:
    """JSON as some servers write it: with a byte order mark, NaN, half a surrogate pair, bytes that are no UTF-8."""
    if len(body) > MOST_LENIENT:
        return None
    try:
        return json.loads(_HALF_A_PAIR.sub(r"\\ufffd", body.decode("utf-8-sig", "replace")))
    except (ValueError, RecursionError):
        return None


def _rows(told: dict[str, Any], resource: Resource) -> list[Any]:
    """The list of rows in an answer, with whatever stands among them; at least one is an object, or there is none."""
    found = get_path(told, resource.rows)
    if resource.single:
        found = told if found is None and any(name in told for name in resource.row_ids) else found
        found = [found] if isinstance(found, dict) else None
    elif not isinstance(found, list) and resource.rows_inferred:
        found = _only_list_of_objects(told)
    if isinstance(found, list) and (not found or _has_rows(found)):
        return found
    if resource.rows in told:
        what = f"the answer has {resource.rows}, and no rows in it"
    else:
        names = ", ".join(sorted(re.sub(r"[^\w$-]", "?", name)[:30] for name in told)[:8]) or "nothing"
        what = f"the answer holds no {resource.rows} (it holds: {names})"
    raise UnexpectedResponse(what, hint="try again in a minute", resource=resource.name)


def _only_list_of_objects(told: dict[str, Any]) -> list[Any] | None:
    lists = [value for value in told.values() if isinstance(value, list) and _has_rows(value)]
    return lists[0] if len(lists) == 1 else None


def _has_rows(found: list[Any]) -> bool:
    return any(isinstance(row, dict) for row in found)
