"""Win rates: the share of deals won, by group and at the same age of the deals; the days and the money."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.bulk_imports import Imports
from hlkit.analysis.core.charts import Dots
from hlkit.analysis.core.deals import (
    AGES,
    Abandoned,
    common_age_label,
    common_win_rate,
    days_to_win,
    win_columns,
    wins_and_losses,
    wins_at_ages,
)
from hlkit.analysis.core.groups import SMALL, column_or_nulls, per_group, require_columns
from hlkit.analysis.core.headlines import compare_win_rates
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.share_change import ShareChange
from hlkit.analysis.core.shares import share_with_interval
from hlkit.analysis.core.survival import survival_quantiles
from hlkit.analysis.sales.dated_deals import (
    COHORT,
    DEAL_ROWS,
    DEFINITION,
    dated_deals,
    group_or_cohort,
    sort_cohorts,
)
from hlkit.client.schema import COUNT, FLAG, MONEY, NUMBER, SHARE
from hlkit.client.text import many

SHOWN_AGES = (*AGES, 180)  # days


def won_lost_and_open(table: pd.DataFrame) -> str:
    """How many deals are won, lost and open, and the median days to win; for groups, their win rates."""
    if len(table) > 1:
        return compare_win_rates(table)
    row = table.iloc[0]
    days = row["median_days_to_win"]
    counts = f"{row['won']:,} are won, {row['lost']:,} lost, and {row['open']:,} open"
    median = f"; median {_days(days)} to win" if np.isfinite(days) else ""
    return f"Of {many(row['n'], 'deal')}, {counts}{median}."


def _days(days: float) -> str:
    """A number of days, rounded up: 1 day for a deal that was won on the day of its creation."""
    return many(np.ceil(max(days, 1)), "day")


def days_beside(row: pd.Series) -> str:
    """The median days to win, to write beside a win rate."""
    days = row["median_days_to_win"]
    return "no median yet" if pd.isna(days) else f"{_days(days)} to win"


def axis_label(table: pd.DataFrame) -> str:
    """What the chart shows."""
    return f"{common_age_label(table)}; at the right: median days to win"


def newest_month_first(table: pd.DataFrame) -> pd.DataFrame:
    """The rows as they are drawn: months with the newest on top, other groups as in the table."""
    return table.iloc[::-1] if table.columns[0] == COHORT else table


COLUMNS = {
    "n": COUNT,
    "open": COUNT,
    "won": COUNT,
    "lost": COUNT,
    "abandoned": COUNT,
    "closed_at_once": COUNT,
    "win_naive_share": SHARE,
    "win_naive_low": SHARE,
    "win_naive_high": SHARE,
    "open_share": SHARE,
    **win_columns(*SHOWN_AGES),
    "median_days_to_win": NUMBER,
    "median_days_to_close": NUMBER,
    "open_value": MONEY,
    "won_value": MONEY,
    "won_value_mean": MONEY,
    "velocity_per_day": MONEY,
    "small": FLAG,
}


@analysis(
    "How many deals are won, and how fast?",
    columns=COLUMNS,
    chart=Dots(
        common_win_rate,
        axis_label,
        beside=days_beside,
        order="table",
        needs_column="win_30d_share",
        arrange=newest_month_first,
    ),
    headline=won_lost_and_open,
    definition=(
        f"{DEFINITION} Groups are not compared by win_naive_share (won deals of won and lost ones), which depends on "
        "the age of a group's deals. Velocity is open deals x mean value of won deals x expected win share / median "
        "days to win."
    ),
    noun="deals",
    compares=ShareChange("win_30d", "won within 30 days"),
    rows=DEAL_ROWS,
)
def win_rates(
    opportunities: pd.DataFrame,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    by: str | list[str] | None = "source",
    abandoned: Abandoned = "lost",
    imports: Imports = "exclude",
) -> pd.DataFrame:
    """Win rates at fixed ages, sales cycle, value and velocity of deals.

    Parameters
    ----------
    opportunities
        One row per deal: created_at, status, status_changed_at; optional value, stage_changed_at and contact_id.
    by
        A column of the deals to group by, such as source or owner_id; "cohort", the month of the deal's creation in
        the location's time zone; or two of these for a heat map.
    abandoned
        Count abandoned deals as lost, or exclude them.

    Returns
    -------
    One row per group, the largest first: ``n``, ``open``, ``won`` and ``lost`` as of *as_of*, ``abandoned`` (included
    in ``lost``), ``closed_at_once`` (deals that were closed when they were created: 0 days), ``win_naive_share`` (won
    of won and lost), ``open_share`` (of all), ``win_30d_share`` to ``win_180d_share`` (won within so many days, of
    all) with their intervals, ``followed_days`` (the age in days that at least 10 deals have reached),
    ``median_days_to_win`` and ``median_days_to_close`` (days), ``open_value``, ``won_value``, ``won_value_mean`` and
    ``velocity_per_day`` (money, in the location's currency), and ``small`` (fewer than 20 deals).

    Raises
    ------
    MissingColumn

    Source: Kalbfleisch & Prentice, "The Statistical Analysis of Failure Time Data", 2nd ed., 2002, ch. 8;
    HighLevel's opportunities dashboard shows won of won and lost.
    """
    require_columns(opportunities, "created_at", "status", "status_changed_at")
    deals = dated_deals(opportunities, as_of, abandoned, imports)
    groups = group_or_cohort(opportunities, deals, by, timezone)
    return sort_cohorts(per_group(deals, groups, COLUMNS, _summarize), by)


def _summarize(deals: pd.DataFrame) -> dict[str, Any]:
    n, counts = len(deals), deals["status"].value_counts()
    open_, won, lost, abandoned = (int(counts.get(status, 0)) for status in ("open", "won", "lost", "abandoned"))
    lost += abandoned
    wins, losses = wins_and_losses(deals)
    value, is_won = column_or_nulls(deals, "value", MONEY), deals["status"] == "won"
    days, expected_share = days_to_win(wins, losses)
    mean_value = float(value[is_won].mean())
    return {
        "n": n,
        "open": open_,
        "won": won,
        "lost": lost,
        "abandoned": abandoned,
        "closed_at_once": int((deals["closed_at"] <= deals["created_at"]).sum()),
        **share_with_interval("win_naive", won, won + lost),
        "open_share": open_ / n,
        **wins_at_ages(deals, wins, *SHOWN_AGES),
        "median_days_to_win": days,
        "median_days_to_close": survival_quantiles(deals["age"], deals["closed_at"].notna())[0],
        "open_value": _sum_or_null(value[deals["status"] == "open"]),
        "won_value": _sum_or_null(value[is_won]),
        "won_value_mean": mean_value,
        "velocity_per_day": open_ * mean_value * expected_share / days if days > 0 else np.nan,
        "small": n < SMALL,
    }


def _sum_or_null(values: pd.Series) -> float:
    """The sum; null if there are rows but none has a value."""
    return float(values.sum(min_count=1)) if len(values) else 0.0
