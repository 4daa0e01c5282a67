"""Pairs of contacts that are one person: candidates share a value, and a named kind of evidence confirms the pair.

Contacts with an equal value, such as a phone number, form a block. Only contacts of one block are compared, and a
pair counts as one person only if one of the ``same_...`` functions below holds. All texts are integer codes, so a
million contacts take a few sorts. In a large block each contact is compared with the next few only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hlkit.analysis.core.run_log import remark
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
from hlkit.client.text import many

Mask = Any  # boolean, one entry for each pair

# How certain each kind of evidence is, 0 to 1: for ordering pairs, not a probability.
WEIGHTS = {
    "email": 0.97,
    "phone": 0.93,
    "key": 0.98,
    "name and address": 0.95,
    "name and birthday": 0.95,
    "name and postcode": 0.85,
}
ALL_PAIRS_MAX = 40  # rows of a block up to which all pairs are compared
NEIGHBORS = 5  # in a larger block, how many following rows each row is compared with
SHARED = 3  # first names on one email or phone; with more, last names must also agree
KEY_SHARED = 8  # the same for the key column
PLACEHOLDER = 30  # first names on one value; with more, it is a placeholder
BY_CHANCE = 0.05  # expected number of chance namesakes up to which a name is evidence
CHUNK = 1_000_000  # pairs compared at once

# ---- the contacts as codes


@dataclass
class _Values:
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

        street, house_number = normalize_addresses(self._texts("address"))
        streets, (self.street,) = encode(street)
        self.streets = Vocabulary(streets)
        postcode, city = normalize_text(self._texts("postal_code")), normalize_text(self._texts("city"))
        self.house_number, self.postcode, self.city, street_prefix = (
            encode(column)[1][0] for column in (house_number, postcode, city, pc.utf8_slice_codeunits(street, 0, 4))
        )
        self.home = combine_keys(self.house_number, street_prefix)
        self.birthday = self._days("birthday")
        self.email = self._values(normalize_emails, "email", "additional_emails")
        self.phone = self._values(lambda column: normalize_phones(column, country), "phone", "additional_phones")
        self.key = self._values(normalize_text, *([] if key_column is None else [key_column]))

    def _texts(self, name: Hashable) -> Any:
        return to_arrow(self.frame[name]) if name in self.frame else pa.nulls(self.count, pa.large_string())

    def _days(self, name: str) -> Codes:
        if name not in self.frame:
            return np.full(self.count, -1, dtype="int64")
        return pd.factorize(self.frame[name])[0].astype("int64")

    def _values(self, normalize: Callable[[Any], Any], *columns: Hashable) -> _Values:
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
        return _Values(rows, codes, np.bincount(pairs // base, minlength=len(distinct)))

    def _lists(self, name: Hashable) -> list[tuple[int, list[Any]]]:
        """Each row with a list that is not empty in column *name*, and the list."""
        if name not in self.frame:
            return []
        kinds = (list, tuple, np.ndarray)  # Parquet files give arrays
        items = enumerate(self.frame[name].tolist())
        return [(row, list(item)) for row, item in items if isinstance(item, kinds) and len(item)]


class _CandidatePairs:
    """Pairs of contacts (rows ``a`` and ``b``) that share a value, and how the two compare; computed on first use.

    ``sharers`` is the number of first names that share the pair's value, or 0.
    """

    def __init__(self, index: ContactIndex, a: Codes, b: Codes, sharers: Codes) -> None:
        self.index, self.a, self.b, self.sharers = index, a, b, sharers

    def equal(self, column: Codes) -> Mask:
        return (column[self.a] >= 0) & (column[self.a] == column[self.b])

    def differ(self, column: Codes) -> Mask:
        """Both have a value, and the values differ."""
        return (column[self.a] >= 0) & (column[self.b] >= 0) & (column[self.a] != column[self.b])

    def any_missing(self, column: Codes) -> Mask:
        return (column[self.a] < 0) | (column[self.b] < 0)

    def similar_first(self, threshold: float) -> Mask:
        return self.index.names.similar(self.index.first[self.a], self.index.first[self.b], threshold)

    def similar_last(self, threshold: float) -> Mask:
        return self.index.names.similar(self.index.last[self.a], self.index.last[self.b], threshold)

    @functools.cached_property
    def names_swapped(self) -> Mask:
        """The first name of each is similar to the last name of the other."""
        index, a, b = self.index, self.a, self.b
        similar = index.names.similar
        return similar(index.first[a], index.last[b], 0.88) & similar(index.last[a], index.first[b], 0.88)

    @functools.cached_property
    def same_prefix(self) -> Mask:
        """The first names start with the same two letters."""
        first, prefix = self.index.first, self.index.prefix
        return ~self.any_missing(first) & (prefix[first[self.a]] == prefix[first[self.b]])

    @functools.cached_property
    def nameless(self) -> Mask:
        """One of the two has no name, and the shared value has one first name at most."""
        return (self.index.is_nameless[self.a] | self.index.is_nameless[self.b]) & (self.sharers <= 1)

    @functools.cached_property
    def last_names_differ(self) -> Mask:
        return self.differ(self.index.last) & ~self.similar_last(0.85)

    @functools.cached_property
    def emails_differ(self) -> Mask:
        """The main emails differ; additional ones come after the first ``count`` entries."""
        return self.differ(self.index.email.codes[: self.index.count])

    @functools.cached_property
    def email_and_phone_differ(self) -> Mask:
        return self.emails_differ & self.differ(self.index.phone.codes[: self.index.count])

    @functools.cached_property
    def same_full_name(self) -> Mask:
        is_equal = self.equal(self.index.first) & self.equal(self.index.last)
        is_similar = self.similar_first(0.88) & self.similar_last(0.88) & ~self.email_and_phone_differ
        return is_equal | is_similar | self.names_swapped

    @functools.cached_property
    def similar_streets(self) -> Mask:
        return self.index.streets.similar(self.index.street[self.a], self.index.street[self.b], 0.88)

    @functools.cached_property
    def addresses_differ(self) -> Mask:
        """The streets differ, or one has no street and the house numbers differ.

        On the same street, a typo in the house number is more likely than a second person with this name.
        """
        other_street = self.differ(self.index.street) & ~self.similar_streets
        return other_street | (self.any_missing(self.index.street) & self.differ(self.index.house_number))

    def chance_namesakes(self, blocks: Codes) -> Any:
        """The expected number of other people with this name in the pair's block, if names were drawn at random."""
        index, a, b = self.index, self.a, self.b
        block_size = np.append(np.bincount(blocks[blocks >= 0]), 0)[blocks[a]]
        total = max(index.count, 1000)
        first = np.maximum(index.first_counts[index.first[a]], index.first_counts[index.first[b]])
        last = np.maximum(index.last_counts[index.last[a]], index.last_counts[index.last[b]])
        # Less the two contacts themselves.
        return block_size * np.maximum(first - 2, 0) / total * np.maximum(last - 2, 0) / total


