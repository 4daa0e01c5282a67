"""An analysis: a function of DataFrames with its question, its columns, its chart and its headline.

Everything else comes from the signature. Positional parameters name the resources that the analysis needs, or can do
without if they are ``= None``. Keyword-only parameters are its options; a location fills in ``as_of``, ``timezone``
and a few others.

A run types the frames as the catalog declares them, drops and counts rows later than *as_of* and repeated ids, checks
the options, and gives the table its declared columns and dtypes. It describes itself in ``table.attrs["hlkit"]``.
"""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api.types import is_scalar

from hlkit.analysis.core.charts import Chart, draw_chart, first_number, two_way
from hlkit.analysis.core.headlines import Template, option_value, write_headline
from hlkit.analysis.core.inputs import (
    HALVES,
    as_of_instant,
    cast,
    check_value,
    in_json,
    in_unit,
    in_words,
    is_label,
    labels_of,
    numbered,
    plain_number,
    typed,
    without_impossible_dates,
)
from hlkit.analysis.core.known import named
from hlkit.analysis.core.office_hours import office_hours
from hlkit.analysis.core.option_docs import DOCS, FILLED, LINKS, TIMES, parameter_docs
from hlkit.analysis.core.period_change import Change
from hlkit.analysis.core.run_log import CURRENT_RUN, RunLog, drop_rows
from hlkit.client.arguments import plain
from hlkit.client.dates import as_text, instant
from hlkit.client.errors import InvalidRequest
from hlkit.client.options import Option, refuse_unknown
from hlkit.client.resources import CATALOG
from hlkit.client.schema import NUMBER, TEXT, Kind
from hlkit.client.timezones import zone

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Columns = Mapping[str, Kind]
When = Callable[[Mapping[str, Any]], bool]  # whether options need a resource

_DATES = ("_since", "_until")  # options whose names end so are dates
_LABELS = ("by", "key_column")  # options that are column labels, of any type
_CREATED = ("created_at", "sent_at")  # a row with a later one did not exist yet at as_of
# Numpy's own defaults: a notebook that makes numpy strict, as in np.seterr(all="raise"), would break pandas too.
_NUMPY: Any = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}


