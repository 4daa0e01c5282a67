"""How fast those who write are answered: by hand, against DuckDB, and as it is planted."""

from math import erf, log, sqrt

import numpy as np
import pandas as pd
import pytest
import seeded

import hlkit as hl
from hlkit.analysis.core.groups import HOURS, wilson
from hlkit.analysis.core.survival import cumulative_incidence
from hlkit.analysis.inbox.responses import WEEKDAYS, responses
from hlkit.client.errors import InvalidRequest, MissingColumn

MONDAY = pd.Timestamp("2025-06-02T10:00Z")


def later(minutes):
    return MONDAY + pd.Timedelta(minutes=minutes)


def asks(name, minutes, **more):
    sent = {"contact_id": name, "conversation_id": f"with {name}", "sent_at": later(minutes), "direction": "inbound"}
    return sent | {"origin": None, "user_id": None, "status": "delivered", "type": "TYPE_SMS"} | more


def reply(name, minutes, user="u1", **more):
    return asks(name, minutes) | {"direction": "outbound", "origin": "app", "user_id": user} | more


def ask(*rows, after=1000, contacts=None, **choices):
    given = {"as_of": later(after), "clock": "wall"} | choices
    return responses(pd.DataFrame(list(rows)), contacts, **given)


def turns(*rows, **choices):
    table = ask(*rows, show="turns", **choices).sort_values(["started_at", "contact_id"])
    return table[["contact_id", "wait_min", "messages"]].values.tolist()


# Turns


def test_a_turn_runs_from_the_first_message_to_the_answer_of_a_person():
    rows = [asks("ann", 0), asks("ann", 5), reply("ann", 20), reply("ann", 25), asks("ann", 60), reply("ann", 61)]

    assert turns(*rows) == [["ann", 20, 2], ["ann", 1, 1]]


def test_a_turn_may_be_counted_from_its_newest_message():
    assert turns(asks("ann", 0), asks("ann", 5), reply("ann", 20), start="newest") == [["ann", 15, 2]]


def test_contacts_are_kept_apart_and_the_order_of_rows_does_not_matter():
    rows = [reply("bob", 30), asks("ann", 0), reply("ann", 10), asks("bob", 5), asks("cyd", 7)]

    assert turns(*rows, after=107) == [["ann", 10, 1], ["bob", 25, 1], ["cyd", 100, 1]]
    assert turns(*rows[::-1], after=107) == turns(*rows, after=107)


def test_an_answer_at_the_same_instant_is_one_and_one_before_any_question_is_none():
    assert turns(reply("ann", 0), asks("ann", 5), reply("ann", 5)) == [["ann", 0, 1]]


@pytest.mark.parametrize(
    "more",
    [{"origin": "workflow"}, {"user_id": None}, {"status": "failed"}, {"type": "TYPE_INTERNAL_COMMENT"}],
)
def test_what_no_person_sent_ends_no_turn(more):
    assert turns(asks("ann", 0), reply("ann", 3, **more), after=50) == [["ann", 50, 1]]


def test_calls_are_no_writing_but_one_that_was_made_or_taken_answers():
    call = {"type": "TYPE_CALL"}
    taken = asks("ann", 9, user_id="u2", call_status="completed", **call)
    missed = asks("ann", 4, call_status="no-answer", **call)

    assert turns(asks("ann", 0), reply("ann", 7, **call)) == [["ann", 7, 1]]
    assert turns(asks("ann", 0), missed, taken) == [["ann", 9, 1]]
    left_out = ask(asks("ann", 0), missed, taken).attrs["hlkit"]["left_out"]
    assert left_out == {"calls that came in and that nobody took": 1}


def test_activity_rows_that_come_in_are_nobodys_writing():
    assert turns(asks("ann", 0, type="TYPE_ACTIVITY_CONTACT"), asks("bob", 1), after=2) == [["bob", 1, 1]]


def test_a_message_without_a_contact_goes_by_its_conversation_or_is_left_out():
    rows = [asks(None, 0), reply(None, 4), asks(None, 1, conversation_id=None)]

    assert turns(*rows) == [[pytest.approx(np.nan, nan_ok=True), 4, 1]]
    assert ask(*rows).attrs["hlkit"]["left_out"] == {"messages without a contact or a date": 1}


def test_who_still_waits_comes_first_the_longest_on_top():
    rows = [asks("ann", 0), reply("ann", 3), asks("bob", 50), asks("cyd", 20), asks("dan", 60), reply("dan", 61)]

    table = ask(*rows, show="turns")

    assert table["contact_id"].tolist() == ["cyd", "bob", "dan", "ann"]
    assert table["answered_at"].isna().tolist() == [True, True, False, False]
    assert table["user_id"].tolist()[2:] == ["u1", "u1"]


