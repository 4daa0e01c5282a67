"""The lists: by offset, by page, by time window, per contact, or whole; parameters and responses as documented."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np

from hlkit.sim import calendars, catalog, work
from hlkit.sim.clock import DAY, Array
from hlkit.sim.data import Data
from hlkit.sim.messages import TYPES
from hlkit.sim.money_rows import INVOICE_STATES, STATUSES, subscription_detail
from hlkit.sim.refusal import Refusal, unprocessable
from hlkit.sim.route import Answer, Request, Route, page_size, whole

Handler = Callable[[Data, Request], Answer]
Masks = Callable[[Data, Request], Array | None]


def _paged(data: Data, name: str, order: Array, start: int, size: int, **envelope: Any) -> Answer:
    numbers = order[start : start + size]
    return Answer(envelope, data.key(name), data.texts(name, numbers), 200, name, numbers)


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
    mask: Masks = lambda data, request: None,
) -> Handler:
    def handler(data: Data, request: Request) -> Answer:
        size = page_size(request.query.get("limit", default), most=most)
        start = whole(request.query.get(skip, "0"), skip)
        order = _masked(data, name, mask(data, request))
        return _paged(data, name, order, start, size, **({total: len(order)} if total else {}))

    return handler


def _products(data: Data, request: Request) -> Answer:
    """The total is a list with one object; rows are sorted by date."""
    up = _one_of(request, "sortOrder", ("asc", "desc"), "desc") == "asc"
    size = page_size(request.query.get("limit", "10"))
    order = _masked(data, "products", None, (("createdAt", not up),))
    wanted = request.query.get("search", "").casefold()
    if wanted:
        named = data.table("products").values("name", order)
        order = order[np.array([wanted in name.casefold() for name in named], bool)]
    start = whole(request.query.get("offset", "0"), "offset")
    return _paged(data, "products", order, start, size, total=[{"total": len(order)}])


def _tasks(data: Data, request: Request) -> Answer:
    """A POST with limit and skip in the body, and no total."""
    body = request.body if isinstance(request.body, dict) else {}
    columns, passed = data.table("tasks").columns, data.table("tasks").alive.copy()
    if body.get("completed") is not None:
        passed &= columns["completed"] == bool(body["completed"])
    for name in ("contactId", "assignedTo"):
        if body.get(name) is not None and not isinstance(body[name], list):
            raise unprocessable(f"{name} must be an array")
    if body.get("contactId"):
        passed &= np.isin(columns["contact"], [_contact_number(data, contact_id) for contact_id in body["contactId"]])
    if body.get("assignedTo"):
        users = [data.account.user_ids.index(user) for user in body["assignedTo"] if user in data.account.user_ids]
        passed &= np.isin(columns["user"], users)
    size = page_size(body.get("limit", 25))
    return _paged(data, "tasks", _masked(data, "tasks", passed), whole(body.get("skip", 0), "skip"), size)


# Payments


def _money(name: str, total: str, *, strict: bool = False) -> Handler:
    """Lists of payments; *strict* ones require limit and offset."""

    def handler(data: Data, request: Request) -> Answer:
        missing = [f"{key} must be a string" for key in ("limit", "offset") if strict and key not in request.query]
        if missing:
            raise unprocessable(*missing)
        size = page_size(request.query.get("limit", "10"))
        start = whole(request.query.get("offset", "0"), "offset")
        up = _one_of(request, "sortOrder", ("ascend", "descend"), "descend") == "ascend"
        order = _masked(data, name, _money_mask(data, name, request), (("createdAt", not up),))
        return _paged(data, name, order, start, size, **{total: len(order)})

    return handler


def _money_mask(data: Data, name: str, request: Request) -> Array:
    query, table = request.query, data.table(name)
    columns, passed = table.columns, table.alive.copy()
    if query.get("contactId"):
        passed &= columns["contact"] == _contact_number(data, query["contactId"])
        passed &= columns.get("ghost", columns["contact"] * 0 - 1) < 0
    if query.get("paymentMode") in ("live", "test"):
        passed &= columns["live"] == (query["paymentMode"] == "live")
    passed &= _between(data, request, columns["created"])
    exact = {"status": "status", "paymentStatus": "paymentStatus", "entityId": "entityId", "id": "_id"}
    exact |= {"subscriptionId": "subscriptionId", "entitySourceType": "entitySourceType"}
    for parameter, key in exact.items():
        if query.get(parameter):
            _check_state(name, parameter, query[parameter])
            passed &= _has(data, name, passed, _is(key, query[parameter]))
    if query.get("search"):
        passed &= _has(data, name, passed, _says(query["search"].casefold(), "contactName", "name"))
    return passed


def _check_state(name: str, parameter: str, value: str) -> None:
    states = {("invoices", "status"): INVOICE_STATES, ("transactions", "status"): STATUSES}.get((name, parameter))
    if states and value not in states:
        raise unprocessable(f"{parameter} must be one of the following values: {', '.join(dict.fromkeys(states))}")


def _has(data: Data, name: str, among: Array, test: Callable[[dict[str, Any]], bool]) -> Array:
    """Which of the rows *among* pass a test of their JSON."""
    out, numbers = np.zeros(len(among), bool), np.flatnonzero(among)
    out[numbers] = [test(row) for row in data.table(name).make(numbers)]
    return out


def _is(key: str, value: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: row.get(key) == value


def _says(text: str, *keys: str) -> Callable[[dict[str, Any]], bool]:
    return lambda row: any(text in str(row.get(key) or "").casefold() for key in keys)


def _subscription(data: Data, request: Request) -> Answer:
    table, identifier = data.table("subscriptions"), request.path.rpartition("/")[2]
    number = table.find(identifier)
    if number is None or not table.alive[number]:
        raise Refusal(400, f"Subscription with id {identifier} not found", "Bad Request")
    return Answer(subscription_detail(data, number), resource="subscriptions")


# Days and windows


def _day(request: Request, name: str) -> date | None:
    text = request.query.get(name)
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise unprocessable(f"{name} must be in YYYY-MM-DD format") from None


def _between(data: Data, request: Request, instants: Array, *, last_month: bool = False) -> Array:
    """Rows of the days startAt to endAt in the location's zone; *last_month* is the default of submissions."""
    start, end = _day(request, "startAt"), _day(request, "endAt")
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


