"""What the views show: HTML in which every string from outside is escaped, legible in light and dark.

An HTML widget runs what it is given, so nothing gets into one but by these functions. Text and background are
always set together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Literal

import numpy as np
import pandas as pd

from hlkit.client.errors import HlkitError, advice
from hlkit.client.text import BREAKS, printable
from hlkit.display.html import INK, pairs_html

_BOX = f"{INK};padding:8px 12px;border-radius:4px;line-height:1.4;overflow-x:auto;max-width:100%;"
_CELL = f"{INK};text-align:left;vertical-align:top;padding:2px 12px 2px 0;border:0;"
_NUMBER = "text-align:right;"
_DIGITS = re.compile(r"-?[\d,]*\.?\d+")
_LONGEST = 60


def plain(value: object, longest: int = _LONGEST) -> str:
    """A value as one escaped line."""
    text = BREAKS.sub(" ", printable(str(value)))
    return escape(text if len(text) <= longest else text[: longest - 1] + "…")


def box(inner: str) -> str:
    """HTML on a ground of its own."""
    return f'<div style="{_BOX}">{inner}</div>'


def note(words: str) -> str:
    """A sentence."""
    return box(plain(words, 1000))


def paragraphs(*sentences: str) -> str:
    """Some sentences, each a paragraph."""
    return box("".join(f"<p style='margin:0 0 6px'>{plain(one, 3000)}</p>" for one in sentences if one))


def code(text: str) -> str:
    """Python, to copy."""
    style = (
        f"{INK};margin:0;padding:8px 12px;line-height:1.4;font-family:monospace;font-size:13px;white-space:pre-wrap;"
    )
    return f'<pre class="hlkit-code" style="{style}">{escape(printable(text))}</pre>'


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Names and values, a line each."""
    return box(pairs_html((plain(name), plain(value, 400)) for name, value in pairs))


def table(frame: pd.DataFrame, zone: str, *, more: str = "", name: str = "", longest: int = _LONGEST) -> str:
    """A frame: instants in the location's zone, everything escaped. *name* is a class for those who look for it."""
    columns = [texts(frame.iloc[:, place], zone) for place in range(frame.shape[1])]
    cells = [
        _CELL
        + ("white-space:nowrap;" if max(map(len, column), default=0) <= _LONGEST or longest <= _LONGEST else "")
        + (_NUMBER if _are_numbers(column) else "")
        for column in columns
    ]
    heads = "".join(
        f'<th style="{cell}font-weight:600;border-bottom:1px solid #888">{plain(name)}</th>'
        for cell, name in zip(cells, frame.columns, strict=True)
    )
    lines = "".join(
        f'<tr style="{INK};">'
        + "".join(f'<td style="{cell}">{plain(value, longest)}</td>' for cell, value in zip(cells, row, strict=True))
        + "</tr>"
        for row in zip(*columns, strict=True)
    )
    style = f"{INK};border-collapse:collapse;font-variant-numeric:tabular-nums;"
    head = f'<thead><tr style="{INK};">{heads}</tr></thead>'
    inner = f'<table class="{escape(name)}" style="{style}">{head}<tbody>{lines}</tbody></table>'
    return box(inner + (f'<div style="margin-top:6px">{plain(more, 400)}</div>' if more else ""))


def _are_numbers(told: list[str]) -> bool:
    return any(told) and all(_DIGITS.fullmatch(one) for one in told if one)


def texts(column: pd.Series, zone: str) -> list[str]:
    """A column as people read it."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return _times(column.dt.tz_convert(zone).dt.tz_localize(None), "m")
    if pd.api.types.is_datetime64_dtype(column.dtype):
        return _times(column, "D")
    return [text(value) for value in column.tolist()]


def _times(column: pd.Series, unit: Literal["m", "D"]) -> list[str]:
    """Times by NumPy, since Python knows none before the year 1, where a date that was never set may fall."""
    told = np.datetime_as_string(column.to_numpy(), unit=unit, casting="unsafe")
    return ["" if one == "NaT" else one.replace("T", " ") for one in told.tolist()]


def text(value: object) -> str:
    """One value as people read it."""
    if isinstance(value, (list, tuple, set, np.ndarray)):
        return ", ".join(filter(None, map(text, value)))
    if isinstance(value, dict):  # a file that was sent in: where it is
        url = value.get("url")
        return str(url) if url else ", ".join(f"{name}: {text(one)}" for name, one in value.items())
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):  # type: ignore[call-overload]
        return ""
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 or value.is_integer() else f"{value:,.3g}"
    return str(value)


def failure(error: BaseException, trace: str = "") -> str:
    """What went wrong and what to do next, with the trace folded."""
    if isinstance(error, HlkitError):
        what, hint = error.message, error.hint
    else:
        what, hint = f"{type(error).__name__}: {error}", "this is a fault of hlkit's: please report it with the trace"
    parts = [f"<b>{plain(what, 1000)}</b>"]
    if hint:
        parts.append(f"<div>{plain(advice(hint), 1000)}</div>")
    if error.__class__.__module__ != "hlkit.client.errors" and trace:
        style = f"{INK};font-size:12px;white-space:pre-wrap;"
        parts.append(
            f'<details><summary>Trace</summary><pre style="{style}">{escape(printable(trace))}</pre></details>'
        )
    return f'<div class="hlkit-failure" style="{_BOX}border-left:4px solid #D55E00;">{"".join(parts)}</div>'


def listed(names: Sequence[str], most: int = 6) -> str:
    """``a, b, c and 4 more``."""
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")
