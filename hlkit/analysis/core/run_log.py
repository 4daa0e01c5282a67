"""What a run tells of itself beside its table: the rows it left out and why, and remarks on its definition.

An analysis and its helpers record these with ``drop_rows``, ``record_left_out`` and ``remark``;
the registry collects it for the run. Outside a run it goes nowhere.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


@dataclass
class RunLog:
    """Of one run: the names of its frames, the rows it left out by reason, and remarks in their order."""

    names: dict[int, str] = field(default_factory=dict)  # by the id() of the frame
    left_out: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    overlap: bool = False  # whether a row may count in several groups


CURRENT_RUN: ContextVar[RunLog | None] = ContextVar("RUN", default=None)


def record_left_out(count: int, why: str) -> None:
    """Tell that *count* rows are not used; *why* is a noun with its reason: "contacts of an import"."""
    run = CURRENT_RUN.get()
    if run is not None and count:
        run.left_out[why] = run.left_out.get(why, 0) + int(count)


def drop_rows(frame: pd.DataFrame, where: Any, why: str) -> pd.DataFrame:
    """*frame* without the rows *where* (a mask; null is no), and tell how many and why."""
    gone = as_mask(where)
    if not gone.any():
        return frame
    record_left_out(int(gone.sum()), why)
    return frame[~gone]


def as_mask(values: Any) -> npt.NDArray[np.bool_]:
    """A mask as plain truth values, in which null is no."""
    return pd.Series(values).astype("boolean").to_numpy(dtype=bool, na_value=False)


def remark(sentence: str) -> None:
    """Add a sentence to the definition of this run."""
    run = CURRENT_RUN.get()
    if run is not None and sentence not in run.remarks:
        run.remarks.append(sentence)


def record_overlap() -> None:
    """Say that a row may count in several groups of this run: no test compares such groups."""
    run = CURRENT_RUN.get()
    if run is not None:
        run.overlap = True


def frame_name(frame: pd.DataFrame) -> str:
    """What the run calls *frame*: contacts, messages; or what it was read as."""
    run = CURRENT_RUN.get()
    if run is not None and id(frame) in run.names:
        return run.names[id(frame)]
    told = frame.attrs.get("hlkit")
    return str(told.get("resource", "the frame")) if isinstance(told, dict) else "the frame"
