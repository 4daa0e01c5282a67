"""A period beside an earlier one: the numbers of both, the change, and whether it is significant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast, get_args
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from hlkit.analysis.core.analysis import Analysis
from hlkit.analysis.core.charts import draw_chart
from hlkit.analysis.core.comparison import LEVEL, overlaps
from hlkit.analysis.core.date_text import date_range
from hlkit.analysis.core.groups import ALL, UNNAMED, group_column_name
from hlkit.analysis.core.headlines import write_headline
from hlkit.analysis.core.period_change import Change, Earlier, Span
from hlkit.analysis.core.result import Provenance, Result
from hlkit.analysis.core.run_log import as_mask
from hlkit.client.arguments import short
from hlkit.client.client import Client
from hlkit.client.dates import as_text
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import FLAG, Kind
from hlkit.client.timezones import zone

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class PeriodComparison:
    """An analysis of two periods; it stands for the analysis in a ``Result``."""

    analysis: Analysis
    change: Change

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
    def columns(self) -> Mapping[str, Kind]:
        """The columns of its table, without that of the groups."""
        return self.change.columns

    def table(self, tables: Sequence[pd.DataFrame], now: Span, before: Span, timezone: ZoneInfo) -> pd.DataFrame:
        """Both periods side by side: all rows first, then each group, tested by Holm's method."""
        name = group_column_name(tables[0].columns[0], self.columns)
        tables = [_with_group_column(table, name) for table in tables]
        table = _total_first(self.change.compared(tables, now, before, timezone), self.change.size)
        p = table["p"].to_numpy("float64")
        is_total = (table[name] == ALL).to_numpy(dtype=bool)
        # (other) need not be the same groups in both periods, and nobody chose those without a name.
        is_tested = ~table[name].isin(UNNAMED).to_numpy(dtype=bool)
        if any(map(overlaps, tables)):  # overlapping groups are not independent
            is_tested[:] = False
        p = np.where(is_total, p, holm(np.where(is_tested, p, np.nan)))
        significant = pd.array(p < LEVEL, dtype=FLAG.dtype)
        significant[np.isnan(p)] = pd.NA
        dtypes = {name: tables[0][name].dtype, **{column: kind.dtype for column, kind in self.columns.items()}}
        return table.assign(p=p, significant=significant)[list(dtypes)].astype(dtypes)

    def headline(self, table: pd.DataFrame) -> str:
        """The number of both periods, whether it changed, and the groups that changed."""
        return write_headline(table, self._headline, self.analysis.noun)

    def _headline(self, table: pd.DataFrame) -> str:
        total, groups = table.iloc[0], table.iloc[1:]
        earlier = table.attrs["hlkit"]["compared_with"]  # from compare_periods
        text = self.change.sentence(total, self.analysis.noun, _dates(earlier["since"], earlier["last_day"]))
        changed = groups[as_mask(groups["significant"])]
        if len(changed):
            parts = [self.change.of_group(row) for _, row in changed.iterrows()]
            more = f", and {len(parts) - 3} more" if len(parts) > 3 else ""
            return f"{text} {'; '.join(parts[:3])}{more}: significant."
        return f"{text} No significant change in any group." if groups["p"].notna().any() else text

    def chart_height(self, table: pd.DataFrame) -> float:
        return self.change.chart(self.analysis.noun).height(table)

    def plot(self, table: pd.DataFrame, ax: Axes | None = None) -> Axes:
        """Draw both periods, on *ax* or on a new figure, 6 inches wide."""
        return draw_chart(self.change.chart(self.analysis.noun), table, ax)


