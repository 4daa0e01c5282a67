"""One download: all pages of one query. It is resumable, and it either reads to the end or raises.

The order of operations:

1. Choose the record of an earlier download (its entry in the cache: how far it got and when), or create a new one, by
   the rules in ``cached_downloads``.
2. For each parameter set (the notes of many contacts, for example, need one set per contact), page after page: get
   the next page from the cache or the server; save the record, report progress, then yield the page. ``pagination``
   says which page comes next. It raises if pages loop, or if rows have moved between numbered pages.
3. If a set ends with fewer rows than the server announced, request its last page once more, and go on if there is a
   next page now. Repeat this at the next end if rows have arrived since.
4. Raise if a parent could not be read, or if rows were announced and none arrived. If only some are missing, warn.
   Then mark the record as finished.

Step 4 is left out if ``limit`` or ``first_page_only`` ends the download early.

The download restarts once, with a new record, if:

- the cursor has expired,
- cached pages lead into a loop,
- pages are requested by number, and the announced total changes or rows have moved to other pages.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from hlkit.client.cached_downloads import CachedDownloads, CachePolicy
from hlkit.client.errors import (
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
from hlkit.client.http.cache import Cache
from hlkit.client.http.download_records import Record
from hlkit.client.http.progress import Progress, ProgressUpdate
from hlkit.client.http.request import RequestSpec
from hlkit.client.http.retry import RetryBudget
from hlkit.client.http.session import Session
from hlkit.client.pagination import Offset, PageNumber, SearchAfter
from hlkit.client.query import Query
from hlkit.client.seen_rows import Page, Position, SeenRows
from hlkit.client.warning import warn

# Some resources are read once for each parent: the notes of each contact. A parent that fails with one of
# ``_PARENT_FAILURES`` is skipped. After so many in a row, the problem is not specific to a parent: the download ends.
MAX_CONSECUTIVE_FAILURES = 5
_PARENT_FAILURES = (IncompleteDownload, InvalidRequest, ServerError, Timeout, UnexpectedResponse, WrongLocation)


class MissingRowsWarning(UserWarning):
    """The server sent fewer rows than it announced."""


class DamagedDownload(NotCached):
    """A page that should be in the cache is not. All of the download has to be read again."""


class _Restart(Exception):
    """The pages so far are of no use. Read all of them again, with a new record."""


@dataclass
class Download:
    """Iterate over it to get its pages. Afterwards, its attributes describe the result and its cost.

    Options
    -------
    query, session, cache_policy : what to download, through what, and which cached pages may be used
    progress : receives progress and wait-time updates; can cancel the download
    limit : stop after the page that reaches this many rows; ``None`` for all
    first_page_only : stop after the first page of each parameter set
    reread_if_damaged : what to do if the cache has lost a page. True: read all pages again. False: raise
        ``DamagedDownload`` if any page was yielded already.

    Results
    -------
    record : the download's entry in the cache
    pages, rows : how many arrived since the last restart; a row that arrives twice counts once
    requests : HTTP requests sent, retries included
    from_cache : how many pages came from the cache
    expected_rows : the number that the server announced, if it did
    complete : whether all pages were read; see ``missing_rows`` for rows that were announced and did not arrive
    without_rows : the parameter sets that returned no rows
    not_found : those of them whose parent does not exist
    restarts : 1 if the download has restarted, else 0; a lost page in the cache does not count
    """

    query: Query
    session: Session
    cache_policy: CachePolicy = field(default_factory=CachePolicy)
    progress: Progress = field(default_factory=Progress)
    limit: int | None = None
    first_page_only: bool = False
    reread_if_damaged: bool = False

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

    _pages_at_start: int = 0  # how many the chosen record already had
    _has_next_page: bool = False  # in this parameter set, after the page that was yielded last; set by _read_set
    _announced_rows: int | None = 0  # sum over the parameter sets read so far; None if one had no total
    _failed_parents: int = 0
    _consecutive_failures: int = 0
    _last_failure: HlkitError | None = None
    _retry_budget: RetryBudget = field(default_factory=RetryBudget)

    @cached_property
    def cached_downloads(self) -> CachedDownloads:
        """The downloads of this query in the cache."""
        wanted_rows = 0 if self.first_page_only else self.limit  # 0: any first page is enough
        return CachedDownloads(self.query, self.session, self.cache_policy, self.progress, wanted_rows)

    @property
    def missing_rows(self) -> int:
        """How many rows the server announced and did not send."""
        return max(0, (self.expected_rows or 0) - self.rows)

    def __iter__(self) -> Iterator[Page]:
        """Yield the pages. After a restart they begin again, and ``pages`` is 1: discard all pages yielded before."""
        while True:
            try:
                yield from self._read_all()
                return
            except _Restart:
                self._cache.delete_download(self._current_record)
                self.restarts += 1
            except DamagedDownload:
                may_yield_again = self.reread_if_damaged or self.pages == 0
                if not (may_yield_again and self._can_read_again()):
                    raise

    def _read_all(self) -> Iterator[Page]:
        """Choose a record, yield every page, then mark the record as finished."""
        self.record = record = self.cached_downloads.choose(is_restart=self.restarts > 0)
        self._pages_at_start = record.pages
        self.pages = self.rows = self._announced_rows = 0
        self._failed_parents = self._consecutive_failures = 0
        self._last_failure = None
        self.without_rows, self.not_found = [], []
        resource, has_skipped_pages = self.query.resource, False
        for number, parameters in enumerate(self.query.parameter_sets, start=1):
            is_last_set = number == len(self.query.parameter_sets)
            seen = SeenRows(resource.name, resource.total)
            page: Page | None = None
            for page in self._skipping_failed_parents(parameters, self._read_set(parameters, seen)):
                yield page
                has_reached_limit = self.limit is not None and self.rows >= self.limit
                if has_reached_limit and (self._has_next_page or not is_last_set):
                    return  # there is more: the record stays unfinished, and a later call can continue it
                if self.first_page_only and self._has_next_page:
                    has_skipped_pages = True
                    break
            if not seen.row_count:
                self.without_rows.append(parameters)
            total = None if page is None else self.query.total(page)  # announced on the set's last page
            self._announced_rows = self._announced_plus(total)
        if has_skipped_pages:
            return
        self.expected_rows = self._announced_rows
        self._check_result()
        self.complete = True
        if self._current_record.finished_at is None:
            self.record = self._cache.finish(self._current_record)

    def _announced_plus(self, total: int | None) -> int | None:
        """The rows announced for earlier parameter sets plus *total* for this one; ``None`` if either is unknown."""
        return None if self._announced_rows is None or total is None else self._announced_rows + total

    def _skipping_failed_parents(self, parameters: Mapping[str, Any], pages: Iterator[Page]) -> Iterator[Page]:
        """The *pages* of one parameter set.

        If each set reads one parent (for example, the notes of one contact) and one of them fails, the others are
        still read, unless too many fail in a row; ``_check_result`` raises at the end. A parent that does not exist
        is no failure.
        """
        if self.query.resource.parent is None:
            yield from pages
            return
        try:
            yield from pages
        except NotFound:  # the parent was deleted meanwhile, or never existed
            self._consecutive_failures = 0
            self.not_found.append(parameters)
        except _PARENT_FAILURES as error:
            self._failed_parents += 1
            self._consecutive_failures += 1
            if self._consecutive_failures >= MAX_CONSECUTIVE_FAILURES:
                raise
            self._last_failure = error
        else:
            self._consecutive_failures = 0

    def _check_result(self) -> None:
        """Raise if a parent failed, or, after deleting the record, if rows were announced and none arrived.

        Warn if only some are missing: totals that are slightly off are common.
        """
        name = self.query.resource.name
        if self._last_failure is not None:
            raise IncompleteDownload(
                f"{self._failed_parents:,} of {len(self.query.parameter_sets):,} parts of {name} could not be read; "
                f"the last error: {self._last_failure.message}",
                hint="try again in a minute",
                resource=name,
            )
        if not self.missing_rows:
            return
        message = f"{name}: the server announced {self.expected_rows:,} rows and sent {self.rows:,}"
        if self.rows == 0:
            self._cache.delete_download(self._current_record)  # so that the next call requests it again
            raise IncompleteDownload(message, hint="try again in a minute", resource=name)
        warn(f"{message} (each last page was requested twice)", MissingRowsWarning)

    @property
    def _cache(self) -> Cache:
        return self.session.cache

    @property
    def _current_record(self) -> Record:
        """``record``, once it is chosen."""
        assert self.record is not None
        return self.record

    # ---- steps 2 and 3: the pages of one parameter set

    def _read_set(self, parameters: Mapping[str, Any], seen: SeenRows) -> Iterator[Page]:
        """The pages of one parameter set. Rows repeated from the page before are left out (``new_rows``)."""
        paging, rows_before = self.query.resource.paging, self.rows
        row_count_after_step_3: int | None = None
        previous: Page | None = None
        next_position: Position | None = paging.first()
        while next_position is not None:
            position = next_position
            spec = self._request(parameters, position, seen)
            try:
                page = self._fetch(spec)
            except InvalidRequest:
                # Earlier requests of this set were accepted, so the cursor has expired.
                is_cursor = not isinstance(paging, Offset | PageNumber)
                if is_cursor and self.rows > rows_before and self._can_restart:
                    raise _Restart from None
                raise
            from_network = spec.from_network  # set by fetch()

            failure: IncompleteDownload | None = None
            try:
                next_position = paging.next_position(position, page, seen)
            except IncompleteDownload as error:  # pages loop, or rows have moved: yield this page, then raise
                next_position, failure = None, error
                self.session.forget(spec)  # so that the next call requests it again
            if self._can_restart and self._may_contradict(position, seen, failure):
                raise _Restart

            is_end = next_position is None and failure is None
            has_new_rows = seen.row_count != row_count_after_step_3
            if is_end and seen.lacks_rows(page) and has_new_rows:
                spec = self._request(parameters, position, seen)
                second = self._fetch(spec)
                from_network = from_network or spec.from_network
                # Not next_position(), which would take these rows, most of them known, for a loop.
                seen.add(position, second)
                next_position = paging.after(position, second, seen)
                row_count_after_step_3 = seen.row_count
                page = _merge(page, second, seen)

            self._has_next_page = next_position is not None
            self.pages += 1
            self.rows = rows_before + seen.row_count
            self._save_record(from_network)
            self._report_progress(page)
            yield page if previous is None else replace(page, rows=paging.new_rows(previous, page, seen))
            if failure is not None:
                if self.restarts and isinstance(paging, PageNumber):  # rows keep moving: let the next call start anew
                    self._cache.delete_download(self._current_record)
                raise failure
            previous = page

    def _request(self, parameters: Mapping[str, Any], position: Position, seen: SeenRows) -> RequestSpec:
        """The request for the page at *position*.

        A second request for the same page (step 3) is cached separately from the first, so that a cached download
        yields the same pages in the same order.
        """
        record = self._current_record
        return self.query.request(
            parameters,
            position,
            key_prefix=record.prefix,
            occurrence=seen.times_arrived(position) + 1,
            cache_only=record.finished_at is not None or self.cache_policy.offline,
            progress=self.progress,
            retry_budget=self._retry_budget,
        )

    def _fetch(self, spec: RequestSpec) -> Page:
        """One page, from the cache or the server.

        If the cache has lost it, delete the record, and raise ``DamagedDownload``. Offline, keep the record, which
        cannot be downloaded again.
        """
        self.progress.raise_if_canceled()
        page: Page | None = None
        try:
            page = self.cached_downloads.when_unlocked(lambda: self.session.fetch(spec))
        except NotCached:
            pass  # raise below: an error raised here would have this one as its context
        finally:
            self.requests += spec.requests_sent
        if page is None and self.query.resource.parent is not None:
            # Most likely the parent did not exist: a 404 is never cached.
            raise NotFound("the parent did not exist when its rows were downloaded", resource=spec.resource)
        if page is None:
            if not self.cache_policy.offline:
                self._cache.delete_download(self._current_record)
            raise DamagedDownload(
                "a cached page is gone: the download was replaced meanwhile, or the cache file was damaged",
                hint="read it again",
                resource=spec.resource,
            )
        if not spec.requests_sent:  # set by fetch()
            self.from_cache += 1
            self.session.pages_from_cache += 1
        return page

    @property
    def _can_restart(self) -> bool:
        return not self.restarts and not self.cache_policy.offline

    def _may_contradict(self, position: Position, seen: SeenRows, failure: IncompleteDownload | None) -> bool:
        """Whether the pages so far may contradict each other, so that reading them again can help."""
        paging = self.query.resource.paging
        if failure is not None:  # rows may have moved to other pages, or a cached page may have started the loop
            return isinstance(paging, PageNumber) or self._pages_at_start > 0
        # SearchAfter falls back to page numbers when rows have no cursor.
        is_fallback = isinstance(paging, SearchAfter) and position.get("page", 1) > 1
        has_changed_total = (isinstance(paging, PageNumber) or is_fallback) and len(seen.totals) > 1
        # A finished download is yielded as it is.
        return has_changed_total and self._current_record.finished_at is None

    def _save_record(self, from_network: bool) -> None:
        """Save how far the download is; if an earlier run finished it, when it was read, for the cleanup."""
        record = self._current_record
        if record.finished_at is not None:
            self.record = self._cache.mark_read(record)
            return
        fetched_at = self._cache.now() if from_network else record.fetched_at
        self.record = replace(record, pages=self.pages, rows=self.rows, fetched_at=fetched_at)
        # While cached pages are replayed, the saved record is already ahead.
        if from_network or self.pages > self._pages_at_start:
            self._cache.save(self.record)

    def _report_progress(self, page: Page) -> None:
        quota = self.session.rate_limiter.quota
        self.progress.on_page(
            ProgressUpdate(
                resource=self.query.resource.name,
                pages=self.pages,
                rows=self.rows,
                total=self._announced_plus(self.query.total(page)),
                requests=self.requests,
                from_cache=self.from_cache,
                requests_left=quota.burst,
                burst_limit=quota.burst_limit,
            )
        )

    # ---- for the caller

    def count_resumable_pages(self) -> int:
        """How many pages the same call would find in the cache, if made again within 7 days by any program."""
        return 0 if self.record is None else self.cached_downloads.count_resumable_pages(self.record)

    def stop_early(self) -> None:
        """Call this when leaving the loop over the pages early: it then counts as partial, not interrupted."""
        if self.record is not None:
            self.cached_downloads.stop_early(self.record)

    def _can_read_again(self) -> bool:
        """Whether the cache has another download than the one that has lost a page, or a new one can be started."""
        replacement = self.cached_downloads.find()
        if replacement is None:
            return not self.cache_policy.offline
        return replacement.generation != self._current_record.generation


def _merge(page: Page, second: Page, seen: SeenRows) -> Page:
    """The second response for a page, after the rows of the first one that it lacks.

    Rows without an id cannot be matched: all of the second response's count, or both responses' if it is shorter.
    """
    second_ids, is_shorter = seen.ids_on(second), len(second) < len(page)
    ids = [seen.id_of(row) for row in page.rows]
    lacking = [is_shorter if row_id is None else row_id not in second_ids for row_id in ids]
    return Page([*itertools.compress(page.rows, lacking), *second.rows], second.envelope, second.skipped)
