"""The endpoints: checks in the order of the live gateway, then rows."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from hlkit.sim import filters, lists, tokens
from hlkit.sim.clock import Array, parse
from hlkit.sim.data import Data
from hlkit.sim.messages import CHANNELS, EMAIL
from hlkit.sim.refusal import Refusal, unprocessable
from hlkit.sim.route import Answer, Request, Route, page_size, whole
from hlkit.sim.table import Sort
from hlkit.sim.words import split

SEARCH_MOST, WINDOW = 500, 10_000
EXPORT_LEAST, EXPORT_MOST = 10, 500

SORTS = {
    "contacts": split(
        """
    dateAdded dateUpdated firstNameLowerCase lastNameLowerCase businessName email dnd source
    """
    ),
    "opportunities": split(
        """
    date_added date_updated name monetary_value last_status_change_date last_stage_change_date
    """
    ),
}


def handle(data: Data, accepted: tokens.Tokens, request: Request) -> Answer:
    """The answer to a request; raises Refusal."""
    token = accepted.reads(request.headers)
    version = tokens.check_version(request.headers)
    if request.path.startswith(AGENCY_ROUTES):
        raise Refusal(403, "Forbidden resource", "Forbidden")
    for route in ROUTES:
        match = route.fits(request.method, request.path)
        if match is None:
            continue
        if route.until_v3 and version == "v3":
            raise Refusal(400, REMOVED.format(f"{route.method} {route.path}"), "Bad Request")
        tokens.check_scope(token, route.scope)
        _check_location(token, route, request, match)
        with data.lock:
            return route.handler(data, request)
    raise _no_such_path(request)


REMOVED = (
    "Endpoint {} not available in API version v3. This endpoint was removed in version v3. "
    "Please use a version before v3."
)
AGENCY_ROUTES = ("/locations/search", "/companies/", "/saas/", "/snapshots/")
CLOSED_ROUTES = ("/reporting", "/reputation")


def _no_such_path(request: Request) -> Refusal:
    """Paths are case-sensitive, and the gateway checks the scope before it looks for the route."""
    path = request.path
    if path.startswith(AGENCY_ROUTES):
        return Refusal(403, "Forbidden resource", "Forbidden")
    miscased = any(route.fits(request.method, path, re.IGNORECASE) for route in ROUTES)
    if miscased or path.lower().startswith(CLOSED_ROUTES):
        return Refusal(401, tokens.NO_SCOPE, "Unauthorized")
    return Refusal(404, f"Cannot {request.method} {path}", "Not Found")


def _check_location(token: tokens.Token, route: Route, request: Request, match: re.Match[str]) -> None:
    if route.location_in == "none":
        return
    if route.location_in == "path":
        tokens.check_location(token, match["locationId"])
    elif route.location_in == "alt":
        # Orders need no altType, according to their documentation.
        wanted = ("altId",) if route.path.endswith("/orders") else ("altId", "altType")
        missing = [f"{name} must be a string" for name in wanted if not request.query.get(name)]
        if missing:
            raise unprocessable(*missing)
        if request.query.get("altType", "location") != "location":
            raise unprocessable("altType must be one of the following values: location")
        tokens.check_location(token, request.query["altId"])
    elif route.location_in == "body":
        body = request.body
        if not isinstance(body, dict):
            raise Refusal(400, "Unexpected token in JSON", "Bad Request")
        if not isinstance(body.get("locationId"), str):
            raise unprocessable("locationId can't be undefined", "locationId must be a string")
        tokens.check_location(token, body["locationId"])
    elif route.path == "/users/search" and "locationId" not in request.query:
        raise Refusal(401, "E01 - Unauthorized request", "Unauthorized")
    else:
        location_id = request.query.get("locationId", request.query.get("location_id"))
        tokens.check_location(token, location_id)


# The two searches


def _search(name: str, size_key: str, status: int) -> Callable[[Data, Request], Answer]:
    def search(data: Data, request: Request) -> Answer:
        body = request.body
        size = page_size(body.get(size_key), size_key, SEARCH_MOST)
        sort = _sort(name, body.get("sort"))
        query = body.get("query") or ""
        if not isinstance(query, str) or len(query) > filters.LONGEST_VALUE:
            raise unprocessable(f"query must be shorter than or equal to {filters.LONGEST_VALUE} characters")
        order = _filtered(data, name, sort, body.get("filters"), query)
        start = _start(data, name, order, sort, body, size)
        numbers = order[start : start + size]
        rows = data.texts(name, numbers, tuple(field for field, _ in sort))
        return Answer({"total": len(order)}, name, rows, status, name, numbers)

    return search


def _filtered(data: Data, name: str, sort: Sort, wanted: object, query: str) -> Array:
    table = data.table(name)
    if not wanted and not query:
        return table.order(sort)
    key = json.dumps([wanted, query], sort_keys=True)
    return table.order(sort, lambda: filters.mask(data, name, wanted, query), key)


def _start(data: Data, name: str, order: Array, sort: Sort, body: dict[str, Any], size: int) -> int:
    """Where a page begins: after a cursor, or at a page number within the first 10,000 rows."""
    page = body.get("page")
    if page is not None:
        page = whole(page, "page", least=0 if name == "opportunities" else 1)
        if max(1, page) * size > WINDOW:
            raise unprocessable(f"page * limit must not exceed {WINDOW}, use searchAfter instead")
    if "searchAfter" in body:
        cursor = body["searchAfter"]
        if not isinstance(cursor, list):
            raise unprocessable("searchAfter must be an array")
        if cursor:
            try:
                return data.table(name).after(order, sort, cursor)
            except (TypeError, ValueError) as error:
                raise unprocessable(f"Invalid searchAfter: {error}") from None
    return (max(1, page) - 1) * size if page is not None else 0


def _sort(name: str, wanted: object) -> Sort:
    if wanted is None:
        return ()
    if not isinstance(wanted, list) or len(wanted) > 2:
        raise unprocessable("sort must be an array of at most 2 elements")
    out = []
    for item in wanted:
        field_name = item.get("field") if isinstance(item, dict) else None
        if field_name not in SORTS[name]:
            raise unprocessable(f"Invalid sort field: {field_name}")
        if item.get("direction", "desc") not in ("asc", "desc"):
            raise unprocessable("direction must be asc or desc")
        out.append((str(field_name), item.get("direction", "desc") == "desc"))
    return tuple(out)


# The export of messages


def _export(data: Data, request: Request) -> Answer:
    query = request.query
    size = whole(query.get("limit", "100"), "limit", least=0)
    if not EXPORT_LEAST <= size <= EXPORT_MOST:
        raise Refusal(400, f"limit must be between {EXPORT_LEAST} and {EXPORT_MOST}", "Bad Request")
    by, down = query.get("sortBy", "createdAt"), query.get("sortOrder", "desc")
    if by not in ("createdAt", "updatedAt") or down not in ("asc", "desc"):
        raise unprocessable("sortBy must be createdAt or updatedAt, sortOrder asc or desc")
    sort: Sort = ((by, down == "desc"),)
    kept = {k: query.get(k) for k in ("channel", "contactId", "conversationId", "startDate", "endDate")}
    table = data.table("messages")
    order = table.order(sort, lambda: _messages_mask(data, kept), json.dumps(kept))
    start = table.after(order, sort, _cursor(query["cursor"])) if query.get("cursor") else 0
    numbers = order[start : start + size]
    following = None
    if start + size < len(order):
        following = _opaque(table.values(by, numbers[-1:]) + table.texts(numbers[-1:]))
    envelope = {"nextCursor": following, "total": len(order)}
    return Answer(envelope, "messages", data.texts("messages", numbers), 200, "messages", numbers)


def _messages_mask(data: Data, wanted: dict[str, str | None]) -> Array:
    """All messages except email, unless a channel is given."""
    table = data.table("messages")
    columns = table.columns
    channel = wanted["channel"]
    if channel is not None and channel not in CHANNELS:
        raise unprocessable(f"channel must be one of {', '.join(CHANNELS)}")
    passed = np.isin(columns["kind"], CHANNELS[channel]) if channel else columns["kind"] != EMAIL
    contact = wanted["contactId"]
    if contact is not None:
        row = data.table("contacts").find(contact)
        passed &= columns["contact"] == (-1 if row is None else row)
    if wanted["conversationId"] is not None:
        row = data.conversation(wanted["conversationId"])
        passed &= columns["contact"] == (-1 if row is None else row)
    for name, compare in (("startDate", np.greater_equal), ("endDate", np.less_equal)):
        if wanted[name] is not None:
            try:
                passed &= compare(columns["sent"], parse(wanted[name]))
            except ValueError:
                raise unprocessable(f"{name} must be a valid date") from None
    return np.asarray(passed)


def _opaque(cursor: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps({"lastSort": cursor[:1], "lastId": cursor[1]}).encode()).decode()


def _cursor(text: str) -> list[Any]:
    try:
        read = json.loads(base64.urlsafe_b64decode(text))
        return [read["lastSort"][0], read["lastId"]]
    except (ValueError, KeyError, TypeError):
        raise Refusal(400, "Invalid cursor", "Bad Request") from None


# Legacy lists, and lists without pages


def _contact_list(data: Data, request: Request) -> Answer:
    """The deprecated list; startAfter without startAfterId returns the first page again."""
    return _list(data, request, "contacts", "dateAdded", {})


def _opportunity_list(data: Data, request: Request) -> Answer:
    names = ("pipeline_id", "pipeline_stage_id", "contact_id", "assigned_to", "status", "id")
    wanted = {name: request.query[name] for name in names if request.query.get(name)}
    if wanted.get("status") == "all":
        del wanted["status"]
    return _list(data, request, "opportunities", "date_added", wanted)


def _list(data: Data, request: Request, name: str, by: str, wanted: dict[str, str]) -> Answer:
    query, table = request.query, data.table(name)
    size = page_size(query.get("limit", "20"))
    sort: Sort = ((by, True),)
    equal = [{"field": key, "operator": "eq", "value": value} for key, value in wanted.items()]
    order = _filtered(data, name, sort, equal, query.get("query", query.get("q", "")))
    start = (whole(query.get("page", "1"), "page", least=1) - 1) * size
    if query.get("startAfter") and query.get("startAfterId"):
        cursor = [whole(query["startAfter"], "startAfter", least=0), query["startAfterId"]]
        start = table.after(order, sort, cursor)
    numbers = order[start : start + size]
    rows = table.make(numbers)
    meta: dict[str, Any] = {"total": len(order), "currentPage": start // size + 1, "prevPage": None}
    if len(rows):
        meta["startAfter"] = table.values(by, numbers[-1:])[0]
        meta["startAfterId"] = rows[-1]["id"]
    if start + size < len(order):
        meta["nextPage"] = meta["currentPage"] + 1
        # An address inside HighLevel's own network, as in its documentation.
        meta["nextPageUrl"] = (
            f"http://localhost:5058{request.path}?locationId={data.account.location_id}&limit={size}"
            f"&startAfter={meta['startAfter']}&startAfterId={meta['startAfterId']}"
        )
    envelope = {"meta": meta} | ({"count": len(order)} if name == "contacts" else {})
    return Answer(envelope, name, rows, 200, name, numbers)


def _users(data: Data, request: Request) -> Answer:
    return Answer({}, "users", data.account.users(), 200, "users")


def _user_search(data: Data, request: Request) -> Answer:
    query = request.query
    if "companyId" not in query:
        raise unprocessable("companyId must be a string")
    users = data.account.users() if query["companyId"] == data.account.company_id else []
    text, wanted = query.get("query", "").casefold(), query.get("ids")
    users = [u for u in users if text in f"{u['name']} {u['email']} {u['phone']}".casefold()]
    users = [u for u in users if not query.get("role") or u["roles"]["role"] == query["role"]]
    users = [u for u in users if wanted is None or u["id"] in wanted.split(",")]
    skip, limit = whole(query.get("skip", "0"), "skip", 0), whole(query.get("limit", "25"), "limit", 1)
    return Answer({"count": len(users)}, "users", users[skip : skip + limit], 200, "users")


def _pipelines(data: Data, request: Request) -> Answer:
    return Answer({}, "pipelines", data.account.pipelines(), 200, "pipelines")


def _location(data: Data, request: Request) -> Answer:
    return Answer({"location": data.account.location()}, resource="location")


def _custom_fields(data: Data, request: Request) -> Answer:
    model = request.query.get("model", "contact")
    if model not in ("contact", "opportunity", "all"):
        raise unprocessable("model must be one of contact, opportunity, all")
    fields = [row for row in data.few("custom_fields") if model in ("all", row["model"])]
    return Answer({}, "customFields", fields, 200, "custom_fields")


ROUTES = (
    Route("POST", "/contacts/search", "contacts.readonly", "body", _search("contacts", "pageLimit", 200)),
    Route("POST", "/opportunities/search", "opportunities.readonly", "body", _search("opportunities", "limit", 201)),
    Route("GET", "/opportunities/search", "opportunities.readonly", "query", _opportunity_list),
    Route("GET", "/opportunities/pipelines", "opportunities.readonly", "query", _pipelines),
    Route("GET", "/conversations/messages/export", "conversations/message.readonly", "query", _export),
    Route("GET", "/contacts/", "contacts.readonly", "query", _contact_list, until_v3=True),
    Route("GET", "/users/", "users.readonly", "query", _users, until_v3=True),
    Route("GET", "/users/search", "users.readonly", "query", _user_search),
    Route("GET", "/locations/{locationId}", "locations.readonly", "path", _location),
    Route("GET", "/locations/{locationId}/customFields", "locations/customFields.readonly", "path", _custom_fields),
    *lists.ROUTES,
)
