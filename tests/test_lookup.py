"""Filters by name, ids that do not exist, and answers without rows."""

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from faultkit import FaultySimulation

import hlkit as hl
from hlkit.client.errors import InvalidRequest, MissingScope, NotFound
from hlkit.client.lookup import with_ids
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


def spent(loc, ids):
    """The requests that the notes of *ids* cost."""
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
def test_a_filter_takes_a_name_in_any_case_and_the_id(loc, resource, option, names, column):
    reader, named = getattr(loc, resource), getattr(loc, names)()
    counts = reader()[column].value_counts()
    key = counts.index[counts.index.isin(named.iloc[:, 0])][0]
    name = named.set_index(named.columns[0])["name"][key]

    by_id = reader(**{column: key})

    assert len(by_id) == counts[key]
    for given in (name, f"  {name.upper().replace(' ', '   ')} ", key):
        pd.testing.assert_frame_equal(reader(**{option: given}), by_id)


def test_every_filter_by_the_id_of_what_has_a_name_takes_the_name_too(loc):
    for resource in CATALOG.values():
        options = getattr(loc, resource.name).__signature__.parameters
        for id_option in {"owner_id", "pipeline_id", "stage_id", "calendar_id", "form_id"} & set(options):
            assert id_option.removesuffix("_id") in options


def test_a_tag_is_found_in_any_case(loc):
    vip = loc.contacts(tag="vip")

    assert len(vip) == loc.contacts()["tags"].map(lambda tags: "vip" in tags).sum() > 0
    assert len(loc.contacts(tag=" VIP ")) == len(vip)


def test_several_parents_may_be_named(loc):
    names = loc.calendars()["name"].tolist()

    some = loc.appointments(calendar=names[:2])

    assert set(some["calendar_id"]) == set(loc.calendars()["calendar_id"][:2])


@pytest.mark.parametrize(
    ("resource", "choice", "hint"),
    [
        ("contacts", {"owner": "Marcus Red"}, "did you mean 'Marcus Reed'?"),
        ("contacts", {"tag": "news letter"}, "did you mean 'newsletter'?"),
        ("contacts", {"owner": NOBODY}, "there are Grace Lindqvist, "),
        ("contacts", {"owner_id": NOBODY}, "there are Grace Lindqvist, "),
        ("opportunities", {"pipeline": "new custommers"}, "did you mean 'New customers'?"),
        ("opportunities", {"pipeline_id": NOBODY}, "there are New customers, "),
        ("opportunities", {"stage": "Qoted"}, "did you mean 'Quoted'?"),
        ("opportunities", {"stage": "Quoted", "pipeline": "Commercial"}, "there are Enquiry, Site survey, "),
        ("appointments", {"calendar": "Home visits"}, "did you mean 'Home visit'?"),
        ("appointments", {"calendar_id": NOBODY}, "there are Home visit, "),
    ],
)
def test_what_nothing_is_called_is_refused_with_what_is_nearest(loc, resource, choice, hint):
    with pytest.raises(InvalidRequest, match=r"no (user|tag|pipeline|stage|calendar) has the") as refused:
        getattr(loc, resource)(**choice)
    assert refused.value.hint.startswith(hint)


@pytest.mark.parametrize("choice", [{"owner": "Marcus Red"}, {"owner_id": NOBODY}])
def test_every_verb_refuses_it(loc, choice):
    for verb in (loc.contacts.count, loc.contacts.raw, lambda **given: list(loc.contacts.pages(**given))):
        with pytest.raises(InvalidRequest, match="no user has the"):
            verb(**choice)


def test_the_rows_of_a_deleted_user_are_found_by_the_id(loc):
    owners = loc.contacts()["owner_id"].dropna()
    gone = owners[~owners.isin(loc.users()["user_id"])]

    for option in ("owner_id", "owner"):
        assert len(loc.contacts(**{option: gone.iloc[0]})) == (gone == gone.iloc[0]).sum()


def test_a_user_without_rows_has_none_and_that_is_no_error(loc):
    busy = loc.opportunities(since="2025-12-30")["owner_id"]
    idle = loc.users()["user_id"][~loc.users()["user_id"].isin(busy)].iloc[0]

    assert len(loc.opportunities(owner_id=idle, since="2025-12-30")) == 0


