"""What is planted in appointments, forms, payments and tasks can be found again in their rows."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hlkit.sim.data import KINDS, Data

ZONE = ZoneInfo("America/Chicago")
AS_OF = "2026-01-01"
NEW = [name for name in KINDS if name not in ("contacts", "opportunities", "messages")]
END = datetime.fromisoformat("2026-01-01T06:00:00+00:00")


@pytest.fixture(scope="module")
def data():
    return Data(seed=3, size=8000, as_of=AS_OF)


@pytest.fixture(scope="module")
def rows(data):
    return {name: list(data.rows(name)) for name in [*NEW, "contacts", "opportunities"]}


def share(rows, test):
    rows = list(rows)
    return sum(map(test, rows)) / len(rows)


def instant(text):
    return datetime.fromisoformat(text)


# Of all


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("conversations", 5000),
        ("appointments", 3000),
        ("tasks", 900),
        ("form_submissions", 2000),
        ("transactions", 2500),
        ("subscriptions", 120),
        ("invoices", 700),
        ("orders", 400),
    ],
)
def test_a_location_of_five_thousand_has_about_so_many(name, count):
    assert Data(0, 5000, AS_OF).table(name).alive.sum() == pytest.approx(count, rel=0.2)


@pytest.mark.parametrize("name", NEW)
def test_a_resource_does_not_depend_on_which_was_asked_for_before(name):
    alone, last = Data(1, 300, AS_OF), Data(1, 300, AS_OF)
    for other in KINDS:
        last.ids(other)

    assert list(alone.rows(name)) == list(last.rows(name))


@pytest.mark.parametrize("name", sorted(set(NEW) - {"tasks"}))  # with a deal its open task is closed, and gone
def test_a_later_day_only_adds_rows(name):
    before = set(Data(1, 2000, "2025-10-01").ids(name))

    assert before - set(Data(1, 2000, "2025-10-04").ids(name)) == set()


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("size", [0, 1, 40])
def test_small_and_empty_accounts_have_rows_or_none(name, size):
    assert len(list(Data(0, size, AS_OF).rows(name))) >= 0


def test_nothing_but_a_start_and_a_due_date_is_later_than_as_of(rows):
    for name in NEW:
        kept = [{k: v for k, v in row.items() if k not in ("startTime", "endTime", "dueDate")} for row in rows[name]]
        instants = re.findall(r'"(20\d\d-\d\d-\d\dT[\d:.]+Z)"', json.dumps(kept))
        late = [one for one in instants if instant(one) > END + timedelta(minutes=4)]
        assert not late, name


def test_rows_name_contacts_that_exist_but_for_some_who_are_gone(rows):
    known = {row["id"] for row in rows["contacts"]}

    for name in ("conversations", "appointments", "tasks", "notes", "form_submissions", "subscriptions"):
        assert {row["contactId"] for row in rows[name]} <= known, name
    gone = [row for row in rows["transactions"] if row["contactId"] not in known]
    assert 0.002 < len(gone) / len(rows["transactions"]) < 0.03


# Appointments


def settled(rows):
    """Past appointments that were neither cancelled nor deleted."""
    kept = [row for row in rows["appointments"] if not row["deleted"] and instant(row["endTime"]) < END]
    return [row for row in kept if row["appointmentStatus"] not in ("cancelled", "invalid")]


def test_one_past_appointment_in_eight_was_never_marked(rows):
    assert share(settled(rows), lambda row: row["appointmentStatus"] in ("confirmed", "new")) == pytest.approx(
        0.12, abs=0.025
    )


def missed(rows, test):
    marked = [row for row in settled(rows) if row["appointmentStatus"] in ("showed", "noshow")]
    return share(filter(test, marked), lambda row: row["appointmentStatus"] == "noshow")


def test_people_stay_away_at_eight_and_after_a_long_wait_and_less_when_referred(data, rows):
    def waited(row):
        return instant(row["startTime"]) - instant(row["dateAdded"]) > timedelta(days=3)

    first = dict(zip(data.planted["contact_ids"], data.planted["sources"]["first_by_contact"], strict=True))

    assert missed(rows, lambda row: row["startTime"][11:13] == "08") > 1.2 * missed(rows, lambda row: True)
    assert missed(rows, waited) > 1.8 * missed(rows, lambda row: not waited(row))
    assert missed(rows, lambda row: first[row["contactId"]] == "referral") < missed(rows, lambda row: True)


def test_the_true_share_of_those_who_came_lies_within_the_bounds_of_the_unmarked(data, rows):
    truth = data.planted["appointments"]["show_share_by_local_hour"]
    for hour, planted in truth.items():
        states = Counter(r["appointmentStatus"] for r in settled(rows) if int(r["startTime"][11:13]) == hour)
        open_ends = states["confirmed"] + states["new"]
        total = states["showed"] + states["noshow"] + open_ends
        assert states["showed"] / total - 0.02 <= planted <= (states["showed"] + open_ends) / total + 0.02


def test_appointments_start_in_office_hours_after_they_were_booked(rows):
    for row in rows["appointments"]:
        start = instant(row["startTime"])
        assert start > instant(row["dateAdded"])
        assert start.weekday() < 5
        assert 8 <= start.hour < 18
        assert start.utcoffset() == start.astimezone(ZONE).utcoffset()


def test_stuck_deals_have_neither_a_task_nor_an_appointment(data, rows):
    whose = {row["id"]: row["contactId"] for row in rows["opportunities"]}
    stuck = {whose[deal] for deal in data.planted["stuck"]}

    assert not stuck & {row["contactId"] for row in rows["tasks"]}
    assert not stuck & {row["contactId"] for row in rows["appointments"]}
    working = {row["contactId"] for row in rows["opportunities"] if row["status"] == "open"} - stuck
    assert working <= {row["contactId"] for row in rows["tasks"] if not row["completed"]}


# Forms


def test_the_second_form_of_the_test_leads_to_more_bookings(data, rows):
    first = {}
    for row in rows["appointments"]:
        first[row["contactId"]] = min(first.get(row["contactId"], "9"), row["dateAdded"])
    booked, sent = Counter(), Counter()
    for row in rows["form_submissions"]:
        sent[row["formId"]] += 1
        booked[row["formId"]] += first.get(row["contactId"], "9") > row["createdAt"] and row["contactId"] in first
    rates = [booked[form] / sent[form] for form in data.planted["forms"]["form_ids"]]

    assert rates[0] == pytest.approx(0.09, abs=0.03)
    assert rates[1] == pytest.approx(0.12, abs=0.03)


def test_a_submission_tells_where_its_visitor_came_from(rows):
    events = [row["others"]["eventData"] for row in rows["form_submissions"]]

    assert {event["medium"] for event in events} == {"form"}
    assert {"Paid Search", "Paid Social", "Referral", "Direct traffic"} <= {event["source"] for event in events}
    assert all(event["page"]["url"].startswith("https://www.lakeside.example.com/") for event in events)


# Payments


def test_purchases_repeat_as_the_law_has_it(data):
    """The share of customers with a repeat within 39 weeks: 41 to 42 in 100 for the four numbers of CDNOW."""
    history = Data(seed=5, size=60_000, as_of=AS_OF)
    times = defaultdict(list)
    table = history.table("transactions").columns
    bought = (table["pays"] != 3) & table["live"] & (table["status"] == 0)
    for contact, at in zip(table["contact"][bought].tolist(), table["created"][bought].tolist(), strict=True):
        times[contact].append(at)
    weeks = 7 * 86_400_000
    whole = [sorted(t) for t in times.values() if min(t) < history.clock.as_of - 39 * weeks]

    assert share(whole, lambda t: len(t) > 1 and t[1] - t[0] < 39 * weeks) == pytest.approx(0.41, abs=0.03)
    assert sum(sum(one - t[0] < 39 * weeks for one in t) - 1 for t in whole) / len(whole) == pytest.approx(
        1.1, abs=0.2
    )


def test_payments_have_their_traps(rows):
    payments = rows["transactions"]

    assert {row["currency"] for row in payments} == {"USD", "CAD"}
    assert share(payments, lambda row: row["currency"] == "CAD") < 0.06
    assert share(payments, lambda row: not row["liveMode"]) == pytest.approx(0.03, abs=0.015)
    assert share(payments, lambda row: row["amountRefunded"] > 0) == pytest.approx(0.02, abs=0.015)
    assert share(payments, lambda row: isinstance(row["amount"], str)) == pytest.approx(0.02, abs=0.01)
    assert any("mergedFromContactId" in row for row in payments)
    assert {row["status"] for row in payments} == {"succeeded", "failed", "pending"}


def test_the_papers_of_payments_exist_and_bear_their_amount(rows):
    papers = {row["_id"]: float(row["amount"]) for row in rows["orders"]}
    papers |= {row["_id"]: row["total"] for row in rows["invoices"]}
    paid = [row for row in rows["transactions"] if row.get("entityType") in ("order", "invoice")]

    assert len(paid) > 500
    assert all(papers[row["entityId"]] == float(row["amount"]) for row in paid)
    known = {row["subscriptionId"] for row in rows["subscriptions"]}
    assert {row["subscriptionId"] for row in rows["transactions"] if "subscriptionId" in row} <= known


def test_the_script_of_revenue_can_be_worked_out_from_the_payments(data, rows):
    planted = data.planted["mrr"]["script"]
    example = list(planted["every movement"]["mrr"]["USD"].values())
    assert [example[n] for n in (1, 2, 5, 8, 14, 17)] == [0, 166.67, 226.67, 166.67, 0, 150]

    for name, story in planted.items():
        mine = [row for row in rows["transactions"] if row["contactId"] == story["contact_id"]]
        mine = [row for row in mine if row["status"] == "succeeded" and row["liveMode"]]
        for currency, months in story["mrr"].items():
            found = Counter()
            for plan in story["plans"]:
                for row in mine:
                    if row["currency"] == currency == plan.get("currency") and float(row["amount"]) == plan["amount"]:
                        paid = instant(row["createdAt"]).astimezone(ZONE)
                        for later in range(plan["months"]):
                            month = (paid.year * 12 + paid.month - 1 + later) // 12, (paid.month - 1 + later) % 12 + 1
                            found[f"{month[0]}-{month[1]:02d}"] += plan["amount"] / plan["months"]
            if name != "came back":  # two plans of one price: each payment would count twice
                assert {m: round(found[m], 2) for m in months} == months, (name, currency)


def test_a_failed_card_is_tried_again_within_the_week(data, rows):
    whose = data.planted["mrr"]["script"]["failed, then retried"]["contact_id"]
    mine = [row for row in rows["transactions"] if row["contactId"] == whose and "subscriptionId" in row]
    failed = next(row for row in mine if row["status"] == "failed")
    after = min(row["createdAt"] for row in mine if row["createdAt"] > failed["createdAt"])

    assert instant(after) - instant(failed["createdAt"]) == timedelta(days=5)
