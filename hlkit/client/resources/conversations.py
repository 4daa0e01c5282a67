"""Conversations and their messages, on every channel."""

from hlkit.client.pagination import Cursor, StartAfterDate
from hlkit.client.schema import (
    CHOICE,
    COUNT,
    FLAG,
    ID,
    INSTANT,
    LIST,
    NUMBER,
    ONE_DAY,
    TEXT,
    Column,
    Filter,
    QueryRange,
    Resource,
    wire_milliseconds,
    wire_time,
)

MESSAGES = Resource(
    name="messages",
    path="/conversations/messages/export",
    rows="messages",
    doc=(
        "Every message, call and activity, one row each. The text of emails is not included. Read twice: "
        "everything except email, then email."
    ),
    when="sent_at",
    # Which field it filters is undocumented (June 2026): no end date is sent.
    span=QueryRange("startDate", None, wire_time, margin=ONE_DAY),
    version="2021-04-15",
    scope="conversations/message.readonly",
    paging=Cursor(size="limit", most=500),
    total="total",
    constant_parameters={"sortBy": "createdAt", "sortOrder": "asc"},
    parameter_sets=({}, {"channel": "Email"}),  # without a channel, email is left out
    filters={
        "channel": Filter(
            CHOICE("Call", "SMS", "Email", "WhatsApp", "Instagram", "Facebook"),
            "channel",
            doc="the channel it was sent on",
        ),
        "contact_id": Filter(ID, "contactId", doc="the contact it is from or to"),
        "conversation_id": Filter(ID, "conversationId", doc="the conversation it is in"),
    },
    columns=(
        Column("message_id", "id", ID),
        Column("conversation_id", "conversationId", ID),
        Column("contact_id", "contactId", ID),
        Column("sent_at", "dateAdded", INSTANT),
        Column("direction", "direction", CHOICE("inbound", "outbound"), doc="seen from the location"),
        Column("type", "messageType", TEXT, doc="the channel: TYPE_SMS, TYPE_CALL, TYPE_EMAIL ..."),
        Column(
            "origin",
            "source",
            CHOICE("app", "workflow", "bulk_actions", "campaign", "api"),
            doc="what sent it: a person in the app, a workflow, a bulk action ...",
        ),
        Column("status", "status", TEXT, doc="latest status: sent, delivered, opened, failed ..."),
        Column("user_id", "userId", ID, doc="who sent it; joins users.user_id"),
        # Real rows nest both in an object (seen in 2026); HighLevel's specification has them flat.
        Column("call_status", ("meta.call.status", "meta.callStatus"), TEXT),
        Column("call_duration_s", ("meta.call.duration", "meta.callDuration"), NUMBER, doc="seconds"),
        Column("body", "body", TEXT, private=True),
        Column("content_type", "contentType", TEXT),
        Column("attachments", "attachments", LIST, private=True),
        Column("from", "from", TEXT, private=True),
        Column("to", "to", TEXT, private=True),
    ),
)

CONVERSATIONS = Resource(
    name="conversations",
    path="/conversations/search",
    rows="conversations",
    doc="One conversation per contact ever messaged or called, with its last message.",
    when="created_at",
    span=QueryRange("startDate", "endDate", wire_milliseconds),  # they filter by dateAdded only (June 2026)
    version="2021-04-15",
    scope="conversations.readonly",
    paging=StartAfterDate(size="limit", most=100),
    total="total",
    constant_parameters={"status": "all", "sortBy": "last_message_date", "sort": "asc"},
    filters={
        "contact_id": Filter(ID, "contactId", doc="the contact it is with"),
        "owner_id": Filter(ID, "assignedTo", doc="the user the conversation belongs to"),
    },
    columns=(
        Column("conversation_id", "id", ID),
        Column("contact_id", "contactId", ID),
        Column("owner_id", "assignedTo", ID, doc="joins users.user_id"),
        Column("created_at", "dateAdded", INSTANT),
        Column("updated_at", "dateUpdated", INSTANT),
        Column("last_message_at", "lastMessageDate", INSTANT),
        Column("last_message_type", "lastMessageType", TEXT),
        Column("last_message_direction", "lastMessageDirection", CHOICE("inbound", "outbound")),
        Column("last_message", "lastMessageBody", TEXT, private=True),
        Column("type", "type", TEXT),
        Column("unread", "unreadCount", COUNT, doc="unread messages"),
        Column("is_starred", "starred", FLAG),
        Column("tags", "tags", LIST),
        Column("contact_name", ("contactName", "fullName"), TEXT, private=True, cased_as=("fullName",)),
        Column("company_name", "companyName", TEXT, private=True),
        Column("email", "email", TEXT, private=True),
        Column("phone", "phone", TEXT, private=True),
        Column("follower_ids", "followers", LIST, doc="users who follow it"),
    ),
)
