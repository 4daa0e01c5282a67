"""Funnel: how many deals are in each stage, how many reached it, and where they are lost."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from hlkit.analysis.core.contact_names import deal_names
from hlkit.analysis.core.deals import AGES, Abandoned, deal_group_keys, deals_as_of, win_columns, without_abandoned
from hlkit.analysis.core.groups import SMALL, assign_groups, group_column_name, require_columns
from hlkit.analysis.core.headlines import compare_win_rates, largest_group, option_value
from hlkit.analysis.core.money import currency_of, format_money
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import record_rows, remark
from hlkit.analysis.sales.dated_deals import DEAL_ROWS
from hlkit.analysis.sales.funnel_chart import FunnelChart
from hlkit.analysis.sales.funnel_stages import (
    WON_STEP,
    ordered_stages,
    pipeline_id_of,
    pipelines_of,
    select_by_change,
    stages_of,
)
from hlkit.analysis.sales.funnel_steps import (
    KEYS,
    largest_pipeline,
    stage_table,
    total_of_largest,
    win_rates_of_pipelines,
)
from hlkit.client.schema import COUNT, FLAG, ID, MONEY, SHARE, TEXT
from hlkit.client.text import many


def lost_and_open(table: pd.DataFrame) -> str:
    """Where the deals of the largest pipeline are lost and where they are open; for groups, their win rates."""
    rows = largest_pipeline(table)
    pipeline = rows["pipeline_id"].iloc[0]
    if table.columns[0] != "pipeline_id":
        won = rows[(rows["stage_id"] == WON_STEP).to_numpy(dtype=bool)]
        rates = _compare_groups(won.assign(small=won["entered"] < SMALL))
        return f"In {pipeline}, {rates[:1].lower()}{rates[1:]}"
    stages = rows.set_index("stage_id").reset_index()
    lost, still_open, value = (float(stages[name].sum()) for name in ("lost", "open", "value"))
    most_lost, most_open = largest_group(stages, "lost"), largest_group(stages, "open")
    lost_in = f", most often in {most_lost}" if most_lost else ""
    open_in = f", most often in {most_open}" if most_open else ""
    worth = f", worth {format_money(value, currency_of(table), whole=True)} in total" if value > 0 else ""
    return (
        f"Of the {many(rows['entered'].iloc[0], 'deal')} in {pipeline}, {lost:,.0f} {'was' if lost == 1 else 'were'} "
        f"lost{lost_in}; {still_open:,.0f} {'is' if still_open == 1 else 'are'} open{worth}{open_in}."
    )


def _compare_groups(won: pd.DataFrame) -> str:
    if option_value(won, "changed_since") or option_value(won, "changed_until"):
        return "Win rates are not compared, because these deals were selected by the date of their status change."
    return compare_win_rates(won)


COLUMNS = {
    "pipeline_id": ID,
    "pipeline": TEXT,
    "stage_id": ID,
    "stage": TEXT,
    "position": COUNT,
    "in_stage": COUNT,
    "open": COUNT,
    "won": COUNT,
    "lost": COUNT,
    "abandoned": COUNT,
    "value": MONEY,
    "entered": COUNT,
    "reached_previous": COUNT,
    "reached": COUNT,
    "step_share": SHARE,
    "step_low": SHARE,
    "step_high": SHARE,
    "total_share": SHARE,
    "total_low": SHARE,
    "total_high": SHARE,
    "open_share": SHARE,
    **win_columns(*AGES),
    "small": FLAG,
}


@analysis(
    "Where do deals stall or drop out?",
    columns=COLUMNS,
    definition=(
        "The current state: HighLevel keeps no history of stages. A deal reached a step if it is in that stage or "
        "a later one, whatever its status, or if it is won; a lost deal stays in the stage where it was lost. A step "
        "that a deal skipped counts as reached; a step that it was moved back from does not. The first step has all "
        "deals of the pipeline, the last step the won ones. Shares are of the step before (step_share) and of all "
        "deals (total_share), with 95% Wilson intervals; value is the value of open deals. Abandoned deals: "
        "{abandoned}. Groups are compared by the share of their deals that is won within 30, 60 or 90 days of "
        "creation (Aalen-Johansen), at the largest age that at least 10 deals of each group have reached, because a "
        "share of all deals depends on how old they are. Deals are selected by: {match}."
    ),
    chart=FunnelChart(),
    headline=lost_and_open,
    noun="deals",
    rows=DEAL_ROWS,
)
def funnel(
    opportunities: pd.DataFrame,
    stages: pd.DataFrame,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    by: str | None = None,
    match: Literal["created", "highlevel"] = "created",
    pipeline: str | None = None,
    changed_since: str | None = None,
    changed_until: str | None = None,
    abandoned: Abandoned = "lost",
) -> pd.DataFrame:
    """Deals by stage: how many are in it, how many reached it, and the share of the step before.

    Parameters
    ----------
    opportunities
        One row per deal: pipeline_id, stage_id, status; optional value, created_at, status_changed_at,
        stage_changed_at and contact_id.
    stages
        One row per stage: stage_id, pipeline_id, position; optional name, pipeline and in_funnel.
    by
        A column of the deals: one funnel for each of its values.
    match
        "created" selects deals by their creation date (since and until). "highlevel" gives the numbers of
        HighLevel's dashboard: it selects deals by the date of their last status change (use changed_since and
        changed_until instead of since and until) and skips stages that are hidden from the funnel.
    pipeline
        One pipeline, by its name or id; all if omitted.
    changed_since
        With match="highlevel": only deals whose status changed on or after this date, in the location's time zone.
    changed_until
        Only deals whose status changed before this date (exclusive).
    abandoned
        Count abandoned deals as lost, or exclude them.

    Returns
    -------
    One row per pipeline and stage, in their order, then one for the step "(won)". Of the deals now in a stage:
    ``in_stage`` (all), ``open``, ``won``, ``lost``, ``abandoned`` (included in ``lost``) and ``value`` (of open
    deals, in the location's currency). Of the pipeline's deals: ``entered`` (all), ``reached`` (this step),
    ``reached_previous`` (the step before), ``step_share`` (reached of reached_previous) and ``total_share`` (reached
    of entered) with their intervals, and ``small`` (fewer than 20 deals in the step before).
    The row "(won)" also has ``open_share`` (open deals of all), ``followed_days`` (the age in days that at least 10
    deals have reached) and ``win_30d_share``, ``win_60d_share`` and ``win_90d_share`` with their intervals (deals
    won within so many days, of all).
    Deals in a stage that was deleted have a row "(deleted stage)". They count in the first step, and in all steps
    if won.

    Raises
    ------
    MissingColumn, InvalidRequest

    Source: HighLevel, "How Funnels and Stage Distribution Widgets work", help.gohighlevel.com article
    155000001455.
    """
    require_columns(opportunities, "pipeline_id", "stage_id", "status", by)
    deals = select_by_change(opportunities, match, changed_since, changed_until, timezone)
    stages = ordered_stages(stages, match)
    if pipeline is not None:
        deals = deals[(pipelines_of(deals, stages) == pipeline_id_of(pipeline, stages)).to_numpy()]
    deals = without_abandoned(_with_status_as_of(deals, as_of), abandoned)
    deals, groups = assign_groups(deals, deal_group_keys(opportunities, deals, by))
    keys = pd.DataFrame(
        {"group": groups, "pipeline_id": pipelines_of(deals, stages), "stage_id": stages_of(deals, stages)}
    )
    is_comparable = changed_since is None and changed_until is None
    rates = win_rates_of_pipelines(deals, keys, is_comparable)
    table = stage_table(deals, keys, stages).merge(rates, on=KEYS, how="left")
    deals = deals.assign(name=deal_names(deals))
    if by is None:
        record_rows(deals, keys.drop(columns="group"), {})
        return table.drop(columns="group")
    column = group_column_name(by, COLUMNS)
    total = total_of_largest(table, deals, keys, is_comparable)
    record_rows(deals, keys.rename(columns={"group": column if by in keys else by}), total)
    return table.rename(columns={"group": column})


def _with_status_as_of(deals: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The deals with their status at *as_of*; the stage is always the current one."""
    if "stage_changed_at" in deals and (moved := int((deals["stage_changed_at"] > as_of).sum())):
        remark(f"{moved:,} deals changed stage after as_of and count in their current stage.")
    return deals_as_of(deals, as_of)
