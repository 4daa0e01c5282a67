"""The burst and the daily limit, counted as the live API counts and told in its headers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

DAY_MS = 86_400_000


@dataclass
class Budget:
    """What one location has left; a refused request costs nothing.

    A fixed window begins with its first request, as the day does: neither follows the clock on the wall.
    """

    burst: tuple[int, int]
    daily: int
    window: Literal["fixed", "sliding"]
    clock: Callable[[], float]
    _begun: float = float("-inf")
    _sent: deque[float] = field(default_factory=deque)
    _day_begun: float = float("-inf")
    _today: int = 0

    def take(self) -> bool:
        """Count a request; False when it is one too many."""
        now = self.clock() * 1000
        self._forget(now)
        if len(self._sent) >= self.burst[0] or self._today >= self.daily:
            return False
        if not self._sent:
            self._begun = now
        if not self._today:
            self._day_begun = now
        self._sent.append(now)
        self._today += 1
        return True

    def spend_day(self) -> None:
        """Use up what is left of the day."""
        self._forget(self.clock() * 1000)
        self._day_begun = max(self._day_begun, self.clock() * 1000)
        self._today = self.daily

    def _forget(self, now: float) -> None:
        if now - self._day_begun >= DAY_MS:
            self._today = 0
        if self.window == "fixed":
            if now - self._begun >= self.burst[1]:
                self._sent.clear()
        else:
            while self._sent and now - self._sent[0] >= self.burst[1]:
                self._sent.popleft()

    def headers(self) -> dict[str, str]:
        """The six headers of an answer."""
        now = self.clock() * 1000
        reset = max(0, DAY_MS - int(now - self._day_begun)) if self._today else DAY_MS
        return {
            "x-ratelimit-max": str(self.burst[0]),
            "x-ratelimit-remaining": str(max(0, self.burst[0] - len(self._sent))),
            "x-ratelimit-interval-milliseconds": str(self.burst[1]),
            "x-ratelimit-limit-daily": str(self.daily),
            "x-ratelimit-daily-remaining": str(max(0, self.daily - self._today)),
            "x-ratelimit-daily-reset": str(reset),
        }
