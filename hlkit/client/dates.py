"""Dates and spans as people write them: one grammar for Python, the command line and the explorer.

==============================================  ==========================================================
``"2025"``, ``"2025-07"``, ``"2025-07-01"``     a year, a month, a day; ``"20250701"`` and ``"2025-Q3"`` too
``"2025-07-01 15:00"``                          a moment, with a zone (``Z``, ``+02:00``) or without
``"today"``, ``"yesterday"``                    a day
``"this week"``, ``"last month"``               the calendar week (from Monday), month, quarter or year
``"30d"``, ``"12w"``, ``"6 months"``            so many whole days, weeks, months or years up to yesterday;
                                                ``"last 30 days"`` is the same
a number                                        a year (2025), a day (20250701), epoch seconds (1e8 to 1e10)
                                                or epoch milliseconds (1e11 to 1e13); also as text
date, datetime, Timestamp, datetime64, Period   what they say
==============================================  ==========================================================

As ``since`` and ``until`` each is the start of its span; as ``period`` it is both ends. What has no zone is
read in the location's, and today is the location's too. Anything else is an ``InvalidRequest``.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from numbers import Real
from types import NoneType
from typing import Any, cast

import numpy as np
import pandas as pd

from hlkit.client.errors import InvalidRequest

Zone = Callable[[], dt.tzinfo]
Today = Callable[[], dt.date]

GRAMMAR = (
    'write it like "2025-07-01", "2025-07-01 15:00", "2025-07" or "2025", or "today", "yesterday", "this week", '
    '"last month" (week, month, quarter, year), "30d", "12w", "6 months"'
)
DATES = (
    "A date (2025-07-01), a Timestamp, epoch seconds or milliseconds, or the start of a span: 2025, 2025-07, today, "
    "yesterday, this week, last month (week, month, quarter, year), 30d, 12w, 6 months. What names no zone is in the "
    "location's."
)
PERIOD = (
    "Both ends at once: 2025, 2025-07, yesterday, last month and the like; 30d is the last 30 whole days, up to "
    "yesterday."
)
NUMBERS = "a number is a year (2025), a day (20250701), epoch seconds (1e8 to 1e10) or milliseconds (1e11 to 1e13)"
_CALENDAR = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q-DEC", "year": "Y-DEC"}
_NAMED = {"today": ("this", "day"), "yesterday": ("last", "day")} | {
    f"{which} {unit}": (which, unit) for which in ("this", "last") for unit in ("week", "month", "quarter", "year")
}
_BACK = re.compile(r"(?:last |past )?([0-9]{1,4}) ?(d|days?|w|weeks?|months?|years?)")
_UNITS = {"d": "days", "w": "weeks", "m": "months", "y": "years"}
_DAYS = re.compile(r"[0-9]{4}(-[0-9]{1,2}){0,2}|[0-9]{8}")
_QUARTER = re.compile(r"([0-9]{4})-?q([1-4])", re.IGNORECASE)
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[t ][0-9]{1,2}(:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?)?"
    r"( ?(z|utc|gmt|[+-][0-9]{2}(:?[0-9]{2})?))?",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[0-9]+([.][0-9]+)?")
_EPOCHS = ((1e8, 1e10, 1000), (1e11, 1e13, 1))  # from, up to, milliseconds in one
_PLAIN = (Real, Decimal, dt.date, dt.timedelta, np.generic, pd.Period, NoneType)
_FIRST, _LAST = 1000, 9998  # years: a day before or after them is a date still


def instant(name: str, given: Any, zone: Zone, today: Today | None = None) -> pd.Timestamp | None:
    """The moment of a date, or at which its span starts, in UTC; ``None`` for ``None``.

    *zone* and *today* are asked only where they matter. Raises ``InvalidRequest``.
    """
    if given is None:
        return None
    moment = _moment(name, given)
    return _in_utc(_span(name, given, zone, today)[0] if moment is None else moment, zone)


def period(name: str, given: Any, zone: Zone, today: Today | None = None) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Both ends of a span, in UTC: from the first up to, without, the second. Raises ``InvalidRequest``."""
    if _moment(name, given) is not None:
        raise InvalidRequest(
            f"{name}={short(given)} is a moment, not a span", hint='give since and until, or a span such as "30d"'
        )
    first, end = _span(name, given, zone, today)
    return _in_utc(first, zone), _in_utc(end, zone)


