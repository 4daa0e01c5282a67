"""``hl.summarize``: one row per column of a frame, without personal data.

A value is shown only if the catalog declares its column and does not mark it private. All other columns, such as
custom fields and the user's own, show pseudonyms. Equal values have equal pseudonyms. They are made with a random key
that never leaves this process, so the values cannot be recovered by trying all phone numbers.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from hlkit.client.errors import InvalidRequest
from hlkit.client.resources import CATALOG
from hlkit.client.schema import COUNT, FLAG, SHARE, TEXT, Column
from hlkit.client.text import shorten

_KEY = secrets.token_bytes(32)
_LISTS = (list, tuple, set, frozenset, np.ndarray)
_COLUMNS = {
    "column": TEXT,
    "kind": TEXT,
    "private": FLAG,
    "rows": COUNT,
    "nulls": SHARE,
    "uniques": COUNT,
    "min": TEXT,
    "max": TEXT,
    "most_common_share": SHARE,
    "examples": TEXT,
}
# An email address, or seven or more digits that are not part of an ID: personal data in any column.
_PERSONAL = re.compile(r"\S@\S|(?<![\w])\+?\(?\d(?:[\s().\-/]*\d){6,}(?![\w])")


def summarize(frame: pd.DataFrame) -> pd.DataFrame:
    """Summarize each column of *frame*, without showing a name, an email address or a phone number.

    Returns one row per column: ``kind`` (of its values), ``private`` (its values are not shown), ``rows``, ``nulls``
    (share of rows, 0 to 1, with no value or an empty list), ``uniques`` (distinct values; for lists, distinct items),
    ``min`` and ``max`` (of numbers and times, as text), ``most_common_share`` (share of the rows with a value that
    hold the most common one), and ``examples`` (the three most common values).

    A private value is shown as a pseudonym such as ``text_3f9a1c2b04de``, which stays the same until Python exits.
    Values that look like an email address or a phone number, or that also appear in a private column of the frame,
    are hidden in every column. Raises ``InvalidRequest`` if *frame* is neither a DataFrame nor a Series.
    """
    if isinstance(frame, pd.Series):
        frame = frame.to_frame()
    if not isinstance(frame, pd.DataFrame):
        raise InvalidRequest(
            f"a {type(frame).__name__} is not a DataFrame", hint="pass one, such as loc.contacts() or result.table"
        )
    resource = _resource(frame)
    columns = [_Profile.of(label, frame.iloc[:, index], resource) for index, label in enumerate(frame.columns)]
    hidden = _private_examples(columns)
    rows = [column.row(hidden) for column in columns]
    return pd.DataFrame(
        {name: pd.Series([row[name] for row in rows], dtype=kind.dtype) for name, kind in _COLUMNS.items()}
    )


def pseudonym(value: Any, prefix: str = "text") -> str:
    """A pseudonym for *value*: equal for equal values, ignoring case and surrounding blanks, in this process."""
    text = _text(value).strip().casefold().encode("utf-8", "replace")
    return f"{prefix}_{hashlib.blake2b(text, key=_KEY, digest_size=6).hexdigest()}"


# ---- what the catalog declares


def _resource(frame: pd.DataFrame) -> str | None:
    stats = frame.attrs.get("hlkit")
    name = stats.get("resource") if isinstance(stats, dict) else None
    return name if isinstance(name, str) and name in CATALOG else None


def _declared(label: Hashable, resource: str | None) -> list[Column]:
    """The columns named *label* of the frame's resource, or of all resources if it is not known."""
    resources = CATALOG.values() if resource is None else [CATALOG[resource]]
    return [column for entry in resources for column in entry.columns if column.name == label]


# ---- one column


