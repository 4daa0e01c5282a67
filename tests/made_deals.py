"""Open and won deals, tasks and appointments for the tests of stuck deals."""

import pandas as pd
from made import typed

AS_OF = pd.Timestamp("2025-07-01T12:00Z")  # 7 AM in Chicago


def days_ago(days):
    return AS_OF - pd.Timedelta(days=days)


def deal(key, in_stage=1, stage="s1", contact=None, **more):
    """An open deal that has been in its stage for *in_stage* days."""
    return {
        "opportunity_id": key,
        "status": "open",
        "stage_id": stage,
        "pipeline_id": "p1",
        "contact_id": contact or f"{key}'s contact",
        "created_at": days_ago(300),
        "stage_changed_at": days_ago(in_stage),
        "status_changed_at": days_ago(300),
        "value": 100,
        **more,
    }


def won(number, days, stage="s1", **more):
    """A deal that was won *days* days after it entered the stage."""
    times = {"created_at": days_ago(200 + number), "stage_changed_at": days_ago(100)}
    return deal(
        f"w{number}", stage=stage, **{"status": "won", **times, "status_changed_at": days_ago(100 - days), **more}
    )


def deals(*rows):
    return typed("opportunities", *rows)


def task(contact, due=None, done=False):
    return {"contact_id": contact, "due_at": due, "is_completed": done}


def tasks(*rows):
    return typed("tasks", *({"task_id": f"t{number}", **row} for number, row in enumerate(rows)))


def appointment(contact, starts, **more):
    return {"contact_id": contact, "starts_at": starts, "status": "confirmed", **more}


def appointments(*rows):
    return typed("appointments", *({"appointment_id": f"a{number}", **row} for number, row in enumerate(rows)))
