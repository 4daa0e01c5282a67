"""What the simulated location plants can be found again in its rows, and nothing in them is real."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from hlkit.sim import messages as seeded
from hlkit.sim.data import Data

ZONE = ZoneInfo("America/Chicago")
AS_OF = "2026-01-01"
OLD_STAGE = "deleted_stage"


@pytest.fixture(scope="module")
def data():
    return Data(seed=3, size=8000, as_of=AS_OF)


@pytest.fixture(scope="module")
def contacts(data):
    return list(data.rows("contacts"))


@pytest.fixture(scope="module")
def deals(data):
    return list(data.rows("opportunities"))


@pytest.fixture(scope="module")
def messages(data):
    return list(data.rows("messages"))


def local(text):
    return datetime.fromisoformat(text).astimezone(ZONE)


def office_minutes(start, end):
    """Minutes of Monday to Friday, 8 to 18, between two local instants: counted day by day."""
    total, day = 0.0, start.replace(hour=0, minute=0, second=0, microsecond=0)
    while day <= end:
        if day.weekday() < 5:
            opens, closes = day.replace(hour=8), day.replace(hour=18)
            total += max(0.0, (min(end, closes) - max(start, opens)).total_seconds() / 60)
        day = (day + timedelta(days=1)).replace(hour=0)
    return total


def call_of(row):
    """Status and seconds of a call, from the nested form of live rows or the flat one of the vendor's documents."""
    meta = row.get("meta", {})
    call = meta.get("call", {"status": meta.get("callStatus"), "duration": meta.get("callDuration")})
    return call["status"], float(call["duration"] or 0)


NOT_SENT = ("failed", "undelivered", "scheduled", "pending")
NO_REPLY = ("ACTIVITY", "COMMENT", "INTERNAL_CHAT", "REVIEW")


def is_reply(row):
    """Whether a person sent a message, or took a call."""
    if row["direction"] == "inbound":
        status, seconds = call_of(row)
        return row["messageType"] == "TYPE_CALL" and status == "completed" and seconds >= 1
    by_user = row.get("source") == "app" and "userId" in row and row["status"] not in NOT_SENT
    return by_user and not any(word in row["messageType"] for word in NO_REPLY)


def first_answers(messages):
    """When a person first wrote to each contact, worked out from the rows alone."""
    first = {}
    for row in filter(is_reply, messages):
        first[row["contactId"]] = min(first.get(row["contactId"], "9"), row["dateAdded"])
    return first


def share(rows, test):
    rows = list(rows)
    return sum(map(test, rows)) / len(rows)


# Seeds and instants


def test_the_same_seed_gives_the_same_rows_and_another_seed_others():
    one, same, other = (list(Data(seed, 200, AS_OF).rows("contacts")) for seed in (1, 1, 2))

    assert one == same
    assert one != other


def test_an_as_of_a_week_later_shows_the_same_people_a_week_later():
    early = {row["id"]: local(row["dateAdded"]) for row in Data(1, 400, "2025-10-01").rows("contacts")}
    late = {row["id"]: local(row["dateAdded"]) for row in Data(1, 400, "2025-10-08").rows("contacts")}

    assert early.keys() == late.keys()
    assert all(late[key].replace(tzinfo=None) - early[key].replace(tzinfo=None) == timedelta(days=7) for key in early)


@pytest.mark.parametrize("resource", ["contacts", "opportunities", "messages"])
def test_a_later_day_only_adds_rows(resource):
    before = set(Data(1, 2000, "2025-10-01").ids(resource))

    assert before < set(Data(1, 2000, "2025-10-04").ids(resource))


def test_nothing_is_later_than_as_of(data, contacts, deals, messages):
    end = data.planted["as_of"]
    instants = re.findall(r"20\d\d-\d\d-\d\dT[\d:.]+Z", json.dumps([deals, messages]))
    instants += [row[key] for row in contacts for key in ("dateAdded", "dateUpdated")]

    assert max(instants) <= end == "2026-01-01T06:00:00.000Z"


