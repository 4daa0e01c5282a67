"""The leads of two periods side by side, tested against how much days vary in the whole history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts.period_bars import PeriodBars
from hlkit.analysis.core.groups import ALL
from hlkit.analysis.core.period_change import Change, Span, change_text
from hlkit.analysis.leads.expected_leads import change_interval, change_p
from hlkit.client.schema import CHANGE, COUNT, FLAG, NUMBER, Kind
from hlkit.client.text import many


class VolumeChange(Change):
    """The change in leads a day, over the complete days of both periods."""

    definition = (
        "Of two periods, the change is that of leads a day over the complete days of both. Its p-value takes into "
        "account how much days vary, as seen in all days since leads became regular. It needs at least 8 weeks with "
        "1 lead a day or more on average, and more than a few leads. The p-values of groups are corrected for their "
        "number (Holm)."
    )
    needs_history = True
    fixed_options = ("every",)  # always "day"
    size = "leads"

    @property
    def columns(self) -> dict[str, Kind]:
        counts = dict.fromkeys(("leads", "leads_before", "days", "days_before"), COUNT)
        changes = dict.fromkeys(("change", "change_low", "change_high"), CHANGE)
        return {**counts, **changes, "p": NUMBER, "significant": FLAG}

    def other_runs(self, before: Span) -> list[dict[str, Any]]:
        return [{"by": None}]  # all groups together, which the sum of groups that overlap would not give

    def compared(self, tables: Sequence[pd.DataFrame], now: Span, before: Span, zone: ZoneInfo) -> pd.DataFrame:
        groups, total = tables  # the same table twice if there are no groups
        key = groups.columns[0]
        is_grouped = len(groups) and groups[key].iloc[0] != ALL
        total = total.set_axis([key, *total.columns[1:]], axis=1)
        days = pd.concat([total, groups], ignore_index=True) if is_grouped else total
        names = pd.Index(days[key].unique())
        (begin, end), (begin_before, end_before) = now.whole_days(zone), before.whole_days(zone)
        length, length_before = max(0, (end - begin).days), max(0, (end_before - begin_before).days)
        is_now = days["date"].ge(begin) & days["date"].lt(end)
        is_before = days["date"].ge(begin_before) & days["date"].lt(end_before)
        leads, leads_before = (_leads_by_group(days[mask], key, names) for mask in (is_now, is_before))
        if not len(days) or days["date"].min() > begin_before:
            leads_before[:] = np.nan  # not all of the earlier period was counted
        # The dispersion is constant within a group; it counts only if the model covers every day of both periods.
        fitted = days[is_now | is_before].groupby(key)["dispersion"].agg(["min", "count"]).reindex(names)
        dispersion = fitted["min"].where(fitted["count"] == length + length_before).to_numpy()
        longer = length / length_before if length and length_before else np.nan
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = change_interval(leads, leads_before, dispersion, longer)
            change = np.where(leads_before > 0, leads / leads_before / longer - 1, np.nan)
        table = pd.DataFrame(
            {
                key: names,
                "leads": leads,
                "leads_before": leads_before,
                "days": length,
                "days_before": length_before,
                "change": change,
                "change_low": np.where(leads_before > 0, low - 1, np.nan),
                "change_high": np.where(leads_before > 0, high - 1, np.nan),
                "p": change_p(leads, leads_before, dispersion, longer),
            }
        )
        has_leads = table[["leads", "leads_before"]].sum(axis=1) > 0
        return table[has_leads | table[key].eq(ALL)]

    def sentence(self, total: pd.Series, noun: str, earlier: str) -> str:
        leads = f"{many(total['leads'], 'lead')} in {many(total['days'], 'day')}"
        if not total["days"] or not total["days_before"]:
            return "Nothing to compare: no complete day in the period."
        if pd.isna(total["leads_before"]):
            return f"Nothing to compare: {leads}, and not all leads are known {earlier}."
        before = f"{total['leads_before']:,} {earlier}"
        if total["days_before"] != total["days"]:
            before += f" ({many(total['days_before'], 'day')})"
        return f"{leads}, vs. {before}; {change_text(total)}."

    def of_group(self, row: pd.Series) -> str:
        return f"{row.iloc[0]} went from {row['leads_before']:,} to {row['leads']:,}"

    def chart(self, noun: str) -> PeriodBars:
        return PeriodBars("leads", "leads in the period; diamond: the earlier period")


def _leads_by_group(days: pd.DataFrame, key: str, names: pd.Index) -> Any:
    """The leads of each group, in the order of *names*."""
    return days.groupby(key)["leads"].sum().reindex(names, fill_value=0).to_numpy("float64")
