"""Names beside ids: who owns a deal, which stage it is in."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from hlkit.errors import InvalidRequest
from hlkit.kinds import TEXT

# id column: the column that names it, and the resource that knows the name by its own key
NAMED_BY = {
    "owner_id": ("owner", "users"),
    "user_id": ("user", "users"),
    "pipeline_id": ("pipeline", "pipelines"),
    "stage_id": ("stage", "stages"),
    "calendar_id": ("calendar", "calendars"),
    "form_id": ("form", "forms"),
    "survey_id": ("survey", "surveys"),
    "business_id": ("business", "businesses"),
}


def named(frame: pd.DataFrame, names: Callable[[str], pd.Series | None]) -> pd.DataFrame:
    """A copy of *frame* with a name beside each id that it knows.

    *names* gives, for a resource, its names by id, or ``None`` where they may not be read. An id without a
    name (a user who was deleted) has none. A column that is there already stays as it is. Raises
    ``InvalidRequest`` where an id is not one column.
    """
    out = frame.copy()
    for id_column, (name_column, resource) in NAMED_BY.items():
        if id_column not in out or name_column in out or _is_own_key(frame, resource):
            continue
        known = names(resource)
        if known is None:
            continue
        place = out.columns.get_loc(id_column)
        if not isinstance(place, int) or out.columns.nlevels > 1:
            raise InvalidRequest(
                f"the frame has {id_column} more than once, or headings of several levels",
                hint="give each column one name of its own, then ask for the names",
            )
        out.insert(place + 1, name_column, out[id_column].map(known, na_action="ignore").astype(TEXT.dtype))
    return out


def _is_own_key(frame: pd.DataFrame, resource: str) -> bool:
    told = frame.attrs.get("hlkit")
    return isinstance(told, dict) and told.get("resource") == resource