def _with_group_column(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """*table*, with the column of its groups called *name*."""
    return table.rename(columns={table.columns[0]: name})


def _total_first(table: pd.DataFrame, size: str) -> pd.DataFrame:
    """The row of all groups, then the groups, the largest first."""
    is_total = (table.iloc[:, 0] == ALL).to_numpy(dtype=bool)
    groups = table[~is_total].sort_values(size, ascending=False, kind="stable", na_position="last")
    return pd.concat([table[is_total], groups], ignore_index=True)


class LocationAnalysis(Protocol):
    """An analysis bound to a location: ``loc.analyses.x``."""

    analysis: Analysis

    def __call__(self, **options: Any) -> Result: ...


def compare_periods(
    run: LocationAnalysis,
    how: Any,
    options: dict[str, Any],
    since: pd.Timestamp | None,
    until: pd.Timestamp | None,
    timezone: ZoneInfo,
    loc: Client,
) -> Result:
    """The period [since, until) beside the one before, or a year before. Raises ``InvalidRequest``."""
    change = _change_of(run.analysis, how, options)
    options = {name: run.analysis.options[name].default for name in change.fixed_options} | options
    if since is None:
        raise InvalidRequest("compare needs a period", hint='add one, such as period="30d" or since="2025-07-01"')
    current = run(**options) if change.needs_history else run(**options, since=since, until=until)
    now = Span(since, until, pd.Timestamp(current.provenance["as_of"]))
    before = now.earlier(how, zone(loc.timezone))
    results = [current, *(run(**{**options, **other}) for other in change.other_runs(before))]
    comparison = PeriodComparison(run.analysis, change)
    table = loc.with_names(comparison.table([result.table for result in results], now, before, timezone))
    last_instant = before.end - pd.Timedelta(seconds=1)  # the end itself is exclusive
    first_day, last_day = (f"{date.tz_convert(loc.timezone):%Y-%m-%d}" for date in (before.since, last_instant))
    given = {"since": as_text(since, loc.timezone)}
    if until is not None:
        given["until"] = as_text(until, loc.timezone)
    compared = {"compare": how, "compared with": f"{first_day} to {last_day}"}
    provenance = Provenance(
        current.provenance,
        options={**given, **current.provenance["options"], **compared},
        requests=sum(result.provenance["requests"] for result in results),
        from_cache=sum(result.provenance["from_cache"] for result in results),
    )
    table.attrs["hlkit"] = {
        **current.table.attrs["hlkit"],
        "definition": f"{current.definition} {change.definition}",
        "compared_with": {"since": first_day, "last_day": last_day},
        "provenance": dict(provenance),
    }
    behind = None if change.needs_history else current.behind  # the rows of this period
    return Result(table, cast("Analysis", comparison), provenance, behind)


def _change_of(analysis: Analysis, how: Any, options: Mapping[str, Any]) -> Change:
    """What the analysis compares, if it can compare that with these options."""
    if analysis.compares is None:
        raise InvalidRequest(f"{analysis.name} cannot compare periods", hint="leave compare out")
    if how not in get_args(Earlier):
        choices = ", ".join(map(repr, get_args(Earlier)))
        raise InvalidRequest(f"{analysis.name} has no compare={short(how)}", hint=f"compare is one of {choices}")
    if isinstance(options.get("by"), list):
        raise InvalidRequest("periods are compared by one column", hint="give by the name of one column")
    for name in analysis.compares.fixed_options:
        if options.get(name, analysis.options[name].default) != analysis.options[name].default:
            raise InvalidRequest(f"compare works without {name}={short(options[name])}", hint=f"leave {name} out")
    return analysis.compares


def _dates(first: str, last: str) -> str:
    """When the earlier period was: from November 2 to December 1, 2025; on December 1, 2025."""
    return f"{'on' if first == last else 'from'} {date_range(first, last)}"


def holm(p: Any) -> Any:
    """P-values corrected for their number; NaN stays NaN.

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Statist. 6, 1979.
    """
    p = np.asarray(p, dtype="float64")
    order = np.argsort(p, kind="stable")[: int(np.isfinite(p).sum())]
    out = np.full(len(p), np.nan)
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return out
