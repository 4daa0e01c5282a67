"""``hl.write``: write a frame as Parquet, CSV, Excel or JSON Lines.

Anyone can type a name or a form answer, and a spreadsheet runs text that starts like a formula. So text is made
harmless in CSV and Excel files, which people open with a double click. Parquet and JSON Lines files, which programs
read, keep it unchanged. A file is written completely or not at all, and only its owner may read it.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pandas as pd

from hlkit.client import disk
from hlkit.client.errors import InvalidRequest
from hlkit.client.frames.builder import DataWarning
from hlkit.client.timezones import zone
from hlkit.client.warning import warn
from hlkit.files.excel import write_excel
from hlkit.files.parquet import write_parquet
from hlkit.files.text_files import write_csv, write_jsonl

# Each writes a frame to a file and returns the text of a warning, or "".
FORMATS: dict[str, Callable[[pd.DataFrame, Path, dt.tzinfo, bool], str]] = {
    ".parquet": write_parquet,
    ".csv": write_csv,
    ".xlsx": write_excel,
    ".jsonl": write_jsonl,
}


def write(
    frame: pd.DataFrame | pd.Series[Any],
    path: str | os.PathLike[str],
    *,
    timezone: str | dt.tzinfo = "UTC",
    raw: bool = False,
) -> Path:
    """Write any DataFrame to *path*, in the format of its ending. Returns the path.

    An unnamed integer index is left out; any other index becomes columns. MultiIndex headings are joined by `` / ``,
    duplicate headings are numbered (`` (2)``), and an empty heading becomes ``column`` and its number. Durations
    become seconds, with `` (seconds)`` in the heading. Parquet keeps the index and durations unchanged.

    Parameters
    ----------
    frame
        A DataFrame, or a Series, which is written as one column. For a result, pass ``result.table``.
    path
        ``.parquet``: with all types and ``attrs``; polars and DuckDB can read it. Parquet holds one type per column:
        values of mixed types, periods and intervals become text, with a warning.
        ``.jsonl``: one object per row, in UTF-8. Instants are ``2025-07-01T05:00:00.000Z``, days ``2025-07-01``.
        ``.csv``: instants and days as in JSON Lines; lists joined by ``; ``. UTF-8 with a byte order mark, which
        Excel needs for accents and ``pandas.read_csv`` skips (Python's ``csv`` module needs
        ``encoding="utf-8-sig"``). CSV has no types: ``pandas.read_csv(path)`` reads a phone number as a number;
        use ``pandas.read_csv(path, dtype={"phone": str})``.
        ``.xlsx``: real dates, with instants in *timezone* and its name in the heading; lists joined by ``; ``. Text
        is cut at 32,767 characters, and whole numbers of more than 15 digits become text: Excel holds no more.
    timezone
        The time zone of instants in Excel: ``loc.timezone``, or an IANA name.
    raw
        Keep text unchanged, for a CSV file that only programs read. By default, CSV and Excel files have ``'`` before
        text that a spreadsheet would run as a formula (``=1+1``, ``@SUM(1)``, ``-5`` as text, ``+1-312-555-0101``,
        but not ``+13125550101``), control sequences are removed, and a line break in CSV becomes a blank. Excel files
        never contain a formula, link or control character; Parquet and JSON Lines always keep text unchanged.

    Raises
    ------
    InvalidRequest
        *frame* is not a DataFrame, has no columns or is too large for Excel; the ending or the time zone is unknown;
        the folder does not exist; or the file cannot be written.
    """
    if isinstance(frame, pd.Series):
        frame = frame.to_frame("value" if frame.name is None else frame.name)
    if not isinstance(frame, pd.DataFrame):
        raise InvalidRequest(
            f"a {type(frame).__name__} is not a DataFrame", hint="pass one, such as loc.contacts() or result.table"
        )
    if not (frame.shape[1] or any(name is not None for name in frame.index.names)):
        raise InvalidRequest("the frame has no columns to write", hint="pass a frame with columns")
    target = checked_target(path, FORMATS)
    write_format = FORMATS[target.suffix.lower()]
    tzinfo = timezone if isinstance(timezone, dt.tzinfo) else zone(timezone)
    try:
        warning = _replace(target, lambda file: write_format(frame, file, tzinfo, raw))
    except RecursionError:
        raise InvalidRequest("a cell holds lists that are nested too deeply", hint="leave that column out") from None
    if warning:
        warn(f"{target.name}: {warning}", DataWarning)
    return target


def write_bytes(data: bytes, target: Path) -> Path:
    """Write *data*, such as a picture, to *target*, and return *target*. Raises ``InvalidRequest``."""
    _replace(target, lambda file: str(file.write_bytes(data)))
    return target


def checked_target(path: str | os.PathLike[str], endings: Collection[str]) -> Path:
    """The file to write at *path*. Raises ``InvalidRequest`` if its ending, its folder or its name rule that out."""
    target = disk.expand_path(path)
    if target.suffix.lower() not in endings:
        raise InvalidRequest(
            f"unsupported file type {target.suffix!r}", hint=f"use a name that ends in {', '.join(endings)}"
        )
    if not target.parent.is_dir():
        raise InvalidRequest(f"there is no folder {target.parent}", hint="create it first, or use another folder")
    if os.path.isdir(target):  # unlike Path.is_dir, raises nothing for an invalid name
        raise InvalidRequest(f"{target} is a folder", hint="name a file in that folder")
    return target


def _replace(target: Path, write_file: Callable[[Path], str]) -> str:
    """Replace *target* atomically by what *write_file* writes; return its result. Raises ``InvalidRequest``."""
    try:
        return disk.replace_file(target, write_file)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise InvalidRequest(
        f"cannot write {target}: {reason}", hint="close the file if it is open, or use another folder"
    )
