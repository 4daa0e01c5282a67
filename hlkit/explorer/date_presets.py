"""The spans of time that a person chooses from, in the location's zone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from hlkit.client.dates import bounds, days, short
from hlkit.client.errors import InvalidRequest

ALL, OWN = "All time", "Other dates"
PRESETS = (
    ALL,
    *("Last 7 days", "Last 30 days", "Last 90 days"),
    *(f"{which} {unit}" for unit in ("week", "month", "quarter", "year") for which in ("This", "Last")),
    OWN,
)


def span(preset: str, today: dt.date) -> tuple[dt.date | None, dt.date | None]:
    """First day and the day after the last of *preset*, as seen on *today*; ``None`` is no end."""
    return (None, None) if preset in (ALL, OWN) else days(preset, today)


def day_bounds(given: Mapping[str, Any], zone: str, today: dt.date) -> tuple[dt.date | None, dt.date | None]:
    """The same of ``since``, ``until`` or ``period``. Raises ``InvalidRequest``, for the middle of a day too."""
    found = []
    for name, moment in zip(("since", "until"), bounds(given, lambda: ZoneInfo(zone), lambda: today), strict=True):
        local = None if moment is None else moment.tz_convert(zone)
        if local is not None and local != local.normalize():
            raise InvalidRequest(
                f"{name}={short(given[name])} is not the start of a day in {zone}, and the explorer takes whole days",
                hint="leave the time out",
            )
        found.append(None if local is None else local.date())
    return found[0], found[1]
