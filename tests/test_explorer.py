"""The explorer without a kernel or a browser: clicks, cancellation, failures, every tab and its code."""

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

import ipywidgets as widgets
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
from hlkit.explorer import analysis_tab, contacts_tab, explorer, html, long_table
from hlkit.explorer.background_task import MAX_PER_SECOND, BackgroundTask, Throttle
from hlkit.explorer.controls import NO_GROUPING, groupable_columns, option_controls, option_values
from hlkit.explorer.date_presets import PRESETS, preset_range
from hlkit.explorer.redaction import redact_frame, redact_message, redact_result
from hlkit.explorer.search import ContactIndex, Criteria, code
from hlkit.explorer.timeline import events, plain_text
from hlkit.explorer.view import ExplorerState
from hlkit.files.summary import pseudonym
from hlkit.sim import Simulation

AS_OF = "2026-01-01"
TOKEN = "pit-00000000-0000-0000-0000-0000000000e1"


@pytest.fixture(scope="module")
def simulation():
    with Simulation(size=150, as_of=AS_OF, burst=(9000, 10_000)) as simulation:
        yield simulation


@pytest.fixture(autouse=True)
def isolated_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


CHART_HTML = Result.chart_html


@pytest.fixture(autouse=True)
def no_charts(monkeypatch):
    """Drawing a chart takes longer than everything else, so only tests that need charts draw them."""
    monkeypatch.setattr(Result, "chart_html", lambda result: "")


@pytest.fixture
def charts(no_charts, monkeypatch):
    monkeypatch.setattr(Result, "chart_html", CHART_HTML)


@pytest.fixture
def loc(simulation, tmp_path):
    """A location with an empty cache."""
    return connected(simulation, tmp_path)


@pytest.fixture(scope="module")
def warm(simulation, tmp_path_factory):
    """A location with everything cached that these tests need."""
    loc = connected(simulation, tmp_path_factory.mktemp("warm"))
    for resource in (loc.location, loc.contacts, loc.users, loc.messages, loc.opportunities):
        resource()
    return loc


def connected(simulation, tmp_path):
    return hl.connect(simulation.token, simulation.location_id, base_url=simulation.url, cache=tmp_path)


def run(view):
    view.start()
    view.task.join(30)


def result_of(code, loc):
    """The value of the last line of *code*, run with *loc* as the location."""
    lines = [line for line in code.splitlines() if not line.startswith(("import hlkit", "loc = "))]
    *first, last = ast.parse("\n".join(lines)).body
    names = {"hl": hl, "loc": loc}
    exec(compile(ast.Module(first, []), "code", "exec"), names)
    return eval(compile(ast.Expression(last.value), "code", "eval"), names)


# ---- opening


def test_it_opens_without_a_kernel_and_without_a_request(loc, simulation):
    before = len(simulation.log)

    app = hl.explore(loc)

    assert [view.title for view in app.views] == ["Location", "Contacts", "Analyses", "Quota"]
    assert len(simulation.log) == before
    assert app.selected.empty
    assert app.result is None


CONTROLS = (
    *(widgets.Text, widgets.Dropdown, widgets.Combobox, widgets.DatePicker, widgets.Button),
    *(widgets.IntSlider, widgets.Checkbox),
)


