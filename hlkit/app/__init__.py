"""The explorer as a page of its own, for people who do not open notebooks: ``hlkit app``.

Voila serves a notebook of one cell on this machine alone, behind a token of its own that stands in the address;
whoever does not have the address sees nothing. The notebook holds neither a HighLevel token nor data. All that
Jupyter writes goes into a temporary folder. The server ends with whoever started it, however that ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from hlkit.client import profiles
from hlkit.client.disk import working_folder
from hlkit.client.errors import InvalidRequest, MissingExtra
from hlkit.connection import connect

_HERE = Path(__file__).parent
_STARTS_IN = 60.0  # seconds
_ENDS_IN = 10.0
_FOLDERS = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
Server = subprocess.Popen[bytes]


def serve(*, demo: bool = False, profile: str | None = None, port: int = 0, browser: bool = True) -> None:
    """Serve the explorer until Ctrl-C, and print its address. Raises ``MissingExtra`` and what ``served`` does."""
    with _as_by_ctrl_c("SIGTERM", "SIGHUP"), served(demo=demo, profile=profile, port=port) as (address, server):
        print(f"The explorer is at\n\n  {address}\n\nfor whoever has this address, on this machine. Ctrl-C ends it.")
        sys.stdout.flush()
        with tempfile.TemporaryDirectory(prefix="hlkit-app-") as folder, contextlib.suppress(KeyboardInterrupt):
            if browser:
                _open(address, Path(folder) / "open.html")
            server.wait()
        print("\nended")


@contextlib.contextmanager
def served(*, demo: bool = False, profile: str | None = None, port: int = 0) -> Iterator[tuple[str, Server]]:
    """The explorer's address, and the server behind it; it ends with the block.

    Raises ``MissingExtra``, ``NotFound`` for a profile that there is not, ``InvalidRequest`` for a port that is
    taken, ``InvalidToken`` for what the environment holds.
    """
    for package in ("voila", "ipykernel"):
        if find_spec(package) is None:
            raise MissingExtra(f"hlkit app needs {package}", hint='pip install "hlkit[app]"')
    cell = _cell(demo, profile)
    port = _free(port)
    token = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="hlkit-app-", ignore_cleanup_errors=True) as folder:
        notebook = Path(folder) / "hlkit.ipynb"
        notebook.write_text(_notebook(cell), encoding="utf-8")
        server = _started(notebook, port, token)
        try:
            address = f"http://127.0.0.1:{port}/"
            _wait(server, address, Path(folder) / "log")
            yield f"{address}?token={token}", server
        finally:
            _end(server)


def _cell(demo: bool, profile: str | None) -> str:
    """What shows the explorer. A relative path that is typed into it is one from where it was started."""
    if demo:
        given = "hl.demo()"
    elif profile is not None:
        profiles.find(profile)
        given = f"location={profile!r}"
    elif "HIGHLEVEL_PIT" in os.environ:
        connect()  # says what is wrong before there is a page
        given = "hl.connect()"
    else:
        given = ""
    return f"import os\n\nimport hlkit as hl\n\nos.chdir({working_folder()!r})\nhl.explore({given})"


def _free(port: int) -> int:
    """*port* where nobody has it, a free one for 0."""
    problem = None
    try:
        with socket.socket() as one:
            if os.name == "posix":  # else a port is taken for a minute after its server has ended
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", port))
            return int(one.getsockname()[1])
    except (OSError, OverflowError) as error:
        problem = str(error)
    raise InvalidRequest(f"port {port} cannot be used: {problem}", hint="choose another, or leave --port out")


def _notebook(source: str) -> str:
    """A notebook of one cell."""
    cell: dict[str, object] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "explorer",
        "metadata": {},
        "outputs": [],
        "source": source,
    }
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps({"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})


def _started(notebook: Path, port: int, token: str) -> Server:
    folder = notebook.parent
    own = {name: str(folder / name.lower()) for name in _FOLDERS} | {"JUPYTER_NO_CONFIG": "1"}
    paths = [str(_HERE), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    command = [sys.executable, "-m", "hlkit.app", str(notebook), "--no-browser", "--template=hlkit", f"--port={port}"]
    command += ["--Voila.ip=127.0.0.1", "--Voila.port_retries=0", "--Voila.log_level=WARN"]
    command += [f"--Voila.connection_dir_root={folder}", "--VoilaConfiguration.allow_template_override=NO"]
    # A fault of ours is shown with its trace; an error that hlkit raises on purpose is shown by the explorer.
    command += ["--show_tracebacks=True"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **own, "JUPYTER_PATH": os.pathsep.join(paths)},
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.PIPE,
            start_new_session=os.name == "posix",
        )
    # Not on the command line, which every user of the machine can read.
    assert server.stdin is not None
    with contextlib.suppress(OSError):  # it is gone already: _wait tells why
        server.stdin.write(token.encode() + b"\n")
        server.stdin.flush()
    return server


def _wait(server: Server, address: str, log: Path) -> None:
    """Until it answers. What it printed is told where it does not."""
    until = time.monotonic() + _STARTS_IN
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(OSError):
            try:
                urllib.request.urlopen(f"{address}login", timeout=1).close()
            except urllib.error.HTTPError:
                return  # it answers, and refuses
        time.sleep(0.1)
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] or ["nothing was said"]
    raise InvalidRequest(f"the explorer did not start: {said[0]}", hint="hlkit doctor tells what is missing")


def _open(address: str, page: Path) -> None:
    """Open *address* by a page that leads there: a browser's command line can be read by every user, too."""
    page.touch(mode=0o600)
    page.write_text(f'<meta http-equiv="refresh" content="0; url={address}">', encoding="utf-8")
    threading.Thread(target=webbrowser.open, args=(page.as_uri(),), daemon=True).start()


def _end(server: Server) -> None:
    """The server and its kernels: it ends when nobody holds its standard input."""
    assert server.stdin is not None
    with contextlib.suppress(OSError):
        server.stdin.close()
    try:
        server.wait(_ENDS_IN)
    except subprocess.TimeoutExpired:
        server.kill()  # its kernels see that it is gone
        server.wait()


@contextlib.contextmanager
def _as_by_ctrl_c(*names: str) -> Iterator[None]:
    """Within the block these signals end the program as Ctrl-C does; those that the system does not know are left."""
    known = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {one: signal.signal(one, signal.default_int_handler) for one in known}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
