"""Win rates: shares and days by hand, and what is planted in the simulated location."""

import numpy as np
import pandas as pd
import pytest
import seeded
from closed_deals import AS_OF, deal, deals
from made import drawn

import hlkit as hl
from hlkit.analysis.core.shares import wilson
from hlkit.analysis.core.survival import survival_quantiles
from hlkit.client.errors import MissingColumn

win_rates = hl.analyses.win_rates


def run(frame, **options):
    return win_rates(frame, **{"as_of": AS_OF, "by": None, **options})


def row_or_rows(frame, **options):
    """The row of a table of one row; otherwise the rows by group."""
    table = run(frame, **options)
    return table.iloc[0] if len(table) == 1 else table.set_index(table.columns[0])


# ---- by hand


def test_an_open_deal_counts_for_as_long_as_it_has_been_open():
    # Five deals, by days: 10 won, 20 still open, 30 lost, 40 won, 100 still open.
    frame = deals(deal("won", 10), deal(ago=20), deal("lost", 30), deal("won", 40), deal())

    row = row_or_rows(frame)

    assert row[["n", "open", "won", "lost", "abandoned"]].tolist() == [5, 2, 2, 1, 0]
    assert row["win_naive_share"] == pytest.approx(2 / 3)
    assert row["win_30d_share"] == pytest.approx(1 / 5)
    assert row["win_90d_share"] == pytest.approx(1 / 5 + 4 / 5 * 2 / 3 * 1 / 2)  # 7/15
    assert np.isnan(row["win_180d_share"])  # no deal is that old
    assert row["median_days_to_close"] == 40  # 4/5, 4/5 x 2/3 = 8/15, then 4/15 are open
    # In the end 7/15 of 11/15 are won; half of that is reached when the second is.
    assert row["median_days_to_win"] == 40
    assert bool(row["small"])


def test_an_abandoned_deal_is_lost_or_excluded():
    frame = deals(deal("won", 10), deal("abandoned", 5), deal("Abandoned ", 5), deal("lost", 5))

    lost, without = row_or_rows(frame), row_or_rows(frame, abandoned="exclude")

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
    row = row_or_rows(deals(deal("won", 10), deal(), deal("lost", 5), *young))

    # ages, oldest first: three of 100, then 22, 21, 20, 19, 18, 17, 16: the tenth
    assert row[["n", "open_share", "followed_days"]].tolist() == [25, pytest.approx(23 / 25), 16]
    assert np.isnan(row_or_rows(deals(deal(), *young[:18]))["followed_days"])  # 19 deals


def test_deals_of_one_contact_that_end_alike_count_as_about_one():
    rows = [
        deal("won" if number % 2 else "lost", 20, ago=100 + number + 0.1 * turn, contact_id=f"c{number}")
        for number in range(30)
        for turn in range(6)
    ]

    clustered = row_or_rows(deals(*rows))
    independent = row_or_rows(deals(*({**row, "contact_id": f"c{n}"} for n, row in enumerate(rows))))

    assert clustered[["win_90d_low", "win_90d_high"]].tolist() == pytest.approx(wilson(15, 30), abs=0.01)
    assert independent[["win_90d_low", "win_90d_high"]].tolist() == pytest.approx(wilson(90, 180))


def test_a_deal_closed_after_as_of_counts_as_open():
    frame = deals(deal("won", 10), deal("won", 120, ago=100), deal("lost", 101, ago=100))

    row = row_or_rows(frame)

    assert row[["open", "won", "lost"]].tolist() == [2, 1, 0]
    assert row["win_90d_share"] == pytest.approx(1 / 3)


def test_velocity_matches_a_published_example():
    # 80 open deals x 45,000 x 22% / 72 days = 11,000 a day (thesmarketers.com)
    rows = [deal("won", 72, ago=100 + number, value=45_000 + 1000 * (-1) ** number) for number in range(22)]
    rows += [deal("lost", 72, ago=100 + number, value=1) for number in range(78)]
    frame = deals(*rows, *(deal(ago=number / 100) for number in range(80)))

    row = row_or_rows(frame)

    assert row[["open", "won_value_mean", "median_days_to_win"]].tolist() == [80, 45_000, 72]
    assert row["win_naive_share"] == 0.22
    assert row["velocity_per_day"] == pytest.approx(11_000)
    assert row["won_value"] == 22 * 45_000
    assert bool(row["small"]) is False


