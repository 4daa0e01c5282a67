"""The leads of two periods side by side, tested by how much days vary in all of the history."""

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
        "account how much days vary, as seen in all days since leads became regular: without 8 weeks of 1 lead a "
        "day, or with very few leads in either period, it is not tested. The p-values of groups are corrected for "
        "their number (Holm)."
    )
    needs_history = True
    fixed_options = ("every",)

    @property
    def columns(self) -> dict[str, Kind]:
        counts = dict.fromkeys(("leads", "leads_before", "days", "days_before"), COUNT)
        changes = dict.fromkeys(("change", "change_low", "change_high"), CHANGE)
        return {**counts, **changes, "p": NUMBER, "significant": FLAG}

    def other_runs(self, before: Span) -> list[dict[str, Any]]:
        return [{"since": None, "until": None, "by": None}]

    def compared(self, tables: Sequence[pd.DataFrame], now: Span, before: Span, zone: ZoneInfo) -> pd.DataFrame:
        by_group, everything = tables
        key = by_group.columns[0]
        everything = everything.set_axis([key, *everything.columns[1:]], axis=1)
        is_grouped = len(by_group) and by_group[key].iloc[0] != ALL
        days = pd.concat([everything, by_group], ignore_index=True) if is_grouped else everything
        periods = [span.whole_days(zone) for span in (now, before)]
        length, length_before = (max(0, (end - begin).days) for begin, end in periods)
        is_in = [days["date"].ge(begin) & days["date"].lt(end) for begin, end in periods]
        table = pd.DataFrame({key: days[key].unique()}).astype(days[key].dtype)
        leads, leads_before = (
            days["leads"].where(mask, 0).groupby(days[key]).sum().reindex(table[key]).astype("float64").to_numpy()
            for mask in is_in
        )
        if not len(days) or days["date"].min() > periods[1][0] or not length or not length_before:
            leads_before = np.full(len(table), np.nan)  # not all of the earlier period was counted
        fitted = days[is_in[0] | is_in[1]].groupby(key)["dispersion"]
        dispersion = fitted.min().where(fitted.count() == length + length_before).reindex(table[key]).to_numpy()
        ratio = length / length_before if length_before else np.nan
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = change_interval(leads, leads_before, dispersion, ratio)
            change = np.where(leads_before > 0, leads / leads_before / ratio - 1, np.nan)
        table = table.assign(
            leads=leads,
            leads_before=leads_before,
            days=length,
            days_before=length_before,
            change=change,
            change_low=np.where(leads_before > 0, low - 1, np.nan),
            change_high=np.where(leads_before > 0, high - 1, np.nan),
            p=change_p(leads, leads_before, dispersion, ratio),
        )
        has_leads = leads + np.nan_to_num(leads_before) > 0
        return table[has_leads | table[key].eq(ALL).to_numpy(dtype=bool)]

    def sentence(self, everything: pd.Series, noun: str, when: str) -> str:
        leads = f"{many(everything['leads'], 'lead')} in {many(everything['days'], 'day')}"
        if pd.isna(everything["leads_before"]):
            return f"Nothing to compare: {leads}, and no complete record {when}."
        before = f"{everything['leads_before']:,} {when}"
        if everything["days_before"] != everything["days"]:
            before += f" ({many(everything['days_before'], 'day')})"
        return f"{leads}, vs. {before}; {change_text(everything)}."

    def of_group(self, row: pd.Series) -> str:
        return f"{row.iloc[0]} went from {row['leads_before']:,} to {row['leads']:,}"

    def chart(self, noun: str) -> PeriodBars:
        return PeriodBars("leads", "leads in the period; diamond: the earlier period")
