"""How often headlines claim a difference that is only chance, miss one that is real, and intervals miss the truth.

All frames are drawn from known laws. In the first part all groups follow one law, so each claim is false. In the
second, groups differ: those that do should be found and named, and no other. In the third, the interval of each run
either contains the true share or does not. Seeds are fixed: a second run prints the same numbers.

python benchmarks/headlines.py [--workers 2] [WORD ...]

With words, only the lines that contain one of them. The exit code is 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import hlkit as hl
from hlkit.analysis.core.comparison import compare_shares
from hlkit.analysis.core.shares import wilson
from hlkit.client.schema import INSTANT, TEXT

Rng = np.random.Generator
Sizes = Sequence[int]
Shares = float | Sequence[float] | np.ndarray

AS_OF = pd.Timestamp("2026-01-01T00:00Z")
FEW = (300, 150, 100, 60, 12)  # the last is too small to be compared
TWENTY = tuple(np.round(25 * 8 ** np.linspace(0, 1, 20)).astype("int64").tolist())  # 25 to 200
NAMES = ("Ann", "Bob", "Carla", "Dmitri", "Edith", "Frank", "Greta", "Hugo")
LAWS = ((20, 60), (40, 20), (30, 30))  # mean days to a win, and to a loss
WIN_CHANCE = 0.4
STAGES = {"stage_id": ["intake"], "pipeline_id": ["sales"], "pipeline": ["Sales"], "position": [0]}


# ---- frames


def texts(values: Any) -> Any:
    return pd.array(np.asarray(values, dtype=object), dtype=TEXT.dtype)


def ids(letter: str, numbers: Any) -> Any:
    return texts([f"{letter}{number}" for number in np.asarray(numbers).tolist()])


def before(days: Any) -> pd.Series:
    """The instants so many days before AS_OF."""
    milliseconds = np.round(np.asarray(days, dtype="float64") * 86_400_000).astype("int64")
    return pd.Series(AS_OF - pd.to_timedelta(milliseconds, unit="ms")).astype(INSTANT.dtype)


def groups_of(sizes: Sizes) -> np.ndarray:
    """The group of each row, 0 to len(sizes) - 1."""
    return np.repeat(np.arange(len(sizes)), sizes)


def of_group(values: Shares, group: np.ndarray) -> np.ndarray:
    """What each row's group has: *values* is one number for all groups, or one for each."""
    return np.broadcast_to(np.asarray(values, dtype="float64"), int(group.max()) + 1)[group]


def chances(rng: Rng, shares: np.ndarray, alike: float) -> np.ndarray:
    """The chance of each contact, whose rows correlate by *alike* (0 to 1): beta-distributed around *shares*."""
    if alike in (0, 1):
        return shares if not alike else (rng.random(len(shares)) < shares).astype("float64")
    both = 1 / alike - 1
    return rng.beta(shares * both, (1 - shares) * both)


def contacts_of(group: np.ndarray, days: Any = None) -> pd.DataFrame:
    """A contact of each group, made so many days ago."""
    contacts = pd.DataFrame({"contact_id": ids("c", range(len(group))), "source": ids("s", group)})
    return contacts if days is None else contacts.assign(created_at=before(days))


def messages(contact: np.ndarray, days: np.ndarray, inbound: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "message_id": ids("m", range(len(contact))),
            "contact_id": ids("c", contact),
            "sent_at": before(days),
            "direction": texts(np.where(inbound, "inbound", "outbound")),
            "origin": texts(np.full(len(contact), "app")),
            "user_id": texts(np.where(inbound, None, "ann")),
            "status": texts(np.full(len(contact), "delivered")),
            "type": texts(np.full(len(contact), "TYPE_SMS")),
        }
    )


def replies(age: np.ndarray, wait: np.ndarray) -> pd.DataFrame:
    """The replies to contacts of this *age* that came after this *wait* (both in days), as far as they came."""
    replied = wait < age
    return messages(np.flatnonzero(replied), (age - wait)[replied], np.zeros(replied.sum(), dtype=bool))


def deals(
    rng: Rng,
    sizes: Sizes,
    oldest: Shares = 365,
    chance: Shares = WIN_CHANCE,
    days: tuple[float, float] = LAWS[0],
    youngest: float = 1,
) -> pd.DataFrame:
    """A deal of each of as many contacts, *youngest* to *oldest* days old."""
    group = groups_of(sizes)
    return deals_aged(rng, group, rng.uniform(youngest, of_group(oldest, group)), chance, days)