# Groups


def test_turns_belong_to_who_answered_and_medians_count_who_waits():
    rows = [asks("ann", 0), reply("ann", 10), asks("bob", 0), reply("bob", 90), asks("cyd", 0), asks("dan", 970)]

    table = ask(*rows, by=None)
    by_user = ask(*rows, by="user_id").set_index("user_id")

    assert table[["turns", "answered", "waiting"]].values.tolist() == [[4, 2, 2]]
    # dan was seen for 30 minutes: at 90 minutes only bob and cyd were left
    assert table["median_min"].tolist() == [90]
    # ann in time; bob and cyd not; dan still has time
    assert table["on_time_share"].tolist() == pytest.approx([1 / 3])
    assert table[["on_time_low", "on_time_high"]].values[0] == pytest.approx(wilson(1, 3))
    assert by_user.loc["(none)", ["turns", "answered", "on_time_share"]].tolist() == [2, 0, 0]
    definition = ask(*rows, by="user_id").attrs["hlkit"]["definition"]
    assert "turns without a reply belong to nobody" in definition
    assert 'by="owner"' in definition
    assert by_user.loc["u1", ["turns", "answered", "on_time_share"]].tolist() == [2, 2, 0.5]


def test_the_target_is_the_analysts_own_and_in_time_on_its_very_minute():
    rows = [asks("ann", 0), reply("ann", 30), asks("bob", 0), reply("bob", 30.1)]

    assert ask(*rows, by=None, target_min=30)["on_time_share"].tolist() == [0.5]


def test_a_target_may_be_given_per_channel():
    rows = [asks("ann", 0), reply("ann", 4), asks("bob", 0, type="TYPE_EMAIL"), reply("bob", 20, type="TYPE_EMAIL")]
    rows += [asks("cyd", 0, type="TYPE_WHATSAPP"), reply("cyd", 1)]

    table = ask(*rows, target_min={"sms": 3, "Email": 30}).set_index("message_channel")

    assert table["on_time_share"].to_dict() == pytest.approx({"SMS": 0, "Email": 1, "WhatsApp": np.nan}, nan_ok=True)
    definition = table.attrs["hlkit"]["definition"]
    assert "target of sms 3, Email 30 minutes" in definition
    assert "channels without a target are in no on_time_share: WhatsApp (1)" in definition


@pytest.mark.parametrize(
    ("target", "match", "hint"),
    [
        ({"SSM": 3}, "no channel 'SSM'", "did you mean 'SMS'"),
        ({"SMS": 0}, "is no number of minutes", "above 0"),
        ({"SMS": "3"}, "is no number of minutes", "above 0"),
        (0, "takes no target_min=0", "above 0"),
    ],
)
def test_a_wrong_target_is_refused_in_words(target, match, hint):
    with pytest.raises(InvalidRequest, match=match) as error:
        ask(asks("ann", 0), target_min=target)
    assert hint in error.value.hint


def test_a_reply_by_a_call_without_a_user_is_counted_apart():
    taken = asks("ann", 9, type="TYPE_CALL", call_status="completed", call_duration_s=60.0)

    table = ask(asks("ann", 0), taken, by="user_id")

    assert table["user_id"].tolist() == ["(user unknown)"]
    assert table[["turns", "answered", "user_unknown"]].values.tolist() == [[1, 1, 1]]


def test_a_reply_may_be_an_attempt_a_connected_call_or_anything_that_went_out():
    rows = [
        asks("ann", 0),
        reply("ann", 1, user=None, origin="workflow"),
        reply("ann", 5, type="TYPE_CALL", call_status="voicemail"),
        reply("ann", 9),
    ]

    waits = {
        choice: ask(*rows, by=None, reply=choice)["median_min"].item() for choice in ("any", "attempt", "connected")
    }

    assert waits == {"any": 1, "attempt": 5, "connected": 9}


def test_turns_of_one_contact_that_are_alike_are_worth_about_one():
    # 30 contacts of six turns each, all of a contact in time or none: as good as 30 turns, not 180
    rows = [
        row
        for number in range(30)
        for turn in range(6)
        for row in (
            asks(f"c{number}", 1000 * turn),
            reply(f"c{number}", 1000 * turn + (10 if number < 15 else 500)),
        )
    ]
    low, high = ask(*rows, by=None, after=9999)[["on_time_low", "on_time_high"]].iloc[0]

    assert (low, high) == pytest.approx(wilson(15, 30), abs=0.01)
    one_each = ask(
        *[row | {"contact_id": f"{row['contact_id']} {n // 2}"} for n, row in enumerate(rows)], by=None, after=9999
    )
    assert one_each[["on_time_low", "on_time_high"]].iloc[0].tolist() == pytest.approx(wilson(90, 180))


