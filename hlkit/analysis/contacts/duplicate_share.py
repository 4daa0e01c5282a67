"""Duplicate share: how many contacts are duplicates of others, by group."""

from __future__ import annotations

from typing import Any

import pandas as pd

from hlkit.analysis.contacts.duplicate_clusters import DUPLICATES_DEFINITION, find_clusters, find_pairs
from hlkit.analysis.core.charts import Dots
from hlkit.analysis.core.groups import SMALL, column_or_nulls, group_keys, per_group, require_columns
from hlkit.analysis.core.headlines import Compare
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.shares import effective_rows_of_group, share_with_interval
from hlkit.client.schema import COUNT, FLAG, INSTANT, SHARE
from hlkit.client.text import many


def share_of_duplicates(total: pd.Series, table: pd.DataFrame) -> str:
    """The first sentence of the headline: how many contacts are duplicates, of how many people."""
    n, count, people = (int(total[name]) for name in ("n", "duplicates", "clusters"))
    if not count:
        return f"No duplicates among {many(n, 'contact')}"
    whose = "one person" if people == 1 else f"{people:,} people"
    what = "is a duplicate: an extra record" if count == 1 else "are duplicates: extra records"
    return f"{count:,} of {many(n, 'contact')} ({total['duplicate_share']:.0%}) {what} of {whose}"


COLUMNS = {
    "n": COUNT,
    "clusters": COUNT,
    "duplicates": COUNT,
    "duplicate_share": SHARE,
    "duplicate_low": SHARE,
    "duplicate_high": SHARE,
    "small": FLAG,
}


@analysis(
    "What share of contacts are duplicates?",
    columns=COLUMNS,
    chart=Dots("duplicate", "share of duplicate contacts, not counting the one to keep"),
    headline=Compare("duplicate", share_of_duplicates),
    definition=(
        f"{DUPLICATES_DEFINITION} Intervals are 95% Wilson, wider where clusters have three contacts or more, "
        "since the duplicates of one cluster stand or fall together."
    ),
    noun="contacts",
    rows={"is_duplicate": FLAG, "suggested_survivor": FLAG, "cluster": COUNT, "created_at": INSTANT},
)
def duplicate_share(
    contacts: pd.DataFrame,
    *,
    country: str = "US",
    by: str | list[str] | None = "source",
    key_column: str | None = None,
) -> pd.DataFrame:
    """How many contacts are duplicates, by a column of the contacts.

    The analysis ``duplicates()`` lists them, and says which contacts count as one person.

    Parameters
    ----------
    contacts
        One row per contact: contact_id; optional first_name, last_name, name, email, additional_emails, phone,
        additional_phones, address, postal_code, city, birthday and created_at.
    by
        A column of the contacts, or two of them for a heat map.
    key_column
        A column that identifies a person, such as a custom field with a customer number. The same value is evidence
        of one person, as the same email is.

    Returns
    -------
    One row per value of *by*, the largest first: ``n`` (contacts), ``clusters`` (people with several contacts,
    counted in the group of the survivor: the one to keep), ``duplicates`` (the others of each cluster), their
    share of ``n`` with its interval, and ``small`` (fewer than 20 contacts).

    Raises
    ------
    MissingColumn

    Source: Christen, "Data Matching", Springer 2012; Fellegi & Sunter, "A Theory for Record Linkage", JASA 64,
    1969.
    """
    require_columns(contacts, "contact_id", by, key_column)
    clusters = find_clusters(contacts, find_pairs(contacts, country, key_column))
    # find_clusters returns only the contacts that are in a cluster, by their row number; the others get nulls.
    members = clusters.reindex(range(len(contacts))).set_axis(contacts.index)
    rows = pd.DataFrame(
        {
            # eq, since a null (a contact in no cluster) is neither
            "is_duplicate": members["suggested_survivor"].eq(False),
            "suggested_survivor": members["suggested_survivor"].eq(True),
            "cluster": members["cluster"].astype(COUNT.dtype),
            "created_at": column_or_nulls(contacts, "created_at", INSTANT),
            "owner_id": column_or_nulls(contacts, "owner_id"),
            "contact_id": contacts["contact_id"],
        }
    )
    return per_group(rows, group_keys(contacts, by), COLUMNS, _summarize)


def _summarize(contacts: pd.DataFrame) -> dict[str, Any]:
    n, count = len(contacts), int(contacts["is_duplicate"].sum())
    effective, _ = effective_rows_of_group(contacts["is_duplicate"], contacts["cluster"])
    return {
        "n": n,
        "clusters": int(contacts["suggested_survivor"].sum()),
        "duplicates": count,
        **share_with_interval("duplicate", count, n, effective),
        "small": n < SMALL,
    }
