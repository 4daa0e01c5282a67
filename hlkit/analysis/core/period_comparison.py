"""A period beside an earlier one: the rates and counts of both, the change, and whether it is significant.

Both periods are followed equally long: each is analyzed as of the same time after its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from hlkit.analysis.core.analysis import Analysis
from hlkit.analysis.core.charts import Dots, draw_chart
from hlkit.analysis.core.comparison import LEVEL, compare_shares, overlaps, rows_from_interval
from hlkit.analysis.core.groups import ALL, SMALL
from hlkit.analysis.core.headlines import format_date, format_p, summary_of_all, write_headline
from hlkit.analysis.core.run_log import as_mask
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import COUNT, FLAG, NUMBER, POINTS, SHARE, Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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


def _is_month_start(instant: pd.Timestamp) -> bool:
    return bool(instant.day == 1 and instant == instant.normalize())


def _local(instant: pd.Timestamp, zone: ZoneInfo) -> pd.Timestamp:
    """The local clock at *instant*."""
    return instant.tz_convert(zone).tz_localize(None)


def _instant(local: pd.Timestamp, zone: ZoneInfo) -> pd.Timestamp:
    """The instant at which the local clock shows *local*."""
    instant: pd.Timestamp = local.tz_localize(zone, ambiguous=True, nonexistent="shift_forward").tz_convert("UTC")
    return instant


@dataclass(frozen=True)
class PeriodComparison:
    """How the share of an analysis changed between two periods; it stands for the analysis in a ``Result``."""

    analysis: Analysis

    @property
    def share(self) -> str:
        """The share that is compared, as the start of its columns' names."""
        return self._compares[0]

    @property
    def _compares(self) -> tuple[str, str]:
        assert self.analysis.compares is not None
        return self.analysis.compares

    @property
    def name(self) -> str:
        return f"{self.analysis.name}_compared"

    @property
    def question(self) -> str:
        return self.analysis.question

    @property
    def rows(self) -> Any:
        return self.analysis.rows

    @property
    def columns(self) -> dict[str, Kind]:
        """The columns after those of the groups."""
        shares = {f"{self.share}_{part}": SHARE for part in ("share", "low", "high")}
        before = {f"{self.share}_before_{part}": SHARE for part in ("share", "low", "high")}
        tests = {"change": POINTS, "p": NUMBER, "significant": FLAG, "small": FLAG}
        return {"n": COUNT, "n_before": COUNT, **shares, **before, **tests}

    def table(self, now: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
        """Both tables side by side: all rows first, then each group."""
        key = now.columns[0]
        sides = [self._side(table, key, suffix) for table, suffix in ((now, ""), (before, "_before"))]
        table = sides[0].merge(sides[1], on=key, how="outer", sort=False)
        table = table.sort_values("n", ascending=False, kind="stable", na_position="last")
        is_all = (table[key] == ALL).to_numpy(dtype=bool)
        table = pd.concat([table[is_all], table[~is_all]], ignore_index=True)
        table[["n", "n_before"]] = table[["n", "n_before"]].fillna(0)
        table = self._tested(table, key, overlaps(now) or overlaps(before))
        kinds = {name: kind.dtype for name, kind in self.columns.items()}
        return table[[key, *kinds]].astype(kinds)

    def _side(self, table: pd.DataFrame, key: str, suffix: str) -> pd.DataFrame:
        """The columns to compare, of all rows and of each group."""
        count = "n" if "n" in table else next(iter(self.analysis.columns))
        columns = [count, *(f"{self.share}_{part}" for part in ("share", "low", "high"))]
        names = ["n" + suffix, *(f"{self.share}{suffix}_{part}" for part in ("share", "low", "high"))]
        side = table[[key, *columns]].set_axis([key, *names], axis=1)
        total = summary_of_all(table)
        if total is None or (len(side) == 1 and side[key].iloc[0] == ALL):
            return side
        every = pd.DataFrame([[ALL, *(total[name] for name in columns)]], columns=side.columns)
        return pd.concat([every, side], ignore_index=True)

    def _tested(self, table: pd.DataFrame, key: str, overlap: bool) -> pd.DataFrame:
        """The change of each share and its significance: that of all rows by itself, the groups by Holm's method."""
        shares, rows = [], []
        for suffix in ("", "_before"):
            values = [table[f"{self.share}{suffix}_{part}"].astype("float64") for part in ("share", "low", "high")]
            shares.append(values[0].to_numpy())
            rows.append(rows_from_interval(*values))
        n = np.nan_to_num(np.column_stack(rows))
        share = np.column_stack(shares)
        p = np.asarray(compare_shares(np.nan_to_num(share) * n, n)[0], dtype="float64")
        small = (table[["n", "n_before"]].astype("float64") < SMALL).any(axis=1).to_numpy()
        p[small] = np.nan
        is_all = (table[key] == ALL).to_numpy(dtype=bool)
        p = np.where(is_all, p, np.nan if overlap else holm(np.where(is_all, np.nan, p)))
        significant = pd.array(p < LEVEL, dtype=FLAG.dtype)
        significant[np.isnan(p)] = pd.NA
        return table.assign(change=share[:, 0] - share[:, 1], p=p, significant=significant, small=small)

    def headline(self, table: pd.DataFrame) -> str:
        """The share of all rows in both periods, whether it changed, and the groups that changed."""
        return write_headline(table, self._headline, self.analysis.noun)

    def _headline(self, table: pd.DataFrame) -> str:
        first, groups = table.iloc[0], table.iloc[1:]
        span = table.attrs["hlkit"]["compared_with"]
        now, before = first[f"{self.share}_share"], first[f"{self.share}_before_share"]
        when = f"from {_dates(span['since'], span['last_day'])}"
        nouns, label = self.analysis.noun, self._compares[1].capitalize()
        if pd.isna(now) or pd.isna(before):
            return f"Nothing to compare: {first['n']:,} {nouns} in this period, {first['n_before']:,} {when}."
        text = (
            f"{label}: {now:.0%} ({first['n']:,} {nouns}), vs. {before:.0%} ({first['n_before']:,} {when}); "
            f"{_significance(first)}."
        )
        changed = groups[as_mask(groups["significant"])]
        if len(changed):
            parts = [
                f"{row.iloc[0]} {'rose' if row['change'] > 0 else 'fell'} from "
                f"{row[f'{self.share}_before_share']:.0%} to {row[f'{self.share}_share']:.0%}"
                for _, row in changed.iterrows()
            ]
            more = f", and {len(parts) - 3} more" if len(parts) > 3 else ""
            return f"{text} {'; '.join(parts[:3])}{more}: significant."
        return f"{text} No significant change in any group." if groups["p"].notna().any() else text

    def chart_height(self, table: pd.DataFrame) -> float:
        return self._chart.height(table)

    @property
    def _chart(self) -> Dots:
        label = f"{self.analysis.noun} {self._compares[1]}; diamond: the earlier period"
        return Dots(self.share, label, order="table", before=f"{self.share}_before")

    def plot(self, table: pd.DataFrame, ax: Axes | None = None) -> Axes:
        """Draw both periods, on *ax* or on a new figure, 6 inches wide."""
        return draw_chart(self._chart, table, ax)


def _dates(first: str, last: str) -> str:
    """Both dates, the year once if it is the same: November 2 to December 1, 2025."""
    begin = format_date(first)
    return f"{begin.removesuffix(last[:4]).removesuffix(', ')} to {format_date(last)}"


def _significance(row: pd.Series) -> str:
    if pd.isna(row["p"]):
        return "too few to test the change"
    return f"{'a' if row['significant'] else 'no'} significant change ({format_p(row['p'])})"


def holm(p: Any) -> Any:
    """P-values corrected for their number; NaN stays NaN.

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Statist. 6, 1979.
    """
    p = np.asarray(p, dtype="float64")
    order = np.argsort(p, kind="stable")[: int(np.isfinite(p).sum())]
    out = np.full(len(p), np.nan)
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return out
