"""One walk: all pages of one question, resumable, and complete or an error.

The record is written before page 1. Going on means starting at page 1 again: pages that are kept cost no
request, so the first that is not kept is where the walk broke off. A walk that ends below the announced
total asks its last page once more, then says so: a short result is never quiet.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import quote

from hlkit.errors import (
    CacheLocked,
    HlkitError,
    IncompleteDownload,
    InvalidRequest,
    NotFound,
    NotKept,
    ServerError,
    Timeout,
    UnexpectedResponse,
    WrongLocation,
)
from hlkit.paging import Offset, Page, PageNumber, Position, Trail
from hlkit.resource import Resource
from hlkit.warning import warn
from hlkit.wire.body import read_page
from hlkit.wire.cache import Cache, Record
from hlkit.wire.pacing import duration
from hlkit.wire.retry import Budget
from hlkit.wire.session import Call, Session
from hlkit.wire.watch import Progress, Watch

LOCK_PATIENCE = 30.0  # seconds to wait for a program that holds the cache file, where no server will do
FAILED_IN_A_ROW = 5  # parents: then it is not the parents
_OF_ONE_PARENT = (IncompleteDownload, InvalidRequest, ServerError, Timeout, UnexpectedResponse, WrongLocation)

T = TypeVar("T")


class ShortWarning(UserWarning):
    """Fewer rows came than the server announced."""


class DamagedWalk(NotKept):
    """A page of a complete walk cannot be read any more; the whole is to be read anew."""


class StaleWarning(UserWarning):
    """Offline: these rows are as old as the warning says."""


@dataclass(frozen=True)
class Question:
    """What is asked of the server: a resource, a location, and parameters of one's own for each pass."""

    resource: Resource
    location_id: str
    passes: tuple[Mapping[str, Any], ...] = ({},)

    @property
    def path(self) -> str:
        return self.resource.path.replace("{locationId}", self.location_id)

    def path_of(self, own: Mapping[str, Any]) -> str:
        """The path of one pass: an id of its own may stand in it."""
        return re.sub(r"\{(\w+)\}", lambda match: quote(str(own.get(match[1], match[0])), safe=""), self.path)

    def asked(self, own: Mapping[str, Any], position: Position) -> dict[str, Any]:
        """The parameters of one request: the location stands on every page."""
        resource = self.resource
        place = {resource.location: self.location_id} if resource.location else {}
        own = {name: value for name, value in own.items() if f"{{{name}}}" not in resource.path}
        return {**place, **resource.always, **own, **position}

    def trail(self) -> Trail:
        """Follows the pages of one pass."""
        resource = self.resource
        return Trail(resource.name, resource.paging, resource.row_ids, resource.total)

    @property
    def firsts(self) -> list[dict[str, Any]]:
        """What is asked for page 1 of each pass: together they name the question."""
        first = self.resource.paging.first()
        return [{**own, **self.asked(own, first)} for own in self.passes]


@dataclass(frozen=True)
class Freshness:
    """How old an answer may be, and whether the server is asked at all."""

    expire_after: float = 3600.0
    refresh: bool = False
    offline: bool = False
    generation: str | None = None  # go on with this very walk, at any age


