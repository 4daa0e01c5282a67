"""The chart of a funnel: where the deals that reached each step of the largest pipeline are now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from hlkit.analysis.core.charts import Chart, Heatmap, Part, Stacked
from hlkit.analysis.core.charts.base import interval_text, percent_text
from hlkit.analysis.core.groups import NONE, SMALL
from hlkit.analysis.sales.funnel_stages import DELETED_STAGE, WON_STEP
from hlkit.analysis.sales.funnel_steps import largest_pipeline
from hlkit.client.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_STEPS, MAX_GROUPS = 24, 6  # in one chart
PLACEHOLDERS = {WON_STEP: "won", DELETED_STAGE: "deleted stage", NONE: "no stage"}


def is_grouped(table: pd.DataFrame) -> bool:
    """Whether the table has a funnel for each of several groups."""
    return bool(table.columns[0] != "pipeline_id" and table.iloc[:, 0].nunique() > 1)


@dataclass(frozen=True)
class FunnelChart(Chart):
    """A bar for each step of the largest pipeline, of the deals that advanced, are open, were lost or are won.

    For several groups, a heat map of the share of each group's deals that reached each step.
    """

    needs: tuple[str, ...] = ("in_stage", "reached")

    def height(self, table: pd.DataFrame) -> float:
        rows = largest_pipeline(table)
        if is_grouped(table):
            return _heatmap(table).height(rows)
        return _bars(table).height(rows)

    def draw(self, table: pd.DataFrame, ax: Axes) -> None:
        rows = largest_pipeline(table)
        if not is_grouped(table):
            _bars(table).draw(_with_parts(rows), ax)
            return
        groups = rows.iloc[:, 0]
        rows = rows[rows["reached"].notna() & groups.isin(groups.unique()[:MAX_GROUPS])]
        rows = rows.assign(stage_id=_distinct_steps(rows), small=rows["entered"] < SMALL)
        _heatmap(table).draw(rows, ax)


def _bars(table: pd.DataFrame) -> Stacked:
    pipeline = largest_pipeline(table)["pipeline_id"].iloc[0]
    label = f"deals in {pipeline} that reached the step; at the right: share of the step before"
    more = table["pipeline_id"].nunique() - 1
    note = f"; {many(more, 'more pipeline')} in the table" if more else ""
    return Stacked(PARTS, label + note, "entered", value=_share_of_step, names=_steps, most=MAX_STEPS)


def _heatmap(table: pd.DataFrame) -> Heatmap:
    pipeline = largest_pipeline(table)["pipeline_id"].iloc[0]
    label = f"share of the group's deals in {pipeline} that reached the step"
    more = {"pipeline": table["pipeline_id"].nunique() - 1, "group": table.iloc[:, 0].nunique() - MAX_GROUPS}
    note = " and ".join(many(count, f"more {kind}") for kind, count in more.items() if count > 0)
    label = f"{note} in the table; {label}" if note else label
    return Heatmap("stage_id", str(table.columns[0]), "total_share", label)


PARTS = (
    Part("advanced", "advanced", "context"),
    Part("open_here", "open here", "middle"),
    Part("lost_here", "lost here", "attention"),
    Part("won_here", "won", "strong"),
)


def _with_parts(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the widths of the parts of their bars."""
    is_step, is_won_step = rows["reached"].notna(), (rows["stage_id"] == WON_STEP).fillna(False)
    next_reached = rows["reached"][is_step].shift(-1).reindex(rows.index)
    return rows.assign(
        advanced=next_reached.where(~is_won_step),
        open_here=rows["open"],
        lost_here=rows["lost"],
        won_here=rows["reached"].where(is_won_step, rows["won"].where(~is_step)),
    )


def _steps(rows: pd.DataFrame) -> list[str]:
    return [PLACEHOLDERS.get(str(name), str(name)) for name in rows["stage_id"]]


def _distinct_steps(rows: pd.DataFrame) -> pd.Series:
    """The names of the steps; a second stage of the same name gets a number."""
    number = rows.groupby([rows.iloc[:, 0], "stage_id"]).cumcount() + 1
    names = pd.Series(_steps(rows), index=rows.index)
    return names.where(number == 1, names + " (" + number.astype(str) + ")")


def _share_of_step(row: pd.Series) -> tuple[str, str]:
    """What is written beside a bar: the share of the step before, in bold, and its interval and base."""
    if pd.isna(row["reached"]):
        return "", f"{row['in_stage']:,.0f} in this stage"
    if pd.isna(row["step_share"]):
        return "", many(row["reached"], "deal")
    interval = interval_text(float(row["step_low"]), float(row["step_high"]))
    return percent_text(float(row["step_share"])), f"{interval} of {row['reached_previous']:,.0f}"
