"""``hlkit app``: the explorer as a web page, for people who do not use notebooks.

Voila serves a one-cell notebook on this machine only. The page has its own access token, which is part of the
address. The notebook contains neither a HighLevel token nor data. Everything that Jupyter writes goes to a temporary
folder. The server stops when the program that started it stops, even if that was killed.
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

_FOLDER = Path(__file__).parent
_START_TIMEOUT = 60.0  # seconds
_STOP_TIMEOUT = 10.0
_JUPYTER_FOLDERS = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
Server = subprocess.Popen[bytes]


def serve(*, demo: bool = False, profile: str | None = None, port: int = 0, browser: bool = True) -> None:
    """Print the address of the explorer, and serve it until Ctrl-C. Raises what ``served`` raises."""
    with _handle_like_ctrl_c("SIGTERM", "SIGHUP"), served(demo=demo, profile=profile, port=port) as (address, server):
        print(f"The explorer is at\n\n  {address}\n\nThe address works on this machine only. Press Ctrl-C to stop.")
        sys.stdout.flush()
        with tempfile.TemporaryDirectory(prefix="hlkit-app-") as folder, contextlib.suppress(KeyboardInterrupt):
            if browser:
                _open_browser(address, Path(folder) / "open.html")
            server.wait()
        print("\nstopped")


@contextlib.contextmanager
def served(*, demo: bool = False, profile: str | None = None, port: int = 0) -> Iterator[tuple[str, Server]]:
    """The explorer's address and its server, which stops at the end of the ``with`` block.

    Raises ``MissingExtra``, ``NotFound`` (no such profile), ``InvalidRequest`` (the port is in use) or
    ``InvalidToken`` (the environment variables are not valid).
    """
    for package in ("voila", "ipykernel"):
        if find_spec(package) is None:
            raise MissingExtra(f"hlkit app needs {package}", hint='pip install "hlkit[app]"')
    source = _cell_source(demo, profile)
    port = _check_port(port)
    token = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="hlkit-app-", ignore_cleanup_errors=True) as folder:
        notebook = Path(folder) / "hlkit.ipynb"
        notebook.write_text(_notebook(source), encoding="utf-8")
        server = _start(notebook, port, token)
        try:
            address = f"http://127.0.0.1:{port}/"
            _wait_until_ready(server, address, Path(folder) / "log")
            yield f"{address}?token={token}", server
        finally:
            _stop(server)


def _cell_source(demo: bool, profile: str | None) -> str:
    """The code of the notebook's cell. Relative paths typed in the explorer start at the current working folder."""
    if demo:
        argument = "hl.demo()"
    elif profile is not None:
        profiles.find(profile)  # raises NotFound before the page opens
        argument = f"location={profile!r}"
    elif "HIGHLEVEL_PIT" in os.environ:
        connect()  # raises before the page opens
        argument = "hl.connect()"
    else:
        argument = ""
    return f"import os\n\nimport hlkit as hl\n\nos.chdir({working_folder()!r})\nhl.explore({argument})"


def _check_port(port: int) -> int:
    """*port*, or a free one if it is 0. Raises ``InvalidRequest`` if it is in use."""
    try:
        with socket.socket() as probe:
            if os.name == "posix":  # otherwise a port is in use for a minute after its server has stopped
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    except (OSError, OverflowError) as error:
        problem = str(error)
    raise InvalidRequest(f"port {port} cannot be used: {problem}", hint="choose another port, or leave --port out")


def _notebook(source: str) -> str:
    """A notebook with one cell, as JSON."""
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


def _start(notebook: Path, port: int, token: str) -> Server:
    folder = notebook.parent
    folders = {name: str(folder / name.lower()) for name in _JUPYTER_FOLDERS} | {"JUPYTER_NO_CONFIG": "1"}
    paths = [str(_FOLDER), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    command = [sys.executable, "-m", "hlkit.app", str(notebook), "--no-browser", "--template=hlkit", f"--port={port}"]
    command += ["--Voila.ip=127.0.0.1", "--Voila.port_retries=0", "--Voila.log_level=WARN"]
    command += [f"--Voila.connection_dir_root={folder}", "--VoilaConfiguration.allow_template_override=NO"]
    # For unexpected exceptions only: the explorer itself shows hlkit's errors.
    command += ["--show_tracebacks=True"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **folders, "JUPYTER_PATH": os.pathsep.join(paths)},
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.PIPE,
            start_new_session=os.name == "posix",
        )
    # The token is not passed on the command line, which every user of the machine can read.
    assert server.stdin is not None
    with contextlib.suppress(OSError):  # it has stopped already; _wait_until_ready reports why
        server.stdin.write(token.encode() + b"\n")
        server.stdin.flush()
    return server


def _wait_until_ready(server: Server, address: str, log: Path) -> None:
    """Wait until the server answers. Raises ``InvalidRequest``, with its last line of output, if it does not."""
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError):
            try:
                urllib.request.urlopen(f"{address}login", timeout=1).close()
            except urllib.error.HTTPError:
                return  # it answers with 403
        time.sleep(0.1)
    last_line = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] or ["it printed nothing"]
    raise InvalidRequest(
        f"the explorer did not start: {last_line[0]}", hint="run hlkit doctor to see what is missing"
    )


def _open_browser(address: str, page: Path) -> None:
    """Open *address* through a local page that redirects to it, to keep the token off the browser's command line."""
    page.touch(mode=0o600)
    page.write_text(f'<meta http-equiv="refresh" content="0; url={address}">', encoding="utf-8")
    threading.Thread(target=webbrowser.open, args=(page.as_uri(),), daemon=True).start()


def _stop(server: Server) -> None:
    """Stop the server and its kernels by closing its standard input; kill it if that does not help."""
    assert server.stdin is not None
    with contextlib.suppress(OSError):
        server.stdin.close()
    try:
        server.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        server.kill()  # its kernels notice and stop
        server.wait()


@contextlib.contextmanager
def _handle_like_ctrl_c(*names: str) -> Iterator[None]:
    """Within the block, these signals raise ``KeyboardInterrupt``. Names unknown to the system are ignored."""
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    handlers = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
