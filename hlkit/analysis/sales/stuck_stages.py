"""Stuck stages: the share of open deals that is stuck, by stage or by any column of the deals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts import Dots
from hlkit.analysis.core.charts.base import row_names
from hlkit.analysis.core.groups import SMALL, group_keys, map_keys, per_group, require_columns
from hlkit.analysis.core.headlines import Compare
from hlkit.analysis.core.money import currency_of, format_money
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.shares import effective_rows_of_group, share_with_interval
from hlkit.analysis.sales.open_deals import DEFINITION, open_deals
from hlkit.analysis.sales.stage_names import stage_names
from hlkit.client.schema import COUNT, FLAG, ID, MONEY, NUMBER, SHARE, TEXT
from hlkit.client.text import many


def stuck_of_all(total: pd.Series, table: pd.DataFrame) -> str:
    """The first sentence of the headline: how many open deals are stuck, and their value."""
    n, count = int(total["n"]), int(total["stuck"])
    share = f" ({total['stuck_share']:.0%})" if count else ""
    value = format_money(total["stuck_value"], currency_of(table), whole=True)
    worth = f", worth {value} in total" if total["stuck_value"] > 0 else ""
    verb = "is" if count == 1 or n == 1 else "are"  # 1 of 5 open deals is stuck, 0 of 1 open deal is stuck
    return f"{count:,} of {many(n, 'open deal')}{share} {verb} stuck{worth}"


def names_of_rows(table: pd.DataFrame) -> list[str]:
    """The name of each row. A stage name that several pipelines have is followed by the pipeline's name."""
    return stage_names(table).tolist() if table.columns[0] == "stage_id" else row_names(table)


def stuck_by_group(table: pd.DataFrame) -> str:
    """How many open deals are stuck, and whether the groups differ in their share."""
    if table.columns[0] == "stage_id":  # Compare names a group by what is in the first column
        table = table.assign(stage_id=stage_names(table))
    return Compare("stuck", stuck_of_all)(table)


COLUMNS = {
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
}


@analysis(
    "In which stages do deals get stuck?",
    columns=COLUMNS,
    chart=Dots("stuck", "share of open deals that are stuck, with 95% interval", order="table", names=names_of_rows),
    headline=stuck_by_group,
    definition=(
        f"{DEFINITION} Intervals of shares are 95% Wilson, wider where a contact has several deals, and where the "
        "limit of a stage is estimated from few won deals."
    ),
    noun="open deals",
    rows={
        "name": TEXT,
        "stuck": FLAG,
        "days_in_stage": NUMBER,
        "limit_days": NUMBER,
        "value": MONEY,
        "next_step": TEXT,
    },
)
def stuck_stages(
    opportunities: pd.DataFrame,
    stages: pd.DataFrame | None = None,
    tasks: pd.DataFrame | None = None,
    appointments: pd.DataFrame | None = None,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    days: int = 14,
    by: str | list[str] | None = "stage_id",
) -> pd.DataFrame:
    """The share of open deals that is stuck, by stage.

    Parameters
    ----------
    opportunities
        One row per deal: opportunity_id, status, stage_id, created_at, stage_changed_at, status_changed_at;
        optional contact_id, owner_id, pipeline_id, name, contact_name and value.
    stages
        One row per stage (stage_id, pipeline_id, position), for the order of the rows.
    tasks
        One row per task: contact_id, is_completed; optional due_at.
    appointments
        One row per appointment: contact_id, starts_at; optional status and is_deleted.
    days
        The limit, in days, for stages with too little history: a limit of its own needs 20 deals that were won after
        an hour or more in the stage.
    by
        A column of the deals, or two of them for a heat map.

    Returns
    -------
    One row for each stage, in pipeline order, or for each value of *by*, the largest first: ``pipeline_id`` (null if
    the group spans several), ``n`` (open deals), ``over_limit`` (longer in the stage than its limit), ``stuck``
    (those of them with nothing planned), ``stuck_share`` with its interval, ``open_value`` and ``stuck_value``
    (money, in the location's currency), ``median_days`` in the stage, ``limit_days`` (null if the group has
    several limits) and ``small`` (fewer than 20 deals).

    Raises
    ------
    MissingColumn

    Source: "rotten deals" of other CRMs: crmsupport.freshworks.com, article 50000002157.
    """
    groups = group_keys(opportunities, by)  # of all deals; per_group takes those of the open ones, by index
    deals = open_deals(opportunities, tasks, appointments, as_of, timezone, days)
    table = per_group(deals, groups, COLUMNS, _summarize)
    return _sort_by_stage(table, stages) if by == "stage_id" and stages is not None else table


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


def _effective_n(deals: pd.DataFrame) -> float:
    """The effective number of deals: deals of one contact are not independent, and the limit is an estimate."""
    effective_n, _ = effective_rows_of_group(deals["stuck"], deals["contact_id"])
    if deals["limit_days"].nunique() > 1:  # the groups span stages, and an error in a limit shifts all of them alike
        return effective_n
    share = float(deals["stuck"].mean())
    # How far the share moves if the limit is a standard error lower or higher.
    limit_error = max(abs(float(deals[name].mean()) - share) for name in ("stuck_low", "stuck_high"))
    clipped = min(max(share, 0.5 / effective_n), 1 - 0.5 / effective_n)  # 0 and 1 would have no variance
    spread = clipped * (1 - clipped)
    # The number of deals whose binomial variance is the variance of the share plus that of the limit.
    return spread / (spread / effective_n + limit_error**2)


def _sort_by_stage(table: pd.DataFrame, stages: pd.DataFrame) -> pd.DataFrame:
    """The pipelines by their number of open deals, and the stages of each by position."""
    require_columns(stages, "stage_id")
    if "position" not in stages:
        return table
    position = map_keys(table["stage_id"], stages.dropna(subset=["stage_id"]).set_index("stage_id")["position"])
    size = table["n"].groupby(table["pipeline_id"], dropna=False).transform("sum")
    keys = pd.DataFrame({"size": -size, "pipeline": table["pipeline_id"], "position": position.astype("Float64")})
    return table.loc[keys.sort_values(["size", "pipeline", "position"], kind="stable").index]
