"""The close curve: shares and days by hand, and what is planted in the simulated location."""

import numpy as np
import pandas as pd
import pytest
import seeded
from made import drawn, typed

import hlkit as hl
from hlkit.analysis.core.groups import wilson
from hlkit.analysis.core.survival import survival_quantiles
from hlkit.client.errors import InvalidRequest, MissingColumn

close_curve = hl.analyses.close_curve
AS_OF = pd.Timestamp("2025-07-01T12:00Z")


def frame(*rows):
    return typed("opportunities", *rows)


def deal(status="open", age=None, ago=100, **more):
    """A deal created *ago* days before AS_OF, and closed at *age* days unless that is None."""
    created_at = AS_OF - pd.Timedelta(days=ago)
    changed_at = created_at if age is None else created_at + pd.Timedelta(days=age)
    return {"status": status, "created_at": created_at, "status_changed_at": changed_at, **more}


def deals(*rows):
    return frame(*({"opportunity_id": f"d{number}", **row} for number, row in enumerate(rows)))


def run(frame, **options):
    return close_curve(frame, **{"as_of": AS_OF, **options})


def summary(frame, **options):
    table = run(frame, show="summary", **options)
    return table.iloc[0] if len(table) == 1 else table.set_index(table.columns[0])


# ---- by hand


def test_an_open_deal_counts_for_as_long_as_it_has_been_open():
    # Five deals, by days: 10 won, 20 still open, 30 lost, 40 won, 100 still open.
    frame = deals(deal("won", 10), deal(ago=20), deal("lost", 30), deal("won", 40), deal())

    row = summary(frame)

    assert row[["n", "open", "won", "lost", "abandoned"]].tolist() == [5, 2, 2, 1, 0]
    assert row["win_naive_share"] == pytest.approx(2 / 3)
    assert row["win_30d_share"] == pytest.approx(1 / 5)
    assert row["win_90d_share"] == pytest.approx(1 / 5 + 4 / 5 * 2 / 3 * 1 / 2)  # 7/15
    assert np.isnan(row["win_180d_share"])  # no deal is that old
    assert row["median_days_to_close"] == 40  # 4/5, 4/5 x 2/3 = 8/15, then 4/15 are open
    # In the end 7/15 of 11/15 are won; half of that is reached when the second is.
    assert row["median_days_to_win"] == 40
    assert bool(row["small"])


def test_the_curve_has_the_same_shares_by_day_and_they_sum_to_one():
    frame = deals(deal("won", 10), deal(ago=20), deal("lost", 30), deal("won", 40), deal())

    curve = run(frame, days=120).set_index("day")

    assert curve.index.tolist() == list(range(121))
    assert curve.loc[[0, 9, 10, 30, 40, 100], "won_share"].tolist() == pytest.approx([0, 0, 0.2, 0.2, 7 / 15, 7 / 15])
    assert curve.loc[[29, 30, 100], "lost_share"].tolist() == pytest.approx([0, 4 / 15, 4 / 15])
    assert curve.loc[101:, "won_share"].isna().all()
    observed = curve.dropna(subset="won_share")
    assert (observed["won_share"] + observed["lost_share"] + observed["open_share"]).round(9).eq(1).all()
    assert (observed["won_low"] <= observed["won_share"]).all()
    assert (observed["won_share"] <= observed["won_high"]).all()
    assert curve["n"].eq(5).all()


def test_an_abandoned_deal_is_lost_or_excluded():
    frame = deals(deal("won", 10), deal("abandoned", 5), deal("Abandoned ", 5), deal("lost", 5))

    lost, without = summary(frame), summary(frame, abandoned="exclude")

    assert lost[["n", "won", "lost", "abandoned", "win_naive_share", "win_90d_share"]].tolist() == [
        4,
        1,
        3,
        2,
        0.25,
        0.25,
    ]
    assert without[["n", "won", "lost", "abandoned", "win_naive_share", "win_90d_share"]].tolist() == [
        2,
        1,
        1,
        0,
        0.5,
        0.5,
    ]
    log = run(frame, abandoned="exclude").attrs["hlkit"]
    assert log["left_out"] == {"abandoned opportunities": 2}


def test_the_open_share_is_of_all_deals_and_ten_deals_reach_followed_days():
    young = [deal(ago=number) for number in range(1, 23)]
    row = summary(deals(deal("won", 10), deal(), deal("lost", 5), *young))

    # ages, oldest first: three of 100, then 22, 21, 20, 19, 18, 17, 16: the tenth
    assert row[["n", "open_share", "followed_days"]].tolist() == [25, pytest.approx(23 / 25), 16]
    assert np.isnan(summary(deals(deal(), *young[:18]))["followed_days"])  # 19 deals


