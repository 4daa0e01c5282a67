"""The simulated answers have the shape that the vendor's OpenAPI files give them, save for what is listed here.

A deviation is a place in an answer, and why the live API is known to differ there.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest
import requests

from hlkit.sim import Simulation
from hlkit.sim.account import FIELDS
from hlkit.sim.endpoints import ROUTES

SPECS = Path(__file__).parent / "facts" / "openapi"
SEEN = SPECS.parent / "rows_seen.json"

TYPED = "live rows name the value by its type: fieldValueString, fieldValueNumber ..."
NULL = "a field without a value is null in recorded rows"
NESTED = "the live answer holds all three in an object named messages"
INSTANT = "typed object, a text in its own example and in recorded rows"
WORD = "typed object, a text in its own example"
AMOUNT = "amounts come as text from some payment providers"
UNLISTED = "live accounts have TYPE_INTERNAL_CHAT, which the document does not list"
# method, path -> the spec's file and, in our answers, the places that differ from it.
ANSWERS = {
    ("POST", "/opportunities/search"): (
        "opportunities",
        {
            "opportunities[].assignedTo": NULL,
            "opportunities[].source": NULL,
            "opportunities[].lostReasonId": NULL,
            "opportunities[].contact.companyName": NULL,
            "opportunities[].contact.email": NULL,
            "opportunities[].contact.phone": NULL,
            "opportunities[].customFields[].fieldValue": TYPED,
        },
    ),
    ("GET", "/opportunities/search"): (
        "opportunities",
        {
            "opportunities[].assignedTo": NULL,
            "opportunities[].source": NULL,
            "opportunities[].lostReasonId": NULL,
            "opportunities[].contact.companyName": NULL,
            "opportunities[].contact.email": NULL,
            "opportunities[].contact.phone": NULL,
            "opportunities[].customFields[].fieldValue": TYPED,
            "meta.prevPage": "null on the first page, as in the contact list's own schema",
        },
    ),
    ("GET", "/opportunities/pipelines"): (
        "opportunities",
        {"pipelines[].stages[]": "the documents say array, live stages are objects"},
    ),
    ("GET", "/conversations/messages/export"): (
        "conversations",
        {"nextCursor": "null when there is no more, as its own description says"},
    ),
    ("GET", "/users/"): ("users", {}),
    ("GET", "/users/search"): ("users", {}),
    ("GET", "/contacts/"): (
        "contacts",
        {
            "contacts[].email": NULL,
            "contacts[].timezone": NULL,
            "contacts[].source": NULL,
            "contacts[].businessId": NULL,
            "contacts[].customFields[].value": "numbers, lists and objects come beside texts",
        },
    ),
    ("GET", "/locations/{locationId}"): ("locations", {}),
    ("GET", "/locations/{locationId}/customFields"): (
        "locations",
        {"customFields[].picklistOptions[]": "a TEXTBOX_LIST has options with ids, by which filters name them"},
    ),
    ("GET", "/conversations/search"): (
        "conversations",
        {"conversations[].email": NULL, "conversations[].phone": NULL, "conversations[].lastMessageType": UNLISTED},
    ),
    ("GET", "/conversations/{conversationId}/messages"): (
        "conversations",
        {"messages": NESTED, "lastMessageId": NESTED, "nextPage": NESTED},
    ),
    ("GET", "/calendars/"): ("calendars", {"calendars[].openHours": "{} where no hours are set, in recorded rows"}),
    ("GET", "/calendars/groups"): ("calendars", {}),
    ("GET", "/calendars/events"): (
        "calendars",
        {
            "events[].startTime": INSTANT,
            "events[].endTime": INSTANT,
            "events[].dateAdded": INSTANT,
            "events[].dateUpdated": INSTANT,
            "events[].createdBy.userId": NULL,
            "events[].assignedUserId": "recorded rows without a user have no such key",
            "events[].users": "recorded rows without a user have no such key",
        },
    ),
    ("GET", "/locations/{locationId}/tags"): ("locations", {}),
    ("GET", "/locations/{locationId}/customValues"): ("locations", {}),
    ("POST", "/locations/{locationId}/tasks/search"): (
        "locations",
        {"tasks[]": "the documents say arrays of arrays, as with stages; live rows are objects"},
    ),
    ("GET", "/contacts/{contactId}/notes"): ("contacts", {}),
    ("GET", "/contacts/{contactId}/tasks"): ("contacts", {}),
    ("GET", "/forms/"): ("forms", {}),
    ("GET", "/forms/submissions"): ("forms", {}),
    ("GET", "/surveys/"): ("surveys", {}),
    ("GET", "/surveys/submissions"): ("surveys", {}),
    ("GET", "/invoices/"): (
        "invoices",
        {
            "invoices[].invoiceItems[]": "typed string, shown as objects in its own example",
            "invoices[].invoiceNumber": "may be a text with a prefix",
            "invoices[].amountPaid": AMOUNT,
        },
    ),
    ("GET", "/payments/orders"): ("payments", {"data[].amount": AMOUNT}),
    ("GET", "/payments/transactions"): ("payments", {"data[].amount": AMOUNT, "data[].status": WORD}),
    ("GET", "/payments/subscriptions"): ("payments", {"data[].status": WORD}),
    ("GET", "/payments/subscriptions/{subscriptionId}"): ("payments", {"altType": WORD, "status": WORD}),
    ("GET", "/products/"): ("products", {}),
    ("GET", "/businesses/"): ("businesses", {}),
    ("GET", "/workflows/"): ("workflows", {}),
    ("GET", "/campaigns/"): ("campaigns", {}),
    ("GET", "/links/"): ("links", {}),
    ("GET", "/links/search"): ("links", {}),
}
UNDECLARED = {
    ("POST", "/contacts/search"): "the document gives no schema: rows are compared with recorded ones below"
}
UNSCOPED = {"/links/search": "the document names no scope; its sibling does"}


@pytest.fixture(scope="module")
def sim():
    with Simulation(size=600, as_of="2026-01-01", burst=(10_000, 1000)) as sim:
        yield sim


def ask(sim, method, path, version):
    """A page of an endpoint, as large as it may be; of the messages, the last page."""
    query = {"locationId": sim.location_id, "companyId": sim.data.account.company_id, "model": "all", "limit": "100"}
    query |= {"altId": sim.location_id, "altType": "location", "offset": "0", "startAt": "2023-01-01"}
    query |= {"calendarId": sim.data.ids("calendars")[0], "startTime": "0", "endTime": "4102444800000"}
    if path.endswith("/export"):
        query["startDate"] = "2025-12-25"
    if path in ("/forms/", "/surveys/"):
        query["limit"] = "50"
    body = {"locationId": sim.location_id, "limit": 100 if "tasks" in path else 500, "pageLimit": 500}
    known = {
        "{locationId}": sim.location_id,
        "{contactId}": next(sim.data.rows("tasks" if "tasks" in path else "notes"))["contactId"],
        "{conversationId}": sim.data.ids("conversations")[0],
        "{subscriptionId}": sim.data.ids("subscriptions")[0],
    }
    for place, value in known.items():
        path = path.replace(place, value)
    answer = requests.request(
        method,
        sim.url + path,
        params=query if method == "GET" else None,
        json=body if method == "POST" else None,
        headers={"Authorization": f"Bearer {sim.token}", "Version": version},
        timeout=10,
    )
    return answer.status_code, answer.json()


# A schema checker of the few words that these files use


@cache
def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def resolve(schema, path):
    """Follow references, also into another file."""
    while "$ref" in schema:
        file, _, pointer = schema["$ref"].partition("#/")
        path = (path.parent / file).resolve() if file else path
        schema = read(path)
        for key in pointer.split("/"):
            schema = schema[key]
    for part in schema.get("allOf", []):
        schema, path = resolve(part, path)
    return schema, path


TYPES = {"string": str, "number": (int, float), "boolean": bool, "object": dict, "array": list}


def problems(value, schema, path, place=""):
    """Each (place, what is wrong) of a value under a schema; properties that it does not name are allowed."""
    schema, path = resolve(schema, path)
    kind = schema.get("type")
    if value is None and schema.get("nullable"):
        return
    if kind and (not isinstance(value, TYPES[kind]) or (kind == "number" and isinstance(value, bool))):
        yield place, f"{type(value).__name__} instead of {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield place, f"{value!r} is none of {schema['enum'][:5]}"
    if isinstance(value, list):
        for member in value:
            yield from problems(member, schema.get("items", {}), path, f"{place}[]")
    if isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                yield f"{place}.{name}".lstrip("."), "is required"
        for name, part in schema.get("properties", {}).items():
            if name in value:
                yield from problems(value[name], part, path, f"{place}.{name}".lstrip("."))


def declared(file, method, path):
    """The schema and the Version that a spec file gives for an endpoint."""
    spec = SPECS / f"{file}.json"
    operation = read(spec)["paths"][path][method.lower()]
    version = next(p["schema"]["enum"][0] for p in operation["parameters"] if p["name"] == "Version")
    return operation["responses"]["200"]["content"]["application/json"]["schema"], version, spec


@pytest.mark.parametrize(("method", "path"), ANSWERS)
def test_an_answer_is_shaped_as_the_spec_says_or_differs_where_it_is_listed(sim, method, path):
    file, deviations = ANSWERS[method, path]
    schema, version, spec = declared(file, method, path)
    status, payload = ask(sim, method, path, version)
    found = dict(problems(payload, schema, spec))

    assert status in (200, 201)
    assert not {place: what for place, what in found.items() if place not in deviations}
    assert found.keys() == deviations.keys(), "a listed deviation that no longer occurs"


def test_every_endpoint_is_compared_with_its_document():
    assert {(route.method, route.path) for route in ROUTES} == ANSWERS.keys() | UNDECLARED.keys()


def test_every_endpoint_wants_the_scope_that_its_document_names():
    for route in ROUTES:
        file = ANSWERS.get((route.method, route.path), ("contacts", {}))[0]
        security = read(SPECS / f"{file}.json")["paths"][route.path][route.method.lower()]["security"]
        scopes = {scope for one in security for names in one.values() for scope in names}
        assert route.scope in scopes or (not scopes and route.path in UNSCOPED)


@pytest.mark.parametrize(
    ("path", "more", "status", "schema"),
    [
        ("/contacts/search", {"pageLimit": 501}, 400, "BadRequestDTO"),
        ("/contacts/search", {"locationId": None}, 422, "UnprocessableDTO"),
        ("/contacts/search", {"locationId": "x"}, 403, "ForbiddenDTO"),
        ("/nowhere/search", {}, 404, "NotFoundDTO"),
    ],
)
def test_an_error_is_shaped_as_the_common_schemas_say(sim, path, more, status, schema):
    headers = {"Authorization": f"Bearer {sim.token}", "Version": "2021-07-28"}
    body = {"locationId": sim.location_id, "pageLimit": 10, **more}
    answer = requests.post(sim.url + path, json=body, headers=headers, timeout=10)
    common = SPECS / "common" / "common-schemas.json"

    assert answer.status_code == answer.json()["statusCode"] == status
    assert not list(problems(answer.json(), {"$ref": f"#/components/schemas/{schema}"}, common))


# Contacts search has no schema: its rows are compared with the fields of recorded ones


INSTANTS = {
    "iso instant Z": r"\d{4}-\d\d-\d\dT[\d:.]+Z",
    "iso instant with offset": r"\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d",
}


def kinds(value):
    """How the notes on recorded rows name a value."""
    if value is None:
        return {"null"}
    if isinstance(value, bool):
        return {"boolean"}
    if isinstance(value, str):
        return {"string"} | {kind for kind, shape in INSTANTS.items() if re.fullmatch(shape, value)}
    if isinstance(value, int | float):
        return {"number", "epoch ms"}
    return {"list"} if isinstance(value, list) else {"object"}


def fields(row, prefix=""):
    """Each (name, value) of a row, with what lies in its lists and objects."""
    for name, value in row.items():
        yield prefix + name, value
        if isinstance(value, dict):
            yield from fields(value, f"{prefix}{name}.")
        for member in value if isinstance(value, list) else ():
            if isinstance(member, dict):
                yield from fields(member, f"{prefix}{name}[].")


@pytest.mark.parametrize(
    ("resource", "method", "path", "rows"),
    [
        ("locations.get", "GET", "/locations/{locationId}", "location"),
        ("contacts.search", "POST", "/contacts/search", "contacts"),
        ("opportunities.search", "POST", "/opportunities/search", "opportunities"),
        ("opportunities.pipelines", "GET", "/opportunities/pipelines", "pipelines"),
        ("conversations.search", "GET", "/conversations/search", "conversations"),
        ("calendars.list", "GET", "/calendars/", "calendars"),
        ("calendars.events", "GET", "/calendars/events", "events"),
        ("contacts.notes", "GET", "/contacts/{contactId}/notes", "notes"),
        ("locations.custom_values", "GET", "/locations/{locationId}/customValues", "customValues"),
        ("locations.custom_fields", "GET", "/locations/{locationId}/customFields", "customFields"),
    ],
)
def test_rows_have_the_fields_of_recorded_rows(sim, resource, method, path, rows):
    seen = read(SEEN)
    recorded = seen.get("resources", seen)[resource]
    _, payload = ask(sim, method, path, "2021-07-28")
    found = {}
    for row in payload[rows] if isinstance(payload[rows], list) else [payload[rows]]:
        for name, value in fields(row):
            found.setdefault(name, set()).update(kinds(value))

    assert payload.keys() == {name.partition(".")[0] for name in recorded["envelope"]}
    assert sorted(recorded["fields"].keys() - found.keys()) == []
    for name, expected in recorded["fields"].items():
        types = {kind for kind in expected if not kind.startswith("of ")}
        assert types - {"null"} <= found[name] or types == {"null"} or "null" in found[name], name


def test_custom_fields_have_every_type_that_the_documents_name(sim):
    _, payload = ask(sim, "GET", "/locations/{locationId}/customFields", "2021-07-28")

    fields = [row for row in payload["customFields"] if row["documentType"] == "field"]
    assert {row["dataType"] for row in fields} == {kind for _, _, kind, _, _ in FIELDS}