def _submissions(name: str, parent: str, key: str) -> Handler:
    """Pages by number, with a meta; without startAt only the last month."""

    def handler(data: Data, request: Request) -> Answer:
        query, table = request.query, data.table(name)
        size = page_size(query.get("limit", "20"))
        page = whole(query.get("page", "1"), "page", least=1)
        passed = table.alive & _between(data, request, table.columns["sent"], last_month=True)
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

    return handler


def _events(data: Data, request: Request) -> Answer:
    """Appointments that start within a window, of a calendar, a user or a group; no pages."""
    query = request.query
    missing = [f"{name} must be a string" for name in ("startTime", "endTime") if not query.get(name)]
    if missing:
        raise unprocessable(*missing)
    start, end = whole(query["startTime"], "startTime"), whole(query["endTime"], "endTime")
    table = data.table("appointments")
    columns, passed = table.columns, table.alive.copy()
    calendar_ids = [calendars.calendar_id(data.seed, number) for number in range(len(calendars.CALENDARS))]
    if query.get("calendarId"):
        passed &= columns["calendar"] == _index(calendar_ids, query["calendarId"])
    elif query.get("userId"):
        passed &= columns["user"] == _index(data.account.user_ids, query["userId"])
    elif query.get("groupId"):
        numbers = [n for n, row in enumerate(calendars.calendar_rows(data)) if row.get("groupId") == query["groupId"]]
        passed &= np.isin(columns["calendar"], numbers)
    else:
        raise unprocessable("Either of userId, groupId or calendarId is required")
    passed &= (columns["start"] >= start) & (columns["start"] <= end)
    order = _masked(data, "appointments", passed, (("startTime", False),))
    return _paged(data, "appointments", order, 0, len(order))


def _index(values: Sequence[str], value: str) -> int:
    """The index of a value, or 99, which no row has."""
    return values.index(value) if value in values else 99


# Conversations

SORTED_BY = ("last_message_date", "last_manual_message_date", "score_profile", "overdue_at", "due_at")


def _conversations(data: Data, request: Request) -> Answer:
    """The cursor is a number of milliseconds: rows that share it with the last row of a page are skipped."""
    query, table = request.query, data.table("conversations")
    size = page_size(query.get("limit", "20"))
    down = _one_of(request, "sort", ("asc", "desc"), "desc") == "desc"
    by = _one_of(request, "sortBy", SORTED_BY, "last_message_date")
    by = by if by in table.numeric else "last_message_date"
    order = _masked(data, "conversations", _conversations_mask(data, request), ((by, down),))
    values, start = table.columns[table.numeric[by]][order], 0
    if query.get("startAfterDate"):
        after = whole(query["startAfterDate"], "startAfterDate")
        start = int(np.searchsorted(-values if down else values, -after if down else after, side="right"))
    answer = _paged(data, "conversations", order, start, size, total=len(order))
    cursors = values[start : start + size].tolist()
    answer.rows = [f'{text[:-1]},"sort":[{cursor}]}}' for text, cursor in zip(answer.rows, cursors, strict=True)]
    return answer


