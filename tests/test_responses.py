"""Response times: small frames by hand, compared with DuckDB, and as planted in the simulated location."""

from math import erf, log, sqrt

import numpy as np
import pandas as pd
import pytest
import seeded
from lead_rows import MONDAY, later
from message_rows import inbound, reply

import hlkit as hl
from hlkit.analysis.core.office_hours import HOURS
from hlkit.analysis.core.shares import wilson
from hlkit.analysis.core.survival import cumulative_incidence
from hlkit.analysis.inbox.responses import responses
from hlkit.client.errors import InvalidRequest, MissingColumn


def run(*rows, after=1000, contacts=None, **options):
    options = {"as_of": later(after), "clock": "wall"} | options
    return responses(pd.DataFrame(list(rows)), contacts, **options)


def rows_behind(messages, **options):
    """The turns behind the table."""
    return responses.run(messages, None, by=None, **options)[1].rows


def turns(*rows, after=1000, **options):
    found = rows_behind(pd.DataFrame(list(rows)), as_of=later(after), clock="wall", **options)
    found = found.sort_values(["started_at", "contact_id"])
    return found[["contact_id", "wait_min", "messages"]].values.tolist()


# Turns


def test_a_turn_runs_from_the_first_message_to_a_human_reply():
    rows = [
        inbound("ann", 0),
        inbound("ann", 5),
        reply("ann", 20),
        reply("ann", 25),
        inbound("ann", 60),
        reply("ann", 61),
    ]

    assert turns(*rows) == [["ann", 20, 2], ["ann", 1, 1]]


def test_a_wait_can_be_counted_from_the_newest_message():
    assert turns(inbound("ann", 0), inbound("ann", 5), reply("ann", 20), start="newest") == [["ann", 15, 2]]


def test_contacts_have_separate_turns_and_the_order_of_rows_does_not_matter():
    rows = [reply("bob", 30), inbound("ann", 0), reply("ann", 10), inbound("bob", 5), inbound("cyd", 7)]

    assert turns(*rows, after=107) == [["ann", 10, 1], ["bob", 25, 1], ["cyd", 100, 1]]
    assert turns(*rows[::-1], after=107) == turns(*rows, after=107)


def test_a_reply_at_the_same_instant_counts_and_one_before_any_message_does_not():
    assert turns(reply("ann", 0), inbound("ann", 5), reply("ann", 5)) == [["ann", 0, 1]]


@pytest.mark.parametrize(
    "more",
    [{"origin": "workflow"}, {"user_id": None}, {"status": "failed"}, {"type": "TYPE_INTERNAL_COMMENT"}],
)
def test_only_a_message_by_a_person_ends_a_turn(more):
    assert turns(inbound("ann", 0), reply("ann", 3, **more), after=50) == [["ann", 50, 1]]


def test_calls_do_not_start_a_turn_but_made_or_answered_ones_end_it():
    call = {"type": "TYPE_CALL"}
    answered = inbound("ann", 9, user_id="u2", call_status="completed", **call)
    missed = inbound("ann", 4, call_status="no-answer", **call)

    assert turns(inbound("ann", 0), reply("ann", 7, **call)) == [["ann", 7, 1]]
    assert turns(inbound("ann", 0), missed, answered) == [["ann", 9, 1]]
    left_out = run(inbound("ann", 0), missed, answered).attrs["hlkit"]["left_out"]
    assert left_out == {"missed inbound calls": 1}


def test_inbound_activity_rows_do_not_start_a_turn():
    assert turns(inbound("ann", 0, type="TYPE_ACTIVITY_CONTACT"), inbound("bob", 1), after=2) == [["bob", 1, 1]]


def test_a_message_without_a_contact_belongs_to_its_conversation_or_is_left_out():
    rows = [inbound(None, 0), reply(None, 4), inbound(None, 1, conversation_id=None)]

    assert turns(*rows) == [[pytest.approx(np.nan, nan_ok=True), 4, 1]]
    assert run(*rows).attrs["hlkit"]["left_out"] == {"messages without a contact or a date": 1}


# Groups


