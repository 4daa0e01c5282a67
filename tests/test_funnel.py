"""Where deals sit: HighLevel's published example, by hand, and the deleted stage."""

import pandas as pd
import pytest
from made import drawn
from seeded import data, frame

import hlkit as hl
from hlkit.analysis.core.groups import wilson
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


def ask(opportunities, stages, **choices):
    return funnel(opportunities, stages, **{"as_of": "2025-07-01", **choices})


def test_highlevels_published_example_comes_out_as_published():
    # 229, 4, 32, 7 and 0 deals stand in five stages and none is won: 272 came in, then 43, 39, 7, 0, and 0 won.
    stages = pipeline(["Registered", "Trial", "Lesson 1", "Lesson 2", "Lesson 3"])
    opportunities = deals(("s0", "open", 229), ("s1", "lost", 4), ("s2", "open", 32), ("s3", "abandoned", 7))

    for match in ("created", "highlevel"):
        table = ask(opportunities, stages, match=match)
        assert reached(table) == [272, 43, 39, 7, 0, 0]
        assert table["in_stage"].tolist()[:5] == [229, 4, 32, 7, 0]
        assert table["stage"].tolist()[-1] == "(won)"


def test_a_won_deal_has_come_through_every_step_wherever_it_stands():
    stages = pipeline(["New", "Booked"])

    table = funnel(deals(("s0", "won", 3), ("s0", "lost", 5), ("s1", "open", 2)), stages, as_of="2025-07-01")

    assert reached(table) == [10, 5, 3]
    assert table["step_share"].round(2).tolist()[1:] == [0.5, 0.6]


def test_a_stage_that_was_deleted_is_a_row_of_its_own():
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


def test_each_stage_tells_what_stands_there_and_what_fell_out():
    stages = pipeline(["New", "Booked"])
    rows = deals(("s0", "open", 2), ("s0", "lost", 3), ("s0", "abandoned", 1), ("s1", "Open", 1), ("s1", "won", 3))

    table = ask(rows, stages, currency="USD").set_index("stage")

    standing = ["in_stage", "open", "won", "lost", "abandoned", "value"]
    assert table.loc["New", standing].tolist() == [6, 2, 0, 4, 1, 200]
    assert table.loc["Booked", standing].tolist() == [4, 1, 3, 0, 0, 100]
    assert table.loc["(won)", standing].isna().all()
    assert table["reached"].tolist() == [10, 4, 3]
    assert table["reached_previous"].tolist()[1:] == [10, 4]
    assert table["total_share"].tolist() == [1, 0.4, 0.3]
    assert table.loc["Booked", ["step_low", "step_high"]].tolist() == pytest.approx(wilson(4, 10))
    assert table.loc["(won)", ["total_low", "total_high"]].tolist() == pytest.approx(wilson(3, 10))
    assert pd.isna(table.loc["New", "step_share"])
    assert table.loc["(won)", "open_share"] == 0.3
    without = ask(rows, stages, abandoned="exclude").set_index("stage")
    assert without.loc["New", standing].tolist() == [5, 2, 0, 3, 0, 200]
    assert without["reached"].tolist() == [9, 4, 3]
    assert "Values are in USD." in table.attrs["hlkit"]["definition"]


def test_what_goes_on_stands_or_falls_out_makes_up_each_step():
    table = funnel(frame(0, 3000, "opportunities"), frame(0, 3000, "stages"), as_of="2026-01-01T06:00Z")

    for _, road in table.groupby("pipeline_id"):
        steps = road[road["reached"].notna()]
        known = steps[steps["in_stage"].notna()].iloc[1:]  # the first step holds the deals of deleted stages too
        went_on = steps["reached"].shift(-1).loc[known.index]
        here = known["open"] + known["lost"]
        assert known["reached"].tolist() == (went_on + here).tolist()
        assert steps["reached"].is_monotonic_decreasing


