"""Who waits for a reply: small frames by hand, and the simulated location."""

import pandas as pd
from lead_rows import later
from message_rows import inbound, reply

import hlkit as hl
from hlkit.analysis.inbox.unanswered import unanswered

CONTACTS = pd.DataFrame(
    {
        "contact_id": ["bob", "cyd"],
        "first_name": ["Bob", None],
        "last_name": ["Ray", None],
        "email": ["bob@example.com", "cyd@example.com"],
        "owner_id": ["u7", None],
    }
)


def run(*rows, after=1000, contacts=None, **options):
    return unanswered(pd.DataFrame(list(rows)), contacts, **{"as_of": later(after), "clock": "wall"} | options)


def test_only_people_without_a_reply_are_listed_the_longest_wait_first():
    rows = [
        inbound("ann", 0),
        reply("ann", 3),
        inbound("bob", 50),
        inbound("bob", 55),
        inbound("cyd", 20, type="TYPE_EMAIL"),
        inbound("dan", 60),
        reply("dan", 61),
    ]

    table = run(*rows, after=100)

    columns = ["contact_id", "wait_min", "message_channel", "messages", "started_at", "newest_at"]
    assert table[columns].values.tolist() == [
        ["cyd", 80, "Email", 1, later(20), later(20)],
        ["bob", 50, "SMS", 2, later(50), later(55)],
    ]
    assert run(*rows, after=100, start="newest")["wait_min"].tolist() == [80, 45]


def test_someone_who_writes_again_after_a_reply_waits_again():
    table = run(inbound("ann", 0), reply("ann", 3), inbound("ann", 70), after=100)

    assert table[["contact_id", "wait_min"]].values.tolist() == [["ann", 30]]


def test_the_list_begins_with_a_name_and_a_link_and_has_the_owner():
    rows = [inbound("bob", 0), inbound("cyd", 1), inbound("dan", 2)]

    table = run(*rows, contacts=CONTACTS, location_id="loc1", app_url="https://app.example.com")

    assert table.columns[:2].tolist() == ["name", "link"]
    assert table["name"].fillna("-").tolist() == ["Bob Ray", "cyd@example.com", "-"]
    assert table["link"][0] == "https://app.example.com/v2/location/loc1/contacts/detail/bob"
    assert table["owner_id"].fillna("-").tolist() == ["u7", "-", "-"]
    assert run(*rows)["link"].isna().all()


def test_of_equal_waits_on_the_office_clock_the_first_who_wrote_comes_first():
    # Both wrote on a Sunday, so both waits begin on Monday at 8.
    rows = [inbound("bob", -60 * 20), inbound("ann", -60 * 24)]

    table = run(*rows, after=0, clock="office")

    assert table[["contact_id", "wait_min"]].values.tolist() == [["ann", 120], ["bob", 120]]


def test_the_headline_counts_the_people_and_says_since_when():
    rows = [inbound("ann", 0), inbound("bob", 24 * 60), inbound("cyd", 48 * 60)]

    assert unanswered.headline(run(*rows, after=9999)) == (
        "3 people are waiting for a reply: half of them since June 3, 2025 or earlier, the first since June 2, 2025."
    )
    assert unanswered.headline(run(inbound("ann", 0), after=30)) == (
        "1 person is waiting for a reply, for 30 min, since June 2, 2025."
    )
    twice = run(inbound("ann", 0), inbound("ann", 24 * 60), after=24 * 60 + 30, start="newest")
    assert unanswered.headline(twice) == "1 person is waiting for a reply, for 30 min, since June 3, 2025."


def test_if_nobody_waits_the_list_is_empty_and_the_headline_says_so():
    table = run(inbound("ann", 0), reply("ann", 3))

    assert len(table) == 0
    assert unanswered.headline(table) == "No unanswered messages as of June 3, 2025."
    assert len(run(reply("ann", 3))) == 0


def test_everybody_who_waits_by_responses_is_listed_with_name_link_and_owner():
    location = hl.demo(as_of="2026-01-01", size=300)

    result = location.analyses.unanswered()
    table = result.table

    assert len(table) == location.analyses.responses(by=None).table["waiting"].item()
    assert table[["name", "link"]].notna().all().all()
    assert set(table["owner"].dropna()) <= set(location.users()["name"])
    assert (table["wait_min"].diff().dropna() <= 0).all()
    unanswered.plot(table)
