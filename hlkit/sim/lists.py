"""The lists: by offset, by page, by window, per contact, or whole. Each asks and answers as its documents say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np

from hlkit.sim import calendars, catalog, work
from hlkit.sim.clock import DAY, Array
from hlkit.sim.data import Data
from hlkit.sim.messages import TYPES
from hlkit.sim.money_rows import INVOICE_STATES, STATUSES, subscription_detail
from hlkit.sim.refusal import Refusal, unprocessable
from hlkit.sim.route import Asked, Given, Route, page_size, whole

Answer = Callable[[Data, Asked], Given]
Masks = Callable[[Data, Asked], Array | None]


def _paged(data: Data, name: str, order: Array, start: int, size: int, **envelope: Any) -> Given:
    numbers = order[start : start + size]
    return Given(envelope, data.key(name), data.texts(name, numbers), 200, name, numbers)


def _masked(data: Data, name: str, mask: Array | None, sort: tuple[tuple[str, bool], ...] = ()) -> Array:
    order = data.table(name).order(sort)
    return order if mask is None else order[mask[order]]


# By offset


def _by_offset(
    name: str,
    skip: str = "skip",
    default: str = "10",
    most: int = 100,
    total: str | None = None,
    mask: Masks = lambda data, asked: None,
) -> Answer:
    def answer(data: Data, asked: Asked) -> Given:
        size = page_size(asked.query.get("limit", default), most=most)
        start = whole(asked.query.get(skip, "0"), skip)
        order = _masked(data, name, mask(data, asked))
        return _paged(data, name, order, start, size, **({total: len(order)} if total else {}))

    return answer


def _products(data: Data, asked: Asked) -> Given:
    """The total is a list that holds an object; the order is by date."""
    up = _one_of(asked, "sortOrder", ("asc", "desc"), "desc") == "asc"
    size = page_size(asked.query.get("limit", "10"))
    order = _masked(data, "products", None, (("createdAt", not up),))
    wanted = asked.query.get("search", "").casefold()
    if wanted:
        named = data.table("products").values("name", order)
        order = order[np.array([wanted in name.casefold() for name in named], bool)]
    start = whole(asked.query.get("offset", "0"), "offset")
    return _paged(data, "products", order, start, size, total=[{"total": len(order)}])


def _tasks(data: Data, asked: Asked) -> Given:
    """A POST with limit and skip in the body; no total."""
    body = asked.body if isinstance(asked.body, dict) else {}
    columns, passed = data.table("tasks").columns, data.table("tasks").alive.copy()
    if body.get("completed") is not None:
        passed &= columns["completed"] == bool(body["completed"])
    for name in ("contactId", "assignedTo"):
        if body.get(name) is not None and not isinstance(body[name], list):
            raise unprocessable(f"{name} must be an array")
    if body.get("contactId"):
        passed &= np.isin(columns["contact"], [_contact_number(data, one) for one in body["contactId"]])
    if body.get("assignedTo"):
        users = [data.account.user_ids.index(one) for one in body["assignedTo"] if one in data.account.user_ids]
        passed &= np.isin(columns["user"], users)
    size = page_size(body.get("limit", 25))
    return _paged(data, "tasks", _masked(data, "tasks", passed), whole(body.get("skip", 0), "skip"), size)


# Payments


def _money(name: str, total: str, *, strict: bool = False) -> Answer:
    """Lists of payments; *strict* ones want limit and offset on every call."""

    def answer(data: Data, asked: Asked) -> Given:
        missing = [f"{key} must be a string" for key in ("limit", "offset") if strict and key not in asked.query]
        if missing:
            raise unprocessable(*missing)
        size = page_size(asked.query.get("limit", "10"))
        start = whole(asked.query.get("offset", "0"), "offset")
        up = _one_of(asked, "sortOrder", ("ascend", "descend"), "descend") == "ascend"
        order = _masked(data, name, _money_mask(data, name, asked), (("createdAt", not up),))
        return _paged(data, name, order, start, size, **{total: len(order)})

    return answer


def _money_mask(data: Data, name: str, asked: Asked) -> Array:
    query, table = asked.query, data.table(name)
    columns, passed = table.columns, table.alive.copy()
    if query.get("contactId"):
        passed &= columns["contact"] == _contact_number(data, query["contactId"])
        passed &= columns.get("ghost", columns["contact"] * 0 - 1) < 0
    if query.get("paymentMode") in ("live", "test"):
        passed &= columns["live"] == (query["paymentMode"] == "live")
    passed &= _between(data, asked, columns["created"])
    exact = {"status": "status", "paymentStatus": "paymentStatus", "entityId": "entityId", "id": "_id"}
    exact |= {"subscriptionId": "subscriptionId", "entitySourceType": "entitySourceType"}
    for asked_for, key in exact.items():
        if query.get(asked_for):
            _check_state(name, asked_for, query[asked_for])
            passed &= _has(data, name, passed, _is(key, query[asked_for]))
    if query.get("search"):
        passed &= _has(data, name, passed, _says(query["search"].casefold(), "contactName", "name"))
    return passed


def _check_state(name: str, asked_for: str, value: str) -> None:
    known = {("invoices", "status"): INVOICE_STATES, ("transactions", "status"): STATUSES}.get((name, asked_for))
    if known and value not in known:
        raise unprocessable(f"{asked_for} must be one of the following values: {', '.join(dict.fromkeys(known))}")


def _has(data: Data, name: str, among: Array, test: Callable[[dict[str, Any]], bool]) -> Array:
    """Which rows a test of their JSON lets through."""
    out, numbers = np.zeros(len(among), bool), np.flatnonzero(among)
    out[numbers] = [test(row) for row in data.table(name).make(numbers)]
    return out


def _is(key: str, value: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: row.get(key) == value


def _says(text: str, *keys: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: any(text in str(row.get(key) or "").casefold() for key in keys)


def _subscription(data: Data, asked: Asked) -> Given:
    table, identifier = data.table("subscriptions"), asked.path.rpartition("/")[2]
    number = table.find(identifier)
    if number is None or not table.alive[number]:
        raise Refusal(400, f"Subscription with id {identifier} not found", "Bad Request")
    return Given(subscription_detail(data, number), resource="subscriptions")


# Days and windows


def _day(asked: Asked, name: str) -> date | None:
    text = asked.query.get(name)
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise unprocessable(f"{name} must be in YYYY-MM-DD format") from None


def _between(data: Data, asked: Asked, instants: Array, *, last_month: bool = False) -> Array:
    """Rows of the days startAt to endAt in the location's zone; *last_month* is the default of submissions."""
    start, end = _day(asked, "startAt"), _day(asked, "endAt")
    today = date(1970, 1, 1) + timedelta(days=data.today())
    if last_month:
        month_ago = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
        day = min(today.day, (today.replace(day=1) - timedelta(days=1)).day)
        start, end = start or month_ago.replace(day=day), end or today
    local = data.clock.to_local(instants) // DAY
    passed = np.ones(len(instants), bool)
    if start:
        passed &= local >= (start - date(1970, 1, 1)).days
    if end:
        passed &= local <= (end - date(1970, 1, 1)).days
    return passed


