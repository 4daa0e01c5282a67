"""The wire's values to one column of a kind: quickly where all fit, else one by one."""

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
    "ID": pa.string(),
    "TEXT": pa.string(),
    "CHOICE": pa.string(),
    "INSTANT": _INSTANT,
    "DAY": _DAY,
    "NUMBER": pa.float64(),
    "MONEY": pa.float64(),
    "SHARE": pa.float64(),
    "COUNT": pa.int64(),
    "FLAG": pa.bool_(),
}
_EPOCH = dt.datetime(1970, 1, 1)
_US = dt.timedelta(microseconds=1)
_DAY_LENGTH = dt.timedelta(days=1) // _US
_YEAR_1, _YEAR_9999 = range(-62135596800, -62104060800), range(253370764800, 253402300801)  # in seconds
_BEGIN, _END = ((dt.datetime(year, 1, 1) - _EPOCH) // _US for year in (YEARS[0], YEARS[1] + 1))
_MINUTE = 60_000  # milliseconds: dates that come in them are whole minutes, and in seconds hardly ever look so
_LEAST = 100_000_000  # of seconds since 1970: eight digits are a day (20250301), and fewer are nothing
_NUMBER = re.compile(r"-?\d+(\.\d*)?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_DAY_AND_TIME = r"^\d{4}-\d\d-\d\d([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-][01]\d:?[0-5]\d)?)?$"
_RECORD = {"id", "_id", "url", "email", "phone"}  # names that an object has as a record, and none as a list
_NOTHING = ("", None)  # an empty string is no id, no number and no date


class _MisfitError(Exception):
    """A value that does not fit its kind."""


def convert(found: list[Any], kind: Kind, *, epoch_ms: bool = False) -> tuple[Any, int]:
    """A chunk of a column, and how many values did not fit and are null in it.

    With *epoch_ms*, every number in a column of times is milliseconds since 1970; else small ones are seconds.
    """
    if kind.name == "LIST":
        return [as_list(value) for value in found], 0
    try:
        return _quickly(found, kind.name), 0
    except (
        pa.ArrowInvalid,
        pa.ArrowTypeError,
        pa.ArrowNotImplementedError,
        TypeError,
        ValueError,
        OverflowError,
    ):
        return _one_by_one(found, kind.name, epoch_ms)


def _quickly(found: list[Any], kind: str) -> Any:
    if kind == "TEXT":
        return pa.array(found, pa.string())
    if kind in ("ID", "CHOICE"):
        array = pa.array(found, pa.string())
        return pc.if_else(pc.equal(array, ""), None, array) if "" in found else array
    if kind in ("INSTANT", "DAY"):
        texts = pa.array(found, pa.string())
        if kind == "DAY" and pc.all(pc.match_substring_regex(texts, _DAY_AND_TIME)).as_py() is False:
            raise ValueError
        times = texts.cast(_INSTANT) if kind == "INSTANT" else pc.utf8_slice_codeunits(texts, 0, 10).cast(_DAY)
        if not all(end is None or _is_plausible(end) for end in pc.min_max(times.cast(pa.int64())).as_py().values()):
            raise OverflowError
        return times
    if kind == "FLAG":
        return pa.array(found, pa.bool_())
    misread = (bool, float) if kind == "COUNT" else bool  # Arrow takes True for 1, and 3.5 for 3
    if any(isinstance(value, misread) for value in found):
        raise TypeError
    return pa.array(found, _ARROW[kind])


def _one_by_one(found: list[Any], kind: str, epoch_ms: bool) -> tuple[Any, int]:
    read = functools.partial(_READERS[kind], epoch_ms=True) if epoch_ms else _READERS[kind]
    fitting: list[Any] = []
    misfits = 0
    for value in found:
        try:
            fitting.append(read(value))
        except (_MisfitError, TypeError, ValueError, OverflowError):
            fitting.append(None)
            misfits += 1
    if kind in ("INSTANT", "DAY"):
        return pa.array(fitting, pa.int64()).cast(_ARROW[kind]), misfits
    return pa.array(fitting, _ARROW[kind]), misfits


def join(chunks: list[Any], kind: Kind) -> Any:
    """The chunks of a column as one."""
    if kind.name == "LIST":
        return [value for chunk in chunks for value in chunk]
    return pa.chunked_array(chunks, _ARROW[kind.name])


def to_pandas(joined: Any, kind: Kind) -> Any:
    """One column in the dtype of its kind, which its owner may change: Arrow's own memory may not be written."""
    name = kind.name
    if name == "LIST":
        series = pd.Series([None] * len(joined), dtype="object")
        series[:] = joined
        return series
    if name in ("ID", "TEXT", "CHOICE", "COUNT", "FLAG"):
        return pd.Series(kind.dtype.__from_arrow__(joined))
    if name in ("INSTANT", "DAY"):
        stamps = joined.combine_chunks().cast(_DAY).to_numpy(zero_copy_only=False)
        series = pd.Series(stamps.astype("datetime64[us]"))
        return series.dt.tz_localize("UTC") if name == "INSTANT" else series
    return pd.Series(joined.to_numpy().astype(np.float64))


# ---- one value


def as_list(value: Any) -> list[Any]:
    """A list as it came; several values under keys (text boxes, files) as the list of them; none is ``[]``."""
    if isinstance(value, list):
        return [item if not isinstance(item, str) or item.isascii() else _text(item) for item in value]
    if value in _NOTHING:
        return []
    if isinstance(value, dict) and not _RECORD & value.keys():
        return as_list(list(value.values()))
    return [_text(value) if isinstance(value, str) else value]


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()  # a lone surrogate is no text
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _MisfitError
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return str(int(value) if is_whole else value)  # an id, a phone, a ZIP code: 60601.0 is 60601


def _id(value: Any) -> str | None:
    return _text(value) or None


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        value = value.strip()
    if value in _NOTHING:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _MisfitError
    try:
        number = float(value)
    except ValueError:
        number = parsing.amount(str(value))
    if not math.isfinite(number) or (isinstance(value, str) and "_" in value):  # 1_000 is a number to Python alone
        raise _MisfitError
    return number


def _count(value: Any) -> int | None:
    number: float | None
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        number = int(value)  # a float has 15 digits
    else:
        number = value if isinstance(value, int) and not isinstance(value, bool) else _number(value)
    if number is None:
        return None
    if number != int(number) or abs(number) >= 2**63:
        raise _MisfitError
    return int(number)


def _flag(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise _MisfitError
    text = value.strip().lower()
    if text not in ("true", "false", ""):
        raise _MisfitError
    return text == "true" if text else None


def _instant(value: Any, *, epoch_ms: bool = False) -> int | None:
    """Microseconds since 1970 of an ISO text (without a zone: UTC) or of epoch seconds or milliseconds."""
    moment = _moment(value, epoch_ms)
    if moment is not None and not isinstance(moment, int):
        if moment.tzinfo is not None:
            moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
        moment = (moment - _EPOCH) // _US
    return _plausible(moment)


def _day(value: Any, *, epoch_ms: bool = False) -> int | None:
    """Microseconds since 1970 of the calendar day that is written, whatever the zone beside it says."""
    moment = _moment(value, epoch_ms)
    if moment is not None and not isinstance(moment, int):
        moment = (moment.replace(tzinfo=None) - _EPOCH) // _US
    return None if moment is None else _plausible(moment - moment % _DAY_LENGTH)


def _moment(value: Any, epoch_ms: bool) -> dt.datetime | int | None:
    if type(value) is int and abs(value) < _LEAST and not (epoch_ms and value % _MINUTE == 0):
        value = str(value)
    if isinstance(value, str):
        value = value.strip()
        if value and (not _NUMBER.fullmatch(value) or len(value.lstrip("-")) < 9):
            try:
                return dt.datetime.fromisoformat(value)
            except ValueError:
                if not _NUMBER.fullmatch(value):
                    return parsing.date(value)
                if not epoch_ms:
                    raise
    number = _number(value)
    if number is None:
        return None
    of_no_year = int(number) in _YEAR_1 or int(number) in _YEAR_9999
    if epoch_ms and number % _MINUTE == 0:
        return int(number * 1_000)
    if epoch_ms and (of_no_year or abs(number) < _DAY_LENGTH / 1000):
        raise _MisfitError  # a stand-in in seconds, or a count
    if abs(number) < _LEAST:
        raise _MisfitError
    # Seconds up to the year 2128; beyond, milliseconds, which so are right but for two months around January 1970.
    return int(number * (1_000_000 if of_no_year or abs(number) < 5e9 else 1_000))


def _plausible(microseconds: int | None) -> int | None:
    if microseconds is not None and not _is_plausible(microseconds):
        raise _MisfitError
    return microseconds


def _is_plausible(microseconds: int) -> bool:
    return _BEGIN <= microseconds < _END


_READERS: dict[str, Callable[..., Any]] = {
    "ID": _id,
    "TEXT": _text,
    "CHOICE": _id,
    "INSTANT": _instant,
    "DAY": _day,
    "NUMBER": _number,
    "MONEY": _number,
    "SHARE": _number,
    "COUNT": _count,
    "FLAG": _flag,
}
