"""How deals close: shares and days by hand, and what the simulated location plants."""

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
    """A deal of *ago* days ago that was closed at *age* days, if it was."""
    made = AS_OF - pd.Timedelta(days=ago)
    closed = made if age is None else made + pd.Timedelta(days=age)
    return {"status": status, "created_at": made, "status_changed_at": closed, **more}


def deals(*rows):
    return frame(*({"opportunity_id": f"d{number}", **row} for number, row in enumerate(rows)))


def ask(frame, **choices):
    return close_curve(frame, **{"as_of": AS_OF, **choices})


def summary(frame, **choices):
    table = ask(frame, show="summary", **choices)
    return table.iloc[0] if len(table) == 1 else table.set_index(table.columns[0])


# ---- by hand


def test_an_open_deal_counts_for_as_long_as_it_was_watched():
    # Five deals, by days: 10 won, 20 still open, 30 lost, 40 won, 100 still open.
    frame = deals(deal("won", 10), deal(ago=20), deal("lost", 30), deal("won", 40), deal())

    one = summary(frame)

    assert one[["n", "open", "won", "lost", "abandoned"]].tolist() == [5, 2, 2, 1, 0]
    assert one["win_naive_share"] == pytest.approx(2 / 3)
    assert one["win_30d_share"] == pytest.approx(1 / 5)
    assert one["win_90d_share"] == pytest.approx(1 / 5 + 4 / 5 * 2 / 3 * 1 / 2)  # 7/15
    assert np.isnan(one["win_180d_share"])  # nobody has been watched for so long
    assert one["median_days_to_close"] == 40  # 4/5, 4/5 x 2/3 = 8/15, then 4/15 are open
    # In the end 7/15 of 11/15 are won; half of that is reached when the second is.
    assert one["median_days_to_win"] == 40
    assert bool(one["small"])


def test_the_curve_is_the_same_day_by_day_and_adds_up():
    frame = deals(deal("won", 10), deal(ago=20), deal("lost", 30), deal("won", 40), deal())

    curve = ask(frame, days=120).set_index("day")

    assert curve.index.tolist() == list(range(121))
    assert curve.loc[[0, 9, 10, 30, 40, 100], "won_share"].tolist() == pytest.approx([0, 0, 0.2, 0.2, 7 / 15, 7 / 15])
    assert curve.loc[[29, 30, 100], "lost_share"].tolist() == pytest.approx([0, 4 / 15, 4 / 15])
    assert curve.loc[101:, "won_share"].isna().all()
    known = curve.dropna(subset="won_share")
    assert (known["won_share"] + known["lost_share"] + known["open_share"]).round(9).eq(1).all()
    assert (known["won_low"] <= known["won_share"]).all()
    assert (known["won_share"] <= known["won_high"]).all()
    assert curve["n"].eq(5).all()


def test_an_abandoned_deal_is_lost_or_left_out():
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
    told = ask(frame, abandoned="exclude").attrs["hlkit"]
    assert told["left_out"] == {"abandoned opportunities": 2}


def test_the_open_share_is_of_all_deals_and_followed_days_are_those_of_ten():
    young = [deal(ago=number) for number in range(1, 23)]
    one = summary(deals(deal("won", 10), deal(), deal("lost", 5), *young))

    # ages, oldest first: three of 100, then 22, 21, 20, 19, 18, 17, 16: the tenth
    assert one[["n", "open_share", "followed_days"]].tolist() == [25, pytest.approx(23 / 25), 16]
    assert np.isnan(summary(deals(deal(), *young[:18]))["followed_days"])  # 19 deals


def test_deals_of_one_contact_that_end_alike_are_worth_about_one():
    rows = [
        deal("won" if number % 2 else "lost", 20, ago=100 + number + 0.1 * turn, contact_id=f"c{number}")
        for number in range(30)
        for turn in range(6)
    ]

    alike = summary(deals(*rows))
    apart = summary(deals(*({**row, "contact_id": f"c{n}"} for n, row in enumerate(rows))))

    assert alike[["win_90d_low", "win_90d_high"]].tolist() == pytest.approx(wilson(15, 30), abs=0.01)
    assert apart[["win_90d_low", "win_90d_high"]].tolist() == pytest.approx(wilson(90, 180))


def test_a_deal_closed_after_as_of_was_open_then():
    frame = deals(deal("won", 10), deal("won", 120, ago=100), deal("lost", 101, ago=100))

    one = summary(frame)

    assert one[["open", "won", "lost"]].tolist() == [2, 1, 0]
    assert one["win_90d_share"] == pytest.approx(1 / 3)


