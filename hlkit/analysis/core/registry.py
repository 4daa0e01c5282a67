"""``@analysis`` turns a function of DataFrames into a question that can be asked anywhere.

Everything comes from the signature. Positional parameters name the resources that the analysis needs, or can do
without if they are ``= None``. Keyword-only parameters are its options; a location fills in ``as_of``, ``timezone``
and a few others. From this come ``hl.analyses.x``, ``loc.analyses.x``, ``hlkit run x``, its flags and its widgets.
The modules of the folders beside this one are found and imported on first use.

Around each function, the wrapper types the frames as the catalog declares them, drops and counts rows later than
*as_of* and repeated ids, checks the options, and gives the table its declared columns and dtypes, an empty one too.
A run describes itself in ``table.attrs["hlkit"]``.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
import typing
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from pandas.api.types import is_scalar

from hlkit.analysis.core.charts import Chart, two_way
from hlkit.analysis.core.charts.canvas import Draw, checked_axes, draw, new_axes
from hlkit.analysis.core.groups import office_hours
from hlkit.analysis.core.headlines import Template, option_value, write_headline
from hlkit.analysis.core.inputs import (
    HALVES,
    cast,
    check_value,
    in_json,
    in_unit,
    in_words,
    is_label,
    labels_of,
    numbered,
    typed,
    without_impossible_dates,
)
from hlkit.analysis.core.run_log import CURRENT_RUN, RunLog, drop_rows
from hlkit.client.arguments import plain
from hlkit.client.dates import DATES, as_text, instant
from hlkit.client.errors import InvalidRequest
from hlkit.client.frames.names import NAMED_BY
from hlkit.client.options import Option, refuse_unknown
from hlkit.client.resources import CATALOG
from hlkit.client.schema import NUMBER, TEXT, Kind
from hlkit.client.text import did_you_mean
from hlkit.client.timezones import zone
from hlkit.display.html import pairs_html

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Columns = Mapping[str, Kind]

# What a location fills in, if the signature has it.
FILLED = ("as_of", "timezone", "until", "currency", "country", "website", "location_id", "app_url")
LINKS = ("location_id", "app_url")  # filled in for links
TIMES = ("as_of", "timezone", "until")  # filled in for every analysis, so they are not among its own options
_DATES = ("_since", "_until")  # options whose names end so are dates
_LABELS = ("by", "key_column")  # options that are column labels, of any type
_CREATED = ("created_at", "sent_at")  # a row with a later one did not exist yet at as_of

# Help for the options that several analyses have.
DOCS = {
    "by": "A column to group by: a column of the first frame, a custom field, or tags.",
    "clock": "Count office hours only, or all hours.",
    "office": 'Office hours in the location\'s time zone, such as "Mon-Fri 8-18, Sat 10-14".',
    "holidays": 'The office is closed on the holidays of this country or state, such as "US" or "US-IL".',
    "show": "Which table to return.",
    "imports": (
        "Exclude or include imported rows (at least 50 created within a minute or 200 within ten minutes, or a "
        "source that says import)."
    ),
    "since": f"Rows of the first frame from this date on. {DATES}",
    "as_of": "Analyze the data as of this date or time; when it was downloaded by default.",
    "timezone": "The time zone of days and office hours.",
    "country": "The country of phone numbers without a country code, as two letters.",
    "currency": "The currency of amounts without one.",
    "website": "The location's own website, which does not count as a referrer.",
    "location_id": "The location's id, for links to its contacts in HighLevel; without it there are no links.",
    "app_url": "The address of HighLevel's web app, for links; an agency may have a domain of its own.",
}


def parameter_docs(docstring: str) -> dict[str, str]:
    """What a numpydoc ``Parameters`` section says of each parameter, in one line."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-{3,}$|\Z)", docstring, re.MULTILINE | re.DOTALL)
    docs: dict[str, str] = {}
    entry = re.compile(r"^(\S.*)\n((?:[ ]+.*\n?|\n(?=[ ]))+)", re.MULTILINE)
    for names, text in entry.findall(section[1] if section else ""):
        docs |= dict.fromkeys(re.findall(r"\w+", names.partition(":")[0]), " ".join(text.split()))
    return docs


