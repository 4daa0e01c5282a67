"""What commands print into old encodings, closed pipes, full disks and terminals of any width."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from test_cli import run

from hlkit.cli import console

SAID = "Zoë · 3 → 5… “Łódź” 山田 🚀 e\u0301 \ud83d"


@pytest.fixture(autouse=True)
def a_machine_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def instead(monkeypatch):
    """Puts a stream in the place of standard output, and takes it away before the test ends."""
    streams = []

    def put(stream):
        streams.append(stream)
        monkeypatch.setattr(sys, "stdout", stream)
        return stream

    yield put
    monkeypatch.undo()
    for stream in streams:
        stream.close()


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "Zoë · 3 → 5… “Łódź” 山田 🚀 e\u0301 ?"),
        ("cp1252", "Zoë · 3 -> 5… “?ódz” ?? ? e ?"),
        ("cp437", 'Zoë · 3 -> 5... "?ódz" ?? ? e ?'),
        ("ascii", 'Zoe - 3 -> 5... "?odz" ?? ? e ?'),
    ],
)
def test_a_character_that_the_encoding_lacks_has_a_readable_stand_in(encoding, shown, instead):
    stream = instead(io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    console.prepare()

    print(SAID, end="")

    stream.flush()
    assert stream.buffer.getvalue().decode(encoding) == shown


def test_a_pipe_whose_reader_is_gone_ends_a_command_in_silence(capsys, instead):
    for words in (["profiles"], ["--help"], ["cache", "info"]):
        read, write = os.pipe()
        os.close(read)
        instead(os.fdopen(write, "w"))

        assert run(*words) == 141
        assert capsys.readouterr().err == ""


def test_the_same_of_a_process(tmp_path):
    read, write = os.pipe()
    os.close(read)

    ended = subprocess.run([sys.executable, "-m", "hlkit", "profiles"], stdout=write, stderr=subprocess.PIPE)

    os.close(write)
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full device")
def test_a_full_disk_below_the_output_is_said_in_two_lines(capsys, instead):
    instead(os.fdopen(os.open("/dev/full", os.O_WRONLY), "w"))

    assert run("profiles") == 1
    assert capsys.readouterr().err == (
        "hlkit: cannot write the output: No space left on device\n  free some space, or send the output elsewhere\n"
    )


def test_ctrl_c_is_said_in_two_lines(monkeypatch, capsys):
    def stopped():
        raise KeyboardInterrupt

    monkeypatch.setattr("hlkit.client.profiles.all_profiles", stopped)

    assert run("profiles") == 130
    assert capsys.readouterr().err.startswith("hlkit: stopped\n  run the same command again")


def test_a_file_that_cannot_be_used_is_named(monkeypatch, capsys):
    def locked():
        raise PermissionError(13, "Permission denied", "cache")

    monkeypatch.setattr("hlkit.connection.cache_files", locked)

    assert run("cache", "info") == 1
    assert capsys.readouterr().err == ("hlkit: cannot use cache: Permission denied\n  check its permissions\n")


@pytest.mark.parametrize(("columns", "widest"), [("0", 160), ("1", 40), ("-5", 160), ("wide", 160), ("100000", 160)])
def test_help_fits_a_screen_of_any_width(columns, widest, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)

    assert run("fetch", "contacts", "--help") == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= widest
