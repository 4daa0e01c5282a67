"""Tasks and notes of contacts."""

from __future__ import annotations

from typing import Any

import numpy as np

from hlkit.sim import ids, rows
from hlkit.sim.account import LEFT
from hlkit.sim.clock import DAY, HOUR, MINUTE, Array, iso
from hlkit.sim.contacts import IMPORT
from hlkit.sim.kind import Kind, visible
from hlkit.sim.opportunities import OPEN
from hlkit.sim.seeded import SeededData

Row = dict[str, Any]

TASKS_PER_CONTACT, LATE = 0.19, 0.3
NOTED, NOTES_EACH = (
    0.05,
    (0.55, 0.2, 0.12, 0.08, 0.05),
)  # share of contacts with notes, and how many
TITLES = ("Call back", "Send the quote", "Check the photos", "Book the visit", "Ask for a review", "Order material")
BODIES = ("", "Prefers the afternoon.", "<p>See the last email.</p>", "Gate code is at the office.")
NOTES = (
    "Wants the work done before winter.",
    "Spoke to the neighbour, who is interested too.",
    "<p>Left a voicemail.</p><p>Try again on Monday.</p>",
    "Has a dog 🐕, ring first.",
    "Paid in cash last time; asked for a receipt.",
)


def seeded_tasks(data: SeededData) -> dict[str, Array]:
    """An open task for each active open deal, and tasks of contacts, most completed. Stuck deals have none."""
    rng = ids.generator(data.seed, "tasks")
    contact_created, owner = data.contacts.history["created"], data.contacts.history["owner"]
    leads = np.flatnonzero(data.contacts.history["source"] != IMPORT)
    count = round(TASKS_PER_CONTACT * len(contact_created)) if len(leads) else 0
    who = leads[rng.integers(0, max(1, len(leads)), count)]
    created = contact_created[who] + HOUR + (rng.exponential(50, count) * DAY).astype(np.int64)
    draws = rng.integers(0, 2**31, count + len(data.opportunities.history["contact"]))
    deals = data.opportunities.columns
    working = np.flatnonzero((deals["status"] == OPEN) & ~deals["stuck"])
    who = np.concatenate([who, deals["contact"][working]])
    created = np.concatenate([created, np.minimum(deals["stage_changed"][working] + 5 * MINUTE, data.clock.as_of)])
    draw = np.concatenate([draws[:count], draws[count + deals["number"][working]]])
    due = (created // DAY + 1 + draw % 14) * DAY + 15 * HOUR
    done = due + (draw % 5 - 3) * DAY
    for_deal = np.arange(len(who)) >= count
    completed = (done <= data.clock.as_of) & (draw % 100 >= 100 * LATE) & ~for_deal
    columns = {
        "number": np.concatenate([np.arange(count), count + deals["number"][working]]),
        "contact": who.astype(np.int32),
        "created": created,
        "updated": np.where(completed, np.maximum(done, created), created),
        "due": due,
        "completed": completed,
        "user": np.where(draw % 11 == 0, -1, np.where(owner[who] < 0, draw % LEFT, owner[who])).astype(np.int8),
        "draw": draw,
    }
    stuck = np.isin(who, deals["contact"][deals["stuck"]])
    return visible(columns, (created <= data.clock.as_of) & (who < data.contacts.count) & ~stuck)


def task_rows(data: SeededData, numbers: Array) -> list[Row]:
    """Rows of ``POST /locations/{id}/tasks/search``."""
    return [{"_id": row.pop("id"), **row} for row in contact_task_rows(data, numbers, whole=True)]


def contact_task_rows(data: SeededData, numbers: Array, *, whole: bool = False) -> list[Row]:
    """Rows of ``GET /contacts/{id}/tasks``; *whole* adds the fields that only the search has."""
    table = data.table("tasks")
    columns = {name: column[numbers] for name, column in table.columns.items()}
    parts = zip(
        table.texts(numbers),
        data.table("contacts").texts(columns["contact"]),
        iso(columns["due"]),
        iso(columns["created"]),
        iso(columns["updated"]),
        columns["completed"].tolist(),
        columns["user"].tolist(),
        columns["draw"].tolist(),
        strict=True,
    )
    out = []
    for identifier, contact_id, due, created, updated, completed, user, draw in parts:
        row: Row = {
            "id": identifier,
            "title": TITLES[draw % len(TITLES)],
            "body": BODIES[draw % len(BODIES)],
            "dueDate": due,
            "completed": bool(completed),
            "contactId": contact_id,
        }
        if user >= 0:
            row["assignedTo"] = data.account.user_ids[user]
        if whole:
            row |= {"locationId": data.account.location_id, "dateAdded": created, "dateUpdated": updated}
            row["deleted"] = False
        out.append(row)
    return out


def seeded_notes(data: SeededData) -> dict[str, Array]:
    """Notes on one contact in twenty, sometimes several."""
    rng = ids.generator(data.seed, "notes")
    contact_created = data.contacts.history["created"]
    noted = np.flatnonzero(rng.random(len(contact_created)) < NOTED)
    who = np.repeat(noted, 1 + rng.choice(len(NOTES_EACH), len(noted), p=NOTES_EACH))
    created = contact_created[who] + HOUR + (rng.exponential(30, len(who)) * DAY).astype(np.int64)
    columns = {
        "contact": who.astype(np.int32),
        "created": created,
        "updated": created,
        "user": np.where(rng.random(len(who)) < 0.2, -1, rng.integers(0, LEFT + 1, len(who))).astype(np.int8),
        "draw": rng.integers(0, 2**31, len(who)),
    }
    return visible(columns, (created <= data.clock.as_of) & (who < data.contacts.count))


def note_rows(data: SeededData, numbers: Array) -> list[Row]:
    """Rows of ``GET /contacts/{id}/notes``."""
    table = data.table("notes")
    columns = {name: column[numbers] for name, column in table.columns.items()}
    parts = zip(
        table.texts(numbers),
        data.table("contacts").texts(columns["contact"]),
        iso(columns["created"]),
        columns["user"].tolist(),
        columns["draw"].tolist(),
        strict=True,
    )
    out = []
    for identifier, contact_id, created, user, draw in parts:
        body = NOTES[draw % len(NOTES)]
        out.append(
            {
                "id": identifier,
                "body": body,
                "bodyText": body.replace("</p><p>", "\n").replace("<p>", "").replace("</p>", ""),
                "contactId": contact_id,
                "userId": rows.owner(data.account, user),
                "dateAdded": created,
                "pinned": draw % 17 == 0,
                "relations": [{"objectKey": "contact", "recordId": contact_id}] if draw % 2 else [],
            }
        )
    return out


KINDS = (
    Kind("tasks", seeded_tasks, task_rows, "created", {"dateAdded": "created"}, style="object"),
    Kind("notes", seeded_notes, note_rows, "created", {"dateAdded": "created"}, of_contact=True),
)