def test_the_office_clock_counts_open_hours_alone():
    # A Friday at 17:50 in Chicago, answered on Monday at 8:05
    rows = [
        asks("ann", 0) | {"sent_at": pd.Timestamp("2025-06-06T22:50Z")},
        reply("ann", 0) | {"sent_at": pd.Timestamp("2025-06-09T13:05Z")},
    ]

    table = ask(*rows, after=20000, by=None, clock="office", timezone="America/Chicago")

    assert table["median_min"].tolist() == [15]


def test_groups_by_hour_and_weekday_come_in_their_order_on_the_locations_clock():
    rows = [asks("ann", 0), asks("bob", 14 * 60), asks("cyd", 61), asks("dan", 62)]  # 5:00, 19:00, 6:01, 6:02

    hours = ask(*rows, by="hour", timezone="America/Chicago", after=9999)
    days = ask(*rows, asks("eve", -24 * 60), by="weekday", timezone="America/Chicago", after=9999)

    assert hours[["hour", "turns"]].values.tolist() == [["5 AM", 1], ["6 AM", 2], ["7 PM", 1]]
    assert days[["weekday", "turns"]].values.tolist() == [["Monday", 4], ["Sunday", 1]]


def test_groups_by_channel_and_by_what_is_known_of_the_contact():
    rows = [asks("ann", 0), asks("bob", 0, type="TYPE_LIVE_CHAT"), asks("cyd", 0, type=None), asks("dan", 0)]
    contacts = pd.DataFrame({"contact_id": ["ann", "bob", "cyd"], "source": ["ads", "ads", None]})

    channels = ask(*rows)
    sources = ask(*rows, by="source", contacts=contacts)

    assert dict(zip(channels["message_channel"], channels["turns"], strict=True)) == {
        "SMS": 2,
        "Live chat": 1,
        "(none)": 1,
    }
    assert dict(zip(sources["source"], sources["turns"], strict=True)) == {"ads": 2, "(none)": 2}


def test_a_column_that_neither_frame_has_is_named():
    with pytest.raises(MissingColumn, match="messages has no column 'nonsense'"):
        ask(asks("ann", 0), by="nonsense")


def test_nothing_at_all_is_a_table_without_turns_and_a_week_of_zeros():
    none = pd.DataFrame([asks("ann", 0)])[:0]

    assert len(responses(none, as_of=MONDAY)) == 0
    assert len(responses(none, as_of=MONDAY, show="turns")) == 0
    week = responses(none, as_of=MONDAY, show="heatmap")
    assert week["inbound"].tolist() == [0] * 168
    hl.analyses.responses.plot(week)


# The week


def test_the_week_has_all_its_hours_on_the_locations_clock():
    rows = [asks("ann", 0), asks("ann", 1), asks("bob", 70), reply("bob", 75), asks("cyd", 80), reply("cyd", 100)]

    week = ask(*rows, show="heatmap", timezone="America/Chicago")

    assert len(week) == 168
    assert week["weekday"].tolist()[::24] == list(WEEKDAYS)
    busy = week[week["inbound"] > 0]
    assert busy[["weekday", "hour", "inbound", "turns"]].values.tolist() == [["Monday", 5, 2, 1], ["Monday", 6, 2, 2]]
    assert busy["median_min"].tolist()[1] == 5


def test_an_hour_that_comes_twice_is_one_hour_of_the_week():
    # In Chicago it was half past one twice on 2025-11-02.
    rows = [asks(str(at), 0) | {"sent_at": pd.Timestamp(at)} for at in ("2025-11-02T06:30Z", "2025-11-02T07:30Z")]

    week = ask(*rows, show="heatmap", timezone="America/Chicago", after=9999999)

    assert week.loc[week["inbound"] > 0, ["weekday", "hour", "inbound"]].values.tolist() == [["Sunday", 1, 2]]


