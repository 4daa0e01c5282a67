"""Time in the simulated location: local wall clocks, UTC instants, office hours.

Instants are integers: milliseconds since 1970, in UTC unless a name says *local*. The seeded
history is drawn in local time, since people live by it.
"""

from __future__ import annotations

import functools
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

HISTORY_WEEKS = 106  # two years, and the week in which as_of falls
OFFICE_OPENS, OFFICE_MINUTES = 8 * 60, 600  # 8 to 18, Monday to Friday


class Clock:
    """The time zone, the present instant (``as_of``), and the first Monday of the history (``start``)."""

    def __init__(self, zone: str, as_of: str | float | date | datetime | None = None) -> None:
        self.zone = ZoneInfo(zone)
        self.as_of = _milliseconds(_instant(as_of, self.zone))
        self._starts, self._offsets = _offsets(self.zone, self.as_of)
        local = int(self.to_local(np.array([self.as_of]))[0])
        # The first of January 1970 was a Thursday: Monday weeks begin three days earlier.
        self.end = -((-(local + 3 * DAY)) // WEEK) * WEEK - 3 * DAY
        self.start = self.end - HISTORY_WEEKS * WEEK

    def to_local(self, utc: Array) -> Array:
        """Wall-clock milliseconds for UTC milliseconds."""
        return utc + self._offsets[np.searchsorted(self._starts[1:], utc, side="right")]

    def to_utc(self, local: Array) -> Array:
        """UTC milliseconds; of an hour that occurs twice, the first; a skipped hour counts as before the jump."""
        jumps = self._starts[1:] + np.maximum(self._offsets[1:], self._offsets[:-1])
        return local - self._offsets[np.searchsorted(jumps, local, side="right")]

    def day(self, number: int) -> str:
        """ISO date of the history's day *number*."""
        return datetime.fromtimestamp((self.start + number * DAY) / 1000, UTC).date().isoformat()


def _instant(as_of: str | float | date | datetime | None, zone: ZoneInfo) -> datetime:
    """A date, an instant, a year, or epoch seconds or milliseconds; in *zone* unless it has a time zone."""
    if as_of is None:
        as_of = datetime.now(zone).date()
    if isinstance(as_of, np.datetime64):
        as_of = as_of.astype("datetime64[us]").item()
    number = _number(as_of)
    if number is not None:
        as_of = _of_number(number)
    if isinstance(as_of, str):
        as_of = datetime.fromisoformat(as_of.strip())
    if isinstance(as_of, date) and not isinstance(as_of, datetime):
        as_of = datetime(as_of.year, as_of.month, as_of.day)
    if not isinstance(as_of, datetime) or not 1970 <= as_of.year <= 2200:
        raise ValueError("as_of is no date from 1970 to 2200")
    return as_of if as_of.tzinfo else as_of.replace(tzinfo=zone)


def _number(value: object) -> float | None:
    if isinstance(value, str):
        return float(value) if re.fullmatch(r"[0-9]+([.][0-9]+)?", value.strip()) else None
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.timedelta64))
    try:
        return float(value) if is_number else None  # type: ignore[arg-type]
    except OverflowError:
        return float("inf")


def _of_number(number: float) -> str | datetime:
    if number.is_integer() and (1e3 <= number < 1e4 or 1e7 <= number < 1e8):
        return f"{number:.0f}-01-01" if number < 1e4 else f"{number:.0f}"
    for least, beyond, per_second in ((1e8, 1e10, 1), (1e11, 1e13, SECOND)):
        if least <= number < beyond:
            return datetime.fromtimestamp(number / per_second, UTC)
    raise ValueError("as_of is a year, a day (20250701), or epoch seconds or milliseconds")


def _milliseconds(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@functools.lru_cache(maxsize=8)
def _offsets(zone: ZoneInfo, as_of: int) -> tuple[Array, Array]:
    """The UTC offsets around *as_of* (four years), and the instants from which they hold."""

    def offset(at: int) -> int:
        delta = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).utcoffset()
        return 0 if delta is None else int(delta.total_seconds()) * SECOND

    first = (as_of // DAY - 3 * 366) * DAY
    starts, offsets = [first], [offset(first)]
    for day in range(first, first + 4 * 366 * DAY, DAY):
        if offset(day + DAY) == offset(day):
            continue
        low, high = day, day + DAY
        while high - low > MINUTE:
            middle = (low + high) // 2 // MINUTE * MINUTE
            low, high = (middle, high) if offset(middle) == offset(day) else (low, middle)
        starts.append(high)
        offsets.append(offset(high))
    return np.array(starts, np.int64), np.array(offsets, np.int64)


def weekday(local: Array) -> Array:
    """0 for Monday to 6 for Sunday."""
    return (local // DAY + 3) % 7


def office_minutes(local: Array) -> Array:
    """Minutes the office has been open since a Monday in 1969, as floats."""
    week, inside = np.divmod(local + 3 * DAY, WEEK)
    days, rest = np.divmod(inside, DAY)
    today = np.clip(rest / MINUTE - OFFICE_OPENS, 0, OFFICE_MINUTES)
    return week * (5 * OFFICE_MINUTES) + np.where(days < 5, days * OFFICE_MINUTES + today, 5 * OFFICE_MINUTES)


def after_office_minutes(local: Array, minutes: Array) -> Array:
    """The local instant at which the office has been open for *minutes* more."""
    week, inside = np.divmod(office_minutes(local) + minutes, 5 * OFFICE_MINUTES)
    days, today = np.divmod(inside, OFFICE_MINUTES)
    milliseconds = (OFFICE_OPENS + today) * MINUTE
    return np.asarray(week * WEEK - 3 * DAY + days * DAY + milliseconds).astype(np.int64)


def iso(instants: Array) -> list[str]:
    """``2025-03-01T12:00:00.000Z`` for each instant."""
    return [f"{text}Z" for text in np.datetime_as_string(instants.astype("datetime64[ms]"), unit="ms").tolist()]


def parse(text: object) -> int:
    """Milliseconds for an ISO date or instant, or for a number of milliseconds as number or text."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise ValueError(f"not a date: {text!r}")
    if not isinstance(text, str) or text.lstrip("-").isdigit():
        return int(text)
    instant = datetime.fromisoformat(text)
    return _milliseconds(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