def test_as_of_is_local_midnight_unless_it_names_an_instant():
    assert Data(0, 0, "2025-07-01").planted["as_of"] == "2025-07-01T05:00:00.000Z"
    assert (
        Data(0, 0, datetime.fromisoformat("2025-07-01T12:00:00+02:00")).planted["as_of"].startswith("2025-07-01T10")
    )
    today = datetime.now(ZONE).date()
    numbers = (2026, "20260101", 1_767_247_200, 1_767_247_200_000.0, np.int64(20260101))
    for date in (*numbers, np.datetime64("2026-01-01")):
        assert Data(0, 0, date).planted["as_of"] == "2026-01-01T06:00:00.000Z"
    for wrong in (5, True, float("nan"), 1e18, 10**400, "soon"):
        with pytest.raises(ValueError, match=r"as_of|isoformat"):
            Data(0, 0, wrong)
    assert abs(datetime.fromtimestamp(Data(0, 0).clock.as_of / 1000, ZONE).date() - today) <= timedelta(days=1)


@pytest.mark.parametrize("size", [0, 1, 7, 40])
def test_small_and_empty_accounts_work(size):
    data = Data(0, size, AS_OF)

    assert abs(len(list(data.rows("contacts"))) - size) <= 2
    assert len(list(data.rows("users"))) == 7
    assert data.planted["quality"]["contacts"] == len(data.ids("contacts"))


def test_sizes_are_about_what_was_asked():
    data = Data(0, 5000, AS_OF)
    counts = {
        name: len(data.ids(name)) for name in ("contacts", "opportunities", "messages", "users", "custom_fields")
    }

    assert counts["contacts"] == pytest.approx(5000, rel=0.02)
    assert counts["opportunities"] == pytest.approx(1800, rel=0.05)
    assert counts["messages"] == pytest.approx(30_000, rel=0.05)
    assert (counts["users"], counts["custom_fields"]) == (7, 20)


def test_a_location_of_a_million_contacts_writes_the_rows_that_are_asked_for_alone():
    data = Data(0, 1_000_000, AS_OF)

    for name, count in (("contacts", 1_000_000), ("opportunities", 360_000)):
        table = data.table(name)
        assert len(table) == pytest.approx(count, rel=0.05)
        assert len(table.make(table.now()[:500])) == 500


# Nothing real


def test_every_address_and_number_is_one_that_is_kept_for_examples(contacts, deals):
    text = json.dumps([contacts, deals])
    hosts = set(re.findall(r"@([\w-]+(?:\.[\w-]+)+)", text))
    numbers = {row["phone"] for row in contacts if row["phone"]}

    assert {host.lower() for host in hosts} <= {"example.com", "example.org", "example.net"}
    assert all(
        re.fullmatch(r"\+1[2-9]\d\d55501\d\d|\([2-9]\d\d\) 555-01\d\d|\+1[2-9]\d\d5550\d\d", n) for n in numbers
    )
    assert len([n for n in numbers if n.startswith("+1") and len(n) == 12]) > 5000


def test_ids_are_distinct_twenty_character_texts(data):
    every = [i for name in ("contacts", "opportunities", "messages", "users") for i in data.ids(name)]

    assert len(set(every)) == len(every)
    assert all(re.fullmatch(r"[0-9A-Za-z]{20}", i) for i in every)
    assert data.table("contacts").find(data.ids("contacts")[17]) == 17
    assert data.table("contacts").find("0" * 20) is None


# Leads


def test_mondays_bring_the_most_leads_and_sundays_the_fewest(data, contacts):
    imported = set(data.planted["import"]["ids"])
    days = Counter(local(row["dateAdded"]).weekday() for row in contacts if row["id"] not in imported)

    assert days[0] / days[6] == pytest.approx(1.2 / 0.4, rel=0.2)
    assert min(days[d] for d in range(5)) > max(days[5], days[6])


def test_the_second_year_brings_more_than_the_first(data, contacts):
    imported = set(data.planted["import"]["ids"])
    years = Counter(local(row["dateAdded"]).year for row in contacts if row["id"] not in imported)

    assert years[2025] / years[2024] == pytest.approx(1.30, abs=0.08)


def test_spikes_outages_and_the_import_are_where_they_are_said_to_be(data, contacts):
    imported = data.planted["import"]
    days = Counter(local(row["dateAdded"]).date().isoformat() for row in contacts if row["source"] != "import")
    minutes = Counter(local(row["dateAdded"]).strftime("%Y-%m-%d %H:%M") for row in contacts)

    assert all(days[day] > 1.2 * len(contacts) / 740 for day in data.planted["days"]["spikes"])
    assert all(days[day] < 0.5 * len(contacts) / 740 for day in data.planted["days"]["outages"])
    assert minutes.most_common(1) == [(f"{imported['day']} {imported['local_minute']}", imported["rows"])]