def test_turns_belong_to_the_user_who_replied_and_medians_include_waiting_turns():
    rows = [
        inbound("ann", 0),
        reply("ann", 10),
        inbound("bob", 0),
        reply("bob", 90),
        inbound("cyd", 0),
        inbound("dan", 970),
    ]

    table = run(*rows, by=None)
    by_user = run(*rows, by="user_id").set_index("user_id")

    assert table[["turns", "answered", "waiting"]].values.tolist() == [[4, 2, 2]]
    # dan has waited for 30 minutes: at 90 minutes only bob and cyd are at risk
    assert table["median_min"].tolist() == [90]
    # ann is on time; bob and cyd are not; dan has time left
    assert table["on_time_share"].tolist() == pytest.approx([1 / 3])
    assert table[["on_time_low", "on_time_high"]].values[0] == pytest.approx(wilson(1, 3))
    assert by_user.loc["(none)", ["turns", "answered", "on_time_share"]].tolist() == [2, 0, 0]
    definition = run(*rows, by="user_id").attrs["hlkit"]["definition"]
    assert "Turns without a reply belong to no user" in definition
    assert 'by="owner"' in definition
    assert by_user.loc["u1", ["turns", "answered", "on_time_share"]].tolist() == [2, 2, 0.5]


def test_the_target_is_an_option_and_its_last_minute_is_on_time():
    rows = [inbound("ann", 0), reply("ann", 30), inbound("bob", 0), reply("bob", 30.1)]

    assert run(*rows, by=None, target_min=30)["on_time_share"].tolist() == [0.5]


def test_each_channel_can_have_a_target():
    rows = [
        inbound("ann", 0),
        reply("ann", 4),
        inbound("bob", 0, type="TYPE_EMAIL"),
        reply("bob", 20, type="TYPE_EMAIL"),
    ]
    rows += [inbound("cyd", 0, type="TYPE_WHATSAPP"), reply("cyd", 1)]

    table = run(*rows, target_min={"sms": 3, "Email": 30}).set_index("message_channel")

    assert table["on_time_share"].to_dict() == pytest.approx({"SMS": 0, "Email": 1, "WhatsApp": np.nan}, nan_ok=True)
    definition = table.attrs["hlkit"]["definition"]
    assert "target of sms 3, Email 30 minutes" in definition
    assert "channels without a target do not count in on_time_share: WhatsApp (1)" in definition


@pytest.mark.parametrize(
    ("target", "match", "hint"),
    [
        ({"SSM": 3}, "no channel 'SSM'", "did you mean 'SMS'"),
        ({"SMS": 0}, "is not a number of minutes", "above 0"),
        ({"SMS": "3"}, "is not a number of minutes", "above 0"),
        (0, "takes no target_min=0", "above 0"),
    ],
)
def test_an_invalid_target_is_refused(target, match, hint):
    with pytest.raises(InvalidRequest, match=match) as error:
        run(inbound("ann", 0), target_min=target)
    assert hint in error.value.hint


def test_a_reply_by_a_call_without_a_user_is_counted_separately():
    answered = inbound("ann", 9, type="TYPE_CALL", call_status="completed", call_duration_s=60.0)

    table = run(inbound("ann", 0), answered, by="user_id")

    assert table["user_id"].tolist() == ["(user unknown)"]
    assert table[["turns", "answered", "user_unknown"]].values.tolist() == [[1, 1, 1]]


def test_a_reply_can_be_an_attempt_a_connected_call_or_any_outbound_message():
    rows = [
        inbound("ann", 0),
        reply("ann", 1, user=None, origin="workflow"),
        reply("ann", 5, type="TYPE_CALL", call_status="voicemail"),
        reply("ann", 9),
    ]

    waits = {
        choice: run(*rows, by=None, reply=choice)["median_min"].item() for choice in ("any", "attempt", "connected")
    }

    assert waits == {"any": 1, "attempt": 5, "connected": 9}


def test_turns_of_one_contact_with_one_outcome_count_as_about_one():
    # 30 contacts with six turns each, all of a contact on time or none: as good as 30 turns, not 180
    rows = [
        row
        for number in range(30)
        for turn in range(6)
        for row in (
            inbound(f"c{number}", 1000 * turn),
            reply(f"c{number}", 1000 * turn + (10 if number < 15 else 500)),
        )
    ]
    low, high = run(*rows, by=None, after=9999)[["on_time_low", "on_time_high"]].iloc[0]

    assert (low, high) == pytest.approx(wilson(15, 30), abs=0.01)
    one_each = run(
        *[row | {"contact_id": f"{row['contact_id']} {n // 2}"} for n, row in enumerate(rows)], by=None, after=9999
    )
    assert one_each[["on_time_low", "on_time_high"]].iloc[0].tolist() == pytest.approx(wilson(90, 180))


