"""The seeded subscriptions: plans that start, renew every few months, fail, end and are reactivated.

Twelve contacts follow a script, so that their monthly revenue can be worked out by hand; the rest are random.
A payment on the 10th covers the end of that month, and of the following months of the plan's interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hlkit.sim import ids
from hlkit.sim.clock import DAY, HISTORY_WEEKS, HOUR, Array
from hlkit.sim.contacts import IMPORT
from hlkit.sim.seeded import SeededData

PER_CONTACT = 0.027
PRICES = (29.0, 49.0, 99.0, 149.0)
FOREVER = 99
RETRIED_AFTER = 5 * DAY


@dataclass(frozen=True)
class Plan:
    """An amount paid every *months* months, *times* times, from month *first* of the history."""

    months: int
    amount: float
    first: int
    times: int = FOREVER
    currency: str = "USD"
    trial: bool = False  # the first payment is 0
    fails: int = -1  # which payment fails; it is retried five days later


# ChartMogul's example comes first: new 166.67, expansion 60, contraction 60, churn 166.67, reactivation 150.
SCRIPT: tuple[tuple[str, tuple[Plan, ...]], ...] = (
    ("every movement", (Plan(12, 2000, 2, 1), Plan(1, 60, 5, 3), Plan(1, 150, 17))),
    ("yearly, renewed", (Plan(12, 1200, 3, 2),)),
    ("steady", (Plan(1, 99, 1),)),
    ("churned", (Plan(1, 49, 2, 8),)),
    ("upgraded", (Plan(1, 49, 2, 6), Plan(1, 99, 8))),
    ("downgraded", (Plan(1, 149, 4, 7), Plan(1, 79, 11))),
    ("failed, then retried", (Plan(1, 59, 3, fails=5),)),
    ("Canadian", (Plan(1, 79, 2, currency="CAD"),)),
    ("two currencies", (Plan(1, 29, 6), Plan(1, 39, 6, currency="CAD"))),
    ("trial", (Plan(1, 89, 6, trial=True),)),
    ("quarterly", (Plan(3, 240, 1),)),
    ("came back", (Plan(1, 69, 1, 5), Plan(1, 69, 12))),
)


def seeded_plans(data: SeededData) -> dict[str, Array]:
    """One row per subscription: its contact, amount, interval, first payment and number of payments."""
    return data.shared("plans", lambda: _plans(data))


def _plans(data: SeededData) -> dict[str, Array]:
    rng = ids.generator(data.seed, "subscriptions")
    people, clock = data.contacts.history, data.clock
    leads = np.flatnonzero(people["source"] != IMPORT)
    scripted = script_contacts(data)
    script = [(who, plan) for who, (_, plans) in zip(scripted, SCRIPT, strict=False) for plan in plans]
    others = np.setdiff1d(leads, scripted)
    count = round(PER_CONTACT * len(people["created"])) if len(others) else 0
    who = others[rng.integers(0, max(1, len(others)), count)]
    weeks = HISTORY_WEEKS * 7 * DAY
    first = np.minimum(people["created"][who] + 20 * DAY, clock.end) + (rng.random(count) * 0.3 * weeks).astype(int)

    def both(scripted: list[Any], drawn: Array, kind: type) -> Array:
        return np.concatenate([np.array(scripted, kind), drawn.astype(kind)])

    return {
        "contact": both([contact for contact, _ in script], who, np.int32),
        "amount": both([plan.amount for _, plan in script], rng.choice(PRICES, count), float),
        "months": both([plan.months for _, plan in script], rng.choice([1, 1, 1, 1, 3, 12], count), np.int64),
        "times": both([plan.times for _, plan in script], _times(count, rng), np.int64),
        "cad": both([plan.currency == "CAD" for _, plan in script], rng.random(count) < 0.01, bool),
        "trial": both([plan.trial for _, plan in script], np.zeros(count), bool),
        "fails": both([plan.fails for _, plan in script], np.full(count, -1), np.int64),
        "first": both([tenth(data, plan.first) for _, plan in script], first, np.int64),
        "draw": rng.integers(0, 2**31, len(script) + count),
    }


def _times(count: int, rng: np.random.Generator) -> Array:
    """Number of payments: a third never cancel; the others cancel after a few."""
    return np.where(rng.random(count) < 0.35, FOREVER, 1 + rng.geometric(0.12, count))


def script_contacts(data: SeededData) -> list[int]:
    """The twelve oldest contacts who are leads and no trap; empty if the account has too few contacts."""
    people = data.contacts.columns
    early = (people["created"] < tenth(data, 1)) & (people["source"] != IMPORT)
    rows = [row for row in np.flatnonzero(early).tolist() if row not in data.contacts.traps]
    return rows[: len(SCRIPT)] if len(rows) >= len(SCRIPT) else []


def tenth(data: SeededData, month: int) -> int:
    """9 AM local time on the 10th of the history's month *month*."""
    return int(_tenths(data, np.array([month]))[0])


