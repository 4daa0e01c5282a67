"""Leads by day: counts by hand, the days that the simulated location plants, and statsmodels as the oracle."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import hlkit as hl
from hlkit.analysis.core.rows_behind import RowsBehind
from hlkit.analysis.leads.expected_leads import MIN_MEAN, UNUSUAL, fit_start, poisson_fit
from hlkit.client.errors import InvalidRequest
from hlkit.client.schema import INSTANT, TEXT
from hlkit.sim.clock import Clock
from hlkit.sim.contacts import seeded_contacts

lead_volume = hl.analyses.lead_volume


def contacts(*created, **more):
    """Contacts by when they were created: instants in UTC."""
    ids = [f"c{number}" for number in range(len(created))]
    frame = pd.DataFrame({"contact_id": pd.Series(ids, dtype=TEXT.dtype)})
    frame["created_at"] = pd.Series(pd.to_datetime(list(created), utc=True, format="ISO8601")).astype(INSTANT.dtype)
    return frame.assign(**more)


def daily(counts, start="2025-01-06"):
    """So many contacts on each day from a Monday on, a minute or more apart."""
    days = pd.date_range(start, periods=len(counts), tz="UTC")
    return contacts(
        *(day + pd.Timedelta(minutes=20 * i) for day, n in zip(days, counts, strict=True) for i in range(n))
    )


def after(counts, start="2025-01-06"):
    return pd.Timestamp(start, tz="UTC") + pd.Timedelta(days=len(counts))


def test_days_without_a_lead_are_counted_and_today_is_not():
    frame = contacts("2025-03-03T10:00Z", "2025-03-03T11:00Z", "2025-03-05T23:59Z", "2025-03-07T08:00Z")

    table = lead_volume(frame, as_of="2025-03-07T12:00Z")

    assert table["date"].dt.strftime("%m-%d").tolist() == ["03-03", "03-04", "03-05", "03-06"]
    assert table["leads"].tolist() == [2, 0, 1, 0]
    assert table["weekday"].tolist() == ["Mon", "Tue", "Wed", "Thu"]
    assert table.attrs["hlkit"]["left_out"] == {"contacts of the last, incomplete day": 1}


def test_a_day_that_ends_at_as_of_is_complete():
    table = lead_volume(contacts("2025-03-03T10:00Z"), as_of="2025-03-04T00:00Z")

    assert table["leads"].tolist() == [1]


def test_days_are_in_the_locations_time_zone_even_when_clocks_change():
    # In Chicago 2025-03-09 has 23 hours, from 06:00Z to 05:00Z, and 2025-11-02 has 25.
    spring = contacts("2025-03-09T05:59Z", "2025-03-09T06:00Z", "2025-03-10T04:59Z", "2025-03-10T05:00Z")
    autumn = contacts("2025-11-02T04:59Z", "2025-11-02T05:00Z", "2025-11-03T05:59Z", "2025-11-03T06:00Z")

    for frame, end in ((spring, "2025-03-11T05:00Z"), (autumn, "2025-11-04T06:00Z")):
        table = lead_volume(frame, as_of=end, timezone="America/Chicago")
        assert table["leads"].tolist() == [1, 2, 1]


def test_imported_contacts_are_left_out_and_counted():
    burst = [f"2025-03-04T14:07:{second:02d}.{part}Z" for second in range(60) for part in (1, 5)]

    table = lead_volume(contacts("2025-03-03T10:00Z", *burst, "2025-03-05T10:00Z"), as_of="2025-03-06")

    assert table["leads"].tolist() == [1, 0, 1]
    assert table.attrs["hlkit"]["left_out"] == {"contacts of an import": 120}


def test_a_group_starts_with_its_first_lead_and_groups_add_up():
    frame = contacts("2025-03-03T10:00Z", "2025-03-04T10:00Z", "2025-03-05T10:00Z", source=["ads", "ads", None])

    table = lead_volume(frame, as_of="2025-03-06", by="source")

    assert table.groupby("source", sort=False)["leads"].apply(list).to_dict() == {"ads": [1, 1, 0], "(none)": [1]}


@pytest.mark.parametrize(("counts", "dispersion"), [([9] * 55, None), ([4] * 100, 1.0), ([1, 0, 0] * 30, None)])
def test_without_enough_weeks_and_leads_there_is_no_expected_range_and_a_remark_says_so(counts, dispersion):
    table = lead_volume(daily(counts), as_of=after(counts))

    assert table["leads"].tolist() == counts
    assert table[["expected", "low", "high", "z", "anomaly"]].isna().all(axis=None)
    assert table["dispersion"].dropna().tolist() == ([] if dispersion is None else [dispersion] * len(counts))
    assert table.attrs["hlkit"]["definition"].endswith(
        " There are less than 8 weeks of at least 5 leads a day: too little history to detect unusual days."
    )


def test_groups_with_too_little_history_are_counted():
    frame = pd.concat([daily([9] * 70), daily([3] * 70), daily([1, 0] * 35)], ignore_index=True)
    frame["contact_id"] = [f"c{number}" for number in range(len(frame))]
    frame["source"] = ["ads"] * 630 + ["web"] * 210 + ["fair"] * 35

    days, weeks = (
        lead_volume(frame, as_of=after([0] * 70), by="source", every=every).attrs["hlkit"]["definition"]
        for every in ("day", "week")
    )

    assert "2 of 3 groups have less than 8 weeks of at least 5 leads a day" in days
    assert "1 of 3 groups have less than 8 weeks of at least 1 lead a day: too little history to test" in weeks
    assert "yearly seasons are not modeled" in days


def test_an_unusual_day_is_far_from_the_expected_number():
    counts = [16] * 70
    counts[30] = 64

    table = lead_volume(daily(counts), as_of=after(counts))

    # 2 (sqrt(64 3/8) - sqrt(16 3/8)) = 2 (8.0234 - 4.0466), and (4.0466 -+ 3.3 / 2) ** 2 - 3/8
    unusual = table[table["anomaly"]]
    assert unusual["date"].dt.strftime("%Y-%m-%d").tolist() == ["2025-02-05"]
    row = unusual[["leads", "expected", "low", "high", "z"]].iloc[0].astype("float64").tolist()
    assert row == pytest.approx([64, 16, 5.369, 32.077, 7.954], abs=2e-3)
    assert table.loc[0, "z"] == pytest.approx(0, abs=1e-6)
    assert table["dispersion"].tolist() == [1.0] * 70  # of the usual days, which do not vary


def test_a_weekday_without_leads_is_not_unusual():
    counts = ([12] * 5 + [0, 0]) * 10

    table = lead_volume(daily(counts), as_of=after(counts))

    assert not table["anomaly"].any()
    assert table.loc[table["weekday"] == "Sun", "expected"].tolist() == [0] * 10


def test_days_that_vary_more_than_chance_have_a_wider_range():
    rng = np.random.default_rng(0)
    calm, wild = rng.poisson(20, 200), rng.poisson(20 * rng.gamma(4, 1 / 4, 200))

    width = [
        (table["high"] - table["low"]).mean()
        for table in (lead_volume(daily(counts), as_of=after(counts)) for counts in (calm, wild))
    ]

    assert width[1] > 1.8 * width[0]


# ---- changes

# By week, in an order that has no trend: sums of week and sign are 0.
SIGNS = [1, -1, -1, 1, 1, -1, -1, 1]


def waves(mean, size):
    """Eight weeks of days that are all *size* above or below the *mean*."""
    return [mean + sign * size for sign in SIGNS for _ in range(7)]


@pytest.mark.parametrize(
    ("counts", "dispersion"),
    [
        (waves(16, 8), 56 * 8**2 / 16 / 48),  # 56 days less 7 weekdays and a trend: 4.667
        (waves(16, 4), 56 * 4**2 / 16 / 48),
        (waves(4, 3), 56 * 3**2 / 4 / 48),  # too few leads a day for an expected range
        (waves(16, 1), 1),  # 0.073, less than chance
    ],
)
def test_dispersion_is_how_much_more_days_vary_than_chance(counts, dispersion):
    for every in ("day", "week"):
        table = lead_volume(daily(counts), as_of=after(counts), every=every)

        assert table["dispersion"].tolist() == pytest.approx([dispersion] * len(table))


def test_a_week_is_compared_with_the_same_weekdays_of_the_week_before():
    counts = [1, 1, 1, 1, 1, 0, 0, 3, 3, 2, 1, 1, 0, 0, 2, 1]

    table = lead_volume(daily(counts), as_of=after(counts), every="week")

    assert table["date"].dt.strftime("%m-%d").tolist() == ["01-06", "01-13", "01-20"]
    assert table["whole"].tolist() == [True, True, False]
    assert table["leads"].tolist() == [5, 10, 3]
    assert table["before"].tolist() == [pd.NA, 5, 6]
    assert table["change"].tolist() == pytest.approx([np.nan, 1, -0.5], nan_ok=True)
    assert table[["change_low", "change_high", "dispersion"]].isna().all(axis=None)  # too little history


def test_the_interval_of_a_change_divides_the_counts_by_the_dispersion():
    counts = waves(16, 8)

    table = lead_volume(daily(counts), as_of=after(counts), every="week")

    # 168 leads after 56 at a dispersion of 4.667 are 36 after 12. 36 of 48 by Wilson is 0.6122 to 0.8508, so the
    # ratio, 3, is 1.5784 to 5.7021. By chance alone it would be 2.22 to 4.05.
    last = table.iloc[-1]
    assert (last["leads"], last["before"]) == (168, 56)
    assert last[["change", "change_low", "change_high"]].tolist() == pytest.approx([2, 0.578, 4.702], abs=2e-3)


def test_the_weeks_before_a_group_starts_are_null():
    frame = pd.concat([daily([1] * 21), daily([2] * 14, start="2025-01-08")], ignore_index=True)  # a Wednesday
    frame["contact_id"] = [f"c{number}" for number in range(len(frame))]
    frame["source"] = ["web"] * 21 + ["ads"] * 28

    table = lead_volume(frame, as_of="2025-01-22", by="source", every="week").set_index("source")

    assert table.loc["ads", "leads"].tolist() == [10, 14, 4]
    assert table.loc["ads", "before"].tolist() == [pd.NA, pd.NA, 4]
    assert table.loc["ads", "change"].tolist() == pytest.approx([np.nan, np.nan, 0], nan_ok=True)
    assert table.loc["web", "before"].tolist() == [pd.NA, 7, 2]


def test_a_month_is_compared_with_the_month_before_by_leads_a_day():
    counts = [2] * 26 + [4] * 28 + [4] * 15  # January 6 to 31, February, March 1 to 15

    table = lead_volume(daily(counts), as_of=after(counts), every="month")

    assert table["date"].dt.strftime("%Y-%m-%d").tolist() == ["2025-01-01", "2025-02-01", "2025-03-01"]
    assert table["whole"].tolist() == [False, True, False]
    assert table["leads"].tolist() == [52, 112, 60]
    assert table["before"].tolist() == [pd.NA, pd.NA, 60]  # not all of January; February 1 to 15
    assert table["change"].tolist() == pytest.approx([np.nan, np.nan, 0], nan_ok=True)


def test_months_of_different_length_are_compared_by_leads_a_day():
    counts = [9] * 31 + [9] * 28 + [9] * 31
    frame, as_of = daily(counts, start="2025-01-01"), after(counts, "2025-01-01")

    table = lead_volume(frame, as_of=as_of, every="month")

    assert table[["leads", "before"]].values.tolist() == [[279, pd.NA], [252, 279], [279, 252]]
    assert table["change"].tolist() == pytest.approx([np.nan, 0, 0], nan_ok=True)
    # 279 of 531 is 0.5254, by Wilson 0.4829 to 0.5676: a ratio of 0.9337 to 1.3126, over 31 days to 28
    last = table.iloc[-1]
    assert [last["change_low"], last["change_high"]] == pytest.approx([-0.1566, 0.1856], abs=1e-3)
    assert lead_volume.headline(table) == (
        "279 leads in March 2025 (9.0 a day), vs. 252 (9.0 a day) the month before, no significant change."
    )


def test_a_day_is_compared_with_the_same_weekday_of_the_week_before():
    counts = [1, 2, 3, 4, 5, 0, 0, 3, 2]

    table = lead_volume(daily(counts), as_of=after(counts))

    assert table["before"].tolist() == [pd.NA] * 7 + [1, 2]
    assert table["change"].tolist() == pytest.approx([np.nan] * 7 + [2, 0], nan_ok=True)
    assert table["whole"].all()


@pytest.mark.parametrize("every", ["week", "month"])
def test_only_days_have_a_weekday_and_an_expected_range(every):
    table = lead_volume(daily([16] * 90), as_of=after([0] * 90), every=every)

    assert table[["weekday", "expected", "low", "high", "z", "anomaly"]].isna().all(axis=None)
    assert table["dispersion"].notna().all()


def test_the_rows_of_a_group_or_a_date_are_its_leads():
    created = ["2025-03-03T10:00Z", "2025-03-03T11:00Z", "2025-03-05T23:59Z", "2025-03-07T08:00Z"]
    frame = contacts(*created, source=["ads", "web", "ads", "ads"])
    table, log = lead_volume.run(frame, as_of="2025-03-07T12:00Z", by="source")
    behind = RowsBehind(table, log, lead_volume.rows, lambda rows: rows)

    assert behind.of("ads")["contact_id"].tolist() == ["c0", "c2"]  # the last day is incomplete
    assert behind.of("2025-03-03")["contact_id"].tolist() == ["c0", "c1"]
    assert behind.of(("ads", "2025-03-03"))["contact_id"].tolist() == ["c0"]
    assert behind.of(("web", "2025-03-03")).columns.tolist() == ["created_at", "contact_id"]


def simulated(dispersion, groups, weeks, rng):
    """Contacts of so many groups, whose days have a mean of 25 and a variance of *dispersion* times that."""
    mean, days = 25, weeks * 7
    size = (groups, days)
    counts = (
        rng.poisson(mean, size)
        if dispersion == 1
        else rng.negative_binomial(mean / (dispersion - 1), 1 / dispersion, size)
    )
    group, day = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(size))
    return pd.DataFrame(
        {
            "contact_id": np.arange(len(day)).astype(str),
            "created_at": pd.Timestamp("2025-01-06T12:00Z") + pd.to_timedelta(day, unit="D"),
            "source": group.astype(str),
        }
    )


@pytest.mark.parametrize("dispersion", [1, 4])
def test_a_change_by_chance_is_rarely_significant(dispersion):
    frame = simulated(dispersion, 150, 12, np.random.default_rng(dispersion))
    choices = {"as_of": after([0] * 84), "by": "source", "imports": "include"}

    weeks = lead_volume(frame, every="week", **choices).dropna(subset="change_low")
    days = lead_volume(frame, **choices)

    assert len(weeks) == 150 * 11
    covered = (weeks["change_low"] <= 0) & (weeks["change_high"] >= 0)
    assert 0.93 <= covered.mean() <= 0.975  # at a dispersion of 4 by chance alone: 0.67
    headlines = [lead_volume.headline(group) for _, group in days.groupby("source")]
    claims = sum("a significant change" in headline for headline in headlines)
    assert claims + sum("no significant change" in headline for headline in headlines) == 150
    assert claims / 150 <= 0.1  # by chance alone: 0.32


# ---- the fitted span

STRAYS = {
    "1970": ["1970-01-02T10:00Z"],
    "three years ago": ["2022-01-05T10:00Z", "2022-01-05T11:00Z", "2022-03-01T10:00Z"],
    "every few weeks": [f"{day:%Y-%m-%d}T10:00Z" for day in pd.date_range("2020-01-01", "2024-12-31", freq="20D")],
    "the week before": ["2025-01-01T10:00Z"],
}


def with_strays(counts, name):
    frame = pd.concat([contacts(*STRAYS[name]), daily(counts)], ignore_index=True)
    return frame.assign(contact_id=[f"c{number}" for number in range(len(frame))])


@pytest.mark.parametrize("name", STRAYS)
def test_a_few_early_leads_do_not_change_the_fit(name):
    counts = [16] * 70
    counts[30] = 64
    frame, as_of = with_strays(counts, name), after(counts)
    model = ["expected", "low", "high", "z", "anomaly", "dispersion"]

    table, alone = lead_volume(frame, as_of=as_of), lead_volume(daily(counts), as_of=as_of)

    assert table["leads"].sum() == len(frame)
    assert table["date"].min() == pd.Timestamp(STRAYS[name][0][:10])
    assert table[model].head(-70).isna().all(axis=None)
    pd.testing.assert_frame_equal(table[model].tail(70).reset_index(drop=True), alone[model])
    assert lead_volume.headline(table) == lead_volume.headline(alone)


def test_a_change_of_few_leads_a_day_is_tested_despite_an_early_lead():
    counts = waves(4, 3)

    table = lead_volume(with_strays(counts, "1970"), as_of=after(counts), every="week")

    assert table["leads"].sum() == sum(counts) + 1
    assert table["dispersion"].dropna().tolist() == pytest.approx([56 * 3**2 / 4 / 48] * 8)
    # the days before the first fitted week are not fitted, so its change is not tested
    is_tested = table["change_low"].notna()
    assert is_tested.tolist()[-8:] == [False] + [True] * 7
    assert not is_tested[:-8].any()


@pytest.mark.parametrize(
    ("counts", "start"),
    [
        ([10] * 60, 0),
        ([10] * 55, None),  # less than 8 weeks
        ([4] * 60, None),  # fewer than 5 a day
        ([1] * 30 + [10] * 60, 15),  # 15 times 1 and 13 times 10 are the first 28 days with 140
        ([10] * 70 + [0] * 27 + [10] * 60, 0),  # no gap
        ([10] * 70 + [0] * 28 + [10] * 60, 98),
        ([10] * 70 + [0] * 28 + [10] * 50, 0),  # the latest stretch is too short
        ([10] * 70 + [0] * 40, 0),
        ([40] * 50 + [0] * 60, None),  # the only period is too short
        ([10, 0, 0, 0, 0, 0, 0] * 20, None),  # most days have no leads
    ],
)
def test_a_fit_starts_with_regular_leads_and_is_eight_weeks_long(counts, start):
    assert fit_start(np.array(counts, dtype="float64"), MIN_MEAN, MIN_MEAN) == start


# ---- headlines


def test_the_headline_has_the_numbers_first_and_the_significance_second():
    counts = [23] * 28 + [26] * 28
    table = lead_volume(daily(counts), as_of=after(counts))
    numbers = "26.0 leads a day in the last 28 days, vs. 23.0 in the 28 days before"

    # 728 of 1,372 is 0.531 +- 0.026; at a dispersion of 4 it is +- 0.053
    assert table["dispersion"].tolist() == [1.0] * 56
    assert lead_volume.headline(table) == f"{numbers}, a significant change. No days were unusual."
    noisy, unknown = table.assign(dispersion=4.0), table.assign(dispersion=np.nan)
    assert lead_volume.headline(noisy).startswith(f"{numbers}, no significant change. ")
    assert lead_volume.headline(unknown).startswith(f"{numbers}, too little history to test the change. ")


def test_the_headline_names_the_latest_unusual_day():
    counts = [16] * 70
    counts[30] = 64
    once = lead_volume.headline(lead_volume(daily(counts), as_of=after(counts)))
    counts[50] = 48
    twice = lead_volume.headline(lead_volume(daily(counts), as_of=after(counts)))

    # the 28 days before the last have 27 * 16 + 64 = 496 leads
    assert once == (
        "16.0 leads a day in the last 28 days, vs. 17.7 in the 28 days before, no significant change. "
        "1 day was unusual: February 5, 2025, with 64 leads (16 expected)."
    )
    assert twice.endswith("2 days were unusual, the latest on February 25, 2025, with 48 leads (16 expected).")


def test_the_headline_of_groups_names_the_largest():
    counts = [16] * 70
    counts[30] = 64
    frame = daily(counts).assign(source="ads")
    frame.loc[::16, "source"] = "web"

    headline = lead_volume.headline(lead_volume(frame, as_of=after(counts), by="source"))

    assert headline == "Most leads in the last 28 days: ads, 420. 1 day was unusual for its group."


def test_with_little_history_the_headline_does_not_test_the_change():
    headlines = {
        days: lead_volume.headline(lead_volume(daily([3] * days), as_of=after([3] * days))) for days in (5, 55)
    }
    stray = lead_volume.headline(lead_volume(with_strays([3] * 28, "1970"), as_of=after([3] * 28)))

    assert headlines[5] == "15 leads in 5 days, too little history to test the change."
    assert headlines[55] == "165 leads in 55 days, too little history to test the change."
    assert stray == (
        "3.0 leads a day in the last 28 days, vs. 0.0 in the 28 days before, too little history to test the change."
    )


def test_the_headline_of_weeks_compares_the_last_full_week():
    counts = [*waves(16, 8), 3]
    table = lead_volume(daily(counts), as_of=after(counts), every="week")
    first = lead_volume(daily([3] * 9), as_of=after([3] * 9), every="week")
    second = lead_volume(daily([3] * 14), as_of=after([3] * 14), every="week")

    assert lead_volume.headline(table) == (
        "168 leads in the week of February 24, 2025, vs. 56 the week before, a significant change."
    )
    assert lead_volume.headline(first) == "21 leads in the week of January 6, 2025."
    assert lead_volume.headline(second) == (
        "21 leads in the week of January 13, 2025, vs. 21 the week before, too little history to test the change."
    )


def test_the_headline_of_groups_by_week_or_month_has_the_largest():
    frame = daily([16] * 90).assign(source="ads")
    frame.loc[::4, "source"] = "web"
    choices = {"as_of": after([0] * 90), "by": "source"}

    weeks, months = (lead_volume.headline(lead_volume(frame, every=every, **choices)) for every in ("week", "month"))

    # 12 leads a day from ads, from January 6 to April 5
    assert weeks == (
        "Most leads in the week of March 24, 2025: ads, 84. The week before, ads had 84: no significant change."
    )
    assert months == (
        "Most leads in March 2025: ads, 372. The month before, ads had 336 (12.0 a day): no significant change."
    )


def test_without_a_full_week_or_month_the_headline_counts_the_leads():
    frame, as_of = daily([3] * 4).assign(source=["a", "b"] * 6), after([0] * 4)

    assert lead_volume.headline(lead_volume(frame, as_of=as_of, every="month")) == (
        "12 leads so far, in less than a full month."
    )
    assert lead_volume.headline(lead_volume(frame, as_of=as_of, every="week", by="source")) == (
        "No group has a full week yet."
    )


def test_too_many_groups_are_refused():
    created = pd.Timestamp("2010-01-01T00:00Z") + pd.to_timedelta(np.arange(3000) * 61, unit="s")
    frame = contacts(*created)

    with pytest.raises(InvalidRequest, match="000 groups, too many"):
        lead_volume(frame, as_of="2025-01-01", by="contact_id")


# ---- reference implementations


def test_the_means_match_statsmodels():
    api = pytest.importorskip("statsmodels.api", reason="uv pip install --group test")
    rng = np.random.default_rng(3)
    day = np.arange(300)
    weekday = (day + 2) % 7
    counts = rng.poisson(np.array([12, 11, 9, 9, 8, 3, 0.2])[weekday] * np.exp(day / 400)).astype("float64")
    used = rng.random(300) > 0.05
    design = np.column_stack([np.eye(7)[weekday], day / 300])

    model = api.GLM(counts[used], design[used], family=api.families.Poisson()).fit(tol=1e-12)

    np.testing.assert_allclose(poisson_fit(counts, weekday, used), model.predict(design), rtol=1e-6)


def test_by_chance_alone_a_day_in_a_thousand_is_unusual():
    poisson = pytest.importorskip("scipy.stats", reason="uv pip install --group test").poisson
    for mean in (6, 10, 25, 100, 400):
        root = np.sqrt(mean + 3 / 8)
        high, low = (root + UNUSUAL / 2) ** 2 - 3 / 8, max(root - UNUSUAL / 2, np.sqrt(3 / 8)) ** 2 - 3 / 8
        by_chance = poisson.sf(np.floor(high), mean) + poisson.cdf(np.ceil(low) - 1, mean)
        assert 0.0002 < by_chance < 0.004


# ---- what the simulated location plants


def planted(seed, size=20_000):
    """Contacts of about 25 leads a day over two years, and the days on which something happened."""
    as_of = pd.Timestamp("2026-01-01T06:00Z")
    people = seeded_contacts(size, seed, Clock("America/Chicago", "2026-01-01"))
    created = pd.to_datetime(people.columns["created"], unit="ms", utc=True)
    frame = pd.DataFrame({"contact_id": [f"c{number}" for number in range(len(created))], "created_at": created})
    days = {pd.Timestamp(day) for name in ("spikes", "outages") for day in people.planted[name]}
    return frame, as_of, days, people.planted["import"]


def test_planted_days_are_found_and_others_are_not():
    found = false = unusual = naive_found = days = 0
    for seed in range(8):
        frame, as_of, truth, imported = planted(seed)
        table = lead_volume(frame, as_of=as_of, timezone="America/Chicago")
        left_out = table.attrs["hlkit"]["left_out"]["contacts of an import"]
        assert imported["rows"] <= left_out <= imported["rows"] + 3  # and a lead of the same minute
        assert 20 < table["leads"].mean() < 32

        flagged = set(table.loc[table["anomaly"], "date"])
        unusual, days = unusual + len(truth), days + len(table)
        found, false = found + len(flagged & truth), false + len(flagged - truth)

        leads = table["leads"].astype("float64")
        before = leads.shift().rolling(28)
        naive = (leads - before.mean()).abs() > 3 * before.std()
        naive_found += len(set(table.loc[naive, "date"]) & truth)

    assert found / unusual >= 0.8
    assert false / (days / 365) <= 1
    assert naive_found / unusual < 0.5  # a trailing mean takes the weekdays for noise


def test_an_included_import_would_be_the_largest_day():
    frame, as_of, _, imported = planted(0, size=5_000)

    table = lead_volume(frame, as_of=as_of, timezone="America/Chicago")

    day = table[table["date"] == pd.Timestamp(imported["day"])]
    assert not day["anomaly"].any()
    raw = frame["created_at"].dt.tz_convert("America/Chicago").dt.strftime("%Y-%m-%d").value_counts()
    assert raw.idxmax() == imported["day"]


# ---- charts


def drawn(table):
    axes = lead_volume.plot(table, Figure(figsize=(6, 4), layout="constrained").subplots())
    axes.figure.draw_without_rendering()
    return axes


def test_the_dates_on_its_chart_do_not_overlap():
    frame, as_of, *_ = planted(1)
    axes = drawn(lead_volume(frame, as_of=as_of, timezone="America/Chicago"))

    boxes = [text.get_window_extent() for text in axes.texts]

    assert 2 <= len(boxes) <= 6
    assert not any(box.overlaps(other) for index, box in enumerate(boxes) for other in boxes[:index])


def test_long_names_and_notes_fit_on_the_chart_of_groups():
    frame = with_strays([40] * 70, "1970")
    frame["source"] = [f"the long name of a campaign in the year, {number % 9}" for number in range(len(frame))]

    axes = drawn(lead_volume(frame, as_of=after([40] * 70), by="source"))

    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(box.overlaps(other) for index, box in enumerate(boxes) for other in boxes[:index])
    assert all(axes.figure.bbox.x0 <= box.x0 < box.x1 <= axes.figure.bbox.x1 for box in boxes)


def days_wide(axes):
    return float(np.ptp(axes.get_xlim()))


@pytest.mark.parametrize("name", STRAYS)
def test_a_few_early_leads_do_not_stretch_the_charts(name):
    for count in (16, 3):  # with an expected range, and with a dispersion only
        frame, as_of = with_strays([count] * 70, name), after([count] * 70)
        for every in ("day", "week", "month"):
            axes = drawn(lead_volume(frame, as_of=as_of, every=every))
            assert days_wide(axes) < 100
            many = len(STRAYS[name])
            note = f"not shown: {many} lead{'s' * (many > 1)} before Jan 6, 2025"
            assert every == "month" or axes.get_xlabel().endswith(note)


@pytest.mark.parametrize("name", ["1970", "three years ago"])
def test_a_few_early_leads_do_not_stretch_the_charts_of_a_young_business_or_of_groups(name):
    young, grown = with_strays([3] * 21, name), with_strays([16] * 70, name)
    grown["source"] = ["ads"] + [f"source {number % 3}" for number in range(1, len(grown))]
    for every in ("day", "week"):
        assert days_wide(drawn(lead_volume(young, as_of=after([0] * 21), every=every))) < 30
        assert days_wide(drawn(lead_volume(grown, as_of=after([0] * 70), every=every, by="source"))) < 90


def test_a_long_history_without_a_fit_is_drawn_completely():
    table = lead_volume(contacts(*(f"2024-{month:02d}-01" for month in range(1, 13))), as_of="2024-12-31")

    axes = drawn(table)

    assert days_wide(axes) > 335
    assert "not shown" not in axes.get_xlabel()


def test_the_legend_of_its_chart_names_what_is_drawn():
    counts = [16] * 70
    counts[30] = 64

    axes = drawn(lead_volume(daily(counts), as_of=after(counts)))

    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["expected range", "day", "7-day average", "unusual day"]


def test_the_chart_of_groups_draws_the_five_largest_once_each_however_they_are_spelled():
    frame, as_of = daily([36] * 14), after([36] * 14)
    names = [letter for letter in "abcdefgh" for _ in range("hgfedcba".index(letter) + 1)]
    frame["source"] = [
        f" {names[number].upper()}" if number == 0 else names[number % 36] for number in range(36 * 14)
    ]

    axes = drawn(lead_volume(frame, as_of=as_of, by="source"))

    texts = [text.get_text() for text in axes.texts]
    assert [text for text in texts if len(text) == 1] == list("edcba")  # from the lowest line to the highest
    assert "and 3 more in the table" in texts


@pytest.mark.parametrize("every", ["day", "week", "month"])
@pytest.mark.parametrize("by", [None, "source"])
def test_its_charts_are_drawn_for_one_day_and_for_many(every, by):
    for count in (1, 2, 20, 90):
        frame = daily([6] * count)
        frame["source"] = [f"a very long name of a source {number % 9}" for number in range(len(frame))]
        drawn(lead_volume(frame, as_of=after([6] * count), every=every, by=by))
