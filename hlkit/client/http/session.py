"""The session: a cache above pacing above retry, and read-only.

The order of the bases of ``Session`` is the policy: an answer that is kept never reaches the pacer, so it
spends no quota. Below, one request is sent until its answer is whole and *checked* (a check is part of the
request, so nothing that fails it is kept), or until attempts, ``deadline`` or the walk's retry budget end.

Every request flies in a thread of its own, so that Ctrl-C and Cancel are heard at once while a page that is
on its way still lands, and is kept. Whoever asks for an answer that is on its way already waits for the same
flight; it is called off when the last of them leaves.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
from hlkit.client.http import responses as answers
from hlkit.client.http.cache import Cache
from hlkit.client.http.progress import Progress
from hlkit.client.http.rate_limit import INTERVAL, RateLimiter
from hlkit.client.http.retry import Budget, RetryState
from hlkit.client.http.token import Token, same_host
from hlkit.client.http.transport import Adapter, Answer, Failure, attempt

ASKS = 3  # for an answer without an end, of a server that told the ends of others
GRACE = 0.5  # seconds that a stopped walk waits for the page that is on its way
_log = logging.getLogger("hlkit")


@dataclass(eq=False)
class Call:
    """One question to the server, and who asks it.

    ``check`` reads the body, and raises ``UnexpectedResponse`` or ``WrongLocation`` where it holds no answer.
    ``doubts`` says whether what it read may be the rest of a cut that nobody noticed: then it is asked again.
    ``sent`` counts the requests that the answer cost; ``arrived`` says whether it came over the network, for
    this call or for another that wanted the same.
    """

    method: str
    path: str
    version: str
    check: Callable[[bytes], Any]
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    resource: str = ""
    scope: str = ""
    key_prefix: str = ""
    progress: Progress = field(default_factory=Progress)
    budget: Budget = field(default_factory=Budget)
    doubts: Callable[[Any], bool] = lambda page: False
    visit: int = 1  # the same question asked a second time in one walk is another answer
    kept_only: bool = False  # ask no server
    sent: int = 0
    arrived: bool = False


class _PacedSession(requests.Session):
    """Sends a request, in its turn, until its answer is whole and checked."""

    def __init__(
        self,
        base_url: str,
        token: Token,
        *,
        deadline: float,
        searches: frozenset[str],
        clock: Callable[[], float] = time.monotonic,
        pacer: RateLimiter | None = None,
    ) -> None:
        super().__init__()
        self.mount("https://", Adapter())
        self.mount("http://", Adapter())
        self.base_url, self._token, self.deadline = base_url, token, deadline
        self._searches = searches
        self._clock = clock
        self.pacer = pacer or RateLimiter(clock=clock)
        self._tells_its_ends = False
        self.sent = self.saved = 0  # requests, and answers that were kept, since this session began

    def send(self, request: requests.PreparedRequest, **given: Any) -> requests.Response:
        flight: _Flight = given["flight"]
        call = flight.call
        if call.kept_only:
            raise NotCached("a kept page cannot be read any more", hint="read it again")
        self._only_reads(request)
        self._only_to_our_host(request)
        tries, unsure = RetryState(self.deadline, call.budget), list[Answer]()
        while True:
            self.pacer.take(flight.progress, max(self.deadline, INTERVAL))
            flight.sent += 1
            self.sent += 1
            began = self._clock()
            outcome = self._attempt(request, tries.seconds)
            tries.took(self._clock() - began)
            error = self._judge(outcome, flight)
            if error is None:
                assert isinstance(outcome, Answer)
                unsure.append(outcome)
                if not outcome.is_surely_whole and len(unsure) < self._asks(flight):
                    continue
                call.budget.give_back()
                return _response(request, self._best(unsure, flight))
            _log.debug("%s %s: %s, attempt %d", call.method, call.path, type(error).__name__, tries.made)
            self._wait(tries, error, outcome, flight.progress)

    def _asks(self, flight: _Flight) -> int:
        """How often to ask for an answer that may have been cut: a server that tells its ends is held to that."""
        return ASKS if self._tells_its_ends else 1 + flight.call.doubts(flight.page)

    def _best(self, told: list[Answer], flight: _Flight) -> Answer:
        """The answer that is surely whole, or the longest; it becomes the page."""
        last = told[-1]
        if last.is_surely_whole:
            self._tells_its_ends = True
            return last
        best = max(told, key=lambda answer: len(answer.body))
        if best is not last:
            flight.page = flight.call.check(best.body)
        return best

    def _attempt(self, request: requests.PreparedRequest, seconds: float) -> Answer | Failure:
        adapter = self.get_adapter(request.url or "")
        assert isinstance(adapter, Adapter)
        outcome: Answer | Failure | None = None
        try:
            outcome = attempt(adapter, request, self._token, seconds)
        finally:
            self.pacer.give_back(outcome.headers if isinstance(outcome, Answer) else None)
        return outcome

    def _judge(self, outcome: Answer | Failure, flight: _Flight) -> HlkitError | None:
        """The error that an outcome stands for; a success is checked, and the flight bears what the check read."""
        call = flight.call
        error = answers.trouble(outcome, call.resource, call.scope, urlsplit(self.base_url).netloc)
        if error is None:
            assert isinstance(outcome, Answer)
            try:
                flight.page = call.check(outcome.body)
            except (UnexpectedResponse, WrongLocation) as odd:
                odd.status = outcome.status
                error = odd
        if error is not None:
            error.message = self._token.redact_text(error.message)
        return error

    def _wait(self, tries: RetryState, error: HlkitError, outcome: Answer | Failure, progress: Progress) -> None:
        """Wait for the next attempt. Raises where there is none."""
        asked = answers.retry_after(outcome, time.time())
        is_limit = isinstance(error, RateLimited)
        over = self.pacer.day_exhausted() if is_limit else None
        if over is not None:
            over.status, over.trace_id, over.resource = error.status, error.trace_id, error.resource
            raise over
        seconds = tries.pause(error, asked, self.pacer.interval)
        if is_limit:
            self.pacer.hold(seconds)
        if seconds > 1:
            progress.on_wait(seconds, "to try again")
        progress.wait(seconds)

    def _only_reads(self, request: requests.PreparedRequest) -> None:
        path = urlsplit(request.url or "").path.removeprefix(urlsplit(self.base_url).path)
        is_search = request.method == "POST" and any(re.fullmatch(form, path) for form in self._searches)
        if request.method != "GET" and not is_search:
            raise NotReadOnly(
                f"hlkit reads, and {request.method} {path} may write; nothing was sent",
                hint="use HighLevel's own pages to change data",
            )

    def _only_to_our_host(self, request: requests.PreparedRequest) -> None:
        if not same_host(request.url or "", self.base_url):
            raise InvalidRequest(
                f"the token goes to {urlsplit(self.base_url).netloc} and to no other host; nothing was sent",
                hint="give a path that begins with /",
            )


class Session(CacheMixin, _PacedSession):
    """requests-cache above ``_PacedSession``: what is kept spends no quota."""

    cache: Cache

    def __init__(self, base_url: str, token: Token, cache: Cache, **given: Any) -> None:
        super().__init__(
            backend=cache,
            key_fn=self._key,
            allowable_methods=("GET", "POST"),
            allowable_codes=tuple(range(200, 300)),
            expire_after=-1,  # a page lives as long as its walk
            base_url=base_url,
            token=token,
            **given,
        )
        self.headers.clear()
        self.after_fork()
        fork.begins_anew(self)

    def after_fork(self) -> None:
        """No flight is on its way: those of the parent's threads land at the parent's."""
        self._board_lock = threading.Lock()
        self._flying: dict[str, _Flight] = {}

    def __repr__(self) -> str:
        return f"<Session with {urlsplit(self.base_url).netloc}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session is not pickled or copied, since it holds a token; connect to the location again")

    def request(self, method: Any, url: Any, *_: Any, **__: Any) -> NoReturn:
        """Refuses: whatever is sent goes through ``fetch``, which checks, paces and keeps it."""
        raise NotReadOnly(
            "a session sends only what a location reads; nothing was sent", hint="use loc.get(path) to read"
        )

    def fetch(self, call: Call) -> Any:
        """What the check reads in the answer to *call*, from the cache or the server. Raises ``HlkitError``."""
        request, key = self._prepare(call), self._name(call)
        while True:
            flight = self._board(key, request, call)
            try:
                _wait_for(flight, call)
            finally:
                self._leave(flight, call)
            call.arrived = flight.sent > 0
            if flight.call is call:
                return flight.result()
            if flight.error is None:
                with contextlib.suppress(UnexpectedResponse, WrongLocation):  # then we ask for ourselves
                    return call.check(flight.body)
            elif not isinstance(flight.error, Canceled):  # else the others left, just as we came
                raise copy.copy(flight.error)

    def question(self, method: str, path: str, version: str, parameters: object) -> str:
        """Names a question: equal for the same method, path, parameters and version under one token."""
        return self._token.digest("question", method, path, version, _canonical(parameters))

    def forget(self, call: Call) -> None:
        """The answer is not kept any more: the next who asks for it asks the server."""
        self.cache.delete_page(self._name(call))

    def _name(self, call: Call) -> str:
        asked = {"query": call.params, "body": call.body, "visit": call.visit}
        return call.key_prefix + self.question(call.method, call.path, call.version, asked)

    def land(self, flight: _Flight) -> None:
        """The flight is over: the next who asks looks into the cache."""
        with self._board_lock:
            if self._flying.get(flight.key) is flight:
                del self._flying[flight.key]

    def _board(self, key: str, request: requests.PreparedRequest, call: Call) -> _Flight:
        """The flight for this answer: the one that is on its way already, or a new one."""
        with self._board_lock:
            flight = self._flying.get(key)
            if flight is None or flight.progress.is_canceled or call.kept_only != flight.call.kept_only:
                flight = self._flying[key] = _Flight(self, key, request, call)
                flight.start()
            flight.aboard = {**flight.aboard, id(call): call.progress}
            return flight

    def _leave(self, flight: _Flight, call: Call) -> None:
        with self._board_lock:
            flight.aboard = {name: progress for name, progress in flight.aboard.items() if name != id(call)}
            if not flight.aboard:
                flight.progress.cancel()
        if flight.call is call:
            call.sent = flight.sent

    def _prepare(self, call: Call) -> requests.PreparedRequest:
        if not re.match(r"/(?!/)", call.path) or ".." in call.path or any(c in call.path for c in "?#\\\r\n"):
            raise InvalidRequest(
                "a path begins with / and holds no .., ? or #",
                hint='give parameters by name: loc.get("/forms/", limit=10)',
            )
        request = requests.Request(
            call.method,
            self.base_url + call.path,
            params={name: _spelled(value) for name, value in call.params.items() if value is not None},
            data=None if call.body is None else _canonical(call.body),
            headers={
                "Version": call.version,
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": _user_agent(),
                **({"Content-Type": "application/json"} if call.body is not None else {}),
            },
        )
        try:
            return request.prepare()
        except (ValueError, TypeError):
            pass
        raise InvalidRequest("the parameters cannot be written into an address", hint="give plain text and numbers")

    def _key(self, request: requests.PreparedRequest, flight: _Flight | None = None, **_: Any) -> str:
        """Hex over a keyed hash of the token, the question and the walk it belongs to."""
        if flight is None:
            self.request(request.method, request.url)
        return flight.key


class _Relay(Progress):
    """A flight's own progress: it passes on what it is told, and is stopped when nobody waits any more."""

    def __init__(self, flight: _Flight) -> None:
        super().__init__()
        self._flight = flight

    @property
    def is_canceled(self) -> bool:
        return super().is_canceled or all(progress.is_canceled for progress in self._flight.aboard.values())

    def on_wait(self, seconds: float, why: str) -> None:
        self._flight.call.progress.on_wait(seconds, why)


