"""Rate limiting: a slot for each request, as many as the server's headers allow.

A slot is free again one interval after its *response* arrived. The server counted the request before we saw the
response. So no window of the server's, fixed or sliding, ever holds more of our requests than there are slots,
whatever the network's jitter.

Other programs share the limit. If the server reports fewer requests left than we count, the server is right. The
daily limit is the server's count alone.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from hlkit.client.errors import QuotaExhausted, RateLimited
from hlkit.client.http import fork
from hlkit.client.http.progress import Progress

BURST, INTERVAL = 100, 10.0  # HighLevel's documented limit: requests per seconds. Used if a response reports none
DEFAULT_IN_FLIGHT = 25  # requests in flight before the first response: the smallest limit there is (a trial account)
MAX_BURST, MAX_INTERVAL = 10_000, 600.0  # higher reported values are ignored as errors
DAY = 86_400.0  # seconds
SECONDS_PER_REQUEST = 0.3  # while the burst limit is far away
MIN_REPORTED_WAIT = 1.0  # seconds: progress does not mention shorter waits
_IN_FLIGHT = float("inf")  # when the slot of a request in flight is free again: not known yet


@dataclass(frozen=True, repr=False)
class Quota:
    """The requests left, as the last response reported them. ``None`` where no response did.

    ``burst`` of ``burst_limit`` requests are left in each ``interval`` (seconds), and ``day`` of ``day_limit`` until
    ``day_resets_at`` (Unix seconds). The response arrived at ``reported_at`` (Unix seconds).
    """

    burst: int | None = None
    burst_limit: int | None = None
    interval: float | None = None
    day: int | None = None
    day_limit: int | None = None
    day_resets_at: float | None = None
    reported_at: float | None = None

    @property
    def resets_in(self) -> float | None:
        """Seconds until the daily quota is full again."""
        return None if self.day_resets_at is None else max(0.0, self.day_resets_at - time.time())

    def __repr__(self) -> str:
        return f"<quota: {self}>"

    def __str__(self) -> str:
        if self.reported_at is None:
            return "not known until the first request"
        parts = []
        if self.burst is not None and self.burst_limit is not None:
            window = "" if self.interval is None else f" in {self.interval:g} s"
            parts.append(f"{self.burst:,} of {self.burst_limit:,} requests left{window}")
        if self.day is not None:
            limit = "" if self.day_limit is None else f" of {self.day_limit:,}"
            parts.append(f"{self.day:,}{limit} left today")
        if self.resets_in is not None:
            parts.append(f"the day resets in {duration(self.resets_in)}")
        return ", ".join(parts) or "not reported by the server"


def duration(seconds: float) -> str:
    """A rounded duration for people: ``45 s``, ``12 min``, ``3 h``, ``2 days``."""
    for size, unit in ((86_400, "day"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and unit != "day"):
            number = round(seconds / size)
            return f"{number} {unit}{'s' * (unit == 'day' and number != 1)}"
    return f"{seconds:.0f} s"


class RateLimiter:
    """Hands out slots. Thread-safe. ``clock`` is monotonic seconds, ``now`` is Unix seconds.

    ``interval`` is the burst window, in seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time) -> None:
        self._clock, self._now = clock, now
        self._lock = threading.Lock()
        self._size, self.interval = DEFAULT_IN_FLIGHT, INTERVAL
        self._free_at: list[float] = []  # for each slot in use, when it is free again, by ``clock``
        self._day_ends_at = 0.0  # by ``clock``: until then, an empty daily quota stays empty
        self.quota = Quota()
        fork.register(self, in_child=RateLimiter._after_fork_in_child)

    def _after_fork_in_child(self) -> None:
        """The responses to requests in flight go to the parent, so count their slots as used now."""
        self._lock = threading.Lock()
        next_interval = self._clock() + self.interval
        self._free_at = [min(free_at, next_interval) for free_at in self._free_at]

    def time_for(self, requests: int) -> float:
        """Estimated seconds for a number of requests, by the limits that the server has reported so far."""
        return max(requests * SECONDS_PER_REQUEST, (math.ceil(requests / self._size) - 1) * self.interval)

    def acquire(self, progress: Progress, max_wait: float = math.inf) -> None:
        """Wait for a free slot and take it.

        Raises ``QuotaExhausted`` if the daily quota is known to be empty, ``Canceled`` if *progress* is canceled, and
        ``RateLimited`` if the next slot is free only after *max_wait* seconds: a server may report an interval of
        minutes.
        """
        while True:
            progress.raise_if_canceled()
            with self._lock:
                self._require_daily_quota()
                seconds = self._seconds_to_free_slot()
                if seconds <= 0:
                    self._free_at.append(_IN_FLIGHT)
                    return
            if seconds == _IN_FLIGHT:  # every slot is in flight: look again soon
                progress.wait(0.05)
                continue
            if seconds > max_wait:
                raise self._burst_exhausted(seconds)
            if seconds > MIN_REPORTED_WAIT:
                progress.on_wait(seconds, "for the burst limit")
            progress.wait(seconds)

    def release(self, headers: Mapping[str, str] | None) -> None:
        """A response arrived (``None``: the request failed without one). Its slot is free again in one interval."""
        with self._lock:
            reports_burst = headers is not None and self._read_limits(headers)
            self._free_at.remove(_IN_FLIGHT)
            self._free_at.append(self._clock() + self.interval)
            if reports_burst and self.quota.burst is not None:
                self._sync(self.quota.burst)

    def back_off(self, seconds: float) -> None:
        """The server refused a request: no slot is free for so many seconds, and none earlier than it was."""
        with self._lock:
            end = self._clock() + seconds
            unused = max(self._size - len(self._free_at), 0)
            self._free_at = [max(free_at, end) for free_at in self._free_at] + [end] * unused

    def daily_quota_error(self) -> QuotaExhausted | None:
        """The error to raise if the last response reported that no request is left today, else ``None``."""
        quota = self.quota
        if quota.day != 0:
            return None
        seconds = None if quota.day_resets_at is None else max(0.0, quota.day_resets_at - self._now())
        when = "within 24 hours" if seconds is None else f"in {duration(seconds)}"
        limit = "" if quota.day_limit is None else f" ({quota.day_limit:,})"
        return QuotaExhausted(
            f"today's requests{limit} are used up, by this program and others together; the quota is full again "
            f"{when}",
            hint="make the call again then",
            retry_after=seconds,
        )

    def _burst_exhausted(self, seconds: float) -> RateLimited:
        return RateLimited(
            f"HighLevel allows {self._size:,} requests in {duration(self.interval)}, and they are used up; the next "
            f"is free in {duration(seconds)}",
            hint=f"make the call again then, or connect with deadline={math.ceil(seconds)}, which waits for it",
            retry_after=seconds,
        )

    def _seconds_to_free_slot(self) -> float:
        now = self._clock()
        self._free_at = sorted(free_at for free_at in self._free_at if free_at > now)
        excess = len(self._free_at) - self._size
        return 0.0 if excess < 0 else self._free_at[excess] - now

    def _sync(self, left: int) -> None:
        """If the server reports fewer requests left than we count, mark the difference as used by others."""
        now = self._clock()
        free = self._size - sum(free_at > now for free_at in self._free_at)
        self._free_at.extend([now + self.interval] * (free - left))

    def _require_daily_quota(self) -> None:
        """Raise ``QuotaExhausted`` if the daily quota is empty, until it is full again by either clock."""
        # The time of day may be set back, and the monotonic clock stops while a laptop sleeps.
        error = self.daily_quota_error()
        if error is not None and self._clock() < self._day_ends_at and error.retry_after != 0:
            raise error

    def _read_limits(self, headers: Mapping[str, str]) -> bool:
        """Update the limits that the headers report. Returns whether they report ``burst``."""

        def number(name: str, most: float) -> int | None:
            text = headers.get(f"x-ratelimit-{name}", "").strip()
            return int(text) if text.isascii() and text.isdigit() and len(text) < 16 and int(text) <= most else None

        now = self._now()
        interval_ms = number("interval-milliseconds", MAX_INTERVAL * 1000)
        reset_ms = number("daily-reset", DAY * 1000)
        burst_limit, day_limit = number("max", MAX_BURST), number("limit-daily", 1e15)
        limits = {  # a limit of 0 is an error of the server's, and so is what it reports as left of it
            "burst": None if burst_limit == 0 else number("remaining", 1e15),
            "burst_limit": burst_limit or None,
            "interval": interval_ms / 1000 if interval_ms else None,
            "day": None if day_limit == 0 else number("daily-remaining", 1e15),
            "day_limit": day_limit or None,
            "day_resets_at": None if reset_ms is None else now + reset_ms / 1000,
        }
        reported = {name: value for name, value in limits.items() if value is not None}
        if reported:
            self.quota = replace(self.quota, **reported, reported_at=now)  # type: ignore[arg-type]
        self._size = self.quota.burst_limit or BURST
        self.interval = self.quota.interval or INTERVAL
        if limits["day"] == 0:
            # If the server does not report when the day resets, send one request a minute to find out.
            self._day_ends_at = self._clock() + (60 if reset_ms is None else reset_ms / 1000)
        return limits["burst"] is not None