def test_a_deal_created_as_closed_takes_no_time_and_is_counted():
    row = row_or_rows(deals(deal("won", 0), deal("won", -5), deal("lost", 10), deal("won", 20)))

    assert row["closed_at_once"] == 2
    assert row["median_days_to_win"] == 0
    assert np.isnan(row["velocity_per_day"])  # no velocity for a cycle of 0 days


def test_a_missing_close_date_is_taken_from_the_stage_with_a_remark():
    undated = {"status_changed_at": None}
    frame = deals(
        {**deal("won"), **undated, "stage_changed_at": AS_OF - pd.Timedelta(days=90)},
        {**deal("won"), **undated},
    )

    table = run(frame)

    assert table.loc[0, ["n", "median_days_to_win"]].tolist() == [1, 10]
    log = table.attrs["hlkit"]
    assert "1 closed deals without a date" in log["definition"]
    assert log["left_out"] == {"closed opportunities without a closing date": 1}


def test_deals_of_an_import_are_left_out():
    frame = deals(*(deal("won", 1, ago=50) for _ in range(60)), *(deal("lost", 9, ago=60 + n) for n in range(30)))

    table = run(frame)

    assert table["n"].tolist() == [30]
    assert table.attrs["hlkit"]["left_out"] == {"opportunities of an import": 60}


def test_a_group_without_wins_or_closed_deals_has_no_median():
    table = row_or_rows(deals(deal("lost", 3, source="a"), deal(source="b"), deal("won", 5, source="c")), by="source")

    assert np.isnan(table.loc[["a", "b"], "median_days_to_win"].astype(float)).all()
    assert table["win_90d_share"].tolist() == [0, 0, 1]
    assert np.isnan(table.loc["b", "win_naive_share"])
    assert table.loc["b", "median_days_to_close"] is pd.NA or np.isnan(table.loc["b", "median_days_to_close"])


def test_a_cohort_is_the_month_of_creation_in_the_locations_time_zone():
    created = [pd.Timestamp(text) for text in ("2025-03-01T04:00Z", "2025-03-01T07:00Z", "2025-01-10T00:00Z")]
    frame = deals(*({**deal(), "created_at": at, "status_changed_at": at} for at in created))

    table = run(frame, by="cohort", timezone="America/Chicago")

    assert table["cohort"].tolist() == ["2025-01", "2025-02", "2025-03"]
    assert row_or_rows(frame, by="cohort", timezone="UTC")["n"].to_dict() == {"2025-01": 1, "2025-03": 2}


def test_a_young_cohort_has_no_share_at_ages_it_has_not_reached():
    frame = deals(*(deal("won", 5, ago=8) for _ in range(9)), deal("won", 20, ago=400))

    table = row_or_rows(frame, by="cohort")

    assert np.isnan(table.loc["2025-06", ["win_30d_share", "win_90d_share"]].astype(float)).all()


def test_a_frame_without_values_and_stages_still_has_its_shares():
    frame = deals(deal("won", 10), deal("lost", 20))[["created_at", "status", "status_changed_at"]]

    row = row_or_rows(frame)

    assert row["win_90d_share"] == 0.5
    assert np.isnan(row[["won_value", "velocity_per_day"]].astype(float)).all()
    with pytest.raises(MissingColumn, match="status_changed_at"):
        run(frame.drop(columns="status_changed_at"))


def test_two_columns_give_a_row_for_each_pair_and_a_heat_table():
    rows = [
        deal("won" if n % 2 else "lost", 5, source="ads" if n < 40 else "mail", owner_id="u", ago=100 + n)
        for n in range(60)
    ]

    table = run(deals(*rows), by=["source", "owner_id"])

    assert table[["source", "owner_id", "n", "won"]].values.tolist() == [["ads", "u", 40, 20], ["mail", "u", 20, 10]]
    assert [text.get_text() for text in drawn(win_rates, table).texts] == ["50%", "50%"]
    by_month = run(deals(*rows), by=["cohort", "source"])
    assert by_month.columns[:2].tolist() == ["cohort", "source"]
    assert by_month["n"].sum() == 60


# ---- the headline


