"""JSON values to one typed column: all at once if they fit, else one by one."""

from __future__ import annotations

import datetime as dt
import functools
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hlkit.client.frames import parsing
from hlkit.client.schema import YEARS, Kind

_INSTANT = pa.timestamp("us", "UTC")
_DAY = pa.timestamp("us")
_ARROW: dict[str, Any] = {
    **dict.fromkeys(("ID", "TEXT", "CHOICE"), pa.string()),
    **dict.fromkeys(("NUMBER", "MONEY", "SHARE"), pa.float64()),
    "INSTANT": _INSTANT,
    "DAY": _DAY,
    "COUNT": pa.int64(),
    "FLAG": pa.bool_(),
}
_EPOCH = dt.datetime(1970, 1, 1)
_US = dt.timedelta(microseconds=1)
_DAY_LENGTH = dt.timedelta(days=1) // _US
_YEAR_1, _YEAR_9999 = range(-62135596800, -62104060800), range(253370764800, 253402300801)  # seconds since 1970
_BEGIN, _END = ((dt.datetime(year, 1, 1) - _EPOCH) // _US for year in (YEARS[0], YEARS[1] + 1))
_MINUTE = 60_000  # ms: dates in milliseconds are whole minutes; dates in seconds almost never look like it
_MIN_EPOCH_S = 100_000_000  # a smaller number is a day in eight digits (20250301), or not a date
_LONG_NUMBER = re.compile(r"-?\d{9,}(\.\d*)?")
_NUMBER = re.compile(r"-?\d+(\.\d*)?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_DAY_AND_TIME = r"^\d{4}-\d\d-\d\d([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-][01]\d:?[0-5]\d)?)?$"
_RECORD_KEYS = {"id", "_id", "url", "email", "phone"}  # an object with one of these is one item, not a list
_EMPTY = ("", None)


def convert(wire_values: list[Any], kind: Kind, *, epoch_ms: bool = False) -> tuple[Any, int]:
    """Convert one page of a column. Returns the chunk, and how many values did not fit and are null in it.

    With *epoch_ms*, every number in a column of times is milliseconds since 1970; otherwise small ones are seconds.
    """
    if kind.name == "LIST":
        return [as_list(value) for value in wire_values], 0
    try:
        return _convert_all(wire_values, kind.name), 0
    except (TypeError, ValueError, OverflowError, NotImplementedError):
        return _convert_each(wire_values, kind.name, epoch_ms)


def _convert_all(wire_values: list[Any], kind: str) -> Any:
    """Convert the values at once. Raises if any of them does not fit."""
    if kind in ("INSTANT", "DAY"):
        texts = pa.array(wire_values, pa.string())
        if kind == "DAY" and pc.all(pc.match_substring_regex(texts, _DAY_AND_TIME)).as_py() is False:
            raise ValueError
        times = texts.cast(_INSTANT) if kind == "INSTANT" else pc.utf8_slice_codeunits(texts, 0, 10).cast(_DAY)
        for end in pc.min_max(times.cast(pa.int64())).as_py().values():
            _check_year(end)
        return times
    if kind in ("NUMBER", "MONEY", "SHARE", "COUNT"):
        rejected = (bool, float) if kind == "COUNT" else bool  # Arrow would read True as 1, and 3.5 as 3
        if any(isinstance(value, rejected) for value in wire_values):
            raise TypeError
    array = pa.array(wire_values, _ARROW[kind])
    return pc.if_else(pc.equal(array, ""), None, array) if kind in ("ID", "CHOICE") and "" in wire_values else array


def _convert_each(wire_values: list[Any], kind: str, epoch_ms: bool) -> tuple[Any, int]:
    """Convert the values one by one. Those that do not fit become null and are counted."""
    read = functools.partial(_READERS[kind], epoch_ms=True) if epoch_ms else _READERS[kind]
    converted: list[Any] = []
    misfits = 0
    for value in wire_values:
        try:
            converted.append(read(value))
        except (TypeError, ValueError, OverflowError):
            converted.append(None)
            misfits += 1
    is_time = kind in ("INSTANT", "DAY")
    return pa.array(converted, pa.int64() if is_time else _ARROW[kind]).cast(_ARROW[kind]), misfits


def join(chunks: list[Any], kind: Kind) -> Any:
    """Join the chunks of a column."""
    if kind.name == "LIST":
        return [value for chunk in chunks for value in chunk]
    return pa.chunked_array(chunks, _ARROW[kind.name])


def to_pandas(joined: Any, kind: Kind) -> Any:
    """A column with the dtype of its kind, copied where needed: Arrow's own memory is read-only."""
    if kind.name == "LIST":
        return pd.Series(joined, dtype="object")
    if isinstance(kind.dtype, np.dtype):
        return pd.Series(joined.to_numpy().astype(kind.dtype))
    return pd.Series(kind.dtype.__from_arrow__(joined), copy=kind.name == "INSTANT")


# ---- one value


def as_list(value: Any) -> list[Any]:
    """A list unchanged; an object of values (text boxes, files) as a list of them; an empty value as ``[]``."""
    if isinstance(value, list):
        return [item if not isinstance(item, str) or item.isascii() else _text(item) for item in value]
    if value in _EMPTY:
        return []
    if isinstance(value, dict) and not _RECORD_KEYS & value.keys():
        return as_list(list(value.values()))
    return [_text(value) if isinstance(value, str) else value]


def pick_member(value: Any, name: str) -> Any:
    """A list with each object replaced by its member *name*. A single object counts as a list of one."""
    if isinstance(value, dict) and name in value:
        value = [value]
    if not isinstance(value, list):
        return value
    return [item.get(name, item) if isinstance(item, dict) else item for item in value]


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()  # replaces lone surrogates
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return str(int(value) if is_whole else value)  # ids, phones, ZIP codes: 60601.0 is 60601


def _id(value: Any) -> str | None:
    return _text(value) or None


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        value = value.strip()
    if value in _EMPTY:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError
    try:
        number = float(value)
    except ValueError:
        number = parsing.amount(str(value))
    if not math.isfinite(number) or (isinstance(value, str) and "_" in value):  # only Python reads 1_000 as a number
        raise ValueError
    return number


def _count(value: Any) -> int | None:
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        value = int(value)  # through float, digits after the 15th would be lost
    number: float | None = value if type(value) is int else _number(value)
    if number is None:
        return None
    if number != int(number) or abs(number) >= 2**63:
        raise ValueError
    return int(number)


def _flag(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    text = value.strip().lower() if isinstance(value, str) else None
    if text not in ("true", "false", ""):
        raise ValueError
    return text == "true" if text else None


def _instant(value: Any, *, epoch_ms: bool = False) -> int | None:
    """Microseconds since 1970, from an ISO text (UTC if it has no zone) or from epoch seconds or milliseconds."""
    moment = _moment(value, epoch_ms)
    if isinstance(moment, dt.datetime) and moment.tzinfo is not None:
        moment = moment.astimezone(dt.UTC)
    return _microseconds(moment)


def _day(value: Any, *, epoch_ms: bool = False) -> int | None:
    """Microseconds since 1970 of the calendar day as written, ignoring its time and zone."""
    microseconds = _microseconds(_moment(value, epoch_ms))
    return None if microseconds is None else microseconds - microseconds % _DAY_LENGTH


def _moment(value: Any, epoch_ms: bool) -> dt.datetime | int | None:
    """A datetime, from text; or microseconds since 1970, from a number."""
    if type(value) is int and abs(value) < _MIN_EPOCH_S:
        value = str(value)
    if isinstance(value, str):
        value = value.strip()
        if value and not _LONG_NUMBER.fullmatch(value):
            try:
                return dt.datetime.fromisoformat(value)
            except ValueError:
                if not _NUMBER.fullmatch(value):
                    return parsing.date(value)
    number = _number(value)
    if number is None:
        return None
    if epoch_ms and number % _MINUTE == 0:
        return int(number * 1_000)
    if abs(number) < _MIN_EPOCH_S or int(number) in _YEAR_1 or int(number) in _YEAR_9999:
        raise ValueError
    # Up to 5e9 (the year 2128) it is seconds; above, milliseconds. So only two months around January 1970 misread.
    return int(number * (1_000_000 if abs(number) < 5e9 else 1_000))


def _microseconds(moment: dt.datetime | int | None) -> int | None:
    """Microseconds since 1970, of a datetime without regard to its zone."""
    if isinstance(moment, dt.datetime):
        moment = (moment.replace(tzinfo=None) - _EPOCH) // _US
    return _check_year(moment)


def _check_year(microseconds: int | None) -> int | None:
    if microseconds is not None and not _BEGIN <= microseconds < _END:
        raise ValueError
    return microseconds


_READERS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("ID", "CHOICE"), _id),
    **dict.fromkeys(("NUMBER", "MONEY", "SHARE"), _number),
    "TEXT": _text,
    "INSTANT": _instant,
    "DAY": _day,
    "COUNT": _count,
    "FLAG": _flag,
}
