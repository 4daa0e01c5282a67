"""The explorer without a kernel or a browser: click, cancel, fail, click twice; every view, and its code."""

import ast
import datetime as dt
import gc
import importlib
import json
import re
import threading
import time
import weakref
import zlib
from html import escape

import ipywidgets as W
import numpy as np
import pandas as pd
import pytest
from made import typed
from matplotlib.figure import Figure
from matplotlib.text import Text
from scripted import Scripted, silent

import hlkit as hl
from hlkit.analysis.core.result import Result
from hlkit.client import profiles
from hlkit.client.errors import InvalidRequest
from hlkit.client.http.progress import ProgressUpdate
from hlkit.client.resources import CATALOG
from hlkit.explorer import analysis_tab, explorer, html, long_table
from hlkit.explorer import contacts_tab as find
from hlkit.explorer.background_task import PER_SECOND, Steady, Work
from hlkit.explorer.controls import TOGETHER, columns_of, controls, values
from hlkit.explorer.date_presets import PRESETS, span
from hlkit.explorer.redaction import hidden, hidden_result, hidden_words
from hlkit.explorer.search import Book, Wanted, code
from hlkit.explorer.timeline import events, readable
from hlkit.explorer.view import Chosen
from hlkit.files.summary import pseudonym
from hlkit.sim import Simulation

AS_OF = "2026-01-01"
TOKEN = "pit-00000000-0000-0000-0000-0000000000e1"


@pytest.fixture(scope="module")
def simulation():
    with Simulation(size=150, as_of=AS_OF, burst=(9000, 10_000)) as simulation:
        yield simulation


@pytest.fixture(autouse=True)
def a_machine_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


CHART_HTML = Result.chart_html


@pytest.fixture(autouse=True)
def no_charts(monkeypatch):
    """Drawing takes longer than all the rest: tests that look at a chart ask for one."""
    monkeypatch.setattr(Result, "chart_html", lambda result: "")


@pytest.fixture
def charts(no_charts, monkeypatch):
    monkeypatch.setattr(Result, "chart_html", CHART_HTML)


@pytest.fixture
def loc(simulation, tmp_path):
    """A location of which nothing is kept."""
    return connected(simulation, tmp_path)


@pytest.fixture(scope="module")
def warm(simulation, tmp_path_factory):
    """A location of which all is kept that these tests look at."""
    loc = connected(simulation, tmp_path_factory.mktemp("warm"))
    for read in (loc.location, loc.contacts, loc.users, loc.messages, loc.opportunities):
        read()
    return loc


def connected(simulation, tmp_path, **given):
    return hl.connect(simulation.token, simulation.location_id, base_url=simulation.url, cache=tmp_path, **given)


def run(view):
    view.start()
    view.work.join(30)


def given_by(text, loc):
    """What a view's code gives, run where ``hl.connect`` and ``hl.demo`` would give *loc*."""
    lines = [line for line in text.splitlines() if not line.startswith(("import hlkit", "loc = "))]
    *first, last = ast.parse("\n".join(lines)).body
    names = {"hl": hl, "loc": loc}
    exec(compile(ast.Module(first, []), "code", "exec"), names)
    return eval(compile(ast.Expression(last.value), "code", "eval"), names)


# ---- the app


def test_it_opens_without_a_kernel_and_without_a_request(loc, simulation):
    before = len(simulation.log)

    app = hl.explore(loc)

    assert [view.title for view in app.views] == ["Location", "Contacts", "Analyses", "Quota"]
    assert len(simulation.log) == before
    assert app.selected.empty
    assert app.result is None


def test_every_control_has_a_label_and_is_reached_by_the_keyboard(warm):
    app = hl.explore(warm)

    def inside(widget):
        yield widget
        for child in getattr(widget, "children", ()):
            yield from inside(child)

    for widget in inside(app.box):
        if isinstance(widget, (W.Text, W.Dropdown, W.Combobox, W.DatePicker, W.Button, W.IntSlider, W.Checkbox)):
            assert widget.description, widget
            assert widget.tabbable is not False


def test_nothing_that_may_spend_a_request_runs_on_a_change(warm, simulation):
    app = hl.explore(warm)
    before = len(simulation.log)

    for name in hl.analyses:
        app.analyses.analysis.value = name
    for preset in PRESETS:
        app.analyses.preset.value = preset
    app.contacts.search.value = "ann"
    app.contacts.settle()
    for number in range(4):
        app.box.selected_index = number

    assert len(simulation.log) == before


def test_it_shows_itself_and_a_card_where_no_widget_can(warm):
    app = hl.explore(warm, analysis="speed_to_lead")

    bundle = app._repr_mimebundle_()

    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert hl.analyses.speed_to_lead.question in bundle["text/html"]
    assert "loc.analyses.speed_to_lead" in bundle["text/html"]
    assert app.code in bundle["text/plain"]
    for view in app.views:  # each is usable alone
        assert view.code in view._repr_mimebundle_()["text/plain"]


def test_it_opens_as_it_was_left(warm):
    app = hl.explore(warm)
    app.box.selected_index = 1
    app.contacts.search.value = "a"
    app.contacts.source.value = "google"
    app.contacts.since.value = dt.date(2025, 1, 1)
    app.contacts.columns.value = ("name", "tags")
    app.analyses.analysis.value = "lead_volume"
    app.analyses.preset.value = "Last 90 days"
    app.contacts.settle()
    found = app.selected

    again = hl.explore(warm, **app.choices)

    assert again.choices == app.choices
    assert again.view.title == "Contacts"
    pd.testing.assert_frame_equal(again.selected, found)


def test_a_wrong_word_is_refused(warm):
    for wrong in (
        {"view": "Money"},
        {"analysis": "magic"},
        {"options": {"clock": "cuckoo"}},
        {"options": {"color": "red"}},
        {"options": {"as_of": "2025-01-01"}},  # the location's own
        {"options": {"since": "soon"}},
        {"analysis": "stuck", "options": {"days": "many"}},
        {"contacts": {"color": "red"}},
        {"contacts": {"since": "soon"}},
    ):
        with pytest.raises(InvalidRequest):
            hl.explore(warm, **wrong)
    with pytest.raises(InvalidRequest):
        hl.explore(location="nowhere")
    for wrong in ("acme", pd.DataFrame()):
        with pytest.raises(InvalidRequest, match="takes a location"):
            hl.explore(wrong)


# ---- again, and its end


def widgets_alive():
    gc.collect()
    return len(instances())


def instances():
    """ipywidgets' own, which keep each widget until it is closed."""
    return importlib.import_module("ipywidgets.widgets.widget")._instances


