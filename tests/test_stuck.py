"""Stuck deals: limits and next steps by hand, and the deals that the simulated location leaves lying."""

import time

import numpy as np
import pandas as pd
import pytest
import seeded
from made import drawn, typed

import hlkit as hl
from hlkit.errors import MissingColumn

stuck = hl.analyses.stuck
AS_OF = pd.Timestamp("2025-07-01T12:00Z")  # seven in the morning in Chicago


def days_ago(days):
    return AS_OF - pd.Timedelta(days=days)


def deal(key, in_stage=1, stage="s1", contact=None, **more):
    """A deal that has been open, and in its stage for so many days."""
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


def won(number, took, stage="s1", **more):
    """A deal that was won *took* days after it came into the stage."""
    times = {"created_at": days_ago(200 + number), "stage_changed_at": days_ago(100)}
    return deal(
        f"w{number}", stage=stage, **{"status": "won", **times, "status_changed_at": days_ago(100 - took), **more}
    )


def deals(*rows):
    return typed("opportunities", *rows)


def task(contact, due=None, done=False):
    return {"contact_id": contact, "due_at": due, "is_completed": done}


def tasks(*rows):
    return typed("tasks", *({"task_id": f"t{number}", **row} for number, row in enumerate(rows)))


def appointment(contact, starts, **more):
    return {"contact_id": contact, "starts_at": starts, "status": "confirmed", **more}


def appointments(*rows):
    return typed("appointments", *({"appointment_id": f"a{number}", **row} for number, row in enumerate(rows)))


def ask(opportunities, tasks=None, appointments=None, stages=None, **choices):
    return stuck(opportunities, stages, tasks, appointments, **{"as_of": AS_OF, **choices})


def found(table):
    return table.loc[table["stuck"], "opportunity_id"].tolist()


# ---- the limit


def test_a_deal_is_stuck_when_it_is_longer_in_its_stage_than_the_limit():
    frame = deals(deal("new", 3), deal("old", 40), deal("edge", 14), deal("over", 14.01))

    table = ask(frame, tasks(), appointments())

    assert table["opportunity_id"].tolist() == ["old", "over", "edge", "new"]
    assert table["days_in_stage"].tolist() == pytest.approx([40, 14.01, 14, 3], abs=1e-6)
    assert table["stuck"].tolist() == [True, True, False, False]
    assert table["limit_days"].tolist() == [14] * 4
    assert found(ask(frame, tasks(), appointments(), days=30)) == ["old"]


def test_the_limit_of_a_stage_is_what_three_in_four_of_its_wins_took():
    # 21 wins that took 0.5, 1.5 ... 20.5 days: the third quartile is the 16th of them, 15.5
    wins = [won(number, number + 0.5) for number in range(21)]
    frame = deals(*wins, deal("a", 15), deal("b", 16), deal("c", 15, stage="s2"))

    table = ask(frame, tasks(), appointments()).set_index("opportunity_id")

    assert table["stage_p75_days"].to_dict() == pytest.approx({"a": 15.5, "b": 15.5, "c": np.nan}, nan_ok=True)
    assert table["limit_days"].to_dict() == {"a": 15.5, "b": 15.5, "c": 14}
    assert table["stuck"].to_dict() == {"a": False, "b": True, "c": True}


def test_nineteen_wins_are_too_few_to_tell():
    frame = deals(*(won(number, 60) for number in range(19)), deal("a", 20))

    table = ask(frame)

    assert np.isnan(table.loc[0, "stage_p75_days"])
    assert found(table) == ["a"]


def test_a_stage_that_is_the_win_itself_has_a_limit_of_a_day():
    wins = [won(number, 1 / 1440) for number in range(30)]

    table = ask(deals(*wins, deal("a", 0.5), deal("b", 2)))

    assert table["limit_days"].tolist() == [1, 1]
    assert found(table) == ["b"]


def test_wins_of_an_import_or_made_won_do_not_make_the_limit():
    imported = [won(number, 90, created_at=days_ago(250)) for number in range(60)]
    made_won = [won(100 + n, 0, created_at=days_ago(100)) for n in range(25)]

    assert ask(deals(*imported, *made_won, deal("a", 20)))["limit_days"].tolist() == [14]


# ---- what is planned


@pytest.mark.parametrize(
    ("planned", "step"),
    [
        (tasks(task("c", AS_OF + pd.Timedelta(days=3))), "task due 2025-07-04"),
        (tasks(task("c", pd.Timestamp("2025-07-01T05:00Z"))), "task due 2025-07-01"),  # today, in Chicago
        (tasks(task("c")), "task without a date"),
        (tasks(task("c", days_ago(9)), task("c", AS_OF)), "task due 2025-07-01"),
    ],
)
def test_an_open_task_keeps_a_deal_from_being_stuck(planned, step):
    table = ask(deals(deal("a", 40, contact="c")), planned, appointments(), timezone="America/Chicago")

    assert table["next_step"].tolist() == [step]
    assert found(table) == []


