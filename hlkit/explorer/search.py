"""Finding contacts in a loaded frame: by what is typed, and by tag, source, owner, day or custom field.

Each condition is a mask and the line of pandas that makes it, so that what was clicked can be written.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hlkit.client.schema import TEXT

SEARCHED = ("name", "email", "phone", "company_name")
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Wanted:
    """What is looked for; ``None`` and the empty text ask for nothing. Days are the location's."""

    search: str = ""
    tag: str | None = None
    source: str | None = None
    owner_id: str | None = None
    since: dt.date | None = None
    until: dt.date | None = None  # without
    field: str | None = None
    contains: str = ""


class Book:
    """A loaded frame of contacts, to be searched again and again."""

    def __init__(self, contacts: pd.DataFrame, zone: str) -> None:
        self.contacts, self.zone = contacts, zone

    def find(self, wanted: Wanted) -> pd.DataFrame:
        """The contacts that fit all that is wanted, in their order."""
        contacts = self.contacts
        mask = np.ones(len(contacts), dtype=bool)
        for word in wanted.search.casefold().split():
            mask &= _contains(self._text, word)
        if wanted.tag is not None:
            mask &= np.array([wanted.tag in tags for tags in self._tags], dtype=bool)
        if wanted.source is not None:  # however it is spelled, as analyses count it
            sources = contacts["source"].str.strip().str.casefold()
            mask &= sources.eq(spelled(wanted.source)).to_numpy(dtype=bool, na_value=False)
        if wanted.owner_id is not None:
            mask &= contacts["owner_id"].eq(wanted.owner_id).to_numpy(dtype=bool, na_value=False)
        if wanted.since is not None:
            mask &= (contacts["created_at"] >= pd.Timestamp(wanted.since, tz=self.zone)).to_numpy(dtype=bool)
        if wanted.until is not None:
            mask &= (contacts["created_at"] < pd.Timestamp(wanted.until, tz=self.zone)).to_numpy(dtype=bool)
        if wanted.field is not None and wanted.contains:
            values = contacts[wanted.field]
            values = values.astype(str).astype(TEXT.dtype).where(values.notna(), "").str.lower()
            mask &= values.str.contains(wanted.contains.lower(), regex=False).to_numpy(dtype=bool, na_value=False)
        return contacts[mask]

    @functools.cached_property
    def _text(self) -> pa.Array:
        """What is searched of each contact, in small letters."""
        columns = [self.contacts[name].fillna("").astype(str).tolist() for name in SEARCHED]
        return pa.array([" ".join(parts).casefold() for parts in zip(*columns, strict=True)], pa.large_string())

    @functools.cached_property
    def _tags(self) -> list[Any]:
        return [tags if isinstance(tags, (list, tuple)) else () for tags in self.contacts["tags"].tolist()]


def _contains(values: pa.Array, word: str) -> Mask:
    found = pc.match_substring(values, word).to_numpy(zero_copy_only=False)
    return np.asarray(found, dtype=bool)


def code(wanted: Wanted, zone: str, *, name: str = "contacts") -> str:
    """The lines of pandas that find the same, in the frame called *name*; the last gives the frame."""
    lines: list[str] = []
    masks: list[str] = []
    words = wanted.search.casefold().split()
    if words:
        columns = ", ".join(f'"{column}"' for column in SEARCHED)
        lines.append(f'text = {name}[[{columns}]].fillna("").agg(" ".join, axis=1).str.casefold()')
        masks += [f"text.str.contains({word!r}, regex=False)" for word in words]
    if wanted.tag is not None:
        masks.append(f'{name}["tags"].map(lambda tags: {wanted.tag!r} in (tags or ()))')
    if wanted.source is not None:
        masks.append(f'{name}["source"].str.strip().str.casefold().eq({spelled(wanted.source)!r})')
    if wanted.owner_id is not None:
        masks.append(f'{name}["owner_id"].eq({wanted.owner_id!r})')
    for sign, day in ((">=", wanted.since), ("<", wanted.until)):
        if day is not None:
            masks.append(f'{name}["created_at"].{_METHODS[sign]}(pd.Timestamp("{day}", tz="{zone}"))')
    if wanted.field is not None and wanted.contains:
        field = f"{name}[{wanted.field!r}]"
        field = f'{field}.astype(str).where({field}.notna(), "").str.lower()'
        masks.append(f"{field}.str.contains({wanted.contains.lower()!r}, regex=False)")
    if not masks:
        return "\n".join([*lines, name])
    if any("pd." in mask for mask in masks):
        lines.insert(0, "import pandas as pd")
    chosen = "\n    & ".join(masks)
    return "\n".join([*lines, f"{name}[\n    {chosen}\n]" if len(masks) > 1 else f"{name}[{chosen}]"])


_METHODS = {">=": "ge", "<": "lt"}


def spelled(value: str) -> str:
    """A source as analyses count it: its case and the blanks around it say nothing."""
    return value.strip().casefold()


def options(column: pd.Series, key: Callable[[str], str] = str, most: int = 500) -> list[str]:
    """The values of a column, the commonest first; of a list column its items.

    Values with the same *key* are one, by its commonest spelling.
    """
    if column.dtype == object:  # of a list its texts, which can be looked for
        items = [item for value in column if isinstance(value, (list, tuple)) for item in value]
        column = pd.Series([item for item in items if isinstance(item, str)], dtype=TEXT.dtype)
    values = column.dropna().astype(str)
    counts = values[values.str.strip() != ""].value_counts()
    told = pd.DataFrame({"key": [key(value) for value in counts.index], "value": counts.index, "n": counts.array})
    ones = told.groupby("key", sort=False).agg(value=("value", "first"), n=("n", "sum"))
    return [str(value) for value in ones.sort_values("n", ascending=False, kind="stable")["value"].head(most)]