def deals_aged(
    rng: Rng, group: np.ndarray, age: np.ndarray, chance: Shares, days: tuple[float, float]
) -> pd.DataFrame:
    """A deal of each *age* (days): won with *chance* and else lost, after *days* on average (exponential)."""
    won = rng.random(len(group)) < of_group(chance, group)
    taken = rng.exponential(np.where(won, *days))
    closed = taken <= age
    changed = before(np.where(closed, age - taken, age))
    return pd.DataFrame(
        {
            "opportunity_id": ids("d", range(len(group))),
            "contact_id": ids("c", range(len(group))),
            "pipeline_id": texts(np.full(len(group), "sales")),
            "stage_id": texts(np.full(len(group), "intake")),
            "status": texts(np.where(closed, np.where(won, "won", "lost"), "open")),
            "created_at": before(age),
            "status_changed_at": changed,
            "stage_changed_at": changed,
            "source": ids("s", group),
        }
    )


# ---- each analysis on such frames


def reachability(rng: Rng, sizes: Sizes = FEW, shares: Shares = 0.4) -> pd.DataFrame:
    """Contacts who have an email address with the chance of their group."""
    contacts = contacts_of(groups_of(sizes))
    has_email = rng.random(len(contacts)) < of_group(shares, groups_of(sizes))
    contacts["email"] = texts(np.where(has_email, "ann@example.com", None))
    return hl.analyses.reachability(contacts, by="source", as_of=AS_OF)


def duplicate_share(rng: Rng, sizes: Sizes = FEW, twice: float = 0.15, copies: float = 1) -> pd.DataFrame:
    """Contacts of whom a share is in again: once in any group, or on average *copies* times in their own."""
    group = groups_of(sizes)
    again = np.flatnonzero(rng.random(len(group)) < twice)
    if copies > 1:
        again = np.repeat(again, rng.geometric(1 / copies, len(again)))
    person = np.concatenate([np.arange(len(group)), again])
    elsewhere = group[again] if copies > 1 else rng.permutation(group)[: len(again)]
    contacts = contacts_of(np.concatenate([group, elsewhere]), rng.uniform(1, 300, len(person))).assign(
        first_name=texts(np.array(NAMES, dtype=object)[person % len(NAMES)]),
        last_name=ids("Name", person),
        email=texts([f"p{number}@example.com" for number in person.tolist()]),
    )
    return hl.analyses.duplicate_share(contacts, by="source", as_of=AS_OF)


def appointments(
    rng: Rng,
    sizes: Sizes = FEW,
    shares: Shares = 0.7,
    alike: float = 0.3,
    several: int = 5,
    unmarked: float = 0.1,
    by: str = "source",
) -> pd.DataFrame:
    """One to *several* appointments of each contact, whose outcomes are *alike*."""
    group = groups_of(sizes)
    contact = np.repeat(np.arange(len(group)), rng.integers(1, several + 1, len(group)))
    showed = rng.random(len(contact)) < chances(rng, of_group(shares, group), alike)[contact]
    status = np.where(showed, "showed", "noshow")
    status = np.where(rng.random(len(contact)) < unmarked, "confirmed", status)
    starts = np.floor(rng.uniform(1, 200, len(contact))) + rng.integers(8, 18, len(contact)) / 24
    booked = pd.DataFrame(
        {
            "appointment_id": ids("a", range(len(contact))),
            "contact_id": ids("c", contact),
            "status": texts(status),
            "starts_at": before(starts),
        }
    )
    return hl.analyses.appointments(booked, contacts_of(group), by=by, as_of=AS_OF)


