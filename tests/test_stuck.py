"""Stuck deals: limits and next steps worked out by hand, and the planted deals of the simulated location."""

import numpy as np
import pandas as pd
import pytest
import seeded
from made import drawn, typed

import hlkit as hl
from hlkit.analysis.core.groups import wilson
from hlkit.client.errors import MissingColumn

stuck = hl.analyses.stuck
AS_OF = pd.Timestamp("2025-07-01T12:00Z")  # 7 AM in Chicago


def days_ago(days):
    return AS_OF - pd.Timedelta(days=days)


def deal(key, in_stage=1, stage="s1", contact=None, **more):
    """An open deal that has been in its stage for *in_stage* days."""
    return {
        "opportunity_id": key,
        "status": "open",
        "stage_id": stage,
        "pipeline_id": "p1",
        "contact_id": contact or f"{key}'s contact",
        "created_at": days_ago(300),
        "stage_changed_at": days_ago(in_stage),
        "status_changed_at": days_ago(300),
        "value": 100,
        **more,
    }


def won(number, days, stage="s1", **more):
    """A deal that was won *days* days after it entered the stage."""
    times = {"created_at": days_ago(200 + number), "stage_changed_at": days_ago(100)}
    return deal(
        f"w{number}", stage=stage, **{"status": "won", **times, "status_changed_at": days_ago(100 - days), **more}
    )


def deals(*rows):
    return typed("opportunities", *rows)


def trun(contact, due=None, done=False):
    return {"contact_id": contact, "due_at": due, "is_completed": done}


def tasks(*rows):
    return typed("tasks", *({"task_id": f"t{number}", **row} for number, row in enumerate(rows)))


def appointment(contact, starts, **more):
    return {"contact_id": contact, "starts_at": starts, "status": "confirmed", **more}


def appointments(*rows):
    return typed("appointments", *({"appointment_id": f"a{number}", **row} for number, row in enumerate(rows)))


def run(opportunities, tasks=None, appointments=None, stages=None, **options):
    return stuck(opportunities, stages, tasks, appointments, **{"as_of": AS_OF, **options})


def stuck_ids(table):
    return table.loc[table["stuck"], "opportunity_id"].tolist()


# ---- the limit


def test_a_deal_is_stuck_if_it_is_in_its_stage_for_longer_than_the_limit():
    frame = deals(deal("new", 3), deal("old", 40), deal("edge", 14), deal("over", 14.01))

    table = run(frame, tasks(), appointments())

    assert table["opportunity_id"].tolist() == ["old", "over", "edge", "new"]
    assert table["days_in_stage"].tolist() == pytest.approx([40, 14.01, 14, 3], abs=1e-6)
    assert table["stuck"].tolist() == [True, True, False, False]
    assert table["limit_days"].tolist() == [14] * 4
    assert stuck_ids(run(frame, tasks(), appointments(), days=30)) == ["old"]


def test_the_limit_of_a_stage_is_the_90th_percentile_of_the_stays_of_its_wins():
    # 21 wins after 0.5, 1.5 ... 20.5 days in the stage: the 90th percentile is the 19th of them, 18.5
    wins = [won(number, number + 0.5) for number in range(21)]
    frame = deals(*wins, deal("a", 18), deal("b", 19), deal("c", 18, stage="s2"))

    table = run(frame, tasks(), appointments()).set_index("opportunity_id")

    assert table["stage_p90_days"].to_dict() == pytest.approx({"a": 18.5, "b": 18.5, "c": np.nan}, nan_ok=True)
    assert table["limit_days"].to_dict() == {"a": 18.5, "b": 18.5, "c": 14}
    assert table["stuck"].to_dict() == {"a": False, "b": True, "c": True}


def test_nineteen_wins_are_too_few_to_set_a_limit():
    frame = deals(*(won(number, 60) for number in range(19)), deal("a", 20))

    table = run(frame)

    assert np.isnan(table.loc[0, "stage_p90_days"])
    assert stuck_ids(table) == ["a"]


def test_a_deal_lost_or_abandoned_or_won_after_as_of_sets_no_limit():
    ends = [
        won(number, 60, status=("lost", "abandoned", "won")[number % 3], status_changed_at=days_ago(number % 3 * -20))
        for number in range(90)
    ]

    # 30 lost on the day of as_of, 30 abandoned 20 days after it, 30 won 40 days after it
    assert run(deals(*ends, deal("a", 20))).set_index("opportunity_id").loc["a", "limit_days"] == 14