def test_the_explorer_again_leaves_nothing_of_the_one_before(warm):
    def again():
        app = hl.explore(warm)
        run(app.analyses)
        app.contacts.one.value = app.contacts.one.options[1][1]
        app.contacts.open_one()
        app.contacts.opening.join(30)
        return weakref.ref(app), weakref.ref(app.contacts.book.contacts), weakref.ref(app.result)

    before, alive = again(), widgets_alive()

    after = again()

    assert widgets_alive() == alive
    assert [one() for one in before] == [None, None, None]
    assert [one() is None for one in after] == [False, False, False], "shown in a cell, and nobody's variable"
    instances_of_it = widgets_alive()
    after[0]().close()
    assert widgets_alive() < instances_of_it
    assert [one() for one in after] == [None, None, None]


def test_a_closed_explorer_says_so_and_does_nothing(warm):
    alive = widgets_alive()
    app = hl.explore(warm, analysis="lead_volume")
    app.analyses.analysis.value = "stuck"
    run(app.analyses)
    choices, code = app.choices, app.code

    app.close()
    app.close()

    assert widgets_alive() <= alive, "the controls of a former choice and the long table, too"
    assert app.is_closed
    assert (app.loc, app.result, len(app.selected)) == (None, None, 0)
    assert (app.choices, app.code) == (choices, code)
    assert "it is closed" in repr(app)
    assert set(app._repr_mimebundle_()) == {"text/plain", "text/html"}
    app.analyses.run.click()
    app.contacts.load.click()
    assert not app.analyses.work.start(print, print)
    assert widgets_alive() <= alive


def test_two_explorers_of_two_locations_go_on_side_by_side(warm, simulation, tmp_path):
    with Simulation(seed=1, size=5, as_of=AS_OF) as other:
        app, beside = hl.explore(warm), hl.explore(connected(other, tmp_path))
        run(beside.contacts)
        run(app.analyses)

    assert (app.is_closed, beside.is_closed) == (False, False)
    assert app.result is not None
    assert len(beside.selected) == 5


def test_where_cells_are_known_a_cell_that_runs_again_replaces_all_it_showed_and_no_other(warm, monkeypatch):
    def cell(name, run):
        monkeypatch.setattr(explorer, "_cell", lambda: (name, run))

    cell("a", "1")
    first, without = hl.explore(warm), hl.explore()
    cell("b", "2")
    other = hl.explore(warm)
    assert [app.is_closed for app in (first, without)] == [False, False]
    cell("a", "3")
    again = hl.explore(warm)

    assert [app.is_closed for app in (first, without, again, other)] == [True, True, False, False]


def test_a_refused_explorer_leaves_no_widget_and_the_former_one_open(warm):
    app = hl.explore(warm)
    alive = widgets_alive()

    for wrong in (
        {"view": "Money"},
        {"contacts": {"color": "red"}},
        {"contacts": ["red"]},
        {"options": {"since": "soon"}},
        {"options": "since"},
        {"redact": "yes"},
        {"redact": None},
    ):
        with pytest.raises(InvalidRequest):
            hl.explore(warm, **wrong)

    assert not app.is_closed
    assert widgets_alive() == alive


def test_what_a_closed_explorer_was_reading_stops(tmp_path):
    with Scripted(silent(30)) as server:
        app = hl.explore(hl.connect(TOKEN, "loc1", base_url=server.url, cache=tmp_path, timezone="UTC"))
        for view in (app.contacts, app.analyses, app.location):
            view.start()
        while server.asked == []:
            time.sleep(0.01)

        app.close()

        for view in (app.contacts, app.analyses, app.location):
            view.work.join(10)
            assert (view.work.status, view.work._thread.is_alive()) == ("idle", False)


def test_what_fails_behind_a_click_is_shown_where_it_was_clicked_until_it_works(warm, monkeypatch):
    app = hl.explore(warm)
    monkeypatch.setattr(html, "table", lambda *given, **more: 1 / 0)

    app.contacts.forth.click()
    app.contacts.search.value = "a"
    app.contacts.settle()

    assert "ZeroDivisionError" in app.contacts.fault.value
    assert "fault of hlkit" in app.contacts.fault.value
    assert app.analyses.fault.value == ""
    monkeypatch.undo()
    app.contacts.settle()
    assert app.contacts.fault.value == ""


