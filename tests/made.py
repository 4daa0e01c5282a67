"""Made-up frames of any resource, typed as the catalog says, whose ids fit together; and charts drawn."""

import functools

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hlkit.client.resources import CATALOG

AS_OF = pd.Timestamp("2025-11-20T18:00Z")
WORDS = {
    "direction": ["inbound", "outbound"],
    "origin": ["app", "workflow", "api"],
    "type": ["TYPE_SMS", "TYPE_CALL", "TYPE_EMAIL", "TYPE_ACTIVITY_CONTACT"],
    "status": [
        "open",
        "won",
        "lost",
        "abandoned",
        "showed",
        "noshow",
        "confirmed",
        "cancelled",
        "delivered",
        "failed",
    ],
    "source": ["ads", "Ads ", "referral", "_walk-in $5", "", "<b>x</b>"],
    "currency": ["USD", "CAD"],
    "email": ["ann@example.com", "Ann+x@example.com", "bob@example", "@", "ünï@example.org"],
    "phone": ["+13125550101", "(312) 555-0102", "12", "none", "+441632960001"],
    "timezone": ["America/Chicago", "nowhere"],
    "country": ["US", "GB", "??"],
}
POOLS = {  # how many ids there are of what an id column names
    "contact_id": 30,
    "opportunity_id": 30,
    "user_id": 4,
    "owner_id": 4,
    "pipeline_id": 2,
    "stage_id": 6,
    "calendar_id": 3,
}


def frame(name, rows, seed=0, nulls=0.2):
    """*rows* rows of a resource: its own ids each once, other ids out of small pools, a share of nulls."""
    return _frame(name, rows, seed, nulls).copy()


@functools.cache
def _frame(name, rows, seed, nulls):
    resource = CATALOG[name]
    rng = np.random.default_rng([seed, sum(map(ord, name))])
    data = {}
    for index, column in enumerate(resource.columns):
        values = _values(column, rows, rng)
        if index == 0:
            values = [f"{column.name}-{number}" for number in range(rows)]
        else:
            values = [None if gone else value for value, gone in zip(values, rng.random(rows) < nulls, strict=True)]
        data[column.name] = pd.Series(values, dtype="object").astype(column.kind.dtype)
    return pd.DataFrame(data)


def typed(name, *rows):
    """A resource's frame of these rows, each with the columns that matter to it; the others are null."""
    return pd.DataFrame(
        {
            column.name: pd.Series([row.get(column.name) for row in rows], dtype="object").astype(column.kind.dtype)
            for column in CATALOG[name].columns
        }
    )


def drawn(analysis, table):
    """The axes of a table's chart at its own size, drawn to the end: a warning on the way is an error."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = analysis.plot(table, figure.subplots())
    figure.canvas.draw()
    return axes


def _values(column, rows, rng):
    kind, name = column.kind.name, column.name
    if kind == "ID":
        pool = POOLS.get(name, 5)
        return [f"{name}-{number}" for number in rng.integers(0, pool, rows)]
    if kind == "INSTANT":
        # over the two days on which clocks change in Chicago, and long before; some later than as_of
        back = rng.choice([0.02, 3, 18, 200, 258, 400, -2], rows) + rng.random(rows)
        return list((AS_OF - pd.to_timedelta(np.round(back * 86_400), unit="s")).as_unit("us"))
    if kind == "DAY":
        return list(pd.Timestamp("1980-01-01").as_unit("us") + pd.to_timedelta(rng.integers(0, 9999, rows), unit="D"))
    if kind in ("NUMBER", "MONEY"):
        return list(rng.choice([0.0, 10.0, 250.5, -3.0, 1e9], rows))
    if kind == "SHARE":
        return list(rng.random(rows))
    if kind == "COUNT":
        return list(rng.integers(0, 6, rows))
    if kind == "FLAG":
        return list(rng.random(rows) < 0.3)
    if kind == "LIST":
        return [[["a", "b"], ["a"], [], ["$x", "_y"]][number] for number in rng.integers(0, 4, rows)]
    values = column.kind.choices or WORDS.get(name) or ["Ann", "Bob", "", "Zoë 🌻", "=1+1", "very long name " * 9]
    values = [*values, *WORDS["status"]] if name == "status" else values
    return [values[number] for number in rng.integers(0, len(values), rows)]


def frames_for(analysis, rows, seed=0, nulls=0.2, without=()):
    """Frames for an analysis; those *without* are not given, where it can do without."""
    return {
        name: None if name in without and not needed else frame(name, rows, seed, nulls)
        for name, needed in analysis.frames.items()
    }
