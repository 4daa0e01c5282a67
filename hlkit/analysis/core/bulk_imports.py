"""Imports: rows that came into HighLevel in bulk, whose date of creation says nothing about when they began."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from hlkit.analysis.core.groups import column_or_nulls
from hlkit.analysis.core.run_log import as_mask, record_left_out, remark
from hlkit.client.schema import INSTANT, TEXT

Imports = Literal["exclude", "include"]

# At least so many rows within so many seconds are an import.
BURSTS = ((50, 60), (200, 600))
_SAYS_SO = r"(?i)(?:\b|_)(?:(?:bulk|csv)[ _-]?)?import(?:s|ed|er|ing)?(?:\b|_)"
_SOURCES = ("source", "created_by", "created_by_channel", "first_medium")  # where HighLevel writes how a row was made


def drop_imports(frame: pd.DataFrame, imports: Imports, what: str) -> pd.DataFrame:
    """*frame* without the rows of an import, which are counted and reported; all of it with ``"include"``.

    *what* is what its rows are: contacts, opportunities.
    """
    return frame[~find_imports(frame, imports, what)]


def find_imports(frame: pd.DataFrame, imports: Imports, what: str) -> npt.NDArray[np.bool_]:
    """Whether each row is to be left out as one of an import; how many are is reported."""
    if imports == "include":
        return np.zeros(len(frame), dtype=bool)
    flags = is_bulk_import(frame).to_numpy(dtype=bool)
    count = int(flags.sum())
    if count:
        remark(f'{count:,} imported {what} are left out; imports="include" keeps them.')
        record_left_out(count, f"{what} of an import")
    return flags


def is_bulk_import(frame: pd.DataFrame) -> pd.Series:
    """Whether each row came with an import.

    That is one of at least 50 created within a minute, or of 200 within ten minutes, or one whose ``source``,
    ``created_by``, ``created_by_channel`` or ``first_medium``, as far as *frame* has them, says import.
    """
    created = column_or_nulls(frame, "created_at", INSTANT)
    known = created.notna().to_numpy()
    seconds = created.dt.as_unit("us").dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[us]")
    burst = np.zeros(len(frame), dtype=bool)
    burst[known] = _in_a_burst(seconds[known].astype("int64") / 1e6)
    for name in _SOURCES:
        if name in frame:
            burst |= as_mask(frame[name].astype(TEXT.dtype).str.contains(_SAYS_SO, regex=True))
    return pd.Series(burst, index=frame.index)


def _in_a_burst(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether each instant lies in some span that holds as many as an import does."""
    order = np.argsort(seconds, kind="stable")
    at = seconds[order]
    inside = np.zeros(len(at) + 1, dtype="int64")  # +1 where a crowded span begins, -1 after its end
    for count, span in BURSTS:
        begins = np.arange(len(at))
        ends = np.searchsorted(at, at + span, side="left")
        crowded = ends - begins >= count
        np.add.at(inside, begins[crowded], 1)
        np.add.at(inside, ends[crowded], -1)
    burst = np.zeros(len(at), dtype=bool)
    burst[order] = np.cumsum(inside[:-1]) > 0
    return burst
