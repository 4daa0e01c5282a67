"""Time on the office clock and on the local one. Instants are in UTC."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.groups import import_extra
from hlkit.analysis.core.shares import Array, Floats
from hlkit.client.arguments import short
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import TEXT

OFFICE = "Mon-Fri 8-18"


@dataclass(frozen=True)
class OfficeHours:
    """Opening hours: for each weekday (0 is Monday) its spans in minutes after midnight, in ascending order."""

    hours: Mapping[int, tuple[tuple[int, int], ...]]
    closed: frozenset[Any] = frozenset()  # dates


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(
    r"([a-z]{3})[a-z]*(?:\s*-\s*([a-z]{3})[a-z]*)?\s+(\d{1,2})(?::([0-5]\d))?\s*-\s*(\d{1,2})(?::([0-5]\d))?"
)


@functools.lru_cache(maxsize=32)
def office_hours(text: str, holidays: str | None = None) -> OfficeHours:
    """Parse office hours, and add the public holidays of a country.

    *text* is like ``"Mon-Fri 8-18"``, ``"Mon-Thu 8-12, Mon-Thu 13-17:30, Sat 10-14"`` or, across midnight,
    ``"Mon-Fri 22-6"``. *holidays* is a country or one of its states: ``"US"``, ``"US-IL"``. Raises
    ``InvalidRequest``, and ``MissingExtra`` if the package of holidays is not installed.
    """
    hours: dict[int, tuple[tuple[int, int], ...]] = {}
    for part in text.lower().split(","):
        for day, span in _spans(part.strip(), text):
            spans = sorted((*hours.get(day, ()), span))
            if any(later[0] < earlier[1] for earlier, later in itertools.pairwise(spans)):
                name = _DAYS[day].capitalize()
                raise InvalidRequest(
                    f"the office hours on {name} overlap in {short(text)}", hint="give each span once"
                )
            hours[day] = tuple(spans)
    return OfficeHours(hours, _holidays(holidays) if holidays else frozenset())


def _spans(part: str, text: str) -> list[tuple[int, tuple[int, int]]]:
    """The weekdays of one part, each with a span in minutes. A span past midnight continues on the next weekday."""
    match = _SPAN.fullmatch(part)
    days = [_DAYS.index(day) if day in _DAYS else -1 for day in match.group(1, 2) if day] if match else [-1]
    if match is None or -1 in days:
        raise InvalidRequest(f"{short(text)} are not office hours", hint='write them like "Mon-Fri 8-18, Sat 10-14"')
    opens, closes = (int(hour) * 60 + int(minute or 0) for hour, minute in (match.group(3, 4), match.group(5, 6)))
    if opens >= 24 * 60 or closes > 24 * 60 or opens == closes:
        raise InvalidRequest(
            f"{short(part)} are not hours of a day", hint='write them like "Mon-Fri 8-18", or "0-24"'
        )
    last = days[-1] if days[-1] >= days[0] else days[-1] + 7
    weekdays = [day % 7 for day in range(days[0], last + 1)]
    if opens < closes:
        return [(day, (opens, closes)) for day in weekdays]
    before_midnight = [(day, (opens, 24 * 60)) for day in weekdays]
    return before_midnight + [((day + 1) % 7, (0, closes)) for day in weekdays if closes]


def _holidays(country: str) -> frozenset[Any]:
    country_holidays = import_extra("holidays", "holidays", "to look up public holidays").country_holidays
    name, _, state = country.partition("-")
    try:
        return frozenset(country_holidays(name.upper(), subdiv=state.upper() or None, years=range(2000, 2051)))
    except NotImplementedError as error:
        problem = short(str(error))
    raise InvalidRequest(f"no holidays for {short(country)}: {problem}", hint='write it like "US" or "US-IL"')


def minutes_between(
    start: pd.Series,
    end: pd.Series | pd.Timestamp,
    clock: Literal["office", "wall"] = "wall",
    timezone: str = "UTC",
    office: OfficeHours | None = None,
) -> pd.Series:
    """Minutes from *start* to *end*: all of them (``"wall"``), or those in which the office was open.

    The result is 0 if *end* is before *start*, and NaN if either is null. Office hours are in *timezone*; on a day on
    which the clocks change, the real minutes count.
    """
    end = end if isinstance(end, pd.Series) else pd.Series(end, index=start.index, dtype=start.dtype)
    if clock == "wall":
        return ((end - start).dt.total_seconds() / 60).clip(lower=0)
    first, last = start.min(), end.max()
    if pd.isna(first) or pd.isna(last):
        return pd.Series(np.nan, index=start.index, dtype="float64")
    opens, closes = _openings(min(first, last), max(first, last), timezone, office or office_hours(OFFICE))
    open_before = np.concatenate([[0], np.cumsum(closes - opens)])

    def open_minutes_until(instants: pd.Series) -> Floats:
        micros = instants.dt.as_unit("us").dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("int64")
        openings = np.searchsorted(opens, micros, side="right")  # how many there were by then
        last = np.maximum(openings - 1, 0)
        since_opening = np.clip(micros - opens[last], 0, (closes - opens)[last]) if len(opens) else 0
        return np.asarray(np.where(openings > 0, open_before[last] + since_opening, 0) / 60e6, dtype="float64")

    has_both = (start.notna() & end.notna()).to_numpy()
    minutes = (open_minutes_until(end) - open_minutes_until(start)).clip(min=0)
    return pd.Series(np.where(has_both, minutes, np.nan), index=start.index)


def _openings(first: pd.Timestamp, last: pd.Timestamp, timezone: str, office: OfficeHours) -> tuple[Array, Array]:
    """When the office opened and when it closed, in epoch microseconds, for each span of each working day."""
    first, last = (instant.tz_convert(timezone).tz_localize(None).normalize() for instant in (first, last))
    days = pd.date_range(first, last, freq="D", unit="us")
    weekday = days.day_of_week.to_numpy()
    works = np.isin(weekday, list(office.hours)) & ~np.isin(days.date, list(office.closed))
    days, weekday = days[works], weekday[works]
    counts = np.array([len(office.hours[day]) for day in weekday.tolist()], dtype="int64")
    spans = np.array([span for day in weekday.tolist() for span in office.hours[day]], dtype="int64").reshape(-1, 2)

    def in_utc(minutes: Array) -> Array:
        local = days.repeat(counts) + pd.to_timedelta(minutes, unit="m").as_unit("us")
        zoned = local.tz_localize(timezone, ambiguous=np.ones(len(local), dtype=bool), nonexistent="shift_forward")
        return zoned.tz_convert("UTC").tz_localize(None).as_unit("us").to_numpy().astype("int64")

    return in_utc(spans[:, 0]), in_utc(spans[:, 1])


WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS = tuple(f"{(hour - 1) % 12 + 1} {'AM' if hour < 12 else 'PM'}" for hour in range(24))


def weekday_and_hour(instants: pd.Series, timezone: str) -> pd.DataFrame:
    """The ``weekday``, such as Monday, and the ``hour`` (0 to 23) of each instant in *timezone*."""
    local = instants.dt.tz_convert(timezone)
    weekday = pd.Series(
        np.array(WEEKDAYS, dtype=object)[local.dt.day_of_week], index=instants.index, dtype=TEXT.dtype
    )
    return pd.DataFrame({"weekday": weekday, "hour": local.dt.hour.astype("int64")})


def hour_names(hours: pd.Series) -> pd.Series:
    """The name of each hour of the day: 8 AM for 8."""
    names: pd.Series = pd.Series(np.array(HOURS, dtype=object)[hours], index=hours.index, dtype=TEXT.dtype)
    return names


def week_grid() -> pd.MultiIndex:
    """Each ``weekday`` and ``hour`` (0 to 23) of a week, from Monday at midnight."""
    return pd.MultiIndex.from_product([WEEKDAYS, range(24)], names=["weekday", "hour"])


def days_between(start: pd.Series, end: pd.Series | pd.Timestamp) -> pd.Series:
    """Days from *start* to *end*, with fractions; 0 if *end* is before *start*."""
    return minutes_between(start, end) / (24 * 60)