def test_the_office_clock_counts_only_office_hours():
    # A Friday at 17:50 in Chicago, answered on Monday at 8:05
    rows = [
        inbound("ann", 0) | {"sent_at": pd.Timestamp("2025-06-06T22:50Z")},
        reply("ann", 0) | {"sent_at": pd.Timestamp("2025-06-09T13:05Z")},
    ]

    table = run(*rows, after=20000, by=None, clock="office", timezone="America/Chicago")

    assert table["median_min"].tolist() == [15]


def test_hours_and_weekdays_are_local_and_in_order():
    rows = [
        inbound("ann", 0),
        inbound("bob", 14 * 60),
        inbound("cyd", 61),
        inbound("dan", 62),
    ]  # 5:00, 19:00, 6:01, 6:02

    hours = run(*rows, by="hour", timezone="America/Chicago", after=9999)
    days = run(*rows, inbound("eve", -24 * 60), by="weekday", timezone="America/Chicago", after=9999)

    assert hours[["hour", "turns"]].values.tolist() == [["5 AM", 1], ["6 AM", 2], ["7 PM", 1]]
    assert days[["weekday", "turns"]].values.tolist() == [["Monday", 4], ["Sunday", 1]]


def test_groups_can_be_channels_or_columns_of_the_contacts():
    rows = [
        inbound("ann", 0),
        inbound("bob", 0, type="TYPE_LIVE_CHAT"),
        inbound("cyd", 0, type=None),
        inbound("dan", 0),
    ]
    contacts = pd.DataFrame({"contact_id": ["ann", "bob", "cyd"], "source": ["ads", "ads", None]})

    channels = run(*rows)
    sources = run(*rows, by="source", contacts=contacts)

    assert dict(zip(channels["message_channel"], channels["turns"], strict=True)) == {
        "SMS": 2,
        "Live chat": 1,
        "(none)": 1,
    }
    assert dict(zip(sources["source"], sources["turns"], strict=True)) == {"ads": 2, "(none)": 2}


def test_a_column_that_is_in_neither_frame_is_named_in_the_error():
    with pytest.raises(MissingColumn, match="messages has no column 'nonsense'"):
        run(inbound("ann", 0), by="nonsense")


def test_without_messages_the_table_has_no_rows():
    empty = pd.DataFrame([inbound("ann", 0)])[:0]

    table = responses(empty, as_of=MONDAY)

    assert len(table) == 0
    assert hl.analyses.responses.headline(table) == "No incoming messages as of June 2, 2025."


# Two columns, and the rows behind a group


def test_two_columns_give_a_row_for_each_pair_hours_and_weekdays_in_order():
    rows = [
        inbound("ann", 0),
        inbound("bob", 24 * 60),
        inbound("cyd", 24 * 60),
        inbound("dan", 61, type="TYPE_EMAIL"),
        inbound("eve", 62),
    ]

    table = run(*rows, by=["weekday", "message_channel"], after=9999)

    assert table[["weekday", "message_channel", "turns"]].values.tolist() == [
        ["Monday", "SMS", 2],
        ["Monday", "Email", 1],
        ["Tuesday", "SMS", 2],
    ]
    hl.analyses.responses.plot(table)


def test_the_rows_of_a_channel_are_its_turns_with_names_links_and_users():
    location = hl.demo(as_of="2026-01-01", size=300)

    result = location.analyses.responses()
    rows = result.rows("Email")

    assert len(rows) == result.table.set_index("message_channel").loc["Email", "turns"]
    assert rows.columns[:4].tolist() == ["name", "link", "wait_min", "is_answered"]
    assert set(rows["message_channel"]) == {"Email"}
    contacts = location.contacts().set_index("contact_id")
    names = contacts["first_name"] + " " + contacts["last_name"]
    first = rows.iloc[0]
    assert first["name"] == names[first["contact_id"]]
    assert first["link"].endswith(first["contact_id"])
    assert set(rows["user"].dropna()) <= set(location.users()["name"])


@pytest.mark.parametrize(
    ("by", "reads_contacts"),
    [
        (None, False),
        ("message_channel", False),
        ("user", False),
        (["hour", "status"], False),
        ("source", True),
        (["hour", "owner"], True),
    ],
)
def test_contacts_are_read_only_to_group_by_one_of_their_columns(by, reads_contacts):
    assert ("contacts" in responses.resources_for({"by": by})) == reads_contacts