def _submissions(name: str, parent: str, key: str) -> Answer:
    """Pages by number, with a meta; without startAt no more than the last month."""

    def answer(data: Data, asked: Asked) -> Given:
        query, table = asked.query, data.table(name)
        size = page_size(query.get("limit", "20"))
        page = whole(query.get("page", "1"), "page", least=1)
        passed = table.alive & _between(data, asked, table.columns["sent"], last_month=True)
        if query.get(key):
            number = data.table(parent).find(query[key])
            passed &= table.columns["form"] == (255 if number is None else number)
        if query.get("q"):
            passed &= _has(data, name, passed, _says(query["q"].casefold(), "contactId", "name", "email"))
        order = _masked(data, name, passed)
        more, back = page * size < len(order), page > 1
        meta: dict[str, int | None] = {"total": len(order), "currentPage": page}
        meta |= {"nextPage": page + 1 if more else None, "prevPage": page - 1 if back else None}
        return _paged(data, name, order, (page - 1) * size, size, meta=meta)

    return answer


def _events(data: Data, asked: Asked) -> Given:
    """Appointments that start within a window, of a calendar, a user or a group; one answer, no pages."""
    query = asked.query
    missing = [f"{name} must be a string" for name in ("startTime", "endTime") if not query.get(name)]
    if missing:
        raise unprocessable(*missing)
    start, end = whole(query["startTime"], "startTime"), whole(query["endTime"], "endTime")
    table = data.table("appointments")
    columns, passed = table.columns, table.alive.copy()
    known = [calendars.calendar_id(data.seed, number) for number in range(len(calendars.CALENDARS))]
    if query.get("calendarId"):
        passed &= columns["calendar"] == (known.index(query["calendarId"]) if query["calendarId"] in known else 99)
    elif query.get("userId"):
        users = data.account.user_ids
        passed &= columns["user"] == (users.index(query["userId"]) if query["userId"] in users else 99)
    elif query.get("groupId"):
        mine = [n for n, row in enumerate(calendars.calendar_rows(data)) if row.get("groupId") == query["groupId"]]
        passed &= np.isin(columns["calendar"], mine)
    else:
        raise unprocessable("Either of userId, groupId or calendarId is required")
    passed &= (columns["start"] >= start) & (columns["start"] <= end)
    order = _masked(data, "appointments", passed, (("startTime", False),))
    return _paged(data, "appointments", order, 0, len(order))


