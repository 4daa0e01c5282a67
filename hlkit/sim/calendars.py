"""Calendars and their appointments: showed up, no-show, or never marked.

The logit of a no-show grows with each day between booking and start, is higher at 8 AM and lower for
referred contacts. Some past appointments were never marked.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hlkit.sim import ids, rows
from hlkit.sim.account import LEFT, NAME
from hlkit.sim.clock import DAY, HOUR, MINUTE, Array, iso, weekday
from hlkit.sim.contacts import IMPORT, SOURCES
from hlkit.sim.forms import seeded_submissions
from hlkit.sim.kind import Kind, visible
from hlkit.sim.seeded import SeededData

Row = dict[str, Any]

# name, calendarType, minutes, group, whether it has open hours, whether it is active
CALENDARS = (
    ("Home visit", "round_robin", 60, 0, True, True),
    ("Phone consultation", "personal", 30, None, True, True),
    ("Design studio", "collective", 90, 0, True, True),
    ("Spring workshop", "class_booking", 120, 1, False, False),
)
CALENDAR_SHARES = (0.45, 0.3, 0.2, 0.05)
GROUPS = (("Visits", "at the customer's or in our rooms"), ("Events", "workshops and open days"))

PER_CONTACT = 0.62
LEAD_DAYS = 2.2
HOURS = np.arange(8, 18)
HOUR_SHARES = np.array((12, 12, 13, 12, 6, 9, 10, 10, 9, 7)) / 100
MISSED = {"base": -2.4, "per_day_of_lead": 0.5, "at_8": 0.8, "referral": -0.4}
UNMARKED, CANCELLED_SHARE, INVALID_SHARE, DELETED_SHARE, RECURRING = 0.12, 0.12, 0.01, 0.02, 0.04

STATUSES = ("confirmed", "new", "cancelled", "invalid", "showed", "noshow")
CONFIRMED, NEW, CANCELLED, INVALID, SHOWED, NOSHOW = range(6)
ORIGINS = ("booking_widget", "calendar_page", "third_party")


def calendar_id(seed: int, number: int) -> str:
    """The id of one of the calendars."""
    return ids.text(seed, "calendars", number)


def group_id(seed: int, number: int) -> str:
    """The id of a group of calendars."""
    return ids.text(seed, "calendar groups", number)


def group_rows(data: SeededData) -> list[Row]:
    """Rows of ``GET /calendars/groups``."""
    return [
        {
            "id": group_id(data.seed, number),
            "locationId": data.account.location_id,
            "name": name,
            "description": text,
            "slug": name.lower(),
            "isActive": True,
        }
        for number, (name, text) in enumerate(GROUPS)
    ]


def calendar_rows(data: SeededData) -> list[Row]:
    """Rows of ``GET /calendars/``: wide, nested, with both spellings of appointments per slot."""
    return [_calendar(data, number) for number in range(len(CALENDARS))]


def _calendar(data: SeededData, number: int) -> Row:
    name, kind, minutes, group, hours, active = CALENDARS[number]
    members = [_member(data, user) for user in range(number, number + 3 - number % 2)]
    row: Row = {
        "id": calendar_id(data.seed, number),
        "locationId": data.account.location_id,
        "name": name,
        "description": f"<p>{name} with {NAME}</p>",
        "isActive": active,
        "calendarType": kind,
        "eventType": "RoundRobin_OptimizeForAvailability",
        "eventTitle": "{{contact.name}}",
        "eventColor": ("#039be5", "#33b679", "#f6bf26", "#8e24aa")[number],
        "widgetSlug": name.lower().replace(" ", "-"),
        "widgetType": "classic" if number % 2 else "default",
        "teamMembers": members,
        "slotDuration": minutes,
        "slotDurationUnit": "mins",
        "slotInterval": 30,
        "slotIntervalUnit": "mins",
        "slotBuffer": 15,
        "slotBufferUnit": "mins",
        "preBuffer": 0,
        "preBufferUnit": "mins",
        "appoinmentPerSlot": 1 if hours else 12,
        "appointmentPerSlot": 1 if hours else 12,
        "openHours": [_open(day) for day in range(1, 6)] if hours else {},
        "availabilities": [],
        "enableRecurring": kind == "personal",
        "autoConfirm": True,
        "allowReschedule": True,
        "allowCancellation": True,
        "googleInvitationEmails": False,
        "formSubmitType": "ThankYouMessage",
        "formSubmitThanksMessage": "Thank you, we will be in touch.",
        "guestType": "count_only",
        "consentLabel": "I agree to be contacted.",
    }
    return row if group is None else {**row, "groupId": group_id(data.seed, group)}


def _member(data: SeededData, user: int) -> Row:
    meeting = {"kind": "custom", "location": "", "position": 0, "meetingId": f"custom_{user}", "zoomOauthId": ""}
    return {
        "userId": data.account.user_ids[user],
        "priority": 0.5,
        "selected": True,
        "isZoomAdded": "false",
        "locationConfigurations": [meeting],
    }


def _open(day: int) -> Row:
    return {"daysOfTheWeek": [day], "hours": [{"openHour": 8, "openMinute": 0, "closeHour": 18, "closeMinute": 0}]}


# Appointments


def _booked(data: SeededData, rng: np.random.Generator) -> tuple[Array, Array]:
    """Contacts and instants of bookings: those in the A/B test of forms only as it determines, others at any time."""
    people, submissions = data.contacts.history, seeded_submissions(data)
    books = submissions["books"] >= 0
    tested = np.zeros(len(people["created"]), bool)
    tested[submissions["contact"][submissions["form"] < 2]] = True
    others = np.flatnonzero(~tested & (people["source"] != IMPORT))
    count = max(0, round(PER_CONTACT * len(tested)) - int(books.sum())) if len(others) else 0
    who = others[rng.integers(0, max(1, len(others)), count)]
    at = people["created"][who] + HOUR + (rng.exponential(25, count) * DAY).astype(np.int64)
    return np.concatenate([submissions["contact"][books], who]), np.concatenate([submissions["books"][books], at])


def _starts(created: Array, rng: np.random.Generator, data: SeededData) -> Array:
    """Start times on the half hour of a working day, some days after the booking."""
    clock, count = data.clock, len(created)
    wished = clock.to_local(created) + (rng.exponential(LEAD_DAYS, count) * DAY).astype(np.int64)
    at = rng.choice(HOURS, count, p=HOUR_SHARES) * HOUR + rng.integers(0, 2, count) * 30 * MINUTE
    day = wished // DAY * DAY
    day = day + np.where(day + at <= clock.to_local(created) + HOUR, DAY, 0)
    day = day + np.maximum(0, 7 - weekday(day)) * (weekday(day) > 4) * DAY
    return clock.to_utc(day + at)


def seeded(data: SeededData) -> dict[str, Array]:
    """About 0.6 appointments per contact, booked by ``as_of``."""
    rng = ids.generator(data.seed, "appointments")
    people, clock = data.contacts.history, data.clock
    who, created = _booked(data, rng)
    count, start = len(who), _starts(created, rng, data)
    hour, lead = clock.to_local(start) // HOUR % 24, (start - created) / DAY
    logit = MISSED["base"] + MISSED["per_day_of_lead"] * lead + MISSED["at_8"] * (hour == 8)
    logit = logit + MISSED["referral"] * (people["source"][who] == SOURCES.index("referral"))
    calendar = rng.choice(len(CALENDARS), count, p=CALENDAR_SHARES).astype(np.uint8)
    chance, marked = rng.random(count), rng.random(count) >= UNMARKED
    missed = rng.random(count) < 1 / (1 + np.exp(-logit))
    canceled_at = created + rng.random(count) * (start - created)
    ends = start + np.array([minutes * MINUTE for _, _, minutes, _, _, _ in CALENDARS])[calendar]
    hopeful = np.where(rng.random(count) < 0.15, NEW, CONFIRMED)
    outcome = np.where(marked, np.where(missed, NOSHOW, SHOWED), hopeful)
    status = np.where(ends + HOUR <= clock.as_of, outcome, hopeful)
    is_canceled = (chance < CANCELLED_SHARE) & (canceled_at <= clock.as_of)
    status = np.where(is_canceled, CANCELLED, np.where(chance > 1 - INVALID_SHARE, INVALID, status))
    changed = np.where(is_canceled, canceled_at, np.where(status >= SHOWED, ends + HOUR, created)).astype(np.int64)
    owner = people["owner"][who]
    user = np.where((owner < 0) | (rng.random(count) < 0.2), rng.integers(0, LEFT, count), owner)
    columns = {
        "contact": who.astype(np.int32),
        "calendar": calendar,
        "created": created,
        "start": start,
        "ends": ends,
        "updated": changed,
        "status": status.astype(np.uint8),
        "missed": missed,
        "user": np.where(rng.random(count) < 0.05, -1, user).astype(np.int8),
        "origin": rng.choice(3, count, p=(0.6, 0.35, 0.05)).astype(np.uint8),
        "recurring": rng.random(count) < RECURRING,
        "deleted": rng.random(count) < DELETED_SHARE,
    }
    waiting = np.isin(who, data.opportunities.columns["contact"][data.opportunities.columns["stuck"]])
    return visible(columns, (created <= clock.as_of) & (who < data.contacts.count) & ~waiting)


def planted(data: SeededData) -> dict[str, Any]:
    """The logit of a no-show, and the true show rate by hour, unmarked appointments included."""
    columns = data.table("appointments").columns
    due = (columns["ends"] + HOUR <= data.clock.as_of) & ~columns["deleted"]
    due &= ~np.isin(columns["status"], (CANCELLED, INVALID))
    hour = data.clock.to_local(columns["start"]) // HOUR % 24
    shares = {int(h): float(1 - columns["missed"][due & (hour == h)].mean()) for h in np.unique(hour[due])}
    return {"missed_logit": dict(MISSED), "unmarked_share": UNMARKED, "show_share_by_local_hour": shares}


def _with_offset(local: Array, utc: Array) -> list[str]:
    """Local time with its UTC offset, as calendar events have it."""
    texts = np.datetime_as_string(local.astype("datetime64[ms]"), unit="s").tolist()
    offsets = ((local - utc) // MINUTE).tolist()
    signs = ((f"{'-' if m < 0 else '+'}{abs(m) // 60:02d}:{abs(m) % 60:02d}") for m in offsets)
    return [text + sign for text, sign in zip(texts, signs, strict=True)]


def appointment_rows(data: SeededData, numbers: Array) -> list[Row]:
    """Rows of ``GET /calendars/events``."""
    table, clock = data.table("appointments"), data.clock
    columns = {name: column[numbers] for name, column in table.columns.items()}
    written = zip(
        table.texts(numbers),
        rows.persons(data, columns["contact"]),
        _with_offset(clock.to_local(columns["start"]), columns["start"]),
        _with_offset(clock.to_local(columns["ends"]), columns["ends"]),
        iso(columns["created"]),
        iso(columns["updated"]),
        strict=True,
    )
    codes = ("calendar", "status", "user", "origin", "recurring", "deleted", "number")
    coded = zip(*(columns[name].tolist() for name in codes), strict=True)
    return [_appointment(data, *parts) for parts in zip(written, coded, strict=True)]


def _appointment(data: SeededData, texts: tuple[Any, ...], numbers: tuple[Any, ...]) -> Row:
    identifier, person, start, end, added, updated = texts
    calendar, status, user, origin, recurring, deleted, number = numbers
    label, _, _, group, _, _ = CALENDARS[calendar]
    owner = rows.owner(data.account, user)
    row: Row = {
        "id": identifier,
        "title": f"{label}: {person.name}",
        "address": "",
        "calendarId": calendar_id(data.seed, calendar),
        "locationId": data.account.location_id,
        "contactId": person.contact_id,
        "appointmentStatus": STATUSES[status],
        "appoinmentStatus": STATUSES[status],
        "startTime": start,
        "endTime": end,
        "dateAdded": added,
        "dateUpdated": updated,
        "isRecurring": recurring,
        "deleted": deleted,
        "assignedResources": [],
        "createdBy": {"source": ORIGINS[origin], "userId": owner if origin == 1 else None},
    }
    if owner is not None:
        row |= {"assignedUserId": owner, "users": [owner]}
    if group is not None:
        row["groupId"] = group_id(data.seed, group)
    if recurring:
        row["masterEventId"] = ids.text(data.seed, "series", number % 40)
        row["rrule"] = "RRULE:FREQ=WEEKLY;INTERVAL=1;COUNT=4"
    return row


KINDS = (
    Kind(
        "appointments",
        seeded,
        appointment_rows,
        placed="start",
        numeric={"startTime": "start", "dateAdded": "created"},
    ),
)
