"""Turns of conversations: what a contact writes until a person replies, shared by the analyses of the inbox."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.groups import UNKNOWN_USER, column_or_nulls, map_keys, require_columns
from hlkit.analysis.core.messages import Reply, classify_messages, remark_on_reply
from hlkit.analysis.core.office_hours import minutes_between, office_hours
from hlkit.analysis.core.run_log import as_mask, drop_rows, record_left_out, remark
from hlkit.analysis.inbox.channels import CHANNEL, channels_of

Clock = Literal["office", "wall"]
Start = Literal["first", "newest"]
DEFINITION = (
    "A turn is everything that a contact writes until a person replies. Its wait is counted from its {start} "
    "message, in minutes of the {clock} clock."
)
CENSORED = "A turn without a reply counts as still waiting (Kaplan-Meier), so the medians include it."


def read_conversations(messages: pd.DataFrame, reply: Reply) -> pd.DataFrame:
    """The contacts' messages (``is_inbound``) and the replies to them, sorted by ``person`` and time.

    A person is a contact; or a conversation, for messages without a contact.
    """
    require_columns(messages, "contact_id", "sent_at")
    remark_on_reply(reply)
    kinds = classify_messages(messages)
    record_left_out(int(kinds.missed_calls.sum()), "missed inbound calls")
    sent = pd.DataFrame(
        {
            "contact_id": messages["contact_id"],
            "conversation_id": column_or_nulls(messages, "conversation_id"),
            "user_id": messages["user_id"].mask(as_mask(messages["user_id"].str.strip() == "")),
            CHANNEL: channels_of(messages["type"]),
            "sent_at": messages["sent_at"],
            "is_inbound": kinds.inbound_messages,
        }
    )
    sent = sent[kinds.replies(reply) | kinds.inbound_messages]
    person = sent["contact_id"].fillna(sent["conversation_id"])
    sent = drop_rows(sent, sent["sent_at"].isna() | person.isna(), "messages without a contact or a date")
    sent = sent.assign(person=pd.factorize(person[sent.index])[0])
    # Of messages at the same instant, the inbound one comes first.
    return sent.sort_values(["person", "sent_at", "is_inbound"], ascending=[True, True, False], kind="stable")


def find_turns(sent: pd.DataFrame) -> pd.DataFrame:
    """A row for each run of inbound messages by a person, with the reply that ended it; *sent* as sorted above.

    ``started_at`` and ``newest_at`` are the times of its first and last message, ``messages`` is their number,
    ``answered_at`` and ``user_id`` are of the reply. The index is that of the first message.
    """
    is_same_person = sent["person"].eq(sent["person"].shift())
    continues = sent["is_inbound"].shift(fill_value=False) & is_same_person
    has_next = is_same_person.shift(-1, fill_value=False)
    sent = sent.assign(
        turn=(sent["is_inbound"] & ~continues).cumsum(),
        next_at=sent["sent_at"].shift(-1).where(has_next),
        next_user_id=sent["user_id"].shift(-1).where(has_next),
    )
    inbound = sent[sent["is_inbound"]]
    first = inbound.drop_duplicates("turn")
    last = inbound.drop_duplicates("turn", keep="last").set_axis(first.index)  # what follows it is the reply
    return pd.DataFrame(
        {
            "contact_id": first["contact_id"],
            "conversation_id": first["conversation_id"],
            "person": first["person"],
            "user_id": last["next_user_id"],
            CHANNEL: first[CHANNEL],
            "started_at": first["sent_at"],
            "newest_at": last["sent_at"],
            "answered_at": last["next_at"],
            "is_answered": last["next_at"].notna(),
            "messages": np.bincount(inbound["turn"])[first["turn"]],
        }
    )


def waits_in_minutes(
    turns: pd.DataFrame,
    as_of: pd.Timestamp,
    start: Start,
    clock: Clock,
    timezone: str,
    office: str,
    holidays: str | None,
) -> pd.Series:
    """The minutes from the *start* of each turn to its reply, or to *as_of*."""
    started_at = turns["started_at"] if start == "first" else turns["newest_at"]
    hours = office_hours(office, holidays)
    return minutes_between(started_at, turns["answered_at"].fillna(as_of), clock, timezone, hours)


def people_waiting(count: int) -> str:
    """How many people are waiting; each has at most one unanswered turn."""
    return f"{count:,} people are" if count != 1 else "1 person is"


def users_who_replied(turns: pd.DataFrame, messages: pd.DataFrame, by: str) -> pd.Series:
    """The user who replied, by id or name; null for a turn without a reply."""
    remark(
        "A turn belongs to the user who replied. Turns without a reply belong to no user and are in (none), so the "
        'numbers of a user are of answered turns only; by="owner" assigns each turn to its contact\'s owner.'
    )
    users = turns["user_id"]
    if by == "user":
        names = messages[["user_id", "user"]].dropna().drop_duplicates("user_id").set_index("user_id")["user"]
        users = map_keys(users, names).fillna(users)
    return users.mask(turns["is_answered"] & users.isna(), UNKNOWN_USER)