def test_a_win_in_a_deleted_stage_has_come_through_all_steps_and_others_in_at_the_first():
    table = ask(deals(("s1", "open", 2), ("gone", "won", 1), ("gone", "lost", 4)), pipeline(["New", "Booked"]))

    assert table["stage"].tolist() == ["New", "Booked", "(won)", "(deleted stage)"]
    assert table["reached"].fillna(-1).tolist() == [7, 3, 1, -1]
    assert "nobody knows how far" in table.attrs["hlkit"]["definition"]


def test_deals_without_a_stage_or_a_pipeline_are_rows_of_their_own():
    rows = deals(("s0", "open", 1), (None, "open", 2), ("gone", "won", 1))
    rows["pipeline_id"] = ["p", None, "p", "old"]

    table = ask(rows, pipeline(["New"]))

    places = table[["pipeline", "stage", "in_stage"]].fillna(0).values.tolist()
    assert sorted(places) == sorted(
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

    assert ask(deals(("s1", "open", 1)), stages)["stage"].tolist() == ["New", "Booked", "Offered", "(won)"]


# ---- which deals


def changed_on(*dates):
    rows = deals(*[("s0", "lost", 1) for _ in dates])
    rows["created_at"] = pd.Timestamp("2025-01-01", tz="UTC")
    rows["status_changed_at"] = pd.to_datetime(list(dates), utc=True, format="ISO8601")
    return rows


def test_the_dashboards_match_takes_deals_by_the_change_of_their_status_in_the_locations_zone():
    # Midnight of 1 May in Chicago is 5:00 in UTC.
    rows = changed_on("2025-05-01T04:59Z", "2025-05-01T05:00Z", "2025-05-31T12:00Z", "2025-06-01T05:00Z", None)

    def came_in(**choices):
        table = ask(rows, pipeline(["New"]), match="highlevel", timezone="America/Chicago", **choices)
        return table["reached"].iloc[0], table.attrs["hlkit"]["left_out"]

    assert came_in() == (5, {})
    why = "opportunities whose status changed at another time"
    assert came_in(changed_since="2025-05-01", changed_until="2025-06-01") == (2, {why: 3})
    assert came_in(changed_since="2025-05-01")[0] == 3
    assert came_in(changed_until="2025-05-01")[0] == 2  # one that never changed is as old as the deal


def test_a_stage_hidden_from_the_dashboard_is_no_step_there():
    stages = pipeline(["New", "Waiting", "Booked"]).assign(in_funnel=[True, False, None])
    rows = deals(("s0", "open", 3), ("s1", "open", 2), ("s2", "won", 1))

    vendor, own = (ask(rows, stages, match=match) for match in ("highlevel", "created"))

    assert own["reached"].tolist() == [6, 3, 1, 1]
    assert vendor["reached"].fillna(-1).tolist() == [6, -1, 1, 1]
    assert vendor["reached_previous"].fillna(-1).tolist() == [-1, -1, 6, 1]
    assert vendor["in_stage"].sum() == own["in_stage"].sum() == 6


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"changed_since": "2025-05-01"}, "change of status"),
        ({"match": "highlevel", "changed_until": "soon"}, "no date or time"),
        ({"pipeline": "Service"}, "no pipeline 'Service'"),
    ],
)
def test_a_choice_that_cannot_be_is_told(choices, message):
    with pytest.raises(InvalidRequest, match=message):
        ask(deals(("s0", "open", 1)), pipeline(["New"]), **choices)


def test_a_pipeline_is_chosen_by_its_name_or_its_id():
    stages = pd.concat(
        [pipeline(["New"]), pipeline(["Enquiry"]).assign(pipeline_id="q", pipeline="Repeat work", stage_id="t0")]
    )
    rows = deals(("s0", "open", 2), ("t0", "open", 1))
    rows["pipeline_id"] = ["p", "p", "q"]

    assert ask(rows, stages)["pipeline"].tolist() == ["Sales", "Sales", "Repeat work", "Repeat work"]
    for name in ("q", " repeat WORK"):
        assert ask(rows, stages, pipeline=name)["in_stage"].sum() == 1


