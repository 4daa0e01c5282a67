"""Whether email addresses and phone numbers are valid by their format; nothing is sent and nothing is looked up.

The libraries email-validator and phonenumbers define the rules. A million calls of them take 20 seconds, so array
operations decide the common cases first, with the same result, and the libraries decide the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hlkit.analysis.core.groups import import_extra
from hlkit.analysis.core.run_log import remark
from hlkit.client.errors import MissingExtra
from hlkit.client.schema import TEXT

Mask = npt.NDArray[np.bool_]

# ---- email

_ATOM = r"[a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~]+"
_LABEL = r"[a-zA-Z0-9](?:-?[a-zA-Z0-9])*"  # "xn--" may begin an encoded name: left to the library
_PLAIN = rf"^{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[a-zA-Z][a-zA-Z]+$"
_PLAIN_LENGTH = 64  # no part of a shorter address can be too long
_NO_DOMAIN = r'^[^"<>@]*@[a-zA-Z0-9-]*$'
_EMAIL_SHAPE = r"^[^@\s]+@[^@\s]+\.[^@\s.]+$"


def valid_email(emails: pd.Series) -> pd.Series:
    """Whether each address is valid, without a DNS lookup; null is not valid, and surrounding spaces do not matter.

    Without the extra ``dedupe`` only the shape of the address is checked, and a remark says so.
    """
    texts = _arrow(emails)
    try:
        library = import_extra("email_validator", "dedupe", "to check email addresses")
    except MissingExtra:
        _remark_on_shape("email addresses", "name@domain.ending")
        return pd.Series(matches(texts, _EMAIL_SHAPE), index=emails.index)
    special = "|".join(re.escape(name) for name in library.SPECIAL_USE_DOMAIN_NAMES)
    short = _mask(pc.less_equal(pc.utf8_length(texts), _PLAIN_LENGTH))
    valid = matches(texts, _PLAIN) & short & ~matches(texts, rf"(?i)[@.](?:{special})$")
    invalid = ~_mask(pc.match_substring(texts, "@")) | matches(texts, _NO_DOMAIN)
    undecided = np.flatnonzero(~valid & ~invalid)
    valid[undecided] = _map_distinct(texts.take(pa.array(undecided)), lambda text: _email_is_valid(library, text))
    return pd.Series(valid, index=emails.index)


def _email_is_valid(library: Any, text: str) -> bool:
    try:
        library.validate_email(text, check_deliverability=False)
    except library.EmailNotValidError:
        return False
    return True


# ---- phone

_E164 = r"^\+[1-9][0-9]{6,16}$"
_AMERICAN = r"^(?:\+?1[-. ]?)?(?:\(([2-9][0-9]{2})\) ?|([2-9][0-9]{2})[-. ]?)([0-9]{3})[-. ]?([0-9]{4})$"
_PHONE_SHAPE = r"^\+?[0-9(][0-9() ./-]*$"


def valid_phone(phones: pd.Series, regions: pd.Series) -> pd.Series:
    """Whether each number is valid; null is not. *regions* has the country, such as "US", of numbers without a code.

    Without the extra ``dedupe`` only the shape of the number is checked, and a remark says so.
    """
    texts = _arrow(phones)
    try:
        library = import_extra("phonenumbers", "dedupe", "to check phone numbers")
    except MissingExtra:
        _remark_on_shape("phone numbers", "8 to 15 digits")
        digits = pc.replace_substring_regex(texts, r"[^0-9]", "")
        shaped = matches(digits, r"^[0-9]{8,15}$") & matches(texts, _PHONE_SHAPE)
        return pd.Series(shaped, index=phones.index)
    regions = regions.where(regions.isin(list(library.SUPPORTED_REGIONS)))
    texts = _with_us_code(texts, regions.isin(_regions(library, 1)).to_numpy(dtype=bool))
    valid = np.zeros(len(phones), dtype=bool)
    is_decided = matches(texts, r"^$") | _mask(pc.is_null(texts))
    international = np.flatnonzero(matches(texts, _E164))
    digits = pc.utf8_slice_codeunits(texts.take(pa.array(international)), 1)
    valid[international], is_decided[international] = _check_international(library, digits)
    undecided = np.flatnonzero(~is_decided)
    undecided_regions = regions.iloc[undecided].fillna("").astype("object").tolist()
    pairs = list(zip(texts.take(pa.array(undecided)).to_pylist(), undecided_regions, strict=True))
    results = {pair: _phone_is_valid(library, *pair) for pair in dict.fromkeys(pairs)}
    valid[undecided] = [results[pair] for pair in pairs]
    return pd.Series(valid, index=phones.index)


def _phone_is_valid(library: Any, text: str, region: str) -> bool:
    try:
        return bool(library.is_valid_number(library.parse(text, region or None)))
    except library.NumberParseException:
        return False


def _with_us_code(texts: Any, is_north_american: Mask) -> Any:
    """The texts, with numbers as they are usually written in North America rewritten as +1 and ten digits."""
    is_plain = is_north_american & matches(texts, _AMERICAN)
    if not is_plain.any():
        return texts
    return pc.if_else(pa.array(is_plain), pc.replace_substring_regex(texts, _AMERICAN, r"+1\1\2\3\4"), texts)


def _check_international(library: Any, digits: Any) -> tuple[Mask, Mask]:
    """Of numbers that start with a country code: whether each is valid, and whether this result is final.

    The library removes a national prefix, such as a leading 0, before it applies a country's regular expressions.
    Numbers that start with such a prefix are left to the library.
    """
    valid, is_final = np.zeros(len(digits), dtype=bool), np.zeros(len(digits), dtype=bool)
    country_codes = np.zeros(len(digits), dtype="int64")
    for length in (1, 2, 3):
        starts = pc.utf8_slice_codeunits(digits, 0, length).cast(pa.int64())
        starts = starts.to_numpy(zero_copy_only=False) if isinstance(starts, pa.Array) else starts.to_numpy()
        assigned = [code for code in library.COUNTRY_CODE_TO_REGION_CODE if code < 10**length]
        has_code = (country_codes == 0) & np.isin(starts, assigned)
        country_codes[has_code] = starts[has_code]
    for code in np.unique(country_codes).tolist():
        regions = _regions(library, code)
        if not regions or "001" in regions:  # unassigned, or not of one country
            continue
        rows = np.flatnonzero(country_codes == code)
        national = pc.utf8_slice_codeunits(digits.take(pa.array(rows)), len(str(code)))
        metadata = [library.PhoneMetadata.metadata_for_region(region, None) for region in regions]
        try:
            is_valid = _valid_in_regions(national, metadata)
            prefix = metadata[0].national_prefix_for_parsing
            has_prefix = matches(national, f"^(?:{prefix})") if prefix else np.zeros(len(rows), dtype=bool)
        except pa.ArrowInvalid:  # a regular expression that Arrow does not support
            continue
        valid[rows], is_final[rows] = is_valid, ~has_prefix & matches(national, "^[0-9]{4,17}$")
    return valid, is_final


def _regions(library: Any, code: int) -> tuple[str, ...]:
    return tuple(library.COUNTRY_CODE_TO_REGION_CODE.get(code, ()))


def _valid_in_regions(national: Any, metadata: list[Any]) -> Mask:
    """Whether each national number is valid in its region, of the regions that share a country code.

    The first region claims a number by its leading digits or, if it has none listed, by a valid number.
    """
    valid, is_claimed = np.zeros(len(national), dtype=bool), np.zeros(len(national), dtype=bool)
    for region in metadata:
        rest = np.flatnonzero(~is_claimed)
        if not len(rest):
            break
        numbers = national.take(pa.array(rest))
        if len(metadata) > 1 and region.leading_digits is not None:
            claimed = np.flatnonzero(matches(numbers, f"^(?:{region.leading_digits})"))
            valid[rest[claimed]] = _valid_in(numbers.take(pa.array(claimed)), region)
            is_claimed[rest[claimed]] = True
        else:
            is_valid = _valid_in(numbers, region)
            valid[rest[is_valid]] = is_claimed[rest[is_valid]] = True
    return valid


def _valid_in(national: Any, region: Any) -> Mask:
    """Whether each national number is a landline, a mobile or another type of number of the region."""
    types = [region.fixed_line, region.toll_free, region.premium_rate, region.shared_cost, region.voip]
    types += [region.personal_number, region.pager, region.uan, region.voicemail]
    types += [] if region.same_mobile_and_fixed_line_pattern else [region.mobile]
    valid = np.zeros(len(national), dtype=bool)
    rest = np.flatnonzero(_is_of_type(national, region.general_desc))
    for number_type in types:
        is_type = _is_of_type(national.take(pa.array(rest)), number_type)
        valid[rest[is_type]] = True
        rest = rest[~is_type]
    return valid


def _is_of_type(national: Any, number_type: Any) -> Mask:
    if number_type is None or not number_type.national_number_pattern or not len(national):
        return np.zeros(len(national), dtype=bool)
    is_type = matches(national, f"^(?:{number_type.national_number_pattern})$")
    if number_type.possible_length:
        is_type &= np.isin(_numpy(pc.utf8_length(national)), number_type.possible_length)
    return is_type


# ---- arrays of texts


def _arrow(column: pd.Series) -> Any:
    """The column as an Arrow array of texts, without surrounding spaces."""
    array = pa.array(column.astype(TEXT.dtype), type=pa.large_string(), from_pandas=True)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return pc.utf8_trim_whitespace(array)


def matches(texts: Any, pattern: str) -> Mask:
    """Whether the regular expression *pattern* matches somewhere in each Arrow text; null does not match."""
    return _mask(pc.match_substring_regex(texts, pattern))


def _mask(values: Any) -> Mask:
    return np.asarray(_numpy(pc.fill_null(values, False)), dtype=bool)


def _numpy(array: Any) -> Any:
    return array.to_numpy(zero_copy_only=False)


def _map_distinct(texts: Any, check: Callable[[str], bool]) -> Mask:
    """The result of *check* for each text; equal texts are checked once."""
    encoded = texts.dictionary_encode()
    results = [check(text) for text in encoded.dictionary.to_pylist()]
    return np.asarray(results, dtype=bool)[_numpy(encoded.indices)] if len(texts) else np.zeros(0, dtype=bool)


def _remark_on_shape(values: str, shape: str) -> None:
    remark(f"Without hlkit[dedupe], only the shape of {values} is checked ({shape}), so some invalid ones pass.")
