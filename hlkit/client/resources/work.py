"""Tasks and notes."""

from hlkit.client.pagination import Offset
from hlkit.client.schema import FLAG, ID, INSTANT, TEXT, Column, Parent, Resource

TASKS = Resource(
    name="tasks",
    method="POST",
    path="/locations/{locationId}/tasks/search",
    rows="tasks",
    doc="Tasks, with owner and due date. HighLevel does not report when a task was completed.",
    scope="locations/tasks.readonly",
    paging=Offset(size="limit", most=100, param="skip"),
    columns=(
        Column("task_id", ("_id", "id"), ID),
        Column("title", "title", TEXT, private=True),
        Column("body", "body", TEXT, private=True),
        Column("contact_id", "contactId", ID),
        Column("owner_id", "assignedTo", ID, doc="joins users.user_id"),
        Column("due_at", "dueDate", INSTANT),
        Column("is_completed", "completed", FLAG),
        Column("created_at", ("dateAdded", "createdAt"), INSTANT),
        Column("updated_at", ("dateUpdated", "updatedAt"), INSTANT),
    ),
)

NOTES = Resource(
    name="notes",
    path="/contacts/{contactId}/notes",
    location_parameter=None,
    rows="notes",
    doc="Notes about contacts. Uses one request per contact: the most expensive read.",
    scope="contacts.readonly",
    parent=Parent("contacts", "contact_id", "contactId"),
    columns=(
        Column("note_id", "id", ID),
        Column("contact_id", "contactId", ID),
        Column("user_id", "userId", ID, doc="who wrote it; joins users.user_id"),
        Column("created_at", "dateAdded", INSTANT),
        Column("title", "title", TEXT, private=True),
        Column("body", ("bodyText", "body"), TEXT, private=True),
        Column("is_pinned", "pinned", FLAG),
    ),
)
