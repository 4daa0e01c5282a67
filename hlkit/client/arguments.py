"""Values that callers pass: as plain Python values, checked, and as short texts for messages."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from numbers import Real
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd

from hlkit.client.errors import InvalidRequest
from hlkit.client.text import shorten

_SHOWN_TYPES = (Real, Decimal, dt.date, dt.timedelta, np.generic, pd.Period, NoneType)


def short(value: Any) -> str:
    """A value for an error message. A long or complex one, which may hold personal data, shows only its type."""
    if isinstance(value, str):
        return repr(shorten(str(value), 40))
    try:
        text = str(value) if isinstance(value, _SHOWN_TYPES) else ""
    except ValueError:  # an int of more than 4,300 digits
        text = ""
    return text if 0 < len(text) <= 40 else f"<{type(value).__name__}>"


def plain(value: Any) -> Any:
    """A numpy value as a Python one, also inside a mapping; anything else unchanged."""
    if isinstance(value, dict):
        return {plain(name): plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, np.timedelta64):  # numpy calls it a number
        return value if np.datetime_data(value)[0] in ("generic", "Y", "M") else pd.Timedelta(value)
    return value.item() if isinstance(value, (np.bool_, np.number, np.str_)) else value


def number(given: Any) -> float | None:
    """The value as a float, whatever its numeric type; ``None`` if it is not a number."""
    given = plain(given)
    if isinstance(given, (bool, np.timedelta64)) or not isinstance(given, (Real, Decimal)):
        return None
    try:
        return float(given)
    except OverflowError:
        return math.inf
    except ValueError:  # decimal's signaling NaN
        return math.nan


def whole_number(name: str, given: Any, least: int, hint: str) -> int:
    """A whole number of at least *least*. Raises ``InvalidRequest`` with *hint*."""
    found = number(given)
    if found is None or not found.is_integer() or found < least:
        raise InvalidRequest(f"{name}={short(given)} is not a whole number of at least {least}", hint=hint)
    return int(given)


def seconds(name: str, given: Any) -> float:
    """A number of seconds, or a Timedelta in seconds. Raises ``InvalidRequest``."""
    value = plain(given)
    if isinstance(value, dt.timedelta):
        value = value.total_seconds()
    found = number(value)
    if found is None or not found >= 0:
        raise InvalidRequest(
            f"{name}={short(given)} is not a number of seconds", hint=f"write it like {name}=600, or leave it out"
        )
    return found


def truth(name: str, given: Any) -> bool:
    """True or False. Raises ``InvalidRequest``."""
    value = plain(given)
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name}={short(given)} is neither True nor False", hint=f"write {name}=True")
    return value
