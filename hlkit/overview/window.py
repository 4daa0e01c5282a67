"""The period that an overview is about, the one it is compared with, and the twelve periods that end with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from hlkit.analysis.core.date_text import date_range
from hlkit.analysis.core.period_change import Earlier, Span

PERIODS = 12


@dataclass(frozen=True)
class Window:
    """``now`` is compared with ``before``, by the rule *compare*; ``history`` are twelve periods, the oldest first.

    *period* is what the user asked for, such as "30d", and *zone* the location's time zone.
    """

    period: str
    compare: Earlier
    now: Span
    before: Span
    history: tuple[Span, ...]
    zone: ZoneInfo

    @classmethod
    def of(cls, period: str, compare: Earlier, now: Span, zone: ZoneInfo) -> Window:
        """The window of the period *now*. Raises ``InvalidRequest`` if it cannot be compared."""
        spans = [now]
        while len(spans) < PERIODS:
            spans.append(spans[-1].earlier("previous", zone))
        return cls(period, compare, now, now.earlier(compare, zone), tuple(reversed(spans)), zone)

    def is_in(self, span: Span, instants: pd.Series) -> Any:
        """Which of *instants* are in a period."""
        return (instants.ge(span.since) & instants.lt(span.end)).fillna(False).to_numpy(dtype=bool)

    def number_of_period(self, instants: pd.Series) -> pd.Series:
        """The number of the period of the history that each instant is in, from 0; null if it is in none."""
        starts = pd.DatetimeIndex([span.since for span in self.history]).as_unit("us")
        position = starts.searchsorted(instants.dt.as_unit("us"), side="right") - 1
        is_inside = (position >= 0) & instants.notna().to_numpy() & (instants < self.now.end).fillna(False).to_numpy()
        return pd.Series(np.where(is_inside, position, np.nan), index=instants.index)

    @property
    def text(self) -> str:
        """The days of the period: December 2 to December 31, 2025."""
        return self._days_of(self.now)

    @property
    def earlier_text(self) -> str:
        """What the period is compared with: the 30 days before, or the same period a year before."""
        first, end = self.now.whole_days(self.zone)
        days = int((end - first).days)
        if self.compare == "last year":
            return f"the same {days} days a year before" if days != 1 else "the same day a year before"
        return f"the {days} days before" if days != 1 else "the day before"

    def _days_of(self, span: Span) -> str:
        last = span.end - pd.Timedelta(seconds=1)
        return date_range(*(f"{instant.tz_convert(self.zone):%Y-%m-%d}" for instant in (span.since, last)))
