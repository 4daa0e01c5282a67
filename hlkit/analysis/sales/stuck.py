"""Stuck deals: open deals that have been in their stage for too long and have no next step planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.bulk_imports import is_bulk_import
from hlkit.analysis.core.canvas import (
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
from hlkit.client.text import many, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MIN_WINS = 20  # deals won from a stage, for a limit of its own
_HOUR = 1 / 24  # days
_PIPELINE_SEPARATOR = "\n·\n"  # between the names of a stage and its pipeline, until both are shortened
_NOT_UPCOMING = ("cancelled", "canceled", "invalid", "noshow", "showed", "completed")


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
    """Open deals with their days in the stage, the limit of the stage, and the next step.

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
        One row per open deal, or a summary with one row per stage, or per value of *by*.

    Returns
    -------
    For "deals" a row for each deal open at *as_of*, stuck ones first, sorted by days in the stage:
    ``days_in_stage`` (null if the deal changed stage after *as_of*), ``days_since_action`` (since the last action on
    the deal, as HighLevel records it), ``stage_p90_days`` (90th percentile of the days that deals won from the
    stage stayed in it; null if there are fewer than 20), ``limit_days``, ``stuck``, and ``next_step``: the first
    upcoming appointment or open task of the contact. A task that does not count for any of several deals ends with
    "(contact has 3 open deals)". ``next_step`` is blank if there is none, and null if neither tasks nor appointments
    can be read.
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
    groups = group_keys(opportunities, by)
    all_deals = dated_deals_as_of(opportunities, as_of)
    deals = all_deals[all_deals["status"] == "open"]
    deals = deals.assign(**{name: column_or_nulls(deals, name, kind) for name, kind in _OPTIONAL_COLUMNS})
    limits = _stage_limits(all_deals)
    p90, low, high = (map_keys(deals["stage_id"], limits[name]) for name in ("p90", "low", "high"))
    limit = p90.clip(lower=1).fillna(float(days))
    in_stage = _days_in_stage(deals, as_of)
    steps = _planned_steps(tasks, appointments, as_of, timezone)
    is_planned, next_step = _next_steps(deals["contact_id"], steps, timezone)
    deals = deals.assign(
        days_in_stage=in_stage,
        days_since_action=days_between(deals["acted_at"].where(deals["acted_at"] <= as_of), as_of),
        stage_p90_days=p90,
        limit_days=limit,
        over_limit=as_mask(in_stage > limit),
        stuck=as_mask(in_stage > limit) & ~is_planned,
        # Whether it would be stuck if the limit were a standard error lower or higher.
        stuck_low=as_mask(in_stage > low.clip(lower=1).fillna(limit)) & ~is_planned,
        stuck_high=as_mask(in_stage > high.clip(lower=1).fillna(limit)) & ~is_planned,
        next_step=next_step if tasks is not None or appointments is not None else None,
    )
    for name, frame in (("tasks", tasks), ("appointments", appointments)):
        if frame is None:
            remark(f"Without {name}, which this token cannot read.")
    if show == "deals":
        order = {"stuck": False, "days_in_stage": False, "opportunity_id": True}
        return deals.sort_values(list(order), ascending=list(order.values()))[list(stuck.columns_of("deals"))]
    table = per_group(deals, groups, stuck.columns_of("stages"), _summarize)
    return _sort_by_stage(table, stages) if by == "stage_id" and stages is not None else table


_OPTIONAL_COLUMNS = (
    ("name", TEXT),
    ("pipeline_id", ID),
    ("owner_id", ID),
    ("contact_id", ID),
    ("value", MONEY),
    ("acted_at", INSTANT),
)


def _days_in_stage(deals: pd.DataFrame, as_of: pd.Timestamp) -> pd.Series:
    """Days since the stage last changed; null if that was after *as_of*, because the stage before is unknown."""
    changed = deals["stage_changed_at"]
    undated, is_later = int(changed.isna().sum()), changed > as_of
    if undated:
        remark(f"{many(undated, 'open deal')} without a stage date: days in stage count from creation.")
    if is_later.any():
        remark(f"{many(int(is_later.sum()), 'open deal')} changed stage after as_of: days in stage unknown.")
    return days_between(changed.fillna(deals["created_at"]), as_of).mask(is_later)


