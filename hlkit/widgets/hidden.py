"""Pseudonyms on the screen: for a shared screen, or a recording."""

from __future__ import annotations

import functools

import pandas as pd

from hlkit.kinds import TEXT
from hlkit.resources import CATALOGUE
from hlkit.tables.names import NAMED_BY
from hlkit.tables.profile import pseudonym


@functools.cache
def _private() -> frozenset[str]:
    """Columns that can name a person, in whichever resource: a user's name beside an id too."""
    declared = {column.name for one in CATALOGUE.values() for column in one.columns if column.private}
    people = {name for name, resource in NAMED_BY.values() if resource == "users"}
    return frozenset(declared | people | {"contact"})


@functools.cache
def _open() -> frozenset[str]:
    return frozenset(column.name for one in CATALOGUE.values() for column in one.columns if not column.private)


def hidden(frame: pd.DataFrame, shown: frozenset[str] = frozenset()) -> pd.DataFrame:
    """*frame* with pseudonyms in the place of whatever can name a person.

    What is declared private, and text in columns that the catalogue does not know (custom fields), is hidden;
    *shown* are columns of an analysis that are known to be numbers or groups. The same value has the same
    pseudonym, in this process alone. Days become null.
    """
    changed: dict[str, pd.Series] = {}
    for name in frame.columns:
        if name not in _private() and (name in _open() or name in shown):
            continue
        column = frame[name]
        if column.dtype == object:
            changed[name] = column.map(_stand_in)
        elif isinstance(column.dtype, pd.StringDtype):
            changed[name] = column.map(_stand_in, na_action="ignore").astype(TEXT.dtype)
        elif pd.api.types.is_datetime64_dtype(column.dtype):
            changed[name] = pd.Series(pd.NaT, index=column.index, dtype=column.dtype)
    return frame.assign(**changed)


def _stand_in(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [pseudonym(one) for one in value]
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):  # type: ignore[call-overload]
        return value
    return str(value) if str(value).startswith("(") and str(value).endswith(")") else pseudonym(value)
