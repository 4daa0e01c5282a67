"""One download: all pages of one query. It is resumable, and it is either complete or an error.

Terms:

- A *query* is a resource of one location with one or more *parameter sets*. Each set is paged through to its end
  before the next: for example, all non-email messages and then email, or the notes of one contact after the other.
- A *parent* is the row whose children a parameter set reads, such as the contact whose notes are read.
- A *record* is what the cache knows of a download: when it started, how many pages and rows arrived, and whether it
  is finished. It is written before page 1. Its ``generation`` is the download's unique id.
- To *resume* a download is to start at page 1 with its record. Cached pages cost no request, so the first request is
  for the first missing page.

The order of operations:

1. Choose the record of an earlier download, or create a new one. The rules are below.
2. For each parameter set, page after page: get the next page from the cache or the server; save the record, report
   progress, then yield the page. ``pagination`` says which page comes next, and raises if the pages repeat forever.
3. If a set ends with fewer rows than the server announced, request its last page once more.
4. If rows are still missing, warn; if rows were announced and none arrived, delete the record and raise. Then mark
   the record as finished.

Which record is used: the first that applies.

1. The record of the requested ``generation``, at any age, if it still exists.
2. The newest finished download whose last page is younger than ``expire_after`` and whose pages are all in the cache.
   Not with ``refresh``.
3. An unfinished download that started after the newest finished one. If several qualify, the one with the most rows.
   It has to be one of these:

   - An interrupted download (canceled, killed, failed, out of daily quota) if this call wants more rows than it has,
     and its last page is younger than ``expire_after`` or 7 days, whichever is longer. ``refresh`` resumes only what
     an earlier ``refresh`` started.
   - Any that started less than ``expire_after`` ago, such as a partial download left behind by ``limit=``,
     ``.count()`` or a ``for`` loop over ``.pages()`` that was exited early. Not with ``refresh``.
4. A new record.

Offline, after rule 1, only a finished download whose pages are all in the cache is used: the newest, at any age.

If pages are requested by number and the announced total has changed since they were cached, the download restarts
with a new record.
"""

from __future__ import annotations

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
from hlkit.client.http.retry import RetryBudget
from hlkit.client.http.session import RequestSpec, Session
from hlkit.client.pagination import Offset, Page, PageNumber, Position, SearchAfter, SeenRows
from hlkit.client.schema import Resource
from hlkit.client.text import canonical_json
from hlkit.client.warning import warn

# Seconds to wait for another program that holds the cache file. Used offline, and for the
# pages of a finished download. Otherwise the server is asked.
LOCK_TIMEOUT = 30.0
# This many parents failing in a row means that the problem is not specific to one parent, so the download gives up.
MAX_CONSECUTIVE_FAILURES = 5
_FAILURES_OF_ONE_PARENT = (
    IncompleteDownload,
    InvalidRequest,
    ServerError,
    Timeout,
    UnexpectedResponse,
    WrongLocation,
)

T = TypeVar("T")


class MissingRowsWarning(UserWarning):
    """The server sent fewer rows than it announced."""


class StaleWarning(UserWarning):
    """Offline: rows from the cache that may be out of date. The message gives their age."""


class DamagedDownload(NotCached):
    """A page of a finished download can no longer be read from the cache. All of it has to be downloaded again."""


class _TotalChanged(Exception):
    """The server announces a different number of rows than it did for the cached pages."""


