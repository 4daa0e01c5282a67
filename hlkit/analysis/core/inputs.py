"""The inputs of an analysis: frames with the catalog's dtypes, and option values, checked and in one unit."""

from __future__ import annotations

import datetime as dt
import inspect
import math
import typing
from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from hlkit.analysis.core.run_log import remark, with_shared_attrs
from hlkit.client.arguments import number, short
from hlkit.client.dates import from_epochs, instant
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import DAY, INSTANT, LIST, YEARS, Kind
from hlkit.client.text import did_you_mean, many


def numbered(frame: pd.DataFrame, name: str, wanted: Collection[Hashable]) -> pd.DataFrame:
    """*frame* with a plain index; *wanted* columns that were in the index are columns again.

    Raises ``InvalidRequest`` if a column occurs twice.
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
    return with_shared_attrs(frame).set_axis(pd.RangeIndex(len(frame)), axis=0)


def typed(frame: pd.DataFrame, kinds: Mapping[str, Kind], name: str) -> pd.DataFrame:
    """*frame* with the dtypes of *kinds*. Raises ``InvalidRequest`` if the values of a column do not fit."""
    changed: dict[str, pd.Series] = {}
    dtypes = dict(frame.dtypes)
    for column, kind in kinds.items():
        if column not in dtypes or dtypes[column] == kind.dtype:
            continue
        problem = None
        try:
            changed[column] = cast(frame[column], kind)
        except (ValueError, TypeError, OverflowError) as error:
            problem = str(error).partition("\n")[0]
        if problem is not None:
            raise InvalidRequest(
                f"{name}[{column!r}] does not hold {_KIND_NAMES.get(kind.name, 'text')} ({problem})",
                hint=f"make it so with pandas, or take the frame of loc.{name}()",
            )
    return frame.assign(**changed) if changed else frame


def without_impossible_dates(frame: pd.DataFrame, kinds: Mapping[str, Kind], name: str) -> pd.DataFrame:
    """*frame* with null, and a remark, for dates outside of the years a CRM can have."""
    begin, end = (pd.Timestamp(year=year, month=1, day=1, tz="UTC") for year in (YEARS[0], YEARS[1] + 1))
    changed: dict[str, pd.Series] = {}
    for column, kind in kinds.items():
        if kind in (INSTANT, DAY) and column in frame:
            zone = "UTC" if kind is INSTANT else None
            odd = (frame[column] < begin.tz_convert(zone)) | (frame[column] >= end.tz_convert(zone))
            if odd.any():
                changed[column] = frame[column].mask(odd)
                dates = many(odd.sum(), "date")
                remark(f"{dates} in {name}.{column} before {YEARS[0]} or after {YEARS[1]} were treated as missing.")
    return frame.assign(**changed) if changed else frame


_KIND_NAMES = {
    "INSTANT": "instants",
    "DAY": "days",
    "LIST": "lists",
    "COUNT": "counts",
    "FLAG": "true and false",
} | dict.fromkeys(("NUMBER", "MONEY", "SHARE"), "numbers")


_FLAG_TEXTS = {"true": True, "false": False, "": None}  # as a file of text has them
HALVES = pd.Float64Dtype()  # what an analysis gives for counts that are shared: they stay numbers with fractions


def cast(column: pd.Series, kind: Kind) -> pd.Series:
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
        flags = [_FLAG_TEXTS.get(flag.strip().lower(), flag) if isinstance(flag, str) else flag for flag in column]
        flags = [None if pd.isna(flag) else flag for flag in flags]
        return pd.Series(flags, index=column.index, name=column.name, dtype=kind.dtype)
    return column.astype("object").where(column.notna(), None).astype(kind.dtype)


def in_unit(name: str, value: Any) -> Any:
    """A duration as the number that a choice takes: of minutes or of days, as its name says."""
    if isinstance(value, dict):
        return {key: in_unit(name, part) for key, part in value.items()}
    if isinstance(value, dt.timedelta):
        unit = dt.timedelta(minutes=1) if name.endswith("_min") else dt.timedelta(days=1)
        value = value / unit
    return int(value) if isinstance(value, float) and value.is_integer() else value


def check_value(analysis: str, name: str, value: Any, hint: Any, is_label: bool = False) -> None:
    """Raise ``InvalidRequest`` where *value* is none that the annotation *hint* allows."""
    options = typing.get_args(hint) if typing.get_origin(hint) is not None else (hint,)
    if typing.get_origin(hint) is Literal:
        if not isinstance(value, str) or value not in options:
            nearest = did_you_mean(value, options) if isinstance(value, str) else ""
            raise InvalidRequest(
                f"{analysis} has no {name}={short(value)}",
                hint=f"{nearest} {name} is one of {', '.join(map(repr, options))}".lstrip(),
            )
        return
    if value is None:
        allowed = type(None) in options
    elif isinstance(value, list) and is_label:
        takes_two = any(typing.get_origin(option) is list for option in options)
        if not takes_two:
            raise InvalidRequest(f"{analysis} groups by one column", hint=f"give {name} the name of one column")
        allowed = (
            len(value) == 2 and value[0] != value[1] and all(isinstance(label, str) and label for label in value)
        )
        expected = "the name of one column, or a list of two"
    elif isinstance(value, dict):  # what is in it, the analysis checks
        allowed = bool(value) and any(typing.get_origin(option) is dict for option in options)
    elif int in options or float in options:
        whole = float not in options
        found = number(value)
        allowed = found is not None and 0 < found < math.inf and (not whole or found.is_integer())
    else:
        allowed = any(option is Any or (isinstance(option, type) and isinstance(value, option)) for option in options)
    if not allowed:
        if isinstance(value, list) and is_label:
            pass
        elif is_label:
            expected = "the name of one column"
        else:
            expected = (
                "a number above 0" if int in options or float in options else "text" if str in options else f"{hint}"
            )
        raise InvalidRequest(f"{analysis} takes no {name}={short(value)}", hint=f"{name} is {expected}")


def in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return "nothing" if value is None else str(value)


def labels_of(frames: Iterable[Any]) -> set[Hashable]:
    """The columns of these frames, and of their indexes."""
    found = [frame for frame in frames if isinstance(frame, pd.DataFrame)]
    return {label for frame in found for label in (*frame.columns, *frame.index.names)}


def is_label(value: Any, labels: Collection[Hashable]) -> bool:
    try:
        return value is not None and value in labels
    except TypeError:  # a list, a Series
        return False


def in_json(value: Any, is_label: bool) -> Any:
    """An option's value as JSON has it; a column label as text, as it is in the table."""
    if is_label and isinstance(value, list):
        return [str(label) for label in value]
    return str(value) if (is_label and value is not None) or not _is_json(value) else value


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_json(part) for name, part in value.items())
    return value is None or isinstance(value, (str, int, float, bool))


def plain_number(value: Any) -> Any:
    """A number as JSON has it; null for NaN."""
    if value is None or pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def as_of_instant(given: Any, zone: ZoneInfo, needed: bool) -> pd.Timestamp | None:
    """*as_of* in UTC; without a time zone it is read in the location's."""
    if given is inspect.Parameter.empty or (given is None and needed):
        raise InvalidRequest(
            "as_of is missing: the instant at which the rows were read",
            hint='give as_of=pd.Timestamp.now("UTC"), or take loc.analyses, which knows it',
        )
    return instant("as_of", given, lambda: zone)
