"""How one page leads to the next: pure, no HTTP, no pandas.

A style knows the parameters of page 1 (``first``) and, given a page and what was asked for it, those of the
next (``after``), or that there is none. ``SeenRows`` remembers what came and tells a road from a circle.
A *position* is the dictionary of paging parameters of one request.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hlkit.client.errors import IncompleteDownload
from hlkit.client.seen_ids import SeenIds

Position = dict[str, Any]

PAGE_NUMBERS_END_AT = 10_000  # rows: beyond, the searches answer 422 to a page number


def lookup(told: Any, path: str | None) -> Any:
    """What stands at a dotted path, where a number is a place in a list; ``None`` where nothing does."""
    for step in path.split(".") if path else [None]:
        if isinstance(told, dict) and step is not None:
            told = told.get(step)
        elif isinstance(told, list) and step is not None and step.isdigit() and int(step) < len(told):
            told = told[int(step)]
        else:
            return None
    return told


@dataclass(frozen=True)
class Page:
    """One answer as paging sees it: its rows, and the envelope around them.

    ``odd`` is how many entries stood among the rows that are no objects: they are left out, and counted. So many
    of them as ``trailing`` stood after the last row.
    """

    rows: Sequence[Mapping[str, Any]]
    envelope: Mapping[str, Any]
    odd: int = 0
    trailing: int = 0

    def __len__(self) -> int:
        return len(self.rows) + self.odd

    def total(self, path: str | None) -> int | None:
        """The announced number of rows; a missing or an odd total is normal."""
        told = lookup(self.envelope, path)
        return told if isinstance(told, int) and not isinstance(told, bool) and told >= 0 else None


@dataclass(frozen=True)
class Paging:
    """How a server's pages follow each other.

    ``size`` is the parameter that asks for so many rows a page, ``most`` the most that the server gives.
    ``patience`` is how many full pages in a row may bring nothing new before that is a circle.
    """

    size: str | None = None
    most: int | None = None

    style: ClassVar[str] = "none"
    guarantee: ClassVar[str] = "One answer carries every row."
    ends_on_overlap: ClassVar[bool] = False
    patience: ClassVar[int] = 1
    counts_rounds: ClassVar[bool] = False
    joins: ClassVar[bool] = False

    def first(self) -> Position:
        return {self.size: self.most} if self.size else {}

    def after(self, asked: Position, page: Page, trail: SeenRows) -> Position | None:
        return None

    def requests_for(self, rows: int) -> int:
        """How many requests so many rows take."""
        return 1 if not self.most else max(1, -(-rows // self.most)) + self.ends_on_overlap

    def is_full(self, page: Page) -> bool:
        return self.most is not None and len(page) >= self.most


class NoPaging(Paging):
    """One response carries everything; a window of time stands in the question, if there is one."""


@dataclass(frozen=True)
class SearchAfter(Paging):
    """The last row carries the cursor (sort value and id), so no tie is lost and moving rows are not skipped.

    ``cursor`` names the row's fields that may hold it. A server whose rows bear none is asked by page number.
    ``start`` is what stands on page 1 in place of a cursor, where the documents want something there.
    """

    cursor: tuple[str, ...] = ("searchAfter", "sort")
    order: tuple[str, str] | None = None
    start: Mapping[str, Any] = field(default_factory=dict)

    style: ClassVar[str] = "search_after"
    guarantee: ClassVar[str] = (
        "Read oldest first by a cursor that bears the row's id: a row that is there from beginning to end "
        "comes exactly once, whatever else is added, changed or deleted meanwhile."
    )
    ends_on_overlap: ClassVar[bool] = True

    def first(self) -> Position:
        return {**self._every(), **self.start}

    def _every(self) -> Position:
        position = super().first()
        if self.order:
            name, direction = self.order
            position["sort"] = [{"field": name, "direction": direction}]
        return position

    def after(self, asked: Position, page: Page, trail: SeenRows) -> Position | None:
        if not page.rows:
            return None
        cursor = next((page.rows[-1][name] for name in self.cursor if page.rows[-1].get(name)), None)
        if cursor is not None:
            return self._every() | {"searchAfter": cursor}
        if not self.is_full(page):
            return None
        number = asked.get("page", 1) + 1
        if number * (self.most or 1) > PAGE_NUMBERS_END_AT:
            raise IncompleteDownload(
                f"the rows bear no cursor, and page numbers end at {PAGE_NUMBERS_END_AT:,} rows",
                hint="read a shorter span with since= and until=",
            )
        return self.first() | {"page": number}


@dataclass(frozen=True)
class Cursor(Paging):
    """The envelope carries an opaque cursor; the walk ends when none comes, not at an empty page."""

    param: str = "cursor"
    next: str = "nextCursor"

    style: ClassVar[str] = "cursor"
    guarantee: ClassVar[str] = (
        "Read oldest first by the server's own cursor: a row that is there from beginning to end comes exactly once."
    )

    def after(self, asked: Position, page: Page, trail: SeenRows) -> Position | None:
        cursor = lookup(page.envelope, self.next)
        return self.first() | {self.param: cursor} if cursor else None


@dataclass(frozen=True)
class StartAfterPair(Paging):
    """The envelope carries a time stamp and an id; one alone would repeat page 1 for ever."""

    params: tuple[str, str] = ("startAfter", "startAfterId")
    within: str = "meta"

    style: ClassVar[str] = "start_after_pair"
    guarantee: ClassVar[str] = (
        "Read by a time stamp and an id: a row that is there from beginning to end comes exactly once."
    )
    ends_on_overlap: ClassVar[bool] = True

    def after(self, asked: Position, page: Page, trail: SeenRows) -> Position | None:
        pair = {name: lookup(page.envelope, f"{self.within}.{name}") for name in self.params}
        if not page.rows or not all(pair.values()):
            return None
        return self.first() | pair


@dataclass(frozen=True)
class StartAfterDate(Paging):
    """The cursor is the sort value alone (epoch ms), asked one millisecond early so that no tie is lost."""

    param: str = "startAfterDate"
    value: str = "sort"

    style: ClassVar[str] = "start_after_date"
    guarantee: ClassVar[str] = (
        "Read oldest first by a time stamp alone, each page one millisecond early: ties at a page's border "
        "come twice and are kept once. A whole page of one time stamp raises IncompleteDownload."
    )
    ends_on_overlap: ClassVar[bool] = True

    def after(self, asked: Position, page: Page, trail: SeenRows) -> Position | None:
        if not page.rows:
            return None
        stamps = [_stamp(row.get(self.value)) for row in page.rows]
        if stamps[-1] is None:
            if not self.is_full(page):
                return None
            raise IncompleteDownload(
                f"the last of {len(page):,} rows bears no time stamp, and the server can only go on after one",
                hint="narrow the filters so that fewer rows come",
            )
        if self.is_full(page) and stamps[0] == stamps[-1]:
            raise IncompleteDownload(
                f"{len(page):,} rows share one time stamp, and the server can only go on after it",
                hint="narrow the filters so that fewer rows share it",
            )
        return self.first() | {self.param: stamps[-1] - 1}


def _stamp(value: Any) -> int | None:
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, int) else None


@dataclass(frozen=True)
class LastId(Paging):
    """The next page is asked for by the id of the last row, told in the envelope or on the row."""

    param: str = "lastId"
    next: str | None = None
    more: str | None = None  # where the envelope says whether there is another page

    style: ClassVar[str] = "last_id"
    guarantee: ClassVar[str] = "Read on from the last row's id: a row that stays comes exactly once."
    ends_on_overlap: ClassVar[bool] = True

    def after(self, asked: Position, page: Page, trail: SeenRows) -> Position | None:
        if not page.rows or (self.more and not lookup(page.envelope, self.more)):
            return None
        last = lookup(page.envelope, self.next) if self.next else trail.id_of(page.rows[-1])
        return self.first() | {self.param: last} if last else None


@dataclass(frozen=True)
class Offset(Paging):
    """Rows are skipped by number. Each page is asked from one row early, which shows whether rows moved.

    Where a page holds no row of those read so far without a gap, rows before it went: it steps back, and then
    on by half a page, so that one more deletion does not hide the joint again.
    """

    param: str = "skip"

    style: ClassVar[str] = "offset"
    guarantee: ClassVar[str] = (
        "Read by counting rows, each page from the last row of the one before; where that shows that rows "
        "were deleted meanwhile, it goes back a page. A row that stays in its order comes exactly once."
    )
    patience: ClassVar[int] = 10  # a step back brings pages that were seen
    joins: ClassVar[bool] = True

    def first(self) -> Position:
        return super().first() | {self.param: 0}

    def requests_for(self, rows: int) -> int:
        return -(-max(rows - 1, 1) // max((self.most or 2) - 1, 1))

    def after(self, asked: Position, page: Page, trail: SeenRows) -> Position | None:
        offset, size = asked[self.param], self.most or len(page)
        if offset and not trail.joins_on(page):
            return self.first() | {self.param: max(0, offset - size)}
        trail.join(page)
        if not page.rows or not (self.is_full(page) or (trail.fresh and trail.is_short(page))):
            return None
        rows = len(page) - trail.tail(page)
        following = offset + (max(rows // 2, 1) if trail.has_gap else rows - 1)
        return self.first() | {self.param: following} if following > offset else None


@dataclass(frozen=True)
class PageNumber(Paging):
    """Pages are asked for by number. Rows that move meanwhile can hide between two, so the end is checked.

    ``total`` is where the envelope tells how many rows there are. Where that differs from the rows that
    came, or changed meanwhile, everything is read once more; where it still does, the download is short.
    """

    param: str = "page"
    total: str | None = None

    style: ClassVar[str] = "page"
    guarantee: ClassVar[str] = (
        "Read by page numbers, and counted at the end: where the count is not the announced one, or changed "
        "meanwhile, everything is read once more, and if it still differs IncompleteDownload is raised. A row that "
        "slipped while another came and went again leaves the count right, and is not seen."
    )
    patience: ClassVar[int] = 2
    counts_rounds: ClassVar[bool] = True

    def first(self) -> Position:
        return super().first() | {self.param: 1}

    def requests_for(self, rows: int) -> int:
        return rows // (self.most or 1) + 1

    def after(self, asked: Position, page: Page, trail: SeenRows) -> Position | None:
        if page.rows and (self.is_full(page) or (trail.fresh and trail.is_short(page))):
            return self.first() | {self.param: asked[self.param] + 1}
        told = page.total(self.total)
        if told is None or trail.round_adds_up(told):
            return None
        if trail.round > 1:
            raise IncompleteDownload(
                f"{trail.resource}: rows moved while they were read, twice: {told:,} are announced, "
                f"{trail.rows:,} came",
                hint="try again when less is happening in the location",
            )
        trail.begin_another_round()
        return self.first()


@dataclass
class SeenRows:
    """What one walk has seen: its row ids, and the positions it was sent to, in a few bytes each.

    ``rows`` counts distinct rows, ``fresh`` those that the last page brought. A ``round`` is one reading
    from the first page to the last.
    """

    resource: str
    paging: Paging
    row_ids: tuple[str, ...] = ("id",)
    total: str | None = None
    rows: int = 0
    fresh: int = 0
    round: int = 1
    seen: SeenIds = field(default_factory=SeenIds)
    _positions: Counter[int] = field(default_factory=Counter)
    _stale: int = 0
    _same_again: bool = False
    _last_ids: list[str | None] = field(default_factory=list)
    _apart: set[str] = field(default_factory=set)  # seen, and not yet joined to those before
    _this_round: SeenIds | None = None  # in the first, all that were seen
    _nameless: int = 0  # in this round
    _totals: set[int] = field(default_factory=set)

    def follow(self, asked: Position, page: Page) -> Position | None:
        """The next position, or None at the end.

        Raises ``IncompleteDownload`` where the pages go in a circle: a cursor that repeats, or full pages
        of rows that all came before. A page that only overlaps the one before it ends the walk.
        """
        self._positions[hash(_text(asked))] += 1
        before = (self.round, self._progress)
        self._note(page)
        following = self.paging.after(asked, page, self)
        if self.round != before[0]:
            return following
        if page.rows and self._progress == before[1] and self.round == 1:
            self._stale = self.paging.patience if self._same_again else self._stale + 1
            if following is not None and self.paging.is_full(page) and self._stale >= self.paging.patience:
                raise self._circle("a full page brought no new row", asked)
            if self.paging.ends_on_overlap:
                return None
        else:
            self._stale = 0
        if following is not None and self._positions[hash(_text(following))] >= self.paging.patience:
            raise self._circle("the cursor repeats", following)
        return following

    def again(self, asked: Position, page: Page) -> Position | None:
        """The next position after a page that was asked for a second time."""
        self._note(page)
        return self.paging.after(asked, page, self)

    def id_of(self, row: Mapping[str, Any]) -> str | None:
        """The row's id as text, under whichever of its names it stands."""
        return next((str(row[name]) for name in self.row_ids if isinstance(row.get(name), str | int)), None)

    def beyond(self, before: Page, page: Page) -> list[Mapping[str, Any]]:
        """The rows of a page, without those that the page before brought and that are still the same."""
        brought = {name: row for row in before.rows if (name := self.id_of(row)) is not None}
        rows = [row for row in page.rows if brought.get(self.id_of(row) or "") != row]
        again = (
            before.rows[len(before.rows) - self.nameless_tail(before) :] if isinstance(self.paging, Offset) else ()
        )
        return [row for row in rows if row not in again] if again else rows

    def nameless_tail(self, page: Page) -> int:
        """How many rows without an id stand at the end of a page, after one that has one."""
        return next((n for n, row in enumerate(reversed(page.rows)) if self.id_of(row) is not None), 0)

    def tail(self, page: Page) -> int:
        """How many entries stand after the last row that the next page can be joined on by its id."""
        return page.trailing + self.nameless_tail(page)

    def joins_on(self, page: Page) -> bool:
        """Whether the page holds a row of those that were read without a gap."""
        names = (self.id_of(row) for row in page.rows)
        return any(name is not None and name not in self._apart for name in names)

    def join(self, page: Page) -> None:
        """The page's rows follow on those that were read without a gap."""
        self._apart.difference_update(name for row in page.rows if (name := self.id_of(row)) is not None)

    @property
    def has_gap(self) -> bool:
        """Whether there are rows that were read and are not yet joined to those before."""
        return bool(self._apart)

    def is_short(self, page: Page) -> bool:
        """Whether fewer rows came than the page announces."""
        told = page.total(self.total)
        return told is not None and self.rows < told

    def round_adds_up(self, told: int) -> bool:
        """Whether this round brought as many rows as announced, and always the same number was."""
        came = len(self.seen if self._this_round is None else self._this_round)
        return came + self._nameless == told and self._totals == {told}

    def begin_another_round(self) -> None:
        self.round += 1
        self._positions.clear()
        self._this_round = SeenIds()
        self._nameless = 0
        self._totals.clear()

    @property
    def _progress(self) -> int:
        """Grows with every row that is new, or is joined to those before."""
        return self.rows + len(self.seen) - len(self._apart)

    def _note(self, page: Page) -> None:
        """Count what is new; a row without an id counts as new."""
        ids = [self.id_of(row) for row in page.rows]
        known = {name for name in ids if name is not None}
        self._same_again, self._last_ids = ids == self._last_ids, ids
        nameless = ids.count(None) + page.odd
        new = self.seen.add(known)
        self.fresh = len(new) + nameless
        self.rows += self.fresh
        if self.paging.joins:
            self._apart |= new
        told = page.total(self.total)
        if self.paging.counts_rounds:
            if self._this_round is not None:
                self._this_round.add(known)
            self._nameless += nameless
            self._totals |= set() if told is None else {told}

    def _circle(self, what: str, position: Position) -> IncompleteDownload:
        return IncompleteDownload(
            f"the pages of {self.resource} go in a circle: {what} (at {_text(position)})",
            hint="try again later; if it stays so, tell HighLevel's support the trace id",
            resource=self.resource,
        )


def _text(position: Position) -> str:
    return json.dumps(position, sort_keys=True, default=str)
