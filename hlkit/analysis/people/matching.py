"""Which contacts are one person: compared only where they share something, and by named evidence alone.

Two contacts are compared only where they share something (a block), and count as one person only by a named
evidence, each a function ``same_...`` below. Everything works on codes of distinct texts, so that a million
contacts are a few sorts; a block that is large is not compared all against all, but each row with the next.
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
    Words,
    addresses,
    codes,
    emails,
    names,
    phones,
    plain,
    seconds,
    texts,
)
from hlkit.client.text import many

Mask = Any  # of truth values, one for each pair

# How sure each evidence makes, from 0 to 1: for ordering pairs, not a probability.
WEIGHTS = {
    "email": 0.97,
    "phone": 0.93,
    "also": 0.98,
    "name and address": 0.95,
    "name and birthday": 0.95,
    "name and postcode": 0.85,
}
ALL_AGAINST_ALL = 40  # rows of a block; in a larger one each is compared with the next few alone
NEXT = 5
CROWD = 3  # first names on one email or phone, from which on last names must agree too
OWN_KEY = 8  # the same for the column that is said to name a person
PLACEHOLDER = 30  # first names, from which on it is nobody's own
BY_CHANCE = 0.05  # namesakes to be expected by chance, up to which a name is evidence
CHUNK = 1_000_000  # pairs compared at once

# ---- the contacts as codes


@dataclass
class _Shared:
    """Emails, phones or keys: which rows have which, a row as often as it has several; by value, how many
    first names are on it."""

    rows: Codes
    keys: Codes
    names: Codes


class People:
    """The contacts as codes of what is written on them; -1 where nothing is."""

    def __init__(self, contacts: pd.DataFrame, country: str, also: Hashable) -> None:
        self.frame, self.count = contacts, len(contacts)
        written, (self.first, self.last) = codes(*names(*map(self._texts, ("first_name", "last_name", "name"))))
        self.words = Words(written)
        vocabulary = pa.array(written, type=pa.large_string())
        self.begins, self.letter = (
            np.append(codes(pc.utf8_slice_codeunits(vocabulary, 0, end))[1][0], -1) for end in (2, 1)
        )
        rank = np.zeros(len(written) + 1, dtype="int64")
        rank[pc.sort_indices(vocabulary).to_numpy()] = np.arange(1, len(written) + 1)
        self.order = rank[self.first] * (len(written) + 1) + rank[self.last]  # by full name
        self.nameless = (self.first < 0) & (self.last < 0)
        self.shares = np.append(np.bincount(self.first[self.first >= 0], minlength=len(written)), 0)
        self.families = np.append(np.bincount(self.last[self.last >= 0], minlength=len(written)), 0)

        street, house = addresses(self._texts("address"))
        streets, (self.street,) = codes(street)
        self.streets = Words(streets)
        postcode, city = plain(self._texts("postal_code")), plain(self._texts("city"))
        self.house, self.postcode, self.city, self.street_begins = (
            codes(one)[1][0] for one in (house, postcode, city, pc.utf8_slice_codeunits(street, 0, 4))
        )
        self.home = together(self.house, self.street_begins)
        self.birthday = self._days("birthday")
        self.mail = self._shared(emails, "email", "additional_emails")
        self.phone = self._shared(lambda column: phones(column, country), "phone", "additional_phones")
        self.key = self._shared(plain, *[name for name in (also,) if name is not None])

    def _texts(self, name: Hashable) -> Any:
        return texts(self.frame[name]) if name in self.frame else pa.nulls(self.count, pa.large_string())

    def _days(self, name: str) -> Codes:
        if name not in self.frame:
            return np.full(self.count, -1, dtype="int64")
        return pd.factorize(self.frame[name])[0].astype("int64")

    def _shared(self, alike: Callable[[Any], Any], *columns: Hashable) -> _Shared:
        rows = [np.arange(self.count)]
        values = [self._texts(columns[0]) if columns else pa.nulls(self.count, pa.large_string())]
        for name in columns[1:]:
            more = [(row, seconds(item, str(columns[0]))) for row, item in enumerate(self._lists(name)) if item]
            rows.append(np.repeat([row for row, _ in more], [len(item) for _, item in more]).astype("int64"))
            values.append(texts(pd.Series([one for _, item in more for one in item], dtype="object")))
        every = np.concatenate(rows)
        written, (keys,) = codes(alike(pa.chunked_array(values, type=pa.large_string()).combine_chunks()))
        first = self.first[every]
        named = (keys >= 0) & (first >= 0)
        pairs = np.unique(keys[named] * (len(self.words.words) + 1) + first[named])
        on = np.bincount(pairs // (len(self.words.words) + 1), minlength=len(written))
        return _Shared(every, keys, on)

    def _lists(self, name: Hashable) -> list[Any]:
        if name not in self.frame:
            return []
        kinds = (list, tuple, np.ndarray)  # a Parquet file gives arrays
        return [list(item) if isinstance(item, kinds) else None for item in self.frame[name].tolist()]


class _Met:
    """Pairs of rows that share a value, and what else they have alike; each is worked out when asked for."""

    def __init__(self, people: People, a: Codes, b: Codes, crowd: Codes) -> None:
        self.p, self.a, self.b, self.crowd = people, a, b, crowd

    def same(self, column: Codes) -> Mask:
        return (column[self.a] >= 0) & (column[self.a] == column[self.b])

    def differ(self, column: Codes) -> Mask:
        """Both have one, and not the same."""
        return (column[self.a] >= 0) & (column[self.b] >= 0) & (column[self.a] != column[self.b])

    def lacks(self, column: Codes) -> Mask:
        """One of the two has none."""
        return (column[self.a] < 0) | (column[self.b] < 0)

    def first(self, least: float) -> Mask:
        return self.p.words.alike(self.p.first[self.a], self.p.first[self.b], least)

    def last(self, least: float) -> Mask:
        return self.p.words.alike(self.p.last[self.a], self.p.last[self.b], least)

    @functools.cached_property
    def swapped(self) -> Mask:
        """The first name of each is the last name of the other."""
        p, a, b = self.p, self.a, self.b
        return p.words.alike(p.first[a], p.last[b], 0.88) & p.words.alike(p.last[a], p.first[b], 0.88)

    @functools.cached_property
    def begin_alike(self) -> Mask:
        first = self.p.first
        known = (first[self.a] >= 0) & (first[self.b] >= 0)
        return known & (self.p.begins[first[self.a]] == self.p.begins[first[self.b]])

    @functools.cached_property
    def lacks_name(self) -> Mask:
        """One of the two has no name, and all others with the value have the same."""
        return (self.p.nameless[self.a] | self.p.nameless[self.b]) & (self.crowd <= 1)

    @functools.cached_property
    def family_speaks_against(self) -> Mask:
        return self.differ(self.p.last) & ~self.last(0.85)

    @functools.cached_property
    def mail_and_phone_differ(self) -> Mask:
        own = slice(self.p.count)
        return self.differ(self.p.mail.keys[own]) & self.differ(self.p.phone.keys[own])

    @functools.cached_property
    def mails_differ(self) -> Mask:
        return self.differ(self.p.mail.keys[: self.p.count])

    @functools.cached_property
    def full_name(self) -> Mask:
        exact = self.same(self.p.first) & self.same(self.p.last)
        near = self.first(0.88) & self.last(0.88) & ~self.mail_and_phone_differ
        return exact | near | self.swapped

    @functools.cached_property
    def streets_alike(self) -> Mask:
        return self.p.streets.alike(self.p.street[self.a], self.p.street[self.b], 0.88)

    @functools.cached_property
    def address_differs(self) -> Mask:
        """On another street: a namesake in the same one is rarer than a slip in its number."""
        other_street = self.differ(self.p.street) & ~self.streets_alike
        return other_street | (self.lacks(self.p.street) & self.differ(self.p.house))

    def namesakes(self, block: Codes) -> Any:
        """How many others of that name chance alone would bring to rows with the same value in *block*."""
        p, a, b = self.p, self.a, self.b
        size = np.append(np.bincount(block[block >= 0]), 0)[block[a]]
        whole = max(p.count, 1000)
        first = np.maximum(p.shares[p.first[a]], p.shares[p.first[b]])
        last = np.maximum(p.families[p.last[a]], p.families[p.last[b]])
        return size * np.maximum(first - 2, 0) / whole * np.maximum(last - 2, 0) / whole


# ---- the evidences


def same_mail(met: _Met) -> Mask:
    close = met.begin_alike | met.first(0.85) | met.swapped
    return (close & ((met.crowd <= CROWD) | met.last(0.85))) | met.lacks_name


def same_phone(met: _Met) -> Mask:
    # John and Joan at one home write alike; if they have a mailbox each, they are two.
    close = met.same(met.p.first) | (met.first(0.85) & ~met.mails_differ) | met.swapped
    close &= ~met.family_speaks_against | met.swapped
    return (close & ((met.crowd <= CROWD) | met.last(0.85))) | met.lacks_name


def same_key(met: _Met) -> Mask:
    return (met.crowd <= OWN_KEY) | met.last(0.85)


def same_address(met: _Met) -> Mask:
    elsewhere = met.differ(met.p.postcode) & met.differ(met.p.city)
    at_home = met.same(met.p.house) & met.streets_alike & ~elsewhere & ~met.differ(met.p.birthday)
    return at_home & met.full_name & (met.namesakes(met.p.home) <= BY_CHANCE)


def same_birthday(met: _Met) -> Mask:
    # Twins have the family's name, home and birthday in common, so it is the first name that must agree.
    p = met.p
    first = met.first(0.88) | (met.lacks(p.first) & met.last(0.88))
    at_home = met.same(p.postcode) | (met.same(p.house) & met.streets_alike)
    return (met.full_name | (first & at_home)) & (met.namesakes(p.birthday) <= BY_CHANCE)


def same_postcode(met: _Met) -> Mask:
    against = met.address_differs | met.differ(met.p.birthday) | met.mail_and_phone_differ
    return met.full_name & ~against & (met.namesakes(met.p.postcode) <= BY_CHANCE)


@dataclass
class Found:
    """Pairs of rows, the lower first, and their evidences as bits in the order of ``WEIGHTS``."""

    a: Codes
    b: Codes
    bits: Codes


def find(p: People) -> Found:
    """All pairs that an evidence holds for, each once with all its evidences."""
    first, last = p.letter[p.first], p.letter[p.last]
    low, high = np.minimum(first, last), np.maximum(first, last)
    every = np.arange(p.count)

    def either(*columns: Codes) -> tuple[Codes, Codes]:
        """Rows by *columns* and the first letter of one of their names: each row twice."""
        twice = (np.concatenate([column, column]) for column in columns)
        return np.concatenate([every, every]), together(*twice, np.concatenate([first, last]))

    blocks: list[tuple[str, Callable[[_Met], Mask], Codes, Codes, Codes | None]] = [
        *(
            (name, test, shared.rows, shared.keys, shared.names)
            for name, test, shared in (
                ("email", same_mail, p.mail),
                ("phone", same_phone, p.phone),
                ("also", same_key, p.key),
            )
        ),
        ("name and address", same_address, *either(p.home), None),
        ("name and birthday", same_birthday, *either(p.birthday), None),
        ("name and postcode", same_postcode, every, together(p.postcode, low, high), None),
    ]
    kept: list[tuple[Codes, Codes, Codes]] = []
    for name, test, rows, keys, crowd in blocks:
        if crowd is not None:
            keys = _without_placeholders(keys, crowd, name)
        bit = 1 << list(WEIGHTS).index(name)
        for a, b, key in meetings(rows, keys, p.order):
            met = _Met(p, a, b, np.zeros(len(a), dtype="int64") if crowd is None else crowd[key])
            holds = test(met)
            kept.append((a[holds], b[holds], np.full(int(holds.sum()), bit)))
    a, b, bits = (np.concatenate(part) for part in zip(*kept, strict=True)) if kept else (np.empty(0, "int64"),) * 3
    low, high = np.minimum(a, b), np.maximum(a, b)
    pairs, at = np.unique(low * p.count + high, return_inverse=True)
    merged = np.zeros(len(pairs), dtype="int64")
    np.bitwise_or.at(merged, at, bits)
    return Found(pairs // max(1, p.count), pairs % max(1, p.count), merged)


def _without_placeholders(keys: Codes, crowd: Codes, name: str) -> Codes:
    nobody = (keys >= 0) & (crowd[keys] > PLACEHOLDER) if len(crowd) else np.zeros(len(keys), dtype=bool)
    if nobody.any():
        values = len(np.unique(keys[nobody]))
        told = {"also": "key"}.get(name, name)
        remark(
            f"{many(values, told)} with more than {PLACEHOLDER} first names on them "
            f"({int(nobody.sum()):,} contacts) are taken for placeholders and are no evidence."
        )
        return np.where(nobody, -1, keys)
    return keys


def together(*columns: Codes) -> Codes:
    """Codes of what *columns* say together; -1 where one says nothing."""
    out = columns[0]
    for column in columns[1:]:
        known = (out >= 0) & (column >= 0)
        both = np.where(known, out * (column.max(initial=0) + 1) + column, -1)
        out = pd.factorize(both, use_na_sentinel=False)[0].astype("int64")
        out[~known] = -1
    return out


def meetings(rows: Codes, keys: Codes, order: Codes) -> Iterator[tuple[Codes, Codes, Codes]]:
    """Pairs of different *rows* with the same key, and the key.

    Within a key rows stand in *order*: in a small one all meet, in a large one each meets the next few.
    """
    sizes = np.bincount(keys[keys >= 0], minlength=1)
    where = np.flatnonzero((keys >= 0) & (sizes[keys] > 1))
    where = where[np.lexsort((order[rows[where]], keys[where]))]
    rows, keys = rows[where], keys[where]
    reach = np.where(sizes[keys] <= ALL_AGAINST_ALL, ALL_AGAINST_ALL, NEXT)
    at = np.arange(len(rows))
    for step in range(1, ALL_AGAINST_ALL):
        at = at[at + step < len(rows)]
        at = at[(keys[at] == keys[at + step]) & (step <= reach[at])]
        if not len(at):
            return
        for start in range(0, len(at), CHUNK):
            one = at[start : start + CHUNK]
            other = one + step
            differ = rows[one] != rows[other]
            yield rows[one][differ], rows[other][differ], keys[one][differ]


def components(a: Codes, b: Codes, count: int) -> Codes:
    """For each of *count* rows the lowest row that it hangs together with by the pairs *a*, *b*."""
    root = np.arange(count)
    while len(a):
        one, other = root[a], root[b]
        apart = one != other
        if not apart.any():
            break
        a, b, one, other = a[apart], b[apart], one[apart], other[apart]
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while True:
            nearer = root[root]
            if np.array_equal(nearer, root):
                break
            root = nearer
    return root
