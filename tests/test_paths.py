"""The parameter that names the location, against HighLevel's own specification."""

import re
from pathlib import Path

import pytest

from hlkit.client.paths import _PATHS, location_parameter

LINES = (Path(__file__).parent / "read_paths.txt").read_text().splitlines()
SPECIFIED = {path: None if name == "-" else name for path, name in (line.split() for line in LINES if line[0] == "/")}


def test_every_path_that_reads_names_the_location_as_the_specification_says():
    as_written = {path: location_parameter(path, "2021-07-28") for path in SPECIFIED}
    with_ids = {
        path: location_parameter(re.sub(r"{\w+}", "Ab12", path).rstrip("/"), "2021-07-28") for path in SPECIFIED
    }

    assert as_written == SPECIFIED
    assert with_ids == SPECIFIED


def test_no_path_is_known_that_the_specification_does_not_have():
    known = {
        f"/{first}/{pattern}".removesuffix("/.")
        for first, by_parameter in _PATHS.items()
        for patterns in by_parameter.values()
        for pattern in patterns.split()
    }

    assert known <= {re.sub(r"{\w+}", "*", path).rstrip("/") for path in SPECIFIED}


@pytest.mark.parametrize(
    "path", ["", "/", "contacts", "/contacts/c1/notes", "//contacts", "/nowhere/else", "*", "/."]
)
def test_a_path_that_is_not_known_names_none(path):
    assert location_parameter(path, "2021-07-28") == ("locationId" if path.strip("/") == "contacts" else None)
