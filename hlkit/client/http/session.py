"""All requests for one location (a HighLevel sub-account): cached, rate-limited, retried and read-only.

``Session.fetch(spec)`` returns the parsed response to one request. The order of operations:

1. Prepare: check the path, and build the HTTP request and its cache key.
2. Join: if an identical request is in flight, wait for that one. Otherwise start this one in its own thread.
3. Cache: a cached response that parses is returned. This uses no quota.
4. Check: refuse to send anything that may write, or that goes to a host other than HighLevel's.
5. Rate limit: wait for a free slot.
6. Send once, and parse the body. The step fails unless the response is complete and its body parses.
7. Retry: if step 6 failed and may succeed later, wait and go back to step 5. Raise when the attempts or the deadline
   of this request, or the retry budget of its download, are used up.
8. Return: requests-cache stores the response, and every caller who joined receives it.

``_RateLimitedSession`` does steps 4 to 7. ``Session`` does the others, with requests-cache for step 3. Each request
has its own thread, so that a caller can stop waiting within ``CANCEL_GRACE`` seconds (Ctrl-C, a Cancel button), and a
response that is already on its way is still cached.
"""

from __future__ import annotations

import copy
import functools
import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn
from urllib.parse import urlsplit

import requests
from requests_cache import CacheMixin

from hlkit.client.errors import (
    CacheLocked,
    Canceled,
    HlkitError,
    InvalidRequest,
    NotCached,
    NotReadOnly,
    RateLimited,
    UnexpectedResponse,
    WrongLocation,
)
from hlkit.client.http import fork
from hlkit.client.http.cache import Cache
from hlkit.client.http.progress import Progress
from hlkit.client.http.rate_limit import INTERVAL, RateLimiter
from hlkit.client.http.request import InFlightRequest, RequestSpec
from hlkit.client.http.responses import error_for, retry_after
from hlkit.client.http.retry import RetryState
from hlkit.client.http.token import Token, same_host
from hlkit.client.http.transport import Adapter, Failure, RawResponse, send_once
from hlkit.client.text import canonical_json

# A response without a length (no Content-Length, chunked encoding or compression) looks complete even if it was cut
# off. From a server whose other responses have one, it is requested up to this many times, and the longest is used.
MAX_COMPARED = 3
_log = logging.getLogger("hlkit")


