"""Imports: rows that were loaded into HighLevel in bulk, whose creation date is the date of the import."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from hlkit.analysis.core.groups import column_or_nulls
from hlkit.analysis.core.run_log import as_mask, record_left_out, remark
from hlkit.client.schema import INSTANT, TEXT

Imports = Literal["exclude", "include"]

BURSTS = ((50, 60), (200, 600))  # at least this many rows within this many seconds are an import
_IMPORT_WORD = r"(?i)(?:\b|_)(?:(?:bulk|csv)[ _-]?)?import(?:s|ed|er|ing)?(?:\b|_)"
_SOURCES = ("source", "created_by", "created_by_channel", "first_medium")  # where HighLevel writes how a row was made


def drop_imports(frame: pd.DataFrame, imports: Imports, noun: str) -> pd.DataFrame:
    """*frame* without imported rows, which are counted and reported; unchanged with ``"include"``.

    *noun* names the rows in the report: contacts, opportunities.
    """
    return frame[~find_imports(frame, imports, noun)]


def find_imports(frame: pd.DataFrame, imports: Imports, noun: str) -> npt.NDArray[np.bool_]:
    """Which rows to leave out as imported; their number is recorded. None with ``"include"``."""
    if imports == "include":
        return np.zeros(len(frame), dtype=bool)
    is_imported = is_bulk_import(frame).to_numpy(dtype=bool)
    count = int(is_imported.sum())
    if count:
        remark(f'{count:,} imported {noun} are left out; imports="include" counts them.')
        record_left_out(count, f"{noun} of an import")
    return is_imported


def is_bulk_import(frame: pd.DataFrame) -> pd.Series:
    """Whether each row came from an import.

    A row is imported if it is one of at least 50 created within a minute or of 200 within ten minutes, or if its
    ``source``, ``created_by``, ``created_by_channel`` or ``first_medium`` (where *frame* has them) says import.
    """
    created = column_or_nulls(frame, "created_at", INSTANT)
    has_date = created.notna().to_numpy()
    instants = created.dt.as_unit("us").dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[us]")
    is_imported = np.zeros(len(frame), dtype=bool)
    is_imported[has_date] = _in_a_burst(instants[has_date].astype("int64") / 1e6)
    for name in _SOURCES:
        if name in frame:
            is_imported |= as_mask(frame[name].astype(TEXT.dtype).str.contains(_IMPORT_WORD, regex=True))
    return pd.Series(is_imported, index=frame.index)


def _in_a_burst(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether each instant (in seconds) is part of one of the ``BURSTS``."""
    order = np.argsort(seconds, kind="stable")
    times = seconds[order]
    changes = np.zeros(len(times) + 1, dtype="int64")  # +1 where a burst starts, -1 after it ends
    for count, length in BURSTS:
        starts = np.arange(len(times))
        ends = np.searchsorted(times, times + length, side="left")
        is_burst = ends - starts >= count
        np.add.at(changes, starts[is_burst], 1)
        np.add.at(changes, ends[is_burst], -1)
    inside = np.zeros(len(times), dtype=bool)
    inside[order] = np.cumsum(changes[:-1]) > 0
    return inside
