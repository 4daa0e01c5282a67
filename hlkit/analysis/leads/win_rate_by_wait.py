"""Win rate by wait: how often deals are won, by how long their lead waited for a human reply."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.bulk_imports import Imports
from hlkit.analysis.core.charts import Dots
from hlkit.analysis.core.deals import (
    AGES,
    Abandoned,
    common_age_label,
    common_win_rate,
    deals_as_of,
    win_columns,
    wins_at_ages,
    wins_by_age,
    without_abandoned,
)
from hlkit.analysis.core.groups import SMALL, column_or_nulls, is_among, map_keys, require_columns
from hlkit.analysis.core.headlines import compare_win_rates, no_rows_headline
from hlkit.analysis.core.messages import Reply, classify_messages, remark_on_reply
from hlkit.analysis.core.office_hours import OFFICE
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import drop_rows, record_rows
from hlkit.analysis.core.shares import share, share_with_interval
from hlkit.analysis.leads.first_replies import DEFINITION, Clock, first_replies, new_leads, waits_in_minutes
from hlkit.client.schema import COUNT, FLAG, INSTANT, NUMBER, SHARE, TEXT

WAITS = ("up to 5 min", "5-15 min", "15-60 min", "1-4 h", "4-24 h", "over 24 h or no reply")
LIMITS = (5, 15, 60, 4 * 60, 24 * 60)  # minutes


def win_rates_without_a_cause(table: pd.DataFrame) -> str:
    """The share of deals won by length of wait, and that a link is not a cause."""
    if not table["deals"].sum():
        return no_rows_headline("leads with a deal", table)
    return f"{compare_win_rates(table)} A faster reply need not be the cause."


@analysis(
    "Do faster replies win more deals?",
    columns={
        "wait": TEXT,
        "n": COUNT,
        "deals": COUNT,
        "won": COUNT,
        "lost": COUNT,
        "open_share": SHARE,
        **win_columns(*AGES),
        "win_naive_share": SHARE,
        "win_naive_low": SHARE,
        "win_naive_high": SHARE,
        "small": FLAG,
    },
    chart=Dots(common_win_rate, common_age_label, n="deals", order="table", needs_column="win_30d_share"),
    headline=win_rates_without_a_cause,
    definition=(
        f"{DEFINITION} A lead's first deal counts. Deals that closed within 24 hours of their lead, on the same "
        "clock, are left out, since the wait of a lead can be observed only while its deal is open. The lengths are "
        "compared by the share of deals won within 30, 60 or 90 days of the deal's creation (Aalen-Johansen); "
        "win_naive_share, won of won and lost, depends on the age of the deals and is not compared. Leads that are "
        "answered sooner may differ in other ways too, so a difference does not prove a cause. Abandoned deals: "
        "{abandoned}."
    ),
    noun="leads",
    rows={
        "wait_min": NUMBER,
        "is_answered": FLAG,
        "created_at": INSTANT,
        "deal_status": TEXT,
        "deal_age_days": NUMBER,
    },
)
def win_rate_by_wait(
    contacts: pd.DataFrame,
    messages: pd.DataFrame,
    opportunities: pd.DataFrame,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    clock: Clock = "office",
    office: str = OFFICE,
    holidays: str | None = None,
    reply: Reply = "attempt",
    abandoned: Abandoned = "lost",
    imports: Imports = "exclude",
) -> pd.DataFrame:
    """The share of deals won, by how long their lead waited for the first message or call from a person.

    Parameters
    ----------
    contacts
        One row per contact: contact_id, created_at.
    messages
        One row per message: contact_id, sent_at, direction, origin, user_id, status, type; optional call_status and
        call_duration_s.
    opportunities
        One row per deal: contact_id, created_at, status; optional status_changed_at.
    reply
        "attempt" counts a person's message or call, even if the call was not answered; "connected" only messages and
        answered calls; "any" also automated ones.
    abandoned
        Count abandoned deals as lost, or exclude them.

    Returns
    -------
    One row per length of ``wait``: ``n`` (leads), ``deals`` (leads with a deal, whose first deal counts), ``won`` and
    ``lost``, ``open_share``, ``followed_days`` (the age that at least 10 deals have reached), ``win_30d_share``,
    ``win_60d_share`` and ``win_90d_share`` with their intervals (the share of all deals won within 30, 60 and 90 days
    of creation), ``win_naive_share`` (won of won and lost) with its interval, and ``small`` (fewer than 20 deals).

    Raises
    ------
    MissingColumn

    Source: Oldroyd, McElheran & Elkington, "The Short Life of Online Sales Leads", Harvard Business Review,
    March 2011.
    """
    leads = new_leads(contacts, imports)
    remark_on_reply(reply)
    replied_at = first_replies(leads, messages, classify_messages(messages), reply)["replied_at"]
    wait_min = waits_in_minutes(leads, replied_at, clock, timezone, office, holidays)
    waits = leads[["contact_id", "created_at"]].assign(
        wait=pd.cut(wait_min.fillna(np.inf), [-1, *LIMITS, np.inf], labels=list(WAITS)),  # null: no reply
        wait_min=wait_min,
        is_answered=replied_at.notna(),
    )

    deals = _first_deals(leads, opportunities, as_of, abandoned)
    closed_at = map_keys(leads["contact_id"], deals.set_index("contact_id")["closed_at"])
    until_closed = waits_in_minutes(leads, closed_at, clock, timezone, office, holidays)
    is_early = is_among(deals["contact_id"], leads["contact_id"][until_closed < LIMITS[-1]])
    deals = drop_rows(deals, is_early, "opportunities that closed within 24 h of their lead")
    rows = waits.merge(deals, on="contact_id", how="left", validate="many_to_one")
    public = rows.rename(columns={"status": "deal_status", "age": "deal_age_days"})
    record_rows(public, rows[["wait"]].astype(TEXT.dtype), {})
    return pd.DataFrame([{"wait": wait, **_summarize(rows[rows["wait"] == wait])} for wait in WAITS])


def _first_deals(
    leads: pd.DataFrame, opportunities: pd.DataFrame, as_of: pd.Timestamp, abandoned: Abandoned
) -> pd.DataFrame:
    """The first deal of each lead: contact_id, opportunity_id, ``status``, ``closed_at``, ``age``, ``followed``."""
    require_columns(opportunities, "contact_id", "created_at", "status")
    deals = without_abandoned(deals_as_of(opportunities, as_of), abandoned)
    deals = deals[is_among(deals["contact_id"], leads["contact_id"])]
    first = deals.sort_values("created_at", kind="stable").drop_duplicates("contact_id")
    columns = ["contact_id", "status", "closed_at", "age", "followed"]
    return first[columns].assign(opportunity_id=column_or_nulls(first, "opportunity_id"), has_deal=True)


def _summarize(leads: pd.DataFrame) -> dict[str, Any]:
    deals = leads[leads["has_deal"].eq(True)]
    won, lost = int((deals["status"] == "won").sum()), int(deals["status"].isin(("lost", "abandoned")).sum())
    return {
        "n": len(leads),
        "deals": len(deals),
        "won": won,
        "lost": lost,
        "open_share": share((deals["status"] == "open").sum(), len(deals)),
        **wins_at_ages(deals, wins_by_age(deals), *AGES),
        **share_with_interval("win_naive", won, won + lost),
        "small": len(deals) < SMALL,
    }
