"""Whether a failed request is sent again, and when. Arithmetic only: no clock and no HTTP."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from hlkit.client.errors import HlkitError, RateLimited, Timeout, WrongLocation
from hlkit.client.http.rate_limit import duration

MAX_ATTEMPTS = 6  # of one request
MIN_TIMEOUT = 0.05  # seconds: every attempt has at least this long


class RetryBudget:
    """The retries that one download may use. Each retry costs one; each page that arrives adds a fifth."""

    def __init__(self, retries: float = 10.0) -> None:
        self.left = retries

    def try_withdraw(self) -> bool:
        """Take one retry. Returns whether there was one left."""
        self.left -= 1
        return self.left >= 0

    def deposit(self) -> None:
        """A page arrived: add a fifth of a retry."""
        self.left += 0.2


@dataclass
class RetryState:
    """The attempts of one request within ``deadline`` seconds.

    ``elapsed`` is the seconds of all attempts and of the waits between them. Waits for a rate-limit slot do not
    count. ``last_error`` is the error to raise at the end: the last one that is more than a timeout, if there is any.
    """

    deadline: float
    budget: RetryBudget
    jitter: Callable[[float, float], float] = random.uniform
    elapsed: float = 0.0
    attempts: int = 0
    last_error: HlkitError | None = None
    _has_retried_wrong_location: bool = False

    @property
    def attempt_timeout(self) -> float:
        """Seconds for the next attempt: a third of the deadline, or what is left of it."""
        return max(min(self.deadline / 3, self.deadline - self.elapsed), MIN_TIMEOUT)

    def record_attempt(self, seconds: float) -> None:
        """An attempt ended after so many seconds."""
        self.attempts += 1
        self.elapsed += seconds

    def next_delay(self, error: HlkitError, retry_after: float | None, interval: float) -> float:
        """Seconds to wait before the next attempt. Raises if there is no next attempt.

        Parameters
        ----------
        error : the error of the attempt that just ended
        retry_after : seconds that the server asked to wait, if it did
        interval : the server's burst window, in seconds
        """
        if self.last_error is None or not isinstance(error, Timeout):
            self.last_error = error
        seconds = self._delay(error, retry_after, interval)
        if seconds is None:
            raise error
        if isinstance(error, RateLimited):
            error.retry_after = seconds
        is_server_wait = error.retryable and (retry_after is not None or isinstance(error, RateLimited))
        if is_server_wait and self.elapsed + seconds > self.deadline:
            raise _come_back_later(error, seconds)
        is_over = self.attempts >= MAX_ATTEMPTS or self.elapsed + seconds >= self.deadline
        if is_over or not self.budget.try_withdraw():
            raise self.last_error
        self.elapsed += seconds
        return seconds

    def _delay(self, error: HlkitError, retry_after: float | None, interval: float) -> float | None:
        """Seconds to wait, or ``None`` if this error is not worth another attempt."""
        if isinstance(error, WrongLocation) and error.status is not None and error.status < 300:
            # A row of another location in a successful response may be a glitch: request it once more, at once.
            is_first, self._has_retried_wrong_location = not self._has_retried_wrong_location, True
            return 0.0 if is_first else None
        if not error.retryable:
            return None
        longest = self.deadline / 60 * 2 ** (self.attempts - 1)
        backoff = self.jitter(longest / 2, longest)
        if isinstance(error, RateLimited) and retry_after is None:
            # Programs that share the limit should not return at the same instant.
            retry_after = self.jitter(interval, 1.1 * interval)
        return max(backoff, retry_after or 0.0)


def _come_back_later(error: HlkitError, seconds: float) -> RateLimited:
    """The error if the server's wait ends after the deadline: it says when to come back."""
    return RateLimited(
        f"{error.message}; come back in {duration(seconds)}",
        hint="make the call again then",
        status=error.status,
        trace_id=error.trace_id,
        resource=error.resource,
        retry_after=seconds,
    )
