"""Who comes to appointments: by hand, and as it is planted in the simulated location."""

import numpy as np
import pandas as pd
import pytest
import seeded

import hlkit as hl
from hlkit.analysis.calendar.appointments import LEAD_TIMES, WEEKDAYS, appointments
from hlkit.analysis.core.groups import HOURS, wilson
from hlkit.client.errors import MissingColumn

NOON = pd.Timestamp("2025-06-02T17:00Z")  # Monday at 12 in Chicago
CHICAGO = {"timezone": "America/Chicago"}


def booked(status="showed", hours=0, lead=24, **more):
    start = NOON + pd.Timedelta(hours=hours)
    return {
        "starts_at": start,
        "created_at": start - pd.Timedelta(hours=lead),
        "status": status,
        "contact_id": None,
    } | more


def ask(*rows, contacts=None, **choices):
    return appointments(pd.DataFrame(list(rows)), contacts, **{"as_of": "2025-07-01", "by": None} | choices)


def test_shares_are_of_those_marked_and_the_unmarked_bound_them():
    rows = (
        [booked()] * 5
        + [booked("noshow")] * 2
        + [booked("confirmed")] * 2
        + [booked("new")]
        + [booked("cancelled")] * 2
    )

    row = ask(*rows).iloc[0]

    assert row[["booked", "showed", "noshow", "cancelled", "unmarked"]].tolist() == [12, 5, 2, 2, 3]
    assert row["show_share"] == pytest.approx(5 / 7)
    assert (row["show_low"], row["show_high"]) == pytest.approx(wilson(5, 7))
    assert (row["show_floor"], row["show_ceiling"]) == pytest.approx((5 / 10, 8 / 10))
    assert row["cancel_share"] == pytest.approx(2 / 12)
    assert row["unmarked_share"] == pytest.approx(3 / 10)
    assert row["small"]


def test_appointments_of_one_contact_that_are_alike_are_worth_about_one():
    rows = [booked("showed" if n < 15 else "noshow", contact_id=f"c{n}") for n in range(30) for _ in range(6)]
    rows += [booked("cancelled", contact_id=f"c{n}") for n in range(30)]

    row = ask(*rows).iloc[0]
    week = ask(*rows, show="heatmap", **CHICAGO).set_index(["weekday", "hour"]).loc[("Monday", 12)]

    assert (row["show_low"], row["show_high"]) == pytest.approx(wilson(15, 30), abs=0.01)
    assert (week["show_low"], week["show_high"]) == (row["show_low"], row["show_high"])
    # of each contact's seven one is canceled, as alike as can be: all rows count
    assert (row["cancel_low"], row["cancel_high"]) == pytest.approx(wilson(30, 210))


@pytest.mark.parametrize(
    ("counts_as", "spellings"),
    [
        ("showed", ["showed", "Showed", "completed"]),
        ("noshow", ["noshow", "no-show", "no_show", "No Show"]),
        ("cancelled", ["cancelled", "canceled", "CANCELLED"]),
        ("unmarked", ["new", "confirmed", "active", "", None]),
    ],
)
def test_a_status_is_known_in_every_spelling(counts_as, spellings):
    table = ask(*[booked(spelling) for spelling in spellings])

    assert table[counts_as].tolist() == [len(spellings)]
    assert "does not know" not in table.attrs["hlkit"]["definition"]


def test_a_status_that_nobody_knows_is_unmarked_and_named():
    table = ask(booked("rescheduled"), booked())

    assert table[["showed", "unmarked"]].values.tolist() == [[1, 1]]
    assert "'rescheduled'" in table.attrs["hlkit"]["definition"]


def test_deleted_invalid_undated_ones_and_those_to_come_are_left_out_and_told():
    rows = [booked(), booked(is_deleted=True), booked("invalid"), booked("confirmed", hours=1)]
    rows.append(booked() | {"starts_at": None})

    table = ask(*rows, as_of=NOON + pd.Timedelta(minutes=1))

    assert table["booked"].tolist() == [1]
    assert table.attrs["hlkit"]["left_out"] == {
        "appointments that were deleted": 1,
        "appointments marked invalid": 1,
        "appointments to come": 1,
        "appointments without a start": 1,
    }


def test_one_that_starts_at_as_of_is_still_to_come():
    assert ask(booked(), as_of=NOON)["booked"].sum() == 0


def test_hours_and_weekdays_are_the_locations_and_come_in_their_order():
    rows = [booked(hours=4), booked(hours=-3), booked(hours=4), booked(hours=24)]

    hours = ask(*rows, by="hour", **CHICAGO)
    days = ask(*rows, by="weekday", **CHICAGO)

    assert hours[["hour", "booked"]].values.tolist() == [["9 AM", 1], ["12 PM", 1], ["4 PM", 2]]
    assert days[["weekday", "booked"]].values.tolist() == [["Monday", 3], ["Tuesday", 1]]


