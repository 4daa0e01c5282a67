"""What each resource must get right about its server, on the simulated location."""

import numpy as np
import pandas as pd
import pytest
from faultkit import FaultySimulation
from scripted import LOCATION, Scripted, answer

import hlkit as hl
from hlkit.client.frames.builder import DataWarning, FrameBuilder
from hlkit.client.http.progress import Progress
from hlkit.client.resources import CATALOG
from hlkit.explorer.location_tab import missing_scopes

TOKEN = "pit-00000000-0000-0000-0000-000000000000"
NO_NOTES = "pit-00000000-0000-0000-0000-00000000000d"


@pytest.fixture(scope="module")
def sim():
    with FaultySimulation(size=600, as_of="2026-01-01", burst=(5000, 10_000)) as simulation:
        scopes = {resource.scope for resource in CATALOG.values()} - {"users.readonly", "invoices.readonly"}
        simulation.add_token(NO_NOTES, scopes=scopes)
        yield simulation


@pytest.fixture
def connect(sim, tmp_path):
    yield lambda token=TOKEN, **options: hl.connect(
        token, sim.location_id, base_url=sim.url, cache=tmp_path, **options
    )
    sim.clear_faults()


@pytest.fixture
def loc(connect):
    return connect()


ODD = [
    0,
    -1,
    1e308,
    float("nan"),
    float("inf"),
    10**30,
    2**63,
    "1e400",
    "9" * 400,
    5e-324,
    "9999-12-31",
    [],
    {},
    True,
]


@pytest.mark.filterwarnings("ignore::hlkit.client.frames.builder.DataWarning")
@pytest.mark.parametrize("resource", CATALOG.values(), ids=CATALOG)
def test_numpy_that_raises_for_odd_numbers_changes_no_frame(resource):
    def frame(how):
        builder = FrameBuilder(resource.columns, resource.key)
        rows = [{path.partition(".")[0]: odd for column in resource.columns for path in column.paths} for odd in ODD]
        with np.errstate(all=how):
            builder.add(rows)
            return builder.frame()

    pd.testing.assert_frame_equal(frame("raise"), frame("ignore"))


def test_submissions_are_all_time_and_not_the_last_month_only(loc):
    created = loc.form_submissions()["created_at"]

    assert created.max() - created.min() > pd.Timedelta(days=300)


def test_answers_are_field_and_value_without_what_the_page_adds(loc):
    answers = loc.form_submissions()["answers"]

    fields = {answer["field"] for row in answers for answer in row}
    assert fields
    assert "eventData" not in fields


def test_a_contact_has_the_channels_that_it_is_blocked_on(sim, loc):
    contacts = loc.contacts()

    raw = {row["id"]: row["dndSettings"].get("Email", {}).get("status") for row in loc.contacts.raw(None)}
    assert contacts["email_do_not_disturb"].astype("object").where(lambda x: x.notna(), None).tolist() == [
        raw[contact_id] for contact_id in contacts["contact_id"]
    ]
    planted = sim.data.planted["quality"]
    assert (contacts["email_do_not_disturb"] == "permanent").sum() == planted["dnd_permanent"]
    assert (contacts["sms_do_not_disturb"] == "active").sum() == planted["dnd"]
    assert (contacts["call_do_not_disturb"] == "active").sum() == planted["dnd"]
    assert contacts["whatsapp_do_not_disturb"].isna().all()


def test_epoch_times_of_conversations_are_instants(loc):
    frame = loc.conversations()

    assert frame["last_message_at"].notna().all()
    assert frame["last_message_at"].is_monotonic_increasing
    assert frame["created_at"].dt.year.between(2023, 2026).all()


def test_every_call_has_its_status_whether_nested_or_flat(sim, loc):
    calls = {row["id"]: row["meta"] for row in sim.data.rows("messages") if row["messageType"].endswith("CALL")}
    frame = loc.messages().set_index("message_id").loc[list(calls)]

    assert len({"call" in meta for meta in calls.values()}) == 2
    flat = [meta.get("callStatus") or meta["call"]["status"] for meta in calls.values()]
    assert frame["call_status"].tolist() == flat
    assert (frame.loc[frame["call_status"] == "completed", "call_duration_s"] >= 5).all()


