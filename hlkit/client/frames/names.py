"""Names beside ids: who owns a deal, which stage it is in."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from hlkit.client.arguments import short
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import TEXT
from hlkit.client.text import did_you_mean, fold

# id column: (name column, the resource that has the names)
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


def id_named(noun: str, name_or_id: str, names: pd.Series, alternative: str = "") -> str | None:
    """The id in *names* (names by id) that equals *name_or_id* or has that name, ignoring case and spaces.

    Returns ``None`` if there is none. Raises ``InvalidRequest`` if several have the name; *alternative* begins the
    hint of that error.
    """
    if name_or_id in names.index:
        return name_or_id
    folded = names.dropna().astype(str).map(fold)
    matches = folded.index[(folded == fold(name_or_id)).to_numpy(dtype=bool)].drop_duplicates()
    if len(matches) > 1:
        exact = matches[(names.loc[matches] == name_or_id).to_numpy(dtype=bool)]
        matches = exact if len(exact) == 1 else matches
    if len(matches) > 1:
        raise InvalidRequest(
            f"{len(matches)} {noun}s are named {short(name_or_id)}",
            hint=f"{alternative}give an id instead: {', '.join(matches[:20])}",
        )
    return str(matches[0]) if len(matches) else None


def near_names(name: str, names: pd.Series) -> str:
    """A hint with the closest of *names*, or the first 20 if none is close."""
    known = list(dict.fromkeys(names.dropna().astype(str)))
    return did_you_mean(name, known) or f"choose from {', '.join(known[:20])}"


def with_names(frame: pd.DataFrame, names: Callable[[str], pd.Series | None]) -> pd.DataFrame:
    """A copy of *frame* with a name column after each id column in ``NAMED_BY``.

    *names* returns the names of a resource by id, or ``None`` if they cannot be read. An id without a name (a
    deleted user, for example) gets none. Existing name columns stay as they are.

    Raises ``InvalidRequest`` if *frame* is not a DataFrame, has an id column more than once, or has a MultiIndex
    as columns.
    """
    if not isinstance(frame, pd.DataFrame):
        raise InvalidRequest(
            f"names are added to a DataFrame, and this is a {type(frame).__name__}",
            hint="give it a frame, such as loc.with_names(loc.contacts())",
        )
    out = frame.copy()
    for id_column, (name_column, resource) in NAMED_BY.items():
        if id_column not in out or name_column in out or _is_frame_of(frame, resource):
            continue
        names_by_id = names(resource)
        if names_by_id is None:
            continue
        position = out.columns.get_loc(id_column)
        if not isinstance(position, int) or out.columns.nlevels > 1:
            raise InvalidRequest(
                f"the frame has {id_column} more than once, or columns with several levels",
                hint="give each column one unique name, then add the names",
            )
        names_of_rows = out[id_column].map(names_by_id, na_action="ignore").astype(TEXT.dtype)
        out.insert(position + 1, name_column, names_of_rows)
    return out


def _is_frame_of(frame: pd.DataFrame, resource: str) -> bool:
    """Whether *frame* is the resource that has the names: there, the id is the row's own."""
    provenance = frame.attrs.get("hlkit")
    return isinstance(provenance, dict) and provenance.get("resource") == resource
