"""The parameter for the location id, compared with HighLevel's specification."""

import re
from pathlib import Path

import pytest

from hlkit.client.paths import _PATHS, location_parameter

LINES = (Path(__file__).parent / "read_paths.txt").read_text().splitlines()
SPECIFIED = {path: None if name == "-" else name for path, name in (line.split() for line in LINES if line[0] == "/")}


def test_every_get_path_takes_the_parameter_of_the_specification():
    as_written = {path: location_parameter(path, "2021-07-28") for path in SPECIFIED}
    with_ids = {
        path: location_parameter(re.sub(r"{\w+}", "Ab12", path).rstrip("/"), "2021-07-28") for path in SPECIFIED
    }

    assert as_written == SPECIFIED
    assert with_ids == SPECIFIED


def test_every_listed_path_is_in_the_specification():
    listed = {
        f"/{first}/{pattern}".removesuffix("/.")
        for first, by_parameter in _PATHS.items()
        for patterns in by_parameter.values()
        for pattern in patterns.split()
    }

    assert listed <= {re.sub(r"{\w+}", "*", path).rstrip("/") for path in SPECIFIED}


@pytest.mark.parametrize(
    "path", ["", "/", "contacts", "/contacts/c1/notes", "//contacts", "/nowhere/else", "*", "/."]
)
def test_a_path_that_is_not_listed_takes_no_parameter(path):
    assert location_parameter(path, "2021-07-28") == ("locationId" if path.strip("/") == "contacts" else None)
