"""The explorer in a real browser, in JupyterLab and as a page of its own: click, cancel, filter, compare.

Debian's chromium, driven by playwright; skipped where one of them is missing, unless HLKIT_BROWSER=required.
Pictures of what was seen go where HLKIT_SCREENSHOTS says.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import notebook_files
import pandas as pd
import pytest
from faultkit import FaultySimulation, hostile

import hlkit as hl
from hlkit import app
from hlkit.explorer.analysis_tab import picker_label
from hlkit.sim import Simulation, account

CHROMIUM = shutil.which("chromium")
SHOTS = Path(os.environ["HLKIT_SCREENSHOTS"]) if "HLKIT_SCREENSHOTS" in os.environ else None
TYPED = "carlos"


@pytest.fixture(scope="module")
def browser():
    wanted = os.environ.get("HLKIT_BROWSER") == "required"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = None
    if CHROMIUM is None or sync_playwright is None:
        assert not wanted, "no chromium or no playwright, and HLKIT_BROWSER=required"
        pytest.skip("no browser here: apt install chromium, pip install playwright")
    for module in ("jupyterlab", "voila"):
        pytest.importorskip(module, reason="the explorer's pages need hlkit[all]")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Caches and settings of its own, for this process and those that it starts."""
    folder = tmp_path_factory.mktemp("home")
    names = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
    with pytest.MonkeyPatch.context() as patch:
        for name in (*names, "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_WORKSPACES_DIR"):
            patch.setenv(name, str(folder / name.lower()))
        for name in ("HIGHLEVEL_PIT", "HIGHLEVEL_LOCATION_ID"):
            patch.delenv(name, raising=False)
        yield folder


@pytest.fixture
def page(browser):
    """A page that asked no other host, on which nothing broke."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    bad = []
    page.on("pageerror", lambda error: bad.append(str(error)))
    page.on("request", lambda asked: bad.append(asked.url) if _is_elsewhere(asked.url) else None)
    yield page
    assert page.title() != "owned"
    page.close()
    assert bad == []


def _is_elsewhere(url):
    return not url.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:", "about:"))


@contextlib.contextmanager
def lab(home, source):
    """JupyterLab on a notebook of one cell: its address and the notebook."""
    folder = home / f"lab-{time.monotonic_ns()}"
    folder.mkdir()
    (folder / "explorer.ipynb").write_text(notebook_files.text(notebook_files.new(source)), encoding="utf-8")
    settings = home / "jupyter_config_dir" / "lab" / "user-settings" / "@jupyterlab"
    for place, told in (
        ("apputils-extension/notification", {"fetchNews": "false", "checkForUpdates": False}),
        ("notebook-extension/tracker", {"windowingMode": "none"}),
    ):
        path = settings / f"{place}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(told))
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    command += ["--IdentityProvider.token=made-up", f"--ServerApp.root_dir={folder}"]
    with (home / "lab.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status?token=made-up", timeout=2).close()
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/lab/tree/explorer.ipynb?token=made-up&reset", folder / "explorer.ipynb"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def cell(then, cache=False, url=""):
    """The cell of a notebook that connects by the environment, and does *then* with the location."""
    return f"import hlkit as hl\n\nloc = hl.connect(base_url={url!r}, cache={str(cache)!r})\n{then}"


@pytest.fixture
def slow(monkeypatch):
    """A location that answers slowly; the environment has its token."""
    with Simulation(size=1500, as_of="2026-01-01", latency=0.4) as simulation:
        monkeypatch.setenv("HIGHLEVEL_PIT", simulation.token)
        monkeypatch.setenv("HIGHLEVEL_LOCATION_ID", simulation.location_id)
        yield simulation


def run_all(page, address):
    page.goto(address, wait_until="domcontentloaded")
    page.wait_for_function("() => window.jupyterapp && window.jupyterapp.started")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
    page.wait_for_function(
        "() => { const c = window.jupyterapp.shell.currentWidget?.sessionContext;"
        " return c?.isReady && c.session?.kernel?.status === 'idle' }",
        timeout=60_000,
    )
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")


def tab(page, name):
    page.locator(".hlkit-app").first.get_by_role("tab", name=name, exact=True).click()


OPTIONS_SHOWN = """names => {
    const shown = [...document.querySelectorAll('[class*=hlkit-choice-]')].map(
        control => [...control.classList].find(name => name.startsWith('hlkit-choice-')))
    return JSON.stringify(shown.sort()) === JSON.stringify(names)
}"""


def runs(page, name):
    """Run an analysis to its end."""
    analysis = hl.analyses[name]
    page.locator(".hlkit-analysis select").select_option(label=picker_label(analysis))
    names = [f"hlkit-choice-{option}" for option in analysis.options if option not in analysis.filled_by_location]
    page.wait_for_function(OPTIONS_SHOWN, arg=sorted(names), timeout=20_000)  # they move the button
    page.locator("button.hlkit-run").click()
    picture = page.locator(f'.hlkit-output img[alt="{analysis.question}"]')
    failure = page.locator(".hlkit-failure")
    picture.or_(failure).first.wait_for(state="attached", timeout=60_000)
    assert failure.all_inner_texts() == []


def seen(page):
    """The rows of the answer's table, as texts."""
    page.locator(".hlkit-output").get_by_role("tab", name="Table", exact=True).click()
    return page.locator("table.hlkit-result tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText))"
    )


