"""Tables that can be searched, sorted and paged in the browser. They need the optional package itables."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import ipywidgets as widgets
import pandas as pd

from hlkit.client.text import printable

MAX_INTERACTIVE_ROWS = 10_000  # sent to the browser


def long_table(frame: pd.DataFrame) -> widgets.DOMWidget | None:
    """An interactive table of *frame*, whose columns are all text; ``None`` if itables or anywidget is missing.

    Column names and cells are shown as text: no HTML in them is interpreted.
    """
    if any(find_spec(package) is None for package in ("itables", "anywidget")):
        return None
    table: widgets.DOMWidget = import_module("itables.widget").ITable(
        frame.rename(columns=lambda name: printable(str(name))),
        maxBytes=0,  # no limit: the caller passes at most MAX_INTERACTIVE_ROWS rows
        showIndex=False,
        allow_html=False,
        classes="display compact nowrap hlkit-result",
        style="width:auto;margin:0",
        scrollX=True,
        lengthMenu=[10, 25, 100],
        pageLength=25,
    )
    return table
