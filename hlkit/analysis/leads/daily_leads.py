"""Leads counted by day with what the model expects, and by day, week or month beside the period before."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.groups import rank_by_size
from hlkit.analysis.core.office_hours import WEEKDAYS
from hlkit.analysis.leads.expected_leads import MODEL, UNUSUAL, change_interval, fit_days
from hlkit.client.errors import InvalidRequest

Every = Literal["day", "week", "month"]
MAX_DAYS = 2_000_000  # of all groups together
# How much later the day is that each day is compared with.
STEP: dict[Every, Any] = {"day": pd.Timedelta(days=7), "week": pd.Timedelta(days=7), "month": pd.DateOffset(months=1)}


def count_days(dates: pd.Series, groups: pd.Series, end: pd.Timestamp) -> pd.DataFrame:
    """One row per day of each group, from its first lead until *end*: ``group``, ``date``, ``leads`` and the model.

    *dates* are the days of the leads, all before *end*, and *groups* their groups. The largest group is first.
    """
    codes, names = rank_by_size(groups)
    by_group = dates.groupby(pd.Series(codes, index=dates.index))
    if (end - by_group.min()).dt.days.sum() > MAX_DAYS:
        raise InvalidRequest(
            f"there are {len(names):,} groups, too many for a row per group and day",
            hint="choose a column with fewer values, such as source",
        )
    parts = []
    for name, (_, of_group) in zip(names, by_group, strict=True):
        days = pd.date_range(of_group.min(), end, freq="D", inclusive="left", unit="us")
        leads = of_group.value_counts().reindex(days, fill_value=0).to_numpy()
        model = fit_days(leads.astype("float64"), days.day_of_week.to_numpy("int64"))
        parts.append(model.assign(group=name, date=days, leads=leads))
    none = pd.DataFrame(columns=[*MODEL, "leads"], dtype="float64").assign(group="", date=dates[:0])
    return pd.concat(parts or [none], ignore_index=True)


def period_start(dates: pd.Series, every: Every) -> pd.Series:
    """The first day of the day, week or month of each date. Weeks start on Monday."""
    if every == "day":
        return dates
    days = dates.dt.day_of_week if every == "week" else dates.dt.day - 1
    start: pd.Series = (dates - pd.to_timedelta(days, unit="D")).dt.as_unit("us")
    return start


def by_period(days: pd.DataFrame, every: Every) -> pd.DataFrame:
    """One row per group and period of the table of ``count_days``, each compared with the period before.

    A day is compared with the same weekday a week earlier, a week with the same weekdays of the week before, a month
    with the month before; an incomplete month only with the same days of it. Only days have a weekday, an expected
    range and the flag ``anomaly``.
    """
    later = (days["date"] + STEP[every]).dt.as_unit("us")
    is_counted = later <= days["date"].max()
    now = _sums(days, period_start(days["date"], every))
    before = _sums(days[is_counted], period_start(later[is_counted], every))
    table = now.merge(before, on=["group", "date"], how="left", suffixes=("", "_before"))
    # The period before counts only if the group existed since its first day.
    has_before = table["date"] - STEP[every] >= table.groupby("group")["first"].transform("min")
    is_fitted = table["fitted_days"] == table["days"]
    table = table.assign(
        whole=table["days"] == _days_in_period(table["date"], every),
        before=table["leads_before"].where(has_before),
        dispersion=table["dispersion"].where(is_fitted),
    )
    is_tested = is_fitted & has_before & (table["fitted_days_before"] == table["days_before"])
    return table.assign(**_change(table, is_tested), **_of_days(days, every))


def _sums(days: pd.DataFrame, start: pd.Series) -> pd.DataFrame:
    """The sums of the *days* of each group by the *start* of their period, which becomes the ``date``."""
    days = days.assign(first=days["date"], date=start)
    return days.groupby(["group", "date"], sort=False, as_index=False).agg(
        leads=("leads", "sum"),
        days=("leads", "size"),
        first=("first", "min"),
        fitted_days=("dispersion", "count"),
        dispersion=("dispersion", "first"),
    )


def _days_in_period(dates: pd.Series, every: Every) -> Any:
    return dates.dt.days_in_month if every == "month" else {"day": 1, "week": 7}[every]


def _change(table: pd.DataFrame, is_tested: pd.Series) -> dict[str, pd.Series]:
    """The change in leads a day from the period before (the ratio minus 1), with an interval if it *is_tested*."""
    before = table["before"].where(table["before"] > 0)
    length = table["days"] / table["days_before"]
    low, high = change_interval(table["leads"], before, table["dispersion"], length)
    index = table.index
    return {
        "change": table["leads"] / before / length - 1,
        "change_low": pd.Series(low - 1, index).where(is_tested),
        "change_high": pd.Series(high - 1, index).where(is_tested),
    }


def _of_days(days: pd.DataFrame, every: Every) -> dict[str, Any]:
    """The columns that only days have; null for weeks and months."""
    columns = ("weekday", "expected", "low", "high", "z", "anomaly")
    if every != "day":
        return dict.fromkeys(columns)
    weekday = np.array([name[:3] for name in WEEKDAYS], dtype=object)[days["date"].dt.day_of_week]
    is_unusual = (days["z"].abs() > UNUSUAL).astype("boolean").mask(days["z"].isna())
    return {**{name: days[name] for name in columns if name in days}, "weekday": weekday, "anomaly": is_unusual}
