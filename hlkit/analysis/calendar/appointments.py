"""Appointments: who comes to them, at which hour, and after how long a wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts import INK, PALE, dot_plot, draw_color_bar, format_percent, top_groups, week_matrix
from hlkit.analysis.core.comparison import overlaps
from hlkit.analysis.core.groups import (
    HOURS,
    SMALL,
    WEEKDAYS,
    Array,
    column_or_nulls,
    contact_values,
    effective_rows_by_group,
    group_keys,
    labels_at,
    local_weekday_hour,
    per_group,
    require_columns,
    share,
    share_with_interval,
    week_grid,
)
from hlkit.analysis.core.headlines import compare_groups, no_rows_headline
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import drop_rows, remark
from hlkit.client.schema import COUNT, FLAG, NUMBER, SHARE, TEXT
from hlkit.client.text import many

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_UP_TO = (4, 24, 48, 96, 168, 336)  # hours from booking to start
LEAD_TIMES = ("up to 4 h", "4-24 h", "1-2 days", "2-4 days", "4-7 days", "1-2 weeks", "over 2 weeks")
_ORDERED = {"hour": HOURS, "weekday": WEEKDAYS, "lead_time": LEAD_TIMES}

_STATES = {
    "showed": "showed",
    "completed": "showed",
    "noshow": "noshow",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "invalid": "invalid",
    "new": "unmarked",
    "confirmed": "unmarked",
    "active": "unmarked",
    "pending": "unmarked",
    "booked": "unmarked",
    "": "unmarked",
}

_SHOWN = {
    "booked": COUNT,
    "showed": COUNT,
    "noshow": COUNT,
    "cancelled": COUNT,
    "unmarked": COUNT,
    "show_share": SHARE,
    "show_low": SHARE,
    "show_high": SHARE,
    "show_floor": SHARE,
    "show_ceiling": SHARE,
    "cancel_share": SHARE,
    "cancel_low": SHARE,
    "cancel_high": SHARE,
    "unmarked_share": SHARE,
    "unmarked_low": SHARE,
    "unmarked_high": SHARE,
    "lead_time_median_h": NUMBER,
    "small": FLAG,
}


_BY_CELL = ("booked", "showed", "noshow", "cancelled", "unmarked", "show_share", "show_low", "show_high", "small")
_CELLS = {"weekday": TEXT, "hour": COUNT} | {name: _SHOWN[name] for name in _BY_CELL}


@analysis(
    "Who shows up to appointments, and when?",
    columns={"groups": _SHOWN, "heatmap": _CELLS},
    definition=(
        "Of the appointments whose start has passed, show_share is showed of showed and no-show. Those that nobody "
        "marked are in neither: had they all stayed away, it would be show_floor, had they all come, show_ceiling. "
        "cancel_share is of all booked, unmarked_share of those not canceled. Rescheduling overwrites the time, so "
        "the hour is that of the final slot. Intervals are 95% Wilson, at the effective number of appointments where "
        "a contact has several."
    ),
    noun="past appointments",
)
def appointments(
    appointments: pd.DataFrame,
    contacts: pd.DataFrame | None = None,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    show: Literal["groups", "heatmap"] = "groups",
    by: str | None = "hour",
) -> pd.DataFrame:
    """Who came of those who had an appointment, with what the unmarked ones could change.

    Takes one row per appointment (starts_at, status; created_at, is_deleted and contact_id if there), and one
    per contact where *by* is a column of contacts. Deleted and invalid appointments and those to come are left
    out. A status says showed (or completed), noshow or cancelled in any spelling; new, confirmed and active
    ones are unmarked, as is one of a status that is not known, which the definition then names.

    Parameters
    ----------
    show
        "groups" gives shares by group; "heatmap" the same by weekday and hour.
    by
        For "groups": "hour", "weekday" (of the start, in *timezone*) or "lead_time" (from booking to start), a
        column of the appointments such as calendar_id or owner_id, or one of the contacts such as source.

    Returns
    -------
    A row for each group, hours, weekdays and lead times in their order: ``booked`` and, of them, ``showed``,
    ``noshow``, ``cancelled`` and ``unmarked``; ``show_share`` with its interval and the bounds ``show_floor`` and
    ``show_ceiling``; ``cancel_share`` and ``unmarked_share`` with theirs; ``lead_time_median_h`` (the median hours
    from booking to start; one entered afterwards has 0) and ``small`` (fewer than 20 marked, or of fewer than 20
    contacts). For "heatmap" 168 rows, Monday 0 o'clock first: ``weekday`` and ``hour``, the counts and
    ``show_share``.

    Raises
    ------
    MissingColumn

    Source: HighLevel's appointment report counts what was marked alone. Bounds: Manski, "Partial Identification
    of Probability Distributions", Springer, 2003, ch. 1.
    """
    require_columns(appointments, "starts_at", "status")
    past, state = _past(appointments, as_of)
    columns = pd.DataFrame({name: state == name for name in ("showed", "noshow", "cancelled", "unmarked")})
    columns["lead"] = _lead_hours(past)
    columns["contact"] = column_or_nulls(past, "contact_id")
    day, hour = local_weekday_hour(past["starts_at"], timezone)

    if show == "heatmap":
        return _heatmap(columns, day * 24 + hour)
    key = None
    if by is not None:
        values = _group_of(appointments, past, columns["lead"], contacts, by, day, hour)
        key = pd.Series(values, index=columns.index, name=by)
    table = per_group(columns, key, _SHOWN, _summary)
    order = _ORDERED.get(by or "")
    if order is None or by in appointments:
        return table
    place = {name: number for number, name in enumerate(order)}
    return table.iloc[np.argsort([place.get(name, len(order)) for name in table.iloc[:, 0]], kind="stable")]


def _past(booked: pd.DataFrame, as_of: pd.Timestamp) -> tuple[pd.DataFrame, pd.Series]:
    """The appointments whose start has passed, and whether each was showed, noshow, cancelled or unmarked."""
    booked = drop_rows(booked, booked["starts_at"].isna(), "appointments without a start")
    if "is_deleted" in booked:
        booked = drop_rows(booked, booked["is_deleted"], "appointments that were deleted")
    booked = drop_rows(booked, booked["starts_at"] >= as_of, "appointments to come")
    word = booked["status"].fillna("").str.lower().str.replace(r"[^a-z]", "", regex=True)
    unknown = sorted(set(booked["status"][~word.isin(_STATES)].tolist()))
    if unknown:
        named = ", ".join(repr(str(one)[:20]) for one in unknown[:5])
        remark(f"Statuses that hlkit does not know count as unmarked: {named}{' ...' * (len(unknown) > 5)}.")
    state = word.map(_STATES).fillna("unmarked").astype(TEXT.dtype)
    valid = drop_rows(booked, state == "invalid", "appointments marked invalid")
    return valid, state[valid.index]


def _lead_hours(past: pd.DataFrame) -> pd.Series:
    """Hours from booking to start; null where nobody knows when it was booked."""
    if "created_at" not in past:
        return pd.Series(np.nan, index=past.index, dtype="float64")
    return ((past["starts_at"] - past["created_at"]).dt.total_seconds() / 3600).clip(lower=0)


def _group_of(
    booked: pd.DataFrame,
    past: pd.DataFrame,
    lead: pd.Series,
    contacts: pd.DataFrame | None,
    by: str,
    day: Array,
    hour: Array,
) -> Any:
    """The value of *by* of each appointment."""
    if by in past:
        return group_keys(past, by)
    if by == "hour":
        return labels_at(HOURS, hour)
    if by == "weekday":
        return labels_at(WEEKDAYS, day)
    if by == "lead_time":
        names = np.array([*LEAD_TIMES, None], dtype=object)
        place = np.searchsorted(_UP_TO, lead.to_numpy("float64"), side="left")
        return pd.array(names[np.where(lead.isna(), len(LEAD_TIMES), place)], dtype=TEXT.dtype)
    if contacts is not None and by in contacts:
        require_columns(booked, "contact_id")
        return contact_values(contacts, by, past["contact_id"])
    require_columns(booked, by)
    raise AssertionError(by)


def _summary(rows: pd.DataFrame) -> dict[str, Any]:
    shares = {name: values[0] for name, values in _shares(rows, np.zeros(len(rows), dtype="int64"), 1).items()}
    lead = rows["lead"].dropna()
    return shares | {"lead_time_median_h": float(lead.median()) if len(lead) else np.nan}


def _shares(rows: pd.DataFrame, group: Array, groups: int) -> dict[str, Any]:
    """Counts, shares and intervals of each group."""
    is_ = {name: rows[name].to_numpy(dtype=bool) for name in ("showed", "noshow", "cancelled", "unmarked")}
    counts = {name: np.bincount(group[flags], minlength=groups) for name, flags in is_.items()}
    booked = np.bincount(group, minlength=groups)
    marked, due = counts["showed"] + counts["noshow"], booked - counts["cancelled"]
    shares: dict[str, Any] = {"booked": booked, **counts}
    for name, hit, among, of in (
        ("show", "showed", is_["showed"] | is_["noshow"], marked),
        ("cancel", "cancelled", np.ones(len(rows), dtype=bool), booked),
        ("unmarked", "unmarked", ~is_["cancelled"], due),
    ):
        effective, contacts = effective_rows_by_group(is_[hit][among], rows["contact"][among], group[among], groups)
        shares |= share_with_interval(name, counts[hit], of, effective)
        if name == "show":
            shares["small"] = np.minimum(marked, contacts) < SMALL
    shares["show_floor"], shares["show_ceiling"] = share(counts["showed"], due), share(due - counts["noshow"], due)
    return shares


def _heatmap(columns: pd.DataFrame, cell: Array) -> pd.DataFrame:
    return pd.DataFrame({**week_grid(), **_shares(columns, cell, 168)})[list(_CELLS)]


# ---- its answers


@appointments.headline_for(show="groups")
def who_comes(table: pd.DataFrame) -> str:
    """The show rate, by group, and what the appointments that nobody marked could make of it."""
    by = str(table.columns[0])
    said = compare_groups(table, "show", f"Show rate by {by.replace('_', ' ')}" if by in _ORDERED else "Show rate")
    marked, unmarked = table["showed"].sum() + table["noshow"].sum(), table["unmarked"].sum()
    if not marked or not unmarked or overlaps(table):
        return said or ("No appointment has been marked as showed or no-show yet." if not marked else "")
    low, high = table["showed"].sum() / (marked + unmarked), (table["showed"].sum() + unmarked) / (marked + unmarked)
    return f"{said} {low:.0%} to {high:.0%} overall, depending on {many(unmarked, 'unmarked appointment')}."


@appointments.headline_for(show="heatmap")
def when_they_come(table: pd.DataFrame) -> str:
    """The busiest hour; no cell is said to differ from others."""
    if not table["booked"].sum():
        return no_rows_headline("past appointments", table)
    top = table.iloc[int(table["booked"].to_numpy("int64").argmax())]
    when = f"{top['weekday']}s at {int(top['hour'])}:00"
    return f"Most appointments are on {when}: {top['booked']:,} of {table['booked'].sum():,}."


# ---- charts


@appointments.chart("show_share", "show_ceiling", show="groups")
def who_came(table: pd.DataFrame, ax: Axes) -> None:
    """The share who came, in its interval; in a band what the unmarked could make of it."""
    table = top_groups(table, ax, "booked")
    names = [str(name) for name in table.iloc[:, 0]]
    marked = table["showed"] + table["noshow"]
    dot_plot(
        ax, names, table["show_share"], table["show_low"], table["show_high"], counts=marked, small=table["small"]
    )
    places = np.arange(len(table))
    ax.hlines(places, table["show_floor"], table["show_ceiling"], color=PALE, linewidth=9, linestyles="-", zorder=1)
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel("show rate, of the n marked (line: 95% CI)\nband: if unmarked were all no-shows, or all shows")


@appointments.chart("show_share", show="heatmap")
def week(table: pd.DataFrame, ax: Axes) -> None:
    """The share who came by weekday and hour, from the first hour with appointments to the last."""
    hour = table["hour"].to_numpy("int64")
    first, last = int(hour.min()), int(hour.max())
    grid = week_matrix(ax, table, "show_share")[:, first : last + 1]
    least = float(np.floor(min(0.9, np.nanmin(grid)) * 10) / 10)
    image = ax.imshow(
        grid, cmap="cividis", aspect="auto", vmin=least, vmax=1, origin="upper", interpolation="nearest"
    )
    if grid.shape[1] <= 14:
        few = table["small"].fillna(False).to_numpy(dtype=bool)
        days = table["weekday"].map(WEEKDAYS.index).tolist()
        for row, column, part, small in zip(
            days, (hour - first).tolist(), table["show_share"].tolist(), few, strict=True
        ):
            said, color = f"{100 * part:.0f}", INK if part > (least + 1) / 2 else "white"
            ax.text(column, row, said, ha="center", va="center", color=color, fontsize=6 if small else 9)
    step = 1 if grid.shape[1] <= 14 else 3
    ax.set_xticks(range(0, grid.shape[1], step), HOURS[first : last + 1 : step])
    ax.tick_params(labelsize=8)
    ax.set_xlabel("start, at the location (small numbers: fewer than 20 marked)")
    draw_color_bar(ax, image, "show rate, of those marked", format_percent)
