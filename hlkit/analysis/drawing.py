"""Around every chart: its title, names drawn as they are, and words where there is nothing to draw.

Names come from the public. Matplotlib would take one with ``$`` for a formula, hide one that begins with ``_``
from a legend, and warn of letters that its font lacks; so a chart gets a table whose texts are safe to draw.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.measures import WEEKDAYS
from hlkit.tables.names import NAMED_BY
from hlkit.tables.text import BREAKS, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Chart = Callable[[pd.DataFrame, "Axes"], object]

INK, GREY, PALE = "#1a1a1a", "#8c8c8c", "#d9d9d9"
# Okabe & Ito's palette: told apart also by the colour-blind.
BLUE, ORANGE, GREEN, RED, SKY, PINK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7"
PALETTE = (BLUE, ORANGE, GREEN, RED, SKY, PINK)
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "legend.frameon": False,
}
MOST = 12  # groups in one chart: more would not be readable
_LONGEST = 26  # letters in a line of a name on an axis


@contextmanager
def style() -> Iterator[None]:
    """hlkit's look, whatever the notebook's own is."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        yield


def draw(table: pd.DataFrame, ax: Axes, chart: Chart, title: str, needs: Sequence[str]) -> Axes:
    """Draw *table* by *chart*, or say that there is nothing to show yet, and why.

    *needs* are the columns that the chart draws: a row with none of them has nothing to show.
    """
    with style():
        ax.spines[["top", "right"]].set_visible(False)  # also where the axes are somebody's own
        shown = table.dropna(subset=list(needs), how="all") if needs else table
        if len(shown):
            chart(_safe(shown), ax)
        else:
            _nothing(ax, table, needs)
        ax.set_title("\n".join(textwrap.wrap(title, 48)), loc="left", color=INK, pad=16)
    return ax


def _nothing(ax: Axes, table: pd.DataFrame, needs: Sequence[str]) -> None:
    columns = ", ".join(needs)
    why = f"none of the {len(table):,} rows has a value of {columns}" if len(table) else "the table has no rows"
    words = "\n".join(["nothing to show yet", *textwrap.wrap(f"({why})", 50)])
    ax.text(0.5, 0.5, words, ha="center", va="center", transform=ax.transAxes, color=GREY, parse_math=False)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


# ---- names


