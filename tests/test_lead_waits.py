"""Each lead's wait: who still waits first, with names and links, worked out by hand."""

import pandas as pd
import pytest
from lead_rows import ANN, MESSAGES, contact, frame, later, message
from made import drawn

from hlkit.analysis.leads.lead_waits import lead_waits
from hlkit.client.errors import MissingColumn


def ask(contacts, messages, after=100, **options):
    return lead_waits(contacts, messages, **{"as_of": later(after), "clock": "wall"} | options)


def test_those_who_wait_come_first_and_the_longest_wait_is_on_top():
    contacts = frame(contact("ann"), contact("bob", 30), contact("cyd", 20), contact("dan"))
    messages = frame(message("ann", 5), message("dan", 60, user_id="eve"))

    table = ask(contacts, messages)

    assert table["contact_id"].tolist() == ["cyd", "bob", "dan", "ann"]
    assert table["is_waiting"].tolist() == [True, True, False, False]
    assert table["wait_min"].tolist() == [80, 70, 60, 5]
    assert table["user_id"].tolist()[2:] == ["eve", "u"]
    assert table["replied_at"].tolist()[2:] == [later(60), later(5)]


def test_it_begins_with_a_name_and_a_link_and_ends_with_ids():
    contacts = frame(
        contact("ann", first_name="Ann", last_name="Lee", owner_id="o1"), contact("bob", email="bob@example.com")
    )

    table = ask(contacts, MESSAGES, location_id="loc1", app_url="https://crm.example.com")

    assert table.columns.tolist()[:4] == ["name", "link", "is_waiting", "wait_min"]
    assert table.columns.tolist()[-3:] == ["user_id", "owner_id", "contact_id"]
    assert table["name"].tolist() == ["Ann Lee", "bob@example.com"]
    assert table["link"].tolist() == [
        f"https://crm.example.com/v2/location/loc1/contacts/detail/{name}" for name in ("ann", "bob")
    ]
    assert table["owner_id"].fillna("-").tolist() == ["o1", "-"]
    assert ask(contacts, MESSAGES)["link"].isna().all()  # the location is unknown


def test_a_wait_counts_office_hours_only():
    contacts = frame({**contact("ann"), "created_at": pd.Timestamp("2025-06-06T22:50Z")})  # Friday 17:50 in Chicago
    messages = frame(message("ann", 0) | {"sent_at": pd.Timestamp("2025-06-09T14:00Z")})  # Monday at 9

    table = ask(contacts, messages, after=99999, clock="office", timezone="America/Chicago")

    assert table["wait_min"].tolist() == [10 + 60]


def test_of_equal_waits_on_the_office_clock_the_first_lead_comes_first():
    contacts = frame(contact("bob", -60 * 20), contact("ann", -60 * 24))  # both on a Sunday

    table = ask(contacts, MESSAGES.head(0), after=120, clock="office")

    assert table[["contact_id", "wait_min"]].values.tolist()[0][0] == "ann"
    assert table["wait_min"].nunique() == 1


def test_a_person_who_wrote_before_the_lead_was_created_is_marked():
    contacts = frame(contact("ann", 20), contact("bob", 20))

    table = ask(contacts, frame(message("ann", 5))).set_index("contact_id")

    assert table["contacted_before"].to_dict() == {"ann": True, "bob": False}
    assert table["is_waiting"].all()


def test_the_headline_counts_who_waits_and_dates_the_longest_wait():
    two = ask(frame(contact("ann"), contact("bob", 30), contact("cyd")), frame(message("cyd", 5)))
    single = ask(frame(contact("ann"), contact("bob")), frame(message("bob", 5)))
    office = ask(ANN, MESSAGES, after=60 * 30, clock="office")

    assert lead_waits.headline(two) == (
        "2 of 3 leads have no reply yet; the longest wait so far is 1.7 h, since June 2, 2025."
    )
    assert lead_waits.headline(single) == (
        "1 of 2 leads has no reply yet; the longest wait so far is 1.7 h, since June 2, 2025."
    )
    assert lead_waits.headline(office) == (  # 8 hours on Monday, 8 on Tuesday until 4 PM
        "1 of 1 lead has no reply yet; the longest wait so far is 16 h (office hours), since June 2, 2025."
    )


def test_the_headline_of_leads_that_all_have_a_reply():
    both = ask(frame(contact("ann"), contact("bob")), frame(message("ann", 5), message("bob", 5)))

    assert lead_waits.headline(both) == "All 2 leads have a reply."
    assert lead_waits.headline(ask(ANN, frame(message("ann", 5)))) == "The only lead has a reply."
    assert lead_waits.headline(ask(ANN[:0], MESSAGES)).startswith("No leads ")


def test_the_chart_has_a_lane_for_each_source():
    contacts = frame(contact("ann"), contact("bob", source="web"), contact("cyd", source="web"))

    axes = drawn(lead_waits, ask(contacts, frame(message("cyd", 5))))

    assert [label.get_text() for label in axes.get_yticklabels()] == ["web", "ads"]


def test_long_waits_on_the_office_clock_are_drawn_in_hours():
    contacts = frame(contact("ann"), contact("bob", minutes=60 * 24 * 38))
    for clock, expected in (("office", {"20 h", "100 h"}), ("wall", {"1 week", "1 month"})):
        axes = drawn(lead_waits, ask(contacts, MESSAGES, after=60 * 24 * 41, clock=clock))
        left, right = axes.get_xlim()
        ticks = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        shown = {label.get_text() for position, label in ticks if left <= position <= right}
        assert shown == expected, clock
        assert ("(office hours)" in axes.get_xlabel()) == (clock == "office")


def test_a_missing_column_is_named():
    with pytest.raises(MissingColumn, match="created_at"):
        ask(ANN.drop(columns="created_at"), MESSAGES)
    with pytest.raises(MissingColumn, match="sent_at"):
        ask(ANN, MESSAGES.drop(columns="sent_at"))
