"""Filters by name, ids that do not exist, and reads that return no rows."""

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from faultkit import FaultySimulation

import hlkit as hl
from hlkit.client.errors import InvalidRequest, MissingScope, NotFound
from hlkit.client.lookup import resolve_names
from hlkit.client.options import ReadOptions
from hlkit.client.resources import CATALOG
from hlkit.sim import Simulation

TOKEN = "pit-00000000-0000-0000-0000-0000000000a1"
NOBODY = "nosuchid000000000000"


@pytest.fixture(scope="module")
def sim():
    with Simulation(size=60, as_of="2026-01-01", burst=(9000, 10_000)) as simulation:
        yield simulation


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def loc(sim, folder):
    return hl.connect(sim.add_token(TOKEN), sim.location_id, base_url=sim.url, cache=folder)


def requests_for(loc, ids):
    """The number of requests to read the notes of *ids*."""
    before = loc.session.requests_sent
    loc.notes(contact_id=ids)
    return loc.session.requests_sent - before


# ---- names


@pytest.mark.parametrize(
    ("resource", "option", "names", "column"),
    [
        ("contacts", "owner", "users", "owner_id"),
        ("opportunities", "owner", "users", "owner_id"),
        ("opportunities", "pipeline", "pipelines", "pipeline_id"),
        ("opportunities", "stage", "stages", "stage_id"),
        ("conversations", "owner", "users", "owner_id"),
        ("form_submissions", "form", "forms", "form_id"),
        ("survey_submissions", "survey", "surveys", "survey_id"),
        ("appointments", "calendar", "calendars", "calendar_id"),
    ],
)
def test_a_filter_takes_a_name_in_any_case_or_an_id(loc, resource, option, names, column):
    read, names_frame = getattr(loc, resource), getattr(loc, names)()
    counts = read()[column].value_counts()
    key = counts.index[counts.index.isin(names_frame.iloc[:, 0])][0]
    name = names_frame.set_index(names_frame.columns[0])["name"][key]

    by_id = read(**{column: key})

    assert len(by_id) == counts[key]
    for value in (name, f"  {name.upper().replace(' ', '   ')} ", key):
        pd.testing.assert_frame_equal(read(**{option: value}), by_id)


def test_every_filter_by_id_has_one_by_name(loc):
    for resource in CATALOG.values():
        options = getattr(loc, resource.name).__signature__.parameters
        for id_option in {"owner_id", "pipeline_id", "stage_id", "calendar_id", "form_id"} & set(options):
            assert id_option.removesuffix("_id") in options


def test_a_tag_is_found_in_any_case(loc):
    vip = loc.contacts(tag="vip")

    assert len(vip) == loc.contacts()["tags"].map(lambda tags: "vip" in tags).sum() > 0
    assert len(loc.contacts(tag=" VIP ")) == len(vip)


def test_several_parents_can_be_named(loc):
    names = loc.calendars()["name"].tolist()

    some = loc.appointments(calendar=names[:2])

    assert set(some["calendar_id"]) == set(loc.calendars()["calendar_id"][:2])


@pytest.mark.parametrize(
    ("resource", "filters", "hint"),
    [
        ("contacts", {"owner": "Marcus Red"}, "did you mean 'Marcus Reed'?"),
        ("contacts", {"tag": "news letter"}, "did you mean 'newsletter'?"),
        ("contacts", {"owner": NOBODY}, "choose from Grace Lindqvist, "),
        ("contacts", {"owner_id": NOBODY}, "choose from Grace Lindqvist, "),
        ("opportunities", {"pipeline": "new custommers"}, "did you mean 'New customers'?"),
        ("opportunities", {"pipeline_id": NOBODY}, "choose from New customers, "),
        ("opportunities", {"stage": "Qoted"}, "did you mean 'Quoted'?"),
        ("opportunities", {"stage": "Quoted", "pipeline": "Commercial"}, "choose from Enquiry, Site survey, "),
        ("appointments", {"calendar": "Home visits"}, "did you mean 'Home visit'?"),
        ("appointments", {"calendar_id": NOBODY}, "choose from Home visit, "),
    ],
)
def test_a_name_that_does_not_exist_raises_with_the_closest_name(loc, resource, filters, hint):
    with pytest.raises(InvalidRequest, match=r"no (user|tag|pipeline|stage|calendar) has the") as refused:
        getattr(loc, resource)(**filters)
    assert refused.value.hint.startswith(hint)


@pytest.mark.parametrize("filters", [{"owner": "Marcus Red"}, {"owner_id": NOBODY}])
def test_every_verb_raises_for_a_name_or_id_that_does_not_exist(loc, filters):
    for verb in (loc.contacts.count, loc.contacts.raw, lambda **filters: list(loc.contacts.pages(**filters))):
        with pytest.raises(InvalidRequest, match="no user has the"):
            verb(**filters)