@dataclass(frozen=True)
class Query:
    """What to download: a resource of one location, with one or more parameter sets.

    Queries that differ only in their dates and parents share a ``family``, by which related cached downloads are
    found. ``since`` and ``until`` are the dates, in Unix seconds.
    """

    resource: Resource
    location_id: str
    parameter_sets: tuple[Mapping[str, Any], ...] = ({},)
    family: str | None = None
    since: float | None = None
    until: float | None = None

    @property
    def path(self) -> str:
        return self.resource.path.replace("{locationId}", self.location_id)

    def path_for(self, parameters: Mapping[str, Any]) -> str:
        """The path for one parameter set, which may fill a placeholder: ``/contacts/{contactId}/notes``."""

        def fill(placeholder: re.Match[str]) -> str:
            value = parameters.get(placeholder[1], placeholder[0])  # not filled in the path that identifies the query
            return quote(str(value), safe="")

        return re.sub(r"\{(\w+)\}", fill, self.path)

    def request_parameters(self, parameters: Mapping[str, Any], position: Position) -> dict[str, Any]:
        """The parameters of one request: the location, the resource's constants, the parameter set and the page."""
        resource = self.resource
        location = {resource.location_parameter: self.location_id} if resource.location_parameter else {}
        not_in_path = {name: value for name, value in parameters.items() if f"{{{name}}}" not in resource.path}
        return {**location, **resource.constant_parameters, **not_in_path, **position}

    @property
    def first_page_parameters(self) -> list[dict[str, Any]]:
        """The parameters of page 1 of each parameter set. Together they identify the query."""
        first = self.resource.paging.first()
        # request_parameters() leaves out those that are in the path. They identify the query too, so add them again.
        return [{**parameters, **self.request_parameters(parameters, first)} for parameters in self.parameter_sets]


@dataclass(frozen=True)
class CachePolicy:
    """Which cached pages may be used.

    ``expire_after`` is in seconds. ``refresh`` ignores finished downloads. ``offline`` sends no requests.
    ``generation`` resumes that one download, at any age.
    """

    expire_after: float = 3600.0
    refresh: bool = False
    offline: bool = False
    generation: str | None = None


