"""A warning points at the caller's own line."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

_TOLD: ContextVar[list[str] | None] = ContextVar("_TOLD", default=None)


@contextmanager
def told() -> Iterator[list[str]]:
    """Within it, in this thread, warnings of ours come into the list instead: for a screen of one's own."""
    words: list[str] = []
    token = _TOLD.set(words)
    try:
        yield words
    finally:
        _TOLD.reset(token)


def warn(words: str, kind: type[Warning] = UserWarning) -> None:
    """Warn at the line that called into hlkit from outside, however deep in it this is.

    The outermost of our frames decides, since requests-cache and others stand between two of ours, and functools
    above the outermost where that is a cached property.
    """
    listener = _TOLD.get()
    if listener is not None:
        listener.append(words)
        return
    frame: FrameType | None = sys._getframe(1)
    level = found = 2
    while frame is not None:
        module = frame.f_globals.get("__name__")
        if f"{module}.".startswith("hlkit.") or (module == "functools" and found == level):
            found = level + 1
        frame, level = frame.f_back, level + 1
    try:
        warnings.warn(words, kind, stacklevel=found)
    except Warning:  # a filter makes it an error
        raise
    except Exception:
        pass  # sys.stderr was closed or replaced by what cannot write it: no reason to lose what was read
