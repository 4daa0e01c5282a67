"""The simulated location with faults, and with rows that change while a client reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from faultkit.edits import Edits, Truth, share_instant
from faultkit.fault import Injection, Match, Moment, copy_of
from faultkit.faults import FAULTS, MISHAPS
from faultkit.hostile import HostileData
from hlkit.sim import Simulation
from hlkit.sim.data import TABLES
from hlkit.sim.exchange import Logged, Reply
from hlkit.sim.limits import Budget
from hlkit.sim.refusal import Refusal
from hlkit.sim.route import Answer

SEARCHED = ("contacts", "opportunities", "messages")


class FaultySimulation(Simulation):
    """A simulated location whose responses and rows can be broken; ``truth`` knows which rows changed."""

    data_class = HostileData
    data: HostileData

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.truth = Truth(self.data)
        self._injections: list[Injection] = []
        self._edits: list[Edits] = []
        self._pages: dict[str, Answer] = {}

    def mark(self) -> None:
        """Begin a new period of ``truth``: the rows that exist now count as undisturbed until they change."""
        with self._lock:
            self.truth.mark()

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
        """Inject a fault of ``FAULTS``; several may be active, and strike together.

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
            Options of the fault itself, such as ``rows=`` or ``to=``.
        """
        registered = FAULTS.get(name)
        if registered is not None and registered.area == "data":
            with self._lock:
                self._change_rows(name, seed, options)
        elif registered is not None and not registered.acts:
            raise ValueError(f"{name} is no fault of a server: {registered.doc}")
        else:
            self._inject(Injection((name,), match, variant, times, every, after, rate, seed, burst, options))

    def mishaps(self, rate: float = 0.05, seed: int = 0, names: Sequence[str] = MISHAPS, match: Match = None) -> None:
        """Break a share of all responses as networks do: cuts, resets, slow bodies, 5xx, false successes."""
        self._inject(Injection(tuple(names), match, rate=rate, seed=seed))

    def clear_faults(self) -> None:
        """No more faults and edits; what they have changed stays."""
        with self._lock:
            self._injections.clear()
            self._edits.clear()

    def edits(self, rate: float = 2.0, seed: int = 0, resources: Iterable[str] = TABLES) -> Edits:
        """After each page of these resources, add, change and remove rows: *rate* changes on average.

        The returned object can also make a single change: ``edits.change("contacts", "delete")``.
        """
        edits = Edits(self.data, self.truth, rate, seed, resources)
        with self._lock:
            self._edits.append(edits)
        return edits

    def _change_rows(self, name: str, seed: int, options: dict[str, Any]) -> None:
        """The faults of the rows themselves, whatever is requested."""
        if name == "edits":
            self.edits(seed=seed, **options)
        elif name == "same_key":
            for resource in options.get("resources", SEARCHED):
                share_instant(self.data, resource, int(options.get("rows", 700)))
        else:
            self.data.add_texts(name)

    def _inject(self, injection: Injection) -> None:
        with self._lock:
            self._injections.append(injection)

    def _respond(self, logged: Logged, budget: Budget) -> Reply:
        """The response, and what each fault makes of it, phase by phase."""
        previous = self._pages.get(logged.path)
        striking = [injection for injection in self._injections if injection.strikes(logged)]
        moments = [injection.moment(self, logged, budget, previous) for injection in striking]
        answer, reply = None, None
        for moment in moments:
            if moment.act("instead") and moment.reply is not None:
                reply = moment.reply
                break
        if reply is None:
            answer, reply = self._changed(logged, moments)
        self._add_headers(reply, logged, budget)
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
        if answer is not None and logged.rows:
            for edits in self._edits:
                edits.after_page(answer.resource)
        return reply

    def _changed(self, logged: Logged, moments: list[Moment]) -> tuple[Answer | None, Reply]:
        """The true answer, and the reply with what the faults make of its payload."""
        try:
            original = self._answer(logged)
        except Refusal as refusal:
            return None, self._refused(refusal, logged)
        answer = copy_of(original)
        for moment in moments:
            moment.answer = answer
            moment.act("payload")
            answer = moment.answer
        self._pages[logged.path] = original
        return original, self._written(answer, logged)
