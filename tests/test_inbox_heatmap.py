"""When contacts write: small frames by hand, compared with DuckDB, and as planted in the simulated location."""

import numpy as np
import pandas as pd
import pytest
import seeded
from lead_rows import MONDAY, later
from message_rows import inbound, reply

import hlkit as hl
from hlkit.analysis.core.office_hours import WEEKDAYS
from hlkit.analysis.inbox.inbox_heatmap import inbox_heatmap


def run(*rows, after=1000, **options):
    return inbox_heatmap(pd.DataFrame(list(rows)), **{"as_of": later(after), "clock": "wall"} | options)


def test_the_heatmap_has_all_local_hours_of_the_week():
    rows = [
        inbound("ann", 0),
        inbound("ann", 1),
        inbound("bob", 70),
        reply("bob", 75),
        inbound("cyd", 80),
        reply("cyd", 100),
    ]

    week = run(*rows, timezone="America/Chicago")

    assert len(week) == 168
    assert week["weekday"].tolist()[::24] == list(WEEKDAYS)
    busy = week[week["inbound"] > 0]
    assert busy[["weekday", "hour", "inbound", "turns"]].values.tolist() == [["Monday", 5, 2, 1], ["Monday", 6, 2, 2]]
    assert busy["median_min"].tolist()[1] == 5


def test_an_hour_that_repeats_at_a_time_change_is_one_hour_of_the_week():
    # In Chicago, 1:30 AM happened twice on 2025-11-02.
    rows = [inbound(str(at), 0) | {"sent_at": pd.Timestamp(at)} for at in ("2025-11-02T06:30Z", "2025-11-02T07:30Z")]

    week = run(*rows, timezone="America/Chicago", after=9999999)

    assert week.loc[week["inbound"] > 0, ["weekday", "hour", "inbound"]].values.tolist() == [["Sunday", 1, 2]]


def test_the_heatmap_matches_duckdb():
    reason = "oracles run beside the lowest versions: uv pip install --group oracles"
    duckdb = pytest.importorskip("duckdb", reason=reason)
    pytest.importorskip("great_tables", reason=reason)
    from great_tables.data import pizzaplace

    sold = pd.DataFrame(pizzaplace)[["id", "date", "time"]]
    sold["local"] = pd.to_datetime(sold["date"] + " " + sold["time"])
    assert len(sold) == 49_574
    with duckdb.connect() as db:
        counted = db.sql("select isodow(local) - 1 d, hour(local) h, count(*) n from sold group by all").fetchall()
    expected = np.zeros((7, 24), dtype=int)
    for day, hour, number in counted:
        expected[day, hour] = number

    messages = pd.DataFrame({"contact_id": sold["id"], "sent_at": sold["local"].dt.tz_localize("America/Chicago")})
    messages = messages.assign(direction="inbound", origin=None, user_id=None, status=None, type="TYPE_SMS")
    week = inbox_heatmap(messages, as_of="2016-01-01", timezone="America/Chicago")

    assert week["inbound"].to_numpy(int).reshape(7, 24).tolist() == expected.tolist()
    assert week["inbound"].sum() == 49_574


def test_without_messages_the_week_is_zero():
    empty = pd.DataFrame([inbound("ann", 0)])[:0]

    week = inbox_heatmap(empty, as_of=MONDAY)

    assert week["inbound"].tolist() == [0] * 168
    assert inbox_heatmap.headline(week) == "No incoming messages as of June 2, 2025."
    inbox_heatmap.plot(week)


def test_the_headline_names_the_busiest_hour_and_how_many_others_are_as_busy():
    rows = [inbound("ann", 0), inbound("bob", 1), inbound("cyd", 60)]

    assert inbox_heatmap.headline(run(*rows)) == (
        "Contacts write most on Mondays from 10 AM to 11 AM: 2 of 3 messages."
    )
    assert inbox_heatmap.headline(run(*rows[1:])) == (
        "Contacts write most on Mondays from 10 AM to 11 AM: 1 of 2 messages, as many as in 1 other hour."
    )


def test_the_rows_of_a_weekday_or_an_hour_are_the_messages_that_contacts_sent_then():
    result = hl.demo(as_of="2026-01-01", size=300).analyses.inbox_heatmap()

    week = result.table.set_index(["weekday", "hour"])["inbound"]
    hour = str(week["Monday"].idxmax())

    assert len(result.rows("Monday")) == week["Monday"].sum()
    rows = result.rows(("Monday", hour))
    assert len(rows) == week["Monday"].max()
    assert rows.columns[:4].tolist() == ["name", "link", "message_channel", "sent_at"]
    assert set(rows["sent_at"].dt.tz_convert("America/Chicago").dt.hour) == {int(hour)}


def test_the_heatmap_reads_messages_only():
    assert list(inbox_heatmap.frames) == ["messages"]


def test_the_planted_busiest_hours_are_found():
    truth = seeded.data(1, 4000).planted["inbox"]
    law = np.outer(truth["weekdays"], truth["hours"]).ravel()
    third = np.sort(law)[-3]
    frames = [seeded.frame(seed, 4000, "messages") for seed in (1, 2, 3)]
    planted = {"as_of": "2026-01-01", "timezone": "America/Chicago"}
    counts = sum(inbox_heatmap(messages, **planted)["inbound"].to_numpy(int) for messages in frames)

    # The planted rates of the best cells are 27.5, 25, 24.2, 23.8 ...: too close to rank in so few weeks.
    top = np.argsort(-counts, kind="stable")[:3]
    assert top[0] == law.argmax()
    assert (law[top] > 0.85 * third).all()
    expected = law / law.sum() * counts.sum()
    assert np.abs((counts - expected) / np.sqrt(expected))[expected > 5].max() < 4.5
    assert np.corrcoef(counts, law)[0, 1] > 0.97
