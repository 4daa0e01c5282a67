"""Search loaded contacts by text, tag, source, owner, creation date or custom field.

``ContactIndex.find`` filters the contacts, and ``code`` writes the pandas code that returns the same rows.
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

SEARCH_COLUMNS = ("name", "email", "phone", "company_name")
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Criteria:
    """The search criteria. A contact must meet all of them; ``None`` and an empty text mean no criterion."""

    search: str = ""  # words that must all occur in SEARCH_COLUMNS
    tag: str | None = None
    source: str | None = None
    owner_id: str | None = None
    since: dt.date | None = None  # created on or after this day, in the location's time zone
    until: dt.date | None = None  # created before this day
    field: str | None = None  # any column, which must contain ``contains``
    contains: str = ""


class ContactIndex:
    """Contacts prepared for repeated searches. *zone* is the time zone of the days in the criteria."""

    def __init__(self, contacts: pd.DataFrame, zone: str) -> None:
        self.contacts, self.zone = contacts, zone

    def find(self, criteria: Criteria) -> pd.DataFrame:
        """The contacts that meet all criteria, in their original order."""
        contacts = self.contacts
        mask = np.ones(len(contacts), dtype=bool)
        for word in criteria.search.casefold().split():
            mask &= self._contains(word)
        if criteria.tag is not None:
            mask &= np.array([criteria.tag in tags for tags in self._tags], dtype=bool)
        if criteria.source is not None:
            sources = contacts["source"].str.strip().str.casefold()
            mask &= _as_mask(sources.eq(normalize_source(criteria.source)))
        if criteria.owner_id is not None:
            mask &= _as_mask(contacts["owner_id"].eq(criteria.owner_id))
        if criteria.since is not None:
            mask &= _as_mask(contacts["created_at"] >= pd.Timestamp(criteria.since, tz=self.zone))
        if criteria.until is not None:
            mask &= _as_mask(contacts["created_at"] < pd.Timestamp(criteria.until, tz=self.zone))
        if criteria.field is not None and criteria.contains:
            values = contacts[criteria.field]
            texts = values.astype(str).astype(TEXT.dtype).where(values.notna(), "").str.lower()
            mask &= _as_mask(texts.str.contains(criteria.contains.lower(), regex=False))
        return contacts[mask]

    def _contains(self, word: str) -> Mask:
        return np.asarray(pc.match_substring(self._text, word).to_numpy(zero_copy_only=False), dtype=bool)

    @functools.cached_property
    def _text(self) -> pa.Array:
        """The searchable text of each contact, in lowercase."""
        columns = [self.contacts[name].fillna("").astype(str).tolist() for name in SEARCH_COLUMNS]
        return pa.array([" ".join(parts).casefold() for parts in zip(*columns, strict=True)], pa.large_string())

    @functools.cached_property
    def _tags(self) -> list[Any]:
        return [tags if isinstance(tags, (list, tuple)) else () for tags in self.contacts["tags"].tolist()]


def _as_mask(condition: pd.Series) -> Mask:
    """*condition* as an array; null counts as False."""
    mask: Mask = condition.to_numpy(dtype=bool, na_value=False)
    return mask


def code(criteria: Criteria, zone: str, *, name: str = "contacts") -> str:
    """pandas code that applies *criteria* to the DataFrame in the variable *name*; its last line is the result."""
    setup: list[str] = []
    conditions: list[str] = []
    search_words = criteria.search.casefold().split()
    if search_words:
        columns = ", ".join(f'"{column}"' for column in SEARCH_COLUMNS)
        setup.append(f'text = {name}[[{columns}]].fillna("").agg(" ".join, axis=1).str.casefold()')
        conditions += [f"text.str.contains({word!r}, regex=False)" for word in search_words]
    if criteria.tag is not None:
        conditions.append(f'{name}["tags"].map(lambda tags: {criteria.tag!r} in (tags or ()))')
    if criteria.source is not None:
        source = normalize_source(criteria.source)
        conditions.append(f'{name}["source"].str.strip().str.casefold().eq({source!r})')
    if criteria.owner_id is not None:
        conditions.append(f'{name}["owner_id"].eq({criteria.owner_id!r})')
    for method, day in (("ge", criteria.since), ("lt", criteria.until)):
        if day is not None:
            conditions.append(f'{name}["created_at"].{method}(pd.Timestamp("{day}", tz="{zone}"))')
    if criteria.field is not None and criteria.contains:
        column = f"{name}[{criteria.field!r}]"
        text = f'{column}.astype(str).where({column}.notna(), "").str.lower()'
        conditions.append(f"{text}.str.contains({criteria.contains.lower()!r}, regex=False)")
    if not conditions:
        return name
    if criteria.since is not None or criteria.until is not None:
        setup.insert(0, "import pandas as pd")
    condition = "\n    & ".join(conditions)
    return "\n".join([*setup, f"{name}[\n    {condition}\n]" if len(conditions) > 1 else f"{name}[{condition}]"])


def normalize_source(source: str) -> str:
    """A source without surrounding blanks and in lowercase, as the analyses group it."""
    return source.strip().casefold()


def distinct_values(column: pd.Series, key: Callable[[str], str] = str, limit: int = 500) -> list[str]:
    """The distinct texts in a column, or in the lists of a list column: the *limit* most frequent, in that order.

    Texts with the same *key* count as one, shown in their most frequent spelling.
    """
    if column.dtype == object:  # a list column, which may hold other types too
        items = [item for value in column if isinstance(value, (list, tuple)) for item in value]
        column = pd.Series([item for item in items if isinstance(item, str)], dtype=TEXT.dtype)
    texts = column.dropna().astype(str)
    counts = texts[texts.str.strip() != ""].value_counts()
    spellings = pd.DataFrame({"key": [key(text) for text in counts.index], "text": counts.index, "n": counts.array})
    distinct = spellings.groupby("key", sort=False).agg(text=("text", "first"), n=("n", "sum"))
    return distinct.sort_values("n", ascending=False, kind="stable")["text"].head(limit).astype(str).tolist()
