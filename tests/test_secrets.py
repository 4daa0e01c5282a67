"""The token is in no byte that hlkit writes, shows or raises: every error, in every place.

Each error is provoked for real, in a program of its own (``provoke.py``), which learns the token from a file
and lets go of it, so that what is searched holds it only by a slip of ours. A control shows that the search
would find it.
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
    "circle": errors.IncompleteDownload,
    "announced and not sent": errors.IncompleteDownload,
    "not kept": errors.NotCached,
    "locked": errors.CacheLocked,
    "cancelled": errors.Canceled,
    "missing column": errors.MissingColumn,
    "missing extra": errors.MissingExtra,
    "interrupted": KeyboardInterrupt,
    "damaged file": None,
    "nothing wrong": None,
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What the program that provokes them leaves behind for each: its report, and every byte it wrote."""
    folder = tmp_path_factory.mktemp("provoked")
    whats = [*PROVOKED, "control"]
    for what in whats:
        (folder / what).mkdir()
        (folder / what / "token").write_text(TOKEN)
    program = [sys.executable, str(Path(__file__).with_name("provoke.py")), str(folder), *whats]
    done = subprocess.run(program, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    assert SECRET not in (done.stdout + done.stderr)
    assert list(folder.rglob("token")) == []

    def written(what):
        return {path.name: path.read_bytes() for path in (folder / what).rglob("*") if path.is_file()}

    return {what: (json.loads((folder / what / "report.json").read_bytes()), written(what)) for what in whats}


def bytes_holding_it(written):
    return [name for name, content in written.items() if SECRET in content.lower()]


@pytest.mark.parametrize("what", PROVOKED)
@pytest.mark.fault("traceback")
@pytest.mark.fault("introspect")
def test_the_token_is_nowhere(outcomes, what):
    report, written = outcomes[what]

    kind = PROVOKED[what]
    assert report["raised"] == (kind.__name__ if kind else None)
    assert set(report["searched"]) == set(PLACES)
    assert bytes_holding_it(written) == []


def test_the_search_would_find_it(outcomes):
    report, written = outcomes["control"]

    assert report["raised"] == "RuntimeError"
    assert bytes_holding_it(written) == ["report.json"]


def test_every_error_is_provoked():
    def leaves(kind):
        return {kind} | {leaf for one in kind.__subclasses__() for leaf in leaves(one)}

    ours = {kind for kind in leaves(errors.HlkitError) if kind.__module__ == "hlkit.client.errors"}
    assert ours - {errors.HlkitError} <= set(PROVOKED.values())
