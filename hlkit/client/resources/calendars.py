"""Calendars and their appointments."""

from hlkit.client.schema import (
    CHOICE,
    FLAG,
    ID,
    INSTANT,
    LIST,
    NUMBER,
    TEXT,
    Column,
    Parent,
    QueryRange,
    Resource,
    wire_milliseconds,
)

CALENDARS = Resource(
    name="calendars",
    path="/calendars/",
    rows="calendars",
    doc="Calendars that appointments are booked in.",
    version="2021-04-15",
    scope="calendars.readonly",
    columns=(
        Column("calendar_id", "id", ID),
        Column("name", "name", TEXT),
        Column("description", "description", TEXT),
        Column("type", "calendarType", TEXT),
        Column("group_id", "groupId", ID),
        Column("is_active", "isActive", FLAG),
        Column("slot_duration", "slotDuration", NUMBER, doc="in slot_duration_unit"),
        Column("slot_duration_unit", "slotDurationUnit", CHOICE("mins", "hours")),
        Column("slot_interval", "slotInterval", NUMBER, doc="in slot_interval_unit"),
        Column("slot_interval_unit", "slotIntervalUnit", CHOICE("mins", "hours")),
        Column("confirms_itself", "autoConfirm", FLAG),
        Column("slug", ("widgetSlug", "slug"), TEXT, doc="last part of the booking page's URL"),
        Column("form_id", "formId", ID),
    ),
)

APPOINTMENTS = Resource(
    name="appointments",
    path="/calendars/events",
    rows="events",
    doc=(
        "Every appointment in every calendar, past and upcoming. Uses one request per calendar. Rescheduling "
        "overwrites the time; canceled and deleted appointments can be included."
    ),
    version="2021-04-15",
    scope="calendars/events.readonly",
    parent=Parent("calendars", "calendar_id", "calendarId"),
    when="starts_at",
    # Both ends are required: 1970 to 2100, in one response.
    span=QueryRange("startTime", "endTime", wire_milliseconds, default=(0, 4_102_444_800_000)),
    columns=(
        Column("appointment_id", "id", ID),
        Column("title", "title", TEXT, private=True),
        Column("calendar_id", "calendarId", ID),
        Column("contact_id", "contactId", ID),
        Column("owner_id", "assignedUserId", ID, doc="joins users.user_id"),
        Column("status", ("appointmentStatus", "appoinmentStatus"), TEXT, doc="new, confirmed, showed, noshow ..."),
        Column("starts_at", "startTime", INSTANT),
        Column("ends_at", "endTime", INSTANT),
        Column("created_at", "dateAdded", INSTANT),
        Column("updated_at", "dateUpdated", INSTANT),
        Column(
            "origin", "createdBy.source", TEXT, doc="how it was booked: by a person, a booking page, a workflow ..."
        ),
        Column("user_id", "createdBy.userId", ID, doc="who booked it; joins users.user_id"),
        Column("is_recurring", "isRecurring", FLAG),
        Column("series_id", "masterEventId", ID, doc="the recurring appointment that this is part of"),
        Column("is_deleted", "deleted", FLAG),
        Column("address", "address", TEXT, private=True),
        Column("notes", "notes", TEXT, private=True),
        Column("user_ids", "users", LIST, doc="all users it is assigned to"),
    ),
)