def test_deals_of_one_contact_that_end_alike_count_as_about_one():
    rows = [
        deal("won" if number % 2 else "lost", 20, ago=100 + number + 0.1 * turn, contact_id=f"c{number}")
        for number in range(30)
        for turn in range(6)
    ]

    clustered = summary(deals(*rows))
    independent = summary(deals(*({**row, "contact_id": f"c{n}"} for n, row in enumerate(rows))))

    assert clustered[["win_90d_low", "win_90d_high"]].tolist() == pytest.approx(wilson(15, 30), abs=0.01)
    assert independent[["win_90d_low", "win_90d_high"]].tolist() == pytest.approx(wilson(90, 180))


def test_a_deal_closed_after_as_of_counts_as_open():
    frame = deals(deal("won", 10), deal("won", 120, ago=100), deal("lost", 101, ago=100))

    row = summary(frame)

    assert row[["open", "won", "lost"]].tolist() == [2, 1, 0]
    assert row["win_90d_share"] == pytest.approx(1 / 3)


def test_velocity_matches_a_published_example():
    # 80 open deals x 45,000 x 22% / 72 days = 11,000 a day (thesmarketers.com)
    rows = [deal("won", 72, ago=100 + number, value=45_000 + 1000 * (-1) ** number) for number in range(22)]
    rows += [deal("lost", 72, ago=100 + number, value=1) for number in range(78)]
    frame = deals(*rows, *(deal(ago=number / 100) for number in range(80)))

    row = summary(frame)

    assert row[["open", "won_value_mean", "median_days_to_win"]].tolist() == [80, 45_000, 72]
    assert row["win_naive_share"] == 0.22
    assert row["velocity_per_day"] == pytest.approx(11_000)
    assert row["won_value"] == 22 * 45_000
    assert bool(row["small"]) is False


def test_a_deal_created_as_closed_takes_no_time_and_is_counted():
    row = summary(deals(deal("won", 0), deal("won", -5), deal("lost", 10), deal("won", 20)))

    assert row["closed_at_once"] == 2
    assert row["median_days_to_win"] == 0
    assert np.isnan(row["velocity_per_day"])  # no velocity for a cycle of 0 days


def test_a_missing_close_date_is_taken_from_the_stage_with_a_remark():
    undated = {"status_changed_at": None}
    frame = deals(
        {**deal("won"), **undated, "stage_changed_at": AS_OF - pd.Timedelta(days=90)},
        {**deal("won"), **undated},
    )

    table = run(frame, show="summary")

    assert table.loc[0, ["n", "median_days_to_win"]].tolist() == [1, 10]
    log = table.attrs["hlkit"]
    assert "1 closed deals without a date" in log["definition"]
    assert log["left_out"] == {"closed opportunities without a closing date": 1}


def test_deals_without_a_date_or_a_known_status_are_left_out_and_counted():
    frame = deals(deal("won", 10), {**deal("won", 10), "created_at": None}, deal("sleeping"), deal(None))

    log = run(frame).attrs["hlkit"]

    assert log["left_out"] == {"opportunities without a date": 1, "opportunities of unknown status": 2}


def test_deals_of_an_import_are_left_out():
    frame = deals(*(deal("won", 1, ago=50) for _ in range(60)), *(deal("lost", 9, ago=60 + n) for n in range(30)))

    table = run(frame, show="summary")

    assert table["n"].tolist() == [30]
    assert table.attrs["hlkit"]["left_out"] == {"opportunities of an import": 60}


def test_a_remark_counts_open_deals_that_may_have_been_reopened():
    frame = deals(deal("open", 30), deal("open"), deal("won", 200))

    assert "1 open deal may have been reopened" in run(frame).attrs["hlkit"]["definition"]


def test_a_group_without_wins_or_closed_deals_has_no_median():
    table = summary(deals(deal("lost", 3, source="a"), deal(source="b"), deal("won", 5, source="c")), by="source")

    assert np.isnan(table.loc[["a", "b"], "median_days_to_win"].astype(float)).all()
    assert table["win_90d_share"].tolist() == [0, 0, 1]
    assert np.isnan(table.loc["b", "win_naive_share"])
    assert table.loc["b", "median_days_to_close"] is pd.NA or np.isnan(table.loc["b", "median_days_to_close"])


def test_a_cohort_is_the_month_of_creation_in_the_locations_time_zone():
    created = [pd.Timestamp(text) for text in ("2025-03-01T04:00Z", "2025-03-01T07:00Z", "2025-01-10T00:00Z")]
    frame = deals(*({**deal(), "created_at": at, "status_changed_at": at} for at in created))

    table = run(frame, by="cohort", show="summary", timezone="America/Chicago")

    assert table["cohort"].tolist() == ["2025-01", "2025-02", "2025-03"]
    assert summary(frame, by="cohort", timezone="UTC")["n"].to_dict() == {"2025-01": 1, "2025-03": 2}


def test_a_young_cohort_has_no_share_at_ages_it_has_not_reached():
    frame = deals(*(deal("won", 5, ago=8) for _ in range(9)), deal("won", 20, ago=400))

    table = summary(frame, by="cohort")

    assert np.isnan(table.loc["2025-06", ["win_30d_share", "win_90d_share"]].astype(float)).all()


