"""How long new leads wait: worked out by hand, compared with lifelines, and as planted in the simulated location."""

import pandas as pd
import pytest
from lead_rows import ANN, MESSAGES, contact, frame, later, message, planted

from hlkit.analysis.core.rows_behind import RowsBehind
from hlkit.analysis.core.shares import wilson
from hlkit.analysis.core.survival import kaplan_meier, never_ended
from hlkit.analysis.leads.speed_to_lead import speed_to_lead
from hlkit.client.errors import MissingColumn


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


def test_the_median_is_in_office_hours_and_in_all_hours():
    contacts = frame({**contact("ann"), "created_at": pd.Timestamp("2025-06-06T22:50Z")})  # Friday 17:50 in Chicago
    messages = frame(message("ann", 0) | {"sent_at": pd.Timestamp("2025-06-09T14:00Z")})  # Monday at 9

    table = ask(contacts, messages, after=99999, clock="office", timezone="America/Chicago", by=None)

    assert table[["median_min", "all_hours_median_min"]].values.tolist() == [[70, 63 * 60 + 10]]
    assert speed_to_lead.headline(table).startswith("Half of your leads wait 70 min (office hours) or more; ")


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


# The headline


def test_the_headline_has_the_number_first_and_the_significance_second():
    # 30 of 40 leads from ads are answered after 3 minutes, 10 of 40 from the web; the other 40 have no reply.
    contacts = frame(*[contact(f"{source}{n}", 7 * n, source) for source in ("ads", "web") for n in range(40)])
    messages = frame(
        *[message(f"{source}{n}", 7 * n + 3) for source, count in (("ads", 30), ("web", 10)) for n in range(count)]
    )

    headline = speed_to_lead.headline(ask(contacts, messages, after=999))

    assert headline == (
        "Half of your leads wait 3 min or more; 50% of 80 leads are answered within an hour; 40 have no reply yet. "
        "ads (75%) is above web (25%), a significant difference (p < .001)."
    )


def test_the_headline_of_a_single_lead_is_singular():
    waiting = speed_to_lead.headline(ask(ANN, MESSAGES))
    answered = speed_to_lead.headline(ask(ANN, frame(message("ann", 5))))

    few = "(fewer than 20 rows: too few to say much)."
    assert waiting == f"No median yet; 0% of 1 lead is answered within an hour; 1 has no reply yet {few}"
    assert answered == f"Half of your leads wait 5 min or more; 100% of 1 lead is answered within an hour {few}"


# Two columns of groups, and the leads behind a group


def test_two_columns_are_a_heat_table_of_each_pair():
    contacts = frame(
        contact("ann", city="Elgin"), contact("bob", city="Elgin"), contact("cyd", source="web", city="Elgin")
    )

    table = ask(contacts, frame(message("ann", 5), message("cyd", 9)), by=["source", "city"])

    pairs = table.set_index(["source", "city"])[["n", "answered"]]
    assert {pair: tuple(row) for pair, row in pairs.T.items()} == {("ads", "Elgin"): (2, 1), ("web", "Elgin"): (1, 1)}
    assert "0% to" not in speed_to_lead.headline(table)


def test_the_rows_of_a_group_are_its_leads():
    contacts = frame(contact("ann"), contact("bob"), contact("cyd", source="web"))
    table, log = speed_to_lead.run(contacts, frame(message("ann", 5)), as_of=later(100), clock="wall")
    behind = RowsBehind(table, log, speed_to_lead.rows, lambda rows: rows)

    rows = behind.of("ads")

    assert rows.columns.tolist() == [
        "wait_min",
        "is_answered",
        "created_at",
        "replied_at",
        "contacted_before",
        "user_id",
        "contact_id",
    ]
    assert rows[["contact_id", "wait_min", "is_answered"]].values.tolist() == [["ann", 5, True], ["bob", 100, False]]
    assert behind.of("web")["contact_id"].tolist() == ["cyd"]


# Compared with lifelines


def test_the_share_without_a_reply_and_its_interval_match_lifelines():
    lifelines = pytest.importorskip(
        "lifelines", reason="oracles run beside the lowest versions: uv pip install --group oracles"
    )
    from lifelines.datasets import load_waltons

    for _, group in load_waltons().groupby("group"):
        for limit in (20, 30, 55):
            wait = group["T"].clip(upper=limit).astype(float)
            ended = group["E"].astype(bool) & (group["T"] <= limit)
            fitted = lifelines.KaplanMeierFitter().fit(wait, ended)
            times, waiting = kaplan_meier(wait, ended)
            assert waiting == pytest.approx(fitted.survival_function_.iloc[:, 0].reindex(times).to_numpy(), abs=1e-12)
            left, greenwood = waiting[-1], fitted._cumulative_sq_.iloc[-1].item()  # Greenwood's sum
            rows = (1 - left) / (left * greenwood)
            assert never_ended(wait, ended) == pytest.approx((left, *wilson(left * rows, rows)), rel=1e-9)


# As planted


def run(frames, **options):
    options = {"as_of": "2026-01-01", "timezone": "America/Chicago", "by": None} | options
    return speed_to_lead(frames["contacts"], frames["messages"], **options)


def test_it_finds_the_planted_wait_and_the_naive_number_does_not():
    for frames, truth, _ in planted():
        row = run(frames).iloc[0]
        assert row["answered_median_min"] == pytest.approx(truth["speed"]["median_office_minutes"], abs=1.5)
        assert row["no_reply_share"] == pytest.approx(truth["speed"]["never_share"], abs=0.02)
        assert row["any_message_median_min"] == pytest.approx(20 / 60, abs=0.01)  # an automation, after 20 seconds
        assert run(frames, clock="wall").iloc[0]["median_min"] > 5 * row["median_min"]
