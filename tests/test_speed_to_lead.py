"""How long new leads wait: worked out by hand, compared with lifelines, and as planted in the simulated location."""

import numpy as np
import pandas as pd
import pytest
import seeded

import hlkit as hl
from hlkit.analysis.core.groups import wilson
from hlkit.analysis.leads.speed_to_lead import _survival_curve, speed_to_lead
from hlkit.client.errors import MissingColumn

MONDAY = pd.Timestamp("2025-06-02T10:00Z")


def later(minutes):
    return MONDAY + pd.Timedelta(minutes=minutes)


def contact(name, minutes=0, source="ads", **more):
    return {"contact_id": name, "created_at": later(minutes), "source": source, **more}


def message(name, minutes, **more):
    sent = {"contact_id": name, "sent_at": later(minutes), "direction": "outbound", "origin": "app", "user_id": "u"}
    return sent | {"status": "delivered", "type": "TYPE_SMS"} | more


def deal(name, status, minutes=10, ended=None):
    changed = later(9999 if ended is None else ended)
    return {"contact_id": name, "created_at": later(minutes), "status": status, "status_changed_at": changed}


def frame(*rows):
    return pd.DataFrame(list(rows))


MESSAGES = frame(message("x", 0))[:0]
ANN = frame(contact("ann"))


def ask(contacts, messages, after=100, **options):
    return speed_to_lead(contacts, messages, **{"as_of": later(after), "clock": "wall"} | options)


def test_an_unanswered_lead_is_still_waiting():
    contacts = frame(contact("ann"), contact("bob"), contact("cyd"))
    messages = frame(message("ann", minutes=10), message("bob", minutes=30))

    table = ask(contacts, messages)

    assert table[["n", "answered", "median_min"]].values.tolist() == [[3, 2, 30]]
    assert table["no_reply_share"].tolist() == pytest.approx([1 / 3])
    assert table["p90_min"].isna().all()
    # of the two who are answered, half are so by minute 10 and nine in ten by minute 30
    assert table[["answered_median_min", "answered_p90_min"]].values.tolist() == [[10, 30]]
    assert table[["within_5_share", "within_15_share", "within_60_share"]].values[0] == pytest.approx(
        [0, 1 / 3, 2 / 3]
    )


def test_a_recent_lead_counts_only_for_the_time_since_its_creation():
    contacts = frame(contact("ann"), contact("bob"), contact("new", minutes=95))
    messages = frame(message("ann", minutes=4), message("bob", minutes=20))

    row = ask(contacts, messages).iloc[0]

    # new was observed for 5 minutes: after ann, two were still waiting; then bob was the only one at risk
    assert row["within_5_share"] == pytest.approx(1 / 3)
    assert row["within_60_share"] == 1
    assert row["no_reply_share"] == 0
    assert row["answered"] == 2


def test_a_share_is_null_if_no_lead_was_observed_for_so_long():
    row = ask(frame(contact("ann"), contact("bob")), frame(message("ann", 3)), after=20).iloc[0]

    assert row["within_15_share"] == 0.5
    assert pd.isna(row["within_60_share"])
    assert pd.isna(row["within_60_low"])


def test_without_censoring_the_interval_is_wilsons():
    contacts = frame(*[contact(f"c{number}") for number in range(10)])
    messages = frame(*[message(f"c{number}", minutes=3) for number in range(7)])

    row = ask(contacts, messages).iloc[0]

    assert (row["within_5_low"], row["within_5_high"]) == pytest.approx(wilson(7, 10))
    assert (row["no_reply_low"], row["no_reply_high"]) == pytest.approx(wilson(3, 10))


@pytest.mark.parametrize(
    "more",
    [
        {"origin": "workflow"},
        {"user_id": None},
        {"status": "failed"},
        {"type": "TYPE_ACTIVITY_OPPORTUNITY"},
        {"type": "TYPE_INTERNAL_COMMENT"},
        {"type": "TYPE_CAMPAIGN_EMAIL"},
        {"direction": "inbound"},
    ],
)
def test_what_no_person_sent_is_not_a_reply(more):
    assert ask(ANN, frame(message("ann", 5, **more)))["answered"].tolist() == [0]


def test_a_call_counts_if_a_user_made_or_answered_it():
    inbound = {"type": "TYPE_CALL", "direction": "inbound", "origin": None}
    for minutes, row in [
        (7, message("ann", 7, type="TYPE_CALL")),
        (2, message("ann", 2, call_status="completed", call_duration_s=40.0, **inbound)),
    ]:
        assert ask(ANN, frame(row))["median_min"].tolist() == [minutes]
    for missed in (
        message("ann", 2, call_status="no-answer", **inbound),
        message("ann", 2, call_status="completed", **inbound | {"user_id": None}),  # no user, and no duration
        message("ann", 2, call_status="completed", call_duration_s=0.0, **inbound),
        message("ann", 2, **inbound),
    ):
        assert ask(ANN, frame(missed))["answered"].tolist() == [0]


