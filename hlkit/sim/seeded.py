"""The seeded contacts, deals and messages of one location; every other resource is derived from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import date, datetime
from functools import cached_property
from threading import RLock

from hlkit.sim.account import ZONE, Account
from hlkit.sim.clock import Array, Clock
from hlkit.sim.contacts import seeded_contacts
from hlkit.sim.messages import Messages, seeded_messages
from hlkit.sim.opportunities import Opportunities, seeded_opportunities
from hlkit.sim.table import Table


class SeededData(ABC):
    """What the modules of the resources need: the seed, the clock, the account, seeded columns, current tables."""

    def __init__(self, seed: int = 0, size: int = 5000, as_of: str | float | date | datetime | None = None) -> None:
        self.seed, self.size = seed, size
        self.clock = Clock(ZONE, as_of)
        self.account: Account = Account.seeded(seed, self.clock)
        self.contacts = seeded_contacts(size, seed, self.clock)
        self.lock = RLock()
        self._shared: dict[str, dict[str, Array]] = {}

    @cached_property
    def opportunities(self) -> Opportunities:
        """The seeded deals."""
        return seeded_opportunities(self.contacts, self.seed, self.clock)

    @cached_property
    def messages(self) -> Messages:
        """The seeded messages."""
        return seeded_messages(self.contacts, self.opportunities, self.seed, self.clock)

    @abstractmethod
    def table(self, name: str) -> Table:
        """The table of a resource as it is now."""

    def shared(self, name: str, make: Callable[[], dict[str, Array]]) -> dict[str, Array]:
        """Columns that several resources are made of; *make* runs once."""
        with self.lock:
            if name not in self._shared:
                self._shared[name] = make()
            return self._shared[name]
