"""The array checks of emails and phone numbers, compared with the libraries that define the rules."""

import email_validator
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import phonenumbers
import pytest
from hypothesis import example, given, settings

from hlkit.analysis.people import contact_validity
from hlkit.analysis.people.contact_validity import valid_email, valid_phone
from hlkit.client.errors import MissingExtra
from hlkit.client.schema import TEXT


def texts(values):
    return pd.Series(list(values), dtype="object").astype(TEXT.dtype)


def email_by_library(text):
    try:
        email_validator.validate_email(text, check_deliverability=False)
    except email_validator.EmailNotValidError:
        return False
    return True


def phone_by_library(text, region):
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, region))
    except phonenumbers.NumberParseException:
        return False


def forbid_libraries(monkeypatch):
    """Fails the test if a library is called: the array operations must decide."""
    monkeypatch.setattr(contact_validity, "_email_is_valid", lambda library, text: pytest.fail(f"called for {text}"))
    monkeypatch.setattr(
        contact_validity, "_phone_is_valid", lambda library, *phone: pytest.fail(f"called for {phone}")
    )


def test_null_and_blank_values_are_not_valid():
    blank = texts([None, "", "  "])

    assert valid_email(blank).tolist() == [False] * 3
    assert valid_phone(blank, texts(["US"] * 3)).tolist() == [False] * 3
    assert len(valid_email(texts([]))) == len(valid_phone(texts([]), texts([]))) == 0


def test_surrounding_spaces_do_not_matter():
    assert valid_email(texts([" ann@example.com\n"])).all()
    assert valid_phone(texts([" +13125550101 "]), texts([None])).all()


def test_common_formats_are_decided_without_the_libraries(monkeypatch):
    forbid_libraries(monkeypatch)

    emails = texts(["ann@example.com", "Ann.Berg+web@mail.example.co.uk", "no-at-sign", "ann@example"])
    assert valid_email(emails).tolist() == [True, True, False, False]

    phones = texts(["+13125550101", "+131255501", "(312) 555-0101", "312.555.0101", "+441632960001", "+493055501010"])
    assert valid_phone(phones, texts(["US"] * 6)).tolist() == [True, False, True, True, False, True]


_LETTERS = "abzXY019.-_+'~@ \"<>()[]\\,:;éß日＠\u0338\u200f"
_ENDINGS = ["example.com", "example", "mail.example.org", "x.test", "a.b", "1.2.3.4", "xn--bcher-kva.example.com"]
_ENDINGS += ["ab--c.example.com", "bücher.example.com", "localhost", "y.onion", "-a.example.com", "a-.example.com"]


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(
        st.text(_LETTERS, max_size=12),
        st.builds("{}@{}".format, st.text(_LETTERS, max_size=8), st.text(_LETTERS, max_size=12)),
        st.builds("{}@{}".format, st.text("ab.-+", max_size=70), st.sampled_from(_ENDINGS)),
        st.builds("a@{}.{}".format, st.text("ab-", max_size=70), st.sampled_from(_ENDINGS)),
        st.emails(),
    ).map(str.strip)
)
@example("a@b.c")
@example("Ann <ann@example.com>")
@example('"ann berg"@example.com')
@example("ann@example.com\u0338")
@example("ann@TEST")
@example("ann@sub.LOCAL")
@example("a@b@example.com")
def test_an_email_is_valid_if_the_library_accepts_it(text):
    assert valid_email(texts([text])).tolist() == [email_by_library(text)]


def test_numbers_of_every_country_are_valid_if_the_library_accepts_them():
    rng = np.random.default_rng(1)
    numbers = []
    for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]:
            metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(code, region)
            types = (metadata.fixed_line, metadata.mobile, metadata.toll_free)
            examples = [kind.example_number for kind in types if kind is not None]
            for number in filter(None, examples):
                numbers.append(f"+{code}{number}")
                for _ in range(6):  # and similar numbers
                    digits = list(number)
                    digits[rng.integers(len(digits))] = str(rng.integers(10))
                    numbers.append(f"+{code}{''.join(digits)}"[: rng.choice([20, 20, 20, 9])])
    numbers += [f"+{rng.integers(10**9, 10**12)}" for _ in range(500)]
    numbers += [f"+1{rng.integers(10**9, 10**10)}" for _ in range(1500)]

    valid = valid_phone(texts(numbers), texts([None] * len(numbers)))

    expected = [phone_by_library(number, None) for number in numbers]
    wrong = [number for number, ours, theirs in zip(numbers, valid, expected, strict=True) if ours != theirs]
    assert not wrong
    assert 0.2 < np.mean(expected) < 0.9


@settings(max_examples=300, deadline=None)
@given(
    region=st.sampled_from(["US", "CA", "BS", "PR", "DO", "GB", "DE", "IT", "AR", "BR", "??", None]),
    number=st.one_of(
        st.text("0123456789+-() .x#*٣ext", max_size=16),
        st.builds("{}{}".format, st.sampled_from(["", "+", "00", "0", "+1", "1"]), st.integers(0, 10**13)),
        st.from_regex(r"\A(\+?1[-. ]?)?\(?[2-9][0-9]{2}\)?[-. ]?[0-9]{3}[-. ]?[0-9]{4}\Z"),
    ).map(str.strip),
)
@example("US", "5550101")
@example("BS", "3251234")
@example(None, "+1 (312) 555-0101")
@example("US", "+1-800-MICROSOFT")
@example("IT", "+390612345678")
@example("US", "+")
def test_a_number_is_valid_if_the_library_accepts_it(region, number):
    supported = region if region in phonenumbers.SUPPORTED_REGIONS else None

    assert valid_phone(texts([number]), texts([region])).tolist() == [phone_by_library(number, supported)]


def test_real_contact_data_of_ten_countries_is_valid():
    peeps = pytest.importorskip(
        "great_tables", reason="oracles run beside the lowest versions: uv pip install --group oracles"
    ).data.peeps
    iso = {"USA": "US", "BEL": "BE", "POL": "PL", "GBR": "GB", "DNK": "DK", "NZL": "NZ", "SVN": "SI"}
    iso |= {"CAN": "CA", "DEU": "DE", "AUS": "AU"}
    regions = texts(peeps["country"].map(iso))

    assert regions.notna().all()
    assert regions.nunique() == 10
    assert valid_email(texts(peeps["email_addr"])).all()
    assert valid_phone(texts(peeps["phone_number"]), regions).all()
    assert len(peeps) == 100


def test_without_the_libraries_the_shape_is_checked(monkeypatch):
    def missing(*_):
        raise MissingExtra("it is not installed", hint='pip install "hlkit[dedupe]"')

    monkeypatch.setattr(contact_validity, "import_extra", missing)

    emails = texts(["ann@example.com", "ann@example", "ann berg@example.com", "ann", None])
    assert valid_email(emails).tolist() == [True, False, False, False, False]
    phones = texts(["+13125550101", "(312) 555-0101", "12", "none", "+1312555010112345", None])
    assert valid_phone(phones, texts(["US"] * 6)).tolist() == [True, True, False, False, False, False]
