"""The burst and the daily rate limit, counted and reported in headers as the live API does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

DAY_MS = 86_400_000


@dataclass
class Budget:
    """The remaining requests of one location; a refused request is not counted.

    A fixed window begins with its first request, and so does the day: neither is aligned to the clock.
    """

    burst: tuple[int, int]
    daily: int
    window: Literal["fixed", "sliding"]
    clock: Callable[[], float]
    _window_started: float = float("-inf")
    _sent: deque[float] = field(default_factory=deque)
    _day_started: float = float("-inf")
    _today: int = 0

    def take(self) -> bool:
        """Count a request; False when it is one too many."""
        now = self.clock() * 1000
        self._forget(now)
        if len(self._sent) >= self.burst[0] or self._today >= self.daily:
            return False
        if not self._sent:
            self._window_started = now
        if not self._today:
            self._day_started = now
        self._sent.append(now)
        self._today += 1
        return True

    def spend_day(self) -> None:
        """Use up the rest of the daily limit."""
        self._forget(self.clock() * 1000)
        self._day_started = max(self._day_started, self.clock() * 1000)
        self._today = self.daily

    def _forget(self, now: float) -> None:
        if now - self._day_started >= DAY_MS:
            self._today = 0
        if self.window == "fixed":
            if now - self._window_started >= self.burst[1]:
                self._sent.clear()
        else:
            while self._sent and now - self._sent[0] >= self.burst[1]:
                self._sent.popleft()

    def headers(self) -> dict[str, str]:
        """The six rate-limit headers of a response."""
        now = self.clock() * 1000
        reset = max(0, DAY_MS - int(now - self._day_started)) if self._today else DAY_MS
        return {
            "x-ratelimit-max": str(self.burst[0]),
            "x-ratelimit-remaining": str(max(0, self.burst[0] - len(self._sent))),
            "x-ratelimit-interval-milliseconds": str(self.burst[1]),
            "x-ratelimit-limit-daily": str(self.daily),
            "x-ratelimit-daily-remaining": str(max(0, self.daily - self._today)),
            "x-ratelimit-daily-reset": str(reset),
        }
