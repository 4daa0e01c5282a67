import copy
import datetime as dt
import importlib
import inspect
import operator
import pickle
import pkgutil
import re
import warnings
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from IPython.lib.pretty import pretty
from scripted import Scripted, answer

import hlkit as hl
from hlkit.client.errors import InvalidRequest
from hlkit.client.frames.builder import FrameBuilder
from hlkit.client.resources import CATALOG
from hlkit.client.timezones import zone
from hlkit.connection import checked_as_of
from hlkit.sim import Simulation

ROOT = Path(__file__).parent.parent
TOKEN = "pit-00000000-0000-0000-0000-000000000000"
CONTACTS_ONLY = "pit-00000000-0000-0000-0000-00000000000c"


@pytest.fixture(scope="module")
def sim():
    with Simulation(size=700, as_of="2026-01-01", burst=(5000, 10_000)) as simulation:
        simulation.add_token(CONTACTS_ONLY, scopes={"contacts.readonly"})
        yield simulation


@pytest.fixture
def connect(sim, tmp_path):
    def connect(token=TOKEN, location_id=sim.location_id, **options):
        return hl.connect(token, location_id, base_url=sim.url, **{"cache": tmp_path, **options})

    return connect


@pytest.fixture
def loc(connect):
    return connect()


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch):
    monkeypatch.delenv("HIGHLEVEL_PIT", raising=False)
    monkeypatch.delenv("HIGHLEVEL_LOCATION_ID", raising=False)


def requests_during(sim, call):
    before = len(sim.log)
    call()
    return len(sim.log) - before


# ---- connecting


def test_connecting_and_the_card_make_no_request(sim, connect):
    assert requests_during(sim, lambda: (repr(connect()), connect()._repr_html_(), dir(connect()))) == 0


def test_without_arguments_the_environment_is_used(sim, monkeypatch, tmp_path):
    monkeypatch.setenv("HIGHLEVEL_PIT", TOKEN)
    monkeypatch.setenv("HIGHLEVEL_LOCATION_ID", sim.location_id)

    loc = hl.connect(base_url=sim.url, cache=tmp_path)

    assert "Connected by HIGHLEVEL_PIT and HIGHLEVEL_LOCATION_ID" in repr(loc)


@pytest.mark.parametrize("arguments", [{"token": TOKEN}, {"location_id": "abc"}], ids=["token", "location"])
def test_a_token_or_location_id_alone_raises_even_if_the_environment_has_both(arguments, monkeypatch):
    monkeypatch.setenv("HIGHLEVEL_PIT", TOKEN)
    monkeypatch.setenv("HIGHLEVEL_LOCATION_ID", "abc")

    with pytest.raises(hl.errors.InvalidToken, match="must be set together"):
        hl.connect(**arguments)


def test_a_token_alone_in_the_environment_raises(monkeypatch):
    monkeypatch.setenv("HIGHLEVEL_PIT", TOKEN)

    with pytest.raises(hl.errors.InvalidToken, match="the location id is missing"):
        hl.connect()


def test_without_any_token_the_error_names_the_variables():
    with pytest.raises(hl.errors.InvalidToken, match="HIGHLEVEL_PIT and HIGHLEVEL_LOCATION_ID"):
        hl.connect()


@pytest.mark.parametrize(
    "location",
    [
        "https://app.gohighlevel.com/v2/location/abcDEF123/dashboard",
        " app.example.com/location/abcDEF123 ",
        "abcDEF123",
        "'abcDEF123'",
    ],
)
def test_a_location_is_given_by_its_id_or_the_url_in_the_browser(location):
    assert hl.connect(TOKEN, location, cache=False).location_id == "abcDEF123"


@pytest.mark.parametrize("token", [TOKEN, f" {TOKEN.upper()}\n", "pit-cut-short", "eyJ" + "a" * 50])
def test_a_token_instead_of_the_location_id_raises_and_is_not_shown(token, tmp_path):
    with pytest.raises(hl.errors.InvalidToken, match="the location id is a token") as refused:
        hl.connect("abcDEF123", token, cache=tmp_path)

    secret = token.strip()
    assert secret not in str(refused.value)
    frame_locals = [repr(frame.frame.f_locals) for frame in refused.traceback[1:]]
    assert frame_locals
    assert not any(secret in text for text in frame_locals)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("location_id", ["", "a b", "https://example.com/", "../etc", 7, "x" * 70])
def test_an_invalid_location_id_raises(location_id):
    with pytest.raises(hl.errors.InvalidRequest, match="not the ID of a location"):
        hl.connect(TOKEN, location_id, cache=False)


