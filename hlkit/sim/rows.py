"""JSON rows from columns: spelling, nulls and nesting as recorded from live accounts."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from hlkit.sim import ids, people, words
from hlkit.sim.account import PEOPLE, WIN_PROBABILITY, Account
from hlkit.sim.clock import DAY, Array, iso
from hlkit.sim.contacts import DND_PERMANENT, NO_BIRTHDAY
from hlkit.sim.messages import CALL_STATUSES, CALLS, EMAIL, ORIGINS, TEXTS, TYPES
from hlkit.sim.messages import STATUSES as MESSAGE_STATUSES
from hlkit.sim.opportunities import DELETED, LOST, OPEN, STATUSES, WON
from hlkit.sim.seeded import SeededData

Row = dict[str, Any]


def owner(account: Account, number: int) -> str | None:
    """A user's id; None for a negative number."""
    return account.user_ids[number] if number >= 0 else None


def company(number: int) -> str | None:
    """A company's name; None for a negative number."""
    if number < 0:
        return None
    first = words.COMPANY_WORDS[number % len(words.COMPANY_WORDS)]
    return f"{first} {words.COMPANY_KINDS[number % len(words.COMPANY_KINDS)]}"


@lru_cache(maxsize=1024)
def _business_id(seed: int, number: int) -> str:
    return ids.object_id(seed, "businesses", number)


class Person(NamedTuple):
    """The contact fields that other rows repeat."""

    contact_id: str
    first: str
    name: str
    email: str | None
    phone: str | None


def persons(data: SeededData, contacts: Array) -> list[Person]:
    """The contact fields that other rows repeat."""
    table = data.table("contacts")
    named = people.names(table.columns, data.contacts.traps, contacts)
    parts = zip(
        table.texts(contacts),
        named,
        people.emails(table.columns, contacts),
        people.phones(table.columns, contacts),
        strict=True,
    )
    return [
        Person(identifier, first, f"{first} {last}" if last else first, email, phone)
        for identifier, (first, last), email, phone in parts
    ]


def _address(columns: people.Columns, rows: Array) -> list[tuple[str, str, str] | tuple[None, None, None]]:
    picked = (columns[name][rows].tolist() for name in ("placed", "house", "street", "city"))
    out: list[tuple[str, str, str] | tuple[None, None, None]] = []
    for placed, house, street, city in zip(*picked, strict=True):
        if not placed:
            out.append((None, None, None))
            continue
        kind, name = divmod(street, len(words.STREETS))
        town, postal = words.CITIES[city]
        out.append((f"{house} {words.STREETS[name]} {words.STREET_KINDS[kind]}", town, postal))
    return out


def _blocked(code: int, spread: int) -> Row:
    if not code:
        return {} if spread % 4 else {"Email": {"status": "inactive", "message": "", "code": ""}}
    block = {"status": "active", "message": "Asked by phone", "code": "103"}
    email = block | {"status": "permanent"} if code == DND_PERMANENT else block
    return {"Call": block, "Email": email, "SMS": block}


def contact_rows(data: SeededData, rows: Array) -> list[Row]:
    """Rows of ``POST /contacts/search``; all keys are present, missing values are null."""
    table, account = data.table("contacts"), data.account
    columns = table.columns
    written = zip(
        rows.tolist(),
        table.texts(rows),
        people.names(columns, data.contacts.traps, rows),
        people.emails(columns, rows),
        people.phones(columns, rows),
        people.sources(columns, rows),
        _address(columns, rows),
        iso(columns["created"][rows]),
        iso(columns["updated"][rows]),
        iso(columns["born"][rows].astype(np.int64) * DAY),
        _deals_of(data, rows),
        strict=True,
    )
    codes = ("source", "last_source", "touch_written", "dnd", "owner", "tags", "born", "custom", "business")
    coded = zip(*(columns[name][rows].tolist() for name in codes), strict=True)
    return [_contact(account, texts, numbers) for texts, numbers in zip(written, coded, strict=True)]


def _contact(account: Account, texts: tuple[Any, ...], numbers: tuple[Any, ...]) -> Row:
    row, identifier, (first, last), email, phone, source, address, added, updated, birthday, deals = texts
    first_touch, last_touch, how, dnd, owned, tag_bits, born, custom, business = numbers
    trade, whole = company(business), f"{first} {last}" if last else first
    return {
        "id": identifier,
        "locationId": account.location_id,
        "contactName": whole.lower() if custom % 4 == 0 else whole,
        "firstName": first,
        "lastName": last,
        "firstNameLowerCase": first.lower(),
        "lastNameLowerCase": last and last.lower(),
        "companyName": trade,
        "businessName": trade,
        "businessId": trade and _business_id(account.seed, business),
        "email": email,
        "additionalEmails": _second_email(email, custom),
        "phone": phone,
        "phoneLabel": None,
        "additionalPhones": _second_phone(custom),
        "address": address[0],
        "city": address[1],
        "state": address[1] and "IL",
        "postalCode": address[2],
        "country": "US",
        "website": None,
        "timezone": None,
        "type": "customer" if tag_bits & 2 else "lead",
        "source": source,
        "assignedTo": owner(account, owned),
        "followers": [],
        "tags": people.tags(tag_bits),
        "dnd": dnd > 0,
        "dndSettings": _blocked(dnd, row),
        "inboundDndSettings": {},
        "validEmail": None,
        "dateOfBirth": None if born == NO_BIRTHDAY else _birthday(born, birthday, custom),
        "dateAdded": added,
        "dateUpdated": updated,
        "customFields": people.contact_values(account, custom),
        "attributionSource": people.touch(first_touch, how, custom % 101),
        "lastAttributionSource": people.touch(last_touch, how, custom % 101),
        "opportunities": deals,
    }


