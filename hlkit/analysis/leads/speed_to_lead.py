"""Speed to lead: how long a new contact waits for a human reply."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.bulk_imports import Imports
from hlkit.analysis.core.charts import Part, Stacked
from hlkit.analysis.core.groups import SMALL, group_keys, per_group, require_columns
from hlkit.analysis.core.headlines import Compare, clock_note, format_wait
from hlkit.analysis.core.messages import Reply, classify_messages, remark_on_reply
from hlkit.analysis.core.office_hours import OFFICE, minutes_between
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.share_change import ShareChange
from hlkit.analysis.core.survival import cumulative_incidence, never_ended, survival_quantiles
from hlkit.analysis.leads.first_replies import DEFINITION, Clock, first_replies, new_leads, waits_in_minutes
from hlkit.client.schema import COUNT, FLAG, INSTANT, NUMBER, SHARE
from hlkit.client.text import many

WITHIN = (5, 15, 60)  # minutes


def answered_within_an_hour(total: pd.Series, table: pd.DataFrame) -> str:
    """The first sentence of the headline: the median wait, the share within an hour, and who still waits."""
    n, waiting = int(total["n"]), int(total["n"] - total["answered"])
    median = "No median yet"
    if pd.notna(total["median_min"]):
        median = f"Half of your leads wait {format_wait(table, total['median_min'])}{clock_note(table)} or more"
    no_reply = f"; {waiting:,} {'has' if waiting == 1 else 'have'} no reply yet" if waiting else ""
    verb = "is" if n == 1 else "are"
    return f"{median}; {total['within_60_share']:.0%} of {many(n, 'lead')} {verb} answered within an hour{no_reply}"


COLUMNS = {
    "n": COUNT,
    "answered": COUNT,
    "user_unknown": COUNT,
    "contacted_before": COUNT,
    "median_min": NUMBER,
    "all_hours_median_min": NUMBER,
    "p90_min": NUMBER,
    "answered_median_min": NUMBER,
    "answered_p90_min": NUMBER,
    **{f"within_{at}_{end}": SHARE for at in WITHIN for end in ("share", "low", "high")},
    "no_reply_share": SHARE,
    "no_reply_low": SHARE,
    "no_reply_high": SHARE,
    "any_message_median_min": NUMBER,
    "small": FLAG,
}


@analysis(
    "How fast do we answer new leads?",
    columns=COLUMNS,
    chart=Stacked(
        (
            Part("within_5_share", "within 5 min", "strong"),
            Part("within_15_share", "15 min", "middle", minus="within_5_share"),
            Part("within_60_share", "1 hour", "weak", minus="within_15_share"),
            Part(lambda table: 1 - table["no_reply_share"] - table["within_60_share"], "later", "context"),
            Part("no_reply_share", "no reply yet", "attention"),
        ),
        "share of leads",
        interval="within_60",
        share_label="answered within an hour",
    ),
    headline=Compare("within_60", answered_within_an_hour),
    definition=(
        f"{DEFINITION} Unanswered leads count as still waiting (Kaplan-Meier), so medians and shares include them; "
        "p90_min is blank until nine in ten are answered. all_hours_median_min counts all hours, and "
        "any_message_median_min is the median in all hours to any outbound message or call, also an automated one. "
        "user_unknown counts leads whose first reply is a call that names no user. Intervals are 95% Wilson, wider "
        "while leads are still waiting."
    ),
    noun="leads",
    compares=ShareChange("within_60", "answered within an hour", also=("median_min",)),
    rows={
        "wait_min": NUMBER,
        "is_answered": FLAG,
        "created_at": INSTANT,
        "replied_at": INSTANT,
        "contacted_before": FLAG,
    },
)
def speed_to_lead(
    contacts: pd.DataFrame,
    messages: pd.DataFrame,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    by: str | list[str] | None = "source",
    clock: Clock = "office",
    office: str = OFFICE,
    holidays: str | None = None,
    reply: Reply = "attempt",
    imports: Imports = "exclude",
) -> pd.DataFrame:
    """Time from a contact's creation to the first message or call from a person.

    A lead that writes again while waiting does not start a new wait; ``responses`` measures the replies to each
    message. The docstring of ``hlkit.analysis.core.messages`` lists which messages count as a reply.

    Parameters
    ----------
    contacts
        One row per contact: contact_id, created_at, *by*.
    messages
        One row per message: contact_id, sent_at, direction, origin, user_id, status, type; optional call_status and
        call_duration_s.
    by
        A column of the contacts, or two of them for a heat map.
    reply
        "attempt" counts a person's message or call, even if the call was not answered; "connected" only messages and
        answered calls; "any" also automated ones.

    Returns
    -------
    One row per value of *by*, slowest first: ``n`` and ``answered`` (leads), ``user_unknown`` (answered by a call
    that names no user), ``contacted_before`` (a person's message is more than 10 minutes older than the contact,
    as of one that was deleted and created again; they are in ``n``), ``median_min`` (minutes on the *clock* until
    half of all leads are answered; null if fewer ever are), ``p90_min`` (the same for nine in ten),
    ``all_hours_median_min`` (the median, counting all hours), ``answered_median_min`` and ``answered_p90_min``
    (of the leads that are ever answered), the shares answered within 5, 15 and 60 minutes and ``no_reply_share``
    with their intervals, ``any_message_median_min`` (minutes, counting all hours) and ``small`` (fewer than 20
    leads).

    Raises
    ------
    MissingColumn

    Source: Oldroyd, McElheran & Elkington, "The Short Life of Online Sales Leads", Harvard Business Review,
    March 2011. Intervals: Rothman, "Estimation of confidence limits for the cumulative probability of survival
    in life table analysis", J. Chronic Dis. 31, 1978.
    """
    require_columns(contacts, "contact_id", "created_at", by)
    leads = new_leads(contacts, imports)
    kinds = classify_messages(messages)
    remark_on_reply(reply)
    first = first_replies(leads, messages, kinds, reply)
    replied_at, any_at = first["replied_at"], first_replies(leads, messages, kinds, "any")["replied_at"]
    waits = pd.DataFrame(
        {
            "wait_min": waits_in_minutes(leads, replied_at.fillna(as_of), clock, timezone, office, holidays),
            "all_hours_wait_min": minutes_between(leads["created_at"], replied_at.fillna(as_of)),
            "is_answered": replied_at.notna(),
            # Counting all hours, whatever the clock: automations also reply outside office hours.
            "any_message_wait_min": minutes_between(leads["created_at"], any_at.fillna(as_of)),
            "has_any_message": any_at.notna(),
            "contacted_before": first["contacted_before"],
            "user_unknown": first["user_unknown"],
            # For the list of leads behind a group:
            "created_at": leads["created_at"],
            "replied_at": replied_at,
            "user_id": first["user_id"],
            "contact_id": leads["contact_id"],
        }
    )
    table = per_group(waits, group_keys(leads, by), COLUMNS, _summarize)
    return table.sort_values("median_min", ascending=False, na_position="first", kind="stable")


def _summarize(leads: pd.DataFrame) -> dict[str, Any]:
    wait, is_answered = leads["wait_min"], leads["is_answered"]
    answers = cumulative_incidence(wait, is_answered, is_answered)  # twice: a wait ends in no other way
    no_reply, no_reply_low, no_reply_high = never_ended(wait, is_answered)
    ever = 1 - no_reply
    # Half of the leads that are ever answered are answered when 0.5 * ever of all leads are.
    levels = {"median_min": 0.5, "p90_min": 0.9, "answered_median_min": 0.5 * ever, "answered_p90_min": 0.9 * ever}
    stats: dict[str, Any] = dict(
        zip(levels, survival_quantiles(wait, is_answered, tuple(levels.values())), strict=True)
    )
    if not ever > 0:  # nobody is answered, or there are no leads
        stats |= {"answered_median_min": np.nan, "answered_p90_min": np.nan}
    for limit in WITHIN:
        parts = zip(("share", "low", "high"), answers.at(float(limit)), strict=True)
        stats |= {f"within_{limit}_{part}": float(value) for part, value in parts}
    return stats | {
        "n": len(leads),
        "answered": int(is_answered.sum()),
        "user_unknown": int(leads["user_unknown"].sum()),
        "contacted_before": int(leads["contacted_before"].sum()),
        "all_hours_median_min": survival_quantiles(leads["all_hours_wait_min"], is_answered)[0],
        "any_message_median_min": survival_quantiles(leads["any_message_wait_min"], leads["has_any_message"])[0],
        "no_reply_share": no_reply,
        "no_reply_low": no_reply_low,
        "no_reply_high": no_reply_high,
        "small": len(leads) < SMALL,
    }