def shoot(page, name):
    if SHOTS is None:
        return
    SHOTS.mkdir(exist_ok=True)
    page.wait_for_timeout(300)
    page.screenshot(path=str(SHOTS / f"{name}.png"))


def on_the_demo(page, name):
    """Choose the demo, find contacts, run two analyses; what the page says is what the frames say."""
    loc = hl.demo()
    page.locator(".hlkit-location-picker select").select_option(label="Demo (made-up data)")
    page.locator(".hlkit-location").get_by_text("demo: made-up data").wait_for(timeout=60_000)
    shoot(page, f"{name}-location")
    tab(page, "Contacts")
    page.locator("button.hlkit-contacts-load").click()
    page.locator("table.hlkit-found").wait_for(timeout=60_000)
    page.get_by_role("textbox", name="Search").fill(TYPED)
    contacts = loc.contacts()
    text = contacts[["name", "email", "phone", "company_name"]].fillna("").agg(" ".join, axis=1).str.casefold()
    found = int(text.str.contains(TYPED, regex=False).sum())
    page.get_by_text(f"of {found:,} contacts, filtered from {len(contacts):,}").wait_for(timeout=20_000)
    shoot(page, f"{name}-contacts")
    tab(page, "Analyses")
    runs(page, "speed_to_lead")
    table = loc.analyses.speed_to_lead().table
    assert [int(row[1].replace(",", "")) for row in seen(page)] == table["n"].tolist()
    page.locator(".hlkit-output").get_by_role("tab", name="Chart", exact=True).click()
    shoot(page, f"{name}-analyses")
    page.set_viewport_size({"width": 1024, "height": 900})
    shoot(page, f"{name}-analyses-1024")
    page.set_viewport_size({"width": 1200, "height": 900})
    tab(page, "Quota")
    page.get_by_text("Served from cache").wait_for(timeout=20_000)
    shoot(page, f"{name}-quota")


def a_long_table(page, name):
    """Run an analysis of many rows: its table is one to turn and search, and holds what the frame holds."""
    tab(page, "Analyses")
    runs(page, "lead_volume")
    table = hl.demo().analyses.lead_volume().table
    page.locator(".hlkit-output").get_by_role("tab", name="Table", exact=True).click()
    page.get_by_text(f"of {len(table):,} entries").wait_for(timeout=20_000)
    place = table.columns.get_loc("leads")
    assert [int(row[place]) for row in seen(page)] == table["leads"].head(25).tolist()
    shoot(page, f"{name}-long-table")


def cancels_twice(page):
    """Run and Cancel, two times in one session: the second would be dead where a callback blocks the kernel."""
    for _ in range(2):
        page.locator("button.hlkit-run:not([disabled])").click(timeout=60_000)
        page.locator(".hlkit-task-message").get_by_text("pages ·").wait_for(timeout=20_000)
        took = page.evaluate(CANCELS)
        print(f"Cancel took {took:.0f} ms")
        assert took < 1000
        page.locator("button.hlkit-run:not([disabled])").wait_for(timeout=2000)


CANCELS = """() => new Promise((told, failed) => {
    const began = performance.now();
    document.querySelector('button.hlkit-cancel').click();
    const look = () => {
        const words = document.querySelector('.hlkit-task-message')?.innerText ?? '';
        if (words.startsWith('Stopped')) told(performance.now() - began);
        else if (performance.now() - began > 20000) failed(words);
        else setTimeout(look, 20);
    };
    look();
})"""


def test_the_page_of_its_own_cancels_finds_runs_and_exports(home, page, slow, tmp_path, monkeypatch):
    source = cell(f"import os\nos.chdir({str(tmp_path)!r})\nhl.explore(loc, view='Analyses')", tmp_path, slow.url)
    monkeypatch.setattr(app, "_cell_source", lambda demo, profile: source)
    with app.served() as (address, _):
        page.goto(address)
        cancels_twice(page)
        tab(page, "Location")
        on_the_demo(page, "page")
        tab(page, "Analyses")
        page.locator(".hlkit-output").get_by_role("tab", name="Export", exact=True).click()
        page.locator(".hlkit-output button.hlkit-export-csv").click()
        page.get_by_text("Saved to").wait_for(timeout=20_000)
        page.goto(f"{address}&theme=dark")
        page.locator("button.hlkit-run").wait_for(timeout=60_000)
        shoot(page, "page-dark-analyses")
    written = pd.read_csv(tmp_path / "speed_to_lead.csv")
    assert written["n"].tolist() == hl.demo().analyses.speed_to_lead().table["n"].tolist()