def test_stays_under_an_hour_do_not_count_in_the_percentile():
    # With the 40 wins within a minute, rank 0.9 * 59 = 53.1 would be 14.1 days.
    instant = [won(100 + number, 1 / 1440) for number in range(40)]
    wins = [won(number, number + 1) for number in range(20)]  # 1, 2 ... 20 days: rank 0.9 * 19 = 17.1 is 18.1

    assert run(deals(*instant, *wins, deal("a", 3)))["limit_days"].tolist() == pytest.approx([18.1])


@pytest.mark.parametrize(
    ("under", "limit"),
    [(1, 14), (0, 1)],  # 19 stays of an hour and one of 59 minutes, or 20 of an hour
)
def test_a_stay_of_an_hour_counts_and_a_shorter_one_does_not(under, limit):
    stays = [59 / 1440] * under + [1 / 24] * (20 - under)
    wins = [won(number, stay) for number, stay in enumerate(stays)]

    assert run(deals(*wins, deal("a", 0.5), deal("b", 2)))["limit_days"].tolist() == [limit] * 2


def test_a_stage_with_short_stays_only_has_the_default_limit():
    wins = [won(number, 1 / 1440) for number in range(30)]

    table = run(deals(*wins, deal("a", 0.5), deal("b", 2), deal("c", 20)))

    assert table["limit_days"].tolist() == [14] * 3
    assert stuck_ids(table) == ["c"]


def test_a_limit_is_at_least_a_day():
    # 20 stays of 2, 3 ... 21 hours: rank 17.1 is 19.1 hours
    wins = [won(number, (number + 2) / 24) for number in range(20)]

    table = run(deals(*wins, deal("a", 0.9), deal("b", 1.1)))

    assert table["stage_p90_days"].tolist() == pytest.approx([19.1 / 24] * 2)
    assert table["limit_days"].tolist() == [1, 1]
    assert stuck_ids(table) == ["b"]


def test_imported_wins_and_deals_created_as_won_do_not_set_the_limit():
    imported = [won(number, 90, created_at=days_ago(250)) for number in range(60)]
    created_won = [won(100 + n, 0, created_at=days_ago(100)) for n in range(25)]

    assert run(deals(*imported, *created_won, deal("a", 20)))["limit_days"].tolist() == [14]


# ---- next steps


@pytest.mark.parametrize(
    ("planned", "step"),
    [
        (tasks(trun("c", AS_OF + pd.Timedelta(days=3))), "task due 2025-07-04"),
        (tasks(trun("c", pd.Timestamp("2025-07-01T05:00Z"))), "task due 2025-07-01"),  # today, in Chicago
        (tasks(trun("c")), "task without a due date"),
        (tasks(trun("c", days_ago(9)), trun("c", AS_OF)), "task due 2025-07-01"),
    ],
)
def test_a_deal_with_an_open_task_is_not_stuck(planned, step):
    table = run(deals(deal("a", 40, contact="c")), planned, appointments(), timezone="America/Chicago")

    assert table["next_step"].tolist() == [step]
    assert stuck_ids(table) == []


@pytest.mark.parametrize(
    ("planned", "step"),
    [
        (tasks(trun("c", days_ago(40)), trun("c", days_ago(9))), "task overdue since 2025-05-22"),
        (tasks(trun("c", AS_OF + pd.Timedelta(days=3), done=True)), ""),
        (tasks(trun("another", AS_OF)), ""),
    ],
)
def test_a_task_that_is_done_or_overdue_does_not_count(planned, step):
    table = run(deals(deal("a", 40, contact="c")), planned, appointments(), timezone="America/Chicago")

    assert table["next_step"].tolist() == [step]
    assert stuck_ids(table) == ["a"]


@pytest.mark.parametrize(
    ("task_in", "appointment_in", "step"),
    [(5, 1, "appointment 2025-07-02 07:00"), (1, 5, "task due 2025-07-02")],
)
def test_the_next_step_is_the_earliest_task_or_appointment(task_in, appointment_in, step):
    due, starts = (AS_OF + pd.Timedelta(days=days) for days in (task_in, appointment_in))
    planned = tasks(trun("c", due)), appointments(appointment("c", starts))

    table = run(deals(deal("a", 40, contact="c")), *planned, timezone="America/Chicago")

    assert table["next_step"].tolist() == [step]
    assert stuck_ids(table) == []


