"""Contacts, messages and deals of a few new leads, in minutes from a Monday at 10 AM; and those of three seeds."""

import functools

import pandas as pd
import seeded

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
DEALS = frame(deal("x", "open"))[:0]
ANN = frame(contact("ann"))


@functools.cache
def planted():
    """For each of three seeds: its frames, what the simulated location plants, and the ids of its pipelines."""
    out = []
    for seed in (1, 2, 3):
        data = seeded.data(seed, 4000)
        frames = {name: seeded.frame(seed, 4000, name) for name in ("contacts", "messages", "opportunities")}
        out.append((frames, data.planted, {row["name"]: row["id"] for row in data.rows("pipelines")}))
    return out
