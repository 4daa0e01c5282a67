"""Reachability: how many contacts can be reached by email, SMS and phone, and why not more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hlkit.analysis.contacts.contact_checks import CHANNELS, VALID_DEFINITION, check_contacts, rows_by_channel
from hlkit.analysis.contacts.deliveries import count_deliveries
from hlkit.analysis.core.charts import GroupHeatmap, Part, Stacked
from hlkit.analysis.core.charts.group_heatmap import has_groups
from hlkit.analysis.core.groups import (
    SMALL,
    assign_groups,
    group_column_name,
    group_keys,
    rank_by_size,
    require_columns,
)
from hlkit.analysis.core.headlines import Compare
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import record_rows, remark
from hlkit.analysis.core.shares import effective_n, share_with_interval
from hlkit.client.schema import COUNT, FLAG, SHARE, TEXT
from hlkit.client.text import many


def reach_by_channel(table: pd.DataFrame) -> str:
    """The share that each channel reaches and the main reasons why not more; for groups, the share email reaches."""
    if has_groups(table):
        return compare_reach_by_email(table[table["channel"] == "email"])
    rows = table[table["reachable_share"].notna()]
    if not len(rows):
        return ""
    shares = [f"{row['reachable_share']:.0%} by {CHANNELS[row['channel']][0]}" for _, row in rows.iterrows()]
    listed = " and ".join(filter(None, [", ".join(shares[:-1]), *shares[-1:]]))
    headline = f"Of {many(table['n'].max(), 'contact')}, you can reach {listed}."
    reasons = [main_reason(row) for _, row in rows.iterrows() if row["channel"] != "call"]
    found = [reason for reason in reasons if reason]
    if not found:
        return headline
    return f"{headline} Main reason{'s' * (len(found) > 1)} for the rest: {' and '.join(found)}."


compare_reach_by_email = Compare(
    "reachable",
    lambda total, table: f"You can reach {total['reachable_share']:.0%} of {many(total['n'], 'contact')} by email",
)


def main_reason(row: pd.Series) -> str:
    """The most common reason why the channel does not reach a contact, with its share; "" if it reaches all."""
    channel, address = CHANNELS[row["channel"]]
    field = "email address" if address == "email" else "phone number"
    reasons = {
        f"no {field}": 1 - row["has_share"],
        f"no valid {field}": row["has_share"] - row["valid_share"],
        f"do not disturb ({channel})": row["valid_share"] - row["reachable_share"],
    }
    reason = max(reasons, key=lambda name: reasons[name])
    return f"{reason} ({reasons[reason]:.0%})" if reasons[reason] > 0 else ""


COLUMNS = {
    "channel": TEXT,
    "n": COUNT,
    **{
        f"{name}_{part}": SHARE
        for name in ("has", "valid", "blocked", "reachable")
        for part in ("share", "low", "high")
    },
    "sent": COUNT,
    "failed_share": SHARE,
    "failed_low": SHARE,
    "failed_high": SHARE,
    "opted_out": COUNT,
    "small": FLAG,
}


@analysis(
    "Who can we reach, by channel?",
    columns=COLUMNS,
    chart=GroupHeatmap(
        Stacked(
            (
                Part("reachable_share", "reachable", "strong"),
                Part(lambda table: table["valid_share"] - table["reachable_share"], "do not disturb", "weak"),
                Part(lambda table: table["has_share"] - table["valid_share"], "not valid", "attention"),
                Part(lambda table: 1 - table["has_share"], "missing", "context"),
            ),
            "share of contacts",
            interval="reachable",
            share_label="reachable",
        ),
        "channel",
        "reachable_share",
        "share of contacts that can be reached",
        labels={channel: name for channel, (name, _) in CHANNELS.items()},
    ),
    headline=reach_by_channel,
    definition=(
        f"{VALID_DEFINITION} Shares are of all n contacts, with 95% Wilson intervals. failed_share is of the sent "
        "messages with a known result (delivered, opened, clicked or read, or a call that rang; failed or "
        "undelivered); its interval is at the effective number of messages if contacts got several."
    ),
    noun="contacts",
    rows={
        "channel": TEXT,
        "is_reachable": FLAG,
        "has_address": FLAG,
        "is_valid": FLAG,
        "is_blocked": FLAG,
        "sent": COUNT,
        "failed": COUNT,
    },
)
def reachability(
    contacts: pd.DataFrame,
    messages: pd.DataFrame | None = None,
    *,
    by: str | None = None,
    country: str | None = None,
) -> pd.DataFrame:
    """Contacts with a valid address, blocked and reachable contacts, and failed messages, by channel.

    Needs the extra ``dedupe``. Without it, only the shape of emails and phone numbers is checked, with a remark.

    Parameters
    ----------
    contacts
        One row per contact: contact_id; optional email, phone, do_not_disturb and its columns by channel, country.
    messages
        One row per message: contact_id, type, direction, status; optional call_status. For the columns ``sent``,
        ``failed_share`` and ``opted_out``, which are null without it.
    by
        A column of the contacts: source, owner, tags, a custom field.
    country
        The two-letter country of phone numbers without a country code, for contacts without a country.

    Returns
    -------
    One row per group and channel (email, sms, call), the largest group first: ``n`` (contacts), ``has_share``,
    ``valid_share``, ``blocked_share`` and ``reachable_share`` (of n, with intervals), ``sent`` (messages with a known
    result), ``failed_share`` (of sent, with its interval), ``opted_out`` (messages refused because of an opt-out),
    and ``small`` (fewer than 20 contacts).

    Raises
    ------
    MissingColumn

    Source: E.164 and its national plans as in Google's libphonenumber; RFC 5321 and 5322 as in email-validator;
    "Do not disturb" in HighLevel's help, article 48001215386.
    """
    require_columns(contacts, "contact_id", by)
    rows = rows_by_channel(contacts, check_contacts(contacts, country))
    if messages is None:
        remark("Without messages, failed messages are not counted.")
        rows = rows.assign(sent=np.nan, failed=np.nan, opted_out=np.nan)
    elif len(counts := count_deliveries(messages, contacts["contact_id"])):
        rows = rows.merge(counts, how="left", on=["channel", "contact_id"]).set_axis(rows.index)
        rows = rows.fillna({"sent": 0, "failed": 0, "opted_out": 0})
    else:  # pandas cannot merge on the columns of a frame without rows, whose dtypes may differ
        rows = rows.assign(sent=0.0, failed=0.0, opted_out=0.0)
    email = rows[rows["channel"] == "email"]
    total = _summarize(email, np.zeros(len(email), dtype="int64"))

    rows, groups = assign_groups(rows, group_keys(contacts, by))
    codes, names = rank_by_size(groups)
    group = group_column_name(by, COLUMNS)
    keys = pd.DataFrame({group: groups, "channel": rows["channel"]})
    behind = rows.astype(dict.fromkeys(("sent", "failed"), COUNT.dtype))
    record_rows(behind, keys, {str(name): total[name].iloc[0] for name in total if len(total)})
    number = codes * len(CHANNELS) + pd.Categorical(rows["channel"], [*CHANNELS]).codes
    table = _summarize(rows, number)
    table.insert(0, group, np.repeat(names, len(CHANNELS)))
    table.insert(1, "channel", [*CHANNELS] * len(names))
    return table


def _summarize(rows: pd.DataFrame, number: Any) -> pd.DataFrame:
    """The numbers of each group of *rows*; *number* is the group of each row, from 0."""
    flags = {"has": "has_address", "valid": "is_valid", "blocked": "is_blocked", "reachable": "is_reachable"}
    groups = rows[[*flags.values(), "sent", "failed", "opted_out"]].groupby(number)
    n, sums = groups.size().to_numpy(), groups.sum(min_count=1)
    columns: dict[str, Any] = {"n": n}
    for name, flag in flags.items():
        columns |= share_with_interval(name, sums[flag].to_numpy(), n)
    effective = effective_n(rows["failed"], rows["sent"], number, len(n))
    failed = share_with_interval("failed", sums["failed"], sums["sent"], effective)
    return pd.DataFrame(
        {**columns, "sent": sums["sent"], **failed, "opted_out": sums["opted_out"], "small": n < SMALL}
    ).reset_index(drop=True)
