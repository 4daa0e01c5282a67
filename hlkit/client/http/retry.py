"""Whether a request that failed is sent again, and when: arithmetic alone, no clock and no HTTP."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from hlkit.client.errors import HlkitError, RateLimited, Timeout, WrongLocation
from hlkit.client.http.rate_limit import duration

ATTEMPTS = 6  # of one request
SHORTEST = 0.05  # seconds that any attempt has


class Budget:
    """What a walk may spend on retries: each takes one, each page gives a fifth back."""

    def __init__(self, retries: float = 10.0) -> None:
        self.left = retries

    def spend(self) -> bool:
        """Whether there was a retry left; it is taken."""
        self.left -= 1
        return self.left >= 0

    def give_back(self) -> None:
        self.left += 0.2


@dataclass
class RetryState:
    """The attempts of one request within ``deadline`` seconds.

    ``spent`` counts the seconds of attempts and of waits between them, not those for a slot of our own pacing.
    ``told`` is the error of the last answer: a silence after it does not replace it.
    """

    deadline: float
    budget: Budget
    jitter: Callable[[float, float], float] = random.uniform
    spent: float = 0.0
    made: int = 0
    told: HlkitError | None = None
    _strayed: bool = False

    @property
    def seconds(self) -> float:
        """How long the next attempt may take: a third of the deadline, or what is left of it."""
        return max(min(self.deadline / 3, self.deadline - self.spent), SHORTEST)

    def took(self, seconds: float) -> None:
        """An attempt ended after so many seconds."""
        self.made += 1
        self.spent += seconds

    def pause(self, error: HlkitError, asked: float | None, interval: float) -> float:
        """Seconds to wait before the next attempt; raises where there is none.

        ``asked`` is the wait that the server asks for, ``interval`` its burst window, both in seconds.
        """
        if self.told is None or not isinstance(error, Timeout):
            self.told = error
        seconds = self._wait(error, asked, interval)
        if seconds is None:
            raise error
        if isinstance(error, RateLimited):
            error.retry_after = seconds
        if self._is_asked_too_long(error, asked, seconds):
            raise _come_back(error, seconds)
        if self.made >= ATTEMPTS or self.spent + seconds >= self.deadline or not self.budget.spend():
            raise self.told
        self.spent += seconds
        return seconds

    def _wait(self, error: HlkitError, asked: float | None, interval: float) -> float | None:
        if isinstance(error, WrongLocation):
            return self._once_more(error)
        if not error.retryable:
            return None
        longest = self.deadline / 60 * 2 ** (self.made - 1)
        backoff = self.jitter(longest / 2, longest)
        if isinstance(error, RateLimited) and asked is None:  # several programs wait: not all for the same moment
            asked = self.jitter(interval, 1.1 * interval)
        return max(backoff, asked or 0.0)

    def _once_more(self, error: WrongLocation) -> float | None:
        """A success with a row of another location may be a slip: it is asked for once more."""
        if self._strayed or error.status is None or error.status >= 300:
            return None
        self._strayed = True
        return 0.0

    def _is_asked_too_long(self, error: HlkitError, asked: float | None, seconds: float) -> bool:
        asks = asked is not None or isinstance(error, RateLimited)
        return asks and error.retryable and self.spent + seconds > self.deadline


def _come_back(error: HlkitError, seconds: float) -> RateLimited:
    """The server's wait ends past the deadline: the error that says when to come back."""
    return RateLimited(
        f"{error.message}; come back in {duration(seconds)}",
        hint="make the call again then",
        status=error.status,
        trace_id=error.trace_id,
        resource=error.resource,
        retry_after=seconds,
    )
