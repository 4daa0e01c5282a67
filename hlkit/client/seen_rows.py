"""Pages of rows, and what a download has seen of them so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hlkit.client.seen_ids import SeenIds
from hlkit.client.text import canonical_json

ROW_IDS = ("id", "_id")  # the names that HighLevel uses for a row's id
Position = dict[str, Any]  # the parameters that select a page: {"page": 2}


def get_path(data: Any, path: str | None) -> Any:
    """The value at a dotted path, in which digits are a list index; ``None`` if there is none.

    >>> get_path({"total": [{"total": 12}]}, "total.0.total")
    12
    """
    if not path:
        return None
    for name in path.split("."):
        if isinstance(data, dict):
            data = data.get(name)
        elif isinstance(data, list) and name.isdigit() and int(name) < len(data):
            data = data[int(name)]
        else:
            return None
    return data


@dataclass(frozen=True)
class Page:
    """One response: its rows, and the envelope around them.

    ``skipped`` counts the entries among the rows that are not JSON objects and were left out; ``trailing`` counts
    those of them after the last row.
    """

    rows: Sequence[Mapping[str, Any]]
    envelope: Mapping[str, Any]
    skipped: int = 0
    trailing: int = 0

    def __len__(self) -> int:
        return len(self.rows) + self.skipped

    def total(self, path: str | None) -> int | None:
        """The number of rows that the server announces; ``None`` if it is missing or not a count, which is normal."""
        total = get_path(self.envelope, path)
        return total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None


@dataclass
class SeenRows:
    """The row ids and positions that a download has seen.

    ``row_count`` counts distinct rows; a row without an id counts as new each time. ``new_ids`` and ``new_count`` are
    those of the last page. ``totals`` has every total that a page announced, at the path ``total_path``.

    The paging styles in ``pagination`` write two more: ``unjoined`` has the ids that come after a gap (page 3 does
    not overlap page 2, so rows between them may be missing); ``stale_pages`` counts the last pages without a new row.
    """

    resource: str
    total_path: str | None = None
    row_count: int = 0
    new_count: int = 0
    new_ids: set[str] = field(default_factory=set)
    totals: set[int] = field(default_factory=set)
    unjoined: set[str] = field(default_factory=set)
    _ids: SeenIds = field(default_factory=SeenIds)
    stale_pages: int = 0
    _arrived: Counter[int] = field(default_factory=Counter)  # pages, by position
    _last_ids: list[str | None] = field(default_factory=list)

    @property
    def progress(self) -> tuple[int, int]:
        """It changes with every row that is new, or is connected to those before."""
        return self.row_count, len(self.unjoined)

    def add(self, position: Position, page: Page) -> bool:
        """Add a page that was requested at *position*. Returns whether it has the same ids as the page before."""
        self._arrived[_key(position)] += 1
        page_ids = [self.id_of(row) for row in page.rows]
        repeats_last_page, self._last_ids = page_ids == self._last_ids, page_ids
        self.new_ids = self._ids.add(self.ids_on(page))
        self.new_count = len(self.new_ids) + page_ids.count(None) + page.skipped
        self.row_count += self.new_count
        total = page.total(self.total_path)
        if total is not None:
            self.totals.add(total)
        return repeats_last_page

    def times_arrived(self, position: Position) -> int:
        """How often a page arrived for this position."""
        return self._arrived[_key(position)]

    def id_of(self, row: Mapping[str, Any]) -> str | None:
        """The row's id as text, from the first of ``ROW_IDS`` that it has."""
        return next((str(row[name]) for name in ROW_IDS if isinstance(row.get(name), str | int)), None)

    def ids_on(self, page: Page) -> set[str]:
        return {row_id for row in page.rows if (row_id := self.id_of(row)) is not None}

    def trailing_without_id(self, page: Page) -> int:
        """How many rows without an id follow the last row with one; 0 if no row has one."""
        return next((n for n, row in enumerate(reversed(page.rows)) if self.id_of(row) is not None), 0)

    def lacks_rows(self, page: Page) -> bool:
        """Whether fewer rows have arrived so far, on all pages, than this page announces in total."""
        total = page.total(self.total_path)
        return total is not None and self.row_count < total


def _key(position: Position) -> int:
    return hash(canonical_json(position))
