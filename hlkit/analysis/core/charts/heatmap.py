"""Heat tables as data: ``Heatmap`` draws a value for each pair of two groups, such as weekday and hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts.base import Chart, Text, group_names, height_of_rows, name_axis, text_of
from hlkit.analysis.core.charts.canvas import HEAT, INK, MUTED, format_percent, label_rows
from hlkit.analysis.core.charts.dots import Dots
from hlkit.analysis.core.charts.stacked import Stacked
from hlkit.client.errors import InvalidRequest

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_MAX_NUMBERED = 84  # cells: with more of them, only the darkest have numbers


@dataclass(frozen=True)
class Heatmap(Chart):
    """A cell for each pair of *row* and *column*, darker for a higher *value*: a count, or a share in percent.

    ``rows`` and ``columns`` give their order: all from the first with a value to the last are drawn. Without them
    the order is that of the table. A share of fewer than 20 rows is gray on white, or not shown among many cells.
    """

    row: str
    column: str
    value: str
    label: Text
    rows: Sequence[Any] = ()
    columns: Sequence[Any] = ()
    column_names: Sequence[str] = ()  # of ``columns``, if these are numbers

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.value,)

    def height(self, table: pd.DataFrame) -> float:
        return height_of_rows(min(table[self.row].nunique(), 12))

    def draw(self, table: pd.DataFrame, ax: Axes) -> None:
        from matplotlib.colors import ListedColormap

        rows, columns = _in_order(table[self.row], self.rows, 12), _in_order(table[self.column], self.columns, 24)
        values, is_share = self._grid(table, self.value, rows, columns), self.value.endswith("_share")
        weak = np.zeros(values.shape, dtype=bool)
        if is_share and "small" in table:
            weak = self._grid(table.assign(small=table["small"].astype("float64")), "small", rows, columns) == 1
        is_known = np.isfinite(values) & ~weak
        if values.size > _MAX_NUMBERED:
            across = _span(is_known.any(axis=0)) if self.columns else slice(None)
            down = _span(is_known.any(axis=1)) if self.rows else slice(None)
            rows, columns = rows[down], columns[across]
            values, weak, is_known = (cells[down, across] for cells in (values, weak, is_known))
        known = values[is_known]
        low, top = (float(known.min()) if is_share else 0.0, float(known.max())) if len(known) else (0.0, 1.0)
        step = np.minimum(np.floor((values - low) / ((top - low) or 1) * 6), 5)
        step[weak] = np.nan
        ax.imshow(step, cmap=ListedColormap(HEAT), vmin=-0.5, vmax=5.5, aspect="auto", interpolation="nearest")
        for y, x in np.argwhere(np.isfinite(values)):
            if values.size <= _MAX_NUMBERED or step[y, x] == 5:
                text = f"{values[y, x]:.0%}" if is_share else f"{values[y, x]:,.0f}"
                color = MUTED if weak[y, x] else "white" if step[y, x] > 3 else INK
                ax.text(x, y, text, ha="center", va="center", fontsize=7, color=color)
        label_rows(ax, group_names(rows, self.row))
        self._label_columns(ax, columns)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
        ax.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
        ax.grid(True, which="minor", color="white", linewidth=1.5)
        ax.tick_params(which="minor", length=0)
        ends = [format_percent(end) if is_share else f"{end:,.0f}" for end in (low, top)]
        scale = f": light {ends[0]}, dark {ends[1]}" if len(known) else ""
        name_axis(ax, f"{text_of(self.label, table)}{scale}" + "; white: fewer than 20 rows" * bool(weak.any()))

    def _grid(self, table: pd.DataFrame, value: str, rows: list[Any], columns: list[Any]) -> Any:
        """The numbers of the column *value*, by row and column."""
        grid = table.pivot_table(index=self.row, columns=self.column, values=value, sort=False, dropna=False)
        return grid.reindex(index=rows, columns=columns).to_numpy("float64", na_value=np.nan)

    def _label_columns(self, ax: Axes, columns: list[Any]) -> None:
        if self.column_names:
            names = [self.column_names[list(self.columns).index(column)] for column in columns]
        else:
            names = group_names(columns, self.column)
        every = max(1, len(columns) // 8)
        turned = every == 1 and max(map(len, names)) > 6
        options: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if turned else {}
        ax.set_xticks(range(0, len(columns), every), names[::every], **options)


def _span(mask: Any) -> slice:
    """From the first true item of *mask* to the last; everything if none is true."""
    positions = np.flatnonzero(mask)
    return slice(positions[0], positions[-1] + 1) if len(positions) else slice(None)


def _in_order(values: pd.Series, order: Sequence[Any], most: int) -> list[Any]:
    """The distinct *values* as in *order*, all from the first to the last; at most the first *most* without one."""
    names = list(values.unique())
    positions = [number for number, name in enumerate(order) if name in names]
    if not positions:
        return names[:most]
    rest = [name for name in names if name not in order]
    return [*order[positions[0] : positions[-1] + 1], *rest]


def two_way(chart: Chart, table: pd.DataFrame) -> Heatmap:
    """The heat map of the share of *chart*, for a *table* of two columns of groups."""
    if isinstance(chart, Dots):
        share, label = text_of(chart.share, table), text_of(chart.label, table)
    elif isinstance(chart, Stacked) and chart.interval is not None:
        share, label = chart.interval, chart.share_label
    else:
        raise InvalidRequest("this analysis has no two-way table", hint="give by= a single column")
    row, column = map(str, table.columns[:2])
    rows, columns = (chart.orders.get(name, ()) for name in (row, column))
    return Heatmap(row, column, f"{share}_share", label.partition(",")[0], rows=rows, columns=columns)