class Few:
    """A location that knows some users, and more of them once they are read anew."""

    offline = False

    def __init__(self, users, later=()):
        self.known, self.later, self.read = list(users), list(later), 0

    @property
    def resources(self):
        return {"users": self.users}

    def users(self, refresh=False):
        self.read += 1
        self.known += self.later if refresh else []
        return pd.DataFrame(self.known, columns=["user_id", "name"])


def owner_of(location, name):
    choices = with_ids(location, CATALOG["contacts"], ReadOptions(names={"owner_id": (name,)}))
    return choices.filters["owner_id"]


def test_who_came_since_the_users_were_cached_is_found_by_reading_them_once_more():
    location = Few([("u1", "Ann Lee")], later=[("u2", "Bob May")])

    assert owner_of(location, "bob may") == "u2"
    assert location.read == 2


def test_a_name_that_several_have_is_refused_with_their_ids_unless_one_is_spelled_so():
    location = Few([("u1", "Ann Lee"), ("u2", "ann  lee"), ("u3", "Ann Lee "), ("u4", None)])

    with pytest.raises(InvalidRequest, match="3 users are named 'ANN LEE'") as refused:
        owner_of(location, "ANN LEE")
    assert refused.value.hint == "give an id instead: u1, u2, u3"
    assert owner_of(location, "Ann Lee") == "u1"
    assert owner_of(location, "u2") == "u2"


def test_a_stage_that_several_pipelines_have_is_told_apart_by_its_pipeline():
    rows = [("s1", "New", "p1"), ("s2", "new", "p2")]
    stages = pd.DataFrame(rows, columns=["stage_id", "name", "pipeline_id"])
    location = SimpleNamespace(resources={"stages": lambda refresh: stages}, offline=True)

    def stage(**filters):
        choices = ReadOptions(names={"stage_id": (" NEW ",)}, filters=filters)
        return with_ids(location, CATALOG["opportunities"], choices).filters["stage_id"]

    with pytest.raises(InvalidRequest, match="2 stages are named") as refused:
        stage()
    assert refused.value.hint == "say which pipeline, with pipeline=, or give an id instead: s1, s2"
    assert stage(pipeline_id="p2") == "s2"


def test_offline_nothing_is_read_anew_and_the_error_says_so(sim, loc, folder):
    loc.users(), loc.contacts(custom_fields=False)
    offline = hl.connect(TOKEN, sim.location_id, base_url=sim.url, cache=folder, offline=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(InvalidRequest, match="as far as they are cached"):
            offline.contacts(owner="Marcus Red")


def test_without_the_scope_for_names_ids_serve_and_names_say_what_is_missing(sim, tmp_path):
    token = sim.add_token("pit-00000000-0000-0000-0000-0000000000a2", {"contacts.readonly"})
    loc = hl.connect(token, sim.location_id, base_url=sim.url, cache=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        owner = loc.contacts()["owner_id"].dropna().iloc[0]

    with pytest.raises(MissingScope, match="owner='Marcus Reed' is looked up among the users") as refused:
        loc.contacts(owner="Marcus Reed")
    assert refused.value.hint.endswith("or give owner_id")
    assert len(loc.contacts(owner=owner, custom_fields=False)) > 0
    with pytest.warns(UserWarning, match="no contacts have tag='vipp'"):
        loc.contacts(tag="vipp", custom_fields=False)


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"owner": "Marcus Reed", "owner_id": NOBODY}, "choose the same"),
        ({"owner_id": "Marcus Reed"}, "takes ids, and got text that is none"),
        ({"owner": 5}, "takes text, and got 5"),
        ({"owner": float("nan")}, "owner is empty"),
        ({"tag": ["vip", "cold"]}, "takes one value"),
        ({"source": " "}, "source is empty"),
    ],
)
def test_a_wrong_filter_costs_no_request(sim, loc, choice, words):
    before = len(sim.log)
    with pytest.raises(InvalidRequest, match=words):
        loc.contacts(**choice)
    assert len(sim.log) == before