def all_widgets(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from all_widgets(child)


def test_every_control_has_a_label_and_can_be_reached_by_keyboard(warm):
    app = hl.explore(warm)

    for widget in all_widgets(app.box):
        if isinstance(widget, CONTROLS):
            assert widget.description, widget
            assert widget.tabbable is not False


def test_changing_a_control_sends_no_request(warm, simulation):
    app = hl.explore(warm)
    before = len(simulation.log)

    for name in hl.analyses:
        app.analyses.picker.value = name
    for preset in PRESETS:
        app.analyses.preset.value = preset
    app.contacts.search.value = "ann"
    app.contacts.search_now()
    for number in range(4):
        app.box.selected_index = number

    assert len(simulation.log) == before


def test_it_has_a_text_and_html_summary_for_frontends_without_widgets(warm):
    app = hl.explore(warm, analysis="speed_to_lead")

    bundle = app._repr_mimebundle_()

    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert hl.analyses.speed_to_lead.question in bundle["text/html"]
    assert "loc.analyses.speed_to_lead" in bundle["text/html"]
    assert app.code in bundle["text/plain"]
    for view in app.views:  # a tab can also be shown alone
        assert view.code in view._repr_mimebundle_()["text/plain"]


def test_its_choices_open_it_in_the_same_state(warm):
    app = hl.explore(warm)
    app.box.selected_index = 1
    app.contacts.search.value = "a"
    app.contacts.source.value = "google"
    app.contacts.since.value = dt.date(2025, 1, 1)
    app.contacts.columns.value = ("name", "tags")
    app.analyses.picker.value = "lead_volume"
    app.analyses.preset.value = "Last 90 days"
    app.contacts.search_now()
    selected = app.selected

    reopened = hl.explore(warm, **app.choices)

    assert reopened.choices == app.choices
    assert reopened.view.title == "Contacts"
    pd.testing.assert_frame_equal(reopened.selected, selected)


def test_an_invalid_argument_is_refused(warm):
    for wrong in (
        {"view": "Money"},
        {"analysis": "magic"},
        {"options": {"clock": "cuckoo"}},
        {"options": {"color": "red"}},
        {"options": {"as_of": "2025-01-01"}},  # set by the location
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


# ---- opening again and closing


def count_widgets():
    """The widgets that ipywidgets keeps in memory: it holds each one until it is closed."""
    gc.collect()
    return len(importlib.import_module("ipywidgets.widgets.widget")._instances)


def test_opening_the_explorer_again_frees_the_previous_one(warm):
    def open_and_use():
        app = hl.explore(warm)
        run(app.analyses)
        app.contacts.picker.value = app.contacts.picker.options[1][1]
        app.contacts.open_contact()
        app.contacts.contact_task.join(30)
        return weakref.ref(app), weakref.ref(app.contacts.index.contacts), weakref.ref(app.result)

    previous, widget_count = open_and_use(), count_widgets()

    current = open_and_use()

    assert count_widgets() == widget_count
    assert [reference() for reference in previous] == [None, None, None]
    is_freed = [reference() is None for reference in current]
    assert is_freed == [False, False, False], "it stays open although no variable refers to it"
    current[0]().close()
    assert count_widgets() < widget_count
    assert [reference() for reference in current] == [None, None, None]


def test_a_closed_explorer_says_so_and_does_nothing(warm):
    widget_count = count_widgets()
    app = hl.explore(warm, analysis="lead_volume")
    app.analyses.picker.value = "stuck"
    run(app.analyses)
    choices, code = app.choices, app.code

    app.close()
    app.close()

    assert count_widgets() <= widget_count, "the controls of a previous analysis and the long table are closed too"
    assert app.is_closed
    assert (app.loc, app.result, len(app.selected)) == (None, None, 0)
    assert (app.choices, app.code) == (choices, code)
    assert "(closed)" in repr(app)
    assert set(app._repr_mimebundle_()) == {"text/plain", "text/html"}
    app.analyses.run_button.click()
    app.contacts.load_button.click()
    assert not app.analyses.task.start(print, print)
    assert count_widgets() <= widget_count


def test_explorers_of_two_locations_stay_open_side_by_side(warm, simulation, tmp_path):
    with Simulation(seed=1, size=5, as_of=AS_OF) as other:
        app, beside = hl.explore(warm), hl.explore(connected(other, tmp_path))
        run(beside.contacts)
        run(app.analyses)

    assert (app.is_closed, beside.is_closed) == (False, False)
    assert app.result is not None
    assert len(beside.selected) == 5


def test_a_cell_that_runs_again_closes_the_explorers_it_showed_and_no_others(warm, monkeypatch):
    def run_cell(cell_id, run_id):
        monkeypatch.setattr(explorer, "_current_cell", lambda: (cell_id, run_id))

    run_cell("a", "1")
    first, without_location = hl.explore(warm), hl.explore()
    run_cell("b", "2")
    other = hl.explore(warm)
    assert [app.is_closed for app in (first, without_location)] == [False, False]
    run_cell("a", "3")
    replacement = hl.explore(warm)

    assert [app.is_closed for app in (first, without_location, replacement, other)] == [True, True, False, False]


def test_an_invalid_argument_leaves_no_widget_and_keeps_the_previous_explorer_open(warm):
    app = hl.explore(warm)
    widget_count = count_widgets()

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
    assert count_widgets() == widget_count


def test_closing_the_explorer_stops_its_downloads(tmp_path):
    with Scripted(silent(30)) as server:
        app = hl.explore(hl.connect(TOKEN, "loc1", base_url=server.url, cache=tmp_path, timezone="UTC"))
        for view in (app.contacts, app.analyses, app.location):
            view.start()
        while server.requests == []:
            time.sleep(0.01)

        app.close()

        for view in (app.contacts, app.analyses, app.location):
            view.task.join(10)
            assert (view.task.status, view.task._thread.is_alive()) == ("idle", False)


def test_an_error_in_a_callback_is_shown_in_its_tab_until_the_callback_succeeds(warm, monkeypatch):
    app = hl.explore(warm)
    monkeypatch.setattr(html, "table", lambda *args, **kwargs: 1 / 0)

    app.contacts.next_button.click()
    app.contacts.search.value = "a"
    app.contacts.search_now()

    assert "ZeroDivisionError" in app.contacts.error.value
    assert "bug in hlkit" in app.contacts.error.value
    assert app.analyses.error.value == ""
    monkeypatch.undo()
    app.contacts.search_now()
    assert app.contacts.error.value == ""


def test_a_failed_export_shows_the_error_beside_the_button(warm, tmp_path, monkeypatch):
    view = hl.explore(warm, view="Contacts").contacts

    def full_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(contacts_tab, "write", full_disk)
    view.export_panel.buttons["CSV"].click()

    assert "No space left on device" in view.export_panel.message.value


# ---- a location with little data


@pytest.mark.parametrize(("size", "scopes"), [(0, None), (8, None), (8, set()), (8, {"contacts.readonly"})])
def test_every_tab_works_with_no_data_or_few_scopes(tmp_path, size, scopes):
    with NoUsers(size=size, as_of=AS_OF) as simulation:
        token = simulation.add_token(TOKEN, scopes)
        app = hl.explore(hl.connect(token, simulation.location_id, base_url=simulation.url, cache=tmp_path))
        for number, view in enumerate(app.views):
            app.box.selected_index = number
            if view is not app.quota:
                run(view)
                assert "Trace" not in view.status.value
        for name in ("duplicates", "stuck"):
            app.analyses.picker.value = name
            run(app.analyses)
            assert "Trace" not in app.analyses.status.value
            assert app.analyses.result is not None or "What to do: check" in app.analyses.status.value
        app.contacts.open_button.click()
        for view in (app.contacts, app.analyses):
            view.export_panel.buttons["CSV"].click()
            assert "Trace" not in view.export_panel.message.value
    assert [view.error.value for view in app.views] == ["", "", "", ""]
    if scopes == set():
        assert "check contacts.readonly" in app.contacts.status.value
    elif size == 0:
        assert "No contacts found" in app.contacts.table.value


class NoUsers(Simulation):
    """A location without users."""

    def reply(self, logged):
        reply = super().reply(logged)
        if logged.path == "/users/" and reply.status == 200:
            reply.headers.pop("content-encoding", "")
            reply.body = b'{"users": []}'
        return reply


# ---- analyses


def test_run_shows_the_result_and_the_code_that_returns_it(loc, charts):
    app = hl.explore(loc, view="Analyses")
    view = app.analyses
    view._controls["by"].value = NO_GROUPING

    view.run_button.click()
    view.task.join(30)

    assert view.task.status == "done"
    assert "Note" not in view.status.value
    assert app.result.table["n"].sum() == len(app.result.table) * app.result.table["n"].iloc[0]
    assert "data:image/png" in view.chart.value
    assert escape(app.result.headline) in view.chart.value
    assert escape(app.result.definition[:40]) in view.definition.value
    assert "loc.analyses.speed_to_lead(by=None)" in app.code
    assert "1 row<" in view.table_html.value
    pd.testing.assert_frame_equal(result_of(app.code, loc), view.frame)


def test_a_result_of_earlier_settings_says_so(warm):
    view = hl.explore(warm).analyses
    assert view.stale_note.value == ""
    run(view)
    assert view.stale_note.value == ""

    view.since.value = dt.date(2025, 1, 1)
    assert "earlier settings: loc.analyses.speed_to_lead()" in view.stale_note.value
    view.since.value = None
    assert view.stale_note.value == ""
    view._controls["by"].value = "owner"
    assert "earlier settings" in view.stale_note.value
    run(view)
    assert view.stale_note.value == ""
    view.picker.value = "lead_volume"
    assert "speed_to_lead(by=&#x27;owner&#x27;)" in view.stale_note.value


def test_the_result_of_one_location_is_not_shown_for_another(warm, simulation, tmp_path):
    app = hl.explore(warm, view="Analyses")
    run(app.analyses)

    app.state.loc = connected(simulation, tmp_path / "other")

    assert app.result is None
    assert app.analyses.output.layout.display == "none"
    assert app.analyses.status.value == ""


@pytest.mark.parametrize("name", list(hl.analyses))
def test_every_analysis_runs_with_its_controls(warm, charts, name):
    view = hl.explore(warm, analysis=name).analyses

    run(view)

    assert view.task.status == "done", view.task.traceback
    assert view.result.analysis.name == name


def test_a_long_table_is_interactive_and_a_short_one_is_plain(warm):
    pytest.importorskip("anywidget", reason="long tables need hlkit[notebook]")
    view = hl.explore(warm, analysis="lead_volume").analyses

    run(view)
    table, row_count = view.table_box.children
    assert len(table.df) == len(view.frame) > 25
    assert f"{len(view.frame):,} rows" in row_count.value

    view.picker.value = "speed_to_lead"
    run(view)

    assert view.table_box.children == (view.table_html,)


def test_without_itables_a_long_table_is_truncated_and_says_so(warm, monkeypatch):
    monkeypatch.setattr(long_table, "find_spec", lambda name: None)
    monkeypatch.setattr(analysis_tab, "_PLAIN_TABLE_ROWS", 30)
    view = hl.explore(warm, analysis="lead_volume").analyses

    run(view)

    assert view.table_box.children == (view.table_html,)
    assert view.table_html.value.count("<tr") == 31
    assert f"{len(view.frame):,} rows; showing the first 30. Export saves all rows." in view.table_html.value


def test_a_link_opens_the_record(warm, monkeypatch):
    monkeypatch.setattr(long_table, "find_spec", lambda name: None)
    view = hl.explore(warm, analysis="duplicate_pairs").analyses

    run(view)

    links = view.frame[["link", "other_link"]].head(analysis_tab._PLAIN_TABLE_ROWS).stack()
    assert links.size
    assert re.findall(r'href="([^"]+)"', view.table_html.value) == links.tolist()


def test_a_second_start_while_a_job_runs_does_nothing():
    task, release, runs = BackgroundTask(), threading.Event(), []

    def job(progress):
        runs.append(1)
        release.wait(10)

    assert task.start(job, lambda result: None)
    assert not task.start(job, lambda result: None)
    release.set()
    task.join(10)
    assert (runs, task.status) == ([1], "done")


def test_cancel_takes_effect_at_once_and_again_after_the_next_run(tmp_path):
    with Scripted(silent(30)) as server:
        loc = hl.connect(TOKEN, "loc1", base_url=server.url, cache=tmp_path, timezone="UTC")
        view = hl.explore(loc, analysis="speed_to_lead").analyses
        for _ in range(2):
            view.run_button.click()
            assert view.task.status == "running"
            assert view.run_button.disabled
            time.sleep(0.2)  # a request is in flight
            clicked_at = time.monotonic()
            view.cancel_button.click()
            assert time.monotonic() - clicked_at < 1
            assert view.task.status == "stopped"
            assert not view.run_button.disabled
            assert "Stopped. Partial data saved; resumes next time." in view.status.value
        view.cancel_button.click()  # nothing runs any more
        assert view.task.status == "stopped"
        view.task.join(10)


def test_a_canceled_run_resumes_from_the_responses_that_arrived(tmp_path):
    with Simulation(size=1500, as_of=AS_OF, latency=0.05) as simulation:
        view = hl.explore(connected(simulation, tmp_path), analysis="speed_to_lead").analyses
        view.run_button.click()
        while len(simulation.log) < 6:
            time.sleep(0.01)
        view.cancel_button.click()
        view.task.join(10)
        before_cancel = len(simulation.log)
        run(view)

        assert view.task.status == "done"
        requests = [(logged.path, str(logged.query), str(logged.body)) for logged in simulation.log]
        assert len(requests) - len(set(requests)) <= 1  # the request in flight may be sent again
        assert view.result.provenance["requests"] <= len(requests) - before_cancel + 1


def test_an_error_shows_its_hint_and_not_the_token(simulation, tmp_path):
    token = simulation.add_token(TOKEN, {"contacts.readonly"})
    loc = hl.connect(token, simulation.location_id, base_url=simulation.url, cache=tmp_path)
    view = hl.explore(loc, analysis="speed_to_lead").analyses

    run(view)

    assert view.task.status == "failed"
    assert "conversations/message.readonly" in view.status.value
    assert "What to do" in view.status.value
    assert "custom fields" not in view.status.value
    assert TOKEN not in view.status.value
    assert not view.run_button.disabled


def test_a_bug_in_hlkit_shows_its_traceback_collapsed():
    shown = html.error(ZeroDivisionError("<b>"), "Traceback <b>")

    assert "<details>" in shown
    assert "Traceback &lt;b&gt;" in shown
    assert "<b>&" not in shown.replace("<b>Zero", "")


def test_a_preset_sets_the_dates_and_a_changed_date_sets_the_preset(warm):
    view = hl.explore(warm).analyses

    view.preset.value = "Last month"
    month = view.since.value, view.until.value
    view.since.value = dt.date(2025, 3, 1)

    today = view.state.today
    assert month == preset_range("Last month", today)
    assert view.preset.value == "Custom dates"
    assert view.options["since"] == "2025-03-01"


def test_the_code_of_a_preset_returns_the_same_table(warm, monkeypatch):
    monkeypatch.setattr(ExplorerState, "today", dt.date(2025, 8, 13))
    view = hl.explore(warm, analysis="win_rates").analyses
    for preset in ("Last quarter", "Last 90 days"):
        view.preset.value = preset

        run(view)

        assert "since='2025-0" in view.code
        pd.testing.assert_frame_equal(result_of(view.code, warm), view.frame)


def test_without_dates_the_preset_is_all_time(warm):
    view = hl.explore(warm).analyses

    view.preset.value = "Last 30 days"
    view.since.value = view.until.value = None

    assert (view.preset.value, view.options) == ("All time", {})


def test_a_preset_counts_from_the_current_day_of_the_location():
    app = hl.explore()
    app.analyses.preset.value = "Last 30 days"

    app.state.loc = hl.demo(as_of=AS_OF)

    assert app.analyses.preset.value == "Last 30 days"
    assert app.analyses.options == {"since": "2025-12-02", "until": "2026-01-01"}


def test_the_explorer_opens_with_dates_in_every_format():
    loc = hl.demo(as_of=AS_OF)
    for dates in ({"period": "last month"}, {"since": "2025-12", "until": 2026}):
        view = hl.explore(loc, options=dates).analyses
        assert view.options == {"since": "2025-12-01", "until": "2026-01-01"}
        assert view.preset.value == "Last month"
    for within_day in ("2025-12-01 15:00", 1_764_568_801_000):
        for arguments in ({"options": {"since": within_day}}, {"contacts": {"until": within_day}}):
            with pytest.raises(InvalidRequest, match="takes whole days"):
                hl.explore(loc, **arguments)


def test_the_explorer_opens_with_numpy_numbers_and_pandas_durations(loc):
    for hour in (np.int64(60), 60.0, pd.Timedelta("1h")):
        view = hl.explore(loc, analysis="close_curve", options={"days": np.int64(90)}).analyses
        assert view.options == {"days": 90}
        assert (
            "target_min" not in hl.explore(loc, analysis="responses", options={"target_min": hour}).analyses.options
        )


def test_presets_are_whole_calendar_days():
    today = dt.date(2025, 3, 15)

    assert preset_range("All time", today) == (None, None)
    assert preset_range("Last 7 days", today) == (dt.date(2025, 3, 8), today)
    assert preset_range("This month", today) == (dt.date(2025, 3, 1), dt.date(2025, 4, 1))
    assert preset_range("Last month", today) == (dt.date(2025, 2, 1), dt.date(2025, 3, 1))
    assert preset_range("Last year", today) == (dt.date(2024, 1, 1), dt.date(2025, 1, 1))
    assert preset_range("Last month", dt.date(2025, 1, 31)) == (dt.date(2024, 12, 1), dt.date(2025, 1, 1))


@pytest.mark.parametrize("name", list(hl.analyses))
def test_controls_match_the_signature_and_start_at_its_defaults(warm, name):
    analysis = hl.analyses[name]

    controls = option_controls(analysis, groupable_columns(warm, analysis), {})

    assert set(controls) == set(analysis.options) - set(analysis.filled_by_location)
    assert all(widget.description for widget in controls.values())
    assert option_values(analysis, controls) == {}


def test_all_columns_can_be_grouped_by_and_blank_means_the_default(warm):
    analysis = hl.analyses.speed_to_lead
    by = option_controls(analysis, groupable_columns(warm, analysis), {})["by"]

    assert (by.value, by.placeholder) == ("", "source")  # a browser suggests only what contains the text in the box
    assert by.options[0] == NO_GROUPING
    for text, options in ((NO_GROUPING, {"by": None}), ("owner", {"by": "owner"}), ("source", {}), ("", {})):
        by.value = text
        assert option_values(analysis, {"by": by}) == options
        assert option_controls(analysis, [], options)["by"].value == (text if options else "")


def test_custom_fields_can_be_grouped_by_once_they_are_read(loc):
    app = hl.explore(loc)
    by = app.analyses._controls["by"]
    assert "Property type" not in by.options

    run(app.contacts)

    assert "Property type" in by.options


def test_exports_are_saved_and_their_paths_shown(warm, tmp_path):
    view = hl.explore(warm, analysis="speed_to_lead").analyses
    run(view)
    view.export_panel.folder.value = str(tmp_path)

    for button in view.export_panel.buttons.values():
        button.click()
        assert "Saved to" in view.export_panel.message.value

    assert len(pd.read_csv(tmp_path / "speed_to_lead.csv")) == len(view.frame)
    assert {path.suffix for path in tmp_path.glob("speed_to_lead.*")} == {".csv", ".xlsx", ".parquet", ".png"}
    view.export_panel.folder.value = str(tmp_path / "nowhere")
    view.export_panel.buttons["CSV"].click()
    assert "no folder" in view.export_panel.message.value


# ---- contacts


def test_cached_contacts_show_on_opening_and_others_have_a_load_button(loc, simulation):
    view = hl.explore(loc).contacts
    assert view.load_button.description == "Load"
    assert view.results.layout.display == "none"

    run(view)

    first = view.selected["created_at"].iloc[0].tz_convert("America/Chicago")
    assert f"{first:%Y-%m-%d %H:%M}" in view.table.value
    assert "Note" not in view.status.value
    before, contact_count = len(simulation.log), len(view.selected)
    reopened = hl.explore(loc).contacts
    assert len(reopened.selected) == contact_count == len(loc.contacts())
    assert reopened.results.layout.display == ""
    assert len(simulation.log) == before


def test_owner_names_that_are_not_cached_cost_one_request(loc, simulation):
    loc.contacts()
    loc.timezone.key  # noqa: B018
    view = hl.explore(loc).contacts
    assert view.load_button.description == "Load owner names"
    assert "Owner names are not loaded yet. Uses about 1 request." in view.cost_note.value
    assert "unknown owner …" in view.table.value
    before = len(simulation.log)

    run(view)

    assert len(simulation.log) == before + 1
    assert view.load_button.description == "Reload"
    user_names = set(loc.users()["name"])
    owners = set(view.index.contacts["owner"].dropna())
    assert owners & user_names
    assert all(name.startswith("unknown owner …") for name in owners - user_names), "a deleted user"


def test_contacts_read_by_an_analysis_count_as_downloaded(loc):
    app = hl.explore(loc)
    assert "Not fully downloaded yet: contacts" in app.contacts.cost_note.value

    run(app.analyses)

    assert "Uses about 1 request" in app.contacts.cost_note.value, "for the owner names"


def test_contacts_can_be_reloaded_without_owner_names(simulation, tmp_path):
    token = simulation.add_token(TOKEN, {resource.scope for resource in CATALOG.values()} - {"users.readonly"})
    loc = hl.connect(token, simulation.location_id, base_url=simulation.url, cache=tmp_path)
    view = hl.explore(loc).contacts
    run(view)
    assert (view.load_button.description, view.cost_note.value) == ("Reload", "")
    before = len(simulation.log)

    run(view)

    assert len(simulation.log) > before


def test_the_contacts_that_match_are_exported(warm, tmp_path):
    view = hl.explore(warm).contacts
    view.search.value = "carlos"
    view.search_now()

    view.export_panel.buttons["CSV"].click()

    assert "Saved to" in view.export_panel.message.value
    exported = pd.read_csv(tmp_path / "contacts.csv")
    assert exported["contact_id"].tolist() == view.selected["contact_id"].tolist()


def test_without_a_location_run_is_disabled_and_code_shows_line_by_line():
    app = hl.explore()

    assert app.analyses.run_button.disabled
    assert repr(app.code) == str(app.code)
    assert "\n" in repr(app.code)


def test_the_spellings_of_a_source_count_as_one(warm):
    contacts = warm.contacts()
    view = hl.explore(warm).contacts
    sources = [value for _, value in view.source.options]

    view.source.value = "google"
    view.search_now()

    assert len({source.strip().casefold() for source in sources}) == len(sources)
    spellings = view.selected["source"].str.strip().str.casefold()
    assert spellings.eq("google").all()
    assert len(view.selected) == contacts["source"].str.strip().str.casefold().eq("google").sum()
    assert view.selected["source"].nunique() > 1, "else the test shows nothing"


def test_the_code_of_every_filter_returns_the_same_contacts(warm):
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
        view.search_now()
        assert 0 < len(app.selected) < len(contacts), name
        pd.testing.assert_frame_equal(result_of(app.code, warm), view.frame)
        widget.value = empty
    view.field.value, view.contains.value = field, "o"
    view.tag.value = "newsletter"
    view.search_now()
    pd.testing.assert_frame_equal(result_of(app.code, warm), view.frame)


def test_contacts_show_page_by_page(warm):
    view = hl.explore(warm).contacts

    first = view.table.value
    view.next_button.click()

    assert "1 to 25 of" in first
    assert "26 to 50 of" in view.table.value
    assert view.previous_button.disabled is False
    assert [contact_id for _, contact_id in view.picker.options[1:]] == view.selected["contact_id"].iloc[
        25:50
    ].tolist()
    view.search.value = "nobody has this"
    view.search_now()
    assert "No contacts found, filtered from" in view.table.value
    view.search.value = ""
    view.search_now()
    assert view.table.value == first


def test_an_open_contact_shows_its_fields_and_its_timeline(loc):
    messages, deals = loc.messages(), loc.opportunities()
    contact_id = deals["contact_id"].mode()[0]
    loc.contacts()
    view = hl.explore(loc).contacts
    view.search.value = str(loc.contacts().set_index("contact_id").loc[contact_id, "name"])
    view.search_now()
    view.picker.value = contact_id

    view.open_button.click()
    view.contact_task.join(30)

    assert view.contact_task.status == "done"
    page = view.contact_page.value
    assert contact_id in page
    assert page.count("<td") > 10
    assert page.count(">messages<") == (messages["contact_id"] == contact_id).sum()
    assert page.count(">opportunities<") == (deals["contact_id"] == contact_id).sum()
    assert "Not shown because not downloaded yet: appointments, tasks." in page
    assert view.contact_page.value.index(f"{view.search.value} · {contact_id[-4:]}") < page.index(">messages<")

    view.load_rest_button.click()
    view.contact_task.join(30)

    for name in ("appointments", "tasks"):
        assert view.contact_page.value.count(f">{name}<") == (getattr(loc, name)()["contact_id"] == contact_id).sum()
    assert "Not shown" not in view.contact_page.value
    assert view.load_rest_button.layout.display == "none"


def test_contacts_with_the_same_long_name_have_different_labels(warm):
    contacts = warm.contacts().assign(name="Ann " * 40)
    view = hl.explore(warm).contacts

    view._show_contacts(contacts)

    labels = [label for label, _ in view.picker.options]
    assert len(set(labels)) == len(labels) == 26


def test_a_contact_that_cannot_be_opened_clears_the_previous_one(tmp_path):
    with Simulation(size=60, as_of=AS_OF) as simulation:
        loc = connected(simulation, tmp_path)
        loc.contacts()
        view = hl.explore(loc).contacts
        view.picker.value = view.picker.options[1][1]
        view.open_contact()
        view.contact_task.join(30)
        assert "first_name" in view.contact_page.value
        simulation.revoke(simulation.token)

        view.picker.value = view.picker.options[2][1]
        view.open_contact()
        view.contact_task.join(30)

    assert view.contact_page.value == ""
    assert "does not accept the token" in view.contact_status.value


UNUSUAL_VALUES = (
    {"a": {"url": "https://x.example/a"}},
    [{"label": "home", "n": 5}, None],
    True,
    [None, "<i>x</i>"],
    7.5,
)


class UnusualRows(Simulation):
    """A location whose rows have missing dates, the year 1, objects in lists, and HTML."""

    def reply(self, logged):
        reply = super().reply(logged)
        if logged.path in ("/contacts/search", "/conversations/messages/export") and reply.status < 300:
            if reply.headers.pop("content-encoding", ""):
                reply.body = zlib.decompress(reply.body, 31)
            body = json.loads(reply.body)
            for number, row in enumerate(body.get("contacts", ())):
                row["dateAdded"] = row["dateUpdated"] = (None, "0001-01-01T00:00:00.000Z", "2025-12-31T23:59:59Z")[
                    number % 3
                ]
                row["dateOfBirth"] = ("0001-01-01", None)[number % 2]
                row["tags"] = [None, {"id": 5}, 5, "vip"]
                row["companyName"] = "Tom & <b>Sons</b> $x^2$ **bold**"
                for position, field in enumerate(row["customFields"]):
                    field["value"] = UNUSUAL_VALUES[(position + number) % len(UNUSUAL_VALUES)]
            for number, row in enumerate(body.get("messages", ())):
                row["messageType"] = ("TYPE_SMS", "TYPE_EMAIL")[number % 2]
                row["body"] = "<script>go()</script><div>Tom &amp; <a href='x'>Jerry</a></div>"
                row["dateAdded"] = None if number % 3 else "0001-01-01T00:00:00.000Z"
            reply.body = json.dumps(body).encode()
        return reply


def test_unusual_rows_break_no_table_search_or_page(tmp_path):
    with UnusualRows(size=12, as_of=AS_OF) as simulation:
        app = hl.explore(connected(simulation, tmp_path), view="Contacts")
        view = app.contacts
        run(view)
        view.columns.value = [value for _, value in view.columns.options]
        assert "vip" in view.table.value
        assert [value for _, value in view.tag.options] == ["", "vip"]
        for name, _ in view.field.options[1:]:
            view.field.value, view.contains.value = name, "o"
            view.search_now()
        view.field.value = view.contains.value = ""
        view.tag.value, view.since.value = "vip", dt.date(2025, 1, 1)
        view.search_now()
        assert 0 < len(view.selected) < 12
        view.since.value = None
        view.search_now()
        pages = ""
        for _, contact in view.picker.options[1:]:
            view.picker.value = contact
            view.open_contact()
            view.contact_task.join(30)
            assert view.contact_task.status == "done", view.contact_task.traceback
            pages += view.contact_page.value

    assert [view.error.value for view in app.views] == ["", "", "", ""]
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
def test_a_message_body_becomes_plain_text(body, shown):
    assert plain_text(body) == shown


@pytest.mark.parametrize("count", [0, 1, 2])
def test_events_without_a_time_come_last(count):
    notes = typed("notes", *[{"contact_id": "ann", "body": "no date"}] * count)
    messages = typed("messages", *[{"contact_id": "ann", "type": "TYPE_SMS", "sent_at": pd.Timestamp(0, tz="UTC")}])

    timeline = events("ann", {"notes": notes, "messages": messages[:count]})

    assert timeline["text"].tolist() == ["SMS"] * min(count, 1) + ["no date"] * count
    assert events("ann", {"notes": notes})["at"].dtype == timeline["at"].dtype == messages["sent_at"].dtype


def test_tags_are_removed_from_an_email_and_not_from_a_text_message():
    assert plain_text("<b>Hi</b> <i>Ann</i>", is_email=True) == "Hi Ann"
    assert plain_text("<b>Hi</b> <i>Ann</i>") == "<b>Hi</b> <i>Ann</i>"


def test_the_dates_of_a_search_are_days_in_the_time_zone_of_the_location():
    created = pd.Series(pd.to_datetime(["2025-07-01T04:59Z", "2025-07-01T05:00Z"]), dtype="datetime64[us, UTC]")
    texts = ["a", "b"]
    contacts = pd.DataFrame(
        {"contact_id": texts, "created_at": created, "tags": [["x"], None], "source": texts, "owner_id": texts}
        | dict.fromkeys(("name", "email", "phone", "company_name"), texts)
    )
    criteria = Criteria(since=dt.date(2025, 7, 1))

    found = ContactIndex(contacts, "America/Chicago").find(criteria)

    assert found["contact_id"].tolist() == ["b"]
    assert 'tz="America/Chicago"' in code(criteria, "America/Chicago")


# ---- the location and the quota


def test_the_picker_lists_saved_locations_and_the_demo(monkeypatch):
    monkeypatch.setattr(profiles, "names", lambda: ["acme", "north"])

    view = hl.explore().location

    assert [value for _, value in view.picker.options] == ["(choose)", "acme", "north", "(demo)"]
    assert "Choose a location" in view.card.value
    view.picker.value = "(demo)"
    assert view.state.loc is not None
    assert view.code.startswith("import hlkit as hl\n\nloc = hl.demo()")


def test_a_location_that_cannot_be_opened_closes_the_previous_one(warm, monkeypatch):
    monkeypatch.setattr(profiles, "names", lambda: ["acme"])
    app = hl.explore(warm)

    app.location.picker.value = "acme"

    assert "acme" in app.location.message.value
    assert app.loc is None
    assert "Choose a location" in app.analyses.cost_note.value


def test_check_lists_missing_scopes_and_the_analyses_that_need_them(simulation, tmp_path):
    scopes = {resource.scope for resource in CATALOG.values()} - {"conversations/message.readonly"}
    loc = hl.connect(
        simulation.add_token(TOKEN, scopes), simulation.location_id, base_url=simulation.url, cache=tmp_path
    )
    view = hl.explore(loc).location

    run(view)

    assert view.task.status == "done", view.task.traceback
    assert "conversations/message.readonly" in view.check_result.value
    assert "speed_to_lead" in view.check_result.value
    pd.testing.assert_frame_equal(result_of(view.code, loc), view.frame)


def test_a_failed_check_is_not_a_missing_scope(warm):
    view = hl.explore(warm).location
    check = pd.DataFrame({"resource": ["users", "tags"], "readable": [None, True], "scope": ["u", "t"]})

    view._show_check(check.astype({"readable": "boolean"}))

    assert "cannot read" not in view.check_result.value
    assert "can read everything" not in view.check_result.value


def test_no_widget_asks_for_a_token(warm):
    app = hl.explore(warm)

    assert not any(isinstance(widget, widgets.Password) for widget in all_widgets(app.box))
    assert any("hl.login" in str(getattr(widget, "value", "")) for widget in all_widgets(app.box))


def test_no_widget_holds_the_token(loc, simulation):
    app = hl.explore(loc)
    run(app.contacts)
    run(app.analyses)

    state = repr(widgets.Widget.get_manager_state())

    assert "hlkit-app" in state
    assert simulation.token not in state


def test_the_quota_tab_shows_remaining_used_and_saved_requests(loc):
    app = hl.explore(loc, view="Quota")
    assert "Not fully downloaded yet" in app.analyses.cost_note.value

    loc.contacts()
    loc.contacts()
    app.quota.refresh_button.click()

    assert "requests left" in app.quota.summary.value
    assert "Served from cache" in app.quota.summary.value
    pd.testing.assert_series_equal(result_of(app.code, loc)["requests"], app.quota.frame["requests"])
    run(app.analyses)
    assert "0 requests (cached)." in app.analyses.cost_note.value


def test_the_cost_is_that_of_what_the_options_need(simulation, tmp_path):
    app = hl.explore(connected(simulation, tmp_path), analysis="responses")
    assert "contacts" not in app.analyses.cost_note.value

    app.analyses._controls["by"].value = "owner"
    assert "contacts" in app.analyses.cost_note.value


# ---- redaction

# JSON keys of the texts that people type into a location. Each text gets the same mark, each phone the same digits.
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
MARKED_TEXTS = ("(zqxjv {})", "zqxjv {}", "<b>zqxjv</b> {}", "zqxjv 'of' \"{}\"", "{}, (none) zqxjv")


class MarkedTexts(Simulation):
    """A location where every text that a person typed contains a mark, also in error messages."""

    def reply(self, logged):
        reply = super().reply(logged)
        if reply.headers.pop("content-encoding", ""):
            reply.body = zlib.decompress(reply.body, 31)
        reply.body = json.dumps(add_marks(json.loads(reply.body))).encode()
        return reply


def add_marks(value, key=""):
    if isinstance(value, dict):
        return {name: add_marks(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [add_marks(inner, key) for inner in value]
    if not isinstance(value, str) or key not in TYPED:
        return value
    if re.fullmatch(r"[+\d() -]{7,}", value):
        return f"+1312555{sum(map(ord, value)) % 10_000:04}"
    if "@" in value and " " not in value:
        return f"zqxjv.{value}"
    if value.startswith("http"):
        return f"{value}{'&' if '?' in value else '?'}utm_source=zqxjv"
    return MARKED_TEXTS[sum(map(ord, value)) % len(MARKED_TEXTS)].format(value)


def all_texts(app, seen_styles):
    """The texts in all traits of all widgets of an explorer, and in what it returns to the next cell.

    Layouts and styles are searched once: *seen_styles* holds those that were.
    """
    todo, seen_widgets = [app.box], {id(app.box)}
    while todo:
        widget = todo.pop()
        if isinstance(widget, (widgets.Layout, widgets.Style)):
            if id(widget) in seen_styles:
                continue
            seen_styles[id(widget)] = widget
        if hasattr(widget, "df"):
            yield widget.df.to_csv()
        for name in widget.trait_names():
            for piece in pieces(getattr(widget, name) if name not in ("comm", "log") else None):
                if not isinstance(piece, widgets.Widget):
                    yield piece
                elif id(piece) not in seen_widgets:
                    seen_widgets.add(id(piece))
                    todo.append(piece)
    yield from (app.code, app._summary_html(), repr(app), repr(app.choices), app.selected.to_csv())


def pieces(value):
    if isinstance(value, (list, tuple, set, dict)):
        for inner in (*value, *value.values()) if isinstance(value, dict) else value:
            yield from pieces(inner)
    elif value is not None and not isinstance(value, (bool, int, float)):
        yield value if isinstance(value, (str, widgets.Widget)) else repr(value)


@pytest.fixture
def charts_as_text(no_charts, monkeypatch):
    """All texts of a chart instead of its picture."""

    def chart_html(result):
        figure = Figure(figsize=(6, 4))
        result.plot(figure.subplots())
        return repr([text.get_text() for text in figure.findobj(Text)])

    monkeypatch.setattr(Result, "chart_html", chart_html)


def test_a_redacted_explorer_shows_no_name_after_any_click(tmp_path, charts_as_text):
    searched, seen_styles = set(), {}

    def search():
        fresh = set(all_texts(app, seen_styles)) - searched
        for text in fresh:
            found = MARK.search(text)
            assert found is None, text[max(0, found.start() - 100) : found.end() + 100]
        searched.update(fresh)

    with MarkedTexts(size=40, as_of=AS_OF, burst=(9000, 10_000)) as simulation:
        loc = connected(simulation, tmp_path)
        assert MARK.search(repr(loc.contacts.raw(5))), "else nothing is marked"
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
            contacts.search_now()
            assert 0 < len(app.selected) < 40, "a pseudonym can be looked for"
            search()
            widget.value = ""
        contacts.field.value, contacts.contains.value = contacts.field.options[-1][1], "text"
        contacts.search.value = "name_"
        contacts.search_now()
        search()
        contacts.contains.value = contacts.search.value = ""
        contacts.search_now()
        contacts.next_button.click()
        for download_all in (False, True):
            contacts.picker.value = contacts.picker.options[1][1]
            contacts.load_rest() if download_all else contacts.open_contact()
            contacts.contact_task.join(30)
            assert contacts.contact_task.status == "done", contacts.contact_task.traceback
            search()
        for name in hl.analyses:
            analyses.picker.value = name
            by = analyses._controls.get("by")
            if by is not None:  # a source, a tag, an owner, a stage, the default, or a custom field
                custom_fields = [column for column in by.options if "field_" in column]
                columns = ["source", "tags", "owner", "stage", "", *custom_fields]
                available = [column for column in columns if column in ("", *by.options)]
                by.value = available[len(name) % len(available)]
            run(analyses)
            assert analyses.task.status in ("done", "failed"), name
            search()
            if app.result is not None:
                assert not MARK.search(f"{app.result!r} {app.result.table.attrs}")
        for button in analyses.export_panel.buttons.values():
            button.click()
            search()
        analyses.picker.value = "funnel"
        analyses._controls["pipeline"].value = "none of this name"
        run(analyses)
        assert "choose from …" in analyses.status.value
        search()
        simulation.revoke(simulation.token)
        contacts.start()
        contacts.task.join(30)
        assert "does not accept the token" in contacts.status.value
        search()
        for path in tmp_path.glob("*.*"):
            assert not MARK.search(path.name)
            if path.suffix == ".csv":
                assert not MARK.search(path.read_text())
    assert len(searched) > 1000


def test_all_texts_are_redacted_except_those_of_hlkit_and_highlevel():
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

    shown = redact_frame(frame)

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
    assert shown[wishes].tolist() == [pseudonym(value) for value in "aba"]
    assert shown[phone].isna().all()
    assert shown[agreed].tolist() == frame["Agreed"].tolist()
    assert (shown.dtypes.values == frame.dtypes.values).all()


@pytest.mark.parametrize(
    ("message", "redacted"),
    [
        ("contacts has no column 'Ann\\'s'", "contacts has no column …"),
        ("no pipeline \"Ann's 'own'\" here", "no pipeline … here"),
        ("there are Ann Lee, Bob", "there are …"),
        ("choose from Ann Lee, Bob", "choose from …"),
        ('pip install "hlkit[dedupe]" brings it', 'pip install "hlkit[dedupe]" brings it'),
        (
            "a call such as by=\"owner\" is the user's, not the lead's",
            "a call such as by=\"owner\" is the user's, not the lead's",
        ),
        ("3 in Ann's wishes (Budget)", "3 in field_1 (field_2)"),
    ],
)
def test_quotes_and_lists_in_a_message_are_redacted(message, redacted):
    assert redact_message(message, {"Ann's wishes": "field_1", "Budget": "field_2", "": "x"}) == redacted


def test_an_option_set_by_the_location_is_shown_if_it_is_a_code():
    result = hl.demo(as_of=AS_OF, size=30).analyses.reachability()
    choices = result.table.attrs["hlkit"]["options"]

    assert redact_result(result, str).provenance["options"]["country"] == "US"
    result.table.attrs["hlkit"]["options"] = choices | {"country": "land of Ann"}
    assert redact_result(result, str).provenance["options"]["country"] == pseudonym("land of Ann", "country")


# ---- background tasks, HTML


def test_progress_is_shown_at_most_ten_times_per_second():
    task, messages = BackgroundTask(), []
    task.observe(lambda change: messages.append(change.new), "message")
    started_at = time.monotonic()

    def job(progress):
        while time.monotonic() - started_at < 0.5:
            progress.on_page(ProgressUpdate("contacts", rows=len(messages)))

    task.start(job, lambda result: None)
    task.join(5)

    assert len(messages) <= 0.5 * MAX_PER_SECOND + 4


def test_a_throttle_makes_the_last_call_too():
    calls = []
    throttle = Throttle(lambda: calls.append(len(letters)))
    letters = []
    for letter in "carlos":
        letters.append(letter)
        throttle()
    throttle.call_now()

    assert calls[0] == 1
    assert calls[-1] == 6
    assert len(calls) <= 3


def test_everything_shown_is_escaped():
    nasty = "<img src=x onerror=alert(1)>"
    frame = pd.DataFrame({nasty: [nasty]})

    for shown in (
        html.table(frame, "UTC", footer=nasty),
        html.key_values([(nasty, nasty)]),
        html.note(nasty),
        html.code(nasty),
        html.paragraphs(nasty),
        html.error(InvalidRequest(nasty, hint=nasty)),
    ):
        assert "<img src=x" not in shown
        assert "onerror=alert(1)>" not in shown


def test_dates_before_the_year_1_and_in_9999_are_shown():
    instants = pd.Series(["0001-01-01T00:00", "9999-12-31T23:59", None], dtype="datetime64[ms]")

    hours = [text[:13] for text in html.column_texts(instants.dt.tz_localize("UTC"), "America/Chicago")]

    assert hours == ["0000-12-31 18", "9999-12-31 17", ""]
    assert html.column_texts(instants, "UTC") == ["0001-01-01", "9999-12-31", ""]


def test_only_long_texts_wrap():
    frame = pd.DataFrame({"stage_id": ["7f64c9fd-e8ed-431a-9d59-dd49a7cc03da"], "text": "word " * 20})

    assert html.table(frame, "UTC").count("white-space:nowrap") == 4  # two headers, two cells
    assert html.table(frame, "UTC", max_length=200).count("white-space:nowrap") == 2


def test_options_are_restored_and_stay_for_another_location(warm, simulation, tmp_path):
    app = hl.explore(warm, analysis="speed_to_lead", options={"by": "tags", "clock": "wall", "since": "2025-06-01"})
    options = {"by": "tags", "clock": "wall", "since": "2025-06-01"}

    assert app.choices["options"] == options
    assert hl.explore(warm, **app.choices).choices == app.choices
    app.state.loc = connected(simulation, tmp_path / "other")
    assert app.analyses.options == options


def test_columns_are_not_among_the_choices_before_contacts_are_loaded(loc):
    app = hl.explore(loc)
    assert "contacts" not in app.choices

    reopened = hl.explore(loc, **app.choices)
    run(reopened.contacts)

    assert reopened.contacts.columns.value == ("name", "email", "phone", "source", "owner", "created_at")