@pytest.mark.parametrize("url", ["http://services.example.com", "ftp://127.0.0.1", "services.example.com", ""])
def test_the_token_is_sent_over_https_only(url):
    with pytest.raises(hl.errors.InvalidRequest, match="https"):
        hl.connect(TOKEN, "abc", base_url=url)


def test_an_unknown_time_zone_raises_at_once():
    with pytest.raises(hl.errors.InvalidRequest, match="no time zone"):
        hl.connect(TOKEN, "abc", timezone="Middle/Earth")


@pytest.mark.parametrize(
    "options",
    [{"expire_after": "1h"}, {"expire_after": -1}, {"deadline": "30"}, {"deadline": 0}, {"deadline": float("inf")}],
)
def test_an_invalid_number_of_seconds_raises_at_once(options):
    with pytest.raises(hl.errors.InvalidRequest, match="seconds"):
        hl.connect(TOKEN, "abc", cache=False, **options)


# ---- the card and completion


def test_the_card_shows_what_is_cached(loc):
    loc.contacts()
    loc.location()

    card = repr(loc)

    assert card.startswith("Lakeside Home Services\n  Oak Park, IL · America/Chicago · USD\n")
    assert re.search(rf"{len(loc.contacts()):,} contacts.* · read \d+ s ago, good for \d+ min more", card)
    assert re.search(r"of [\d,]+ requests left today · \d+ used in this session", card)
    assert "loc.check() shows what the token may read" in card
    assert "loc.overview()   the business on one screen; shows its cost first" in card


def test_the_card_shows_the_access_that_was_checked(connect):
    loc = connect(CONTACTS_ONLY)
    loc.check()

    text = " ".join(repr(loc).split())
    assert re.search(r"Access \d+ of 28 resources; no access to opportunities, ", text)
    assert "opportunities.readonly, " in text
    assert 'class="hl-meter"' in loc._repr_html_()


def test_the_card_of_a_location_that_was_never_read_has_no_numbers(connect):
    card = repr(connect())

    assert card.startswith("Location ")
    assert "nothing read yet" in card


def test_the_demo_knows_its_name_and_time_zone_before_any_request():
    loc = hl.demo(as_of="2024-03-01", size=3)

    assert (loc.name, loc.zone, loc.session.requests_sent) == ("Lakeside Home Services", "America/Chicago", 0)


def test_rows_of_some_parents_or_dates_do_not_count_as_complete(loc):
    contacts = loc.contacts()["contact_id"]
    loc.notes(contact_id=contacts[:2].tolist())
    loc.appointments(since="2026-01-01")

    assert not loc.cache_info("notes").complete
    assert loc.cache_info("appointments") is None
    costs = loc.costs("notes", "appointments").set_index("resource")["requests"]
    assert costs.tolist() == [len(contacts), len(loc.calendars())]

    everything = loc.appointments()

    assert loc.cache_info("appointments").rows == len(everything)
    assert loc.costs("appointments")["requests"].tolist() == [0]


def test_a_resource_that_was_not_read_completely_has_no_known_cost(loc):
    checked = loc.check().set_index("resource")["requests"]
    assert checked["conversations"] > 2

    costs = loc.costs("conversations", "pipelines").set_index("resource")

    assert costs["rows"].notna().all()
    assert costs["requests"].isna().tolist() == [True, False]


def test_the_card_escapes_text_from_the_location(loc, monkeypatch):
    monkeypatch.setattr(type(loc), "name", property(lambda self: "<script>alert(1)</script>"))

    assert "<script>" not in loc._repr_html_()
    assert "&lt;script&gt;" in loc._repr_html_()


@pytest.mark.parametrize("resource", CATALOG.values(), ids=lambda resource: resource.name)
def test_every_resource_completes_and_shows_its_filters(loc, resource):
    from IPython.core.completer import provisionalcompleter
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.user_ns["loc"] = loc

    def completions(text):
        with provisionalcompleter():
            return {completion.text for completion in shell.Completer.completions(text, len(text))}

    assert resource.name in dir(loc)
    assert resource.name in completions(f"loc.{resource.name[:3]}")
    for name in ("limit", *resource.filters):
        assert f"{name}=" in completions(f"loc.{resource.name}({name[:3]}")
    assert resource.doc in inspect.getdoc(getattr(loc, resource.name))
    assert list(inspect.signature(getattr(loc, resource.name)).parameters)[-1] == "progress"