def test_a_disk_that_fails_says_so_beside_the_button(warm, tmp_path, monkeypatch):
    view = hl.explore(warm, view="Contacts").contacts

    def full(*given, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(find, "write", full)
    view.saving.buttons["CSV"].click()

    assert "No space left on device" in view.saving.written.value


# ---- a location that has little


@pytest.mark.parametrize(("size", "scopes"), [(0, None), (8, None), (8, set()), (8, {"contacts.readonly"})])
def test_a_location_that_has_or_shows_little_says_so_in_every_view(tmp_path, size, scopes):
    with Nobody(size=size, as_of=AS_OF) as simulation:
        token = simulation.add_token(TOKEN, scopes)
        app = hl.explore(hl.connect(token, simulation.location_id, base_url=simulation.url, cache=tmp_path))
        for number, view in enumerate(app.views):
            app.box.selected_index = number
            if view is not app.quota:
                run(view)
                assert "Trace" not in view.status.value
        for name in ("duplicates", "stuck"):
            app.analyses.analysis.value = name
            run(app.analyses)
            assert "Trace" not in app.analyses.status.value
            assert app.analyses.result is not None or "What to do: check" in app.analyses.status.value
        app.contacts.open.click()
        for view in (app.contacts, app.analyses):
            view.saving.buttons["CSV"].click()
            assert "Trace" not in view.saving.written.value
    assert [view.fault.value for view in app.views] == ["", "", "", ""]
    if scopes == set():
        assert "check contacts.readonly" in app.contacts.status.value
    elif size == 0:
        assert "no contacts found" in app.contacts.table.value


class Nobody(Simulation):
    """A location without users."""

    def reply(self, logged):
        reply = super().reply(logged)
        if logged.path == "/users/" and reply.status == 200:
            reply.headers.pop("content-encoding", "")
            reply.body = b'{"users": []}'
        return reply


# ---- analyses


def test_run_shows_the_answer_and_the_code_that_gives_it(loc, charts):
    app = hl.explore(loc, view="Analyses")
    view = app.analyses
    view._controls["by"].value = TOGETHER

    view.run.click()
    view.work.join(30)

    assert view.work.status == "done"
    assert "Mind" not in view.status.value
    assert app.result.table["n"].sum() == len(app.result.table) * app.result.table["n"].iloc[0]
    assert "data:image/png" in view.chart.value
    assert escape(app.result.headline) in view.chart.value
    assert escape(app.result.definition[:40]) in view.definition.value
    assert "loc.analyses.speed_to_lead(by=None)" in app.code
    assert "1 row<" in view.table.value
    pd.testing.assert_frame_equal(given_by(app.code, loc), view.frame)


def test_an_answer_to_other_choices_says_so(warm):
    view = hl.explore(warm).analyses
    assert view.stale.value == ""
    run(view)
    assert view.stale.value == ""

    view.since.value = dt.date(2025, 1, 1)
    assert "other choices: loc.analyses.speed_to_lead()" in view.stale.value
    view.since.value = None
    assert view.stale.value == ""
    view._controls["by"].value = "owner"
    assert "other choices" in view.stale.value
    run(view)
    assert view.stale.value == ""
    view.analysis.value = "lead_volume"
    assert "speed_to_lead(by=&#x27;owner&#x27;)" in view.stale.value


def test_the_answer_of_one_location_is_not_shown_for_another(warm, simulation, tmp_path):
    app = hl.explore(warm, view="Analyses")
    run(app.analyses)

    app.chosen.loc = connected(simulation, tmp_path / "other")

    assert app.result is None
    assert app.analyses.output.layout.display == "none"
    assert app.analyses.status.value == ""


@pytest.mark.parametrize("name", list(hl.analyses))
def test_every_analysis_runs_behind_its_controls(warm, charts, name):
    view = hl.explore(warm, analysis=name).analyses

    run(view)

    assert view.work.status == "done", view.work.trace
    assert view.result.analysis.name == name


def test_a_long_answer_is_one_to_search_and_a_short_one_is_plain(warm):
    pytest.importorskip("anywidget", reason="long tables need hlkit[notebook]")
    view = hl.explore(warm, analysis="lead_volume").analyses

    run(view)
    table, words = view.tables.children
    assert len(table.df) == len(view.frame) > 25
    assert f"{len(view.frame):,} rows" in words.value

    view.analysis.value = "speed_to_lead"
    run(view)

    assert view.tables.children == (view.table,)


def test_without_the_extra_a_long_answer_says_that_it_is_cut(warm, monkeypatch):
    monkeypatch.setattr(long_table, "find_spec", lambda name: None)
    monkeypatch.setattr(analysis_tab, "_SHOWN", 30)
    view = hl.explore(warm, analysis="lead_volume").analyses

    run(view)

    assert view.tables.children == (view.table,)
    assert view.table.value.count("<tr") == 31
    assert f"{len(view.frame):,} rows; the first 30 are shown, Export writes all" in view.table.value


def test_a_second_click_while_it_runs_does_nothing(loc):
    work, release, runs = Work(), threading.Event(), []

    def job(progress):
        runs.append(1)
        release.wait(10)

    assert work.start(job, lambda result: None)
    assert not work.start(job, lambda result: None)
    release.set()
    work.join(10)
    assert (runs, work.status) == ([1], "done")


def test_cancel_answers_at_once_twice_in_a_row_and_run_is_free(tmp_path):
    with Scripted(silent(30)) as server:
        loc = hl.connect(TOKEN, "loc1", base_url=server.url, cache=tmp_path, timezone="UTC")
        view = hl.explore(loc, analysis="speed_to_lead").analyses
        for _ in range(2):
            view.run.click()
            assert view.work.status == "running"
            assert view.run.disabled
            time.sleep(0.2)  # a request is on its way
            began = time.monotonic()
            view.cancel.click()
            assert time.monotonic() - began < 1
            assert view.work.status == "stopped"
            assert not view.run.disabled
            assert "what is cached is not asked for again" in view.status.value
        view.cancel.click()  # one that comes late
        assert view.work.status == "stopped"
        view.work.join(10)


def test_what_arrived_before_cancel_is_kept_and_run_goes_on_from_there(tmp_path):
    with Simulation(size=1500, as_of=AS_OF, latency=0.05) as simulation:
        view = hl.explore(connected(simulation, tmp_path), analysis="speed_to_lead").analyses
        view.run.click()
        while len(simulation.log) < 6:
            time.sleep(0.01)
        view.cancel.click()
        view.work.join(10)
        first = len(simulation.log)
        run(view)

        assert view.work.status == "done"
        asked = [(logged.path, str(logged.query), str(logged.body)) for logged in simulation.log]
        assert len(asked) - len(set(asked)) <= 1  # the one that was on its way
        assert view.result.provenance["requests"] <= len(asked) - first + 1


def test_an_error_shows_its_hint_and_nothing_of_the_token(simulation, tmp_path):
    token = simulation.add_token(TOKEN, {"contacts.readonly"})
    loc = hl.connect(token, simulation.location_id, base_url=simulation.url, cache=tmp_path)
    view = hl.explore(loc, analysis="speed_to_lead").analyses

    run(view)

    assert view.work.status == "failed"
    assert "conversations/message.readonly" in view.status.value
    assert "What to do" in view.status.value
    assert "custom fields" not in view.status.value
    assert TOKEN not in view.status.value
    assert not view.run.disabled


def test_a_fault_of_ours_shows_its_trace_folded():
    shown = html.failure(ZeroDivisionError("<b>"), "Traceback <b>")

    assert "<details>" in shown
    assert "Traceback &lt;b&gt;" in shown
    assert "<b>&" not in shown.replace("<b>Zero", "")


def test_presets_set_the_dates_and_dates_of_ones_own_the_preset(warm):
    view = hl.explore(warm).analyses

    view.preset.value = "Last month"
    month = view.since.value, view.until.value
    view.since.value = dt.date(2025, 3, 1)

    today = view.chosen.today
    assert month == span("Last month", today)
    assert view.preset.value == "Other dates"
    assert view.options["since"] == "2025-03-01"


def test_the_code_of_a_preset_gives_what_it_gave(warm, monkeypatch):
    monkeypatch.setattr(Chosen, "today", dt.date(2025, 8, 13))
    view = hl.explore(warm, analysis="close_curve", options={"show": "summary"}).analyses
    for preset in ("Last quarter", "Last 90 days"):
        view.preset.value = preset

        run(view)

        assert "since='2025-0" in view.code
        pd.testing.assert_frame_equal(given_by(view.code, warm), view.frame)


def test_without_dates_the_preset_is_all_time(warm):
    view = hl.explore(warm).analyses

    view.preset.value = "Last 30 days"
    view.since.value = view.until.value = None

    assert (view.preset.value, view.options) == ("All time", {})


def test_a_preset_counts_from_the_day_of_the_location_that_is_open():
    app = hl.explore()
    app.analyses.preset.value = "Last 30 days"

    app.chosen.loc = hl.demo(as_of=AS_OF)

    assert app.analyses.preset.value == "Last 30 days"
    assert app.analyses.options == {"since": "2025-12-02", "until": "2026-01-01"}


def test_the_explorer_opens_with_dates_of_every_kind():
    loc = hl.demo(as_of=AS_OF)
    for dates in ({"period": "last month"}, {"since": "2025-12", "until": 2026}):
        view = hl.explore(loc, options=dates).analyses
        assert view.options == {"since": "2025-12-01", "until": "2026-01-01"}
        assert view.preset.value == "Last month"
    for middle in ("2025-12-01 15:00", 1_764_568_801_000):
        for choices in ({"options": {"since": middle}}, {"contacts": {"until": middle}}):
            with pytest.raises(InvalidRequest, match="takes whole days"):
                hl.explore(loc, **choices)


def test_the_explorer_opens_with_numbers_and_durations_of_any_library(loc):
    for hour in (np.int64(60), 60.0, pd.Timedelta("1h")):
        view = hl.explore(loc, analysis="close_curve", options={"days": np.int64(90)}).analyses
        assert view.options == {"days": 90}
        assert (
            "target_min" not in hl.explore(loc, analysis="responses", options={"target_min": hour}).analyses.options
        )


def test_spans_are_whole_days_of_the_calendar():
    today = dt.date(2025, 3, 15)

    assert span("All time", today) == (None, None)
    assert span("Last 7 days", today) == (dt.date(2025, 3, 8), today)
    assert span("This month", today) == (dt.date(2025, 3, 1), dt.date(2025, 4, 1))
    assert span("Last month", today) == (dt.date(2025, 2, 1), dt.date(2025, 3, 1))
    assert span("Last year", today) == (dt.date(2024, 1, 1), dt.date(2025, 1, 1))
    assert span("Last month", dt.date(2025, 1, 31)) == (dt.date(2024, 12, 1), dt.date(2025, 1, 1))


@pytest.mark.parametrize("name", list(hl.analyses))
def test_controls_are_made_from_the_signature_and_give_its_defaults_back(warm, name):
    analysis = hl.analyses[name]

    made = controls(analysis, columns_of(warm, analysis), {})

    assert set(made) == set(analysis.options) - set(analysis.fills)
    assert all(widget.description for widget in made.values())
    assert values(analysis, made) == {}


def test_all_columns_are_offered_to_group_by_and_blank_is_the_default(warm):
    analysis = hl.analyses.speed_to_lead
    by = controls(analysis, columns_of(warm, analysis), {})["by"]

    assert (by.value, by.placeholder) == ("", "source")  # a browser offers only what holds the text that is in
    assert by.options[0] == TOGETHER
    for told, meant in ((TOGETHER, {"by": None}), ("owner", {"by": "owner"}), ("source", {}), ("", {})):
        by.value = told
        assert values(analysis, {"by": by}) == meant
        assert controls(analysis, [], meant)["by"].value == ("" if not meant else told)


def test_custom_fields_are_offered_once_they_are_read(loc):
    app = hl.explore(loc)
    by = app.analyses._controls["by"]
    assert "Property type" not in by.options

    run(app.contacts)

    assert "Property type" in by.options


def test_exports_are_written_and_said(warm, tmp_path):
    view = hl.explore(warm, analysis="speed_to_lead").analyses
    run(view)
    view.saving.folder.value = str(tmp_path)

    for button in view.saving.buttons.values():
        button.click()
        assert "written" in view.saving.written.value

    assert len(pd.read_csv(tmp_path / "speed_to_lead.csv")) == len(view.frame)
    assert {path.suffix for path in tmp_path.glob("speed_to_lead.*")} == {".csv", ".xlsx", ".parquet", ".png"}
    view.saving.folder.value = str(tmp_path / "nowhere")
    view.saving.buttons["CSV"].click()
    assert "no folder" in view.saving.written.value


# ---- contacts


def test_what_is_kept_is_there_on_opening_and_what_is_not_has_a_button(loc, simulation):
    view = hl.explore(loc).contacts
    assert view.load.description == "Load"
    assert view.found.layout.display == "none"

    run(view)

    first = view.selected["created_at"].iloc[0].tz_convert("America/Chicago")
    assert f"{first:%Y-%m-%d %H:%M}" in view.table.value
    assert "Mind" not in view.status.value
    before, found = len(simulation.log), len(view.selected)
    kept = hl.explore(loc).contacts
    assert len(kept.selected) == found == len(loc.contacts())
    assert kept.found.layout.display == ""
    assert len(simulation.log) == before


def test_owners_whose_names_are_not_read_cost_one_request(loc, simulation):
    loc.contacts()
    loc.timezone.key  # noqa: B018
    view = hl.explore(loc).contacts
    assert view.load.description == "Load names"
    assert "names are not read yet. This will spend about 1 request." in view.estimate.value
    assert "unknown owner …" in view.table.value
    before = len(simulation.log)

    run(view)

    assert len(simulation.log) == before + 1
    assert view.load.description == "Read again"
    names = set(loc.users()["name"])
    told = set(view.book.contacts["owner"].dropna())
    assert told & names
    assert all(name.startswith("unknown owner …") for name in told - names), "of a deleted user"


def test_what_an_analysis_has_read_is_not_called_never_read(loc):
    app = hl.explore(loc)
    assert "Not read in full yet: contacts" in app.contacts.estimate.value

    run(app.analyses)

    assert "spend about 1 request" in app.contacts.estimate.value, "for the names of the owners"


def test_where_no_owner_has_a_name_contacts_can_be_read_again(simulation, tmp_path):
    token = simulation.add_token(TOKEN, {one.scope for one in CATALOG.values()} - {"users.readonly"})
    loc = hl.connect(token, simulation.location_id, base_url=simulation.url, cache=tmp_path)
    view = hl.explore(loc).contacts
    run(view)
    assert (view.load.description, view.estimate.value) == ("Read again", "")
    before = len(simulation.log)

    run(view)

    assert len(simulation.log) > before


def test_what_is_found_is_written_where_it_says(warm, tmp_path):
    view = hl.explore(warm).contacts
    view.search.value = "carlos"
    view.settle()

    view.saving.buttons["CSV"].click()

    assert "written" in view.saving.written.value
    written = pd.read_csv(tmp_path / "contacts.csv")
    assert written["contact_id"].tolist() == view.selected["contact_id"].tolist()


def test_without_a_location_there_is_nothing_to_run_and_code_shows_its_lines():
    app = hl.explore()

    assert app.analyses.run.disabled
    assert repr(app.code) == str(app.code)
    assert "\n" in repr(app.code)


def test_a_source_is_one_however_it_is_spelled(warm):
    contacts = warm.contacts()
    view = hl.explore(warm).contacts
    names = [value for _, value in view.source.options]

    view.source.value = "google"
    view.settle()

    assert len({name.strip().casefold() for name in names}) == len(names)
    spellings = view.selected["source"].str.strip().str.casefold()
    assert spellings.eq("google").all()
    assert len(view.selected) == contacts["source"].str.strip().str.casefold().eq("google").sum()
    assert view.selected["source"].nunique() > 1, "else there is nothing to bring together"


def test_every_filter_finds_what_its_code_finds(warm):
    contacts = warm.contacts()
    app = hl.explore(warm, view="Contacts")
    view = app.contacts
    field = next(name for name in contacts.columns if name == "Property type")

    for name, value in (
        ("search", "ca ex"),
        ("tag", "vip"),
        ("source", "google"),
        ("owner", contacts["owner_id"].mode()[0]),
        ("since", dt.date(2024, 6, 1)),
        ("until", dt.date(2025, 6, 1)),
    ):
        widget = getattr(view, name)
        empty = widget.value
        widget.value = value
        view.settle()
        assert 0 < len(app.selected) < len(contacts), name
        pd.testing.assert_frame_equal(given_by(app.code, warm), view.frame)
        widget.value = empty
    view.field.value, view.contains.value = field, "o"
    view.tag.value = "newsletter"
    view.settle()
    pd.testing.assert_frame_equal(given_by(app.code, warm), view.frame)


def test_rows_come_a_page_at_a_time(warm):
    view = hl.explore(warm).contacts

    first = view.table.value
    view.forth.click()

    assert "1 to 25 of" in first
    assert "26 to 50 of" in view.table.value
    assert view.back.disabled is False
    assert [one for _, one in view.one.options[1:]] == view.selected["contact_id"].iloc[25:50].tolist()
    view.search.value = "nobody has this"
    view.settle()
    assert "no contacts found, from" in view.table.value
    view.search.value = ""
    view.settle()
    assert view.table.value == first


def test_one_contact_has_its_fields_and_a_timeline(loc):
    messages, deals = loc.messages(), loc.opportunities()
    who = deals["contact_id"].mode()[0]
    loc.contacts()
    view = hl.explore(loc).contacts
    view.search.value = str(loc.contacts().set_index("contact_id").loc[who, "name"])
    view.settle()
    view.one.value = who

    view.open.click()
    view.opening.join(30)

    assert view.opening.status == "done"
    page = view.page.value
    assert who in page
    assert page.count("<td") > 10
    own = messages[messages["contact_id"] == who]
    assert page.count(">messages<") == len(own)
    assert page.count(">opportunities<") == (deals["contact_id"] == who).sum()
    assert "Not shown, since not read yet: appointments, tasks." in page
    assert view.page.value.index(f"{view.search.value} · {who[-4:]}") < page.index(">messages<")

    view.rest.click()
    view.opening.join(30)

    for name in ("appointments", "tasks"):
        assert view.page.value.count(f">{name}<") == (getattr(loc, name)()["contact_id"] == who).sum()
    assert "Not shown" not in view.page.value
    assert view.rest.layout.display == "none"


def test_contacts_with_the_same_long_name_are_told_apart(warm):
    contacts = warm.contacts().assign(name="Ann " * 40)
    view = hl.explore(warm).contacts

    view._show(contacts)

    labels = [label for label, _ in view.one.options]
    assert len(set(labels)) == len(labels) == 26


def test_a_contact_that_cannot_be_opened_leaves_no_other_on_the_page(tmp_path):
    with Simulation(size=60, as_of=AS_OF) as simulation:
        loc = connected(simulation, tmp_path)
        loc.contacts()
        view = hl.explore(loc).contacts
        view.one.value = view.one.options[1][1]
        view.open_one()
        view.opening.join(30)
        assert "first_name" in view.page.value
        simulation.revoke(simulation.token)

        view.one.value = view.one.options[2][1]
        view.open_one()
        view.opening.join(30)

    assert view.page.value == ""
    assert "does not accept the token" in view.going.value


ODD_VALUES = ({"a": {"url": "https://x.example/a"}}, [{"label": "home", "n": 5}, None], True, [None, "<i>x</i>"], 7.5)


class Odd(Simulation):
    """A location whose rows hold what a frame does not expect: no dates, the year 1, objects in lists, markup."""

    def reply(self, logged):
        reply = super().reply(logged)
        if logged.path in ("/contacts/search", "/conversations/messages/export") and reply.status < 300:
            if reply.headers.pop("content-encoding", ""):
                reply.body = zlib.decompress(reply.body, 31)
            told = json.loads(reply.body)
            for number, row in enumerate(told.get("contacts", ())):
                row["dateAdded"] = row["dateUpdated"] = (None, "0001-01-01T00:00:00.000Z", "2025-12-31T23:59:59Z")[
                    number % 3
                ]
                row["dateOfBirth"] = ("0001-01-01", None)[number % 2]
                row["tags"] = [None, {"id": 5}, 5, "vip"]
                row["companyName"] = "Tom & <b>Sons</b> $x^2$ **bold**"
                for place, field in enumerate(row["customFields"]):
                    field["value"] = ODD_VALUES[(place + number) % len(ODD_VALUES)]
            for number, row in enumerate(told.get("messages", ())):
                row["messageType"] = ("TYPE_SMS", "TYPE_EMAIL")[number % 2]
                row["body"] = "<script>go()</script><div>Tom &amp; <a href='x'>Jerry</a></div>"
                row["dateAdded"] = None if number % 3 else "0001-01-01T00:00:00.000Z"
            reply.body = json.dumps(told).encode()
        return reply


def test_odd_rows_break_no_table_no_search_and_no_page(tmp_path):
    with Odd(size=12, as_of=AS_OF) as simulation:
        app = hl.explore(connected(simulation, tmp_path), view="Contacts")
        view = app.contacts
        run(view)
        view.columns.value = [value for _, value in view.columns.options]
        assert "vip" in view.table.value
        assert [value for _, value in view.tag.options] == ["", "vip"]
        for name, _ in view.field.options[1:]:
            view.field.value, view.contains.value = name, "o"
            view.settle()
        view.field.value = view.contains.value = ""
        view.tag.value, view.since.value = "vip", dt.date(2025, 1, 1)
        view.settle()
        assert 0 < len(view.selected) < 12
        view.since.value = None
        view.settle()
        pages = ""
        for _, contact in view.one.options[1:]:
            view.one.value = contact
            view.open_one()
            view.opening.join(30)
            assert view.opening.status == "done", view.opening.trace
            pages += view.page.value

    assert [view.fault.value for view in app.views] == ["", "", "", ""]
    assert "Tom &amp; &lt;b&gt;Sons&lt;/b&gt; $x^2$ **bold**" in pages
    assert "label: home, n: 5" in pages
    assert "Tom &amp; Jerry" in pages
    assert "&amp;amp;" not in pages
    assert not re.search("<(script|i|a|b)\\b[^>]*>(go|x|Jerry|Sons)", pages)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("Is 3 < 5 & 6 > 2? <3 <b>yes</b>", "Is 3 < 5 & 6 > 2? <3 <b>yes</b>"),
        ("Tom &amp; Jerry &lt;3 &copy=2 AT&T; &#x27;x&#39;", "Tom & Jerry <3 &copy=2 AT&T; 'x'"),
        ("<p>Dear Ann,</p><p>call&nbsp;me<br/>soon &amp; often</p>", "Dear Ann, call me soon & often"),
        ("<!DOCTYPE html><head><title>t</title><style>p{}</style></head><td>a</td><td>b", "a b"),
        ("<div><script>alert('x')</script>hi</div>", "hi"),
        ("<div></div>", "<div></div>"),
        ("<div><![if x]>y", "y"),
        ("", ""),
    ],
)
def test_a_body_is_read_as_text(body, shown):
    assert readable(body) == shown


