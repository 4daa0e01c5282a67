"""What ``import hlkit`` costs beyond ``import pandas``, each in a new process, in turn.

python benchmarks/imports.py [--rounds 7]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

PROGRAM = "import time; began = time.perf_counter(); import {}; print(time.perf_counter() - began)"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=7)
    rounds = arguments.parse_args().rounds
    names = {"pandas": "pandas", "hlkit": "pandas, hlkit", "connect": "pandas, hlkit; hlkit.connect"}
    for name in names.values():
        seconds(name)  # the first import compiles
    taken = {name: [] for name in names}
    for _ in range(rounds):
        for name, program in names.items():
            taken[name].append(seconds(program))
    pandas = taken["pandas"]
    for name, what in (("hlkit", "import hlkit"), ("connect", "import hlkit, and connect ready to call")):
        extra = statistics.median(one - base for one, base in zip(taken[name], pandas, strict=True))
        base = statistics.median(pandas)
        print(f"{what}: {extra:.3f} s more than import pandas ({base:.2f} s); goal: at most 0.35 s")


def seconds(name: str) -> float:
    told = subprocess.run([sys.executable, "-c", PROGRAM.format(name)], capture_output=True, text=True, check=True)
    return float(told.stdout)


if __name__ == "__main__":
    main()
