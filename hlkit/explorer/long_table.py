"""Long tables: searched, sorted and turned in the page, by itables where the extra is installed."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import ipywidgets as W
import pandas as pd

from hlkit.client.text import printable

MOST = 10_000  # rows that are sent to the page


def long_table(told: pd.DataFrame) -> W.DOMWidget | None:
    """*told*, texts all, as a table to search and sort; ``None`` without the extra. No name or cell is ever run."""
    if any(find_spec(package) is None for package in ("itables", "anywidget")):
        return None
    table: W.DOMWidget = import_module("itables.widget").ITable(
        told.rename(columns=lambda name: printable(str(name))),
        maxBytes=0,  # all of them: MOST is the limit, and it is told
        showIndex=False,
        allow_html=False,
        classes="display compact nowrap hlkit-result",
        style="width:auto;margin:0",
        scrollX=True,
        lengthMenu=[10, 25, 100],
        pageLength=25,
    )
    return table
