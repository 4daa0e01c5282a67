"""One request to the API, and what callers with identical requests share while it is in flight."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from hlkit.client.errors import Canceled
from hlkit.client.http.progress import Progress
from hlkit.client.http.retry import RetryBudget

CANCEL_GRACE = 0.5  # seconds that a canceled caller waits for a response that is already on its way


@dataclass(eq=False)
class RequestSpec:
    """One request to the API, and how to handle it. ``fetch`` sets the last two fields.

    Parameters
    ----------
    method, path, params, body : the HTTP request
    version : the API version, such as ``2021-07-28``
    parse : turns the response's body into the result that ``fetch`` returns. It raises ``UnexpectedResponse`` or
        ``WrongLocation`` if the body is not usable. Such a response is requested again, and never cached.
    resource, scope : the resource requested and the scope that it needs, for error messages
    key_prefix : the start of the cache key. All requests of one download share it.
    occurrence : 1, or 2 if a download requests the same page again, to see if it has changed. Each has its own cache
        entry.
    cache_only : send nothing; raise ``NotCached`` if the response is not cached
    progress : is notified of waits, and can cancel the request
    retry_budget : all requests of one download share it
    may_be_truncated : called with the result; true if rows may be missing without any sign of it. A response without
        a length is then requested twice.
    requests_sent : the number of HTTP requests, retries included. 0 if the response was cached or another caller's.
    from_network : whether the response came over the network, for this caller or for the one whose request it joined
    """

    method: str
    path: str
    version: str
    parse: Callable[[bytes], Any]
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    resource: str = ""
    scope: str = ""
    key_prefix: str = ""
    occurrence: int = 1
    cache_only: bool = False
    progress: Progress = field(default_factory=Progress)
    retry_budget: RetryBudget = field(default_factory=RetryBudget)
    may_be_truncated: Callable[[Any], bool] = lambda result: False
    requests_sent: int = 0
    from_network: bool = False


class InFlightRequest(Progress):
    """A request in flight. It was started for ``spec``; callers with an identical request join it.

    ``waiters`` are the specs of all callers. The set is only ever replaced as a whole, so that it can be read without
    a lock.

    The rate limiter and the retries get this object as the progress that can cancel them. It is canceled once all
    callers are, and reports waits to the caller who started the request.

    Once ``done`` is set, there is an ``error``, or the ``body`` and the ``result`` of parsing it with ``spec``. A
    caller who joined parses the body with its own spec.
    """

    def __init__(self, key: str, request: requests.PreparedRequest, spec: RequestSpec) -> None:
        super().__init__()
        self.key, self.request, self.spec = key, request, spec
        self.waiters = frozenset({spec})
        self.requests_sent = 0
        self.done = threading.Event()
        self.error: BaseException | None = None
        self.body = b""
        self.result: Any = None

    @property
    def is_canceled(self) -> bool:
        return super().is_canceled or all(spec.progress.is_canceled for spec in self.waiters)

    def on_wait(self, seconds: float, why: str) -> None:
        self.spec.progress.on_wait(seconds, why)

    def wait_until_done(self, spec: RequestSpec) -> None:
        """Wait until done, or until the caller with this spec cancels.

        Raises ``Canceled`` or ``KeyboardInterrupt`` within ``CANCEL_GRACE`` seconds.
        """
        try:
            while not self.done.wait(0.05):
                spec.progress.raise_if_canceled()
        except (KeyboardInterrupt, Canceled):
            others = self.waiters - {spec}
            if not others:
                self.cancel()  # no further attempts
                # If the program ends now, so does the request's thread: give a response on its way time to be cached.
                self.done.wait(CANCEL_GRACE)
            raise