@pytest.mark.parametrize("resource", CATALOG.values(), ids=lambda resource: resource.name)
def test_the_signature_and_the_help_of_a_resource_name_the_same_options(loc, resource):
    endpoint = getattr(loc, resource.name)
    documented = dict(re.findall(r"^(\w+) : (.+)", inspect.getdoc(endpoint), re.MULTILINE))

    assert list(documented) == list(inspect.signature(endpoint).parameters)
    assert all(doc.endswith(".") and doc[0].isupper() for doc in documented.values())


def test_names_in_the_readme_and_the_changelog_complete(loc):
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CHANGELOG.md"))

    assert set(re.findall(r"\bloc\.([a-z_]+)", text)) <= set(dir(loc))


@pytest.mark.parametrize(("name", "meant"), [("contact", "contacts"), ("analysis", "analyses"), ("cost", "costs")])
def test_a_misspelled_name_raises_with_the_closest_name(loc, name, meant):
    with pytest.raises(AttributeError, match=f"did you mean {meant}\\?"):
        getattr(loc, name)


def test_a_resource_that_was_not_called_raises_with_the_call(loc):
    with pytest.raises(AttributeError, match=r"call it first: loc\.contacts\(\)\.head"):
        loc.contacts.head()
    with pytest.raises(AttributeError, match=r"call it first: loc\.contacts\(\)\.email"):
        _ = loc.contacts.email
    with pytest.raises(TypeError, match=r"call it first: loc\.contacts\(\)\['email'\]"):
        loc.contacts["email"]
    with pytest.raises(AttributeError, match="it has pages, count, columns, raw"):
        _ = loc.contacts.colums
    assert "loc.contacts() reads them" in repr(loc.contacts)


@pytest.mark.parametrize("date", ["03/04/2026", "31.12.2025", "1 Jan"])
def test_an_ambiguous_date_raises_without_a_request(sim, loc, date):
    before = len(sim.log)

    with pytest.raises(hl.errors.InvalidRequest, match="not a date"):
        loc.contacts(since=date)
    assert len(sim.log) == before


def test_a_date_range_that_ends_before_it_starts_raises(loc):
    with pytest.raises(hl.errors.InvalidRequest, match="is after until"):
        loc.contacts(since="2026-02-01", until="2026-01-01")


@pytest.mark.parametrize("name", ["timezone.key", "quota", "name"])
def test_a_property_that_fails_raises_its_own_error(loc, name):
    loc.session = None

    with pytest.raises(AttributeError, match="'NoneType' object has no attribute"):
        operator.attrgetter(name)(loc)


PARTS = {
    "loc": lambda loc: loc,
    "loc.contacts": lambda loc: loc.contacts,
    "loc.analyses": lambda loc: loc.analyses,
    "loc.analyses.stuck": lambda loc: loc.analyses.stuck,
    "loc.session": lambda loc: loc.session,
    "loc.cached": lambda loc: loc.cached,
}
PROBED = ("__setstate__", "__array__", "_repr_html_", "_ipython_display_", "_ipython_canary_method_should_not_exist_")


@pytest.mark.parametrize("name", PARTS)
def test_inspecting_a_location_and_its_parts_makes_no_request(sim, connect, name):
    part = PARTS[name](connect(cache=False))

    def look():
        for member, value in inspect.getmembers(part):
            getattr(part, member, None)
            repr(value)
        for probed in PROBED:
            hasattr(part, probed)

    assert requests_during(sim, look) == 0


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("how", [pickle.dumps, copy.deepcopy])
def test_objects_with_a_token_are_not_copied_and_the_error_has_a_hint(connect, name, how):
    with pytest.raises(TypeError, match=r"location .*connect again|connect to the location again"):
        how(PARTS[name](connect(cache=False)))


def test_cached_of_cached_is_the_same_location(loc):
    assert loc.cached.offline
    assert loc.cached is loc.cached
    assert loc.cached.cached is loc.cached


def classes():
    modules = [
        module.name for module in pkgutil.walk_packages(hl.__path__, "hlkit.") if "__main__" not in module.name
    ]
    members = [member for name in modules for member in vars(importlib.import_module(name)).values()]
    return {member for member in members if inspect.isclass(member) and member.__module__.startswith("hlkit.")}


def test_hasattr_works_on_an_uninitialized_object_of_any_class():
    for kind in classes():
        try:
            bare = kind.__new__(kind)  # the first step of copy and pickle
        except TypeError:
            continue
        for probed in (*PROBED, "anything"):
            hasattr(bare, probed)


