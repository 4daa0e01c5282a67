"""Stacked bars as data: parts of a whole, or counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts.base import (
    Chart,
    Text,
    height_of_rows,
    interval_text,
    most_rows,
    name_axis,
    numbers_of,
    percent_text,
    row_names,
    text_of,
    write_values,
)
from hlkit.analysis.core.charts.canvas import HAIR, INK, MAX_ROWS, MUTED, STEPS, label_rows, percent_axis, top_groups
from hlkit.analysis.core.run_log import as_mask
from hlkit.client.schema import COUNT, MONEY, NUMBER, Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Part:
    """A part of a bar: its column, its name in the legend, and its color, one of ``STEPS``.

    ``minus`` is a column to subtract, for columns that include the part before. A function of the table may stand for
    a column.
    """

    column: str | Callable[[pd.DataFrame], pd.Series]
    label: str
    color: str
    minus: str | None = None

    def widths(self, table: pd.DataFrame) -> Any:
        """The width of this part in each row; 0 instead of null."""
        values = table[self.column] if isinstance(self.column, str) else self.column(table)
        widths = values.to_numpy("float64", na_value=np.nan)
        if self.minus is not None:
            widths = widths - numbers_of(table, self.minus)[0]
        return np.nan_to_num(widths).clip(min=0)


@dataclass(frozen=True)
class Stacked(Chart):
    """A bar for each row, of *parts* that follow each other: shares that add up to 100%, or counts.

    ``interval`` is the share whose 95% interval is drawn above the bar and written at the right, and ``share_label``
    says what it is; ``value`` writes another value there instead. ``names`` gives the names of the rows, and ``most``
    is how many are drawn.
    """

    parts: tuple[Part, ...]
    label: Text
    n: str = "n"
    interval: str | None = None
    share_label: str = ""
    value: Callable[[pd.Series], tuple[str, str]] | None = None
    names: Callable[[pd.DataFrame], list[str]] | None = None
    orders: Mapping[str, Sequence[str]] = field(default_factory=dict)  # as in Dots
    most: int = MAX_ROWS

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(part.column for part in self.parts if isinstance(part.column, str))

    @property
    def is_share(self) -> bool:
        return self.interval is not None

    def height(self, table: pd.DataFrame) -> float:
        return height_of_rows(min(len(table), max(self.most, most_rows(table, self.orders))) + 1)

    def draw(self, table: pd.DataFrame, ax: Axes) -> None:
        shown = top_groups(table, ax, self.n, max(self.most, most_rows(table, self.orders)))
        rows = label_rows(ax, row_names(shown) if self.names is None else self.names(shown))
        start = np.zeros(len(shown))
        widths = [part.widths(shown) for part in self.parts]
        longest = 1.0 if self.is_share else float(sum(widths).max()) or 1.0
        for part, width in zip(self.parts, widths, strict=True):
            color = STEPS[part.color]
            ax.barh(rows, width, left=start, color=color, height=0.6, linewidth=0, label=part.label)
            self._write_widths(ax, rows, start, width, longest, part.color)
            start = start + width
        ax.set_xlim(0, longest)
        if self.is_share:
            percent_axis(ax)
        else:
            ax.grid(True, axis="x", color=HAIR, linewidth=0.8)
        ax.set_axisbelow(True)
        name_axis(ax, text_of(self.label, table) + (f"; line: 95% interval, {self.share_label}" * self.is_share))
        if self.interval is not None:
            low, high = numbers_of(shown, f"{self.interval}_low", f"{self.interval}_high")
            ax.hlines(rows - 0.38, low, high, colors=INK, linewidth=2.2, linestyles="-", zorder=3)
        values = [self._value(row) for _, row in shown.iterrows()]
        weak = as_mask(shown["small"]) if "small" in shown else ()
        write_values(ax, [value for value, _ in values], [rest for _, rest in values], weak)
        legend_above(ax, len(self.parts))

    def _write_widths(self, ax: Axes, rows: Any, start: Any, width: Any, longest: float, color: str) -> None:
        """Write its size into each part that is wide enough."""
        for row, left, size in zip(rows, start, width, strict=True):
            if size >= 0.09 * longest:
                text = f"{size:.0%}" if self.is_share else f"{size:,.0f}"
                ink = "white" if color in ("strong", "middle", "attention") else INK
                ax.text(left + size / 2, row, text, ha="center", va="center", fontsize=8, color=ink)

    def _value(self, row: pd.Series) -> tuple[str, str]:
        if self.value is not None:
            return self.value(row)
        if self.interval is None:
            return f"{row[self.n]:,.0f}", ""
        share, low, high = (float(row[f"{self.interval}_{part}"]) for part in ("share", "low", "high"))
        return percent_text(share), f"{interval_text(low, high)} of {row[self.n]:,.0f}"


def legend_above(ax: Axes, columns: int) -> None:
    """A legend in one line above the chart."""
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=columns,
        frameon=False,
        fontsize=8,
        labelcolor=MUTED,
        handlelength=0.9,
        handleheight=0.9,
        handletextpad=0.5,
        columnspacing=1.4,
        borderaxespad=0.3,
        borderpad=0.2,
    )


def first_number(columns: Mapping[str, Kind]) -> Stacked:
    """Bars of the first count or other number of *columns*, for an analysis without a chart of its own."""
    name = next((name for name, kind in columns.items() if kind in (COUNT, NUMBER, MONEY)), next(iter(columns)))
    return Stacked((Part(name, name.replace("_", " "), "middle"),), name.replace("_", " "), n=name)
