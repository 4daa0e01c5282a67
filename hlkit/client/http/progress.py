"""Progress and stop: what a walk is told to, and asked.

A walk tells its watch of every page and asks it before each request whether to go on; every wait is the
watch's, so that Ctrl-C and a Cancel button end it at once. ``Line`` shows one line in a terminal and a bar's
text in a notebook, on anything over a second, and nothing in a log. A stream that cannot show it (replaced,
closed, of an old encoding) never breaks the reading.
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

from hlkit.client.errors import Cancelled

SHOWN_AFTER = 1.0  # seconds: what is quicker needs no line


@dataclass(frozen=True)
class Progress:
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


class Watch:
    """A silent watch. Override ``tell`` to show progress; call ``stop`` from anywhere to end the walk."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def tell(self, progress: Progress) -> None:
        """Called after each page."""

    def waiting(self, seconds: float, why: str) -> None:
        """Called before a wait that a person would notice."""

    def note(self, words: str) -> None:
        """Called before a dear read starts, with what it will cost."""

    def close(self) -> None:
        """Called once, at the end of the walk."""

    def stop(self) -> None:
        """End the walk within a second; what arrived is kept."""
        self._stop.set()

    def go_on(self) -> None:
        """Take the stop back, so that the walk can be resumed."""
        self._stop.clear()

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def ask(self) -> None:
        """Raise ``Cancelled`` where the walk was stopped."""
        if self.stopped:
            raise Cancelled("stopped", hint="make the call again")

    def wait(self, seconds: float) -> None:
        """Wait, or raise ``Cancelled`` as soon as the walk is stopped."""
        self._stop.wait(max(seconds, 0))
        self.ask()


class Line(Watch):
    """One line that tells resource, pages, rows, requests left and seconds."""

    def __init__(self, *, shown_after: float = SHOWN_AFTER) -> None:
        super().__init__()
        self._shown_after = shown_after
        self._began = time.monotonic()
        self._bar: Any = None
        self._text = ""

    def tell(self, progress: Progress) -> None:
        self._text = str(progress)
        self._show(self._text)

    def waiting(self, seconds: float, why: str) -> None:
        self._show(" · ".join(filter(None, (self._text, f"waiting {seconds:.0f} s {why}"))), ahead=seconds)

    def note(self, words: str) -> None:
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


_CURRENT: ContextVar[Watch | None] = ContextVar("_CURRENT", default=None)


@contextlib.contextmanager
def under(watch: Watch) -> Iterator[None]:
    """Within it, in this thread, what is read without a watch of its own is under *watch*, and stops with it."""
    token = _CURRENT.set(watch)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def default(shown_after: float = SHOWN_AFTER) -> Watch:
    """The watch that the caller is under; else a line in a terminal or a notebook, and elsewhere a silent one."""
    current = _CURRENT.get()
    if current is not None:
        return current
    return Line(shown_after=shown_after) if _somebody_looks_on() else Watch()


def _somebody_looks_on() -> bool:
    try:
        if "ipykernel" in sys.modules and "IPython" in sys.modules:
            shell = sys.modules["IPython"].get_ipython()
            if shell is not None and shell.__class__.__name__ == "ZMQInteractiveShell":
                return True
        return bool(sys.stderr.isatty())
    except Exception:  # None, closed, or a stand-in that only writes
        return False
