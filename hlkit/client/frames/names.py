"""Names beside ids: who owns a deal, which stage it is in."""

from __future__ import annotations

import difflib
from collections.abc import Callable

import pandas as pd

from hlkit.client.dates import short
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import TEXT

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


def id_named(what: str, given: str, names: pd.Series, way: str = "") -> str | None:
    """The id of *names* (names by id) that was given, or of what is called so, whatever its case and blanks.

    ``None`` where there is none. Raises ``InvalidRequest`` where several are called so; *way* is what else there is
    to do about that.
    """
    if given in names.index:
        return given
    folded = names.dropna().astype(str).map(_folded)
    alike = folded.index[(folded == _folded(given)).to_numpy(dtype=bool)].drop_duplicates()
    same = alike[(names.loc[alike] == given).to_numpy(dtype=bool)] if len(alike) > 1 else alike
    alike = same if len(same) == 1 else alike
    if len(alike) > 1:
        raise InvalidRequest(
            f"{len(alike)} {what}s are called {short(given)}",
            hint=f"{way}give the id of one: {', '.join(alike[:20])}",
        )
    return str(alike[0]) if len(alike) else None


def near_names(given: str, names: pd.Series) -> str:
    """A hint with the names that *given* is nearest to, or the first there are."""
    known = {_folded(name): str(name) for name in names.dropna()}
    near = difflib.get_close_matches(_folded(given), list(known), n=1)
    return f"did you mean {known[near[0]]!r}?" if near else f"there are {', '.join(list(known.values())[:20])}"


def _folded(name: object) -> str:
    return " ".join(str(name).split()).casefold()


def with_names(frame: pd.DataFrame, names: Callable[[str], pd.Series | None]) -> pd.DataFrame:
    """A copy of *frame* with a name beside each id that it knows.

    *names* gives, for a resource, its names by id, or ``None`` where they may not be read. An id without a
    name (a user who was deleted) has none. A column that is there already stays as it is. Raises
    ``InvalidRequest`` where an id is not one column, and for what is no frame.
    """
    if not isinstance(frame, pd.DataFrame):
        raise InvalidRequest(
            f"names stand beside the ids of a DataFrame, and this is a {type(frame).__name__}",
            hint="give it a frame, such as loc.with_names(loc.contacts())",
        )
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
