"""Deals of a given age at which they closed, for the tests of win rates."""

import pandas as pd
from made import typed

AS_OF = pd.Timestamp("2025-07-01T12:00Z")


def frame(*rows):
    return typed("opportunities", *rows)


def deal(status="open", age=None, ago=100, **more):
    """A deal created *ago* days before AS_OF, and closed at *age* days unless that is None."""
    created_at = AS_OF - pd.Timedelta(days=ago)
    changed_at = created_at if age is None else created_at + pd.Timedelta(days=age)
    return {"status": status, "created_at": created_at, "status_changed_at": changed_at, **more}


def deals(*rows):
    return frame(*({"opportunity_id": f"d{number}", **row} for number, row in enumerate(rows)))
