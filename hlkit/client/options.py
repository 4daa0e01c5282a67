"""Options, each declared once: signature, checks, errors, help, command-line flag and widget come from it."""

from __future__ import annotations

import datetime as dt
import inspect
import re
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from hlkit.client.arguments import seconds, short, truth, whole_number
from hlkit.client.dates import DATES, PERIOD, Today, Zone, bounds
from hlkit.client.errors import InvalidRequest
from hlkit.client.frames.names import NAMED_BY
from hlkit.client.http.progress import Progress
from hlkit.client.schema import DAY, ID, INSTANT, TEXT, Kind, Resource
from hlkit.client.text import did_you_mean
from hlkit.client.warning import warn

Date = str | dt.date | pd.Timestamp | int | None
_NO_FLAG = object()


@dataclass(frozen=True)
class Option:
    """A keyword of a call.

    ``type`` is what it accepts, as an annotation. ``flag`` is its type on the command line: the same unless given,
    ``None`` if the command line does not have it. ``doc`` is one sentence.
    """

    name: str
    doc: str
    type: Any = str | None
    default: Any = None
    flag: Any = _NO_FLAG

    @property
    def parameter(self) -> inspect.Parameter:
        """The keyword-only parameter of a signature."""
        return inspect.Parameter(
            self.name, inspect.Parameter.KEYWORD_ONLY, default=self.default, annotation=self.type
        )

    @property
    def flag_type(self) -> Any:
        """Its type on the command line, or ``None``."""
        return self.type if self.flag is _NO_FLAG else self.flag

    @property
    def values(self) -> tuple[str, ...]:
        """The values it can take, if they are listed."""
        parts = (self.type, *typing.get_args(self.type))
        return next((typing.get_args(part) for part in parts if typing.get_origin(part) is Literal), ())


COMMON = {
    option.name: option
    for option in (
        Option("since", f"From this date on. {DATES}", Date, flag=str | None),
        Option("until", "Before this date (exclusive).", Date, flag=str | None),
        Option("period", PERIOD, str | pd.Period | int | None, flag=str | None),
        Option("confirm", "Read it even if that takes over 500 requests.", bool, False),
        Option("limit", "At most this many rows: the first ones, not the newest.", int | None),
        Option("refresh", "Ignore the cache; only a refresh that was interrupted is resumed.", bool, False),
        Option(
            "expire_after",
            "Seconds for which cached responses are used in this call.",
            float | pd.Timedelta | None,
            flag=None,
        ),
        Option("custom_fields", "Include a column for each custom field.", bool, True),
        Option("progress", "Receives every page, and can cancel the download.", Progress | None, flag=None),
    )
}
SPAN = ("since", "until", "period")


def of_resource(resource: Resource) -> list[Option]:
    """The options of a resource, in the order of its signature."""
    options = []
    if resource.when:
        field_name = ", ".join(resource.column(resource.when).paths)
        where = "by the server" if resource.span and resource.span.exact else "roughly by the server"
        how = f"Filters {resource.when} ({field_name} in the API), {where} and once more after the download."
        since = COMMON["since"]
        options = [replace(since, doc=f"{since.doc} {how}"), COMMON["until"], COMMON["period"]]
    for key, entry in resource.filters.items():
        doc, values = f"{entry.doc[:1].upper()}{entry.doc[1:]}", entry.kind.choices
        if key in NAMED_BY:
            options.append(Option(NAMED_BY[key][0], f"{doc}, by name or id."))
        options.append(Option(key, f"{doc}.", Literal[values] | None if values else str | None))
    if resource.parent:
        key, parents = resource.parent.key, resource.parent.resource
        names = [(NAMED_BY[key][0], "name or id")] if key in NAMED_BY else []
        for name, what in (*names, (key, "id")):
            doc = f"One {what} or several, of {parents}; all of them by default. One request each."
            options.append(Option(name, doc, str | Sequence[str] | None, flag=list[str] | None))
        options.append(COMMON["confirm"])
    options += [COMMON[name] for name in ("limit", "refresh", "expire_after")]
    return [*options, *([COMMON["custom_fields"]] if resource.model else []), COMMON["progress"]]


