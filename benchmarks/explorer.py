"""How long the explorer takes: to open on the demo, and to show a filter over 100,000 loaded contacts.

In this process, without a browser. Prints seconds, and what a search costs against opening.
"""

from __future__ import annotations

import platform
import time

import numpy as np
import pandas as pd

import hlkit as hl
from hlkit.client.resources import CATALOG
from hlkit.client.schema import LIST
from hlkit.explorer.contacts_tab import ContactsView
from hlkit.explorer.view import Chosen

ROWS = 100_000


def contacts(rows: int) -> pd.DataFrame:
    """Made-up contacts with the columns that a location has."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({column.name: pd.Series([None] * rows, dtype=column.kind.dtype) for column in _columns()})
    number = pd.Series(np.arange(rows)).astype(str)
    given = pd.Series(rng.choice(["Ann", "Bob", "Carla", "Dmitri"], rows))
    return frame.assign(
        contact_id="c" + number,
        name=given + " No" + number,
        email=given.str.lower() + number + "@example.com",
        phone="+1 555 01" + number.str.zfill(2).str[-2:],
        source=rng.choice(["google", "referral"], rows),
        created_at=pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 9_000, rows), unit="h"),
        tags=[["vip"] if one else [] for one in rng.random(rows) < 0.1],
    )


def _columns() -> list:
    return [column for column in CATALOG["contacts"].columns if column.kind is not LIST or column.name == "tags"]


def main() -> None:
    print(f"{platform.machine()}, Python {platform.python_version()}, pandas {pd.__version__}")
    began = time.perf_counter()
    app = hl.explore(hl.demo(as_of="2026-01-01"))
    print(f"explorer on the demo: open in {time.perf_counter() - began:.2f} s, {len(app.selected):,} contacts kept")
    view = ContactsView(Chosen())
    began = time.perf_counter()
    view._show(contacts(ROWS))
    print(f"{ROWS:,} contacts: shown first in {time.perf_counter() - began:.2f} s (the made frame included)")
    for name, value in (("search", "car"), ("search", "carla no7"), ("tag", "vip"), ("source", "google")):
        control = getattr(view, name)
        before = control.value
        began = time.perf_counter()
        control.value = value
        view.settle()
        seconds = time.perf_counter() - began
        print(f"  {name} {value!r}: {len(view.selected):,} found and shown in {1000 * seconds:.0f} ms")
        control.value = before
        view.settle()


if __name__ == "__main__":
    main()