class _RateLimitedSession(requests.Session):
    """Sends a request until its response is complete and parses: steps 4 to 7 above.

    ``read_only_post_paths`` are regular expressions for the POST endpoints that only read. ``deadline`` is the number
    of seconds allowed for all attempts of one request and the waits between them. Waits for a rate-limit slot do not
    count.
    """

    def __init__(
        self,
        base_url: str,
        token: Token,
        *,
        deadline: float,
        read_only_post_paths: frozenset[str],
        clock: Callable[[], float] = time.monotonic,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        super().__init__()
        self.mount("https://", Adapter())
        self.mount("http://", Adapter())
        self.base_url, self._token, self.deadline = base_url, token, deadline
        self._read_only_post_paths = read_only_post_paths
        self._clock = clock
        self.rate_limiter = rate_limiter or RateLimiter(clock=clock)
        self._has_seen_known_complete = False  # whether any response so far had a length
        self.requests_sent = 0  # since this session began

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send *request* until a response parses, and set the ``result`` of ``options["in_flight"]``.

        A response without a length may have been cut off: it is requested again (see ``_wanted_responses``). The
        first one with a length is used, or else the longest. If one of these requests fails after its retries, so
        does the call: nothing would show that the other responses lack rows.
        """
        # CacheMixin.send passes on the keyword arguments that it does not use itself.
        in_flight: InFlightRequest = options["in_flight"]
        spec = in_flight.spec
        if spec.cache_only:  # CacheMixin calls this method only if it has no usable response
            raise NotCached("a page is not in the cache, or cannot be read there", hint="read it again")
        self._require_read_only(request)
        self._require_api_host(request)
        retry = RetryState(self.deadline, spec.retry_budget)
        responses: list[tuple[RawResponse, Any]] = []  # with their results
        while True:
            # A slot may be free only in the next rate-limit window, so allow at least one window, however short the
            # deadline is.
            self.rate_limiter.acquire(in_flight, max_wait=max(self.deadline, INTERVAL))  # _send_once releases it
            in_flight.requests_sent += 1
            self.requests_sent += 1
            started = self._clock()
            outcome = self._send_once(request, retry.attempt_timeout)
            retry.record_attempt(self._clock() - started)
            result, error = self._parse(outcome, spec)
            if error is not None:
                _log.debug("%s %s: %s, attempt %d", spec.method, spec.path, type(error).__name__, retry.attempts)
                self._wait_to_retry(retry, error, outcome, in_flight)  # raises if there is no further attempt
                continue
            assert isinstance(outcome, RawResponse)
            responses.append((outcome, result))
            if outcome.is_known_complete:
                self._has_seen_known_complete = True
            elif len(responses) < self._wanted_responses(spec, result):
                continue
            else:
                outcome, result = max(responses, key=lambda response: len(response[0].body))
            in_flight.result = result
            spec.retry_budget.deposit()  # a success earns back part of the retry budget
            return _cacheable(request, outcome)

    def _wanted_responses(self, spec: RequestSpec, result: Any) -> int:
        """How many responses to compare, if they have no length."""
        if self._has_seen_known_complete:
            return MAX_COMPARED
        return 2 if spec.may_be_truncated(result) else 1

    def _send_once(self, request: requests.PreparedRequest, seconds: float) -> RawResponse | Failure:
        adapter = self.get_adapter(request.url or "")
        assert isinstance(adapter, Adapter)
        headers = None
        try:
            outcome = send_once(adapter, request, self._token, seconds)
            headers = outcome.headers if isinstance(outcome, RawResponse) else None
            return outcome
        finally:
            self.rate_limiter.release(headers)  # which report the quota that is left

    def _parse(self, outcome: RawResponse | Failure, spec: RequestSpec) -> tuple[Any, HlkitError | None]:
        """The result and no error, or no result and the error. The error never quotes the token."""
        result = None
        error = error_for(outcome, spec.resource, spec.scope, urlsplit(self.base_url).netloc)
        if error is None:
            assert isinstance(outcome, RawResponse)
            try:
                result = spec.parse(outcome.body)
            except (UnexpectedResponse, WrongLocation) as parse_error:
                parse_error.status = outcome.status
                error = parse_error
        if error is not None:
            error.message = self._token.redact_text(error.message)
        return result, error

    def _wait_to_retry(
        self, retry: RetryState, error: HlkitError, outcome: RawResponse | Failure, progress: Progress
    ) -> None:
        """Wait for the next attempt. If there is none, raises *error* or an earlier error of this request."""
        is_rate_limited = isinstance(error, RateLimited)
        quota_error = self.rate_limiter.daily_quota_error() if is_rate_limited else None
        if quota_error is not None:
            quota_error.status, quota_error.trace_id = error.status, error.trace_id
            quota_error.resource = error.resource
            raise quota_error
        # Retry-After may be a date, so it needs the time of day.
        seconds = retry.next_delay(error, retry_after(outcome, time.time()), self.rate_limiter.interval)
        if is_rate_limited:
            self.rate_limiter.back_off(seconds)
        if seconds > 1:
            progress.on_wait(seconds, "to try again")
        progress.wait(seconds)

    def _require_read_only(self, request: requests.PreparedRequest) -> None:
        path = urlsplit(request.url or "").path.removeprefix(urlsplit(self.base_url).path)
        is_read_only_post = request.method == "POST" and any(
            re.fullmatch(pattern, path) for pattern in self._read_only_post_paths
        )
        if request.method != "GET" and not is_read_only_post:
            raise NotReadOnly(
                f"hlkit only reads, and {request.method} {path} may write; nothing was sent",
                hint="make changes in the HighLevel web app",
            )

    def _require_api_host(self, request: requests.PreparedRequest) -> None:
        if not same_host(request.url or "", self.base_url):
            raise InvalidRequest(
                f"the token goes to {urlsplit(self.base_url).netloc} and to no other host; nothing was sent",
                hint="give a path that begins with /",
            )


class Session(CacheMixin, _RateLimitedSession):
    """A session with a cache. ``fetch`` is its only way to read.

    requests-cache's ``CacheMixin.send`` returns a cached response, or calls ``_RateLimitedSession.send`` and caches
    what that returns.
    """

    cache: Cache

    def __init__(self, base_url: str, token: Token, cache: Cache, **options: Any) -> None:
        super().__init__(  # CacheMixin passes on what it does not use: base_url, token and **options
            backend=cache,
            key_fn=self._key_for_requests_cache,
            allowable_methods=("GET", "POST"),
            allowable_codes=tuple(range(200, 300)),
            expire_after=-1,  # never: download.py decides which pages are fresh
            base_url=base_url,
            token=token,
            **options,
        )
        self.pages_from_cache = 0  # downloads count them here
        self._reset_in_flight()
        # After a fork, the threads that run the requests do not exist in the child process.
        fork.register(self, in_child=Session._reset_in_flight)

    def _reset_in_flight(self) -> None:
        self._in_flight_lock = threading.Lock()
        self._in_flight_by_key: dict[str, InFlightRequest] = {}

    def __repr__(self) -> str:
        return f"<Session with {urlsplit(self.base_url).netloc}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session holds a token and cannot be pickled or copied; connect to the location again")

    def request(self, method: Any, url: Any, *_: Any, **__: Any) -> NoReturn:
        """Refuse: ``get``, ``post`` and the other methods of ``requests`` would bypass the checks of ``fetch``."""
        raise _not_from_fetch()

    def fetch(self, spec: RequestSpec) -> Any:
        """What ``spec.parse`` returns for the response, from the cache or the server. Raises ``HlkitError``."""
        request, key = self._prepare(spec), self._cache_key(spec)
        while True:
            in_flight = self._join(key, request, spec)
            try:
                in_flight.wait_until_done(spec)
            finally:
                self._detach(in_flight, spec)
                if in_flight.spec is spec:
                    spec.requests_sent = in_flight.requests_sent  # after a cancel too
            spec.from_network = in_flight.requests_sent > 0
            if in_flight.spec is spec:  # this caller started it
                if in_flight.error is not None:
                    raise in_flight.error
                return in_flight.result
            if isinstance(in_flight.error, Canceled):  # its other callers gave up just as this one joined
                continue
            if in_flight.error is not None:
                raise copy.copy(in_flight.error)  # several threads raise it, each with a traceback of its own
            try:
                return spec.parse(in_flight.body)
            except (UnexpectedResponse, WrongLocation):
                continue  # it was for another resource, which parses it differently: start a request for this one

    def query_id(self, method: str, path: str, version: str, parameters: object) -> str:
        """A hash of a query, in hex: equal for the same method, path, parameters and version under one token."""
        return self._token.digest("query", method, path, version, canonical_json(parameters))

    def forget(self, spec: RequestSpec) -> None:
        """Delete the response from the cache."""
        self.cache.delete_page(self._cache_key(spec))

    def _cache_key(self, spec: RequestSpec) -> str:
        parameters = {"query": spec.params, "body": spec.body, "occurrence": spec.occurrence}
        return spec.key_prefix + self.query_id(spec.method, spec.path, spec.version, parameters)

    def _prepare(self, spec: RequestSpec) -> requests.PreparedRequest:
        is_plain_path = re.match(r"/(?!/)", spec.path) and ".." not in spec.path
        if not is_plain_path or any(character in spec.path for character in "?#\\\r\n"):
            raise InvalidRequest(
                "a path begins with one / and contains no .., ? or #",
                hint='give parameters by name: loc.get("/forms/", limit=10)',
            )
        request = requests.Request(
            spec.method,
            self.base_url + spec.path,
            params={name: _query_value(value) for name, value in spec.params.items() if value is not None},
            data=None if spec.body is None else canonical_json(spec.body),
            headers={
                "Version": spec.version,
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": _user_agent(),
                **({"Content-Type": "application/json"} if spec.body is not None else {}),
            },
        )
        try:
            return request.prepare()
        except (ValueError, TypeError):
            pass  # raise below, without this context: it would quote the parameters, such as a person's email
        raise InvalidRequest("the parameters cannot be written into a URL", hint="give plain text and numbers")

    # ---- requests in flight

    def _join(self, key: str, request: requests.PreparedRequest, spec: RequestSpec) -> InFlightRequest:
        """The request in flight for this key, with *spec* among its waiters. Starts one if there is none."""
        with self._in_flight_lock:
            in_flight = self._in_flight_by_key.get(key)
            # A cache-only caller must not start or wait for a request over the network, and a caller that may send
            # must not receive the NotCached error of a cache-only one.
            if in_flight is None or in_flight.is_canceled or in_flight.spec.cache_only != spec.cache_only:
                in_flight = InFlightRequest(key, request, spec)
                self._in_flight_by_key[key] = in_flight
                threading.Thread(target=self._run, args=(in_flight,), name="hlkit-request", daemon=True).start()
            else:
                in_flight.waiters |= {spec}
            return in_flight

    def _detach(self, in_flight: InFlightRequest, spec: RequestSpec) -> None:
        """Remove *spec* from the waiters. If none is left and the request is not done, cancel further attempts."""
        with self._in_flight_lock:
            in_flight.waiters -= {spec}
            if not in_flight.waiters:
                in_flight.cancel()

    def _run(self, in_flight: InFlightRequest) -> None:
        """Run in the thread of a request in flight. Always sets ``done`` at the end, even after an error."""
        try:
            self._load(in_flight)
        except BaseException as error:
            in_flight.error = _without_frames(error)
        finally:
            with self._in_flight_lock:
                if self._in_flight_by_key.get(in_flight.key) is in_flight:  # _join may have replaced it
                    del self._in_flight_by_key[in_flight.key]
            in_flight.done.set()

    def _load(self, in_flight: InFlightRequest) -> None:
        """Set ``body`` and ``result``, from the cache or the server."""
        spec = in_flight.spec
        try:
            in_flight.body = self.send(in_flight.request, in_flight=in_flight).content
            if not in_flight.requests_sent:  # else _RateLimitedSession.send has already parsed the response
                in_flight.result = spec.parse(in_flight.body)
        except (CacheLocked, UnexpectedResponse, WrongLocation) as error:
            # Nothing was sent yet if another program has locked the cache, or if the response was cached for another
            # resource, which parses it differently: go on without the cache. (A locked write does not raise.)
            if in_flight.requests_sent or (spec.cache_only and isinstance(error, CacheLocked)):
                raise
            in_flight.body = self.send(in_flight.request, in_flight=in_flight, force_refresh=True).content

    def _key_for_requests_cache(
        self, request: requests.PreparedRequest, in_flight: InFlightRequest | None = None, **_: Any
    ) -> str:
        """The cache key of a request. Raises ``NotReadOnly`` if it did not come from ``fetch``."""
        if in_flight is None:
            raise _not_from_fetch()
        return in_flight.key


def _not_from_fetch() -> NotReadOnly:
    return NotReadOnly(
        "a session sends only the requests of fetch(); nothing was sent", hint="use loc.get(path) to read"
    )


def _without_frames(error: BaseException) -> BaseException:
    """The error without traceback and cause: the frames hold the token, and error reporters show their variables."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _cacheable(request: requests.PreparedRequest, raw: RawResponse) -> requests.Response:
    """The response as requests-cache stores it: a status and a body, but no headers or cookies."""
    response = requests.Response()
    response.status_code = raw.status
    response._content = raw.body
    response.request, response.url = request, ""  # CacheMixin needs them; Cache stores the body only
    return response


def _query_value(value: Any) -> Any:
    """A query parameter as the API expects it: ``true``, not ``True``."""
    return ("true" if value else "false") if isinstance(value, bool) else value


@functools.cache
def _user_agent() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"hlkit/{version('hlkit')}"
    except PackageNotFoundError:  # run from the source tree, not installed
        return "hlkit/0"
