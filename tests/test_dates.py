"""Dates and date ranges as people write them."""

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import dateutil.tz
import numpy as np
import pandas as pd
import pytest

from hlkit.client.dates import as_text, bounds, from_epochs, instant, period
from hlkit.client.errors import InvalidRequest
from hlkit.client.timezones import zone

CHICAGO = ZoneInfo("America/Chicago")
TODAY = dt.date(2026, 3, 31)  # a Tuesday


def start(value, timezone=CHICAGO, today=TODAY):
    return instant("since", value, lambda: timezone, lambda: today)


def ends(value, timezone=CHICAGO, today=TODAY):
    """Start and end of a period, in local time."""
    return [as_text(moment, timezone) for moment in period("period", value, lambda: timezone, lambda: today)]


@pytest.mark.parametrize(
    "kind", [int, float, str, np.int64, np.float64, np.str_, Decimal], ids=lambda kind: kind.__name__
)
@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (2025, "2025-01-01T06:00Z"),
        (20250701, "2025-07-01T05:00Z"),
        (1_751_328_000, "2025-07-01T00:00Z"),
        (1_751_328_000_000, "2025-07-01T00:00Z"),
    ],
)
def test_a_number_is_a_year_a_day_or_epoch_seconds_or_milliseconds(number, moment, kind):
    assert start(kind(number)) == pd.Timestamp(moment)


def test_fractions_of_epoch_seconds_count():
    assert start(1_751_328_000.25) == start("1751328000.25") == pd.Timestamp("2025-07-01T00:00:00.250Z")


@pytest.mark.parametrize(
    "value",
    [
        *(0, -2025, 999, 2025.5, 9999, 12345, 20251301, 20250230, 1e10, 1e13, 1_751_328_000_000_000, 1e18, 10**5000),
        *(float("nan"), float("inf"), True, np.True_, "1e9", "1_000", Decimal("sNaN")),
    ],
    ids=lambda value: str(value)[:12] if not isinstance(value, int) or value < 10**20 else "huge",
)
def test_any_other_number_is_refused_and_is_never_nanoseconds(value):
    with pytest.raises(InvalidRequest, match="not a date or time") as caught:
        start(value)
    assert '"2025-07-01"' in caught.value.hint or "epoch seconds" in caught.value.hint


@pytest.mark.parametrize(
    "value",
    [
        "2025-07-01",
        " 2025-7-1 ",
        "2025-07",
        "20250701",
        "2025-Q3",
        "2025-07-01 00:00",
        "2025-07-01T05:00Z",
        "2025-07-01t05:00:00.000z",
        "2025-07-01 05:00 UTC",
        "2025-07-01 07:00:00+02:00",
        "2025-07-01 07:00 +0200",
        dt.date(2025, 7, 1),
        dt.datetime(2025, 7, 1),
        dt.datetime(2025, 7, 1, 5, tzinfo=dt.UTC),
        pd.Timestamp("2025-07-01"),
        pd.Timestamp("2025-07-01T14:00", tz="Asia/Tokyo"),
        np.datetime64("2025-07-01"),
        np.datetime64("2025-07-01T00", "ns"),
        pd.Period("2025-07", "M"),
        pd.Period("2025Q3"),
    ],
    ids=repr,
)
def test_dates_of_every_kind_are_the_same_moment(value):
    assert start(value) == pd.Timestamp("2025-07-01T05:00Z")


