"""Two periods, and which number of an analysis is compared between them.

Both periods get the same time after their end for replies, wins and the like: each is analyzed as of that time.
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
    """The rows of a period, [since, until), analyzed as of *as_of*."""

    since: pd.Timestamp
    until: pd.Timestamp | None
    as_of: pd.Timestamp

    def earlier(self, how: Earlier, zone: ZoneInfo) -> Span:
        """The period of the same length just before, or a year before, with as much time after its end.

        A period of whole months is compared with as many months. *zone* is the location's, in which months begin.
        """
        since, as_of = (_local(instant, zone) for instant in (self.since, self.as_of))
        until = as_of if self.until is None else _local(self.until, zone)
        if until <= since:
            raise InvalidRequest("compare needs a period that has begun", hint='write period="last month"')
        months = 12 * (until.year - since.year) + until.month - since.month
        whole_months = _is_month_start(since) and _is_month_start(until)
        if how == "last year":
            begin = since - pd.DateOffset(years=1)
            end = begin + pd.DateOffset(months=months) if whole_months else begin + (until - since)
        else:
            begin, end = since - (pd.DateOffset(months=months) if whole_months else until - since), since
        if end > since:
            raise InvalidRequest("a period longer than a year overlaps last year's", hint='write compare="previous"')
        # Over: the same time after its end. Still running: the same time after its start.
        known = end + (as_of - until) if as_of >= until else begin + (as_of - since)
        return Span(*(_instant(local, zone) for local in (begin, end, known)))

    @property
    def end(self) -> pd.Timestamp:
        """Where its rows end: at *until*, or at *as_of* if that is earlier."""
        return self.as_of if self.until is None else min(self.until, self.as_of)

    def whole_days(self, zone: ZoneInfo) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Its complete days, [first, end), as midnights without a time zone."""
        return _local(self.since, zone).ceil("D"), _local(self.end, zone).floor("D")


def _is_month_start(instant: pd.Timestamp) -> bool:
    return bool(instant.day == 1 and instant == instant.normalize())


def _local(instant: pd.Timestamp, zone: ZoneInfo) -> pd.Timestamp:
    """The local clock at *instant*."""
    return instant.tz_convert(zone).tz_localize(None)


def _instant(local: pd.Timestamp, zone: ZoneInfo) -> pd.Timestamp:
    """The instant at which the local clock shows *local*."""
    # of an hour that the clock repeats in fall, the first
    instant: pd.Timestamp = local.tz_localize(zone, ambiguous=True, nonexistent="shift_forward").tz_convert("UTC")
    return instant


class Change(ABC):
    """The number of an analysis that is compared between two periods: a share or a count.

    The analysis is run several times: first for the period itself, then as ``other_runs`` asks.
    """

    definition: str  # how the change is computed; added to the definition of the analysis
    needs_history = False  # whether the first run needs all rows, not only those of the period
    fixed_options: tuple[str, ...] = ()  # options that must keep their default
    size: str  # the column by which groups are sorted

    @property
    @abstractmethod
    def columns(self) -> Mapping[str, Kind]:
        """The columns of the comparison, without that of the groups."""

    @abstractmethod
    def other_runs(self, before: Span) -> list[dict[str, Any]]:
        """The options of each further run, in the order in which ``compared`` gets their tables."""

    @abstractmethod
    def compared(self, tables: Sequence[pd.DataFrame], now: Span, before: Span, zone: ZoneInfo) -> pd.DataFrame:
        """Both periods side by side, with the ``p`` of each row, not yet corrected for their number.

        *tables* are those of all runs, *zone* is the one that their days are in.
        """

    @abstractmethod
    def sentence(self, total: pd.Series, noun: str, earlier: str) -> str:
        """The first sentence of the headline, from the row of all groups. *earlier* is "from May 1 to May 31"."""

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