def test_the_time_zone_is_read_when_first_used(sim, connect):
    loc = connect(cache=False)
    zone = loc.timezone
    assert requests_during(sim, lambda: (dir(zone), copy.deepcopy(zone), loc.timezone, repr(zone))) == 0
    assert repr(zone) == "<time zone, not loaded yet; .key loads it>"

    noon = pd.Series(pd.to_datetime(["2025-01-01T12:00Z", "2025-07-01T12:00Z"]))

    hours = []
    assert requests_during(sim, lambda: hours.extend(noon.dt.tz_convert(zone).dt.hour)) == 1
    assert hours == [6, 7]
    assert requests_during(sim, lambda: (zone.key, loc.timezone.key, loc.timezone.key)) == 0
    assert repr(zone) == repr(loc.timezone) == "zoneinfo.ZoneInfo(key='America/Chicago')"


def test_a_time_zone_that_is_not_read_yet_behaves_like_any_other(connect):
    def zone():
        return connect().timezone

    chicago = ZoneInfo("America/Chicago")
    noon = dt.datetime(2025, 7, 1, 12, tzinfo=dt.UTC)
    local = pd.Series(pd.to_datetime(["2025-07-01T12:00Z"])).dt

    assert isinstance(zone(), ZoneInfo)
    assert zone() == chicago
    assert chicago == zone()
    assert hash(zone()) == hash(chicago)
    assert str(zone()) == "America/Chicago"
    assert noon.astimezone(zone()).isoformat() == "2025-07-01T07:00:00-05:00"
    assert dt.datetime(2025, 7, 1, tzinfo=zone()).strftime("%z %Z") == "-0500 CDT"
    assert dt.datetime(2025, 7, 1, tzinfo=zone()).dst() == dt.timedelta(hours=1)
    assert pickle.loads(pickle.dumps(zone())) is chicago
    assert local.tz_convert(zone()).dtype == local.tz_convert(chicago).dtype
    assert str(pa.Schema.from_pandas(local.tz_convert(zone()).to_frame("at")).field("at").type).endswith("Chicago]")


def test_displaying_the_time_zone_reads_it(connect):
    assert pretty(connect().timezone) == "zoneinfo.ZoneInfo(key='America/Chicago')"


