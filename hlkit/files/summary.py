"""What is in a frame, a row per column, and nobody in it.

A value is shown only where the catalog declares its column and does not mark it private. Everything else, a
custom field or a column of the user's own too, shows pseudonyms: equal for equal values, made with a key that
this process alone holds, so that nobody finds the value by trying all phone numbers.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from hlkit.client.errors import InvalidRequest
from hlkit.client.resources import CATALOG
from hlkit.client.schema import COUNT, FLAG, SHARE, TEXT, Column

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
# An address, or seven digits and more that are no part of an id: in any column, it is somebody's.
_SOMEBODY = re.compile(r"\S@\S|(?<![\w])\+?\(?\d(?:[\s().\-/]*\d){6,}(?![\w])")


def summarize(frame: pd.DataFrame) -> pd.DataFrame:
    """What each column of *frame* holds, without showing a name, an email address or a phone number.

    Gives a row per column: ``kind`` (by dtype, in words), ``private`` (its values are not shown), ``rows``,
    ``nulls`` (share of rows, 0 to 1, with no value or an empty list), ``uniques`` (of a list: distinct items),
    ``min`` and ``max`` (numbers and times, as text), ``most_common_share`` (of the rows with a value, how many
    hold the most common one) and ``examples``, the three most common values.

    A private value is shown as ``text_3f9a1c2b04de``: the same in every profile of this session, another in
    the next. What looks like an address or a phone number, or stands in a column of the frame that is declared
    private, is hidden in other columns too. Raises ``InvalidRequest`` for what is no frame.
    """
    if isinstance(frame, pd.Series):
        frame = frame.to_frame()
    if not isinstance(frame, pd.DataFrame):
        raise InvalidRequest(
            f"a {type(frame).__name__} is not a DataFrame", hint="give one, such as loc.contacts() or result.table"
        )
    resource = _resource(frame)
    looks = [_Look.at(label, frame.iloc[:, place], resource) for place, label in enumerate(frame.columns)]
    known = _known(looks)
    rows = [look.row(known) for look in looks]
    return pd.DataFrame(
        {name: pd.Series([row[name] for row in rows], dtype=kind.dtype) for name, kind in _COLUMNS.items()}
    )


def pseudonym(value: Any, word: str = "text") -> str:
    """A stand-in for *value*: equal for equal values (blanks around and capitals aside) in this process."""
    text = _text(value).strip().casefold().encode("utf-8", "replace")
    return f"{word}_{hashlib.blake2b(text, key=_KEY, digest_size=6).hexdigest()}"


# ---- what the catalog says of a column


def _resource(frame: pd.DataFrame) -> str | None:
    told = frame.attrs.get("hlkit")
    name = told.get("resource") if isinstance(told, dict) else None
    return name if isinstance(name, str) and name in CATALOG else None


def _declared(label: Hashable, resource: str | None) -> list[Column]:
    """What the frame's resource declares under that name; where it is not known, what any does."""
    places = CATALOG.values() if resource is None else [CATALOG[resource]]
    return [column for place in places for column in place.columns if column.name == label]


# ---- one column


@dataclass(frozen=True)
class _Look:
    """A column and what was found in it. ``common`` are its three most common values."""

    label: Hashable
    series: pd.Series[Any]
    kind: str
    shown: bool  # declared, and not private
    declared_private: bool
    filled: int
    uniques: int
    common: list[tuple[Any, int]]

    @classmethod
    def at(cls, label: Hashable, series: pd.Series[Any], resource: str | None) -> _Look:
        if isinstance(series.dtype, pd.ArrowDtype) and series.dtype.kind in "OU":  # lists and text of Arrow's own
            series = series.astype(object)
        declared = _declared(label, resource)
        private = any(column.private for column in declared)
        kind = _kind(series, declared)
        filled, uniques, common = _counts(series, kind)
        return cls(label, series, kind, bool(declared) and not private, private, filled, uniques, common)

    def row(self, known: set[str]) -> dict[str, Any]:
        rows = len(self.series)
        low, high = self._ends() if self.shown else (None, None)
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
            "examples": ", ".join(self._example(value, known) for value, _ in self.common) or None,
        }

    def _example(self, value: Any, known: set[str]) -> str:
        text = _text(value)
        hides = isinstance(value, str) and (_SOMEBODY.search(text) or text.strip().lower() in known)
        if self.shown and not hides:
            return _printable(text)
        return pseudonym(value, "text" if self.kind == "list" else self.kind.rpartition(" ")[2])

    def _ends(self) -> tuple[str | None, str | None]:
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
    return _WORDS.get(pd.api.types.infer_dtype(series.dropna()), "mixed")


_WORDS = {
    "string": "text",
    "boolean": "flag",
    "integer": "whole number",
    "floating": "number",
    "date": "day",
    "empty": "nothing",
}


def _counts(series: pd.Series[Any], kind: str) -> tuple[int, int, list[tuple[Any, int]]]:
    """How many rows hold a value, how many values there are, and the three most common with their rows."""
    if kind == "list":
        filled = 0
        counts: Counter[Any] = Counter()
        for value in series:
            items = dict.fromkeys(_items(value))  # each once a row
            filled += bool(items)
            counts.update(items.keys())
        return filled, len(counts), counts.most_common(3)
    values = series.dropna()
    if series.dtype == object:
        values = values.map(_hashable)
    found = values.value_counts()
    common = [(value, int(count)) for value, count in found.head(3).items() if count]
    return len(values), int((found > 0).sum()), common


def _items(value: Any) -> Iterator[Any]:
    if isinstance(value, _LISTS):
        yield from (_hashable(item) for item in value if item is not None)
    elif not (pd.api.types.is_scalar(value) and pd.isna(value)):
        yield _hashable(value)


def _hashable(value: Any) -> Any:
    if isinstance(value, (dict, *_LISTS)):
        return json.dumps(value, default=str, ensure_ascii=False)
    return value


def _known(looks: list[_Look]) -> set[str]:
    """Those of the examples to be shown that stand in a column which is declared private."""
    wanted = {value.strip().lower() for look in looks if look.shown for value, _ in look.common if _is_text(value)}
    found: set[str] = set()
    for look in looks:
        if look.declared_private and look.kind == "text" and wanted:
            texts = look.series.astype(TEXT.dtype).str.strip().str.lower()
            found.update(texts[texts.isin(list(wanted))].unique())
    return found


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


# ---- one value


def _text(value: Any) -> str:
    """A value in words: times in ISO form, numbers without an exponent where that can be."""
    if isinstance(value, pd.Timestamp):
        precision: Literal["milliseconds", "seconds"] = "milliseconds" if value.microsecond else "seconds"
        if value.tzinfo is not None:
            return value.tz_convert("UTC").isoformat(timespec=precision).replace("+00:00", "Z")
        return value.date().isoformat() if value == value.normalize() else value.isoformat(timespec=precision)
    if isinstance(value, (float, np.floating)):
        return f"{value:.15g}"
    return str(value)


def _printable(text: str) -> str:
    """Forty characters at most, on one line, without what a terminal would obey."""
    text = "".join(mark if mark.isprintable() else " " for mark in text[:80])
    return text if len(text) <= 40 else text[:39] + "…"