def _stage_limits(deals: pd.DataFrame) -> pd.DataFrame:
    """By stage with at least 20 wins: ``p90``, the 90th percentile of the days that won deals stayed in the stage.

    ``low`` and ``high`` are the percentiles a standard error below and above. Imported deals, deals created as won
    and stays under an hour do not count.
    """
    stay = days_between(deals["stage_changed_at"], deals["closed_at"])
    # An automation that moves won deals to a "won" stage leaves them there for seconds before they are won.
    counts = (deals["status"] == "won") & (stay >= _HOUR) & (deals["closed_at"] > deals["created_at"])
    counts = as_mask(counts) & ~is_bulk_import(deals).to_numpy()
    stays = stay[counts].groupby(deals["stage_id"][counts])
    limits = {stage: _percentiles(days.to_numpy("float64")) for stage, days in stays if len(days) >= _MIN_WINS}
    index = pd.Index(list(limits), dtype=TEXT.dtype)
    return pd.DataFrame(list(limits.values()), index=index, columns=["low", "p90", "high"], dtype="float64")


def _percentiles(values: Array) -> Array:
    """The 90th percentile of *values*, with the values one standard error of its rank below and above."""
    rank, error = 0.9 * (len(values) - 1), np.sqrt(0.9 * 0.1 * len(values))
    ranks = [rank - error, rank, rank + error]
    return np.asarray(np.interp(ranks, np.arange(len(values)), np.sort(values)), dtype="float64")


# ---- next steps


_APPOINTMENT = "appointment "
_TASKS = np.array(["task due ", "task without a due date", "task overdue since "], dtype=object)
_UPCOMING, _UNDATED, _OVERDUE = range(3)  # ranks of steps, and positions in _TASKS
_SHARED = 3  # added to the rank of a task that could be for any of several open deals


def _planned_steps(
    tasks: pd.DataFrame | None, appointments: pd.DataFrame | None, as_of: pd.Timestamp, timezone: str
) -> pd.DataFrame:
    """Open tasks and upcoming appointments: contact_id, at (when due or starting), label and rank."""
    parts = [_step_rows(pd.Series(dtype=TEXT.dtype), pd.Series(dtype=INSTANT.dtype), "", _UPCOMING)]
    if tasks is not None:
        require_columns(tasks, "contact_id", "is_completed")
        open_tasks = tasks[~as_mask(tasks["is_completed"])]
        due = column_or_nulls(open_tasks, "due_at", INSTANT)
        today = as_of.tz_convert(timezone).normalize()
        rank = np.where(due.isna(), _UNDATED, np.where(as_mask(due >= today), _UPCOMING, _OVERDUE))
        parts.append(_step_rows(open_tasks["contact_id"], due, _TASKS[rank], rank))
    if appointments is not None:
        require_columns(appointments, "contact_id", "starts_at")
        is_upcoming = as_mask(appointments["starts_at"] > as_of)
        if "status" in appointments:
            is_upcoming &= ~as_mask(appointments["status"].str.strip().str.lower().isin(_NOT_UPCOMING))
        if "is_deleted" in appointments:
            is_upcoming &= ~as_mask(appointments["is_deleted"])
        upcoming = appointments[is_upcoming]
        parts.append(_step_rows(upcoming["contact_id"], upcoming["starts_at"], _APPOINTMENT, _UPCOMING))
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _step_rows(contact_ids: pd.Series, at: pd.Series, label: Any, rank: Any) -> pd.DataFrame:
    return pd.DataFrame({"contact_id": contact_ids, "at": at, "label": label, "rank": rank})


