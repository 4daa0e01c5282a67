"""Provoke hlkit's errors, and record everything that the errors and hlkit's objects show.

``provoke.py FOLDER CASE ...``: for each case, reads the token from FOLDER/CASE/token, deletes that file, and writes
FOLDER/CASE/report.json. No frame of this program refers to the token when the report is made.
"""

from __future__ import annotations

import _thread
import contextlib
import copy
import io
import json
import logging
import pickle
import pprint
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import traceback
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
from scripted import LOCATION, Scripted, answer, hang_up, limits, silent

import hlkit as hl
from hlkit.client import cached_downloads
from hlkit.client.http import sqlite_file as file_module
from hlkit.client.http.progress import Progress
from hlkit.client.http.request import RequestSpec

LOG = io.StringIO()
file_module.LOCK_TIMEOUT = cached_downloads.LOCK_TIMEOUT = 0.05


def refusal(status: int, message: str, **options: Any) -> bytes:
    return answer({"statusCode": status, "message": message, "traceId": "t-1"}, status, **options)


def echo(status: int, before: int = 0, name: str = "message", capitals: bool = False) -> Any:
    """An error that repeats the authorization header of the request."""

    def reply(request: Any) -> bytes:
        text = "x" * before + request.headers["authorization"]
        return answer({name: text.upper() if capitals else text}, status, headers={"X-Echo": text})

    return reply


def echo_as_a_name(request: Any) -> bytes:
    return answer({request.headers["authorization"].removeprefix("Bearer "): 1})


USERS = answer({"users": [{"id": "u1", "name": "Ann"}]}, headers={"Set-Cookie": "a=b"})
ROWS = [{"id": f"c{number}", "searchAfter": [number, f"c{number}"], "locationId": LOCATION} for number in range(500)]
SERVED: dict[str, Any] = {
    "invalid token": refusal(401, "Invalid token: access token is invalid"),
    "echo": echo(401),
    "echo cut": echo(422, before=270),
    "echo in capitals": echo(422, capitals=True),
    "echo as trace id": echo(500, name="traceId"),
    "echo as a name": echo_as_a_name,
    "wrong kind": refusal(401, "Token's user type mismatch!"),
    "missing scope": refusal(401, "The token is not authorized for this scope."),
    "not enabled": refusal(403, "Forbidden: WORKFLOW_STATS_NOT_ENABLED_FOR_LOCATION"),
    "wrong location": refusal(403, "The token does not have access to this location."),
    "row of another location": answer({"users": [{"id": "u1", "locationId": "loc0000000000000000x"}]}),
    "not found": refusal(404, "Not Found"),
    "invalid request": refusal(422, ["limit must be a number"]),
    "rate limited": refusal(429, "Too Many Requests", headers={"Retry-After": "3600"}),
    "day exhausted": refusal(429, "Too Many Requests", headers=limits(Daily_Remaining=0, Daily_Reset=1000)),
    "server error": refusal(502, "Bad Gateway"),
    "reset": hang_up,
    "silence": silent(5),
    "web page": answer(b"<html>Checking your browser</html>"),
    "cut": answer(b'{"users": [{"id"', length=99),
    "redirect": answer(b"", 302, headers={"Location": "https://example.com/users/"}),
    "pagination loop": answer({"contacts": ROWS, "total": 9999, "customFields": []}),
    "missing rows": answer({"contacts": [], "total": 5, "customFields": []}),
    "interrupted": silent(5),
    "canceled": silent(5),
}


