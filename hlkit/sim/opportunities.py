"""The seeded deals as columns: contact, stage, and when they were won or lost.

Winning and losing are competing risks. A deal ends after Exp(24 days), won with probability p; for repeat
work, Exp(40 days) to win competes with Exp(60 days) to lose, so p = 0.6.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hlkit.sim import ids
from hlkit.sim.account import COMMERCIAL, NEW, PIPELINES, REPEAT
from hlkit.sim.clock import DAY, HOUR, MINUTE, Array, Clock
from hlkit.sim.contacts import IMPORT, SOURCES, Contacts

PER_CONTACT = 0.38
PIPELINE_SHARES = (0.5, 0.2, 0.3)
WIN = {"google": 0.30, "facebook": 0.12, "referral": 0.45, "direct": 0.20}
REPEAT_WIN = 0.60
DAYS_TO_WIN, DAYS_TO_LOSE = 40.0, 60.0
ODDS_IF_FAST, FAST_MINUTES = 2.0, 60.0
STUCK = 40 / 5000  # share of the contacts
DELETED_STAGE_SHARE = 0.02

STATUSES = ("open", "won", "lost", "abandoned")
OPEN, WON, LOST, ABANDONED = range(4)
DELETED = -1
LOST_AT = (0.30, 0.28, 0.22, 0.20)


@dataclass
class Opportunities:
    """Columns of the deals that exist at ``as_of``; ``history`` has contact, creation and end of all seeded deals."""

    columns: dict[str, Array]
    history: dict[str, Array]
    planted: dict[str, Any] = field(default_factory=dict)


def seeded_opportunities(contacts: Contacts, seed: int, clock: Clock) -> Opportunities:
    """About 0.36 deals per contact; only those that exist at ``clock.as_of``."""
    rng = ids.generator(seed, "opportunities")
    seeded = len(contacts.history["created"])
    columns = _deals(contacts, round(PER_CONTACT * seeded), rng)
    columns |= _endings(columns, rng)
    columns["stuck"] = _stuck(columns, seeded, rng, clock)
    ends = np.where(columns["stuck"], clock.end + DAY, columns["created"] + columns["lasts"])
    history = {"contact": columns["contact"], "created": columns["created"], "ends": ends}
    columns = {name: column[columns["created"] <= clock.as_of] for name, column in columns.items()}
    _state(columns, clock.as_of)
    return Opportunities(columns, history, _planted(columns))


def _deals(contacts: Contacts, count: int, rng: np.random.Generator) -> dict[str, Array]:
    """Contact, pipeline, value and creation; imported contacts have no deals."""
    leads = np.flatnonzero(contacts.history["source"] != IMPORT)
    contact = leads[rng.integers(0, len(leads), count)] if len(leads) else leads
    count = len(contact)
    look = {name: contacts.history[name][contact] for name in ("created", "source", "wait", "owner")}
    pipeline = rng.choice(3, count, p=PIPELINE_SHARES).astype(np.uint8)
    after = np.where(pipeline == REPEAT, 30 + rng.exponential(90, count), rng.exponential(2.0, count))
    value = np.exp(np.log(2400) + 0.8 * rng.standard_normal(count)) * np.array([1.0, 0.6, 3.0])[pipeline]
    value = np.where(rng.random(count) < 0.06, 0, np.round(value / 10) * 10)
    return {
        "number": np.arange(count),
        "contact": contact.astype(np.int32),
        "pipeline": pipeline,
        "created": look["created"] + (after * DAY).astype(np.int64) + MINUTE,
        "value": value,
        "source": look["source"],
        "fast": look["wait"] < FAST_MINUTES,
        "owner": np.where(rng.random(count) < 0.15, -1, look["owner"]).astype(np.int8),
        "custom": rng.integers(0, 2**32, count, dtype=np.uint32),
        "job": rng.integers(0, 10, count).astype(np.uint8),
    }


def _win_chance(columns: dict[str, Array]) -> Array:
    """Chance to win by source, with twice the odds after a reply within an hour; 0.6 for repeat work."""
    fast_share = 0.85 * 0.8859  # not never, times the lognormal's share below 60 minutes
    chance = np.full(len(columns["source"]), REPEAT_WIN)
    for number, name in enumerate(SOURCES[:IMPORT]):
        slow, fast = _split(WIN[name], fast_share)
        is_source = (columns["source"] == number) & (columns["pipeline"] != REPEAT)
        chance[is_source] = np.where(columns["fast"][is_source], fast, slow)
    return chance


def _split(mean: float, fast_share: float) -> tuple[float, float]:
    """The chances after a slow and a fast reply: their odds are 1 to 2, their mean is *mean*."""
    low, high = 0.0, 1.0
    for _ in range(60):
        slow = (low + high) / 2
        odds = ODDS_IF_FAST * slow / (1 - slow)
        fast = odds / (1 + odds)
        low, high = (slow, high) if (1 - fast_share) * slow + fast_share * fast < mean else (low, slow)
    return slow, fast


def _endings(columns: dict[str, Array], rng: np.random.Generator) -> dict[str, Array]:
    """How and when each deal ends, in which stage, and when it reached that stage."""
    count = len(columns["created"])
    mean = 1 / (1 / DAYS_TO_WIN + 1 / DAYS_TO_LOSE)
    lasts = (rng.exponential(mean, count) * DAY).astype(np.int64) + HOUR
    won = rng.random(count) < _win_chance(columns)
    ending = np.where(won, WON, np.where(rng.random(count) < 0.1, ABANDONED, LOST)).astype(np.uint8)
    last = np.array([len(stages) - 1 for _, stages in PIPELINES])[columns["pipeline"]]
    lost_at = np.minimum(rng.choice(4, count, p=LOST_AT), last)
    final = np.where(won, last - (rng.random(count) < 0.2), lost_at)
    reached = np.where(final > 0, (rng.uniform(0.3, 0.8, count) * lasts).astype(np.int64), 0)
    gone = (rng.random(count) < DELETED_STAGE_SHARE) & (columns["pipeline"] == NEW)
    return {
        "lasts": lasts,
        "ending": ending,
        "final": np.where(gone, DELETED, final).astype(np.int8),
        "reached": reached,
        "pace": (rng.uniform(3, 7, count) * DAY).astype(np.int64),
    }


def _stuck(columns: dict[str, Array], contacts: int, rng: np.random.Generator, clock: Clock) -> Array:
    """Deals about half a year old that have not moved since their first week."""
    age = (clock.end - columns["created"]) / DAY
    fit = (age > 150) & (age < 400) & (columns["pipeline"] != REPEAT)
    rows = rng.permutation(np.flatnonzero(fit))[: round(STUCK * contacts)]
    stuck = np.zeros(len(age), bool)
    stuck[rows] = True
    return stuck


def _state(columns: dict[str, Array], as_of: int) -> None:
    """The state of each deal at ``as_of``: status, stage, and when they last changed."""
    created, pop = columns["created"], columns.pop
    lasts, ending, final, reached, pace = (pop(n) for n in ("lasts", "ending", "final", "reached", "pace"))
    stuck = columns["stuck"]
    elapsed = as_of - created
    closed = (elapsed >= lasts) & ~stuck
    # An active deal advances, or is updated, at its own pace of three to seven days.
    stages = np.maximum(final, 1) + 1
    advanced = np.minimum((elapsed / np.maximum(lasts, 1) * stages).astype(np.int64), stages - 1)
    advanced = np.where(elapsed > pace, np.maximum(advanced, 1), 0)
    touched = created + np.where(advanced > 0, elapsed // pace * pace, 0)
    stage = np.where(closed, final, np.where(final == DELETED, DELETED, advanced))
    columns["stage"] = np.where(stuck, 1, stage).astype(np.int8)
    columns["stage_changed"] = np.where(closed, created + reached, np.where(stuck, created + pace, touched))
    columns["status"] = np.where(closed, ending, OPEN).astype(np.uint8)
    columns["status_changed"] = np.where(closed, created + lasts, created)
    columns["updated"] = np.maximum(columns["stage_changed"], columns["status_changed"])


def _planted(columns: dict[str, Array]) -> dict[str, Any]:
    return {
        "win": {
            "by_source": dict(WIN),
            "pipelines": [PIPELINES[p][0] for p in (NEW, COMMERCIAL)],
            "odds_if_fast": ODDS_IF_FAST,
            "fast_office_minutes": FAST_MINUTES,
        },
        "close": {
            "pipeline": PIPELINES[REPEAT][0],
            "win_share": REPEAT_WIN,
            "days_to_win_mean": DAYS_TO_WIN,
            "days_to_lose_mean": DAYS_TO_LOSE,
            "days_to_close_median": float(np.log(2) / (1 / DAYS_TO_WIN + 1 / DAYS_TO_LOSE)),
        },
        "stuck_rows": np.flatnonzero(columns["stuck"]),
        "deleted_stage_rows": np.flatnonzero(columns["stage"] == DELETED),
    }
