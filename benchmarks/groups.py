"""What a column of 30,000 values costs each analysis that groups: seconds at 100,000 contacts.

The other frames are as large as in benchmarks/analyses.py: 60,000 messages, 20,000 deals and appointments. A few
values have many rows and most have one or two, as those of a referrer or a street; of over 1,000 groups the smallest
are put together. Each runs in a process of its own.

python benchmarks/groups.py [--size 100000] [--values 30000] [NAME ...]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import typing

import numpy as np
import pandas as pd
from analyses import AS_OF, frame

import hlkit as hl

GOAL = 5  # seconds
COLUMN = "Street"


def measure(name: str, size: int, values: int) -> None:
    """In a child: make the frames, each with the column, run one table, print seconds, rows and its headline."""
    analysis = hl.analyses[name]
    rng = np.random.default_rng(0)
    frames = {}
    for needed in analysis.frames:
        rows = frame(needed, size)
        number = np.floor(values * rng.random(len(rows)) ** 3).astype("int64")  # few have many rows, most have one
        if len(rows) > values:
            number[:values] = np.arange(values)
        frames[needed] = rows.assign(**{COLUMN: pd.Series(number).astype("str")})
    choices = {"as_of": AS_OF, "by": COLUMN}
    analysis(**{needed: rows.head(100) for needed, rows in frames.items()}, **choices)  # imports what it needs
    began = time.perf_counter()
    table = analysis(**frames, **choices)
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    text = analysis.headline(table)
    print(json.dumps({"seconds": seconds, "say": time.perf_counter() - began, "rows": len(table), "headline": text}))


def child(*given: object) -> dict[str, typing.Any]:
    command = [sys.executable, "-W", "ignore", __file__, "--child", *map(str, given)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    grouping = [name for name in hl.analyses if "by" in hl.analyses[name].options]
    arguments.add_argument("names", nargs="*", default=grouping)
    arguments.add_argument("--size", type=int, default=100_000, help="contacts")
    arguments.add_argument("--values", type=int, default=30_000, help="values of the column")
    arguments.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.child:
        name, size, values = given.child
        measure(name, int(size), int(values))
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, pandas {pd.__version__}")
    print(f"{given.size:,} contacts by a column of {given.values:,} values; goal: {GOAL} s each\n")
    print(f"{'':<28}{'table':>9}{'headline':>11}{'rows':>11}")
    for name in given.names:
        taken = child(name, given.size, given.values)
        verdict = "ok" if taken["seconds"] + taken["say"] <= GOAL else "over the goal"
        print(
            f"{name:<28}{taken['seconds']:>7.2f} s{taken['say']:>9.2f} s{taken['rows']:>11,}   {verdict}", flush=True
        )
        print(f"    {taken['headline'] or '(no headline)'}", flush=True)


if __name__ == "__main__":
    main()
