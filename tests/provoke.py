"""Provoke errors of hlkit, and write down everything that they and hlkit's objects show.

``provoke.py FOLDER WHAT ...``: for each, the token is read from FOLDER/WHAT/token, which is deleted; the report
is FOLDER/WHAT/report.json. No frame of this program holds the token while its report is made.
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
from hlkit.client import download as walk
from hlkit.client.http import sqlite_file as file_module
from hlkit.client.http.progress import Progress
from hlkit.client.http.session import RequestSpec

LOG = io.StringIO()
file_module.LOCK_TIMEOUT = walk.LOCK_TIMEOUT = 0.05


def said(status: int, message: str, **more: Any) -> bytes:
    return answer({"statusCode": status, "message": message, "traceId": "t-1"}, status, **more)


def echo(status: int, before: int = 0, name: str = "message", capitals: bool = False) -> Any:
    """Refuses, and repeats the header that the token came in."""

    def reply(asked: Any) -> bytes:
        words = "x" * before + asked.headers["authorization"]
        return answer({name: words.upper() if capitals else words}, status, headers={"X-Echo": words})

    return reply


def echo_as_a_name(asked: Any) -> bytes:
    return answer({asked.headers["authorization"].removeprefix("Bearer "): 1})


USERS = answer({"users": [{"id": "u1", "name": "Ann"}]}, headers={"Set-Cookie": "a=b"})
ROWS = [{"id": f"c{number}", "searchAfter": [number, f"c{number}"], "locationId": LOCATION} for number in range(500)]
SERVED: dict[str, Any] = {
    "invalid token": said(401, "Invalid token: access token is invalid"),
    "echo": echo(401),
    "echo cut": echo(422, before=270),
    "echo in capitals": echo(422, capitals=True),
    "echo as trace id": echo(500, name="traceId"),
    "echo as a name": echo_as_a_name,
    "wrong kind": said(401, "Token's user type mismatch!"),
    "missing scope": said(401, "The token is not authorized for this scope."),
    "not enabled": said(403, "Forbidden: WORKFLOW_STATS_NOT_ENABLED_FOR_LOCATION"),
    "wrong location": said(403, "The token does not have access to this location."),
    "row of another location": answer({"users": [{"id": "u1", "locationId": "loc0000000000000000x"}]}),
    "not found": said(404, "Not Found"),
    "invalid request": said(422, ["limit must be a number"]),
    "rate limited": said(429, "Too Many Requests", headers={"Retry-After": "3600"}),
    "day exhausted": said(429, "Too Many Requests", headers=limits(Daily_Remaining=0, Daily_Reset=1000)),
    "server error": said(502, "Bad Gateway"),
    "reset": hang_up,
    "silence": silent(5),
    "web page": answer(b"<html>Checking your browser</html>"),
    "cut": answer(b'{"users": [{"id"', length=99),
    "redirect": answer(b"", 302, headers={"Location": "https://example.com/users/"}),
    "circle": answer({"contacts": ROWS, "total": 9999, "customFields": []}),
    "announced and not sent": answer({"contacts": [], "total": 5, "customFields": []}),
    "interrupted": silent(5),
    "cancelled": silent(5),
}


def certificate(folder: Path) -> ssl.SSLContext:
    """A certificate that this program signed itself."""
    key, made = folder / "key.pem", folder / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([*make, "-keyout", key, "-out", made], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
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


def connected(url: str, folder: Path, **given: Any) -> hl.location.Location:
    file = folder / "token"
    try:
        return hl.connect(file.read_text(), LOCATION, base_url=url, cache=folder / "kept", deadline=0.6, **given)
    finally:
        file.unlink()


def provoke(what: str, loc: hl.location.Location) -> None:
    """The call that goes wrong."""
    if what == "read only":
        loc.session.fetch(RequestSpec("DELETE", "/contacts/1", "2021-07-28", parse=json.loads))
    elif what in ("circle", "announced and not sent"):
        loc.contacts()
    elif what == "missing column":
        raise hl.errors.MissingColumn("created_at", hint=f"{loc!r}")
    elif what == "missing extra":
        raise hl.errors.MissingExtra("hlkit needs scipy", hint=f"{loc!r}")
    elif what == "cancelled":
        progress = Progress()
        threading.Timer(0.1, progress.cancel).start()
        loc.users(progress=progress)
    elif what == "interrupted":
        threading.Timer(0.2, _thread.interrupt_main).start()
        loc.users()
    elif what == "locked":
        file = loc.session.cache.path
        assert file is not None
        loc.session.cache._file._handle.disconnect()
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            loc.users()
    elif what == "damaged file":
        file = loc.session.cache.path
        assert file is not None
        loc.session.cache.close()
        file.write_bytes(b"no database" * 999)
        loc.users()
    elif what == "control":
        slip: dict[str, str] = {}
        loc.session._token.sign(slip)
        raise RuntimeError
    else:
        loc.users()


def shown(loc: hl.location.Location, error: BaseException | None) -> dict[str, str]:
    """Everything that a person or a program could see, by place."""

    def tried(work: Any) -> str:
        try:
            return str(work())
        except Exception as refused:
            return f"{type(refused).__name__}: {refused}"

    things = [loc, loc.users, loc.session, loc.session._token, loc.session.cache, loc.session.rate_limiter, loc.quota]
    things += [loc.session.get_adapter(loc.session.base_url), loc.users.resource]
    views = (repr, str, vars, pickle.dumps, copy.copy, copy.deepcopy, pprint.pformat)
    objects = [tried(lambda view=view, thing=thing: view(thing)) for thing in things for view in views]
    objects += [tried(loc._repr_html_), str(dir(loc)), str(list(loc.session.cookies)), str(loc.session.headers)]
    places = {"objects": "\n".join(objects), "log": LOG.getvalue(), "attempts": tried(threading.enumerate)}
    if error is None:
        return {**dict.fromkeys(("str", "repr", "vars", "pickle", "traceback", "rich traceback"), ""), **places}
    chain = [error]
    while (following := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(following)
    seen = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [pprint.pformat(frame.f_locals) for one in chain for frame, _ in traceback.walk_tb(one.__traceback__)]
    deeper = [str(vars(value)) for one in chain for frame, _ in traceback.walk_tb(one.__traceback__)
              for value in frame.f_locals.values() if hasattr(value, "__dict__")]  # fmt: skip
    return {
        "str": "\n".join(str(one) for one in chain),
        "repr": "\n".join(repr(one) for one in chain),
        "vars": "\n".join(str(vars(one)) for one in chain),
        "pickle": str(pickle.dumps(error)),
        "traceback": "".join(seen.format()),
        "rich traceback": "\n".join(frames + deeper),
        **places,
    }


def report(what: str, folder: Path) -> None:
    """Provoke *what*, and write down what is seen."""
    served = SERVED.get(what, USERS)
    server = Scripted(by=served) if what.startswith("echo") else Scripted(served)
    error: BaseException | None = None
    with server:
        if what == "refused":
            server.__exit__()
        url = untrusted_server(folder) if what == "unknown certificate" else server.url
        loc = connected(url, folder, offline=what in ("not kept", "locked"))
        try:
            provoke(what, loc)
        except BaseException as raised:
            error = raised
        server.asked.clear()  # a server knows the token; its client's frames lead to it here
        places = shown(loc, error)
    frame = getattr(error, "partial", None)
    places["files"] = ", ".join(str(path) for path in folder.rglob("*"))
    if isinstance(frame, pd.DataFrame):
        places["objects"] += str(frame.attrs)
    told = {"raised": None if error is None else type(error).__name__, "searched": places}
    (folder / "report.json").write_text(json.dumps(told))
    print(error)
    if error is not None:
        traceback.print_exception(error)
    loc.session.close()


def main(folder: str, *whats: str) -> None:
    logging.basicConfig(level=logging.DEBUG, stream=LOG)
    warnings.simplefilter("always")
    for what in whats:
        LOG.seek(0)
        LOG.truncate()
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            report(what, Path(folder) / what)
        (Path(folder) / what / "printed.txt").write_text(printed.getvalue())


main(*sys.argv[1:])
