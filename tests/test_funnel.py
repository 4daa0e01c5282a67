"""The funnel: HighLevel's published example, small frames by hand, and deleted stages."""

import pandas as pd
import pytest
from made import drawn
from seeded import data, frame

import hlkit as hl
from hlkit.analysis.core.shares import wilson
from hlkit.client.errors import InvalidRequest, MissingColumn

funnel = hl.analyses.funnel
T = pd.Timestamp("2025-06-01", tz="UTC")


def pipeline(names):
    return pd.DataFrame(
        {
            "stage_id": [f"s{n}" for n in range(len(names))],
            "name": names,
            "position": range(len(names)),
            "pipeline_id": "p",
            "pipeline": "Sales",
        }
    )


def deals(*groups):
    """Deals of (stage, status, how many)."""
    rows = [(stage, status) for stage, status, count in groups for _ in range(count)]
    return pd.DataFrame(
        {
            "opportunity_id": [f"o{n}" for n in range(len(rows))],
            "pipeline_id": "p",
            "stage_id": [stage for stage, _ in rows],
            "status": [status for _, status in rows],
            "value": 100.0,
            "created_at": T,
            "status_changed_at": T,
            "stage_changed_at": T,
        }
    )


def reached(table):
    return table["reached"].tolist()


def run(opportunities, stages, **options):
    return funnel(opportunities, stages, **{"as_of": "2025-07-01", **options})


def test_highlevels_published_example_is_reproduced():
    # 229, 4, 32, 7 and 0 deals are in five stages and none is won: 272 entered, then 43, 39, 7, 0, and 0 won.
    stages = pipeline(["Registered", "Trial", "Lesson 1", "Lesson 2", "Lesson 3"])
    opportunities = deals(("s0", "open", 229), ("s1", "lost", 4), ("s2", "open", 32), ("s3", "abandoned", 7))

    for match in ("created", "highlevel"):
        table = run(opportunities, stages, match=match)
        assert reached(table) == [272, 43, 39, 7, 0, 0]
        assert table["in_stage"].tolist()[:5] == [229, 4, 32, 7, 0]
        assert table["stage"].tolist()[-1] == "(won)"


def test_a_won_deal_has_reached_every_step_whatever_its_stage():
    stages = pipeline(["New", "Booked"])

    table = funnel(deals(("s0", "won", 3), ("s0", "lost", 5), ("s1", "open", 2)), stages, as_of="2025-07-01")

    assert reached(table) == [10, 5, 3]
    assert table["step_share"].round(2).tolist()[1:] == [0.5, 0.6]


def test_a_deleted_stage_has_its_own_row():
    stages = pipeline(["New", "Booked"])

    table = funnel(deals(("s0", "open", 2), ("gone", "open", 3)), stages, as_of="2025-07-01")

    last = table.iloc[-1]
    assert last["stage"] == "(deleted stage)"
    assert last["in_stage"] == 3


def test_the_planted_deals_of_a_deleted_stage_are_counted():
    table = funnel(frame(0, 3000, "opportunities"), frame(0, 3000, "stages"), as_of="2026-01-01T06:00Z")

    planted = data(0, 3000).planted["deleted_stage"]["opportunity_ids"]
    gone = table[table["stage"] == "(deleted stage)"]
    assert gone["in_stage"].sum() == len(planted)
    assert table["in_stage"].sum() == sum(data(0, 3000).planted["statuses"].values())


def test_each_stage_counts_its_open_won_and_lost_deals():
    stages = pipeline(["New", "Booked"])
    rows = deals(("s0", "open", 2), ("s0", "lost", 3), ("s0", "abandoned", 1), ("s1", "Open", 1), ("s1", "won", 3))

    table = run(rows, stages).set_index("stage")

    counts = ["in_stage", "open", "won", "lost", "abandoned", "value"]
    assert table.loc["New", counts].tolist() == [6, 2, 0, 4, 1, 200]
    assert table.loc["Booked", counts].tolist() == [4, 1, 3, 0, 0, 100]
    assert table.loc["(won)", counts].isna().all()
    assert table["reached"].tolist() == [10, 4, 3]
    assert table["reached_previous"].tolist()[1:] == [10, 4]
    assert table["total_share"].tolist() == [1, 0.4, 0.3]
    assert table.loc["Booked", ["step_low", "step_high"]].tolist() == pytest.approx(wilson(4, 10))
    assert table.loc["(won)", ["total_low", "total_high"]].tolist() == pytest.approx(wilson(3, 10))
    assert pd.isna(table.loc["New", "step_share"])
    assert table.loc["(won)", "open_share"] == 0.3
    without = run(rows, stages, abandoned="exclude").set_index("stage")
    assert without.loc["New", counts].tolist() == [5, 2, 0, 3, 0, 200]
    assert without["reached"].tolist() == [9, 4, 3]