def signature(options: Iterable[Option], returns: Any) -> inspect.Signature:
    """The signature that a notebook completes."""
    return inspect.Signature([option.parameter for option in options], return_annotation=returns)


def documented(options: Iterable[Option]) -> list[str]:
    """A line of help for each option."""
    return [
        f"{option.name} : {option.doc}" + (f" One of {', '.join(option.values)}." if option.values else "")
        for option in options
    ]


def refuse_unknown(owner: str, names: Iterable[str], allowed: Collection[str], more: str = "") -> None:
    """Raise ``InvalidRequest`` for the first of *names* that *owner* does not have, with the nearest one."""
    for name in names:
        if name not in allowed:
            raise InvalidRequest(
                f"{owner} has no option {name!r}",
                hint=f"{did_you_mean(name, allowed, '{}=')} it has {', '.join(allowed)}{more}".lstrip(),
                resource=owner,
            )


def refuse_positional(call: str, values: Sequence[Any], allowed: Collection[str]) -> None:
    """Raise ``InvalidRequest`` if options were given without their names."""
    if values:
        raise InvalidRequest(
            f"{call} takes its options by name, and got {short(values[0])}",
            hint=f"write it like {call}({next(iter(allowed))}=...); it has {', '.join(allowed)}",
        )


@dataclass(frozen=True)
class ReadOptions:
    """The options of one read, checked.

    ``parents`` are the ids of the rows that a resource is read for, one request each; ``all_parents`` is whether they
    were not given, so that it is read for all of them. ``names`` holds the names (or ids) that were given instead of
    ids, under the filter that takes the id. ``span_in_full`` reads all rows, which are cached, and selects those of
    the date range.
    """

    since: pd.Timestamp | None = None
    until: pd.Timestamp | None = None
    limit: int | None = None
    refresh: bool = False
    expire_after: float | None = None
    custom_fields: bool = True
    confirm: bool = False
    parents: tuple[str, ...] | None = None
    all_parents: bool = True
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    progress: Progress | None = None
    filters: Mapping[str, Any] = field(default_factory=dict)
    span_in_full: bool = False

    @property
    def has_span(self) -> bool:
        return self.since is not None or self.until is not None


def validate(resource: Resource, given: Mapping[str, Any], zone: Zone, today: Today) -> ReadOptions:
    """The options in *given*, checked. Raises ``InvalidRequest`` with the available options.

    *zone* and *today* are called only if a date needs them, after all other checks.
    """
    allowed = [option.name for option in of_resource(resource)]
    refuse_unknown(resource.name, given, allowed, "; filter the frame in pandas for everything else")
    given = {name: value for name, value in given.items() if value is not None}
    progress = given.get("progress")
    if progress is not None and not isinstance(progress, Progress):
        raise InvalidRequest(
            f"progress={short(progress)} is not a Progress", hint="leave it out, or subclass Progress"
        )
    parents = ids(resource.parent.key, given.get(resource.parent.key)) if resource.parent else None
    options = ReadOptions(
        limit=whole_number("limit", given["limit"], 1, "leave it out for all rows") if "limit" in given else None,
        refresh=truth("refresh", given.get("refresh", False)),
        expire_after=seconds("expire_after", given["expire_after"]) if "expire_after" in given else None,
        custom_fields=truth("custom_fields", given.get("custom_fields", True)),
        confirm=truth("confirm", given.get("confirm", False)),
        parents=parents,
        all_parents=parents is None,
        progress=progress,
        names=_names(resource, given),
        filters={
            name: _value(name, entry.kind, given[name])
            for name, entry in resource.filters.items()
            if name in given and name != "tag"
        },
    )
    since, until = bounds(given, zone, today)
    return replace(options, since=since, until=until)


def _value(name: str, kind: Kind, given: Any) -> str:
    """One text; of listed values, in the spelling of the list. Raises ``InvalidRequest``."""
    if _is_null(given):
        raise InvalidRequest(f"{name} is empty", hint="leave it out")
    if not isinstance(given, str):
        raise InvalidRequest(
            f"{name} takes one text, and got {short(given)}",
            hint=f'write it like {name}="..."; select several values in pandas, with .isin()',
        )
    text = str(given) if kind is TEXT else given.strip()
    if kind is ID:
        return _id(name, text)
    spelled = {choice.casefold(): choice for choice in kind.choices}
    if kind.choices and text.casefold() not in spelled:
        raise InvalidRequest(
            f"{name} has no value {short(text)}",
            hint=f"{did_you_mean(text, kind.choices)} it has {', '.join(kind.choices)}".lstrip(),
        )
    return spelled.get(text.casefold(), text)


