"""environment.yml is pyproject.toml for conda, and each dependency says why it is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(PYPROJECT)["project"]

# Where conda-forge's name is another.
CONDA = {"matplotlib": "matplotlib-base", "tzdata": "python-tzdata", "phonenumberslite": "phonenumbers"}
EXTRAS = PROJECT["optional-dependencies"]
# Where environment.yml names one version, for the reason given beside it there.
PINNED = {"ipywidgets": "8.1.8"}


def parts(requirement: str) -> tuple[str, str, str]:
    """Name, sign and version of "pandas>=2.3"."""
    found = re.fullmatch(r"([A-Za-z0-9-]+)(>=|=|)([\d.]*)", requirement)
    assert found, requirement
    return found.group(1), found.group(2), found.group(3)


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def conda() -> dict[str, tuple[str, str]]:
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    lines = text.partition("\ndependencies:\n")[2].splitlines()
    wanted = [re.sub(r"\s*#.*", "", line).removeprefix("  - ") for line in lines]
    return {name: (sign, version) for name, sign, version in map(parts, wanted)}


def test_conda_installs_the_core_and_all_extras_at_the_same_floors():
    ours = {}
    for requirement in PROJECT["dependencies"] + [one for name in EXTRAS if name != "all" for one in EXTRAS[name]]:
        name, sign, version = parts(requirement)
        if name in PINNED:
            assert numbers(PINNED[name]) >= numbers(version)
            sign, version = "=", PINNED[name]
        ours[CONDA.get(name, name)] = (sign, version)

    theirs = conda()
    assert theirs.pop("pip") == ("", "")
    sign, version = theirs.pop("python")
    assert sign == "="
    assert numbers(version) >= numbers(PROJECT["requires-python"].removeprefix(">="))

    assert theirs == ours


def test_the_extra_all_is_all_of_them():
    assert EXTRAS["all"] == [f"hlkit[{','.join(name for name in EXTRAS if name != 'all')}]"]


def test_binder_uses_the_same_file():
    # Where a .binder folder exists, Binder reads nothing beside it.
    assert (ROOT / ".binder" / "environment.yml").samefile(ROOT / "environment.yml")


def test_every_dependency_has_a_floor_and_a_reason():
    lines = re.findall(r'^ {4}"([^"]+)",(.*)$', PYPROJECT, re.MULTILINE)
    wanted = {line: rest for line, rest in lines if ">=" in line}

    assert set(PROJECT["dependencies"]) <= set(wanted)
    assert [line for line, rest in wanted.items() if not re.match(r" +# \w", rest)] == []