def _month_of(data: SeededData, instant: int) -> np.datetime64:
    """The local month of an instant."""
    local = int(data.clock.to_local(np.array([instant]))[0])
    month: np.datetime64 = np.datetime64(local, "ms").astype("datetime64[M]")
    return month


def _tenths(data: SeededData, months: Array) -> Array:
    first_month = _month_of(data, data.clock.start)
    days = (first_month + months).astype("datetime64[ms]").astype(np.int64)
    return data.clock.to_utc(days + 9 * DAY + 9 * HOUR)


def add_months(data: SeededData, instants: Array, months: Array) -> Array:
    """The same day (at most the 28th) and local time, *months* months later."""
    local = data.clock.to_local(instants)
    month = local.astype("datetime64[ms]").astype("datetime64[M]")
    rest = np.minimum(local - month.astype("datetime64[ms]").astype(np.int64), 28 * DAY - HOUR)
    moved = (month + months.astype("timedelta64[M]")).astype("datetime64[ms]").astype(np.int64)
    return data.clock.to_utc(moved + rest)


def payments(data: SeededData) -> dict[str, Array]:
    """Each payment of each plan until the end of the history: plan, instant, amount, and whether it failed."""
    plans = seeded_plans(data)
    most = np.minimum(plans["times"], -(-30 // plans["months"]))
    plan = np.repeat(np.arange(len(most)), most)
    turn = np.arange(len(plan)) - np.repeat(np.cumsum(most) - most, most)
    at = add_months(data, plans["first"][plan], turn * plans["months"][plan]) if len(plan) else plan
    failed = turn == plans["fails"][plan]
    again = np.flatnonzero(failed)
    amount = np.where((turn == 0) & plans["trial"][plan], 0.0, plans["amount"][plan])
    columns = {"plan": plan, "turn": turn, "at": at, "amount": amount, "failed": failed}
    retried = {name: column[again] for name, column in columns.items()}
    retried |= {"at": at[again] + RETRIED_AFTER, "failed": np.zeros(len(again), bool)}
    return {name: np.concatenate([column, retried[name]]) for name, column in columns.items()}


def planted(data: SeededData, contact_ids: list[str]) -> dict[str, Any]:
    """For each scripted contact, its plans and its monthly recurring revenue by currency, from the script alone."""
    out: dict[str, Any] = {}
    for (name, plans), row in zip(SCRIPT, script_contacts(data), strict=False):
        out[name] = {"contact_id": contact_ids[row], "plans": [vars(plan) for plan in plans]}
        out[name]["mrr"] = {currency: _by_month(data, plans, currency) for currency in ("USD", "CAD")}
    return {"script": out, "paid_on": "the tenth, at nine"}


def _by_month(data: SeededData, plans: tuple[Plan, ...], currency: str) -> dict[str, float]:
    """Revenue at the end of each month that has ended by ``as_of``."""
    first_month = _month_of(data, data.clock.start)
    now = _month_of(data, data.clock.as_of)
    out = {}
    for month in range(int((now - first_month).astype(int))):
        paid = 0.0
        for plan in plans:
            turn = (month - plan.first) // plan.months
            due = plan.currency == currency and month >= plan.first and turn < plan.times
            paid += plan.amount / plan.months if due and not (plan.trial and turn == 0) else 0.0
        out[str(first_month + np.timedelta64(month, "M"))] = round(paid, 2)
    return out
