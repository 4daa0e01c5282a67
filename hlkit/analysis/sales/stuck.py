"""Stuck deals: which open ones have been in their stage for too long, with nothing planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.bulk_imports import is_bulk_import
from hlkit.analysis.core.charts import (
    BLUE,
    GRAY,
    INK,
    RED,
    SIZE,
    distinct_texts,
    dot_plot,
    draw_legend,
    draw_points,
    duration_axis,
    label_rows,
    top_groups,
)
from hlkit.analysis.core.deals import dated_deals_as_of
from hlkit.analysis.core.groups import (
    SMALL,
    Array,
    column_or_nulls,
    days_between,
    effective_rows_of_group,
    group_keys,
    map_keys,
    per_group,
    require_columns,
    share_with_interval,
)
from hlkit.analysis.core.headlines import compare_groups, largest_group
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import as_mask, remark
from hlkit.client.schema import COUNT, FLAG, ID, INSTANT, MONEY, NUMBER, SHARE, TEXT
from hlkit.client.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ENOUGH = 20  # deals won from a stage, for a limit of its own
_OF = "\n·\n"  # between a stage and its pipeline, until both are cut
_AN_HOUR = 1 / 24  # days
_NOT_TO_COME = ("cancelled", "canceled", "invalid", "noshow", "showed", "completed")


@analysis(
    "Which open deals have stopped moving?",
    columns={
        "deals": {
            "opportunity_id": ID,
            "name": TEXT,
            "pipeline_id": ID,
            "stage_id": ID,
            "owner_id": ID,
            "contact_id": ID,
            "value": MONEY,
            "days_in_stage": NUMBER,
            "days_since_action": NUMBER,
            "stage_p90_days": NUMBER,
            "limit_days": NUMBER,
            "stuck": FLAG,
            "next_step": TEXT,
        },
        "stages": {
            "pipeline_id": ID,
            "n": COUNT,
            "over_limit": COUNT,
            "stuck": COUNT,
            "stuck_share": SHARE,
            "stuck_low": SHARE,
            "stuck_high": SHARE,
            "open_value": MONEY,
            "stuck_value": MONEY,
            "median_days": NUMBER,
            "limit_days": NUMBER,
            "small": FLAG,
        },
    },
    definition=(
        "An open deal is stuck when it has been in its stage for longer than the limit and nothing is planned for "
        "it: its contact has no upcoming appointment, and no open task that is due today or later or has no due "
        "date. A task counts only if its contact has exactly one open deal, because tasks in HighLevel belong to a "
        "contact, not to a deal. The limit of a stage is the 90th percentile of the days that deals won from it "
        "stayed in it, and at least a day. Stays under an hour do not set a limit, because being won moves some "
        "deals to another stage within seconds. A stage with fewer than 20 such wins has a limit of {days} days. "
        "Intervals of shares are 95% Wilson, wider where a contact has several deals and where a limit follows from "
        "few wins."
    ),
    noun="open deals",
)
def stuck(
    opportunities: pd.DataFrame,
    stages: pd.DataFrame | None = None,
    tasks: pd.DataFrame | None = None,
    appointments: pd.DataFrame | None = None,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    days: int = 14,
    by: str | None = "stage_id",
    show: Literal["deals", "stages"] = "deals",
) -> pd.DataFrame:
    """Open deals with the days that they have been in their stage, its limit, and what is planned.

    Parameters
    ----------
    opportunities
        One row per deal: opportunity_id, status, stage_id, created_at, stage_changed_at, status_changed_at;
        optional contact_id, owner_id, pipeline_id, name, value and acted_at.
    stages
        One row per stage (stage_id, pipeline_id, position), for the order of the summary.
    tasks
        One row per task: contact_id, is_completed; optional due_at.
    appointments
        One row per appointment: contact_id, starts_at; optional status and is_deleted.
    days
        The limit, in days, of stages from which fewer than 20 deals were won after an hour or more in them.
    by
        A column of the deals to group the summary by.
    show
        One row per open deal, or a summary: one row per stage, or as by says.

    Returns
    -------
    For "deals" a row for each deal open at *as_of*, the stuck ones first, the longest in its stage on top:
    ``days_in_stage`` (null if the deal moved after *as_of*), ``days_since_action`` (since the last action on
    the deal, as HighLevel records it), ``stage_p90_days`` (90th percentile of the days that deals won from the
    stage stayed in it; null if there are fewer than 20), ``limit_days``, ``stuck``, and ``next_step``: the first
    upcoming appointment or open task of the contact, with "(contact has 3 open deals)" after a task that counts
    for none of them; blank if there is none, null if neither tasks nor appointments can be read.
    For "stages" a row for each group: ``n`` (open deals), ``over_limit`` and ``stuck`` (counts), ``stuck_share``
    with its interval, ``open_value`` and ``stuck_value`` (money, in the location's currency), ``median_days`` in
    the stage, ``limit_days`` (null if the group has several limits) and ``small`` (fewer than 20 deals).

    Raises
    ------
    MissingColumn

    Source: "rotten deals" of other CRMs: crmsupport.freshworks.com, article 50000002157.
    """
    require_columns(
        opportunities, "opportunity_id", "status", "created_at", "status_changed_at", "stage_changed_at", "stage_id"
    )
    key = group_keys(opportunities, by)
    known = dated_deals_as_of(opportunities, as_of)
    deals = known[known["status"] == "open"]
    deals = deals.assign(**{name: column_or_nulls(deals, name, kind) for name, kind in _MAY_LACK})
    limits = _limits(known)
    p90, early, late = (map_keys(deals["stage_id"], limits[name]) for name in ("p90", "early", "late"))
    limit = p90.clip(lower=1).fillna(float(days))
    in_stage = _days_in_stage(deals, as_of)
    steps = _steps(tasks, appointments, as_of, timezone)
    planned, next_step = _next_steps(deals["contact_id"], steps, timezone)
    deals = deals.assign(
        days_in_stage=in_stage,
        days_since_action=days_between(deals["acted_at"].where(deals["acted_at"] <= as_of), as_of),
        stage_p90_days=p90,
        limit_days=limit,
        over=as_mask(in_stage > limit),
        stuck=as_mask(in_stage > limit) & ~planned,
        # Whether it would be, had the limit come out lower or higher by a standard error.
        stuck_early=as_mask(in_stage > early.clip(lower=1).fillna(limit)) & ~planned,
        stuck_late=as_mask(in_stage > late.clip(lower=1).fillna(limit)) & ~planned,
        next_step=next_step if tasks is not None or appointments is not None else None,
    )
    for name, frame in (("tasks", tasks), ("appointments", appointments)):
        if frame is None:
            remark(f"Without {name}, which this token cannot read.")
    if show == "deals":
        order = {"stuck": False, "days_in_stage": False, "opportunity_id": True}
        return deals.sort_values(list(order), ascending=list(order.values()))[list(stuck.columns_of("deals"))]
    table = per_group(deals, key, stuck.columns_of("stages"), _summary)
    return _in_order(table, stages) if by == "stage_id" and stages is not None else table


_MAY_LACK = (
    ("name", TEXT),
    ("pipeline_id", ID),
    ("owner_id", ID),
    ("contact_id", ID),
    ("value", MONEY),
    ("acted_at", INSTANT),
)


def _days_in_stage(deals: pd.DataFrame, as_of: pd.Timestamp) -> pd.Series:
    """Days since the stage last changed; null if that was after *as_of*, since HighLevel keeps no earlier stages."""
    changed = deals["stage_changed_at"]
    undated, later = int(changed.isna().sum()), changed > as_of
    if undated:
        remark(f"{many(undated, 'open deal')} without a stage date: days in stage count from creation.")
    if later.any():
        remark(f"{many(int(later.sum()), 'open deal')} changed stage after as_of: days in stage unknown.")
    return days_between(changed.fillna(deals["created_at"]), as_of).mask(later)


def _limits(deals: pd.DataFrame) -> pd.DataFrame:
    """By stage, the 90th percentile (``p90``) of the days that deals won from it stayed in it; of 20 deals or more.

    ``early`` and ``late`` are the percentiles a standard error lower and higher. Left out are imported deals, deals
    created as won, and stays under an hour.
    """
    stay = days_between(deals["stage_changed_at"], deals["closed_at"])
    # An automation that moves a deal on its win to a "won" stage leaves a stay of seconds there.
    counts = (deals["status"] == "won") & (stay >= _AN_HOUR) & (deals["closed_at"] > deals["created_at"])
    counts = as_mask(counts) & ~is_bulk_import(deals).to_numpy()
    stays = stay[counts].groupby(deals["stage_id"][counts])
    limits = {stage: _percentiles(days.to_numpy("float64")) for stage, days in stays if len(days) >= _ENOUGH}
    index = pd.Index(list(limits), dtype=TEXT.dtype)
    return pd.DataFrame(list(limits.values()), index=index, columns=["early", "p90", "late"], dtype="float64")


def _percentiles(values: Array) -> Array:
    """The 90th percentile of *values*, between those by one standard error of its rank."""
    rank, error = 0.9 * (len(values) - 1), np.sqrt(0.9 * 0.1 * len(values))
    ranks = [rank - error, rank, rank + error]
    return np.asarray(np.interp(ranks, np.arange(len(values)), np.sort(values)), dtype="float64")


# ---- what is planned


_APPOINTMENT = "appointment "
_TASKS = np.array(["task due ", "task without a due date", "task overdue since "], dtype=object)
_UPCOMING, _UNDATED, _OVERDUE = range(3)  # the ranks of steps, and the places in _TASKS
_SHARED = 3  # added to the rank of a task that counts for none of several open deals


def _steps(
    tasks: pd.DataFrame | None, appointments: pd.DataFrame | None, as_of: pd.Timestamp, timezone: str
) -> pd.DataFrame:
    """Open tasks and upcoming appointments: contact_id, at (due or starts), what (text) and rank."""
    parts = [_step(pd.Series(dtype=TEXT.dtype), pd.Series(dtype=INSTANT.dtype), "", _UPCOMING)]
    if tasks is not None:
        require_columns(tasks, "contact_id", "is_completed")
        todo = tasks[~as_mask(tasks["is_completed"])]
        due = column_or_nulls(todo, "due_at", INSTANT)
        today = as_of.tz_convert(timezone).normalize()
        rank = np.where(due.isna(), _UNDATED, np.where(as_mask(due >= today), _UPCOMING, _OVERDUE))
        parts.append(_step(todo["contact_id"], due, _TASKS[rank], rank))
    if appointments is not None:
        require_columns(appointments, "contact_id", "starts_at")
        upcoming = as_mask(appointments["starts_at"] > as_of)
        if "status" in appointments:
            upcoming &= ~as_mask(appointments["status"].str.strip().str.lower().isin(_NOT_TO_COME))
        if "is_deleted" in appointments:
            upcoming &= ~as_mask(appointments["is_deleted"])
        booked = appointments[upcoming]
        parts.append(_step(booked["contact_id"], booked["starts_at"], _APPOINTMENT, _UPCOMING))
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _step(contact: pd.Series, at: pd.Series, what: Any, rank: Any) -> pd.DataFrame:
    return pd.DataFrame({"contact_id": contact, "at": at, "what": what, "rank": rank})


def _next_steps(contacts: pd.Series, steps: pd.DataFrame, timezone: str) -> tuple[Any, pd.Series]:
    """For each deal, by its contact, whether a step is planned, and the first step as text; blank for none.

    *contacts* has the contact of each open deal.
    """
    steps = steps[steps["contact_id"].isin(contacts.dropna())]
    open_deals = map_keys(steps["contact_id"], contacts.value_counts())
    # A task names its contact only: which of several deals it is for is unknown.
    is_shared = (steps["what"] != _APPOINTMENT) & (open_deals > 1)
    steps = steps.assign(open_deals=open_deals, rank=steps["rank"] + _SHARED * is_shared)
    first = steps.sort_values(["rank", "at"], kind="stable").drop_duplicates("contact_id").set_index("contact_id")
    local = first["at"].dt.tz_convert(timezone)
    when = local.dt.strftime("%Y-%m-%d").where(first["what"] != _APPOINTMENT, local.dt.strftime("%Y-%m-%d %H:%M"))
    text = first["what"].astype(TEXT.dtype) + when.fillna("").astype(TEXT.dtype)
    count = first["open_deals"].astype("Int64").astype(TEXT.dtype)
    text = text.where(first["rank"] < _SHARED, text + " (contact has " + count + " open deals)").astype(TEXT.dtype)
    is_planned = as_mask(map_keys(contacts, first["rank"].astype("float64")) < _OVERDUE)
    return is_planned, map_keys(contacts, text).fillna("")


# ---- groups


def _effective_n(deals: pd.DataFrame) -> float:
    """How many deals the stuck share is worth: those of one contact are alike, and the limit is an estimate."""
    n = effective_rows_of_group(deals["stuck"], deals["contact_id"])[0]
    if deals["limit_days"].nunique() > 1:  # groups with several limits, such as owners, share them and their error
        return n
    part = float(deals["stuck"].mean())
    off = max(abs(float(deals[name].mean()) - part) for name in ("stuck_early", "stuck_late"))
    part = min(max(part, 0.5 / n), 1 - 0.5 / n)
    return part * (1 - part) / (part * (1 - part) / n + off**2)


def _summary(deals: pd.DataFrame) -> dict[str, Any]:
    n, count = len(deals), int(deals["stuck"].sum())
    pipelines, limits = deals["pipeline_id"].dropna().unique(), deals["limit_days"].unique()
    return {
        "pipeline_id": pipelines[0] if len(pipelines) == 1 else None,
        "n": n,
        "over_limit": int(deals["over"].sum()),
        "stuck": count,
        **share_with_interval("stuck", count, n, _effective_n(deals)),
        "open_value": deals["value"].sum(),
        "stuck_value": deals["value"][deals["stuck"]].sum(),
        "median_days": deals["days_in_stage"].dropna().median(),
        "limit_days": limits[0] if len(limits) == 1 else np.nan,
        "small": n < SMALL,
    }


def _in_order(table: pd.DataFrame, stages: pd.DataFrame) -> pd.DataFrame:
    """Pipelines by their open deals, and in each its stages in their order."""
    require_columns(stages, "stage_id")
    if "position" not in stages:
        return table
    position = map_keys(table["stage_id"], stages.dropna(subset=["stage_id"]).set_index("stage_id")["position"])
    size = table["n"].groupby(table["pipeline_id"], dropna=False).transform("sum")
    keys = pd.DataFrame({"size": -size, "pipeline": table["pipeline_id"], "position": position.astype("Float64")})
    return table.loc[keys.sort_values(["size", "pipeline", "position"], kind="stable").index]


# ---- its answers


@stuck.headline_for(show="deals")
def how_many_are_stuck(table: pd.DataFrame) -> str:
    """How many open deals are stuck, what they are worth, and the stage that has the most of them."""
    rows = table[as_mask(table["stuck"])]
    verb = "is" if 1 in (len(rows), len(table)) else "are"
    counted = f"{len(rows):,} of {many(len(table), 'open deal')} {verb} stuck"
    if not len(rows):
        return f"{counted}."
    total = rows["value"].sum()
    value = f", worth {total:,.0f} in total" if total > 0 else ""
    counts = pd.DataFrame({"stage": _stage_names(rows).astype(TEXT.dtype), "n": 1})
    stage = largest_group(counts.groupby("stage", sort=False, as_index=False).sum(), "n")
    return f"{counted}{value}." + (f" The stage with the most: {stage}." if stage else "")


@stuck.headline_for(show="stages")
def where_they_are_stuck(table: pd.DataFrame) -> str:
    named = table.assign(**{str(table.columns[0]): _stage_names(table)}) if table.columns[0] == "stage_id" else table
    return compare_groups(named, "stuck", "Share of open deals that are stuck")


# ---- charts


@stuck.chart("days_in_stage", show="deals")
def strip(table: pd.DataFrame, ax: Axes) -> None:
    table = table.assign(row=_stage_names(table))
    rows = table.groupby("row", sort=False).agg(
        n=("row", "size"), stuck=("stuck", "sum"), limit=("limit_days", "median")
    )
    rows = top_groups(rows.sort_values(["stuck", "n"], ascending=False, kind="stable").reset_index(), ax)
    labels = [
        f"{name} ({count:,} of {n:,})"
        for name, n, count in zip(*(rows[key] for key in ("row", "n", "stuck")), strict=True)
    ]
    heights = label_rows(ax, labels)
    # Short: beside it may stand how many stages are not drawn.
    headline = f"{int(table['stuck'].sum()):,} of {len(table):,} are stuck"
    table = table[table["row"].isin(rows["row"])]
    y = table["row"].map(dict(zip(rows["row"], heights.tolist(), strict=True))).to_numpy("float64")
    y = y + 0.6 * (np.arange(len(table)) * 0.618034 % 1 - 0.5)  # spread out, the same way each time
    days = table["days_in_stage"].clip(lower=1 / 24).to_numpy("float64")
    is_stuck = table["stuck"].to_numpy(dtype=bool)
    late = as_mask(table["days_in_stage"] > table["limit_days"]) & ~is_stuck
    dot: dict[str, Any] = {"alpha": 0.7, "linewidths": 0, "rasterized": True, "zorder": 1}
    for which, color, label in (
        (~is_stuck & ~late, GRAY, "within the limit"),
        (late, BLUE, "over the limit, next step planned"),
        (is_stuck, RED, "stuck"),
    ):
        if which.any():
            draw_points(ax, days[which], y[which], color, 14, label=label, **dot)
    limit = rows["limit"].to_numpy("float64")
    tall = 0.8 * ax.get_window_extent().height / ax.figure.dpi * 72 / max(len(rows), 4)  # points
    draw_points(ax, limit, heights, INK, tall**2, marker="|")
    draw_points(ax, [], [], INK, 120, marker="|", label="limit of the stage")
    duration_axis(ax, "x", "days")
    ax.set_xlim(min(0.5, 0.8 * days.min()), 1.6 * max(days.max(), np.nanmax(limit)))
    ax.set_xlabel("time in the stage (log scale)")
    ax.annotate(headline, (0, 1), xycoords="axes fraction", va="bottom", color=RED, fontsize=SIZE, fontweight="bold")
    draw_legend(ax, 0.4, handletextpad=0.3, handlelength=2, columnspacing=1)


def _stage_names(table: pd.DataFrame) -> pd.Series:
    """The stages, with their pipeline where two of them have the same name."""
    stage, pipeline = (table[name].astype("object").fillna("(none)") for name in ("stage_id", "pipeline_id"))
    is_ambiguous = pipeline.groupby(stage).transform("nunique") > 1
    both = stage.where(~is_ambiguous, stage + _OF + pipeline)
    return both.map(
        distinct_texts(both, lambda name: " · ".join(map(_cut, name.split(_OF))) if _OF in name else name)
    )


def _cut(name: str) -> str:
    plain = " ".join(name.split())
    return plain if len(plain) <= 20 else f"{plain[:19]}…"


@stuck.chart("stuck_share", show="stages")
def shares(table: pd.DataFrame, ax: Axes) -> None:
    first = table.columns[0]
    names = _stage_names(table) if first == "stage_id" else table[first]
    shown = top_groups(table.assign(row=names), ax, "n").reset_index(drop=True)
    dot_plot(
        ax,
        shown["row"].tolist(),
        shown["stuck_share"],
        shown["stuck_low"],
        shown["stuck_high"],
        counts=shown["n"],
        small=shown["small"],
        color=RED,
    )
    top = min(1.0, float(shown["stuck_high"].max()))
    ax.set_xlim(-0.015 * top, 1.03 * top)
    ax.set_xlabel("share of open deals that are stuck, 95% interval")
