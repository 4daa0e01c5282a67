"""All rows of one seeded location as they are now, and what was planted in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import cached_property, partial
from typing import Any

import numpy as np

from hlkit.sim import calendars, catalog, forms, ids, inbox, money, money_rows, plans, rows, words, work
from hlkit.sim.account import LEFT, ZONE
from hlkit.sim.clock import DAY, SECOND, Array, iso
from hlkit.sim.contacts import (
    BAD,
    DND_NONE,
    DND_PERMANENT,
    DUPLICATES,
    IMPORT,
    SAME_TOUCH,
    SOURCE_SHARES,
    SOURCES,
    WRONG,
)
from hlkit.sim.kind import Kind
from hlkit.sim.opportunities import STATUSES
from hlkit.sim.seeded import SeededData
from hlkit.sim.table import ENCODER, Row, Table

CHUNK = 1_000

CURSORS = {"contacts": "searchAfter", "opportunities": "sort"}
CACHED_TEXTS = 20_000


def _seeded_contacts(data: SeededData) -> dict[str, Array]:
    return {**data.contacts.columns, "number": np.arange(data.contacts.count)}


CORE = (
    Kind(
        "contacts",
        _seeded_contacts,
        rows.contact_rows,
        "created",
        {"dateAdded": "created", "dateUpdated": "updated", "dnd": "dnd"},
    ),
    Kind(
        "opportunities",
        lambda data: data.opportunities.columns,
        rows.opportunity_rows,
        "created",
        {
            "date_added": "created",
            "date_updated": "updated",
            "monetary_value": "value",
            "last_status_change_date": "status_changed",
            "last_stage_change_date": "stage_changed",
        },
    ),
    Kind(
        "messages",
        lambda data: data.messages.columns,
        rows.message_rows,
        "sent",
        {"createdAt": "sent", "updatedAt": "updated"},
    ),
)
AREAS = (inbox, calendars, work, forms, money_rows, catalog)
KINDS: dict[str, Kind] = {kind.name: kind for kind in (*CORE, *(kind for area in AREAS for kind in area.KINDS))}
TABLES = tuple(KINDS)

# Lists without pages, and what makes their rows.
FEW: dict[str, Callable[[Data], list[Row]]] = {
    "users": lambda data: data.account.users(),
    "pipelines": lambda data: data.account.pipelines(),
    "stages": lambda data: [stage for row in data.account.pipelines() for stage in row["stages"]],
    "custom_fields": lambda data: data.account.custom_fields("all"),
    "location": lambda data: [data.account.location()],
    "calendars": calendars.calendar_rows,
    "calendar_groups": calendars.group_rows,
    "tags": catalog.tag_rows,
    "custom_values": catalog.custom_value_rows,
    "workflows": catalog.workflow_rows,
    "campaigns": catalog.campaign_rows,
    "links": catalog.link_rows,
}
# The key of the rows in a response, where it is not the resource's name.
WIRE_KEYS = {
    "appointments": "events",
    "custom_fields": "customFields",
    "custom_values": "customValues",
    "form_submissions": "submissions",
    "survey_submissions": "submissions",
    "orders": "data",
    "transactions": "data",
    "subscriptions": "data",
}


class Data(SeededData):
    """A table for each resource that has pages, created on first use, and the lists without pages.

    ``rows(name)`` returns what the server would send now; ``planted`` is the truth behind the seeded rows.
    """

    def __init__(self, seed: int = 0, size: int = 5000, as_of: str | float | date | datetime | None = None) -> None:
        super().__init__(seed, size, as_of)
        self._now = self.clock.as_of
        self._tables: dict[str, Table] = {}
        self._texts: dict[str, tuple[tuple[int, ...], dict[int, str]]] = {}

    def table(self, name: str) -> Table:
        """The table of a resource as it is now."""
        with self.lock:
            if name not in self._tables:
                kind = KINDS[name]
                numeric = {"": kind.placed, **kind.numeric}
                columns = kind.seeded(self)
                self._tables[name] = Table(name, columns, self.seed, partial(self.make, name), numeric, kind.style)
            return self._tables[name]

    def make(self, name: str, numbers: Array) -> list[Row]:
        """The JSON rows of a table."""
        return KINDS[name].make(self, numbers)

    def key(self, name: str) -> str:
        """The key of a resource's rows in a response."""
        return WIRE_KEYS.get(name, name)

    def today(self) -> int:
        """The current day in the location's time zone, in days since 1970."""
        return int(self.clock.to_local(np.array([self._now]))[0] // DAY)

    def tick(self) -> int:
        """Advance the current time by a second, for a change to a row, and return it."""
        self._now += SECOND
        return self._now

    def rows(self, name: str) -> Iterator[Row]:
        """The JSON rows of a resource, as the server would send them now, oldest first."""
        if name not in KINDS:
            yield from self.few(name)
            return
        with self.lock:
            numbers = self._served(name)
        for start in range(0, len(numbers), CHUNK):
            with self.lock:
                batch = self.cursored(name, numbers[start : start + CHUNK])
            yield from batch

    def cursored(self, name: str, numbers: Array) -> list[Row]:
        """JSON rows, with the cursor of the default order."""
        return [json.loads(text) for text in self.texts(name, numbers)]

    def texts(self, name: str, numbers: Array, fields: tuple[str, ...] = ()) -> list[str]:
        """JSON rows as text, with the search cursor of an order by *fields*.

        The texts are cached until a row changes.
        """
        table, key = self.table(name), CURSORS.get(name)
        cached = self._cached_texts(name, len(numbers))
        missing = [number for number in numbers.tolist() if number not in cached]
        if missing:
            fresh = table.make(np.array(missing))
            cached |= {number: ENCODER.encode(row) for number, row in zip(missing, fresh, strict=True)}
        texts = [cached[number] for number in numbers.tolist()]
        if key is None or not texts:
            return texts
        values = [table.values(field, numbers) for field in fields or (table.numeric_default,)]
        cursors = zip(*values, table.texts(numbers), strict=True)
        return [
            f'{text[:-1]},"{key}":{ENCODER.encode(cursor)}}}' for text, cursor in zip(texts, cursors, strict=True)
        ]

    def _cached_texts(self, name: str, more: int) -> dict[int, str]:
        version = tuple(self.table(each).version for each in (name, "contacts", "opportunities"))
        entry = self._texts.get(name)
        if entry is None or entry[0] != version or len(entry[1]) + more > CACHED_TEXTS:
            entry = self._texts[name] = version, {}
        return entry[1]

    def few(self, name: str) -> list[Row]:
        """Rows of a list without pages."""
        return FEW[name](self)

    def ids(self, name: str) -> list[str]:
        """The ids of a resource's current rows, in the order of ``rows``."""
        if name not in KINDS:
            return [row["id"] for row in self.few(name)]
        with self.lock:
            return self.table(name).texts(self._served(name))

    def _served(self, name: str) -> Array:
        """Numbers of the rows that a client can read now."""
        table = self.table(name)
        numbers = table.now()
        if not KINDS[name].of_contact:
            return numbers
        return numbers[self.table("contacts").alive[table.columns["contact"][numbers]]]

    def conversation(self, identifier: str) -> int | None:
        """The number of the contact whose conversation has this id."""
        columns = self.table("contacts").columns
        keys = ids.keys(self.seed, "conversations", columns["number"])
        numbers = np.flatnonzero(keys == np.uint64(ids.key_of(identifier) or 0))
        return int(numbers[0]) if len(numbers) else None

    @cached_property
    def planted(self) -> dict[str, Any]:
        """What was planted, as plain dicts, lists and arrays, with the ids of the rows.

        Arrays named ``by_contact`` follow the order of the seeded contacts, oldest first.
        """
        return _planted(self)


def _planted(data: Data) -> dict[str, Any]:
    columns, deals = data.contacts.columns, data.opportunities
    number = np.arange(data.contacts.count)

    def contact_ids(rows: Array) -> list[str]:
        return ids.texts(ids.keys(data.seed, "contacts", number[rows]))

    def deal_ids(rows: Array) -> list[str]:
        return ids.texts(ids.keys(data.seed, "opportunities", deals.columns["number"][rows]))

    def pairs(column: str) -> list[tuple[str, str]]:
        later = np.flatnonzero(columns[column] >= 0)
        return list(zip(contact_ids(later), contact_ids(columns[column][later]), strict=True))

    planted = data.contacts.planted
    speed = data.messages.planted["speed"] | {"wait_office_minutes_by_contact": columns["wait"]}
    kinds = [DUPLICATES[kind] for kind in columns["twin_kind"].tolist() if kind >= 0]
    return {
        "as_of": iso(np.array([data.clock.as_of]))[0],
        "timezone": ZONE,
        "contact_ids": contact_ids(number),
        "sources": {
            "names": SOURCES,
            "shares": dict(zip(SOURCES, SOURCE_SHARES, strict=False)),
            "first_equals_last_share": SAME_TOUCH,
            "first_by_contact": [SOURCES[code] for code in columns["source"].tolist()],
            "last_by_contact": [SOURCES[code] for code in columns["last_source"].tolist()],
        },
        "days": {name: planted[name] for name in ("spikes", "outages")},
        "import": planted["import"] | {"ids": contact_ids(np.flatnonzero(columns["source"] == IMPORT))},
        "speed": speed,
        "inbox": data.messages.planted["inbox"],
        "win": deals.planted["win"],
        "close": deals.planted["close"],
        "stuck": deal_ids(deals.planted["stuck_rows"]),
        "deleted_stage": {
            "id": data.account.deleted_stage_id,
            "opportunity_ids": deal_ids(deals.planted["deleted_stage_rows"]),
        },
        "deleted_user": data.account.user_ids[LEFT],
        "duplicates": [(*pair, kind) for pair, kind in zip(pairs("twin_of"), kinds, strict=True)],
        "couples": pairs("couples_with"),
        "mailboxes": pairs("mailboxes_with"),
        "quality": _quality(columns),
        "tags": {"lift 3": ("garden", "roof"), "lift 1": ("vip", "webinar"), "all": words.TAGS},
        "traps": {name: contact_ids(np.array([row]))[0] for name, row in planted["traps"].items()},
        "appointments": calendars.planted(data),
        "forms": forms.planted(data),
        "customers": money.planted(data),
        "mrr": plans.planted(data, contact_ids(number)),
        "statuses": dict(zip(STATUSES, np.bincount(deals.columns["status"], minlength=4).tolist(), strict=True)),
    }


def _quality(columns: dict[str, Array]) -> dict[str, int | float]:
    """Exact counts of missing, invalid and blocked contact details."""
    mail, phone = columns["mail"] >= 0, columns["phone"] >= 0
    return {
        "contacts": len(mail),
        "no_email": int((~mail).sum()),
        "no_phone": int((~phone).sum()),
        "invalid_email": int((mail & (columns["mail_written"] == WRONG)).sum()),
        "invalid_phone": int((phone & (columns["phone_written"] == WRONG)).sum()),
        "dnd": int((columns["dnd"] != DND_NONE).sum()),
        "dnd_permanent": int((columns["dnd"] == DND_PERMANENT).sum()),
        "invalid_share": BAD,
    }
