"""Two periods, and what of an analysis is compared between them.

Both periods are followed equally long: each is analyzed as of the same time after its end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pandas as pd

from hlkit.analysis.core.charts import Chart
from hlkit.analysis.core.headlines import format_p
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import Kind

Earlier = Literal["previous", "last year"]


@dataclass(frozen=True)
class Span:
    """The rows of a period, [since, until), as they were known at *as_of*."""

    since: pd.Timestamp
    until: pd.Timestamp | None
    as_of: pd.Timestamp

    def earlier(self, how: Earlier, zone: ZoneInfo) -> Span:
        """The period of the same length just before, or a year before, followed as long as this one.

        A period of whole months is compared with as many months.
        """
        since, as_of = (_local(instant, zone) for instant in (self.since, self.as_of))
        until = as_of if self.until is None else _local(self.until, zone)
        if until <= since:
            raise InvalidRequest("compare needs a period that has begun", hint='write period="last month"')
        shift: Any = until - since
        if how == "last year":
            shift = pd.DateOffset(years=1)
        elif _is_month_start(since) and _is_month_start(until):
            shift = pd.DateOffset(months=12 * (until.year - since.year) + until.month - since.month)
        begin, end = since - shift, until - shift
        known = end + (as_of - until) if as_of >= until else begin + (as_of - since)
        return Span(*(_instant(local, zone) for local in (begin, end, known)))

    @property
    def end(self) -> pd.Timestamp:
        """Where its rows end: at *until*, or at *as_of* if that is earlier."""
        return self.as_of if self.until is None else min(self.until, self.as_of)

    def whole_days(self, zone: ZoneInfo) -> tuple[pd.Timestamp, pd.Timestamp]:
        """The first of its complete days, and the day after the last, on the local clock."""
        return _local(self.since, zone).ceil("D"), _local(self.end, zone).floor("D")


def _is_month_start(instant: pd.Timestamp) -> bool:
    return bool(instant.day == 1 and instant == instant.normalize())


def _local(instant: pd.Timestamp, zone: ZoneInfo) -> pd.Timestamp:
    """The local clock at *instant*."""
    return instant.tz_convert(zone).tz_localize(None)


def _instant(local: pd.Timestamp, zone: ZoneInfo) -> pd.Timestamp:
    """The instant at which the local clock shows *local*."""
    instant: pd.Timestamp = local.tz_localize(zone, ambiguous=True, nonexistent="shift_forward").tz_convert("UTC")
    return instant


class Change(ABC):
    """What of an analysis is compared between two periods: a share or a count."""

    definition: str  # how the change is computed, after the definition of the analysis
    needs_history = False  # whether the first run is of all rows, instead of those of the period
    fixed_options: tuple[str, ...] = ()  # options that a comparison has no use for

    @property
    @abstractmethod
    def columns(self) -> Mapping[str, Kind]:
        """The columns of the comparison, after those of the groups; the size of a row first."""

    @abstractmethod
    def other_runs(self, before: Span) -> list[dict[str, Any]]:
        """The options of the runs that are needed beside the first one."""

    @abstractmethod
    def compared(self, tables: Sequence[pd.DataFrame], now: Span, before: Span, zone: ZoneInfo) -> pd.DataFrame:
        """Both periods side by side, from the tables of all runs; without tests of significance, but with ``p``."""

    @abstractmethod
    def sentence(self, everything: pd.Series, noun: str, when: str) -> str:
        """The first sentence of the headline, of the row of all groups; *when* is the earlier period."""

    @abstractmethod
    def of_group(self, row: pd.Series) -> str:
        """How a group changed: google fell from 80% to 72%."""

    @abstractmethod
    def chart(self, noun: str) -> Chart:
        """How the comparison is drawn."""


def change_text(row: pd.Series) -> str:
    """Whether the change of a row is significant: no significant change (p = .45)."""
    if pd.isna(row["p"]):
        return "too few to test the change"
    return f"{'a' if row['significant'] else 'no'} significant change ({format_p(row['p'])})"
