"""What a catalog entry can say: kinds of column, each with its one dtype; a resource, its columns, its filters.

A dtype never changes, in an empty frame either. A value that does not fit its kind becomes null, is counted in one
warning, and stays in ``.raw()``.

Instants and days are in microseconds, as pandas 3 reads times itself, so that ``pd.merge_asof`` takes them beside
a column of ``pd.to_datetime`` or ``pd.read_csv``. pandas 2 reads times in nanoseconds: there your own column
needs ``.dt.as_unit("us")`` first.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from hlkit.client.pagination import NoPaging, Paging


@dataclass(frozen=True)
class Kind:
    """A kind of value. ``choices`` are the known values of a choice; an unknown one is kept as it came."""

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
CHOICE = Kind("CHOICE")
INSTANT = Kind("INSTANT")  # an instant, in UTC
DAY = Kind("DAY")  # a calendar day: as an instant it would slip across midnight
NUMBER = Kind("NUMBER")
MONEY = Kind("MONEY")  # in the row's currency, or the location's
SHARE = Kind("SHARE")  # 0 to 1
COUNT = Kind("COUNT")
FLAG = Kind("FLAG")
LIST = Kind("LIST")

# The years that a date can be of: nanoseconds reach no further, and 0001 and 9999 stand for no date at all.
YEARS = (1678, 2261)

_TEXT = pd.StringDtype("pyarrow", na_value=np.nan)

_DTYPES: dict[str, Any] = {
    "ID": _TEXT,
    "TEXT": _TEXT,
    "CHOICE": _TEXT,
    "INSTANT": pd.DatetimeTZDtype("us", "UTC"),
    "DAY": np.dtype("datetime64[us]"),
    "NUMBER": np.dtype("float64"),
    "MONEY": np.dtype("float64"),
    "SHARE": np.dtype("float64"),
    "COUNT": pd.Int64Dtype(),
    "FLAG": pd.BooleanDtype(),
    "LIST": np.dtype("object"),
}


@dataclass(frozen=True)
class Column:
    """A column of the frame and where its value stands in a row of the wire.

    ``wire`` is a dotted path, or several, of which the first that holds a value wins; ``list[key].name``
    takes ``name`` of the first element whose ``key`` is true, ``object.*`` the object's members as a list of
    field and value, those of the names ``without`` left out. ``private`` marks what can name a person.
    ``epoch_ms`` marks a time whose numbers are milliseconds since 1970, however small. ``cased_as`` are the
    paths of texts that, joined, may spell a name in the capitals that it lost. ``item`` is the member that an
    object in a list is known by: the list holds that alone.
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


class Span(Protocol):
    """How a server is asked for rows from one instant to another."""

    @property
    def exact(self) -> bool: ...

    def parameters(self, since: dt.datetime | None, until: dt.datetime | None) -> dict[str, Any]: ...


@dataclass(frozen=True)
class FilterRange:
    """A range in the ``filters`` of a search, on one of its date fields, both ends inclusive."""

    field: str
    exact: bool = True

    def parameters(self, since: dt.datetime | None, until: dt.datetime | None) -> dict[str, Any]:
        ends = {"gte": since, "lte": until}
        value = {name: wire_time(instant) for name, instant in ends.items() if instant is not None}
        return {"filters": [{"field": self.field, "operator": "range", "value": value}]} if value else {}


@dataclass(frozen=True)
class StartDate:
    """A start in the query, asked a day early, since the server may count in days of its own zone."""

    start: str
    exact: bool = False

    def parameters(self, since: dt.datetime | None, until: dt.datetime | None) -> dict[str, Any]:
        return {self.start: wire_time(since - _A_DAY)} if since is not None else {}


@dataclass(frozen=True)
class Days:
    """Days in the query, one more on both sides, since they carry no zone.

    ``always_from`` is sent where nobody says since when, for a server whose default hides older rows: a
    constant, since a moving default would make every day a new question.
    """

    start: str = "startAt"
    end: str = "endAt"
    always_from: str | None = None
    exact: bool = False

    def parameters(self, since: dt.datetime | None, until: dt.datetime | None) -> dict[str, Any]:
        start = self.always_from if since is None else f"{since - _A_DAY:%Y-%m-%d}"
        end = None if until is None else f"{until + _A_DAY:%Y-%m-%d}"
        return {name: day for name, day in ((self.start, start), (self.end, end)) if day is not None}


@dataclass(frozen=True)
class Milliseconds:
    """Epoch milliseconds in the query, both ends. ``always`` is the window that is sent where none is chosen."""

    start: str
    end: str
    always: tuple[int, int] | None = None
    exact: bool = False

    def parameters(self, since: dt.datetime | None, until: dt.datetime | None) -> dict[str, Any]:
        first, last = self.always or (None, None)
        ends = {
            self.start: first if since is None else _milliseconds(since),
            self.end: last if until is None else _milliseconds(until),
        }
        return {name: value for name, value in ends.items() if value is not None}


_A_DAY = dt.timedelta(days=1)


def _milliseconds(instant: dt.datetime) -> int:
    return (instant - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)


def wire_time(instant: dt.datetime) -> str:
    """An instant as HighLevel spells it: ``2025-07-01T05:00:00.000Z``."""
    return instant.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"


@dataclass(frozen=True)
class Filter:
    """A filter that the server has: its kind, the wire's name for it, and how a search spells it."""

    kind: Kind
    wire: str
    operator: str | None = "eq"  # None: a plain parameter instead of an entry in `filters`
    doc: str = ""


@dataclass(frozen=True)
class Parent:
    """A resource that is read once for each row of another: its id goes into ``param``, of path or query."""

    resource: str
    key: str
    param: str


@dataclass(frozen=True)
class Resource:
    """One kind of record that HighLevel keeps, as data: everything that reading it needs.

    ``rows`` is the dotted path of the rows in an answer, or of the one record (``single``); where the
    documents only guess it (``rows_inferred``), the only list of objects in the answer serves too.
    ``explode`` is the list inside each row that holds the real rows (the outer row is then at ``parent``).
    ``always`` is sent with every request; ``passes`` reads once with each of several parameters; ``parent``
    once for each row of another resource. ``model`` names the custom fields that the rows carry. ``when`` is
    the column that ``since`` and ``until`` select by, ``span`` how the server is asked for them.
    """

    name: str
    path: str
    rows: str
    doc: str
    columns: tuple[Column, ...]
    method: str = "GET"
    location: str | None = "locationId"
    version: str = "2021-07-28"
    scope: str = ""
    paging: Paging = field(default_factory=NoPaging)
    row_ids: tuple[str, ...] = ("id", "_id")
    total: str | None = None
    single: bool = False
    rows_inferred: bool = False
    explode: str | None = None
    always: Mapping[str, Any] = field(default_factory=dict)
    passes: tuple[Mapping[str, Any], ...] = ({},)
    parent: Parent | None = None
    filters: Mapping[str, Filter] = field(default_factory=dict)
    when: str | None = None
    span: Span | None = None
    model: str | None = None

    @property
    def key(self) -> str:
        """The column that names a row, and joins it with other frames."""
        return self.columns[0].name

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)
