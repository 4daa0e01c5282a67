"""How one page leads to the next. Pure: no HTTP, no pandas.

Each paging style is a class; its docstring shows the JSON it is for. A style knows the parameters of page 1
(``first``) and, from a page, those of the next (``after``). A *position* is a dictionary of paging parameters.
``SeenRows`` records what a download has seen, and detects pagination loops.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hlkit.client.errors import IncompleteDownload
from hlkit.client.seen_ids import SeenIds
from hlkit.client.text import canonical_json

Position = dict[str, Any]

MAX_NUMBERED_ROWS = 10_000  # beyond these, the searches answer 422 to a page number


def get_path(data: Any, path: str | None) -> Any:
    """The value at a dotted path, in which digits are a list index; ``None`` if there is none.

    >>> get_path({"total": [{"total": 12}]}, "total.0.total")
    12
    """
    for name in path.split(".") if path else [None]:
        if isinstance(data, dict) and name is not None:
            data = data.get(name)
        elif isinstance(data, list) and name is not None and name.isdigit() and int(name) < len(data):
            data = data[int(name)]
        else:
            return None
    return data


@dataclass(frozen=True)
class Page:
    """One response: its rows, and the envelope around them.

    ``skipped`` counts the entries among the rows that are not JSON objects and were left out; ``trailing``, how
    many of them followed the last row.
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


