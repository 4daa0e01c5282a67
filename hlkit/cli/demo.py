"""What ``hlkit demo`` does: load the simulated location, draw a chart, and load it again from the cache."""

from __future__ import annotations

import re
import sys
from html import escape
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pandas as pd

from hlkit.analysis.core.result import Result
from hlkit.client.disk import working_folder
from hlkit.client.errors import InvalidRequest
from hlkit.client.http.progress import current_progress
from hlkit.client.resources import CATALOG
from hlkit.client.text import many
from hlkit.connection import demo
from hlkit.files.export import write_bytes
from hlkit.location import Location

FOLDER = Path("hlkit-demo")
_RESOURCES = ("location", "custom_fields", "contacts", "opportunities")
_WITH_LAB = """\
  open a notebook on the same data: make lab
  ask a question: {hlkit} run speed_to_lead --by source --demo"""
_WITHOUT_LAB = """\
  ask a question: {hlkit} run speed_to_lead --by source --demo
  open a notebook on the same data: {install}jupyter lab, then run:
    import hlkit as hl
    loc = hl.demo()
    hl.explore(loc)"""


def run_demo(size: int = 5000, seed: int = 0) -> None:
    """Load the simulated location, print what it holds and cost, draw it, and load it again from the cache."""
    _make_folder()
    print("hlkit demo: a simulated services business, served on this machine. All data is made up.")
    loc = demo(seed=seed, size=size)
    print("\nloading it:")
    frames = _read_all(loc)
    print(f"  quota: {loc.quota}\n" if loc.quota.reported_at else "  no quota used\n")
    _show_contacts(frames["contacts"])
    answer = loc.analyses.win_rates(by="source")
    print(f"\n{answer.question}\n{answer.headline}")
    paths = _write_files(loc, answer)
    print("\nloading it again:")
    _read_all(loc)
    print("\nfiles (with your own data, files like these contain your contacts):")
    for path in paths:
        print(f"  {path}")
    steps = _WITH_LAB if _has_lab_target(Path()) else _WITHOUT_LAB
    install = "" if find_spec("jupyterlab") else 'pip install "hlkit[notebook]", then '
    print(
        f"\nnext:\n{steps.format(hlkit=_command_as_typed(), install=install)}\n"
        "  load your own data: create a token in Settings > Private Integrations of your sub-account, set\n"
        "  HIGHLEVEL_PIT and HIGHLEVEL_LOCATION_ID, and in Python run:\n"
        "    import hlkit as hl\n"
        "    loc = hl.connect()\n"
        "    contacts = loc.contacts()"
    )


def _make_folder() -> None:
    try:
        FOLDER.mkdir(exist_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        return
    raise InvalidRequest(
        f"cannot create the folder {FOLDER} in {working_folder()}: {reason}", hint="run it in a folder of your own"
    )


def _command_as_typed() -> str:
    """``hlkit``, or the relative path that was typed, such as ``.venv/bin/hlkit``."""
    typed = Path(sys.argv[0])
    return "hlkit" if typed.is_absolute() or typed.stem != "hlkit" else str(typed)


def _has_lab_target(folder: Path) -> bool:
    """Whether ``make lab`` works in *folder*: make is installed, and the folder is a checkout of hlkit."""
    if which("make") is None:
        return False
    try:
        makefile = (folder / "Makefile").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return (folder / "notebooks").is_dir() and re.search(r"^lab\s*:(?!=)", makefile, re.MULTILINE) is not None


def _read_all(loc: Location) -> dict[str, pd.DataFrame]:
    frames = {name: getattr(loc, name)(progress=current_progress(shown_after=0)) for name in _RESOURCES}
    requests = from_cache = 0
    for name, frame in frames.items():
        stats = frame.attrs["hlkit"]
        requests, from_cache = requests + stats["requests"], from_cache + stats["from_cache"]
        print(
            f"  {name:<14} {many(len(frame), 'row'):>11}  {many(stats['pages'], 'page'):>8}  "
            f"{many(stats['requests'], 'request'):>11}  {many(stats['from_cache'], 'page')} from the cache"
        )
    print(f"  total: {many(requests, 'request')}, {many(from_cache, 'page')} from the cache")
    return frames


def _show_contacts(contacts: pd.DataFrame) -> None:
    print(f"contacts: {len(contacts):,} rows, {contacts.shape[1]} columns including custom fields\n")
    custom = [name for name in contacts.columns[len(CATALOG["contacts"].columns) :] if contacts[name].dtype != "O"]
    columns = ["name", "source", "created_at", "tags", *contacts[custom].count().nlargest(3).index]
    with pd.option_context("display.width", 150, "display.max_columns", 8, "display.max_colwidth", 26):
        print(contacts[columns].assign(created_at=contacts["created_at"].dt.floor("min")).tail())


def _write_files(loc: Location, result: Result) -> list[Path]:
    """Write the chart of an analysis, and a page with its headline, chart and table that loads nothing else."""
    page = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(result.question)}</title>
<body style="font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem">
<h1>{escape(loc.name or "")}</h1>
<p>A simulated location: all data is made up.</p>
{result._repr_html_()}
</html>
"""
    return [result.save(FOLDER / "win_rates.png"), write_bytes(page.encode(), FOLDER / "win_rates.html")]