def test_an_hour_after_the_clocks_change_is_the_hour_on_the_wall():
    # 14:00 in London is 14:00 UTC in winter and 13:00 UTC in summer.
    rows = [booked() | {"starts_at": pd.Timestamp(at)} for at in ("2025-03-28T14:00Z", "2025-03-31T13:00Z")]

    table = ask(*rows, by="hour", timezone="Europe/London")

    assert table[["hour", "booked"]].values.tolist() == [["2 PM", 2]]


def test_lead_times_come_from_the_shortest_on_and_unknown_ones_last():
    rows = [booked(lead=400), booked(lead=4), booked(lead=24), booked(lead=25), booked(lead=-2), booked()]
    rows[-1]["created_at"] = None

    table = ask(*rows, by="lead_time")

    assert table[["lead_time", "booked"]].values.tolist() == [
        ["up to 4 h", 2],
        ["4-24 h", 1],
        ["1-2 days", 1],
        ["over 2 weeks", 1],
        ["(none)", 1],
    ]
    assert ask(*rows)["lead_time_median_h"].tolist() == [24]  # of 0, 4, 24, 25 and 400


def test_groups_by_what_is_known_of_the_contact():
    contacts = pd.DataFrame({"contact_id": ["ann", "bob"], "source": ["ads", "referral"], "tags": [["a", "b"], []]})
    rows = [booked(contact_id=name) for name in ("ann", "gone", None)] + [booked("noshow", contact_id="bob")]

    by_source = ask(*rows, contacts=contacts, by="source").set_index("source")["booked"]
    by_tag = ask(*rows, contacts=contacts, by="tags").set_index("tags")["booked"]

    assert by_source.to_dict() == {"(none)": 2, "ads": 1, "referral": 1}
    assert by_tag.to_dict() == {"(none)": 3, "a": 1, "b": 1}


def test_a_column_that_neither_frame_has_is_named():
    for contacts in (None, pd.DataFrame({"contact_id": ["ann"]})):
        with pytest.raises(MissingColumn, match="appointments has no column 'source'"):
            ask(booked(), contacts=contacts, by="source")
    with pytest.raises(MissingColumn, match="status"):
        appointments(pd.DataFrame({"starts_at": [NOON]}), as_of="2025-07-01")


def test_the_week_has_all_its_hours_and_adds_up():
    rows = [booked(), booked("noshow"), booked(hours=24)]

    week = ask(*rows, show="heatmap", **CHICAGO)

    assert len(week) == 168
    assert week["weekday"].tolist()[::24] == list(WEEKDAYS)
    some = week[week["booked"] > 0]
    assert some[["weekday", "hour", "booked", "show_share"]].values.tolist() == [
        ["Monday", 12, 2, 0.5],
        ["Tuesday", 12, 1, 1.0],
    ]


def test_nothing_at_all_is_a_table_without_rows():
    none = pd.DataFrame([booked()])[:0]

    assert len(appointments(none, as_of=NOON)) == 0
    week = appointments(none, as_of=NOON, show="heatmap")
    assert week["booked"].tolist() == [0] * 168
    hl.analyses.appointments.plot(week)


# As planted


@pytest.fixture(scope="module")
def planted():
    return [_planted(seed) for seed in (1, 2, 3)]


def _planted(seed):
    frames = [seeded.frame(seed, 6000, name) for name in ("appointments", "contacts")]
    return frames, seeded.data(seed, 6000).planted["appointments"]


def told(frames, **choices):
    return appointments(*frames, **{"as_of": "2026-01-01", **CHICAGO} | choices)


def test_the_truth_of_each_hour_lies_within_the_bounds_of_the_unmarked(planted):
    for frames, truth in planted:
        table = told(frames, by="hour").set_index("hour")
        for hour, true in truth["show_share_by_local_hour"].items():
            row = table.loc[HOURS[int(hour)]]
            assert row["show_floor"] - 0.01 <= true <= row["show_ceiling"] + 0.01


def test_eight_in_the_morning_is_the_worst_hour_of_all(planted):
    marked = pd.concat([told(frames, by="hour") for frames, _ in planted]).groupby("hour")[["showed", "noshow"]].sum()
    shares = marked["showed"] / marked.sum(axis=1)

    assert shares.idxmin() == "8 AM"
    assert (
        wilson(*marked.assign(n=marked.sum(axis=1)).loc["8 AM", ["showed", "n"]])[1]
        < shares.drop("8 AM").min() + 0.02
    )


def test_the_referred_come_more_often_and_the_longer_booked_less(planted):
    for frames, truth in planted:
        sources = told(frames, by="source").set_index("source")["show_share"]
        leads = told(frames, by="lead_time").set_index("lead_time")
        known = leads.loc[[name for name in LEAD_TIMES if name in leads.index and not leads.loc[name, "small"]]]
        assert sources["referral"] == sources.drop(["(none)"]).max()
        assert (np.diff(known["show_share"]) < 0.05).all()
        assert known["show_share"].iloc[-1] < 0.5 * known["show_share"].iloc[0]
        row = told(frames, by=None).iloc[0]
        assert row["unmarked_share"] == pytest.approx(truth["unmarked_share"], abs=0.02)
