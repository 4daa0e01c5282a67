"""Dates and date ranges as people write them: one grammar for Python, the command line and the explorer.

==============================================  ==========================================================
``"2025"``, ``"2025-07"``, ``"2025-07-01"``     a year, a month, a day; ``"20250701"`` and ``"2025-Q3"`` too
``"2025-07-01 15:00"``                          a time, with a UTC offset (``Z``, ``+02:00``) or without
``"today"``, ``"yesterday"``                    a day
``"this week"``, ``"last month"``               the calendar week (from Monday), month, quarter or year
``"30d"``, ``"12w"``, ``"6 months"``            the last 30 whole days (12 weeks, 6 months) up to yesterday;
                                                ``"last 30 days"`` is the same
a number                                        a year (2025), a day (20250701), epoch seconds (1e8 to 1e10)
                                                or epoch milliseconds (1e11 to 1e13); also as text
date, datetime, Timestamp, datetime64, Period   as in Python and pandas
==============================================  ==========================================================

As ``since`` or ``until``, a range means its start; as ``period``, both ends. A time without an offset is in the
location's time zone, and so is today. Any other value raises ``InvalidRequest``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import pandas as pd

from hlkit.client.arguments import number, short
from hlkit.client.errors import InvalidRequest
from hlkit.client.text import did_you_mean

Zone = Callable[[], dt.tzinfo]
Today = Callable[[], dt.date]

GRAMMAR = (
    'write it like "2025-07-01", "2025-07-01 15:00", "2025-07" or "2025", or "today", "yesterday", "this week", '
    '"last month" (week, month, quarter, year), "30d", "12w", "6 months"'
)
DATES = (
    "A date (2025-07-01), a Timestamp, epoch seconds or milliseconds, or the start of a range: 2025, 2025-07, today, "
    "yesterday, this week, last month (week, month, quarter, year), 30d, 12w, 6 months. In the location's time zone, "
    "unless the value has its own."
)
PERIOD = (
    "Both ends at once: 2025, 2025-07, yesterday, last month and so on; 30d is the last 30 whole days, up to "
    "yesterday."
)
NUMBERS = "a number is a year (2025), a day (20250701), epoch seconds (1e8 to 1e10) or milliseconds (1e11 to 1e13)"
_CALENDAR = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q-DEC", "year": "Y-DEC"}
_NAMED = {"today": ("this", "day"), "yesterday": ("last", "day")} | {
    f"{position} {unit}": (position, unit)
    for position in ("this", "last")
    for unit in ("week", "month", "quarter", "year")
}
_LAST_N = re.compile(r"(?:last |past )?([0-9]{1,4}) ?(d|days?|w|weeks?|months?|years?)")
_UNITS = {"d": "days", "w": "weeks", "m": "months", "y": "years"}
_DAYS = re.compile(r"[0-9]{4}(-[0-9]{1,2}){0,2}|[0-9]{8}")
_QUARTER = re.compile(r"([0-9]{4})-?q([1-4])", re.IGNORECASE)
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[t ][0-9]{1,2}(:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?)?"
    r"( ?(z|utc|gmt|[+-][0-9]{2}(:?[0-9]{2})?))?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[0-9]+([.][0-9]+)?")
_EPOCHS = ((1e8, 1e10, 1000), (1e11, 1e13, 1))  # from (inclusive), to (exclusive), milliseconds per unit
_MIN_YEAR, _MAX_YEAR = 1000, 9998  # one day before or after is still a valid date


def instant(name: str, value: Any, zone: Zone, today: Today | None = None) -> pd.Timestamp | None:
    """A date, or the start of a range, in UTC; ``None`` for ``None``.

    *zone* and *today* are called only if the value depends on them. Raises ``InvalidRequest``.
    """
    if value is None:
        return None
    moment = _time(name, value)
    return _in_utc(_span(name, value, zone, today)[0] if moment is None else moment, zone)


def period(name: str, value: Any, zone: Zone, today: Today | None = None) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Start (inclusive) and end (exclusive) of a range, in UTC. Raises ``InvalidRequest``."""
    if _time(name, value) is not None:
        raise InvalidRequest(
            f"{name}={short(value)} is a time, not a range of days",
            hint='use since and until, or a range such as "30d"',
        )
    start, end = _span(name, value, zone, today)
    return _in_utc(start, zone), _in_utc(end, zone)


def check(options: Mapping[str, Any]) -> None:
    """Check ``since``, ``until`` and ``period`` in *options*, without a request. Raises ``InvalidRequest``."""
    if options.get("period") is not None and (options.get("since") is not None or options.get("until") is not None):
        raise InvalidRequest(
            "period cannot be combined with since or until", hint="use period alone, or since and until"
        )
    for name, read in (("since", instant), ("until", instant), ("period", period)):
        if options.get(name) is not None:
            read(name, options[name], lambda: dt.UTC, lambda: dt.date(2000, 1, 1))


def bounds(options: Mapping[str, Any], zone: Zone, today: Today) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """Start and end, in UTC, from ``since``, ``until`` or ``period`` in *options*. Raises ``InvalidRequest``."""
    check(options)
    if options.get("period") is not None:
        return period("period", options["period"], zone, today)
    since, until = (instant(name, options.get(name), zone, today) for name in ("since", "until"))
    if since is not None and until is not None and since > until:
        raise InvalidRequest(
            f"since={short(options['since'])} is after until={short(options['until'])}",
            hint="use the earlier date as since",
        )
    return since, until


def days(text: str, today: dt.date) -> tuple[dt.date, dt.date]:
    """The first day of a range such as ``"last month"``, and the day after its last. Raises ``InvalidRequest``."""
    start, end = _span("period", text, lambda: dt.UTC, lambda: today)
    return start.date(), end.date()


