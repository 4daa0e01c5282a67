"""Work that a button starts: in a thread of its own, told of as it goes, and stopped at once.

A callback of a widget must return at once, or a kernel hears no second click. So the work runs in a thread; it
tells a progress of every page, and Cancel stops that progress. Whoever cancels is free at once: a page that is still
on its way is kept when it comes, and its run tells nothing any more.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import traitlets

from hlkit.client.errors import Canceled
from hlkit.client.http.progress import Progress, ProgressUpdate, under
from hlkit.client.http.rate_limit import duration
from hlkit.client.warning import collect_warnings

PER_SECOND = 10  # updates: more only flood the browser's connection


class Work(traitlets.HasTraits):
    """One job at a time. ``status``, ``words`` and ``share`` (0 to 1) tell how it goes, ``error`` how it failed."""

    status = traitlets.Enum(("idle", "running", "done", "stopped", "failed"), "idle")
    words = traitlets.Unicode("")
    share = traitlets.Float(None, allow_none=True)
    error = traitlets.Any(None, allow_none=True)
    trace = traitlets.Unicode("")
    notes: Any = traitlets.List([])  # warnings: what is left out, and why

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.RLock()
        self._watch: _Told | None = None
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def start(self, job: Callable[[Progress], Any], done: Callable[[Any], None]) -> bool:
        """Run ``job(progress)`` in a thread, then ``done(result)``; False while one runs, and after ``close``."""
        with self._lock:
            if self._watch is not None or self._is_closed:
                return False
            self._watch = progress = _Told(self._tell)
        self._set(status="running", words="starting", share=None, error=None, trace="", notes=[])
        self._thread = threading.Thread(target=self._run, args=(job, done, progress), daemon=True, name="hlkit-work")
        self._thread.start()
        return True

    def stop(self) -> None:
        """End it at once; nothing where nothing runs, as for a click that comes late."""
        with self._lock:
            progress, self._watch = self._watch, None
        if progress is not None:
            progress.cancel()
            words = "stopped; what is cached is not asked for again"
            self._set(status="stopped", words=words, share=None)

    def close(self) -> None:
        """Stop for good, and forget how it went: an error holds the frames that it came through."""
        with self._lock:
            self._is_closed = True
        self.stop()
        self._set(status="idle", words="", share=None, error=None, trace="", notes=[])

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread that was begun last."""
        if self._thread is not None:
            self._thread.join(timeout)

    # ---- in the thread

    def _run(self, job: Callable[[Progress], Any], done: Callable[[Any], None], progress: _Told) -> None:
        try:
            with collect_warnings() as notes, under(progress):
                result = job(progress)
            if self._is_current(progress):
                self.notes = list(dict.fromkeys(notes))
                done(result)
                self._settle(progress, status="done", words=f"done in {duration(progress.seconds)}", share=1.0)
        except Canceled:
            self._settle(progress, status="stopped", words="stopped", share=None)
        except Exception as error:  # else it would vanish with the thread
            self._settle(
                progress, status="failed", words="failed", share=None, error=error, trace=traceback.format_exc()
            )

    def _is_current(self, progress: _Told) -> bool:
        with self._lock:
            return self._watch is progress

    def _settle(self, progress: _Told, **traits: Any) -> None:
        with self._lock:
            if self._watch is not progress:
                return
            self._watch = None
        self._set(**traits)

    def _tell(self, progress: _Told, words: str, share: float | None) -> None:
        if self._is_current(progress):
            self._set(words=words, share=share)

    def _set(self, **traits: Any) -> None:
        """The status last: whoever waits for it finds the rest in place."""
        for name in sorted(traits, key=lambda name: name == "status"):
            setattr(self, name, traits[name])


class _Told(Progress):
    """A progress that tells a callback of update, so many times a second at most."""

    def __init__(self, tell: Callable[[_Told, str, float | None], None]) -> None:
        super().__init__()
        self._told, self._began, self._last = tell, time.monotonic(), 0.0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def on_page(self, update: ProgressUpdate) -> None:
        if time.monotonic() - self._last < 1 / PER_SECOND:
            return
        self._last = time.monotonic()
        share = min(1.0, update.rows / update.total) if update.total else None
        self._told(self, f"{update}{self._left(share)}", share)

    def _left(self, share: float | None) -> str:
        if not share or self.seconds < 1 or share == 1:
            return ""
        return f" · about {duration(self.seconds * (1 - share) / share)} left"

    def on_wait(self, seconds: float, why: str) -> None:
        self._told(self, f"waiting {duration(seconds)} {why}", None)

    def on_note(self, words: str) -> None:
        self._told(self, words, None)


class Steady:
    """Calls a function at most every tenth of a second, and always once after the last call."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function, self._lock = function, threading.RLock()
        self._last, self._timer = 0.0, None  # type: float, threading.Timer | None

    def __call__(self) -> None:
        with self._lock:
            wait = self._last + 1 / PER_SECOND - time.monotonic()
            if wait > 0:
                if self._timer is None:
                    self._timer = threading.Timer(wait, self.flush)
                    self._timer.daemon = True
                    self._timer.start()
                return
        self.flush()

    def flush(self) -> None:
        """Call it now."""
        with self._lock:
            self.cancel()
            self._last = time.monotonic()
            self._function()

    def cancel(self) -> None:
        """Call it no more for what came so far."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
