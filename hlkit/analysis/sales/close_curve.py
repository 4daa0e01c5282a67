"""Close curve: the share of deals that is won and the days it takes; open deals count for their age so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.bulk_imports import Imports, drop_imports
from hlkit.analysis.core.canvas import (
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
MAX_DAYS = 3650  # the curve has a row for each day
_SUMMARY_AGES = (*AGES, 180)  # days
_MAX_LINES = 6  # groups in one chart of curves


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
            **win_columns(*_SUMMARY_AGES),
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
        "The share of all deals that is won, and the share that is lost or abandoned, within so many days of their "
        "creation. An open deal counts for as long as it has been open so far, and a lost deal can no longer be won "
        "(Aalen-Johansen); intervals are 95% Wilson at the effective number of deals. Abandoned deals: {abandoned}. "
        "Groups are compared at one age, the largest of 30, 60 and 90 days that at least 10 deals of each group have "
        "reached. They are not compared by win_naive_share (won deals of won and lost ones), which depends on the "
        "age of a group's deals. The median days to win is the time until half of the expected wins happened, if "
        "open deals will be won as often as closed ones. Velocity is open deals x mean value of won deals x expected "
        "win share / median days to win."
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
    """Shares of deals won and lost by age, and win rates, sales cycle and velocity.

    Parameters
    ----------
    opportunities
        One row per deal: created_at, status, status_changed_at; optional value, stage_changed_at and contact_id.
    by
        A column of the deals to group by, such as source or owner_id; or "cohort", the month of the deal's creation
        in the location's time zone.
    show
        The curve over time, or a summary with one row per group.
    days
        The length of the curve in days after creation; 3,650 at most.
    abandoned
        Count abandoned deals as lost, or exclude them.

    Returns
    -------
    For "curve" one row per group and ``day`` since creation: ``n`` (deals of the group), ``won_share`` and
    ``lost_share`` with their intervals, and ``open_share``, all three null after the age of the group's oldest deal.
    ``median_days_to_win`` (days) is the same on each day.
    For "summary" one row per group: ``n``, ``open``, ``won`` and ``lost`` as of *as_of*, ``abandoned`` (included in
    ``lost``), ``closed_at_once`` (deals that were closed when they were created: 0 days), ``win_naive_share`` (won of
    won and lost), ``open_share`` (of all), ``win_30d_share`` to ``win_180d_share`` (won within so many days, of all),
    ``median_days_to_win`` and ``median_days_to_close`` (days), ``open_value``, ``won_value``, ``won_value_mean`` and
    ``velocity_per_day`` (money, in the location's currency).
    In both, ``followed_days`` is the age in days that at least 10 deals have reached, and ``small`` is True for fewer
    than 20 deals.

    Raises
    ------
    MissingColumn, InvalidRequest

    Source: Kalbfleisch & Prentice, "The Statistical Analysis of Failure Time Data", 2nd ed., 2002, ch. 8;
    HighLevel's opportunities dashboard shows won of won and lost.
    """
    require_columns(opportunities, "created_at", "status", "status_changed_at")
    deals = without_abandoned(dated_deals_as_of(opportunities, as_of), abandoned)
    deals = drop_imports(deals, imports, "opportunities")
    if by == COHORT and COHORT not in opportunities:
        groups = deals["created_at"].dt.tz_convert(timezone).dt.strftime("%Y-%m").rename(COHORT)
    else:
        groups = deal_group_keys(opportunities, deals, by)
    _remark_on_reopened(deals, as_of)

    columns = close_curve.columns_of(show)
    if show == "summary":
        return _sort_cohorts(per_group(deals, groups, columns, _summarize), by)
    if days > MAX_DAYS:
        raise InvalidRequest(f"close_curve takes no days={days:,}", hint=f"days is {MAX_DAYS:,} at most: ten years")
    ages = np.arange(0, int(days) + 1, dtype="float64")
    table = per_group(deals, groups, columns, lambda group: _curve(group, ages))
    return _sort_cohorts(table, by).explode(list(columns), ignore_index=True)


def _remark_on_reopened(deals: pd.DataFrame, as_of: pd.Timestamp) -> None:
    """Add a remark on open deals whose status changed after creation: when they were closed is unknown."""
    changed = deals["status_changed_at"]
    is_changed = (changed - deals["created_at"] > pd.Timedelta(minutes=1)) & (changed <= as_of)
    reopened = int((is_changed & (deals["status"] == "open")).sum())
    if reopened:
        remark(f"{many(reopened, 'open deal')} may have been reopened; each counts as open since its creation.")


def _curve(deals: pd.DataFrame, ages: np.ndarray) -> dict[str, Any]:
    """The columns of one group's curve, each with one value per age."""
    wins, losses = wins_and_losses(deals)
    observed = np.where(ages <= deals["followed"].max(), ages, np.nan)
    constants = {"median_days_to_win": days_to_win(wins, losses)[0], **wins_at_ages(deals, wins)}
    won, won_low, won_high = wins.at(observed)
    lost, lost_low, lost_high = losses.at(observed)
    return {
        "day": ages,
        "n": np.full(len(ages), len(deals)),
        "won_share": won,
        "won_low": won_low,
        "won_high": won_high,
        "lost_share": lost,
        "lost_low": lost_low,
        "lost_high": lost_high,
        "open_share": np.clip(1 - won - lost, 0, 1),
        **{name: np.full(len(ages), value) for name, value in constants.items()},
        "small": np.full(len(ages), len(deals) < SMALL),
    }


def _summarize(deals: pd.DataFrame) -> dict[str, Any]:
    n, counts = len(deals), deals["status"].value_counts()
    open_, won, lost, abandoned = (int(counts.get(status, 0)) for status in ("open", "won", "lost", "abandoned"))
    lost += abandoned
    wins, losses = wins_and_losses(deals)
    value = column_or_nulls(deals, "value", MONEY)
    is_won = deals["status"] == "won"
    median_days, expected_share = days_to_win(wins, losses)
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
        **wins_at_ages(deals, wins, *_SUMMARY_AGES),
        "median_days_to_win": median_days,
        "median_days_to_close": survival_quantiles(deals["age"], deals["closed_at"].notna())[0],
        "open_value": _sum_or_null(value[deals["status"] == "open"]),
        "won_value": _sum_or_null(value[is_won]),
        "won_value_mean": mean_value,
        "velocity_per_day": open_ * mean_value * expected_share / median_days if median_days > 0 else np.nan,
        "small": n < SMALL,
    }


