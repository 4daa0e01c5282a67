"""Conversations: one per contact with messages, in the state after its last message. Dates are milliseconds."""

from __future__ import annotations

from typing import Any

import numpy as np

from hlkit.sim import ids, people, rows
from hlkit.sim.clock import Array
from hlkit.sim.kind import Kind
from hlkit.sim.messages import (
    APP,
    COMMENT,
    CONTACT_ACTIVITY,
    DEAL_ACTIVITY,
    EMAIL,
    FACEBOOK,
    INSTAGRAM,
    TYPES,
)
from hlkit.sim.seeded import SeededData

Row = dict[str, Any]

STARRED = 0.03


def seeded(data: SeededData) -> dict[str, Array]:
    """The last message of each contact, the last one by a user, and the number of unread ones."""
    sent = data.messages.columns
    order = np.lexsort((sent["sent"], sent["contact"]))
    contact = sent["contact"][order]
    first = np.flatnonzero(np.diff(contact, prepend=-1)) if len(order) else order
    last = np.append(first[1:], len(order)) - 1 if len(order) else order
    newest, whose = order[last], contact[first]
    by_person = (sent["origin"] == APP) & (sent["user"] >= 0) & (sent["kind"] != DEAL_ACTIVITY)
    manual = _reduced(np.maximum, np.where(by_person, sent["sent"], 0)[order], first)
    started = sent["sent"][order[first]]
    rng = ids.generator(data.seed, "conversations")
    read = rng.random(len(data.contacts.history["created"]))[whose]
    inbound = sent["inbound"][newest]
    return {
        "number": whose.astype(np.int64),
        "contact": whose,
        "created": started,
        "updated": sent["sent"][newest],
        "last": sent["sent"][newest],
        "manual": np.where(manual > 0, manual, started),
        "message": newest,
        "kind": sent["kind"][newest],
        "kinds": _reduced(np.bitwise_or, (1 << sent["kind"].astype(np.int64))[order], first),
        "inbound": inbound,
        "by_person": by_person[newest],
        "unread": np.where(inbound & (read < 0.5), 1 + (read * 8).astype(np.int64) % 3, 0).astype(np.int16),
        "starred": read > 1 - STARRED,
    }


def _reduced(reduce: np.ufunc, values: Array, first: Array) -> Array:
    """The values of each conversation, reduced; *first* is where each conversation begins."""
    return np.asarray(reduce.reduceat(values, first)) if len(first) else values[:0]


def conversation_rows(data: SeededData, numbers: Array) -> list[Row]:
    """Rows of ``GET /conversations/search``, without ``sort``, which depends on the requested order."""
    table, lead, sent = data.table("conversations"), data.table("contacts"), data.table("messages")
    columns = {name: column[numbers] for name, column in table.columns.items()}
    last = [row.get("body", "") for row in rows.message_rows(data, columns["message"])]
    contact = columns["contact"]
    codes = ("created", "updated", "last", "manual", "kind", "kinds", "inbound", "by_person", "unread", "starred")
    written = zip(
        table.texts(numbers),
        rows.persons(data, contact),
        last,
        lead.columns["tags"][contact].tolist(),
        lead.columns["business"][contact].tolist(),
        lead.columns["owner"][contact].tolist(),
        sent.columns["user"][columns["message"]].tolist(),
        strict=True,
    )
    coded = zip(*(columns[name].tolist() for name in codes), strict=True)
    return [_conversation(data, *parts) for parts in zip(written, coded, strict=True)]


def _conversation(data: SeededData, texts: tuple[Any, ...], numbers: tuple[Any, ...]) -> Row:
    identifier, person, body, tag_bits, business, owned, user = texts
    created, updated, last, manual, kind, kinds, inbound, by_person, unread, starred = numbers
    row: Row = {
        "id": identifier,
        "locationId": data.account.location_id,
        "contactId": person.contact_id,
        "dateAdded": created,
        "dateUpdated": updated,
        "lastMessageDate": last,
        "lastMessageType": TYPES[kind][1],
        "lastMessageBody": body,
        "lastMessageDirection": "inbound" if inbound else "outbound",
        "lastManualMessageDate": manual,
        "unreadCount": unread,
        "starred": starred,
        "type": _type(kinds),
        "messageTypes": [number for index, (number, _) in enumerate(TYPES) if kinds >> index & 1],
        "fullName": person.name,
        "contactName": person.name,
        "companyName": rows.company(business),
        "email": person.email,
        "phone": person.phone,
        "tags": people.tags(tag_bits),
        "followers": [],
        "mentions": [],
        "scoring": [],
        "profilePhoto": None,
        "attributed": None,
        "isLastMessageInternalComment": kind == COMMENT,
    }
    if not inbound:
        row["lastOutboundMessageAction"] = "manual" if by_person else "automated"
    if owned >= 0:
        row["assignedTo"] = data.account.user_ids[owned]
    if user >= 0:
        row["userId"] = data.account.user_ids[user]
    return row


def _type(kinds: int) -> str:
    written = kinds & ~(1 << DEAL_ACTIVITY | 1 << CONTACT_ACTIVITY | 1 << COMMENT)
    if written and not written & ~(1 << EMAIL):
        return "TYPE_EMAIL"
    if written and not written & ~(1 << FACEBOOK | 1 << INSTAGRAM):
        return "TYPE_FB_MESSENGER"
    return "TYPE_PHONE"


KINDS = (
    Kind(
        "conversations",
        seeded,
        conversation_rows,
        placed="last",
        numeric={"last_message_date": "last", "last_manual_message_date": "manual"},
    ),
)