def certificate(folder: Path) -> ssl.SSLContext:
    """A self-signed certificate."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def untrusted_server(folder: Path) -> str:
    context, listener = certificate(folder), socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

    threading.Thread(target=serve, daemon=True).start()
    return f"https://localhost:{listener.getsockname()[1]}"


# These are retried until the deadline. A busy machine must still get a first response by then.
RETRIED = {"echo as trace id", "echo as a name", "server error", "refused", "reset", "web page", "cut", "silence"}


def connected(url: str, folder: Path, **options: Any) -> hl.location.Location:
    file = folder / "token"
    try:
        return hl.connect(file.read_text(), LOCATION, base_url=url, cache=folder / "cache", **options)
    finally:
        file.unlink()


def provoke(case: str, loc: hl.location.Location) -> None:
    """Make the call that fails."""
    if case == "read only":
        loc.session.fetch(RequestSpec("DELETE", "/contacts/1", "2021-07-28", parse=json.loads))
    elif case in ("pagination loop", "missing rows"):
        loc.contacts()
    elif case == "missing column":
        raise hl.errors.MissingColumn("created_at", hint=f"{loc!r}")
    elif case == "missing extra":
        raise hl.errors.MissingExtra("hlkit needs scipy", hint=f"{loc!r}")
    elif case == "canceled":
        progress = Progress()
        threading.Timer(0.1, progress.cancel).start()
        loc.users(progress=progress)
    elif case == "interrupted":
        threading.Timer(0.2, _thread.interrupt_main).start()
        loc.users()
    elif case == "locked":
        file = loc.session.cache.path
        assert file is not None
        loc.session.cache._file._disconnect()
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            loc.users()
    elif case == "damaged file":
        file = loc.session.cache.path
        assert file is not None
        loc.session.cache.close()
        file.write_bytes(b"no database" * 999)
        loc.users()
    elif case == "control":
        leak: dict[str, str] = {}
        loc.session._token.sign(leak)
        raise RuntimeError
    else:
        loc.users()


def everything_shown(loc: hl.location.Location, error: BaseException | None) -> dict[str, str]:
    """Everything that a person or a program could see, by where it is shown."""

    def attempt(call: Any) -> str:
        try:
            return str(call())
        except Exception as problem:
            return f"{type(problem).__name__}: {problem}"

    things = [loc, loc.users, loc.session, loc.session._token, loc.session.cache, loc.session.rate_limiter, loc.quota]
    things += [loc.session.get_adapter(loc.session.base_url), loc.users.resource]
    views = (repr, str, vars, pickle.dumps, copy.copy, copy.deepcopy, pprint.pformat)
    objects = [attempt(lambda view=view, thing=thing: view(thing)) for thing in things for view in views]
    objects += [
        attempt(loc._repr_html_),
        str(dir(loc)),
    ]
    places = {"objects": "\n".join(objects), "log": LOG.getvalue(), "attempts": attempt(threading.enumerate)}
    if error is None:
        return {**dict.fromkeys(("str", "repr", "vars", "pickle", "traceback", "rich traceback"), ""), **places}
    chain = [error]
    while (following := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(following)
    formatted = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [pprint.pformat(frame.f_locals) for link in chain for frame, _ in traceback.walk_tb(link.__traceback__)]
    deeper = [str(vars(value)) for link in chain for frame, _ in traceback.walk_tb(link.__traceback__)
              for value in frame.f_locals.values() if hasattr(value, "__dict__")]  # fmt: skip
    return {
        "str": "\n".join(str(link) for link in chain),
        "repr": "\n".join(repr(link) for link in chain),
        "vars": "\n".join(str(vars(link)) for link in chain),
        "pickle": str(pickle.dumps(error)),
        "traceback": "".join(formatted.format()),
        "rich traceback": "\n".join(frames + deeper),
        **places,
    }


def report(case: str, folder: Path) -> None:
    """Provoke *case*, and write the report."""
    response = SERVED.get(case, USERS)
    server = Scripted(by=response) if case.startswith("echo") else Scripted(response)
    error: BaseException | None = None
    with server:
        if case == "refused":
            server.__exit__()
        url = untrusted_server(folder) if case == "unknown certificate" else server.url
        loc = connected(url, folder, offline=case in ("not cached", "locked"), deadline=2 if case in RETRIED else 30)
        try:
            provoke(case, loc)
        except BaseException as raised:
            error = raised
        server.requests.clear()  # the recorded requests contain the token, and frames lead to them
        places = everything_shown(loc, error)
    frame = getattr(error, "partial", None)
    places["files"] = ", ".join(str(path) for path in folder.rglob("*"))
    if isinstance(frame, pd.DataFrame):
        places["objects"] += str(frame.attrs)
    outcome = {"raised": None if error is None else type(error).__name__, "searched": places}
    (folder / "report.json").write_text(json.dumps(outcome))
    print(error)
    if error is not None:
        traceback.print_exception(error)
    loc.session.cache.close()


def main(folder: str, *cases: str) -> None:
    logging.basicConfig(level=logging.DEBUG, stream=LOG)
    warnings.simplefilter("always")
    for case in cases:
        LOG.seek(0)
        LOG.truncate()
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            report(case, Path(folder) / case)
        (Path(folder) / case / "printed.txt").write_text(printed.getvalue())


main(*sys.argv[1:])