@pytest.mark.parametrize("how", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_location_with_its_token_is_not_copied(loc, how):
    with pytest.raises(TypeError, match="connect again"):
        how(loc)


# ---- the five verbs


@pytest.mark.parametrize("name", CATALOG)
def test_a_frame_has_exactly_the_rows_of_the_location(sim, loc, name):
    resource = CATALOG[name]
    frame = getattr(loc, name)(**({"confirm": True} if resource.parent else {}))

    assert [frame[c.name].dtype for c in resource.columns] == [c.kind.dtype for c in resource.columns]
    assert frame[resource.key].is_unique
    assert frame[resource.key].notna().all()
    assert frame.attrs["hlkit"]["complete"]
    assert set(frame[resource.key]) == set(sim.data.ids(name))


def test_stages_have_their_pipeline_and_need_no_request_after_pipelines(sim, loc):
    pipelines = loc.pipelines()
    stages = []

    assert requests_during(sim, lambda: stages.append(loc.stages())) == 0
    assert set(stages[0]["pipeline_id"]) == set(pipelines["pipeline_id"])
    assert stages[0].groupby("pipeline_id")["position"].agg(list).map(lambda p: p == sorted(p)).all()


def test_messages_are_read_twice_so_that_email_is_included(sim, loc):
    types = loc.messages()["type"]

    assert {"TYPE_SMS", "TYPE_CALL", "TYPE_EMAIL"} <= set(types)


def test_a_repeated_read_makes_no_request_even_after_a_new_connection(sim, connect):
    first = connect().contacts()

    again = []
    assert requests_during(sim, lambda: again.append(connect().contacts())) == 0
    pd.testing.assert_frame_equal(again[0], first)
    assert again[0].attrs["hlkit"]["requests"] == 0
    assert again[0].attrs["hlkit"]["from_cache"] == first.attrs["hlkit"]["requests"]


def test_refresh_and_expire_after_zero_ignore_the_cache(sim, loc):
    loc.users()

    assert requests_during(sim, lambda: loc.users(refresh=True)) == 1
    assert requests_during(sim, lambda: loc.users(expire_after=0)) == 1
    assert requests_during(sim, loc.users) == 0


def test_pages_return_the_same_rows_one_frame_per_page(loc):
    pages = list(loc.contacts.pages())

    assert [len(page) for page in pages][:1] == [500]
    assert pd.concat(pages)["contact_id"].tolist() == loc.contacts()["contact_id"].tolist()


@pytest.mark.parametrize("name", ["conversations", "tasks", "transactions"])
def test_a_row_on_two_pages_is_returned_and_counted_once(loc, name):
    endpoint = getattr(loc, name)
    whole, key = endpoint(), endpoint.resource.key
    assert len(whole) > 100  # more than a page

    assert pd.concat(endpoint.pages())[key].tolist() == whole[key].tolist()
    assert pd.concat(endpoint.pages(limit=101))[key].nunique() == 101
    assert [row.get("_id", row.get("id")) for row in endpoint.raw(101)] == whole[key].tolist()[:101]


def test_count_is_one_request_and_its_page_is_cached_for_the_frame(sim, loc):
    counts = []

    assert requests_during(sim, lambda: counts.append(loc.opportunities.count())) == 1
    before = len(sim.log)
    assert counts == [len(loc.opportunities(custom_fields=False))]
    assert len(sim.log) - before == 1


def test_count_of_messages_includes_email(loc):
    assert loc.messages.count() == loc.messages.count(limit=1) == len(loc.messages())


def test_count_without_a_total_is_the_number_of_rows(loc):
    assert loc.users.count() == len(loc.users())


def test_columns_need_no_request_and_include_cached_custom_fields(sim, loc):
    assert requests_during(sim, lambda: loc.contacts.columns) == 0
    before = set(loc.contacts.columns["name"])

    frame = loc.contacts()

    assert list(loc.contacts.columns["name"]) == list(frame)
    assert before < set(frame)
    assert loc.contacts.columns.set_index("name").loc["email", "private"]


def test_raw_rows_are_unchanged(loc):
    rows = loc.contacts.raw(3)

    assert len(rows) == 3
    assert {"id", "dateAdded", "searchAfter", "customFields"} <= set(rows[0])
    assert [row["id"] for row in rows] == loc.contacts()["contact_id"].tolist()[:3]


def test_a_limit_reads_only_the_pages_it_needs_and_is_not_complete(sim, loc):
    few = []

    assert requests_during(sim, lambda: few.append(loc.contacts(limit=10, custom_fields=False))) == 1
    assert len(few[0]) == 10
    assert few[0].attrs["hlkit"]["complete"] is False
    assert few[0]["contact_id"].tolist() == loc.contacts()["contact_id"].tolist()[:10]


def test_a_limit_reads_only_the_pages_it_needs_if_the_server_widens_the_date_range(sim, loc):
    loc.timezone.key  # noqa: B018 - reads the location
    transactions, options = loc.transactions, {"since": "2020-01-01", "limit": 10, "refresh": True}
    rows = []

    assert requests_during(sim, lambda: rows.append(transactions(**options))) == 1
    assert requests_during(sim, lambda: rows.extend(transactions.pages(**options))) == 1
    assert requests_during(sim, lambda: rows.append(transactions.raw(**options))) == 1
    assert [len(part) for part in rows] == [10, 10, 10]


def test_a_date_range_is_half_open_and_in_the_locations_time_zone(loc):
    everything = loc.contacts()

    march = loc.contacts(since="2025-03-01", until=dt.date(2025, 4, 1))

    local = everything["created_at"].dt.tz_convert("America/Chicago")
    expected = everything[(local >= "2025-03-01") & (local < "2025-04-01")]
    assert march["contact_id"].tolist() == expected["contact_id"].tolist()
    assert 0 < len(march) < len(everything)


def test_numbers_durations_and_time_zones_of_any_library_are_accepted(sim, connect):
    hour = pd.Timedelta("1h")
    loc = connect(timezone=ZoneInfo("Europe/Oslo"), expire_after=hour, deadline=np.timedelta64(30, "s"))
    assert (loc.expire_after, loc.session.deadline) == (3600, 30)

    for limit in (np.int64(3), np.float64(3), 3.0, np.array(3)):
        assert len(loc.users(limit=limit)) == len(loc.users.raw(limit)) == 3
    for age in (hour, dt.timedelta(hours=1), np.timedelta64(1, "h"), np.int32(3600), np.float64(3600)):
        assert requests_during(sim, lambda age=age: loc.users(expire_after=age, refresh=np.False_)) == 0


@pytest.mark.parametrize(
    "since", [1_740_808_800_000, 1_740_808_800, 1_740_808_800.0, np.int64(1_740_808_800), 20250301]
)
def test_a_number_as_a_date_is_not_read_as_nanoseconds(loc, since):
    march = loc.contacts(since="2025-03-01")  # 2025-03-01T06:00Z

    assert loc.contacts(since=since)["contact_id"].tolist() == march["contact_id"].tolist()
    assert len(loc.contacts(until=since)) + len(march) == len(loc.contacts())


def test_a_period_is_cached_all_day(sim, connect):
    loc = connect()
    whole = loc.contacts(since="2025-12", until="2026-01")

    assert requests_during(sim, lambda: loc.contacts(period="2025-12")) == 0
    pd.testing.assert_frame_equal(loc.contacts(period="2025-12"), whole)
    loc.contacts(period="30d")
    assert requests_during(sim, lambda: connect().contacts(period="30d")) == 0


@pytest.mark.parametrize("name", ["contacts", "opportunities", "messages"])
def test_a_date_range_excludes_a_row_at_its_end(loc, name):
    resource = CATALOG[name]
    when = getattr(loc, name)()[resource.when].sort_values()
    start, end = when.iloc[len(when) // 3], when.iloc[len(when) // 2]

    frame = getattr(loc, name)(since=start, until=end)

    assert len(frame) == ((when >= start) & (when < end)).sum()


def test_a_date_range_without_rows_is_a_typed_empty_frame(loc):
    empty = loc.contacts(since="2031-01-01")

    assert len(empty) == 0
    assert empty.dtypes.equals(loc.contacts().dtypes)


def test_filters_are_applied_by_the_server(sim, loc):
    won = loc.opportunities(status="won")

    everything = loc.opportunities()
    assert won["opportunity_id"].tolist() == everything[everything["status"] == "won"]["opportunity_id"].tolist()
    calls = loc.messages(channel="Call")
    assert calls["type"].str.contains("CALL").all()
    assert len(calls)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"status": "gone"}, "it has open, won, lost, abandoned"),
        ({"statu": "won"}, "opportunities has no option 'statu'"),
        ({"onwer": "x"}, "did you mean owner="),
        ({"since": "soon"}, "is not a date or time"),
        ({"progress": "me"}, "is not a Progress"),
        ({"limit": 0}, "limit=0 is not a whole number of at least 1"),
        ({"limit": 2.5}, "not a whole number"),
        ({"refresh": "no"}, "neither True nor False"),
        ({"owner_id": ["a", "b"]}, "takes one text, and got <list>"),
        ({"status": ["won", "lost"]}, "takes one text, and got <list>"),
        ({"expire_after": "1h"}, "expire_after='1h' is not a number of seconds"),
        ({"expire_after": -1}, "not a number of seconds"),
    ],
)
def test_an_invalid_option_raises_without_a_request(sim, loc, options, message):
    def read():
        with pytest.raises(hl.errors.InvalidRequest, match=message):
            loc.opportunities(**options)

    assert requests_during(sim, read) == 0