def as_text(moment: pd.Timestamp, zone: dt.tzinfo) -> str:
    """A moment in *zone* as text: ``2025-07-01``, with the time unless it is midnight."""
    local = moment.tz_convert(zone)
    return f"{local:%Y-%m-%d}" if local == local.normalize() else local.isoformat(sep=" ")


def from_epochs(numbers: pd.Series) -> pd.Series:
    """A column of epoch seconds or milliseconds as instants in UTC. Raises ``ValueError`` for other numbers."""
    present = numbers.dropna().astype("float64")
    for minimum, end, unit_ms in _EPOCHS:
        if present.between(minimum, end, inclusive="left").all():
            milliseconds = (numbers.astype("Float64") * unit_ms).round().astype("Int64")
            return pd.to_datetime(milliseconds, unit="ms", utc=True)
    raise ValueError("the numbers are neither epoch seconds nor milliseconds")


# ---- parsing


def _text(value: Any) -> str | None:
    """The text of a str or a number, with whitespace normalized; ``None`` for other types."""
    if isinstance(value, str):
        text = " ".join(value.split())
        return re.sub(r"[.]0+$", "", text) if _NUMBER.fullmatch(text) else text
    found = number(value)
    if found is None:
        return None
    return f"{found:.0f}" if found.is_integer() else repr(found)


def _time(name: str, value: Any) -> pd.Timestamp | None:
    """A value that has a time of day; ``None`` if it may be a range of days."""
    text = _text(value)
    if text is None:
        is_time = isinstance(value, (dt.datetime, np.datetime64))
        return _checked(name, value, lambda: pd.Timestamp(value)) if is_time else None
    if _TIME.fullmatch(text):
        return _checked(name, value, lambda: pd.Timestamp(text.upper()))
    if not _NUMBER.fullmatch(text) or _calendar_range(text) is not None:
        return None
    for minimum, end, unit_ms in _EPOCHS:
        if minimum <= float(text) < end:
            return pd.Timestamp(round(float(text) * unit_ms), unit="ms", tz="UTC")
    raise _not_a_date(name, value)


def _span(name: str, value: Any, zone: Zone, today: Today | None) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Start and end of a range of days, without a time zone."""
    text = value.isoformat() if isinstance(value, dt.date) else _text(value)
    if isinstance(value, pd.Period):
        return _checked(name, value, lambda: value.start_time), _checked(name, value, lambda: (value + 1).start_time)
    if text is None:
        raise _not_a_date(name, value)
    if (calendar_range := _calendar_range(text)) is not None:
        day, length = calendar_range
        start = _checked(name, value, lambda: pd.Timestamp(dt.date(*day)))
        return start, start + pd.DateOffset(**length)
    phrase = re.sub(r"[\s_-]+", " ", text.casefold())
    get_today = today or (lambda: dt.datetime.now(zone()).date())
    if phrase in _NAMED:
        position, unit = _NAMED[phrase]
        calendar_period = pd.Period(get_today(), _CALENDAR[unit]) - int(position == "last")
        return calendar_period.start_time, (calendar_period + 1).start_time
    if (last_n := _LAST_N.fullmatch(phrase)) and int(last_n[1]):
        end, length = pd.Timestamp(get_today()), cast("dict[str, Any]", {_UNITS[last_n[2][0]]: int(last_n[1])})
        return _checked(name, value, lambda: end - pd.DateOffset(**length)), end
    raise _not_a_date(name, value, did_you_mean(phrase, _NAMED, '"{}"', cutoff=0.75))


def _calendar_range(text: str) -> tuple[tuple[int, int, int], dict[str, Any]] | None:
    """The first day (year, month, day) and the length of a year, a quarter, a month or a day."""
    if match := _QUARTER.fullmatch(text):
        return (int(match[1]), 3 * int(match[2]) - 2, 1), {"months": 3}
    if not _DAYS.fullmatch(text):
        return None
    parts = text.split("-") if "-" in text else [text[:4], text[4:6], text[6:]][: 3 if len(text) == 8 else 1]
    year, month, day = (int(part) for part in [*parts, "1", "1"][:3])
    return (year, month, day), {("years", "months", "days")[len(parts) - 1]: 1}


def _checked(name: str, value: Any, parse: Callable[[], Any]) -> pd.Timestamp:
    """The result of *parse*. Raises ``InvalidRequest`` if it is not a date, or not in a plausible year."""
    try:
        moment: pd.Timestamp = parse()
        is_invalid = bool(pd.isna(moment)) or not _MIN_YEAR <= moment.year <= _MAX_YEAR
    except (ValueError, TypeError, OverflowError, ArithmeticError):
        is_invalid = True
    if is_invalid:
        raise _not_a_date(name, value)
    return moment


def _in_utc(moment: pd.Timestamp, zone: Zone) -> pd.Timestamp:
    """Convert a local time to UTC. A repeated hour means the first one, a skipped hour the end of the gap."""
    moment = moment.as_unit("us")
    if moment.tzinfo is None:
        moment = moment.tz_localize(zone(), ambiguous=True, nonexistent="shift_forward")
    return moment.tz_convert("UTC")


def _not_a_date(name: str, value: Any, suggestion: str = "") -> InvalidRequest:
    hint = f"{suggestion} Otherwise {GRAMMAR}" if suggestion else GRAMMAR
    if _NUMBER.fullmatch(_text(value) or ""):
        hint = NUMBERS
    return InvalidRequest(f"{name}={short(value)} is not a date or time", hint=hint)