def test_velocity_is_that_of_the_worked_example():
    # 80 open deals x 45,000 x 22% / 72 days = 11,000 a day (thesmarketers.com)
    made = [deal("won", 72, ago=100 + number, value=45_000 + 1000 * (-1) ** number) for number in range(22)]
    made += [deal("lost", 72, ago=100 + number, value=1) for number in range(78)]
    frame = deals(*made, *(deal(ago=number / 100) for number in range(80)))

    one = summary(frame)

    assert one[["open", "won_value_mean", "median_days_to_win"]].tolist() == [80, 45_000, 72]
    assert one["win_naive_share"] == 0.22
    assert one["velocity_per_day"] == pytest.approx(11_000)
    assert one["won_value"] == 22 * 45_000
    assert bool(one["small"]) is False


def test_a_deal_made_closed_takes_no_time_and_is_counted():
    one = summary(deals(deal("won", 0), deal("won", -5), deal("lost", 10), deal("won", 20)))

    assert one["closed_at_once"] == 2
    assert one["median_days_to_win"] == 0
    assert np.isnan(one["velocity_per_day"])  # a cycle of no days has no speed


def test_a_close_without_a_date_is_taken_from_the_stage_and_told():
    undated = {"status_changed_at": None}
    frame = deals(
        {**deal("won"), **undated, "stage_changed_at": AS_OF - pd.Timedelta(days=90)},
        {**deal("won"), **undated},
    )

    table = ask(frame, show="summary")

    assert table.loc[0, ["n", "median_days_to_win"]].tolist() == [1, 10]
    told = table.attrs["hlkit"]
    assert "1 closed without a date" in told["definition"]
    assert told["left_out"] == {"closed opportunities without a date of it": 1}


def test_what_cannot_be_placed_is_left_out_and_counted():
    frame = deals(deal("won", 10), {**deal("won", 10), "created_at": None}, deal("sleeping"), deal(None))

    told = ask(frame).attrs["hlkit"]

    assert told["left_out"] == {"opportunities without a date": 1, "opportunities of no known status": 2}


def test_deals_of_an_import_are_left_out():
    frame = deals(*(deal("won", 1, ago=50) for _ in range(60)), *(deal("lost", 9, ago=60 + n) for n in range(30)))

    table = ask(frame, show="summary")

    assert table["n"].tolist() == [30]
    assert table.attrs["hlkit"]["left_out"] == {"opportunities of an import": 60}


def test_open_deals_that_seem_reopened_are_told():
    frame = deals(deal("open", 30), deal("open"), deal("won", 200))

    assert "1 open deals seem to have been closed before" in ask(frame).attrs["hlkit"]["definition"]


def test_a_group_where_nothing_was_won_or_closed_has_no_median():
    table = summary(deals(deal("lost", 3, source="a"), deal(source="b"), deal("won", 5, source="c")), by="source")

    assert np.isnan(table.loc[["a", "b"], "median_days_to_win"].astype(float)).all()
    assert table["win_90d_share"].tolist() == [0, 0, 1]
    assert np.isnan(table.loc["b", "win_naive_share"])
    assert table.loc["b", "median_days_to_close"] is pd.NA or np.isnan(table.loc["b", "median_days_to_close"])


def test_a_cohort_is_the_month_in_which_a_deal_was_made_on_the_locations_clock():
    made = [pd.Timestamp(text) for text in ("2025-03-01T04:00Z", "2025-03-01T07:00Z", "2025-01-10T00:00Z")]
    frame = deals(*({**deal(), "created_at": at, "status_changed_at": at} for at in made))

    table = ask(frame, by="cohort", show="summary", timezone="America/Chicago")

    assert table["cohort"].tolist() == ["2025-01", "2025-02", "2025-03"]
    assert summary(frame, by="cohort", timezone="UTC")["n"].to_dict() == {"2025-01": 1, "2025-03": 2}


def test_a_young_cohort_says_nothing_of_days_it_has_not_lived():
    frame = deals(*(deal("won", 5, ago=8) for _ in range(9)), deal("won", 20, ago=400))

    table = summary(frame, by="cohort")

    assert np.isnan(table.loc["2025-06", ["win_30d_share", "win_90d_share"]].astype(float)).all()


def test_a_frame_without_values_and_stages_still_has_its_shares():
    frame = deals(deal("won", 10), deal("lost", 20))[["created_at", "status", "status_changed_at"]]

    one = summary(frame)

    assert one["win_90d_share"] == 0.5
    assert np.isnan(one[["won_value", "velocity_per_day"]].astype(float)).all()
    with pytest.raises(MissingColumn, match="status_changed_at"):
        ask(frame.drop(columns="status_changed_at"))


# ---- charts


