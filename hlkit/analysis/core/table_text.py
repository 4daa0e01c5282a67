"""A table as people read it: shares in percent with their intervals, times and money with their units."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hlkit.analysis.core.charts.base import change_percent, interval_text
from hlkit.analysis.core.charts.canvas import format_minutes
from hlkit.analysis.core.headlines import format_wait
from hlkit.analysis.core.money import format_money
from hlkit.analysis.core.run_log import with_shared_attrs
from hlkit.client.frames.names import NAMED_BY
from hlkit.client.schema import CHANGE, COUNT, LINK, MONEY, NUMBER, POINTS, SHARE, Kind
from hlkit.client.text import BREAKS, printable, shorten

_MAX_TEXT = 40  # characters of a text in a shown table


def formatted(
    table: pd.DataFrame, kinds: Mapping[str, Kind], timezone: str, currency: str = "", intervals: bool = True
) -> pd.DataFrame:
    """*table* as texts: instants in *timezone*, ``75% 72–77`` for a share with its interval, ``22 min``, ``$1,430``.

    Ids come last, unless the table is grouped by them. Without *intervals* a share is its percentage alone, which can
    be sorted.
    """
    table = with_shared_attrs(table)
    by = table.attrs.get("hlkit", {}).get("options", {}).get("by")
    ids = [name for index, name in enumerate(table.columns) if _is_id(name) and (index > 0 or name != by)]
    bounds = {
        f"{stem}_{part}"
        for stem in (str(name).removesuffix("_share") for name in table if str(name).endswith("_share"))
        for part in ("low", "high")
    }
    order = [name for name in table.columns if name not in ids and name not in bounds] + ids
    texts = {name: _texts(table, name, kinds.get(str(name)), timezone, currency, intervals) for name in order}
    return pd.DataFrame(texts, columns=order)


def _texts(
    table: pd.DataFrame, name: Any, kind: Kind | None, timezone: str, currency: str, intervals: bool
) -> pd.Series:
    column, pattern = table[name], "%Y-%m-%d"
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column, pattern = column.dt.tz_convert(timezone), "%Y-%m-%d %H:%M"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        dates: pd.Series = column.dt.strftime(pattern).astype("object")
        return dates.where(column.notna(), "")
    values: list[Any] = column.tolist()
    if kind is SHARE:
        texts = [_percent(value) for value in values]
        stem = str(name).removesuffix("_share")
        if intervals and f"{stem}_low" in table:
            ends = zip(table[f"{stem}_low"].tolist(), table[f"{stem}_high"].tolist(), strict=True)
            texts = [f"{text} {interval_text(*pair)}".strip() for text, pair in zip(texts, ends, strict=True)]
    elif kind is POINTS:
        texts = [_points(value) for value in values]
    elif kind is CHANGE:
        texts = [change_percent(value) for value in values]
    elif kind is MONEY:
        texts = ["" if pd.isna(value) else format_money(value, currency) for value in values]
    elif kind is NUMBER and str(name).endswith("_min"):
        all_hours = str(name).startswith(("all_hours", "any_message"))
        texts = [_minutes(value, table, all_hours) for value in values]
    elif name == "p":
        texts = [_p(value) for value in values]
    else:
        digits = _digits(column) if kind is NUMBER else 1
        texts = [_text(value, kind, digits) for value in values]
    return pd.Series(texts, index=column.index, dtype="object")


def _minutes(value: Any, table: pd.DataFrame, all_hours: bool) -> str:
    if pd.isna(value):
        return ""
    return format_minutes(value) if all_hours else format_wait(table, value)


def _percent(share: Any) -> str:
    if pd.isna(share):
        return ""
    return f"{share:.0%}" if share == 0 or share >= 0.01 else f"{share:.1%}"


def _points(difference: Any) -> str:
    if pd.isna(difference):
        return ""
    points = round(100 * difference)
    return f"{points:+} {'pt' if abs(points) == 1 else 'pts'}" if points else "0 pts"


def _p(p: Any) -> str:
    return "" if pd.isna(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _is_id(column: object) -> bool:
    return str(column).endswith("_id")


def _digits(column: pd.Series) -> int:
    """Decimal places for a column of numbers: none if all are whole, more if all are small."""
    sizes = column.dropna().abs()
    return 0 if (sizes % 1 == 0).all() else 2 if sizes.max() < 10 else 1


def _text(value: Any, kind: Kind | None, digits: int) -> str:
    if isinstance(value, (list, tuple)):
        value = "; ".join(map(str, value))
    elif pd.isna(value):
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else ""
    if kind is COUNT:
        return f"{value:,.10g}" if isinstance(value, float) else f"{value:,}"
    if isinstance(value, float):
        number = f"{value:{',.0f' if abs(value) >= 1000 else f',.{digits}f'}}"
        return number.removeprefix("-") if float(number.replace(",", "")) == 0 else number
    return str(value) if kind is LINK else shorten(printable(BREAKS.sub(" ", str(value))), _MAX_TEXT)


def in_blocks(texts: pd.DataFrame) -> str:
    """A formatted table as text, in blocks as wide as the terminal, each of which repeats the first column."""
    first, *rest = (str(name) for name in texts.columns)
    names = texts.iloc[:, 0].tolist()
    if _is_id(first) and rest and rest[0] == NAMED_BY.get(first, ("",))[0]:  # an id says little without its name
        width = max(len(name) for name in [first, *names])
        names = [f"{key:<{width}}  {name}" for key, name in zip(names, texts.iloc[:, 1].tolist(), strict=True)]
        first, texts = f"{first:<{width}}  {rest[0]}", texts.iloc[:, 1:]
    shown = texts.iloc[:, 1:].set_axis(names, axis=0).rename_axis(columns=first)
    return shown.to_string(line_width=terminal_width())


def terminal_width() -> int:
    """Characters in a line, 100 at least."""
    return max(100, shutil.get_terminal_size((180, 24)).columns)
