"""What all charts share: the look, axes, texts that are safe to draw, and a note if there is no data.

Names come from the public. Matplotlib would treat a name with ``$`` as a formula, hide a name that begins with ``_``
from the legend, and warn about characters that its font lacks. So a chart gets a table whose texts are safe to draw.
"""

from __future__ import annotations

import functools
import io
import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts.labels import drawable, installed_fonts, map_texts, name_or_placeholder
from hlkit.analysis.core.run_log import with_shared_attrs
from hlkit.client.errors import InvalidRequest
from hlkit.client.frames.names import NAMED_BY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Draw = Callable[[pd.DataFrame, "Axes"], object]

# Groups side by side, in this order: at least 3.6:1 on white, and distinct for color-blind readers.
SERIES = ("#0b67b2", "#dd6416", "#3f957a", "#6b1675", "#5c590f")
# Parts of a whole: what was done first, then less and less; context; what a person must act on.
STEPS = {
    "strong": "#0a4a86",
    "middle": "#2a76ba",
    "weak": "#93c0e8",
    "context": "#d6dce3",
    "attention": "#d9702a",
}
HEAT = ("#f3f5f7", "#d4e3f2", "#a5c8e8", "#6ba3d6", "#2f75b8", "#0a4276")  # few to many
INK, MUTED, REST, HAIR = "#1c2024", "#59626d", "#858e99", "#e8e9e9"  # texts, second lines, small groups, grid lines
SIZE = 9  # font size in points; notes are one smaller
MAX_ROWS = 12  # groups in one chart: more would be unreadable


def new_axes(figure: Figure) -> Axes:
    """Add the axes of a chart to an empty figure, in hlkit's look whatever the notebook's settings."""
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
        part.set_sketch_params(None)
        part.set_path_effects([])
    return ax


def render(figure: Figure, extension: str, dpi: float) -> bytes:
    """The figure as the content of a file: png, svg or pdf."""
    file = io.BytesIO()
    figure.savefig(
        file,
        format=extension,
        dpi=dpi,
        facecolor="white",
        edgecolor="white",
        transparent=False,
        bbox_inches=figure.bbox_inches,
    )
    return file.getvalue()


def checked_axes(ax: Any) -> Axes:
    """*ax*, if a chart can be drawn on it. Raises ``InvalidRequest``."""
    from matplotlib.axes import Axes

    problem = f"a {type(ax).__name__}"
    if isinstance(ax, Axes):
        if ax.figure is None:
            problem = "axes that were removed from their figure"
        elif {"top", "right"} <= set(ax.spines) and not hasattr(ax, "zaxis"):
            return ax
    raise InvalidRequest(
        f"a chart needs two-dimensional axes, but ax is {problem}",
        hint="pass a single one, such as plt.subplots()[1] or, of several, ax[0, 1]; or leave ax out",
    )


def draw(table: pd.DataFrame, ax: Axes, chart: Draw, needs: Sequence[str]) -> Axes:
    """Draw *table* with *chart*, or a note that there is no data yet, and why.

    *needs* are the columns that the chart draws; a row that lacks all of them is not drawn. Matplotlib's settings are
    shared by all threads, so hlkit does not change them, even temporarily: another thread may be drawing. The look is
    set on the artists instead.
    """
    table = with_shared_attrs(table)
    existing = set(ax.findobj())  # the caller's, if *ax* is
    ax.spines[["top", "right"]].set_visible(False)
    _set_look(ax)
    shown = table.dropna(subset=list(needs), how="all") if needs else table
    if len(shown):
        chart(_safe(shown), ax)
    else:
        _draw_no_data(ax, table, needs)
    _detach_from_settings(ax, existing)
    return ax


def _set_look(ax: Axes) -> None:
    """Set the colors and sizes of the axes."""
    ax.set_axisbelow("line")
    ax.tick_params(color=INK, labelcolor=INK, labelsize=SIZE)
    ax.spines[:].set_color(HAIR)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set(color=INK, fontsize=SIZE, fontweight="normal")
        axis.labelpad = 4


_TICKS = 11  # created in advance: ticks that matplotlib adds while it draws take the settings of that moment


def _detach_from_settings(ax: Axes, existing: Collection[object] = ()) -> None:
    """Make the artists and ticks of *ax* independent of the notebook's settings, except the *existing* artists."""
    from matplotlib.text import Text
    from matplotlib.ticker import FuncFormatter, ScalarFormatter

    parts = {artist for artist in ax.findobj() if artist not in existing}
    for axis in (ax.xaxis, ax.yaxis):
        if isinstance(axis.get_major_formatter(), ScalarFormatter):
            axis.set_major_formatter(FuncFormatter(format_number))
        parts |= {axis.label, axis.get_offset_text()}
        for tick in axis.get_major_ticks(max(_TICKS, len(axis.get_majorticklocs()))):
            parts.update(tick.findobj())
    fonts = list(installed_fonts())
    for part in parts:
        part.set_sketch_params(None)
        part.set_path_effects([])
        if isinstance(part, Text):
            part.set(usetex=False, parse_math=True, fontfamily=fonts, fontstyle="normal", fontvariant="normal")
    ax.xaxis.label.set(x=0.5, ha="center")
    ax.yaxis.label.set(y=0.5, ha="center")


def _draw_no_data(ax: Axes, table: pd.DataFrame, needs: Sequence[str]) -> None:
    columns = ", ".join(needs)
    reason = f"none of the {len(table):,} rows has a value of {columns}" if len(table) else "the table has no rows"
    note = "\n".join(["no data yet", *textwrap.wrap(f"({reason})", 50)])
    ax.text(0.5, 0.5, note, ha="center", va="center", transform=ax.transAxes, color=MUTED, fontsize=SIZE)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


