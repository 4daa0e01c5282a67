"""The seeded messages as columns: automations, first answers, conversations, calls, email, activity.

What a user wrote has the source "app" and a user; what a workflow wrote has neither. Activity rows are
outbound messages of the app too, as in the live export, and are no replies. The rare messages at the end
are of types and statuses that are rare in live accounts. They do not change what is planted: they are no
replies, or come after the last planted reply.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hlkit.sim import ids, words
from hlkit.sim.account import LEFT, PEOPLE
from hlkit.sim.clock import DAY, HOUR, MINUTE, SECOND, WEEK, Array, Clock
from hlkit.sim.contacts import AUTOMATED, IMPORT, MEDIAN_MINUTES, NEVER, SIGMA, Contacts
from hlkit.sim.opportunities import Opportunities

# The number and the name of each type of message, as the vendor lists them.
TYPES = (
    (1, "TYPE_CALL"),
    (2, "TYPE_SMS"),
    (3, "TYPE_EMAIL"),
    (11, "TYPE_FACEBOOK"),
    (18, "TYPE_INSTAGRAM"),
    (19, "TYPE_WHATSAPP"),
    (28, "TYPE_ACTIVITY_OPPORTUNITY"),
    (29, "TYPE_LIVE_CHAT"),
    (25, "TYPE_ACTIVITY_CONTACT"),
    (38, "TYPE_INTERNAL_COMMENT"),
    (13, "TYPE_CAMPAIGN_MANUAL_CALL"),
    (14, "TYPE_CAMPAIGN_MANUAL_SMS"),
    (45, "TYPE_SMS_REACTION"),  # its number is made up: it is not documented
    (30, "TYPE_LIVE_CHAT_INFO_MESSAGE"),
    (36, "TYPE_INTERNAL_CHAT"),
    (17, "TYPE_REVIEW"),
    (4, "TYPE_SMS_REVIEW_REQUEST"),
)
CALL, SMS, EMAIL, FACEBOOK, INSTAGRAM, WHATSAPP, DEAL_ACTIVITY, CHAT, CONTACT_ACTIVITY, COMMENT = range(10)
MANUAL_CALL, MANUAL_SMS, REACTION, CHAT_INFO, INTERNAL_CHAT, REVIEW, REVIEW_REQUEST = range(10, 17)
CALLS = (CALL, MANUAL_CALL)
CHANNELS = {
    "Call": (CALL,),
    "SMS": (SMS,),
    "Email": (EMAIL,),
    "WhatsApp": (WHATSAPP,),
    "Instagram": (INSTAGRAM,),
    "Facebook": (FACEBOOK,),
}
ORIGINS = (None, "app", "workflow", "bulk_actions", "campaign", "api")
BY_CONTACT, APP, WORKFLOW, BULK = range(4)
STATUSES = (
    *("delivered", "sent", "failed", "undelivered", "opened", "clicked", "read", "opt_out"),
    *("scheduled", "pending", "queued"),
)
DELIVERED, SENT, FAILED, UNDELIVERED, OPENED, CLICKED, READ, OPT_OUT, SCHEDULED, PENDING, QUEUED = range(11)
CALL_STATUSES = (None, "completed", "no-answer", "busy", "voicemail", "failed", "canceled")
COMPLETED, CALL_FAILED, CALL_CANCELED = 1, 5, 6
TEXTS = ("", *words.GREETINGS, *words.ANSWERS, *words.QUESTIONS, *words.REPLIES, *words.SUBJECTS, "STOP")
_FIRST = {
    name: TEXTS.index(group[0])
    for name, group in (
        ("greeting", words.GREETINGS),
        ("answer", words.ANSWERS),
        ("question", words.QUESTIONS),
        ("reply", words.REPLIES),
        ("subject", words.SUBJECTS),
    )
}

# Inbound messages by local hour, two peaks a day, and by weekday from Monday.
INBOUND_HOURS = (1, 0.5, 0.3, 0.3, 0.3, 0.5, 1.5, 4, 8, 14, 20, 15, 9, 8, 10, 13, 14, 15, 19, 22, 16, 9, 5, 2)
INBOUND_DAYS = (1.25, 1.1, 1.05, 1.0, 1.0, 0.6, 0.5)
REPLY_MINUTES = {"day": 12.0, "evening": 180.0}
REPLY_SIGMA = 1.0
EVENING = (18, 8)  # from 6 PM to 8 AM
UNREPLIED = 0.10

# How frequent the rare messages are.
UNSENT, UNSENT_TO_UNANSWERED = 0.02, 0.10  # shares of the leads that get a reply, and of the others
REACTED, CHAT_ENDED = 0.04, 0.3  # shares of the replies by SMS, and of those in a live chat
DISCUSSED = 0.02  # share of what contacts wrote
REVIEW_ASKED = 0.03  # share of the leads that get a reply
AFTERWARDS = 0.1  # share of the contacts whose last message is by a user
# What follows a user's last message: its kind, whether it is inbound, its status, the status of the call.
AFTERWARDS_KINDS = (
    (CALL, True, DELIVERED, COMPLETED),  # answered, without a user
    (MANUAL_SMS, False, DELIVERED, 0),
    (MANUAL_CALL, False, DELIVERED, COMPLETED),
    (SMS, False, QUEUED, 0),
    (SMS, False, OPT_OUT, 0),
    (CALL, False, DELIVERED, CALL_FAILED),
    (CALL, False, DELIVERED, CALL_CANCELED),
)


@dataclass
class Messages:
    """Columns of the messages sent by ``as_of``, and what was planted in them."""

    columns: dict[str, Array]
    planted: dict[str, Any] = field(default_factory=dict)


def seeded_messages(contacts: Contacts, deals: Opportunities, seed: int, clock: Clock) -> Messages:
    """About six messages per contact."""
    rng = ids.generator(seed, "messages")
    people = contacts.history
    parts = [
        _automations(people, rng),
        _first_answers(people, rng),
        *(turns := _turns(people, rng, clock)),
        _calls(people, rng, clock),
        _mailings(people, rng, clock),
        _activity(deals.history, rng),
        _other_messages(people, rng),
    ]
    # Last, and from a generator of their own, so that the other rows and their ids do not depend on them.
    odd_rng = ids.generator(seed, "odd messages")
    usual = _joined(parts)
    columns = _joined([usual, *_no_replies(people, *turns, odd_rng), _afterwards(people, usual, odd_rng)])
    columns["number"] = np.arange(len(columns["sent"]))
    sent = (columns["sent"] <= clock.as_of) & (columns["contact"] < contacts.count)
    columns = {name: column[sent] for name, column in columns.items()}
    columns["updated"] = np.minimum(columns["sent"] + 2 * SECOND, clock.as_of)
    return Messages(columns, _planted())


def _part(contact: Array, sent: Array, kind: Any, **more: Any) -> dict[str, Array]:
    """Columns of a group of messages; by default outbound, delivered, without a user."""
    count = len(contact)
    plain = {"kind": kind, "inbound": False, "origin": BY_CONTACT, "user": -1, "status": DELIVERED}
    plain |= {"call": 0, "seconds": 0, "text": 0} | more
    types = {"kind": np.uint8, "inbound": bool, "origin": np.uint8, "user": np.int8, "status": np.uint8}
    types |= {"call": np.uint8, "seconds": np.int16, "text": np.uint8}
    columns: dict[str, Array] = {"contact": contact.astype(np.int32), "sent": sent.astype(np.int64)}
    for name, value in plain.items():
        columns[name] = np.broadcast_to(np.asarray(value, types[name]), count)
    return columns


def _joined(parts: list[dict[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _text(group: str, size: int, count: int, rng: np.random.Generator) -> Array:
    return _FIRST[group] + rng.integers(0, size, count)


def _users(owner: Array, rng: np.random.Generator) -> Array:
    """The contact's owner, or another current user."""
    anybody = rng.integers(0, LEFT, len(owner))
    return np.where((owner < 0) | (rng.random(len(owner)) < 0.2), anybody, owner)


