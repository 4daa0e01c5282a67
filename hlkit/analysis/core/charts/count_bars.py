"""The chart of a list: how many of its rows are of each kind, as bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pandas as pd

from hlkit.analysis.core.charts.base import Chart, name_axis, write_values
from hlkit.analysis.core.charts.canvas import STEPS, label_rows, top_groups
from hlkit.client.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class CountBars(Chart):
    """A bar for each kind of row, which *kind* gives, with the number of rows and their share of all rows.

    The most frequent kind is first, or with ``order="names"`` the last name. ``also`` is a column whose distinct
    values are counted too instead of the share, and what to call one of them.
    """

    kind: Callable[[pd.DataFrame], pd.Series]
    label: str
    order: Literal["counts", "names"] = "counts"
    also: tuple[str, str] | None = None

    needs = ()

    def height(self, table: pd.DataFrame) -> float:
        return min(1.3 + 0.36 * self.kind(table).nunique(), 5.6)

    def draw(self, table: pd.DataFrame, ax: Axes) -> None:
        kinds = self.kind(table)
        counts = kinds.value_counts()
        counts = counts.sort_index(ascending=False) if self.order == "names" else counts
        shown = top_groups(counts.rename_axis("kind").reset_index(name="n"), ax)
        rows = label_rows(ax, [str(name) for name in shown["kind"]])
        ax.barh(rows, shown["n"], color=STEPS["middle"], height=0.6, linewidth=0)
        ax.set(xlim=(0, shown["n"].max()), xticks=[])
        ax.spines["bottom"].set_visible(False)
        rest = [f"{n / len(table):.0%}" for n in shown["n"]]
        if self.also is not None:
            others = table.groupby(kinds)[self.also[0]].nunique()
            rest = [f"in {many(others[kind], self.also[1])}" for kind in shown["kind"]]
        write_values(ax, [f"{n:,}" for n in shown["n"]], rest)
        name_axis(ax, self.label)
