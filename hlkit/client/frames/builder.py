"""JSON rows to a typed DataFrame, from a resource's columns.

Each page becomes Arrow columns as it arrives, so a whole location is never in memory as Python objects. A column
first tries one fast conversion that fits nearly every page. If a value does not fit, the page's values are converted
one by one; those that do not fit become null and are counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from hlkit.client.frames import values
from hlkit.client.frames.custom_fields import CustomFields
from hlkit.client.memory import without_garbage_collection
from hlkit.client.schema import Column
from hlkit.client.warning import warn

Row = Mapping[str, Any]


class DataWarning(UserWarning):
    """Some values did not fit their column, or belong to an unknown field. No row is lost."""


@dataclass
class FrameBuilder:
    """Collects pages and returns one frame.

    ``custom`` is ``None`` if the custom fields are not wanted. ``misfits`` counts, by column, the values that did not
    fit; ``unknown_fields``, by field id, those without a definition; ``skipped``, the entries that are not objects.
    """

    columns: Sequence[Column]
    key: str
    custom: CustomFields | None = None
    misfits: Counter[str] = field(default_factory=Counter)
    unknown_fields: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    _chunks: defaultdict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))

    @property
    def all_columns(self) -> list[Column]:
        return [*self.columns, *(self.custom.columns.values() if self.custom else ())]

    def clear(self) -> None:
        """Forget all rows, and what did not fit."""
        self.misfits.clear()
        self.unknown_fields.clear()
        self.skipped = 0
        self._chunks.clear()

    def add(self, rows: Sequence[Row], skipped: int = 0) -> None:
        """Convert the rows of one page; *skipped* is how many more entries it had that are not objects."""
        with without_garbage_collection():
            reader = RowReader(rows)
            for column in self.columns:
                wire_values = reader.values(column)
                self._append(column, wire_values)
                self._count_misfits(column.name, reader.count_lost(column, wire_values))
            if self.custom:
                by_field, invalid, unknown = self.custom.values(rows)
                for field_id, wire_values in by_field.items():
                    self._append(self.custom.columns[field_id], wire_values)
                self._count_misfits("customFields", invalid)
                self.unknown_fields += unknown
            self.skipped += skipped

    def _append(self, column: Column, wire_values: list[Any]) -> None:
        chunk, misfits = values.convert(wire_values, column.kind, epoch_ms=column.epoch_ms)
        self._chunks[column.name].append(chunk)
        self._count_misfits(column.name, misfits)

    def _count_misfits(self, name: str, count: int) -> None:
        if count:
            self.misfits[name] += count

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
            wire_values = [values.pick_member(value, column.item) if value else value for value in wire_values]
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