@pytest.mark.parametrize(
    ("rows", "step"),
    [
        ([trun("c", AS_OF + pd.Timedelta(days=3))], "task due 2025-07-04 (contact has 3 open deals)"),
        ([trun("c"), trun("c", days_ago(9))], "task without a due date (contact has 3 open deals)"),
        ([trun("c", days_ago(9))], "task overdue since 2025-06-22 (contact has 3 open deals)"),
        ([trun("c"), trun("c", AS_OF)], "task due 2025-07-01 (contact has 3 open deals)"),
    ],
)
def test_a_task_of_a_contact_with_several_open_deals_does_not_count(rows, step):
    three = [deal(key, days, contact="c") for key, days in (("a", 40), ("b", 30), ("d", 2))]

    table = run(deals(*three, deal("e", 50)), tasks(*rows, trun("e's contact", AS_OF)), appointments())

    assert table.set_index("opportunity_id")["next_step"].to_dict() == {
        **dict.fromkeys("abd", step),
        "e": "task due 2025-07-01",  # this contact has one deal
    }
    assert stuck_ids(table) == ["a", "b"]


def test_only_deals_open_at_as_of_count_as_several_deals_of_a_contact():
    of_contact = [
        deal("a", 40, contact="c"),
        deal("won", 40, contact="c", status="won", status_changed_at=days_ago(1)),
        deal("lost", 40, contact="c", status="lost", status_changed_at=days_ago(1)),
        deal("abandoned", 40, contact="c", status="abandoned", status_changed_at=days_ago(1)),
    ]
    tomorrow = deal("won tomorrow", 40, contact="c", status="won", status_changed_at=days_ago(-1))

    assert stuck_ids(run(deals(*of_contact), tasks(trun("c", AS_OF)), appointments())) == []
    table = run(deals(*of_contact, tomorrow), tasks(trun("c", AS_OF)), appointments())
    assert stuck_ids(table) == ["a", "won tomorrow"]
    assert table["next_step"].tolist() == ["task due 2025-07-01 (contact has 2 open deals)"] * 2


def test_an_appointment_counts_for_each_deal_of_its_contact_and_precedes_a_shared_task():
    tomorrow, later = AS_OF + pd.Timedelta(days=1), AS_OF + pd.Timedelta(days=5)
    frame = deals(deal("a", 40, contact="c"), deal("b", 30, contact="c"))

    both = run(frame, tasks(trun("c", tomorrow)), appointments(appointment("c", later)), timezone="America/Chicago")

    assert both["next_step"].tolist() == ["appointment 2025-07-06 07:00"] * 2
    assert stuck_ids(both) == []


def test_deals_without_a_contact_have_no_next_step_and_share_no_trun():
    frame = deals(*(deal(key, 40, contact_id=None) for key in "ab"), deal("c", 40, contact="c"))

    table = run(frame, tasks(trun(None, AS_OF), trun("c", AS_OF)), appointments())

    assert stuck_ids(table) == ["a", "b"]
    assert sorted(table["next_step"]) == ["", "", "task due 2025-07-01"]


@pytest.mark.parametrize(
    "row",
    [
        appointment("c", days_ago(1)),
        appointment("c", AS_OF + pd.Timedelta(days=1), status="cancelled"),
        appointment("c", AS_OF + pd.Timedelta(days=1), status="Invalid"),
        appointment("c", AS_OF + pd.Timedelta(days=1), is_deleted=True),
        appointment(None, AS_OF + pd.Timedelta(days=1)),
        appointment("c", None),
    ],
)
def test_a_past_or_canceled_appointment_does_not_count(row):
    table = run(deals(deal("a", 40, contact="c")), tasks(), appointments(row))

    assert stuck_ids(table) == ["a"]
    assert table["next_step"].tolist() == [""]


def test_without_tasks_and_appointments_only_the_age_decides_with_a_remark():
    table = run(deals(deal("a", 40), deal("b", 2)))

    assert table["next_step"].isna().all()
    assert stuck_ids(table) == ["a"]
    assert "Without tasks" in table.attrs["hlkit"]["definition"]
    assert "Without appointments" in table.attrs["hlkit"]["definition"]
    assert run(deals(deal("a", 40)), tasks())["next_step"].tolist() == [""]


# ---- which deals