def _conversations_mask(data: Data, request: Request) -> Array:
    query, table = request.query, data.table("conversations")
    columns, passed = table.columns, table.alive.copy()
    status = _one_of(request, "status", ("all", "read", "unread", "starred", "recents"), "all")
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
        owners = [users.index(user) for user in query["assignedTo"].split(",") if user in users]
        owners += [-1] if "unassigned" in query["assignedTo"].split(",") else []
        passed &= np.isin(data.table("contacts").columns["owner"][columns["contact"]], owners)
    if query.get("query"):
        wanted = _says(query["query"].casefold(), "fullName", "email", "phone")
        passed &= _has(data, "conversations", passed, wanted)
    return passed


def _messages(data: Data, request: Request) -> Answer:
    """A conversation's messages, newest first, in an object within an object."""
    identifier = request.path.split("/")[2]
    contact, table = data.conversation(identifier), data.table("messages")
    if contact is None:
        raise Refusal(400, f"Conversation with id {identifier} not found", "Bad Request")
    size = page_size(request.query.get("limit", "20"))
    order = _masked(data, "messages", table.columns["contact"] == contact, (("createdAt", True),))
    wanted = request.query.get("type", "")
    if wanted:
        kinds = [kind for kind, (_, name) in enumerate(TYPES) if name in wanted.split(",")]
        order = order[np.isin(table.columns["kind"][order], kinds)]
    start, last = 0, request.query.get("lastMessageId")
    if last:
        position = np.flatnonzero(order == table.find(last))
        start = int(position[0]) + 1 if len(position) else 0
    numbers = order[start : start + size]
    rows = table.make(numbers)
    inner = {"lastMessageId": rows[-1]["id"] if rows else None, "nextPage": start + size < len(order)}
    return Answer({"messages": {**inner, "messages": rows}}, resource="messages", numbers=numbers)


# Per contact, and whole


def _contact_number(data: Data, identifier: object) -> int:
    number = data.table("contacts").find(identifier)
    return -1 if number is None else number


def _of_contact(name: str) -> Handler:
    def handler(data: Data, request: Request) -> Answer:
        identifier, contacts = request.path.split("/")[2], data.table("contacts")
        number = contacts.find(identifier)
        if number is None or not contacts.alive[number]:
            raise Refusal(400, f"Contact with id {identifier} not found", "Bad Request")
        table = data.table(name)
        numbers = np.flatnonzero((table.columns["contact"] == number) & table.alive)
        numbers = numbers[np.argsort(-table.columns["created"][numbers], kind="stable")]
        rows = work.contact_task_rows(data, numbers) if name == "tasks" else table.make(numbers)
        return Answer({}, data.key(name), rows, 200, name, numbers)

    return handler


def _few(name: str) -> Handler:
    return lambda data, request: Answer({}, data.key(name), data.few(name), 200, name)


def _campaigns(data: Data, request: Request) -> Answer:
    answer = _few("campaigns")(data, request)
    answer.rows = [row for row in answer.rows if request.query.get("status", row["status"]) == row["status"]]
    return answer


def _groups(data: Data, request: Request) -> Answer:
    return Answer({}, "groups", calendars.group_rows(data), 200, "calendar_groups")


def _calendars(data: Data, request: Request) -> Answer:
    answer, wanted = _few("calendars")(data, request), request.query.get("groupId")
    answer.rows = [row for row in answer.rows if not wanted or row.get("groupId") == wanted]
    return answer


def _link_search(data: Data, request: Request) -> Answer:
    size, start = page_size(request.query.get("limit", "20")), whole(request.query.get("skip", "0"), "skip")
    text = request.query.get("query", "").casefold()
    links = [row for row in catalog.link_rows(data) if text in row["name"].casefold()]
    return Answer({}, "links", links[start : start + size], 200, "links")


def _one_of(request: Request, name: str, values: tuple[str, ...], default: str) -> str:
    value = request.query.get(name, default)
    if value not in values:
        raise unprocessable(f"{name} must be one of the following values: {', '.join(values)}")
    return value


def _folders(name: str) -> Masks:
    def mask(data: Data, request: Request) -> Array | None:
        """Folders are another type; there are none."""
        return np.zeros(len(data.table(name).alive), bool) if request.query.get("type") == "folder" else None

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
