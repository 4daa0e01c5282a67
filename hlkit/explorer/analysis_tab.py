"""The Analyses tab: choose an analysis and its options, run it, and see its chart, table, definition and code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd

from hlkit.analysis.core.analysis import Analysis
from hlkit.analysis.core.registry import ANALYSES, by_topic
from hlkit.analysis.core.result import Result
from hlkit.client.options import SPAN as DATE_NAMES
from hlkit.client.options import refuse_unknown
from hlkit.client.resources import CATALOG
from hlkit.client.text import many
from hlkit.explorer import html
from hlkit.explorer.background_task import BackgroundTask
from hlkit.explorer.controls import (
    LABEL_STYLE,
    grid,
    group_suggestions,
    groupable_columns,
    option_controls,
    option_values,
)
from hlkit.explorer.date_presets import ALL_TIME, CUSTOM, PRESETS, date_range, preset_range
from hlkit.explorer.export_panel import ExportPanel
from hlkit.explorer.long_table import MAX_INTERACTIVE_ROWS, long_table
from hlkit.explorer.quota_tab import cost_message
from hlkit.explorer.view import NO_LOCATION, ExplorerState, View, close_all

DEFAULT_ANALYSIS = "speed_to_lead"
_SHORT_TABLE_ROWS = 25  # a longer table can be searched and sorted, if itables is installed
_PLAIN_TABLE_ROWS = 500  # the most rows shown without itables
_EXPORT_FORMATS = {"CSV": "csv", "Excel": "xlsx", "Parquet": "parquet", "PNG": "png"}
_OUTPUT_TITLES = ("Chart", "Table", "Definition", "Code", "Export")


class AnalysesView(View):
    """A form for any analysis, and its latest result."""

    title = "Analyses"

    def __init__(
        self, state: ExplorerState, analysis: str | None = None, options: Mapping[str, Any] | None = None
    ) -> None:
        self.task = BackgroundTask()
        self.result: Result | None = None
        self._result_code = ""  # the call that returned the result
        self._interactive_table: widgets.DOMWidget | None = None
        self._controls: dict[str, widgets.Widget] = {}  # by the name of the option
        self._is_setting_dates = False
        self._initial_analysis = analysis or DEFAULT_ANALYSIS
        self._initial_options = check_options(ANALYSES[self._initial_analysis], options, state)
        super().__init__(state)  # calls build(), which needs the attributes above

    # ---- widgets

    def build(self) -> widgets.Box:
        self._build_form()
        self._build_output()
        self._connect_callbacks()
        self._show_form(self._initial_options)
        return widgets.VBox(
            [
                self.picker,
                self.option_grid,
                grid([self.preset, self.since, self.until]),
                widgets.Accordion(children=[self.option_help], titles=["What the options mean"]),
                self.cost_note,
                widgets.HBox([self.run_button, self.cancel_button]),
                self.progress_bar,
                self.status,
                self.stale_note,
                self.output,
            ]
        )

    def _build_form(self) -> None:
        self.picker = widgets.Dropdown(
            options=[
                (picker_label(analysis), analysis.name) for group in by_topic(ANALYSES).values() for analysis in group
            ],
            value=self._initial_analysis,
            description="Analysis",
            layout=widgets.Layout(width="auto", max_width="720px"),
            style=LABEL_STYLE,
        )
        self.option_grid = grid([])
        self.option_help = widgets.HTML()
        self._build_dates()
        self.cost_note = widgets.HTML()
        self.run_button = widgets.Button(
            description="Run", button_style="primary", tooltip="Download missing data and run the analysis"
        )
        self.cancel_button = widgets.Button(description="Cancel", disabled=True, tooltip="Stop the running analysis")
        self.progress_bar = widgets.FloatProgress(min=0, max=1, description="Progress", style=LABEL_STYLE)
        self.progress_bar.layout.display = "none"
        self.status = widgets.HTML()
        self.stale_note = widgets.HTML()  # says that the output was computed from other options
        for css_class, widget in (  # for the style sheet and for tests in a browser
            ("hlkit-analysis", self.picker),
            ("hlkit-run", self.run_button),
            ("hlkit-cancel", self.cancel_button),
            ("hlkit-bar", self.progress_bar),
            ("hlkit-status", self.status),
        ):
            widget.add_class(css_class)

    def _build_dates(self) -> None:
        today = self.state.today
        dates = {name: self._initial_options.get(name) for name in DATE_NAMES}
        since, until = date_range(dates, self.state.zone, today)
        matching = [name for name in PRESETS if name != CUSTOM and preset_range(name, today) == (since, until)]
        preset = matching[0] if matching else CUSTOM
        self.preset = widgets.Dropdown(options=PRESETS, value=preset, description="Dates", style=LABEL_STYLE)
        self.since = widgets.DatePicker(
            value=since, description="Start", tooltip="The first day included", style=LABEL_STYLE
        )
        self.until = widgets.DatePicker(
            value=until, description="End (exclusive)", tooltip="The first day not included", style=LABEL_STYLE
        )

    def _build_output(self) -> None:
        self.chart = widgets.HTML()
        # The table box holds table_html alone, or an interactive table and below it the row count in table_html.
        self.table_html = widgets.HTML()
        self.table_box = widgets.VBox()
        self.definition = widgets.HTML()
        self.code_html = widgets.HTML()
        self.export_panel = ExportPanel(_EXPORT_FORMATS, self._export, self.state)
        self.output = widgets.Tab(
            children=[self.chart, self.table_box, self.definition, self.code_html, self.export_panel.box],
            titles=_OUTPUT_TITLES,
        )
        self.output.add_class("hlkit-output")
        self._show_output(False)

    def _show_output(self, visible: bool) -> None:
        self.output.layout.display = "" if visible else "none"

    @property
    def _is_output_shown(self) -> bool:
        return bool(self.output.layout.display != "none")

    def _connect_callbacks(self) -> None:
        # callback() drops the event argument, so each method is called without arguments.
        self.picker.observe(self.callback(self._show_form), "value")
        self.preset.observe(self.callback(self._apply_preset), "value")
        for date_picker in (self.since, self.until):
            date_picker.observe(self.callback(self._update_preset), "value")
            date_picker.observe(self.callback(self._show_stale_note), "value")
        self.run_button.on_click(self.callback(self.start))
        self.cancel_button.on_click(self.callback(self.task.stop))
        self.task.observe(self.callback(self._show_progress), ["status", "message", "fraction"])
        self.state.observe(self.callback(self._refresh_after_read), "read_count")

    def tasks(self) -> tuple[BackgroundTask, ...]:
        return (self.task,)

    def close(self) -> None:
        super().close()  # closes the task and all widgets
        self.result = self._interactive_table = None  # frees their data

    # ---- the form: changing it sends no request

    @property
    def analysis(self) -> Analysis:
        """The selected analysis."""
        return ANALYSES[self.picker.value]

    @property
    def options(self) -> dict[str, Any]:
        """The selected options and dates, as arguments of the analysis. Options at their defaults are left out."""
        options = option_values(self.analysis, self._controls)
        for name, date_picker in (("since", self.since), ("until", self.until)):
            if not date_picker.disabled and date_picker.value is not None:
                options[name] = date_picker.value.isoformat()
        return options

    def refresh(self) -> None:
        """Discard the previous result. Called after the location changed. The selected options stay."""
        self.task.stop()
        self.result, self._result_code = None, ""
        self.status.value = ""
        self._show_output(False)
        self._show_form(option_values(self.analysis, self._controls))
        self._apply_preset()  # the current day depends on the location

    def _show_form(self, options: Mapping[str, Any] | None = None) -> None:
        """Replace the controls with those of the selected analysis, set to *options* or to their defaults."""
        previous_controls = self._controls
        self._controls = option_controls(self.analysis, self._group_columns(), options or {})
        for control in self._controls.values():
            control.observe(self.callback(self._show_stale_note), "value")
            control.observe(self.callback(self._update_cost_and_run_button), "value")  # it may need other resources
        self.option_grid.children = tuple(self._controls.values())
        for control in previous_controls.values():
            close_all(control)
        self.option_help.value = html.key_values(
            (control.description, self.analysis.options[name].doc.replace("``", '"'))
            for name, control in self._controls.items()
        )
        main_resource = CATALOG[self.analysis.main_resource]
        for date_control in (self.preset, self.since, self.until):
            date_control.disabled = main_resource.when is None  # its rows have no date to filter by
        self._update_cost_and_run_button()
        self._show_stale_note()

    def _group_columns(self) -> list[str]:
        names = groupable_columns(self.state.loc, self.analysis)
        # If personal data is hidden, custom fields have made-up names: the real ones may be personal too.
        return [self.state.redact_column_name(name) for name in names]

    def _refresh_after_read(self) -> None:
        """Update group suggestions and cost after any tab has read data, which may have added custom fields."""
        if "by" in self._controls:
            by_option = self.analysis.options["by"]
            self._controls["by"].options = group_suggestions(by_option, self._group_columns())
        self._update_cost_and_run_button()

    def _update_cost_and_run_button(self) -> None:
        """Show above the button what a run would cost, and enable or disable the button."""
        loc = self.state.loc
        self.run_button.disabled = loc is None or self.task.status == "running"
        if loc is None:
            self.cost_note.value = html.note(NO_LOCATION)
        else:
            resources = self.analysis.resources_for(option_values(self.analysis, self._controls))
            self.cost_note.value = html.note(cost_message(loc.costs(*resources)))

    def _show_stale_note(self) -> None:
        """Warn if the options changed since the result was computed."""
        is_stale = self._is_output_shown and self._result_code != self._call_code()
        text = f"Result is from earlier settings: {self._result_code}. Press Run to update."
        self.stale_note.value = html.note(text) if is_stale else ""

    def _apply_preset(self) -> None:
        """Set the dates to the selected preset."""
        if self.preset.value != CUSTOM:
            self._is_setting_dates = True  # _update_preset ignores these changes
            self.since.value, self.until.value = preset_range(self.preset.value, self.state.today)
            self._is_setting_dates = False

    def _update_preset(self) -> None:
        """Set the preset after a person changed a date."""
        if self._is_setting_dates:
            return
        dates = (self.since.value, self.until.value)
        if dates == (None, None):
            self.preset.value = ALL_TIME
        elif dates != preset_range(self.preset.value, self.state.today):
            self.preset.value = CUSTOM

    # ---- running

    def start(self) -> None:
        """Run the selected analysis in the background."""
        loc = self.state.loc
        if loc is None:
            self.status.value = html.note(NO_LOCATION)
            return
        call_code = self._call_code()  # the form may change while the analysis runs
        bound_analysis = loc.analyses[self.picker.value]
        # If personal data is hidden, the form shows made-up names of custom fields. The analysis runs with the real
        # names, and with all other values as they are. The code that is shown keeps the made-up names.
        options = {name: self.state.original_value(value) for name, value in self.options.items()}

        def on_done(result: Result) -> None:
            self.result, self._result_code = self.state.redact_result(result), call_code
            self._show_result(self.result)
            self._show_stale_note()
            self.state.read_count += 1  # all tabs observe it

        self.task.start(lambda progress: bound_analysis(progress=progress, **options), on_done)

    def _show_progress(self) -> None:
        is_running = self.task.status == "running"
        self.run_button.disabled = is_running or self.state.loc is None
        self.cancel_button.disabled = not is_running
        self.progress_bar.value = self.task.fraction or 0.0
        self.progress_bar.layout.display = "" if is_running else "none"
        self.status.value = self.state.task_html(self.task, css_class="hlkit-task-message")
        if self.task.status == "failed":  # show no earlier result below an error; ``frame`` still returns it
            self._show_output(False)
            self.stale_note.value = ""

    def _show_result(self, result: Result) -> None:
        self.chart.value = html.box(result.headline_html() + result.chart_html())
        self._show_table(result)
        self.definition.value = html.paragraphs(result.definition) + html.key_values(result.provenance.lines())
        self.code_html.value = html.code(self.code)
        self.export_panel.message.value = ""
        chart_index, table_index = _OUTPUT_TITLES.index("Chart"), _OUTPUT_TITLES.index("Table")
        if self.output.selected_index not in (chart_index, table_index):  # the other tabs show no numbers
            self.output.selected_index = chart_index
        self._show_output(True)

    def _show_table(self, result: Result) -> None:
        row_count = len(result.table)
        interactive = None
        if row_count > _SHORT_TABLE_ROWS:
            # None if itables is not installed
            rows = result.formatted(MAX_INTERACTIVE_ROWS, intervals=False)
            interactive = long_table(rows[[*rows.columns.difference(result.links, sort=False), *result.links]])
        max_rows = _PLAIN_TABLE_ROWS if interactive is None else MAX_INTERACTIVE_ROWS
        footer = many(row_count, "row")
        if row_count > max_rows:
            footer += f"; showing the first {max_rows:,}. Export saves all rows."
        if interactive is None:
            rows, zone = result.formatted(max_rows), result.provenance["timezone"]
            self.table_html.value = html.table(
                rows, zone, footer=footer, css_class="hlkit-result", links=result.links
            )
            self.table_box.children = (self.table_html,)
        else:
            self.table_html.value = html.note(footer)
            self.table_box.children = (interactive, self.table_html)
        if self._interactive_table is not None:
            close_all(self._interactive_table)
        self._interactive_table = interactive
        if interactive is not None and self.is_closed:  # the explorer was closed while the analysis ran
            close_all(interactive)

    def _export(self, folder: Path, extension: str) -> Path | None:
        if self.result is None:
            return None
        path = folder / f"{self.result.analysis.name}.{extension}"
        # save() writes the chart, write() the table.
        return self.result.save(path) if extension == "png" else self.result.write(path)

    # ---- the equivalent code, and the other properties of a View

    def _call_code(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"loc.analyses.{self.picker.value}({arguments})"

    @property
    def code(self) -> str:
        """Python code for the table of the latest result; if there is none, for that of the form."""
        return self.full_code(f"result = {self._result_code or self._call_code()}", "result.table")

    @property
    def frame(self) -> pd.DataFrame | None:
        """The table of the latest result; ``None`` if there is none."""
        return None if self.result is None else self.result.table

    @property
    def choices(self) -> dict[str, Any]:
        """The selected analysis and options, as arguments that reopen this tab with them."""
        return {"analysis": self.picker.value, "options": self.options}


def picker_label(analysis: Analysis) -> str:
    """How an analysis is listed: Leads · How fast do we answer new leads? (speed_to_lead)."""
    return f"{analysis.topic.capitalize()} · {analysis.question} ({analysis.name})"


def check_options(analysis: Analysis, options: Mapping[str, Any] | None, state: ExplorerState) -> dict[str, Any]:
    """Validate *options*, which may include dates, and return them, each value converted to its option's type.

    Dates are checked but not converted.

    Raises ``InvalidRequest`` for an unknown option, or an invalid value.
    """
    options = dict(options or {})
    dates = {name: options.get(name) for name in DATE_NAMES}
    date_range(dates, state.zone, state.today)  # raises if a date is invalid
    # The location fills in some options when the analysis runs, such as ``as_of``: they cannot be chosen.
    available = [name for name in analysis.options if name not in analysis.filled_by_location]
    refuse_unknown(analysis.name, options, [*available, *DATE_NAMES])
    analysis_options = {name: value for name, value in options.items() if name not in DATE_NAMES}
    # All analyses accept ``as_of``, and some cannot be validated without it. Any date will do.
    validated = analysis.validate({**analysis_options, "as_of": "2000-01-01"})
    return options | {name: validated[name] for name in analysis_options}
