"""The simulated location: data behind a server, with tokens, limits, faults and edits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from time import monotonic
from typing import Any, Literal

from hlkit.sim import ids
from hlkit.sim.data import TABLES, Data
from hlkit.sim.edits import Edits, Truth
from hlkit.sim.endpoints import answer
from hlkit.sim.exchange import SMALLEST_GZIP, Logged, Reply
from hlkit.sim.fault import Match
from hlkit.sim.faults import FAULTS, MISHAPS, Injection, Moment
from hlkit.sim.limits import Budget
from hlkit.sim.refusal import Refusal
from hlkit.sim.route import ENCODER, Asked, Given
from hlkit.sim.server import Server
from hlkit.sim.tokens import TOKEN, Tokens

Callback = Callable[[Logged], None]


class Simulation:
    """A location that answers on loopback as HighLevel does; ``with Simulation(seed=1) as sim: sim.url``.

    The same seed, size and ``as_of`` give the same location. ``burst`` is (requests, milliseconds);
    a trial's limits are ``burst=(25, 10_000), daily=10_000``. ``latency`` is in seconds.
    """

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
        self.data = Data(seed, size, as_of)
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
        self._injections: list[Injection] = []
        self._edits: list[Edits] = []
        self._pages: dict[str, Given] = {}
        self.truth = Truth(self.data)
        self._tokens = Tokens()
        self.add_token(self.token)

    # Life

    def start(self) -> Simulation:
        """Begin to answer; ``url`` is known from here on."""
        if self._server is None:
            self._server = Server(self._address, self.reply, lambda logged: self._tell("answered", logged))
        return self

    def close(self) -> None:
        """Stop, at once."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def __enter__(self) -> Simulation:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def as_of(self) -> datetime:
        """The instant at which its data ends, in the location's zone."""
        return datetime.fromtimestamp(self.data.clock.as_of / 1000, self.data.clock.zone)

    @property
    def url(self) -> str:
        """Where it answers."""
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
        """Know a token with these scopes (None for all); gives it back."""
        with self._lock:
            self._tokens.add(token, location_id or self.location_id, scopes, kind)
        return token

    def revoke(self, token: str) -> None:
        """Forget a token."""
        with self._lock:
            self._tokens.revoke(token)

    def withdraw(self, token: str, scope: str) -> None:
        """Take a scope from a token."""
        with self._lock:
            self._tokens.withdraw(token, scope)

    # Watching

    def when(self, n: int, callback: Callback, moment: Literal["arrives", "answered"] = "arrives") -> None:
        """Call back when the *n*-th request arrives, or right after its answer was written."""
        self._callbacks.append((n, moment, callback))

    def _tell(self, moment: str, logged: Logged) -> None:
        for number, when, callback in list(self._callbacks):
            if number == logged.number and when == moment:
                callback(logged)

    def mark(self) -> None:
        """Begin a new period of ``truth``: what there is now counts as undisturbed until it changes."""
        with self._lock:
            self.truth.mark()

    # Faults

    def fault(
        self,
        name: str,
        match: Match = None,
        times: int | None = None,
        every: int | None = None,
        after: int = 0,
        rate: float | None = None,
        seed: int = 0,
        *,
        variant: str | None = None,
        burst: int | tuple[int, int] = 1,
        **options: Any,
    ) -> None:
        """Inject a fault of ``hlkit.sim.faults.FAULTS``; several may be active, and strike together.

        Parameters
        ----------
        name
            Which fault; *variant* which form of it (by default a seeded choice each time).
        match
            Which requests: those whose path begins so, or for which ``match(logged)`` is true.
        times, every, after, rate, seed, burst
            At most so many strokes; each n-th matching request; not the first n; a share of the
            requests, drawn with the seed; how many requests a stroke lasts.
        options
            What the fault itself knows, such as ``rows=`` or ``to=``.
        """
        plant = FAULTS[name].plant if name in FAULTS else None
        if plant is not None:
            with self._lock:
                plant(self, seed, options)
        elif name in FAULTS and not FAULTS[name].acts:
            raise ValueError(f"{name} is no fault of a server: {FAULTS[name].doc}")
        else:
            self._inject(Injection((name,), match, variant, times, every, after, rate, seed, burst, options))

    def mishaps(self, rate: float = 0.05, seed: int = 0, names: Sequence[str] = MISHAPS, match: Match = None) -> None:
        """Break a share of all answers in the ways networks do: cuts, resets, crawling, 5xx, false successes."""
        self._inject(Injection(tuple(names), match, rate=rate, seed=seed))

    def clear_faults(self) -> None:
        """No more faults and edits; what they have changed stays."""
        with self._lock:
            self._injections.clear()
            self._edits.clear()

    def edits(self, rate: float = 2.0, seed: int = 0, resources: Iterable[str] = TABLES) -> Edits:
        """After each page of these resources, add, change and remove rows: *rate* changes on average.

        The object given back can also make a single change: ``edits.change("contacts", "delete")``.
        """
        edits = Edits(self.data, self.truth, rate, seed, resources)
        with self._lock:
            self._edits.append(edits)
        return edits

    def _inject(self, injection: Injection) -> None:
        with self._lock:
            self._injections.append(injection)

    # Answering

    def reply(self, logged: Logged) -> Reply:
        """The answer to a request, whichever server it came to."""
        with self._lock:
            self.log.append(logged)
            logged.number = len(self.log)
        self._tell("arrives", logged)
        if self.latency and self._server:
            self._server.stopping.wait(self.latency)
        reply = self._made(logged)
        logged.status = reply.status
        return reply

    def _made(self, logged: Logged) -> Reply:
        with self._lock:
            budget = self._budget(logged)
            if not budget.take():
                reply = self._refused(Refusal(429, "Too Many Requests"), logged)
                self._dress(reply, logged, budget)
                self._compress(reply, logged)
                return reply
            moments = [
                injection.moment(self, logged, budget, self._pages.get(logged.path))
                for injection in self._injections
                if injection.strikes(logged)
            ]
            return self._struck(logged, budget, moments)

    def _struck(self, logged: Logged, budget: Budget, moments: list[Moment]) -> Reply:
        """The answer, and what each fault makes of it, phase by phase."""
        given, reply = None, None
        for moment in moments:
            if moment.act("instead") and moment.reply is not None:
                reply = moment.reply
                break
        if reply is None:
            given, reply = self._answered(logged, moments)
        self._dress(reply, logged, budget)
        for moment in moments:
            moment.reply = reply
            moment.act("reply")
        plain = reply.body
        self._compress(reply, logged)
        for moment in moments:
            moment.plain = plain
            moment.act("wire")
            moment.injection.struck -= not moment.acted
        logged.fault = "+".join(dict.fromkeys(moment.name for moment in moments if moment.acted)) or None
        if given is not None and logged.rows:
            for edits in self._edits:
                edits.after_page(given.resource)
        return reply

    def _answered(self, logged: Logged, moments: list[Moment]) -> tuple[Given | None, Reply]:
        asked = Asked(logged.method, logged.path, logged.query, logged.headers, logged.body)
        try:
            honest = answer(self.data, self._tokens, asked)
        except Refusal as refusal:
            return None, self._refused(refusal, logged)
        given = honest.copy()
        for moment in moments:
            moment.given = given
            moment.act("payload")
            given = moment.given
        self._pages[logged.path] = honest
        logged.rows = len(given.rows)
        return honest, Reply.of_json(given.status, given.text(traceId=self._trace(logged)))

    def _refused(self, refusal: Refusal, logged: Logged) -> Reply:
        payload = {"statusCode": refusal.status, "message": refusal.message, "error": refusal.error}
        return Reply.of_json(refusal.status, ENCODER.encode(payload | {"traceId": self._trace(logged)}))

    def _trace(self, logged: Logged) -> str:
        return ids.uuid(self.data.seed, "traces", logged.number)

    def _budget(self, logged: Logged) -> Budget:
        """Limits are a location's, whichever of its tokens asks."""
        try:
            location = self._tokens.reads(logged.headers).location_id
        except Refusal:
            location = ""
        if location not in self._budgets:
            burst, daily, window = self._limits
            self._budgets[location] = Budget(burst, daily, window, monotonic)
        return self._budgets[location]

    def _dress(self, reply: Reply, logged: Logged, budget: Budget) -> None:
        """Headers as the proxy in front sets them, and gzip for those who take it."""
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