# Conversations

SORTED_BY = ("last_message_date", "last_manual_message_date", "score_profile", "overdue_at", "due_at")


def _conversations(data: Data, asked: Asked) -> Given:
    """The cursor is a bare number of milliseconds: what shares it with the last row of a page is passed over."""
    query, table = asked.query, data.table("conversations")
    size = page_size(query.get("limit", "20"))
    down = _one_of(asked, "sort", ("asc", "desc"), "desc") == "desc"
    by = _one_of(asked, "sortBy", SORTED_BY, "last_message_date")
    by = by if by in table.numeric else "last_message_date"
    order = _masked(data, "conversations", _conversations_mask(data, asked), ((by, down),))
    values, start = table.columns[table.numeric[by]][order], 0
    if query.get("startAfterDate"):
        after = whole(query["startAfterDate"], "startAfterDate")
        start = int(np.searchsorted(-values if down else values, -after if down else after, side="right"))
    given = _paged(data, "conversations", order, start, size, total=len(order))
    cursors = values[start : start + size].tolist()
    given.rows = [f'{text[:-1]},"sort":[{cursor}]}}' for text, cursor in zip(given.rows, cursors, strict=True)]
    return given


def _conversations_mask(data: Data, asked: Asked) -> Array:
    query, table = asked.query, data.table("conversations")
    columns, passed = table.columns, table.alive.copy()
    status = _one_of(asked, "status", ("all", "read", "unread", "starred", "recents"), "all")
    if status in ("read", "unread"):
        passed &= (columns["unread"] > 0) == (status == "unread")
    elif status == "starred":
        passed &= columns["starred"]
    for name, compare in (("startDate", np.greater_equal), ("endDate", np.less_equal)):
        if query.get(name):
            passed &= compare(columns["created"], whole(query[name], name))
    if query.get("contactId"):
        passed &= columns["contact"] == _contact_number(data, query["contactId"])
    if query.get("id"):
        number = table.find(query["id"])
        passed &= np.arange(len(passed)) == (-1 if number is None else number)
    if query.get("lastMessageType"):
        kinds = [kind for kind, (_, name) in enumerate(TYPES) if name == query["lastMessageType"]]
        passed &= np.isin(columns["kind"], kinds)
    if query.get("lastMessageDirection"):
        passed &= columns["inbound"] == (query["lastMessageDirection"] == "inbound")
    if query.get("assignedTo"):
        users = data.account.user_ids
        owners = [users.index(one) for one in query["assignedTo"].split(",") if one in users]
        owners += [-1] if "unassigned" in query["assignedTo"].split(",") else []
        passed &= np.isin(data.table("contacts").columns["owner"][columns["contact"]], owners)
    if query.get("query"):
        wanted = _says(query["query"].casefold(), "fullName", "email", "phone")
        passed &= _has(data, "conversations", passed, wanted)
    return passed


def _messages(data: Data, asked: Asked) -> Given:
    """A conversation's messages, newest first, in an object within an object."""
    identifier = asked.path.split("/")[2]
    contact, table = data.conversation(identifier), data.table("messages")
    if contact is None:
        raise Refusal(400, f"Conversation with id {identifier} not found", "Bad Request")
    size = page_size(asked.query.get("limit", "20"))
    order = _masked(data, "messages", table.columns["contact"] == contact, (("createdAt", True),))
    wanted = asked.query.get("type", "")
    if wanted:
        kinds = [kind for kind, (_, name) in enumerate(TYPES) if name in wanted.split(",")]
        order = order[np.isin(table.columns["kind"][order], kinds)]
    start, last = 0, asked.query.get("lastMessageId")
    if last:
        found = np.flatnonzero(order == table.find(last))
        start = int(found[0]) + 1 if len(found) else 0
    numbers = order[start : start + size]
    made = table.make(numbers)
    inner = {"lastMessageId": made[-1]["id"] if made else None, "nextPage": start + size < len(order)}
    return Given({"messages": {**inner, "messages": made}}, resource="messages", numbers=numbers)


# Of a contact, and whole


def _contact_number(data: Data, identifier: object) -> int:
    number = data.table("contacts").find(identifier)
    return -1 if number is None else number


def _of_contact(name: str) -> Answer:
    def answer(data: Data, asked: Asked) -> Given:
        identifier, contacts = asked.path.split("/")[2], data.table("contacts")
        number = contacts.find(identifier)
        if number is None or not contacts.alive[number]:
            raise Refusal(400, f"Contact with id {identifier} not found", "Bad Request")
        table = data.table(name)
        rows = np.flatnonzero((table.columns["contact"] == number) & table.alive)
        rows = rows[np.argsort(-table.columns["created"][rows], kind="stable")]
        made = work.contact_task_rows(data, rows) if name == "tasks" else table.make(rows)
        return Given({}, data.key(name), made, 200, name, rows)

    return answer


