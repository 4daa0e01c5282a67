"""The main job from end to end, on the simulated location: what ``hlkit demo`` does and shows."""

from __future__ import annotations

import base64
import io
import re
import sys
from html import escape
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import pandas as pd

from hlkit.analysis.core.groups import assign_groups
from hlkit.client.disk import working_folder
from hlkit.client.errors import InvalidRequest
from hlkit.client.http.progress import default
from hlkit.client.resources import CATALOG
from hlkit.client.text import many
from hlkit.connection import demo
from hlkit.files.export import write_bytes
from hlkit.location import Location

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = Path("hlkit-demo")
_RESOURCES = ("location", "custom_fields", "contacts", "opportunities")
_COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")  # a source each; "other" is gray
_LAB = """\
  a notebook on the same data: make lab
  a question: {hlkit} run speed_to_lead --by source --demo"""
_NOTEBOOK = """\
  a question: {hlkit} run speed_to_lead --by source --demo
  a notebook on the same data: {lab}jupyter lab, and in it:
    import hlkit as hl
    loc = hl.demo()
    hl.explore(loc)"""


def tour(size: int = 5000, seed: int = 0) -> None:
    """Read the simulated location, show what that gave and cost, draw it, and read it again for nothing."""
    _make_folder()
    print("hlkit demo: a simulated location of a services business. Made-up people, a server on this machine.\n")
    loc = demo(seed=seed, size=size)
    print("reading it:")
    frames = _read_all(loc)
    print(f"  quota: {loc.quota}\n" if loc.quota.told_at else "  quota: untouched\n")
    _show_head(frames["contacts"])
    written = _write(loc, frames)
    print("\nreading everything again:")
    _read_all(loc)
    print("\nwritten (made-up people; with your own data, mind whom you give such files to):")
    for path in written:
        print(f"  {path}")
    steps = _LAB if _has_lab(Path()) else _NOTEBOOK
    print(
        f"\nnext:\n{steps.format(hlkit=_as_called(), lab=_lab_first())}\n"
        "  your own data: make a token in Settings > Private Integrations of your sub-account, set\n"
        "  HIGHLEVEL_PIT and HIGHLEVEL_LOCATION_ID, and in Python:\n"
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
        f"no folder {FOLDER} can be made in {working_folder()}: {reason}", hint="run it in a folder of your own"
    )


def _as_called() -> str:
    """``hlkit``, or the place where it is, as it was typed: ``.venv/bin/hlkit``."""
    typed = Path(sys.argv[0])
    return "hlkit" if typed.is_absolute() or typed.stem != "hlkit" else str(typed)


def _lab_first() -> str:
    """What comes before ``jupyter lab`` where it is not there."""
    return "" if find_spec("jupyterlab") else 'pip install "hlkit[notebook]", then '


def _has_lab(folder: Path) -> bool:
    """Whether ``make lab`` works there: hlkit is at hand as its sources, and so is make."""
    if which("make") is None:
        return False
    try:
        makefile = (folder / "Makefile").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return (folder / "notebooks").is_dir() and re.search(r"^lab\s*:(?!=)", makefile, re.MULTILINE) is not None


def _read_all(loc: Location) -> dict[str, pd.DataFrame]:
    frames = {name: getattr(loc, name)(progress=default(shown_after=0)) for name in _RESOURCES}
    spent = saved = 0
    for name, frame in frames.items():
        told = frame.attrs["hlkit"]
        spent, saved = spent + told["requests"], saved + told["from_cache"]
        print(
            f"  {name:<14} {many(len(frame), 'row'):>11}  {many(told['pages'], 'page'):>8}  "
            f"{many(told['requests'], 'request'):>11}  {many(told['from_cache'], 'answer')} from the cache"
        )
    print(f"  together {many(spent, 'request')}, {many(saved, 'answer')} from the cache")
    return frames