def test_deals_that_reached_a_step_advanced_are_open_or_were_lost_there():
    table = funnel(frame(0, 3000, "opportunities"), frame(0, 3000, "stages"), as_of="2026-01-01T06:00Z")

    for _, pipeline_rows in table.groupby("pipeline_id"):
        steps = pipeline_rows[pipeline_rows["reached"].notna()]
        after_first = steps[steps["in_stage"].notna()].iloc[
            1:
        ]  # the first step holds the deals of deleted stages too
        advanced = steps["reached"].shift(-1).loc[after_first.index]
        open_or_lost = after_first["open"] + after_first["lost"]
        assert after_first["reached"].tolist() == (advanced + open_or_lost).tolist()
        assert steps["reached"].is_monotonic_decreasing


def test_in_a_deleted_stage_a_won_deal_reached_all_steps_and_others_the_first():
    table = run(deals(("s1", "open", 2), ("gone", "won", 1), ("gone", "lost", 4)), pipeline(["New", "Booked"]))

    assert table["stage"].tolist() == ["New", "Booked", "(won)", "(deleted stage)"]
    assert table["reached"].fillna(-1).tolist() == [7, 3, 1, -1]
    assert "unknown which steps they reached" in table.attrs["hlkit"]["definition"]


def test_deals_without_a_stage_or_a_pipeline_have_their_own_rows():
    rows = deals(("s0", "open", 1), (None, "open", 2), ("gone", "won", 1))
    rows["pipeline_id"] = ["p", None, "p", "old"]

    table = run(rows, pipeline(["New"]))

    in_stage = table[["pipeline", "stage", "in_stage"]].fillna(0).values.tolist()
    assert sorted(in_stage) == sorted(
        [
            ["Sales", "New", 1],
            ["Sales", "(won)", 0],
            ["Sales", "(none)", 1],
            ["(none)", "(won)", 0],
            ["(none)", "(none)", 1],
            ["(deleted pipeline)", "(won)", 0],
            ["(deleted pipeline)", "(deleted stage)", 1],
        ]
    )


def test_stages_come_in_the_order_of_their_positions():
    stages = pipeline(["New", "Booked", "Offered"]).iloc[[2, 0, 1]]

    assert run(deals(("s1", "open", 1)), stages)["stage"].tolist() == ["New", "Booked", "Offered", "(won)"]


# ---- which deals


def changed_on(*dates):
    rows = deals(*[("s0", "lost", 1) for _ in dates])
    rows["created_at"] = pd.Timestamp("2025-01-01", tz="UTC")
    rows["status_changed_at"] = pd.to_datetime(list(dates), utc=True, format="ISO8601")
    return rows


def test_the_dashboards_match_selects_by_status_change_in_the_locations_time_zone():
    # Midnight of 1 May in Chicago is 5:00 in UTC.
    rows = changed_on("2025-05-01T04:59Z", "2025-05-01T05:00Z", "2025-05-31T12:00Z", "2025-06-01T05:00Z", None)

    def entered(**options):
        table = run(rows, pipeline(["New"]), match="highlevel", timezone="America/Chicago", **options)
        return table["reached"].iloc[0], table.attrs["hlkit"]["left_out"]

    assert entered() == (5, {})
    reason = "opportunities whose status changed at another time"
    assert entered(changed_since="2025-05-01", changed_until="2025-06-01") == (2, {reason: 3})
    assert entered(changed_since="2025-05-01")[0] == 3
    assert entered(changed_until="2025-05-01")[0] == 2  # a status that never changed dates from the deal's creation


