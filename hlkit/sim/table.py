"""A resource as a table: the current rows, in any order, after any cursor.

Orders and filtered orders are cached until the table changes, so each further page of a download costs one
bisection.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hlkit.sim import ids
from hlkit.sim.clock import Array

Row = dict[str, Any]
ENCODER = json.JSONEncoder(check_circular=False, ensure_ascii=False, separators=(",", ":"))
Sort = tuple[tuple[str, bool], ...]  # fields, and whether each is descending

CACHED_ORDERS = 8


class Table:
    """Columns, a key per row, and which rows are alive; a row's number never changes."""

    def __init__(
        self,
        name: str,
        columns: dict[str, Array],
        seed: int,
        make: Callable[[Array], list[Row]],
        numeric: dict[str, str],
        style: ids.Style = "text",
    ) -> None:
        self.name = name
        self.columns = dict(columns)
        self.numeric = numeric
        self.style: ids.Style = style
        self.version = 0
        self._make = make
        self._seed = seed
        self.keys = ids.keys(seed, name, self.columns["number"])
        self.alive = np.ones(len(self.keys), bool)
        self._cache: dict[object, Array] = {}
        self._copied: set[str] = set()

    def __len__(self) -> int:
        return int(self.alive.sum())

    def texts(self, rows: Array) -> list[str]:
        """The ids of rows."""
        return ids.WRITERS[self.style](self.keys[rows])

    def now(self) -> Array:
        """The numbers of the rows that are alive."""
        return np.flatnonzero(self.alive)

    def make(self, rows: Array) -> list[Row]:
        """The JSON rows."""
        return self._make(rows)

    def find(self, identifier: object) -> int | None:
        """The number of the row with this id, alive or not."""
        key = ids.key_of(identifier, self.style)
        order = self._cached("keys", lambda: np.argsort(self.keys))
        if key is None or not len(order):
            return None
        index = int(np.searchsorted(self.keys[order], np.uint64(key)))
        row = int(order[min(index, len(order) - 1)])
        return row if int(self.keys[row]) == key else None

    # Changes

    def set(self, row: int | Array, **values: object) -> None:
        """Change fields of a row, or of several."""
        for name, value in values.items():
            if name not in self._copied:
                self.columns[name] = self.columns[name].copy()
                self._copied.add(name)
            self.columns[name][row] = value
        self._changed()

    def copy(self, row: int, **values: object) -> int:
        """Add a copy of a row, with another id; returns its number."""
        for name, column in self.columns.items():
            self.columns[name] = np.append(column, column[row : row + 1])
        number = int(self.columns["number"].max()) + 1
        self._copied = set(self.columns)
        self.keys = np.append(self.keys, ids.keys(self._seed, f"{self.name} born", np.array([number])))
        self.alive = np.append(self.alive, True)
        added = len(self.alive) - 1
        self.set(added, number=number, **values)
        return added

    def remove(self, row: int) -> None:
        """Delete a row; its number is not used again."""
        self.alive[row] = False
        self._changed()

    def _changed(self) -> None:
        self.version += 1
        self._cache.clear()

    # Order

    def order(self, sort: Sort, mask: Callable[[], Array] | None = None, key: object = None) -> Array:
        """Numbers of the living rows in order; *mask* filters them, and *key* identifies the mask in the cache."""
        whole = self._cached(sort, lambda: self._sorted(sort))
        if mask is None:
            return whole
        return self._cached((sort, key), lambda: whole[mask()[whole]])

    def sorted_by(self, column: str) -> Array:
        """Numbers of the living rows, sorted by a column."""
        living = self.now()
        return self._cached(("by", column), lambda: living[np.argsort(self.columns[column][living], kind="stable")])

    def _cached(self, key: object, make: Callable[[], Array]) -> Array:
        if key not in self._cache:
            if len(self._cache) >= CACHED_ORDERS:
                self._cache.pop(next(iter(self._cache)))
            self._cache[key] = make()
        return self._cache[key]

    def _sorted(self, sort: Sort) -> Array:
        rows = self.now()
        if not sort:  # the default order is not documented: newest first, ties by row number
            return rows[np.argsort(-self.columns[self.numeric[""]][rows], kind="stable")]
        keys = self.keys[rows]
        ranks = [~keys if sort[0][1] else keys]
        for name, down in reversed(sort):
            rank = self._rank(name, rows)
            ranks.append(np.where(rank == _NULL, _NULL, -rank) if down else rank)
        return rows[np.lexsort(ranks)]

    def _rank(self, name: str, rows: Array) -> Array:
        """Ranks of a field's values; nulls come last."""
        if name in self.numeric:
            return np.asarray(self.columns[self.numeric[name]][rows].astype(np.int64))
        values = self.values(name, rows)
        ranks = {value: rank for rank, value in enumerate(sorted({v for v in values if v is not None}, key=str))}
        return np.array([_NULL if v is None else ranks[v] for v in values], np.int64)

    def values(self, name: str, rows: Array) -> list[Any]:
        """A field's values: milliseconds or numbers from the column, else from the JSON rows."""
        if name in self.numeric:
            return list(self.columns[self.numeric[name]][rows].tolist())
        return [row.get(name) for row in self.make(rows)]

    def after(self, order: Array, sort: Sort, cursor: Sequence[Any]) -> int:
        """How many rows of *order* are not after the cursor ``[value, ..., id]``."""
        fields = sort or ((self.numeric_default, True),)
        if len(cursor) != len(fields) + 1:
            raise ValueError(f"searchAfter must hold {len(fields) + 1} values")
        low, high = 0, len(order)
        while low < high:
            middle = (low + high) // 2
            if self._follows(int(order[middle]), fields, cursor, tied=bool(sort)):
                high = middle
            else:
                low = middle + 1
        return low

    @property
    def numeric_default(self) -> str:
        """The field of the default order."""
        return next(name for name, column in self.numeric.items() if column == self.numeric[""] and name)

    def _follows(self, row: int, fields: Sort, cursor: Sequence[Any], *, tied: bool) -> bool:
        rows = np.array([row])
        for (name, down), value in zip(fields, cursor, strict=False):
            actual = self.values(name, rows)[0]
            if actual == value:
                continue
            if actual is None or value is None:
                return actual is None
            if name in self.numeric:
                value = float(value)
                if actual == value:
                    continue
                return bool(actual < value if down else actual > value)
            return str(actual) < str(value) if down else str(actual) > str(value)
        # Without a sort there is no second key: rows that share the cursor's value are skipped.
        if not tied:
            return False
        identifier = self.texts(rows)[0]
        return identifier < str(cursor[-1]) if fields[0][1] else identifier > str(cursor[-1])


_NULL = np.iinfo(np.int64).max
