"""Responses: how long contacts who write wait for a human reply, by group."""

from __future__ import annotations

from typing import Any

import pandas as pd

from hlkit.analysis.core.charts import Dots
from hlkit.analysis.core.charts.canvas import format_minutes
from hlkit.analysis.core.groups import (
    NONE,
    SMALL,
    column_values,
    contact_values,
    in_order,
    keys_of,
    per_group,
    require_columns,
)
from hlkit.analysis.core.headlines import Compare, clock_note, format_wait, option_value
from hlkit.analysis.core.messages import Reply
from hlkit.analysis.core.office_hours import HOURS, OFFICE, WEEKDAYS, hour_names, weekday_and_hour
from hlkit.analysis.core.registry import analysis, when_by_contact
from hlkit.analysis.core.share_change import ShareChange
from hlkit.analysis.core.shares import effective_rows_of_group, share_with_interval
from hlkit.analysis.core.survival import survival_quantiles
from hlkit.analysis.inbox.channels import CHANNEL, target_minutes
from hlkit.analysis.inbox.turns import (
    CENSORED,
    DEFINITION,
    Clock,
    Start,
    find_turns,
    people_waiting,
    read_conversations,
    users_who_replied,
    waits_in_minutes,
)
from hlkit.client.schema import COUNT, FLAG, INSTANT, NUMBER, SHARE, TEXT

ORDERS = {"hour": HOURS, "weekday": WEEKDAYS}


def answered_on_time(total: pd.Series, table: pd.DataFrame) -> str:
    """The first sentence of the headline: the median wait, the share on time, and who still waits."""
    median = "No median yet"
    if pd.notna(total["median_min"]):
        wait = format_wait(table, total["median_min"])
        median = f"Half of incoming messages wait {wait}{clock_note(table)} or more for a reply"
    waiting = f"; {people_waiting(int(total['waiting']))} still waiting" if total["waiting"] else ""
    return f"{median}; {total['on_time_share']:.0%} are answered {_on_time(table)}{waiting}"


def _on_time(table: pd.DataFrame) -> str:
    """What counts as on time: within 60 min; "on time" if channels have different targets."""
    target = option_value(table, "target_min")
    return f"within {format_minutes(target)}" if isinstance(target, (int, float)) else "on time"


COLUMNS = {
    "turns": COUNT,
    "answered": COUNT,
    "user_unknown": COUNT,
    "waiting": COUNT,
    "median_min": NUMBER,
    "p90_min": NUMBER,
    "on_time_share": SHARE,
    "on_time_low": SHARE,
    "on_time_high": SHARE,
    "small": FLAG,
}