@pytest.mark.parametrize("count", [0, 1, 2])
def test_events_without_a_time_come_last(count):
    notes = typed("notes", *[{"contact_id": "ann", "body": "no date"}] * count)
    messages = typed("messages", *[{"contact_id": "ann", "type": "TYPE_SMS", "sent_at": pd.Timestamp(0, tz="UTC")}])

    told = events("ann", {"notes": notes, "messages": messages[:count]})

    assert told["text"].tolist() == ["SMS"] * min(count, 1) + ["no date"] * count
    assert events("ann", {"notes": notes})["at"].dtype == told["at"].dtype == messages["sent_at"].dtype


def test_an_email_is_read_without_its_markup_and_a_text_message_with_it():
    assert readable("<b>Hi</b> <i>Ann</i>", is_email=True) == "Hi Ann"
    assert readable("<b>Hi</b> <i>Ann</i>") == "<b>Hi</b> <i>Ann</i>"


def test_a_span_of_search_is_exact_to_the_day_of_the_location():
    created = pd.Series(pd.to_datetime(["2025-07-01T04:59Z", "2025-07-01T05:00Z"]), dtype="datetime64[us, UTC]")
    text = ["a", "b"]
    contacts = pd.DataFrame(
        {"contact_id": text, "created_at": created, "tags": [["x"], None], "source": text, "owner_id": text}
        | dict.fromkeys(("name", "email", "phone", "company_name"), text)
    )
    wanted = Wanted(since=dt.date(2025, 7, 1))

    found = Book(contacts, "America/Chicago").find(wanted)

    assert found["contact_id"].tolist() == ["b"]
    assert 'tz="America/Chicago"' in code(wanted, "America/Chicago")


