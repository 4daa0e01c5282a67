"""The response cache: pages and download records in one SQLite file, as a backend of requests-cache.

Unlike the SQLite backend of requests-cache, it never hangs or fails a call. A write that another program's lock
blocks is skipped, a damaged file is renamed, and on a full disk the cache moves to memory. Each shows one warning.
Each page is signed with the token: one that was changed, or written with another token, counts as not cached. No
pickle and no header is stored.

``download_records.py`` decides which downloads are deleted, and when.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
from requests_cache.backends.base import BaseCache
from requests_cache.models.response import CachedResponse

from hlkit.client.errors import CacheLocked
from hlkit.client.http import download_records
from hlkit.client.http.download_records import CHECKS, DAY, HOUR, SCHEMA, Record
from hlkit.client.http.sqlite_file import CacheWarning, File
from hlkit.client.http.token import Token
from hlkit.client.text import canonical_json
from hlkit.client.warning import warn

MAX_BYTES = 2_000_000_000  # in all files of the cache folder; above it, the oldest downloads are deleted
_BATCHES_ON_OPEN = 100  # page batches deleted at most while connecting
_ZSTD = pa.Codec("zstd", compression_level=1)
T = TypeVar("T")


class Cache(BaseCache):
    """The cached pages and download records of one server, location and token.

    With ``keep_all``, nothing is deleted, however old. ``supports_resume`` is whether the next call for the same
    query continues a download that was interrupted. Without a *path* the cache is in memory. ``now`` returns the
    current time, in Unix seconds.
    """

    def __init__(
        self,
        path: Path | None,
        token: Token,
        *,
        keep_all: bool = False,
        supports_resume: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(cache_name="hlkit")
        self._file = File(path, SCHEMA, CHECKS)
        self._token = token
        self.now = now
        self.keep_all, self.supports_resume = keep_all, supports_resume
        self._has_warned_of_lock = False
        if path is not None:
            self._clean_up(_BATCHES_ON_OPEN)

    @property
    def path(self) -> Path | None:
        """The file, or ``None`` if the cache is in memory."""
        return self._file.path

    def __repr__(self) -> str:
        return f"<Cache in {self.path or 'memory'}>"

    __str__ = __repr__

    # ---- what a session uses of the interface of requests-cache

    def save_response(self, response: Any, cache_key: str | None = None, expires: Any = None) -> None:
        assert cache_key is not None
        self.store_page(cache_key, response.content)

    def get_response(self, key: str, default: Any = None) -> CachedResponse | None:
        body = self.load_page(key)
        return None if body is None else CachedResponse(status_code=200, content=body, url="")

    # ---- pages: the bodies of responses

    def store_page(self, key: str, body: bytes) -> None:
        """Store the body of a response, compressed and signed."""
        packed = msgspec.msgpack.encode((len(body), _ZSTD.compress(body, asbytes=True)))
        values = (key, self._sign(key, packed) + packed)
        self._write_or_skip(lambda db: db.execute("INSERT OR REPLACE INTO pages (key, value) VALUES (?, ?)", values))

    def load_page(self, key: str) -> bytes | None:
        """The cached body. ``None`` if there is none, or if its signature is wrong. Raises ``CacheLocked``."""
        row = self._file.run(lambda db: db.execute("SELECT value FROM pages WHERE key = ?", (key,)).fetchone())
        if row is None:
            return None
        signature, packed = row[0][:32], row[0][32:]
        if signature != self._sign(key, packed):
            return None
        try:
            length, compressed = msgspec.msgpack.decode(packed, type=tuple[int, bytes])
            return _ZSTD.decompress(compressed, length, asbytes=True)  # type: ignore[no-any-return]
        except (msgspec.MsgspecError, pa.ArrowException, OSError):  # written by another version of hlkit
            return None

    def _sign(self, key: str, packed: bytes) -> bytes:
        return self._token.digest("page", key, packed).encode()

    def close(self) -> None:
        self._file.close()

    def delete_page(self, key: str) -> None:
        """Delete one cached response."""
        self._write_or_skip(lambda db: db.execute("DELETE FROM pages WHERE key = ?", (key,)))

    def _write_or_skip(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Write, or skip the write if another program has locked the file: the page is then requested again."""
        try:
            return self._file.write(work)
        except CacheLocked:
            pass
        if not self._has_warned_of_lock:
            self._has_warned_of_lock = True
            warn(
                "the cache file is locked by another program: pages that cannot be written now are not cached; "
                "hlkit tries again with each page",
                CacheWarning,
            )
        return None

    # ---- downloads

    def begin(self, record: Record, choose: Callable[[list[Record]], Record | None] = lambda _: None) -> Record:
        """Write the record of a new download before its first page.

        *choose* may pick one of the records already in the file (another program may have begun the same
        download). That one is returned then, and *record* is not written. If the file is locked, the next ``save``
        writes the record.
        """

        def write_or_join(db: sqlite3.Connection) -> Record:
            other = choose(download_records.records(db, query_id=record.query_id))
            if other is None:
                download_records.save(db, record)
            return other or record

        return self._write_or_skip(write_or_join) or record

    def new_record(self, query_id: str, resource: str, parameters: object, **values: Any) -> Record:
        """A record for a download that begins now, not yet written. *values* are other fields of ``Record``."""
        now, generation = self.now(), uuid.uuid4().hex
        text = canonical_json(parameters)
        values = {"family": query_id, "started_at": now, "fetched_at": now, "read_at": now, **values}
        return Record(generation, self.prefix(generation), query_id, resource=resource, parameters=text, **values)

    def prefix(self, generation: str) -> str:
        """The prefix of the keys of a download's pages."""
        return self._token.digest("download", generation)

    def save(self, record: Record) -> None:
        """Write the progress of a download. If another thread has finished it, it stays finished."""
        self._write_or_skip(lambda db: download_records.save(db, record))

    def accept_partial(self, record: Record) -> None:
        """Mark that the caller wants no more rows than have arrived, so the download was not interrupted."""
        if not self._file.is_closed:  # an abandoned generator may be garbage-collected at any time
            with contextlib.suppress(CacheLocked):
                self._file.write(lambda db: download_records.accept_partial(db, record))

    def finish(self, record: Record) -> Record:
        """Mark a download as complete, so that it is served, and delete obsolete downloads.

        If one of its pages could not be cached, it stays unfinished. A call within ``expire_after`` then requests
        only that page.
        """
        finished = replace(record, finished_at=record.fetched_at, read_at=self.now())

        def write_finished(db: sqlite3.Connection) -> None:
            if download_records.count_pages(db, record) < record.pages:
                download_records.save(db, record)
                download_records.accept_partial(db, record)
            else:
                download_records.save(db, finished)

        self._write_or_skip(write_finished)
        self._clean_up()
        return finished

    def downloads(self, **fields: str) -> list[Record]:
        """All records, or those with these values (``resource="notes"``), newest first. Raises ``CacheLocked``."""
        records = self._file.run(lambda db: download_records.records(db, **fields))
        return download_records.newest_first(records, self.now())

    def mark_read(self, record: Record) -> Record:
        """Record that a complete download was read now, which keeps it for another 30 days."""
        now = self.now()
        if record.read_count and 0 <= now - record.read_at < HOUR / 6:
            return record
        updated = replace(record, read_at=now, read_count=record.read_count + 1)
        values = (updated.read_at, updated.read_count, record.generation)
        with contextlib.suppress(CacheLocked):
            self._file.write(
                lambda db: db.execute("UPDATE downloads SET read_at = ?, read_count = ? WHERE generation = ?", values)
            )
        return updated

    def elapsed(self, moment: float) -> float:
        """Seconds since *moment*; infinite if it is in the future, that is, if the clock was set back."""
        age = self.now() - moment
        return age if age > -60 else inf

    def age(self, record: Record) -> float:
        """Seconds since the last page of a download arrived."""
        return self.elapsed(record.fetched_at)

    def has_all_pages(self, record: Record) -> bool:
        """Whether every page of a complete download is in the file. Raises ``CacheLocked``."""
        return self.count_pages(record) >= record.pages

    def count_pages(self, record: Record) -> int:
        """The number of pages of a download in the file. Raises ``CacheLocked``."""
        return self._file.run(lambda db: download_records.count_pages(db, record))

    def delete_download(self, record: Record) -> None:
        """Delete a download and its pages. Does nothing with ``keep_all``, or while the file is locked."""
        if not self.keep_all:
            _delete_from(self._file, [record])

    def clear(self) -> None:
        """Delete everything, from the disk too. Raises ``CacheLocked``."""
        self._file.write(lambda db: db.execute("DELETE FROM downloads"))
        _delete_orphans(self._file)
        self._file.empty_log()

    def _clean_up(self, max_batches: float = inf) -> None:
        """Delete obsolete downloads, and the oldest ones if the cache folder is too large."""
        if self.keep_all:
            return
        now = self.now()
        with contextlib.suppress(CacheLocked):
            records = self.downloads()
            if any(record.read_at > now + DAY for record in records):  # read while the clock was wrong
                query = "UPDATE downloads SET read_at = ? WHERE read_at > ?"
                self._file.write(lambda db: db.execute(query, (now, now + DAY)))
                records = self.downloads()
            _delete_from(self._file, download_records.find_obsolete(records, now), max_batches)
        if self.path is not None:
            self._enforce_max_bytes(self.path)

    def _enforce_max_bytes(self, path: Path) -> None:
        """Delete the oldest downloads in the cache folder, of all locations, until it has at most ``MAX_BYTES``.

        Unfinished downloads, and those that were read within the last hour, stay.
        """
        files = list(path.parent.glob("*.sqlite*"))
        if sum(map(_file_size, files)) <= MAX_BYTES:
            return
        downloads = [
            (size, record, file)
            for file in files
            if file.suffix == ".sqlite"
            for size, record in download_records.sizes_in_file(file)
        ]
        total, now = sum(size for size, _, _ in downloads), self.now()
        oldest: dict[Path, list[Record]] = {}
        for size, record, file in sorted(downloads, key=lambda download: download[1].fetched_at):
            if total <= MAX_BYTES:
                break
            if record.finished_at is not None and now - record.read_at > HOUR:
                oldest.setdefault(file, []).append(record)
                total -= size
        for file, records in oldest.items():
            _delete_from(self._file if file == path else File(file, SCHEMA, CHECKS), records)


def _file_size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # another program has just deleted it
        return 0


def _delete_from(file: File, records: list[Record], max_batches: float = inf) -> None:
    """Delete downloads and orphans, and return the space to the disk. Stops if the file is locked."""
    with contextlib.suppress(CacheLocked):
        if records:
            file.write(lambda db: download_records.delete(db, records))
        if _delete_orphans(file, max_batches) or records:
            file.empty_log()


def _delete_orphans(file: File, max_batches: float = inf) -> int:
    """Delete pages that belong to no download. Returns the number of batches. Raises ``CacheLocked``."""
    batches = 0
    while batches < max_batches and file.run(download_records.first_orphan) is not None:  # without a lock
        file.write(download_records.delete_orphans)
        batches += 1
    return batches
