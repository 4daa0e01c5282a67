"""JSON rows to a typed DataFrame, from a resource's columns.

Each page becomes Arrow columns as it arrives, so that the rows of a whole location never stand in memory as
Python objects. A column first tries the one conversion that fits nearly every page; a page with anything odd
in that column is converted value by value, and what does not fit becomes null and is counted.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
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
    """Some values did not fit, or a field is not known; the rows are all there."""


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


@dataclass(frozen=True)
class CustomFields:
    """The custom fields of one model by their ids: the column that each becomes, and what reads a value for it."""

    columns: Mapping[str, Column]
    readers: Mapping[str, Callable[[Any], Any]]

    @classmethod
    def of(cls, definitions: Sequence[Row], model: str, declared: Sequence[Column]) -> CustomFields:
        """A column for each definition of *model*, named by the field's name, or its key where names collide."""
        fields = {
            _text_of(row, "id"): row
            for row in definitions
            if (row.get("model") or model) == model and row.get("documentType") != "folder" and row.get("id")
        }
        names = Counter(_text_of(definition, "name") for definition in fields.values())
        taken = {column.name for column in declared}
        columns: dict[str, Column] = {}
        for identifier, definition in fields.items():
            name, key = _text_of(definition, "name"), _text_of(definition, "fieldKey")
            if not name or names[name] > 1 or name in taken:
                name = key or identifier
            while name in taken:
                name = f"{name} ({identifier})"
            taken.add(name)
            kind = _FIELD_KINDS.get(str(definition.get("dataType")), TEXT)
            columns[identifier] = Column(name, "customFields", kind, private=True, doc=key, epoch_ms=kind is DAY)
        return cls(columns, {name: _reader(fields[name], column.kind) for name, column in columns.items()})


def _text_of(row: Row, key: str) -> str:
    return SURROGATES.sub("?", str(row.get(key) or "")).strip()


def _reader(definition: Row, kind: Kind) -> Callable[[Any], Any]:
    if kind is not LIST:
        return functools.partial(_answer, kind=kind)
    if definition.get("dataType") in ("FILE_UPLOAD", "SIGNATURE"):
        return _files
    options = _items_of(definition.get("picklistOptions"), "label")
    texts = {option.strip() for option in options if isinstance(option, str)} if isinstance(options, list) else ()
    return functools.partial(_picked, options=frozenset(texts))


@dataclass
class FrameBuilder:
    """Takes pages, gives one frame. ``custom`` is ``None`` where the definitions may not be read."""

    columns: Sequence[Column]
    key: str
    custom: CustomFields | None = None
    custom_as_list: bool = False
    misfits: Counter[str] = field(default_factory=Counter)
    unknown_fields: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    odd: int = 0  # entries that are no objects
    _chunks: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def all_columns(self) -> list[Column]:
        extra = list(self.custom.columns.values()) if self.custom else []
        if self.custom_as_list:
            extra.append(Column("custom_fields", "customFields", LIST, private=True))
        return [*self.columns, *extra]

    def anew(self) -> FrameBuilder:
        """A builder of the same columns, without rows."""
        return FrameBuilder(self.columns, self.key, self.custom, self.custom_as_list)

    def add(self, rows: Sequence[Row], odd: int = 0) -> None:
        """Convert the rows of one page, in which *odd* more entries were no objects."""
        with without_garbage_collection():
            inner = Inner()
            for column in self.columns:
                found = column_values(rows, column, inner)
                self._append(column, found)
                self._count_misfits(column.name, inner.lost(column, found))
            if self.custom:
                for name, found in self._custom_values(rows, self.custom).items():
                    self._append(self.custom.columns[name], found)
            if self.custom_as_list:
                self._chunks.setdefault("custom_fields", []).append([_pairs(row) for row in rows])
            self.rows += len(rows)
            self.odd += odd

    def _append(self, column: Column, found: list[Any]) -> None:
        chunk, misfits = values.convert(found, column.kind, epoch_ms=column.epoch_ms)
        self._chunks.setdefault(column.name, []).append(chunk)
        self._count_misfits(column.name, misfits)

    def _count_misfits(self, name: str, count: int) -> None:
        if count:
            self.misfits[name] += count

    def _custom_values(self, rows: Sequence[Row], custom: CustomFields) -> dict[str, list[Any]]:
        wide: dict[str, list[Any]] = {name: [None] * len(rows) for name in custom.columns}
        for number, row in enumerate(rows):
            items = _items(row)
            self._count_misfits("customFields", _no_items(row, items))
            for item in items:
                name = _text_of(item, "id")
                if name not in wide:
                    self.unknown_fields[name] += 1
                    continue
                value = custom.readers[name](field_value(item))
                if value not in (None, []):
                    wide[name][number] = value
        return wide

    def frame(self) -> pd.DataFrame:
        """All rows so far, each id once and the later kept, with every column and dtype also when empty."""
        data = {column.name: self._series(column) for column in self.all_columns}
        frame = pd.DataFrame(data, copy=False)
        key = frame[self.key]
        twice = key.duplicated(keep="last") & key.notna()
        return frame[~twice].reset_index(drop=True) if twice.any() else frame

    def _series(self, column: Column) -> Any:
        chunks = self._chunks.pop(column.name, [])
        joined = values.join(chunks, column.kind)
        if chunks:
            self._chunks[column.name] = [joined]
        return values.to_pandas(joined, column.kind)

    def warn(self, resource: str) -> None:
        """One warning for all that did not fit."""
        words = [no_rows(self.odd, resource)] if self.odd else []
        if self.misfits:
            places = ", ".join(f"{count:,} in {name}" for name, count in self.misfits.most_common(5))
            words.append(
                f"{sum(self.misfits.values()):,} values of {resource} did not fit their column and became null "
                f"({places}); loc.{resource}.raw() has them as they came"
            )
        if self.unknown_fields:
            words.append(
                f"{sum(self.unknown_fields.values()):,} values belong to {len(self.unknown_fields):,} custom "
                f"fields without a definition (deleted, or newer than the kept ones: refresh=True reads both)"
            )
        if words:
            warn("; ".join(words), DataWarning)


