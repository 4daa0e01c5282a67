"""The budget: a slot per request, sized by the server's headers.

A slot is usable again one interval after its *answer* came. The server saw the request before we saw the
answer, so no window of the server's, fixed or sliding, can hold more of our requests than there are slots,
whatever the network's jitter. Other programs share the budget: where the server says that less is left than
we count, the server is believed. The day's budget is the server's count alone.
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

BURST, INTERVAL = 100, 10.0  # where no answer tells: requests per so many seconds
UNTOLD = 25  # requests in flight before the first answer: the smallest budget there is (a trial's)
LARGEST, LONGEST = 10_000, 600.0  # a told burst or interval beyond is no burst
DAY = 86_400.0  # seconds
A_REQUEST = 0.3  # seconds that one takes, as long as the burst limit is far
NOTICED = 1.0  # seconds: a shorter wait is not told
_FLYING = float("inf")


@dataclass(frozen=True, repr=False)
class Quota:
    """What is left, as the last answer told it; ``None`` where no answer did.

    ``burst`` of ``burst_limit`` requests are left in each ``interval`` seconds, ``day`` of ``day_limit``
    until ``day_resets_at`` (Unix seconds). ``told_at`` is when the answer came.
    """

    burst: int | None = None
    burst_limit: int | None = None
    interval: float | None = None
    day: int | None = None
    day_limit: int | None = None
    day_resets_at: float | None = None
    told_at: float | None = None

    @property
    def resets_in(self) -> float | None:
        """Seconds until the day's quota is full again."""
        return None if self.day_resets_at is None else max(0.0, self.day_resets_at - time.time())

    def __repr__(self) -> str:
        return f"<quota: {self}>"

    def __str__(self) -> str:
        if self.told_at is None:
            return "not known until the first request"
        parts = []
        if self.burst is not None and self.burst_limit is not None:
            span = "" if self.interval is None else f" in {self.interval:g} s"
            parts.append(f"{self.burst:,} of {self.burst_limit:,} requests left{span}")
        if self.day is not None:
            limit = "" if self.day_limit is None else f" of {self.day_limit:,}"
            parts.append(f"{self.day:,}{limit} left today")
        if self.resets_in is not None:
            parts.append(f"the day resets in {duration(self.resets_in)}")
        return ", ".join(parts) or "not told by the server"


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h``, ``2 days``: as a person says it."""
    for size, unit in ((86_400, "day"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and unit != "day"):
            number = round(seconds / size)
            return f"{number} {unit}{'s' * (unit == 'day' and number != 1)}"
    return f"{seconds:.0f} s"


class RateLimiter:
    """Hands out slots. Safe between threads; ``clock`` is monotonic, ``now`` is the time of day."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time) -> None:
        self._clock, self._now = clock, now
        self._lock = threading.Lock()
        self._size, self._interval = UNTOLD, INTERVAL
        self._used: list[float] = []  # when each taken slot is usable again; in flight: infinity
        self._day_over_at = 0.0  # of the clock, where the day's budget is gone
        self.quota = Quota()
        fork.begins_anew(self)

    def after_fork(self) -> None:
        """What is in flight lands at the parent's: for us those slots are used from now."""
        self._lock = threading.Lock()
        back = self._clock() + self._interval
        self._used = [min(slot, back) for slot in self._used]

    @property
    def interval(self) -> float:
        """The burst window, in seconds."""
        return self._interval

    def time_for(self, requests: int) -> float:
        """Seconds that so many requests take, by what the server has told of its limits so far."""
        return max(requests * A_REQUEST, (math.ceil(requests / self._size) - 1) * self._interval)

    def take(self, progress: Progress, longest: float = _FLYING) -> None:
        """Wait for a slot and take it.

        Raises ``QuotaExhausted`` where the day's budget is known to be gone, and ``RateLimited`` where the next
        slot is free only after *longest* seconds: a server may report an interval of minutes.
        """
        while True:
            progress.raise_if_canceled()
            with self._lock:
                self._refuse_an_empty_day()
                seconds = self._seconds_to_a_slot()
                if seconds <= 0:
                    self._used.append(_FLYING)
                    return
            if longest < seconds < _FLYING:
                raise self._burst_exhausted(seconds)
            if NOTICED < seconds < _FLYING:
                progress.on_wait(seconds, "for the burst limit")
            progress.wait(min(seconds, 0.05) if seconds == _FLYING else seconds)

    def give_back(self, headers: Mapping[str, str] | None) -> None:
        """An answer came (or none, with ``None``): its slot is usable again one interval from now."""
        with self._lock:
            told = self._read(headers) if headers is not None else False
            self._used.remove(_FLYING)
            self._used.append(self._clock() + self._interval)
            if told and self.quota.burst is not None:
                self._believe(self.quota.burst)

    def hold(self, seconds: float) -> None:
        """The server refused a request: no slot is usable for so long, and none earlier than it was."""
        with self._lock:
            back = self._clock() + seconds
            missing = max(self._size - len(self._used), 0)
            self._used = [max(slot, back) for slot in self._used] + [back] * missing

    def day_exhausted(self) -> QuotaExhausted | None:
        """The error for a day without requests, where the last answer told of one."""
        return _day_exhausted(self.quota, self._now()) if self.quota.day == 0 else None

    def _burst_exhausted(self, seconds: float) -> RateLimited:
        return RateLimited(
            f"HighLevel allows {self._size:,} requests in {duration(self._interval)}, and they are used up; the next "
            f"is free in {duration(seconds)}",
            hint=f"make the call again then, or connect with deadline={math.ceil(seconds)}, which waits for it",
            retry_after=seconds,
        )

    def _seconds_to_a_slot(self) -> float:
        now = self._clock()
        self._used = sorted(slot for slot in self._used if slot > now)
        excess = len(self._used) - self._size
        return 0.0 if excess < 0 else self._used[excess] - now

    def _believe(self, left: int) -> None:
        """Take as many more slots as the server says that others have used."""
        now = self._clock()
        free = self._size - sum(slot > now for slot in self._used)
        self._used.extend([now + self._interval] * (free - left))

    def _refuse_an_empty_day(self) -> None:
        # By both clocks: one may have been set back, the other stands still while a laptop sleeps.
        quota = self.quota
        if quota.day != 0 or self._clock() >= self._day_over_at:
            return
        if quota.day_resets_at is None or self._now() < quota.day_resets_at:
            raise _day_exhausted(quota, self._now())

    def _read(self, headers: Mapping[str, str]) -> bool:
        """Take in what the headers tell, and keep the rest; whether they told anything."""

        def number(name: str, most: float) -> int | None:
            text = headers.get(f"x-ratelimit-{name}", "").strip()
            return int(text) if text.isascii() and text.isdigit() and len(text) < 16 and int(text) <= most else None

        now = self._now()
        window, reset = number("interval-milliseconds", LONGEST * 1000), number("daily-reset", DAY * 1000)
        most, most_a_day = number("max", LARGEST), number("limit-daily", 1e15)
        told = {  # where no request at all were allowed, what is left of none is no news
            "burst": None if most == 0 else number("remaining", 1e15),
            "burst_limit": most or None,
            "interval": window / 1000 if window else None,
            "day": None if most_a_day == 0 else number("daily-remaining", 1e15),
            "day_limit": most_a_day or None,
            "day_resets_at": None if reset is None else now + reset / 1000,
        }
        known = {name: value for name, value in told.items() if value is not None}
        if known:
            self.quota = replace(self.quota, **known, told_at=now)  # type: ignore[arg-type]
        self._size = self.quota.burst_limit or BURST
        self._interval = self.quota.interval or INTERVAL
        if told["day"] == 0:
            # Without a told reset the day may be over at any time: one request a minute finds out.
            self._day_over_at = self._clock() + (60 if reset is None else reset / 1000)
        return told["burst"] is not None


def _day_exhausted(quota: Quota, now: float) -> QuotaExhausted:
    """The error for a day without requests, with the time until there are some."""
    seconds = None if quota.day_resets_at is None else max(0.0, quota.day_resets_at - now)
    when = "within 24 hours" if seconds is None else f"in {duration(seconds)}"
    limit = "" if quota.day_limit is None else f" ({quota.day_limit:,})"
    return QuotaExhausted(
        f"the day's requests{limit} are used up, by this program and others together; the quota is full again {when}",
        hint="make the call again then",
        retry_after=seconds,
    )