def test_a_lead_that_writes_again_does_not_start_a_new_wait():
    messages = frame(message("ann", 50, direction="inbound", origin=None, user_id=None), message("ann", 60))

    assert ask(ANN, messages)["median_min"].tolist() == [60]


def test_a_message_older_than_its_contact_is_not_a_reply_and_is_counted():
    contacts = frame(contact("ann", minutes=20), contact("bob"))
    messages = frame(message("ann", minutes=5), message("ann", minutes=50), message("bob", minutes=50))

    table = ask(contacts, messages, by="contact_id")

    waits = table.set_index("contact_id")[["median_min", "contacted_before"]]
    assert {name: tuple(row) for name, row in waits.T.items()} == {"ann": (30, 1), "bob": (50, 0)}


@pytest.mark.parametrize(
    ("more", "answered", "before"),
    [
        ({}, 1, 0),  # a person's message, 9 minutes before
        ({"type": "TYPE_CALL", "call_status": "completed", "call_duration_s": 60.0}, 1, 0),
        ({"type": "TYPE_CALL", "call_status": "completed", "call_duration_s": 60.0, "direction": "inbound"}, 1, 0),
        ({"type": "TYPE_CALL", "call_status": "no-answer"}, 0, 1),  # an attempt does not create a contact
        ({"origin": "workflow"}, 0, 0),
        ({"direction": "inbound"}, 0, 0),
    ],
)
def test_a_contact_created_by_its_own_call_or_message_is_answered_at_once(more, answered, before):
    lead = frame(contact("ann", minutes=20))

    table = ask(lead, frame(message("ann", 11, **more)))
    long_before = ask(lead, frame(message("ann", 9.9, **more)))

    assert table[["answered", "contacted_before"]].values.tolist() == [[answered, before]]
    assert not answered or table["median_min"].tolist() == [0]
    assert long_before["answered"].tolist() == [0]
    assert long_before["contacted_before"].tolist() == [max(answered, before)]


def test_a_reply_may_be_an_attempt_a_connected_call_or_any_outbound_message():
    rows = frame(
        message("ann", 1, origin="workflow", user_id=None),
        message("ann", 5, type="TYPE_CALL", call_status="busy"),
        message("ann", 9, type="TYPE_CALL", call_status="completed", call_duration_s=30.0),
    )

    waits = {reply: ask(ANN, rows, reply=reply)["median_min"].item() for reply in ("any", "attempt", "connected")}

    assert waits == {"any": 1, "attempt": 5, "connected": 9}
    assert ask(ANN, rows)["any_message_median_min"].tolist() == [1]
    assert 'reply="connected" leaves it out' in ask(ANN, rows).attrs["hlkit"]["definition"]


def test_a_reply_by_a_call_without_a_user_is_counted_separately():
    no_user = {"type": "TYPE_CALL", "call_status": "completed", "call_duration_s": 60.0, "user_id": None}
    contacts = frame(contact("ann"), contact("bob"), contact("cyd"))
    rows = frame(message("ann", 5, **no_user), message("bob", 4), message("bob", 5, **no_user))

    table = ask(contacts, rows)

    assert table[["n", "answered", "user_unknown"]].values.tolist() == [[3, 2, 1]]


def test_the_headline_has_the_median_in_office_hours_and_in_all_hours():
    contacts = frame({**contact("ann"), "created_at": pd.Timestamp("2025-06-06T22:50Z")})  # Friday 17:50 in Chicago
    messages = frame(message("ann", 0) | {"sent_at": pd.Timestamp("2025-06-09T14:00Z")})  # Monday at 9

    table = ask(contacts, messages, after=99999, clock="office", timezone="America/Chicago", by=None)

    assert table[["median_min", "all_hours_median_min"]].values.tolist() == [[70, 63 * 60 + 10]]
    assert "70 min in office hours (3 days counting all hours)" in speed_to_lead.headline(table)


def test_the_office_clock_stops_at_night_but_automations_have_no_office_hours():
    contacts = frame({**contact("ann"), "created_at": pd.Timestamp("2025-06-06T22:50Z")})  # Friday 17:50 in Chicago
    at_nine = {"sent_at": pd.Timestamp("2025-06-09T14:00Z")}  # Monday
    messages = frame(
        message("ann", 0) | at_nine,
        message("ann", 0, origin="workflow") | {"sent_at": contacts.loc[0, "created_at"] + pd.Timedelta(minutes=1)},
    )

    row = ask(contacts, messages, after=99999, clock="office", timezone="America/Chicago").iloc[0]

    assert row["median_min"] == 10 + 60
    assert row["any_message_median_min"] == 1