# ---- names


def _safe(table: pd.DataFrame) -> pd.DataFrame:
    """The table with texts that are safe to draw, and with names in place of ids where it has both."""
    out = table.reset_index(drop=True)
    for column, (name, _) in NAMED_BY.items():
        if column in out and name in out:
            in_pipelines = column == "stage_id" and "pipeline_id" in table  # charts add the pipeline's name
            out[column] = name_or_placeholder(out[name], out[column], name, distinct=not in_pipelines)
            out = out.drop(columns=name)
    return map_texts(out, drawable)


# ---- elements of charts


def top_groups(table: pd.DataFrame, ax: Axes, by: str | None = None, count: int = MAX_ROWS) -> pd.DataFrame:
    """The first *count* rows of *table*, or the largest by column *by*; a note on *ax* counts the others."""
    shown = table.head(count) if by is None else table.loc[table[by].nlargest(count).sort_index().index]
    if len(shown) < len(table):
        rest = len(table) - len(shown)
        ax.annotate(
            f"and {rest:,} more in the table",
            (1, 1),
            xycoords="axes fraction",
            ha="right",
            va="bottom",
            color=MUTED,
            fontsize=8,
        )
    return shown


def label_rows(ax: Axes, names: Sequence[str], counts: Sequence[float] | None = None) -> np.ndarray:
    """Label the rows of a horizontal chart, first row on top, with n if there are *counts*; returns the positions."""
    rows = np.arange(len(names))
    labels = list(names)
    if counts is not None:
        labels = [f"{name} (n = {int(count):,})" for name, count in zip(names, counts, strict=True)]
    is_crowded = len(labels) > 8 and any("\n" in label for label in labels)  # lines of 9 points would overlap
    ax.set_yticks(rows, labels)
    for label in ax.get_yticklabels() if is_crowded else ():
        label.set(fontsize=6, linespacing=1.0)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return rows


_DURATIONS = {  # minutes
    "10 s": 1 / 6,
    "1 min": 1,
    "5 min": 5,
    "15 min": 15,
    "1 h": 60,
    "4 h": 240,
}
_LONG_DURATIONS = {"1 day": 1440, "1 week": 7 * 1440, "1 month": 30 * 1440, "1 year": 365 * 1440}
# Of office hours: a day has fewer than 24.
_LONG_OFFICE_DURATIONS = {"20 h": 1200, "100 h": 6000, "500 h": 30_000, "2,500 h": 150_000}
Unit = Literal["minutes", "office minutes", "days"]


def duration_axis(ax: Axes, axis: Literal["x", "y"] = "x", unit: Unit = "minutes") -> None:
    """Make an axis of times logarithmic, with ticks such as 5 min, 1 h, 1 day; of office hours, without days."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    minutes_per_unit = 1440 if unit == "days" else 1
    durations = _DURATIONS | (_LONG_OFFICE_DURATIONS if unit == "office minutes" else _LONG_DURATIONS)
    labels = {minutes / minutes_per_unit: label for label, minutes in durations.items()}
    target = ax.xaxis if axis == "x" else ax.yaxis
    (ax.set_xscale if axis == "x" else ax.set_yscale)("log")
    target.set_major_locator(FixedLocator(list(labels)))
    target.set_minor_locator(NullLocator())
    target.set_major_formatter(FuncFormatter(functools.partial(_label_at, labels)))
    draw_gridlines(ax, axis)


def draw_gridlines(ax: Axes, axis: Literal["x", "y"]) -> None:
    """Draw pale grid lines behind the data."""
    ax.grid(True, axis=axis, color=HAIR, linewidth=0.8, linestyle="-", alpha=1)
    ax.set_axisbelow(True)


def percent_axis(ax: Axes, axis: Literal["x", "y"] = "x") -> None:
    """Format an axis of shares in percent, with grid lines."""
    (ax.xaxis if axis == "x" else ax.yaxis).set_major_formatter(format_percent)
    draw_gridlines(ax, axis)


def format_percent(share: float, _: float = 0) -> str:
    """A share as the label of a tick: 40%."""
    return f"{share:.0%}"


def format_number(value: float, _: float = 0) -> str:
    """A number as the label of a tick: 12,500."""
    return f"{value:,.10g}"


def _label_at(labels: Mapping[float, str], value: float, _: float = 0) -> str:
    return labels.get(value, "")


def draw_points(ax: Axes, x: Any, y: Any, color: Any, size: float, **options: Any) -> None:
    """Draw a dot at each *x* and *y*. *color* is one for all or one per dot; *size* is the area in square points."""
    from matplotlib.markers import MarkerStyle

    marker = MarkerStyle(options.pop("marker", "o"), fillstyle="full")
    colors = {"color": color} if isinstance(color, str) else {"c": color, "edgecolors": "face"}
    ax.scatter(x, y, s=size, marker=marker, **{"linewidths": 1.5, "zorder": 3, **colors, **options})


def format_minutes(minutes: float) -> str:
    """A duration in a suitable unit: 40 s, 18 min, 3.5 h, 12 days; a dash for NaN."""
    if not np.isfinite(minutes):
        return "-"
    for size, limit, unit in ((1 / 60, 1, "s"), (1, 90, "min"), (60, 48 * 60, "h")):
        if minutes < limit:
            value = minutes / size
            return f"{value:.1f} {unit}" if unit == "h" and value < 10 else f"{value:.0f} {unit}"
    return f"{minutes / 1440:,.0f} days"
