"""The cached downloads of a query, and which of them a call uses.

A *record* is what the cache knows of a download: when it started, how many pages and rows arrived, and whether it is
finished. It is written before page 1. Its ``generation`` is the download's unique id. To *resume* a download is to
read it again from page 1 with the same record: its cached pages cost no request, so the first request is for the
first missing page.

An unfinished download is *partial* if its caller wanted no more (``limit=``, ``.count()``, or a ``for`` loop over
``.pages()`` that was exited early), else *interrupted* (canceled, killed, failed, out of daily quota).

Which record is used: the first that applies.

1. The record of the requested ``generation``, at any age, if it still exists.
2. The newest finished download whose last page is younger than ``expire_after`` and whose pages are all in the cache.
   Not with ``refresh``.
3. Of the following downloads that started after the newest finished one, the one with the most rows:

   - An interrupted one if this call wants more rows than it has, and its last page is younger than ``expire_after``
     or 7 days, whichever is longer. ``refresh`` resumes only what an earlier ``refresh`` started.
   - Any unfinished one that started less than ``expire_after`` ago. Not with ``refresh``.
4. A new record.

Offline, after rule 1, only a finished download whose pages are all in the cache is used: the newest, at any age.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import TypeVar

from hlkit.client.errors import CacheLocked, NotCached
from hlkit.client.http.cache import Cache
from hlkit.client.http.download_records import RESUMED_WITHIN, Record
from hlkit.client.http.progress import Progress
from hlkit.client.http.rate_limit import duration
from hlkit.client.http.session import Session
from hlkit.client.query import Query
from hlkit.client.warning import warn

# Seconds to wait for another program that holds the cache file: offline, and for the pages of a finished download. In
# all other cases the server is asked at once.
LOCK_TIMEOUT = 30.0

T = TypeVar("T")


class StaleWarning(UserWarning):
    """Offline: rows from the cache that may be out of date. The message gives their age."""


@dataclass(frozen=True)
class CachePolicy:
    """Which cached pages may be used.

    ``expire_after`` is in seconds. ``refresh`` ignores finished downloads. ``offline`` sends no requests.
    ``generation`` resumes that one download, at any age. ``skip_if_locked`` does not wait for another program that
    holds the cache file.
    """

    expire_after: float = 3600.0
    refresh: bool = False
    offline: bool = False
    generation: str | None = None
    skip_if_locked: bool = False


@dataclass(frozen=True)
class CachedDownloads:
    """The cached downloads of one query, for a call that needs some rows of it.

    ``wanted_rows`` is how many: ``None`` for all, 0 if the first page of each parameter set is enough.
    """

    query: Query
    session: Session
    policy: CachePolicy
    progress: Progress
    wanted_rows: int | None = None

    @property
    def _cache(self) -> Cache:
        return self.session.cache

    def choose(self, *, is_restart: bool = False) -> Record:
        """The record to use, by the rules at the top of this file; for a restart, a new one."""
        resource, policy = self.query.resource, self.policy
        records, record = self._find()
        if is_restart:
            record = None  # an unfinished download may be as outdated as the one that has just failed
        if record is None:
            if policy.offline:
                raise NotCached(
                    f"{resource.name} was never downloaded completely, and offline=True sends no requests",
                    hint="connect without offline=True and read it once",
                    resource=resource.name,
                )
            record = self._begin(records)
        elif policy.offline:
            age = duration(self._cache.age(record))  # since its last page was fetched
            warn(f"{resource.name} as of {age} ago (offline)", StaleWarning)
        if record.finished_at is not None:
            return self._cache.mark_read(record)
        seconds_since_start = self._cache.elapsed(record.started_at)
        if record.pages and seconds_since_start > policy.expire_after:
            started = duration(seconds_since_start)
            self.progress.on_note(f"{resource.name} · resumed: {record.pages:,} pages cached, started {started} ago")
        # The most rows that any call wanted (None: all). A record that has fewer counts as interrupted.
        wanted = self.wanted_rows
        if wanted is not None:
            wanted = None if record.wanted is None else max(record.wanted, wanted)
        return replace(record, wanted=wanted)

    def find(self) -> Record | None:
        """The cached download that this call would use now."""
        return self._find()[1]

    def find_related(self) -> Record | None:
        """The newest download of the same family and dates that this call can continue or, offline, read.

        Raises ``CacheLocked`` offline.
        """
        query, offline = self.query, self.policy.offline
        kind = (query.family_id_in(self.session), query.since, query.until)
        for record in self._read_cache(self._cache.downloads) or []:  # newest first
            if (record.family, record.since, record.until) != kind:
                continue
            if record.finished_at is not None:
                return record if offline else None  # online, what started before a finished one is out of date
            if not offline and self._can_continue(record):
                return record
        return None

    def count_resumable_pages(self, record: Record) -> int:
        """The pages that the same call, made again within 7 days by any program, will not have to request."""
        can_resume = self._cache.supports_resume and self._cache.path is not None
        if not record.is_interrupted or not can_resume:
            return 0
        try:
            return self._cache.count_pages(record)
        except CacheLocked:
            return 0

    def stop_early(self, record: Record) -> None:
        """Call this when the caller exits the loop over the pages early. The download then counts as partial.

        A download that started more than ``expire_after`` ago still counts as interrupted, and can be resumed: such a
        long loop more likely ended with an error.
        """
        if record.finished_at is None and self._cache.elapsed(record.started_at) < self.policy.expire_after:
            self._cache.accept_partial(record)

    def when_unlocked(self, read: Callable[[], T]) -> T:
        """What *read* returns, once no other program holds the cache file. Raises ``CacheLocked`` after a while."""
        end = time.monotonic() + (0.0 if self.policy.skip_if_locked else LOCK_TIMEOUT)
        while True:
            try:
                return read()
            except CacheLocked:
                if time.monotonic() > end:
                    raise
            self.progress.wait(0.1)

    def _read_cache(self, read: Callable[[], T]) -> T | None:
        """What *read* returns; ``None`` while another program holds the cache file.

        Raises ``CacheLocked`` offline, where there is no server to use instead.
        """
        if self.policy.offline:
            return self.when_unlocked(read)
        try:
            return read()
        except CacheLocked:
            return None

    def _find(self) -> tuple[list[Record] | None, Record | None]:
        """The records of the query, and the best of them. Both are ``None`` while another program holds the file."""

        def read() -> tuple[list[Record], Record | None]:
            records = self._cache.downloads(query_id=self.query.id_in(self.session))
            return records, self._best(records)

        return self._read_cache(read) or (None, None)

    def _begin(self, records: list[Record] | None) -> Record:
        """A new record, or one that another thread or program created since *records* were read."""

        def created_meanwhile(current: list[Record]) -> Record | None:
            if records is None:  # the file was locked, so it is not known which of them are new
                return None
            earlier = {record.generation for record in records}
            new = (record for record in current if record.generation not in earlier and self._can_continue(record))
            return next(new, None)

        query = self.query
        record = self._cache.new_record(
            query.id_in(self.session),
            query.resource.name,
            query.first_page_parameters,
            family=query.family_id_in(self.session),
            since=query.since,
            until=query.until,
            fresh_for=self.policy.expire_after,
            is_refresh=self.policy.refresh,
            wanted=self.wanted_rows,
        )
        # begin() passes the query's current records to the function, and saves *record* only if that returns None.
        return self._cache.begin(record, created_meanwhile)

    def _best(self, records: list[Record]) -> Record | None:
        """The best of the query's records (newest first), or ``None``.

        Deletes finished downloads that would be used but have lost a page.
        """
        policy, cache = self.policy, self._cache
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
        # Continue only what started after the newest finished download, one that was just deleted included. Ignore
        # start times in the future (the clock was wrong): elapsed() returns inf for them.
        starts = [record.started_at for record in finished if cache.elapsed(record.started_at) < inf]
        newest_start = max(starts, default=0.0)
        unfinished = [record for record in records if record.started_at > newest_start and self._can_continue(record)]
        return max(unfinished, key=lambda record: record.rows, default=None)

    def _can_continue(self, record: Record) -> bool:
        """Whether this call may continue an unfinished download."""
        if record.finished_at is not None:
            return False
        policy = self.policy
        wants_more = self.wanted_rows is None or self.wanted_rows > record.rows
        can_resume = (
            record.is_interrupted
            and wants_more
            and self._cache.supports_resume
            and self._cache.age(record) < max(policy.expire_after, RESUMED_WITHIN)
        )
        if policy.refresh:
            return can_resume and record.is_refresh
        return can_resume or self._cache.elapsed(record.started_at) < policy.expire_after
