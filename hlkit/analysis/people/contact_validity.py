"""Whether email addresses and phone numbers are valid by their format; nothing is sent and nothing is looked up.

The libraries email-validator and phonenumbers decide, with one call for each distinct value.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from hlkit.analysis.core.groups import import_extra
from hlkit.analysis.core.run_log import remark
from hlkit.client.errors import MissingExtra
from hlkit.client.schema import TEXT

_EMAIL_SHAPE = r"^[^@\s]+@[^@\s]+\.[^@\s.]+$"
_PHONE_SHAPE = r"^\+?[0-9(][0-9() ./-]*$"


def valid_email(emails: pd.Series) -> pd.Series:
    """Whether each address is valid, without a DNS lookup; null is not valid, and surrounding spaces do not matter.

    Without the extra ``dedupe`` only the shape of the address is checked, and a remark says so.
    """
    texts = emails.astype(TEXT.dtype).str.strip()
    try:
        library = import_extra("email_validator", "dedupe", "to check email addresses")
    except MissingExtra:
        _remark_on_shape("email addresses", "name@domain.ending")
        return texts.str.contains(_EMAIL_SHAPE, na=False).astype(bool)
    return texts.isin([text for text in texts.dropna().unique() if _email_is_valid(library, text)])


def _email_is_valid(library: Any, text: str) -> bool:
    try:
        library.validate_email(text, check_deliverability=False)
    except library.EmailNotValidError:
        return False
    return True


def valid_phone(phones: pd.Series, regions: pd.Series) -> pd.Series:
    """Whether each number is valid; null is not. *regions* has the country, such as "US", of numbers without a code.

    Without the extra ``dedupe`` only the shape of the number is checked, and a remark says so.
    """
    texts = phones.astype(TEXT.dtype).str.strip()
    try:
        library = import_extra("phonenumbers", "dedupe", "to check phone numbers")
    except MissingExtra:
        _remark_on_shape("phone numbers", "8 to 15 digits")
        has_digits = texts.str.count("[0-9]").between(8, 15)
        return has_digits.eq(True) & texts.str.contains(_PHONE_SHAPE, na=False).astype(bool)
    numbers = list(zip(texts.fillna(""), regions.fillna(""), strict=True))
    results = {number: _phone_is_valid(library, *number) for number in set(numbers)}
    return pd.Series([results[number] for number in numbers], index=phones.index, dtype=bool)


def _phone_is_valid(library: Any, text: str, region: str) -> bool:
    try:
        return bool(library.is_valid_number(library.parse(text, region or None)))
    except library.NumberParseException:
        return False


def _remark_on_shape(values: str, shape: str) -> None:
    remark(f"Without hlkit[dedupe], only the shape of {values} is checked ({shape}), so some invalid ones pass.")