@analysis(
    "How fast do we reply?",
    columns=COLUMNS,
    chart=Dots(
        "on_time",
        lambda table: f"share of turns answered {_on_time(table)}{clock_note(table)}",
        n="turns",
        beside=lambda row: f"median {format_minutes(row['median_min'])}" if pd.notna(row["median_min"]) else "",
        orders=ORDERS,
        without={"user": NONE, "user_id": NONE},  # no row for turns without a reply, which have no user
    ),
    headline=Compare("on_time", answered_on_time, unknown="No message has a reply or has missed its target yet."),
    definition=(
        f"{DEFINITION} {CENSORED} on_time_share is the share of turns answered within the target of {{target_min}} "
        "minutes. A turn that has waited longer than that is late, answered or not; one that is waiting with time "
        "left does not count. A closing thank-you counts as a message that waits. Intervals are 95% Wilson, wider if "
        "contacts have several turns, which resemble each other."
    ),
    noun="incoming messages",
    rows={
        "wait_min": NUMBER,
        "is_answered": FLAG,
        CHANNEL: TEXT,
        "messages": COUNT,
        "started_at": INSTANT,
        "answered_at": INSTANT,
    },
    when=when_by_contact("messages", CHANNEL, *ORDERS),
    compares=ShareChange("on_time", "answered on time", rows=lambda table: table["turns"], also=("median_min",)),
)
def responses(
    messages: pd.DataFrame,
    contacts: pd.DataFrame | None = None,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    by: str | list[str] | None = CHANNEL,
    start: Start = "first",
    reply: Reply = "attempt",
    target_min: int | dict[str, int] = 60,
    clock: Clock = "office",
    office: str = OFFICE,
    holidays: str | None = None,
) -> pd.DataFrame:
    """The wait from a contact's message to the first message or call by a person.

    A turn is all that a contact writes until the next reply; its row has the number of its messages. Which rows are
    replies and which are messages by the contact is listed in ``hlkit.analysis.core.messages``. ``by="owner"`` is the
    contact's current owner, since past owners cannot be read; HighLevel's own report uses the owner at that time.

    Parameters
    ----------
    messages
        One row per message: contact_id, sent_at, direction, origin, user_id, status, type; optional
        conversation_id, call_status and call_duration_s.
    contacts
        One row per contact, if *by* is a column of contacts.
    by
        "message_channel", "hour" or "weekday" of a turn's start in *timezone*, a column of the contacts such as
        owner, or a column of the messages (the value of a turn's first message). ``user`` and ``user_id`` are the
        user who replied, so turns without a reply belong to no user. A list of two of these gives a heat map.
    start
        Count the wait from the first unanswered message, or from the newest one, as HighLevel's timer does.
    reply
        "attempt" counts a person's message or call, even if the call was not answered; "connected" only messages and
        calls that were answered; "any" also automated messages.
    target_min
        A reply is on time within this many minutes, counted on the *clock*. Or one target per channel, such as
        {"SMS": 3, "Email": 30}; turns of other channels then have no target.

    Returns
    -------
    One row per value of *by*, largest first; hours and weekdays in their order: ``turns``, ``answered`` (including
    ``user_unknown``, answered by a call without a user) and ``waiting`` (counts), ``median_min`` and ``p90_min``
    (minutes until 50% and 90% of all turns are answered; null if that share is never reached), ``on_time_share`` with
    its interval, and ``small`` (fewer than 20 turns are on time or late, or these are of fewer than 20 contacts).

    Raises
    ------
    MissingColumn, InvalidRequest

    Source: HighLevel's help, "SLA reporting for conversations" (155000007658), June 2026.
    """
    turns = find_turns(read_conversations(messages, reply))
    turns["wait_min"] = waits_in_minutes(turns, as_of, start, clock, timezone, office, holidays)
    turns["target_min"] = target_minutes(turns[CHANNEL], target_min)
    keys = keys_of(by, lambda name: _group_values(turns, messages, contacts, name, timezone).rename(name))
    return in_order(per_group(turns, keys, COLUMNS, _summarize), ORDERS)


def _group_values(
    turns: pd.DataFrame, messages: pd.DataFrame, contacts: pd.DataFrame | None, by: str, timezone: str
) -> pd.Series:
    """The value of *by* for each turn."""
    if by == "user_id" or (by == "user" and "user" in messages):
        return users_who_replied(turns, messages, by)
    if by in messages:
        return column_values(messages, by).loc[turns.index]
    if by in ORDERS:
        start = weekday_and_hour(turns["started_at"], timezone)
        return hour_names(start["hour"]) if by == "hour" else start["weekday"]
    if by == CHANNEL:
        return turns[CHANNEL]
    if contacts is not None and by in contacts:
        return contact_values(contacts, by, turns["contact_id"])
    require_columns(messages, by)
    raise AssertionError(by)


def _summarize(turns: pd.DataFrame) -> dict[str, Any]:
    wait, is_answered = turns["wait_min"], turns["is_answered"]
    median, p90 = survival_quantiles(wait, is_answered, (0.5, 0.9))
    is_on_time = is_answered & (wait <= turns["target_min"])
    is_late = wait > turns["target_min"]  # answered late, or still waiting
    is_decided = is_on_time | is_late
    effective, people = effective_rows_of_group(is_on_time[is_decided], turns["person"][is_decided])
    return {
        "turns": len(turns),
        "answered": int(is_answered.sum()),
        "user_unknown": int((is_answered & turns["user_id"].isna()).sum()),
        "waiting": int((~is_answered).sum()),
        "median_min": median,
        "p90_min": p90,
        **share_with_interval("on_time", int(is_on_time.sum()), int(is_decided.sum()), effective),
        "small": min(int(is_decided.sum()), people) < SMALL,
    }
