"""Stuck deals: open deals that have been in their stage for too long and have no next step planned."""

from __future__ import annotations

import pandas as pd

from hlkit.analysis.core.charts import Strip
from hlkit.analysis.core.contact_names import contact_links
from hlkit.analysis.core.headlines import largest_group
from hlkit.analysis.core.money import currency_of, format_money
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import as_mask
from hlkit.analysis.sales.open_deals import DEFINITION, open_deals
from hlkit.analysis.sales.stage_names import stage_names
from hlkit.client.links import APP_URL
from hlkit.client.schema import FLAG, ID, LINK, MONEY, NUMBER, TEXT
from hlkit.client.text import many


def stuck_and_their_value(table: pd.DataFrame) -> str:
    """How many open deals are stuck, their total value, and the stage with the most of them."""
    stuck_deals = table[as_mask(table["stuck"])]
    count = len(stuck_deals)
    sentence = f"{count:,} of {many(len(table), 'open deal')} {'is' if 1 in (count, len(table)) else 'are'} stuck"
    if not count:
        return f"{sentence}."
    total = stuck_deals["value"].sum()
    worth = f", worth {format_money(total, currency_of(table), whole=True)} in total" if total > 0 else ""
    counts = stage_names(stuck_deals).value_counts(sort=False).rename_axis("stage").reset_index(name="n")
    stage = largest_group(counts, "n")
    return f"{sentence}{worth}." + (f" The stage with the most: {stage}." if stage else "")


COLUMNS = {
    "name": TEXT,
    "link": LINK,
    "stuck": FLAG,
    "days_in_stage": NUMBER,
    "limit_days": NUMBER,
    "value": MONEY,
    "next_step": TEXT,
    "days_since_action": NUMBER,
    "stage_p90_days": NUMBER,
    "stage_id": ID,
    "pipeline_id": ID,
    "owner_id": ID,
    "contact_id": ID,
    "opportunity_id": ID,
}


@analysis(
    "Which open deals have stopped moving?",
    columns=COLUMNS,
    chart=Strip(
        "days_in_stage",
        lane=stage_names,
        alert="stuck",
        label="time in the stage, log scale; orange: stuck; line: the limit of the stage",
        limit="limit_days",
    ),
    headline=stuck_and_their_value,
    definition=DEFINITION,
    noun="open deals",
)
def stuck(
    opportunities: pd.DataFrame,
    tasks: pd.DataFrame | None = None,
    appointments: pd.DataFrame | None = None,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    days: int = 14,
    location_id: str | None = None,
    app_url: str = APP_URL,
) -> pd.DataFrame:
    """Open deals with their days in the stage, the limit of the stage, and the next step.

    Parameters
    ----------
    opportunities
        One row per deal: opportunity_id, status, stage_id, created_at, stage_changed_at, status_changed_at;
        optional contact_id, owner_id, pipeline_id, name, contact_name, value and acted_at.
    tasks
        One row per task: contact_id, is_completed; optional due_at.
    appointments
        One row per appointment: contact_id, starts_at; optional status and is_deleted.
    days
        The limit, in days, of stages from which fewer than 20 deals were won after an hour or more in them.

    Returns
    -------
    One row for each deal open at *as_of*, stuck ones first, sorted by days in the stage: ``name`` (of the deal, else
    of its contact), ``link`` (to the contact in HighLevel), ``stuck``, ``days_in_stage`` (null if the deal changed
    stage after *as_of*), ``limit_days``, ``value`` (in the location's currency), ``next_step`` (the first upcoming
    appointment or open task of the contact), ``days_since_action`` (since the last action on the deal, as HighLevel
    records it), ``stage_p90_days`` (90th percentile of the days that deals won from the stage stayed in it; null if
    there are fewer than 20), ``stage_id``, ``pipeline_id``, ``owner_id``, ``contact_id`` and ``opportunity_id``.
    A task that does not count for any of several deals ends with "(contact has 3 open deals)". ``next_step`` is
    blank if there is none, and null if neither tasks nor appointments can be read.

    Raises
    ------
    MissingColumn

    Source: "rotten deals" of other CRMs: crmsupport.freshworks.com, article 50000002157.
    """
    deals = open_deals(opportunities, tasks, appointments, as_of, timezone, days)
    deals = deals.assign(link=contact_links(deals["contact_id"], location_id, app_url))
    order = {"stuck": False, "days_in_stage": False, "opportunity_id": True}
    return deals.sort_values(list(order), ascending=list(order.values()))[list(COLUMNS)]
