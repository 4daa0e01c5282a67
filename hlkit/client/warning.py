"""Warnings that point at the caller's own line, or are collected to be shown elsewhere."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

_COLLECTED: ContextVar[list[str] | None] = ContextVar("_COLLECTED", default=None)


@contextmanager
def collect_warnings() -> Iterator[list[str]]:
    """Collect hlkit's warnings in a list instead of issuing them, in this thread: for callers that show them."""
    messages: list[str] = []
    token = _COLLECTED.set(messages)
    try:
        yield messages
    finally:
        _COLLECTED.reset(token)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line outside hlkit that called into it, however deep in hlkit this is.

    The outermost frame of hlkit decides, because other packages (requests-cache) can stand between two of its
    frames. A functools frame directly above belongs to hlkit too: it is a cached property.
    """
    collected = _COLLECTED.get()
    if collected is not None:
        collected.append(message)
        return
    frame: FrameType | None = sys._getframe(1)
    level = outside = 2
    while frame is not None:
        module = frame.f_globals.get("__name__")
        if f"{module}.".startswith("hlkit.") or (module == "functools" and outside == level):
            outside = level + 1
        frame, level = frame.f_back, level + 1
    try:
        warnings.warn(message, category, stacklevel=outside)
    except Warning:  # the user's filter turns it into an error
        raise
    except Exception:
        pass  # sys.stderr is closed or broken: no reason to lose the data that was read
