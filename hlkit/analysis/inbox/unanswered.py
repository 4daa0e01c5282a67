"""Unanswered: the people who still wait for a human reply, the longest wait first."""

from __future__ import annotations

import pandas as pd

from hlkit.analysis.core.charts import Strip
from hlkit.analysis.core.contact_names import contact_links, names_by_contact
from hlkit.analysis.core.date_text import format_date
from hlkit.analysis.core.groups import assign_groups, contact_values
from hlkit.analysis.core.headlines import clock_note, format_wait, option_value, unit_of_waits
from hlkit.analysis.core.messages import Reply
from hlkit.analysis.core.office_hours import OFFICE
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.inbox.channels import CHANNEL
from hlkit.analysis.inbox.turns import (
    DEFINITION,
    Clock,
    Start,
    find_turns,
    people_waiting,
    read_conversations,
    waits_in_minutes,
)
from hlkit.client.links import APP_URL
from hlkit.client.schema import COUNT, ID, INSTANT, LINK, NUMBER, TEXT


def waiting_longest(table: pd.DataFrame) -> str:
    """How many people wait, since when half of them do, and since when the first does."""
    timezone = table.attrs["hlkit"]["timezone"]
    column = "newest_at" if option_value(table, "start") == "newest" else "started_at"
    dates = table[column].sort_values().dt.tz_convert(timezone).map(format_date).tolist()
    people = f"{people_waiting(len(table))} waiting for a reply"
    if len(table) == 1:
        wait = format_wait(table, float(table["wait_min"].iloc[0]))
        return f"{people}, for {wait}{clock_note(table)}, since {dates[0]}."
    return f"{people}: half of them since {dates[(len(dates) - 1) // 2]} or earlier, the first since {dates[0]}."


COLUMNS = {
    "name": TEXT,
    "link": LINK,
    "wait_min": NUMBER,
    CHANNEL: TEXT,
    "messages": COUNT,
    "started_at": INSTANT,
    "newest_at": INSTANT,
    "owner_id": ID,
    "conversation_id": ID,
    "contact_id": ID,
}


@analysis(
    "Who is waiting for a reply?",
    columns=COLUMNS,
    chart=Strip(
        "wait_min",
        lane=lambda table: assign_groups(table, CHANNEL)[1],
        label=lambda table: f"time without a reply{clock_note(table)}, log scale; at the right: people waiting",
        unit=unit_of_waits,
    ),
    headline=waiting_longest,
    definition=(
        f"{DEFINITION} Each row is a turn without a reply; its wait lasts until as_of. A closing thank-you counts as "
        "a message that waits."
    ),
    noun="unanswered messages",
)
def unanswered(
    messages: pd.DataFrame,
    contacts: pd.DataFrame | None = None,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    start: Start = "first",
    reply: Reply = "attempt",
    clock: Clock = "office",
    office: str = OFFICE,
    holidays: str | None = None,
    location_id: str | None = None,
    app_url: str = APP_URL,
) -> pd.DataFrame:
    """Each person who has written and has not had a message or call from a person since.

    Answered turns are the rows behind ``responses``.

    Parameters
    ----------
    messages
        One row per message: contact_id, sent_at, direction, origin, user_id, status, type; optional
        conversation_id, call_status and call_duration_s.
    contacts
        One row per contact, for names and owners.
    start
        Count the wait from the first unanswered message, or from the newest one, as HighLevel's timer does.
    reply
        "attempt" counts a person's message or call, even if the call was not answered; "connected" only messages and
        calls that were answered; "any" also automated messages.

    Returns
    -------
    One row per person who waits, the longest wait first: ``name``, ``link`` (to the contact in HighLevel),
    ``wait_min`` (minutes from *start* until *as_of*; with clock="office" those of office hours), ``message_channel``
    (of the first message), ``messages`` (how many), ``started_at`` and ``newest_at`` (UTC, of the first and the
    last), ``owner_id`` (of the contact), ``conversation_id`` and ``contact_id``.

    Raises
    ------
    MissingColumn

    Source: HighLevel's help, "SLA reporting for conversations" (155000007658), June 2026.
    """
    turns = find_turns(read_conversations(messages, reply))
    turns["wait_min"] = waits_in_minutes(turns, as_of, start, clock, timezone, office, holidays)
    # Messages of one weekend have equal waits in office hours: the first who wrote comes first.
    waiting = turns[~turns["is_answered"]].sort_values(["wait_min", "started_at"], ascending=[False, True])
    table = waiting.assign(
        name=names_by_contact(contacts, waiting["contact_id"]),
        link=contact_links(waiting["contact_id"], location_id, app_url),
        owner_id=None,
    )
    if contacts is not None and "owner_id" in contacts:
        table["owner_id"] = contact_values(contacts, "owner_id", waiting["contact_id"])
    return table[list(COLUMNS)]
