"""Around every chart: its title, names drawn as they are, and words where there is nothing to draw.

Names come from the public. Matplotlib would take one with ``$`` for a formula, hide one that begins with ``_``
from a legend, and warn of letters that its font lacks; so a chart gets a table whose texts are safe to draw.
"""

from __future__ import annotations

import functools
import io
import textwrap
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.groups import WEEKDAYS
from hlkit.client.errors import InvalidRequest
from hlkit.client.frames.names import NAMED_BY
from hlkit.client.text import BREAKS, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

Chart = Callable[[pd.DataFrame, "Axes"], object]

INK, GRAY, PALE = "#1a1a1a", "#8c8c8c", "#d9d9d9"
# Okabe & Ito's palette: told apart also by the color-blind.
BLUE, ORANGE, GREEN, RED, SKY, PINK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7"
PALETTE = (BLUE, ORANGE, GREEN, RED, SKY, PINK)
SIZE = 9  # points of text; notes are one smaller
MAX_ROWS = 12  # groups in one chart: more would not be readable
_LONGEST = 26  # letters in a line of a name on an axis


def new_axes(figure: Figure) -> Axes:
    """The axes of a chart on an empty figure, in hlkit's look whatever the notebook's own is."""
    figure.set(facecolor="white", edgecolor="white", linewidth=0, frameon=True)
    figure.set_layout_engine("constrained", h_pad=0.04167, w_pad=0.04167, hspace=0.02, wspace=0.02)
    ax = figure.add_subplot()
    ax.set(facecolor="white", xmargin=0.05, ymargin=0.05)
    ax.minorticks_off()
    ax.grid(False)
    ax.tick_params(left=True, bottom=True, right=False, top=False, direction="out", length=3.5, width=0.8, pad=3.5)
    ax.tick_params(labelleft=True, labelbottom=True, labelright=False, labeltop=False)
    ax.spines[:].set(visible=True, linewidth=0.8)
    for part in (ax, *ax.get_children(), figure.patch):
        part.set(sketch_params=None, path_effects=[])
    return ax


def picture(figure: Figure, form: str, dpi: float) -> bytes:
    """The figure as a file: png, svg or pdf."""
    file = io.BytesIO()
    figure.savefig(
        file,
        format=form,
        dpi=dpi,
        facecolor="white",
        edgecolor="white",
        transparent=False,
        bbox_inches=figure.bbox_inches,
    )
    return file.getvalue()


def checked_axes(ax: Any) -> Axes:
    """Axes that a chart can be drawn on. Raises ``InvalidRequest``."""
    from matplotlib.axes import Axes

    got = f"a {type(ax).__name__}"
    if isinstance(ax, Axes):
        if ax.figure is None:
            got = "axes that were removed from their figure"
        elif {"top", "right"} <= set(ax.spines) and not hasattr(ax, "zaxis"):
            return ax
    raise InvalidRequest(
        f"a chart is drawn on axes of x and y, and ax is {got}",
        hint="give it one, such as plt.subplots()[1], of several one alone, such as ax[0, 1], or leave ax out",
    )


def draw(table: pd.DataFrame, ax: Axes, chart: Chart, title: str, needs: Sequence[str]) -> Axes:
    """Draw *table* by *chart*, or say that there is nothing to show yet, and why.

    *needs* are the columns that the chart draws: a row with none of them has nothing to show. Matplotlib's settings
    are one dictionary for all threads, so hlkit changes none of them, not even for a while: another thread would
    draw with them meanwhile. What a chart looks like is set on what it consists of.
    """
    figure = ax.figure.figure if ax.figure is not None else None  # of a subfigure the whole figure
    others = set(figure.axes) if figure is not None else set()
    there = set(ax.findobj())  # on axes of somebody's own
    ax.spines[["top", "right"]].set_visible(False)
    _set_look(ax)
    shown = table.dropna(subset=list(needs), how="all") if needs else table
    if len(shown):
        chart(_safe(shown), ax)
    else:
        _nothing(ax, table, needs)
    title = "\n".join(textwrap.wrap(title, 48))
    heading = ax.set_title(title, loc="left", y=1.0, color=INK, pad=16, fontsize=SIZE + 2, fontweight="normal")
    _settle(ax, there - {heading})
    for bar in figure.axes if figure is not None else ():
        if bar not in others:
            _settle(bar)
    return ax


