"""The time to open the explorer on the demo, and to filter 100,000 loaded contacts. No browser is involved."""

from __future__ import annotations

import platform
import time

import numpy as np
import pandas as pd

import hlkit as hl
from hlkit.client.resources import CATALOG
from hlkit.client.schema import LIST
from hlkit.explorer.contacts_tab import ContactsView
from hlkit.explorer.view import ExplorerState

ROWS = 100_000


def contacts(rows: int) -> pd.DataFrame:
    """Made-up contacts with the columns of a real location."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({column.name: pd.Series([None] * rows, dtype=column.kind.dtype) for column in _columns()})
    number = pd.Series(np.arange(rows)).astype(str)
    first_name = pd.Series(rng.choice(["Ann", "Bob", "Carla", "Dmitri"], rows))
    return frame.assign(
        contact_id="c" + number,
        name=first_name + " No" + number,
        email=first_name.str.lower() + number + "@example.com",
        phone="+1 555 01" + number.str.zfill(2).str[-2:],
        source=rng.choice(["google", "referral"], rows),
        created_at=pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 9_000, rows), unit="h"),
        tags=[["vip"] if is_vip else [] for is_vip in rng.random(rows) < 0.1],
    )


def _columns() -> list:
    return [column for column in CATALOG["contacts"].columns if column.kind is not LIST or column.name == "tags"]


def main() -> None:
    print(f"{platform.machine()}, Python {platform.python_version()}, pandas {pd.__version__}")
    started_at = time.perf_counter()
    app = hl.explore(hl.demo(as_of="2026-01-01"))
    seconds = time.perf_counter() - started_at
    print(f"explorer on the demo: open in {seconds:.2f} s, {len(app.selected):,} contacts cached")
    view = ContactsView(ExplorerState())
    started_at = time.perf_counter()
    view._show_contacts(contacts(ROWS))
    print(f"{ROWS:,} contacts: shown in {time.perf_counter() - started_at:.2f} s, including the time to make them up")
    for name, value in (("search", "car"), ("search", "carla no7"), ("tag", "vip"), ("source", "google")):
        control = getattr(view, name)
        initial_value = control.value
        started_at = time.perf_counter()
        control.value = value
        view.search_now()
        seconds = time.perf_counter() - started_at
        print(f"  {name} {value!r}: {len(view.selected):,} shown in {1000 * seconds:.0f} ms")
        control.value = initial_value
        view.search_now()


if __name__ == "__main__":
    main()
