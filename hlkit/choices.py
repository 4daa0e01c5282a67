"""What a caller may choose of a resource: the signature that completes, and its checks before any request."""

from __future__ import annotations

import datetime as dt
import inspect
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from hlkit.dates import DATES, PERIOD, Today, Zone, bounds, short
from hlkit.errors import InvalidRequest
from hlkit.kinds import DAY, WHEN, Kind
from hlkit.resource import Resource
from hlkit.wire.watch import Watch


@dataclass(frozen=True)
class Choices:
    """What was chosen, checked. ``parents`` are the ids of the rows that a resource is read for, one by one."""

    since: pd.Timestamp | None = None
    until: pd.Timestamp | None = None
    limit: int | None = None
    refresh: bool = False
    expire_after: float | None = None
    custom_fields: bool = True
    confirm: bool = False
    parents: tuple[str, ...] | None = None
    watch: Watch | None = None
    filters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_span(self) -> bool:
        return self.since is not None or self.until is not None


def chosen(resource: Resource, given: Mapping[str, Any], zone: Zone, today: Today) -> Choices:
    """The choices in *given*. Raises ``InvalidRequest`` with what there is to choose.

    *zone* and *today* are asked only where a date needs them, and only once all else is right.
    """
    allowed = list(signature(resource).parameters)
    for name in given:
        if name not in allowed:
            raise InvalidRequest(
                f"{resource.name} has no {name!r} to choose by",
                hint=f"it has {', '.join(allowed)}; everything else is pandas, on the frame",
                resource=resource.name,
            )
    given = {name: value for name, value in given.items() if value is not None}
    choices = Choices(
        limit=whole_number("limit", given["limit"], 1, "leave it out for all rows") if "limit" in given else None,
        refresh=truth("refresh", given.get("refresh", False)),
        expire_after=seconds("expire_after", given["expire_after"]) if "expire_after" in given else None,
        custom_fields=truth("custom_fields", given.get("custom_fields", True)),
        confirm=truth("confirm", given.get("confirm", False)),
        parents=_ids(given.get(resource.parent.key)) if resource.parent else None,
        watch=given.get("watch"),
        filters={
            name: _value(name, entry.kind, given[name]) for name, entry in resource.filters.items() if name in given
        },
    )
    since, until = bounds(given, zone, today)
    return replace(choices, since=since, until=until)


def plain(value: Any) -> Any:
    """A value of numpy as Python has it, in a mapping too; anything else as it is."""
    if isinstance(value, dict):
        return {plain(name): plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, np.timedelta64) and np.datetime_data(value)[0] not in ("generic", "Y", "M"):
        return pd.Timedelta(value)
    return value.item() if isinstance(value, (np.bool_, np.number, np.str_)) else value


def number(given: Any) -> float | None:
    """The number that was given, whatever its type; ``None`` for what is none."""
    given = plain(given)
    if isinstance(given, bool) or not isinstance(given, (Real, Decimal)):
        return None
    try:
        return float(given)
    except OverflowError:
        return math.inf


def whole_number(name: str, given: Any, least: int, hint: str) -> int:
    """A whole number, *least* or more. Raises ``InvalidRequest`` with *hint*."""
    found = number(given)
    if found is None or not found.is_integer() or found < least:
        raise InvalidRequest(f"{name}={short(given)} is no whole number, {least} or more", hint=hint)
    return int(given)


def seconds(name: str, given: Any) -> float:
    """A number of seconds; a Timedelta too. Raises ``InvalidRequest``."""
    value = plain(given)
    if isinstance(value, dt.timedelta):
        value = value.total_seconds()
    found = number(value)
    if found is None or not found >= 0:
        raise InvalidRequest(
            f"{name}={short(given)} is no number of seconds", hint=f"write it like {name}=600, or leave it out"
        )
    return found


def truth(name: str, given: Any) -> bool:
    """True or False. Raises ``InvalidRequest``."""
    value = plain(given)
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name}={short(given)} is neither True nor False", hint=f"write {name}=True")
    return value


def _value(name: str, kind: Kind, value: Any) -> Any:
    if not isinstance(value, (str, int, float, bool)):
        raise InvalidRequest(f"{name} takes one value", hint="select several in pandas, with .isin()")
    if kind.choices and value not in kind.choices:
        raise InvalidRequest(f"{name} has no {value!r}", hint=f"it has {', '.join(kind.choices)}")
    return value


def _ids(given: str | Iterable[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    return (given,) if isinstance(given, str) else tuple(dict.fromkeys(str(name) for name in given))


def signature(resource: Resource) -> inspect.Signature:
    """The signature that a notebook completes."""
    choices: dict[str, tuple[Any, str]] = {}
    if resource.when:
        choices |= dict.fromkeys(("since", "until", "period"), (None, "str | date | Timestamp | int | None"))
    for name, entry in resource.filters.items():
        known = ", ".join(repr(choice) for choice in entry.kind.choices)
        choices[name] = (None, f"Literal[{known}] | None" if known else "str | None")
    if resource.parent:
        choices |= {resource.parent.key: (None, "str | Sequence[str] | None"), "confirm": (False, "bool")}
    choices |= {
        "limit": (None, "int | None"),
        "refresh": (False, "bool"),
        "expire_after": (None, "float | None"),
    }
    if resource.model:
        choices["custom_fields"] = (True, "bool")
    choices["watch"] = (None, "Watch | None")
    return inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, (default, annotation) in choices.items()
        ],
        return_annotation="pandas.DataFrame",
    )


def docstring(resource: Resource) -> str:
    """What ``loc.contacts?`` shows."""
    lines = [resource.doc, ""]
    if resource.when:
        wire = ", ".join(resource.column(resource.when).paths)
        where = "on the server" if resource.span and resource.span.exact else "roughly on the server"
        lines.append(
            f"since, until : select by {resource.when} ({wire} on the wire), from since up to but without until, "
            f"{where} and once more after download. {DATES}"
        )
        lines.append(f"period : {PERIOD}")
    for name, entry in resource.filters.items():
        known = f"; one of {', '.join(entry.kind.choices)}" if entry.kind.choices else ""
        lines.append(f"{name} : {about(resource, name)}{known}.")
    if resource.parent:
        lines.append(f"{resource.parent.key} : {about(resource, resource.parent.key)}.")
        lines.append("confirm : True reads it also where that costs over 500 requests.")
    lines += [
        "limit : so many rows: the first of the whole walk, not the newest.",
        "refresh : ask again, although an answer is kept.",
        "expire_after : seconds that a kept answer serves in this call.",
    ]
    if resource.model:
        lines.append("custom_fields : False leaves the custom fields' columns out.")
    lines.append("watch : is told of every page, and can stop the walk.")
    if any(column.kind in (WHEN, DAY) for column in resource.columns):
        lines += [
            "",
            "Times are in UTC and in microseconds, which pd.merge_asof on pandas 3 takes beside a column of "
            'pd.to_datetime(..., utc=True); on pandas 2 give that column .dt.as_unit("us") first.',
        ]
    lines += [
        "",
        f"{resource.paging.guarantee} Reads with the scope {resource.scope}.",
        "",
        "Columns: " + ", ".join(column.name for column in resource.columns) + ".",
    ]
    return "\n".join(lines)


def about(resource: Resource, name: str) -> str:
    """What a filter, or the id of what the resource is read for, selects; nothing of the other choices."""
    if resource.parent and name == resource.parent.key:
        return f"one id, or several, of {resource.parent.resource}; all of them if left out, one request each"
    return resource.filters[name].doc if name in resource.filters else ""
