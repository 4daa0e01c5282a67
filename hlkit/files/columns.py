"""A frame as the columns of a CSV, Excel or JSON Lines file: text as headings, and plain values."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from hlkit.client.text import SURROGATES


def plain_columns(frame: pd.DataFrame) -> Iterator[tuple[str, pd.Series[Any]]]:
    """The label and the values of each column: times (datetime64), or objects that ``plain`` returns.

    Durations are seconds. Labels can repeat.
    """
    flat = index_to_columns(frame)
    for number, label in enumerate(flat.columns):
        column = flat.iloc[:, number]
        if isinstance(column.dtype, pd.CategoricalDtype):
            categories = column.dtype.categories.dtype
            column = column.astype(categories if categories.kind in "mM" else object)
        if isinstance(column.dtype, (pd.ArrowDtype, pd.SparseDtype)):
            column = column.astype(object)
        if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) == "date":
            column = column.astype("datetime64[s]")
        if column.dtype.kind == "m":
            label, column = f"{label} (seconds)", column.dt.total_seconds()
        if column.dtype.kind != "M":
            column = pd.Series([plain(value) for value in column.tolist()], dtype=object)
        yield label, column


# ---- headings


def index_to_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with text as labels, and its index as columns unless it is an unnamed integer index."""
    frame = frame.set_axis(pd.Index(label_texts(frame.columns), dtype="object"), axis=1)
    index = frame.index
    if list(index.names) == [None] and (len(index) == 0 or pd.api.types.is_integer_dtype(index.dtype)):
        return frame.reset_index(drop=True)
    names = [f"level {level}" if name is None else _label_text(name) for level, name in enumerate(index.names)]
    if list(index.names) == [None]:
        names = ["index"]
    return frame.reset_index(names=names, allow_duplicates=True)


def label_texts(labels: pd.Index) -> list[str]:
    """Each label as text. The levels of a MultiIndex are joined, and an empty label is its number."""
    return [_label_text(label) or f"column {number}" for number, label in enumerate(labels, 1)]


def _label_text(label: Any) -> str:
    if isinstance(label, tuple):
        return " / ".join(part for part in map(_label_text, label) if part)
    if isinstance(label, dt.datetime) and label.tzinfo is None and label.time() == dt.time():
        label = label.date()
    return "" if pd.isna(label) else valid_text(str(label))


def distinct(texts: Iterable[str]) -> list[str]:
    """The texts, each that appeared before with a number: "a", "a (2)"."""
    texts = [text or "column" for text in texts]
    originals, used = set(texts), dict[str, None]()
    for text in texts:
        heading, number = text, 2
        while heading in used or (number > 2 and heading in originals):
            heading, number = f"{text} ({number})", number + 1
        used[heading] = None
    return list(used)


# ---- values


def plain(value: Any) -> Any:
    """*value* as JSON has it: None, text, a number, a flag, or lists and objects of these; times as ISO text."""
    if isinstance(value, str):
        return valid_text(str.__str__(value))  # an Enum member gives its value
    if isinstance(value, Mapping):
        return {valid_text(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return [plain(item) for item in value]
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (dt.timedelta, np.timedelta64)):  # before int: np.timedelta64 is an np.integer
        return pd.Timedelta(value).total_seconds()
    if isinstance(value, (int, np.integer)):
        return int(value) if -(2**63) <= value < 2**64 else str(value)  # JSON readers take at most 64 bits
    if isinstance(value, (float, np.floating, decimal.Decimal)):
        return float(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (dt.datetime, np.datetime64)):
        time = pd.Timestamp(value)
        utc = time if time.tzinfo is None else time.tz_convert("UTC")
        return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, dt.date) else valid_text(str(value))


def valid_text(text: str) -> str:
    """*text* with unpaired surrogates replaced, which no file can hold."""
    return text if text.isprintable() else SURROGATES.sub("\ufffd", text)


def are_days(times: pd.Series[Any]) -> bool:
    """Whether *times* are days: without a time zone, and all at midnight."""
    return times.dt.tz is None and (times.dropna().dt.normalize() == times.dropna()).all()


def iso_text(times: pd.Series[Any]) -> pd.Series[Any]:
    """ISO text: days as ``2025-07-01``; times in milliseconds, or finer if needed, instants with ``Z``."""
    unit: Literal["D", "ns", "us", "ms"]
    if are_days(times):
        unit = "D"
    elif times.dt.nanosecond.any():
        unit = "ns"
    elif (times.dt.microsecond % 1000).any():
        unit = "us"
    else:
        unit = "ms"
    is_local = times.dt.tz is None
    values: Any = (times if is_local else times.dt.tz_convert(None)).to_numpy()
    texts = np.datetime_as_string(values, unit, timezone="naive" if is_local else "UTC")
    return pd.Series(texts.tolist(), dtype="object").where(times.notna(), None)
