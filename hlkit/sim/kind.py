"""A resource whose rows have pages: how its columns are seeded, how its rows are written, how they are sorted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hlkit.sim import ids
from hlkit.sim.clock import Array
from hlkit.sim.seeded import SeededData
from hlkit.sim.table import Row


@dataclass(frozen=True)
class Kind:
    """How a resource is seeded, written and sorted. Its columns include ``updated``.

    Without a sort, rows are ordered by the column *placed*, newest first. *numeric* maps more sort fields
    to their columns.
    """

    name: str
    seeded: Callable[[SeededData], dict[str, Array]]
    make: Callable[[SeededData, Array], list[Row]]
    placed: str
    numeric: dict[str, str]
    style: ids.Style = "text"
    of_contact: bool = False  # read through its contact: with the contact gone, so is the row


def visible(columns: dict[str, Array], is_visible: Array) -> dict[str, Array]:
    """The columns, with only the rows that exist at ``as_of``; ``number`` is a row's index among all seeded rows."""
    numbered = {"number": np.arange(len(is_visible)), **columns}
    return {name: column[is_visible] for name, column in numbered.items()}
