"""The faults that the simulated location knows, and the tests that prove hlkit against each.

``python tests/faults.py`` prints them; ``make faults`` too. A test says which fault it is about by
``@pytest.mark.fault("name")``. Read from the registry of tests/faultkit and from the tests' text: no test is run.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from faultkit.faults import listed

HERE = Path(__file__).parent


def proofs(folder: Path = HERE) -> dict[str, list[str]]:
    """By the name of each fault that a test bears, those tests: ``test_file.py::test_name``."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("test_*.py")):
        for test in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
                for name in _borne(test):
                    found.setdefault(name, []).append(f"{path.name}::{test.name}")
    return found


def _borne(test: ast.FunctionDef) -> Iterator[str]:
    """The faults that a test's decorators name."""
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
            (name,) = mark.args
            yield ast.literal_eval(name)


def without_a_test() -> list[str]:
    """The listed faults that no test bears."""
    proved = proofs()
    return [fault.name for fault in listed() if fault.name not in proved]


def unknown() -> list[str]:
    """The names that tests bear and that are no fault's."""
    known = {fault.name for fault in listed()}
    return [f"{name} ({', '.join(tests)})" for name, tests in proofs().items() if name not in known]


def main() -> int:
    """Print the list; 1 where a fault has no test, or a test bears an unknown name."""
    proved = proofs()
    for fault in listed():
        print(f"{fault.number:2}  {fault.name}  ({fault.area})  {fault.doc}")
        for test in proved.get(fault.name, ["no test"]):
            print(f"      {test}")
    tests = {test for borne in proved.values() for test in borne}
    print(f"\n{len(listed())} faults, {len(tests)} tests", end="")
    wrong = [f"no test: {name}" for name in without_a_test()] + [f"no such fault: {name}" for name in unknown()]
    print("".join(f"\n{words}" for words in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
