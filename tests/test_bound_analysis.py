"""Analyses of a location: what they read, what they do without, what they tell of themselves."""

import datetime as dt
import importlib
import inspect
import json
import re
import warnings
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

import hlkit as hl
from hlkit.analysis.core import known
from hlkit.analysis.core.analysis import Analysis
from hlkit.analysis.core.bound_analysis import BoundAnalysis, of_analysis
from hlkit.analysis.core.groups import per_group
from hlkit.analysis.core.registry import analysis, by_topic
from hlkit.cli import commands, reading
from hlkit.client.errors import InvalidRequest, MissingColumn, MissingScope, NotCached
from hlkit.client.resources import CATALOG
from hlkit.client.schema import COUNT
from hlkit.sim import Simulation

AS_OF = "2026-01-01"
EVERY = pytest.mark.parametrize("name", list(hl.analyses))
TOKEN = "pit-00000000-0000-0000-0000-0000000000a1"


@pytest.fixture(scope="module")
def simulation():
    with Simulation(size=400, as_of=AS_OF, burst=(9000, 10_000)) as simulation:
        yield simulation


def connected(simulation, tmp_path, without=(), **given):
    """A location whose token may not read some scopes."""
    scopes = {resource.scope for resource in CATALOG.values()} - set(without)
    token = simulation.add_token(TOKEN, scopes)
    return hl.connect(token, simulation.location_id, base_url=simulation.url, cache=tmp_path / "cache", **given)


@pytest.fixture
def loc(simulation, tmp_path):
    return connected(simulation, tmp_path)


