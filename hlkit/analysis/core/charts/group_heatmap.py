"""The chart of a table with several rows for each group: a heat map of its groups, or a chart of its only group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from hlkit.analysis.core.charts.base import Chart, row_names, write_values
from hlkit.analysis.core.charts.canvas import top_groups
from hlkit.analysis.core.charts.heatmap import Heatmap
from hlkit.analysis.core.groups import ALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class GroupHeatmap(Chart):
    """A table whose first column is its groups and that has a row for each group and value of *column*.

    For a table without groups *alone* draws the other columns. For one with groups, a cell shows *value* by group and
    *column*; the values of *column* have the names in *labels*. ``shown`` picks the rows that are drawn.
    """

    alone: Chart
    column: str
    value: str
    label: str
    labels: Mapping[str, str] = field(default_factory=dict)
    shown: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.value,)

    def height(self, table: pd.DataFrame) -> float:
        table = self.shown(table)
        if has_groups(table):
            return self._heatmap(table).height(table)
        return self.alone.height(table.iloc[:, 1:])

    def draw(self, table: pd.DataFrame, ax: Axes) -> None:
        table = self.shown(table).copy()
        table[self.column] = table[self.column].replace(dict(self.labels))
        if not has_groups(table):
            self.alone.draw(table.iloc[:, 1:], ax)
            return
        group = str(table.columns[0])
        groups = top_groups(table.drop_duplicates(group), ax, "n")
        names = dict(zip(groups[group], row_names(groups), strict=True))
        cells = table[table[group].isin(groups[group])].copy()
        cells[group] = cells[group].map(names)
        self._heatmap(table).draw(cells, ax)
        write_values(ax, [""] * len(groups), [f"n = {n:,.0f}" for n in groups["n"]])

    def _heatmap(self, table: pd.DataFrame) -> Heatmap:
        return Heatmap(str(table.columns[0]), self.column, self.value, self.label)


def has_groups(table: pd.DataFrame) -> bool:
    """Whether the first column of *table* names several groups, rather than all rows."""
    return not table.iloc[:, 0].eq(ALL).all()
