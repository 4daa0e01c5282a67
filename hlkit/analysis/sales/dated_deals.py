"""Deals with the dates that win rates need, and their groups; shared by ``close_curve`` and ``win_rates``."""

from __future__ import annotations

from typing import Any

import pandas as pd

from hlkit.analysis.core.bulk_imports import Imports, drop_imports
from hlkit.analysis.core.contact_names import deal_names
from hlkit.analysis.core.deals import Abandoned, dated_deals_as_of, deal_group_keys, without_abandoned
from hlkit.analysis.core.run_log import remark
from hlkit.client.schema import INSTANT, MONEY, TEXT, Kind
from hlkit.client.text import many

COHORT = "cohort"
DEAL_ROWS: dict[str, Kind] = {  # the columns of the deals behind a group
    "name": TEXT,
    "status": TEXT,
    "value": MONEY,
    "created_at": INSTANT,
    "closed_at": INSTANT,
}
DEFINITION = (
    "The share of all deals that is won, and the share that is lost or abandoned, within so many days of their "
    "creation. An open deal counts for as long as it has been open so far, and a lost deal can no longer be won "
    "(Aalen-Johansen); intervals are 95% Wilson at the effective number of deals. Abandoned deals: {abandoned}. "
    "Groups are compared at one age, the largest of 30, 60 and 90 days that at least 10 deals of each group have "
    "reached. The median days to win is the time until half of the expected wins happened, if open deals will be won "
    "as often as closed ones."
)


def dated_deals(
    opportunities: pd.DataFrame, as_of: pd.Timestamp, abandoned: Abandoned, imports: Imports
) -> pd.DataFrame:
    """``dated_deals_as_of`` with the names of the deals, without those that the options exclude."""
    deals = without_abandoned(dated_deals_as_of(opportunities, as_of), abandoned)
    deals = drop_imports(deals, imports, "opportunities")
    _remark_on_reopened(deals, as_of)
    return deals.assign(name=deal_names(deals))


def _remark_on_reopened(deals: pd.DataFrame, as_of: pd.Timestamp) -> None:
    """Add a remark on open deals whose status changed after creation: when they were closed is unknown."""
    changed = deals["status_changed_at"]
    is_changed = (changed - deals["created_at"] > pd.Timedelta(minutes=1)) & (changed <= as_of)
    reopened = int((is_changed & (deals["status"] == "open")).sum())
    if reopened:
        remark(f"{many(reopened, 'open deal')} may have been reopened; each counts as open since its creation.")


def group_or_cohort(opportunities: pd.DataFrame, deals: pd.DataFrame, by: Any, timezone: str) -> Any:
    """The values to group *deals* by: a column of the deals, or "cohort", the month of creation; or two of them."""
    if isinstance(by, list):
        return [group_or_cohort(opportunities, deals, name, timezone) for name in by]
    if by == COHORT and COHORT not in opportunities:
        return deals["created_at"].dt.tz_convert(timezone).dt.strftime("%Y-%m").rename(COHORT)
    return deal_group_keys(opportunities, deals, by)


def sort_cohorts(table: pd.DataFrame, by: Any) -> pd.DataFrame:
    """Cohorts by month; other groups stay sorted by size."""
    return table.sort_values(table.columns[0], kind="stable") if by == COHORT else table
