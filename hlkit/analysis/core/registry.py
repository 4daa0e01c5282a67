"""``@analysis``: a function over frames becomes a question that can be asked anywhere.

The signature says it all. Positional parameters name the resources that an analysis needs, one with ``= None``
a resource it can do without; keyword-only parameters are the analyst's choices, of which ``as_of``,
``timezone`` and some others the location fills in. From it come ``hl.analyses.x``, ``loc.analyses.x``,
``hlkit run x``, its flags and its dropdowns. The files of this folder are found by looking.

The wrapper makes every analysis robust once: frames are typed as the catalog says, rows later than *as_of*
and repeated ids are left out and counted, choices are checked, and the table has its declared columns and
dtypes also when it is empty. What a run tells of itself stands in ``table.attrs["hlkit"]``.
"""

from __future__ import annotations

import datetime as dt
import difflib
import functools
import importlib
import inspect
import math
import pkgutil
import re
import typing
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts import Chart, checked_axes, draw, new_axes
from hlkit.analysis.core.groups import office_hours
from hlkit.analysis.core.headlines import Template, write_headline
from hlkit.analysis.core.run_log import CURRENT_RUN, RunLog, drop_rows, remark
from hlkit.client.dates import DATES, as_text, from_epochs, instant, short
from hlkit.client.errors import InvalidRequest
from hlkit.client.options import Option, guess, number, plain, refuse_unknown
from hlkit.client.resources import CATALOG
from hlkit.client.schema import DAY, INSTANT, LIST, NUMBER, TEXT, YEARS, Kind
from hlkit.client.text import many
from hlkit.client.timezones import zone
from hlkit.display.html import pairs_html

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Columns = Mapping[str, Kind]

# What a location knows and fills in, where a signature asks for it.
FILLED = ("as_of", "timezone", "until", "currency", "country", "website")
_SPAN = ("as_of", "timezone", "until")
_DATES = ("_since", "_until")  # how the names of the choices end that are dates
_LABELS = ("by", "key_column")  # these choices are names of columns, of any type
_WHEN = ("created_at", "sent_at")  # a row with a later one was not there yet at as_of