def check(given: Mapping[str, Any]) -> None:
    """Refuse ``since``, ``until`` and ``period`` in *given* where they are no dates, or too many. Asks nobody."""
    if given.get("period") is not None and (given.get("since") is not None or given.get("until") is not None):
        raise InvalidRequest(
            "period sets both ends, and since or until was given beside it", hint="give period alone, or leave it out"
        )
    for name, read in (("since", instant), ("until", instant), ("period", period)):
        if given.get(name) is not None:
            read(name, given[name], lambda: dt.UTC, lambda: dt.date(2000, 1, 1))


def bounds(given: Mapping[str, Any], zone: Zone, today: Today) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """The moments that ``since``, ``until`` or ``period`` in *given* select between. Raises ``InvalidRequest``."""
    check(given)
    if given.get("period") is not None:
        return period("period", given["period"], zone, today)
    since, until = (instant(name, given.get(name), zone, today) for name in ("since", "until"))
    if since is not None and until is not None and since > until:
        raise InvalidRequest(
            f"since={short(given['since'])} is after until={short(given['until'])}, and nothing is between them",
            hint="give the earlier one as since",
        )
    return since, until


def days(text: str, today: dt.date) -> tuple[dt.date, dt.date]:
    """First day and the day after the last of a span such as ``"last month"``. Raises ``InvalidRequest``."""
    first, end = _span("period", text, lambda: dt.UTC, lambda: today)
    return first.date(), end.date()


def as_text(moment: pd.Timestamp, zone: dt.tzinfo) -> str:
    """A moment as one writes it in *zone*: ``2025-07-01``, or with the time where it is not midnight."""
    local = moment.tz_convert(zone)
    return f"{local:%Y-%m-%d}" if local == local.normalize() else local.isoformat(sep=" ")


def from_epochs(numbers: pd.Series) -> pd.Series:
    """A column of epoch seconds or milliseconds as instants in UTC. Raises ``ValueError`` for other numbers."""
    known = numbers.dropna().astype("float64")
    for least, beyond, milliseconds in _EPOCHS:
        if known.between(least, beyond, inclusive="left").all():
            whole = (numbers.astype("Float64") * milliseconds).round().astype("Int64")
            return pd.to_datetime(whole, unit="ms", utc=True)
    raise ValueError("numbers that are neither epoch seconds nor milliseconds")


def short(given: Any) -> str:
    """A value that was given, for a message; of what is no short text, number or date its type: it may be people."""
    if isinstance(given, str):
        return repr(str(given) if len(given) <= 40 else f"{given[:39]}…")
    try:
        text = str(given) if isinstance(given, _PLAIN) else ""
    except ValueError:  # a whole number of more than 4,300 digits
        text = ""
    return text if 0 < len(text) <= 40 else f"<{type(given).__name__}>"


# ---- how


def _text(given: Any) -> str | None:
    """What was written, blanks apart; a number is read as its text."""
    if isinstance(given, str):
        text = " ".join(given.split())
        return re.sub(r"[.]0+$", "", text) if _NUMBER.fullmatch(text) else text
    if not isinstance(given, (Real, Decimal)) or isinstance(given, (bool, np.timedelta64)):
        return None
    try:
        number = float(given)
    except (OverflowError, ValueError):
        return "no number"
    return f"{number:.0f}" if number.is_integer() else repr(number)