def test_attrs_of_a_frame_survive_parquet(loc, tmp_path):
    frame = loc.contacts()
    frame.to_parquet(tmp_path / "contacts.parquet")

    assert pd.read_parquet(tmp_path / "contacts.parquet").attrs == frame.attrs


# ---- scopes


def test_without_the_scope_for_definitions_custom_fields_share_one_column_with_one_warning(connect):
    loc = connect(CONTACTS_ONLY)

    with pytest.warns(UserWarning, match=r"one column, custom_fields.*locations/customFields.readonly") as seen:
        frame, _ = loc.contacts(), loc.contacts()
    assert len(seen) == 1
    assert frame["custom_fields"].map(len).max() > 0


def test_custom_fields_can_be_excluded(connect):
    frame = connect(CONTACTS_ONLY).contacts(custom_fields=False)

    assert list(frame) == [column.name for column in CATALOG["contacts"].columns]


def test_a_missing_scope_is_named_with_where_to_add_it(connect):
    with pytest.raises(hl.errors.MissingScope, match=r"check users.readonly in Settings > Private Integrations"):
        connect(CONTACTS_ONLY).users()


def test_the_time_zone_is_the_locations(loc):
    assert loc.timezone.key == "America/Chicago"


def test_without_its_scope_the_time_zone_is_the_argument_or_utc_with_one_warning(connect):
    assert connect(CONTACTS_ONLY, timezone="Europe/Oslo").timezone.key == "Europe/Oslo"
    loc = connect(CONTACTS_ONLY)
    with pytest.warns(UserWarning, match="using UTC") as seen:
        assert [loc.timezone.key, loc.timezone.key] == ["UTC", "UTC"]
    assert len(seen) == 1


