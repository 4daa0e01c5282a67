"""Open deals with their days in the stage and the limit of the stage, shared by ``stuck`` and ``stuck_stages``."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hlkit.analysis.core.bulk_imports import is_bulk_import
from hlkit.analysis.core.contact_names import deal_names
from hlkit.analysis.core.deals import dated_deals_as_of
from hlkit.analysis.core.groups import column_or_nulls, map_keys, require_columns
from hlkit.analysis.core.office_hours import days_between
from hlkit.analysis.core.run_log import as_mask, remark
from hlkit.analysis.core.shares import Array
from hlkit.analysis.sales.next_steps import next_steps
from hlkit.client.schema import ID, INSTANT, MONEY, TEXT
from hlkit.client.text import many

MIN_WINS = 20  # deals won from a stage, for a limit of its own
HOUR = 1 / 24  # days
OPTIONAL_COLUMNS = {"pipeline_id": ID, "owner_id": ID, "contact_id": ID, "value": MONEY, "acted_at": INSTANT}
DEFINITION = (
    "An open deal is stuck when it has been in its stage for longer than the limit and nothing is planned for it: "
    "its contact has no upcoming appointment, and no open task that is due today or later or has no due date. A task "
    "counts only if its contact has exactly one open deal, because tasks in HighLevel belong to a contact, not to a "
    "deal. The limit of a stage is the 90th percentile of the days that deals won from it stayed in it, and at least "
    "a day. Stays under an hour do not set a limit, because being won moves some deals to another stage within "
    "seconds. A stage with fewer than 20 such wins has a limit of {days} days."
)


def open_deals(
    opportunities: pd.DataFrame,
    tasks: pd.DataFrame | None,
    appointments: pd.DataFrame | None,
    as_of: pd.Timestamp,
    timezone: str,
    days: int,
) -> pd.DataFrame:
    """The deals open at *as_of*, with ``days_in_stage``, ``limit_days``, ``stuck``, ``next_step`` and more.

    ``stuck_low`` and ``stuck_high`` are whether a deal is stuck if the limit is a standard error lower or higher.
    """
    require_columns(
        opportunities, "opportunity_id", "status", "created_at", "status_changed_at", "stage_changed_at", "stage_id"
    )
    all_deals = dated_deals_as_of(opportunities, as_of)
    deals = all_deals[all_deals["status"] == "open"]
    optional = {name: column_or_nulls(deals, name, kind) for name, kind in OPTIONAL_COLUMNS.items()}
    deals = deals.assign(name=deal_names(deals), **optional)
    limits = _stage_limits(all_deals)
    p90, low, high = (map_keys(deals["stage_id"], limits[name]) for name in ("p90", "low", "high"))
    limit = p90.clip(lower=1).fillna(float(days))
    in_stage = _days_in_stage(deals, as_of)
    steps = next_steps(deals["contact_id"], tasks, appointments, as_of, timezone)
    nothing_planned = ~steps["is_planned"]
    return deals.assign(
        days_in_stage=in_stage,
        days_since_action=days_between(deals["acted_at"].where(deals["acted_at"] <= as_of), as_of),
        stage_p90_days=p90,
        limit_days=limit,
        over_limit=as_mask(in_stage > limit),
        stuck=as_mask(in_stage > limit) & nothing_planned,
        stuck_low=as_mask(in_stage > low.clip(lower=1).fillna(limit)) & nothing_planned,
        stuck_high=as_mask(in_stage > high.clip(lower=1).fillna(limit)) & nothing_planned,
        next_step=steps["next_step"],
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
    counts = (deals["status"] == "won") & (stay >= HOUR) & (deals["closed_at"] > deals["created_at"])
    counts = as_mask(counts) & ~is_bulk_import(deals).to_numpy()
    stays = stay[counts].groupby(deals["stage_id"][counts])
    limits = {stage: _percentiles(days.to_numpy("float64")) for stage, days in stays if len(days) >= MIN_WINS}
    index = pd.Index(list(limits), dtype=TEXT.dtype)
    return pd.DataFrame(list(limits.values()), index=index, columns=["low", "p90", "high"], dtype="float64")


def _percentiles(values: Array) -> Array:
    """The 90th percentile of *values*, with the values one standard error of its rank below and above."""
    rank, error = 0.9 * (len(values) - 1), np.sqrt(0.9 * 0.1 * len(values))
    ranks = [rank - error, rank, rank + error]
    return np.asarray(np.interp(ranks, np.arange(len(values)), np.sort(values)), dtype="float64")
