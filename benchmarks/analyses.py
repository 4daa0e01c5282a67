"""What each analysis takes at 10,000, 100,000 and 1,000,000 contacts: seconds, memory, and how that grows.

For a million contacts there are 600,000 messages and 200,000 deals, appointments, payments and tasks. Each
analysis runs in a process of its own, so that its memory is its own.

python benchmarks/analyses.py [--sizes 10000 100000 1000000] [NAME ...]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import resource
import subprocess
import sys
import time

import numpy as np
import pandas as pd

import hlkit as hl
from hlkit.client.resources import CATALOG
from hlkit.client.schema import Kind

AS_OF = pd.Timestamp("2026-01-01", tz="UTC")
SHARES = {"contacts": 1.0, "messages": 0.6}  # rows for each contact; all else 0.2
LETTERS = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), dtype=object)
FEW = {"stages": 12, "users": 8, "calendars": 4, "pipelines": 3}
WORDS = {
    "direction": ["inbound", "outbound"],
    "origin": ["app", "workflow", "api"],
    "type": ["TYPE_SMS", "TYPE_CALL", "TYPE_EMAIL"],
    "source": ["google", "facebook", "referral", "direct"],
    "currency": ["USD"],
}
STATUSES = {
    "messages": ["delivered", "sent", "failed"],
    "opportunities": ["open", "won", "lost", "abandoned"],
    "appointments": ["showed", "noshow", "confirmed", "cancelled"],
    "transactions": ["succeeded", "failed"],
}


def frame(name: str, contacts: int) -> pd.DataFrame:
    """Rows of a resource, as many as a location of so many contacts may have."""
    rows = FEW.get(name, int(contacts * SHARES.get(name, 0.2)))
    rng = np.random.default_rng(sum(map(ord, name)))
    columns = {column.name: _column(name, column.name, column.kind, rows, contacts, rng) for column in _columns(name)}
    return pd.DataFrame(columns)


def _columns(name: str) -> list:
    return [column for column in CATALOG[name].columns if column.kind.name != "LIST"]


def _column(name: str, label: str, kind: Kind, rows: int, contacts: int, rng: np.random.Generator) -> pd.Series:
    number = np.arange(rows)
    if label == CATALOG[name].key:
        return _texts(label[0] + "-", number, kind)
    if label == "contact_id":
        return _texts("c-", rng.integers(0, contacts, rows), kind)
    pools = {"user_id": 8, "owner_id": 8, "stage_id": 12, "pipeline_id": 3, "calendar_id": 4}
    if kind.name == "ID":
        return _texts(label[0] + "-", rng.integers(0, pools.get(label, 50), rows), kind)
    if kind.name == "INSTANT":
        days = rng.exponential(200, rows).clip(max=720) - (30 if label in ("starts_at", "due_at") else 0)
        at = AS_OF.as_unit("us") - pd.to_timedelta((days * 86_400_000).astype("int64"), unit="ms")
        return pd.Series(at).astype(kind.dtype)
    if kind.name in ("NUMBER", "MONEY", "SHARE"):
        return pd.Series(np.round(rng.lognormal(5, 1, rows), 2))
    if kind.name == "COUNT":
        return pd.Series(number % 6, dtype=kind.dtype)
    if kind.name == "FLAG":
        return pd.Series(rng.random(rows) < 0.05, dtype=kind.dtype)
    if kind.name == "DAY":
        return pd.Series(pd.NaT, index=range(rows), dtype=kind.dtype)
    person = np.where(rng.random(rows) < 0.12, rng.integers(0, max(rows, 1), rows), number)  # who is in twice
    if label == "email":
        return _texts("ann.berg", person, kind, "@example.com").where(pd.Series(rng.random(rows) > 0.12))
    if label == "phone":
        numbers = 2_000_000_000 + person * 7_919 % 7_999_999_999
        return _texts("+1", numbers, kind).where(pd.Series(rng.random(rows) > 0.18))
    if label in ("first_name", "last_name", "name"):  # of few names, which begin with all letters
        which = person * 31 % (900 if label == "first_name" else 20_000)
        return _texts(pd.Series(LETTERS[which % 26]) + "ame", which, kind)
    if label == "address":  # homes grow with the people: two in each
        return _texts("Elm street ", 10_000 + person * 17 % max(rows // 2, 1), kind)
    if label == "postal_code":
        return _texts("", 10_000 + person * 17 % 30_000, kind)
    words = WORDS.get(label) or (STATUSES.get(name) if label == "status" else None)
    if words is None:
        return pd.Series(None, index=range(rows), dtype=kind.dtype)
    return pd.Series(np.array(words, dtype=object)[rng.integers(0, len(words), rows)]).astype(kind.dtype)


def _texts(before: str | pd.Series, numbers: np.ndarray, kind: Kind, after: str = "") -> pd.Series:
    return (before + pd.Series(numbers).astype(str) + after).astype(kind.dtype)


def measure(name: str, contacts: int) -> None:
    """In a child: run one analysis, print seconds and the peak in GiB."""
    analysis = hl.analyses[name]
    frames = {needed: frame(needed, contacts) for needed in analysis.frames}
    analysis(**{key: one.head(100) for key, one in frames.items()}, as_of=AS_OF)  # imports what it needs
    began = time.perf_counter()
    rows = len(analysis(**frames, as_of=AS_OF))
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "gib": peak, "rows": rows}))


def child(name: str, contacts: int) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", __file__, "--child", name, str(contacts)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("names", nargs="*", default=list(hl.analyses))
    arguments.add_argument("--sizes", nargs="+", type=int, default=[10_000, 100_000, 1_000_000])
    arguments.add_argument("--child", nargs=2)
    given = arguments.parse_args()
    if given.child:
        measure(given.child[0], int(given.child[1]))
        return
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, pandas {pd.__version__}"
    )
    print("goal at 1,000,000 contacts: 5 s and 4 GiB; 90 s for those that read every phone and email\n")
    heads = "".join(f"{size:>12,}" for size in given.sizes)
    print(f"{'':<16}{heads}   peak      growth at each step (n log n)")
    for name in given.names:
        taken = [child(name, size) for size in given.sizes]
        times = "".join(f"{one['seconds']:>10.2f} s" for one in taken)
        steps = zip(given.sizes, given.sizes[1:], taken, taken[1:], strict=False)
        growth = ", ".join(
            f"{later['seconds'] / one['seconds']:.1f} ({b * math.log(b) / (a * math.log(a)):.1f})"
            for a, b, one, later in steps
        )
        print(f"{name:<16}{times}   {taken[-1]['gib']:.1f} GiB   {growth}", flush=True)


if __name__ == "__main__":
    main()