def _safe(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its texts safe to draw, and names in the place of ids where they stand beside them."""
    out = table.reset_index(drop=True)
    for column, (name, _) in NAMED_BY.items():
        if column in out and name in out:
            out[column] = named_or_not(out[name], out[column], name)
            out = out.drop(columns=name)
    return each_text(out, drawable)


def each_text(table: pd.DataFrame, function: Callable[[object], object]) -> pd.DataFrame:
    """The table with *function* of each text in it."""
    texts = [one for one in table if isinstance(table[one].dtype, pd.StringDtype) or table[one].dtype == object]
    return table.assign(**{str(one): table[one].map(function, na_action="ignore") for one in texts})


def named_or_not(names: pd.Series, ids: pd.Series, what: str) -> pd.Series:
    """The name, or for an id that nobody knows any more "unknown owner …x7Qp"; a group such as (none) stays."""
    unknown = f"unknown {what} …" + ids.str[-4:]
    kept = names.where(names.notna(), unknown)
    return kept.where(~ids.fillna("(").str.startswith("("), ids)


def drawable(text: object) -> object:
    """*text* as matplotlib draws it whole: two short lines at most, no formula, no missing letters."""
    if not isinstance(text, str):
        return text
    plain = BREAKS.sub(" ", printable(text))
    if len(plain) > _LONGEST:
        first, second, *more = [*textwrap.wrap(plain, _LONGEST), ""]
        plain = f"{first}\n{second[: _LONGEST - 1]}…" if "".join(more) else f"{first}\n{second}".rstrip()
    if not plain.isascii():
        plain = "".join(letter if letter.isascii() or _has(ord(letter)) else "□" for letter in plain)
    plain = plain.replace("$", r"\$")
    return f" {plain}" if plain.startswith("_") else plain


@functools.lru_cache(maxsize=4096)
def _has(letter: int) -> bool:
    import matplotlib as mpl
    from matplotlib.font_manager import FontProperties, findfont, get_font

    families = mpl.rcParams["font.family"]
    paths = {findfont(FontProperties(family=[family])) for family in families}
    return any(get_font(path).get_char_index(letter) for path in paths)


# ---- what several charts draw


def most(table: pd.DataFrame, ax: Axes, by: str | None = None, count: int = MOST) -> pd.DataFrame:
    """The first rows of *table* (the largest by *by*), as many as a chart can hold; the rest is told below it."""
    shown = table.head(count) if by is None else table.loc[table[by].nlargest(count).sort_index().index]
    if len(shown) < len(table):
        rest = len(table) - len(shown)
        ax.annotate(
            f"and {rest:,} more in the table",
            (1, 1),
            xycoords="axes fraction",
            ha="right",
            va="bottom",
            color=GREY,
            fontsize=8,
        )
    return shown


def rows_of_names(ax: Axes, names: Sequence[str], counts: Sequence[float] | None = None) -> np.ndarray:
    """Name the rows of a horizontal chart, the first on top, with *n* where there are *counts*; their places."""
    places = np.arange(len(names))
    told = (
        list(names)
        if counts is None
        else [f"{name} (n = {int(count):,})" for name, count in zip(names, counts, strict=True)]
    )
    is_crowded = len(told) > 8 and any("\n" in one for one in told)  # lines of 9 points would overlap
    ax.set_yticks(places, told)
    for label in ax.get_yticklabels() if is_crowded else ():
        label.set(fontsize=6, linespacing=1.0)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    return places


_DURATIONS = {  # minutes
    "10 s": 1 / 6,
    "1 min": 1,
    "5 min": 5,
    "15 min": 15,
    "1 h": 60,
    "4 h": 240,
    "1 day": 1440,
    "1 week": 7 * 1440,
    "1 month": 30 * 1440,
    "1 year": 365 * 1440,
}


def durations(ax: Axes, axis: Literal["x", "y"] = "x", unit: Literal["minutes", "days"] = "minutes") -> None:
    """A logarithmic axis of times, with the ticks that people say: 5 min, 1 h, 1 day."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    per = 1 if unit == "minutes" else 1440
    names = {minutes / per: name for name, minutes in _DURATIONS.items()}
    one = ax.xaxis if axis == "x" else ax.yaxis
    (ax.set_xscale if axis == "x" else ax.set_yscale)("log")
    one.set_major_locator(FixedLocator(list(names)))
    one.set_minor_locator(NullLocator())
    one.set_major_formatter(FuncFormatter(lambda value, _: names.get(value, "")))
    ax.grid(axis=axis, color=PALE, linewidth=0.6)
    ax.set_axisbelow(True)


def percents(ax: Axes, axis: Literal["x", "y"] = "x") -> None:
    """An axis of shares, told in percent, with a grid."""
    from matplotlib.ticker import PercentFormatter

    (ax.xaxis if axis == "x" else ax.yaxis).set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(axis=axis, color=PALE, linewidth=0.6)
    ax.set_axisbelow(True)


def medians_beside(
    ax: Axes,
    medians: Sequence[float],
    small: Sequence[bool] | None = None,
    all_hours: Sequence[float] | None = None,
) -> None:
    """At the right of each row, whose shares end at 1, its median in minutes; and that of all hours, if given."""
    size = 6 if all_hours is not None and len(medians) > 8 else 8  # two lines in each of many rows would overlap
    for place, minutes in enumerate(medians):
        label = f"median {how_long(minutes)}" if np.isfinite(minutes) else "no median yet"
        if all_hours is not None and np.isfinite(all_hours[place]):
            label += f"\n({how_long(all_hours[place])} in all hours)"
        color = GREY if small is not None and small[place] else INK
        ax.text(1.05, place, label, va="center", color=color, fontsize=size, linespacing=1.0)


def week_of(ax: Axes, table: pd.DataFrame, what: str) -> np.ndarray:
    """The values of *what* by weekday and hour, null where there is none; names the rows of *ax*."""
    grid = np.full((7, 24), np.nan)
    day = table["weekday"].map({name: place for place, name in enumerate(WEEKDAYS)}).to_numpy("int64")
    grid[day, table["hour"].to_numpy("int64")] = table[what].to_numpy("float64")
    ax.set_yticks(range(7), [name[:3] for name in WEEKDAYS])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return grid


def how_long(minutes: float) -> str:
    """A time as people say it: 40 s, 18 min, 3.5 h, 12 days; a dash where there is none."""
    if not np.isfinite(minutes):
        return "-"
    for per, most_, unit in ((1 / 60, 1, "s"), (1, 90, "min"), (60, 48 * 60, "h")):
        if minutes < most_:
            value = minutes / per
            return f"{value:.1f} {unit}" if unit == "h" and value < 10 else f"{value:.0f} {unit}"
    return f"{minutes / 1440:,.0f} days"


def dots(
    ax: Axes,
    names: Sequence[str],
    share: pd.Series,
    low: pd.Series,
    high: pd.Series,
    *,
    counts: pd.Series | None = None,
    small: pd.Series | None = None,
    colour: str = BLUE,
) -> None:
    """A share per row as a dot in its 95% interval, on a percent axis; small groups are grey."""
    places = rows_of_names(ax, list(names), None if counts is None else counts.fillna(0).tolist())
    grey = np.zeros(len(share), dtype=bool) if small is None else small.fillna(False).to_numpy(dtype=bool)
    colours = np.where(grey, GREY, colour).tolist()
    ax.hlines(places, low.to_numpy("float64"), high.to_numpy("float64"), colors=colours, linewidth=2, alpha=0.5)
    ax.scatter(share.to_numpy("float64"), places, c=colours, s=36, zorder=3)
    percents(ax)
    if grey.any():
        ax.annotate("gray: fewer than 20 rows", (0, -0.2), xycoords="axes fraction", color=GREY, fontsize=8, va="top")
