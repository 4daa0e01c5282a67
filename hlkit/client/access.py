"""A look before scaling up: what the token may read, how much there is, and what reading it costs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from hlkit.client.dates import short
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
from hlkit.client.schema import COUNT, FLAG, NUMBER, TEXT, Resource
from hlkit.client.warning import collect_warnings

if TYPE_CHECKING:
    from hlkit.client.context import CacheInfo, Context

_OF_ALL = (Canceled, ConnectionFailed, InvalidToken, RateLimited, WrongLocation)  # no other would fare better
_COLUMNS = {
    "resource": TEXT,
    "readable": FLAG,
    "rows": COUNT,
    "requests": COUNT,
    "minutes": NUMBER,
    "scope": TEXT,
    "problem": TEXT,
}


def check(context: Context, progress: Progress | None = None) -> pd.DataFrame:
    """One cheap call for each resource: may the token read it, and what would the whole cost?

    Gives a row for each resource: ``readable`` (null where the server failed, and so did not tell), ``rows``
    where the server tells, ``requests`` and ``minutes`` to download all of it, the ``scope`` it wants (null
    where no scope helps) and the ``problem`` where there is one. A resource that is refused, or silent, does
    not stop the others; a token that is refused, a lost connection or a day without requests left does.
    """
    rows = [_look(context, resource, progress) for resource in CATALOG.values()]
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    return frame.astype({name: kind.dtype for name, kind in _COLUMNS.items()})


def _look(context: Context, resource: Resource, progress: Progress | None) -> dict[str, object]:
    row: dict[str, object] = {"resource": resource.name, "scope": resource.scope}
    try:
        count = rows_of(context, resource, progress)
    except HlkitError as error:
        if isinstance(error, _OF_ALL) and not isinstance(error, Timeout):
            raise
        if isinstance(error, NotEnabled):
            row["scope"] = None
        readable = False if isinstance(error, (MissingScope, NotEnabled)) else None
        return row | {"readable": readable, "problem": error.message}
    requests = cost(context, resource, count)
    seconds = None if requests is None else context.session.rate_limiter.time_for(requests)
    return row | {
        "readable": True,
        "rows": count,
        "requests": requests,
        "minutes": None if seconds is None else round(seconds / 60, 1),
    }


def rows_of(context: Context, resource: Resource, progress: Progress | None = None) -> int | None:
    """How many rows the server says there are, from one cheap call; ``None`` where it does not say."""
    reader = context.resources[resource.name]
    if resource.parent is None:
        return reader.announced(progress=progress)
    first = context.resources[resource.parent.resource].raw(1, progress=progress)
    if first:
        with collect_warnings():  # that this one has no rows is no news
            reader.raw(1, progress=progress, **{resource.parent.key: str(first[0].get("id"))})
    return None


def cost(context: Context, resource: Resource, rows: int | None) -> int | None:
    """The requests that reading the whole takes; ``None`` where that is not known before."""
    if resource.parent is not None:
        return rows_of(context, CATALOG[resource.parent.resource])
    if rows is None and resource.paging.most:
        return None
    return resource.paging.requests_for(rows or 0) + len(resource.parameter_sets) - 1


_COSTS = {"resource": TEXT, "rows": COUNT, "age_s": NUMBER, "requests": COUNT}


def costs(context: Context, names: Iterable[str]) -> pd.DataFrame:
    """What reading each of these resources would cost now, told from what is kept. No request.

    ``requests`` is 0 while what is kept is fresh, what it cost the last time when it is not, and null where it
    was never read to its end; ``rows`` and ``age_s`` (seconds) are of what is kept.
    """
    rows = []
    for name in names:
        if not isinstance(name, str) or name not in CATALOG:
            hint = near_names(str(name), pd.Series(list(CATALOG)))
            raise InvalidRequest(f"there is no resource {short(name)}", hint=hint)
        resource, kept = CATALOG[name], context.cache_info(name)
        rows.append(
            {
                "resource": name,
                "rows": None if kept is None else kept.rows,
                "age_s": None if kept is None else kept.age,
                "requests": _now(context, resource, kept),
            }
        )
    frame = pd.DataFrame(rows, columns=list(_COSTS))
    return frame.astype({name: kind.dtype for name, kind in _COSTS.items()})


def _now(context: Context, resource: Resource, kept: CacheInfo | None) -> int | None:
    if kept is not None and kept.complete and (kept.age < context.expire_after or context.offline):
        return 0
    if resource.parent is not None:  # a request for each
        parents = context.cache_info(resource.parent.resource)
        return parents.rows if parents is not None and parents.complete else None
    return cost(context, resource, kept.rows if kept is not None and kept.complete else None)