@pytest.mark.parametrize(
    ("planned", "step"),
    [
        (tasks(task("c", days_ago(40)), task("c", days_ago(9))), "task overdue since 2025-05-22"),
        (tasks(task("c", AS_OF + pd.Timedelta(days=3), done=True)), ""),
        (tasks(task("another", AS_OF)), ""),
    ],
)
def test_a_task_that_is_done_or_overdue_plans_nothing(planned, step):
    table = ask(deals(deal("a", 40, contact="c")), planned, appointments(), timezone="America/Chicago")

    assert table["next_step"].tolist() == [step]
    assert found(table) == ["a"]


def test_an_appointment_to_come_does_as_well_and_the_first_of_all_is_told():
    tomorrow, later = AS_OF + pd.Timedelta(days=1), AS_OF + pd.Timedelta(days=5)
    frame = deals(deal("a", 40, contact="c"), deal("b", 30, contact="c"))

    both = ask(frame, tasks(task("c", later)), appointments(appointment("c", tomorrow)), timezone="America/Chicago")

    assert both["next_step"].tolist() == ["appointment 2025-07-02 07:00"] * 2  # a contact's step counts for each deal
    assert found(both) == []


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
def test_an_appointment_that_is_over_or_off_plans_nothing(row):
    table = ask(deals(deal("a", 40, contact="c")), tasks(), appointments(row))

    assert found(table) == ["a"]
    assert table["next_step"].tolist() == [""]


def test_without_tasks_and_appointments_the_age_alone_decides_and_it_says_so():
    table = ask(deals(deal("a", 40), deal("b", 2)))

    assert table["next_step"].isna().all()
    assert found(table) == ["a"]
    assert "Without tasks" in table.attrs["hlkit"]["definition"]
    assert "Without appointments" in table.attrs["hlkit"]["definition"]
    assert ask(deals(deal("a", 40)), tasks())["next_step"].tolist() == [""]


# ---- which deals


def test_only_deals_that_are_open_at_as_of_have_a_row():
    frame = deals(
        deal("open", 40),
        deal("won", 40, status="won", status_changed_at=days_ago(1)),
        deal("lost", 40, status="lost", status_changed_at=days_ago(1)),
        deal("won tomorrow", 20, status="won", status_changed_at=days_ago(-1)),
    )

    assert ask(frame)["opportunity_id"].tolist() == ["open", "won tomorrow"]


def test_a_deal_that_has_moved_since_as_of_has_no_days_and_is_not_stuck():
    table = ask(deals(deal("a", -2), deal("b", 20)))

    assert table["opportunity_id"].tolist() == ["b", "a"]
    assert np.isnan(table.loc[1, "days_in_stage"])
    assert found(table) == ["b"]
    assert "1 have changed stage since" in table.attrs["hlkit"]["definition"]


def test_a_deal_without_a_date_of_its_stage_counts_from_its_creation():
    table = ask(deals(deal("a", stage_changed_at=None)))

    assert table["days_in_stage"].tolist() == [300]
    assert "1 have no date of their stage" in table.attrs["hlkit"]["definition"]


def test_the_last_action_is_told_in_days_and_null_where_nobody_acted():
    frame = deals(deal("a", 3, acted_at=days_ago(2)), deal("b", 2), deal("c", 1, acted_at=days_ago(-1)))

    assert ask(frame)["days_since_action"].tolist() == pytest.approx([2, np.nan, np.nan], nan_ok=True)


def test_a_frame_of_what_is_needed_alone_will_do():
    needed = ["opportunity_id", "status", "created_at", "status_changed_at", "stage_changed_at", "stage_id"]
    frame = deals(deal("a", 40), deal("b", 2))[needed]

    assert found(ask(frame, tasks(task("x")), appointments())) == ["a"]
    assert ask(frame, show="stages")["n"].tolist() == [2]
    for column in needed[1:]:
        with pytest.raises(MissingColumn):
            ask(frame.drop(columns=column))


# ---- groups


