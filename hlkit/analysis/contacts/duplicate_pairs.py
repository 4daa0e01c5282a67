"""Duplicate pairs: which two contacts are the same person, and on what evidence."""

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
from hlkit.analysis.core.groups import require_columns
from hlkit.analysis.core.registry import analysis
from hlkit.client.links import APP_URL
from hlkit.client.schema import COUNT, ID, LINK, SHARE, TEXT
from hlkit.client.text import many


def pairs_by_evidence(table: pd.DataFrame) -> str:
    """How many pairs there are, and for how many of them there is which evidence."""
    verb = "appears" if len(table) == 1 else "each appear"
    counts = table["evidence"].value_counts()
    if len(counts) == 1:
        evidence = counts.index[0]
    else:
        evidence = ", ".join(f"{kind} ({count:,})" for kind, count in counts.head(3).items())
    more = f" and {len(counts) - 3:,} more" if len(counts) > 3 else ""
    return f"{many(len(table), 'pair')} of contacts {verb} to be one person. Evidence: {evidence}{more}."


@analysis(
    "Which pairs of contacts are the same person, and why?",
    columns={
        "name": TEXT,
        "link": LINK,
        "other_name": TEXT,
        "other_link": LINK,
        "cluster": COUNT,
        "evidence": TEXT,
        "score": SHARE,
        "contact_id": ID,
        "other_contact_id": ID,
    },
    chart=CountBars(lambda table: table["evidence"], "pairs by evidence", also=("cluster", "cluster")),
    headline=pairs_by_evidence,
    definition=DUPLICATES_DEFINITION,
    noun="duplicate contacts",
)
def duplicate_pairs(
    contacts: pd.DataFrame,
    *,
    country: str = "US",
    key_column: str | None = None,
    location_id: str | None = None,
    app_url: str = APP_URL,
) -> pd.DataFrame:
    """Pairs of contacts that are the same person, each with its evidence.

    ``duplicates`` says which contacts count as one person.

    Parameters
    ----------
    contacts
        One row per contact: contact_id; optional first_name, last_name, name, email, additional_emails, phone,
        additional_phones, address, postal_code, city, birthday and created_at.
    key_column
        A column that identifies a person, such as a custom field with a customer number. The same value is evidence.

    Returns
    -------
    One row per pair, those of the largest clusters first and in them the strongest evidence: ``name`` and ``link``
    (in HighLevel) of the contact that ``duplicates`` lists first, ``other_name`` and ``other_link``, ``cluster`` (its
    number), ``evidence``, ``score`` (0 to 1, orders pairs by their evidence; 1 minus the product of (1 - weight) over
    the evidence), ``contact_id`` and ``other_contact_id``.

    Raises
    ------
    MissingColumn

    Source: Christen, "Data Matching", Springer 2012; Fellegi & Sunter, "A Theory for Record Linkage", JASA 64,
    1969.
    """
    require_columns(contacts, "contact_id", key_column)
    pairs = find_pairs(contacts, country, key_column)
    clusters = find_clusters(contacts, pairs)
    people = pd.DataFrame(
        {
            "name": contact_names(contacts),
            "link": contact_links(contacts["contact_id"], location_id, app_url),
            "contact_id": contacts["contact_id"],
        }
    )
    sides = _in_order_of_cluster(pairs, clusters)
    first, second = (people.iloc[sides[side]].reset_index(drop=True) for side in ("a", "b"))
    table = first.join(second.add_prefix("other_")).assign(
        cluster=clusters["cluster"].reindex(sides["a"]).array,
        evidence=describe_evidence(sides["bits"].to_numpy(), key_column)[0],
        score=sides["score"],
    )
    return table.sort_values(["cluster", "score"], ascending=[True, False], kind="stable")


def _in_order_of_cluster(pairs: pd.DataFrame, clusters: pd.DataFrame) -> pd.DataFrame:
    """*pairs* in the order of their clusters; in each, ``a`` is the contact nearer to the suggested survivor."""
    rank = pd.Series(np.arange(len(clusters)), index=clusters.index)
    rank_a, rank_b = rank.reindex(pairs["a"]).to_numpy(), rank.reindex(pairs["b"]).to_numpy()
    rows, first, second = clusters.index.to_numpy(), np.minimum(rank_a, rank_b), np.maximum(rank_a, rank_b)
    ordered = pairs.assign(a=rows[first], b=rows[second])
    return ordered.iloc[np.lexsort((second, first))].reset_index(drop=True)
