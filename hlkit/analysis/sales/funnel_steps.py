"""The steps of a funnel: the deals in each stage, how many reached it, and the shares won by a fixed age."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.bulk_imports import is_bulk_import
from hlkit.analysis.core.deals import AGES, win_columns, wins_at_ages, wins_by_age
from hlkit.analysis.core.groups import ALL, NONE, SMALL, rank_by_size
from hlkit.analysis.core.run_log import as_mask, remark
from hlkit.analysis.core.shares import share_with_interval
from hlkit.analysis.sales.funnel_stages import DELETED_PIPELINE, DELETED_STAGE, WON_STEP

KEYS = ["group", "pipeline_id", "stage_id"]
STATUSES = ["open", "won", "lost", "abandoned"]
COUNTED = ["in_stage", *STATUSES, "value"]
NOT_STAGES = {WON_STEP: 1, DELETED_STAGE: 2, NONE: 3}  # rows after the stages of each pipeline, in this order


def stage_table(deals: pd.DataFrame, keys: pd.DataFrame, stages: pd.DataFrame) -> pd.DataFrame:
    """A row for each group, pipeline and stage; in each pipeline the step won and deleted stages come last.

    *keys* are the group, pipeline_id and stage_id of each deal.
    """
    rows = _with_all_steps(_count_deals(deals, keys), keys["group"], stages)
    if (rows["stage_id"] == DELETED_STAGE).any():
        remark(
            "Deals in a deleted stage count in the first step only, because it is unknown which steps they reached."
        )
    reached, previous = _reached(rows)
    entered = rows["entered"].astype("float64")
    is_won_step = rows["stage_id"] == WON_STEP
    return pd.DataFrame(
        {
            **{name: rows[name] for name in ("group", "pipeline_id", "pipeline", "stage_id", "stage", "position")},
            **{name: rows[name].mask(is_won_step) for name in COUNTED},
            "entered": entered,
            "reached_previous": previous,
            "reached": reached,
            **share_with_interval("step", reached, previous),
            **share_with_interval("total", reached, entered),
            "small": previous.fillna(entered) < SMALL,
        }
    )


def _count_deals(deals: pd.DataFrame, keys: pd.DataFrame) -> pd.DataFrame:
    """By group, pipeline and stage: how many deals are there, by status, and the value of the open ones."""
    is_status = {status: as_mask(deals["status"] == status) for status in STATUSES}
    value = deals["value"].fillna(0.0).to_numpy("float64") if "value" in deals else np.zeros(len(deals))
    worth = np.where(is_status["open"], value, 0.0)
    counts = keys.assign(in_stage=1, **is_status, value=worth).groupby(KEYS, as_index=False).sum()
    return counts.assign(lost=counts["lost"] + counts["abandoned"])


def _with_all_steps(counts: pd.DataFrame, groups: pd.Series, stages: pd.DataFrame) -> pd.DataFrame:
    """*counts* with a row for each stage of a pipeline that has deals, and for the step won; the largest group first.

    Adds entered and wins (the deals of the pipeline, and those won), is_step, and the names.
    """
    funnels = counts.groupby(["group", "pipeline_id"], as_index=False).agg(
        entered=("in_stage", "sum"), wins=("won", "sum")
    )
    rows = funnels.merge(_all_steps(funnels["pipeline_id"], stages), on="pipeline_id")
    rows = rows.merge(counts, on=KEYS, how="left")
    is_shown = rows["in_stage"].notna() | ~rows["stage_id"].isin((DELETED_STAGE, NONE))
    rows = rows[is_shown].fillna(dict.fromkeys(COUNTED, 0)).astype(dict.fromkeys(COUNTED, "float64"))
    rank = {name: number for number, name in enumerate(rank_by_size(groups)[1])}
    return rows.assign(rank=rows["group"].map(rank)).sort_values(["rank", "order"]).reset_index(drop=True)


def _all_steps(pipeline_ids: pd.Series, stages: pd.DataFrame) -> pd.DataFrame:
    """The stages of all pipelines, the rows that follow them, and their order."""
    names = stages.drop_duplicates("pipeline_id").set_index("pipeline_id")["pipeline"]
    pipelines = [*names.index, *sorted(set(pipeline_ids) - set(names.index))]
    unnamed = {key: NONE if key == NONE else DELETED_PIPELINE for key in pipelines}
    last = pd.DataFrame(
        [
            {"pipeline_id": key, "pipeline": names.get(key, unnamed[key]), "stage_id": label, "stage": label}
            for key in pipelines
            for label in NOT_STAGES
        ],
        columns=["pipeline_id", "pipeline", "stage_id", "stage"],
    )
    steps = pd.concat([stages, last.assign(is_step=last["stage_id"] == WON_STEP)], ignore_index=True)
    number = {key: position for position, key in enumerate(pipelines)}
    steps["order"] = steps["pipeline_id"].map(number)
    steps["after"] = steps["stage_id"].map(NOT_STAGES).fillna(0)
    steps = steps.sort_values(["order", "after"], kind="stable").reset_index(drop=True)
    return steps.drop(columns="after").assign(order=steps.index)


def _reached(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """How many deals reached the step of each row, and the step before; null if the row is not a step.

    All deals reach the first step. All but the first lose the deals that ended or stayed before it, and those of
    unknown stage. The step won is reached by the won deals.
    """
    funnel = rows.groupby(["group", "pipeline_id"]).ngroup()
    is_won_step, is_step = rows["stage_id"] == WON_STEP, rows["is_step"].astype(bool)
    not_won = rows["in_stage"] - rows["won"]
    stayed_before = not_won.groupby(funnel).cumsum() - not_won
    is_unknown = rows["stage_id"].isin((DELETED_STAGE, NONE))
    stage_unknown = not_won.where(is_unknown, 0).groupby(funnel).transform("sum")
    is_first = (is_step & ~is_won_step) & (is_step.groupby(funnel).cumsum() == 1)
    reached = (rows["entered"] - stayed_before - stage_unknown).mask(is_first, rows["entered"])
    reached = reached.where(is_step).mask(is_won_step, rows["wins"])
    previous = reached[is_step].groupby(funnel[is_step]).shift().reindex(rows.index)
    return reached, previous.mask(is_won_step & previous.isna(), rows["entered"])


def win_rates_of_pipelines(deals: pd.DataFrame, keys: pd.DataFrame, is_comparable: bool) -> pd.DataFrame:
    """For the row "(won)" of each group and pipeline: open_share, and the shares won by each age.

    The shares are null if not *is_comparable*: of deals that were selected by the date of their status change, how
    they end decides which of them are selected.
    """
    pairs = [keys["group"], keys["pipeline_id"]]
    open_share = (deals["status"] == "open").groupby(pairs).mean().rename("open_share").reset_index()
    has_age = ~is_bulk_import(deals)  # the creation date of an imported deal is the date of the import
    if not has_age.all():
        remark(f"{int((~has_age).sum()):,} imported deals are not in win_30d_share and the like: age unknown.")
    rates = [
        {"group": group, "pipeline_id": pipeline, **wins_at_ages(rows, wins_by_age(rows), *AGES)}
        for (group, pipeline), rows in deals[has_age].groupby([key[has_age] for key in pairs])
        if is_comparable
    ]
    table = pd.DataFrame(rates, columns=["group", "pipeline_id", *win_columns(*AGES)])
    table = table.astype({name: open_share[name].dtype for name in ("group", "pipeline_id")})
    return open_share.merge(table, how="left").assign(stage_id=WON_STEP)


def largest_pipeline(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the pipeline with the most deals, in all groups together."""
    groups = list(dict.fromkeys([table.columns[0], "pipeline_id"]))
    first_rows = table.drop_duplicates(groups)  # all rows of a pipeline have its number of deals
    sizes = first_rows.groupby("pipeline_id", sort=False)["entered"].sum()
    return table[(table["pipeline_id"] == sizes.idxmax()).to_numpy(dtype=bool)]


def total_of_largest(
    table: pd.DataFrame, deals: pd.DataFrame, keys: pd.DataFrame, is_comparable: bool
) -> dict[str, Any]:
    """The shares won by each age of all deals of the largest pipeline."""
    if not len(table):
        return {}
    rows = largest_pipeline(table)
    rates = win_rates_of_pipelines(deals, keys.assign(group=ALL), is_comparable)
    total = rates[rates["pipeline_id"] == rows["pipeline_id"].iloc[0]].iloc[0]
    n = int((keys["pipeline_id"] == rows["pipeline_id"].iloc[0]).sum())
    return {name: total[name] for name in win_columns(*AGES)} | {"n": n, "small": n < SMALL}
