"""Faults of a response's content: ambiguous JSON, fields that drift, pages with few rows."""

from __future__ import annotations

import base64
import json
from typing import Any

from faultkit.fault import Moment, also, fault, rows_of
from hlkit.sim.clock import parse

ODD_BYTES = {
    "bom": b"\xef\xbb\xbf{",
    "nan": b'{"ratio":NaN,',
    "duplicate_key": b'{"traceId":"first",',
    "latin1": b'{"note":"caf\xe9",',
    "surrogate": b'{"note":"\\ud83d",',
}
ODD_ROWS = ("nan_in_row", "null_row", "rows_as_object", "number_as_text", "epoch_as_text")
EPOCH_NAMES = ("dateAdded", "dateUpdated", "lastMessageDate", "createdAt", "updatedAt")


@fault(
    12,
    "odd_json",
    "http",
    "JSON that parsers read in different ways, or not at all",
    (*ODD_BYTES, *ODD_ROWS),
    "reply",
)
def odd_json(moment: Moment) -> bool:
    """A byte order mark; NaN; a key twice; bytes that are no UTF-8; half a surrogate pair."""
    reply = moment.built_reply()
    if moment.variant not in ODD_BYTES or reply.status >= 300 or not reply.body.startswith(b"{"):
        return False
    reply.body = ODD_BYTES[moment.variant] + reply.body[1:]
    return True


@also("odd_json", "payload")
def odd_rows(moment: Moment) -> bool:
    """NaN in a row; null among the rows; an object of rows by id; numbers, or instants, that come as text."""
    assert moment.answer is not None
    key, variant = moment.answer.rows_key, moment.variant
    if variant not in ODD_ROWS or key is None or not moment.answer.rows:
        return False
    rows = rows_of(moment.answer)
    if variant == "nan_in_row":
        rows[0]["ratio"] = float("nan")
    elif variant == "null_row":
        rows.insert(len(rows) // 2, None)
    elif variant == "number_as_text":
        rows = [{name: _as_text(value) for name, value in row.items()} for row in rows]
    elif variant == "epoch_as_text":
        rows = [{name: _as_epoch(name, value) for name, value in row.items()} for row in rows]
    else:
        by_id = {row.get("id") or row["_id"]: row for row in rows}
        moment.answer.envelope = {key: by_id, **moment.answer.envelope}
        moment.answer.rows_key, rows = None, []
    moment.answer.rows = rows
    return True


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _as_epoch(name: str, value: Any) -> Any:
    """An instant as milliseconds in a text, whatever it was before."""
    if name not in EPOCH_NAMES or value is None:
        return value
    return str(parse(value))


@fault(17, "empty_middle", "paging", "a page with no or few rows whose cursor goes on", ("empty", "few"), "payload")
def empty_middle(moment: Moment) -> bool:
    """No rows and a new cursor for the same place, or three rows and the cursor after them; only where the
    cursor is in the envelope."""
    assert moment.answer is not None
    cursor = moment.logged.query.get("cursor")
    if not cursor or not moment.answer.envelope.get("nextCursor"):
        return False
    if moment.variant == "empty":
        next_cursor = json.loads(base64.urlsafe_b64decode(cursor)) | {"turn": moment.logged.number}
        moment.answer.rows = []
    else:
        table, last = moment.sim.data.table("messages"), moment.answer.numbers[2:3]
        by = moment.logged.query.get("sortBy", "createdAt")
        next_cursor = {"lastSort": table.values(by, last), "lastId": table.texts(last)[0]}
        moment.answer.rows = moment.answer.rows[:3]
    moment.answer.envelope["nextCursor"] = base64.urlsafe_b64encode(json.dumps(next_cursor).encode()).decode()
    return True


@fault(
    22,
    "drift",
    "paging",
    "rows change their fields",
    ("gone", "new", "retyped", "renamed"),
    "payload",
)
def drift(moment: Moment) -> bool:
    """On the option ``field``, or "source", or the first field that is neither id nor cursor. ``after=1`` makes
    it drift between two pages of a walk, a larger one between two runs."""
    assert moment.answer is not None
    if moment.answer.rows_key is None or not moment.answer.rows:
        return False
    rows = rows_of(moment.answer)
    name = str(moment.options.get("field") or _first_field(rows[0]))
    for row in rows:
        if moment.variant == "new":
            row["leadScoreBeta"] = {"value": 7, "model": "b2"}
        elif moment.variant == "gone":
            row.pop(name, None)
        elif moment.variant == "renamed" and name in row:
            row[f"{name}V2"] = row.pop(name)
        elif moment.variant == "retyped" and name in row:
            row[name] = _retyped(row[name])
    moment.answer.rows = rows
    return True


def _first_field(row: dict[str, Any]) -> str:
    fixed = ("id", "_id", "locationId", "altId", "altType", "sort", "searchAfter", "contactId", "contactIds")
    return "source" if "source" in row else next(name for name in row if name not in fixed)


def _retyped(value: Any) -> Any:
    """Of another type, and no less of a value."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value} units"
    return {"value": value}
