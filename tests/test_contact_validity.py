"""Whether emails and phone numbers are valid: by the libraries that define the rules, and by shape without them."""

import email_validator
import numpy as np
import pandas as pd
import phonenumbers
import pytest

from hlkit.analysis.people import contact_validity
from hlkit.analysis.people.contact_validity import valid_email, valid_phone
from hlkit.client.errors import MissingExtra
from hlkit.client.schema import TEXT


def texts(values):
    return pd.Series(list(values), dtype="object").astype(TEXT.dtype)


def email_is_valid(text):
    return valid_email(texts([text])).tolist() == [True]


def phone_is_valid(text, region=None):
    return valid_phone(texts([text]), texts([region])).tolist() == [True]


def phone_by_library(text, region=None):
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, region))
    except phonenumbers.NumberParseException:
        return False


def test_null_and_blank_values_are_not_valid():
    blank = texts([None, "", "  "])

    assert valid_email(blank).tolist() == [False] * 3
    assert valid_phone(blank, texts(["US"] * 3)).tolist() == [False] * 3
    assert len(valid_email(texts([]))) == len(valid_phone(texts([]), texts([]))) == 0


def test_surrounding_spaces_do_not_matter():
    assert valid_email(texts([" ann@example.com\n"])).all()
    assert valid_phone(texts([" +13125550101 "]), texts([None])).all()


def test_results_have_the_index_of_the_values():
    values = pd.Series(["ann@example.com", "no"], index=[7, 3])

    assert valid_email(values).to_dict() == {7: True, 3: False}
    assert valid_phone(values, pd.Series(["US", "US"], index=[7, 3])).to_dict() == {7: False, 3: False}


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.com",
        "Ann.Berg+web@mail.example.co.uk",
        "o'neil@example.com",
        "ann@bücher.example.com",
        "jürgen@example.com",
    ],
)
def test_a_common_email_is_valid(text):
    assert email_is_valid(text)


@pytest.mark.parametrize(
    "text",
    [
        "no-at-sign",
        "ann@example",
        "ann@@example.com",
        "ann@.com",
        "ann..berg@example.com",
        "ann berg@example.com",
        "Ann <ann@example.com>",
        '"ann berg"@example.com',
        "ann@-example.com",
        "ann@TEST",
        "ann@sub.LOCAL",
        "ann@1.2.3.4",
        f"ann@{'a.' * 130}com",
        f"ann@{'a' * 64}.com",
    ],
)
def test_an_address_against_the_rules_is_not_valid(text):
    assert not email_is_valid(text)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("+13125550101", None),
        ("+1 (312) 555-0101", None),
        ("(312) 555-0101", "US"),
        ("312.555.0101", "US"),
        ("1-312-555-0101", "US"),
        ("+442079460018", "US"),
        ("020 7946 0018", "GB"),
        ("+493055501010", "US"),
        ("+390612345678", "IT"),
        ("3251234", "BS"),
        ("+1-800-FLOWERS", "US"),
    ],
)
def test_a_number_of_its_country_is_valid(text, region):
    assert phone_is_valid(text, region)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("(312) 555-0101", None),
        ("(312) 555-0101", "??"),
        ("020 7946 0018", "US"),
        ("+131255501", "US"),
        ("+441632960001", "US"),
        ("5550101", "US"),
        ("call me", "US"),
        ("+", "US"),
    ],
)
def test_a_number_of_no_plan_or_without_its_country_is_not_valid(text, region):
    assert not phone_is_valid(text, region)


def test_examples_of_every_country_are_judged_by_its_plan():
    rng = np.random.default_rng(1)
    numbers = []
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        for region in regions:
            metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(code, region)
            kinds = filter(None, (metadata.fixed_line, metadata.mobile, metadata.toll_free))
            examples = [kind.example_number for kind in kinds if kind.example_number]
            for number in examples:
                digits = list(number)
                digits[rng.integers(len(digits))] = str(rng.integers(10))
                numbers += [f"+{code}{number}", f"+{code}{''.join(digits)}"]

    valid = valid_phone(texts(numbers), texts([None] * len(numbers)))

    assert valid[::2].all()
    assert valid.tolist() == [phone_by_library(number) for number in numbers]
    assert 0.2 < valid[1::2].mean() < 0.99


def test_each_distinct_value_is_checked_once(monkeypatch):
    calls = []

    def validate_email(text, **_):
        calls.append(text)

    def parse(text, region):
        calls.append((text, region))
        raise phonenumbers.NumberParseException(0, "")

    monkeypatch.setattr(email_validator, "validate_email", validate_email)
    monkeypatch.setattr(phonenumbers, "parse", parse)

    valid_email(texts(["a@example.com", "b@example.com", " a@example.com", "a@example.com"]))
    assert calls == ["a@example.com", "b@example.com"]

    calls.clear()
    valid_phone(texts(["312", "312", "312 "]), texts(["US", "GB", "US"]))
    assert sorted(calls) == [("312", "GB"), ("312", "US")]


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
