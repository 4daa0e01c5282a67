"""The next step of each open deal: the first upcoming appointment or open task of its contact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.groups import column_or_nulls, is_among, map_keys, require_columns
from hlkit.analysis.core.run_log import as_mask, remark
from hlkit.client.schema import INSTANT, TEXT

NOT_UPCOMING = ("cancelled", "canceled", "invalid", "noshow", "showed", "completed")
APPOINTMENT = "appointment "
TASKS = np.array(["task due ", "task without a due date", "task overdue since "], dtype=object)
UPCOMING, UNDATED, OVERDUE = range(3)  # the order of steps, and the positions in TASKS


def next_steps(
    contact_ids: pd.Series,
    tasks: pd.DataFrame | None,
    appointments: pd.DataFrame | None,
    as_of: pd.Timestamp,
    timezone: str,
) -> pd.DataFrame:
    """For each open deal, by its contact: ``is_planned``, and ``next_step`` as text, or blank.

    *contact_ids* has one entry per open deal. Without tasks and appointments ``next_step`` is null.
    """
    for name, frame in (("tasks", tasks), ("appointments", appointments)):
        if frame is None:
            remark(f"Without {name}, which this token cannot read.")
    steps = pd.concat([_task_steps(tasks, as_of, timezone), _appointment_steps(appointments, as_of)])
    first = _first_by_contact(steps, contact_ids)
    if tasks is None and appointments is None:
        text = pd.Series(None, index=contact_ids.index, dtype=TEXT.dtype)
    else:
        text = map_keys(contact_ids, _as_text(first, timezone)).fillna("")
    return pd.DataFrame(
        {
            "is_planned": as_mask(map_keys(contact_ids, first["is_planned"].astype("boolean"))),
            "next_step": text,
        }
    )


def _task_steps(tasks: pd.DataFrame | None, as_of: pd.Timestamp, timezone: str) -> pd.DataFrame:
    """The open tasks: contact_id, at (when due), label and order."""
    if tasks is None:
        return _steps([], [], "", UPCOMING)
    require_columns(tasks, "contact_id", "is_completed")
    open_tasks = tasks[~as_mask(tasks["is_completed"])]
    due = column_or_nulls(open_tasks, "due_at", INSTANT)
    today = as_of.tz_convert(timezone).normalize()
    order = np.where(due.isna(), UNDATED, np.where(as_mask(due >= today), UPCOMING, OVERDUE))
    return _steps(open_tasks["contact_id"], due, TASKS[order], order)


def _appointment_steps(appointments: pd.DataFrame | None, as_of: pd.Timestamp) -> pd.DataFrame:
    """The upcoming appointments: contact_id, at (when they start), label and order."""
    if appointments is None:
        return _steps([], [], "", UPCOMING)
    require_columns(appointments, "contact_id", "starts_at")
    is_upcoming = as_mask(appointments["starts_at"] > as_of)
    if "status" in appointments:
        is_upcoming &= ~as_mask(appointments["status"].str.strip().str.lower().isin(NOT_UPCOMING))
    if "is_deleted" in appointments:
        is_upcoming &= ~as_mask(appointments["is_deleted"])
    upcoming = appointments[is_upcoming]
    return _steps(upcoming["contact_id"], upcoming["starts_at"], APPOINTMENT, UPCOMING)


def _steps(contact_ids: Any, at: Any, label: Any, order: Any) -> pd.DataFrame:
    steps = pd.DataFrame({"contact_id": contact_ids, "at": at, "label": label, "order": order})
    return steps.astype({"contact_id": TEXT.dtype, "at": INSTANT.dtype, "label": TEXT.dtype, "order": "int64"})


def _first_by_contact(steps: pd.DataFrame, contact_ids: pd.Series) -> pd.DataFrame:
    """The first step of each contact; one that counts for its deal comes before a task of several open deals."""
    steps = steps[is_among(steps["contact_id"], contact_ids)]
    open_deals = map_keys(steps["contact_id"], contact_ids.value_counts())
    # A task belongs to a contact, so it is unknown which of several deals it is for.
    is_shared = (steps["label"] != APPOINTMENT) & (open_deals > 1)
    steps = steps.assign(
        open_deals=open_deals, is_shared=is_shared, is_planned=~is_shared & (steps["order"] != OVERDUE)
    )
    first = steps.sort_values(["is_shared", "order", "at"], kind="stable").drop_duplicates("contact_id")
    return first.set_index("contact_id")


def _as_text(steps: pd.DataFrame, timezone: str) -> pd.Series:
    """Each step as text, such as "task due 2025-07-04"."""
    local = steps["at"].dt.tz_convert(timezone)
    when = local.dt.strftime("%Y-%m-%d").where(steps["label"] != APPOINTMENT, local.dt.strftime("%Y-%m-%d %H:%M"))
    text = steps["label"] + when.fillna("").astype(TEXT.dtype)
    count = steps["open_deals"].astype("Int64").astype(TEXT.dtype)
    texts: pd.Series = text.where(~steps["is_shared"], text + " (contact has " + count + " open deals)")
    return texts.astype(TEXT.dtype)
