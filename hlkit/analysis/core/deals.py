"""Deals as of an instant, and the share of them that is won by a fixed age.

Old deals have had more time to be won than young ones, so the share won of all deals, or of the closed ones, depends
on the age of a group's deals. Groups are therefore compared at an age that all of them have reached.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.comparison import comparable
from hlkit.analysis.core.groups import SMALL, column_or_nulls, group_keys, require_columns
from hlkit.analysis.core.office_hours import days_between
from hlkit.analysis.core.run_log import drop_rows, remark
from hlkit.analysis.core.shares import effective_rows_of_group
from hlkit.analysis.core.survival import Incidence, cumulative_incidence
from hlkit.client.schema import INSTANT, NUMBER, SHARE, Kind

CLOSED = ("won", "lost", "abandoned")
AGES = (30, 60, 90)  # days
MIN_DEALS_AT_AGE = 10  # deals of a group that must have reached an age, to compare the group at that age
Abandoned = Literal["lost", "exclude"]


# ---- status as of an instant


def deals_as_of(opportunities: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """All deals, with their ``status`` as of *as_of*, ``closed_at``, ``age`` and ``followed``.

    A deal that closed after *as_of* is open. A closed deal without a closing date is taken to have closed when its
    stage last changed. ``age`` is the number of days from creation until the deal closed, or until *as_of* if it is
    open; ``followed`` is the number of days from creation to *as_of*. Both are null if unknown.
    """
    status = opportunities["status"].str.strip().str.lower()
    created = column_or_nulls(opportunities, "created_at", INSTANT)
    closed_at = column_or_nulls(opportunities, "status_changed_at", INSTANT)
    closed = status.isin(CLOSED)
    undated = closed & closed_at.isna()
    if undated.any() and "stage_changed_at" in opportunities:
        closed_at = closed_at.where(~undated, opportunities["stage_changed_at"])
        if dated := int((undated & closed_at.notna()).sum()):
            remark(f"{dated:,} closed deals without a date are taken to have closed when their stage last changed.")
    closed_at = closed_at.where(closed)
    later = (closed_at > as_of).fillna(False)
    if later.any():
        remark("Deals that closed after as_of count as open.")
    status, closed_at = status.mask(later, "open"), closed_at.mask(later)
    age = days_between(created, closed_at.where(status != "open", as_of))
    return opportunities.assign(
        status=status,
        closed_at=closed_at,
        age=age.where(status.isin(("open", *CLOSED))),
        followed=days_between(created, as_of),
    )


def dated_deals_as_of(opportunities: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """``deals_as_of``, without deals of unknown creation date, status or closing date, which are counted."""
    require_columns(opportunities, "created_at", "status", "status_changed_at")
    deals = drop_rows(opportunities, opportunities["created_at"].isna(), "opportunities without a date")
    status = deals["status"].str.strip().str.lower()
    deals = drop_rows(deals, ~status.isin(("open", *CLOSED)), "opportunities of unknown status")
    deals = deals_as_of(deals, as_of)
    return drop_rows(deals, deals["age"].isna(), "closed opportunities without a closing date")


def deal_group_keys(opportunities: pd.DataFrame, deals: pd.DataFrame, by: Hashable) -> Any:
    """The values to group *deals* by: their status as of the instant, or any other column of *opportunities*."""
    return group_keys(deals if by == "status" else opportunities, by)


def without_abandoned(deals: pd.DataFrame, abandoned: Abandoned) -> pd.DataFrame:
    """*deals*, unchanged if abandoned ones count as lost, otherwise without them; dropped rows are counted."""
    return (
        deals if abandoned == "lost" else drop_rows(deals, deals["status"] == "abandoned", "abandoned opportunities")
    )


# ---- win rates


def wins_and_losses(deals: pd.DataFrame, weight: Any = None) -> tuple[Incidence, Incidence]:
    """The share of deals won, and the share lost or abandoned, by age in days (Aalen-Johansen).

    If several deals belong to one contact (``contact_id``), the intervals are wider, as such deals resemble each
    other. *weight* is how many deals each row counts for.
    """
    is_won, worth = deals["status"] == "won", _worth(deals)
    return _incidence(deals, is_won, worth, weight), _incidence(deals, ~is_won, worth, weight)


def wins_by_age(deals: pd.DataFrame) -> Incidence:
    """The share of deals won by age in days, as in ``wins_and_losses``."""
    return _incidence(deals, deals["status"] == "won", _worth(deals))


def _incidence(deals: pd.DataFrame, so: pd.Series, worth: float, weight: Any = None) -> Incidence:
    return cumulative_incidence(deals["age"], deals["status"].isin(CLOSED), so, weight, worth)


def _worth(deals: pd.DataFrame) -> float:
    """How many independent deals each deal is worth: 1 if each belongs to a different contact."""
    if "contact_id" not in deals or not deals["contact_id"].dropna().duplicated().any():
        return 1.0
    return effective_rows_of_group(deals["status"] == "won", deals["contact_id"])[0] / len(deals)


def days_to_win(wins: Incidence, losses: Incidence) -> tuple[float, float]:
    """The median days to win, and the share of deals that is eventually won.

    Deals still open at the end of the curve are assumed to be won as often as closed ones. The median is the age by
    which half of all these wins have happened; NaN if fewer than half of them have been observed.
    """
    if not len(wins.times) or wins.share[-1] == 0:
        return np.nan, np.nan if not len(wins.times) or losses.share[-1] == 0 else 0.0
    eventual = float(wins.share[-1] / (wins.share[-1] + losses.share[-1]))
    reached = np.flatnonzero(wins.share >= eventual / 2 - 1e-12)
    return (float(wins.times[reached[0]]) if len(reached) else np.nan), eventual


def win_columns(*ages: int) -> dict[str, Kind]:
    """The columns of ``wins_at_ages``, the largest age first: it is usually the most useful."""
    parts = ("share", "low", "high")
    wins = {f"win_{age}d_{part}": SHARE for age in sorted(ages, reverse=True) for part in parts}
    return {**wins, "followed_days": NUMBER}


def wins_at_ages(deals: pd.DataFrame, wins: Incidence, *ages: int) -> dict[str, float]:
    """``win_30d_share`` and so on, with intervals: the share of *deals* won by each of the *ages* in days.

    NaN at an age that no deal has reached. ``followed_days`` is the age that at least 10 deals have reached; NaN if
    fewer than 20 deals have a known age.
    """
    followed = np.sort(deals.loc[deals["age"].notna(), "followed"].to_numpy("float64"))
    oldest = float(followed[-1]) if len(followed) else np.nan
    shares = {"followed_days": float(followed[-MIN_DEALS_AT_AGE]) if len(followed) >= SMALL else np.nan}
    for age in ages:
        # If the oldest deal is closed, the estimate itself has no end.
        parts = zip(("share", "low", "high"), wins.at(age if age <= oldest else np.nan), strict=True)
        shares |= {f"win_{age}d_{part}": float(value) for part, value in parts}
    return shares


def at_common_age(table: pd.DataFrame) -> tuple[int | None, pd.DataFrame, pd.DataFrame]:
    """The age in days at which to compare the groups of *table*, those groups, and the groups that are too young.

    The age is the largest of 30, 60 and 90 days that every group followed for at least 30 days has reached; None if
    there is no such group.
    """
    groups = comparable(table).dropna(subset=["followed_days"])
    is_old = groups[f"win_{AGES[0]}d_share"].notna() & (groups["followed_days"] >= AGES[0])
    old, young = groups[is_old], groups[~is_old]
    reached = [age for age in AGES if (old["followed_days"] >= age).all() and old[f"win_{age}d_share"].notna().all()]
    return (max(reached) if len(old) else None), old, young


def common_win_rate(table: pd.DataFrame) -> str:
    """The share by which the groups of *table* are compared: won within 30, 60 or 90 days."""
    return f"win_{at_common_age(table)[0] or AGES[0]}d"


def common_age_label(table: pd.DataFrame) -> str:
    """The label of that share."""
    return f"deals won within {at_common_age(table)[0] or AGES[0]} days, with 95% interval"
