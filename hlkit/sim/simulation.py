"""The simulated location: seeded data behind a server, with tokens, rate limits and latency."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import date, datetime
from time import monotonic
from typing import Literal, Self

from hlkit.sim import ids
from hlkit.sim.data import Data
from hlkit.sim.endpoints import handle
from hlkit.sim.exchange import SMALLEST_GZIP, Logged, Reply
from hlkit.sim.limits import Budget
from hlkit.sim.refusal import Refusal
from hlkit.sim.route import Answer, Request
from hlkit.sim.server import Server
from hlkit.sim.table import ENCODER
from hlkit.sim.tokens import TOKEN, Tokens

Callback = Callable[[Logged], None]


class Simulation:
    """A location that answers on loopback as HighLevel does; ``with Simulation(seed=1) as sim: sim.url``.

    The same seed, size and ``as_of`` make the same location. ``burst`` is (requests, milliseconds);
    the limits of a HighLevel trial are ``burst=(25, 10_000), daily=10_000``. ``latency`` is in seconds.
    """

    data_class: type[Data] = Data

    def __init__(
        self,
        seed: int = 0,
        size: int = 5000,
        as_of: str | float | date | datetime | None = None,
        *,
        burst: tuple[int, int] = (100, 10_000),
        daily: int = 200_000,
        window: Literal["fixed", "sliding"] = "fixed",
        latency: float = 0.0,
        port: int = 0,
        host: str = "127.0.0.1",
    ) -> None:
        self.data = self.data_class(seed, size, as_of)
        self.location_id = self.data.account.location_id
        self.token = TOKEN
        self.latency = latency
        self.log: list[Logged] = []
        self._limits = (burst, daily, window)
        self._address = (host, port)
        self._lock = threading.RLock()
        self._server: Server | None = None
        self._callbacks: list[tuple[int, str, Callback]] = []
        self._budgets: dict[str, Budget] = {}
        self._tokens = Tokens()
        self.add_token(self.token)

    # Start and stop

    def start(self) -> Self:
        """Start the server; sets ``url``."""
        if self._server is None:
            self._server = Server(self._address, self.reply, lambda logged: self._call_back("answered", logged))
        return self

    def close(self) -> None:
        """Stop, at once."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def as_of(self) -> datetime:
        """The instant at which its data ends, in the location's time zone."""
        return datetime.fromtimestamp(self.data.clock.as_of / 1000, self.data.clock.zone)

    @property
    def url(self) -> str:
        """The base URL of the server."""
        if self._server is None:
            raise RuntimeError("the simulation has not been started")
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    # Tokens

    def add_token(
        self,
        token: str,
        scopes: Iterable[str] | None = None,
        kind: Literal["location", "agency", "company"] = "location",
        location_id: str | None = None,
    ) -> str:
        """Accept a token with these scopes (None for all), and return it."""
        with self._lock:
            self._tokens.add(token, location_id or self.location_id, scopes, kind)
        return token

    def revoke(self, token: str) -> None:
        """Reject a token from now on."""
        with self._lock:
            self._tokens.revoke(token)

    def withdraw(self, token: str, scope: str) -> None:
        """Remove a scope from a token."""
        with self._lock:
            self._tokens.withdraw(token, scope)

    # Callbacks

    def when(self, n: int, callback: Callback, moment: Literal["arrives", "answered"] = "arrives") -> None:
        """Call back when the *n*-th request arrives, or right after its response was sent."""
        self._callbacks.append((n, moment, callback))

    def _call_back(self, moment: str, logged: Logged) -> None:
        for number, when, callback in list(self._callbacks):
            if number == logged.number and when == moment:
                callback(logged)

    # Responses

    def reply(self, logged: Logged) -> Reply:
        """The response to a request, which is logged."""
        with self._lock:
            self.log.append(logged)
            logged.number = len(self.log)
        self._call_back("arrives", logged)
        if self.latency and self._server:
            self._server.stopping.wait(self.latency)
        with self._lock:
            reply = self._reply(logged)
        logged.status = reply.status
        return reply

    def _reply(self, logged: Logged) -> Reply:
        budget = self._budget(logged)
        if budget.take():
            return self._respond(logged, budget)
        return self._finished(self._refused(Refusal(429, "Too Many Requests"), logged), logged, budget)

    def _respond(self, logged: Logged, budget: Budget) -> Reply:
        """The response to a request within the limits; a subclass may send another one."""
        try:
            reply = self._written(self._answer(logged), logged)
        except Refusal as refusal:
            reply = self._refused(refusal, logged)
        return self._finished(reply, logged, budget)

    def _answer(self, logged: Logged) -> Answer:
        request = Request(logged.method, logged.path, logged.query, logged.headers, logged.body)
        return handle(self.data, self._tokens, request)

    def _written(self, answer: Answer, logged: Logged) -> Reply:
        logged.rows = len(answer.rows)
        return Reply.of_json(answer.status, answer.text(traceId=self._trace(logged)))

    def _refused(self, refusal: Refusal, logged: Logged) -> Reply:
        payload = {"statusCode": refusal.status, "message": refusal.message, "error": refusal.error}
        return Reply.of_json(refusal.status, ENCODER.encode(payload | {"traceId": self._trace(logged)}))

    def _trace(self, logged: Logged) -> str:
        return ids.uuid(self.data.seed, "traces", logged.number)

    def _budget(self, logged: Logged) -> Budget:
        """Limits are per location: all of its tokens share them."""
        try:
            location = self._tokens.reads(logged.headers).location_id
        except Refusal:
            location = ""
        if location not in self._budgets:
            burst, daily, window = self._limits
            self._budgets[location] = Budget(burst, daily, window, monotonic)
        return self._budgets[location]

    def _finished(self, reply: Reply, logged: Logged, budget: Budget) -> Reply:
        """The reply with the headers that the proxy in front adds, compressed for clients that accept gzip."""
        self._add_headers(reply, logged, budget)
        self._compress(reply, logged)
        return reply

    def _add_headers(self, reply: Reply, logged: Logged, budget: Budget) -> None:
        ray = f"{logged.number:016x}"
        reply.headers |= {
            "server": "cloudflare",
            "cf-cache-status": "DYNAMIC",
            "cf-ray": f"{ray}-ORD",
            "set-cookie": f"__cf_bm={ray}; path=/; HttpOnly; Secure; SameSite=None",
            "etag": f'W/"{len(reply.body):x}-{ray}"',
            **budget.headers(),
        }

    def _compress(self, reply: Reply, logged: Logged) -> None:
        if "gzip" in logged.headers.get("accept-encoding", "") and len(reply.body) >= SMALLEST_GZIP:
            reply.compress()