@dataclass
class Walk:
    """Iterate over it for its pages; afterwards it tells what that cost."""

    question: Question
    session: Session
    freshness: Freshness = field(default_factory=Freshness)
    watch: Watch = field(default_factory=Watch)
    limit: int | None = None
    heads: bool = False  # the first page of each pass is enough
    lock_patience: float | None = None  # seconds, where it is not to be the usual
    read: Callable[[bytes], Any] | None = None  # reads a body, where the resource's rows are not wanted
    record: Record | None = None
    pages: int = 0
    rows: int = 0  # a row that comes twice counts once
    spent: int = 0
    saved: int = 0
    announced: int | None = None
    complete: bool = False
    empty: list[Mapping[str, Any]] = field(default_factory=list)  # the passes that gave no row
    gone: list[Mapping[str, Any]] = field(default_factory=list)  # of which these, since the parent is not there
    _more: bool = False  # whether the pass goes on after the page just given
    _promised: int | None = 0  # rows that the passes before this one announced
    _failed: int = 0  # passes of a parent each
    _failed_in_a_row: int = 0
    _last_failure: HlkitError | None = None
    _has_expired: bool = False  # the server does not know a cursor any more that it gave
    _budget: Budget = field(default_factory=Budget)

    def __iter__(self) -> Iterator[Page]:
        try:
            yield from self._read_all()
        except DamagedWalk:
            if self.pages or self.freshness.offline:
                raise
        except InvalidRequest:
            if not self._has_expired:
                raise
            self._forget_all()
        else:
            return
        yield from self._read_all()

    def _forget_all(self) -> None:
        """Begin again at page 1, in a new walk: rows that were given come again, and are kept once."""
        assert self.record is not None
        self._cache.forget(self.record)
        self.freshness = replace(self.freshness, generation=None, refresh=True)
        self.pages = self.rows = self._promised = 0
        self.empty, self.gone = [], []

    def _read_all(self) -> Iterator[Page]:
        record, cut = self._begin(), False
        for number, own in enumerate(self.question.passes, start=1):
            trail = self.question.trail()
            last: Page | None = None
            is_final = number == len(self.question.passes)
            for last in self._patiently(own, self._pass(record, own, trail)):
                yield last
                if self.limit is not None and self.rows >= self.limit and (self._more or not is_final):
                    return
                if self.heads and self._more:
                    cut = True
                    break
            if not trail.rows:
                self.empty.append(own)
            total = None if last is None else self._total(last)
            self._promised = None if self._promised is None or total is None else self._promised + total
        if cut:
            return
        self.announced = self._promised
        self._report_failed()
        self._compare()
        self.complete = True
        if record.finished is None:
            self.record = self._cache.finish(record, self.pages, self.rows)
        else:
            self._cache.touch(record)

    def _patiently(self, own: Mapping[str, Any], pages: Iterator[Page]) -> Iterator[Page]:
        """The pages of one pass; where each parent has a pass, one that fails does not lose the others."""
        if self.question.resource.parent is None:
            yield from pages
            return
        try:
            yield from pages
        except NotFound:  # the parent was deleted meanwhile, or never was
            self._failed_in_a_row = 0
            self.gone.append(own)
        except _OF_ONE_PARENT as error:
            self._failed += 1
            self._failed_in_a_row += 1
            if self._failed_in_a_row >= FAILED_IN_A_ROW:
                raise
            self._last_failure = error
        else:
            self._failed_in_a_row = 0

    def _report_failed(self) -> None:
        if not self._failed:
            return
        resource = self.question.resource
        raise IncompleteDownload(
            f"{self._failed:,} of {len(self.question.passes):,} requests for {resource.name} failed, the last "
            f"with: {self._last_failure.message if self._last_failure else ''}",
            hint="the others are kept: .resume() asks for the failed ones alone",
            resource=resource.name,
        )

    def kept_pages(self) -> int:
        """The pages that this walk will not have to ask for."""
        try:
            found = self._choose(self._cache.walks(self._name()))
        except CacheLocked:
            return 0
        return 0 if found is None else found.pages

    # ---- the record

    @property
    def _cache(self) -> Cache:
        return self.session.cache

    def _begin(self) -> Record:
        """The record to go by: a complete one that is fresh, one that broke off, or a new one."""
        resource, fresh = self.question.resource, self.freshness
        name = self._name()
        records, record = self._known(name)
        if record is None and fresh.offline:
            raise NotKept(
                f"{resource.name} was never read completely, and offline=True asks no server",
                hint="connect without offline=True and read it once",
                resource=resource.name,
            )
        if record is None:
            known = {record.generation for record in records}
            record = self._cache.begin(
                name, resource.name, self.question.firsts, lambda now: self._choose_begun(now, known)
            )
        elif fresh.offline:
            age = duration(self._cache.age(record))
            warn(f"{resource.name} as read {age} ago (offline)", StaleWarning)
        self.record = record
        return record

    def _known(self, name: str) -> tuple[list[Record], Record | None]:
        """What is cached of the question, and which of it to go by; nothing while another program holds the file.

        Raises ``CacheLocked`` where no server may be asked instead.
        """

        def known() -> tuple[list[Record], Record | None]:
            records = self._cache.walks(name)
            return records, self._choose(records)

        if self.freshness.offline:
            return self._once_unlocked(known)
        try:
            return known()
        except CacheLocked:
            return [], None

    def _once_unlocked(self, read: Callable[[], T]) -> T:
        """What *read* gives; while another program holds the cache file, wait."""
        until = time.monotonic() + (LOCK_PATIENCE if self.lock_patience is None else self.lock_patience)
        while True:
            try:
                return read()
            except CacheLocked:
                if time.monotonic() > until:
                    raise
            self.watch.wait(0.1)

    def _name(self) -> str:
        resource = self.question.resource
        return self.session.question(resource.method, self.question.path, resource.version, self.question.firsts)

    def _choose(self, records: list[Record]) -> Record | None:
        fresh = self.freshness
        if fresh.generation is not None:
            return next((record for record in records if record.generation == fresh.generation), None)
        if not fresh.offline:
            records = [] if fresh.refresh else [record for record in records if self._is_young(record)]
        whole = [record for record in records if record.finished is not None]
        begun = [record for record in records if record.finished is None and not fresh.offline]
        return next((record for record in whole if self._is_whole(record)), begun[0] if begun else None)

    def _choose_begun(self, records: list[Record], known: set[str]) -> Record | None:
        """A walk over the same question that another thread or program has begun just now."""
        if self.freshness.refresh:
            return None
        return next((one for one in records if one.generation not in known and self._is_young(one)), None)

    def _is_young(self, record: Record) -> bool:
        return self._cache.age(record) < self.freshness.expire_after

    def _is_whole(self, record: Record) -> bool:
        """Whether all its pages are still there; a walk with a gap is of no use to anyone."""
        if self._cache.holds(record):
            return True
        if not self.freshness.offline:
            self._cache.forget(record)
        return False

    # ---- the pages

    def _pass(self, record: Record, own: Mapping[str, Any], trail: Trail) -> Iterator[Page]:
        before, rows_when_short = self.rows, -1
        last: Page | None = None
        visits: Counter[str] = Counter()  # a position may be asked again: each answer is kept, and replayed in order
        position: Position | None = self.question.resource.paging.first()
        while position is not None:
            asked, circle = position, None
            call = self._call(record, own, asked, visits)
            try:
                page = self._fetch(record, call)
            except InvalidRequest:
                self._has_expired = self.rows > before and not isinstance(trail.paging, Offset | PageNumber)
                raise
            try:
                position = trail.follow(asked, page)
            except IncompleteDownload as error:
                position, circle = None, error
                self.session.forget(call)  # so that .resume() asks for it again
            if position is None and circle is None and trail.is_short(page) and trail.rows != rows_when_short:
                again = self._fetch(record, self._call(record, own, asked, visits))
                position, rows_when_short = trail.again(asked, again), trail.rows
                page = (
                    again if len(again) >= len(page) else Page([*page.rows, *again.rows], again.envelope, again.odd)
                )
            self._more = position is not None
            self.pages += 1
            self.rows = before + trail.rows
            if record.finished is None:
                self._cache.note(record, self.pages, self.rows, None if position is None else _canonical(position))
            self._tell(page)
            yield page if last is None else Page(trail.beyond(last, page), page.envelope, page.odd)
            last = page
            if circle is not None:
                if trail.round > 1:
                    self._cache.forget(record)  # its pages contradict each other, however often they are read
                raise circle

    def _total(self, page: Page) -> int | None:
        return page.total(self.question.resource.total)

    def _call(self, record: Record, own: Mapping[str, Any], position: Position, visits: Counter[str]) -> Call:
        resource = self.question.resource
        asked = self.question.asked(own, position)
        visits[_canonical(position)] += 1
        searches = resource.method == "POST"
        return Call(
            method=resource.method,
            path=self.question.path_of(own),
            version=resource.version,
            params={} if searches else asked,
            body=asked if searches else None,
            check=self._read,
            doubts=self._doubts,
            resource=resource.name,
            scope=resource.scope,
            key_prefix=self._cache.prefix(record.generation),
            visit=visits[_canonical(position)],
            watch=self.watch,
            budget=self._budget,
            kept_only=record.finished is not None or self.freshness.offline,
        )

    def _fetch(self, record: Record, call: Call) -> Page:
        self.watch.ask()
        damage: NotKept | None = None
        try:
            page: Page = self._once_unlocked(lambda: self.session.fetch(call))
        except NotKept as error:
            damage = error
        finally:
            self.spent += call.sent
        if damage is not None and self.question.resource.parent is not None:
            raise NotFound(damage.message, resource=call.resource)  # its parent was gone when the walk was made
        if damage is not None:
            if not self.freshness.offline:
                self._cache.forget(record)
            raise DamagedWalk(damage.message, hint="read it again", resource=call.resource)
        self.saved += call.sent == 0
        self.session.saved += call.sent == 0
        return page

    def _read(self, body: bytes) -> Page:
        if self.read is not None:
            return Page((), self.read(body))
        return read_page(body, self.question.resource, self.question.location_id)

    def _doubts(self, page: Page) -> bool:
        """Whether rows may be missing from a page without anybody noticing later."""
        paging = self.question.resource.paging
        would_be_told = self._total(page) is not None and paging.ends_on_overlap  # the cursor is the last row's
        return self.read is None and not paging.is_full(page) and not would_be_told

    def _tell(self, page: Page) -> None:
        quota, total = self.session.pacer.quota, self._total(page)
        self.watch.tell(
            Progress(
                resource=self.question.resource.name,
                pages=self.pages,
                rows=self.rows,
                total=None if total is None or self._promised is None else self._promised + total,
                spent=self.spent,
                saved=self.saved,
                left=quota.burst,
                of=quota.burst_limit,
            )
        )

    @property
    def short(self) -> int:
        """How many rows fewer came than the server announced."""
        return max(0, (self.announced or 0) - self.rows)

    def _compare(self) -> None:
        """A short result is never quiet; a total that is odd twice over is normal, and no reason to give nothing."""
        if not self.short:
            return
        name = self.question.resource.name
        words = f"{name}: the server announced {self.announced:,} rows and sent {self.rows:,}"
        if self.rows == 0:
            raise IncompleteDownload(words, hint="try again in a minute", resource=name)
        warn(f"{words}, asked twice", ShortWarning)


def _canonical(position: Position) -> str:
    return json.dumps(position, sort_keys=True, default=str)
