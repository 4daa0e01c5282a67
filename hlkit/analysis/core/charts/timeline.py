"""Counts over time as data: ``Timeline`` draws days with an expected range, weeks or months, or a line per group."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts.base import Chart, row_names
from hlkit.analysis.core.charts.canvas import INK, MUTED, REST, SERIES, STEPS, draw_gridlines, draw_points, top_groups
from hlkit.analysis.core.charts.curves import DASHES, label_ends
from hlkit.analysis.core.charts.stacked import legend_above
from hlkit.analysis.core.headlines import option_value
from hlkit.analysis.core.run_log import as_mask
from hlkit.analysis.core.shares import Floats
from hlkit.client.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Every = Literal["day", "week", "month"]
DENSE = 130  # days: with more, a daily line and the range of each weekday would be unreadable
MAX_LABELS = 6  # of unusual days


@dataclass(frozen=True)
class Timeline(Chart):
    """The count ``value`` by ``date``; the option ``every`` of the table says of what length its periods are.

    Days are marks with their 7-day average; those with the *flag* have a label, and *low* and *high* bound the
    expected range. Weeks and months are bars. Several groups are lines, with names at their ends. Only *whole*
    periods are drawn. Early ones that would leave most of the chart empty are counted in a note: by day and week
    those without a value of *fitted*.
    """

    value: str
    low: str
    high: str
    flag: str
    fitted: str
    whole: str

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.value,)

    def height(self, table: pd.DataFrame) -> float:
        return 3.4

    def draw(self, table: pd.DataFrame, ax: Axes) -> None:
        every: Every = option_value(table, "every") or "day"
        is_grouped = table.iloc[:, 0].nunique() > 1
        start = self._start(table, by_fit=not is_grouped and every != "month")
        early = table.loc[as_mask(table["date"] < start), self.value].sum()
        whole = as_mask(table[self.whole])
        shown = table[as_mask(table["date"] >= start) & (whole if whole.any() else ~whole)]
        if is_grouped:
            label = self._draw_groups(shown, ax, every)
        elif every == "day":
            label = self._draw_days(shown, ax)
        else:
            label = self._draw_bars(shown, ax, every)
        years = set(shown["date"].dt.year)  # of several, each is a label on the axis
        label += f" in {min(years)}" * (len(years) == 1)
        if early:
            noun = self.value.removesuffix("s")
            label += f"\nnot shown: {many(early, noun)} before {start:%b} {start.day}, {start.year}"
        ax.set_xlabel(label, fontsize=8, color=MUTED)
        date_axis(ax)

    def _start(self, table: pd.DataFrame, by_fit: bool) -> pd.Timestamp:
        """The first date to show: that of the fitted rows with *by_fit*, or else the one after a few early rows."""
        fitted = table.loc[table[self.fitted].notna(), "date"]
        if len(fitted) and by_fit:
            return pd.Timestamp(fitted.min())
        counts = table.groupby("date")[self.value].sum().astype("float64")
        dates = counts.index.to_series()
        time_share = (dates - dates.iloc[0]) / max(dates.iloc[-1] - dates.iloc[0], pd.Timedelta(days=1))
        empty = time_share - (counts.cumsum() - counts) / max(counts.sum(), 1)
        return pd.Timestamp(empty.idxmax() if empty.max() > 0.5 else dates.iloc[0])

    def _draw_days(self, table: pd.DataFrame, ax: Axes) -> str:
        date, values = table["date"].to_numpy(), table[self.value].to_numpy("float64")
        low, high = (table[name].to_numpy("float64", na_value=np.nan) for name in (self.low, self.high))
        is_dense, top = len(table) > DENSE, values.max()
        if is_dense:
            draw_points(ax, date, values, REST, 3, linewidths=0, alpha=0.7, label="day", zorder=1)
        else:
            if np.isfinite(high).any():
                top = max(top, np.nanmax(high))
                ax.fill_between(
                    date, low, high, color=SERIES[0], alpha=0.14, linewidth=0, step="mid", label="expected range"
                )
            ax.plot(date, values, color=REST, linewidth=0.8, linestyle="-", marker=".", markersize=4, label="day")
        if len(table) >= 14:
            average = smooth(values, 7)
            ax.plot(date, average, color=SERIES[0], linewidth=1.8, linestyle="-", marker="", label="7-day average")
        unusual = table[as_mask(table[self.flag])]
        if len(unusual) and is_dense:
            bottom, upper = (unusual[name].to_numpy("float64") for name in (self.low, self.high))
            range_line: dict[str, Any] = {"color": SERIES[0], "linewidth": 3, "alpha": 0.4, "linestyles": "-"}
            ax.vlines(unusual["date"].to_numpy(), bottom, upper, **range_line, label="its expected range", zorder=3)
        if len(unusual):
            self._draw_unusual(table, unusual, ax)
        ax.set_ylim(0, max(1.0, top) * 1.12)
        legend_above(ax, 4)
        return f"{self.value} per day"

    def _draw_unusual(self, table: pd.DataFrame, unusual: pd.DataFrame, ax: Axes) -> None:
        """Draw a dot on each unusual day; label the most extreme ones where there is room."""
        dates, values = unusual["date"].to_numpy(), unusual[self.value].to_numpy("float64")
        draw_points(ax, dates, values, STEPS["attention"], 22, zorder=4, label="unusual day")
        first, last = table["date"].min(), table["date"].max()
        width, height = (last - first) / 5, 0.12 * float(table[self.value].max())  # of a label, roughly
        labeled: list[tuple[pd.Timestamp, float]] = []
        low, high = (unusual[name].to_numpy("float64") for name in (self.low, self.high))
        extreme = np.abs(values - (low + high) / 2) / (high - low)
        for index in np.argsort(-extreme, kind="stable").tolist():
            day, value = pd.Timestamp(dates[index]), float(values[index])
            if len(labeled) == MAX_LABELS or any(
                abs(day - x) < width and abs(value - y) < height for x, y in labeled
            ):
                continue
            labeled.append((day, value))
            ax.annotate(
                f"{day:%b} {day.day}: {value:,.0f}",
                (dates[index], value),
                xytext=(0, 5),
                textcoords="offset points",
                ha="right" if day > last - width / 2 else "left" if day < first + width / 2 else "center",
                va="bottom",
                fontsize=8,
                color=INK,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
                zorder=5,
            )

    def _draw_bars(self, table: pd.DataFrame, ax: Axes, every: Every) -> str:
        """A bar from zero for each week or month, with the last value at the right."""
        values = table[self.value].to_numpy("float64")
        days = table["date"].dt.days_in_month if every == "month" else pd.Series(7, index=table.index)
        widths = pd.to_timedelta(0.85 * days, unit="D").to_numpy()
        ax.bar(table["date"].to_numpy(), values, width=widths, align="edge", color=SERIES[0], linewidth=0)
        ax.set_ylim(0, max(1.0, values.max()) * 1.12)
        label_ends(ax, [(values[-1], f"{values[-1]:,.0f}", f"last {every}", INK)])
        return f"{self.value} per full {every}"

    def _draw_groups(self, table: pd.DataFrame, ax: Axes, every: Every) -> str:
        """A line for each of the largest groups, smoothed, with its name and its last value at its end."""
        count = table["date"].nunique()
        window = {"day": 28 if count > 200 else 7, "week": 4 if count > 26 else 1, "month": 1}[every]
        group = table.columns[0]
        sizes = table.groupby(group, sort=False, as_index=False)[[self.value]].sum()
        shown = top_groups(sizes.sort_values(self.value, ascending=False, kind="stable"), ax, None, len(SERIES))
        ends: list[tuple[float, str, str, str]] = []
        for number, (name, label) in enumerate(zip(shown[group], row_names(shown), strict=True)):
            rows = table[as_mask(table[group] == name)]
            line: dict[str, Any] = {"linestyle": DASHES[number], "marker": "o" if len(rows) == 1 else ""}
            values = smooth(rows[self.value].to_numpy("float64"), window)
            ax.plot(rows["date"].to_numpy(), values, color=SERIES[number], linewidth=1.8, **line)
            first, _, second = label.partition("\n")
            rate = f"{values[-1]:,.1f}" if values[-1] < 10 else f"{values[-1]:,.0f}"
            ends.append((values[-1], first, " · ".join(filter(None, (second, f"{rate} a {every}"))), SERIES[number]))
        ax.set_ylim(0, None)
        ax.margins(x=0)
        label_ends(ax, ends)
        return f"{self.value} per {every}" + (f", {window}-{every} average" if window > 1 else "")


def smooth(values: Floats, window: int) -> Floats:
    """The centered moving average over *window* values; the values themselves if there are fewer."""
    mean = pd.Series(values).rolling(window, center=True, min_periods=window // 2 + 1).mean()
    return values if len(values) < window else np.asarray(mean, dtype="float64")


def date_axis(ax: Axes) -> None:
    """Dates at the bottom, each year or month named once, and whole numbers at the left."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import MaxNLocator

    locator = AutoDateLocator(tz=UTC, minticks=3, maxticks=8, interval_multiples=True)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, tz=UTC, show_offset=False, usetex=False)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_formatter(formatter)
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=ax.get_ylim()[1] >= 3))
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    draw_gridlines(ax, "y")
