"""The token is in nothing that hlkit writes, shows or raises.

A separate program (``provoke.py``) provokes each error for real. It reads the token from a file and holds no
reference to it, so a search finds the token only if hlkit leaks it. A control leaks it on purpose, to show that the
search works.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hlkit.client import errors

TOKEN = "pit-00000000-0000-0000-0000-00000000000a"
SECRET = TOKEN.removeprefix("pit-").encode()
PLACES = ("str", "repr", "vars", "pickle", "traceback", "rich traceback", "log", "objects", "attempts", "files")
PROVOKED = {
    "invalid token": errors.InvalidToken,
    "echo": errors.InvalidToken,
    "echo cut": errors.InvalidRequest,
    "echo in capitals": errors.InvalidRequest,
    "echo as trace id": errors.ServerError,
    "echo as a name": errors.UnexpectedResponse,
    "wrong kind": errors.WrongTokenKind,
    "missing scope": errors.MissingScope,
    "not enabled": errors.NotEnabled,
    "wrong location": errors.WrongLocation,
    "row of another location": errors.WrongLocation,
    "not found": errors.NotFound,
    "invalid request": errors.InvalidRequest,
    "read only": errors.NotReadOnly,
    "rate limited": errors.RateLimited,
    "day exhausted": errors.QuotaExhausted,
    "server error": errors.ServerError,
    "refused": errors.ConnectionFailed,
    "reset": errors.ConnectionFailed,
    "unknown certificate": errors.ConnectionFailed,
    "silence": errors.Timeout,
    "web page": errors.UnexpectedResponse,
    "cut": errors.UnexpectedResponse,
    "redirect": errors.UnexpectedResponse,
    "pagination loop": errors.IncompleteDownload,
    "missing rows": errors.IncompleteDownload,
    "not cached": errors.NotCached,
    "locked": errors.CacheLocked,
    "canceled": errors.Canceled,
    "missing column": errors.MissingColumn,
    "missing extra": errors.MissingExtra,
    "interrupted": KeyboardInterrupt,
    "damaged file": None,
    "nothing wrong": None,
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """For each error: the report of the program that provoked it, and every file it wrote."""
    folder = tmp_path_factory.mktemp("provoked")
    cases = [*PROVOKED, "control"]
    for case in cases:
        (folder / case).mkdir()
        (folder / case / "token").write_text(TOKEN)
    program = [sys.executable, str(Path(__file__).with_name("provoke.py")), str(folder), *cases]
    result = subprocess.run(program, capture_output=True, timeout=120)
    assert result.returncode == 0, result.stderr.decode()
    assert SECRET not in (result.stdout + result.stderr)
    assert list(folder.rglob("token")) == []

    def files(case):
        return {path.name: path.read_bytes() for path in (folder / case).rglob("*") if path.is_file()}

    return {case: (json.loads((folder / case / "report.json").read_bytes()), files(case)) for case in cases}


def files_with_the_token(files):
    return [name for name, content in files.items() if SECRET in content.lower()]


@pytest.mark.parametrize("case", PROVOKED)
@pytest.mark.fault("traceback")
@pytest.mark.fault("introspect")
def test_the_token_is_nowhere(outcomes, case):
    report, files = outcomes[case]

    kind = PROVOKED[case]
    assert report["raised"] == (kind.__name__ if kind else None)
    assert set(report["searched"]) == set(PLACES)
    assert files_with_the_token(files) == []


def test_the_search_finds_a_leaked_token(outcomes):
    report, files = outcomes["control"]

    assert report["raised"] == "RuntimeError"
    assert files_with_the_token(files) == ["report.json"]


def test_every_error_is_provoked():
    def with_subclasses(kind):
        return {kind}.union(*map(with_subclasses, kind.__subclasses__()))

    ours = {kind for kind in with_subclasses(errors.HlkitError) if kind.__module__ == "hlkit.client.errors"}
    assert ours - {errors.HlkitError} <= set(PROVOKED.values())