def test_sources_come_in_their_shares_and_mostly_first_is_last(data, contacts):
    planted = data.planted["sources"]
    leads = [row for row in contacts if row["source"] != "import"]
    named = Counter(row["source"].strip().lower() for row in leads if row["source"])

    for name, expected in planted["shares"].items():
        assert named[name] / named.total() == pytest.approx(expected, abs=0.02)
    assert share(leads, lambda row: row["source"] is None) == pytest.approx(0.10, abs=0.02)
    pairs = list(zip(planted["first_by_contact"], planted["last_by_contact"], strict=True))
    assert share([p for p in pairs if p[0] != "import"], lambda p: p[0] == p[1]) == pytest.approx(0.70, abs=0.02)


def test_people_answer_within_eighteen_office_minutes_at_the_median(data, contacts, messages):
    answers, waits = first_answers(messages), []
    imported = set(data.planted["import"]["ids"])
    for row in contacts:
        if row["id"] in answers and row["id"] not in imported:
            waits.append(office_minutes(local(row["dateAdded"]), local(answers[row["id"]])))

    assert median(waits) == pytest.approx(18, abs=1)


def test_fifteen_in_a_hundred_leads_are_never_answered(data, contacts, messages):
    answers = first_answers(messages)
    imported = set(data.planted["import"]["ids"])
    old = [row for row in contacts if row["dateAdded"] < "2025-12-15" and row["id"] not in imported]

    assert share(old, lambda row: row["id"] not in answers) == pytest.approx(0.15, abs=0.02)


def test_an_automation_writes_to_nine_in_ten_after_twenty_seconds(data, contacts, messages):
    first = {}
    for row in messages:
        if row["direction"] == "outbound" and row.get("source") == "workflow" and row["type"] == 2:
            first[row["contactId"]] = row["dateAdded"]
    leads = [row for row in contacts if row["source"] != "import" and row["dateAdded"] < "2025-12-31"]
    waits = [local(first[r["id"]]) - local(r["dateAdded"]) for r in leads if r["id"] in first]

    assert set(waits) == {timedelta(seconds=20)}
    assert len(waits) / len(leads) == pytest.approx(0.90, abs=0.02)
    assert not any("userId" in row for row in messages if row.get("source") == "workflow")


# Deals


def closed(deals, pipelines):
    return [row for row in deals if row["status"] != "open" and row["pipelineId"] in pipelines]


def test_each_source_wins_its_share_of_deals():
    data = Data(seed=5, size=40_000, as_of=AS_OF)
    planted, source = data.planted, {}
    source = dict(zip(planted["contact_ids"], planted["sources"]["first_by_contact"], strict=True))
    names = {row["name"]: row["id"] for row in data.rows("pipelines")}
    rows = closed(data.rows("opportunities"), {names[name] for name in planted["win"]["pipelines"]})

    for name, expected in planted["win"]["by_source"].items():
        mine = [row for row in rows if source[row["contactId"]] == name]
        assert share(mine, lambda row: row["status"] == "won") == pytest.approx(expected, abs=0.03)

    # Twice the odds for those answered within the hour.
    waits = dict(zip(planted["contact_ids"], planted["speed"]["wait_office_minutes_by_contact"], strict=True))
    google = [row for row in rows if source[row["contactId"]] == "google"]
    fast = share([r for r in google if waits[r["contactId"]] < 60], lambda row: row["status"] == "won")
    slow = share([r for r in google if not waits[r["contactId"]] < 60], lambda row: row["status"] == "won")
    assert (fast / (1 - fast)) / (slow / (1 - slow)) == pytest.approx(2, rel=0.25)


def test_repeat_work_closes_as_two_competing_waits_would_have_it():
    data = Data(seed=5, size=40_000, as_of=AS_OF)
    repeat = next(row["id"] for row in data.rows("pipelines") if row["name"] == data.planted["close"]["pipeline"])
    rows = [r for r in data.rows("opportunities") if r["pipelineId"] == repeat and r["createdAt"] < "2025-06-01"]
    days = [
        (local(r["lastStatusChangeAt"]) - local(r["createdAt"])).total_seconds() / 86_400
        for r in rows
        if r["status"] != "open"
    ]

    assert share(closed(rows, {repeat}), lambda row: row["status"] == "won") == pytest.approx(0.60, abs=0.03)
    assert len(days) / len(rows) > 0.99
    assert median(days) == pytest.approx(16.6, abs=1.5)


