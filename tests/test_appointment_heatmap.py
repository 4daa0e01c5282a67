"""Show rates by weekday and hour: small frames by hand, and the simulated location."""

import pandas as pd
import pytest

import hlkit as hl
from hlkit.analysis.calendar.appointment_heatmap import appointment_heatmap
from hlkit.analysis.core.office_hours import WEEKDAYS
from hlkit.analysis.core.shares import wilson

NOON = pd.Timestamp("2025-06-02T17:00Z")  # Monday at 12 in Chicago


def booked(status="showed", hours=0, **more):
    return {"starts_at": NOON + pd.Timedelta(hours=hours), "status": status, "contact_id": None} | more


def run(*rows, **options):
    options = {"as_of": "2025-07-01", "timezone": "America/Chicago"} | options
    return appointment_heatmap(pd.DataFrame(list(rows)), **options)


def test_the_heatmap_has_all_hours_of_the_week():
    week = run(booked(), booked("noshow"), booked(hours=24))

    assert len(week) == 168
    assert week["weekday"].tolist()[::24] == list(WEEKDAYS)
    with_rows = week[week["booked"] > 0]
    assert with_rows[["weekday", "hour", "booked", "show_share"]].values.tolist() == [
        ["Monday", 12, 2, 0.5],
        ["Tuesday", 12, 1, 1.0],
    ]
    assert week["small"].all()


def test_appointments_of_one_contact_with_one_outcome_count_as_about_one():
    rows = [booked("showed" if n < 15 else "noshow", contact_id=f"c{n}") for n in range(30) for _ in range(6)]

    noon = run(*rows).set_index(["weekday", "hour"]).loc[("Monday", 12)]

    assert (noon["show_low"], noon["show_high"]) == pytest.approx(wilson(15, 30), abs=0.01)
    assert not noon["small"]


def test_unmarked_and_canceled_appointments_are_counted_and_not_in_the_rate():
    week = run(booked(), booked("cancelled"), booked("new"), booked("invalid"), booked(hours=1, is_deleted=True))

    columns = ["booked", "showed", "noshow", "canceled", "unmarked", "show_share"]
    assert week.loc[week["booked"] > 0, columns].values.tolist() == [[3, 1, 0, 1, 1, 1.0]]
    assert week.attrs["hlkit"]["left_out"] == {
        "appointments marked invalid": 1,
        "appointments that were deleted": 1,
    }


def test_without_appointments_the_week_is_zero():
    week = appointment_heatmap(pd.DataFrame([booked()])[:0], as_of=NOON)

    assert week["booked"].tolist() == [0] * 168
    assert appointment_heatmap.headline(week) == "No past appointments as of June 2, 2025."
    appointment_heatmap.plot(week)


def test_the_headline_names_the_busiest_hour_and_its_show_rate_unless_too_few_are_marked():
    few = [booked(), booked("noshow"), booked(hours=24)]
    many = [booked()] * 15 + [booked("noshow")] * 5 + [booked("new")] * 4 + [booked(hours=24)]

    assert appointment_heatmap.headline(run(*few)) == "Most appointments start on Mondays at 12 PM: 2 of 3."
    assert appointment_heatmap.headline(run(*many)) == (
        "Most appointments start on Mondays at 12 PM: 24 of 25; 75% of the 20 marked ones showed up."
    )
    assert appointment_heatmap.headline(run(*few[1:])) == (
        "Most appointments start on Mondays at 12 PM: 1 of 2, as many as in 1 other hour."
    )


def test_the_rows_of_a_weekday_are_its_appointments():
    result = hl.demo(as_of="2026-01-01", size=300).analyses.appointment_heatmap()

    rows = result.rows("Friday")

    assert len(rows) == result.table.set_index("weekday").loc["Friday", "booked"].sum()
    assert rows.columns[:4].tolist() == ["name", "link", "starts_at", "outcome"]
    assert set(rows["starts_at"].dt.tz_convert("America/Chicago").dt.day_name()) == {"Friday"}


def test_the_heatmap_reads_appointments_only():
    assert list(appointment_heatmap.frames) == ["appointments"]
