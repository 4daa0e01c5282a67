"""Counts of two periods as data: a bar for this period, a mark for the earlier one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts.base import (
    Chart,
    change_percent,
    filled,
    height_of_rows,
    name_axis,
    numbers_of,
    row_names,
    write_values,
)
from hlkit.analysis.core.charts.canvas import MAX_ROWS, REST, SERIES, label_rows, top_groups

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class PeriodBars(Chart):
    """A bar for the count of each row in this period, and a diamond for its ``{count}_before``.

    Beside it stands the ``change``, a ratio minus 1.
    """

    count: str
    label: str

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.count,)

    def height(self, table: pd.DataFrame) -> float:
        return height_of_rows(min(len(table), MAX_ROWS))

    def draw(self, table: pd.DataFrame, ax: Axes) -> None:
        shown = top_groups(table, ax)
        rows = label_rows(ax, row_names(shown))
        now, before, change = numbers_of(shown, self.count, f"{self.count}_before", "change")
        ax.barh(rows, now, color=SERIES[0], alpha=0.65, height=0.6, linewidth=0)
        look: dict[str, Any] = {"facecolors": "white", "edgecolors": REST, "linewidths": 1.2, "marker": filled("D")}
        ax.scatter(before, rows, s=40, zorder=3, clip_on=False, **look)
        ax.set_xlim(0, 1.04 * max(1.0, np.nanmax([now, before])))
        name_axis(ax, self.label)
        earlier = [f"vs. {count:,.0f}" if np.isfinite(count) else "" for count in before]
        changes = [change_percent(value) for value in change]
        rest = [", ".join(filter(None, pair)) for pair in zip(earlier, changes, strict=True)]
        write_values(ax, [f"{count:,.0f}" for count in now], rest)
