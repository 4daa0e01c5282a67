"""Appointments: show rates by hour, weekday, lead time or any other group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hlkit.analysis.core.canvas import INK, PALE, dot_plot, draw_color_bar, format_percent, top_groups, week_matrix
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

_LEAD_TIME_LIMITS = (4, 24, 48, 96, 168, 336)  # hours from booking to start
LEAD_TIMES = ("up to 4 h", "4-24 h", "1-2 days", "2-4 days", "4-7 days", "1-2 weeks", "over 2 weeks")
_ORDERED_GROUPS = {"hour": HOURS, "weekday": WEEKDAYS, "lead_time": LEAD_TIMES}

# HighLevel's statuses, without punctuation and in lowercase, and what each counts as.
_OUTCOMES = {
    "showed": "showed",
    "completed": "showed",
    "noshow": "noshow",
    "cancelled": "canceled",
    "canceled": "canceled",
    "invalid": "invalid",
    "new": "unmarked",
    "confirmed": "unmarked",
    "active": "unmarked",
    "pending": "unmarked",
    "booked": "unmarked",
    "": "unmarked",
}
_COUNTED = ("showed", "noshow", "canceled", "unmarked")

_GROUP_COLUMNS = {
    "booked": COUNT,
    "showed": COUNT,
    "noshow": COUNT,
    "canceled": COUNT,
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
_IN_HEATMAP = ("booked", *_COUNTED, "show_share", "show_low", "show_high", "small")
_HEATMAP_COLUMNS = {"weekday": TEXT, "hour": COUNT} | {name: _GROUP_COLUMNS[name] for name in _IN_HEATMAP}


@analysis(
    "Who shows up to appointments, and when?",
    columns={"groups": _GROUP_COLUMNS, "heatmap": _HEATMAP_COLUMNS},
    definition=(
        "For appointments whose start has passed: show_share is showed / (showed + no-show). Unmarked appointments "
        "count in neither. If all of them were no-shows, it would be show_floor; if all were shows, show_ceiling. "
        "cancel_share is the share of all booked appointments, unmarked_share that of appointments that were not "
        "canceled. Rescheduling overwrites the time, so the hour is that of the final slot. Intervals: 95% Wilson, "
        "at the effective number of appointments if contacts have several."
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
    """Show, cancellation and unmarked rates of past appointments, and what unmarked ones could change.

    Deleted, invalid and future appointments are left out. A status counts as showed (also completed), noshow or
    canceled in any spelling. New, confirmed and active appointments are unmarked, and so is an unknown status, which
    the definition then lists.

    Parameters
    ----------
    appointments
        One row per appointment: starts_at, status; optional created_at, is_deleted and contact_id.
    contacts
        One row per contact, if *by* is a column of contacts.
    show
        "groups" gives rates by group; "heatmap" rates by weekday and hour.
    by
        For "groups": "hour" or "weekday" of the start in *timezone*, "lead_time" (from booking to start), a column
        of the appointments such as calendar_id or owner_id, or a column of the contacts such as source.

    Returns
    -------
    For "groups" one row per group; hours, weekdays and lead times in their order. ``booked`` and, of these,
    ``showed``, ``noshow``, ``canceled`` and ``unmarked`` are counts. ``show_share`` has an interval and the bounds
    ``show_floor`` and ``show_ceiling``; ``cancel_share`` and ``unmarked_share`` have intervals.
    ``lead_time_median_h`` is the median number of hours from booking to start (0 if booked after the start), and
    ``small`` is True for fewer than 20 marked appointments or contacts.
    For "heatmap" 168 rows, from Monday midnight: ``weekday`` and ``hour`` (0 to 23), counts and ``show_share``.

    Raises
    ------
    MissingColumn

    Source: HighLevel's appointment report counts marked appointments only. Bounds: Manski, "Partial Identification
    of Probability Distributions", Springer, 2003, ch. 1.
    """
    require_columns(appointments, "starts_at", "status")
    past, outcome = _past_appointments(appointments, as_of)
    rows = pd.DataFrame({name: outcome == name for name in _COUNTED})
    rows["lead"] = _lead_hours(past)
    rows["contact"] = column_or_nulls(past, "contact_id")
    weekday, hour = local_weekday_hour(past["starts_at"], timezone)

    if show == "heatmap":
        return _heatmap_table(rows, weekday * 24 + hour)
    groups = None
    if by is not None:
        values = _group_values(appointments, past, rows["lead"], contacts, by, weekday, hour)
        groups = pd.Series(values, index=rows.index, name=by)
    table = per_group(rows, groups, _GROUP_COLUMNS, _summarize)
    names = _ORDERED_GROUPS.get(by or "")
    if names is None or by in appointments:
        return table
    position = {name: number for number, name in enumerate(names)}
    return table.iloc[np.argsort([position.get(name, len(names)) for name in table.iloc[:, 0]], kind="stable")]


def _past_appointments(booked: pd.DataFrame, as_of: pd.Timestamp) -> tuple[pd.DataFrame, pd.Series]:
    """The appointments whose start has passed, and their outcomes: showed, noshow, canceled or unmarked."""
    booked = drop_rows(booked, booked["starts_at"].isna(), "appointments without a start")
    if "is_deleted" in booked:
        booked = drop_rows(booked, booked["is_deleted"], "appointments that were deleted")
    booked = drop_rows(booked, booked["starts_at"] >= as_of, "appointments in the future")
    status = booked["status"].fillna("").str.lower().str.replace(r"[^a-z]", "", regex=True)
    unknown = sorted(set(booked["status"][~status.isin(_OUTCOMES)].tolist()))
    if unknown:
        listed = ", ".join(repr(str(name)[:20]) for name in unknown[:5])
        remark(f"Unknown statuses count as unmarked: {listed}{' ...' * (len(unknown) > 5)}.")
    outcome = status.map(_OUTCOMES).fillna("unmarked").astype(TEXT.dtype)
    valid = drop_rows(booked, outcome == "invalid", "appointments marked invalid")
    return valid, outcome[valid.index]


def _lead_hours(past: pd.DataFrame) -> pd.Series:
    """Hours from booking to start; null if the time of booking is unknown."""
    if "created_at" not in past:
        return pd.Series(np.nan, index=past.index, dtype="float64")
    return ((past["starts_at"] - past["created_at"]).dt.total_seconds() / 3600).clip(lower=0)


def _group_values(
    booked: pd.DataFrame,
    past: pd.DataFrame,
    lead: pd.Series,
    contacts: pd.DataFrame | None,
    by: str,
    weekday: Array,
    hour: Array,
) -> Any:
    """The value of *by* for each appointment."""
    if by in past:
        return group_keys(past, by)
    if by == "hour":
        return labels_at(HOURS, hour)
    if by == "weekday":
        return labels_at(WEEKDAYS, weekday)
    if by == "lead_time":
        labels = np.array([*LEAD_TIMES, None], dtype=object)
        position = np.searchsorted(_LEAD_TIME_LIMITS, lead.to_numpy("float64"), side="left")
        return pd.array(labels[np.where(lead.isna(), len(LEAD_TIMES), position)], dtype=TEXT.dtype)
    if contacts is not None and by in contacts:
        require_columns(booked, "contact_id")
        return contact_values(contacts, by, past["contact_id"])
    require_columns(booked, by)
    raise AssertionError(by)


def _summarize(rows: pd.DataFrame) -> dict[str, Any]:
    shares = {name: values[0] for name, values in _shares(rows, np.zeros(len(rows), dtype="int64"), 1).items()}
    lead = rows["lead"].dropna()
    return shares | {"lead_time_median_h": float(lead.median()) if len(lead) else np.nan}


def _shares(rows: pd.DataFrame, group: Array, groups: int) -> dict[str, Any]:
    """Counts, shares and intervals by group; *group* is the number of each row's group, 0 to *groups* - 1."""
    is_ = {name: rows[name].to_numpy(dtype=bool) for name in _COUNTED}
    counts = {name: np.bincount(group[mask], minlength=groups) for name, mask in is_.items()}
    booked = np.bincount(group, minlength=groups)
    marked, not_canceled = counts["showed"] + counts["noshow"], booked - counts["canceled"]
    shares: dict[str, Any] = {"booked": booked, **counts}
    for name, outcome, mask, total in (
        ("show", "showed", is_["showed"] | is_["noshow"], marked),
        ("cancel", "canceled", np.ones(len(rows), dtype=bool), booked),
        ("unmarked", "unmarked", ~is_["canceled"], not_canceled),
    ):
        effective, contacts = effective_rows_by_group(is_[outcome][mask], rows["contact"][mask], group[mask], groups)
        shares |= share_with_interval(name, counts[outcome], total, effective)
        if name == "show":
            shares["small"] = np.minimum(marked, contacts) < SMALL
    shares["show_floor"] = share(counts["showed"], not_canceled)
    shares["show_ceiling"] = share(not_canceled - counts["noshow"], not_canceled)
    return shares