# ---- the location and the quota


def test_the_picker_has_saved_locations_and_the_demo(monkeypatch):
    monkeypatch.setattr(profiles, "names", lambda: ["acme", "north"])

    view = hl.explore().location

    assert [value for _, value in view.picker.options] == ["(choose)", "acme", "north", "(demo)"]
    assert "Choose a location" in view.card.value
    view.picker.value = "(demo)"
    assert view.chosen.loc is not None
    assert view.code.startswith("import hlkit as hl\n\nloc = hl.demo()")


def test_a_location_that_cannot_be_opened_leaves_no_other_open(warm, monkeypatch):
    monkeypatch.setattr(profiles, "names", lambda: ["acme"])
    app = hl.explore(warm)

    app.location.picker.value = "acme"

    assert "acme" in app.location.words.value
    assert app.loc is None
    assert "Choose a location" in app.analyses.estimate.value


def test_check_tells_what_the_token_may_not_read_and_what_that_costs(simulation, tmp_path):
    scopes = {one.scope for one in CATALOG.values()} - {"conversations/message.readonly"}
    loc = hl.connect(
        simulation.add_token(TOKEN, scopes), simulation.location_id, base_url=simulation.url, cache=tmp_path
    )
    view = hl.explore(loc).location

    run(view)

    assert view.work.status == "done", view.work.trace
    assert "conversations/message.readonly" in view.checked.value
    assert "speed_to_lead" in view.checked.value
    pd.testing.assert_frame_equal(given_by(view.code, loc), view.frame)