def _show_head(contacts: pd.DataFrame) -> None:
    print(f"contacts: {len(contacts):,} rows, {contacts.shape[1]} columns, custom fields among them\n")
    custom = [name for name in contacts.columns[len(CATALOG["contacts"].columns) :] if contacts[name].dtype != "O"]
    columns = ["name", "source", "created_at", "tags", *contacts[custom].count().nlargest(3).index]
    with pd.option_context("display.width", 150, "display.max_columns", 8, "display.max_colwidth", 26):
        print(contacts[columns].assign(created_at=contacts["created_at"].dt.floor("min")).tail())


def _write(loc: Location, frames: dict[str, pd.DataFrame]) -> list[Path]:
    table = leads_by_month(frames["contacts"], loc.timezone.key)
    figure = draw(table, loc.name or "")
    chart, page = FOLDER / "leads_by_month.png", FOLDER / "leads.html"
    text = _page(table, figure, frames, loc)
    return [write_bytes(_picture(figure, 120), chart), write_bytes(text.encode(), page)]


def _picture(figure: Figure, dpi: int) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, dpi=dpi, format="png")
    return file.getvalue()


def leads_by_month(contacts: pd.DataFrame, timezone: str) -> pd.DataFrame:
    """New contacts, a row a month of the location's own calendar and a column a source, the largest first.

    Spellings of a source that differ in case or in blanks around it are one.
    """
    source = assign_groups(contacts, "source")[1]
    counts = source.value_counts()
    largest = counts.index[: len(_COLORS) if len(counts) <= len(_COLORS) else len(_COLORS) - 1]
    source = source.where(source.isin(largest), "other")
    month = contacts["created_at"].dt.tz_convert(timezone).dt.strftime("%Y-%m").rename("month")
    table = pd.crosstab(month, source.rename("source"))
    order = [*largest, *(["other"] if "other" in table and "other" not in largest else [])]
    return table[order]


def draw(table: pd.DataFrame, name: str) -> Figure:
    """Stacked bars: how many contacts came each month, and from where."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.8), layout="constrained", facecolor="white")
    axes = figure.subplots()
    bottom = pd.Series(0, index=table.index)
    for source, own in zip(table.columns, _COLORS, strict=False):
        color = "#999999" if source == "other" else own
        axes.bar(range(len(table)), table[source], bottom=bottom, color=color, label=_plain(str(source)), width=0.8)
        bottom = bottom + table[source]
    step = max(1, len(table) // 12)
    axes.set_xticks(range(0, len(table), step), table.index[::step], rotation=45, ha="right")
    axes.set(xlabel="month", ylabel="new contacts")
    axes.set_title(_plain(f"Where do new contacts come from? {name}".strip()), parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
    if len(table.columns):  # an empty location has no sources
        legend = axes.legend(title="source", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        for text in legend.get_texts():
            text.set_parse_math(False)
    return figure


def _plain(text: str) -> str:
    """A label that matplotlib shows: one that begins with _ would vanish from the legend."""
    return f" {text}" if text.startswith("_") else text


def _page(table: pd.DataFrame, figure: Figure, frames: dict[str, pd.DataFrame], loc: Location) -> str:
    """One HTML file that asks no other host for anything."""
    name, currency = loc.name or "", next(iter(loc.location()["currency"].dropna()), "")
    image = base64.b64encode(_picture(figure, 110)).decode()
    opportunities = frames["opportunities"]
    deals = opportunities.groupby("status", as_index=False)["value"].agg(["size", "sum"])
    deals.columns = ["status", "deals", f"value ({currency})".replace(" ()", "")]
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(name)}: leads</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a;
  background: #fff; }}
img {{ max-width: 100%; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #ddd; }}
</style>
<h1>{escape(name)}: where leads come from</h1>
<p>{len(frames["contacts"]):,} contacts and {len(opportunities):,} opportunities of a simulated location.
The people are made up.</p>
<img src="data:image/png;base64,{image}" alt="New contacts a month, by source">
<h2>Deals</h2>
{deals.to_html(index=False, border=0, formatters=[str, "{:,}".format, "{:,.0f}".format])}
<h2>New contacts a month</h2>
{table.to_html(border=0)}
</html>
"""