def axes(table):
    return drawn(close_curve, table)


def words(ax):
    return " | ".join(text.get_text().replace("\n", " ") for text in ax.texts)


def test_the_chart_says_how_many_and_how_long():
    frame = deals(
        *(deal("won", 10 + number, ago=200) for number in range(10)), *(deal("lost", 30) for _ in range(10))
    )

    told = words(axes(ask(frame)))

    assert "won 50%" in told
    assert "lost 50%" in told
    assert "still open 0%" in told
    assert "median 14 days to win" in told


def test_the_chart_of_groups_names_each_line_and_keeps_the_names_apart():
    rows = [deal("won" if n % 2 else "lost", 5 + n % 3, source=f"source {n % 8}", ago=40 + n) for n in range(240)]

    ax = axes(ask(deals(*rows), by="source"))

    assert "and 2 more in the table" in words(ax)
    places = sorted(text.xy[1] for text in ax.texts if "(n = 30)" in text.get_text())
    assert len(places) == 6
    assert min(np.diff(places)) > 0.06


def test_groups_whose_names_begin_alike_are_compared_each_for_itself():
    long = "https://example.com/" + "landing/" * 10
    frame = deals(*(deal("won" if n % 2 else "lost", 5, ago=100 + n) for n in range(80)))
    frame["url"] = [f"{long}{n % 2}" for n in range(80)]

    assert "100% (91 to 100)" in close_curve.headline(ask(frame, by="url"))


def test_the_summary_is_drawn_with_intervals_and_the_days():
    rows = [deal("won" if n % 2 else "lost", 12, source="ads" if n % 3 else "_$x", ago=100 + n) for n in range(60)]

    ax = axes(ask(deals(*rows), by="source", show="summary"))

    assert words(ax).count("12 days") == 2
    assert ax.get_yticklabels()[0].get_text() == "ads (n = 40)"


# ---- planted, and fast


def located(seed, size=5000):
    """The deals of a simulated location, and what is planted in it."""
    planted = seeded.data(seed, size).planted["close"]
    deals_, pipelines = (seeded.frame(seed, size, name) for name in ("opportunities", "pipelines"))
    wanted = pipelines.loc[pipelines["name"] == planted["pipeline"], "pipeline_id"].iloc[0]
    return deals_[deals_["pipeline_id"] == wanted], planted


@pytest.fixture(scope="module")
def repeat_work():
    """Deals of several locations in the pipeline whose law is known."""
    each = [located(seed) for seed in range(8)]
    return pd.concat([frame for frame, _ in each], ignore_index=True), each[0][1]


NOW = pd.Timestamp("2026-01-01T06:00Z")  # midnight in the simulated location


def test_the_planted_win_share_and_days_to_close_are_found(repeat_work):
    frame, planted = repeat_work

    one = close_curve(frame, as_of=NOW, show="summary").iloc[0]
    curve = close_curve(frame, as_of=NOW, days=200)

    assert one["n"] > 2000
    assert curve["won_share"].iloc[-1] == pytest.approx(planted["win_share"], abs=0.03)
    assert one["median_days_to_close"] == pytest.approx(planted["days_to_close_median"], abs=1.5)
    assert one["median_days_to_win"] == pytest.approx(planted["days_to_close_median"], abs=1.5)
    assert one["win_180d_low"] < planted["win_share"] < one["win_180d_high"]


def test_a_curve_of_more_than_ten_years_is_refused(repeat_work):
    with pytest.raises(InvalidRequest, match="no days=3,651"):
        close_curve(repeat_work[0], as_of=NOW, days=3651)


def test_the_naive_ways_miss_what_is_planted(repeat_work):
    frame, planted = repeat_work
    closed = frame["status"] != "open"
    end = frame["status_changed_at"].where(closed, NOW)
    age = (end - frame["created_at"]).dt.total_seconds() / 86_400
    recent = frame["created_at"] > NOW - pd.Timedelta(days=60)

    # Kaplan-Meier on the wins, with the lost ones as if they could still be won
    won_by = survival_quantiles(age, frame["status"] == "won", (0.65, 0.9))
    assert np.isfinite(won_by).all(), "it claims that nine in ten are won"
    # the median of the deals of the last 60 days that have closed
    assert age[recent & closed].median() < planted["days_to_close_median"] - 3
    # the same deals, with those that are still open
    one = close_curve(frame[recent], as_of=NOW, show="summary").iloc[0]
    assert one["median_days_to_close"] == pytest.approx(planted["days_to_close_median"], abs=2.5)
    # won of all that there are, open ones among them
    assert (frame.loc[recent, "status"] == "won").mean() < planted["win_share"] - 0.1