class Analysis:
    """A question: call it with frames for its table. ``analysis.plot(table)`` draws that."""

    def __init__(
        self,
        function: Callable[..., pd.DataFrame],
        question: str,
        columns: Columns | Mapping[str, Columns],
        definition: str,
        only: Mapping[str, str],
        noun: str | None,
        chart: Chart | None = None,
        headline: Template | None = None,
        rows: Columns = MappingProxyType({}),
        when: Mapping[str, Callable[[Mapping[str, Any]], bool]] = MappingProxyType({}),
        compares: tuple[str, str] | None = None,
    ) -> None:
        self.function, self.question, self.definition = function, question, definition
        self._only = only
        self.name = function.__name__
        self._columns = columns
        self.chart_data, self.rows, self._when, self.compares = chart, rows, when, compares
        self._charts: dict[str | None, tuple[Draw, tuple[str, ...]]] = {}
        self._headlines: dict[str | None, Template] = {} if headline is None else {None: headline}
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
        """The folder that it is in: leads, sales, inbox, calendar, contacts."""
        return self.function.__module__.split(".")[-2]

    def resources_for(self, options: Mapping[str, Any] = MappingProxyType({})) -> list[str]:
        """The resources that a run with these *options* reads; those left out have their defaults."""
        options = {name: option.default for name, option in self.options.items()} | dict(options)
        show = options.get("show") or next(iter(self._shows()), None)
        wanted = [name for name in self.frames if self._only.get(name, show) == show]
        return [name for name in wanted if name not in self._when or self._when[name](options)]

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
        """The parameters that a location fills in."""
        return tuple(name for name in FILLED if name in self._parameters)

    @property
    def columns(self) -> Columns:
        """The columns of its table, without the group column; of the first table if it has several."""
        return self.columns_of(None)

    def columns_of(self, show: str | None) -> Columns:
        """The columns of the table *show*."""
        if not self._shows():
            return typing.cast("Columns", self._columns)
        tables = typing.cast("Mapping[str, Columns]", self._columns)
        return tables[show if show is not None else next(iter(tables))]

    def _shows(self) -> tuple[str, ...]:
        """The names of its tables if it has several."""
        return tuple(name for name, kind in self._columns.items() if not isinstance(kind, Kind))

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
                table = self._typed_table(self.function(**inputs, **arguments), values.get("show"))
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
        as_of = _as_of(values.get("as_of"), timezone, "as_of" in self._parameters)
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

    def _typed_table(self, table: pd.DataFrame, show: str | None) -> pd.DataFrame:
        """The table as declared: group columns as text, then each declared column in its order and dtype."""
        columns = self.columns_of(show)
        groups = [name for name in table.columns if name not in columns]
        missing = [name for name in columns if name not in table.columns]
        if missing:
            raise AssertionError(f"{self.name} declares {missing} and does not give it")
        kinds = dict.fromkeys(groups, TEXT) | dict(columns)
        kinds |= {name: NUMBER for name in columns if table[name].dtype == HALVES}
        series = {name: cast(table[name], kinds[name]) for name in [*groups, *columns]}
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
            "total": {name: _plain_number(value) for name, value in log.total.items() if is_scalar(value)},
        }

    # ---- drawing it

    def chart(self, *needs: str, show: str | None = None) -> Callable[[Draw], Draw]:
        """Mark the function that draws the table *show*; *needs* are the columns that it draws.

        Rows without any of them are not drawn; without any row the chart says "no data yet".
        """

        def keep(function: Draw) -> Draw:
            self._charts[show] = function, needs
            return function

        return keep

    def plot(self, table: pd.DataFrame, ax: Axes | None = None) -> Axes:
        """Draw a table of this analysis, on *ax* or on a new figure, 6 inches wide. Raises ``InvalidRequest``."""
        chart, needs = self._chart_of(table)
        with np.errstate(**_NUMPY):
            if ax is not None:
                return draw(table, checked_axes(ax), chart, needs)
            from matplotlib import pyplot

            figure = pyplot.figure(figsize=(6, self.chart_height(table)))
            try:
                return draw(table, new_axes(figure), chart, needs)
            except BaseException:
                pyplot.close(figure)
                raise

    def chart_height(self, table: pd.DataFrame) -> float:
        """The height in inches that suits the chart of *table*, at a width of 6."""
        chart = self._chart_for(table)
        return 4.0 if chart is None or not len(table) else chart.height(table)

    def _chart_for(self, table: pd.DataFrame) -> Chart | None:
        if self.chart_data is None or not isinstance(option_value(table, "by"), list):
            return self.chart_data
        return two_way(self.chart_data, table)

    def _chart_of(self, table: pd.DataFrame) -> tuple[Draw, tuple[str, ...]]:
        show, chart = self._show_of(table), self._chart_for(table)
        return (chart.draw, chart.needs) if chart is not None else self._charts.get(show) or self._charts[None]

    # ---- the headline

    def headline_for(self, *, show: str | None = None) -> Callable[[Template], Template]:
        """Mark the function that writes the headline of the table *show*, in one or two sentences.

        It gets the table with names instead of ids, and with texts cut to fit a line.
        """

        def keep(function: Template) -> Template:
            self._headlines[show] = function
            return function

        return keep

    def headline(self, table: pd.DataFrame) -> str:
        """The headline of a table of this analysis; without rows, that there are none."""
        template = self._headlines.get(self._show_of(table)) or self._headlines.get(None)
        with np.errstate(**_NUMPY):
            return write_headline(table, template, self.noun)

    def _show_of(self, table: pd.DataFrame) -> str | None:
        """Which of its tables this is, by its columns."""
        for show in self._shows():
            if set(self.columns_of(show)) <= set(table.columns):
                return show
        if not self._shows() and set(self.columns) <= set(table.columns):
            return None
        raise InvalidRequest(
            f"this is not a table of {self.name}", hint=f"give it what hl.analyses.{self.name}(...) gave"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _named, (self.name,)  # pickled and copied by its name, as functions are

    def __repr__(self) -> str:
        return f"{self.name}{self.__signature__}\n{self.question}"


# Numpy's own defaults: a notebook that makes numpy strict, as in np.seterr(all="raise"), would break pandas too.
_NUMPY: Any = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}


