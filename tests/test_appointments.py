"""Show rates of appointments: small frames by hand, and what is planted in the simulated location."""

import numpy as np
import pandas as pd
import pytest
import seeded

import hlkit as hl
from hlkit.analysis.calendar.appointments import LEAD_TIMES, appointments
from hlkit.analysis.core.office_hours import HOURS
from hlkit.analysis.core.shares import wilson
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


def run(*rows, contacts=None, **options):
    return appointments(pd.DataFrame(list(rows)), contacts, **{"as_of": "2025-07-01", "by": None} | options)


def test_show_share_is_of_marked_appointments_and_unmarked_ones_give_bounds():
    rows = (
        [booked()] * 5
        + [booked("noshow")] * 2
        + [booked("confirmed")] * 2
        + [booked("new")]
        + [booked("cancelled")] * 2
    )

    row = run(*rows).iloc[0]

    assert row[["booked", "showed", "noshow", "canceled", "unmarked"]].tolist() == [12, 5, 2, 2, 3]
    assert row["show_share"] == pytest.approx(5 / 7)
    assert (row["show_low"], row["show_high"]) == pytest.approx(wilson(5, 7))
    assert (row["show_floor"], row["show_ceiling"]) == pytest.approx((5 / 10, 8 / 10))
    assert row["cancel_share"] == pytest.approx(2 / 12)
    assert row["unmarked_share"] == pytest.approx(3 / 10)
    assert row["small"]


def test_appointments_of_one_contact_with_one_outcome_count_as_about_one():
    rows = [booked("showed" if n < 15 else "noshow", contact_id=f"c{n}") for n in range(30) for _ in range(6)]
    rows += [booked("cancelled", contact_id=f"c{n}") for n in range(30)]

    row = run(*rows).iloc[0]

    assert (row["show_low"], row["show_high"]) == pytest.approx(wilson(15, 30), abs=0.01)
    # each contact has 1 of 7 canceled, so the contacts do not differ: all rows count
    assert (row["cancel_low"], row["cancel_high"]) == pytest.approx(wilson(30, 210))


@pytest.mark.parametrize(
    ("counts_as", "spellings"),
    [
        ("showed", ["showed", "Showed", "completed"]),
        ("noshow", ["noshow", "no-show", "no_show", "No Show"]),
        ("canceled", ["cancelled", "canceled", "CANCELLED"]),
        ("unmarked", ["new", "confirmed", "active", "", None]),
    ],
)
def test_a_status_is_recognized_in_every_spelling(counts_as, spellings):
    table = run(*[booked(spelling) for spelling in spellings])

    assert table[counts_as].tolist() == [len(spellings)]
    assert "Unknown statuses" not in table.attrs["hlkit"]["definition"]


def test_an_unknown_status_counts_as_unmarked_and_is_listed():
    table = run(booked("rescheduled"), booked())

    assert table[["showed", "unmarked"]].values.tolist() == [[1, 1]]
    assert "Unknown statuses count as unmarked: 'rescheduled'." in table.attrs["hlkit"]["definition"]


def test_deleted_invalid_undated_and_future_appointments_are_left_out_and_counted():
    rows = [booked(), booked(is_deleted=True), booked("invalid"), booked("confirmed", hours=1)]
    rows.append(booked() | {"starts_at": None})

    table = run(*rows, as_of=NOON + pd.Timedelta(minutes=1))

    assert table["booked"].tolist() == [1]
    assert table.attrs["hlkit"]["left_out"] == {
        "appointments that were deleted": 1,
        "appointments marked invalid": 1,
        "appointments in the future": 1,
        "appointments without a start": 1,
    }


def test_an_appointment_that_starts_at_as_of_is_in_the_future():
    assert run(booked(), as_of=NOON)["booked"].sum() == 0


def test_hours_and_weekdays_are_local_and_in_order():
    rows = [booked(hours=4), booked(hours=-3), booked(hours=4), booked(hours=24)]

    hours = run(*rows, by="hour", **CHICAGO)
    days = run(*rows, by="weekday", **CHICAGO)

    assert hours[["hour", "booked"]].values.tolist() == [["9 AM", 1], ["12 PM", 1], ["4 PM", 2]]
    assert days[["weekday", "booked"]].values.tolist() == [["Monday", 3], ["Tuesday", 1]]


def test_after_a_daylight_saving_change_the_hour_is_still_local():
    # 2 PM in London is 14:00 UTC in winter and 13:00 UTC in summer.
    rows = [booked() | {"starts_at": pd.Timestamp(at)} for at in ("2025-03-28T14:00Z", "2025-03-31T13:00Z")]

    table = run(*rows, by="hour", timezone="Europe/London")

    assert table[["hour", "booked"]].values.tolist() == [["2 PM", 2]]


def test_lead_times_are_sorted_with_unknown_ones_last():
    rows = [booked(lead=400), booked(lead=4), booked(lead=24), booked(lead=25), booked(lead=-2), booked()]
    rows[-1]["created_at"] = None

    table = run(*rows, by="lead_time")

    assert table[["lead_time", "booked"]].values.tolist() == [
        ["up to 4 h", 2],
        ["4-24 h", 1],
        ["1-2 days", 1],
        ["over 2 weeks", 1],
        ["(none)", 1],
    ]
    assert run(*rows)["lead_time_median_h"].tolist() == [24]  # of 0, 4, 24, 25 and 400


