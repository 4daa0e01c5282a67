"""The spans of time that a person chooses from, in the location's zone."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from hlkit.choices import instant

ALL, OWN = "All time", "Other dates"
DAYS = ("Last 7 days", "Last 30 days", "Last 90 days")
PRESETS = (ALL, *DAYS, "This month", "Last month", "This year", "Last year", OWN)


def span(preset: str, today: dt.date) -> tuple[dt.date | None, dt.date | None]:
    """First day and the day after the last of *preset*, as seen on *today*; ``None`` is no end."""
    if preset in DAYS:
        return today - dt.timedelta(days=int(preset.split()[1])), None
    month, year = today.replace(day=1), today.replace(month=1, day=1)
    before = (month - dt.timedelta(days=1)).replace(day=1)
    known: dict[str, tuple[dt.date | None, dt.date | None]] = {
        "This month": (month, None),
        "Last month": (before, month),
        "This year": (year, None),
        "Last year": (year.replace(year=year.year - 1), year),
    }
    return known.get(preset, (None, None))


def day(name: str, given: Any) -> dt.date | None:
    """The day that was given as *name*. Raises ``InvalidRequest``."""
    instant(name, given, lambda: ZoneInfo("UTC"))  # refuses what is none
    return None if given is None else pd.Timestamp(given).date()
