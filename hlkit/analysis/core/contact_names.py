"""Names of contacts and deals, and links to them, which lists of people and deals begin with."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from hlkit.analysis.core.groups import column_or_nulls, map_keys
from hlkit.client.links import contact_url
from hlkit.client.schema import TEXT


def contact_names(contacts: pd.DataFrame) -> pd.Series:
    """First and last name, else the full name, the company, the email or the phone; null if there is none."""
    first, last = (column_or_nulls(contacts, name).fillna("").str.strip() for name in ("first_name", "last_name"))
    return _or_first(first + " " + last, contacts, ("name", "company_name", "email", "phone"))


def names_by_contact(contacts: pd.DataFrame | None, contact_ids: pd.Series) -> pd.Series:
    """The name of the contact of each of *contact_ids*; null if it is not among *contacts*."""
    if contacts is None or not len(contacts):
        return _nulls(contact_ids)
    has_id = contacts["contact_id"].notna()
    names = contact_names(contacts)[has_id].set_axis(pd.Index(contacts["contact_id"][has_id]))
    return map_keys(contact_ids, names)


def deal_names(opportunities: pd.DataFrame) -> pd.Series:
    """The name of each deal, else the name, the company, the email or the phone of its contact; null without any."""
    contact = ("contact_name", "contact_company_name", "contact_email", "contact_phone")
    return _or_first(column_or_nulls(opportunities, "name"), opportunities, contact)


def _or_first(names: pd.Series, frame: pd.DataFrame, columns: Iterable[str]) -> pd.Series:
    """*names*, and where one is blank, the first of *columns* that is not; null if all are blank."""
    names = names.str.strip()
    for column in columns:
        names = names.where(names.fillna("") != "", column_or_nulls(frame, column).str.strip())
    out: pd.Series = names.where(names.fillna("") != "").astype(TEXT.dtype)
    return out


def contact_links(contact_ids: pd.Series, location_id: str | None, app_url: str) -> pd.Series:
    """The address of each contact in HighLevel's web app; null without a *location_id*."""
    if location_id is None:
        return _nulls(contact_ids)
    links = contact_ids.map(lambda key: contact_url(location_id, str(key), app_url), na_action="ignore")
    out: pd.Series = links.astype(TEXT.dtype)
    return out


def _nulls(like: pd.Series) -> pd.Series:
    nulls: pd.Series = pd.Series(None, index=like.index, dtype=TEXT.dtype)
    return nulls