def test_an_hour_that_daylight_saving_time_skips_does_not_count():
    # Clocks in Chicago go from 2 to 3 AM on 2025-03-09: 1 to 6 AM is four hours on that day, five on the next.
    for day, minutes in (("2025-03-09", 240), ("2025-03-10", 300)):
        start, end = (
            pd.Timestamp(f"{day} {hour}:00", tz="America/Chicago").tz_convert("UTC") for hour in ("01", "06")
        )
        contacts = frame({**contact("ann"), "created_at": start})
        messages = frame(message("ann", 0) | {"sent_at": end})
        table = speed_to_lead(
            contacts, messages, as_of="2025-04-01", timezone="America/Chicago", office="Mon-Sun 0-24"
        )
        assert table["median_min"].tolist() == [minutes]


def test_imported_contacts_are_left_out_and_counted():
    leads = [contact(f"c{number}", minutes=number) for number in range(9)]
    imported = [contact(f"i{number}", minutes=50) for number in range(60)]

    table = ask(frame(*leads, *imported), MESSAGES)

    assert table["n"].sum() == 9
    assert table.attrs["hlkit"]["left_out"]["contacts of an import"] == 60


def test_null_or_unknown_ids_match_no_lead():
    contacts = frame(contact("ann"), contact(None), contact(None))
    messages = frame(message(None, 5), message("gone", 5), message("ann", 9))

    table = ask(contacts, messages)

    assert table[["n", "answered"]].values.tolist() == [[3, 1]]


def test_a_group_may_have_the_name_of_a_column():
    table = ask(frame(contact("ann", wait="long"), contact("bob", wait=None)), MESSAGES, by="wait")

    assert set(table["wait"]) == {"long", "(none)"}


def test_a_missing_column_is_named():
    with pytest.raises(MissingColumn, match="created_at"):
        ask(ANN.drop(columns="created_at"), MESSAGES)
    with pytest.raises(MissingColumn, match="direction"):
        ask(ANN, MESSAGES.drop(columns="direction"))


# Win rate by wait


def test_deals_are_counted_by_how_long_their_lead_had_waited():
    names = ["ann", "bob", "cyd", "dan", "eve"]
    contacts = frame(*[contact(name) for name in names])
    messages = frame(message("ann", 5), message("bob", 5.1), message("cyd", 61), message("dan", 1))
    ended = {"ann": "won", "bob": "lost", "eve": "abandoned"}
    deals = frame(*[deal(name, status, ended=2000) for name, status in ended.items()], deal("cyd", "open"))
    options = {"after": 5000, "opportunities": deals, "show": "win_rate_by_wait"}

    table = ask(contacts, messages, **options).set_index("wait")

    counts = table[["n", "won", "lost"]].astype(int)
    assert counts.loc["up to 5 min"].tolist() == [2, 1, 0]
    assert counts.loc["5-15 min"].tolist() == [1, 0, 1]
    assert counts.loc["1-4 h"].tolist() == [1, 0, 0]
    assert counts.loc["over 24 h or no reply"].tolist() == [1, 0, 1]
    assert counts["n"].sum() == len(names)
    assert table.loc["up to 5 min", ["deals", "win_naive_share", "open_share"]].tolist() == [1, 1, 0]
    assert table.loc["1-4 h", "open_share"] == 1
    without = ask(contacts, messages, abandoned="exclude", **options).set_index("wait")
    assert without.loc["over 24 h or no reply", ["n", "deals", "lost"]].tolist() == [1, 0, 0]


def test_a_deal_that_closed_after_as_of_is_open():
    deals = frame(deal("ann", "won", ended=2001), deal("bob", "lost", ended=1999))
    contacts, messages = frame(contact("ann"), contact("bob")), frame(message("ann", 3), message("bob", 3))

    table = ask(contacts, messages, after=2000, opportunities=deals, show="win_rate_by_wait")

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

    table = ask(contacts, messages, opportunities=deals, show="win_rate_by_wait", after=5600 + 4000 + 100 * 1440)
    headline = speed_to_lead.headline(table)

    fast = table.set_index("wait").loc["up to 5 min"]
    assert fast[["n", "deals", "win_90d_share"]].tolist() == pytest.approx([400, 400, 0.8])
    assert headline.startswith("Won within 90 days: up to 5 min, 80% (76 to 84), vs. over 24 h or no reply, 20%")
    assert "a significant difference (p < .001)" in headline
    assert "A faster reply need not be the cause" in headline


