"""Funnel: in which stage deals sit now, how many came so far, and where they fall out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from hlkit.analysis.core.bulk_imports import is_bulk_import
from hlkit.analysis.core.charts import (
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
from hlkit.client.dates import instant, short
from hlkit.client.errors import InvalidRequest
from hlkit.client.frames.names import id_named, near_names
from hlkit.client.schema import COUNT, FLAG, ID, MONEY, SHARE, TEXT
from hlkit.client.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WON_STEP, DELETED_STAGE, DELETED_PIPELINE = "(won)", "(deleted stage)", "(deleted pipeline)"
_STATUSES = ("open", "won", "lost", "abandoned")
_GROUPS = 4  # in one chart


@analysis(
    "Where do deals sit, and where do they fall out?",
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
        "The state of now: HighLevel keeps no history of stages. A deal has reached a step if it stands there or "
        "further on, whether open, won, lost or abandoned, or if it is won; a lost deal stands where it was lost. A "
        "step that a deal skipped counts as reached, one that it came back from does not. The first step holds all "
        "deals of the pipeline, the last the won ones. Shares are of the step before and of all, with 95% Wilson "
        "intervals; value is that of open deals. Abandoned deals: {abandoned}. Groups are compared by the share of "
        "their deals that is won within 30, 60 or 90 days of creation (Aalen-Johansen): the largest age that at "
        "least 10 deals of each have reached; their shares of all deals depend on how old these are. Deals are "
        "chosen by: {match}."
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
    """Deals by stage: how many stand there, how many came so far, and the share of the step before.

    Takes one row per deal (pipeline_id, stage_id, status, value, created_at, status_changed_at, stage_changed_at)
    and one per stage (stage_id, pipeline_id, position, name, pipeline, in_funnel). Gives one row per pipeline and
    stage, in their order, and a last one for the step "(won)": ``in_stage`` (deals that stand there, of any
    status), ``open``, ``won`` and ``lost`` among them, ``abandoned`` of the lost, ``value`` (of the open ones, in
    the location's currency), ``entered`` (deals of the pipeline), ``reached`` (of which came so far),
    ``reached_previous`` (to the step before), ``step_share`` of that and ``total_share`` of ``entered`` with their
    intervals, and ``small`` (fewer than 20 before). The step "(won)" has the ``open_share`` of all deals,
    ``followed_days`` (the age that at least 10 of them have reached), and ``win_30d_share``, ``win_60d_share``
    and ``win_90d_share`` with their intervals (won within so many days, of all). Deals in a stage that no longer
    is are the row "(deleted stage)", and count in the first step, and in all if won. Raises ``MissingColumn`` and
    ``InvalidRequest``.

    Parameters
    ----------
    by
        A column of the deals: a funnel for each of its values.
    match
        "created" takes deals by their creation (since and until choose which); "highlevel" gives the numbers of
        HighLevel's dashboard, which takes deals by the last change of their status (changed_since and
        changed_until; leave since and until out) and has no step for a stage hidden from its funnel.
    pipeline
        One pipeline by its name or id; all if left out.
    changed_since
        With match="highlevel": deals whose status changed on this date or later, in the location's zone.
    changed_until
        And up to, without, this date.
    abandoned
        Abandoned deals count as lost, or are left out.
    currency
        What the values are in; the location's own.

    Source: HighLevel, "How Funnels and Stage Distribution Widgets work", help.gohighlevel.com article
    155000001455.
    """
    require_columns(opportunities, "pipeline_id", "stage_id", "status", by)
    require_columns(stages, "stage_id", "pipeline_id", "position")
    deals = _chosen(opportunities, match, changed_since, changed_until, timezone)
    road = _road(stages, match)
    deals = deals.assign(
        **{
            _AT: map_keys(deals["stage_id"], road["at"]).to_numpy(),
            _ROAD: map_keys(deals["stage_id"], road["pipeline_id"])
            .fillna(deals["pipeline_id"])
            .fillna(NONE)
            .to_numpy(),
        }
    )
    names = road.drop_duplicates("pipeline_id").set_index("pipeline_id")["pipeline"]
    if pipeline is not None:
        deals = deals[deals[_ROAD].isin([_pipeline(pipeline, names)])]
    deals = without_abandoned(_state(deals, as_of), abandoned)
    deals, groups = assign_groups(deals, deal_group_keys(opportunities, deals, by))
    if currency:
        remark(f"Values are in {currency}.")
    table = _table(deals, groups, road, names)
    chosen_by_change = len(deals) and (changed_since is not None or changed_until is not None)
    table = _with_wins(table, deals, groups, comparable=not chosen_by_change)
    if by is None:
        return table.drop(columns="group")
    return table.rename(columns={"group": group_column_name(by, funnel.columns)})


_AT, _ROAD = "(at)", "(pipeline)"  # the step of a deal's stage on its road, from 0; the road


# ---- which deals, on which road


def _chosen(
    deals: pd.DataFrame, match: str, changed_since: str | None, changed_until: str | None, timezone: str
) -> pd.DataFrame:
    """With ``match="highlevel"``, the deals whose status changed in the span."""
    if changed_since is None and changed_until is None:
        return deals
    if match != "highlevel":
        raise InvalidRequest(
            "changed_since and changed_until choose by the change of status, as HighLevel's dashboard does",
            hint='add match="highlevel", or choose by creation with since and until',
        )
    require_columns(deals, "status_changed_at")
    changed = deals["status_changed_at"]
    if "created_at" in deals:  # a status that never changed is as old as the deal
        changed = changed.fillna(deals["created_at"])
    since, until = (
        instant(name, date, lambda: ZoneInfo(timezone))
        for name, date in (("changed_since", changed_since), ("changed_until", changed_until))
    )
    inside = changed.notna()
    if since is not None:
        inside &= (changed >= since).fillna(False)
    if until is not None:
        inside &= (changed < until).fillna(False)
    return drop_rows(deals, ~inside, "opportunities whose status changed at another time")


def _road(stages: pd.DataFrame, match: str) -> pd.DataFrame:
    """The stages by their id, in their order: pipeline, name, which step of it, from 0, and whether it is one."""
    known = stages[stages["stage_id"].notna()].drop_duplicates("stage_id")
    known = known.sort_values(["position", "stage_id"], kind="stable", na_position="last")
    ids = known["pipeline_id"].fillna(NONE)
    order = pd.factorize(stages["pipeline_id"].fillna(NONE))[1]
    step = pd.Series(True, index=known.index)
    if match == "highlevel" and "in_funnel" in known:
        step = known["in_funnel"].fillna(True).astype(bool)
        if not step.all():
            remark("A stage that is hidden from HighLevel's funnel is no step; its deals reached those before it.")
    road = pd.DataFrame(
        {
            "pipeline_id": ids,
            "pipeline": _named(known, "pipeline", ids),
            "stage": _named(known, "name", known["stage_id"]),
            "position": known["position"],
            "step": step,
            "at": ids.groupby(ids).cumcount().astype("float64"),
        }
    ).set_index(pd.Index(known["stage_id"]))
    road["road"] = pd.Index(order).get_indexer(road["pipeline_id"])
    return road.sort_values(["road", "at"], kind="stable")


def _named(frame: pd.DataFrame, column: str, ids: pd.Series) -> pd.Series:
    return frame[column].fillna(ids) if column in frame else ids


def _pipeline(given: str, names: pd.Series) -> str:
    """The id of the pipeline that is called so, or has this id."""
    found = id_named("pipeline", given, names)
    if found is None:
        raise InvalidRequest(f"there is no pipeline {short(given)}", hint=near_names(given, names))
    return found


def _state(deals: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The deals with their status at *as_of*; the stage is always that of now."""
    if "stage_changed_at" in deals and (moved := int((deals["stage_changed_at"] > as_of).sum())):
        remark(f"{moved:,} deals moved later than as_of, and are counted where they stand now.")
    return deals_as_of(deals, as_of)