def _sum_or_null(values: pd.Series) -> float:
    """The sum; null if there are rows but none has a value."""
    return float(values.sum(min_count=1)) if len(values) else 0.0


def _sort_cohorts(table: pd.DataFrame, by: str | None) -> pd.DataFrame:
    """Cohorts by month; other groups stay sorted by size."""
    return table.sort_values(table.columns[0], kind="stable") if by == COHORT else table


# ---- headlines


@close_curve.headline_for(show="curve")
def curve_headline(table: pd.DataFrame) -> str:
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


@close_curve.headline_for(show="summary")
def summary_headline(table: pd.DataFrame) -> str:
    """How many deals are won, lost and open, and the median days to win; for groups, their win rates."""
    if len(table) > 1:
        return compare_win_rates(table)
    row = table.iloc[0]
    days = row["median_days_to_win"]
    counts = f"{row['won']:,} are won, {row['lost']:,} lost, and {row['open']:,} open"
    median = f"; median {many(np.ceil(days), 'day')} to win" if np.isfinite(days) else ""
    return f"Of {many(row['n'], 'deal')}, {counts}{median}."


# ---- charts


@close_curve.chart("won_share", show="curve")
def curve_chart(table: pd.DataFrame, ax: Axes) -> None:
    """For one group, areas of won, open and lost deals by age; for several, a line of the share won for each."""
    groups = table.iloc[:, 0]
    sizes = table.groupby(groups, sort=False)["n"].first().reset_index()
    if len(sizes) == 1:
        _draw_areas(table, ax)
    else:
        shown = top_groups(sizes, ax, "n", _MAX_LINES).iloc[:, 0].tolist()
        _draw_lines({name: table[groups == name] for name in shown}, ax)
    ax.yaxis.set_major_formatter(format_percent)
    ax.set_xlim(0, max(float(table["day"].max()), 1))
    ax.set_xlabel("days since the deal was created")