def no_rows(count: int, resource: str) -> str:
    """What to say of entries among the rows that are no objects."""
    are = "1 entry is" if count == 1 else f"{count:,} entries are"
    return f"among the rows of {resource} {are} no row (null or text, say) and left out"


@dataclass
class Inner:
    """What is remembered of the objects within a page's rows, for all the columns that stand in them.

    By the path of an object: the objects, row by row (``None`` where no row has one), and the numbers of the
    rows that have something else in its place.
    """

    objects: dict[str, Sequence[Row | None] | None] = field(default_factory=dict)
    odd: dict[str, set[int]] = field(default_factory=dict)

    def lost(self, column: Column, found: Sequence[Any]) -> int:
        """How many values of *column* were not *found* since they stand in what is no object."""
        rows = set[int]().union(*(self.odd.get(path.rpartition(".")[0], ()) for path in column.paths))
        return sum(found[row] in (None, "", []) for row in rows)


def column_values(rows: Sequence[Row], column: Column, inner: Inner | None = None) -> list[Any]:
    """The wire's values of one column: the first of its paths that holds one."""
    inner = inner or Inner()
    found = _values(rows, column.paths[0], inner)
    for path in column.paths[1:]:
        if (None in found or "" in found) and _parents(rows, path, inner) is not None:
            others = _values(rows, path, inner)
            pairs = zip(found, others, strict=True)
            found = [value if other is None or value not in (None, "") else other for value, other in pairs]
    if column.without:
        found = [[pair for pair in answers or () if pair["field"] not in column.without] for answers in found]
    if column.item:
        found = [_items_of(value, column.item) if value else value for value in found]
    if column.cased_as and any(_lacks_capitals(name) for name in found):
        parts = zip(*(_values(rows, path, inner) for path in column.cased_as), strict=True)
        pairs = zip(found, parts, strict=True)
        found = [_cased(name, texts) if _lacks_capitals(name) else name for name, texts in pairs]
    return found


def _items_of(value: Any, name: str) -> Any:
    """A list with its objects as what they have as *name*; such an object alone as a list of one."""
    if isinstance(value, dict) and name in value:
        value = [value]
    if not isinstance(value, list):
        return value
    return [item.get(name, item) if isinstance(item, dict) else item for item in value]


def _lacks_capitals(name: Any) -> bool:
    return name is None or (isinstance(name, str) and name == name.lower())


def _cased(name: str | None, parts: Sequence[Any]) -> str | None:
    """*name* in the capitals of the *parts* that spell it too; all of these where there is no name."""
    spelled = " ".join(part.strip() for part in parts if isinstance(part, str) and part.strip())
    if not name:
        return spelled or name
    same = name.casefold().split() == spelled.casefold().split()
    return spelled if same and spelled != spelled.lower() else name


