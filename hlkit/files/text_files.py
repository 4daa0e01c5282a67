"""CSV and JSON Lines files."""

from __future__ import annotations

import csv
import datetime as dt
import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec
import pandas as pd

from hlkit.files.columns import distinct, iso_text, plain_columns
from hlkit.files.spreadsheet import one_line, without_nul


def write_jsonl(frame: pd.DataFrame, file: Path, timezone: dt.tzinfo, raw: bool) -> str:
    labels, columns = zip(*plain_columns(frame), strict=True)
    values = [iso_text(column) if column.dtype.kind == "M" else column for column in columns]
    table = pd.DataFrame(dict(zip(distinct(labels), values, strict=True)))
    encode = msgspec.json.Encoder().encode_lines
    with file.open("wb") as lines:
        for start in range(0, len(table), 10_000):
            lines.write(encode(table.iloc[start : start + 10_000].to_dict("records")))
    return ""


def write_csv(frame: pd.DataFrame, file: Path, timezone: dt.tzinfo, raw: bool) -> str:
    clean = without_nul if raw else one_line
    labels, columns = zip(*plain_columns(frame), strict=True)
    cells = [iso_text(column) if column.dtype.kind == "M" else cell_texts(column, clean) for column in columns]
    table = pd.DataFrame(dict(zip(distinct(map(clean, labels)), cells, strict=True)), dtype=object)
    # With lineterminator="\r\n" the writer quotes a lone "\r", which would break the row before Python 3.13.
    # With a single column, all cells are quoted: pandas skips a line that is empty but not one that is "".
    quoting: Literal[0, 1] = csv.QUOTE_ALL if len(columns) == 1 else csv.QUOTE_MINIMAL
    table.to_csv(file, index=False, lineterminator="\r\n", quoting=quoting, encoding="utf-8-sig")
    return ""


def cell_texts(values: Iterable[Any], clean: Callable[[str], str]) -> list[Any]:
    """Plain values, with text made safe by *clean*, lists joined by ``; `` and objects as JSON."""
    clean = functools.cache(clean)  # the texts of a column repeat
    return [_cell_text(value, clean) if isinstance(value, (str, list, dict)) else value for value in values]


def _cell_text(value: Any, clean: Callable[[str], str]) -> str:
    if isinstance(value, list):
        items = (json_text(item) if isinstance(item, list) else item for item in value if item is not None)
        return "; ".join(_cell_text(item, clean) for item in items)
    return clean(json_text(value) if isinstance(value, dict) else str(value))


def json_text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
