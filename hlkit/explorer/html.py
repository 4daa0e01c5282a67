"""HTML for the views, legible in light and dark themes.

An HTML widget renders any markup in its value, so a view sets it only to the result of these functions: they escape
every string. Text and background colors are always set together.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from html import escape
from typing import Literal

import numpy as np
import pandas as pd

from hlkit.client.errors import HlkitError, advice
from hlkit.client.text import BREAKS, printable, shorten
from hlkit.display.html import INK, link_html, pairs_html

_BOX_STYLE = f"{INK};padding:8px 12px;border-radius:4px;line-height:1.4;overflow-x:auto;max-width:100%;"
_CELL_STYLE = f"{INK};text-align:left;vertical-align:top;padding:2px 12px 2px 0;border:0;"
_CODE_STYLE = (
    f"{INK};margin:0;padding:8px 12px;line-height:1.4;font-family:monospace;font-size:13px;white-space:pre-wrap;"
)
_NUMBER = re.compile(r"-?[\d,]*\.?\d+")
_CELL_LENGTH = 60  # characters


def one_line(value: object, max_length: int = _CELL_LENGTH) -> str:
    """*value* as one escaped line of text, truncated to *max_length* characters."""
    return escape(shorten(BREAKS.sub(" ", printable(str(value))), max_length))


def box(html: str) -> str:
    """HTML on a background. *html* must be escaped already."""
    return f'<div style="{_BOX_STYLE}">{html}</div>'


def note(text: str) -> str:
    """A sentence or two."""
    return box(one_line(text, 1000))


def paragraphs(*texts: str) -> str:
    """A paragraph per text; empty ones are left out."""
    return box("".join(f"<p style='margin:0 0 6px'>{one_line(text, 3000)}</p>" for text in texts if text))


def code(source: str) -> str:
    """A block of Python code."""
    return f'<pre class="hlkit-code" style="{_CODE_STYLE}">{escape(printable(source))}</pre>'


def key_values(pairs: Iterable[tuple[str, object]]) -> str:
    """Names and values, a pair per line."""
    return box(pairs_html((one_line(name), one_line(value, 400)) for name, value in pairs))


def table(
    frame: pd.DataFrame,
    zone: str,
    *,
    footer: str = "",
    css_class: str = "",
    max_length: int = _CELL_LENGTH,
    links: Collection[object] = (),
) -> str:
    """A table of *frame*, with instants in the time zone *zone*, and the columns *links* as links.

    Other cells are truncated to *max_length* characters.
    """
    columns = [column_texts(frame.iloc[:, position], zone) for position in range(frame.shape[1])]
    styles = [_column_style(texts, max_length) for texts in columns]
    header = "".join(
        f'<th style="{style}font-weight:600;border-bottom:1px solid #888">{one_line(name)}</th>'
        for style, name in zip(styles, frame.columns, strict=True)
    )
    rows = "".join(
        f'<tr style="{INK};">'
        + "".join(
            f'<td style="{style}">{link_html(text) if name in links else one_line(text, max_length)}</td>'
            for style, name, text in zip(styles, frame.columns, row, strict=True)
        )
        + "</tr>"
        for row in zip(*columns, strict=True)
    )
    table_style = f"{INK};border-collapse:collapse;font-variant-numeric:tabular-nums;"
    head = f'<thead><tr style="{INK};">{header}</tr></thead>'
    markup = f'<table class="{escape(css_class)}" style="{table_style}">{head}<tbody>{rows}</tbody></table>'
    return box(markup + (f'<div style="margin-top:6px">{one_line(footer, 400)}</div>' if footer else ""))


def _column_style(texts: list[str], max_length: int) -> str:
    """Numbers align right, and only long texts wrap."""
    style = _CELL_STYLE
    if max_length <= _CELL_LENGTH or max(map(len, texts), default=0) <= _CELL_LENGTH:
        style += "white-space:nowrap;"
    if any(texts) and all(_NUMBER.fullmatch(text) for text in texts if text):
        style += "text-align:right;"
    return style


def column_texts(column: pd.Series, zone: str) -> list[str]:
    """The values of *column* as text; instants in the time zone *zone*, to the minute."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return _datetime_texts(column.dt.tz_convert(zone).dt.tz_localize(None), "m")
    if pd.api.types.is_datetime64_dtype(column.dtype):
        return _datetime_texts(column, "D")
    return [value_text(value) for value in column.tolist()]


def _datetime_texts(column: pd.Series, unit: Literal["m", "D"]) -> list[str]:
    """Formatted by NumPy, since Python's datetime cannot hold years before 1, which some unset dates fall into."""
    texts = np.datetime_as_string(column.to_numpy(), unit=unit, casting="unsafe")
    return ["" if text == "NaT" else text.replace("T", " ") for text in texts.tolist()]


def value_text(value: object) -> str:
    """One value as text; a missing value is empty."""
    if isinstance(value, (list, tuple, set, np.ndarray)):
        return ", ".join(filter(None, map(value_text, value)))
    if isinstance(value, dict):  # an uploaded file is shown as its URL
        url = value.get("url")
        return str(url) if url else ", ".join(f"{key}: {value_text(item)}" for key, item in value.items())
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


def error(exception: BaseException, traceback: str = "") -> str:
    """What went wrong and what to do next. *traceback* is shown, collapsed, unless hlkit raised the error itself."""
    if isinstance(exception, HlkitError):
        message, hint = exception.message, exception.hint
    else:
        message = f"{type(exception).__name__}: {exception}"
        hint = "this is a bug in hlkit; please report it with the traceback"
    parts = [f"<b>{one_line(message, 1000)}</b>"]
    if hint:
        parts.append(f"<div>{one_line(advice(hint), 1000)}</div>")
    if traceback and type(exception).__module__ != "hlkit.client.errors":
        style = f"{INK};font-size:12px;white-space:pre-wrap;"
        pre = f'<pre style="{style}">{escape(printable(traceback))}</pre>'
        parts.append(f"<details><summary>Traceback</summary>{pre}</details>")
    return f'<div class="hlkit-failure" style="{_BOX_STYLE}border-left:4px solid #D55E00;">{"".join(parts)}</div>'


def join_names(names: Sequence[str], limit: int = 6) -> str:
    """The first *limit* names, such as ``a, b, c and 4 more``."""
    return ", ".join(names[:limit]) + (f" and {len(names) - limit:,} more" if len(names) > limit else "")