def test_what_the_server_failed_to_tell_is_not_a_scope_to_tick(warm):
    view = hl.explore(warm).location
    check = pd.DataFrame({"resource": ["users", "tags"], "readable": [None, True], "scope": ["u", "t"]})

    view._show_check(check.astype({"readable": "boolean"}))

    assert "may not read" not in view.checked.value
    assert "may read everything" not in view.checked.value


def test_add_a_location_asks_for_no_token(warm):
    app = hl.explore(warm)

    def inside(widget):
        yield widget
        for child in getattr(widget, "children", ()):
            yield from inside(child)

    assert not any(isinstance(widget, W.Password) for widget in inside(app.box))
    assert any("hl.login" in str(getattr(widget, "value", "")) for widget in inside(app.box))


def test_no_widget_holds_the_token(loc, simulation):
    app = hl.explore(loc)
    run(app.contacts)
    run(app.analyses)

    state = repr(W.Widget.get_manager_state())

    assert "hlkit-app" in state
    assert simulation.token not in state


def test_the_quota_tells_what_is_left_what_it_will_cost_and_what_was_saved(loc):
    app = hl.explore(loc, view="Quota")
    assert "Not read in full yet" in app.analyses.estimate.value

    loc.contacts()
    loc.contacts()
    app.quota.refresh.click()

    assert "requests left" in app.quota.words.value
    assert "came from what is kept" in app.quota.words.value
    pd.testing.assert_series_equal(given_by(app.code, loc)["requests"], app.quota.frame["requests"])
    run(app.analyses)
    assert "spends no request" in app.analyses.estimate.value


def test_the_estimate_is_of_the_table_that_is_chosen(loc):
    app = hl.explore(loc, analysis="speed_to_lead")
    assert "opportunities" not in app.analyses.estimate.value

    app.analyses._controls["show"].value = "win_rate_by_wait"
    assert "opportunities" in app.analyses.estimate.value


# ---- hidden names

