"""Custom fields: a column for each, and its values in the shapes in which they arrive."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hlkit.client.frames.values import as_list, pick_member
from hlkit.client.schema import DAY, LIST, MONEY, NUMBER, TEXT, Column, Kind
from hlkit.client.text import SURROGATES

Row = Mapping[str, Any]
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

    def values(self, rows: Sequence[Row]) -> tuple[dict[str, list[Any]], int, Counter[str]]:
        """The values of each custom field, by field id, one per row.

        Also how many entries are not objects, and how many values have no definition, by field id.
        """
        by_field: dict[str, list[Any]] = {field_id: [None] * len(rows) for field_id in self.columns}
        invalid, unknown = 0, Counter[str]()
        for number, row in enumerate(rows):
            items, others = _items(row)
            invalid += others
            for item in items:
                field_id = _clean_text(item, "id")
                if field_id not in by_field:
                    unknown[field_id] += 1
                    continue
                value = self.readers[field_id](_value(item))
                if value not in (None, []):
                    by_field[field_id][number] = value
        return by_field, invalid, unknown


class CustomFieldsAsList(CustomFields):
    """All custom fields in one column, as a list of id and value: used if their definitions cannot be read."""

    def __init__(self) -> None:
        super().__init__({"": Column("custom_fields", "customFields", LIST, private=True)}, {})

    def values(self, rows: Sequence[Row]) -> tuple[dict[str, list[Any]], int, Counter[str]]:
        pairs = [[{"id": item.get("id"), "value": _value(item)} for item in _items(row)[0]] for row in rows]
        return {"": pairs}, 0, Counter()


def _clean_text(row: Row, key: str) -> str:
    return SURROGATES.sub("?", str(row.get(key) or "")).strip()


def _reader(definition: Row, kind: Kind) -> Callable[[Any], Any]:
    """The function that reads a value of this custom field."""
    if kind is not LIST:
        return functools.partial(_read_single, kind=kind)
    if definition.get("dataType") in ("FILE_UPLOAD", "SIGNATURE"):
        return _read_files
    options = pick_member(definition.get("picklistOptions"), "label")
    labels = {option.strip() for option in options if isinstance(option, str)} if isinstance(options, list) else set()
    longest_first = sorted(map(re.escape, labels - {""}), key=len, reverse=True)
    option = re.compile(rf"\s*({'|'.join(longest_first)})\s*(?:,(?!\Z)|\Z)") if longest_first else None
    return functools.partial(_read_options, option=option)


def _value(item: Row) -> Any:
    """The value of a custom field in a row, from whichever of its wire names is not empty."""
    names = ["value", "field_value", *(name for name in item if name.startswith("fieldValue"))]
    found = [item[name] for name in names if item.get(name) is not None]
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
    return [{"url": item} if isinstance(item, str) else item for item in as_list(value)]


def _read_options(value: Any, option: re.Pattern[str] | None) -> list[Any]:
    """The selected options, or the texts of several boxes. Options joined in one text are split."""
    selected: list[Any] = []
    for item in as_list(value):
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


def _items(row: Row) -> tuple[list[Row], int]:
    """A row's custom fields, which are objects with an id and a value, and how many more entries are not objects."""
    entries = row.get("customFields") or []
    if not isinstance(entries, list):
        return [], 1
    items: list[Row] = [entry for entry in entries if isinstance(entry, dict)]
    return items, len(entries) - len(items)
