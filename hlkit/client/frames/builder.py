"""JSON rows to a typed DataFrame, from a resource's columns.

Each page becomes Arrow columns as it arrives, so a whole location is never in memory as Python objects. A column
first tries one fast conversion that fits nearly every page. If a value does not fit, the page's values are converted
one by one; those that do not fit become null and are counted.
"""

from __future__ import annotations

import functools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from hlkit.client.frames import values
from hlkit.client.memory import without_garbage_collection
from hlkit.client.schema import DAY, LIST, MONEY, NUMBER, TEXT, Column, Kind
from hlkit.client.text import SURROGATES
from hlkit.client.warning import warn

Row = Mapping[str, Any]


class DataWarning(UserWarning):
    """Some values did not fit their column, or belong to an unknown field. No row is lost."""


_FIELD_KINDS = {
    "NUMERICAL": NUMBER,
    "FLOAT": NUMBER,
    "MONETORY": MONEY,  # sic
    "CHECKBOX": LIST,
    "MULTIPLE_OPTIONS": LIST,
    "TEXTBOX_LIST": LIST,
    "FILE_UPLOAD": LIST,
    "SIGNATURE": LIST,
    "DATE": DAY,
}
_CUSTOM_FIELDS = Column("custom_fields", "customFields", LIST, private=True)  # all of them, without their names


@dataclass(frozen=True)
class CustomFields:
    """The custom fields of one model, by field id: the column for each, and the function that reads its value."""

    columns: Mapping[str, Column]
    readers: Mapping[str, Callable[[Any], Any]]

    @classmethod
    def of(cls, definitions: Sequence[Row], model: str, declared: Sequence[Column]) -> CustomFields:
        """One column per definition of *model*, with the field's name; its key if names collide."""
        fields = {
            _clean_text(row, "id"): row
            for row in definitions
            if (row.get("model") or model) == model and row.get("documentType") != "folder" and row.get("id")
        }
        name_counts = Counter(_clean_text(definition, "name") for definition in fields.values())
        taken = {column.name for column in declared}
        columns, readers = dict[str, Column](), dict[str, Callable[[Any], Any]]()
        for field_id, definition in fields.items():
            name, key = _clean_text(definition, "name"), _clean_text(definition, "fieldKey")
            if not name or name_counts[name] > 1 or name in taken:
                name = key or field_id
            while name in taken:
                name = f"{name} ({field_id})"
            taken.add(name)
            kind = _FIELD_KINDS.get(str(definition.get("dataType")), TEXT)
            columns[field_id] = Column(name, "customFields", kind, private=True, doc=key, epoch_ms=kind is DAY)
            readers[field_id] = _reader(definition, kind)
        return cls(columns, readers)


def _clean_text(row: Row, key: str) -> str:
    return SURROGATES.sub("?", str(row.get(key) or "")).strip()


def _reader(definition: Row, kind: Kind) -> Callable[[Any], Any]:
    """The function that reads a value of this custom field."""
    if kind is not LIST:
        return functools.partial(_read_single, kind=kind)
    if definition.get("dataType") in ("FILE_UPLOAD", "SIGNATURE"):
        return _read_files
    options = _pick_member(definition.get("picklistOptions"), "label")
    labels = {option.strip() for option in options if isinstance(option, str)} if isinstance(options, list) else set()
    longest_first = sorted(map(re.escape, labels - {""}), key=len, reverse=True)
    option = re.compile(rf"\s*({'|'.join(longest_first)})\s*(?:,|\Z)") if longest_first else None
    return functools.partial(_read_options, option=option)