def test_rows_of_a_deleted_user_are_found_by_id(loc):
    owners = loc.contacts()["owner_id"].dropna()
    deleted = owners[~owners.isin(loc.users()["user_id"])]

    for option in ("owner_id", "owner"):
        assert len(loc.contacts(**{option: deleted.iloc[0]})) == (deleted == deleted.iloc[0]).sum()


def test_a_user_without_rows_returns_an_empty_frame_and_no_error(loc):
    busy = loc.opportunities(since="2025-12-30")["owner_id"]
    idle = loc.users()["user_id"][~loc.users()["user_id"].isin(busy)].iloc[0]

    assert len(loc.opportunities(owner_id=idle, since="2025-12-30")) == 0


class FakeLocation:
    """A location with some users, and more after a refresh."""

    offline = False

    def __init__(self, users, later=()):
        self.rows, self.later, self.read_count = list(users), list(later), 0

    @property
    def resources(self):
        return {"users": self.users}

    def users(self, refresh=False):
        self.read_count += 1
        self.rows += self.later if refresh else []
        return pd.DataFrame(self.rows, columns=["user_id", "name"])


def owner_of(location, name):
    options = resolve_names(location, CATALOG["contacts"], ReadOptions(names={"owner_id": (name,)}))
    return options.filters["owner_id"]


def test_a_user_newer_than_the_cache_is_found_by_reading_the_users_once_more():
    location = FakeLocation([("u1", "Ann Lee")], later=[("u2", "Bob May")])

    assert owner_of(location, "bob may") == "u2"
    assert location.read_count == 2


def test_a_name_that_several_have_raises_with_their_ids_unless_one_matches_exactly():
    location = FakeLocation([("u1", "Ann Lee"), ("u2", "ann  lee"), ("u3", "Ann Lee "), ("u4", None)])

    with pytest.raises(InvalidRequest, match="3 users are named 'ANN LEE'") as refused:
        owner_of(location, "ANN LEE")
    assert refused.value.hint == "give an id instead: u1, u2, u3"
    assert owner_of(location, "Ann Lee") == "u1"
    assert owner_of(location, "u2") == "u2"


def test_a_stage_name_in_several_pipelines_needs_the_pipeline():
    rows = [("s1", "New", "p1"), ("s2", "new", "p2")]
    stages = pd.DataFrame(rows, columns=["stage_id", "name", "pipeline_id"])
    location = SimpleNamespace(resources={"stages": lambda refresh: stages}, offline=True)

    def stage(**filters):
        options = ReadOptions(names={"stage_id": (" NEW ",)}, filters=filters)
        return resolve_names(location, CATALOG["opportunities"], options).filters["stage_id"]

    with pytest.raises(InvalidRequest, match="2 stages are named") as refused:
        stage()
    assert refused.value.hint == "add pipeline=, or give an id instead: s1, s2"
    assert stage(pipeline_id="p2") == "s2"


def test_offline_names_are_looked_up_in_the_cache_and_the_error_says_so(sim, loc, folder):
    loc.users(), loc.contacts(custom_fields=False)
    offline = hl.connect(TOKEN, sim.location_id, base_url=sim.url, cache=folder, offline=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(InvalidRequest, match=r"in the cache \(offline\)"):
            offline.contacts(owner="Marcus Red")


def test_without_the_scope_for_names_ids_work_and_names_raise(sim, tmp_path):
    token = sim.add_token("pit-00000000-0000-0000-0000-0000000000a2", {"contacts.readonly"})
    loc = hl.connect(token, sim.location_id, base_url=sim.url, cache=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        owner = loc.contacts()["owner_id"].dropna().iloc[0]

    with pytest.raises(MissingScope, match="cannot look up owner='Marcus Reed' in users") as refused:
        loc.contacts(owner="Marcus Reed")
    assert refused.value.hint.endswith("or give owner_id")
    assert len(loc.contacts(owner=owner, custom_fields=False)) > 0
    with pytest.warns(UserWarning, match="no contacts have tag='vipp'"):
        loc.contacts(tag="vipp", custom_fields=False)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"owner": "Marcus Reed", "owner_id": NOBODY}, "select the same thing"),
        ({"owner_id": "Marcus Reed"}, "takes ids, and got text that is not an id"),
        ({"owner": 5}, "takes one text, and got 5"),
        ({"owner": float("nan")}, "owner is empty"),
        ({"tag": ["vip", "cold"]}, "takes one text, and got <list>"),
        ({"source": " "}, "source is empty"),
    ],
)
def test_an_invalid_filter_makes_no_request(sim, loc, filters, message):
    before = len(sim.log)
    with pytest.raises(InvalidRequest, match=message):
        loc.contacts(**filters)
    assert len(sim.log) == before


def test_values_of_a_filter_are_matched_in_any_case(loc):
    assert len(loc.opportunities(status=" Won ")) == len(loc.opportunities(status="won")) > 0
    assert len(loc.messages(channel="sms")) == len(loc.messages(channel="SMS")) > 0