# What people type into a location, by the wire's names. All of it gets the same mark, phones the same digits.
TYPED = frozenset(
    (
        *(
            "source",
            "tags",
            "name",
            "firstName",
            "lastName",
            "contactName",
            "fullName",
            "companyName",
            "businessName",
        ),
        *("email", "phone", "phoneNo", "address", "address1", "city", "postalCode", "state", "website", "title"),
        *("body", "bodyText", "notes", "description", "subject", "lastMessageBody", "from", "to", "message", "label"),
        *("value", "fieldValue", "fieldValueString", "fieldValueArray", "picklistOptions", "pageUrl", "url"),
        *("referrer", "medium", "campaign", "utmSource", "utmMedium", "utmContent", "utmCampaign", "sessionSource"),
        *("additionalEmails", "additionalPhones", "others", "extension"),
    )
)
MARK = re.compile(r"zqxjv|312\D{0,3}555", re.IGNORECASE)
ODD = ("(zqxjv {})", "zqxjv {}", "<b>zqxjv</b> {}", "zqxjv 'of' \"{}\"", "{}, (none) zqxjv")


class Planted(Simulation):
    """A location where every text that a person typed bears a mark; its refusals quote it, too."""

    def reply(self, logged):
        reply = super().reply(logged)
        if reply.headers.pop("content-encoding", ""):
            reply.body = zlib.decompress(reply.body, 31)
        reply.body = json.dumps(planted(json.loads(reply.body))).encode()
        return reply


def planted(value, key=""):
    if isinstance(value, dict):
        return {name: planted(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [planted(inner, key) for inner in value]
    if not isinstance(value, str) or key not in TYPED:
        return value
    if re.fullmatch(r"[+\d() -]{7,}", value):
        return f"+1312555{sum(map(ord, value)) % 10_000:04}"
    if "@" in value and " " not in value:
        return f"zqxjv.{value}"
    if value.startswith("http"):
        return f"{value}{'&' if '?' in value else '?'}utm_source=zqxjv"
    return ODD[sum(map(ord, value)) % len(ODD)].format(value)


def all_texts(app, looks_seen):
    """What every trait of every widget of an app holds, and what the app gives the next cell, as texts.

    Layouts and styles are looked at once: *looks_seen* holds those that were.
    """
    todo, widgets = [app.box], {id(app.box)}
    while todo:
        widget = todo.pop()
        if isinstance(widget, (W.Layout, W.Style)):
            if id(widget) in looks_seen:
                continue
            looks_seen[id(widget)] = widget
        if hasattr(widget, "df"):
            yield widget.df.to_csv()
        for name in widget.trait_names():
            for piece in pieces(getattr(widget, name) if name not in ("comm", "log") else None):
                if not isinstance(piece, W.Widget):
                    yield piece
                elif id(piece) not in widgets:
                    widgets.add(id(piece))
                    todo.append(piece)
    yield from (app.code, app._card(), repr(app), repr(app.choices), app.selected.to_csv())


def pieces(value):
    if isinstance(value, (list, tuple, set, dict)):
        for inner in (*value, *value.values()) if isinstance(value, dict) else value:
            yield from pieces(inner)
    elif value is not None and not isinstance(value, (bool, int, float)):
        yield value if isinstance(value, (str, W.Widget)) else repr(value)


@pytest.fixture
def charts_as_text(no_charts, monkeypatch):
    """All texts of a chart, in the place of its picture."""

    def chart_html(result):
        figure = Figure(figsize=(6, 4))
        result.plot(figure.subplots())
        return repr([text.get_text() for text in figure.findobj(Text)])

    monkeypatch.setattr(Result, "chart_html", chart_html)


def test_no_name_is_on_a_hidden_screen_after_any_click(tmp_path, charts_as_text):
    searched, looks_seen = set(), {}

    def search():
        fresh = set(all_texts(app, looks_seen)) - searched
        for text in fresh:
            found = MARK.search(text)
            assert found is None, text[max(0, found.start() - 100) : found.end() + 100]
        searched.update(fresh)

    with Planted(size=40, as_of=AS_OF, burst=(9000, 10_000)) as simulation:
        loc = connected(simulation, tmp_path)
        assert MARK.search(repr(loc.contacts.raw(5))), "else nothing is planted"
        app = hl.explore(loc, redact=True)
        search()
        contacts, analyses = app.contacts, app.analyses
        for number in range(4):
            app.box.selected_index = number
        for view in (app.contacts, app.location):
            run(view)
            search()
        contacts.columns.value = [value for _, value in contacts.columns.options]
        for widget in (contacts.tag, contacts.source, contacts.owner):
            widget.value = widget.options[1][1]
            contacts.settle()
            assert 0 < len(app.selected) < 40, "a pseudonym can be looked for"
            search()
            widget.value = ""
        contacts.field.value, contacts.contains.value = contacts.field.options[-1][1], "text"
        contacts.search.value = "name_"
        contacts.settle()
        search()
        contacts.contains.value = contacts.search.value = ""
        contacts.settle()
        contacts.forth.click()
        for everything in (False, True):
            contacts.one.value = contacts.one.options[1][1]
            contacts.open_one(everything=everything)
            contacts.opening.join(30)
            assert contacts.opening.status == "done", contacts.opening.trace
            search()
        for name in hl.analyses:
            analyses.analysis.value = name
            by = analyses._controls.get("by")
            shows = analyses._controls["show"].options if "show" in analyses._controls else [None]
            for place, show in enumerate(shows):
                if show is not None:
                    analyses._controls["show"].value = show
                if by is not None:  # a source, a tag, an owner, a custom field, a stage, and its default
                    wanted = ["source", "tags", "owner", "stage", "", *(one for one in by.options if "field_" in one)]
                    by.value = [one for one in wanted if one in ("", *by.options)][place + len(name) % 3]
                run(analyses)
                assert analyses.work.status in ("done", "failed"), name
                search()
                if app.result is not None:
                    assert not MARK.search(f"{app.result!r} {app.result.table.attrs}")
        for button in analyses.saving.buttons.values():
            button.click()
            search()
        analyses.analysis.value = "funnel"
        analyses._controls["pipeline"].value = "none of this name"
        run(analyses)
        assert "there are …" in analyses.status.value
        search()
        simulation.revoke(simulation.token)
        contacts.start()
        contacts.work.join(30)
        assert "does not accept the token" in contacts.status.value
        search()
        for path in tmp_path.glob("*.*"):
            assert not MARK.search(path.name)
            if path.suffix == ".csv":
                assert not MARK.search(path.read_text())
    assert len(searched) > 1000


def test_hidden_are_all_texts_but_those_of_hlkit_and_highlevel():
    frame = pd.DataFrame(
        {
            "name": ["Ann Lee", " ann lee", None],
            "source": ["(Ann Lee)", "(none)", "(other)"],
            "tags": [["vip", "Ann"], [], None],
            "type": ["lead", "Ann", "TYPE_SMS"],
            "owner_id": ["9NOmM6VjMAzcCiqsL5Q4", "Ann Lee", "(none)"],
            "status": ["won", "delivered", "asked Ann"],
            "body": ["", " ", "Ann"],
            "birthday": pd.to_datetime(["1980-01-02"] * 3),
            "created_at": pd.to_datetime(["2025-01-02T03:04Z"] * 3),
            "currency": ["USD", "Ann", "CAD"],
            "Wishes of Ann": ["a", "b", "a"],
            "Her phone": [13125550101.0, 2.0, None],
            "Agreed": pd.array([True, False, None], dtype="boolean"),
        }
    )

    shown = hidden(frame)

    assert shown["name"].iloc[0] == shown["name"].iloc[1] == pseudonym("Ann Lee", "name")
    assert pd.isna(shown["name"].iloc[2])
    assert shown["source"].tolist() == [pseudonym("(Ann Lee)", "source"), "(none)", "(other)"]
    assert shown["tags"].tolist() == [[pseudonym("vip", "tag"), pseudonym("Ann", "tag")], [], None]
    assert shown["type"].tolist() == ["lead", pseudonym("Ann", "type"), "TYPE_SMS"]
    assert shown["owner_id"].tolist() == ["9NOmM6VjMAzcCiqsL5Q4", pseudonym("Ann Lee", "owner_id"), "(none)"]
    assert shown["status"].tolist() == ["won", "delivered", pseudonym("asked Ann", "status")]
    assert shown["body"].tolist() == ["", " ", pseudonym("Ann", "body")]
    assert shown["birthday"].isna().all()
    pd.testing.assert_series_equal(shown["created_at"], frame["created_at"])
    assert shown["currency"].tolist() == ["USD", pseudonym("Ann", "currency"), "CAD"]
    wishes, phone, agreed = (pseudonym(name, "field") for name in ("Wishes of Ann", "Her phone", "Agreed"))
    assert shown[wishes].tolist() == [pseudonym(one) for one in "aba"]
    assert shown[phone].isna().all()
    assert shown[agreed].tolist() == frame["Agreed"].tolist()
    assert (shown.dtypes.values == frame.dtypes.values).all()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("contacts has no column 'Ann\\'s'", "contacts has no column …"),
        ("no pipeline \"Ann's 'own'\" here", "no pipeline … here"),
        ("there are Ann Lee, Bob", "there are …"),
        ('pip install "hlkit[dedupe]" brings it', 'pip install "hlkit[dedupe]" brings it'),
        (
            "a call such as by=\"owner\" is the user's, not the lead's",
            "a call such as by=\"owner\" is the user's, not the lead's",
        ),
        ("3 in Ann's wishes (Budget)", "3 in field_1 (field_2)"),
    ],
)
def test_of_a_sentence_what_it_quotes_and_lists_is_hidden(said, shown):
    assert hidden_words(said, {"Ann's wishes": "field_1", "Budget": "field_2", "": "x"}) == shown


