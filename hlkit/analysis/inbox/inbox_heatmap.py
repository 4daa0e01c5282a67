"""Inbox heatmap: when contacts write, by weekday and hour, and how long they wait then."""

from __future__ import annotations

import pandas as pd

from hlkit.analysis.core.charts import Heatmap
from hlkit.analysis.core.headlines import no_rows_headline
from hlkit.analysis.core.messages import Reply
from hlkit.analysis.core.office_hours import HOURS, OFFICE, WEEKDAYS, week_grid, weekday_and_hour
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import record_rows
from hlkit.analysis.core.survival import survival_quantiles
from hlkit.analysis.inbox.channels import CHANNEL
from hlkit.analysis.inbox.turns import (
    CENSORED,
    DEFINITION,
    Clock,
    Start,
    find_turns,
    read_conversations,
    waits_in_minutes,
)
from hlkit.client.schema import COUNT, INSTANT, NUMBER, TEXT
from hlkit.client.text import many


def busiest_hour(table: pd.DataFrame) -> str:
    """The hour of the week with the most messages."""
    inbound = table["inbound"].fillna(0)
    if not inbound.sum():
        return no_rows_headline("incoming messages", table)
    busiest = table[(inbound == inbound.max()).to_numpy(dtype=bool)]
    weekday, hour = busiest["weekday"].iloc[0], int(busiest["hour"].iloc[0])
    tied = f", as many as in {many(len(busiest) - 1, 'other hour')}" if len(busiest) > 1 else ""
    return (
        f"Contacts write most on {weekday}s from {HOURS[hour]} to {HOURS[(hour + 1) % 24]}: {inbound.max():,} of "
        f"{many(inbound.sum(), 'message')}{tied}."
    )


@analysis(
    "When do contacts write?",
    columns={"weekday": TEXT, "hour": COUNT, "inbound": COUNT, "turns": COUNT, "median_min": NUMBER},
    chart=Heatmap(
        "weekday",
        "hour",
        "inbound",
        "messages from contacts, by local time",
        rows=WEEKDAYS,
        columns=range(24),
        column_names=HOURS,
    ),
    headline=busiest_hour,
    definition=(
        f"Messages that contacts wrote, by the weekday and hour in which they were sent. {DEFINITION} {CENSORED} It "
        "counts in the hour of its first message."
    ),
    noun="incoming messages",
    rows={CHANNEL: TEXT, "sent_at": INSTANT},
)
def inbox_heatmap(
    messages: pd.DataFrame,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    start: Start = "first",
    reply: Reply = "attempt",
    clock: Clock = "office",
    office: str = OFFICE,
    holidays: str | None = None,
) -> pd.DataFrame:
    """Messages from contacts by weekday and hour, and the median wait for a reply.

    Parameters
    ----------
    messages
        One row per message: contact_id, sent_at, direction, origin, user_id, status, type; optional
        conversation_id, call_status and call_duration_s.
    start
        Count the wait from the first unanswered message, or from the newest one, as HighLevel's timer does.
    reply
        "attempt" counts a person's message or call, even if the call was not answered; "connected" only messages and
        calls that were answered; "any" also automated messages.

    Returns
    -------
    168 rows, from Monday midnight: ``weekday`` and ``hour`` (0 to 23) in *timezone*, ``inbound`` (messages),
    ``turns`` that started then, and their ``median_min`` (minutes of *clock* until half of them are answered; null
    without turns, or if half are never answered).

    Raises
    ------
    MissingColumn

    Source: HighLevel's help, "SLA reporting for conversations" (155000007658), June 2026.
    """
    sent = read_conversations(messages, reply)
    inbound = sent[sent["is_inbound"]]
    hours = weekday_and_hour(inbound["sent_at"], timezone)
    record_rows(inbound, hours, {})
    turns = find_turns(sent)
    turns["wait_min"] = waits_in_minutes(turns, as_of, start, clock, timezone, office, holidays)
    by_hour = turns.groupby([column for _, column in weekday_and_hour(turns["started_at"], timezone).items()])
    medians = {hour: survival_quantiles(rows["wait_min"], rows["is_answered"])[0] for hour, rows in by_hour}
    table = pd.DataFrame(
        {
            "inbound": hours.value_counts(),
            "turns": by_hour.size(),
            "median_min": pd.Series(medians, dtype="float64"),
        },
        index=week_grid(),
    )
    return table.fillna({"inbound": 0, "turns": 0}).reset_index()