# The chart and the headline


def labels(table):
    return [label.get_text() for label in responses.plot(table).get_yticklabels()]


def test_the_chart_of_users_leaves_out_turns_without_a_reply():
    rows = [inbound("ann", 0), reply("ann", 10), inbound("bob", 0), inbound("cyd", 0), reply("cyd", 9, user="u2")]

    assert labels(run(*rows, by="user_id")) == ["u1", "u2"]
    assert labels(run(inbound("ann", 0), by="user_id")) == ["no user"]


def test_the_chart_of_hours_has_all_hours_in_order():
    rows = [row for hour in range(15) for row in (inbound(str(hour), 60 * hour), reply(str(hour), 60 * hour + 5))]

    assert labels(run(*rows, by="hour")) == ["12 AM", *HOURS[10:]]


def test_the_headline_gives_the_median_the_share_on_time_and_who_waits():
    rows = [inbound("ann", 0), reply("ann", 10), inbound("bob", 0), reply("bob", 90), inbound("cyd", 0)]

    assert responses.headline(run(*rows, by=None)) == (
        "Half of incoming messages wait 1.5 h or more for a reply; 33% are answered within 60 min; 1 person is "
        "still waiting (fewer than 20 rows: too few to say much)."
    )
    assert "33% are answered on time" in responses.headline(run(*rows, by=None, target_min={"SMS": 60}))


def test_the_headline_says_so_if_nothing_has_been_answered_or_missed_its_target():
    assert responses.headline(run(inbound("ann", 0), after=5)) == (
        "No message has a reply or has missed its target yet."
    )


# As planted


@pytest.fixture(scope="module")
def planted():
    return [_planted(seed) for seed in (1, 2, 3)]


def _planted(seed):
    return seeded.frame(seed, 4000, "messages"), seeded.data(seed, 4000).planted["inbox"]


PLANTED = {"as_of": "2026-01-01", "timezone": "America/Chicago", "clock": "wall"}


def run_planted(messages, **options):
    return responses(messages, **PLANTED | options)


def share_on_time(median, sigma, target=60):
    return (1 + erf(log(target / median) / sigma / sqrt(2))) / 2


def evening(hours, truth):
    after, before = truth["evening_hours"]
    return (hours >= after) | (hours < before)


def test_the_planted_slow_evenings_are_found(planted):
    for messages, truth in planted:
        table = run_planted(messages, by="hour")
        late = evening(table["hour"].map(HOURS.index), truth)
        turn = rows_behind(messages, **PLANTED)
        hours = turn["started_at"].dt.tz_convert("America/Chicago").dt.hour
        for rows, when in ((~evening(hours, truth), "day"), (evening(hours, truth), "evening")):
            answered = turn.loc[rows & turn["answered_at"].notna(), "wait_min"]
            assert answered.median() == pytest.approx(truth["reply_median_minutes"][when], rel=0.15)
        assert table.loc[late, "median_min"].median() > 5 * table.loc[~late, "median_min"].median()


def test_the_planted_shares_on_time_and_never_answered_are_found(planted):
    for messages, truth in planted:
        row = run_planted(messages, by=None).iloc[0]
        hours = rows_behind(messages, **PLANTED)["started_at"].dt.tz_convert("America/Chicago").dt.hour
        late = evening(hours, truth).mean()
        medians, sigma = truth["reply_median_minutes"], truth["reply_sigma"]
        law = (1 - late) * share_on_time(medians["day"], sigma) + late * share_on_time(medians["evening"], sigma)
        assert row["on_time_share"] == pytest.approx((1 - truth["unreplied_share"]) * law, abs=0.03)
        # Contacts without a reply may get one weeks later, when they write or are called again; nearly all others
        # have one within two days.
        turn = rows_behind(messages, **PLANTED)
        answered = turn["answered_at"].notna()
        late = 1 - cumulative_incidence(turn["wait_min"], answered, answered).at(2 * 1440.0)[0]
        assert late == pytest.approx(truth["unreplied_share"], abs=0.03)
        assert row["waiting"] / row["turns"] < late


def test_answered_turns_alone_overstate_the_share_on_time(planted):
    messages, _ = planted[0]
    turn = rows_behind(messages, **PLANTED)
    answered = turn["answered_at"].notna()
    naive = (turn.loc[answered, "wait_min"] <= 60).mean()

    assert naive > run_planted(messages, by=None).iloc[0]["on_time_share"] + 0.03