def test_the_headline_counts_the_deals_and_gives_the_median():
    assert win_rates.headline(
        run(deals(deal("won", 10), deal(ago=20), deal("lost", 30), deal("won", 40), deal()))
    ) == ("Of 5 deals, 2 are won, 1 lost, and 2 open; median 40 days to win.")
    assert win_rates.headline(run(deals(deal()))) == "Of 1 deal, 0 are won, 0 lost, and 1 open."
    assert win_rates.headline(run(deals(deal("won", 0)))).endswith("median 1 day to win.")


def test_the_headline_compares_groups_at_one_age():
    rows = [deal("won" if n % 4 else "lost", 5, source="ads", ago=100 + n) for n in range(80)]
    rows += [deal("lost" if n % 4 else "won", 5, source="mail", ago=100 + n) for n in range(80)]

    assert win_rates.headline(run(deals(*rows), by="source")) == (
        "50% (42 to 58) of deals are won within 90 days. ads (75%) is above mail (25%), a significant difference "
        "(p < .001)."
    )


# ---- the chart


def test_the_chart_shows_the_median_days():
    rows = [deal("won" if n % 2 else "lost", 12, source="ads" if n % 3 else "_$x", ago=100 + n) for n in range(60)]

    ax = drawn(win_rates, run(deals(*rows), by="source"))

    # Wilson of 20 in 40: 0.352 to 0.648, and of 10 in 20: 0.299 to 0.701
    assert [text.get_text() for text in ax.texts] == [
        "50%",
        "35–65 of 40 · 12 days to win",
        "50%",
        "30–70 of 20 · 12 days to win",
    ]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["ads", " _\\$x"]
    assert ax.get_xlabel() == "deals won within 90 days, with 95% interval; at the right: median days to win"


def test_the_chart_of_months_has_the_newest_on_top():
    rows = [deal("won" if n % 2 else "lost", 5, ago=30 * month + 40 + n) for month in range(14) for n in range(3)]

    ax = drawn(win_rates, run(deals(*rows), by="cohort"))

    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[:2] == ["2025-05", "2025-04"]
    assert labels == sorted(labels, reverse=True)
    assert len(labels) == 12


# ---- the deals behind a group


def test_the_deals_behind_a_group_have_a_name_and_a_link():
    loc = hl.demo(as_of="2026-01-01", size=600)
    result = loc.analyses.win_rates(by="source")
    group = result.table.iloc[0]

    rows = result.rows(group["source"])

    assert rows.columns[:6].tolist() == ["name", "link", "status", "value", "created_at", "closed_at"]
    assert len(rows) == group["n"]
    assert rows["status"].value_counts().get("won", 0) == group["won"]
    assert rows["closed_at"].isna().sum() == group["open"]
    named = loc.opportunities().set_index("opportunity_id")["name"]
    assert rows["name"].tolist() == named[rows["opportunity_id"]].tolist()


def test_two_years_are_compared_by_the_share_won_within_30_days():
    loc = hl.demo(as_of="2026-01-01", size=600)
    compared = loc.analyses.win_rates(by=None, period="2025", compare="last year").table.iloc[0]
    now = loc.analyses.win_rates(by=None, period="2025").table.iloc[0]
    before = loc.analyses.win_rates(by=None, period="2024", as_of="2025-01-01").table.iloc[0]

    assert (compared["n"], compared["n_before"]) == (now["n"], before["n"])
    assert compared["change"] == pytest.approx(now["win_30d_share"] - before["win_30d_share"])


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

    row = win_rates(frame, by=None, as_of=NOW).iloc[0]
    curve = hl.analyses.close_curve(frame, as_of=NOW, days=200)

    assert row["n"] > 2000
    assert curve["won_share"].iloc[-1] == pytest.approx(planted["win_share"], abs=0.03)
    assert row["median_days_to_close"] == pytest.approx(planted["days_to_close_median"], abs=1.5)
    assert row["median_days_to_win"] == pytest.approx(planted["days_to_close_median"], abs=1.5)
    assert row["win_180d_low"] < planted["win_share"] < row["win_180d_high"]


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
    row = win_rates(frame[recent], by=None, as_of=NOW).iloc[0]
    assert row["median_days_to_close"] == pytest.approx(planted["days_to_close_median"], abs=2.5)
    # won deals of all deals, including open ones
    assert (frame.loc[recent, "status"] == "won").mean() < planted["win_share"] - 0.1