def _next_steps(contact_ids: pd.Series, steps: pd.DataFrame, timezone: str) -> tuple[Any, pd.Series]:
    """For each open deal, by its contact: whether a step is planned, and the first step as text, or blank."""
    steps = steps[steps["contact_id"].isin(contact_ids.dropna())]
    open_deals = map_keys(steps["contact_id"], contact_ids.value_counts())
    # A task belongs to a contact, so it is unknown which of several deals it is for.
    is_shared = (steps["label"] != _APPOINTMENT) & (open_deals > 1)
    steps = steps.assign(open_deals=open_deals, rank=steps["rank"] + _SHARED * is_shared)
    first = steps.sort_values(["rank", "at"], kind="stable").drop_duplicates("contact_id").set_index("contact_id")
    local = first["at"].dt.tz_convert(timezone)
    when = local.dt.strftime("%Y-%m-%d").where(first["label"] != _APPOINTMENT, local.dt.strftime("%Y-%m-%d %H:%M"))
    text = first["label"].astype(TEXT.dtype) + when.fillna("").astype(TEXT.dtype)
    count = first["open_deals"].astype("Int64").astype(TEXT.dtype)
    text = text.where(first["rank"] < _SHARED, text + " (contact has " + count + " open deals)").astype(TEXT.dtype)
    is_planned = as_mask(map_keys(contact_ids, first["rank"].astype("float64")) < _OVERDUE)
    return is_planned, map_keys(contact_ids, text).fillna("")


# ---- groups


def _effective_n(deals: pd.DataFrame) -> float:
    """The effective number of deals: deals of one contact are not independent, and the limit is an estimate."""
    n = effective_rows_of_group(deals["stuck"], deals["contact_id"])[0]
    if deals["limit_days"].nunique() > 1:  # groups that span stages share these limits and their errors
        return n
    share = float(deals["stuck"].mean())
    limit_error = max(abs(float(deals[name].mean()) - share) for name in ("stuck_low", "stuck_high"))
    share = min(max(share, 0.5 / n), 1 - 0.5 / n)
    return share * (1 - share) / (share * (1 - share) / n + limit_error**2)


def _summarize(deals: pd.DataFrame) -> dict[str, Any]:
    n, count = len(deals), int(deals["stuck"].sum())
    pipelines, limits = deals["pipeline_id"].dropna().unique(), deals["limit_days"].unique()
    return {
        "pipeline_id": pipelines[0] if len(pipelines) == 1 else None,
        "n": n,
        "over_limit": int(deals["over_limit"].sum()),
        "stuck": count,
        **share_with_interval("stuck", count, n, _effective_n(deals)),
        "open_value": deals["value"].sum(),
        "stuck_value": deals["value"][deals["stuck"]].sum(),
        "median_days": deals["days_in_stage"].dropna().median(),
        "limit_days": limits[0] if len(limits) == 1 else np.nan,
        "small": n < SMALL,
    }


def _sort_by_stage(table: pd.DataFrame, stages: pd.DataFrame) -> pd.DataFrame:
    """The pipelines by their number of open deals, and the stages of each by position."""
    require_columns(stages, "stage_id")
    if "position" not in stages:
        return table
    position = map_keys(table["stage_id"], stages.dropna(subset=["stage_id"]).set_index("stage_id")["position"])
    size = table["n"].groupby(table["pipeline_id"], dropna=False).transform("sum")
    keys = pd.DataFrame({"size": -size, "pipeline": table["pipeline_id"], "position": position.astype("Float64")})
    return table.loc[keys.sort_values(["size", "pipeline", "position"], kind="stable").index]


# ---- headlines


@stuck.headline_for(show="deals")
def deals_headline(table: pd.DataFrame) -> str:
    """How many open deals are stuck, their total value, and the stage with the most of them."""
    stuck_deals = table[as_mask(table["stuck"])]
    count = len(stuck_deals)
    headline = f"{count:,} of {many(len(table), 'open deal')} {'is' if 1 in (count, len(table)) else 'are'} stuck"
    if not count:
        return f"{headline}."
    total = stuck_deals["value"].sum()
    value = f", worth {total:,.0f} in total" if total > 0 else ""
    counts = pd.DataFrame({"stage": _stage_names(stuck_deals).astype(TEXT.dtype), "n": 1})
    stage = largest_group(counts.groupby("stage", sort=False, as_index=False).sum(), "n")
    return f"{headline}{value}." + (f" The stage with the most: {stage}." if stage else "")


@stuck.headline_for(show="stages")
def stages_headline(table: pd.DataFrame) -> str:
    named = table.assign(**{str(table.columns[0]): _stage_names(table)}) if table.columns[0] == "stage_id" else table
    return compare_groups(named, "stuck", "Share of open deals that are stuck")


# ---- charts


