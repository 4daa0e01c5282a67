"""The date ranges in the Dates dropdown, such as "Last 30 days", in the location's time zone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from hlkit.client.arguments import short
from hlkit.client.dates import bounds, days
from hlkit.client.errors import InvalidRequest

ALL_TIME, CUSTOM = "All time", "Custom dates"
PRESETS = (
    ALL_TIME,
    *("Last 7 days", "Last 30 days", "Last 90 days"),
    *(f"{relative} {unit}" for unit in ("week", "month", "quarter", "year") for relative in ("This", "Last")),
    CUSTOM,
)

DateRange = tuple[dt.date | None, dt.date | None]


def preset_range(preset: str, today: dt.date) -> DateRange:
    """The start (inclusive) and end (exclusive) of *preset* on the day *today*; ``None`` means no bound."""
    return (None, None) if preset in (ALL_TIME, CUSTOM) else days(preset, today)


def date_range(options: Mapping[str, Any], zone: str, today: dt.date) -> DateRange:
    """The start (inclusive) and end (exclusive) that ``since``, ``until`` or ``period`` in *options* mean.

    Raises ``InvalidRequest`` if a value is not a date, or is not the start of a day in *zone*.
    """
    dates = []
    for name, instant in zip(("since", "until"), bounds(options, lambda: ZoneInfo(zone), lambda: today), strict=True):
        local = None if instant is None else instant.tz_convert(zone)
        if local is not None and local != local.normalize():
            raise InvalidRequest(
                f"{name}={short(options[name])} is not the start of a day in {zone}; the explorer takes whole days",
                hint="leave out the time",
            )
        dates.append(None if local is None else local.date())
    return dates[0], dates[1]