# ---- kinds of evidence


def same_email(pairs: _CandidatePairs) -> Mask:
    names_agree = pairs.same_prefix | pairs.similar_first(0.85) | pairs.names_swapped
    return (names_agree & ((pairs.sharers <= SHARED) | pairs.similar_last(0.85))) | pairs.nameless


def same_phone(pairs: _CandidatePairs) -> Mask:
    # John and Joan of one household have similar names; different emails show that they are two people.
    names_agree = (
        pairs.equal(pairs.index.first) | (pairs.similar_first(0.85) & ~pairs.emails_differ) | pairs.names_swapped
    )
    names_agree &= ~pairs.last_names_differ | pairs.names_swapped
    return (names_agree & ((pairs.sharers <= SHARED) | pairs.similar_last(0.85))) | pairs.nameless


def same_key(pairs: _CandidatePairs) -> Mask:
    return (pairs.sharers <= KEY_SHARED) | pairs.similar_last(0.85)


def same_address(pairs: _CandidatePairs) -> Mask:
    index = pairs.index
    other_town = pairs.differ(index.postcode) & pairs.differ(index.city)
    same_home = pairs.equal(index.house_number) & pairs.similar_streets & ~other_town & ~pairs.differ(index.birthday)
    return same_home & pairs.same_full_name & (pairs.chance_namesakes(index.home) <= BY_CHANCE)


def same_birthday(pairs: _CandidatePairs) -> Mask:
    # Twins share last name, home and birthday, so the first names must agree.
    index = pairs.index
    first_agrees = pairs.similar_first(0.88) | (pairs.any_missing(index.first) & pairs.similar_last(0.88))
    same_home = pairs.equal(index.postcode) | (pairs.equal(index.house_number) & pairs.similar_streets)
    is_same = pairs.same_full_name | (first_agrees & same_home)
    return is_same & (pairs.chance_namesakes(index.birthday) <= BY_CHANCE)


def same_postcode(pairs: _CandidatePairs) -> Mask:
    index = pairs.index
    contradicted = pairs.addresses_differ | pairs.differ(index.birthday) | pairs.email_and_phone_differ
    return pairs.same_full_name & ~contradicted & (pairs.chance_namesakes(index.postcode) <= BY_CHANCE)


@dataclass
class Matches:
    """Matching pairs of rows, the lower row in ``a``, and their evidence as bits in the order of ``WEIGHTS``."""

    a: Codes
    b: Codes
    evidence: Codes


