"""The seeded contacts as columns: when and from which source they came in, duplicates, first replies.

Rows are numbered in order of creation. What exists at ``as_of`` is the first part of the history, and
a later ``as_of`` has the same rows and some more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hlkit.sim import ids, words
from hlkit.sim.account import LEFT, PEOPLE
from hlkit.sim.clock import (
    DAY,
    HISTORY_WEEKS,
    HOUR,
    MINUTE,
    Array,
    Clock,
    after_office_minutes,
)

DAYS = 7 * HISTORY_WEEKS
WEEKDAYS = (1.2, 1.15, 1.1, 1.05, 1.0, 0.55, 0.4)
GROWTH = 0.30  # a year
SPIKE, OUTAGE = 2.2, 0.15
HOURS = (1, 1, 1, 1, 1, 2, 4, 8, 14, 18, 20, 18, 14, 14, 15, 15, 15, 16, 17, 18, 16, 11, 6, 3)

SOURCES = ("google", "facebook", "referral", "direct", "import")
SOURCE_SHARES = (0.35, 0.30, 0.15, 0.20)
IMPORT = 4
SAME_TOUCH = 0.70

NEVER, MEDIAN_MINUTES, SIGMA = 0.15, 18.0, 1.0
AUTOMATED = 0.90

DUPLICATES = ("format", "no email", "no phone", "new email", "new phone", "nickname", "typo", "name and address")
DUPLICATE_SHARE, COUPLE_SHARE, MAILBOX_SHARE = 0.12, 0.03, 0.005
NO_MAIL, NO_PHONE, BAD = 0.12, 0.18, 0.04

TRAPS = {
    "emoji": ("Zoë 🌻", "Sunflower"),
    "right to left": ("ליאור", "חדד"),
    "formula": ('=HYPERLINK("http://example.com","Prize")', "Winner"),
    "script": ("<script>document.title='x'</script>", "<img src=x onerror=alert(1)>"),
    "carriage return": ("Ann\rBerg", "=1+1"),
    "plus": ("+1-800", "@SUM(A1)"),
}

PLAIN, NICKNAME, TYPO, LOWER, UPPER = range(5)  # spellings of a name
WELL, FORMATTED, WRONG = range(3)  # spellings of an email or a phone
DND_NONE, DND_ACTIVE, DND_PERMANENT = range(3)
NO_BIRTHDAY = 99_999  # days after 1970

_PARTNER = tuple(
    next(
        (i + step) % len(words.GIVEN)
        for step in range(60, 200)
        if words.GIVEN[(i + step) % len(words.GIVEN)][:2] != name[:2]
    )
    for i, name in enumerate(words.GIVEN)
)


@dataclass
class Contacts:
    """Columns of all seeded contacts, of which the first *count* exist at ``as_of``."""

    history: dict[str, Array]
    count: int
    planted: dict[str, Any] = field(default_factory=dict)
    traps: dict[int, tuple[str, str]] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, Array]:
        """Columns of the contacts that exist at ``as_of``."""
        return {name: column[: self.count] for name, column in self.history.items()}


def seeded_contacts(size: int, seed: int, clock: Clock) -> Contacts:
    """About *size* contacts at ``clock.as_of``; the same for the same arguments."""
    rng = ids.generator(seed, "contacts")
    planted: dict[str, Any] = {}
    columns = _arrivals(round(size * HISTORY_WEEKS / (HISTORY_WEEKS - 0.5)), size, rng, clock, planted)
    total = len(columns["created"])
    columns |= _sources(columns["source"], rng)
    columns |= _people(total, rng)
    groups = _groups(columns["source"] != IMPORT, rng)
    _write_twice(columns, groups, rng)
    _couples(columns, groups)
    _defects(columns, groups, rng)
    _numbers(columns, rng)
    columns |= _answers(columns, ids.generator(seed, "speed"), clock)
    columns |= _extras(columns, rng, clock)
    count = int(np.searchsorted(columns["created"], clock.as_of, side="right"))
    traps = {int(row): TRAPS[name] for name, row in zip(TRAPS, groups["traps"], strict=False) if row < count}
    planted["traps"] = {name: int(row) for name, row in zip(TRAPS, groups["traps"], strict=False) if row < count}
    return Contacts(columns, count, planted, traps)


def _arrivals(
    seeded: int, size: int, rng: np.random.Generator, clock: Clock, planted: dict[str, Any]
) -> dict[str, Array]:
    """When each contact was created: weekday pattern, growth, unusual days, and one import within a minute."""
    imported = max(60, round(0.08 * size)) if size >= 300 else round(0.08 * size)
    odd = rng.choice(np.arange(60, DAYS - 30), 6, replace=False)
    weights = np.resize(WEEKDAYS, DAYS) * (1 + GROWTH) ** (np.arange(DAYS) / 365)
    weights[odd[:3]] *= SPIKE
    weights[odd[3:]] *= OUTAGE
    counts = rng.multinomial(max(0, seeded - imported), weights / weights.sum())
    day = np.repeat(np.arange(DAYS), counts)
    hours = np.asarray(HOURS) / sum(HOURS)
    local = clock.start + day * DAY + rng.choice(24, len(day), p=hours) * HOUR
    local = local + rng.integers(0, HOUR, len(day))
    burst = clock.start + (7 * 42 + 1) * DAY + 14 * HOUR + 7 * MINUTE
    local = np.concatenate([local, burst + rng.integers(0, MINUTE, imported)])
    source = np.zeros(len(local), np.uint8)
    source[len(day) :] = IMPORT
    order = np.argsort(local, kind="stable")
    created = np.maximum.accumulate(clock.to_utc(local[order])) if len(order) else local
    planted["spikes"] = sorted(clock.day(int(d)) for d in odd[:3])
    planted["outages"] = sorted(clock.day(int(d)) for d in odd[3:])
    planted["import"] = {"day": clock.day(7 * 42 + 1), "local_minute": "14:07", "rows": imported}
    return {"created": created, "source": source[order]}


def _sources(source: Array, rng: np.random.Generator) -> dict[str, Array]:
    """First and last touch, and how the source is spelled on the row (missing, or in another case)."""
    count = len(source)
    first = rng.choice(4, count, p=SOURCE_SHARES).astype(np.uint8)
    first[source == IMPORT] = IMPORT
    other = ((first + rng.integers(1, 4, count)) % 4).astype(np.uint8)
    last = np.where((rng.random(count) < SAME_TOUCH) | (first == IMPORT), first, other)
    written = rng.choice(4, count, p=(0.84, 0.03, 0.03, 0.10)).astype(np.uint8)
    written[(first == IMPORT)] = 0
    return {
        "source": first,
        "last_source": last.astype(np.uint8),
        "source_written": written,
        "touch_written": rng.choice(4, count, p=(0.84, 0.04, 0.04, 0.08)).astype(np.uint8),
    }


def _people(count: int, rng: np.random.Generator) -> dict[str, Array]:
    """Names and addresses; names early in the list are more frequent."""
    given_weights = 1 / (np.arange(len(words.GIVEN)) + 12)
    family_weights = 1 / (np.arange(len(words.FAMILY)) + 12)
    numbers = np.arange(count, dtype=np.int32)
    return {
        "given": rng.choice(len(words.GIVEN), count, p=given_weights / given_weights.sum()).astype(np.uint8),
        "family": rng.choice(len(words.FAMILY), count, p=family_weights / family_weights.sum()).astype(np.uint8),
        "name_written": rng.choice(5, count, p=(0.94, 0, 0, 0.04, 0.02)).astype(np.uint8),
        "mail": numbers.copy(),
        "mail_written": np.zeros(count, np.uint8),
        "phone": numbers.copy(),
        "phone_written": np.zeros(count, np.uint8),
        "house": rng.integers(1, 2400, count, dtype=np.int32),
        "street": rng.integers(0, len(words.STREETS) * len(words.STREET_KINDS), count).astype(np.uint8),
        "city": rng.integers(0, len(words.CITIES), count).astype(np.uint8),
        "placed": rng.random(count) < 0.6,
        "surnamed": rng.random(count) > 0.06,
        "business": np.where(rng.random(count) < 0.12, rng.integers(0, 80, count), -1).astype(np.int8),
    }


def _groups(is_lead: Array, rng: np.random.Generator) -> dict[str, Array]:
    """Disjoint random sets of rows for what is planted; the traps are in the older half."""
    rows = np.flatnonzero(is_lead)
    trapped = rng.choice(rows[: len(rows) // 2], min(len(TRAPS), len(rows) // 20), replace=False)
    rows = rng.permutation(np.setdiff1d(rows, trapped, assume_unique=True))
    pairs = round(DUPLICATE_SHARE * len(is_lead))
    couples = round(COUPLE_SHARE / 2 * len(is_lead))
    mailboxes = round(MAILBOX_SHARE / 2 * len(is_lead))
    ends = np.cumsum([2 * pairs, 2 * couples, 2 * mailboxes])
    return {
        "traps": trapped,
        "pairs": np.sort(rows[: ends[0]].reshape(-1, 2), axis=1),
        "couples": np.sort(rows[ends[0] : ends[1]].reshape(-1, 2), axis=1),
        "mailboxes": np.sort(rows[ends[1] : ends[2]].reshape(-1, 2), axis=1),
        "rest": rows[ends[2] :],
    }


def _write_twice(columns: dict[str, Array], groups: dict[str, Array], rng: np.random.Generator) -> None:
    """Make the later row of each pair a duplicate: the same person, spelled in another way."""
    first, second = groups["pairs"].T
    kind = rng.integers(0, len(DUPLICATES), len(first))
    nicknames = np.isin(columns["given"][first], [words.GIVEN.index(name) for name in words.NICKNAMES])
    kind[(kind == 5) & ~nicknames] = 6
    columns["name_written"][groups["pairs"]] = PLAIN
    columns["surnamed"][groups["pairs"]] = True
    columns["placed"][first] |= kind == 7
    for name in ("given", "family", "house", "street", "city", "placed", "mail", "phone"):
        columns[name][second] = columns[name][first]
    columns["mail_written"][second[kind == 0]] = FORMATTED
    columns["phone_written"][second[kind == 0]] = FORMATTED
    columns["mail"][second[(kind == 1) | (kind == 7)]] = -1
    columns["phone"][second[(kind == 2) | (kind == 7)]] = -1
    columns["mail"][second[kind == 3]] = second[kind == 3]
    columns["phone"][second[kind == 4]] = second[kind == 4]
    columns["name_written"][second[kind == 5]] = NICKNAME
    columns["name_written"][second[kind == 6]] = TYPO
    columns["twin_of"] = np.full(len(columns["given"]), -1, np.int32)
    columns["twin_kind"] = np.full(len(columns["given"]), -1, np.int8)
    columns["twin_of"][second] = first
    columns["twin_kind"][second] = kind


def _couples(columns: dict[str, Array], groups: dict[str, Array]) -> None:
    """Two people who are not duplicates but share a home and a phone, or a mailbox."""
    for group, shared in (("couples", "phone"), ("mailboxes", "mail")):
        first, second = groups[group].T
        columns["given"][second] = np.asarray(_PARTNER)[columns["given"][first]]
        columns["name_written"][groups[group]] = PLAIN
        columns["surnamed"][groups[group]] = True
        for name in ("family", "house", "street", "city", "placed", shared):
            columns[name][second] = columns[name][first]
        columns[f"{group}_with"] = np.full(len(columns["given"]), -1, np.int32)
        columns[f"{group}_with"][second] = first


def _defects(columns: dict[str, Array], groups: dict[str, Array], rng: np.random.Generator) -> None:
    """Missing and invalid emails and phones; never on rows with a planted duplicate or partner."""
    rows = groups["rest"]
    share = len(columns["given"]) / max(1, len(rows))
    twins = DUPLICATE_SHARE * 2 / len(DUPLICATES)
    for name, missing in (("mail", NO_MAIL), ("phone", NO_PHONE)):
        draw = rng.random(len(rows))
        gone = max(0.0, missing - twins) * share
        columns[name][rows[draw < gone]] = -1
        columns[f"{name}_written"][rows[(draw >= gone) & (draw < gone + BAD * share)]] = WRONG
    columns["dnd"] = rng.choice(3, len(columns["given"]), p=(0.94, 0.04, 0.02)).astype(np.uint8)


def _numbers(columns: dict[str, Array], rng: np.random.Generator) -> None:
    """Give each phone identity a number; contacts who share a number by chance have different first names.

    There are 30,400 reserved numbers. They are assigned in the order of first names, so two contacts with the
    same first name share a number only if the name is more frequent than that.
    """
    count = len(columns["given"])
    room = min(len(words.AREA_CODES), -(-count * 5 // 400) + 1) * 100
    order = np.lexsort((rng.random(count), columns["given"]))
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    stride = next(step for step in range(7919, 9000) if np.gcd(step, room) == 1)
    numbers = (rank * stride % room).astype(np.int32)
    phone = columns["phone"]
    columns["phone"] = np.where(phone < 0, -1, numbers[np.maximum(phone, 0)]) if count else phone


def _answers(columns: dict[str, Array], rng: np.random.Generator, clock: Clock) -> dict[str, Array]:
    """When a user first replied to each lead (-1 if never), and whether an automation wrote at once."""
    created, lead = columns["created"], columns["source"] != IMPORT
    wait = MEDIAN_MINUTES * np.exp(SIGMA * rng.standard_normal(len(created)))
    never = (rng.random(len(created)) < NEVER) | ~lead
    answered = clock.to_utc(after_office_minutes(clock.to_local(created), wait))
    return {
        "wait": np.where(never, np.nan, wait),
        "answered": np.where(never, -1, answered),
        "automated": (rng.random(len(created)) < AUTOMATED) & lead,
    }


def _extras(columns: dict[str, Array], rng: np.random.Generator, clock: Clock) -> dict[str, Array]:
    """Owners, tags, birthdays, custom values, and the last change before ``as_of``."""
    created = columns["created"]
    count = len(created)
    owner = np.where(rng.random(count) < 0.25, -1, rng.integers(0, len(PEOPLE), count)).astype(np.int8)
    # The former user owns no contact of the last months.
    owner[(owner == LEFT) & (created > clock.end - 200 * DAY)] = 1
    changed = created + (rng.exponential(60, count) * DAY).astype(np.int64)
    changed = np.where((rng.random(count) < 0.3) | (changed > clock.as_of), created, changed)
    return {
        "owner": owner,
        "updated": changed,
        "tags": _tags(columns["source"] == IMPORT, rng),
        "born": np.where(rng.random(count) < 0.1, rng.integers(-14_000, 12_000, count), NO_BIRTHDAY).astype(np.int32),
        "custom": rng.integers(0, 2**32, count, dtype=np.uint32),
    }


def _tags(imported: Array, rng: np.random.Generator) -> Array:
    """A bit per tag. "garden" and "roof" are associated (lift 3), "vip" and "webinar" independent (lift 1)."""
    count = len(imported)
    bits = np.zeros(count, np.uint32)

    def put(tag: str, where: Array) -> None:
        bits[where] |= np.uint32(1 << words.TAGS.index(tag))

    pair = rng.random(count)
    put("garden", pair < 0.10)
    put("roof", (pair < 0.03) | ((pair >= 0.10) & (pair < 0.17)))
    for tag, share in (("vip", 0.10), ("webinar", 0.10), ("new lead", 0.4), ("newsletter", 0.25), ("hot", 0.05)):
        put(tag, rng.random(count) < share)
    for tag in ("kitchen", "bathroom", "spanish speaking", "financing", "call back", "cold"):
        put(tag, rng.random(count) < 0.06)
    put("imported", imported)
    return bits