def _second_email(email: str | None, spread: int) -> list[Any]:
    """Mostly an object, sometimes plain text."""
    if spread % 33 or not email or "@" not in email:
        return []
    second = f"work.{email}"
    return [second if spread % 5 == 0 else {"email": second}]


def _second_phone(spread: int) -> list[Any]:
    if spread % 57:
        return []
    second = people.spare_phone(spread)
    label = {"phoneLabel": "Work", "extension": None} if spread % 2 else {}
    return [second if spread % 5 == 0 else {"phone": second, **label}]


def _birthday(day: int, text: str, spread: int) -> Any:
    """A date as text, or as milliseconds since 1970, as a number or as text."""
    return (text, text, text, day * DAY, str(day * DAY))[spread % 5]


def _deals_of(data: SeededData, contacts: Array) -> list[list[Row]]:
    """For each contact, the deals in its row."""
    table = data.table("opportunities")
    order = table.sorted_by("contact")
    owners = table.columns["contact"][order]
    start = np.searchsorted(owners, contacts, side="left")
    stop = np.searchsorted(owners, contacts, side="right")
    picked = np.concatenate([order[a:b] for a, b in zip(start, stop, strict=True)] or [order[:0]])
    deals = iter(_deals_in_contact(data, picked))
    return [[next(deals) for _ in range(n)] for n in (stop - start).tolist()]


def _deals_in_contact(data: SeededData, rows: Array) -> list[Row]:
    table, account = data.table("opportunities"), data.account
    picked = (table.columns[name][rows].tolist() for name in ("pipeline", "stage", "status", "value"))
    return [
        {
            "id": identifier,
            "pipelineId": account.pipeline_ids[pipeline],
            "pipelineStageId": stage_id(account, pipeline, stage),
            "monetaryValue": value,
            "status": STATUSES[status],
        }
        for identifier, pipeline, stage, status, value in zip(table.texts(rows), *picked, strict=True)
    ]


def stage_id(account: Account, pipeline: int, stage: int) -> str:
    """The stage's id, or the id of the deleted stage."""
    return account.deleted_stage_id if stage == DELETED else account.stage_ids[pipeline][stage]


def opportunity_rows(data: SeededData, rows: Array) -> list[Row]:
    """Rows of ``POST /opportunities/search``."""
    table, lead = data.table("opportunities"), data.table("contacts")
    columns, contact = table.columns, table.columns["contact"][rows]
    whose = zip(
        lead.texts(contact),
        people.names(lead.columns, data.contacts.traps, contact),
        people.emails(lead.columns, contact),
        people.phones(lead.columns, contact),
        people.sources(lead.columns, contact),
        lead.columns["business"][contact].tolist(),
        lead.columns["tags"][contact].tolist(),
        lead.columns["last_source"][contact].tolist(),
        lead.columns["touch_written"][contact].tolist(),
        strict=True,
    )
    dates = ("created", "updated", "stage_changed", "status_changed")
    when = zip(*(iso(columns[name][rows]) for name in dates), strict=True)
    codes = ("pipeline", "stage", "status", "value", "owner", "custom", "job", "source")
    coded = zip(*(columns[name][rows].tolist() for name in codes), strict=True)
    zipped = zip(table.texts(rows), whose, when, coded, strict=True)
    return [_opportunity(data.account, *parts) for parts in zipped]


def _opportunity(
    account: Account, identifier: str, whose: tuple[Any, ...], when: tuple[Any, ...], coded: tuple[Any, ...]
) -> Row:
    contact_id, (first, last), email, phone, written, business, tag_bits, last_source, how = whose
    added, updated, stage_changed, status_changed = when
    pipeline, stage, status, value, owned, custom, job, source = coded
    name = f"{first} {last}" if last else first
    person = {"name": name, "companyName": company(business), "email": email, "phone": phone}
    person["tags"] = people.tags(tag_bits)
    at = stage_id(account, pipeline, stage)
    row = {
        "id": identifier,
        "name": f"{name} - {words.JOBS[job]}",
        "monetaryValue": value,
        "pipelineId": account.pipeline_ids[pipeline],
        "pipelineStageId": at,
        "pipelineStageUId": at,
        "assignedTo": owner(account, owned),
        "status": STATUSES[status],
        "source": written,
        "lastStatusChangeAt": status_changed,
        "lastStageChangeAt": stage_changed,
        "createdAt": added,
        "updatedAt": updated,
        "contactId": contact_id,
        "locationId": account.location_id,
        "lostReasonId": ids.text(account.seed, "lostReasons", job % 4) if status == LOST and custom & 64 else None,
        "effectiveProbability": _probability(status, stage),
        "forecastProbability": None,
        "followers": [],
        "customFields": people.deal_values(account, custom),
        "contact": {"id": contact_id, **person, "score": []},
        "relations": [_relation(account, contact_id, person, added)],
        "attributions": _touches(source, last_source, how, custom),
    }
    if custom & 128:
        row["lastActionDate"] = updated
    return row


