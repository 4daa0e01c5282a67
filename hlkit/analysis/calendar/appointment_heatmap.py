"""Appointment heatmap: show rates by weekday and hour."""

from __future__ import annotations

import pandas as pd

from hlkit.analysis.calendar.past_appointments import COUNTED, INTERVALS, ROWS, past_appointments, show_rate
from hlkit.analysis.core.charts import Heatmap
from hlkit.analysis.core.headlines import no_rows_headline
from hlkit.analysis.core.office_hours import HOURS, WEEKDAYS, week_grid, weekday_and_hour
from hlkit.analysis.core.registry import analysis
from hlkit.analysis.core.run_log import record_rows
from hlkit.client.schema import COUNT, FLAG, SHARE, TEXT
from hlkit.client.text import many


def busiest_hour(table: pd.DataFrame) -> str:
    """The hour of the week with the most appointments, and its show rate."""
    booked = table["booked"].fillna(0)
    if not booked.sum():
        return no_rows_headline("past appointments", table)
    busiest = table.iloc[int(booked.to_numpy("int64").argmax())]
    tied = int((booked == booked.max()).sum()) - 1
    others = f", as many as in {many(tied, 'other hour')}" if tied else ""
    when = f"{busiest['weekday']}s at {HOURS[int(busiest['hour'])]}"
    rate = ""
    if pd.notna(busiest["show_share"]) and not busiest["small"] and not tied:
        marked = int(busiest["showed"] + busiest["noshow"])
        rate = f"; {busiest['show_share']:.0%} of the {marked:,} marked ones showed up"
    return f"Most appointments start on {when}: {booked.max():,} of {booked.sum():,}{others}{rate}."


@analysis(
    "When do people show up to appointments?",
    columns={
        "weekday": TEXT,
        "hour": COUNT,
        "booked": COUNT,
        **dict.fromkeys(COUNTED, COUNT),
        "show_share": SHARE,
        "show_low": SHARE,
        "show_high": SHARE,
        "small": FLAG,
    },
    chart=Heatmap(
        "weekday",
        "hour",
        "show_share",
        "show rate by local start time",
        rows=WEEKDAYS,
        columns=range(24),
        column_names=HOURS,
    ),
    headline=busiest_hour,
    definition=(
        "For appointments whose start has passed, by the weekday and hour of their start: show_share is showed / "
        "(showed + no-show). Unmarked and canceled appointments count in neither. Rescheduling overwrites the time, "
        f"so the hour is that of the final slot. {INTERVALS}"
    ),
    noun="past appointments",
    rows=ROWS,
)
def appointment_heatmap(appointments: pd.DataFrame, *, as_of: pd.Timestamp, timezone: str = "UTC") -> pd.DataFrame:
    """Past appointments and their show rate by weekday and hour.

    Deleted, invalid and future appointments are left out. What counts as showed, noshow, canceled and unmarked is as
    in ``appointments``.

    Parameters
    ----------
    appointments
        One row per appointment: starts_at, status; optional is_deleted and contact_id.

    Returns
    -------
    168 rows, from Monday midnight: ``weekday`` and ``hour`` (0 to 23) in *timezone*, ``booked`` and, of these,
    ``showed``, ``noshow``, ``canceled`` and ``unmarked`` (counts), ``show_share`` with its interval, and ``small``
    (fewer than 20 marked appointments or contacts).

    Raises
    ------
    MissingColumn

    Source: HighLevel's appointment report counts marked appointments only.
    """
    past = past_appointments(appointments, as_of)
    hours = weekday_and_hour(past["starts_at"], timezone)
    record_rows(past, hours, {})
    by_hour = past.groupby([hours["weekday"], hours["hour"]])
    rates = {hour: show_rate(rows) for hour, rows in by_hour}
    empty = show_rate(past.iloc[:0])
    return pd.DataFrame([rates.get(hour, empty) for hour in week_grid()], index=week_grid()).reset_index()
