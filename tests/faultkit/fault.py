"""A fault, when it strikes, and what it can see and change.

A fault acts in one or more phases of a response: *instead* of it, on its *payload*, on its *reply* (headers
and uncompressed body), or on the *wire*. An act returns whether it did anything.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from hlkit.sim import Simulation, ids
from hlkit.sim.exchange import Logged, Reply
from hlkit.sim.limits import Budget
from hlkit.sim.route import Answer

Area = Literal["network", "http", "paging", "quota", "auth", "data", "client"]
Phase = Literal["instead", "payload", "reply", "wire"]
Match = str | Callable[[Logged], bool] | None
Act = Callable[["Moment"], bool]

FAULTS: dict[str, Fault] = {}  # name to fault, in the order of registration


@dataclass(frozen=True)
class Fault:
    """A named way to fail; *area* "client" is a condition that no server can make, "data" one of the rows."""

    number: int
    name: str
    area: Area
    doc: str
    variants: tuple[str, ...] = ()
    acts: dict[Phase, Act] = field(default_factory=dict, compare=False)


@dataclass
class Moment:
    """What a fault can see and change of the request that it strikes."""

    sim: Simulation
    logged: Logged
    budget: Budget
    name: str
    variant: str
    options: dict[str, Any]
    state: dict[str, Any]
    injection: Injection
    previous: Answer | None = None
    answer: Answer | None = None
    reply: Reply | None = None
    acted: bool = False
    plain: bytes = b""  # the body before it was compressed

    def act(self, phase: Phase) -> bool:
        """Do what the fault does in this phase."""
        act = FAULTS[self.name].acts.get(phase)
        done = act is not None and act(self)
        self.acted = self.acted or done
        return done

    def built_reply(self) -> Reply:
        """The reply, which exists from the reply phase on."""
        assert self.reply is not None
        return self.reply


@dataclass
class Injection:
    """A fault and its schedule: at most *times* strokes, *every* n-th matching request, none of the first
    *after*, a share *rate* drawn with *seed*; each stroke lasts for *burst* requests."""

    names: tuple[str, ...]
    match: Match = None
    variant: str | None = None
    times: int | None = None
    every: int | None = None
    after: int = 0
    rate: float | None = None
    seed: int = 0
    burst: int | tuple[int, int] = 1
    options: dict[str, Any] = field(default_factory=dict)
    struck: int = 0
    _seen: int = 0
    _left: int = 0
    _states: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rng = ids.generator(self.seed, "/".join(self.names))
        for name in self.names:
            if name not in FAULTS:
                raise ValueError(f"no such fault: {name}; there are {', '.join(sorted(FAULTS))}")
            if self.variant is not None and self.variant not in FAULTS[name].variants:
                raise ValueError(f"{name} comes as {', '.join(FAULTS[name].variants)}, not as {self.variant}")

    def strikes(self, logged: Logged) -> bool:
        """Whether the fault strikes this request; to be called once per request."""
        if not self._matches(logged):
            return False
        self._seen += 1
        if self.times is not None and self.struck >= self.times:
            return False
        if self._left > 0:
            self._left -= 1
            self.struck += 1
            return True
        turn = self._seen - self.after
        if turn <= 0 or (self.every is not None and turn % self.every):
            return False
        if self.rate is not None and self._rng.random() >= self.rate:
            return False
        low, high = self.burst if isinstance(self.burst, tuple) else (self.burst, self.burst)
        self._left = int(self._rng.integers(low, high + 1)) - 1
        self.struck += 1
        return True

    def _matches(self, logged: Logged) -> bool:
        if self.match is None or isinstance(self.match, str):
            return logged.path.startswith(self.match or "")
        return self.match(logged)

    def moment(self, sim: Simulation, logged: Logged, budget: Budget, previous: Answer | None) -> Moment:
        """The moment of a stroke; its variant is the requested one, or a seeded choice."""
        name = self.names[self._rng.integers(len(self.names))]
        variants = FAULTS[name].variants
        variant = self.variant or (variants[self._rng.integers(len(variants))] if variants else "")
        state = self._states.setdefault(name, {})
        return Moment(sim, logged, budget, name, variant, self.options, state, self, previous)


def fault(
    number: int, name: str, area: Area, doc: str, variants: tuple[str, ...] = (), phase: Phase | None = None
) -> Callable[[Act], Act]:
    """Register a fault whose decorated act belongs to *phase*."""
    registered = FAULTS.setdefault(name, Fault(number, name, area, doc, variants))

    def register(act: Act) -> Act:
        if phase is not None:
            registered.acts[phase] = act
        return act

    return register


def also(name: str, phase: Phase) -> Callable[[Act], Act]:
    """Register a second phase of a fault."""

    def register(act: Act) -> Act:
        FAULTS[name].acts[phase] = act
        return act

    return register


def copy_of(answer: Answer) -> Answer:
    """The same answer, to be changed without changing this one."""
    return replace(answer, envelope=copy.deepcopy(answer.envelope), rows=list(answer.rows))


def rows_of(answer: Answer) -> list[Any]:
    """The rows of an answer as new objects, to be changed."""
    assert answer.rows_key is not None
    rows: list[Any] = json.loads(answer.text())[answer.rows_key]
    return rows
