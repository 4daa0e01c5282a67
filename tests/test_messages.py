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
    """The rows that one line of the table stands for."""
    duration = None if seconds == "-" else float(seconds)
    said = None if status == "-" else status
    for source in ORIGINS[origin]:
        for who in USERS[user]:
            row = {"type": f"TYPE_{kind}", "direction": direction, "origin": source, "user_id": who}
            if not kind.endswith("CALL"):
                yield row | {"status": said}
                continue
            # what a call came to may stand in its own status, in that of its row, or in both
            for own, call in ((said, said), ("delivered", said), (said, None)):
                yield row | {"status": own, "call_status": call, "call_duration_s": duration}


def frame(*given):
    columns = ("type", "direction", "origin", "user_id", "status", "call_status")
    data = {name: pd.Series([row.get(name) for row in given], dtype=TEXT.dtype) for name in columns}
    return pd.DataFrame(data).assign(
        call_duration_s=pd.Series([row.get("call_duration_s") for row in given], dtype="float64")
    )


def test_the_table_has_every_form():
    assert len(FORMS) > 60
    kinds = {form[0] for form in FORMS}
    assert {"CALL", "SMS", "EMAIL", "CAMPAIGN_MANUAL_SMS", "SMS_REACTION", "INTERNAL_CHAT", "REVIEW"} <= kinds


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(form[:6]))
def test_each_form_is_a_reply_or_none_as_the_table_says(form):
    *shape, connected, attempt, every = form
    read = classify_messages(frame(*rows(*shape)))

    for reply, expected in (("connected", connected), ("attempt", attempt), ("any", every)):
        assert set(read.replies(reply).tolist()) == {expected == "yes"}, reply


def respelled(row):
    """The same row as another program might write it."""
    types = {"type": row["type"].removeprefix("TYPE_").title().replace("_", " ")}
    words = {name: (row[name] or "").upper().replace("_", "-") or None for name in ("direction", "origin")}
    status = (row["status"] or "").replace("canceled", "Canceled").replace("_", "-").title() or None
    said = (row.get("call_status") or "").replace("-", "_").upper() or None
    return row | types | words | {"status": status, "call_status": said}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(form[:6]))
def test_the_spelling_of_a_word_makes_no_difference(form):
    given = list(rows(*form[:6]))

    plain, other = classify_messages(frame(*given)), classify_messages(frame(*map(respelled, given)))

    for name, mask in vars(plain).items():
        assert mask.tolist() == vars(other)[name].tolist(), name


@pytest.mark.parametrize(
    ("row", "written"),
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
def test_what_a_contact_wrote(row, written):
    given = {"direction": "inbound", "status": "delivered"} | row

    assert classify_messages(frame(given)).inbound_messages.tolist() == [written]


def test_a_call_that_nobody_took_is_missed_and_one_without_a_user_names_nobody():
    call = {"type": "TYPE_CALL", "direction": "inbound", "call_duration_s": 60}
    given = [
        call | {"call_status": "completed", "user_id": "u1"},
        call | {"call_status": "completed"},
        call | {"call_status": "voicemail", "user_id": "u1"},
        call | {"call_status": "completed", "status": "no-answer"},  # whichever says less happened
    ]

    read = classify_messages(frame(*given))

    assert read.answered_calls.tolist() == [True, True, False, False]
    assert read.missed_calls.tolist() == [False, False, True, True]
    assert read.unknown_user.tolist() == [False, True, False, False]


def test_a_frame_without_the_columns_of_calls_will_do():
    given = frame({"type": "TYPE_CALL", "direction": "outbound", "origin": "app", "user_id": "u1", "status": "sent"})

    read = classify_messages(given.drop(columns=["call_status", "call_duration_s"]))

    assert read.replies().tolist() == [True]
    assert read.replies("connected").tolist() == [False]
    assert classify_messages(given.iloc[:0]).replies().tolist() == []