# ---- beyond the catalog, and offline


def test_any_get_path_can_be_read_and_is_cached(sim, loc):
    responses = []

    def read():
        responses.append(loc.get(f"/locations/{loc.location_id}"))
        responses.append(loc.get(f"/locations/{loc.location_id}"))

    assert requests_during(sim, read) == 1
    assert responses[0]["location"]["timezone"] == "America/Chicago"
    assert responses[0] == responses[1]


@pytest.mark.parametrize(
    ("path", "params", "url"),
    [
        ("/contacts/", {"limit": 3}, "/contacts/?locationId={id}&limit=3"),
        ("/contacts", {}, "/contacts?locationId={id}"),
        ("/invoices/", {}, "/invoices/?altId={id}&altType=location"),
        ("/products/inventory", {}, "/products/inventory?altId={id}&altType=location"),
        ("/products/p1", {}, "/products/p1?locationId={id}"),
        ("/opportunities/search", {}, "/opportunities/search?location_id={id}"),
        ("/opportunities/search", {"version": "v3"}, "/opportunities/search?locationId={id}"),
        ("/locations/{locationId}/tags", {}, "/locations/{id}/tags"),
        ("/locations/{locationId}/tags", {"locationId": "other"}, "/locations/other/tags"),
        ("/contacts/{contactId}/notes", {"contactId": "a/b"}, "/contacts/a%2Fb/notes"),
        ("/forms/", {"locationId": "other"}, "/forms/?locationId=other"),
        ("/invoices/", {"altId": "other"}, "/invoices/?altId=other&altType=location"),
        ("/invoices/", {"altId": "c", "altType": "company"}, "/invoices/?altId=c&altType=company"),
        ("/invoices/", {"locationId": "other"}, "/invoices/?altId=other&altType=location&locationId=other"),
        ("/forms/", {"locationId": None, "limit": 1}, "/forms/?limit=1"),
        ("/nobody/knows/this", {"limit": 1}, "/nobody/knows/this?limit=1"),
    ],
)
def test_a_path_gets_its_location_parameter_unless_one_is_given(path, params, url):
    with Scripted(answer({"ok": True})) as server:
        hl.connect(TOKEN, "loc1", base_url=server.url, cache=False).get(path, **params)

        target, _, query = server.requests[0].path.partition("?")
        expected_path, _, expected_query = url.replace("{id}", "loc1").partition("?")
        assert target == expected_path
        assert sorted(query.split("&")) == sorted(expected_query.split("&"))


@pytest.mark.parametrize("params", [{}, {"contactId": None}, {"contactId": ""}])
def test_a_placeholder_in_a_path_without_a_value_raises(loc, params):
    with pytest.raises(hl.errors.InvalidRequest, match=r"\{contactId\}, and contactId is not given"):
        loc.get("/contacts/{contactId}/notes", **params)


def test_a_path_that_is_not_text_raises(loc):
    with pytest.raises(hl.errors.InvalidRequest, match="a path is text, not NoneType"):
        loc.get(None)


def test_a_path_without_its_location_raises_with_the_parameter(loc, connect):
    with pytest.raises(hl.errors.WrongLocation, match=r"locationId=loc\.location_id"):
        loc.get("/forms/", locationId=None, limit=10)
    with pytest.raises(hl.errors.WrongLocation, match="check location_id"):
        connect(location_id="somebodyElses").get("/forms/", limit=10)
    assert loc.get("/forms/", limit=10)["forms"]


@pytest.mark.parametrize("path", ["contacts", "https://example.com/", "//example.com", "/a/../b", "/a?b=1", "/a#b"])
def test_a_path_that_leaves_the_host_raises_without_a_request(sim, loc, path):
    def read():
        with pytest.raises(hl.errors.InvalidRequest):
            loc.get(path)

    assert requests_during(sim, read) == 0


def test_offline_reads_the_cache_and_reports_its_age_without_a_request(sim, connect):
    frame = connect().users()
    offline = connect(offline=True)

    def read():
        with pytest.warns(UserWarning, match=r"users as of \d+ s ago \(offline\)"):
            pd.testing.assert_frame_equal(offline.users(), frame)
        with pytest.raises(hl.errors.NotCached, match="opportunities was never downloaded completely"):
            offline.opportunities(custom_fields=False)

    assert requests_during(sim, read) == 0


