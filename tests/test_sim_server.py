"""The simulated location answers over HTTP as HighLevel does, asked by a client that is not ours."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import threading
from time import monotonic, perf_counter, process_time
from urllib.parse import urlsplit

import pytest
import requests
from faultkit import FaultySimulation

from hlkit.sim import Simulation
from hlkit.sim.__main__ import main, serve
from hlkit.sim.limits import Budget

AS_OF = "2026-01-01"
BY_DATE = [{"field": "dateAdded", "direction": "asc"}]
VERSION = "2021-07-28"


class Client:
    """requests, with a token and the location filled in."""

    def __init__(self, sim, token=None, version=VERSION):
        self.sim = sim
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {token or sim.token}"
        if version:
            self.session.headers["Version"] = version

    def get(self, path, **query):
        return self.session.get(self.sim.url + path, params={"locationId": self.sim.location_id, **query})

    def post(self, path, **body):
        return self.session.post(self.sim.url + path, json={"locationId": self.sim.location_id, **body})

    def contacts(self, **body):
        return self.post("/contacts/search", **{"pageLimit": 100, **body}).json()

    def walk(self, path, key, size, cursor, **body):
        rows, after = [], {}
        while page := self.post(path, **{size: 100}, **body, **after).json()[key]:
            rows += page
            after = {"searchAfter": page[-1][cursor]}
        return rows


@pytest.fixture(scope="module")
def sim():
    with Simulation(seed=0, size=600, as_of=AS_OF, burst=(100_000, 10_000)) as sim:
        yield sim


@pytest.fixture
def client(sim):
    client = Client(sim)
    yield client
    client.session.close()


@pytest.fixture
def connect():
    clients = []

    def connect(sim, **more):
        clients.append(Client(sim, **more))
        return clients[-1]

    yield connect
    for client in clients:
        client.session.close()


def said(response):
    return response.status_code, response.json()["message"]


# Rights


def test_a_known_token_may_read(client):
    assert client.get("/users/").status_code == 200


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("pit-00000000-0000-0000-0000-0000000000ff", "Invalid JWT"),
        ("Pit-00000000-0000-0000-0000-000000000000", "Invalid JWT"),
    ],
)
def test_an_unknown_or_miscased_token_is_an_invalid_jwt(sim, connect, token, message):
    assert said(connect(sim, token=token).get("/users/")) == (401, message)


def test_no_token_at_all_is_refused(sim):
    answer = requests.get(f"{sim.url}/users/", headers={"Version": VERSION})

    assert said(answer) == (401, "Invalid token: access token is invalid")


def test_no_version_is_401_and_nonsense_is_400(sim, connect):
    assert said(connect(sim, version=None).get("/users/")) == (401, "version header was not found.")
    assert said(connect(sim, version="v9").get("/users/")) == (400, "Invalid API version segment 'v9' at position 0")


@pytest.mark.parametrize("path", ["/users/", "/contacts/"])
def test_version_three_has_dropped_two_lists(sim, connect, path):
    status, message = said(connect(sim, version="v3").get(path))

    assert status == 400
    assert message.startswith(f"Endpoint GET {path} not available in API version v3.")


def test_a_token_reads_only_within_its_scopes(sim, connect):
    token = sim.add_token("pit-00000000-0000-0000-0000-00000000000a", scopes={"contacts.readonly"})
    client = connect(sim, token=token)

    assert client.post("/contacts/search", pageLimit=1).status_code == 200
    for answer in (client.get("/users/"), client.post("/opportunities/search", limit=1), client.get("/contact/")):
        assert answer.status_code in (401, 404)
    assert said(client.get("/users/")) == (401, "The token is not authorized for this scope.")


def test_a_scope_can_be_withdrawn_and_a_token_revoked(sim, connect):
    token = sim.add_token("pit-00000000-0000-0000-0000-00000000000b")
    client = connect(sim, token=token)
    assert client.get("/opportunities/pipelines").status_code == 200

    sim.withdraw(token, "opportunities.readonly")
    assert said(client.get("/opportunities/pipelines")) == (401, "The token is not authorized for this scope.")
    assert client.get("/users/").status_code == 200

    sim.revoke(token)
    assert said(client.get("/users/")) == (401, "Invalid JWT")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("agency", "Token's user type mismatch!"),
        ("company", "This authClass type is not allowed to access this scope."),
    ],
)
def test_a_token_of_another_class_is_told_so(sim, connect, kind, message):
    token = sim.add_token(f"pit-00000000-0000-0000-0000-{kind:0>12}", kind=kind)

    assert said(connect(sim, token=token).get("/users/")) == (401, message)


def test_another_location_is_forbidden_and_so_is_none(client):
    elsewhere = (403, "The token does not have access to this location.")

    assert said(client.get("/users/", locationId="x" * 20)) == elsewhere
    assert said(client.get("/users/", locationId=None)) == elsewhere
    assert said(client.post("/contacts/search", pageLimit=1, locationId="x" * 20)) == elsewhere
    assert said(client.get(f"/locations/{'x' * 20}")) == elsewhere


def test_odd_paths_answer_as_the_gateway_does(client):
    assert said(client.get("/Users/")) == (401, "The token is not authorized for this scope.")
    assert said(client.get("/reputation/reviews"))[0] == 401
    assert said(client.get("/locations/search")) == (403, "Forbidden resource")
    assert said(client.get("/nowhere")) == (404, "Cannot GET /nowhere")
    assert said(client.get("/users/search", locationId=None)) == (401, "E01 - Unauthorized request")


def test_errors_have_a_status_a_message_an_error_and_a_trace(client):
    error = client.get("/nowhere").json()

    assert error["statusCode"] == 404
    assert error["error"] == "Not Found"
    assert re.fullmatch(r"[0-9a-f-]{36}", error["traceId"])


# Limits


def budget_headers(answer):
    return {k: v for k, v in answer.headers.items() if k.startswith("x-ratelimit")}


def test_every_answer_tells_what_is_left(connect):
    with Simulation(size=5, as_of=AS_OF, burst=(25, 60_000), daily=10_000) as sim:
        client = connect(sim)
        first, second = budget_headers(client.get("/users/")), budget_headers(client.get("/nowhere"))

    assert first["x-ratelimit-max"] == "25"
    assert first["x-ratelimit-interval-milliseconds"] == "60000"
    assert first["x-ratelimit-limit-daily"] == "10000"
    assert (first["x-ratelimit-remaining"], second["x-ratelimit-remaining"]) == ("24", "23")
    assert (first["x-ratelimit-daily-remaining"], second["x-ratelimit-daily-remaining"]) == ("9999", "9998")
    assert 86_390_000 < int(first["x-ratelimit-daily-reset"]) <= 86_400_000


def test_one_request_too_many_is_a_429_without_retry_after(connect):
    with Simulation(size=5, as_of=AS_OF, burst=(2, 60_000)) as sim:
        client = connect(sim)
        answers = [client.get("/users/") for _ in range(3)]

    assert [a.status_code for a in answers] == [200, 200, 429]
    assert "retry-after" not in answers[2].headers
    assert answers[2].headers["x-ratelimit-remaining"] == "0"


def test_two_tokens_of_one_location_share_its_budget(connect):
    with Simulation(size=5, as_of=AS_OF, burst=(2, 60_000)) as sim:
        one, other = connect(sim), connect(sim, token=sim.add_token("pit-00000000-0000-0000-0000-00000000000c"))

        assert [c.get("/users/").status_code for c in (one, other, one, other)] == [200, 200, 429, 429]


def test_the_day_ends_with_a_daily_remaining_of_nought(connect):
    with Simulation(size=5, as_of=AS_OF, daily=2) as sim:
        client = connect(sim)
        answers = [client.get("/users/") for _ in range(3)]

    assert [a.status_code for a in answers] == [200, 200, 429]
    assert answers[2].headers["x-ratelimit-daily-remaining"] == "0"


@pytest.mark.parametrize(("window", "allowed"), [("fixed", [1, 2, 0, 1, 1, 0]), ("sliding", [1, 2, 0, 1, 0, 0])])
def test_a_fixed_window_empties_at_once_and_a_sliding_one_bit_by_bit(window, allowed):
    now = 0.0
    budget = Budget((2, 1000), 100, window, lambda: now)
    seen = []
    for now in (0.0, 0.6, 0.7, 1.1, 1.2, 1.25):  # noqa: B007, the clock above reads it
        seen.append(budget.take())

    assert seen == [bool(a) for a in allowed]


# Search


@pytest.mark.parametrize(
    "field", ["dateAdded", "dateUpdated", "firstNameLowerCase", "lastNameLowerCase", "email", "dnd"]
)
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_a_walk_by_cursor_meets_every_contact_once(sim, client, field, direction):
    sort = [{"field": field, "direction": direction}]
    rows = client.walk("/contacts/search", "contacts", "pageLimit", "searchAfter", sort=sort)
    values = [row[field] for row in rows if row[field] is not None]

    assert sorted(row["id"] for row in rows) == sorted(sim.data.ids("contacts"))
    assert values == sorted(values, reverse=direction == "desc")


def test_a_walk_sorted_by_two_fields_has_a_cursor_of_three(sim, client):
    sort = [{"field": "source", "direction": "asc"}, {"field": "dateAdded", "direction": "desc"}]
    rows = client.walk("/contacts/search", "contacts", "pageLimit", "searchAfter", sort=sort)

    assert len(rows) == len(sim.data.ids("contacts"))
    assert rows[0]["searchAfter"][0] == rows[0]["source"]
    assert len(rows[0]["searchAfter"]) == 3


def test_a_walk_meets_every_opportunity_once_and_answers_201(sim, client):
    sort = [{"field": "date_updated", "direction": "asc"}]
    rows = client.walk("/opportunities/search", "opportunities", "limit", "sort", sort=sort)

    assert [row["id"] for row in rows] == [
        row["id"] for row in sorted(sim.data.rows("opportunities"), key=lambda r: (r["updatedAt"], r["id"]))
    ]
    assert client.post("/opportunities/search", limit=1, page=1, searchAfter=[]).status_code == 201


def test_the_last_page_is_empty_and_still_knows_the_total(sim, client):
    last = client.contacts(pageLimit=500, page=3, sort=BY_DATE)

    assert (last["contacts"], last["total"]) == ([], len(sim.data.ids("contacts")))
    assert last["traceId"]


def test_page_numbers_give_the_same_rows_as_the_cursor(client):
    first = client.contacts(pageLimit=50, sort=BY_DATE)["contacts"]
    by_page = client.contacts(pageLimit=50, page=2, sort=BY_DATE)["contacts"]

    assert by_page == client.contacts(pageLimit=50, sort=BY_DATE, searchAfter=first[-1]["searchAfter"])["contacts"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"pageLimit": None}, 422),
        ({"pageLimit": "many"}, 422),
        ({"pageLimit": 501}, 400),
        ({"pageLimit": 500, "page": 21}, 422),
        ({"pageLimit": 500, "page": 0}, 422),
        ({"pageLimit": 10, "searchAfter": None}, 422),
        ({"pageLimit": 10, "searchAfter": [1]}, 422),
        ({"pageLimit": 10, "searchAfter": "x"}, 422),
        ({"pageLimit": 10, "sort": [{"field": "shoe"}]}, 422),
        ({"pageLimit": 10, "sort": [{"field": "email", "direction": "up"}]}, 422),
        ({"pageLimit": 10, "sort": BY_DATE * 3}, 422),
        ({"pageLimit": 10, "query": "x" * 76}, 422),
        ({"pageLimit": 10, "filters": "x"}, 422),
        ({"pageLimit": 10, "locationId": None}, 422),
        ({"pageLimit": "500", "page": 20}, 200),
    ],
)
def test_a_body_that_does_not_validate_is_told_why(client, body, status):
    answer = client.post("/contacts/search", **body)

    assert answer.status_code == status
    if status == 422:
        assert isinstance(answer.json()["message"], list)


def test_no_body_is_a_bad_request(sim, client):
    assert client.session.post(f"{sim.url}/contacts/search", data="{").status_code == 400


def test_without_a_sort_rows_that_share_an_instant_are_lost_between_pages(connect):
    with FaultySimulation(size=400, as_of=AS_OF) as sim:
        sim.fault("same_key", rows=200, resources=["contacts"])
        client = connect(sim)
        whole = client.walk("/contacts/search", "contacts", "pageLimit", "searchAfter", sort=BY_DATE)
        unsorted = client.walk("/contacts/search", "contacts", "pageLimit", "searchAfter")

    assert len({row["id"] for row in whole}) == len(sim.data.ids("contacts"))
    assert len(unsorted) < len(whole)
    assert len({row["dateAdded"] for row in whole}) == len(whole) - 199


# Filters


def vip(row):
    return "vip" in row["tags"]


FILTERS = [
    (
        [{"field": "dateAdded", "operator": "range", "value": {"gte": "2025-01-01T00:00:00Z"}}],
        lambda r: r["dateAdded"] >= "2025",
    ),
    (
        [{"field": "dateUpdated", "operator": "range", "value": {"gt": "2025-01-01", "lt": "2025-02-01"}}],
        lambda r: "2025-01-01" < r["dateUpdated"] < "2025-02-01",
    ),
    ([{"field": "source", "operator": "eq", "value": "google"}], lambda r: (r["source"] or "").lower() == "google"),
    (
        [{"field": "source", "operator": "not_eq", "value": "google"}],
        lambda r: (r["source"] or "").lower() != "google",
    ),
    ([{"field": "email", "operator": "exists"}], lambda r: r["email"] is not None),
    ([{"field": "email", "operator": "not_exists"}], lambda r: r["email"] is None),
    (
        [{"field": "lastName", "operator": "contains", "value": "son"}],
        lambda r: "son" in (r["lastName"] or "").lower(),
    ),
    ([{"field": "tags", "operator": "eq", "value": ["vip", "roof"]}], lambda r: {"vip", "roof"} & set(r["tags"])),
    ([{"field": "dnd", "operator": "eq", "value": True}], lambda r: r["dnd"]),
    (
        [{"field": "tags", "operator": "contains", "value": "vip"}, {"field": "city", "operator": "exists"}],
        lambda r: vip(r) and r["city"],
    ),
    (
        [
            {
                "group": "OR",
                "filters": [
                    {"field": "tags", "operator": "eq", "value": "vip"},
                    {
                        "group": "AND",
                        "filters": [
                            {"field": "type", "operator": "eq", "value": "lead"},
                            {"field": "phone", "operator": "not_exists"},
                        ],
                    },
                ],
            }
        ],
        lambda r: vip(r) or (r["type"] == "lead" and r["phone"] is None),
    ),
    (
        [{"field": "opportunities.status", "operator": "eq", "value": "won"}],
        lambda r: any(o["status"] == "won" for o in r["opportunities"]),
    ),
]


@pytest.mark.parametrize(("filters", "test"), FILTERS)
def test_a_filter_lets_through_what_it_says(sim, client, filters, test):
    page = client.contacts(pageLimit=500, filters=filters, sort=BY_DATE)
    expected = [row["id"] for row in sim.data.rows("contacts") if test(row)]

    assert 0 < page["total"] == len(expected) < 600
    assert {row["id"] for row in page["contacts"]} <= set(expected)


def test_contacts_are_filtered_by_a_custom_field_and_by_one_of_its_options(sim, client):
    fields = {row["name"]: row for row in sim.data.rows("custom_fields")}
    kind = fields["Property type"]["id"]
    rooms = fields["Rooms by floor"]
    option = rooms["picklistOptions"][0]["id"]

    def total(field, value):
        return client.contacts(filters=[{"field": f"customFields.{field}", "operator": "eq", "value": value}])[
            "total"
        ]

    values = [v for row in sim.data.rows("contacts") for v in row["customFields"]]
    assert total(kind, "House") == sum(v["id"] == kind and v["value"] in ("House", ["House"]) for v in values) > 0
    assert total(f"{rooms['id']}.{option}", "3") == sum(
        v["id"] == rooms["id"] and v["value"][option] == "3" for v in values
    )


@pytest.mark.parametrize(
    ("filters", "test"),
    [
        ([{"field": "status", "operator": "eq", "value": "won"}], lambda r: r["status"] == "won"),
        (
            [{"field": "date_updated", "operator": "range", "value": {"gte": "2025-06-01"}}],
            lambda r: r["updatedAt"] >= "2025-06",
        ),
        (
            [{"field": "monetary_value", "operator": "range", "value": {"gt": 5000}}],
            lambda r: r["monetaryValue"] > 5000,
        ),
        ([{"field": "assigned_to", "operator": "not_exists"}], lambda r: r["assignedTo"] is None),
    ],
)
def test_opportunities_are_filtered_in_snake_case(sim, client, filters, test):
    page = client.post("/opportunities/search", limit=500, filters=filters).json()

    assert 0 < page["total"] == sum(map(test, sim.data.rows("opportunities")))
    assert all(map(test, page["opportunities"]))


@pytest.mark.parametrize(
    "one",
    [
        {"field": "shoe", "operator": "eq", "value": 1},
        {"field": "email", "operator": "like", "value": 1},
        {"field": "dateAdded", "operator": "range", "value": {"from": 1}},
        {"field": "dateAdded", "operator": "range", "value": {"gte": "soon"}},
        {"field": "email", "operator": "eq", "value": "x" * 76},
        {"group": "XOR", "filters": []},
    ],
)
def test_a_filter_that_makes_no_sense_is_a_422(client, one):
    assert client.post("/contacts/search", pageLimit=10, filters=[one]).status_code == 422


def test_a_query_looks_into_names_and_addresses(sim, client):
    row = next(row for row in sim.data.rows("contacts") if row["email"] and "@" in row["email"])

    assert row["id"] in [found["id"] for found in client.contacts(query=row["email"].upper())["contacts"]]


# Messages


def export(client, **query):
    rows, cursor = [], None
    while True:
        page = client.get("/conversations/messages/export", limit=500, cursor=cursor, **query).json()
        rows += page["messages"]
        cursor = page["nextCursor"]
        if not cursor:
            return rows, page["total"]


def test_without_a_channel_the_export_has_everything_but_email(sim, client):
    plain, total = export(client)
    mail, mails = export(client, channel="Email")

    assert (len(plain), len(mail)) == (total, mails)
    assert {row["messageType"] for row in mail} == {"TYPE_EMAIL"}
    assert "TYPE_EMAIL" not in {row["messageType"] for row in plain}
    assert sorted(row["id"] for row in plain + mail) == sorted(sim.data.ids("messages"))


@pytest.mark.parametrize(("by", "key"), [("createdAt", "dateAdded"), ("updatedAt", "dateUpdated")])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_the_export_is_sorted_as_asked(client, by, key, order):
    dates = [row[key] for row in export(client, sortBy=by, sortOrder=order)[0]]

    assert dates == sorted(dates, reverse=order == "desc")


def test_the_export_is_newest_first_and_a_hundred_rows_by_default(client):
    page = client.get("/conversations/messages/export").json()

    assert len(page["messages"]) == 100
    assert page["messages"][0]["dateAdded"] > page["messages"][-1]["dateAdded"]


def test_the_export_is_filtered_by_date_contact_and_conversation(sim, client):
    row = next(row for row in sim.data.rows("messages") if row["messageType"] == "TYPE_SMS")
    days, _ = export(client, startDate="2025-03-01T00:00:00Z", endDate="2025-04-01T00:00:00Z")
    mine, _ = export(client, contactId=row["contactId"])

    assert days
    assert all("2025-03-01" <= r["dateAdded"] <= "2025-04-01T00:00:00.000Z" for r in days)
    assert {r["contactId"] for r in mine} == {row["contactId"]}
    assert mine == export(client, conversationId=row["conversationId"])[0]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"limit": 9}, 400),
        ({"limit": 501}, 400),
        ({"cursor": "x"}, 400),
        ({"channel": "Fax"}, 422),
        ({"sortBy": "id"}, 422),
    ],
)
def test_an_export_out_of_bounds_is_refused(client, query, status):
    assert client.get("/conversations/messages/export", **query).status_code == status


# The rest


def test_users_who_have_left_are_not_listed(sim, client):
    users = client.get("/users/").json()["users"]
    company = client.get(f"/locations/{sim.location_id}").json()["location"]["companyId"]
    found = client.get("/users/search", companyId=company, limit=3).json()

    assert len(users) == found["count"] == 7
    assert found["users"] == users[:3]
    assert sim.data.planted["deleted_user"] not in {row["id"] for row in users}
    assert client.get("/users/search", companyId=company, query="grace").json()["count"] == 1
    assert client.get("/users/search").status_code == 422


def test_the_location_tells_its_zone_and_currency(sim, client):
    location = client.get(f"/locations/{sim.location_id}").json()["location"]

    assert (location["id"], location["timezone"], location["currency"]) == (sim.location_id, "America/Chicago", "USD")


def test_custom_fields_are_the_contact_ones_unless_all_are_asked_for(sim, client):
    def models(**query):
        rows = client.get(f"/locations/{sim.location_id}/customFields", **query).json()["customFields"]
        return {row["model"] for row in rows}, len(rows)

    assert models() == ({"contact"}, 14)
    assert models(model="opportunity") == ({"opportunity"}, 6)
    assert models(model="all") == ({"contact", "opportunity"}, 20)


def test_pipelines_have_five_four_and_four_stages(client):
    pipelines = client.get("/opportunities/pipelines").json()["pipelines"]

    assert [len(row["stages"]) for row in pipelines] == [5, 4, 4]
    assert pipelines[0]["position"] == "0"


def test_the_old_list_of_contacts_repeats_its_first_page_without_the_id(client):
    first = client.get("/contacts/", limit=50).json()
    both = {key: first["meta"][key] for key in ("startAfter", "startAfterId")}

    assert client.get("/contacts/", limit=50, startAfter=both["startAfter"]).json()["contacts"] == first["contacts"]
    second = client.get("/contacts/", limit=50, **both).json()["contacts"]
    assert not {row["id"] for row in first["contacts"]} & {row["id"] for row in second}
    assert urlsplit(first["meta"]["nextPageUrl"]).netloc == "localhost:5058"


def test_the_old_list_of_opportunities_filters_in_its_query(sim, client):
    won = client.get("/opportunities/search", status="won", limit=100).json()

    assert won["meta"]["total"] == sum(row["status"] == "won" for row in sim.data.rows("opportunities"))
    assert client.get("/opportunities/search", limit=101).status_code == 400


# HTTP


def test_a_connection_is_kept_and_answers_are_gzipped_for_who_asks(sim):
    connection = http.client.HTTPConnection(*urlsplit(sim.url).netloc.split(":"))
    headers = {"Authorization": f"Bearer {sim.token}", "Version": VERSION}
    bodies, sockets = [], []
    for more in ({}, {"Accept-Encoding": "gzip"}):
        connection.request("GET", f"/users/?locationId={sim.location_id}", headers=headers | more)
        answer = connection.getresponse()
        body = answer.read()
        bodies.append(gzip.decompress(body) if answer.headers["content-encoding"] == "gzip" else body)
        sockets.append(connection.sock)
    connection.close()

    assert sockets[0] is sockets[1]
    assert json.loads(bodies[0])["users"] == json.loads(bodies[1])["users"]


def test_the_proxy_in_front_adds_its_headers(client):
    headers = client.get("/users/").headers

    assert (headers["server"], headers["cf-cache-status"]) == ("cloudflare", "DYNAMIC")
    assert headers["etag"].startswith('W/"')
    assert "set-cookie" in headers


def test_two_answers_differ_in_their_trace_only(client):
    one, other = client.get("/users/").json(), client.get("/users/").json()

    assert one.pop("traceId") != other.pop("traceId")
    assert one == other


def test_the_log_holds_requests_as_they_came(connect):
    with Simulation(size=50, as_of=AS_OF) as sim:
        connect(sim).contacts(pageLimit=7)
        connect(sim).get("/nowhere", a="b")

    search, nowhere = sim.log
    assert (search.method, search.path, search.status, search.rows, search.fault) == (
        "POST",
        "/contacts/search",
        200,
        7,
        None,
    )
    assert search.body == {"locationId": sim.location_id, "pageLimit": 7}
    assert search.headers["authorization"] == f"Bearer {sim.token}"
    assert (nowhere.status, nowhere.query["a"], nowhere.rows) == (404, "b", 0)
    assert search.at < nowhere.at <= monotonic()


def test_callbacks_come_when_a_request_arrives_and_when_it_is_answered(connect):
    seen, answered = [], threading.Event()
    with Simulation(size=5, as_of=AS_OF) as sim:
        sim.when(2, lambda logged: seen.append(("arrives", logged.status)))
        sim.when(2, lambda logged: (seen.append(("answered", logged.status)), answered.set()), moment="answered")
        client = connect(sim)
        client.get("/users/")
        client.get("/users/")
        assert answered.wait(5)

    assert seen == [("arrives", 0), ("answered", 200)]


def test_eight_threads_get_whole_answers(sim):
    totals = []

    def read():
        client = Client(sim)
        totals.append(len(client.walk("/contacts/search", "contacts", "pageLimit", "searchAfter", sort=BY_DATE)))
        client.session.close()

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert totals == [len(sim.data.ids("contacts"))] * 8


def test_closing_is_quick_and_a_simulation_can_be_started_again(connect):
    sim = Simulation(size=5, as_of=AS_OF).start()
    client = connect(sim)
    client.get("/users/")
    start = perf_counter()
    sim.close()
    assert perf_counter() - start < 5
    with pytest.raises(RuntimeError, match="not been started"):
        _ = sim.url

    with sim:
        assert client.get("/users/").status_code == 200


def test_five_hundred_contacts_are_served_in_a_moment(connect):
    with Simulation(size=3000, as_of=AS_OF) as sim:
        client = connect(sim)
        body = {"pageLimit": 500, "sort": BY_DATE}
        client.contacts(**body)
        times = []
        for _ in range(5):
            start = process_time()
            client.post("/contacts/search", **body)
            times.append(process_time() - start)

    assert min(times) < 0.060  # of work, of which half is the client's


# The command line


def test_the_command_prints_how_to_reach_it_and_serves(capsys):
    class Asked(threading.Event):
        def wait(self, timeout=None):
            url, token, location = re.findall(
                r"^(?:url|token|location) +(\S+)", capsys.readouterr().out, re.MULTILINE
            )
            headers = {"Authorization": f"Bearer {token}", "Version": VERSION}
            self.answer = requests.get(f"{url}/users/", {"locationId": location}, headers=headers)
            return True

    stop = Asked()
    serve(port=0, size=10, as_of=AS_OF, stop=stop)

    assert stop.answer.status_code == 200


def test_the_command_explains_its_flags(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    assert ended.value.code == 0
    assert "--as-of" in capsys.readouterr().out