def test_a_stage_hidden_from_the_dashboard_is_not_a_step():
    stages = pipeline(["New", "Waiting", "Booked"]).assign(in_funnel=[True, False, None])
    rows = deals(("s0", "open", 3), ("s1", "open", 2), ("s2", "won", 1))

    dashboard, all_stages = (run(rows, stages, match=match) for match in ("highlevel", "created"))

    assert all_stages["reached"].tolist() == [6, 3, 1, 1]
    assert dashboard["reached"].fillna(-1).tolist() == [6, -1, 1, 1]
    assert dashboard["reached_previous"].fillna(-1).tolist() == [-1, -1, 6, 1]
    assert dashboard["in_stage"].sum() == all_stages["in_stage"].sum() == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"changed_since": "2025-05-01"}, "by status change"),
        ({"match": "highlevel", "changed_until": "soon"}, "not a date or time"),
        ({"pipeline": "Service"}, "no pipeline 'Service'"),
    ],
)
def test_an_invalid_option_is_refused(options, message):
    with pytest.raises(InvalidRequest, match=message):
        run(deals(("s0", "open", 1)), pipeline(["New"]), **options)


def test_a_pipeline_is_selected_by_its_name_or_its_id():
    stages = pd.concat(
        [pipeline(["New"]), pipeline(["Enquiry"]).assign(pipeline_id="q", pipeline="Repeat work", stage_id="t0")]
    )
    rows = deals(("s0", "open", 2), ("t0", "open", 1))
    rows["pipeline_id"] = ["p", "p", "q"]

    assert run(rows, stages)["pipeline"].tolist() == ["Sales", "Sales", "Repeat work", "Repeat work"]
    for name in ("q", " repeat WORK"):
        assert run(rows, stages, pipeline=name)["in_stage"].sum() == 1


def test_a_deal_closed_later_than_as_of_is_open():
    rows = deals(("s0", "won", 2)).assign(status_changed_at=[T, pd.Timestamp("2025-08-01", tz="UTC")])

    table = run(rows, pipeline(["New"]))

    assert table.loc[0, ["open", "won"]].tolist() == [1, 1]
    assert "after as_of" in table.attrs["hlkit"]["definition"]


def test_each_group_has_a_funnel_the_largest_first_and_they_sum_to_the_total():
    rows = deals(("s0", "open", 3), ("s1", "won", 2)).assign(source=["ads", "Ads", "mail", "ads", None])
    stages = pipeline(["New", "Booked"])

    table, total = run(rows, stages, by="source"), run(rows, stages)

    assert list(dict.fromkeys(table["source"])) == ["ads", "mail", "(none)"]
    assert table.groupby("source", sort=False)["reached"].agg(list).to_dict() == {
        "ads": [3, 1, 1],
        "mail": [1, 0, 0],
        "(none)": [1, 1, 1],
    }
    for column in ("in_stage", "open", "won", "value"):
        assert table[column].sum() == total[column].sum()
    with pytest.raises(MissingColumn):
        run(rows, stages, by="sauce")


# ---- its headline


def test_the_headline_says_where_deals_are_lost_and_open():
    rows = deals(("s0", "open", 2), ("s0", "lost", 3), ("s1", "lost", 1), ("s1", "open", 1), ("s1", "won", 3))

    assert funnel.headline(run(rows, pipeline(["New", "Booked"]))) == (
        "Of the 10 deals in Sales, 4 were lost, most often in New, 3; 3 are open, worth 300 in total, most often "
        "in New, 2."
    )


def test_the_headline_of_groups_compares_win_rates_in_the_largest_pipeline():
    stages = pd.concat(
        [pipeline(["New"]), pipeline(["Enquiry"]).assign(pipeline_id="q", pipeline="Service", stage_id="t0")]
    )
    rows = deals(("s0", "won", 40), ("s0", "lost", 40), ("t0", "lost", 30))
    rows["created_at"] = T - pd.to_timedelta(range(100, 210), unit="D")
    rows["status_changed_at"] = rows["created_at"] + pd.Timedelta(days=5)
    rows["source"] = ["ads"] * 30 + ["mail"] * 10 + ["ads"] * 10 + ["mail"] * 30 + ["ads"] * 30
    rows["pipeline_id"] = None

    # Wilson of 40 in 80: 0.393 to 0.607
    assert funnel.headline(run(rows, stages, by="source")) == (
        "In Sales, 50% (39 to 61) of deals are won within 90 days. ads (75%) is above mail (25%), a significant "
        "difference (p < .001)."
    )
    by_change = run(rows, stages, by="source", match="highlevel", changed_since="2024-01-01")
    assert funnel.headline(by_change) == (
        "In Sales, win rates are not compared, because these deals were selected by the date of their status change."
    )


# ---- its chart


def drawing(table):
    axes = drawn(funnel, table)
    return axes, [text.get_text() for text in axes.texts]


