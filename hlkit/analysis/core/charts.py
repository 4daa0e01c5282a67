"""Charts as data: ``Dots``, ``Stacked`` and ``Strip`` name the columns that they draw.

The first column of a table names its rows. A chart has no title, since a result shows its headline above it. Names
stand on the left and values on the right; a 95% interval is a line; a group of fewer than 20 rows is hollow and last.
"""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.canvas import (
    HAIR,
    INK,
    MAX_ROWS,
    MUTED,
    REST,
    SERIES,
    STEPS,
    duration_axis,
    label_rows,
    percent_axis,
    top_groups,
)
from hlkit.analysis.core.groups import NONE
from hlkit.analysis.core.run_log import as_mask

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


@dataclass(frozen=True)
class Strip(Chart):
    """A mark for each row of the table by its time *x*, in lanes by what *lane* gives.

    The marks of rows with the flag *alert* are orange, those of the others hollow; without *alert* all are blue.
    ``limit`` is a column with the limit of the lane, drawn as a line.
    """

    x: str
    lane: Callable[[pd.DataFrame], pd.Series]
    alert: str | None
    label: Text
    limit: str | None = None
    unit: Literal["minutes", "days"] = "days"

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
        smallest = 1 / 24 if self.unit == "days" else 0.5
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
        duration_axis(ax, "x", self.unit)
        ax.set_xlim(0.7 * x.min(), 1.6 * right)
        thin_ticks(ax)
        name_axis(ax, text_of(self.label, table))
        counts = lanes[["alerts", "n"]].astype("int64").itertuples(index=False)
        of = ["" if self.alert is None else f"of {n:,}" for n in lanes["n"]]
        write_values(ax, [f"{alerts:,}" for alerts, _ in counts], of)
