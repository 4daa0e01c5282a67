"""The first reply to each new lead, shared by the analyses of leads' waits."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from hlkit.analysis.core.bulk_imports import Imports, drop_imports
from hlkit.analysis.core.groups import is_among, map_keys, require_columns
from hlkit.analysis.core.messages import MessageKinds, Reply
from hlkit.analysis.core.office_hours import minutes_between, office_hours
from hlkit.analysis.core.run_log import drop_rows
from hlkit.client.schema import INSTANT, TEXT

Clock = Literal["office", "wall"]
CREATION_DELAY = pd.Timedelta(minutes=10)  # at most, until HighLevel creates a contact for a call or message
DEFINITION = (
    "The wait is the time from a contact's creation to the first human reply, in minutes of the {clock} clock. A "
    "contact that was created by its own call, or by a message from a person, up to 10 minutes earlier counts as "
    "answered at once. A contact that a person wrote to earlier than that is contacted_before and waits for the next "
    "reply."
)


def new_leads(contacts: pd.DataFrame, imports: Imports) -> pd.DataFrame:
    """The contacts with a creation date that were not imported; the others are counted as left out."""
    require_columns(contacts, "contact_id", "created_at")
    leads = drop_rows(contacts, contacts["created_at"].isna(), "contacts without a date")
    return drop_imports(leads, imports, "contacts")


def first_replies(leads: pd.DataFrame, messages: pd.DataFrame, kinds: MessageKinds, reply: Reply) -> pd.DataFrame:
    """For each lead its first reply: ``replied_at``, ``user_id``, and ``user_unknown`` for a call that names no user.

    ``contacted_before`` is whether a person wrote to the lead more than 10 minutes before its creation. *kinds* are
    those of *messages*.
    """
    require_columns(messages, "contact_id", "sent_at")
    has_id = leads["contact_id"].notna()
    created_at = pd.Series(leads["created_at"][has_id].array, index=pd.Index(leads["contact_id"][has_id]))
    sent = pd.DataFrame(
        {
            "contact_id": messages["contact_id"],
            "sent_at": messages["sent_at"],
            "user_id": messages["user_id"],
            "created_at": map_keys(messages["contact_id"], created_at),
            "is_reply": kinds.replies(reply),
            "is_attempt": kinds.replies("attempt"),
            "may_create": kinds.answered_calls | kinds.human_messages,  # HighLevel creates a contact for such a row
            "user_unknown": kinds.unknown_user,
        }
    )
    sent = sent[sent["created_at"].notna() & sent["sent_at"].notna() & (sent["is_reply"] | sent["is_attempt"])]
    since_creation = sent["sent_at"] - sent["created_at"]
    is_earlier = since_creation < pd.Timedelta(0)
    created_contact = sent["may_create"] & is_earlier & (since_creation >= -CREATION_DELAY)
    counts = sent["is_reply"] & (~is_earlier | created_contact)
    before = sent.loc[sent["is_attempt"] & is_earlier & ~created_contact, "contact_id"]

    replies = sent[counts].assign(replied_at=sent["sent_at"].where(~created_contact, sent["created_at"])[counts])
    # Of several replies at one instant, one that names its user comes last.
    first = replies.sort_values(["replied_at", "user_unknown"], ascending=[True, False], kind="stable")
    first = first.drop_duplicates("contact_id").set_index("contact_id")
    found = first[["replied_at", "user_id", "user_unknown"]].reindex(leads["contact_id"]).set_axis(leads.index)
    return pd.DataFrame(
        {
            "replied_at": found["replied_at"].astype(INSTANT.dtype),
            "user_id": found["user_id"].astype(TEXT.dtype),
            "user_unknown": found["user_unknown"].eq(True),
            "contacted_before": is_among(leads["contact_id"], before),
        }
    )


def waits_in_minutes(
    leads: pd.DataFrame, until: pd.Series, clock: Clock, timezone: str, office: str, holidays: str | None
) -> pd.Series:
    """The minutes from each lead's creation to *until*, counting office hours only with ``clock="office"``."""
    hours = office_hours(office, holidays)
    return minutes_between(leads["created_at"], until, clock, timezone, hours)
