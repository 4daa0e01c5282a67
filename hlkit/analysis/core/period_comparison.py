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
from hlkit.analysis.core.groups import ALL, OTHER
from hlkit.analysis.core.headlines import format_date, write_headline
from hlkit.analysis.core.period_change import Change, Earlier, Span
from hlkit.analysis.core.result import Provenance, Result
from hlkit.analysis.core.run_log import as_mask
from hlkit.client.arguments import short
from hlkit.client.client import Client
from hlkit.client.dates import as_text
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import FLAG, Kind

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
        """The columns after those of the groups."""
        return self.change.columns

    def table(self, tables: Sequence[pd.DataFrame], now: Span, before: Span, zone: ZoneInfo) -> pd.DataFrame:
        """Both periods side by side: all rows first, then each group, tested by Holm's method."""
        table = self.change.compared(tables, now, before, zone)
        key, size = table.columns[0], next(iter(self.columns))
        is_all = (table[key] == ALL).to_numpy(dtype=bool)
        groups = table[~is_all].sort_values(size, ascending=False, kind="stable", na_position="last")
        table = pd.concat([table[is_all], groups], ignore_index=True)
        p, is_all = table["p"].to_numpy("float64"), (table[key] == ALL).to_numpy(dtype=bool)
        # (other) need not be the same groups in both periods, and overlapping groups are not independent.
        is_untested = (table[key] == OTHER).to_numpy(dtype=bool) | any(map(overlaps, tables))
        p = np.where(is_all, p, holm(np.where(is_all | is_untested, np.nan, p)))
        significant = pd.array(p < LEVEL, dtype=FLAG.dtype)
        significant[np.isnan(p)] = pd.NA
        kinds = {name: kind.dtype for name, kind in self.columns.items()}
        return table.assign(p=p, significant=significant)[[key, *kinds]].astype(kinds)

    def headline(self, table: pd.DataFrame) -> str:
        """The number of both periods, whether it changed, and the groups that changed."""
        return write_headline(table, self._headline, self.analysis.noun)

    def _headline(self, table: pd.DataFrame) -> str:
        everything, groups = table.iloc[0], table.iloc[1:]
        span = table.attrs["hlkit"]["compared_with"]
        when = _dates(span["since"], span["last_day"])
        text = self.change.sentence(everything, self.analysis.noun, when)
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


class Run(Protocol):
    """An analysis of a location, as ``loc.analyses.x``."""

    analysis: Analysis

    def __call__(self, **options: Any) -> Result: ...


def compare_periods(
    run: Run,
    how: Any,
    options: dict[str, Any],
    since: pd.Timestamp | None,
    until: pd.Timestamp | None,
    timezone: ZoneInfo,
    loc: Client,
) -> Result:
    """The period [since, until) beside the one before, or a year before. Raises ``InvalidRequest``."""
    change = _checked(run.analysis, how, options)
    if since is None:
        raise InvalidRequest("compare needs a period", hint='add one, such as period="30d" or since="2025-07-01"')
    now = run(**options) if change.needs_history else run(**options, since=since, until=until)
    span = Span(since, until, pd.Timestamp(now.provenance["as_of"]))
    before = span.earlier(how, timezone)
    results = [now, *(run(**{**options, **other}) for other in change.other_runs(before))]
    comparison = PeriodComparison(run.analysis, change)
    table = loc.with_names(comparison.table([result.table for result in results], span, before, timezone))
    ends = (before.since, before.end - pd.Timedelta(seconds=1))
    first, last = (f"{date.tz_convert(loc.timezone):%Y-%m-%d}" for date in ends)
    period = {"since": as_text(since, loc.timezone)}
    period |= {} if until is None else {"until": as_text(until, loc.timezone)}
    provenance = Provenance(
        now.provenance,
        options=period | now.provenance["options"] | {"compare": how, "compared with": f"{first} to {last}"},
        requests=sum(result.provenance["requests"] for result in results),
        from_cache=sum(result.provenance["from_cache"] for result in results),
    )
    table.attrs["hlkit"] = {
        **now.table.attrs["hlkit"],
        "definition": f"{now.definition} {change.definition}",
        "compared_with": {"since": first, "last_day": last},
        "provenance": dict(provenance),
    }
    behind = None if change.needs_history else now.behind  # the rows of this period
    return Result(table, cast("Analysis", comparison), provenance, behind)


def _checked(analysis: Analysis, how: Any, options: dict[str, Any]) -> Change:
    """What the analysis compares, if it can be compared with these options."""
    change = analysis.compares
    if how not in get_args(Earlier) or change is None:
        choices = ", ".join(map(repr, get_args(Earlier)))
        raise InvalidRequest(f"{analysis.name} has no compare={short(how)}", hint=f"compare is one of {choices}")
    if isinstance(options.get("by"), list):
        raise InvalidRequest("periods are compared by one column", hint="give by the name of one column")
    for name in change.fixed_options:
        default = analysis.options[name].default
        if options.setdefault(name, default) != default:
            raise InvalidRequest(f"compare works without {name}={short(options[name])}", hint=f"leave {name} out")
    return change


def _dates(first: str, last: str) -> str:
    """Both dates, the year once if it is the same: from November 2 to December 1, 2025."""
    if first == last:
        return f"on {format_date(first)}"
    return f"from {format_date(first).removesuffix(last[:4]).removesuffix(', ')} to {format_date(last)}"


def holm(p: Any) -> Any:
    """P-values corrected for their number; NaN stays NaN.

    Source: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Statist. 6, 1979.
    """
    p = np.asarray(p, dtype="float64")
    order = np.argsort(p, kind="stable")[: int(np.isfinite(p).sum())]
    out = np.full(len(p), np.nan)
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return out