def test_groups_can_be_columns_of_the_contacts():
    contacts = pd.DataFrame({"contact_id": ["ann", "bob"], "source": ["ads", "referral"], "tags": [["a", "b"], []]})
    rows = [booked(contact_id=name) for name in ("ann", "gone", None)] + [booked("noshow", contact_id="bob")]

    by_source = run(*rows, contacts=contacts, by="source").set_index("source")["booked"]
    by_tag = run(*rows, contacts=contacts, by="tags").set_index("tags")["booked"]

    assert by_source.to_dict() == {"(none)": 2, "ads": 1, "referral": 1}
    assert by_tag.to_dict() == {"(none)": 3, "a": 1, "b": 1}


def test_a_column_that_is_in_neither_frame_is_named_in_the_error():
    for contacts in (None, pd.DataFrame({"contact_id": ["ann"]})):
        with pytest.raises(MissingColumn, match="appointments has no column 'source'"):
            run(booked(), contacts=contacts, by="source")
    with pytest.raises(MissingColumn, match="status"):
        appointments(pd.DataFrame({"starts_at": [NOON]}), as_of="2025-07-01")


def test_without_appointments_the_table_has_no_rows():
    table = appointments(pd.DataFrame([booked()])[:0], as_of=NOON)

    assert len(table) == 0
    assert appointments.headline(table) == "No past appointments as of June 2, 2025."


def test_two_columns_give_a_row_for_each_pair_in_order():
    rows = [booked(hours=4), booked(hours=24), booked(hours=-3), booked(hours=24, status="noshow")]

    table = run(*rows, by=["weekday", "hour"], **CHICAGO)

    assert table[["weekday", "hour", "booked", "show_share"]].values.tolist() == [
        ["Monday", "9 AM", 1, 1],
        ["Monday", "4 PM", 1, 1],
        ["Tuesday", "12 PM", 2, 0.5],
    ]
    appointments.plot(table)


def test_the_rows_of_a_lead_time_are_its_appointments_with_names_and_links():
    location = hl.demo(as_of="2026-01-01", size=300)

    result = location.analyses.appointments(by="lead_time")
    rows = result.rows("4-24 h")

    assert len(rows) == result.table.set_index("lead_time").loc["4-24 h", "booked"]
    assert rows.columns[:4].tolist() == ["name", "link", "starts_at", "outcome"]
    assert rows["lead_time_h"].between(4, 24).all()
    contacts = location.contacts().set_index("contact_id")
    first = rows.iloc[0]
    assert (
        first["name"] == f"{contacts['first_name'][first['contact_id']]} {contacts['last_name'][first['contact_id']]}"
    )
    assert first["link"].endswith(first["contact_id"])


@pytest.mark.parametrize(
    ("by", "reads_contacts"),
    [
        (None, False),
        ("hour", False),
        (["lead_time", "calendar"], False),
        ("owner_id", False),
        ("source", True),
        (["hour", "tags"], True),
    ],
)
def test_contacts_are_read_only_to_group_by_one_of_their_columns(by, reads_contacts):
    assert ("contacts" in appointments.resources_for({"by": by})) == reads_contacts


def test_the_headline_gives_the_show_rate_and_what_unmarked_ones_could_change():
    rows = [booked()] * 30 + [booked("noshow")] * 10 + [booked("cancelled")] * 5

    assert appointments.headline(run(*rows)) == "75% of 40 marked appointments showed up."
    assert appointments.headline(run(*rows, *[booked("new")] * 10)) == (
        "75% of 40 marked appointments showed up; counting 10 unmarked ones, it could be 60% to 80%."
    )
    assert appointments.headline(run(booked("new"))) == "No appointment has been marked as showed or no-show yet."
    assert appointments.headline(run(booked(), booked("new"))) == (
        "100% of 1 marked appointment showed up; counting 1 unmarked one, it could be 50% to 100% (fewer than 20 "
        "rows: too few to say much)."
    )


# As planted


@pytest.fixture(scope="module")
def planted():
    return [_planted(seed) for seed in (1, 2, 3)]


def _planted(seed):
    frames = [seeded.frame(seed, 6000, name) for name in ("appointments", "contacts")]
    return frames, seeded.data(seed, 6000).planted["appointments"]


def run_planted(frames, **options):
    return appointments(*frames, **{"as_of": "2026-01-01", **CHICAGO} | options)


def test_the_true_rate_of_each_hour_is_within_the_bounds(planted):
    for frames, truth in planted:
        table = run_planted(frames, by="hour").set_index("hour")
        for hour, true in truth["show_share_by_local_hour"].items():
            row = table.loc[HOURS[int(hour)]]
            assert row["show_floor"] - 0.01 <= true <= row["show_ceiling"] + 0.01


def test_8_am_has_the_lowest_show_rate(planted):
    marked = (
        pd.concat([run_planted(frames, by="hour") for frames, _ in planted])
        .groupby("hour")[["showed", "noshow"]]
        .sum()
    )
    shares = marked["showed"] / marked.sum(axis=1)

    assert shares.idxmin() == "8 AM"
    assert (
        wilson(*marked.assign(n=marked.sum(axis=1)).loc["8 AM", ["showed", "n"]])[1]
        < shares.drop("8 AM").min() + 0.02
    )


def test_referrals_show_up_more_often_and_long_lead_times_less(planted):
    for frames, truth in planted:
        sources = run_planted(frames, by="source").set_index("source")["show_share"]
        leads = run_planted(frames, by="lead_time").set_index("lead_time")
        large = leads.loc[[name for name in LEAD_TIMES if name in leads.index and not leads.loc[name, "small"]]]
        assert sources["referral"] == sources.drop(["(none)"]).max()
        assert (np.diff(large["show_share"]) < 0.05).all()
        assert large["show_share"].iloc[-1] < 0.5 * large["show_share"].iloc[0]
        row = run_planted(frames, by=None).iloc[0]
        assert row["unmarked_share"] == pytest.approx(truth["unmarked_share"], abs=0.02)