@pytest.mark.parametrize(
    ("resource", "filters"), [("contacts", {"source": "gogle"}), ("messages", {"contact_id": NOBODY})]
)
def test_any_other_filter_that_matches_nothing_warns(loc, resource, filters):
    ((name, value),) = filters.items()
    with pytest.warns(UserWarning, match=f"no {resource} have {name}='{value}'"):
        assert len(getattr(loc, resource)(**filters)) == 0


# ---- ids


def test_if_all_contacts_are_gone_notes_raise_instead_of_an_empty_frame(tmp_path):
    with FaultySimulation(size=3, as_of="2026-01-01") as sim:
        loc = hl.connect(sim.token, sim.location_id, base_url=sim.url, cache=tmp_path)
        contacts = loc.contacts()
        edits = sim.edits(rate=0)
        while edits.change("contacts", "delete"):
            pass
        with pytest.raises(NotFound, match=f"none of the {len(contacts)} contacts exists any more"):
            loc.notes()
        assert len(loc.notes(refresh=True)) == 0


def test_ids_are_taken_from_any_list_each_once(loc):
    ids = loc.contacts()["contact_id"].head(3)
    lists = [
        ids.tolist(),
        tuple(ids),
        ids.to_numpy(),
        ids.to_numpy().reshape(3, 1),
        pd.Index(ids),
        (contact_id for contact_id in ids),
    ]
    padded = [f" {contact_id} " for contact_id in ids]
    lists += [ids.astype("category"), [*ids, *ids], padded, dict.fromkeys(ids).keys()]
    separately = [loc.notes(contact_id=np.str_(contact_id)) for contact_id in ids]
    expected = pd.concat(separately, ignore_index=True)

    for contact_ids in lists:
        pd.testing.assert_frame_equal(loc.notes(contact_id=contact_ids), expected)


def test_a_set_of_ids_is_cached_whatever_its_order(loc):
    ids = set(loc.contacts()["contact_id"].tail(4))
    loc.notes(contact_id=ids)

    assert requests_for(loc, sorted(ids)) == 0


def test_nulls_among_ids_are_left_out_and_counted(loc):
    some = loc.contacts()["contact_id"].iloc[0]

    for nulls in ([None, np.nan], [pd.NA, ""], [pd.NaT, "  "]):
        with pytest.warns(UserWarning, match="2 of 3 values of contact_id are null"):
            assert requests_for(loc, [some, *nulls]) <= 1
    with pytest.warns(UserWarning, match="contact_id has no ids"):
        assert len(loc.notes(contact_id=[])) == 0


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame({"contact_id": [NOBODY]}),
        pd.RangeIndex(3),
        pd.Series([None, np.nan], dtype="object"),
        pd.Series(["ann@example.com"]),
        *(5, 5.0, True, [5], [np.int64(5)], b"abc", {"a": 1}, [("a",)], "ann lee", "", {NOBODY, 5}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_without_ids_raises_without_a_request_and_is_not_shown(sim, loc, value):
    before = len(sim.log)
    with pytest.raises(InvalidRequest) as refused:
        loc.notes(contact_id=value)
    assert len(sim.log) == before
    assert refused.value.hint
    assert "ann" not in str(refused.value)


def test_missing_ids_are_named_in_a_warning_and_raise_if_all_are_missing(loc):
    contact, calendar = loc.contacts()["contact_id"].iloc[0], loc.calendars()["calendar_id"].iloc[0]

    for read in (loc.notes, lambda **ids: list(loc.notes.pages(**ids)), loc.notes.raw):
        with pytest.raises(NotFound, match=NOBODY):
            read(contact_id=NOBODY)
        with pytest.warns(UserWarning, match=f"1 of 2 values of contact_id are not found: '{NOBODY}'"):
            read(contact_id=[NOBODY, contact])
    before = loc.session.requests_sent
    with pytest.raises(InvalidRequest, match="no calendar has the id"):
        loc.appointments(calendar_id=[NOBODY, NOBODY[::-1], NOBODY.upper()])
    assert loc.session.requests_sent - before == 4  # one each, and the calendars once more
    with pytest.warns(UserWarning, match=f"1 of 2 values of calendar_id are not found: '{NOBODY}'"):
        some = loc.appointments(calendar_id=[NOBODY, calendar])
    pd.testing.assert_frame_equal(some, loc.appointments(calendar_id=calendar))


def test_a_contact_without_notes_or_invoices_returns_an_empty_frame_without_a_warning(loc):
    unbilled = loc.contacts()[~loc.contacts()["contact_id"].isin(loc.invoices()["contact_id"])]
    assert len(loc.invoices(contact_id=unbilled["contact_id"].iloc[0])) == 0

    ids = loc.contacts()["contact_id"]
    without_notes = next(contact_id for contact_id in ids if not len(loc.notes(contact_id=contact_id)))

    assert len(loc.notes(contact_id=without_notes)) == 0