def test_the_week_counts_as_duckdb_does():
    why = "oracles run beside the lowest versions: uv pip install --group oracles"
    duckdb = pytest.importorskip("duckdb", reason=why)
    pytest.importorskip("great_tables", reason=why)
    from great_tables.data import pizzaplace

    sold = pd.DataFrame(pizzaplace)[["id", "date", "time"]]
    sold["local"] = pd.to_datetime(sold["date"] + " " + sold["time"])
    assert len(sold) == 49_574
    with duckdb.connect() as db:
        counted = db.sql("select isodow(local) - 1 d, hour(local) h, count(*) n from sold group by all").fetchall()
    expected = np.zeros((7, 24), dtype=int)
    for day, hour, number in counted:
        expected[day, hour] = number

    messages = pd.DataFrame({"contact_id": sold["id"], "sent_at": sold["local"].dt.tz_localize("America/Chicago")})
    messages = messages.assign(direction="inbound", origin=None, user_id=None, status=None, type="TYPE_SMS")
    week = responses(messages, as_of="2016-01-01", timezone="America/Chicago", show="heatmap")

    assert week["inbound"].to_numpy(int).reshape(7, 24).tolist() == expected.tolist()
    assert week["inbound"].sum() == 49_574


# As planted


@pytest.fixture(scope="module")
def planted():
    return [_planted(seed) for seed in (1, 2, 3)]


def _planted(seed):
    return seeded.frame(seed, 4000, "messages"), seeded.data(seed, 4000).planted["inbox"]


def told(messages, **choices):
    return responses(messages, **{"as_of": "2026-01-01", "timezone": "America/Chicago", "clock": "wall"} | choices)


def in_time(median, sigma, target=60):
    return (1 + erf(log(target / median) / sigma / sqrt(2))) / 2


def evening(hours, truth):
    after, before = truth["evening_hours"]
    return (hours >= after) | (hours < before)


def test_it_finds_the_busiest_hours_of_the_week(planted):
    truth = planted[0][1]
    law = np.outer(truth["weekdays"], truth["hours"]).ravel()
    third = np.sort(law)[-3]
    counts = sum(told(messages, show="heatmap")["inbound"].to_numpy(int) for messages, _ in planted)

    # The planted rates of the best cells are 27.5, 25, 24.2, 23.8 ...: so few weeks cannot tell the last ones apart.
    top = np.argsort(-counts, kind="stable")[:3]
    assert top[0] == law.argmax()
    assert (law[top] > 0.85 * third).all()
    expected = law / law.sum() * counts.sum()
    assert np.abs((counts - expected) / np.sqrt(expected))[expected > 5].max() < 4.5
    assert np.corrcoef(counts, law)[0, 1] > 0.97


def test_it_finds_how_slow_evenings_are(planted):
    for messages, truth in planted:
        table = told(messages, by="hour")
        late = evening(table["hour"].map(HOURS.index), truth)
        turn = told(messages, show="turns")
        hours = turn["started_at"].dt.tz_convert("America/Chicago").dt.hour
        for rows, when in ((~evening(hours, truth), "day"), (evening(hours, truth), "evening")):
            answered = turn.loc[rows & turn["answered_at"].notna(), "wait_min"]
            assert answered.median() == pytest.approx(truth["reply_median_minutes"][when], rel=0.15)
        assert table.loc[late, "median_min"].median() > 5 * table.loc[~late, "median_min"].median()


def test_it_finds_the_share_that_is_answered_in_time_and_never(planted):
    for messages, truth in planted:
        row = told(messages, by=None).iloc[0]
        hours = told(messages, show="turns")["started_at"].dt.tz_convert("America/Chicago").dt.hour
        late = evening(hours, truth).mean()
        medians, sigma = truth["reply_median_minutes"], truth["reply_sigma"]
        law = (1 - late) * in_time(medians["day"], sigma) + late * in_time(medians["evening"], sigma)
        assert row["on_time_share"] == pytest.approx((1 - truth["unreplied_share"]) * law, abs=0.03)
        # Who got no reply and wrote or was called again weeks later was answered then; by two days nearly all
        # replies have come.
        turn = told(messages, show="turns")
        answered = turn["answered_at"].notna()
        late = 1 - cumulative_incidence(turn["wait_min"], answered, answered).at(2 * 1440.0)[0]
        assert late == pytest.approx(truth["unreplied_share"], abs=0.03)
        assert row["waiting"] / row["turns"] < late


def test_the_answered_alone_would_tell_another_story(planted):
    messages, _ = planted[0]
    turn = told(messages, show="turns")
    answered = turn["answered_at"].notna()
    naive = (turn.loc[answered, "wait_min"] <= 60).mean()

    assert naive > told(messages, by=None).iloc[0]["on_time_share"] + 0.03