@pytest.mark.parametrize(
    "value",
    [
        *("", "soon", "03/04/2026", "31.12.2025", "2025-13", "2025-02-30", "2025-07-01 25:00", "2025-07-01 3pm"),
        *("0d", "6m", "30 minutes", "9999 years", b"2025", [2025], pd.Series(["ann@example.com"])),
        *(pd.NaT, pd.NA, np.datetime64("NaT", "D"), dt.time(3), dt.timedelta(1), dt.date.min, dt.datetime.max),
        *(np.timedelta64(5, "m"), np.timedelta64("NaT", "m")),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
def test_a_value_that_is_not_a_date_is_refused_with_examples(value):
    with pytest.raises(InvalidRequest, match="not a date or time") as caught:
        start(value)
    assert all(form in caught.value.hint for form in ('"2025-07-01"', '"last month"', '"30d"', '"6 months"'))
    assert "ann@" not in str(caught.value)


@pytest.mark.parametrize(
    ("typo", "meant"), [("last mnth", "last month"), ("yeserday", "yesterday"), ("this quater", "this quarter")]
)
def test_a_typo_gets_a_suggestion(typo, meant):
    with pytest.raises(InvalidRequest) as caught:
        start(typo)
    assert caught.value.hint.startswith(f'did you mean "{meant}"?')


@pytest.mark.parametrize(
    ("value", "first", "end"),
    [
        ("today", "2026-03-31", "2026-04-01"),
        ("yesterday", "2026-03-30", "2026-03-31"),
        ("this week", "2026-03-30", "2026-04-06"),
        ("last week", "2026-03-23", "2026-03-30"),
        ("this month", "2026-03-01", "2026-04-01"),
        ("last month", "2026-02-01", "2026-03-01"),
        ("last quarter", "2025-10-01", "2026-01-01"),
        ("this quarter", "2026-01-01", "2026-04-01"),
        ("this year", "2026-01-01", "2027-01-01"),
        ("last year", "2025-01-01", "2026-01-01"),
        ("30d", "2026-03-01", "2026-03-31"),
        ("1 day", "2026-03-30", "2026-03-31"),
        ("12w", "2026-01-06", "2026-03-31"),
        ("1 month", "2026-02-28", "2026-03-31"),
        ("6 months", "2025-09-30", "2026-03-31"),
        ("2 years", "2024-03-31", "2026-03-31"),
        ("2025", "2025-01-01", "2026-01-01"),
        (2025, "2025-01-01", "2026-01-01"),
        ("2025-12", "2025-12-01", "2026-01-01"),
        ("2025-Q4", "2025-10-01", "2026-01-01"),
        ("2024-02-29", "2024-02-29", "2024-03-01"),
        (dt.date(2025, 12, 31), "2025-12-31", "2026-01-01"),
        (pd.Period("2025-07-02", "W"), "2025-06-30", "2025-07-07"),
    ],
)
def test_a_period_is_whole_days_and_its_start_is_what_since_means(value, first, end):
    assert ends(value) == [first, end]
    assert as_text(start(value), CHICAGO) == first


def test_case_spaces_and_dashes_do_not_matter():
    assert ends(" Last  MONTH ") == ends("last-month") == ends("last_month") == ends("last month")
    assert ends("Last 30 days") == ends("30 days") == ends("30D") == ends("30d")


@pytest.mark.parametrize(
    ("timezone", "value", "hours"),
    [
        ("America/Chicago", "2026-03-08", 23),
        ("America/Chicago", "2026-11-01", 25),
        ("America/Sao_Paulo", "2018-11-04", 23),  # the day starts at 1 AM: midnight is skipped
        ("America/Chicago", "2026-03", 31 * 24 - 1),
    ],
)
def test_a_day_when_the_clocks_change_is_complete(timezone, value, hours):
    first, end = period("period", value, lambda: ZoneInfo(timezone))
    assert end - first == pd.Timedelta(hours=hours)


@pytest.mark.parametrize(
    "value", [1_751_328_000, "2025-07-01 15:00", dt.datetime(2025, 7, 1), np.datetime64("2025-07")]
)
def test_a_time_is_not_a_period(value):
    with pytest.raises(InvalidRequest, match="is a time, not a range of days"):
        ends(value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"period": "last month", "since": "2025"}, "period cannot be combined with since or until"),
        ({"period": "last month", "until": "2025"}, "period cannot be combined with since or until"),
        ({"since": "2025-07-02", "until": "2025-07-01"}, "is after until"),
        ({"since": "today", "until": "last month"}, "is after until"),
        ({"since": "2025", "until": "soon"}, "until='soon'"),
    ],
)
def test_ends_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(InvalidRequest, match=message):
        bounds(options, lambda: CHICAGO, lambda: TODAY)


def test_the_time_zone_is_not_read_for_a_refused_value_or_one_with_an_offset():
    def never():
        raise AssertionError

    with pytest.raises(InvalidRequest):
        bounds({"since": "last month", "until": "soon"}, never, never)
    assert bounds({"since": 1_751_328_000}, never, never)[0] == pd.Timestamp("2025-07-01", tz="UTC")


@pytest.mark.parametrize("dtype", ["int64", "float64", "Int64"])
def test_a_column_of_epochs_becomes_instants_and_other_numbers_are_refused(dtype):
    moment = pd.Timestamp("2025-07-01", tz="UTC")
    for numbers in ([1_751_328_000_000], [1_751_328_000]):
        assert from_epochs(pd.Series(numbers, dtype=dtype)).tolist() == [moment]
    for numbers in ([1_751_328_000_000, 1_751_328_000], [20250701], [-5], [1_751_328_000_000_000]):
        with pytest.raises(ValueError, match="neither epoch seconds nor milliseconds"):
            from_epochs(pd.Series(numbers, dtype=dtype))
    assert from_epochs(pd.Series([None, 1_751_328_000], dtype="Int64")).notna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("America/Chicago", "America/Chicago"),
        (np.str_(" US/Central "), "US/Central"),
        (CHICAGO, "America/Chicago"),
        (dt.UTC, "UTC"),
        (dt.timezone(dt.timedelta(hours=-5)), "Etc/GMT+5"),
        (dateutil.tz.gettz("America/Chicago"), "America/Chicago"),
    ],
)
def test_a_zone_may_be_a_name_or_a_tzinfo_of_any_library(value, name):
    assert zone(value).key == name


@pytest.mark.parametrize("value", ["Middle/Earth", "", 5, None, dt.timezone(dt.timedelta(minutes=90))])
def test_a_value_that_is_not_a_zone_is_refused(value):
    with pytest.raises(InvalidRequest, match="there is no time zone"):
        zone(value)
