"""Lead waits: each new lead, how long it waited for a human reply, and who replied."""

from __future__ import annotations

import pandas as pd

from hlkit.analysis.core.bulk_imports import Imports
from hlkit.analysis.core.charts import Strip
from hlkit.analysis.core.contact_names import contact_links, contact_names
from hlkit.analysis.core.date_text import format_date
from hlkit.analysis.core.groups import NONE, assign_groups, column_or_nulls
from hlkit.analysis.core.headlines import clock_note, format_wait, unit_of_waits
from hlkit.analysis.core.messages import Reply, classify_messages, remark_on_reply
from hlkit.analysis.core.office_hours import OFFICE
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.leads.first_replies import DEFINITION, Clock, first_replies, new_leads, waits_in_minutes
from hlkit.client.links import APP_URL
from hlkit.client.schema import FLAG, ID, INSTANT, LINK, NUMBER, TEXT
from hlkit.client.text import many


def longest_wait(table: pd.DataFrame) -> str:
    """How many leads have no reply yet, and the longest of their waits with its date."""
    waiting = table[table["is_waiting"].to_numpy(dtype=bool)]
    if not len(waiting):
        return "The only lead has a reply." if len(table) == 1 else f"All {len(table):,} leads have a reply."
    longest = waiting.iloc[0]  # lead_waits() puts the longest wait first
    since = longest["created_at"].tz_convert(table.attrs["hlkit"]["timezone"])
    verb = "has" if len(waiting) == 1 else "have"
    return (
        f"{len(waiting):,} of {many(len(table), 'lead')} {verb} no reply yet; the longest wait so far is "
        f"{format_wait(table, longest['wait_min'])}{clock_note(table)}, since {format_date(since)}."
    )


@analysis(
    "Which leads are waiting for a reply, and who answered the others?",
    columns={
        "name": TEXT,
        "link": LINK,
        "is_waiting": FLAG,
        "wait_min": NUMBER,
        "created_at": INSTANT,
        "replied_at": INSTANT,
        "source": TEXT,
        "contacted_before": FLAG,
        "user_id": ID,
        "owner_id": ID,
        "contact_id": ID,
    },
    chart=Strip(
        "wait_min",
        lane=lambda table: assign_groups(table, "source")[1].replace(NONE, "no source"),
        alert="is_waiting",
        label=lambda table: (
            f"time until the first reply{clock_note(table)}, log scale; orange, counted at the right: no reply yet"
        ),
        unit=unit_of_waits,
    ),
    headline=longest_wait,
    definition=f"{DEFINITION} A lead without a reply has waited until as_of.",
    noun="leads",
)
def lead_waits(
    contacts: pd.DataFrame,
    messages: pd.DataFrame,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    clock: Clock = "office",
    office: str = OFFICE,
    holidays: str | None = None,
    reply: Reply = "attempt",
    imports: Imports = "exclude",
    location_id: str | None = None,
    app_url: str = APP_URL,
) -> pd.DataFrame:
    """Each lead with its wait for the first message or call from a person.

    Parameters
    ----------
    contacts
        One row per contact: contact_id, created_at; optional first_name, last_name, name, source and owner_id.
    messages
        One row per message: contact_id, sent_at, direction, origin, user_id, status, type; optional call_status and
        call_duration_s.
    reply
        "attempt" counts a person's message or call, even if the call was not answered; "connected" only messages and
        answered calls; "any" also automated ones.

    Returns
    -------
    One row per lead, those without a reply first, each part with the longest wait first: ``name``, ``link`` (to the
    contact in HighLevel), ``is_waiting``, ``wait_min`` (minutes of *clock* until the reply, or until *as_of*),
    ``created_at`` and ``replied_at`` (UTC), ``source``, ``contacted_before`` (a person had written to the lead more
    than 10 minutes before its creation), ``user_id`` (who replied), ``owner_id`` and ``contact_id``.

    Raises
    ------
    MissingColumn

    Source: Oldroyd, McElheran & Elkington, Harvard Business Review, March 2011.
    """
    leads = new_leads(contacts, imports)
    remark_on_reply(reply)
    first = first_replies(leads, messages, classify_messages(messages), reply)
    until = first["replied_at"].fillna(as_of)
    table = pd.DataFrame(
        {
            "name": contact_names(leads),
            "link": contact_links(leads["contact_id"], location_id, app_url),
            "is_waiting": first["replied_at"].isna(),
            "wait_min": waits_in_minutes(leads, until, clock, timezone, office, holidays),
            "created_at": leads["created_at"],
            "replied_at": first["replied_at"],
            "source": column_or_nulls(leads, "source"),
            "contacted_before": first["contacted_before"],
            "user_id": first["user_id"],
            "owner_id": column_or_nulls(leads, "owner_id"),
            "contact_id": leads["contact_id"],
        }
    )
    # Leads created on one weekend have equal waits in office hours: the first of them comes first.
    order = {"is_waiting": False, "wait_min": False, "created_at": True}
    return table.sort_values(list(order), ascending=list(order.values()))