def test_appointments_of_every_calendar_are_read_with_their_utc_offset(loc):
    frame = loc.appointments()

    assert set(frame["calendar_id"]) <= set(loc.calendars()["calendar_id"])
    assert frame["calendar_id"].nunique() > 1
    assert frame["status"].notna().all()
    local = frame["starts_at"].dt.tz_convert("America/Chicago").dt.hour
    assert local.between(6, 21).mean() > 0.95


def test_a_span_of_appointments_selects_by_their_start(loc):
    frame = loc.appointments(since="2025-06-01", until="2025-07-01")

    everything = loc.appointments()
    local = everything["starts_at"].dt.tz_convert("America/Chicago")
    expected = everything[(local >= "2025-06-01") & (local < "2025-07-01")]
    assert set(frame["appointment_id"]) == set(expected["appointment_id"])
    assert 0 < len(frame) < len(everything)


@pytest.mark.parametrize("name", ["invoices", "orders", "transactions", "subscriptions", "form_submissions"])
def test_a_span_by_days_is_cut_to_the_instant(loc, name):
    resource = CATALOG[name]
    everything = getattr(loc, name)()
    when = everything[resource.when].sort_values()
    start, end = when.iloc[len(when) // 3], when.iloc[2 * len(when) // 3]

    frame = getattr(loc, name)(since=start, until=end)

    expected = everything[everything[resource.when].between(start, end, inclusive="left")]
    assert set(frame[resource.key]) == set(expected[resource.key])


def test_amounts_that_arrive_as_text_are_numbers(sim, loc):
    raw = loc.transactions.raw(None)

    assert any(isinstance(row["amount"], str) for row in raw)
    assert loc.transactions()["amount"].notna().all()


def test_a_total_of_an_odd_shape_still_counts(loc):
    assert loc.products.count() == len(loc.products())


def test_a_limit_counts_the_rows_of_the_span_alone(loc):
    times = loc.messages()["sent_at"].sort_values()
    since = times.iloc[len(times) // 2]

    assert len(loc.messages(since=since, limit=20, refresh=True)) == 20


# ---- one request for each parent


def test_notes_report_their_cost_before_they_are_read(sim):
    with FaultySimulation(size=700, as_of="2026-01-01") as large:
        loc = hl.connect(TOKEN, large.location_id, base_url=large.url, cache=False)

        with pytest.raises(hl.errors.InvalidRequest, match=r"each of the contacts: \d+ requests, about 3 min"):
            loc.notes()
    assert not [entry for entry in large.log if "/notes" in entry.path]


def test_notes_of_some_contacts_are_as_many_requests(sim, loc):
    some = loc.contacts(custom_fields=False)["contact_id"].iloc[:3].tolist()
    before = len(sim.log)

    loc.notes(contact_id=some)

    assert [entry.path for entry in sim.log[before:]] == [f"/contacts/{name}/notes" for name in some]


def test_progress_gets_the_cost_before_the_first_request(loc):
    notes = []

    class Listening(Progress):
        def on_note(self, message):
            notes.append(message)

    loc.notes(contact_id=loc.contacts()["contact_id"].head(2), progress=Listening())

    assert notes == ["notes · 2 requests, about 1 s"]


def test_a_contact_that_is_gone_does_not_lose_the_notes_of_others(sim, loc):
    noted = loc.notes(confirm=True)["contact_id"].iloc[0]

    with pytest.warns(UserWarning, match="1 of 2 values of contact_id are not found"):
        frame = loc.notes(contact_id=["gone0000000000000000", noted])

    assert set(frame["contact_id"]) == {noted}
    assert frame.attrs["hlkit"]["complete"]


def test_a_parent_that_fails_does_not_lose_the_others_and_resume_requests_only_it(sim, connect):
    loc = connect(deadline=1.0)
    noted = loc.notes(confirm=True)["contact_id"].drop_duplicates().tolist()
    sim.fault("status_5xx", match=lambda entry: noted[1] in entry.path, variant="500")

    with pytest.raises(hl.errors.IncompleteDownload, match="1 of 3 parts of notes could not be read") as caught:
        loc.notes(contact_id=noted[:3])

    assert set(caught.value.partial["contact_id"]) == {noted[0], noted[2]}
    sim.clear_faults()
    before = len(sim.log)
    assert set(caught.value.resume()["contact_id"]) == set(noted[:3])
    assert len(sim.log) - before == 1


def test_when_every_parent_fails_the_download_stops_soon(sim, connect):
    loc = connect(deadline=0.6)
    names = loc.contacts(custom_fields=False)["contact_id"].tolist()
    sim.fault("status_5xx", match=lambda entry: "/notes" in entry.path, variant="500")
    before = len(sim.log)

    with pytest.raises(hl.errors.ServerError):
        loc.notes(contact_id=names[:100])
    assert len(sim.log) - before < 40


@pytest.fixture
def small(tmp_path):
    """A location with few contacts, and a function that returns the paths requested during a call."""
    with FaultySimulation(size=20, as_of="2026-01-01") as sim:
        loc = hl.connect(TOKEN, sim.location_id, base_url=sim.url, cache=tmp_path, deadline=1.0)

        def paths(read):
            before = len(sim.log)
            read()
            return [entry.path for entry in sim.log[before:]]

        yield sim, loc, paths


@pytest.mark.parametrize("options", [{"refresh": True}, {"expire_after": 0}], ids=lambda options: next(iter(options)))
@pytest.mark.parametrize(("name", "parents"), [("notes", "/contacts/search"), ("appointments", "/calendars/")])
def test_refresh_and_expire_after_apply_to_the_parents_too(small, name, parents, options):
    _, loc, paths = small
    read = getattr(loc, name)

    assert paths(read)[0] == parents
    assert paths(read) == []
    assert paths(lambda: read(**options))[0] == parents


def test_resume_does_not_request_the_parents_again(small):
    sim, loc, paths = small
    noted = loc.notes()["contact_id"].iloc[0]
    sim.fault("status_5xx", match=lambda entry: noted in entry.path, variant="500")
    with pytest.raises(hl.errors.IncompleteDownload) as caught:
        loc.notes(refresh=True)
    sim.clear_faults()

    assert paths(caught.value.resume) == [f"/contacts/{noted}/notes"]


def test_resuming_the_parents_requests_no_page_twice(sim, connect):
    loc = connect(deadline=1.0)
    sim.fault("status_5xx", match="/contacts/search", after=1, variant="500")
    with pytest.raises(hl.errors.ServerError) as first:
        loc.notes(refresh=True, limit=1)
    with pytest.raises(hl.errors.ServerError) as second:
        first.value.resume()
    sim.clear_faults()
    before = len(sim.log)

    assert list(second.value.partial) == [column.name for column in CATALOG["notes"].columns]
    assert len(second.value.resume()) == 1
    searches = [entry for entry in sim.log[before:] if entry.path == "/contacts/search"]
    assert all("searchAfter" in entry.body for entry in searches)


# ---- names, and the check


def test_names_are_beside_their_ids_and_a_deleted_user_has_none(sim, loc):
    named = loc.with_names(loc.opportunities())

    columns = list(named)
    assert columns[columns.index("owner_id") + 1] == "owner"
    assert columns[columns.index("stage_id") + 1] == "stage"
    assert named["pipeline"].notna().all()
    users = loc.users().set_index("user_id")["name"]
    has_name = named["owner_id"].isin(users.index)
    assert (named.loc[has_name, "owner"] == named.loc[has_name, "owner_id"].map(users)).all()
    assert named.loc[~has_name, "owner"].isna().all()
    assert named.attrs == loc.opportunities().attrs | {"hlkit": named.attrs["hlkit"]}


def test_naming_twice_changes_nothing_and_leaves_the_frame_alone(loc):
    deals = loc.opportunities()
    columns = list(deals)

    once = loc.with_names(deals)

    assert list(deals) == columns
    pd.testing.assert_frame_equal(loc.with_names(once), once)


def test_names_that_cannot_be_read_are_left_out_with_one_warning(connect):
    loc = connect(NO_NOTES)
    deals = loc.opportunities()

    with pytest.warns(UserWarning, match=r"names of users are left out.*users.readonly") as seen:
        named = loc.with_names(deals)
    assert len(seen) == 1
    assert "owner" not in named
    assert "stage" in named


def test_the_check_is_one_cheap_call_each_and_a_refusal_does_not_end_it(sim, connect):
    loc = connect(NO_NOTES)
    before = len(sim.log)

    table = loc.check().set_index("resource")

    assert list(table.index) == list(CATALOG)
    assert len(sim.log) - before <= len(CATALOG) + 3
    assert table.index[~table["readable"]].tolist() == ["invoices", "users"]
    assert table.loc["invoices", "scope"] == "invoices.readonly"
    assert table.loc["contacts", "rows"] == len(list(sim.data.ids("contacts")))
    assert table.loc["contacts", "requests"] == 3
    assert table.loc["notes", "requests"] == table.loc["contacts", "rows"]


@pytest.mark.parametrize("name", ["contacts", "opportunities", "messages", "invoices", "form_submissions"])
def test_what_the_check_says_a_read_costs_is_about_what_it_costs(sim, tmp_path, name):
    fresh = hl.connect(TOKEN, sim.location_id, base_url=sim.url, cache=tmp_path / name)
    expected = fresh.check().set_index("resource").loc[name, "requests"]
    before = len(sim.log)

    getattr(fresh, name)(refresh=True, **({"custom_fields": False} if CATALOG[name].model else {}))

    assert len(sim.log) - before == pytest.approx(expected, abs=1)


def test_a_failing_server_is_not_reported_as_a_missing_scope(sim, connect):
    sim.fault("status_5xx", match=lambda logged: logged.path.startswith(("/users", "/products")))

    table = connect(NO_NOTES, deadline=0.3).check().set_index("resource")

    assert pd.isna(table.loc["products", "readable"])
    assert table.loc["products", "problem"].startswith("HighLevel responded with an error (5")
    assert table.index[table["readable"].eq(False)].tolist() == ["invoices"]


def test_a_feature_not_enabled_for_the_location_is_not_reported_as_a_missing_scope(tmp_path):
    body = {"statusCode": 403, "message": "Forbidden", "error": "WORKFLOW_API_NOT_ENABLED_FOR_LOCATION"}
    with Scripted(answer(body, 403)) as server:
        loc = hl.connect(TOKEN, LOCATION, base_url=server.url, cache=tmp_path)

        table = loc.check().set_index("resource")
        with pytest.raises(hl.errors.NotEnabled, match="NOT_ENABLED_FOR_LOCATION") as refused:
            loc.get("/workflows/w1/logs")

    assert not table.loc["workflows", "readable"]
    assert pd.isna(table.loc["workflows", "scope"])
    assert "WORKFLOW_API_NOT_ENABLED_FOR_LOCATION" in table.loc["workflows", "problem"]
    assert "Private Integrations" not in str(refused.value)
    assert len(missing_scopes(table.reset_index())) == 0


@pytest.mark.filterwarnings("ignore:the custom fields' names")
def test_every_verb_counts_entries_that_are_not_rows_in_a_warning(tmp_path):
    rows = {"contacts": [None, {"id": "a"}, 5, {"id": "b"}], "forms": ["x", {"id": "f"}]}

    def reply(request):
        name = "forms" if request.path.startswith("/forms/") else "contacts"
        return answer({name: rows[name] if b"searchAfter" not in request.body else []})

    with Scripted(by=reply) as server:
        loc = hl.connect(TOKEN, LOCATION, base_url=server.url, cache=tmp_path)
        with pytest.warns(DataWarning, match="left out 2 entries that are not a row of contacts"):
            assert loc.contacts(custom_fields=False)["contact_id"].tolist() == ["a", "b"]
        with pytest.warns(DataWarning, match="left out 1 entry that is not a row of forms"):
            assert [list(page["form_id"]) for page in loc.forms.pages()] == [["f"]]
        with pytest.warns(DataWarning, match="left out 1 entry that is not a row of forms"):
            assert loc.forms.raw() == [{"id": "f"}]


def test_a_token_that_is_refused_ends_the_check_at_once(connect):
    with pytest.raises(hl.errors.InvalidToken):
        connect("pit-00000000-0000-0000-0000-0000000000ee").check()


# ---- the catalog by word


def test_the_catalog_is_searched_by_word_without_a_request():
    matches = hl.catalog("invoice")

    assert "invoices" in set(matches["resource"])
    assert len(hl.catalog()) == len(CATALOG)
    assert set(hl.catalog()["paging"]) >= {"search_after", "cursor", "offset", "page", "start_after_date", "none"}
    assert len(hl.catalog("no such word")) == 0


def test_a_lost_connection_ends_the_check_at_once(sim, tmp_path):
    from faultkit.faults import closed_port

    loc = hl.connect(TOKEN, sim.location_id, base_url=closed_port(), cache=False, deadline=0.3)

    with pytest.raises(hl.errors.ConnectionFailed, match="no connection"):
        loc.check()
