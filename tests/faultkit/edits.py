"""Rows that are added, changed and deleted while a client reads, and a record of these changes.

Each change is a second later than the one before, and the first is a second after ``as_of``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from hlkit.sim import ids
from hlkit.sim.calendars import CANCELLED
from hlkit.sim.data import KINDS, TABLES, Data
from hlkit.sim.money import PAID
from hlkit.sim.table import Table

Update = Callable[[Table, int, int], None]  # changes a row: table, row, now


def _flip(column: str) -> Update:
    """Flip the last bit of a column."""

    def update(table: Table, row: int, now: int) -> None:
        table.set(row, **{column: int(table.columns[column][row]) ^ 1})

    return update


def _nothing(table: Table, row: int, now: int) -> None:
    """Only ``updated`` changes."""


def _raise_value(table: Table, row: int, now: int) -> None:
    table.set(row, value=float(table.columns["value"][row]) + 10)


def _receive_message(table: Table, row: int, now: int) -> None:
    """A message comes in and the conversation is the newest of all; every third is only starred or unstarred."""
    if row % 3:
        table.set(row, last=now, inbound=True, unread=int(table.columns["unread"][row]) + 1)
    else:
        table.set(row, starred=not table.columns["starred"][row])


def _cancel_appointment(table: Table, row: int, now: int) -> None:
    table.set(row, status=CANCELLED)


def _refund(table: Table, row: int, now: int) -> None:
    table.set(row, refunded=float(table.columns["amount"][row]))


def _end(table: Table, row: int, now: int) -> None:
    table.set(row, ended=now)


def _pay(table: Table, row: int, now: int) -> None:
    table.set(row, state=PAID)


UPDATES: dict[str, Update] = {
    "contacts": _flip("tags"),
    "opportunities": _raise_value,
    "messages": _nothing,
    "conversations": _receive_message,
    "appointments": _cancel_appointment,
    "tasks": _flip("completed"),
    "notes": _flip("draw"),
    "forms": _flip("named"),
    "form_submissions": _flip("draw"),
    "surveys": _flip("named"),
    "survey_submissions": _flip("draw"),
    "transactions": _refund,
    "subscriptions": _end,
    "orders": _pay,
    "invoices": _pay,
    "products": _flip("stored"),
    "businesses": _flip("draw"),
}


def share_instant(data: Data, name: str, count: int) -> None:
    """Give *count* rows in the middle of a table's history the same instant of creation and of change."""
    with data.lock:
        table = data.table(name)
        order = table.order(((table.numeric_default, False),))
        rows = order[max(0, (len(order) - count) // 2) :][:count]
        if len(rows):
            created = table.numeric[""]
            table.set(rows, **{created: table.columns[created][rows[0]]})
            table.set(rows, updated=table.columns["updated"][rows].max())


@dataclass
class Truth:
    """Which rows of a resource existed and did not change since a period began, and which did change."""

    data: Data
    _start: dict[str, set[str]] = field(default_factory=dict)
    _touched: dict[str, set[str]] = field(default_factory=dict)
    _born: dict[str, set[str]] = field(default_factory=dict)
    _gone: dict[str, set[str]] = field(default_factory=dict)

    def mark(self) -> None:
        """Begin a new period."""
        for record in (self._start, self._touched, self._born, self._gone):
            record.clear()

    def begin(self, resource: str) -> None:
        """Record which rows exist, before the first change of a period."""
        if resource not in self._start:
            self._start[resource] = set(self.data.ids(resource))

    def note(self, resource: str, change: str, identifier: str) -> None:
        """Record a change: touched, born or gone."""
        record = {"touched": self._touched, "born": self._born, "gone": self._gone}[change]
        record.setdefault(resource, set()).add(identifier)

    def undisturbed(self, resource: str) -> set[str]:
        """Ids of the rows that existed all the time and did not change."""
        start = self._start.get(resource)
        start = set(self.data.ids(resource)) if start is None else start
        start = start - self.touched(resource) - self.gone(resource)
        return start & set(self.data.ids(resource)) if self._of_contact(resource) else start

    def _of_contact(self, resource: str) -> bool:
        return resource in KINDS and KINDS[resource].of_contact

    def touched(self, resource: str) -> set[str]:
        """Ids of rows that changed."""
        return set(self._touched.get(resource, ()))

    def born(self, resource: str) -> set[str]:
        """Ids of rows that were added."""
        return set(self._born.get(resource, ()))

    def gone(self, resource: str) -> set[str]:
        """Ids of rows that were deleted."""
        return set(self._gone.get(resource, ()))


class Edits:
    """Changes after each served page: *rate* on average, at the head, middle and tail."""

    def __init__(self, data: Data, truth: Truth, rate: float, seed: int, resources: Iterable[str]) -> None:
        unknown = set(resources) - set(TABLES)
        if unknown:
            raise ValueError(f"only {', '.join(TABLES)} can be edited, not {', '.join(sorted(unknown))}")
        self.data, self.truth, self.rate = data, truth, rate
        self.resources = set(resources)
        self._rng = ids.generator(seed, "edits")

    def after_page(self, resource: str | None) -> None:
        """Change rows of the resource that was just read."""
        if resource not in self.resources:
            return
        for _ in range(self._rng.poisson(self.rate)):
            self.change(resource, self._rng.choice(["insert", "update", "delete"]))

    def change(self, resource: str, how: str) -> str | None:
        """Insert, update or delete a row; returns its id, or None for an empty table."""
        with self.data.lock:
            self.truth.begin(resource)
            table = self.data.table(resource)
            order = table.order(((table.numeric_default, False),))
            if not len(order):
                return None
            row = int(order[self._index(len(order))])
            now = self.data.tick()
            if how == "insert":
                placed = table.numeric[""]
                row = table.copy(row, **{"updated": now, placed: int(table.columns[placed][row]) + 1})
                self.truth.note(resource, "born", table.texts(np.array([row]))[0])
            elif how == "update":
                table.set(row, updated=now)
                UPDATES[resource](table, row, now)
                self.truth.note(resource, "touched", table.texts(np.array([row]))[0])
            else:
                table.remove(row)
                self.truth.note(resource, "gone", table.texts(np.array([row]))[0])
            return table.texts(np.array([row]))[0]

    def _index(self, count: int) -> int:
        """An index in the first, the middle or the last tenth."""
        tenth = max(1, count // 10)
        start = (0, (count - tenth) // 2, count - tenth)[self._rng.integers(3)]
        return int(start + self._rng.integers(tenth))
