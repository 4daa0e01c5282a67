"""Whether an email address and a phone number can be right: by their rules, without asking anybody.

email-validator and phonenumbers know the rules. Asked for each row they take 20 seconds for a million, so
what is plain is judged first by array operations that give the very same answer; they are asked for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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
_LABEL = r"[a-zA-Z0-9](?:-?[a-zA-Z0-9])*"  # never two dashes in a row: such a name may be an encoded one
_PLAIN = rf"^{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[a-zA-Z][a-zA-Z]+$"
_PLAIN_LENGTH = 64  # then no part of it can be too long
_NO_DOMAIN = r'^[^"<>@]*@[a-zA-Z0-9-]*$'
_EMAIL_SHAPE = r"^[^@\s]+@[^@\s]+\.[^@\s.]+$"


def valid_email(emails: pd.Series) -> pd.Series:
    """Whether each address can be right, without a look-up; null is not. Blanks around it do not matter.

    Without the extra ``dedupe`` it goes by the address's shape, and a remark says so.
    """
    texts = _arrow(emails)
    try:
        library = import_extra("email_validator", "dedupe", "to check email addresses")
    except MissingExtra:
        _by_shape("email addresses", "name@domain.ending")
        return pd.Series(matches(texts, _EMAIL_SHAPE), index=emails.index)
    special = "|".join(re.escape(name) for name in library.SPECIAL_USE_DOMAIN_NAMES)
    short = _mask(pc.less_equal(pc.utf8_length(texts), _PLAIN_LENGTH))
    valid = matches(texts, _PLAIN) & short & ~matches(texts, rf"(?i)[@.](?:{special})$")
    wrong = ~_mask(pc.match_substring(texts, "@")) | matches(texts, _NO_DOMAIN)
    open_ = np.flatnonzero(~valid & ~wrong)
    valid[open_] = _each(texts.take(pa.array(open_)), lambda text: _email_is_valid(library, text))
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
    """Whether each number can be right; null is not. *regions*: the country of one that names none, as "US".

    Without the extra ``dedupe`` it goes by the number's shape, and a remark says so.
    """
    texts = _arrow(phones)
    try:
        library = import_extra("phonenumbers", "dedupe", "to check phone numbers")
    except MissingExtra:
        _by_shape("phone numbers", "8 to 15 digits")
        digits = pc.replace_substring_regex(texts, r"[^0-9]", "")
        shaped = matches(digits, r"^[0-9]{8,15}$") & matches(texts, _PHONE_SHAPE)
        return pd.Series(shaped, index=phones.index)
    known = regions.where(regions.isin(list(library.SUPPORTED_REGIONS)))
    texts = _american(texts, known.isin(_regions(library, 1)).to_numpy(dtype=bool))
    valid = np.zeros(len(phones), dtype=bool)
    decided = matches(texts, r"^$") | _mask(pc.is_null(texts))
    numbers = np.flatnonzero(matches(texts, _E164))
    yes, sure = _international(library, pc.utf8_slice_codeunits(texts.take(pa.array(numbers)), 1))
    valid[numbers], decided[numbers] = yes, sure
    rest = np.flatnonzero(~decided)
    asked = known.iloc[rest].fillna("").astype("object").tolist()
    pairs = list(zip(texts.take(pa.array(rest)).to_pylist(), asked, strict=True))
    answers = {pair: _phone_is_valid(library, *pair) for pair in dict.fromkeys(pairs)}
    valid[rest] = [answers[pair] for pair in pairs]
    return pd.Series(valid, index=phones.index)


def _phone_is_valid(library: Any, text: str, region: str) -> bool:
    try:
        return bool(library.is_valid_number(library.parse(text, region or None)))
    except library.NumberParseException:
        return False


def _american(texts: Any, here: Mask) -> Any:
    """The texts, with +1 and ten digits in the place of the ways in which North America writes a number."""
    plain = here & matches(texts, _AMERICAN)
    if not plain.any():
        return texts
    return pc.if_else(pa.array(plain), pc.replace_substring_regex(texts, _AMERICAN, r"+1\1\2\3\4"), texts)


def _international(library: Any, digits: Any) -> tuple[Mask, Mask]:
    """Of numbers with their country's code: which are valid, and of which that is sure.

    A country's own numbers are told by regular expressions over their digits. The library first takes off a
    prefix for calls within the country: a number that begins so is left to it.
    """
    valid, sure = np.zeros(len(digits), dtype=bool), np.zeros(len(digits), dtype=bool)
    codes = np.zeros(len(digits), dtype="int64")
    for length in (1, 2, 3):
        heads = pc.utf8_slice_codeunits(digits, 0, length).cast(pa.int64())
        heads = heads.to_numpy(zero_copy_only=False) if isinstance(heads, pa.Array) else heads.to_numpy()
        here = (codes == 0) & np.isin(heads, [c for c in library.COUNTRY_CODE_TO_REGION_CODE if c < 10**length])
        codes[here] = heads[here]
    for code in np.unique(codes).tolist():
        regions = _regions(library, code)
        if not regions or "001" in regions:  # no country, or none in particular
            continue
        rows = np.flatnonzero(codes == code)
        national = pc.utf8_slice_codeunits(digits.take(pa.array(rows)), len(str(code)))
        metadata = [library.PhoneMetadata.metadata_for_region(region, None) for region in regions]
        try:
            typed = _in_a_region(national, metadata)
            prefix = metadata[0].national_prefix_for_parsing
            begins = matches(national, f"^(?:{prefix})") if prefix else np.zeros(len(rows), dtype=bool)
        except pa.ArrowInvalid:  # an expression that Arrow does not know
            continue
        valid[rows], sure[rows] = typed, ~begins & matches(national, "^[0-9]{4,17}$")
    return valid, sure


def _regions(library: Any, code: int) -> tuple[str, ...]:
    return tuple(library.COUNTRY_CODE_TO_REGION_CODE.get(code, ()))


def _in_a_region(national: Any, metadata: list[Any]) -> Mask:
    """Whether each number is one of the first region that claims it: by its first digits, or by all of them."""
    valid, claimed = np.zeros(len(national), dtype=bool), np.zeros(len(national), dtype=bool)
    for one in metadata:
        left = np.flatnonzero(~claimed)
        if not len(left):
            break
        numbers = national.take(pa.array(left))
        if len(metadata) > 1 and one.leading_digits is not None:
            begins = np.flatnonzero(matches(numbers, f"^(?:{one.leading_digits})"))
            valid[left[begins]] = _of_a_type(numbers.take(pa.array(begins)), one)
            claimed[left[begins]] = True
        else:
            typed = _of_a_type(numbers, one)
            valid[left[typed]] = claimed[left[typed]] = True
    return valid


def _of_a_type(national: Any, region: Any) -> Mask:
    """Whether each number is a landline, a mobile or another kind of number that the region has."""
    kinds = [region.fixed_line, region.toll_free, region.premium_rate, region.shared_cost, region.voip]
    kinds += [region.personal_number, region.pager, region.uan, region.voicemail]
    kinds += [] if region.same_mobile_and_fixed_line_pattern else [region.mobile]
    typed = np.zeros(len(national), dtype=bool)
    left = np.flatnonzero(_fits(national, region.general_desc))
    for kind in kinds:
        fits = _fits(national.take(pa.array(left)), kind)
        typed[left[fits]] = True
        left = left[~fits]
    return typed


def _fits(national: Any, kind: Any) -> Mask:
    if kind is None or not kind.national_number_pattern or not len(national):
        return np.zeros(len(national), dtype=bool)
    fits = matches(national, f"^(?:{kind.national_number_pattern})$")
    if kind.possible_length:
        fits &= np.isin(_numpy(pc.utf8_length(national)), kind.possible_length)
    return fits


# ---- arrays of texts


def _arrow(column: pd.Series) -> Any:
    """The column as Arrow texts, without blanks around them."""
    array = pa.array(column.astype(TEXT.dtype), type=pa.large_string(), from_pandas=True)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return pc.utf8_trim_whitespace(array)


def matches(texts: Any, pattern: str) -> Mask:
    """Whether each of these Arrow texts holds what *pattern* describes; null does not."""
    return _mask(pc.match_substring_regex(texts, pattern))


def _mask(answers: Any) -> Mask:
    return np.asarray(_numpy(pc.fill_null(answers, False)), dtype=bool)


def _numpy(array: Any) -> Any:
    return array.to_numpy(zero_copy_only=False)


def _each(texts: Any, answer: Any) -> Mask:
    """The answer for each text, asked once for each that differs."""
    coded = texts.dictionary_encode()
    answers: Iterable[bool] = [answer(text) for text in coded.dictionary.to_pylist()]
    return np.asarray(list(answers), dtype=bool)[_numpy(coded.indices)] if len(texts) else np.zeros(0, dtype=bool)


def _by_shape(what: str, shape: str) -> None:
    remark(f"Without hlkit[dedupe], {what} are judged by their shape alone ({shape}): more than are right pass.")
