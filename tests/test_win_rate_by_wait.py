"""Win rates by how long a lead waited: worked out by hand, and as planted in the simulated location."""

import numpy as np
import pytest
from lead_rows import ANN, DEALS, contact, deal, frame, later, message, planted

from hlkit.analysis.core.rows_behind import RowsBehind
from hlkit.analysis.leads.win_rate_by_wait import win_rate_by_wait


def ask(contacts, messages, deals, after=5000, **options):
    return win_rate_by_wait(contacts, messages, deals, **{"as_of": later(after), "clock": "wall"} | options)


def test_deals_are_counted_by_how_long_their_lead_had_waited():
    names = ["ann", "bob", "cyd", "dan", "eve"]
    contacts = frame(*[contact(name) for name in names])
    messages = frame(message("ann", 5), message("bob", 5.1), message("cyd", 61), message("dan", 1))
    ended = {"ann": "won", "bob": "lost", "eve": "abandoned"}
    deals = frame(*[deal(name, status, ended=2000) for name, status in ended.items()], deal("cyd", "open"))
    table = ask(contacts, messages, deals).set_index("wait")

    counts = table[["n", "won", "lost"]].astype(int)
    assert counts.loc["up to 5 min"].tolist() == [2, 1, 0]
    assert counts.loc["5-15 min"].tolist() == [1, 0, 1]
    assert counts.loc["1-4 h"].tolist() == [1, 0, 0]
    assert counts.loc["over 24 h or no reply"].tolist() == [1, 0, 1]
    assert counts["n"].sum() == len(names)
    assert table.loc["up to 5 min", ["deals", "win_naive_share", "open_share"]].tolist() == [1, 1, 0]
    assert table.loc["1-4 h", "open_share"] == 1
    without = ask(contacts, messages, deals, abandoned="exclude").set_index("wait")
    assert without.loc["over 24 h or no reply", ["n", "deals", "lost"]].tolist() == [1, 0, 0]


def test_a_deal_that_closed_after_as_of_is_open():
    deals = frame(deal("ann", "won", ended=2001), deal("bob", "lost", ended=1999))
    contacts, messages = frame(contact("ann"), contact("bob")), frame(message("ann", 3), message("bob", 3))

    table = ask(contacts, messages, deals, after=2000)

    row = table.set_index("wait").loc["up to 5 min"]

    assert row[["deals", "won", "lost", "open_share"]].tolist() == [2, 0, 1, 0.5]


def test_lengths_of_wait_are_compared_at_one_age_of_their_deals():
    # 400 leads each, all deals followed for 100 days; of the fast ones 80% are won on day 20, of the slow ones 20%
    names = [f"c{number}" for number in range(800)]
    contacts = frame(*[contact(name, minutes=7 * number) for number, name in enumerate(names)])
    messages = frame(*[message(name, 7 * n + (3 if n % 2 else 3000)) for n, name in enumerate(names)])
    won = [n // 2 % 10 < (8 if n % 2 else 2) for n in range(800)]
    deals = frame(
        *[
            deal(name, "won" if is_won else "open", minutes=7 * n + 4000, ended=7 * n + 4000 + 20 * 1440)
            for n, (name, is_won) in enumerate(zip(names, won, strict=True))
        ]
    )

    table = ask(contacts, messages, deals, after=5600 + 4000 + 100 * 1440)
    headline = win_rate_by_wait.headline(table)

    fast = table.set_index("wait").loc["up to 5 min"]
    assert fast[["n", "deals", "win_90d_share"]].tolist() == pytest.approx([400, 400, 0.8])
    assert headline == (
        "Deals won within 90 days: up to 5 min (80%) is above over 24 h or no reply (20%), a significant difference "
        "(p < .001). A faster reply need not be the cause."
    )


def test_the_first_deal_counts_unless_it_closed_within_a_day():
    contacts = frame(contact("ann"), contact("bob"), contact("cyd"))
    messages = frame(message("ann", 3), message("bob", 90), message("cyd", 90))
    deals = frame(
        deal("ann", "won", minutes=500),
        deal("ann", "lost", minutes=50),
        deal("bob", "won", ended=1439),
        deal("cyd", "won", ended=1440),
    )

    table = ask(contacts, messages, deals, after=9999)

    by_wait = table.set_index("wait")
    assert by_wait.loc["up to 5 min", ["n", "won", "lost"]].tolist() == [1, 0, 1]
    assert by_wait.loc["1-4 h", ["n", "deals", "won"]].tolist() == [2, 1, 1]
    assert table.attrs["hlkit"]["left_out"] == {"opportunities that closed within 24 h of their lead": 1}


def test_without_a_deal_there_are_no_win_rates():
    table = ask(ANN, frame(message("ann", 3)), DEALS)

    assert table["n"].tolist() == [1, 0, 0, 0, 0, 0]
    assert table["win_90d_share"].isna().all()
    assert win_rate_by_wait.headline(table).startswith("No leads with a deal")


def test_the_rows_of_a_wait_are_its_leads_with_their_deal():
    contacts = frame(contact("ann"), contact("bob"), contact("cyd"))
    messages = frame(message("ann", 3), message("bob", 4))
    deals = frame(deal("ann", "won", ended=2000), deal("cyd", "open")).assign(opportunity_id=["d1", "d2"])
    table, log = win_rate_by_wait.run(contacts, messages, deals, as_of=later(5000), clock="wall")
    behind = RowsBehind(table, log, win_rate_by_wait.rows, lambda rows: rows)

    fast, slow = behind.of("up to 5 min"), behind.of("over 24 h or no reply")

    shown = ["contact_id", "wait_min", "deal_status", "opportunity_id"]
    assert fast[shown].fillna("-").values.tolist() == [["ann", 3, "won", "d1"], ["bob", 4, "-", "-"]]
    assert slow[["contact_id", "deal_status", "opportunity_id"]].values.tolist() == [["cyd", "open", "d2"]]
    assert slow["wait_min"].isna().all()
    assert not len(behind.of("5-15 min"))


# As planted


def test_it_finds_that_fast_replies_win_more_deals():
    won = lost = np.zeros(2)
    for frames, _, pipelines in planted():
        repeat = [key for name, key in pipelines.items() if name not in ("New customers", "Commercial")]
        deals = frames["opportunities"]
        deals = deals[~deals["pipeline_id"].isin(repeat)]
        table = win_rate_by_wait(
            frames["contacts"], frames["messages"], deals, as_of="2026-01-01", timezone="America/Chicago"
        )
        fast = table["wait"].isin(["up to 5 min", "5-15 min", "15-60 min"])
        won = won + [table.loc[rows, "won"].sum() for rows in (fast, ~fast)]
        lost = lost + [table.loc[rows, "lost"].sum() for rows in (fast, ~fast)]
    (odds_if_fast,) = {truth["win"]["odds_if_fast"] for _, truth, _ in planted()}
    odds = np.log(won[0] / lost[0]) - np.log(won[1] / lost[1])
    error = np.sqrt(np.sum(1 / won) + np.sum(1 / lost))
    assert abs(odds - np.log(odds_if_fast)) < 1.96 * error
    assert odds > 1.96 * error