def _heatmap_table(rows: pd.DataFrame, cell: Array) -> pd.DataFrame:
    return pd.DataFrame({**week_grid(), **_shares(rows, cell, 168)})[list(_HEATMAP_COLUMNS)]


# ---- headlines


@appointments.headline_for(show="groups")
def groups_headline(table: pd.DataFrame) -> str:
    """The show rate by group, and the range that it could have overall because of unmarked appointments."""
    by = str(table.columns[0])
    label = f"Show rate by {by.replace('_', ' ')}" if by in _ORDERED_GROUPS else "Show rate"
    headline = compare_groups(table, "show", label)
    showed, marked, unmarked = (
        table["showed"].sum(),
        table["showed"].sum() + table["noshow"].sum(),
        table["unmarked"].sum(),
    )
    if not marked:
        return headline or "No appointment has been marked as showed or no-show yet."
    if not unmarked or overlaps(table):
        return headline
    low, high = showed / (marked + unmarked), (showed + unmarked) / (marked + unmarked)
    counting = f"Counting {many(unmarked, 'unmarked appointment')}, it could be {low:.0%} to {high:.0%} overall."
    return f"{headline} {counting}".strip()


@appointments.headline_for(show="heatmap")
def heatmap_headline(table: pd.DataFrame) -> str:
    """The busiest hour. Single hours are too small to compare their show rates."""
    if not table["booked"].sum():
        return no_rows_headline("past appointments", table)
    busiest = table.iloc[int(table["booked"].to_numpy("int64").argmax())]
    when = f"{busiest['weekday']}s at {HOURS[int(busiest['hour'])]}"
    return f"Busiest hour: {when}, {busiest['booked']:,} of {many(table['booked'].sum(), 'appointment')}."