@dataclass
class Download:
    """Iterate over it to get its pages. Afterwards, its attributes describe the result and its cost.

    Options
    -------
    query, session, cache_policy : what to download, through what, and which cached pages may be used
    progress : receives progress and wait-time updates; can cancel the download
    limit : stop after the page that reaches this many rows; ``None`` for all
    has_extra_rows : the server also sends rows that the caller will drop, so ``limit`` is left to the caller
    first_page_only : stop after the first page of each parameter set
    lock_timeout : seconds to wait for another program that holds the cache file, instead of ``LOCK_TIMEOUT``
    parse : a custom parser of response bodies, for endpoints that do not return rows

    Results
    -------
    record : the download's record in the cache
    pages, rows : how many arrived; a row that arrives twice counts once
    requests : HTTP requests sent, retries included
    from_cache : how many pages came from the cache
    expected_rows : the number that the server announced, if it did
    complete : whether nothing is missing
    without_rows : the parameter sets that returned no rows
    not_found : those of them whose parent does not exist
    restarts : how often the download restarted at page 1. Only the rows after the last restart count.
    """

    query: Query
    session: Session
    cache_policy: CachePolicy = field(default_factory=CachePolicy)
    progress: Progress = field(default_factory=Progress)
    limit: int | None = None
    has_extra_rows: bool = False
    first_page_only: bool = False
    lock_timeout: float | None = None
    parse: Callable[[bytes], Any] | None = None

    record: Record | None = None
    pages: int = 0
    rows: int = 0
    requests: int = 0
    from_cache: int = 0
    expected_rows: int | None = None
    complete: bool = False
    without_rows: list[Mapping[str, Any]] = field(default_factory=list)
    not_found: list[Mapping[str, Any]] = field(default_factory=list)
    restarts: int = 0

    _cached_pages: int = 0  # that the record had when this download took it over
    _has_next_page: bool = False  # in this parameter set, after the page that was yielded last
    _announced_rows: int | None = 0  # sum over the parameter sets read so far; None if one had no total
    _failed_parents: int = 0
    _consecutive_failures: int = 0
    _last_failure: HlkitError | None = None
    _cursor_expired: bool = False
    _has_page_cycle: bool = False
    _retry_budget: RetryBudget = field(default_factory=RetryBudget)

    @property
    def missing_rows(self) -> int:
        """How many rows the server announced and did not send."""
        return max(0, (self.expected_rows or 0) - self.rows)

    def __iter__(self) -> Iterator[Page]:
        """The pages. If the cached ones turn out to be unusable, the download is read a second time.

        Pages already yielded are then yielded again; check ``restarts``.
        """
        try:
            yield from self._read_all()
            return
        except DamagedDownload:
            # Online, the damaged record was deleted by then, so the pages are requested anew. Offline, only another
            # finished download can take its place.
            can_read_again = not self.cache_policy.offline or self.is_replaced()
            if self.pages or not can_read_again:
                raise
        except _TotalChanged:
            self._restart()
        except IncompleteDownload:
            is_cache_suspect = self._has_page_cycle and self._cached_pages  # a cached page may have started the cycle
            if not is_cache_suspect:
                raise
            self._restart()
        except InvalidRequest:
            if not self._cursor_expired:
                raise
            self._restart()
        yield from self._read_all()

    def _restart(self) -> None:
        """Delete the record and reset the rows and pages, so that the next record is a new one.

        ``requests`` and ``from_cache`` go on counting.
        """
        self._cache.delete_download(self._current_record)
        self.cache_policy = replace(self.cache_policy, generation=None, refresh=True)
        self.pages = self.rows = self._announced_rows = 0
        self._failed_parents = self._consecutive_failures = 0
        self._last_failure = None
        self._has_page_cycle = False
        self.without_rows, self.not_found = [], []
        self.restarts += 1

    def _read_all(self) -> Iterator[Page]:
        """Choose a record, yield every page, then mark the record as finished."""
        self._choose_record()
        has_skipped_pages = False
        for number, parameters in enumerate(self.query.parameter_sets, start=1):
            is_last_set = number == len(self.query.parameter_sets)
            seen = self._create_row_tracker()
            page: Page | None = None
            for page in self._skipping_failed_parents(parameters, self._read_set(parameters, seen)):
                yield page
                if self._has_reached_limit() and (self._has_next_page or not is_last_set):
                    return
                if self.first_page_only and self._has_next_page:
                    has_skipped_pages = True
                    break
            if not seen.row_count:
                self.without_rows.append(parameters)
            total = None if page is None else self._total(page)
            self._announced_rows = self._announced_plus(total)
        if has_skipped_pages:
            return
        self.expected_rows = self._announced_rows
        self._raise_for_failed_parents()
        self._report_missing_rows()
        self.complete = True
        if self._current_record.finished_at is None:
            self.record = self._cache.finish(self._current_record)

    def _has_reached_limit(self) -> bool:
        return self.limit is not None and not self.has_extra_rows and self.rows >= self.limit

    def _announced_plus(self, total: int | None) -> int | None:
        """The rows announced for earlier parameter sets plus *total* for this one; ``None`` if either is unknown."""
        return None if self._announced_rows is None or total is None else self._announced_rows + total

    def _skipping_failed_parents(self, parameters: Mapping[str, Any], pages: Iterator[Page]) -> Iterator[Page]:
        """The *pages* of one parameter set.

        If each set reads one parent (for example, the notes of one contact), a set that fails does not end the
        download, unless too many fail in a row.
        """
        if self.query.resource.parent is None:
            yield from pages
            return
        try:
            yield from pages
        except NotFound:  # the parent was deleted meanwhile, or never existed
            self._consecutive_failures = 0
            self.not_found.append(parameters)
        except _FAILURES_OF_ONE_PARENT as error:
            self._failed_parents += 1
            self._consecutive_failures += 1
            if self._consecutive_failures >= MAX_CONSECUTIVE_FAILURES:
                raise
            self._last_failure = error
        else:
            self._consecutive_failures = 0

    def _raise_for_failed_parents(self) -> None:
        if self._last_failure is None:
            return
        name = self.query.resource.name
        raise IncompleteDownload(
            f"{self._failed_parents:,} of {len(self.query.parameter_sets):,} requests for {name} failed, the last "
            f"with: {self._last_failure.message}",
            hint="try again in a minute",
            resource=name,
        )

    def _report_missing_rows(self) -> None:
        """Warn or raise if rows are missing even after the last page was requested again.

        A total that is slightly off is common, so this is a warning. If no rows arrived at all, it is an error.
        """
        if not self.missing_rows:
            return
        name = self.query.resource.name
        message = f"{name}: the server announced {self.expected_rows:,} rows and sent {self.rows:,}"
        if self.rows == 0:
            self._cache.delete_download(self._current_record)  # so that the next call requests it again
            raise IncompleteDownload(message, hint="try again in a minute", resource=name)
        warn(f"{message} (requested twice)", MissingRowsWarning)

    # ---- step 1: the record

    @property
    def _cache(self) -> Cache:
        return self.session.cache

    @property
    def _current_record(self) -> Record:
        """``record``, once it is chosen."""
        assert self.record is not None
        return self.record

    def _query_id(self) -> str:
        resource = self.query.resource
        return self.session.query_id(
            resource.method, self.query.path, resource.version, self.query.first_page_parameters
        )

    def _family_id(self, query_id: str) -> str:
        """The id of the query's family, or the query's own id if it has no family."""
        query = self.query
        if query.family is None:
            return query_id
        return self.session.query_id(query.resource.method, query.path, "family", query.family)

    @property
    def _wanted_rows(self) -> int | None:
        """The number of rows needed: ``None`` for all, 0 if only first pages are needed."""
        return 0 if self.first_page_only else self.limit

    def _choose_record(self) -> None:
        """Set ``record`` to the one to use, by the rules at the top of this file."""
        resource, policy = self.query.resource, self.cache_policy
        query_id = self._query_id()
        records, record = self._find_record(query_id)
        if self.restarts and not policy.offline:
            record = None  # pages of an earlier refresh do not fit those to come either
        if record is None:
            if policy.offline:
                raise NotCached(
                    f"{resource.name} was never downloaded completely, and offline=True sends no requests",
                    hint="connect without offline=True and read it once",
                    resource=resource.name,
                )
            record = self._create_record(query_id, records)
        elif policy.offline:
            age = duration(self._cache.age(record))  # since its last page was fetched
            warn(f"{resource.name} as of {age} ago (offline)", StaleWarning)
        if record.finished_at is not None:
            record = self._cache.mark_read(record)
        else:
            wanted = self._wanted_rows
            # The record keeps the most rows that any call wanted (None: all). With fewer, it counts as interrupted.
            if wanted is not None:
                wanted = None if record.wanted is None else max(record.wanted, wanted)
            record = replace(record, wanted=wanted)
        self.record, self._cached_pages = record, record.pages
        seconds_since_start = self._cache.elapsed(record.started_at)
        if record.finished_at is None and record.pages and seconds_since_start > policy.expire_after:
            started = duration(seconds_since_start)
            self.progress.on_note(f"{resource.name} · resumed: {record.pages:,} pages cached, started {started} ago")

    def _create_record(self, query_id: str, records: list[Record] | None) -> Record:
        """A new record, or one that another thread or program created since *records* were read."""
        earlier = {record.generation for record in records or ()}

        def choose(current: list[Record]) -> Record | None:
            if records is None:  # so any of them may be an old one
                return None
            return next(
                (record for record in current if record.generation not in earlier and self._can_continue(record)),
                None,
            )

        new = self._cache.new_record(
            query_id,
            self.query.resource.name,
            self.query.first_page_parameters,
            family=self._family_id(query_id),
            since=self.query.since,
            until=self.query.until,
            fresh_for=self.cache_policy.expire_after,
            is_refresh=self.cache_policy.refresh,
            wanted=self._wanted_rows,
        )
        # begin() passes the query's current records to choose(), and saves *new* only if that returns None.
        return self._cache.begin(new, choose)

    def _find_record(self, query_id: str) -> tuple[list[Record] | None, Record | None]:
        """The records of the query, and the one to use. Both are ``None`` while another program holds the cache file.

        Raises ``CacheLocked`` offline, where there is no server to use instead.
        """

        def read() -> tuple[list[Record] | None, Record | None]:
            records = self._cache.downloads(query_id)
            return records, self._best_record(records)

        if self.cache_policy.offline:
            return self._when_unlocked(read)
        try:
            return read()
        except CacheLocked:
            return None, None

    def _when_unlocked(self, read: Callable[[], T]) -> T:
        """What *read* returns, once no other program holds the cache file. Raises ``CacheLocked`` after a while."""
        end = time.monotonic() + (LOCK_TIMEOUT if self.lock_timeout is None else self.lock_timeout)
        while True:
            try:
                return read()
            except CacheLocked:
                if time.monotonic() > end:
                    raise
            self.progress.wait(0.1)

    def _best_record(self, records: list[Record]) -> Record | None:
        """The best of the query's records (newest first), or ``None``.

        Deletes finished downloads that would be used but have lost a page.
        """
        policy, cache = self.cache_policy, self._cache
        requested = [record for record in records if record.generation == policy.generation]
        if requested:  # empty if that download was replaced meanwhile
            return requested[0]
        finished = [record for record in records if record.finished_at is not None]
        if policy.offline:
            return next(filter(cache.has_all_pages, finished), None)
        for record in finished:
            if policy.refresh or cache.age(record) >= policy.expire_after:
                continue
            if cache.has_all_pages(record):
                return record
            cache.delete_download(record)  # a page is missing, so this download is of no use to any call
        # Continue only what started after the newest finished download. Ignore start times in the future (the clock
        # was wrong): elapsed() returns inf for them.
        newest_start = max(
            (record.started_at for record in finished if cache.elapsed(record.started_at) < inf), default=0.0
        )
        unfinished = [record for record in records if record.started_at > newest_start and self._can_continue(record)]
        return max(unfinished, key=lambda record: record.rows, default=None)

    def _can_continue(self, record: Record) -> bool:
        """Whether this call may continue an unfinished download."""
        if record.finished_at is not None:
            return False
        policy = self.cache_policy
        wants_more = not self.first_page_only and (self.limit is None or self.limit > record.rows)
        can_resume = (
            record.is_interrupted
            and wants_more
            and self._cache.supports_resume
            and self._cache.age(record) < max(policy.expire_after, RESUMED_WITHIN)
        )
        if policy.refresh:
            return can_resume and record.is_refresh
        return can_resume or self._cache.elapsed(record.started_at) < policy.expire_after

    # ---- steps 2 and 3: the pages of one parameter set

    def _create_row_tracker(self) -> SeenRows:
        """Tracks the rows of one parameter set, and knows which page comes next."""
        resource = self.query.resource
        return SeenRows(resource.name, resource.paging, resource.row_ids, resource.total)

    def _read_set(self, parameters: Mapping[str, Any], seen: SeenRows) -> Iterator[Page]:
        """The pages of one parameter set. Rows that a page shares with the one before are left out."""
        rows_before = self.rows
        rows_at_last_repeat: int | None = None  # when the last page was requested again (step 3); None: not yet
        # How often each position was requested. A repeated request gets a cache entry of its own, so that a cached
        # download yields the same pages in the same order.
        occurrences: Counter[str] = Counter()
        previous: Page | None = None
        previous_from_network = True
        next_position: Position | None = self.query.resource.paging.first()
        while next_position is not None:
            position = next_position
            spec = self._request_spec(parameters, position, occurrences)
            try:
                page = self._fetch(spec)
            except InvalidRequest:
                # The cursor worked on page 1, so a rejected request now means that it has expired.
                is_cursor = not isinstance(self.query.resource.paging, Offset | PageNumber)
                self._cursor_expired = is_cursor and self.rows > rows_before
                raise
            from_network = spec.from_network  # set by fetch()
            # True for the first page from the network right after the pages of an earlier run. Cached pages that come
            # later were stored during this run, by another thread or program.
            is_first_after_cached = from_network and not previous_from_network and self.pages <= self._cached_pages
            if previous is not None and is_first_after_cached:
                self._require_same_total(position, previous, page)

            cycle_error: IncompleteDownload | None = None
            try:
                next_position = seen.next_position(position, page)
            except IncompleteDownload as error:  # the pages repeat: yield this one, then raise
                next_position, cycle_error = None, error
                self.session.forget(spec)  # so that .resume() requests it again

            is_end = next_position is None and cycle_error is None
            brought_rows_since_repeat = seen.row_count != rows_at_last_repeat
            if is_end and seen.is_short(page) and brought_rows_since_repeat:
                repeat = self._request_spec(parameters, position, occurrences)
                repeated = self._fetch(repeat)
                from_network = from_network or repeat.from_network
                next_position = seen.next_position_after_repeat(position, repeated)
                rows_at_last_repeat = seen.row_count
                page = _merge_repeat(page, repeated)

            self._has_next_page = next_position is not None
            self.pages += 1
            self.rows = rows_before + seen.row_count
            self._save_record(from_network)
            self._report_progress(page)
            if previous is None:
                yield page
            else:
                new_rows = seen.new_rows(previous, page)
                yield Page(new_rows, page.envelope, page.skipped)
            if cycle_error is not None:
                self._has_page_cycle = True
                # SeenRows had already restarted this parameter set (attempt 2) and found a cycle again, so the cached
                # pages are useless.
                if seen.attempt > 1:
                    self._cache.delete_download(self._current_record)
                raise cycle_error
            previous, previous_from_network = page, from_network

    def _request_spec(
        self, parameters: Mapping[str, Any], position: Position, occurrences: Counter[str]
    ) -> RequestSpec:
        """The request for the page at *position*. Counts it in *occurrences*."""
        resource, record = self.query.resource, self._current_record
        request_parameters = self.query.request_parameters(parameters, position)
        position_json = canonical_json(position)
        occurrences[position_json] += 1
        is_search = resource.method == "POST"
        return RequestSpec(
            method=resource.method,
            path=self.query.path_for(parameters),
            version=resource.version,
            params={} if is_search else request_parameters,
            body=request_parameters if is_search else None,
            parse=self._parse,
            resource=resource.name,
            scope=resource.scope,
            key_prefix=record.prefix,
            occurrence=occurrences[position_json],
            cache_only=record.finished_at is not None or self.cache_policy.offline,
            progress=self.progress,
            retry_budget=self._retry_budget,
            may_be_truncated=self._may_be_truncated,
        )

    def _parse(self, body: bytes) -> Page:
        if self.parse is not None:
            return Page((), self.parse(body))
        return read_page(body, self.query.resource, self.query.location_id)

    def _may_be_truncated(self, page: Page) -> bool:
        """Whether this page may lack rows without any later page or total exposing it."""
        paging = self.query.resource.paging
        # With ends_on_overlap, each page starts at the last row received: rows missing from one page arrive with the
        # next, and rows missing at the end show up against the total.
        is_revealed_later = self._total(page) is not None and paging.ends_on_overlap
        return self.parse is None and not paging.is_full(page) and not is_revealed_later

    def _fetch(self, spec: RequestSpec) -> Page:
        """One page, from the cache or the server."""
        self.progress.raise_if_canceled()
        not_cached: NotCached | None = (
            None  # converted below, outside ``except``, so that the new error has no __context__
        )
        try:
            page: Page = self._when_unlocked(lambda: self.session.fetch(spec))
        except NotCached as error:
            not_cached = error
        finally:
            self.requests += spec.requests_sent
        if not_cached is not None and self.query.resource.parent is not None:
            # 404s are not cached, so a missing page means the parent was already gone when this was downloaded.
            raise NotFound(not_cached.message, resource=spec.resource)
        if not_cached is not None:
            if not self.cache_policy.offline:
                self._cache.delete_download(self._current_record)
            raise DamagedDownload(
                "a cached page is gone: the download was replaced meanwhile, or the cache file was damaged",
                hint="read it again",
                resource=spec.resource,
            )
        if not spec.requests_sent:  # set by fetch()
            self.from_cache += 1
            self.session.from_cache += 1
        return page

    def _require_same_total(self, position: Position, previous: Page, page: Page) -> None:
        """Raise if rows were added or deleted since the pages were cached, and pages are requested by number.

        Rows then moved from page to page, and the cached pages do not fit the new ones. The error is
        ``_TotalChanged``.
        """
        paging = self.query.resource.paging
        # SearchAfter falls back to page numbers when rows have no cursor.
        is_numbered = isinstance(paging, PageNumber) or (
            isinstance(paging, SearchAfter) and position.get("page", 1) > 1
        )
        if is_numbered and self._total(page) != self._total(previous):
            raise _TotalChanged

    def _save_record(self, from_network: bool) -> None:
        """Save how far the download is; one finished by an earlier run is marked as read, for cleanup."""
        record = self._current_record
        if record.finished_at is not None:
            self.record = self._cache.mark_read(record)
            return
        fetched_at = self._cache.now() if from_network else record.fetched_at
        self.record = replace(record, pages=self.pages, rows=self.rows, fetched_at=fetched_at)
        # While cached pages are replayed, the saved record is already ahead.
        if from_network or self.pages > self._cached_pages:
            self._cache.save(self.record)

    def _report_progress(self, page: Page) -> None:
        quota = self.session.rate_limiter.quota
        self.progress.on_page(
            ProgressUpdate(
                resource=self.query.resource.name,
                pages=self.pages,
                rows=self.rows,
                total=self._announced_plus(self._total(page)),
                requests=self.requests,
                from_cache=self.from_cache,
                requests_left=quota.burst,
                burst_limit=quota.burst_limit,
            )
        )

    def _total(self, page: Page) -> int | None:
        """The number of rows that a page announces for its parameter set."""
        return page.total(self.query.resource.total)

    # ---- for the caller

    def count_cached_pages(self) -> int:
        """The pages that this download will not have to request."""
        try:
            record = self._best_record(self._cache.downloads(self._query_id()))
        except CacheLocked:
            return 0
        return 0 if record is None else record.pages

    def count_resumable_pages(self) -> int:
        """The pages that the same call, made again within 7 days by any program, will not have to request."""
        can_resume = self._cache.supports_resume and self._cache.path is not None
        if self.record is None or not self.record.is_interrupted or not can_resume:
            return 0
        try:
            return self._cache.count_pages(self.record)
        except CacheLocked:
            return 0

    def stop_early(self) -> None:
        """Call this when the caller exits the loop over the pages early. It then counts as partial.

        A download that started more than ``expire_after`` ago still counts as interrupted, and can be resumed: such a
        long loop more likely ended with an error.
        """
        record = self.record
        if record is None or record.finished_at is not None:
            return
        if self._cache.elapsed(record.started_at) < self.cache_policy.expire_after:
            self._cache.accept_partial(record)

    def is_replaced(self) -> bool:
        """Whether this call would now use a different download from the one it used."""
        used, replacement = self.record, self._find_record(self._query_id())[1]
        return replacement is not None and (used is None or replacement.generation != used.generation)

    def related_records(self) -> list[Record]:
        """The records of the same query family and time span, newest first. Raises ``CacheLocked``."""
        family_id, query = self._family_id(self._query_id()), self.query
        span = (query.since, query.until)

        def read() -> list[Record]:
            records = self._cache.downloads()
            return [
                record for record in records if record.family == family_id and (record.since, record.until) == span
            ]

        return self._when_unlocked(read) if self.cache_policy.offline else read()

    def can_use(self, record: Record) -> bool:
        """Whether this call can use a related record: online, an unfinished one; offline, a finished one."""
        if self.cache_policy.offline:
            return record.finished_at is not None
        return self._can_continue(record)


def _merge_repeat(page: Page, repeated: Page) -> Page:
    """The repeated page, with the rows of the first response added if it is shorter.

    A row that is in both is there twice: ``SeenRows`` counts it once, and ``frames.builder`` drops the first.
    """
    if len(repeated) >= len(page):
        return repeated
    return Page([*page.rows, *repeated.rows], repeated.envelope, repeated.skipped)
