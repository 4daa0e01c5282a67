"""Progress of a download, and a way to cancel it.

A download reports every page to its ``Progress`` and asks it before each request whether to go on. All waiting is
done in it, so that Ctrl-C and a Cancel button take effect at once. ``ProgressBar`` shows a line in a terminal and a
bar in a notebook for anything that takes over a second, and nothing in a log. A stream that cannot show it (replaced,
closed, of an old encoding) never breaks the download.
"""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from hlkit.client.errors import Canceled

SHOWN_AFTER = 1.0  # seconds: what is quicker needs no line


@dataclass(frozen=True)
class ProgressUpdate:
    """How far a walk is: pages and rows so far, the announced total, requests spent, saved and left."""

    resource: str
    pages: int = 0
    rows: int = 0
    total: int | None = None
    spent: int = 0
    saved: int = 0
    left: int | None = None
    of: int | None = None

    def __str__(self) -> str:
        rows = f"{self.rows:,} rows" + (f" of {self.total:,}" if self.total is not None else "")
        parts = [self.resource, f"{self.pages:,} page{'s' * (self.pages != 1)}", rows]
        if self.saved and not self.spent:
            parts.append(f"spent 0, saved {self.saved:,}")
        elif self.left is not None and self.of is not None:
            parts.append(f"{self.left:,} of {self.of:,} requests left")
        return " · ".join(parts)


class Progress:
    """Shows nothing. Override ``on_page`` to show progress; call ``cancel`` from any thread to end the download."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def on_page(self, update: ProgressUpdate) -> None:
        """Called after each page."""

    def on_wait(self, seconds: float, why: str) -> None:
        """Called before a wait that a person would notice."""

    def on_note(self, words: str) -> None:
        """Called before a dear read starts, with what it will cost."""

    def close(self) -> None:
        """Called once, at the end of the walk."""

    def cancel(self) -> None:
        """End the walk within a second; what arrived is kept."""
        self._stop.set()

    def reset(self) -> None:
        """Take the stop back, so that the walk can be resumed."""
        self._stop.clear()

    @property
    def is_canceled(self) -> bool:
        return self._stop.is_set()

    def raise_if_canceled(self) -> None:
        """Raise ``Canceled`` where the walk was stopped."""
        if self.is_canceled:
            raise Canceled("stopped", hint="make the call again")

    def wait(self, seconds: float) -> None:
        """Wait, or raise ``Canceled`` as soon as the walk is stopped."""
        self._stop.wait(max(seconds, 0))
        self.raise_if_canceled()


class ProgressBar(Progress):
    """One line that tells resource, pages, rows, requests left and seconds."""

    def __init__(self, *, shown_after: float = SHOWN_AFTER) -> None:
        super().__init__()
        self._shown_after = shown_after
        self._began = time.monotonic()
        self._bar: Any = None
        self._text = ""

    def on_page(self, update: ProgressUpdate) -> None:
        self._text = str(update)
        self._show(self._text)

    def on_wait(self, seconds: float, why: str) -> None:
        self._show(" · ".join(filter(None, (self._text, f"waiting {seconds:.0f} s {why}"))), ahead=seconds)

    def on_note(self, words: str) -> None:
        self._text, self._shown_after = words, 0.0
        self._show(words)

    def _show(self, text: str, ahead: float = 0.0) -> None:
        """Show *text*, where the reading has taken a while, or will after the *ahead* seconds that it waits."""
        elapsed = time.monotonic() - self._began
        if elapsed + ahead < self._shown_after:
            return
        try:
            if self._bar is None:
                from tqdm.auto import tqdm

                sys.stderr.write("")  # where that fails, tqdm would fail again when it is deleted
                self._bar = tqdm(bar_format="{desc}", leave=True)
            self._bar.set_description_str(_encodable(f"{text} · {elapsed:.0f} s"))
        except Exception:  # the stream was closed or replaced, and any class may stand in for one
            self._shown_after = math.inf
            if self._bar is not None:
                self._bar.disable = True

    def close(self) -> None:
        if self._bar is not None:
            with contextlib.suppress(Exception):
                self._bar.close()
            self._bar = None  # what is read first, the definitions, has a line of its own


def _encodable(text: str) -> str:
    """The text as ``sys.stderr`` can write it."""
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
        return text
    except UnicodeEncodeError:
        return text.replace("·", "-").encode(encoding, "replace").decode(encoding)


_CURRENT: ContextVar[Progress | None] = ContextVar("_CURRENT", default=None)


@contextlib.contextmanager
def under(progress: Progress) -> Iterator[None]:
    """Within it, in this thread, a read without a progress of its own uses *progress*, and is canceled with it."""
    token = _CURRENT.set(progress)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def default(shown_after: float = SHOWN_AFTER) -> Progress:
    """The progress that the caller is under; else a line in a terminal or a notebook, and elsewhere a silent one."""
    current = _CURRENT.get()
    if current is not None:
        return current
    return ProgressBar(shown_after=shown_after) if _somebody_looks_on() else Progress()


def _somebody_looks_on() -> bool:
    try:
        if "ipykernel" in sys.modules and "IPython" in sys.modules:
            shell = sys.modules["IPython"].get_ipython()
            if shell is not None and shell.__class__.__name__ == "ZMQInteractiveShell":
                return True
        return bool(sys.stderr.isatty())
    except Exception:  # None, closed, or a stand-in that only writes
        return False