@dataclass(frozen=True)
class _Profile:
    """A column and its statistics. ``common`` are its three most common values with their counts."""

    label: Hashable
    series: pd.Series[Any]
    kind: str
    shown: bool  # declared, and not private
    declared_private: bool
    filled: int
    uniques: int
    common: list[tuple[Any, int]]

    @classmethod
    def of(cls, label: Hashable, series: pd.Series[Any], resource: str | None) -> _Profile:
        if isinstance(series.dtype, pd.ArrowDtype) and series.dtype.kind in "OU":  # Arrow lists and text
            series = series.astype(object)
        declared = _declared(label, resource)
        private = any(column.private for column in declared)
        kind = _kind(series, declared)
        filled, uniques, common = _counts(series, kind)
        return cls(label, series, kind, bool(declared) and not private, private, filled, uniques, common)

    def row(self, hidden: set[str]) -> dict[str, Any]:
        rows = len(self.series)
        low, high = self._min_max() if self.shown else (None, None)
        return {
            "column": _printable(str(self.label)),
            "kind": self.kind,
            "private": not self.shown,
            "rows": rows,
            "nulls": 1 - self.filled / rows if rows else None,
            "uniques": self.uniques,
            "min": low,
            "max": high,
            "most_common_share": self.common[0][1] / self.filled if self.common else None,
            "examples": ", ".join(self._example(value, hidden) for value, _ in self.common) or None,
        }

    def _example(self, value: Any, hidden: set[str]) -> str:
        text = _text(value)
        is_personal = isinstance(value, str) and (_PERSONAL.search(text) or text.strip().lower() in hidden)
        if self.shown and not is_personal:
            return _printable(text)
        return pseudonym(value, "text" if self.kind == "list" else self.kind.rpartition(" ")[2])

    def _min_max(self) -> tuple[str | None, str | None]:
        if self.kind not in ("instant", "time", "day", "number", "whole number") or not self.filled:
            return None, None
        return _text(self.series.min()), _text(self.series.max())


def _kind(series: pd.Series[Any], declared: list[Column]) -> str:
    types = pd.api.types
    if types.is_bool_dtype(series.dtype):
        return "flag"
    if isinstance(series.dtype, (pd.CategoricalDtype, pd.StringDtype)):
        return "text"
    if types.is_datetime64_any_dtype(series.dtype):
        if series.dt.tz is not None:
            return "instant"
        return "day" if (series.dt.normalize() == series)[series.notna()].all() else "time"
    if types.is_integer_dtype(series.dtype):
        return "whole number"
    if types.is_numeric_dtype(series.dtype):
        return "number"
    if types.is_timedelta64_dtype(series.dtype):
        return "duration"
    return _kind_of_objects(series, declared) if series.dtype == object else str(series.dtype)


def _kind_of_objects(series: pd.Series[Any], declared: list[Column]) -> str:
    if any(isinstance(value, _LISTS) for value in series) or any(column.kind.name == "LIST" for column in declared):
        return "list"
    return _KINDS.get(pd.api.types.infer_dtype(series.dropna()), "mixed")


_KINDS = {
    "string": "text",
    "boolean": "flag",
    "integer": "whole number",
    "floating": "number",
    "date": "day",
    "empty": "nothing",
}


def _counts(series: pd.Series[Any], kind: str) -> tuple[int, int, list[tuple[Any, int]]]:
    """The number of rows with a value, of distinct values, and the three most common values with their counts."""
    values = series.reset_index(drop=True)
    if kind == "list":
        values = values.map(_items).explode()
    elif values.dtype == object:
        values = values.map(_hashable)
    values = values.dropna()
    counted = values.value_counts()
    common = [(value, int(count)) for value, count in counted.head(3).items() if count]
    return values.index.nunique(), int((counted > 0).sum()), common


def _items(value: Any) -> list[Any]:
    """The distinct items of a list; any other value is its only item."""
    items = value if isinstance(value, _LISTS) else [value]
    return list(dict.fromkeys(_hashable(item) for item in items))


def _hashable(value: Any) -> Any:
    if isinstance(value, (dict, *_LISTS)):
        return json.dumps(value, default=str, ensure_ascii=False)
    return value


def _private_examples(columns: list[_Profile]) -> set[str]:
    """The examples that also appear in a private column, in lower case."""
    examples = {
        value.strip().lower()
        for column in columns
        if column.shown
        for value, _ in column.common
        if isinstance(value, str)
    }
    private: set[str] = set()
    for column in columns:
        if column.declared_private and column.kind == "text" and examples:
            texts = column.series.astype(TEXT.dtype).str.strip().str.lower()
            private.update(texts[texts.isin(list(examples))].unique())
    return private


# ---- one value


def _text(value: Any) -> str:
    """*value* as text: times in ISO form, numbers without an exponent if possible."""
    if isinstance(value, pd.Timestamp):
        precision: Literal["milliseconds", "seconds"] = "milliseconds" if value.microsecond else "seconds"
        if value.tzinfo is not None:
            return value.tz_convert("UTC").isoformat(timespec=precision).replace("+00:00", "Z")
        return value.date().isoformat() if value == value.normalize() else value.isoformat(timespec=precision)
    if isinstance(value, (float, np.floating)):
        return f"{value:.15g}"
    return str(value)


def _printable(text: str) -> str:
    """At most 40 characters of *text*, on one line, without control characters."""
    text = "".join(character if character.isprintable() else " " for character in text[:80])
    return shorten(text, 40)