def _probability(status: int, stage: int) -> float:
    if status == OPEN:
        return WIN_PROBABILITY[max(0, stage)]
    return 1.0 if status == WON else 0.0


def _relation(account: Account, contact_id: str, person: Row, added: str) -> Row:
    return {
        "associationId": "OPPORTUNITIES_CONTACTS_ASSOCIATION",
        "relationId": account.location_id,
        "primary": True,
        "objectKey": "contact",
        "recordId": contact_id,
        "type": "contact",
        "fullName": person["name"],
        "contactName": person["name"],
        "companyName": person["companyName"],
        "email": person["email"],
        "phone": person["phone"],
        "tags": person["tags"],
        "attributed": None,
        "createdAt": added,
    }


def _touches(first: int, last: int, how: int, spread: int) -> list[Row]:
    """First and last touch of a deal; a deal created by hand has none."""
    if how == 3:
        return []
    out = []
    for flag, code in (("isFirst", first), ("isLast", last)):
        touch = people.touch(code, how, spread % 101)
        named = {"utmSessionSource": touch.pop("sessionSource", None), **touch, flag: True}
        out.append(named)
    return out


def message_rows(data: SeededData, rows: Array) -> list[Row]:
    """Rows of ``GET /conversations/messages/export``; fields without a value are absent."""
    table, lead, account = data.table("messages"), data.table("contacts"), data.account
    columns, contact = table.columns, table.columns["contact"][rows]
    conversations = ids.texts(ids.keys(account.seed, "conversations", lead.columns["number"][contact]))
    given = [words.GIVEN[g] for g in lead.columns["given"][contact].tolist()]
    written = zip(
        table.texts(rows),
        lead.texts(contact),
        conversations,
        given,
        iso(columns["sent"][rows]),
        iso(columns["updated"][rows]),
        strict=True,
    )
    codes = ("kind", "inbound", "origin", "user", "status", "call", "seconds", "text", "number")
    coded = zip(*(columns[name][rows].tolist() for name in codes), strict=True)
    return [_message(account, *parts) for parts in zip(written, coded, strict=True)]


def _message(account: Account, written: tuple[str, ...], coded: tuple[Any, ...]) -> Row:
    identifier, contact_id, conversation_id, given, sent, updated = written
    kind, inbound, origin, user, status, call, seconds, text, number = coded
    type_number, name = TYPES[kind]
    row: Row = {
        "id": identifier,
        "type": type_number,
        "messageType": name,
        "locationId": account.location_id,
        "contactId": contact_id,
        "conversationId": conversation_id,
        "dateAdded": sent,
        "dateUpdated": updated,
        "direction": "inbound" if inbound else "outbound",
        "status": MESSAGE_STATUSES[status],
        "contentType": "text/html" if kind == EMAIL else "text/plain",
        "attachments": [],
    }
    if ORIGINS[origin]:
        row["source"] = ORIGINS[origin]
    if user >= 0:
        row["userId"] = account.user_ids[user]
    if kind in CALLS:
        row["meta"] = _call(CALL_STATUSES[call] or "completed", seconds, number % 4)
    elif kind == EMAIL:
        row["meta"] = {"email": {"messageIds": [identifier]}}
    else:
        row["body"] = _body(name, text, given, PEOPLE[max(0, user)][0])
    return row


def _call(status: str, seconds: int, form: int) -> Row:
    """A call's outcome: flat as in the documentation or nested as in live rows, as number or as text."""
    if form % 2:
        return {"callStatus": status, "callDuration": str(seconds)}
    return {"call": {"duration": (seconds or None) if form else str(seconds), "status": status}}


_BODIES = {
    "TYPE_ACTIVITY_OPPORTUNITY": "Opportunity updated",
    "TYPE_INTERNAL_COMMENT": "@{user} please look at this one",
    "TYPE_INTERNAL_CHAT": "{user} here: who takes this one?",
    "TYPE_SMS_REACTION": "Liked a message",
    "TYPE_LIVE_CHAT_INFO_MESSAGE": "The visitor left the chat",
    "TYPE_REVIEW": "How did we do, {name}? Please leave us a review",
    "TYPE_SMS_REVIEW_REQUEST": "How did we do, {name}? Please leave us a review",
}


def _body(kind: str, text: int, given: str, user: str) -> str:
    return _BODIES.get(kind, TEXTS[text]).format(name=given, user=user)
