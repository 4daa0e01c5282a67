"""Past appointments and how they ended, shared by the analyses of appointments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.groups import SMALL, column_or_nulls, require_columns
from hlkit.analysis.core.run_log import drop_rows, remark
from hlkit.analysis.core.shares import effective_rows_of_group, share, share_with_interval
from hlkit.client.schema import INSTANT, NUMBER, TEXT

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
COUNTED = ("showed", "noshow", "canceled", "unmarked")
ROWS = {"starts_at": INSTANT, "outcome": TEXT, "created_at": INSTANT, "lead_time_h": NUMBER}
INTERVALS = "Intervals: 95% Wilson, at the effective number of appointments if contacts have several."


def past_appointments(appointments: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The appointments whose start has passed, with their ``outcome`` (one of ``COUNTED``) and ``lead_time_h``.

    ``lead_time_h`` is the number of hours from booking to start; null if the time of booking is unknown.
    """
    require_columns(appointments, "starts_at", "status")
    past = drop_rows(appointments, appointments["starts_at"].isna(), "appointments without a start")
    if "is_deleted" in past:
        past = drop_rows(past, past["is_deleted"], "appointments that were deleted")
    past = drop_rows(past, past["starts_at"] >= as_of, "appointments in the future")
    status = past["status"].fillna("").str.lower().str.replace(r"[^a-z]", "", regex=True)
    unknown = sorted(set(past["status"][~status.isin(_OUTCOMES)].tolist()))
    if unknown:
        listed = ", ".join(repr(str(name)[:20]) for name in unknown[:5])
        remark(f"Unknown statuses count as unmarked: {listed}{' ...' * (len(unknown) > 5)}.")
    booked_at = column_or_nulls(past, "created_at", INSTANT)
    past = past.assign(
        outcome=status.map(_OUTCOMES).fillna("unmarked").astype(TEXT.dtype),
        lead_time_h=((past["starts_at"] - booked_at).dt.total_seconds() / 3600).clip(lower=0),
        contact_id=column_or_nulls(past, "contact_id"),
    )
    return drop_rows(past, past["outcome"] == "invalid", "appointments marked invalid")


def show_rate(past: pd.DataFrame) -> dict[str, Any]:
    """How many of the appointments ended in each way, and the share of shows with its interval."""
    counts = {name: int((past["outcome"] == name).sum()) for name in COUNTED}
    marked = past[past["outcome"].isin(("showed", "noshow"))]
    interval, contacts = _share_of("show", "showed", marked)
    return {"booked": len(past), **counts, **interval, "small": min(len(marked), contacts) < SMALL}


def all_rates(past: pd.DataFrame) -> dict[str, Any]:
    """``show_rate``, the bounds that unmarked appointments give it, and the shares of canceled and unmarked ones."""
    stats = show_rate(past)
    not_canceled = past[past["outcome"] != "canceled"]
    lead_times = past["lead_time_h"].dropna()
    return {
        **stats,
        "show_floor": share(stats["showed"], len(not_canceled)),
        "show_ceiling": share(stats["showed"] + stats["unmarked"], len(not_canceled)),
        **_share_of("cancel", "canceled", past)[0],
        **_share_of("unmarked", "unmarked", not_canceled)[0],
        "lead_time_median_h": float(lead_times.median()) if len(lead_times) else np.nan,
    }


def _share_of(name: str, outcome: str, past: pd.DataFrame) -> tuple[dict[str, Any], int]:
    """The share of *past* that ended in *outcome*, with its interval, and the number of contacts."""
    hits = past["outcome"] == outcome
    effective, contacts = effective_rows_of_group(hits, past["contact_id"])
    return share_with_interval(name, int(hits.sum()), len(past), effective), contacts
