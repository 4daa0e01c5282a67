"""Evidence that two contacts are one person: each ``same_...`` function is a kind of it, for many pairs at once."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from hlkit.analysis.people.contact_index import ContactIndex
from hlkit.analysis.people.normalize import Codes

Mask = Any  # boolean, one entry for each pair

SHARED = 3  # first names on one email or phone; with more, last names must also agree
KEY_SHARED = 8  # the same for the key column
BY_CHANCE = 0.05  # expected number of chance namesakes up to which a name is evidence


class CandidatePairs:
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


def same_email(pairs: CandidatePairs) -> Mask:
    names_agree = pairs.same_prefix | pairs.similar_first(0.85) | pairs.names_swapped
    return (names_agree & ((pairs.sharers <= SHARED) | pairs.similar_last(0.85))) | pairs.nameless


def same_phone(pairs: CandidatePairs) -> Mask:
    # John and Joan of one household have similar names; different emails show that they are two people.
    names_agree = (
        pairs.equal(pairs.index.first) | (pairs.similar_first(0.85) & ~pairs.emails_differ) | pairs.names_swapped
    )
    names_agree &= ~pairs.last_names_differ | pairs.names_swapped
    return (names_agree & ((pairs.sharers <= SHARED) | pairs.similar_last(0.85))) | pairs.nameless


def same_key(pairs: CandidatePairs) -> Mask:
    return (pairs.sharers <= KEY_SHARED) | pairs.similar_last(0.85)


def same_address(pairs: CandidatePairs) -> Mask:
    index = pairs.index
    other_town = pairs.differ(index.postcode) & pairs.differ(index.city)
    same_home = pairs.equal(index.house_number) & pairs.similar_streets & ~other_town & ~pairs.differ(index.birthday)
    return same_home & pairs.same_full_name & (pairs.chance_namesakes(index.home) <= BY_CHANCE)


def same_birthday(pairs: CandidatePairs) -> Mask:
    # Twins share last name, home and birthday, so the first names must agree.
    index = pairs.index
    first_agrees = pairs.similar_first(0.88) | (pairs.any_missing(index.first) & pairs.similar_last(0.88))
    same_home = pairs.equal(index.postcode) | (pairs.equal(index.house_number) & pairs.similar_streets)
    is_same = pairs.same_full_name | (first_agrees & same_home)
    return is_same & (pairs.chance_namesakes(index.birthday) <= BY_CHANCE)


def same_postcode(pairs: CandidatePairs) -> Mask:
    index = pairs.index
    contradicted = pairs.addresses_differ | pairs.differ(index.birthday) | pairs.email_and_phone_differ
    return pairs.same_full_name & ~contradicted & (pairs.chance_namesakes(index.postcode) <= BY_CHANCE)
