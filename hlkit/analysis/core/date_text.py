"""Dates as Americans write them."""

from __future__ import annotations

from typing import Any

import pandas as pd


def format_date(day: Any) -> str:
    """A date: July 1, 2025."""
    date = pd.Timestamp(day)
    return f"{date:%B} {date.day}, {date.year}"


def date_range(first: Any, last: Any) -> str:
    """Two days, the year once if it is the same: November 2 to December 1, 2025; a single day alone."""
    start, end = pd.Timestamp(first), pd.Timestamp(last)
    if start == end:
        return format_date(end)
    return f"{f'{start:%B} {start.day}' if start.year == end.year else format_date(start)} to {format_date(end)}"
