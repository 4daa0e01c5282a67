"""Pairs of contacts that are one person: candidates share a value, and a named kind of evidence confirms the pair.

Contacts with an equal value, such as a phone number, form a block. Only contacts of one block are compared, and a
pair counts as one person only if one of the ``same_...`` functions of ``evidence`` holds. All texts are integer
codes, so a million contacts take a few sorts. In a large block each contact is compared with the next few only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from hlkit.analysis.core.run_log import remark
from hlkit.analysis.people.contact_index import ContactIndex, combine_keys
from hlkit.analysis.people.evidence import (
    CandidatePairs,
    Mask,
    same_address,
    same_birthday,
    same_email,
    same_key,
    same_phone,
    same_postcode,
)
from hlkit.analysis.people.normalize import Codes
from hlkit.client.text import many

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
PLACEHOLDER = 30  # first names on one value; with more, it is a placeholder
CHUNK = 1_000_000  # pairs compared at once


@dataclass
class Matches:
    """Matching pairs of rows, the lower row in ``a``, and their evidence as bits in the order of ``WEIGHTS``."""

    a: Codes
    b: Codes
    evidence: Codes


@dataclass
class _Search:
    """A kind of evidence: its name in ``WEIGHTS``, its test, and the key by which each of some rows finds others.

    ``first_names`` is the number of first names that share a key, where the key is a value of the contacts.
    """

    name: str
    test: Callable[[CandidatePairs], Mask]
    rows: Codes
    keys: Codes
    first_names: Codes | None = None


def find_matches(index: ContactIndex) -> Matches:
    """All pairs of contacts with evidence that they are one person, each pair once with all its evidence."""
    matches: list[tuple[Codes, Codes, Codes]] = []
    for search in _searches(index):
        keys, first_names = search.keys, search.first_names
        if first_names is not None:
            keys = _without_placeholders(keys, first_names, search.name)
        bit = 1 << list(WEIGHTS).index(search.name)
        for a, b, key in candidate_pairs(search.rows, keys, index.order):
            sharers = np.zeros(len(a), dtype="int64") if first_names is None else first_names[key]
            is_match = search.test(CandidatePairs(index, a, b, sharers))
            matches.append((a[is_match], b[is_match], np.full(int(is_match.sum()), bit)))
    if not matches:
        return Matches(*(np.empty(0, "int64") for _ in range(3)))
    a, b, bits = (np.concatenate(part) for part in zip(*matches, strict=True))
    pairs, pair_of_match = np.unique(np.minimum(a, b) * index.count + np.maximum(a, b), return_inverse=True)
    evidence = np.zeros(len(pairs), dtype="int64")
    np.bitwise_or.at(evidence, pair_of_match, bits)
    return Matches(pairs // index.count, pairs % index.count, evidence)


def _searches(index: ContactIndex) -> list[_Search]:
    """The searches for each kind of evidence. Names are compared within an initial: either of a contact's two."""
    first, last = index.initial[index.first], index.initial[index.last]
    initials, rows = np.concatenate([first, last]), np.arange(index.count)
    twice = np.concatenate([rows, rows])
    home, birthday = (
        combine_keys(np.concatenate([column, column]), initials) for column in (index.home, index.birthday)
    )
    postcode = combine_keys(index.postcode, np.minimum(first, last), np.maximum(first, last))
    return [
        *(
            _Search(name, test, values.rows, values.codes, values.first_names)
            for name, test, values in (
                ("email", same_email, index.email),
                ("phone", same_phone, index.phone),
                ("key", same_key, index.key),
            )
        ),
        _Search("name and address", same_address, twice, home),
        _Search("name and birthday", same_birthday, twice, birthday),
        _Search("name and postcode", same_postcode, rows, postcode),
    ]


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