def test_only_deals_that_are_open_at_as_of_have_a_row():
    frame = deals(
        deal("open", 40),
        deal("won", 40, status="won", status_changed_at=days_ago(1)),
        deal("lost", 40, status="lost", status_changed_at=days_ago(1)),
        deal("won tomorrow", 20, status="won", status_changed_at=days_ago(-1)),
    )

    assert run(frame)["opportunity_id"].tolist() == ["open", "won tomorrow"]


def test_a_deal_that_moved_after_as_of_has_no_days_in_stage_and_is_not_stuck():
    table = run(deals(deal("a", -2), deal("b", 20)))

    assert table["opportunity_id"].tolist() == ["b", "a"]
    assert np.isnan(table.loc[1, "days_in_stage"])
    assert stuck_ids(table) == ["b"]
    assert "1 open deal changed stage after as_of" in table.attrs["hlkit"]["definition"]


def test_a_deal_without_a_stage_date_counts_from_its_creation():
    table = run(deals(deal("a", stage_changed_at=None)))

    assert table["days_in_stage"].tolist() == [300]
    assert "1 open deal without a stage date" in table.attrs["hlkit"]["definition"]


def test_days_since_the_last_action_are_null_without_an_action():
    frame = deals(deal("a", 3, acted_at=days_ago(2)), deal("b", 2), deal("c", 1, acted_at=days_ago(-1)))

    assert run(frame)["days_since_action"].tolist() == pytest.approx([2, np.nan, np.nan], nan_ok=True)


def test_a_frame_with_only_the_required_columns_is_enough():
    needed = ["opportunity_id", "status", "created_at", "status_changed_at", "stage_changed_at", "stage_id"]
    frame = deals(deal("a", 40), deal("b", 2))[needed]

    assert stuck_ids(run(frame, tasks(trun("x")), appointments())) == ["a"]
    assert run(frame, show="stages")["n"].tolist() == [2]
    for column in needed[1:]:
        with pytest.raises(MissingColumn):
            run(frame.drop(columns=column))


# ---- groups


def test_the_summary_counts_by_stage_in_pipeline_order():
    stages = typed(
        "stages",
        {"stage_id": "s1", "pipeline_id": "p1", "position": 1},
        {"stage_id": "s0", "pipeline_id": "p1", "position": 0},
    )
    planned = tasks(trun("c", AS_OF))
    frame_ = deals(
        deal("a", 40, value=5), deal("b", 41, contact="c", value=7), deal("d", 2), deal("e", 1, stage="s0"),
        deal("f", 50, stage="gone", pipeline_id="p1"), deal("g", 50, stage=None, pipeline_id=None, value=None),
    )  # fmt: skip

    table = run(frame_, planned, appointments(), stages, show="stages").set_index("stage_id")

    assert table.index.tolist() == ["s0", "s1", "gone", "(none)"]
    row = table.loc["s1"]
    assert row[["n", "over_limit", "stuck", "open_value", "stuck_value"]].tolist() == [3, 2, 1, 112, 5]
    assert row["stuck_share"] == pytest.approx(1 / 3)
    assert row["stuck_low"] < 1 / 3 < row["stuck_high"]
    assert row["median_days"] == 40
    assert row["pipeline_id"] == "p1"
    assert table["stuck"].sum() == run(frame_, planned, appointments(), by=None, show="stages")["stuck"].sum() == 3


def test_the_interval_includes_the_error_of_the_limit_and_of_shared_contacts():
    open_ = [deal(f"d{n}", 10 + n) for n in range(20)]  # 10 to 29 days in the stage
    # 100 wins that took 0.2 to 20 days: the 90th percentile is at rank 89.1, 18.02 days, with an error of 3 ranks:
    # 86.1 and 92.1, 17.42 and 18.62. Eleven deals are over 18.02, twelve over 17.42, eleven over 18.62.
    wins = [won(n, (n + 1) / 5, created_at=days_ago(200) - pd.Timedelta(hours=n)) for n in range(100)]

    by_stage = run(deals(*wins, *open_), show="stages").iloc[0]
    fixed = run(deals(*open_), days=18, show="stages").iloc[0]
    shared = run(
        deals(*(d | {"contact_id": f"c{n // 2}"} for n, d in enumerate(open_))), days=18, show="stages"
    ).iloc[0]

    share, limit_error = 11 / 20, 1 / 20
    effective = share * (1 - share) / (share * (1 - share) / 20 + limit_error**2)
    assert [by_stage["stuck"], fixed["stuck"], shared["stuck"]] == [11, 11, 11]
    assert by_stage[["stuck_low", "stuck_high"]].tolist() == pytest.approx(wilson(share * effective, effective))
    assert fixed[["stuck_low", "stuck_high"]].tolist() == pytest.approx(wilson(11, 20))
    assert shared["stuck_low"] < fixed["stuck_low"]