def turns(
    rng: Rng, sizes: Sizes, shares: Shares, alike: float, several: int = 6
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Messages and contacts: each contact wrote on *several* days, and the waits of its turns are *alike*."""
    group = groups_of(sizes)
    contact = np.repeat(np.arange(len(group)), several)
    met = rng.random(len(contact)) < chances(rng, of_group(shares, group), alike)[contact]
    asked = 10 + np.tile(np.arange(several), len(group)) + rng.random(len(contact)) / 2
    minutes = np.where(met, rng.uniform(5, 50, len(contact)), rng.uniform(70, 300, len(contact)))
    sent = np.concatenate([asked, asked - minutes / 1440])
    inbound = np.repeat([True, False], len(contact))
    return messages(np.concatenate([contact, contact]), sent, inbound), contacts_of(group)


def responses(rng: Rng, sizes: Sizes = (80, 40, 30, 30), shares: Shares = 0.5, alike: float = 0.3) -> pd.DataFrame:
    return hl.analyses.responses(*turns(rng, sizes, shares, alike), by="source", clock="wall", as_of=AS_OF)


def speed_to_lead(rng: Rng, sizes: Sizes = FEW, clock: str = "office") -> pd.DataFrame:
    """Leads of the last 60 days who wait an hour on average; one in ten is never replied to."""
    group = groups_of(sizes)
    age = rng.uniform(0, 60, len(group))
    wait = np.where(rng.random(len(group)) < 0.1, np.inf, rng.exponential(1 / 24, len(group)))
    leads = contacts_of(group, age)
    return hl.analyses.speed_to_lead(leads, replies(age, wait), by="source", clock=clock, as_of=AS_OF)


def win_rate_by_wait(rng: Rng, leads: int = 1200, longest: float = 3) -> pd.DataFrame:
    """Leads with a deal, made at the same time, who wait a minute to *longest* days; the wait changes nothing."""
    group, age = np.zeros(leads, dtype="int64"), rng.uniform(1, 365, leads)
    wait = (longest * 1440) ** rng.random(leads) / 1440
    frames = contacts_of(group, age), replies(age, wait), deals_aged(rng, group, age, WIN_CHANCE, LAWS[0])
    return hl.analyses.win_rate_by_wait(*frames, clock="wall", as_of=AS_OF)


def attribution(rows: pd.DataFrame) -> pd.DataFrame:
    contacts = rows[["contact_id", "source", "created_at"]]
    return hl.analyses.attribution(contacts, rows.drop(columns="source"), as_of=AS_OF)


def funnel(rows: pd.DataFrame) -> pd.DataFrame:
    return hl.analyses.funnel(rows, pd.DataFrame(STAGES), by="source", as_of=AS_OF)


def close_curve(rows: pd.DataFrame) -> pd.DataFrame:
    return hl.analyses.close_curve(rows, by="source", as_of=AS_OF)


def win_rates(rows: pd.DataFrame) -> pd.DataFrame:
    return hl.analyses.win_rates(rows, by="source", as_of=AS_OF)


OF_DEALS: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "attribution": ("attribution", attribution),
    "funnel": ("funnel", funnel),
    "close_curve": ("close_curve", close_curve),
    "win_rates": ("win_rates", win_rates),
}


def stuck_stages(rng: Rng, sizes: Sizes = FEW, wins: int = 0, by: str = "stage_id") -> pd.DataFrame:
    """Open deals, in their stage for 14 days on average, and as many *wins* from each stage after such stays."""
    stage = np.concatenate([groups_of(sizes), np.repeat(np.arange(len(sizes)), wins)])
    won = np.arange(len(stage)) >= sum(sizes)
    left = np.where(won, rng.uniform(1, 300, len(stage)), 0.0)  # the stage, so many days ago
    entered = left + rng.exponential(14, len(stage))
    rows = pd.DataFrame(
        {
            "opportunity_id": ids("d", range(len(stage))),
            "contact_id": ids("c", range(len(stage))),
            "pipeline_id": texts(np.full(len(stage), "sales")),
            "stage_id": ids("s", stage),
            "source": ids("s", stage),
            "status": texts(np.where(won, "won", "open")),
            "created_at": before(entered + 5),
            "stage_changed_at": before(entered),
            "status_changed_at": before(np.where(won, left, entered + 5)),
        }
    )
    return hl.analyses.stuck_stages(rows, by=by, as_of=AS_OF)


def daily_counts(rng: Rng, dispersion: int, size: Any, mean: float = 25) -> np.ndarray:
    """Leads of each day: their variance is *dispersion* times their mean (negative binomial, 1 is Poisson)."""
    if dispersion == 1:
        return rng.poisson(mean, size)
    return rng.negative_binomial(mean / (dispersion - 1), 1 / dispersion, size)


def leads(rng: Rng, dispersion: int, runs: int = 1, days: int = 84) -> pd.DataFrame:
    """Contacts of the last 84 days; those of each run have a source of their own."""
    size = runs, days
    counts = daily_counts(rng, dispersion, size).ravel()
    run, day = (np.repeat(index.ravel(), counts) for index in np.indices(size))
    return contacts_of(run, days - day - rng.random(len(day)))


def lead_volume(rng: Rng, dispersion: int, every: str) -> pd.DataFrame:
    return hl.analyses.lead_volume(leads(rng, dispersion), every=every, as_of=AS_OF)


# ---- what a headline says


def headline(analysis: str, table: pd.DataFrame) -> str:
    left_out = dict(table.attrs["hlkit"]["left_out"])
    left_out.pop("opportunities that closed within 24 h of their lead", None)  # as they should be
    if left_out:
        raise AssertionError(f"{analysis} took rows for something else: {left_out}")
    return hl.analyses[analysis].headline(table)


def is_claim(text: str) -> bool:
    """Whether a headline says that there is a difference. Raises where it says neither that nor the contrary."""
    text = text.lower()
    claim = any(part in text for part in ("a significant difference", " differ (", "a significant change"))
    if claim == any(part in text for part in ("no significant", "too few rows to test")):
        raise AssertionError(f"neither a claim nor none: {text}")
    return claim


# ---- the lines of the table


class Line(NamedTuple):
    what: str
    runs: int
    measured: float
    least: float
    most: float

    @property
    def is_met(self) -> bool:
        return self.least <= self.measured <= self.most

    def __str__(self) -> str:
        number = (lambda value: f"{value:.4f}") if isinstance(self.measured, float) else str
        bound = f"at most {self.most:g}" if self.least == 0 else f"at least {self.least:g}"
        if self.least > 0 and self.most not in (1, self.runs):
            bound = f"{self.least:g} to {self.most:g}"
        verdict = "ok" if self.is_met else "MISSED"
        return f"{self.what:<72}{self.runs:>6,}{number(self.measured):>10}   {bound:<13} {verdict}"


def seeded(what: str) -> Rng:
    return np.random.default_rng(list(what.encode()))


# ---- one law for all groups: each claim is false

CELL_RUNS, CELL_BOUND = 2000, 0.065
RUNS, CLAIMS = 100, 11


def of_shared_test(groups: int, sizes: str, what: str) -> list[Line]:
    """The share of runs in which identical groups are said to differ, in the worst of several shares."""
    rng = seeded(what)
    shape = CELL_RUNS, groups
    made = {
        "20": np.full(shape, 20),
        "100": np.full(shape, 100),
        "20 to 1,000": np.round(20 * 50 ** rng.random(shape)),
    }
    n = made[sizes].astype("int64")
    claims = [
        float((compare_shares(rng.binomial(n, share), n)[0] < 0.05).mean())
        for share in (0.02, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9)
    ]
    return [Line(what, CELL_RUNS, max(claims), 0, CELL_BOUND)]


def of_claims(analysis: str, make: Callable[[Rng], pd.DataFrame], what: str) -> list[Line]:
    """In how many runs the headline of *analysis* claims a difference."""
    rng, runs = seeded(what), 4 * RUNS if "win_rate_by_wait" in what else RUNS  # it is quick
    claims = sum(is_claim(headline(analysis, make(rng))) for _ in range(runs))
    return [Line(what, runs, claims, 0, CLAIMS * runs // RUNS)]


ONE_LAW: dict[str, tuple[str, Callable[[Rng], pd.DataFrame]]] = {
    "reachability, 4 groups": ("reachability", reachability),
    "reachability, 20 groups": ("reachability", functools.partial(reachability, sizes=TWENTY)),
    "reachability, 20 groups, share 5%": ("reachability", functools.partial(reachability, sizes=TWENTY, shares=0.05)),
    "duplicate_share": ("duplicate_share", duplicate_share),
    "duplicate_share, some in three times and more, in one group": (
        "duplicate_share",
        functools.partial(duplicate_share, twice=0.1, copies=2),
    ),
    "appointments by source, 1 to 5 alike": ("appointments", appointments),
    "appointments by hour, 1 to 5 alike": ("appointments", functools.partial(appointments, by="hour")),
    "appointments by source, 1 each": ("appointments", functools.partial(appointments, several=1, alike=0)),
    "responses, 6 alike": ("responses", responses),
    "responses, 6 fully alike": ("responses", functools.partial(responses, alike=1)),
    "speed_to_lead, office hours": ("speed_to_lead", speed_to_lead),
    "speed_to_lead, all hours": ("speed_to_lead", functools.partial(speed_to_lead, clock="wall")),
    "win_rate_by_wait, waits up to 3 days": ("win_rate_by_wait", win_rate_by_wait),
    "win_rate_by_wait, waits up to 30 days": ("win_rate_by_wait", functools.partial(win_rate_by_wait, longest=30)),
    **{
        f"{name}, 4 groups": (name_, lambda rng, of=of: of(deals(rng, FEW))) for name, (name_, of) in OF_DEALS.items()
    },
    "stuck_stages, by source": ("stuck_stages", functools.partial(stuck_stages, by="source")),
    "stuck_stages, by stage, one limit for all": ("stuck_stages", stuck_stages),
    "stuck_stages, by stage, limits from 25 wins each": ("stuck_stages", functools.partial(stuck_stages, wins=25)),
    "stuck_stages, by stage, limits from 100 wins each": ("stuck_stages", functools.partial(stuck_stages, wins=100)),
    **{
        f"lead_volume, every {every}, dispersion {dispersion}": (
            "lead_volume",
            functools.partial(lead_volume, dispersion=dispersion, every=every),
        )
        for every in ("day", "week")
        for dispersion in (1, 2, 4)
    },
}


def of_ages(of: Callable[[pd.DataFrame], pd.DataFrame], days: tuple[float, float], rng: Rng) -> pd.DataFrame:
    """Two groups of 300 deals, one up to 365 days old and one up to 45."""
    return of(deals(rng, (300, 300), (365, 45), days=days))


# ---- a difference that is there

POWER = 0.8
REAL = (0.30, 0.45)


def power_of_shared_test(what: str) -> list[Line]:
    n = np.full((CELL_RUNS, 2), 300)
    p, direction = compare_shares(seeded(what).binomial(n, REAL), n)
    found = (p < 0.05) & (direction[:, 0] <= 0) & (direction[:, 1] >= 0)
    return [Line(what, CELL_RUNS, float(found.mean()), POWER, 1)]


def large_is_named(large: int, what: str) -> list[Line]:
    """How often a group of 50% is named beside two of 100 rows, at 30% and 70%: the others together have 50% too."""
    n = np.broadcast_to([large, 100, 100], (CELL_RUNS, 3))
    _, direction = compare_shares(seeded(what).binomial(n, [0.5, 0.3, 0.7]), n)
    return [Line(what, CELL_RUNS, float((direction[:, 0] != 0).mean()), 0, CELL_BOUND)]


def power_of(analysis: str, make: Callable[[Rng], pd.DataFrame], what: str) -> list[Line]:
    (line,) = of_claims(analysis, make, what)
    return [line._replace(least=POWER * RUNS, most=RUNS)]


REAL_DIFFERENCE: dict[str, tuple[str, Callable[[Rng], pd.DataFrame]]] = {
    "reachability": ("reachability", functools.partial(reachability, sizes=(300, 300), shares=REAL)),
    "appointments": (
        "appointments",
        functools.partial(appointments, sizes=(300, 300), shares=REAL, several=1, alike=0, unmarked=0),
    ),
    "attribution": (
        "attribution",
        lambda rng: attribution(deals(rng, (300, 300), chance=REAL, days=(20, 20), youngest=100)),
    ),
}


# ---- intervals: a run is a group of one table, since 2,000 tables would take minutes

COVERAGE = (0.93, 0.97)
AT_ONCE = 1000  # groups: with more, the smallest would be put together


def of_tables(runs: int, table: Callable[[int], tuple[pd.DataFrame, Any]]) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows of all runs, in tables of 1,000 runs, and the truth of each.

    *table* makes one of so many runs, whose groups are s0, s1, ..., and the truth of each run.
    """
    tables, truths = [], []
    for count in [AT_ONCE] * (runs // AT_ONCE) + [runs % AT_ONCE] * bool(runs % AT_ONCE):
        rows, truth = table(count)
        if len(rows) != count:
            raise AssertionError(f"{len(rows)} rows of {count} runs")
        run = rows.iloc[:, 0].str.removeprefix("s").astype("int64").to_numpy()
        tables.append(rows)
        truths.append(np.broadcast_to(truth, count)[run])
    return pd.concat(tables, ignore_index=True), np.concatenate(truths)


def coverage(table: pd.DataFrame, stem: str, truth: Any) -> float:
    """The share of rows whose interval contains the truth; one without an interval does not."""
    return float(((table[f"{stem}_low"] <= truth) & (truth <= table[f"{stem}_high"])).mean())


def check_alone(table: pd.DataFrame, alone: pd.DataFrame, stem: str) -> None:
    """That a run has the same interval in a table of its own (*alone*) as in that of all runs."""
    (single,) = alone.to_dict("records")
    (shared,) = table[(table.iloc[:, 0] == alone.iloc[0, 0]).to_numpy(dtype=bool)].to_dict("records")
    for end in ("low", "high"):
        if not np.isclose(single[f"{stem}_{end}"], shared[f"{stem}_{end}"], rtol=1e-9, atol=1e-12):
            raise AssertionError(f"{stem}_{end} of a run alone is {single[f'{stem}_{end}']}")


def wilson_covers(n: int, runs: int, what: str) -> list[Line]:
    rng = seeded(what)
    shares = rng.uniform(0.1, 0.9, runs)
    low, high = wilson(rng.binomial(n, shares), n)
    return [Line(what, runs, float(((low <= shares) & (shares <= high)).mean()), *COVERAGE)]


def wins_cover(days: tuple[float, float], oldest: int, runs: int, what: str) -> list[Line]:
    """The wins of close_curve by each age, of 300 deals up to *oldest* days old."""
    rng = seeded(what)

    def summary(rows: pd.DataFrame) -> pd.DataFrame:
        return hl.analyses.win_rates(rows, by="source", imports="include", as_of=AS_OF)

    def table(count: int) -> tuple[pd.DataFrame, float]:
        rows = deals(rng, [300] * count, oldest, days=days)
        both = summary(rows)
        check_alone(both, summary(rows[(rows["source"] == "s7").to_numpy(dtype=bool)]), "win_30d")
        return both, np.nan  # the truth follows below, for each age

    tables, _ = of_tables(runs, table)
    lines = []
    for age in (30, 60, 90) if oldest > 90 else (30,):
        truth = WIN_CHANCE * -np.expm1(-age / days[0])
        lines.append(Line(f"{what}: win_{age}d", runs, coverage(tables, f"win_{age}d", truth), *COVERAGE))
    return lines


def replies_cover(oldest: float, runs: int, what: str) -> list[Line]:
    """within_60 of 300 leads up to *oldest* minutes old."""
    rng = seeded(what)

    def waits(leads: pd.DataFrame, sent: pd.DataFrame) -> pd.DataFrame:
        return hl.analyses.speed_to_lead(leads, sent, by="source", clock="wall", imports="include", as_of=AS_OF)

    def table(count: int) -> tuple[pd.DataFrame, np.ndarray]:
        group, shares = groups_of([300] * count), rng.uniform(0.1, 0.9, count)
        age = rng.uniform(1, oldest, len(group)) / 1440
        wait = rng.exponential(-60 / np.log1p(-shares[group])) / 1440
        leads, sent = contacts_of(group, age), replies(age, wait)
        both = waits(leads, sent)
        check_alone(both, waits(leads[(leads["source"] == "s7").to_numpy(dtype=bool)], sent), "within_60")
        return both, shares

    tables, truth = of_tables(runs, table)
    return [Line(what, runs, coverage(tables, "within_60", truth), *COVERAGE)]


def turns_cover(alike: float, runs: int, what: str) -> list[Line]:
    """on_time_share of 30 contacts, of six turns each."""
    rng = seeded(what)

    def met(sent: pd.DataFrame, contacts: pd.DataFrame) -> pd.DataFrame:
        return hl.analyses.responses(sent, contacts, by="source", clock="wall", as_of=AS_OF)

    def table(count: int) -> tuple[pd.DataFrame, np.ndarray]:
        shares = rng.uniform(0.2, 0.8, count)
        sent, contacts = turns(rng, [30] * count, shares, alike)
        both = met(sent, contacts)
        few = contacts.iloc[7 * 30 : 8 * 30]
        check_alone(both, met(sent[sent["contact_id"].isin(few["contact_id"]).to_numpy(dtype=bool)], few), "on_time")
        return both, shares

    tables, truth = of_tables(runs, table)
    return [Line(what, runs, coverage(tables, "on_time", truth), *COVERAGE)]


def weeks_cover(dispersion: int, runs: int, what: str) -> list[Line]:
    """The change of the last full week against the one before: there is none."""
    rng = seeded(what)

    def last_week(contacts: pd.DataFrame) -> pd.DataFrame:
        choices = {"by": "source", "every": "week", "imports": "include", "as_of": AS_OF}
        weeks = hl.analyses.lead_volume(contacts, **choices)
        return weeks[weeks["whole"].to_numpy(dtype=bool)].groupby("source", sort=False).tail(1)

    def table(count: int) -> tuple[pd.DataFrame, float]:
        contacts = leads(rng, dispersion, count)
        both = last_week(contacts)
        check_alone(both, last_week(contacts[(contacts["source"] == "s7").to_numpy(dtype=bool)]), "change")
        return both, 0.0

    tables, truth = of_tables(runs, table)
    return [Line(what, runs, coverage(tables, "change", truth), *COVERAGE)]


# ---- all of them

Job = Callable[[str], list[Line]]


def jobs() -> dict[str, Job]:
    """What is measured, by what the first column of its lines says."""
    every: dict[str, Job] = {}
    for groups in (2, 5, 10, 20, 50):
        for sizes in ("20", "100", "20 to 1,000"):
            cell = functools.partial(of_shared_test, groups, sizes)
            every[f"false claims: shared test, {groups} groups of {sizes}, worst of 7 shares"] = cell
    for name, (analysis, make) in ONE_LAW.items():
        every[f"false claims: {name}"] = functools.partial(of_claims, analysis, make)
    for days in LAWS:
        for name, (analysis, of) in OF_DEALS.items():
            law = f"{days[0]} days to a win, {days[1]} to a loss"
            make = functools.partial(of_ages, of, days)
            every[f"false claims: {name}, ages, {law}"] = functools.partial(of_claims, analysis, make)
    every["found, 30% and 45% of 300: shared test"] = power_of_shared_test
    for name, (analysis, make) in REAL_DIFFERENCE.items():
        every[f"found, 30% and 45% of 300: {name}"] = functools.partial(power_of, analysis, make)
    for large in (1000, 10_000):
        every[f"wrongly named: {large:,} rows at 50%, beside 100 at 30% and at 70%"] = functools.partial(
            large_is_named, large
        )
    for n in (100, 300, 1000):
        every[f"coverage: Wilson, n = {n:,}"] = functools.partial(wilson_covers, n, CELL_RUNS)
    for days in LAWS:
        for oldest in (365, 45):
            law = f"coverage: 300 deals up to {oldest} days old, {days[0]} and {days[1]} days"
            every[law] = functools.partial(wins_cover, days, oldest, CELL_RUNS)
    every["coverage: speed_to_lead, 300 leads up to 3 hours old: within_60"] = functools.partial(
        replies_cover, 180, CELL_RUNS
    )
    for alike in (1, 0.3):
        law = f"coverage: responses, 30 contacts of 6 turns, correlation {alike:g}: met"
        every[law] = functools.partial(turns_cover, alike, CELL_RUNS)
    for dispersion in (1, 2, 4):
        law = f"coverage: lead_volume, 25 leads a day, dispersion {dispersion}: change"
        every[law] = functools.partial(weeks_cover, dispersion, CELL_RUNS)
    return every


def measured(what: str) -> list[Line]:
    return jobs()[what](what)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("words", nargs="*", help="only the lines that contain one of these")
    arguments.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = arguments.parse_args()
    chosen = [what for what in jobs() if not given.words or any(word in what for word in given.words)]
    began, missed, count = time.perf_counter(), 0, 0
    print(f"{'':<72}{'runs':>6}{'measured':>10}   bound")
    with ProcessPoolExecutor(given.workers) as pool:
        for lines in pool.map(measured, chosen):
            for line in lines:
                print(line, flush=True)
                missed, count = missed + (not line.is_met), count + 1
    print(f"\n{missed} of {count} bounds missed; {time.perf_counter() - began:.0f} s, {given.workers} workers")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
