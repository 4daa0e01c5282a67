"""The share of open deals that is stuck by stage: counts and intervals by hand, the headline, the deals behind it."""

import pandas as pd
import pytest
from made import drawn, typed
from made_deals import AS_OF, appointments, days_ago, deal, deals, task, tasks, won

import hlkit as hl
from hlkit.analysis.core.shares import wilson

stuck_stages = hl.analyses.stuck_stages


def run(opportunities, tasks=None, appointments=None, stages=None, **options):
    return stuck_stages(opportunities, stages, tasks, appointments, **{"as_of": AS_OF, **options})


def test_the_summary_counts_by_stage_in_pipeline_order():
    stages = typed(
        "stages",
        {"stage_id": "s1", "pipeline_id": "p1", "position": 1},
        {"stage_id": "s0", "pipeline_id": "p1", "position": 0},
    )
    planned = tasks(task("c", AS_OF))
    frame = deals(
        deal("a", 40, value=5), deal("b", 41, contact="c", value=7), deal("d", 2), deal("e", 1, stage="s0"),
        deal("f", 50, stage="gone", pipeline_id="p1"), deal("g", 50, stage=None, pipeline_id=None, value=None),
    )  # fmt: skip

    table = run(frame, planned, appointments(), stages).set_index("stage_id")

    assert table.index.tolist() == ["s0", "s1", "gone", "(none)"]
    row = table.loc["s1"]
    assert row[["n", "over_limit", "stuck", "open_value", "stuck_value"]].tolist() == [3, 2, 1, 112, 5]
    assert row["stuck_share"] == pytest.approx(1 / 3)
    assert row["stuck_low"] < 1 / 3 < row["stuck_high"]
    assert row["median_days"] == 40
    assert row["pipeline_id"] == "p1"
    assert table["stuck"].sum() == run(frame, planned, appointments(), by=None)["stuck"].sum() == 3


def test_the_interval_includes_the_error_of_the_limit_and_of_shared_contacts():
    open_ = [deal(f"d{n}", 10 + n) for n in range(20)]  # 10 to 29 days in the stage
    # 100 wins that took 0.2 to 20 days: the 90th percentile is at rank 89.1, 18.02 days, with an error of 3 ranks:
    # 86.1 and 92.1, 17.42 and 18.62. Eleven deals are over 18.02, twelve over 17.42, eleven over 18.62.
    wins = [won(n, (n + 1) / 5, created_at=days_ago(200) - pd.Timedelta(hours=n)) for n in range(100)]

    by_stage = run(deals(*wins, *open_)).iloc[0]
    fixed = run(deals(*open_), days=18).iloc[0]
    shared = run(deals(*(d | {"contact_id": f"c{n // 2}"} for n, d in enumerate(open_))), days=18).iloc[0]

    share, limit_error = 11 / 20, 1 / 20
    effective = share * (1 - share) / (share * (1 - share) / 20 + limit_error**2)
    assert [by_stage["stuck"], fixed["stuck"], shared["stuck"]] == [11, 11, 11]
    assert by_stage[["stuck_low", "stuck_high"]].tolist() == pytest.approx(wilson(share * effective, effective))
    assert fixed[["stuck_low", "stuck_high"]].tolist() == pytest.approx(wilson(11, 20))
    assert shared["stuck_low"] < fixed["stuck_low"]


def test_an_owner_with_deals_in_two_pipelines_has_no_pipeline_id():
    frame = deals(deal("a", 40, owner_id="u"), deal("b", 2, owner_id="u", pipeline_id="p2"))

    table = run(frame, by="owner_id")

    assert table["owner_id"].tolist() == ["u"]
    assert table["pipeline_id"].isna().all()


def test_two_columns_give_a_row_for_each_pair_and_a_heat_table():
    frame = deals(
        deal("a", 40, owner_id="u1", source="ads"),
        deal("b", 2, owner_id="u1", source="ads"),
        deal("c", 40, owner_id="u2", source="mail"),
    )

    table = run(frame, by=["owner_id", "source"])

    assert table[["owner_id", "source", "n", "stuck"]].values.tolist() == [["u1", "ads", 2, 1], ["u2", "mail", 1, 1]]
    ax = drawn(stuck_stages, table)
    assert [text.get_text() for text in ax.texts] == ["50%", "100%"]


# ---- the headline


def headline(frame, **options):
    return stuck_stages.headline(run(frame, **options).assign(stage="Quote", pipeline="Sales"))


def test_the_headline_starts_with_the_number_of_stuck_deals():
    assert headline(deals(*(deal(f"d{n}", 40 if n < 6 else 1) for n in range(24)))) == (
        "6 of 24 open deals (25%) are stuck, worth 600 in total."
    )
    assert headline(deals(*(deal(f"d{n}", 1) for n in range(24)))) == "0 of 24 open deals are stuck."
    assert headline(deals(deal("a", 40, value=None), deal("b", 1))) == (
        "1 of 2 open deals (50%) is stuck (fewer than 20 rows: too few to say much)."
    )


def test_the_headline_compares_stages_with_the_pipeline_where_names_are_the_same():
    in_first = [deal(f"a{n}", 40 if n < 30 else 1, value=None) for n in range(40)]
    in_second = [deal(f"b{n}", 40 if n < 10 else 1, stage="s2", pipeline_id="p2", value=None) for n in range(40)]
    table = run(deals(*in_first, *in_second)).assign(stage="New", pipeline=["Sales", "Service"])

    assert stuck_stages.headline(table) == (
        "40 of 80 open deals (50%) are stuck. New · Sales (75%) is above New · Service (25%), a significant "
        "difference (p < .001)."
    )


# ---- the chart


def test_the_chart_names_stages_with_the_pipeline_where_names_are_the_same():
    frame = deals(deal("a", 40), deal("b", 41, stage="s2", pipeline_id="p2"))
    table = run(frame).assign(stage="New", pipeline=["Sales", "Repeat work"])

    labels = [label.get_text() for label in drawn(stuck_stages, table).get_yticklabels()]

    assert labels == ["New · Sales", "New · Repeat work"]


# ---- the deals behind a stage


def test_the_deals_behind_a_stage_have_a_name_and_a_link():
    loc = hl.demo(as_of="2026-01-01", size=600)
    result = loc.analyses.stuck_stages()
    stage = result.table.loc[result.table["n"].idxmax()]

    rows = result.rows(stage["stage_id"])

    assert rows.columns[:4].tolist() == ["name", "link", "stuck", "days_in_stage"]
    assert (len(rows), rows["stuck"].sum()) == (stage["n"], stage["stuck"])
    listed = loc.analyses.stuck().table
    assert set(rows["opportunity_id"]) == set(listed.loc[listed["stage_id"] == stage["stage_id"], "opportunity_id"])
    assert rows["link"].str.endswith(tuple(rows["contact_id"])).all()