# ---- charts


@appointments.chart("show_share", "show_ceiling", show="groups")
def groups_chart(table: pd.DataFrame, ax: Axes) -> None:
    """The show rate with its interval, and in gray the range that unmarked appointments allow."""
    table = top_groups(table, ax, "booked")
    names = [str(name) for name in table.iloc[:, 0]]
    marked = table["showed"] + table["noshow"]
    dot_plot(
        ax, names, table["show_share"], table["show_low"], table["show_high"], counts=marked, small=table["small"]
    )
    positions = np.arange(len(table))
    ax.hlines(
        positions, table["show_floor"], table["show_ceiling"], color=PALE, linewidth=9, linestyles="-", zorder=1
    )
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel("show rate (95% CI); gray: range if unmarked\nwere all no-shows or all shows")


@appointments.chart("show_share", show="heatmap")
def heatmap_chart(table: pd.DataFrame, ax: Axes) -> None:
    """The show rate by weekday and hour, from the first hour with appointments to the last."""
    hour = table["hour"].to_numpy("int64")
    first, last = int(hour.min()), int(hour.max())
    grid = week_matrix(ax, table, "show_share")[:, first : last + 1]
    lowest = float(np.floor(min(0.9, np.nanmin(grid)) * 10) / 10)
    image = ax.imshow(
        grid, cmap="cividis", aspect="auto", vmin=lowest, vmax=1, origin="upper", interpolation="nearest"
    )
    has_labels = grid.shape[1] <= 14
    if has_labels:
        is_small = table["small"].fillna(False).to_numpy(dtype=bool)
        rows = table["weekday"].map(WEEKDAYS.index).tolist()
        for row, column, rate, small in zip(
            rows, (hour - first).tolist(), table["show_share"].tolist(), is_small, strict=True
        ):
            label, color = f"{100 * rate:.0f}", INK if rate > (lowest + 1) / 2 else "white"
            ax.text(column, row, label, ha="center", va="center", color=color, fontsize=6 if small else 9)
    step = 1 if has_labels else 3
    ax.set_xticks(range(0, grid.shape[1], step), HOURS[first : last + 1 : step])
    ax.tick_params(labelsize=8)
    ax.set_xlabel("start time (small numbers: fewer than 20 marked)")
    draw_color_bar(ax, image, "show rate", format_percent)