class _Flight(threading.Thread):
    """One answer on its way, through cache, pacer and retry. It lands also when nobody waits any more."""

    def __init__(self, session: Session, key: str, request: requests.PreparedRequest, call: Call) -> None:
        super().__init__(name="hlkit-flight", daemon=True)
        self._session, self._request = session, request
        self.key, self.call = key, call
        self.aboard = {id(call): call.progress}  # who waits; replaced as a whole, so that it can be read at any time
        self.progress = _Relay(self)
        self.landed = threading.Event()
        self.sent = 0
        self.page: Any = None
        self.error: BaseException | None = None
        self.body = b""

    def run(self) -> None:
        try:
            self._fly(anew=False)
        except BaseException as error:
            self.error = _clean(error)
        finally:
            self._session.land(self)
            self.landed.set()

    def _fly(self, anew: bool) -> None:
        try:
            response = self._session.send(self._request, flight=self, force_refresh=anew)
        except CacheLocked:
            if anew or self.call.kept_only:
                raise
            response = self._session.send(self._request, flight=self, force_refresh=True)
        self.body = response.content
        if not self.sent:  # it was kept, maybe for a question that takes it otherwise
            try:
                self.page = self.call.check(self.body)
            except (UnexpectedResponse, WrongLocation):
                self._fly(anew=True)

    def result(self) -> Any:
        """What the call that took off reads in the answer; another reads ``body`` for itself."""
        if self.error is not None:
            raise self.error
        return self.page


def _wait_for(flight: _Flight, call: Call) -> None:
    """Wait until the answer is there. Raises ``Canceled`` or ``KeyboardInterrupt`` within ``GRACE`` seconds."""
    try:
        while not flight.landed.wait(0.05):
            call.progress.raise_if_canceled()
    except (KeyboardInterrupt, Canceled):
        if set(flight.aboard) <= {id(call)}:
            flight.progress.cancel()  # no further attempt; a page that is on its way still lands
            flight.landed.wait(GRACE)
        raise


def _clean(error: BaseException) -> BaseException:
    """The error without the frames and the context of the thread it was made in: they saw the request."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _response(request: requests.PreparedRequest, answer: Answer) -> requests.Response:
    """The answer as requests-cache takes it: a status and a body; no cookie, no Vary, no other header."""
    response = requests.Response()
    response.status_code = answer.status
    response._content = answer.body
    response.request, response.url = request, ""
    return response


def _spelled(value: Any) -> Any:
    """A query's value as the API spells it: ``true``, not ``True``."""
    return ("true" if value else "false") if isinstance(value, bool) else value


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)


@functools.cache
def _user_agent() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"hlkit/{version('hlkit')}"
    except PackageNotFoundError:  # a source tree that is not installed
        return "hlkit/0"
