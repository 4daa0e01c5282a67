"""Contacts that are one person, in clusters with their evidence, shared by the analyses of duplicates."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.groups import column_or_nulls
from hlkit.analysis.core.run_log import remark
from hlkit.analysis.people.contact_index import ContactIndex
from hlkit.analysis.people.matching import WEIGHTS, connected_components, find_matches
from hlkit.analysis.people.normalize import Codes, jaro_winkler
from hlkit.client.schema import INSTANT

DUPLICATES_DEFINITION = (
    "Two contacts count as one person if there is evidence for it: the same email or phone number and similar first "
    "names (spelling, or a nickname such as Bob); or the same full name with the same address, birthday or postcode, "
    "unless other fields contradict it. Emails and phone numbers are normalized first; nearly the same email is not "
    "evidence. Contacts linked by such pairs form a cluster. The suggested survivor of a cluster has the most fields "
    "filled in, then is the oldest; the others are duplicates. hlkit only reports them; it merges nothing."
)
# The fields that decide which record of a cluster to keep: the one with most of them filled in.
SURVIVOR_FIELDS = (
    "first_name",
    "last_name",
    "email",
    "phone",
    "company_name",
    "address",
    "city",
    "postal_code",
    "birthday",
    "owner_id",
)


def find_pairs(contacts: pd.DataFrame, country: str, key_column: Hashable) -> pd.DataFrame:
    """Pairs of contacts that are one person: the row numbers ``a`` and ``b``, ``bits`` of evidence, and ``score``.

    *key_column* is a column that identifies a person, or None.
    """
    if jaro_winkler() is None:
        remark('Similar spellings of names were not compared: this needs pip install "hlkit[dedupe]".')
    matches = find_matches(ContactIndex(contacts, country, key_column))
    score = describe_evidence(matches.evidence, key_column)[1]
    return pd.DataFrame({"a": matches.a, "b": matches.b, "bits": matches.evidence, "score": score})


def find_clusters(contacts: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """The contacts that *pairs* connect, by row number: the largest cluster first, its suggested survivor on top.

    ``cluster`` numbers the clusters from 1, ``cluster_size`` counts their contacts, ``filled`` the survivor fields
    that a contact has.
    """
    root = connected_components(pairs["a"].to_numpy(), pairs["b"].to_numpy(), len(contacts))
    filled = np.zeros(len(contacts), dtype="int64")
    for name in SURVIVOR_FIELDS:
        if name in contacts:
            filled += (contacts[name].notna() & (contacts[name] != "")).to_numpy(dtype=bool)
    members = pd.DataFrame(
        {
            "root": root,
            "cluster_size": np.bincount(root, minlength=len(contacts))[root],
            "filled": filled,
            "created_at": column_or_nulls(contacts, "created_at", INSTANT).array,
        }
    )
    members = members[members["cluster_size"] > 1].rename_axis("row").reset_index()
    members = members.sort_values(
        ["cluster_size", "root", "filled", "created_at", "row"], ascending=[False, True, False, True, True]
    )
    members["suggested_survivor"] = ~members["root"].duplicated()
    members["cluster"] = members["suggested_survivor"].cumsum()
    return members.set_index("row")[["cluster", "cluster_size", "filled", "suggested_survivor"]]


def describe_evidence(bits: Codes, key_column: Hashable) -> tuple[Any, Any]:
    """The text and the score of each combination of *bits* of evidence."""
    combinations, position = np.unique(bits, return_inverse=True)
    texts, scores = [], []
    for combination in combinations.tolist():
        weights = {name: weight for bit, (name, weight) in enumerate(WEIGHTS.items()) if combination >> bit & 1}
        if "name and address" in weights:  # the same address implies the same postcode
            weights.pop("name and postcode", None)
        texts.append(" + ".join(str(key_column) if name == "key" else name for name in weights))
        scores.append(1 - math.prod(1 - weight for weight in weights.values()))
    return np.array(texts, dtype=object)[position], np.array(scores, dtype="float64")[position]
