"""Progress of a download, and how to cancel it.

A download reports every page to its ``Progress`` and checks before each request whether it was canceled. All waiting
happens in ``Progress.wait``, so Ctrl-C and a Cancel button take effect at once. ``ProgressBar`` shows a line in a
terminal and a bar in a notebook for anything that takes over a second. Logs stay empty. An output stream that cannot
show progress (replaced, closed, an old encoding) never breaks the download.
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

SHOWN_AFTER = 1.0  # seconds: faster downloads show nothing


@dataclass(frozen=True)
class ProgressUpdate:
    """How far a download is.

    ``pages`` and ``rows`` arrived so far; ``total`` is the number of rows that the server announced. ``requests``
    were sent, and ``from_cache`` pages needed none. ``requests_left`` of ``burst_limit`` remain for now.
    """

    resource: str
    pages: int = 0
    rows: int = 0
    total: int | None = None
    requests: int = 0
    from_cache: int = 0
    requests_left: int | None = None
    burst_limit: int | None = None

    def __str__(self) -> str:
        rows = f"{self.rows:,} rows" + (f" of {self.total:,}" if self.total is not None else "")
        parts = [self.resource, f"{self.pages:,} page{'s' * (self.pages != 1)}", rows]
        if self.from_cache and not self.requests:
            parts.append(f"0 requests, {self.from_cache:,} from cache")
        elif self.requests_left is not None and self.burst_limit is not None:
            parts.append(f"{self.requests_left:,} of {self.burst_limit:,} requests left")
        return " · ".join(parts)


class Progress:
    """Shows nothing. Override ``on_page`` to show progress; call ``cancel`` from any thread to end the download."""

    def __init__(self) -> None:
        self._canceled = threading.Event()

    def on_page(self, update: ProgressUpdate) -> None:
        """Called after each page."""

    def on_wait(self, seconds: float, why: str) -> None:
        """Called before a wait that a person would notice."""

    def on_note(self, message: str) -> None:
        """Called before an expensive download starts, with its cost."""

    def close(self) -> None:
        """Called once, at the end of the download."""

    def cancel(self) -> None:
        """End the download within a second. Pages that arrived stay cached."""
        self._canceled.set()

    def reset(self) -> None:
        """Undo ``cancel``, so that the download can be resumed."""
        self._canceled.clear()

    @property
    def is_canceled(self) -> bool:
        return self._canceled.is_set()

    def raise_if_canceled(self) -> None:
        """Raise ``Canceled`` after ``cancel``."""
        if self.is_canceled:
            raise Canceled("canceled", hint="make the call again")

    def wait(self, seconds: float) -> None:
        """Wait. Raises ``Canceled`` as soon as the download is canceled."""
        self._canceled.wait(max(seconds, 0))
        self.raise_if_canceled()


class ProgressBar(Progress):
    """One line: resource, pages, rows, requests left and seconds."""

    def __init__(self, *, shown_after: float = SHOWN_AFTER) -> None:
        super().__init__()
        self._shown_after = shown_after
        self._started = time.monotonic()
        self._bar: Any = None
        self._text = ""

    def on_page(self, update: ProgressUpdate) -> None:
        self._text = str(update)
        self._show(self._text)

    def on_wait(self, seconds: float, why: str) -> None:
        self._show(" · ".join(filter(None, (self._text, f"waiting {seconds:.0f} s {why}"))), upcoming=seconds)

    def on_note(self, message: str) -> None:
        self._text, self._shown_after = message, 0.0
        self._show(message)

    def _show(self, text: str, upcoming: float = 0.0) -> None:
        """Show *text* if the elapsed time plus the *upcoming* wait (seconds) exceeds ``shown_after``."""
        elapsed = time.monotonic() - self._started
        if elapsed + upcoming < self._shown_after:
            return
        try:
            if self._bar is None:
                from tqdm.auto import tqdm

                sys.stderr.write("")  # fail here rather than in tqdm, which would fail again when it is deleted
                self._bar = tqdm(bar_format="{desc}", leave=True)
            self._bar.set_description_str(_encodable(f"{text} · {elapsed:.0f} s"))
        except Exception:  # a closed or replaced stream may raise anything
            self._shown_after = math.inf
            if self._bar is not None:
                self._bar.disable = True

    def close(self) -> None:
        if self._bar is not None:
            with contextlib.suppress(Exception):
                self._bar.close()
            self._bar = None  # the next download opens its own line


def _encodable(text: str) -> str:
    """The text, with characters replaced that ``sys.stderr`` cannot encode."""
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
        return text
    except UnicodeEncodeError:
        return text.replace("·", "-").encode(encoding, "replace").decode(encoding)


_CURRENT: ContextVar[Progress | None] = ContextVar("_CURRENT", default=None)


@contextlib.contextmanager
def use_progress(progress: Progress) -> Iterator[None]:
    """Inside this block and in this thread, *progress* is the default: it reports and cancels every download."""
    reset_token = _CURRENT.set(progress)
    try:
        yield
    finally:
        _CURRENT.reset(reset_token)


def current_progress(shown_after: float = SHOWN_AFTER) -> Progress:
    """The progress of the enclosing ``use_progress``; else a bar in a terminal or notebook, or nothing in a log."""
    current = _CURRENT.get()
    if current is not None:
        return current
    return ProgressBar(shown_after=shown_after) if _is_interactive() else Progress()


def _is_interactive() -> bool:
    try:
        if "ipykernel" in sys.modules and "IPython" in sys.modules:
            shell = sys.modules["IPython"].get_ipython()
            if shell is not None and shell.__class__.__name__ == "ZMQInteractiveShell":
                return True
        return bool(sys.stderr.isatty())
    except Exception:  # sys.stderr is None, closed, or a stand-in with only a write method
        return False
