"""The lists of the simulated location page, filter and refuse as their documents and recorded answers have it."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import requests
from faultkit import FaultySimulation

from hlkit.sim.data import FEW, KINDS
from hlkit.sim.endpoints import ROUTES

AS_OF = "2026-01-01"
ALWAYS = {"startTime": "0", "endTime": "4102444800000", "startAt": "2020-01-01"}

# resource: path, parameter of the position, largest page, key of the rows, where the total is
BY_OFFSET = {
    "forms": ("/forms/", "skip", 50, "forms", lambda answer: answer["total"]),
    "surveys": ("/surveys/", "skip", 50, "surveys", lambda answer: answer["total"]),
    "invoices": ("/invoices/", "offset", 100, "invoices", lambda answer: answer["total"]),
    "orders": ("/payments/orders", "offset", 100, "data", lambda answer: answer["totalCount"]),
    "transactions": ("/payments/transactions", "offset", 100, "data", lambda answer: answer["totalCount"]),
    "subscriptions": ("/payments/subscriptions", "offset", 100, "data", lambda answer: answer["totalCount"]),
    "products": ("/products/", "offset", 100, "products", lambda answer: answer["total"][0]["total"]),
    "businesses": ("/businesses/", "skip", 100, "businesses", None),
}
WHOLE = {
    "calendars": ("/calendars/", "calendars"),
    "tags": ("/locations/{locationId}/tags", "tags"),
    "custom_values": ("/locations/{locationId}/customValues", "customValues"),
    "workflows": ("/workflows/", "workflows"),
    "campaigns": ("/campaigns/", "campaigns"),
    "links": ("/links/", "links"),
}


class Client:
    def __init__(self, sim, token=None):
        self.sim = sim
        self.headers = {"Authorization": f"Bearer {token or sim.token}", "Version": "2021-07-28"}
        self.always = {"locationId": sim.location_id, "altId": sim.location_id, "altType": "location"}

    def ask(self, path, method="GET", body=None, **query):
        path = path.replace("{locationId}", self.sim.location_id)
        query = {name: value for name, value in {**self.always, **query}.items() if value is not None}
        return requests.request(
            method, self.sim.url + path, params=query, json=body, headers=self.headers, timeout=10
        )

    def get(self, path, **query):
        answer = self.ask(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def tasks(self, **body):
        return self.ask("/locations/{locationId}/tasks/search", "POST", body)


@pytest.fixture(scope="module")
def sim():
    with FaultySimulation(seed=0, size=2500, as_of=AS_OF, burst=(100_000, 10_000)) as sim:
        yield sim


@pytest.fixture(scope="module")
def client(sim):
    return Client(sim)


@pytest.fixture
def own():
    with FaultySimulation(seed=0, size=400, as_of=AS_OF, burst=(100_000, 10_000)) as sim:
        yield Client(sim)


def identifiers(rows):
    return [row.get("_id") or row["id"] for row in rows]


def refused(answer):
    return answer.status_code, answer.json()["message"]


# By offset


@pytest.mark.parametrize("name", BY_OFFSET)
def test_a_list_by_offset_gives_each_row_once_and_a_total_of_its_own_shape(sim, client, name):
    path, position, size, key, total = BY_OFFSET[name]
    rows, pages = [], []
    while not pages or len(pages[-1][key]) == size:
        pages.append(client.get(path, limit=size, **{position: len(rows)}))
        rows += pages[-1][key]

    assert len(rows) == len(sim.data.ids(name)) > 0
    assert set(identifiers(rows)) == set(sim.data.ids(name))
    assert all(total is None or total(page) == len(rows) for page in pages)


@pytest.mark.parametrize("name", BY_OFFSET)
def test_a_page_larger_than_the_most_is_an_error_not_a_smaller_page(client, name):
    path, _, size, _, _ = BY_OFFSET[name]

    assert refused(client.ask(path, limit=size + 1, offset=0)) == (400, f"limit must not be greater than {size}")


@pytest.mark.parametrize(
    ("name", "size"), [("forms", 10), ("surveys", 10), ("orders", 10), ("transactions", 10), ("businesses", 100)]
)
def test_a_list_has_the_default_size_of_its_document(client, name, size):
    path, _, _, key, _ = BY_OFFSET[name]

    assert len(client.get(path)[key]) == min(size, len(client.sim.data.ids(name)))


@pytest.mark.parametrize("name", WHOLE)
def test_a_short_list_comes_whole(sim, client, name):
    path, key = WHOLE[name]

    assert identifiers(client.get(path)[key]) == sim.data.ids(name)


def test_tasks_are_a_search_with_limit_and_skip_in_the_body(sim, client):
    rows = []
    while page := client.tasks(limit=100, skip=len(rows)).json()["tasks"]:
        rows += page
    first = client.tasks(limit=100).json()

    assert sorted(identifiers(rows)) == sorted(sim.data.ids("tasks"))
    assert first["tasks"] == rows[:100]
    assert first.keys() == {"tasks", "traceId"}
    assert len(client.tasks().json()["tasks"]) == 25
    assert refused(client.tasks(limit=101))[0] == 400


def test_tasks_are_filtered_by_their_end_and_their_people(sim, client):
    some = client.tasks(limit=100).json()["tasks"]
    whose = some[0]["contactId"]
    user = next(row["assignedTo"] for row in some if "assignedTo" in row)

    assert {row["completed"] for row in client.tasks(completed=False).json()["tasks"]} == {False}
    assert {row["contactId"] for row in client.tasks(contactId=[whose]).json()["tasks"]} == {whose}
    assert {row["assignedTo"] for row in client.tasks(assignedTo=[user]).json()["tasks"]} == {user}
    assert refused(client.tasks(contactId=whose)) == (422, ["contactId must be an array"])


# Money


@pytest.mark.parametrize("path", ["/invoices/", "/payments/transactions", "/payments/subscriptions"])
def test_payments_want_an_alt_id_and_its_type(client, path):
    assert refused(client.ask(path, altId=None))[0] == 422
    assert refused(client.ask(path, altType=None)) == (422, ["altType must be a string"])
    assert refused(client.ask(path, altType="company"))[0] == 422
    assert refused(client.ask(path, altId="x" * 20))[0] == 403


def test_orders_want_no_type_and_invoices_want_both_places(client):
    assert client.get("/payments/orders", altType=None)["data"]
    assert refused(client.ask("/invoices/")) == (422, ["limit must be a string", "offset must be a string"])


def test_payments_are_filtered_by_day_person_mode_and_subscription(sim, client):
    rows = client.get("/payments/transactions", limit=100)["data"]
    whose = rows[0]["contactId"]
    subscription = next(row["subscriptionId"] for row in rows if "subscriptionId" in row)

    def found(**query):
        return client.get("/payments/transactions", limit=100, **query)["data"]

    assert {row["contactId"] for row in found(contactId=whose)} == {whose}
    assert {row["liveMode"] for row in found(paymentMode="test")} == {False}
    assert {row["subscriptionId"] for row in found(subscriptionId=subscription)} == {subscription}
    assert {row["createdAt"][:10] for row in found(startAt="2025-06-02", endAt="2025-06-02")} <= {
        "2025-06-02",
        "2025-06-03",
    }
    assert refused(client.ask("/payments/transactions", startAt="02/06/2025"))[0] == 422


def test_a_subscription_by_itself_tells_its_interval_and_its_end(sim, client):
    rows = {row["_id"]: row for row in sim.data.rows("subscriptions")}
    ended = next(key for key, row in rows.items() if row["status"] == "canceled")
    one = client.get(f"/payments/subscriptions/{ended}")

    assert one["_id"] == ended
    assert one["canceledAt"] <= sim.data.planted["as_of"]
    assert one["schedule"]["rrule"]["intervalType"] in ("monthly", "yearly")
    assert "canceledAt" not in rows[ended]
    assert refused(client.ask("/payments/subscriptions/nobody"))[0] == 400


def test_products_come_by_date_in_the_order_asked_for(client):
    down = [row["createdAt"] for row in client.get("/products/", limit=100)["products"]]
    up = [row["createdAt"] for row in client.get("/products/", limit=100, sortOrder="asc")["products"]]

    assert down == sorted(down, reverse=True)
    assert up == sorted(up)


# Submissions


@pytest.mark.parametrize(
    ("name", "path", "key"),
    [
        ("form_submissions", "/forms/submissions", "formId"),
        ("survey_submissions", "/surveys/submissions", "surveyId"),
    ],
)
def test_submissions_come_by_page_number_with_a_meta(sim, client, name, path, key):
    rows, page = [], 1
    while page:
        answer = client.get(path, startAt="2020-01-01", limit=100, page=page)
        assert answer["meta"]["currentPage"] == page
        assert answer["meta"]["prevPage"] == (page - 1 or None)
        assert answer["meta"]["total"] == len(sim.data.ids(name))
        rows, page = rows + answer["submissions"], answer["meta"]["nextPage"]
    one = rows[0][key]

    assert sorted(identifiers(rows)) == sorted(sim.data.ids(name))
    assert {row[key] for row in client.get(path, startAt="2020-01-01", **{key: one})["submissions"]} == {one}
    assert client.get(path, startAt="2020-01-01", page=page or 999)["submissions"] == []
    assert refused(client.ask(path, limit=101))[0] == 400


def test_without_a_start_only_the_last_month_of_submissions_comes(sim, client):
    recent = client.get("/forms/submissions", limit=100)
    whole = client.get("/forms/submissions", limit=100, startAt="2020-01-01")

    assert 0 < recent["meta"]["total"] < whole["meta"]["total"] / 10
    assert min(row["createdAt"] for row in recent["submissions"]) >= "2025-12-01T06:00"


def test_a_day_of_submissions_is_a_day_of_the_locations_zone(client):
    rows = client.get("/forms/submissions", startAt="2025-07-01", endAt="2025-07-04", limit=100)["submissions"]

    assert rows
    assert all("2025-07-01T05:00" <= row["createdAt"] < "2025-07-05T05:00" for row in rows)


# Appointments


def test_events_want_a_window_and_whose(client):
    assert refused(client.ask("/calendars/events", calendarId="x")) == (
        422,
        ["startTime must be a string", "endTime must be a string"],
    )
    assert refused(client.ask("/calendars/events", **ALWAYS)) == (
        422,
        ["Either of userId, groupId or calendarId is required"],
    )
    assert client.get("/calendars/events", calendarId="x", **ALWAYS)["events"] == []


def test_the_events_of_all_calendars_are_all_appointments(sim, client):
    rows = [
        row
        for calendar in sim.data.ids("calendars")
        for row in client.get("/calendars/events", calendarId=calendar, **ALWAYS)["events"]
    ]
    assert sorted(identifiers(rows)) == sorted(sim.data.ids("appointments"))
    assert {row["startTime"][-6:] for row in rows} == {"-05:00", "-06:00"}
    assert all(re.fullmatch(r"[\dT:.-]+Z", row["dateAdded"]) for row in rows)
    assert all(row["appoinmentStatus"] == row["appointmentStatus"] for row in rows)
    assert {row["deleted"] for row in rows} == {True, False}


def test_a_window_cuts_events_by_their_start(sim, client):
    calendar = sim.data.ids("calendars")[0]
    start, end = 1_751_346_000_000, 1_751_950_800_000  # a week from the first of July 2025, at local midnight
    rows = client.get("/calendars/events", calendarId=calendar, startTime=start, endTime=end)["events"]

    assert rows
    assert all("2025-07-01T00:00" <= row["startTime"] < "2025-07-08" for row in rows)
    assert [row["startTime"] for row in rows] == sorted(row["startTime"] for row in rows)


def test_events_of_a_user_and_of_a_group(sim, client):
    group = client.get("/calendars/groups")["groups"][0]["id"]
    user = sim.data.ids("users")[1]

    assert {row["groupId"] for row in client.get("/calendars/events", groupId=group, **ALWAYS)["events"]} == {group}
    mine = client.get("/calendars/events", userId=user, **ALWAYS)["events"]
    assert {row["assignedUserId"] for row in mine} == {user}


def test_calendars_are_wide_and_unset_hours_are_an_object(client):
    rows = client.get("/calendars/")["calendars"]

    assert [type(row["openHours"]) for row in rows].count(dict) == 1
    assert all(row["appoinmentPerSlot"] == row["appointmentPerSlot"] for row in rows)


# Conversations


def walk(client, step=0, size=100, **query):
    """Pages by startAfterDate; *step* is how far each goes back over the last."""
    rows, query = {}, {"limit": size, **query}
    while page := client.get("/conversations/search", **query)["conversations"]:
        fresh = [row for row in page if row["id"] not in rows]
        if not fresh:
            break
        rows |= {row["id"]: row for row in page}
        query["startAfterDate"] = page[-1]["sort"][0] + step
    return rows


def test_conversations_come_newest_first_twenty_at_a_time_with_dates_in_milliseconds(client):
    answer = client.get("/conversations/search")
    rows = answer["conversations"]

    assert len(rows) == 20
    assert answer["total"] == len(client.sim.data.ids("conversations"))
    assert all(row["sort"] == [row["lastMessageDate"]] for row in rows)
    assert rows == sorted(rows, key=lambda row: -row["lastMessageDate"])
    assert all(isinstance(row[name], int) for row in rows for name in ("dateAdded", "dateUpdated"))


@pytest.mark.parametrize(("order", "step"), [("desc", 1), ("asc", -1)])
def test_a_walk_that_steps_back_a_millisecond_finds_every_conversation(client, order, step):
    rows = walk(client, step, sort=order)

    assert rows.keys() == set(client.sim.data.ids("conversations"))


def test_conversations_that_share_a_border_millisecond_are_passed_over(own):
    own.sim.fault("same_key", rows=30, resources=["conversations"])
    everyone = set(own.sim.data.ids("conversations"))

    assert walk(own, 0, size=20).keys() < everyone
    assert walk(own, 1, size=100).keys() == everyone


def test_conversations_sorted_by_the_last_word_of_a_person(client):
    rows = client.get("/conversations/search", limit=100, sortBy="last_manual_message_date")["conversations"]

    assert [row["sort"][0] for row in rows] == sorted((row["lastManualMessageDate"] for row in rows), reverse=True)


def test_conversations_are_filtered_by_state_and_by_the_day_they_began(client):
    def found(**query):
        return client.get("/conversations/search", limit=100, **query)["conversations"]

    assert all(row["unreadCount"] for row in found(status="unread"))
    assert not any(row["unreadCount"] for row in found(status="read"))
    assert all(row["starred"] for row in found(status="starred"))
    began = 1_750_000_000_000
    assert all(row["dateAdded"] >= began for row in found(startDate=began))
    assert any(row["lastMessageDate"] >= began for row in found(endDate=began))
    assert refused(client.ask("/conversations/search", startDate="2025-06-01"))[0] == 422
    assert refused(client.ask("/conversations/search", status="new"))[0] == 422


def test_a_conversations_messages_lie_in_an_object_within_an_object(sim, client):
    rows = list(sim.data.rows("messages"))
    wanted = Counter(row["conversationId"] for row in rows).most_common(1)[0][0]
    got, query = [], {"limit": 5}
    while True:
        inner = client.get(f"/conversations/{wanted}/messages", **query)["messages"]
        got += inner["messages"]
        query["lastMessageId"] = inner["lastMessageId"]
        if not inner["nextPage"]:
            break

    assert sorted(identifiers(got)) == sorted(row["id"] for row in rows if row["conversationId"] == wanted)
    assert [row["dateAdded"] for row in got] == sorted((row["dateAdded"] for row in got), reverse=True)


# Of a contact


def test_most_contacts_have_no_note_and_a_few_have_several(sim, client):
    notes = [row["contactId"] for row in sim.data.rows("notes")]
    counts = Counter(notes)
    busy = counts.most_common(1)[0][0]
    rows = client.get(f"/contacts/{busy}/notes")["notes"]

    assert 0.03 < len(counts) / len(sim.data.ids("contacts")) < 0.08
    assert len(rows) == counts[busy] > 2
    assert {row["contactId"] for row in rows} == {busy}
    assert (
        client.get(f"/contacts/{next(c for c in sim.data.ids('contacts') if c not in counts)}/notes")["notes"] == []
    )


def test_a_contacts_tasks_are_those_of_the_search_with_another_name_for_the_id(sim, client):
    one = client.tasks(limit=1).json()["tasks"][0]
    mine = {row["id"]: row for row in client.get(f"/contacts/{one['contactId']}/tasks")["tasks"]}

    assert mine[one["_id"]]["title"] == one["title"]
    assert refused(client.ask("/contacts/nobody/tasks"))[0] == 400


def test_with_the_contact_its_notes_are_gone(own):
    note = next(own.sim.data.rows("notes"))
    contacts = own.sim.data.table("contacts")
    contacts.remove(contacts.find(note["contactId"]))

    assert refused(own.ask(f"/contacts/{note['contactId']}/notes"))[0] == 400
    assert note["id"] not in own.sim.data.ids("notes")


# Of all


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_each_endpoint_has_its_scope(sim, route):
    token = sim.add_token("pit-00000000-0000-0000-0000-0000000000aa", scopes={"nothing.readonly"})
    path = re.sub(r"\{(?!locationId)\w+\}", "x", route.path)
    answer = Client(sim, token).ask(path, route.method, {"locationId": sim.location_id})

    assert refused(answer) == (401, "The token is not authorized for this scope.")


def test_a_miscased_path_is_told_that_a_scope_is_missing(client):
    for path in ("/Forms/", "/forms/Submissions", "/locations/{locationId}/customvalues", "/Payments/orders"):
        assert refused(client.ask(path)) == (401, "The token is not authorized for this scope.")


@pytest.mark.parametrize("name", [*KINDS, *FEW])
def test_every_resource_tells_its_ids_as_its_rows_have_them(sim, name):
    rows = list(sim.data.rows(name))

    assert identifiers(rows) == sim.data.ids(name)
    assert len(set(sim.data.ids(name))) == len(rows)


@pytest.mark.parametrize("name", KINDS)
def test_rows_of_every_resource_can_come_change_and_go(name):
    with FaultySimulation(seed=0, size=300, as_of=AS_OF) as sim:
        before, edits = set(sim.data.ids(name)), sim.edits(rate=0, resources=[name])
        born, touched, gone = (edits.change(name, how) for how in ("insert", "update", "delete"))
        after = set(sim.data.ids(name))
        rows = {row.get("_id") or row["id"]: row for row in sim.data.rows(name)}

    assert after - before == {born} - {gone}
    assert before - after == {gone} - {born}
    assert sim.truth.born(name) == {born}
    assert sim.truth.gone(name) == {gone}
    assert sim.truth.undisturbed(name) == before - {touched, gone} == after - {touched, born}
    assert rows.keys() == after
