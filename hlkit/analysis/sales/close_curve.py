"""Close curve: the share of deals that is won and lost by their age; open deals count for their age so far."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hlkit.analysis.core.bulk_imports import Imports
from hlkit.analysis.core.charts import Curves
from hlkit.analysis.core.deals import AGES, Abandoned, days_to_win, wins_and_losses, wins_at_ages, wins_by_age
from hlkit.analysis.core.groups import ALL, SMALL, assign_groups, group_column_name, rank_by_size, require_columns
from hlkit.analysis.core.headlines import compare_win_rates, percent_with_interval
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import record_rows
from hlkit.analysis.sales.dated_deals import DEAL_ROWS, DEFINITION, dated_deals, group_or_cohort, sort_cohorts
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import COUNT, FLAG, NUMBER, SHARE
from hlkit.client.text import many

MAX_DAYS = 3650  # the curve has a row for each day


def won_by_the_last_day(table: pd.DataFrame) -> str:
    """The shares won, lost and open on the last known day, and the median days; for groups, win rates."""
    if table.iloc[:, 0].nunique() > 1:
        return compare_win_rates(_win_rates_at_ages(table))
    observed = table[table["won_share"].notna()]
    if not len(observed):
        return ""
    last = observed.iloc[-1]
    deals = f"{many(last['n'], 'deal')}{'' if last.iloc[0] == ALL else f' of {last.iloc[0]}'}"
    days = last["median_days_to_win"]
    median = f" (median {many(np.ceil(days), 'day')} to win)" if np.isfinite(days) else ""
    won = f"{percent_with_interval(last, 'won')} are won within {many(last['day'], 'day')}{median}"
    lost = f"{last['lost_share']:.0%} are lost by then, and {last['open_share']:.0%} are still open"
    few = " These are too few to say much." if last["n"] < SMALL else ""
    return f"Of {deals}, {won}; {lost}.{few}"


def _win_rates_at_ages(table: pd.DataFrame) -> pd.DataFrame:
    """One row per group of a curve, with its win rate at each age; null if the curve ends before that age."""
    first = table.columns[0]
    rates = table.drop_duplicates(first)[[first, "followed_days", "small"]].reset_index(drop=True)
    for age in AGES:
        at_age = table[table["day"] == age].set_index(first)
        for part in ("share", "low", "high"):
            rates[f"win_{age}d_{part}"] = at_age[f"won_{part}"].reindex(rates[first]).to_numpy("float64")
    rates.attrs = dict(table.attrs)
    return rates


def axis_label(table: pd.DataFrame) -> str:
    """What the curves show."""
    won = "" if table.iloc[:, 0].nunique() == 1 else " won"
    return f"share of deals{won}, by days since the deal was created; band: 95% interval"


COLUMNS = {
    "day": COUNT,
    "n": COUNT,
    "won_share": SHARE,
    "won_low": SHARE,
    "won_high": SHARE,
    "lost_share": SHARE,
    "lost_low": SHARE,
    "lost_high": SHARE,
    "open_share": SHARE,
    "median_days_to_win": NUMBER,
    "followed_days": NUMBER,
    "small": FLAG,
}


@analysis(
    "How long does it take to win a deal?",
    columns=COLUMNS,
    chart=Curves("day", "won", axis_label, of_one=("won", "lost", "open")),
    headline=won_by_the_last_day,
    definition=DEFINITION,
    noun="deals",
    rows=DEAL_ROWS,
)
def close_curve(
    opportunities: pd.DataFrame,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    by: str | None = None,
    days: int = 180,
    abandoned: Abandoned = "lost",
    imports: Imports = "exclude",
) -> pd.DataFrame:
    """The shares of deals won and lost by their age in days.

    Parameters
    ----------
    opportunities
        One row per deal: created_at, status, status_changed_at; optional stage_changed_at and contact_id.
    by
        A column of the deals to group by, such as source or owner_id; or "cohort", the month of the deal's creation
        in the location's time zone.
    days
        The length of the curve in days after creation; 3,650 at most.
    abandoned
        Count abandoned deals as lost, or exclude them.

    Returns
    -------
    One row per group and ``day`` since creation: ``n`` (deals of the group), ``won_share`` and ``lost_share`` with
    their intervals, and ``open_share``, all three null after the age of the group's oldest deal. The same on each
    day of a group: ``median_days_to_win`` (days), ``followed_days`` (the age in days that at least 10 deals have
    reached) and ``small`` (fewer than 20 deals).

    Raises
    ------
    MissingColumn, InvalidRequest

    Source: Kalbfleisch & Prentice, "The Statistical Analysis of Failure Time Data", 2nd ed., 2002, ch. 8.
    """
    require_columns(opportunities, "created_at", "status", "status_changed_at")
    if days > MAX_DAYS:
        raise InvalidRequest(f"close_curve takes no days={days:,}", hint=f"days is {MAX_DAYS:,} at most: ten years")
    deals = dated_deals(opportunities, as_of, abandoned, imports)
    total = {**wins_at_ages(deals, wins_by_age(deals), *AGES), "small": len(deals) < SMALL}
    deals, keys = assign_groups(deals, group_or_cohort(opportunities, deals, by, timezone))
    column = group_column_name(by, COLUMNS)
    record_rows(deals, keys.to_frame(column if by is None else by), total)
    ages = np.arange(0, int(days) + 1, dtype="float64")
    curves = [pd.DataFrame(columns=[column, *COLUMNS])]
    for name in rank_by_size(keys)[1]:
        curve = _curve(deals[(keys == name).to_numpy()], ages)
        curve.insert(0, column, name)
        curves.append(curve)
    return sort_cohorts(pd.concat(curves[1:] or curves, ignore_index=True), by)


def _curve(deals: pd.DataFrame, ages: np.ndarray) -> pd.DataFrame:
    """The curve of one group, with a row for each age."""
    wins, losses = wins_and_losses(deals)
    observed = np.where(ages <= deals["followed"].max(), ages, np.nan)
    won, won_low, won_high = wins.at(observed)
    lost, lost_low, lost_high = losses.at(observed)
    return pd.DataFrame(
        {
            "day": ages,
            "n": len(deals),
            "won_share": won,
            "won_low": won_low,
            "won_high": won_high,
            "lost_share": lost,
            "lost_low": lost_low,
            "lost_high": lost_high,
            "open_share": np.clip(1 - won - lost, 0, 1),
            "median_days_to_win": days_to_win(wins, losses)[0],
            **wins_at_ages(deals, wins),
            "small": len(deals) < SMALL,
        }
    )
