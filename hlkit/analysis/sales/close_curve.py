"""Close curve: how many deals are won, and how long it takes, with the deals that are still open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.bulk_imports import Imports, drop_imports
from hlkit.analysis.core.charts import (
    BLUE,
    GRAY,
    INK,
    ORANGE,
    PALE,
    PALETTE,
    dot_plot,
    draw_gridlines,
    draw_points,
    format_percent,
    top_groups,
)
from hlkit.analysis.core.deals import (
    AGES,
    Abandoned,
    at_common_age,
    dated_deals_as_of,
    days_to_win,
    deal_group_keys,
    win_columns,
    wins_and_losses,
    wins_at_ages,
    without_abandoned,
)
from hlkit.analysis.core.groups import ALL, SMALL, column_or_nulls, per_group, require_columns, share_with_interval
from hlkit.analysis.core.headlines import compare_win_rates, percent_with_interval
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import remark
from hlkit.analysis.core.survival import survival_quantiles
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import COUNT, FLAG, MONEY, NUMBER, SHARE
from hlkit.client.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COHORT = "cohort"
MOST_DAYS = 3650  # of a curve, which has a row for each
_AT = (*AGES, 180)  # days
_LINES = 6  # groups in one chart of curves: more would not be told apart


@analysis(
    "How many deals are won, and how long does it take?",
    columns={
        "curve": {
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
        },
        "summary": {
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
            **win_columns(*_AT),
            "median_days_to_win": NUMBER,
            "median_days_to_close": NUMBER,
            "open_value": MONEY,
            "won_value": MONEY,
            "won_value_mean": MONEY,
            "velocity_per_day": MONEY,
            "small": FLAG,
        },
    },
    definition=(
        "Of all deals, the share that is won, and lost or abandoned, within so many days of being made. A deal that "
        "is still open counts for as long as it has been watched, and a lost one can no longer be won "
        "(Aalen-Johansen); intervals are 95% Wilson at the effective number of deals. Abandoned deals: {abandoned}. "
        "Groups are compared at one age, the largest of 30, 60 and 90 days that at least 10 deals of each have "
        "reached: win_naive_share, won of won and lost, depends on how old a group's deals are, and nothing is "
        "concluded from it. The median days to win are those until half of the wins to be expected have come, if "
        "open deals are won as often as closed ones. Velocity is open deals x mean value of a won one x share won in "
        "the end / median days to win."
    ),
    noun="deals",
)
def close_curve(
    opportunities: pd.DataFrame,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    by: str | None = None,
    show: Literal["curve", "summary"] = "curve",
    days: int = 180,
    abandoned: Abandoned = "lost",
    imports: Imports = "exclude",
) -> pd.DataFrame:
    """Shares of deals won and lost by their age, and what follows: win rates, sales cycle, velocity.

    Takes one row per deal (created_at, status, status_changed_at; value and stage_changed_at where there are,
    *by*). The curve gives one row per group and ``day`` since creation: ``n`` (deals of the group),
    ``won_share`` and ``lost_share`` with their intervals, ``open_share``; null beyond the oldest deal of the group;
    and, the same on each day, ``median_days_to_win`` (days).
    The summary gives one row per group: ``n``, ``open``, ``won`` and ``lost`` as of *as_of*, ``abandoned`` (of the
    lost), ``closed_at_once`` (deals that were closed when they were created: 0 days), ``win_naive_share`` (won of
    won and lost), ``open_share`` (of all), ``win_30d_share`` to ``win_180d_share`` (won within so many days, of all),
    ``median_days_to_win`` and ``median_days_to_close`` (days), ``open_value``, ``won_value``,
    ``won_value_mean`` and ``velocity_per_day`` (money, in the location's currency). In both, ``followed_days`` is
    the age that at least 10 deals have reached. Raises ``MissingColumn``.

    Parameters
    ----------
    by
        A column of the deals to group by, such as source or owner_id; or cohort, the month in which each was
        made, in the location's zone.
    show
        The curve over time, or its summary: one row per group.
    days
        How many days after creation the curve ends; 3,650 at most.
    abandoned
        Abandoned deals count as lost, or are left out.

    Source: Kalbfleisch & Prentice, "The Statistical Analysis of Failure Time Data", 2nd ed., 2002, ch. 8;
    HighLevel's opportunities dashboard shows won of won and lost.
    """
    require_columns(opportunities, "created_at", "status", "status_changed_at")
    deals = without_abandoned(dated_deals_as_of(opportunities, as_of), abandoned)
    deals = drop_imports(deals, imports, "opportunities")
    if by == COHORT and COHORT not in opportunities:
        key = deals["created_at"].dt.tz_convert(timezone).dt.strftime("%Y-%m").rename(COHORT)
    else:
        key = deal_group_keys(opportunities, deals, by)
    _tell_reopened(deals, as_of)

    declared = close_curve.columns_of(show)
    if show == "summary":
        return _in_order(per_group(deals, key, declared, _summary), by)
    if days > MOST_DAYS:
        raise InvalidRequest(f"close_curve takes no days={days:,}", hint=f"days is {MOST_DAYS:,} at most: ten years")
    grid = np.arange(0, int(days) + 1, dtype="float64")
    table = per_group(deals, key, declared, lambda group: _curve(group, grid))
    return _in_order(table, by).explode(list(declared), ignore_index=True)


def _tell_reopened(deals: pd.DataFrame, as_of: pd.Timestamp) -> None:
    """An open deal whose status changed after it was made had been closed: when and how is not kept."""
    changed = deals["status_changed_at"]
    changed = (changed - deals["created_at"] > pd.Timedelta(minutes=1)) & (changed <= as_of)
    reopened = int((changed & (deals["status"] == "open")).sum())
    if reopened:
        remark(f"{reopened:,} open deals seem to have been closed before: they count as open all along.")


def _curve(deals: pd.DataFrame, grid: np.ndarray) -> dict[str, Any]:
    wins, losses = wins_and_losses(deals)
    seen = np.where(grid <= deals["watched"].max(), grid, np.nan)
    of_group = {"median_days_to_win": days_to_win(wins, losses)[0], **wins_at_ages(deals, wins)}
    won, won_low, won_high = wins.at(seen)
    lost, lost_low, lost_high = losses.at(seen)
    return {
        "day": grid,
        "n": np.full(len(grid), len(deals)),
        "won_share": won,
        "won_low": won_low,
        "won_high": won_high,
        "lost_share": lost,
        "lost_low": lost_low,
        "lost_high": lost_high,
        "open_share": np.clip(1 - won - lost, 0, 1),
        **{name: np.full(len(grid), value) for name, value in of_group.items()},
        "small": np.full(len(grid), len(deals) < SMALL),
    }


def _summary(deals: pd.DataFrame) -> dict[str, Any]:
    n, counts = len(deals), deals["status"].value_counts()
    open_, won, lost, abandoned = (int(counts.get(status, 0)) for status in ("open", "won", "lost", "abandoned"))
    lost += abandoned
    wins, losses = wins_and_losses(deals)
    value = column_or_nulls(deals, "value", MONEY)
    is_won = deals["status"] == "won"
    to_win, in_the_end = days_to_win(wins, losses)
    mean = float(value[is_won].mean())
    return {
        "n": n,
        "open": open_,
        "won": won,
        "lost": lost,
        "abandoned": abandoned,
        "closed_at_once": int((deals["closed_at"] <= deals["created_at"]).sum()),
        **share_with_interval("win_naive", won, won + lost),
        "open_share": open_ / n,
        **wins_at_ages(deals, wins, *_AT),
        "median_days_to_win": to_win,
        "median_days_to_close": survival_quantiles(deals["age"], deals["closed_at"].notna())[0],
        "open_value": _total(value[deals["status"] == "open"]),
        "won_value": _total(value[is_won]),
        "won_value_mean": mean,
        "velocity_per_day": open_ * mean * in_the_end / to_win if to_win > 0 else np.nan,
        "small": n < SMALL,
    }


def _total(values: pd.Series) -> float:
    """Their sum; null where there are rows and none has a value."""
    return float(values.sum(min_count=1)) if len(values) else 0.0


def _in_order(table: pd.DataFrame, by: str | None) -> pd.DataFrame:
    """Cohorts by their month; other groups stay as they are, largest first."""
    return table.sort_values(table.columns[0], kind="stable") if by == COHORT else table


# ---- its answers


@close_curve.headline_for(show="curve")
def how_many_are_won(table: pd.DataFrame) -> str:
    """What became of the deals by the last day that is known, and when half of those wins had come."""
    if table.iloc[:, 0].nunique() > 1:
        return compare_win_rates(_at_ages(table))
    known = table[table["won_share"].notna()]
    if not len(known):
        return ""
    groups = known.iloc[:, 0]
    last = known.iloc[-1]
    deals = f"{many(last['n'], 'deal')}{'' if groups.iloc[0] == ALL else f' of {groups.iloc[0]}'}"
    days = last["median_days_to_win"]
    median = f" (median {many(np.ceil(days), 'day')} to win)" if np.isfinite(days) else ""
    won = f"{percent_with_interval(last, 'won')} are won within {many(last['day'], 'day')}{median}"
    few = " These are too few to say much." if last["n"] < SMALL else ""
    lost = f"{last['lost_share']:.0%} are lost by then, and {last['open_share']:.0%} are still open"
    return f"Of {deals}, {won}; {lost}.{few}"


def _at_ages(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each group of a curve, with what it has won at each age; null at an age that the curve lacks."""
    first = table.columns[0]
    rows = table.drop_duplicates(first)[[first, "followed_days", "small"]].reset_index(drop=True)
    for age in AGES:
        at = table[table["day"] == age].set_index(first)
        for part in ("share", "low", "high"):
            rows[f"win_{age}d_{part}"] = at[f"won_{part}"].reindex(rows[first]).to_numpy("float64")
    rows.attrs = dict(table.attrs)
    return rows


@close_curve.headline_for(show="summary")
def how_they_end(table: pd.DataFrame) -> str:
    if len(table) > 1:
        return compare_win_rates(table)
    row = table.iloc[0]
    days = row["median_days_to_win"]
    ended = f"{row['won']:,} are won, {row['lost']:,} lost, and {row['open']:,} open"
    half = f"; median {many(np.ceil(days), 'day')} to win" if np.isfinite(days) else ""
    return f"Of {many(row['n'], 'deal')}, {ended}{half}."


# ---- charts


@close_curve.chart("won_share", show="curve")
def curves(table: pd.DataFrame, ax: Axes) -> None:
    groups = table.iloc[:, 0]
    sizes = table.groupby(groups, sort=False)["n"].first().reset_index()
    if len(sizes) == 1:
        _areas(table, ax)
    else:
        shown = top_groups(sizes, ax, "n", _LINES).iloc[:, 0].tolist()
        _lines({name: table[groups == name] for name in shown}, ax)
    ax.yaxis.set_major_formatter(format_percent)
    ax.set_xlim(0, max(float(table["day"].max()), 1))
    ax.set_xlabel("days since the deal was created")


def _areas(table: pd.DataFrame, ax: Axes) -> None:
    """One group: won from below, lost from above, and between them what is still open."""
    day, won, lost = (table[name].to_numpy("float64") for name in ("day", "won_share", "lost_share"))
    ax.fill_between(day, 0, won, color=BLUE, alpha=0.35, linewidth=0)
    ax.fill_between(day, won, 1 - lost, color=PALE, alpha=0.45, linewidth=0)
    ax.fill_between(day, 1 - lost, 1, color=ORANGE, alpha=0.35, linewidth=0)
    ax.plot(day, won, color=BLUE, linewidth=2, linestyle="-", marker="")
    ax.plot(day, 1 - lost, color=ORANGE, linewidth=2, linestyle="-", marker="")
    ax.fill_between(day, table["won_low"], table["won_high"], color=BLUE, alpha=0.25, linewidth=0)
    ax.fill_between(day, 1 - table["lost_high"], 1 - table["lost_low"], color=ORANGE, alpha=0.25, linewidth=0)
    ax.set_ylim(0, 1)
    ax.set_ylabel(f"share of {int(table['n'].iloc[0]):,} deals")
    ends = {
        f"won {won[-1]:.0%}": (won[-1] / 2, BLUE),
        f"still open {max(0.0, 1 - won[-1] - lost[-1]):.0%}": ((1 + won[-1] - lost[-1]) / 2, INK),
        f"lost {lost[-1]:.0%}": (1 - lost[-1] / 2, "#8a5a00"),  # a darker orange: text
    }
    _beside(ends, ax, gap=0.11)
    median = float(table["median_days_to_win"].iloc[0])
    if 0 < median <= day[-1]:
        height = float(np.interp(median, day, won))
        ax.plot([median, median], [0, height], color=INK, linewidth=1, linestyle=":", marker="")
        draw_points(ax, [median], [height], BLUE, 36)
        right = median > 0.6 * day[-1]
        ax.annotate(
            f"median {many(np.ceil(median), 'day')}\nto win",
            (median, max(height / 2, 0.06)),
            xytext=(-6 if right else 6, 0),
            textcoords="offset points",
            ha="right" if right else "left",
            va="center",
            fontsize=8.5,
            color=INK,
        )


def _lines(groups: dict[str, pd.DataFrame], ax: Axes) -> None:
    """Several groups: the share won of each, dashed where there are few deals."""
    ends: dict[str, tuple[float, str]] = {}
    for (name, rows), color in zip(groups.items(), PALETTE, strict=False):
        few = bool(rows["small"].iloc[0])
        line, day = "--" if few else "-", rows["day"].to_numpy("float64")
        ax.plot(day, rows["won_share"], color=color, linewidth=2, linestyle=line, marker="")
        ax.fill_between(day, rows["won_low"], rows["won_high"], color=color, alpha=0.08, linewidth=0)
        last = float(rows["won_share"].iloc[-1])
        ends[f"{name} {last:.0%} (n = {int(rows['n'].iloc[0]):,})"] = last, color
    ax.set_ylim(0, min(1.0, max(0.05, *(1.3 * float(rows["won_share"].max()) for rows in groups.values()))))
    ax.set_ylabel("share of deals won")
    draw_gridlines(ax, "y")
    _beside(ends, ax, gap=0.075)


def _beside(labels: dict[str, tuple[float, str]], ax: Axes, gap: float) -> None:
    """Names at the right of the lines that they name, moved apart where they would meet."""
    low, high = ax.get_ylim()
    order = sorted(labels, key=lambda name: labels[name][0])
    places = [(labels[name][0] - low) / (high - low) for name in order]
    for _ in range(100):
        for number in range(len(places) - 1):
            apart = max(0.0, gap - (places[number + 1] - places[number])) / 2
            places[number] -= apart
            places[number + 1] += apart
    shift = max(0.0, -min(places)) - max(0.0, max(places) - 1)
    for name, place in zip(order, places, strict=True):
        ax.annotate(
            name,
            (1.02, place + shift),
            xycoords="axes fraction",
            color=labels[name][1],
            va="center",
            fontsize=8.5,
        )


@close_curve.chart("win_30d_share", show="summary")
def rates(table: pd.DataFrame, ax: Axes) -> None:
    """The share won at the age at which the groups are compared; beside it the median days to win."""
    age = at_common_age(table)[0] or AGES[0]
    table = table.iloc[::-1] if table.columns[0] == COHORT else table  # the newest on top
    table = top_groups(table, ax, None if table.columns[0] == COHORT else "n").reset_index(drop=True)
    share, low, high = (table[f"win_{age}d_{part}"] for part in ("share", "low", "high"))
    dot_plot(ax, table.iloc[:, 0].tolist(), share, low, high, counts=table["n"], small=table["small"])
    top = min(1.0, float(high.max()))
    ax.set_xlim(-0.015 * top, 1.03 * top)
    ax.set_xlabel(f"deals won within {age} days (95% interval)")
    ax.annotate("median\nto win", (1.03, 1.0), xycoords="axes fraction", va="bottom", color=GRAY, fontsize=8)
    for place, days in enumerate(table["median_days_to_win"].tolist()):
        label = "none yet" if np.isnan(days) else many(np.ceil(max(days, 1)), "day")
        ax.annotate(label, (1.03, place), xycoords=("axes fraction", "data"), va="center", color=GRAY, fontsize=8)
