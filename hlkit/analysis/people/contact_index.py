"""The contacts as integer codes: equal names, addresses, emails and phone numbers have equal codes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hlkit.analysis.people.normalize import (
    Codes,
    Vocabulary,
    additional_values,
    encode,
    normalize_addresses,
    normalize_emails,
    normalize_names,
    normalize_phones,
    normalize_text,
    to_arrow,
)


@dataclass
class Values:
    """The emails, phones or keys of the contacts; a contact with several values has several entries.

    ``rows`` and ``codes`` are the contact's row and the value's code, by entry; ``first_names`` is the number of
    distinct first names that share a value, by code.
    """

    rows: Codes
    codes: Codes
    first_names: Codes


class ContactIndex:
    """The contacts' names, addresses, emails and other values as codes, by row; -1 if missing."""

    def __init__(self, contacts: pd.DataFrame, country: str, key_column: Hashable) -> None:
        self.frame, self.count = contacts, len(contacts)
        self._index_names()
        self._index_homes()
        self.birthday = self._days("birthday")
        self.email = self._values(normalize_emails, "email", "additional_emails")
        self.phone = self._values(lambda column: normalize_phones(column, country), "phone", "additional_phones")
        self.key = self._values(normalize_text, *([] if key_column is None else [key_column]))

    def _index_names(self) -> None:
        name_columns = (self._texts(column) for column in ("first_name", "last_name", "name"))
        names, (self.first, self.last) = encode(*normalize_names(*name_columns))
        self.names = Vocabulary(names)
        # By name: its first two letters and its first letter, as codes. The last entry is for a missing name.
        arrow_names = pa.array(names, type=pa.large_string())
        self.prefix, self.initial = (
            np.append(encode(pc.utf8_slice_codeunits(arrow_names, 0, length))[1][0], -1) for length in (2, 1)
        )
        rank = np.zeros(len(names) + 1, dtype="int64")
        rank[pc.sort_indices(arrow_names).to_numpy()] = np.arange(1, len(names) + 1)
        self.order = rank[self.first] * (len(names) + 1) + rank[self.last]  # alphabetical, by full name
        self.is_nameless = (self.first < 0) & (self.last < 0)
        # By name: how many contacts have it as their first name, and as their last name.
        self.first_counts = np.append(np.bincount(self.first[self.first >= 0], minlength=len(names)), 0)
        self.last_counts = np.append(np.bincount(self.last[self.last >= 0], minlength=len(names)), 0)

    def _index_homes(self) -> None:
        street, house_number = normalize_addresses(self._texts("address"))
        streets, (self.street,) = encode(street)
        self.streets = Vocabulary(streets)
        postcode, city = normalize_text(self._texts("postal_code")), normalize_text(self._texts("city"))
        self.house_number, self.postcode, self.city, street_prefix = (
            encode(column)[1][0] for column in (house_number, postcode, city, pc.utf8_slice_codeunits(street, 0, 4))
        )
        self.home = combine_keys(self.house_number, street_prefix)

    def _texts(self, name: Hashable) -> Any:
        return to_arrow(self.frame[name]) if name in self.frame else pa.nulls(self.count, pa.large_string())

    def _days(self, name: str) -> Codes:
        if name not in self.frame:
            return np.full(self.count, -1, dtype="int64")
        return pd.factorize(self.frame[name])[0].astype("int64")

    def _values(self, normalize: Callable[[Any], Any], *columns: Hashable) -> Values:
        """The values of the first of *columns*, and those in the lists of the others; the first rows are in order."""
        row_parts = [np.arange(self.count)]
        text_parts = [self._texts(columns[0]) if columns else pa.nulls(self.count, pa.large_string())]
        for name in columns[1:]:
            lists = [(row, additional_values(items, str(columns[0]))) for row, items in self._lists(name)]
            row_parts.append(
                np.repeat([row for row, _ in lists], [len(values) for _, values in lists]).astype("int64")
            )
            text_parts.append(to_arrow(pd.Series([value for _, values in lists for value in values], dtype="object")))
        rows = np.concatenate(row_parts)
        texts = pa.chunked_array(text_parts, type=pa.large_string()).combine_chunks()
        distinct, (codes,) = encode(normalize(texts))
        first = self.first[rows]
        has_both = (codes >= 0) & (first >= 0)
        base = len(self.names.names) + 1
        pairs = np.unique(codes[has_both] * base + first[has_both])  # of a value and a first name
        return Values(rows, codes, np.bincount(pairs // base, minlength=len(distinct)))

    def _lists(self, name: Hashable) -> list[tuple[int, list[Any]]]:
        """Each row with a list that is not empty in column *name*, and the list."""
        if name not in self.frame:
            return []
        kinds = (list, tuple, np.ndarray)  # Parquet files give arrays
        items = enumerate(self.frame[name].tolist())
        return [(row, list(item)) for row, item in items if isinstance(item, kinds) and len(item)]


def combine_keys(*columns: Codes) -> Codes:
    """Codes of the distinct combinations of *columns*; -1 if any of them is missing."""
    combined = columns[0]
    for column in columns[1:]:
        has_both = (combined >= 0) & (column >= 0)
        both = np.where(has_both, combined * (column.max(initial=0) + 1) + column, -1)
        combined = pd.factorize(both, use_na_sentinel=False)[0].astype("int64")
        combined[~has_both] = -1
    return combined
