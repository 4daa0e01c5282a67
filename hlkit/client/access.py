"""Before a large read: which resources the token can read, how many rows they have, and what reading them costs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from hlkit.client.arguments import short
from hlkit.client.errors import (
    Canceled,
    ConnectionFailed,
    HlkitError,
    InvalidRequest,
    InvalidToken,
    MissingScope,
    NotEnabled,
    RateLimited,
    Timeout,
    WrongLocation,
)
from hlkit.client.frames.names import near_names
from hlkit.client.http.progress import Progress
from hlkit.client.resources import CATALOG
from hlkit.client.schema import COUNT, FLAG, NUMBER, TEXT, Kind, Resource
from hlkit.client.warning import collect_warnings

if TYPE_CHECKING:
    from hlkit.client.context import CacheInfo, Context

# Errors that every other resource would raise too.
_GENERAL = (Canceled, ConnectionFailed, InvalidToken, RateLimited, WrongLocation)

_CHECK_COLUMNS = {
    "resource": TEXT,
    "readable": FLAG,
    "rows": COUNT,
    "requests": COUNT,
    "minutes": NUMBER,
    "scope": TEXT,
    "problem": TEXT,
}
_COST_COLUMNS = {"resource": TEXT, "rows": COUNT, "age_s": NUMBER, "requests": COUNT}


def check(context: Context, progress: Progress | None = None) -> pd.DataFrame:
    """The frame of ``Client.check``."""
    return _frame([_check_resource(context, resource, progress) for resource in CATALOG.values()], _CHECK_COLUMNS)


def _frame(rows: list[dict[str, object]], columns: dict[str, Kind]) -> pd.DataFrame:
    """The rows as a frame with these columns, in the dtypes of their kinds."""
    dtypes = {name: kind.dtype for name, kind in columns.items()}
    return pd.DataFrame(rows, columns=list(columns)).astype(dtypes)


def _check_resource(context: Context, resource: Resource, progress: Progress | None) -> dict[str, object]:
    row: dict[str, object] = {"resource": resource.name, "scope": resource.scope}
    try:
        count = _announced_rows(context, resource, progress)
    except HlkitError as error:
        if isinstance(error, _GENERAL) and not isinstance(error, Timeout):
            raise
        if isinstance(error, NotEnabled):
            row["scope"] = None
        readable = False if isinstance(error, (MissingScope, NotEnabled)) else None
        return row | {"readable": readable, "problem": error.message}
    requests = requests_for_all(context, resource, count)
    seconds = None if requests is None else context.session.rate_limiter.time_for(requests)
    return row | {
        "readable": True,
        "rows": count,
        "requests": requests,
        "minutes": None if seconds is None else round(seconds / 60, 1),
    }


def _announced_rows(context: Context, resource: Resource, progress: Progress | None = None) -> int | None:
    """The number of rows that the server reports, from one cheap call; ``None`` if it reports none."""
    endpoint = context.resources[resource.name]
    if resource.parent is None:
        return endpoint.announced_total(progress=progress)
    parents = context.resources[resource.parent.resource].raw(1, progress=progress)
    if parents:
        with collect_warnings():  # this parent may well have no rows
            endpoint.raw(1, progress=progress, **{resource.parent.key: str(parents[0].get("id"))})
    return None


def requests_for_all(context: Context, resource: Resource, rows: int | None) -> int | None:
    """The number of requests to read all of it; ``None`` if that is not known in advance."""
    if resource.parent is not None:
        return _announced_rows(context, CATALOG[resource.parent.resource])
    if rows is None and resource.paging.most:
        return None
    return resource.paging.requests_for(rows or 0) + len(resource.parameter_sets) - 1


def costs(context: Context, names: Iterable[str]) -> pd.DataFrame:
    """The frame of ``Client.costs``."""
    rows: list[dict[str, object]] = []
    for name in names:
        if not isinstance(name, str) or name not in CATALOG:
            hint = near_names(str(name), pd.Series(list(CATALOG)))
            raise InvalidRequest(f"there is no resource {short(name)}", hint=hint)
        info = context.cache_info(name)
        rows.append(
            {
                "resource": name,
                "rows": None if info is None else info.rows,
                "age_s": None if info is None else info.age,
                "requests": _requests_now(context, CATALOG[name], info),
            }
        )
    return _frame(rows, _COST_COLUMNS)


def _requests_now(context: Context, resource: Resource, info: CacheInfo | None) -> int | None:
    if info is not None and info.complete and (info.age < context.expire_after or context.offline):
        return 0
    if resource.parent is not None:  # one request per parent
        parents = context.cache_info(resource.parent.resource)
        return parents.rows if parents is not None and parents.complete else None
    return requests_for_all(context, resource, info.rows if info is not None and info.complete else None)


def requests_to_read(
    context: Context, names: Iterable[str], *, refresh: bool = False, progress: Progress | None = None
) -> int:
    """The number of requests to read these resources now. Asks the server, once each, for those never read.

    Resources that cannot be read cost nothing.
    """
    total = 0
    for name in names:
        info = None if refresh else context.cache_info(name)
        requests = _requests_now(context, CATALOG[name], info)
        if requests is None and not context.offline:
            try:
                requests = requests_for_all(context, CATALOG[name], _announced_rows(context, CATALOG[name], progress))
            except (MissingScope, NotEnabled):
                requests = 0
        total += requests or 0
    return total