def test_in_jupyterlab_it_cancels_finds_runs_and_a_saved_notebook_holds_nothing(home, page, slow, tmp_path):
    then = "from hlkit.explorer import explorer\n\nprint('cell known:', explorer._current_cell()[0] is not None)\n"
    source = cell(then + "app = hl.explore(loc, view='Analyses')\napp", tmp_path, slow.url)
    with lab(home, source) as (address, notebook):
        run_all(page, address)
        page.get_by_text("cell known: True").wait_for(timeout=60_000)
        cancels_twice(page)
        tab(page, "Location")
        on_the_demo(page, "lab")
        a_long_table(page, "lab")
        page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
        for name in ("Location", "Contacts", "Analyses", "Quota"):
            tab(page, name)
            shoot(page, f"lab-dark-{name.lower()}")
        before = notebook.stat().st_mtime_ns
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        until = time.monotonic() + 20
        while notebook.stat().st_mtime_ns == before and time.monotonic() < until:
            page.wait_for_timeout(50)
        page.wait_for_timeout(300)
        saved = notebook.read_text(encoding="utf-8")
    assert "hlkit explorer" in saved, "the card, for whatever shows no widgets"
    assert slow.token not in saved
    assert TYPED not in saved.lower()
    assert "widgets" not in json.loads(saved)["metadata"]


def test_a_notebook_run_by_nbclient_holds_no_token_and_beside_the_widget_state_no_search(home, tmp_path, slow):
    slow.latency = 0
    then = "app = hl.explore(loc)\napp.contacts.start()\napp.contacts.task.join()\n"
    then += f"app.contacts.search.value = {TYPED!r}"
    made = notebook_files.new(cell(then + "\napp", tmp_path, slow.url))
    notebook_files.run(made, tmp_path, store_widget_state=True)
    made.cells[0].source = ""

    assert slow.token not in notebook_files.text(made)
    assert "hlkit explorer" in notebook_files.text(made)
    # The state holds all that was on the screen: our own notebooks are run without, and have none in their metadata.
    assert TYPED in json.dumps(made.metadata.pop("widgets"))
    assert TYPED not in notebook_files.text(made)


MARK = "document.title='owned'"
NASTY = (
    f'<img src="http://x.example/pixel.png" onerror="{MARK}">',
    f"<script>{MARK}</script>",
    f'"><svg onload="{MARK}">',
    f'</style></textarea></pre><iframe srcdoc="<script>parent.{MARK}</script>"></iframe>',
)


def test_names_from_outside_run_no_script(home, page, monkeypatch, tmp_path):
    """Names, tags, fields and their values, messages, the owners and the location itself, in every view."""
    monkeypatch.setitem(hostile.SETS, "text", NASTY)
    monkeypatch.setattr(hostile, "KEYS", NASTY)
    monkeypatch.setattr(hostile, "STEP", 1)
    monkeypatch.setattr(account, "NAME", NASTY[0])
    monkeypatch.setattr(account, "PEOPLE", tuple((NASTY[0], last, role) for _, last, role in account.PEOPLE))
    with FaultySimulation(size=60, as_of="2026-01-01") as simulation:
        simulation.fault("text")
        simulation.fault("keys")
        monkeypatch.setenv("HIGHLEVEL_PIT", simulation.token)
        monkeypatch.setenv("HIGHLEVEL_LOCATION_ID", simulation.location_id)
        then = (
            "from hlkit.explorer import analysis_tab\n\n"
            "loc.location(), loc.users()\n"
            "analysis_tab._SHORT_TABLE_ROWS = 0  # an interactive table for any result\n"
            "columns = ['name', 'tags', 'owner', *[one for one in loc.contacts().columns if '<' in one]]\n"
            "app = hl.explore(loc, view='Contacts', contacts={'columns': columns}, analysis='speed_to_lead',\n"
            "                 options={'by': 'company_name'})\n"
            "app"
        )
        with lab(home, cell(then, tmp_path, simulation.url)) as (address, _):
            run_all(page, address)
            table = page.locator("table.hlkit-found")
            table.wait_for(timeout=60_000)
            assert table.locator("th").get_by_text("<img src=").first.is_visible()
            assert table.locator("td").get_by_text("<img src=").first.is_visible()
            page.locator(".hlkit-contacts-picker select").select_option(index=1)
            page.locator("button.hlkit-contacts-open").click()
            page.locator("table.hlkit-timeline").wait_for(timeout=20_000)
            assert page.locator(".hlkit-contacts-page").get_by_text("<img src=").first.is_visible()
            shoot(page, "lab-hostile")
            tab(page, "Analyses")
            page.locator("button.hlkit-run").click()
            page.locator(".hlkit-output img").wait_for(state="attached", timeout=60_000)
            assert any("<img" in row[0] for row in seen(page))
            tab(page, "Location")
            assert page.locator(".hlkit-location h2").get_by_text("<img src=").first.is_visible()
            page.wait_for_timeout(300)
            assert page.title() != "owned"


def test_the_mark_is_left_where_such_a_name_is_not_escaped(browser):
    page = browser.new_page()
    for name in NASTY:
        page.set_content(f"<title>calm</title>{name.replace('http://x.example', '')}")
        page.wait_for_function("() => document.title === 'owned'", timeout=5000)
    page.close()