def _moment(name: str, given: Any) -> pd.Timestamp | None:
    """What names one moment; ``None`` for what may be a span of days."""
    text = _text(given)
    if text is None:
        is_moment = isinstance(given, (dt.datetime, np.datetime64))
        return _checked(name, given, lambda: pd.Timestamp(given)) if is_moment else None
    if _MOMENT.fullmatch(text):
        return _checked(name, given, lambda: pd.Timestamp(text.upper()))
    if not _NUMBER.fullmatch(text) or _written(text) is not None:
        return None
    for least, beyond, milliseconds in _EPOCHS:
        if least <= float(text) < beyond:
            return pd.Timestamp(round(float(text) * milliseconds), unit="ms", tz="UTC")
    raise _no_date(name, given)


def _span(name: str, given: Any, zone: Zone, today: Today | None) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Both ends of a span of days, without a zone."""
    text = given.isoformat() if isinstance(given, dt.date) else _text(given)
    if isinstance(given, pd.Period):
        return _checked(name, given, lambda: given.start_time), _checked(name, given, lambda: (given + 1).start_time)
    if text is None:
        raise _no_date(name, given)
    if (written := _written(text)) is not None:
        day, length = written
        first = _checked(name, given, lambda: pd.Timestamp(dt.date(*day)))
        return first, first + pd.DateOffset(**length)
    phrase = re.sub(r"[\s_-]+", " ", text.casefold())
    now = today or (lambda: dt.datetime.now(zone()).date())
    if phrase in _NAMED:
        which, unit = _NAMED[phrase]
        named = pd.Period(now(), _CALENDAR[unit]) - int(which == "last")
        return named.start_time, (named + 1).start_time
    if (back := _BACK.fullmatch(phrase)) and int(back[1]):
        end, length = pd.Timestamp(now()), cast("dict[str, Any]", {_UNITS[back[2][0]]: int(back[1])})
        return _checked(name, given, lambda: end - pd.DateOffset(**length)), end
    raise _no_date(name, given, difflib.get_close_matches(phrase, _NAMED, n=1, cutoff=0.75))


def _written(text: str) -> tuple[tuple[int, int, int], dict[str, Any]] | None:
    """The first day, and the length, of a year, a quarter, a month or a day."""
    if found := _QUARTER.fullmatch(text):
        return (int(found[1]), 3 * int(found[2]) - 2, 1), {"months": 3}
    if not _DAYS.fullmatch(text):
        return None
    parts = text.split("-") if "-" in text else [text[:4], text[4:6], text[6:]][: 3 if len(text) == 8 else 1]
    year, month, day = (int(part) for part in [*parts, "1", "1"][:3])
    return (year, month, day), {("years", "months", "days")[len(parts) - 1]: 1}


def _checked(name: str, given: Any, read: Callable[[], Any]) -> pd.Timestamp:
    """What *read* gives. Raises ``InvalidRequest`` where that is no date, or thousands of years away."""
    try:
        moment: pd.Timestamp = read()
        wrong = bool(pd.isna(moment)) or not _FIRST <= moment.year <= _LAST
    except (ValueError, TypeError, OverflowError, ArithmeticError):
        wrong = True
    if wrong:
        raise _no_date(name, given)
    return moment


def _in_utc(moment: pd.Timestamp, zone: Zone) -> pd.Timestamp:
    """The moment in UTC; at an hour that clocks repeat the first, at one that they skip the end of the gap."""
    moment = moment.as_unit("us")
    if moment.tzinfo is None:
        moment = moment.tz_localize(zone(), ambiguous=True, nonexistent="shift_forward")
    return moment.tz_convert("UTC")


def _no_date(name: str, given: Any, near: Sequence[str] = ()) -> InvalidRequest:
    is_number = _NUMBER.fullmatch(_text(given) or "")
    hint = NUMBERS if is_number else f'did you mean "{near[0]}"? Else {GRAMMAR}' if near else GRAMMAR
    return InvalidRequest(f"{name}={short(given)} is no date or time", hint=hint)