def test_what_the_location_fills_in_is_shown_where_it_is_a_code():
    result = hl.demo(as_of=AS_OF, size=30).analyses.quality()
    choices = result.table.attrs["hlkit"]["choices"]

    assert hidden_result(result, str).provenance["choices"]["country"] == "US"
    result.table.attrs["hlkit"]["choices"] = choices | {"country": "land of Ann"}
    assert hidden_result(result, str).provenance["choices"]["country"] == pseudonym("land of Ann", "country")


# ---- work


def test_progress_is_told_ten_times_a_second_at_most():
    work, told = Work(), []
    work.observe(lambda change: told.append(change.new), "words")
    began = time.monotonic()

    def job(progress):
        while time.monotonic() - began < 0.5:
            progress.on_page(ProgressUpdate("contacts", rows=len(told)))

    work.start(job, lambda result: None)
    work.join(5)

    assert len(told) <= 0.5 * PER_SECOND + 4


def test_steady_calls_the_last_time_too():
    calls = []
    steady = Steady(lambda: calls.append(len(typed)))
    typed = []
    for letter in "carlos":
        typed.append(letter)
        steady()
    steady.flush()

    assert calls[0] == 1
    assert calls[-1] == 6
    assert len(calls) <= 3


def test_everything_shown_is_escaped():
    nasty = "<img src=x onerror=alert(1)>"
    frame = pd.DataFrame({nasty: [nasty]})

    for shown in (
        html.table(frame, "UTC", more=nasty),
        html.facts([(nasty, nasty)]),
        html.note(nasty),
        html.code(nasty),
        html.paragraphs(nasty),
        html.failure(InvalidRequest(nasty, hint=nasty)),
    ):
        assert "<img src=x" not in shown
        assert "onerror=alert(1)>" not in shown


def test_a_date_before_the_year_1_and_the_last_one_are_shown_as_they_are():
    moments = pd.Series(["0001-01-01T00:00", "9999-12-31T23:59", None], dtype="datetime64[ms]")

    hours = [text[:13] for text in html.texts(moments.dt.tz_localize("UTC"), "America/Chicago")]

    assert hours == ["0000-12-31 18", "9999-12-31 17", ""]
    assert html.texts(moments, "UTC") == ["0001-01-01", "9999-12-31", ""]


def test_only_long_texts_are_broken_into_lines():
    frame = pd.DataFrame({"stage_id": ["7f64c9fd-e8ed-431a-9d59-dd49a7cc03da"], "text": "word " * 20})

    assert html.table(frame, "UTC").count("white-space:nowrap") == 4  # two heads, two cells
    assert html.table(frame, "UTC", longest=200).count("white-space:nowrap") == 2


def test_what_is_chosen_of_an_analysis_opens_again_and_stays_for_another_location(warm, simulation, tmp_path):
    app = hl.explore(warm, analysis="speed_to_lead", options={"by": "tags", "clock": "wall", "since": "2025-06-01"})
    chosen = {"by": "tags", "clock": "wall", "since": "2025-06-01"}

    assert app.choices["options"] == chosen
    assert hl.explore(warm, **app.choices).choices == app.choices
    app.chosen.loc = connected(simulation, tmp_path / "other")
    assert app.analyses.options == chosen


def test_before_contacts_are_loaded_their_columns_are_no_choice(loc):
    app = hl.explore(loc)
    assert "contacts" not in app.choices

    again = hl.explore(loc, **app.choices)
    run(again.contacts)

    assert again.contacts.columns.value == ("name", "email", "phone", "source", "owner", "created_at")
