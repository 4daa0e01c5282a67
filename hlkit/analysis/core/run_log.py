"""What a run reports beside its table: the rows it left out and why, and remarks on its definition.

An analysis and its helpers record these with ``drop_rows``, ``record_left_out`` and ``remark``. The registry
collects them for each run. Outside of a run they are discarded.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd


@dataclass
class RunLog:
    """The log of one run: the names of its frames, the rows left out by reason, and remarks in order.

    ``total`` is the summary of all rows together. ``rows`` are the rows behind the table, and ``keys`` their groups.
    """

    names: dict[int, str] = field(default_factory=dict)  # by the id() of the frame
    left_out: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    overlap: bool = False  # whether a row may count in several groups
    total: dict[str, Any] = field(default_factory=dict)
    rows: pd.DataFrame | None = None
    keys: pd.DataFrame | None = None
    uncombined: pd.Series | None = None  # the keys before small groups were combined


CURRENT_RUN: ContextVar[RunLog | None] = ContextVar("CURRENT_RUN", default=None)


def record_left_out(count: int, reason: str) -> None:
    """Record that *count* rows are not used. *reason* is a noun phrase: "contacts of an import"."""
    run = CURRENT_RUN.get()
    if run is not None and count:
        run.left_out[reason] = run.left_out.get(reason, 0) + int(count)


def drop_rows(frame: pd.DataFrame, where: Any, reason: str) -> pd.DataFrame:
    """*frame* without the rows where the mask *where* is true; their number and *reason* are recorded."""
    dropped = as_mask(where)
    if not dropped.any():
        return frame
    record_left_out(int(dropped.sum()), reason)
    return frame[~dropped]


def as_mask(values: Any) -> npt.NDArray[np.bool_]:
    """A boolean array; nulls become False."""
    if getattr(values, "dtype", None) == np.bool_:
        return np.array(values)
    return pd.Series(values).astype("boolean").to_numpy(dtype=bool, na_value=False)


def remark(sentence: str) -> None:
    """Add a sentence to the definition of this run."""
    run = CURRENT_RUN.get()
    if run is not None and sentence not in run.remarks:
        run.remarks.append(sentence)


def record_overlap() -> None:
    """Record that a row may count in several groups of this run. Such groups are never tested for a difference."""
    run = CURRENT_RUN.get()
    if run is not None:
        run.overlap = True


def record_rows(rows: pd.DataFrame, keys: pd.DataFrame, total: Mapping[str, Any]) -> None:
    """Record the rows behind a table of groups, the *keys* of their groups, and the summary of all rows."""
    run = CURRENT_RUN.get()
    if run is not None:
        run.rows, run.keys, run.total = rows, keys, dict(total)


def frame_name(frame: pd.DataFrame) -> str:
    """What the run calls *frame*, such as "contacts"; outside of a run, the resource it was read from."""
    run = CURRENT_RUN.get()
    if run is not None and id(frame) in run.names:
        return run.names[id(frame)]
    metadata = frame.attrs.get("hlkit")
    return str(metadata.get("resource", "the frame")) if isinstance(metadata, dict) else "the frame"


class _Shared(dict[str, Any]):
    """Metadata of a table that is only read, so that copies of the table can share it."""

    def __deepcopy__(self, memo: object) -> Self:
        return self


def with_shared_attrs(table: pd.DataFrame) -> pd.DataFrame:
    """*table*, only to be read: pandas copies ``attrs`` at each step, often longer than the step itself takes."""
    out = table.copy(deep=False)
    out.attrs = {name: _Shared(value) if isinstance(value, dict) else value for name, value in table.attrs.items()}
    return out
