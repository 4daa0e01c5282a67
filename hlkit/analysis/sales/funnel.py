"""Funnel: how many deals are in each stage, how many reached it, and where they are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from hlkit.analysis.core.bulk_imports import is_bulk_import
from hlkit.analysis.core.canvas import (
    BLUE,
    GRAY,
    GREEN,
    INK,
    ORANGE,
    PALE,
    PALETTE,
    draw_intervals,
    draw_legend,
    draw_points,
    format_percent,
    percent_axis,
)
from hlkit.analysis.core.deals import (
    AGES,
    Abandoned,
    deal_group_keys,
    deals_as_of,
    win_columns,
    wins_at_ages,
    wins_by_age,
    without_abandoned,
)
from hlkit.analysis.core.groups import (
    NONE,
    SMALL,
    Array,
    assign_groups,
    group_column_name,
    map_keys,
    rank_by_size,
    require_columns,
    share_with_interval,
)
from hlkit.analysis.core.headlines import compare_win_rates, largest_group, option_value
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import as_mask, drop_rows, remark
from hlkit.client.arguments import short
from hlkit.client.dates import instant
from hlkit.client.errors import InvalidRequest
from hlkit.client.frames.names import id_named, near_names
from hlkit.client.schema import COUNT, FLAG, ID, MONEY, SHARE, TEXT
from hlkit.client.text import many, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WON_STEP, DELETED_STAGE, DELETED_PIPELINE = "(won)", "(deleted stage)", "(deleted pipeline)"
_STATUSES = ("open", "won", "lost", "abandoned")
_MAX_GROUPS = 4  # in one chart


@analysis(
    "Where do deals stall or drop out?",
    columns={
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
    },
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
    noun="deals",
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
    currency: str | None = None,
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
    currency
        The currency of the values; the location's if omitted.

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
    require_columns(stages, "stage_id", "pipeline_id", "position")
    deals = _select_by_change(opportunities, match, changed_since, changed_until, timezone)
    stages = _ordered_stages(stages, match)
    pipeline_ids = map_keys(deals["stage_id"], stages["pipeline_id"]).fillna(deals["pipeline_id"]).fillna(NONE)
    deals = deals.assign(
        **{_ORDER: map_keys(deals["stage_id"], stages["order"]).to_numpy(), _PIPELINE: pipeline_ids.to_numpy()}
    )
    names = stages.drop_duplicates("pipeline_id").set_index("pipeline_id")["pipeline"]
    if pipeline is not None:
        deals = deals[deals[_PIPELINE].isin([_pipeline_id(pipeline, names)])]
    deals = without_abandoned(_with_status_as_of(deals, as_of), abandoned)
    deals, groups = assign_groups(deals, deal_group_keys(opportunities, deals, by))
    if currency:
        remark(f"Values are in {currency}.")
    table = _stage_table(deals, groups, stages, names)
    selected_by_change = len(deals) and (changed_since is not None or changed_until is not None)
    table = _add_win_rates(table, deals, groups, comparable=not selected_by_change)
    if by is None:
        return table.drop(columns="group")
    return table.rename(columns={"group": group_column_name(by, funnel.columns)})


# Columns added to the deals: the order of the deal's stage in its pipeline, from 0; its pipeline.
_ORDER, _PIPELINE = "(order)", "(pipeline)"


# ---- deals and stages


def _select_by_change(
    deals: pd.DataFrame, match: str, changed_since: str | None, changed_until: str | None, timezone: str
) -> pd.DataFrame:
    """With ``match="highlevel"``, the deals whose status changed between the two dates."""
    if changed_since is None and changed_until is None:
        return deals
    if match != "highlevel":
        raise InvalidRequest(
            "changed_since and changed_until select deals by status change, as HighLevel's dashboard does",
            hint='add match="highlevel", or select by creation date with since and until',
        )
    require_columns(deals, "status_changed_at")
    changed = deals["status_changed_at"]
    if "created_at" in deals:  # a status that never changed dates from the deal's creation
        changed = changed.fillna(deals["created_at"])
    since, until = (
        instant(name, date, lambda: ZoneInfo(timezone))
        for name, date in (("changed_since", changed_since), ("changed_until", changed_until))
    )
    in_range = changed.notna()
    if since is not None:
        in_range &= (changed >= since).fillna(False)
    if until is not None:
        in_range &= (changed < until).fillna(False)
    return drop_rows(deals, ~in_range, "opportunities whose status changed at another time")


def _ordered_stages(stages: pd.DataFrame, match: str) -> pd.DataFrame:
    """The stages by id, sorted by pipeline and position.

    Columns: pipeline_id, pipeline and stage (names), position, is_step (False if hidden from HighLevel's funnel) and
    order (0, 1, 2, ... within the pipeline).
    """
    pipeline_order = pd.Index(pd.factorize(stages["pipeline_id"].fillna(NONE))[1])
    stages = stages[stages["stage_id"].notna()].drop_duplicates("stage_id")
    stages = stages.sort_values(["position", "stage_id"], kind="stable", na_position="last")
    pipeline_ids = stages["pipeline_id"].fillna(NONE)
    is_step = pd.Series(True, index=stages.index)
    if match == "highlevel" and "in_funnel" in stages:
        is_step = stages["in_funnel"].fillna(True).astype(bool)
        if not is_step.all():
            remark("Stages hidden from HighLevel's funnel are not steps; their deals reached the steps before.")
    table = pd.DataFrame(
        {
            "pipeline_id": pipeline_ids,
            "pipeline": _names_or_ids(stages, "pipeline", pipeline_ids),
            "stage": _names_or_ids(stages, "name", stages["stage_id"]),
            "position": stages["position"],
            "is_step": is_step,
            "order": pipeline_ids.groupby(pipeline_ids).cumcount().astype("float64"),
        }
    ).set_index(pd.Index(stages["stage_id"]))
    table["pipeline_order"] = pipeline_order.get_indexer(table["pipeline_id"])
    return table.sort_values(["pipeline_order", "order"], kind="stable")


def _names_or_ids(frame: pd.DataFrame, column: str, ids: pd.Series) -> pd.Series:
    return frame[column].fillna(ids) if column in frame else ids


def _pipeline_id(name_or_id: str, names: pd.Series) -> str:
    """The id of the pipeline with this name or id."""
    pipeline_id = id_named("pipeline", name_or_id, names)
    if pipeline_id is None:
        raise InvalidRequest(f"there is no pipeline {short(name_or_id)}", hint=near_names(name_or_id, names))
    return pipeline_id


def _with_status_as_of(deals: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The deals with their status at *as_of*; the stage is always the current one."""
    if "stage_changed_at" in deals and (moved := int((deals["stage_changed_at"] > as_of).sum())):
        remark(f"{moved:,} deals changed stage after as_of and count in their current stage.")
    return deals_as_of(deals, as_of)


# ---- counts


def _stage_table(deals: pd.DataFrame, groups: pd.Series, stages: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    """A row for each group, pipeline and stage; in each pipeline the step won and deleted stages come last."""
    ids = deals[_PIPELINE].astype("object")
    pipelines = pd.Index(list(dict.fromkeys([*names.index, *sorted(set(ids) - set(names.index))])), dtype="object")
    rank, labels = rank_by_size(groups)
    funnels = rank * max(1, len(pipelines)) + pipelines.get_indexer(ids)  # one for each group and pipeline
    won_order = int(stages["order"].max()) + 1 if len(stages) else 0  # after all stages
    last_labels = {won_order: WON_STEP, won_order + 1: DELETED_STAGE, won_order + 2: NONE}
    no_stage = np.where(deals["stage_id"].isna(), won_order + 2, won_order + 1)
    orders = deals[_ORDER].to_numpy("float64")
    orders = np.where(np.isnan(orders), no_stage, np.nan_to_num(orders)).astype("int64")

    counts = _count_deals(deals, funnels, orders)
    totals = counts.groupby("funnel", as_index=False).agg(entered=("in_stage", "sum"), wins=("won", "sum"))
    totals["pipeline_number"] = totals["funnel"] % max(1, len(pipelines))
    stages = stages.rename_axis("stage_id").reset_index().astype({"order": "int64"})
    stages["pipeline_number"] = pipelines.get_indexer(stages["pipeline_id"].astype("object"))

    columns = ["funnel", "order"]
    of_stages = totals.merge(stages[["pipeline_number", "order"]], on="pipeline_number")[columns]
    without_stage = counts.loc[counts["order"] > won_order, columns]
    rows = pd.concat([of_stages, totals.assign(order=won_order)[columns], without_stage]).sort_values(columns)
    rows = rows.merge(counts, on=columns, how="left").merge(totals, on="funnel", how="left")
    rows = rows.merge(
        stages[["pipeline_number", "order", "stage_id", "stage", "position", "is_step"]],
        on=["pipeline_number", "order"],
        how="left",
    )
    counted = ["in_stage", *_STATUSES, "value"]
    rows[counted] = rows[counted].fillna(0).astype("float64")

    is_won_step, is_stage = rows["order"] == won_order, rows["order"] < won_order
    reached, previous = _reached(rows, won_order)
    entered = rows["entered"].astype("float64")
    if (rows["order"] == won_order + 1).any():
        remark(
            "Deals in a deleted stage count in the first step only, because it is unknown which steps they reached."
        )
    last_label = rows["order"].map(last_labels)
    pipeline_names = [names.get(key, key if key == NONE else DELETED_PIPELINE) for key in pipelines]
    return pd.DataFrame(
        {
            "group": labels[rows["funnel"] // max(1, len(pipelines))],
            "pipeline_id": pipelines.to_numpy()[rows["pipeline_number"]],
            "pipeline": np.array(pipeline_names, dtype="object")[rows["pipeline_number"]],
            "stage_id": rows["stage_id"].astype("object").where(is_stage, last_label),
            "stage": rows["stage"].astype("object").where(is_stage, last_label),
            "position": rows["position"],
            **{name: rows[name].mask(is_won_step) for name in counted},
            "entered": entered,
            "reached_previous": previous,
            "reached": reached,
            **share_with_interval("step", reached, previous),
            **share_with_interval("total", reached, entered),
            "small": previous.fillna(entered) < SMALL,
        }
    )


def _count_deals(deals: pd.DataFrame, funnels: Array, orders: Array) -> pd.DataFrame:
    """By funnel and order of the stage: how many deals are there, by status, and the value of the open ones."""
    is_status = {status: as_mask(deals["status"] == status) for status in _STATUSES}
    value = deals["value"].fillna(0.0).to_numpy("float64") if "value" in deals else np.zeros(len(deals))
    cells = pd.DataFrame({"funnel": funnels, "order": orders, "in_stage": 1, **is_status})
    cells["value"] = np.where(is_status["open"], value, 0.0)
    counts = cells.groupby(["funnel", "order"], as_index=False).sum()
    return counts.assign(lost=counts["lost"] + counts["abandoned"])


def _reached(rows: pd.DataFrame, won_order: int) -> tuple[pd.Series, pd.Series]:
    """How many deals reached the step of each row, and the step before; null if the row is not a step.

    All deals reach the first step. All but the first lose the deals that ended or stayed before it, and those of
    unknown stage. The step won is reached by the won deals.
    """
    is_step, is_won_step = rows["is_step"].eq(True), rows["order"] == won_order
    not_won = rows["in_stage"] - rows["won"]
    stayed_before = not_won.groupby(rows["funnel"]).cumsum() - not_won
    stage_unknown = not_won.where(rows["order"] > won_order, 0).groupby(rows["funnel"]).transform("sum")
    is_first = is_step.groupby(rows["funnel"]).cumsum() == 1
    reached = (rows["entered"] - stayed_before - stage_unknown).mask(is_first, rows["entered"])
    reached = reached.where(is_step).mask(is_won_step, rows["wins"])
    steps = reached[is_step | is_won_step]
    previous = steps.groupby(rows["funnel"][steps.index]).shift().reindex(rows.index)
    return reached, previous.mask(is_won_step & previous.isna(), rows["entered"])


def _add_win_rates(table: pd.DataFrame, deals: pd.DataFrame, groups: pd.Series, comparable: bool) -> pd.DataFrame:
    """The table with the shares won by each age on its "(won)" rows; null if not *comparable*.

    Deals that were selected by the date of their status change are not comparable: how they end decides which of them
    are selected.
    """
    keys = [groups, deals[_PIPELINE]]
    open_share = (deals["status"] == "open").groupby(keys, sort=False).mean()
    rates: dict[Any, dict[str, float]] = {key: {"open_share": share} for key, share in open_share.items()}
    has_age = ~is_bulk_import(deals)  # the creation date of an imported deal is the date of the import
    deals = deals[[name for name in ("status", "age", "followed", "contact_id") if name in deals]]
    for key, rows in deals[has_age].groupby([key[has_age] for key in keys], sort=False) if comparable else ():
        rates[key] |= wins_at_ages(rows, wins_by_age(rows), *AGES)
    if not has_age.all():
        remark(f"{int((~has_age).sum()):,} imported deals are not in win_30d_share and the like: age unknown.")
    row_keys = pd.MultiIndex.from_arrays([table["group"], table["pipeline_id"]])
    wins = pd.DataFrame.from_dict(rates, orient="index", columns=["open_share", *win_columns(*AGES)])
    wins.index = pd.MultiIndex.from_tuples(list(rates), names=row_keys.names) if rates else row_keys[:0]
    wins = wins.reindex(row_keys).set_index(table.index)
    return table.assign(**wins[(table["stage_id"] == WON_STEP).to_numpy(dtype=bool)])


# ---- headline


@funnel.headline_for()
def headline(table: pd.DataFrame) -> str:
    """Where the deals of the largest pipeline are lost and where they are open; for groups, their win rates."""
    pipeline = table["pipeline_id"].iloc[int(table["entered"].fillna(0).to_numpy("int64").argmax())]
    rows = table[(table["pipeline_id"] == pipeline).fillna(False).to_numpy(dtype=bool)]
    if table.columns[0] != "pipeline_id":
        won = rows[(rows["stage_id"] == WON_STEP).to_numpy(dtype=bool)]
        return f"{pipeline}: {_win_rates_headline(won.assign(small=won['entered'] < SMALL))}"
    stages = rows.set_index("stage_id").reset_index()
    lost, still_open, value = (float(stages[name].sum()) for name in ("lost", "open", "value"))
    most_lost, most_open = largest_group(stages, "lost"), largest_group(stages, "open")
    lost_in = f", most often in {most_lost}" if most_lost else ""
    open_in = f", most often in {most_open}" if most_open else ""
    unit = f" {option_value(table, 'currency')}" if option_value(table, "currency") else ""
    worth = f", worth {value:,.0f}{unit} in total" if value > 0 else ""
    return (
        f"Of the {many(rows['entered'].iloc[0], 'deal')} in {pipeline}, {lost:,.0f} {'was' if lost == 1 else 'were'} "
        f"lost{lost_in}; {still_open:,.0f} {'is' if still_open == 1 else 'are'} open{worth}{open_in}."
    )


def _win_rates_headline(won: pd.DataFrame) -> str:
    if option_value(won, "changed_since") or option_value(won, "changed_until"):
        return "win rates are not compared, because these deals were selected by the date of their status change."
    return compare_win_rates(won)


# ---- chart


_MAX_ROWS = 24  # stages and pipeline headings in one chart


@funnel.chart("in_stage", "reached")
def chart(table: pd.DataFrame, ax: Axes) -> None:
    """The steps of each pipeline, the largest pipeline on top: deals that advanced, are open, were lost, or won."""
    by = str(table.columns[0]) if table.columns[0] != "pipeline_id" else None
    by = None if by is None or table[by].nunique() == 1 else by
    table = table if by is None else table[table["reached"].notna()]
    pipelines = [rows.reset_index(drop=True) for _, rows in table.groupby(_pipeline_numbers(table, by), sort=False)]
    pipelines.sort(key=_deal_count, reverse=True)
    shown = _that_fit(pipelines)
    positions = _label_steps(ax, shown)
    ax.set_xlabel(_axis_label(len(shown) > 1, by, table))
    if by is None:
        _draw_pipelines(shown, positions, ax)
    else:
        _draw_all_groups(table, shown, positions, by, ax)
    _annotate_counts(shown, len(pipelines) - len(shown), by, ax)
    handles, labels = ax.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    draw_legend(
        ax,
        0.4,
        -0.16 - 0.06 * ax.get_xlabel().count("\n"),
        handles=list(unique.values()),
        labels=list(unique),
        ncols=4 if by is None else 2,
        fontsize=8,
        columnspacing=1,
        handlelength=1,
    )


def _pipeline_numbers(table: pd.DataFrame, by: str | None) -> pd.Series:
    """A key of the pipeline of each row. Without groups it also separates pipelines with the same name."""
    pipeline = table["pipeline_id"].astype("object")
    if by is not None:
        return pipeline
    is_last = table["stage_id"].isin((WON_STEP, DELETED_STAGE, NONE))  # rows after the stages of a pipeline
    starts = (pipeline != pipeline.shift()) | (~is_last & is_last.shift(fill_value=False))
    return starts.cumsum()


def _deal_count(rows: pd.DataFrame) -> int:
    """The deals of a pipeline, of all groups together."""
    groups = rows.iloc[:, 0] if rows.columns[0] != "pipeline_id" else pd.Series(0, index=rows.index)
    return int(rows["entered"].groupby(groups).max().sum())


def _first_group(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first group; the other groups have the same steps."""
    if rows.columns[0] == "pipeline_id":
        return rows
    return rows[(rows.iloc[:, 0] == rows.iloc[0, 0]).to_numpy(dtype=bool)]


def _that_fit(pipelines: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """The first pipelines, as many as fit in one chart."""
    ends = np.cumsum([len(_first_group(rows)) + 1 for rows in pipelines])
    return pipelines[: max(1, int((ends <= _MAX_ROWS).sum()))]


def _label_steps(ax: Axes, pipelines: list[pd.DataFrame]) -> list[Array]:
    """Label the steps, and the pipelines if there are several; the y positions of each pipeline's steps."""
    several = len(pipelines) > 1
    count = sum(len(_first_group(rows)) + several for rows in pipelines)
    size = 9 if count <= 12 else 7 if count <= 18 else 6
    positions, labels, y = [], [], 0
    for rows in pipelines:
        steps = _first_group(rows)
        if several:
            heading = f"{rows['pipeline_id'].iloc[0]} ({_deal_count(rows):,})".replace("\n", " ")
            ax.annotate(
                heading,
                (0, y + 0.15),
                (2, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                fontsize=size,
                fontweight="bold",
                color=INK,
            )
            y += 1
        positions.append(np.arange(len(steps), dtype="float64") + y)
        labels += [str(name) if count <= 12 else _one_line(str(name)) for name in steps["stage_id"]]
        y += len(steps)
    ax.set_yticks(np.concatenate(positions), labels)
    ax.tick_params(axis="y", length=0, labelsize=size)
    ax.set_ylim(y - 0.5, -0.5)
    return positions


def _one_line(name: str) -> str:
    return shorten(name.replace("\n", " "), 28)


def _axis_label(several: bool, by: str | None, table: pd.DataFrame) -> str:
    if by is not None:
        more = table[by].nunique() - _MAX_GROUPS
        rest = f"; {many(more, 'more group')} in the table" if more > 0 else ""
        return f"share of the group's deals that reached this stage\n(95% interval){rest}"
    label = (
        "share of the pipeline's deals that reached this stage\n" if several else "deals that reached this stage · "
    )
    label += "% of the stage before (95% interval)"
    if as_mask(table["small"]).any():
        label += f"{' · ' if several else chr(10)}gray: fewer than 20 deals before"
    return label


def _annotate_counts(pipelines: list[pd.DataFrame], omitted: int, by: str | None, ax: Axes) -> None:
    """Write above the chart how many deals it shows."""
    several = len(pipelines) > 1
    first = "" if several else f"{pipelines[0]['pipeline_id'].iloc[0]}, "
    count = many(sum(_deal_count(rows) for rows in pipelines), "deal")
    where = f" in {len(pipelines)} pipelines" if several else ""
    how = ", current stages" if by is None else f", by {by.removesuffix('_id')}"
    more = f"; {many(omitted, 'more pipeline')} in the table" if omitted else ""
    note = f"{first}{count}{where}{how}{more}"
    ax.annotate(note, (0, 1), xycoords="axes fraction", ha="left", va="bottom", color=GRAY, fontsize=8)


def _draw_pipelines(pipelines: list[pd.DataFrame], positions: list[Array], ax: Axes) -> None:
    """The bars of each pipeline: in deals, or in shares of its deals if there are several pipelines."""
    several = len(pipelines) > 1
    longest = max(_draw_steps(rows, y, ax, several) for rows, y in zip(pipelines, positions, strict=True))
    ax.set_xlim(0, longest * 1.35)
    if several:
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
        ax.xaxis.set_major_formatter(format_percent)


def _draw_steps(table: pd.DataFrame, positions: Array, ax: Axes, as_shares: bool) -> float:
    """The bars of one pipeline; returns the length of the longest."""
    numeric = [name for name, kind in funnel.columns.items() if name in table and kind.name in ("COUNT", "SHARE")]
    number = {name: table[name].to_numpy("float64", na_value=np.nan) for name in numeric}
    unit = max(1.0, float(np.nanmax(number["entered"]))) if as_shares else 1.0
    is_step, is_won_step = ~np.isnan(number["reached"]), np.isnan(number["in_stage"])
    steps = np.flatnonzero(is_step)
    advanced = np.zeros(len(table))
    advanced[steps[:-1]] = number["reached"][steps[1:]]
    parts = [
        ("advanced", PALE, np.where(is_won_step, 0, advanced)),
        ("open here", BLUE, np.where(is_won_step, 0, number["open"])),
        ("lost here", ORANGE, np.where(is_won_step, 0, number["lost"])),
        ("won", GREEN, np.where(is_won_step, number["reached"], np.where(is_step, 0, number["won"]))),
    ]
    left = np.zeros(len(table))
    for label, color, width in parts:
        ax.barh(positions, width / unit, left=left, color=color, height=0.72, linewidth=0, label=label)
        left += width / unit
    is_small = table["small"].fillna(False).to_numpy(dtype=bool)
    longest = max(1.0, np.nanmax(number["reached"], initial=0.0) / unit, left.max())
    size = min(8, ax.get_yticklabels()[0].get_fontsize())
    for row, y in enumerate(positions):
        reached = number["reached"][row]
        label = f"{reached:,.0f}" if is_step[row] else f"{number['in_stage'][row]:,.0f} in this stage"
        if is_step[row] and not np.isnan(number["step_share"][row]):
            share, low, high = (number[f"step_{name}"][row] for name in ("share", "low", "high"))
            label += f" · {share:.0%} ({100 * low:.0f} to {100 * high:.0f})"
        end = max(left[row], 0 if np.isnan(reached) else reached / unit)
        ax.text(end + 0.015 * longest, y, label, va="center", fontsize=size, color=GRAY if is_small[row] else INK)
    return float(longest)


def _draw_all_groups(
    table: pd.DataFrame, pipelines: list[pd.DataFrame], positions: list[Array], by: str, ax: Axes
) -> None:
    """For each pipeline, the shares of the largest groups' deals that reached each step."""
    sizes = table.groupby([by, "pipeline_id"], sort=False)["entered"].max().groupby(by, sort=False).sum()
    groups = {str(name): f"{name} ({size:,})" for name, size in sizes.nlargest(_MAX_GROUPS).items()}
    for rows, y in zip(pipelines, positions, strict=True):
        _draw_groups(rows, y, by, groups, ax)
    for edge in np.concatenate([y[1:] - 0.5 for y in positions]):
        ax.axhline(edge, color=PALE, linewidth=0.6, linestyle="-", marker="")
    ax.set_xlim(0, 1.03)
    percent_axis(ax)


def _draw_groups(table: pd.DataFrame, positions: Array, by: str, groups: dict[str, str], ax: Axes) -> None:
    """The shares of one pipeline; *groups* maps the groups to their labels."""
    is_crowded = len(ax.get_yticks()) > 12
    for number, (group, label) in enumerate(groups.items()):
        rows = table[(table[by] == group).to_numpy(dtype=bool)]
        y = positions[: len(rows)] + 0.2 * (number - (len(groups) - 1) / 2)
        share, low, high = (rows[f"total_{name}"].to_numpy("float64") for name in ("share", "low", "high"))
        draw_intervals(ax, y, low, high, PALETTE[number], 1.2 if is_crowded else 2)
        draw_points(ax, share, y, PALETTE[number], 6 if is_crowded else 26, label=label)
