"""The headlines of lead volume: by day, week and month, in all and by group."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hlkit.analysis.core.date_text import format_date
from hlkit.analysis.core.groups import UNNAMED
from hlkit.analysis.core.headlines import largest_group, option_value
from hlkit.analysis.core.run_log import as_mask
from hlkit.analysis.leads.expected_leads import significance
from hlkit.client.schema import TEXT
from hlkit.client.text import many

RECENT = 28  # days: whole weeks


def volume_headline(table: pd.DataFrame) -> str:
    """The leads of the last period and of the one before, whether they differ, and unusual days; or by group."""
    is_grouped = table.iloc[:, 0].nunique() > 1
    if option_value(table, "every") in ("week", "month"):
        return _last_of_groups(table) if is_grouped else _last_period(table)
    parts = [_most_leads(table), _unusual_in_groups(table)] if is_grouped else [_recent(table), _unusual(table)]
    return " ".join(f"{part}." for part in parts if part)


# ---- days


def _recent(table: pd.DataFrame) -> str:
    """Leads a day in the last 28 days and in the 28 before, and whether the change is significant."""
    age = (table["date"].max() - table["date"]).dt.days
    if age.max() < 2 * RECENT - 1:
        return f"{many(table['leads'].sum(), 'lead')} in {many(len(table), 'day')}, {significance(0, 0, np.nan)}"
    recent, earlier = table[age < RECENT], table[(age >= RECENT) & (age < 2 * RECENT)]
    leads, before = int(recent["leads"].sum()), int(earlier["leads"].sum())
    dispersion = pd.concat([earlier["dispersion"], recent["dispersion"]]).min(skipna=False)
    return (
        f"{leads / RECENT:,.1f} leads a day in the last {RECENT} days, vs. {before / RECENT:,.1f} in the "
        f"{RECENT} days before, {significance(leads, before, dispersion)}"
    )


def _unusual(table: pd.DataFrame) -> str:
    """How many days were unusual, and the latest of them."""
    unusual = table[as_mask(table["anomaly"])]
    if not len(unusual):
        return _count_unusual(table) if table["anomaly"].notna().any() else ""
    day = unusual.sort_values("date").iloc[-1]
    latest = f"{format_date(day['date'])}, with {many(day['leads'], 'lead')} ({day['expected']:,.0f} expected)"
    return f"{_count_unusual(table)}{', the latest on' if len(unusual) > 1 else ':'} {latest}"


def _count_unusual(table: pd.DataFrame) -> str:
    count = int(as_mask(table["anomaly"]).sum())
    return f"{many(count, 'day') if count else 'No days'} {'was' if count == 1 else 'were'} unusual"


def _most_leads(table: pd.DataFrame) -> str:
    recent = table[table["date"] > table["date"].max() - pd.Timedelta(days=RECENT)]
    sums = recent.groupby(table.columns[0], sort=False, as_index=False)["leads"].sum()
    group = largest_group(sums.astype({table.columns[0]: TEXT.dtype}), "leads")
    return f"Most leads in the last {RECENT} days: {group}" if group else ""


def _unusual_in_groups(table: pd.DataFrame) -> str:
    if not table["anomaly"].notna().any():
        return ""
    return f"{_count_unusual(table)} for {'its' if as_mask(table['anomaly']).sum() == 1 else 'their'} group"


# ---- weeks and months


def _last_period(table: pd.DataFrame) -> str:
    """Leads in the last full week or month and in the one before, and whether the change is significant."""
    every, whole = option_value(table, "every"), table[as_mask(table["whole"])]
    if not len(whole):
        return f"{many(table['leads'].sum(), 'lead')} so far, in less than a full {every}."
    last = whole.iloc[-1]
    leads = f"{many(last['leads'], 'lead')} {_period(last, every)}"
    if pd.isna(last["before"]):
        return f"{leads}."
    leads += f" ({last['leads'] / _days(last, every):,.1f} a day)" if every == "month" else ""
    before, change = _before(last, every)
    return f"{leads}, vs. {before} the {every} before, {change}."


def _last_of_groups(table: pd.DataFrame) -> str:
    """The group with the most leads in the last full week or month, and whether its change is significant."""
    every, whole = option_value(table, "every"), table[as_mask(table["whole"])]
    last = whole[whole["date"] == whole["date"].max()]
    if not len(last):
        return f"No group has a full {every} yet."
    group = largest_group(last, "leads")
    if not group:
        return f"No leads with a known group {_period(last.iloc[0], every)}."
    named = last[~last.iloc[:, 0].isin(UNNAMED)]
    most = named[named["leads"] == named["leads"].max()]
    sentence = f"Most leads {_period(last.iloc[0], every)}: {group}."
    if len(most) > 1 or pd.isna(most["before"].iloc[0]):
        return sentence
    row = most.iloc[0]
    before, change = _before(row, every)
    return f"{sentence} The {every} before, {row.iloc[0]} had {before}: {change}."


def _period(row: pd.Series, every: str) -> str:
    return f"in {row['date']:%B %Y}" if every == "month" else f"in the week of {format_date(row['date'])}"


def _before(row: pd.Series, every: str) -> tuple[str, str]:
    """The leads of the period before, and whether the change from them is significant."""
    days, days_before = _days(row, every), _days(row, every, back=1)
    dispersion = row["dispersion"] if row["before"] == 0 or pd.notna(row["change_low"]) else np.nan
    rate = f" ({row['before'] / days_before:,.1f} a day)" if every == "month" else ""
    change = significance(row["leads"], row["before"], dispersion, days / days_before)
    return f"{row['before']:,}{rate}", change


def _days(row: pd.Series, every: str, back: int = 0) -> int:
    """The number of days in the period of a row, or in the one before."""
    return int((row["date"] - pd.DateOffset(months=back)).days_in_month) if every == "month" else 7