@dataclass
class FrameBuilder:
    """Collects pages and returns one frame.

    ``custom`` is ``None`` if the custom fields are not wanted or their definitions cannot be read; with
    ``custom_as_list`` their values then share one column. ``misfits`` counts, by column, the values that did not
    fit; ``unknown_fields``, by field id, those without a definition; ``skipped``, the entries that are not objects.
    """

    columns: Sequence[Column]
    key: str
    custom: CustomFields | None = None
    custom_as_list: bool = False
    misfits: Counter[str] = field(default_factory=Counter)
    unknown_fields: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    _chunks: defaultdict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))

    @property
    def all_columns(self) -> list[Column]:
        extra = list(self.custom.columns.values()) if self.custom else []
        if self.custom_as_list:
            extra.append(_CUSTOM_FIELDS)
        return [*self.columns, *extra]

    def empty_copy(self) -> FrameBuilder:
        """A builder with the same columns and no rows."""
        return FrameBuilder(self.columns, self.key, self.custom, self.custom_as_list)

    def add(self, rows: Sequence[Row], skipped: int = 0) -> None:
        """Convert the rows of one page; *skipped* is how many more entries it had that are not objects."""
        with without_garbage_collection():
            reader = RowReader(rows)
            for column in self.columns:
                wire_values = reader.values(column)
                self._append(column, wire_values)
                self._count_misfits(column.name, reader.count_lost(column, wire_values))
            if self.custom:
                for field_id, wire_values in self._custom_values(rows, self.custom).items():
                    self._append(self.custom.columns[field_id], wire_values)
            if self.custom_as_list:
                self._append(_CUSTOM_FIELDS, [_id_value_pairs(row) for row in rows])
            self.skipped += skipped

    def _append(self, column: Column, wire_values: list[Any]) -> None:
        chunk, misfits = values.convert(wire_values, column.kind, epoch_ms=column.epoch_ms)
        self._chunks[column.name].append(chunk)
        self._count_misfits(column.name, misfits)

    def _count_misfits(self, name: str, count: int) -> None:
        if count:
            self.misfits[name] += count

    def _custom_values(self, rows: Sequence[Row], custom: CustomFields) -> dict[str, list[Any]]:
        """The values of each custom field, by field id, one per row."""
        by_field: dict[str, list[Any]] = {field_id: [None] * len(rows) for field_id in custom.columns}
        for number, row in enumerate(rows):
            items, invalid = _custom_field_items(row)
            self._count_misfits("customFields", invalid)
            for item in items:
                field_id = _clean_text(item, "id")
                if field_id not in by_field:
                    self.unknown_fields[field_id] += 1
                    continue
                value = custom.readers[field_id](field_value(item))
                if value not in (None, []):
                    by_field[field_id][number] = value
        return by_field

    def frame(self) -> pd.DataFrame:
        """All rows added so far, with every column and dtype. Of rows with the same id, the last added stays."""
        data = {column.name: self._series(column) for column in self.all_columns}
        frame = pd.DataFrame(data, copy=False)
        key = frame[self.key]
        is_replaced = key.duplicated(keep="last") & key.notna()
        return frame[~is_replaced].reset_index(drop=True) if is_replaced.any() else frame

    def _series(self, column: Column) -> Any:
        joined = values.join(self._chunks.pop(column.name, []), column.kind)
        self._chunks[column.name] = [joined]
        return values.to_pandas(joined, column.kind)

    def warn(self, resource: str) -> None:
        """Issue one warning for everything that did not fit."""
        messages = [skipped_message(self.skipped, resource)] if self.skipped else []
        if self.misfits:
            counts = ", ".join(f"{count:,} in {name}" for name, count in self.misfits.most_common(5))
            messages.append(
                f"{sum(self.misfits.values()):,} values of {resource} did not fit their column and became null "
                f"({counts}); loc.{resource}.raw() returns them unchanged"
            )
        if self.unknown_fields:
            messages.append(
                f"{sum(self.unknown_fields.values()):,} values belong to {len(self.unknown_fields):,} custom "
                f"fields without a definition (deleted, or newer than the cache: refresh=True reads both)"
            )
        if messages:
            warn("; ".join(messages), DataWarning)


def skipped_message(count: int, resource: str) -> str:
    """The warning about entries that are not JSON objects."""
    entries = "1 entry that is" if count == 1 else f"{count:,} entries that are"
    return f"left out {entries} not a row of {resource} (null or text, for example)"


class RowReader:
    """Reads the values of one column after another from a page's rows.

    ``_objects`` holds the objects nested in the rows by path, one per row, found once for all columns; ``_invalid``,
    by path, the numbers of the rows with something else in their place.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._objects: dict[str, Sequence[Row]] = {"": rows}
        self._invalid: dict[str, set[int]] = {"": set()}

    def values(self, column: Column) -> list[Any]:
        """The unconverted values of one column, each from the first of the column's paths that holds one."""
        wire_values = self._values_at(column.paths[0])
        for path in column.paths[1:]:
            if (None in wire_values or "" in wire_values) and any(self._objects_at(_parent(path))):
                pairs = zip(wire_values, self._values_at(path), strict=True)
                wire_values = [value if other is None or value not in (None, "") else other for value, other in pairs]
        if column.without:
            wire_values = [[pair for pair in pairs if pair["field"] not in column.without] for pairs in wire_values]
        if column.item:
            wire_values = [_pick_member(value, column.item) if value else value for value in wire_values]
        if column.cased_as:
            parts = zip(*(self._values_at(path) for path in column.cased_as), strict=True)
            wire_values = [_with_capitals(name, texts) for name, texts in zip(wire_values, parts, strict=True)]
        return wire_values

    def count_lost(self, column: Column, wire_values: Sequence[Any]) -> int:
        """How many values of *column* are missing because the object around them is not an object."""
        rows = set[int]().union(*(self._invalid.get(_parent(path), ()) for path in column.paths))
        return sum(wire_values[row] in (None, "", []) for row in rows)

    def _values_at(self, path: str) -> list[Any]:
        """The value at *path* in each row."""
        objects, name = self._objects_at(_parent(path)), path.rpartition(".")[2]
        if name == "*":
            return [[{"field": key, "value": value} for key, value in members.items()] for members in objects]
        return [members.get(name) for members in objects]

    def _objects_at(self, path: str) -> Sequence[Row]:
        """The object at *path* in each row; an empty one if there is none."""
        if path not in self._objects:
            list_path, _, flag = path.partition("[")
            wire_values = self._values_at(list_path)
            expected = list if flag else dict
            invalid = {row for row, value in enumerate(wire_values) if value and not isinstance(value, expected)}
            self._invalid[path] = invalid | self._invalid[_parent(list_path)]
            if flag:
                wire_values = [_first_flagged(value, flag.rstrip("]")) for value in wire_values]
            self._objects[path] = [value if isinstance(value, dict) else {} for value in wire_values]
        return self._objects[path]