def analysis(
    question: str,
    *,
    columns: Columns | Mapping[str, Columns],
    definition: str = "",
    only: Mapping[str, str] = MappingProxyType({}),
    noun: str | None = None,
    chart: Chart | None = None,
    headline: Template | None = None,
    rows: Columns = MappingProxyType({}),
    when: Mapping[str, Callable[[Mapping[str, Any]], bool]] = MappingProxyType({}),
    compares: tuple[str, str] | None = None,
) -> Callable[[Callable[..., pd.DataFrame]], Analysis]:
    """Make a function an analysis, known everywhere by its name.

    Parameters
    ----------
    question
        What it answers, as an analyst asks it: the title of its chart.
    columns
        The columns of its table, after that of the groups; where ``show`` picks one of several tables, a
        mapping from each to its columns.
    definition
        How the numbers are computed: a short paragraph that can be printed below the chart. ``{by}`` and the names
        of other options are filled in.
    only
        The frames that a single one of its tables is made of, each with the ``show`` that picks that table: for
        the others it is not read.
    noun
        What it counts, in the plural: the headline of a span without any says so. The name of its first frame, if
        left out.
    chart
        What is drawn of its table.
    headline
        What writes the answer from its table, in one or two sentences.
    rows
        The columns of the rows behind a group, as ``result.rows(group)`` shows them, without names and ids.
    when
        For a resource that only some options need: whether these options do. Otherwise it is not read.
    compares
        The share that ``compare="previous"`` compares between two periods, and what it is a share of, such as
        "answered within an hour"; None if its rows have no history.
    """

    def register(function: Callable[..., pd.DataFrame]) -> Analysis:
        registered = Analysis(
            function, question, columns, definition, only, noun, chart, headline, rows, when, compares
        )
        ANALYSES._known[registered.name] = registered
        return registered

    return register


