"""Leads by day: counts by hand, the odd days that the simulated location plants, and statsmodels as the oracle."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import hlkit as hl
from hlkit.analysis.lead_volume import ODD, poisson_fit
from hlkit.errors import InvalidRequest
from hlkit.kinds import TEXT, WHEN
from hlkit.sim.clock import Clock
from hlkit.sim.contacts import seeded_contacts

lead_volume = hl.analyses.lead_volume


def contacts(*created, **more):
    """Contacts by when they were created: instants in UTC."""
    ids = [f"c{number}" for number in range(len(created))]
    frame = pd.DataFrame({"contact_id": pd.Series(ids, dtype=TEXT.dtype)})
    frame["created_at"] = pd.Series(pd.to_datetime(list(created), utc=True, format="ISO8601")).astype(WHEN.dtype)
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
    assert table.attrs["hlkit"]["left_out"] == {"contacts of the day that is not over": 1}


def test_a_day_that_ends_at_as_of_is_over():
    table = lead_volume(contacts("2025-03-03T10:00Z"), as_of="2025-03-04T00:00Z")

    assert table["leads"].tolist() == [1]


def test_days_are_those_of_the_location_and_whole_when_clocks_change():
    # In Chicago 2025-03-09 has 23 hours, from 06:00Z to 05:00Z, and 2025-11-02 has 25.
    spring = contacts("2025-03-09T05:59Z", "2025-03-09T06:00Z", "2025-03-10T04:59Z", "2025-03-10T05:00Z")
    autumn = contacts("2025-11-02T04:59Z", "2025-11-02T05:00Z", "2025-11-03T05:59Z", "2025-11-03T06:00Z")

    for frame, end in ((spring, "2025-03-11T05:00Z"), (autumn, "2025-11-04T06:00Z")):
        table = lead_volume(frame, as_of=end, timezone="America/Chicago")
        assert table["leads"].tolist() == [1, 2, 1]


def test_an_import_is_left_out_and_counted():
    burst = [f"2025-03-04T14:07:{second:02d}.{part}Z" for second in range(60) for part in (1, 5)]

    table = lead_volume(contacts("2025-03-03T10:00Z", *burst, "2025-03-05T10:00Z"), as_of="2025-03-06")

    assert table["leads"].tolist() == [1, 0, 1]
    assert table.attrs["hlkit"]["left_out"] == {"contacts of an import": 120}


def test_a_group_begins_with_its_first_lead_and_groups_sum_to_the_whole():
    frame = contacts("2025-03-03T10:00Z", "2025-03-04T10:00Z", "2025-03-05T10:00Z", source=["ads", "ads", None])

    table = lead_volume(frame, as_of="2025-03-06", by="source")

    assert table.groupby("source", sort=False)["leads"].apply(list).to_dict() == {"ads": [1, 1, 0], "(none)": [1]}


@pytest.mark.parametrize("counts", [[9] * 55, [4] * 100])
def test_of_few_weeks_or_few_leads_nothing_is_expected_and_it_says_so(counts):
    table = lead_volume(daily(counts), as_of=after(counts))

    assert table["leads"].tolist() == counts
    assert table[["expected", "low", "high", "z", "anomaly"]].isna().all(axis=None)
    assert "too few to say which days are odd" in table.attrs["hlkit"]["definition"]


def test_an_odd_day_is_far_from_what_is_expected_of_it():
    counts = [16] * 70
    counts[30] = 64

    table = lead_volume(daily(counts), as_of=after(counts))

    # 2 (sqrt(64 3/8) - sqrt(16 3/8)) = 2 (8.0234 - 4.0466), and (4.0466 -+ 3.3 / 2) ** 2 - 3/8
    odd = table[table["anomaly"]]
    assert odd["date"].dt.strftime("%Y-%m-%d").tolist() == ["2025-02-05"]
    row = odd[["leads", "expected", "low", "high", "z"]].iloc[0].astype("float64").tolist()
    assert row == pytest.approx([64, 16, 5.369, 32.077, 7.954], abs=2e-3)
    assert table.loc[0, "z"] == pytest.approx(0, abs=1e-6)


def test_a_day_on_which_nobody_comes_is_no_odd_day():
    counts = ([12] * 5 + [0, 0]) * 10

    table = lead_volume(daily(counts), as_of=after(counts))

    assert not table["anomaly"].any()
    assert table.loc[table["weekday"] == "Sun", "expected"].tolist() == [0] * 10


def test_days_that_vary_more_than_chance_have_wider_bounds():
    rng = np.random.default_rng(0)
    calm, wild = rng.poisson(20, 200), rng.poisson(20 * rng.gamma(4, 1 / 4, 200))

    width = [
        (table["high"] - table["low"]).mean()
        for table in (lead_volume(daily(counts), as_of=after(counts)) for counts in (calm, wild))
    ]

    assert width[1] > 1.8 * width[0]


def test_a_week_is_compared_with_the_same_weekdays_of_the_week_before():
    counts = [1, 1, 1, 1, 1, 0, 0, 3, 3, 2, 1, 1, 0, 0, 2, 1]

    table = lead_volume(daily(counts), as_of=after(counts), show="weeks")

    assert table["date"].dt.strftime("%m-%d").tolist() == ["01-06", "01-13", "01-20"]
    assert table["whole"].tolist() == [True, True, False]
    assert table["leads"].tolist() == [5, 10, 3]
    assert table["before"].tolist() == [0, 5, 6]
    assert table["change"].tolist() == pytest.approx([np.nan, 1, -0.5], nan_ok=True)
    # 10 of 15 by Wilson is 0.4171 to 0.8482, so the ratio is 0.7156 to 5.588
    assert table.loc[1, ["change_low", "change_high"]].tolist() == pytest.approx([-0.2844, 4.588], abs=2e-3)


def test_more_groups_than_anybody_reads_are_refused():
    created = pd.Timestamp("2020-01-01T00:00Z") + pd.to_timedelta(np.arange(3000) * 61, unit="s")
    frame = contacts(*created)

    with pytest.raises(InvalidRequest, match="3,000 groups, too many"):
        lead_volume(frame, as_of="2025-01-01", by="contact_id")


# ---- answers that we did not write


def test_the_means_are_those_of_statsmodels():
    api = pytest.importorskip("statsmodels.api", reason='uv pip install "hlkit[stats]"')
    rng = np.random.default_rng(3)
    day = np.arange(300)
    weekday = (day + 2) % 7
    counts = rng.poisson(np.array([12, 11, 9, 9, 8, 3, 0.2])[weekday] * np.exp(day / 400)).astype("float64")
    used = rng.random(300) > 0.05
    design = np.column_stack([np.eye(7)[weekday], day / 300])

    model = api.GLM(counts[used], design[used], family=api.families.Poisson()).fit(tol=1e-12)

    np.testing.assert_allclose(poisson_fit(counts, weekday, used), model.predict(design), rtol=1e-6)


def test_by_chance_alone_a_day_in_a_thousand_is_odd():
    poisson = pytest.importorskip("scipy.stats", reason='uv pip install "hlkit[stats]"').poisson
    for mean in (6, 10, 25, 100, 400):
        root = np.sqrt(mean + 3 / 8)
        high, low = (root + ODD / 2) ** 2 - 3 / 8, max(root - ODD / 2, np.sqrt(3 / 8)) ** 2 - 3 / 8
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
    found = false = odd = naive_found = days = 0
    for seed in range(8):
        frame, as_of, truth, imported = planted(seed)
        table = lead_volume(frame, as_of=as_of, timezone="America/Chicago")
        left_out = table.attrs["hlkit"]["left_out"]["contacts of an import"]
        assert imported["rows"] <= left_out <= imported["rows"] + 3  # and a lead of the same minute
        assert 20 < table["leads"].mean() < 32

        flagged = set(table.loc[table["anomaly"], "date"])
        odd, days = odd + len(truth), days + len(table)
        found, false = found + len(flagged & truth), false + len(flagged - truth)

        leads = table["leads"].astype("float64")
        before = leads.shift().rolling(28)
        naive = (leads - before.mean()).abs() > 3 * before.std()
        naive_found += len(set(table.loc[naive, "date"]) & truth)

    assert found / odd >= 0.8
    assert false / (days / 365) <= 1
    assert naive_found / odd < 0.5  # a trailing mean takes the weekdays for noise


def test_an_import_that_is_kept_in_would_be_the_oddest_day():
    frame, as_of, _, imported = planted(0, size=5_000)

    table = lead_volume(frame, as_of=as_of, timezone="America/Chicago")

    day = table[table["date"] == pd.Timestamp(imported["day"])]
    assert not day["anomaly"].any()
    raw = frame["created_at"].dt.tz_convert("America/Chicago").dt.strftime("%Y-%m-%d").value_counts()
    assert raw.idxmax() == imported["day"]


# ---- charts


def drawn(table):
    axes = lead_volume.plot(table, Figure(figsize=(6, 4), layout="constrained").subplots())
    axes.figure.canvas.draw()
    return axes


def test_the_dates_on_its_chart_do_not_overlap():
    frame, as_of, *_ = planted(1)
    axes = drawn(lead_volume(frame, as_of=as_of, timezone="America/Chicago"))

    boxes = [text.get_window_extent() for text in axes.texts]

    assert 2 <= len(boxes) <= 6
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])


@pytest.mark.parametrize("show", ["days", "weeks"])
@pytest.mark.parametrize("by", [None, "source"])
def test_its_charts_are_drawn_for_one_day_and_for_many(show, by):
    for count in (1, 2, 20, 90):
        frame = daily([6] * count)
        frame["source"] = [f"a very long name of a source {number % 9}" for number in range(len(frame))]
        drawn(lead_volume(frame, as_of=after([6] * count), show=show, by=by))
