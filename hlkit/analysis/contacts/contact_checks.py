"""The checks of each contact: has it a valid, unblocked email and phone, a name, an owner, a source, a country."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.groups import column_or_nulls, import_extra
from hlkit.analysis.core.run_log import as_mask, remark
from hlkit.analysis.people.contact_validity import valid_email, valid_phone
from hlkit.client.errors import MissingExtra
from hlkit.client.schema import FLAG

# Each channel with its name and the field that has its address.
CHANNELS = {"email": ("email", "email"), "sms": ("SMS", "phone"), "call": ("phone", "phone")}
VALID_DEFINITION = (
    "An email address or phone number is valid if it follows the rules of addresses and numbering plans. Whether it "
    "is in use is not checked, landlines are not distinguished from mobiles, and an address that HighLevel marked as "
    "invalid is not valid. A number without a country code is read as one of the contact's country, or else of the "
    "location's. A channel is blocked by do not disturb, on all channels or on this one, temporarily or permanently. "
    "A contact is reachable by a channel that is valid and not blocked."
)
_BLOCKED = ("active", "permanent")  # do-not-disturb statuses
_OTHERS = ("owner_id", "source", "country")


def check_contacts(contacts: pd.DataFrame, country: str | None) -> pd.DataFrame:
    """For each contact which fields it has, which are valid, which channels are blocked and which reach it.

    *country* is the country of phone numbers without a country code, for contacts without a country.
    """
    email, phone = column_or_nulls(contacts, "email"), column_or_nulls(contacts, "phone")
    names = pd.DataFrame(
        {name: is_filled(column_or_nulls(contacts, name)) for name in ("name", "first_name", "last_name")}
    )
    # Null if HighLevel has not checked the address.
    marked_invalid = column_or_nulls(contacts, "is_valid_email", FLAG).eq(False)
    checks = pd.DataFrame(
        {
            "has_email": is_filled(email),
            "has_phone": is_filled(phone),
            "has_name": names.any(axis=1),
            **{f"has_{name.removesuffix('_id')}": is_filled(column_or_nulls(contacts, name)) for name in _OTHERS},
            "valid_email": valid_email(email) & ~as_mask(marked_invalid),
            "valid_phone": valid_phone(phone, _regions(contacts, country)),
        }
    )
    all_blocked = as_mask(column_or_nulls(contacts, "do_not_disturb", FLAG))
    for channel, (_, address) in CHANNELS.items():
        status = column_or_nulls(contacts, f"{channel}_do_not_disturb").str.lower()
        checks[f"{channel}_blocked"] = all_blocked | status.isin(_BLOCKED)
        checks[f"reachable_by_{channel}"] = checks[f"valid_{address}"] & ~checks[f"{channel}_blocked"]
    return checks


def _regions(contacts: pd.DataFrame, country: str | None) -> pd.Series:
    """The country of each contact as two letters, else the location's."""
    regions = column_or_nulls(contacts, "country").str.strip().str.upper()
    return regions.where(regions.str.len() == 2, _default_region(country))


def _default_region(country: str | None) -> str | None:
    """*country* as a region of phonenumbers; None, with a remark, if it is not one."""
    code = (country or "").strip().upper()
    try:
        regions = import_extra("phonenumbers", "dedupe", "to check phone numbers").SUPPORTED_REGIONS
    except MissingExtra:
        return None
    if code in regions:
        return code
    reason = f"{country!r} is not a two-letter country code" if code else "the location's country is unknown"
    remark(f"Because {reason}, a number without a country code is valid only if its contact has a country.")
    return None


def rows_by_channel(contacts: pd.DataFrame, checks: pd.DataFrame) -> pd.DataFrame:
    """One row per channel and contact, all contacts of one channel after the other."""
    parts = [
        pd.DataFrame(
            {
                "channel": channel,
                "is_reachable": checks[f"reachable_by_{channel}"],
                "has_address": checks[f"has_{address}"],
                "is_valid": checks[f"valid_{address}"],
                "is_blocked": checks[f"{channel}_blocked"],
                "owner_id": column_or_nulls(contacts, "owner_id"),
                "contact_id": contacts["contact_id"],
            }
        )
        for channel, (_, address) in CHANNELS.items()
    ]
    return pd.concat(parts)


def is_filled(column: pd.Series) -> pd.Series:
    """Whether each value is not null, blank or an empty list."""
    if isinstance(column.dtype, pd.StringDtype):
        return column.str.strip().fillna("").ne("").astype(bool)
    if column.dtype != object:
        return column.notna()
    filled = np.fromiter((_has_content(value) for value in column), dtype=bool, count=len(column))
    return pd.Series(filled, index=column.index)


def _has_content(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    if isinstance(value, (list, tuple, set, dict, np.ndarray)):
        return len(value) > 0
    return not pd.isna(value)