def _values(rows: Sequence[Row], path: str, inner: Inner) -> list[Any]:
    parents, name = _parents(rows, path, inner), path.rpartition(".")[2]
    if parents is None:
        return [None] * len(rows)
    if name == "*":
        return [_pairs_of(parent) for parent in parents]
    if parents is rows:
        return [row.get(name) for row in rows]
    return [None if parent is None else parent.get(name) for parent in parents]


def _parents(rows: Sequence[Row], path: str, inner: Inner) -> Sequence[Row | None] | None:
    """The objects, row by row, that hold the last step of *path*; ``None`` where no row has one."""
    prefix = path.rpartition(".")[0]
    if not prefix:
        return rows
    if prefix not in inner.objects:
        step, _, flag = prefix.partition("[")
        found = _values(rows, step, inner)
        kind = list if flag else dict
        odd = {row for row, value in enumerate(found) if value and not isinstance(value, kind)}
        inner.odd[prefix] = odd | inner.odd.get(step.rpartition(".")[0], set())
        if flag:
            found = [_marked(value, flag.rstrip("]")) for value in found]
        found = [value if isinstance(value, dict) else None for value in found]
        inner.objects[prefix] = found if any(value is not None for value in found) else None
    return inner.objects[prefix]


def _pairs_of(answers: Row | None) -> list[dict[str, Any]]:
    """An object's members as a list of field and value."""
    return [{"field": name, "value": value} for name, value in (answers or {}).items()]


def _marked(value: Any, flag: str) -> Any:
    """The first element of a list whose *flag* is true."""
    elements = value if isinstance(value, list) else ()
    return next((one for one in elements if isinstance(one, dict) and one.get(flag) is True), None)


def field_value(item: Row) -> Any:
    """The value of a custom field on a row, by any of the names it comes under; some may be there and empty."""
    value = item.get("value")
    if value is not None and value not in ("", [], {}):
        return value
    names = ["value", "field_value", *(name for name in item if name.startswith("fieldValue"))]
    found = [item[name] for name in names if item.get(name) is not None]
    return next((value for value in found if value not in ("", [], {})), found[0] if found else None)


def _answer(value: Any, kind: Kind) -> Any:
    """What was answered in a custom field of one value: the same from each of the shapes that it comes in."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value in ([], {}):
        return None
    if kind is TEXT:
        return _spelled(value)
    if kind is MONEY and isinstance(value, dict):  # of {currency, value}
        return value.get("value", value)
    return value


def _files(value: Any) -> list[Any]:
    """Files and signatures as objects with their ``url``, also where that came alone."""
    return [{"url": item} if isinstance(item, str) else item for item in values.as_list(value)]


def _picked(value: Any, options: frozenset[str]) -> list[Any]:
    """The options that were picked, or the texts of several boxes; also where options came as one text."""
    found: list[Any] = []
    for item in values.as_list(value):
        if isinstance(item, str):
            found += _split(item, options)
        else:
            found.append(item if isinstance(item, (dict, list)) or item is None else str(_spelled(item)))
    return found


def _split(text: str, options: frozenset[str]) -> list[str]:
    """A text of nothing but *options* and commas as its options, which may have commas themselves; else it alone."""
    if "," not in text or not options:
        return [text.strip() if text.strip() in options else text]
    pieces, found, start = text.split(","), list[str](), 0
    most = 1 + max((option.count(",") for option in options), default=0)
    while start < len(pieces):
        texts = {end: ",".join(pieces[start:end]).strip() for end in range(start + most, start, -1)}
        end = next((end for end, text in texts.items() if text in options and end <= len(pieces)), None)
        if end is None:
            return [text]
        found.append(texts[end])
        start = end
    return found


def _spelled(value: Any) -> Any:
    """An answer as text: several values with commas between them, an object as JSON."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and not any(isinstance(item, (list, dict)) for item in value):
        return ", ".join(str(_spelled(item)) for item in value if item is not None)
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value


def _pairs(row: Row) -> list[dict[str, Any]]:
    return [{"id": item.get("id"), "value": field_value(item)} for item in _items(row)]


def _items(row: Row) -> list[Row]:
    """The custom fields of a row: objects of id and value."""
    items = row.get("customFields")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _no_items(row: Row, items: Sequence[Row]) -> int:
    """How much stands among a row's custom fields that is none."""
    found = row.get("customFields")
    return len(found) - len(items) if isinstance(found, list) else int(bool(found))