def test_an_owner_with_deals_in_two_pipelines_has_no_pipeline_id():
    frame = deals(deal("a", 40, owner_id="u"), deal("b", 2, owner_id="u", pipeline_id="p2"))

    table = run(frame, by="owner_id", show="stages")

    assert table["owner_id"].tolist() == ["u"]
    assert table["pipeline_id"].isna().all()


# ---- the headline


def headline(frame, **options):
    return stuck.headline(run(frame, **options).assign(stage="Quote", pipeline="Sales"))


def test_the_headline_starts_with_the_number_of_stuck_deals_and_their_value():
    assert headline(deals(deal("a", 40), deal("b", 41), deal("c", 2))) == (
        "2 of 3 open deals are stuck, worth 200 in total. The stage with the most: Quote, 2."
    )
    assert headline(deals(deal("a", 40, value=None), deal("b", 1))) == (
        "1 of 2 open deals is stuck. The stage with the most: Quote, 1."
    )
    assert headline(deals(deal("a", 2), deal("b", 1))) == "0 of 2 open deals are stuck."
    assert headline(deals(deal("a", 2))) == "0 of 1 open deal is stuck."


# ---- charts


def axes(table):
    return drawn(stuck, table)


def row_labels(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def test_the_chart_shows_how_many_are_stuck_in_each_stage():
    frame = deals(deal("a", 40), deal("b", 2), deal("c", 50, stage="s2"), deal("d", 60, stage="s2"), deal("e", 0))
    table = run(frame).assign(stage=["Quote", "Quote", "Visit", "Visit", "Visit"], pipeline="Sales")

    ax = axes(table)

    assert "3 of 5 are stuck" in [text.get_text() for text in ax.texts]
    assert row_labels(ax) == ["Quote (2 of 2)", "Visit (1 of 3)"]
    assert ax.get_xscale() == "log"
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {
        "within the limit",
        "stuck",
        "limit of the stage",
    }


def test_stages_with_a_common_prefix_in_two_pipelines_have_distinct_labels():
    pairs = [(stage, pipeline) for stage in ("s1", "s2") for pipeline in ("p1", "p2")]
    frame = deals(*(deal(f"{a}{b}", 40, stage=a + b, pipeline_id=b) for a, b in pairs))
    table = run(frame)
    names = {"s1": "Consultation booked, virtual", "s2": "Consultation booked, in person"}
    table = table.assign(stage=table["stage_id"].str[:2].map(names), pipeline=table["pipeline_id"])

    assert sorted(row_labels(axes(table))) == [
        "Consultation booked… · p1 (1 of 1)",
        "Consultation booked… · p1 (2) (1 of 1)",
        "Consultation booked… · p2 (1 of 1)",
        "Consultation booked… · p2 (2) (1 of 1)",
    ]


def test_stages_with_one_name_in_two_pipelines_have_distinct_labels():
    frame = deals(deal("a", 40), deal("b", 41, stage="s2", pipeline_id="p2"))
    table = run(frame).assign(stage="New", pipeline=["Repeat work", "Sales"])

    assert row_labels(axes(table)) == ["New · Repeat work (1 of 1)", "New · Sales (1 of 1)"]
    summed = run(frame, show="stages").assign(stage="New", pipeline=["Repeat work", "Sales"])
    assert row_labels(axes(summed)) == ["New · Repeat work (n = 1)", "New · Sales (n = 1)"]


# ---- planted


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_planted_deals_and_few_others_are_stuck(seed):
    frames = {name: seeded.frame(seed, 5000, name) for name in stuck.frames}
    planted = set(seeded.data(seed, 5000).planted["stuck"])

    found = set(stuck_ids(stuck(**frames, as_of="2026-01-01", timezone="America/Chicago")))

    assert len(planted) == 40
    assert planted <= found
    assert len(found - planted) <= 0.1 * len(planted)
    # The naive rule, open for two weeks, also includes many deals that are not stuck.
    deals = frames["opportunities"]
    old = deals["created_at"] < pd.Timestamp("2026-01-01", tz="America/Chicago") - pd.Timedelta(days=14)
    naive = set(deals.loc[old & (deals["status"] == "open"), "opportunity_id"])
    assert len(naive - planted) > 0.5 * len(planted)