def test_a_choice_is_taken_in_any_case(loc):
    assert len(loc.opportunities(status=" Won ")) == len(loc.opportunities(status="won")) > 0
    assert len(loc.messages(channel="sms")) == len(loc.messages(channel="SMS")) > 0


@pytest.mark.parametrize(
    ("resource", "choice"), [("contacts", {"source": "gogle"}), ("messages", {"contact_id": NOBODY})]
)
def test_another_filter_that_matches_nothing_is_warned_of(loc, resource, choice):
    ((name, value),) = choice.items()
    with pytest.warns(UserWarning, match=f"no {resource} have {name}='{value}'"):
        assert len(getattr(loc, resource)(**choice)) == 0


# ---- ids


def test_where_no_contact_is_found_any_more_there_is_an_error_and_no_empty_frame(tmp_path):
    with FaultySimulation(size=3, as_of="2026-01-01") as sim:
        loc = hl.connect(sim.token, sim.location_id, base_url=sim.url, cache=tmp_path)
        contacts = loc.contacts()
        edits = sim.edits(rate=0)
        while edits.change("contacts", "delete"):
            pass
        with pytest.raises(NotFound, match=f"none of the {len(contacts)} contacts is found any more"):
            loc.notes()
        assert len(loc.notes(refresh=True)) == 0


def test_ids_come_in_any_list_each_once(loc):
    ids = loc.contacts()["contact_id"].head(3)
    asked = [
        ids.tolist(),
        tuple(ids),
        ids.to_numpy(),
        ids.to_numpy().reshape(3, 1),
        pd.Index(ids),
        (one for one in ids),
    ]
    asked += [ids.astype("category"), [*ids, *ids], [f" {one} " for one in ids], dict.fromkeys(ids).keys()]
    one_by_one = pd.concat([loc.notes(contact_id=np.str_(one)) for one in ids], ignore_index=True)

    for given in asked:
        pd.testing.assert_frame_equal(loc.notes(contact_id=given), one_by_one)


def test_a_set_is_one_question_whatever_its_order(loc):
    ids = set(loc.contacts()["contact_id"].tail(4))
    loc.notes(contact_id=ids)

    assert spent(loc, sorted(ids)) == 0


def test_nulls_among_ids_are_left_out_and_counted(loc):
    some = loc.contacts()["contact_id"].iloc[0]

    for nulls in ([None, np.nan], [pd.NA, ""], [pd.NaT, "  "]):
        with pytest.warns(UserWarning, match="2 of 3 values of contact_id are null"):
            assert spent(loc, [some, *nulls]) <= 1
    with pytest.warns(UserWarning, match="contact_id has no ids"):
        assert len(loc.notes(contact_id=[])) == 0


@pytest.mark.parametrize(
    "given",
    [
        pd.DataFrame({"contact_id": [NOBODY]}),
        pd.RangeIndex(3),
        pd.Series([None, np.nan], dtype="object"),
        pd.Series(["ann@example.com"]),
        *(5, 5.0, True, [5], [np.int64(5)], b"abc", {"a": 1}, [("a",)], "ann lee", "", {NOBODY, 5}),
    ],
    ids=lambda given: type(given).__name__,
)
def test_what_holds_no_ids_is_refused_for_free_and_not_shown(sim, loc, given):
    before = len(sim.log)
    with pytest.raises(InvalidRequest) as refused:
        loc.notes(contact_id=given)
    assert len(sim.log) == before
    assert refused.value.hint
    assert "ann" not in str(refused.value)


def test_ids_that_do_not_exist_are_named_and_none_that_exist_is_an_error(loc):
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


def test_a_contact_without_notes_or_invoices_has_none_and_that_is_no_news(loc):
    unbilled = loc.contacts()[~loc.contacts()["contact_id"].isin(loc.invoices()["contact_id"])]
    assert len(loc.invoices(contact_id=unbilled["contact_id"].iloc[0])) == 0

    ids = loc.contacts()["contact_id"]
    bare = next(one for one in ids if not len(loc.notes(contact_id=one)))

    assert len(loc.notes(contact_id=bare)) == 0