def _sent_states(count: int, rng: np.random.Generator) -> Array:
    return rng.choice(4, count, p=(0.93, 0.03, 0.02, 0.02))


def _automations(people: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """A workflow's SMS, 20 seconds after the contact was created."""
    who = np.flatnonzero(people["automated"])
    sent = people["created"][who] + 20 * SECOND
    return _part(
        who,
        sent,
        SMS,
        origin=WORKFLOW,
        status=_sent_states(len(who), rng),
        text=_text("greeting", len(words.GREETINGS), len(who), rng),
    )


def _first_answers(people: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """The first reply to each lead that got one: a call, an SMS or an email by a user."""
    who = np.flatnonzero(people["answered"] >= 0)
    sent = people["answered"][who]
    kind = rng.choice([CALL, SMS, EMAIL], len(who), p=(0.35, 0.5, 0.15))
    return _part(
        who,
        sent,
        kind,
        origin=APP,
        user=_users(people["owner"][who], rng),
        call=np.where(kind == CALL, rng.choice([1, 2, 4], len(who), p=(0.6, 0.25, 0.15)), 0),
        seconds=np.where(kind == CALL, rng.integers(5, 900, len(who)), 0),
        text=np.where(kind == CALL, 0, _text("answer", len(words.ANSWERS), len(who), rng)),
    )


def _inbound_times(after: Array, rng: np.random.Generator, clock: Clock) -> Array:
    """Instants some days after *after*, with the inbox's pattern of hours and weekdays."""
    local = clock.to_local(after + (rng.exponential(40, len(after)) * DAY).astype(np.int64))
    rate = np.outer(INBOUND_DAYS, INBOUND_HOURS).ravel()
    cell = rng.choice(len(rate), len(after), p=rate / rate.sum())
    monday = (local + 3 * DAY) // WEEK * WEEK - 3 * DAY
    snapped = monday + cell * HOUR + rng.integers(0, HOUR, len(after))
    snapped = np.where(snapped <= local, snapped + WEEK, snapped)
    # At most two weeks later: an instant must follow *after*, across changes of daylight saving time too.
    return clock.to_utc(snapped + np.where(clock.to_utc(snapped) <= after, WEEK, 0))


def _turns(
    people: dict[str, Array], rng: np.random.Generator, clock: Clock
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Messages by contacts, and replies by users: fast by day, slow in the evening, some never."""
    answered = np.flatnonzero(people["answered"] >= 0)
    who = rng.permutation(np.repeat(answered, 1 + (rng.random(len(answered)) < 0.25)))
    at = _inbound_times(people["answered"][who], rng, clock)
    kind = rng.choice(
        [SMS, EMAIL, FACEBOOK, INSTAGRAM, WHATSAPP, CHAT], len(who), p=(0.55, 0.15, 0.1, 0.07, 0.05, 0.08)
    )
    question = _text("question", len(words.QUESTIONS), len(who), rng)
    again = np.flatnonzero(rng.random(len(who)) < 0.15)
    asking = _part(
        np.concatenate([who, who[again]]),
        np.concatenate([at, at[again] + rng.integers(5 * SECOND, 50 * SECOND, len(again))]),
        np.concatenate([kind, kind[again]]),
        inbound=True,
        status=np.where(rng.random(len(who) + len(again)) < 0.3, READ, DELIVERED),
        text=np.concatenate([question, question[again]]),
    )
    hour = clock.to_local(at) // HOUR % 24
    evening = (hour >= EVENING[0]) | (hour < EVENING[1])
    median = np.where(evening, REPLY_MINUTES["evening"], REPLY_MINUTES["day"])
    wait = median * np.exp(REPLY_SIGMA * rng.standard_normal(len(who)))
    replies = np.flatnonzero(rng.random(len(who)) >= UNREPLIED)
    sent = (at + np.maximum(wait, 1) * MINUTE)[replies]
    replying = _part(
        who[replies],
        sent,
        kind[replies],
        origin=APP,
        user=_users(people["owner"][who[replies]], rng),
        text=_text("reply", len(words.REPLIES), len(replies), rng),
    )
    return asking, replying


def _calls(people: dict[str, Array], rng: np.random.Generator, clock: Clock) -> dict[str, Array]:
    """Inbound calls: answered, missed or voicemail; a third of the missed ones are called back."""
    answered = np.flatnonzero(people["answered"] >= 0)
    who = answered[rng.random(len(answered)) < 0.35]
    at = _inbound_times(people["answered"][who], rng, clock)
    call = rng.choice([1, 2, 3, 4], len(who), p=(0.7, 0.15, 0.05, 0.1))
    back = np.flatnonzero((call > 1) & (rng.random(len(who)) < 0.33))
    sent = at[back] + (rng.lognormal(np.log(90), 1, len(back)) * MINUTE).astype(np.int64)
    count = len(who) + len(back)
    inbound = np.arange(count) < len(who)
    callers = _users(people["owner"][np.concatenate([who, who[back]])], rng)
    calls = np.concatenate([call, np.ones(len(back), int)])
    return _part(
        np.concatenate([who, who[back]]),
        np.concatenate([at, sent]),
        CALL,
        inbound=inbound,
        origin=np.where(inbound, BY_CONTACT, APP),
        user=np.where(inbound & (calls > 1), -1, callers),
        call=calls,
        seconds=np.where(calls == 1, rng.integers(20, 1200, count), np.where(calls == 4, 25, 0)),
    )


def _mailings(people: dict[str, Array], rng: np.random.Generator, clock: Clock) -> dict[str, Array]:
    """Workflow emails to new contacts, and campaign emails at 10 AM on Tuesdays."""
    created = people["created"]
    first = np.flatnonzero(rng.random(len(created)) < 0.9)
    later = np.flatnonzero(rng.random(len(created)) < 0.5)
    tuesday = clock.to_local(created[later]) + rng.integers(1, 12, len(later)) * WEEK
    tuesday = (tuesday + 3 * DAY) // WEEK * WEEK - 2 * DAY + 10 * HOUR
    sent = np.concatenate(
        [created[first] + 5 * MINUTE, clock.to_utc(tuesday) + rng.integers(0, 120, len(later)) * SECOND]
    )
    count = len(sent)
    return _part(
        np.concatenate([first, later]),
        sent,
        EMAIL,
        origin=np.where(np.arange(count) < len(first), WORKFLOW, BULK),
        status=rng.choice(8, count, p=(0.5, 0.03, 0.03, 0.02, 0.33, 0.07, 0, 0.02)),
        text=_text("subject", len(words.SUBJECTS), count, rng),
    )


def _activity(deals: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Activity rows about a deal's creation and end: outbound by the app, some with a user."""
    contact = np.concatenate([deals["contact"], deals["contact"]])
    sent = np.concatenate([deals["created"], deals["ends"]])
    user = np.where(rng.random(len(contact)) < 0.15, rng.integers(0, LEFT, len(contact)), -1)
    return _part(contact, sent, DEAL_ACTIVITY, origin=APP, user=user)


def _other_messages(people: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Failed messages, internal comments, STOPs, and messages older than their imported contact."""
    created, owner = people["created"], people["owner"]
    never = np.flatnonzero((people["answered"] < 0) & (people["source"] != IMPORT))
    failed = never[rng.random(len(never)) < 0.2]
    noted = np.flatnonzero(rng.random(len(created)) < 0.08)
    stopped = np.flatnonzero(rng.random(len(created)) < 0.01)
    imported = np.flatnonzero(people["source"] == IMPORT)
    parts = [
        _part(failed, created[failed] + HOUR, SMS, origin=APP, user=_users(owner[failed], rng), status=FAILED),
        _part(noted, created[noted] + DAY, COMMENT, origin=APP, user=rng.integers(0, len(PEOPLE), len(noted))),
        _part(stopped, created[stopped] + 9 * DAY, SMS, inbound=True, text=len(TEXTS) - 1),
        _part(imported, created[imported] - 30 * DAY, EMAIL, origin=APP, user=0),
    ]
    return _joined(parts)


# Rare messages


def _no_replies(
    people: dict[str, Array], asking: dict[str, Array], replying: dict[str, Array], rng: np.random.Generator
) -> list[dict[str, Array]]:
    """Neither by a contact nor a reply: unsent messages, reactions, notices, internal chat, review requests."""
    return [
        _unsent(people, rng),
        _following(replying, replying["kind"] == SMS, REACTED, REACTION, rng),
        _following(replying, replying["kind"] == CHAT, CHAT_ENDED, CHAT_INFO, rng),
        _internal_chat(asking, rng),
        _review_requests(people, rng),
    ]


def _unsent(people: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """SMS that users wrote minutes after a contact was created, scheduled or pending."""
    share = np.where(people["answered"] < 0, UNSENT_TO_UNANSWERED, UNSENT) * (people["source"] != IMPORT)
    who = np.flatnonzero(rng.random(len(share)) < share)
    return _part(
        who,
        people["created"][who] + rng.integers(1, 10, len(who)) * MINUTE,
        SMS,
        origin=APP,
        user=_users(people["owner"][who], rng),
        status=rng.choice([SCHEDULED, PENDING], len(who)),
        text=_text("answer", len(words.ANSWERS), len(who), rng),
    )


def _following(
    replying: dict[str, Array], fits: Array, share: float, kind: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Inbound rows minutes after some of the replies."""
    rows = np.flatnonzero(fits & (rng.random(len(fits)) < share))
    sent = replying["sent"][rows] + rng.integers(1, 20, len(rows)) * MINUTE
    return _part(replying["contact"][rows], sent, kind, inbound=True)


def _internal_chat(asking: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Internal chat within minutes of a contact's message."""
    rows = np.flatnonzero(rng.random(len(asking["sent"])) < DISCUSSED)
    sent = asking["sent"][rows] + rng.integers(60, 300, len(rows)) * SECOND
    return _part(asking["contact"][rows], sent, INTERNAL_CHAT, origin=APP, user=rng.integers(0, LEFT, len(rows)))


def _review_requests(people: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Review requests weeks after the first reply, half by a user, half by a workflow."""
    who = np.flatnonzero((people["answered"] >= 0) & (rng.random(len(people["answered"])) < REVIEW_ASKED))
    by_user = rng.random(len(who)) < 0.5
    return _part(
        who,
        people["answered"][who] + ((1 + rng.exponential(30, len(who))) * DAY).astype(np.int64),
        rng.choice([REVIEW, REVIEW_REQUEST], len(who)),
        origin=np.where(by_user, APP, WORKFLOW),
        user=np.where(by_user, _users(people["owner"][who], rng), -1),
    )


def _afterwards(people: dict[str, Array], usual: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """Replies, and rows that may count as one, days after a last message that is by a user."""
    rows = _last_by_person(usual)
    rows = rows[(people["answered"][usual["contact"][rows]] >= 0) & (rng.random(len(rows)) < AFTERWARDS)]
    who, count = usual["contact"][rows], len(rows)
    kinds = np.array(AFTERWARDS_KINDS)[rng.integers(0, len(AFTERWARDS_KINDS), count)]
    kind, inbound, status, call = kinds.T
    return _part(
        who,
        usual["sent"][rows] + rng.integers(1, 15, count) * DAY + rng.integers(0, 60, count) * MINUTE,
        kind,
        inbound=inbound,
        origin=np.where(inbound, BY_CONTACT, APP),
        user=np.where(inbound, -1, _users(people["owner"][who], rng)),
        status=status,
        call=call,
        seconds=np.where(call == COMPLETED, rng.integers(20, 1200, count), 0),
        text=np.where(np.isin(kind, CALLS), 0, _text("answer", len(words.ANSWERS), count, rng)),
    )


def _last_by_person(columns: dict[str, Array]) -> Array:
    """Indexes of each contact's last row by the contact or a user, where it is by a user."""
    by_user = (columns["origin"] == APP) & (columns["user"] >= 0)
    by_user &= ~np.isin(columns["kind"], (DEAL_ACTIVITY, CONTACT_ACTIVITY, COMMENT))
    rows = np.flatnonzero(columns["inbound"] | by_user)
    rows = rows[np.lexsort((columns["sent"][rows], columns["contact"][rows]))]
    last = rows[np.flatnonzero(np.diff(columns["contact"][rows], append=-1))]
    return np.asarray(last[~columns["inbound"][last]])


def _planted() -> dict[str, Any]:
    return {
        "speed": {
            "median_office_minutes": MEDIAN_MINUTES,
            "sigma": SIGMA,
            "never_share": NEVER,
            "automated_share": AUTOMATED,
            "automated_after_seconds": 20,
            "office": "Monday to Friday, 8 to 18",
        },
        "inbox": {
            "hours": list(INBOUND_HOURS),
            "weekdays": list(INBOUND_DAYS),
            "reply_median_minutes": dict(REPLY_MINUTES),
            "reply_sigma": REPLY_SIGMA,
            "evening_hours": list(EVENING),
            "unreplied_share": UNREPLIED,
        },
    }
