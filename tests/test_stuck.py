"""Stuck deals: limits and next steps worked out by hand, and the planted deals of the simulated location."""

import numpy as np
import pandas as pd
import pytest
import seeded
from made import drawn
from made_deals import AS_OF, appointment, appointments, days_ago, deal, deals, task, tasks, won

import hlkit as hl
from hlkit.client.errors import MissingColumn

stuck = hl.analyses.stuck


def run(opportunities, tasks=None, appointments=None, **options):
    return stuck(opportunities, tasks, appointments, **{"as_of": AS_OF, **options})


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
        (tasks(task("c", AS_OF + pd.Timedelta(days=3))), "task due 2025-07-04"),
        (tasks(task("c", pd.Timestamp("2025-07-01T05:00Z"))), "task due 2025-07-01"),  # today, in Chicago
        (tasks(task("c")), "task without a due date"),
        (tasks(task("c", days_ago(9)), task("c", AS_OF)), "task due 2025-07-01"),
    ],
)
def test_a_deal_with_an_open_task_is_not_stuck(planned, step):
    table = run(deals(deal("a", 40, contact="c")), planned, appointments(), timezone="America/Chicago")

    assert table["next_step"].tolist() == [step]
    assert stuck_ids(table) == []


@pytest.mark.parametrize(
    ("planned", "step"),
    [
        (tasks(task("c", days_ago(40)), task("c", days_ago(9))), "task overdue since 2025-05-22"),
        (tasks(task("c", AS_OF + pd.Timedelta(days=3), done=True)), ""),
        (tasks(task("another", AS_OF)), ""),
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
    planned = tasks(task("c", due)), appointments(appointment("c", starts))

    table = run(deals(deal("a", 40, contact="c")), *planned, timezone="America/Chicago")

    assert table["next_step"].tolist() == [step]
    assert stuck_ids(table) == []


@pytest.mark.parametrize(
    ("rows", "step"),
    [
        ([task("c", AS_OF + pd.Timedelta(days=3))], "task due 2025-07-04 (contact has 3 open deals)"),
        ([task("c"), task("c", days_ago(9))], "task without a due date (contact has 3 open deals)"),
        ([task("c", days_ago(9))], "task overdue since 2025-06-22 (contact has 3 open deals)"),
        ([task("c"), task("c", AS_OF)], "task due 2025-07-01 (contact has 3 open deals)"),
    ],
)
def test_a_task_of_a_contact_with_several_open_deals_does_not_count(rows, step):
    three = [deal(key, days, contact="c") for key, days in (("a", 40), ("b", 30), ("d", 2))]

    table = run(deals(*three, deal("e", 50)), tasks(*rows, task("e's contact", AS_OF)), appointments())

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

    assert stuck_ids(run(deals(*of_contact), tasks(task("c", AS_OF)), appointments())) == []
    table = run(deals(*of_contact, tomorrow), tasks(task("c", AS_OF)), appointments())
    assert stuck_ids(table) == ["a", "won tomorrow"]
    assert table["next_step"].tolist() == ["task due 2025-07-01 (contact has 2 open deals)"] * 2


def test_an_appointment_counts_for_each_deal_of_its_contact_and_precedes_a_shared_task():
    tomorrow, later = AS_OF + pd.Timedelta(days=1), AS_OF + pd.Timedelta(days=5)
    frame = deals(deal("a", 40, contact="c"), deal("b", 30, contact="c"))

    both = run(frame, tasks(task("c", tomorrow)), appointments(appointment("c", later)), timezone="America/Chicago")

    assert both["next_step"].tolist() == ["appointment 2025-07-06 07:00"] * 2
    assert stuck_ids(both) == []


def test_deals_without_a_contact_have_no_next_step_and_share_no_task():
    frame = deals(*(deal(key, 40, contact_id=None) for key in "ab"), deal("c", 40, contact="c"))

    table = run(frame, tasks(task(None, AS_OF), task("c", AS_OF)), appointments())

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

    assert stuck_ids(run(frame, tasks(task("x")), appointments())) == ["a"]
    assert hl.analyses.stuck_stages(frame, as_of=AS_OF)["n"].tolist() == [2]
    for column in needed[1:]:
        with pytest.raises(MissingColumn):
            run(frame.drop(columns=column))


# ---- who they are


def test_the_list_begins_with_the_name_and_a_link_to_the_contact():
    frame = deals(
        deal("a", 40, contact="c1", name="Roof repair", contact_name="Ann Lee"),
        deal("b", 30, contact="c2", name=" ", contact_name="Bo Diaz"),
        deal("c", 20, contact="c3", contact_email="cy@example.com"),
        deal("d", 10, contact_id=None),
    )

    table = run(frame, location_id="loc1", app_url="https://app.example.com")

    assert table.columns[:2].tolist() == ["name", "link"]
    assert table.columns[-1] == "opportunity_id"
    assert table["name"].fillna("-").tolist() == ["Roof repair", "Bo Diaz", "cy@example.com", "-"]
    assert table["link"][0] == "https://app.example.com/v2/location/loc1/contacts/detail/c1"
    assert pd.isna(table["link"][3])
    assert run(frame)["link"].isna().all()


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


# ---- the chart


def axes(table):
    return drawn(stuck, table)


def row_labels(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def test_the_chart_shows_how_many_are_stuck_in_each_stage():
    frame = deals(deal("a", 40), deal("b", 2), deal("c", 50, stage="s2"), deal("d", 60, stage="s2"), deal("e", 0))
    table = run(frame).assign(stage=["Quote", "Quote", "Visit", "Visit", "Visit"], pipeline="Sales")

    ax = axes(table)

    assert row_labels(ax) == ["Quote", "Visit"]
    assert [text.get_text() for text in ax.texts] == ["2", "of 2", "1", "of 3"]
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "time in the stage, log scale; orange: stuck; line: the limit of the stage"


def test_stages_with_a_common_prefix_in_two_pipelines_have_distinct_labels():
    pairs = [(stage, pipeline) for stage in ("s1", "s2") for pipeline in ("p1", "p2")]
    frame = deals(*(deal(f"{a}{b}", 40, stage=a + b, pipeline_id=b) for a, b in pairs))
    table = run(frame)
    names = {"s1": "Consultation booked, virtual", "s2": "Consultation booked, in person"}
    table = table.assign(stage=table["stage_id"].str[:2].map(names), pipeline=table["pipeline_id"])

    assert sorted(row_labels(axes(table))) == [
        "Consultation booked… · p1",
        "Consultation booked… · p1 (2)",
        "Consultation booked… · p2",
        "Consultation booked… · p2 (2)",
    ]


def test_stages_with_one_name_in_two_pipelines_have_distinct_labels():
    frame = deals(deal("a", 40), deal("b", 41, stage="s2", pipeline_id="p2"))
    table = run(frame).assign(stage="New", pipeline=["Repeat work", "Sales"])

    assert row_labels(axes(table)) == ["New · Repeat work", "New · Sales"]


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