def test_a_deal_closed_later_than_as_of_is_open():
    rows = deals(("s0", "won", 2)).assign(status_changed_at=[T, pd.Timestamp("2025-08-01", tz="UTC")])

    table = ask(rows, pipeline(["New"]))

    assert table.loc[0, ["open", "won"]].tolist() == [1, 1]
    assert "later than as_of" in table.attrs["hlkit"]["definition"]


def test_groups_have_a_funnel_each_the_largest_first_and_sum_to_the_whole():
    rows = deals(("s0", "open", 3), ("s1", "won", 2)).assign(source=["ads", "Ads", "mail", "ads", None])
    stages = pipeline(["New", "Booked"])

    table, whole = ask(rows, stages, by="source"), ask(rows, stages)

    assert list(dict.fromkeys(table["source"])) == ["ads", "mail", "(none)"]
    assert table.groupby("source", sort=False)["reached"].agg(list).to_dict() == {
        "ads": [3, 1, 1],
        "mail": [1, 0, 0],
        "(none)": [1, 1, 1],
    }
    for column in ("in_stage", "open", "won", "value"):
        assert table[column].sum() == whole[column].sum()
    with pytest.raises(MissingColumn):
        ask(rows, stages, by="sauce")


# ---- its chart


def drawing(table):
    axes = drawn(funnel, table)
    return axes, [text.get_text() for text in axes.texts]


def test_the_chart_writes_counts_and_shares_on_the_steps():
    axes, texts = drawing(ask(deals(("s0", "lost", 60), ("s1", "won", 40)), pipeline(["New", "Booked"])))

    assert [label.get_text() for label in axes.get_yticklabels()] == ["New", "Booked", "(won)"]
    assert texts == [
        "100",
        "40 · 40% (31 to 50)",  # Wilson of 40 in 100: 0.309 to 0.498
        "40 · 100% (91 to 100)",
        "Sales, 100 deals as they stand now",
    ]


def test_the_chart_draws_each_pipeline_in_shares_of_its_own_deals():
    table = funnel(frame(0, 300, "opportunities"), frame(0, 300, "stages"), as_of="2026-01-01T06:00Z")

    axes, texts = drawing(table)

    entered = table.drop_duplicates("pipeline").set_index("pipeline")["entered"].sort_values(ascending=False)
    headings = [text for text in axes.texts if text.get_fontweight() == "bold"]
    assert [text.get_text() for text in headings] == [f"{name} ({count})" for name, count in entered.items()]
    assert texts[-1] == f"{entered.sum()} deals in 3 pipelines as they stand now"
    drawn_rows = [label.get_text() for label in axes.get_yticklabels()]
    assert drawn_rows[0] == "New lead"
    assert len(drawn_rows) == len(table)
    assert 0.9 < max(bar.get_x() + bar.get_width() for bar in axes.patches) <= 1


@pytest.mark.parametrize("by", [None, "source"])
def test_more_pipelines_than_a_chart_can_hold_are_told(by):
    stages = pipeline(["New", "Booked"] * 9).assign(
        pipeline_id=[f"p{n // 2}" for n in range(18)], pipeline=[f"P{n // 2}" for n in range(18)]
    )
    rows = deals(*((f"s{2 * n}", "open", 12 - n) for n in range(9))).assign(pipeline_id=None, source="ads")
    rows.loc[::2, "source"] = "mail"

    axes, texts = drawing(ask(rows, stages, by=by))

    assert [text.get_text() for text in axes.texts if text.get_fontweight() == "bold"] == [
        f"P{n} ({12 - n})"
        for n in range(6)  # each a heading and three steps: 24 rows
    ]
    assert texts[-1].endswith("; 3 more pipelines in the table")


def test_the_chart_of_groups_draws_the_largest_four():
    rows = deals(("s0", "open", 15)).assign(source=list("aaaaabbbbccccde"))

    axes, _ = drawing(ask(rows, pipeline(["New"]), by="source"))

    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a (5)", "b (4)", "c (4)", "d (1)"]
    assert "1 more group in the table" in axes.get_xlabel()
