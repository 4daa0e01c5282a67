"""The seeded payments as columns: repeat purchases, subscription payments, orders and invoices.

Each customer has a purchase rate, and a probability of leaving after each repeat purchase: the BG/NBD model,
whose four parameters are planted. Orders and invoices belong to those purchases.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hlkit.sim import ids, plans
from hlkit.sim.clock import DAY, HOUR, MINUTE, WEEK, Array
from hlkit.sim.contacts import IMPORT
from hlkit.sim.kind import visible
from hlkit.sim.seeded import SeededData

BG_NBD = {"r": 0.243, "alpha_weeks": 4.414, "a": 0.793, "b": 2.426}
CUSTOMERS = 0.15
SPEND = {"median": 180.0, "sigma_between": 0.6, "sigma_within": 0.3}
REPEATS = 60
ORDERED, INVOICED = 0.25, 0.40  # shares of the purchases
CAD, TEST, FAILED, REFUNDED, TEXT_AMOUNT = 0.01, 0.03, 0.04, 0.03, 0.02
MERGED, DELETED = 0.01, 0.02

HAND, ORDER, INVOICE, SUBSCRIPTION = range(4)  # what a transaction pays for
SUCCEEDED, FAILS, PENDING = range(3)
PAID, SENT, DRAFT, VOID, PARTLY, UNPAID = range(6)  # the state of an order or an invoice


def purchases(data: SeededData) -> dict[str, Array]:
    """Each purchase of each customer: contact, instant, amount, and whether by order, invoice or by hand."""
    return data.shared("purchases", lambda: _purchases(data))


def _purchases(data: SeededData) -> dict[str, Array]:
    rng = ids.generator(data.seed, "transactions")
    people, end = data.contacts.history, data.clock.end
    leads = np.flatnonzero(people["source"] != IMPORT)
    leads = np.setdiff1d(leads, plans.script_contacts(data))
    who = leads[rng.random(len(leads)) < CUSTOMERS]
    count = len(who)
    rate = np.maximum(rng.gamma(BG_NBD["r"], 1 / BG_NBD["alpha_weeks"], count), 1e-9)
    leaves = rng.beta(BG_NBD["a"], BG_NBD["b"], count)
    at = people["created"][who] + HOUR + (rng.exponential(18, count) * DAY).astype(np.int64)
    there, parts = np.ones(count, bool), [(who, at)]
    for _ in range(REPEATS):
        wait = np.minimum(rng.exponential(1, count) / rate, 1000.0) * WEEK
        at = at + wait.astype(np.int64)
        there &= at < end
        parts.append((who[there], at[there]))
        there &= rng.random(count) >= leaves
    contact = np.concatenate([buyers for buyers, _ in parts])
    level = np.exp(SPEND["sigma_between"] * rng.standard_normal(len(people["created"])))
    within = np.exp(SPEND["sigma_within"] * rng.standard_normal(len(contact)))
    paid_by = rng.random(len(contact))
    papers = np.where(paid_by < ORDERED, ORDER, np.where(paid_by < ORDERED + INVOICED, INVOICE, HAND))
    return {
        "contact": contact.astype(np.int32),
        "at": np.concatenate([when for _, when in parts]),
        "amount": np.round(SPEND["median"] * level[contact] * within, 2),
        "pays": papers.astype(np.uint8),
        "draw": rng.integers(0, 2**31, len(contact)),
    }


def _payer_columns(contact: Array, draw: Array) -> dict[str, Array]:
    """Whether the payer is a deleted contact or was merged into this one, and the currency: fixed per contact."""
    fate = ids.scramble(contact.astype(np.uint64)) % np.uint64(1000)
    return {
        "ghost": np.where(fate < 1000 * DELETED, contact, -1).astype(np.int32),
        "merged": np.where((fate >= 1000 - 1000 * MERGED) & (draw % 2 == 0), contact, -1).astype(np.int32),
        "cad": (ids.scramble(contact.astype(np.uint64) + np.uint64(7)) % np.uint64(1000)) < 1000 * CAD,
    }


def transactions(data: SeededData) -> dict[str, Array]:
    """Purchases, subscription payments, and what is no revenue: tests, failed and pending payments."""
    bought, paid = purchases(data), plans.payments(data)
    plan = plans.seeded_plans(data)
    rng = ids.generator(data.seed, "odd transactions")
    odd = rng.integers(0, max(1, len(bought["at"])), round((TEST + FAILED) * len(bought["at"])))
    odd = odd[: len(bought["at"])]
    is_test = np.arange(len(odd)) < round(TEST * len(bought["at"]))
    fate = np.where(is_test, SUCCEEDED, np.where(rng.random(len(odd)) < 0.2, PENDING, FAILS))
    amounts = [bought["amount"], paid["amount"], bought["amount"][odd]]
    contact = np.concatenate([bought["contact"], plan["contact"][paid["plan"]], bought["contact"][odd]])
    count, first = len(contact), len(bought["at"])
    draw = rng.integers(0, 2**31, count)
    columns = {
        "contact": contact.astype(np.int32),
        "created": np.concatenate([bought["at"], paid["at"], bought["at"][odd] - 20 * MINUTE]),
        "amount": np.concatenate(amounts),
        "pays": np.concatenate([bought["pays"], np.full(len(paid["at"]), SUBSCRIPTION), np.zeros(len(odd), int)]),
        "paper": np.concatenate([np.arange(first), paid["plan"], np.zeros(len(odd), int)]),
        "live": np.concatenate([np.ones(first + len(paid["at"]), bool), ~is_test]),
        "status": np.concatenate([np.zeros(first, int), np.where(paid["failed"], FAILS, SUCCEEDED), fate]),
        "text": draw % 1000 < 1000 * TEXT_AMOUNT,
        "draw": draw,
        **_payer_columns(contact, draw),
    }
    planned = np.arange(count)[first : first + len(paid["at"])]
    for name in ("ghost", "merged"):
        columns[name][planned] = -1
    columns["cad"][planned] = plan["cad"][paid["plan"]]
    given_back = (rng.random(count) < REFUNDED) & (columns["pays"] != SUBSCRIPTION) & (columns["status"] == SUCCEEDED)
    share = np.where(draw % 2 == 0, 1.0, 0.5)
    columns["refunded"] = np.where(given_back, np.round(columns["amount"] * share, 2), 0.0)
    refunded_at = np.minimum(columns["created"] + 6 * DAY, data.clock.as_of)
    columns["updated"] = np.where(given_back, refunded_at, columns["created"])
    return _seen(data, columns)


def _seen(data: SeededData, columns: dict[str, Array]) -> dict[str, Array]:
    return visible(columns, (columns["created"] <= data.clock.as_of) & (columns["contact"] < data.contacts.count))


def subscriptions(data: SeededData) -> dict[str, Array]:
    """Subscriptions at ``as_of``: active, in trial, or canceled after their last paid interval."""
    plan = plans.seeded_plans(data)
    last = np.where(plan["times"] < plans.FOREVER, plan["times"], 200 // plan["months"])
    ends = plans.add_months(data, plan["first"], last * plan["months"]) if len(last) else plan["first"]
    ended = ends <= data.clock.as_of
    columns = {
        "contact": plan["contact"],
        "created": plan["first"] - 2 * MINUTE,
        "updated": np.where(ended, ends, plan["first"]),
        "ended": np.where(ended, ends, -1),
        "amount": plan["amount"],
        "months": plan["months"],
        "cad": plan["cad"],
        "live": plan["draw"] % 1000 >= 1000 * TEST,
        "draw": plan["draw"],
    }
    scripted = len(columns["draw"]) - round(plans.PER_CONTACT * len(data.contacts.history["created"]))
    columns["live"][: max(0, scripted)] = True
    return _seen(data, columns)


def _documents(data: SeededData, kind: int, name: str, more: float, states: tuple[int, ...]) -> dict[str, Array]:
    """The paid orders or invoices, and a share *more* of unpaid ones, numbered after them."""
    bought = purchases(data)
    rng = ids.generator(data.seed, name)
    paid = np.flatnonzero(bought["pays"] == kind)
    extra = rng.integers(0, max(1, len(bought["at"])), round(more * len(paid)))
    rows = np.concatenate([paid, extra])
    draw = rng.integers(0, 2**31, len(rows))
    is_paid = np.arange(len(rows)) < len(paid)
    created = bought["at"][rows] - np.where(is_paid, 10 * MINUTE, -3 * DAY)
    state = np.where(is_paid, PAID, np.array(states)[draw % len(states)])
    columns = {
        "number": np.concatenate([paid, len(bought["at"]) + np.arange(len(extra))]),
        "contact": bought["contact"][rows],
        "created": created,
        "updated": np.where(is_paid, bought["at"][rows], created),
        "amount": bought["amount"][rows],
        "state": state.astype(np.uint8),
        "live": ~(~is_paid & (draw % 100 < 9)),
        "text": draw % 1000 < 1000 * TEXT_AMOUNT,
        "draw": draw,
        **_payer_columns(bought["contact"][rows], draw),
    }
    return _seen(data, columns)


def orders(data: SeededData) -> dict[str, Array]:
    """An order for each purchase by order, and some that were never paid."""
    return _documents(data, ORDER, "orders", 0.12, (UNPAID, UNPAID, PARTLY))


def invoices(data: SeededData) -> dict[str, Array]:
    """An invoice for each purchase by invoice, and some that are drafts, sent, void or partly paid."""
    return _documents(data, INVOICE, "invoices", 0.3, (SENT, SENT, DRAFT, VOID, PARTLY))


def planted(data: SeededData) -> dict[str, Any]:
    """The parameters of the purchases."""
    return {"bg_nbd": dict(BG_NBD), "spend": dict(SPEND), "share_of_leads": CUSTOMERS}
