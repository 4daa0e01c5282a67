"""The kinds of column, and the one dtype that each has: in every frame, an empty one too.

A dtype never changes. A value that does not fit its kind becomes null, is counted in one warning, and stays
in ``.raw()``.

Instants and days are in microseconds, as pandas 3 reads times itself, so that ``pd.merge_asof`` takes them beside
a column of ``pd.to_datetime`` or ``pd.read_csv``. pandas 2 reads times in nanoseconds: there your own column
needs ``.dt.as_unit("us")`` first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Kind:
    """A kind of value. ``choices`` are the known values of a choice; an unknown one is kept as it came."""

    name: str
    choices: tuple[str, ...] = ()

    def __call__(self, *choices: str) -> Kind:
        return Kind(self.name, choices)

    def __repr__(self) -> str:
        return self.name if not self.choices else f"{self.name}{self.choices!r}"

    @property
    def dtype(self) -> Any:
        """The pandas dtype, the same on every supported pandas."""
        return _DTYPES[self.name]


ID = Kind("ID")
TEXT = Kind("TEXT")
CHOICE = Kind("CHOICE")
WHEN = Kind("WHEN")  # an instant, in UTC
DAY = Kind("DAY")  # a calendar day: as an instant it would slip across midnight
NUMBER = Kind("NUMBER")
MONEY = Kind("MONEY")  # in the row's currency, or the location's
SHARE = Kind("SHARE")  # 0 to 1
COUNT = Kind("COUNT")
FLAG = Kind("FLAG")
LIST = Kind("LIST")

# The years that a date can be of: nanoseconds reach no further, and 0001 and 9999 stand for no date at all.
YEARS = (1678, 2261)

_TEXT = pd.StringDtype("pyarrow", na_value=np.nan)

_DTYPES: dict[str, Any] = {
    "ID": _TEXT,
    "TEXT": _TEXT,
    "CHOICE": _TEXT,
    "WHEN": pd.DatetimeTZDtype("us", "UTC"),
    "DAY": np.dtype("datetime64[us]"),
    "NUMBER": np.dtype("float64"),
    "MONEY": np.dtype("float64"),
    "SHARE": np.dtype("float64"),
    "COUNT": pd.Int64Dtype(),
    "FLAG": pd.BooleanDtype(),
    "LIST": np.dtype("object"),
}
