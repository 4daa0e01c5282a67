"""How one page leads to the next. Pure: no HTTP, no pandas.

Each paging style is a class; its docstring shows the JSON it is for. A style knows the parameters of page 1
(``first``) and, from a page, those of the next (``after``). A *position* is a dictionary of paging parameters.
``next_position`` also detects pagination loops.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hlkit.client.errors import IncompleteDownload
from hlkit.client.seen_rows import Page, Position, SeenRows, get_path
from hlkit.client.text import canonical_json

MAX_NUMBERED_ROWS = 10_000  # beyond these, the searches answer 422 to a page number


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

    def next_position(self, position: Position, page: Page, seen: SeenRows) -> Position | None:
        """Add the page to *seen*, and return the position after it; ``None`` after the last page.

        Raises ``IncompleteDownload`` on a pagination loop: a cursor that repeats, or full pages without new rows.
        """
        progress = seen.progress
        repeats_last_page = seen.add(position, page)
        following = self.after(position, page, seen)
        if page.rows and seen.progress == progress:
            seen.stale_pages = self.max_stale_pages if repeats_last_page else seen.stale_pages + 1
            if following is not None and self.is_full(page) and seen.stale_pages >= self.max_stale_pages:
                raise _loop_error(seen, "a full page has no new row", position)
            if self.ends_on_overlap:
                return None
        else:
            seen.stale_pages = 0
        if following is not None and seen.times_arrived(following) >= self.max_stale_pages:
            raise _loop_error(seen, "the cursor repeats", following)
        return following

    def new_rows(self, previous: Page, page: Page, seen: SeenRows) -> list[Mapping[str, Any]]:
        """The rows of a page that are not, unchanged, on the previous page too."""
        previous_rows = {row_id: row for row in previous.rows if (row_id := seen.id_of(row)) is not None}
        return [row for row in page.rows if previous_rows.get(seen.id_of(row) or "") != row]

    def requests_for(self, rows: int) -> int:
        """How many requests it takes to read this many rows."""
        return 1 if not self.most else max(1, -(-rows // self.most)) + self.ends_on_overlap

    def is_full(self, page: Page) -> bool:
        return self.most is not None and len(page) >= self.most


def _loop_error(seen: SeenRows, reason: str, position: Position) -> IncompleteDownload:
    return IncompleteDownload(
        f"pagination loop in {seen.resource}: {reason} (at {canonical_json(position)})",
        hint="try again later; if it happens again, send HighLevel support the trace id",
        resource=seen.resource,
    )


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
        first, last = (_time_stamp(page.rows[index].get(self.value)) for index in (0, -1))
        if self.is_full(page) and last in (None, first):
            problem = "has no time stamp" if last is None else f"and the first of {len(page):,} share one time stamp"
            raise IncompleteDownload(
                f"the last row of a page {problem}, so the next page cannot be requested",
                hint="narrow the filters so that fewer rows match",
            )
        return None if last is None else self.first() | {self.param: last - 1}


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
        if not page.rows or not (self.is_full(page) or (seen.new_count and seen.lacks_rows(page))):
            return None
        usable = len(page) - page.trailing - seen.trailing_without_id(page)  # up to the last row with an id
        next_offset = offset + (max(usable // 2, 1) if seen.unjoined else usable - 1)
        return self.first() | {self.param: next_offset} if next_offset > offset else None

    def new_rows(self, previous: Page, page: Page, seen: SeenRows) -> list[Mapping[str, Any]]:
        overlap = previous.rows[len(previous.rows) - seen.trailing_without_id(previous) :]
        return [row for row in super().new_rows(previous, page, seen) if row not in overlap]


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
        if page.rows and (self.is_full(page) or (seen.new_count and seen.lacks_rows(page))):
            return self.first() | {self.param: position[self.param] + 1}
        total = page.total(seen.total_path)
        if total is None or (seen.row_count == total and seen.totals == {total}):
            return None
        raise IncompleteDownload(
            f"{seen.resource}: rows moved while they were read: {total:,} announced, {seen.row_count:,} read",
            hint="try again when the location is less busy",
        )
