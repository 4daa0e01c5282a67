"""Duplicates: which contacts are the same person, on what evidence, and which record to keep."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hlkit.analysis.contacts.duplicate_clusters import (
    DUPLICATES_DEFINITION,
    describe_evidence,
    find_clusters,
    find_pairs,
)
from hlkit.analysis.core.charts import CountBars
from hlkit.analysis.core.contact_names import contact_links, contact_names
from hlkit.analysis.core.groups import column_or_nulls, require_columns
from hlkit.analysis.core.headlines import largest_group
from hlkit.analysis.core.registry import analysis
from hlkit.client.links import APP_URL
from hlkit.client.schema import COUNT, FLAG, ID, INSTANT, LINK, SHARE, TEXT
from hlkit.client.text import many


def contacts_and_people(table: pd.DataFrame) -> str:
    """How many contacts are how many people, and the most common evidence."""
    people = table["cluster"].nunique()
    counts = table.groupby("evidence", as_index=False).agg(contacts=("contact_id", "size"))
    return (
        f"{many(len(table), 'contact')} appear to be {'one person' if people == 1 else f'{people:,} people'}. "
        f"Most common evidence: {largest_group(counts, 'contacts', '{:,.0f} contacts'.format)}."
    )


@analysis(
    "Which contacts are duplicates?",
    columns={
        "name": TEXT,
        "link": LINK,
        "cluster": COUNT,
        "cluster_size": COUNT,
        "suggested_survivor": FLAG,
        "email": TEXT,
        "phone": TEXT,
        "created_at": INSTANT,
        "evidence": TEXT,
        "score": SHARE,
        "filled": COUNT,
        "owner_id": ID,
        "contact_id": ID,
    },
    chart=CountBars(lambda table: table["evidence"], "contacts by evidence", also=("cluster", "cluster")),
    headline=contacts_and_people,
    definition=DUPLICATES_DEFINITION,
    noun="duplicate contacts",
)
def duplicates(
    contacts: pd.DataFrame,
    *,
    country: str = "US",
    key_column: str | None = None,
    location_id: str | None = None,
    app_url: str = APP_URL,
) -> pd.DataFrame:
    """Contacts that are the same person, in clusters, each with its evidence.

    People who share a phone or a mailbox are not duplicates if their first names differ. An email or phone number
    with more than 3 first names counts only if last names agree too; with more than 30 it is a placeholder and does
    not count. A name counts only if a second person with that name would be unlikely there. Without the extra
    ``dedupe``, first names are similar only if they are equal, nicknames, or start with the same two letters.

    Parameters
    ----------
    contacts
        One row per contact: contact_id; optional first_name, last_name, name, email, additional_emails, phone,
        additional_phones, address, postal_code, city, birthday, owner_id and created_at.
    key_column
        A column that identifies a person, such as a custom field with a customer number. The same value is evidence.

    Returns
    -------
    One row per contact of a cluster, the largest clusters first and the suggested survivor on top: ``name``, ``link``
    (to the contact in HighLevel), ``cluster`` (its number) and ``cluster_size`` (contacts), ``suggested_survivor``
    (the record to keep), ``email``, ``phone``, ``created_at`` (UTC), ``evidence``, ``score`` (of its strongest pair),
    ``filled`` (fields filled in, of ten), ``owner_id`` and ``contact_id``. ``score``, 0 to 1, orders pairs by their
    evidence; it is not a probability: 1 minus the product of (1 - weight) over the evidence.

    Raises
    ------
    MissingColumn

    Source: Christen, "Data Matching", Springer 2012; Fellegi & Sunter, "A Theory for Record Linkage", JASA 64,
    1969.
    """
    require_columns(contacts, "contact_id", key_column)
    pairs = find_pairs(contacts, country, key_column)
    clusters = find_clusters(contacts, pairs)
    # Of each contact, the evidence of all its pairs and their highest score.
    bits, score = np.zeros(len(contacts), dtype="int64"), np.zeros(len(contacts))
    for side in ("a", "b"):
        np.bitwise_or.at(bits, pairs[side].to_numpy(), pairs["bits"].to_numpy())
        np.maximum.at(score, pairs[side].to_numpy(), pairs["score"].to_numpy())

    members = contacts.iloc[clusters.index]
    evidence, _ = describe_evidence(bits[clusters.index], key_column)
    return clusters.set_axis(members.index).assign(
        name=contact_names(members),
        link=contact_links(members["contact_id"], location_id, app_url),
        **{name: column_or_nulls(members, name) for name in ("email", "phone", "owner_id", "contact_id")},
        created_at=column_or_nulls(members, "created_at", INSTANT),
        evidence=evidence,
        score=score[clusters.index],
    )
