"""One download: all pages of one question, resumable, and complete or an error.

The record is written before page 1. To resume means to start at page 1 again: pages that are cached cost no
request, so the first that is not cached is where the download broke off. Which download a call goes by:

1. One that is complete and younger than ``expire_after``, counted from its last page; none where ``refresh``.
2. One that broke off (a stop, a kill, an error, the end of the day's quota), with its last page younger than
   ``expire_after`` or 7 days, whichever is more, where the call wants more rows than it has. ``refresh`` resumes
   only what an earlier ``refresh`` began. Pages asked for by number are resumed only while the server announces
   the same number of rows; else the download starts again.
3. The first pages that ``limit=``, ``.count()`` or a loop over ``.pages()`` left that ended early, if they were
   begun within ``expire_after``.
4. Else a new one. Where no server may be asked, the newest complete one serves at any age.

A download that ends below the announced total asks its last page once more, then says so: a short result is
never silent.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, TypeVar
from urllib.parse import quote

from hlkit.client.errors import (
    CacheLocked,
    HlkitError,
    IncompleteDownload,
    InvalidRequest,
    NotCached,
    NotFound,
    ServerError,
    Timeout,
    UnexpectedResponse,
    WrongLocation,
)
from hlkit.client.http.body import read_page
from hlkit.client.http.cache import Cache
from hlkit.client.http.download_records import RESUMED_WITHIN, Record
from hlkit.client.http.progress import Progress, ProgressUpdate
from hlkit.client.http.rate_limit import duration
from hlkit.client.http.retry import Budget
from hlkit.client.http.session import Call, Session
from hlkit.client.pagination import Offset, Page, PageNumber, Paging, Position, SearchAfter, SeenRows
from hlkit.client.schema import Resource
from hlkit.client.warning import warn

LOCK_PATIENCE = 30.0  # seconds to wait for a program that holds the cache file, where no server will do
FAILED_IN_A_ROW = 5  # parents: then it is not the parents
_OF_ONE_PARENT = (IncompleteDownload, InvalidRequest, ServerError, Timeout, UnexpectedResponse, WrongLocation)

T = TypeVar("T")


class MissingRowsWarning(UserWarning):
    """Fewer rows came than the server announced."""


class DamagedDownload(NotCached):
    """A page of a complete walk cannot be read any more; the whole is to be read anew."""


class _Moved(Exception):
    """The server announces another number of rows than when the pages before were read."""


class StaleWarning(UserWarning):
    """Offline: these rows are as old as the warning says."""


@dataclass(frozen=True)
class Query:
    """What is asked of the server: a resource, a location, and parameters of one's own for each pass.

    ``family`` names, with the resource, the questions that differ from this one only in their span, which is
    ``since`` to ``until`` (Unix seconds).
    """

    resource: Resource
    location_id: str
    passes: tuple[Mapping[str, Any], ...] = ({},)
    family: str | None = None
    since: float | None = None
    until: float | None = None

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

    def trail(self) -> SeenRows:
        """Follows the pages of one pass."""
        resource = self.resource
        return SeenRows(resource.name, resource.paging, resource.row_ids, resource.total)

    @property
    def firsts(self) -> list[dict[str, Any]]:
        """What is asked for page 1 of each pass: together they name the question."""
        first = self.resource.paging.first()
        return [{**own, **self.asked(own, first)} for own in self.passes]


@dataclass(frozen=True)
class CachePolicy:
    """How old an answer may be, and whether the server is asked at all."""

    expire_after: float = 3600.0
    refresh: bool = False
    offline: bool = False
    generation: str | None = None  # go on with this very walk, at any age


@dataclass
class Download:
    """Iterate over it for its pages; afterwards it tells what that cost."""

    question: Query
    session: Session
    freshness: CachePolicy = field(default_factory=CachePolicy)
    progress: Progress = field(default_factory=Progress)
    limit: int | None = None
    is_cut: bool = False  # rows that are not wanted come along: more than the limit may be needed
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
    _is_circle: bool = False  # that the pages go in, which broke it
    _cached: int = 0  # pages that the record had when this walk took it up
    restarts: int = 0  # each begins again at page 1, and the rows given before do not count
    _budget: Budget = field(default_factory=Budget)

    def __iter__(self) -> Iterator[Page]:
        try:
            yield from self._read_all()
            return
        except DamagedDownload:
            if self.pages or (self.freshness.offline and not self.is_replaced()):
                raise
        except _Moved:
            self._forget_all()
        except IncompleteDownload:
            if not (self._is_circle and self._cached):  # else the pages that are cached may be what is wrong
                raise
            self._forget_all()
        except InvalidRequest:
            if not self._has_expired:
                raise
            self._forget_all()
        yield from self._read_all()

    def _has_enough(self) -> bool:
        return self.limit is not None and not self.is_cut and self.rows >= self.limit

    def settle(self) -> None:
        """Whoever looped over the pages has enough of them; a loop over hours more likely broke."""
        record = self.record
        if record and record.finished is None and self._cache.elapsed(record.started) < self.freshness.expire_after:
            self._cache.accept_partial(record)

    def is_replaced(self) -> bool:
        """Whether another download serves in place of the one that this walk went by."""
        gone, newest = self.record, self._known(self._name())[1]
        return newest is not None and (gone is None or newest.generation != gone.generation)

    def _forget_all(self) -> None:
        """Begin again at page 1, in a new download: rows that were given come again."""
        assert self.record is not None
        self._cache.delete_download(self.record)
        self.freshness = replace(self.freshness, generation=None, refresh=True)
        self.pages = self.rows = self._promised = 0
        self._failed = self._failed_in_a_row = 0
        self._is_circle = False
        self.restarts += 1
        self.empty, self.gone = [], []

    def _read_all(self) -> Iterator[Page]:
        record, cut = self._begin(), False
        for number, own in enumerate(self.question.passes, start=1):
            trail = self.question.trail()
            last: Page | None = None
            is_final = number == len(self.question.passes)
            for last in self._patiently(own, self._pass(record, own, trail)):
                yield last
                if self._has_enough() and (self._more or not is_final):
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
            assert self.record is not None
            self.record = self._cache.finish(self.record)

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
            hint="try again in a minute",
            resource=resource.name,
        )

    def kept_pages(self) -> int:
        """The pages that this walk will not have to ask for."""
        try:
            found = self._choose(self._cache.downloads(self._name()))
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
            raise NotCached(
                f"{resource.name} was never read completely, and offline=True asks no server",
                hint="connect without offline=True and read it once",
                resource=resource.name,
            )
        if record is None:
            known = {record.generation for record in records}
            begun = self._cache.new_record(
                name,
                resource.name,
                self.question.firsts,
                family=self._family(name),
                since=self.question.since,
                until=self.question.until,
                fresh_for=fresh.expire_after,
                is_refresh=fresh.refresh,
                wanted=self._wanted,
            )
            record = self._cache.begin(begun, lambda now: self._choose_begun(now, known))
        elif fresh.offline:
            age = duration(self._cache.age(record))
            warn(f"{resource.name} as read {age} ago (offline)", StaleWarning)
        if record.finished is not None:
            record = self._cache.mark_read(record)
        elif self._wanted is None:
            record = replace(record, wanted=None)
        else:
            record = replace(record, wanted=None if record.wanted is None else max(record.wanted, self._wanted))
        self.record, self._cached = record, record.pages
        began = self._cache.elapsed(record.started)
        if record.finished is None and record.pages and began > fresh.expire_after:
            self.progress.on_note(
                f"{resource.name} · resumed, {record.pages:,} pages cached since {duration(began)} ago"
            )
        return record

    @property
    def _wanted(self) -> int | None:
        """How many rows this walk is to bring: none where the first pages are enough, ``None`` for all."""
        return 0 if self.heads else self.limit

    def _family(self, name: str) -> str:
        question = self.question
        if question.family is None:
            return name
        return self.session.question(question.resource.method, question.path, "family", question.family)

    def _known(self, name: str) -> tuple[list[Record], Record | None]:
        """What is cached of the question, and which of it to go by; nothing while another program holds the file.

        Raises ``CacheLocked`` where no server may be asked instead.
        """

        def known() -> tuple[list[Record], Record | None]:
            records = self._cache.downloads(name)
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
            self.progress.wait(0.1)

    def _name(self) -> str:
        resource = self.question.resource
        return self.session.question(resource.method, self.question.path, resource.version, self.question.firsts)

    def _choose(self, records: list[Record]) -> Record | None:
        """The record to go by, as the top of this file says, of those of the question, newest first."""
        fresh = self.freshness
        named = [record for record in records if record.generation == fresh.generation]
        if named:  # else it was replaced meanwhile
            return named[0]
        complete = [record for record in records if record.finished is not None]
        if fresh.offline:
            return next((record for record in complete if self._is_whole(record)), None)
        young = [record for record in complete if self._cache.age(record) < fresh.expire_after and not fresh.refresh]
        newest = max(
            (record.started for record in complete if self._cache.elapsed(record.started) < inf), default=0.0
        )
        begun = [record for record in records if record.started > newest and self._goes_on_from(record)]
        return next(filter(self._is_whole, young), max(begun, key=lambda record: record.rows, default=None))

    def _goes_on_from(self, record: Record) -> bool:
        """Whether this walk may take up a download that is not finished."""
        if record.finished is not None:
            return False
        fresh = self.freshness
        wants_more = not self.heads and (self.limit is None or self.limit > record.rows)
        is_resumed = (
            record.is_interrupted
            and wants_more
            and self._cache.resumes
            and self._cache.age(record) < max(fresh.expire_after, RESUMED_WITHIN)
        )
        if fresh.refresh:
            return is_resumed and record.is_refresh
        return is_resumed or self._cache.elapsed(record.started) < fresh.expire_after

    def _choose_begun(self, records: list[Record], known: set[str]) -> Record | None:
        """A download of the same that another thread or program has begun just now."""
        return next((one for one in records if one.generation not in known and self._goes_on_from(one)), None)

    def _is_whole(self, record: Record) -> bool:
        """Whether all its pages are still there; a walk with a gap is of no use to anyone."""
        if self._cache.has_all_pages(record):
            return True
        if not self.freshness.offline:
            self._cache.delete_download(record)
        return False

    # ---- the pages

    def _pass(self, record: Record, own: Mapping[str, Any], trail: SeenRows) -> Iterator[Page]:
        before, rows_when_short = self.rows, -1
        has_arrived = True  # the page before, over the network
        last: Page | None = None
        visits: Counter[int] = Counter()  # a position may be asked again: each answer is kept, and replayed in order
        position: Position | None = self.question.resource.paging.first()
        while position is not None:
            asked, circle = position, None
            call = self._call(record, own, asked, visits)
            try:
                page = self._fetch(record, call)
            except InvalidRequest:
                self._has_expired = self.rows > before and not isinstance(trail.paging, Offset | PageNumber)
                raise
            if last is not None and not has_arrived and call.arrived and self.pages <= self._cached:
                self._check_total(trail.paging, asked, last, page)
            has_arrived = call.arrived
            try:
                position = trail.next_position(asked, page)
            except IncompleteDownload as error:
                position, circle = None, error
                self.session.forget(call)  # so that .resume() asks for it again
            if position is None and circle is None and trail.is_short(page) and trail.rows != rows_when_short:
                second = self._call(record, own, asked, visits)
                again = self._fetch(record, second)
                has_arrived = has_arrived or second.arrived
                position, rows_when_short = trail.after_retry(asked, again), trail.rows
                page = (
                    again
                    if len(again) >= len(page)
                    else Page([*page.rows, *again.rows], again.envelope, again.skipped)
                )
            self._more = position is not None
            self.pages += 1
            self.rows = before + trail.rows
            self._note(record, has_arrived)
            self._tell(page)
            yield page if last is None else Page(trail.beyond(last, page), page.envelope, page.skipped)
            last = page
            if circle is not None:
                self._is_circle = True
                if trail.attempt > 1:
                    self._cache.delete_download(
                        record
                    )  # its pages contradict each other, however often they are read
                raise circle

    def _check_total(self, paging: Paging, asked: Position, last: Page, page: Page) -> None:
        """Raise ``_Moved`` where rows came or went since the pages before were read, and pages go by number."""
        is_numbered = isinstance(paging, PageNumber) or (isinstance(paging, SearchAfter) and asked.get("page", 1) > 1)
        if is_numbered and self._total(page) != self._total(last):
            raise _Moved

    def _note(self, record: Record, has_arrived: bool) -> None:
        """Write how far the download is; where it is complete already, that somebody reads it."""
        assert self.record is not None
        if record.finished is not None:
            self.record = self._cache.mark_read(self.record)
            return
        fetched = self._cache.now() if has_arrived else self.record.fetched
        self.record = replace(self.record, pages=self.pages, rows=self.rows, fetched=fetched)
        if has_arrived or self.pages > self._cached:
            self._cache.save(self.record)

    def _total(self, page: Page) -> int | None:
        return page.total(self.question.resource.total)

    def _call(self, record: Record, own: Mapping[str, Any], position: Position, visits: Counter[int]) -> Call:
        resource = self.question.resource
        asked = self.question.asked(own, position)
        visit = hash(_canonical(position))
        visits[visit] += 1
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
            key_prefix=record.prefix,
            visit=visits[visit],
            progress=self.progress,
            budget=self._budget,
            kept_only=record.finished is not None or self.freshness.offline,
        )

    def _fetch(self, record: Record, call: Call) -> Page:
        self.progress.raise_if_canceled()
        damage: NotCached | None = None
        try:
            page: Page = self._once_unlocked(lambda: self.session.fetch(call))
        except NotCached as error:
            damage = error
        finally:
            self.spent += call.sent
        if damage is not None and self.question.resource.parent is not None:
            raise NotFound(damage.message, resource=call.resource)  # its parent was gone when the walk was made
        if damage is not None:
            if not self.freshness.offline:
                self._cache.delete_download(record)
            raise DamagedDownload(
                "a page of this download is gone: it was replaced meanwhile, or its file was damaged",
                hint="read it again",
                resource=call.resource,
            )
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
        self.progress.on_page(
            ProgressUpdate(
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

    def pages_for_the_next(self) -> int:
        """How many pages the same call, made again within seven days, in another program too, will not ask for."""
        if (
            self.record is None
            or not self.record.is_interrupted
            or not self._cache.resumes
            or self._cache.path is None
        ):
            return 0
        try:
            return self._cache.count_pages(self.record)
        except CacheLocked:
            return 0

    def family(self) -> list[Record]:
        """Newest first, the downloads of questions that differ in their passes alone. Raises ``CacheLocked``."""
        name, question = self._family(self._name()), self.question
        span = (question.since, question.until)

        def family() -> list[Record]:
            return [one for one in self._cache.downloads() if one.family == name and (one.since, one.until) == span]

        return self._once_unlocked(family) if self.freshness.offline else family()

    def goes_on_from(self, record: Record) -> bool:
        """Whether this call may take up a download, by its age and what it brought."""
        if self.freshness.offline:
            return record.finished is not None
        return self._goes_on_from(record)

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
            if self.record is not None:
                self._cache.delete_download(self.record)  # the next call asks again
            raise IncompleteDownload(words, hint="try again in a minute", resource=name)
        warn(f"{words}, asked twice", MissingRowsWarning)


def _canonical(position: Position) -> str:
    return json.dumps(position, sort_keys=True, default=str)