@stuck.chart("days_in_stage", show="deals")
def deals_chart(table: pd.DataFrame, ax: Axes) -> None:
    """A dot per open deal by its days in the stage, a row per stage, with the limit of the stage."""
    table = table.assign(row=_stage_names(table))
    rows = table.groupby("row", sort=False).agg(
        n=("row", "size"), stuck=("stuck", "sum"), limit=("limit_days", "median")
    )
    rows = top_groups(rows.sort_values(["stuck", "n"], ascending=False, kind="stable").reset_index(), ax)
    labels = [
        f"{name} ({count:,} of {n:,})"
        for name, n, count in zip(*(rows[key] for key in ("row", "n", "stuck")), strict=True)
    ]
    positions = label_rows(ax, labels)
    # Short, because the number of omitted stages may be written next to it.
    note = f"{int(table['stuck'].sum()):,} of {len(table):,} are stuck"
    table = table[table["row"].isin(rows["row"])]
    y = table["row"].map(dict(zip(rows["row"], positions.tolist(), strict=True))).to_numpy("float64")
    y = y + 0.6 * (np.arange(len(table)) * 0.618034 % 1 - 0.5)  # jitter, the same in each run
    days = table["days_in_stage"].clip(lower=_HOUR).to_numpy("float64")
    is_stuck = table["stuck"].to_numpy(dtype=bool)
    is_over = as_mask(table["days_in_stage"] > table["limit_days"]) & ~is_stuck
    style: dict[str, Any] = {"alpha": 0.7, "linewidths": 0, "rasterized": True, "zorder": 1}
    for mask, color, label in (
        (~is_stuck & ~is_over, GRAY, "within the limit"),
        (is_over, BLUE, "over the limit, next step planned"),
        (is_stuck, RED, "stuck"),
    ):
        if mask.any():
            draw_points(ax, days[mask], y[mask], color, 14, label=label, **style)
    limit = rows["limit"].to_numpy("float64")
    marker_height = 0.8 * ax.get_window_extent().height / ax.figure.dpi * 72 / max(len(rows), 4)  # points
    draw_points(ax, limit, positions, INK, marker_height**2, marker="|")
    draw_points(ax, [], [], INK, 120, marker="|", label="limit of the stage")
    duration_axis(ax, "x", "days")
    ax.set_xlim(min(0.5, 0.8 * days.min()), 1.6 * max(days.max(), np.nanmax(limit)))
    ax.set_xlabel("time in the stage (log scale)")
    ax.annotate(note, (0, 1), xycoords="axes fraction", va="bottom", color=RED, fontsize=SIZE, fontweight="bold")
    draw_legend(ax, 0.4, handletextpad=0.3, handlelength=2, columnspacing=1)


def _stage_names(table: pd.DataFrame) -> pd.Series:
    """The names of the stages; if several pipelines have a stage of that name, with the pipeline's name."""
    stage, pipeline = (table[name].astype("object").fillna("(none)") for name in ("stage_id", "pipeline_id"))
    is_ambiguous = pipeline.groupby(stage).transform("nunique") > 1
    names = stage.where(~is_ambiguous, stage + _PIPELINE_SEPARATOR + pipeline)
    return names.map(distinct_texts(names, _shorten_both))


def _shorten_both(name: str) -> str:
    """The stage and the pipeline of *name*, each shortened; without a pipeline, *name* itself."""
    return " · ".join(map(_shorten, name.split(_PIPELINE_SEPARATOR))) if _PIPELINE_SEPARATOR in name else name


def _shorten(name: str) -> str:
    return shorten(" ".join(name.split()), 20)


@stuck.chart("stuck_share", show="stages")
def stages_chart(table: pd.DataFrame, ax: Axes) -> None:
    first = table.columns[0]
    names = _stage_names(table) if first == "stage_id" else table[first]
    shown = top_groups(table.assign(row=names), ax, "n").reset_index(drop=True)
    share, low, high = (shown[f"stuck_{part}"] for part in ("share", "low", "high"))
    dot_plot(ax, shown["row"].tolist(), share, low, high, counts=shown["n"], small=shown["small"], color=RED)
    right = min(1.0, float(high.max()))
    ax.set_xlim(-0.015 * right, 1.03 * right)
    ax.set_xlabel("share of open deals that are stuck (95% interval)")