def find_matches(index: ContactIndex) -> Matches:
    """All pairs of contacts with evidence that they are one person, each pair once with all its evidence."""
    first, last = index.initial[index.first], index.initial[index.last]
    lower, upper = np.minimum(first, last), np.maximum(first, last)
    rows = np.arange(index.count)

    def by_initial(column: Codes) -> tuple[Codes, Codes]:
        """Rows and blocks by *column* and an initial: each row is in the block of either of its two initials."""
        blocks = combine_keys(np.concatenate([column, column]), np.concatenate([first, last]))
        return np.concatenate([rows, rows]), blocks

    searches: list[tuple[str, Callable[[_CandidatePairs], Mask], Codes, Codes, Codes | None]] = [
        *(
            (name, test, values.rows, values.codes, values.first_names)
            for name, test, values in (
                ("email", same_email, index.email),
                ("phone", same_phone, index.phone),
                ("key", same_key, index.key),
            )
        ),
        ("name and address", same_address, *by_initial(index.home), None),
        ("name and birthday", same_birthday, *by_initial(index.birthday), None),
        ("name and postcode", same_postcode, rows, combine_keys(index.postcode, lower, upper), None),
    ]
    matches: list[tuple[Codes, Codes, Codes]] = []
    for name, test, block_rows, keys, first_names in searches:
        if first_names is not None:
            keys = _without_placeholders(keys, first_names, name)
        bit = 1 << list(WEIGHTS).index(name)
        for a, b, key in candidate_pairs(block_rows, keys, index.order):
            sharers = np.zeros(len(a), dtype="int64") if first_names is None else first_names[key]
            is_match = test(_CandidatePairs(index, a, b, sharers))
            matches.append((a[is_match], b[is_match], np.full(int(is_match.sum()), bit)))
    if not matches:
        return Matches(*(np.empty(0, "int64") for _ in range(3)))
    a, b, bits = (np.concatenate(part) for part in zip(*matches, strict=True))
    pairs, pair_of_match = np.unique(np.minimum(a, b) * index.count + np.maximum(a, b), return_inverse=True)
    evidence = np.zeros(len(pairs), dtype="int64")
    np.bitwise_or.at(evidence, pair_of_match, bits)
    return Matches(pairs // index.count, pairs % index.count, evidence)


def _without_placeholders(keys: Codes, first_names: Codes, name: str) -> Codes:
    """*keys* with -1 for values shared by too many first names, such as info@example.com."""
    is_placeholder = (
        (keys >= 0) & (first_names[keys] > PLACEHOLDER) if len(first_names) else np.zeros(len(keys), bool)
    )
    if is_placeholder.any():
        count = len(np.unique(keys[is_placeholder]))
        remark(
            f"{many(count, name)} with more than {PLACEHOLDER} first names "
            f"({int(is_placeholder.sum()):,} contacts) are treated as placeholders, not as evidence."
        )
        return np.where(is_placeholder, -1, keys)
    return keys


def combine_keys(*columns: Codes) -> Codes:
    """Codes of the distinct combinations of *columns*; -1 if any of them is missing."""
    combined = columns[0]
    for column in columns[1:]:
        has_both = (combined >= 0) & (column >= 0)
        both = np.where(has_both, combined * (column.max(initial=0) + 1) + column, -1)
        combined = pd.factorize(both, use_na_sentinel=False)[0].astype("int64")
        combined[~has_both] = -1
    return combined


def candidate_pairs(rows: Codes, keys: Codes, order: Codes) -> Iterator[tuple[Codes, Codes, Codes]]:
    """Chunks of pairs of different *rows* with the same key, and the key.

    The rows of a key are sorted by *order*. A small block yields all its pairs; in a large one, each
    row is paired with the next few.
    """
    sizes = np.bincount(keys[keys >= 0], minlength=1)
    shared = np.flatnonzero((keys >= 0) & (sizes[keys] > 1))
    shared = shared[np.lexsort((order[rows[shared]], keys[shared]))]
    rows, keys = rows[shared], keys[shared]
    max_distance = np.where(sizes[keys] <= ALL_PAIRS_MAX, ALL_PAIRS_MAX, NEIGHBORS)
    left = np.arange(len(rows))
    for distance in range(1, ALL_PAIRS_MAX):
        left = left[left + distance < len(rows)]
        left = left[(keys[left] == keys[left + distance]) & (distance <= max_distance[left])]
        if not len(left):
            return
        for start in range(0, len(left), CHUNK):
            a = left[start : start + CHUNK]
            b = a + distance
            differ = rows[a] != rows[b]
            yield rows[a][differ], rows[b][differ], keys[a][differ]


def connected_components(a: Codes, b: Codes, count: int) -> Codes:
    """For each of *count* rows, the lowest row that the pairs *a*, *b* connect it with."""
    root = np.arange(count)
    while len(a):
        root_a, root_b = root[a], root[b]
        is_split = root_a != root_b
        if not is_split.any():
            break
        a, b, root_a, root_b = a[is_split], b[is_split], root_a[is_split], root_b[is_split]
        np.minimum.at(root, np.maximum(root_a, root_b), np.minimum(root_a, root_b))
        while True:
            shorter = root[root]
            if np.array_equal(shorter, root):
                break
            root = shorter
    return root
