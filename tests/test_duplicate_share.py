"""Duplicate share: duplicates and their intervals by group, by hand."""

import pandas as pd
import pytest
from matplotlib.figure import Figure

import hlkit as hl
from hlkit.analysis.core.rows_behind import RowsBehind
from hlkit.analysis.core.shares import wilson
from hlkit.client.schema import TEXT

COLUMNS = ("contact_id", "first_name", "last_name", "email", "phone", "address", "postal_code")


def people(*rows):
    """One contact per row: first name, last name, email, phone, address, postcode."""
    table = pd.DataFrame([(f"c{n}", *row) for n, row in enumerate(rows)], columns=COLUMNS).astype(TEXT.dtype)
    return table.assign(created_at=pd.date_range("2025-01-01", periods=len(rows), tz="UTC"))


duplicate_share = hl.analyses.duplicate_share


def test_the_survivor_is_no_duplicate_and_counts_the_cluster_in_its_group():
    contacts = people(
        ("Ann", "Berg", "a@example.com", None, None, None),
        ("Ann", "Berg", "a@example.com", "+13125550101", None, None),
        ("Ann", "Berg", "a@example.com", None, None, None),
        ("Cyd", "Egan", "cyd@example.com", None, None, None),
    ).assign(source=["web", "ads", "web", "web"])

    total = duplicate_share(contacts, by=None)
    table = duplicate_share(contacts, by="source")

    assert total[["n", "clusters", "duplicates", "duplicate_share"]].values.tolist() == [[4, 1, 2, 0.5]]
    assert table[["source", "n", "clusters", "duplicates"]].values.tolist() == [["web", 3, 0, 2], ["ads", 1, 1, 0]]
    assert table["small"].all()


def test_contacts_of_one_cluster_are_not_independent():
    contacts = people(
        *[("Ann", "Berg", "a@example.com", None, None, None)] * 11,
        *[(f"Name{n}", f"Last{n}", f"p{n}@example.com", None, None, None) for n in range(10)],
    )

    row = duplicate_share(contacts, by=None).iloc[0]

    assert row["duplicate_share"] == pytest.approx(10 / 21)
    low, high = wilson(10, 21)
    assert row["duplicate_low"] < low
    assert row["duplicate_high"] > high


def test_the_rows_behind_a_group_show_who_is_a_duplicate():
    contacts = people(
        ("Ann", "Berg", "a@example.com", None, None, None),
        ("Ann", "Berg", "a@example.com", None, None, None),
        ("Cyd", "Egan", "cyd@example.com", None, None, None),
    ).assign(source=["web", "web", "ads"])
    table, log = duplicate_share.run(contacts, by="source")
    behind = RowsBehind(table, log, duplicate_share.rows, lambda rows: rows)

    web = behind.of("web")
    assert web[["contact_id", "is_duplicate", "suggested_survivor", "cluster"]].values.tolist() == [
        ["c0", False, True, 1],
        ["c1", True, False, 1],
    ]
    assert behind.of("ads")[["contact_id", "is_duplicate", "suggested_survivor"]].values.tolist() == [
        ["c2", False, False]
    ]
    assert len(behind.of(None)) == 3


def test_two_columns_give_a_heat_table():
    contacts = people(*[("Ann", "Berg", "a@example.com", None, None, None)] * 4)
    contacts = contacts.assign(source=["web", "web", "web", "ads"], city=["Cicero", "Cicero", "Joliet", "Joliet"])

    table = duplicate_share(contacts, by=["source", "city"])

    assert table[["source", "city", "n", "duplicates"]].values.tolist() == [
        ["web", "Cicero", 2, 1],
        ["web", "Joliet", 1, 1],
        ["ads", "Joliet", 1, 1],
    ]
    axes = duplicate_share.plot(table, Figure(layout="constrained").subplots())
    assert [label.get_text() for label in axes.get_yticklabels()] == ["web", "ads"]


def test_the_headline_has_the_share_and_the_people():
    once = [(f"Name{n}", f"Last{n}", f"p{n}@example.com", None, None, None) for n in range(18)]
    twice = [("Ann", "Berg", "a@example.com", None, None, None)] * 2
    more = [("Bob", "Dahl", "b@example.com", None, None, None)] * 3

    assert duplicate_share.headline(duplicate_share(people(*once, *twice), by=None)) == (
        "1 of 20 contacts (5%) is a duplicate: an extra record of one person."
    )
    assert duplicate_share.headline(duplicate_share(people(*once, *twice, *more), by=None)) == (
        "3 of 23 contacts (13%) are duplicates: extra records of 2 people."
    )
    assert duplicate_share.headline(duplicate_share(people(*once, *once[:0]), by=None)) == (
        "No duplicates among 18 contacts (fewer than 20 rows: too few to say much)."
    )


def test_the_headline_of_groups_compares_them():
    once = [(f"Name{n}", f"Last{n}", f"p{n}@example.com", None, None, None) for n in range(60)]
    contacts = people(*once, *once[:30]).assign(source=["web"] * 60 + ["ads"] * 30)

    assert duplicate_share.headline(duplicate_share(contacts, by="source")) == (
        "30 of 90 contacts (33%) are duplicates: extra records of 30 people. ads (100%) is above web (0%), a "
        "significant difference (p < .001)."
    )