def named_options(resource: Resource) -> dict[str, str]:
    """The options that take a name, each with the one that takes the id: ``owner`` beside ``owner_id``."""
    keys = [*resource.filters, *([resource.parent.key] if resource.parent else [])]
    return {NAMED_BY[key][0]: key for key in keys if key in NAMED_BY}


def _names(resource: Resource, given: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The names that were given, under the filter that takes their ids."""
    found = {}
    options = named_options(resource) | {name: name for name in resource.filters if name == "tag"}
    for name, key in options.items():
        if name not in given:
            continue
        if name != key and key in given:
            raise InvalidRequest(
                f"{name} and {key} select the same thing", hint=f"give one of them: {key} takes only ids"
            )
        several = resource.parent is not None and key == resource.parent.key
        if several and not isinstance(given[name], str):
            found[key] = tuple(_value(name, TEXT, value) for value in _listed(name, given[name]))
        else:
            found[key] = (_value(name, TEXT, given[name]),)
    return found


_ID = re.compile(r"[A-Za-z0-9_-]+")
_COLUMN = 'give a column of ids, such as frame["{}"]'


def _id(name: str, text: str) -> str:
    if not _ID.fullmatch(text):  # an email address among them: it is not shown
        name_hint = f"; names are for {NAMED_BY[name][0]}=" if name in NAMED_BY else ""
        raise InvalidRequest(
            f"{name} takes ids, and got text that is not an id",
            hint=f"an id consists of letters and digits, without spaces{name_hint}",
        )
    return text


def ids(name: str, given: Any) -> tuple[str, ...] | None:
    """The ids in a text, list, array or column: each once, in their order, without nulls (with a warning).

    Raises ``InvalidRequest`` for anything else: a frame, numbers, other text, only nulls.
    """
    if given is None:
        return None
    if isinstance(given, str):
        return (_value(name, ID, given),)
    values = _listed(name, given)
    found = [value for value in values if not _is_null(value)]
    wrong = next((value for value in found if not isinstance(value, str)), None)
    if wrong is not None:
        raise InvalidRequest(f"{name} takes ids, which are text, and got {short(wrong)}", hint=_COLUMN.format(name))
    if values and not found:
        raise InvalidRequest(
            f"{name} has {len(values):,} values, none of which is an id", hint=f"leave {name} out for all"
        )
    if len(found) < len(values):
        warn(f"{len(values) - len(found):,} of {len(values):,} values of {name} are null and left out")
    if not values:
        warn(f"{name} has no ids, so there are no rows")
    return tuple(dict.fromkeys(_id(name, value.strip()) for value in found))


def _listed(name: str, given: Any) -> list[Any]:
    """The members of a list, array or column; of a set sorted, so that the same call finds its cached pages."""
    if isinstance(given, (pd.DataFrame, Mapping, bytes)) or not isinstance(given, Iterable):
        raise InvalidRequest(f"{name} takes one id or several, and got {short(given)}", hint=_COLUMN.format(name))
    values = list(given.ravel() if isinstance(given, np.ndarray) else given)
    return sorted(values, key=str) if isinstance(given, Set) else values


def _is_null(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def docstring(resource: Resource) -> str:
    """What ``loc.contacts?`` shows."""
    lines = [resource.doc, "", *documented(of_resource(resource))]
    if any(column.kind in (INSTANT, DAY) for column in resource.columns):
        lines += [
            "",
            "Times are in UTC and in microseconds, as pd.to_datetime(..., utc=True) gives them on "
            'pandas 3. On pandas 2, use .dt.as_unit("us") on your own column before pd.merge_asof.',
        ]
    lines += [
        "",
        f"{resource.paging.guarantee} Needs the scope {resource.scope}.",
        "",
        "Columns: " + ", ".join(column.name for column in resource.columns) + ".",
    ]
    return "\n".join(lines)
