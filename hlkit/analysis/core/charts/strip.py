"""Strips as data: a mark for each row of a table of people or deals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts.base import (
    Chart,
    Text,
    filled,
    height_of_rows,
    name_axis,
    text_of,
    thin_ticks,
    write_values,
)
from hlkit.analysis.core.charts.canvas import INK, REST, SERIES, STEPS, Unit, duration_axis, label_rows, top_groups
from hlkit.analysis.core.run_log import as_mask

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Strip(Chart):
    """A mark for each row of the table by its time *x*, in lanes by what *lane* gives.

    The marks of rows with the flag *alert* are orange, those of the others hollow; without *alert* all are blue.
    ``limit`` is a column with the limit of the lane, drawn as a line.
    """

    x: str
    lane: Callable[[pd.DataFrame], pd.Series]
    label: Text
    alert: str | None = None
    limit: str | None = None
    unit: Unit | Callable[[pd.DataFrame], Unit] = "days"

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.x,)

    def height(self, table: pd.DataFrame) -> float:
        return height_of_rows(min(self.lane(table).nunique(), 12))

    def draw(self, table: pd.DataFrame, ax: Axes) -> None:
        alert = True if self.alert is None else table[self.alert]
        table = table.assign(**{"(lane)": self.lane(table), "(alert)": alert})
        lanes = table.groupby("(lane)", sort=False).agg(n=("(lane)", "size"), alerts=("(alert)", "sum"))
        if self.limit is not None:
            lanes["limit"] = table.groupby("(lane)", sort=False)[self.limit].median()
        lanes = lanes.sort_values(["alerts", "n"], ascending=False, kind="stable").reset_index()
        lanes = top_groups(lanes, ax)
        rows = label_rows(ax, [str(name) for name in lanes["(lane)"]])
        table = table[table["(lane)"].isin(lanes["(lane)"])]
        y = table["(lane)"].map(dict(zip(lanes["(lane)"], rows.tolist(), strict=True))).to_numpy("float64")
        y = y + 0.6 * (np.arange(len(table)) * 0.618034 % 1 - 0.5)  # the same positions in each run
        unit = self.unit if isinstance(self.unit, str) else self.unit(table)
        smallest = 1 / 24 if unit == "days" else 0.5
        x = table[self.x].fillna(smallest).clip(lower=smallest).to_numpy("float64")
        is_alert, size = as_mask(table["(alert)"]), 18 if len(table) < 500 else 8
        marks: dict[str, Any] = {"s": size, "marker": filled("o"), "rasterized": True}
        ax.scatter(x[~is_alert], y[~is_alert], facecolors="white", edgecolors=REST, linewidths=0.8, **marks)
        color = SERIES[0] if self.alert is None else STEPS["attention"]
        ax.scatter(x[is_alert], y[is_alert], color=color, linewidths=0, zorder=3, **marks)
        right = x.max()
        if self.limit is not None:
            limit = lanes["limit"].to_numpy("float64", na_value=np.nan)
            ax.vlines(limit, rows - 0.38, rows + 0.38, color=INK, linewidth=2.2, linestyles="-", zorder=4)
            right = max(right, np.nanmax(limit, initial=smallest))
        duration_axis(ax, "x", unit)
        ax.set_xlim(0.7 * x.min(), 1.6 * right)
        thin_ticks(ax)
        name_axis(ax, text_of(self.label, table))
        counts = lanes[["alerts", "n"]].astype("int64").itertuples(index=False)
        of = ["" if self.alert is None else f"of {n:,}" for n in lanes["n"]]
        write_values(ax, [f"{alerts:,}" for alerts, _ in counts], of)