# What the common choices mean, for the help of the command line and the explorer.
DOCS = {
    "by": "A column of the first frame to group by; a custom field or tags too.",
    "clock": "Count the minutes in which the office is open, or all on the wall's clock.",
    "office": 'When the office is open, in the location\'s zone, such as "Mon-Fri 8-18, Sat 10-14".',
    "holidays": 'A country whose holidays the office is closed on, such as "US" or "US-IL".',
    "show": "Which of its tables.",
    "imports": (
        "Leave out rows that came with an import (at least 50 created in a minute or 200 in ten minutes, or a source "
        "that says import), or include them."
    ),
    "since": f"Rows of the first frame from this date on. {DATES}",
    "as_of": "Look at the data as it was at this date or time; the start of the reading if left out.",
    "timezone": "The zone of days and office hours.",
    "country": "The country of phone numbers without a country code, as two letters.",
    "currency": "The currency of amounts that name none.",
    "website": "The location's own website: coming from there is no referral.",
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
    ) -> None:
        self.function, self.question, self.definition = function, question, definition
        self._only = only
        self.name = function.__name__
        self._columns = columns
        self._charts: dict[str | None, tuple[Chart, tuple[str, ...]]] = {}
        self._answers: dict[str | None, Template] = {}
        self._parameters = inspect.signature(function).parameters
        self._hints = typing.get_type_hints(function)
        self.noun = noun or next(iter(self.frames))
        self.__doc__, self.__name__, self.__module__ = function.__doc__, self.name, function.__module__
        self.__signature__ = self._signature()

    # ---- what its signature says

    @property
    def frames(self) -> dict[str, bool]:
        """The resources it takes, in their order, and whether it needs them."""
        return {
            name: one.default is inspect.Parameter.empty
            for name, one in self._parameters.items()
            if one.kind is not inspect.Parameter.KEYWORD_ONLY
        }

    def wanted(self, show: str | None = None) -> list[str]:
        """The resources that one of its tables is made of; of the first, where *show* is left out."""
        show = show or next(iter(self._shows()), None)
        return [name for name in self.frames if self._only.get(name, show) == show]

    @functools.cached_property
    def options(self) -> dict[str, Option]:
        """Its options by name, without those that a location fills in for all: as_of, timezone and until."""
        docs = parameter_docs(inspect.getdoc(self.function) or "")
        return {
            name: Option(name, docs.get(name) or DOCS.get(name, ""), self._hints.get(name, Any), parameter.default)
            for name, parameter in self._parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name not in _SPAN
        }

    @property
    def fills(self) -> tuple[str, ...]:
        """What it takes of what a location knows."""
        return tuple(name for name in FILLED if name in self._parameters)

    @property
    def columns(self) -> Columns:
        """The columns of its table, beside that of the groups; of the first of its tables, if it has several."""
        return self.columns_of(None)

    def columns_of(self, show: str | None) -> Columns:
        """The same for one of its tables."""
        if not self._shows():
            return typing.cast("Columns", self._columns)
        tables = typing.cast("Mapping[str, Columns]", self._columns)
        return tables[show if show is not None else next(iter(tables))]

    def _shows(self) -> tuple[str, ...]:
        """The names of its tables, where it has several."""
        return tuple(name for name, kind in self._columns.items() if not isinstance(kind, Kind))

    def _signature(self) -> inspect.Signature:
        """Its own, with ``as_of`` and the zone in which one without a zone is read, for all."""
        keyword = inspect.Parameter.KEYWORD_ONLY
        own = [one for one in self._parameters.values() if one.kind is not keyword]
        rest = [one for one in self._parameters.values() if one.kind is keyword]
        for name, default in (("timezone", "UTC"), ("as_of", None)):
            if name not in self._parameters:
                rest.insert(0, inspect.Parameter(name, keyword, default=default))
        return inspect.Signature([*own, *rest], return_annotation="pd.DataFrame")

    # ---- running it

    def __call__(self, *frames: pd.DataFrame | None, **given: Any) -> pd.DataFrame:
        taken = dict(zip(self.frames, frames, strict=False))
        if len(frames) > len(self.frames) or set(taken) & set(given):
            raise InvalidRequest(f"{self.name} takes {', '.join(self.frames)}", hint="give each frame once, in order")
        taken |= {name: given.pop(name) for name in self.frames if name in given}
        chosen = self.chosen(given, _labels(taken.values()))
        as_of = chosen["as_of"]
        notes = RunLog()
        token = CURRENT_RUN.set(notes)
        try:
            with np.errstate(**_NUMPY):
                labels = [chosen[name] for name in _LABELS if chosen.get(name) is not None]
                fitted = {name: self._fitted(name, taken.get(name), as_of, labels) for name in self.frames}
                notes.names = {id(frame): name for name, frame in fitted.items() if frame is not None}
                own = {name: value for name, value in chosen.items() if name in self._parameters}
                table = self._typed(self.function(**fitted, **own), chosen.get("show"))
        finally:
            CURRENT_RUN.reset(token)
        table.attrs["hlkit"] = self._told(fitted, chosen, as_of, notes)
        return table

    def chosen(self, given: Mapping[str, Any], labels: Collection[Hashable] = ()) -> dict[str, Any]:
        """The choices in *given*, checked and completed. Raises ``InvalidRequest`` with what there is to choose.

        A date such as "last month" is counted from *as_of*. *labels* are the columns that there are: one of them need
        not be a text.
        """
        allowed = [name for name in inspect.signature(self).parameters if name not in self.frames]
        refuse_unknown(self.name, given, allowed)
        chosen = {name: one.default for name, one in self._parameters.items() if name in allowed}
        chosen |= {name: _in_unit(name, plain(value)) for name, value in given.items()}
        place = zone("UTC" if chosen.get("timezone") is None else chosen["timezone"])
        as_of = _as_of(chosen.get("as_of"), place, "as_of" in self._parameters)
        today = None if as_of is None else as_of.tz_convert(place).date
        for name, value in chosen.items():
            if name == "until":
                chosen[name] = instant(name, value, lambda: place, today)
            elif name.endswith(_DATES):
                moment = instant(name, value, lambda: place, today)
                chosen[name] = None if moment is None else as_text(moment, place)
            elif name not in _SPAN and not (name in _LABELS and _is_one_of(value, labels)):
                _check(self.name, name, value, self._hints.get(name, Any))
        chosen |= {"as_of": as_of, "timezone": place.key}
        if "office" in chosen:
            office_hours(chosen["office"], chosen.get("holidays"))
        return chosen

    def _fitted(
        self, name: str, frame: pd.DataFrame | None, as_of: pd.Timestamp | None, labels: Sequence[Hashable]
    ) -> pd.DataFrame | None:
        """A frame as the catalog types it: each id once, and nothing later than *as_of*.

        *labels* are the columns that were chosen.
        """
        if frame is None and not self.frames[name]:
            return None
        if not isinstance(frame, pd.DataFrame):
            got = "nothing" if frame is None else type(frame).__name__
            raise InvalidRequest(
                f"{self.name} needs the frame {name}, and got {got}", hint=f"give it loc.{name}(), or a frame like it"
            )
        kinds = {one.name: one.kind for one in CATALOG[name].columns} if name in CATALOG else {}
        frame = _plain(frame, name, {*kinds, *labels})
        if name in CATALOG:
            frame = _without_odd_years(typed(frame, kinds, name), kinds, name)
            key = CATALOG[name].key
            if key in frame and not frame[key].is_unique:
                twice = frame[key].duplicated(keep="last") & frame[key].notna()
                frame = drop_rows(frame, twice, f"{name} that repeat an id")
        for column in _WHEN if as_of is not None else ():
            if column in kinds and column in frame:
                frame = drop_rows(frame, frame[column] > as_of, f"{name} later than as_of")
        return frame

    def _typed(self, table: pd.DataFrame, show: str | None) -> pd.DataFrame:
        """The table as declared: groups as text, then each column in its order and dtype."""
        columns = self.columns_of(show)
        groups = [name for name in table.columns if name not in columns]
        missing = [name for name in columns if name not in table.columns]
        if missing:
            raise AssertionError(f"{self.name} declares {missing} and does not give it")
        kinds = dict.fromkeys(groups, TEXT) | dict(columns)
        kinds |= {name: NUMBER for name in columns if table[name].dtype == HALVES}
        return pd.DataFrame({name: _cast(table[name], kinds[name]) for name in [*groups, *columns]}).reset_index(
            drop=True
        )

    def _told(
        self,
        frames: Mapping[str, pd.DataFrame | None],
        chosen: Mapping[str, Any],
        as_of: pd.Timestamp | None,
        notes: RunLog,
    ) -> dict[str, Any]:
        """What a run tells of itself, in JSON values."""
        values = {name: value for name, value in chosen.items() if name not in _SPAN}
        definition = self.definition.format(**{name: _in_words(value) for name, value in chosen.items()})
        return {
            "analysis": self.name,
            "question": self.question,
            "definition": " ".join([definition, *notes.remarks]).strip(),
            "as_of": None if as_of is None else as_of.isoformat(),
            "timezone": chosen["timezone"],
            "choices": {name: _in_json(name, value) for name, value in values.items()},
            "rows": {name: len(frame) for name, frame in frames.items() if frame is not None},
            "without": [name for name, frame in frames.items() if frame is None],
            "left_out": dict(notes.left_out),
            "overlap": notes.overlap,
        }

    # ---- drawing it

    def chart(self, *needs: str, show: str | None = None) -> Callable[[Chart], Chart]:
        """Mark the function that draws the table (of *show*); *needs* are the columns that it draws.

        A row with none of them is not drawn, and without any there is "no data yet".
        """

        def keep(function: Chart) -> Chart:
            self._charts[show] = function, needs
            return function

        return keep

    def plot(self, table: pd.DataFrame, ax: Axes | None = None) -> Axes:
        """Draw a table of this analysis, on *ax* or on a new figure of 6 x 4 inches. Raises ``InvalidRequest``."""
        show = self._show_of(table)
        chart, needs = self._charts.get(show) or self._charts[None]
        with np.errstate(**_NUMPY):
            if ax is not None:
                return draw(table, checked_axes(ax), chart, self.question, needs)
            from matplotlib import pyplot

            figure = pyplot.figure(figsize=(6, 4))
            try:
                return draw(table, new_axes(figure), chart, self.question, needs)
            except BaseException:
                pyplot.close(figure)
                raise

    # ---- saying it

    def headline_for(self, *, show: str | None = None) -> Callable[[Template], Template]:
        """Mark the function that answers the question from the table (of *show*), in a sentence or two.

        It gets names in the place of ids, and texts that fit into a line.
        """

        def keep(function: Template) -> Template:
            self._answers[show] = function
            return function

        return keep

    def headline(self, table: pd.DataFrame) -> str:
        """The answer that a table of this analysis gives; that there are no rows, where there are none."""
        answer = self._answers.get(self._show_of(table)) or self._answers.get(None)
        with np.errstate(**_NUMPY):
            return write_headline(table, answer, self.noun)

    def _show_of(self, table: pd.DataFrame) -> str | None:
        """Which of its tables this is, by its columns."""
        for show in self._shows():
            if set(self.columns_of(show)) <= set(table.columns):
                return show
        if not self._shows() and set(self.columns) <= set(table.columns):
            return None
        raise InvalidRequest(
            f"this is no table of {self.name}", hint=f"give it what hl.analyses.{self.name}(...) gave"
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
        How the numbers are made: a short paragraph that can stand under the figure. ``{by}`` and the names
        of other choices are filled in.
    only
        The frames that a single one of its tables is made of, each with the ``show`` that picks that table: for
        the others it is not read.
    noun
        What it counts, in the plural: the headline of a span without any says so. The name of its first frame, if
        left out.
    """

    def register(function: Callable[..., pd.DataFrame]) -> Analysis:
        made = Analysis(function, question, columns, definition, only, noun)
        ANALYSES._known[made.name] = made
        return made

    return register


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
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"there is no analysis {name!r}; " + (
        f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    )


def listing(analyses: Mapping[str, Analysis], prefix: str) -> str:
    """Their names and questions, a line each."""
    wide = max((len(name) for name in analyses), default=0)
    return "\n".join(f"{prefix}{name:<{wide}}  {one.question}" for name, one in analyses.items())


def listing_html(analyses: Mapping[str, Analysis], prefix: str) -> str:
    """The same as a table."""
    named = ((f"<code>{escape(f'{prefix}{name}')}</code>", escape(one.question)) for name, one in analyses.items())
    return pairs_html(named, "td")


# ---- frames and values


def _plain(frame: pd.DataFrame, name: str, wanted: Collection[Hashable]) -> pd.DataFrame:
    """*frame* with its rows numbered; a column that is *wanted* and is its index is a column again.

    Raises ``InvalidRequest`` where a column is there twice.
    """
    index = [level for level in frame.index.names if level in wanted and level not in frame.columns]
    if index:
        frame = frame.reset_index(level=index)
    if frame.columns.nlevels > 1:
        raise InvalidRequest(
            f"{name} has headings of {frame.columns.nlevels} levels, such as {frame.columns[0]!r}",
            hint="give each column one name of its own",
        )
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise InvalidRequest(
            f"{name} has the column {twice[0]!r} more than once",
            hint="rename or drop one of them; frame.loc[:, ~frame.columns.duplicated()] keeps the first of each",
        )
    return frame.set_axis(pd.RangeIndex(len(frame)), axis=0)


def typed(frame: pd.DataFrame, kinds: Columns, name: str) -> pd.DataFrame:
    """*frame* with each column that *kinds* knows in its dtype. Raises ``InvalidRequest`` where one does not fit."""
    changed: dict[str, pd.Series] = {}
    for column, kind in kinds.items():
        if column not in frame or frame[column].dtype == kind.dtype:
            continue
        problem = None
        try:
            changed[column] = _cast(frame[column], kind)
        except (ValueError, TypeError, OverflowError) as error:
            problem = str(error).partition("\n")[0]
        if problem is not None:
            raise InvalidRequest(
                f"{name}[{column!r}] does not hold {_KINDS.get(kind.name, 'text')} ({problem})",
                hint=f"make it so with pandas, or take the frame of loc.{name}()",
            )
    return frame.assign(**changed) if changed else frame


def _without_odd_years(frame: pd.DataFrame, kinds: Columns, name: str) -> pd.DataFrame:
    """*frame* with null, and a remark, for each date of a year that stands for none."""
    begin, end = (pd.Timestamp(year=year, month=1, day=1, tz="UTC") for year in (YEARS[0], YEARS[1] + 1))
    changed: dict[str, pd.Series] = {}
    for column, kind in kinds.items():
        if kind in (INSTANT, DAY) and column in frame:
            zone = "UTC" if kind is INSTANT else None
            odd = (frame[column] < begin.tz_convert(zone)) | (frame[column] >= end.tz_convert(zone))
            if odd.any():
                changed[column] = frame[column].mask(odd)
                dates = many(odd.sum(), "date")
                remark(f"{dates} in {name}.{column} of years before {YEARS[0]} or after {YEARS[1]}: none.")
    return frame.assign(**changed) if changed else frame


_KINDS = {
    "INSTANT": "instants",
    "DAY": "days",
    "LIST": "lists",
    "COUNT": "counts",
    "FLAG": "true and false",
} | dict.fromkeys(("NUMBER", "MONEY", "SHARE"), "numbers")


_FLAGS = {"true": True, "false": False, "": None}  # as a file of text has them
HALVES = pd.Float64Dtype()  # what an analysis gives for counts that are shared: they stay numbers with fractions


def _cast(column: pd.Series, kind: Kind) -> pd.Series:
    if column.dtype == kind.dtype or kind is LIST:
        return column
    if kind in (INSTANT, DAY) and pd.api.types.is_any_real_numeric_dtype(column):
        column = from_epochs(column)
    if kind is INSTANT:  # one without a zone is read as UTC, as everything in a frame of hlkit
        return pd.to_datetime(column, utc=True, format="ISO8601").astype(kind.dtype)
    if kind is DAY:
        return pd.to_datetime(column, format="ISO8601").dt.tz_localize(None).astype(kind.dtype)
    if kind.name == "COUNT":
        return pd.to_numeric(column).astype("Float64").astype(kind.dtype)
    if kind.name in ("NUMBER", "MONEY", "SHARE"):
        return pd.to_numeric(column).astype(kind.dtype)
    if kind.name == "FLAG":
        flags = [_FLAGS.get(flag.strip().lower(), flag) if isinstance(flag, str) else flag for flag in column]
        flags = [None if pd.isna(flag) else flag for flag in flags]
        return pd.Series(flags, index=column.index, name=column.name, dtype=kind.dtype)
    return column.astype("object").where(column.notna(), None).astype(kind.dtype)


def _as_of(given: Any, zone: ZoneInfo, needed: bool) -> pd.Timestamp | None:
    """*as_of* in UTC; one without a zone is read in the location's."""
    if given is inspect.Parameter.empty or (given is None and needed):
        raise InvalidRequest(
            "as_of is missing: the instant at which the rows were read",
            hint='give as_of=pd.Timestamp.now("UTC"), or take loc.analyses, which knows it',
        )
    return instant("as_of", given, lambda: zone)


def _in_unit(name: str, value: Any) -> Any:
    """A duration as the number that a choice takes: of minutes or of days, as its name says."""
    if isinstance(value, dict):
        return {key: _in_unit(name, part) for key, part in value.items()}
    if isinstance(value, dt.timedelta):
        unit = dt.timedelta(minutes=1) if name.endswith("_min") else dt.timedelta(days=1)
        value = value / unit
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check(analysis: str, name: str, value: Any, hint: Any) -> None:
    """Raise ``InvalidRequest`` where *value* is none that the annotation *hint* allows."""
    options = typing.get_args(hint) if typing.get_origin(hint) is not None else (hint,)
    if typing.get_origin(hint) is Literal:
        if not isinstance(value, str) or value not in options:
            nearest = guess(value, options) if isinstance(value, str) else ""
            raise InvalidRequest(
                f"{analysis} has no {name}={short(value)}",
                hint=f"{nearest}{name} is one of {', '.join(map(repr, options))}",
            )
        return
    if value is None:
        allowed = type(None) in options
    elif isinstance(value, dict):  # what is in it, the analysis checks
        allowed = bool(value) and any(typing.get_origin(option) is dict for option in options)
    elif int in options or float in options:
        whole = float not in options
        found = number(value)
        allowed = found is not None and 0 < found < math.inf and (not whole or found.is_integer())
    else:
        allowed = any(option is Any or (isinstance(option, type) and isinstance(value, option)) for option in options)
    if not allowed:
        if name in _LABELS:
            expected = "the name of one column"
        else:
            expected = (
                "a number above 0" if int in options or float in options else "text" if str in options else f"{hint}"
            )
        raise InvalidRequest(f"{analysis} takes no {name}={short(value)}", hint=f"{name} is {expected}")


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return "nothing" if value is None else str(value)


def _labels(frames: Iterable[Any]) -> set[Hashable]:
    """The columns of these frames, and of their indexes."""
    found = [frame for frame in frames if isinstance(frame, pd.DataFrame)]
    return {label for frame in found for label in (*frame.columns, *frame.index.names)}


def _is_one_of(value: Any, labels: Collection[Hashable]) -> bool:
    try:
        return value is not None and value in labels
    except TypeError:  # a list, a Series
        return False


def _in_json(name: str, value: Any) -> Any:
    """A choice as it is, or in words; a column by the name that it has in the table, which is a text."""
    is_label = name in _LABELS and value is not None
    return str(value) if is_label or not _is_json(value) else value


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_json(part) for name, part in value.items())
    return value is None or isinstance(value, (str, int, float, bool))