def test_the_summary_counts_by_stage_in_the_order_of_the_pipeline():
    stages = typed(
        "stages",
        {"stage_id": "s1", "pipeline_id": "p1", "position": 1},
        {"stage_id": "s0", "pipeline_id": "p1", "position": 0},
    )
    planned = tasks(task("c", AS_OF))
    frame_ = deals(
        deal("a", 40, value=5), deal("b", 41, contact="c", value=7), deal("d", 2), deal("e", 1, stage="s0"),
        deal("f", 50, stage="gone", pipeline_id="p1"), deal("g", 50, stage=None, pipeline_id=None, value=None),
    )  # fmt: skip

    table = ask(frame_, planned, appointments(), stages, show="stages").set_index("stage_id")

    assert table.index.tolist() == ["s0", "s1", "gone", "(none)"]
    row = table.loc["s1"]
    assert row[["n", "over_limit", "stuck", "open_value", "stuck_value"]].tolist() == [3, 2, 1, 112, 5]
    assert row["stuck_share"] == pytest.approx(1 / 3)
    assert row["stuck_low"] < 1 / 3 < row["stuck_high"]
    assert row["median_days"] == 40
    assert row["pipeline_id"] == "p1"
    assert table["stuck"].sum() == ask(frame_, planned, appointments(), by=None, show="stages")["stuck"].sum() == 3


def test_the_summary_by_an_owner_names_no_pipeline_where_there_are_two():
    frame = deals(deal("a", 40, owner_id="u"), deal("b", 2, owner_id="u", pipeline_id="p2"))

    table = ask(frame, by="owner_id", show="stages")

    assert table["owner_id"].tolist() == ["u"]
    assert table["pipeline_id"].isna().all()


# ---- charts


def axes(table):
    return drawn(stuck, table)


def rows(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def test_the_chart_says_how_many_are_stuck_and_where():
    frame = deals(deal("a", 40), deal("b", 2), deal("c", 50, stage="s2"), deal("d", 60, stage="s2"), deal("e", 0))
    table = ask(frame).assign(stage=["Quote", "Quote", "Visit", "Visit", "Visit"], pipeline="Sales")

    ax = axes(table)

    assert "3 of 5 open deals are stuck" in [text.get_text() for text in ax.texts]
    assert rows(ax) == ["Quote (2 of 2)", "Visit (1 of 3)"]
    assert ax.get_xscale() == "log"
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {
        "within the limit",
        "stuck",
        "limit of the stage",
    }


def test_stages_of_one_name_in_two_pipelines_stay_apart():
    frame = deals(deal("a", 40), deal("b", 41, stage="s2", pipeline_id="p2"))
    table = ask(frame).assign(stage="New", pipeline=["Repeat work", "Sales"])

    assert rows(axes(table)) == ["New · Repeat work (1 of 1)", "New · Sales (1 of 1)"]
    summed = ask(frame, show="stages").assign(stage="New", pipeline=["Repeat work", "Sales"])
    assert rows(axes(summed)) == ["New · Repeat work (n = 1)", "New · Sales (n = 1)"]


# ---- planted, and fast


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_planted_deals_are_found_and_few_others(seed):
    frames = {name: seeded.frame(seed, 5000, name) for name in stuck.frames}
    planted = set(seeded.data(seed, 5000).planted["stuck"])

    mine = set(found(stuck(**frames, as_of="2026-01-01", timezone="America/Chicago")))

    assert len(planted) == 40
    assert planted <= mine
    assert len(mine - planted) <= 0.1 * len(planted)
    # The naive rule, deals that have been open for two weeks, takes many that are in work.
    deals = frames["opportunities"]
    old = deals["created_at"] < pd.Timestamp("2026-01-01", tz="America/Chicago") - pd.Timedelta(days=14)
    naive = set(deals.loc[old & (deals["status"] == "open"), "opportunity_id"])
    assert len(naive - planted) > 0.5 * len(planted)


def test_two_hundred_thousand_deals_take_seconds():
    rng = np.random.default_rng(0)
    count = 200_000
    made = AS_OF - pd.to_timedelta(rng.uniform(100, 700, count) * 86_400_000, unit="ms").as_unit("ms")
    moved = made + pd.to_timedelta(rng.exponential(20, count) * 86_400_000, unit="ms").as_unit("ms")
    frame = pd.DataFrame(
        {
            "opportunity_id": [f"d{n}" for n in range(count)],
            "contact_id": [f"c{n}" for n in rng.integers(0, count, count)],
            "status": rng.choice(["open", "won", "lost"], count),
            "stage_id": rng.choice([f"s{n}" for n in range(12)], count),
            "pipeline_id": "p",
            "created_at": made,
            "stage_changed_at": moved,
            "status_changed_at": moved + pd.to_timedelta(rng.exponential(10, count) * 86_400_000, unit="ms"),
        }
    )
    todo = pd.DataFrame(
        {
            "contact_id": [f"c{n}" for n in rng.integers(0, count, count)],
            "due_at": AS_OF + pd.to_timedelta(rng.uniform(-50, 50, count) * 86_400_000, unit="ms").as_unit("ms"),
            "is_completed": rng.random(count) < 0.5,
        }
    )
    began = time.perf_counter()
    for show in ("deals", "stages"):
        ask(frame, todo, show=show)
    assert time.perf_counter() - began < 5