def test_the_stuck_deals_are_open_and_old_and_the_others_are_not(data, deals):
    stuck = set(data.planted["stuck"])
    ages = {r["id"]: (local(AS_OF) - local(r["lastStageChangeAt"])).days for r in deals if r["status"] == "open"}

    assert len(stuck) == pytest.approx(40 * 8000 / 5000, abs=1)
    assert stuck <= ages.keys()
    assert min(ages[key] for key in stuck) > 100
    assert max(age for key, age in ages.items() if key not in stuck) <= 7


def test_some_rows_point_to_a_stage_and_a_user_who_are_gone(data, contacts, deals):
    stages = {stage["id"] for row in data.rows("pipelines") for stage in row["stages"]}
    users = set(data.ids("users"))
    lost = {row["id"] for row in deals if row["pipelineStageId"] not in stages}

    assert lost == set(data.planted[OLD_STAGE]["opportunity_ids"]) != set()
    assert {row["assignedTo"] for row in contacts} - users == {None, data.planted["deleted_user"]}


# People


def test_duplicates_are_one_person_written_down_twice(data, contacts):
    by_id = {row["id"]: row for row in contacts}
    kinds = Counter(kind for *_, kind in data.planted["duplicates"])
    same = {
        "format": lambda a, b: a["email"] != b["email"] and b["email"].lower() == a["email"].replace("@", "+web@"),
        "no email": lambda a, b: b["email"] is None and a["phone"] == b["phone"],
        "no phone": lambda a, b: b["phone"] is None and a["email"] == b["email"],
        "new email": lambda a, b: a["email"] != b["email"] and a["phone"] == b["phone"],
        "new phone": lambda a, b: a["phone"] != b["phone"] and a["email"] == b["email"],
        "nickname": lambda a, b: a["firstName"] != b["firstName"] and a["email"] == b["email"],
        "typo": lambda a, b: a["firstName"][:2] == b["firstName"][:2] and a["email"] == b["email"],
        "name and address": lambda a, b: a["address"] == b["address"] and b["email"] is b["phone"] is None,
    }

    assert len(data.planted["duplicates"]) / len(contacts) == pytest.approx(0.12, abs=0.01)
    assert kinds.keys() == same.keys()
    for later, earlier, kind in data.planted["duplicates"]:
        a, b = by_id[earlier], by_id[later]
        assert a["dateAdded"] <= b["dateAdded"]
        assert a["lastName"] == b["lastName"]
        assert same[kind](a, b), kind


def test_couples_share_a_phone_or_a_mailbox_and_are_two_people(data, contacts):
    by_id = {row["id"]: row for row in contacts}

    assert data.planted["couples"]
    assert data.planted["mailboxes"]
    for shared, pairs in (("phone", "couples"), ("email", "mailboxes")):
        for one, other in data.planted[pairs]:
            a, b = by_id[one], by_id[other]
            assert a[shared] == b[shared] is not None
            assert a["lastName"] == b["lastName"]
            assert a["firstName"][:2] != b["firstName"][:2]


def test_what_is_missing_wrong_or_blocked_is_counted_exactly(data, contacts):
    planted = data.planted["quality"]
    good_mail, good_phone = r"[^\s@]+@example\.(com|org|net)", r"\+1\d{10}|\(\d{3}\) \d{3}-\d{4}"
    mails = [row["email"] for row in contacts]
    phones = [row["phone"] for row in contacts]

    assert planted["no_email"] == mails.count(None)
    assert planted["no_phone"] == phones.count(None)
    assert planted["invalid_email"] == sum(m is not None and not re.fullmatch(good_mail, m, re.I) for m in mails)
    assert planted["invalid_phone"] == sum(p is not None and not re.fullmatch(good_phone, p) for p in phones)
    assert planted["dnd"] == sum(row["dnd"] for row in contacts)
    assert planted["dnd_permanent"] == sum(
        row["dndSettings"].get("Email", {}).get("status") == "permanent" for row in contacts
    )
    for name, expected in (("no_email", 0.12), ("no_phone", 0.18), ("invalid_email", 0.04), ("dnd", 0.06)):
        assert planted[name] / len(contacts) == pytest.approx(expected, abs=0.015)


def test_names_that_are_traps_stand_where_they_are_said_to(data, contacts):
    names = {row["id"]: f"{row['firstName']} {row['lastName']}" for row in contacts}
    found = {trap: names[key] for trap, key in data.planted["traps"].items()}

    assert found["formula"].startswith("=HYPERLINK(")
    assert "<script>" in found["script"]
    assert "\r" in found["carriage return"]
    assert "🌻" in found["emoji"]
    assert len(found) == 6


