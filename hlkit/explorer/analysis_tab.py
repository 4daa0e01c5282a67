"""Analyses: choose a question, run it, see the table, the chart, how it is made, and the code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ipywidgets as W
import pandas as pd

from hlkit.analysis.core.registry import ANALYSES, Analysis
from hlkit.analysis.core.result import Result
from hlkit.client.options import SPAN, refuse_unknown
from hlkit.client.resources import CATALOG
from hlkit.client.text import many
from hlkit.explorer import html
from hlkit.explorer.background_task import Work
from hlkit.explorer.controls import LABEL, columns_of, controls, in_rows, offered, values
from hlkit.explorer.date_presets import ALL, OWN, PRESETS, day_bounds, span
from hlkit.explorer.export_panel import Saving
from hlkit.explorer.long_table import MOST, long_table
from hlkit.explorer.quota_tab import in_words
from hlkit.explorer.view import NO_LOCATION, Chosen, View, close_all

FIRST = "speed_to_lead"
_LONG, _SHOWN = 25, 500  # rows: from which a table is long; that one without search shows
_FORMATS = {"CSV": "csv", "Excel": "xlsx", "Parquet": "parquet", "PNG": "png"}


class AnalysesView(View):
    """Every analysis that there is, behind one list."""

    title = "Analyses"

    def __init__(self, chosen: Chosen, analysis: str | None = None, options: dict[str, Any] | None = None) -> None:
        self.work = Work()
        self.result: Result | None = None
        self._long: W.DOMWidget | None = None
        self._ran = ""  # the code of the result
        self._first = analysis or FIRST
        self._given = checked(ANALYSES[self._first], options, chosen)
        self._controls: dict[str, W.Widget] = {}
        super().__init__(chosen)

    # ---- its widgets

    def made(self) -> W.Box:
        labels = [(f"{name}: {one.question}", name) for name, one in ANALYSES.items()]
        wide = W.Layout(width="auto", max_width="720px")
        self.analysis = W.Dropdown(
            options=labels, value=self._first, description="Analysis", layout=wide, style=LABEL
        )
        today = self.chosen.today
        since, until = day_bounds({name: self._given.pop(name, None) for name in SPAN}, self.chosen.zone, today)
        known = [preset for preset in PRESETS if preset != OWN and span(preset, today) == (since, until)]
        self.preset = W.Dropdown(options=PRESETS, value=next(iter(known), OWN), description="Dates", style=LABEL)
        self.since = W.DatePicker(value=since, description="From", tooltip="The first day", style=LABEL)
        self.until = W.DatePicker(value=until, description="Before", tooltip="The day after the last", style=LABEL)
        self.choosers, self.meanings = in_rows([]), W.HTML()
        self.estimate, self.stale = W.HTML(), W.HTML()
        self.run = W.Button(description="Run", button_style="primary", tooltip="Read what is needed and answer")
        self.cancel = W.Button(description="Cancel", disabled=True, tooltip="Stop")
        self.bar = W.FloatProgress(min=0, max=1, description="Progress", tooltip="", style=LABEL)
        self.bar.layout.display = "none"
        self.status = W.HTML("")
        self._make_output()
        for name in ("analysis", "run", "cancel", "bar", "status"):
            getattr(self, name).add_class(f"hlkit-{name}")
        self.analysis.observe(self.does(self._choose), "value")
        self.preset.observe(self.does(self._set_dates), "value")
        for date in (self.since, self.until):
            date.observe(self.does(self._own_dates), "value")
            date.observe(self.does(self._show_stale), "value")
        self.run.on_click(self.does(self.start))
        self.cancel.on_click(self.does(self.work.stop))
        self.work.observe(self.does(self._show_progress), ["status", "words", "share"])
        self.chosen.observe(self.does(self._learn), "spent")
        self._choose()
        return W.VBox(
            [
                self.analysis,
                self.choosers,
                in_rows([self.preset, self.since, self.until]),
                W.Accordion(children=[self.meanings], titles=["What these choices mean"]),
                self.estimate,
                W.HBox([self.run, self.cancel]),
                self.bar,
                self.status,
                self.stale,
                self.output,
            ]
        )

    def _make_output(self) -> None:
        self.table, self.chart, self.definition = W.HTML(), W.HTML(), W.HTML()
        self.shown_code, self.tables = W.HTML(), W.VBox()
        self.saving = Saving(_FORMATS, self._write, self.chosen)
        self.output = W.Tab(
            children=[self.chart, self.tables, self.definition, self.shown_code, self.saving.box],
            titles=["Chart", "Table", "Definition", "Code", "Export"],
        )
        self.output.add_class("hlkit-output")
        self.output.layout.display = "none"

    def works(self) -> tuple[Work, ...]:
        return (self.work,)

    def close(self) -> None:
        super().close()
        self.result = self._long = None

    # ---- choosing: no request

    @property
    def asked(self) -> Analysis:
        """The analysis that is chosen."""
        return ANALYSES[self.analysis.value]

    def opened(self) -> None:
        self.work.stop()
        self.result, self._ran, self.status.value = None, "", ""  # it was of another location
        self.output.layout.display = "none"
        self._given = values(self.asked, self._controls)  # what is chosen stays
        self._choose()
        self._set_dates()  # today is the location's

    def _choose(self) -> None:
        given, self._given = self._given, {}
        before, self._controls = self._controls, controls(self.asked, self._columns(), given)
        for widget in self._controls.values():
            widget.observe(self.does(self._show_stale), "value")
        self.choosers.children = tuple(self._controls.values())
        for widget in before.values():
            close_all(widget)
        self.meanings.value = html.facts(
            (widget.description, self.asked.options[name].doc.replace("``", '"'))
            for name, widget in self._controls.items()
        )
        if "show" in self._controls:
            self._controls["show"].observe(self.does(self._show_estimate), "value")
        has_dates = CATALOG[next(iter(self.asked.frames))].when is not None
        for widget in (self.preset, self.since, self.until):
            widget.disabled = not has_dates
        self._show_estimate()
        self._show_stale()

    def _columns(self) -> list[str]:
        """What one can group by, as it may be seen."""
        return [self.chosen.column(name) for name in columns_of(self.chosen.loc, self.asked)]

    def _learn(self) -> None:
        """Something was read: the custom fields may be known by now, and the next run be cheaper."""
        if "by" in self._controls:
            self._controls["by"].options = offered(self.asked.options["by"], self._columns())
        self._show_estimate()

    def _show_estimate(self) -> None:
        loc = self.chosen.loc
        self.run.disabled = loc is None or self.work.status == "running"
        show = values(self.asked, self._controls).get("show")
        self.estimate.value = html.note(NO_LOCATION if loc is None else in_words(loc.costs(*self.asked.wanted(show))))

    def _show_stale(self) -> None:
        """Say of an answer that it is one to other choices."""
        is_stale = self.output.layout.display != "none" and self._ran != self._call()
        self.stale.value = html.note(f"The answer below is to other choices: {self._ran}") if is_stale else ""

    def _set_dates(self) -> None:
        if self.preset.value != OWN:
            self._setting = True
            self.since.value, self.until.value = span(self.preset.value, self.chosen.today)
            self._setting = False

    _setting = False

    def _own_dates(self) -> None:
        dates = (self.since.value, self.until.value)
        if not self._setting and not any(dates):
            self.preset.value = ALL
        elif not self._setting and span(self.preset.value, self.chosen.today) != dates:
            self.preset.value = OWN

    @property
    def options(self) -> dict[str, Any]:
        """What is chosen, as the call takes it."""
        dates = {"since": self.since.value, "until": self.until.value} if not self.since.disabled else {}
        told = {name: value.isoformat() for name, value in dates.items() if value is not None}
        return values(self.asked, self._controls) | told

    # ---- running

    def start(self) -> None:
        """Run what is chosen, in a thread."""
        loc = self.chosen.loc
        if loc is None:
            self.status.value = html.note(NO_LOCATION)
            return
        name, code = self.analysis.value, self._call()
        options = {choice: self.chosen.field(value) for choice, value in self.options.items()}
        asker = loc.analyses[name]

        def done(result: Result) -> None:
            result = self.chosen.result(result)
            self.result, self._ran = result, code
            self._show(result)
            self._show_stale()
            self.chosen.spent += 1

        self.work.start(lambda progress: asker(progress=progress, **options), done)

    def _show_progress(self) -> None:
        work = self.work
        running = work.status == "running"
        self.run.disabled, self.cancel.disabled = running or self.chosen.loc is None, not running
        if work.status == "failed":  # what stands there answers another question
            self.output.layout.display, self.stale.value = "none", ""
        self.bar.value, self.bar.layout.display = work.share or 0.0, "" if running else "none"
        self.status.value = self.chosen.progress(work, "hlkit-words")

    def _show(self, result: Result) -> None:
        self.chart.value = html.box(result.headline_html() + result.chart_html())
        rows, zone = len(result.table), result.provenance["timezone"]
        long = long_table(result.formatted(MOST)) if rows > _LONG else None
        shown = min(rows, _SHOWN if long is None else MOST)
        more = many(rows, "row") + (f"; the first {shown:,} are shown, Export writes all" if shown < rows else "")
        before, self._long = self._long, long
        if long is None:
            self.table.value = html.table(result.formatted(_SHOWN), zone, more=more, name="hlkit-result")
            self.tables.children = (self.table,)
        else:
            self.table.value = html.note(more)
            self.tables.children = (long, self.table)
        for widget in (before, long if self.is_closed else None):  # it may be closed meanwhile
            if widget is not None:
                close_all(widget)
        self.definition.value = html.paragraphs(result.definition) + html.facts(result.provenance.lines())
        self.shown_code.value = html.code(self.code)
        self.saving.written.value = ""
        if self.output.selected_index not in (0, 1):
            self.output.selected_index = 0
        self.output.layout.display = ""

    def _write(self, folder: Path, ending: str) -> Path | None:
        if self.result is None:
            return None
        path = folder / f"{self.result.analysis.name}.{ending}"
        return self.result.save(path) if ending == "png" else self.result.write(path)

    # ---- what it was

    def _call(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"loc.analyses.{self.analysis.value}({options})"

    @property
    def code(self) -> str:
        return self.whole(f"result = {self._ran or self._call()}", "result.table")

    @property
    def frame(self) -> pd.DataFrame | None:
        return None if self.result is None else self.result.table

    @property
    def choices(self) -> dict[str, Any]:
        return {"analysis": self.analysis.value, "options": self.options}


def checked(asked: Analysis, options: Mapping[str, Any] | None, chosen: Chosen) -> dict[str, Any]:
    """What is chosen of an analysis, to begin with. Raises ``InvalidRequest``."""
    given = dict(options or {})
    own = {name: value for name, value in given.items() if name not in SPAN}
    allowed = [name for name in asked.options if name not in asked.fills]
    refuse_unknown(asked.name, own, [*allowed, *SPAN])
    values = asked.chosen({**own, "as_of": "2000-01-01"})
    day_bounds({name: given.get(name) for name in SPAN}, chosen.zone, chosen.today)
    return given | {name: values[name] for name in own}