def _set_look(ax: Axes) -> None:
    """Colors and sizes of the axes."""
    ax.set_axisbelow("line")
    ax.tick_params(color=INK, labelcolor=INK, labelsize=SIZE)
    ax.spines[:].set_color(GRAY)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set(color=INK, fontsize=SIZE, fontweight="normal")
        axis.labelpad = 4


_TICKS = 16  # of an axis, made at once: matplotlib makes others when it draws, from the settings of that time


def _settle(ax: Axes, there: Collection[object] = ()) -> None:
    """Free what is drawn on *ax*, and its ticks, from the notebook's settings; but not what was *there* before."""
    from matplotlib.text import Text
    from matplotlib.ticker import FuncFormatter, ScalarFormatter

    parts = {artist for artist in ax.findobj() if artist not in there}
    for axis in (ax.xaxis, ax.yaxis):
        if isinstance(axis.get_major_formatter(), ScalarFormatter):
            axis.set_major_formatter(FuncFormatter(format_number))
        parts |= {axis.label, axis.get_offset_text()}
        for tick in axis.get_major_ticks(max(_TICKS, len(axis.get_majorticklocs()))):
            parts.update(tick.findobj())
    fonts = list(_fonts())
    for part in parts:
        part.set(sketch_params=None, path_effects=[])
        if isinstance(part, Text):
            part.set(usetex=False, parse_math=True, fontfamily=fonts, fontstyle="normal", fontvariant="normal")
    ax.xaxis.label.set(x=0.5, ha="center")
    ax.yaxis.label.set(y=0.5, ha="center")


def _fonts() -> tuple[str, ...]:
    """The notebook's fonts that are installed, then the one that comes with matplotlib."""
    import matplotlib as mpl
    from matplotlib.font_manager import fontManager

    settings: Any = mpl.rcParams
    wanted = [name for family in settings["font.family"] for name in settings.get(f"font.{family.lower()}", [family])]
    installed = set(fontManager.get_font_names())
    return tuple(dict.fromkeys([name for name in wanted if name in installed] + ["DejaVu Sans"]))


def _nothing(ax: Axes, table: pd.DataFrame, needs: Sequence[str]) -> None:
    columns = ", ".join(needs)
    why = f"none of the {len(table):,} rows has a value of {columns}" if len(table) else "the table has no rows"
    words = "\n".join(["nothing to show yet", *textwrap.wrap(f"({why})", 50)])
    ax.text(0.5, 0.5, words, ha="center", va="center", transform=ax.transAxes, color=GRAY, fontsize=SIZE)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


# ---- names


