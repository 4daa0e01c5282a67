"""The explorer as a page: one address with its own token, nothing from another host, nothing left behind."""

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
linux = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks at processes through /proc")


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
def shown(served):
    return got(served[0])


def got(address):
    """The status and the text of a page."""
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def test_the_address_with_its_token_shows_the_explorer(shown):
    status, page = shown

    assert status == 200
    assert "jupyter-config-data" in page
    assert "application/vnd.jupyter.widget-view+json" in page


@pytest.mark.parametrize(
    "spoil", [lambda a: a.partition("?")[0], lambda a: f"{a}x", lambda a: a.replace("?", "tree?x")]
)
def test_without_its_token_the_page_is_refused_and_says_why(served, spoil):
    status, said = got(spoil(served[0]))

    assert status == 403
    assert said == "This page opens with the whole address that hlkit app printed, its token included.\n"


def test_another_template_which_asks_other_hosts_cannot_be_chosen(served):
    assert "cdn.jsdelivr.net" not in got(f"{served[0]}&template=lab")[1]


def test_the_page_asks_no_other_host(shown):
    asked = re.findall(r"""<(?:link|script|img)[^>]*(?:href|src)=["'](https?://[^"']+)""", shown[1])

    assert [one for one in asked if "127.0.0.1" not in one] == []


def test_the_notebook_that_is_served_holds_no_token_and_no_data(monkeypatch, tmp_path):
    monkeypatch.setattr(profiles, "find", lambda name: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert "hl.explore(hl.demo())" in app._cell(True, None)
    assert "hl.explore(location='acme')" in app._cell(False, "acme")
    assert "hl.explore()" in app._cell(False, None)
    monkeypatch.setenv("HIGHLEVEL_PIT", TOKEN)
    monkeypatch.setenv("HIGHLEVEL_LOCATION_ID", "Location00000000001a")
    cell = app._cell(False, None)

    assert "hl.explore(hl.connect())" in cell
    assert TOKEN not in app._notebook(cell)
    assert json.loads(app._notebook(cell))["cells"][0]["outputs"] == []


def test_an_export_goes_where_the_app_was_started(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    assert f"os.chdir({str(tmp_path)!r})" in app._cell(True, None)


def test_what_cannot_be_shown_is_said_before_there_is_a_page(monkeypatch, tmp_path):
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

    for what in ("cmdline", "environ"):
        assert token not in Path(f"/proc/{server.pid}/{what}").read_bytes()


def test_a_port_that_is_taken_is_said():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        with pytest.raises(InvalidRequest, match="cannot be used"), app.served(port=one.getsockname()[1]):
            pass
    with pytest.raises(InvalidRequest, match="cannot be used"), app.served(port=99_999):
        pass


@pytest.mark.parametrize("package", ["voila", "ipykernel"])
def test_without_a_package_the_extra_is_named(monkeypatch, package):
    monkeypatch.setattr(app, "find_spec", lambda name: None if name == package else True)

    with pytest.raises(MissingExtra, match=package) as missing, app.served():
        pass
    assert "hlkit[app]" in missing.value.hint


def test_the_template_is_in_the_package_and_asks_nobody():
    folder = app._HERE / "voila" / "templates" / "hlkit"

    assert json.loads((folder / "conf.json").read_text())["base_template"] == "lab"
    assert "https://" not in (folder / "index.html.j2").read_text()


def test_a_browser_is_led_there_by_a_page_so_that_its_command_line_holds_no_token(monkeypatch, tmp_path):
    opened = []
    monkeypatch.setattr(app.webbrowser, "open", opened.append)

    app._open("http://127.0.0.1:1/?token=secret", tmp_path / "open.html")

    until = time.monotonic() + 10
    while not opened and time.monotonic() < until:
        time.sleep(0.01)
    assert opened == [(tmp_path / "open.html").as_uri()]
    assert "url=http://127.0.0.1:1/?token=secret" in (tmp_path / "open.html").read_text()
    assert (tmp_path / "open.html").stat().st_mode & 0o077 == 0


def children(pid):
    """All processes below *pid*."""
    found = []
    for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += [int(one), *children(int(one))]
    return found


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def heeding():
    for one in (signal.SIGINT, signal.SIGHUP):
        signal.signal(one, signal.SIG_DFL)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_to_end_ends_it_as_ctrl_c_does_and_only_within_the_block(name):
    number = getattr(signal, name)
    before = signal.getsignal(number)

    with pytest.raises(KeyboardInterrupt), app._as_by_ctrl_c(name, "SIGNOSUCH"):
        signal.raise_signal(number)

    assert signal.getsignal(number) is before


@linux
@pytest.mark.parametrize("name", ["SIGHUP", "SIGKILL"])
def test_however_it_ends_no_server_and_no_kernel_is_left(tmp_path, name):
    words = [sys.executable, "-u", "-m", "hlkit", "app", "--no-browser"]
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    pipes["preexec_fn"] = heeding  # a shell's background job ignores some of them, and so would we
    with subprocess.Popen(words, env=env, cwd=tmp_path, start_new_session=True, **pipes) as ran:
        said = ""
        while "Ctrl-C" not in said:
            line = ran.stdout.readline()
            assert line, ran.stderr.read()
            said += line
        addresses = re.findall(r"http://\S+", said)
        assert len(addresses) == 1
        assert got(addresses[0])[0] == 200
        below = children(ran.pid)
        assert len(below) >= 2, "a server and a kernel"

        ran.send_signal(getattr(signal, name))

        ran.wait(20)
        until = time.monotonic() + 20
        while any(map(is_running, below)) and time.monotonic() < until:
            time.sleep(0.05)
        assert [pid for pid in below if is_running(pid)] == []
        if name != "SIGKILL":
            assert ran.returncode == 0
            assert "Traceback" not in ran.stderr.read()
            assert list(tmp_path.glob("hlkit-app-*")) == []
            assert list(tmp_path.glob("voila_*")) == []
