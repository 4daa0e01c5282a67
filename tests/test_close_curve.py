"""The close curve: its shares by day worked out by hand, its headline and its chart."""

import numpy as np
import pytest
from closed_deals import AS_OF, deal, deals
from made import drawn

import hlkit as hl
from hlkit.client.errors import InvalidRequest, MissingColumn

close_curve = hl.analyses.close_curve


def run(frame, **options):
    return close_curve(frame, **{"as_of": AS_OF, **options})


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


def test_deals_without_a_date_or_a_known_status_are_left_out_and_counted():
    frame = deals(deal("won", 10), {**deal("won", 10), "created_at": None}, deal("sleeping"), deal(None))

    log = run(frame).attrs["hlkit"]

    assert log["left_out"] == {"opportunities without a date": 1, "opportunities of unknown status": 2}


def test_a_remark_counts_open_deals_that_may_have_been_reopened():
    frame = deals(deal("open", 30), deal("open"), deal("won", 200))

    assert "1 open deal may have been reopened" in run(frame).attrs["hlkit"]["definition"]


def test_each_group_has_a_curve_the_largest_first():
    frame = deals(deal("won", 10, source="b"), deal("won", 10, source="a"), deal("lost", 20, source="A"), deal(ago=5))

    table = run(frame, by="source", days=30)

    assert list(dict.fromkeys(table["source"])) == ["a", "b", "(none)"]
    assert table.groupby("source")["won_share"].max().to_dict() == {"a": 0.5, "b": 1, "(none)": 0}
    assert table["n"].tolist() == [2] * 31 + [1] * 62
    cohorts = run(frame, by="cohort", days=1)
    assert cohorts[["cohort", "n"]].values.tolist() == [["2025-03", 3]] * 2 + [["2025-06", 1]] * 2


def test_a_curve_without_deals_is_empty():
    assert len(run(deals())) == 0
    assert close_curve.headline(run(deals())) == "No deals as of July 1, 2025."


def test_a_curve_of_more_than_ten_years_is_refused():
    with pytest.raises(InvalidRequest, match="no days=3,651"):
        run(deals(deal()), days=3651)
    with pytest.raises(MissingColumn, match="status_changed_at"):
        run(deals(deal()).drop(columns="status_changed_at"))


# ---- the headline


def test_the_headline_gives_the_shares_on_the_last_day_and_the_median():
    frame = deals(
        *(deal("won", 10 + number, ago=200) for number in range(10)), *(deal("lost", 30) for _ in range(10))
    )

    assert close_curve.headline(run(frame)) == (
        "Of 20 deals, 50% (30 to 70) are won within 180 days (median 14 days to win); 50% are lost by then, and 0% "
        "are still open."
    )


def test_groups_with_a_common_long_prefix_are_compared_separately():
    long = "https://example.com/" + "landing/" * 10
    frame = deals(*(deal("won" if n % 2 else "lost", 5, ago=100 + n) for n in range(80)))
    frame["url"] = [f"{long}{n % 2}" for n in range(80)]

    assert close_curve.headline(run(frame, by="url")) == (
        "50% (39 to 61) of deals are won within 90 days. https://example.com/landing/landing/lan… (2) (100%) is "
        "above https://example.com/landing/landing/lan… (0%), a significant difference (p < .001)."
    )


# ---- the chart


def chart_text(ax):
    return [text.get_text() for text in ax.texts]


def test_the_chart_of_all_deals_shows_the_shares_won_lost_and_open():
    frame = deals(
        *(deal("won", 10 + number, ago=200) for number in range(10)), *(deal("lost", 30) for _ in range(10))
    )

    ax = drawn(close_curve, run(frame))

    # Wilson of 10 in 20: 0.299 to 0.701
    assert sorted(chart_text(ax)) == ["30–70 of 20", "30–70 of 20", "lost 50%", "of 20", "open 0%", "won 50%"]
    assert ax.get_xlabel() == "share of deals, by days since the deal was created; band: 95% interval"


def test_the_chart_of_groups_labels_each_line_without_overlap():
    rows = [deal("won" if n % 2 else "lost", 5 + n % 3, source=f"source {n % 8}", ago=40 + n) for n in range(240)]

    ax = drawn(close_curve, run(deals(*rows), by="source"))

    assert "and 3 more in the table" in chart_text(ax)
    heights = sorted(text.xy[1] / ax.get_ylim()[1] for text in ax.texts if text.get_text().startswith("source"))
    assert len(heights) == 5
    assert min(np.diff(heights)) > 0.1
    assert heights[-1] <= 1


# ---- the deals behind a group


def test_the_deals_behind_a_group_have_a_name_and_a_link():
    result = hl.demo(as_of="2026-01-01", size=600).analyses.close_curve(by="source", days=30)
    group = result.table.iloc[0]

    rows = result.rows(group["source"])

    assert rows.columns[:4].tolist() == ["name", "link", "status", "value"]
    assert len(rows) == group["n"]