def _safe(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its texts safe to draw, and names in the place of ids where they stand beside them."""
    out = table.reset_index(drop=True)
    for column, (name, _) in NAMED_BY.items():
        if column in out and name in out:
            in_pipelines = column == "stage_id" and "pipeline_id" in table  # charts tell these apart by the pipeline
            out[column] = name_or_placeholder(out[name], out[column], name, apart=not in_pipelines)
            out = out.drop(columns=name)
    return map_texts(out, drawable)


def map_texts(table: pd.DataFrame, function: Callable[[object], object]) -> pd.DataFrame:
    """The table with *function* of each text in it; texts of a column that it makes alike are numbered."""
    out = table.copy()
    for name in table:
        if isinstance(table[name].dtype, pd.StringDtype) or table[name].dtype == object:
            made = distinct_texts(table[name], function)
            texts = [made[value] if isinstance(value, str) else value for value in table[name]]
            out[name] = pd.Series(texts, index=table.index, dtype=table[name].dtype)
    return out


def distinct_texts(values: Iterable[object], function: Callable[[str], object]) -> dict[str, object]:
    """*function* of each text among *values*, each different from the others."""
    made: dict[str, object] = {}
    alike: Counter[object] = Counter()
    for text in dict.fromkeys(value for value in values if isinstance(value, str)):
        short = function(text)
        alike[short] += 1
        made[text] = short if alike[short] == 1 else f"{short} ({alike[short]})"
    return made


def name_or_placeholder(names: pd.Series, ids: pd.Series, what: str, apart: bool = True) -> pd.Series:
    """The name, or for an id that nobody knows any more "unknown owner …x7Qp"; a group such as (none) stays.

    With *apart*, a name that several ids have is told with the end of the id, too: "Ann Lee …x7Qp".
    """
    end = " …" + ids.str[-4:]
    kept = names.where(names.notna(), f"unknown {what}" + end)
    if apart:
        kept = kept.mask(ids.groupby(names).transform("nunique") > 1, names + end)
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
        fonts = _fonts()
        plain = "".join(letter if letter.isascii() or _has(ord(letter), fonts) else "□" for letter in plain)
    plain = plain.replace("$", r"\$")
    return f" {plain}" if plain.startswith("_") else plain


@functools.lru_cache(maxsize=4096)
def _has(letter: int, fonts: tuple[str, ...]) -> bool:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    paths = {findfont(FontProperties(family=[font])) for font in fonts}
    return any(get_font(path).get_char_index(letter) for path in paths)


# ---- what several charts draw


def top_groups(table: pd.DataFrame, ax: Axes, by: str | None = None, count: int = MAX_ROWS) -> pd.DataFrame:
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
            color=GRAY,
            fontsize=8,
        )
    return shown


def label_rows(ax: Axes, names: Sequence[str], counts: Sequence[float] | None = None) -> np.ndarray:
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


def duration_axis(ax: Axes, axis: Literal["x", "y"] = "x", unit: Literal["minutes", "days"] = "minutes") -> None:
    """A logarithmic axis of times, with the ticks that people say: 5 min, 1 h, 1 day."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    per = 1 if unit == "minutes" else 1440
    names = {minutes / per: name for name, minutes in _DURATIONS.items()}
    one = ax.xaxis if axis == "x" else ax.yaxis
    (ax.set_xscale if axis == "x" else ax.set_yscale)("log")
    one.set_major_locator(FixedLocator(list(names)))
    one.set_minor_locator(NullLocator())
    one.set_major_formatter(FuncFormatter(functools.partial(_name_at, names)))
    draw_gridlines(ax, axis)


def draw_gridlines(ax: Axes, axis: Literal["x", "y"]) -> None:
    """Pale lines behind what is drawn."""
    ax.grid(True, axis=axis, color=PALE, linewidth=0.6, linestyle="-", alpha=1)
    ax.set_axisbelow(True)


def percent_axis(ax: Axes, axis: Literal["x", "y"] = "x") -> None:
    """An axis of shares, told in percent, with a grid."""
    (ax.xaxis if axis == "x" else ax.yaxis).set_major_formatter(format_percent)
    draw_gridlines(ax, axis)


def format_percent(share: float, _: float = 0) -> str:
    """A share as the label of a tick: 40%."""
    return f"{share:.0%}"


def format_number(value: float, _: float = 0) -> str:
    """A number as the label of a tick: 12,500."""
    return f"{value:,.10g}"


def _name_at(names: Mapping[float, str], value: float, _: float = 0) -> str:
    return names.get(value, "")


def draw_points(ax: Axes, x: Any, y: Any, color: Any, size: float, **more: Any) -> None:
    """A dot for each *x* and *y*, of one color or one each; *size* is its area in square points."""
    from matplotlib.markers import MarkerStyle

    marker = MarkerStyle(more.pop("marker", "o"), fillstyle="full")
    colors = {"color": color} if isinstance(color, str) else {"c": color, "edgecolors": "face"}
    ax.scatter(x, y, s=size, marker=marker, **{"linewidths": 1.5, "zorder": 3, **colors, **more})


def draw_intervals(
    ax: Axes, places: Any, low: Any, high: Any, colors: Any, width: float = 2, alpha: float = 0.5
) -> None:
    """A line from *low* to *high* at each of the *places*."""
    low, high = (np.asarray(end, dtype="float64") for end in (low, high))
    ax.hlines(places, low, high, colors=colors, linewidth=width, alpha=alpha, linestyles="-", zorder=2)


def draw_legend(ax: Axes, x: float = 0.5, y: float = -0.16, **more: Any) -> None:
    """The legend below the chart, in a row."""
    spaces = {"columnspacing": 1.2, "handlelength": 1.4, "handletextpad": 0.6, "labelspacing": 0.5, "borderpad": 0.4}
    counts = {"ncols": 4, "numpoints": 1, "scatterpoints": 1, "markerscale": 1}
    look = {"frameon": False, "fontsize": SIZE, "labelcolor": INK, "handleheight": 0.7, "borderaxespad": 0.5}
    ax.legend(loc="upper center", bbox_to_anchor=(x, y), **{**spaces, **counts, **look, **more})


def draw_color_bar(ax: Axes, image: AxesImage, label: str, form: Any = None) -> None:
    """What the colors of *image* mean, at the right of *ax*."""
    assert ax.figure is not None
    bar = ax.figure.colorbar(image, ax=ax)
    _set_look(bar.ax)
    bar.ax.tick_params(which="both", length=0, right=False, labelright=True, left=False, labelleft=False)
    if form is not None:
        bar.ax.yaxis.set_major_formatter(form)
    bar.ax.grid(False)
    bar.outline.set_visible(False)
    bar.set_label(label, color=INK, fontsize=SIZE)


def label_medians(
    ax: Axes,
    medians: Sequence[float],
    small: Sequence[bool] | None = None,
    all_hours: Sequence[float] | None = None,
) -> None:
    """At the right of each row, whose shares end at 1, its median in minutes; and that of all hours, if given."""
    size = 6 if all_hours is not None and len(medians) > 8 else 8  # two lines in each of many rows would overlap
    for place, minutes in enumerate(medians):
        label = f"median {format_minutes(minutes)}" if np.isfinite(minutes) else "no median yet"
        if all_hours is not None and np.isfinite(all_hours[place]):
            label += f"\n({format_minutes(all_hours[place])} in all hours)"
        color = GRAY if small is not None and small[place] else INK
        ax.text(1.05, place, label, va="center", color=color, fontsize=size, linespacing=1.0)


def week_matrix(ax: Axes, table: pd.DataFrame, what: str) -> np.ndarray:
    """The values of *what* by weekday and hour, null where there is none; names the rows of *ax*."""
    grid = np.full((7, 24), np.nan)
    day = table["weekday"].map({name: place for place, name in enumerate(WEEKDAYS)}).to_numpy("int64")
    grid[day, table["hour"].to_numpy("int64")] = table[what].to_numpy("float64")
    ax.set_yticks(range(7), [name[:3] for name in WEEKDAYS])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return grid


def format_minutes(minutes: float) -> str:
    """A time as people say it: 40 s, 18 min, 3.5 h, 12 days; a dash where there is none."""
    if not np.isfinite(minutes):
        return "-"
    for per, most_, unit in ((1 / 60, 1, "s"), (1, 90, "min"), (60, 48 * 60, "h")):
        if minutes < most_:
            value = minutes / per
            return f"{value:.1f} {unit}" if unit == "h" and value < 10 else f"{value:.0f} {unit}"
    return f"{minutes / 1440:,.0f} days"


def dot_plot(
    ax: Axes,
    names: Sequence[str],
    share: pd.Series,
    low: pd.Series,
    high: pd.Series,
    *,
    counts: pd.Series | None = None,
    small: pd.Series | None = None,
    color: str = BLUE,
) -> None:
    """A share per row as a dot in its 95% interval, on a percent axis; small groups are gray."""
    places = label_rows(ax, list(names), None if counts is None else counts.fillna(0).tolist())
    gray = np.zeros(len(share), dtype=bool) if small is None else small.fillna(False).to_numpy(dtype=bool)
    colors = np.where(gray, GRAY, color).tolist()
    draw_intervals(ax, places, low, high, colors)
    draw_points(ax, share.to_numpy("float64"), places, colors, 36)
    percent_axis(ax)
    if gray.any():
        ax.annotate("gray: fewer than 20 rows", (0, -0.2), xycoords="axes fraction", color=GRAY, fontsize=8, va="top")