def test_the_first_deal_counts_unless_it_closed_within_a_day():
    contacts = frame(contact("ann"), contact("bob"), contact("cyd"))
    messages = frame(message("ann", 3), message("bob", 90), message("cyd", 90))
    deals = frame(
        deal("ann", "won", minutes=500),
        deal("ann", "lost", minutes=50),
        deal("bob", "won", ended=1439),
        deal("cyd", "won", ended=1440),
    )

    table = ask(contacts, messages, opportunities=deals, show="win_rate_by_wait", after=9999)

    by_wait = table.set_index("wait")
    assert by_wait.loc["up to 5 min", ["n", "won", "lost"]].tolist() == [1, 0, 1]
    assert by_wait.loc["1-4 h", ["n", "deals", "won"]].tolist() == [2, 1, 1]
    assert table.attrs["hlkit"]["left_out"] == {"opportunities that closed within 24 h of their lead": 1}


def test_without_opportunities_win_rates_are_unknown():
    table = ask(ANN, frame(message("ann", 3)), show="win_rate_by_wait")

    assert table["n"].tolist() == [1, 0, 0, 0, 0, 0]
    assert table["win_90d_share"].isna().all()
    assert speed_to_lead.headline(table).startswith("No leads with a deal")
    assert "could not be read" in table.attrs["hlkit"]["definition"]


# Compared with lifelines


def test_shares_and_their_effective_rows_match_lifelines():
    lifelines = pytest.importorskip(
        "lifelines", reason="oracles run beside the lowest versions: uv pip install --group oracles"
    )
    from lifelines.datasets import load_waltons

    waltons = load_waltons()
    for _, group in waltons.groupby("group"):
        wait, ended = group["T"].astype(float), group["E"].astype(bool)
        fitted = lifelines.KaplanMeierFitter().fit(wait, ended)
        times, waiting, effective_rows = _survival_curve(wait, ended)
        assert waiting == pytest.approx(fitted.survival_function_.iloc[:, 0].reindex(times).to_numpy(), abs=1e-12)
        greenwood = fitted._cumulative_sq_.reindex(times).to_numpy()  # Greenwood's sum
        inside = (waiting > 0) & (waiting < 1)
        variance = waiting**2 * greenwood
        assert (waiting * (1 - waiting) / effective_rows)[inside] == pytest.approx(variance[inside], rel=1e-9)


# As planted


@pytest.fixture(scope="module")
def planted():
    return [_planted(seed) for seed in (1, 2, 3)]


def _planted(seed):
    data = seeded.data(seed, 4000)
    frames = {name: seeded.frame(seed, 4000, name) for name in ("contacts", "messages", "opportunities")}
    pipelines = {row["name"]: row["id"] for row in data.rows("pipelines")}
    return frames, data.planted, pipelines


def run(frames, **options):
    options = {"as_of": "2026-01-01", "timezone": "America/Chicago", "by": None} | options
    return hl.analyses.speed_to_lead(frames["contacts"], frames["messages"], frames["opportunities"], **options)


def test_it_finds_the_planted_wait_and_the_naive_number_does_not(planted):
    for frames, truth, _ in planted:
        row = run(frames).iloc[0]
        assert row["answered_median_min"] == pytest.approx(truth["speed"]["median_office_minutes"], abs=1.5)
        assert row["no_reply_share"] == pytest.approx(truth["speed"]["never_share"], abs=0.02)
        assert row["any_message_median_min"] == pytest.approx(20 / 60, abs=0.01)  # an automation, after 20 seconds
        assert run(frames, clock="wall").iloc[0]["median_min"] > 5 * row["median_min"]


def test_it_finds_that_fast_replies_win_more_deals(planted):
    won = lost = np.zeros(2)
    for frames, _, pipelines in planted:
        repeat = [key for name, key in pipelines.items() if name not in ("New customers", "Commercial")]
        deals = frames["opportunities"]
        table = run(frames | {"opportunities": deals[~deals["pipeline_id"].isin(repeat)]}, show="win_rate_by_wait")
        fast = table["wait"].isin(["up to 5 min", "5-15 min", "15-60 min"])
        won = won + [table.loc[rows, "won"].sum() for rows in (fast, ~fast)]
        lost = lost + [table.loc[rows, "lost"].sum() for rows in (fast, ~fast)]
    odds = np.log(won[0] / lost[0]) - np.log(won[1] / lost[1])
    error = np.sqrt(np.sum(1 / won) + np.sum(1 / lost))
    assert abs(odds - np.log(planted[0][1]["win"]["odds_if_fast"])) < 1.96 * error
    assert odds > 1.96 * error
