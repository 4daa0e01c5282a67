"""What the kinds of charts share: sizes, names and values of rows, axes."""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts.canvas import INK, MAX_ROWS, MUTED, checked_axes, draw, new_axes
from hlkit.analysis.core.groups import NONE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.markers import MarkerStyle

Text = str | Callable[[pd.DataFrame], str]  # of the table
Beside = Callable[[pd.Series], str]  # of a row: what is written to the right of its value


class Chart(ABC):
    """How a table is drawn. ``needs`` are the columns of which a row must have a value to be drawn."""

    needs: tuple[str, ...]

    @abstractmethod
    def draw(self, table: pd.DataFrame, ax: Axes) -> None:
        """Draw the rows of *table* on *ax*."""

    def height(self, table: pd.DataFrame) -> float:
        """The height in inches that suits *table*, for a width of 6."""
        return 4.0


def text_of(text: Text, table: pd.DataFrame) -> str:
    """The text, or what it makes of *table*."""
    return text if isinstance(text, str) else text(table)


def height_of_rows(rows: int) -> float:
    """The height in inches that suits a chart of that many rows."""
    return min(max(1.3 + 0.36 * rows, 2.2), 6.0)


def numbers_of(table: pd.DataFrame, *columns: str) -> tuple[Any, ...]:
    """The values of each of *columns*; NaN instead of null."""
    return tuple(table[column].to_numpy("float64", na_value=np.nan) for column in columns)


def write_values(ax: Axes, values: Sequence[str], rest: Sequence[str], weak: Any = ()) -> None:
    """Write to the right of each row its value in bold, then the *rest*; *weak* rows are gray."""
    offset = 14 + 6.6 * max((len(value) for value in values), default=0)
    where: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center"}
    for row, (value, more) in enumerate(zip(values, rest, strict=True)):
        is_weak = bool(len(weak)) and bool(weak[row])
        weight, color = ("normal", MUTED) if is_weak else ("bold", INK)
        ax.annotate(value, (1, row), (8, 0), **where, color=color, fontsize=9, fontweight=weight)
        ax.annotate(more, (1, row), (offset, 0), **where, color=MUTED, fontsize=8)


def filled(marker: str) -> MarkerStyle:
    """A marker that is filled whatever the notebook's settings are."""
    from matplotlib.markers import MarkerStyle

    return MarkerStyle(marker, fillstyle="full")


def row_names(table: pd.DataFrame) -> list[str]:
    """The names of the rows; "no source" instead of "(none)"."""
    return group_names(table.iloc[:, 0], str(table.columns[0]))


def group_names(groups: Iterable[Any], column: str) -> list[str]:
    """The names of *groups* of *column*; "no source" instead of "(none)"."""
    kind = column.removesuffix("_id").replace("_", " ")
    nothing = f"no {kind}" if column != "group" else NONE
    return [nothing if name == NONE else str(name) for name in groups]


def most_rows(table: pd.DataFrame, orders: Mapping[str, Sequence[str]]) -> int:
    """How many groups are drawn at most; groups with an order, such as hours, leave no gaps."""
    return 24 if table.columns[0] in orders else MAX_ROWS


def name_axis(ax: Axes, label: str) -> None:
    """Name the horizontal axis, in at most two lines."""
    ax.set_xlabel("\n".join(textwrap.wrap(label, 78)), fontsize=8, color=MUTED)


def thin_ticks(ax: Axes) -> None:
    """Of the ticks of a logarithmic axis, keep those whose labels do not overlap."""
    from matplotlib.ticker import FixedLocator

    left, right = np.log(ax.get_xlim())
    kept: list[float] = []
    for tick in ax.get_xticks():
        position = (np.log(tick) - left) / (right - left)
        if 0 <= position <= 1 and (not kept or position - (np.log(kept[-1]) - left) / (right - left) > 0.12):
            kept.append(float(tick))
    ax.xaxis.set_major_locator(FixedLocator(kept))


def interval_text(low: float, high: float) -> str:
    """The interval of a share, in percent: 71–78."""
    return f"{100 * low:.0f}–{100 * high:.0f}" if np.isfinite(low + high) else ""


def percent_text(share: float) -> str:
    """A share in percent: 74%."""
    return f"{share:.0%}" if np.isfinite(share) else "–"


def change_percent(change: float) -> str:
    """A relative change in percent: +13%; "" if unknown."""
    if not np.isfinite(change):
        return ""
    return f"{change:+.0%}" if round(100 * change) else "0%"


def draw_chart(chart: Chart, table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw *table* on *ax*, or on a new figure, 6 inches wide. Raises ``InvalidRequest``."""
    if ax is not None:
        return draw(table, checked_axes(ax), chart.draw, chart.needs)
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(6, chart.height(table) if len(table) else 4.0))
    try:
        return draw(table, new_axes(figure), chart.draw, chart.needs)
    except BaseException:
        pyplot.close(figure)
        raise
