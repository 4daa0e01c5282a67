"""``hlkit app``: one address with its own token, nothing loaded from other hosts, nothing left afterwards."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest

from hlkit import app
from hlkit.client import profiles
from hlkit.client.errors import InvalidRequest, InvalidToken, MissingExtra, NotFound
from hlkit.sim.tokens import TOKEN

if not find_spec("voila"):
    pytest.skip('hlkit app needs the extra app: pip install "hlkit[app]"', allow_module_level=True)
linux = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads processes from /proc")


@pytest.fixture(autouse=True)
def no_token_in_the_environment(monkeypatch):
    for name in ("HIGHLEVEL_PIT", "HIGHLEVEL_LOCATION_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        with app.served(demo=True) as (address, server):
            yield address, server


@pytest.fixture(scope="module")
def page(served):
    return fetch(served[0])


def fetch(address):
    """The status and the text of a page."""
    try:
        with urllib.request.urlopen(address, timeout=60) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_address_with_its_token_shows_the_explorer(page):
    status, html = page

    assert status == 200
    assert "jupyter-config-data" in html
    assert "application/vnd.jupyter.widget-view+json" in html


@pytest.mark.parametrize(
    "change", [lambda a: a.partition("?")[0], lambda a: f"{a}x", lambda a: a.replace("?", "tree?x")]
)
def test_without_its_token_the_page_is_refused_and_says_why(served, change):
    status, text = fetch(change(served[0]))

    assert status == 403
    assert text == "Open this page with the full address that hlkit app printed, including the token.\n"


def test_a_template_that_loads_from_other_hosts_cannot_be_chosen(served):
    assert "cdn.jsdelivr.net" not in fetch(f"{served[0]}&template=lab")[1]


def test_the_page_loads_nothing_from_other_hosts(page):
    urls = re.findall(r"""<(?:link|script|img)[^>]*(?:href|src)=["'](https?://[^"']+)""", page[1])

    assert [url for url in urls if "127.0.0.1" not in url] == []


def test_the_notebook_contains_no_token_and_no_data(monkeypatch, tmp_path):
    monkeypatch.setattr(profiles, "find", lambda name: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "hl.explore(hl.demo())" in app._cell_source(True, None)
    assert "hl.explore(location='acme')" in app._cell_source(False, "acme")
    assert "hl.explore()" in app._cell_source(False, None)
    monkeypatch.setenv("HIGHLEVEL_PIT", TOKEN)
    monkeypatch.setenv("HIGHLEVEL_LOCATION_ID", "Location00000000001a")
    source = app._cell_source(False, None)

    assert "hl.explore(hl.connect())" in source
    assert TOKEN not in app._notebook(source)
    assert json.loads(app._notebook(source))["cells"][0]["outputs"] == []


def test_exports_go_to_the_folder_where_the_app_was_started(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    assert f"os.chdir({str(tmp_path)!r})" in app._cell_source(True, None)


def test_a_wrong_profile_or_token_is_reported_before_the_page_opens(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(NotFound, match="nobody"), app.served(profile="nobody"):
        pass
    monkeypatch.setenv("HIGHLEVEL_PIT", "")
    with pytest.raises(InvalidToken), app.served():
        pass


@linux
def test_its_token_is_on_no_command_line_and_in_no_environment(served):
    address, server = served
    token = address.partition("token=")[2].encode()

    for name in ("cmdline", "environ"):
        assert token not in Path(f"/proc/{server.pid}/{name}").read_bytes()


def test_a_port_in_use_is_reported():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(InvalidRequest, match="cannot be used"), app.served(port=listener.getsockname()[1]):
            pass
    with pytest.raises(InvalidRequest, match="cannot be used"), app.served(port=99_999):
        pass


@pytest.mark.parametrize("package", ["voila", "ipykernel"])
def test_without_a_package_the_error_names_the_extra(monkeypatch, package):
    monkeypatch.setattr(app, "find_spec", lambda name: None if name == package else True)

    with pytest.raises(MissingExtra, match=package) as caught, app.served():
        pass
    assert "hlkit[app]" in caught.value.hint


def test_the_template_is_in_the_package_and_loads_nothing_from_other_hosts():
    folder = app._FOLDER / "voila" / "templates" / "hlkit"

    assert json.loads((folder / "conf.json").read_text())["base_template"] == "lab"
    assert "https://" not in (folder / "index.html.j2").read_text()


def test_the_browser_opens_a_page_that_redirects_so_its_command_line_has_no_token(monkeypatch, tmp_path):
    opened = []
    monkeypatch.setattr(app.webbrowser, "open", opened.append)

    app._open_browser("http://127.0.0.1:1/?token=secret", tmp_path / "open.html")

    deadline = time.monotonic() + 10
    while not opened and time.monotonic() < deadline:
        time.sleep(0.01)
    assert opened == [(tmp_path / "open.html").as_uri()]
    assert "url=http://127.0.0.1:1/?token=secret" in (tmp_path / "open.html").read_text()
    assert (tmp_path / "open.html").stat().st_mode & 0o077 == 0


def children(pid):
    """All descendants of the process *pid*."""
    descendants = []
    for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        descendants += [child, *children(child)]
    return descendants


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def reset_signals():
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_termination_signals_act_like_ctrl_c_within_the_block_only(name):
    number = getattr(signal, name)
    handler = signal.getsignal(number)

    with pytest.raises(KeyboardInterrupt), app._handle_like_ctrl_c(name, "SIGNOSUCH"):
        signal.raise_signal(number)

    assert signal.getsignal(number) is handler


@linux
@pytest.mark.parametrize("name", ["SIGHUP", "SIGKILL"])
def test_after_any_signal_no_server_and_no_kernel_is_left(tmp_path, name):
    command = [sys.executable, "-u", "-m", "hlkit", "app", "--no-browser"]
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    pipes["preexec_fn"] = reset_signals  # the child would inherit ignored signals, as in a shell's background job
    with subprocess.Popen(command, env=env, cwd=tmp_path, start_new_session=True, **pipes) as process:
        output = ""
        while "Ctrl-C" not in output:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            output += line
        addresses = re.findall(r"http://\S+", output)
        assert len(addresses) == 1
        assert fetch(addresses[0])[0] == 200
        processes = children(process.pid)
        assert len(processes) >= 2, "a server and a kernel"

        process.send_signal(getattr(signal, name))

        process.wait(20)
        deadline = time.monotonic() + 20
        while any(map(is_running, processes)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert [pid for pid in processes if is_running(pid)] == []
        if name != "SIGKILL":
            assert process.returncode == 0
            assert "Traceback" not in process.stderr.read()
            assert list(tmp_path.glob("hlkit-app-*")) == []
            assert list(tmp_path.glob("voila_*")) == []
