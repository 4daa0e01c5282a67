"""Stuck deals: which open ones have been in their stage for too long, with nothing planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.close_curve import until
from hlkit.analysis.drawing import BLUE, GREY, INK, RED, dots, durations, most, rows_of_names
from hlkit.analysis.imports import is_import
from hlkit.analysis.measures import (
    SMALL,
    column,
    days_between,
    lookup,
    need,
    per_group,
    with_interval,
)
from hlkit.analysis.notes import remark, truths
from hlkit.analysis.registry import analysis
from hlkit.analysis.saying import compared, largest
from hlkit.kinds import COUNT, FLAG, ID, MONEY, NUMBER, SHARE, TEXT, WHEN
from hlkit.tables.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ENOUGH = 20  # deals won from a stage, to say how long deals stay in it
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
            "stage_p75_days": NUMBER,
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
        "its contact: no appointment to come, and no open task that is due today or later or has no date. The limit "
        "of a stage is the time within which three in four of the deals won from it were won, once in it, where at "
        "least 20 were, and at least a day; {days} days elsewhere. Intervals of shares are 95% Wilson."
    ),
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
    """Open deals with the days that they have been in their stage, the limit of that, and what is planned.

    Takes one row per deal (opportunity_id, status, stage_id, created_at, stage_changed_at, status_changed_at;
    contact_id, owner_id, pipeline_id, name, value and acted_at where there are), and where they may be read one
    row per stage (stage_id, pipeline_id, position), task (contact_id, is_completed, due_at) and appointment
    (contact_id, starts_at, status, is_deleted). Gives one row per deal open at *as_of*, the stuck first, the
    longest in its stage on top: ``days_in_stage`` (null where it has moved since *as_of*),
    ``days_since_action`` (of somebody, as HighLevel keeps it), ``stage_p75_days`` (null where fewer than 20
    deals were won from the stage), ``limit_days``, ``stuck``, and ``next_step`` (blank where nothing is
    planned, null where neither tasks nor appointments may be read). The other table gives one row per group:
    ``n`` (open deals), how many are over the limit and how many of them stuck, the share that is, the value of
    both (money, in the location's currency), ``median_days`` in the stage. Raises ``MissingColumn``.

    Parameters
    ----------
    days
        The limit for stages from which fewer than 20 deals were won.
    by
        A column of the deals to group the summary by.
    show
        One row per open deal, or a summary: one row per stage, or as by says.

    Source: "rotten deals" of other CRMs: crmsupport.freshworks.com, article 50000002157.
    """
    need(opportunities, "opportunity_id", "status", "created_at", "status_changed_at", "stage_changed_at", "stage_id")
    need(opportunities, by)
    known = until(opportunities, as_of)
    deals = known[known["status"] == "open"]
    deals = deals.assign(**{name: column(deals, name, kind) for name, kind in _MAY_LACK})
    p75 = lookup(deals["stage_id"], _p75(known))
    # Where being won moves a deal into a stage of its own, nobody stays in it: a limit of seconds says nothing.
    limit = p75.clip(lower=1).fillna(float(days))
    in_stage = _days_in_stage(deals, as_of)
    steps = _steps(tasks, appointments, as_of, timezone)
    steps = steps[steps["contact_id"].isin(deals["contact_id"].dropna())]
    planned, next_step = _next_steps(deals["contact_id"], steps, timezone)
    deals = deals.assign(
        days_in_stage=in_stage,
        days_since_action=days_between(deals["acted_at"].where(deals["acted_at"] <= as_of), as_of),
        stage_p75_days=p75,
        limit_days=limit,
        over=truths(in_stage > limit),
        stuck=truths(in_stage > limit) & ~planned,
        next_step=next_step if tasks is not None or appointments is not None else None,
    )
    for name, frame in (("tasks", tasks), ("appointments", appointments)):
        if frame is None:
            remark(f"Without {name}, which the token may not read.")
    if show == "deals":
        order = {"stuck": False, "days_in_stage": False, "opportunity_id": True}
        return deals.sort_values(list(order), ascending=list(order.values()))[list(stuck.columns_of("deals"))]
    table = per_group(deals, by, stuck.columns_of("stages"), _summary)
    return _in_order(table, stages) if by == "stage_id" and stages is not None else table


_MAY_LACK = (
    ("name", TEXT),
    ("pipeline_id", ID),
    ("owner_id", ID),
    ("contact_id", ID),
    ("value", MONEY),
    ("acted_at", WHEN),
)


def _days_in_stage(deals: pd.DataFrame, as_of: pd.Timestamp) -> pd.Series:
    """Days since the stage last changed; null where that was after *as_of*: the stage of then is not kept."""
    changed = deals["stage_changed_at"]
    undated, later = int(changed.isna().sum()), changed > as_of
    if undated:
        remark(f"{undated:,} have no date of their stage: they count as in it since they were made.")
    if later.any():
        remark(f"{int(later.sum()):,} have changed stage since: for how long they had been in theirs is not kept.")
    return days_between(changed.fillna(deals["created_at"]), as_of).mask(later)


def _p75(deals: pd.DataFrame) -> pd.Series:
    """By stage, the days in it within which three in four of the deals won from it were won; of enough deals."""
    entered, won = deals["stage_changed_at"], deals["status_changed_at"]
    fits = (deals["status"] == "won") & (entered <= won) & (won > deals["created_at"])
    deals = deals[truths(fits) & ~is_import(deals).to_numpy()]
    took = days_between(deals["stage_changed_at"], deals["status_changed_at"]).groupby(deals["stage_id"])
    return took.quantile(0.75)[took.size() >= _ENOUGH]


# ---- what is planned


def _steps(
    tasks: pd.DataFrame | None, appointments: pd.DataFrame | None, as_of: pd.Timestamp, timezone: str
) -> pd.DataFrame:
    """Open tasks and appointments to come: contact, date, what it is, and 0 dated, 1 without a date, 2 overdue."""
    parts = [_step(pd.Series(dtype=TEXT.dtype), pd.Series(dtype=WHEN.dtype), "", 0)]
    if tasks is not None:
        need(tasks, "contact_id", "is_completed")
        todo = tasks[~truths(tasks["is_completed"])]
        due = column(todo, "due_at", WHEN)
        today = as_of.tz_convert(timezone).normalize()
        rank = np.where(due.isna(), 1, np.where(truths(due >= today), 0, 2))
        what = np.array(["task due ", "task without a date", "task overdue since "], dtype=object)[rank]
        parts.append(_step(todo["contact_id"], due, what, rank))
    if appointments is not None:
        need(appointments, "contact_id", "starts_at")
        coming = truths(appointments["starts_at"] > as_of)
        if "status" in appointments:
            coming &= ~truths(appointments["status"].str.strip().str.lower().isin(_NOT_TO_COME))
        if "is_deleted" in appointments:
            coming &= ~truths(appointments["is_deleted"])
        booked = appointments[coming]
        parts.append(_step(booked["contact_id"], booked["starts_at"], _APPOINTMENT, 0))
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _step(contact: pd.Series, at: pd.Series, what: Any, rank: Any) -> pd.DataFrame:
    return pd.DataFrame({"contact_id": contact, "at": at, "what": what, "rank": rank})


_APPOINTMENT = "appointment "


def _next_steps(contacts: pd.Series, steps: pd.DataFrame, timezone: str) -> tuple[Any, pd.Series]:
    """For each deal's contact whether a step is planned, and the first of its steps in words; blank for none."""
    first = steps.sort_values(["rank", "at"], kind="stable").drop_duplicates("contact_id").set_index("contact_id")
    local = first["at"].dt.tz_convert(timezone)
    when = local.dt.strftime("%Y-%m-%d").where(first["what"] != _APPOINTMENT, local.dt.strftime("%Y-%m-%d %H:%M"))
    words = (first["what"].astype(TEXT.dtype) + when.fillna("").astype(TEXT.dtype)).astype(TEXT.dtype)
    return truths(lookup(contacts, first["rank"].astype("float64")) < 2), lookup(contacts, words).fillna("")


# ---- groups


def _summary(deals: pd.DataFrame) -> dict[str, Any]:
    n, stopped = len(deals), int(deals["stuck"].sum())
    pipelines, limits = deals["pipeline_id"].dropna().unique(), deals["limit_days"].unique()
    return {
        "pipeline_id": pipelines[0] if len(pipelines) == 1 else None,
        "n": n,
        "over_limit": int(deals["over"].sum()),
        "stuck": stopped,
        **with_interval("stuck", stopped, n),
        "open_value": deals["value"].sum(),
        "stuck_value": deals["value"][deals["stuck"]].sum(),
        "median_days": deals["days_in_stage"].dropna().median(),
        "limit_days": limits[0] if len(limits) == 1 else np.nan,
        "small": n < SMALL,
    }


def _in_order(table: pd.DataFrame, stages: pd.DataFrame) -> pd.DataFrame:
    """Pipelines by their open deals, and in each its stages in their order."""
    need(stages, "stage_id")
    if "position" not in stages:
        return table
    position = lookup(table["stage_id"], stages.dropna(subset=["stage_id"]).set_index("stage_id")["position"])
    size = table["n"].groupby(table["pipeline_id"], dropna=False).transform("sum")
    keys = pd.DataFrame({"size": -size, "pipeline": table["pipeline_id"], "position": position.astype("Float64")})
    return table.loc[keys.sort_values(["size", "pipeline", "position"], kind="stable").index]


# ---- its answers


@stuck.answer(show="deals")
def how_many_are_stuck(table: pd.DataFrame) -> str:
    """How many open deals are stuck, what they are worth, and where most of them are."""
    stopped = table[truths(table["stuck"])]
    if not len(stopped):
        return f"No deal is stuck, of {len(table):,} that {_are(len(table))} open."
    worth = stopped["value"].sum()
    value = f", worth {worth:,.0f} together" if worth > 0 else ""
    counts = pd.DataFrame({"stage": _stage_names(stopped).astype(TEXT.dtype), "n": 1})
    most_ = largest(counts.groupby("stage", sort=False, as_index=False).sum(), "n")
    where = f". The stage with most of them: {most_}" if most_ else ""
    return f"{len(stopped):,} of {many(len(table), 'open deal')} {_are(len(stopped))} stuck{value}{where}."


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


@stuck.answer(show="stages")
def where_they_are_stuck(table: pd.DataFrame) -> str:
    named = table.assign(**{str(table.columns[0]): _stage_names(table)}) if table.columns[0] == "stage_id" else table
    return compared(named, "stuck", "Share of open deals that are stuck")


# ---- charts


@stuck.chart("days_in_stage", show="deals")
def strip(table: pd.DataFrame, ax: Axes) -> None:
    table = table.assign(row=_stage_names(table))
    rows = table.groupby("row", sort=False).agg(
        n=("row", "size"), stuck=("stuck", "sum"), limit=("limit_days", "median")
    )
    rows = most(rows.sort_values(["stuck", "n"], ascending=False, kind="stable").reset_index(), ax)
    told = [
        f"{name} ({stopped:,} of {n:,})"
        for name, n, stopped in zip(*(rows[key] for key in ("row", "n", "stuck")), strict=True)
    ]
    places = rows_of_names(ax, told)
    headline = f"{int(table['stuck'].sum()):,} of {len(table):,} open deals are stuck"
    table = table[table["row"].isin(rows["row"])]
    place = table["row"].map(dict(zip(rows["row"], places.tolist(), strict=True))).to_numpy("float64")
    place = place + 0.6 * (np.arange(len(table)) * 0.618034 % 1 - 0.5)  # apart, and each time the same
    spent = table["days_in_stage"].clip(lower=1 / 24).to_numpy("float64")
    is_stuck = table["stuck"].to_numpy(dtype=bool)
    late = truths(table["days_in_stage"] > table["limit_days"]) & ~is_stuck
    for which, colour, label in (
        (~is_stuck & ~late, GREY, "within the limit"),
        (late, BLUE, "over it, next step planned"),
        (is_stuck, RED, "stuck"),
    ):
        if which.any():
            ax.scatter(
                spent[which], place[which], s=14, color=colour, alpha=0.7, linewidths=0, label=label, rasterized=True
            )
    limit = rows["limit"].to_numpy("float64")
    tall = 0.8 * ax.get_window_extent().height / ax.figure.dpi * 72 / max(len(rows), 4)  # points
    ax.scatter(limit, places, marker="|", s=tall**2, color=INK, linewidths=1.5, zorder=3)
    ax.scatter([], [], marker="|", s=120, color=INK, linewidths=1.5, label="limit of the stage")
    durations(ax, "x", "days")
    ax.set_xlim(min(0.5, 0.8 * spent.min()), 1.6 * max(spent.max(), np.nanmax(limit)))
    ax.set_xlabel("time in the stage (log scale)")
    ax.annotate(headline, (0, 1), xycoords="axes fraction", va="bottom", color=RED, fontweight="bold")
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.16), ncols=4, handletextpad=0.3, columnspacing=1)


def _stage_names(table: pd.DataFrame) -> pd.Series:
    """The stages, with their pipeline where two of them are called alike."""
    stage = table["stage_id"].fillna("(none)").astype("object")
    pipeline = table["pipeline_id"].fillna("(none)").astype("object")
    alike = pipeline.groupby(stage).transform("nunique") > 1
    return stage.where(~alike, stage.str[:20] + " · " + pipeline.str[:16])


@stuck.chart("stuck_share", show="stages")
def shares(table: pd.DataFrame, ax: Axes) -> None:
    first = table.columns[0]
    names = _stage_names(table) if first == "stage_id" else table[first]
    shown = most(table.assign(row=names), ax, "n").reset_index(drop=True)
    dots(
        ax,
        shown["row"].tolist(),
        shown["stuck_share"],
        shown["stuck_low"],
        shown["stuck_high"],
        counts=shown["n"],
        small=shown["small"],
        colour=RED,
    )
    top = min(1.0, float(shown["stuck_high"].max()))
    ax.set_xlim(-0.015 * top, 1.03 * top)
    ax.set_xlabel("share of open deals that are stuck, 95% interval")