class Analysis:
    """A question: call it with frames for its table. ``analysis.plot(table)`` draws that."""

    def __init__(
        self,
        function: Callable[..., pd.DataFrame],
        question: str,
        *,
        columns: Columns,
        chart: Chart | None,
        headline: Template | None,
        definition: str,
        noun: str | None,
        rows: Columns,
        when: Mapping[str, When],
        compares: Change | None,
    ) -> None:
        self.function, self.question, self.definition = function, question, definition
        self.name = function.__name__
        self.columns, self.rows, self.compares = columns, rows, compares
        self.chart, self._headline, self._when = chart or first_number(columns), headline, when
        self._parameters = inspect.signature(function).parameters
        self._hints = typing.get_type_hints(function)
        self.noun = noun or self.main_resource
        self.__doc__, self.__name__, self.__module__ = function.__doc__, self.name, function.__module__
        self.__signature__ = self._signature()

    # ---- what its signature says

    @property
    def frames(self) -> dict[str, bool]:
        """The resources it takes, in their order, and whether it needs them."""
        return {
            name: parameter.default is inspect.Parameter.empty
            for name, parameter in self._parameters.items()
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY
        }

    @property
    def main_resource(self) -> str:
        """The first resource it takes. The dates of a run filter its rows."""
        return next(iter(self.frames))

    @property
    def topic(self) -> str:
        """The folder that it is in (leads, sales, inbox, calendar, contacts); "other" if defined elsewhere."""
        folder = re.match(r"hlkit\.analysis\.(\w+)\.", self.function.__module__)
        return folder[1] if folder else "other"

    def resources_for(self, options: Mapping[str, Any] = MappingProxyType({})) -> list[str]:
        """The resources that a run with these *options* reads; those left out have their defaults."""
        options = {name: option.default for name, option in self.options.items()} | dict(options)
        return [name for name in self.frames if name not in self._when or self._when[name](options)]

    def needs_by_options(self, resource: str) -> bool:
        """Whether it reads this resource only with options that need it."""
        return resource in self._when

    @functools.cached_property
    def options(self) -> dict[str, Option]:
        """Its options by name, without as_of, timezone and until."""
        docs = parameter_docs(inspect.getdoc(self.function) or "")
        return {
            name: Option(name, docs.get(name) or DOCS.get(name, ""), self._hints.get(name, Any), parameter.default)
            for name, parameter in self._parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name not in TIMES
        }

    @property
    def filled_by_location(self) -> tuple[str, ...]:
        """Its options that a location fills in."""
        return tuple(name for name in FILLED if name in self._parameters)

    def _signature(self) -> inspect.Signature:
        """The function's signature, always with ``as_of`` and the time zone that it is written in."""
        keyword = inspect.Parameter.KEYWORD_ONLY
        frames = [parameter for parameter in self._parameters.values() if parameter.kind is not keyword]
        options = [parameter for parameter in self._parameters.values() if parameter.kind is keyword]
        for name, default in (("timezone", "UTC"), ("as_of", None)):
            if name not in self._parameters:
                options.insert(0, inspect.Parameter(name, keyword, default=default))
        return inspect.Signature([*frames, *options], return_annotation="pd.DataFrame")

    # ---- running it

    def __call__(self, *frames: pd.DataFrame | None, **options: Any) -> pd.DataFrame:
        return self.run(*frames, **options)[0]

    def run(self, *frames: pd.DataFrame | None, **options: Any) -> tuple[pd.DataFrame, RunLog]:
        """The table, and the log of the run with the rows behind it."""
        by_name = dict(zip(self.frames, frames, strict=False))
        if len(frames) > len(self.frames) or set(by_name) & set(options):
            raise InvalidRequest(f"{self.name} takes {', '.join(self.frames)}", hint="give each frame once, in order")
        by_name |= {name: options.pop(name) for name in self.frames if name in options}
        values = self.validate(options, labels_of(by_name.values()))
        as_of = values["as_of"]
        log = RunLog()
        token = CURRENT_RUN.set(log)
        try:
            with np.errstate(**_NUMPY):
                given = [values[name] for name in _LABELS if values.get(name) is not None]
                labels = [label for value in given for label in (value if isinstance(value, list) else [value])]
                inputs = {name: self._prepared(name, by_name.get(name), as_of, labels) for name in self.frames}
                log.names = {id(frame): name for name, frame in inputs.items() if frame is not None}
                arguments = {name: value for name, value in values.items() if name in self._parameters}
                table = self._typed_table(self.function(**inputs, **arguments))
        finally:
            CURRENT_RUN.reset(token)
        table.attrs["hlkit"] = self._description(inputs, values, as_of, log)
        return table, log

    def validate(self, options: Mapping[str, Any], labels: Collection[Hashable] = ()) -> dict[str, Any]:
        """All options: those given, checked, and the defaults of the others. Raises ``InvalidRequest``.

        A date such as "last month" is counted from *as_of*. *labels* are the columns of the frames: one of them is
        allowed as a column label even if it is not text.
        """
        allowed = [name for name in inspect.signature(self).parameters if name not in self.frames]
        refuse_unknown(self.name, options, allowed)
        values = {name: parameter.default for name, parameter in self._parameters.items() if name in allowed}
        values |= {name: in_unit(name, plain(value)) for name, value in options.items()}
        timezone = zone("UTC" if values.get("timezone") is None else values["timezone"])
        as_of = as_of_instant(values.get("as_of"), timezone, "as_of" in self._parameters)
        today = None if as_of is None else as_of.tz_convert(timezone).date
        for name, value in values.items():
            if name == "until":
                values[name] = instant(name, value, lambda: timezone, today)
            elif name.endswith(_DATES):
                date = instant(name, value, lambda: timezone, today)
                values[name] = None if date is None else as_text(date, timezone)
            elif name not in TIMES and not (name in _LABELS and is_label(value, labels)):
                check_value(self.name, name, value, self._hints.get(name, Any), name in _LABELS)
        values |= {"as_of": as_of, "timezone": timezone.key}
        if "office" in values:
            office_hours(values["office"], values.get("holidays"))
        return values

    def _prepared(
        self, name: str, frame: pd.DataFrame | None, as_of: pd.Timestamp | None, labels: Sequence[Hashable]
    ) -> pd.DataFrame | None:
        """A frame with the catalog's dtypes, each id once, and no row later than *as_of*.

        *labels* are the columns that the options name.
        """
        if frame is None and not self.frames[name]:
            return None
        if not isinstance(frame, pd.DataFrame):
            got = "nothing" if frame is None else type(frame).__name__
            raise InvalidRequest(
                f"{self.name} needs the frame {name}, and got {got}", hint=f"give it loc.{name}(), or a frame like it"
            )
        kinds = {column.name: column.kind for column in CATALOG[name].columns} if name in CATALOG else {}
        frame = numbered(frame, name, {*kinds, *labels})
        if name in CATALOG:
            frame = without_impossible_dates(typed(frame, kinds, name), kinds, name)
            key = CATALOG[name].key
            if key in frame and not frame[key].is_unique:
                repeated = frame[key].duplicated(keep="last") & frame[key].notna()
                frame = drop_rows(frame, repeated, f"{name} that repeat an id")
        for column in _CREATED if as_of is not None else ():
            if column in kinds and column in frame:
                frame = drop_rows(frame, frame[column] > as_of, f"{name} later than as_of")
        return frame

    def _typed_table(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table as declared: group columns as text, then each declared column in its order and dtype."""
        groups = [name for name in table.columns if name not in self.columns]
        missing = [name for name in self.columns if name not in table.columns]
        if missing:
            raise AssertionError(f"{self.name} declares {missing} and does not give it")
        kinds = dict.fromkeys(groups, TEXT) | dict(self.columns)
        kinds |= {name: NUMBER for name in self.columns if table[name].dtype == HALVES}
        series = {name: cast(table[name], kind) for name, kind in kinds.items()}
        return pd.DataFrame(series).reset_index(drop=True)

    def _description(
        self,
        frames: Mapping[str, pd.DataFrame | None],
        values: Mapping[str, Any],
        as_of: pd.Timestamp | None,
        log: RunLog,
    ) -> dict[str, Any]:
        """How a run describes itself, in JSON values."""
        options = {name: value for name, value in values.items() if name not in (*TIMES, *LINKS)}
        text = re.sub(",? by {by}", "", self.definition) if values.get("by") is None else self.definition
        definition = text.format(**{name: in_words(value) for name, value in values.items()})
        return {
            "analysis": self.name,
            "question": self.question,
            "definition": " ".join([definition, *log.remarks]).strip(),
            "as_of": None if as_of is None else as_of.isoformat(),
            "timezone": values["timezone"],
            "options": {name: in_json(value, name in _LABELS) for name, value in options.items()},
            "rows": {name: len(frame) for name, frame in frames.items() if frame is not None},
            "unavailable": [name for name, frame in frames.items() if frame is None],
            "left_out": dict(log.left_out),
            "overlap": log.overlap,
            "total": {name: plain_number(value) for name, value in log.total.items() if is_scalar(value)},
        }

    # ---- its chart and headline

    def plot(self, table: pd.DataFrame, ax: Axes | None = None) -> Axes:
        """Draw a table of this analysis, on *ax* or on a new figure, 6 inches wide. Raises ``InvalidRequest``."""
        chart = self._chart_of(table)
        with np.errstate(**_NUMPY):
            return draw_chart(chart, table, ax)

    def chart_height(self, table: pd.DataFrame) -> float:
        """The height in inches that suits the chart of *table*, at a width of 6."""
        return self._chart_of(table).height(table) if len(table) else 4.0

    def _chart_of(self, table: pd.DataFrame) -> Chart:
        self._require_own(table)
        return two_way(self.chart, table) if isinstance(option_value(table, "by"), list) else self.chart

    def headline(self, table: pd.DataFrame) -> str:
        """The headline of a table of this analysis; without rows, that there are none."""
        self._require_own(table)
        with np.errstate(**_NUMPY):
            return write_headline(table, self._headline, self.noun)

    def _require_own(self, table: pd.DataFrame) -> None:
        if not set(self.columns) <= set(table.columns):
            raise InvalidRequest(
                f"this is not a table of {self.name}", hint=f"give it what hl.analyses.{self.name}(...) gave"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return named, (self.name,)  # pickled and copied by its name, as functions are

    def __repr__(self) -> str:
        return f"{self.name}{self.__signature__}\n{self.question}"
