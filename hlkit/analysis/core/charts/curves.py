"""Charts of curves: the share of each group over time, with its name and value at the end of its line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from hlkit.analysis.core.charts.base import (
    Chart,
    Text,
    interval_text,
    name_axis,
    numbers_of,
    percent_text,
    row_names,
    text_of,
)
from hlkit.analysis.core.charts.canvas import MUTED, REST, SERIES, percent_axis, top_groups

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
LABEL_GAP = 0.11  # of the height of the axes, between the labels of two lines


@dataclass(frozen=True)
class Curves(Chart):
    """A line of ``{y}_share`` over *x* for each group, with a band where ``{y}_low`` and ``{y}_high`` are.

    A table of a single group has a line for each of the shares *of_one* instead, if there are any.
    """

    x: str
    y: str
    label: Text
    n: str = "n"
    of_one: tuple[str, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return (f"{self.y}_share",)

    def draw(self, table: pd.DataFrame, ax: Axes) -> None:
        lines = self._lines(table, ax)
        ends = []
        for number, (name, stem, rows) in enumerate(lines):
            is_small = bool(rows["small"].iloc[0]) and len(lines) > 1 and not self._is_of_one(table)
            ends.append(self._draw_line(ax, number, name, stem, rows, REST if is_small else SERIES[number]))
        percent_axis(ax, "y")
        ax.set_ylim(0, min(ax.get_ylim()[1], 1.0) if self._is_of_one(table) else None)
        ax.set_xlim(left=0)
        label_ends(ax, ends)
        name_axis(ax, text_of(self.label, table))

    def _is_of_one(self, table: pd.DataFrame) -> bool:
        return bool(self.of_one) and table.iloc[:, 0].nunique() == 1

    def _lines(self, table: pd.DataFrame, ax: Axes) -> list[tuple[str, str, pd.DataFrame]]:
        """Each line: its name, the share that it shows, and its rows."""
        if self._is_of_one(table):
            return [(stem, stem, table) for stem in self.of_one]
        first = table.columns[0]
        sizes = table.groupby(first, sort=False, as_index=False)[[self.n]].first()
        shown = top_groups(sizes, ax, self.n, len(SERIES))
        rows = [table[(table[first] == group).to_numpy(dtype=bool)] for group in shown[first]]
        return [(name, self.y, of_group) for name, of_group in zip(row_names(shown), rows, strict=True)]

    def _draw_line(
        self, ax: Axes, number: int, name: str, stem: str, rows: pd.DataFrame, color: str
    ) -> tuple[float, str, str, str]:
        """Draw one line; returns its end as ``label_ends`` takes it."""
        x, share = numbers_of(rows, self.x, f"{stem}_share")
        style: Any = DASHES[number]
        ax.step(x, share, where="post", color=color, linewidth=2.2, linestyle=style, marker="")
        base = f"of {int(rows[self.n].iloc[0]):,}"
        if f"{stem}_low" in rows:
            low, high = numbers_of(rows, f"{stem}_low", f"{stem}_high")
            ax.fill_between(x, low, high, step="post", color=color, alpha=0.14, linewidth=0)
            base = f"{interval_text(low[-1], high[-1])} {base}"
        return float(share[-1]), f"{name} {percent_text(share[-1])}", base, color


def label_ends(ax: Axes, ends: Sequence[tuple[float, str, str, str]]) -> None:
    """Write at the right end of each line its name and value, and below it the base; moved apart if too near."""
    top = ax.get_ylim()[1]
    ends = sorted(ends)
    heights = [height for height, *_ in ends]
    for number in range(1, len(ends)):
        heights[number] = max(heights[number], heights[number - 1] + LABEL_GAP * top)
    highest = top
    for number in reversed(range(len(ends))):
        heights[number] = min(heights[number], highest)
        highest = heights[number] - LABEL_GAP * top
    for height, (_, label, base, color) in zip(heights, ends, strict=True):
        where: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        ax.annotate(label, (1, height), (6, 1), **where, va="bottom", fontsize=9, fontweight="bold", color=color)
        ax.annotate(base, (1, height), (6, -1), **where, va="top", fontsize=8, color=MUTED)