@dataclass(frozen=True)
class Paging:
    """A paging style. ``size`` is the parameter for the page size, and ``most`` the server's maximum.

    ``guarantee``: what the style promises if rows change during a download. ``ends_on_overlap``: a page with only
    known rows is the last. ``max_stale_pages``: a loop is reported after this many full pages in a row without a
    new row.
    """

    size: str | None = None
    most: int | None = None

    style: ClassVar[str] = "none"
    guarantee: ClassVar[str] = "One response holds every row."
    ends_on_overlap: ClassVar[bool] = False
    max_stale_pages: ClassVar[int] = 1

    def first(self) -> Position:
        """The position of page 1."""
        return {self.size: self.most} if self.size else {}

    def after(self, position: Position, page: Page, seen: SeenRows) -> Position | None:
        """The position after *page*, which was requested at *position*; ``None`` after the last page."""
        return None

    def requests_for(self, rows: int) -> int:
        """How many requests it takes to read this many rows."""
        return 1 if not self.most else max(1, -(-rows // self.most)) + self.ends_on_overlap

    def is_full(self, page: Page) -> bool:
        return self.most is not None and len(page) >= self.most


class NoPaging(Paging):
    """One response holds every row.

    ``{"calendars": [{"id": "c1"}, {"id": "c2"}]}``
    """


@dataclass(frozen=True)
class SearchAfter(Paging):
    """Each row has a cursor: its sort value and its id. The last row's cursor requests the next page.

    ``{"contacts": [{"id": "a", "searchAfter": [1735711200000, "a"]}], "total": 5002}``

    ``cursor`` names the fields that can hold it. If rows have none, pages are requested by number. ``start`` is
    sent with page 1 instead of a cursor.
    """

    cursor: tuple[str, ...] = ("searchAfter", "sort")
    order: tuple[str, str] | None = None
    start: Mapping[str, Any] = field(default_factory=dict)

    style: ClassVar[str] = "search_after"
    guarantee: ClassVar[str] = (
        "Read oldest first, by a cursor that includes the row's id: a row that exists from start to finish is "
        "returned exactly once, no matter which other rows are added, changed or deleted during the download."
    )
    ends_on_overlap: ClassVar[bool] = True

    def first(self) -> Position:
        return {**self._size_and_order(), **self.start}

    def _size_and_order(self) -> Position:
        """The parameters that every page has."""
        position = super().first()
        if self.order:
            name, direction = self.order
            position["sort"] = [{"field": name, "direction": direction}]
        return position

    def after(self, position: Position, page: Page, seen: SeenRows) -> Position | None:
        if not page.rows:
            return None
        last = page.rows[-1]
        cursor = next((last[name] for name in self.cursor if last.get(name)), None)
        if cursor is not None:
            return self._size_and_order() | {"searchAfter": cursor}
        if not self.is_full(page):
            return None
        number = position.get("page", 1) + 1
        if number * (self.most or 1) > MAX_NUMBERED_ROWS:
            raise IncompleteDownload(
                f"the rows have no cursor, and page numbers end at {MAX_NUMBERED_ROWS:,} rows",
                hint="read a shorter span with since= and until=",
            )
        return self.first() | {"page": number}


@dataclass(frozen=True)
class Cursor(Paging):
    """The envelope has an opaque cursor. The page without one is the last; an empty page need not be.

    ``{"messages": [{"id": "m1"}, {"id": "m2"}], "nextCursor": "eyJpZCI6Im0yIn0", "total": 40213}``
    """

    param: str = "cursor"
    next: str = "nextCursor"

    style: ClassVar[str] = "cursor"
    guarantee: ClassVar[str] = (
        "Read oldest first, by the server's own cursor: a row that exists from start to finish is returned exactly "
        "once."
    )

    def after(self, position: Position, page: Page, seen: SeenRows) -> Position | None:
        cursor = get_path(page.envelope, self.next)
        return self.first() | {self.param: cursor} if cursor else None


@dataclass(frozen=True)
class StartAfterPair(Paging):
    """The envelope has a time stamp and an id. Both are needed: with one of them, page 1 is returned again.

    ``{"contacts": [{"id": "a"}, {"id": "b"}], "meta": {"startAfter": 1735711200000, "startAfterId": "b"}}``
    """

    params: tuple[str, str] = ("startAfter", "startAfterId")
    within: str = "meta"

    style: ClassVar[str] = "start_after_pair"
    guarantee: ClassVar[str] = (
        "Read by a time stamp and an id: a row that exists from start to finish is returned exactly once."
    )
    ends_on_overlap: ClassVar[bool] = True

    def after(self, position: Position, page: Page, seen: SeenRows) -> Position | None:
        pair = {name: get_path(page.envelope, f"{self.within}.{name}") for name in self.params}
        if not page.rows or not all(pair.values()):
            return None
        return self.first() | pair


@dataclass(frozen=True)
class StartAfterDate(Paging):
    """Each row has a time stamp in epoch milliseconds. The next page starts after the last row's.

    ``{"conversations": [{"id": "a", "sort": [1735711200000]}], "total": 812}``

    Rows can share a time stamp, so the next page is requested from 1 ms earlier: no row is lost, and those that
    arrive twice are dropped.
    """

    param: str = "startAfterDate"
    value: str = "sort"

    style: ClassVar[str] = "start_after_date"
    guarantee: ClassVar[str] = (
        "Read oldest first, by a time stamp without an id. Each page starts 1 ms early, so that rows with the same "
        "time stamp are not lost. A full page of one time stamp raises IncompleteDownload."
    )
    ends_on_overlap: ClassVar[bool] = True

    def after(self, position: Position, page: Page, seen: SeenRows) -> Position | None:
        if not page.rows:
            return None
        stamps = [_time_stamp(row.get(self.value)) for row in page.rows]
        if stamps[-1] is None:
            if not self.is_full(page):
                return None
            raise IncompleteDownload(
                f"the last of {len(page):,} rows has no time stamp, so the next page cannot be requested",
                hint="narrow the filters so that fewer rows match",
            )
        if self.is_full(page) and stamps[0] == stamps[-1]:
            raise IncompleteDownload(
                f"{len(page):,} rows share one time stamp, so the next page cannot be requested",
                hint="narrow the filters so that fewer rows share it",
            )
        return self.first() | {self.param: stamps[-1] - 1}


def _time_stamp(value: Any) -> int | None:
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, int) else None


@dataclass(frozen=True)
class LastId(Paging):
    """The next page starts after an id: that of the last row, or one that the envelope has at the path ``next``.

    ``{"messages": {"messages": [{"id": "m2"}, {"id": "m1"}], "lastMessageId": "m1", "nextPage": true}}``

    ``more`` is the path of the flag that says whether there is another page, if the envelope has one.
    """

    param: str = "lastId"
    next: str | None = None
    more: str | None = None

    style: ClassVar[str] = "last_id"
    guarantee: ClassVar[str] = (
        "Read from the id of the last row on: a row that exists from start to finish is returned exactly once."
    )
    ends_on_overlap: ClassVar[bool] = True

    def after(self, position: Position, page: Page, seen: SeenRows) -> Position | None:
        if not page.rows or (self.more and not get_path(page.envelope, self.more)):
            return None
        last_id = get_path(page.envelope, self.next) if self.next else seen.id_of(page.rows[-1])
        return self.first() | {self.param: last_id} if last_id else None


@dataclass(frozen=True)
class Offset(Paging):
    """The request says how many rows to skip. Each page starts at the last row of the page before.

    ``{"tasks": [{"_id": "a"}, {"_id": "b"}]}``

    If a page does not overlap the rows before it, some of those were deleted, and rows were skipped. The download
    then goes back one page, and forward by half pages until the rows overlap again.
    """

    param: str = "skip"

    style: ClassVar[str] = "offset"
    guarantee: ClassVar[str] = (
        "Read by row number, each page from the last row of the page before. If rows were deleted in between, "
        "it goes back a page. A row that keeps its position in the order is returned exactly once."
    )
    max_stale_pages: ClassVar[int] = 10  # going back reads known rows again

    def first(self) -> Position:
        return super().first() | {self.param: 0}

    def requests_for(self, rows: int) -> int:
        return -(-max(rows - 1, 1) // max((self.most or 2) - 1, 1))

    def after(self, position: Position, page: Page, seen: SeenRows) -> Position | None:
        offset, size = position[self.param], self.most or len(page)
        ids = seen.ids_on(page)
        if offset and not ids - seen.new_ids - seen.unjoined:
            seen.unjoined |= seen.new_ids
            return self.first() | {self.param: max(0, offset - size)}
        seen.unjoined -= ids
        if not page.rows or not (self.is_full(page) or (seen.new_count and seen.is_short(page))):
            return None
        usable = len(page) - page.trailing - seen.trailing_without_id(page)  # up to the last row with an id
        next_offset = offset + (max(usable // 2, 1) if seen.unjoined else usable - 1)
        return self.first() | {self.param: next_offset} if next_offset > offset else None


@dataclass(frozen=True)
class PageNumber(Paging):
    """Pages are requested by number, and the envelope has the total.

    ``{"submissions": [{"id": "a"}, {"id": "b"}], "meta": {"total": 812, "currentPage": 1, "nextPage": 2}}``

    A row that moves between two requests can be missed, so rows are counted at the end. If the count is not the
    total, or the total changed, ``IncompleteDownload`` is raised; ``download`` then reads all pages once more.
    """

    param: str = "page"

    style: ClassVar[str] = "page"
    guarantee: ClassVar[str] = (
        "Read by page number, and counted at the end. If the count is not the announced total, or the total changes "
        "during the download, all pages are read once more; if it still differs, IncompleteDownload is raised. One "
        "case is not noticed: a row is missed while another is added and deleted, so that the count is right."
    )
    max_stale_pages: ClassVar[int] = 2

    def first(self) -> Position:
        return super().first() | {self.param: 1}

    def requests_for(self, rows: int) -> int:
        return rows // (self.most or 1) + 1

    def after(self, position: Position, page: Page, seen: SeenRows) -> Position | None:
        if page.rows and (self.is_full(page) or (seen.new_count and seen.is_short(page))):
            return self.first() | {self.param: position[self.param] + 1}
        total = page.total(seen.total)
        if total is None or (seen.row_count == total and seen.totals == {total}):
            return None
        raise IncompleteDownload(
            f"{seen.resource}: rows moved while they were read: {total:,} announced, {seen.row_count:,} read",
            hint="try again when the location is less busy",
        )


@dataclass
class SeenRows:
    """The row ids and positions that a download has seen.

    ``row_count`` counts distinct rows; a row without an id counts as new each time. ``new_ids`` and ``new_count`` are
    those of the last page. ``totals`` has every total that a page announced. ``unjoined`` has the ids that come after
    a gap: the pages so far do not connect them to the rows before (``Offset``).
    """

    resource: str
    paging: Paging
    row_ids: tuple[str, ...] = ("id",)
    total: str | None = None
    row_count: int = 0
    new_count: int = 0
    new_ids: set[str] = field(default_factory=set)
    totals: set[int] = field(default_factory=set)
    unjoined: set[str] = field(default_factory=set)
    _ids: SeenIds = field(default_factory=SeenIds)
    _arrived: Counter[int] = field(default_factory=Counter)  # pages, by position
    _stale_pages: int = 0
    _repeats_last_page: bool = False
    _last_ids: list[str | None] = field(default_factory=list)

    def times_arrived(self, position: Position) -> int:
        """How often a page arrived for this position."""
        return self._arrived[_key(position)]

    def next_position(self, position: Position, page: Page) -> Position | None:
        """The position after *page*, which was requested at *position*; ``None`` after the last page.

        Raises ``IncompleteDownload`` on a pagination loop: a cursor that repeats, or full pages without new rows.
        """
        progress = self.row_count, len(self.unjoined)
        following = self.next_position_after_repeat(position, page)
        if page.rows and progress == (self.row_count, len(self.unjoined)):
            self._stale_pages = self.paging.max_stale_pages if self._repeats_last_page else self._stale_pages + 1
            is_stale = self._stale_pages >= self.paging.max_stale_pages
            if following is not None and self.paging.is_full(page) and is_stale:
                raise self._loop_error("a full page has no new row", position)
            if self.paging.ends_on_overlap:
                return None
        else:
            self._stale_pages = 0
        if following is not None and self.times_arrived(following) >= self.paging.max_stale_pages:
            raise self._loop_error("the cursor repeats", following)
        return following

    def next_position_after_repeat(self, position: Position, page: Page) -> Position | None:
        """The same for a page that was requested a second time because rows were missing. It is not a loop."""
        self._arrived[_key(position)] += 1
        self._add(page)
        return self.paging.after(position, page, self)

    def id_of(self, row: Mapping[str, Any]) -> str | None:
        """The row's id as text, from the first of ``row_ids`` that it has."""
        return next((str(row[name]) for name in self.row_ids if isinstance(row.get(name), str | int)), None)

    def ids_on(self, page: Page) -> set[str]:
        return {row_id for row in page.rows if (row_id := self.id_of(row)) is not None}

    def new_rows(self, previous: Page, page: Page) -> list[Mapping[str, Any]]:
        """The rows of a page that are not, unchanged, on the previous page too."""
        previous_rows = {row_id: row for row in previous.rows if (row_id := self.id_of(row)) is not None}
        rows = [row for row in page.rows if previous_rows.get(self.id_of(row) or "") != row]
        if not isinstance(self.paging, Offset):
            return rows
        overlap = previous.rows[len(previous.rows) - self.trailing_without_id(previous) :]
        return [row for row in rows if row not in overlap]

    def trailing_without_id(self, page: Page) -> int:
        """How many rows without an id follow the last row with one."""
        return next((n for n, row in enumerate(reversed(page.rows)) if self.id_of(row) is not None), 0)

    def is_short(self, page: Page) -> bool:
        """Whether fewer rows were read than the page announces."""
        total = page.total(self.total)
        return total is not None and self.row_count < total

    def _add(self, page: Page) -> None:
        """Add the ids of a page, and count its new rows."""
        page_ids = [self.id_of(row) for row in page.rows]
        self._repeats_last_page, self._last_ids = page_ids == self._last_ids, page_ids
        self.new_ids = self._ids.add(self.ids_on(page))
        self.new_count = len(self.new_ids) + page_ids.count(None) + page.skipped
        self.row_count += self.new_count
        total = page.total(self.total)
        if total is not None:
            self.totals.add(total)

    def _loop_error(self, reason: str, position: Position) -> IncompleteDownload:
        return IncompleteDownload(
            f"pagination loop in {self.resource}: {reason} (at {canonical_json(position)})",
            hint="try again later; if it happens again, send HighLevel support the trace id",
            resource=self.resource,
        )


def _key(position: Position) -> int:
    return hash(canonical_json(position))