def test_without_a_cache_every_call_makes_a_request(sim, connect):
    loc = connect(cache=False)

    assert requests_during(sim, lambda: (loc.users(), loc.users())) == 2


def test_two_connections_share_a_cache_file_and_two_tokens_do_not(sim, connect):
    sim.add_token("pit-00000000-0000-0000-0000-00000000000b")
    connect().users()

    assert requests_during(sim, lambda: connect().users()) == 0
    assert requests_during(sim, lambda: connect("pit-00000000-0000-0000-0000-00000000000b").users()) == 1


# ---- the demo


def test_the_demo_is_a_location_like_any_other(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    loc = hl.demo(as_of="2026-01-01", size=300)

    contacts = loc.contacts()

    assert contacts["created_at"].max() < pd.Timestamp("2026-01-01", tz="America/Chicago")
    assert contacts["phone"].dropna().str.contains("555").all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "demo" in repr(loc)


@pytest.mark.parametrize("as_of", ["2026-13-01", "nonsense", "", "0001-01-01", 3.5, dt.datetime(2026, 1, 1, 9)])
def test_a_demo_needs_a_valid_date(as_of):
    with pytest.raises(hl.errors.InvalidRequest, match="is not a date") as caught:
        hl.demo(as_of=as_of)
    assert caught.value.hint == 'write it like "2026-01-01"'


@pytest.mark.parametrize(
    "as_of", [20260101, "2026", np.datetime64("2026-01-01"), pd.Timestamp("2026-01-01"), 1_767_247_200]
)
def test_a_demo_accepts_dates_of_every_type(as_of):
    assert checked_as_of(as_of) == "2026-01-01"


@pytest.mark.parametrize("count", [-5, 2.5, "300", True, None])
@pytest.mark.parametrize("name", ["size", "seed"])
def test_a_demo_needs_whole_numbers(name, count):
    with pytest.raises(hl.errors.InvalidRequest, match=f"{name}={count!r} is not a whole number"):
        hl.demo(**{name: count})


def test_a_demo_can_be_empty(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert len(hl.demo(as_of="2026-01-01", size=0).contacts()) == 0


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        (lambda loc: loc.costs("contcts"), "did you mean 'contacts'"),
        (lambda loc: loc.costs(["contacts"]), "did you mean 'contacts'"),
        (lambda loc: hl.catalog(5), "hl.catalog"),
        (lambda loc: setattr(loc, "expire_after", "x"), "expire_after=600"),
        (lambda loc: hl.connect(TOKEN, loc.location_id, base_url=5), "leave base_url out"),
    ],
)
def test_an_invalid_argument_raises_with_a_hint(loc, call, hint):
    with pytest.raises(InvalidRequest) as raised:
        call(loc)
    assert hint in raised.value.hint


def test_a_time_zone_is_found_in_any_case():
    assert zone("asia/kolkata") == ZoneInfo("Asia/Kolkata")


def test_a_user_without_a_name_gets_first_and_last_name():
    columns = CATALOG["users"].columns
    builder = FrameBuilder(columns, "user_id")
    builder.add([{"id": "u1", "name": None, "firstName": "Ann", "lastName": "Lee"}])

    assert builder.frame()["name"].tolist() == ["Ann Lee"]


@pytest.mark.parametrize(
    "call",
    [
        lambda loc: loc.contacts("2025-07-01"),
        lambda loc: loc.contacts.pages("2025-07-01"),
        lambda loc: loc.contacts.count("2025-07-01"),
        lambda loc: loc.analyses.funnel("2025-07-01"),
    ],
    ids=["frame", "pages", "count", "analysis"],
)
def test_a_positional_option_raises_with_the_option_names(loc, call):
    expected = r"takes its options by name, and got '2025-07-01'\n.*write it like loc\."
    with pytest.raises(InvalidRequest, match=expected):
        call(loc)


@pytest.mark.parametrize(
    ("call", "nearest"),
    [
        (lambda loc: loc.contacts(limitt=5), "did you mean limit="),
        (lambda loc: loc.opportunities(status="woon"), "did you mean 'won'"),
        (lambda loc: loc.analyses.funnel(matchh="created"), "did you mean match="),
        (lambda loc: loc.analyses.funnel(match="highlevell"), "did you mean 'highlevel'"),
    ],
    ids=["option", "value", "option of an analysis", "value of an analysis"],
)
def test_a_misspelled_option_or_value_is_refused_with_the_nearest(loc, call, nearest):
    with pytest.raises(InvalidRequest, match=nearest):
        call(loc)
