"""Duplicate pairs: two contacts and their evidence, by hand."""

import pandas as pd
from matplotlib.figure import Figure

import hlkit as hl
from hlkit.client.schema import TEXT

COLUMNS = ("contact_id", "first_name", "last_name", "email", "phone", "address", "postal_code")


def people(*rows):
    """One contact per row: first name, last name, email, phone, address, postcode."""
    table = pd.DataFrame([(f"c{n}", *row) for n, row in enumerate(rows)], columns=COLUMNS).astype(TEXT.dtype)
    return table.assign(created_at=pd.date_range("2025-01-01", periods=len(rows), tz="UTC"))


TWICE = people(
    ("Ann", "Berg", "ann@example.com", "+13125550101", None, None),
    ("Ann", "Berg", "ann@example.com", "+13125550101", None, None),
    ("Bob", "Dahl", None, "+13125550102", None, None),
    ("Bob", "Dahl", None, "+13125550102", None, None),
    ("Bob", "Dahl", None, "+13125550102", None, None),
)
duplicate_pairs = hl.analyses.duplicate_pairs


def test_each_pair_has_both_people_and_its_evidence():
    table = duplicate_pairs(TWICE, location_id="L1", app_url="https://crm.example.com")

    assert table[["contact_id", "other_contact_id", "cluster", "evidence"]].values.tolist() == [
        ["c2", "c3", 1, "phone"],
        ["c2", "c4", 1, "phone"],
        ["c3", "c4", 1, "phone"],
        ["c0", "c1", 2, "email + phone"],
    ]
    # An email weighs 0.97 and a phone 0.93: 1 - 0.03 x 0.07
    assert table["score"].round(4).tolist() == [0.93, 0.93, 0.93, 0.9979]
    assert list(table.columns)[:4] == ["name", "link", "other_name", "other_link"]
    assert table.loc[3, ["name", "other_name"]].tolist() == ["Ann Berg", "Ann Berg"]
    links = [f"https://crm.example.com/v2/location/L1/contacts/detail/{key}" for key in ("c0", "c1")]
    assert table.loc[3, ["link", "other_link"]].tolist() == links


def test_the_contact_to_keep_comes_first():
    contacts = people(
        ("Ann", "Berg", "ann@example.com", None, None, None),
        ("Ann", "Berg", "ann@example.com", "+13125550101", None, None),
    )

    for rows in (contacts, contacts[::-1]):
        assert duplicate_pairs(rows)[["contact_id", "other_contact_id"]].values.tolist() == [["c1", "c0"]]


def test_a_key_column_is_named_as_evidence():
    contacts = people(*[("Ann", "Berg", *[None] * 4)] * 2).assign(**{"Customer no.": ["17", "17"]})

    assert duplicate_pairs(contacts, key_column="Customer no.")["evidence"].tolist() == ["Customer no."]


def test_the_headline_counts_the_evidence():
    assert duplicate_pairs.headline(duplicate_pairs(TWICE)) == (
        "4 pairs of contacts each appear to be one person. Evidence: phone (3), email + phone (1)."
    )
    assert duplicate_pairs.headline(duplicate_pairs(TWICE[:2])) == (
        "1 pair of contacts appears to be one person. Evidence: email + phone."
    )
    assert duplicate_pairs.headline(duplicate_pairs(TWICE[:1])) == "No duplicate contacts here."


def test_the_chart_counts_pairs_by_evidence():
    axes = duplicate_pairs.plot(duplicate_pairs(TWICE), Figure(layout="constrained").subplots())

    assert [label.get_text() for label in axes.get_yticklabels()] == ["phone", "email + phone"]
    assert [bar.get_width() for bar in axes.patches] == [3, 1]