def test_two_tags_go_together_and_two_by_chance(contacts):
    def lift(a, b):
        both = share(contacts, lambda row: {a, b} <= set(row["tags"]))
        return both / share(contacts, lambda row: a in row["tags"]) / share(contacts, lambda row: b in row["tags"])

    assert lift("garden", "roof") == pytest.approx(3, abs=0.5)
    assert lift("vip", "webinar") == pytest.approx(1, abs=0.3)


# The inbox


def test_replies_are_soon_by_day_and_slow_in_the_evening(messages):
    threads, waits = {}, {"day": [], "evening": []}
    for row in sorted(messages, key=lambda row: row["dateAdded"]):
        written = row["messageType"] in (
            "TYPE_SMS",
            "TYPE_FACEBOOK",
            "TYPE_WHATSAPP",
            "TYPE_LIVE_CHAT",
            "TYPE_INSTAGRAM",
        )
        if written and row["direction"] == "inbound":
            threads.setdefault(row["contactId"], local(row["dateAdded"]))
        elif written and is_reply(row) and row["contactId"] in threads:
            asked = threads.pop(row["contactId"])
            part = "day" if 8 <= asked.hour < 18 else "evening"
            waits[part].append((local(row["dateAdded"]) - asked).total_seconds() / 60)

    assert median(waits["day"]) == pytest.approx(12, rel=0.2)
    assert median(waits["evening"]) == pytest.approx(180, rel=0.2)


def test_the_inbox_is_busiest_when_it_is_said_to_be(data, messages):
    rhythm = data.planted["inbox"]["hours"]
    hours = Counter(local(row["dateAdded"]).hour for row in messages if row["direction"] == "inbound")

    assert {hour for hour, _ in hours.most_common(2)} == set(sorted(range(24), key=lambda h: -rhythm[h])[:2])


# Shape


def test_a_contact_shows_null_and_a_message_leaves_out(contacts, messages):
    assert len({frozenset(row) for row in contacts}) == 1
    assert any(row["lastName"] is None for row in contacts)
    assert any("userId" not in row for row in messages)
    assert not any(None in row.values() for row in messages)


def test_custom_fields_cover_every_type_and_two_have_one_name(data):
    rows = list(data.rows("custom_fields"))
    fields = [row for row in rows if row["documentType"] == "field"]
    twins = [row for row in fields if row["name"] == "Budget"]

    assert len({row["dataType"] for row in fields}) == 14
    assert {row["parentId"] for row in fields} == {row["id"] for row in rows if row["documentType"] == "folder"}
    assert {row["model"] for row in fields} == {"contact", "opportunity"}
    assert len({row["parentId"] for row in twins}) == len({row["fieldKey"] for row in twins}) == 2


def test_custom_values_refer_to_fields_of_their_model(data, contacts, deals):
    models = {row["id"]: row["model"] for row in data.rows("custom_fields")}
    on_contacts = [value for row in contacts for value in row["customFields"]]
    on_deals = [value for row in deals for value in row["customFields"]]

    assert {models[value["id"]] for value in on_contacts} == {"contact"}
    assert {type(value["value"]) for value in on_contacts} == {str, int, float, bool, list, dict}
    assert {models[value["id"]] for value in on_deals} == {"opportunity"}
    keys = {key for value in on_deals for key in value} - {"id", "type"}
    assert keys == {
        "fieldValueString",
        "fieldValueNumber",
        "fieldValueArray",
        "fieldValueDate",
        "fieldValueFile",
        "fieldValue",
        "value",
    }


def test_half_of_the_calls_are_nested_as_in_live_rows_and_half_flat_as_in_the_documents(messages):
    calls = [row for row in messages if row["messageType"].endswith("CALL")]
    nested = [row["meta"]["call"] for row in calls if "call" in row["meta"]]
    flat = [row["meta"] for row in calls if "call" not in row["meta"]]

    assert len(nested) / len(calls) == pytest.approx(0.5, abs=0.05)
    assert all(one.keys() == {"duration", "status"} for one in nested)
    assert {type(one["duration"]) for one in nested} == {int, str, type(None)}
    assert all(one.keys() == {"callDuration", "callStatus"} for one in flat)
    assert {type(one["callDuration"]) for one in flat} == {str}
    states = {"completed", "no-answer", "busy", "voicemail", "failed", "canceled"}
    assert {call_of(row)[0] for row in calls} == {one["status"] for one in nested} == states


