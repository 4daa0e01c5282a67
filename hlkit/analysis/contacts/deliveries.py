"""How many of the messages to each contact were delivered, failed, or were refused because of an opt-out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hlkit.analysis.contacts.contact_checks import CHANNELS
from hlkit.analysis.core.groups import is_among, require_columns
from hlkit.analysis.core.run_log import as_mask, record_left_out

_DELIVERED = ("delivered", "opened", "clicked", "read")
_RANG = ("completed", "answered", "voicemail", "no-answer", "no_answer", "busy")  # of calls: they reached the phone
_FAILED = ("failed", "undelivered")


def count_deliveries(messages: pd.DataFrame, contact_ids: pd.Series) -> pd.DataFrame:
    """By channel and contact: ``sent`` (messages with a known result), ``failed`` and ``opted_out``.

    Only messages to *contact_ids* count; the number of others is recorded as left out.
    """
    require_columns(messages, "contact_id", "type", "direction", "status")
    channel = messages["type"].map({kind: _channel_of(str(kind)) for kind in messages["type"].dropna().unique()})
    is_sent = as_mask(messages["direction"] == "outbound") & channel.notna()
    has_contact = is_among(messages["contact_id"], contact_ids)
    record_left_out(int((is_sent & ~has_contact).sum()), "messages to people who are not among the contacts")

    sent, channel = messages[is_sent & has_contact], channel[is_sent & has_contact]
    status = sent["status"].str.lower()
    if "call_status" in sent:  # the result of a call is in its own column
        status = status.mask((channel == "call") & sent["call_status"].notna(), sent["call_status"].str.lower())
    failed = status.isin(_FAILED)
    results = pd.DataFrame(
        {
            "sent": failed | status.isin(_DELIVERED) | (status.isin(_RANG) & (channel == "call")),
            "failed": failed,
            "opted_out": status == "opt_out",
        }
    )
    counts: pd.DataFrame = results.fillna(False).astype(int).groupby([channel, sent["contact_id"]]).sum()
    return counts.rename_axis(["channel", "contact_id"]).reset_index()


def _channel_of(message_type: str) -> str | float:
    """The channel of a type of message, such as TYPE_CAMPAIGN_EMAIL; null for a note."""
    message_type = message_type.upper()
    if "ACTIVITY" in message_type or "COMMENT" in message_type:
        return np.nan
    return next((channel for channel in CHANNELS if channel.upper() in message_type), np.nan)
