"""The filters of the two searches, ``{field, operator, value}`` and groups of them, as a mask of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hlkit.sim.clock import Array, parse
from hlkit.sim.data import Data
from hlkit.sim.opportunities import STATUSES
from hlkit.sim.refusal import unprocessable
from hlkit.sim.table import Table
from hlkit.sim.words import split

LONGEST_VALUE = 75
RANGE = {"gte": np.greater_equal, "lte": np.less_equal, "gt": np.greater, "lt": np.less}

# The fields that a search can filter by, and their path in the JSON row.
CONTACT_PATHS = {
    name: name
    for name in split(
        """
    id email phone firstName lastName firstNameLowerCase lastNameLowerCase contactName companyName
    businessName businessId address city state country postalCode website source type tags assignedTo
    followers dnd dateAdded dateUpdated dateOfBirth timezone validEmail dndSettings.Email.status
    dndSettings.SMS.status dndSettings.Call.status inboundDndSettings.all.status
    opportunities.pipelineId opportunities.pipelineStageId opportunities.status
    """
    )
}
OPPORTUNITY_PATHS = {
    "id": "id",
    "name": "name",
    "status": "status",
    "source": "source",
    "pipeline_id": "pipelineId",
    "pipeline_stage_id": "pipelineStageId",
    "assigned_to": "assignedTo",
    "contact_id": "contactId",
    "lost_reason_id": "lostReasonId",
    "monetary_value": "monetaryValue",
    "date_added": "createdAt",
    "date_updated": "updatedAt",
    "last_status_change_date": "lastStatusChangeAt",
    "last_stage_change_date": "lastStageChangeAt",
    "contact.email": "contact.email",
    "contact.name": "contact.name",
    "contact.phone": "contact.phone",
    "contact.tags": "contact.tags",
}
PATHS = {"contacts": CONTACT_PATHS, "opportunities": OPPORTUNITY_PATHS}
CUSTOM = {"contacts": "customFields.", "opportunities": "custom_fields."}
SEARCHED = {
    "contacts": ("contactName", "email", "phone", "companyName"),
    "opportunities": ("name", "contact.name", "contact.email", "contact.phone"),
}


def mask(data: Data, name: str, filters: object, query: str = "") -> Array:
    """True for each row of a table that matches the filters and the query."""
    table = data.table(name)
    passed = table.alive.copy()
    if filters:
        passed &= _all_conditions(data, table, filters)
    if query:
        passed &= _query_mask(table, query)
    return passed


def _all_conditions(data: Data, table: Table, filters: object) -> Array:
    if not isinstance(filters, list):
        raise unprocessable("filters must be an array")
    out = np.ones(len(table.alive), bool)
    for condition in filters:
        out &= _condition_mask(data, table, condition)
    return out


def _condition_mask(data: Data, table: Table, condition: object) -> Array:
    if not isinstance(condition, dict):
        raise unprocessable("each value in filters must be an object")
    if "group" in condition:
        parts = condition.get("filters")
        if condition["group"] not in ("AND", "OR") or not isinstance(parts, list) or not parts:
            raise unprocessable("a group must be AND or OR and hold filters")
        join = np.logical_and if condition["group"] == "AND" else np.logical_or
        masks = [_condition_mask(data, table, part) for part in parts]
        return np.asarray(join.reduce(masks))
    field, operator, value = condition.get("field"), condition.get("operator"), condition.get("value")
    if not isinstance(field, str) or not _is_field(table.name, field):
        raise unprocessable(f"Invalid field name provided: {field}")
    if operator not in OPERATORS and operator not in ("range", "exists", "not_exists"):
        raise unprocessable(f"Invalid operator provided: {operator}")
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        raise unprocessable(f"value must be shorter than or equal to {LONGEST_VALUE} characters")
    return _matched(data, table, field, str(operator), value)


def _is_field(name: str, field: str) -> bool:
    return field in PATHS[name] or (field.startswith(CUSTOM[name]) and len(field) > len(CUSTOM[name]))


def _matched(data: Data, table: Table, field: str, operator: str, value: object) -> Array:
    if operator == "range":
        return _within(table, field, value)
    if operator in ("eq", "not_eq"):
        quick = _quick(data, table, field, value)
        if quick is not None:
            return quick if operator == "eq" else ~quick
    values_by_row = _values_by_row(table, field)
    if operator in ("exists", "not_exists"):
        test: Callable[[list[Any]], bool] = bool
    else:
        check = OPERATORS[operator]
        test = lambda values: any(check(actual, value) for actual in values)  # noqa: E731
    out = np.zeros(len(table.alive), bool)
    out[table.now()] = [test(values) for values in values_by_row]
    return ~out if operator.startswith("not_") else out


def _within(table: Table, field: str, value: object) -> Array:
    if not isinstance(value, dict) or not value or not set(value) <= set(RANGE):
        raise unprocessable("a range needs gte, lte, gt or lt")
    try:
        limits = {name: _limit(field, limit) for name, limit in value.items()}
    except ValueError as error:
        raise unprocessable(str(error)) from None
    if field in table.numeric:
        numbers = table.columns[table.numeric[field]].astype(float)
    else:
        numbers = np.full(len(table.alive), np.nan)
        numbers[table.now()] = [_number(values[0]) if values else np.nan for values in _values_by_row(table, field)]
    out: Array = ~np.isnan(numbers)
    for name, limit in limits.items():
        out &= RANGE[name](numbers, limit)
    return out


def _limit(field: str, limit: object) -> float:
    if field == "monetary_value":
        return _number(limit)
    return float(parse(limit))


def _number(value: object) -> float:
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(parse(value))
    except ValueError:
        return float("nan")


def _quick(data: Data, table: Table, field: str, value: object) -> Array | None:
    """The mask of an equality that columns alone can decide, or None."""
    account, columns = data.account, table.columns
    coded: dict[str, tuple[str, tuple[str, ...]]] = {
        "status": ("status", STATUSES),
        "pipeline_id": ("pipeline", account.pipeline_ids),
        "assigned_to": ("owner", account.user_ids),
        "assignedTo": ("owner", account.user_ids),
    }
    if field == "id":
        row = table.find(value)
        return np.asarray(np.arange(len(table.alive)) == (-1 if row is None else row))
    if field == "contact_id":
        row = data.table("contacts").find(value)
        return np.asarray(columns["contact"] == (-1 if row is None else row))
    if field in coded and (field != "status" or table.name == "opportunities"):
        column, values = coded[field]
        code = values.index(str(value)) if value in values else -9
        return np.asarray(columns[column] == code) if code >= 0 else np.zeros(len(table.alive), bool)
    return None


def _values_by_row(table: Table, field: str) -> list[list[Any]]:
    """The values of a field in each current row: none, one, or the items of a list."""
    custom = CUSTOM[table.name]
    rows = table.make(table.now())
    if field.startswith(custom):
        wanted, _, option = field[len(custom) :].partition(".")
        return [_custom(row["customFields"], wanted, option) for row in rows]
    path = PATHS[table.name][field].split(".")
    return [_along(row, path) for row in rows]


def _custom(fields: list[dict[str, Any]], wanted: str, option: str) -> list[Any]:
    out: list[Any] = []
    for field in fields:
        if field["id"] == wanted:
            value = next(v for k, v in field.items() if k == "value" or k.startswith("fieldValue"))
            value = value.get(option) if option and isinstance(value, dict) else value
            out.extend(value if isinstance(value, list) else [] if value is None else [value])
    return out


def _along(value: Any, path: list[str]) -> list[Any]:
    if isinstance(value, list):
        return [leaf for member in value for leaf in _along(member, path)]
    if not path:
        return [] if value is None else [value]
    return _along(value.get(path[0]), path[1:]) if isinstance(value, dict) else []


def _equal(actual: Any, value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(_folded(actual) == _folded(wanted) for wanted in values)


def _contains(actual: Any, value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(_folded(wanted) in _folded(actual) for wanted in values)


def _folded(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).casefold()


def _query_mask(table: Table, query: str) -> Array:
    out = np.zeros(len(table.alive), bool)
    rows = table.make(table.now())
    paths = [path.split(".") for path in SEARCHED[table.name]]
    out[table.now()] = [any(_contains(value, query) for path in paths for value in _along(row, path)) for row in rows]
    return out


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": _equal,
    "not_eq": _equal,
    "contains": _contains,
    "not_contains": _contains,
}