def test_a_frame_without_values_and_stages_still_has_its_shares():
    frame = deals(deal("won", 10), deal("lost", 20))[["created_at", "status", "status_changed_at"]]

    row = summary(frame)

    assert row["win_90d_share"] == 0.5
    assert np.isnan(row[["won_value", "velocity_per_day"]].astype(float)).all()
    with pytest.raises(MissingColumn, match="status_changed_at"):
        run(frame.drop(columns="status_changed_at"))


# ---- charts


def axes(table):
    return drawn(close_curve, table)


def chart_text(ax):
    return " | ".join(text.get_text().replace("\n", " ") for text in ax.texts)


def test_the_chart_shows_shares_and_the_median():
    frame = deals(
        *(deal("won", 10 + number, ago=200) for number in range(10)), *(deal("lost", 30) for _ in range(10))
    )

    text = chart_text(axes(run(frame)))

    assert "won 50%" in text
    assert "lost 50%" in text
    assert "still open 0%" in text
    assert "median 14 days to win" in text


def test_the_chart_of_groups_labels_each_line_without_overlap():
    rows = [deal("won" if n % 2 else "lost", 5 + n % 3, source=f"source {n % 8}", ago=40 + n) for n in range(240)]

    ax = axes(run(deals(*rows), by="source"))

    assert "and 2 more in the table" in chart_text(ax)
    heights = sorted(text.xy[1] for text in ax.texts if "(n = 30)" in text.get_text())
    assert len(heights) == 6
    assert min(np.diff(heights)) > 0.06


def test_groups_with_a_common_long_prefix_are_compared_separately():
    long = "https://example.com/" + "landing/" * 10
    frame = deals(*(deal("won" if n % 2 else "lost", 5, ago=100 + n) for n in range(80)))
    frame["url"] = [f"{long}{n % 2}" for n in range(80)]

    assert "100% (91 to 100)" in close_curve.headline(run(frame, by="url"))


def test_the_chart_of_the_summary_shows_the_median_days():
    rows = [deal("won" if n % 2 else "lost", 12, source="ads" if n % 3 else "_$x", ago=100 + n) for n in range(60)]

    ax = axes(run(deals(*rows), by="source", show="summary"))

    assert chart_text(ax).count("12 days") == 2
    assert ax.get_yticklabels()[0].get_text() == "ads (n = 40)"


# ---- planted, and fast


def planted_deals(seed, size=5000):
    """The deals of one pipeline of a simulated location, and what is planted in it."""
    planted = seeded.data(seed, size).planted["close"]
    opportunities, pipelines = (seeded.frame(seed, size, name) for name in ("opportunities", "pipelines"))
    pipeline_id = pipelines.loc[pipelines["name"] == planted["pipeline"], "pipeline_id"].iloc[0]
    return opportunities[opportunities["pipeline_id"] == pipeline_id], planted


@pytest.fixture(scope="module")
def repeat_work():
    """Deals of several locations, in the pipeline whose win share and days to close are planted."""
    locations = [planted_deals(seed) for seed in range(8)]
    return pd.concat([frame for frame, _ in locations], ignore_index=True), locations[0][1]


NOW = pd.Timestamp("2026-01-01T06:00Z")  # midnight in the simulated location


def test_the_planted_win_share_and_days_to_close_are_found(repeat_work):
    frame, planted = repeat_work

    row = close_curve(frame, as_of=NOW, show="summary").iloc[0]
    curve = close_curve(frame, as_of=NOW, days=200)

    assert row["n"] > 2000
    assert curve["won_share"].iloc[-1] == pytest.approx(planted["win_share"], abs=0.03)
    assert row["median_days_to_close"] == pytest.approx(planted["days_to_close_median"], abs=1.5)
    assert row["median_days_to_win"] == pytest.approx(planted["days_to_close_median"], abs=1.5)
    assert row["win_180d_low"] < planted["win_share"] < row["win_180d_high"]


def test_a_curve_of_more_than_ten_years_is_refused(repeat_work):
    with pytest.raises(InvalidRequest, match="no days=3,651"):
        close_curve(repeat_work[0], as_of=NOW, days=3651)


def test_naive_methods_miss_what_is_planted(repeat_work):
    frame, planted = repeat_work
    closed = frame["status"] != "open"
    end = frame["status_changed_at"].where(closed, NOW)
    age = (end - frame["created_at"]).dt.total_seconds() / 86_400
    recent = frame["created_at"] > NOW - pd.Timedelta(days=60)

    # Kaplan-Meier for wins, with lost deals as censored
    won_by = survival_quantiles(age, frame["status"] == "won", (0.65, 0.9))
    assert np.isfinite(won_by).all(), "it claims that nine in ten are won"
    # the median of recent deals that have closed
    assert age[recent & closed].median() < planted["days_to_close_median"] - 3
    # recent deals including the open ones
    row = close_curve(frame[recent], as_of=NOW, show="summary").iloc[0]
    assert row["median_days_to_close"] == pytest.approx(planted["days_to_close_median"], abs=2.5)
    # won deals of all deals, including open ones
    assert (frame.loc[recent, "status"] == "won").mean() < planted["win_share"] - 0.1