def when_by_contact(resource: str, *groups: str) -> Mapping[str, Callable[[Mapping[str, Any]], bool]]:
    """For ``when``: contacts are needed to group by a column that neither *resource* nor the analysis itself has.

    *groups* are those that the analysis makes up, such as "hour".
    """
    columns = {column.name for column in CATALOG[resource].columns}
    known = {None, *groups, *columns, *(name for column, (name, _) in NAMED_BY.items() if column in columns)}

    def is_needed(options: Mapping[str, Any]) -> bool:
        by = options["by"]
        return any(name not in known for name in (by if isinstance(by, list) else [by]))

    return {"contacts": is_needed}


class Analyses(Mapping[str, Analysis]):
    """All analyses by name. Alone in a cell: their questions."""

    def __init__(self) -> None:
        self._known: dict[str, Analysis] = {}
        self._looked = False

    def _all(self) -> dict[str, Analysis]:
        if not self._looked:
            self._looked = True
            package = importlib.import_module("hlkit.analysis")
            for module in pkgutil.walk_packages(package.__path__, "hlkit.analysis."):
                importlib.import_module(module.name)
        return dict(sorted(self._known.items()))

    def __getitem__(self, name: str) -> Analysis:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    if not TYPE_CHECKING:  # a type checker knows them from a generated class

        def __getattr__(self, name: str) -> Analysis:
            known = self._all() if not name.startswith("_") else {}
            if name in known:
                return known[name]
            raise AttributeError(unknown(name, known), name=name, obj=None)

    def __dir__(self) -> list[str]:
        return list(self._all())

    def __reduce__(self) -> str:
        return "ANALYSES"

    def __repr__(self) -> str:
        return listing(self, "hl.analyses.")

    def _repr_html_(self) -> str:
        return listing_html(self, "hl.analyses.")


ANALYSES = Analyses()


def _named(name: str) -> Analysis:
    """The analysis of a pickle. Raises ``InvalidRequest``, where this process does not know it."""
    if name not in ANALYSES:
        raise InvalidRequest(unknown(name, ANALYSES), hint="import the module that defines it, then unpickle again")
    return ANALYSES[name]


def unknown(name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    """What to say of a name that no analysis has."""
    hint = did_you_mean(name, known, "{}") or f"there are {', '.join(known)}"
    return f"there is no analysis {name!r}; {hint}"


TOPICS = ("leads", "sales", "inbox", "calendar", "contacts")


def by_topic(analyses: Mapping[str, Analysis]) -> dict[str, list[Analysis]]:
    """The analyses of each topic, in the order of the topics; those defined elsewhere come last."""
    groups: dict[str, list[Analysis]] = {topic: [] for topic in TOPICS}
    for analysis in analyses.values():
        groups.setdefault(analysis.topic, []).append(analysis)
    return {topic: group for topic, group in groups.items() if group}


def listing(analyses: Mapping[str, Analysis], prefix: str) -> str:
    """Their names and questions, a line each, by topic."""
    wide = max((len(name) for name in analyses), default=0)
    blocks = [
        "\n".join([topic, *(f"  {prefix}{analysis.name:<{wide}}  {analysis.question}" for analysis in group)])
        for topic, group in by_topic(analyses).items()
    ]
    return "\n".join(blocks)


def listing_html(analyses: Mapping[str, Analysis], prefix: str) -> str:
    """The same as a table."""
    named = (
        (
            topic if index == 0 else "",
            f"<code>{escape(f'{prefix}{analysis.name}')}</code> {escape(analysis.question)}",
        )
        for topic, group in by_topic(analyses).items()
        for index, analysis in enumerate(group)
    )
    return pairs_html(named, "td")


def _plain_number(value: Any) -> Any:
    """A number as JSON has it; null for NaN."""
    if value is None or pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _as_of(given: Any, zone: ZoneInfo, needed: bool) -> pd.Timestamp | None:
    """*as_of* in UTC; without a time zone it is read in the location's."""
    if given is inspect.Parameter.empty or (given is None and needed):
        raise InvalidRequest(
            "as_of is missing: the instant at which the rows were read",
            hint='give as_of=pd.Timestamp.now("UTC"), or take loc.analyses, which knows it',
        )
    return instant("as_of", given, lambda: zone)
