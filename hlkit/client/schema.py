"""What a catalog entry is made of: column kinds, each with one dtype; columns, filters, date ranges, resources.

A column's dtype never changes, not even in an empty frame. Values that do not fit become null, are counted in one
warning, and stay available in ``.raw()``.

Instants and days are in microseconds, the default of pandas 3, so that ``pd.merge_asof`` accepts them together with
a column from ``pd.to_datetime`` or ``pd.read_csv``. pandas 2 reads times in nanoseconds: convert your own column
with ``.dt.as_unit("us")`` first.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from hlkit.client.pagination import NoPaging, Paging


@dataclass(frozen=True)
class Kind:
    """A kind of value. ``choices`` are the known values of a ``CHOICE``; unknown values are passed through."""

    name: str
    choices: tuple[str, ...] = ()

    def __call__(self, *choices: str) -> Kind:
        return Kind(self.name, choices)

    def __repr__(self) -> str:
        return self.name if not self.choices else f"{self.name}{self.choices!r}"

    @property
    def dtype(self) -> Any:
        """The pandas dtype, the same on every supported pandas."""
        return _DTYPES[self.name]


ID = Kind("ID")
TEXT = Kind("TEXT")
LINK = Kind("LINK")  # the address of a record in HighLevel's web app
CHOICE = Kind("CHOICE")
INSTANT = Kind("INSTANT")  # an instant, in UTC
DAY = Kind("DAY")  # a calendar day; as an instant, a time zone could move it to another day
NUMBER = Kind("NUMBER")
MONEY = Kind("MONEY")  # in the row's currency, or the location's
SHARE = Kind("SHARE")  # 0 to 1
POINTS = Kind("POINTS")  # a difference of two shares, -1 to 1, shown in percentage points
CHANGE = Kind("CHANGE")  # of a number since an earlier period: 0.1 is 10% more
COUNT = Kind("COUNT")
FLAG = Kind("FLAG")
LIST = Kind("LIST")

# First and last year of a valid date: the range of nanoseconds. Years 1 and 9999 are placeholders, not dates.
YEARS = (1678, 2261)

_DTYPES: dict[str, Any] = {
    **dict.fromkeys(("ID", "TEXT", "LINK", "CHOICE"), pd.StringDtype("pyarrow", na_value=np.nan)),
    **dict.fromkeys(("NUMBER", "MONEY", "SHARE", "POINTS", "CHANGE"), np.dtype("float64")),
    "INSTANT": pd.DatetimeTZDtype("us", "UTC"),
    "DAY": np.dtype("datetime64[us]"),
    "COUNT": pd.Int64Dtype(),
    "FLAG": pd.BooleanDtype(),
    "LIST": np.dtype("object"),
}


@dataclass(frozen=True)
class Column:
    """A column of the frame, and where its value is in a JSON row.

    ``wire`` is a dotted path, or several: the first with a value is used. ``list[flag].name`` reads ``name`` from
    the first item of the list whose ``flag`` is true. ``object.*`` reads an object's members as a list of field and
    value, except those in ``without``.

    ``private`` marks values that can identify a person. ``epoch_ms``: numbers are milliseconds since 1970, however
    small. ``cased_as``: paths of texts (first and last name) that restore the capitals of a name in lower case.
    ``item``: each object in a list is replaced by this member.
    """

    name: str
    wire: str | tuple[str, ...]
    kind: Kind
    private: bool = False
    doc: str = ""
    epoch_ms: bool = False
    cased_as: tuple[str, ...] = ()
    item: str = ""
    without: frozenset[str] = frozenset()

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.wire,) if isinstance(self.wire, str) else self.wire


@dataclass(frozen=True)
class FilterRange:
    """A date range in the ``filters`` of a search, on a date field, both ends inclusive."""

    field: str
    exact = True  # the rows need no second filter after the download

    def parameters(self, since: dt.datetime | None, until: dt.datetime | None) -> dict[str, Any]:
        ends = {"gte": since, "lte": until}
        value = {name: wire_time(instant) for name, instant in ends.items() if instant is not None}
        return {"filters": [{"field": self.field, "operator": "range", "value": value}]} if value else {}


@dataclass(frozen=True)
class QueryRange:
    """A date range in the query, its ends written by ``write``.

    ``margin`` widens it, for servers whose days are in a time zone of their own. ``default`` is sent for the ends
    that are not given, to servers whose own default hides rows. It is constant: a start that moves would make each
    day's request different, and never cached.
    """

    start: str
    end: str | None
    write: Callable[[dt.datetime], str | int]
    margin: dt.timedelta = dt.timedelta(0)
    default: tuple[Any, Any] = (None, None)
    exact = False

    def parameters(self, since: dt.datetime | None, until: dt.datetime | None) -> dict[str, Any]:
        start = self.default[0] if since is None else self.write(since - self.margin)
        end = self.default[1] if until is None else self.write(until + self.margin)
        return {name: value for name, value in ((self.start, start), (self.end, end)) if name and value is not None}


Span = FilterRange | QueryRange
ONE_DAY = dt.timedelta(days=1)


def wire_time(instant: dt.datetime) -> str:
    """An instant in HighLevel's format: ``2025-07-01T05:00:00.000Z``."""
    return instant.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"


def wire_milliseconds(instant: dt.datetime) -> int:
    return (instant - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)


def wire_day(instant: dt.datetime) -> str:
    return f"{instant:%Y-%m-%d}"


@dataclass(frozen=True)
class Filter:
    """A filter that the server applies. ``wire`` is its name, in the query or in the ``filters`` of a search."""

    kind: Kind
    wire: str
    doc: str = ""


@dataclass(frozen=True)
class Parent:
    """The resource that another is read for, one request per row. The row's id is sent as ``param``."""

    resource: str
    key: str
    param: str


@dataclass(frozen=True)
class Resource:
    """One kind of record in HighLevel, and everything needed to read it.

    ``rows`` is the dotted path of the rows in a response, or of its only record (``single``).
    ``total`` is the path of the announced number of rows. ``location_parameter`` is the parameter for the location
    id, unless the path has it; ``None`` if there is none. ``altType`` is added.
    ``explode`` is the list inside each row that holds the actual rows; the outer row is then their ``parent``.
    ``constant_parameters`` are sent with every request. ``parameter_sets``: the resource is read once with each of
    these; ``parent``: once for each row of another resource. ``model`` is whose custom fields the rows have. ``when``
    is the column that ``since`` and ``until`` filter, and ``span`` how the server is asked for a date range.
    """

    name: str
    path: str
    rows: str
    doc: str
    columns: tuple[Column, ...]
    method: str = "GET"
    location_parameter: str | None = "locationId"
    version: str = "2021-07-28"
    scope: str = ""
    paging: Paging = field(default_factory=NoPaging)
    total: str | None = None
    single: bool = False
    explode: str | None = None
    constant_parameters: Mapping[str, Any] = field(default_factory=dict)
    parameter_sets: tuple[Mapping[str, Any], ...] = ({},)
    parent: Parent | None = None
    filters: Mapping[str, Filter] = field(default_factory=dict)
    when: str | None = None
    span: Span | None = None
    model: str | None = None

    @property
    def key(self) -> str:
        """The id column, which joins with other frames."""
        return self.columns[0].name

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)
