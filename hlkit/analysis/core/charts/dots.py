"""Dots as data: the share of each row, on its 95% interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts.base import (
    Beside,
    Chart,
    Text,
    filled,
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
from hlkit.analysis.core.charts.canvas import REST, SERIES, label_rows, percent_axis, top_groups
from hlkit.analysis.core.run_log import as_mask

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Dots(Chart):
    """The share of each row, as a dot on its 95% interval: ``{share}_share``, ``_low`` and ``_high``.

    ``n`` is the column of the rows that the share is of, ``beside`` adds a text to the right of a row's value, and
    ``order="table"`` leaves small groups in their place, and so do ``orders``: the columns of groups with an order of
    their own, such as hours. ``without`` names a group that is not drawn, by column. ``names`` gives the names of
    the rows, and ``arrange`` their order, of which the first are drawn instead of the largest.
    """

    share: Text  # or what names it, for a share that depends on the table
    label: Text
    n: str = "n"
    beside: Beside = lambda row: ""
    order: Literal["small last", "table"] = "small last"
    orders: Mapping[str, Sequence[str]] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)
    needs_column: str = ""
    names: Callable[[pd.DataFrame], list[str]] | None = None
    arrange: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    before: str | None = None  # another share, drawn as a gray mark

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.needs_column or f"{self.share}_share",)

    def height(self, table: pd.DataFrame) -> float:
        return height_of_rows(min(len(table), most_rows(table, self.orders)))

    def draw(self, table: pd.DataFrame, ax: Axes) -> None:
        is_left_out = table.iloc[:, 0] == self.without.get(str(table.columns[0]))
        table = table if is_left_out.all() else table[~is_left_out]
        arranged, size = (table, self.n) if self.arrange is None else (self.arrange(table), None)
        shown = top_groups(arranged, ax, size, most_rows(table, self.orders))
        small = as_mask(shown["small"])
        if self.order == "small last" and table.columns[0] not in self.orders:
            shown, small = pd.concat([shown[~small], shown[small]]), np.sort(small)
        rows = label_rows(ax, row_names(shown) if self.names is None else self.names(shown))
        stem = text_of(self.share, table)
        share, low, high = numbers_of(shown, *(f"{stem}_{part}" for part in ("share", "low", "high")))
        colors = np.where(small, REST, SERIES[0]).tolist()
        ax.hlines(rows, low, high, colors=colors, linewidth=3, alpha=0.65, linestyles="-", zorder=2)
        faces = np.where(small, "white", SERIES[0]).tolist()
        ax.scatter(share, rows, s=50, c=faces, edgecolors=colors, linewidths=1.5, zorder=3, marker=filled("o"))
        ends = [low, high]
        if self.before is not None:
            (earlier,) = numbers_of(shown, f"{self.before}_share")
            look: dict[str, Any] = {
                "facecolors": "white",
                "edgecolors": REST,
                "linewidths": 1.2,
                "marker": filled("D"),
            }
            ax.scatter(earlier, rows, s=40, zorder=2.5, **look)
            ends.append(earlier)
        left, right = float(np.nanmin(ends)), float(np.nanmax(ends))
        space = max(0.04, 0.06 * (right - left))
        ax.set_xlim(max(left - space, -0.01), min(right + space, 1.01))
        percent_axis(ax)
        name_axis(ax, text_of(self.label, table) + "; hollow: fewer than 20 rows" * bool(small.any()))
        of = [
            f"{interval_text(*ends)} of {n:,.0f}" for *ends, n in zip(low, high, shown[self.n].fillna(0), strict=True)
        ]
        beside = [self.beside(row) for _, row in shown.iterrows()]
        rest = [" · ".join(filter(None, pair)) for pair in zip(of, beside, strict=True)]
        write_values(ax, [percent_text(value) for value in share], rest, small)
