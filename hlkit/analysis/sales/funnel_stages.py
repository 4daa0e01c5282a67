"""Which deals and which stages a funnel has: selected by date and pipeline, with the stage that each deal is in."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from hlkit.analysis.core.groups import NONE, map_keys, require_columns
from hlkit.analysis.core.run_log import drop_rows, remark
from hlkit.client.arguments import short
from hlkit.client.dates import instant
from hlkit.client.errors import InvalidRequest
from hlkit.client.frames.names import id_named, near_names
from hlkit.client.schema import TEXT

WON_STEP, DELETED_STAGE, DELETED_PIPELINE = "(won)", "(deleted stage)", "(deleted pipeline)"


def select_by_change(
    deals: pd.DataFrame, match: str, changed_since: str | None, changed_until: str | None, timezone: str
) -> pd.DataFrame:
    """With ``match="highlevel"``, the deals whose status changed between the two dates."""
    if changed_since is None and changed_until is None:
        return deals
    if match != "highlevel":
        raise InvalidRequest(
            "changed_since and changed_until select deals by status change, as HighLevel's dashboard does",
            hint='add match="highlevel", or select by creation date with since and until',
        )
    require_columns(deals, "status_changed_at")
    changed = deals["status_changed_at"]
    if "created_at" in deals:  # a status that never changed dates from the deal's creation
        changed = changed.fillna(deals["created_at"])
    since = instant("changed_since", changed_since, lambda: ZoneInfo(timezone))
    until = instant("changed_until", changed_until, lambda: ZoneInfo(timezone))
    in_range = changed.notna()
    if since is not None:
        in_range &= (changed >= since).fillna(False)
    if until is not None:
        in_range &= (changed < until).fillna(False)
    return drop_rows(deals, ~in_range, "opportunities whose status changed at another time")


def ordered_stages(stages: pd.DataFrame, match: str) -> pd.DataFrame:
    """The stages by pipeline and position.

    Columns: pipeline_id, pipeline, stage_id, stage (names), position, and ``is_step`` (False if hidden from
    HighLevel's funnel).
    """
    require_columns(stages, "stage_id", "pipeline_id", "position")
    pipeline_order = pd.Index(stages["pipeline_id"].fillna(NONE).unique())
    stages = stages[stages["stage_id"].notna()].drop_duplicates("stage_id")
    stages = stages.sort_values(["position", "stage_id"], kind="stable", na_position="last")
    pipeline_ids = stages["pipeline_id"].fillna(NONE)
    is_step = pd.Series(True, index=stages.index)
    if match == "highlevel" and "in_funnel" in stages:
        is_step = stages["in_funnel"].fillna(True).astype(bool)
        if not is_step.all():
            remark("Stages hidden from HighLevel's funnel are not steps; their deals reached the steps before.")
    table = pd.DataFrame(
        {
            "pipeline_id": pipeline_ids.astype(TEXT.dtype),
            "pipeline": _names_or_ids(stages, "pipeline", pipeline_ids),
            "stage_id": stages["stage_id"].astype(TEXT.dtype),
            "stage": _names_or_ids(stages, "name", stages["stage_id"]),
            "position": stages["position"],
            "is_step": is_step,
        }
    )
    return table.iloc[np.argsort(pipeline_order.get_indexer(pipeline_ids), kind="stable")].reset_index(drop=True)


def _names_or_ids(stages: pd.DataFrame, column: str, ids: pd.Series) -> pd.Series:
    return stages[column].fillna(ids) if column in stages else ids


def pipelines_of(deals: pd.DataFrame, stages: pd.DataFrame) -> pd.Series:
    """The pipeline of each deal: that of its stage, else its own; (none) without any."""
    of_stage = map_keys(deals["stage_id"], stages.set_index("stage_id")["pipeline_id"])
    return of_stage.fillna(deals["pipeline_id"]).fillna(NONE).astype(TEXT.dtype)


def stages_of(deals: pd.DataFrame, stages: pd.DataFrame) -> pd.Series:
    """The stage of each deal: its id, (deleted stage) or (none)."""
    ids = deals["stage_id"].astype(TEXT.dtype)
    return ids.where(ids.isin(stages["stage_id"]), DELETED_STAGE).where(ids.notna(), NONE)


def pipeline_id_of(name_or_id: str, stages: pd.DataFrame) -> str:
    """The id of the pipeline with this name or id."""
    names = stages.drop_duplicates("pipeline_id").set_index("pipeline_id")["pipeline"]
    pipeline_id = id_named("pipeline", name_or_id, names)
    if pipeline_id is None:
        raise InvalidRequest(f"there is no pipeline {short(name_or_id)}", hint=near_names(name_or_id, names))
    return pipeline_id