def _parent(path: str) -> str:
    return path.rpartition(".")[0]


def _pick_member(value: Any, name: str) -> Any:
    """A list with each object replaced by its member *name*. A single object counts as a list of one."""
    if isinstance(value, dict) and name in value:
        value = [value]
    if not isinstance(value, list):
        return value
    return [item.get(name, item) if isinstance(item, dict) else item for item in value]


def _with_capitals(name: Any, parts: Sequence[Any]) -> Any:
    """*name*, with the capitals of *parts* (first and last name) if it has none; without a name, *parts*."""
    if name is not None and not (isinstance(name, str) and name == name.lower()):
        return name
    joined = " ".join(part.strip() for part in parts if isinstance(part, str) and part.strip())
    is_same = not name or name.casefold().split() == joined.casefold().split()
    return joined or name if is_same else name


def _first_flagged(value: Any, flag: str) -> Any:
    """The first object in a list whose *flag* is true."""
    elements = value if isinstance(value, list) else ()
    return next((item for item in elements if isinstance(item, dict) and item.get(flag) is True), None)


# ---- custom fields


def field_value(item: Row) -> Any:
    """The value of a custom field in a row, from whichever of its wire names is not empty."""
    names = [name for name in item if name in ("value", "field_value") or name.startswith("fieldValue")]
    found = [item[name] for name in names if item[name] is not None]
    return next((value for value in found if value not in ("", [], {})), found[0] if found else None)


def _read_single(value: Any, kind: Kind) -> Any:
    """The value of a custom field with one value, whichever shape it arrives in."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value in ([], {}):
        return None
    if kind is TEXT:
        return _as_text(value)
    if kind is MONEY and isinstance(value, dict):  # {"currency": "USD", "value": 1200}
        return value.get("value", value)
    return value


def _read_files(value: Any) -> list[Any]:
    """Files and signatures as objects with a ``url``, even if only the URL arrives."""
    return [{"url": item} if isinstance(item, str) else item for item in values.as_list(value)]


def _read_options(value: Any, option: re.Pattern[str] | None) -> list[Any]:
    """The selected options, or the texts of several boxes. Options joined in one text are split."""
    selected: list[Any] = []
    for item in values.as_list(value):
        if isinstance(item, str):
            selected += _split_options(item, option) if option and item else [item]
        else:
            selected.append(item if isinstance(item, (dict, list)) or item is None else str(_as_text(item)))
    return selected


def _split_options(text: str, option: re.Pattern[str]) -> list[str]:
    """Split a text at the commas after its options. If a part of it is not an option, keep it whole."""
    selected, end = list[str](), 0
    while end < len(text):
        match = option.match(text, end)
        if not match:
            return [text]
        selected.append(match[1])
        end = match.end()
    return selected


def _as_text(value: Any) -> Any:
    """A value as text: a list joined by commas, an object as JSON."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and not any(isinstance(item, (list, dict)) for item in value):
        return ", ".join(str(_as_text(item)) for item in value if item is not None)
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value


def _id_value_pairs(row: Row) -> list[dict[str, Any]]:
    return [{"id": item.get("id"), "value": field_value(item)} for item in _custom_field_items(row)[0]]


def _custom_field_items(row: Row) -> tuple[list[Row], int]:
    """A row's custom fields, which are objects with an id and a value, and how many more entries are not objects."""
    entries = row.get("customFields") or []
    if not isinstance(entries, list):
        return [], 1
    items: list[Row] = [entry for entry in entries if isinstance(entry, dict)]
    return items, len(entries) - len(items)