def steps(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def test_the_chart_writes_counts_and_shares_on_the_steps():
    axes, texts = drawing(run(deals(("s0", "lost", 60), ("s1", "won", 40)), pipeline(["New", "Booked"])))

    assert steps(axes) == ["New", "Booked", "won"]
    assert [label.get_text() for label in axes.get_legend().get_texts()] == [
        "advanced",
        "open here",
        "lost here",
        "won",
    ]
    # in the bars, 40 advanced and 60 were lost in New, 40 advanced from Booked, 40 are won; beside them the shares
    assert sorted(texts[:4]) == ["40", "40", "40", "60"]
    assert texts[4:] == ["", "100 deals", "40%", "31–50 of 100", "100%", "91–100 of 40"]  # Wilson: 0.309 to 0.498


def test_the_bar_of_a_step_is_as_long_as_the_deals_that_reached_it():
    rows = deals(("s0", "open", 2), ("s0", "lost", 3), ("s1", "won", 4), ("s1", "lost", 1), ("gone", "won", 2))

    axes, texts = drawing(run(rows, pipeline(["New", "Booked"])))

    ends = [sum(bar.get_width() for bar in axes.patches if round(bar.get_y() + 0.3) == row) for row in range(4)]
    assert steps(axes) == ["New", "Booked", "won", "deleted stage"]
    assert ends == [12, 7, 6, 2]
    assert texts[-1] == "2 in this stage"


def test_shares_of_fewer_than_twenty_deals_are_gray():
    axes, _ = drawing(run(deals(("s0", "lost", 20), ("s1", "won", 10)), pipeline(["New", "Booked"])))

    weights = {text.get_text(): text.get_fontweight() for text in axes.texts}
    assert (weights["33%"], weights["100%"]) == ("bold", "normal")


@pytest.mark.parametrize("by", [None, "source"])
def test_the_chart_shows_the_largest_pipeline_and_says_how_many_it_omits(by):
    stages = pipeline(["New", "Booked"] * 9).assign(
        pipeline_id=[f"p{n // 2}" for n in range(18)], pipeline=[f"P{n // 2}" for n in range(18)]
    )
    rows = deals(*((f"s{2 * n}", "open", 12 - abs(n - 3)) for n in range(9))).assign(pipeline_id=None, source="ads")
    rows.loc[::2, "source"] = "mail"

    axes, _ = drawing(run(rows, stages, by=by))

    label = axes.get_xlabel().replace("\n", " ")
    assert steps(axes) == ["New", "Booked", "won"]
    assert "deals in P3 that reached the step" in label
    assert "8 more pipelines in the table" in label


def test_the_chart_of_groups_shows_the_share_of_each_that_reached_a_step():
    rows = deals(("s0", "open", 6), ("s1", "open", 2)).assign(source=list("aaabbbab"))

    axes, texts = drawing(run(rows, pipeline(["New", "Booked"]), by="source"))

    assert steps(axes) == ["New", "Booked", "won"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b"]
    assert texts == ["100%", "100%", "25%", "25%", "0%", "0%"]


def test_the_chart_of_groups_draws_the_largest_six_and_stages_of_one_name_apart():
    rows = deals(("s0", "open", 15), ("s1", "open", 1)).assign(source=list("aaaaabbbbccdefgh"))

    axes, _ = drawing(run(rows, pipeline(["New", "New"]), by="source"))

    assert steps(axes) == ["New", "New (2)", "won"]
    assert [label.get_text() for label in axes.get_xticklabels()] == list("abcdef")
    assert "2 more groups in the table" in axes.get_xlabel()


# ---- the deals behind a stage


def test_the_deals_behind_a_stage_have_a_name_and_a_link():
    loc = hl.demo(as_of="2026-01-01", size=600)
    result = loc.analyses.funnel()
    stage = result.table.iloc[1]

    rows = result.rows(stage["stage_id"])

    assert rows.columns[:4].tolist() == ["name", "link", "status", "value"]
    assert len(rows) == stage["in_stage"]
    assert rows["status"].value_counts().get("open", 0) == stage["open"]
    assert set(rows["stage_id"]) == {stage["stage_id"]}
    assert len(result.rows(stage["pipeline"])) == stage["entered"]


def test_the_deals_behind_a_group_are_those_of_its_funnel():
    result = hl.demo(as_of="2026-01-01", size=600).analyses.funnel(by="source")
    table = result.table
    of_group = table[table["source"] == "google"]

    assert len(result.rows("google")) == of_group["in_stage"].sum()
    stage = of_group.iloc[0]
    assert len(result.rows(("google", stage["stage_id"]))) == stage["in_stage"]