@EVERY
def test_it_reads_what_it_needs_and_tells_what_it_is_made_of(loc, simulation, name):
    before = len(simulation.log)

    result = loc.analyses[name]()

    told = result.provenance
    assert told["requests"] == len(simulation.log) - before
    assert told["location"] == "Lakeside Home Services"
    assert told["timezone"] == loc.timezone.key == "America/Chicago"
    assert list(told["rows"]) == result.analysis.resources_for()
    assert len(result.table)
    json.dumps(told)
    assert result.definition in repr(result)
    assert loc.analyses[name]().provenance["requests"] == 0


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A location without contacts."""
    with Simulation(size=0, as_of=AS_OF) as simulation:
        yield connected(simulation, tmp_path_factory.mktemp("empty"))


@EVERY
def test_an_empty_account_gets_a_table_of_the_declared_columns(name, empty, tmp_path):
    result = empty.analyses[name]()

    assert set(result.analysis.columns) <= set(result.table.columns)
    assert result.save(tmp_path / "chart.png").stat().st_size > 1000
    assert len(result._repr_html_()) > 1000


@EVERY
def test_a_missing_scope_is_one_clear_error_or_said_in_the_provenance(simulation, tmp_path, name):
    frames = hl.analyses[name].frames
    for frame, needed in frames.items():
        scope = CATALOG[frame].scope
        loc = connected(simulation, tmp_path / frame, without={scope})
        by_contact = {"by": "country"} if hl.analyses[name].needs_by_options(frame) else {}
        if needed or by_contact:
            with pytest.raises(MissingScope) as refused:
                loc.analyses[name](**by_contact)
            assert name in refused.value.message
            assert scope in str(refused.value)
        elif scope not in {CATALOG[one].scope for one, needed in frames.items() if needed}:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = loc.analyses[name]()
            assert frame in result.provenance["unavailable"]
            assert "unavailable" in repr(result.provenance)


def test_since_chooses_the_rows_asked_about_and_what_follows_them_has_no_end(loc, simulation):
    start = len(simulation.log)

    result = loc.analyses.speed_to_lead(since="2025-06-01", until="2025-09-01")

    asked = simulation.log[start:]
    contacts = loc.contacts(since="2025-06-01", until="2025-09-01")
    messages = loc.messages(since="2025-06-01")
    rows = result.provenance["rows"]
    assert (rows["contacts"], rows["messages"]) == (len(contacts), len(messages))
    assert messages["sent_at"].max() > pd.Timestamp("2025-09-02", tz="UTC")
    assert not any("endDate" in logged.query for logged in asked)
    assert result.provenance["options"]["since"] == "2025-06-01"


def test_days_are_counted_up_to_until(loc):
    table = loc.analyses.lead_volume(since="2025-03-01", until="2025-04-01").table

    contacts = loc.contacts(since="2025-03-01", until="2025-04-01")
    assert table["date"].max() == pd.Timestamp("2025-03-31")
    assert table["leads"].sum() == len(contacts)


def test_what_is_only_looked_up_is_read_whole(loc):
    result = loc.analyses.funnel(since="2025-06-01")

    assert result.provenance["rows"]["stages"] == len(loc.stages())
    assert result.provenance["rows"]["opportunities"] < len(loc.opportunities())


def test_what_a_table_is_not_made_of_is_not_read(loc):
    waits = loc.analyses.speed_to_lead()
    assert list(waits.provenance["rows"]) == ["contacts", "messages"]
    assert waits.provenance["unavailable"] == {}
    assert list(loc.analyses.responses().provenance["rows"]) == ["messages"]
    assert list(loc.analyses.responses(by="owner").provenance["rows"]) == ["messages", "contacts"]
    assert list(loc.analyses.appointments().provenance["rows"]) == ["appointments"]
    assert list(loc.analyses.appointments(by="source").provenance["rows"]) == ["appointments", "contacts"]


def test_as_of_is_when_the_first_walk_began(loc):
    before = pd.Timestamp.now("UTC").floor("s")

    result = loc.analyses.funnel()

    assert before <= pd.Timestamp(result.provenance["as_of"]) <= pd.Timestamp.now("UTC")
    starts = [frame.attrs["hlkit"]["first_fetched_at"] for frame in (loc.opportunities(), loc.stages())]
    assert pd.Timestamp(result.provenance["as_of"]) == min(map(pd.Timestamp, starts))


def test_on_the_demo_as_of_is_the_end_of_its_data(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    loc = hl.demo(as_of=AS_OF, size=100)

    result = loc.analyses.speed_to_lead()

    assert result.provenance["as_of"] == "2026-01-01T06:00:00+00:00"
    assert "2026-01-01 00:00 (America/Chicago)" in repr(result)


def test_as_of_can_be_given_and_later_rows_are_left_out_and_counted(loc):
    result = loc.analyses.speed_to_lead(as_of="2025-07-01", by=None)

    contacts = loc.contacts()
    later = contacts["created_at"] > pd.Timestamp("2025-07-01", tz="America/Chicago")
    assert result.provenance["left_out"]["contacts later than as_of"] == later.sum()
    assert result.provenance["as_of"] == "2025-07-01T05:00:00+00:00"


@pytest.mark.parametrize("as_of", [1_751_346_000_000, 20250701, dt.date(2025, 7, 1), "2025-07"])
def test_as_of_is_a_date_of_any_kind_and_spans_count_from_it(loc, as_of):
    result = loc.analyses.lead_volume(as_of=as_of, period="last month")

    assert result.provenance["as_of"] == "2025-07-01T05:00:00+00:00"
    assert [result.provenance["options"][name] for name in ("since", "until")] == ["2025-06-01", "2025-07-01"]
    assert result.table["date"].max() == pd.Timestamp("2025-06-30")
    pure = hl.analyses.lead_volume(
        loc.contacts(), as_of=as_of, timezone=ZoneInfo("America/Chicago"), until="yesterday"
    )
    assert pure["date"].max() == pd.Timestamp("2025-06-29")


def test_choices_are_numbers_and_durations_of_any_library(loc):
    hour = loc.analyses.responses(target_min=60).table
    targets = (np.int64(60), 60.0, pd.Timedelta("1h"), dt.timedelta(hours=1), np.timedelta64(1, "h"))
    for target in targets:
        pd.testing.assert_frame_equal(loc.analyses.responses(target_min=target).table, hour)
    by_channel = loc.analyses.responses(target_min={"SMS": pd.Timedelta("3min"), np.str_("Email"): np.int64(30)})
    assert by_channel.provenance["options"]["target_min"] == {"SMS": 3, "Email": 30}
    assert loc.analyses.stuck(days=pd.Timedelta("14D")).provenance["options"]["days"] == 14
    with pytest.raises(InvalidRequest, match="takes no days="):
        loc.analyses.stuck(days=pd.Timedelta("12h"))


def test_a_frame_of_ones_own_may_hold_epochs(loc):
    contacts = loc.contacts()
    milliseconds = contacts["created_at"].dt.as_unit("ms").astype("int64")

    ask = hl.analyses.lead_volume
    table = ask(contacts.assign(created_at=milliseconds), as_of=AS_OF)
    pd.testing.assert_frame_equal(table, ask(contacts, as_of=AS_OF))
    with pytest.raises(InvalidRequest, match="does not hold instants"):
        ask(contacts.assign(created_at=2025), as_of=AS_OF)


@pytest.mark.parametrize("option", ["clock", "timezone", "target_min", "by", "since", "as_of", "office"])
def test_what_no_option_takes_is_refused_in_our_own_words(loc, option):
    for wrong in (pd.NA, pd.Series(["office"]), np.timedelta64("NaT", "s"), ["office"], object(), 10**400):
        with pytest.raises((InvalidRequest, MissingColumn)) as refused:
            loc.analyses.responses(**{option: wrong})
        assert refused.value.hint
        assert len(str(refused.value)) < 600


def test_deals_changed_in_a_span_take_every_date(loc):
    def changed(**span):
        return loc.analyses.funnel(match="highlevel", as_of="2026-01-01", **span).table

    year = changed(changed_since="2025-01-01")
    for date in (2025, dt.date(2025, 1, 1), 1_735_711_200_000, "last year"):
        pd.testing.assert_frame_equal(changed(changed_since=date), year)


def test_names_stand_beside_ids_and_can_be_grouped_by(loc):
    by_id = loc.analyses.speed_to_lead(by="owner_id").table
    by_name = loc.analyses.speed_to_lead(by="owner").table

    users = loc.users().set_index("user_id")["name"]
    known = by_id[by_id["owner_id"].isin(users.index)]
    assert known["owner"].tolist() == users[known["owner_id"]].tolist()
    assert set(known["owner"]) <= set(by_name["owner"])
    assert by_id["n"].sum() == by_name["n"].sum()


def test_turns_are_grouped_by_the_owner_of_their_contact_and_one_who_left_is_a_group(loc):
    by_owner = loc.analyses.responses(by="owner").table.set_index("owner")["turns"]
    by_id = loc.analyses.responses(by="owner_id").table.set_index("owner_id")
    names = loc.users().set_index("user_id")["name"]

    known = by_id[by_id.index.isin(names.index)]
    assert by_owner[names[known.index]].tolist() == known["turns"].tolist()
    gone = by_id.index[~by_id.index.isin(names.index) & (by_id.index != "(none)")]
    assert [f"unknown owner …{one[-4:]}" in by_owner.index for one in gone] == [True] * len(gone)
    assert by_owner["(none)"] == by_id.loc["(none)", "turns"]


def test_a_span_without_rows_is_said_with_its_dates(loc):
    spans = {
        "between January 1, 2030 and February 1, 2030": {"since": "2030-01-01", "until": "2030-02-01"},
        "since January 1, 2030": {"since": "2030-01-01"},
        "before January 1, 2001": {"until": "2001-01-01"},
    }
    for when, span in spans.items():
        for name, what in (("speed_to_lead", "leads"), ("funnel", "deals"), ("responses", "incoming messages")):
            assert loc.analyses[name](**span).headline == f"No {what} {when}."
    heatmap = loc.analyses.inbox_heatmap(since="2030-01-01").headline
    assert heatmap == "No incoming messages since January 1, 2030."


def test_a_wrong_choice_costs_no_request(loc, simulation):
    before = len(simulation.log)

    for wrong in ({"clock": "sun"}, {"bye": "source"}, {"office": "always"}, {"as_of": "soon"}):
        with pytest.raises(InvalidRequest):
            loc.analyses.speed_to_lead(**wrong)

    assert len(simulation.log) == before
    with pytest.raises(MissingColumn, match="sorce"):
        loc.analyses.speed_to_lead(by="sorce")
    with pytest.raises(AttributeError, match="did you mean speed_to_lead"):
        loc.analyses.speed_to_leed  # noqa: B018


def test_offline_what_was_never_read_is_said(simulation, tmp_path):
    loc = connected(simulation, tmp_path, offline=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(NotCached, match="speed_to_lead needs contacts"):
            loc.analyses.speed_to_lead()


def test_all_are_found_listed_and_completed(loc):
    for analyses in (hl.analyses, loc.analyses):
        assert len(analyses) >= 10
        assert dir(analyses) == list(analyses)
        for name, one in analyses.items():
            question = one.question if isinstance(one, Analysis) else one.analysis.question
            assert question in repr(analyses)
            assert name in analyses._repr_html_()
    parameters = inspect.signature(loc.analyses.speed_to_lead).parameters
    assert {"by", "clock", "since", "until", "as_of"} <= set(parameters)
    assert "How fast" in loc.analyses.speed_to_lead.__doc__


def test_after_a_failed_import_all_are_found(monkeypatch):
    imported = []

    def interrupted(name):
        imported.append(name)
        if len(imported) == 5:
            raise ImportError(name)
        return importlib.import_module(name)

    monkeypatch.setattr(known, "importlib", SimpleNamespace(import_module=interrupted))
    known._import_all.cache_clear()
    with pytest.raises(ImportError):
        known.all_analyses()
    assert known.all_analyses()
    known.all_analyses()

    assert imported[5:] == list(dict.fromkeys(imported))  # all of them again, once


@EVERY
def test_every_choice_of_an_analysis_is_explained_where_it_is_offered(loc, name):
    asker = loc.analyses[name]
    documented = re.findall(r"^(\w+(?:, \w+)*)(?: :|$)", asker.__doc__, re.MULTILINE)

    named = {one for names in documented for one in names.split(", ")}
    explained = {option.name for option in of_analysis(asker.analysis) if option.doc}
    assert set(asker.__signature__.parameters) - explained <= named


def test_a_new_analysis_is_a_function_and_nothing_else(loc, monkeypatch, capsys):
    monkeypatch.setattr(known, "KNOWN", known.all_analyses())
    monkeypatch.setattr("hlkit.cli.reading.open_location", lambda profile, demo: loc)

    @analysis("How many contacts are there?", columns={"n": COUNT}, definition="They are counted.")
    def how_many(contacts: pd.DataFrame, *, by: str | None = None) -> pd.DataFrame:
        """Count contacts."""
        return per_group(contacts, by, {"n": COUNT}, lambda rows: {"n": len(rows)})

    assert list(by_topic(hl.analyses))[-1] == "other"  # it is in no folder of the package
    assert "\nother\n  hl.analyses.how_many " in repr(hl.analyses)
    assert hl.analyses.how_many(loc.contacts())["n"].tolist() == [len(loc.contacts())]
    assert isinstance(loc.analyses.how_many, BoundAnalysis)
    assert loc.analyses.how_many().table["n"].tolist() == [len(loc.contacts())]
    with pytest.raises(SystemExit, match="0"):
        commands.main(["run", "how_many", "--by", "source"])
    assert "How many contacts are there?" in capsys.readouterr().out
    del reading.run["how_many"]


def test_dates_of_every_kind_choose_alike(loc):
    texts = loc.analyses.speed_to_lead(since="2025-06-01", by=None).table
    days = loc.analyses.speed_to_lead(since=dt.date(2025, 6, 1), by=None).table

    pd.testing.assert_frame_equal(texts, days)


@pytest.mark.parametrize("name", ["stuck", "stuck_stages", "funnel"])
def test_amounts_are_in_the_currency_of_the_location(name):
    result = hl.demo(as_of="2026-01-01", size=300).analyses[name](refresh=False)

    assert result.table.attrs["hlkit"]["currency"] == "USD"
    assert "worth $" in result.headline