def _draw_areas(table: pd.DataFrame, ax: Axes) -> None:
    """Won deals at the bottom, lost ones at the top, and open ones between them."""
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
    _label_line_ends(ends, ax, gap=0.11)
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


def _draw_lines(groups: dict[str, pd.DataFrame], ax: Axes) -> None:
    """The share won of each group; dashed for fewer than 20 deals."""
    ends: dict[str, tuple[float, str]] = {}
    for (name, rows), color in zip(groups.items(), PALETTE, strict=False):
        style, day = "--" if bool(rows["small"].iloc[0]) else "-", rows["day"].to_numpy("float64")
        ax.plot(day, rows["won_share"], color=color, linewidth=2, linestyle=style, marker="")
        ax.fill_between(day, rows["won_low"], rows["won_high"], color=color, alpha=0.08, linewidth=0)
        last = float(rows["won_share"].iloc[-1])
        ends[f"{name} {last:.0%} (n = {int(rows['n'].iloc[0]):,})"] = last, color
    ax.set_ylim(0, min(1.0, max(0.05, *(1.3 * float(rows["won_share"].max()) for rows in groups.values()))))
    ax.set_ylabel("share of deals won")
    draw_gridlines(ax, "y")
    _label_line_ends(ends, ax, gap=0.075)


def _label_line_ends(labels: dict[str, tuple[float, str]], ax: Axes, gap: float) -> None:
    """Write each label at the right, at its height and in its color; at least *gap* (of the axis) apart."""
    low, high = ax.get_ylim()
    names = sorted(labels, key=lambda name: labels[name][0])
    heights = [(labels[name][0] - low) / (high - low) for name in names]
    for _ in range(100):
        for number in range(len(heights) - 1):
            overlap = max(0.0, gap - (heights[number + 1] - heights[number])) / 2
            heights[number] -= overlap
            heights[number + 1] += overlap
    shift = max(0.0, -min(heights)) - max(0.0, max(heights) - 1)
    for name, height in zip(names, heights, strict=True):
        ax.annotate(
            name,
            (1.02, height + shift),
            xycoords="axes fraction",
            color=labels[name][1],
            va="center",
            fontsize=8.5,
        )


@close_curve.chart("win_30d_share", show="summary")
def summary_chart(table: pd.DataFrame, ax: Axes) -> None:
    """The share won at the age at which the groups are compared, and next to it the median days to win."""
    age = at_common_age(table)[0] or AGES[0]
    is_cohorts = table.columns[0] == COHORT
    table = table.iloc[::-1] if is_cohorts else table  # the newest on top
    table = top_groups(table, ax, None if is_cohorts else "n").reset_index(drop=True)
    share, low, high = (table[f"win_{age}d_{part}"] for part in ("share", "low", "high"))
    dot_plot(ax, table.iloc[:, 0].tolist(), share, low, high, counts=table["n"], small=table["small"])
    right = min(1.0, float(high.max()))
    ax.set_xlim(-0.015 * right, 1.03 * right)
    ax.set_xlabel(f"deals won within {age} days (95% interval)")
    ax.annotate("median\nto win", (1.03, 1.0), xycoords="axes fraction", va="bottom", color=GRAY, fontsize=8)
    for y, days in enumerate(table["median_days_to_win"].tolist()):
        label = "none yet" if np.isnan(days) else many(np.ceil(max(days, 1)), "day")
        ax.annotate(label, (1.03, y), xycoords=("axes fraction", "data"), va="center", color=GRAY, fontsize=8)
