"""What a caller may choose of a resource: the signature that completes, and its checks before any request."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

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


def chosen(resource: Resource, given: Mapping[str, Any], zone: Callable[[], ZoneInfo]) -> Choices:
    """The choices in *given*. Raises ``InvalidRequest`` with what there is to choose.

    *zone* is asked only where a date or a time without a zone was given.
    """
    allowed = list(signature(resource).parameters)
    for name in given:
        if name not in allowed:
            raise InvalidRequest(
                f"{resource.name} has no {name!r} to choose by",
                hint=f"it has {', '.join(allowed)}; everything else is pandas, on the frame",
                resource=resource.name,
            )
    limit = given.get("limit")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise InvalidRequest("limit is a whole number of rows, 1 or more", hint="leave it out for all rows")
    since, until = (instant(name, given.get(name), zone) for name in ("since", "until"))
    if since is not None and until is not None and since > until:
        raise InvalidRequest(
            f"since={given['since']!r} is after until={given['until']!r}, and nothing is between them",
            hint="give the earlier one as since",
            resource=resource.name,
        )
    return Choices(
        since=since,
        until=until,
        limit=limit,
        refresh=bool(given.get("refresh", False)),
        expire_after=None if given.get("expire_after") is None else seconds("expire_after", given["expire_after"]),
        custom_fields=bool(given.get("custom_fields", True)),
        confirm=bool(given.get("confirm", False)),
        parents=_ids(given.get(resource.parent.key)) if resource.parent else None,
        watch=given.get("watch"),
        filters={
            name: _value(name, entry.kind, given[name])
            for name, entry in resource.filters.items()
            if given.get(name) is not None
        },
    )


_DATE = re.compile(r"\d{4}(-\d{1,2}(-\d{1,2}([T ].*)?)?)?|\d{8}")


def instant(name: str, given: Any, zone: Callable[[], ZoneInfo]) -> pd.Timestamp | None:
    """An instant in UTC; a date or a text without a zone is read in the location's zone."""
    if given is None:
        return None
    if isinstance(given, str) and not _DATE.fullmatch(given.strip()):  # 03/04/2026 is two different days
        raise InvalidRequest(f"{name}={given!r} is no date or time", hint='write it like "2025-07-01"')
    try:
        instant = pd.Timestamp(given)
        problem = "nothing" if pd.isna(instant) else ""
    except (ValueError, TypeError, OverflowError) as error:
        problem = str(error)
    if problem:
        raise InvalidRequest(f"{name}={given!r} is no date or time ({problem})", hint='write it like "2025-07-01"')
    if instant.tzinfo is None:
        instant = instant.tz_localize(zone(), ambiguous=True, nonexistent="shift_forward")
    return instant.tz_convert("UTC").as_unit("us")


def seconds(name: str, given: Any) -> float:
    """A number of seconds. Raises ``InvalidRequest``."""
    if isinstance(given, bool) or not isinstance(given, Real) or not float(given) >= 0:
        raise InvalidRequest(
            f"{name}={given!r} is no number of seconds", hint=f"write it like {name}=600, or leave it out"
        )
    return float(given)


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
        choices |= dict.fromkeys(("since", "until"), (None, "str | date | Timestamp | None"))
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
            f"{where} and once more after download. A date or text without a zone is read in the location's zone."
        )
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
