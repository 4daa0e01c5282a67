"""Who replied: the table of forms in the docstring, row by row, and other spellings of the same."""

import re

import pandas as pd
import pytest

from hlkit.analysis.core import messages as module
from hlkit.analysis.core.messages import classify_messages
from hlkit.client.schema import TEXT

LINES = re.findall(r"^    ([A-Z_]+ .*?) +\| (.*)$", module.__doc__, re.MULTILINE)
FORMS = [(*left.split(), *right.split()) for left, right in LINES]
ORIGINS = {"app": ["app"], "-": ["app", None], "machine": ["workflow", "campaign", "bulk_actions", "api"]}
USERS = {"yes": ["u1"], "no": [None], "-": ["u1", None]}


def rows(kind, direction, origin, user, status, seconds):
    """All rows that match a line of the table."""
    duration = None if seconds == "-" else float(seconds)
    value = None if status == "-" else status
    for source in ORIGINS[origin]:
        for who in USERS[user]:
            row = {"type": f"TYPE_{kind}", "direction": direction, "origin": source, "user_id": who}
            if not kind.endswith("CALL"):
                yield row | {"status": value}
                continue
            # the outcome of a call may be in its call status, in its message status, or in both
            for message_status, call_status in ((value, value), ("delivered", value), (value, None)):
                yield row | {"status": message_status, "call_status": call_status, "call_duration_s": duration}


def frame(*messages):
    columns = ("type", "direction", "origin", "user_id", "status", "call_status")
    data = {name: pd.Series([row.get(name) for row in messages], dtype=TEXT.dtype) for name in columns}
    return pd.DataFrame(data).assign(
        call_duration_s=pd.Series([row.get("call_duration_s") for row in messages], dtype="float64")
    )


def test_the_table_has_every_form():
    assert len(FORMS) > 60
    kinds = {form[0] for form in FORMS}
    assert {"CALL", "SMS", "EMAIL", "CAMPAIGN_MANUAL_SMS", "SMS_REACTION", "INTERNAL_CHAT", "REVIEW"} <= kinds


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(form[:6]))
def test_each_form_counts_as_a_reply_as_in_the_table(form):
    *shape, connected, attempt, every = form
    kinds = classify_messages(frame(*rows(*shape)))

    for reply, expected in (("connected", connected), ("attempt", attempt), ("any", every)):
        assert set(kinds.replies(reply).tolist()) == {expected == "yes"}, reply


def respelled(row):
    """The same row in other spellings."""
    types = {"type": row["type"].removeprefix("TYPE_").title().replace("_", " ")}
    codes = {name: (row[name] or "").upper().replace("_", "-") or None for name in ("direction", "origin")}
    status = (row["status"] or "").replace("canceled", "Canceled").replace("_", "-").title() or None
    call_status = (row.get("call_status") or "").replace("-", "_").upper() or None
    return row | types | codes | {"status": status, "call_status": call_status}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(form[:6]))
def test_the_spelling_of_a_value_does_not_matter(form):
    messages = list(rows(*form[:6]))

    plain, other = classify_messages(frame(*messages)), classify_messages(frame(*map(respelled, messages)))

    for name, mask in vars(plain).items():
        assert mask.tolist() == vars(other)[name].tolist(), name


@pytest.mark.parametrize(
    ("row", "is_from_contact"),
    [
        ({"type": "TYPE_SMS"}, True),
        ({"type": "TYPE_EMAIL", "user_id": "u1"}, True),
        ({"type": "TYPE_LIVE_CHAT"}, True),
        ({"type": "TYPE_FACEBOOK_COMMENT"}, True),
        ({"type": "TYPE_SMS", "status": "opt_out"}, False),
        ({"type": "TYPE_SMS_REACTION"}, False),
        ({"type": "TYPE_LIVE_CHAT_INFO_MESSAGE"}, False),
        ({"type": "TYPE_INTERNAL_CHAT"}, False),
        ({"type": "TYPE_INTERNAL_COMMENT"}, False),
        ({"type": "TYPE_ACTIVITY_CONTACT"}, False),
        ({"type": "TYPE_REVIEW"}, False),
        ({"type": "TYPE_CALL", "call_status": "no-answer"}, False),
        ({"type": "TYPE_VOICEMAIL"}, False),
        ({"type": "TYPE_SMS", "direction": "outbound"}, False),
    ],
)
def test_messages_from_a_contact(row, is_from_contact):
    message = {"direction": "inbound", "status": "delivered"} | row

    assert classify_messages(frame(message)).inbound_messages.tolist() == [is_from_contact]


def test_an_unanswered_call_is_missed_and_an_answered_one_may_have_an_unknown_user():
    call = {"type": "TYPE_CALL", "direction": "inbound", "call_duration_s": 60}
    calls = [
        call | {"call_status": "completed", "user_id": "u1"},
        call | {"call_status": "completed"},
        call | {"call_status": "voicemail", "user_id": "u1"},
        call | {"call_status": "completed", "status": "no-answer"},  # both statuses must say that it was answered
    ]

    kinds = classify_messages(frame(*calls))

    assert kinds.answered_calls.tolist() == [True, True, False, False]
    assert kinds.missed_calls.tolist() == [False, False, True, True]
    assert kinds.unknown_user.tolist() == [False, True, False, False]


def test_the_columns_of_calls_are_optional():
    messages = frame(
        {"type": "TYPE_CALL", "direction": "outbound", "origin": "app", "user_id": "u1", "status": "sent"}
    )

    kinds = classify_messages(messages.drop(columns=["call_status", "call_duration_s"]))

    assert kinds.replies().tolist() == [True]
    assert kinds.replies("connected").tolist() == [False]
    assert classify_messages(messages.iloc[:0]).replies().tolist() == []