def _few(name: str) -> Answer:
    return lambda data, asked: Given({}, data.key(name), data.few(name), 200, name)


def _campaigns(data: Data, asked: Asked) -> Given:
    given = _few("campaigns")(data, asked)
    given.rows = [row for row in given.rows if asked.query.get("status", row["status"]) == row["status"]]
    return given


def _groups(data: Data, asked: Asked) -> Given:
    return Given({}, "groups", calendars.group_rows(data), 200, "calendar_groups")


def _calendars(data: Data, asked: Asked) -> Given:
    given, wanted = _few("calendars")(data, asked), asked.query.get("groupId")
    given.rows = [row for row in given.rows if not wanted or row.get("groupId") == wanted]
    return given


def _link_search(data: Data, asked: Asked) -> Given:
    size, start = page_size(asked.query.get("limit", "20")), whole(asked.query.get("skip", "0"), "skip")
    text = asked.query.get("query", "").casefold()
    found = [row for row in catalog.link_rows(data) if text in row["name"].casefold()]
    return Given({}, "links", found[start : start + size], 200, "links")


def _one_of(asked: Asked, name: str, values: tuple[str, ...], default: str) -> str:
    value = asked.query.get(name, default)
    if value not in values:
        raise unprocessable(f"{name} must be one of the following values: {', '.join(values)}")
    return value


def _folders(name: str) -> Masks:
    def mask(data: Data, asked: Asked) -> Array | None:
        """Folders are another type, and there are none."""
        return np.zeros(len(data.table(name).alive), bool) if asked.query.get("type") == "folder" else None

    return mask


ROUTES = (
    Route("GET", "/conversations/search", "conversations.readonly", "query", _conversations),
    Route("GET", "/conversations/{conversationId}/messages", "conversations/message.readonly", "none", _messages),
    Route("GET", "/calendars/", "calendars.readonly", "query", _calendars),
    Route("GET", "/calendars/groups", "calendars/groups.readonly", "query", _groups),
    Route("GET", "/calendars/events", "calendars/events.readonly", "query", _events),
    Route("GET", "/locations/{locationId}/tags", "locations/tags.readonly", "path", _few("tags")),
    Route(
        "GET",
        "/locations/{locationId}/customValues",
        "locations/customValues.readonly",
        "path",
        _few("custom_values"),
    ),
    Route("POST", "/locations/{locationId}/tasks/search", "locations/tasks.readonly", "path", _tasks),
    Route("GET", "/contacts/{contactId}/notes", "contacts.readonly", "none", _of_contact("notes")),
    Route("GET", "/contacts/{contactId}/tasks", "contacts.readonly", "none", _of_contact("tasks")),
    Route(
        "GET",
        "/forms/",
        "forms.readonly",
        "query",
        _by_offset("forms", most=50, total="total", mask=_folders("forms")),
    ),
    Route(
        "GET", "/forms/submissions", "forms.readonly", "query", _submissions("form_submissions", "forms", "formId")
    ),
    Route(
        "GET",
        "/surveys/",
        "surveys.readonly",
        "query",
        _by_offset("surveys", most=50, total="total", mask=_folders("surveys")),
    ),
    Route(
        "GET",
        "/surveys/submissions",
        "surveys.readonly",
        "query",
        _submissions("survey_submissions", "surveys", "surveyId"),
    ),
    Route("GET", "/invoices/", "invoices.readonly", "alt", _money("invoices", "total", strict=True)),
    Route("GET", "/payments/orders", "payments/orders.readonly", "alt", _money("orders", "totalCount")),
    Route(
        "GET",
        "/payments/transactions",
        "payments/transactions.readonly",
        "alt",
        _money("transactions", "totalCount"),
    ),
    Route(
        "GET",
        "/payments/subscriptions",
        "payments/subscriptions.readonly",
        "alt",
        _money("subscriptions", "totalCount"),
    ),
    Route(
        "GET",
        "/payments/subscriptions/{subscriptionId}",
        "payments/subscriptions.readonly",
        "alt",
        _subscription,
    ),
    Route("GET", "/products/", "products.readonly", "query", _products),
    Route("GET", "/businesses/", "businesses.readonly", "query", _by_offset("businesses", default="100")),
    Route("GET", "/workflows/", "workflows.readonly", "query", _few("workflows")),
    Route("GET", "/campaigns/", "campaigns.readonly", "query", _campaigns),
    Route("GET", "/links/", "links.readonly", "query", _few("links")),
    Route("GET", "/links/search", "links.readonly", "query", _link_search),
)
