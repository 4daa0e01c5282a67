"""Appointments: show rates by hour, weekday, lead time or any other group."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hlkit.analysis.calendar.past_appointments import INTERVALS, ROWS, all_rates, past_appointments
from hlkit.analysis.core.charts import Part, Stacked
from hlkit.analysis.core.groups import column_values, contact_values, in_order, keys_of, per_group, require_columns
from hlkit.analysis.core.headlines import Compare
from hlkit.analysis.core.office_hours import HOURS, WEEKDAYS, hour_names, weekday_and_hour
from hlkit.analysis.core.registry import analysis, when_by_contact
from hlkit.analysis.core.share_change import ShareChange
from hlkit.client.schema import COUNT, FLAG, NUMBER, SHARE, TEXT
from hlkit.client.text import many

_LEAD_TIME_LIMITS = (4, 24, 48, 96, 168, 336)  # hours from booking to start
LEAD_TIMES = ("up to 4 h", "4-24 h", "1-2 days", "2-4 days", "4-7 days", "1-2 weeks", "over 2 weeks")
ORDERS = {"hour": HOURS, "weekday": WEEKDAYS, "lead_time": LEAD_TIMES}
COLUMNS = {
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


def showed_up(total: pd.Series, table: pd.DataFrame) -> str:
    """The first sentence of the headline: the show rate, and the range that unmarked appointments allow."""
    marked = many(int(total["showed"] + total["noshow"]), "marked appointment")
    rate = f"{total['show_share']:.0%} of {marked} showed up"
    if not total["unmarked"]:
        return rate
    unmarked = many(int(total["unmarked"]), "unmarked one")
    return f"{rate}; counting {unmarked}, it could be {total['show_floor']:.0%} to {total['show_ceiling']:.0%}"


def rate_of_marked(row: pd.Series) -> tuple[str, str]:
    """What is written beside a bar: the show rate, and its interval and base."""
    if pd.isna(row["show_share"]):
        return "–", "none marked"
    marked = int(row["showed"] + row["noshow"])
    return f"{row['show_share']:.0%}", f"{100 * row['show_low']:.0f}–{100 * row['show_high']:.0f} of {marked:,}"


@analysis(
    "Who shows up to appointments, and when?",
    columns=COLUMNS,
    chart=Stacked(
        (  # show_floor is the share that is marked as showed, 1 - show_ceiling the share that is marked as no-show
            Part("show_floor", "showed up", "strong"),
            Part("unmarked_share", "not marked yet", "context"),
            Part(lambda table: 1 - table["show_ceiling"], "no-show", "attention"),
        ),
        "share of appointments that were not canceled",
        n="booked",
        interval="show",
        share_label="show rate of those marked, written at the right",
        value=rate_of_marked,
        orders=ORDERS,
    ),
    headline=Compare("show", showed_up, unknown="No appointment has been marked as showed or no-show yet."),
    definition=(
        "For appointments whose start has passed: show_share is showed / (showed + no-show). Unmarked appointments "
        "count in neither. If all of them were no-shows, it would be show_floor; if all were shows, show_ceiling. "
        "cancel_share is canceled / all booked appointments; unmarked_share is unmarked / those that were not "
        f"canceled. Rescheduling overwrites the time, so the hour is that of the final slot. {INTERVALS}"
    ),
    noun="past appointments",
    rows=ROWS,
    when=when_by_contact("appointments", *ORDERS),
    compares=ShareChange(
        "show", "showed up", rows=lambda table: table["showed"] + table["noshow"], noun="marked appointments"
    ),
)
def appointments(
    appointments: pd.DataFrame,
    contacts: pd.DataFrame | None = None,
    *,
    as_of: pd.Timestamp,
    timezone: str = "UTC",
    by: str | list[str] | None = "hour",
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
    by
        "hour" or "weekday" of the start in *timezone*, "lead_time" (from booking to start), a column of the
        appointments such as calendar_id or owner_id, or a column of the contacts such as source. Two of them give a
        heat map.

    Returns
    -------
    One row per group; hours, weekdays and lead times in their order, others largest first. ``booked`` and, of these,
    ``showed``, ``noshow``, ``canceled`` and ``unmarked`` are counts. ``show_share`` has an interval and the bounds
    ``show_floor`` and ``show_ceiling``; ``cancel_share`` and ``unmarked_share`` have intervals.
    ``lead_time_median_h`` is the median number of hours from booking to start (0 if booked after the start), and
    ``small`` is True for fewer than 20 marked appointments or contacts.

    Raises
    ------
    MissingColumn

    Source: HighLevel's appointment report counts marked appointments only. Bounds: Manski, "Partial Identification
    of Probability Distributions", Springer, 2003, ch. 1.
    """
    past = past_appointments(appointments, as_of)
    keys = keys_of(by, lambda name: _group_values(appointments, past, contacts, name, timezone).rename(name))
    return in_order(per_group(past, keys, COLUMNS, all_rates), ORDERS)


def _group_values(
    appointments: pd.DataFrame, past: pd.DataFrame, contacts: pd.DataFrame | None, by: str, timezone: str
) -> pd.Series:
    """The value of *by* for each past appointment."""
    if by in appointments:
        return column_values(appointments, by).loc[past.index]
    if by == "lead_time":
        return _lead_times(past["lead_time_h"])
    if by in ORDERS:
        start = weekday_and_hour(past["starts_at"], timezone)
        return hour_names(start["hour"]) if by == "hour" else start["weekday"]
    if contacts is not None and by in contacts:
        require_columns(appointments, "contact_id")
        return contact_values(contacts, by, past["contact_id"])
    require_columns(appointments, by)
    raise AssertionError(by)


def _lead_times(hours: pd.Series) -> pd.Series:
    """The range of ``LEAD_TIMES`` that each lead time in hours is in; null if it is unknown."""
    limits = [-np.inf, *_LEAD_TIME_LIMITS, np.inf]
    return pd.cut(hours, limits, labels=LEAD_TIMES).astype(TEXT.dtype)
