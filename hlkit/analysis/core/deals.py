"""Deals as they were at some instant, and the share of them that is won at a fixed age.

Old deals have had more time to be won than young ones, so a share of all deals, or of those that have ended, depends
on how old a group's deals are. Groups are compared at one age that all of them have reached.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.comparison import comparable
from hlkit.analysis.core.groups import (
    SMALL,
    column_or_nulls,
    days_between,
    effective_rows_of_group,
    group_keys,
    require_columns,
)
from hlkit.analysis.core.run_log import drop_rows, remark
from hlkit.analysis.core.survival import Incidence, cumulative_incidence
from hlkit.client.schema import INSTANT, NUMBER, SHARE, Kind

CLOSED = ("won", "lost", "abandoned")
AGES = (30, 60, 90)  # days
ENOUGH = 10  # deals of a group that have reached an age, to compare it there
Abandoned = Literal["lost", "exclude"]


# ---- what they were


def deals_as_of(opportunities: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The deals with their ``status`` at *as_of*, ``closed_at``, ``age`` and ``watched``; none is left out.

    A deal that closed later than *as_of* was open then. One that is closed without a date closed when its stage last
    changed. ``age`` is the days from its creation until it closed, or else to *as_of*; ``watched`` are the days to
    *as_of* in any case; both are null where they are not known.
    """
    status = opportunities["status"].str.strip().str.lower()
    created = column_or_nulls(opportunities, "created_at", INSTANT)
    closed_at = column_or_nulls(opportunities, "status_changed_at", INSTANT)
    closed = status.isin(CLOSED)
    undated = closed & closed_at.isna()
    if undated.any() and "stage_changed_at" in opportunities:
        closed_at = closed_at.where(~undated, opportunities["stage_changed_at"])
        if guessed := int((undated & closed_at.notna()).sum()):
            remark(f"{guessed:,} closed without a date: taken to have closed when their stage last changed.")
    closed_at = closed_at.where(closed)
    later = (closed_at > as_of).fillna(False)
    if later.any():
        remark("Deals that closed later than as_of count as open.")
    status, closed_at = status.mask(later, "open"), closed_at.mask(later)
    age = days_between(created, closed_at.where(status != "open", as_of))
    return opportunities.assign(
        status=status,
        closed_at=closed_at,
        age=age.where(status.isin(("open", *CLOSED))),
        watched=days_between(created, as_of),
    )


def dated_deals_as_of(opportunities: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The same, without those that have no date of creation, no known status, or closed at an unknown time."""
    require_columns(opportunities, "created_at", "status", "status_changed_at")
    deals = drop_rows(opportunities, opportunities["created_at"].isna(), "opportunities without a date")
    status = deals["status"].str.strip().str.lower()
    deals = drop_rows(deals, ~status.isin(("open", *CLOSED)), "opportunities of no known status")
    deals = deals_as_of(deals, as_of)
    return drop_rows(deals, deals["age"].isna(), "closed opportunities without a date of it")


def deal_group_keys(opportunities: pd.DataFrame, deals: pd.DataFrame, by: Hashable) -> pd.Series | None:
    """What *deals* are grouped by: their status as they were, any other column as *opportunities* have it."""
    return group_keys(deals if by == "status" else opportunities, by)


def without_abandoned(deals: pd.DataFrame, abandoned: Abandoned) -> pd.DataFrame:
    """*deals*, as they were, in which abandoned ones are lost, or are left out and counted."""
    return (
        deals if abandoned == "lost" else drop_rows(deals, deals["status"] == "abandoned", "abandoned opportunities")
    )


# ---- what became of them


def wins_and_losses(deals: pd.DataFrame, weight: Any = None) -> tuple[Incidence, Incidence]:
    """By age, the share of the deals that is won, and the share that is lost or abandoned (Aalen-Johansen).

    Deals of one contact (``contact_id``, if there) are taken to be as alike as they are in being won.
    """
    won, worth = deals["status"] == "won", _worth(deals)
    return _ended(deals, won, worth, weight), _ended(deals, ~won, worth, weight)


def wins_by_age(deals: pd.DataFrame) -> Incidence:
    """The first of these alone."""
    return _ended(deals, deals["status"] == "won", _worth(deals))


def _ended(deals: pd.DataFrame, so: pd.Series, worth: float, weight: Any = None) -> Incidence:
    return cumulative_incidence(deals["age"], deals["status"].isin(CLOSED), so, weight, worth)


def _worth(deals: pd.DataFrame) -> float:
    """How many independent deals each is worth: 1 where each is of another contact."""
    if "contact_id" not in deals or not deals["contact_id"].dropna().duplicated().any():
        return 1.0
    return effective_rows_of_group(deals["status"] == "won", deals["contact_id"])[0] / len(deals)


def days_to_win(wins: Incidence, losses: Incidence) -> tuple[float, float]:
    """The days until half of the wins to be expected have come, and the share that is won in the end.

    What is open at the end of the curve is taken to be won in the share of what closed; null where fewer than
    half of those wins have been seen.
    """
    if not len(wins.times) or wins.share[-1] == 0:
        return np.nan, np.nan if not len(wins.times) or losses.share[-1] == 0 else 0.0
    in_the_end = float(wins.share[-1] / (wins.share[-1] + losses.share[-1]))
    reached = np.flatnonzero(wins.share >= in_the_end / 2 - 1e-12)
    return (float(wins.times[reached[0]]) if len(reached) else np.nan), in_the_end


def win_columns(*ages: int) -> dict[str, Kind]:
    """The columns of ``wins_at_ages``, the largest age first: most often it is the one to look at."""
    parts = ("share", "low", "high")
    wins = {f"win_{age}d_{part}": SHARE for age in sorted(ages, reverse=True) for part in parts}
    return {**wins, "followed_days": NUMBER}


def wins_at_ages(deals: pd.DataFrame, wins: Incidence, *ages: int) -> dict[str, float]:
    """``win_30d_share`` and the like with their intervals: of all *deals*, the share won at each age, in days.

    Null at an age that none of them has reached. ``followed_days`` is the age that at least 10 of them have reached;
    null where fewer than 20 deals have a known age.
    """
    watched = deals.loc[deals["age"].notna(), "watched"].to_numpy("float64")
    oldest = float(watched.max()) if len(watched) else np.nan
    shares = {"followed_days": float(np.partition(watched, -ENOUGH)[-ENOUGH]) if len(watched) >= SMALL else np.nan}
    for age in ages:
        # Where the oldest deal has closed, the estimate would go on for ever.
        parts = zip(("share", "low", "high"), wins.at(age if age <= oldest else np.nan), strict=True)
        shares |= {f"win_{age}d_{part}": float(number) for part, number in parts}
    return shares


def at_common_age(table: pd.DataFrame) -> tuple[int | None, pd.DataFrame, pd.DataFrame]:
    """The age in days at which the groups of *table* are compared, those groups, and those followed for too short.

    It is the largest of 30, 60 and 90 days that every group followed for 30 days has reached; None if none has been.
    """
    groups = comparable(table).dropna(subset=["followed_days"])
    known = groups[f"win_{AGES[0]}d_share"].notna() & (groups["followed_days"] >= AGES[0])
    old, young = groups[known], groups[~known]
    reached = [age for age in AGES if (old["followed_days"] >= age).all() and old[f"win_{age}d_share"].notna().all()]
    return (max(reached) if len(old) else None), old, young
