"""Run a job in a background thread, with progress and a Cancel button that takes effect at once.

A widget callback must return quickly: while it runs, the kernel handles no other click. So the job runs in a thread
and reports its progress as traits. Canceling returns immediately. A response that is still on its way is cached when
it arrives, but the canceled job reports nothing more.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import traitlets

from hlkit.client.errors import Canceled
from hlkit.client.http.progress import Progress, ProgressUpdate, use_progress
from hlkit.client.http.rate_limit import duration
from hlkit.client.warning import collect_warnings

MAX_PER_SECOND = 10  # updates sent to the browser
STOPPED = "Stopped. Partial data saved; resumes next time."


class BackgroundTask(traitlets.HasTraits):
    """Runs one job at a time. Observe its traits to show progress.

    ``message`` describes the progress in a sentence, ``fraction`` (0 to 1, or None if unknown) as a number.
    ``error`` and ``traceback`` are set if the job fails. ``warnings`` lists the warnings that it issued.
    """

    status = traitlets.Enum(("idle", "running", "done", "stopped", "failed"), "idle")
    message = traitlets.Unicode("")
    fraction = traitlets.Float(None, allow_none=True)
    error = traitlets.Any(None, allow_none=True)
    traceback = traitlets.Unicode("")
    warnings: Any = traitlets.List([])

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.RLock()
        self._progress: _TaskProgress | None = None  # of the running job
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def start(self, job: Callable[[Progress], Any], on_done: Callable[[Any], None]) -> bool:
        """Run ``job(progress)`` in a thread, then ``on_done(result)`` in the same thread.

        Returns False, and does nothing, if a job is running or the task is closed.
        """
        with self._lock:
            if self._progress is not None or self._is_closed:
                return False
            self._progress = progress = _TaskProgress(self._show_progress)
        self._set_traits(status="running", message="Starting…", fraction=None, error=None, traceback="", warnings=[])
        args = (job, on_done, progress)
        self._thread = threading.Thread(target=self._run, args=args, daemon=True, name="hlkit-task")
        self._thread.start()
        return True

    def stop(self) -> None:
        """Cancel the running job, if any, without waiting for its thread."""
        with self._lock:
            progress, self._progress = self._progress, None
        if progress is not None:
            progress.cancel()
            self._set_traits(status="stopped", message=STOPPED, fraction=None)

    def close(self) -> None:
        """Stop, refuse new jobs, and drop the error: its traceback keeps DataFrames in memory."""
        with self._lock:
            self._is_closed = True
        self.stop()
        self._set_traits(status="idle", message="", fraction=None, error=None, traceback="", warnings=[])

    def join(self, timeout: float | None = None) -> None:
        """Wait for the most recent thread to end."""
        if self._thread is not None:
            self._thread.join(timeout)

    # ---- in the thread

    def _run(self, job: Callable[[Progress], Any], on_done: Callable[[Any], None], progress: _TaskProgress) -> None:
        try:
            with collect_warnings() as warnings, use_progress(progress):
                result = job(progress)
            if self._is_current(progress):
                self.warnings = list(dict.fromkeys(warnings))
                on_done(result)
                message = f"Done in {duration(progress.elapsed)}."
                self._finish(progress, status="done", message=message, fraction=1.0)
        except Canceled:
            self._finish(progress, status="stopped", message=STOPPED, fraction=None)
        except Exception as error:  # an exception in a thread would otherwise go unnoticed
            self._finish(
                progress,
                status="failed",
                message="Failed.",
                fraction=None,
                error=error,
                traceback=traceback.format_exc(),
            )

    def _is_current(self, progress: _TaskProgress) -> bool:
        """Whether *progress* belongs to the running job, which was not stopped or replaced."""
        with self._lock:
            return self._progress is progress

    def _finish(self, progress: _TaskProgress, **traits: Any) -> None:
        """Set the final traits, unless the job was stopped in the meantime."""
        with self._lock:
            if self._progress is not progress:
                return
            self._progress = None
        self._set_traits(**traits)

    def _show_progress(self, progress: _TaskProgress, message: str, fraction: float | None) -> None:
        if self._is_current(progress):
            self._set_traits(message=message, fraction=fraction)

    def _set_traits(self, **traits: Any) -> None:
        """Set ``status`` last, so that its observers see the other traits up to date."""
        for name in sorted(traits, key=lambda name: name == "status"):
            setattr(self, name, traits[name])


class _TaskProgress(Progress):
    """Passes the progress of a download to a callback, at most ``MAX_PER_SECOND`` pages per second."""

    def __init__(self, callback: Callable[[_TaskProgress, str, float | None], None]) -> None:
        super().__init__()
        self._callback = callback
        self._started_at = time.monotonic()
        self._updated_at = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started_at

    def on_page(self, update: ProgressUpdate) -> None:
        if time.monotonic() - self._updated_at < 1 / MAX_PER_SECOND:
            return
        self._updated_at = time.monotonic()
        fraction = min(1.0, update.rows / update.total) if update.total else None
        self._callback(self, f"{update}{self._time_left(fraction)}", fraction)

    def _time_left(self, fraction: float | None) -> str:
        if not fraction or fraction == 1 or self.elapsed < 1:
            return ""
        return f" · about {duration(self.elapsed * (1 - fraction) / fraction)} left"

    def on_wait(self, seconds: float, why: str) -> None:
        self._callback(self, f"Waiting {duration(seconds)} {why}", None)

    def on_note(self, message: str) -> None:
        self._callback(self, message, None)


class Throttle:
    """Calls a function at most ``MAX_PER_SECOND`` times per second, and always once after the last request."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self._lock = threading.RLock()
        self._called_at = 0.0
        self._timer: threading.Timer | None = None

    def __call__(self) -> None:
        with self._lock:
            wait = self._called_at + 1 / MAX_PER_SECOND - time.monotonic()
            if wait > 0:
                if self._timer is None:
                    self._timer = threading.Timer(wait, self.call_now)
                    self._timer.daemon = True
                    self._timer.start()
                return
        self.call_now()

    def call_now(self) -> None:
        """Call the function without delay."""
        with self._lock:
            self.cancel()
            self._called_at = time.monotonic()
            self._function()

    def cancel(self) -> None:
        """Drop a pending call."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