# ---- counting


def _table(deals: pd.DataFrame, groups: pd.Series, road: pd.DataFrame, names: pd.Series) -> pd.DataFrame:
    """A row for each group, pipeline and stage; then those of the step won, and of stages nobody knows."""
    on = deals[_ROAD].astype("object")
    known = list(dict.fromkeys([*names.index, *sorted(set(on.unique()) - set(names.index))]))
    which = pd.Index(known, dtype="object").get_indexer(on)
    rank, labels = rank_by_size(groups)
    pairs, pair = np.unique(rank * max(1, len(known)) + which, return_inverse=True)
    pair_road = pairs % max(1, len(known))
    pair_group = labels[pairs // max(1, len(known))]

    # Each pair is a row of these arrays, with its stages from the left, then won, deleted stages, no stage.
    width = int(road["at"].max()) + 1 if len(road) else 0
    won_at, deleted_at, none_at = width, width + 1, width + 2
    stage_of = np.full((len(known), width + 3), -1)
    road_number = pd.Index(known, dtype="object").get_indexer(road["pipeline_id"].astype("object"))
    stage_of[road_number, road["at"].to_numpy("int64")] = np.arange(len(road))
    here = stage_of[pair_road] >= 0
    steps = np.append(road["step"].to_numpy(dtype=bool), False)[stage_of[pair_road]]

    unknown = np.where(deals["stage_id"].isna(), none_at, deleted_at)
    at = deals[_AT].to_numpy("float64")
    at = np.where(np.isnan(at), unknown, np.nan_to_num(at)).astype("int64")
    cell, cells = pair * (width + 3) + at, (len(pairs), width + 3)

    def count(where: Array | None = None) -> Array:
        return np.bincount(cell, where, minlength=cells[0] * cells[1])[: cells[0] * cells[1]].reshape(cells)

    of = {status: count((deals["status"] == status).fillna(False).to_numpy("float64")) for status in _STATUSES}
    of["lost"] = of["lost"] + of["abandoned"]
    is_open = (deals["status"] == "open").fillna(False).to_numpy(dtype=bool)
    worth = deals["value"].fillna(0.0).to_numpy("float64") if "value" in deals else np.zeros(len(deals))
    value, all_, won = count(np.where(is_open, worth, 0.0)), count().astype("float64"), of["won"]
    entered, wins = all_.sum(axis=1), won.sum(axis=1)

    reached, before = np.full(cells, np.nan), np.full(cells, np.nan)
    lost_so_far, last = np.zeros(len(pairs)), np.full(len(pairs), np.nan)
    strays = (all_ - won)[:, deleted_at:].sum(axis=1)  # where they stood is not known
    for place in range(width):
        came = np.where(np.isnan(last), entered, entered - strays - lost_so_far)
        reached[:, place] = np.where(steps[:, place], came, np.nan)
        before[:, place] = np.where(steps[:, place], last, np.nan)
        last = np.where(steps[:, place], came, last)
        lost_so_far += (all_ - won)[:, place]
    reached[:, won_at] = wins
    before[:, won_at] = np.where(np.isnan(last), entered, last)
    if (all_[:, deleted_at] > 0).any():
        remark("Deals in a deleted stage count in the first step, since nobody knows how far they came.")

    here[:, won_at] = True
    here[:, deleted_at:] = all_[:, deleted_at:] > 0
    row, column = np.nonzero(here)
    stage = np.where(column < width, stage_of[pair_road[row], column], -1)
    words = {won_at: WON_STEP, deleted_at: DELETED_STAGE, none_at: NONE}
    ids = np.array([*road.index, None], dtype="object")[stage]
    titles = np.array([*road["stage"], None], dtype="object")[stage]
    for place, word in words.items():
        ids, titles = np.where(column == place, word, ids), np.where(column == place, word, titles)
    roads = np.asarray(known, dtype="object")[pair_road[row]]
    called = np.array([names.get(one, one if one == NONE else DELETED_PIPELINE) for one in known], dtype="object")
    standing = column != won_at

    def told(values: Array) -> Array:
        return np.where(standing, values[row, column], np.nan)

    step, total = reached[row, column], entered[row]
    prior = before[row, column]
    table: dict[str, Any] = {
        "group": pair_group[row],
        "pipeline_id": roads,
        "pipeline": called[pair_road[row]],
        "stage_id": ids,
        "stage": titles,
        "position": pd.array([*road["position"], None], dtype=COUNT.dtype)[stage],
        "in_stage": told(all_),
        **{status: told(of[status]) for status in _STATUSES},
        "value": told(value),
        "entered": total,
        "reached_previous": prior,
        "reached": step,
        **share_with_interval("step", step, prior),
        **share_with_interval("total", step, total),
        "small": np.where(np.isnan(prior), total, prior) < SMALL,
    }
    return pd.DataFrame(table)


def _with_wins(table: pd.DataFrame, deals: pd.DataFrame, groups: pd.Series, comparable: bool) -> pd.DataFrame:
    """The table with what is won by each age on the rows of the step won; null where deals are no fair sample.

    Deals chosen by the date on which their status changed are chosen by what became of them.
    """
    keys = [groups, deals[_ROAD]]
    still_open = (deals["status"] == "open").groupby(keys, sort=False).mean()
    shares: dict[Any, dict[str, float]] = {key: {"open_share": part} for key, part in still_open.items()}
    own = ~is_bulk_import(deals)  # the date on which a deal was imported says nothing about its age
    slim = deals[[name for name in ("status", "age", "watched", "contact_id") if name in deals]]
    for key, rows in slim[own].groupby([key[own] for key in keys], sort=False) if comparable else ():
        shares[key] |= wins_at_ages(rows, wins_by_age(rows), *AGES)
    if not own.all():
        remark(f"{int((~own).sum()):,} imported deals are in no win_30d_share and the like: their age is not known.")
    at = pd.MultiIndex.from_arrays([table["group"], table["pipeline_id"]])
    wins = pd.DataFrame.from_dict(shares, orient="index", columns=["open_share", *win_columns(*AGES)])
    wins.index = pd.MultiIndex.from_tuples(list(shares), names=at.names) if shares else at[:0]
    wins = wins.reindex(at).set_index(table.index)
    return table.assign(**wins[(table["stage_id"] == WON_STEP).to_numpy(dtype=bool)])


# ---- its answers


@funnel.headline_for()
def where_they_fall(table: pd.DataFrame) -> str:
    """Of the pipeline with the most deals, where they fall out and where they stand; of groups, who wins."""
    first = table["pipeline_id"].iloc[int(table["entered"].fillna(0).to_numpy("int64").argmax())]
    mine = table[(table["pipeline_id"] == first).fillna(False).to_numpy(dtype=bool)]
    won = mine[(mine["stage_id"] == WON_STEP).to_numpy(dtype=bool)]
    if table.columns[0] != "pipeline_id":
        return f"{first}: {_wins_said(won.assign(small=won['entered'] < SMALL))}"
    stage = mine.set_index("stage_id").reset_index()
    worst = largest_group(stage, "lost")
    lost, still, worth = (float(stage[name].sum()) for name in ("lost", "open", "value"))
    entered = many(mine["entered"].iloc[0], "deal")
    where = f", most often in {worst}" if worst else ""
    said = f"Of the {entered} in {first}, {lost:,.0f} {'was' if lost == 1 else 'were'} lost{where}"
    unit = f" {option_value(table, 'currency')}" if option_value(table, "currency") else ""
    total = f", worth {worth:,.0f}{unit} in all" if worth > 0 else ""
    stands = f", most often in {largest_group(stage, 'open')}" if largest_group(stage, "open") else ""
    return f"{said}; {still:,.0f} {'is' if still == 1 else 'are'} open{total}{stands}."


def _wins_said(won: pd.DataFrame) -> str:
    if option_value(won, "changed_since") or option_value(won, "changed_until"):
        return "win rates are not compared, since these deals were chosen by the change of their status."
    return compare_win_rates(won)


# ---- its chart


_ROWS = 24  # stages and names of pipelines in one chart: more would overlap


@funnel.chart("in_stage", "reached")
def bars(table: pd.DataFrame, ax: Axes) -> None:
    """The steps of each pipeline, that with the most deals on top: who went on, who stands there, who fell out."""
    by = str(table.columns[0]) if table.columns[0] != "pipeline_id" else None
    by = None if by is None or table[by].nunique() == 1 else by
    table = table if by is None else table[table["reached"].notna()]
    parts = [rows.reset_index(drop=True) for _, rows in table.groupby(_pipelines(table, by), sort=False)]
    parts.sort(key=_deals_in, reverse=True)
    shown = _that_fit(parts)
    deals = _places(ax, shown)
    several = len(shown) > 1
    ax.set_xlabel(_drawn(several, by, table))
    if by is None:
        longest = max(_draw_steps(rows, at, ax, several) for rows, at in deals)
        ax.set_xlim(0, longest * 1.35)
        if several:
            ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
            ax.xaxis.set_major_formatter(format_percent)
    else:
        sizes = table.groupby([by, "pipeline_id"], sort=False)["entered"].max().groupby(by, sort=False).sum()
        groups = {str(name): f"{name} ({size:,})" for name, size in sizes.nlargest(_GROUPS).items()}
        for rows, at in deals:
            _draw_groups(rows, at, by, groups, ax)
        for edge in np.concatenate([at[1:] - 0.5 for _, at in deals]):
            ax.axhline(edge, color=PALE, linewidth=0.6, linestyle="-", marker="")
        ax.set_xlim(0, 1.03)
        percent_axis(ax)
    names = "" if several else f"{shown[0]['pipeline_id'].iloc[0]}, "
    count = many(sum(_deals_in(rows) for rows in shown), "deal")
    where = f" in {len(shown)} pipelines" if several else ""
    others = len(parts) - len(shown)
    more = f"; {many(others, 'more pipeline')} in the table" if others else ""
    words = (
        f"{names}{count}{where} as they stand now{more}"
        if by is None
        else f"{names}{count}{where}, by {by.removesuffix('_id')}{more}"
    )
    ax.annotate(words, (0, 1), xycoords="axes fraction", ha="left", va="bottom", color=GRAY, fontsize=8)
    lines = ax.get_xlabel().count("\n")
    handles, labels = ax.get_legend_handles_labels()
    kinds = dict(zip(labels, handles, strict=True))  # each once
    draw_legend(
        ax,
        0.4,
        -0.16 - 0.06 * lines,
        handles=list(kinds.values()),
        labels=list(kinds),
        ncols=4 if by is None else 2,
        fontsize=8,
        columnspacing=1,
        handlelength=1,
    )


def _pipelines(table: pd.DataFrame, by: str | None) -> pd.Series:
    """Which pipeline each row is of: by its name, and where rows are not grouped, also by its place."""
    pipeline = table["pipeline_id"].astype("object")
    if by is not None:
        return pipeline
    is_tail = table["stage_id"].isin((WON_STEP, DELETED_STAGE, NONE))  # after the stages of a pipeline
    begins = (pipeline != pipeline.shift()) | (~is_tail & is_tail.shift(fill_value=False))
    return begins.cumsum()


def _deals_in(rows: pd.DataFrame) -> int:
    """The deals of a pipeline, of all groups together."""
    groups = rows.iloc[:, 0] if rows.columns[0] != "pipeline_id" else pd.Series(0, index=rows.index)
    return int(rows["entered"].groupby(groups).max().sum())


def _steps_of(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first group, which has the same steps as the others."""
    return (
        rows[(rows.iloc[:, 0] == rows.iloc[0, 0]).to_numpy(dtype=bool)] if rows.columns[0] != "pipeline_id" else rows
    )


def _that_fit(parts: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """The first of the pipelines, as many as a chart can hold."""
    ends = np.cumsum([len(_steps_of(rows)) + 1 for rows in parts])
    return parts[: max(1, int((ends <= _ROWS).sum()))]


def _places(ax: Axes, parts: list[pd.DataFrame]) -> list[tuple[pd.DataFrame, Array]]:
    """Each pipeline with the places of its steps, from the top; names the steps, and the pipelines if several."""
    count = sum(len(_steps_of(rows)) + (len(parts) > 1) for rows in parts)
    size = 9 if count <= 12 else 7 if count <= 18 else 6
    out, names, place = [], [], 0
    for rows in parts:
        steps = _steps_of(rows)
        if len(parts) > 1:
            heading = f"{rows['pipeline_id'].iloc[0]} ({_deals_in(rows):,})".replace("\n", " ")
            ax.annotate(
                heading,
                (0, place + 0.15),
                (2, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                fontsize=size,
                fontweight="bold",
                color=INK,
            )
            place += 1
        at = np.arange(len(steps), dtype="float64") + place
        out.append((rows, at))
        names += [str(name) if count <= 12 else _one_line(str(name)) for name in steps["stage_id"]]
        place += len(steps)
    ax.set_yticks(np.concatenate([at for _, at in out]), names)
    ax.tick_params(axis="y", length=0, labelsize=size)
    ax.set_ylim(place - 0.5, -0.5)
    return out


def _one_line(name: str) -> str:
    whole = name.replace("\n", " ")
    return whole if len(whole) <= 28 else f"{whole[:27]}…"


def _drawn(several: bool, by: str | None, table: pd.DataFrame) -> str:
    """What the chart shows, for its axis."""
    if by is not None:
        more = table[by].nunique() - _GROUPS
        rest = f"; {many(more, 'more group')} in the table" if more > 0 else ""
        return f"share of the group's deals that reached this stage\n(95% interval){rest}"
    what = (
        "share of the pipeline's deals that reached this stage\n" if several else "deals that reached this stage · "
    )
    what += "% of the stage before (95% interval)"
    if as_mask(table["small"]).any():
        what += f"{' · ' if several else chr(10)}gray: of fewer than 20 deals"
    return what


def _draw_steps(table: pd.DataFrame, places: Array, ax: Axes, as_shares: bool) -> float:
    """The bars of one pipeline, in deals or as shares of its deals; how long the longest is."""
    number = {name: table[name].to_numpy("float64", na_value=np.nan) for name in table.columns if _counts(name)}
    unit = max(1.0, float(np.nanmax(number["entered"]))) if as_shares else 1.0
    is_step = ~np.isnan(number["reached"])
    is_won = np.isnan(number["in_stage"])
    went_on = np.zeros(len(table))
    steps = np.flatnonzero(is_step)
    went_on[steps[:-1]] = number["reached"][steps[1:]]
    stands, fell = number["open"], number["lost"]
    parts = [
        ("advanced", PALE, np.where(is_won, 0, went_on)),
        ("open here", BLUE, np.where(is_won, 0, stands)),
        ("lost here", ORANGE, np.where(is_won, 0, fell)),
        ("won", GREEN, np.where(is_won, number["reached"], np.where(is_step, 0, number["won"]))),
    ]
    left = np.zeros(len(table))
    for label, color, width in parts:
        ax.barh(places, width / unit, left=left, color=color, height=0.72, linewidth=0, label=label)
        left += width / unit
    small = table["small"].fillna(False).to_numpy(dtype=bool)
    longest = max(1.0, np.nanmax(number["reached"], initial=0.0) / unit, left.max())
    size = min(8, ax.get_yticklabels()[0].get_fontsize())
    for row, place in enumerate(places):
        reached = number["reached"][row]
        told = f"{reached:,.0f}" if is_step[row] else f"{number['in_stage'][row]:,.0f} stand here"
        if is_step[row] and not np.isnan(number["step_share"][row]):
            step, low, high = (number[f"step_{name}"][row] for name in ("share", "low", "high"))
            told += f" · {step:.0%} ({100 * low:.0f} to {100 * high:.0f})"
        end = max(left[row], 0 if np.isnan(reached) else reached / unit)
        ax.text(end + 0.015 * longest, place, told, va="center", fontsize=size, color=GRAY if small[row] else INK)
    return float(longest)


def _counts(name: str) -> bool:
    return name in funnel.columns and funnel.columns[name].name in ("COUNT", "SHARE")


def _draw_groups(table: pd.DataFrame, places: Array, by: str, groups: dict[str, str], ax: Axes) -> None:
    """The *groups* and their labels: of all deals of each in the pipeline, the share that came so far."""
    is_crowded = len(ax.get_yticks()) > 12
    for number, (group, label) in enumerate(groups.items()):
        rows = table[(table[by] == group).to_numpy(dtype=bool)]
        at = places[: len(rows)] + 0.2 * (number - (len(groups) - 1) / 2)
        share_, low, high = (rows[f"total_{name}"].to_numpy("float64") for name in ("share", "low", "high"))
        draw_intervals(ax, at, low, high, PALETTE[number], 1.2 if is_crowded else 2)
        draw_points(ax, share_, at, PALETTE[number], 6 if is_crowded else 26, label=label)
