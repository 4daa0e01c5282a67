"""Contact quality: each contact with six checks of its fields, and whether it can be reached."""

from __future__ import annotations

import pandas as pd

from hlkit.analysis.contacts.contact_checks import VALID_DEFINITION, check_contacts
from hlkit.analysis.core.charts import CountBars
from hlkit.analysis.core.contact_names import contact_links, contact_names
from hlkit.analysis.core.groups import column_or_nulls, require_columns
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import as_mask
from hlkit.client.links import APP_URL
from hlkit.client.schema import FLAG, ID, LINK, SHARE, TEXT
from hlkit.client.text import many

CHECKS = ("valid_email", "valid_phone", "has_name", "has_owner", "has_source", "has_country")


def complete_and_reachable(table: pd.DataFrame) -> str:
    """How many contacts can be reached at all, and how many pass all checks."""
    reachable, complete = int(as_mask(table["reachable"]).sum()), int((table["score"] == 1).sum())
    return (
        f"{reachable:,} of {many(len(table), 'contact')} can be reached by email, SMS or phone; "
        f"{complete:,} {'passes' if complete == 1 else 'pass'} all six checks."
    )


def checks_passed(table: pd.DataFrame) -> pd.Series:
    """The number of checks that each contact passes, as a name: 5 of 6."""
    return (table["score"] * len(CHECKS)).round().astype(int).astype(str) + f" of {len(CHECKS)}"


COLUMNS = {
    "name": TEXT,
    "link": LINK,
    "score": SHARE,
    "reachable": FLAG,
    "has_email": FLAG,
    "valid_email": FLAG,
    "email_blocked": FLAG,
    "has_phone": FLAG,
    "valid_phone": FLAG,
    "sms_blocked": FLAG,
    "call_blocked": FLAG,
    "has_name": FLAG,
    "has_owner": FLAG,
    "has_source": FLAG,
    "has_country": FLAG,
    "owner_id": ID,
    "contact_id": ID,
}


@analysis(
    "Which contacts have incomplete or invalid details?",
    columns=COLUMNS,
    chart=CountBars(checks_passed, "contacts by the checks they pass", order="names"),
    headline=complete_and_reachable,
    definition=(
        f"{VALID_DEFINITION} The score of a contact is the share of six checks that it passes: valid email, valid "
        "phone, name, owner, source, country."
    ),
    noun="contacts",
)
def contact_quality(
    contacts: pd.DataFrame,
    *,
    country: str | None = None,
    location_id: str | None = None,
    app_url: str = APP_URL,
) -> pd.DataFrame:
    """Each contact with the checks that it passes, those that pass the fewest first.

    Needs the extra ``dedupe``. Without it, only the shape of emails and phone numbers is checked, with a remark.

    Parameters
    ----------
    contacts
        One row per contact: contact_id; optional email, phone, do_not_disturb and its columns by channel, name,
        first_name, last_name, owner_id, source and country.
    country
        The two-letter country of phone numbers without a country code, for contacts without a country.

    Returns
    -------
    One row per contact, the lowest ``score`` first: ``name``, ``link`` (to the contact in HighLevel), ``score`` (the
    share of six checks that it passes), ``reachable`` (by any channel), ``has_``, ``valid_`` and ``_blocked`` flags
    of its email and phone, ``has_name``, ``has_owner``, ``has_source``, ``has_country``, ``owner_id`` and
    ``contact_id``.

    Raises
    ------
    MissingColumn

    Source: E.164 and its national plans as in Google's libphonenumber; RFC 5321 and 5322 as in email-validator;
    "Do not disturb" in HighLevel's help, article 48001215386.
    """
    require_columns(contacts, "contact_id")
    checks = check_contacts(contacts, country)
    table = checks.assign(
        name=contact_names(contacts),
        link=contact_links(contacts["contact_id"], location_id, app_url),
        score=checks[list(CHECKS)].mean(axis=1),
        reachable=checks[["reachable_by_email", "reachable_by_sms", "reachable_by_call"]].any(axis=1),
        owner_id=column_or_nulls(contacts, "owner_id"),
        contact_id=contacts["contact_id"],
    )
    return table[list(COLUMNS)].sort_values(["score", "contact_id"], kind="stable")