# Odd messages


LATER_KINDS = ("TYPE_CAMPAIGN_MANUAL_CALL", "TYPE_CAMPAIGN_MANUAL_SMS")


def comes_afterwards(row):
    """Whether a message is one of the odd ones that answer somebody, or may be taken to."""
    is_call, by_hand = row["messageType"] == "TYPE_CALL", row.get("source") == "app"
    status = call_of(row)[0] if is_call else None
    without_user = is_call and row["direction"] == "inbound" and status == "completed" and "userId" not in row
    waits = by_hand and row["status"] in ("queued", "opt_out")
    return row["messageType"] in LATER_KINDS or without_user or waits or status in ("failed", "canceled")


def is_said(row):
    """Whether a message is one of a contact, or a reply, and not an odd one."""
    if comes_afterwards(row) or row["messageType"] in ("TYPE_SMS_REACTION", "TYPE_LIVE_CHAT_INFO_MESSAGE"):
        return False
    return row["direction"] == "inbound" or is_reply(row)


def test_a_location_has_some_of_the_rare_kinds_and_states_of_messages(messages):
    kinds = Counter((row["messageType"], row["direction"], "userId" in row) for row in messages)
    states = Counter(row["status"] for row in messages)

    for kind in [
        ("TYPE_CALL", "inbound", False),
        ("TYPE_CAMPAIGN_MANUAL_CALL", "outbound", True),
        ("TYPE_CAMPAIGN_MANUAL_SMS", "outbound", True),
        ("TYPE_SMS_REACTION", "inbound", False),
        ("TYPE_LIVE_CHAT_INFO_MESSAGE", "inbound", False),
        ("TYPE_INTERNAL_CHAT", "outbound", True),
        ("TYPE_REVIEW", "outbound", True),
        ("TYPE_REVIEW", "outbound", False),
        ("TYPE_SMS_REVIEW_REQUEST", "outbound", True),
        ("TYPE_SMS_REVIEW_REQUEST", "outbound", False),
    ]:
        assert 10 < kinds[kind] < len(messages) / 50, kind
    for state in ("scheduled", "pending", "queued", "opt_out"):
        assert 10 < states[state] < len(messages) / 50, state


def said_before(messages):
    """Each message, oldest first, with the one of its contact or a user that was said before it; None for none."""
    last = {}
    for row in sorted(messages, key=lambda row: row["dateAdded"]):
        yield row, last.get(row["contactId"])
        if is_said(row):
            last[row["contactId"]] = row


def test_odd_messages_that_answer_somebody_come_where_a_user_had_the_last_word(messages):
    over = set()
    for row, before in said_before(messages):
        if comes_afterwards(row):
            over.add(row["contactId"])
            assert is_reply(before)
            assert before["direction"] == "outbound"
            assert row["dateAdded"] > before["dateAdded"]
        assert not (is_said(row) and row["contactId"] in over)
    assert len(over) > 100


def test_odd_messages_no_replies_come_where_a_wrong_rule_would_be_seen(messages):
    answers = first_answers(messages)
    waiting = [row for row in messages if row["status"] in ("scheduled", "pending")]
    before = defaultdict(list)
    for row, last in said_before(messages):
        before[row["messageType"]].append(last is not None and last["direction"] == "inbound")

    assert share(waiting, lambda row: row["dateAdded"] < answers.get(row["contactId"], "9")) > 0.5
    assert share(before["TYPE_INTERNAL_CHAT"], bool) > 0.5
    assert share(before["TYPE_SMS_REACTION"], bool) < 0.1
    assert share(before["TYPE_LIVE_CHAT_INFO_MESSAGE"], bool) < 0.1


def test_without_the_rare_messages_the_others_are_the_same(monkeypatch):
    whole = {row["id"]: row for row in Data(2, 600, AS_OF).rows("messages")}
    monkeypatch.setattr(seeded, "_no_replies", lambda *_: [])
    monkeypatch.setattr(seeded, "_afterwards", lambda people, usual, rng: {name: usual[name][:0] for name in usual})
    usual = {row["id"]: row for row in Data(2, 600, AS_OF).rows("messages")}

    assert usual.items() <= whole.items()
    assert 0 < len(whole) - len(usual) < 0.04 * len(whole)
