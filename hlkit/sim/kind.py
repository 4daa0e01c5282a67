"""A resource whose rows can change: how its columns are seeded, how its rows are written, what an edit alters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hlkit.sim import ids
from hlkit.sim.clock import Array
from hlkit.sim.table import Row, Table

if TYPE_CHECKING:
    from hlkit.sim.data import Data


@dataclass(frozen=True)
class Kind:
    """What the data needs to know of a resource. Each has a column ``updated``; the order that nobody
    asked for is the one of *placed*, newest first, and *numeric* names more fields that sort by a column."""

    name: str
    seeded: Callable[[Data], dict[str, Array]]
    make: Callable[[Data, Array], list[Row]]
    placed: str
    alter: Callable[[Table, int, int], None]  # table, row, now
    numeric: dict[str, str]
    style: ids.Style = "text"
    of_contact: bool = False  # read through its contact: with the contact gone, so is the row

    def table(self, data: Data) -> Table:
        """The table as it is seeded."""
        numeric = {"": self.placed, **self.numeric}
        make = data.hostile.spoiling(self.name, lambda rows: self.make(data, rows))
        return Table(self.name, self.seeded(data), data.seed, make, numeric, self.style)


def turn(column: str) -> Callable[[Table, int, int], None]:
    """An edit that turns the last bit of a column."""

    def alter(table: Table, row: int, now: int) -> None:
        table.set(row, **{column: int(table.columns[column][row]) ^ 1})

    return alter


def known(columns: dict[str, Array], seen: Array) -> dict[str, Array]:
    """The columns of those rows that are there at ``as_of``; a row's number is its place among all seeded ones."""
    numbered = {"number": np.arange(len(seen)), **columns}
    return {name: column[seen] for name, column in numbered.items()}
