"""Each fault that the simulated location lists has a test of the client that bears its name."""

import subprocess
import sys
from pathlib import Path

import faults
import pytest
from faultkit.faults import listed


def test_each_listed_fault_has_a_test():
    assert faults.without_a_test() == []


def test_no_test_bears_a_fault_that_is_not_listed():
    assert faults.unknown() == []


def test_a_test_may_bear_several_faults_and_others_none(tmp_path):
    (tmp_path / "test_one.py").write_text(
        "@pytest.mark.fault('edits')\n@pytest.mark.fault('bomb')\n@pytest.mark.slow\ndef test_both(): ...\n"
        "@pytest.mark.fault('bomb')\ndef helper(): ...\n"
        "def test_none(): ...\n"
    )

    assert faults.proofs(tmp_path) == {"edits": ["test_one.py::test_both"], "bomb": ["test_one.py::test_both"]}


@pytest.mark.parametrize("left_out", ["bomb", "sigkill"])
def test_a_fault_without_a_test_is_told(monkeypatch, capsys, left_out):
    proved = {name: tests for name, tests in faults.proofs().items() if name != left_out}
    monkeypatch.setattr(faults, "proofs", lambda: {**proved, "earthquake": ["test_x.py::test_y"]})

    assert faults.main() == 1
    told = capsys.readouterr().out
    assert f"no test: {left_out}" in told
    assert "no such fault: earthquake (test_x.py::test_y)" in told


def test_the_list_is_printed_by_a_command():
    command = [sys.executable, str(Path(faults.__file__))]

    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    for fault in listed():
        assert f"{fault.number:2}  {fault.name}  ({fault.area})  {fault.doc}" in printed
    assert "test_faults_network.py::test_a_body_that_ends_early_loses_no_row" in printed
